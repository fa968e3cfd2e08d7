#include "services/gateway/negotiate.h"

#define WEIGHT_MAX 1000 /* q=1: weights have three digits */

static const char *const coding_names[CODINGS] = {
    [CODING_BR] = "br", [CODING_GZIP] = "gzip", [CODING_IDENTITY] = "identity"};

/* A qvalue in thousandths (RFC 9110 section 12.4.2); false when it is none. */
static bool read_weight(struct tv_str text, unsigned *ret) {
    struct tv_str fraction = text, whole = tv_str_cut(&fraction, '.');
    uint64_t ones, thousandths = 0;
    if (whole.len != 1 || !tv_str_to_u64(whole, 0, 1, &ones) || fraction.len > 3)
        return false;
    if (fraction.len > 0 && !tv_str_to_u64(fraction, 0, 999, &thousandths))
        return false;
    for (size_t i = fraction.len; i < 3; i++)
        thousandths *= 10;
    *ret = (unsigned)(ones * WEIGHT_MAX + thousandths);
    return *ret <= WEIGHT_MAX;
}

/* One member of a list, "gzip;q=0.5": its name without parameters, and its weight. A member with a
 * broken weight is passed over: the name is empty. */
static struct tv_str cut_member(struct tv_str *list, unsigned *ret_weight) {
    struct tv_str rest = tv_str_cut(list, ',');
    struct tv_str name = tv_str_trim(tv_str_cut(&rest, ';'));
    *ret_weight = WEIGHT_MAX;
    while (rest.p != NULL) {
        struct tv_str value = tv_str_trim(tv_str_cut(&rest, ';'));
        struct tv_str parameter = tv_str_cut(&value, '=');
        if (tv_str_eq_nocase(parameter, TV_S("q")) && !read_weight(value, ret_weight))
            return (struct tv_str){NULL, 0};
    }
    return name;
}

enum coding negotiate_coding(struct tv_str accept_encoding, unsigned there) {
    unsigned weights[CODINGS] = {0}, any = 0;
    bool named[CODINGS] = {false}, any_named = false;
    while (accept_encoding.p != NULL) {
        unsigned weight;
        struct tv_str name = cut_member(&accept_encoding, &weight);
        for (unsigned c = 0; c < CODINGS; c++) {
            if (!tv_str_eq_nocase(name, tv_str(coding_names[c])))
                continue;
            weights[c] = weight;
            named[c] = true;
        }
        if (tv_str_eq(name, TV_S("*"))) {
            any = weight;
            any_named = true;
        }
    }
    enum coding best = CODING_IDENTITY;
    unsigned best_weight = 0;
    for (unsigned c = 0; c < CODINGS; c++) {
        unsigned weight = named[c] ? weights[c] : any_named ? any : 0;
        if ((there & CODING_BIT(c)) != 0 && weight > best_weight) {
            best = (enum coding)c;
            best_weight = weight;
        }
    }
    return best;
}

bool negotiate_names(struct tv_str accept, const char *media_type) {
    while (accept.p != NULL) {
        unsigned weight;
        struct tv_str name = cut_member(&accept, &weight);
        if (tv_str_eq_nocase(name, tv_str(media_type)) && weight > 0)
            return true;
    }
    return false;
}

bool negotiate_has(struct tv_str if_none_match, const char *etag) {
    if (tv_str_eqz(tv_str_trim(if_none_match), "*"))
        return true;
    while (if_none_match.p != NULL) {
        struct tv_str tag = tv_str_trim(tv_str_cut(&if_none_match, ','));
        if (tv_str_starts(tag, TV_S("W/"))) /* compared weakly (section 13.1.2) */
            tag = (struct tv_str){tag.p + 2, tag.len - 2};
        if (tv_str_eqz(tag, etag))
            return true;
    }
    return false;
}
