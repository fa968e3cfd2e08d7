/* Names of rooms: the program and the schema make the same, and read no others as theirs. */
#include "fixture.h"
#include "services/appointments/room.h"

#define ID "b0000000-0000-4000-8000-0123456789ab"

static struct fixture f;

static int set_up(void **state) {
    fixture_start_db(&f);
    return 0;
}
static int tear_down(void **state) {
    test_postgres_stop(&f.db);
    return 0;
}

static void test_names_as_the_schema_makes_them(void **state) {
    static const int32_t generations[] = {1, 2, 9, 10, 99, 1000000, INT32_MAX};
    for (size_t i = 0; i < TV_ARRAY_LEN(generations); i++) {
        struct tv_room room = {ID, generations[i]}, back = {"", 0};
        char name[TV_ROOM_NAME_MAX];
        tv_room_format(&room, name);
        char *sql = fixture_sql(&f, "SELECT tv.room_name('" ID "', %d)", (int)generations[i]);
        assert_string_equal(name, sql);
        free(sql);
        assert_true(tv_room_parse(tv_str(name), &back));
        assert_string_equal(back.appointment_id, ID);
        assert_int_equal(back.generation, generations[i]);
    }
}

static void test_names_of_others(void **state) {
    static const char *const names[] = {
        "",
        "room_",
        "room",
        ID,
        "Room_" ID,
        "room_" ID ".",
        "room_" ID ".0",
        "room_" ID ".1", /* the first generation has no number */
        "room_" ID ".02",
        "room_" ID ".+2",
        "room_" ID ". 2",
        "room_" ID ".-2",
        "room_" ID ".2.",
        "room_" ID ".2.3",
        "room_" ID ".2x",
        "room_" ID ".2147483648",
        "room_" ID ".99999999999999999999",
        "room_" ID "2",
        "room_" ID " ",
        "room_" ID "\n",
        " room_" ID,
        "room_B0000000-0000-4000-8000-0123456789AB",
        "room_b0000000-0000-4000-8000-0123456789a",
        "room_b00000000000-4000-8000-0123456789abcd",
        "room_{b0000000-0000-4000-8000-0123456789ab}",
        "room_b0000000-0000-4000-8000-0123456789ag",
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(names); i++) {
        struct tv_room room = {"untouched", 7};
        if (tv_room_parse(tv_str(names[i]), &room))
            fail_msg("'%s' is not ours", names[i]);
        assert_string_equal(room.appointment_id, "untouched");
        assert_int_equal(room.generation, 7);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_as_the_schema_makes_them),
        cmocka_unit_test(test_names_of_others),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
