/* dispatch.c - which method is answered by what: handlers in one table, and for every other method
 * the statement of its name (Clinics.ListSlots: clinics_list_slots.sql). */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "appointments_sql.h"
#include "lib/pbrow.h"
#include "services/appointments/app.h"
#include "televisit/v1/appointments.pb-c.h"
#include "televisit/v1/calls.pb-c.h"
#include "televisit/v1/clinic.pb-c.h"
#include "televisit/v1/due.pb-c.h"
#include "televisit/v1/inbox.pb-c.h"
#include "televisit/v1/jobs.pb-c.h"
#include "televisit/v1/sessions.pb-c.h"

/* Calls of one service at a time; what is more is told to come again. */
enum { IN_FLIGHT_MAX = 1024 };

static const ProtobufCServiceDescriptor *const services[] = {
    &televisit__v1__appointments__descriptor, &televisit__v1__calls__descriptor,
    &televisit__v1__clinics__descriptor,      &televisit__v1__due__descriptor,
    &televisit__v1__inbox__descriptor,        &televisit__v1__jobs__descriptor,
    &televisit__v1__sessions__descriptor,
};

/* Methods that need more than their statement. */
static const struct {
    const char *service, *method;
    tv_rpc_handler *handler;
} handlers[] = {
    {"Appointments", "Book", appointments_book},
    {"Appointments", "List", appointments_list},
    {"Appointments", "Get", appointments_get},
    {"Appointments", "Confirm", appointments_confirm},
    {"Appointments", "Decline", appointments_decline},
    {"Appointments", "Cancel", appointments_cancel},
    {"Appointments", "Move", appointments_move},
    {"Appointments", "End", appointments_end},
    {"Appointments", "Complete", appointments_complete},
    {"Appointments", "NoShow", appointments_no_show},
    {"Appointments", "Admit", admit_admit},
    {"Calls", "List", calls_list},
    {"Calls", "Record", calls_record},
    {"Calls", "Snapshot", calls_snapshot},
    {"Calls", "Closed", calls_closed},
    {"Calls", "Settle", calls_settle},
    {"Sessions", "Open", sessions_open},
    {"Sessions", "Renew", sessions_renew},
};

/* Both arrays are in the order of the descriptor's methods. */
struct served {
    struct tv_rpc_server *server;
    tv_rpc_handler **handlers;                 /* owned */
    const struct tv_pg_statement **statements; /* owned; NULL where the handler is in C */
};

struct dispatch {
    struct served served[TV_ARRAY_LEN(services)];
};

/* "Clinics", "ListSlots": "clinics_list_slots". */
static void statement_name(const char *service, const char *method, char *out, size_t size) {
    size_t n = 0;
    for (const char *part = service; part != NULL; part = part == service ? method : NULL) {
        for (const char *p = part; *p != '\0'; p++) {
            if (isupper((unsigned char)*p) && n > 0 && n + 1 < size)
                out[n++] = '_';
            if (n + 1 < size)
                out[n++] = (char)tolower((unsigned char)*p);
        }
    }
    out[n] = '\0';
}

static const struct tv_pg_statement *statement_of(const ProtobufCServiceDescriptor *service,
                                                  const ProtobufCMethodDescriptor *method) {
    char name[96];
    statement_name(service->short_name, method->name, name, sizeof(name));
    for (size_t i = 0; i < appointments_statement_count; i++)
        if (strcmp(appointments_statements[i]->name, name) == 0)
            return appointments_statements[i];
    return NULL;
}

static tv_rpc_handler *handler_of(const ProtobufCServiceDescriptor *service,
                                  const ProtobufCMethodDescriptor *method) {
    for (size_t i = 0; i < TV_ARRAY_LEN(handlers); i++)
        if (strcmp(handlers[i].service, service->short_name) == 0 &&
            strcmp(handlers[i].method, method->name) == 0)
            return handlers[i].handler;
    return NULL;
}

/* -- methods that are a statement ---------------------------------------------------------------*/

/* Without a row there is nothing to answer with, unless each row is an element of a list. */
static bool is_missing(const struct tv_pg_result *r) {
    if (tv_pg_rows(r) > 0 || tv_pg_columns(r) == 0)
        return false;
    for (unsigned c = 0; c < tv_pg_columns(r); c++)
        if (strstr(tv_pg_column_name(r, c), "[].") != NULL)
            return false;
    return true;
}

static void on_answer(void *ctx, enum tv_err err, const struct tv_error *e,
                      const struct tv_pg_result *const *results, unsigned count) {
    struct tv_call *call = ctx;
    struct tv_error fault = TV_ERROR_INIT;
    if (err != TV_OK) {
        tv_call_fail(call, e);
        return;
    }
    if (is_missing(results[0])) {
        tv_call_failf(call, TV_ERR_NOT_FOUND, "%s", "");
        return;
    }
    ProtobufCMessage *reply = tv_pb_new(call->method->output, call->arena);
    if (tv_pbrow_fill(results[0], reply, call->arena, &fault) != TV_OK)
        tv_call_fail(call, &fault);
    else
        tv_call_reply(call, reply);
}

static const struct tv_pg_statement *statement_of_call(const struct tv_call *call) {
    const struct app *app = call->service_ctx;
    for (size_t s = 0; s < TV_ARRAY_LEN(services); s++)
        for (unsigned m = 0; m < services[s]->n_methods; m++)
            if (call->method == &services[s]->methods[m])
                return app->dispatch->served[s].statements[m];
    tv_panic("a call for a method that is not served");
}

static void run_statement(struct tv_call *call) {
    struct app *app = call->service_ctx;
    const struct tv_pg_statement *st = statement_of_call(call);
    const struct tv_pg_query query = {
        st, tv_pbrow_params(st, call->request, &call->context.actor, call->arena)};
    tv_pg_submit(app->pg, &query, 1, call->context.deadline_us, on_answer, call);
}

/* -- start and end ------------------------------------------------------------------------------*/

enum tv_err dispatch_check(const struct app *app, struct tv_error *e) {
    for (size_t s = 0; s < TV_ARRAY_LEN(services); s++) {
        for (unsigned m = 0; m < services[s]->n_methods; m++) {
            const ProtobufCMethodDescriptor *method = &services[s]->methods[m];
            if (handler_of(services[s], method) != NULL)
                continue;
            const struct tv_pg_statement *st = statement_of(services[s], method);
            enum tv_err err =
                tv_pbrow_check(st, tv_pg_described(app->pg, st), method->input, method->output, e);
            if (err != TV_OK)
                return err;
        }
    }
    return TV_OK;
}

static void serve(struct served *served, struct app *app, struct tv_bus *bus,
                  const ProtobufCServiceDescriptor *service) {
    served->handlers = tv_calloc(service->n_methods, sizeof(*served->handlers));
    served->statements = tv_calloc(service->n_methods, sizeof(*served->statements));
    for (unsigned m = 0; m < service->n_methods; m++) {
        const ProtobufCMethodDescriptor *method = &service->methods[m];
        served->handlers[m] = handler_of(service, method);
        if (served->handlers[m] != NULL)
            continue;
        served->handlers[m] = run_statement;
        served->statements[m] = statement_of(service, method);
        if (served->statements[m] == NULL)
            tv_panic("%s.%s has no handler and no statement", service->short_name, method->name);
    }
    served->server = tv_rpc_serve(bus, service, served->handlers, app, IN_FLIGHT_MAX);
}

struct dispatch *dispatch_new(struct app *app, struct tv_bus *bus) {
    struct dispatch *d = tv_calloc(1, sizeof(*d));
    for (size_t s = 0; s < TV_ARRAY_LEN(services); s++)
        serve(&d->served[s], app, bus, services[s]);
    return d;
}

unsigned dispatch_in_flight(const struct dispatch *d) {
    unsigned n = 0;
    for (size_t s = 0; s < TV_ARRAY_LEN(services); s++)
        n += tv_rpc_in_flight(d->served[s].server);
    return n;
}

void dispatch_free(struct dispatch *d) {
    if (d == NULL)
        return;
    for (size_t s = 0; s < TV_ARRAY_LEN(services); s++) {
        tv_rpc_server_free(d->served[s].server);
        free(d->served[s].handlers);
        free(d->served[s].statements);
    }
    free(d);
}
