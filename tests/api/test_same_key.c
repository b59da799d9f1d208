/* test_same_key.c -- requests with one Idempotency-Key at the same moment: one job, one flow, whoever comes first. */
#include "tests/api/api_test.h"

#define CALLERS 3
#define ROUNDS  300

/* What each caller sends in each round, all of them at once. */
struct race {
	struct api_test *t;
	const char *path;
	const char *bodies[CALLERS];
	pthread_barrier_t start, end;
	bool over;
};

struct caller {
	struct race *race;
	int number;
	pthread_t thread;
	int status;
	char id[JOB_ID], detail[400];
	bool replayed;
};

static void call_once(struct caller *c, struct http_client *http, int round)
{
	struct race *r = c->race;
	char url[100], key[60], replayed[16];
	const char *const headers[] = {key, "Content-Type: application/json", NULL};
	struct http_answer a = {0};
	struct err e = {0};

	snprintf(url, sizeof url, "http://127.0.0.1:%d%s", r->t->ports[0], r->path);
	snprintf(key, sizeof key, "Idempotency-Key: \"round %d\"", round);
	const char *body = r->bodies[c->number];
	struct http_call call = {.method = "POST", .url = url, .headers = headers, .body = body, .body_len = strlen(body)};
	bool sent = http_client_call(http, &call, &a, &e);
	struct json *j = sent ? json_parse(buf_text(&a.body), a.body.len, &e) : NULL;
	c->status = sent ? a.status : 0;
	c->replayed = http_answer_header(&a, "idempotent-replayed", replayed, sizeof replayed);
	snprintf(c->id, sizeof c->id, "%s", json_get_text(j, "id", ""));
	snprintf(c->detail, sizeof c->detail, "%s", sent ? json_get_text(j, "detail", "") : e.text);
	json_close(&j);
	http_answer_close(&a);
}

static void *caller_main(void *user)
{
	struct caller *c = user;
	struct err e = {0};
	struct http_client *http = http_client_open(NULL, &e);

	for (int round = 0;; round++) {
		pthread_barrier_wait(&c->race->start);
		if (c->race->over)
			break;
		call_once(c, http, round);
		pthread_barrier_wait(&c->race->end);
	}
	http_client_close(&http);
	return NULL;
}

static void run(struct race *r, struct caller *all, void (*judge)(const struct caller *all, int round))
{
	pthread_barrier_init(&r->start, NULL, CALLERS + 1);
	pthread_barrier_init(&r->end, NULL, CALLERS + 1);
	for (int i = 0; i < CALLERS; i++) {
		all[i] = (struct caller){.race = r, .number = i};
		ck_assert_int_eq(pthread_create(&all[i].thread, NULL, caller_main, &all[i]), 0);
	}
	for (int round = 0; round < ROUNDS; round++) {
		pthread_barrier_wait(&r->start);
		pthread_barrier_wait(&r->end);
		judge(all, round);
	}
	r->over = true;
	pthread_barrier_wait(&r->start);
	for (int i = 0; i < CALLERS; i++)
		pthread_join(all[i].thread, NULL);
	pthread_barrier_destroy(&r->start);
	pthread_barrier_destroy(&r->end);
}

/* All got the same job; one of them made it. */
static void one_for_all(const struct caller *all, int round)
{
	int made = 0;

	for (int i = 0; i < CALLERS; i++) {
		ck_assert_msg(all[i].status == 202, "round %d: %d %s", round, all[i].status, all[i].detail);
		ck_assert_str_eq(all[i].id, all[0].id);
		made += !all[i].replayed;
	}
	ck_assert_msg(made == 1, "round %d: %d of them made job %s", round, made, all[0].id);
}

/* The last caller wants something else: it, or the others, are told so, and only one kind of job is made. */
static void one_or_refused(const struct caller *all, int round)
{
	const struct caller *odd = &all[CALLERS - 1];
	int made = 0;

	for (int i = 0; i < CALLERS; i++) {
		ck_assert_msg(all[i].status == 202 || all[i].status == 422, "round %d: %d %s", round, all[i].status, all[i].detail);
		made += all[i].status == 202 && !all[i].replayed;
	}
	ck_assert_msg(made == 1, "round %d: %d jobs were made", round, made);
	ck_assert_int_ne(all[0].status, odd->status);
	ck_assert_int_eq(all[0].status, all[1].status);
	ck_assert_str_eq(all[0].id, all[1].id);
}

/* Jobs of all states that the queue holds. */
static int64_t jobs_there(struct api_test *t)
{
	struct err e = {0};
	struct queue *q = queue_open(t->redis.url, NULL, &e);
	struct queue_audit audit;

	ck_assert_msg(q && queue_audit(q, "default", &audit, &e) == 1, "%s%s", audit.problem, e.text);
	queue_close(&q);
	return audit.jobs;
}

#define NOOP  "{\"kind\":\"noop\"}"
#define OTHER "{\"kind\":\"noop\",\"priority\":1}"

static void race_is(const char *path, const char *body, const char *odd, int shards, void (*judge)(const struct caller *all, int round),
        int64_t jobs_each)
{
	struct api_test t;
	struct caller all[CALLERS];
	char change[40];

	api_start(&t, NULL);
	if (shards > 1) {
		ck_status(&t, api_call(&t, "POST", "/api/jobs", NOOP), 202); /* there must be a queue first */
		snprintf(change, sizeof change, "{\"shards\":%d}", shards);
		ck_status(&t, api_call(&t, "PATCH", "/api/queues/default", change), 200);
	}
	struct race r = {.t = &t, .path = path, .bodies = {body, body, odd}};
	run(&r, all, judge);
	ck_assert_int_eq(jobs_there(&t), ROUNDS * jobs_each + (shards > 1));
	api_stop(&t);
}

START_TEST(one_key_is_one_job)
{
	race_is("/api/jobs", NOOP, NOOP, 1, one_for_all, 1);
}
END_TEST

/* Where a key is promised first, in a place that all shards share. */
START_TEST(one_key_is_one_job_in_several_shards)
{
	race_is("/api/jobs", NOOP, NOOP, 3, one_for_all, 1);
}
END_TEST

START_TEST(one_key_is_one_request)
{
	race_is("/api/jobs", NOOP, OTHER, 1, one_or_refused, 1);
}
END_TEST

START_TEST(one_key_is_one_flow)
{
	static const char flow[] = "{\"chain\":[{\"kind\":\"noop\"},{\"kind\":\"noop\"}]}";

	race_is("/api/flows", flow, flow, 1, one_for_all, 3);
}
END_TEST

static const TTest *const tests[] = {one_key_is_one_job, one_key_is_one_job_in_several_shards, one_key_is_one_request, one_key_is_one_flow};
TEST_MAIN("same_key", tests)
