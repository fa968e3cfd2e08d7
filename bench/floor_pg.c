/* floor_pg - what PostgreSQL alone costs: one row read by its key, or rows inserted by batches.
 *
 *   floor_pg URL read IN_FLIGHT SECONDS      pipelined single-row reads of a prepared statement
 *   floor_pg URL insert ROWS SECONDS         committed inserts of ROWS rows by one statement
 *
 * Makes its own tables in a schema `floor` and drops them. Prints one JSON object: rows, and the
 * CPU time of this process; the caller measures the server's.
 */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define KEYS 1000

static PGconn *c;

static void die(const char *what) {
    fprintf(stderr, "%s: %s", what, PQerrorMessage(c));
    exit(2);
}

static void run(const char *sql) {
    PGresult *r = PQexec(c, sql);
    ExecStatusType s = PQresultStatus(r);
    if (s != PGRES_COMMAND_OK && s != PGRES_TUPLES_OK)
        die(sql);
    PQclear(r);
}

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_us(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void make_tables(void) {
    run("DROP SCHEMA IF EXISTS floor CASCADE; CREATE SCHEMA floor;"
        "CREATE TABLE floor.item (id uuid PRIMARY KEY, a timestamptz, b timestamptz, t text);"
        "INSERT INTO floor.item SELECT lpad(to_hex(n), 32, '0')::uuid, now(), now(), 'text' "
        "  FROM generate_series(0, 999) n;"
        "CREATE TABLE floor.log (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
        "  at timestamptz DEFAULT now(), who uuid, what uuid, outcome text);"
        "ANALYZE floor.item");
}

static void send_read(unsigned n) {
    char key[33];
    const char *params[] = {key};
    snprintf(key, sizeof key, "%032x", n % KEYS);
    if (!PQsendQueryPrepared(c, "read", 1, params, NULL, NULL, 0))
        die("send");
}

/* In flight: a window of statements behind one sync, the next window while the last is read. */
static unsigned long reads(unsigned window, double seconds) {
    PGresult *r = PQprepare(c, "read", "SELECT * FROM floor.item WHERE id = $1", 1, NULL);
    if (PQresultStatus(r) != PGRES_COMMAND_OK)
        die("prepare");
    PQclear(r);
    if (!PQenterPipelineMode(c))
        die("pipeline");
    unsigned long rows = 0;
    for (double end = now_s() + seconds; now_s() < end;) {
        for (unsigned i = 0; i < window; i++)
            send_read((unsigned)rows + i);
        if (!PQpipelineSync(c))
            die("sync");
        for (unsigned i = 0; i < window; i++) {
            r = PQgetResult(c);
            if (PQresultStatus(r) != PGRES_TUPLES_OK || PQntuples(r) != 1)
                die("read");
            PQclear(r);
            PQgetResult(c); /* the NULL that ends a statement */
            rows++;
        }
        PQclear(PQgetResult(c)); /* the sync */
    }
    return rows;
}

static char *uuid_array(unsigned rows) {
    size_t size = (size_t)rows * 40 + 3, len = 1;
    char *text = malloc(size);
    text[0] = '{';
    for (unsigned i = 0; i < rows; i++)
        len += (size_t)snprintf(text + len, size - len, "%s%032x", i ? "," : "", i);
    snprintf(text + len, size - len, "}");
    return text;
}

static unsigned long inserts(unsigned batch, double seconds) {
    char *ids = uuid_array(batch);
    const char *params[] = {ids, ids};
    unsigned long rows = 0;
    PGresult *r = PQprepare(c, "insert",
                            "INSERT INTO floor.log (who, what, outcome) "
                            "SELECT a, b, 'ALLOWED' FROM unnest($1::uuid[], $2::uuid[]) t(a, b)",
                            2, NULL);
    if (PQresultStatus(r) != PGRES_COMMAND_OK)
        die("prepare");
    PQclear(r);
    for (double end = now_s() + seconds; now_s() < end; rows += batch) {
        r = PQexecPrepared(c, "insert", 2, params, NULL, NULL, 0);
        if (PQresultStatus(r) != PGRES_COMMAND_OK)
            die("insert");
        PQclear(r);
    }
    free(ids);
    return rows;
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: floor_pg URL read|insert N SECONDS\n");
        return 2;
    }
    unsigned n = (unsigned)strtoul(argv[3], NULL, 10);
    double seconds = strtod(argv[4], NULL);
    c = PQconnectdb(argv[1]);
    if (PQstatus(c) != CONNECTION_OK)
        die("connect");
    make_tables();
    printf("ready\n");
    fflush(stdout);
    if (getchar() == EOF) /* the caller reads the server's CPU time, then says go */
        return 2;
    double before = cpu_us();
    unsigned long rows = strcmp(argv[2], "read") == 0 ? reads(n, seconds) : inserts(n, seconds);
    printf("{\"rows\":%lu,\"cpu_us\":%.0f}\n", rows, cpu_us() - before);
    fflush(stdout);
    (void)getchar(); /* the backend lives until its CPU time was read */
    if (PQpipelineStatus(c) != PQ_PIPELINE_OFF)
        PQexitPipelineMode(c);
    run("DROP SCHEMA floor CASCADE");
    PQfinish(c);
    return 0;
}
