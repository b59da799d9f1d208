/* redis_shards.c -- the parts of a queue in Redis: how many there are, which one a job goes to, and pages over all of them. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/failpoint.h"
#include "base/mem.h"
#include "base/time.h"
#include "queue/redis_private.h"

#define FRESH_MS 3000 /* a third of FORGET in 76_shards.lua */

/* ---- how many ---------------------------------------------------------------------------------------------------- */

/* What shard 0 says, see shards.number in 76_shards.lua. */
struct told {
	struct queue_shards n;
	int64_t before, gates, since, settled;
};

static void ask_write(struct redis_cmd *cmd, const struct redis_queue *q, const char *queue, int wanted, const char *act, int64_t since)
{
	redis_fcall(cmd, &q->head.options, "shards", queue, 0);
	redis_cmd_addi(cmd, wanted);
	redis_cmd_adds(cmd, act);
	redis_cmd_addi(cmd, since);
}

static bool answer_read(const struct redis_reply *r, struct told *out, struct err *e)
{
	int64_t put, serve;

	if (!redis_reply_int(redis_reply_at(r, 0), &put) || !redis_reply_int(redis_reply_at(r, 1), &serve) ||
	        !redis_reply_int(redis_reply_at(r, 2), &out->before) || !redis_reply_int(redis_reply_at(r, 3), &out->gates) ||
	        !redis_reply_int(redis_reply_at(r, 4), &out->since) || !redis_reply_int(redis_reply_at(r, 5), &out->settled) || put < 1 ||
	        put > serve || serve > QUEUE_SHARDS_MAX)
		return redis_bad_reply(e, "shards");
	out->n = (struct queue_shards){(int)put, (int)serve};
	return true;
}

static bool ask(struct redis_queue *q, const char *queue, int wanted, const char *act, int64_t since, struct told *out, struct err *e)
{
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	bool ok;

	ask_write(&cmd, q, queue, wanted, act, since);
	ok = redis_call(q, &cmd, true, &r, e) && answer_read(r, out, e);
	redis_cmd_close(&cmd);
	redis_reply_close(&r);
	return ok;
}

static bool gate_all(struct redis_queue *q, const char *queue, int from, int to, int64_t gates, struct err *e)
{
	bool ok = true;

	for (int i = from; ok && i < to; i++)
		ok = redis_gate_like(q, queue, i, gates & 1, gates & 2, e);
	return ok;
}

/* Those that are served from now on are as open as the queue, from the first moment on: who does it may be killed at any. And again, when the
 * queue was closed or opened, or some were let go, in between. */
static bool raise_to(struct redis_queue *q, const char *queue, int wanted, const char *act, struct told *out, struct err *e)
{
	struct told first;

	if (!ask(q, queue, 0, "", 0, &first, e) || !gate_all(q, queue, first.n.serve, wanted, first.gates, e) ||
	        !ask(q, queue, wanted, act, 0, out, e))
		return false;
	FAILPOINT("shards_raised");
	return (out->gates == first.gates && out->before >= first.n.serve) ||
	       gate_all(q, queue, (int)out->before, out->n.serve, out->gates, e);
}

/* A new one, or that of the queue that was asked for least lately. */
static struct redis_shards *slot_to_take(struct redis_queue *q)
{
	struct redis_shards *oldest = &q->shards[0];

	if (q->n_shards < REDIS_KNOWN_MAX)
		return &q->shards[q->n_shards++];
	for (size_t i = 1; i < q->n_shards; i++)
		if (q->shards[i].asked_at < oldest->asked_at)
			oldest = &q->shards[i];
	return oldest;
}

static struct redis_shards *slot_of(struct redis_queue *q, const char *queue)
{
	struct redis_shards *s;

	for (size_t i = 0; i < q->n_shards; i++)
		if (str_eq(q->shards[i].queue, queue))
			return &q->shards[i];
	s = slot_to_take(q);
	memset(s, 0, sizeof(*s));
	snprintf(s->queue, sizeof(s->queue), "%s", queue);
	return s;
}

void redis_forget_shards(struct redis_queue *q, const char *queue)
{
	slot_of(q, queue)->asked_at = 0;
}

/* So many it has, as was asked at `now`: raise them if need be, and remember them. */
static bool learn(struct redis_queue *q, const char *queue, int64_t now, struct told *t, struct queue_shards *out, struct err *e)
{
	int wanted = q->head.options.shards;
	struct redis_shards *known;

	if (wanted > t->n.put && !raise_to(q, queue, wanted, "raise", t, e))
		return false;
	known = slot_of(q, queue);
	*out = known->n = t->n;
	known->unsettled = t->settled != t->n.put;
	known->asked_at = now;
	return true;
}

bool redis_shards(struct redis_queue *q, const char *queue, struct queue_shards *out, struct err *e)
{
	const struct redis_shards *known = slot_of(q, queue);
	int64_t now = clock_mono_ms();
	struct told told;

	*out = known->n;
	if (known->asked_at && now - known->asked_at < FRESH_MS)
		return true;
	return ask(q, queue, 0, "", 0, &told, e) && learn(q, queue, now, &told, out, e);
}

bool redis_shards_now(struct redis_queue *q, const char *queue, struct queue_shards *out, struct err *e)
{
	redis_forget_shards(q, queue);
	return redis_shards(q, queue, out, e);
}

/* The schedules of a queue where they belong among so many shards; noted, unless there are more or fewer meanwhile. */
static bool settle(struct redis_queue *q, const char *queue, int put, struct err *e)
{
	struct told told;

	return redis_schedules_settle(q, queue, e) && ask(q, queue, put, "settled", 0, &told, e);
}

bool redis_spread_schedules(struct redis_queue *q, const char *queue, struct err *e)
{
	struct queue_shards n;

	if (!redis_shards(q, queue, &n, e))
		return false;
	return !slot_of(q, queue)->unsettled || settle(q, queue, n.put, e);
}

bool redis_shards_of_all(struct redis_queue *q, const char (*queues)[JOB_NAME], size_t n, struct queue_shards *out, struct err *e)
{
	struct redis_cmd *cmds = mem_array(n ? n : 1, sizeof(*cmds));
	struct redis_reply **answers = mem_array(n ? n : 1, sizeof(*answers));
	int64_t now = clock_mono_ms();
	struct told told;
	bool ok;

	for (size_t i = 0; i < n; i++)
		ask_write(&cmds[i], q, queues[i], 0, "", 0);
	ok = redis_call_many(q, cmds, n, answers, e);
	for (size_t i = 0; ok && i < n; i++)
		ok = answer_read(answers[i], &told, e) && learn(q, queues[i], now, &told, &out[i], e);
	for (size_t i = 0; i < n; i++) {
		redis_cmd_close(&cmds[i]);
		redis_reply_close(&answers[i]);
	}
	mem_free(&cmds);
	mem_free(&answers);
	return ok;
}

int redis_shard_empty(struct redis_queue *q, const char *queue, int shard, struct err *e)
{
	struct queue_counts c = {0};

	if (!redis_count_shard(q, queue, shard, &c, e))
		return -1;
	return c.ready + c.parked + c.scheduled + c.running + c.waiting + c.dead + c.beside == 0;
}

/* Nobody sweeps there any more: what has ended is made to vanish by itself. */
static bool settle_ended(struct redis_queue *q, const char *queue, int shard, const char *list, struct err *e)
{
	int64_t looked = QUEUE_BATCH_MAX;
	bool ok = true;

	for (int64_t from = 0; ok && looked == QUEUE_BATCH_MAX; from += looked) {
		struct redis_cmd cmd = {0};
		struct redis_reply *r = NULL;

		redis_fcall(&cmd, &q->head.options, "let_go", queue, shard);
		redis_cmd_adds(&cmd, list);
		redis_cmd_addi(&cmd, from);
		ok = redis_call(q, &cmd, true, &r, e) && (redis_reply_int(r, &looked) || redis_bad_reply(e, "let_go"));
		redis_cmd_close(&cmd);
		redis_reply_close(&r);
	}
	return ok;
}

/* Lets go of those beyond `put`, if nobody says meanwhile that he needs one. */
static bool drop_empty(struct redis_queue *q, const char *queue, struct told *t, struct err *e)
{
	int empty = 1;

	for (int i = t->n.put; i < t->n.serve && empty == 1; i++)
		empty = redis_shard_empty(q, queue, i, e);
	if (empty < 0)
		return false;
	for (int i = t->n.put; empty && i < t->n.serve; i++)
		if (!settle_ended(q, queue, i, "a", e) || !settle_ended(q, queue, i, "o", e))
			return false;
	if (!empty || !ask(q, queue, t->n.put, "drop", t->since, t, e))
		return !empty;
	for (int i = t->n.put; i < t->n.serve; i++) /* somebody needs it after all: what it lists is to stay */
		if (!redis_gate_like(q, queue, i, t->gates & 1, t->gates & 2, e))
			return false;
	return true;
}

bool redis_set_shards(struct queue *base, const char *queue, int wanted, struct queue_shards *out, struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	struct told told;
	bool ok;

	redis_forget_shards(q, queue);
	if (!wanted)
		return redis_shards(q, queue, out, e);
	ok = redis_register_queue(q, queue, e) && raise_to(q, queue, wanted, "set", &told, e);
	redis_forget_shards(q, queue);
	ok = ok && settle(q, queue, told.n.put, e);
	if (ok && told.since)
		ok = drop_empty(q, queue, &told, e);
	redis_forget_shards(q, queue);
	if (ok)
		*out = told.n;
	return ok;
}

/* 1 it is there, and *ended_out; 0, -1. */
static int look_up(struct redis_queue *q, const char *id, bool *ended_out, struct err *e)
{
	struct job j;
	int got = q->head.driver->show(&q->head, id, &j, e);

	*ended_out = got == 1 && job_state_is_end(j.state);
	if (got == 1)
		job_close(&j);
	return got;
}

/* Is this one of those that take no new jobs? */
static int is_left(struct redis_queue *q, const char *queue, int shard, struct err *e)
{
	struct queue_shards n;

	if (!shard)
		return 0;
	return redis_shards(q, queue, &n, e) ? shard >= n.put : -1;
}

bool redis_keep_shard(struct redis_queue *q, const char *queue, int shard, struct err *e)
{
	int left = is_left(q, queue, shard, e);
	struct told told;

	if (left <= 0 || shard >= QUEUE_SHARDS_MAX) /* there never were so many */
		return left >= 0;
	redis_forget_shards(q, queue);
	return raise_to(q, queue, shard + 1, "keep", &told, e);
}

static bool keep_for(struct redis_queue *q, const char *id, bool new, struct err *e)
{
	char queue[JOB_NAME];
	int shard, left, got;
	bool ended;

	if (!job_id_parse(id, queue, &shard))
		return err_set(e, ERR_INVALID, "%.60s is no id of a job", id);
	left = is_left(q, queue, shard, e);
	if (left <= 0)
		return left == 0;
	got = look_up(q, id, &ended, e);
	if (got < 0)
		return false;
	return (new ? ended : !got) || redis_keep_shard(q, queue, shard, e);
}

bool redis_keep_shard_of(struct redis_queue *q, const char *id, struct err *e)
{
	return keep_for(q, id, false, e);
}

bool redis_keep_shard_for(struct redis_queue *q, const char *id, struct err *e)
{
	return keep_for(q, id, true, e);
}

bool redis_keep_shard_late(struct redis_queue *q, const char *queue, int shard, struct err *e)
{
	bool late = clock_mono_ms() - slot_of(q, queue)->asked_at >= FRESH_MS;

	return !shard || !late || redis_keep_shard(q, queue, shard, e);
}

/* ---- which one --------------------------------------------------------------------------------------------------- */

static uint64_t hash_of(const char *key)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (; *key; key++)
		h = (h ^ (unsigned char)*key) * UINT64_C(0x100000001b3);
	return h;
}

/* Jump consistent hash (Lamping, Veach): when a shard is added, only what goes to the new one moves. */
static int jump(uint64_t key, int n)
{
	int64_t at = -1, next = 0;

	while (next < n) {
		at = next;
		key = key * UINT64_C(2862933555777941757) + 1;
		next = (int64_t)((double)(at + 1) * ((double)(INT64_C(1) << 31) / (double)((key >> 33) + 1)));
	}
	return (int)at;
}

static bool is_set(const char *s)
{
	return s && s[0];
}

/* What must be together goes by its key; false: it has none. */
static bool key_hash(const struct queue_submission *s, bool of_flow, uint64_t *out)
{
	/* A job of a flow has no unique key; its root's idempotency key is reserved for whatever id it has. */
	const char *const keys[] = {
	        s->concurrency_key, s->rate.key, of_flow ? NULL : s->unique_key, s->lane, of_flow ? NULL : s->idempotency_key};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (is_set(keys[i])) {
			*out = hash_of(keys[i]);
			return true;
		}
	return false;
}

int redis_shard_of_keys(const struct queue_submission *s, const char *otherwise, int shards)
{
	uint64_t hash = hash_of(otherwise);

	key_hash(s, false, &hash);
	return jump(hash, shards);
}

/* All else in turn, a call's jobs together. */
bool redis_place(struct redis_queue *q, struct queue_submission *s, struct err *e)
{
	struct queue_shards n;
	uint64_t chance, hash;

	if (s->id[0])
		return true;
	if (!redis_shards(q, s->queue, &n, e))
		return false;
	digest_random(&chance, sizeof(chance));
	job_id_make(
	        s->id, s->queue, key_hash(s, false, &hash) ? jump(hash, n.put) : (int)(q->turn % (unsigned)n.put), clock_now_ms(), chance);
	return true;
}

int redis_flow_shard(struct queue *base, const struct queue_submission *s, const char *root, struct err *e)
{
	struct queue_shards n;
	uint64_t hash = hash_of(queue_tail(root));

	if (!redis_shards((struct redis_queue *)base, s->queue, &n, e))
		return -1;
	key_hash(s, true, &hash);
	return jump(hash, n.put);
}

/* ---- idempotency keys across shards ------------------------------------------------------------------------------ */

#define FLOW_KEPT (30 * TIME_DAY) /* a flow may take long; KEY_BACKSTOP in 10_base.lua */

struct holder {
	char id[JOB_ID];
	bool same; /* the fingerprint */
};

static bool reserve(struct redis_queue *q, const struct queue_submission *s, const char *from, struct holder *out, struct err *e)
{
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	const char *fingerprint = s->fingerprint ? s->fingerprint : "", *found, *text;
	int64_t after = s->held ? FLOW_KEPT : TIME_DAY + (s->delay_ms > 0 ? s->delay_ms : 0);
	bool ok;

	redis_fcall(&cmd, &q->head.options, "reserve", s->queue, 0);
	redis_cmd_adds(&cmd, s->idempotency_key);
	redis_cmd_adds(&cmd, s->id);
	redis_cmd_adds(&cmd, fingerprint);
	redis_cmd_addi(&cmd, q->head.options.result_ttl_ms + after);
	redis_cmd_adds(&cmd, from);
	ok = redis_call(q, &cmd, true, &r, e);
	redis_cmd_close(&cmd);
	found = redis_reply_text(redis_reply_at(r, 0), NULL);
	text = redis_reply_text(redis_reply_at(r, 1), NULL);
	if (ok && (!found || !text || !str_copy(out->id, JOB_ID, found)))
		ok = redis_bad_reply(e, "reserve");
	out->same = ok && str_eq(text, fingerprint);
	redis_reply_close(&r);
	return ok;
}

int redis_reserve(struct redis_queue *q, struct queue_submission *s, struct queue_submitted *out, struct err *e)
{
	struct holder h;
	bool ended;
	int there;

	if (!reserve(q, s, "", &h, e))
		return -1;
	if (!h.same) {
		there = look_up(q, h.id, &ended, e);
		*out = (struct queue_submitted){.outcome = SUBMIT_MISMATCH};
		memcpy(out->existing_id, h.id, JOB_ID);
		if (there)
			return there < 0 ? -1 : 0;
		if (!reserve(q, s, h.id, &h, e)) /* its job is gone, and so is its hold on the key */
			return -1;
		if (!h.same)
			return 0; /* somebody else was quicker */
	}
	memcpy(s->id, h.id, JOB_ID);
	return 1;
}

int redis_reserve_if_spread(struct redis_queue *q, struct queue_submission *s, struct queue_submitted *out, struct err *e)
{
	struct queue_shards n;

	if (!is_set(s->idempotency_key))
		return 1;
	if (!redis_shards(q, s->queue, &n, e))
		return -1;
	return n.serve == 1 ? 1 : redis_reserve(q, s, out, e);
}

/* ---- pages ------------------------------------------------------------------------------------------------------- */

bool redis_cursor_split(const char *cursor, int *shard_out, char rest_out[64], struct err *e)
{
	const char *colon = cursor[0] == 'S' ? strchr(cursor, ':') : NULL;
	char number[8];
	int64_t shard = 0;

	if (colon && (!str_copy_n(number, sizeof(number), cursor + 1, (size_t)(colon - cursor - 1)) ||
	                     !str_int(number, 0, QUEUE_SHARDS_MAX - 1, &shard)))
		return err_set(e, ERR_INVALID, "that is no cursor of ours");
	*shard_out = (int)shard;
	return str_copy(rest_out, 64, colon ? colon + 1 : cursor) || err_set(e, ERR_INVALID, "that is no cursor of ours");
}

bool redis_cursor_write(char out[64], int shard, const char *rest, struct err *e)
{
	char text[80];

	if (shard)
		snprintf(text, sizeof(text), "S%d:%s", shard, rest);
	else
		snprintf(text, sizeof(text), "%s", rest);
	return str_copy(out, 64, text) || err_set(e, ERR_CORRUPT, "the place in the list is too long for a cursor");
}

bool redis_cursor_join(char out[64], int shard, int shards, const char *rest, struct err *e)
{
	out[0] = '\0';
	if (rest[0])
		return redis_cursor_write(out, shard, rest, e);
	return shard + 1 >= shards || redis_cursor_write(out, shard + 1, "", e);
}
