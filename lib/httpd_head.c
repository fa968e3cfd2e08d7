/* httpd_head.c - see httpd_head.h. */
#include "lib/httpd_head.h"

#include <string.h>

/* The length of a name tells the names apart: most fields of a request end here. */
void tv_httpd_head_field(struct tv_httpd_head *h, struct tv_str name, struct tv_str value) {
    switch (name.len) {
    case 4:
        h->hosts += tv_str_eq_nocase(name, TV_S("host"));
        break;
    case 6:
        h->waits = h->waits || tv_str_eq_nocase(name, TV_S("expect"));
        break;
    case 14:
        if (tv_str_eq_nocase(name, TV_S("content-length"))) {
            h->lengths++;
            h->length = value;
        }
        break;
    case 17:
        if (tv_str_eq_nocase(name, TV_S("transfer-encoding"))) {
            h->encodings++;
            h->chunked = tv_str_eq_nocase(value, TV_S("chunked"));
        }
        break;
    default:
        break;
    }
}

const char *tv_httpd_head_fault(const struct tv_httpd_head *h, const char *version) {
    if (h->hosts > 1 || (h->hosts == 0 && strcmp(version, "HTTP/1.1") == 0))
        return "One field Host is needed.";
    if (h->lengths + h->encodings > 1)
        return "The length of the body is said more than once.";
    if (h->encodings == 1 && !h->chunked)
        return "The only transfer encoding is chunked.";
    return NULL;
}
