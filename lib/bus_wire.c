/* bus_wire.c - the life of the connection: connect, read and write, lose, connect again, end. */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "bus_internal.h"
#include "clock.h"
#include "log.h"

enum {
    RETRY_MIN_MS = 50,
    RETRY_MAX_MS = 2000,
    END_US = 1000000,      /* all of the end, of which */
    END_FLUSH_US = 400000, /* are left to bytes that the socket does not take */
    /* With TLS, see bus_tls.c: */
    PIECE_BYTES = 64 * 1024, /* unsent: are written before the turn is over */
    ROOM_US = 2000,          /* between two looks whether there is room to write */
    RECORDS_MAX = 16,        /* read in one turn */
    READING_MAX_MS = 200,
};

struct tv_bus_wire {
    struct tv_bus *bus;
    struct tv_loop *loop;
    struct tv_bus_nats *nats;
    pthread_t thread; /* the loop's */
    pthread_mutex_t gate;
    bool given_up; /* written under the gate: the loop does not read mail of ours any more */

    void *connection; /* that libnats works on; NULL: none yet, or it gave it up */
    void *gone;       /* closed; of use until our call about it has returned */
    struct tv_timer *retry_timer;
    unsigned attempts;        /* to connect, since it stood */
    bool connecting, closing; /* a thread of ours is in such a call */
    bool ending;
    bool refused;
    bool connected;       /* as far as the loop knows */
    atomic_bool attached; /* libnats has a socket; cleared by any thread */
    size_t listeners;

    struct tv_watch *watch; /* of `fd` */
    int fd;                 /* a duplicate of libnats' socket */
    int nats_fd;            /* libnats' own, when closing it is up to us; or -1 */
    struct tv_turn write_turn;
    bool has_tls;
    struct tv_bus_tls tls;       /* of `fd` */
    struct tv_timer *room_timer; /* runs while unsent bytes wait for room */
    bool waits_for_room;
    atomic_bool reading; /* the loop is in libnats; see tv_bus_wire_detach() */

    /* What was written: see write_out(). */
    uint64_t published, written; /* numbers of messages */
    uint64_t sent, written_end;  /* bytes of this socket */

    LIST_ENTRY(tv_bus_wire) link;
};

/* Those that libnats would not let go in time: rather kept than freed under its threads. */
static LIST_HEAD(, tv_bus_wire) kept = LIST_HEAD_INITIALIZER(kept);

bool tv_bus_wire_usable(const struct tv_bus_wire *w) {
    return w->connected && atomic_load(&w->attached);
}

bool tv_bus_wire_refused(const struct tv_bus_wire *w) { return w->refused; }

struct tv_bus_nats *tv_bus_wire_nats(const struct tv_bus_wire *w) {
    return w->nats;
}

size_t tv_bus_wire_unsent(const struct tv_bus_wire *w) {
    return tv_bus_wire_usable(w) ? tv_bus_nats_unsent(w->nats) : 0;
}

uint64_t tv_bus_wire_number(const struct tv_bus_wire *w) { return w->published; }

bool tv_bus_wire_was_written(const struct tv_bus_wire *w, uint64_t number) {
    return number <= w->written;
}

void *tv_bus_wire_listen(struct tv_bus_wire *w, const char *subject,
                         void (*on_message)(void *ctx, void *message), void (*on_end)(void *ctx),
                         void *ctx) {
    void *listener = tv_bus_nats_listen(w->nats, subject, on_message, on_end, ctx);

    w->listeners += listener != NULL ? 1 : 0;
    return listener;
}

void tv_bus_wire_listened(struct tv_bus_wire *w, void *listener) {
    w->listeners--;
    tv_bus_nats_listened(listener);
}

bool tv_bus_wire_post(struct tv_bus_wire *w, struct tv_mail *mail) {
    pthread_mutex_lock(&w->gate);
    bool is_open = !w->given_up;
    if (is_open)
        tv_loop_post(w->loop, mail);
    pthread_mutex_unlock(&w->gate);
    return is_open;
}

/* -- the socket ---------------------------------------------------------------------------------*/

/* `written_end` is where the messages up to `written` end in the stream of bytes. Later ones lie
 * behind it; as soon as a byte behind it was sent, nobody knows how many of them went along. */
static void write_out(struct tv_bus_wire *w) {
    size_t before = tv_bus_nats_unsent(w->nats), after = 0;

    w->waits_for_room = w->has_tls && before > 0 && !tv_bus_tls_may_write(&w->tls, before);
    if (w->waits_for_room) {
        tv_timer_set(w->room_timer, ROOM_US);
        return;
    }
    if (before > 0) { /* writing nothing is an error to libnats */
        tv_bus_nats_write(w->nats);
        if (!atomic_load(&w->attached))
            return; /* it was lost */
        after = tv_bus_nats_unsent(w->nats);
        w->sent += before - TV_MIN(after, before);
        if (w->sent > w->written_end) {
            w->written = w->published;
            w->written_end = w->sent + after;
        }
    }
    if (w->watch != NULL)
        tv_watch_set(w->watch, TV_READABLE | (after > 0 ? TV_WRITABLE : 0));
}

/* Whether the loop may read and write. */
static bool is_ours(const struct tv_bus_wire *w) {
    return w->connection != NULL && !w->closing && atomic_load(&w->attached);
}

static void on_write_turn(void *ctx) {
    struct tv_bus_wire *w = ctx;

    if (is_ours(w) && !w->waits_for_room)
        write_out(w);
}

static void on_room_timer(void *ctx) {
    struct tv_bus_wire *w = ctx;

    w->waits_for_room = false;
    on_write_turn(w);
}

enum tv_err tv_bus_wire_publish(struct tv_bus_wire *w, const char *subject, const char *reply,
                                const struct tv_bus_header *headers, size_t header_count,
                                struct tv_str body) {
    /* OpenSSL takes all that is unsent or waits: it gets no more at once than it can take. */
    if (w->has_tls && !w->waits_for_room && tv_bus_wire_unsent(w) >= PIECE_BYTES)
        write_out(w);
    if (!tv_bus_wire_usable(w))
        return TV_ERR_UNAVAILABLE; /* it was lost in writing */
    w->published++;
    return tv_bus_nats_publish(w->nats, subject, reply, headers, header_count, body);
}

/* One piece; with TLS a record is one. */
static uint64_t read_in(struct tv_bus_wire *w) {
    uint64_t count = 0;

    atomic_store(&w->reading, true);
    if (is_ours(w)) /* asked in this order: tv_bus_wire_detach() does the reverse */
        count = tv_bus_nats_read(w->nats);
    atomic_store(&w->reading, false);
    return count;
}

static uint64_t read_records(struct tv_bus_wire *w) {
    uint64_t count = 0;
    int records = 0;

    while (records++ < RECORDS_MAX && is_ours(w) && tv_bus_tls_may_read(&w->tls)) {
        count += read_in(w);
        if (!w->tls.more)
            break;
    }
    return count;
}

static void on_socket(void *ctx, unsigned events) {
    struct tv_bus_wire *w = ctx;
    uint64_t count = 0;

    if ((events & TV_READABLE) != 0 && is_ours(w))
        count = w->has_tls ? read_records(w) : read_in(w);
    if (count > 0)
        tv_bus_on_read(w->bus, count);
    if ((events & TV_WRITABLE) != 0 && is_ours(w))
        write_out(w);
}

static void drop_socket(struct tv_bus_wire *w) {
    tv_watch_free(TV_TAKE_PTR(w->watch));
    if (w->fd >= 0)
        close(w->fd);
    if (w->nats_fd >= 0)
        close(w->nats_fd);
    w->fd = w->nats_fd = -1;
}

/* -- news, on the loop's thread -----------------------------------------------------------------*/

struct event {
    struct tv_mail mail;
    struct tv_bus_wire *wire;
    enum tv_bus_news news;
    void *connection;
    int fd, nats_fd;
    enum tv_bus_connect connect;
    char text[TV_BUS_REASON_TEXT];
};

static void on_attached(struct tv_bus_wire *w, const struct event *e) {
    drop_socket(w);
    w->fd = e->fd;
    w->nats_fd = e->nats_fd;
    if (w->closing)
        return; /* it will be lost at once */
    w->connection = e->connection;
    tv_bus_nats_use(w->nats, e->connection);
    w->sent = w->written_end = 0;
    if (w->has_tls)
        tv_bus_tls_init(&w->tls, w->fd);
    w->waits_for_room = false;
    w->watch = tv_watch_new(w->loop, w->fd, TV_READABLE, on_socket, w);
    tv_turn_arm(w->loop, &w->write_turn);
}

static void on_lost(struct tv_bus_wire *w) {
    drop_socket(w);
    w->connected = false;
    tv_bus_on_down(w->bus);
}

static void on_connected(struct tv_bus_wire *w) {
    if (w->ending || w->connected || !atomic_load(&w->attached))
        return; /* old news: it was lost again meanwhile */
    w->connected = true;
    w->refused = false;
    w->attempts = 0;
    tv_bus_on_up(w->bus);
}

/* Forgets everything that belongs to a connection that will not come back. */
static void drop_connection(struct tv_bus_wire *w) {
    on_lost(w);
    tv_bus_on_gone(w->bus);
    w->connection = NULL;
    tv_bus_nats_use(w->nats, NULL);
}

static void retry_after_ms(struct tv_bus_wire *w, int64_t ms) {
    if (!w->ending)
        tv_timer_set(w->retry_timer, ms * TV_US_PER_MS);
}

/* Wrong password, too many connections: libnats gives up, we do not. */
static void on_refused(struct tv_bus_wire *w, const char *text) {
    if (!w->refused && !w->ending)
        tv_log_error("NATS refuses the connection; it is tried again", F_STR(ERROR, text));
    w->refused = true;
    drop_connection(w);
    retry_after_ms(w, RETRY_MAX_MS);
}

static void on_closed(struct tv_bus_wire *w, const struct event *e) {
    if (w->connecting || w->closing)
        w->gone = e->connection; /* our call about it has not returned */
    else if (e->connection == w->connection)
        on_refused(w, e->text);
}

static void on_connect_returned(struct tv_bus_wire *w, const struct event *e) {
    w->connecting = false;
    w->connection = e->connection;
    tv_bus_nats_use(w->nats, e->connection);
    if (e->connect == TV_CONNECT_REFUSED || (e->connection != NULL && e->connection == w->gone))
        on_refused(w, e->text);
    else if (e->connect == TV_CONNECT_AWAY)
        retry_after_ms(w, tv_bus_retry_delay_ms(w->attempts++));
    else
        on_connected(w);
    w->gone = NULL;
}

static void dispatch(struct tv_bus_wire *w, const struct event *e) {
    switch (e->news) {
    case TV_NEWS_ATTACHED:
        on_attached(w, e);
        break;
    case TV_NEWS_LOST:
        on_lost(w);
        break;
    case TV_NEWS_WRITE:
        tv_turn_arm(w->loop, &w->write_turn);
        break;
    case TV_NEWS_CONNECTED:
        on_connected(w);
        break;
    case TV_NEWS_VIOLATION:
        tv_bus_on_violation(w->bus, e->text);
        break;
    case TV_NEWS_SLOW:
        tv_bus_on_slow(w->bus);
        break;
    case TV_NEWS_CLOSED:
        on_closed(w, e);
        break;
    case TV_NEWS_CONNECT_RETURNED:
        on_connect_returned(w, e);
        break;
    case TV_NEWS_CLOSE_RETURNED:
        w->closing = false;
        break;
    }
}

/* An event that nobody takes in. */
static void free_event(struct event *e) {
    if (e->news == TV_NEWS_ATTACHED)
        close(e->fd);
    free(e);
}

static void on_event(struct tv_mail *mail) {
    struct event *e = tv_container_of(mail, struct event, mail);

    if (e->wire->given_up) {
        free_event(e);
        return;
    }
    dispatch(e->wire, e);
    free(e);
}

/* -- news, on any thread ------------------------------------------------------------------------*/

static void post(struct tv_bus_wire *w, struct event event) {
    struct event *e = tv_malloc(sizeof(*e));

    *e = event;
    e->mail.fn = on_event;
    e->wire = w;
    if (!tv_bus_wire_post(w, &e->mail))
        free_event(e);
}

void tv_bus_wire_tell(struct tv_bus_wire *w, enum tv_bus_news news, void *connection,
                      const char *text) {
    struct event e = {.news = news, .connection = connection};

    snprintf(e.text, sizeof(e.text), "%s", text);
    post(w, e);
}

void tv_bus_wire_attach(struct tv_bus_wire *w, void *connection, int fd, int nats_fd) {
    atomic_store(&w->attached, true);
    post(w, (struct event){
                .news = TV_NEWS_ATTACHED, .connection = connection, .fd = fd, .nats_fd = nats_fd});
}

/* What follows is that libnats frees its TLS, with its lock held, be the loop in there or not. So
 * its thread waits until the loop has come out. The loop may also have come out of TLS only and
 * wait for that lock: hence the limit, which is far more than a record takes. */
static void let_reading_end(struct tv_bus_wire *w) {
    for (int ms = 0; ms < READING_MAX_MS && atomic_load(&w->reading); ms++)
        (void)poll(NULL, 0, 1);
}

void tv_bus_wire_detach(struct tv_bus_wire *w) {
    if (!atomic_exchange(&w->attached, false))
        return;
    if (w->has_tls && !pthread_equal(pthread_self(), w->thread))
        let_reading_end(w);
    post(w, (struct event){.news = TV_NEWS_LOST});
}

void tv_bus_wire_want_write(struct tv_bus_wire *w) {
    if (pthread_equal(pthread_self(), w->thread))
        tv_turn_arm(w->loop, &w->write_turn);
    else
        post(w, (struct event){.news = TV_NEWS_WRITE});
}

/* -- connecting ---------------------------------------------------------------------------------*/

/* Threads of ours for the two calls that block: not the loop's workers, which have other work. */
static void start_thread(struct tv_bus_wire *w, void *(*run)(void *wire)) {
    pthread_t thread;
    int err = pthread_create(&thread, NULL, run, w);

    if (err != 0)
        tv_panic("no thread for NATS: %s", strerror(err));
    pthread_detach(thread);
}

static void *connect_thread(void *wire) {
    struct tv_bus_wire *w = wire;
    struct event e = {.news = TV_NEWS_CONNECT_RETURNED};

    e.connect = tv_bus_nats_connect(w->nats, &e.connection, e.text);
    post(w, e);
    return NULL;
}

static void start_connecting(struct tv_bus_wire *w) {
    w->connecting = true;
    start_thread(w, connect_thread);
}

int64_t tv_bus_retry_delay_ms(unsigned attempts) {
    int64_t most = TV_MIN(RETRY_MIN_MS << TV_MIN(attempts, 6), RETRY_MAX_MS);
    uint32_t random = 0;

    (void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
    return most / 2 + random % (uint32_t)(most / 2 + 1);
}

static void on_retry_timer(void *ctx) { start_connecting(ctx); }

enum tv_err tv_bus_wire_new(struct tv_loop *l, const struct tv_bus_config *c, struct tv_bus *b,
                            struct tv_bus_wire **ret, struct tv_error *e) {
    struct tv_bus_wire *w = tv_calloc(1, sizeof(*w));

    w->bus = b;
    w->loop = l;
    w->thread = pthread_self();
    w->fd = w->nats_fd = -1;
    w->write_turn = (struct tv_turn){.fn = on_write_turn, .ctx = w};
    enum tv_err err = tv_bus_nats_new(c, w, &w->nats, e);
    if (err != TV_OK) {
        free(w);
        return err;
    }
    pthread_mutex_init(&w->gate, NULL);
    w->has_tls = tv_bus_nats_has_tls(w->nats);
    w->retry_timer = tv_timer_new(l, on_retry_timer, w);
    w->room_timer = tv_timer_new(l, on_room_timer, w);
    start_connecting(w);
    *ret = w;
    return TV_OK;
}

/* -- the end ------------------------------------------------------------------------------------*/

static bool is_flushed(void *ctx) {
    const struct tv_bus_wire *w = ctx;

    return !w->connecting && tv_bus_wire_unsent(w) == 0;
}

static bool is_not_connecting(void *ctx) {
    const struct tv_bus_wire *w = ctx;

    return !w->connecting;
}

static bool is_closed(void *ctx) {
    const struct tv_bus_wire *w = ctx;

    return !w->connecting && !w->closing && (w->connection == NULL || w->connection == w->gone) &&
           w->listeners == 0;
}

static void *close_thread(void *wire) {
    struct tv_bus_wire *w = wire;

    tv_bus_nats_hang_up(w->connection); /* waits for an attempt to connect */
    post(w, (struct event){.news = TV_NEWS_CLOSE_RETURNED});
    return NULL;
}

/* From now on its thread alone may call libnats. */
static void start_closing(struct tv_bus_wire *w) {
    w->connected = false;
    w->closing = true;
    tv_watch_free(TV_TAKE_PTR(w->watch));
    start_thread(w, close_thread);
}

bool tv_bus_wire_end(struct tv_bus_wire *w) {
    int64_t until_us = tv_clock_mono_us() + END_US;

    w->ending = true;
    tv_timer_free(TV_TAKE_PTR(w->retry_timer));
    tv_loop_run_until(w->loop, is_flushed, w, END_FLUSH_US);
    tv_loop_run_until(w->loop, is_not_connecting, w, until_us - tv_clock_mono_us());
    if (!w->connecting && w->connection != NULL)
        start_closing(w);
    bool over = tv_loop_run_until(w->loop, is_closed, w, until_us - tv_clock_mono_us());
    if (over) {
        drop_connection(w);
    } else {
        pthread_mutex_lock(&w->gate);
        w->given_up = true;
        pthread_mutex_unlock(&w->gate);
        w->connected = false;
        tv_watch_free(TV_TAKE_PTR(w->watch));
        LIST_INSERT_HEAD(&kept, w, link);
    }
    tv_turn_disarm(w->loop, &w->write_turn);
    tv_timer_free(TV_TAKE_PTR(w->room_timer));
    return over;
}

void tv_bus_wire_free(struct tv_bus_wire *w) {
    if (w == NULL)
        return;
    tv_bus_nats_free(w->nats);
    /* A thread that has posted its last word may be about to leave the gate. */
    pthread_mutex_lock(&w->gate);
    pthread_mutex_unlock(&w->gate);
    pthread_mutex_destroy(&w->gate);
    free(w);
}
