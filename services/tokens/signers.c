/* signers.c - see signers.h. */
#include "services/tokens/signers.h"

#include <stdlib.h>

#include "lib/crypto.h"
#include "lib/jwt.h"

#define KEY_BYTES_MAX 128

static char *end_here(struct tv_str word) {
    char *text = (char *)(uintptr_t)word.p; /* into our own copy */
    text[word.len] = '\0';
    return text;
}

static enum tv_err read_line(struct tv_signers *s, struct tv_str line, unsigned number,
                             struct tv_error *e) {
    struct tv_str secret = line, key = tv_str_trim(tv_str_cut(&secret, ':'));
    if (s->count == TV_SIGNERS_MAX)
        return tv_fail(e, TV_ERR_INVALID, "line %u is one too many: there may be %d", number,
                       TV_SIGNERS_MORE_MAX);
    if (secret.p == NULL || key.len == 0 || key.len > KEY_BYTES_MAX)
        return tv_fail(e, TV_ERR_INVALID, "line %u is not of the form key:secret", number);
    secret = tv_str_trim(secret);
    if (secret.len < TV_JWT_MIN_KEY_BYTES)
        return tv_fail(e, TV_ERR_INVALID, "the secret in line %u has less than %d bytes", number,
                       TV_JWT_MIN_KEY_BYTES);
    s->signer[s->count++] = (struct tv_signer){end_here(key), secret};
    return TV_OK;
}

enum tv_err tv_signers_read(struct tv_signer first, const char *more, struct tv_signers *ret,
                            struct tv_error *e) {
    struct tv_signers s = {.signer = {first}, .count = 1};
    enum tv_err err = TV_OK;
    if (more != NULL) {
        s.text = tv_strdup(more);
        s.text_bytes = strlen(more);
    }
    struct tv_str rest = {s.text, s.text_bytes};
    for (unsigned number = 1; rest.p != NULL && err == TV_OK; number++) {
        struct tv_str line = tv_str_trim(tv_str_cut(&rest, '\n'));
        if (line.len > 0)
            err = read_line(&s, line, number, e);
    }
    if (err == TV_OK)
        *ret = s;
    else
        tv_signers_done(&s);
    return err;
}

void tv_signers_done(struct tv_signers *s) {
    if (s->text != NULL)
        tv_wipe(s->text, s->text_bytes);
    free(s->text);
    *s = (struct tv_signers){.count = 0};
}
