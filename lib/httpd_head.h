/* httpd_head.h - whether the head of a request can stand: how long its body is, and for whom it is.
 *
 * Two lengths, or a length and chunks, are how a request is smuggled past a proxy that believes
 * the other one (RFC 9112 section 6.3). Such a head is refused, not interpreted. Pure.
 */
#ifndef TV_HTTPD_HEAD_H
#define TV_HTTPD_HEAD_H

#include "lib/base.h"
#include "lib/str.h"

/* What its fields say, gathered in one pass. */
struct tv_httpd_head {
    unsigned hosts, lengths, encodings; /* how often the field is there */
    bool chunked;
    bool waits;           /* Expect: the body comes when we say so */
    struct tv_str length; /* borrowed */
};

void tv_httpd_head_field(struct tv_httpd_head *h, struct tv_str name, struct tv_str value);
/* Why it cannot stand, a sentence (static); NULL when it can. `version` is "HTTP/1.1". */
const char *tv_httpd_head_fault(const struct tv_httpd_head *h, const char *version);

#endif
