/* schedule_json.c -- a schedule as requests say it and as answers show it. */
#include "api/schedule_json.h"

#include <string.h>

#include "api/job_options.h"
#include "api/reply.h"
#include "api/submit.h"
#include "base/mem.h"
#include "base/span.h"
#include "base/str.h"
#include "base/time.h"
#include "kinds/kind.h"

#define COMING 5

static const struct param members[] = {
        {"name", PARAM_TEXT, .min = 1, .max = SCHEDULE_NAME - 1, .help = "how it is called"},
        {"kind", PARAM_TEXT, .required = true, .min = 1, .max = JOB_NAME - 1, .help = "what to do; GET /api/kinds lists the kinds"},
        {"params", PARAM_OBJECT, .fallback = "{}", .help = "the kind's parameters"},
        {"cron", PARAM_TEXT, .min = 1, .max = CRON_TEXT - 1, .help = "minute hour day month weekday, UTC; or with seconds before them"},
        {"every", PARAM_TEXT, .min = 1, .max = 31, .help = "instead of cron: an interval such as 90s, 15m or 1h30m"},
        {"start", PARAM_TIME, .help = "from when every counts; usually now"},
        {"timezone", PARAM_TEXT, .fallback = "\"UTC\"", .min = 1, .max = 64, .help = "UTC; there is no other"},
        {"missed", PARAM_CHOICE, .fallback = "\"skip\"", .choices = "skip|once|all", .help = "ticks that no worker lived to see"},
        {"overlap", PARAM_CHOICE, .fallback = "\"allow\"", .choices = "allow|skip", .help = "a tick while the job before lives"},
#include "api/job_options.def"
        {"unique_key", PARAM_TEXT, .min = 1, .max = JOB_KEY - 1, .help = "at most one live job of its kind has this key"},
        {"unique", PARAM_CHOICE, .fallback = "\"return\"", .choices = "return|reject|replace|keep_newest",
                .help = "what to do when one has"},
        {"tags", PARAM_TEXT, .min = 0, .max = SCHEDULE_TAGS - 1, .help = "labels with commas between, beside schedule:NAME"},
        {"paused", PARAM_FLAG, .fallback = "false", .help = "make no jobs for now"},
};

/* ---- requests ----------------------------------------------------------------------------------------------------------- */

static bool refuse(struct call *c, const struct err *e)
{
	reply_err(c, e, NULL);
	return false;
}

static bool fill_timing(struct call *c, const struct json *in, struct queue_schedule *s)
{
	const char *cron = json_get_text(in, "cron", NULL), *every = json_get_text(in, "every", NULL);
	const char *start = json_get_text(in, "start", NULL), *zone = json_get_text(in, "timezone", "UTC");
	struct cron parsed;
	struct err e = {0};

	if (!str_eq(zone, "UTC") && !str_eq(zone, "Etc/UTC")) {
		reply_detail(c, 422, "the time zone of a schedule is UTC, not '%s': give its hours in UTC", reply_excerpt(c, zone));
		return false;
	}
	if (!cron == !every || (start && !every)) {
		reply_detail(c, 422, "give either cron or every, and start only with every");
		return false;
	}
	if (every && !span_parse(every, &s->every_ms, &e))
		return refuse(c, &e);
	if (cron && (!cron_parse(cron, &parsed, &e) || !str_copy(s->cron, sizeof s->cron, cron)))
		return refuse(c, &e);
	if (start && (!time_parse(start, &s->start_ms, NULL) || s->start_ms < 1)) {
		reply_detail(c, 422, "start is '%s', which is no time after 1970", reply_excerpt(c, start));
		return false;
	}
	return true;
}

static bool copy(char *out, size_t size, const char *text)
{
	return str_copy(out, size, text ? text : "");
}

/* False: a text is too long. */
static bool take_options(const struct queue_submission *job, struct queue_schedule *s)
{
	s->kind_version = job->kind_version;
	s->priority = job->priority;
	s->max_attempts = job->max_attempts;
	s->max_crashes = job->max_crashes;
	s->quarantine_after = job->quarantine_after;
	s->backoff_ms = job->backoff_ms;
	s->backoff_cap_ms = job->backoff_cap_ms;
	s->result_ttl_ms = job->result_ttl_ms;
	s->time_limit_ms = job->time_limit_ms;
	s->hard_limit_ms = job->hard_limit_ms;
	s->max_concurrent = job->max_concurrent;
	s->rate = job->rate;
	s->unique = job->unique;
	return copy(s->kind, sizeof s->kind, job->kind) && copy(s->queue, sizeof s->queue, job->queue) &&
	       copy(s->lane, sizeof s->lane, job->lane) && copy(s->tags, sizeof s->tags, job->tags) &&
	       copy(s->unique_key, sizeof s->unique_key, job->unique_key) &&
	       copy(s->concurrency_key, sizeof s->concurrency_key, job->concurrency_key);
}

/* What is said of its jobs, with checked parameters. */
static bool fill_job(struct call *c, const struct json *in, const struct kind *k, const struct json *params, struct queue_schedule *s)
{
	struct queue_submission job = {0};
	struct err e = {0};

	job_options_unique(in, k, params, c->arena, &job);
	if (s->overlap_skip && (json_get_text(in, "unique_key", NULL) || job.unique != UNIQUE_RETURN)) {
		reply_detail(c, 422, "give either overlap skip or unique_key and unique: each says how many jobs live at a time");
		return false;
	}
	if (!job_options_read(in, k, params, c->arena, &job, &e))
		return refuse(c, &e);
	if (take_options(&job, s))
		return true;
	reply_detail(c, 422, "a member of the schedule is too long");
	return false;
}

static bool fill_kind(struct call *c, const struct json *in, struct queue_schedule *s)
{
	const struct kind *k = kind_of(json_get_text(in, "kind", ""));
	struct err e = {0};

	if (!k) {
		reply_detail(
		        c, 422, "there is no kind '%s'; GET /api/kinds lists the kinds", reply_excerpt(c, json_get_text(in, "kind", "")));
		return false;
	}
	struct json *params = kind_check(k, json_get(in, "params"), false, &e);
	if (!params)
		return refuse(c, &e);
	s->params = json_to_text(params);
	bool ok = fill_job(c, in, k, params, s);
	json_close(&params);
	return ok;
}

/* The table has checked the choices. */
static bool fill_rest(const struct json *in, struct queue_schedule *s)
{
	s->paused = json_get_bool(in, "paused", false);
	s->overlap_skip = str_eq(json_get_text(in, "overlap", ""), "skip");
	return ticks_missed_of(json_get_text(in, "missed", "skip"), &s->missed);
}

static bool name_fits(struct call *c, const char *name, const struct json *in, struct queue_schedule *s)
{
	const char *said = json_get_text(in, "name", name);

	if (!str_eq(said, name)) {
		reply_detail(c, 422, "the path names schedule '%s', the body '%s'", reply_excerpt(c, name), reply_excerpt(c, said));
		return false;
	}
	if (str_copy(s->name, sizeof s->name, name) && str_is_name(name, SCHEDULE_NAME - 1, "_.-"))
		return true;
	reply_detail(c, 422, "a schedule is named by 1 to %d of A-Z a-z 0-9 _ . -, not '%s'", SCHEDULE_NAME - 1, reply_excerpt(c, name));
	return false;
}

bool schedule_of_json(struct call *c, const char *name, const struct json *body, struct queue_schedule *out)
{
	struct json *plain = json_copy(body), *in = NULL;
	struct err e = {0};
	bool ok = submit_join_tags(c, plain);

	memset(out, 0, sizeof *out);
	if (ok && !(in = params_check(members, ARRAY_LEN(members), plain, false, &e)))
		ok = refuse(c, &e);
	ok = ok && name_fits(c, name, in, out) && fill_timing(c, in, out) && fill_rest(in, out) && fill_kind(c, in, out);
	json_close(&plain);
	json_close(&in);
	if (!ok)
		queue_schedule_close(out);
	return ok;
}

/* ---- answers ------------------------------------------------------------------------------------------------------------- */

static struct json *params_of(const struct queue_schedule *s)
{
	struct err e;
	struct json *params = json_parse(s->params, strlen(s->params), &e);

	return params ? params : json_new_object();
}

static void put_number(struct json *j, const char *name, int64_t v)
{
	if (v)
		json_put_int(j, name, v);
}

static void put_rate(struct json *j, const struct job_rate *r)
{
	struct json *o = json_new_object();

	json_put_text(o, "key", r->key);
	json_put_int(o, "limit", r->limit);
	json_put_int(o, "window_ms", r->window_ms);
	json_put_int(o, "cost", r->cost);
	json_put(j, "rate", o);
}

/* Keys that are the kind's own are not part of what was asked for: with other parameters they are others. */
static void put_keys(struct json *j, const struct queue_schedule *s)
{
	const struct kind *k = kind_of(s->kind);
	struct json *params = params_of(s);
	char unique[JOB_KEY] = "", shared[JOB_KEY] = "";
	int max = 0;

	if (k && k->unique_key)
		k->unique_key(params, unique);
	if (k && k->concurrency)
		k->concurrency(params, shared, &max);
	json_close(&params);
	if (s->unique_key[0] && !str_eq(s->unique_key, unique))
		json_put_text(j, "unique_key", s->unique_key);
	if (s->unique != UNIQUE_RETURN)
		json_put_text(j, "unique", job_options_policy(s->unique));
	if (!s->concurrency_key[0] || (str_eq(s->concurrency_key, shared) && s->max_concurrent == max))
		return;
	struct json *o = json_new_object();
	json_put_text(o, "key", s->concurrency_key);
	json_put_int(o, "max", s->max_concurrent);
	json_put(j, "concurrency", o);
}

static void put_options(struct json *j, const struct queue_schedule *s)
{
	const struct kind *k = kind_of(s->kind);

	json_put_int(j, "priority", s->priority);
	put_number(j, "max_attempts", s->max_attempts);
	put_number(j, "max_crashes", s->max_crashes);
	put_number(j, "quarantine_after", s->quarantine_after);
	put_number(j, "backoff_ms", k && k->backoff_ms == s->backoff_ms ? 0 : s->backoff_ms);
	put_number(j, "backoff_cap_ms", k && k->backoff_cap_ms == s->backoff_cap_ms ? 0 : s->backoff_cap_ms);
	put_number(j, "result_ttl_ms", s->result_ttl_ms);
	put_number(j, "time_limit_ms", s->time_limit_ms);
	put_number(j, "hard_limit_ms", s->hard_limit_ms);
	if (s->lane[0])
		json_put_text(j, "lane", s->lane);
	put_keys(j, s);
	if (s->rate.key[0])
		put_rate(j, &s->rate);
}

struct json *schedule_request(const struct queue_schedule *s)
{
	struct json *j = json_new_object();
	char text[TIME_TEXT];

	json_put_text(j, "name", s->name);
	json_put_text(j, "kind", s->kind);
	json_put(j, "params", params_of(s));
	if (s->every_ms) {
		span_print(text, s->every_ms);
		json_put_text(j, "every", text);
		time_print_iso(text, s->start_ms);
		json_put_text(j, "start", text);
	} else {
		json_put_text(j, "cron", s->cron);
	}
	json_put_text(j, "timezone", "UTC");
	json_put_text(j, "missed", ticks_missed_name(s->missed));
	json_put_text(j, "overlap", s->overlap_skip ? "skip" : "allow");
	put_options(j, s);
	json_put_text(j, "tags", s->tags);
	json_put_bool(j, "paused", s->paused);
	return j;
}

static void write_time(struct json_writer *w, const char *name, int64_t ms)
{
	if (ms)
		jw_int(w, name, ms);
	else
		jw_null(w, name);
}

static void write_problem(const struct queue_schedule *s, struct json_writer *w)
{
	const struct kind *k = kind_of(s->kind);
	struct buf b = {0};

	if (s->problem[0])
		buf_adds(&b, s->problem);
	else if (!k)
		buf_addf(&b, "there is no kind '%s' any more: its jobs will not be run", s->kind);
	else if (s->kind_version && (s->kind_version < kind_oldest(k) || s->kind_version > k->version))
		buf_addf(&b, "its parameters are of version %d of kind %s, which this version does not understand: put it again",
		        s->kind_version, s->kind);
	jw_text(w, "problem", b.len ? b.data : NULL);
	buf_close(&b);
}

void schedule_write(const struct queue_schedule *s, struct json_writer *w)
{
	struct json *asked = schedule_request(s);
	int64_t coming[COMING];
	int n = queue_schedule_coming(s, coming, COMING);

	jw_object(w, NULL);
	for (const struct json *m = json_first(asked); m; m = json_next(m))
		jw_json(w, json_key(m), m);
	jw_text(w, "queue", s->queue);
	jw_int(w, "rev", s->rev);
	jw_int(w, "created_at", s->created_at);
	jw_int(w, "updated_at", s->updated_at);
	write_time(w, "next_at", s->next_ms);
	jw_array(w, "next");
	for (int i = 0; i < n; i++) {
		char text[TIME_TEXT];

		time_print_iso(text, coming[i]);
		jw_text(w, NULL, text);
	}
	jw_end(w);
	write_time(w, "last_at", s->last_ms);
	jw_text(w, "last_job", s->last_job[0] ? s->last_job : NULL);
	jw_int(w, "jobs", s->jobs);
	jw_int(w, "passed_over", s->passed);
	jw_int(w, "overlapped", s->skipped);
	write_problem(s, w);
	jw_end(w);
	json_close(&asked);
}
