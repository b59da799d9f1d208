/* redis_submit.c -- submissions over Redis: one call for the whole batch. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "queue/redis_private.h"

#define SAMPLE_EVERY_MS 1000
#define FULL_RETRY_MS   1000

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
	char lane[JOB_KEY + 1], route[JOB_ROUTE];

	redis_lane(lane, s);
	job_route(route, s->kind, s->kind_version, false);
	redis_cmd_adds(c, queue_tail(s->id));
	redis_cmd_adds(c, route);
	redis_cmd_adds(c, lane);
	redis_cmd_adds(c, s->idempotency_key);
	redis_cmd_adds(c, s->fingerprint);
	redis_cmd_adds(c, s->unique_key);
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

static bool read_outcome(const struct redis_reply *r, size_t i, const char *queue, struct queue_submitted *out)
{
	size_t len = 0;
	int64_t outcome;
	const char *tail = redis_reply_text(redis_reply_at(r, 2 * i + 1), &len);

	memset(out, 0, sizeof(*out));
	if (!tail || !redis_reply_int(redis_reply_at(r, 2 * i), &outcome) || outcome < 0 || outcome > SUBMIT_LANE_FULL)
		return false;
	out->outcome = (enum submit_outcome)outcome;
	out->retry_after_ms = outcome >= SUBMIT_FULL ? FULL_RETRY_MS : 0;
	return !len || queue_full_id(out->existing_id, queue, 0, tail, len);
}

static void add_room(struct redis_cmd *c, const struct queue_options *o)
{
	char text[80];

	snprintf(text, sizeof(text), "%lld %lld %lld", (long long)o->max_length, (long long)o->max_param_bytes, (long long)o->max_lane);
	redis_cmd_adds(c, text);
}

/* items[n] are all of one queue. Asked again when the answer is lost: the ids make that harmless. */
static bool submit_queue(struct redis_queue *q, struct queue_submission *items, size_t n, struct queue_submitted *out, struct err *e)
{
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	bool ok;

	redis_fcall(&cmd, &q->head.options, "submit", items[0].queue, 0);
	add_room(&cmd, &q->head.options);
	redis_cmd_addi(&cmd, q->memory_full);
	redis_cmd_addi(&cmd, (int64_t)n);
	for (size_t i = 0; i < n; i++)
		redis_add_item(&cmd, &items[i]);
	ok = redis_call(q, &cmd, false, &r, e) || (e->code == ERR_UNSURE && redis_call(q, &cmd, false, &r, e));
	redis_cmd_close(&cmd);
	if (ok && redis_reply_count(r) != 2 * n)
		ok = redis_bad_reply(e, "submit");
	for (size_t i = 0; ok && i < n; i++)
		ok = read_outcome(r, i, items[0].queue, &out[i]) || redis_bad_reply(e, "submit");
	redis_reply_close(&r);
	return ok;
}

/* Redis itself says that it is full (between two samples): then so is every item. */
static bool all_full(struct queue_submitted *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (struct queue_submitted){.outcome = SUBMIT_FULL, .retry_after_ms = FULL_RETRY_MS};
	return true;
}

bool redis_submit(struct queue *base, struct queue_submission *items, size_t n, struct queue_submitted *out, struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	size_t run;

	if (!sample_memory(q, e))
		return false;
	for (size_t i = 0; i < n; i += run) {
		for (run = 1; i + run < n && str_eq(items[i].queue, items[i + run].queue);)
			run++;
		if (!redis_register_queue(q, items[i].queue, e))
			return false;
		if (submit_queue(q, items + i, run, out + i, e))
			continue;
		if (e->code != ERR_FULL || !all_full(out + i, run))
			return false;
	}
	return true;
}
