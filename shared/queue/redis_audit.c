/* redis_audit.c -- does everything in Redis stand where its state says? Rule 1 of job.h, read from outside of the functions.
 *
 * It gathers what the records say and where ids lie, sorts both by id, and walks through them side by side: one shard after the other, of
 * which only the names of keys are known before (redis_audit_scan.c).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "queue/redis_private.h"

#define HISTORY_LOOKS 50
#define ASKS_MAX      2048 /* questions that go out at once; each is bounded itself */
#define KEYS_MAX      256  /* keys that these are about */
#define BATCHES_MAX   4    /* of keys, of which only names are known */
#define RECORDS_MAX   64   /* by one function: the server does nothing else meanwhile */
#define LIST_BATCH    5000
#define STATES_BATCH  "1000"
#define ASK_ROOM      8 /* of one key */

/* One thing known of one id: a record, or a place that holds it. There are two for most jobs, so that it is kept small. */
struct trace {
	char tail[QUEUE_TAIL]; /* no NUL follows */
	char what; /* '!' record; 'D' what it waits for; 'L' its log; 's' a state without a record; x f k listed as ended; else the place: d schedule, r lane, l lease, h held */
	char state;      /* of a record: its digit */
	char lane;       /* of a record: the mark (20_lanes.lua) of the lane where it is meant to be */
	bool ends : 1;   /* of a record or a log: it has a time to live */
	bool log : 1;    /* of a record: it says that it has one */
	bool waits : 1;  /* of a record: it says that it waits for others; of a 'D': some of these have not ended well */
	bool listed : 1; /* it stands among all ids */
	bool parked : 1; /* of a record */
	uint32_t ghosts; /* of a record: marks of the lanes where its id is left, a bit for each */
	uint32_t place;  /* which of audit.places it was found in; of a record: which of audit.routes it takes */
	int64_t rev;     /* of a record */
	uint64_t at[2];  /* of a record: hashes of places where it may be parked */
};

/* Where ids were found. */
struct place {
	char *name;    /* of its key, as T: is followed by it */
	uint64_t hash; /* of one where jobs are parked */
	uint32_t route;
	char lane; /* mark */
};

/* How many jobs are ready on a route. */
struct route_count {
	char route[JOB_ROUTE];
	int64_t ready;
};

/* Texts, one after the other. */
struct texts {
	char **at;
	size_t n, cap;
};

struct audit;

/* What is asked of one key, or of a batch of them, and who takes the answers. */
struct ask {
	bool (*take)(struct audit *a, const struct ask *k, struct redis_reply *const *r, struct err *e);
	char *name;         /* of the key, as T: is followed by it */
	const char **names; /* of a batch */
	size_t n_names;
	char what;
	size_t first, n; /* its commands */
};

struct audit {
	struct redis_queue *q;
	const char *queue;
	int shard;
	int slot;
	struct audit_shard *keys_of;
	int64_t by_state[9];
	bool unwritten_wrong; /* what waits for the history is not as much as is counted */
	struct trace *traces;
	size_t n, cap;
	struct audit_limits limits;
	struct place *places;
	size_t n_places, places_cap;
	struct texts schedules;
	bool stray_load, stray_list, stray_entries, stray_order; /* the load, all ids, ends, schedules: other keys stand in their places */
	char load[32];                                           /* as it was read; "": there is none */
	struct ask asks[ASKS_MAX + ASK_ROOM];
	struct redis_cmd cmds[ASKS_MAX + ASK_ROOM];
	size_t n_asks, n_cmds;
	const char *unusual[KEYS_MAX]; /* records that are still to be asked for by a function */
	size_t n_unusual;
	struct route_count *routes;
	size_t n_routes, routes_cap;
	struct queue_look *look;
};

static void texts_add(struct texts *t, const char *text)
{
	if (t->n == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 64;

		t->at = mem_grow(t->at, t->cap, cap, sizeof(*t->at));
		t->cap = cap;
	}
	t->at[t->n++] = mem_strdup(text);
}

static void texts_close(struct texts *t)
{
	while (t->n > 0)
		mem_free(&t->at[--t->n]);
	mem_free(&t->at);
}

static uint64_t hash_of(const char *text)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * UINT64_C(1099511628211);
	return h ? h : 1;
}

static struct trace *add_trace(struct audit *a, const char *tail, size_t len, char what)
{
	struct trace *t;

	if (a->n == a->cap) {
		size_t cap = a->cap ? a->cap * 2 : 1024;

		a->traces = mem_grow(a->traces, a->cap, cap, sizeof(*a->traces));
		a->cap = cap;
	}
	if (len != QUEUE_TAIL)
		return NULL;
	t = &a->traces[a->n++];
	*t = (struct trace){.what = what};
	memcpy(t->tail, tail, QUEUE_TAIL);
	return t;
}

/* name: what follows T: in its key */
static struct place *add_place(struct audit *a, const char *name)
{
	if (a->n_places == a->places_cap) {
		size_t cap = a->places_cap ? a->places_cap * 2 : 64;

		a->places = mem_grow(a->places, a->places_cap, cap, sizeof(*a->places));
		a->places_cap = cap;
	}
	a->places[a->n_places] = (struct place){.name = mem_strdup(name)};
	return &a->places[a->n_places++];
}

static void places_close(struct audit *a)
{
	while (a->n_places > 0)
		mem_free(&a->places[--a->n_places].name);
	mem_free(&a->places);
}

/* Which of the routes. */
static uint32_t route_of(struct audit *a, const char *route)
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
	return (uint32_t)i;
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

/* at: where it was found, or NULL. */
static void problem(struct audit *a, enum queue_fault fault, const struct trace *t, const struct trace *at, const char *what)
{
	struct queue_finding f = {.fault = fault, .shard = a->shard, .rev = t->what == '!' ? t->rev : 0};
	char tail[QUEUE_TAIL + 1] = "";

	memcpy(tail, t->tail, QUEUE_TAIL);
	if (!queue_full_id(f.key, a->queue, a->shard, tail, QUEUE_TAIL))
		snprintf(f.key, sizeof(f.key), "%s-%d%s", a->queue, a->shard, tail);
	if (at && (at->what == 'a' || at->what == 's'))
		snprintf(f.at, sizeof(f.at), "%c", at->what);
	else if (at && (at->what == 'D' || at->what == 'L'))
		snprintf(f.at, sizeof(f.at), "%c:%s", at->what, tail);
	else if (at && at->what != '!')
		snprintf(f.at, sizeof(f.at), "%s", a->places[at->place].name);
	queue_look_add(a->look, &f, "%s-%d%s: %s", a->queue, a->shard, tail, what);
}

/* ---- asking much at once ----------------------------------------------------------------------------------------------- */

static struct ask *ask_begin(struct audit *a, bool (*take)(struct audit *, const struct ask *, struct redis_reply *const *, struct err *),
        const char *name, char what)
{
	struct ask *k = &a->asks[a->n_asks++];

	*k = (struct ask){.take = take, .name = mem_strdup(name), .what = what, .first = a->n_cmds};
	return k;
}

/* One more command of the last ask. */
static struct redis_cmd *ask_more(struct audit *a)
{
	struct redis_cmd *cmd = &a->cmds[a->n_cmds++];

	*cmd = (struct redis_cmd){.slot = a->slot + 1};
	a->asks[a->n_asks - 1].n++;
	return cmd;
}

static void ask_words(struct audit *a, const char *const *words)
{
	struct redis_cmd *cmd = ask_more(a);

	for (; *words; words++)
		redis_cmd_adds(cmd, *words);
}

static void asks_clear(struct audit *a)
{
	while (a->n_asks > 0) {
		mem_free(&a->asks[--a->n_asks].name);
	}
	while (a->n_cmds > 0)
		redis_cmd_close(&a->cmds[--a->n_cmds]);
}

static bool asks_flush(struct audit *a, struct err *e)
{
	struct redis_reply *r[ASKS_MAX + ASK_ROOM];
	size_t n = a->n_cmds;
	bool ok = n == 0 || redis_call_any(a->q, a->cmds, n, r, e), answered = n > 0 && ok;

	for (size_t i = 0; ok && i < a->n_asks; i++)
		ok = a->asks[i].take(a, &a->asks[i], r + a->asks[i].first, e);
	for (size_t i = 0; answered && i < n; i++)
		redis_reply_close(&r[i]);
	asks_clear(a);
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

/* What T:n says of the history: ids that wait, ids written of the first text, ids that ever left; -1: it is no number. */
static bool read_unwritten(struct audit *a, const char *counters, int64_t out[3], struct err *e)
{
	struct redis_reply *r = NULL;
	bool ok = command(a, (const char *const[]){"HMGET", counters, "hq", "ho", "hp", NULL}, &r, e);

	for (size_t i = 0; i < 3; i++) {
		const struct redis_reply *field = redis_reply_at(r, i);

		out[i] = 0;
		if (redis_reply_text(field, NULL) && !redis_reply_int(field, &out[i]))
			out[i] = -1;
	}
	redis_reply_close(&r);
	return ok;
}

/* Looked at again while it changes: workers write the history all the time. */
static bool gather_unwritten(struct audit *a, struct err *e)
{
	struct buf key = {0}, counters = {0};
	int64_t before[3] = {0}, after[3] = {-2, 0, 0}, found = 0;
	bool ok = true, counted = true;

	buf_addf(&key, "%s:e", a->keys_of->tag);
	buf_addf(&counters, "%s:n", a->keys_of->tag);
	for (int i = 0; ok && i < HISTORY_LOOKS && memcmp(before, after, sizeof(before)) != 0; i++) {
		struct redis_reply *r = NULL;

		ok = read_unwritten(a, counters.data, before, e) &&
		     command(a, (const char *const[]){"LRANGE", key.data, "0", "-1", NULL}, &r, e) &&
		     read_unwritten(a, counters.data, after, e);
		counted = ok && count_unwritten(r, &found);
		redis_reply_close(&r);
	}
	if (ok && memcmp(before, after, sizeof(before)) == 0)
		a->unwritten_wrong = !counted || before[2] < 0 || found != before[0] + before[1];
	buf_close(&counters);
	buf_close(&key);
	return ok;
}

/* ---- gathering -------------------------------------------------------------------------------------------------------- */

static char lane_mark(const char *lane, bool quarantined)
{
	return quarantined && lane[0] >= '0' && lane[0] <= '9' ? (char)('a' + lane[0] - '0') : lane[0];
}

/* A bit for each lane that one fairness key may have: ten priorities, usual and quarantined. 0: there is no such lane. */
static uint32_t mark_bit(char mark)
{
	return mark >= '0' && mark <= '9' ? 1U << (mark - '0') : mark >= 'a' && mark <= 'j' ? 1U << (10 + mark - 'a') : 0;
}

static uint32_t read_ghosts(const char *marks)
{
	uint32_t bits = 0;

	for (; *marks; marks++)
		bits |= mark_bit(*marks);
	return bits;
}

/* A usual job that succeeded has no time to live in Redis: what sweeps them (60_step.lua) knows by its state when it ended. */
static bool is_swept(const char *s)
{
	const char *rev = strchr(s, '.'), *fence = rev ? strchr(rev + 1, '.') : NULL;

	return fence && strchr(fence + 1, '.') != NULL;
}

static void read_record(struct audit *a, struct trace *t, const struct look_record *x)
{
	size_t flags = strcspn(x->s, ".");
	bool quarantined = memchr(x->s, 'Q', flags) != NULL;
	char route[JOB_ROUTE];

	t->state = x->s[0];
	t->rev = x->s[flags] ? strtoll(x->s + flags + 1, NULL, 10) : 0;
	t->lane = lane_mark(x->lane ? x->lane : "5", quarantined);
	t->ends = x->left_ms >= 0 || is_swept(x->s);
	t->parked = memchr(x->s, 'q', flags) != NULL;
	t->log = memchr(x->s, 'L', flags) != NULL;
	t->waits = memchr(x->s, 'D', flags) != NULL;
	snprintf(route, sizeof(route), "%s%s", x->kind ? x->kind : "?", quarantined ? "!" : "");
	t->place = route_of(a, route);
	t->ghosts = read_ghosts(x->ghosts ? x->ghosts : "");
}

/* name: "j:<id>" */
static bool add_record(struct audit *a, const char *name, const struct look_record *x, struct err *e)
{
	struct trace *t = add_trace(a, name + 2, strlen(name + 2), '!');

	if (!t)
		return redis_bad_reply(e, "look_records");
	if (x->s)
		read_record(a, t, x);
	if (x->odd)
		problem(a, FAULT_RECORD, t, NULL, x->odd);
	if (x->s)
		audit_limits_record(&a->limits, x->s, x->concurrency, x->rate, x->bytes, t->at);
	return true;
}

/* What is not as most records are is asked for by a function, which sees all of it at one moment, and says what makes no sense. */
static bool take_unusual(struct audit *a, const struct ask *k, struct redis_reply *const *r, struct err *e)
{
	bool ok = redis_reply_count(r[0]) == k->n_names || redis_bad_reply(e, "look_records");

	for (size_t i = 0; ok && i < k->n_names; i++) {
		struct look_record x;
		int got = redis_look_record_read(redis_reply_at(r[0], i), a->shard, k->names[i], &x, a->look, e);

		ok = got == 0 || (got > 0 && add_record(a, k->names[i], &x, e));
	}
	return ok;
}

/* When all else was asked. */
static bool ask_unusual(struct audit *a, struct err *e)
{
	for (size_t at = 0, some; at < a->n_unusual; at += some) {
		struct ask *k = ask_begin(a, take_unusual, "", '!');

		some = a->n_unusual - at < RECORDS_MAX ? a->n_unusual - at : RECORDS_MAX;
		k->names = a->unusual + at;
		k->n_names = some;
		redis_look_records_ask(ask_more(a), a->q, a->queue, a->shard, k->names, some);
	}
	if (!asks_flush(a, e))
		return false;
	a->n_unusual = 0;
	return true;
}

static bool is_digits(const char *text)
{
	return *text && !text[strspn(text, "0123456789")];
}

static const char *skip_digits(const char *text)
{
	return text + strspn(text, "0123456789");
}

/* Without flags: "<state>.<revision>[.<fence>[.<ended>]][ <digits> <worker>]" */
static bool is_plain_state(const char *s, bool *ended_out, bool *worker_out)
{
	const char *at = s[0] && s[1] ? skip_digits(s + 2) : s;

	*ended_out = *worker_out = false;
	if (s[0] < '0' || s[0] > '0' + JOB_DEAD || s[1] != '.' || at == s + 2 || s[2] == '0')
		return false;
	if (*at == '.')
		at = skip_digits(at + 1);
	*ended_out = at[0] == '.' && at[1] >= '0' && at[1] <= '9';
	if (*ended_out)
		at = skip_digits(at + 1);
	if (!*at)
		return true;
	at = *at == ' ' ? skip_digits(at + 1) : at;
	*worker_out = at[0] == ' ' && at[1];
	return *worker_out;
}

/* f: k, c, y, d, b, e, n; others: how many fields it has but these. No rule of its own: what is not so plain is looked at by 87_odd.lua. */
static bool is_usual(const char *s, const struct redis_reply *f, int64_t others)
{
	const char *k = redis_reply_text(redis_reply_at(f, 0), NULL), *c = redis_reply_text(redis_reply_at(f, 1), NULL);
	const char *y = redis_reply_text(redis_reply_at(f, 2), NULL), *d = redis_reply_text(redis_reply_at(f, 3), NULL);
	const char *b = redis_reply_text(redis_reply_at(f, 4), NULL), *end = redis_reply_text(redis_reply_at(f, 5), NULL);
	bool quarantined = false, ended, worker;
	enum job_state state;

	for (size_t i = 0; i < redis_reply_count(f); i++)
		others -= redis_reply_text(redis_reply_at(f, i), NULL) != NULL;
	if (others || !s || !k || !c || !is_plain_state(s, &ended, &worker) || !job_route_parse(k, strlen(k), NULL, NULL, &quarantined) ||
	        quarantined)
		return false;
	state = (enum job_state)(s[0] - '0');
	if (!is_digits(c) || (y && (*y < '0' || *y > '9')))
		return false;
	if (d ? !is_digits(d) : state == JOB_SCHEDULED || state == JOB_RETRYING)
		return false;
	if (b ? skip_digits(b) == b || !strchr(b, ' ') : state == JOB_RUNNING && !worker)
		return false;
	return end ? is_digits(end) : ended || !job_state_is_end(state);
}

/* Its fields, how many they are, bytes of its parameters and its result, how long it lives, its state */
static bool take_record(struct audit *a, const struct ask *k, struct redis_reply *const *r, struct err *e)
{
	struct look_record x = {.s = redis_reply_text(r[5], NULL),
	        .kind = redis_reply_text(redis_reply_at(r[0], 0), NULL),
	        .lane = redis_reply_text(redis_reply_at(r[0], 2), NULL)};
	int64_t fields = 0, result = 0;

	if (redis_reply_int(r[1], &fields) && fields == 0)
		return true; /* it vanished */
	if (redis_reply_int(r[2], &x.bytes) && redis_reply_int(r[3], &result) && redis_reply_int(r[4], &x.left_ms) &&
	        is_usual(x.s, r[0], fields - (x.bytes > 0) - (result > 0)))
		return x.left_ms == -2 || add_record(a, k->name, &x, e);
	a->unusual[a->n_unusual++] = k->names[0];
	return true;
}

static void gather_record(struct audit *a, const char *key, const char **name)
{
	struct buf states = {0};

	buf_addf(&states, "%s:s", a->keys_of->tag);
	ask_begin(a, take_record, *name, '!')->names = name;
	ask_words(a, (const char *const[]){"HMGET", key, "k", "c", "y", "d", "b", "e", "n", NULL});
	ask_words(a, (const char *const[]){"HLEN", key, NULL});
	ask_words(a, (const char *const[]){"HSTRLEN", key, "p", NULL});
	ask_words(a, (const char *const[]){"HSTRLEN", key, "R", NULL});
	ask_words(a, (const char *const[]){"PTTL", key, NULL});
	ask_words(a, (const char *const[]){"HGET", buf_text(&states), *name + 2, NULL});
	buf_close(&states);
}

static bool is_record(const char *name)
{
	return str_starts(name, "j:") && strlen(name + 2) == QUEUE_TAIL;
}

/* ---- keys of other types than they must be ------------------------------------------------------------------------------ */

static bool take_keys(struct audit *a, const struct ask *k, struct redis_reply *const *r, struct err *e)
{
	const char *was[QUEUE_BATCH_MAX];
	bool ok;

	memcpy(was, k->names, k->n_names * sizeof(*was));
	ok = redis_look_keys_read(r[0], a->shard, k->names, k->n_names, a->look, e);
	for (size_t i = 0; ok && i < k->n_names; i++) {
		a->stray_entries = a->stray_entries || (!k->names[i] && (str_eq(was[i], "e") || str_eq(was[i], "n")));
		a->stray_list = a->stray_list || (!k->names[i] && (str_eq(was[i], "a") || str_eq(was[i], "o")));
		a->stray_order =
		        a->stray_order || (!k->names[i] && (str_eq(was[i], "cr") || str_eq(was[i], "n") || str_starts(was[i], "cj:")));
		a->stray_load = a->stray_load || (!k->names[i] && str_eq(was[i], "load"));
	}
	return ok;
}

/* All but records: those that can be read stay, the others become NULL. And who holds the keys that a job may hold. */
static bool look_over(struct audit *a, const char **names, size_t n, struct err *e)
{
	bool ok = true;

	for (size_t i = 0, some; ok && i < n; i += some ? some : 1) {
		struct ask *k;

		for (some = 0; i + some < n && some < QUEUE_BATCH_MAX && !is_record(names[i + some]);)
			some++;
		if (!some)
			continue;
		k = ask_begin(a, take_keys, "", 'k');
		k->names = names + i;
		k->n_names = some;
		redis_look_keys_ask(ask_more(a), a->q, a->queue, a->shard, k->names, some);
		ok = queue_look_goes_on(a->look, e) && (a->n_asks < BATCHES_MAX || asks_flush(a, e));
	}
	return ok && asks_flush(a, e);
}

/* ---- places ------------------------------------------------------------------------------------------------------------ */

/* What cannot be the id of a job, or what else belongs there. */
static void no_id(struct audit *a, const char *text, const char *place)
{
	struct queue_finding f = {.fault = FAULT_ORPHAN, .shard = a->shard, .no_id = true};

	snprintf(f.key, sizeof(f.key), "%s", text);
	snprintf(f.at, sizeof(f.at), "%s", place);
	queue_look_add(a->look, &f, "%s-%d: %.60s holds '%.150s', which cannot stand there", a->queue, a->shard, place, text);
}

/* ids: an answer with all of a place, whose key is `name` after T: */
static bool add_ids(struct audit *a, const struct redis_reply *ids, const char *name, char what, struct err *e)
{
	add_place(a, name);
	for (size_t i = 0; i < redis_reply_count(ids); i++) {
		size_t len = 0;
		const char *tail = redis_reply_text(redis_reply_at(ids, i), &len);
		struct trace *t = tail ? add_trace(a, tail, len, what) : NULL;

		if (!tail)
			return redis_bad_reply(e, name);
		if (t)
			t->place = (uint32_t)(a->n_places - 1);
		else
			no_id(a, tail, name);
	}
	return true;
}

static bool take_ids(struct audit *a, const struct ask *k, struct redis_reply *const *r, struct err *e)
{
	return add_ids(a, r[0], k->name, k->what, e);
}

static bool gather_ids(struct audit *a, const char *key, const char *name, char what)
{
	ask_begin(a, take_ids, name, what);
	ask_words(a, (const char *const[]){"ZRANGE", key, "0", "-1", NULL});
	return true;
}

static bool take_log(struct audit *a, const struct ask *k, struct redis_reply *const *r, struct err *e)
{
	const char *tail = k->name + 2;
	int64_t left = -2;
	struct trace *t;

	if (!redis_reply_int(r[0], &left))
		return redis_bad_reply(e, "PTTL");
	t = left != -2 ? add_trace(a, tail, strlen(tail), 'L') : NULL;
	if (t)
		t->ends = left >= 0;
	return true;
}

static bool gather_log(struct audit *a, const char *key, const char *name)
{
	ask_begin(a, take_log, name, 'L');
	ask_words(a, (const char *const[]){"PTTL", key, NULL});
	return true;
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
		a->places[a->n_places - 1].lane = lane_mark(name + len + 1, quarantined);
		a->places[a->n_places - 1].route = route_of(a, route);
	}
	return ok;
}

static bool gather_lane(struct audit *a, const char *name)
{
	struct redis_cmd *cmd;

	ask_begin(a, take_lane, name, 'r');
	cmd = ask_more(a);
	redis_fcall(cmd, &a->q->head.options, "look_lane", a->queue, a->shard);
	redis_cmd_adds(cmd, name + 2);
	return true;
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

static bool gather_parked(struct audit *a, const char *key, const char *name)
{
	ask_begin(a, take_parked, name, 'q');
	ask_words(a, (const char *const[]){"ZRANGE", key, "0", "-1", NULL});
	return true;
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
			no_id(a, word, "ob");
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

static bool gather_limits(struct audit *a, const char *key, const char *name)
{
	if (!str_eq(name, "cc") && !str_eq(name, "qd") && !str_eq(name, "wt") && !str_eq(name, "ob"))
		return true;
	ask_begin(a, take_limits, name, name[0]);
	if (name[0] == 'q' || name[0] == 'o')
		ask_words(a, (const char *const[]){"ZRANGE", key, "0", "-1", NULL});
	else
		ask_words(a, (const char *const[]){"HGETALL", key, NULL});
	return true;
}

/* name: "l:<worker>" */
static bool take_leases(struct audit *a, const struct ask *k, struct redis_reply *const *r, struct err *e)
{
	return add_ids(a, r[0], k->name, 'l', e) && (k->n < 2 || redis_look_worker_read(r[1], a->shard, k->name + 2, a->look, e));
}

static bool gather_leases(struct audit *a, const char *key, const char *name)
{
	ask_begin(a, take_leases, name, 'l');
	ask_words(a, (const char *const[]){"ZRANGE", key, "0", "-1", NULL});
	if (a->look->deep)
		redis_look_worker_ask(ask_more(a), a->q, a->queue, a->shard, name + 2);
	return true;
}

/* What a job waits for: are there as many as it counts? */
static bool take_deps(struct audit *a, const struct ask *k, struct redis_reply *const *r, struct err *e)
{
	int64_t left = 0, said = -1;
	struct trace *t = redis_reply_count(r[0]) ? add_trace(a, k->name + 2, strlen(k->name + 2), 'D') : NULL;

	UNUSED(e);
	for (size_t i = 0; t && i + 1 < redis_reply_count(r[0]); i += 2) {
		const char *name = redis_reply_text(redis_reply_at(r[0], i), NULL);

		left += name && (name[0] == '?' || name[0] == '!');
		if (str_eq(name, "#") && !redis_reply_int(redis_reply_at(r[0], i + 1), &said))
			said = -1;
	}
	if (t) {
		t->waits = left > 0;
		t->state = left == said ? 0 : '?';
	}
	return true;
}

static bool gather_deps(struct audit *a, const char *key, const char *name)
{
	ask_begin(a, take_deps, name, 'D');
	ask_words(a, (const char *const[]){"HGETALL", key, NULL});
	return true;
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

static bool gather_load(struct audit *a, const char *key, const char *name)
{
	ask_begin(a, take_load, name, 'o');
	ask_words(a, (const char *const[]){"GET", key, NULL});
	return true;
}

/* name: what follows T: in the key */
static bool gather_key(struct audit *a, const char *key, const char *name)
{
	if (str_eq(name, "load"))
		return gather_load(a, key, name);
	if (str_starts(name, "L:"))
		return gather_log(a, key, name);
	if (str_starts(name, "D:"))
		return gather_deps(a, key, name);
	if (str_starts(name, "r:"))
		return gather_lane(a, name);
	if (str_starts(name, "cj:"))
		texts_add(&a->schedules, name + 3);
	if (str_starts(name, "l:"))
		return gather_leases(a, key, name);
	if (str_starts(name, "q:"))
		return gather_parked(a, key, name);
	if (str_eq(name, "d") || str_eq(name, "h"))
		return gather_ids(a, key, name, name[0]);
	if (a->look->deep && (str_eq(name, "x") || str_eq(name, "f") || str_eq(name, "k")))
		return gather_ids(a, key, name, name[0]);
	return gather_limits(a, key, name);
}

/* ---- states without records --------------------------------------------------------------------------------------------- */

static int name_of_record(const void *tail, const void *name)
{
	const char *text = *(const char *const *)name;
	int c = strncmp("j:", text, 2);

	return c ? c : strcmp(tail, text + 2);
}

/* r: ids and their states. A state that has a record is told of with that. */
static void take_states(struct audit *a, const struct redis_reply *r, const char *const *names, size_t n)
{
	for (size_t i = 0; i + 1 < redis_reply_count(r); i += 2) {
		size_t len = 0;
		const char *id = redis_reply_text(redis_reply_at(r, i), &len);

		if (id && !bsearch(id, names, n, sizeof(*names), name_of_record) && !add_trace(a, id, len, 's'))
			no_id(a, id, "s");
	}
}

/* A record may have vanished, and its state goes when the list of all ids is swept; so a state whose id is not listed never goes. */
static bool gather_states(struct audit *a, const char *const *names, size_t n, struct err *e)
{
	struct buf key = {0};
	char cursor[32] = "0";
	bool ok = true;

	buf_addf(&key, "%s:s", a->keys_of->tag);
	do {
		struct redis_reply *r = NULL;

		ok = queue_look_goes_on(a->look, e) &&
		     command(a, (const char *const[]){"HSCAN", buf_text(&key), cursor, "COUNT", STATES_BATCH, NULL}, &r, e);
		if (ok) {
			take_states(a, redis_reply_at(r, 1), names, n);
			ok = str_copy(cursor, sizeof(cursor), redis_reply_text(redis_reply_at(r, 0), NULL)) || redis_bad_reply(e, "HSCAN");
		}
		redis_reply_close(&r);
	} while (ok && !str_eq(cursor, "0"));
	buf_close(&key);
	return ok || redis_wrong_type(e);
}

/* name: NULL when it cannot be read. Asks when enough has been gathered. */
static bool gather_next(struct audit *a, struct buf *key, const char **name, struct err *e)
{
	if (a->look->bounds.read)
		++*a->look->bounds.read;
	buf_clear(key);
	buf_addf(key, "%s:%s", a->keys_of->tag, *name ? *name : "");
	if (*name && is_record(*name))
		gather_record(a, key->data, name);
	else if (*name)
		gather_key(a, key->data, *name);
	return (a->n_cmds < ASKS_MAX && a->n_asks < KEYS_MAX) || (asks_flush(a, e) && ask_unusual(a, e));
}

static bool within_bounds(const struct audit *a, struct err *e)
{
	if (!queue_look_goes_on(a->look, e))
		return false;
	return a->n <= QUEUE_LOOK_MAX ||
	       err_set(e, ERR_FULL, "queue %s holds more than is looked at: %d places and records", a->queue, QUEUE_LOOK_MAX);
}

static bool gather(struct audit *a, struct err *e)
{
	struct buf key = {0};
	size_t n;
	const char **names = redis_shard_names(a->keys_of, &n);
	bool ok;

	/* Most keys are records, and most records have one place. What is not used of it is never touched. */
	a->cap = 2 * n + 64;
	a->traces = mem_array(a->cap, sizeof(*a->traces));
	ok = !a->look->deep || (gather_states(a, names, n, e) && look_over(a, names, n, e)); /* which takes out names */
	for (size_t i = 0; ok && i < n; i++)
		ok = within_bounds(a, e) && gather_next(a, &key, names + i, e);
	ok = ok && asks_flush(a, e) && ask_unusual(a, e) && (a->stray_entries || gather_unwritten(a, e));
	mem_free(&names);
	buf_close(&key);
	return ok;
}

/* ---- judging ----------------------------------------------------------------------------------------------------------- */

static int by_tail(const void *x, const void *y)
{
	const struct trace *a = x, *b = y;
	int c = memcmp(a->tail, b->tail, QUEUE_TAIL);

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

/* A sentence about the whole queue. */
static void problem_of_queue(struct audit *a, enum queue_fault fault, const char *what)
{
	queue_look_add(a->look, &(struct queue_finding){.fault = fault, .shard = a->shard}, "%s-%d: %s", a->queue, a->shard, what);
}

/* Does the record say that its id lies in this lane? */
static bool is_ghost(const struct audit *a, const struct trace *record, const struct trace *t)
{
	return t->what == 'r' && record->ghosts & mark_bit(a->places[t->place].lane);
}

/* Rules of 78_flow.lua. n: t[0] is the record, t[1] perhaps what it waits for. NULL: they hold. */
static const char *judge_waiting(const struct trace *t, size_t n, enum job_state s)
{
	bool has = n > 1 && t[1].what == 'D';

	if (has && t[1].state)
		return "does not wait for as many jobs as it counts";
	if (has && !t[0].waits)
		return "does not say that it waits for others, but does";
	if (!has && t[0].waits && s != JOB_SUCCEEDED)
		return "says that it waits for others, but nothing says for which";
	if (has && s == JOB_WAITING && !t[1].waits)
		return "waits for jobs that have all ended";
	return NULL;
}

static bool is_listing(const struct trace *t)
{
	return t->what == 'x' || t->what == 'f' || t->what == 'k';
}

static char listing_of(enum job_state s)
{
	return s == JOB_DEAD ? 'x' : s == JOB_FAILED ? 'f' : s == JOB_CANCELLED ? 'k' : '\0';
}

/* Takes out where it is listed as ended; returns how many traces are left. Of a record that vanished it may be listed for a while. */
static size_t judge_listings(struct audit *a, struct trace *t, size_t n)
{
	bool is_job = t[0].what == '!' && t[0].state >= '0' && t[0].state <= '0' + JOB_DEAD;
	char wanted = is_job ? listing_of((enum job_state)(t[0].state - '0')) : '\0';
	size_t kept = 0;
	bool listed = false;

	for (size_t i = 0; i < n; i++) {
		if (!is_listing(&t[i])) {
			t[kept++] = t[i];
			continue;
		}
		listed = listed || t[i].what == wanted;
		if (is_job && t[i].what != wanted)
			problem(a, FAULT_LISTING, t, &t[i], "is listed among jobs that ended otherwise");
	}
	if (a->look->deep && wanted && !listed)
		problem(a, FAULT_LISTING, t, NULL, "has ended but is not listed among those that ended like it");
	return kept;
}

/* Does it stand where its state says? */
static bool is_in_place(const struct audit *a, const struct trace *record, const struct trace *t, char place)
{
	const struct place *p = t->what == 'q' || t->what == 'r' ? &a->places[t->place] : NULL;

	if (record->parked)
		return place == 'r' && t->what == 'q' && (p->hash == record->at[0] || p->hash == record->at[1]);
	return t->what == place && (place != 'r' || (p->lane == record->lane && p->route == record->place));
}

/* Where it stands: t[first] and those after it. */
static void judge_places(struct audit *a, const struct trace *t, size_t first, size_t n, char place)
{
	size_t ghosts = 0, real = 0;

	for (size_t i = first; i < n; i++) {
		bool ghost = is_ghost(a, t, &t[i]);

		ghosts += ghost;
		real += !ghost;
		if (!ghost && !is_in_place(a, t, &t[i], place)) {
			problem(a, FAULT_PLACE, t, &t[i],
			        place ? "stands in another place than its state says" : "has ended but stands somewhere");
			return;
		}
	}
	if (ghosts != (size_t)__builtin_popcount(t[0].ghosts))
		problem(a, FAULT_PLACE, t, NULL, "has not the ghosts that it says");
	else if (place && !real)
		problem(a, FAULT_PLACE, t, NULL, "stands nowhere");
	for (size_t i = first; real > 1 && i < n; i++) /* nothing here says which of them is wrong */
		problem(a, FAULT_PLACE, t, &t[i], "stands in several places");
}

/* What no record knows. Its retention may have ended while its id still lay in a lane, where it is passed over; a log vanishes in the
 * same moment, but is not looked at in the same. */
static void judge_orphan(struct audit *a, const struct trace *t)
{
	if (t->what == 'L' && !t->ends)
		problem(a, FAULT_ORPHAN, t, t, "has a log that will stay, but no record");
	else if (t->what == 's' && !t->listed && !a->stray_list)
		problem(a, FAULT_ORPHAN, t, t, "has a state that will stay, but no record");
	else if (t->what == 's')
		return;
	else if (t->what != 'L' && t->what != 'r')
		problem(a, FAULT_ORPHAN, t, t, "is held somewhere but has no record");
}

/* t[0] is what is known first of an id, t[n - 1] what is known last. */
static void judge(struct audit *a, struct trace *t, size_t n)
{
	bool has_record = t[0].what == '!';
	const char *waiting;
	size_t rest;
	enum job_state s;

	n = judge_listings(a, t, n);
	if (n == 0)
		return;
	if (!has_record) {
		judge_orphan(a, t);
		return;
	}
	if (t[0].state < '0' || t[0].state > '0' + JOB_DEAD)
		return; /* which was told when it was read */
	s = (enum job_state)(t[0].state - '0');
	if (a->look->deep && !a->stray_list && !t[0].listed)
		problem(a, FAULT_LISTING, t, &(struct trace){.what = 'a'},
		        "does not stand among all jobs, so that it is not shown, nor ever let go");
	a->look->jobs++;
	a->by_state[s]++;
	if (s == JOB_READY && !t[0].parked)
		a->routes[t[0].place].ready++;
	if (t[0].ends != job_state_is_end(s))
		problem(a, FAULT_LIFETIME, t, NULL, t[0].ends ? "lives but will vanish" : "has ended but will never vanish");
	waiting = judge_waiting(t, n, s);
	if (waiting)
		problem(a, FAULT_FLOW, t, NULL, waiting);
	rest = n > 1 && t[1].what == 'D' ? 2 : 1;
	if (rest < n && t[rest].what == 'L') {
		if (!t[0].log || t[rest].ends != t[0].ends)
			problem(a, t[0].log ? FAULT_LIFETIME : FAULT_ORPHAN, t, &t[rest],
			        t[0].log ? "will not vanish together with its log" : "knows nothing of its log");
		rest++;
	}
	judge_places(a, t, rest, n, place_of(s));
}

/* ---- the list of all jobs ----------------------------------------------------------------------------------------------- */

static int tail_of(const void *tail, const void *trace)
{
	return memcmp(tail, ((const struct trace *)trace)->tail, QUEUE_TAIL);
}

/* ids: of T:a or T:o. The traces are in order. */
static void note_listed(struct audit *a, const struct redis_reply *ids)
{
	for (size_t i = 0; i < redis_reply_count(ids); i++) {
		size_t len = 0;
		const char *id = redis_reply_text(redis_reply_at(ids, i), &len);
		struct trace *t = id && len == QUEUE_TAIL ? bsearch(id, a->traces, a->n, sizeof(*t), tail_of) : NULL;

		while (t && t > a->traces && tail_of(id, t - 1) == 0)
			t--;
		for (; t && t < a->traces + a->n && tail_of(id, t) == 0; t++)
			t->listed = true;
	}
}

/* An id moves from T:a to T:o only, so that these are read in this order, and T:a from its end, at which nothing moves. */
static bool read_lists(struct audit *a, struct err *e)
{
	struct buf old = {0};
	struct redis_reply *r = NULL;
	bool more = true, ok = true;

	for (int64_t at = 1; ok && more; at += LIST_BATCH) {
		ok = queue_look_goes_on(a->look, e) && redis_newest_ids(a->q, a->keys_of, at, LIST_BATCH, &r, e);
		more = redis_reply_count(r) == LIST_BATCH;
		note_listed(a, r);
		redis_reply_close(&r);
	}
	buf_addf(&old, "%s:o", a->keys_of->tag);
	ok = ok && command(a, (const char *const[]){"ZRANGE", buf_text(&old), "0", "-1", NULL}, &r, e);
	note_listed(a, r);
	redis_reply_close(&r);
	buf_close(&old);
	return ok;
}

/* A look that counts only what others rely on does not read them. */
static bool sort_traces(struct audit *a, struct err *e)
{
	if (a->n)
		qsort(a->traces, a->n, sizeof(*a->traces), by_tail);
	if (!a->look->deep || a->stray_list)
		return true;
	return read_lists(a, e);
}

static void judge_all(struct audit *a)
{
	size_t run;

	for (size_t i = 0; i < a->n; i += run) {
		for (run = 1; i + run < a->n && memcmp(a->traces[i].tail, a->traces[i + run].tail, QUEUE_TAIL) == 0;)
			run++;
		judge(a, a->traces + i, run);
	}
	if (a->unwritten_wrong)
		problem_of_queue(a, FAULT_HISTORY, "the ends that wait for the history are not as many as is counted");
}

/* ---- counters ---------------------------------------------------------------------------------------------------------- */

static bool read_counters(struct audit *a, struct redis_reply **out, struct err *e)
{
	struct buf key = {0};
	bool ok;

	redis_key(&key, a->q->head.options.namespace_, a->queue, a->shard, ":n");
	ok = command(a, (const char *const[]){"HGETALL", key.data, NULL}, out, e) || redis_wrong_type(e);
	buf_close(&key);
	return ok;
}

/* Does this counter stand still while no job moves? */
static bool is_still(const char *name)
{
	return str_eq(name, "r") || str_eq(name, "run") || str_eq(name, "done") || str_eq(name, "f") || str_eq(name, "q") ||
	       str_eq(name, "by") || str_eq(name, "nw") || str_starts(name, "r:");
}

/* The sum of hashes of the counters that stand still: equal at the beginning and at the end of a look when no job moved meanwhile. */
static uint64_t stillness(const struct redis_reply *r)
{
	uint64_t sum = 0;

	for (size_t i = 0; i + 1 < redis_reply_count(r); i += 2) {
		const char *name = redis_reply_text(redis_reply_at(r, i), NULL), *value = redis_reply_text(redis_reply_at(r, i + 1), NULL);

		if (name && value && is_still(name))
			sum += hash_of(name) * hash_of(value);
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
	return strchr("afn", text[0]) && (text[0] == 'n' ? !*skip_digits(text + 1) : is_digits(text + 1));
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

/* What limits count beside T:n. */
static void judge_limits(struct audit *a)
{
	const char *wrong = audit_limits_judge(&a->limits, (const int64_t[]){a->limits.parked, a->limits.bytes, a->limits.weights});

	if (wrong)
		problem_of_queue(a, FAULT_LIMIT, wrong);
}

static const char *field_of(const struct redis_reply *r, const char *name)
{
	for (size_t i = 0; i + 1 < redis_reply_count(r); i += 2)
		if (str_eq(redis_reply_text(redis_reply_at(r, i), NULL), name))
			return redis_reply_text(redis_reply_at(r, i + 1), NULL);
	return NULL;
}

/* r: T:n, as HGETALL answers */
static void judge_counters(struct audit *a, const struct redis_reply *r)
{
	const struct {
		const char *name, *of;
		int64_t counted;
	} counters[] = {{"r", "ready jobs", a->by_state[JOB_READY] - a->limits.parked}, {"run", "running jobs", a->by_state[JOB_RUNNING]},
	        {"q", "parked jobs", a->limits.parked}, {"by", "bytes of parameters that wait", a->limits.bytes},
	        {"nw", "weights of lanes", a->limits.weights}};
	int64_t load = a->by_state[JOB_READY] - a->limits.parked + a->by_state[JOB_RUNNING];

	for (size_t i = 0; i < ARRAY_LEN(counters); i++)
		judge_counter(a, counters[i].name, field_of(r, counters[i].name), counters[i].counted, counters[i].of);
	judge_limits(a);
	for (size_t i = 0; i + 1 < redis_reply_count(r); i += 2) {
		const char *name = redis_reply_text(redis_reply_at(r, i), NULL);

		const char *value = redis_reply_text(redis_reply_at(r, i + 1), NULL);

		if (name && str_starts(name, "r:"))
			route_of(a, name + 2);
		else if (str_eq(name, "hm") && value && !(*value && is_noting(value)))
			judge_counter(a, name, value, -1, "");
		else if (name && is_number(name))
			judge_counter(a, name, value, -1, "");
	}
	for (size_t i = 0; i < a->n_routes; i++) {
		char name[JOB_ROUTE + 2];

		snprintf(name, sizeof(name), "r:%s", a->routes[i].route);
		judge_counter(a, name, field_of(r, name), a->routes[i].ready, "ready jobs");
	}
	if (!a->stray_load)
		judge_counter(a, "load", *a->load ? a->load : NULL, load, "ready and running jobs");
}

static bool look_at_all(struct audit *a, struct err *e)
{
	struct redis_reply *before = NULL, *after = NULL;
	bool ok = read_counters(a, &before, e) && redis_add_newer(a->q, a->keys_of, e) && gather(a, e) && sort_traces(a, e), moved;

	if (ok)
		judge_all(a);
	ok = ok && read_counters(a, &after, e);
	if (ok) {
		moved = stillness(before) != stillness(after);
		a->look->moved = a->look->moved || moved;
		if (!moved || !a->look->deep)
			judge_counters(a, after);
	}
	redis_reply_close(&before);
	redis_reply_close(&after);
	return ok && (a->stray_order || redis_audit_schedules(a->q, a->queue, a->shard, a->schedules.at, a->schedules.n, a->look, e));
}

static bool look_at_shard(struct redis_queue *q, struct audit_shard *s, struct err *e)
{
	struct audit *a = mem_new(sizeof(*a));
	bool ok;

	*a = (struct audit){.q = q, .queue = s->look->queue, .shard = s->number, .slot = s->slot, .keys_of = s, .look = s->look};
	ok = look_at_all(a, e);
	for (size_t i = 0; i < ARRAY_LEN(a->by_state); i++)
		s->look->by_state[i] += a->by_state[i];
	mem_free(&a->traces);
	mem_free(&a->routes);
	audit_limits_close(&a->limits);
	places_close(a);
	texts_close(&a->schedules);
	asks_clear(a);
	mem_free(&a);
	redis_shard_forget(s);
	return ok;
}

bool redis_look(struct queue *base, struct queue_look *const *looks, size_t n, struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	size_t n_shards;
	struct audit_shard *shards = redis_shards_of(q, looks, n, &n_shards, e);
	bool ok = shards != NULL;

	for (size_t i = 0; ok && i < n_shards; i++) {
		struct audit_shard *s = &shards[i];

		if (s->look->bounds.is_at && s->number == 0)
			s->look->bounds.is_at(s->look->bounds.user, s->look->queue, s->nth, n);
		ok = (s->scanned || redis_scan_shards(q, shards, n_shards, e)) && look_at_shard(q, s, e);
	}
	for (size_t i = 0; i < n_shards; i++)
		redis_shard_forget(&shards[i]);
	mem_free(&shards);
	return ok;
}

int redis_audit(struct queue *base, const char *queue, struct queue_audit *out, struct err *e)
{
	struct queue_look l = {0};
	bool ok = (str_copy(l.queue, sizeof(l.queue), queue) || redis_bad_reply(e, "the name of a queue")) &&
	          redis_look(base, (struct queue_look *const[]){&l}, 1, e);

	out->jobs = l.jobs;
	memcpy(out->by_state, l.by_state, sizeof(out->by_state));
	if (l.n)
		snprintf(out->problem, sizeof(out->problem), "%.290s", l.findings[0].text);
	queue_look_close(&l);
	return ok ? !*out->problem : -1;
}
