/* redis_control.c -- whole queues in Redis: what stands in them, pausing and purging them. */
#include "base/mem.h"
#include "queue/redis_private.h"

/* ---- counts ---------------------------------------------------------------------------------------------------- */

static bool count_one(struct redis_queue *q, const char *queue, struct queue_counts *out, struct err *e)
{
	int64_t *const fields[] = {&out->ready, &out->scheduled, &out->running, &out->waiting, &out->dead, &out->done_total, &out->workers,
	        &out->paused_at, &out->parked, &out->bytes};
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	bool ok = str_copy(out->queue, sizeof(out->queue), queue);

	if (!ok)
		return redis_bad_reply(e, "SMEMBERS");
	redis_fcall(&cmd, &q->head.options, "counts", queue, 0);
	ok = redis_call(q, &cmd, true, &r, e);
	redis_cmd_close(&cmd);
	if (!ok)
		return false;
	for (size_t i = 0; ok && i < ARRAY_LEN(fields); i++)
		ok = redis_reply_int(redis_reply_at(r, i), fields[i]);
	redis_reply_close(&r);
	return ok || redis_bad_reply(e, "counts");
}

int redis_names(struct queue *base, char (*out)[JOB_NAME], int max, struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	struct buf key = {0};
	int n = 0;
	bool ok;

	buf_addf(&key, "%s:queues", q->head.options.namespace_);
	redis_cmd_adds(&cmd, "SMEMBERS");
	redis_cmd_adds(&cmd, key.data);
	ok = redis_call(q, &cmd, true, &r, e);
	for (size_t i = 0; ok && i < redis_reply_count(r) && n < max; i++) {
		const char *queue = redis_reply_text(redis_reply_at(r, i), NULL);

		ok = (job_queue_ok(queue) && str_copy(out[n++], JOB_NAME, queue)) || redis_bad_reply(e, "SMEMBERS");
	}
	buf_close(&key);
	redis_cmd_close(&cmd);
	redis_reply_close(&r);
	return ok ? n : -1;
}

int redis_counts(struct queue *base, struct queue_counts *out, int max, struct err *e)
{
	char(*names)[JOB_NAME] = mem_array(max > 0 ? (size_t)max : 1, sizeof(*names));
	int n = redis_names(base, names, max, e);
	bool ok = n >= 0;

	for (int i = 0; ok && i < n; i++)
		ok = count_one((struct redis_queue *)base, names[i], &out[i], e);
	mem_free(&names);
	return ok ? n : -1;
}

/* ---- pausing --------------------------------------------------------------------------------------------------- */

bool redis_pause(struct queue *base, const char *queue, bool paused, struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	int64_t done;
	bool ok;

	if (!redis_register_queue(q, queue, e))
		return false;
	redis_fcall(&cmd, &q->head.options, "pause", queue, 0);
	redis_cmd_addi(&cmd, paused);
	ok = redis_call(q, &cmd, true, &r, e);
	redis_cmd_close(&cmd);
	if (ok && (!redis_reply_int(r, &done) || done != 1))
		ok = redis_bad_reply(e, "pause");
	redis_reply_close(&r);
	return ok;
}

/* ---- purging --------------------------------------------------------------------------------------------------- */

int redis_purge(struct queue *base, const char *queue, enum job_state state, int limit, int64_t *left_out, struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	int64_t cancelled = -1;
	bool ok;

	redis_fcall(&cmd, &q->head.options, "purge", queue, 0);
	redis_cmd_addi(&cmd, state);
	redis_cmd_addi(&cmd, limit);
	ok = redis_call(q, &cmd, false, &r, e);
	redis_cmd_close(&cmd);
	if (ok && (!redis_reply_int(redis_reply_at(r, 0), &cancelled) || !redis_reply_int(redis_reply_at(r, 1), left_out) ||
	                  cancelled < 0 || cancelled > limit))
		ok = redis_bad_reply(e, "purge");
	redis_reply_close(&r);
	return ok ? (int)cancelled : -1;
}
