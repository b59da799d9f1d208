/* test_control.c -- what operators ask: another priority, pause, resume and purge. */
#include "tests/api/api_test.h"

#define NOOP "{\"kind\":\"noop\"}"

static const char *work_at_once(const struct job *job, struct err *e, void *user)
{
	UNUSED(job);
	UNUSED(e);
	UNUSED(user);
	return "{}";
}

static bool has_ended(void *user)
{
	ck_assert_int_eq(api_get(user, "/api/jobs?state=succeeded"), 200);
	return json_count(json_get(((struct api_test *)user)->json, "jobs")) == 1;
}

START_TEST(a_paused_queue_waits)
{
	struct api_test t;
	struct api_worker w;
	char id[JOB_ID], path[100];

	api_start(&t, NULL);
	ck_status(&t, api_call(&t, "POST", "/api/queues/default/pause", NULL), 200); /* before its first job */
	ck_assert_str_eq(api_member(&t, "queue"), "default");
	ck_assert(json_get_bool(t.json, "paused", false));
	ck_assert_int_gt(json_get_int(t.json, "paused_at", 0), 0);
	worker_start(&w, &t, "default", work_at_once, NULL);
	api_submit(&t, NOOP, id);
	clock_sleep_ms(100);
	snprintf(path, sizeof path, "/api/jobs/%s", id);
	ck_status(&t, api_get(&t, path), 200);
	ck_assert_str_eq(api_member(&t, "state"), "ready");
	ck_status(&t, api_get(&t, "/api/queues"), 200);
	ck_contains(api_body(&t), "\"paused\":true");
	ck_status(&t, api_get(&t, "/metrics"), 200);
	ck_contains(api_body(&t), "barque_queue_paused{queue=\"default\"} 1");
	ck_status(&t, api_call(&t, "POST", "/api/queues/default/resume", NULL), 200);
	ck_assert(!json_get_bool(t.json, "paused", true));
	ck_assert(test_until(10000, has_ended, &t));
	worker_stop(&w);
	ck_status(&t, api_call(&t, "POST", "/api/queues/defualt/pause", NULL), 404);
	ck_contains(api_member(&t, "detail"), "defualt");
	ck_assert(str_starts(api_member(&t, "type"), "urn:barque:problem:"));
	ck_status(&t, api_call(&t, "POST", "/api/queues/a%20b/pause", NULL), 404);
	ck_status(&t, api_get(&t, "/api/queues/default/pause"), 405);
	api_stop(&t);
}
END_TEST

static int patch(struct api_test *t, const char *path, const char *if_match, const char *body)
{
	char match[80];
	const char *headers[] = {"Content-Type: application/json", if_match ? match : NULL, NULL};

	snprintf(match, sizeof match, "If-Match: %s", if_match ? if_match : "");
	return api_call_port(t, t->ports[0], "PATCH", path, headers, body);
}

START_TEST(a_waiting_job_changes_its_priority)
{
	struct api_test t;
	char id[JOB_ID], path[100], h[512];

	api_start(&t, NULL);
	api_submit(&t, NOOP, id);
	snprintf(path, sizeof path, "/api/jobs/%s", id);
	ck_status(&t, patch(&t, path, NULL, "{\"priority\":1}"), 200);
	ck_assert_int_eq(json_get_int(t.json, "priority", -1), 1);
	ck_assert_str_eq(api_header(&t, "etag", h), "\"2\"");
	ck_status(&t, patch(&t, path, "\"1\"", "{\"priority\":3}"), 412);
	ck_assert_str_eq(api_member(&t, "type"), "urn:barque:problem:precondition_failed");
	ck_status(&t, patch(&t, path, "W/\"2\"", "{\"priority\":3}"), 412);
	ck_status(&t, patch(&t, path, "\"1\", \"2\"", "{\"priority\":3}"), 200);
	ck_status(&t, patch(&t, path, "*", "{\"priority\":4}"), 200);
	ck_status(&t, patch(&t, path, NULL, "{\"priority\":10}"), 422);
	ck_status(&t, patch(&t, path, NULL, "{\"priority\":\"1\"}"), 422);
	ck_status(&t, patch(&t, path, NULL, "{\"priority\":1,\"state\":\"dead\"}"), 422);
	ck_status(&t, patch(&t, path, NULL, "{}"), 422);
	ck_status(&t, patch(&t, path, NULL, "["), 400);
	ck_status(&t, patch(&t, "/api/jobs/default-001hf7yat00000000000a", NULL, "{\"priority\":1}"), 404);
	ck_status(&t, patch(&t, "/api/jobs/rubbish", "\"1\"", "{\"priority\":1}"), 404);
	ck_status(&t, api_call(&t, "DELETE", path, NULL), 200);
	ck_status(&t, patch(&t, path, NULL, "{\"priority\":1}"), 409);
	api_stop(&t);
}
END_TEST

START_TEST(what_waits_is_purged)
{
	struct api_test t;
	char id[JOB_ID], path[100];

	api_start(&t, NULL);
	for (int i = 0; i < 5; i++)
		api_submit(&t, NOOP, id);
	ck_status(&t, api_call(&t, "DELETE", "/api/queues/default/jobs?state=ready&limit=3", NULL), 200);
	ck_assert_int_eq(json_get_int(t.json, "cancelled", -1), 3);
	ck_assert_int_eq(json_get_int(t.json, "remaining", -1), 2);
	ck_status(&t, api_call(&t, "DELETE", "/api/queues/default/jobs?state=ready", NULL), 200);
	ck_assert_int_eq(json_get_int(t.json, "cancelled", -1), 2);
	ck_assert_int_eq(json_get_int(t.json, "remaining", -1), 0);
	snprintf(path, sizeof path, "/api/jobs/%s", id);
	ck_status(&t, api_get(&t, path), 200);
	ck_assert_str_eq(api_member(&t, "state"), "cancelled");
	ck_status(&t, api_call(&t, "DELETE", "/api/queues/default/jobs", NULL), 422);
	ck_contains(api_member(&t, "detail"), "ready, scheduled");
	ck_status(&t, api_call(&t, "DELETE", "/api/queues/default/jobs?state=running", NULL), 422);
	ck_status(&t, api_call(&t, "DELETE", "/api/queues/default/jobs?state=ready&limit=257", NULL), 422);
	ck_status(&t, api_call(&t, "DELETE", "/api/queues/nowhere/jobs?state=ready", NULL), 404);
	api_stop(&t);
}
END_TEST

static const TTest *const tests[] = {what_waits_is_purged, a_waiting_job_changes_its_priority, a_paused_queue_waits};
TEST_MAIN("control", tests)
