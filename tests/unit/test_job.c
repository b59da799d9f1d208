/* test_job.c -- the drawing of job.h, ids, back-off and the public shape of a job. */
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "job/job.h"
#include "tests/lib/test.h"

/* Written out a second time, by hand from the drawing, so that neither table can drift. */
static const char *const arrows[] = {"scheduled>ready", "scheduled>cancelled", "ready>running", "ready>cancelled", "running>ready",
        "running>scheduled", "running>retrying", "running>succeeded", "running>failed", "running>cancelled", "running>dead",
        "retrying>ready", "retrying>cancelled", "waiting>ready", "waiting>failed", "waiting>cancelled", "failed>ready", "failed>waiting",
        "cancelled>ready", "cancelled>waiting", "dead>ready"};

static bool in_drawing(enum job_state from, enum job_state to)
{
	char arrow[64];

	snprintf(arrow, sizeof(arrow), "%s>%s", job_state_name(from), job_state_name(to));
	for (size_t i = 0; i < ARRAY_LEN(arrows); i++)
		if (str_eq(arrows[i], arrow))
			return true;
	return false;
}

START_TEST(every_move)
{
	for (int from = JOB_SCHEDULED; from <= JOB_DEAD; from++)
		for (int to = JOB_SCHEDULED; to <= JOB_DEAD; to++) {
			struct job j = {.id = "x", .state = (enum job_state)from, .rev = 7};
			struct err e = {0};
			bool moved = job_move(&j, (enum job_state)to, &e);

			ck_assert_int_eq(moved, in_drawing((enum job_state)from, (enum job_state)to));
			ck_assert_int_eq(j.state, moved ? to : from);
			ck_assert_int_eq(j.rev, moved ? 8 : 7);
			ck_assert_int_eq(e.code, moved ? ERR_NONE : ERR_CONFLICT);
		}
	ck_assert(!job_move_allowed((enum job_state)99, JOB_READY));
	ck_assert(!job_move_allowed(JOB_READY, (enum job_state)99));
}
END_TEST

START_TEST(state_names)
{
	for (int s = JOB_SCHEDULED; s <= JOB_DEAD; s++) {
		enum job_state back;

		ck_assert(job_state_of(job_state_name((enum job_state)s), &back));
		ck_assert_int_eq(back, s);
		ck_assert_int_eq(job_state_is_end((enum job_state)s), s >= JOB_SUCCEEDED);
	}
	enum job_state s;
	ck_assert(!job_state_of("READY", &s));
	ck_assert(!job_state_of("", &s));
	ck_assert_str_eq(job_state_name((enum job_state)99), "unknown");
}
END_TEST

START_TEST(ids_roundtrip_and_sort)
{
	char id[JOB_ID], later[JOB_ID], queue[JOB_NAME];
	int shard;

	job_id_make(id, "kline", 0, 1700000000000, 0xffffffffffffffffULL);
	job_id_make(later, "kline", 0, 1700000000001, 0);
	ck_assert(strcmp(id, later) < 0);
	ck_assert_uint_eq(strlen(id), 5 + 1 + 1 + 20);
	ck_assert(job_id_parse(id, queue, &shard));
	ck_assert_str_eq(queue, "kline");
	ck_assert_int_eq(shard, 0);
	ck_assert_int_eq(job_id_time(later + 7), 1700000000001);
	job_id_make(id, "a_queue_of_23_letters__", 999, INT64_C(1) << 49, 1);
	ck_assert(job_id_parse(id, queue, &shard));
	ck_assert_str_eq(queue, "a_queue_of_23_letters__");
	ck_assert_int_eq(shard, 999);
}
END_TEST

START_TEST(ids_that_are_none)
{
	static const char *const bad[] = {"", "kline", "kline-", "-001hf7yat000000000000", "kline-001hf7yat00000000000", "kline-0000",
	        "kline-0001hf7yat0000000000000000", "kline-1000001hf7yat000000000000", "kline-x01hf7yat000000000000000",
	        "Kline-001hf7yat00000000000a", "kl.ine-001hf7yat00000000000a", "kline-001hf7yat0000000i00000",
	        "kline-001HF7YAT00000000000A", "kline-0 01hf7yat0000000000", "a_queue_of_24_letters___-001hf7yat00000000000ab",
	        "kline--01hf7yat00000000000ab"};
	char queue[JOB_NAME];
	int shard;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(!job_id_parse(bad[i], queue, &shard), "%s was taken for an id", bad[i]);
	ck_assert(!job_id_parse(NULL, queue, &shard));
}
END_TEST

START_TEST(names)
{
	ck_assert(job_name_ok("kline.download"));
	ck_assert(job_queue_ok("back_test2"));
	ck_assert(!job_queue_ok("kline.download"));
	ck_assert(!job_name_ok("Kline"));
	ck_assert(!job_name_ok(""));
	ck_assert(!job_name_ok(NULL));
	ck_assert(!job_name_ok("a-b"));
	ck_assert(job_name_ok("12345678901234567890123"));
	ck_assert(!job_name_ok("123456789012345678901234"));
}
END_TEST

START_TEST(back_off)
{
	ck_assert_int_eq(job_backoff_ms(1, 1000, 300000, 0), 500);
	ck_assert_int_eq(job_backoff_ms(1, 1000, 300000, 0.9999999), 999);
	ck_assert_int_eq(job_backoff_ms(4, 1000, 300000, 0), 4000);
	ck_assert_int_eq(job_backoff_ms(1000, 1000, 300000, 0), 150000);
	ck_assert_int_eq(job_backoff_ms(3, 7000, 5000, 0.5), 3750);
	ck_assert_int_eq(job_backoff_ms(2000000000, 1, INT64_C(1) << 60, 0), INT64_C(1) << 59);
}
END_TEST

START_TEST(as_json)
{
	struct job j = {.id = "default-001hf7yat00000000000ab",
	        .kind = "kline.download",
	        .queue = "default",
	        .state = JOB_RUNNING,
	        .priority = 5,
	        .attempt = 2,
	        .max_attempts = 5,
	        .created_at = 1700000000000,
	        .tags = "a,,b",
	        .progress = {.done = 3, .total = 10, .unit = "bars", .eta_s = -1}};
	struct buf out = {0};
	struct json_writer w = json_writer_on(&out);
	struct err e = {0};
	struct json *back;

	j.params = mem_strdup("{\"symbol\":\"BTCUSDT\"}");
	err_set(&j.error, ERR_TIMEOUT, "no \"answer\"");
	job_to_json(&j, &w, NULL);
	back = json_parse(out.data, out.len, &e);
	ck_assert_msg(back != NULL, "%s", e.text);
	ck_assert_str_eq(json_get_text(back, "state", ""), "running");
	ck_assert_str_eq(json_get_text(json_get(back, "params"), "symbol", ""), "BTCUSDT");
	ck_assert_str_eq(json_get_text(json_get(back, "error"), "code", ""), "timeout");
	ck_assert_str_eq(json_get_text(json_get(back, "error"), "message", ""), "no \"answer\"");
	ck_assert_int_eq(json_get_int(json_get(back, "progress"), "done", 0), 3);
	ck_assert(json_is(json_get(back, "finished_at"), JSON_NULL) && json_get(back, "finished_at"));
	ck_assert(json_is(json_get(back, "result"), JSON_NULL));
	ck_assert_uint_eq(json_count(json_get(back, "tags")), 2);
	json_close(&back);
	buf_close(&out);
	job_close(&j);
	ck_assert_ptr_null(j.params);
	job_close(&j);
}
END_TEST

START_TEST(routes_have_one_spelling)
{
	static const char *const good[] = {"noop", "noop!", "noop/1", "kline.download/2147483647!"};
	static const char *const bad[] = {"", "!", "/1", "noop/", "noop/0", "noop/01", "noop/1x", "noop/-1", "noop/2147483648", "noop!!",
	        "Noop", "noop/1/2", "a:b", "noop !", "abcdefghijklmnopqrstuvwxyz"};
	char kind[JOB_NAME], route[JOB_ROUTE];
	int version;
	bool quarantined;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		ck_assert_msg(job_route_parse(good[i], strlen(good[i]), kind, &version, &quarantined), "%s", good[i]);
		job_route(route, kind, version, quarantined);
		ck_assert_str_eq(route, good[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(!job_route_parse(bad[i], strlen(bad[i]), NULL, NULL, NULL), "%s", bad[i]);
}
END_TEST

static const TTest *const tests[] = {
        every_move, state_names, routes_have_one_spelling, ids_roundtrip_and_sort, ids_that_are_none, names, back_off, as_json};
TEST_MAIN("job", tests)
