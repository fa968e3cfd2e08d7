/* calls_list.c - Calls.List: the record of an appointment's calls as a caller sees it. */
#include <stdio.h>

#include "appointments_sql.h"
#include "lib/clock.h"
#include "lib/pb.h"
#include "services/appointments/app.h"
#include "services/appointments/bind.h"
#include "services/appointments/book.h"
#include "services/appointments/room.h"
#include "televisit/v1/calls.pb-c.h"

static Televisit__V1__Presence *show_presence(const struct tv_presence *p, struct tv_arena *a) {
    Televisit__V1__Presence *m =
        TV_PB_NEW(a, Televisit__V1__Presence, televisit__v1__presence__descriptor);
    m->sid = tv_arena_strdup(a, p->sid);
    m->participant_id = tv_arena_strdup(a, p->identity);
    m->joined_at = tv_pb_time(p->joined.us, a);
    m->joined_by = (Televisit__V1__KnownBy__Value)p->joined.by;
    m->reason = tv_arena_strdup(a, p->reason);
    if (tv_presence_is_in(p))
        return m;
    m->left_at = tv_pb_time(p->left.us, a);
    m->left_by = (Televisit__V1__KnownBy__Value)p->left.by;
    m->unsure = tv_presence_is_unsure(p);
    if (m->unsure && p->gone_us != 0)
        m->gone_at = tv_pb_time(p->gone_us, a);
    return m;
}

static Televisit__V1__Call *show_call(const struct book *b, const struct tv_room_call *c,
                                      struct tv_arena *a) {
    struct tv_room room = {.generation = c->generation};
    char name[TV_ROOM_NAME_MAX];
    size_t count = 0;
    const struct tv_presence *p;
    Televisit__V1__Call *m = TV_PB_NEW(a, Televisit__V1__Call, televisit__v1__call__descriptor);
    (void)snprintf(room.appointment_id, sizeof(room.appointment_id), "%s", b->appointment_id);
    tv_room_format(&room, name);
    m->room_sid = tv_arena_strdup(a, c->room_sid);
    m->room = tv_arena_strdup(a, name);
    m->started_at = tv_pb_time(c->started.us, a);
    m->started_by = (Televisit__V1__KnownBy__Value)c->started.by;
    if (c->over.by != TV_KNOWN_NOT)
        m->over_at = tv_pb_time(c->over.us, a);
    m->over_by = (Televisit__V1__KnownBy__Value)c->over.by;
    TAILQ_FOREACH(p, &c->presences, link)
        count++;
    m->presences = tv_arena_calloc(a, count, sizeof(*m->presences));
    TAILQ_FOREACH(p, &c->presences, link)
        m->presences[m->n_presences++] = show_presence(p, a);
    return m;
}

static bool was_there(const struct tv_history *h, const char *identity) {
    const struct tv_room_call *c;
    const struct tv_presence *p;
    TAILQ_FOREACH(c, &h->calls, link)
        TAILQ_FOREACH(p, &c->presences, link)
            if (strcmp(p->identity, identity) == 0)
                return true;
    return false;
}

static Televisit__V1__PersonInCall *show_person(struct book *b, const struct book_person *p,
                                                struct tv_arena *a) {
    Televisit__V1__PersonInCall *m =
        TV_PB_NEW(a, Televisit__V1__PersonInCall, televisit__v1__person_in_call__descriptor);
    m->participant_id = tv_arena_strdup(a, p->id);
    m->person_id = tv_arena_strdup(a, p->person_id);
    m->type = (Televisit__V1__ParticipantType__Value)p->type;
    m->present_seconds = tv_history_present_us(&b->history, p->id, b->now_us) / TV_US_PER_S;
    m->talk_seconds =
        tv_history_talk_us(&b->history, p->id, book_side_of, b, b->now_us) / TV_US_PER_S;
    return m;
}

static Televisit__V1__ListCallsReply *show(struct book *b, struct tv_arena *a) {
    Televisit__V1__ListCallsReply *m =
        TV_PB_NEW(a, Televisit__V1__ListCallsReply, televisit__v1__list_calls_reply__descriptor);
    const struct tv_room_call *c;
    size_t count = 0;
    TAILQ_FOREACH(c, &b->history.calls, link)
        count++;
    m->calls = tv_arena_calloc(a, count, sizeof(*m->calls));
    TAILQ_FOREACH(c, &b->history.calls, link)
        m->calls[m->n_calls++] = show_call(b, c, a);
    m->people = tv_arena_calloc(a, b->people_count, sizeof(*m->people));
    for (size_t i = 0; i < b->people_count; i++)
        if (was_there(&b->history, b->people[i].id))
            m->people[m->n_people++] = show_person(b, &b->people[i], a);
    m->together_seconds =
        tv_history_meeting(&b->history, book_side_of, b, b->now_us).together_us / TV_US_PER_S;
    return m;
}

static void on_listed(void *ctx, enum tv_err err, const struct tv_error *e,
                      const struct tv_pg_result *const *results, unsigned count) {
    struct tv_call *call = ctx;
    struct tv_error fault = TV_ERROR_INIT;
    struct book b;
    if (err != TV_OK)
        tv_call_fail(call, e);
    else if (tv_pg_rows(results[0]) == 0)
        tv_call_failf(call, TV_ERR_NOT_FOUND, "There is no such appointment");
    else if (book_read(results[0], call->arena, &b, &fault) != TV_OK)
        tv_call_fail(call, &fault);
    else
        tv_call_reply(call, &show(&b, call->arena)->base);
}

void calls_list(struct tv_call *call) {
    const Televisit__V1__ListCallsRequest *request = (const void *)call->request;
    if (!tv_str_is_uuid(tv_str(request->appointment_id))) {
        tv_call_failf(call, TV_ERR_NOT_FOUND, "There is no such appointment");
        return;
    }
    const struct bind binds[] = {{"appointment_id", request->appointment_id}, {"event_id", NULL}};
    const struct tv_pg_query query = {&sql_calls_list,
                                      bind_params(&sql_calls_list, &call->context.actor, binds,
                                                  TV_ARRAY_LEN(binds), call->arena)};
    const struct app *service = call->service_ctx;
    tv_pg_submit(service->pg, &query, 1, call->context.deadline_us, on_listed, call);
}
