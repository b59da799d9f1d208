/* redis_look.c -- looking at many jobs in Redis: pages of a queue, and the audit. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "queue/redis_private.h"

#define WORKERS_LOOKED 1000
#define LEASES_LOOKED  "9999" /* of one worker */

/* ---- pages ---------------------------------------------------------------------------------------------------------- */

struct page {
	const char *queue, *kind;
	int shard, shards; /* where it goes on, of how many */
	int from_shard;
	int state, limit, n;
	struct job *jobs;
	char cursor[64]; /* in this shard */
	char from[64];   /* where the last call began */
	bool ended;
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

static void page_calls(struct page *p)
{
	p->from_shard = p->shard;
	memcpy(p->from, p->cursor, sizeof(p->from));
}

static void ask_page(struct redis_cmd *cmd, const struct redis_queue *q, const struct page *p)
{
	redis_fcall(cmd, &q->head.options, "list", p->queue, p->shard);
	redis_cmd_adds(cmd, p->kind);
	if (p->state < 0)
		redis_cmd_adds(cmd, "");
	else
		redis_cmd_addi(cmd, p->state);
	redis_cmd_adds(cmd, p->cursor);
	redis_cmd_addi(cmd, p->limit - p->n);
}

/* At the end of a shard the next one begins. */
static bool take_page(struct page *p, const struct redis_reply *r, struct err *e)
{
	const char *cursor = redis_reply_text(redis_reply_at(r, 0), NULL);

	if (!cursor || !str_copy(p->cursor, sizeof(p->cursor), cursor))
		return redis_bad_reply(e, "list");
	if (!read_records(p, redis_reply_at(r, 1), e))
		return false;
	if (!p->cursor[0])
		p->ended = ++p->shard >= p->shards;
	return true;
}

/* One call for each page in which nothing was found yet, all at once. How many that were; -1 failed. */
static int ask_round(struct redis_queue *q, struct page *pages, size_t n, bool first, int *looks, struct err *e)
{
	struct redis_cmd *cmds = mem_array(n + 1, sizeof(*cmds));
	struct redis_reply **r = mem_array(n + 1, sizeof(struct redis_reply *));
	struct page **asked = mem_array(n + 1, sizeof(struct page *));
	size_t n_asked = 0;
	bool ok;

	for (size_t i = 0; i < n; i++)
		if (first || (*looks > 0 && pages[i].n == 0 && !pages[i].ended)) {
			page_calls(&pages[i]);
			ask_page(&cmds[n_asked], q, &pages[i]);
			asked[n_asked++] = &pages[i];
			--*looks;
		}
	ok = redis_call_many(q, cmds, n_asked, r, e);
	for (size_t i = 0; i < n_asked; i++) {
		ok = ok && take_page(asked[i], r[i], e);
		redis_cmd_close(&cmds[i]);
		redis_reply_close(&r[i]);
	}
	mem_free(&cmds);
	mem_free(&r);
	mem_free(&asked);
	return ok ? (int)n_asked : -1;
}

static bool list_indexes(struct redis_queue *q, struct page *pages, size_t n, int *looks, struct err *e)
{
	int asked = ask_round(q, pages, n, true, looks, e);

	while (asked > 0)
		asked = ask_round(q, pages, n, false, looks, e);
	return asked == 0;
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

/* Shard by shard until something was found. */
static bool list_leases(struct redis_queue *q, struct page *pages, size_t n, int *looks, struct err *e)
{
	bool ok = true;

	for (size_t i = 0; ok && i < n; i++) {
		struct page *p = &pages[i];

		do {
			page_calls(p);
			ok = list_running(q, p, e);
			--*looks;
			if (!p->cursor[0])
				p->ended = ++p->shard >= p->shards;
		} while (ok && p->n == 0 && !p->ended && *looks > 0);
	}
	return ok;
}

static bool pages_begin(
        struct redis_queue *q, const char *kind, int state, const struct queue_page *in, size_t n, struct page *out, struct err *e)
{
	char(*queues)[JOB_NAME] = mem_array(n + 1, sizeof(*queues));
	struct queue_shards *shards = mem_array(n + 1, sizeof(*shards));
	bool ok = true;

	for (size_t i = 0; ok && i < n; i++) {
		out[i] = (struct page){.queue = in[i].queue, .kind = kind, .state = state, .limit = in[i].limit, .jobs = in[i].jobs};
		ok = (str_copy(queues[i], JOB_NAME, in[i].queue) || redis_bad_reply(e, "the name of a queue")) &&
		     redis_cursor_split(in[i].cursor, &out[i].shard, out[i].cursor, e);
	}
	ok = ok && redis_shards_of_all(q, (const char(*)[JOB_NAME])queues, n, shards, e);
	for (size_t i = 0; ok && i < n; i++)
		out[i].shards = shards[i].serve;
	mem_free(&queues);
	mem_free(&shards);
	return ok;
}

static bool pages_end(const struct page *pages, size_t n, struct queue_page *out, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		const struct page *p = &pages[i];

		out[i].n = p->n;
		out[i].next[0] = '\0';
		if (!redis_cursor_write(out[i].from, p->from_shard, p->from, e))
			return false;
		if (!p->ended && !redis_cursor_write(out[i].next, p->shard, p->cursor, e))
			return false;
	}
	return true;
}

bool redis_lists(struct queue *base, const char *kind, int state, struct queue_page *out, size_t n, int *looks, struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	struct page *pages = mem_array(n + 1, sizeof(*pages));
	bool ok = pages_begin(q, kind, state, out, n, pages, e);

	if (ok && state == JOB_RUNNING)
		ok = list_leases(q, pages, n, looks, e);
	else if (ok)
		ok = list_indexes(q, pages, n, looks, e);
	ok = ok && pages_end(pages, n, out, e);
	for (size_t i = 0; !ok && i < n; i++) {
		while (pages[i].n > 0)
			job_close(&pages[i].jobs[--pages[i].n]);
		out[i].n = 0;
	}
	mem_free(&pages);
	return ok;
}
