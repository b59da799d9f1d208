/* rig.h -- what every row of the matrix of faults uses: a Redis, workers, a client under way, probes, and the judgement at the end.
 *
 * A row opens the rig, starts workers and the client, makes faults while chaos_goes_on(), and ends with chaos_close(), which waits until
 * every job has ended, writes what the queue says of each of them to the history, lets the checker judge it, writes the row's line to
 * build/chaos/rows/, and fails the test when something is wrong. How much: CHAOS=short is what `make check` can afford; CHAOS_SCALE=n
 * multiplies the amounts and the time (percent, 100: usual).
 */
#ifndef TESTS_CHAOS_RIG_H
#define TESTS_CHAOS_RIG_H

#include "queue/queue.h"
#include "tests/chaos/checker.h"
#include "tests/lib/proxy.h"
#include "tests/lib/test.h"

#define CHAOS_WORKERS  8
#define CHAOS_WEDGE_MS 10000 /* no fault may keep the system from work for longer once it has healed */

struct chaos_client;

struct chaos {
	const char *row, *fault; /* "R1", and a few words for the table */
	struct test_redis redis;
	struct queue *queue;                   /* straight to Redis */
	char worker_url[128], client_url[128]; /* as the rig was opened: Redis itself */
	char history[300];
	pid_t workers[CHAOS_WORKERS];
	int lives; /* how many workers were ever started */
	struct chaos_client *client;
	int64_t faults, amount; /* made; wanted */
	int64_t began_ms, until_ms;
	int64_t recovery_limit_ms; /* the row fails when one recovery of a hundred took longer; 0: none */
	bool must_reject;          /* the row proves nothing unless stale ends were told and refused */
	bool never_again;          /* the row fails when a job ran twice or an end was refused: no lease may have been lost */
	bool no_jobs;              /* the row is not about jobs: the queue is asked for nothing at the end */
	bool may_lose;             /* what is lost, submissions and ends, is told and not blamed */
	int wait_replicas; /* a submission is accepted when so many replicas have it: then none may be lost, whatever may_lose says */
	char note[300];    /* for the last column */
	unsigned short chance[3];
	struct err e;
};

/* In short runs `brief` faults within 12 s, otherwise `full` within `seconds`, both times CHAOS_SCALE; whichever is reached first. */
struct chaos_size {
	int64_t full, brief, seconds, brief_seconds;
};
bool chaos_is_short(void);

/* redis: already started, or zeros: the rig starts one with this appendfsync. */
void chaos_open(struct chaos *c, const char *row, const char *fault, const char *appendfsync, struct chaos_size size);
bool chaos_goes_on(struct chaos *c);
/* Ends the test when the row failed. */
void chaos_close(struct chaos *c);

double chaos_dice(struct chaos *c);                                         /* [0, 1) */
int chaos_pick(struct chaos *c, int n);                                     /* 0 .. n - 1 */
void chaos_faulted(struct chaos *c);                                        /* one fault was made */
void chaos_remark(struct chaos *c, const char *fmt, ...) PRINTF_LIKE(2, 3); /* more for the last column */

/* Start worker i anew, under a name that no one had before. more: settings, NULL-terminated, may be NULL. */
void chaos_worker(struct chaos *c, int i, const char *const *more);
void chaos_worker_kill(struct chaos *c, int i);                      /* kill -9, noted */
bool chaos_worker_gone(struct chaos *c, int i);                      /* it died by itself: reaped */
int chaos_children(pid_t of, pid_t *out, int max, const char *name); /* those whose name begins so */
int chaos_alive(const pid_t *pids, int n);                           /* how many of them are no zombies and not gone */

/* Another process submits jobs of 0 to 20 ms, one of `every` of long_ms, and keeps about `backlog` waiting. It asks again with the same
 * id when an answer is lost, and gives up one time in four, as a client that died would. */
void chaos_client_start(struct chaos *c, int backlog, int every, int long_ms);
void chaos_client_stop(struct chaos *c);
/* One job by hand through c->queue, tried until it is accepted; spared: it is not meant to succeed. */
void chaos_submit(struct chaos *c, char id_out[JOB_ID], const char *params, int priority, int max_crashes, bool spared);
bool chaos_wait(struct chaos *c, const char *id, int timeout_ms, struct job *out); /* until it has ended; job_close(out) when true */

/* The fault has healed: an urgent job must end within CHAOS_WEDGE_MS. Returns ms, or -1, which fails the row at its end. */
int64_t chaos_probe(struct chaos *c);

/* The line of a row whose history was written by somebody else (another job system): prints it and writes it to the rows. */
bool chaos_report(const char *row, const char *fault, const struct chaos_verdict *v, const char *verdict, const char *note) MUST_CHECK;

#endif
