#!/bin/sh
# The Debian packages of the libraries that a program is linked with, but libc's, which is there.
# What those libraries need themselves, apt knows. Usage: needs.sh PROGRAM
set -eu

libraries=$(objdump -p "$1" | awk '$1 == "NEEDED" {print $2}')
[ -n "$libraries" ]
where=$(ldd "$1")
for library in $libraries; do
    path=$(echo "$where" | awk -v name="$library" '$1 == name {print $3}')
    dpkg-query -S "$(readlink -f "$path")"
done | cut -d : -f 1 | grep -vx libc6 | sort -u
