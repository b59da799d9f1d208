/* redis_look.c -- looking at many jobs in Redis: pages of a queue, and the audit. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "queue/redis_private.h"

#define ROUNDS         16 /* calls for one page: a filter that matches nothing must not search for ever */
#define WORKERS_LOOKED 1000
#define LEASES_LOOKED  "9999" /* of one worker */

/* ---- pages ---------------------------------------------------------------------------------------------------------- */

struct page {
	const char *queue, *kind;
	int shard, state, limit, n;
	struct job *jobs;
	char cursor[64];
};

static bool read_records(struct page *p, const struct redis_reply *r, struct err *e)
{
	size_t n = redis_reply_count(r);

	if (!redis_reply_is_array(r) || n > (size_t)(p->limit - p->n))
		return redis_bad_reply(e, "list");
	for (size_t i = 0; i < n; i++) {
		struct job *j = &p->jobs[p->n];

		if (!redis_record_read(redis_reply_at(r, i), p->queue, p->shard, j, e))
			return false;
		if ((p->state < 0 || j->state == (enum job_state)p->state) && (!p->kind || str_eq(p->kind, j->kind)))
			p->n++;
		else
			job_close(j); /* it moved on between two looks */
	}
	return true;
}

static bool next_page(struct redis_queue *q, struct page *p, struct err *e)
{
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	const char *cursor;
	bool ok;

	redis_fcall(&cmd, &q->head.options, "list", p->queue, p->shard);
	redis_cmd_adds(&cmd, p->kind);
	if (p->state < 0)
		redis_cmd_adds(&cmd, "");
	else
		redis_cmd_addi(&cmd, p->state);
	redis_cmd_adds(&cmd, p->cursor);
	redis_cmd_addi(&cmd, p->limit - p->n);
	ok = redis_call(q, &cmd, true, &r, e);
	redis_cmd_close(&cmd);
	if (!ok)
		return false;
	cursor = redis_reply_text(redis_reply_at(r, 0), NULL);
	ok = cursor && str_copy(p->cursor, sizeof(p->cursor), cursor) ? read_records(p, redis_reply_at(r, 1), e)
	                                                              : redis_bad_reply(e, "list");
	redis_reply_close(&r);
	return ok;
}

static bool list_index(struct redis_queue *q, struct page *p, struct err *e)
{
	for (int i = 0; i < ROUNDS; i++) {
		if (!next_page(q, p, e))
			return false;
		if (p->n == p->limit || !p->cursor[0])
			break;
	}
	return true;
}

/* ---- running jobs: their only index is by worker ------------------------------------------------------------------------ */

struct tails {
	char (*at)[QUEUE_TAIL + 1];
	size_t n, cap;
};

static bool add_tail(struct tails *t, const struct redis_reply *r)
{
	size_t len = 0;
	const char *text = redis_reply_text(r, &len);

	if (t->n == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 256;

		t->at = mem_grow(t->at, t->cap, cap, sizeof(*t->at));
		t->cap = cap;
	}
	return text && len == QUEUE_TAIL && str_copy_n(t->at[t->n++], QUEUE_TAIL + 1, text, len);
}

static bool range(
        struct redis_queue *q, const struct page *p, const char *suffix, const char *last, struct redis_reply **out, struct err *e)
{
	struct redis_cmd cmd = {0};
	struct buf key = {0};
	bool ok;

	redis_key(&key, q->head.options.namespace_, p->queue, p->shard, suffix);
	redis_cmd_adds(&cmd, "ZRANGE");
	redis_cmd_add(&cmd, key.data, key.len);
	redis_cmd_adds(&cmd, "0");
	redis_cmd_adds(&cmd, last);
	ok = redis_call(q, &cmd, true, out, e);
	buf_close(&key);
	redis_cmd_close(&cmd);
	return ok;
}

static bool add_leases(struct redis_queue *q, const struct page *p, const char *worker, struct tails *t, struct err *e)
{
	struct redis_reply *r = NULL;
	struct buf suffix = {0};
	bool ok;

	buf_addf(&suffix, ":l:%s", worker);
	ok = range(q, p, suffix.data, LEASES_LOOKED, &r, e);
	for (size_t i = 0; ok && i < redis_reply_count(r); i++)
		ok = add_tail(t, redis_reply_at(r, i)) || redis_bad_reply(e, "ZRANGE");
	buf_close(&suffix);
	redis_reply_close(&r);
	return ok;
}

static int newest_first(const void *a, const void *b)
{
	return strcmp(b, a);
}

static bool collect_leases(struct redis_queue *q, const struct page *p, struct tails *t, struct err *e)
{
	struct redis_reply *r = NULL;
	bool ok = range(q, p, ":W", "-1", &r, e);

	for (size_t i = 0; ok && i < redis_reply_count(r) && i < WORKERS_LOOKED; i++) {
		const char *worker = redis_reply_text(redis_reply_at(r, i), NULL);

		ok = worker ? add_leases(q, p, worker, t, e) : redis_bad_reply(e, "ZRANGE");
	}
	redis_reply_close(&r);
	if (t->n)
		qsort(t->at, t->n, sizeof(*t->at), newest_first);
	return ok;
}

static bool show_tails(struct redis_queue *q, struct page *p, const struct tails *t, size_t from, size_t n, struct err *e)
{
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	bool ok;

	redis_fcall(&cmd, &q->head.options, "show", p->queue, p->shard);
	for (size_t i = from; i < from + n; i++)
		redis_cmd_adds(&cmd, t->at[i]);
	ok = redis_call(q, &cmd, true, &r, e) && read_records(p, r, e);
	redis_cmd_close(&cmd);
	redis_reply_close(&r);
	return ok;
}

/* The cursor is the last id looked at. */
static bool list_running(struct redis_queue *q, struct page *p, struct err *e)
{
	struct tails t = {0};
	size_t at = 0;
	bool ok = collect_leases(q, p, &t, e);

	while (ok && p->cursor[0] && at < t.n && strcmp(t.at[at], p->cursor) >= 0)
		at++;
	while (ok && at < t.n && p->n < p->limit) {
		size_t n = t.n - at < (size_t)(p->limit - p->n) ? t.n - at : (size_t)(p->limit - p->n);

		ok = show_tails(q, p, &t, at, n, e);
		at += n;
	}
	if (!ok || at >= t.n || !str_copy(p->cursor, sizeof(p->cursor), t.at[at - 1]))
		p->cursor[0] = '\0';
	mem_free(&t.at);
	return ok;
}

int redis_list(struct queue *base, const char *queue, const char *kind, int state, const char *cursor, int limit, struct job *jobs,
        char next_out[64], struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	struct page p = {.queue = queue, .kind = kind, .state = state, .limit = limit, .jobs = jobs};
	struct queue_shards shards;
	bool ok = redis_cursor_split(cursor, &p.shard, p.cursor, e) && redis_shards_now(q, queue, &shards, e);

	while (ok) {
		ok = state == JOB_RUNNING ? list_running(q, &p, e) : list_index(q, &p, e);
		if (p.n == limit || p.cursor[0] || p.shard + 1 >= shards.serve)
			break;
		p.shard++;
	}
	if (ok && redis_cursor_join(next_out, p.shard, shards.serve, p.cursor, e))
		return p.n;
	while (p.n > 0)
		job_close(&jobs[--p.n]);
	return -1;
}
