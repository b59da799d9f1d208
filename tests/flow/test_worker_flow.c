/* test_worker_flow.c -- jobs that wait for jobs, run by real workers: results handed on, queues crossed, processes killed in between. */
#include <signal.h>
#include <string.h>

#include "base/json.h"
#include "queue/flow.h"
#include "tests/flow/worker_rig.h"
#include "tests/lib/counts.h"
#include "tests/lib/test.h"

#define FLOWS 12

/* noop (default) -> kline.integrity (kline) -> noop (default) -> the root (default): two crossings for each, and those to the root. */
struct chain {
	struct queue_flow f;
	struct queue_flow_job jobs[3];
};

static const char *const first[] = {"first"}, *const check[] = {"check", "first"};

static void chain_make(struct chain *c, const char *first_params, const char *last_params)
{
	const struct queue_submission one = {.priority = 5, .kind_version = 1, .max_attempts = 3, .backoff_ms = 50};

	memset(c, 0, sizeof(*c));
	c->f = (struct queue_flow){.jobs = c->jobs, .n_jobs = 3, .root = one};
	for (int i = 0; i < 3; i++)
		c->jobs[i].job = one;
	c->jobs[0].name = "first";
	c->jobs[1].name = "check";
	c->jobs[2].name = "last";
	c->jobs[1].after = first;
	c->jobs[1].n_after = 1;
	c->jobs[2].after = check;
	c->jobs[2].n_after = 2;
	c->jobs[0].job.kind = c->jobs[2].job.kind = "noop";
	c->jobs[0].job.queue = c->jobs[2].job.queue = c->f.root.queue = "default";
	c->jobs[1].job.kind = "kline.integrity";
	c->jobs[1].job.queue = "kline";
	c->f.root.kind = "flow.report";
	c->jobs[0].job.params = first_params;
	c->jobs[2].job.params = last_params;
}

static void chain_submit(struct rig *r, struct chain *c)
{
	struct queue_submitted out;
	int64_t until = clock_mono_ms() + 20000;

	while (!queue_flow_submit(r->queue, &c->f, &out, &r->e)) {
		ck_assert_msg(clock_mono_ms() < until, "%s", r->e.text);
		clock_sleep_ms(50); /* the ids are the same again */
	}
	ck_assert(out.outcome == SUBMIT_NEW || out.outcome == SUBMIT_EXISTING);
}

static int64_t done_of(struct rig *r, const char *queue)
{
	struct queue_counts c[8];
	int got = test_counts(r->queue, c, ARRAY_LEN(c), &r->e);

	for (int i = 0; i < got; i++)
		if (str_eq(c[i].queue, queue))
			return c[i].done_total;
	ck_abort_msg("queue %s has no counts", queue);
}

static void queue_is_sound(struct rig *r, const char *queue)
{
	struct queue_audit audit;
	int got = queue_audit(r->queue, queue, &audit, &r->e);

	ck_assert_msg(got == 1, "%s: %s%s", queue, audit.problem, got < 0 ? r->e.text : "");
}

static void root_gave(struct rig *r, const struct chain *c, const char *wanted)
{
	struct job j;

	rig_wait(r, c->f.root.id, JOB_SUCCEEDED, 30000, &j);
	ck_assert_str_eq(j.result, wanted);
	job_close(&j);
}

START_TEST(results_are_handed_on)
{
	struct rig r;
	struct chain c;

	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_QUEUES=default,kline", "WORKER_SLOTS=2", NULL});
	chain_make(&c, "{\"payload\":\"over here\"}", "{\"payload\":{\"$result\":\"first.payload\"}}");
	chain_submit(&r, &c);
	root_gave(&r, &c, "{\"last\":{\"payload\":\"over here\"}}");
	/* A part that is not there, and one of the wrong type: the kind's own check speaks. */
	chain_make(&c, "{}", "{\"payload\":{\"$result\":\"check.no.such\"}}");
	chain_submit(&r, &c);
	struct job j;
	rig_wait(&r, c.jobs[2].job.id, JOB_FAILED, 30000, &j);
	ck_assert_str_eq(j.error.text, "the result of job 'check' has no 'no.such'");
	job_close(&j);
	chain_make(&c, "{}", "{\"payload\":{\"$result\":\"check.checked_symbols\"}}");
	chain_submit(&r, &c);
	rig_wait(&r, c.jobs[2].job.id, JOB_FAILED, 30000, &j);
	ck_assert_msg(strstr(j.error.text, "payload") != NULL, "%s", j.error.text);
	job_close(&j);
	rig_close(&r);
}
END_TEST

/* Two workers; in the first the point acts once. */
static void break_at(const char *point, int nth)
{
	struct rig r;
	static struct chain c[FLOWS];
	char fail[700], marker[600];

	rig_open(&r, "no");
	snprintf(marker, sizeof(marker), "%s/fired-%s-%d", test_dir(), point, nth);
	snprintf(fail, sizeof(fail), "BARQUE_FAIL=%s:%d:crash:%s", point, nth, marker);
	rig_worker(&r, 0, (const char *[]){"WORKER_QUEUES=default,kline", "WORKER_SLOTS=2", fail, NULL});
	rig_worker(&r, 1, (const char *[]){"WORKER_QUEUES=default,kline", "WORKER_SLOTS=1", fail, NULL});
	for (int i = 0; i < FLOWS; i++) {
		chain_make(&c[i], "{\"payload\":\"x\",\"sleep_ms\":20}", "{\"payload\":{\"$result\":\"first.payload\"}}");
		chain_submit(&r, &c[i]);
	}
	for (int i = 0; i < FLOWS; i++)
		root_gave(&r, &c[i], "{\"last\":{\"payload\":\"x\"}}");
	ck_assert_msg(access(marker, F_OK) == 0, "nothing passed %s %d times", point, nth);
	ck_assert_int_eq(done_of(&r, "default"), 3 * FLOWS);
	ck_assert_int_eq(done_of(&r, "kline"), FLOWS);
	queue_is_sound(&r, "default");
	queue_is_sound(&r, "kline");
	rig_close(&r);
}

START_TEST(killed_before_word_is_told)
{
	break_at("mail_before_tell", 2);
}
END_TEST

START_TEST(killed_before_word_is_dropped)
{
	break_at("mail_before_drop", 2);
}
END_TEST

START_TEST(killed_after_the_end_was_sent)
{
	break_at("step_after_send", 7);
}
END_TEST

START_TEST(killed_after_the_end_was_answered)
{
	break_at("step_after_reply", 7);
}
END_TEST

/* The only worker dies between the end of a job and the word of it; another comes later. */
START_TEST(word_waits_for_a_worker)
{
	struct rig r;
	struct chain c;
	struct job j;
	char marker[600], fail[700];

	rig_open(&r, "no");
	snprintf(marker, sizeof(marker), "%s/fired", test_dir());
	snprintf(fail, sizeof(fail), "BARQUE_FAIL=mail_before_tell:1:hang:%s", marker);
	rig_worker(&r, 0, (const char *[]){"WORKER_QUEUES=default,kline", "WORKER_SLOTS=1", fail, NULL});
	chain_make(&c, "{}", "{}");
	chain_submit(&r, &c);
	rig_wait(&r, c.jobs[0].job.id, JOB_SUCCEEDED, 20000, &j);
	job_close(&j);
	for (int i = 0; i < 500 && access(marker, F_OK) != 0; i++)
		clock_sleep_ms(10);
	ck_assert_int_eq(access(marker, F_OK), 0);
	test_kill(r.workers[0], SIGKILL);
	r.workers[0] = 0;
	clock_sleep_ms(200);
	ck_assert_int_eq(queue_show(r.queue, c.jobs[1].job.id, &j, &r.e), 1);
	ck_assert_int_eq(j.state, JOB_WAITING);
	job_close(&j);
	rig_worker(&r, 1, (const char *[]){"WORKER_QUEUES=default,kline", "WORKER_SLOTS=1", NULL});
	root_gave(&r, &c, "{\"last\":null}");
	rig_close(&r);
}
END_TEST

START_TEST(a_running_tree_is_cancelled)
{
	struct rig r;
	struct chain c;
	struct job j;
	enum job_state s;

	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_QUEUES=default,kline", "WORKER_SLOTS=1", NULL});
	chain_make(&c, "{\"sleep_ms\":60000}", "{}");
	chain_submit(&r, &c);
	rig_wait(&r, c.jobs[0].job.id, JOB_RUNNING, 20000, &j);
	job_close(&j);
	ck_assert_int_eq(queue_cancel(r.queue, c.f.root.id, &s, &r.e), 1);
	ck_assert_int_eq(s, JOB_CANCELLED);
	for (int i = 0; i < 3; i++) {
		rig_wait(&r, c.jobs[i].job.id, JOB_CANCELLED, 20000, &j);
		job_close(&j);
	}
	queue_is_sound(&r, "default");
	queue_is_sound(&r, "kline");
	rig_close(&r);
}
END_TEST

static const TTest *const tests[] = {results_are_handed_on, killed_before_word_is_told, killed_before_word_is_dropped,
        killed_after_the_end_was_sent, killed_after_the_end_was_answered, word_waits_for_a_worker, a_running_tree_is_cancelled};
TEST_MAIN("worker_flow", tests)
