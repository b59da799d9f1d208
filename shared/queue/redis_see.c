/* redis_see.c -- what goes on in Redis' queues: the logs of jobs, many jobs at one look, the backlog. */
#include <string.h>

#include "base/mem.h"
#include "queue/redis_private.h"

/* ---- logs -------------------------------------------------------------------------------------------------------- */

/* "<number> <ms> <j|q> <text>" */
static bool read_line(const struct redis_reply *r, struct queue_log_line *out)
{
	size_t len = 0;
	const char *text = redis_reply_text(r, &len);
	const char *ms = text ? strchr(text, ' ') : NULL, *by = ms ? strchr(ms + 1, ' ') : NULL;
	char number[24], at[24];

	if (!by || (by[1] != 'j' && by[1] != 'q') || by[2] != ' ' || !str_copy_n(number, sizeof number, text, (size_t)(ms - text)) ||
	        !str_copy_n(at, sizeof at, ms + 1, (size_t)(by - ms - 1)) || !str_int(number, 1, INT64_MAX, &out->number) ||
	        !str_int(at, INT64_MIN, INT64_MAX, &out->at))
		return false;
	out->by_queue = by[1] == 'q';
	out->text = mem_strndup(by + 3, len - (size_t)(by + 3 - text));
	return true;
}

/* {state, revision, first, last, lines} */
static bool read_log(const struct redis_reply *r, int limit, struct queue_log *out)
{
	const struct redis_reply *lines = redis_reply_at(r, 4);
	size_t n = redis_reply_count(lines);
	int64_t state;

	if (!redis_reply_int(redis_reply_at(r, 0), &state) || !redis_reply_int(redis_reply_at(r, 1), &out->rev) ||
	        !redis_reply_int(redis_reply_at(r, 2), &out->first) || !redis_reply_int(redis_reply_at(r, 3), &out->last) || state < 0 ||
	        state > JOB_DEAD || n > (size_t)limit)
		return false;
	out->state = (enum job_state)state;
	out->lines = mem_array(n ? n : 1, sizeof(*out->lines));
	for (; out->n < n; out->n++)
		if (!read_line(redis_reply_at(lines, out->n), &out->lines[out->n]))
			return false;
	return true;
}

int redis_log(struct queue *base, const char *id, int64_t from, int limit, struct queue_log *out, struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	char queue[JOB_NAME];
	int shard;
	bool ok = job_id_parse(id, queue, &shard);

	if (!ok)
		return 0;
	redis_fcall(&cmd, &q->head.options, "remarks", queue, shard);
	redis_cmd_adds(&cmd, queue_tail(id));
	redis_cmd_addi(&cmd, from);
	redis_cmd_addi(&cmd, limit);
	ok = redis_call(q, &cmd, true, &r, e);
	redis_cmd_close(&cmd);
	if (ok && !read_log(redis_reply_at(r, 0), limit, out)) {
		queue_log_close(out);
		ok = redis_bad_reply(e, "remarks");
	}
	redis_reply_close(&r);
	if (!ok)
		return -1;
	if (out->rev)
		return 1;
	queue_log_close(out);
	return 0;
}

/* ---- many jobs ----------------------------------------------------------------------------------------------------- */

static size_t index_of(const char (*ids)[JOB_ID], size_t n, size_t from, const char *id)
{
	while (from < n && !str_eq(ids[from], id))
		from++;
	return from;
}

/* They come in the order asked for, without those that are not there. */
static bool read_many(
        const struct redis_reply *r, const char *queue, int shard, const char (*ids)[JOB_ID], size_t n, struct job *jobs, struct err *e)
{
	size_t at = 0;

	if (!redis_reply_is_array(r))
		return redis_bad_reply(e, "show");
	for (size_t i = 0; i < redis_reply_count(r); i++, at++) {
		struct job j;

		if (!redis_record_read(redis_reply_at(r, i), queue, shard, &j, e))
			return false;
		at = index_of(ids, n, at, j.id);
		if (at == n) {
			job_close(&j);
			return redis_bad_reply(e, "show");
		}
		jobs[at] = j;
	}
	return true;
}

bool redis_show_many(struct queue *base, const char (*ids)[JOB_ID], size_t n, struct job *jobs, struct err *e)
{
	struct redis_reply *r = NULL;
	char queue[JOB_NAME];
	int shard;
	bool ok = redis_call_ids((struct redis_queue *)base, "show", ids, n, &r, e) && job_id_parse(ids[0], queue, &shard) &&
	          read_many(r, queue, shard, ids, n, jobs, e);

	redis_reply_close(&r);
	for (size_t i = 0; !ok && i < n; i++)
		job_close(&jobs[i]);
	return ok;
}

/* ---- backlog ------------------------------------------------------------------------------------------------------- */

#define RATE_LASTS_MS 10000   /* a rate that no step has measured for so long is none */
#define RATE_LEAST    0.001   /* jobs a second: below, the age of the oldest says more */
#define RATE_UNIT     1000000 /* it comes as a whole number */

/* {now, ready, running, oldest since, rate, measured at, retries, crashes, recovered} */
static bool read_backlog(const struct redis_reply *r, struct queue_backlog *out)
{
	int64_t now = 0, since = 0, rate = 0, measured = 0;
	int64_t *const fields[] = {
	        &now, &out->ready, &out->running, &since, &rate, &measured, &out->retries, &out->crashes, &out->recovered};

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (!redis_reply_int(redis_reply_at(r, i), fields[i]))
			return false;
	out->oldest_ms = since && now > since ? now - since : 0;
	out->drain_rate = now - measured < RATE_LASTS_MS ? (double)rate / RATE_UNIT : 0;
	return true;
}

static void add_backlog(struct queue_backlog *sum, const struct queue_backlog *b)
{
	sum->ready += b->ready;
	sum->running += b->running;
	sum->oldest_ms = b->oldest_ms > sum->oldest_ms ? b->oldest_ms : sum->oldest_ms;
	sum->drain_rate += b->drain_rate;
	sum->retries += b->retries;
	sum->crashes += b->crashes;
	sum->recovered += b->recovered;
}

static void tell_seconds(struct queue_backlog *b)
{
	if (b->drain_rate < RATE_LEAST)
		b->drain_rate = 0;
	if (b->ready > 0)
		b->seconds = b->drain_rate > 0 ? (double)b->ready / b->drain_rate : (double)b->oldest_ms / 1000;
}

bool redis_backlogs(struct queue *base, const char (*queues)[JOB_NAME], size_t n, struct queue_backlog *out, struct err *e)
{
	struct redis_spread s;

	if (!redis_spread_ask((struct redis_queue *)base, "backlog", NULL, queues, n, &s, e))
		return false;
	bool ok = true;
	for (size_t i = 0; ok && i < s.n; i++) {
		struct queue_backlog b = {0};

		ok = read_backlog(s.answers[i], &b) || redis_bad_reply(e, "backlog");
		add_backlog(&out[s.places[i].queue], &b);
	}
	for (size_t i = 0; ok && i < n; i++)
		tell_seconds(&out[i]);
	redis_spread_close(&s);
	return ok;
}
