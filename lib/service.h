/* service.h - what makes a program a service: main.c is a definition, tv_service_run() the program.
 *
 * tv_service_run() does, in this order: options (--help, --version, --help-config, --check-config),
 * configuration, log, loop, bus, `start`, admin port, then the loop. SIGTERM or SIGINT stops it:
 *
 * 1. Unready: /readyz says "draining" for TELEVISIT_DRAIN_DELAY; work still comes and is done.
 *    `leave` asks those who come to go elsewhere next time.
 * 2. Drain: no new work. The bus takes no more calls, `drain` ends the rest.
 * 3. Wait until `busy` and the bus say no more, at most TELEVISIT_DRAIN_TIMEOUT.
 * 4. The bus closes: what is still pending ends with an error, so the state must live.
 * 5. `stop` frees the state; exit 0.
 *
 * A second signal ends the process at once.
 */
#ifndef TV_SERVICE_H
#define TV_SERVICE_H

#include "admin.h"
#include "base.h"
#include "bus.h"
#include "conf.h"
#include "err.h"
#include "loop.h"

/* Read for every service; the rows are in service.c. */
struct tv_service_conf {
    const char *log_level;
    const char *admin_address;   /* TELEVISIT_ADMIN_ADDRESS */
    int64_t drain_timeout_us;    /* TELEVISIT_DRAIN_TIMEOUT */
    int64_t drain_delay_us;      /* TELEVISIT_DRAIN_DELAY: unready for so long before draining */
    const char *nats_url;        /* NATS_URL */
    const char *nats_user;       /* NATS_USER */
    const char *nats_password;   /* NATS_PASSWORD[_FILE] */
    const char *nats_creds_file; /* NATS_CREDS_FILE */
    const char *nats_nkey;       /* NATS_NKEY[_FILE] */
    const char *nats_ca_file;    /* NATS_CA_FILE */
};

/* What a running service holds; handed to its functions. */
struct tv_service_env {
    struct tv_loop *loop;
    struct tv_bus *bus;
    const struct tv_service_conf *common;
    const void *conf; /* the service's own struct, filled from its rows */
};

#define TV_SERVICE_NEEDS_MAX 4

/* A command besides serving, e.g. `appointments migrate`; returns the exit status. */
struct tv_service_command {
    const char *name;
    const char *help;
    int (*run)(const void *conf, int argc, char **argv);
};

struct tv_service {
    const char *name;        /* also the queue group */
    const char *description; /* one sentence */
    const struct tv_conf_row *conf_rows;
    size_t conf_row_count;
    size_t conf_bytes; /* sizeof the service's conf struct */
    const struct tv_service_command *commands;
    size_t command_count;
    /* Starts the service; `*ret_state` is handed to the functions below. Fills `needs` (besides
     * the bus, which every service needs) and returns TV_OK, or an error that ends the program. */
    enum tv_err (*start)(const struct tv_service_env *env, void **ret_state,
                         struct tv_need needs[TV_SERVICE_NEEDS_MAX], size_t *ret_need_count,
                         struct tv_error *e);
    void (*leave)(void *state); /* may be NULL */
    void (*drain)(void *state); /* may be NULL */
    bool (*busy)(void *state);  /* may be NULL */
    /* Frees the state. The loop still exists; the bus does not, but subscriptions not given back
     * yet may still be. */
    void (*stop)(void *state);
};

extern const char tv_version[]; /* from the Makefile */

int tv_service_run(const struct tv_service *s, int argc, char **argv);

#endif
