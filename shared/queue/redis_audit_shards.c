/* redis_audit_shards.c -- which shards a look goes through; those that nobody serves any more but somebody waits for; and setting it right. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "queue/redis_audit.h"

static void shard_begin(struct audit_shard *s, const struct redis_queue *q, struct queue_look *l, size_t nth, int number)
{
	struct buf tag = {0};

	redis_key(&tag, q->head.options.namespace_, l->queue, number, "");
	*s = (struct audit_shard){.look = l, .nth = nth, .number = number, .slot = redis_slot(tag.data, tag.len)};
	snprintf(s->tag, sizeof(s->tag), "%s", buf_text(&tag));
	buf_close(&tag);
}

/* Did the question how many shards there are fail over what stands in Redis? */
static bool is_damage(const struct err *e)
{
	return e->code == ERR_CORRUPT || redis_wrong_type(e) || (e->code == ERR_INTERNAL && strstr(e->text, "user_function"));
}

/* Each by itself. One that does not say how many shards it has must not hide the others. */
static bool shards_one_by_one(struct redis_queue *q, struct queue_look *const *looks, size_t n, struct queue_shards *out, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		struct queue_finding f = {.fault = FAULT_SHARDS};

		if (redis_shards_now(q, looks[i]->queue, &out[i], e))
			continue;
		if (!is_damage(e))
			return false;
		if (!redis_wrong_type(e)) /* which is told of as such */
			queue_look_add(looks[i], &f, "%s: the fields sh and sp of {%s:%s:0}:n do not say how many shards it has",
			        looks[i]->queue, q->head.options.namespace_, looks[i]->queue);
		out[i] = (struct queue_shards){.put = 0, .serve = 1}; /* which no queue has: it is not known */
	}
	return true;
}

static bool count_shards(struct redis_queue *q, struct queue_look *const *looks, size_t n, struct queue_shards *out, struct err *e)
{
	char(*queues)[JOB_NAME] = mem_array(n + 1, sizeof(*queues));
	bool ok;

	for (size_t i = 0; i < n; i++)
		memcpy(queues[i], looks[i]->queue, sizeof(queues[i]));
	ok = redis_shards_of_all(q, (const char(*)[JOB_NAME])queues, n, out, e);
	if (!ok && is_damage(e))
		ok = shards_one_by_one(q, looks, n, out, e);
	mem_free(&queues);
	return ok;
}

/* ---- shards that nobody serves ---------------------------------------------------------------------------------------- */

/* 1 somebody waits for what it holds, or it cannot even be counted; 0 not; -1 failed. */
static int is_needed(struct redis_queue *q, const char *queue, int shard, struct err *e)
{
	int empty = redis_shard_empty(q, queue, shard, e);

	return empty < 0 && !is_damage(e) ? -1 : empty != 1;
}

static bool judge_unserved(struct redis_queue *q, const struct audit_shard *s, int serve, struct err *e)
{
	struct queue_finding f = {.fault = FAULT_SHARDS, .shard = s->number};
	int needed = is_needed(q, s->look->queue, s->number, e);

	if (needed > 0)
		queue_look_add(s->look, &f, "%s: shard %d is not empty, but only %d of its shards are served: what is there never runs",
		        s->look->queue, s->number, serve);
	return needed >= 0;
}

static void ask_whether_there(struct redis_cmd *cmd, const struct audit_shard *s)
{
	struct buf key = {0};

	buf_addf(&key, "%s:n", s->tag);
	*cmd = (struct redis_cmd){.slot = s->slot + 1};
	redis_cmd_adds(cmd, "EXISTS");
	redis_cmd_adds(cmd, buf_text(&key));
	buf_close(&key);
}

/* All shards that there may be beyond those served. One that was let go keeps its counters, so that most of those that exist are empty. */
static bool look_beyond(struct redis_queue *q, struct queue_look *const *looks, size_t n, const struct queue_shards *shards, struct err *e)
{
	size_t room = n * QUEUE_SHARDS_MAX + 1, asked = 0;
	struct audit_shard *beyond = mem_array(room, sizeof(*beyond));
	struct redis_cmd *cmds = mem_array(room, sizeof(*cmds));
	struct redis_reply **r = mem_array(room, sizeof(struct redis_reply *));
	bool ok;

	for (size_t i = 0; i < n; i++)
		for (int k = shards[i].serve; looks[i]->deep && shards[i].put && k < QUEUE_SHARDS_MAX; k++) {
			shard_begin(&beyond[asked], q, looks[i], i, k);
			ask_whether_there(&cmds[asked], &beyond[asked]);
			asked++;
		}
	ok = redis_call_many(q, cmds, asked, r, e);
	for (size_t i = 0; i < asked; i++) {
		int64_t there = 0;

		if (ok && redis_reply_int(r[i], &there) && there)
			ok = judge_unserved(q, &beyond[i], shards[beyond[i].nth].serve, e);
		redis_cmd_close(&cmds[i]);
		redis_reply_close(&r[i]);
	}
	mem_free(&beyond);
	mem_free(&cmds);
	mem_free(&r);
	return ok;
}

/* So many have to be served at the least; -1 failed. */
static int count_needed(struct redis_queue *q, const char *queue, struct err *e)
{
	for (int shard = QUEUE_SHARDS_MAX - 1; shard > 0; shard--) {
		int needed = is_needed(q, queue, shard, e);

		if (needed)
			return needed < 0 ? -1 : shard + 1;
	}
	return 1;
}

/* Those that are served again are as open as the first. */
static bool open_alike(struct redis_queue *q, const char *queue, int needed, struct err *e)
{
	struct queue_counts c = {0};
	bool ok = redis_count_shard(q, queue, 0, &c, e);

	for (int i = 1; ok && i < needed; i++)
		ok = redis_gate_like(q, queue, i, c.paused_at != 0, c.draining_at != 0, e);
	return ok;
}

int redis_mend_shards(struct redis_queue *q, const char *queue, char why_out[200], struct err *e)
{
	struct queue_finding wanted = {.fault = FAULT_SHARDS}; /* of the queue: shard 0 says how many there are */
	int needed = count_needed(q, queue, e), done;

	if (needed < 0)
		return -1;
	snprintf(wanted.at, sizeof(wanted.at), "%d", needed);
	done = redis_mend_one(q, queue, &wanted, false, why_out, e);
	redis_forget_shards(q, queue);
	return done > 0 && !open_alike(q, queue, needed, e) ? -1 : done;
}

/* ---- all that are looked at -------------------------------------------------------------------------------------------- */

struct audit_shard *redis_shards_of(struct redis_queue *q, struct queue_look *const *looks, size_t n, size_t *n_out, struct err *e)
{
	struct queue_shards *shards = mem_array(n + 1, sizeof(*shards));
	bool ok = count_shards(q, looks, n, shards, e);
	struct audit_shard *out = NULL;

	*n_out = 0;
	for (size_t i = 0; ok && i < n; i++)
		*n_out += (size_t)shards[i].serve;
	ok = ok && look_beyond(q, looks, n, shards, e);
	if (ok)
		out = mem_array(*n_out + 1, sizeof(*out));
	for (size_t i = 0, at = 0; ok && i < n; i++)
		for (int k = 0; k < shards[i].serve; k++)
			shard_begin(&out[at++], q, looks[i], i, k);
	mem_free(&shards);
	return out;
}
