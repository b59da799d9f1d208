/* held_suite.h -- what is lost with its worker: a crash if it is known to have started, and none if it was only held. A part of the contract. */
#ifndef TESTS_CONTRACT_HELD_SUITE_H
#define TESTS_CONTRACT_HELD_SUITE_H

#include "tests/contract/queue_suite.h"

#define HELD_LEASE 100 /* it ends soon, so that a test need not wait until its worker is taken for dead */

static void held_step(struct queue_link *l, struct queue_step s, struct queue_step_reply *out)
{
	struct err e = {0};
	int got;

	ck_ok(queue_link_step_begin(l, &s, &e), &e);
	while (!(got = queue_link_step_end(l, out, &e)))
		wait_fd(queue_link_fd(l));
	ck_assert_msg(got == 1, "%s", e.text);
}

/* Claim one as a dispatcher that looks ahead does. */
static struct job held_claim(struct queue_link *l)
{
	struct queue_step_reply r;
	struct job j;

	held_step(l, (struct queue_step){.held = true, .want = 1, .lease_ms = HELD_LEASE}, &r);
	ck_assert_uint_eq(r.n_claims, 1);
	j = r.claims[0].job;
	memset(&r.claims[0], 0, sizeof(r.claims[0]));
	queue_step_reply_close(&r);
	return j;
}

/* It is about to start: is it still ours? */
static bool held_starts(struct queue_link *l, const struct job *j)
{
	struct queue_ack a = {.fence = j->fence, .outcome = ACK_STARTS};
	struct queue_step_reply r;
	bool ours;

	memcpy(a.id, j->id, JOB_ID);
	held_step(l, (struct queue_step){.acks = &a, .n_acks = 1, .lease_ms = HELD_LEASE}, &r);
	ours = r.n_rejected == 0;
	queue_step_reply_close(&r);
	return ours;
}

static void held_renew(struct queue_link *l, const struct job *j, bool held)
{
	struct queue_renewal item = {.fence = j->fence, .held = held};
	struct queue_renew_reply r;
	struct err e = {0};
	int got;

	memcpy(item.id, j->id, JOB_ID);
	ck_ok(queue_link_renew_begin(l, &item, 1, HELD_LEASE, &e), &e);
	while (!(got = queue_link_renew_end(l, &r, &e)))
		wait_fd(queue_link_fd(l));
	ck_assert_msg(got == 1 && r.n_lost == 0, "%s", e.text);
	queue_renew_reply_close(&r);
}

/* Its lease ends, and it comes again, so: */
static struct job held_again(struct queue *q, struct queue_link *l, struct job *before, int crashes, bool suspect, bool quarantined)
{
	struct job j, seen;

	clock_sleep_ms(HELD_LEASE + 550); /* ended leases are looked for twice a second */
	j = held_claim(l);
	ck_assert_str_eq(j.id, before->id);
	ck_assert_int_gt(j.fence, before->fence);
	ck_assert_int_eq(j.crashes, crashes);
	ck_assert(j.suspect == suspect && j.quarantined == quarantined);
	seen = show(q, j.id);
	ck_assert(seen.crashes == crashes && seen.suspect == suspect && seen.quarantined == quarantined);
	job_close(&seen);
	job_close(before);
	check_sound(q);
	return j;
}

static void held_end(struct queue_link *l, const struct job *j, enum ack_outcome outcome)
{
	struct queue_ack a = {.fence = j->fence, .outcome = outcome};
	struct queue_step_reply r;

	memcpy(a.id, j->id, JOB_ID);
	err_set(&a.error, ERR_IO, "no");
	a.error.retry_after_ms = 1;
	r = step_with(l, &a, 1, 0, LEASE);
	ck_assert_uint_eq(r.n_rejected, 0);
	queue_step_reply_close(&r);
}

START_TEST(what_was_only_held_is_lost_without_a_crash)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	char id[JOB_ID];
	struct job j, seen;

	submit_plain(q, id);
	j = held_claim(l);
	ck_assert(!j.suspect);
	for (int i = 0; i < 3; i++)
		j = held_again(q, l, &j, 0, true, false);
	seen = show(q, id);
	ck_assert_msg(
	        strstr(seen.timeline, " given_back its lease ended, and nothing says that it had begun\n") != NULL, "%s", seen.timeline);
	job_close(&seen);
	ck_assert_uint_eq(ack(l, id, j.fence, ACK_DONE, ERR_NONE), 0);
	seen = show(q, id);
	ck_assert(seen.state == JOB_SUCCEEDED && !seen.suspect && seen.crashes == 0);
	job_close(&seen);
	job_close(&j);
	check_sound(q);
	close_both(&q, &l);
}
END_TEST

/* From the first word on that it starts each loss counts, also when it is quarantined, until it has crashed too often. */
START_TEST(what_was_said_to_start_is_lost_with_a_crash)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct queue_submission s = {.priority = 5, .max_crashes = 2, .quarantine_after = 2};
	struct job j;

	submit_new(q, &s);
	j = held_claim(l);
	j = held_again(q, l, &j, 0, true, false);
	ck_assert(held_starts(l, &j));
	j = held_again(q, l, &j, 1, true, false);
	ck_assert(held_starts(l, &j));
	j = held_again(q, l, &j, 2, true, true);
	j = held_again(q, l, &j, 2, true, true); /* this time nobody said that it starts */
	ck_assert(held_starts(l, &j));
	clock_sleep_ms(HELD_LEASE + 550);
	ck_assert_uint_eq(claim_count(l, 1), 0);
	ck_assert_int_eq(state_of(q, s.id), JOB_DEAD);
	job_close(&j);
	check_sound(q);
	close_both(&q, &l);
}
END_TEST

START_TEST(a_renewal_says_whether_it_started)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	char id[JOB_ID];
	struct job j;

	submit_plain(q, id);
	j = held_claim(l);
	held_renew(l, &j, true);
	j = held_again(q, l, &j, 0, true, false);
	held_renew(l, &j, false);
	j = held_again(q, l, &j, 1, true, true);
	job_close(&j);
	close_both(&q, &l);
}
END_TEST

/* Who has lost it must not start it, and learns it before it does. */
START_TEST(what_is_no_longer_ours_must_not_start)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	char id[JOB_ID];
	struct job first, j;

	submit_plain(q, id);
	first = held_claim(l);
	j = (struct job){.fence = first.fence};
	memcpy(j.id, first.id, JOB_ID);
	j = held_again(q, l, &j, 0, true, false);
	ck_assert(!held_starts(l, &first));
	ck_assert(held_starts(l, &j));
	ck_assert(held_starts(l, &j)); /* said twice it is said once */
	ck_assert_int_eq(counts(q).running, 1);
	ck_assert_uint_eq(ack(l, id, j.fence, ACK_DONE, ERR_NONE), 0);
	ck_assert(!held_starts(l, &j));
	ck_assert_int_eq(counts(q).running, 0);
	job_close(&first);
	job_close(&j);
	check_sound(q);
	close_both(&q, &l);
}
END_TEST

/* What comes to an end that its worker tells is suspect no longer; what is given back, or crashes its slot, is. */
START_TEST(an_end_takes_the_suspicion_away)
{
	static const struct {
		enum ack_outcome outcome;
		bool suspect;
	} ends[] = {{ACK_ERROR, false}, {ACK_LATER, false}, {ACK_GIVE_BACK, true}, {ACK_CRASHED, true}};
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct queue_submission s = {.priority = 5, .max_attempts = 2, .quarantine_after = 2};
		struct job j;

		submit_new(q, &s);
		j = held_claim(l);
		j = held_again(q, l, &j, 0, true, false);
		held_end(l, &j, ends[i].outcome);
		job_close(&j);
		clock_sleep_ms(20);
		j = held_claim(l);
		ck_assert_str_eq(j.id, s.id);
		ck_assert_msg(j.suspect == ends[i].suspect, "outcome %d", (int)ends[i].outcome);
		ck_assert_uint_eq(ack(l, s.id, j.fence, ACK_DONE, ERR_NONE), 0);
		job_close(&j);
	}
	check_sound(q);
	close_both(&q, &l);
}
END_TEST

/* A dead worker had begun one and held many: only the one has crashed, and all come again before what is newer. */
START_TEST(a_dead_workers_neighbours_are_not_blamed)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *dead = open_link("dead"), *alive = open_link("alive");
	char ids[6][JOB_ID], newer[JOB_ID];
	struct queue_step_reply r;
	int64_t until;

	for (int i = 0; i < 6; i++)
		submit_plain(q, ids[i]);
	step_nothing(alive);
	held_step(dead, (struct queue_step){.held = true, .want = 6, .lease_ms = LEASE}, &r);
	ck_assert_uint_eq(r.n_claims, 6);
	ck_assert(held_starts(dead, &r.claims[0].job));
	queue_step_reply_close(&r);
	queue_link_close(&dead);
	submit_plain(q, newer);
	for (until = clock_mono_ms() + 8000; counts(q).running > 0; clock_sleep_ms(100)) {
		ck_assert_int_lt(clock_mono_ms(), until);
		step_nothing(alive);
	}
	r = step(alive, 10);
	ck_assert_uint_eq(r.n_claims, 7);
	for (size_t i = 0, held = 0; i < 7; i++) {
		const struct job *j = &r.claims[i].job;
		bool began = str_eq(j->id, ids[0]);
		ck_assert(j->quarantined == began && j->crashes == began);
		ck_assert(j->suspect == (!began && !str_eq(j->id, newer)));
		ck_assert(!str_eq(j->id, newer) || held == 5);
		held += j->suspect;
	}
	queue_step_reply_close(&r);
	check_sound(q);
	close_both(&q, &alive);
}
END_TEST

/* More than a call may take from a dead worker is taken by the next ones, without waiting until there is something else to do. */
START_TEST(all_that_a_dead_worker_held_comes_back_soon)
{
	enum { MANY = 2 * QUEUE_BATCH_MAX + 10 };
	struct queue *q = open_queue(NULL);
	struct queue_link *dead = open_link("dead"), *alive = open_link("alive");
	struct queue_step_reply r;
	char id[JOB_ID];
	int64_t began = 0;

	for (int i = 0; i < MANY; i++)
		submit_plain(q, id);
	step_nothing(alive);
	for (int left = MANY; left > 0;) {
		held_step(dead, (struct queue_step){.held = true, .want = QUEUE_BATCH_MAX, .lease_ms = LEASE}, &r);
		left -= (int)r.n_claims;
		queue_step_reply_close(&r);
	}
	queue_link_close(&dead);
	for (int64_t until = clock_mono_ms() + 8000; counts(q).running > 0;) {
		ck_assert_int_lt(clock_mono_ms(), until);
		r = step(alive, 0);
		if (!began && counts(q).running < MANY)
			began = clock_mono_ms();
		/* As a dispatcher waits that has nothing to do. */
		clock_sleep_ms(r.next_due_ms >= 0 && r.next_due_ms < 800 ? r.next_due_ms + 1 : 800);
		queue_step_reply_close(&r);
	}
	ck_assert_int_lt(clock_mono_ms() - began, 700);
	check_sound(q);
	close_both(&q, &alive);
}
END_TEST

#define HELD_SUITE                                                                                                                  \
	what_was_only_held_is_lost_without_a_crash, what_was_said_to_start_is_lost_with_a_crash, a_renewal_says_whether_it_started, \
	        what_is_no_longer_ours_must_not_start, an_end_takes_the_suspicion_away, a_dead_workers_neighbours_are_not_blamed,   \
	        all_that_a_dead_worker_held_comes_back_soon

#endif
