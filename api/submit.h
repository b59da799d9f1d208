/* submit.h -- from a checked request to a job in the queue: one way for every route that makes jobs. */
#ifndef API_SUBMIT_H
#define API_SUBMIT_H

#include "api/api.h"
#include "base/json.h"
#include "kinds/kind.h"
#include "queue/queue.h"

struct submit {
	const struct kind *kind;
	struct json *params;         /* checked by kind_check */
	struct queue_submission job; /* but for params, fingerprint and trace, which submit_job fills in */
};

/* Submits and fills *job_out as it stands in the queue (job_close it); *existing_out: it was there before. False: answered with
 * the status that fits (409, 413, 422, 429, 503). */
bool submit_job(struct call *c, const struct submit *s, struct job *job_out, bool *existing_out);

/* For the origin's routes: check `params` (closed here) against the kind, submit with its own unique key, fill *job_out. A refusal
 * is answered with `prefix` before the sentence. */
bool submit_kind(struct call *c, const char *kind, struct json *params, const char *prefix, struct job *job_out);

/* What every submission brings beside its body. The key: NULL with *ok_out false: answered. Tags as an array become a text with commas
 * in body; false: answered. The trace: NULL when it is none. */
const char *submit_idempotency_key(struct call *c, bool *ok_out);
bool submit_join_tags(struct call *c, struct json *body);
const char *submit_trace(struct call *c);
/* Answered, because the queue did not take it? */
bool submit_refused(struct call *c, const struct queue_submitted *out, const char *key);

/* 202 with Location, Retry-After and the job. */
void reply_accepted(struct call *c, const struct job *job);
/* The job with its ETag. */
void reply_job(struct call *c, int status, const struct job *job);

#endif
