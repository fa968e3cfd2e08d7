/* str.c - see str.h. */
#include "lib/str.h"

#include <stdio.h>
#include <stdlib.h>

/* --- slices --- */

static unsigned char lower(char c) {
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

bool tv_str_eq_nocase(struct tv_str a, struct tv_str b) {
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

bool tv_str_starts(struct tv_str s, struct tv_str prefix) {
    return s.len >= prefix.len && tv_str_eq((struct tv_str){s.p, prefix.len}, prefix);
}

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

struct tv_str tv_str_trim(struct tv_str s) {
    while (s.len > 0 && is_blank(s.p[s.len - 1]))
        s.len--;
    while (s.len > 0 && is_blank(s.p[0])) {
        s.p++;
        s.len--;
    }
    return s;
}

struct tv_str tv_str_cut(struct tv_str *rest, char sep) {
    struct tv_str s = *rest;
    const char *at = s.len == 0 ? NULL : memchr(s.p, sep, s.len);
    if (at == NULL) {
        *rest = (struct tv_str){NULL, 0};
        return s;
    }
    size_t len = (size_t)(at - s.p);
    *rest = (struct tv_str){at + 1, s.len - len - 1};
    return (struct tv_str){s.p, len};
}

bool tv_str_to_u64(struct tv_str s, uint64_t min, uint64_t max, uint64_t *ret) {
    uint64_t value = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
            __builtin_add_overflow(value, (uint64_t)(s.p[i] - '0'), &value))
            return false;
    }
    if (s.len == 0 || value < min || value > max)
        return false;
    *ret = value;
    return true;
}

bool tv_str_to_i64(struct tv_str s, int64_t min, int64_t max, int64_t *ret) {
    uint64_t value;
    if (max < 0 || !tv_str_to_u64(s, min < 0 ? 0 : (uint64_t)min, (uint64_t)max, &value))
        return false;
    *ret = (int64_t)value;
    return true;
}

bool tv_str_is_uuid(struct tv_str s) {
    if (s.len != 36)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        bool is_hex = (s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f');
        bool is_dash_place = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_dash_place ? s.p[i] != '-' : !is_hex)
            return false;
    }
    return true;
}

/* The bytes of the character that begins at `p`, or 0 when it is not well-formed: the table of
 * RFC 3629 section 4, where the second byte excludes overlong forms, surrogates and too much. */
static size_t utf8_length(const unsigned char *p, size_t left) {
    unsigned char low = 0x80, high = 0xBF;
    size_t need;
    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xC2 && p[0] <= 0xDF)
        need = 2;
    else if (p[0] >= 0xE0 && p[0] <= 0xEF)
        need = 3;
    else if (p[0] >= 0xF0 && p[0] <= 0xF4)
        need = 4;
    else
        return 0;
    if (p[0] == 0xE0)
        low = 0xA0;
    else if (p[0] == 0xED)
        high = 0x9F;
    else if (p[0] == 0xF0)
        low = 0x90;
    else if (p[0] == 0xF4)
        high = 0x8F;
    if (left < need || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < need; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    return need;
}

bool tv_str_is_utf8(struct tv_str s) {
    const unsigned char *p = (const unsigned char *)s.p;
    for (size_t i = 0; i < s.len;) {
        size_t len = p[i] == '\0' ? 0 : utf8_length(p + i, s.len - i);
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}

/* --- the buffer --- */

#define BUF_FIRST_BYTES 256

/* Makes room for `more` bytes and the NUL; false when that passes the cap. */
static bool reserve(struct tv_buf *b, size_t more) {
    if (b->overflow || more > b->max - b->len) {
        b->overflow = true;
        return false;
    }
    size_t need = b->len + more + 1;
    if (need > b->size) {
        size_t size = TV_MAX(TV_MAX(b->size * 2, (size_t)BUF_FIRST_BYTES), need);
        if (size - 1 > b->max)
            size = b->max + 1;
        b->data = tv_realloc(b->data, size);
        b->size = size;
    }
    return true;
}

void tv_buf_append(struct tv_buf *b, const void *data, size_t len) {
    if (!reserve(b, len))
        return;
    if (len > 0)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void tv_buf_char(struct tv_buf *b, char c) { tv_buf_append(b, &c, 1); }

void tv_buf_printf(struct tv_buf *b, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    tv_buf_vprintf(b, fmt, args);
    va_end(args);
}

void tv_buf_vprintf(struct tv_buf *b, const char *fmt, va_list args) {
    if (!reserve(b, 0))
        return;
    va_list again;
    va_copy(again, args);
    size_t room = b->size - b->len;
    int len = vsnprintf(b->data + b->len, room, fmt, args);
    if (len < 0)
        tv_panic("bad format: %s", fmt);
    if ((size_t)len < room) {
        b->len += (size_t)len;
    } else if (reserve(b, (size_t)len)) {
        (void)vsnprintf(b->data + b->len, (size_t)len + 1, fmt, again);
        b->len += (size_t)len;
    }
    b->data[b->len] = '\0';
    va_end(again);
}

/* The short escape of a byte, 'u' when it needs the long form, 0 when none. */
static char json_escape(unsigned char c) {
    switch (c) {
    case '"':
    case '\\':
        return (char)c;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return c < 0x20 ? 'u' : '\0';
    }
}

void tv_buf_json(struct tv_buf *b, struct tv_str s) {
    size_t plain = 0; /* where the run that needs no escape began */
    tv_buf_char(b, '"');
    for (size_t i = 0; i < s.len; i++) {
        char escape = json_escape((unsigned char)s.p[i]);
        if (escape == '\0')
            continue;
        tv_buf_append(b, s.p + plain, i - plain);
        if (escape == 'u')
            tv_buf_printf(b, "\\u%04x", (unsigned)s.p[i]);
        else
            tv_buf_append(b, (const char[]){'\\', escape}, 2);
        plain = i + 1;
    }
    if (s.len > plain)
        tv_buf_append(b, s.p + plain, s.len - plain);
    tv_buf_char(b, '"');
}

void tv_buf_clear(struct tv_buf *b) {
    b->len = 0;
    b->overflow = false;
    if (b->data != NULL)
        b->data[0] = '\0';
}

void tv_buf_done(struct tv_buf *b) {
    free(b->data);
    *b = TV_BUF_INIT(b->max);
}
