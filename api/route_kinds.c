/* route_kinds.c -- what may be asked for: kinds of jobs and strategies; parameters as JSON Schema. */
#include "api/reply.h"
#include "api/routes.h"
#include "backtest/backtest.h"
#include "kinds/kind.h"

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
