/* line.h -- the dispatcher's side of one shard of a queue: its link, what waits to be told, and how much it may claim.
 *
 * One call at a time is under way: a step (tells ends, claims jobs), a renewal, or the ticks of schedules. What ends meanwhile rides in the next step, so
 * the batch grows with the load and a quiet system waits for nothing.
 */
#ifndef WORKERS_LINE_H
#define WORKERS_LINE_H

#include "queue/schedule.h"
#include "queue/workers.h"
#include "workers/alone.h"
#include "workers/settings.h"
#include "workers/slots.h"

#define LINE_ROUTES  64
#define LINE_TICK_MS 800 /* a line steps at least so often: a worker not heard for 3 s is taken for dead */

#define LINE_REMARK_MS 250 /* what jobs say for their logs waits no longer */

enum line_call { CALL_NONE, CALL_STEP, CALL_RENEW, CALL_FIRE };

struct line {
	char queue[JOB_NAME];
	int shard;
	size_t family; /* the number of the line that serves shard 0 of the same queue */
	const struct settings *settings;
	char routes[LINE_ROUTES][JOB_ROUTE];
	size_t n_routes;
	bool is_short;           /* all its kinds are: it may look ahead */
	struct queue_link *link; /* NULL: not connected yet */

	enum line_call call;
	bool again;             /* the step has to be begun again as it was */
	struct queue_ack *acks; /* what ended and is not confirmed; the first n_riding are in the step under way */
	size_t n_acks, acks_cap, n_riding;
	int want;         /* claims asked for in that step */
	int64_t began_us; /* the call under way */
	struct queue_renewal renewals[QUEUE_BATCH_MAX];
	struct buf progress; /* their texts */

	struct remark *remarks; /* what jobs said and is not confirmed; the first n_remarks_riding are in the step under way */
	size_t n_remarks, n_remarks_riding;
	int64_t remarked_ms; /* when some rode last */

	bool waiting;          /* a blocking pop is under way */
	int64_t wait_until_ms; /* begin none before this time */
	bool hungry;           /* there is, or may be, work to claim */
	bool was_hungry;       /* when the step under way began; its answer says whether it still is */
	bool drained;          /* claim nothing more */
	bool shards_told;      /* that its queue has more shards than QUEUE_SHARDS says */
	int64_t backlog;       /* how many were ready after the last step */
	enum worker_command told;
	struct buf report; /* rides in the next step; empty: none is due */
	int64_t reported_ms;
	bool leaving, riding_last, left; /* all is told: the last step is due, under way, answered */
	int64_t stepped_ms, renewed_ms, retry_ms, heard_ms;
	int64_t ready_ms; /* when a step was last answered; 0: never */
	int failures;
	double rtt_us, run_us;     /* moving averages; 0: not known */
	int64_t no_ahead_until_ms; /* looking ahead went wrong lately */

	struct queue_due *due; /* schedules that a step said are due: we make their jobs */
	size_t n_due;
	int64_t due_now_ms; /* the server's clock then */
	bool due_refused;   /* the server is full and said so; it is told once */

	struct job *pending; /* claimed, not yet sent to a slot */
	size_t n_pending, pending_cap;
	int64_t pending_ms;       /* since when the first of them waits, or when some were sent last */
	int64_t pending_first_ms; /* since when there are always some */
	struct alone alone;       /* claimed, too, but not among these: one at a time, in a slot of its own */
	int landed;               /* of the free slots that were promised to the step which brought them, how many are kept for them */
	int promised;             /* free slots that the step under way may fill */
	int grant;                /* free slots that the next step may ask for */
	int64_t served;           /* order of the last grant: ties go to who waited longest */
	int has;                  /* slots that it holds, that a step may fill, or that it was just granted */
	/* Of all shards of its queue, in the line of shard 0: */
	int family_has;
	int weight;   /* of its share, 1 .. 1000 */
	bool active;  /* it takes part in sharing */
	double used;  /* slot time, in ms over weight */
	int was_held; /* slots, when that was last counted */
};

bool line_open(struct line *l, const struct settings *s, const char *queue, int shard, struct err *e) MUST_CHECK; /* connects later */
void line_close(struct line *l);

/* Something ended: it rides in the next step. Takes over result and progress (both may be NULL). */
void line_ack(struct line *l, const char *id, int64_t fence, enum ack_outcome outcome, char *result, const struct err *error);
void line_ack_done(struct line *l, const char *id, int64_t fence, char *result, char *progress);
/* A job says a line for its log: it rides in a step within LINE_REMARK_MS, and in no later one than the job's end. False: no room. */
bool line_remark(struct line *l, const char *id, int64_t fence, const char *text, int64_t now_ms);
/* May a call be begun now? */
bool line_is_free(const struct line *l, int64_t now_ms);
/* Must it step now, whatever there is to claim? */
bool line_has_to_step(const struct line *l, int64_t now_ms);
/* Begin a step that claims up to want, or a renewal of n jobs already in l->renewals. */
void line_step(struct line *l, int want, int64_t now_ms);
void line_renew(struct line *l, size_t n, int64_t now_ms);
void line_fire(struct line *l, int64_t now_ms); /* the jobs of schedules that are due */
void line_wait(struct line *l, int64_t now_ms);

/* See whether the answers have come. 1: *reply filled (close it), 0: nothing, and trouble is handled inside. */
int line_step_take(struct line *l, struct queue_step_reply *reply, int64_t now_ms);
int line_renew_take(struct line *l, struct queue_renew_reply *reply, int64_t now_ms);
void line_fire_take(struct line *l, int64_t now_ms);
void line_wait_take(struct line *l, int64_t now_ms);
int64_t line_next_ms(const struct line *l, int64_t now_ms); /* look again within so many ms */

/* How many short jobs each slot may hold beyond the running one. */
int line_ahead(const struct line *l, int64_t now_ms);
void line_ran(struct line *l, int64_t run_us);
void line_pending_add(struct line *l, struct job *j); /* takes over what it owns */
void line_pending_drop(struct line *l, size_t n);     /* the first n, closed */

#endif
