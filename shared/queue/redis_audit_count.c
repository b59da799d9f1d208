/* redis_audit_count.c -- do the counters say what was counted? */
#include <stdio.h>
#include <string.h>

#include "queue/redis_audit.h"

bool audit_read_counters(struct audit *a, struct redis_reply **out, struct err *e)
{
	struct buf key = {0};
	bool ok;

	redis_key(&key, a->q->head.options.namespace_, a->queue, a->shard, ":n");
	ok = audit_command(a, (const char *const[]){"HGETALL", key.data, NULL}, out, e) || redis_wrong_type(e);
	buf_close(&key);
	return ok;
}

/* Does this counter stand still while no job moves? */
static bool is_still(const char *name)
{
	return str_eq(name, "r") || str_eq(name, "run") || str_eq(name, "done") || str_eq(name, "f") || str_eq(name, "q") ||
	       str_eq(name, "by") || str_eq(name, "nw") || str_starts(name, "r:");
}

uint64_t audit_stillness(const struct redis_reply *r)
{
	uint64_t sum = 0;

	for (size_t i = 0; i + 1 < redis_reply_count(r); i += 2) {
		const char *name = redis_reply_text(redis_reply_at(r, i), NULL), *value = redis_reply_text(redis_reply_at(r, i + 1), NULL);

		if (name && value && is_still(name))
			sum += audit_place_hash(name) * audit_place_hash(value);
	}
	return sum;
}

/* said: the text; NULL: nothing. counted: -1 when nothing here knows. */
static void judge_counter(struct audit *a, const char *name, const char *said, int64_t counted, const char *of)
{
	struct queue_finding f = {.fault = FAULT_COUNTER, .shard = a->shard, .counted = counted};
	double number;

	snprintf(f.key, sizeof(f.key), "%s", name);
	if (said && !str_int(said, INT64_MIN, INT64_MAX, &f.said) && (counted >= 0 || !str_double(said, &number))) {
		snprintf(f.at, sizeof(f.at), "%s", said);
		queue_look_add(a->look, &f, "%s-%d: counter %.60s says '%.40s', which is no number", a->queue, a->shard, name, said);
	} else if (counted >= 0 && f.said != counted) {
		queue_look_add(a->look, &f, "%s-%d: counter %.60s says %lld %s, %lld were counted", a->queue, a->shard, name,
		        (long long)f.said, of, (long long)counted);
	}
}

/* Field hm of T:n: what is noted for the history, and how many may wait. */
static bool is_noting(const char *text)
{
	return strchr("afn", text[0]) && (text[0] == 'n' ? !*audit_skip_digits(text + 1) : audit_is_digits(text + 1));
}

/* Of T:n: is it a number that nothing here counts? The others are texts, or are told of as something else. */
static bool is_number(const char *name)
{
	static const char *const others[] = {"r", "run", "q", "by", "nw", "hm", "hq", "ho", "hp", "ct", "sh", "sp"};

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (str_eq(name, others[i]))
			return false;
	return !str_starts(name, "r:") && !str_starts(name, "c:");
}

static const char *field_of(const struct redis_reply *r, const char *name)
{
	for (size_t i = 0; i + 1 < redis_reply_count(r); i += 2)
		if (str_eq(redis_reply_text(redis_reply_at(r, i), NULL), name))
			return redis_reply_text(redis_reply_at(r, i + 1), NULL);
	return NULL;
}

/* r: T:n, as HGETALL answers. What was counted beside the routes and the load. */
static void judge_counted(struct audit *a, const struct redis_reply *r)
{
	const struct {
		const char *name, *of;
		int64_t counted;
	} counters[] = {{"r", "ready jobs", a->by_state[JOB_READY] - a->limits.parked}, {"run", "running jobs", a->by_state[JOB_RUNNING]},
	        {"q", "parked jobs", a->limits.parked}, {"by", "bytes of parameters that wait", a->limits.bytes},
	        {"nw", "weights of lanes", a->limits.weights}};

	for (size_t i = 0; i < ARRAY_LEN(counters); i++)
		judge_counter(a, counters[i].name, field_of(r, counters[i].name), counters[i].counted, counters[i].of);
}

/* What nothing here counts has to be a number at least. */
static void judge_numbers(struct audit *a, const struct redis_reply *r)
{
	for (size_t i = 0; i + 1 < redis_reply_count(r); i += 2) {
		const char *name = redis_reply_text(redis_reply_at(r, i), NULL), *value = redis_reply_text(redis_reply_at(r, i + 1), NULL);

		if (name && (str_eq(name, "hm") ? value && !(*value && is_noting(value)) : is_number(name)))
			judge_counter(a, name, value, -1, "");
	}
}

/* Those of which jobs were found, and those that only a counter knows. */
static void judge_routes(struct audit *a, const struct redis_reply *r)
{
	char name[JOB_ROUTE + 2];

	for (size_t i = 0; i + 1 < redis_reply_count(r); i += 2) {
		const char *counter = redis_reply_text(redis_reply_at(r, i), NULL);

		if (counter && str_starts(counter, "r:"))
			audit_route_of(a, counter + 2);
	}
	for (size_t i = 0; i < a->n_routes; i++) {
		snprintf(name, sizeof(name), "r:%s", a->routes[i].route);
		judge_counter(a, name, field_of(r, name), a->routes[i].ready, "ready jobs");
	}
}

void audit_judge_counters(struct audit *a, const struct redis_reply *r)
{
	int64_t load = a->by_state[JOB_READY] - a->limits.parked + a->by_state[JOB_RUNNING];
	const char *limits = audit_limits_judge(&a->limits);

	judge_counted(a, r);
	if (limits)
		audit_problem_of_queue(a, FAULT_LIMIT, limits);
	judge_numbers(a, r);
	judge_routes(a, r);
	if (!a->stray_load)
		judge_counter(a, "load", *a->load ? a->load : NULL, load, "ready and running jobs");
}
