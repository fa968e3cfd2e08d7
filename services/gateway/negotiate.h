/* negotiate.h - what a client says that it takes, and what it has already (RFC 9110 sections 12.5
 * and 13.1). Pure. Values are those of the fields, p NULL when the field is absent. */
#ifndef TV_NEGOTIATE_H
#define TV_NEGOTIATE_H

#include "lib/base.h"
#include "lib/str.h"

/* In the order in which we prefer them. */
enum coding { CODING_BR, CODING_GZIP, CODING_IDENTITY };
#define CODINGS 3
#define CODING_BIT(coding) (1u << (coding))

/* The coding to answer with, of those whose bits are in `there`: the one with the highest weight in
 * Accept-Encoding, and of equal ones our first. When none is acceptable it is the identity, which
 * is always there. */
enum coding negotiate_coding(struct tv_str accept_encoding, unsigned there);

/* Whether Accept names this media type, and not only by a wildcard. */
bool negotiate_names(struct tv_str accept, const char *media_type);

/* Whether If-None-Match has this entity tag, which is given with its quotes and has no comma. */
bool negotiate_has(struct tv_str if_none_match, const char *etag);

#endif
