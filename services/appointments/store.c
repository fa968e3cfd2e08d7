/* store.c - the database as what the service needs: is it there, and has it our schema? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "appointments_sql.h"
#include "lib/log.h"
#include "services/appointments/app.h"
#include "services/appointments/migrate.h"

struct store {
    struct app *app;
    bool seen;        /* the schema, good or bad */
    char lacks[128];  /* why the schema was refused when a connection last looked; else empty */
    char broken[256]; /* a statement does not fit its messages: a broken build; else empty */
};

static bool schema_met(void *ctx, char why[static 128]) {
    const struct store *s = ctx;
    (void)snprintf(why, 128, "%s", s->seen ? s->lacks : "not seen yet");
    return s->seen && s->lacks[0] == '\0';
}

/* A database that answers is there, also when its schema is refused. */
static bool database_met(void *ctx, char why[static 128]) {
    const struct store *s = ctx;
    const char *fault = tv_pg_last_error(s->app->pg);
    if (s->broken[0] != '\0')
        fault = s->broken;
    else if (tv_pg_usable(s->app->pg) || (s->lacks[0] != '\0' && strcmp(fault, s->lacks) == 0))
        return true;
    (void)snprintf(why, 128, "%.127s", fault);
    return false;
}

/* Every new connection looks; only what is news is logged. */
static bool on_schema(void *ctx, const struct tv_pg_result *rows, char why[static 128]) {
    struct store *s = ctx;
    bool good = migrate_check(rows, why);
    if (good)
        why[0] = '\0';
    if (!good && strcmp(why, s->lacks) != 0)
        tv_log_warn("waiting for the schema", F_STR(REASON, why));
    s->seen = true;
    (void)snprintf(s->lacks, sizeof(s->lacks), "%s", why);
    return good;
}

static void on_database(void *ctx, bool usable) {
    struct store *s = ctx;
    struct app *app = s->app;
    if (!usable) {
        tv_log_warn("the database is away", F_STR(REASON, tv_pg_last_error(app->pg)));
        return;
    }
    struct tv_error e = TV_ERROR_INIT;
    s->broken[0] = '\0';
    if (dispatch_check(app, &e) != TV_OK) {
        (void)snprintf(s->broken, sizeof(s->broken), "%s", e.detail);
        tv_log_error("a statement does not fit its messages", F_STR(ERROR, e.detail));
        return;
    }
    if (app->dispatch == NULL)
        app->dispatch = dispatch_new(app, app->bus);
    tv_log_info("the database is there");
}

struct store *store_open(struct app *app, struct tv_need needs[static STORE_NEEDS]) {
    struct store *s = tv_calloc(1, sizeof(*s));
    const struct tv_pg_config pg = {
        .url = app->conf->database_url,
        .application_name = "appointments",
        .connections = (unsigned)app->conf->pg_connections,
        .window = 16,
        .queue_max = 2048,
        .statement_timeout_us = app->conf->pg_statement_timeout_us,
        .statements = appointments_statements,
        .statement_count = appointments_statement_count,
        .check_text = migrate_check_text,
        .check = on_schema,
        .on_state = on_database,
        .ctx = s,
    };
    s->app = app;
    app->pg = tv_pg_new(app->loop, &pg);
    needs[0] = (struct tv_need){.name = "postgres", .met = database_met, .ctx = s};
    needs[1] = (struct tv_need){.name = "schema", .met = schema_met, .ctx = s};
    return s;
}

void store_free(struct store *s) {
    tv_pg_free(s->app->pg);
    free(s);
}
