/* one_job.h -- the job that a path names. */
#ifndef API_ONE_JOB_H
#define API_ONE_JOB_H

#include "api/api.h"

/* The id in the path, or NULL after 404: what is no id of ours was never a job. */
const char *call_job_id(struct call *c);
/* True: *out is filled, job_close it; else answered. */
bool call_job(struct call *c, const char *id, struct job *out);

#endif
