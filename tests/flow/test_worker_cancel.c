/* test_worker_cancel.c -- a cancellation reaches its job: by asking, by a signal, by force, and over the death of everything in between. */
#include <signal.h>
#include <string.h>

#include "tests/flow/worker_rig.h"

static void run_one(struct rig *r, char id[JOB_ID], const char *params)
{
	struct job j;
	rig_submit(r, id, params);
	rig_wait(r, id, JOB_RUNNING, 10000, &j);
	job_close(&j);
	clock_sleep_ms(300); /* claimed is not begun */
}

static void cancel(struct rig *r, const char *id)
{
	enum job_state state;
	ck_assert_msg(queue_cancel(r->queue, id, &state, &r->e) == 1, "%s", r->e.text);
	ck_assert_int_eq(state, JOB_RUNNING);
}

/* It ends as cancelled and counts no crash; how long that took. */
static int64_t cancelled(struct rig *r, const char *id)
{
	struct job j;
	int64_t began = clock_mono_ms();
	rig_wait(r, id, JOB_CANCELLED, 20000, &j);
	ck_assert_int_eq(j.crashes, 0);
	job_close(&j);
	return clock_mono_ms() - began;
}

START_TEST(who_listens_is_only_asked)
{
	struct rig r;
	char id[JOB_ID];
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=1", "WORKER_GRACE=20s", NULL});
	run_one(&r, id, "{\"sleep_ms\":60000}");
	pid_t slot = rig_slot(&r, 0);
	cancel(&r, id);
	ck_assert_int_lt(cancelled(&r, id), 10000);
	ck_assert_int_eq(rig_slot(&r, 0), slot);
	rig_sound(&r);
	rig_close(&r);
}
END_TEST

START_TEST(who_sleeps_is_woken_by_a_signal)
{
	struct rig r;
	char id[JOB_ID];
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=1", "WORKER_GRACE=2s", NULL});
	run_one(&r, id, "{\"nap_ms\":60000}");
	pid_t slot = rig_slot(&r, 0);
	cancel(&r, id);
	ck_assert_int_ge(cancelled(&r, id), 1500);
	ck_assert_msg(rig_slot(&r, 0) == slot, "it was killed, though it wakes from SIGTERM");
	rig_sound(&r);
	rig_close(&r);
}
END_TEST

START_TEST(who_is_deaf_is_killed_and_its_neighbour_is_not)
{
	struct rig r;
	struct job j;
	char deaf[JOB_ID], other[JOB_ID];
	pid_t before[16], after[16];
	int gone = 0;
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=2", "WORKER_GRACE=500ms", NULL});
	run_one(&r, deaf, "{\"nap_ms\":60000,\"deaf\":true}");
	run_one(&r, other, "{\"sleep_ms\":6000}");
	int64_t fence = rig_fence(&r, other);
	int n = rig_children(r.workers[0], before, ARRAY_LEN(before));
	cancel(&r, deaf);
	ck_assert_int_ge(cancelled(&r, deaf), 800);
	rig_wait(&r, other, JOB_SUCCEEDED, 15000, &j);
	ck_assert_int_eq(j.fence, fence);
	ck_assert_int_eq(j.attempt, 1);
	job_close(&j);
	int m = rig_children(r.workers[0], after, ARRAY_LEN(after));
	for (int i = 0; i < n; i++) {
		bool lives = false;
		for (int k = 0; k < m; k++)
			lives = lives || after[k] == before[i];
		gone += !lives;
	}
	ck_assert_int_eq(gone, 1);
	rig_sound(&r);
	rig_close(&r);
}
END_TEST

START_TEST(it_outlives_the_dispatcher)
{
	struct rig r;
	char id[JOB_ID];
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=1", NULL});
	run_one(&r, id, "{\"sleep_ms\":60000}");
	int64_t fence = rig_fence(&r, id);
	test_kill(r.workers[0], SIGKILL);
	r.workers[0] = 0;
	cancel(&r, id);
	rig_worker(&r, 1, (const char *[]){"WORKER_SLOTS=1", NULL});
	struct job j;
	rig_wait(&r, id, JOB_CANCELLED, 20000, &j);
	ck_assert_msg(j.fence == fence, "it ran again, though it was cancelled");
	job_close(&j);
	rig_sound(&r);
	rig_close(&r);
}
END_TEST

START_TEST(it_outlives_the_worker_that_drains)
{
	struct rig r;
	char id[JOB_ID];
	int status;
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=1", "WORKER_GRACE=60s", NULL});
	run_one(&r, id, "{\"spin\":true}");
	cancel(&r, id);
	kill(r.workers[0], SIGTERM);
	clock_sleep_ms(300);
	kill(r.workers[0], SIGTERM);
	ck_assert(test_wait(r.workers[0], 10000, &status));
	r.workers[0] = 0;
	cancelled(&r, id);
	rig_sound(&r);
	rig_close(&r);
}
END_TEST

START_TEST(it_outlives_redis)
{
	struct rig r;
	char before[JOB_ID], during[JOB_ID];
	enum job_state state;
	rig_open(&r, "always");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=2", NULL});
	run_one(&r, before, "{\"sleep_ms\":60000}");
	run_one(&r, during, "{\"sleep_ms\":60000}");
	kill(r.workers[0], SIGSTOP); /* it does not learn of it before Redis has died */
	cancel(&r, before);
	test_redis_kill(&r.redis);
	kill(r.workers[0], SIGCONT);
	ck_assert_int_eq(queue_cancel(r.queue, during, &state, &r.e), -1); /* nobody is there: it says so, and may be asked again */
	ck_assert(r.e.code == ERR_UNAVAILABLE || r.e.code == ERR_UNSURE);
	clock_sleep_ms(500);
	test_redis_again(&r.redis);
	int64_t until = clock_mono_ms() + 10000;
	while (queue_cancel(r.queue, during, &state, &r.e) != 1) {
		ck_assert_msg(clock_mono_ms() < until, "%s", r.e.text);
		clock_sleep_ms(50);
	}
	cancelled(&r, before);
	cancelled(&r, during);
	rig_sound(&r);
	rig_close(&r);
}
END_TEST

static const TTest *const tests[] = {who_listens_is_only_asked, who_sleeps_is_woken_by_a_signal,
        who_is_deaf_is_killed_and_its_neighbour_is_not, it_outlives_the_dispatcher, it_outlives_the_worker_that_drains, it_outlives_redis};
TEST_MAIN("worker_cancel", tests)
