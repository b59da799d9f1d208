/* redis_history.c -- ends on their way into the history, as Redis keeps them. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "queue/redis_private.h"

static void history_call(struct redis_cmd *c, const struct redis_queue *q, const char *function, const struct history_writer *w)
{
	redis_fcall(c, &q->head.options, function, w->queue, w->shard);
	redis_cmd_adds(c, w->name);
}

static bool call(struct queue *base, struct redis_cmd *cmd, struct redis_reply **out, struct err *e)
{
	/* Each may be asked again: a second drop meets another place and does nothing. */
	bool ok = redis_call((struct redis_queue *)base, cmd, true, out, e);

	redis_cmd_close(cmd);
	return ok;
}

static bool read_jobs(const struct redis_reply *r, const struct history_writer *w, struct history_batch *out, struct err *e)
{
	size_t n = redis_reply_count(r);

	if (!redis_reply_is_array(r) || n > (size_t)out->looked)
		return redis_bad_reply(e, "history_take");
	out->jobs = mem_array(n + 1, sizeof(*out->jobs));
	/* One that cannot be read is passed over: nobody could ever take what stands behind it. */
	for (size_t i = 0; i < n; i++)
		out->n += redis_record_read(redis_reply_at(r, i), w->queue, w->shard, &out->jobs[out->n], e);
	return true;
}

/* {1, place, looked, waiting, dropped, records} or {0} */
static int read_batch(const struct redis_reply *r, const struct history_writer *w, int limit, struct history_batch *out, struct err *e)
{
	int64_t ours = -1, looked = -1;

	if (!redis_reply_int(redis_reply_at(r, 0), &ours) || ours < 0 || ours > 1)
		return redis_bad_reply(e, "history_take") ? 0 : -1;
	if (!ours)
		return 0;
	if (!redis_reply_int(redis_reply_at(r, 1), &out->place) || !redis_reply_int(redis_reply_at(r, 2), &looked) || looked < 0 ||
	        looked > limit || !redis_reply_int(redis_reply_at(r, 3), &out->waiting) ||
	        !redis_reply_int(redis_reply_at(r, 4), &out->dropped))
		return redis_bad_reply(e, "history_take") ? 0 : -1;
	out->looked = (int)looked;
	return read_jobs(redis_reply_at(r, 5), w, out, e) ? 1 : -1;
}

int redis_history_take(struct queue *base, const struct history_writer *w, int limit, struct history_batch *out, struct err *e)
{
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	char what[32];

	memset(out, 0, sizeof(*out));
	snprintf(what, sizeof(what), "%c%lld", w->what == HISTORY_ALL ? 'a' : 'f', (long long)w->waiting_max);
	history_call(&cmd, (struct redis_queue *)base, "history_take", w);
	redis_cmd_addi(&cmd, limit);
	redis_cmd_adds(&cmd, what);
	int got = call(base, &cmd, &r, e) ? read_batch(r, w, limit, out, e) : -1;
	redis_reply_close(&r);
	if (got < 0)
		history_batch_close(out);
	return got;
}

int redis_history_drop(struct queue *base, const struct history_writer *w, const struct history_batch *b, struct err *e)
{
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	int64_t done = -1;

	history_call(&cmd, (struct redis_queue *)base, "history_drop", w);
	redis_cmd_addi(&cmd, b->place);
	redis_cmd_addi(&cmd, b->looked);
	bool ok = call(base, &cmd, &r, e);
	if (ok && (!redis_reply_int(r, &done) || done < 0 || done > 1))
		ok = redis_bad_reply(e, "history_drop");
	redis_reply_close(&r);
	return ok ? (int)done : -1;
}

bool redis_history_off(struct queue *base, const struct history_writer *w, struct err *e)
{
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;

	history_call(&cmd, (struct redis_queue *)base, "history_off", w);
	bool ok = call(base, &cmd, &r, e);
	redis_reply_close(&r);
	return ok;
}
