/* job.h - one job under way, as its kind sees it.
 *
 * A kind (kinds.h) is a chain of steps. Each step asks somebody and names the next step; the last
 * one ends the job:
 *
 *     run(j) -- tv_job_call() --> next(j, reply) -- tv_job_call() --> next(j, reply) --
 * tv_job_done()
 *                     \-- it failed: tv_job_fail(), or the step's own `otherwise`
 *
 * What a reply tells (`told`, `due_now`) is published before the next step sees it. tv_job_call()
 * and the ends may free the job: a step does nothing after them.
 *
 * A job is held by a lease. No step gets longer than it; where it would, the job is dropped without
 * a word, for somebody else has it by then or soon. So a kind must bear that any of its steps was
 * done before.
 */
#ifndef TV_NOTIFIER_JOB_H
#define TV_NOTIFIER_JOB_H

#include "lib/arena.h"
#include "lib/err.h"
#include "lib/pb.h"
#include "televisit/v1/jobs.pb-c.h"

struct tv_job;

const Televisit__V1__Job *tv_job_row(const struct tv_job *j); /* borrowed, as is the arena */
struct tv_arena *tv_job_arena(const struct tv_job *j);
/* How long ago the latest call was sent. */
int64_t tv_job_step_age_ms(const struct tv_job *j);

typedef void tv_job_next_fn(struct tv_job *j, const ProtobufCMessage *reply);
typedef void tv_job_otherwise_fn(struct tv_job *j, enum tv_err err);

/* Asks `method` of `service`, then goes on with `next`. When it fails in a way that may pass,
 * `otherwise` decides; NULL: the job is tried again. */
void tv_job_call(struct tv_job *j, const ProtobufCServiceDescriptor *service, const char *method,
                 const ProtobufCMessage *request, tv_job_next_fn *next,
                 tv_job_otherwise_fn *otherwise);

/* -- the ends: exactly one for each job ---------------------------------------------------------*/
void tv_job_done(struct tv_job *j);
/* It went well and is to be done again. */
void tv_job_again(struct tv_job *j, int32_t after_ms);
/* What may pass is tried again after the kind's back-off, until its attempts are used up; the rest
 * is a dead letter. */
void tv_job_fail(struct tv_job *j, enum tv_err err);

#endif
