/* route_kinds.c -- what may be asked for: kinds of jobs, strategies, queues; parameters as JSON Schema. */
#include "api/context.h"
#include "api/reply.h"
#include "api/routes.h"
#include "backtest/backtest.h"
#include "kinds/kind.h"

#define QUEUES_MAX 64

static void kind_write(const struct kind *k, struct json_writer *w)
{
	jw_object(w, NULL);
	jw_text(w, "name", k->name);
	jw_text(w, "title", k->title);
	jw_text(w, "queue", k->queue);
	jw_int(w, "version", k->version);
	jw_int(w, "max_attempts", k->max_attempts);
	jw_int(w, "soft_limit_ms", k->soft_limit_ms);
	jw_int(w, "hard_limit_ms", k->hard_limit_ms);
	params_schema(k->params, k->n_params, w, "params");
	jw_end(w);
}

void route_kinds(struct call *c)
{
	struct buf body = {0};
	struct json_writer w = json_writer_on(&body);
	const struct kind *k;

	jw_object(&w, NULL);
	jw_array(&w, "kinds");
	for (size_t i = 0; (k = kind_at(i)) != NULL; i++)
		kind_write(k, &w);
	jw_end(&w);
	jw_end(&w);
	reply_json(c, 200, &body);
}

void route_strategies(struct call *c)
{
	struct buf body = {0};
	struct json_writer w = json_writer_on(&body);
	const struct strategy *s;

	jw_object(&w, NULL);
	jw_array(&w, "strategies");
	for (size_t i = 0; (s = strategy_at(i)) != NULL; i++) {
		jw_object(&w, NULL);
		jw_text(&w, "name", s->name);
		jw_text(&w, "title", s->title);
		params_schema(s->params, s->n_params, &w, "params");
		jw_end(&w);
	}
	jw_end(&w);
	jw_end(&w);
	reply_json(c, 200, &body);
}

static void counts_write(const struct queue_counts *n, struct json_writer *w)
{
	jw_object(w, NULL);
	jw_text(w, "queue", n->queue);
	jw_int(w, "ready", n->ready);
	jw_int(w, "scheduled", n->scheduled);
	jw_int(w, "running", n->running);
	jw_int(w, "waiting", n->waiting);
	jw_int(w, "dead", n->dead);
	jw_int(w, "done_total", n->done_total);
	jw_int(w, "workers", n->workers);
	jw_end(w);
}

void route_queues(struct call *c)
{
	struct queue *q = call_queue(c);
	struct err e = {0};

	if (!q)
		return; /* answered, so the arena is gone */
	struct queue_counts *counts = arena_array(c->arena, QUEUES_MAX, sizeof *counts);
	int n = queue_counts(q, counts, QUEUES_MAX, &e);
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
