/* migrate.h - the schema of the database, step by step and only forward.
 *
 * services/appointments/migrations/NNNN_name.sql are compiled into the program
 * (tools/gen_sql.py). `appointments migrate` compares them with the table tv.schema_migration and
 * applies what is missing, in order, each in a transaction of its own, while an advisory lock keeps
 * a second one waiting. A step that was applied is never edited: its checksum is kept, and a
 * changed file is refused. A database that is ahead of this program is left alone, with a warning,
 * because the release before must run while a new one is rolled out.
 *
 * The service itself changes no schema. It asks each new connection for the steps that are there
 * (migrate_check) and waits, unready, until it finds its own among them.
 */
#ifndef APPOINTMENTS_MIGRATE_H
#define APPOINTMENTS_MIGRATE_H

#include "lib/base.h"
#include "lib/err.h"
#include "lib/pg.h"

/* One file; static. */
struct migration {
    unsigned number;    /* from 1, without a gap */
    const char *name;   /* of the file, without number and .sql */
    const char *sha256; /* of the file, in hex */
    const char *text;
};

/* Made by tools/gen_sql.py, in order. */
extern const struct migration migrations[];
extern const size_t migration_count;

/* The command: applies what is missing and prints a line for each; --dry-run prints only,
 * --status lists what is applied and what is not. Returns the exit status. */
int migrate_run(const char *url, int argc, char **argv);

/* The same for tests and tools, silently. */
TV_MUST_CHECK enum tv_err migrate_apply(const char *url, struct tv_error *e);

/* For tv_pg_config.check: the question, and whether this program can work on a database that gives
 * these rows. It can when all its steps are there, unchanged; steps of a newer release do not
 * matter, for they only add. Else `why` says what is there and what to do. */
extern const char migrate_check_text[];
bool migrate_check(const struct tv_pg_result *rows, char why[static 128]);

/* -- the rule, without a database ---------------------------------------------------------------*/
/* A row of tv.schema_migration. */
struct migration_applied {
    unsigned number;
    char name[64];
    char sha256[65];
};

struct migration_plan {
    size_t first; /* steps[first..] are to be applied */
    bool newer;   /* the database has steps that this program does not know */
};

/* Decides what to do; `applied` is in the order of the numbers. TV_ERR_CONFLICT when history and
 * program disagree, naming the file. */
TV_MUST_CHECK enum tv_err migrate_plan(const struct migration *steps, size_t step_count,
                                       const struct migration_applied *applied,
                                       size_t applied_count, struct migration_plan *ret,
                                       struct tv_error *e);

#endif
