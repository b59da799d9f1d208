/* redis_control.c -- whole queues in Redis: what stands in them, pausing and purging them. */
#include <string.h>

#include "base/mem.h"
#include "queue/redis_private.h"

/* ---- counts ---------------------------------------------------------------------------------------------------- */

static bool read_counts(const struct redis_reply *r, struct queue_counts *out)
{
	int64_t *const fields[] = {&out->ready, &out->scheduled, &out->running, &out->waiting, &out->dead, &out->done_total, &out->workers,
	        &out->paused_at, &out->parked, &out->bytes, &out->draining_at, &out->beside};

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (!redis_reply_int(redis_reply_at(r, i), fields[i]))
			return false;
	return true;
}

bool redis_count_shard(struct redis_queue *q, const char *queue, int shard, struct queue_counts *out, struct err *e)
{
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	bool ok;

	redis_fcall(&cmd, &q->head.options, "counts", queue, shard);
	ok = redis_call(q, &cmd, true, &r, e);
	redis_cmd_close(&cmd);
	if (ok && !read_counts(r, out))
		ok = redis_bad_reply(e, "counts");
	redis_reply_close(&r);
	return ok;
}

/* A worker serves all shards, so it is not counted for each; a queue is paused as its first shard is. */
static void add_counts(struct queue_counts *sum, const struct queue_counts *c, bool first)
{
	if (first) {
		sum->paused_at = c->paused_at;
		sum->draining_at = c->draining_at;
	}
	sum->ready += c->ready;
	sum->scheduled += c->scheduled;
	sum->running += c->running;
	sum->waiting += c->waiting;
	sum->dead += c->dead;
	sum->done_total += c->done_total;
	sum->parked += c->parked;
	sum->bytes += c->bytes;
	sum->beside += c->beside;
	sum->workers = c->workers > sum->workers ? c->workers : sum->workers;
}

bool redis_counts(struct queue *base, const char (*queues)[JOB_NAME], size_t n, struct queue_counts *out, struct err *e)
{
	struct redis_spread s;

	if (!redis_spread_ask((struct redis_queue *)base, "counts", NULL, queues, n, &s, e))
		return false;
	for (size_t i = 0; i < n; i++)
		memcpy(out[i].queue, queues[i], JOB_NAME);
	bool ok = true;
	for (size_t i = 0; ok && i < s.n; i++) {
		struct queue_counts *sum = &out[s.places[i].queue], c = {0};

		ok = read_counts(s.answers[i], &c) || redis_bad_reply(e, "counts");
		add_counts(sum, &c, s.places[i].shard == 0);
		sum->shards = s.places[i].put;
	}
	redis_spread_close(&s);
	return ok;
}

/* The members of the registry of queues; false: it is none of ours. */
static bool read_names(const struct redis_reply *r, char (*out)[JOB_NAME])
{
	for (size_t i = 0; i < redis_reply_count(r); i++) {
		const char *queue = redis_reply_text(redis_reply_at(r, i), NULL);

		if (!job_queue_ok(queue) || !str_copy(out[i], JOB_NAME, queue))
			return false;
	}
	return true;
}

int redis_names(struct queue *base, char (**out)[JOB_NAME], struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	struct buf key = {0};
	size_t n = 0;
	bool ok;

	buf_addf(&key, "%s:queues", q->head.options.namespace_);
	redis_cmd_adds(&cmd, "SMEMBERS");
	redis_cmd_adds(&cmd, key.data);
	ok = redis_call(q, &cmd, true, &r, e);
	if (ok)
		n = redis_reply_count(r);
	*out = n > 0 ? mem_array(n, sizeof(**out)) : NULL;
	ok = ok && (read_names(r, *out) || redis_bad_reply(e, "SMEMBERS"));
	if (!ok)
		mem_free(out);
	buf_close(&key);
	redis_cmd_close(&cmd);
	redis_reply_close(&r);
	return ok ? (int)n : -1;
}

/* ---- pausing --------------------------------------------------------------------------------------------------- */

static bool gate_shard(struct redis_queue *q, const char *queue, int shard, enum queue_gate gate, struct err *e)
{
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	int64_t done;
	bool ok;

	redis_fcall(&cmd, &q->head.options, "pause", queue, shard);
	redis_cmd_addi(&cmd, gate);
	ok = redis_call(q, &cmd, true, &r, e);
	redis_cmd_close(&cmd);
	if (ok && (!redis_reply_int(r, &done) || done != 1))
		ok = redis_bad_reply(e, "pause");
	redis_reply_close(&r);
	return ok;
}

bool redis_gate_like(struct redis_queue *q, const char *queue, int shard, bool paused, bool drains, struct err *e)
{
	return gate_shard(q, queue, shard, GATE_OPEN, e) && (!paused || gate_shard(q, queue, shard, GATE_PAUSE, e)) &&
	       (!drains || gate_shard(q, queue, shard, GATE_DRAIN, e));
}

/* Shard 0 first: who raises the number of shards looks there. */
bool redis_gate(struct queue *base, const char *queue, enum queue_gate gate, struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	struct queue_shards n;

	if (!redis_register_queue(q, queue, e) || !gate_shard(q, queue, 0, gate, e))
		return false;
	if (!redis_shards_now(q, queue, &n, e))
		return false;
	for (int i = 1; i < n.serve; i++)
		if (!gate_shard(q, queue, i, gate, e))
			return false;
	return true;
}

/* ---- purging --------------------------------------------------------------------------------------------------- */

static int purge_shard(
        struct redis_queue *q, const char *queue, int shard, enum job_state state, int limit, int64_t *left_out, struct err *e)
{
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	int64_t cancelled = -1;
	bool ok;

	redis_fcall(&cmd, &q->head.options, "purge", queue, shard);
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

int redis_purge(struct queue *base, const char *queue, enum job_state state, int limit, int64_t *left_out, struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	struct queue_shards n;
	int cancelled = 0;

	*left_out = 0;
	if (!redis_shards_now(q, queue, &n, e))
		return -1;
	for (int i = 0; i < n.serve; i++) {
		int64_t left = 0;
		int got = purge_shard(q, queue, i, state, limit - cancelled, &left, e);

		if (got < 0)
			return -1;
		cancelled += got;
		*left_out += left;
	}
	return cancelled;
}
