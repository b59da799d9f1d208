/* test_worker_failpoints.c -- breaks the worker once at every point of its protocol; the rules of job.h must still hold.
 *
 * Each case runs jobs while one process dies at one place: before and after each call to the outside. Afterwards no job is lost,
 * each ended once, and each stands in exactly one place.
 */
#include <signal.h>
#include <string.h>

#include "tests/flow/worker_rig.h"
#include "tests/lib/test.h"

#define JOBS 40

static const char *const points[] = {
        "step_before_send",
        "step_after_send",
        "step_after_reply",
        "claims_before_dispatch",
        "claims_after_dispatch",
        "renew_before_send",
        "renew_after_send",
        "slot_before_run",
        "slot_after_run",
        "slot_before_answer",
        "slot_after_answer",
};

static int lines_of(const char *text, const char *id)
{
	int n = 0;
	size_t len = strlen(id);
	for (const char *p = text; (p = strstr(p, id)) != NULL; p += len)
		n++;
	return n;
}

static bool fired(void *marker)
{
	return access(marker, F_OK) == 0;
}

static void break_at(const char *point, int nth, const char *action)
{
	struct rig r;
	struct job j;
	char ids[JOBS][JOB_ID], fail[700], marker[600], effects[600], params[800];
	rig_open(&r, "no");
	snprintf(marker, sizeof(marker), "%s/fired-%s-%d-%s", test_dir(), point, nth, action);
	snprintf(effects, sizeof(effects), "%s/effects-%s-%d-%s", test_dir(), point, nth, action);
	snprintf(fail, sizeof(fail), "BARQUE_FAIL=%s:%d:%s:%s", point, nth, action, marker);
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=2", fail, NULL});
	for (int i = 0; i < JOBS; i++) {
		/* Only the tests of renewals need jobs that live long enough for one. */
		snprintf(params, sizeof(params), "{\"effect\":\"%.180s\",\"sleep_ms\":%d}", effects,
		        i < 3 && str_starts(point, "renew") ? 2500 : i % 4);
		rig_submit(&r, ids[i], params);
	}
	/* The second comes when the first has met its fault: before, it might leave too little for it. */
	ck_assert_msg(test_until(20000, fired, marker), "nothing passed %s %d times", point, nth);
	rig_worker(&r, 1, (const char *[]){"WORKER_SLOTS=1", NULL});
	for (int i = 0; i < JOBS; i++) {
		rig_wait(&r, ids[i], JOB_SUCCEEDED, 25000, &j);
		job_close(&j);
	}
	rig_done_is(&r, JOBS);
	rig_sound(&r);
	size_t len;
	char *text = test_read_file(effects, &len);
	for (int i = 0; i < JOBS; i++)
		ck_assert_msg(lines_of(text, ids[i]) >= 1, "job %s ended without having run", ids[i]);
	mem_free(&text);
	rig_close(&r);
}

/* Test cases of a table: one test each, so that they show by name and fail alone. */
#define CASE(name, i, nth)                         \
	START_TEST(name)                           \
	{                                          \
		break_at(points[i], nth, "crash"); \
	}                                          \
	END_TEST

CASE(step_before_send_1, 0, 1)
CASE(step_before_send_9, 0, 9)
CASE(step_after_send_1, 1, 1)
CASE(step_after_send_9, 1, 9)
CASE(step_after_reply_2, 2, 2)
CASE(step_after_reply_9, 2, 9)
CASE(claims_before_dispatch_3, 3, 3)
CASE(claims_after_dispatch_3, 4, 3)
CASE(renew_before_send_1, 5, 1)
CASE(renew_after_send_1, 6, 1)
CASE(slot_before_run_1, 7, 1)
CASE(slot_before_run_5, 7, 5)
CASE(slot_after_run_1, 8, 1)
CASE(slot_after_run_5, 8, 5)
CASE(slot_before_answer_3, 9, 3)
CASE(slot_after_answer_3, 10, 3)

START_TEST(a_slot_that_hangs_after_its_work_is_no_loss)
{
	/* It stalls for 2 s between work and answer: looked-ahead jobs behind it must go elsewhere. */
	break_at("slot_after_run", 4, "stall");
}
END_TEST

START_TEST(a_dispatcher_that_stalls_keeps_its_leases)
{
	break_at("step_after_reply", 4, "stall");
}
END_TEST

/* How many claims a history tells of. */
static int claims_in(const char *path)
{
	size_t len;
	int n = 0;
	char *text = test_read_file(path, &len);
	for (const char *p = text; (p = strstr(p, " claim ")) != NULL; p++)
		n++;
	mem_free(&text);
	return n;
}

START_TEST(a_worker_whose_slots_die_at_birth_holds_no_jobs)
{
	struct rig r;
	struct job j;
	char id[JOB_ID], history[600];
	snprintf(history, sizeof(history), "BARQUE_HISTORY=%s/history", test_dir());
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=2", "BARQUE_FAIL=slot_after_fork:1:crash", history, NULL});
	for (int i = 0; i < 10; i++)
		rig_submit(&r, id, "{}");
	clock_sleep_ms(5000);
	/* Until the first slots had died it may have taken some: one for each slot, and some ahead. */
	int first = claims_in(history + sizeof("BARQUE_HISTORY=") - 1);
	clock_sleep_ms(3500);
	ck_assert_int_eq(claims_in(history + sizeof("BARQUE_HISTORY=") - 1), first);
	ck_assert_int_le(first, 10);
	rig_worker(&r, 1, (const char *[]){"WORKER_SLOTS=1", NULL});
	rig_wait(&r, id, JOB_SUCCEEDED, 10000, &j);
	job_close(&j);
	rig_close(&r);
}
END_TEST

static const TTest *const tests[] = {step_before_send_1, step_before_send_9, step_after_send_1, step_after_send_9, step_after_reply_2,
        step_after_reply_9, claims_before_dispatch_3, claims_after_dispatch_3, renew_before_send_1, renew_after_send_1, slot_before_run_1,
        slot_before_run_5, slot_after_run_1, slot_after_run_5, slot_before_answer_3, slot_after_answer_3,
        a_slot_that_hangs_after_its_work_is_no_loss, a_dispatcher_that_stalls_keeps_its_leases,
        a_worker_whose_slots_die_at_birth_holds_no_jobs};
TEST_MAIN("worker_failpoints", tests)
