/* redis_audit_record.c -- what the records of jobs say: the plain ones by ordinary commands, the others by a function that sees each at one moment. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/redis_audit.h"

#define RECORDS_MAX 64 /* by one function: the server does nothing else meanwhile */

bool audit_is_digits(const char *text)
{
	return *text && !text[strspn(text, "0123456789")];
}

const char *audit_skip_digits(const char *text)
{
	return text + strspn(text, "0123456789");
}

/* ---- what a record says ------------------------------------------------------------------------------------------------ */

char audit_lane_mark(const char *lane, bool quarantined)
{
	return quarantined && lane[0] >= '0' && lane[0] <= '9' ? (char)('a' + lane[0] - '0') : lane[0];
}

uint32_t audit_mark_bit(char mark)
{
	return mark >= '0' && mark <= '9' ? 1U << (mark - '0') : mark >= 'a' && mark <= 'j' ? 1U << (10 + mark - 'a') : 0;
}

static uint32_t read_ghosts(const char *marks)
{
	uint32_t bits = 0;

	for (; *marks; marks++)
		bits |= audit_mark_bit(*marks);
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
	t->lane = audit_lane_mark(x->lane ? x->lane : "5", quarantined);
	t->ends = x->left_ms >= 0 || is_swept(x->s);
	t->parked = memchr(x->s, 'q', flags) != NULL;
	t->log = memchr(x->s, 'L', flags) != NULL;
	t->waits = memchr(x->s, 'D', flags) != NULL;
	snprintf(route, sizeof(route), "%s%s", x->kind ? x->kind : "?", quarantined ? "!" : "");
	t->place = audit_route_of(a, route);
	t->ghosts = read_ghosts(x->ghosts ? x->ghosts : "");
}

/* name: "j:<id>" */
static bool add_record(struct audit *a, const char *name, const struct look_record *x, struct err *e)
{
	struct trace *t = audit_add_trace(a, name + 2, strlen(name + 2), '!');

	if (!t)
		return redis_bad_reply(e, "look_records");
	if (x->s)
		read_record(a, t, x);
	if (x->odd)
		audit_problem(a, FAULT_RECORD, t, NULL, x->odd);
	if (x->s)
		audit_limits_record(&a->limits, x->s, x->concurrency, x->rate, x->bytes, t->at);
	return true;
}

/* ---- what is not plain ------------------------------------------------------------------------------------------------- */

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

bool audit_ask_unusual(struct audit *a, struct err *e)
{
	for (size_t at = 0, some; at < a->n_unusual; at += some) {
		struct ask *k = audit_ask(a, take_unusual, "", '!');

		some = a->n_unusual - at < RECORDS_MAX ? a->n_unusual - at : RECORDS_MAX;
		k->names = a->unusual + at;
		k->n_names = some;
		redis_look_records_ask(audit_ask_more(a), a->q, a->queue, a->shard, k->names, some);
	}
	if (!audit_asks_flush(a, e))
		return false;
	a->n_unusual = 0;
	return true;
}

/* ---- what is plain ----------------------------------------------------------------------------------------------------- */

/* Without flags: "<state>.<revision>[.<fence>[.<ended>]][ <digits> <worker>]" */
static bool is_plain_state(const char *s, bool *ended_out, bool *worker_out)
{
	const char *at = s[0] && s[1] ? audit_skip_digits(s + 2) : s;

	*ended_out = *worker_out = false;
	if (s[0] < '0' || s[0] > '0' + JOB_DEAD || s[1] != '.' || at == s + 2 || s[2] == '0')
		return false;
	if (*at == '.')
		at = audit_skip_digits(at + 1);
	*ended_out = at[0] == '.' && at[1] >= '0' && at[1] <= '9';
	if (*ended_out)
		at = audit_skip_digits(at + 1);
	if (!*at)
		return true;
	at = *at == ' ' ? audit_skip_digits(at + 1) : at;
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
	if (!audit_is_digits(c) || (y && (*y < '0' || *y > '9')))
		return false;
	if (d ? !audit_is_digits(d) : state == JOB_SCHEDULED || state == JOB_RETRYING)
		return false;
	if (b ? audit_skip_digits(b) == b || !strchr(b, ' ') : state == JOB_RUNNING && !worker)
		return false;
	return end ? audit_is_digits(end) : ended || !job_state_is_end(state);
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

void audit_gather_record(struct audit *a, const char *key, const char **name)
{
	struct buf states = {0};

	buf_addf(&states, "%s:s", a->keys_of->tag);
	audit_ask(a, take_record, *name, '!')->names = name;
	audit_ask_words(a, (const char *const[]){"HMGET", key, "k", "c", "y", "d", "b", "e", "n", NULL});
	audit_ask_words(a, (const char *const[]){"HLEN", key, NULL});
	audit_ask_words(a, (const char *const[]){"HSTRLEN", key, "p", NULL});
	audit_ask_words(a, (const char *const[]){"HSTRLEN", key, "R", NULL});
	audit_ask_words(a, (const char *const[]){"PTTL", key, NULL});
	audit_ask_words(a, (const char *const[]){"HGET", buf_text(&states), *name + 2, NULL});
	buf_close(&states);
}

bool audit_is_record(const char *name)
{
	return str_starts(name, "j:") && strlen(name + 2) == QUEUE_TAIL;
}
