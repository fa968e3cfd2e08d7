/* request.h - from path, query, fields and body to one request message that keeps its rules. */
#ifndef TV_REQUEST_H
#define TV_REQUEST_H

#include "lib/err.h"
#include "lib/pb.h"

struct flight;

/* Makes the request message of the flight's route. Body members first, then the path's, so that
 * what the path says stands; a body that names a hidden field or a path's field is refused. A raw
 * body is not read: its bytes (borrowed from the exchange) and Authorization go to their fields.
 * Idempotency-Key and If-Match go to theirs. Errors point at the member, parameter or field at
 * fault. */
TV_MUST_CHECK enum tv_err request_read(struct flight *f, ProtobufCMessage **ret,
                                       struct tv_error *e);

/* Percent-decoding (RFC 3986 section 2.1); false for a broken escape, NUL or broken UTF-8.
 * With `plus` a '+' is a space, as forms write it. */
TV_MUST_CHECK bool request_decode(struct tv_str text, bool plus, struct tv_arena *a,
                                  struct tv_str *ret);

#endif
