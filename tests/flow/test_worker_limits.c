/* test_worker_limits.c -- memory, processor time and the wear of slots: who is killed, who is replaced, and who must not notice. */
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "tests/flow/worker_rig.h"

struct replaced {
	struct rig *r;
	pid_t slot;
};

static bool is_replaced(void *user)
{
	struct replaced *w = user;
	pid_t now = rig_slot(w->r, 0);
	return now > 0 && now != w->slot;
}

START_TEST(a_swollen_slot_is_replaced_between_jobs)
{
	struct rig r;
	struct job j;
	char big[JOB_ID], small[JOB_ID];
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=1", "WORKER_RECYCLE_RSS=150m", NULL});
	rig_submit(&r, small, "{}");
	rig_wait(&r, small, JOB_SUCCEEDED, 15000, &j);
	job_close(&j);
	struct replaced w = {.r = &r, .slot = rig_slot(&r, 0)};
	rig_submit(&r, big, "{\"eat_mb\":300,\"sleep_ms\":4000}");
	rig_wait(&r, big, JOB_RUNNING, 10000, &j);
	job_close(&j);
	clock_sleep_ms(2500);
	ck_assert_msg(!is_replaced(&w), "the slot was replaced in the middle of its job");
	rig_wait(&r, big, JOB_SUCCEEDED, 15000, &j);
	ck_assert_int_eq(j.crashes, 0);
	job_close(&j);
	ck_assert_msg(test_until(10000, is_replaced, &w), "a swollen slot was kept");
	rig_submit(&r, small, "{}");
	rig_wait(&r, small, JOB_SUCCEEDED, 15000, &j);
	job_close(&j);
	rig_sound(&r);
	rig_close(&r);
}
END_TEST

/* Also where it is never idle, because jobs are looked ahead all the time. */
START_TEST(a_worn_slot_is_replaced_under_load)
{
	static char ids[400][JOB_ID];
	struct rig r;
	struct job j;
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=1", "WORKER_MAX_JOBS=50", NULL});
	rig_submit(&r, ids[0], "{}");
	rig_wait(&r, ids[0], JOB_SUCCEEDED, 15000, &j);
	job_close(&j);
	struct replaced w = {.r = &r, .slot = rig_slot(&r, 0)};
	kill(r.workers[0], SIGSTOP);
	for (int i = 0; i < 400; i++)
		rig_submit(&r, ids[i], "{}");
	kill(r.workers[0], SIGCONT);
	for (int i = 0; i < 400; i++) {
		rig_wait(&r, ids[i], JOB_SUCCEEDED, 30000, &j);
		job_close(&j);
	}
	ck_assert_msg(test_until(10000, is_replaced, &w), "a slot that has run 400 jobs is still there: %d then, %d now", (int)w.slot,
	        (int)rig_slot(&r, 0));
	rig_sound(&r);
	rig_close(&r);
}
END_TEST

START_TEST(a_job_that_burns_the_processor_is_killed)
{
	struct rig r;
	struct job j;
	char spins[JOB_ID], waits[JOB_ID];
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=2", "WORKER_MAX_CPU=500ms", NULL});
	rig_submit(&r, spins, "{\"spin\":true}");
	rig_submit(&r, waits, "{\"sleep_ms\":6000}");
	rig_wait(&r, waits, JOB_SUCCEEDED, 30000, &j); /* time that is slept is not processor time */
	ck_assert_int_eq(j.attempt, 1);
	ck_assert_int_eq(j.crashes, 0);
	job_close(&j);
	rig_wait(&r, spins, JOB_DEAD, 60000, &j);
	ck_assert_msg(strstr(j.error.text, "CPU time") != NULL, "%s", j.error.text);
	ck_assert_int_eq(j.crashes, 4);
	job_close(&j);
	rig_sound(&r);
	rig_close(&r);
}
END_TEST

/* The worker finds them all at once, and lines up some of them in its only slot: short ones, then one that hangs, with a limit of its own (0: none). */
static void rig_hang(struct rig *r, char ids[][JOB_ID], int n, char hangs[JOB_ID], int64_t hard_limit_ms)
{
	struct queue_submission s = {.kind = "noop",
	        .queue = "default",
	        .params = "{\"spin\":true}",
	        .priority = 5,
	        .kind_version = 1,
	        .max_attempts = 3,
	        .max_crashes = 1,
	        .hard_limit_ms = hard_limit_ms};
	struct queue_submitted out;
	struct job j;
	rig_submit(r, ids[0], "{}");
	rig_wait(r, ids[0], JOB_SUCCEEDED, 15000, &j);
	job_close(&j);
	kill(r->workers[0], SIGSTOP);
	for (int i = 0; i < n; i++)
		rig_submit(r, ids[i], "{}");
	ck_assert_msg(queue_submit(r->queue, &s, 1, &out, &r->e), "%s", r->e.text);
	memcpy(hangs, s.id, JOB_ID);
	kill(r->workers[0], SIGCONT);
}

static void rig_all_well(struct rig *r, char ids[][JOB_ID], int n)
{
	struct job j;
	for (int i = 0; i < n; i++) {
		rig_wait(r, ids[i], JOB_SUCCEEDED, 10000, &j);
		ck_assert_int_eq(j.crashes, 0);
		job_close(&j);
	}
	rig_sound(r);
}

/* A slot gathers the answers of short jobs, so that they are not told while the next one runs: its own time is taken all the same. */
START_TEST(a_job_that_hangs_behind_others_is_killed)
{
	char ids[20][JOB_ID], hangs[JOB_ID];
	struct rig r;
	struct job j;
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=1", NULL});
	rig_hang(&r, ids, ARRAY_LEN(ids), hangs, 500);
	rig_wait(&r, hangs, JOB_DEAD, 20000, &j);
	ck_assert_msg(strstr(j.error.text, "its own hard time limit of 500 ms") != NULL, "%s", j.error.text);
	ck_assert_int_eq(j.crashes, 2);
	job_close(&j);
	rig_all_well(&r, ids, ARRAY_LEN(ids));
	rig_close(&r);
}
END_TEST

START_TEST(a_job_that_hangs_behind_others_can_be_cancelled)
{
	char ids[20][JOB_ID], hangs[JOB_ID];
	enum job_state state;
	struct rig r;
	struct job j;
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=1", "WORKER_GRACE=200ms", NULL});
	rig_hang(&r, ids, ARRAY_LEN(ids), hangs, 0);
	rig_wait(&r, hangs, JOB_RUNNING, 10000, &j);
	job_close(&j);
	clock_sleep_ms(500);
	ck_assert_msg(queue_cancel(r.queue, hangs, &state, &r.e) == 1, "%s", r.e.text);
	rig_wait(&r, hangs, JOB_CANCELLED, 10000, &j);
	job_close(&j);
	rig_all_well(&r, ids, ARRAY_LEN(ids));
	rig_close(&r);
}
END_TEST

static void file_is(const char *folder, const char *file, const char *text)
{
	char path[700];
	snprintf(path, sizeof(path), "%s/%s", folder, file);
	char *got = test_read_file(path, NULL);
	ck_assert_msg(str_eq(got, text), "%s is '%s', not '%s'", path, got, text);
	mem_free(&got);
}

/* A plain folder in place of the kernel's: which groups are made, and with which limits. */
START_TEST(each_slot_gets_a_control_group)
{
	struct rig r;
	struct job j;
	char base[500], setting[600], folder[600], id[JOB_ID], pid[16];
	rig_open(&r, "no");
	snprintf(base, sizeof(base), "%s/cgroup", test_dir());
	ck_assert_int_eq(mkdir(base, 0700), 0);
	snprintf(setting, sizeof(setting), "BARQUE_CGROUP=%s", base);
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=1", "WORKER_MAX_RSS=256m", "WORKER_CPU=150", setting, NULL});
	rig_submit(&r, id, "{}");
	rig_wait(&r, id, JOB_SUCCEEDED, 15000, &j);
	job_close(&j);
	file_is(base, "cgroup.subtree_control", "+memory +cpu +pids");
	snprintf(folder, sizeof(folder), "%s/barque-%d", base, (int)r.workers[0]);
	file_is(folder, "cgroup.subtree_control", "+memory +cpu +pids");
	snprintf(pid, sizeof(pid), "%d", (int)r.workers[0]);
	file_is(folder, "main/cgroup.procs", pid);
	file_is(folder, "slot-0/memory.max", "536870912");
	file_is(folder, "slot-0/cpu.max", "150000 100000");
	file_is(folder, "slot-0/pids.max", "256");
	snprintf(pid, sizeof(pid), "%d", (int)rig_slot(&r, 0));
	file_is(folder, "slot-0/cgroup.procs", pid);
	rig_close(&r);
}
END_TEST

static const TTest *const tests[] = {each_slot_gets_a_control_group, a_job_that_hangs_behind_others_is_killed,
        a_job_that_hangs_behind_others_can_be_cancelled,

        a_swollen_slot_is_replaced_between_jobs, a_worn_slot_is_replaced_under_load, a_job_that_burns_the_processor_is_killed};
TEST_MAIN("worker_limits", tests)
