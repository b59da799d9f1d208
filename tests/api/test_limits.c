/* test_limits.c -- limits over HTTP: lanes and weights, shared keys and rates, room, sameness, a job's own policy. */
#include "base/mem.h"
#include "tests/api/api_test.h"

#define NOOP "{\"kind\":\"noop\"}"

static int submit(struct api_test *t, const char *more)
{
	char body[600];

	snprintf(body, sizeof body, "{\"kind\":\"noop\"%s%s}", *more ? "," : "", more);
	return api_call(t, "POST", "/api/jobs", body);
}

static int submit_with_key(struct api_test *t, const char *key, const char *body)
{
	char header[512];
	const char *const headers[] = {header, "Content-Type: application/json", NULL};

	snprintf(header, sizeof header, "Idempotency-Key: %s", key);
	return api_call_port(t, t->ports[0], "POST", "/api/jobs", headers, body);
}

START_TEST(lanes_have_weights)
{
	struct api_test t;

	api_start(&t, NULL);
	for (int i = 0; i < 3; i++)
		ck_status(&t, submit(&t, "\"lane\":\"desk 7\",\"priority\":2"), 202);
	ck_status(&t, api_call(&t, "PUT", "/api/queues/default/lanes/desk%207", "{\"weight\":5}"), 200);
	ck_assert_str_eq(api_member(&t, "lane"), "desk 7");
	ck_assert_int_eq(json_get_int(t.json, "weight", 0), 5);
	ck_assert_int_eq(json_get_int(t.json, "ready", 0), 3);
	ck_status(&t, api_get(&t, "/api/queues/default/lanes"), 200);
	ck_contains(api_body(&t), "{\"lane\":\"desk 7\",\"weight\":5,\"ready\":3,\"kind\":\"noop\"");
	ck_contains(api_body(&t), "\"weights\":[{\"lane\":\"desk 7\",\"weight\":5}],\"next_cursor\":null");
	ck_status(&t, api_call(&t, "DELETE", "/api/queues/default/lanes/desk%207", NULL), 200);
	ck_assert_int_eq(json_get_int(t.json, "weight", 0), 1);
	ck_status(&t, api_get(&t, "/api/queues/default/lanes/desk%207"), 200);
	ck_assert_int_eq(json_get_int(t.json, "weight", 0), 1);
	ck_status(&t, api_call(&t, "PUT", "/api/queues/default/lanes/a", "{\"weight\":0}"), 422);
	ck_status(&t, api_call(&t, "PUT", "/api/queues/default/lanes/a", "{\"weight\":1001}"), 422);
	ck_status(&t, api_call(&t, "PUT", "/api/queues/default/lanes/a", "{\"size\":1}"), 422);
	ck_status(&t, api_call(&t, "PUT", "/api/queues/default/lanes/a", "["), 400);
	ck_status(&t, api_call(&t, "PUT", "/api/queues/nowhere/lanes/a", "{\"weight\":2}"), 404);
	ck_status(&t, api_get(&t, "/api/queues/nowhere/lanes"), 404);
	ck_status(&t, api_get(&t, "/api/queues/default/lanes?cursor=rubbish"), 422);
	api_stop(&t);
}
END_TEST

/* What was asked for is shown; and once a claim has parked it, what it waits for. */
START_TEST(a_job_says_what_it_shares)
{
	struct api_test t;
	struct queue_link *l;
	static const char *const kinds[] = {"noop/1", "noop"};
	struct err e = {0};
	char path[100];

	api_start(&t, NULL);
	for (int i = 0; i < 2; i++)
		ck_status(&t,
		        submit(&t, "\"concurrency\":{\"key\":\"k\",\"max\":1},\"rate\":{\"key\":\"r\",\"limit\":10,\"window_ms\":60000}"),
		        202);
	ck_contains(api_body(&t), "\"concurrency\":{\"key\":\"k\",\"max\":1}");
	ck_contains(api_body(&t), "\"rate\":{\"key\":\"r\",\"limit\":10,\"window_ms\":60000,\"cost\":1},\"waiting_on\":null");
	snprintf(path, sizeof path, "/api/jobs/%s", api_member(&t, "id"));
	l = queue_link_open(t.redis.url, NULL, "default", "w1", kinds, 2, &e);
	ck_assert_msg(l != NULL, "%s", e.text);
	struct queue_step step = {.want = 5, .lease_ms = 10000};
	struct queue_step_reply r;
	ck_ok(queue_link_step_begin(l, &step, &e), &e);
	while (!queue_link_step_end(l, &r, &e))
		clock_sleep_ms(1);
	ck_assert_uint_eq(r.n_claims, 1);
	queue_step_reply_close(&r);
	queue_link_close(&l);
	ck_status(&t, api_get(&t, path), 200);
	ck_assert_str_eq(api_member(&t, "state"), "ready");
	ck_contains(api_body(&t), "\"waiting_on\":{\"reason\":\"concurrency\",\"what\":\"k\",\"until\":null}");
	ck_status(&t, api_get(&t, "/api/queues"), 200);
	ck_contains(api_body(&t), "\"parked\":1");
	api_stop(&t);
}
END_TEST

START_TEST(odd_limits_are_refused)
{
	static const char *const bad[] = {"\"concurrency\":{\"key\":\"k\"}", "\"concurrency\":{\"key\":\"k\",\"max\":0}",
	        "\"concurrency\":{\"key\":\"\",\"max\":1}", "\"concurrency\":{\"key\":\"k\",\"max\":1,\"x\":1}", "\"concurrency\":5",
	        "\"concurrency\":{\"key\":\"=k\",\"max\":1}", "\"rate\":{\"key\":\"r\"}",
	        "\"rate\":{\"key\":\"r\",\"limit\":1,\"window_ms\":10,\"cost\":2}", "\"rate\":{\"key\":\"r\",\"limit\":1,\"window_ms\":0}",
	        "\"unique\":\"keep_newest\"", "\"unique\":\"keep_newest\",\"unique_key\":\"u\",\"concurrency\":{\"key\":\"k\",\"max\":1}",
	        "\"max_crashes\":0", "\"quarantine_after\":0", "\"time_limit_ms\":0", "\"time_limit_ms\":2,\"hard_limit_ms\":1",
	        "\"backoff_ms\":-1", "\"result_ttl_ms\":5"};
	struct api_test t;

	api_start(&t, NULL);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int status = submit(&t, bad[i]);

		ck_assert_msg(status == 422, "%s: %d %s", bad[i], status, api_body(&t));
	}
	api_stop(&t);
}
END_TEST

START_TEST(a_job_has_its_own_policy)
{
	struct api_test t;

	api_start(&t, NULL);
	ck_status(&t,
	        submit(&t,
	                "\"max_attempts\":7,\"max_crashes\":2,\"backoff_ms\":5,\"backoff_cap_ms\":50,\"result_ttl_ms\":60000,\"quarantine_after\":2"),
	        202);
	ck_contains(api_body(&t), "\"max_attempts\":7");
	ck_contains(api_body(&t), "\"quarantine_after\":2");
	ck_contains(api_body(&t), "\"max_crashes\":2,\"backoff_ms\":5,\"backoff_cap_ms\":50,\"result_ttl_ms\":60000");
	ck_status(&t, submit(&t, ""), 202);
	ck_contains(api_body(&t), "\"max_crashes\":3");
	ck_contains(api_body(&t), "\"quarantine_after\":1");
	ck_contains(api_body(&t), "\"result_ttl_ms\":null");
	ck_contains(api_body(&t), "\"concurrency\":null");
	ck_status(&t, submit(&t, "\"params\":{\"alone\":\"x\"}"), 202); /* a kind's own key, unless the submission has one */
	ck_contains(api_body(&t), "\"concurrency\":{\"key\":\"noop x\",\"max\":1}");
	ck_status(&t, submit(&t, "\"params\":{\"alone\":\"x\"},\"concurrency\":{\"key\":\"y\",\"max\":2}"), 202);
	ck_contains(api_body(&t), "\"concurrency\":{\"key\":\"y\",\"max\":2}");
	api_stop(&t);
}
END_TEST

/* Each limit has its status, its sentence, and says when to come again. */
/* What is left is said with each answer, by the call that submitted. */
START_TEST(room_is_told)
{
	static const char *const settings[] = {"QUEUE_MAX_LENGTH=3", "QUEUE_MAX_LANE=2", "QUEUE_MAX_BYTES=10000", NULL};
	static const char policy[] = "\"queue\";q=3, \"queue-bytes\";q=10000;qu=\"content-bytes\"";
	char h[512], wanted[200];
	struct api_test t;

	api_start(&t, settings);
	snprintf(wanted, sizeof wanted, "%s, \"lane\";q=2", policy);
	ck_status(&t, submit(&t, "\"lane\":\"a\",\"params\":{\"sleep_ms\":7}"), 202);
	ck_assert_str_eq(api_member(&t, "lane"), "a");
	ck_assert_str_eq(api_header(&t, "ratelimit-policy", h), wanted);
	char *params = json_to_text(json_get(t.json, "params"));
	snprintf(wanted, sizeof wanted, "\"queue\";r=2, \"queue-bytes\";r=%zu, \"lane\";r=1", 10000 - strlen(params));
	mem_free(&params);
	ck_assert_str_eq(api_header(&t, "ratelimit", h), wanted);
	ck_status(&t, submit(&t, "\"lane\":\"a\""), 202);
	ck_assert_msg(str_starts(api_header(&t, "ratelimit", h), "\"queue\";r=1, "), "%s", h);
	ck_assert_msg(str_ends(h, ", \"lane\";r=0"), "%s", h);
	ck_status(&t, submit(&t, "\"lane\":\"a\""), 429);
	ck_assert_msg(str_starts(api_header(&t, "ratelimit", h), "\"queue\";r=1, ") && str_ends(h, ", \"lane\";r=0"), "%s", h);
	ck_status(&t, submit(&t, ""), 202);
	ck_contains(api_body(&t), "\"lane\":null");
	ck_assert_str_eq(api_header(&t, "ratelimit-policy", h), policy);
	ck_assert_msg(str_starts(api_header(&t, "ratelimit", h), "\"queue\";r=0, "), "%s", h);
	ck_status(&t, submit(&t, ""), 503);
	ck_contains(api_member(&t, "detail"), "queue default is full: 3 jobs wait in it, the most that may");
	ck_assert_msg(str_starts(api_header(&t, "ratelimit", h), "\"queue\";r=0, "), "%s", h);
	ck_assert_str_ne(api_header(&t, "retry-after", h), "");
	ck_status(&t, submit(&t, "\"params\":{\"nothing\":1}"), 422); /* the queue was not asked */
	ck_assert_str_eq(api_header(&t, "ratelimit", h), "");
	api_stop(&t);
}
END_TEST

START_TEST(what_is_too_much_is_refused)
{
	const char *const settings[] = {"QUEUE_MAX_LANE=2", "QUEUE_MAX_PARAMS=280", "QUEUE_MAX_BYTES=1000", NULL};
	char big[400], h[512];
	struct api_test t;

	api_start(&t, settings);
	ck_status(&t, submit(&t, "\"lane\":\"a\""), 202);
	ck_status(&t, submit(&t, "\"lane\":\"a\",\"priority\":1"), 202);
	ck_status(&t, submit(&t, "\"lane\":\"a\""), 429);
	ck_assert_str_ne(api_header(&t, "retry-after", h), "");
	ck_contains(api_member(&t, "detail"), "2 jobs of this lane and kind are ready, the most that may be");
	ck_status(&t, submit(&t, "\"lane\":\"b\""), 202);
	snprintf(big, sizeof big, "\"params\":{\"payload\":\"%0250d\"}", 0);
	ck_status(&t, submit(&t, big), 413);
	ck_contains(api_member(&t, "detail"), "280 bytes");
	snprintf(big, sizeof big, "\"params\":{\"payload\":\"%050d\"}", 0);
	int status = 202, taken = 0;
	for (; status == 202 && taken < 10; taken++)
		status = submit(&t, big);
	ck_assert_int_eq(status, 503);
	ck_contains(api_member(&t, "detail"), "may have 1000 bytes together, of which ");
	ck_assert_int_gt(taken, 1);
	ck_assert_str_ne(api_header(&t, "retry-after", h), "");
	api_stop(&t);
}
END_TEST

/* A job's own limits of time: shown, a part of what is asked for, and within what its kind may take. */
START_TEST(a_job_has_its_own_time)
{
	struct api_test t;

	api_start(&t, NULL);
	ck_status(&t, submit(&t, "\"time_limit_ms\":90000,\"hard_limit_ms\":120000"), 202);
	ck_contains(api_body(&t), "\"time_limit_ms\":90000,\"hard_limit_ms\":120000,");
	ck_status(&t, submit(&t, "\"hard_limit_ms\":93600000"), 202);
	ck_contains(api_body(&t), "\"time_limit_ms\":null,\"hard_limit_ms\":93600000,");
	ck_status(&t, submit(&t, "\"hard_limit_ms\":93600001"), 422);
	ck_assert_str_eq(
	        api_member(&t, "detail"), "hard_limit_ms is 93600001, but a job of kind noop may take at most 93600000 ms (1 d 2 h)");
	ck_status(&t, submit(&t, "\"time_limit_ms\":93600001"), 422);
	ck_contains(api_member(&t, "detail"), "time_limit_ms is 93600001");
	ck_status(&t, submit(&t, "\"time_limit_ms\":2000,\"hard_limit_ms\":1000"), 422);
	ck_assert_str_eq(api_member(&t, "detail"), "time_limit_ms is 2000, but must not be more than hard_limit_ms, 1000");
	ck_status(&t, submit_with_key(&t, "k", "{\"kind\":\"noop\",\"time_limit_ms\":1000}"), 202);
	ck_status(&t, submit_with_key(&t, "k", "{\"kind\":\"noop\",\"time_limit_ms\":2000}"), 422);
	api_stop(&t);
}
END_TEST

START_TEST(keys_are_strings)
{
	static const char *const bad[] = {"\"open", "open\"", "\"a\"b\"", "\"a\\x\"", "\"\\\"", "a b", "\"\"", "\"tab\there\""};
	struct api_test t;
	char id[JOB_ID], h[512];

	api_start(&t, NULL);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int status = submit_with_key(&t, bad[i], NOOP);

		ck_assert_msg(status == 400, "%s: %d %s", bad[i], status, api_body(&t));
	}
	ck_status(&t, submit_with_key(&t, "\"two words \\\"and\\\" \\\\\"", NOOP), 202);
	ck_assert(str_copy(id, sizeof id, api_member(&t, "id")));
	ck_assert_str_eq(api_member(&t, "idempotency_key"), "two words \"and\" \\");
	ck_status(&t, submit_with_key(&t, "\"two words \\\"and\\\" \\\\\"", NOOP), 202);
	ck_assert_str_eq(api_member(&t, "id"), id);
	ck_assert_str_eq(api_header(&t, "idempotent-replayed", h), "true");
	ck_status(&t, submit_with_key(&t, "\"two words \\\"and\\\" \\\\\"", "{\"kind\":\"noop\",\"max_attempts\":9}"), 422);
	api_stop(&t);
}
END_TEST

START_TEST(only_the_newest_waits)
{
	struct api_test t;
	char first[JOB_ID], path[100];

	api_start(&t, NULL);
	ck_status(&t, submit(&t, "\"unique\":\"keep_newest\",\"unique_key\":\"u\""), 202);
	ck_assert(str_copy(first, sizeof first, api_member(&t, "id")));
	ck_status(&t, submit(&t, "\"unique\":\"keep_newest\",\"unique_key\":\"u\""), 202);
	ck_assert_str_ne(api_member(&t, "id"), first);
	snprintf(path, sizeof path, "/api/jobs/%s", first);
	ck_status(&t, api_get(&t, path), 200);
	ck_assert_str_eq(api_member(&t, "state"), "cancelled");
	api_stop(&t);
}
END_TEST

static const TTest *const tests[] = {lanes_have_weights, a_job_says_what_it_shares, odd_limits_are_refused, a_job_has_its_own_policy,
        room_is_told, what_is_too_much_is_refused, a_job_has_its_own_time, keys_are_strings, only_the_newest_waits};
TEST_MAIN("limits", tests)
