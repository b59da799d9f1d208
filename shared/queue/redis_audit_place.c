/* redis_audit_place.c -- where ids lie: what each key but a record holds. */
#include <stdio.h>
#include <string.h>

#include "queue/redis_audit.h"

/* ids: an answer with all of a place, whose key is `name` after T: */
static bool add_ids(struct audit *a, const struct redis_reply *ids, const char *name, char what, struct err *e)
{
	audit_add_place(a, name);
	for (size_t i = 0; i < redis_reply_count(ids); i++) {
		size_t len = 0;
		const char *tail = redis_reply_text(redis_reply_at(ids, i), &len);
		struct trace *t = tail ? audit_add_trace(a, tail, len, what) : NULL;

		if (!tail)
			return redis_bad_reply(e, name);
		if (t)
			t->place = (uint32_t)(a->n_places - 1);
		else
			audit_no_id(a, tail, name);
	}
	return true;
}

static bool take_ids(struct audit *a, const struct ask *k, struct redis_reply *const *r, struct err *e)
{
	return add_ids(a, r[0], k->name, k->what, e);
}

static void gather_ids(struct audit *a, const char *key, const char *name, char what)
{
	audit_ask(a, take_ids, name, what);
	audit_ask_words(a, (const char *const[]){"ZRANGE", key, "0", "-1", NULL});
}

static bool take_log(struct audit *a, const struct ask *k, struct redis_reply *const *r, struct err *e)
{
	const char *tail = k->name + 2;
	int64_t left = -2;
	struct trace *t;

	if (!redis_reply_int(r[0], &left))
		return redis_bad_reply(e, "PTTL");
	t = left != -2 ? audit_add_trace(a, tail, strlen(tail), 'L') : NULL;
	if (t)
		t->ends = left >= 0;
	return true;
}

static void gather_log(struct audit *a, const char *key, const char *name)
{
	audit_ask(a, take_log, name, 'L');
	audit_ask_words(a, (const char *const[]){"PTTL", key, NULL});
}

static bool lane_known(struct audit *a, const char *name, const struct redis_reply *r)
{
	struct queue_finding f = {.fault = FAULT_LANE, .shard = a->shard};
	int64_t known = 0;

	if (!redis_reply_int(redis_reply_at(r, 0), &known) || !redis_reply_is_array(redis_reply_at(r, 1)))
		return false;
	snprintf(f.key, sizeof(f.key), "%s", name);
	if (!known && redis_reply_count(redis_reply_at(r, 1)))
		queue_look_add(a->look, &f, "lane %.200s holds jobs but stands in no ring, so that its turn never comes", name);
	return true;
}

/* name: "r:<route>:<lane>". Its ids and whether it has its turn are of one moment. */
static bool take_lane(struct audit *a, const struct ask *k, struct redis_reply *const *r, struct err *e)
{
	char route[JOB_ROUTE];
	const char *name = k->name + 2;
	size_t len = strcspn(name, ":");
	bool quarantined = false, ok;

	if (!str_copy_n(route, sizeof(route), name, len) || !job_route_parse(route, len, NULL, NULL, &quarantined) || !name[len])
		return redis_bad_reply(e, "SCAN");
	ok = (lane_known(a, name, r[0]) || redis_bad_reply(e, "look_lane")) && add_ids(a, redis_reply_at(r[0], 1), k->name, 'r', e);
	if (ok) {
		a->places[a->n_places - 1].lane = audit_lane_mark(name + len + 1, quarantined);
		a->places[a->n_places - 1].route = audit_route_of(a, route);
	}
	return ok;
}

static void gather_lane(struct audit *a, const char *name)
{
	struct redis_cmd *cmd;

	audit_ask(a, take_lane, name, 'r');
	cmd = audit_ask_more(a);
	redis_fcall(cmd, &a->q->head.options, "look_lane", a->queue, a->shard);
	redis_cmd_adds(cmd, name + 2);
}

/* name: "q:<place>": those parked there. */
static bool take_parked(struct audit *a, const struct ask *k, struct redis_reply *const *r, struct err *e)
{
	const char *place = k->name + 2;
	size_t before = a->n;
	bool ok = add_ids(a, r[0], k->name, 'q', e);

	a->places[a->n_places - 1].hash = audit_place_hash(place);
	audit_limits_parked(&a->limits, place, a->n - before);
	return ok;
}

static void gather_parked(struct audit *a, const char *key, const char *name)
{
	audit_ask(a, take_parked, name, 'q');
	audit_ask_words(a, (const char *const[]){"ZRANGE", key, "0", "-1", NULL});
}

static void judge_weights(struct audit *a, const struct redis_reply *r)
{
	struct queue_finding f = {.fault = FAULT_LIMIT, .shard = a->shard, .key = "wt"};

	a->limits.weights = (int64_t)redis_reply_count(r) / 2;
	for (size_t i = 0; i + 1 < redis_reply_count(r); i += 2) {
		const char *lane = redis_reply_text(redis_reply_at(r, i), NULL);
		int64_t weight = 0;

		if (!redis_reply_int(redis_reply_at(r, i + 1), &weight) || weight < 1)
			queue_look_add(a->look, &f, "%s-%d: lane %.100s has a weight that is none", a->queue, a->shard, lane ? lane : "?");
	}
}

/* Word for jobs of other shards: "<number> <act> <to> <from> <a>". */
static bool is_word(const char *text)
{
	size_t number = strspn(text, "0123456789");
	const char *act = text + number, *to = number && act[0] == ' ' && act[1] && act[2] == ' ' ? act + 3 : NULL;
	size_t to_len = to ? strcspn(to, " ") : 0;
	char id[JOB_ID], queue[JOB_NAME];
	int shard;

	return to && to[to_len] == ' ' && str_copy_n(id, sizeof(id), to, to_len) && job_id_parse(id, queue, &shard);
}

static void judge_words(struct audit *a, const struct redis_reply *r)
{
	for (size_t i = 0; i < redis_reply_count(r); i++) {
		const char *word = redis_reply_text(redis_reply_at(r, i), NULL);

		if (word && !is_word(word))
			audit_no_id(a, word, "ob");
	}
}

static bool take_limits(struct audit *a, const struct ask *k, struct redis_reply *const *r, struct err *e)
{
	UNUSED(e);
	if (k->what == 'c')
		audit_limits_counted(&a->limits, r[0]);
	if (k->what == 'q')
		audit_limits_listed(&a->limits, r[0]);
	if (k->what == 'w')
		judge_weights(a, r[0]);
	if (k->what == 'o')
		judge_words(a, r[0]);
	return true;
}

static void gather_limits(struct audit *a, const char *key, const char *name)
{
	if (!str_eq(name, "cc") && !str_eq(name, "qd") && !str_eq(name, "wt") && !str_eq(name, "ob"))
		return;
	audit_ask(a, take_limits, name, name[0]);
	if (name[0] == 'q' || name[0] == 'o')
		audit_ask_words(a, (const char *const[]){"ZRANGE", key, "0", "-1", NULL});
	else
		audit_ask_words(a, (const char *const[]){"HGETALL", key, NULL});
}

/* name: "l:<worker>" */
static bool take_leases(struct audit *a, const struct ask *k, struct redis_reply *const *r, struct err *e)
{
	return add_ids(a, r[0], k->name, 'l', e) && (k->n < 2 || redis_look_worker_read(r[1], a->shard, k->name + 2, a->look, e));
}

static void gather_leases(struct audit *a, const char *key, const char *name)
{
	audit_ask(a, take_leases, name, 'l');
	audit_ask_words(a, (const char *const[]){"ZRANGE", key, "0", "-1", NULL});
	if (a->look->deep)
		redis_look_worker_ask(audit_ask_more(a), a->q, a->queue, a->shard, name + 2);
}

/* Are there as many as it counts, and are all its numbers some? */
static bool deps_fit(const struct redis_reply *r, int64_t left)
{
	static const char names[] = "#*b";
	int64_t numbers[3] = {-1, -1, -1};

	for (size_t i = 0; i + 1 < redis_reply_count(r); i += 2) {
		const char *name = redis_reply_text(redis_reply_at(r, i), NULL);
		const char *found = name && name[0] && !name[1] ? strchr(names, name[0]) : NULL;

		if (found && !redis_reply_int(redis_reply_at(r, i + 1), &numbers[found - names]))
			return false;
	}
	return numbers[0] == left && numbers[1] >= 0 && numbers[2] >= 0;
}

/* What a job waits for. */
static bool take_deps(struct audit *a, const struct ask *k, struct redis_reply *const *r, struct err *e)
{
	int64_t left = 0;
	struct trace *t = redis_reply_count(r[0]) ? audit_add_trace(a, k->name + 2, strlen(k->name + 2), 'D') : NULL;

	UNUSED(e);
	for (size_t i = 0; t && i + 1 < redis_reply_count(r[0]); i += 2) {
		const char *name = redis_reply_text(redis_reply_at(r[0], i), NULL);

		left += name && (name[0] == '?' || name[0] == '!');
	}
	if (t) {
		t->waits = left > 0;
		t->state = deps_fit(r[0], left) ? 0 : '?';
	}
	return true;
}

static void gather_deps(struct audit *a, const char *key, const char *name)
{
	audit_ask(a, take_deps, name, 'D');
	audit_ask_words(a, (const char *const[]){"HGETALL", key, NULL});
}

/* What is ready and running together stands beside the counters, for who looks at many queues. */
static bool take_load(struct audit *a, const struct ask *k, struct redis_reply *const *r, struct err *e)
{
	const char *text = redis_reply_text(r[0], NULL);

	UNUSED(k);
	UNUSED(e);
	snprintf(a->load, sizeof(a->load), "%s", text ? text : "");
	return true;
}

static void gather_load(struct audit *a, const char *key, const char *name)
{
	audit_ask(a, take_load, name, 'o');
	audit_ask_words(a, (const char *const[]){"GET", key, NULL});
}

void audit_gather_key(struct audit *a, const char *key, const char *name)
{
	if (str_eq(name, "load"))
		gather_load(a, key, name);
	else if (str_starts(name, "L:"))
		gather_log(a, key, name);
	else if (str_starts(name, "D:"))
		gather_deps(a, key, name);
	else if (str_starts(name, "r:"))
		gather_lane(a, name);
	else if (str_starts(name, "cj:"))
		audit_texts_add(&a->schedules, name + 3);
	else if (str_starts(name, "l:"))
		gather_leases(a, key, name);
	else if (str_starts(name, "q:"))
		gather_parked(a, key, name);
	else if (str_eq(name, "d") || str_eq(name, "h"))
		gather_ids(a, key, name, name[0]);
	else if (a->look->deep && (str_eq(name, "x") || str_eq(name, "f") || str_eq(name, "k")))
		gather_ids(a, key, name, name[0]);
	else
		gather_limits(a, key, name);
}
