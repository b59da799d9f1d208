/* kind.h -- what each kind of job is: name, queue, parameters, limits, check and run. One file and one line in kinds.def each.
 *
 * A kind's run() is called in a slot process with one job at a time. It may be killed at any instruction and run again from the
 * start (at least once), so everything it writes is keyed by what it is or by the job, and carries the fence.
 */
#ifndef KINDS_KIND_H
#define KINDS_KIND_H

#include "base/base.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/param.h"
#include "exchange/exchange.h"
#include "job/job.h"
#include "store/cache.h"
#include "store/store.h"

/* What a running job may use. Opened by the slot when first asked for, kept between jobs. */
struct job_context {
	const struct job *job;     /* id, kind, attempt, fence, ... */
	const struct json *params; /* checked, defaults filled in */
	const struct json *inputs; /* results of the jobs that it waited for, by name; NULL: there were none */
	struct arena *arena;       /* dies with the job */
	void *slot;                /* behind the functions below */

	struct store *(*store)(struct job_context *c, struct err *e);
	struct cache *(*cache)(struct job_context *c, struct err *e);
	struct exchange *(*exchange)(struct job_context *c, struct err *e);
	const char *records_dir;
	/* Tell how far it is (cheap: shared memory); false: stop now, clean up, return ERR_CANCELLED. */
	bool (*progress)(struct job_context *c, int64_t done, int64_t total, const char *unit, const char *note);
	/* A line for the job's own log, read live at /api/jobs/{id}/logs: what a person would want to know, at most 50 a second. */
	void (*log)(struct job_context *c, const char *text);
};

struct kind {
	const char *name, *title; /* "kline.download", "Download K-lines" */
	const char *queue;        /* "kline", "backtest", "default" */
	int version;
	int oldest_version; /* of the payloads that run() still understands; 0: version only */
	const struct param *params;
	size_t n_params;
	int max_attempts;
	int64_t backoff_ms, backoff_cap_ms;
	int64_t soft_limit_ms, hard_limit_ms; /* asked to stop; killed */
	bool is_short;                        /* usually < 50 ms: may be looked ahead */
	/* Beyond the table: ranges that contradict each other and the like. May be NULL. May fill in values. */
	bool (*check)(struct json *params, struct err *e);
	/* Uniqueness: jobs with the same key wait for one result (out "" : none). May be NULL. */
	void (*unique_key)(const struct json *params, char out[JOB_KEY]);
	/* At most *max_out jobs of this key run at once, unless the submission says otherwise (out "": any number). May be NULL. */
	void (*concurrency)(const struct json *params, char out[JOB_KEY], int *max_out);
	/* Do it. *result_out: a JSON value that the caller closes. False with e: temporary errors are tried again. */
	bool (*run)(struct job_context *c, struct json **result_out, struct err *e);
	/* Which symbols an empty list `symbols` stands for, as far as the store knows: to split a job into one for each. params are not checked yet, and
	 * may be NULL. How many (1 or more), names in the arena; -1 with e: ERR_INVALID says what to do. May be NULL: it stands for none. */
	int (*all_symbols)(const struct json *params, struct store *s, struct arena *a, const char ***out, struct err *e);
	/* Rewrite what people may also send, before the table is applied; gives a new object. May be NULL. */
	struct json *(*shape)(const struct json *params);
};

const struct kind *kind_of(const char *name); /* NULL: no such kind */
const struct kind *kind_at(size_t i);         /* NULL after the last */
int kind_oldest(const struct kind *k);        /* the oldest version that it understands */
/* c->log, formatted. */
void kind_log(struct job_context *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Check params text or tree of a kind; gives the normalised object, or NULL with ERR_INVALID. */
struct json *kind_check(const struct kind *k, const struct json *params, bool unknown_ok, struct err *e) MUST_CHECK;

#endif
