/* test_worker_quarantine.c -- a job that crashed runs alone: nothing waits behind it, and it waits for a slot without harm. */
#include <signal.h>
#include <string.h>

#include "tests/flow/worker_rig.h"

#define WARM  300
#define SHORT 40
#define TRIES 6 /* of what a machine that is slow just now may spoil */

/* After these the worker knows that its jobs are short, so that it looks ahead. */
static void warm_up(struct rig *r)
{
	static char ids[WARM][JOB_ID];
	struct job j;
	for (int i = 0; i < WARM; i++)
		rig_submit(r, ids[i], "{}");
	for (int i = 0; i < WARM; i++) {
		rig_wait(r, ids[i], JOB_SUCCEEDED, 20000, &j);
		job_close(&j);
	}
}

static bool was_given_back(const struct job *j)
{
	return j->timeline != NULL && strstr(j->timeline, "given_back") != NULL;
}

/* How many of them were given to a slot that did not come to run them. */
static int given_back(struct rig *r, char (*ids)[JOB_ID], int n)
{
	struct job j;
	int sum = 0;
	for (int i = 0; i < n; i++) {
		rig_wait(r, ids[i], JOB_SUCCEEDED, 30000, &j);
		ck_assert_int_eq(j.crashes, 0);
		sum += was_given_back(&j);
		job_close(&j);
	}
	return sum;
}

static void submit_short(struct rig *r, char (*ids)[JOB_ID])
{
	for (int i = 0; i < SHORT; i++)
		rig_submit(r, ids[i], "{}");
}

static bool has_started(void *user)
{
	struct job j;
	struct rig *r = ((void **)user)[0];
	ck_assert_int_eq(queue_show(r->queue, ((void **)user)[1], &j, &r->e), 1);
	bool yes = j.started_at > 0;
	job_close(&j);
	return yes;
}

static void submit_long(struct rig *r, char id_out[JOB_ID])
{
	rig_submit(r, id_out, "{\"sleep_ms\":3000}");
	ck_assert_msg(test_until(20000, has_started, (void *[]){r, id_out}), "the job does not start");
}

/* Behind a usual job that turns out to be long others are queued, and go back soon. */
static bool long_job_has_others_behind_it(struct rig *r)
{
	static char behind[SHORT][JOB_ID];
	struct job j;
	char id[JOB_ID];
	warm_up(r);
	submit_long(r, id);
	submit_short(r, behind);
	rig_wait(r, id, JOB_SUCCEEDED, 30000, &j);
	job_close(&j);
	return given_back(r, behind, SHORT) > 0;
}

/* Its slot is killed, and it runs again, in quarantine. What has come behind it until it ends, or -1: the machine was too slow to do that. */
static int behind_a_job_that_crashed(struct rig *r)
{
	static char behind[SHORT][JOB_ID];
	struct job j;
	char id[JOB_ID];
	bool again = false;
	warm_up(r);
	submit_long(r, id);
	kill(rig_slot(r, 0), SIGKILL);
	for (bool over = false; !again && !over; clock_sleep_ms(5)) {
		ck_assert_int_eq(queue_show(r->queue, id, &j, &r->e), 1);
		again = j.state == JOB_RUNNING && j.crashes == 1 && j.quarantined;
		over = job_state_is_end(j.state);
		job_close(&j);
	}
	submit_short(r, behind);
	rig_wait(r, id, JOB_SUCCEEDED, 30000, &j);
	job_close(&j);
	int n = given_back(r, behind, SHORT);
	return again ? n : -1;
}

START_TEST(nothing_is_looked_ahead_behind_a_job_that_crashed)
{
	struct rig r;
	int n = -1;
	bool ahead = false;
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=1", NULL});
	for (int i = 0; i < TRIES && !ahead; i++)
		ahead = long_job_has_others_behind_it(&r);
	ck_assert_msg(ahead, "nothing was looked ahead at all: this proves nothing");
	for (int i = 0; i < TRIES && n < 0; i++)
		n = behind_a_job_that_crashed(&r);
	ck_assert_int_eq(n, 0);
	rig_sound(&r);
	rig_close(&r);
}
END_TEST

/* ---- one that waits for a slot */

static void step(struct queue_link *l, const struct queue_step *s, struct queue_step_reply *out)
{
	struct err e;
	int got = 0;
	ck_assert_msg(queue_link_step_begin(l, s, &e), "%s", e.text);
	while ((got = queue_link_step_end(l, out, &e)) == 0)
		clock_sleep_ms(1);
	ck_assert_msg(got == 1, "%s", e.text);
}

static struct queue_ack claim_one(struct queue_link *l, const struct queue_ack *before)
{
	struct queue_step s = {.acks = before, .n_acks = before != NULL, .want = 1, .lease_ms = 10000};
	struct queue_step_reply r;
	struct queue_ack a = {.outcome = ACK_CRASHED};
	step(l, &s, &r);
	ck_assert_uint_eq(r.n_claims, 1);
	a.fence = r.claims[0].job.fence;
	memcpy(a.id, r.claims[0].job.id, JOB_ID);
	queue_step_reply_close(&r);
	return a;
}

/* A job that crashed once, and becomes ready again after this time. The worker stands still meanwhile, so that it does not take it. */
static void make_crashed(struct rig *r, char id_out[JOB_ID], int64_t later_ms)
{
	static const char *const routes[] = {"noop/1", "noop/1!"};
	kill(r->workers[0], SIGSTOP);
	rig_submit(r, id_out, "{}");
	struct queue_link *l = queue_link_open(r->redis.url, NULL, "default", "test:1:1", routes, ARRAY_LEN(routes), &r->e);
	ck_assert_msg(l != NULL, "%s", r->e.text);
	struct queue_ack a = claim_one(l, NULL);
	err_set(&a.error, ERR_CRASHED, "the test says so");
	a = claim_one(l, &a);
	a.outcome = ACK_LATER;
	err_set(&a.error, ERR_LIMITED, "the test says so");
	a.error.retry_after_ms = later_ms;
	struct queue_step s = {.acks = &a, .n_acks = 1, .lease_ms = 10000, .last = true};
	struct queue_step_reply reply;
	step(l, &s, &reply);
	queue_step_reply_close(&reply);
	queue_link_close(&l);
	kill(r->workers[0], SIGCONT);
}

/* Was it given back, since it was claimed while the only slot was taken? On a machine that is slow just now it may have come before. */
static bool one_goes_back(struct rig *r)
{
	struct job j;
	char crashed[JOB_ID], runs[JOB_ID];
	warm_up(r);
	make_crashed(r, crashed, 2000);
	rig_submit(r, runs, "{\"sleep_ms\":6000}");
	rig_wait(r, runs, JOB_SUCCEEDED, 30000, &j);
	job_close(&j);
	rig_wait(r, crashed, JOB_SUCCEEDED, 30000, &j);
	bool back = was_given_back(&j);
	ck_assert_int_eq(j.crashes, 1); /* that of the test */
	job_close(&j);
	return back;
}

/* A job that crashed is claimed where others are looked ahead, but only an idle slot may run it: it waits for one for a second, goes back before
 * its lease ends, and that counts as nothing. */
START_TEST(a_job_that_finds_no_slot_goes_back)
{
	struct rig r;
	int tries = 0;
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=1", "WORKER_LEASE=3s", NULL});
	while (!one_goes_back(&r))
		ck_assert_msg(++tries < TRIES, "it never waited for a slot: this proves nothing");
	rig_sound(&r);
	rig_close(&r);
}
END_TEST

static const TTest *const tests[] = {nothing_is_looked_ahead_behind_a_job_that_crashed, a_job_that_finds_no_slot_goes_back};
TEST_MAIN("worker_quarantine", tests)
