/* validate.h - checks a request against the bounds that its .proto states for each field. Pure. */
#ifndef TV_VALIDATE_H
#define TV_VALIDATE_H

#include "lib/err.h"
#include "lib/pb.h"
#include "services/gateway/route.h"

/* Walks the message and its sub-messages; TV_ERR_INVALID with a JSON pointer for the first field
 * that is missing, too long, too short, out of bounds or not of its pattern. */
TV_MUST_CHECK enum tv_err tv_validate(const struct tv_rules *rules, const ProtobufCMessage *m,
                                      struct tv_error *e);

/* Whether the text is of the pattern; for the tests of each. */
bool tv_pattern_matches(enum tv_pattern pattern, struct tv_str text);
/* Refuses members that a client may not set: hidden fields, and fields that the path gives. */
TV_MUST_CHECK enum tv_err tv_validate_settable(const struct tv_rules *rules,
                                               const ProtobufCMessage *m, bool body,
                                               struct tv_error *e);

#endif
