/* test_schedules.c -- schedules over HTTP: made, shown, changed under revisions, paused, run, deleted; and what is refused. */
#include "queue/schedule.h"
#include "tests/api/api_test.h"

#define HOURLY "{\"kind\":\"noop\",\"cron\":\"0 * * * *\",\"tags\":[\"a\",\"b\"]}"

static int call_with(struct api_test *t, const char *method, const char *path, const char *header, const char *body)
{
	const char *headers[] = {"Content-Type: application/json", header, NULL};

	return api_call_port(t, t->ports[0], method, path, headers, body);
}

START_TEST(a_schedule_lives_over_http)
{
	struct api_test t;
	char h[512];

	api_start(&t, NULL);
	ck_status(&t, api_get(&t, "/api/schedules"), 200);
	ck_assert_str_eq(api_body(&t), "{\"schedules\":[],\"next_cursor\":null}");
	ck_status(&t, api_get(&t, "/api/schedules/s"), 404);
	ck_assert(str_starts(api_member(&t, "type"), "urn:barque:problem:"));
	ck_status(&t, call_with(&t, "PUT", "/api/schedules/s", NULL, HOURLY), 201);
	ck_assert_str_eq(api_header(&t, "location", h), "/api/schedules/s");
	ck_assert_str_eq(api_header(&t, "etag", h), "\"1\"");
	ck_assert_str_eq(api_member(&t, "cron"), "0 * * * *");
	ck_assert_str_eq(api_member(&t, "queue"), "default");
	ck_assert_str_eq(api_member(&t, "missed"), "skip");
	ck_assert_str_eq(api_member(&t, "tags"), "a,b");
	ck_assert_uint_eq(json_count(json_get(t.json, "next")), 5);
	ck_assert_int_eq(json_get_int(t.json, "next_at", 0) % 3600000, 0);
	ck_assert_int_gt(json_get_int(t.json, "next_at", 0), clock_now_ms() - 1000);
	ck_status(&t, call_with(&t, "PUT", "/api/schedules/s", NULL, HOURLY), 200); /* the same again */
	ck_assert_str_eq(api_header(&t, "etag", h), "\"1\"");
	ck_status(&t, call_with(&t, "PUT", "/api/schedules/s", "If-None-Match: *", HOURLY), 412);
	ck_status(&t, api_call(&t, "POST", "/api/schedules", "{\"name\":\"s\",\"kind\":\"noop\",\"every\":\"15m\"}"), 409);
	ck_status(&t, api_call(&t, "POST", "/api/schedules", "{\"name\":\"r\",\"kind\":\"noop\",\"every\":\"15m\"}"), 201);
	ck_assert_str_eq(api_member(&t, "every"), "15m");
	ck_status(&t, api_get(&t, "/api/schedules?limit=1"), 200);
	ck_assert_str_eq(json_get_text(json_at(json_get(t.json, "schedules"), 0), "name", ""), "r");
	ck_assert_str_eq(api_member(&t, "next_cursor"), "r");
	ck_status(&t, api_get(&t, "/api/schedules?cursor=r"), 200);
	ck_assert_uint_eq(json_count(json_get(t.json, "schedules")), 1);
	ck_status(&t, call_with(&t, "DELETE", "/api/schedules/s", "If-Match: \"2\"", NULL), 412);
	ck_status(&t, call_with(&t, "DELETE", "/api/schedules/s", "If-Match: \"1\"", NULL), 204);
	ck_status(&t, api_call(&t, "DELETE", "/api/schedules/s", NULL), 404);
	api_stop(&t);
}
END_TEST

START_TEST(parts_of_it_are_changed)
{
	struct api_test t;
	char h[512];

	api_start(&t, NULL);
	ck_status(&t, call_with(&t, "PUT", "/api/schedules/s", NULL, "{\"kind\":\"noop\",\"every\":\"1h\",\"params\":{\"sleep_ms\":5}}"),
	        201);
	ck_status(&t, call_with(&t, "PATCH", "/api/schedules/s", NULL, "{\"priority\":2,\"missed\":\"once\"}"), 200);
	ck_assert_str_eq(api_header(&t, "etag", h), "\"2\"");
	ck_assert_int_eq(json_get_int(t.json, "priority", -1), 2);
	ck_assert_str_eq(api_member(&t, "every"), "1h");
	ck_assert_int_eq(json_get_int(json_get(t.json, "params"), "sleep_ms", 0), 5);
	ck_status(&t, call_with(&t, "PATCH", "/api/schedules/s", "If-Match: \"1\"", "{\"priority\":3}"), 412);
	ck_status(&t, call_with(&t, "PATCH", "/api/schedules/s", "If-Match: \"2\"", "{\"cron\":\"@daily\"}"), 200);
	ck_assert_str_eq(api_member(&t, "cron"), "@daily");
	ck_assert(!json_get(t.json, "every"));
	ck_assert_int_eq(json_get_int(t.json, "next_at", 0) % 86400000, 0);
	ck_status(&t, call_with(&t, "PATCH", "/api/schedules/s", NULL, "{\"paused\":true}"), 200);
	ck_assert(json_get_bool(t.json, "paused", false));
	ck_assert_uint_eq(json_count(json_get(t.json, "next")), 0);
	ck_status(&t, api_call(&t, "POST", "/api/schedules/s/resume", NULL), 200);
	ck_assert(!json_get_bool(t.json, "paused", true));
	ck_status(&t, api_call(&t, "POST", "/api/schedules/s/pause", NULL), 200);
	ck_assert(json_get_bool(t.json, "paused", false));
	ck_status(&t, call_with(&t, "PATCH", "/api/schedules/s", NULL, "{\"kind\":\"kline.integrity\",\"params\":{\"interval\":\"1h\"}}"),
	        409);
	ck_status(&t, call_with(&t, "PATCH", "/api/schedules/x", NULL, "{\"paused\":true}"), 404);
	ck_status(&t, api_call(&t, "POST", "/api/schedules/s/run", NULL), 202);
	ck_assert_str_eq(json_text(json_at(json_get(t.json, "tags"), 0)), "schedule:s");
	ck_assert_str_eq(api_member(&t, "state"), "ready");
	char id[JOB_ID];
	ck_assert(str_copy(id, sizeof id, api_member(&t, "id")));
	ck_status(&t, api_get(&t, "/api/schedules/s"), 200);
	ck_assert_str_eq(api_member(&t, "last_job"), id);
	ck_assert_int_eq(json_get_int(t.json, "jobs", 0), 1);
	ck_status(&t, api_call(&t, "POST", "/api/schedules/x/run", NULL), 404);
	ck_status(&t, api_call(&t, "POST", "/api/schedules/x/pause", NULL), 404);
	api_stop(&t);
}
END_TEST

/* All that a submission may say of a job a schedule says of its jobs: kept, shown, given to each, and taken back with null. */
START_TEST(its_jobs_have_options)
{
	struct api_test t;

	api_start(&t, NULL);
	ck_status(&t,
	        call_with(&t, "PUT", "/api/schedules/s", NULL,
	                "{\"kind\":\"noop\",\"every\":\"1h\",\"params\":{\"alone\":\"x\"},\"lane\":\"desk\",\"max_crashes\":5,\"quarantine_after\":2,"
	                "\"backoff_ms\":5,\"result_ttl_ms\":60000,\"time_limit_ms\":7000,\"concurrency\":{\"key\":\"k\",\"max\":2},"
	                "\"rate\":{\"key\":\"r\",\"limit\":9,\"window_ms\":1000},\"unique_key\":\"u\",\"unique\":\"replace\"}"),
	        201);
	ck_status(&t, api_get(&t, "/api/schedules/s"), 200);
	ck_contains(api_body(&t),
	        "\"priority\":5,\"max_attempts\":3,\"max_crashes\":5,\"quarantine_after\":2,\"backoff_ms\":5,"
	        "\"result_ttl_ms\":60000,\"time_limit_ms\":7000,\"lane\":\"desk\",\"unique_key\":\"u\",\"unique\":\"replace\","
	        "\"concurrency\":{\"key\":\"k\",\"max\":2},\"rate\":{\"key\":\"r\",\"limit\":9,\"window_ms\":1000,\"cost\":1}");
	ck_status(&t, api_call(&t, "POST", "/api/schedules/s/run", NULL), 202);
	ck_contains(api_body(&t),
	        "\"max_crashes\":5,\"backoff_ms\":5,\"backoff_cap_ms\":5000,\"result_ttl_ms\":60000,\"quarantine_after\":2,"
	        "\"time_limit_ms\":7000,\"hard_limit_ms\":null,\"concurrency\":{\"key\":\"k\",\"max\":2},"
	        "\"rate\":{\"key\":\"r\",\"limit\":9,\"window_ms\":1000,\"cost\":1}");
	ck_assert_str_eq(api_member(&t, "unique_key"), "u");
	/* Without one of its own the kind's key holds, and follows the parameters. */
	ck_status(&t,
	        call_with(
	                &t, "PATCH", "/api/schedules/s", NULL, "{\"concurrency\":null,\"unique_key\":null,\"unique\":null,\"rate\":null}"),
	        200);
	ck_assert(!json_get(t.json, "concurrency") && !json_get(t.json, "rate") && !json_get(t.json, "unique_key"));
	ck_assert_int_eq(json_get_int(t.json, "time_limit_ms", 0), 7000);
	ck_status(&t, call_with(&t, "PATCH", "/api/schedules/s", NULL, "{\"params\":{\"alone\":\"y\"}}"), 200);
	ck_status(&t, api_call(&t, "POST", "/api/schedules/s/run", NULL), 202);
	ck_contains(api_body(&t), "\"concurrency\":{\"key\":\"noop y\",\"max\":1}");
	api_stop(&t);
}
END_TEST

START_TEST(what_is_wrong_is_said)
{
	static const struct {
		const char *body, *says;
	} wrong[] = {
	        {"{\"kind\":\"noop\"}", "cron or every"},
	        {"{\"kind\":\"noop\",\"cron\":\"@daily\",\"every\":\"1h\"}", "cron or every"},
	        {"{\"kind\":\"noop\",\"cron\":\"@daily\",\"start\":\"2026-01-01\"}", "start only with every"},
	        {"{\"kind\":\"noop\",\"cron\":\"61 * * * *\"}", "minute"},
	        {"{\"kind\":\"noop\",\"cron\":\"0 0 30 2 *\"}", "no time that ever comes"},
	        {"{\"kind\":\"noop\",\"cron\":\"TZ=Asia/Shanghai 0 0 * * *\"}", "UTC"},
	        {"{\"kind\":\"noop\",\"cron\":\"@daily\",\"timezone\":\"Asia/Shanghai\"}", "Asia/Shanghai"},
	        {"{\"kind\":\"noop\",\"every\":\"1\"}", "interval"},
	        {"{\"kind\":\"nope\",\"every\":\"1h\"}", "there is no kind 'nope'"},
	        {"{\"kind\":\"noop\",\"every\":\"1h\",\"params\":{\"sleep\":1}}", "sleep"},
	        {"{\"kind\":\"noop\",\"every\":\"1h\",\"missed\":\"twice\"}", "missed"},
	        {"{\"kind\":\"noop\",\"every\":\"1h\",\"crom\":1}", "crom"},
	        {"{\"kind\":\"noop\",\"every\":\"1h\",\"name\":\"other\"}", "other"},
	        {"{\"kind\":\"noop\",\"every\":\"1h\",\"tags\":[\"a,b\"]}", "tags"},
	        {"{\"kind\":\"noop\",\"every\":\"1h\",\"concurrency\":{\"key\":\"k\"}}", "max is missing"},
	        {"{\"kind\":\"noop\",\"every\":\"1h\",\"rate\":{\"key\":\"r\",\"limit\":1,\"window_ms\":9,\"cost\":2}}",
	                "rate: a cost of 2"},
	        {"{\"kind\":\"noop\",\"every\":\"1h\",\"time_limit_ms\":93600001}", "may take at most"},
	        {"{\"kind\":\"noop\",\"every\":\"1h\",\"overlap\":\"skip\",\"unique_key\":\"u\"}", "overlap skip or unique_key"},
	        {"{\"kind\":\"noop\",\"every\":\"1h\",\"unique\":\"keep_newest\"}", "unique_key says which are the same"},
	};
	struct api_test t;

	api_start(&t, NULL);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		ck_status(&t, call_with(&t, "PUT", "/api/schedules/s", NULL, wrong[i].body), 422);
		ck_assert_msg(strstr(api_member(&t, "detail"), wrong[i].says), "%s: %s", wrong[i].body, api_member(&t, "detail"));
	}
	ck_status(&t, call_with(&t, "PUT", "/api/schedules/a%20b", NULL, HOURLY), 422);
	ck_status(&t, api_call(&t, "POST", "/api/schedules", HOURLY), 422);
	ck_contains(api_member(&t, "detail"), "name is required");
	ck_status(&t, call_with(&t, "PUT", "/api/schedules/s", "If-Match: 1", HOURLY), 412);
	ck_status(&t, call_with(&t, "PUT", "/api/schedules/s", "If-Match: \"1\"", HOURLY), 412);
	ck_status(&t, call_with(&t, "PUT", "/api/schedules/s", NULL, "{"), 400);
	ck_status(&t, api_get(&t, "/api/schedules"), 200);
	ck_assert_uint_eq(json_count(json_get(t.json, "schedules")), 0);
	api_stop(&t);
}
END_TEST

/* Made by a program that knew more kinds. */
START_TEST(a_kind_that_is_no_more_is_told)
{
	struct api_test t;
	struct err e = {0};
	struct queue_schedule s = {.name = "old", .kind = "gone.kind", .queue = "default", .every_ms = 3600000, .priority = 5};

	api_start(&t, NULL);
	struct queue *q = queue_open(t.redis.url, NULL, &e);
	ck_assert_msg(q && queue_schedule_put(q, &s, 0, &e), "%s", e.text);
	queue_schedule_close(&s);
	queue_close(&q);
	ck_status(&t, api_get(&t, "/api/schedules/old"), 200);
	ck_contains(api_member(&t, "problem"), "gone.kind");
	ck_status(&t, api_call(&t, "POST", "/api/schedules/old/run", NULL), 409);
	ck_status(&t, api_call(&t, "POST", "/api/schedules/old/pause", NULL), 200);
	ck_status(&t, call_with(&t, "PATCH", "/api/schedules/old", NULL, "{\"kind\":\"noop\"}"), 200);
	ck_assert(!json_text(json_get(t.json, "problem")));
	s = (struct queue_schedule){
	        .name = "new", .kind = "noop", .kind_version = 999, .queue = "default", .every_ms = 3600000, .priority = 5};
	ck_assert((q = queue_open(t.redis.url, NULL, &e)) != NULL);
	ck_ok(queue_schedule_put(q, &s, 0, &e), &e);
	queue_schedule_close(&s);
	queue_close(&q);
	ck_status(&t, api_get(&t, "/api/schedules/new"), 200);
	ck_contains(api_member(&t, "problem"), "version 999");
	api_stop(&t);
}
END_TEST

static const TTest *const tests[] = {
        a_schedule_lives_over_http, parts_of_it_are_changed, its_jobs_have_options, what_is_wrong_is_said, a_kind_that_is_no_more_is_told};
TEST_MAIN("schedules", tests)
