/* submit_limits.c -- what a submission says of limits that jobs share: concurrency and rate. */
#include "api/reply.h"
#include "api/submit.h"
#include "base/param.h"
#include "base/str.h"

static const struct param concurrency[] = {
        {"key", PARAM_TEXT, .required = true, .min = 1, .max = JOB_KEY - 1, .help = "what the jobs share"},
        {"max", PARAM_INT, .required = true, .min = 1, .max = QUEUE_CONCURRENCY_MAX, .help = "how many of them may run at once"},
};
static const struct param rate[] = {
        {"key", PARAM_TEXT, .required = true, .min = 1, .max = JOB_KEY - 1, .help = "what the jobs share"},
        {"limit", PARAM_INT, .required = true, .min = 1, .max = INT32_MAX, .help = "what may be used in a window"},
        {"window_ms", PARAM_INT, .required = true, .min = 1, .max = 31536000000.0, .unit = "ms",
                .help = "how long a window is; it begins at a multiple of it since 1970"},
        {"cost", PARAM_INT, .fallback = "1", .min = 0, .max = INT32_MAX, .help = "what this job uses"},
};

/* The checked member, to be closed; NULL: it is not there, or with *ok_out false: answered. */
static struct json *member(struct call *c, const struct json *in, const char *name, const struct param *table, size_t n, bool *ok_out)
{
	const struct json *given = json_get(in, name);
	struct json *checked = NULL;
	struct err e = {0};

	*ok_out = true;
	if (!json_is(given, JSON_OBJECT))
		return NULL;
	checked = params_check(table, n, given, false, &e);
	if (!checked) {
		*ok_out = false;
		reply_detail(c, 422, "%s: %s", name, e.text);
	}
	return checked;
}

static bool fill_concurrency(struct call *c, const struct json *in, struct submit *s)
{
	bool ok;
	struct json *given = member(c, in, "concurrency", concurrency, ARRAY_LEN(concurrency), &ok);

	if (given) {
		s->concurrency_key = arena_strdup(c->arena, json_get_text(given, "key", ""));
		s->max_concurrent = (int)json_get_int(given, "max", 1);
	} else if (ok && s->kind->concurrency && s->unique != UNIQUE_KEEP_NEWEST) {
		char *key = arena_new(c->arena, JOB_KEY);

		s->kind->concurrency(s->params, key, &s->max_concurrent);
		s->concurrency_key = *key ? key : NULL;
	}
	json_close(&given);
	return ok;
}

static bool fill_rate(struct call *c, const struct json *in, struct submit *s)
{
	struct job_rate *r = &s->rate;
	bool ok;
	struct json *given = member(c, in, "rate", rate, ARRAY_LEN(rate), &ok);

	if (!given)
		return ok;
	r->limit = json_get_int(given, "limit", 1);
	r->window_ms = json_get_int(given, "window_ms", 1);
	r->cost = json_get_int(given, "cost", 1);
	ok = str_copy(r->key, sizeof r->key, json_get_text(given, "key", "")) && r->cost <= r->limit;
	if (!ok)
		reply_detail(c, 422, "rate: a cost of %lld never fits into a limit of %lld", (long long)r->cost, (long long)r->limit);
	json_close(&given);
	return ok;
}

bool submit_limits(struct call *c, const struct json *in, struct submit *s)
{
	return fill_concurrency(c, in, s) && fill_rate(c, in, s);
}
