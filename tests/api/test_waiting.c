/* test_waiting.c -- requests that wait for their job, and what becomes of them when the queue or the program goes away. */
#include "tests/api/api_test.h"

static const char *finish(const struct job *job, struct err *e, void *user)
{
	UNUSED(job);
	UNUSED(e);
	UNUSED(user);
	return "{\"answer\":42}";
}

static const char *fails(const struct job *job, struct err *e, void *user)
{
	UNUSED(job);
	UNUSED(user);
	err_set(e, ERR_INVALID, "nothing will help");
	return NULL;
}

static int submit_and_wait(struct api_test *t, const char *prefer, const char *body)
{
	const char *const headers[] = {prefer, "Content-Type: application/json", NULL};

	return api_call_port(t, t->ports[0], "POST", "/api/jobs", headers, body);
}

START_TEST(prefer_wait_gives_the_result)
{
	struct api_test t;
	struct api_worker w;
	char h[512], path[100];

	api_start(&t, NULL);
	worker_start(&w, &t, "default", finish, NULL);
	ck_status(&t, submit_and_wait(&t, "Prefer: wait=20", "{\"kind\":\"noop\"}"), 200);
	ck_assert_str_eq(api_member(&t, "state"), "succeeded");
	ck_assert_int_eq(json_get_int(json_get(t.json, "result"), "answer", 0), 42);
	ck_assert_str_eq(api_header(&t, "preference-applied", h), "wait=20");
	snprintf(path, sizeof path, "/api/jobs/%s/result", api_member(&t, "id"));
	ck_status(&t, api_get(&t, path), 200);
	ck_assert_str_eq(api_body(&t), "{\"answer\":42}");
	worker_stop(&w);
	api_stop(&t);
}
END_TEST

START_TEST(a_wait_that_is_over_gives_202)
{
	struct api_test t;
	int64_t start;
	char h[512];

	api_start(&t, NULL);
	start = clock_mono_ms();
	ck_status(&t, submit_and_wait(&t, "Prefer: wait=1", "{\"kind\":\"noop\"}"), 202);
	ck_assert_int_ge(clock_mono_ms() - start, 900);
	ck_assert_str_eq(api_member(&t, "state"), "ready");
	ck_assert(str_starts(api_header(&t, "location", h), "/api/jobs/"));
	start = clock_mono_ms();
	ck_status(&t, submit_and_wait(&t, "Prefer: respond-async, wait=10", "{\"kind\":\"noop\"}"), 202);
	ck_assert_int_lt(clock_mono_ms() - start, 5000);
	ck_status(&t, submit_and_wait(&t, "Prefer: wait=soon", "{\"kind\":\"noop\"}"), 202);
	api_stop(&t);
}
END_TEST

START_TEST(a_long_poll_hears_the_end)
{
	struct api_test t;
	struct api_worker w;
	char id[JOB_ID], path[100], h[512], header[600];
	const char *const headers[] = {header, NULL};

	api_start(&t, NULL);
	api_submit(&t, "{\"kind\":\"noop\"}", id);
	snprintf(path, sizeof path, "/api/jobs/%s?wait=1", id);
	ck_status(&t, api_get(&t, path), 200);
	ck_assert_str_eq(api_member(&t, "state"), "ready");
	snprintf(header, sizeof header, "If-None-Match: %s", api_header(&t, "etag", h));
	ck_status(&t, api_call_port(&t, t.ports[0], "GET", path, headers, NULL), 304);
	worker_start(&w, &t, "default", fails, NULL);
	snprintf(path, sizeof path, "/api/jobs/%s?wait=20", id);
	ck_status(&t, api_call_port(&t, t.ports[0], "GET", path, headers, NULL), 200);
	ck_status(&t, api_get(&t, path), 200);
	ck_assert_str_eq(api_member(&t, "state"), "failed");
	ck_assert_str_eq(json_get_text(json_get(t.json, "error"), "message", ""), "nothing will help");
	ck_status(&t, api_get(&t, "/api/jobs/x?wait=-1"), 404);
	snprintf(path, sizeof path, "/api/jobs/%s?wait=-1", id);
	ck_status(&t, api_get(&t, path), 422);
	worker_stop(&w);
	api_stop(&t);
}
END_TEST

/* ---- many at once -------------------------------------------------------------------------------------------- */

#define CROWD 100

struct waiter_thread {
	struct api_test *t;
	pthread_t thread;
	char path[100];
	const char *post; /* NULL: GET */
	int status;
	int64_t took_ms;
	char body[4096];
};

static void *waiter_thread(void *user)
{
	static const char *const headers[] = {"Content-Type: application/json", "Prefer: wait=60", NULL};
	struct waiter_thread *x = user;
	struct err e = {0};
	struct http_client *http = http_client_open(NULL, &e);
	struct http_answer a = {0};
	char url[200];
	int64_t start = clock_mono_ms();

	snprintf(url, sizeof url, "http://127.0.0.1:%d%s", x->t->ports[0], x->path);
	struct http_call get = {.url = url}, post = {.method = "POST", .url = url, .headers = headers, .body = x->post};
	post.body_len = x->post ? strlen(x->post) : 0;
	if (http && http_client_call(http, x->post ? &post : &get, &a, &e))
		x->status = a.status;
	snprintf(x->body, sizeof x->body, "%s", x->status ? buf_text(&a.body) : e.text);
	x->took_ms = clock_mono_ms() - start;
	http_answer_close(&a);
	http_client_close(&http);
	return NULL;
}

static void waiters_start(struct waiter_thread *all, size_t n, struct api_test *t, const char *path)
{
	memset(all, 0, n * sizeof *all);
	for (size_t i = 0; i < n; i++) {
		all[i].t = t;
		ck_assert(str_copy(all[i].path, sizeof all[i].path, path));
		ck_assert_int_eq(pthread_create(&all[i].thread, NULL, waiter_thread, &all[i]), 0);
	}
}

static bool all_parked(void *user)
{
	struct api_test *t = user;

	ck_status(t, api_get(t, "/metrics"), 200);
	return strstr(api_body(t), "barque_http_waiting 100\n") != NULL;
}

static bool none_parked(void *user)
{
	struct api_test *t = user;

	ck_status(t, api_get(t, "/metrics"), 200);
	return strstr(api_body(t), "barque_http_waiting 0\n") != NULL;
}

START_TEST(a_hundred_requests_wait_without_a_thread_each)
{
	static struct waiter_thread all[CROWD];
	struct api_test t;
	struct api_worker w;
	char id[JOB_ID], path[100];

	api_start(&t, NULL);
	api_submit(&t, "{\"kind\":\"noop\"}", id);
	snprintf(path, sizeof path, "/api/jobs/%s?wait=25", id);
	waiters_start(all, CROWD, &t, path);
	ck_assert(test_until(15000, all_parked, &t));
	ck_status(&t, api_get(&t, "/livez"), 200); /* all four threads of the port are free */
	worker_start(&w, &t, "default", finish, NULL);
	for (size_t i = 0; i < CROWD; i++) {
		pthread_join(all[i].thread, NULL);
		ck_assert_msg(all[i].status == 200 && strstr(all[i].body, "\"succeeded\""), "%d: %s", all[i].status, all[i].body);
	}
	ck_assert(test_until(5000, none_parked, &t));
	worker_stop(&w);
	api_stop(&t);
}
END_TEST

START_TEST(clients_that_go_away_are_forgotten)
{
	struct api_test t;
	char id[JOB_ID], url[200];
	struct err e = {0};
	struct http_client *hasty = http_client_open(&(struct http_client_options){.timeout_ms = 700}, &e);
	struct http_answer a = {0};

	api_start(&t, NULL);
	ck_assert_ptr_nonnull(hasty);
	api_submit(&t, "{\"kind\":\"noop\"}", id);
	snprintf(url, sizeof url, "http://127.0.0.1:%d/api/jobs/%s?wait=60", t.ports[0], id);
	ck_assert(!http_client_call(hasty, &(struct http_call){.url = url}, &a, &e));
	ck_assert(test_until(10000, none_parked, &t));
	http_answer_close(&a);
	http_client_close(&hasty);
	api_stop(&t);
}
END_TEST

/* ---- trouble ------------------------------------------------------------------------------------------------- */

START_TEST(a_dead_queue_is_503_and_heals)
{
	struct api_test t;
	char id[JOB_ID], path[100], h[512];

	api_start(&t, NULL);
	api_submit(&t, "{\"kind\":\"noop\"}", id);
	snprintf(path, sizeof path, "/api/jobs/%s", id);
	test_redis_kill(&t.redis);
	ck_status(&t, api_get(&t, path), 503);
	ck_assert_uint_gt(strlen(api_member(&t, "detail")), 10);
	ck_assert_str_ne(api_header(&t, "retry-after", h), "");
	ck_status(&t, api_call(&t, "POST", "/api/jobs", "{\"kind\":\"noop\"}"), 503);
	ck_status(&t, api_call(&t, "DELETE", path, NULL), 503);
	ck_status(&t, api_get(&t, "/api/jobs"), 503);
	ck_status(&t, api_get(&t, "/api/queues"), 503);
	ck_status(&t, api_get(&t, "/readyz"), 503);
	ck_assert_str_eq(api_member(&t, "store"), "ok");
	ck_status(&t, api_get(&t, "/livez"), 200);
	ck_status(&t, api_get(&t, "/api/symbols"), 200);
	test_redis_again(&t.redis);
	ck_status(&t, api_get(&t, "/readyz"), 200);
	ck_status(&t, api_call(&t, "POST", "/api/jobs", "{\"kind\":\"noop\"}"), 202);
	api_stop(&t);
}
END_TEST

/* The queue dies and comes back while requests wait: they hear the end of their job all the same. */
START_TEST(waiting_requests_survive_a_restart_of_the_queue)
{
	static struct waiter_thread all[5];
	struct api_test t;
	struct api_worker w;
	char id[JOB_ID], path[100];

	memset(&t, 0, sizeof t);
	api_start(&t, NULL);
	test_redis_stop(&t.redis);
	test_kill(t.pid, SIGTERM);
	test_redis_start(&t.redis, "always"); /* jobs must outlive the kill */
	api_spawn(&t, NULL);
	api_submit(&t, "{\"kind\":\"noop\"}", id);
	snprintf(path, sizeof path, "/api/jobs/%s?wait=25", id);
	waiters_start(all, ARRAY_LEN(all), &t, path);
	clock_sleep_ms(500);
	test_redis_kill(&t.redis);
	clock_sleep_ms(1000);
	test_redis_again(&t.redis);
	worker_start(&w, &t, "default", finish, NULL);
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		pthread_join(all[i].thread, NULL);
		ck_assert_msg(all[i].status == 200 && strstr(all[i].body, "\"succeeded\""), "%d: %s", all[i].status, all[i].body);
		ck_assert_int_lt(all[i].took_ms, 20000);
	}
	worker_stop(&w);
	api_stop(&t);
}
END_TEST

START_TEST(sigterm_answers_who_waits)
{
	static struct waiter_thread all[10];
	struct api_test t;
	struct waiter_thread flow = {.t = &t, .path = "/api/flows", .post = "{\"chain\":[{\"kind\":\"noop\"}]}"};
	char id[JOB_ID], path[100];

	api_start(&t, NULL);
	api_submit(&t, "{\"kind\":\"noop\"}", id);
	snprintf(path, sizeof path, "/api/jobs/%s?wait=60", id);
	waiters_start(all, ARRAY_LEN(all), &t, path);
	ck_assert_int_eq(pthread_create(&flow.thread, NULL, waiter_thread, &flow), 0);
	clock_sleep_ms(700);
	api_stop(&t);
	pthread_join(flow.thread, NULL); /* what was accepted is accepted */
	ck_assert_msg(flow.status == 202 && strstr(flow.body, "\"state\":\"waiting\""), "%d: %s", flow.status, flow.body);
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		pthread_join(all[i].thread, NULL);
		ck_assert_msg(all[i].status == 503, "%d: %s", all[i].status, all[i].body);
		ck_contains(all[i].body, "detail");
		ck_assert_int_lt(all[i].took_ms, 20000);
	}
}
END_TEST

static const TTest *const tests[] = {prefer_wait_gives_the_result, a_wait_that_is_over_gives_202, a_long_poll_hears_the_end,
        a_hundred_requests_wait_without_a_thread_each, clients_that_go_away_are_forgotten, a_dead_queue_is_503_and_heals,
        waiting_requests_survive_a_restart_of_the_queue, sigterm_answers_who_waits};
TEST_MAIN("waiting", tests)
