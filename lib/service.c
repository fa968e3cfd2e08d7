/* service.c - see service.h. */
#include "lib/service.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/crypto.h"
#include "lib/log.h"
#include "lib/metrics.h"

#define BUSY_POLL_US (5 * TV_US_PER_MS)

#define ROW(member) offsetof(struct tv_service_conf, member)
static const struct tv_conf_row common_rows[] = {
    {"TELEVISIT_LOG_LEVEL", TV_CONF_CHOICE, ROW(log_level), "info", 0, 0, 0,
     "debug,info,warn,error", "Least level of the lines that are logged."},
    {"TELEVISIT_ADMIN_ADDRESS", TV_CONF_ADDRESS, ROW(admin_address), "127.0.0.1:0", 0, 0, 0, NULL,
     "Where /livez, /readyz and /metrics are; port 0 takes a free one and logs it."},
    {"TELEVISIT_DRAIN_TIMEOUT", TV_CONF_DURATION, ROW(drain_timeout_us), "20s", 0, 0,
     600 * TV_US_PER_S, NULL, "How long a stop waits for work that is under way."},
    {"TELEVISIT_DRAIN_DELAY", TV_CONF_DURATION, ROW(drain_delay_us), "0s", 0, 0, 60 * TV_US_PER_S,
     NULL, "How long a stop goes on taking work while unready, so that callers learn of it."},
    {"NATS_URL", TV_CONF_URL, ROW(nats_url), "nats://127.0.0.1:4222", 0, 0, 0, "nats,tls",
     "The NATS server, or several with commas between them."},
    {"NATS_USER", TV_CONF_STRING, ROW(nats_user), NULL, 0, 0, 0, NULL, "User at the NATS server."},
    {"NATS_PASSWORD", TV_CONF_SECRET, ROW(nats_password), NULL, 0, 0, 0, NULL,
     "Password of NATS_USER."},
    {"NATS_CREDS_FILE", TV_CONF_STRING, ROW(nats_creds_file), NULL, 0, 0, 0, NULL,
     "NATS credentials file, instead of user and password."},
    {"NATS_NKEY", TV_CONF_SECRET, ROW(nats_nkey), NULL, 0, 0, 0, NULL,
     "Seed and public key of our user at the NATS server, a line each, instead of a password."},
    {"NATS_CA_FILE", TV_CONF_STRING, ROW(nats_ca_file), NULL, 0, 0, 0, NULL,
     "CA certificates that the NATS server's is checked with; turns TLS on, as tls:// does."},
};
#undef ROW

/* The common struct and the service's own, read by one table into one block. */
#define OWN_OFFSET ((sizeof(struct tv_service_conf) + 15) / 16 * 16)

struct run {
    const struct tv_service *service;
    struct tv_conf_row *rows;
    size_t row_count;
    char *conf; /* struct tv_service_conf, and the service's at OWN_OFFSET */
    struct tv_service_env env;
    void *state;
    struct tv_admin *admin;
    struct tv_timer *timer; /* of the stop: the delay, then the look whether all is done */
    bool started, stopping, draining;
    int64_t give_up_us;
};

/* -- configuration and options ------------------------------------------------------------------*/

static void join_rows(struct run *r) {
    const struct tv_service *s = r->service;
    size_t common = TV_ARRAY_LEN(common_rows);

    r->row_count = common + s->conf_row_count;
    r->rows = tv_calloc(r->row_count, sizeof(*r->rows));
    memcpy(r->rows, common_rows, sizeof(common_rows));
    for (size_t i = 0; i < s->conf_row_count; i++) {
        r->rows[common + i] = s->conf_rows[i];
        r->rows[common + i].offset += OWN_OFFSET;
    }
}

static bool load_conf(struct run *r) {
    struct tv_buf faults = TV_BUF_INIT(65536);
    bool ok;

    r->conf = tv_calloc(1, OWN_OFFSET + r->service->conf_bytes);
    ok = tv_conf_load(r->rows, r->row_count, environ, r->conf, &faults) == TV_OK;
    if (ok) {
        r->env.common = (const struct tv_service_conf *)(void *)r->conf;
        r->env.conf = r->conf + OWN_OFFSET;
    } else {
        fprintf(stderr, "%s: the configuration has faults\n%.*s", r->service->name,
                TV_STR_ARGS(tv_buf_view(&faults)));
        free(TV_TAKE_PTR(r->conf));
    }
    tv_buf_done(&faults);
    return ok;
}

static void print_usage(const struct tv_service *s, FILE *to) {
    fprintf(to, "%s: %s\n\nusage: %s [option]\n", s->name, s->description, s->name);
    for (size_t i = 0; i < s->command_count; i++)
        fprintf(to, "       %s %-14s %s\n", s->name, s->commands[i].name, s->commands[i].help);
    fputs(
        "\n"
        "  --help          this text\n"
        "  --version       the version\n"
        "  --help-config   the environment variables that configure it\n"
        "  --check-config  reads the configuration, shows it without secrets, says what is wrong\n",
        to);
}

/* True when the arguments are done with; then `*ret_status` is the exit status. */
static bool run_option(struct run *r, int argc, char **argv, int *ret_status) {
    const struct tv_service *s = r->service;
    const char *option = argc > 1 ? argv[1] : "";

    *ret_status = EXIT_SUCCESS;
    if (argc == 2 && strcmp(option, "--help") == 0) {
        print_usage(s, stdout);
    } else if (argc == 2 && strcmp(option, "--version") == 0) {
        printf("%s %s\n", s->name, tv_version);
    } else if (argc == 2 && strcmp(option, "--help-config") == 0) {
        tv_conf_print_help(r->rows, r->row_count, stdout);
    } else if (argc == 2 && strcmp(option, "--check-config") == 0) {
        if (load_conf(r))
            tv_conf_print(r->rows, r->row_count, r->conf, stdout);
        else
            *ret_status = EXIT_FAILURE;
    } else if (argc > 1 && option[0] == '-') {
        print_usage(s, stderr);
        *ret_status = 2;
    } else {
        return false;
    }
    return true;
}

static const struct tv_service_command *find_command(const struct tv_service *s, const char *name) {
    for (size_t i = 0; i < s->command_count; i++) {
        if (strcmp(s->commands[i].name, name) == 0)
            return &s->commands[i];
    }
    return NULL;
}

/* One line for each variable, as --check-config shows it. */
static void log_conf(const struct run *r) {
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);
    struct tv_str rest;

    if (to == NULL)
        return;
    tv_conf_print(r->rows, r->row_count, r->conf, to);
    fclose(to);
    rest = (struct tv_str){text, len};
    while (rest.len > 0) {
        struct tv_str value = tv_str_cut(&rest, '\n'), name = tv_str_cut(&value, '=');

        tv_log_info("configuration", F_SLICE(NAME, name), F_SLICE(VALUE, value));
    }
    free(text);
}

/* -- the process --------------------------------------------------------------------------------*/

static void prepare_process(void) {
    const struct rlimit none = {0, 0};
    struct rlimit files;

    /* Memory holds keys and tokens: no core file, and no debugger of the same user. */
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    signal(SIGPIPE, SIG_IGN);
    tv_crypto_init();
    /* One loop needs one arena; each further thread's would keep memory of its own for good. */
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TRIM_THRESHOLD, 256 * 1024);
}

static void on_bus_state(void *ctx, bool connected) {
    if (connected)
        tv_log_info("bus connected");
    else
        tv_log_warn("bus lost");
}

static bool bus_met(void *ctx, char why[static 128]) {
    struct tv_bus *bus = ctx;

    if (!tv_bus_healthy(bus))
        snprintf(why, 128, "not permitted, or closed");
    else if (!tv_bus_connected(bus))
        snprintf(why, 128, "not connected");
    else
        return true;
    return false;
}

static void count_build(const struct tv_service *s) {
    static struct tv_metric build = {
        .name = "tv_build_info",
        .help = "What runs here; always 1.",
        .type = TV_GAUGE,
        /* Not `service`, which Prometheus calls the Kubernetes Service that it reads from. */
        .labels = {"program", "version"},
    };

    tv_set(tv_metric_series(&build, s->name, tv_version, NULL, NULL), 1);
}

static enum tv_err start_bus(struct run *r, struct tv_error *e) {
    const struct tv_service_conf *c = r->env.common;
    const struct tv_bus_config config = {
        .url = c->nats_url,
        .user = c->nats_user,
        .password = c->nats_password,
        .creds_file = c->nats_creds_file,
        .nkey = c->nats_nkey,
        .ca_file = c->nats_ca_file,
        .name = r->service->name,
        .version = tv_version,
        .description = r->service->description,
        .on_state = on_bus_state,
    };

    return tv_bus_new(r->env.loop, &config, &r->env.bus, e);
}

/* -- the stop -----------------------------------------------------------------------------------*/

static bool is_busy(const struct run *r) {
    if (tv_bus_pending(r->env.bus) > 0)
        return true;
    return r->service->busy != NULL && r->service->busy(r->state);
}

static void on_stop_timer(void *ctx) {
    struct run *r = ctx;

    if (!r->draining) {
        r->draining = true;
        r->give_up_us = tv_clock_mono_us() + r->env.common->drain_timeout_us;
        tv_bus_drain(r->env.bus);
        if (r->service->drain != NULL)
            r->service->drain(r->state);
    }
    if (!is_busy(r)) {
        tv_loop_stop(r->env.loop);
    } else if (tv_clock_mono_us() >= r->give_up_us) {
        tv_log_warn("work was still under way when the time to drain was over");
        tv_loop_stop(r->env.loop);
    } else {
        tv_timer_set(r->timer, BUSY_POLL_US);
    }
}

static void on_terminate(void *ctx, int signo) {
    struct run *r = ctx;

    if (r->stopping) {
        tv_log_warn("ended at once by a second signal", F_INT(CODE, signo));
        _exit(128 + signo);
    }
    r->stopping = true;
    tv_log_info("stopping", F_INT(CODE, signo));
    tv_admin_drain(r->admin);
    if (r->service->leave != NULL)
        r->service->leave(r->state);
    tv_timer_set(r->timer, r->env.common->drain_delay_us);
}

/* -- the run ------------------------------------------------------------------------------------*/

/* Starts everything and runs the loop until it was stopped; the exit status. */
static int serve(struct run *r) {
    const struct tv_service *s = r->service;
    struct tv_need needs[TV_SERVICE_NEEDS_MAX + 1] = {{"bus", bus_met, NULL}};
    size_t need_count = 0;
    struct tv_error e = TV_ERROR_INIT;
    int status = EXIT_FAILURE;

    r->env.loop = tv_loop_new();
    r->timer = tv_timer_new(r->env.loop, on_stop_timer, r);
    count_build(s);
    if (start_bus(r, &e) != TV_OK)
        goto out;
    needs[0].ctx = r->env.bus;
    if (s->start(&r->env, &r->state, needs + 1, &need_count, &e) != TV_OK)
        goto out;
    r->started = true;
    if (tv_admin_new(r->env.loop, r->env.common->admin_address, needs, need_count + 1, &r->admin,
                     &e) != TV_OK)
        goto out;
    tv_log_info("admin port", F_STR(ADDRESS, r->env.common->admin_address),
                F_INT(PORT, tv_admin_port(r->admin)));
    tv_loop_on_terminate(r->env.loop, on_terminate, r);
    tv_loop_run(r->env.loop);
    status = EXIT_SUCCESS;
out:
    if (status != EXIT_SUCCESS)
        tv_log_error("cannot start", F_STR(ERROR, e.detail));
    /* The needs look at the bus and the state: nobody may ask for them any more. */
    tv_admin_free(r->admin);
    /* Pending calls end now, by callbacks into the state: it goes after the bus. */
    if (r->env.bus != NULL)
        tv_bus_free(r->env.bus);
    if (r->started)
        s->stop(r->state);
    tv_timer_free(r->timer);
    tv_loop_free(r->env.loop);
    tv_metrics_done();
    if (status == EXIT_SUCCESS)
        tv_log_info("stopped");
    return status;
}

static int run_configured(struct run *r, const struct tv_service_command *command, int argc,
                          char **argv) {
    enum tv_log_level level = TV_LOG_INFO;

    if (!load_conf(r))
        return EXIT_FAILURE;
    if (!tv_log_level_parse(r->env.common->log_level, &level))
        tv_panic("service: the table of levels differs from log.h");
    tv_log_init(r->service->name, tv_version, level);
    if (command != NULL)
        return command->run(r->env.conf, argc - 1, argv + 1);
    tv_log_info("starting");
    log_conf(r);
    return serve(r);
}

int tv_service_run(const struct tv_service *s, int argc, char **argv) {
    struct run r = {.service = s};
    const struct tv_service_command *command = NULL;
    int status;

    prepare_process();
    join_rows(&r);
    if (!run_option(&r, argc, argv, &status)) {
        command = argc > 1 ? find_command(s, argv[1]) : NULL;
        if (argc > 1 && command == NULL) {
            print_usage(s, stderr);
            status = 2;
        } else {
            status = run_configured(&r, command, argc, argv);
        }
    }
    if (r.conf != NULL)
        tv_conf_done(r.rows, r.row_count, r.conf);
    free(r.conf);
    free(r.rows);
    return status;
}
