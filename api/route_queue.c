/* route_queue.c -- whole queues: what stands in them, pause, resume, purge. */
#include "api/context.h"
#include "api/input.h"
#include "api/one_queue.h"
#include "api/reply.h"
#include "api/routes.h"
#include "base/str.h"
#include "kinds/kind.h"

static void counts_write(const struct queue_counts *n, struct json_writer *w)
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
	if (n->paused_at)
		jw_int(w, "paused_at", n->paused_at);
	else
		jw_null(w, "paused_at");
	jw_end(w);
}

void route_queues(struct call *c)
{
	struct queue *q = call_queue(c);
	struct err e = {0};

	if (!q)
		return; /* answered, so the arena is gone */
	struct queue_counts *counts = arena_array(c->arena, ONE_QUEUE_MAX, sizeof *counts);
	int n = queue_counts(q, counts, ONE_QUEUE_MAX, &e);
	if (n < 0) {
		reply_err(c, &e, NULL);
		return;
	}
	struct buf body = {0};
	struct json_writer w = json_writer_on(&body);
	jw_object(&w, NULL);
	jw_array(&w, "queues");
	for (int i = 0; i < n; i++)
		counts_write(&counts[i], &w);
	jw_end(&w);
	jw_end(&w);
	reply_json(c, 200, &body);
}

static void pause_or_resume(struct call *c, bool (*act)(struct queue *q, const char *queue, struct err *e))
{
	struct queue *q = call_queue(c);
	const char *queue = q ? call_queue_name(c, q) : NULL;
	struct queue_counts counts = {0};
	struct err e = {0};

	if (!queue)
		return;
	if (!act(q, queue, &e) || one_queue_counts(c, q, queue, &counts, &e) < 0) {
		reply_err(c, &e, NULL);
		return;
	}
	struct buf body = {0};
	struct json_writer w = json_writer_on(&body);
	counts_write(&counts, &w);
	reply_json(c, 200, &body);
}

void route_queue_pause(struct call *c)
{
	pause_or_resume(c, queue_pause);
}

void route_queue_resume(struct call *c)
{
	pause_or_resume(c, queue_resume);
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
