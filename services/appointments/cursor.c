#include "services/appointments/cursor.h"

#include <stdio.h>

#include "lib/crypto.h"

/* One byte of version, 8 of the time, 16 of the id. */
enum { VERSION = 1, TIME_BYTES = 8, ID_BYTES = 16, BYTES = 1 + TIME_BYTES + ID_BYTES };

static_assert(TV_CURSOR_TEXT >= (BYTES + 2) / 3 * 4, "base64url of the bytes fits");

/* RFC 3339 ends with the year 9999; the first year of ours is 0001 (lib/clock.h). */
#define TIME_MIN_US INT64_C(-62135596800000000)
#define TIME_MAX_US INT64_C(253402300799999999)

static unsigned hex(char c) { return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10); }

void tv_cursor_format(const struct tv_cursor *c, char out[static TV_CURSOR_TEXT]) {
    unsigned char bytes[BYTES] = {VERSION};
    uint64_t time = (uint64_t)c->starts_at_us;
    for (unsigned i = 0; i < TIME_BYTES; i++)
        bytes[1 + i] = (unsigned char)(time >> (8 * (TIME_BYTES - 1 - i)));
    const char *p = c->id;
    for (unsigned i = 0; i < ID_BYTES; i++) {
        if (*p == '-')
            p++;
        bytes[1 + TIME_BYTES + i] = (unsigned char)(hex(p[0]) << 4 | hex(p[1]));
        p += 2;
    }
    (void)tv_base64url(bytes, sizeof(bytes), out);
}

bool tv_cursor_parse(struct tv_str text, struct tv_cursor *ret) {
    unsigned char bytes[BYTES];
    size_t len = 0;
    if (!tv_base64url_decode(text, bytes, sizeof(bytes), &len) || len != BYTES ||
        bytes[0] != VERSION)
        return false;
    uint64_t time = 0;
    for (unsigned i = 0; i < TIME_BYTES; i++)
        time = time << 8 | bytes[1 + i];
    int64_t starts_at_us = (int64_t)time;
    if (starts_at_us < TIME_MIN_US || starts_at_us > TIME_MAX_US)
        return false;
    ret->starts_at_us = starts_at_us;
    char *to = ret->id;
    for (unsigned i = 0; i < ID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        (void)snprintf(to, 3, "%02x", bytes[1 + TIME_BYTES + i]);
        to += 2;
    }
    return true;
}
