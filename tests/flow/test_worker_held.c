/* test_worker_held.c -- a worker that is killed takes down what it holds: who is to blame for it, and who is not. */
#include <signal.h>
#include <string.h>

#include "tests/flow/worker_rig.h"

#define WARM   300
#define NEAR   500
#define BATCH  250
#define TRIES  4 /* of what a machine that is slow just now may spoil */
#define DEATHS 3 /* the first for nothing, one that quarantines, one too many */

/* Short ones, all at once. */
static void submit_many(struct rig *r, char (*ids)[JOB_ID], int n)
{
	static struct queue_submission s[BATCH];
	static struct queue_submitted out[BATCH];
	for (int done = 0; done < n; done += BATCH) {
		int some = n - done < BATCH ? n - done : BATCH;
		memset(s, 0, sizeof(s));
		for (int i = 0; i < some; i++)
			s[i] = (struct queue_submission){
			        .kind = "noop", .queue = "default", .params = "{}", .priority = 5, .kind_version = 1};
		ck_assert_msg(queue_submit(r->queue, s, (size_t)some, out, &r->e), "%s", r->e.text);
		for (int i = 0; i < some; i++)
			memcpy(ids[done + i], s[i].id, JOB_ID);
	}
}

/* After these the worker knows that its jobs are short, so that it looks ahead. */
static void warm_up(struct rig *r)
{
	static char ids[WARM][JOB_ID];
	struct job j;
	submit_many(r, ids, WARM);
	for (int i = 0; i < WARM; i++) {
		rig_wait(r, ids[i], JOB_SUCCEEDED, 20000, &j);
		job_close(&j);
	}
}

/* It kills its dispatcher each time that it runs. */
static void submit_poison(struct rig *r, char id_out[JOB_ID])
{
	struct queue_submission s = {.kind = "noop",
	        .queue = "default",
	        .params = "{\"kill_worker\":true}",
	        .priority = 5,
	        .kind_version = 1,
	        .max_crashes = DEATHS - 2};
	struct queue_submitted out;
	ck_assert_msg(queue_submit(r->queue, &s, 1, &out, &r->e), "%s", r->e.text);
	memcpy(id_out, s.id, JOB_ID);
}

static void worker_again(struct rig *r)
{
	rig_worker(r, 0, (const char *[]){"WORKER_SLOTS=2", NULL});
}

/* Starts the worker again each time that it was killed, until the job is dead; how often. */
static int deaths_until_dead(struct rig *r, const char *id)
{
	struct job j;
	int deaths = 0, status;
	for (int64_t until = clock_mono_ms() + 50000;; clock_sleep_ms(10)) {
		ck_assert_msg(clock_mono_ms() < until, "the poison is not dead after %d deaths", deaths);
		if (test_wait(r->workers[0], 1, &status)) {
			deaths++;
			worker_again(r);
		}
		ck_assert_int_eq(queue_show(r->queue, id, &j, &r->e), 1);
		bool over = j.state == JOB_DEAD;
		job_close(&j);
		if (over)
			return deaths;
	}
}

/* How many of them were held when their worker died. None is to blame for that. */
static int check_neighbours(struct rig *r, char (*ids)[JOB_ID], int n)
{
	struct job j;
	int held = 0;
	for (int i = 0; i < n; i++) {
		rig_wait(r, ids[i], JOB_SUCCEEDED, 30000, &j);
		ck_assert_msg(j.crashes == 0 && !j.quarantined && !j.suspect, "a neighbour was blamed: %s", j.timeline);
		held += j.timeline != NULL && strstr(j.timeline, "given_back its worker died") != NULL;
		job_close(&j);
	}
	return held;
}

/* In the midst of 500 short jobs that are looked ahead stands one that kills its worker. How many others died with it? */
static int poison_among_many(struct rig *r)
{
	static char ids[2 * NEAR][JOB_ID];
	char poison[JOB_ID];
	struct job j;
	warm_up(r);
	ck_assert_int_eq(kill(r->workers[0], SIGSTOP), 0); /* so that all are there when it goes on */
	submit_many(r, ids, NEAR / 2);
	submit_poison(r, poison);
	submit_many(r, ids + NEAR / 2, NEAR / 2);
	ck_assert_int_eq(kill(r->workers[0], SIGCONT), 0);
	ck_assert_int_eq(deaths_until_dead(r, poison), DEATHS);
	ck_assert_int_eq(queue_show(r->queue, poison, &j, &r->e), 1);
	ck_assert_int_eq(j.crashes, DEATHS - 1);
	ck_assert(j.quarantined && j.error.code == ERR_CRASHED);
	job_close(&j);
	return check_neighbours(r, ids, NEAR);
}

START_TEST(neighbours_of_a_job_that_kills_its_worker_are_not_blamed)
{
	struct rig r;
	int held = 0;
	rig_open(&r, "no");
	worker_again(&r);
	for (int i = 0; i < TRIES && held < 2; i++)
		held = poison_among_many(&r);
	ck_assert_msg(held >= 2, "nothing was looked ahead: this proves nothing");
	printf("note: %d jobs were held when their worker died\n", held);
	rig_sound(&r);
	rig_close(&r);
}
END_TEST

/* kill -9 of a worker before it has said that its job runs: it runs elsewhere, uncounted, and its timeline says why. */
START_TEST(what_had_just_begun_goes_back)
{
	struct rig r;
	struct job j;
	char id[JOB_ID];
	rig_open(&r, "no");
	rig_worker(&r, 1, (const char *[]){"WORKER_SLOTS=1", "WORKER_QUARANTINE=only", NULL}); /* so that somebody is heard */
	worker_again(&r);
	rig_submit(&r, id, "{\"sleep_ms\":400}");
	rig_wait(&r, id, JOB_RUNNING, 10000, &j);
	job_close(&j);
	test_kill(r.workers[0], SIGKILL);
	worker_again(&r);
	rig_wait(&r, id, JOB_SUCCEEDED, 20000, &j);
	ck_assert_int_eq(j.crashes, 0);
	ck_assert_msg(strstr(j.timeline, "given_back its worker died, and nothing says that it had begun") != NULL, "%s", j.timeline);
	job_close(&j);
	rig_sound(&r);
	rig_close(&r);
}
END_TEST

static const TTest *const tests[] = {neighbours_of_a_job_that_kills_its_worker_are_not_blamed, what_had_just_begun_goes_back};
TEST_MAIN("worker_held", tests)
