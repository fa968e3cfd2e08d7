/* notifier - acts for time: fires what is due and tells the people concerned. */
#include "lib/service.h"
#include "services/notifier/due.h"

static enum tv_err start(const struct tv_service_env *env, void **ret_state,
                         struct tv_need needs[TV_SERVICE_NEEDS_MAX], size_t *ret_need_count,
                         struct tv_error *e) {
    *ret_state = tv_due_new(env->loop, env->bus);
    *ret_need_count = 0;
    return TV_OK;
}

static void drain(void *state) { tv_due_drain(state); }
static bool busy(void *state) { return tv_due_busy(state); }
static void stop(void *state) { tv_due_free(state); }

static const struct tv_service notifier = {
    .name = "notifier",
    .description = "Fires what is due and tells the people concerned.",
    .start = start,
    .drain = drain,
    .busy = busy,
    .stop = stop,
};

int main(int argc, char **argv) { return tv_service_run(&notifier, argc, argv); }
