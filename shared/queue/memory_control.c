/* memory_control.c -- whole queues in memory: what stands in them, pausing and purging them. */
#include <string.h>

#include "base/clock.h"
#include "queue/memory_private.h"

static void count_queue(const struct memory_queue *q, int64_t now, struct queue_counts *out)
{
	memset(out, 0, sizeof(*out));
	memcpy(out->queue, q->name, sizeof(out->queue));
	for (const struct memory_job *j = q->jobs; j; j = j->next) {
		out->ready += j->job.state == JOB_READY;
		out->scheduled += j->job.state == JOB_SCHEDULED || j->job.state == JOB_RETRYING;
		out->running += j->job.state == JOB_RUNNING;
		out->waiting += j->job.state == JOB_WAITING;
		out->dead += j->job.state == JOB_DEAD;
	}
	for (const struct memory_worker *w = q->workers; w; w = w->next)
		out->workers += w->alive_until > now;
	out->done_total = q->done;
	out->paused_at = q->paused_at;
}

int memory_counts(struct queue *base, struct queue_counts *out, int max, struct err *e)
{
	struct memory_store *s = ((struct memory_handle *)base)->store;
	int64_t now = clock_now_ms();
	int n = 0;

	UNUSED(e);
	memory_enter(s);
	for (struct memory_queue *q = s->queues; q && n < max; q = q->next) {
		memory_purge(q, now);
		count_queue(q, now, &out[n++]);
	}
	memory_leave(s);
	return n;
}

/* A waiting link asks by itself what is ready; the others are woken one by one, as each passes it on. */
bool memory_pause(struct queue *base, const char *queue, bool paused, struct err *e)
{
	struct memory_store *s = ((struct memory_handle *)base)->store;
	struct memory_queue *q;

	UNUSED(e);
	memory_enter(s);
	q = memory_queue_of(s, queue, true);
	if (!paused)
		q->paused_at = 0;
	else if (!q->paused_at)
		q->paused_at = clock_now_ms();
	for (const struct memory_lane *l = q->lanes; l && !paused; l = l->next)
		if (l->jobs)
			memory_wake(s, q->name, l->kind);
	memory_leave(s);
	return true;
}

static bool waits_in(const struct memory_job *j, enum job_state state)
{
	return j->job.state == state || (state == JOB_SCHEDULED && j->job.state == JOB_RETRYING);
}

static struct memory_job *oldest_in(const struct memory_queue *q, enum job_state state)
{
	struct memory_job *oldest = NULL;

	for (struct memory_job *j = q->jobs; j; j = j->next)
		if (waits_in(j, state))
			oldest = j;
	return oldest;
}

int memory_purge_jobs(struct queue *base, const char *queue, enum job_state state, int limit, int64_t *left_out, struct err *e)
{
	struct memory_store *s = ((struct memory_handle *)base)->store;
	struct memory_queue *q;
	struct memory_job *j;
	int cancelled = 0;

	UNUSED(e);
	*left_out = 0;
	memory_enter(s);
	q = memory_queue_of(s, queue, false);
	for (; q && cancelled < limit && (j = oldest_in(q, state)); cancelled++)
		memory_cancel(s, q, j, &base->options, clock_now_ms());
	for (j = q ? q->jobs : NULL; j; j = j->next)
		*left_out += waits_in(j, state);
	memory_leave(s);
	return cancelled;
}
