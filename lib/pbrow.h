/* pbrow.h - SQL statements and protobuf messages meet here, by name.
 *
 * A statement is one .sql file. `:appointment_id` in it is the request's field of that name,
 * `:actor.person_id` (clinic_id, person_id, role, session_id) is who asks. A result column fills
 * the reply's field of its name; `"join.opens_at"` fills a field of a sub-message; a column whose
 * field is a message or repeated holds ProtoJSON of it (json_agg). When the reply has a single
 * repeated message field and a column is named `field[].x`, each row is one element; columns
 * without that prefix are taken from the last row and fill the reply itself. tools/gen_sql.py turns
 * `:name` into `$n`. Every parameter is sent as text, so a statement casts: `:limit::int`.
 * What does not fit (a missing field, a wrong type, NULL for a scalar) is found at start by
 * tv_pbrow_check(), against the prepared statement, not at run time.
 */
#ifndef TV_PBROW_H
#define TV_PBROW_H

#include "pb.h"
#include "pg.h"

struct tv_actor; /* rpc.h */

/* Parameter texts for a statement, in the arena; absent sub-messages, empty strings of fields
 * whose name ends in _id, and unset Timestamps are sent as NULL; arrays as PostgreSQL array
 * literals. */
const char *const *tv_pbrow_params(const struct tv_pg_statement *st, const ProtobufCMessage *request,
                                   const struct tv_actor *actor, struct tv_arena *a);
/* Fills an initialised reply; TV_ERR_INTERNAL when a value does not fit. */
TV_MUST_CHECK enum tv_err tv_pbrow_fill(const struct tv_pg_result *r, ProtobufCMessage *reply,
                                        struct tv_arena *a, struct tv_error *e);
/* Whether parameters and columns of the statement all have their fields; the fault is in `e`. */
TV_MUST_CHECK enum tv_err tv_pbrow_check(const struct tv_pg_statement *st,
                                         const ProtobufCMessageDescriptor *request,
                                         const ProtobufCMessageDescriptor *reply,
                                         struct tv_error *e);

#endif
