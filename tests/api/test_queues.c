/* test_queues.c -- more queues than anybody thought of: none of them is left out. */
#include "queue/schedule.h"
#include "tests/api/ear.h"

#define QUEUES 75

static void name_of(int i, char out[JOB_NAME])
{
	snprintf(out, JOB_NAME, "many_%02d", i);
}

static struct queue *queue_of(struct api_test *t)
{
	struct err e = {0};
	struct queue *q = queue_open(t->redis.url, NULL, &e);

	ck_assert_msg(q != NULL, "%s", e.text);
	return q;
}

/* One job in each, of a kind that no worker here knows. */
static void fill(struct api_test *t)
{
	struct queue *q = queue_of(t);
	struct err e = {0};

	for (int i = 0; i < QUEUES; i++) {
		char queue[JOB_NAME];
		struct queue_submission s = {.kind = "strange", .queue = queue};
		struct queue_submitted out;

		name_of(i, queue);
		ck_ok(queue_submit(q, &s, 1, &out, &e), &e);
	}
	queue_close(&q);
}

static const struct json *member_of(const struct json *list, const char *key, const char *value)
{
	const struct json *x = json_first(list);

	while (x && !str_eq(json_get_text(x, key, ""), value))
		x = json_next(x);
	return x;
}

START_TEST(all_queues_are_listed_and_measured)
{
	struct api_test t;
	char queue[JOB_NAME], line[120];

	api_start(&t, NULL);
	fill(&t);
	ck_status(&t, api_get(&t, "/api/queues"), 200);
	ck_assert_uint_eq(json_count(json_get(t.json, "queues")), QUEUES);
	for (int i = 0; i < QUEUES; i++) {
		name_of(i, queue);
		const struct json *q = member_of(json_get(t.json, "queues"), "queue", queue);
		ck_assert_msg(q != NULL, "queue %s is left out", queue);
		ck_assert_int_eq(json_get_int(q, "ready", 0), 1);
		ck_assert(json_get_double(q, "backlog_seconds", -1) >= 0);
	}
	ck_status(&t, api_get(&t, "/metrics"), 200);
	for (int i = 0; i < QUEUES; i++) {
		name_of(i, queue);
		snprintf(line, sizeof line, "barque_queue_ready{queue=\"%s\"} 1\n", queue);
		ck_contains(api_body(&t), line);
		snprintf(line, sizeof line, "barque_queue_load{queue=\"%s\"} 1\n", queue);
		ck_contains(api_body(&t), line);
	}
	api_stop(&t);
}
END_TEST

/* One by one they would be hundreds. */
START_TEST(all_queues_take_few_round_trips)
{
	struct api_test t;

	api_start(&t, NULL);
	fill(&t);
	ck_status(&t, api_get(&t, "/metrics"), 200);
	int64_t before = test_redis_reads(&t.redis, 1);
	ck_status(&t, api_get(&t, "/api/queues"), 200);
	ck_status(&t, api_get(&t, "/metrics"), 200);
	ck_assert_int_le(test_redis_reads(&t.redis, 1) - before, 40);
	api_stop(&t);
}
END_TEST

#define ROUTES 300

/* A queue with more kinds that no worker knows than one answer of Redis' usual size would name. */
START_TEST(all_routes_that_nobody_serves_are_told)
{
	struct api_test t;
	struct err e = {0};
	char kind[JOB_NAME];

	api_start(&t, NULL);
	struct queue *q = queue_of(&t);
	for (int i = 0; i < ROUTES; i++) {
		struct queue_submission s = {.kind = kind, .queue = "odd"};
		struct queue_submitted out;

		snprintf(kind, sizeof kind, "strange_%03d", i);
		ck_ok(queue_submit(q, &s, 1, &out, &e), &e);
	}
	queue_close(&q);
	ck_status(&t, api_get(&t, "/api/queues"), 200);
	const struct json *unserved = json_get(json_first(json_get(t.json, "queues")), "unserved"), *x = json_first(unserved);
	ck_assert_uint_eq(json_count(unserved), ROUTES);
	for (int i = 0; i < ROUTES; i++, x = json_next(x)) {
		snprintf(kind, sizeof kind, "strange_%03d", i);
		ck_assert_str_eq(json_get_text(x, "route", ""), kind);
		ck_assert_int_eq(json_get_int(x, "ready", 0), 1);
	}
	api_stop(&t);
}
END_TEST

/* All pages of a list by their cursors: how many jobs, each with an id of its own; newest first, but for `falls` times. */
static int walk(struct api_test *t, const char *list, int falls)
{
	static char ids[3 * QUEUES][JOB_ID];
	struct buf path = {0};
	int n = 0;

	buf_adds(&path, list);
	for (int64_t before = INT64_MAX;;) {
		ck_status(t, api_get(t, buf_text(&path)), 200);
		for (const struct json *j = json_first(json_get(t->json, "jobs")); j; j = json_next(j), n++) {
			ck_assert_int_lt(n, (int)ARRAY_LEN(ids));
			ck_assert(str_copy(ids[n], JOB_ID, json_get_text(j, "id", "")));
			for (int i = 0; i < n; i++)
				ck_assert_str_ne(ids[i], ids[n]);
			falls -= json_get_int(j, "created_at", 0) > before;
			before = json_get_int(j, "created_at", 0);
		}
		const char *next = json_get_text(t->json, "next_cursor", NULL);
		if (!next)
			break;
		buf_clear(&path);
		buf_addf(&path, "%s&cursor=", list);
		http_escape(&path, next);
		ck_assert_uint_lt(path.len, 3000);
	}
	buf_close(&path);
	ck_assert_int_ge(falls, 0);
	return n;
}

/* Newest first of 32 queues at a time: those of the kinds lie among the others. */
START_TEST(jobs_of_all_queues_are_listed)
{
	struct api_test t;

	api_start(&t, NULL);
	fill(&t);
	fill(&t);
	ck_assert_int_eq(walk(&t, "/api/jobs?limit=7", 3), 2 * QUEUES);
	ck_assert_int_eq(walk(&t, "/api/jobs?limit=256", 3), 2 * QUEUES);
	ck_assert_int_eq(walk(&t, "/api/jobs?limit=50&state=ready", 3), 2 * QUEUES);
	ck_assert_int_eq(walk(&t, "/api/jobs?limit=50&queue=many_42", 0), 2);
	ck_assert_int_eq(walk(&t, "/api/jobs?limit=50&kind=noop", 0), 0);
	ck_status(&t, api_get(&t, "/api/jobs?cursor=%3Emany_70"), 200);
	ck_assert_uint_eq(json_count(json_get(t.json, "jobs")), 2 * (QUEUES - 71));
	ck_status(&t, api_get(&t, "/api/jobs?cursor=%3Emany_10%3Bmany_11%3D"), 422);
	api_stop(&t);
}
END_TEST

/* One by one they would be more than a hundred. */
START_TEST(jobs_of_all_queues_take_few_round_trips)
{
	struct api_test t;

	api_start(&t, NULL);
	fill(&t);
	ck_status(&t, api_get(&t, "/api/jobs?limit=20"), 200);
	int64_t before = test_redis_reads(&t.redis, 1);
	ck_status(&t, api_get(&t, "/api/jobs?limit=20"), 200);
	ck_assert_uint_eq(json_count(json_get(t.json, "jobs")), 20);
	ck_assert_int_le(test_redis_reads(&t.redis, 1) - before, 16);
	api_stop(&t);
}
END_TEST

/* Ids of jobs that vanished, to be looked at like others. */
static void put_old_ids(struct api_test *t, const char *queue, int n)
{
	struct buf command = {0};

	for (int i = 0; i < n; i += 1000) {
		buf_clear(&command);
		for (int k = i; k < i + 1000; k++)
			buf_addf(&command, " 0%019d", k);
		test_redis_tell(t->redis.port, "RPUSH {bq:%s:0}:a%s", queue, buf_text(&command));
	}
	buf_close(&command);
}

/* A kind of ours, in a queue of another name. */
static void start_with_a_rare_job(struct api_test *t)
{
	struct queue_submission s = {.kind = "noop", .queue = "many_33"};
	struct queue_submitted out;
	struct err e = {0};

	api_start(t, NULL);
	fill(t);
	struct queue *q = queue_of(t);
	ck_ok(queue_submit(q, &s, 1, &out, &e), &e);
	queue_close(&q);
}

/* The only one of its kind behind many others is found at once; behind more than one answer may look through, by the next page. */
START_TEST(rare_jobs_are_found)
{
	struct api_test t;

	start_with_a_rare_job(&t);
	put_old_ids(&t, "many_33", 20000);
	ck_status(&t, api_get(&t, "/api/jobs?kind=noop&queue=many_33"), 200);
	ck_assert_uint_eq(json_count(json_get(t.json, "jobs")), 1);
	ck_assert_ptr_null(json_get_text(t.json, "next_cursor", NULL));
	put_old_ids(&t, "many_33", 50000);
	ck_status(&t, api_get(&t, "/api/jobs?kind=noop&queue=many_33"), 200);
	ck_assert_uint_eq(json_count(json_get(t.json, "jobs")), 0);
	ck_assert_ptr_nonnull(json_get_text(t.json, "next_cursor", NULL));
	ck_assert_int_eq(walk(&t, "/api/jobs?kind=noop", 0), 1);
	ck_assert_int_eq(walk(&t, "/api/jobs?kind=strange&limit=3", 3), QUEUES);
	api_stop(&t);
}
END_TEST

/* A kind of ours that was submitted to a queue of another name. */
START_TEST(a_job_is_found_by_its_kind_in_any_queue)
{
	struct api_test t;

	start_with_a_rare_job(&t);
	ck_assert_int_eq(walk(&t, "/api/jobs?kind=noop", 0), 1);
	api_stop(&t);
}
END_TEST

/* They fail at their first attempt, by a worker in each queue. */
static void let_all_fail(struct api_test *t)
{
	static const char *const kinds[] = {"strange"};
	struct err e = {0};

	for (int i = 0; i < QUEUES; i++) {
		struct queue_step_reply r;
		struct queue_ack a = {.outcome = ACK_ERROR, .error = {.code = ERR_INVALID}};
		char queue[JOB_NAME];

		name_of(i, queue);
		struct queue_link *l = queue_link_open(t->redis.url, NULL, queue, "w", kinds, 1, &e);
		ck_assert_msg(l != NULL, "%s", e.text);
		ck_assert_msg(worker_step(l, &(struct queue_step){.lease_ms = 60000, .want = 1}, &r, &e), "%s", e.text);
		ck_assert_uint_eq(r.n_claims, 1);
		memcpy(a.id, r.claims[0].job.id, JOB_ID);
		a.fence = r.claims[0].job.fence;
		queue_step_reply_close(&r);
		ck_assert_msg(worker_step(l, &(struct queue_step){.lease_ms = 60000, .acks = &a, .n_acks = 1}, &r, &e), "%s", e.text);
		queue_step_reply_close(&r);
		queue_link_close(&l);
	}
}

START_TEST(dead_letters_of_all_queues_are_found)
{
	struct api_test t;

	api_start(&t, NULL);
	fill(&t);
	let_all_fail(&t);
	ck_assert_int_eq(walk(&t, "/api/dead?state=failed&limit=7", QUEUES), QUEUES);
	ck_status(&t, api_call(&t, "POST", "/api/dead/replay", "{\"state\":\"failed\",\"limit\":10}"), 200);
	ck_assert_int_eq(json_get_int(t.json, "replayed", 0), 10);
	ck_status(&t, api_call(&t, "POST", "/api/dead/delete", "{\"state\":\"failed\"}"), 200);
	ck_assert_int_eq(json_get_int(t.json, "deleted", 0), QUEUES - 10);
	ck_assert_int_eq(walk(&t, "/api/jobs?limit=30", 3), 10);
	api_stop(&t);
}
END_TEST

START_TEST(each_of_them_is_a_queue)
{
	struct api_test t;
	char queue[JOB_NAME], path[120];

	api_start(&t, NULL);
	fill(&t);
	for (int i = 0; i < QUEUES; i++) {
		name_of(i, queue);
		snprintf(path, sizeof path, "/api/queues/%s/pause", queue);
		ck_status(&t, api_call(&t, "POST", path, NULL), 200);
		ck_assert_str_eq(api_member(&t, "queue"), queue);
		ck_assert(json_get_bool(t.json, "paused", false));
	}
	ck_status(&t, api_call(&t, "POST", "/api/queues/many_99/pause", NULL), 404);
	api_stop(&t);
}
END_TEST

START_TEST(a_worker_of_any_of_them_is_seen)
{
	static const char *const kinds[] = {"strange"};
	struct queue_link *l[QUEUES];
	struct api_test t;
	char queue[JOB_NAME], name[JOB_WORKER];
	struct err e = {0};

	api_start(&t, NULL);
	fill(&t);
	for (int i = 0; i < QUEUES; i++) {
		struct queue_step_reply r;

		name_of(i, queue);
		snprintf(name, sizeof name, "w-%s", queue);
		l[i] = queue_link_open(t.redis.url, NULL, queue, name, kinds, 1, &e);
		ck_assert_msg(l[i] != NULL, "%s", e.text);
		ck_assert_msg(worker_step(l[i], &(struct queue_step){.lease_ms = 60000}, &r, &e), "%s", e.text);
		queue_step_reply_close(&r);
	}
	ck_status(&t, api_get(&t, "/api/workers"), 200);
	for (int i = 0; i < QUEUES; i++) {
		name_of(i, queue);
		snprintf(name, sizeof name, "w-%s", queue);
		const struct json *w = member_of(json_get(t.json, "workers"), "name", name);
		ck_assert_msg(w != NULL, "worker %s is left out", name);
		ck_assert_str_eq(json_text(json_first(json_get(w, "queues"))), queue);
	}
	ck_status(&t, api_get(&t, "/api/workers/w-many_74"), 200);
	for (int i = 0; i < QUEUES; i++)
		queue_link_close(&l[i]);
	api_stop(&t);
}
END_TEST

#define WORKERS 3000

/* More than anybody runs; they are written by hand, as living for another minute, and in two shards. */
START_TEST(all_workers_of_a_queue_are_listed)
{
	struct api_test t;
	struct queue_shards shards;
	struct err e = {0};
	long long until = (long long)clock_now_ms() + 60000;

	api_start(&t, NULL);
	fill(&t);
	struct queue *q = queue_of(&t);
	ck_ok(queue_set_shards(q, "many_00", 2, &shards, &e), &e);
	for (int i = 0; i < WORKERS; i++)
		for (int shard = 0; shard < 2; shard++)
			test_redis_tell(t.redis.port, "ZADD {bq:many_00:%d}:W %lld w-%04d", shard, until, i);
	queue_close(&q);
	ck_status(&t, api_get(&t, "/api/workers"), 200);
	const struct json *x = json_first(json_get(t.json, "workers"));
	ck_assert_uint_eq(json_count(json_get(t.json, "workers")), WORKERS);
	for (int i = 0; i < WORKERS; i++, x = json_next(x)) {
		char name[JOB_WORKER];

		snprintf(name, sizeof name, "w-%04d", i);
		ck_assert_str_eq(json_get_text(x, "name", ""), name);
	}
	api_stop(&t);
}
END_TEST

START_TEST(changes_of_all_queues_are_followed)
{
	struct api_test t;
	struct ear x;
	char queue[JOB_NAME], part[120];

	api_start(&t, NULL);
	fill(&t);
	ear_open(&x, &t, "/api/jobs/events", NULL);
	ck_hears(&x, ": listening\n");
	fill(&t);
	for (int i = 0; i < QUEUES; i++) {
		name_of(i, queue);
		snprintf(part, sizeof part, "\"queue\":\"%s\",\"kind\":\"strange\",\"state\":\"ready\"", queue);
		ck_hears(&x, part);
	}
	ear_close(&x);
	api_stop(&t);
}
END_TEST

static void put_schedule(struct queue *q, const char *queue)
{
	struct queue_schedule s = {.every_ms = 3600000};
	struct err e = {0};

	snprintf(s.queue, sizeof s.queue, "%s", queue);
	snprintf(s.name, sizeof s.name, "in-%s", queue);
	snprintf(s.kind, sizeof s.kind, "strange");
	ck_ok(queue_schedule_put(q, &s, -1, &e), &e);
	queue_schedule_close(&s);
}

START_TEST(a_schedule_of_any_of_them_is_found)
{
	struct api_test t;
	char queue[JOB_NAME], path[120];

	api_start(&t, NULL);
	fill(&t);
	struct queue *q = queue_of(&t);
	for (int i = 0; i < QUEUES; i++) {
		name_of(i, queue);
		put_schedule(q, queue);
	}
	queue_close(&q);
	for (int i = 0; i < QUEUES; i++) {
		name_of(i, queue);
		snprintf(path, sizeof path, "/api/schedules/in-%s", queue);
		ck_status(&t, api_get(&t, path), 200);
		ck_assert_str_eq(api_member(&t, "name"), path + strlen("/api/schedules/"));
	}
	/* Listed, each is looked for in its own queue only. */
	int64_t before = test_redis_reads(&t.redis, 1);
	ck_status(&t, api_get(&t, "/api/schedules?limit=256"), 200);
	ck_assert_uint_eq(json_count(json_get(t.json, "schedules")), QUEUES);
	ck_assert_int_le(test_redis_reads(&t.redis, 1) - before, 8 * QUEUES);
	api_stop(&t);
}
END_TEST

static const TTest *const tests[] = {all_queues_are_listed_and_measured, all_queues_take_few_round_trips,
        all_routes_that_nobody_serves_are_told, jobs_of_all_queues_are_listed, jobs_of_all_queues_take_few_round_trips, rare_jobs_are_found,
        a_job_is_found_by_its_kind_in_any_queue, dead_letters_of_all_queues_are_found, each_of_them_is_a_queue,
        a_worker_of_any_of_them_is_seen, all_workers_of_a_queue_are_listed, changes_of_all_queues_are_followed,
        a_schedule_of_any_of_them_is_found};
TEST_MAIN("queues_api", tests)
