/* history.h -- jobs that have ended, taken from the queue in the order of their ends, to be written down for good.
 *
 * Every end is noted in Redis (functions/25_history.lua) until the writer says that it is written. One writer at a time has a shard: taking
 * gives or renews its lease of 5 s. At least once: who is killed between writing and dropping is followed
 * by one who takes the same again, so that what is written must be keyed by the job and its finished_at.
 *
 * A job that vanished (deleted, its retention over) or was replayed before it was taken is passed over.
 */
#ifndef QUEUE_HISTORY_H
#define QUEUE_HISTORY_H

#include "queue/queue.h"

#define HISTORY_WAITING_MAX 2000000 /* ids; 20 bytes each */

enum history_what { HISTORY_NONE, HISTORY_FAILURES /* all but successes */, HISTORY_ALL };

struct history_batch {
	struct job *jobs; /* owned */
	size_t n;
	int64_t place;   /* for queue_history_drop */
	int looked;      /* ids that were taken: n and those passed over */
	int64_t waiting; /* ids that are not written yet, these among them */
	int64_t dropped; /* ever, because too many waited */
};
void history_batch_close(struct history_batch *b);

struct history_writer {
	const char *name;       /* whose lease it is; a name as a worker's */
	enum history_what what; /* which ends are noted from now on; not HISTORY_NONE */
	int64_t waiting_max;    /* 0: HISTORY_WAITING_MAX; the oldest beyond it are dropped, and counted */
	const char *queue;
	int shard;
};

/* The oldest, at most limit (1 .. QUEUE_BATCH_MAX). 1: *out is filled, maybe with none; 0: another writer has it; -1 failed. */
int queue_history_take(struct queue *q, const struct history_writer *w, int limit, struct history_batch *out, struct err *e) MUST_CHECK;
/* They are written. 1 done; 0: the lease went to another, who takes them again; -1 failed (take again). */
int queue_history_drop(struct queue *q, const struct history_writer *w, const struct history_batch *b, struct err *e) MUST_CHECK;
/* Note no more ends; what waits is kept. Taking turns it on again. */
bool queue_history_off(struct queue *q, const struct history_writer *w, struct err *e) MUST_CHECK;

#endif
