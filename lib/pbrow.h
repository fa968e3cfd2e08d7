/* pbrow.h - SQL statements and protobuf messages meet here, by name.
 *
 * A statement is one .sql file. `:appointment_id` in it is the request's field of that name,
 * `:actor.person_id` (clinic_id, person_id, session_id, role) is who asks. A result column fills
 * the reply's field of its name; `"join.opens_at"` fills a field of a sub-message. A column named
 * `"slots[].starts_at"` makes each row one element of the repeated message field `slots`; columns
 * without that prefix are taken from the last row and fill the reply itself. So a list is one
 * statement, and with a left join it says something of the whole also when it is empty: a row whose
 * element columns are all NULL makes no element. NULL leaves a field unset.
 *
 * Every value travels as text:
 *   field              parameter                        column
 *   number             digits                           int2, int4, int8; float4, float8, numeric
 *   bool               true, false                      bool
 *   string             as it is; '' of a *_id: NULL     text, uuid, date, …
 *   enum               its name, 'CONFIRMED'; 0: NULL   text or an enum type, the name
 *   bytes              \x and hex                       bytea
 *   Timestamp          RFC 3339; unset: NULL            timestamptz
 *   other message      ProtoJSON; unset: NULL           json, jsonb or text: ProtoJSON
 *   repeated scalars   array literal, '{"1","2"}'       json, jsonb or text: a JSON array
 *   repeated messages  a JSON array of ProtoJSON        the same, or rows (above)
 * A statement casts where PostgreSQL cannot tell the type: `:limit::int`. tools/gen_sql.py turns
 * `:name` into `$n`. `:actor.role` is a name too ('PATIENT'); what the actor lacks is NULL.
 *
 * What does not fit is found by tv_pbrow_check(). How
 * columns meet fields is looked up once for a statement and a type, so a row costs no names. This
 * belongs to the loop's thread.
 */
#ifndef TV_PBROW_H
#define TV_PBROW_H

#include "pb.h"
#include "pg.h"

struct tv_actor; /* rpc.h */

/* Parameter texts for a statement, in the arena; they may borrow from `request` and `actor`. A
 * parameter without a field is a panic. `actor` may be NULL. */
const char *const *tv_pbrow_params(const struct tv_pg_statement *st,
                                   const ProtobufCMessage *request, const struct tv_actor *actor,
                                   struct tv_arena *a);
/* Fills an initialised reply; without rows it stays as it is. TV_ERR_INTERNAL, with the column in
 * `e->pointer`, when a value does not fit. */
TV_MUST_CHECK enum tv_err tv_pbrow_fill(const struct tv_pg_result *r, ProtobufCMessage *reply,
                                        struct tv_arena *a, struct tv_error *e);
/* Whether parameters and columns of the statement all have their fields, of fitting types; the
 * fault is in `e`. `described` is from tv_pg_described(); while it is NULL, only the parameters are
 * checked. `request` and `reply` may be NULL when the statement is not filled from one. */
TV_MUST_CHECK enum tv_err tv_pbrow_check(const struct tv_pg_statement *st,
                                         const struct tv_pg_result *described,
                                         const ProtobufCMessageDescriptor *request,
                                         const ProtobufCMessageDescriptor *reply,
                                         struct tv_error *e);
/* The parameters only. */
TV_MUST_CHECK enum tv_err tv_pbrow_check_params(const struct tv_pg_statement *st,
                                                const ProtobufCMessageDescriptor *request,
                                                struct tv_error *e);

#endif
