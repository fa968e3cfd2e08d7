/* bus_nudges.c - subscriptions of which there may be thousands, with few messages each. They are
 * delivered by libnats' thread, and mail brings them to the loop: one thread for all of them is
 * cheaper than looking into thousands of boxes after each read. */
#include <stdlib.h>

#include "bus_internal.h"

struct tv_bus_subscription {
    struct tv_bus_nudges *nudges; /* NULL: the bus is gone */
    struct tv_bus_wire *wire;
    char *subject;
    void (*on_message)(void *ctx, const struct tv_bus_message *m);
    void *ctx;
    void *listener; /* NULL: not subscribed (yet) */
    bool dead;      /* unsubscribed by its owner; freed when libnats has finished it */
    TAILQ_ENTRY(tv_bus_subscription) link;
};

struct nudge {
    struct tv_mail mail;
    struct tv_bus_subscription *subscription;
    void *message; /* NULL: the subscription has ended, nothing follows */
};

/* Takes it off the bus. It is freed when its owner does not want it any more, who may say so after
 * the bus is gone. */
static void forget(struct tv_bus_subscription *s) {
    if (s->nudges != NULL)
        TAILQ_REMOVE(&s->nudges->all, s, link);
    s->nudges = NULL;
    if (s->dead) {
        free(s->subject);
        free(s);
    }
}

static void on_nudge(struct tv_mail *mail) {
    struct nudge *n = tv_container_of(mail, struct nudge, mail);
    struct tv_bus_subscription *s = n->subscription;

    if (n->message != NULL) {
        const struct tv_bus_message m = {.nats = n->message};
        if (!s->dead && !s->nudges->ended)
            s->on_message(s->ctx, &m);
        tv_bus_nats_destroy(n->message);
    } else {
        tv_bus_wire_listened(s->wire, TV_TAKE_PTR(s->listener));
        if (s->dead || s->nudges->ended)
            forget(s);
    }
    free(n);
}

/* On libnats' delivery thread. */
static void post(struct tv_bus_subscription *s, void *message) {
    struct nudge *n = tv_malloc(sizeof(*n));

    *n = (struct nudge){.mail.fn = on_nudge, .subscription = s, .message = message};
    if (!tv_bus_wire_post(s->wire, &n->mail)) {
        tv_bus_nats_destroy(message);
        free(n);
    }
}

static void on_message(void *subscription, void *message) { post(subscription, message); }
static void on_end(void *subscription) { post(subscription, NULL); }

static void listen(struct tv_bus_subscription *s) {
    if (s->listener == NULL && !s->dead)
        s->listener = tv_bus_wire_listen(s->wire, s->subject, on_message, on_end, s);
}

struct tv_bus_subscription *tv_bus_subscribe(struct tv_bus *b, const char *subject,
                                             void (*fn)(void *ctx, const struct tv_bus_message *m),
                                             void *ctx) {
    struct tv_bus_subscription *s = tv_malloc(sizeof(*s));
    struct tv_bus_nudges *nudges = tv_bus_nudges_of(b);

    *s = (struct tv_bus_subscription){.nudges = nudges,
                                      .wire = nudges->wire,
                                      .subject = tv_strdup(subject),
                                      .on_message = fn,
                                      .ctx = ctx};
    TAILQ_INSERT_TAIL(&nudges->all, s, link);
    if (tv_bus_wire_usable(s->wire))
        listen(s);
    return s;
}

void tv_bus_unsubscribe(struct tv_bus_subscription *s) {
    if (s == NULL)
        return;
    s->dead = true;
    if (s->listener == NULL)
        forget(s);
    else if (tv_bus_wire_usable(s->wire)) /* otherwise when the connection is back */
        tv_bus_nats_unlisten(s->listener);
}

void tv_bus_nudges_init(struct tv_bus_nudges *n, struct tv_bus_wire *wire) {
    *n = (struct tv_bus_nudges){.wire = wire};
    TAILQ_INIT(&n->all);
}

void tv_bus_nudges_on_up(struct tv_bus_nudges *n) {
    struct tv_bus_subscription *s, *next;

    TV_TAILQ_FOREACH_SAFE(s, &n->all, link, next) {
        if (s->dead && s->listener != NULL)
            tv_bus_nats_unlisten(s->listener);
        else
            listen(s);
    }
}

void tv_bus_nudges_end(struct tv_bus_nudges *n) {
    struct tv_bus_subscription *s, *next;

    n->ended = true;
    TV_TAILQ_FOREACH_SAFE(s, &n->all, link, next) {
        if (s->listener == NULL)
            forget(s);
        else if (!s->dead && tv_bus_wire_usable(n->wire)) /* otherwise closing does it */
            tv_bus_nats_unlisten(s->listener);
    }
}
