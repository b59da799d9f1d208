/* test_cli_workers.c -- steering workers from the command line: what they show, and quiet, resume, drain and stop. */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "queue/queue.h"
#include "tests/lib/system.h"

struct wanted {
	struct test_system *s;
	char path[120];
	const char *member, *value;
};

static bool has_member(void *user)
{
	struct wanted *w = user;
	struct json *j = test_system_call(w->s, "GET", w->path, NULL, 200);
	bool is = str_eq(json_get_text(j, w->member, ""), w->value);
	json_close(&j);
	return is;
}

static void await(struct test_system *s, const char *what, const char *name, const char *member, const char *value)
{
	struct wanted w = {.s = s, .member = member, .value = value};
	snprintf(w.path, sizeof(w.path), "/api/%s/%s", what, name);
	ck_assert_msg(test_until(15000, has_member, &w), "%s of %s does not become %s", member, name, value);
}

static bool one_lives(void *user)
{
	struct json *j = test_system_call(user, "GET", "/api/workers", NULL, 200);
	const struct json *first = json_at(json_get(j, "workers"), 0);
	bool is = str_eq(json_get_text(first, "state", ""), "working") && json_count(json_get(first, "queues")) == 3;
	json_close(&j);
	return is;
}

/* The name of the only worker. */
static void name_of_worker(struct test_system *s, char out[64])
{
	ck_assert_msg(test_until(15000, one_lives, s), "no worker is listed with its three queues");
	struct json *j = test_system_call(s, "GET", "/api/workers", NULL, 200);
	const struct json *first = json_at(json_get(j, "workers"), 0);
	ck_assert_int_eq(json_get_int(first, "pid", 0), s->workers[0]);
	ck_assert_int_gt(json_get_int(first, "slots", 0), 0);
	ck_assert_int_gt(json_get_int(first, "rss_bytes", 0), 0);
	ck_assert(str_copy(out, 64, json_get_text(first, "name", "")));
	json_close(&j);
}

static void ends_with_0(struct test_system *s)
{
	int status = -1;
	ck_assert_msg(test_wait(s->workers[0], 15000, &status), "the worker did not end");
	s->workers[0] = 0;
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
}

START_TEST(workers_are_seen_and_steered)
{
	struct test_system s;
	char name[64], running[48], second[48], part[100];
	test_system_start(&s, (const char *const[]){"--seed", "7", "--symbols", "BTCUSDT", NULL}, 1);
	name_of_worker(&s, name);
	BARQUE_SAYS(&s, 0, name, "workers");
	BARQUE_SAYS(&s, 0, "idle", "worker", "show", name);
	test_system_submit(&s, "noop", "{\"sleep_ms\":600000}", running);
	await(&s, "jobs", running, "state", "running");
	clock_sleep_ms(2500); /* a report or two, with progress */
	snprintf(part, sizeof(part), "%s noop since", running);
	BARQUE_SAYS(&s, 0, part, "worker", "show", name);
	BARQUE_SAYS(&s, 0, "of 600000 ms", "worker", "show", name);

	BARQUE_SAYS(&s, 0, "told to be quiet", "worker", "quiet", name);
	await(&s, "workers", name, "state", "quiet");
	test_system_submit(&s, "noop", "{}", second);
	clock_sleep_ms(2000);
	await(&s, "jobs", second, "state", "ready");
	await(&s, "jobs", running, "state", "running");
	BARQUE_SAYS(&s, 0, "told to resume", "worker", "resume", "--all");
	await(&s, "jobs", second, "state", "succeeded");

	struct json *j = test_system_call(&s, "DELETE", (snprintf(part, sizeof(part), "/api/jobs/%s", running), part), NULL, 202);
	json_close(&j);
	await(&s, "jobs", running, "state", "cancelled");
	test_system_submit(&s, "noop", "{\"sleep_ms\":2500}", running);
	await(&s, "jobs", running, "state", "running");
	BARQUE_SAYS(&s, 0, "told to drain", "worker", "drain", name);
	ends_with_0(&s);
	await(&s, "jobs", running, "state", "succeeded");
	BARQUE_SAYS(&s, 1, "there is no worker", "worker", "drain", name);
	BARQUE_SAYS(&s, 1, "there is no worker", "worker", "show", name);
	BARQUE_SAYS(&s, 0, "no worker lives", "worker", "quiet", "--all");

	test_system_start_worker(&s, 0);
	name_of_worker(&s, name);
	test_system_submit(&s, "noop", "{\"sleep_ms\":600000}", running);
	await(&s, "jobs", running, "state", "running");
	BARQUE_SAYS(&s, 0, "told to stop", "worker", "stop", "--all");
	ends_with_0(&s);
	await(&s, "jobs", running, "state", "ready");
	BARQUE_SAYS(&s, 2, "say show, quiet", "worker", "quiet");
	BARQUE_SAYS(&s, 2, "say show, quiet", "worker", "kill", name);
	j = test_system_call(&s, "POST", "/api/workers/x/kill", "{}", 404);
	json_close(&j);
	test_system_stop(&s);
}
END_TEST

START_TEST(jobs_that_no_worker_knows_are_seen)
{
	struct test_system s;
	struct err e;
	test_system_start(&s, (const char *const[]){"--seed", "7", "--symbols", "BTCUSDT", NULL}, 1);
	struct queue *q = queue_open(s.redis.url, NULL, &e);
	ck_assert_msg(q != NULL, "%s", e.text);
	struct queue_submission newer = {.kind = "noop", .queue = "default", .kind_version = 99, .priority = 5};
	struct queue_submitted out;
	ck_assert(queue_submit(q, &newer, 1, &out, &e));
	queue_close(&q);
	clock_sleep_ms(2500);
	BARQUE_SAYS(&s, 0, "1 ready as noop/99, which no worker serves", "queues");
	test_system_stop(&s);
}
END_TEST

static const TTest *const tests[] = {workers_are_seen_and_steered, jobs_that_no_worker_knows_are_seen};
TEST_MAIN("cli_workers", tests)
