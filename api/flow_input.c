/* flow_input.c -- spreads chains, groups and chords out into a list of jobs, and reads that list. */
#include "api/flow_input.h"

#include <stdio.h>
#include <string.h>

#include "api/job_options.h"
#include "base/param.h"
#include "base/str.h"
#include "base/time.h"
#include "kinds/inputs.h"

#define DEPTH_MAX 16

/* ---- spreading ------------------------------------------------------------------------------------------------- */

struct spread {
	struct json *jobs; /* what was found so far */
	int depth;
};

static struct json *spread_any(struct spread *s, const struct json *part, const struct json *after, struct err *e);

/* Names that are waited for, to be closed: those of `from` behind those of `to`. */
static void add_names(struct json *to, const struct json *from)
{
	for (const struct json *n = json_first(from); n; n = json_next(n))
		json_push(to, json_copy(n));
}

/* One job; a name is made up where there is none. Returns the names of the last jobs of this part: its own. */
static struct json *spread_job(struct spread *s, const struct json *part, const struct json *after, struct err *e)
{
	struct json *job, *last;
	char name[24];

	if (json_get(part, "after")) {
		err_set(e, ERR_INVALID, "within chain, group and chord the form says who waits for whom: leave after out, or give jobs");
		return NULL;
	}
	job = json_copy(part);
	json_put(job, "after", json_copy(after));
	snprintf(name, sizeof name, "job%zu", json_count(s->jobs) + 1);
	if (!json_get(job, "name"))
		json_put_text(job, "name", name);
	last = json_new_array();
	json_push(last, json_copy(json_get(job, "name")));
	json_push(s->jobs, job);
	return last;
}

static struct json *spread_chain(struct spread *s, const struct json *parts, const struct json *after, struct err *e)
{
	struct json *last = json_copy(after);

	for (const struct json *p = json_first(parts); p; p = json_next(p)) {
		struct json *next = spread_any(s, p, last, e);

		json_close(&last);
		if (!next)
			return NULL;
		last = next;
	}
	return last;
}

static struct json *spread_group(struct spread *s, const struct json *parts, const struct json *after, struct err *e)
{
	struct json *all = json_new_array();

	for (const struct json *p = json_first(parts); p; p = json_next(p)) {
		struct json *last = spread_any(s, p, after, e);

		if (!last) {
			json_close(&all);
			return NULL;
		}
		add_names(all, last);
		json_close(&last);
	}
	return all;
}

static struct json *spread_chord(struct spread *s, const struct json *chord, const struct json *after, struct err *e)
{
	const struct json *group = json_get(chord, "group"), *then = json_get(chord, "then");
	struct json *middle, *last;

	if (!json_is(group, JSON_ARRAY) || !json_count(group) || !json_is(then, JSON_OBJECT) || json_count(chord) != 2) {
		err_set(e, ERR_INVALID, "a chord is {\"group\": [jobs], \"then\": job}");
		return NULL;
	}
	middle = spread_group(s, group, after, e);
	if (!middle)
		return NULL;
	last = spread_any(s, then, middle, e);
	json_close(&middle);
	return last;
}

/* A chain or group of at least one. */
static bool is_list(const struct json *part, const char *form, struct err *e)
{
	const struct json *list = json_get(part, form);

	return (json_is(list, JSON_ARRAY) && json_count(list)) || err_set(e, ERR_INVALID, "%s must be a list of at least one job", form);
}

static struct json *spread_form(struct spread *s, const struct json *part, const struct json *after, struct err *e)
{
	if (json_get(part, "chain"))
		return is_list(part, "chain", e) ? spread_chain(s, json_get(part, "chain"), after, e) : NULL;
	if (json_get(part, "group"))
		return is_list(part, "group", e) ? spread_group(s, json_get(part, "group"), after, e) : NULL;
	return spread_chord(s, json_get(part, "chord"), after, e);
}

static struct json *spread_any(struct spread *s, const struct json *part, const struct json *after, struct err *e)
{
	bool form = json_get(part, "chain") || json_get(part, "group") || json_get(part, "chord");
	struct json *last;

	if (!json_is(part, JSON_OBJECT) || s->depth >= DEPTH_MAX || (form && json_count(part) != 1)) {
		err_set(e, ERR_INVALID,
		        "a part of a flow is a job, or an object with one of chain, group and chord and nothing else, at most %d deep",
		        DEPTH_MAX);
		return NULL;
	}
	if (json_count(s->jobs) >= QUEUE_FLOW_JOBS) {
		err_set(e, ERR_INVALID, "a flow has 1 to %d jobs", QUEUE_FLOW_JOBS);
		return NULL;
	}
	s->depth++;
	last = form ? spread_form(s, part, after, e) : spread_job(s, part, after, e);
	s->depth--;
	return last;
}

struct json *flow_spread(const struct json *body, struct err *e)
{
	static const char *const forms[] = {"jobs", "chain", "group", "chord"};
	struct spread s = {0};
	struct json *none, *last;
	int given = 0;

	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		given += json_get(body, forms[i]) != NULL;
	if (given != 1) {
		err_set(e, ERR_INVALID, "a flow has one of jobs, chain, group and chord");
		return NULL;
	}
	if (json_get(body, "jobs"))
		return is_list(body, "jobs", e) ? json_copy(json_get(body, "jobs")) : NULL;
	s.jobs = json_new_array();
	none = json_new_array();
	last = spread_form(&s, body, none, e);
	if (!last)
		json_close(&s.jobs);
	json_close(&last);
	json_close(&none);
	return s.jobs;
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

static const struct param members[] = {
        {"name", PARAM_TEXT, .required = true, .min = 1, .max = QUEUE_FLOW_NAME - 1, .help = "what others call it in after and $result"},
        {"kind", PARAM_TEXT, .required = true, .min = 1, .max = JOB_NAME - 1, .help = "what to do"},
        {"params", PARAM_OBJECT, .fallback = "{}", .help = "the kind's parameters"},
        {"after", PARAM_TEXTS, .fallback = "[]", .max = QUEUE_FLOW_JOBS, .help = "names of the jobs that it waits for"},
        {"on_failure", PARAM_CHOICE, .fallback = "\"fail\"", .choices = "fail|ignore|retry", .help = "what happens to those who wait"},
        {"retries", PARAM_INT, .min = 1, .max = QUEUE_FLOW_RETRIES, .help = "with retry: how often it is run again (1)"},
#include "api/job_options.def"
        {"tags", PARAM_TEXT, .min = 0, .max = JOB_TAGS - 1, .help = "labels with commas between"},
        {"run_at", PARAM_TIME, .help = "start no sooner than this time (UTC)"},
        {"delay_ms", PARAM_INT, .fallback = "0", .min = 0, .max = 31536000000.0, .unit = "ms", .help = "start no sooner"},
};

static bool read_policy(const struct json *in, struct queue_flow_job *out, struct err *e)
{
	const char *policy = json_get_text(in, "on_failure", "fail");
	int64_t retries = json_get_int(in, "retries", 0);

	out->on_failure = str_eq(policy, "retry") ? FLOW_RETRY : str_eq(policy, "ignore") ? FLOW_IGNORE : FLOW_FAIL;
	if (retries && out->on_failure != FLOW_RETRY)
		return err_set(e, ERR_INVALID, "retries is given, but on_failure is not retry");
	out->retries = out->on_failure == FLOW_RETRY ? (int)(retries ? retries : 1) : 0;
	return true;
}

static bool read_when(const struct json *in, struct queue_submission *s, struct err *e)
{
	const char *run_at = json_get_text(in, "run_at", NULL);

	s->delay_ms = json_get_int(in, "delay_ms", 0);
	if (run_at && s->delay_ms)
		return err_set(e, ERR_INVALID, "give either run_at or delay_ms, not both");
	if (run_at && (!time_parse(run_at, &s->run_at_ms, NULL) || s->run_at_ms < 0))
		return err_set(e, ERR_INVALID, "run_at is '%.40s', which is no time", run_at);
	return true;
}

static bool read_kind(const struct json *in, struct arena *arena, struct queue_flow_job *out, struct err *e)
{
	const char *name = json_get_text(in, "kind", "");
	const struct kind *k = kind_of(name);
	struct json *params;
	char *text;
	bool open, ok;

	if (!k)
		return err_set(e, ERR_INVALID, "there is no kind '%.60s'; GET /api/kinds lists the kinds", name);
	if (!inputs_check(json_get(in, "params"), out->after, out->n_after, e))
		return false;
	params = inputs_kind_check(k, json_get(in, "params"), &open, e);
	if (!params)
		return false;
	/* Of parameters that are results nothing is known yet: where the kind's own concurrency key stands in one, there is none. */
	ok = job_options_read(in, k, params, arena, &out->job, e);
	text = json_to_text(params);
	json_close(&params);
	out->job.params = arena_strdup(arena, text);
	mem_free(&text);
	if (!ok)
		return false;
	return strlen(out->job.params) <= QUEUE_PARAMS_MAX || err_set(e, ERR_INVALID, "its parameters are too long");
}

static bool read_job(const struct json *in, struct arena *arena, struct queue_flow_job *out, struct err *e)
{
	const struct json *after = json_get(in, "after");
	const char **names = arena_array(arena, json_count(after) + 1, sizeof *names);

	for (const struct json *n = json_first(after); n; n = json_next(n))
		names[out->n_after++] = arena_strdup(arena, json_text(n));
	out->after = names;
	out->name = arena_strdup(arena, json_get_text(in, "name", ""));
	return read_policy(in, out, e) && read_when(in, &out->job, e) && read_kind(in, arena, out, e);
}

bool flow_read(const struct json *jobs, struct arena *arena, struct queue_flow *out, struct err *e)
{
	size_t n = json_count(jobs);

	if (n < 1 || n > QUEUE_FLOW_JOBS)
		return err_set(e, ERR_INVALID, "a flow has 1 to %d jobs, not %zu", QUEUE_FLOW_JOBS, n);
	out->jobs = arena_array(arena, n, sizeof *out->jobs);
	for (const struct json *j = json_first(jobs); j; j = json_next(j)) {
		struct json *plain = json_copy(j), *in = NULL;
		bool ok = job_options_join_tags(plain, e) && (in = params_check(members, ARRAY_LEN(members), plain, false, e)) &&
		          read_job(in, arena, &out->jobs[out->n_jobs], e);

		json_close(&plain);
		json_close(&in);
		if (!ok)
			return err_prefix(e, "job %zu ('%.60s')", out->n_jobs + 1, json_get_text(j, "name", ""));
		out->n_jobs++;
	}
	return queue_flow_check(out, e);
}
