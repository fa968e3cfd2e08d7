/* notifier - acts for time: fires what is due, has jobs done, watches LiveKit, and tells the people
 * concerned. */
#include <stdlib.h>

#include "lib/service.h"
#include "services/notifier/due.h"
#include "services/notifier/jobs.h"
#include "services/notifier/tell.h"
#include "services/notifier/watch.h"

struct notifier {
    struct tv_due *due;
    struct tv_jobs *jobs;
    struct tv_media_watch *watch;
};

static void on_news(void *ctx, const struct tv_due_news *news) {
    struct notifier *n = ctx;

    if (news->next_job_us != INT64_MAX)
        tv_jobs_hint(n->jobs, news->next_job_us);
    tv_media_watch_news(n->watch, news);
}

static enum tv_err start(const struct tv_service_env *env, void **ret_state,
                         struct tv_need needs[TV_SERVICE_NEEDS_MAX], size_t *ret_need_count,
                         struct tv_error *e) {
    struct notifier *n = tv_calloc(1, sizeof(*n));

    tv_tell_init();
    n->jobs = tv_jobs_new(env->loop, env->bus);
    n->watch = tv_media_watch_new(env->loop, env->bus);
    n->due = tv_due_new(env->loop, env->bus, on_news, n);
    *ret_state = n;
    *ret_need_count = 0;
    return TV_OK;
}

static void drain(void *state) {
    struct notifier *n = state;

    tv_due_drain(n->due);
    tv_jobs_drain(n->jobs);
    tv_media_watch_drain(n->watch);
}

static bool busy(void *state) {
    const struct notifier *n = state;

    return tv_due_busy(n->due) || tv_jobs_busy(n->jobs) || tv_media_watch_busy(n->watch);
}

static void stop(void *state) {
    struct notifier *n = state;

    tv_due_free(n->due);
    tv_media_watch_free(n->watch);
    tv_jobs_free(n->jobs);
    free(n);
}

static const struct tv_service notifier = {
    .name = "notifier",
    .description = "Fires what is due, has jobs done, watches LiveKit, tells the people concerned.",
    .start = start,
    .drain = drain,
    .busy = busy,
    .stop = stop,
};

int main(int argc, char **argv) { return tv_service_run(&notifier, argc, argv); }
