/* dispatcher.h -- the loop at the heart of a worker: claims jobs, hands them to slots, renews leases, tells ends, drains.
 *
 * Single-threaded and never blocking. Nothing that a job does can stop a lease from being renewed; nothing that Redis does can
 * stop a job. Rules: 1. each claimed job is acknowledged once, or its lease is left to expire when it is lost; 2. a job whose
 * lease is lost is killed and nothing is told about it; 3. after SIGTERM nothing new is claimed.
 */
#ifndef WORKERS_DISPATCHER_H
#define WORKERS_DISPATCHER_H

#include "workers/helpers.h"
#include "workers/line.h"
#include "workers/settings.h"
#include "workers/shm.h"
#include "workers/slots.h"

enum worker_exit {
	EXIT_DRAINED = 0,   /* every job ended or was given back, and the queue knows */
	EXIT_SETTINGS = 64, /* a setting was refused */
	EXIT_STUCK = 70,    /* the watchdog: no progress for 30 s though there is work */
	EXIT_START = 71,    /* the machine refused something at start: memory, processes, a port */
	EXIT_UNTOLD = 75    /* ended, but the queue could not be told all: what is left runs elsewhere when its leases expire */
};

enum phase { PHASE_WORK, PHASE_DRAIN, PHASE_HURRY };

struct dispatcher {
	const struct settings *settings;
	struct shm *shm;
	struct slots slots;
	struct line lines[LINES_MAX];
	size_t n_lines;
	bool lines_full; /* and this was said */
	struct helpers helpers;
	int signals; /* signalfd */
	enum phase phase;
	int64_t deadline_ms;       /* of the phase */
	int64_t now_ms, looked_ms; /* looked_ms: when memory was last looked at */
	int64_t progress_ms;       /* last sign of life while there was work */
	int64_t fed_ms;            /* when the watchdog was last told so */
	bool signalled;            /* the last poll saw a signal */
	int64_t served;
	struct line *alone_next, *alone_last; /* alone.c: whose turn it is, and whose it was; NULL: nobody's */
	int64_t shared_ms;                    /* when slot time was last counted */
	int64_t started_at;                   /* by the clock on the wall */
	int64_t leaving_ms;                   /* since when it only says that it is gone; 0: it is not gone yet */
	enum worker_command told;
};

/* Runs until drained; an enum worker_exit. */
int dispatcher_run(const struct settings *s);

/* ---- the parts, each in its file */

/* control.c: signals and commands */
void control_drain(struct dispatcher *d);
void control_hurry(struct dispatcher *d, const char *why);
void control_take(struct dispatcher *d, struct line *l, enum worker_command told); /* what the answer to a step of l says */

/* May a line claim? Soon: a call of it is under way. */
enum claim { CLAIM_NO, CLAIM_SOON, CLAIM_NOW };

/* shares.c: order between queues. held: of each line, how many slots hold its jobs */
void shares_account(struct dispatcher *d, const int *held);
void shares_grant(struct dispatcher *d, struct line *l); /* one slot */
int shares_kept(const struct line *l);                   /* free slots that are kept for its claims which have come and have none yet */
int shares_whole(const struct dispatcher *d, const struct line *l);
struct line *shares_next(struct dispatcher *d, enum claim (*may)(const struct dispatcher *d, const struct line *l));
int shares_refills(const struct dispatcher *d, const struct line *l, const int *held);

/* dispatch.c: who may claim how much, and which slot runs what */
void dispatch_plan(struct dispatcher *d);
int dispatch_want(const struct dispatcher *d, const struct line *l);
void dispatch_claims(struct line *l, struct queue_step_reply *reply);
void dispatch_pending(struct dispatcher *d, struct line *l);
void dispatch_give_back(struct dispatcher *d, struct line *l);       /* all that has not started */
int dispatch_idle(const struct dispatcher *d, const struct line *l); /* idle slots that l may use */
int64_t dispatch_patience_ms(const struct dispatcher *d); /* a claimed job that waits longer is given back, lest its lease ends */
#define DISPATCH_PENDING_MS 1000                          /* ... and so do those of which none has found a slot for so long */

/* ends.c: from a slot's word, or its death, to what the queue is told */
void ends_claimed(struct dispatcher *d, const struct kind *k, const struct job *j); /* for the figures: how long it waited */
void ends_said(void *dispatcher, struct flight *f, const char *text);               /* a line of a job's log */
void ends_take(void *dispatcher, const struct flight *f, enum back how, const struct answer *answer, const char *why);

/* limits.c: time, memory, cancellation, leases */
struct time_limits {
	int64_t soft_ms, hard_ms; /* asked to stop, killed after so long */
};
struct time_limits limits_of(const struct flight *f);
void limits_check(struct dispatcher *d);
size_t limits_renewals(struct dispatcher *d, struct line *l);
char *limits_last_progress(const struct dispatcher *d, const struct flight *f); /* what was not told yet; mem_free it; NULL: nothing */
void limits_renewed(struct dispatcher *d, struct line *l, const struct queue_renew_reply *reply);
void limits_stop_all(struct dispatcher *d, enum stop why);
int64_t limits_next_ms(const struct dispatcher *d); /* look again within so many ms */

#endif
