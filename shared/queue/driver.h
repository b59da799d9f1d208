/* driver.h -- what a driver of the queue must do. Private to shared/queue: users include queue/queue.h.
 *
 * queue.c checks what callers pass (names, sizes, ids) once for all drivers; a driver sees only what is well-formed. Each kind of
 * handle begins with a common head, which the driver puts at the start of its own struct.
 */
#ifndef QUEUE_DRIVER_H
#define QUEUE_DRIVER_H

#include "queue/doctor.h"
#include "queue/flow.h"
#include "queue/history.h"
#include "queue/queue.h"
#include "queue/schedule.h"
#include "queue/seeing.h"
#include "queue/workers.h"

#define QUEUE_TAIL 20 /* digits of an id after queue and shard: its name within the shard */

struct queue {
	const struct queue_driver *driver;
	struct queue_options options; /* with the defaults filled in */
};

struct queue_watcher {
	const struct queue_driver *driver;
};

struct queue_link {
	const struct queue_driver *driver;
	struct queue_options options;
	char queue[JOB_NAME];
	int shard;
	char worker[JOB_WORKER];
	char (*routes)[JOB_ROUTE];
	size_t n_routes;
};

struct queue_mail {
	struct queue *queue;
};

enum queue_act { ACT_CANCEL, ACT_REPLAY, ACT_RELEASE, ACT_WATCH, ACT_FLOW_CANCEL };

/* What a queue lets through: everything, no claims, no new jobs. The last two add up. */
enum queue_gate { GATE_OPEN, GATE_PAUSE, GATE_DRAIN };

/* An act upon one job. */
enum act_result { ACT_DONE, ACT_NO_JOB, ACT_WRONG_STATE, ACT_KEY_TAKEN, ACT_WRONG_REV, ACT_TOO_MANY };

/* A schedule's ticks that make jobs now. Do not move it once it is filled: items point into it. */
struct queue_fire {
	struct queue_schedule schedule;
	int64_t expected, next; /* the tick that it must stand at, 0: any, and it stays there; where it goes on, CRON_NEVER: nowhere */
	int64_t last, passed;   /* the last tick of the items, 0: none; ticks passed over */
	struct queue_submission *items;
	size_t n;
	char tags[JOB_TAGS], key[JOB_KEY]; /* of all items */
	char problem[200];                 /* why there are none, or "" */
};

enum fired { FIRED, FIRED_NOT_OURS, FIRED_FULL };
struct queue_fired {
	enum fired outcome;
	int64_t jobs;
	char last_id[JOB_ID]; /* "" none */
};

struct queue_driver {
	struct queue *(*open)(const char *url, const struct queue_options *options, struct err *e);
	void (*close)(struct queue *q);
	bool (*submit)(struct queue *q, struct queue_submission *items, size_t n, struct queue_submitted *out, struct err *e);
	int (*show)(struct queue *q, const char *id, struct job *out, struct err *e);
	bool (*lists)(struct queue *q, const char *kind, int state, struct queue_page *pages, size_t n, int *looks, struct err *e);
	bool (*act)(
	        struct queue *q, enum queue_act act, const char *id, enum act_result *result_out, enum job_state *state_out, struct err *e);
	bool (*prioritize)(struct queue *q, const char *id, int priority, int64_t rev, enum act_result *result_out,
	        enum job_state *state_out, struct err *e);
	/* These three: of n queues, into out[n] of zeros. */
	bool (*counts)(struct queue *q, const char (*queues)[JOB_NAME], size_t n, struct queue_counts *out, struct err *e);
	bool (*backlogs)(struct queue *q, const char (*queues)[JOB_NAME], size_t n, struct queue_backlog *out, struct err *e);
	bool (*routes)(struct queue *q, const char (*queues)[JOB_NAME], size_t n, struct queue_routes *out, struct err *e);
	int (*history_take)(struct queue *q, const struct history_writer *w, int limit, struct history_batch *out, struct err *e);
	int (*history_drop)(struct queue *q, const struct history_writer *w, const struct history_batch *b, struct err *e);
	bool (*history_off)(struct queue *q, const struct history_writer *w, struct err *e);
	int (*dead_list)(struct queue *q, const struct queue_dead_filter *f, const char *cursor, int limit, struct job *jobs,
	        char next_out[64], struct err *e);
	int (*dead_act)(struct queue *q, enum queue_dead_act act, const struct queue_dead_filter *f, const char *cursor, int limit,
	        int *skipped_out, char next_out[64], struct err *e);
	bool (*set_weight)(struct queue *q, const char *queue, const char *lane, int weight, struct err *e);
	bool (*lane)(struct queue *q, const char *queue, const char *lane, struct queue_lane *out, struct err *e);
	int (*lanes)(struct queue *q, const char *queue, const char *cursor, struct queue_lane *out, char next_out[64], struct err *e);
	int (*purge)(struct queue *q, const char *queue, enum job_state state, int limit, int64_t *left_out, struct err *e);
	bool (*gate)(struct queue *q, const char *queue, enum queue_gate gate, struct err *e);
	int (*budget_take)(
	        struct queue *q, const char *key, int64_t cost, int64_t limit, int64_t window_ms, int64_t *wait_ms_out, struct err *e);
	bool (*budget_correct)(struct queue *q, const char *key, int64_t used, int64_t window_ms, int64_t stop_ms, struct err *e);
	bool (*shards)(struct queue *q, const char *queue, int wanted, struct queue_shards *out, struct err *e);
	bool (*ping)(struct queue *q, struct err *e);
	int (*log)(struct queue *q, const char *id, int64_t from, int limit, struct queue_log *out, struct err *e);
	bool (*show_many)(struct queue *q, const char (*ids)[JOB_ID], size_t n, struct job *jobs, struct err *e);
	bool (*revisions)(struct queue *q, const char (*ids)[JOB_ID], size_t n, int64_t *revs, struct err *e);
	bool (*changes)(struct queue *q, const char *queue, int shard, const char *after, struct queue_changes *out, struct err *e);
	int (*audit)(struct queue *q, const char *queue, struct queue_audit *out, struct err *e);
	/* At all of these queues together. */
	bool (*look)(struct queue *q, struct queue_look *const *looks, size_t n, struct err *e);
	int (*mend)(struct queue *q, const char *queue, const struct queue_finding *f, bool force, char why_out[200], struct err *e);

	/* The shard for a job of a flow, or its root, by its own keys or else the root's id (of whatever shard); -1. */
	int (*flow_shard)(struct queue *q, const struct queue_submission *s, const char *root, struct err *e);
	/* Fill in job and known of nodes whose id is given. */
	bool (*flow_look)(struct queue *q, struct queue_flow_node *nodes, size_t n, struct err *e);
	struct queue_mail *(*mail_open)(const char *url, struct queue *q, const char *const *queues, size_t n, struct err *e);
	void (*mail_close)(struct queue_mail *m);
	int (*mail_take)(struct queue_mail *m, struct err *e);
	bool (*mail_tell)(struct queue_mail *m, struct err *e);
	bool (*mail_drop)(struct queue_mail *m, struct err *e);
	bool (*mail_tidy)(struct queue_mail *m, struct err *e);
	bool (*mail_wait)(struct queue_mail *m, int64_t max_ms, struct err *e);

	/* Schedules, each in the queue that it names. */
	/* rev 0: it is made, in the shard where its keys or its name say; else it is changed in its own. */
	bool (*schedule_put)(struct queue *q, const struct queue_schedule *s, int64_t rev, int64_t due, enum act_result *result_out,
	        int64_t *rev_out, struct err *e);
	/* Move it to where its keys or its name say, if it stands elsewhere. */
	bool (*schedule_settle)(struct queue *q, const struct queue_schedule *s, struct err *e);
	/* 1, 0 there is none in any shard of this queue, -1; now_ms is filled in either case. */
	int (*schedule_show)(struct queue *q, const char *queue, const char *name, struct queue_schedule *out, struct err *e);
	/* From all shards. */
	bool (*schedule_drop)(
	        struct queue *q, const char *queue, const char *name, int64_t rev, enum act_result *result_out, struct err *e);
	/* At most 1000 names of each shard of a queue, in no order, one that is being moved twice: how many, an array that the caller frees; -1. */
	int (*schedule_names)(struct queue *q, const char *queue, char (**out)[SCHEDULE_NAME], struct err *e);
	bool (*schedule_fire)(struct queue *q, const struct queue_fire *f, struct queue_fired *out, struct err *e);
	/* The queues that exist: how many, an array that the caller frees; -1. */
	int (*names)(struct queue *q, char (**out)[JOB_NAME], struct err *e);

	bool (*workers)(struct queue *q, const char *queue, struct queue_workers *out, struct err *e); /* out: zeros; the front closes it */
	int (*worker_tell)(struct queue *q, const char *queue, const char *worker, enum worker_command command, struct err *e);

	struct queue_watcher *(*watcher_open)(const char *url, const struct queue_options *options, struct err *e);
	int (*watcher_fd)(const struct queue_watcher *w);
	int (*watcher_next)(struct queue_watcher *w, char id_out[JOB_ID], enum job_state *state_out, struct err *e);
	void (*watcher_close)(struct queue_watcher *w);

	/* A link with its own part zero; queue.c then fills in the common head. */
	struct queue_link *(*link_open)(const char *url, const struct queue_options *options, const char *queue, int shard, struct err *e);
	void (*link_close)(struct queue_link *l);
	bool (*step_begin)(struct queue_link *l, const struct queue_step *s, struct err *e);
	int (*step_end)(struct queue_link *l, struct queue_step_reply *out, struct err *e);
	bool (*renew_begin)(struct queue_link *l, const struct queue_renewal *items, size_t n, int64_t lease_ms, struct err *e);
	int (*renew_end)(struct queue_link *l, struct queue_renew_reply *out, struct err *e);
	bool (*fire_begin)(struct queue_link *l, const struct queue_fire *fires, size_t n, struct err *e);
	int (*fire_end)(struct queue_link *l, struct queue_fire_reply *out, struct err *e);
	bool (*wait_begin)(struct queue_link *l, int64_t max_ms, struct err *e);
	int (*wait_end)(struct queue_link *l, struct err *e);
	int (*link_fd)(const struct queue_link *l);
	int (*wait_fd)(const struct queue_link *l);
};

extern const struct queue_driver redis_driver;

/* The last QUEUE_TAIL characters of an id. */
const char *queue_tail(const char *id);
/* id = "<queue>-<shard><tail>"; false when tail is not one. */
bool queue_full_id(char out[JOB_ID], const char *queue, int shard, const char *tail, size_t len) MUST_CHECK;
/* A result that does not fit fails its job, with e: refusing the step would hold up all the others. */
bool queue_result_too_long(const struct queue_ack *a, struct err *e) MUST_CHECK;
/* The progress a slot reported: {"done", "total", "unit", "rate", "eta_s", "note"}; what is missing or odd stays zero. */
void queue_read_progress(const char *json_text, struct job_progress *out);

/* queue.c: what calls about many queues check. */
bool queue_names_ok(const char (*queues)[JOB_NAME], size_t n, struct err *e) MUST_CHECK;
/* queue.c: what queue_submit checks and fills in; an id too. */
bool queue_submission_check(struct queue_submission *s, struct err *e) MUST_CHECK;

/* schedule_spec.c */
bool schedule_name_ok(const char *name);
char *schedule_spec_write(const struct queue_schedule *s); /* JSON text; mem_free it */
char *schedule_timing(const struct queue_schedule *s);     /* mem_free it */
bool schedule_spec_read(const char *text, const char *name, const char *queue, struct queue_schedule *out, struct err *e) MUST_CHECK;
bool schedule_ticks(const struct queue_schedule *s, struct ticks *out, struct err *e) MUST_CHECK;
bool schedule_check(struct queue_schedule *s, struct err *e) MUST_CHECK; /* all but its timing */
void schedule_job(const struct queue_schedule *s, int64_t tick, char tags[JOB_TAGS], char key[JOB_KEY], struct queue_submission *out);
/* Plan at most max jobs of what is due; schedule_fire_close it. */
void schedule_fire(const struct queue_due *due, const char *queue, int shard, int64_t now_ms, size_t max, struct queue_fire *out);
void schedule_fire_close(struct queue_fire *f);

#endif
