/* job.h -- what a job is: its record, its states and the moves between them. Pure: no I/O, no clock.
 *
 *                    submit                claim                    ok
 *   (run_at later) ─────────► SCHEDULED ──┐  ┌──► RUNNING ─────────────────► SUCCEEDED
 *                                 due │   │  │     │ │ │
 *   submit ──────────────────────────►READY──┘     │ │ └─ permanent error ─► FAILED
 *      ▲                                ▲ ▲        │ │
 *      │                            due │ └────────┘ │    attempts used up,
 *   replay                              │  crash,    │    or crashed too often
 *      │                        RETRYING◄┘ give back ├───────────────────────► DEAD ──► (replay) READY
 *      │                            ▲                │
 *      │                            └────────────────┘  temporary error
 *      └── FAILED, CANCELLED        WAITING ──► READY   when the last job that it waits for ended
 *   WAITING ──► FAILED when one of them ended badly; FAILED, CANCELLED ──► (replay) WAITING when it has to wait again.
 *   put off: RUNNING ──► SCHEDULED, when what the job needs is used up or stopped until a known time; neither an error nor a crash.
 *   cancel: SCHEDULED READY RETRYING WAITING ──► CANCELLED at once; RUNNING ──► CANCELLED when its slot has stopped.
 *
 * Rules that always hold (tests/flow proves them, `barque doctor` reads them):
 *  1. A job stands in exactly one place: one lane, the schedule, the leases, the waiting set, or an end state.
 *  2. Only who holds the lease, with the fence it was given, can end the job. Fences only grow.
 *  3. attempt counts claims that ran to an error; crashes counts claims that are known to have started and whose slot or dispatcher
 *     died. They never mix. A job that its dispatcher only held when it died goes back uncounted.
 *  4. An end state is final, but for a replay asked for by a person.
 *  5. state changes in one function only: job_move() here, and move() in broker-config/functions/10_base.lua, which mirror each other.
 */
#ifndef JOB_JOB_H
#define JOB_JOB_H

#include "base/base.h"
#include "base/err.h"
#include "base/json.h"

#define JOB_ID     48                   /* "<queue>-<shard><time and chance, 20 base32 digits>" and NUL */
#define JOB_NAME   24                   /* queue and kind names: [a-z0-9._], and NUL */
#define JOB_KEY    200                  /* idempotency, uniqueness and lane keys, and NUL */
#define JOB_UNIQUE (JOB_NAME + JOB_KEY) /* "<kind>:<unique key>": of the same kind only one */
#define JOB_WORKER 64                   /* host:pid:start */
#define JOB_TRACE  64                   /* W3C traceparent, 55 characters */
#define JOB_TAGS   200
#define JOB_ROUTE  40 /* "<kind>[/<version>][!]" and NUL */

/* X(state, wire name, is an end state) */
#define JOB_STATES(X)                        \
	X(JOB_SCHEDULED, "scheduled", false) \
	X(JOB_READY, "ready", false)         \
	X(JOB_RUNNING, "running", false)     \
	X(JOB_RETRYING, "retrying", false)   \
	X(JOB_WAITING, "waiting", false)     \
	X(JOB_SUCCEEDED, "succeeded", true)  \
	X(JOB_FAILED, "failed", true)        \
	X(JOB_CANCELLED, "cancelled", true)  \
	X(JOB_DEAD, "dead", true)

enum job_state {
#define X(state, name, end) state,
	JOB_STATES(X)
#undef X
};

const char *job_state_name(enum job_state s);
bool job_state_of(const char *name, enum job_state *out) MUST_CHECK;
bool job_state_is_end(enum job_state s);
bool job_move_allowed(enum job_state from, enum job_state to);

/* How far a running job is. total 0: not known. */
struct job_progress {
	int64_t done, total;
	char unit[16]; /* "bars", "symbols" */
	double rate;   /* units a second, lately */
	int64_t eta_s; /* -1: not known */
	char note[120];
};

/* A budget that jobs share: at most `limit` in each calendar window of window_ms (windows begin at multiples of it since 1970), each claim
 * taking `cost`. One with the same key and another window is another. */
struct job_rate {
	char key[JOB_KEY];
	int64_t limit, window_ms, cost;
};

/* What a job waits for that is ready to run, or was put off. */
struct job_wait {
	char reason[16];        /* "concurrency", "rate" or "later"; "": nothing of that sort */
	int64_t until_ms;       /* 0: not known */
	char what[JOB_KEY + 8]; /* the key, or a sentence */
};

struct job {
	char id[JOB_ID];
	char kind[JOB_NAME];
	char queue[JOB_NAME];
	enum job_state state;
	int priority; /* 0 urgent .. 9 idle; 5 is usual */
	int kind_version;
	char *params;              /* JSON object text; owned by the job */
	int attempt, max_attempts; /* attempt: number of the current or last one, from 1; 0 before the first claim */
	int crashes;
	bool quarantined;                                    /* it crashed: it runs alone, on workers that serve the quarantine */
	bool suspect;                                        /* a worker that held it died: the next one says so before it starts it */
	int64_t fence;                                       /* of the current or last claim */
	int64_t rev;                                         /* grows with every change of the record: the ETag */
	int64_t created_at, run_at, started_at, finished_at; /* ms UTC; 0: not yet */
	int64_t lease_until;
	char worker[JOB_WORKER];
	bool cancel_asked;
	bool archived; /* read from the history: the queue has forgotten it, or was not asked */
	struct job_progress progress;
	struct err error; /* of the last failed attempt; ERR_NONE: none */
	char *result;     /* JSON text, NULL before success; owned by the job */
	char *waits_for;  /* "<id>=<name> ...", the jobs that it waits or waited for; NULL: none; owned by the job */
	char *inputs;     /* of a claim: JSON object text, name -> result of those jobs; NULL: none; owned by the job */
	char idempotency_key[JOB_KEY];
	char unique_key[JOB_UNIQUE];
	char lane[JOB_KEY]; /* its fairness key; "": none of its own */
	char parent[JOB_ID];
	char trace[JOB_TRACE];
	char tags[JOB_TAGS]; /* comma separated */
	char *timeline;      /* what was unusual, as the queue wrote it (timeline.h); NULL: nothing; owned by the job */
	int max_crashes;
	int quarantine_after;                 /* crashes */
	int64_t time_limit_ms, hard_limit_ms; /* asked to stop, killed after so long; 0: as its kind says */
	int64_t backoff_ms, backoff_cap_ms;
	char concurrency_key[JOB_UNIQUE + 1]; /* "": none */
	int max_concurrent;
	struct job_rate rate;  /* key "": none */
	int64_t result_ttl_ms; /* 0: the usual */
	bool parked;           /* READY, but waiting_on stands between it and its lane */
	struct job_wait waiting_on;
};

void job_close(struct job *j);                                             /* frees what it owns and zeroes it */
bool job_move(struct job *j, enum job_state to, struct err *e) MUST_CHECK; /* ERR_CONFLICT when the drawing has no such arrow */

/* Ids carry their queue and shard, so that a job is found by its id alone. Random enough: 50 bits within one ms. */
void job_id_make(char out[JOB_ID], const char *queue, int shard, int64_t now_ms, uint64_t chance);
int64_t job_id_time(const char *tail); /* ms since the epoch, of an id's last 20 characters, which job_id_tail_ok */
/* Are the first 20 characters the last part of an id? */
bool job_id_tail_ok(const char *tail) MUST_CHECK;
/* Split an id; false for a text that is no id of ours. */
bool job_id_parse(const char *id, char queue_out[JOB_NAME], int *shard_out) MUST_CHECK;
bool job_name_ok(const char *name);  /* [a-z0-9._], 1..23 bytes: kinds; queues have no dot */
bool job_queue_ok(const char *name); /* [a-z0-9_], 1..23 bytes */

/* What a job asks of the worker that takes it: to know this kind in this version (0: whichever), and to serve the quarantine. */
void job_route(char out[JOB_ROUTE], const char *kind, int version, bool quarantined);
/* Take a route apart; false for a text that is none. The pointers may be NULL. */
bool job_route_parse(const char *route, size_t len, char kind_out[JOB_NAME], int *version_out, bool *quarantined_out) MUST_CHECK;

/* When may attempt n+1 start: base * 2^(n-1), at most cap, with full jitter in [half, whole]; chance in [0,1). */
int64_t job_backoff_ms(int attempt, int64_t base_ms, int64_t cap_ms, double chance);

/* The public shape of design §3 into w, as one object. */
void job_to_json(const struct job *j, struct json_writer *w, const char *key);
void job_rate_to_json(const struct job_rate *r, struct json_writer *w); /* member "rate" */

#endif
