/* What LiveKit says of rooms, as tables: who counts as in, how old things are, what a page holds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/pb.h"
#include "services/tokens/view.h"

#define STATE(name) LIVEKIT__PARTICIPANT_INFO__STATE__##name
#define NOW_MS INT64_C(1795399810027)
#define NOW_US (NOW_MS * 1000 + 999)

static struct tv_arena *arena;

static int set_up(void **state) {
    arena = tv_arena_new();
    return 0;
}

static int tear_down(void **state) {
    tv_arena_free(arena);
    return 0;
}

/* -- one room -----------------------------------------------------------------------------------*/

static Livekit__Room *room_of(const char *name, const char *sid, int64_t created_ms) {
    Livekit__Room *room = TV_PB_NEW(arena, Livekit__Room, livekit__room__descriptor);
    room->name = tv_arena_strdup(arena, name);
    room->sid = tv_arena_strdup(arena, sid);
    room->creation_time = created_ms / 1000;
    room->creation_time_ms = created_ms;
    return room;
}

static Livekit__ListParticipantsResponse *nobody(void) {
    Livekit__ListParticipantsResponse *list = TV_PB_NEW(
        arena, Livekit__ListParticipantsResponse, livekit__list_participants_response__descriptor);
    list->participants = tv_arena_calloc(arena, 16, sizeof(void *));
    return list;
}

static Livekit__ParticipantInfo *add(Livekit__ListParticipantsResponse *list, const char *sid,
                                     const char *identity, int state, int64_t joined_ms) {
    Livekit__ParticipantInfo *p =
        TV_PB_NEW(arena, Livekit__ParticipantInfo, livekit__participant_info__descriptor);
    p->sid = tv_arena_strdup(arena, sid);
    p->identity = tv_arena_strdup(arena, identity);
    p->state = (Livekit__ParticipantInfo__State)state;
    p->joined_at_ms = joined_ms;
    p->joined_at = joined_ms / 1000;
    list->participants[list->n_participants++] = p;
    return p;
}

static bool view_of(const Livekit__ListParticipantsResponse *people, const Livekit__Room *room,
                    const Televisit__V1__RoomView **ret) {
    Televisit__V1__RoomView *view = NULL;
    bool ok = tv_view_room(people, room, "room_1", NOW_US, arena, &view);
    *ret = view;
    return ok;
}

static void test_who_is_in(void **state) {
    static char long_sid[TV_VIEW_SID_MAX + 2], long_identity[TV_VIEW_NAME_MAX + 2];
    memset(long_sid, 's', sizeof long_sid - 1);
    memset(long_identity, 'i', sizeof long_identity - 1);
    Livekit__ListParticipantsResponse *people = nobody();
    const Televisit__V1__RoomView *view;
    add(people, "PA_1", "p_1", STATE(ACTIVE), NOW_MS - 5000);
    add(people, "PA_2", "p_2", STATE(JOINING), NOW_MS - 10);
    add(people, "PA_3", "p_3", STATE(JOINED), NOW_MS - 10);
    add(people, "PA_4", "p_4", STATE(DISCONNECTED), NOW_MS - 6000);
    add(people, "PA_5", "p_5", 99, NOW_MS - 6000);
    add(people, "", "p_6", STATE(ACTIVE), NOW_MS - 6000);
    add(people, "PA_7", "", STATE(ACTIVE), NOW_MS - 6000);
    add(people, long_sid, "p_8", STATE(ACTIVE), NOW_MS - 6000);
    add(people, "PA_9", long_identity, STATE(ACTIVE), NOW_MS - 6000);
    add(people, "PA_1b", "p_1", STATE(ACTIVE), NOW_MS - 20); /* the same person once more */
    assert_true(view_of(people, room_of("room_1", "RM_1", NOW_MS - 9000), &view));
    assert_string_equal(view->room, "room_1");
    assert_string_equal(view->room_sid, "RM_1");
    assert_int_equal(view->created_age_ms, 9000);
    assert_int_equal(view->n_people, 2);
    assert_string_equal(view->people[0]->sid, "PA_1");
    assert_string_equal(view->people[0]->identity, "p_1");
    assert_int_equal(view->people[0]->joined_age_ms, 5000);
    assert_string_equal(view->people[1]->sid, "PA_1b");
    assert_int_equal(view->people[1]->joined_age_ms, 20);
}

static void test_no_room(void **state) {
    Livekit__ListParticipantsResponse *people = nobody();
    const Televisit__V1__RoomView *view;
    assert_true(view_of(people, NULL, &view));
    assert_string_equal(view->room, "room_1");
    assert_string_equal(view->room_sid, "");
    assert_int_equal(view->n_people, 0);
    add(people, "PA_1", "p_1", STATE(ACTIVE), NOW_MS - 5000); /* it was closed between the lists */
    assert_true(view_of(people, NULL, &view));
    assert_string_equal(view->room_sid, "");
    assert_int_equal(view->n_people, 0);
    assert_true(view_of(nobody(), room_of("room_1", "RM_1", NOW_MS), &view));
    assert_string_equal(view->room_sid, "RM_1");
    assert_int_equal(view->n_people, 0);
}

/* Milliseconds before now: of the room, of who is in. -1: not said. */
static void test_times(void **state) {
    static const struct {
        int64_t created, joined;
        bool ok;
        int64_t created_age_ms, joined_age_ms;
    } cases[] = {
        {9000, 5000, true, 9000, 5000},
        {9000, 9000, true, 9000, 9000},
        {9000, 10000, true, 9000, 10000}, /* nodes' clocks */
        {9000, 10001, false, 0, 0},       /* in a room of that name that was before */
        {0, 0, true, 0, 0},
        {-500, -700, true, 0, 0}, /* LiveKit's clock is ahead */
        {-3000, 500, false, 0, 0},
        {NOW_MS, 5000, true, 0, 5000},
        {9000, NOW_MS, true, 9000, 0},
        {NOW_MS + 1, 5000, true, 0, 5000},
        {9000, NOW_MS + 1, true, 9000, 0},
        {INT64_MIN + NOW_MS + 1, 0, false, 0, 0},
        {9000, INT64_MIN + NOW_MS + 1, true, 9000, 0},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(cases); i++) {
        Livekit__ListParticipantsResponse *people = nobody();
        const Televisit__V1__RoomView *view;
        add(people, "PA_1", "p_1", STATE(ACTIVE), NOW_MS - cases[i].joined);
        bool ok = view_of(people, room_of("room_1", "RM_1", NOW_MS - cases[i].created), &view);
        if (ok != cases[i].ok || (ok && (view->created_age_ms != cases[i].created_age_ms ||
                                         view->people[0]->joined_age_ms != cases[i].joined_age_ms)))
            fail_msg("case %zu", i);
    }
}

/* Older servers know whole seconds only. */
static void test_seconds(void **state) {
    Livekit__ListParticipantsResponse *people = nobody();
    Livekit__Room *room = room_of("room_1", "RM_1", NOW_MS - 9000);
    const Televisit__V1__RoomView *view;
    add(people, "PA_1", "p_1", STATE(ACTIVE), NOW_MS - 5000)->joined_at_ms = 0;
    room->creation_time_ms = 0;
    assert_true(view_of(people, room, &view));
    assert_int_equal(view->created_age_ms, 9027);
    assert_int_equal(view->people[0]->joined_age_ms, 5027);
    room->creation_time = INT64_MAX;
    assert_true(view_of(people, room, &view));
    assert_int_equal(view->created_age_ms, 0);
}

/* -- pages --------------------------------------------------------------------------------------*/

static Livekit__ListRoomsResponse *rooms_named(const char *const *names, size_t count) {
    Livekit__ListRoomsResponse *all =
        TV_PB_NEW(arena, Livekit__ListRoomsResponse, livekit__list_rooms_response__descriptor);
    all->rooms = tv_arena_calloc(arena, count + 1, sizeof(void *));
    for (size_t i = 0; i < count; i++) {
        char *sid = tv_arena_printf(arena, "RM_%s", names[i]);
        all->rooms[all->n_rooms++] =
            room_of(names[i], strlen(sid) <= TV_VIEW_SID_MAX ? sid : "RM_x", NOW_MS);
    }
    return all;
}

static void test_pages(void **state) {
    static const char *const names[] = {"b", "\xc3\xa4", "", "a", "B", "ab", "aa", "z"};
    static const struct {
        const char *after;
        size_t limit;
        const char *page;
        bool more;
    } cases[] = {
        {"", 1000, "B a aa ab b z \xc3\xa4 ", false}, /* bytes, not letters; no room named "" */
        {"", 7, "B a aa ab b z \xc3\xa4 ", false},
        {"", 6, "B a aa ab b z ", true},
        {"", 1, "B ", true},
        {"B", 2, "a aa ", true},
        {"aa", 3, "ab b z ", true},
        {"aaa", 1, "ab ", true}, /* a name that is not there (any more) */
        {"z", 1, "\xc3\xa4 ", false},
        {"\xc3\xa4", 5, "", false},
        {"\xff", 5, "", false},
    };
    const Livekit__ListRoomsResponse *all = rooms_named(names, TV_ARRAY_LEN(names));
    for (size_t i = 0; i < TV_ARRAY_LEN(cases); i++) {
        const Televisit__V1__ListRoomsReply *page =
            tv_view_page(all, cases[i].after, cases[i].limit, arena);
        struct tv_buf text = TV_BUF_INIT(1024);
        tv_buf_puts(&text, "");
        for (size_t r = 0; r < page->n_rooms; r++) {
            tv_buf_printf(&text, "%s ", page->rooms[r]->room);
            assert_string_equal(page->rooms[r]->room_sid + 3, page->rooms[r]->room);
        }
        if (!tv_str_eqz(tv_buf_view(&text), cases[i].page) || page->more != cases[i].more)
            fail_msg("case %zu: %s", i, text.data);
        tv_buf_done(&text);
    }
    const Televisit__V1__ListRoomsReply *none = tv_view_page(rooms_named(NULL, 0), "", 10, arena);
    assert_true(none->n_rooms == 0 && !none->more);
}

/* 1500 rooms with names of a given length, walked page by page: none is lost, none comes twice, and
 * each page goes through the bus. */
static size_t walk(size_t name_len, size_t *ret_first) {
    enum { COUNT = 1500 };
    const char **names = tv_arena_calloc(arena, COUNT, sizeof *names);
    for (size_t i = 0; i < COUNT; i++)
        names[i] = tv_arena_printf(arena, "%0*zu", (int)name_len, i * 7919 % COUNT);
    const Livekit__ListRoomsResponse *all = rooms_named(names, COUNT);
    size_t seen = 0, pages = 0;
    const char *after = "";
    for (bool more = true; more; pages++) {
        Televisit__V1__ListRoomsReply *page = tv_view_page(all, after, TV_VIEW_PAGE_MAX, arena);
        struct tv_str bytes = tv_pb_pack(&page->base, arena);
        assert_non_null(tv_pb_unpack(page->base.descriptor, bytes, arena));
        assert_true(page->n_rooms > 0 && page->n_rooms <= TV_VIEW_PAGE_MAX);
        for (size_t i = 0; i < page->n_rooms; i++, seen++) {
            assert_true(strcmp(page->rooms[i]->room, after) > 0);
            after = page->rooms[i]->room;
        }
        if (pages == 0)
            *ret_first = page->n_rooms;
        more = page->more;
    }
    assert_int_equal(seen, COUNT);
    return pages;
}

static void test_pages_fit(void **state) {
    size_t first = 0;
    assert_int_equal(walk(45, &first), 2); /* names such as ours: a thousand fit */
    assert_int_equal(first, TV_VIEW_PAGE_MAX);
    assert_int_equal(walk(TV_VIEW_NAME_MAX, &first), 2); /* the longest: fewer do */
    assert_true(first > 800 && first < TV_VIEW_PAGE_MAX);
}

static void test_rooms_that_cannot_be(void **state) {
    static char long_name[TV_VIEW_NAME_MAX + 2];
    memset(long_name, 'n', sizeof long_name - 1);
    const char *const names[] = {"a", long_name, "z"};
    Livekit__ListRoomsResponse *all = rooms_named(names, TV_ARRAY_LEN(names));
    all->rooms[2]->sid = long_name;
    const Televisit__V1__ListRoomsReply *page = tv_view_page(all, "", 10, arena);
    assert_int_equal(page->n_rooms, 1);
    assert_string_equal(page->rooms[0]->room, "a");
    assert_false(page->more);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_who_is_in),
        TEST(test_no_room),
        TEST(test_times),
        TEST(test_seconds),
        TEST(test_pages),
        TEST(test_pages_fit),
        TEST(test_rooms_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
