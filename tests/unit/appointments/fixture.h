/* fixture.h - a migrated database with a few clinics and people, and its statements to run.
 *
 * Included by the test programs of this folder, each of which has its own server. The clock stands
 * still: fixture_set_now() says what time it is.
 */
#ifndef TESTS_APPOINTMENTS_FIXTURE_H
#define TESTS_APPOINTMENTS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "appointments_sql.h"
#include "lib/clock.h"
#include "lib/crypto.h"
#include "lib/loop.h"
#include "lib/metrics.h"
#include "services/appointments/bind.h"
#include "services/appointments/migrate.h"
#include "tests/harness/postgres.h"

/* Berlin: two doctors, three patients, two of staff, an admin. */
#define BERLIN "b0000000-0000-4000-8000-000000000000"
#define DOCTOR "b0000000-0000-4000-8000-0000000000d1"
#define DOCTOR2 "b0000000-0000-4000-8000-0000000000d2"
#define PATIENT "b0000000-0000-4000-8000-0000000000a1"
#define PATIENT2 "b0000000-0000-4000-8000-0000000000a2"
#define PATIENT3 "b0000000-0000-4000-8000-0000000000a3"
#define STAFF "b0000000-0000-4000-8000-0000000000e1"
#define STAFF2 "b0000000-0000-4000-8000-0000000000e2"
#define ADMIN "b0000000-0000-4000-8000-0000000000f1"
/* New York and Lord Howe Island: a doctor and a patient each. */
#define NEW_YORK "c0000000-0000-4000-8000-000000000000"
#define NY_DOCTOR "c0000000-0000-4000-8000-0000000000d1"
#define NY_PATIENT "c0000000-0000-4000-8000-0000000000a1"
#define LORD_HOWE "d0000000-0000-4000-8000-000000000000"
#define LH_DOCTOR "d0000000-0000-4000-8000-0000000000d1"
/* Nobody, nowhere. */
#define UNKNOWN "00000000-0000-4000-8000-000000000001"

/* Doctors work every day, all day, in slots of 30 minutes. */
static const char fixture_people[] =
    "INSERT INTO tv.clinic (id, slug, name, time_zone) VALUES"
    " ('" BERLIN "', 'berlin', 'Praxis', 'Europe/Berlin'),"
    " ('" NEW_YORK "', 'new-york', 'Clinic', 'America/New_York'),"
    " ('" LORD_HOWE "', 'lord-howe', 'Island', 'Australia/Lord_Howe');"
    "INSERT INTO tv.person (clinic_id, id, role, display_name, email) VALUES"
    " ('" BERLIN "', '" DOCTOR "', 'DOCTOR', 'Dr. Adam', 'adam@example.org'),"
    " ('" BERLIN "', '" DOCTOR2 "', 'DOCTOR', 'Dr. Berg', 'berg@example.org'),"
    " ('" BERLIN "', '" PATIENT "', 'PATIENT', 'Paula', 'Paula@Example.org'),"
    " ('" BERLIN "', '" PATIENT2 "', 'PATIENT', 'Peter', 'peter@example.org'),"
    " ('" BERLIN "', '" PATIENT3 "', 'PATIENT', 'Petra', NULL),"
    " ('" BERLIN "', '" STAFF "', 'STAFF', 'Stefan', 'stefan@example.org'),"
    " ('" BERLIN "', '" STAFF2 "', 'STAFF', 'Susi', NULL),"
    " ('" BERLIN "', '" ADMIN "', 'ADMIN', 'Ada', NULL),"
    " ('" NEW_YORK "', '" NY_DOCTOR "', 'DOCTOR', 'Dr. Nice', 'adam@example.org'),"
    " ('" NEW_YORK "', '" NY_PATIENT "', 'PATIENT', 'Nora', NULL),"
    " ('" LORD_HOWE "', '" LH_DOCTOR "', 'DOCTOR', 'Dr. Low', NULL);"
    "INSERT INTO tv.availability (clinic_id, doctor_id, weekday, begins, ends, slot_minutes)"
    " SELECT clinic_id, id, weekday, '00:00', '24:00', 30"
    " FROM tv.person, generate_series(1, 7) weekday WHERE role = 'DOCTOR';";

struct fixture {
    struct test_postgres db;
    struct tv_loop *loop;
    struct tv_pg *pg;
    unsigned asked, answered; /* units */
};

static inline bool fixture_is_quiet(void *ctx) {
    const struct fixture *f = ctx;
    return f->answered == f->asked;
}

/* Throws away what the test before has done; one that failed may have left units on their way. Not
 * by TRUNCATE: its locks would collide with those of a service that prepares its statements. */
static inline void fixture_clear(struct fixture *f) {
    if (f->loop != NULL && !tv_loop_run_until(f->loop, fixture_is_quiet, f, 40 * TV_US_PER_S))
        fail_msg("%u units of %u have no answer", f->asked - f->answered, f->asked);
    free(test_sql(&f->db, "DELETE FROM tv.inbox; DELETE FROM tv.inbox_head; DELETE FROM tv.event;"
                          "DELETE FROM tv.due; DELETE FROM tv.job; DELETE FROM tv.call_event;"
                          "DELETE FROM tv.presence; DELETE FROM tv.call;"
                          "DELETE FROM tv.participant; DELETE FROM tv.appointment;"
                          "DELETE FROM tv.idempotency; DELETE FROM tv.session_token;"
                          "DELETE FROM tv.session"));
    free(test_sql(&f->db, "UPDATE tv.clinic SET waiting_room = false, patient_may_book = true,"
                          " reminders_s = '{86400}', reschedule_needs_confirmation = true"));
}

static inline void fixture_set_now(const struct fixture *f, const char *time) {
    char sql[256];
    (void)snprintf(
        sql, sizeof(sql),
        "CREATE OR REPLACE FUNCTION tv.tv_now() RETURNS timestamptz LANGUAGE sql VOLATILE"
        " AS 'SELECT timestamptz ''%s'''",
        time);
    free(test_sql(&f->db, sql));
}

static inline bool fixture_is_usable(void *ctx) {
    return tv_pg_usable(((struct fixture *)ctx)->pg);
}

/* A server with the schema and the people; no pool yet. */
static inline void fixture_start_db(struct fixture *f) {
    f->db = test_postgres_start();
    struct tv_error e = TV_ERROR_INIT;
    struct tv_pg_script *script = NULL;
    assert_int_equal(tv_pg_script_open(f->db.url, "test", &script, &e), TV_OK);
    for (size_t i = 0; i < migration_count; i++)
        if (tv_pg_script_run(script, migrations[i].text, NULL, &e) != TV_OK)
            fail_msg("%s: %s", migrations[i].name, e.detail);
    if (tv_pg_script_run(script, fixture_people, NULL, &e) != TV_OK)
        fail_msg("people: %s", e.detail);
    tv_pg_script_close(script);
}

static inline void fixture_start(struct fixture *f) {
    fixture_start_db(f);
    f->loop = tv_loop_new();
    const struct tv_pg_config config = {
        .url = f->db.url,
        .application_name = "test",
        .connections = 8,
        .window = 4,
        .queue_max = 1000,
        .statement_timeout_us = 20 * TV_US_PER_S,
        .statements = appointments_statements,
        .statement_count = appointments_statement_count,
    };
    f->pg = tv_pg_new(f->loop, &config);
    if (!tv_loop_run_until(f->loop, fixture_is_usable, f, 20 * TV_US_PER_S))
        fail_msg("not usable: %s", tv_pg_last_error(f->pg));
}

static inline long fixture_count(const struct fixture *f, const char *sql) {
    char *text = test_sql(&f->db, sql);
    long n = text == NULL ? -1 : atol(text);
    free(text);
    return n;
}

/* The order of locks is right: nothing was healed by trying again. */
static inline void fixture_stop(struct fixture *f) {
    assert_int_equal(fixture_count(f, "SELECT deadlocks FROM pg_stat_database"
                                      " WHERE datname = current_database()"),
                     0);
    tv_pg_free(f->pg);
    tv_loop_free(f->loop);
    test_postgres_stop(&f->db);
    tv_metrics_done();
}

/* The promises that tables can prove (migrations/0008_faults.sql). */
static inline void fixture_check_promises(const struct fixture *f) {
    char *fault =
        test_sql(&f->db, "SELECT string_agg(rule || ': ' || place, '; ') FROM tv.faults()");
    if (fault != NULL && fault[0] != '\0')
        fail_msg("%s", fault);
    free(fault);
}

/* Runs SQL made like printf; the first value, owned, or NULL. */
__attribute__((format(printf, 2, 3))) static inline char *fixture_sql(const struct fixture *f,
                                                                      const char *format, ...) {
    char sql[2048];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(sql, sizeof(sql), format, args);
    va_end(args);
    assert_true(n > 0 && (size_t)n < sizeof(sql));
    return test_sql(&f->db, sql);
}

/* -- units --------------------------------------------------------------------------------------*/

struct answer {
    struct tv_arena *arena; /* of the params and the values */
    struct fixture *of;
    bool done;
    enum tv_err err;
    struct tv_error error;
    unsigned rows[3];
    unsigned columns[3];
    char **names[3];
    char **values[3]; /* row by row; NULL for SQL NULL */
};

static inline void fixture_on_done(void *ctx, enum tv_err err, const struct tv_error *e,
                                   const struct tv_pg_result *const *results, unsigned count) {
    struct answer *to = ctx;
    to->done = true;
    to->of->answered++;
    to->err = err;
    if (err != TV_OK)
        to->error = *e;
    for (unsigned i = 0; i < count && i < 3; i++) {
        const struct tv_pg_result *r = results[i];
        unsigned rows = to->rows[i] = tv_pg_rows(r), columns = to->columns[i] = tv_pg_columns(r);
        to->names[i] = tv_arena_calloc(to->arena, columns + 1, sizeof(char *));
        to->values[i] = tv_arena_calloc(to->arena, rows * columns + 1, sizeof(char *));
        for (unsigned c = 0; c < columns; c++)
            to->names[i][c] = tv_arena_strdup(to->arena, tv_pg_column_name(r, c));
        for (unsigned at = 0; at < rows * columns; at++)
            if (!tv_pg_is_null(r, at / columns, at % columns))
                to->values[i][at] =
                    tv_arena_str(to->arena, tv_pg_value(r, at / columns, at % columns));
    }
}

/* A value of statement `i` of the unit; NULL for SQL NULL. */
static inline const char *answer_value(const struct answer *a, unsigned i, unsigned row,
                                       const char *column) {
    assert_true(row < a->rows[i]);
    for (unsigned c = 0; c < a->columns[i]; c++)
        if (strcmp(a->names[i][c], column) == 0)
            return a->values[i][row * a->columns[i] + c];
    fail_msg("no column %s", column);
    return NULL;
}

/* Copies what is bound, so that many can be submitted in a loop. */
static inline struct answer *fixture_submit(struct fixture *f, const struct tv_actor *actor,
                                            const struct tv_pg_statement *const *unit,
                                            unsigned count, const struct bind *binds,
                                            size_t bind_count) {
    struct tv_arena *arena = tv_arena_new();
    struct answer *a = TV_ARENA_NEW(arena, struct answer);
    struct tv_pg_query queries[TV_PG_UNIT_MAX];
    a->arena = arena;
    a->of = f;
    f->asked++;
    for (unsigned i = 0; i < count; i++) {
        const char *const *given = bind_params(unit[i], actor, binds, bind_count, arena);
        const char **params = tv_arena_calloc(arena, unit[i]->param_count, sizeof(*params));
        for (unsigned p = 0; p < unit[i]->param_count; p++)
            params[p] = given[p] == NULL ? NULL : tv_arena_strdup(arena, given[p]);
        queries[i] = (struct tv_pg_query){unit[i], params};
    }
    tv_pg_submit(f->pg, queries, count, tv_clock_mono_us() + 30 * TV_US_PER_S, fixture_on_done, a);
    return a;
}

static inline bool answer_is_done(void *ctx) { return ((const struct answer *)ctx)->done; }

static inline void fixture_wait(struct fixture *f, struct answer *a) {
    assert_true(tv_loop_run_until(f->loop, answer_is_done, a, 40 * TV_US_PER_S));
}

static inline void answer_free(struct answer *a) { tv_arena_free(a->arena); }

/* -- who asks -----------------------------------------------------------------------------------*/

static inline struct tv_actor actor(const char *clinic, const char *person, enum tv_role role) {
    struct tv_actor a = {.role = role};
    (void)snprintf(a.clinic_id, sizeof(a.clinic_id), "%.36s", clinic);
    (void)snprintf(a.person_id, sizeof(a.person_id), "%.36s", person);
    return a;
}
#define AS_PATIENT                                                                                 \
    ((struct tv_actor){.clinic_id = BERLIN, .person_id = PATIENT, .role = TV_ROLE_PATIENT})
#define AS_PATIENT2                                                                                \
    ((struct tv_actor){.clinic_id = BERLIN, .person_id = PATIENT2, .role = TV_ROLE_PATIENT})
#define AS_DOCTOR                                                                                  \
    ((struct tv_actor){.clinic_id = BERLIN, .person_id = DOCTOR, .role = TV_ROLE_DOCTOR})
#define AS_STAFF ((struct tv_actor){.clinic_id = BERLIN, .person_id = STAFF, .role = TV_ROLE_STAFF})

/* -- booking and changing -----------------------------------------------------------------------*/

struct booking {
    const char *doctor_id;  /* NULL: DOCTOR */
    const char *patient_id; /* for staff */
    const char *starts_at;
    const char *minutes; /* NULL: 0 */
    const char *reason;  /* NULL: "" */
    bool confirmed;
    const char *key;  /* NULL: a new one */
    const char *hash; /* NULL: "hash" */
};

static inline struct answer *fixture_book_submit(struct fixture *f, const struct tv_actor *who,
                                                 const struct booking *b) {
    static const struct tv_pg_statement *const unit[] = {
        &sql_appointments_book, &sql_idempotency_store, &sql_idempotency_read};
    static unsigned key_count;
    char key[24];
    (void)snprintf(key, sizeof(key), "key-%u", ++key_count);
    const struct bind binds[] = {
        {"doctor_id", b->doctor_id == NULL ? DOCTOR : b->doctor_id},
        {"patient_id", b->patient_id},
        {"starts_at", b->starts_at},
        {"minutes", b->minutes == NULL ? "0" : b->minutes},
        {"reason", b->reason == NULL ? "" : b->reason},
        {"confirmed", b->confirmed ? "true" : "false"},
        {"idempotency_key", b->key == NULL ? key : b->key},
        {"request_hash", b->hash == NULL ? "hash" : b->hash},
        {"request_id", ""},
    };
    return fixture_submit(f, who, unit, TV_ARRAY_LEN(unit), binds, TV_ARRAY_LEN(binds));
}

/* Waits for the answer; to be freed. */
static inline struct answer *fixture_book(struct fixture *f, struct tv_actor who,
                                          struct booking b) {
    struct answer *a = fixture_book_submit(f, &who, &b);
    fixture_wait(f, a);
    return a;
}

/* Books by staff, confirmed at once; returns the id, owned. */
static inline char *fixture_confirmed(struct fixture *f, const char *patient, const char *starts) {
    struct answer *a = fixture_book(
        f, AS_STAFF,
        (struct booking){.patient_id = patient, .starts_at = starts, .confirmed = true});
    if (a->err != TV_OK)
        fail_msg("%s: %s", tv_err_info(a->err)->slug, a->error.detail);
    char *id = strdup(answer_value(a, 2, 0, "id"));
    answer_free(a);
    return id;
}

struct changing {
    const char *id, *if_match, *from, *to, *event_type;
    const char *starts_at; /* of a move */
};

static inline struct answer *fixture_change(struct fixture *f, struct tv_actor who,
                                            struct changing c) {
    static const struct tv_pg_statement *const unit[] = {&sql_appointments_change,
                                                         &sql_appointments_get};
    const struct bind binds[] = {
        {"appointment_id", c.id}, {"if_match", c.if_match},     {"from_status", c.from},
        {"to_status", c.to},      {"event_type", c.event_type}, {"note", ""},
        {"minutes", "0"},         {"starts_at", c.starts_at},   {"request_id", ""},
        {"no_show", NULL},
    };
    struct answer *a =
        fixture_submit(f, &who, unit, TV_ARRAY_LEN(unit), binds, TV_ARRAY_LEN(binds));
    fixture_wait(f, a);
    return a;
}

/* -- calls --------------------------------------------------------------------------------------*/

/* A running call of the appointment's room, with a device of each person of `in` (NULL: everybody
 * who takes part; UNKNOWN: nobody). */
static inline void fixture_call(const struct fixture *f, const char *id, const char *room_sid,
                                const char *started_at, const char *in) {
    free(fixture_sql(f,
                     "INSERT INTO tv.call (clinic_id, room_sid, appointment_id, generation,"
                     " started_at, started_by, recorded_at) SELECT clinic_id, '%s', id,"
                     " generation, '%s', 'WEBHOOK', '%s' FROM tv.appointment WHERE id = '%s'",
                     room_sid, started_at, started_at, id));
    free(fixture_sql(f,
                     "WITH who AS (UPDATE tv.participant SET in_call_since = '%s' WHERE"
                     " appointment_id = '%s' AND person_id = coalesce(%s%s%s, person_id)"
                     " RETURNING clinic_id, id) INSERT INTO tv.presence (clinic_id, sid, room_sid,"
                     " identity, joined_at, joined_by, seen_at) SELECT clinic_id,"
                     " 'PA_' || id, '%s', id, '%s', 'WEBHOOK', '%s' FROM who",
                     started_at, id, in == NULL ? "" : "'", in == NULL ? "NULL" : in,
                     in == NULL ? "" : "'", room_sid, started_at, started_at));
}

#endif
