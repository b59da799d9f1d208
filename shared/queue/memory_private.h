/* memory_private.h -- what the files of the memory driver share: the same queue as in Redis, plain and for tests.
 *
 * memory:NAME names a store of this process; all handles on the same name and namespace share it, from any thread. Everything is
 * found by walking through all jobs: it is meant to be seen through, not to be fast.
 */
#ifndef QUEUE_MEMORY_PRIVATE_H
#define QUEUE_MEMORY_PRIVATE_H

#include <pthread.h>

#include "base/base.h"
#include "base/err.h"
#include "queue/driver.h"

#define MEMORY_ALIVE_MS   3500 /* as ALIVE, SILENCE and GRACE in barque.lua */
#define MEMORY_SILENCE_MS 3000
#define MEMORY_GRACE_MS   2500

struct memory_job {
	struct job job;
	char fingerprint[JOB_KEY];
	char lane[JOB_KEY];
	int errors, max_crashes;
	int64_t backoff_ms, backoff_cap_ms;
	int64_t number;      /* grows from job to job: the order of queue_list */
	int64_t order;       /* in its lane */
	int64_t vanishes_at; /* 0: lives */
	bool watched;
	struct memory_job *next; /* older */
};

struct memory_lane {
	char kind[JOB_NAME];
	char name[JOB_KEY];
	int priority;
	int64_t jobs; /* ready ones */
	int64_t at;   /* virtual time */
	struct memory_lane *next;
};

struct memory_worker {
	char name[JOB_WORKER];
	int64_t alive_until;
	struct memory_worker *next;
};

/* An idempotency key that a unique job answered: it knows the id, though the job was submitted without it. */
struct memory_key {
	char key[JOB_KEY], fingerprint[JOB_KEY], id[JOB_ID];
	int64_t vanishes_at;
	struct memory_key *next;
};

struct memory_queue {
	char name[JOB_NAME];
	struct memory_job *jobs; /* newest first */
	struct memory_lane *lanes;
	struct memory_worker *workers;
	struct memory_key *keys;
	int64_t number, front, back, fence, done, heard_at, silence_end;
	int64_t paused_at;   /* 0: it is not */
	int64_t service[10]; /* virtual time of each class */
	struct memory_queue *next;
};

struct memory_budget {
	char key[JOB_KEY];
	int64_t start, used, stop;
	struct memory_budget *next;
};

/* Somebody to be told: a link that waits, or a watcher. */
struct memory_watcher {
	struct queue_watcher head;
	struct memory_store *store;
	int fd; /* eventfd: one for each end not yet taken */
	struct memory_end {
		char id[JOB_ID];
		enum job_state state;
	} * ends;
	size_t n_ends, cap_ends;
	struct memory_watcher *next;
};

struct memory_link {
	struct queue_link head;
	struct memory_store *store;
	int fd;      /* eventfd: readable while an answer is to be taken */
	int wait_fd; /* timerfd: set to the time that is waited for, and to now when work comes */
	bool stepping, renewing, waiting;
	struct queue_step_reply step;
	struct queue_renew_reply renewal;
	struct memory_link *next;
};

struct memory_store {
	char name[64], ns[40];
	int users;
	pthread_mutex_t lock;
	struct memory_queue *queues;
	struct memory_budget *budgets;
	struct memory_watcher *watchers;
	struct memory_link *links;
	struct memory_store *next;
};

/* A client's handle. */
struct memory_handle {
	struct queue head;
	struct memory_store *store;
};

/* ---- memory_store.c: stores, and the moves of jobs. The caller holds the store's lock, which memory_enter takes. ------------- */

struct memory_store *memory_store_open(const char *url, const char *ns, struct err *e) MUST_CHECK;
void memory_store_close(struct memory_store **s);
void memory_enter(struct memory_store *s);
void memory_leave(struct memory_store *s);

struct memory_queue *memory_queue_of(struct memory_store *s, const char *name, bool make); /* NULL when there is none */
struct memory_job *memory_job_of(struct memory_queue *q, const char *id);                  /* NULL: vanished, or never was */
void memory_purge(struct memory_queue *q, int64_t now);                                    /* what has vanished goes */

/* Each asserts that the drawing has the arrow. */
void memory_to_ready(struct memory_store *s, struct memory_queue *q, struct memory_job *j, bool front);
void memory_to_running(struct memory_queue *q, struct memory_job *j, const char *worker, int64_t lease_ms, int64_t now);
void memory_to_retrying(struct memory_queue *q, struct memory_job *j, int64_t due);
void memory_to_end(struct memory_store *s, struct memory_queue *q, struct memory_job *j, enum job_state to, const struct queue_options *o,
        int64_t now);
/* Count it in its lane, which joins the ring when it was empty; wake who waits for its kind. For new jobs and memory_to_ready. */
void memory_line_up(struct memory_store *s, struct memory_queue *q, struct memory_job *j, bool front);
void memory_wake(struct memory_store *s, const char *queue, const char *kind); /* one waiting link */
/* Another priority, for a job that waits. */
void memory_prioritize(struct memory_store *s, struct memory_queue *q, struct memory_job *j, int priority);
void memory_copy_job(const struct memory_job *from, struct job *to); /* its own copies of the texts */

/* ---- memory_link.c ----------------------------------------------------------------------------------------------------------- */

struct queue_link *memory_link_open(const char *url, const struct queue_options *o, const char *queue, struct err *e) MUST_CHECK;
void memory_link_close(struct queue_link *l);
bool memory_step_begin(struct queue_link *l, const struct queue_step *s, struct err *e) MUST_CHECK;
int memory_step_end(struct queue_link *l, struct queue_step_reply *out, struct err *e) MUST_CHECK;
bool memory_renew_begin(struct queue_link *l, const struct queue_renewal *items, size_t n, int64_t lease_ms, struct err *e) MUST_CHECK;
int memory_renew_end(struct queue_link *l, struct queue_renew_reply *out, struct err *e) MUST_CHECK;
bool memory_wait_begin(struct queue_link *l, int64_t max_ms, struct err *e) MUST_CHECK;
int memory_wait_end(struct queue_link *l, struct err *e) MUST_CHECK;
int memory_link_fd(const struct queue_link *l);
int memory_link_wait_fd(const struct queue_link *l);

/* ---- memory_watch.c ---------------------------------------------------------------------------------------------------------- */

void memory_publish(struct memory_store *s, const char *id, enum job_state state);
struct queue_watcher *memory_watcher_open(const char *url, const struct queue_options *o, struct err *e) MUST_CHECK;
int memory_watcher_fd(const struct queue_watcher *w);
int memory_watcher_next(struct queue_watcher *w, char id_out[JOB_ID], enum job_state *state_out, struct err *e) MUST_CHECK;
void memory_watcher_close(struct queue_watcher *w);

/* A dead, failed or cancelled job from its beginning. */
enum act_result memory_replay(struct memory_store *s, struct memory_queue *q, struct memory_job *j);

/* ---- memory_control.c, memory_dead.c -------------------------------------------------------------------------------------------------------- */

int memory_counts(struct queue *base, struct queue_counts *out, int max, struct err *e) MUST_CHECK;
int memory_dead_list(struct queue *base, const struct queue_dead_filter *f, const char *cursor, int limit, struct job *jobs,
        char next_out[64], struct err *e) MUST_CHECK;
int memory_dead_act(struct queue *base, enum queue_dead_act act, const struct queue_dead_filter *f, const char *cursor, int limit,
        int *skipped_out, char next_out[64], struct err *e) MUST_CHECK;
int memory_purge_jobs(struct queue *base, const char *queue, enum job_state state, int limit, int64_t *left_out, struct err *e) MUST_CHECK;
bool memory_pause(struct queue *base, const char *queue, bool paused, struct err *e) MUST_CHECK;

/* ---- memory_submit.c --------------------------------------------------------------------------------------------------------- */

bool memory_submit(struct queue *q, struct queue_submission *items, size_t n, struct queue_submitted *out, struct err *e) MUST_CHECK;
/* Cancel at once, or ask for it when it runs. */
void memory_cancel(struct memory_store *s, struct memory_queue *q, struct memory_job *j, const struct queue_options *o, int64_t now);
struct memory_job *memory_unique_holder(struct memory_queue *q, const char *key); /* the live job that holds it, or NULL */

#endif
