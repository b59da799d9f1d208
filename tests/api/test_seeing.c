/* test_seeing.c -- what goes on, over HTTP: timelines, logs, load and metrics. */
#include "tests/api/api_test.h"
#include "tests/lib/prometheus.h"

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

START_TEST(a_log_is_asked_for_properly)
{
	static const char *const bad[] = {"?from=-1", "?from=x", "?tail=1001", "?limit=0", "?limit=257", "?from=1&tail=1",
	        "?from=9223372036854775808", "?limit=1%00"};
	struct api_test t;
	char id[JOB_ID], path[120];

	api_start(&t, NULL);
	api_submit(&t, "{\"kind\":\"noop\"}", id);
	call_on(&t, id, "/logs", 200);
	ck_assert_uint_eq(json_count(json_get(t.json, "lines")), 0);
	ck_assert_int_eq(json_get_int(t.json, "next", 0), 1);
	call_on(&t, id, "/logs?from=9223372036854775806", 200);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(path, sizeof path, "/logs%s", bad[i]);
		call_on(&t, id, path, 422);
	}
	call_on(&t, "default-0nosuchjob0000000000", "/logs", 404);
	call_on(&t, "nonsense", "/logs", 404);
	api_stop(&t);
}
END_TEST

static double load(struct api_test *t, const char *member)
{
	ck_status(t, api_get(t, "/api/queues/default/load"), 200);
	return json_get_double(t->json, member, -1);
}

START_TEST(a_load_for_autoscalers)
{
	struct api_test t;
	struct api_worker w;
	char id[JOB_ID];

	api_start(&t, NULL);
	ck_assert(load(&t, "load") == 0 && load(&t, "backlog_seconds") == 0); /* a queue of a kind: it needs no job first */
	ck_status(&t, api_get(&t, "/api/queues/nosuch/load"), 404);
	ck_status(&t, api_get(&t, "/api/queues/NO%20SUCH/load"), 404);
	api_submit(&t, "{\"kind\":\"noop\"}", id);
	api_submit(&t, "{\"kind\":\"noop\",\"delay_ms\":600000}", id);
	clock_sleep_ms(100);
	ck_assert(load(&t, "load") == 1 && load(&t, "ready") == 1 && load(&t, "running") == 0);
	ck_assert(load(&t, "oldest_seconds") >= 0.1 && load(&t, "backlog_seconds") >= 0.1);
	ck_status(&t, api_get(&t, "/metrics"), 200);
	ck_prometheus(api_body(&t));
	ck_assert(prometheus_value(api_body(&t), "barque_queue_load{queue=\"default\"}") == 1);
	ck_assert(prometheus_value(api_body(&t), "barque_queue_backlog_seconds{queue=\"default\"}") >= 0.1);
	worker_start(&w, &t, "default", second_time_lucky, NULL);
	api_submit(&t, "{\"kind\":\"noop\",\"max_attempts\":3}", id);
	call_on(&t, id, "?wait=20", 200);
	worker_stop(&w);
	ck_status(&t, api_get(&t, "/metrics"), 200);
	ck_prometheus(api_body(&t));
	ck_assert(prometheus_value(api_body(&t), "barque_queue_retries_total{queue=\"default\"}") >= 1);
	ck_assert(prometheus_value(api_body(&t), "barque_queue_workers{queue=\"default\"}") == 1);
	api_stop(&t);
}
END_TEST

static const TTest *const tests[] = {a_timeline_over_http, a_log_is_asked_for_properly, a_load_for_autoscalers};
TEST_MAIN("seeing", tests)
