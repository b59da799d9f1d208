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

/* ---- changes of state ------------------------------------------------------------------------------------------ */

#define QUEUE_CHANGE_ID 48

struct queue_change {
	int64_t at, seq;             /* of the call that made it, by the server's clock; more than one within a millisecond are numbered */
	int index;                   /* among those of this call */
	char entry[QUEUE_CHANGE_ID]; /* at and seq as text: to go on after it */
	char id[JOB_ID], kind[JOB_NAME];
	enum job_state state; /* what it became */
};

struct queue_changes {
	int64_t now;                 /* the server's time: later calls have none that is older */
	int64_t since;               /* what was changed from then on is told */
	bool gap;                    /* something between the entry asked for and `since` was missed */
	char after[QUEUE_CHANGE_ID]; /* what was read on after; another one than asked for after a gap */
	struct queue_change *items;
	size_t n;
	bool more;  /* ask again at once */
	int shards; /* of the queue, when shard 0 was asked: the others tell of their own jobs; else 0 */
};

/* Changes of state in a shard of a queue after this entry ("": those that are whole, from the oldest on). They are only written down while somebody
 * listens, which this call makes known for 10 s: call it again within 5. A shard keeps those of the last 1000 calls, for 5 minutes. */
bool queue_changes(struct queue *q, const char *queue, int shard, const char *after, struct queue_changes *out, struct err *e) MUST_CHECK;
void queue_changes_close(struct queue_changes *c);

/* ---- backlog ---------------------------------------------------------------------------------------------------- */

struct queue_backlog {
	int64_t ready, running; /* together: the load */
	int64_t oldest_ms;      /* for how long the oldest ready job has been due; 0: none is ready. Of the 256 lanes served next */
	double drain_rate;      /* jobs that ended per second, a moving average over 20 s; 0: none lately, or no worker is heard */
	double seconds;         /* what it will take: ready / drain_rate; without a drain rate, the age of the oldest */
	int64_t retries, crashes, recovered; /* so far: errors tried again, crashes, leases taken back from workers */
};
bool queue_backlog(struct queue *q, const char *queue, struct queue_backlog *out, struct err *e) MUST_CHECK;
/* Of n queues, into out[n]. */
bool queue_backlogs(struct queue *q, const char (*queues)[JOB_NAME], size_t n, struct queue_backlog *out, struct err *e) MUST_CHECK;

/* ---- many jobs ------------------------------------------------------------------------------------------------- */

/* Look at n <= QUEUE_BATCH_MAX jobs of one queue. jobs[i] is filled (job_close it), or has an empty id when there is no ids[i]. */
bool queue_show_many(struct queue *q, const char (*ids)[JOB_ID], size_t n, struct job *jobs, struct err *e) MUST_CHECK;
/* Only their revisions, which grow with every change; 0: there is no ids[i]. */
bool queue_revisions(struct queue *q, const char (*ids)[JOB_ID], size_t n, int64_t *revs, struct err *e) MUST_CHECK;

#endif
