/* redis_schedule_move.c -- which shard of its queue a schedule stands in, and how it gets there: asleep, let go, woken. */
#include <string.h>

#include "base/mem.h"
#include "queue/redis_private.h"

#define TRIES 5 /* of a move that a tick or a change overtook */

/* What its jobs share with others must be counted in one place; else its name says. */
static bool home_of(struct redis_queue *q, const struct queue_schedule *s, int *out, struct err *e)
{
	char tags[JOB_TAGS], key[JOB_KEY];
	struct queue_submission job;
	struct queue_shards n;

	if (!redis_shards(q, s->queue, &n, e))
		return false;
	schedule_job(s, 1, tags, key, &job);
	*out = redis_shard_of_keys(&job, s->name, n.put);
	return true;
}

/* from: the shard that it leaves, -1: it is made. *until_out may be NULL. */
static bool place(
        struct redis_queue *q, const struct queue_schedule *s, int to, int from, int *shard_out, int64_t *until_out, struct err *e)
{
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	int64_t shard, until;
	bool ok;

	redis_fcall(&cmd, &q->head.options, "cron_place", s->queue, 0);
	redis_cmd_adds(&cmd, s->name);
	redis_cmd_addi(&cmd, to);
	if (from < 0)
		redis_cmd_adds(&cmd, "");
	else
		redis_cmd_addi(&cmd, from);
	ok = redis_call(q, &cmd, true, &r, e);
	redis_cmd_close(&cmd);
	if (ok && (!redis_reply_int(redis_reply_at(r, 0), &shard) || !redis_reply_int(redis_reply_at(r, 1), &until) || shard < 0 ||
	                  shard >= QUEUE_SHARDS_MAX))
		ok = redis_bad_reply(e, "cron_place");
	redis_reply_close(&r);
	if (!ok)
		return false;
	*shard_out = (int)shard;
	*until_out = until;
	return true;
}

bool redis_schedule_place(struct queue *base, struct queue_schedule *s, int64_t *until_out, struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	int home;

	return redis_register_queue(q, s->queue, e) && home_of(q, s, &home, e) && place(q, s, home, -1, &s->shard, until_out, e);
}

/* 1, 0, -1 */
static int number_call(struct redis_queue *q, const struct redis_cmd *cmd, const char *function, struct err *e)
{
	struct redis_reply *r = NULL;
	int64_t done = 0;
	bool ok = redis_call(q, cmd, true, &r, e) && (redis_reply_int(r, &done) || redis_bad_reply(e, function));

	redis_reply_close(&r);
	return ok ? done != 0 : -1;
}

bool redis_schedule_wake(struct redis_queue *q, const char *queue, int shard, const char *name, struct err *e)
{
	struct redis_cmd cmd = {0};
	int done;

	redis_fcall(&cmd, &q->head.options, "cron_wake", queue, shard);
	redis_cmd_adds(&cmd, name);
	done = number_call(q, &cmd, "cron_wake", e);
	redis_cmd_close(&cmd);
	return done >= 0;
}

/* kept: all of it, as cron_show answers. */
static int take_in(struct redis_queue *q, const struct queue_schedule *s, int shard, const struct redis_reply *kept, struct err *e)
{
	struct redis_cmd cmd = {0};
	int done;

	redis_fcall(&cmd, &q->head.options, "cron_take_in", s->queue, shard);
	redis_cmd_adds(&cmd, s->name);
	for (size_t i = 1; i < redis_reply_count(kept); i++) {
		size_t len = 0;
		const char *text = redis_reply_text(redis_reply_at(kept, i), &len);

		redis_cmd_add(&cmd, text ? text : "", len);
	}
	done = number_call(q, &cmd, "cron_take_in", e);
	redis_cmd_close(&cmd);
	return done;
}

/* Copy it there, asleep, and let it go here if it is still as it was copied: no tick is made by both, and if we die in between it stands
 * there or here. 1 gone, 0: it has changed, -1. */
static int move_once(struct redis_queue *q, const struct queue_schedule *s, int to, struct err *e)
{
	struct redis_reply *kept = NULL;
	enum act_result result = ACT_NO_JOB;
	const char *due = NULL, *rev = NULL;
	int64_t number = 0;
	int there = -1;

	if (redis_schedule_raw(q, s->queue, s->shard, s->name, &kept, e)) {
		due = redis_schedule_field(kept, "d");
		rev = redis_schedule_field(kept, "v");
		there = due && rev && str_int(rev, 0, INT64_MAX, &number) ? take_in(q, s, to, kept, e) : 1;
	}
	/* What cannot be read stays; one of this name that ticks there already is somebody else's doing. */
	if (there > 0 && due && !redis_schedule_drop_in(q, s, number, due, &result, e))
		there = -1;
	redis_reply_close(&kept);
	if (there < 0)
		return -1;
	return there == 0 || !due || result == ACT_DONE;
}

bool redis_schedule_settle(struct queue *base, const struct queue_schedule *s, struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	int home, at, gone = 0;
	int64_t until;

	if (!home_of(q, s, &home, e))
		return false;
	if (home == s->shard)
		return true;
	if (!place(q, s, home, s->shard, &at, &until, e))
		return false;
	if (at != home)
		return true; /* another one moves it */
	for (int i = 0; i < TRIES && !gone; i++)
		gone = move_once(q, s, home, e);
	if (gone < 0)
		return false;
	return gone ? redis_schedule_wake(q, s->queue, home, s->name, e)
	            : err_set(e, ERR_UNAVAILABLE, "schedule %s changes all the time, so that it cannot be moved: try again", s->name);
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
