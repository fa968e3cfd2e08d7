/* conf.c - see conf.h. */
#include "lib/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define OUR_PREFIX "TELEVISIT_"
#define FILE_SUFFIX "_FILE"
#define SECRET_FILE_BYTES ((size_t)64 * 1024)
#define SHOWN_BYTES 80 /* of a wrong value, in a fault */

/* A member of the struct that is filled; the row's type says which of them it is. */
union member {
    const char *string;
    int64_t number;
    bool yes;
};

/* --- types: what each accepts, and how it is told --- */

struct unit {
    const char *name;
    int64_t us;
};
/* From fine to coarse. */
static const struct unit units[] = {{"ms", INT64_C(1000)},
                                    {"s", INT64_C(1000000)},
                                    {"m", INT64_C(60000000)},
                                    {"h", INT64_C(3600000000)}};

static bool is_bounded(const struct tv_conf_row *row) { return row->min != 0 || row->max != 0; }

static bool is_within(const struct tv_conf_row *row, int64_t v) {
    return !is_bounded(row) || (v >= row->min && v <= row->max);
}

static bool has_length(const struct tv_conf_row *row, struct tv_str text) {
    return text.len <= INT64_MAX && is_within(row, (int64_t)text.len);
}

static bool has_control(struct tv_str text) {
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7F)
            return true;
    return false;
}

static bool is_choice(const char *choices, struct tv_str text) {
    struct tv_str rest = tv_str(choices);
    while (rest.p != NULL)
        if (tv_str_eq(tv_str_cut(&rest, ','), text))
            return text.len > 0;
    return false;
}

static bool parse_string(const struct tv_conf_row *row, struct tv_str text, union member *ret) {
    ret->string = text.p;
    return has_length(row, text) && tv_str_is_utf8(text) && !has_control(text);
}

static bool parse_secret(const struct tv_conf_row *row, struct tv_str text, union member *ret) {
    ret->string = text.p;
    return has_length(row, text);
}

static bool parse_int(const struct tv_conf_row *row, struct tv_str text, union member *ret) {
    bool negative = tv_str_starts(text, TV_S("-"));
    if (negative)
        text = (struct tv_str){text.p + 1, text.len - 1};
    if (!tv_str_to_i64(text, 0, INT64_MAX, &ret->number))
        return false;
    if (negative)
        ret->number = -ret->number;
    return is_within(row, ret->number);
}

static bool parse_duration(const struct tv_conf_row *row, struct tv_str text, union member *ret) {
    size_t digits = 0;
    while (digits < text.len && text.p[digits] >= '0' && text.p[digits] <= '9')
        digits++;
    if (!tv_str_to_i64((struct tv_str){text.p, digits}, 0, INT64_MAX, &ret->number))
        return false;
    for (size_t i = 0; i < TV_ARRAY_LEN(units); i++)
        if (tv_str_eqz((struct tv_str){text.p + digits, text.len - digits}, units[i].name))
            return !__builtin_mul_overflow(ret->number, units[i].us, &ret->number) &&
                   is_within(row, ret->number);
    return false;
}

static bool parse_bool(const struct tv_conf_row *row, struct tv_str text, union member *ret) {
    ret->yes = tv_str_eqz(text, "true");
    return ret->yes || tv_str_eqz(text, "false");
}

static bool parse_url(const struct tv_conf_row *row, struct tv_str text, union member *ret) {
    ret->string = text.p;
    const char *mark = strstr(text.p, "://");
    if (mark == NULL || mark[3] == '\0' || strchr(text.p, ' ') != NULL || has_control(text))
        return false;
    return is_choice(row->choices, (struct tv_str){text.p, (size_t)(mark - text.p)});
}

/* host:port, or [IPv6]:port. */
static bool parse_address(const struct tv_conf_row *row, struct tv_str text, union member *ret) {
    ret->string = text.p;
    const char *colon = strrchr(text.p, ':');
    if (colon == NULL || strchr(text.p, ' ') != NULL || has_control(text))
        return false;
    struct tv_str host = {text.p, (size_t)(colon - text.p)};
    if (host.len > 2 && host.p[0] == '[' && host.p[host.len - 1] == ']')
        host = (struct tv_str){host.p + 1, host.len - 2};
    else if (host.len == 0 || memchr(host.p, ':', host.len) != NULL)
        return false;
    int64_t port;
    return memchr(host.p, '[', host.len) == NULL && memchr(host.p, ']', host.len) == NULL &&
           tv_str_to_i64(tv_str(colon + 1), 0, 65535, &port);
}

static bool parse_choice(const struct tv_conf_row *row, struct tv_str text, union member *ret) {
    ret->string = text.p;
    return is_choice(row->choices, text);
}

static const struct conf_type {
    const char *name;
    bool is_string; /* the member is an owned string */
    /* Strings are borrowed from `text`, which ends with a NUL; the caller copies them. */
    bool (*parse)(const struct tv_conf_row *row, struct tv_str text, union member *ret);
} types[] = {
    [TV_CONF_STRING] = {"string", true, parse_string},
    [TV_CONF_SECRET] = {"secret", true, parse_secret},
    [TV_CONF_INT] = {"integer", false, parse_int},
    [TV_CONF_DURATION] = {"duration", false, parse_duration},
    [TV_CONF_BOOL] = {"boolean", false, parse_bool},
    [TV_CONF_URL] = {"URL", true, parse_url},
    [TV_CONF_ADDRESS] = {"address", true, parse_address},
    [TV_CONF_CHOICE] = {"choice", true, parse_choice},
};

/* --- the struct --- */

static void store(const struct tv_conf_row *row, void *out, union member m) {
    void *at = (char *)out + row->offset;
    if (types[row->type].is_string)
        memcpy(at, &m.string, sizeof(m.string));
    else if (row->type == TV_CONF_BOOL)
        memcpy(at, &m.yes, sizeof(m.yes));
    else
        memcpy(at, &m.number, sizeof(m.number));
}

static union member load(const struct tv_conf_row *row, const void *out) {
    const void *at = (const char *)out + row->offset;
    union member m = {0};
    if (types[row->type].is_string)
        memcpy(&m.string, at, sizeof(m.string));
    else if (row->type == TV_CONF_BOOL)
        memcpy(&m.yes, at, sizeof(m.yes));
    else
        memcpy(&m.number, at, sizeof(m.number));
    return m;
}

void tv_conf_done(const struct tv_conf_row *rows, size_t count, void *out) {
    for (size_t i = 0; i < count; i++) {
        if (types[rows[i].type].is_string) {
            char *owned = (char *)(uintptr_t)load(&rows[i], out).string; /* ours since store() */
            if (owned != NULL && rows[i].type == TV_CONF_SECRET)
                explicit_bzero(owned, strlen(owned));
            free(owned);
        }
        store(&rows[i], out, (union member){0});
    }
}

/* --- telling --- */

static void put_duration(struct tv_buf *b, int64_t us) {
    for (size_t i = TV_ARRAY_LEN(units); i-- > 0;) {
        if (us % units[i].us == 0 && (us != 0 || strcmp(units[i].name, "s") == 0)) {
            tv_buf_printf(b, "%lld%s", (long long)(us / units[i].us), units[i].name);
            return;
        }
    }
    tv_buf_printf(b, "%lldus", (long long)us); /* cannot be written so, only be a bound */
}

/* A URL without what may be secret in it: user and password, and the query. */
static void put_url(struct tv_buf *b, const char *url) {
    const char *mark = strstr(url, "://"), *at = strrchr(url, '@');
    const char *from = url;
    if (at != NULL) {
        if (mark != NULL && mark < at)
            tv_buf_append(b, url, (size_t)(mark + 3 - url));
        tv_buf_puts(b, "***");
        from = at;
    }
    size_t len = strcspn(from, "?");
    tv_buf_append(b, from, len);
    if (from[len] != '\0')
        tv_buf_puts(b, "?***");
}

/* Text that somebody gave, in quotes, on one line; what is not printable becomes '?'. */
static void put_given(struct tv_buf *b, const struct tv_conf_row *row, const char *text) {
    struct tv_buf shown = TV_BUF_INIT(strlen(text) + 16);
    if (row->type == TV_CONF_URL)
        put_url(&shown, text);
    else
        tv_buf_puts(&shown, text);
    bool is_utf8 = tv_str_is_utf8(tv_buf_view(&shown));
    size_t len = TV_MIN(shown.len, (size_t)SHOWN_BYTES);
    while (len < shown.len && len > 0 && ((unsigned char)shown.data[len] & 0xC0) == 0x80)
        len--;
    tv_buf_char(b, '"');
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)shown.data[i];
        tv_buf_char(b, c < 0x20 || c == 0x7F || (c >= 0x80 && !is_utf8) ? '?' : (char)c);
    }
    tv_buf_puts(b, len < shown.len ? "...\"" : "\"");
    tv_buf_done(&shown);
}

static void put_bounds(struct tv_buf *b, const struct tv_conf_row *row, const char *suffix) {
    if (!is_bounded(row))
        return;
    if (row->type == TV_CONF_DURATION) {
        tv_buf_puts(b, " from ");
        put_duration(b, row->min);
        tv_buf_puts(b, " to ");
        put_duration(b, row->max);
    } else if (row->max == INT64_MAX) {
        tv_buf_printf(b, " of %lld or more", (long long)row->min);
    } else {
        tv_buf_printf(b, " from %lld to %lld", (long long)row->min, (long long)row->max);
    }
    tv_buf_puts(b, suffix);
}

static void put_choices(struct tv_buf *b, const char *choices, const char *suffix) {
    const char *before = "";
    struct tv_str rest = tv_str(choices);
    while (rest.p != NULL) {
        struct tv_str one = tv_str_cut(&rest, ',');
        tv_buf_printf(b, "%s%.*s%s", before, TV_STR_ARGS(one), suffix);
        before = rest.p != NULL && memchr(rest.p, ',', rest.len) != NULL ? ", " : " or ";
    }
}

/* What a row allows, as the end of "must be ...". */
static void put_allowed(struct tv_buf *b, const struct tv_conf_row *row) {
    switch (row->type) {
    case TV_CONF_STRING:
        tv_buf_puts(b, "text");
        put_bounds(b, row, " bytes");
        break;
    case TV_CONF_SECRET:
        tv_buf_puts(b, "a secret");
        put_bounds(b, row, " bytes");
        break;
    case TV_CONF_INT:
        tv_buf_puts(b, "a whole number");
        put_bounds(b, row, "");
        break;
    case TV_CONF_DURATION:
        tv_buf_puts(b, "a duration such as 250ms, 10s, 5m or 2h");
        put_bounds(b, row, "");
        break;
    case TV_CONF_BOOL:
        tv_buf_puts(b, "true or false");
        break;
    case TV_CONF_URL:
        tv_buf_puts(b, "a URL that begins with ");
        put_choices(b, row->choices, "://");
        break;
    case TV_CONF_ADDRESS:
        tv_buf_puts(b, "host:port with a port from 0 to 65535");
        break;
    case TV_CONF_CHOICE:
        put_choices(b, row->choices, "");
        break;
    }
}

static void put_value(struct tv_buf *b, const struct tv_conf_row *row, union member m) {
    if (types[row->type].is_string && m.string == NULL)
        return;
    if (row->type == TV_CONF_SECRET)
        tv_buf_puts(b, "***");
    else if (row->type == TV_CONF_URL)
        put_url(b, m.string);
    else if (types[row->type].is_string)
        tv_buf_puts(b, m.string);
    else if (row->type == TV_CONF_BOOL)
        tv_buf_puts(b, m.yes ? "true" : "false");
    else if (row->type == TV_CONF_DURATION)
        put_duration(b, m.number);
    else
        tv_buf_printf(b, "%lld", (long long)m.number);
}

/* --- names --- */

/* The text of a variable, or NULL when it is not set; an empty one counts as not set. Borrowed. */
static const char *env_get(char *const *env, const char *name) {
    size_t len = strlen(name);
    for (; *env != NULL; env++)
        if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
            return (*env)[len + 1] == '\0' ? NULL : *env + len + 1;
    return NULL;
}

#define NAME_BYTES 80

static bool may_be_file(const struct tv_conf_row *row) {
    return row->type == TV_CONF_SECRET || (row->flags & TV_CONF_FILE) != 0;
}

static const char *file_name(const struct tv_conf_row *row, char out[static NAME_BYTES]) {
    int len = snprintf(out, NAME_BYTES, "%s" FILE_SUFFIX, row->name);
    if (len >= NAME_BYTES)
        tv_panic("long variable name: %s", row->name);
    return out;
}

/* How many letters must be changed, added or removed to make one of the other. */
static size_t distance(struct tv_str a, struct tv_str b) {
    size_t row[NAME_BYTES];
    if (a.len >= NAME_BYTES || b.len >= NAME_BYTES)
        return NAME_BYTES;
    for (size_t k = 0; k <= b.len; k++)
        row[k] = k;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t k = 1; k <= b.len; k++) {
            size_t change = diagonal + (a.p[i - 1] != b.p[k - 1]);
            diagonal = row[k];
            row[k] = TV_MIN(change, TV_MIN(row[k], row[k - 1]) + 1);
        }
    }
    return row[b.len];
}

static void consider(struct tv_str name, const char *known, char *nearest, size_t *least) {
    size_t d = distance(name, tv_str(known));
    if (d < *least) {
        *least = d;
        (void)snprintf(nearest, NAME_BYTES, "%s", known);
    }
}

/* Refuses a TELEVISIT_ variable that no row knows, and says which one may be meant. */
static void check_name(const struct tv_conf_row *rows, size_t count, const char *entry,
                       struct tv_buf *faults) {
    enum { CLOSE = 4 };
    struct tv_str name = {entry, strcspn(entry, "=")};
    if (!tv_str_starts(name, TV_S(OUR_PREFIX)))
        return;
    char nearest[NAME_BYTES], file[NAME_BYTES];
    size_t least = CLOSE;
    for (size_t i = 0; i < count; i++) {
        consider(name, rows[i].name, nearest, &least);
        if (may_be_file(&rows[i]))
            consider(name, file_name(&rows[i], file), nearest, &least);
    }
    if (least == 0)
        return;
    tv_buf_printf(faults, "%.*s: there is no such variable", (int)TV_MIN(name.len, (size_t)200),
                  name.p);
    if (least < CLOSE)
        tv_buf_printf(faults, "; do you mean %s?", nearest);
    tv_buf_char(faults, '\n');
}

/* --- reading --- */

/* Reads the file into `out` (SECRET_FILE_BYTES + 1) without the newline at its end; NULL, or what
 * is wrong with it. */
static const char *read_secret(const char *path, char *out) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return strerror(errno);
    size_t len = 0;
    ssize_t n;
    while ((n = read(fd, out + len, SECRET_FILE_BYTES + 1 - len)) > 0 || (n < 0 && errno == EINTR))
        len += n > 0 ? (size_t)n : 0;
    int fault = errno;
    (void)close(fd);
    if (n < 0)
        return strerror(fault);
    if (len > SECRET_FILE_BYTES)
        return "the file is too large";
    if (len > 0 && out[len - 1] == '\n')
        len--;
    if (len > 0 && out[len - 1] == '\r')
        len--;
    out[len] = '\0';
    if (len == 0)
        return "the file is empty";
    return strlen(out) == len ? NULL : "the file has a NUL byte";
}

/* Checks `text` and stores what it says; strings are copied. */
static bool accept(const struct tv_conf_row *row, const char *text, void *out) {
    union member m = {0};
    if (!types[row->type].parse(row, tv_str(text), &m))
        return false;
    if (types[row->type].is_string)
        m.string = tv_strdup(text);
    store(row, out, m);
    return true;
}

static void put_refused(struct tv_buf *faults, const struct tv_conf_row *row, const char *name,
                        const char *text) {
    tv_buf_printf(faults, "%s: ", name);
    if (row->type != TV_CONF_SECRET) {
        put_given(faults, row, text);
        tv_buf_puts(faults, " ");
    }
    tv_buf_puts(faults, "must be ");
    put_allowed(faults, row);
    tv_buf_char(faults, '\n');
}

static void load_file(const struct tv_conf_row *row, const char *name, const char *path, void *out,
                      struct tv_buf *faults) {
    char *text = tv_malloc(SECRET_FILE_BYTES + 1);
    const char *fault = read_secret(path, text);
    if (fault != NULL) {
        tv_buf_printf(faults, "%s: ", name);
        put_given(faults, row, path);
        tv_buf_printf(faults, ": %s\n", fault);
    } else if (!accept(row, text, out)) {
        put_refused(faults, row, name, text);
    }
    explicit_bzero(text, SECRET_FILE_BYTES + 1);
    free(text);
}

static void load_row(const struct tv_conf_row *row, char *const *env, void *out,
                     struct tv_buf *faults) {
    char file[NAME_BYTES];
    const char *text = env_get(env, row->name);
    const char *path = may_be_file(row) ? env_get(env, file_name(row, file)) : NULL;
    if (text != NULL && path != NULL) {
        tv_buf_printf(faults, "%s: %s is set too; only one of them may be\n", row->name, file);
    } else if (path != NULL) {
        load_file(row, file, path, out, faults);
    } else if (text != NULL) {
        if (!accept(row, text, out))
            put_refused(faults, row, row->name, text);
    } else if (row->standard != NULL) {
        if (!accept(row, row->standard, out))
            tv_panic("%s: its default \"%s\" is not allowed", row->name, row->standard);
    } else if ((row->flags & TV_CONF_REQUIRED) != 0) {
        tv_buf_printf(faults, "%s: is required; it must be ", row->name);
        put_allowed(faults, row);
        tv_buf_char(faults, '\n');
    }
}

enum tv_err tv_conf_load(const struct tv_conf_row *rows, size_t count, char *const *env, void *out,
                         struct tv_buf *faults) {
    size_t before = faults->len;
    for (size_t i = 0; i < count; i++)
        store(&rows[i], out, (union member){0});
    for (char *const *entry = env; *entry != NULL; entry++)
        check_name(rows, count, *entry, faults);
    for (size_t i = 0; i < count; i++)
        load_row(&rows[i], env, out, faults);
    if (faults->len == before && !faults->overflow)
        return TV_OK;
    tv_conf_done(rows, count, out);
    return TV_ERR_INVALID;
}

/* --- printing --- */

#define PRINT_BYTES ((size_t)1024 * 1024)

void tv_conf_print_help(const struct tv_conf_row *rows, size_t count, FILE *to) {
    struct tv_buf b = TV_BUF_INIT(PRINT_BYTES);
    for (size_t i = 0; i < count; i++) {
        const struct tv_conf_row *row = &rows[i];
        tv_buf_printf(&b, "%s\n    %s: ", row->name, types[row->type].name);
        put_allowed(&b, row);
        if (row->standard != NULL)
            tv_buf_printf(&b, "; default %s", row->standard);
        else
            tv_buf_puts(&b, (row->flags & TV_CONF_REQUIRED) != 0 ? "; required" : "; not set");
        if (may_be_file(row))
            tv_buf_printf(&b, "; or %s" FILE_SUFFIX ", a file that holds it", row->name);
        tv_buf_printf(&b, "\n    %s\n", row->help);
    }
    (void)fwrite(b.data, 1, b.len, to);
    tv_buf_done(&b);
}

void tv_conf_print(const struct tv_conf_row *rows, size_t count, const void *out, FILE *to) {
    struct tv_buf b = TV_BUF_INIT(PRINT_BYTES);
    for (size_t i = 0; i < count; i++) {
        tv_buf_printf(&b, "%s=", rows[i].name);
        put_value(&b, &rows[i], load(&rows[i], out));
        tv_buf_char(&b, '\n');
    }
    (void)fwrite(b.data, 1, b.len, to);
    tv_buf_done(&b);
}
