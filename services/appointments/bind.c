#include "services/appointments/bind.h"

#include <string.h>

static const char *or_null(const char *text) { return text[0] == '\0' ? NULL : text; }

static bool actor_value(const char *name, const struct tv_actor *actor, const char **ret) {
    if (strcmp(name, "actor.clinic_id") == 0)
        *ret = or_null(actor->clinic_id);
    else if (strcmp(name, "actor.person_id") == 0)
        *ret = or_null(actor->person_id);
    else if (strcmp(name, "actor.session_id") == 0)
        *ret = or_null(actor->session_id);
    else if (strcmp(name, "actor.role") == 0)
        *ret = tv_role_name(actor->role);
    else
        return false;
    return true;
}

const char *const *bind_params(const struct tv_pg_statement *st, const struct tv_actor *actor,
                               const struct bind *binds, size_t count, struct tv_arena *a) {
    const char **params = tv_arena_calloc(a, st->param_count, sizeof(*params));
    for (unsigned i = 0; i < st->param_count; i++) {
        const char *name = st->params[i];
        if (actor_value(name, actor, &params[i]))
            continue;
        size_t b = 0;
        while (b < count && strcmp(binds[b].name, name) != 0)
            b++;
        if (b == count)
            tv_panic("statement %s: nothing is bound to :%s", st->name, name);
        params[i] = binds[b].value;
    }
    return params;
}

/* Quoted always; backslash and quote are escaped (PostgreSQL 8.15.2, array input). */
static char *append_quoted(char *to, const char *value) {
    *to++ = '"';
    for (; *value != '\0'; value++) {
        if (*value == '"' || *value == '\\')
            *to++ = '\\';
        *to++ = *value;
    }
    *to++ = '"';
    return to;
}

const char *bind_array(const char *const *values, size_t count, struct tv_arena *a) {
    size_t bytes = sizeof("{}");
    for (size_t i = 0; i < count; i++)
        bytes += sizeof(",NULL") + (values[i] == NULL ? 0 : 2 * strlen(values[i]));
    char *text = tv_arena_alloc(a, bytes), *to = text;
    *to++ = '{';
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            *to++ = ',';
        if (values[i] == NULL) {
            memcpy(to, "NULL", 4);
            to += 4;
        } else {
            to = append_quoted(to, values[i]);
        }
    }
    *to++ = '}';
    *to = '\0';
    return text;
}
