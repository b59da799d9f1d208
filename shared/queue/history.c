/* history.c -- ends on their way into the history: checks what callers pass and hands on to the driver. */
#include "queue/history.h"

#include "base/mem.h"
#include "base/str.h"
#include "queue/driver.h"

void history_batch_close(struct history_batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		job_close(&b->jobs[i]);
	mem_free(&b->jobs);
	*b = (struct history_batch){0};
}

static bool writer_ok(const struct history_writer *w, struct err *e)
{
	if (!w->name || !str_is_name(w->name, JOB_WORKER - 1, ":._-"))
		return err_set(e, ERR_INVALID, "the history's writer needs a name of at most %d letters, digits or :._-", JOB_WORKER - 1);
	if (!w->queue || !job_queue_ok(w->queue) || w->shard < 0)
		return err_set(e, ERR_INVALID, "the history's writer names no queue");
	return w->waiting_max >= 0 || err_set(e, ERR_INVALID, "the history cannot hold fewer than no ids");
}

int queue_history_take(struct queue *q, const struct history_writer *w, int limit, struct history_batch *out, struct err *e)
{
	struct history_writer filled = *w;

	*out = (struct history_batch){0};
	if (!writer_ok(w, e))
		return -1;
	if (limit < 1 || limit > QUEUE_BATCH_MAX || w->what == HISTORY_NONE)
		return err_fail(e, ERR_INVALID, "the history is taken for a reason, 1 to %d ends at a time", QUEUE_BATCH_MAX);
	if (!filled.waiting_max)
		filled.waiting_max = HISTORY_WAITING_MAX;
	return q->driver->history_take(q, &filled, limit, out, e);
}

int queue_history_drop(struct queue *q, const struct history_writer *w, const struct history_batch *b, struct err *e)
{
	if (!writer_ok(w, e))
		return -1;
	return b->looked ? q->driver->history_drop(q, w, b, e) : 1;
}

bool queue_history_off(struct queue *q, const struct history_writer *w, struct err *e)
{
	return writer_ok(w, e) && q->driver->history_off(q, w, e);
}
