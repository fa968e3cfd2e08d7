#include "services/gateway/flight.h"

#include <stdio.h>

#include "lib/clock.h"
#include "lib/crypto.h"
#include "services/gateway/gateway.h"

void flights_init(struct tv_flights *flights) {
    for (unsigned i = 0; i < FLIGHT_STATES; i++) {
        TAILQ_INIT(&flights->list[i]);
        flights->count[i] = 0;
    }
}

unsigned flights_total(const struct tv_flights *flights) {
    unsigned total = 0;
    for (unsigned i = 0; i < FLIGHT_STATES; i++)
        total += flights->count[i];
    return total;
}

static bool is_hex(struct tv_str s) {
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return true;
}

static bool is_zero(struct tv_str s) {
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] != '0')
            return false;
    return true;
}

/* W3C Trace Context section 3.2: version 00 with a valid trace id and parent id. */
static bool is_traceparent(struct tv_str s) {
    if (s.len != TV_TRACEPARENT_TEXT - 1 || memcmp(s.p, "00-", 3) != 0 || s.p[35] != '-' ||
        s.p[52] != '-')
        return false;
    struct tv_str trace = {s.p + 3, 32}, parent = {s.p + 36, 16}, flags = {s.p + 53, 2};
    return is_hex(trace) && is_hex(parent) && is_hex(flags) && !is_zero(trace) && !is_zero(parent);
}

static void write_hex(char *out, const unsigned char *bytes, size_t len) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
}

/* The lowest bit of the flags. */
static bool is_sampled(struct tv_str traceparent) {
    return strchr("13579bdf", traceparent.p[54]) != NULL;
}

/* Continues the caller's trace with a parent id of our own, or begins one. */
static void make_traceparent(char out[static TV_TRACEPARENT_TEXT], struct tv_str given) {
    bool goes_on = is_traceparent(given);
    unsigned char random[24];
    tv_random_name(random, sizeof random);
    memcpy(out, "00-", 3);
    if (goes_on)
        memcpy(out + 3, given.p + 3, 32);
    else
        write_hex(out + 3, random, 16);
    out[35] = '-';
    write_hex(out + 36, random + 16, 8);
    memcpy(out + 52, goes_on && is_sampled(given) ? "-01" : "-00", 4);
}

struct flight *flight_new(struct gateway *g, struct tv_http *x) {
    struct tv_arena *arena = tv_http_arena(x);
    struct flight *f = TV_ARENA_NEW(arena, struct flight);
    f->gateway = g;
    f->http = x;
    f->arena = arena;
    f->started_us = tv_clock_mono_us();
    tv_uuid(f->context.request_id);
    make_traceparent(f->context.traceparent, tv_http_header(x, "traceparent"));
    f->state = FLIGHT_READING;
    TAILQ_INSERT_TAIL(&g->flights.list[FLIGHT_READING], f, link);
    g->flights.count[FLIGHT_READING]++;
    tv_http_set_user(x, f);
    return f;
}

void flight_move(struct flight *f, enum flight_state to) {
    struct tv_flights *flights = &f->gateway->flights;
    TAILQ_REMOVE(&flights->list[f->state], f, link);
    flights->count[f->state]--;
    f->state = to;
    TAILQ_INSERT_TAIL(&flights->list[to], f, link);
    flights->count[to]++;
}

void flight_end(struct flight *f) {
    struct tv_flights *flights = &f->gateway->flights;
    TAILQ_REMOVE(&flights->list[f->state], f, link);
    flights->count[f->state]--;
}
