/* slots.h -- the slot processes as the dispatcher sees them: fork, send orders, read answers, kill, settle what died.
 *
 * A slot holds up to SLOT_DEPTH jobs: the one that runs and, of short kinds only, those looked ahead. Jobs end in the order in
 * which they were sent. Whatever happens to the process, each job sent to it comes back through `ended` exactly once.
 */
#ifndef WORKERS_SLOTS_H
#define WORKERS_SLOTS_H

#include <sys/types.h>

#include "kinds/kind.h"
#include "workers/cgroup.h"
#include "workers/frame.h"
#include "workers/settings.h"
#include "workers/shm.h"
#include "workers/slot.h"

#define SLOT_DEPTH 256

struct line;

/* Why a job was asked to stop; also how its end is told to the queue. */
enum stop { STOP_NONE, STOP_CANCEL /* a person asked */, STOP_SOFT, STOP_HARD, STOP_MEMORY, STOP_LOST /* the lease */, STOP_DRAIN };

/* One job under lease, sent to a slot. */
struct flight {
	uint32_t number;
	int slot; /* whose */
	char id[JOB_ID];
	int64_t fence;
	const struct kind *kind;
	struct line *line;
	bool quarantined;
	int64_t time_limit_ms, hard_limit_ms; /* its own; 0: the kind's */
	int64_t sent_ms, renewed_ms;
	enum stop stop;
	int64_t stop_ms;           /* when it was asked to stop */
	bool termed;               /* SIGTERM was sent */
	uint32_t progress_version; /* last one told to the queue */
	int unsaid;                /* lines of its log that found no room */
};

struct slot {
	int index;
	pid_t pid; /* 0: no process now */
	int fd;
	bool eof;
	bool readable; /* the last poll said so: it need not be asked otherwise */
	struct buf in, out;
	struct slot_setup setup;
	struct flight *flights; /* the first of n, in room: jobs end at the front and come at the back */
	struct flight room[2 * SLOT_DEPTH];
	int n;
	uint32_t last_number;      /* of the jobs sent to this process */
	struct line *line;         /* whose jobs it holds; NULL when n is 0 */
	int64_t jobs;              /* answered by this process */
	bool tainted;              /* worn, swollen, or it ran a quarantined job: it is replaced after what it holds */
	bool alone;                /* the queue knows that what it runs has started, and nothing may wait behind it */
	bool recycling;            /* its socket is closed; it is ending by itself */
	int64_t born_ms, again_ms; /* again_ms: not forked before this time */
	bool doubtful;             /* the one before it died at birth: it is given nothing until it has lived for a while */
	char killed[160];          /* why we killed it; "" : we did not */
};

/* How a job came back from its slot. */
enum back {
	BACK_ANSWER,    /* answer is set */
	BACK_CRASHED,   /* the slot died while it ran: why */
	BACK_UNSTARTED, /* it never ran, or its answer died with the slot though another job is to blame */
};

struct slots {
	struct slot *all;
	int n;
	struct shm *shm;
	const struct settings *settings;
	struct cgroup cgroup;
	/* Told once for each job that was sent. answer and why are valid during the call. */
	void (*ended)(void *user, const struct flight *f, enum back how, const struct answer *answer, const char *why);
	/* A job says a line for its log. */
	void (*said)(void *user, struct flight *f, const char *text);
	void *user;
};

bool slots_open(struct slots *s, const struct settings *settings, struct shm *shm, struct err *e) MUST_CHECK; /* forks nothing yet */
void slots_close(struct slots *s); /* kills what lives and waits for it */

void slots_fork_missing(struct slots *s, int64_t now_ms); /* replace dead slots */
bool slot_is_empty(const struct slot *s);                 /* alive and holds no job */
bool slot_is_idle(const struct slot *s);                  /* ... and may be given one */
bool slot_may_look_ahead(const struct slot *s);           /* what it runs lets others wait behind it */
/* Put a job behind those that the slot holds; slot_send sends what was put. n must be below SLOT_DEPTH. */
void slot_put(struct slot *s, struct line *line, const struct kind *k, const struct job *j, int64_t now_ms);
void slot_send(struct slot *s);
void slot_read(struct slots *all, struct slot *s); /* take the answers that came */
/* Give back the jobs that have not started; returns how many. */
int slot_give_back(struct slots *all, struct slot *s);
void slot_kill(struct slot *s, const char *why); /* the whole process group, at once */
void slot_recycle(struct slot *s);               /* an empty slot: let it end, a new one follows */
/* A process ended: true if it was a slot. Settles its jobs. */
bool slots_reaped(struct slots *all, pid_t pid, int status, int64_t now_ms);
/* Has job f of this slot started to run? */
bool flight_is_started(const struct slot *s, const struct flight *f);
/* The job that runs, the last that has started: those before it have ended, and their answers come with its own. NULL: none has started. */
struct flight *slot_running(struct slot *s);
struct shm_slot *slot_shm(const struct slot *s);

#endif
