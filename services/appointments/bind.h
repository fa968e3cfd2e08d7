/* bind.h - parameters of a statement by name, for handlers that do not take them from a message. */
#ifndef APPOINTMENTS_BIND_H
#define APPOINTMENTS_BIND_H

#include "lib/arena.h"
#include "lib/pg.h"
#include "lib/rpc.h"

struct bind {
    const char *name;  /* as in the statement, without the colon */
    const char *value; /* borrowed until the unit is done; NULL is SQL NULL */
};

/* The texts in the statement's order; `:actor.*` come from `actor`. A parameter without a bind is a
 * panic: statement and handler belong together. Binds that the statement does not use are fine, so
 * the statements of one unit may share them. */
const char *const *bind_params(const struct tv_pg_statement *st, const struct tv_actor *actor,
                               const struct bind *binds, size_t count, struct tv_arena *a);

/* A PostgreSQL array literal of texts; NULL elements become SQL NULL. */
const char *bind_array(const char *const *values, size_t count, struct tv_arena *a);

#endif
