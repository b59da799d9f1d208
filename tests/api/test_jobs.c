/* test_jobs.c -- the job API: submit, refuse, repeat, list, look, cancel, run again. */
#include "tests/api/api_test.h"

#define NOOP  "{\"kind\":\"noop\"}"
#define LATER "{\"kind\":\"noop\",\"delay_ms\":3600000"

static void submit_refused(struct api_test *t, const char *body, int status, const char *part)
{
	ck_status(t, api_call(t, "POST", "/api/jobs", body), status);
	ck_contains(api_member(t, "detail"), part);
	ck_assert_int_eq(json_get_int(t->json, "status", 0), status);
	ck_assert(str_starts(api_member(t, "type"), "urn:barque:problem:"));
}

START_TEST(a_job_is_accepted)
{
	struct api_test t;
	char h[512];

	api_start(&t, NULL);
	ck_status(&t,
	        api_call(&t, "POST", "/api/jobs",
	                "{\"kind\":\"noop\",\"priority\":2,\"tags\":[\"a\",\"b\"],\"lane\":\"x\",\"max_attempts\":7}"),
	        202);
	ck_assert_str_eq(api_member(&t, "state"), "ready");
	ck_assert_str_eq(api_member(&t, "kind"), "noop");
	ck_assert_int_eq(json_get_int(t.json, "priority", 0), 2);
	ck_assert_int_eq(json_get_int(t.json, "max_attempts", 0), 7);
	ck_assert_str_eq(json_text(json_at(json_get(t.json, "tags"), 1)), "b");
	ck_assert(str_starts(api_header(&t, "location", h), "/api/jobs/"));
	ck_assert_str_eq(h + strlen("/api/jobs/"), api_member(&t, "id"));
	ck_assert_str_ne(api_header(&t, "retry-after", h), "");
	char path[600];
	snprintf(path, sizeof path, "/api/jobs/%s", api_member(&t, "id"));
	ck_status(&t, api_get(&t, path), 200);
	ck_status(&t, api_get(&t, "/api/queues"), 200);
	ck_contains(api_body(&t), "\"ready\":1");
	ck_status(&t, api_get(&t, "/metrics"), 200);
	ck_contains(api_body(&t), "barque_jobs_submitted_total{kind=\"noop\"} 1");
	api_stop(&t);
}
END_TEST

/* As the API itself tells times, and as other programs do. */
START_TEST(a_moment_may_be_told_in_many_ways)
{
	static const char *const ways[] = {"4102444800250", "\"4102444800250\"", "\"2100-01-01T00:00:00.250Z\"",
	        "\"2100-01-01T02:00:00.250999+02:00\"", "\"2100-01-01 00:00:00.25\""};
	struct api_test t;
	char body[100], id[JOB_ID];

	api_start(&t, NULL);
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		snprintf(body, sizeof body, "{\"kind\":\"noop\",\"run_at\":%s}", ways[i]);
		api_submit(&t, body, id);
		ck_assert_int_eq(json_get_int(t.json, "run_at", 0), 4102444800250);
	}
	ck_status(&t, api_get(&t, "/api/dead?from=1767225600000&to=4102444800250"), 200);
	ck_status(&t, api_get(&t, "/api/history?from=1767225600000&to=4102444800250"), 200);
	ck_status(&t, api_get(&t, "/api/dead?from=1767225600"), 422);
	api_stop(&t);
}
END_TEST

START_TEST(bad_submissions_are_refused)
{
	struct api_test t;

	api_start(&t, NULL);
	submit_refused(&t, "{}", 422, "kind");
	submit_refused(&t, "{\"kind\":7}", 422, "kind");
	submit_refused(&t, "{\"kind\":\"\"}", 422, "kind");
	submit_refused(&t, "{\"kind\":\"no.such\"}", 422, "there is no kind 'no.such'");
	submit_refused(&t, "{\"kind\":\"noop\",\"params\":[]}", 422, "params");
	submit_refused(&t, "{\"kind\":\"noop\",\"params\":{\"nonsense\":1}}", 422, "nonsense");
	submit_refused(&t, "{\"kind\":\"noop\",\"parms\":{}}", 422, "parms");
	submit_refused(&t, "{\"kind\":\"noop\",\"priority\":10}", 422, "priority");
	submit_refused(&t, "{\"kind\":\"noop\",\"priority\":-1}", 422, "priority");
	submit_refused(&t, "{\"kind\":\"noop\",\"priority\":\"5\"}", 422, "priority");
	submit_refused(&t, "{\"kind\":\"noop\",\"priority\":1.5}", 422, "priority");
	submit_refused(&t, "{\"kind\":\"noop\",\"delay_ms\":-1}", 422, "delay_ms");
	submit_refused(&t, "{\"kind\":\"noop\",\"run_at\":\"tomorrow\"}", 422, "run_at");
	submit_refused(&t, "{\"kind\":\"noop\",\"run_at\":\"2100-01-01\",\"delay_ms\":5}", 422, "not both");
	submit_refused(&t, "{\"kind\":\"noop\",\"max_attempts\":0}", 422, "max_attempts");
	submit_refused(&t, "{\"kind\":\"noop\",\"tags\":[\"a,b\"]}", 422, "commas");
	submit_refused(&t, "{\"kind\":\"noop\",\"tags\":[7]}", 422, "tags");
	submit_refused(&t, "{\"kind\":\"noop\",\"run_at\":1767225600}", 422, "or milliseconds since 1970"); /* seconds */
	submit_refused(&t, "{\"kind\":\"noop\",\"unique\":\"maybe\"}", 422, "unique");
	submit_refused(&t, "{\"kind\":\"noop\",\"unique\":\"replace\"}", 422, "unique_key says which are the same");
	submit_refused(&t, "{\"kind\":\"noop\",\"lane\":\"\"}", 422, "lane");
	submit_refused(&t, "{\"kind\":\"kline.download\",\"params\":{\"interval\":\"1x\"}}", 422, "interval");
	submit_refused(&t, "{\"kind\":\"backtest.run\",\"params\":{\"strategy\":\"none\"}}", 422, "strategy");
	ck_status(&t, api_get(&t, "/api/jobs"), 200);
	ck_assert_uint_eq(json_count(json_get(t.json, "jobs")), 0);
	api_stop(&t);
}
END_TEST

static int submit_with_key(struct api_test *t, const char *key, const char *body)
{
	char header[512];
	const char *const headers[] = {header, "Content-Type: application/json", NULL};

	snprintf(header, sizeof header, "Idempotency-Key: %s", key);
	return api_call_port(t, t->ports[0], "POST", "/api/jobs", headers, body);
}

START_TEST(an_idempotency_key_is_one_job)
{
	struct api_test t;
	char first[JOB_ID], h[512];
	char long_key[300];

	api_start(&t, NULL);
	memset(long_key, 'k', 250);
	long_key[250] = '\0';
	ck_status(&t, submit_with_key(&t, "order-1", NOOP), 202);
	ck_assert(str_copy(first, sizeof first, api_member(&t, "id")));
	ck_assert_str_eq(api_header(&t, "idempotent-replayed", h), "");
	ck_status(&t, submit_with_key(&t, "\"order-1\"", NOOP), 202);
	ck_assert_str_eq(api_member(&t, "id"), first);
	ck_assert_str_eq(api_header(&t, "idempotent-replayed", h), "true");
	ck_status(&t, submit_with_key(&t, "order-1", "{\"kind\":\"noop\",\"priority\":1}"), 422);
	ck_contains(api_member(&t, "detail"), "order-1");
	ck_status(&t, submit_with_key(&t, "order-2", NOOP), 202);
	ck_assert_str_ne(api_member(&t, "id"), first);
	ck_status(&t, submit_with_key(&t, "\"\"", NOOP), 400);
	ck_status(&t, submit_with_key(&t, "a b", NOOP), 400);
	ck_status(&t, submit_with_key(&t, long_key, NOOP), 400);
	api_stop(&t);
}
END_TEST

START_TEST(a_unique_key_is_one_live_job)
{
	struct api_test t;
	char first[JOB_ID], path[100];

	api_start(&t, NULL);
	api_submit(&t, "{\"kind\":\"noop\",\"unique_key\":\"u\"}", first);
	ck_status(&t, api_call(&t, "POST", "/api/jobs", "{\"kind\":\"noop\",\"unique_key\":\"u\"}"), 202);
	ck_assert_str_eq(api_member(&t, "id"), first);
	submit_refused(&t, "{\"kind\":\"noop\",\"unique_key\":\"u\",\"unique\":\"reject\"}", 409, first);
	snprintf(path, sizeof path, "/api/jobs/%s", first);
	ck_status(&t, api_call(&t, "DELETE", path, NULL), 200);
	ck_status(&t, api_call(&t, "POST", "/api/jobs", "{\"kind\":\"noop\",\"unique_key\":\"u\",\"unique\":\"reject\"}"), 202);
	ck_assert_str_ne(api_member(&t, "id"), first);
	api_stop(&t);
}
END_TEST

START_TEST(a_full_queue_says_when_to_come_back)
{
	struct api_test t;
	char id[JOB_ID], h[512];

	api_start(&t, (const char *const[]){"QUEUE_MAX_LENGTH=2", NULL});
	api_submit(&t, NOOP, id);
	api_submit(&t, NOOP, id);
	submit_refused(&t, NOOP, 503, "full");
	ck_assert_str_ne(api_header(&t, "retry-after", h), "");
	api_stop(&t);
}
END_TEST

START_TEST(if_none_match_spares_the_answer)
{
	struct api_test t;
	char id[JOB_ID], path[100], h[512], header[600];
	const char *const headers[] = {header, NULL};

	api_start(&t, NULL);
	api_submit(&t, LATER "}", id);
	snprintf(path, sizeof path, "/api/jobs/%s", id);
	ck_status(&t, api_get(&t, path), 200);
	ck_assert_str_eq(api_member(&t, "state"), "scheduled");
	snprintf(header, sizeof header, "If-None-Match: %s", api_header(&t, "etag", h));
	ck_assert_str_ne(h, "");
	ck_status(&t, api_call_port(&t, t.ports[0], "GET", path, headers, NULL), 304);
	ck_assert_uint_eq(t.answer.body.len, 0);
	ck_status(&t, api_call(&t, "DELETE", path, NULL), 200);
	ck_assert_str_eq(api_member(&t, "state"), "cancelled");
	ck_status(&t, api_call_port(&t, t.ports[0], "GET", path, headers, NULL), 200);
	api_stop(&t);
}
END_TEST

START_TEST(cancel_and_replay)
{
	struct api_test t;
	char id[JOB_ID], path[100], cancel[110], replay[110], result[110];

	api_start(&t, NULL);
	api_submit(&t, LATER "}", id);
	snprintf(path, sizeof path, "/api/jobs/%s", id);
	snprintf(cancel, sizeof cancel, "%s/cancel", path);
	snprintf(replay, sizeof replay, "%s/replay", path);
	snprintf(result, sizeof result, "%s/result", path);
	ck_status(&t, api_get(&t, result), 409);
	ck_contains(api_member(&t, "detail"), "scheduled");
	ck_status(&t, api_call(&t, "POST", replay, ""), 409);
	ck_status(&t, api_call(&t, "POST", cancel, ""), 200);
	ck_assert_str_eq(api_member(&t, "state"), "cancelled");
	ck_status(&t, api_get(&t, result), 409);
	ck_status(&t, api_call(&t, "POST", replay, ""), 202);
	ck_assert_str_eq(api_member(&t, "state"), "ready");
	api_stop(&t);
}
END_TEST

START_TEST(unknown_jobs_are_404)
{
	static const char *const paths[] = {"/api/jobs/x", "/api/jobs/default-0", "/api/jobs/%7b%7d",
	        "/api/jobs/default-0aaaaaaaaaaaaaaaaaaa/result", "/api/jobs/default-000000000000000000000"};
	struct api_test t;
	char made[JOB_ID], path[100];

	api_start(&t, NULL);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		ck_status(&t, api_get(&t, paths[i]), 404);
	job_id_make(made, "default", 0, clock_now_ms(), 7);
	snprintf(path, sizeof path, "/api/jobs/%s", made);
	ck_status(&t, api_get(&t, path), 404);
	ck_status(&t, api_call(&t, "DELETE", path, NULL), 404);
	snprintf(path, sizeof path, "/api/jobs/%s/replay", made);
	ck_status(&t, api_call(&t, "POST", path, ""), 404);
	snprintf(path, sizeof path, "/api/jobs/%s?wait=1", made);
	ck_status(&t, api_get(&t, path), 404);
	api_stop(&t);
}
END_TEST

/* Every job once, however many pages: 30 jobs of three queues, 7 at a time. */
START_TEST(a_cursor_walks_over_all_jobs_once)
{
	static const char *const bodies[] = {
	        NOOP, "{\"kind\":\"kline.integrity\"}", "{\"kind\":\"kline.download\",\"params\":{\"days_back\":%d}}"};
	struct api_test t;
	char ids[30][JOB_ID], body[200];
	int seen[30] = {0}, pages = 0;
	struct buf path = {0};

	api_start(&t, NULL);
	for (int i = 0; i < 30; i++) {
		if (i % 3 == 2)
			snprintf(body, sizeof body, "{\"kind\":\"kline.download\",\"params\":{\"days_back\":%d}}", i);
		else
			snprintf(body, sizeof body, "%s", bodies[i % 3]);
		api_submit(&t, body, ids[i]);
	}
	buf_adds(&path, "/api/jobs?limit=7");
	for (;; pages++) {
		ck_status(&t, api_get(&t, buf_text(&path)), 200);
		ck_assert_uint_le(json_count(json_get(t.json, "jobs")), 7);
		for (const struct json *j = json_first(json_get(t.json, "jobs")); j; j = json_next(j))
			for (int i = 0; i < 30; i++)
				seen[i] += str_eq(json_get_text(j, "id", ""), ids[i]);
		const char *next = json_get_text(t.json, "next_cursor", NULL);
		if (!next)
			break;
		buf_clear(&path);
		buf_adds(&path, "/api/jobs?limit=7&cursor=");
		http_escape(&path, next);
		ck_assert_int_lt(pages, 30);
	}
	for (int i = 0; i < 30; i++)
		ck_assert_msg(seen[i] == 1, "job %d was seen %d times", i, seen[i]);
	buf_close(&path);
	api_stop(&t);
}
END_TEST

START_TEST(lists_are_filtered)
{
	struct api_test t;
	char id[JOB_ID], h[512];

	api_start(&t, NULL);
	api_submit(&t, NOOP, id);
	api_submit(&t, LATER "}", id);
	api_submit(&t, "{\"kind\":\"kline.integrity\"}", id);
	ck_status(&t, api_get(&t, "/api/jobs?kind=kline.integrity"), 200);
	ck_assert_uint_eq(json_count(json_get(t.json, "jobs")), 1);
	ck_status(&t, api_get(&t, "/api/jobs?state=scheduled"), 200);
	ck_assert_uint_eq(json_count(json_get(t.json, "jobs")), 1);
	ck_status(&t, api_get(&t, "/api/jobs?queue=kline"), 200);
	ck_assert_uint_eq(json_count(json_get(t.json, "jobs")), 1);
	ck_status(&t, api_get(&t, "/api/jobs?limit=2"), 200);
	ck_assert_uint_eq(json_count(json_get(t.json, "jobs")), 2);
	ck_contains(api_header(&t, "link", h), "rel=\"next\"");
	ck_status(&t, api_get(&t, "/api/jobs?limit=0"), 422);
	ck_status(&t, api_get(&t, "/api/jobs?limit=-3"), 422);
	ck_status(&t, api_get(&t, "/api/jobs?limit=999"), 422);
	ck_status(&t, api_get(&t, "/api/jobs?state=asleep"), 422);
	ck_status(&t, api_get(&t, "/api/jobs?kind=asleep"), 200); /* there may be jobs of it that another program made */
	ck_assert_uint_eq(json_count(json_get(t.json, "jobs")), 0);
	ck_status(&t, api_get(&t, "/api/jobs?kind=A%20B"), 422);
	ck_contains(api_body(&t), "GET /api/kinds");
	ck_status(&t, api_get(&t, "/api/jobs?queue=a/b"), 422);
	ck_status(&t, api_get(&t, "/api/jobs?cursor=rubbish"), 422);
	api_stop(&t);
}
END_TEST

START_TEST(kinds_and_strategies_tell_their_parameters)
{
	struct api_test t;

	api_start(&t, NULL);
	ck_status(&t, api_get(&t, "/api/kinds"), 200);
	const struct json *first = json_first(json_get(t.json, "kinds"));
	ck_assert_str_eq(json_get_text(first, "name", ""), "noop");
	ck_assert_str_eq(json_get_text(json_get(first, "params"), "type", ""), "object");
	ck_contains(api_body(&t), "backtest.run");
	ck_status(&t, api_get(&t, "/api/strategies"), 200);
	ck_contains(api_body(&t), "origin_short_top");
	ck_contains(api_body(&t), "profit_threshold");
	api_stop(&t);
}
END_TEST

static const TTest *const tests[] = {a_job_is_accepted, bad_submissions_are_refused, a_moment_may_be_told_in_many_ways,
        an_idempotency_key_is_one_job, a_unique_key_is_one_live_job, a_full_queue_says_when_to_come_back, if_none_match_spares_the_answer,
        cancel_and_replay, unknown_jobs_are_404, a_cursor_walks_over_all_jobs_once, lists_are_filtered,
        kinds_and_strategies_tell_their_parameters};
TEST_MAIN("jobs", tests)
