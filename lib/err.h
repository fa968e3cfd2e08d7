/* err.h - the one table of errors, and the object that carries one.
 *
 * A function that can fail returns `enum tv_err` (0 is success) and is TV_MUST_CHECK. Details go
 * into a `struct tv_error` out-parameter: one message that a person may see, and typed members
 * (problem details, RFC 9457 section 3.2). Nothing in lib/ logs an error; whoever ends the request
 * does, once. Every row is a slug of its own: `type` is `/problems/<slug>` on HTTP and the header
 * `Nats-Service-Error-Code` carries the HTTP number on the bus (ADR-32 of NATS).
 */
#ifndef TV_ERR_H
#define TV_ERR_H

#include "base.h"

/* X(name, http, retryable, slug, title)
 * retryable: the same request may be sent again as it is, later. */
#define TV_ERR_MAP(X)                                                                              \
    X(MALFORMED, 400, false, "malformed", "The request could not be read")                         \
    X(INVALID, 422, false, "invalid", "The request has invalid members")                           \
    X(UNAUTHENTICATED, 401, false, "unauthenticated", "Please log in")                             \
    X(SESSION_EXPIRED, 401, false, "session-expired", "The session has expired")                   \
    X(BAD_CREDENTIALS, 401, false, "bad-credentials", "The mail address or password is wrong")     \
    X(FORBIDDEN, 403, false, "forbidden", "This is not allowed for you")                           \
    X(CROSS_SITE, 403, false, "cross-site", "Requests from other sites are refused")               \
    X(WRONG_PARTICIPANT_TYPE, 403, false, "wrong-participant-type",                                \
      "You take part in this appointment as someone else")                                         \
    X(TOO_EARLY, 403, false, "too-early", "The call is not open yet")                              \
    X(NOT_FOUND, 404, false, "not-found", "There is no such thing")                                \
    X(METHOD_NOT_ALLOWED, 405, false, "method-not-allowed", "This method is not allowed here")     \
    X(CONFLICT, 409, false, "conflict", "This conflicts with something else")                      \
    X(SLOT_TAKEN, 409, false, "slot-taken", "The slot is taken")                                   \
    X(ILLEGAL_TRANSITION, 409, false, "illegal-transition", "The appointment cannot change so")    \
    X(NOT_CONFIRMED, 409, false, "not-confirmed", "The appointment is not confirmed yet")          \
    X(ALREADY_IN_CALL, 409, false, "already-in-call", "You are in this call on another device")    \
    X(GONE, 410, false, "gone", "This is over")                                                    \
    X(OVER, 410, false, "over", "The appointment is over")                                         \
    X(TOO_LATE, 410, false, "too-late", "The call is closed")                                      \
    X(STALE, 412, false, "stale", "It was changed meanwhile")                                      \
    X(TOO_LARGE, 413, false, "too-large", "The request is too large")                              \
    X(URI_TOO_LONG, 414, false, "uri-too-long", "The address is too long")                         \
    X(UNSUPPORTED_MEDIA_TYPE, 415, false, "unsupported-media-type", "This format is not accepted") \
    X(KEY_REUSED, 422, false, "idempotency-key-reused",                                            \
      "This Idempotency-Key was used for another request")                                         \
    X(VERSION_REQUIRED, 428, false, "version-required", "If-Match is required")                    \
    X(RATE_LIMITED, 429, true, "rate-limited", "Too many requests")                                \
    X(HEADERS_TOO_LARGE, 431, false, "headers-too-large", "The headers are too large")             \
    X(INTERNAL, 500, false, "internal", "Something went wrong here")                               \
    X(UNAVAILABLE, 503, true, "unavailable", "The service cannot be reached just now")             \
    X(MEDIA_UNAVAILABLE, 503, true, "media-unavailable", "Video is not available just now")        \
    X(DEADLINE, 504, true, "deadline", "It took too long")                                         \
    X(UNKNOWN_OUTCOME, 504, true, "unknown-outcome",                                               \
      "It is not known whether this was done: send it again with the same key")

enum tv_err {
    TV_OK = 0,
#define X(name, http, retryable, slug, title) TV_ERR_##name,
    TV_ERR_MAP(X)
#undef X
        TV_ERR_COUNT
};

struct tv_err_info {
    const char *name;  /* "SLOT_TAKEN" */
    const char *slug;  /* "slot-taken" */
    const char *title; /* one sentence without a full stop */
    unsigned http;     /* status, also the number on the bus */
    bool retryable;
};

/* The row of an error; aborts on TV_OK or a number outside the table. Borrowed, static. */
const struct tv_err_info *tv_err_info(enum tv_err code);

/* The error with this slug, or TV_OK when there is none (an error of a newer peer). */
enum tv_err tv_err_by_slug(const char *slug);

#define TV_ERROR_MEMBERS_MAX 4

/* A typed member of the problem: either a time (microseconds since 1970) or a static string. */
struct tv_error_member {
    const char *name;   /* the JSON name in message Problem, e.g. "opensAt"; static */
    const char *string; /* static, or NULL when it is a time */
    int64_t time_us;
};

struct tv_error {
    enum tv_err code;
    char detail[256];       /* for a person; empty: the title says it all */
    char pointer[128];      /* RFC 6901 pointer or parameter at fault; empty: the whole request */
    uint32_t retry_after_s; /* 0: not said */
    unsigned members;
    struct tv_error_member member[TV_ERROR_MEMBERS_MAX];
};

#define TV_ERROR_INIT ((struct tv_error){.code = TV_OK})

/* Sets code and detail (printf), clears the rest; returns `code`, so that
 * `return tv_fail(e, TV_ERR_INVALID, "...")` is one line. `e` may be NULL. */
enum tv_err tv_fail(struct tv_error *e, enum tv_err code, const char *fmt, ...) TV_PRINTF(3, 4);

/* The same with a pointer to the member or parameter at fault, e.g. "/startsAt". */
enum tv_err tv_fail_at(struct tv_error *e, enum tv_err code, const char *pointer, const char *fmt,
                       ...) TV_PRINTF(4, 5);

/* Adds a typed member; `name` and `value` are static. More than the maximum is a panic. */
void tv_error_add_time(struct tv_error *e, const char *name, int64_t time_us);
void tv_error_add_string(struct tv_error *e, const char *name, const char *value);

#endif
