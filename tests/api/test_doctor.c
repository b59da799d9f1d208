/* test_doctor.c -- the doctor over HTTP: finds what was broken by hand, mends only when told to, holds up nobody. */
#include "store/history.h"
#include "tests/api/api_test.h"

#define NOOP "{\"kind\":\"noop\"}"

static void say(struct api_test *t, const char *command)
{
	char answer[256];

	ck_assert_msg(test_redis_say(t->redis.port, command, answer, sizeof answer), "%s", command);
	ck_assert_msg(answer[0] != '-', "%s: %s", command, answer);
}

static void break_lane(struct api_test *t, const char *id)
{
	char command[200], answer[64];

	snprintf(command, sizeof command, "LREM {bq:default:0}:r:noop/1:5 0 %s", id + strlen(id) - 20);
	ck_assert(test_redis_say(t->redis.port, command, answer, sizeof answer));
	ck_assert_msg(str_starts(answer, ":1"), "%s", answer);
}

START_TEST(the_doctor_finds_and_mends)
{
	struct api_test t;
	char id[JOB_ID];

	api_start(&t, NULL);
	ck_status(&t, api_get(&t, "/api/doctor"), 200);
	ck_assert(json_get_bool(t.json, "sound", false));
	api_submit(&t, NOOP, id);
	ck_status(&t, api_get(&t, "/api/doctor"), 200);
	ck_assert(json_get_bool(t.json, "sound", false));
	ck_assert_int_eq(json_get_int(t.json, "jobs", 0), 1);
	ck_assert(json_get_bool(json_get(t.json, "store"), "checked_whole", false));
	break_lane(&t, id);
	/* Looking, and POST without mend, change nothing. */
	for (int i = 0; i < 3; i++) {
		ck_status(&t, i == 1 ? api_call(&t, "POST", "/api/doctor", "{}") : api_get(&t, "/api/doctor?queue=default"), 200);
		ck_assert(!json_get_bool(t.json, "sound", true));
		ck_assert_int_eq(json_get_int(t.json, "total", 0), 1);
		const struct json *f = json_at(json_get(t.json, "findings"), 0);
		ck_assert_str_eq(json_get_text(f, "fault", ""), "place");
		ck_assert_str_eq(json_get_text(f, "key", ""), id);
		ck_assert(json_get_bool(f, "mendable", false));
		ck_assert_uint_eq(json_count(json_get(t.json, "mended")), 0);
	}
	ck_status(&t, api_call(&t, "POST", "/api/doctor", "{\"mend\":true,\"queue\":\"default\"}"), 200);
	ck_assert(json_get_bool(t.json, "sound", false));
	ck_assert_uint_eq(json_count(json_get(t.json, "mended")), 1);
	ck_assert(json_type(json_get(t.json, "store")) == JSON_NULL);
	api_stop(&t);
}
END_TEST

START_TEST(all_queues_are_looked_at)
{
	enum { MANY = 150, BROKEN_EACH = 49, BROKEN = 4 }; /* each broken one is looked at again, after a pause */
	struct api_test t;
	char id[JOB_ID], command[64];

	api_start(&t, NULL);
	api_submit(&t, NOOP, id);
	for (int i = 0; i < MANY; i++) {
		snprintf(command, sizeof command, "SADD bq:queues q%03d", i);
		say(&t, command);
		snprintf(command, sizeof command, "HSET {bq:q%03d:0}:n run %d", i, i % BROKEN_EACH == 0);
		say(&t, command);
	}
	test_redis_tell(t.redis.port, "CONFIG RESETSTAT");
	ck_status(&t, api_get(&t, "/api/doctor"), 200);
	/* All of them by one scan, and those with faults by another. */
	ck_contains(test_redis_tell(t.redis.port, "INFO commandstats"), "cmdstat_scan:calls=2,");
	ck_assert_uint_eq(json_count(json_get(t.json, "queues")), MANY + 1);
	ck_assert_int_eq(json_get_int(t.json, "total", 0), BROKEN);
	for (int i = 0; i < MANY; i += BROKEN_EACH) {
		snprintf(command, sizeof command, "/api/doctor?queue=q%03d", i);
		ck_status(&t, api_get(&t, command), 200);
		ck_assert_int_eq(json_get_int(t.json, "total", 0), 1);
	}
	api_stop(&t);
}
END_TEST

START_TEST(counters_wait_for_a_pause)
{
	struct api_test t;
	char id[JOB_ID];

	api_start(&t, NULL);
	api_submit(&t, NOOP, id);
	say(&t, "HSET {bq:default:0}:n run 4");
	ck_status(&t, api_call(&t, "POST", "/api/doctor", "{\"mend\":true}"), 200);
	ck_assert(!json_get_bool(t.json, "sound", true));
	ck_contains(json_get_text(json_at(json_get(t.json, "unmended"), 0), "why", ""), "pause");
	ck_status(&t, api_call(&t, "POST", "/api/doctor", "{\"mend\":true,\"force\":true}"), 200);
	ck_assert(json_get_bool(t.json, "sound", false));
	api_stop(&t);
}
END_TEST

START_TEST(wrong_questions_are_refused)
{
	struct api_test t;

	api_start(&t, NULL);
	ck_status(&t, api_get(&t, "/api/doctor?queue=nosuch"), 404);
	ck_contains(api_member(&t, "detail"), "nosuch");
	ck_assert(str_starts(api_member(&t, "type"), "urn:barque:problem:"));
	ck_status(&t, api_call(&t, "POST", "/api/doctor", "{\"mend\":\"perhaps\"}"), 422);
	ck_status(&t, api_call(&t, "POST", "/api/doctor", "{\"heal\":true}"), 422);
	ck_status(&t, api_call(&t, "DELETE", "/api/doctor", NULL), 405);
	api_stop(&t);
}
END_TEST

/* A job that the history says has ended, but that lives. */
START_TEST(the_history_is_compared)
{
	struct api_test t;
	struct err e = {0};
	struct job job = {.state = JOB_SUCCEEDED, .finished_at = 1000, .created_at = 900, .run_at = 900, .rev = 3};
	struct history_entry entry = {.job = &job, .keep = true};
	int64_t written;

	api_start(&t, NULL);
	api_submit(&t, NOOP, job.id);
	snprintf(job.kind, sizeof job.kind, "noop");
	snprintf(job.queue, sizeof job.queue, "default");
	struct store *s = store_open(t.store_url, &e);
	ck_assert_msg(s != NULL, "%s", e.text);
	ck_ok(store_history_put(s, &entry, 1, &written, &e), &e);
	ck_status(&t, api_get(&t, "/api/doctor"), 200);
	ck_contains(api_body(&t), "was not replayed");
	ck_assert_str_eq(json_get_text(json_at(json_get(t.json, "findings"), 0), "fault", ""), "store");
	/* An event from 1970 has waited too long. */
	struct outbox_row row = {.topic = "jobs", .key = "k", .type = "t", .id = "1", .time_ms = 1000, .data = "{}"};
	ck_ok(store_outbox_put(s, &row, &e), &e);
	ck_status(&t, api_get(&t, "/api/doctor"), 200);
	ck_contains(api_body(&t), "wait to be sent");
	ck_assert_int_eq(json_get_int(t.json, "total", 0), 2);
	store_close(&s);
	api_stop(&t);
}
END_TEST

static void *ask_again_and_again(void *user)
{
	struct api_test *t = user;
	struct http_answer a = {0};
	struct err e = {0};
	struct http_client *http = http_client_open(NULL, &e);
	char url[64];
	int64_t refused = 0;

	snprintf(url, sizeof url, "http://127.0.0.1:%d/api/doctor", t->ports[0]);
	for (int i = 0; i < 30; i++)
		if (http_client_call(http, &(struct http_call){.url = url}, &a, &e) && a.status == 503)
			refused++;
	http_answer_close(&a);
	http_client_close(&http);
	return (void *)(intptr_t)refused;
}

/* More who ask than there are threads: one is looked for, the others are sent away at once, and the API goes on answering. */
START_TEST(one_look_at_a_time)
{
	struct api_test t;
	pthread_t threads[6];
	char id[JOB_ID];
	int64_t refused = 0;

	api_start(&t, NULL);
	api_submit(&t, NOOP, id);
	break_lane(&t, id); /* so that it looks twice, which takes its time */
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_again_and_again, &t), 0);
	for (int i = 0; i < 20; i++)
		ck_status(&t, api_get(&t, "/api/queues"), 200);
	bool looking = false;
	for (int i = 0; i < 200 && !looking; i++) {
		ck_status(&t, api_get(&t, "/api/doctor/progress"), 200);
		looking = json_get_bool(t.json, "looking", false) && str_eq(json_get_text(t.json, "queue", ""), "default") &&
		          json_get_int(t.json, "read", 0) > 0;
	}
	ck_assert(looking);
	ck_assert_int_eq(json_get_int(t.json, "nth", 0), 1);
	ck_assert_int_eq(json_get_int(t.json, "of", 0), 1);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		void *n;

		pthread_join(threads[i], &n);
		refused += (intptr_t)n;
	}
	ck_assert_int_gt(refused, 0);
	ck_status(&t, api_get(&t, "/api/doctor/progress"), 200);
	ck_assert(!json_get_bool(t.json, "looking", true));
	api_stop(&t);
}
END_TEST

static const TTest *const tests[] = {the_doctor_finds_and_mends, all_queues_are_looked_at, counters_wait_for_a_pause,
        wrong_questions_are_refused, the_history_is_compared, one_look_at_a_time};
TEST_MAIN("api_doctor", tests)
