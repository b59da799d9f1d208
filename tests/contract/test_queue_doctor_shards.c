/* test_queue_doctor_shards.c -- nothing says how many shards a queue has, or it says too few: the doctor finds it, and serves them all again. */
#include "tests/contract/doctor_hands.h"

#define SHARDS 3

const char *suite_url(void)
{
	return test_redis_own("no")->url;
}

/* A queue of three shards with a job in each. */
static struct queue *open_spread(void)
{
	struct err e = {0};
	struct queue_shards n;
	struct queue *q;
	bool there[SHARDS] = {0};
	char id[JOB_ID];

	say("FLUSHALL");
	q = open_queue(NULL);
	ck_ok(queue_set_shards(q, Q, SHARDS, &n, &e), &e);
	while (!there[0] || !there[1] || !there[2]) {
		submit_plain(q, id);
		there[id[2] - '0'] = true;
	}
	return q;
}

static struct queue_shards shards_now(struct queue *q)
{
	struct queue_shards n;
	struct err e = {0};

	ck_ok(queue_set_shards(q, Q, 0, &n, &e), &e);
	return n;
}

static const struct {
	const char *command;
	const char *words;
	int put, serve; /* after it was mended */
} harms[] = {
        {"HSET {bq:q:0}:n sh x", "do not say how many", 3, 3},
        {"HSET {bq:q:0}:n sh 65", "do not say how many", 3, 3},
        {"HSET {bq:q:0}:n sh 0", "do not say how many", 3, 3},
        {"HSET {bq:q:0}:n sh 2", "do not say how many", 3, 3}, /* fewer than take new jobs */
        {"HSET {bq:q:0}:n sp x", "do not say how many", 3, 3},
        {"HSET {bq:q:0}:n sp 5", "do not say how many", 5, 5},
        {"HSET {bq:q:0}:n sh x sp 2", "do not say how many", 2, 3},
        {"HSET {bq:q:0}:n sh x sp x", "do not say how many", 3, 3},
        {"HSET {bq:q:0}:n sm x", "do not say how many", 3, 3},
        {"HSET {bq:q:0}:n st x sp 2", "do not say how many", 2, 3},
        {"HSET {bq:q:0}:n sh 1 sp 1", "shard 2 is not empty, but only 1", 1, 3},
        {"HSET {bq:q:0}:n sh 2 sp 2", "shard 2 is not empty, but only 2", 2, 3},
        {"HDEL {bq:q:0}:n sh sp", "shard 1 is not empty, but only 1", 3, 3},
        {"DEL {bq:q:0}:n", "shard 2 is not empty, but only 1", 3, 3},
};

START_TEST(the_number_of_shards_is_mended)
{
	for (size_t i = 0; i < ARRAY_LEN(harms); i++) {
		struct queue *q = open_spread();
		struct queue_shards n;

		check_clean(q, "nothing");
		say(harms[i].command);
		check_found(q, FAULT_SHARDS, harms[i].words, harms[i].command);
		ck_assert_msg(mend_all(q) > 0, "%s was not mended", harms[i].command);
		check_clean(q, harms[i].command);
		n = shards_now(q);
		ck_assert_msg(n.put == harms[i].put && n.serve == harms[i].serve, "%s: %d, %d", harms[i].command, n.put, n.serve);
		queue_close(&q);
	}
}
END_TEST

/* What hid that all shards were lost is mended first. */
START_TEST(counters_of_another_type_are_mended_with_the_shards)
{
	struct queue *q = open_spread();
	struct queue_shards n;

	say("DEL {bq:q:0}:n");
	say("SET {bq:q:0}:n x");
	check_found(q, FAULT_STRAY, "the key n is no hash", "another type");
	mend_all(q);
	check_clean(q, "another type");
	n = shards_now(q);
	ck_assert(n.put == SHARDS && n.serve == SHARDS);
	queue_close(&q);
}
END_TEST

/* A shard that is served again is as open as the first. */
START_TEST(shards_that_are_served_again_are_paused_as_the_queue_is)
{
	struct queue *q = open_spread();
	struct err e = {0};
	struct queue_counts c;

	say("HSET {bq:q:0}:n sh 1 sp 1");
	ck_ok(queue_pause(q, Q, &e), &e);
	mend_all(q);
	for (int i = 0; i < SHARDS; i++) {
		struct queue_link *l = queue_link_open_shard(suite_url(), NULL, Q, i, "w1", (const char *[]){KIND}, 1, &e);
		struct queue_step_reply r = step(l, 10);

		ck_assert_uint_eq(r.n_claims, 0);
		queue_step_reply_close(&r);
		queue_link_close(&l);
	}
	c = counts(q);
	ck_assert_int_gt(c.ready, SHARDS - 1);
	queue_close(&q);
}
END_TEST

/* An empty shard that was let go keeps its counters, and is no finding. */
START_TEST(an_empty_shard_is_no_finding)
{
	struct queue *q = open_spread();

	say("HSET {bq:q:9}:n f 5");
	check_clean(q, "a shard that was let go");
	queue_close(&q);
}
END_TEST

static const TTest *const tests[] = {the_number_of_shards_is_mended, counters_of_another_type_are_mended_with_the_shards,
        shards_that_are_served_again_are_paused_as_the_queue_is, an_empty_shard_is_no_finding};
TEST_MAIN("queue_doctor_shards", tests)
