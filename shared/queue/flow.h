/* flow.h -- jobs that wait for jobs: a flow is submitted whole, passes results on, and ends with its root.
 *
 * A flow is a set of named jobs, each of which may wait for others of any queue. Its *root*, one more job, waits for all of them and
 * gets what the last ones gave; its id is the flow's. A job that waits is WAITING; it becomes READY when the last one that it waits for
 * ended well, and its claim then carries their results. What happens when one ends badly (FAILED, DEAD, CANCELLED) is that one's policy.
 *
 * The jobs that a flow has in a queue stand in one of its shards, different flows in different ones. Within
 * a shard who waits is told in the call that ends a job. Word for another shard or queue stands in an outbox until somebody
 * carries it: struct queue_mail, driven by a process of each worker. It is told at least once and heard once.
 */
#ifndef QUEUE_FLOW_H
#define QUEUE_FLOW_H

#include "queue/queue.h"

#define QUEUE_FLOW_JOBS    1000
#define QUEUE_FLOW_EDGES   10000
#define QUEUE_FLOW_NAME    61 /* of a job in its flow: 1 to 60 of A-Z a-z 0-9 _ - and NUL */
#define QUEUE_FLOW_RETRIES 100

enum flow_policy {
	FLOW_FAIL,   /* who waits for it fails, and so on up to the root */
	FLOW_IGNORE, /* who waits for it goes on; its result is null */
	FLOW_RETRY   /* it is run again with fresh counters, up to `retries` times, before it counts as failed */
};

struct queue_flow_job {
	const char *name;
	const char *const *after; /* names of the jobs that it waits for */
	size_t n_after;
	enum flow_policy on_failure;
	int retries;                 /* for FLOW_RETRY: 1 .. QUEUE_FLOW_RETRIES */
	struct queue_submission job; /* id, held, keys and parent are filled in; run_at_ms and delay_ms only where n_after is 0 */
};

struct queue_flow {
	struct queue_flow_job *jobs;
	size_t n_jobs;
	/* Kind, queue, params, and the flow's idempotency key with its fingerprint. id: as in queue_submit. */
	struct queue_submission root;
};

/* Are names, edges and policies sound? ERR_INVALID says what is not: an unknown name, a circle, too many. */
bool queue_flow_check(const struct queue_flow *f, struct err *e) MUST_CHECK;

/* All or, with ERR_FULL or SUBMIT_FULL, as good as nothing: what was already made is cancelled, or (with an idempotency key) completed
 * by the same submission, and fails by itself after a minute when that does not come. The ids of all jobs follow from the root's, so
 * asking again with the same root id or key is answered as the first time. *out: as queue_submit, about the root. */
bool queue_flow_submit(struct queue *q, struct queue_flow *f, struct queue_submitted *out, struct err *e) MUST_CHECK;

struct queue_flow_node {
	char name[QUEUE_FLOW_NAME];
	char id[JOB_ID];
	bool known;     /* its record is still kept */
	struct job job; /* if known; without params and result */
};
struct queue_flow_view {
	struct job root;
	struct queue_flow_node *nodes; /* as they were submitted */
	size_t n_nodes;
};
/* 1: *out filled (close it); 0: there is no such flow; -1: failed. */
int queue_flow_show(struct queue *q, const char *id, struct queue_flow_view *out, struct err *e) MUST_CHECK;
void queue_flow_view_close(struct queue_flow_view *v);

/* Cancel what has not ended yet, also when the root has. Returns as queue_cancel; the other jobs follow within moments. */
int queue_flow_cancel(struct queue *q, const char *id, enum job_state *state_out, struct err *e) MUST_CHECK;

/* ---- carrying word between queues ------------------------------------------------------------------------------- */

/* Serves the outboxes of some queues. A handle belongs to one thread and may block for the timeout of its options. */
struct queue_mail;
struct queue_mail *queue_mail_open(
        const char *url, const struct queue_options *options, const char *const *queues, size_t n, struct err *e) MUST_CHECK;
void queue_mail_close(struct queue_mail **m);
/* One round: take what lies there (how much, at most 64; nobody else gets it for 2 s), tell it, drop it. After a failure begin anew. */
int queue_mail_take(struct queue_mail *m, struct err *e) MUST_CHECK; /* -1 failed */
bool queue_mail_tell(struct queue_mail *m, struct err *e) MUST_CHECK;
bool queue_mail_drop(struct queue_mail *m, struct err *e) MUST_CHECK;
/* Schedules of these queues to where they belong, if the number of shards has changed; to be said every few seconds. A failure costs nothing but
 * that it is to be said again. */
bool queue_mail_tidy(struct queue_mail *m, struct err *e) MUST_CHECK;
/* Wait until something comes, at most max_ms. */
bool queue_mail_wait(struct queue_mail *m, int64_t max_ms, struct err *e) MUST_CHECK;

#endif
