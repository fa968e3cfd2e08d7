#!/bin/sh
# PostgreSQL on the volume /var/lib/postgresql/data, as the user of the container. On an empty
# volume it makes a cluster first, beside its place, so that one is either whole or not there.
#
#   POSTGRES_USER           owner of the database, logs in from outside (televisit)
#   POSTGRES_DB             the database (televisit)
#   POSTGRES_PASSWORD_FILE  the owner's password (/run/secrets/televisit/password)
#   POSTGRES_PORT           5432
set -eu

volume=/var/lib/postgresql/data
data=$volume/cluster
user=${POSTGRES_USER:-televisit}
database=${POSTGRES_DB:-televisit}
password_file=${POSTGRES_PASSWORD_FILE:-/run/secrets/televisit/password}
programs=$(echo /usr/lib/postgresql/*/bin)

quoted() {
    sed "s/'/''/g"
}

make_cluster() {
    password=$(quoted <"$password_file")
    [ -n "$password" ] || {
        echo "postgres.sh: there is no password in $password_file" >&2
        exit 1
    }
    rm -rf "$data.new"
    "$programs/initdb" -D "$data.new" -U postgres -E UTF8 --locale=C.UTF-8 --auth=reject \
        --data-checksums --no-instructions
    # The superuser has no password, so nobody logs in as one. One statement a line.
    "$programs/postgres" --single -D "$data.new" -c config_file=/etc/televisit/postgres.conf \
        postgres <<END
CREATE ROLE "$user" LOGIN PASSWORD '$password'
CREATE DATABASE "$database" OWNER "$user"
END
    mv "$data.new" "$data"
}

if [ ! -f "$data/PG_VERSION" ]; then
    make_cluster
fi
exec "$programs/postgres" -D "$data" -c config_file=/etc/televisit/postgres.conf \
    -c port="${POSTGRES_PORT:-5432}" "$@"
