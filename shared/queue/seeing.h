/* seeing.h -- the door to what goes on in a queue: the logs of jobs, many jobs at one look.
 *
 * Clients' calls, as in queue.h: one round trip each, and asked again without harm.
 */
#ifndef QUEUE_SEEING_H
#define QUEUE_SEEING_H

#include "queue/queue.h"

/* ---- logs ----------------------------------------------------------------------------------------------------- */

#define QUEUE_LOG_KEPT 1000 /* lines of one job; older ones are let go, the numbers go on */

struct queue_log_line {
	int64_t number; /* from 1 */
	int64_t at;     /* by the server's clock */
	bool by_queue;  /* said about the job, not by it: an error, a crash */
	char *text;
};

struct queue_log {
	enum job_state state;
	int64_t rev;
	int64_t first, last; /* numbers of the lines that are kept; 0: there is none */
	struct queue_log_line *lines;
	size_t n;
};

/* At most `limit` lines (1 .. QUEUE_BATCH_MAX) from number `from` on, or from the first that is kept; from < 0: so many from the end.
 * An answer may hold fewer: go on with the number after its last. 1 / 0: no such job / -1; queue_log_close *out after 1. */
int queue_log(struct queue *q, const char *id, int64_t from, int limit, struct queue_log *out, struct err *e) MUST_CHECK;
void queue_log_close(struct queue_log *l);

/* ---- many jobs ------------------------------------------------------------------------------------------------- */

/* Look at n <= QUEUE_BATCH_MAX jobs of one queue. jobs[i] is filled (job_close it), or has an empty id when there is no ids[i]. */
bool queue_show_many(struct queue *q, const char (*ids)[JOB_ID], size_t n, struct job *jobs, struct err *e) MUST_CHECK;

#endif
