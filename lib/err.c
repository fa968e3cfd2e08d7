/* err.c - see err.h. */
#include "lib/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct tv_err_info infos[TV_ERR_COUNT] = {
#define X(name_, http_, retryable_, slug_, title_)                                                 \
    [TV_ERR_##name_] = {#name_, slug_, title_, http_, retryable_},
    TV_ERR_MAP(X)
#undef X
};

const struct tv_err_info *tv_err_info(enum tv_err code) {
    if (code <= TV_OK || code >= TV_ERR_COUNT)
        tv_panic("no such error: %d", (int)code);
    return &infos[code];
}

enum tv_err tv_err_by_slug(const char *slug) {
    for (unsigned code = TV_OK + 1; slug != NULL && code < TV_ERR_COUNT; code++)
        if (strcmp(infos[code].slug, slug) == 0)
            return (enum tv_err)code;
    return TV_OK;
}

/* Removes an unfinished UTF-8 sequence from the end of a text that was cut. */
static void drop_half_character(char *text) {
    size_t len = strlen(text), lead = len;
    while (lead > 0 && len - lead < 3 && ((unsigned char)text[lead - 1] & 0xC0) == 0x80)
        lead--;
    if (lead == 0)
        return;
    unsigned char first = (unsigned char)text[lead - 1];
    size_t need = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1;
    if (len - (lead - 1) < need)
        text[lead - 1] = '\0';
}

static void fill(struct tv_error *e, enum tv_err code, const char *pointer, const char *fmt,
                 va_list args) TV_PRINTF(4, 0);

static void fill(struct tv_error *e, enum tv_err code, const char *pointer, const char *fmt,
                 va_list args) {
    /* Built aside: the arguments may be texts of the error that is replaced. */
    struct tv_error fresh = {.code = code};
    int len = vsnprintf(fresh.detail, sizeof(fresh.detail), fmt, args);
    if (len >= (int)sizeof(fresh.detail))
        drop_half_character(fresh.detail);
    len = snprintf(fresh.pointer, sizeof(fresh.pointer), "%s", pointer);
    if (len >= (int)sizeof(fresh.pointer))
        drop_half_character(fresh.pointer);
    *e = fresh;
}

enum tv_err tv_fail(struct tv_error *e, enum tv_err code, const char *fmt, ...) {
    if (e != NULL) {
        va_list args;
        va_start(args, fmt);
        fill(e, code, "", fmt, args);
        va_end(args);
    }
    return code;
}

enum tv_err tv_fail_at(struct tv_error *e, enum tv_err code, const char *pointer, const char *fmt,
                       ...) {
    if (e != NULL) {
        va_list args;
        va_start(args, fmt);
        fill(e, code, pointer, fmt, args);
        va_end(args);
    }
    return code;
}

static void add_member(struct tv_error *e, struct tv_error_member member) {
    if (e == NULL)
        return;
    if (e->members >= TV_ERROR_MEMBERS_MAX)
        tv_panic("too many members in an error: %s", member.name);
    e->member[e->members++] = member;
}

void tv_error_add_time(struct tv_error *e, const char *name, int64_t time_us) {
    add_member(e, (struct tv_error_member){.name = name, .time_us = time_us});
}

void tv_error_add_string(struct tv_error *e, const char *name, const char *value) {
    add_member(e, (struct tv_error_member){.name = name, .string = value});
}
