/* pg_script.c - the blocking connection of migrations and tools. See pg.h. */
#include <libpq-fe.h>
#include <stdlib.h>

#include "pg_private.h"

static const char *field(const PGresult *r, int code) {
    const char *text = PQresultErrorField(r, code);
    return text == NULL ? "" : text;
}

struct tv_pg_script {
    PGconn *pq;
    struct tv_pg_result last;
};

enum tv_err tv_pg_script_open(const char *url, const char *application_name,
                              struct tv_pg_script **ret, struct tv_error *e) {
    const struct tv_pg_config config = {.url = url, .application_name = application_name};
    PGconn *pq = tv_pg_connect(&config, true);
    if (PQstatus(pq) != CONNECTION_OK) {
        struct tv_str why = tv_str(PQerrorMessage(pq));
        why = tv_str_cut(&why, '\n');
        tv_fail(e, TV_ERR_UNAVAILABLE, "%.*s", TV_STR_ARGS(why));
        PQfinish(pq);
        return TV_ERR_UNAVAILABLE;
    }
    struct tv_pg_script *s = tv_calloc(1, sizeof *s);
    s->pq = pq;
    *ret = s;
    return TV_OK;
}

/* The line of the text that the server complains about; 0 when it does not say. */
static unsigned line_of(const PGresult *r, const char *sql) {
    uint64_t position = 0; /* in characters, from 1 */
    if (!tv_str_to_u64(tv_str(field(r, PG_DIAG_STATEMENT_POSITION)), 1, UINT32_MAX, &position))
        return 0;
    unsigned line = 1;
    for (const char *p = sql; *p != '\0' && position > 1; p++) {
        line += *p == '\n';
        position -= ((unsigned char)p[1] & 0xC0) != 0x80;
    }
    return line;
}

enum tv_err tv_pg_script_run(struct tv_pg_script *s, const char *sql,
                             const struct tv_pg_result **ret_result, struct tv_error *e) {
    PQclear(s->last.rows);
    s->last.rows = PQexec(s->pq, sql);
    const PGresult *r = s->last.rows;
    ExecStatusType status = PQresultStatus(r);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY) {
        if (ret_result != NULL)
            *ret_result = &s->last;
        return TV_OK;
    }
    const char *state = field(r, PG_DIAG_SQLSTATE);
    if (state[0] == '\0') {
        struct tv_str why = tv_str(PQerrorMessage(s->pq));
        why = tv_str_cut(&why, '\n');
        return tv_fail(e, TV_ERR_UNAVAILABLE, "%.*s", TV_STR_ARGS(why));
    }
    unsigned line = line_of(r, sql);
    const char *message = field(r, PG_DIAG_MESSAGE_PRIMARY);
    enum tv_err code = tv_pg_sqlstate(state);
    return line == 0 ? tv_fail(e, code, "%s", message)
                     : tv_fail(e, code, "line %u: %s", line, message);
}

void tv_pg_script_close(struct tv_pg_script *s) {
    if (s == NULL)
        return;
    PQclear(s->last.rows);
    PQfinish(s->pq);
    free(s);
}
