/* routes_suite.h -- which workers may take a job: versions of kinds side by side, and the quarantine. A part of the contract. */
#ifndef TESTS_CONTRACT_ROUTES_SUITE_H
#define TESTS_CONTRACT_ROUTES_SUITE_H

#include "tests/contract/queue_suite.h"

static struct queue_link *open_routes(const char *worker, const char *const *routes)
{
	struct err e = {0};
	size_t n = 0;
	struct queue_link *l;

	while (routes[n])
		n++;
	l = queue_link_open(suite_url(), NULL, Q, worker, routes, n, &e);
	ck_assert_msg(l != NULL, "%s", e.text);
	return l;
}

/* Claim all that this link is given; the ids must be these and no others. */
static void claims_are(struct queue_link *l, const char *const *ids, size_t n)
{
	struct queue_step_reply r = step(l, 100);

	ck_assert_uint_eq(r.n_claims, n);
	for (size_t i = 0; i < n; i++) {
		bool found = false;

		for (size_t k = 0; k < n; k++)
			found = found || str_eq(r.claims[k].job.id, ids[i]);
		ck_assert_msg(found, "%s was not given", ids[i]);
	}
	queue_step_reply_close(&r);
}

START_TEST(versions_go_to_workers_that_know_them)
{
	struct queue *q = open_queue(NULL);
	struct queue_submission any = {.priority = 5}, one = {.priority = 5, .kind_version = 1}, two = {.priority = 5, .kind_version = 2};
	struct queue_link *old = open_routes("old", (const char *const[]){KIND "/1", NULL});
	struct queue_link *new = open_routes("new", (const char *const[]){KIND "/2", KIND, NULL});
	struct queue_step_reply r;

	submit_new(q, &any);
	submit_new(q, &one);
	submit_new(q, &two);
	claims_are(old, (const char *const[]){one.id}, 1);
	r = step(old, 10);
	ck_assert_msg(!r.more, "a worker is told that there is more, but not for it");
	queue_step_reply_close(&r);
	check_sound(q);
	claims_are(new, (const char *const[]){any.id, two.id}, 2);
	check_sound(q);
	queue_link_close(&old);
	close_both(&q, &new);
}
END_TEST

START_TEST(a_version_wakes_only_who_knows_it)
{
	struct queue *q = open_queue(NULL);
	struct queue_submission one = {.priority = 5, .kind_version = 1}, later = {.priority = 5, .kind_version = 2, .delay_ms = 60000};
	struct queue_link *old = open_routes("old", (const char *const[]){KIND "/1", NULL});
	struct queue_link *new = open_routes("new", (const char *const[]){KIND "/2", NULL});
	struct err e = {0};

	ck_ok(queue_link_wait_begin(old, 5000, &e), &e);
	ck_ok(queue_link_wait_begin(new, 5000, &e), &e);
	submit_new(q, &one);
	wait_fd(queue_link_wait_fd(old));
	while (!queue_link_wait_end(old, &e))
		wait_fd(queue_link_wait_fd(old));
	clock_sleep_ms(50);
	ck_assert_int_eq(queue_link_wait_end(new, &e), 0);
	submit_new(q, &later); /* who waits must learn when it is due */
	while (!queue_link_wait_end(new, &e))
		wait_fd(queue_link_wait_fd(new));
	queue_link_close(&old);
	close_both(&q, &new);
}
END_TEST

/* Claim a job on this link, crash it, and say whether it is in quarantine now. */
static bool crash_once(struct queue *q, struct queue_link *l, const char *id)
{
	struct queue_claim c = claim_one(l);
	struct job j;
	bool quarantined;

	ck_assert_str_eq(c.job.id, id);
	ck_assert_uint_eq(ack(l, id, c.job.fence, ACK_CRASHED, ERR_CRASHED), 0);
	job_close(&c.job);
	j = show(q, id);
	ck_assert_int_eq(j.state, JOB_READY);
	quarantined = j.quarantined;
	job_close(&j);
	check_sound(q);
	return quarantined;
}

START_TEST(what_crashed_goes_to_the_quarantine)
{
	struct queue *q = open_queue(NULL);
	struct queue_submission s = {.priority = 5, .kind_version = 1};
	struct queue_link *usual = open_routes("usual", (const char *const[]){KIND "/1", NULL});
	struct queue_link *big = open_routes("big", (const char *const[]){KIND "/1!", NULL});
	struct queue_claim c;

	submit_new(q, &s);
	ck_assert(crash_once(q, usual, s.id));
	ck_assert_uint_eq(claim_count(usual, 10), 0);
	c = claim_one(big);
	ck_assert(c.job.quarantined);
	ck_assert_str_eq(c.job.kind, KIND);
	ck_assert_int_eq(c.job.kind_version, 1);
	ck_assert_int_eq(c.job.crashes, 1);
	ck_assert_uint_eq(ack(big, s.id, c.job.fence, ACK_GIVE_BACK, ERR_NONE), 0);
	job_close(&c.job);
	ck_assert_uint_eq(claim_count(usual, 10), 0);
	c = claim_one(big);
	ck_assert_uint_eq(ack(big, s.id, c.job.fence, ACK_DONE, ERR_NONE), 0);
	job_close(&c.job);
	check_sound(q);
	queue_link_close(&usual);
	close_both(&q, &big);
}
END_TEST

START_TEST(the_crashes_before_quarantine_are_the_jobs_own)
{
	struct queue *q = open_queue(NULL);
	struct queue_submission second = {.priority = 5, .quarantine_after = 2}, never = {.priority = 5, .quarantine_after = 9};
	struct queue_link *l = open_link("w1");
	struct err e = {0};
	struct queue_claim c;

	submit_new(q, &second);
	ck_assert(!crash_once(q, l, second.id));
	ck_assert(crash_once(q, l, second.id));
	c = claim_one(l);
	ack(l, second.id, c.job.fence, ACK_ERROR, ERR_INVALID);
	job_close(&c.job);
	ck_assert_int_eq(state_of(q, second.id), JOB_FAILED);
	/* Replayed it begins afresh, outside. */
	ck_assert_int_eq(queue_replay(q, second.id, &e), 1);
	ck_assert(!crash_once(q, l, second.id));
	cancel(q, second.id);
	submit_new(q, &never);
	for (int i = 0; i < 3; i++)
		ck_assert(!crash_once(q, l, never.id));
	close_both(&q, &l);
}
END_TEST

/* Its id was left in a lane outside before it was quarantined, and in one inside before it was replayed: neither is its place now. */
START_TEST(ghosts_outside_and_inside_are_told_apart)
{
	struct queue *q = open_queue(NULL);
	struct queue_submission s = {.priority = 3, .kind_version = 1};
	struct queue_link *usual = open_routes("usual", (const char *const[]){KIND "/1", NULL});
	struct queue_link *big = open_routes("big", (const char *const[]){KIND "/1!", NULL});
	struct err e = {0};

	submit_new(q, &s);
	ck_assert_int_eq(queue_set_priority(q, s.id, 2, 0, &e), 1); /* a ghost stays in lane 3 outside */
	ck_assert(crash_once(q, usual, s.id));
	ck_assert_int_eq(queue_set_priority(q, s.id, 3, 0, &e), 1); /* lane 3 inside is another; a ghost stays in lane 2 inside */
	check_sound(q);
	ck_assert_uint_eq(claim_count(usual, 10), 0); /* what was left outside is laid */
	check_sound(q);
	ck_assert_int_eq(cancel(q, s.id), JOB_CANCELLED);
	ck_assert_int_eq(queue_replay(q, s.id, &e), 1);
	check_sound(q);
	ck_assert_uint_eq(claim_count(big, 10), 0);
	check_sound(q);
	claims_are(usual, (const char *const[]){s.id}, 1);
	check_sound(q);
	queue_link_close(&usual);
	close_both(&q, &big);
}
END_TEST

START_TEST(listings_look_at_the_kind_only)
{
	struct queue *q = open_queue(NULL);
	struct queue_submission one = {.priority = 5, .kind_version = 1}, two = {.priority = 5, .kind_version = 2};
	struct queue_submission other = {.priority = 5, .kind = "noop", .kind_version = 1};
	struct job jobs[8];
	char cursor[64];
	struct err e = {0};

	submit_new(q, &one);
	submit_new(q, &two);
	submit_new(q, &other);
	ck_assert_int_eq(queue_list(q, Q, KIND, -1, "", 8, jobs, cursor, &e), 2);
	ck_assert_int_eq(jobs[0].kind_version + jobs[1].kind_version, 3);
	job_close(&jobs[0]);
	job_close(&jobs[1]);
	queue_close(&q);
}
END_TEST

START_TEST(pause_and_purge_reach_every_route)
{
	struct queue *q = open_queue(NULL);
	struct queue_submission one = {.priority = 5, .kind_version = 1}, two = {.priority = 5, .kind_version = 2};
	struct queue_link *l = open_routes("w", (const char *const[]){KIND "/1", KIND "/1!", KIND "/2", NULL});
	struct err e = {0};
	int64_t left = -1;

	submit_new(q, &one);
	ck_assert(crash_once(q, l, one.id));
	submit_new(q, &two);
	ck_ok(queue_pause(q, Q, &e), &e);
	ck_assert_uint_eq(claim_count(l, 10), 0);
	ck_assert_int_eq(queue_purge(q, Q, JOB_READY, 10, &left, &e), 2);
	ck_assert_int_eq(left, 0);
	check_sound(q);
	close_both(&q, &l);
}
END_TEST

/* Its id still lies in the lane of the quarantine from the last time: it must not lie there twice. */
START_TEST(what_crashes_again_lies_there_once)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_routes("w", (const char *const[]){KIND, KIND "!", NULL});
	struct queue_submission s = {.priority = 5};
	struct err e = {0};

	submit_new(q, &s);
	for (int i = 0; i < 2; i++) {
		ck_assert(crash_once(q, l, s.id));
		check_sound(q);
		ck_assert_int_eq(cancel(q, s.id), JOB_CANCELLED);
		ck_assert_int_eq(queue_replay(q, s.id, &e), 1);
	}
	ck_assert_uint_eq(claim_count(l, 10), 1);
	check_sound(q);
	close_both(&q, &l);
}
END_TEST

#define ROUTES_SUITE                                                                                                                      \
	versions_go_to_workers_that_know_them, a_version_wakes_only_who_knows_it, what_crashed_goes_to_the_quarantine,                    \
	        the_crashes_before_quarantine_are_the_jobs_own, ghosts_outside_and_inside_are_told_apart, listings_look_at_the_kind_only, \
	        pause_and_purge_reach_every_route, what_crashes_again_lies_there_once

#endif
