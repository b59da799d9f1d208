/* wait_job.h -- for the origin's routes that answer only when the work is done: wait for the job, or answer 202 to respond-async. */
#ifndef API_WAIT_JOB_H
#define API_WAIT_JOB_H

#include "api/api.h"

/* done is called with the job when it succeeded, and answers. A job that failed is answered with `prefix` and its error; one that
 * takes longer than WAIT_MAX with 504 and its id. The request must not be touched after this call. */
void wait_job(struct call *c, const struct job *job, const char *prefix, void (*done)(struct call *c, const struct job *job));

#endif
