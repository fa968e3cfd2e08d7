#include "services/gateway/web.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "services/gateway/answer.h"
#include "services/gateway/gateway.h"
#include "services/gateway/problem.h"
#include "services/gateway/web_files.h"

#define POLICY_BYTES_MAX 2048
#define KEPT_FOR_EVER "public, max-age=31536000, immutable"
#define ASKED_FOR_AGAIN "no-cache" /* kept, but not used without asking */
#define METHODS "GET, HEAD"

/* What a page may do and load (Content Security Policy level 3). */
static const struct {
    const char *directive, *sources;
    bool and_livekit; /* LiveKit besides */
} content_policy[] = {
    {"default-src", "'none'", false},     {"script-src", "'self'", false},
    {"style-src", "'self'", false},       {"img-src", "'self' data: blob:", false},
    {"font-src", "'self'", false},        {"media-src", "'self' blob:", false},
    {"worker-src", "'self'", false},      {"manifest-src", "'self'", false},
    {"connect-src", "'self'", true},      {"form-action", "'self'", false},
    {"frame-ancestors", "'none'", false}, {"base-uri", "'none'", false},
    {"object-src", "'none'", false},
};

/* The fields of every page and file besides answer_base_fields() and the policy above. */
static const struct tv_http_field constant_fields[] = {
    {"Permissions-Policy",
     "camera=(self), microphone=(self), display-capture=(self), fullscreen=(self), "
     "screen-wake-lock=(self), speaker-selection=(self), autoplay=(self), geolocation=()"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
};

static const char *const coding_fields[CODINGS] = {[CODING_BR] = "br", [CODING_GZIP] = "gzip"};

struct tv_web {
    struct web_files *files;
    char *policy;
};

/* -- start --------------------------------------------------------------------------------------*/

/* A source of the policy ends at a space and a directive at a semicolon, so neither may come in. */
static bool is_host(struct tv_str host) {
    for (size_t i = 0; i < host.len; i++)
        if (!isalnum((unsigned char)host.p[i]) && strchr(".-:[]", host.p[i]) == NULL)
            return false;
    return host.len > 0;
}

/* The origins of a ws or wss URL: its own, and that of the requests that LiveKit's client makes
 * over HTTP to the same host. */
static enum tv_err put_livekit(struct tv_buf *to, const char *url, struct tv_error *e) {
    struct tv_str host = tv_str(strstr(url, "://") + strlen("://"));
    host.len = strcspn(host.p, "/?#");
    if (!is_host(host))
        return tv_fail(e, TV_ERR_INVALID, "LIVEKIT_URL: its host is malformed");
    const char *s = strncmp(url, "wss:", 4) == 0 ? "s" : "";
    tv_buf_printf(to, " ws%s://%.*s http%s://%.*s", s, TV_STR_ARGS(host), s, TV_STR_ARGS(host));
    return TV_OK;
}

static enum tv_err make_policy(const char *livekit_url, char **ret, struct tv_error *e) {
    struct tv_buf text = TV_BUF_INIT(POLICY_BYTES_MAX);
    enum tv_err err = TV_OK;
    for (size_t i = 0; err == TV_OK && i < TV_ARRAY_LEN(content_policy); i++) {
        tv_buf_printf(&text, "%s%s %s", i > 0 ? "; " : "", content_policy[i].directive,
                      content_policy[i].sources);
        if (content_policy[i].and_livekit && livekit_url != NULL)
            err = put_livekit(&text, livekit_url, e);
    }
    if (err == TV_OK && text.overflow)
        err = tv_fail(e, TV_ERR_INVALID, "LIVEKIT_URL is too long");
    if (err == TV_OK)
        *ret = tv_strndup(text.data, text.len);
    tv_buf_done(&text);
    return err;
}

enum tv_err tv_web_new(const char *folder, const char *livekit_url, struct tv_web **ret,
                       struct tv_error *e) {
    struct tv_web *web = tv_calloc(1, sizeof *web);
    enum tv_err err = make_policy(livekit_url, &web->policy, e);
    if (err == TV_OK)
        err = web_files_load(folder, &web->files, e);
    if (err != TV_OK) {
        tv_web_free(web);
        return err;
    }
    tv_log_info("serving the web app", F_INT(COUNT, web_files_count(web->files)));
    *ret = web;
    return TV_OK;
}

void tv_web_free(struct tv_web *web) {
    if (web == NULL)
        return;
    web_files_free(web->files);
    free(web->policy);
    free(web);
}

/* -- which file ---------------------------------------------------------------------------------*/

static int hex_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Without percent-encoding; p NULL when it is malformed or no text (RFC 3986 section 2.1). */
static struct tv_str decode(struct tv_str path, struct tv_arena *a) {
    static const struct tv_str none = {NULL, 0};
    char *to = tv_arena_alloc(a, path.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < path.len; i++) {
        char c = path.p[i];
        if (c == '%') {
            int high = i + 2 < path.len ? hex_value(path.p[i + 1]) : -1;
            int low = high < 0 ? -1 : hex_value(path.p[i + 2]);
            if (low < 0)
                return none;
            c = (char)(high * 16 + low);
            i += 2;
        }
        to[len++] = c;
    }
    struct tv_str text = {to, len};
    return tv_str_is_utf8(text) ? text : none;
}

/* Whether a browser asks for it in order to show it. */
static bool is_navigation(const struct tv_http *x) {
    return tv_str_eqz(tv_http_header(x, "Sec-Fetch-Mode"), "navigate") ||
           negotiate_names(tv_http_header(x, "Accept"), "text/html");
}

/* Whether an address can be one of the app's own: no file ("/old.js"), and not the API's. */
static bool is_page(struct tv_str path) {
    if (tv_str_eqz(path, "/v1") || tv_str_starts(path, TV_S("/v1/")))
        return false;
    size_t segment = path.len;
    while (segment > 0 && path.p[segment - 1] != '/')
        segment--;
    return memchr(path.p + segment, '.', path.len - segment) == NULL;
}

/* -- the answer ---------------------------------------------------------------------------------*/

static void answer_file(struct flight *f, const struct web_file *file, const char *vary) {
    struct tv_http_field fields[ANSWER_FIELDS_MAX];
    size_t n = answer_base_fields(f, fields);
    enum coding coding = negotiate_coding(tv_http_header(f->http, "Accept-Encoding"), file->there);
    const struct web_variant *v = &file->variants[coding];
    fields[n++] =
        (struct tv_http_field){"Cache-Control", file->fixed ? KEPT_FOR_EVER : ASKED_FOR_AGAIN};
    fields[n++] = (struct tv_http_field){"ETag", v->etag};
    fields[n++] = (struct tv_http_field){"Vary", vary};
    fields[n++] = (struct tv_http_field){"Content-Security-Policy", f->gateway->web->policy};
    for (size_t i = 0; i < TV_ARRAY_LEN(constant_fields); i++)
        fields[n++] = constant_fields[i];
    if (negotiate_has(tv_http_header(f->http, "If-None-Match"), v->etag)) {
        answer_lasting(f, 304, fields, n, (struct tv_str){NULL, 0});
        return;
    }
    fields[n++] = (struct tv_http_field){"Content-Type", file->media_type};
    if (coding_fields[coding] != NULL)
        fields[n++] = (struct tv_http_field){"Content-Encoding", coding_fields[coding]};
    assert(n <= ANSWER_FIELDS_MAX);
    answer_lasting(f, 200, fields, n, v->bytes);
}

bool tv_web_answer(struct flight *f) {
    struct tv_web *web = f->gateway->web;
    if (web == NULL)
        return false;
    struct tv_str method = tv_http_method(f->http), path = decode(tv_http_path(f->http), f->arena);
    bool reads = tv_str_eqz(method, "GET") || tv_str_eqz(method, "HEAD");
    const char *vary = "Accept-Encoding";
    const struct web_file *file =
        web_files_find(web->files, tv_str_eqz(path, "/") ? TV_S("/index.html") : path);
    if (file == NULL && reads && path.len > 0 && is_page(path) && is_navigation(f->http)) {
        file = web_files_find(web->files, TV_S("/index.html"));
        vary = "Accept-Encoding, Accept, Sec-Fetch-Mode";
    }
    if (file == NULL)
        return false;
    f->of_web = true;
    if (reads) {
        answer_file(f, file, vary);
    } else {
        f->allow = METHODS;
        tv_problem_answerf(f, TV_ERR_METHOD_NOT_ALLOWED, "Allowed here: %s", METHODS);
    }
    return true;
}
