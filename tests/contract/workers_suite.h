/* workers_suite.h -- what dispatchers say about themselves and are told; and routes that nobody serves. A part of the contract. */
#ifndef TESTS_CONTRACT_WORKERS_SUITE_H
#define TESTS_CONTRACT_WORKERS_SUITE_H

#include "queue/workers.h"
#include "tests/contract/routes_suite.h"

/* A step with a report (NULL: none); what the worker was told. */
static enum worker_command report_step(struct queue_link *l, const char *report, bool last)
{
	struct queue_step s = {.lease_ms = LEASE, .report = report, .last = last};
	struct queue_step_reply r;
	struct err e = {0};
	enum worker_command told;
	int got;

	ck_ok(queue_link_step_begin(l, &s, &e), &e);
	while (!(got = queue_link_step_end(l, &r, &e)))
		wait_fd(queue_link_fd(l));
	ck_assert_msg(got == 1, "%s", e.text);
	told = (enum worker_command)r.command;
	queue_step_reply_close(&r);
	return told;
}

/* As queue_workers, of Q; a test knows how many there can be. */
static int workers_are(struct queue *q, struct queue_worker *out, size_t max)
{
	struct queue_workers all;
	struct err e = {0};

	ck_ok(queue_workers(q, Q, &all, &e), &e);
	ck_assert_uint_le(all.n, max);
	if (all.n)
		memcpy(out, all.at, all.n * sizeof(*out));
	mem_free(&all.at); /* what stands in them is the test's now */
	return (int)all.n;
}

/* As queue_routes, of Q. */
static int routes_are(struct queue *q, struct queue_route *out, size_t max)
{
	struct queue_routes all;
	struct err e = {0};
	int n;

	ck_ok(queue_routes(q, (const char[1][JOB_NAME]){Q}, 1, &all, &e), &e);
	ck_assert_uint_le(all.n, max);
	if (all.n)
		memcpy(out, all.at, all.n * sizeof(*out));
	n = (int)all.n;
	queue_routes_close(&all);
	return n;
}

static int tell(struct queue *q, const char *worker, enum worker_command command)
{
	struct err e = {0};
	int told = queue_worker_tell(q, Q, worker, command, &e);

	ck_assert_msg(told >= 0, "%s", e.text);
	return told;
}

START_TEST(workers_tell_of_themselves)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *a = open_link("a"), *b = open_link("b");
	struct queue_worker w[4];
	char id[JOB_ID];

	ck_assert_int_eq(workers_are(q, w, 4), 0);
	submit_plain(q, id);
	report_step(a, "{\"n\":1}", false);
	ck_assert_uint_eq(claim_count(a, 1), 1);
	step_nothing(b);
	ck_assert_int_eq(workers_are(q, w, 4), 2);
	ck_assert_str_eq(w[0].name, "a");
	ck_assert_str_eq(w[0].report, "{\"n\":1}");
	ck_assert_int_eq(w[0].running, 1);
	ck_assert_int_eq(w[0].command, WORKER_RESUME);
	ck_assert(w[0].heard_at > 0 && w[0].alive_until > w[0].heard_at);
	ck_assert_str_eq(w[1].name, "b");
	ck_assert_ptr_null(w[1].report);
	queue_worker_close(&w[0]);
	queue_worker_close(&w[1]);
	report_step(a, "{\"n\":2}", false);
	ck_assert_int_eq(workers_are(q, w, 4), 2);
	ck_assert_str_eq(w[0].report, "{\"n\":2}");
	queue_worker_close(&w[0]);
	queue_worker_close(&w[1]);
	queue_link_close(&a);
	close_both(&q, &b);
}
END_TEST

START_TEST(workers_are_told)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *a = open_link("a"), *b = open_link("b");

	ck_assert_int_eq(tell(q, "a", WORKER_QUIET), 0); /* it was not heard yet */
	report_step(a, "{}", false);
	report_step(b, "{}", false);
	ck_assert_int_eq(tell(q, "nobody", WORKER_QUIET), 0);
	ck_assert_int_eq(tell(q, "no body", WORKER_QUIET), 0);
	ck_assert_int_eq(tell(q, "a", WORKER_QUIET), 1);
	ck_assert_int_eq(report_step(a, NULL, false), WORKER_QUIET);
	ck_assert_int_eq(report_step(a, "{}", false), WORKER_QUIET);
	ck_assert_int_eq(report_step(b, NULL, false), WORKER_RESUME);
	ck_assert_int_eq(tell(q, "a", WORKER_DRAIN), 1);
	ck_assert_int_eq(report_step(a, NULL, false), WORKER_DRAIN);
	ck_assert_int_eq(tell(q, "a", WORKER_RESUME), 1);
	ck_assert_int_eq(report_step(a, NULL, false), WORKER_RESUME);
	queue_link_close(&a);
	close_both(&q, &b);
}
END_TEST

START_TEST(commands_go_with_their_worker)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *a = open_link("a");
	struct queue_worker w[4];

	report_step(a, "{}", false);
	ck_assert_int_eq(tell(q, "a", WORKER_QUIET), 1);
	queue_link_close(&a); /* its process died, and another of its name is started before anybody noticed */
	a = open_link("a");
	ck_assert_int_eq(report_step(a, "{}", false), WORKER_RESUME);
	ck_assert_int_eq(tell(q, "a", WORKER_QUIET), 1);
	ck_assert_int_eq(report_step(a, NULL, true), WORKER_QUIET);
	ck_assert_int_eq(workers_are(q, w, 4), 0);
	ck_assert_int_eq(tell(q, "a", WORKER_STOP), 0);
	close_both(&q, &a);
}
END_TEST

/* Saying good-bye does not save a worker from being found dead with what it left. */
START_TEST(who_leaves_jobs_behind_is_still_missed)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *a = open_link("a"), *b = open_link("b");
	struct queue_worker w[4];
	char id[JOB_ID];

	submit_plain(q, id);
	ck_assert_uint_eq(claim_count(a, 1), 1);
	report_step(a, "{}", true);
	for (int i = 0; i < 50 && state_of(q, id) == JOB_RUNNING; i++) {
		step_nothing(b);
		clock_sleep_ms(100);
	}
	ck_assert_int_eq(state_of(q, id), JOB_READY);
	step_nothing(b);
	ck_assert_int_eq(workers_are(q, w, 4), 1);
	ck_assert_str_eq(w[0].name, "b");
	queue_worker_close(&w[0]);
	queue_link_close(&a);
	close_both(&q, &b);
}
END_TEST

START_TEST(routes_that_nobody_serves_are_seen)
{
	struct queue *q = open_queue(NULL);
	struct queue_submission one = {.priority = 5, .kind_version = 1}, two = {.priority = 5, .kind_version = 2};
	struct queue_link *old = open_routes("old", (const char *const[]){KIND "/1", NULL});
	struct queue_route r[4];
	struct queue_routes none;
	struct err e = {0};

	ck_assert_int_eq(routes_are(q, r, 4), 0);
	submit_new(q, &one);
	submit_new(q, &two);
	submit_new(q, &(struct queue_submission){.priority = 5, .kind_version = 2});
	report_step(old, "{}", false);
	ck_assert_int_eq(routes_are(q, r, 4), 2);
	for (int i = 0; i < 2; i++) {
		bool is_one = str_eq(r[i].route, KIND "/1");

		ck_assert(is_one || str_eq(r[i].route, KIND "/2"));
		ck_assert_int_eq(r[i].ready, is_one ? 1 : 2);
		ck_assert(r[i].served == is_one);
		ck_assert((r[i].named_at > 0) == is_one);
	}
	ck_assert(!queue_routes(q, (const char[1][JOB_NAME]){"Q Q"}, 1, &none, &e));
	ck_assert_int_eq(e.code, ERR_INVALID);
	close_both(&q, &old);
}
END_TEST

#define WORKERS_SUITE                                                                                                        \
	workers_tell_of_themselves, workers_are_told, commands_go_with_their_worker, who_leaves_jobs_behind_is_still_missed, \
	        routes_that_nobody_serves_are_seen

#endif
