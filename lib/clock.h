/* clock.h - this host's clocks, and instants as text.
 *
 * No rule of the product asks this host's wall clock: windows and due times are judged by the
 * database (ADR 0004). The monotonic clock measures deadlines; the wall clock stamps log lines
 * and JWTs. Instants are int64_t microseconds since 1970-01-01T00:00:00Z everywhere (`_us`).
 */
#ifndef TV_CLOCK_H
#define TV_CLOCK_H

#include "base.h"
#include "str.h"

#define TV_US_PER_S INT64_C(1000000)
#define TV_US_PER_MS INT64_C(1000)

int64_t tv_clock_mono_us(void);
int64_t tv_clock_wall_us(void);

/* For tests: both clocks answer what `fn` says until it is set back to NULL. */
void tv_clock_set_source(int64_t (*fn)(void));

/* RFC 3339 with any offset and up to 9 fraction digits (cut to microseconds); years 0001-9999 as
 * google.protobuf.Timestamp; second 60 is refused. False when it is not that. */
TV_MUST_CHECK bool tv_time_parse(struct tv_str s, int64_t *ret_us);

#define TV_TIME_TEXT_MAX 32
/* Writes RFC 3339 in UTC with "Z" and 0, 3 or 6 fraction digits as canonical ProtoJSON does.
 * Returns the length; `out` is NUL-terminated. */
size_t tv_time_format(int64_t us, char out[static TV_TIME_TEXT_MAX]);

#endif
