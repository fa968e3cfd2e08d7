/* conf.h - configuration: environment variables read by a table.
 *
 * Each service has one table of rows; the struct they fill is const afterwards and passed down.
 * A secret, or a row that says so, may come from a file (`NAME_FILE`, trailing newline removed). An
 * empty variable counts as not set. An unknown variable that begins with TELEVISIT_ is an error,
 * for it is a typo. All faults are told at once; what a URL may hide (user, password, query) is
 * never shown. The same table prints --help-config, the start banner (secrets redacted) and
 * docs/CONFIG.
 */
#ifndef TV_CONF_H
#define TV_CONF_H

#include <stdio.h>

#include "base.h"
#include "err.h"
#include "str.h"

enum tv_conf_type {
    TV_CONF_STRING,   /* const char *   */
    TV_CONF_SECRET,   /* const char *, redacted, wiped by tv_conf_done, may be NAME_FILE */
    TV_CONF_INT,      /* int64_t, min..max */
    TV_CONF_DURATION, /* int64_t microseconds, written 250ms, 10s, 5m, 2h; min..max in us */
    TV_CONF_BOOL,     /* bool, written true or false */
    TV_CONF_URL,      /* const char *; the scheme must be one of `choices` */
    TV_CONF_ADDRESS,  /* const char *, "host:port", port 0 allowed (chosen by the system) */
    TV_CONF_CHOICE,   /* const char *, one of `choices` */
};

enum {
    TV_CONF_REQUIRED = 1,
    TV_CONF_FILE = 2, /* may be NAME_FILE, as every secret may */
};

struct tv_conf_row {
    const char *name;
    enum tv_conf_type type;
    size_t offset;        /* of the member in the struct that is filled */
    const char *standard; /* default as text; NULL: NULL or required */
    unsigned flags;
    int64_t min, max; /* INT: value, DURATION: us, STRING and SECRET: length in bytes; 0,0 none */
    const char *choices; /* comma-separated */
    const char *help;    /* one sentence */
};

/* Reads rows from `env` ("NAME=value" strings, NULL-ended; environ in main) into `out`, which
 * owns its strings until tv_conf_done(). A service whose rows come from two tables joins them
 * first, for a name in neither is refused. On failure every fault is one line in `faults`, and
 * `out` holds nothing. */
TV_MUST_CHECK enum tv_err tv_conf_load(const struct tv_conf_row *rows, size_t count,
                                       char *const *env, void *out, struct tv_buf *faults);
/* Frees the strings and wipes the secrets. */
void tv_conf_done(const struct tv_conf_row *rows, size_t count, void *out);
/* The table as text for --help-config: name, type, default, bounds, help. */
void tv_conf_print_help(const struct tv_conf_row *rows, size_t count, FILE *to);
/* "NAME=value" per line, secrets as ***; for --check-config. */
void tv_conf_print(const struct tv_conf_row *rows, size_t count, const void *out, FILE *to);

#endif
