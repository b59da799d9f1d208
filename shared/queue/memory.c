/* memory.c -- the memory driver: what clients ask, answered from a store in this process. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "queue/memory_private.h"

static struct queue *memory_open(const char *url, const struct queue_options *options, struct err *e)
{
	struct memory_store *store = memory_store_open(url, options->namespace_, e);
	struct memory_handle *h;

	if (!store)
		return NULL;
	h = mem_new(sizeof(*h));
	h->head.options = *options;
	h->store = store;
	return &h->head;
}

static void memory_close(struct queue *base)
{
	struct memory_handle *h = (struct memory_handle *)base;

	memory_store_close(&h->store);
	mem_free(&h);
}

static struct memory_store *store_of(struct queue *base)
{
	return ((struct memory_handle *)base)->store;
}

/* The queue of an id, without what has vanished; NULL: none. */
static struct memory_queue *queue_of_id(struct memory_store *s, const char *id, int64_t now)
{
	char name[JOB_NAME];
	struct memory_queue *q;
	int shard;

	if (!job_id_parse(id, name, &shard))
		return NULL;
	q = memory_queue_of(s, name, false);
	if (q)
		memory_purge(q, now);
	return q;
}

static int memory_show(struct queue *base, const char *id, struct job *out, struct err *e)
{
	struct memory_store *s = store_of(base);
	struct memory_job *j;

	UNUSED(e);
	memory_enter(s);
	j = memory_job_of(queue_of_id(s, id, clock_now_ms()), id);
	if (j)
		memory_copy_job(j, out);
	memory_leave(s);
	return j != NULL;
}

static bool matches(const struct memory_job *j, const char *kind, int state)
{
	return (!kind || str_eq(j->job.kind, kind)) && (state < 0 || j->job.state == (enum job_state)state);
}

/* The cursor is the number of the last job given; jobs stand newest first. */
static int memory_list(struct queue *base, const char *queue, const char *kind, int state, const char *cursor, int limit, struct job *jobs,
        char next_out[64], struct err *e)
{
	struct memory_store *s = store_of(base);
	struct memory_queue *q;
	int64_t before = INT64_MAX;
	int n = 0;

	if (cursor[0] && !str_int(cursor, 0, INT64_MAX, &before))
		return err_fail(e, ERR_INVALID, "that is no cursor of ours");
	next_out[0] = '\0';
	memory_enter(s);
	q = memory_queue_of(s, queue, false);
	if (q)
		memory_purge(q, clock_now_ms());
	for (const struct memory_job *j = q ? q->jobs : NULL; j; j = j->next) {
		if (j->number >= before || !matches(j, kind, state))
			continue;
		if (n == limit)
			break;
		memory_copy_job(j, &jobs[n++]);
		snprintf(next_out, 64, "%lld", (long long)j->number);
	}
	memory_leave(s);
	if (n < limit)
		next_out[0] = '\0';
	return n;
}

/* ---- acts upon one job ------------------------------------------------------------------------------------------------- */

static enum act_result cancel(
        struct memory_store *s, struct memory_queue *q, struct memory_job *j, const struct queue_options *o, int64_t now)
{
	if (job_state_is_end(j->job.state))
		return ACT_WRONG_STATE;
	memory_cancel(s, q, j, o, now);
	return ACT_DONE;
}

enum act_result memory_replay(struct memory_store *s, struct memory_queue *q, struct memory_job *j)
{
	if (!job_move_allowed(j->job.state, JOB_READY) || !job_state_is_end(j->job.state))
		return ACT_WRONG_STATE;
	if (j->job.unique_key[0] && memory_unique_holder(q, j->job.unique_key))
		return ACT_KEY_TAKEN;
	memory_to_ready(s, q, j, false);
	j->errors = j->job.crashes = 0;
	j->job.cancel_asked = false;
	j->job.finished_at = j->job.run_at = 0;
	memset(&j->job.error, 0, sizeof(j->job.error));
	memset(&j->job.progress, 0, sizeof(j->job.progress));
	mem_free(&j->job.result);
	return ACT_DONE;
}

static enum act_result act_on(struct memory_store *s, struct memory_queue *q, struct memory_job *j, enum queue_act act,
        const struct queue_options *o, int64_t now)
{
	switch (act) {
	case ACT_CANCEL:
		return cancel(s, q, j, o, now);
	case ACT_REPLAY:
		return memory_replay(s, q, j);
	case ACT_RELEASE:
		if (j->job.state != JOB_WAITING)
			return ACT_WRONG_STATE;
		memory_to_ready(s, q, j, false);
		return ACT_DONE;
	case ACT_WATCH:
		if (!job_state_is_end(j->job.state))
			j->watched = true;
		return ACT_DONE;
	}
	return ACT_NO_JOB;
}

static bool memory_act(
        struct queue *base, enum queue_act act, const char *id, enum act_result *result_out, enum job_state *state_out, struct err *e)
{
	struct memory_store *s = store_of(base);
	int64_t now = clock_now_ms();
	struct memory_queue *q;
	struct memory_job *j;

	UNUSED(e);
	memory_enter(s);
	q = queue_of_id(s, id, now);
	j = memory_job_of(q, id);
	*result_out = j ? act_on(s, q, j, act, &base->options, now) : ACT_NO_JOB;
	*state_out = j ? j->job.state : JOB_SCHEDULED;
	memory_leave(s);
	return true;
}

static enum act_result prioritize(struct memory_store *s, struct memory_queue *q, struct memory_job *j, int priority, int64_t rev)
{
	if (rev && rev != j->job.rev)
		return ACT_WRONG_REV;
	if (j->job.state == JOB_RUNNING || job_state_is_end(j->job.state))
		return ACT_WRONG_STATE;
	memory_prioritize(s, q, j, priority);
	return ACT_DONE;
}

static bool memory_prioritize_id(struct queue *base, const char *id, int priority, int64_t rev, enum act_result *result_out,
        enum job_state *state_out, struct err *e)
{
	struct memory_store *s = store_of(base);
	struct memory_queue *q;
	struct memory_job *j;

	UNUSED(e);
	memory_enter(s);
	q = queue_of_id(s, id, clock_now_ms());
	j = memory_job_of(q, id);
	*result_out = j ? prioritize(s, q, j, priority, rev) : ACT_NO_JOB;
	*state_out = j ? j->job.state : JOB_SCHEDULED;
	memory_leave(s);
	return true;
}

/* ---- budgets, audit ----------------------------------------------------------------------------------------------- */

static struct memory_budget *budget_of(struct memory_store *s, const char *key, int64_t window_ms, int64_t now)
{
	struct memory_budget *b = s->budgets;

	while (b && !str_eq(b->key, key))
		b = b->next;
	if (!b) {
		b = mem_new(sizeof(*b));
		memcpy(b->key, key, strlen(key)); /* shorter than the field: checked before */
		b->next = s->budgets;
		s->budgets = b;
	}
	if (b->start != now - now % window_ms) {
		b->start = now - now % window_ms;
		b->used = 0;
	}
	return b;
}

static int memory_budget_take(
        struct queue *base, const char *key, int64_t cost, int64_t limit, int64_t window_ms, int64_t *wait_ms_out, struct err *e)
{
	struct memory_store *s = store_of(base);
	int64_t now = clock_now_ms();
	struct memory_budget *b;
	bool taken = false;

	UNUSED(e);
	*wait_ms_out = 0;
	memory_enter(s);
	b = budget_of(s, key, window_ms, now);
	if (b->stop > now)
		*wait_ms_out = b->stop - now;
	else if (b->used + cost > limit)
		*wait_ms_out = b->start + window_ms - now;
	else
		taken = true;
	if (taken)
		b->used += cost;
	memory_leave(s);
	return taken;
}

static bool memory_budget_correct(struct queue *base, const char *key, int64_t used, int64_t window_ms, int64_t stop_ms, struct err *e)
{
	struct memory_store *s = store_of(base);
	int64_t now = clock_now_ms();
	struct memory_budget *b;

	UNUSED(e);
	memory_enter(s);
	b = budget_of(s, key, window_ms, now);
	if (used > b->used)
		b->used = used;
	if (stop_ms > 0 && now + stop_ms > b->stop)
		b->stop = now + stop_ms;
	memory_leave(s);
	return true;
}

static bool memory_ping(struct queue *base, struct err *e)
{
	UNUSED(base);
	UNUSED(e);
	return true;
}

/* A job is in one place because it is one struct; what could be wrong are the lanes' counts and the leases. */
static bool audit_queue(const struct memory_queue *q, struct queue_audit *out)
{
	int64_t in_lanes = 0;

	for (const struct memory_job *j = q->jobs; j; j = j->next) {
		out->jobs++;
		out->by_state[j->job.state]++;
		if ((j->job.state == JOB_RUNNING) != (j->job.lease_until != 0) || job_state_is_end(j->job.state) != (j->vanishes_at != 0)) {
			snprintf(out->problem, sizeof(out->problem), "%s has a lease or an end that its state does not", j->job.id);
			return false;
		}
	}
	for (const struct memory_lane *l = q->lanes; l; l = l->next)
		in_lanes += l->jobs;
	if (in_lanes == out->by_state[JOB_READY])
		return true;
	snprintf(out->problem, sizeof(out->problem), "the lanes count %lld jobs, and %lld are ready", (long long)in_lanes,
	        (long long)out->by_state[JOB_READY]);
	return false;
}

static int memory_audit(struct queue *base, const char *queue, struct queue_audit *out, struct err *e)
{
	struct memory_store *s = store_of(base);
	struct memory_queue *q;
	bool sound;

	UNUSED(e);
	memory_enter(s);
	q = memory_queue_of(s, queue, false);
	sound = !q || audit_queue(q, out);
	memory_leave(s);
	return sound;
}

const struct queue_driver memory_driver = {
        .open = memory_open,
        .close = memory_close,
        .submit = memory_submit,
        .show = memory_show,
        .list = memory_list,
        .act = memory_act,
        .prioritize = memory_prioritize_id,
        .counts = memory_counts,
        .dead_list = memory_dead_list,
        .dead_act = memory_dead_act,
        .purge = memory_purge_jobs,
        .pause = memory_pause,
        .budget_take = memory_budget_take,
        .budget_correct = memory_budget_correct,
        .ping = memory_ping,
        .audit = memory_audit,
        .watcher_open = memory_watcher_open,
        .watcher_fd = memory_watcher_fd,
        .watcher_next = memory_watcher_next,
        .watcher_close = memory_watcher_close,
        .link_open = memory_link_open,
        .link_close = memory_link_close,
        .step_begin = memory_step_begin,
        .step_end = memory_step_end,
        .renew_begin = memory_renew_begin,
        .renew_end = memory_renew_end,
        .wait_begin = memory_wait_begin,
        .wait_end = memory_wait_end,
        .link_fd = memory_link_fd,
        .wait_fd = memory_link_wait_fd,
};
