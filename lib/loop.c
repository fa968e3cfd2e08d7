#include "loop.h"

#include <signal.h>
#include <stdlib.h>
#include <uv.h>

#include "clock.h"

/* libuv knows no end of a turn, so it is put together from two of its phases: `prepare` comes
 * before the loop looks at its sockets (and so after timers, in every version of libuv), `check`
 * after it (and so after sockets, mail and finished workers). Both run what is armed; nothing can
 * be armed when the loop goes to sleep. */

enum { WORKERS = 2 };

struct worker {
    uv_work_t request;
    struct tv_loop *loop;
    struct tv_work *work; /* NULL: idle */
};

struct tv_loop {
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_async_t wake; /* there is mail */
    uv_signal_t signals[2];
    bool has_signals;
    void (*on_signal)(void *ctx, int signo);
    void *signal_ctx;

    TAILQ_HEAD(, tv_turn) turns; /* armed */
    bool (*until)(void *ctx);    /* of tv_loop_run_until(); asked at the end of each turn */
    void *until_ctx;
    int64_t now_us; /* of this turn; 0: nobody asked yet */
    unsigned users; /* timers and watches not freed */

    uv_mutex_t mutex;                   /* guards `mail` */
    STAILQ_HEAD(mailbox, tv_mail) mail; /* not empty: `wake` was sent */

    struct worker workers[WORKERS];
    struct tv_work *waiting; /* linked by private_ */
    struct tv_work *waiting_last;
};

/* libuv fails here only on a bug of ours or without memory and descriptors at start. */
static void check(int err, const char *what) {
    if (err != 0)
        tv_panic("%s: %s", what, uv_strerror(err));
}

static void *uv_handle(void *h) { return h; } /* uv_timer_t * and so on as uv_handle_t * */

/* -- turns --------------------------------------------------------------------------------------*/

static void end_turn(struct tv_loop *l) {
    struct tv_turn *t;

    while ((t = TAILQ_FIRST(&l->turns)) != NULL) {
        tv_turn_disarm(l, t);
        t->fn(t->ctx);
    }
    if (l->until != NULL && l->until(l->until_ctx))
        uv_stop(&l->uv);
    l->now_us = 0;
}

static void on_prepare(uv_prepare_t *h) { end_turn(h->data); }
static void on_check(uv_check_t *h) { end_turn(h->data); }

void tv_turn_arm(struct tv_loop *l, struct tv_turn *t) {
    if (t->armed)
        return;
    t->armed = true;
    TAILQ_INSERT_TAIL(&l->turns, t, link);
}

void tv_turn_disarm(struct tv_loop *l, struct tv_turn *t) {
    if (!t->armed)
        return;
    t->armed = false;
    TAILQ_REMOVE(&l->turns, t, link);
}

int64_t tv_loop_now_us(const struct tv_loop *l) {
    /* Read when first asked for: most turns never ask. The cache is not part of the state. */
    struct tv_loop *cache = (struct tv_loop *)(uintptr_t)l;

    if (cache->now_us == 0)
        cache->now_us = tv_clock_mono_us();
    return cache->now_us;
}

/* -- mail ---------------------------------------------------------------------------------------*/

static void read_mail(struct tv_loop *l) {
    struct mailbox mine = STAILQ_HEAD_INITIALIZER(mine);
    struct tv_mail *m;

    uv_mutex_lock(&l->mutex);
    STAILQ_CONCAT(&mine, &l->mail);
    uv_mutex_unlock(&l->mutex);
    while ((m = STAILQ_FIRST(&mine)) != NULL) {
        STAILQ_REMOVE_HEAD(&mine, link);
        m->fn(m);
    }
}

static void on_wake(uv_async_t *h) { read_mail(h->data); }

void tv_loop_post(struct tv_loop *l, struct tv_mail *m) {
    uv_mutex_lock(&l->mutex);
    bool was_empty = STAILQ_EMPTY(&l->mail);
    STAILQ_INSERT_TAIL(&l->mail, m, link);
    if (was_empty) /* inside the lock: the loop must not be freed between the two */
        uv_async_send(&l->wake);
    uv_mutex_unlock(&l->mutex);
}

/* -- the loop -----------------------------------------------------------------------------------*/

struct tv_loop *tv_loop_new(void) {
    /* Read by libuv at the first piece of work, when it makes its threads. */
    setenv("UV_THREADPOOL_SIZE", "2", 0);

    struct tv_loop *l = tv_calloc(1, sizeof(*l));
    check(uv_loop_init(&l->uv), "uv_loop_init");
    check(uv_mutex_init(&l->mutex), "uv_mutex_init");
    check(uv_async_init(&l->uv, &l->wake, on_wake), "uv_async_init");
    uv_prepare_init(&l->uv, &l->prepare);
    uv_check_init(&l->uv, &l->check);
    l->wake.data = l->prepare.data = l->check.data = l;
    uv_prepare_start(&l->prepare, on_prepare);
    uv_check_start(&l->check, on_check);
    TAILQ_INIT(&l->turns);
    STAILQ_INIT(&l->mail);
    for (size_t i = 0; i < WORKERS; i++)
        l->workers[i].loop = l;
    return l;
}

void tv_loop_free(struct tv_loop *l) {
    if (l == NULL)
        return;
    read_mail(l);
    end_turn(l);
    if (l->users != 0)
        tv_panic("tv_loop_free: %u timers or watches are left", l->users);
    for (size_t i = 0; i < WORKERS; i++) {
        if (l->workers[i].work != NULL)
            tv_panic("tv_loop_free: work is under way");
    }
    uv_close(uv_handle(&l->wake), NULL);
    uv_close(uv_handle(&l->prepare), NULL);
    uv_close(uv_handle(&l->check), NULL);
    for (size_t i = 0; l->has_signals && i < TV_ARRAY_LEN(l->signals); i++)
        uv_close(uv_handle(&l->signals[i]), NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT); /* until all is closed */
    check(uv_loop_close(&l->uv), "uv_loop_close");
    /* A sender may be about to leave tv_loop_post(). */
    uv_mutex_lock(&l->mutex);
    uv_mutex_unlock(&l->mutex);
    uv_mutex_destroy(&l->mutex);
    free(l);
}

void tv_loop_run(struct tv_loop *l) { uv_run(&l->uv, UV_RUN_DEFAULT); }

void tv_loop_stop(struct tv_loop *l) { uv_stop(&l->uv); }

static void on_time_out(void *ctx) {
    struct tv_loop *l = ctx;

    l->until = NULL;
    uv_stop(&l->uv);
}

bool tv_loop_run_until(struct tv_loop *l, bool (*done)(void *ctx), void *ctx, int64_t timeout_us) {
    struct tv_timer *timer = tv_timer_new(l, on_time_out, l);
    bool is_done;

    assert(l->until == NULL);
    l->until = done;
    l->until_ctx = ctx;
    tv_timer_set(timer, timeout_us);
    while (!(is_done = done(ctx)) && l->until != NULL)
        uv_run(&l->uv, UV_RUN_DEFAULT);
    l->until = NULL;
    tv_timer_free(timer);
    return is_done;
}

/* -- timers -------------------------------------------------------------------------------------*/

struct tv_timer {
    uv_timer_t uv;
    struct tv_loop *loop;
    void (*on_fire)(void *ctx);
    void *ctx;
};

static void free_handle_data(uv_handle_t *h) { free(h->data); }

static void on_timer(uv_timer_t *h) {
    struct tv_timer *t = h->data;

    t->on_fire(t->ctx);
}

struct tv_timer *tv_timer_new(struct tv_loop *l, void (*on_fire)(void *ctx), void *ctx) {
    struct tv_timer *t = tv_calloc(1, sizeof(*t));

    *t = (struct tv_timer){.loop = l, .on_fire = on_fire, .ctx = ctx};
    check(uv_timer_init(&l->uv, &t->uv), "uv_timer_init");
    t->uv.data = t;
    l->users++;
    return t;
}

void tv_timer_set(struct tv_timer *t, int64_t after_us) {
    /* libuv counts whole milliseconds from the start of the turn, which may be a while ago: a
     * timer must not fire early, so aim at the first millisecond after the instant. */
    uint64_t due_us = uv_hrtime() / 1000 + (uint64_t)TV_MAX(after_us, 0);
    uint64_t due_ms = (due_us + 999) / 1000, now_ms = uv_now(&t->loop->uv);

    check(uv_timer_start(&t->uv, on_timer, due_ms > now_ms ? due_ms - now_ms : 0, 0),
          "uv_timer_start");
}

void tv_timer_clear(struct tv_timer *t) { uv_timer_stop(&t->uv); }

void tv_timer_free(struct tv_timer *t) {
    if (t == NULL)
        return;
    t->loop->users--;
    uv_close(uv_handle(&t->uv), free_handle_data);
}

/* -- sockets ------------------------------------------------------------------------------------*/

struct tv_watch {
    uv_poll_t uv;
    struct tv_loop *loop;
    unsigned events; /* waited for; 0 after an error: libuv has stopped then */
    void (*on_event)(void *ctx, unsigned events);
    void *ctx;
};

static void on_poll(uv_poll_t *h, int status, int uv_events) {
    struct tv_watch *w = h->data;
    unsigned events = 0;

    if (status < 0) {
        w->events = 0;
        events = TV_READABLE | TV_WRITABLE;
    } else {
        events |= (uv_events & UV_READABLE) != 0 ? TV_READABLE : 0;
        events |= (uv_events & UV_WRITABLE) != 0 ? TV_WRITABLE : 0;
    }
    w->on_event(w->ctx, events);
}

struct tv_watch *tv_watch_new(struct tv_loop *l, int fd, unsigned events,
                              void (*on_event)(void *ctx, unsigned events), void *ctx) {
    struct tv_watch *w = tv_calloc(1, sizeof(*w));

    *w = (struct tv_watch){.loop = l, .on_event = on_event, .ctx = ctx};
    check(uv_poll_init(&l->uv, &w->uv, fd), "uv_poll_init");
    w->uv.data = w;
    l->users++;
    tv_watch_set(w, events);
    return w;
}

void tv_watch_set(struct tv_watch *w, unsigned events) {
    if (events == w->events)
        return;
    w->events = events;
    if (events == 0) {
        uv_poll_stop(&w->uv);
        return;
    }
    int uv_events = ((events & TV_READABLE) != 0 ? UV_READABLE : 0) |
                    ((events & TV_WRITABLE) != 0 ? UV_WRITABLE : 0);
    check(uv_poll_start(&w->uv, uv_events, on_poll), "uv_poll_start");
}

void tv_watch_free(struct tv_watch *w) {
    if (w == NULL)
        return;
    w->loop->users--;
    uv_close(uv_handle(&w->uv), free_handle_data);
}

/* -- workers ------------------------------------------------------------------------------------*/

static void start_work(struct tv_loop *l);

static void on_worker(uv_work_t *request) {
    struct worker *worker = tv_container_of(request, struct worker, request);

    worker->work->work(worker->work);
}

static void on_worked(uv_work_t *request, int status) {
    struct worker *worker = tv_container_of(request, struct worker, request);
    struct tv_work *w = TV_TAKE_PTR(worker->work);

    start_work(worker->loop);
    w->done(w);
}

/* Gives waiting work to idle workers. */
static void start_work(struct tv_loop *l) {
    for (size_t i = 0; i < WORKERS && l->waiting != NULL; i++) {
        struct worker *worker = &l->workers[i];

        if (worker->work != NULL)
            continue;
        worker->work = l->waiting;
        l->waiting = worker->work->private_;
        check(uv_queue_work(&l->uv, &worker->request, on_worker, on_worked), "uv_queue_work");
    }
}

void tv_loop_work(struct tv_loop *l, struct tv_work *w) {
    w->private_ = NULL;
    if (l->waiting == NULL)
        l->waiting = w;
    else
        l->waiting_last->private_ = w;
    l->waiting_last = w;
    start_work(l);
}

/* -- signals ------------------------------------------------------------------------------------*/

static void on_uv_signal(uv_signal_t *h, int signo) {
    struct tv_loop *l = h->data;

    l->on_signal(l->signal_ctx, signo);
}

void tv_loop_on_terminate(struct tv_loop *l, void (*on_signal)(void *ctx, int signo), void *ctx) {
    static const int signos[TV_ARRAY_LEN(l->signals)] = {SIGTERM, SIGINT};

    assert(!l->has_signals);
    l->on_signal = on_signal;
    l->signal_ctx = ctx;
    l->has_signals = true;
    for (size_t i = 0; i < TV_ARRAY_LEN(signos); i++) {
        check(uv_signal_init(&l->uv, &l->signals[i]), "uv_signal_init");
        l->signals[i].data = l;
        check(uv_signal_start(&l->signals[i], on_uv_signal, signos[i]), "uv_signal_start");
    }
}
