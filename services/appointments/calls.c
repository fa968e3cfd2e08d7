/* calls.c - the record of calls. */
#include "services/appointments/app.h"

void calls_list(struct tv_call *call) { tv_call_failf(call, TV_ERR_UNAVAILABLE, "%s", ""); }
void calls_record(struct tv_call *call) { tv_call_failf(call, TV_ERR_UNAVAILABLE, "%s", ""); }
void calls_snapshot(struct tv_call *call) { tv_call_failf(call, TV_ERR_UNAVAILABLE, "%s", ""); }
void calls_closed(struct tv_call *call) { tv_call_failf(call, TV_ERR_UNAVAILABLE, "%s", ""); }
void calls_settle(struct tv_call *call) { tv_call_failf(call, TV_ERR_UNAVAILABLE, "%s", ""); }
