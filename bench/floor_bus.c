/* floor_bus - what a NATS round trip alone costs: cnats as its examples use it.
 *
 *   floor_bus URL IN_FLIGHT SECONDS
 *
 * One process asks, its child answers with 200 bytes. Prints one JSON object: round trips, and the
 * CPU time of both processes; the caller measures the server's.
 */
#include <nats/nats.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BODY_BYTES 200

static const char body[BODY_BYTES];
static natsConnection *connection;
static char inbox[64];
static atomic_ulong answered;
static atomic_bool stopping;

static void check(natsStatus s, const char *what) {
    if (s != NATS_OK) {
        fprintf(stderr, "%s: %s\n", what, natsStatus_GetText(s));
        exit(2);
    }
}

static void connect_to(const char *url) {
    natsOptions *options = NULL;
    check(natsOptions_Create(&options), "options");
    check(natsOptions_SetURL(options, url), "url");
    check(natsOptions_SetSendAsap(options, true), "send asap");
    check(natsConnection_Connect(&connection, options), "connect");
    natsOptions_Destroy(options);
}

static void ask(void) {
    check(natsConnection_PublishRequest(connection, "floor.ask", inbox, body, sizeof body), "ask");
}

static void on_ask(natsConnection *nc, natsSubscription *sub, natsMsg *m, void *closure) {
    (void)sub, (void)closure;
    check(natsConnection_Publish(nc, natsMsg_GetReply(m), body, sizeof body), "answer");
    natsMsg_Destroy(m);
}

static void on_answer(natsConnection *nc, natsSubscription *sub, natsMsg *m, void *closure) {
    (void)nc, (void)sub, (void)closure;
    natsMsg_Destroy(m);
    atomic_fetch_add(&answered, 1);
    if (!atomic_load(&stopping))
        ask();
}

static void answer_for_ever(const char *url, int ready) {
    natsSubscription *sub = NULL;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    connect_to(url);
    check(natsConnection_QueueSubscribe(&sub, connection, "floor.*", "floor", on_ask, NULL),
          "subscribe");
    check(natsConnection_Flush(connection), "flush");
    if (write(ready, "r", 1) != 1)
        exit(2);
    for (;;)
        pause();
}

static double cpu_us(int who) {
    struct rusage u;
    getrusage(who, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: floor_bus URL IN_FLIGHT SECONDS\n");
        return 2;
    }
    int ready[2];
    char byte;
    if (pipe(ready) != 0)
        return 2;
    pid_t child = fork();
    if (child == 0)
        answer_for_ever(argv[1], ready[1]);
    if (child < 0 || read(ready[0], &byte, 1) != 1)
        return 2;

    natsSubscription *sub = NULL;
    connect_to(argv[1]);
    snprintf(inbox, sizeof inbox, "_INBOX.floor.%d", (int)getpid());
    check(natsConnection_Subscribe(&sub, connection, inbox, on_answer, NULL), "subscribe");
    check(natsConnection_Flush(connection), "flush");
    for (long i = 0; i < strtol(argv[2], NULL, 10); i++)
        ask();
    struct timespec wait = {.tv_sec = strtol(argv[3], NULL, 10)};
    nanosleep(&wait, NULL);
    unsigned long trips = atomic_load(&answered);
    atomic_store(&stopping, true);
    double own = cpu_us(RUSAGE_SELF);
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
    printf("{\"trips\":%lu,\"cpu_us\":%.0f}\n", trips, own + cpu_us(RUSAGE_CHILDREN));
    return 0;
}
