/* operator.c - see operator.h. */
#include "services/appointments/operator.h"

#include <stdlib.h>
#include <string.h>

#include "appointments_sql.h"
#include "lib/clock.h"
#include "services/appointments/bind.h"
#include "services/appointments/view.h"

enum { WRONG_USE = 2, OPTIONS_MAX = 8, PASSWORD_BYTES_MIN = 12, PASSWORD_BYTES_MAX = 1024 };
#define PATIENCE_US (10 * TV_US_PER_S)

/* -- the commands -------------------------------------------------------------------------------*/

struct option {
    const char *name;  /* on the command line */
    const char *param; /* of the statement */
    const char *value; /* what the help calls it */
    const char *help;
    bool required;
};

static const struct option clinic_options[] = {
    {"--slug", "slug", "SLUG", "short name in addresses and at the log-in: north-clinic", true},
    {"--name", "name", "NAME", "as people read it", true},
    {"--time-zone", "time_zone", "ZONE", "in which it works: Europe/Berlin", true},
};
static const struct option person_options[] = {
    {"--clinic", "clinic", "SLUG", "of the clinic that the person belongs to", true},
    {"--role", "role", "ROLE", "patient, doctor, staff, admin or interpreter", true},
    {"--name", "name", "NAME", "as others read it", true},
    {"--email", "email", "ADDRESS", "for the log-in; nobody else in the clinic has it", true},
    {"--language", "language", "TAG", "en (the default), fr, de, es or ar", false},
    {"--time-zone", "time_zone", "ZONE", "in which times are shown; default: the clinic's", false},
    {"--speciality", "speciality", "TEXT", "of a doctor", false},
};
static_assert(TV_ARRAY_LEN(person_options) < OPTIONS_MAX, "room for all options and the password");

static const struct operation {
    const char *name, *help;
    const struct tv_pg_statement *statement;
    const struct option *options;
    size_t option_count;
    bool wants_password;
} operations[] = {
    {"add-clinic", "Makes a clinic, with the default policy. People are added to it by add-person.",
     &sql_operator_add_clinic, clinic_options, TV_ARRAY_LEN(clinic_options), false},
    {"add-person",
     "Makes somebody who can log in. The password is one line of standard input, of 12 bytes or "
     "more.\nDoctors set their hours in the app.",
     &sql_operator_add_person, person_options, TV_ARRAY_LEN(person_options), true},
};

static const struct operation *find_operation(const char *name) {
    for (size_t i = 0; i < TV_ARRAY_LEN(operations); i++)
        if (strcmp(operations[i].name, name) == 0)
            return &operations[i];
    return NULL;
}

static void print_usage(const struct operation *o, FILE *to) {
    fprintf(to, "usage: appointments %s", o->name);
    for (size_t i = 0; i < o->option_count; i++) {
        const struct option *option = &o->options[i];
        fprintf(to, option->required ? " %s %s" : " [%s %s]", option->name, option->value);
    }
    fputc('\n', to);
}

bool operator_help(int argc, char **argv) {
    const struct operation *o = argc == 3 ? find_operation(argv[1]) : NULL;
    if (o == NULL || strcmp(argv[2], "--help") != 0)
        return false;
    print_usage(o, stdout);
    printf("\n%s\n\n", o->help);
    for (size_t i = 0; i < o->option_count; i++)
        printf("  %-13s %s\n", o->options[i].name, o->options[i].help);
    return true;
}

/* -- the command line ---------------------------------------------------------------------------*/

/* The option that a word begins with, and behind its '=' the value, if it has one. */
static const struct option *find_option(const struct operation *o, const char *word,
                                        const char **ret_value) {
    size_t len = strcspn(word, "=");
    *ret_value = word[len] == '=' ? word + len + 1 : NULL;
    for (size_t i = 0; i < o->option_count; i++)
        if (tv_str_eqz((struct tv_str){word, len}, o->options[i].name))
            return &o->options[i];
    return NULL;
}

/* Fills a bind for each option, NULL where it was not given; false: told what is wrong. */
static bool read_options(const struct operation *o, int argc, char **argv, struct bind *binds) {
    for (size_t i = 0; i < o->option_count; i++)
        binds[i] = (struct bind){o->options[i].param, NULL};
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i], *value, *fault = NULL;
        const struct option *option = find_option(o, word, &value);
        struct bind *bind = option == NULL ? NULL : &binds[option - o->options];
        if (value == NULL && bind != NULL && i + 1 < argc)
            value = argv[++i];
        if (bind == NULL)
            fault = "is no option of this command";
        else if (bind->value != NULL)
            fault = "is there twice";
        else if (value == NULL || value[0] == '\0')
            fault = "needs a value";
        else if (!tv_str_is_utf8(tv_str(value)))
            fault = "is not UTF-8";
        if (fault != NULL) {
            fprintf(stderr, "%s: %s %s\n", o->name, option == NULL ? word : option->name, fault);
            return false;
        }
        bind->value = value;
    }
    for (size_t i = 0; i < o->option_count; i++) {
        if (o->options[i].required && binds[i].value == NULL) {
            fprintf(stderr, "%s: %s is missing\n", o->name, o->options[i].name);
            return false;
        }
    }
    return true;
}

const char *operator_hash_password(const struct app_conf *conf, FILE *from, size_t bytes_min,
                                   char ret[static TV_PASSWORD_HASH_MAX]) {
    char password[PASSWORD_BYTES_MAX + 2];
    const char *fault = NULL;
    if (fgets(password, sizeof(password), from) == NULL)
        return "there is no password on standard input";
    size_t len = strcspn(password, "\n");
    bool whole = password[len] == '\n' || feof(from);
    password[len] = '\0';
    if (!whole)
        fault = "the password is too long: it may have 1024 bytes";
    else if (len < bytes_min)
        fault = len == 0 ? "the password is empty" : "the password is too short: 12 bytes at least";
    else if (!tv_str_is_utf8(tv_str(password)))
        fault = "the password is not UTF-8";
    else if (!tv_password_hash(tv_str(password), (uint64_t)conf->password_passes,
                               (size_t)conf->password_memory_mib << 20, ret))
        fault = "there is no memory to hash the password";
    tv_wipe(password, sizeof(password));
    return fault;
}

/* -- the database -------------------------------------------------------------------------------*/

struct run {
    const struct operation *operation;
    struct tv_pg *pg;
    bool done;
    int status;
};

/* Nobody else tells: a connection that was refused is refused for good. */
static bool is_connected_or_refused(void *ctx) {
    const struct run *r = ctx;
    return tv_pg_usable(r->pg) || tv_pg_last_error(r->pg)[0] != '\0';
}

static bool is_done(void *ctx) { return ((const struct run *)ctx)->done; }

static void tell_refusal(const struct operation *o, const struct tv_error *e) {
    const char *detail = e->detail[0] != '\0' ? e->detail : tv_err_info(e->code)->title;
    const char *param = e->pointer[0] == '/' ? e->pointer + 1 : "";
    for (size_t i = 0; i < o->option_count; i++) {
        if (strcmp(o->options[i].param, param) == 0) {
            fprintf(stderr, "%s: %s %s\n", o->name, o->options[i].name, detail);
            return;
        }
    }
    fprintf(stderr, "%s: %s\n", o->name, detail);
}

static void on_made(void *ctx, enum tv_err err, const struct tv_error *e,
                    const struct tv_pg_result *const *results, unsigned count) {
    struct run *r = ctx;
    r->done = true;
    if (err != TV_OK) {
        tell_refusal(r->operation, e);
        return;
    }
    puts(view_text(results[0], 0, "made"));
    r->status = EXIT_SUCCESS;
}

static int make(const struct app_conf *conf, const struct operation *o, const struct bind *binds,
                size_t count) {
    struct run r = {.operation = o, .status = EXIT_FAILURE};
    struct tv_loop *loop = tv_loop_new();
    struct tv_arena *arena = tv_arena_new();
    const struct tv_actor nobody = {.role = TV_ROLE_NONE};
    const struct tv_pg_config config = {
        .url = conf->database_url,
        .application_name = "televisit-operator",
        .connections = 1,
        .window = 1,
        .queue_max = 1,
        .statement_timeout_us = conf->pg_statement_timeout_us,
        .statements = &o->statement,
        .statement_count = 1,
    };
    r.pg = tv_pg_new(loop, &config);
    (void)tv_loop_run_until(loop, is_connected_or_refused, &r, PATIENCE_US);
    if (tv_pg_usable(r.pg)) {
        const struct tv_pg_query query = {o->statement,
                                          bind_params(o->statement, &nobody, binds, count, arena)};
        tv_pg_submit(r.pg, &query, 1, tv_clock_mono_us() + PATIENCE_US, on_made, &r);
        (void)tv_loop_run_until(loop, is_done, &r, 2 * PATIENCE_US);
    } else {
        const char *why = tv_pg_last_error(r.pg);
        fprintf(stderr, "%s: the database cannot be used: %s\n", o->name,
                why[0] == '\0' ? "it takes too long" : why);
    }
    tv_pg_free(r.pg);
    tv_arena_free(arena);
    tv_loop_free(loop);
    return r.status;
}

int operator_run(const void *conf, int argc, char **argv) {
    const struct operation *o = find_operation(argv[0]);
    struct bind binds[OPTIONS_MAX];
    char hash[TV_PASSWORD_HASH_MAX];
    if (o == NULL)
        tv_panic("%s is no command of the operator", argv[0]);
    if (!read_options(o, argc, argv, binds)) {
        print_usage(o, stderr);
        return WRONG_USE;
    }
    size_t count = o->option_count;
    if (o->wants_password) {
        const char *fault = operator_hash_password(conf, stdin, PASSWORD_BYTES_MIN, hash);
        if (fault != NULL) {
            fprintf(stderr, "%s: %s\n", o->name, fault);
            return EXIT_FAILURE;
        }
        binds[count++] = (struct bind){"password_hash", hash};
    }
    return make(conf, o, binds, count);
}
