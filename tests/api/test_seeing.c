/* test_seeing.c -- what goes on, over HTTP: timelines. */
#include "tests/api/api_test.h"

static const char *second_time_lucky(const struct job *job, struct err *e, void *user)
{
	UNUSED(user);
	if (job->attempt > 1)
		return "{\"ok\":true}";
	err_set(e, ERR_TIMEOUT, "no \"answer\"");
	e->retry_after_ms = 1;
	return NULL;
}

static const char *event_at(const struct api_test *t, size_t i)
{
	return json_get_text(json_at(json_get(t->json, "events"), i), "event", "");
}

static void call_on(struct api_test *t, const char *id, const char *what, int status)
{
	char path[120];

	snprintf(path, sizeof path, "/api/jobs/%s%s", id, what);
	ck_status(t, api_get(t, path), status);
}

START_TEST(a_timeline_over_http)
{
	static const char *const wanted[] = {"created", "claimed", "error", "due", "claimed", "succeeded"};
	struct api_test t;
	struct api_worker w;
	char id[JOB_ID];

	api_start(&t, NULL);
	api_submit(&t, "{\"kind\":\"noop\",\"max_attempts\":3}", id);
	call_on(&t, id, "/timeline", 200);
	ck_assert_uint_eq(json_count(json_get(t.json, "events")), 1);
	worker_start(&w, &t, "default", second_time_lucky, NULL);
	call_on(&t, id, "?wait=20", 200);
	ck_assert_str_eq(api_member(&t, "state"), "succeeded");
	worker_stop(&w);
	call_on(&t, id, "/timeline", 200);
	ck_assert_str_eq(api_member(&t, "id"), id);
	ck_assert_str_eq(api_member(&t, "state"), "succeeded");
	ck_assert_int_eq(json_get_int(t.json, "claims", 0), 2);
	ck_assert_uint_eq(json_count(json_get(t.json, "events")), ARRAY_LEN(wanted));
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		ck_assert_str_eq(event_at(&t, i), wanted[i]);
	const struct json *error = json_at(json_get(t.json, "events"), 2), *claimed = json_at(json_get(t.json, "events"), 4);
	ck_contains(json_get_text(error, "detail", ""), "timeout: no \"answer\"; again in ");
	ck_assert_str_eq(json_get_text(claimed, "worker", ""), "test:1:1");
	ck_assert_int_eq(json_get_int(claimed, "attempt", 0), 2);
	call_on(&t, "default-0nosuchjob0000000000", "/timeline", 404);
	call_on(&t, "nonsense", "/timeline", 404);
	api_stop(&t);
}
END_TEST

static const TTest *const tests[] = {a_timeline_over_http};
TEST_MAIN("seeing", tests)
