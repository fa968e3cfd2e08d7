#include "services/appointments/migrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/pg.h"
#include "lib/str.h"

#define SQL_BYTES_MAX (4 * 1024 * 1024)

/* -- the rule -----------------------------------------------------------------------------------*/

/* "0002_people.sql" */
#define FILE_FORMAT "%04u_%s.sql"

enum tv_err migrate_plan(const struct migration *steps, size_t step_count,
                         const struct migration_applied *applied, size_t applied_count,
                         struct migration_plan *ret, struct tv_error *e) {
    for (size_t i = 0; i < applied_count; i++) {
        const struct migration_applied *a = &applied[i];
        if (a->number != i + 1)
            return tv_fail(e, TV_ERR_CONFLICT,
                           "the database has " FILE_FORMAT " but not the step %04u before it",
                           a->number, a->name, (unsigned)i + 1);
        if (i >= step_count)
            continue;
        const struct migration *s = &steps[i];
        if (strcmp(s->name, a->name) != 0)
            return tv_fail(e, TV_ERR_CONFLICT,
                           FILE_FORMAT " was called " FILE_FORMAT " when it was applied", s->number,
                           s->name, a->number, a->name);
        if (strcmp(s->sha256, a->sha256) != 0)
            return tv_fail(e, TV_ERR_CONFLICT, FILE_FORMAT " was changed after it was applied",
                           s->number, s->name);
    }
    *ret = (struct migration_plan){.first = TV_MIN(applied_count, step_count),
                                   .newer = applied_count > step_count};
    return TV_OK;
}

/* -- the database -------------------------------------------------------------------------------*/

/* What one run knows; `script` is open and, unless it only looks, holds the lock. */
struct run {
    struct tv_pg_script *script;
    struct migration_applied *applied; /* owned */
    size_t applied_count;
    struct migration_plan plan;
};

/* The number is arbitrary; it only has to be the same in every release. */
static const char take_lock[] = "select pg_advisory_lock(7383164280014)";
static const char make_table[] =
    "create schema if not exists tv;"
    "create table if not exists tv.schema_migration ("
    " number int primary key, name text not null, sha256 text not null,"
    " applied_at timestamptz not null default now())";
static const char has_table[] = "select to_regclass('tv.schema_migration') is not null";
const char migrate_check_text[] =
    "select number, name, sha256 from tv.schema_migration order by number";

static void close_run(struct run *r) {
    tv_pg_script_close(r->script);
    free(r->applied);
    *r = (struct run){0};
}

/* `ret` has a place for each row. */
static enum tv_err take_rows(const struct tv_pg_result *rows, struct migration_applied *ret,
                             struct tv_error *e) {
    for (unsigned i = 0; i < tv_pg_rows(rows); i++) {
        uint64_t number = 0;
        if (!tv_str_to_u64(tv_pg_value(rows, i, 0), 1, UINT32_MAX, &number))
            return tv_fail(e, TV_ERR_CONFLICT, "tv.schema_migration has the number %s",
                           tv_pg_value(rows, i, 0).p);
        ret[i].number = (unsigned)number;
        snprintf(ret[i].name, sizeof(ret[i].name), "%s", tv_pg_value(rows, i, 1).p);
        snprintf(ret[i].sha256, sizeof(ret[i].sha256), "%s", tv_pg_value(rows, i, 2).p);
    }
    return TV_OK;
}

static enum tv_err read_applied(struct run *r, struct tv_error *e) {
    const struct tv_pg_result *rows = NULL;
    enum tv_err err = tv_pg_script_run(r->script, has_table, &rows, e);
    if (err != TV_OK || tv_str_eqz(tv_pg_value(rows, 0, 0), "f"))
        return err;
    err = tv_pg_script_run(r->script, migrate_check_text, &rows, e);
    if (err != TV_OK)
        return err;
    r->applied_count = tv_pg_rows(rows);
    r->applied = tv_calloc(r->applied_count + 1, sizeof(*r->applied));
    return take_rows(rows, r->applied, e);
}

enum intent { LOOK, APPLY };

/* Connects, takes the lock when it is to change something, and makes the plan. The connection's
 * end releases the lock. */
static enum tv_err open_run(const char *url, enum intent intent, struct run *r,
                            struct tv_error *e) {
    *r = (struct run){0};
    enum tv_err err = tv_pg_script_open(url, "televisit-migrate", &r->script, e);
    if (err == TV_OK && intent == APPLY)
        err = tv_pg_script_run(r->script, take_lock, NULL, e);
    if (err == TV_OK && intent == APPLY)
        err = tv_pg_script_run(r->script, make_table, NULL, e);
    if (err == TV_OK)
        err = read_applied(r, e);
    if (err == TV_OK)
        err = migrate_plan(migrations, migration_count, r->applied, r->applied_count, &r->plan, e);
    if (err != TV_OK)
        close_run(r);
    return err;
}

/* A step and its row in one transaction. What stands before the text stands on its first line, so
 * that the server's line numbers are the file's. A step that would wait long for a lock gives up
 * instead of making all queries queue behind it. */
static enum tv_err apply_step(struct run *r, const struct migration *m, struct tv_error *e) {
    struct tv_buf sql = TV_BUF_INIT(SQL_BYTES_MAX);
    tv_buf_puts(&sql, "begin; set local lock_timeout = '10s'; ");
    tv_buf_puts(&sql, m->text);
    tv_buf_printf(&sql,
                  "\n;insert into tv.schema_migration (number, name, sha256)"
                  " values (%u, '%s', '%s'); commit",
                  m->number, m->name, m->sha256);
    if (sql.overflow)
        tv_panic("migration %s is too large", m->name);
    struct tv_error fault = TV_ERROR_INIT;
    enum tv_err err = tv_pg_script_run(r->script, sql.data, NULL, &fault);
    tv_buf_done(&sql);
    if (err != TV_OK)
        tv_fail(e, err, FILE_FORMAT ": %.*s", m->number, m->name, 180, fault.detail);
    return err;
}

static enum tv_err apply_all(struct run *r, FILE *tell, struct tv_error *e) {
    for (size_t i = r->plan.first; i < migration_count; i++) {
        int64_t start_us = tv_clock_mono_us();
        enum tv_err err = apply_step(r, &migrations[i], e);
        if (err != TV_OK)
            return err;
        if (tell != NULL)
            fprintf(tell, "applied " FILE_FORMAT " (%lld ms)\n", migrations[i].number,
                    migrations[i].name,
                    (long long)((tv_clock_mono_us() - start_us) / TV_US_PER_MS));
    }
    return TV_OK;
}

enum tv_err migrate_apply(const char *url, struct tv_error *e) {
    struct run r;
    enum tv_err err = open_run(url, APPLY, &r, e);
    if (err == TV_OK) {
        err = apply_all(&r, NULL, e);
        close_run(&r);
    }
    return err;
}

/* -- the service's look -------------------------------------------------------------------------*/

bool migrate_check(const struct tv_pg_result *rows, char why[static 128]) {
    size_t count = tv_pg_rows(rows);
    struct migration_applied *applied = tv_calloc(count + 1, sizeof(*applied));
    struct migration_plan plan = {0};
    struct tv_error e = TV_ERROR_INIT;
    enum tv_err err = take_rows(rows, applied, &e);
    if (err == TV_OK)
        err = migrate_plan(migrations, migration_count, applied, count, &plan, &e);
    free(applied);
    if (err != TV_OK)
        snprintf(why, 128, "%.127s", e.detail);
    else if (plan.first < migration_count)
        snprintf(why, 128, "has version %zu, needs %zu; run appointments migrate", plan.first,
                 migration_count);
    return err == TV_OK && plan.first == migration_count;
}

/* -- the command --------------------------------------------------------------------------------*/

static void print_status(const struct run *r) {
    for (size_t i = 0; i < migration_count; i++)
        printf(FILE_FORMAT " %s\n", migrations[i].number, migrations[i].name,
               i < r->plan.first ? "applied" : "missing");
    for (size_t i = migration_count; i < r->applied_count; i++)
        printf(FILE_FORMAT " applied by a newer release\n", r->applied[i].number,
               r->applied[i].name);
}

static void print_steps_to_come(const struct run *r) {
    for (size_t i = r->plan.first; i < migration_count; i++)
        printf("would apply " FILE_FORMAT "\n", migrations[i].number, migrations[i].name);
}

static int fail_command(const struct tv_error *e) {
    fprintf(stderr, "migrate: %s\n", e->detail);
    return 1;
}

int migrate_run(const char *url, int argc, char **argv) {
    const char *option = argc > 1 ? argv[1] : "";
    bool status = strcmp(option, "--status") == 0, dry_run = strcmp(option, "--dry-run") == 0;
    if (argc > 2 || (argc == 2 && !status && !dry_run)) {
        fprintf(stderr, "usage: migrate [--dry-run | --status]\n");
        return 2;
    }
    struct tv_error e = TV_ERROR_INIT;
    struct run r;
    enum tv_err err = open_run(url, status || dry_run ? LOOK : APPLY, &r, &e);
    if (err != TV_OK)
        return fail_command(&e);
    if (r.plan.newer)
        fprintf(stderr, "migrate: the database is ahead of this program; it is left as it is\n");
    if (status)
        print_status(&r);
    else if (dry_run)
        print_steps_to_come(&r);
    else
        err = apply_all(&r, stdout, &e);
    if (!status && r.plan.first == migration_count && !r.plan.newer)
        printf("nothing to do\n");
    fflush(stdout);
    close_run(&r);
    return err == TV_OK ? 0 : fail_command(&e);
}
