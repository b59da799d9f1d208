/* job_options.c -- reads what is said of a job beside its kind and parameters; what is not said is the kind's. */
#include "api/job_options.h"

#include <string.h>

#include "base/param.h"
#include "base/str.h"
#include "base/time.h"

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

/* The checked member, to be closed; NULL: it is not there, or with *ok_out false: it is wrong. */
static struct json *member(const struct json *in, const char *name, const struct param *table, size_t n, bool *ok_out, struct err *e)
{
	const struct json *given = json_get(in, name);
	struct json *checked;

	*ok_out = true;
	if (!json_is(given, JSON_OBJECT))
		return NULL;
	checked = params_check(table, n, given, false, e);
	*ok_out = checked || err_prefix(e, "%s", name);
	return checked;
}

static bool read_concurrency(const struct json *in, const struct kind *k, const struct json *params, struct arena *arena,
        struct queue_submission *s, struct err *e)
{
	bool ok;
	struct json *given = member(in, "concurrency", concurrency, ARRAY_LEN(concurrency), &ok, e);

	if (given) {
		s->concurrency_key = arena_strdup(arena, json_get_text(given, "key", ""));
		s->max_concurrent = (int)json_get_int(given, "max", 1);
	} else if (ok && k->concurrency && s->unique != UNIQUE_KEEP_NEWEST) {
		char *key = arena_new(arena, JOB_KEY);

		k->concurrency(params, key, &s->max_concurrent);
		s->concurrency_key = *key ? key : NULL;
	}
	json_close(&given);
	return ok;
}

static bool read_rate(const struct json *in, struct job_rate *r, struct err *e)
{
	bool ok;
	struct json *given = member(in, "rate", rate, ARRAY_LEN(rate), &ok, e);

	if (!given)
		return ok;
	r->limit = json_get_int(given, "limit", 1);
	r->window_ms = json_get_int(given, "window_ms", 1);
	r->cost = json_get_int(given, "cost", 1);
	ok = str_copy(r->key, sizeof r->key, json_get_text(given, "key", "")) && r->cost <= r->limit;
	json_close(&given);
	if (ok)
		return true;
	return err_set(e, ERR_INVALID, "rate: a cost of %lld never fits into a limit of %lld", (long long)r->cost, (long long)r->limit);
}

static const char *own_text(const struct json *in, const char *name, struct arena *arena)
{
	const char *text = json_get_text(in, name, NULL);

	return text ? arena_strdup(arena, text) : NULL;
}

static void read_policy(const struct json *in, const struct kind *k, struct queue_submission *s)
{
	s->max_attempts = (int)json_get_int(in, "max_attempts", k->max_attempts);
	s->max_crashes = (int)json_get_int(in, "max_crashes", 0);
	s->quarantine_after = (int)json_get_int(in, "quarantine_after", 0);
	s->backoff_ms = json_get_int(in, "backoff_ms", k->backoff_ms);
	s->backoff_cap_ms = json_get_int(in, "backoff_cap_ms", k->backoff_cap_ms);
	s->result_ttl_ms = json_get_int(in, "result_ttl_ms", 0);
}

static const char *const policies[] = {
        [UNIQUE_RETURN] = "return", [UNIQUE_REJECT] = "reject", [UNIQUE_REPLACE] = "replace", [UNIQUE_KEEP_NEWEST] = "keep_newest"};

const char *job_options_policy(enum unique_policy p)
{
	return policies[p];
}

void job_options_unique(
        const struct json *in, const struct kind *k, const struct json *params, struct arena *arena, struct queue_submission *out)
{
	const char *policy = json_get_text(in, "unique", "");
	char *key = arena_new(arena, JOB_KEY);

	out->unique = UNIQUE_RETURN;
	for (size_t i = 0; i < ARRAY_LEN(policies); i++)
		if (str_eq(policy, policies[i]))
			out->unique = (enum unique_policy)i;
	out->unique_key = own_text(in, "unique_key", arena);
	if (out->unique_key || !k->unique_key)
		return;
	k->unique_key(params, key);
	out->unique_key = *key ? key : NULL;
}

/* A kind's hard limit is the most that any of its jobs may have: what it does is known to end within it. */
static bool read_time_limit(const struct json *in, const struct kind *k, const char *name, int64_t *out, struct err *e)
{
	char most[TIME_TEXT];

	*out = json_get_int(in, name, 0);
	if (!k->hard_limit_ms || *out <= k->hard_limit_ms)
		return true;
	time_print_span(most, k->hard_limit_ms);
	return err_set(e, ERR_INVALID, "%s is %lld, but a job of kind %s may take at most %lld ms (%s)", name, (long long)*out, k->name,
	        (long long)k->hard_limit_ms, most);
}

static bool read_time_limits(const struct json *in, const struct kind *k, struct queue_submission *s, struct err *e)
{
	if (!read_time_limit(in, k, "time_limit_ms", &s->time_limit_ms, e) ||
	        !read_time_limit(in, k, "hard_limit_ms", &s->hard_limit_ms, e))
		return false;
	return !s->hard_limit_ms || s->time_limit_ms <= s->hard_limit_ms ||
	       err_set(e, ERR_INVALID, "time_limit_ms is %lld, but must not be more than hard_limit_ms, %lld", (long long)s->time_limit_ms,
	               (long long)s->hard_limit_ms);
}

bool job_options_read(const struct json *in, const struct kind *k, const struct json *params, struct arena *arena,
        struct queue_submission *out, struct err *e)
{
	if (out->unique != UNIQUE_RETURN && !out->unique_key)
		return err_set(e, ERR_INVALID,
		        "unique is %s, but without unique_key a job of kind %s is like no other: unique_key says which are the same",
		        policies[out->unique], k->name);
	out->kind = k->name;
	out->queue = k->queue;
	out->kind_version = k->version;
	out->priority = (int)json_get_int(in, "priority", 5);
	out->lane = own_text(in, "lane", arena);
	out->tags = own_text(in, "tags", arena);
	read_policy(in, k, out);
	return read_time_limits(in, k, out, e) && read_concurrency(in, k, params, arena, out, e) && read_rate(in, &out->rate, e);
}

bool job_options_join_tags(struct json *body, struct err *e)
{
	const struct json *tags = json_get(body, "tags");
	struct buf joined = {0};
	bool ok = true;

	if (!json_is(tags, JSON_ARRAY))
		return true;
	for (const struct json *t = json_first(tags); t && ok; t = json_next(t)) {
		ok = json_is(t, JSON_STRING) && *json_text(t) && !strchr(json_text(t), ',');
		if (ok)
			buf_addf(&joined, "%s%s", joined.len ? "," : "", json_text(t));
	}
	if (ok)
		json_put_text(body, "tags", buf_text(&joined));
	buf_close(&joined);
	return ok || err_set(e, ERR_INVALID, "tags must be texts without commas");
}
