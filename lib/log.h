/* log.h - JSON lines on stderr, with a closed list of field names.
 *
 * A line is a constant message and typed fields: `tv_log_info("room created", F_STR(ROOM, name))`.
 * Field names come from TV_LOG_FIELDS only, so that health data cannot enter by accident: a new
 * field shows in review. No names, mail addresses or reasons; ids are opaque. The service, version
 * and the current request (tv_log_context_set) are added to every line. Library code logs nothing
 * but debug lines.
 */
#ifndef TV_LOG_H
#define TV_LOG_H

#include "base.h"
#include "str.h"

/* X(NAME, "key"); the keys that every line has (ts, level, svc, version, msg, request_id, trace_id,
 * cut) are taken. */
#define TV_LOG_FIELDS(X)                                                                           \
    X(ADDRESS, "address")                                                                          \
    X(APPOINTMENT_ID, "appointment_id")                                                            \
    X(ATTEMPT, "attempt")                                                                          \
    X(BYTES, "bytes")                                                                              \
    X(CLINIC_ID, "clinic_id")                                                                      \
    X(CODE, "code")                                                                                \
    X(COUNT, "count")                                                                              \
    X(DURATION_US, "duration_us")                                                                  \
    X(ERROR, "error")                                                                              \
    X(EVENT_TYPE, "event_type")                                                                    \
    X(LATENESS_MS, "lateness_ms")                                                                  \
    X(METHOD, "method")                                                                            \
    X(NAME, "name")                                                                                \
    X(PERSON_ID, "person_id")                                                                      \
    X(PORT, "port")                                                                                \
    X(REASON, "reason")                                                                            \
    X(ROOM, "room")                                                                                \
    X(ROUTE, "route")                                                                              \
    X(SQLSTATE, "sqlstate")                                                                        \
    X(STATE, "state")                                                                              \
    X(STATEMENT, "statement")                                                                      \
    X(STATUS, "status")                                                                            \
    X(SUBJECT, "subject")                                                                          \
    X(VALUE, "value")                                                                              \
    X(VERSION, "row_version")

enum tv_log_key {
#define X(name, key) TV_FIELD_##name,
    TV_LOG_FIELDS(X)
#undef X
        TV_LOG_KEY_COUNT
};

enum tv_log_level { TV_LOG_DEBUG, TV_LOG_INFO, TV_LOG_WARN, TV_LOG_ERROR };

struct tv_log_field {
    enum tv_log_key key;
    enum { TV_LOG_IS_INT, TV_LOG_IS_STR } type;
    int64_t number;
    struct tv_str string; /* control bytes and broken UTF-8 are escaped; cut at 512 bytes */
};

#define F_INT(k, v) ((struct tv_log_field){TV_FIELD_##k, TV_LOG_IS_INT, (int64_t)(v), {NULL, 0}})
#define F_STR(k, z) ((struct tv_log_field){TV_FIELD_##k, TV_LOG_IS_STR, 0, tv_str(z)})
#define F_SLICE(k, s) ((struct tv_log_field){TV_FIELD_##k, TV_LOG_IS_STR, 0, (s)})

#define tv_log(level, message, ...)                                                                \
    do {                                                                                           \
        if (tv_log_enabled(level)) {                                                               \
            const struct tv_log_field tv_fields_[] = {__VA_ARGS__};                                \
            tv_log_write((level), "" message, tv_fields_,                                          \
                         sizeof(tv_fields_) / sizeof(struct tv_log_field));                        \
        }                                                                                          \
    } while (0)
#define tv_log_debug(...) tv_log(TV_LOG_DEBUG, __VA_ARGS__)
#define tv_log_info(...) tv_log(TV_LOG_INFO, __VA_ARGS__)
#define tv_log_warn(...) tv_log(TV_LOG_WARN, __VA_ARGS__)
#define tv_log_error(...) tv_log(TV_LOG_ERROR, __VA_ARGS__)

/* Once, before the first line. `service` and `version` are borrowed for ever. */
void tv_log_init(const char *service, const char *version, enum tv_log_level least);
/* Where lines go instead of stderr; for tests. NULL sets stderr again. */
void tv_log_set_sink(void (*sink)(const char *line, size_t len));
/* The request and trace ids that the following lines of this thread carry; NULL: none. Borrowed. */
void tv_log_context_set(const char *request_id, const char *trace_id);
bool tv_log_enabled(enum tv_log_level level);
void tv_log_write(enum tv_log_level level, const char *message, const struct tv_log_field *fields,
                  size_t count);
/* How many lines of a level were written since the start, by all threads; for admin.h. */
uint64_t tv_log_lines(enum tv_log_level level);
/* "debug", "info", "warn", "error". */
const char *tv_log_level_name(enum tv_log_level level);
/* The other way round; false for anything else. */
TV_MUST_CHECK bool tv_log_level_parse(const char *text, enum tv_log_level *ret);

#endif
