/* redis_schedule_move.c -- which shard of its queue a schedule stands in: made there, moved there, deleted, all under its lock. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/failpoint.h"
#include "base/mem.h"
#include "queue/redis_private.h"

#define TRIES     5    /* of a move that a tick or a change overtook */
#define LOCK_MS   3000 /* so long we wait for another one */
#define LOCK_POLL 10

/* ---- the lock ---------------------------------------------------------------------------------------------------------- */

struct lock {
	struct redis_queue *q;
	const char *queue, *name;
	char who[24];
	int64_t until; /* by the servers' clocks */
};

static bool number_call(struct redis_queue *q, struct redis_cmd *cmd, const char *function, int64_t *out, struct err *e)
{
	struct redis_reply *r = NULL;
	bool ok = redis_call(q, cmd, true, &r, e) && (redis_reply_int(r, out) || redis_bad_reply(e, function));

	redis_cmd_close(cmd);
	redis_reply_close(&r);
	return ok;
}

/* 1, 0: another one has it, -1 */
static int lock_try(struct lock *l, struct err *e)
{
	struct redis_cmd cmd = {0};

	redis_fcall(&cmd, &l->q->head.options, "cron_lock", l->queue, 0);
	redis_cmd_adds(&cmd, l->name);
	redis_cmd_adds(&cmd, l->who);
	if (!number_call(l->q, &cmd, "cron_lock", &l->until, e))
		return -1;
	return l->until > 0;
}

static void lock_begin(struct lock *l, struct redis_queue *q, const char *queue, const char *name)
{
	uint64_t chance;

	*l = (struct lock){.q = q, .queue = queue, .name = name};
	digest_random(&chance, sizeof(chance));
	snprintf(l->who, sizeof(l->who), "%llx", (unsigned long long)chance);
}

static bool lock_take(struct lock *l, struct redis_queue *q, const char *queue, const char *name, struct err *e)
{
	int64_t deadline = clock_mono_ms() + LOCK_MS;
	int got;

	lock_begin(l, q, queue, name);
	while (!(got = lock_try(l, e)) && clock_mono_ms() < deadline)
		clock_sleep_ms(LOCK_POLL);
	if (got == 0)
		return err_set(e, ERR_UNAVAILABLE, "schedule %s is just being moved or deleted: try again", name);
	return got == 1;
}

/* If this does not get through it ends by itself. */
static void lock_end(const struct lock *l)
{
	struct redis_cmd cmd = {0};
	struct err ignored;
	int64_t done;

	redis_fcall(&cmd, &l->q->head.options, "cron_unlock", l->queue, 0);
	redis_cmd_adds(&cmd, l->name);
	redis_cmd_adds(&cmd, l->who);
	if (!number_call(l->q, &cmd, "cron_unlock", &done, &ignored))
		ignored.code = ERR_NONE;
}

/* ---- where -------------------------------------------------------------------------------------------------------------- */

/* What its jobs share with others must be counted in one place; else its name says. */
static bool home_of(struct redis_queue *q, const struct queue_schedule *s, int *out, struct err *e)
{
	char tags[JOB_TAGS], key[JOB_KEY];
	struct queue_submission job;
	struct queue_shards n;

	if (!redis_shards_now(q, s->queue, &n, e))
		return false;
	schedule_job(s, 1, tags, key, &job);
	*out = redis_shard_of_keys(&job, s->name, n.put);
	return true;
}

/* Where it ticks, or else where it sleeps: 1, 0 there is none, -1. *out: as it is there. */
static int find(const struct lock *l, struct queue_schedule *out, bool *asleep_out, struct err *e)
{
	struct queue_shards n;
	int asleep, got;

	*asleep_out = false;
	memset(out, 0, sizeof(*out));
	if (!redis_shards_now(l->q, l->queue, &n, e))
		return -1;
	got = redis_schedule_look(l->q, l->queue, n.serve, l->name, out, &asleep, e);
	if (got || asleep < 0)
		return got;
	queue_schedule_close(out);
	return redis_schedule_show_in(l->q, l->queue, asleep, l->name, out, asleep_out, e);
}

bool redis_schedule_make(
        struct redis_queue *q, const struct queue_schedule *s, int64_t due, enum act_result *result_out, int64_t *rev_out, struct err *e)
{
	struct queue_schedule there, made = *s;
	struct lock l;
	bool asleep, ok;
	int got;

	if (!lock_take(&l, q, s->queue, s->name, e))
		return false;
	got = find(&l, &there, &asleep, e);
	ok = got >= 0;
	*result_out = ACT_WRONG_REV;
	*rev_out = there.rev;
	if (got == 0 || (got == 1 && !there.rev)) /* one without a revision is no more than a wreck */
		ok = home_of(q, s, &made.shard, e) && redis_schedule_put_in(q, &made, 0, due, l.until, result_out, rev_out, e);
	queue_schedule_close(&there);
	lock_end(&l);
	return ok;
}

/* ---- moving --------------------------------------------------------------------------------------------------------------- */

static bool wake_in(const struct lock *l, int shard, const char *act, struct err *e)
{
	struct redis_cmd cmd = {0};
	int64_t done;

	redis_fcall(&cmd, &l->q->head.options, "cron_wake", l->queue, shard);
	redis_cmd_adds(&cmd, l->name);
	redis_cmd_addi(&cmd, l->until);
	redis_cmd_adds(&cmd, act);
	return number_call(l->q, &cmd, "cron_wake", &done, e);
}

bool redis_schedule_wake(struct redis_queue *q, const char *queue, const char *name, struct err *e)
{
	struct queue_schedule s;
	struct lock l;
	bool asleep, ok;
	int got;

	lock_begin(&l, q, queue, name);
	got = lock_try(&l, e);
	if (got <= 0)
		return got == 0;
	got = find(&l, &s, &asleep, e);
	ok = got >= 0 && (!asleep || wake_in(&l, s.shard, "wake", e));
	queue_schedule_close(&s);
	lock_end(&l);
	return ok;
}

/* What is left in other shards of a move that broke off is not as it is now, and must never be woken. */
static bool forget_others(const struct lock *l, int shard, struct err *e)
{
	struct queue_shards n;
	bool ok = redis_shards_now(l->q, l->queue, &n, e);

	for (int i = 0; ok && i < n.serve; i++)
		ok = i == shard || wake_in(l, i, "forget", e);
	return ok;
}

/* kept: all of it, as cron_show answers. */
static bool take_in(const struct lock *l, int from, int shard, const struct redis_reply *kept, int64_t *done_out, struct err *e)
{
	struct redis_cmd cmd = {0};

	redis_fcall(&cmd, &l->q->head.options, "cron_take_in", l->queue, shard);
	redis_cmd_adds(&cmd, l->name);
	redis_cmd_addi(&cmd, l->until);
	redis_cmd_addi(&cmd, from);
	for (size_t i = 1; i < redis_reply_count(kept); i++) {
		size_t len = 0;
		const char *text = redis_reply_text(redis_reply_at(kept, i), &len);

		redis_cmd_add(&cmd, text ? text : "", len);
	}
	return number_call(l->q, &cmd, "cron_take_in", done_out, e);
}

/* Copy it there, asleep, and let it go here if it is still as it was copied: no tick is made by both, and if we die in between it stands
 * there or here. 1 it has left, 0: it has changed, -1. */
static int move_once(const struct lock *l, const struct queue_schedule *s, int to, struct err *e)
{
	struct redis_reply *kept = NULL;
	enum act_result result = ACT_NO_JOB;
	int64_t rev = 0, there = 0;
	bool ok = redis_schedule_raw(l->q, s->queue, s->shard, s->name, &kept, e);
	const char *due = redis_schedule_field(kept, "d"), *v = redis_schedule_field(kept, "v");

	if (ok && due && v && str_int(v, 1, INT64_MAX, &rev))
		ok = take_in(l, s->shard, to, kept, &there, e);
	FAILPOINT("schedule_copied");
	if (ok && there)
		ok = redis_schedule_drop_in(l->q, s, rev, due, l->until, &result, e);
	FAILPOINT("schedule_left");
	redis_reply_close(&kept);
	return ok ? result == ACT_DONE : -1;
}

static bool move(const struct lock *l, const struct queue_schedule *s, int to, struct err *e)
{
	int gone = 0;

	if (!forget_others(l, s->shard, e))
		return false;
	for (int i = 0; i < TRIES && !gone; i++)
		gone = move_once(l, s, to, e);
	if (gone < 0)
		return false;
	/* It was deleted or changed all the time, or its record is not whole. */
	return wake_in(l, to, gone ? "wake" : "forget", e);
}

bool redis_schedule_settle(struct queue *base, const struct queue_schedule *s, struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	struct queue_schedule there;
	struct lock l;
	bool asleep, ok;
	int home, got;

	if (!home_of(q, s, &home, e))
		return false;
	if (home == s->shard)
		return true;
	if (!lock_take(&l, q, s->queue, s->name, e))
		return false;
	got = find(&l, &there, &asleep, e); /* as it is now */
	ok = got >= 0;
	if (ok && asleep)
		ok = wake_in(&l, there.shard, "wake", e);
	if (got == 1 && ok)
		ok = home_of(q, &there, &home, e) && (home == there.shard || move(&l, &there, home, e));
	queue_schedule_close(&there);
	lock_end(&l);
	return ok;
}

bool redis_schedules_settle(struct redis_queue *q, const char *queue, struct err *e)
{
	char(*names)[SCHEDULE_NAME] = NULL;
	int n = redis_schedule_names(&q->head, queue, &names, e);
	bool ok = n >= 0;

	for (int i = 0; ok && i < n; i++) {
		struct queue_schedule s;
		int got = redis_schedule_show(&q->head, queue, names[i], &s, e);

		ok = got >= 0 && (!got || redis_schedule_settle(&q->head, &s, e));
		queue_schedule_close(&s);
	}
	mem_free(&names);
	return ok;
}

/* ---- deleting ------------------------------------------------------------------------------------------------------------- */

static bool drop_everywhere(const struct lock *l, struct queue_schedule *s, int64_t rev, enum act_result *result_out, struct err *e)
{
	struct queue_shards n;
	bool ok = redis_shards_now(l->q, l->queue, &n, e);

	for (s->shard = 0; ok && s->shard < n.serve; s->shard++) {
		enum act_result result;

		ok = redis_schedule_drop_in(l->q, s, rev, "", l->until, &result, e);
		if (ok && (result == ACT_DONE || *result_out == ACT_NO_JOB))
			*result_out = result;
	}
	return ok;
}

/* What a broken move left asleep is forgotten first: of an older revision, it would tick in the stead of what is deleted. */
bool redis_schedule_drop(struct queue *base, const char *queue, const char *name, int64_t rev, enum act_result *result_out, struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	struct queue_schedule s = {.rev = 0}, there;
	struct lock l;
	bool asleep, ok;
	int got;

	*result_out = ACT_NO_JOB;
	if (!str_copy(s.name, sizeof(s.name), name) || !str_copy(s.queue, sizeof(s.queue), queue))
		return true; /* none can have that name */
	if (!lock_take(&l, q, queue, name, e))
		return false;
	got = find(&l, &there, &asleep, e);
	ok = got >= 0 && (!got || forget_others(&l, there.shard, e)) && drop_everywhere(&l, &s, rev, result_out, e);
	queue_schedule_close(&there);
	lock_end(&l);
	return ok;
}
