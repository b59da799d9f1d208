/* test_limits.c -- the exchange bans everybody: all workers obey, no job holds a slot meanwhile, and nothing is counted against a job. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "tests/lib/system.h"

#define DOWNLOADS 5 /* more than there are slots: 2 workers with 2 each */

static const char *const sim[] = {"--seed", "7", "--symbols", "BTCUSDT,ETHUSDT,SOLUSDT", NULL};

static struct json *ask_sim(struct test_system *s, const char *path)
{
	struct http_answer a = {0};
	struct err e = {0};
	char url[200];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", s->exchange_port, path);
	ck_assert_msg(http_client_call(s->http, &(struct http_call){.url = url}, &a, &e), "%s", e.text);
	struct json *j = json_parse(a.body.data, a.body.len, &e);
	ck_assert_msg(j != NULL, "%s: %s", path, e.text);
	http_answer_close(&a);
	return j;
}

static int64_t candles_asked(struct test_system *s)
{
	struct json *stats = ask_sim(s, "/sim/stats");
	int64_t n = json_get_int(json_get(stats, "requests"), "/fapi/v1/klines", -1);

	json_close(&stats);
	return n;
}

static struct json *job_of(struct test_system *s, const char *id)
{
	char path[100];

	snprintf(path, sizeof(path), "/api/jobs/%s", id);
	return test_system_call(s, "GET", path, NULL, 200);
}

/* Until when; 0: it is not. */
static int64_t put_off_until(struct test_system *s, const char *id)
{
	struct json *job = job_of(s, id);
	const struct json *on = json_get(job, "waiting_on");
	int64_t until = 0;

	if (str_eq(json_get_text(job, "state", ""), "scheduled") && str_eq(json_get_text(on, "reason", ""), "later"))
		until = json_get_int(on, "until", 0);
	json_close(&job);
	return until;
}

START_TEST(a_ban_frees_all_slots)
{
	struct test_system s;
	char id[DOWNLOADS][48], noop[48], params[100];
	static const char *const symbols[] = {"BTCUSDT", "ETHUSDT", "SOLUSDT", "BTCUSDT", "ETHUSDT"};

	test_system_start(&s, sim, 2);
	struct json *set = ask_sim(&s, "/sim/faults?set=418long:1");
	json_close(&set);
	for (int i = 0; i < DOWNLOADS; i++) {
		snprintf(params, sizeof(params), "{\"symbols\":[\"%s\"],\"interval\":\"%s\",\"days_back\":30}", symbols[i],
		        i < 3 ? "1h" : "4h");
		test_system_submit(&s, "kline.download", params, id[i]);
	}
	for (int i = 0; i < DOWNLOADS; i++)
		for (int64_t end = clock_mono_ms() + 8000; !put_off_until(&s, id[i]); clock_sleep_ms(20))
			ck_assert_msg(clock_mono_ms() < end, "download %d still holds its slot", i);
	int64_t asked = candles_asked(&s);
	test_system_submit(&s, "noop", "{}", noop);
	struct json *job = test_system_wait(&s, noop, 10000);
	json_close(&job);
	int64_t until = put_off_until(&s, id[0]);
	ck_assert_msg(until > clock_now_ms(), "the ban was over before another job had run: this proves nothing");
	while (clock_now_ms() < until - 200)
		clock_sleep_ms(20);
	ck_assert_int_eq(candles_asked(&s), asked);
	for (int i = 0; i < DOWNLOADS; i++) {
		job = test_system_wait(&s, id[i], 60000);
		ck_assert_int_eq(json_get_int(job, "attempt", -1), 1);
		ck_assert_int_eq(json_get_int(job, "crashes", -1), 0);
		ck_assert_int_gt(json_get_int(json_get(job, "result"), "inserted", 0), 100);
		json_close(&job);
	}
	test_system_stop(&s);
}
END_TEST

static const TTest *const tests[] = {a_ban_frees_all_slots};
TEST_MAIN("limits", tests)
