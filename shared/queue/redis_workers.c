/* redis_workers.c -- the dispatchers of a queue in Redis: functions/35_workers.lua from this side. */
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

/* Those of all shards, each once. */
struct list {
	struct queue_worker *at;
	int n, max;
};

static struct queue_worker *find(const struct list *all, const char *name)
{
	for (int i = 0; i < all->n; i++)
		if (str_eq(all->at[i].name, name))
			return &all->at[i];
	return NULL;
}

/* It runs jobs of several shards; all else it says in each of them alike. */
static bool add_worker(struct list *all, const struct redis_reply *r)
{
	struct queue_worker w, *known;

	if (!read_worker(&w, r)) {
		queue_worker_close(&w);
		return false;
	}
	known = find(all, w.name);
	if (known) {
		known->running += w.running;
		known->command = w.command > known->command ? w.command : known->command;
	}
	if (known || all->n == all->max)
		queue_worker_close(&w);
	else
		all->at[all->n++] = w;
	return true;
}

/* From *offset on, which becomes that of the next page or -1. */
static bool page(struct redis_queue *q, const char *queue, int shard, int64_t *offset, struct list *all, struct err *e)
{
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	const struct redis_reply *rows;
	bool ok;

	redis_fcall(&cmd, &q->head.options, "workers", queue, shard);
	redis_cmd_addi(&cmd, *offset);
	ok = redis_call(q, &cmd, true, &r, e);
	redis_cmd_close(&cmd);
	if (ok && (!redis_reply_int(redis_reply_at(r, 0), offset) || !redis_reply_is_array(redis_reply_at(r, 1))))
		ok = redis_bad_reply(e, "workers");
	rows = redis_reply_at(r, 1);
	for (size_t i = 0; ok && i < redis_reply_count(rows); i++)
		ok = add_worker(all, redis_reply_at(rows, i)) || redis_bad_reply(e, "workers");
	redis_reply_close(&r);
	return ok;
}

int redis_workers(struct queue *base, const char *queue, struct queue_worker *out, int max, struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	struct list all = {.at = out, .max = max};
	struct queue_shards shards;
	bool ok = redis_shards_now(q, queue, &shards, e);

	for (int i = 0; ok && i < shards.serve; i++)
		for (int64_t offset = 0; ok && offset >= 0;)
			ok = page(q, queue, i, &offset, &all, e);
	while (!ok && all.n > 0)
		queue_worker_close(&out[--all.n]);
	return ok ? all.n : -1;
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

/* Jobs of a route are served when they are in each shard where some are ready. */
static void add_route(struct queue_route *all, int max, int *n, const struct queue_route *r)
{
	int i = 0;

	while (i < *n && !str_eq(all[i].route, r->route))
		i++;
	if (i < *n) {
		all[i].ready += r->ready;
		all[i].named_at = r->named_at < all[i].named_at ? r->named_at : all[i].named_at;
		all[i].served = all[i].served && r->served;
	} else if (i < max) {
		all[i] = *r;
		*n += 1;
	}
}

static bool routes_in(struct redis_queue *q, const char *queue, int shard, struct queue_route *out, int max, int *n, struct err *e)
{
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	const struct redis_reply *rows;
	int64_t now = 0;
	bool ok;

	redis_fcall(&cmd, &q->head.options, "routes", queue, shard);
	ok = redis_call(q, &cmd, true, &r, e);
	redis_cmd_close(&cmd);
	if (ok && (!redis_reply_int(redis_reply_at(r, 0), &now) || !redis_reply_is_array(redis_reply_at(r, 1))))
		ok = redis_bad_reply(e, "routes");
	rows = redis_reply_at(r, 1);
	for (size_t i = 0; ok && i < redis_reply_count(rows); i++) {
		struct queue_route one;

		ok = read_route(&one, now, redis_reply_at(rows, i)) || redis_bad_reply(e, "routes");
		if (ok)
			add_route(out, max, n, &one);
	}
	redis_reply_close(&r);
	return ok;
}

int redis_routes(struct queue *base, const char *queue, struct queue_route *out, int max, struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	struct queue_shards shards;
	int n = 0;
	bool ok = redis_shards_now(q, queue, &shards, e);

	for (int i = 0; ok && i < shards.serve; i++)
		ok = routes_in(q, queue, i, out, max, &n, e);
	return ok ? n : -1;
}
