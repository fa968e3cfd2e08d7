/* cursor.h - where a page of a list ended, as opaque text.
 *
 * Lists go by (starts_at, id); the cursor is that pair of the last row, in base64url. It is no
 * secret and gives no right: the next page is read with the rights of who asks.
 */
#ifndef APPOINTMENTS_CURSOR_H
#define APPOINTMENTS_CURSOR_H

#include "lib/base.h"
#include "lib/str.h"

#define TV_CURSOR_TEXT 36 /* with NUL */

struct tv_cursor {
    int64_t starts_at_us;
    char id[37]; /* UUID */
};

void tv_cursor_format(const struct tv_cursor *c, char out[static TV_CURSOR_TEXT]);
/* False for anything that tv_cursor_format() does not write. */
TV_MUST_CHECK bool tv_cursor_parse(struct tv_str text, struct tv_cursor *ret);

#endif
