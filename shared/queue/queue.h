/* queue.h -- the door to Redis: submit jobs, run them under leases, look at them. Driver: redis.
 *
 * Two kinds of users. A *client* (the API, tests) holds a `struct queue` and calls queue_*; each call is one round trip,
 * answers within its timeout, and reconnects by itself after a failure. A *dispatcher* holds one `struct queue_link` per
 * queue it serves and drives it without ever blocking: *_begin sends, *_fd is polled, *_end takes the answer.
 *
 * All times are the queue server's own (Redis TIME): nobody's clock but one counts. Everything read back is checked.
 * A handle belongs to one thread. Every transition is one function of the library in broker-config/functions/;
 * tests/contract/queue_suite.h is passed on every kind of server.
 *
 * Errors: ERR_UNAVAILABLE nothing was done; ERR_UNSURE the answer was lost (submit again with the same id or key, step
 * again with the same sequence number: both are then answered as the first time); ERR_FULL / ERR_LIMITED with retry_after_ms.
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include "base/base.h"
#include "base/err.h"
#include "job/job.h"

#define QUEUE_BATCH_MAX  256       /* items in one call */
#define QUEUE_LIBRARY    "barque3" /* functions/10_base.lua says the same in its first line and in register() */
#define QUEUE_PARAMS_MAX (256 * 1024)
#define QUEUE_RESULT_MAX (1024 * 1024)

struct queue;

struct queue_options {
	int timeout_ms;          /* for each call; 0: 5000 */
	int64_t max_length;      /* waiting jobs a queue may hold; 0: 5,000,000 */
	int64_t max_bytes;       /* Redis memory beyond which submissions are refused; 0: 80 % of its maxmemory, if set */
	int64_t result_ttl_ms;   /* how long an ended job stays; 0: 24 h */
	int64_t dead_ttl_ms;     /* the same for DEAD and FAILED; 0: 14 days */
	int64_t max_param_bytes; /* bytes of parameters that a queue's waiting jobs may hold; 0: any */
	int64_t max_lane;        /* ready jobs that a lane with a name may hold, for each kind; 0: any */
	int64_t max_params;      /* bytes of parameters of one job; 0: QUEUE_PARAMS_MAX, which is also the most */
	const char *namespace_;  /* key prefix; NULL: "bq". Tests give each its own */
	char library[24];        /* of functions; "": that of this version. Only for trying two side by side */
	int wait_replicas;       /* a submission is accepted when so many replicas have it too; else ERR_UNSURE. 0: none need to */
	int shards;              /* a queue that this process uses gets so many shards if it has fewer; 0: as many as it has */
};

/* options may be NULL. Loads the function library where it is missing. NULL with e: what is wrong with url or server. */
struct queue *queue_open(const char *url, const struct queue_options *options, struct err *e) MUST_CHECK;
void queue_close(struct queue **q);

/* ---- clients ------------------------------------------------------------------------------------------------ */

/* What becomes of a live job that holds the unique key: it is the answer; it makes the new one be refused; it is cancelled, also when
 * it runs; it is cancelled unless it runs, and the new one waits until then (for that it has the key as its concurrency key, with a
 * maximum of 1, so that all jobs of such a key should be submitted with this policy). */
enum unique_policy { UNIQUE_RETURN, UNIQUE_REJECT, UNIQUE_REPLACE, UNIQUE_KEEP_NEWEST };

#define QUEUE_CONCURRENCY_MAX 100000

struct queue_submission {
	char id[JOB_ID];                    /* filled in by queue_submit when empty; keep it to ask again after ERR_UNSURE */
	const char *kind, *queue;           /* required */
	const char *params;                 /* JSON object text, "{}" when NULL; at most QUEUE_PARAMS_MAX */
	const char *lane;                   /* fairness key (tenant, symbol); NULL: "" */
	int priority;                       /* 0..9 */
	int kind_version;                   /* 0: any worker that knows the kind may take it; else one that knows this version */
	int64_t run_at_ms;                  /* 0 or past: at once */
	int64_t delay_ms;                   /* alternative to run_at_ms, counted by the server's clock */
	int max_attempts;                   /* 0: 1 */
	int max_crashes;                    /* 0: 3; beyond it the job is DEAD ("poison") */
	int quarantine_after;               /* crashes after which it runs in quarantine; 0: 1; more than max_crashes: never */
	int64_t backoff_ms, backoff_cap_ms; /* 0: 1 s, 5 min */
	const char *idempotency_key;        /* NULL: none */
	const char *fingerprint;            /* of the request, compared when the key is met again */
	const char *unique_key;             /* NULL: none; free again when the job ends */
	enum unique_policy unique;
	const char *parent, *trace, *tags; /* NULL: none */
	bool held;                         /* starts WAITING; queue_release() makes it ready */
	const char *waits_for, *waited_by; /* filled in by queue_flow_submit (flow.h) */
	const char *concurrency_key;       /* NULL: none; of all jobs of the queue with this key... */
	int max_concurrent;                /* ... at most so many run at once */
	struct job_rate rate;              /* key "": none; see job.h */
	int64_t result_ttl_ms;             /* 0: the queue's; how long it stays after it has succeeded */
	/* 0: as its kind says. After the first it is asked to stop (an error), after the second it is killed (a crash). */
	int64_t time_limit_ms, hard_limit_ms;
};

enum submit_outcome {
	SUBMIT_NEW,      /* accepted, and on disk as far as the server's appendfsync goes */
	SUBMIT_EXISTING, /* same idempotency key and fingerprint, or same id, or unique job: existing_id says which */
	SUBMIT_MISMATCH, /* idempotency key known with another fingerprint (HTTP 422) */
	SUBMIT_REJECTED, /* UNIQUE_REJECT met a live job: existing_id (HTTP 409) */
	SUBMIT_FULL,     /* queue too long or Redis too full: retry_after_ms (HTTP 503) */
	SUBMIT_LANE_FULL /* too much waits in its lane: retry_after_ms (HTTP 429) */
};

/* What a limit has left after a submission. max 0: there is none, or it is not known. */
struct queue_room {
	int64_t max, left;
};

struct queue_submitted {
	enum submit_outcome outcome;
	/* Of the shard that was asked: waiting jobs, bytes of their parameters, ready jobs of the last item's lane. All of one call are told the same. */
	struct queue_room jobs, bytes, lane;
	char existing_id[JOB_ID];
	int64_t retry_after_ms;
};

/* n <= QUEUE_BATCH_MAX. Each item is accepted or refused by itself. False: see Errors above. */
bool queue_submit(struct queue *q, struct queue_submission *items, size_t n, struct queue_submitted *out, struct err *e) MUST_CHECK;

/* 1: *out filled (close with job_close); 0: no such job (never was, or its retention ended); -1: failed. */
int queue_show(struct queue *q, const char *id, struct job *out, struct err *e) MUST_CHECK;

/* A part of a queue's list. */
struct queue_page {
	const char *queue, *cursor; /* "": from the newest on */
	int limit;                  /* 1 .. QUEUE_BATCH_MAX */
	struct job *jobs;           /* room for `limit` */
	int n;                      /* found: none when it failed */
	char from[64];              /* where the call began that found them: what was passed over before need not be looked at again */
	char next[64];              /* "": there is no more */
};
/* The next jobs of n different queues, all asked together. kind / state: NULL and -1 mean any. A call of Redis looks at up to QUEUE_BATCH_MAX
 * jobs of a queue: each is asked once, then on and on while nothing was found in it, as long as *looks, the calls left, is above 0. */
bool queue_lists(struct queue *q, const char *kind, int state, struct queue_page *pages, size_t n, int *looks, struct err *e) MUST_CHECK;

/* Jobs of one queue, newest first, by filter; cursor "" starts, *next_cursor_out "" says the end. At most `limit` (<= 256)
 * jobs in jobs[limit]; returns how many, -1 on failure. kind / state: NULL and -1 mean any. */
int queue_list(struct queue *q, const char *queue, const char *kind, int state, const char *cursor, int limit, struct job *jobs,
        char next_cursor_out[64], struct err *e) MUST_CHECK;

/* Ask for cancellation. 1: done or on its way (*state_out is CANCELLED or RUNNING), 0: no such job, -1 failed (ERR_CONFLICT: ended). */
int queue_cancel(struct queue *q, const char *id, enum job_state *state_out, struct err *e) MUST_CHECK;
/* Make a DEAD, FAILED or CANCELLED job READY again with fresh counters. Returns as queue_cancel. */
int queue_replay(struct queue *q, const char *id, struct err *e) MUST_CHECK;
int queue_release(struct queue *q, const char *id, struct err *e) MUST_CHECK;

/* Give a job that waits another priority. A READY one moves at once to the end of its lane there (in Redis to its old
 * place, when it stood there before and that place was not passed yet); the others keep it for later. rev: the revision that the job must have, 0: any.
 * 1 done, 0: no such job, -1 failed (ERR_CONFLICT: it runs or has ended; ERR_STALE: it has another revision). */
int queue_set_priority(struct queue *q, const char *id, int priority, int64_t rev, struct err *e) MUST_CHECK;
/* Dead letters: which of a queue's jobs that ended in JOB_DEAD or JOB_FAILED are meant. */
struct queue_dead_filter {
	const char *queue;
	enum job_state state;
	const char *kind;       /* NULL: any */
	const char *error;      /* a part of "<code> <sentence>", of any case; NULL: any. At most QUEUE_DEAD_ERROR bytes */
	int64_t from_ms, to_ms; /* when they ended, both included; 0: no limit */
};
#define QUEUE_DEAD_ERROR 200

/* The latest ended first; limit, jobs, cursors and what is returned as queue_list. A page may be empty and yet have a next one. */
int queue_dead_list(struct queue *q, const struct queue_dead_filter *f, const char *cursor, int limit, struct job *jobs,
        char next_cursor_out[64], struct err *e) MUST_CHECK;
/* Replay or delete them, at most `limit`, looking at no more than QUEUE_BATCH_MAX; go on with *next_cursor_out until it is "". Returns
 * how many were done; *skipped_out: how many could not be replayed because a live job holds their unique key. */
enum queue_dead_act { QUEUE_DEAD_REPLAY, QUEUE_DEAD_DELETE };
int queue_dead_act(struct queue *q, enum queue_dead_act act, const struct queue_dead_filter *f, const char *cursor, int limit,
        int *skipped_out, char next_cursor_out[64], struct err *e) MUST_CHECK;

/* Say that somebody waits for this job: its end will be published to queue_watcher. Answers the present state, so that
 * nothing is missed between asking and watching. 1 / 0 / -1 as queue_show. */
int queue_watch(struct queue *q, const char *id, enum job_state *state_out, struct err *e) MUST_CHECK;

/* A connection that receives the ids of watched jobs as they end. fd for poll; next: 1 one, 0 none now, -1 lost (open again,
 * then look at every job still waited for, because ends may have been missed). */
struct queue_watcher;
struct queue_watcher *queue_watcher_open(const char *url, const struct queue_options *options, struct err *e) MUST_CHECK;
int queue_watcher_fd(const struct queue_watcher *w);
int queue_watcher_next(struct queue_watcher *w, char id_out[JOB_ID], enum job_state *state_out, struct err *e) MUST_CHECK;
void queue_watcher_close(struct queue_watcher **w);

struct queue_counts {
	char queue[JOB_NAME];
	int64_t ready, scheduled, running, waiting, dead, done_total, workers;
	int64_t paused_at;   /* 0: it is not paused */
	int64_t draining_at; /* 0: it does not drain */
	int shards;
	int64_t parked; /* ready, but their concurrency key or rate is used up; not counted in `ready` */
	int64_t bytes;  /* of the parameters of all that waits */
	int64_t beside; /* what it holds beside jobs: schedules, word for other shards, ends that the history has not yet */
};
/* The names of all queues that exist, however many: an array that the caller frees, NULL when there is none. How many; -1. */
int queue_names(struct queue *q, char (**out)[JOB_NAME], struct err *e) MUST_CHECK;
/* What stands in n queues, into out[n]. Calls about many queues take two round trips however many they are, in a cluster two for each of
 * its nodes. */
bool queue_counts(struct queue *q, const char (*queues)[JOB_NAME], size_t n, struct queue_counts *out, struct err *e) MUST_CHECK;
/* What stands in one of those that exist: 1, 0 there is no such queue, -1. */
int queue_count(struct queue *q, const char *queue, struct queue_counts *out, struct err *e) MUST_CHECK;

/* From a pause to the next resume no job of the queue is claimed; what runs goes on to its end, and new jobs are taken in. Either may be
 * said twice. A queue may be paused before its first job. */
bool queue_pause(struct queue *q, const char *queue, struct err *e) MUST_CHECK;
/* From a drain to the next resume no new job is taken in (SUBMIT_FULL); what is there goes on to its end, retries and flows included. */
bool queue_drain(struct queue *q, const char *queue, struct err *e) MUST_CHECK;
bool queue_resume(struct queue *q, const char *queue, struct err *e) MUST_CHECK; /* ends both */

/* Cancel up to `limit` (1 .. QUEUE_BATCH_MAX) of the jobs that wait: JOB_READY, JOB_SCHEDULED (with those RETRYING) or JOB_WAITING.
 * Returns how many, -1 on failure; *left_out: how many still wait there, those that came meanwhile among them. */
int queue_purge(struct queue *q, const char *queue, enum job_state state, int limit, int64_t *left_out, struct err *e) MUST_CHECK;

/* A lane's weight: how large its share is beside the other lanes of its kind and class. 1, the usual one, to QUEUE_WEIGHT_MAX. lane: the
 * fairness key; it need not hold anything. */
#define QUEUE_WEIGHT_MAX 1000
struct queue_lane {
	char lane[JOB_KEY];
	int weight;
	char route[JOB_ROUTE]; /* "<kind>[/<version>][!]"; "": only a weight that was set */
	int priority;
	int64_t ready; /* ids that lie there, also those of jobs that were cancelled there and are yet to be passed over */
};
bool queue_set_weight(struct queue *q, const char *queue, const char *lane, int weight, struct err *e) MUST_CHECK;
/* One lane, all kinds and priorities together: route "". */
bool queue_lane(struct queue *q, const char *queue, const char *lane, struct queue_lane *out, struct err *e) MUST_CHECK;
/* First the lanes that hold something, by route; then the weights that were set. At most QUEUE_LANES_PAGE in out; cursors as queue_list.
 * While lanes come and go one may come twice; one that stays is never left out. Returns how many, -1 failed. */
#define QUEUE_LANES_PAGE 4096
int queue_lanes(
        struct queue *q, const char *queue, const char *cursor, struct queue_lane *out, char next_cursor_out[64], struct err *e) MUST_CHECK;

/* A shared budget, e.g. the exchange's request weight in the calendar minute: take `cost` if used + cost <= limit.
 * 1 taken; 0 not now, *wait_ms_out says how long; -1 failed. */
int queue_budget_take(
        struct queue *q, const char *key, int64_t cost, int64_t limit, int64_t window_ms, int64_t *wait_ms_out, struct err *e) MUST_CHECK;
/* What the server said it has counted in this window (raises ours, never lowers it), and/or stop everybody for stop_ms. */
bool queue_budget_correct(struct queue *q, const char *key, int64_t used, int64_t window_ms, int64_t stop_ms, struct err *e) MUST_CHECK;

/* The shards of a queue: its jobs lie in `put` parts, which may stand on different servers of a cluster; `serve` of them are worked on and
 * looked through, more than `put` after their number was lowered, until the others are empty. A queue begins with one. */
#define QUEUE_SHARDS_MAX 64
struct queue_shards {
	int put, serve;
};
/* wanted 0: tell them; else change them first. Raising works at once (within seconds everybody knows it). Lowering: new jobs go to the
 * lower ones from now on, and a later call with the same number lets go of the others when they are empty. */
bool queue_set_shards(struct queue *q, const char *queue, int wanted, struct queue_shards *out, struct err *e) MUST_CHECK;

bool queue_ping(struct queue *q, struct err *e) MUST_CHECK;

/* Look at everything a queue holds and check rule 1 of job.h and all counters against it. Takes as long as there are jobs, so it
 * is for tests and for people; jobs that move meanwhile look like faults. 1: sound, 0: problem says what is not, -1 failed. */
struct queue_audit {
	int64_t jobs;
	int64_t by_state[9]; /* indexed by enum job_state */
	char problem[300];
};
int queue_audit(struct queue *q, const char *queue, struct queue_audit *out, struct err *e) MUST_CHECK;

/* ---- dispatchers -------------------------------------------------------------------------------------------- */

enum ack_outcome {
	ACK_DONE,      /* result */
	ACK_ERROR,     /* error: temporary and attempts left -> RETRYING, permanent -> FAILED, used up -> DEAD */
	ACK_CRASHED,   /* the slot died: crashes + 1, READY again at the front, or DEAD "poison" */
	ACK_GIVE_BACK, /* not started: READY again, nothing counted */
	ACK_CANCELLED, /* stopped because it was asked to */
	ACK_LATER,     /* what it needs is used up or stopped: SCHEDULED for error.retry_after_ms from now, nothing counted */
	ACK_STARTS /* no end: it was claimed as one that is held, or as a suspect, and starts when this is answered. Rejected: it must not */
};

struct queue_ack {
	char id[JOB_ID];
	int64_t fence;
	enum ack_outcome outcome;
	/* JSON text for ACK_DONE, may be NULL; owned by the caller until the step ended. Longer than QUEUE_RESULT_MAX: the job becomes
	 * FAILED, with that sentence. */
	char *result;
	char *progress_json; /* for ACK_DONE: how far it was at last; NULL: unchanged; owned as the result */
	struct err error;    /* for ACK_ERROR, ACK_CRASHED and ACK_LATER; retry_after_ms > 0 overrides the backoff */
};

struct queue_claim {
	/* id, kind, kind_version, params, attempt, crashes, quarantined, suspect, fence, trace, cancel_asked, limits of time and run_at (when it was due) are filled; job_close it. Its
	 * fence is the server's time in us, or a little more. */
	struct job job;
};

/* A line for the log of a job that runs. */
struct queue_remark {
	char id[JOB_ID];
	int64_t fence;
	int64_t age_ms; /* since it was said */
	char *text;     /* at most QUEUE_REMARK_MAX bytes, no control characters; owned by the caller */
};
#define QUEUE_REMARK_MAX 500

struct queue_step {
	const struct queue_ack *acks;
	size_t n_acks; /* <= QUEUE_BATCH_MAX */
	/* Written before the ends are, so that whoever sees an end sees all that was said before it. <= QUEUE_BATCH_MAX */
	const struct queue_remark *remarks;
	size_t n_remarks;
	int want;  /* claims wanted, 0..QUEUE_BATCH_MAX */
	bool held; /* what it claims may wait behind others: its loss is no crash before a renewal or ACK_STARTS says that it starts */
	int64_t lease_ms;
	const char *report; /* JSON text about the dispatcher, for whoever looks at its queue; NULL: none this time */
	bool last;          /* it will step no more: with this it is gone, and its report and what it was told with it */
};

struct queue_due;
struct queue_step_reply {
	struct queue_claim *claims;
	size_t n_claims;
	char (*rejected)[JOB_ID]; /* acks refused: the fence was stale */
	size_t n_rejected;
	int64_t next_due_ms;   /* from now until the next job that waits for its time, or tick of a schedule; -1: none */
	struct queue_due *due; /* schedules that are due, for queue_link_fire_begin: see schedule.h */
	size_t n_due;
	int64_t now_ms; /* the server's clock, when something is due */
	bool more;      /* jobs are still ready */
	int64_t ready;  /* how many, of the kinds of this link; 1 when it is not known */
	int shards;     /* of the queue; 0: this was not said (only shard 0 knows) */
	int command;    /* what this worker was told to do: an enum worker_command of workers.h */
};
void queue_step_reply_close(struct queue_step_reply *r);
bool queue_step_refused(const struct queue_step_reply *r, const char *id); /* what was acknowledged of this job */

/* A renewal: still running, this far. progress_json may be NULL (unchanged). */
struct queue_renewal {
	char id[JOB_ID];
	int64_t fence;
	bool held; /* it is not known to have started */
	const char *progress_json;
};
/* A claim: a worker that lost a job and was given it again may hold two of it. */
struct queue_held {
	char id[JOB_ID];
	int64_t fence;
};
struct queue_renew_reply {
	struct queue_held *lost; /* no longer ours: stop them, ack nothing */
	size_t n_lost;
	struct queue_held *cancel; /* somebody asked for their cancellation */
	size_t n_cancel;
};
void queue_renew_reply_close(struct queue_renew_reply *r);

/* A dispatcher's link to one queue: a command connection and a waiting connection. Only jobs of these routes (job_route) are claimed. */
struct queue_link;
struct queue_link *queue_link_open(const char *url, const struct queue_options *options, const char *queue, const char *worker,
        const char *const *routes, size_t n_routes, struct err *e) MUST_CHECK;
/* The same to one of its shards. */
struct queue_link *queue_link_open_shard(const char *url, const struct queue_options *options, const char *queue, int shard,
        const char *worker, const char *const *routes, size_t n_routes, struct err *e) MUST_CHECK;
void queue_link_close(struct queue_link **l); /* leases stay and expire; drain first */

/* A link must call step or renew at least once a second: a worker that was not heard for 3.5 s is taken for dead, and its leases go to
 * others. Leases that it forgets to renew end by themselves. Of what is lost so a crash is counted if it is known to have started; what was only
 * held runs again uncounted, and comes as a suspect to whoever claims it. A renewal holds at most QUEUE_BATCH_MAX items, a link at most 64 routes.
 * At most one call (step, renew or queue_link_fire_*) is under way per link. After -1 the link reconnects at the next begin, and a step that was
 * under way is sent again with its old sequence number before anything else: begin it again with the same content. */
bool queue_link_step_begin(struct queue_link *l, const struct queue_step *s, struct err *e) MUST_CHECK;
int queue_link_step_end(struct queue_link *l, struct queue_step_reply *out, struct err *e) MUST_CHECK; /* 1 got, 0 not yet, -1 */
bool queue_link_renew_begin(struct queue_link *l, const struct queue_renewal *items, size_t n, int64_t lease_ms, struct err *e) MUST_CHECK;
int queue_link_renew_end(struct queue_link *l, struct queue_renew_reply *out, struct err *e) MUST_CHECK;
/* Wait for work: the blocking pop on the marker, at most max_ms; a woken link passes the wake-up on while work remains. */
bool queue_link_wait_begin(struct queue_link *l, int64_t max_ms, struct err *e) MUST_CHECK;
int queue_link_wait_end(struct queue_link *l, struct err *e) MUST_CHECK; /* 1 woken or time is up, 0 not yet, -1 */
int queue_link_fd(const struct queue_link *l);                           /* command connection; -1 while not connected */
int queue_link_wait_fd(const struct queue_link *l);

#endif
