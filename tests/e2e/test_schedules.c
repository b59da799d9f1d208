/* test_schedules.c -- schedules from the command line against a whole Barque: made, ticking, paused, run, deleted. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tests/lib/system.h"

static struct json *asked(struct test_system *s, const char *name)
{
	struct err e = {0};
	char *out;
	ck_assert_int_eq(BARQUE(s, &out, "schedule", name, "--json"), 0);
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

	BARQUE_SAYS(&s, 0, "NAME", "schedules");
	BARQUE_SAYS(&s, 0, "every 200ms (UTC); missed: skip, overlap: allow", "schedule", "often", "noop", "sleep_ms=1", "--every", "200ms",
	        "--tags", "x");
	BARQUE_SAYS(&s, 0, "30 2 * * MON-FRI", "schedule", "nightly", "kline.integrity", "interval=1h", "--cron", "30 2 * * MON-FRI",
	        "--missed", "once", "--concurrency", "night=1", "--time-limit", "90s", "--lane", "night");
	BARQUE_SAYS(&s, 0,
	        "its jobs  priority 5, lane \"night\", max_attempts 3, time_limit_ms 90000, concurrency {\"key\":\"night\",\"max\":1}",
	        "schedule", "nightly");
	BARQUE_SAYS(&s, 2, "must be KEY=N", "schedule", "bad", "noop", "--every", "1h", "--concurrency", "night");
	BARQUE_SAYS(&s, 0, "nightly", "schedules");
	for (int i = 0; i < 100 && jobs_of(&s, "often") < 5; i++)
		clock_sleep_ms(100);
	ck_assert_int_ge(jobs_of(&s, "often"), 5);
	BARQUE_SAYS(&s, 0, "; paused", "schedule", "often", "--pause");
	struct json *j = asked(&s, "often");
	ck_assert(str_copy(last, sizeof(last), json_get_text(j, "last_job", "")) && last[0]);
	json_close(&j);
	j = test_system_wait(&s, last, 20000);
	ck_assert_str_eq(json_text(json_at(json_get(j, "tags"), 0)), "schedule:often");
	ck_assert_str_eq(json_text(json_at(json_get(j, "tags"), 1)), "x");
	json_close(&j);
	BARQUE_SAYS(&s, 0, "default-0", "schedule", "often", "--run");
	BARQUE_SAYS(&s, 0, "next", "schedule", "often", "--resume");
	BARQUE_SAYS(&s, 0, "is deleted", "schedule", "often", "--delete");
	BARQUE_SAYS(&s, 1, "there is no schedule 'often'", "schedule", "often");
	BARQUE_SAYS(&s, 1, "minute", "schedule", "bad", "noop", "--cron", "61 * * * *");
	BARQUE_SAYS(&s, 1, "cron or every", "schedule", "bad", "noop");
	BARQUE_SAYS(&s, 1, "there is no kind 'nope'", "schedule", "bad", "nope", "--every", "1h");
	BARQUE_SAYS(&s, 2, "is not NAME=VALUE", "schedule", "bad", "noop", "x", "--every", "1h");
	BARQUE_SAYS(&s, 2, "name a schedule", "schedule");
	BARQUE_SAYS(&s, 0, "--missed", "schedule", "--help");
	test_system_stop(&s);
}
END_TEST

static const TTest *const tests[] = {a_schedule_from_its_making_to_its_end};
TEST_MAIN("schedules", tests)
