/* flow_input.h -- what POST /api/flows brings: jobs with names, or chains, groups and chords of them, made into one list. */
#ifndef API_FLOW_INPUT_H
#define API_FLOW_INPUT_H

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "queue/flow.h"

/* The list of jobs (each an object with name and after) that a body means: its "jobs" as they stand, or its "chain", "group" or "chord"
 * spread out, in which each job waits for what stands before it. NULL with ERR_INVALID. The caller closes it. */
struct json *flow_spread(const struct json *body, struct err *e) MUST_CHECK;

/* The jobs of such a list, checked by their kinds, as the queue wants them; all in the arena. out->n_jobs and out->jobs are filled. The
 * sentence of an error begins with the place and name of the job. */
bool flow_read(const struct json *jobs, struct arena *arena, struct queue_flow *out, struct err *e) MUST_CHECK;

#endif
