/* redis_audit_cron.c -- do the schedules of a queue stand where they say, and will steps look at them in time? */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "queue/redis_audit.h"

#define LOOK_LATER_MS 1200 /* after an offer or a full queue steps look again within this */

static bool ask(struct redis_queue *q, const char *verb, const char *key, const char *const *words, struct redis_reply **out, struct err *e)
{
	struct redis_cmd cmd = {0};
	bool ok;

	redis_cmd_adds(&cmd, verb);
	if (key)
		redis_cmd_adds(&cmd, key);
	for (; *words; words++)
		redis_cmd_adds(&cmd, *words);
	ok = redis_call(q, &cmd, true, out, e);
	redis_cmd_close(&cmd);
	return ok;
}

/* 1 it stands where it says, 0 not, -1 */
static int judge_one(struct redis_queue *q, const char *queue, int shard, const char *name, const char *score, struct err *e)
{
	struct redis_reply *r = NULL;
	struct buf key = {0};
	double is, says = -1;
	bool ok;

	redis_key(&key, q->head.options.namespace_, queue, shard, ":cj:");
	buf_adds(&key, name);
	ok = ask(q, "HGET", key.data, (const char *const[]){"d", NULL}, &r, e);
	buf_close(&key);
	if (ok) {
		const char *due = redis_reply_text(r, NULL);
		bool never = str_eq(score, "inf");

		ok = true;
		if (never || str_eq(due, "inf"))
			says = is = never && str_eq(due, "inf") ? 0 : NAN;
		else if (!due || !str_double(score, &is) || !str_double(due, &says))
			is = NAN;
	}
	redis_reply_close(&r);
	return ok ? is == says : -1;
}

/* Is ct there when a schedule ticks, and not too late? */
static int judge_look(struct redis_queue *q, const char *queue, int shard, const char *first, struct err *e)
{
	struct redis_reply *r = NULL, *time = NULL;
	struct buf key = {0};
	double due = 0, look = 0;
	int64_t now_s = 0;
	bool ok, sound;

	redis_key(&key, q->head.options.namespace_, queue, shard, ":n");
	ok = ask(q, "HGET", key.data, (const char *const[]){"ct", NULL}, &r, e) &&
	     ask(q, "TIME", NULL, (const char *const[]){NULL}, &time, e) && redis_reply_int(redis_reply_at(time, 0), &now_s);
	buf_close(&key);
	sound = ok && (first && !str_eq(first, "inf")) == (redis_reply_text(r, NULL) != NULL);
	if (sound && redis_reply_text(r, NULL))
		sound = str_double(first, &due) && str_double(redis_reply_text(r, NULL), &look) &&
		        look <= fmax(due, ((double)now_s + 1) * 1000) + LOOK_LATER_MS;
	redis_reply_close(&r);
	redis_reply_close(&time);
	return ok ? sound : -1;
}

/* Schedules that have a hash but stand in no order. order: names and ticks. */
static void judge_hashes(int shard, const struct redis_reply *order, char *const *hashes, size_t n, struct queue_look *l)
{
	for (size_t i = 0; i < n; i++) {
		struct queue_finding f = {.fault = FAULT_SCHEDULE, .shard = shard};
		bool found = false;

		for (size_t k = 0; !found && k < redis_reply_count(order); k += 2)
			found = str_eq(redis_reply_text(redis_reply_at(order, k), NULL), hashes[i]);
		snprintf(f.key, sizeof(f.key), "%s", hashes[i]);
		if (!found)
			queue_look_add(l, &f, "schedule %.64s stands in no order, so that it never ticks", hashes[i]);
	}
}

static bool judge_order(
        struct redis_queue *q, const char *queue, int shard, const struct redis_reply *order, struct queue_look *l, struct err *e)
{
	int sound = 1;

	for (size_t i = 0; sound >= 0 && i + 1 < redis_reply_count(order); i += 2) {
		const char *name = redis_reply_text(redis_reply_at(order, i), NULL);
		const char *score = redis_reply_text(redis_reply_at(order, i + 1), NULL);
		struct queue_finding f = {.fault = FAULT_SCHEDULE, .shard = shard};

		sound = name && score ? judge_one(q, queue, shard, name, score, e) : 0;
		snprintf(f.key, sizeof(f.key), "%s", name ? name : "");
		if (sound == 0)
			queue_look_add(
			        l, &f, "schedule %.64s stands at another tick than it says: at %.30s", f.key, score ? score : "none");
	}
	return sound >= 0;
}

bool redis_audit_schedules(
        struct redis_queue *q, const char *queue, int shard, char *const *hashes, size_t n, struct queue_look *l, struct err *e)
{
	struct redis_reply *r = NULL;
	struct buf key = {0};
	int sound = -1;
	bool ok;

	redis_key(&key, q->head.options.namespace_, queue, shard, ":cr");
	ok = ask(q, "ZRANGE", key.data, (const char *const[]){"0", "-1", "WITHSCORES", NULL}, &r, e) &&
	     judge_order(q, queue, shard, r, l, e);
	buf_close(&key);
	if (ok) {
		judge_hashes(shard, r, hashes, n, l);
		sound = judge_look(q, queue, shard, redis_reply_text(redis_reply_at(r, 1), NULL), e);
	}
	if (sound == 0) {
		const char *first = redis_reply_text(redis_reply_at(r, 1), NULL);

		queue_look_add(l, &(struct queue_finding){.fault = FAULT_SCHEDULE, .shard = shard},
		        "steps do not look at the schedule of queue %s that ticks next, at %.30s", queue, first ? first : "none");
	}
	redis_reply_close(&r);
	return ok && sound >= 0;
}
