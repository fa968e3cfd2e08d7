/* main.c - the appointments service: the only program that speaks to PostgreSQL. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/service.h"
#include "services/appointments/app.h"
#include "services/appointments/migrate.h"
#include "services/appointments/operator.h"

#define HOUR_US (3600 * TV_US_PER_S)

#define ROW(member) offsetof(struct app_conf, member)
static const struct tv_conf_row rows[] = {
    {"DATABASE_URL", TV_CONF_SECRET, ROW(database_url), NULL, TV_CONF_REQUIRED, 1, 1024, NULL,
     "The PostgreSQL database, as postgres://user:password@host/name."},
    {"TELEVISIT_GRANT_KEY", TV_CONF_SECRET, ROW(grant_key), NULL, 0, 43, TV_SEAL_KEYS_TEXT_MAX,
     NULL,
     "Key that grants are sealed with, 32 bytes as 64 hex digits or base64url; tokens has the "
     "same. While it is changed, a second line: the first seals, both open."},
    {"TELEVISIT_PG_CONNECTIONS", TV_CONF_INT, ROW(pg_connections), "4", 0, 1, 64, NULL,
     "Connections to PostgreSQL."},
    {"TELEVISIT_PG_STATEMENT_TIMEOUT", TV_CONF_DURATION, ROW(pg_statement_timeout_us), "5s", 0,
     100 * TV_US_PER_MS, 60 * TV_US_PER_S, NULL, "How long one statement may take."},
    {"TELEVISIT_PASSWORD_MEMORY", TV_CONF_INT, ROW(password_memory_mib), "19", 0, 8, 1024, NULL,
     "Memory to hash one password with (argon2id), in MiB; two are hashed at a time."},
    {"TELEVISIT_PASSWORD_PASSES", TV_CONF_INT, ROW(password_passes), "2", 0, 1, 16, NULL,
     "Passes over that memory."},
    {"TELEVISIT_SESSION_IDLE", TV_CONF_DURATION, ROW(session_idle_us), "24h", 0, TV_US_PER_S,
     90 * 24 * HOUR_US, NULL, "A session that is not renewed for so long has ended."},
    {"TELEVISIT_SESSION_LENGTH", TV_CONF_DURATION, ROW(session_length_us), "720h", 0, TV_US_PER_S,
     365 * 24 * HOUR_US, NULL, "A session never lasts longer than that."},
};
#undef ROW

/* -- commands -----------------------------------------------------------------------------------*/

static int run_migrate(const void *conf, int argc, char **argv) {
    return migrate_run(((const struct app_conf *)conf)->database_url, argc, argv);
}

/* For seeding accounts: what credential.password_hash holds. */
static int run_hash_password(const void *conf, int argc, char **argv) {
    char hash[TV_PASSWORD_HASH_MAX];
    const char *fault = operator_hash_password(conf, stdin, 1, hash);
    if (fault != NULL)
        fprintf(stderr, "hash-password: %s\n", fault);
    else
        puts(hash);
    return fault == NULL ? EXIT_SUCCESS : EXIT_FAILURE;
}

static const struct tv_service_command commands[] = {
    {"migrate", "brings the schema of the database up to date", run_migrate},
    {"add-clinic", "makes a clinic", operator_run},
    {"add-person", "makes somebody who can log in; the password comes on stdin", operator_run},
    {"hash-password", "reads a password from stdin and writes its hash", run_hash_password},
};

/* -- the service --------------------------------------------------------------------------------*/

static enum tv_err start(const struct tv_service_env *env, void **ret_state,
                         struct tv_need needs[TV_SERVICE_NEEDS_MAX], size_t *ret_need_count,
                         struct tv_error *e) {
    const struct app_conf *conf = env->conf;
    struct app *app = tv_calloc(1, sizeof(*app));
    struct tv_error fault;
    if (tv_seal_keys_parse(conf->grant_key, &app->grant_keys, &fault) != TV_OK) {
        free(app);
        return tv_fail(e, TV_ERR_INVALID, "TELEVISIT_GRANT_KEY: %s", fault.detail);
    }
    tv_seal_keys_derive(&app->grant_keys, TV_SEAL_EVENTS, &app->event_keys);
    app->loop = env->loop;
    app->bus = env->bus;
    app->conf = conf;
    app->admit = admit_new(app);
    calls_count_from_zero();
    app->sessions = sessions_new(app);
    app->store = store_open(app, needs);
    *ret_need_count = STORE_NEEDS;
    *ret_state = app;
    return TV_OK;
}

static bool busy(void *state) {
    const struct app *app = state;
    return (app->dispatch != NULL && dispatch_in_flight(app->dispatch) > 0) ||
           tv_pg_pending(app->pg) > 0 || sessions_pending(app->sessions) > 0;
}

static bool passwords_are_done(void *ctx) {
    const struct app *app = ctx;
    return sessions_pending(app->sessions) == 0;
}

/* What is left here has overstayed the drain; each call still ends, with an error. A password that
 * is being hashed cannot be interrupted, so it is waited for. */
static void stop(void *state) {
    struct app *app = state;
    (void)tv_loop_run_until(app->loop, passwords_are_done, app, 10 * TV_US_PER_S);
    store_free(app->store);
    admit_free(app->admit);
    dispatch_free(app->dispatch);
    sessions_free(app->sessions);
    tv_wipe(&app->grant_keys, sizeof(app->grant_keys));
    tv_wipe(&app->event_keys, sizeof(app->event_keys));
    free(app);
}

static const struct tv_service definition = {
    .name = "appointments",
    .description = "Keeps clinics, people and appointments, and decides who may enter a call.",
    .conf_rows = rows,
    .conf_row_count = TV_ARRAY_LEN(rows),
    .conf_bytes = sizeof(struct app_conf),
    .commands = commands,
    .command_count = TV_ARRAY_LEN(commands),
    .start = start,
    .busy = busy,
    .stop = stop,
};

int main(int argc, char **argv) {
    /* Before there is a configuration: whoever asks may have none yet. */
    return operator_help(argc, argv) ? EXIT_SUCCESS : tv_service_run(&definition, argc, argv);
}
