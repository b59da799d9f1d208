/* seeing_suite.h -- what every driver of the queue must tell about a job: its timeline. Included after queue_suite.h. */
#ifndef TESTS_CONTRACT_SEEING_SUITE_H
#define TESTS_CONTRACT_SEEING_SUITE_H

#include "job/timeline.h"
#include "tests/contract/queue_suite.h"

/* The events of a job in a row: "created claimed error due". */
static void events_are(struct queue *q, const char *id, const char *wanted)
{
	struct job j = show(q, id);
	struct timeline t;
	struct buf got = {0};

	timeline_of(&j, clock_now_ms(), &t);
	for (size_t i = 0; i < t.n; i++)
		buf_addf(&got, "%s%s", i ? " " : "", t.events[i].event);
	ck_assert_str_eq(buf_text(&got), wanted);
	buf_close(&got);
	job_close(&j);
}

static void claim_and_ack(struct queue_link *l, const char *id, enum ack_outcome outcome, enum err_code code)
{
	struct queue_claim c = claim_one(l);

	ck_assert_str_eq(c.job.id, id);
	ck_assert_uint_eq(ack(l, id, c.job.fence, outcome, code), 0);
	job_close(&c.job);
}

START_TEST(a_timeline_tells_the_unusual)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w:1:1");
	struct queue_submission s = {.priority = 5, .max_attempts = 2, .backoff_ms = 1, .backoff_cap_ms = 1};
	struct err e = {0};
	char plain[JOB_ID];

	submit_plain(q, plain);
	claim_and_ack(l, plain, ACK_DONE, ERR_NONE);
	events_are(q, plain, "created claimed succeeded");
	struct job j = show(q, plain);
	ck_assert_ptr_null(j.timeline); /* a usual job costs nothing */
	job_close(&j);

	submit_new(q, &s);
	prioritize(q, s.id, 3);
	claim_and_ack(l, s.id, ACK_CRASHED, ERR_CRASHED);
	claim_and_ack(l, s.id, ACK_GIVE_BACK, ERR_NONE);
	claim_and_ack(l, s.id, ACK_ERROR, ERR_TIMEOUT);
	clock_sleep_ms(5);
	claim_and_ack(l, s.id, ACK_ERROR, ERR_TIMEOUT);
	events_are(q, s.id, "created priority claimed crashed claimed given_back claimed error due claimed dead");
	ck_assert_int_eq(queue_replay(q, s.id, &e), 1);
	claim_and_ack(l, s.id, ACK_DONE, ERR_NONE);
	events_are(q, s.id, "created priority claimed crashed claimed given_back claimed error claimed dead replayed claimed succeeded");
	check_sound(q);
	close_both(&q, &l);
}
END_TEST

START_TEST(a_timeline_that_begins_late)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w:1:1");
	struct queue_submission s = {.priority = 5}, held = {.priority = 5, .held = true};
	struct err e = {0};

	submit_new(q, &s);
	cancel(q, s.id);
	events_are(q, s.id, "created cancelled");
	ck_assert_int_eq(queue_replay(q, s.id, &e), 1);
	events_are(q, s.id, "created cancelled replayed");
	struct queue_claim c = claim_one(l);
	cancel(q, s.id);
	events_are(q, s.id, "created cancelled replayed claimed cancel_asked");
	ack(l, s.id, c.job.fence, ACK_CANCELLED, ERR_NONE);
	events_are(q, s.id, "created cancelled replayed claimed cancel_asked cancelled");
	job_close(&c.job);
	submit_new(q, &held);
	ck_assert_int_eq(queue_release(q, held.id, &e), 1);
	claim_and_ack(l, held.id, ACK_DONE, ERR_NONE);
	events_are(q, held.id, "created released claimed succeeded");
	close_both(&q, &l);
}
END_TEST

/* However often it crashes and whatever the reason holds, the timeline stays small and says what it left out. */
START_TEST(a_timeline_is_bounded)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w:1:1");
	struct queue_submission s = {.priority = 5, .max_crashes = 1000};
	struct timeline t;
	char why[391];

	submit_new(q, &s);
	memset(why, 'x', sizeof(why));
	memcpy(why + 100, "\n1 dead\r\n", 9);
	memcpy(why + 298, "\xe2\x82\xac\xe2\x82\xac", 6); /* cut within a character */
	why[sizeof(why) - 1] = '\0';
	for (int i = 0; i < 200; i++) {
		struct queue_claim c = claim_one(l);
		struct queue_ack a = {.fence = c.job.fence, .outcome = ACK_CRASHED};

		memcpy(a.id, s.id, JOB_ID);
		err_set(&a.error, ERR_CRASHED, "%s", i % 3 ? "short" : why);
		struct queue_step_reply r = step_with(l, &a, 1, 0, LEASE);
		queue_step_reply_close(&r);
		job_close(&c.job);
	}
	struct job j = show(q, s.id);
	timeline_of(&j, clock_now_ms(), &t);
	ck_assert_uint_le(strlen(j.timeline), 8192 + 64);
	ck_assert_uint_le(t.n, 52);
	ck_assert_uint_ge(t.n, 20);
	ck_assert_str_eq(t.events[11].event, "dropped");
	int64_t dropped = strtoll(t.events[11].text, NULL, 10);
	ck_assert_int_eq(dropped + (int64_t)t.n - 2, 400); /* not lost from the count: all but "created" and "dropped" */
	for (size_t i = 1; i < t.n; i++)
		ck_assert(t.events[i].len <= 300 && str_eq(t.events[i].event, "dead") == false);
	job_close(&j);
	close_both(&q, &l);
}
END_TEST

#define SEEING_SUITE a_timeline_tells_the_unusual, a_timeline_that_begins_late, a_timeline_is_bounded

#endif
