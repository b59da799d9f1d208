/* route_lane.c -- the lanes of a queue: what stands in them, and their weights. */
#include <string.h>

#include "api/context.h"
#include "api/input.h"
#include "api/one_queue.h"
#include "api/reply.h"
#include "api/routes.h"
#include "base/param.h"

static const struct param body_table[] = {
        {"weight", PARAM_INT, .required = true, .min = 1, .max = QUEUE_WEIGHT_MAX, .help = "how large its share is beside the others'"},
};

static void write_lane(struct json_writer *w, const struct queue_lane *l, bool ready_known)
{
	char kind[JOB_NAME];
	int version;
	bool quarantined;

	jw_object(w, NULL);
	jw_text(w, "lane", l->lane);
	jw_int(w, "weight", l->weight);
	if (ready_known)
		jw_int(w, "ready", l->ready);
	if (l->route[0] && job_route_parse(l->route, strlen(l->route), kind, &version, &quarantined)) {
		jw_text(w, "kind", kind);
		jw_int(w, "kind_version", version);
		jw_bool(w, "quarantined", quarantined);
		jw_int(w, "priority", l->priority);
	}
	jw_end(w);
}

static void write_some(struct json_writer *w, const char *name, const struct queue_lane *lanes, int n, bool with_jobs)
{
	jw_array(w, name);
	for (int i = 0; i < n; i++)
		if ((lanes[i].route[0] != '\0') == with_jobs)
			write_lane(w, &lanes[i], with_jobs);
	jw_end(w);
}

void route_lanes(struct call *c)
{
	const char *cursor = http_query(c->r, "cursor");
	struct queue *q = call_queue(c);
	const char *queue = q ? call_queue_name(c, q) : NULL;
	char next[64] = "";
	struct err e = {0};

	if (!queue)
		return;
	struct queue_lane *lanes = arena_array(c->arena, QUEUE_LANES_PAGE, sizeof *lanes);
	int n = queue_lanes(q, queue, cursor ? cursor : "", lanes, next, &e);
	if (n < 0) {
		reply_err(c, &e, NULL);
		return;
	}
	struct buf body = {0};
	struct json_writer w = json_writer_on(&body);
	jw_object(&w, NULL);
	jw_text(&w, "queue", queue);
	write_some(&w, "lanes", lanes, n, true);
	write_some(&w, "weights", lanes, n, false);
	jw_text(&w, "next_cursor", next[0] ? next : NULL);
	jw_end(&w);
	reply_json(c, 200, &body);
}

/* The lane as it stands. */
static void answer_lane(struct call *c, struct queue *q, const char *queue)
{
	struct queue_lane lane;
	struct err e = {0};

	if (!queue_lane(q, queue, call_param(c, "lane"), &lane, &e)) {
		reply_err(c, &e, NULL);
		return;
	}
	struct buf body = {0};
	struct json_writer w = json_writer_on(&body);
	write_lane(&w, &lane, true);
	reply_json(c, 200, &body);
}

void route_lane(struct call *c)
{
	struct queue *q = call_queue(c);
	const char *queue = q ? call_queue_name(c, q) : NULL;

	if (queue)
		answer_lane(c, q, queue);
}

static void weigh(struct call *c, int weight)
{
	struct queue *q = call_queue(c);
	const char *queue = q ? call_queue_name(c, q) : NULL;
	struct err e = {0};

	if (!queue)
		return;
	if (queue_set_weight(q, queue, call_param(c, "lane"), weight, &e))
		answer_lane(c, q, queue);
	else
		reply_err(c, &e, NULL);
}

void route_lane_weigh(struct call *c)
{
	struct json *body = input_object(c, false), *in = NULL;
	struct err e = {0};

	if (!body)
		return;
	in = params_check(body_table, ARRAY_LEN(body_table), body, false, &e);
	if (in)
		weigh(c, (int)json_get_int(in, "weight", 1));
	else
		reply_err(c, &e, NULL);
	json_close(&in);
	json_close(&body);
}

void route_lane_reset(struct call *c)
{
	weigh(c, 1);
}
