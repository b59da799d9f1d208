/* shm.h -- the small table that dispatcher and slots share: progress, stop requests, and which looked-ahead job may still start.
 *
 * One anonymous mapping made before the first fork. Every word has one writer but `started`, on which the slot and the
 * dispatcher agree by one atomic operation each: a job either starts or is given back, never both.
 */
#ifndef WORKERS_SHM_H
#define WORKERS_SHM_H

#include <stdatomic.h>

#include "base/base.h"
#include "base/err.h"
#include "base/metrics.h"
#include "job/job.h"

struct shm_slot {
	_Atomic uint32_t started;   /* number of the last job that was started, or given back unstarted */
	_Atomic uint32_t stop;      /* dispatcher: the job with this number shall stop; 0: none */
	_Atomic int64_t started_ms; /* slot: when it began its present job (monotonic) */
	_Atomic uint32_t version;   /* slot: of `progress`; odd while it is being written */
	uint32_t progress_number;   /* the job that `progress` speaks of */
	struct job_progress progress;
} __attribute__((aligned(64)));

/* What the health process tells. Written by the dispatcher only, but for the courier's. */
struct shm_stats {
	_Atomic int64_t step_ms; /* monotonic; since then every queue has answered a step; 0: not yet */
	_Atomic int64_t done, failed, crashed, given_back, cancelled;
	_Atomic int64_t slot_deaths, steps;
	_Atomic int64_t busy, slots;
	_Atomic int64_t draining;
	_Atomic int64_t events_sent, events_waiting;
	_Atomic int64_t history_written, history_waiting, history_dropped; /* the courier's, too */
};

#define SHM_KINDS 32 /* kinds beyond are not told apart: they have no figures */

/* How a job came to an end, as far as its worker knows; the names of metric worker_ends_total. */
#define SHM_OUTCOMES(X) X(done) X(error) X(failed) X(crashed) X(given_back) X(cancelled)
enum shm_outcome {
#define X(name) OUTCOME_##name,
	SHM_OUTCOMES(X)
#undef X
	        OUTCOME_COUNT
};

struct shm_times {
	_Atomic uint64_t buckets[METRIC_BUCKETS], count, sum_us;
};

/* Of one kind, by its place in kinds.def. Written by the dispatcher only. */
struct shm_kind {
	_Atomic uint64_t ends[OUTCOME_COUNT];
	struct shm_times waited, ran;
};

struct shm {
	struct shm_kind kinds[SHM_KINDS];
	struct shm_stats stats;
	int n;
	struct shm_slot slots[];
};

void shm_time(struct shm_times *t, int64_t us);        /* note one more */
struct shm *shm_make(int n, struct err *e) MUST_CHECK; /* lives until the process ends or shm_free */
void shm_free(struct shm **s);
void shm_reset(struct shm_slot *s); /* before a slot process is forked onto it */

/* Slot: may I start job `number`? False: it was given back meanwhile. */
bool shm_start(struct shm_slot *s, uint32_t number, int64_t now_ms) MUST_CHECK;
/* Dispatcher: nothing up to number `last` may start any more; answers the last one that did start before. */
uint32_t shm_revoke(struct shm_slot *s, uint32_t last);

void shm_progress_write(struct shm_slot *s, uint32_t number, const struct job_progress *p);
/* True with a consistent copy of the progress of job `number`; false: it told none, or is writing just now (ask again later). */
bool shm_progress_read(struct shm_slot *s, uint32_t number, struct job_progress *out, uint32_t *version_out) MUST_CHECK;

#endif
