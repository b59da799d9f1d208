/* spread_suite.h -- what goes over all shards of a queue beside plain jobs. Included after shards_suite.h and the suites whose helpers it uses. */
#ifndef TESTS_CONTRACT_SPREAD_SUITE_H
#define TESTS_CONTRACT_SPREAD_SUITE_H

#include "tests/contract/flow_suite.h"
#include "tests/contract/limits_suite.h"
#include "tests/contract/seeing_suite.h"
#include "tests/contract/shards_suite.h"
#include "tests/contract/workers_suite.h"

#define SPREAD 3

static void open_shards(struct queue_link *l[SPREAD], const char *worker)
{
	for (int i = 0; i < SPREAD; i++)
		l[i] = open_shard(worker, i);
}

static void close_shards(struct queue_link *l[SPREAD])
{
	for (int i = 0; i < SPREAD; i++)
		queue_link_close(&l[i]);
}

/* A job for each shard, in their order. */
static void submit_one_each(struct queue *q, char ids[SPREAD][JOB_ID])
{
	for (int i = 0; i < SPREAD; i++) {
		char id[JOB_ID];

		submit_plain(q, id);
		memcpy(ids[shard_of_id(id)], id, JOB_ID);
	}
}

/* ---- logs, workers, routes, backlog ------------------------------------------------------------------------------------ */

START_TEST(jobs_of_any_shard_have_a_log)
{
	struct queue *q = open_sharded(SPREAD);
	struct queue_link *l[SPREAD];
	char ids[SPREAD][JOB_ID];

	submit_one_each(q, ids);
	open_shards(l, "w1");
	for (int i = 0; i < SPREAD; i++) {
		struct queue_claim c = claim_one(l[i]);

		ck_assert_str_eq(c.job.id, ids[i]);
		say(l[i], &c.job, 1, 3, NULL);
		log_is(q, ids[i], 0, 10, 1, 3);
		job_close(&c.job);
	}
	close_shards(l);
	queue_close(&q);
}
END_TEST

/* Each stands there once, with what it runs in all shards; what it is told it hears wherever it steps. */
START_TEST(workers_serve_all_shards)
{
	struct queue *q = open_sharded(SPREAD);
	struct queue_link *l[SPREAD], *other;
	struct queue_worker w[8];
	char ids[SPREAD][JOB_ID];

	submit_one_each(q, ids);
	open_shards(l, "w1");
	other = open_shard("w2", 2);
	for (int i = 0; i < SPREAD; i++) {
		report_step(l[i], i ? "{\"of\":\"another\"}" : "{\"of\":\"0\"}", false);
		ck_assert_uint_eq(claim_count(l[i], 5), 1);
	}
	report_step(other, "{}", false); /* it has not heard of the others yet */
	ck_assert_int_eq(workers_are(q, w, 8), 2);
	ck_assert_str_eq(w[0].name, "w1");
	ck_assert_int_eq(w[0].running, SPREAD);
	ck_assert_str_eq(w[0].report, "{\"of\":\"0\"}");
	ck_assert_str_eq(w[1].name, "w2");
	ck_assert_int_eq(w[1].running, 0);
	queue_worker_close(&w[0]);
	queue_worker_close(&w[1]);
	ck_assert_int_eq(workers_are(q, w, 1), 1);
	queue_worker_close(&w[0]);
	ck_assert_int_eq(tell(q, "w1", WORKER_QUIET), 1);
	ck_assert_int_eq(tell(q, "w2", WORKER_DRAIN), 1);
	ck_assert_int_eq(tell(q, "w3", WORKER_DRAIN), 0);
	for (int i = 0; i < SPREAD; i++)
		ck_assert_int_eq(report_step(l[i], NULL, false), WORKER_QUIET);
	ck_assert_int_eq(report_step(other, NULL, false), WORKER_DRAIN);
	ck_assert_int_eq(workers_are(q, w, 8), 2);
	ck_assert_int_eq(w[1].command, WORKER_DRAIN);
	queue_worker_close(&w[0]);
	queue_worker_close(&w[1]);
	ck_assert_int_eq(tell(q, "w1", WORKER_RESUME), 1);
	for (int i = 0; i < SPREAD; i++)
		ck_assert_int_eq(report_step(l[i], NULL, false), WORKER_RESUME);
	queue_link_close(&other);
	close_shards(l);
	queue_close(&q);
}
END_TEST

/* A route is served when it is in each shard where its jobs are ready. */
START_TEST(routes_of_all_shards)
{
	struct queue *q = open_sharded(SPREAD);
	struct queue_link *l[SPREAD];
	char ids[SPREAD][JOB_ID];
	struct queue_route r[4];
	struct err e = {0};

	submit_one_each(q, ids);
	submit_one_each(q, ids);
	open_shards(l, "w1");
	for (int i = 0; i <= SPREAD; i++) {
		ck_assert_int_eq(queue_routes(q, Q, r, 4, &e), 1);
		ck_assert_str_eq(r[0].route, KIND);
		ck_assert_int_eq(r[0].ready, 2 * SPREAD);
		ck_assert(r[0].served == (i == SPREAD));
		ck_assert((r[0].named_at > 0) == (i == SPREAD));
		if (i < SPREAD)
			report_step(l[i], "{}", false);
	}
	close_shards(l);
	queue_close(&q);
}
END_TEST

START_TEST(the_backlog_of_all_shards)
{
	struct queue *q = open_sharded(SPREAD);
	struct queue_link *l[SPREAD];
	struct queue_backlog b;
	char ids[SPREAD][JOB_ID];

	submit_one_each(q, ids);
	clock_sleep_ms(300);
	submit_one_each(q, ids);
	b = backlog_of(q);
	ck_assert_int_eq(b.ready, 2 * SPREAD);
	ck_assert_int_ge(b.oldest_ms, 290);
	ck_assert(b.drain_rate == 0 && b.seconds >= 0.29);
	open_shards(l, "w1");
	for (int i = 0; i < SPREAD; i++) {
		struct queue_claim c = claim_one(l[i]);

		ack(l[i], c.job.id, c.job.fence, ACK_CRASHED, ERR_CRASHED);
		job_close(&c.job);
		ck_assert_uint_eq(claim_count(l[i], 1), 1);
	}
	b = backlog_of(q);
	ck_assert(b.ready == SPREAD && b.running == SPREAD && b.crashes == SPREAD);
	close_shards(l);
	queue_close(&q);
}
END_TEST

/* ---- what keeps a shard --------------------------------------------------------------------------------------------------- */

/* What is parked, and what the history has not yet, is not in the numbers of waiting jobs. */
START_TEST(a_shard_that_holds_anything_is_kept)
{
	struct queue *q = open_sharded(0);
	struct queue_link *l = open_shard("w1", 1);
	struct queue_submission s[2] = {{.priority = 5}, {.priority = 5}};
	struct history_writer w = {.name = "h", .what = HISTORY_ALL, .queue = Q, .shard = 1};
	struct history_batch b;
	struct err e = {0};

	shards_of(q, 2);
	for (int i = 0; i < 2; i++) {
		s[i].rate = (struct job_rate){.key = "k", .limit = 1, .window_ms = 24 * 3600 * 1000, .cost = 1};
		job_id_make(s[i].id, Q, 1, clock_now_ms(), (uint64_t)i);
		submit_new(q, &s[i]);
	}
	struct queue_claim c = claim_one(l);
	ck_assert_uint_eq(ack(l, c.job.id, c.job.fence, ACK_DONE, ERR_NONE), 0);
	job_close(&c.job);
	ck_assert_uint_eq(claim_count(l, 1), 0);
	ck_assert_int_eq(counts(q).parked, 1);
	shards_of(q, 1);
	clock_sleep_ms(10100);
	ck_assert_msg(queue_history_take(q, &w, 10, &b, &e) == 1, "%s", e.text);
	ck_assert_int_eq(queue_history_drop(q, &w, &b, &e), 1);
	history_batch_close(&b);
	ck_assert_int_eq(shards_of(q, 1).serve, 2); /* one is parked */
	ck_assert_int_eq(cancel(q, s[1].id), JOB_CANCELLED);
	ck_assert_int_eq(shards_of(q, 1).serve, 2); /* its end is not in the history */
	ck_assert_msg(queue_history_take(q, &w, 10, &b, &e) == 1, "%s", e.text);
	ck_assert_uint_eq(b.n, 1);
	ck_assert_int_eq(queue_history_drop(q, &w, &b, &e), 1);
	history_batch_close(&b);
	ck_assert_int_eq(shards_of(q, 1).serve, 1);
	queue_link_close(&l);
	queue_close(&q);
}
END_TEST

#define SPREAD_SUITE                                                                                             \
	jobs_of_any_shard_have_a_log, workers_serve_all_shards, routes_of_all_shards, the_backlog_of_all_shards, \
	        a_shard_that_holds_anything_is_kept

#endif
