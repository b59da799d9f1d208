/* schedule.h -- periodic jobs: schedules in the queue of their kind, which dispatchers turn into jobs tick by tick.
 *
 * In a queue with several shards each stands in one of them, with the jobs that it makes: where the keys of these say, else by its name. It is
 * moved when that changes.
 *
 * There is no process that beats. A step of a dispatcher brings what is due (struct queue_step_reply), the dispatcher plans the
 * ticks (job/ticks.h), and one call makes their jobs and moves the schedule on, if nobody did before: each tick makes its jobs once, whatever dies.
 * All times are the queue server's.
 */
#ifndef QUEUE_SCHEDULE_H
#define QUEUE_SCHEDULE_H

#include "job/ticks.h"
#include "queue/queue.h"

#define SCHEDULE_NAME   64                              /* [A-Za-z0-9_.-], and NUL */
#define SCHEDULE_PARAMS (64 * 1024)                     /* of the jobs' parameters */
#define SCHEDULE_TAGS   (JOB_TAGS - SCHEDULE_NAME - 10) /* beside "schedule:<name>" */

struct queue_schedule {
	char name[SCHEDULE_NAME];
	/* what is asked for */
	char kind[JOB_NAME], queue[JOB_NAME];
	int kind_version;
	char *params; /* JSON object text; owned by the schedule */
	char cron[CRON_TEXT];
	int64_t every_ms, start_ms; /* instead of cron; start_ms 0: now, or as before when the interval stays */
	enum ticks_missed missed;
	bool overlap_skip; /* no job while the one before lives; unique_key does not hold then */
	/* of its jobs, as in a submission */
	int priority, max_attempts, max_crashes, quarantine_after;
	int64_t backoff_ms, backoff_cap_ms, result_ttl_ms, time_limit_ms, hard_limit_ms;
	char lane[JOB_KEY - 1], unique_key[JOB_KEY], tags[SCHEDULE_TAGS];
	enum unique_policy unique; /* of unique_key */
	char concurrency_key[JOB_KEY];
	int max_concurrent;
	struct job_rate rate;
	bool paused;
	/* what has become of it; filled in by reading */
	int shard;                                   /* of its queue, where it stands with the jobs that it makes */
	int64_t rev, created_at, updated_at, now_ms; /* now_ms: the server's clock when it was read */
	int64_t next_ms, last_ms;                    /* 0: none */
	char last_job[JOB_ID];
	int64_t jobs, passed, skipped; /* jobs made; ticks passed over as missed; jobs not made because the one before lived */
	char problem[200];             /* why its last tick made no job; "": none */
};
void queue_schedule_close(struct queue_schedule *s); /* frees what it owns and zeroes it */

/* Make or replace it; rev: the revision that it must have, 0: there must be none, -1: any. Then *s is as it stands. ERR_STALE: another
 * revision; ERR_CONFLICT: the name is taken in another queue; ERR_INVALID: what is wrong with it; ERR_FULL: its shard has 1000. */
bool queue_schedule_put(struct queue *q, struct queue_schedule *s, int64_t rev, struct err *e) MUST_CHECK;
/* 1 (close *out), 0 there is none, -1 failed. */
int queue_schedule_show(struct queue *q, const char *name, struct queue_schedule *out, struct err *e) MUST_CHECK;
/* All, by name; after: the last name of the page before, "" starts. How many were filled in out[limit]; -1. A page that is not full is the last. */
int queue_schedule_list(struct queue *q, const char *after, int limit, struct queue_schedule *out, struct err *e) MUST_CHECK;
/* Its jobs stay. 1, 0 there is none, -1 failed; rev -1: any. */
int queue_schedule_delete(struct queue *q, const char *name, int64_t rev, struct err *e) MUST_CHECK;
/* From a pause to the next resume it makes no jobs; ticks that pass meanwhile are not missed. 1, 0, -1. Either may be said twice. */
int queue_schedule_pause(struct queue *q, const char *name, bool paused, struct err *e) MUST_CHECK;
/* A job now, beside the ticks: 1, and its id; the id of the job that lives, when overlap or its kind's key forbids another. 0, -1. */
int queue_schedule_run(struct queue *q, const char *name, char id_out[JOB_ID], struct err *e) MUST_CHECK;

/* Up to max (<= 16) ticks from now on, without those that were missed; how many. */
int queue_schedule_coming(const struct queue_schedule *s, int64_t *out, int max);

/* ---- dispatchers -------------------------------------------------------------------------------------------- */

#define QUEUE_DUE_MAX 8

/* A schedule that is due, from a step. */
struct queue_due {
	char name[SCHEDULE_NAME];
	int64_t due_ms;
	char *spec; /* as it stands in the queue; owned by whoever holds this */
};
void queue_due_close(struct queue_due *due, size_t n); /* frees the array too */

struct queue_fire_reply {
	int64_t jobs;        /* made */
	int64_t next_due_ms; /* from now until the next tick of any schedule; -1: none */
};
/* Make the jobs of what is due, as the server's clock stood at now_ms. A call of the link like step and renew; after -1 nothing needs to be
 * done again: what was not made is due still. */
bool queue_link_fire_begin(struct queue_link *l, const struct queue_due *due, size_t n, int64_t now_ms, struct err *e) MUST_CHECK;
int queue_link_fire_end(struct queue_link *l, struct queue_fire_reply *out, struct err *e) MUST_CHECK; /* 1, 0 not yet, -1 */

#endif
