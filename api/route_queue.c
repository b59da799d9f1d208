/* route_queue.c -- whole queues: what stands in them, pause, resume, purge. */
#include "api/context.h"
#include "api/input.h"
#include "api/one_queue.h"
#include "api/reply.h"
#include "api/routes.h"
#include "base/mem.h"
#include "base/param.h"
#include "base/str.h"
#include "kinds/kind.h"
#include "queue/seeing.h"
#include "queue/workers.h"

/* Jobs are ready there, but no worker knows their kind in this version, or serves the quarantine. */
static void unserved_write(const struct queue_routes *routes, struct json_writer *w)
{
	jw_array(w, "unserved");
	for (size_t i = 0; i < routes->n; i++) {
		if (routes->at[i].served)
			continue;
		jw_object(w, NULL);
		jw_text(w, "route", routes->at[i].route);
		jw_int(w, "ready", routes->at[i].ready);
		jw_end(w);
	}
	jw_end(w);
}

static void board_write(
        const struct queue_counts *n, const struct queue_backlog *b, const struct queue_routes *routes, struct json_writer *w)
{
	jw_object(w, NULL);
	jw_text(w, "queue", n->queue);
	jw_int(w, "ready", n->ready);
	jw_int(w, "scheduled", n->scheduled);
	jw_int(w, "running", n->running);
	jw_int(w, "waiting", n->waiting);
	jw_int(w, "dead", n->dead);
	jw_int(w, "parked", n->parked);
	jw_int(w, "waiting_bytes", n->bytes);
	jw_int(w, "done_total", n->done_total);
	jw_int(w, "workers", n->workers);
	jw_bool(w, "paused", n->paused_at != 0);
	jw_bool(w, "draining", n->draining_at != 0);
	if (n->paused_at)
		jw_int(w, "paused_at", n->paused_at);
	else
		jw_null(w, "paused_at");
	jw_int(w, "shards", n->shards);
	jw_double(w, "backlog_seconds", b->seconds);
	unserved_write(routes, w);
	jw_end(w);
}

/* What stands in n queues, how long that takes, and which of their routes nobody serves, one after the other. */
static bool boards_write(struct queue *q, const char (*names)[JOB_NAME], size_t n, struct json_writer *w, struct err *e)
{
	struct queue_counts *counts = mem_array(n ? n : 1, sizeof *counts);
	struct queue_backlog *backlogs = mem_array(n ? n : 1, sizeof *backlogs);
	struct queue_routes *routes = mem_array(n ? n : 1, sizeof *routes);
	bool ok = queue_counts(q, names, n, counts, e) && queue_backlogs(q, names, n, backlogs, e) && queue_routes(q, names, n, routes, e);

	for (size_t i = 0; ok && i < n; i++)
		board_write(&counts[i], &backlogs[i], &routes[i], w);
	for (size_t i = 0; i < n; i++)
		queue_routes_close(&routes[i]);
	mem_free(&routes);
	mem_free(&backlogs);
	mem_free(&counts);
	return ok;
}

static void reply_written(struct call *c, bool ok, struct buf *body, const struct err *e)
{
	if (ok) {
		reply_json(c, 200, body);
		return;
	}
	buf_close(body);
	reply_err(c, e, NULL);
}

/* As it stands, also after it was changed. */
static void reply_board(struct call *c, struct queue *q, const char *queue)
{
	char names[1][JOB_NAME] = {""};
	struct buf body = {0};
	struct json_writer w = json_writer_on(&body);
	struct err e = {0};

	bool ok = str_copy(names[0], JOB_NAME, queue) && boards_write(q, (const char(*)[JOB_NAME])names, 1, &w, &e);
	reply_written(c, ok, &body, &e);
}

void route_queues(struct call *c)
{
	struct queue *q = call_queue(c);
	struct err e = {0};

	if (!q)
		return; /* answered, so the arena is gone */
	char(*names)[JOB_NAME] = NULL;
	int n = queue_names(q, &names, &e);
	if (n < 0) {
		reply_err(c, &e, NULL);
		return;
	}
	struct buf body = {0};
	struct json_writer w = json_writer_on(&body);
	jw_object(&w, NULL);
	jw_array(&w, "queues");
	bool ok = boards_write(q, (const char(*)[JOB_NAME])names, (size_t)n, &w, &e);
	jw_end(&w);
	jw_end(&w);
	mem_free(&names);
	reply_written(c, ok, &body, &e);
}

void route_queue(struct call *c)
{
	struct queue *q = call_queue(c);
	const char *queue = q ? call_queue_name(c, q) : NULL;

	if (queue)
		reply_board(c, q, queue);
}

static void pause_or_resume(struct call *c, bool (*act)(struct queue *q, const char *queue, struct err *e))
{
	struct queue *q = call_queue(c);
	const char *queue = q ? call_queue_name(c, q) : NULL;
	struct err e = {0};

	if (!queue)
		return;
	if (act(q, queue, &e))
		reply_board(c, q, queue);
	else
		reply_err(c, &e, NULL);
}

void route_queue_pause(struct call *c)
{
	pause_or_resume(c, queue_pause);
}

void route_queue_drain(struct call *c)
{
	pause_or_resume(c, queue_drain);
}

void route_queue_resume(struct call *c)
{
	pause_or_resume(c, queue_resume);
}

static const struct param changes[] = {
        {"shards", PARAM_INT, .required = true, .min = 1, .max = QUEUE_SHARDS_MAX, .help = "parts that its jobs are spread over"},
};

/* What the body asks for; 0: answered. */
static int shards_asked(struct call *c)
{
	struct json *body = input_object(c, false);
	struct err e = {0};
	struct json *in = body ? params_check(changes, ARRAY_LEN(changes), body, false, &e) : NULL;
	int shards = in ? (int)json_get_int(in, "shards", 0) : 0;

	if (body && !in)
		reply_err(c, &e, NULL);
	json_close(&in);
	json_close(&body);
	return shards;
}

void route_queue_change(struct call *c)
{
	int wanted = shards_asked(c);
	struct queue *q = wanted ? call_queue(c) : NULL;
	const char *queue = q ? call_queue_name(c, q) : NULL;
	struct queue_shards now;
	struct err e = {0};

	if (!queue)
		return;
	if (queue_set_shards(q, queue, wanted, &now, &e))
		reply_board(c, q, queue);
	else
		reply_err(c, &e, NULL);
}

/* Which jobs are meant; false: answered. */
static bool state_asked(struct call *c, enum job_state *out)
{
	const char *state = http_query(c->r, "state");

	if (state && job_state_of(state, out) && (*out == JOB_READY || *out == JOB_SCHEDULED || *out == JOB_WAITING))
		return true;
	reply_detail(c, 422, "state must say which jobs: ready, scheduled (with those that are tried again) or waiting");
	return false;
}

void route_queue_purge(struct call *c)
{
	enum job_state state;
	int64_t limit, left = 0;
	struct err e = {0};

	if (!state_asked(c, &state) || !input_query_int(c, "limit", 1, QUEUE_BATCH_MAX, QUEUE_BATCH_MAX, &limit))
		return;
	struct queue *q = call_queue(c);
	const char *queue = q ? call_queue_name(c, q) : NULL;
	if (!queue)
		return;
	int cancelled = queue_purge(q, queue, state, (int)limit, &left, &e);
	if (cancelled < 0) {
		reply_err(c, &e, NULL);
		return;
	}
	struct buf body = {0};
	struct json_writer w = json_writer_on(&body);
	jw_object(&w, NULL);
	jw_text(&w, "queue", queue);
	jw_text(&w, "state", job_state_name(state));
	jw_int(&w, "cancelled", cancelled);
	jw_int(&w, "remaining", left);
	jw_end(&w);
	reply_json(c, 200, &body);
}

/* For autoscalers: what waits and runs, and what that means in seconds. */
void route_queue_load(struct call *c)
{
	struct queue *q = call_queue(c);
	const char *queue = q ? call_queue_name(c, q) : NULL;
	struct queue_backlog b;
	struct err e = {0};

	if (!queue)
		return;
	if (!queue_backlog(q, queue, &b, &e)) {
		reply_err(c, &e, NULL);
		return;
	}
	struct buf body = {0};
	struct json_writer w = json_writer_on(&body);

	jw_object(&w, NULL);
	jw_text(&w, "queue", queue);
	jw_int(&w, "load", b.ready + b.running);
	jw_int(&w, "ready", b.ready);
	jw_int(&w, "running", b.running);
	jw_double(&w, "oldest_seconds", (double)b.oldest_ms / 1000);
	jw_double(&w, "drain_per_second", b.drain_rate);
	jw_double(&w, "backlog_seconds", b.seconds);
	jw_end(&w);
	reply_json(c, 200, &body);
}
