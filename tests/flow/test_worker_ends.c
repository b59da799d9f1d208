/* test_worker_ends.c -- signals, the watchdog, and the helpers' deaths: what a worker does at its edges. */
#include <signal.h>
#include <string.h>

#include "base/mem.h"
#include "store/store.h"
#include "tests/flow/worker_rig.h"
#include "tests/lib/counts.h"

static bool log_has(const char *name, const char *text)
{
	char path[600];
	snprintf(path, sizeof(path), "%s/%s.log", test_dir(), name);
	char *log = test_read_file(path, NULL);
	bool has = strstr(log, text) != NULL;
	mem_free(&log);
	return has;
}

static bool status_was_logged(void *user)
{
	UNUSED(user);
	return log_has("worker-0", "slot 0: process");
}

START_TEST(sighup_is_ignored_and_sigusr1_tells)
{
	struct rig r;
	struct job j;
	char id[JOB_ID];
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=1", NULL});
	rig_submit(&r, id, "{}");
	rig_wait(&r, id, JOB_SUCCEEDED, 15000, &j);
	job_close(&j);
	kill(r.workers[0], SIGHUP);
	kill(r.workers[0], SIGUSR1);
	ck_assert_msg(test_until(5000, status_was_logged, NULL), "SIGUSR1 logs nothing");
	ck_assert(rig_is_alive(r.workers[0]));
	rig_close(&r);
}
END_TEST

START_TEST(an_idle_worker_ends_at_once)
{
	struct rig r;
	struct job j;
	struct queue_counts c[4];
	char id[JOB_ID];
	int status;
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=2", NULL});
	rig_submit(&r, id, "{}");
	rig_wait(&r, id, JOB_SUCCEEDED, 15000, &j);
	job_close(&j);
	kill(r.workers[0], SIGINT);
	int64_t began = clock_mono_ms();
	ck_assert(test_wait(r.workers[0], 10000, &status));
	r.workers[0] = 0;
	ck_assert_int_lt(clock_mono_ms() - began, 4000);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
	/* It said good-bye: nobody has to find it dead. */
	ck_assert_int_eq(test_counts(r.queue, c, 4, &r.e), 1);
	ck_assert_int_eq(c[0].workers, 0);
	rig_close(&r);
}
END_TEST

/* The loop stands still for 2 s, the watchdog waits for one: the worker ends by itself, its slots with it, and others have its jobs. */
START_TEST(the_watchdog_ends_a_worker_that_stands_still)
{
	struct rig r;
	struct job j;
	char fail[700], id[JOB_ID];
	pid_t slots[8];
	int status;
	rig_open(&r, "no");
	snprintf(fail, sizeof(fail), "BARQUE_FAIL=step_after_reply:6:stall:%s/stalled", test_dir());
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=1", "BARQUE_WATCHDOG=1", fail, NULL});
	rig_submit(&r, id, "{\"sleep_ms\":5000}");
	rig_wait(&r, id, JOB_RUNNING, 10000, &j);
	job_close(&j);
	int n = rig_children(r.workers[0], slots, ARRAY_LEN(slots));
	ck_assert_int_ge(n, 2);
	rig_worker(&r, 1, (const char *[]){"WORKER_SLOTS=1", NULL});
	ck_assert_msg(test_wait(r.workers[0], 20000, &status), "it stands still for ever");
	r.workers[0] = 0;
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 70, "status %x", (unsigned)status);
	ck_assert(log_has("worker-0", "no progress"));
	clock_sleep_ms(100);
	for (int i = 0; i < n; i++)
		ck_assert_msg(!rig_is_alive(slots[i]), "process %d outlived its dispatcher by 100 ms", (int)slots[i]);
	rig_wait(&r, id, JOB_SUCCEEDED, 20000, &j);
	ck_assert_int_eq(j.crashes, 1);
	job_close(&j);
	rig_sound(&r);
	rig_close(&r);
}
END_TEST

/* ---- the courier */

static pid_t courier_of(struct rig *r)
{
	pid_t all[64], parent;
	char name[64], state;
	int n = rig_children(r->workers[0], all, 64);
	for (int i = 0; i < n; i++)
		if (rig_stat(all[i], name, sizeof(name), &parent, &state) && str_starts(name, "barque-courier") && state != 'Z')
			return all[i];
	return 0;
}

static bool courier_lives(void *user)
{
	return courier_of(user) > 0;
}

static bool outbox_is_empty(void *user)
{
	struct err e;
	int64_t waiting = -1;
	return store_outbox_count(user, &waiting, &e) && waiting == 0;
}

/* Events wait in the outbox while there is no courier, and go when there is one again; no job fails for it. */
START_TEST(a_killed_courier_loses_no_event)
{
	struct rig r;
	struct job j;
	char id[JOB_ID], url[600];
	int64_t waiting = 0;
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=1", "WORKER_QUEUES=kline", NULL});
	ck_assert(test_until(10000, courier_lives, &r));
	rig_submit_kind(&r, id, "kline.integrity", "kline", "{}");
	rig_wait(&r, id, JOB_SUCCEEDED, 15000, &j);
	job_close(&j);
	snprintf(url, sizeof(url), "sqlite:%s/db", test_dir());
	struct store *store = store_open(url, &r.e);
	ck_assert_msg(store != NULL, "%s", r.e.text);
	ck_assert_msg(test_until(15000, outbox_is_empty, store), "the event of the first job was not carried");
	/* Killed as often as it comes, until jobs have ended without it. */
	for (int i = 0; i < 3; i++) {
		pid_t courier = courier_of(&r);
		if (courier > 0)
			kill(courier, SIGKILL);
		rig_submit_kind(&r, id, "kline.integrity", "kline", "{}");
		rig_wait(&r, id, JOB_SUCCEEDED, 15000, &j);
		ck_assert_int_eq(j.attempt, 1);
		job_close(&j);
	}
	ck_assert(store_outbox_count(store, &waiting, &r.e));
	fprintf(stderr, "%lld events waited for a courier\n", (long long)waiting);
	ck_assert_msg(test_until(45000, outbox_is_empty, store), "events still wait though there is a courier again");
	ck_assert_msg(test_until(45000, courier_lives, &r), "the courier was not started again");
	store_close(&store);
	rig_close(&r);
}
END_TEST

static const TTest *const tests[] = {sighup_is_ignored_and_sigusr1_tells, an_idle_worker_ends_at_once,
        the_watchdog_ends_a_worker_that_stands_still, a_killed_courier_loses_no_event};
TEST_MAIN("worker_ends", tests)
