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

#define ENTRY_TIME   13 /* digits before the ids of a text */
#define READ_AT_ONCE 64
#define BATCH_BYTES  ((size_t)8 * 1024 * 1024)

/* An end as it was noted. */
struct end {
	char tail[QUEUE_TAIL];
	int64_t time;
};

/* The ids of a text behind the first `done`; false: it is none. */
static bool read_entry(const struct redis_reply *r, size_t done, struct end *ends, size_t limit, size_t *n)
{
	size_t len = 0;
	const char *text = redis_reply_text(r, &len);
	char digits[ENTRY_TIME + 1];
	int64_t time;

	if (!text || len <= ENTRY_TIME || (len - ENTRY_TIME) % QUEUE_TAIL != 0 || !str_copy_n(digits, sizeof(digits), text, ENTRY_TIME) ||
	        !str_int(digits, 0, INT64_MAX, &time))
		return false;
	for (size_t at = ENTRY_TIME + done * QUEUE_TAIL; at < len && *n < limit; at += QUEUE_TAIL, (*n)++) {
		memcpy(ends[*n].tail, text + at, QUEUE_TAIL);
		ends[*n].time = time;
	}
	return true;
}

static bool read_ends(const struct redis_reply *r, int64_t done, struct end *ends, size_t limit, size_t *n_out)
{
	size_t n = redis_reply_count(r);

	*n_out = 0;
	for (size_t i = 0; i < n; i++)
		if (!read_entry(redis_reply_at(r, i), i == 0 ? (size_t)done : 0, ends, limit, n_out))
			return false;
	return redis_reply_is_array(r);
}

/* One that vanished, was replayed since or cannot be read is passed over: nobody could ever take what stands behind it. */
static void add_job(const struct redis_reply *r, const struct redis_reply *state, const struct end *end, const struct history_writer *w,
        struct history_batch *out)
{
	struct job *j = &out->jobs[out->n];
	struct err e;

	memset(j, 0, sizeof(*j));
	if (!queue_full_id(j->id, w->queue, w->shard, end->tail, QUEUE_TAIL) || !str_copy(j->queue, sizeof(j->queue), w->queue) ||
	        !redis_reply_count(r) || !redis_fields_read(r, state, j, w->queue, &e))
		return;
	if (j->state >= JOB_SUCCEEDED && j->finished_at == end->time)
		out->n++;
	else
		job_close(j);
}

static size_t bytes_of(const struct job *j)
{
	return (j->params ? strlen(j->params) : 0) + (j->result ? strlen(j->result) : 0);
}

static void ask(struct redis_cmd *c, const char *word, const struct redis_queue *q, const struct history_writer *w, const char *name)
{
	struct buf key = {0};

	redis_key(&key, q->head.options.namespace_, w->queue, w->shard, name);
	redis_cmd_adds(c, word);
	redis_cmd_add(c, key.data, key.len);
	buf_close(&key);
}

/* The states of some ends, and then the record of each. */
static void ask_records(
        struct redis_cmd *cmds, const struct redis_queue *q, const struct history_writer *w, const struct end *ends, size_t n)
{
	char name[QUEUE_TAIL + 4];

	ask(&cmds[0], "HMGET", q, w, ":s");
	for (size_t i = 0; i < n; i++) {
		redis_cmd_add(&cmds[0], ends[i].tail, QUEUE_TAIL);
		snprintf(name, sizeof(name), ":j:%.*s", QUEUE_TAIL, ends[i].tail);
		ask(&cmds[1 + i], "HGETALL", q, w, name);
	}
}

/* In one round trip. */
static bool read_records(
        struct redis_queue *q, const struct history_writer *w, const struct end *ends, size_t n, struct history_batch *out, struct err *e)
{
	struct redis_cmd cmds[1 + READ_AT_ONCE] = {0};
	struct redis_reply *replies[1 + READ_AT_ONCE];

	ask_records(cmds, q, w, ends, n);
	bool ok = redis_call_many(q, cmds, 1 + n, replies, e);
	for (size_t i = 0; ok && i < n; i++)
		add_job(replies[1 + i], redis_reply_at(replies[0], i), &ends[i], w, out);
	for (size_t i = 0; i <= n; i++) {
		redis_cmd_close(&cmds[i]);
		if (ok)
			redis_reply_close(&replies[i]);
	}
	return ok;
}

static bool read_jobs(
        struct redis_queue *q, const struct history_writer *w, const struct end *ends, size_t n, struct history_batch *out, struct err *e)
{
	size_t bytes = 0, seen = 0;

	out->jobs = mem_array(n + 1, sizeof(*out->jobs));
	while ((size_t)out->looked < n && bytes < BATCH_BYTES) {
		size_t left = n - (size_t)out->looked, some = left < READ_AT_ONCE ? left : READ_AT_ONCE;

		if (!read_records(q, w, ends + out->looked, some, out, e))
			return false;
		out->looked += (int)some;
		for (; seen < out->n; seen++)
			bytes += bytes_of(&out->jobs[seen]);
	}
	return true;
}

/* {1, place, waiting, dropped, done, texts} or {0} */
static int read_batch(struct redis_queue *q, const struct redis_reply *r, const struct history_writer *w, size_t limit,
        struct history_batch *out, struct err *e)
{
	struct end ends[QUEUE_BATCH_MAX];
	int64_t ours = -1, done = -1;
	size_t n;

	if (redis_reply_int(redis_reply_at(r, 0), &ours) && ours == 0)
		return 0;
	if (ours != 1 || !redis_reply_int(redis_reply_at(r, 1), &out->place) || !redis_reply_int(redis_reply_at(r, 2), &out->waiting) ||
	        !redis_reply_int(redis_reply_at(r, 3), &out->dropped) || !redis_reply_int(redis_reply_at(r, 4), &done) || done < 0 ||
	        done > QUEUE_BATCH_MAX || !read_ends(redis_reply_at(r, 5), done, ends, limit, &n))
		return redis_bad_reply(e, "history_take") ? 0 : -1;
	return read_jobs(q, w, ends, n, out, e) ? 1 : -1;
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
	int got = call(base, &cmd, &r, e) ? read_batch((struct redis_queue *)base, r, w, (size_t)limit, out, e) : -1;
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
