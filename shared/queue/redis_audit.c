/* redis_audit.c -- does everything in Redis stand where its state says? Rule 1 of job.h, read from outside of the functions.
 *
 * It gathers what the records say and where ids lie, sorts both by id, and walks through them side by side.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "queue/redis_private.h"

#define HISTORY_LOOKS 50

/* One thing known of one id. A record, or a place that holds it. */
struct trace {
	char tail[QUEUE_TAIL + 1];
	char what;       /* '!' record; 'D' what it waits for; else the place: d schedule, r lane, l lease, h held; L its log */
	char state;      /* of a record: its digit */
	char lane;       /* mark (20_lanes.lua) of the lane that holds it; of a record: where it is meant to be */
	bool ends;       /* of a record or a log: it has a time to live */
	bool log;        /* of a record: it says that it has one */
	bool waits;      /* of a record: it says that it waits for others; of a 'D': some of these have not ended well */
	char ghosts[24]; /* of a record: marks of the lanes where its id is left */
	char route[JOB_ROUTE];
};

/* How many jobs are ready on a route. */
struct route_count {
	char route[JOB_ROUTE];
	int64_t ready;
};

struct audit {
	struct redis_queue *q;
	const char *queue;
	int shard;
	size_t tag_len;
	int slot;
	bool unwritten_wrong; /* what waits for the history is not as much as is counted */
	struct trace *traces;
	size_t n, cap;
	int64_t lanes, rings, schedules;
	struct route_count *routes;
	size_t n_routes, routes_cap;
	struct queue_audit *out;
};

static struct trace *add_trace(struct audit *a, const char *tail, size_t len, char what)
{
	struct trace *t;

	if (a->n == a->cap) {
		size_t cap = a->cap ? a->cap * 2 : 1024;

		a->traces = mem_grow(a->traces, a->cap, cap, sizeof(*a->traces));
		a->cap = cap;
	}
	t = &a->traces[a->n];
	memset(t, 0, sizeof(*t));
	t->what = what;
	if (len != QUEUE_TAIL || !str_copy_n(t->tail, sizeof(t->tail), tail, len))
		return NULL;
	a->n++;
	return t;
}

static bool command(struct audit *a, const char *const *words, struct redis_reply **out, struct err *e)
{
	struct redis_cmd cmd = {0};
	bool ok;

	for (; *words; words++)
		redis_cmd_adds(&cmd, *words);
	cmd.slot = a->slot + 1;
	ok = redis_call(a->q, &cmd, true, out, e);
	redis_cmd_close(&cmd);
	return ok;
}

/* ---- what waits for the history -------------------------------------------------------------------------------------- */

/* Each text is the time of 13 digits and ids. */
static bool count_unwritten(const struct redis_reply *r, int64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < redis_reply_count(r); i++) {
		size_t len = 0;

		if (!redis_reply_text(redis_reply_at(r, i), &len) || len < 13 + QUEUE_TAIL || (len - 13) % QUEUE_TAIL)
			return false;
		*out += (int64_t)(len - 13) / QUEUE_TAIL;
	}
	return true;
}

/* What T:n says of the history: ids that wait, ids written of the first text, ids that ever left. */
static bool read_unwritten(struct audit *a, const char *counters, int64_t out[3], struct err *e)
{
	struct redis_reply *r = NULL;
	bool ok = command(a, (const char *const[]){"HMGET", counters, "hq", "ho", "hp", NULL}, &r, e);

	for (size_t i = 0; i < 3; i++) {
		out[i] = 0;
		if (ok && redis_reply_text(redis_reply_at(r, i), NULL) && !redis_reply_int(redis_reply_at(r, i), &out[i]))
			ok = redis_bad_reply(e, "HMGET");
	}
	redis_reply_close(&r);
	return ok;
}

/* counters: T:n; the list of what waits stands beside it. Looked at again while it changes: workers write the history all the time. */
static bool gather_unwritten(struct audit *a, const char *counters, struct err *e)
{
	struct buf key = {0};
	int64_t before[3] = {0}, after[3] = {-1, 0, 0}, found = 0;
	bool ok = true, counted = true;

	buf_add(&key, counters, strlen(counters) - 1);
	buf_addc(&key, 'e');
	for (int i = 0; ok && i < HISTORY_LOOKS && memcmp(before, after, sizeof(before)) != 0; i++) {
		struct redis_reply *r = NULL;

		ok = read_unwritten(a, counters, before, e) &&
		     command(a, (const char *const[]){"LRANGE", key.data, "0", "-1", NULL}, &r, e) && read_unwritten(a, counters, after, e);
		counted = ok && count_unwritten(r, &found);
		redis_reply_close(&r);
	}
	if (ok && memcmp(before, after, sizeof(before)) == 0)
		a->unwritten_wrong = !counted || found != before[0] + before[1];
	buf_close(&key);
	return ok;
}

/* ---- gathering -------------------------------------------------------------------------------------------------------- */

static char lane_mark(const char *lane, bool quarantined)
{
	return quarantined && lane[0] >= '0' && lane[0] <= '9' ? (char)('a' + lane[0] - '0') : lane[0];
}

static void read_record(struct trace *t, const struct redis_reply *fields, bool ends)
{
	const char *s = redis_reply_text(redis_reply_at(fields, 0), NULL);
	const char *lane = redis_reply_text(redis_reply_at(fields, 1), NULL);
	const char *ghosts = redis_reply_text(redis_reply_at(fields, 2), NULL);
	const char *kind = redis_reply_text(redis_reply_at(fields, 3), NULL);
	size_t flags = strcspn(s, ".");
	bool quarantined = memchr(s, 'Q', flags) != NULL;

	t->state = s[0];
	t->lane = lane_mark(lane ? lane : "5", quarantined);
	t->ends = ends;
	t->log = memchr(s, 'L', flags) != NULL;
	t->waits = memchr(s, 'D', flags) != NULL;
	snprintf(t->route, sizeof(t->route), "%s%s", kind ? kind : "?", quarantined ? "!" : "");
	/* The flag and the field say the same, or the record has no state. */
	if ((memchr(s, 'g', flags) != NULL) != (ghosts != NULL) || !str_copy(t->ghosts, sizeof(t->ghosts), ghosts ? ghosts : ""))
		t->state = '?';
}

static bool gather_record(struct audit *a, const char *key, const char *tail, struct err *e)
{
	struct redis_reply *fields = NULL, *ttl = NULL;
	struct trace *t;
	int64_t left = -2;
	bool ok = command(a, (const char *const[]){"HMGET", key, "s", "y", "o", "k", NULL}, &fields, e) &&
	          command(a, (const char *const[]){"PTTL", key, NULL}, &ttl, e);

	t = ok && redis_reply_text(redis_reply_at(fields, 0), NULL) ? add_trace(a, tail, strlen(tail), '!') : NULL;
	if (t && redis_reply_int(ttl, &left))
		read_record(t, fields, left >= 0);
	redis_reply_close(&fields);
	redis_reply_close(&ttl);
	return ok; /* a record that vanished between the two looks is none */
}

/* route: of a lane; NULL for other places. */
static bool gather_ids(struct audit *a, const char *read, const char *key, char what, char lane, const char *route, struct err *e)
{
	struct redis_reply *r = NULL;
	bool ok = command(a, (const char *const[]){read, key, "0", "-1", NULL}, &r, e);

	for (size_t i = 0; ok && i < redis_reply_count(r); i++) {
		size_t len = 0;
		const char *tail = redis_reply_text(redis_reply_at(r, i), &len);

		struct trace *t = tail ? add_trace(a, tail, len, what) : NULL;

		if (t)
			t->lane = lane;
		if (t && route)
			snprintf(t->route, sizeof(t->route), "%s", route);
		ok = t || redis_bad_reply(e, read);
	}
	redis_reply_close(&r);
	return ok;
}

static bool gather_log(struct audit *a, const char *key, const char *tail, struct err *e)
{
	struct redis_reply *ttl = NULL;
	int64_t left = -2;
	bool ok = command(a, (const char *const[]){"PTTL", key, NULL}, &ttl, e) && redis_reply_int(ttl, &left);
	struct trace *t = ok && left != -2 ? add_trace(a, tail, strlen(tail), 'L') : NULL;

	if (t)
		t->ends = left >= 0;
	redis_reply_close(&ttl);
	return ok;
}

/* name: "<route>:<lane>" */
static bool gather_lane(struct audit *a, const char *key, const char *name, struct err *e)
{
	char route[JOB_ROUTE];
	size_t len = strcspn(name, ":");
	bool quarantined = false;

	a->lanes++;
	if (!str_copy_n(route, sizeof(route), name, len) || !job_route_parse(route, len, NULL, NULL, &quarantined) || !name[len])
		return redis_bad_reply(e, "SCAN");
	return gather_ids(a, "LRANGE", key, 'r', lane_mark(name + len + 1, quarantined), route, e);
}

static bool gather_ring(struct audit *a, const char *key, struct err *e)
{
	struct redis_reply *r = NULL;
	int64_t n = 0;
	bool ok = command(a, (const char *const[]){"ZCARD", key, NULL}, &r, e) && redis_reply_int(r, &n);

	a->rings += n;
	redis_reply_close(&r);
	return ok;
}

/* What a job waits for: are there as many as it counts? */
static bool gather_deps(struct audit *a, const char *key, const char *tail, struct err *e)
{
	struct redis_reply *r = NULL;
	int64_t left = 0, said = -1;
	bool ok = command(a, (const char *const[]){"HGETALL", key, NULL}, &r, e);
	struct trace *t = ok && redis_reply_count(r) ? add_trace(a, tail, strlen(tail), 'D') : NULL;

	for (size_t i = 0; t && i + 1 < redis_reply_count(r); i += 2) {
		const char *name = redis_reply_text(redis_reply_at(r, i), NULL);

		left += name && (name[0] == '?' || name[0] == '!');
		if (str_eq(name, "#") && !redis_reply_int(redis_reply_at(r, i + 1), &said))
			said = -1;
	}
	if (t) {
		t->waits = left > 0;
		t->state = left == said ? 0 : '?';
	}
	redis_reply_close(&r);
	return ok;
}

static bool gather_key(struct audit *a, const char *key, struct err *e)
{
	const char *name = key + a->tag_len;

	if (str_eq(name, ":n"))
		return gather_unwritten(a, key, e);
	if (str_starts(name, ":j:"))
		return gather_record(a, key, name + 3, e);
	if (str_starts(name, ":L:"))
		return gather_log(a, key, name + 3, e);
	if (str_starts(name, ":D:"))
		return gather_deps(a, key, name + 3, e);
	if (str_starts(name, ":r:"))
		return gather_lane(a, key, name + 3, e);
	if (str_starts(name, ":g:"))
		return gather_ring(a, key, e);
	if (str_starts(name, ":cj:"))
		a->schedules++;
	if (str_starts(name, ":l:"))
		return gather_ids(a, "ZRANGE", key, 'l', 0, NULL, e);
	if (str_eq(name, ":d") || str_eq(name, ":h"))
		return gather_ids(a, "ZRANGE", key, name[1], 0, NULL, e);
	return true;
}

static bool gather(struct audit *a, struct err *e)
{
	struct buf pattern = {0};
	char cursor[32] = "0";
	bool ok = true;

	redis_key(&pattern, a->q->head.options.namespace_, a->queue, a->shard, "");
	a->tag_len = pattern.len;
	a->slot = redis_slot(pattern.data, pattern.len);
	buf_adds(&pattern, ":*");
	do {
		struct redis_reply *r = NULL;
		const struct redis_reply *keys;

		ok = command(a, (const char *const[]){"SCAN", cursor, "MATCH", pattern.data, "COUNT", "1000", NULL}, &r, e);
		keys = redis_reply_at(r, 1);
		for (size_t i = 0; ok && i < redis_reply_count(keys); i++)
			ok = gather_key(a, redis_reply_text(redis_reply_at(keys, i), NULL), e);
		if (ok && !str_copy(cursor, sizeof(cursor), redis_reply_text(redis_reply_at(r, 0), NULL)))
			ok = redis_bad_reply(e, "SCAN");
		redis_reply_close(&r);
	} while (ok && !str_eq(cursor, "0"));
	buf_close(&pattern);
	return ok;
}

/* ---- judging ----------------------------------------------------------------------------------------------------------- */

static int by_tail(const void *x, const void *y)
{
	const struct trace *a = x, *b = y;
	int c = strcmp(a->tail, b->tail);

	return c ? c : a->what - b->what; /* '!' comes before all letters: the record first */
}

static char place_of(enum job_state s)
{
	static const char places[] = {[JOB_SCHEDULED] = 'd',
	        [JOB_READY] = 'r',
	        [JOB_RUNNING] = 'l',
	        [JOB_RETRYING] = 'd',
	        [JOB_WAITING] = 'h',
	        [JOB_SUCCEEDED] = 0,
	        [JOB_FAILED] = 0,
	        [JOB_CANCELLED] = 0,
	        [JOB_DEAD] = 0};

	return places[s];
}

static bool problem(struct audit *a, const char *tail, const char *what)
{
	snprintf(a->out->problem, sizeof(a->out->problem), "%s-%d%s: %s", a->queue, a->shard, tail, what);
	return false;
}

/* Add to the ready jobs of a route; returns how many these are now. */
static int64_t count_route(struct audit *a, const char *route, int64_t by)
{
	size_t i = 0;

	while (i < a->n_routes && !str_eq(a->routes[i].route, route))
		i++;
	if (i == a->routes_cap) {
		size_t cap = a->routes_cap ? a->routes_cap * 2 : 16;

		a->routes = mem_grow(a->routes, a->routes_cap, cap, sizeof(*a->routes));
		a->routes_cap = cap;
	}
	if (i == a->n_routes) {
		a->routes[i] = (struct route_count){.ready = 0};
		snprintf(a->routes[i].route, sizeof(a->routes[i].route), "%s", route);
		a->n_routes++;
	}
	a->routes[i].ready += by;
	return a->routes[i].ready;
}

/* Does the record say that its id lies in this lane? */
static bool is_ghost(const struct trace *record, const struct trace *t)
{
	return t->what == 'r' && t->lane && strchr(record->ghosts, t->lane);
}

/* Rules of 78_flow.lua. n: t[0] is the record, t[1] perhaps what it waits for. */
static bool judge_waiting(struct audit *a, const struct trace *t, size_t n, enum job_state s)
{
	bool has = n > 1 && t[1].what == 'D';

	if (has && t[1].state)
		return problem(a, t[0].tail, "does not wait for as many jobs as it counts");
	if (has && !t[0].waits)
		return problem(a, t[0].tail, "does not say that it waits for others, but does");
	if (!has && t[0].waits && s != JOB_SUCCEEDED)
		return problem(a, t[0].tail, "says that it waits for others, but nothing says for which");
	if (has && s == JOB_WAITING && !t[1].waits)
		return problem(a, t[0].tail, "waits for jobs that have all ended");
	return true;
}

/* t[0] is what is known first of an id, t[n - 1] what is known last. */
static bool judge(struct audit *a, const struct trace *t, size_t n)
{
	size_t ghosts = 0, real = 0, rest;
	enum job_state s;
	char place;

	if (t[0].what == 'L') /* both vanish in the same moment, but are not looked at in one */
		return t[0].ends || problem(a, t[0].tail, "has a log that will stay, but no record");
	if (t[0].what != '!') /* the record's retention ended while its id still lay in a lane: it is passed over there */
		return t[0].what == 'r' || problem(a, t[0].tail, "is held somewhere but has no record");
	if (t[0].state < '0' || t[0].state > '0' + JOB_DEAD)
		return problem(a, t[0].tail, "has no state");
	s = (enum job_state)(t[0].state - '0');
	place = place_of(s);
	a->out->jobs++;
	a->out->by_state[s]++;
	if (s == JOB_READY)
		count_route(a, t[0].route, 1);
	if (t[0].ends != job_state_is_end(s))
		return problem(a, t[0].tail, t[0].ends ? "lives but will vanish" : "has ended but will never vanish");
	if (!judge_waiting(a, t, n, s))
		return false;
	rest = n > 1 && t[1].what == 'D' ? 2 : 1;
	if (rest < n && t[rest].what == 'L') {
		if (!t[0].log || t[rest].ends != t[0].ends)
			return problem(a, t[0].tail, t[0].log ? "will not vanish together with its log" : "knows nothing of its log");
		rest++;
	}
	for (size_t i = rest; i < n; i++) {
		bool ghost = is_ghost(t, &t[i]);

		ghosts += ghost;
		real += !ghost;
		if (!ghost && (t[i].what != place || (place == 'r' && (t[i].lane != t[0].lane || !str_eq(t[i].route, t[0].route)))))
			return problem(
			        a, t[0].tail, place ? "stands in another place than its state says" : "has ended but stands somewhere");
	}
	if (ghosts != strlen(t[0].ghosts))
		return problem(a, t[0].tail, "has not the ghosts that it says");
	if (real != (place ? 1u : 0u))
		return problem(a, t[0].tail, real ? "stands in several places" : "stands nowhere");
	return true;
}

static bool judge_all(struct audit *a)
{
	size_t run;

	if (a->n)
		qsort(a->traces, a->n, sizeof(*a->traces), by_tail);
	for (size_t i = 0; i < a->n; i += run) {
		for (run = 1; i + run < a->n && strcmp(a->traces[i].tail, a->traces[i + run].tail) == 0;)
			run++;
		if (!judge(a, a->traces + i, run))
			return false;
	}
	if (a->lanes > a->rings) /* a lane that was emptied may stay in its ring for a while */
		return problem(a, "", "a lane that holds something stands in no ring");
	if (a->unwritten_wrong)
		return problem(a, "", "the ends that wait for the history are not as many as is counted");
	return true;
}

static bool judge_counters(struct audit *a, bool *sound, struct err *e)
{
	struct redis_reply *r = NULL;
	struct buf key = {0};
	int64_t ready = 0, running = 0, load = -1;
	struct redis_reply *n = NULL;
	bool ok;

	redis_key(&key, a->q->head.options.namespace_, a->queue, a->shard, ":n");
	ok = command(a, (const char *const[]){"HMGET", key.data, "r", "run", NULL}, &r, e);
	if (ok && redis_reply_text(redis_reply_at(r, 0), NULL) && !redis_reply_int(redis_reply_at(r, 0), &ready))
		ok = redis_bad_reply(e, "HMGET");
	if (ok && redis_reply_text(redis_reply_at(r, 1), NULL) && !redis_reply_int(redis_reply_at(r, 1), &running))
		ok = redis_bad_reply(e, "HMGET");
	buf_clear(&key);
	redis_key(&key, a->q->head.options.namespace_, a->queue, a->shard, ":load");
	ok = ok && command(a, (const char *const[]){"GET", key.data, NULL}, &n, e);
	buf_close(&key);
	if (ok && redis_reply_text(n, NULL) && !redis_reply_int(n, &load))
		ok = redis_bad_reply(e, "GET");
	*sound = ready == a->out->by_state[JOB_READY] && running == a->out->by_state[JOB_RUNNING] && (load < 0 || load == ready + running);
	redis_reply_close(&n);
	redis_reply_close(&r);
	return ok;
}

/* T:n says of each route how many jobs are ready there: what it says is taken off what was counted, and nothing may be left. */
static bool judge_routes(struct audit *a, bool *sound, struct err *e)
{
	struct redis_reply *r = NULL;
	struct buf key = {0};
	bool ok;

	redis_key(&key, a->q->head.options.namespace_, a->queue, a->shard, ":n");
	ok = command(a, (const char *const[]){"HGETALL", key.data, NULL}, &r, e);
	buf_close(&key);
	for (size_t i = 0; ok && i + 1 < redis_reply_count(r); i += 2) {
		const char *name = redis_reply_text(redis_reply_at(r, i), NULL);
		int64_t ready = 0;

		if (!name || !str_starts(name, "r:"))
			continue;
		ok = redis_reply_int(redis_reply_at(r, i + 1), &ready) || redis_bad_reply(e, "HGETALL");
		count_route(a, name + 2, -ready);
	}
	redis_reply_close(&r);
	for (size_t i = 0; i < a->n_routes; i++)
		*sound = *sound && a->routes[i].ready == 0;
	return ok;
}

/* 1 sound, 0 not, -1; what it found is added to the sums. */
static int audit_shard(struct redis_queue *q, const char *queue, int shard, struct queue_audit *sum, struct err *e)
{
	struct queue_audit found = {0};
	struct audit a = {.q = q, .queue = queue, .shard = shard, .out = &found};
	bool counters = true, sound = false;
	bool ok = gather(&a, e);

	if (ok)
		sound = judge_all(&a);
	if (ok && sound)
		ok = judge_counters(&a, &counters, e);
	if (ok && sound && counters)
		ok = judge_routes(&a, &counters, e);
	if (ok && sound && !counters)
		sound = problem(&a, "", "the counters of ready and running jobs are wrong");
	mem_free(&a.traces);
	mem_free(&a.routes);
	sum->jobs += found.jobs;
	for (size_t i = 0; i < ARRAY_LEN(sum->by_state); i++)
		sum->by_state[i] += found.by_state[i];
	memcpy(sum->problem, found.problem, sizeof(sum->problem));
	if (ok && sound && shard == 0)
		return redis_audit_schedules(q, queue, a.schedules, sum->problem, sizeof(sum->problem), e);
	return ok ? sound : -1;
}

int redis_audit(struct queue *base, const char *queue, struct queue_audit *out, struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	struct queue_shards shards;
	int sound = 1;

	if (!redis_shards(q, queue, &shards, e))
		return -1;
	for (int i = 0; i < shards.serve && sound == 1; i++)
		sound = audit_shard(q, queue, i, out, e);
	return sound;
}
