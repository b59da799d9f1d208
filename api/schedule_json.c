/* schedule_json.c -- a schedule as requests say it and as answers show it. */
#include "api/schedule_json.h"

#include <string.h>

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
        {"priority", PARAM_INT, .fallback = "5", .min = 0, .max = 9, .help = "0 urgent, 5 usual, 9 idle"},
        {"max_attempts", PARAM_INT, .min = 1, .max = 1000, .help = "how often a job may be tried; the kind knows the usual number"},
        {"lane", PARAM_TEXT, .min = 1, .max = JOB_KEY - 2, .help = "jobs of different lanes take turns"},
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
	if (k->unique_key)
		k->unique_key(params, s->unique_key);
	s->params = json_to_text(params);
	json_close(&params);
	s->kind_version = k->version;
	s->backoff_ms = k->backoff_ms;
	s->backoff_cap_ms = k->backoff_cap_ms;
	s->max_attempts = (int)json_get_int(in, "max_attempts", k->max_attempts);
	return str_copy(s->kind, sizeof s->kind, k->name) && str_copy(s->queue, sizeof s->queue, k->queue);
}

/* The table has checked lengths and choices. */
static bool fill_rest(const struct json *in, struct queue_schedule *s)
{
	s->priority = (int)json_get_int(in, "priority", 5);
	s->paused = json_get_bool(in, "paused", false);
	s->overlap_skip = str_eq(json_get_text(in, "overlap", ""), "skip");
	return ticks_missed_of(json_get_text(in, "missed", "skip"), &s->missed) &&
	       str_copy(s->lane, sizeof s->lane, json_get_text(in, "lane", "")) &&
	       str_copy(s->tags, sizeof s->tags, json_get_text(in, "tags", ""));
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
	ok = ok && name_fits(c, name, in, out) && fill_timing(c, in, out) && fill_kind(c, in, out);
	if (ok && !fill_rest(in, out)) {
		reply_detail(c, 422, "a member of the schedule is too long");
		ok = false;
	}
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
	json_put_int(j, "priority", s->priority);
	if (s->max_attempts)
		json_put_int(j, "max_attempts", s->max_attempts);
	if (s->lane[0])
		json_put_text(j, "lane", s->lane);
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
