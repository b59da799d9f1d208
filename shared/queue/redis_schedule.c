/* redis_schedule.c -- schedules in Redis: functions/55_cron.lua and 76_cron.lua from this side. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "queue/redis_private.h"

#define NAMES_MAX 1000
#define LOOKS     3

static void add_rev(struct redis_cmd *c, int64_t rev)
{
	if (rev < 0)
		redis_cmd_adds(c, "");
	else
		redis_cmd_addi(c, rev);
}

static void add_time(struct redis_cmd *c, int64_t ms)
{
	if (ms == CRON_NEVER)
		redis_cmd_adds(c, "inf");
	else
		redis_cmd_addi(c, ms);
}

/* {result, revision} */
static bool read_result(const struct redis_reply *r, enum act_result *out, int64_t *rev_out)
{
	int64_t result;

	if (!redis_reply_int(redis_reply_at(r, 0), &result) || !redis_reply_int(redis_reply_at(r, 1), rev_out))
		return false;
	switch (result) {
	case 1:
		*out = ACT_DONE;
		return true;
	case 0:
		*out = ACT_NO_JOB;
		return true;
	case -3:
		*out = ACT_WRONG_REV;
		return true;
	case -4:
		*out = ACT_TOO_MANY;
		return true;
	default:
		return false;
	}
}

bool redis_schedule_put_in(struct redis_queue *q, const struct queue_schedule *s, int64_t rev, int64_t due, int64_t until,
        enum act_result *result_out, int64_t *rev_out, struct err *e)
{
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	char *spec = schedule_spec_write(s), *timing = schedule_timing(s), route[JOB_ROUTE];
	bool ok;

	redis_fcall(&cmd, &q->head.options, "cron_put", s->queue, s->shard);
	redis_cmd_adds(&cmd, s->name);
	add_rev(&cmd, rev);
	redis_cmd_adds(&cmd, spec);
	redis_cmd_adds(&cmd, timing);
	job_route(route, s->kind, s->kind_version, false);
	redis_cmd_adds(&cmd, route);
	add_time(&cmd, due);
	redis_cmd_addi(&cmd, until);
	/* Not twice: the first may be what makes the second fail. */
	ok = redis_call(q, &cmd, false, &r, e);
	if (ok)
		ok = read_result(r, result_out, rev_out) || redis_bad_reply(e, "cron_put");
	redis_cmd_close(&cmd);
	redis_reply_close(&r);
	mem_free(&spec);
	mem_free(&timing);
	return ok;
}

bool redis_schedule_put(struct queue *base, const struct queue_schedule *s, int64_t rev, int64_t due, enum act_result *result_out,
        int64_t *rev_out, struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;

	if (!redis_register_queue(q, s->queue, e))
		return false;
	return rev ? redis_schedule_put_in(q, s, rev, due, 0, result_out, rev_out, e)
	           : redis_schedule_make(q, s, due, result_out, rev_out, e);
}

bool redis_schedule_drop_in(struct redis_queue *q, const struct queue_schedule *s, int64_t rev, const char *due, int64_t until,
        enum act_result *result_out, struct err *e)
{
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	int64_t now_rev;
	bool ok;

	redis_fcall(&cmd, &q->head.options, "cron_drop", s->queue, s->shard);
	redis_cmd_adds(&cmd, s->name);
	add_rev(&cmd, rev);
	redis_cmd_adds(&cmd, due);
	redis_cmd_addi(&cmd, until);
	ok = redis_call(q, &cmd, false, &r, e);
	if (ok)
		ok = read_result(r, result_out, &now_rev) || redis_bad_reply(e, "cron_drop");
	redis_cmd_close(&cmd);
	redis_reply_close(&r);
	return ok;
}

/* ---- looking ----------------------------------------------------------------------------------------------------------- */

static bool read_number(const char *text, int64_t *out)
{
	return str_int(text, 0, INT64_C(1) << 53, out);
}

/* The digits of one of this shard; whole, since the schedule has moved. */
static bool read_last_job(struct queue_schedule *s, const char *text)
{
	char queue[JOB_NAME];
	int shard;

	if (strlen(text) == QUEUE_TAIL)
		return queue_full_id(s->last_job, s->queue, s->shard, text, QUEUE_TAIL);
	return job_id_parse(text, queue, &shard) && str_eq(queue, s->queue) && str_copy(s->last_job, sizeof(s->last_job), text);
}

static bool read_field(struct queue_schedule *s, char field, const char *text)
{
	switch (field) {
	case 'v':
		return read_number(text, &s->rev);
	case 'd':
		s->paused = str_eq(text, "inf");
		return s->paused || read_number(text, &s->next_ms);
	case 'c':
		return read_number(text, &s->created_at);
	case 'u':
		return read_number(text, &s->updated_at);
	case 't':
		return read_number(text, &s->last_ms);
	case 'f':
		return read_number(text, &s->jobs);
	case 'm':
		return read_number(text, &s->passed);
	case 'o':
		return read_number(text, &s->skipped);
	case 'j':
		return read_last_job(s, text);
	case 'e':
		snprintf(s->problem, sizeof(s->problem), "%s", text);
		return true;
	default:
		return true; /* read elsewhere, or written by a newer version */
	}
}

/* It is shown, so that it can be deleted. */
static void unreadable(struct queue_schedule *out, const char *name, const char *queue, const char *why)
{
	bool fits;

	queue_schedule_close(out);
	fits = str_copy(out->name, sizeof(out->name), name) && str_copy(out->queue, sizeof(out->queue), queue);
	UNUSED(fits); /* both were checked */
	out->params = mem_strdup("{}");
	snprintf(out->problem, sizeof(out->problem), "%.190s", why);
}

/* What cannot be read is said, and is no reason to hide the rest: it must be possible to repair or delete it. */
static void read_schedule(const struct redis_reply *r, const char *queue, int shard, const char *name, struct queue_schedule *out)
{
	const char *spec = NULL;
	struct err e;

	for (size_t i = 1; i + 1 < redis_reply_count(r); i += 2) {
		const char *field = redis_reply_text(redis_reply_at(r, i), NULL);

		if (str_eq(field, "S"))
			spec = redis_reply_text(redis_reply_at(r, i + 1), NULL);
	}
	if (!spec || !schedule_spec_read(spec, name, queue, out, &e))
		unreadable(out, name, queue, spec ? e.text : "there is no text of it");
	out->shard = shard;
	for (size_t i = 1; i + 1 < redis_reply_count(r); i += 2) {
		const char *field = redis_reply_text(redis_reply_at(r, i), NULL);
		const char *text = redis_reply_text(redis_reply_at(r, i + 1), NULL);

		if (!field || !text || strlen(field) != 1 || !read_field(out, field[0], text))
			snprintf(out->problem, sizeof(out->problem), "what is kept of it cannot be read: put it again");
	}
}

bool redis_schedule_raw(struct redis_queue *q, const char *queue, int shard, const char *name, struct redis_reply **out, struct err *e)
{
	struct redis_cmd cmd = {0};
	bool ok;

	redis_fcall(&cmd, &q->head.options, "cron_show", queue, shard);
	redis_cmd_adds(&cmd, name);
	ok = redis_call(q, &cmd, true, out, e);
	redis_cmd_close(&cmd);
	return ok;
}

const char *redis_schedule_field(const struct redis_reply *r, const char *field)
{
	for (size_t i = 1; i + 1 < redis_reply_count(r); i += 2)
		if (str_eq(redis_reply_text(redis_reply_at(r, i), NULL), field))
			return redis_reply_text(redis_reply_at(r, i + 1), NULL);
	return NULL;
}

int redis_schedule_show_in(
        struct redis_queue *q, const char *queue, int shard, const char *name, struct queue_schedule *out, bool *asleep_out, struct err *e)
{
	struct redis_reply *r = NULL;
	int64_t now = 0;
	int got = -1;
	bool ok = redis_schedule_raw(q, queue, shard, name, &r, e);

	memset(out, 0, sizeof(*out));
	if (ok && !redis_reply_int(redis_reply_at(r, 0), &now))
		redis_bad_reply(e, "cron_show");
	else if (ok)
		got = redis_reply_count(r) > 1;
	*asleep_out = got == 1 && redis_schedule_field(r, "M");
	if (got == 1)
		read_schedule(r, queue, shard, name, out);
	out->now_ms = now;
	redis_reply_close(&r);
	return got;
}

static void keep_now_only(struct queue_schedule *s)
{
	int64_t now = s->now_ms;

	queue_schedule_close(s);
	s->now_ms = now;
}

int redis_schedule_look(
        struct redis_queue *q, const char *queue, int shards, const char *name, struct queue_schedule *out, int *asleep_out, struct err *e)
{
	*asleep_out = -1;
	for (int i = 0; i < shards; i++) {
		bool asleep;
		int got = redis_schedule_show_in(q, queue, i, name, out, &asleep, e);

		if (got < 0 || (got && !asleep))
			return got;
		keep_now_only(out);
		if (asleep)
			*asleep_out = i;
	}
	return 0;
}

/* One that is moved meanwhile, past us, is found by another look. One that sleeps and ticks nowhere was left by whoever moved it, maybe a moment
 * ago: then it ticks in a moment. */
int redis_schedule_show(struct queue *base, const char *queue, const char *name, struct queue_schedule *out, struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	struct queue_shards n;
	int got = 0, asleep = -1;

	memset(out, 0, sizeof(*out));
	if (!redis_shards_now(q, queue, &n, e))
		return -1;
	for (int i = 0; i < (n.serve > 1 ? LOOKS : 1) && !got; i++) {
		got = redis_schedule_look(q, queue, n.serve, name, out, &asleep, e);
		if (!got && asleep >= 0 && !redis_schedule_wake(q, queue, name, e))
			return -1;
	}
	if (!got && asleep >= 0) {
		bool still;

		got = redis_schedule_show_in(q, queue, asleep, name, out, &still, e);
	}
	return got;
}

static int names_in(struct redis_queue *q, const char *queue, int shard, char (**out)[SCHEDULE_NAME], int before, struct err *e)
{
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	size_t n, named = (size_t)before;
	bool ok;

	redis_fcall(&cmd, &q->head.options, "cron_names", queue, shard);
	ok = redis_call(q, &cmd, true, &r, e);
	redis_cmd_close(&cmd);
	n = redis_reply_count(r);
	if (ok && n > NAMES_MAX)
		ok = redis_bad_reply(e, "cron_names");
	if (ok)
		*out = mem_grow(*out, (size_t)before, (size_t)before + n + 1, sizeof(**out));
	for (size_t i = 0; ok && i < n; i++) {
		const char *name = redis_reply_text(redis_reply_at(r, i), NULL);

		/* What is no name of ours cannot be asked for. */
		named += name && schedule_name_ok(name) && str_copy((*out)[named], SCHEDULE_NAME, name);
	}
	redis_reply_close(&r);
	return ok ? (int)named : -1;
}

int redis_schedule_names(struct queue *base, const char *queue, char (**out)[SCHEDULE_NAME], struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	struct queue_shards shards;
	int n = 0;

	*out = NULL;
	if (!redis_shards_now(q, queue, &shards, e))
		return -1;
	for (int i = 0; n >= 0 && i < shards.serve; i++)
		n = names_in(q, queue, i, out, n, e);
	if (n < 0)
		mem_free(out);
	return n;
}

/* ---- making jobs ------------------------------------------------------------------------------------------------------- */

static void add_fire(struct redis_cmd *c, const struct queue_fire *f)
{
	redis_cmd_adds(c, f->schedule.name);
	if (f->expected)
		redis_cmd_addi(c, f->expected);
	else
		redis_cmd_adds(c, "");
	add_time(c, f->next);
	redis_cmd_addi(c, f->last);
	redis_cmd_addi(c, f->passed);
	redis_cmd_adds(c, f->problem);
	redis_cmd_addi(c, (int64_t)f->n);
	for (size_t i = 0; i < f->n; i++)
		redis_add_item(c, &f->items[i]);
}

void redis_fire_write(
        struct redis_cmd *c, const struct queue_options *o, const char *queue, int shard, const struct queue_fire *fires, size_t n)
{
	redis_fcall(c, o, "cron_fire", queue, shard);
	redis_cmd_addi(c, o->max_length);
	redis_cmd_addi(c, (int64_t)n);
	for (size_t i = 0; i < n; i++)
		add_fire(c, &fires[i]);
}

/* {outcome, jobs made, jobs not made, last id} */
static bool read_fired(const struct redis_reply *r, const char *queue, int shard, struct queue_fired *out)
{
	size_t len = 0;
	const char *tail = redis_reply_text(redis_reply_at(r, 3), &len);
	int64_t outcome;

	memset(out, 0, sizeof(*out));
	if (!redis_reply_int(redis_reply_at(r, 0), &outcome) || !redis_reply_int(redis_reply_at(r, 1), &out->jobs) || !tail)
		return false;
	out->outcome = outcome == 1 ? FIRED : outcome == 0 ? FIRED_NOT_OURS : FIRED_FULL;
	return !len || queue_full_id(out->last_id, queue, shard, tail, len);
}

bool redis_fire_read(const struct redis_reply *r, const char *queue, int shard, struct queue_fired *out, size_t n, int64_t *next_due_out)
{
	bool ok = redis_reply_count(r) == n + 1 && redis_reply_int(redis_reply_at(r, 0), next_due_out);

	for (size_t i = 0; ok && i < n; i++)
		ok = read_fired(redis_reply_at(r, i + 1), queue, shard, &out[i]);
	return ok;
}

bool redis_schedule_fire(struct queue *base, const struct queue_fire *f, struct queue_fired *out, struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	int64_t next_due;
	bool ok;

	redis_fire_write(&cmd, &q->head.options, f->schedule.queue, f->schedule.shard, f, 1);
	ok = redis_call(q, &cmd, false, &r, e) ||
	     (e->code == ERR_UNSURE && redis_call(q, &cmd, false, &r, e)); /* its ids make that harmless */
	redis_cmd_close(&cmd);
	if (ok)
		ok = redis_fire_read(r, f->schedule.queue, f->schedule.shard, out, 1, &next_due) || redis_bad_reply(e, "cron_fire");
	redis_reply_close(&r);
	return ok;
}

/* ---- what a step says is due ------------------------------------------------------------------------------------------- */

static bool read_due(const struct redis_reply *r, size_t at, struct queue_due *out)
{
	const char *name = redis_reply_text(redis_reply_at(r, at), NULL), *spec = redis_reply_text(redis_reply_at(r, at + 2), NULL);

	if (!name || !spec || !schedule_name_ok(name) || !str_copy(out->name, sizeof(out->name), name) ||
	        !redis_reply_int(redis_reply_at(r, at + 1), &out->due_ms) || out->due_ms < 0 || out->due_ms > INT64_C(1) << 46)
		return false;
	out->spec = mem_strdup(spec);
	return true;
}

bool redis_due_read(const struct redis_reply *r, struct queue_step_reply *out)
{
	size_t n = redis_reply_count(r) / 3;

	if (!redis_reply_count(r))
		return true;
	if (redis_reply_count(r) != 3 * n + 1 || n > QUEUE_DUE_MAX || !redis_reply_int(redis_reply_at(r, 0), &out->now_ms))
		return false;
	out->due = mem_array(QUEUE_DUE_MAX, sizeof(*out->due));
	/* One that cannot be read ticks no more, but the others do, and the step holds. */
	for (size_t i = 0; i < n; i++)
		out->n_due += read_due(r, 1 + 3 * i, &out->due[out->n_due]);
	return out->now_ms >= 0 && out->now_ms <= INT64_C(1) << 46;
}
