/* workers.h -- the dispatchers that serve a queue: which there are, what they say about themselves, and telling them what to do.
 *
 * A worker that serves several queues is found in each of them under the same name. What it was told it learns within a second, with the
 * answer to a step; it is forgotten when the worker ends or dies, so that one started again under the same name begins free.
 */
#ifndef QUEUE_WORKERS_H
#define QUEUE_WORKERS_H

#include "queue/queue.h"

#define QUEUE_REPORT_MAX     (256 * 1024) /* bytes of a worker's report */
#define QUEUE_ROUTE_STALE_MS 10000        /* a route that no worker named for so long is served by nobody */

/* From the weakest to the strongest. */
enum worker_command {
	WORKER_RESUME, /* go on */
	WORKER_QUIET,  /* claim nothing more, but stay */
	WORKER_DRAIN,  /* end when what runs has ended */
	WORKER_STOP    /* give back what runs and end */
};

const char *worker_command_name(enum worker_command c);
bool worker_command_of(const char *name, enum worker_command *out) MUST_CHECK;

struct queue_worker {
	char name[JOB_WORKER];
	int64_t alive_until; /* by the server's clock */
	int64_t running;     /* leases that it holds in this queue */
	enum worker_command command;
	int64_t heard_at; /* when its report came; 0: none yet */
	char *report;     /* its own text, JSON, the last that it gave; NULL: none yet */
};

struct queue_workers {
	struct queue_worker *at; /* by name */
	size_t n;
};
/* The living workers of one queue, however many. Close them after true. Not of many queues at once: the reports may be long. */
bool queue_workers(struct queue *q, const char *queue, struct queue_workers *out, struct err *e) MUST_CHECK;
void queue_workers_close(struct queue_workers *w);
void queue_worker_close(struct queue_worker *w);
/* 1 told, 0: no such worker serves this queue now, -1 failed. */
int queue_worker_tell(struct queue *q, const char *queue, const char *worker, enum worker_command command, struct err *e) MUST_CHECK;

/* A route on which jobs are ready. */
struct queue_route {
	char route[JOB_ROUTE];
	int64_t ready;
	int64_t named_at; /* when a worker last named it; 0: never */
	bool served;      /* lately enough */
};
struct queue_routes {
	struct queue_route *at; /* by name */
	size_t n;
};
/* All of them of n queues: out[n], each to be closed; after a failure there is nothing to close. */
bool queue_routes(struct queue *q, const char (*queues)[JOB_NAME], size_t n, struct queue_routes *out, struct err *e) MUST_CHECK;
void queue_routes_close(struct queue_routes *r);

#endif
