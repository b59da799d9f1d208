/* test_worker.c -- a real worker on a real Redis: what it does with jobs that fail, crash, spin or swell, and with signals. */
#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "http/client.h"
#include "queue/queue.h"
#include "queue/seeing.h"
#include "tests/flow/worker_rig.h"
#include "tests/lib/prometheus.h"
#include "tests/lib/test.h"

START_TEST(jobs_run_and_their_results_come_back)
{
	struct rig r;
	struct job j;
	char ids[300][JOB_ID];
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=2", NULL});
	for (int i = 0; i < 300; i++)
		rig_submit(&r, ids[i], "{\"payload\":\"hello\"}");
	for (int i = 0; i < 300; i++) {
		rig_wait(&r, ids[i], JOB_SUCCEEDED, 15000, &j);
		ck_assert_str_eq(j.result, "{\"payload\":\"hello\"}");
		ck_assert_int_eq(j.attempt, 1);
		ck_assert_int_eq(j.crashes, 0);
		job_close(&j);
	}
	rig_sound(&r);
	rig_close(&r);
}
END_TEST

START_TEST(errors_are_tried_again_or_not)
{
	struct rig r;
	struct job j;
	char again[JOB_ID], permanent[JOB_ID], hopeless[JOB_ID];
	rig_open(&r, "no");
	rig_worker(&r, 0, NULL);
	rig_submit(&r, again, "{\"fail_times\":2}");
	rig_submit(&r, permanent, "{\"fail\":\"no such thing\"}");
	rig_submit(&r, hopeless, "{\"fail_times\":99}");
	rig_wait(&r, again, JOB_SUCCEEDED, 15000, &j);
	ck_assert_int_eq(j.attempt, 3);
	job_close(&j);
	rig_wait(&r, permanent, JOB_FAILED, 15000, &j);
	ck_assert_int_eq(j.attempt, 1);
	ck_assert_str_eq(j.error.text, "no such thing");
	job_close(&j);
	rig_wait(&r, hopeless, JOB_DEAD, 15000, &j);
	ck_assert_int_eq(j.attempt, 3);
	ck_assert_int_eq(j.crashes, 0);
	job_close(&j);
	rig_sound(&r);
	rig_close(&r);
}
END_TEST

/* How many jobs of each shard have ended well; all n do so in time. */
static void wait_in_shards(struct rig *r, char (*ids)[JOB_ID], int n, int *shards_out)
{
	char queue[JOB_NAME];
	struct job j;
	int shard;
	for (int i = 0; i < n; i++) {
		rig_wait(r, ids[i], JOB_SUCCEEDED, 20000, &j);
		job_close(&j);
		ck_assert(job_id_parse(ids[i], queue, &shard));
		*shards_out |= 1 << shard;
	}
}

/* One worker serves all shards of a queue, and those that come while it runs. */
START_TEST(all_shards_are_served)
{
	struct rig r;
	char ids[40][JOB_ID];
	int used = 0;
	struct queue_shards n;
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=1", "QUEUE_SHARDS=2", NULL});
	rig_submit(&r, ids[0], "{}");
	wait_in_shards(&r, ids, 1, &used);
	ck_assert_msg(queue_set_shards(r.queue, "default", 0, &n, &r.e), "%s", r.e.text);
	ck_assert_int_eq(n.serve, 2);
	for (int i = 0; i < 40; i++)
		rig_submit(&r, ids[i], "{}");
	used = 0;
	wait_in_shards(&r, ids, 40, &used);
	ck_assert_int_eq(used, 3);
	ck_assert_msg(queue_set_shards(r.queue, "default", 5, &n, &r.e), "%s", r.e.text);
	for (int i = 0; i < 40; i++)
		rig_submit(&r, ids[i], "{}");
	used = 0;
	wait_in_shards(&r, ids, 40, &used);
	ck_assert_int_eq(used, 31);
	rig_sound(&r);
	rig_done_is(&r, 81);
	rig_close(&r);
}
END_TEST

/* R11: a job that kills its slot is put aside after the set number of crashes, and its neighbours do not notice. */
START_TEST(a_poison_job_is_put_aside)
{
	static const int signals[] = {SIGSEGV, SIGKILL, SIGABRT};
	struct rig r;
	struct job j;
	char poison[ARRAY_LEN(signals)][JOB_ID], good[60][JOB_ID], params[40];
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=2", NULL});
	for (int i = 0; i < 60; i++) {
		rig_submit(&r, good[i], "{\"sleep_ms\":2}");
		if (i % 20 != 10)
			continue;
		snprintf(params, sizeof(params), "{\"crash\":%d}", signals[i / 20]);
		rig_submit(&r, poison[i / 20], params);
	}
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		rig_wait(&r, poison[i], JOB_DEAD, 20000, &j);
		ck_assert_int_eq(j.crashes, 4); /* three are forgiven */
		ck_assert_int_eq(j.error.code, ERR_CRASHED);
		job_close(&j);
	}
	for (int i = 0; i < 60; i++) {
		rig_wait(&r, good[i], JOB_SUCCEEDED, 20000, &j);
		ck_assert_msg(j.crashes == 0, "a neighbour of a poison job was counted as crashed");
		job_close(&j);
	}
	rig_sound(&r);
	rig_close(&r);
}
END_TEST

START_TEST(a_running_job_can_be_cancelled)
{
	struct rig r;
	struct job j;
	enum job_state state;
	char listens[JOB_ID], spins[JOB_ID];
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=2", "WORKER_GRACE=300ms", NULL});
	rig_submit(&r, listens, "{\"sleep_ms\":60000}");
	rig_submit(&r, spins, "{\"spin\":true}");
	rig_wait(&r, listens, JOB_RUNNING, 10000, &j);
	job_close(&j);
	rig_wait(&r, spins, JOB_RUNNING, 10000, &j);
	job_close(&j);
	ck_assert_int_eq(queue_cancel(r.queue, listens, &state, &r.e), 1);
	ck_assert_int_eq(queue_cancel(r.queue, spins, &state, &r.e), 1);
	rig_wait(&r, listens, JOB_CANCELLED, 5000, &j);
	job_close(&j);
	rig_wait(&r, spins, JOB_CANCELLED, 5000, &j);
	ck_assert_int_eq(j.crashes, 0);
	job_close(&j);
	rig_sound(&r);
	rig_close(&r);
}
END_TEST

START_TEST(progress_is_told_while_it_runs)
{
	struct rig r;
	struct job j;
	char id[JOB_ID];
	rig_open(&r, "no");
	rig_worker(&r, 0, NULL);
	rig_submit(&r, id, "{\"sleep_ms\":4000}");
	int64_t until = clock_mono_ms() + 10000;
	for (;;) {
		ck_assert_int_eq(queue_show(r.queue, id, &j, &r.e), 1);
		bool told = j.progress.done > 500 && j.state == JOB_RUNNING;
		if (told)
			break;
		job_close(&j);
		ck_assert_msg(clock_mono_ms() < until, "no progress was told");
		clock_sleep_ms(50);
	}
	ck_assert_int_eq(j.progress.total, 4000);
	ck_assert_str_eq(j.progress.unit, "ms");
	job_close(&j);
	rig_close(&r);
}
END_TEST

/* How many lines its log holds now; the last into text. */
static int64_t log_lines(struct rig *r, const char *id, char text[QUEUE_REMARK_MAX + 1])
{
	struct queue_log log;
	ck_assert_msg(queue_log(r->queue, id, -1, 1, &log, &r->e) == 1, "%s", r->e.text);
	int64_t last = log.last;
	snprintf(text, QUEUE_REMARK_MAX + 1, "%s", log.n > 0 ? log.lines[0].text : "");
	queue_log_close(&log);
	return last;
}

static void log_wait(struct rig *r, const char *id, int64_t lines)
{
	char text[QUEUE_REMARK_MAX + 1];
	int64_t until = clock_mono_ms() + 15000;
	while (log_lines(r, id, text) < lines) {
		ck_assert_msg(clock_mono_ms() < until, "the lines do not come");
		clock_sleep_ms(20);
	}
}

/* Told while it runs; kept when its slot, then its whole worker is killed; and there before the end is. */
START_TEST(what_a_job_says_is_seen_and_stays)
{
	struct rig r;
	struct job j;
	char id[JOB_ID], crashes[JOB_ID], quick[JOB_ID], text[QUEUE_REMARK_MAX + 1];
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=1", NULL});
	rig_submit(&r, crashes, "{\"say\":3,\"crash\":9}");
	rig_wait(&r, crashes, JOB_DEAD, 20000, &j);
	job_close(&j);
	ck_assert_int_eq(log_lines(&r, crashes, text), 16); /* four times three lines and how it ended */
	ck_assert_msg(strstr(text, "crashed: ") != NULL, "%s", text);
	rig_submit(&r, id, "{\"say\":5,\"sleep_ms\":20000}");
	log_wait(&r, id, 5);
	rig_wait(&r, id, JOB_RUNNING, 1000, &j);
	job_close(&j);
	test_kill(r.workers[0], SIGKILL);
	r.workers[0] = 0;
	ck_assert_int_eq(log_lines(&r, id, text), 5);
	ck_assert_str_eq(text, "line 5 of 5");
	rig_worker(&r, 1, (const char *[]){"WORKER_SLOTS=1", NULL});
	log_wait(&r, id, 11); /* the crash, and the lines of the second time */
	enum job_state state;
	ck_assert_int_eq(queue_cancel(r.queue, id, &state, &r.e), 1);
	rig_submit(&r, quick, "{\"say\":40}");
	rig_wait(&r, quick, JOB_SUCCEEDED, 20000, &j);
	job_close(&j);
	ck_assert_int_eq(log_lines(&r, quick, text), 40);
	rig_sound(&r);
	rig_close(&r);
}
END_TEST

/* A job that never stops talking: what is too much is counted, the last line is kept, and its neighbour does not notice. */
START_TEST(a_log_that_floods_is_cut)
{
	struct rig r;
	struct job j;
	char id[JOB_ID], text[QUEUE_REMARK_MAX + 1];
	rig_open(&r, "no");
	rig_worker(&r, 0, NULL);
	rig_submit(&r, id, "{\"say\":20000}");
	rig_wait(&r, id, JOB_SUCCEEDED, 20000, &j);
	job_close(&j);
	int64_t lines = log_lines(&r, id, text);
	ck_assert_int_ge(lines, 102);
	ck_assert_int_le(lines, 1000);
	ck_assert_str_eq(text, "line 20000 of 20000");
	rig_close(&r);
}
END_TEST

START_TEST(time_limits_end_a_job)
{
	struct rig r;
	struct job j;
	char soft[JOB_ID], hard[JOB_ID];
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=2", "WORKER_GRACE=60s", "BARQUE_LIMITS=300:1200", NULL});
	rig_submit(&r, soft, "{\"sleep_ms\":60000}");
	rig_submit(&r, hard, "{\"spin\":true}");
	rig_wait(&r, soft, JOB_DEAD, 20000, &j);
	ck_assert_int_eq(j.attempt, 3);
	ck_assert_int_eq(j.error.code, ERR_TIMEOUT);
	job_close(&j);
	rig_wait(&r, hard, JOB_DEAD, 20000, &j);
	ck_assert_int_eq(j.error.code, ERR_CRASHED);
	job_close(&j);
	rig_sound(&r);
	rig_close(&r);
}
END_TEST

static void submit_limited(struct rig *r, char id_out[JOB_ID], const char *params, int64_t time_limit_ms, int64_t hard_limit_ms)
{
	struct queue_submission s = {.kind = "noop",
	        .queue = "default",
	        .params = params,
	        .priority = 5,
	        .kind_version = 1,
	        .max_attempts = 2,
	        .max_crashes = 1,
	        .backoff_ms = 50,
	        .time_limit_ms = time_limit_ms,
	        .hard_limit_ms = hard_limit_ms};
	struct queue_submitted out;
	ck_assert_msg(queue_submit(r->queue, &s, 1, &out, &r->e), "%s", r->e.text);
	memcpy(id_out, s.id, JOB_ID);
}

/* Its own limits go before its kind's, which here are shorter: nobody else is held to them, and it is not held to the kind's. */
START_TEST(a_job_has_its_own_time_limits)
{
	struct rig r;
	struct job j;
	char soft[JOB_ID], deaf[JOB_ID], hard[JOB_ID], longer[JOB_ID], beyond[JOB_ID];
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=4", "WORKER_GRACE=200ms", "BARQUE_LIMITS=1000:4000", NULL});
	submit_limited(&r, soft, "{\"sleep_ms\":60000}", 300, 0);
	submit_limited(&r, deaf, "{\"spin\":true}", 300, 0);
	submit_limited(&r, hard, "{\"spin\":true}", 0, 500);
	submit_limited(&r, longer, "{\"sleep_ms\":1500}", 3900, 0);
	rig_wait(&r, soft, JOB_DEAD, 20000, &j);
	ck_assert_int_eq(j.attempt, 2);
	ck_assert_int_eq(j.crashes, 0);
	ck_assert_int_eq(j.error.code, ERR_TIMEOUT);
	ck_assert_str_eq(j.error.text, "the job ran longer than its time limit of 300 ms");
	job_close(&j);
	rig_wait(&r, deaf, JOB_DEAD, 20000, &j);
	ck_assert_int_eq(j.attempt, 2);
	ck_assert_int_eq(j.crashes, 0);
	ck_assert_int_eq(j.error.code, ERR_TIMEOUT);
	job_close(&j);
	rig_wait(&r, hard, JOB_DEAD, 20000, &j);
	ck_assert_int_eq(j.crashes, 2);
	ck_assert_msg(strstr(j.error.text, "its own hard time limit of 500 ms") != NULL, "%s", j.error.text);
	job_close(&j);
	rig_wait(&r, longer, JOB_SUCCEEDED, 20000, &j);
	job_close(&j);
	submit_limited(&r, beyond, "{\"spin\":true}", 0, 3600000);
	rig_wait(&r, beyond, JOB_DEAD, 30000, &j); /* its kind's hard limit is the most */
	job_close(&j);
	rig_sound(&r);
	rig_close(&r);
}
END_TEST

START_TEST(a_job_that_swells_is_killed)
{
	struct rig r;
	struct job j;
	char big[JOB_ID], small[JOB_ID];
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=1", "WORKER_MAX_RSS=400m", NULL});
	rig_submit(&r, big, "{\"eat_mb\":600,\"sleep_ms\":20000}");
	rig_submit(&r, small, "{}");
	rig_wait(&r, big, JOB_DEAD, 40000, &j);
	ck_assert_int_eq(j.crashes, 4); /* three are forgiven */
	job_close(&j);
	rig_wait(&r, small, JOB_SUCCEEDED, 10000, &j);
	job_close(&j);
	rig_close(&r);
}
END_TEST

START_TEST(a_slot_is_replaced_after_its_jobs)
{
	struct rig r;
	struct job j;
	char ids[50][JOB_ID];
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=1", "WORKER_MAX_JOBS=10", NULL});
	for (int i = 0; i < 50; i++) {
		rig_submit(&r, ids[i], "{}");
		rig_wait(&r, ids[i], JOB_SUCCEEDED, 10000, &j);
		ck_assert_int_eq(j.crashes, 0);
		job_close(&j);
	}
	rig_sound(&r);
	rig_close(&r);
}
END_TEST

/* ---- signals */

START_TEST(sigterm_lets_running_jobs_end_and_claims_no_more)
{
	struct rig r;
	struct job j;
	char ids[8][JOB_ID];
	int status, ended = 0, ready = 0;
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=2", NULL});
	for (int i = 0; i < 8; i++)
		rig_submit(&r, ids[i], "{\"sleep_ms\":1500}");
	rig_wait(&r, ids[1], JOB_RUNNING, 10000, &j);
	job_close(&j);
	clock_sleep_ms(700); /* claimed is not begun: what has not begun goes back */
	kill(r.workers[0], SIGTERM);
	ck_assert_msg(test_wait(r.workers[0], 20000, &status), "the worker did not end");
	r.workers[0] = 0;
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
	for (int i = 0; i < 8; i++) {
		ck_assert_int_eq(queue_show(r.queue, ids[i], &j, &r.e), 1);
		ended += j.state == JOB_SUCCEEDED;
		ready += j.state == JOB_READY;
		ck_assert_int_eq(j.crashes, 0);
		job_close(&j);
	}
	ck_assert_int_eq(ended, 2);
	ck_assert_int_eq(ready, 6);
	rig_sound(&r);
	rig_close(&r);
}
END_TEST

START_TEST(a_second_sigterm_gives_the_jobs_back_at_once)
{
	struct rig r;
	struct job j;
	char ids[2][JOB_ID];
	int status;
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=2", NULL});
	for (int i = 0; i < 2; i++)
		rig_submit(&r, ids[i], i == 0 ? "{\"spin\":true}" : "{\"sleep_ms\":60000}");
	for (int i = 0; i < 2; i++) {
		rig_wait(&r, ids[i], JOB_RUNNING, 10000, &j);
		job_close(&j);
	}
	kill(r.workers[0], SIGINT);
	clock_sleep_ms(300);
	int64_t began = clock_mono_ms();
	kill(r.workers[0], SIGTERM);
	ck_assert_msg(test_wait(r.workers[0], 10000, &status), "the worker did not end");
	ck_assert_int_lt(clock_mono_ms() - began, 4000);
	r.workers[0] = 0;
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(queue_show(r.queue, ids[i], &j, &r.e), 1);
		ck_assert_str_eq(job_state_name(j.state), "ready");
		ck_assert_int_eq(j.crashes, 0);
		ck_assert_msg(j.attempt <= 1, "an attempt was counted");
		job_close(&j);
	}
	rig_sound(&r);
	rig_close(&r);
}
END_TEST

START_TEST(the_time_to_drain_has_an_end)
{
	struct rig r;
	struct job j;
	char id[JOB_ID];
	int status;
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=1", "WORKER_DRAIN=500ms", NULL});
	rig_submit(&r, id, "{\"sleep_ms\":60000}");
	rig_wait(&r, id, JOB_RUNNING, 10000, &j);
	job_close(&j);
	kill(r.workers[0], SIGTERM);
	ck_assert_msg(test_wait(r.workers[0], 10000, &status), "the worker did not end");
	r.workers[0] = 0;
	rig_wait(&r, id, JOB_READY, 1000, &j);
	job_close(&j);
	rig_close(&r);
}
END_TEST

/* ---- deaths */

START_TEST(a_killed_slots_job_runs_again_at_once)
{
	struct rig r;
	struct job j;
	char id[JOB_ID];
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=1", NULL});
	rig_submit(&r, id, "{\"sleep_ms\":3000}");
	rig_wait(&r, id, JOB_RUNNING, 10000, &j);
	int64_t fence = j.fence;
	job_close(&j);
	pid_t slot = rig_slot(&r, 0);
	ck_assert_int_gt(slot, 0);
	int64_t began = clock_mono_ms();
	kill(slot, SIGKILL);
	while (rig_fence(&r, id) == fence)
		ck_assert_msg(clock_mono_ms() - began < 2000, "it did not run again");
	fprintf(stderr, "a killed slot's job ran again after %" PRId64 " ms\n", clock_mono_ms() - began);
	rig_wait(&r, id, JOB_SUCCEEDED, 15000, &j);
	ck_assert_int_eq(j.crashes, 1);
	job_close(&j);
	rig_sound(&r);
	rig_close(&r);
}
END_TEST

START_TEST(a_killed_dispatchers_jobs_run_elsewhere)
{
	struct rig r;
	struct job j;
	char id[JOB_ID];
	pid_t slots[8];
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=2", NULL});
	rig_submit(&r, id, "{\"sleep_ms\":3000}");
	rig_wait(&r, id, JOB_RUNNING, 10000, &j);
	job_close(&j);
	int n = rig_children(r.workers[0], slots, ARRAY_LEN(slots));
	ck_assert_int_ge(n, 2);
	rig_worker(&r, 1, (const char *[]){"WORKER_SLOTS=2", NULL});
	clock_sleep_ms(2000); /* a renewal has said that it runs: it is to blame */
	int64_t fence = rig_fence(&r, id), began = clock_mono_ms();
	test_kill(r.workers[0], SIGKILL);
	r.workers[0] = 0;
	clock_sleep_ms(100);
	for (int i = 0; i < n; i++)
		ck_assert_msg(!rig_is_alive(slots[i]), "process %d outlived its dispatcher by 100 ms", (int)slots[i]);
	while (rig_fence(&r, id) == fence) {
		ck_assert_msg(clock_mono_ms() - began < 6000, "it did not run again within 6 s");
		clock_sleep_ms(10);
	}
	fprintf(stderr, "a killed dispatcher's job ran again after %" PRId64 " ms\n", clock_mono_ms() - began);
	rig_wait(&r, id, JOB_SUCCEEDED, 15000, &j);
	ck_assert_int_eq(j.crashes, 1);
	job_close(&j);
	rig_sound(&r);
	rig_close(&r);
}
END_TEST

/* R8: a dispatcher that stood still beyond its leases finds them lost, kills what it runs and tells nothing. */
START_TEST(a_paused_worker_cannot_end_what_is_no_longer_its)
{
	struct rig r;
	struct job j;
	char id[JOB_ID];
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=1", NULL});
	rig_submit(&r, id, "{\"sleep_ms\":1500}");
	rig_wait(&r, id, JOB_RUNNING, 10000, &j);
	job_close(&j);
	int64_t fence = rig_fence(&r, id);
	kill(r.workers[0], SIGSTOP);
	rig_worker(&r, 1, (const char *[]){"WORKER_SLOTS=1", NULL});
	int64_t began = clock_mono_ms();
	while (rig_fence(&r, id) == fence) {
		ck_assert_msg(clock_mono_ms() - began < 20000, "nobody took it over");
		clock_sleep_ms(20);
	}
	kill(r.workers[0], SIGCONT);
	rig_wait(&r, id, JOB_SUCCEEDED, 15000, &j);
	ck_assert_int_gt(j.fence, fence);
	job_close(&j);
	clock_sleep_ms(1500);
	rig_done_is(&r, 1);
	rig_sound(&r);
	rig_close(&r);
}
END_TEST

START_TEST(redis_may_come_late_and_go_away)
{
	struct rig r;
	struct job j;
	char ids[40][JOB_ID];
	rig_open(&r, "always");
	test_redis_kill(&r.redis);
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=2", NULL});
	clock_sleep_ms(1500);
	test_redis_again(&r.redis);
	for (int i = 0; i < 40; i++)
		rig_submit(&r, ids[i], "{\"sleep_ms\":50}");
	rig_wait(&r, ids[5], JOB_SUCCEEDED, 15000, &j);
	job_close(&j);
	test_redis_kill(&r.redis);
	clock_sleep_ms(700);
	test_redis_again(&r.redis);
	for (int i = 0; i < 40; i++) {
		rig_wait(&r, ids[i], JOB_SUCCEEDED, 25000, &j);
		job_close(&j);
	}
	ck_assert_msg(rig_is_alive(r.workers[0]), "the worker ended because Redis was away");
	rig_done_is(&r, 40);
	rig_sound(&r);
	rig_close(&r);
}
END_TEST

/* ---- settings, health */

static int refused(const char *env, const char *argument, char *log, size_t size)
{
	const char *argv[] = {test_program("barque-worker"), argument, NULL};
	const char *list[] = {env, NULL};
	static int nth;
	int status, found = 0;
	char path[600], name[32];
	size_t len;
	snprintf(name, sizeof(name), "refused-%d", nth++);
	pid_t pid = test_spawn(name, argv, list);
	ck_assert_msg(test_wait(pid, 15000, &status), "it did not end");
	ck_assert(WIFEXITED(status));
	snprintf(path, sizeof(path), "%s/%s.log", test_dir(), name);
	char *text = test_read_file(path, &len);
	for (size_t i = 0; i < len; i++)
		found += text[i] == '\n';
	ck_assert_msg(str_copy(log, size, text), "too much was said");
	mem_free(&text);
	ck_assert_msg(found == 1, "not one sentence but: %s", log);
	return WEXITSTATUS(status);
}

START_TEST(wrong_settings_are_refused_in_one_sentence)
{
	char log[1024];
	ck_assert_int_eq(refused("WORKER_SLOTS=many", NULL, log, sizeof(log)), 64);
	ck_assert_ptr_nonnull(strstr(log, "WORKER_SLOTS"));
	ck_assert_int_eq(refused("WORKER_SLOT=2", NULL, log, sizeof(log)), 64);
	ck_assert_ptr_nonnull(strstr(log, "WORKER_SLOT"));
	ck_assert_int_eq(refused("WORKER_QUEUES=kline,nothing", NULL, log, sizeof(log)), 64);
	ck_assert_ptr_nonnull(strstr(log, "nothing"));
	ck_assert_int_eq(refused("WORKER_QUEUES=kline,", NULL, log, sizeof(log)), 64);
	ck_assert_int_eq(refused("WORKER_QUEUES=kline:3,backtest:0", NULL, log, sizeof(log)), 64);
	ck_assert_ptr_nonnull(strstr(log, "a weight is 1 to 1000"));
	ck_assert_int_eq(refused("WORKER_QUEUES=kline:", NULL, log, sizeof(log)), 64);
	ck_assert_int_eq(refused("WORKER_QUEUES=kline:3,backtest,kline:1", NULL, log, sizeof(log)), 64);
	ck_assert_msg(strstr(log, "names the queue of \"kline:1\" twice") != NULL, "%s", log);
	ck_assert_int_eq(refused("WORKER_ORDER=first", NULL, log, sizeof(log)), 64);
	ck_assert_ptr_nonnull(strstr(log, "weighted, fair or strict"));
	ck_assert_int_eq(refused("WORKER_QUARANTINE=maybe", NULL, log, sizeof(log)), 64);
	ck_assert_int_eq(refused("LOG_FORMAT=xml", NULL, log, sizeof(log)), 64);
	ck_assert_int_eq(refused("WORKER_LEASE=5", NULL, log, sizeof(log)), 64);
	ck_assert_int_eq(refused("WORKER_NAME=a b", NULL, log, sizeof(log)), 64);
	ck_assert_int_eq(refused("LOG_LEVEL=info", "--now", log, sizeof(log)), 64);
}
END_TEST

static int get(struct rig *r, int port, const char *path, struct http_answer *answer)
{
	char url[100];
	struct http_call call = {.url = url};
	snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", port, path);
	struct http_client *c = http_client_open(NULL, &r->e);
	ck_assert_ptr_nonnull(c);
	bool ok = http_client_call(c, &call, answer, &r->e);
	http_client_close(&c);
	return ok ? answer->status : 0;
}

struct ready {
	struct rig *rig;
	int port, status;
};

static bool is_ready(void *user)
{
	struct ready *w = user;
	struct http_answer answer = {0};
	int status = get(w->rig, w->port, "/readyz", &answer);
	http_answer_close(&answer);
	return status == w->status;
}

START_TEST(readiness_means_that_a_step_succeeded)
{
	struct rig r;
	struct job j;
	char id[JOB_ID], setting[60];
	struct http_answer answer = {0};
	struct ready w = {.rig = &r, .port = test_port(), .status = 200};
	rig_open(&r, "no");
	snprintf(setting, sizeof(setting), "WORKER_HEALTH_PORT=%d", w.port);
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=1", setting, NULL});
	ck_assert(test_until(15000, is_ready, &w));
	rig_submit(&r, id, "{}");
	rig_wait(&r, id, JOB_SUCCEEDED, 10000, &j);
	job_close(&j);
	ck_assert_int_eq(get(&r, w.port, "/livez", &answer), 200);
	ck_assert_int_eq(get(&r, w.port, "/metrics", &answer), 200);
	ck_assert_ptr_nonnull(strstr(buf_text(&answer.body), "barque_worker_jobs_total{outcome=\"done\"} 1"));
	ck_prometheus(buf_text(&answer.body));
	ck_assert(prometheus_value(buf_text(&answer.body), "barque_worker_ends_total{kind=\"noop\",outcome=\"done\"}") == 1);
	ck_assert(prometheus_value(buf_text(&answer.body), "barque_worker_run_seconds_count{kind=\"noop\"}") == 1);
	ck_assert(prometheus_value(buf_text(&answer.body), "barque_worker_wait_seconds_count{kind=\"noop\"}") == 1);
	ck_assert(prometheus_value(buf_text(&answer.body), "barque_worker_wait_seconds_sum{kind=\"noop\"}") < 60);
	ck_assert_int_eq(get(&r, w.port, "/nothing", &answer), 404);
	http_answer_close(&answer);
	test_redis_kill(&r.redis);
	w.status = 503;
	ck_assert_msg(test_until(15000, is_ready, &w), "it looks ready without Redis");
	test_redis_again(&r.redis);
	w.status = 200;
	ck_assert_msg(test_until(15000, is_ready, &w), "it did not become ready again");
	rig_close(&r);
}
END_TEST

static const TTest *const tests[] = {jobs_run_and_their_results_come_back, errors_are_tried_again_or_not, all_shards_are_served,
        a_poison_job_is_put_aside, a_running_job_can_be_cancelled, progress_is_told_while_it_runs, what_a_job_says_is_seen_and_stays,
        a_log_that_floods_is_cut, time_limits_end_a_job, a_job_has_its_own_time_limits, a_job_that_swells_is_killed,
        a_slot_is_replaced_after_its_jobs, sigterm_lets_running_jobs_end_and_claims_no_more, a_second_sigterm_gives_the_jobs_back_at_once,
        the_time_to_drain_has_an_end, a_killed_slots_job_runs_again_at_once, a_killed_dispatchers_jobs_run_elsewhere,
        a_paused_worker_cannot_end_what_is_no_longer_its, redis_may_come_late_and_go_away, wrong_settings_are_refused_in_one_sentence,
        readiness_means_that_a_step_succeeded};
TEST_MAIN("worker", tests)
