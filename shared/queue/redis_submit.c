/* redis_submit.c -- submissions over Redis: one call for the whole batch. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/mem.h"
#include "queue/redis_private.h"

#define SAMPLE_EVERY_MS 1000
#define FULL_RETRY_MS   1000
#define TRIES           5 /* of a key that another request was quicker to take */

static bool plain_call(struct redis_queue *q, const char *const *words, struct redis_reply **out, struct err *e)
{
	struct redis_cmd cmd = {0};
	bool ok;

	for (; *words; words++)
		redis_cmd_adds(&cmd, *words);
	ok = redis_call(q, &cmd, true, out, e);
	redis_cmd_close(&cmd);
	return ok;
}

/* ---- the registry of queues ---------------------------------------------------------------------------------------- */

static bool is_known(const struct redis_queue *q, const char *queue)
{
	for (size_t i = 0; i < q->n_known; i++)
		if (str_eq(q->known[i], queue))
			return true;
	return false;
}

/* It lives in another slot of a cluster than the jobs, so it cannot be written by the same call; it is written before. */
bool redis_register_queue(struct redis_queue *q, const char *queue, struct err *e)
{
	struct redis_reply *r = NULL;
	struct buf key = {0};
	bool ok;

	if (is_known(q, queue))
		return true;
	buf_addf(&key, "%s:queues", q->head.options.namespace_);
	ok = plain_call(q, (const char *const[]){"SADD", key.data, queue, NULL}, &r, e);
	buf_close(&key);
	redis_reply_close(&r);
	if (ok && q->n_known < REDIS_KNOWN_MAX && str_copy(q->known[q->n_known], JOB_NAME, queue))
		q->n_known++;
	return ok;
}

/* ---- is there memory? ------------------------------------------------------------------------------------------------ */

static int64_t number_after(const char *text, const char *name)
{
	const char *at = strstr(text, name);
	char digits[24];
	int64_t v = 0;

	if (!at)
		return 0;
	at += strlen(name);
	if (!str_copy_n(digits, sizeof(digits), at, strspn(at, "0123456789")) || !str_int(digits, 0, INT64_MAX, &v))
		return 0;
	return v;
}

/* Asked at most once a second: a second's submissions do not fill the last fifth. */
static bool sample_memory(struct redis_queue *q, struct err *e)
{
	int64_t now = clock_mono_ms(), limit = q->head.options.max_bytes;
	struct redis_reply *r = NULL;
	const char *info;

	if (q->sampled_at && now - q->sampled_at < SAMPLE_EVERY_MS)
		return true;
	if (!plain_call(q, (const char *const[]){"INFO", "memory", NULL}, &r, e))
		return false;
	info = redis_reply_text(r, NULL);
	if (info && !limit)
		limit = number_after(info, "\nmaxmemory:") / 5 * 4;
	q->memory_full = info && limit && number_after(info, "used_memory:") > limit;
	q->sampled_at = now;
	redis_reply_close(&r);
	return info ? true : redis_bad_reply(e, "INFO");
}

/* ---- the call ---------------------------------------------------------------------------------------------------------- */

void redis_add_item(struct redis_cmd *c, const struct queue_submission *s)
{
	struct redis_cmd record = {0};
	char lane[JOB_KEY + 1], route[JOB_ROUTE], unique[JOB_UNIQUE];

	redis_lane(lane, s);
	redis_unique(unique, s);
	job_route(route, s->kind, s->kind_version, false);
	redis_cmd_adds(c, queue_tail(s->id));
	redis_cmd_adds(c, route);
	redis_cmd_adds(c, lane);
	redis_cmd_adds(c, s->idempotency_key);
	redis_cmd_adds(c, s->fingerprint);
	redis_cmd_adds(c, unique);
	redis_cmd_addi(c, s->unique);
	redis_cmd_adds(c, s->held ? "1" : "0");
	redis_cmd_addi(c, s->run_at_ms);
	redis_cmd_addi(c, s->delay_ms);
	redis_record_flags(c, s);
	redis_cmd_addi(c, (int64_t)redis_record_write(&record, s));
	buf_add(&c->body, record.body.data, record.body.len);
	c->args += record.args;
	redis_cmd_close(&record);
}

/* Those of a call that go to one shard. */
struct group {
	const char *queue;
	int shard;
	size_t n, at[QUEUE_BATCH_MAX];
	bool *elsewhere; /* of all items: it has to ask whose its idempotency key is */
};

#define ELSEWHERE (SUBMIT_LANE_FULL + 1) /* limits.ELSEWHERE in 70_submit.lua */

static bool read_outcome(const struct redis_reply *r, size_t i, const struct group *g, struct queue_submitted *out)
{
	size_t len = 0;
	int64_t outcome;
	const char *tail = redis_reply_text(redis_reply_at(r, 2 * i + 1), &len);

	memset(out, 0, sizeof(*out));
	if (!tail || !redis_reply_int(redis_reply_at(r, 2 * i), &outcome) || outcome < 0 || outcome > ELSEWHERE)
		return false;
	g->elsewhere[g->at[i]] = outcome == ELSEWHERE;
	if (outcome == ELSEWHERE)
		return true;
	out->outcome = (enum submit_outcome)outcome;
	out->retry_after_ms = outcome >= SUBMIT_FULL ? FULL_RETRY_MS : 0;
	return !len || queue_full_id(out->existing_id, g->queue, g->shard, tail, len);
}

static bool read_room(const struct redis_reply *r, size_t at, int64_t max, struct queue_room *out)
{
	int64_t left;

	if (!redis_reply_int(redis_reply_at(r, at), &left))
		return false;
	*out = max && left >= 0 ? (struct queue_room){max, left} : (struct queue_room){0, 0};
	return true;
}

/* Behind the outcomes: what is left. */
static bool read_rooms(const struct redis_reply *r, size_t n, const struct queue_options *o, struct queue_submitted *out)
{
	return read_room(r, 2 * n, o->max_length, &out->jobs) && read_room(r, 2 * n + 1, o->max_param_bytes, &out->bytes) &&
	       read_room(r, 2 * n + 2, o->max_lane, &out->lane);
}

static void add_room(struct redis_cmd *c, const struct queue_options *o)
{
	char text[80];

	snprintf(text, sizeof(text), "%lld %lld %lld", (long long)o->max_length, (long long)o->max_param_bytes, (long long)o->max_lane);
	redis_cmd_adds(c, text);
}

/* Asked again when the answer is lost: the ids make that harmless. */
static bool submit_group(
        struct redis_queue *q, const struct group *g, const struct queue_submission *items, struct queue_submitted *out, struct err *e)
{
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	bool ok;

	redis_fcall(&cmd, &q->head.options, "submit", g->queue, g->shard);
	add_room(&cmd, &q->head.options);
	redis_cmd_addi(&cmd, q->memory_full);
	redis_cmd_addi(&cmd, (int64_t)g->n);
	for (size_t i = 0; i < g->n; i++)
		redis_add_item(&cmd, &items[g->at[i]]);
	ok = redis_call(q, &cmd, false, &r, e) || (e->code == ERR_UNSURE && redis_call(q, &cmd, false, &r, e));
	redis_cmd_close(&cmd);
	if (ok && redis_reply_count(r) != 2 * g->n + 3)
		ok = redis_bad_reply(e, "submit");
	for (size_t i = 0; ok && i < g->n; i++)
		ok = (read_outcome(r, i, g, &out[g->at[i]]) && read_rooms(r, g->n, &q->head.options, &out[g->at[i]])) ||
		     redis_bad_reply(e, "submit");
	redis_reply_close(&r);
	return ok;
}

/* Have the replicas got it? WAIT asks for all that this connection wrote, so something is written: what was submitted may be known from
 * before, over another connection. */
static bool wait_replicas(struct redis_queue *q, const struct group *g, struct err *e)
{
	struct redis_cmd mark = {0}, wait = {0};
	struct redis_reply *r = NULL;
	struct buf key = {0};
	int64_t got = 0, wanted = q->head.options.wait_replicas;
	bool ok;

	redis_key(&key, q->head.options.namespace_, g->queue, g->shard, ":wr");
	redis_cmd_adds(&mark, "SET");
	redis_cmd_add(&mark, key.data, key.len);
	redis_cmd_adds(&mark, "1");
	redis_cmd_adds(&wait, "WAIT");
	redis_cmd_addi(&wait, wanted);
	redis_cmd_addi(&wait, q->head.options.timeout_ms / 2);
	ok = redis_call_two(q, &mark, &wait, &r, e) && (redis_reply_int(r, &got) || redis_bad_reply(e, "WAIT"));
	redis_cmd_close(&mark);
	redis_cmd_close(&wait);
	redis_reply_close(&r);
	buf_close(&key);
	if (ok && got < wanted)
		ok = err_set(e, ERR_UNSURE, "only %lld of %lld replicas confirmed within %d ms that they have it", (long long)got,
		        (long long)wanted, q->head.options.timeout_ms / 2);
	return ok;
}

/* It is submitted, whatever becomes of what is to be asked or said after that. */
static bool settle_group(struct redis_queue *q, const struct group *g, struct err *e)
{
	bool ok = redis_keep_shard_late(q, g->queue, g->shard, e) && (q->head.options.wait_replicas <= 0 || wait_replicas(q, g, e));

	if (!ok && e->code == ERR_UNAVAILABLE)
		e->code = ERR_UNSURE;
	return ok;
}

/* Redis itself says that it is full (between two samples): then so is every item. */
static bool all_full(const struct group *g, struct queue_submitted *out)
{
	for (size_t i = 0; i < g->n; i++)
		out[g->at[i]] = (struct queue_submitted){.outcome = SUBMIT_FULL, .retry_after_ms = FULL_RETRY_MS};
	return true;
}

/* Place each item. placed[i]: its shard, or SETTLED when there is nothing more to ask. */
#define SETTLED (-1)

static bool place_all(
        struct redis_queue *q, struct queue_submission *items, size_t n, struct queue_submitted *out, int *placed, struct err *e)
{
	char queue[JOB_NAME];

	q->turn++;
	for (size_t i = 0; i < n; i++) {
		int ours;

		if (!redis_register_queue(q, items[i].queue, e) || !redis_place(q, &items[i], e))
			return false;
		ours = redis_reserve_if_spread(q, &items[i], &out[i], e);
		if (ours < 0 || !job_id_parse(items[i].id, queue, &placed[i]))
			return ours < 0 ? false : redis_bad_reply(e, "reserve");
		if (!ours)
			placed[i] = SETTLED;
		else if (!redis_keep_shard_for(q, items[i].id, e)) /* its id may be of a time when there were more */
			return false;
	}
	return true;
}

/* The first item that is not settled and all others that go to the same shard; settles them. */
static bool take_group(const struct queue_submission *items, int *placed, size_t n, struct group *g)
{
	g->n = 0;
	for (size_t i = 0; i < n; i++) {
		if (placed[i] == SETTLED)
			continue;
		if (g->n && (placed[i] != g->shard || !str_eq(items[i].queue, g->queue)))
			continue;
		g->queue = items[i].queue;
		g->shard = placed[i];
		g->at[g->n++] = i;
		placed[i] = SETTLED;
	}
	return g->n > 0;
}

static bool submit_placed(struct redis_queue *q, struct queue_submission *items, size_t n, struct queue_submitted *out, int *placed,
        bool *elsewhere, struct err *e)
{
	struct group g = {.elsewhere = elsewhere};

	while (take_group(items, placed, n, &g)) {
		if (submit_group(q, &g, items, out, e)) {
			if (!settle_group(q, &g, e))
				return false;
			continue;
		}
		if (e->code != ERR_FULL || !all_full(&g, out))
			return false;
	}
	return true;
}

/* Those whose key is a job's of another shard, of which we did not know, go there. How many, -1. */
static int place_elsewhere(struct redis_queue *q, struct queue_submission *items, size_t n, struct queue_submitted *out, int *placed,
        bool *elsewhere, struct err *e)
{
	char queue[JOB_NAME];
	int moved = 0;

	for (size_t i = 0; i < n; i++) {
		int ours;

		if (!elsewhere[i])
			continue;
		elsewhere[i] = false;
		ours = redis_reserve(q, &items[i], &out[i], e);
		if (ours < 0 || (ours && !job_id_parse(items[i].id, queue, &placed[i])))
			return ours < 0 ? -1
			                : err_fail(e, ERR_CORRUPT, "an idempotency key is given to %.60s, which is no job", items[i].id);
		if (ours && !redis_keep_shard_for(q, items[i].id, e))
			return -1;
		moved += ours;
	}
	return moved;
}

bool redis_submit(struct queue *base, struct queue_submission *items, size_t n, struct queue_submitted *out, struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	int placed[QUEUE_BATCH_MAX], moved = 1;
	bool elsewhere[QUEUE_BATCH_MAX] = {false};

	if (!sample_memory(q, e) || !place_all(q, items, n, out, placed, e))
		return false;
	FAILPOINT("submit_placed");
	for (int i = 0; moved > 0; i++) {
		if (i == TRIES)
			return err_set(e, ERR_UNAVAILABLE, "an idempotency key goes from job to job: try again");
		if (!submit_placed(q, items, n, out, placed, elsewhere, e))
			return false;
		moved = place_elsewhere(q, items, n, out, placed, elsewhere, e);
	}
	return moved == 0;
}
