/* doctor.h -- looking at everything that a live queue holds, saying what does not fit, and mending it when told to.
 *
 * A queue moves while it is read, so that a single look sees jobs that are under way in two places or in none. What a look finds
 * counts only when a second look finds the same again: the same thing, the same fault, the same revision. Counters are compared
 * only when they stood still for a whole look.
 */
#ifndef QUEUE_DOCTOR_H
#define QUEUE_DOCTOR_H

#include "queue/queue.h"

#define QUEUE_FINDINGS 200     /* so many are kept, all are counted */
#define QUEUE_LOOK_MAX 2000000 /* a queue that holds more is not looked at: all of it is kept in memory */

/* X(fault, wire name, round in which it is mended). Mending goes in rounds, each after a look of its own: what hides other faults first; then
 * counters, which are compared with the records; and limits, which rely on these, last. */
#define QUEUE_FAULTS(X)                                                                            \
	X(FAULT_RECORD, "record", 2)     /* a record that makes no sense */                        \
	X(FAULT_PLACE, "place", 3)       /* a job in no place, in two, in a wrong one */           \
	X(FAULT_ORPHAN, "orphan", 3)     /* an index, or a state, of an id without a record */     \
	X(FAULT_LIFETIME, "lifetime", 3) /* what lives would vanish, or what ended never */        \
	X(FAULT_LISTING, "listing", 3)   /* an ended job is not listed as such */                  \
	X(FAULT_LANE, "lane", 3)         /* a lane whose turn never comes */                       \
	X(FAULT_LEASE, "lease", 3)       /* leases of a worker that is gone */                     \
	X(FAULT_KEY, "key", 3)           /* a key that an ended or vanished job holds */           \
	X(FAULT_COUNTER, "counter", 4)   /* a counter that says another number */                  \
	X(FAULT_SCHEDULE, "schedule", 3) /* a schedule that stands at another tick */              \
	X(FAULT_FLOW, "flow", 3)         /* what a job waits for does not fit */                   \
	X(FAULT_LIMIT, "limit", 5)       /* what limits count, or where they park, does not fit */ \
	X(FAULT_HISTORY, "history", 3)   /* what waits for the history was miscounted */           \
	X(FAULT_STRAY, "stray", 0)       /* a key of another type than belongs there */            \
	X(FAULT_SHARDS, "shards", 1)     /* nothing says how many shards there are, or too few */
#define QUEUE_MEND_ROUNDS 6

enum queue_fault {
#define X(fault, name, round) fault,
	QUEUE_FAULTS(X)
#undef X
};

const char *queue_fault_name(enum queue_fault f);
int queue_fault_round(enum queue_fault f); /* from 0 */

struct queue_finding {
	enum queue_fault fault;
	int shard;
	char key[256]; /* what it is about: the whole id of a job, or the name of a lane, key, worker, counter, schedule */
	char at[256];  /* where it was found, as the queue's own key names it; "": nowhere. Of a counter: what it says that is no number */
	bool no_id;    /* what stands for a job, in key, is no id */
	int64_t rev;   /* of the job; 0: it has none */
	int64_t said, counted; /* of a counter */
	char text[300];        /* a sentence */
};

struct queue_look_bounds {
	int64_t pause_ms;          /* before the second look */
	int64_t deadline;          /* clock_mono_ms; 0: none */
	const volatile bool *stop; /* when it becomes true the look ends with ERR_CANCELLED; NULL: never */
	volatile int64_t *read;    /* grows by each record or place that is read, for another thread to see; NULL: nobody looks */
	/* Told when a look turns to the nth (from 0) of `of` queues, and again for each round; NULL: nobody listens. */
	void (*is_at)(void *user, const char *queue, size_t nth, size_t of);
	void *user;
};

struct queue_look {
	char queue[JOB_NAME]; /* filled in by the caller, all else is found */
	int64_t jobs;
	int64_t by_state[9]; /* indexed by enum job_state */
	bool moved;          /* the queue moved all the time: its counters could not be compared */
	int64_t total;
	size_t n; /* findings kept */
	struct queue_finding *findings;
	/* the look's own */
	struct queue_look_bounds bounds;
	bool deep; /* also what only the doctor asks: keys, leases, listings */
	size_t cap;
	uint64_t *hashes;
	size_t n_hashes, hashes_cap;
	uint64_t *only; /* sorted: what the look before found, and nothing else counts; NULL: all does */
	size_t n_only;
};
void queue_look_close(struct queue_look *l);

/* Look at these queues together, as cheaply as at one of them, and again at those where something was found. False: they could not be looked
 * at, or not within the bounds. queue_look_close each in any case. */
bool queue_examine(
        struct queue *q, struct queue_look *const *looks, size_t n, const struct queue_look_bounds *bounds, struct err *e) MUST_CHECK;
/* For drivers, now and then: may the look go on? */
bool queue_look_goes_on(const struct queue_look *l, struct err *e) MUST_CHECK;

/* Mend one thing, in one call that looks again before it changes anything. force: counters also while the queue is not paused.
 * 1 mended, 0: it was so no more, or why_out[200] says why it cannot be mended, -1 failed. */
int queue_mend(struct queue *q, const char *queue, const struct queue_finding *f, bool force, char why_out[200], struct err *e) MUST_CHECK;

/* For drivers: add a finding; the text is printf's. */
void queue_look_add(struct queue_look *l, const struct queue_finding *f, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
