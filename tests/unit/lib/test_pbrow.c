/* Requests as parameters and rows as replies, by way of a real PostgreSQL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/arena.h"
#include "lib/clock.h"
#include "lib/loop.h"
#include "lib/pbrow.h"
#include "lib/rpc.h"
#include "televisit/v1/appointments.pb-c.h"
#include "televisit/v1/clinic.pb-c.h"
#include "televisit/v1/common.pb-c.h"
#include "televisit/v1/due.pb-c.h"
#include "tests/harness/postgres.h"

#define WAIT_US (20 * TV_US_PER_S)
#define T_2026_US INT64_C(1774747800250000) /* 2026-03-29T01:30:00.250Z */

#define STATEMENT(variable, sql, ...)                                                              \
    static const char *const variable##_params[] = {__VA_ARGS__};                                  \
    static const struct tv_pg_statement variable = {                                               \
        .name = #variable,                                                                         \
        .text = sql,                                                                               \
        .params = variable##_params,                                                               \
        .param_count = TV_ARRAY_LEN(variable##_params) - 1,                                        \
        .read_only = true,                                                                         \
    }

/* -- statements ---------------------------------------------------------------------------------*/

STATEMENT(appointment,
          "select '8e5c7f0a-0000-4000-8000-000000000001'::uuid as id, 7 as version,"
          " 'CONFIRMED' as status, timestamptz '2026-03-29 02:30:00.25+01' as starts_at,"
          " null::timestamptz as ends_at, 'Europe/Berlin' as time_zone, null::text as note,"
          " 'TOO_EARLY' as \"join.decision\", timestamptz '1969-12-31 23:59:59Z' as"
          " \"join.opens_at\", json_build_array(json_build_object('id', 'p1', 'personId', 'x',"
          " 'type', 'DOCTOR', 'display_name', E'Zo\\u00eb \"Z\"'), json_build_object('id', 'p2'))"
          " as participants",
          NULL);
STATEMENT(no_sub_message, "select 'a' as id, null::timestamptz as \"join.opens_at\"", NULL);
STATEMENT(no_row, "select 'a' as id where false", NULL);
STATEMENT(slots,
          "select timestamptz '2026-01-01Z' + n * interval '30 min' as \"slots[].starts_at\","
          " null::timestamptz as \"slots[].ends_at\", 'UTC' || n as time_zone"
          " from generate_series(0, 2) n",
          NULL);
STATEMENT(no_slots, "select null::timestamptz as \"slots[].starts_at\", 'UTC' as time_zone", NULL);
STATEMENT(list,
          "select 'a' || n as \"appointments[].id\", 'REQUESTED' as \"appointments[].status\","
          " 'WAITING' as \"appointments[].join.decision\" from generate_series(1, 2) n",
          NULL);
STATEMENT(clinic,
          "select 'c' as id, 1800 as \"policy.opens_before\", true as \"policy.waiting_room\","
          " false as \"policy.patient_may_book\", '[86400, 3600]'::json as \"policy.reminders\"",
          NULL);
STATEMENT(
    clinic_json,
    "select 'c' as id, jsonb_build_object('opensBefore', 60, 'reminders', array[5]) as policy",
    NULL);
STATEMENT(grant_bytes, "select '\\x00ff10'::bytea as sealed_grant, 'r' as room", NULL);
STATEMENT(empty_bytes, "select ''::bytea as sealed_grant", NULL);
STATEMENT(large_seq,
          "select -9223372036854775808 as seq, 9223372036854775807::int8 as appointment_version",
          NULL);
STATEMENT(bad_enum, "select 'MAYBE' as status", NULL);
STATEMENT(bad_int, "select 3000000000::int8 as version", NULL);
STATEMENT(bad_json, "select '{\"id\": 5}'::json as participants", NULL);
STATEMENT(bad_time, "select timestamptz 'infinity' as starts_at", NULL);
STATEMENT(unknown_column, "select 1 as nonsense", NULL);
STATEMENT(unknown_nested, "select 1 as \"join.nonsense\"", NULL);
STATEMENT(not_a_message, "select 1 as \"version.x\"", NULL);
STATEMENT(not_a_list, "select 1 as \"join[].opens_at\"", NULL);
STATEMENT(wrong_type, "select 'x'::text as version", NULL);
STATEMENT(plain_timestamp, "select now()::timestamp as starts_at", NULL);
STATEMENT(time_as_text, "select now() as reason", NULL);
STATEMENT(array_column, "select array[1, 2] as participants", NULL);
STATEMENT(twice, "select 'a' as id, 'b' as id", NULL);
STATEMENT(book,
          "select concat_ws('|', $1::uuid, coalesce($2::uuid::text, 'none'),"
          " $3::timestamptz = '2026-03-29 01:30:00.25Z', $4::int, $5::text, $6::bool, $7::text,"
          " coalesce($8::uuid::text, 'none'), $9::text) as reason",
          "doctor_id", "patient_id", "starts_at", "minutes", "reason", "confirmed",
          "actor.clinic_id", "actor.person_id", "actor.role", NULL);
STATEMENT(hours,
          "select string_agg(concat_ws('-', h->>'weekday', h->>'from', h->>'slotMinutes'), ',')"
          " as time_zone from json_array_elements($1::json) h",
          "hours", NULL);
/* Only their parameters are looked at. */
STATEMENT(reminders, "select $1::int[]", "reminders", NULL);
STATEMENT(enum_param, "select $1::text", "status", NULL);
STATEMENT(stranger, "select $1::text as id", "nobody", NULL);
STATEMENT(stranger_actor, "select $1::text as id", "actor.name", NULL);

static const struct tv_pg_statement *const statements[] = {
    &appointment,    &no_sub_message, &no_row,
    &slots,          &no_slots,       &list,
    &clinic,         &clinic_json,    &grant_bytes,
    &empty_bytes,    &large_seq,      &bad_enum,
    &bad_int,        &bad_json,       &bad_time,
    &unknown_column, &unknown_nested, &not_a_message,
    &not_a_list,     &wrong_type,     &plain_timestamp,
    &time_as_text,   &array_column,   &twice,
    &book,           &hours,          &stranger,
    &stranger_actor,
};

/* -- helpers ------------------------------------------------------------------------------------*/

static struct test_postgres postgres;
static struct tv_loop *loop;
static struct tv_pg *pg;
static struct tv_arena *arena;

struct asked {
    bool done;
    ProtobufCMessage *reply;
    enum tv_err err;
    struct tv_error error;
};

static void on_done(void *ctx, enum tv_err err, const struct tv_error *e,
                    const struct tv_pg_result *const *results, unsigned count) {
    struct asked *a = ctx;
    a->done = true;
    a->err = err;
    if (err == TV_OK)
        a->err = tv_pbrow_fill(results[0], a->reply, arena, &a->error);
}

static bool is_done(void *ctx) { return ((struct asked *)ctx)->done; }

static struct asked ask_with(const struct tv_pg_statement *s, const char *const *params,
                             const ProtobufCMessageDescriptor *type) {
    struct asked a = {.reply = tv_pb_new(type, arena)};
    const struct tv_pg_query q = {s, params};
    tv_pg_submit(pg, &q, 1, tv_clock_mono_us() + WAIT_US, on_done, &a);
    assert_true(tv_loop_run_until(loop, is_done, &a, WAIT_US));
    return a;
}

/* The reply of a statement without parameters; it must fit. */
static void *ask(const struct tv_pg_statement *s, const ProtobufCMessageDescriptor *type) {
    struct asked a = ask_with(s, NULL, type);
    assert_int_equal(a.err, TV_OK);
    return a.reply;
}

static bool is_usable(void *ctx) { return tv_pg_usable(pg); }

static int start(void **state) {
    postgres = test_postgres_start();
    loop = tv_loop_new();
    const struct tv_pg_config config = {
        .url = postgres.url,
        .application_name = "test_pbrow",
        .connections = 1,
        .window = 8,
        .queue_max = 8,
        .statement_timeout_us = 10 * TV_US_PER_S,
        .statements = statements,
        .statement_count = TV_ARRAY_LEN(statements),
    };
    pg = tv_pg_new(loop, &config);
    if (!tv_loop_run_until(loop, is_usable, NULL, WAIT_US))
        fail_msg("%s", tv_pg_last_error(pg));
    return 0;
}

static int stop(void **state) {
    tv_pg_free(pg);
    tv_loop_free(loop);
    test_postgres_stop(&postgres);
    return 0;
}

static int set_up(void **state) {
    arena = tv_arena_new();
    return 0;
}

static int tear_down(void **state) {
    tv_arena_free(arena);
    return 0;
}

/* -- rows ---------------------------------------------------------------------------------------*/

static void check_appointment(void) {
    const Televisit__V1__Appointment *a =
        ask(&appointment, &televisit__v1__appointment__descriptor);
    assert_string_equal(a->id, "8e5c7f0a-0000-4000-8000-000000000001");
    assert_int_equal(a->version, 7);
    assert_int_equal(a->status, TELEVISIT__V1__APPOINTMENT_STATUS__VALUE__CONFIRMED);
    assert_int_equal(tv_pb_time_us(a->starts_at), T_2026_US);
    assert_null(a->ends_at);
    assert_string_equal(a->time_zone, "Europe/Berlin");
    assert_string_equal(a->note, "");
    assert_non_null(a->join);
    assert_int_equal(a->join->decision, TELEVISIT__V1__JOIN_DECISION__VALUE__TOO_EARLY);
    assert_int_equal(tv_pb_time_us(a->join->opens_at), -TV_US_PER_S);
    assert_null(a->join->closes_at);
    assert_int_equal(a->n_participants, 2);
    assert_string_equal(a->participants[0]->person_id, "x");
    assert_int_equal(a->participants[0]->type, TELEVISIT__V1__PARTICIPANT_TYPE__VALUE__DOCTOR);
    assert_string_equal(a->participants[0]->display_name, "Zo\xc3\xab \"Z\"");
    assert_string_equal(a->participants[1]->id, "p2");
}

static void test_one_row(void **state) {
    check_appointment();
    check_appointment(); /* by what was learned the first time */
}

static void test_sub_message_of_nulls_is_not_made(void **state) {
    const Televisit__V1__Appointment *a =
        ask(&no_sub_message, &televisit__v1__appointment__descriptor);
    assert_string_equal(a->id, "a");
    assert_null(a->join);
}

static void test_no_row_changes_nothing(void **state) {
    const Televisit__V1__Appointment *a = ask(&no_row, &televisit__v1__appointment__descriptor);
    assert_string_equal(a->id, "");
}

static void test_rows_are_elements(void **state) {
    const Televisit__V1__ListSlotsReply *s =
        ask(&slots, &televisit__v1__list_slots_reply__descriptor);
    assert_int_equal(s->n_slots, 3);
    assert_int_equal(tv_pb_time_us(s->slots[2]->starts_at) - tv_pb_time_us(s->slots[0]->starts_at),
                     3600 * TV_US_PER_S);
    assert_null(s->slots[0]->ends_at);
    assert_string_equal(s->time_zone, "UTC2"); /* of the last row */

    s = ask(&no_slots, &televisit__v1__list_slots_reply__descriptor);
    assert_int_equal(s->n_slots, 0);
    assert_string_equal(s->time_zone, "UTC");

    const Televisit__V1__ListAppointmentsReply *l =
        ask(&list, &televisit__v1__list_appointments_reply__descriptor);
    assert_int_equal(l->n_appointments, 2);
    assert_string_equal(l->appointments[1]->id, "a2");
    assert_int_equal(l->appointments[1]->join->decision,
                     TELEVISIT__V1__JOIN_DECISION__VALUE__WAITING);
    assert_string_equal(l->next_cursor, "");
}

static void test_sub_messages_and_repeated_scalars(void **state) {
    const Televisit__V1__Clinic *c = ask(&clinic, &televisit__v1__clinic__descriptor);
    assert_int_equal(c->policy->opens_before, 1800);
    assert_true(c->policy->waiting_room);
    assert_false(c->policy->patient_may_book);
    assert_int_equal(c->policy->n_reminders, 2);
    assert_int_equal(c->policy->reminders[1], 3600);
    c = ask(&clinic_json, &televisit__v1__clinic__descriptor);
    assert_int_equal(c->policy->opens_before, 60);
    assert_int_equal(c->policy->reminders[0], 5);
}

static void test_bytes_and_large_numbers(void **state) {
    const Televisit__V1__AdmitReply *a = ask(&grant_bytes, &televisit__v1__admit_reply__descriptor);
    assert_int_equal(a->sealed_grant.len, 3);
    assert_memory_equal(a->sealed_grant.data, "\x00\xff\x10", 3);
    a = ask(&empty_bytes, &televisit__v1__admit_reply__descriptor);
    assert_int_equal(a->sealed_grant.len, 0);
    const Televisit__V1__InboxEntry *i = ask(&large_seq, &televisit__v1__inbox_entry__descriptor);
    assert_true(i->seq == INT64_MIN);
    assert_true(i->appointment_version == INT64_MAX);
}

static void test_values_that_do_not_fit(void **state) {
    static const struct {
        const struct tv_pg_statement *statement;
        const char *pointer;
    } table[] = {{&bad_enum, "status"},
                 {&bad_int, "version"},
                 {&bad_json, "participants"},
                 {&bad_time, "starts_at"}};
    for (size_t i = 0; i < TV_ARRAY_LEN(table); i++) {
        struct asked a =
            ask_with(table[i].statement, NULL, &televisit__v1__appointment__descriptor);
        assert_int_equal(a.err, TV_ERR_INTERNAL);
        assert_string_equal(a.error.pointer, table[i].pointer);
        assert_string_equal(a.error.detail, "");
    }
}

/* -- parameters ---------------------------------------------------------------------------------*/

static void test_request_as_parameters(void **state) {
    Televisit__V1__BookRequest r = TELEVISIT__V1__BOOK_REQUEST__INIT;
    char doctor[] = "8e5c7f0a-0000-4000-8000-000000000001", reason[] = "back \xc3\xbc pain '";
    r.doctor_id = doctor;
    r.starts_at = tv_pb_time(T_2026_US, arena);
    r.minutes = -5;
    r.reason = reason;
    r.confirmed = true;
    const struct tv_actor actor = {.clinic_id = "clinic", .role = TV_ROLE_STAFF};
    struct asked a = ask_with(&book, tv_pbrow_params(&book, &r.base, &actor, arena),
                              &televisit__v1__appointment__descriptor);
    assert_int_equal(a.err, TV_OK);
    assert_string_equal(((const Televisit__V1__Appointment *)(const void *)a.reply)->reason,
                        "8e5c7f0a-0000-4000-8000-000000000001|none|t|-5|back \xc3\xbc pain '|t"
                        "|clinic|none|STAFF");
}

static void test_absent_is_null(void **state) {
    Televisit__V1__BookRequest r = TELEVISIT__V1__BOOK_REQUEST__INIT;
    const struct tv_actor nobody = {.role = TV_ROLE_NONE};
    const char *const *p = tv_pbrow_params(&book, &r.base, &nobody, arena);
    static const char *const expected[] = {NULL, NULL, NULL, "0", "", "false", NULL, NULL, NULL};
    for (size_t i = 0; i < TV_ARRAY_LEN(expected); i++) {
        if (expected[i] == NULL)
            assert_null(p[i]);
        else
            assert_string_equal(p[i], expected[i]);
    }
    assert_null(tv_pbrow_params(&book, &r.base, NULL, arena)[6]);
    Televisit__V1__ListAppointmentsRequest l = TELEVISIT__V1__LIST_APPOINTMENTS_REQUEST__INIT;
    assert_null(tv_pbrow_params(&enum_param, &l.base, NULL, arena)[0]);
    l.status = TELEVISIT__V1__APPOINTMENT_STATUS__VALUE__NO_SHOW;
    assert_string_equal(tv_pbrow_params(&enum_param, &l.base, NULL, arena)[0], "NO_SHOW");
    l.status = (Televisit__V1__AppointmentStatus__Value)77; /* of a newer peer */
    assert_null(tv_pbrow_params(&enum_param, &l.base, NULL, arena)[0]);
}

static void test_lists_as_parameters(void **state) {
    Televisit__V1__WeeklyHours h = TELEVISIT__V1__WEEKLY_HOURS__INIT;
    char from[] = "08:00";
    h.weekday = 3;
    h.from = from;
    h.slot_minutes = 20;
    Televisit__V1__WeeklyHours *both[] = {&h, &h};
    Televisit__V1__PutAvailabilityRequest r = TELEVISIT__V1__PUT_AVAILABILITY_REQUEST__INIT;
    assert_string_equal(tv_pbrow_params(&hours, &r.base, NULL, arena)[0], "[]");
    r.n_hours = 2;
    r.hours = both;
    struct asked a = ask_with(&hours, tv_pbrow_params(&hours, &r.base, NULL, arena),
                              &televisit__v1__availability__descriptor);
    assert_int_equal(a.err, TV_OK);
    assert_string_equal(((const Televisit__V1__Availability *)(const void *)a.reply)->time_zone,
                        "3-08:00-20,3-08:00-20");

    Televisit__V1__Policy p = TELEVISIT__V1__POLICY__INIT;
    int32_t numbers[] = {5, -6};
    assert_string_equal(tv_pbrow_params(&reminders, &p.base, NULL, arena)[0], "{}");
    p.n_reminders = 2;
    p.reminders = numbers;
    assert_string_equal(tv_pbrow_params(&reminders, &p.base, NULL, arena)[0], "{\"5\",\"-6\"}");
}

/* -- the check ----------------------------------------------------------------------------------*/

static void test_check(void **state) {
    static const struct {
        const struct tv_pg_statement *statement;
        const char *fault; /* NULL: none */
    } table[] = {
        {&appointment, NULL},
        {&bad_enum, NULL}, /* a value, not a type */
        {&unknown_column, "statement unknown_column: column nonsense: no field nonsense in"
                          " televisit.v1.Appointment"},
        {&unknown_nested, "statement unknown_nested: column join.nonsense: no field nonsense in"
                          " televisit.v1.Join"},
        {&not_a_message, "statement not_a_message: column version.x: version is not a message"},
        {&not_a_list, "statement not_a_list: column join[].opens_at: no such repeated message in"
                      " televisit.v1.Appointment"},
        {&wrong_type, "statement wrong_type: column version: its type does not fit the field"},
        {&plain_timestamp,
         "statement plain_timestamp: column starts_at: its type does not fit the field"},
        {&time_as_text, "statement time_as_text: column reason: its type does not fit the field"},
        {&array_column,
         "statement array_column: column participants: its type does not fit the field"},
        {&twice, "statement twice: column id: is there twice"},
        {&book, NULL},
        {&stranger, "statement stranger: no field for :nobody"},
        {&stranger_actor, "statement stranger_actor: no field for :actor.name"},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(table); i++) {
        struct tv_error e = TV_ERROR_INIT;
        const struct tv_pg_statement *s = table[i].statement;
        enum tv_err err =
            tv_pbrow_check(s, tv_pg_described(pg, s), &televisit__v1__book_request__descriptor,
                           &televisit__v1__appointment__descriptor, &e);
        assert_string_equal(e.detail, table[i].fault == NULL ? "" : table[i].fault);
        assert_int_equal(err, table[i].fault == NULL ? TV_OK : TV_ERR_INTERNAL);
    }
    struct tv_error e = TV_ERROR_INIT;
    assert_int_equal(
        tv_pbrow_check(&wrong_type, NULL, NULL, &televisit__v1__appointment__descriptor, &e),
        TV_OK);
    assert_int_equal(tv_pbrow_check(&book, NULL, NULL, NULL, &e), TV_ERR_INTERNAL);
}

static void test_unknown_column_is_no_crash(void **state) {
    struct asked a = ask_with(&unknown_column, NULL, &televisit__v1__appointment__descriptor);
    assert_int_equal(a.err, TV_ERR_INTERNAL);
    a = ask_with(&unknown_column, NULL, &televisit__v1__appointment__descriptor);
    assert_int_equal(a.err, TV_ERR_INTERNAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_one_row),
        TEST(test_sub_message_of_nulls_is_not_made),
        TEST(test_no_row_changes_nothing),
        TEST(test_rows_are_elements),
        TEST(test_sub_messages_and_repeated_scalars),
        TEST(test_bytes_and_large_numbers),
        TEST(test_values_that_do_not_fit),
        TEST(test_request_as_parameters),
        TEST(test_absent_is_null),
        TEST(test_lists_as_parameters),
        TEST(test_check),
        TEST(test_unknown_column_is_no_crash),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
