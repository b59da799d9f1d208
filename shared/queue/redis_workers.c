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

static bool page(struct redis_queue *q, const char *queue, int64_t *offset, struct queue_worker *out, int max, int *n, struct err *e)
{
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	const struct redis_reply *rows;
	bool ok;

	redis_fcall(&cmd, &q->head.options, "workers", queue, 0);
	redis_cmd_addi(&cmd, *offset);
	ok = redis_call(q, &cmd, true, &r, e);
	redis_cmd_close(&cmd);
	if (ok && (!redis_reply_int(redis_reply_at(r, 0), offset) || !redis_reply_is_array(redis_reply_at(r, 1))))
		ok = redis_bad_reply(e, "workers");
	rows = redis_reply_at(r, 1);
	for (size_t i = 0; ok && i < redis_reply_count(rows) && *n < max; i++) {
		ok = read_worker(&out[*n], redis_reply_at(rows, i)) || redis_bad_reply(e, "workers");
		*n += 1; /* also one that was not read whole: it may own something */
	}
	redis_reply_close(&r);
	return ok;
}

int redis_workers(struct queue *base, const char *queue, struct queue_worker *out, int max, struct err *e)
{
	int64_t offset = 0;
	int n = 0;
	bool ok = true;

	while (ok && offset >= 0 && n < max)
		ok = page((struct redis_queue *)base, queue, &offset, out, max, &n, e);
	while (!ok && n > 0)
		queue_worker_close(&out[--n]);
	return ok ? n : -1;
}

int redis_worker_tell(struct queue *base, const char *queue, const char *worker, enum worker_command command, struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	int64_t told = -1;
	bool ok;

	redis_fcall(&cmd, &q->head.options, "worker_tell", queue, 0);
	redis_cmd_adds(&cmd, worker_command_name(command));
	redis_cmd_adds(&cmd, worker);
	ok = redis_call(q, &cmd, true, &r, e);
	redis_cmd_close(&cmd);
	if (ok && (!redis_reply_int(r, &told) || told < 0 || told > 1))
		ok = redis_bad_reply(e, "worker_tell");
	redis_reply_close(&r);
	return ok ? (int)told : -1;
}

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

int redis_routes(struct queue *base, const char *queue, struct queue_route *out, int max, struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	const struct redis_reply *rows;
	int64_t now = 0;
	int n = 0;
	bool ok;

	redis_fcall(&cmd, &q->head.options, "routes", queue, 0);
	ok = redis_call(q, &cmd, true, &r, e);
	redis_cmd_close(&cmd);
	if (ok && (!redis_reply_int(redis_reply_at(r, 0), &now) || !redis_reply_is_array(redis_reply_at(r, 1))))
		ok = redis_bad_reply(e, "routes");
	rows = redis_reply_at(r, 1);
	for (size_t i = 0; ok && i < redis_reply_count(rows) && n < max; i++)
		ok = read_route(&out[n++], now, redis_reply_at(rows, i)) || redis_bad_reply(e, "routes");
	redis_reply_close(&r);
	return ok ? n : -1;
}
