/* schedule_spec.c -- a schedule as text in the queue, its timing, and the jobs that a tick makes of it. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/time.h"
#include "queue/driver.h"

void queue_schedule_close(struct queue_schedule *s)
{
	mem_free(&s->params);
	memset(s, 0, sizeof(*s));
}

void queue_due_close(struct queue_due *due, size_t n)
{
	for (size_t i = 0; i < n; i++)
		mem_free(&due[i].spec);
	mem_free(&due);
}

/* ---- text ------------------------------------------------------------------------------------------------------------- */

static void put_text(struct json_writer *w, const char *name, const char *text)
{
	if (text[0])
		jw_text(w, name, text);
}

static void put_int(struct json_writer *w, const char *name, int64_t v)
{
	if (v)
		jw_int(w, name, v);
}

/* What its jobs are given; what is 0 or "" is left out. */
static void put_job(struct json_writer *w, const struct queue_schedule *s)
{
	jw_int(w, "priority", s->priority);
	put_int(w, "max_attempts", s->max_attempts);
	put_int(w, "max_crashes", s->max_crashes);
	put_int(w, "quarantine_after", s->quarantine_after);
	put_int(w, "backoff_ms", s->backoff_ms);
	put_int(w, "backoff_cap_ms", s->backoff_cap_ms);
	put_int(w, "result_ttl_ms", s->result_ttl_ms);
	put_int(w, "time_limit_ms", s->time_limit_ms);
	put_int(w, "hard_limit_ms", s->hard_limit_ms);
	put_text(w, "lane", s->lane);
	put_text(w, "unique_key", s->unique_key);
	put_int(w, "unique", s->unique);
	put_text(w, "concurrency_key", s->concurrency_key);
	put_int(w, "max_concurrent", s->max_concurrent);
	if (s->rate.key[0])
		job_rate_to_json(&s->rate, w);
	put_text(w, "tags", s->tags);
}

char *schedule_spec_write(const struct queue_schedule *s)
{
	struct buf b = {0};
	struct json_writer w = json_writer_on(&b);

	jw_object(&w, NULL);
	jw_text(&w, "kind", s->kind);
	jw_int(&w, "version", s->kind_version);
	jw_raw(&w, "params", s->params ? s->params : "{}");
	put_text(&w, "cron", s->cron);
	if (s->every_ms) {
		jw_int(&w, "every_ms", s->every_ms);
		jw_int(&w, "start_ms", s->start_ms);
	}
	jw_text(&w, "missed", ticks_missed_name(s->missed));
	jw_bool(&w, "overlap_skip", s->overlap_skip);
	put_job(&w, s);
	jw_end(&w);
	return buf_detach(&b);
}

/* What says when it ticks, and nothing else. */
char *schedule_timing(const struct queue_schedule *s)
{
	struct buf b = {0};

	if (s->every_ms)
		buf_addf(&b, "every %lld from %lld", (long long)s->every_ms, (long long)s->start_ms);
	else
		buf_addf(&b, "cron %s", s->cron);
	return buf_detach(&b);
}

static bool copy_text(const struct json *j, const char *name, char *out, size_t size)
{
	return str_copy(out, size, json_get_text(j, name, ""));
}

static bool read_rate(const struct json *j, struct job_rate *r)
{
	r->limit = json_get_int(j, "limit", 0);
	r->window_ms = json_get_int(j, "window_ms", 0);
	r->cost = json_get_int(j, "cost", 0);
	return copy_text(j, "key", r->key, sizeof(r->key));
}

static bool read_job(const struct json *j, struct queue_schedule *s)
{
	int64_t unique = json_get_int(j, "unique", UNIQUE_RETURN);

	s->priority = (int)json_get_int(j, "priority", -1);
	s->max_attempts = (int)json_get_int(j, "max_attempts", 0);
	s->max_crashes = (int)json_get_int(j, "max_crashes", 0);
	s->quarantine_after = (int)json_get_int(j, "quarantine_after", 0);
	s->backoff_ms = json_get_int(j, "backoff_ms", 0);
	s->backoff_cap_ms = json_get_int(j, "backoff_cap_ms", 0);
	s->result_ttl_ms = json_get_int(j, "result_ttl_ms", 0);
	s->time_limit_ms = json_get_int(j, "time_limit_ms", 0);
	s->hard_limit_ms = json_get_int(j, "hard_limit_ms", 0);
	s->max_concurrent = (int)json_get_int(j, "max_concurrent", 0);
	s->unique = (enum unique_policy)unique;
	return unique >= UNIQUE_RETURN && unique <= UNIQUE_KEEP_NEWEST && read_rate(json_get(j, "rate"), &s->rate) &&
	       copy_text(j, "concurrency_key", s->concurrency_key, sizeof(s->concurrency_key)) &&
	       copy_text(j, "lane", s->lane, sizeof(s->lane)) && copy_text(j, "unique_key", s->unique_key, sizeof(s->unique_key)) &&
	       copy_text(j, "tags", s->tags, sizeof(s->tags));
}

static bool read_spec(const struct json *j, struct queue_schedule *s)
{
	const struct json *params = json_get(j, "params");

	s->kind_version = (int)json_get_int(j, "version", 0);
	s->every_ms = json_get_int(j, "every_ms", 0);
	s->start_ms = json_get_int(j, "start_ms", 0);
	s->overlap_skip = json_get_bool(j, "overlap_skip", false);
	if (!json_is(params, JSON_OBJECT))
		return false;
	s->params = json_to_text(params);
	return copy_text(j, "kind", s->kind, sizeof(s->kind)) && copy_text(j, "cron", s->cron, sizeof(s->cron)) && read_job(j, s) &&
	       ticks_missed_of(json_get_text(j, "missed", ""), &s->missed);
}

bool schedule_spec_read(const char *text, const char *name, const char *queue, struct queue_schedule *out, struct err *e)
{
	struct json *j = json_parse(text, strlen(text), e);
	struct ticks t;
	bool ok = j && str_copy(out->name, sizeof(out->name), name) && str_copy(out->queue, sizeof(out->queue), queue) && read_spec(j, out);

	json_close(&j);
	if (ok)
		return schedule_ticks(out, &t, e) && schedule_check(out, e);
	return err_set(e, ERR_CORRUPT, "what is kept of schedule %.64s is not one of ours", name);
}

/* ---- checks ------------------------------------------------------------------------------------------------------------ */

bool schedule_name_ok(const char *name)
{
	return str_is_name(name, SCHEDULE_NAME - 1, "_.-");
}

bool schedule_ticks(const struct queue_schedule *s, struct ticks *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	if (s->cron[0] && s->every_ms)
		return err_set(e, ERR_INVALID, "a schedule has either a cron expression or an interval, not both");
	if (s->cron[0])
		return cron_parse(s->cron, &out->cron, e);
	if (s->every_ms < 10 || s->every_ms > 366 * TIME_DAY)
		return err_set(e, ERR_INVALID, "a schedule needs a cron expression, or an interval of 10 ms to 366 days");
	if (s->start_ms < 0 || s->start_ms > INT64_C(1) << 46)
		return err_set(e, ERR_INVALID, "the start of an interval is out of range");
	out->every_ms = s->every_ms;
	out->start_ms = s->start_ms;
	return true;
}

bool schedule_check(struct queue_schedule *s, struct err *e)
{
	struct queue_submission job;
	char tags[JOB_TAGS], key[JOB_KEY];

	if (!schedule_name_ok(s->name))
		return err_set(
		        e, ERR_INVALID, "a schedule is named by 1 to %d of A-Z a-z 0-9 _ . -, not '%.70s'", SCHEDULE_NAME - 1, s->name);
	if (s->params && strlen(s->params) > SCHEDULE_PARAMS)
		return err_set(
		        e, ERR_INVALID, "the parameters of a schedule are at most %d bytes, not %zu", SCHEDULE_PARAMS, strlen(s->params));
	schedule_job(s, 1, tags, key, &job);
	return queue_submission_check(&job, e);
}

/* ---- jobs -------------------------------------------------------------------------------------------------------------- */

/* The same tick of the same schedule is the same job, however often it is asked for. */
static uint64_t chance_of(const char *name, int64_t tick)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325) ^ (uint64_t)tick;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
	h = (h ^ h >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
	return h ^ h >> 32;
}

/* tags and key are written and must live as long as *out. */
void schedule_job(const struct queue_schedule *s, int64_t tick, char tags[JOB_TAGS], char key[JOB_KEY], struct queue_submission *out)
{
	snprintf(tags, JOB_TAGS, "schedule:%s%s%s", s->name, s->tags[0] ? "," : "", s->tags);
	snprintf(key, JOB_KEY, s->overlap_skip ? "schedule:%s" : "%s", s->overlap_skip ? s->name : s->unique_key);
	*out = (struct queue_submission){.kind = s->kind,
	        .queue = s->queue,
	        .params = s->params,
	        .lane = s->lane[0] ? s->lane : NULL,
	        .priority = s->priority,
	        .kind_version = s->kind_version,
	        .max_attempts = s->max_attempts,
	        .max_crashes = s->max_crashes,
	        .quarantine_after = s->quarantine_after,
	        .backoff_ms = s->backoff_ms,
	        .backoff_cap_ms = s->backoff_cap_ms,
	        .result_ttl_ms = s->result_ttl_ms,
	        .time_limit_ms = s->time_limit_ms,
	        .hard_limit_ms = s->hard_limit_ms,
	        .concurrency_key = s->concurrency_key[0] ? s->concurrency_key : NULL,
	        .max_concurrent = s->max_concurrent,
	        .rate = s->rate,
	        .unique_key = key[0] ? key : NULL,
	        .unique = s->overlap_skip ? UNIQUE_RETURN : s->unique,
	        .tags = tags};
	job_id_make(out->id, s->queue, s->shard, tick, chance_of(s->name, tick));
}

int queue_schedule_coming(const struct queue_schedule *s, int64_t *out, int max)
{
	struct ticks t;
	struct err e;
	int64_t at = s->now_ms;
	int n = 0;

	if (s->paused || !schedule_ticks(s, &t, &e))
		return 0;
	while (n < max && (at = ticks_next(&t, at)) != CRON_NEVER)
		out[n++] = at;
	return n;
}

/* ---- plans ------------------------------------------------------------------------------------------------------------- */

#define AGAIN_MS  TIME_MINUTE   /* what cannot be read is looked at again after this */
#define BYTES_MAX (1024 * 1024) /* of parameters in the jobs of one schedule */

static void plan_jobs(struct queue_fire *f, const struct ticks_plan *p)
{
	f->items = mem_array(p->n ? p->n : 1, sizeof(*f->items));
	for (f->n = 0; f->n < p->n; f->n++)
		schedule_job(&f->schedule, p->fire[f->n], f->tags, f->key, &f->items[f->n]);
	for (size_t i = 0; i < f->n; i++) {
		struct err e;
		bool ok = queue_submission_check(&f->items[i], &e); /* the same was checked with the spec; this fills in defaults */

		UNUSED(ok);
	}
}

void schedule_fire(const struct queue_due *due, const char *queue, int shard, int64_t now_ms, size_t max, struct queue_fire *out)
{
	struct ticks t;
	struct ticks_plan p;
	struct err e;
	size_t most;

	memset(out, 0, sizeof(*out));
	out->expected = due->due_ms;
	if (!schedule_spec_read(due->spec, due->name, queue, &out->schedule, &e) || !schedule_ticks(&out->schedule, &t, &e)) {
		queue_schedule_close(&out->schedule);
		memcpy(out->schedule.name, due->name, sizeof(due->name));
		snprintf(out->problem, sizeof(out->problem), "%.190s", e.text);
		out->next = now_ms + AGAIN_MS;
		return;
	}
	out->schedule.shard = shard;
	most = BYTES_MAX / (strlen(out->schedule.params) + 1) + 1;
	ticks_plan(&t, out->schedule.missed, due->due_ms, now_ms, most < max ? most : max, &p);
	plan_jobs(out, &p);
	out->next = p.next;
	out->passed = p.missed;
	out->last = p.n ? p.fire[p.n - 1] : 0;
}

void schedule_fire_close(struct queue_fire *f)
{
	queue_schedule_close(&f->schedule);
	mem_free(&f->items);
}
