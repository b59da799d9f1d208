/* redis_lanes.c -- lanes in Redis: their weights, and what stands in them. */
#include <string.h>

#include "queue/redis_private.h"

static bool weigh_shard(struct redis_queue *q, const char *queue, int shard, const char *lane, int weight, struct err *e)
{
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	int64_t done;
	bool ok;

	redis_fcall(&cmd, &q->head.options, "weight_set", queue, shard);
	redis_cmd_adds(&cmd, lane);
	redis_cmd_addi(&cmd, weight);
	ok = redis_call(q, &cmd, true, &r, e);
	redis_cmd_close(&cmd);
	if (ok && (!redis_reply_int(r, &done) || done != 1))
		ok = redis_bad_reply(e, "weight_set");
	redis_reply_close(&r);
	return ok;
}

bool redis_set_weight(struct queue *base, const char *queue, const char *lane, int weight, struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	struct queue_shards n;

	if (!redis_register_queue(q, queue, e) || !redis_shards_now(q, queue, &n, e))
		return false;
	for (int i = 0; i < n.serve; i++)
		if (!weigh_shard(q, queue, i, lane, weight, e))
			return false;
	return true;
}

static bool read_weight(const struct redis_reply *r, int *out)
{
	int64_t weight;

	if (!redis_reply_int(r, &weight) || weight < 1 || weight > QUEUE_WEIGHT_MAX)
		return false;
	*out = (int)weight;
	return true;
}

static bool show_in_shard(struct redis_queue *q, const char *queue, int shard, const char *lane, struct queue_lane *out, struct err *e)
{
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	bool ok;

	redis_fcall(&cmd, &q->head.options, "weight_get", queue, shard);
	redis_cmd_adds(&cmd, lane);
	ok = redis_call(q, &cmd, true, &r, e);
	redis_cmd_close(&cmd);
	if (ok && (!str_copy(out->lane, sizeof(out->lane), lane) || !read_weight(redis_reply_at(r, 0), &out->weight) ||
	                  !redis_reply_int(redis_reply_at(r, 1), &out->ready)))
		ok = redis_bad_reply(e, "weight_get");
	redis_reply_close(&r);
	return ok;
}

bool redis_lane_show(struct queue *base, const char *queue, const char *lane, struct queue_lane *out, struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	struct queue_shards n;

	if (!redis_shards(q, queue, &n, e) || !show_in_shard(q, queue, 0, lane, out, e))
		return false;
	for (int i = 1; i < n.serve; i++) {
		struct queue_lane one = {0};

		if (!show_in_shard(q, queue, i, lane, &one, e))
			return false;
		out->ready += one.ready;
	}
	return true;
}

/* {key, weight, route, priority, ready}, or {key, weight} */
static bool read_lane(const struct redis_reply *r, struct queue_lane *out)
{
	size_t len = 0;
	const char *lane = redis_reply_text(redis_reply_at(r, 0), &len);
	size_t route_len = 0;
	const char *route = redis_reply_text(redis_reply_at(r, 2), &route_len);
	int64_t priority = 0;

	memset(out, 0, sizeof(*out));
	if (!lane || !str_copy_n(out->lane, sizeof(out->lane), lane, len) || !read_weight(redis_reply_at(r, 1), &out->weight))
		return false;
	if (!route)
		return redis_reply_count(r) == 2;
	if (!job_route_parse(route, route_len, NULL, NULL, NULL) || !str_copy_n(out->route, sizeof(out->route), route, route_len) ||
	        !redis_reply_int(redis_reply_at(r, 3), &priority) || priority < 0 || priority > 9)
		return false;
	out->priority = (int)priority;
	return redis_reply_int(redis_reply_at(r, 4), &out->ready);
}

int redis_lanes(struct queue *base, const char *queue, const char *cursor, struct queue_lane *out, char next_out[64], struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	const struct redis_reply *all;
	struct queue_shards shards;
	char rest[64];
	int shard, kept = 0;
	size_t n;
	bool ok;

	if (!redis_cursor_split(cursor, &shard, rest, e) || !redis_shards_now(q, queue, &shards, e))
		return -1;
	redis_fcall(&cmd, &q->head.options, "lanes", queue, shard);
	redis_cmd_adds(&cmd, rest);
	ok = redis_call(q, &cmd, true, &r, e);
	redis_cmd_close(&cmd);
	all = redis_reply_at(r, 1);
	n = redis_reply_count(all);
	if (ok && (!redis_reply_text(redis_reply_at(r, 0), NULL) || !redis_reply_is_array(all) || n > QUEUE_LANES_PAGE ||
	                  !str_copy(rest, 64, redis_reply_text(redis_reply_at(r, 0), NULL))))
		ok = redis_bad_reply(e, "lanes");
	for (size_t i = 0; ok && i < n; i++) {
		ok = read_lane(redis_reply_at(all, i), &out[kept]) || redis_bad_reply(e, "lanes");
		kept += shard == 0 || out[kept].route[0]; /* weights are the same in all shards */
	}
	redis_reply_close(&r);
	return ok && redis_cursor_join(next_out, shard, shards.serve, rest, e) ? kept : -1;
}
