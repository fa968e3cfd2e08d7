/* fake_http.h - an exchange without a network: struct tv_http as a list of fields, for files of the
 * gateway that look at a request and are tested without libmicrohttpd. A program that includes it
 * links these functions instead of lib/httpd.c. */
#ifndef TV_TEST_FAKE_HTTP_H
#define TV_TEST_FAKE_HTTP_H

#include "lib/httpd.h"

#define FAKE_FIELDS_MAX 4

struct tv_http {
    struct tv_http_field fields[FAKE_FIELDS_MAX]; /* name NULL: no more */
    struct tv_arena *arena;
    void *user;
};

struct tv_str tv_http_header(const struct tv_http *x, const char *name) {
    for (size_t i = 0; i < FAKE_FIELDS_MAX && x->fields[i].name != NULL; i++)
        if (tv_str_eq_nocase(tv_str(x->fields[i].name), tv_str(name)))
            return tv_str(x->fields[i].value);
    return (struct tv_str){NULL, 0};
}
struct tv_arena *tv_http_arena(struct tv_http *x) {
    return x->arena;
}
void tv_http_set_user(struct tv_http *x, void *user) { x->user = user; }

#endif
