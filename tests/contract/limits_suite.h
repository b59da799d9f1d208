/* limits_suite.h -- what every driver of the queue must do about order, limits and sameness. Included after queue_suite.h. */
#ifndef TESTS_CONTRACT_LIMITS_SUITE_H
#define TESTS_CONTRACT_LIMITS_SUITE_H

#include "tests/contract/queue_suite.h"

/* ---- weighted lanes --------------------------------------------------------------------------------------------- */

/* `n` jobs of a lane, whose parameters name it. */
static void fill_lane(struct queue *q, const char *lane, int n)
{
	struct queue_submission s[QUEUE_BATCH_MAX];
	struct queue_submitted out[QUEUE_BATCH_MAX];
	char params[32];
	struct err e = {0};

	snprintf(params, sizeof(params), "{\"l\":\"%c\"}", lane[0]);
	while (n > 0) {
		int some = n < QUEUE_BATCH_MAX ? n : QUEUE_BATCH_MAX;

		for (int i = 0; i < some; i++)
			s[i] = (struct queue_submission){.kind = KIND, .queue = Q, .priority = 5, .lane = lane, .params = params};
		ck_ok(queue_submit(q, s, (size_t)some, out, &e), &e);
		n -= some;
	}
}

/* Claim `total` jobs in steps of `want`; how many of each lane (by its first letter) into from[26]. */
static void claim_lanes(struct queue_link *l, int total, int want, int from[26])
{
	memset(from, 0, 26 * sizeof(*from));
	for (int got = 0; got < total;) {
		struct queue_step_reply r = step(l, want < total - got ? want : total - got);

		ck_assert_uint_gt(r.n_claims, 0);
		for (size_t i = 0; i < r.n_claims; i++, got++)
			from[r.claims[i].job.params[6] - 'a']++;
		queue_step_reply_close(&r);
	}
}

static void weigh(struct queue *q, const char *lane, int weight)
{
	struct err e = {0};

	ck_ok(queue_set_weight(q, Q, lane, weight, &e), &e);
}

static void check_near(int got, int wanted, int by)
{
	ck_assert_msg(abs(got - wanted) <= by, "%d is not within %d of %d", got, by, wanted);
}

/* Shares are as the weights say, whatever the size of the steps; a weight can be changed and taken back while work goes on. */
START_TEST(weights_give_shares)
{
	static const int wants[] = {1, 2, 7, 64, 256};
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	int from[26];

	weigh(q, "a", 3);
	fill_lane(q, "a", 5000);
	fill_lane(q, "b", 5000);
	for (size_t i = 0; i < ARRAY_LEN(wants); i++) {
		claim_lanes(l, 800, wants[i], from);
		check_near(from[0], 600, wants[i] < 16 ? 8 : wants[i] / 2);
	}
	weigh(q, "a", 1);
	claim_lanes(l, 400, 8, from);
	check_near(from[0], 200, 20);
	weigh(q, "a", 600);
	weigh(q, "b", 400);
	claim_lanes(l, 1000, 5, from);
	check_near(from[0], 600, 40);
	close_both(&q, &l);
}
END_TEST

/* The most uneven weights starve nobody; a lane that is alone gets all, and owes nobody for it. */
START_TEST(weights_starve_nobody)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	int from[26];

	weigh(q, "a", QUEUE_WEIGHT_MAX);
	fill_lane(q, "a", 8000);
	fill_lane(q, "b", 300);
	claim_lanes(l, 6000, 50, from);
	ck_assert_int_ge(from[1], 3);
	ck_assert_int_le(from[1], 15);
	weigh(q, "a", 1);
	claim_lanes(l, 8300 - 6000, 256, from);
	fill_lane(q, "b", 1000);
	claim_lanes(l, 500, 16, from);
	ck_assert_int_eq(from[1], 500);
	fill_lane(q, "c", 500);
	claim_lanes(l, 200, 4, from);
	check_near(from[1], 100, 8);
	close_both(&q, &l);
}
END_TEST

/* Many lanes with weights, more than are looked at in one round. */
START_TEST(many_weighted_lanes)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	int from[26], heavy = 0, light = 0;
	char lane[16];

	for (int i = 0; i < 60; i++) {
		snprintf(lane, sizeof(lane), "%c%d", i % 2 ? 'h' : 'l', i);
		weigh(q, lane, i % 2 ? 4 : 1);
		fill_lane(q, lane, 200);
	}
	for (int i = 0; i < 10; i++) {
		claim_lanes(l, 300, 30 + i * 20, from);
		heavy += from['h' - 'a'];
		light += from['l' - 'a'];
	}
	check_near(heavy, 2400, 100);
	ck_assert_int_eq(heavy + light, 3000);
	close_both(&q, &l);
}
END_TEST

START_TEST(lanes_are_listed)
{
	struct queue *q = open_queue(NULL);
	struct queue_lane *lanes = mem_array(QUEUE_LANES_PAGE, sizeof(*lanes)), one;
	char lane[24], cursor[64] = "";
	int seen = 0, set = 0;
	struct err e = {0};

	for (int i = 0; i < 700; i++) {
		snprintf(lane, sizeof(lane), "lane %d", i);
		fill_lane(q, lane, 1);
	}
	weigh(q, "lane 7", 5);
	weigh(q, "empty", 9);
	do {
		int n = queue_lanes(q, Q, cursor, lanes, cursor, &e);

		ck_assert_msg(n >= 0, "%s", e.text);
		for (int i = 0; i < n; i++) {
			seen += str_eq(lanes[i].route, KIND) && lanes[i].ready == 1 && lanes[i].priority == 5;
			set += !lanes[i].route[0];
			if (str_eq(lanes[i].lane, "lane 7"))
				ck_assert_int_eq(lanes[i].weight, 5);
		}
	} while (cursor[0]);
	ck_assert_int_eq(seen, 700);
	ck_assert_int_eq(set, 2);
	ck_ok(queue_lane(q, Q, "lane 7", &one, &e), &e);
	ck_assert_int_eq(one.weight, 5);
	ck_assert_int_eq(one.ready, 1);
	ck_ok(queue_lane(q, Q, "never seen", &one, &e), &e);
	ck_assert(one.weight == 1 && one.ready == 0);
	ck_assert(!queue_set_weight(q, Q, "a", 0, &e) && e.code == ERR_INVALID);
	ck_assert(!queue_set_weight(q, Q, "a", QUEUE_WEIGHT_MAX + 1, &e));
	ck_assert(!queue_set_weight(q, Q, "a\n", 2, &e));
	ck_assert_int_eq(queue_lanes(q, Q, "nonsense", lanes, cursor, &e), -1);
	check_sound(q);
	mem_free(&lanes);
	queue_close(&q);
}
END_TEST

/* ---- concurrency ------------------------------------------------------------------------------------------------- */

static void submit_keyed(struct queue *q, const char *key, int max, char id[JOB_ID])
{
	struct queue_submission s = {.priority = 5, .concurrency_key = key, .max_concurrent = max, .quarantine_after = 9};

	submit_new(q, &s);
	memcpy(id, s.id, JOB_ID);
}

/* Never more than so many of a key at once, over all workers; what has to wait is passed by others and says what it waits for. */
START_TEST(a_concurrency_key_is_kept)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *a = open_link("w1"), *b = open_link("w2");
	char id[5][JOB_ID], other[JOB_ID];
	struct queue_step_reply r, s;
	struct job j;

	for (int i = 0; i < 5; i++)
		submit_keyed(q, "k", 2, id[i]);
	submit_plain(q, other);
	r = step(a, 1);
	s = step(b, 10);
	ck_assert_uint_eq(r.n_claims, 1);
	ck_assert_uint_eq(s.n_claims, 2);
	ck_assert_str_eq(r.claims[0].job.id, id[0]);
	ck_assert_str_eq(s.claims[0].job.id, id[1]);
	ck_assert_str_eq(s.claims[1].job.id, other);
	ck_assert(!s.more); /* what is parked keeps nobody busy */
	ck_assert_int_eq(counts(q).ready, 0);
	ck_assert_int_eq(counts(q).parked, 3);
	j = show(q, id[2]);
	ck_assert(j.state == JOB_READY && j.parked && j.max_concurrent == 2);
	ck_assert_str_eq(j.concurrency_key, "k");
	ck_assert_str_eq(j.waiting_on.reason, "concurrency");
	ck_assert_str_eq(j.waiting_on.what, "k");
	job_close(&j);
	check_sound(q);
	ck_assert_uint_eq(claim_count(a, 10), 0);
	ck_assert_uint_eq(ack(a, id[0], r.claims[0].job.fence, ACK_DONE, ERR_NONE), 0);
	queue_step_reply_close(&r);
	r = step(b, 10);
	ck_assert_uint_eq(r.n_claims, 1);
	ck_assert_str_eq(r.claims[0].job.id, id[2]); /* the oldest first */
	j = show(q, id[2]);
	ck_assert_str_eq(j.waiting_on.reason, "");
	job_close(&j);
	queue_step_reply_close(&r);
	queue_step_reply_close(&s);
	queue_link_close(&b);
	close_both(&q, &a);
}
END_TEST

/* Whatever way a job leaves, the next of its key comes: an end, an error, a crash, given back, put off, cancelled. */
START_TEST(every_way_out_lets_the_next_in)
{
	static const enum ack_outcome outs[] = {ACK_DONE, ACK_ERROR, ACK_CRASHED, ACK_GIVE_BACK, ACK_CANCELLED, ACK_LATER};
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	char first[JOB_ID], second[JOB_ID];

	for (size_t i = 0; i < ARRAY_LEN(outs); i++) {
		struct queue_claim c;
		bool comes_again = outs[i] == ACK_CRASHED || outs[i] == ACK_GIVE_BACK;
		struct queue_ack a = {.outcome = outs[i], .error = {.code = ERR_INVALID, .retry_after_ms = LONG_MS}};
		struct queue_step_reply r;

		submit_keyed(q, "k", 1, first);
		submit_keyed(q, "k", 1, second);
		c = claim_one(l);
		ck_assert_str_eq(c.job.id, first);
		ck_assert_uint_eq(claim_count(l, 5), 0);
		memcpy(a.id, first, JOB_ID);
		a.fence = c.job.fence;
		job_close(&c.job);
		r = step_with(l, &a, 1, 5, LEASE);
		ck_assert_uint_eq(r.n_claims, 1);
		ck_assert_str_eq(r.claims[0].job.id, comes_again ? first : second);
		check_sound(q);
		ack(l, r.claims[0].job.id, r.claims[0].job.fence, ACK_DONE, ERR_NONE);
		queue_step_reply_close(&r);
		if (comes_again)
			r = step(l, 5), ack(l, second, r.claims[0].job.fence, ACK_DONE, ERR_NONE), queue_step_reply_close(&r);
		check_sound(q);
	}
	close_both(&q, &l);
}
END_TEST

/* What is parked can be cancelled, given another priority and purged; one that came back and is cancelled lets another come. */
START_TEST(parked_jobs_obey)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	char id[6][JOB_ID];
	struct queue_claim c;
	int64_t left;
	struct err e = {0};

	for (int i = 0; i < 6; i++)
		submit_keyed(q, "k", 1, id[i]);
	c = claim_one(l);
	ck_assert_uint_eq(claim_count(l, 10), 0);
	ck_assert_int_eq(cancel(q, id[1]), JOB_CANCELLED);
	prioritize(q, id[4], 1);
	check_sound(q);
	ck_assert_uint_eq(ack(l, id[0], c.job.fence, ACK_DONE, ERR_NONE), 0);
	job_close(&c.job);
	/* id[4] is on its way, in its lane. */
	ck_assert_int_ge(counts(q).ready, 1);
	ck_assert_int_eq(cancel(q, id[4]), JOB_CANCELLED);
	check_sound(q);
	c = claim_one(l);
	ck_assert_str_eq(c.job.id, id[2]);
	ck_assert_int_eq(queue_purge(q, Q, JOB_READY, 256, &left, &e), 2);
	ck_assert_int_eq(left, 0);
	ck_assert_int_eq(state_of(q, id[5]), JOB_CANCELLED);
	check_sound(q);
	ck_assert_int_eq(queue_replay(q, id[5], &e), 1);
	ck_assert_uint_eq(claim_count(l, 10), 0);
	ck_assert_uint_eq(ack(l, id[2], c.job.fence, ACK_DONE, ERR_NONE), 0);
	job_close(&c.job);
	ck_assert_uint_eq(claim_count(l, 10), 1);
	close_both(&q, &l);
}
END_TEST

/* A maximum that was raised later is used: those who wait come one after the other until it is reached. */
START_TEST(a_raised_maximum_is_used)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	char id[9][JOB_ID];
	size_t n = 0;

	submit_keyed(q, "k", 1, id[0]);
	submit_keyed(q, "k", 1, id[1]);
	ck_assert_uint_eq(claim_count(l, 10), 1);
	for (int i = 2; i < 9; i++)
		submit_keyed(q, "k", 5, id[i]);
	for (int i = 0; i < 10; i++)
		n += claim_count(l, 10);
	ck_assert_uint_eq(n, 4);
	close_both(&q, &l);
}
END_TEST

/* The worker of a running one dies: its lease is reaped, and the count with it. */
START_TEST(a_dead_worker_frees_its_keys)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *dead = open_link("dead"), *alive = open_link("alive");
	char id[3][JOB_ID];
	size_t n = 0;

	for (int i = 0; i < 3; i++)
		submit_keyed(q, "k", 1, id[i]);
	step_nothing(alive);
	ck_assert_uint_eq(claim_count(dead, 5), 1);
	queue_link_close(&dead);
	for (int64_t start = clock_mono_ms(); !n && clock_mono_ms() - start < 8000; clock_sleep_ms(100))
		n = claim_count(alive, 5);
	ck_assert_uint_eq(n, 1);
	check_sound(q);
	ck_assert_uint_eq(claim_count(alive, 5), 0);
	close_both(&q, &alive);
}
END_TEST

/* ---- rates ------------------------------------------------------------------------------------------------------- */

static struct queue_submission rated(int64_t limit, int64_t window_ms, int64_t cost)
{
	struct queue_submission s = {.priority = 5, .rate = {.key = "budget", .limit = limit, .window_ms = window_ms, .cost = cost}};

	return s;
}

/* Wait for the begin of a window, so that a test does not straddle two. */
static void at_window_start(int64_t window_ms)
{
	while (clock_now_ms() % window_ms > window_ms / 3)
		clock_sleep_ms(5);
}

/* As much as fits into the window, by cost; the rest waits without a lease and comes when the window turns, at its time. */
START_TEST(a_rate_is_kept)
{
	enum { WINDOW = 1500 };
	struct queue *q = open_queue(NULL);
	struct queue_link *a = open_link("w1"), *b = open_link("w2");
	struct queue_step_reply r;
	struct job j;
	char last[JOB_ID];
	int64_t turn;

	for (int i = 0; i < 7; i++) {
		struct queue_submission s = rated(10, WINDOW, 3);

		submit_new(q, &s);
		memcpy(last, s.id, JOB_ID);
	}
	at_window_start(WINDOW);
	ck_assert_uint_eq(claim_count(a, 2), 2);
	r = step(b, 10);
	ck_assert_uint_eq(r.n_claims, 1); /* 3 * 3 of 10 */
	ck_assert(!r.more && r.next_due_ms > 0 && r.next_due_ms <= WINDOW);
	queue_step_reply_close(&r);
	j = show(q, last);
	ck_assert(j.parked && j.waiting_on.until_ms > clock_now_ms() - 50 && j.waiting_on.until_ms % WINDOW == 0);
	ck_assert_str_eq(j.waiting_on.reason, "rate");
	ck_assert_int_eq(j.rate.cost, 3);
	turn = j.waiting_on.until_ms;
	job_close(&j);
	check_sound(q);
	ck_assert_uint_eq(claim_count(a, 10), 0);
	while (clock_now_ms() <= turn)
		clock_sleep_ms(5);
	ck_assert_uint_eq(claim_count(a, 10), 3);
	check_sound(q);
	ck_assert_uint_eq(claim_count(b, 10), 0);
	clock_sleep_ms(WINDOW);
	ck_assert_uint_eq(claim_count(b, 10), 1);
	queue_link_close(&b);
	close_both(&q, &a);
}
END_TEST

/* Given back is not used; cancelled while on its way leaves the room to others; parked ones are cancelled without a trace. */
START_TEST(a_rate_is_not_wasted)
{
	enum { WINDOW = 3000 };
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct queue_submission s[4];
	struct queue_claim c;

	at_window_start(WINDOW);
	for (int i = 0; i < 4; i++) {
		s[i] = rated(1, WINDOW, 1);
		submit_new(q, &s[i]);
	}
	c = claim_one(l);
	ck_assert_uint_eq(claim_count(l, 10), 0);
	ck_assert_int_eq(cancel(q, s[1].id), JOB_CANCELLED);
	check_sound(q);
	ck_assert_uint_eq(ack(l, c.job.id, c.job.fence, ACK_GIVE_BACK, ERR_NONE), 0);
	job_close(&c.job);
	ck_assert_int_eq(cancel(q, s[0].id), JOB_CANCELLED);
	step_nothing(l);
	c = claim_one(l); /* in the same window */
	ck_assert_str_eq(c.job.id, s[2].id);
	check_sound(q);
	job_close(&c.job);
	close_both(&q, &l);
}
END_TEST

/* Both limits at once, on more jobs than one call takes. */
START_TEST(many_wait_for_two_limits)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	int done = 0;

	for (int i = 0; i < 600; i++) {
		struct queue_submission s = rated(100, 50, 1);

		s.concurrency_key = i % 2 ? "odd" : "even";
		s.max_concurrent = 10;
		submit_new(q, &s);
	}
	for (int64_t start = clock_mono_ms(); done < 600 && clock_mono_ms() - start < 20000;) {
		struct queue_step_reply r = step(l, 256);
		struct queue_ack acks[QUEUE_BATCH_MAX];
		size_t n = r.n_claims;

		ck_assert_uint_le(n, 20);
		for (size_t i = 0; i < n; i++) {
			acks[i] = (struct queue_ack){.fence = r.claims[i].job.fence, .outcome = ACK_DONE};
			memcpy(acks[i].id, r.claims[i].job.id, JOB_ID);
		}
		queue_step_reply_close(&r);
		if (done % 100 < 20)
			check_sound(q);
		r = step_with(l, acks, n, 0, LEASE);
		queue_step_reply_close(&r);
		done += (int)n;
		if (!n)
			clock_sleep_ms(5);
	}
	ck_assert_int_eq(done, 600);
	close_both(&q, &l);
}
END_TEST

START_TEST(put_off_counts_nothing)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct queue_ack a = {.outcome = ACK_LATER};
	struct queue_step_reply r;
	struct queue_claim c;
	struct job j;

	submit_plain(q, a.id);
	for (int i = 0; i < 5; i++) {
		c = claim_one(l);
		ck_assert_int_eq(c.job.attempt, 1);
		a.fence = c.job.fence;
		job_close(&c.job);
		err_set(&a.error, ERR_LIMITED, "the exchange wants a pause");
		a.error.retry_after_ms = 60;
		r = step_with(l, &a, 1, 5, LEASE);
		ck_assert_uint_eq(r.n_claims, 0);
		ck_assert(r.next_due_ms > 0 && r.next_due_ms <= 60);
		queue_step_reply_close(&r);
		j = show(q, a.id);
		ck_assert(j.state == JOB_SCHEDULED && j.attempt == 0 && j.crashes == 0 && j.error.code == ERR_NONE);
		ck_assert_str_eq(j.waiting_on.reason, "later");
		ck_assert_str_eq(j.waiting_on.what, "the exchange wants a pause");
		ck_assert_int_eq(j.waiting_on.until_ms, j.run_at);
		job_close(&j);
		check_sound(q);
		clock_sleep_ms(70);
	}
	c = claim_one(l);
	ck_assert_int_eq(cancel(q, a.id), JOB_RUNNING);
	a.fence = c.job.fence;
	job_close(&c.job);
	r = step_with(l, &a, 1, 5, LEASE);
	queue_step_reply_close(&r);
	ck_assert_int_eq(state_of(q, a.id), JOB_CANCELLED);
	close_both(&q, &l);
}
END_TEST

/* ---- room -------------------------------------------------------------------------------------------------------- */

/* A lane has its own limit, all priorities together; others go on. */
START_TEST(a_full_lane_fills_nobody_else)
{
	struct queue_options o = {.max_lane = 3};
	struct queue *q = open_queue(&o);
	struct queue_link *l = open_link("w1");
	struct queue_submission s[6], other = {.lane = "b", .priority = 5}, unnamed = {.priority = 5};
	struct queue_submitted out[6];
	struct err e = {0};

	for (int i = 0; i < 6; i++)
		s[i] = (struct queue_submission){.kind = KIND, .queue = Q, .lane = "a", .priority = i};
	ck_ok(queue_submit(q, s, 2, out, &e), &e);
	ck_ok(queue_submit(q, s + 2, 4, out + 2, &e), &e);
	for (int i = 0; i < 6; i++)
		ck_assert_int_eq(out[i].outcome, i < 3 ? SUBMIT_NEW : SUBMIT_LANE_FULL);
	ck_assert_int_gt(out[5].retry_after_ms, 0);
	ck_assert(out[1].lane.max == 3 && out[1].lane.left == 1 && out[5].lane.left == 0 && !out[5].bytes.max);
	ck_assert_int_eq(out[0].jobs.max - out[0].jobs.left, 2);
	ck_assert_int_eq(out[5].jobs.max - out[5].jobs.left, 3);
	submit_new(q, &other);
	for (int i = 0; i < 5; i++, memset(unnamed.id, 0, JOB_ID))
		submit_new(q, &unnamed);
	ck_assert_uint_eq(claim_count(l, 1), 1);
	ck_ok(queue_submit(q, s + 5, 1, out, &e), &e);
	ck_assert_int_eq(out[0].outcome, SUBMIT_NEW);
	close_both(&q, &l);
}
END_TEST

/* Bytes of parameters that wait are counted on every way in and out. */
START_TEST(bytes_are_limited)
{
	struct queue_options o = {.max_param_bytes = 250, .max_params = 120};
	struct queue *q = open_queue(&o);
	struct queue_link *l = open_link("w1");
	char big[130] = {0};
	struct queue_submission s = {.params = big, .priority = 5, .kind = KIND, .queue = Q}, first;
	struct queue_submitted out;
	struct queue_claim c;
	struct err e = {0};

	memset(big, 'x', 100);
	submit_new(q, &s);
	first = s;
	memset(s.id, 0, JOB_ID);
	submit_new(q, &s);
	ck_assert_int_eq(counts(q).bytes, 200);
	memset(s.id, 0, JOB_ID);
	ck_assert_int_eq(submit(q, &s).outcome, SUBMIT_FULL);
	c = claim_one(l);
	ck_assert_int_eq(counts(q).bytes, 100);
	submit_new(q, &s);
	ck_assert_uint_eq(ack(l, first.id, c.job.fence, ACK_GIVE_BACK, ERR_NONE), 0);
	job_close(&c.job);
	ck_assert_int_eq(counts(q).bytes, 300);
	ck_assert_int_eq(cancel(q, first.id), JOB_CANCELLED);
	ck_assert_int_eq(counts(q).bytes, 200);
	memset(big, 'x', 121);
	memset(s.id, 0, JOB_ID);
	ck_assert(!queue_submit(q, &s, 1, &out, &e));
	ck_assert_int_eq(e.code, ERR_INVALID);
	close_both(&q, &l);
}
END_TEST

/* What must be compared lies in one shard, whatever else the jobs say; weights hold in all of them, and counts are added up. */
START_TEST(shards_keep_limits)
{
	struct queue_options o = {.shards = 4};
	struct queue *q = open_queue(&o);
	struct queue_lane *lanes = mem_array(QUEUE_LANES_PAGE, sizeof(*lanes));
	char unique[16], name[JOB_NAME], lane[24], cursor[64] = "";
	int first = -1, shard, seen = 0, set = 0;
	struct err e = {0};

	for (int i = 0; i < 20; i++) {
		struct queue_submission s = {.priority = 5, .unique_key = unique, .concurrency_key = "k", .max_concurrent = 1};

		snprintf(unique, sizeof(unique), "u%d", i);
		submit_new(q, &s);
		ck_assert(job_id_parse(s.id, name, &shard));
		ck_assert(first < 0 || shard == first);
		first = shard;
	}
	for (int i = 0; i < 20; i++) {
		snprintf(lane, sizeof(lane), "lane %d", i);
		weigh(q, lane, 5);
		fill_lane(q, lane, 1);
	}
	do {
		int n = queue_lanes(q, Q, cursor, lanes, cursor, &e);

		ck_assert_msg(n >= 0, "%s", e.text);
		for (int i = 0; i < n; i++) {
			seen += lanes[i].route[0] && lanes[i].weight == 5;
			set += !lanes[i].route[0];
		}
	} while (cursor[0]);
	ck_assert_int_eq(seen, 20);
	ck_assert_int_eq(set, 20);
	ck_assert_int_eq(counts(q).bytes, 20 * (int)strlen("{'l':'l'}"));
	check_sound(q);
	mem_free(&lanes);
	queue_close(&q);
}
END_TEST

/* ---- sameness and what a job may say of itself ------------------------------------------------------------------- */

/* A running one goes on, of those that wait only the newest is kept, and it waits for the running one. */
START_TEST(only_the_newest_is_kept)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct queue_submission s[5];
	struct queue_claim c;

	for (int i = 0; i < 5; i++)
		s[i] = (struct queue_submission){.unique_key = "u", .unique = UNIQUE_KEEP_NEWEST, .priority = 5};
	submit_new(q, &s[0]);
	submit_new(q, &s[1]);
	ck_assert_int_eq(state_of(q, s[0].id), JOB_CANCELLED);
	c = claim_one(l);
	ck_assert_str_eq(c.job.id, s[1].id);
	submit_new(q, &s[2]);
	ck_assert_uint_eq(claim_count(l, 5), 0);
	submit_new(q, &s[3]);
	ck_assert_int_eq(state_of(q, s[1].id), JOB_RUNNING);
	ck_assert_int_eq(state_of(q, s[2].id), JOB_CANCELLED);
	ck_assert_uint_eq(claim_count(l, 5), 0);
	check_sound(q);
	ck_assert_uint_eq(ack(l, c.job.id, c.job.fence, ACK_DONE, ERR_NONE), 0);
	job_close(&c.job);
	c = claim_one(l);
	ck_assert_str_eq(c.job.id, s[3].id);
	ck_assert_uint_eq(ack(l, c.job.id, c.job.fence, ACK_DONE, ERR_NONE), 0);
	job_close(&c.job);
	submit_new(q, &s[4]);
	ck_assert_uint_eq(claim_count(l, 5), 1);
	close_both(&q, &l);
}
END_TEST

START_TEST(limits_of_a_job_are_checked)
{
	struct queue *q = open_queue(NULL);
	struct queue_submission bad[] = {{.concurrency_key = "k"}, {.concurrency_key = "k", .max_concurrent = -1},
	        {.concurrency_key = "=k", .max_concurrent = 1}, {.concurrency_key = "k\n", .max_concurrent = 1},
	        {.concurrency_key = "k", .max_concurrent = QUEUE_CONCURRENCY_MAX + 1},
	        {.concurrency_key = "k", .max_concurrent = 1, .unique_key = "u", .unique = UNIQUE_KEEP_NEWEST},
	        {.unique = UNIQUE_KEEP_NEWEST}, {.rate = {.key = "r"}}, {.rate = {.key = "r", .limit = 5, .window_ms = 1000, .cost = 6}},
	        {.rate = {.key = "r", .limit = 5, .window_ms = 0, .cost = 1}},
	        {.rate = {.key = "r\x01", .limit = 5, .window_ms = 10, .cost = 1}}, {.result_ttl_ms = -1}};
	struct queue_submitted out;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e = {0};

		bad[i].kind = KIND;
		bad[i].queue = Q;
		ck_assert_msg(!queue_submit(q, &bad[i], 1, &out, &e), "bad submission %zu was taken", i);
		ck_assert_int_eq(e.code, ERR_INVALID);
	}
	queue_close(&q);
}
END_TEST

/* How long a job stays after it has succeeded, how often it may crash and how long it pauses are its own. */
START_TEST(a_job_has_its_own_policy)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct queue_submission s = {.result_ttl_ms = 300, .max_crashes = 1, .max_attempts = 2, .backoff_ms = 40, .backoff_cap_ms = 50};
	struct queue_claim c;
	struct err e = {0};
	struct job j;

	submit_new(q, &s);
	j = show(q, s.id);
	ck_assert(j.result_ttl_ms == 300 && j.max_crashes == 1 && j.max_attempts == 2 && j.backoff_ms == 40 && j.backoff_cap_ms == 50);
	job_close(&j);
	c = claim_one(l);
	ck_assert_uint_eq(ack(l, s.id, c.job.fence, ACK_ERROR, ERR_IO), 0);
	job_close(&c.job);
	clock_sleep_ms(60);
	c = claim_one(l);
	ck_assert_uint_eq(ack(l, s.id, c.job.fence, ACK_CRASHED, ERR_CRASHED), 0);
	job_close(&c.job);
	c = claim_one(l);
	ck_assert_uint_eq(ack(l, s.id, c.job.fence, ACK_DONE, ERR_NONE), 0);
	job_close(&c.job);
	ck_assert_int_eq(state_of(q, s.id), JOB_SUCCEEDED);
	clock_sleep_ms(400);
	ck_assert_int_eq(queue_show(q, s.id, &j, &e), 0);
	memset(s.id, 0, JOB_ID);
	submit_new(q, &s);
	for (int i = 0; i < 2; i++) {
		c = claim_one(l);
		ck_assert_uint_eq(ack(l, s.id, c.job.fence, ACK_CRASHED, ERR_CRASHED), 0);
		job_close(&c.job);
	}
	ck_assert_int_eq(state_of(q, s.id), JOB_DEAD);
	close_both(&q, &l);
}
END_TEST

#define LIMITS_SUITE                                                                                                                       \
	weights_give_shares, weights_starve_nobody, many_weighted_lanes, lanes_are_listed, a_concurrency_key_is_kept,                      \
	        every_way_out_lets_the_next_in, parked_jobs_obey, a_raised_maximum_is_used, a_dead_worker_frees_its_keys, a_rate_is_kept,  \
	        a_rate_is_not_wasted, many_wait_for_two_limits, put_off_counts_nothing, a_full_lane_fills_nobody_else, shards_keep_limits, \
	        bytes_are_limited, only_the_newest_is_kept, limits_of_a_job_are_checked, a_job_has_its_own_policy

#endif
