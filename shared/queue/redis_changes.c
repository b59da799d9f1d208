/* redis_changes.c -- changes of state as Redis keeps them for those who listen, and which jobs have changed. */
#include <string.h>

#include "base/mem.h"
#include "queue/redis_private.h"

#define ENTRIES_AT_ONCE 32                   /* changes.ENTRIES in functions/16_changes.lua */
#define CHANGE_MIN      (1 + QUEUE_TAIL + 1) /* digit, id, kind */

/* "<ms>-<number>" */
static bool read_entry_id(const char *text, int64_t *at_out, int64_t *seq_out)
{
	char ms[24];
	size_t len = strcspn(text, "-");

	return text[len] == '-' && str_copy_n(ms, sizeof(ms), text, len) && str_int(ms, 0, INT64_MAX, at_out) &&
	       str_int(text + len + 1, 0, INT64_MAX, seq_out);
}

/* "<state digit><id><kind>" */
static bool read_change(const char *queue, int shard, const char *text, size_t len, struct queue_change *out)
{
	if (len < CHANGE_MIN || text[0] < '0' || text[0] > '0' + JOB_DEAD)
		return false;
	out->state = (enum job_state)(text[0] - '0');
	return queue_full_id(out->id, queue, shard, text + 1, QUEUE_TAIL) &&
	       str_copy_n(out->kind, sizeof(out->kind), text + 1 + QUEUE_TAIL, len - 1 - QUEUE_TAIL) && job_name_ok(out->kind);
}

static struct queue_change *add_change(struct queue_changes *c, size_t *cap)
{
	if (c->n == *cap) {
		size_t grown = *cap ? *cap * 2 : 64;

		c->items = mem_grow(c->items, *cap, grown, sizeof(*c->items));
		*cap = grown;
	}
	return &c->items[c->n++];
}

/* One entry: its id, and what one call changed, with spaces between. */
static bool read_entry(
        const char *queue, int shard, const struct redis_reply *id, const struct redis_reply *list, struct queue_changes *out, size_t *cap)
{
	const char *entry = redis_reply_text(id, NULL), *text = redis_reply_text(list, NULL);
	int64_t at, seq;

	if (!entry || !text || !read_entry_id(entry, &at, &seq))
		return false;
	for (int index = 0; *text; index++) {
		size_t len = strcspn(text, " ");
		struct queue_change *x = add_change(out, cap);

		x->at = at;
		x->seq = seq;
		x->index = index;
		if (!str_copy(x->entry, sizeof(x->entry), entry) || !read_change(queue, shard, text, len, x))
			return false;
		text += len + (text[len] == ' ');
	}
	return true;
}

#define FIRST 5 /* of the entries in an answer */

/* {now, since, gap, after, shards, id, changes, ...} */
static bool read_changes(const char *queue, int shard, const struct redis_reply *r, struct queue_changes *out)
{
	size_t n = redis_reply_count(r), cap = 0;
	int64_t gap, shards;

	if (n < FIRST || (n - FIRST) % 2 || !redis_reply_int(redis_reply_at(r, 0), &out->now) ||
	        !redis_reply_int(redis_reply_at(r, 1), &out->since) || !redis_reply_int(redis_reply_at(r, 2), &gap) ||
	        !redis_reply_int(redis_reply_at(r, 4), &shards) || shards < 1 || shards > QUEUE_SHARDS_MAX ||
	        !str_copy(out->after, sizeof(out->after), redis_reply_text(redis_reply_at(r, 3), NULL)))
		return false;
	out->gap = gap != 0;
	out->shards = shard ? 0 : (int)shards;
	for (size_t i = FIRST; i < n; i += 2)
		if (!read_entry(queue, shard, redis_reply_at(r, i), redis_reply_at(r, i + 1), out, &cap))
			return false;
	out->more = n == FIRST + 2 * ENTRIES_AT_ONCE && out->n > 0;
	return true;
}

bool redis_changes(struct queue *base, const char *queue, int shard, const char *after, struct queue_changes *out, struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	bool ok;

	redis_fcall(&cmd, &q->head.options, "changes", queue, shard);
	redis_cmd_adds(&cmd, after);
	ok = redis_call(q, &cmd, true, &r, e);
	redis_cmd_close(&cmd);
	if (ok && !read_changes(queue, shard, r, out)) {
		queue_changes_close(out);
		ok = redis_bad_reply(e, "changes");
	}
	redis_reply_close(&r);
	return ok;
}

bool redis_call_ids(
        struct redis_queue *q, const char *function, const char (*ids)[JOB_ID], size_t n, struct redis_reply **out, struct err *e)
{
	struct redis_cmd cmd = {0};
	char queue[JOB_NAME];
	int shard;

	if (!job_id_parse(ids[0], queue, &shard))
		return err_set(e, ERR_INVALID, "%.60s is no id of a job", ids[0]);
	redis_fcall(&cmd, &q->head.options, function, queue, shard);
	for (size_t i = 0; i < n; i++)
		redis_cmd_adds(&cmd, queue_tail(ids[i]));
	bool ok = redis_call(q, &cmd, true, out, e);
	redis_cmd_close(&cmd);
	return ok;
}

bool redis_revisions(struct queue *base, const char (*ids)[JOB_ID], size_t n, int64_t *revs, struct err *e)
{
	struct redis_reply *r = NULL;
	bool ok = redis_call_ids((struct redis_queue *)base, "revisions", ids, n, &r, e);

	if (ok && redis_reply_count(r) != n)
		ok = redis_bad_reply(e, "revisions");
	for (size_t i = 0; ok && i < n; i++)
		if (!redis_reply_int(redis_reply_at(r, i), &revs[i]))
			ok = redis_bad_reply(e, "revisions");
	redis_reply_close(&r);
	return ok;
}
