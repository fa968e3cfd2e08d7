/* answer.h - a reply as the client sees it. */
#ifndef TV_ANSWER_H
#define TV_ANSWER_H

#include "lib/httpd.h"
#include "lib/pb.h"

struct flight;

/* The reply as JSON with the status of the route: ETag from `version`, Location by the route's
 * template, Link from `next_cursor`. `reply` is the message the service gave; the body is the
 * route's response field of it, or all of it. */
void answer_reply(struct flight *f, const ProtobufCMessage *reply);
/* The same with more fields and, when `status` is not 0, another status. */
void answer_with(struct flight *f, unsigned status, const ProtobufCMessage *body,
                 const struct tv_http_field *extra, size_t extra_count);
/* No body (204 or 304). */
void answer_empty(struct flight *f, unsigned status, const struct tv_http_field *extra,
                  size_t extra_count);
/* The bottom of all of them: adds the fields that every answer has, and moves the flight. */
void answer_send(struct flight *f, unsigned status, const char *content_type,
                 const struct tv_http_field *extra, size_t extra_count, struct tv_str body);

/* The same for bytes that stay as long as the server (a file of the web app), with exactly these
 * fields. */
void answer_lasting(struct flight *f, unsigned status, const struct tv_http_field *fields,
                    size_t field_count, struct tv_str body);

#define ANSWER_FIELDS_MAX 14
/* The fields of every answer at all; returns how many were written to `fields`. */
size_t answer_base_fields(const struct flight *f,
                          struct tv_http_field fields[static ANSWER_FIELDS_MAX]);
/* The fields of every answer of the API, those included. */
size_t answer_common_fields(const struct flight *f,
                            struct tv_http_field fields[static ANSWER_FIELDS_MAX]);

#endif
