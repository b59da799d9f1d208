/* redis_dead.c -- dead letters in Redis: look for them, replay or delete them. */
#include <string.h>

#include "queue/redis_private.h"

#define ROUNDS 16 /* calls for one page: a filter that matches nothing must not search for ever */

static void dead_call(struct redis_cmd *c, const struct redis_queue *q, const char *function, const struct queue_dead_filter *f, int shard,
        const char *cursor, int limit)
{
	redis_fcall(c, &q->head.options, function, f->queue, shard);
	redis_cmd_addi(c, f->state);
	redis_cmd_adds(c, f->kind);
	redis_cmd_adds(c, f->error);
	redis_cmd_addi(c, f->from_ms);
	redis_cmd_addi(c, f->to_ms);
	redis_cmd_adds(c, cursor);
	redis_cmd_addi(c, limit);
}

static bool read_cursor(const struct redis_reply *r, char out[64])
{
	const char *cursor = redis_reply_text(redis_reply_at(r, 0), NULL);

	return cursor && str_copy(out, 64, cursor);
}

struct dead_page {
	const struct queue_dead_filter *filter;
	int shard, limit, n;
	struct job *jobs;
	char cursor[64];
};

static bool read_jobs(struct dead_page *p, const struct redis_reply *r, struct err *e)
{
	size_t count = redis_reply_count(r);

	if (!redis_reply_is_array(r) || count > (size_t)(p->limit - p->n))
		return redis_bad_reply(e, "dead_list");
	for (size_t i = 0; i < count; i++, p->n++)
		if (!redis_record_read(redis_reply_at(r, i), p->filter->queue, p->shard, &p->jobs[p->n], e))
			return false;
	return true;
}

static bool next_page(struct redis_queue *q, struct dead_page *p, struct err *e)
{
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	bool ok;

	dead_call(&cmd, q, "dead_list", p->filter, p->shard, p->cursor, p->limit - p->n);
	ok = redis_call(q, &cmd, true, &r, e);
	redis_cmd_close(&cmd);
	if (ok)
		ok = read_cursor(r, p->cursor) ? read_jobs(p, redis_reply_at(r, 1), e) : redis_bad_reply(e, "dead_list");
	redis_reply_close(&r);
	return ok;
}

int redis_dead_list(struct queue *base, const struct queue_dead_filter *f, const char *cursor, int limit, struct job *jobs,
        char next_out[64], struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	struct dead_page p = {.filter = f, .limit = limit, .jobs = jobs};
	struct queue_shards shards;
	bool ok = redis_cursor_split(cursor, &p.shard, p.cursor, e) && redis_shards_now(q, f->queue, &shards, e);

	for (int i = 0; ok && i < ROUNDS; i++) {
		ok = next_page(q, &p, e);
		if (p.n == limit)
			break;
		if (p.cursor[0])
			continue;
		if (p.shard + 1 >= shards.serve)
			break;
		p.shard++;
	}
	if (ok && redis_cursor_join(next_out, p.shard, shards.serve, p.cursor, e))
		return p.n;
	while (p.n > 0)
		job_close(&jobs[--p.n]);
	return -1;
}

/* Not asked again when the answer is lost: how many were done would be counted wrong. The caller may, without harm. */
int redis_dead_act(struct queue *base, enum queue_dead_act act, const struct queue_dead_filter *f, const char *cursor, int limit,
        int *skipped_out, char next_out[64], struct err *e)
{
	static const char *const names[] = {[QUEUE_DEAD_REPLAY] = "replay", [QUEUE_DEAD_DELETE] = "delete"};
	struct redis_queue *q = (struct redis_queue *)base;
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	struct queue_shards shards;
	int64_t done = -1, skipped = -1;
	char rest[64];
	int shard;
	bool ok;

	if (!redis_cursor_split(cursor, &shard, rest, e) || !redis_shards_now(q, f->queue, &shards, e))
		return -1;
	*skipped_out = 0;
	if (shard >= shards.serve) /* somebody has let go of it since the last page */
		return redis_cursor_join(next_out, shard, shards.serve, "", e) ? 0 : -1;
	if (act == QUEUE_DEAD_REPLAY && !redis_keep_shard(q, f->queue, shard, e))
		return -1;
	dead_call(&cmd, q, "dead_act", f, shard, rest, limit);
	redis_cmd_adds(&cmd, names[act]);
	ok = redis_call(q, &cmd, false, &r, e);
	redis_cmd_close(&cmd);
	if (ok && (!read_cursor(r, rest) || !redis_reply_int(redis_reply_at(r, 1), &done) ||
	                  !redis_reply_int(redis_reply_at(r, 2), &skipped) || done < 0 || done > limit || skipped < 0 ||
	                  skipped > QUEUE_BATCH_MAX))
		ok = redis_bad_reply(e, "dead_act");
	redis_reply_close(&r);
	*skipped_out = (int)skipped;
	return ok && redis_cursor_join(next_out, shard, shards.serve, rest, e) ? (int)done : -1;
}
