/* log.c - see log.h.
 *
 * A line is built in a buffer of the thread and written by one write(2). It is never longer than
 * PIPE_BUF, so the kernel does not mix it with lines of other threads or processes; fields that
 * do not fit are left out, and "cut":true says so.
 */
#include "lib/log.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/clock.h"

#define LINE_BYTES PIPE_BUF
#define STRING_BYTES 512 /* of one text, before escaping */

static const char line_end[] = "}\n";
static const char line_end_cut[] = ",\"cut\":true}\n";
static const char replacement[] = "\xEF\xBF\xBD"; /* U+FFFD */

static const char *const keys[TV_LOG_KEY_COUNT] = {
#define X(name, key) [TV_FIELD_##name] = key,
    TV_LOG_FIELDS(X)
#undef X
};
static const char *const levels[] = {"debug", "info", "warn", "error"};

static const char *service = "", *version = "";
static enum tv_log_level least = TV_LOG_INFO;
static void (*sink)(const char *line, size_t len);
static atomic_uint_fast64_t written[TV_ARRAY_LEN(levels)];
static _Thread_local const char *request_id, *trace_id;

struct line {
    size_t len;
    bool full; /* something did not fit */
    char text[LINE_BYTES];
};
static _Thread_local struct line line;

void tv_log_init(const char *service_, const char *version_, enum tv_log_level least_) {
    service = service_;
    version = version_;
    least = least_;
}

void tv_log_set_sink(void (*fn)(const char *text, size_t len)) { sink = fn; }

void tv_log_context_set(const char *request_id_, const char *trace_id_) {
    request_id = request_id_;
    trace_id = trace_id_;
}

bool tv_log_enabled(enum tv_log_level level) { return level >= least; }

uint64_t tv_log_lines(enum tv_log_level level) {
    return atomic_load_explicit(&written[level], memory_order_relaxed);
}

const char *tv_log_level_name(enum tv_log_level level) { return levels[level]; }

bool tv_log_level_parse(const char *text, enum tv_log_level *ret) {
    for (unsigned i = 0; i < TV_ARRAY_LEN(levels); i++) {
        if (text != NULL && strcmp(text, levels[i]) == 0) {
            *ret = (enum tv_log_level)i;
            return true;
        }
    }
    return false;
}

/* --- building a line --- */

/* The end of the line always fits, for nothing else may use its room. */
static void put(struct line *l, const char *data, size_t len) {
    if (len > LINE_BYTES - (sizeof(line_end_cut) - 1) - l->len)
        l->full = true;
    if (l->full)
        return;
    memcpy(l->text + l->len, data, len);
    l->len += len;
}

static void put_z(struct line *l, const char *z) { put(l, z, strlen(z)); }

static void put_control(struct line *l, unsigned code_point) {
    char escape[8];
    (void)snprintf(escape, sizeof(escape), "\\u%04x", code_point & 0xFFFF);
    put(l, escape, 6);
}

/* The bytes of the first character of `s`, or 0 when it is not well-formed. */
static size_t character_bytes(struct tv_str s) {
    for (size_t n = 1; n <= 4 && n <= s.len; n++)
        if (s.p[0] == '\0' || tv_str_is_utf8((struct tv_str){s.p, n}))
            return n;
    return 0;
}

/* Cuts to STRING_BYTES, not within a character. */
static struct tv_str cut(struct tv_str s, bool *ret_cut) {
    *ret_cut = s.len > STRING_BYTES;
    if (*ret_cut) {
        s.len = STRING_BYTES;
        for (int i = 0; i < 3 && ((unsigned char)s.p[s.len] & 0xC0) == 0x80; i++)
            s.len--;
    }
    return s;
}

/* A JSON string: quotes and controls (C0, DEL, C1) escaped, broken UTF-8 replaced byte by byte. */
static void put_string(struct line *l, struct tv_str s) {
    bool is_cut;
    s = cut(s, &is_cut);
    put_z(l, "\"");
    while (s.len > 0) {
        size_t n = character_bytes(s);
        unsigned char first = (unsigned char)s.p[0];
        if (n == 0)
            put_z(l, replacement);
        else if (first < 0x20 || first == 0x7F)
            put_control(l, first);
        else if (first == 0xC2 && (unsigned char)s.p[1] < 0xA0)
            put_control(l, (unsigned char)s.p[1]);
        else if (first == '"' || first == '\\')
            put(l, (const char[]){'\\', s.p[0]}, 2);
        else
            put(l, s.p, n);
        n = TV_MAX(n, (size_t)1);
        s = (struct tv_str){s.p + n, s.len - n};
    }
    put_z(l, is_cut ? "...\"" : "\"");
}

/* The comma and the key; what follows is the value. */
static void put_key(struct line *l, const char *key) {
    put_z(l, l->len == 0 ? "{\"" : ",\"");
    put_z(l, key);
    put_z(l, "\":");
}

/* Adds a member whole or not at all. */
static void put_member(struct line *l, const char *key, const struct tv_log_field *f) {
    size_t before = l->len;
    put_key(l, key);
    if (f->type == TV_LOG_IS_INT) {
        char number[24];
        int len = snprintf(number, sizeof(number), "%lld", (long long)f->number);
        put(l, number, (size_t)len);
    } else {
        put_string(l, f->string);
    }
    if (l->full)
        l->len = before;
}

static void put_text(struct line *l, const char *key, const char *text) {
    const struct tv_log_field f = {.type = TV_LOG_IS_STR, .string = tv_str(text)};
    put_member(l, key, &f);
}

static void write_line(const struct line *l) {
    if (sink != NULL) {
        sink(l->text, l->len);
        return;
    }
    ssize_t n;
    do
        n = write(STDERR_FILENO, l->text, l->len);
    while (n < 0 && errno == EINTR);
    /* A line that cannot be written is lost: there is nobody to tell. */
}

void tv_log_write(enum tv_log_level level, const char *message, const struct tv_log_field *fields,
                  size_t count) {
    int saved_errno = errno;
    struct line *l = &line;
    l->len = 0;
    l->full = false;
    char time[TV_TIME_TEXT_MAX];
    (void)tv_time_format(tv_clock_wall_us(), time);
    put_text(l, "ts", time);
    put_text(l, "level", levels[level]);
    put_text(l, "svc", service);
    put_text(l, "version", version);
    put_text(l, "msg", message);
    if (request_id != NULL)
        put_text(l, "request_id", request_id);
    if (trace_id != NULL)
        put_text(l, "trace_id", trace_id);
    for (size_t i = 0; i < count; i++)
        put_member(l, keys[fields[i].key], &fields[i]);
    const char *end = l->full ? line_end_cut : line_end;
    memcpy(l->text + l->len, end, strlen(end));
    l->len += strlen(end);
    write_line(l);
    atomic_fetch_add_explicit(&written[level], 1, memory_order_relaxed);
    errno = saved_errno;
}
