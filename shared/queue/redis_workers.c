/* redis_workers.c -- the dispatchers of a queue in Redis: functions/35_workers.lua from this side. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "queue/redis_private.h"
#include "queue/workers.h"

/* "<heard> <report>" or "" */
static bool read_report(struct queue_worker *w, const struct redis_reply *r)
{
	size_t len = 0;
	const char *text = redis_reply_text(r, &len), *space = text ? memchr(text, ' ', len) : NULL;
	char heard[24];

	if (text && !len)
		return true;
	if (!space || len > QUEUE_REPORT_MAX + sizeof(heard) || !str_copy_n(heard, sizeof(heard), text, (size_t)(space - text)) ||
	        !str_int(heard, 1, INT64_MAX, &w->heard_at))
		return false;
	w->report = mem_strndup(space + 1, len - (size_t)(space + 1 - text));
	return true;
}

static bool read_worker(struct queue_worker *w, const struct redis_reply *r)
{
	const char *name = redis_reply_text(redis_reply_at(r, 0), NULL);
	const char *until = redis_reply_text(redis_reply_at(r, 1), NULL);
	const char *command = redis_reply_text(redis_reply_at(r, 3), NULL);

	memset(w, 0, sizeof(*w));
	if (!name || !str_is_name(name, JOB_WORKER - 1, "_.:@-") || !str_copy(w->name, sizeof(w->name), name) || !until ||
	        !str_int(until, 0, INT64_MAX, &w->alive_until) || !redis_reply_int(redis_reply_at(r, 2), &w->running) || !command)
		return false;
	if (command[0] && !worker_command_of(command, &w->command))
		return false;
	return read_report(w, redis_reply_at(r, 4));
}

#define CURSOR    48   /* of a page, and NUL; "" begins and ends */
#define PAGES_MAX 4096 /* of one shard: whoever has more does not tell the truth */

/* The answer of one shard, appended. */
static bool read_workers(struct queue_workers *all, const struct redis_reply *r, char next_out[CURSOR])
{
	const struct redis_reply *rows = redis_reply_at(r, 1);
	const char *next = redis_reply_text(redis_reply_at(r, 0), NULL);
	size_t n = redis_reply_count(rows);

	if (!next || !str_copy(next_out, CURSOR, next) || !redis_reply_is_array(rows) || (*next && n == 0))
		return false;
	if (n > 0)
		all->at = mem_grow(all->at, all->n, all->n + n, sizeof(*all->at));
	for (size_t i = 0; i < n; i++)
		if (!read_worker(&all->at[all->n++], redis_reply_at(rows, i)))
			return false;
	return true;
}

/* The first page came with those of all shards; few have more workers than one holds. */
static bool read_further(struct redis_queue *q, const char *queue, int shard, char next[CURSOR], struct queue_workers *all, struct err *e)
{
	for (int pages = 1; *next; pages++) {
		struct redis_cmd cmd = {0};
		struct redis_reply *r = NULL;
		bool ok;

		if (pages == PAGES_MAX)
			return redis_bad_reply(e, "workers");
		redis_fcall(&cmd, &q->head.options, "workers", queue, shard);
		redis_cmd_adds(&cmd, next);
		ok = redis_call(q, &cmd, true, &r, e) && (read_workers(all, r, next) || redis_bad_reply(e, "workers"));
		redis_cmd_close(&cmd);
		redis_reply_close(&r);
		if (!ok)
			return false;
	}
	return true;
}

/* By name; of one name the one that is taken for alive longest comes last. */
static int by_life(const void *a, const void *b)
{
	const struct queue_worker *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	return c ? c : (x->alive_until > y->alive_until) - (x->alive_until < y->alive_until);
}

/* By name; of one name the one whose report is kept comes first. */
static int by_name(const void *a, const void *b)
{
	const struct queue_worker *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	return c ? c : (x->heard_at < y->heard_at) - (x->heard_at > y->heard_at);
}

/* Those from `first` on are of one shard; some have come twice, on two pages: the later one stays. */
static void drop_twice(struct queue_workers *all, size_t first)
{
	size_t n = first;

	if (all->n > first)
		qsort(all->at + first, all->n - first, sizeof(*all->at), by_life);
	for (size_t i = first; i < all->n; i++) {
		if (n > first && str_eq(all->at[n - 1].name, all->at[i].name))
			queue_worker_close(&all->at[--n]);
		all->at[n++] = all->at[i];
	}
	all->n = n;
}

/* Each once: it runs jobs of several shards; all else it says in each of them alike. */
static void merge_workers(struct queue_workers *all)
{
	size_t n = 0;

	if (all->n)
		qsort(all->at, all->n, sizeof(*all->at), by_name);
	for (size_t i = 0; i < all->n; i++) {
		struct queue_worker *w = &all->at[i], *known = n ? &all->at[n - 1] : NULL;

		if (!known || !str_eq(known->name, w->name)) {
			all->at[n++] = *w;
			continue;
		}
		known->running += w->running;
		known->command = w->command > known->command ? w->command : known->command;
		queue_worker_close(w);
	}
	all->n = n;
}

bool redis_workers(struct queue *base, const char *queue, struct queue_workers *out, struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	char one[1][JOB_NAME] = {""};
	struct redis_spread s;

	if (!str_copy(one[0], JOB_NAME, queue) || !redis_spread_ask(q, "workers", "", (const char(*)[JOB_NAME])one, 1, &s, e))
		return false;
	bool ok = true;
	for (size_t i = 0; ok && i < s.n; i++) {
		char next[CURSOR] = "";
		size_t first = out->n;

		ok = (read_workers(out, s.answers[i], next) || redis_bad_reply(e, "workers")) &&
		     read_further(q, queue, s.places[i].shard, next, out, e);
		if (ok)
			drop_twice(out, first);
	}
	redis_spread_close(&s);
	if (ok)
		merge_workers(out);
	return ok;
}

static int tell_in(struct redis_queue *q, const char *queue, int shard, const char *worker, enum worker_command command, struct err *e)
{
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	int64_t told = -1;
	bool ok;

	redis_fcall(&cmd, &q->head.options, "worker_tell", queue, shard);
	redis_cmd_adds(&cmd, worker_command_name(command));
	redis_cmd_adds(&cmd, worker);
	ok = redis_call(q, &cmd, true, &r, e);
	redis_cmd_close(&cmd);
	if (ok && (!redis_reply_int(r, &told) || told < 0 || told > 1))
		ok = redis_bad_reply(e, "worker_tell");
	redis_reply_close(&r);
	return ok ? (int)told : -1;
}

/* In each shard, so that it hears it wherever it steps next, and also where it serves not all of them. */
int redis_worker_tell(struct queue *base, const char *queue, const char *worker, enum worker_command command, struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	struct queue_shards shards;
	int told = 0;

	if (!redis_shards_now(q, queue, &shards, e))
		return -1;
	for (int i = 0; i < shards.serve; i++) {
		int heard = tell_in(q, queue, i, worker, command, e);

		if (heard < 0)
			return -1;
		told |= heard;
	}
	return told;
}

/* ---- routes ----------------------------------------------------------------------------------------------------------- */

static bool read_route(struct queue_route *out, int64_t now, const struct redis_reply *r)
{
	size_t len = 0;
	const char *route = redis_reply_text(redis_reply_at(r, 0), &len);

	memset(out, 0, sizeof(*out));
	if (!route || !job_route_parse(route, len, NULL, NULL, NULL) || !str_copy(out->route, sizeof(out->route), route) ||
	        !redis_reply_int(redis_reply_at(r, 1), &out->ready) || !redis_reply_int(redis_reply_at(r, 2), &out->named_at))
		return false;
	out->served = now - out->named_at < QUEUE_ROUTE_STALE_MS;
	return true;
}

/* {now, rows}: appended */
static bool read_routes(struct queue_routes *all, const struct redis_reply *r)
{
	const struct redis_reply *rows = redis_reply_at(r, 1);
	size_t n = redis_reply_count(rows);
	int64_t now;

	if (!redis_reply_int(redis_reply_at(r, 0), &now) || !redis_reply_is_array(rows))
		return false;
	if (n > 0)
		all->at = mem_grow(all->at, all->n, all->n + n, sizeof(*all->at));
	for (size_t i = 0; i < n; i++)
		if (!read_route(&all->at[all->n++], now, redis_reply_at(rows, i)))
			return false;
	return true;
}

static int by_route(const void *a, const void *b)
{
	const struct queue_route *x = a, *y = b;

	return strcmp(x->route, y->route);
}

/* Each once: its jobs are served when they are in each shard where some are ready. */
static void merge_routes(struct queue_routes *all)
{
	size_t n = 0;

	if (all->n)
		qsort(all->at, all->n, sizeof(*all->at), by_route);
	for (size_t i = 0; i < all->n; i++) {
		const struct queue_route *r = &all->at[i];
		struct queue_route *known = n ? &all->at[n - 1] : NULL;

		if (!known || !str_eq(known->route, r->route)) {
			all->at[n++] = *r;
			continue;
		}
		known->ready += r->ready;
		known->named_at = r->named_at < known->named_at ? r->named_at : known->named_at;
		known->served = known->served && r->served;
	}
	all->n = n;
}

bool redis_routes(struct queue *base, const char (*queues)[JOB_NAME], size_t n, struct queue_routes *out, struct err *e)
{
	struct redis_spread s;

	if (!redis_spread_ask((struct redis_queue *)base, "routes", NULL, queues, n, &s, e))
		return false;
	bool ok = true;
	for (size_t i = 0; ok && i < s.n; i++)
		ok = read_routes(&out[s.places[i].queue], s.answers[i]) || redis_bad_reply(e, "routes");
	redis_spread_close(&s);
	for (size_t i = 0; ok && i < n; i++)
		merge_routes(&out[i]);
	return ok;
}
