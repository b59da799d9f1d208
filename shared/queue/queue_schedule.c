/* queue_schedule.c -- the front of schedules: finding one by its name in whatever queue, and what makes a change whole. */
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "queue/driver.h"

#define TRIES 5 /* of a change that another one overtook */

/* ---- finding ----------------------------------------------------------------------------------------------------------- */

/* 1, 0 there is none in any queue, -1. now_ms is filled unless there is no queue at all. */
static int find(struct queue *q, const char *name, struct queue_schedule *out, struct err *e)
{
	char(*names)[JOB_NAME] = NULL;
	int n = q->driver->names(q, &names, e), got = 0;

	memset(out, 0, sizeof(*out));
	if (n < 0)
		return -1;
	for (int i = 0; i < n && !got; i++)
		got = q->driver->schedule_show(q, names[i], name, out, e);
	mem_free(&names);
	return got;
}

static bool bad_name(const char *name, struct err *e)
{
	return err_set(e, ERR_INVALID, "a schedule is named by 1 to %d of A-Z a-z 0-9 _ . -, not '%.70s'", SCHEDULE_NAME - 1, name);
}

int queue_schedule_show(struct queue *q, const char *name, struct queue_schedule *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	return schedule_name_ok(name) ? find(q, name, out, e) : 0;
}

/* Where a name stands. */
struct place {
	char name[SCHEDULE_NAME], queue[JOB_NAME];
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct place *)a)->name, ((const struct place *)b)->name);
}

/* The names of all queues that come after one, in their order; the caller frees. */
static int all_names(struct queue *q, const char *after, struct place **out, struct err *e)
{
	char(*queues)[JOB_NAME] = NULL;
	int n_queues = q->driver->names(q, &queues, e), n = 0;
	bool ok = n_queues >= 0;

	*out = NULL;
	for (int i = 0; ok && i < n_queues; i++) {
		char(*some)[SCHEDULE_NAME] = NULL;
		int more = q->driver->schedule_names(q, queues[i], &some, e);

		ok = more >= 0;
		if (more > 0)
			*out = mem_grow(*out, (size_t)n, (size_t)(n + more), sizeof(**out));
		for (int k = 0; k < more; k++) {
			if (strcmp(some[k], after) <= 0)
				continue;
			memcpy((*out)[n].name, some[k], SCHEDULE_NAME);
			memcpy((*out)[n++].queue, queues[i], JOB_NAME);
		}
		mem_free(&some);
	}
	mem_free(&queues);
	if (n > 0)
		qsort(*out, (size_t)n, sizeof(**out), by_name);
	return ok ? n : -1;
}

int queue_schedule_list(struct queue *q, const char *after, int limit, struct queue_schedule *out, struct err *e)
{
	struct place *places = NULL;
	int n = all_names(q, after, &places, e), filled = 0, got = 0;

	for (int i = 0; i < n && filled < limit && got >= 0; i++) {
		const struct place *p = &places[i];

		if (i > 0 && str_eq(p->name, p[-1].name))
			continue;
		memset(&out[filled], 0, sizeof(*out));
		got = q->driver->schedule_show(q, p->queue, p->name, &out[filled], e);
		if (got == 0)
			got = find(q, p->name, &out[filled], e); /* it was deleted meanwhile, or made anew in another queue */
		filled += got > 0;
	}
	mem_free(&places);
	if (n >= 0 && got >= 0)
		return filled;
	for (int i = 0; i < filled; i++)
		queue_schedule_close(&out[i]);
	return -1;
}

/* ---- changing ---------------------------------------------------------------------------------------------------------- */

/* An interval starts where it did before, else now. */
static void keep_start(struct queue_schedule *s, const struct queue_schedule *old)
{
	if (s->every_ms && !s->start_ms)
		s->start_ms = old->rev && old->every_ms == s->every_ms ? old->start_ms : old->now_ms;
}

static bool first_tick(const struct queue_schedule *s, int64_t now_ms, int64_t *out, struct err *e)
{
	struct ticks t;

	if (!schedule_ticks(s, &t, e))
		return false;
	*out = ticks_next(&t, now_ms);
	if (*out == CRON_NEVER)
		return err_set(e, ERR_INVALID, "'%s' names no time that ever comes", s->cron);
	if (s->paused)
		*out = CRON_NEVER;
	return true;
}

static bool put_refused(const struct queue_schedule *s, enum act_result result, int64_t rev, struct err *e)
{
	if (result == ACT_TOO_MANY)
		return err_set(e, ERR_FULL, "shard %d of queue %s holds as many schedules as it may, 1000", s->shard, s->queue);
	if (!rev)
		return err_set(e, ERR_STALE, "schedule %s does not exist", s->name);
	return err_set(e, ERR_STALE, "schedule %s has revision %lld", s->name, (long long)rev);
}

/* old is what was found under its name, if anything; it is of the same queue. It must still be so: a new one of this name might be made in
 * another shard, and an old one is moved from shard to shard. */
static bool put_over(struct queue *q, struct queue_schedule *s, const struct queue_schedule *old, int64_t rev, struct err *e)
{
	enum act_result result = ACT_DONE;
	int64_t due, new_rev = 0;

	keep_start(s, old);
	s->shard = old->shard;
	if (!schedule_check(s, e) || !first_tick(s, old->now_ms, &due, e) ||
	        !q->driver->schedule_put(q, s, rev < 0 ? old->rev : rev, due, &result, &new_rev, e))
		return false;
	return result == ACT_DONE ? true : put_refused(s, result, new_rev, e);
}

static bool read_again(struct queue *q, struct queue_schedule *s, struct err *e)
{
	struct queue_schedule found;
	int got = q->driver->schedule_show(q, s->queue, s->name, &found, e);

	if (got <= 0)
		return got < 0 ? false : err_set(e, ERR_NOT_FOUND, "schedule %s was deleted meanwhile", s->name);
	queue_schedule_close(s);
	*s = found;
	return true;
}

static bool put_once(struct queue *q, struct queue_schedule *s, int64_t rev, struct err *e)
{
	struct queue_schedule old;
	int got = find(q, s->name, &old, e);
	bool ok;

	if (got == 0) /* for the server's clock: there may be no queue yet */
		got = q->driver->schedule_show(q, s->queue, s->name, &old, e);
	if (got < 0)
		return false;
	ok = !old.rev || str_eq(old.queue, s->queue);
	if (!ok)
		err_set(e, ERR_CONFLICT, "schedule %s belongs to queue %s: delete it first, or give this one another name", s->name,
		        old.queue);
	ok = ok && put_over(q, s, &old, rev, e) && read_again(q, s, e) && q->driver->schedule_settle(q, s, e);
	queue_schedule_close(&old);
	return ok;
}

bool queue_schedule_put(struct queue *q, struct queue_schedule *s, int64_t rev, struct err *e)
{
	struct ticks t;
	bool ok = false;

	if (!job_queue_ok(s->queue))
		return err_set(e, ERR_INVALID, "there can be no queue named %.30s", s->queue);
	if (!schedule_name_ok(s->name))
		return bad_name(s->name, e);
	if (!schedule_ticks(s, &t, e))
		return false;
	for (int i = 0; i < TRIES && !ok; i++) {
		ok = put_once(q, s, rev, e);
		if (!ok && (rev >= 0 || (e->code != ERR_STALE && e->code != ERR_UNSURE)))
			return false;
	}
	return ok;
}

int queue_schedule_delete(struct queue *q, const char *name, int64_t rev, struct err *e)
{
	struct queue_schedule s;
	enum act_result result = ACT_NO_JOB;
	int got = schedule_name_ok(name) ? find(q, name, &s, e) : 0;

	if (got <= 0)
		return got;
	if (!q->driver->schedule_drop(q, s.queue, name, rev, &result, e))
		got = -1;
	queue_schedule_close(&s);
	if (got > 0 && result == ACT_WRONG_REV)
		return err_fail(e, ERR_STALE, "schedule %s has another revision", name);
	return got < 0 ? -1 : result == ACT_DONE;
}

int queue_schedule_pause(struct queue *q, const char *name, bool paused, struct err *e)
{
	struct queue_schedule s;
	int got;
	bool ok = false;

	for (int i = 0; i < TRIES && !ok; i++) {
		got = queue_schedule_show(q, name, &s, e);
		if (got <= 0)
			return got;
		s.paused = paused;
		ok = queue_schedule_put(q, &s, s.rev, e);
		queue_schedule_close(&s);
		if (!ok && e->code != ERR_STALE)
			return -1;
	}
	return ok ? 1 : -1;
}

int queue_schedule_run(struct queue *q, const char *name, char id_out[JOB_ID], struct err *e)
{
	struct queue_fire f = {0};
	struct queue_fired fired;
	uint64_t chance;
	int got = queue_schedule_show(q, name, &f.schedule, e);
	bool ok;

	if (got <= 0)
		return got;
	f.items = mem_array(1, sizeof(*f.items));
	f.n = 1;
	f.next = CRON_NEVER;
	schedule_job(&f.schedule, f.schedule.now_ms, f.tags, f.key, &f.items[0]);
	digest_random(&chance, sizeof(chance));
	job_id_make(f.items[0].id, f.schedule.queue, f.schedule.shard, f.schedule.now_ms, chance);
	ok = queue_submission_check(&f.items[0], e) && q->driver->schedule_fire(q, &f, &fired, e);
	if (ok && fired.outcome == FIRED_FULL) {
		ok = err_set(e, ERR_FULL, "queue %s is full: try again later", f.schedule.queue);
		e->retry_after_ms = 1000;
	}
	if (ok)
		memcpy(id_out, fired.last_id, JOB_ID);
	schedule_fire_close(&f);
	return !ok ? -1 : fired.outcome == FIRED;
}
