/* test_schedules.c -- schedules from the command line against a whole Barque: made, ticking, paused, run, deleted. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tests/lib/system.h"

#define RUN_MS 40000

/* Run `barque ARGS...`; its exit code is `code`, and what it printed (both streams) holds `part`. Returns that, mem_free it. */
static char *barque(struct test_system *s, int code, const char *part, const char *const *args)
{
	static int number;
	char name[32], path[600], url[64], *out;
	const char *argv[32] = {test_program("barque")};
	int status = 0;
	snprintf(name, sizeof(name), "cli-%d", number++);
	snprintf(url, sizeof(url), "BARQUE_URL=http://127.0.0.1:%d", s->api_port);
	for (size_t n = 1; *args; args++)
		argv[n++] = *args;
	ck_assert_msg(
	        test_wait(test_spawn(name, argv, (const char *[]){url, NULL}), RUN_MS, &status), "barque %s did not end in time", argv[1]);
	snprintf(path, sizeof(path), "%s/%s.log", test_dir(), name);
	out = test_read_file(path, NULL);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == code, "barque %s %s ended with %d: %s", argv[1], argv[2], status, out);
	ck_assert_msg(strstr(out, part) != NULL, "'%s' is not in: %s", part, out);
	return out;
}

static void barque_says(struct test_system *s, int code, const char *part, const char *const *args)
{
	char *out = barque(s, code, part, args);
	mem_free(&out);
}
#define SAYS(s, code, part, ...) barque_says(s, code, part, (const char *const[]){__VA_ARGS__, NULL})

static struct json *asked(struct test_system *s, const char *name)
{
	struct err e = {0};
	char *out = barque(s, 0, name, (const char *const[]){"schedule", name, "--json", NULL});
	struct json *j = json_parse(out, strcspn(out, "\n"), &e);
	ck_assert_msg(j != NULL, "%s: %s", e.text, out);
	mem_free(&out);
	return j;
}

static int64_t jobs_of(struct test_system *s, const char *name)
{
	struct json *j = asked(s, name);
	int64_t n = json_get_int(j, "jobs", -1);
	json_close(&j);
	return n;
}

START_TEST(a_schedule_from_its_making_to_its_end)
{
	struct test_system s;
	char last[48];
	test_system_start(&s, (const char *const[]){"--symbols", "BTCUSDT", NULL}, 2);

	SAYS(&s, 0, "NAME", "schedules");
	SAYS(&s, 0, "every 200ms (UTC); missed: skip, overlap: allow", "schedule", "often", "noop", "sleep_ms=1", "--every", "200ms",
	        "--tags", "x");
	SAYS(&s, 0, "30 2 * * MON-FRI", "schedule", "nightly", "kline.integrity", "interval=1h", "--cron", "30 2 * * MON-FRI", "--missed",
	        "once", "--concurrency", "night=1", "--time-limit", "90s", "--lane", "night");
	SAYS(&s, 0, "its jobs  priority 5, lane \"night\", max_attempts 3, time_limit_ms 90000, concurrency {\"key\":\"night\",\"max\":1}",
	        "schedule", "nightly");
	SAYS(&s, 2, "must be KEY=N", "schedule", "bad", "noop", "--every", "1h", "--concurrency", "night");
	SAYS(&s, 0, "nightly", "schedules");
	for (int i = 0; i < 100 && jobs_of(&s, "often") < 5; i++)
		clock_sleep_ms(100);
	ck_assert_int_ge(jobs_of(&s, "often"), 5);
	SAYS(&s, 0, "; paused", "schedule", "often", "--pause");
	struct json *j = asked(&s, "often");
	ck_assert(str_copy(last, sizeof(last), json_get_text(j, "last_job", "")) && last[0]);
	json_close(&j);
	j = test_system_wait(&s, last, 20000);
	ck_assert_str_eq(json_text(json_at(json_get(j, "tags"), 0)), "schedule:often");
	ck_assert_str_eq(json_text(json_at(json_get(j, "tags"), 1)), "x");
	json_close(&j);
	SAYS(&s, 0, "default-0", "schedule", "often", "--run");
	SAYS(&s, 0, "next", "schedule", "often", "--resume");
	SAYS(&s, 0, "is deleted", "schedule", "often", "--delete");
	SAYS(&s, 1, "there is no schedule 'often'", "schedule", "often");
	SAYS(&s, 1, "minute", "schedule", "bad", "noop", "--cron", "61 * * * *");
	SAYS(&s, 1, "cron or every", "schedule", "bad", "noop");
	SAYS(&s, 1, "there is no kind 'nope'", "schedule", "bad", "nope", "--every", "1h");
	SAYS(&s, 2, "is not NAME=VALUE", "schedule", "bad", "noop", "x", "--every", "1h");
	SAYS(&s, 2, "name a schedule", "schedule");
	SAYS(&s, 0, "--missed", "schedule", "--help");
	test_system_stop(&s);
}
END_TEST

static const TTest *const tests[] = {a_schedule_from_its_making_to_its_end};
TEST_MAIN("schedules", tests)
