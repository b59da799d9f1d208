/* test_control.c -- what operators ask: another priority, pause, resume and purge, dead letters. */
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

START_TEST(a_draining_queue_takes_nothing_in)
{
	struct api_test t;
	struct api_worker w;
	char id[JOB_ID];

	api_start(&t, NULL);
	api_submit(&t, NOOP, id);
	ck_status(&t, api_call(&t, "POST", "/api/queues/default/drain", NULL), 200);
	ck_assert(json_get_bool(t.json, "draining", false));
	ck_assert(!json_get_bool(t.json, "paused", true));
	ck_status(&t, api_call(&t, "POST", "/api/jobs", NOOP), 503);
	ck_contains(api_member(&t, "detail"), "queue default drains: it takes nothing new in until it is told to resume");
	worker_start(&w, &t, "default", work_at_once, NULL);
	ck_assert(test_until(10000, has_ended, &t)); /* what was there goes on */
	worker_stop(&w);
	ck_status(&t, api_call(&t, "POST", "/api/queues/default/resume", NULL), 200);
	ck_assert(!json_get_bool(t.json, "draining", true));
	ck_status(&t, api_get(&t, "/api/queues/default"), 200);
	ck_assert_str_eq(api_member(&t, "queue"), "default");
	ck_assert_int_eq(json_get_int(t.json, "shards", 0), 1);
	ck_status(&t, api_get(&t, "/api/queues/kline"), 200); /* a kind's, with no job yet */
	ck_status(&t, api_get(&t, "/api/queues/nowhere"), 404);
	api_submit(&t, NOOP, id);
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

START_TEST(a_queue_is_spread_over_shards)
{
	struct api_test t;
	char id[JOB_ID], path[100], queue[JOB_NAME];
	int shard, used = 0;

	api_start(&t, NULL);
	ck_status(&t, patch(&t, "/api/queues/default", NULL, "{\"shards\":4}"), 200);
	ck_assert_int_eq(json_get_int(t.json, "shards", 0), 4);
	clock_sleep_ms(3100); /* so long a thread may go by what it heard before */
	for (int i = 0; i < 16; i++) {
		api_submit(&t, NOOP, id);
		ck_assert(job_id_parse(id, queue, &shard));
		used |= 1 << shard;
		snprintf(path, sizeof path, "/api/jobs/%s", id);
		ck_status(&t, api_get(&t, path), 200);
		ck_status(&t, api_call(&t, "DELETE", path, NULL), 200);
	}
	ck_assert_int_gt(used, 1);
	ck_status(&t, patch(&t, "/api/queues/default", NULL, "{\"shards\":0}"), 422);
	ck_status(&t, patch(&t, "/api/queues/default", NULL, "{\"shards\":65}"), 422);
	ck_status(&t, patch(&t, "/api/queues/default", NULL, "{}"), 422);
	ck_status(&t, patch(&t, "/api/queues/nowhere", NULL, "{\"shards\":2}"), 404);
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

static const char *work_badly(const struct job *job, struct err *e, void *user)
{
	UNUSED(user);
	if (strstr(job->params, "\"sense\""))
		err_set(e, ERR_INVALID, "it makes no sense");
	else
		err_set(e, ERR_IO, "the disk is full");
	return NULL;
}

static bool five_are_dead(void *user)
{
	struct api_test *t = user;
	ck_assert_int_eq(api_get(t, "/api/queues"), 200);
	return strstr(api_body(t), "\"done_total\":6") != NULL;
}

/* Five dead ones and one that failed. */
static void bury(struct api_test *t)
{
	struct api_worker w;
	char id[JOB_ID];

	for (int i = 0; i < 5; i++)
		api_submit(t, "{\"kind\":\"noop\",\"max_attempts\":1}", id);
	api_submit(t, "{\"kind\":\"noop\",\"params\":{\"payload\":\"sense\"}}", id);
	worker_start(&w, t, "default", work_badly, NULL);
	ck_assert(test_until(10000, five_are_dead, t));
	worker_stop(&w);
}

/* All pages of a query; how many jobs there are. */
static int dead_count(struct api_test *t, const char *query)
{
	char cursor[100] = "", path[300];
	int total = 0;

	do {
		snprintf(path, sizeof path, "/api/dead?limit=2%s%s%s", query, *cursor ? "&cursor=" : "", cursor);
		ck_status(t, api_get(t, path), 200);
		total += (int)json_count(json_get(t->json, "jobs"));
		ck_assert(str_copy(cursor, sizeof cursor, api_member(t, "next_cursor")));
	} while (*cursor);
	return total;
}

START_TEST(dead_letters)
{
	struct api_test t;

	api_start(&t, NULL);
	ck_assert_int_eq(dead_count(&t, ""), 0);
	bury(&t);
	ck_assert_int_eq(dead_count(&t, ""), 5);
	ck_assert_int_eq(dead_count(&t, "&state=failed&kind=noop"), 1);
	ck_assert_int_eq(dead_count(&t, "&error=DISK%20is&queue=default"), 5);
	ck_assert_int_eq(dead_count(&t, "&error=disc"), 0);
	ck_assert_int_eq(dead_count(&t, "&queue=kline"), 0);
	ck_assert_int_eq(dead_count(&t, "&kind=backtest.run"), 0);
	ck_assert_int_eq(dead_count(&t, "&from=2020-01-01"), 5);
	ck_assert_int_eq(dead_count(&t, "&to=2020-01-01"), 0);
	ck_status(&t, api_call(&t, "POST", "/api/dead/replay", "{\"limit\":2,\"error\":\"disk\"}"), 200);
	ck_assert_int_eq(json_get_int(t.json, "replayed", -1), 2);
	ck_assert_int_eq(json_get_int(t.json, "skipped", -1), 0);
	ck_assert_str_ne(api_member(&t, "next_cursor"), "");
	ck_assert_int_eq(dead_count(&t, ""), 3);
	ck_status(&t, api_call(&t, "POST", "/api/dead/delete", "{}"), 200);
	ck_assert_int_eq(json_get_int(t.json, "deleted", -1), 3);
	ck_assert_int_eq(dead_count(&t, ""), 0);
	ck_status(&t, api_get(&t, "/api/jobs?state=ready"), 200);
	ck_assert_uint_eq(json_count(json_get(t.json, "jobs")), 2);
	api_stop(&t);
}
END_TEST

START_TEST(dead_letters_are_asked_for_properly)
{
	static const char *const bad[] = {"limit=0", "limit=257", "limit=x", "state=ready", "kind=A%20B", "queue=A%20B", "from=soon",
	        "cursor=x", "cursor=nowhere%3D", "cursor=default%3Da%20b"};
	struct api_test t;

	api_start(&t, NULL);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char path[100];

		snprintf(path, sizeof path, "/api/dead?%s", bad[i]);
		ck_status(&t, api_get(&t, path), 422);
		ck_assert(str_starts(api_member(&t, "type"), "urn:barque:problem:"));
	}
	ck_status(&t, api_call(&t, "POST", "/api/dead/delete", NULL), 400);
	ck_status(&t, api_call(&t, "POST", "/api/dead/delete", "{\"kinds\":\"noop\"}"), 422);
	ck_status(&t, api_call(&t, "POST", "/api/dead/replay", "[]"), 422);
	api_stop(&t);
}
END_TEST

static const TTest *const tests[] = {dead_letters, dead_letters_are_asked_for_properly, what_waits_is_purged,
        a_waiting_job_changes_its_priority, a_queue_is_spread_over_shards, a_paused_queue_waits, a_draining_queue_takes_nothing_in};
TEST_MAIN("control", tests)
