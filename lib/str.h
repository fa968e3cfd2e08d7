/* str.h - slices and a capped byte buffer.
 *
 * A `struct tv_str` is a borrowed run of bytes, not NUL-terminated. A `struct tv_buf` grows up to
 * the cap it was made with; what does not fit sets `overflow`, later appends do nothing, and the
 * caller checks once at the end.
 */
#ifndef TV_STR_H
#define TV_STR_H

#include <stdarg.h>
#include <string.h>

#include "base.h"

struct tv_str {
    const char *p; /* borrowed; may be NULL when len is 0 */
    size_t len;
};

#define TV_S(literal) ((struct tv_str){"" literal, sizeof(literal) - 1})
#define TV_STR_ARGS(s) (int)(s).len, (s).p /* for "%.*s" */

static inline struct tv_str tv_str(const char *z) {
    return (struct tv_str){z, z == NULL ? 0 : strlen(z)};
}
static inline bool tv_str_eq(struct tv_str a, struct tv_str b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}
static inline bool tv_str_eqz(struct tv_str a, const char *z) { return tv_str_eq(a, tv_str(z)); }

/* ASCII case-insensitive, as HTTP field names and tokens are (RFC 9110 section 5.1). */
bool tv_str_eq_nocase(struct tv_str a, struct tv_str b);
bool tv_str_starts(struct tv_str s, struct tv_str prefix);
struct tv_str tv_str_trim(struct tv_str s); /* without spaces and tabs at both ends */

/* Cuts at the first `sep`: returns what stands before it and leaves in `*rest` what follows.
 * Without `sep` returns all and `*rest` is empty with p NULL. */
struct tv_str tv_str_cut(struct tv_str *rest, char sep);

/* Strict decimal: digits only, no sign, no spaces, within [min, max]; false otherwise. */
TV_MUST_CHECK bool tv_str_to_u64(struct tv_str s, uint64_t min, uint64_t max, uint64_t *ret);
TV_MUST_CHECK bool tv_str_to_i64(struct tv_str s, int64_t min, int64_t max, int64_t *ret);

/* Whether it is a UUID in the 8-4-4-4-12 form with lower-case hex (RFC 9562 section 4). */
bool tv_str_is_uuid(struct tv_str s);
/* Whether it is well-formed UTF-8 without NUL (RFC 3629). */
bool tv_str_is_utf8(struct tv_str s);

struct tv_buf {
    char *data; /* owned; NUL-terminated whenever len > 0 or anything was appended */
    size_t len;
    size_t size; /* allocated bytes */
    size_t max;  /* len never passes this */
    bool overflow;
};

#define TV_BUF_INIT(max_bytes) ((struct tv_buf){.max = (max_bytes)})

void tv_buf_append(struct tv_buf *b, const void *data, size_t len);
void tv_buf_char(struct tv_buf *b, char c);
void tv_buf_printf(struct tv_buf *b, const char *fmt, ...) TV_PRINTF(2, 3);
void tv_buf_vprintf(struct tv_buf *b, const char *fmt, va_list args) TV_PRINTF(2, 0);
static inline void tv_buf_str(struct tv_buf *b, struct tv_str s) { tv_buf_append(b, s.p, s.len); }
static inline void tv_buf_puts(struct tv_buf *b, const char *z) { tv_buf_append(b, z, strlen(z)); }
/* Appends `s` as a JSON string with its quotes (RFC 8259); the input must be UTF-8. */
void tv_buf_json(struct tv_buf *b, struct tv_str s);
static inline struct tv_str tv_buf_view(const struct tv_buf *b) {
    return (struct tv_str){b->data, b->len};
}
void tv_buf_clear(struct tv_buf *b); /* empty again, memory kept, overflow forgotten */
void tv_buf_done(struct tv_buf *b);  /* frees what it owns; may be called twice */

#endif
