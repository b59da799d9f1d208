/* test_history.c -- the history over HTTP: searched page by page, and jobs that the queue has forgotten. */
#include "store/history.h"
#include "tests/api/api_test.h"

#define DAY INT64_C(1769904000000) /* 2026-02-01 */

static struct store *store_of(struct api_test *t)
{
	struct err e = {0};
	struct store *s = store_open(t->store_url, &e);

	ck_assert_msg(s != NULL, "%s", e.text);
	return s;
}

static void put(struct store *s, const struct job *job)
{
	struct history_entry x = {.job = job, .keep = true};
	struct err e = {0};
	int64_t written;

	ck_ok(store_history_put(s, &x, 1, &written, &e), &e);
	ck_assert_int_eq(written, 1);
}

static const char *id_of(int i, char out[JOB_ID])
{
	job_id_make(out, i % 2 ? "kline" : "default", 0, DAY + i, (uint64_t)i);
	return out;
}

/* Twenty jobs, an hour apart; every fourth failed. */
static void fill(struct api_test *t)
{
	struct store *s = store_of(t);

	for (int i = 0; i < 20; i++) {
		char params[] = "{\"n\":1}", result[] = "{\"bars\":7}";
		struct job j = {.state = i % 4 ? JOB_SUCCEEDED : JOB_FAILED,
		        .params = params,
		        .result = i % 4 ? result : NULL,
		        .finished_at = DAY + i * INT64_C(3600000),
		        .created_at = DAY,
		        .rev = 3};

		id_of(i, j.id);
		ck_assert(str_copy(j.kind, sizeof j.kind, i % 2 ? "kline.download" : "old.kind"));
		ck_assert(str_copy(j.queue, sizeof j.queue, i % 2 ? "kline" : "default"));
		if (j.state == JOB_FAILED)
			err_set(&j.error, ERR_TIMEOUT, "the exchange, it said \"100%%\", is away");
		put(s, &j);
	}
	store_close(&s);
}

/* All pages of a query, by their cursors; how many jobs there are. */
static int count(struct api_test *t, const char *query)
{
	char cursor[200] = "", path[500];
	int64_t last = INT64_MAX;
	int total = 0;

	do {
		snprintf(path, sizeof path, "/api/history?limit=3%s%s%s", query, *cursor ? "&cursor=" : "", cursor);
		ck_status(t, api_get(t, path), 200);
		for (const struct json *j = json_first(json_get(t->json, "jobs")); j; j = json_next(j), total++) {
			ck_assert_int_lt(json_get_int(j, "finished_at", 0), last);
			last = json_get_int(j, "finished_at", 0);
			ck_assert(json_get_bool(j, "archived", false));
			ck_assert_ptr_null(json_get(j, "max_crashes"));
		}
		ck_assert(str_copy(cursor, sizeof cursor, api_member(t, "next_cursor")));
	} while (*cursor);
	return total;
}

START_TEST(the_history_is_searched)
{
	struct api_test t;

	api_start(&t, NULL);
	ck_assert_int_eq(count(&t, ""), 0);
	fill(&t);
	ck_assert_int_eq(count(&t, ""), 20);
	ck_assert_int_eq(count(&t, "&kind=old.kind"), 10);
	ck_assert_int_eq(count(&t, "&queue=kline"), 10);
	ck_assert_int_eq(count(&t, "&state=failed"), 5);
	ck_assert_int_eq(count(&t, "&state=succeeded&queue=default"), 5);
	ck_assert_int_eq(count(&t, "&state=dead"), 0);
	ck_assert_int_eq(count(&t, "&error=EXCHANGE%2C%20it%20said%20%22100%25"), 5);
	ck_assert_int_eq(count(&t, "&error=timeout"), 5);
	ck_assert_int_eq(count(&t, "&error=%25"), 5);
	ck_assert_int_eq(count(&t, "&error=x'%20OR%201=1"), 0);
	ck_assert_int_eq(count(&t, "&from=2026-02-01%2012:00"), 8);
	ck_assert_int_eq(count(&t, "&from=2026-02-01%2005:00&to=2026-02-01%2006:00"), 2);
	ck_assert_int_eq(count(&t, "&to=2026-02-01"), 20);
	ck_assert_int_eq(count(&t, "&to=2026-01-31"), 0);
	ck_assert_int_eq(count(&t, "&from=2026-02-02"), 0);
	api_stop(&t);
}
END_TEST

/* The link leads through all pages and keeps the filters. */
START_TEST(the_link_leads_on)
{
	struct api_test t;
	char link[512], path[512] = "/api/history?state=failed&error=it%20said&limit=2";
	int pages = 0, jobs = 0;

	api_start(&t, NULL);
	fill(&t);
	while (*path) {
		ck_status(&t, api_get(&t, path), 200);
		pages++;
		jobs += (int)json_count(json_get(t.json, "jobs"));
		api_header(&t, "link", link);
		char *end = strchr(link, '>');
		*path = '\0';
		if (!end)
			break;
		ck_contains(end, "rel=\"next\"");
		ck_assert(str_copy_n(path, sizeof path, link + 1, (size_t)(end - link - 1)));
		ck_contains(path, "error=it%20said");
	}
	ck_assert_int_eq(jobs, 5);
	ck_assert_int_eq(pages, 3);
	api_stop(&t);
}
END_TEST

START_TEST(it_is_asked_for_properly)
{
	static const char *const bad[] = {"limit=0", "limit=257", "limit=x", "state=ready", "kind=A%20B", "queue=a.b", "from=soon",
	        "to=never", "cursor=x", "cursor=1", "cursor=1%3Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	        "error=" /* below */};
	struct api_test t;

	api_start(&t, NULL);
	for (size_t i = 0; i + 1 < ARRAY_LEN(bad); i++) {
		char path[200];

		snprintf(path, sizeof path, "/api/history?%s", bad[i]);
		ck_status(&t, api_get(&t, path), 422);
		ck_contains(api_body(&t), "\"type\":\"urn:barque:problem:invalid\"");
	}
	ck_status(&t, api_get(&t, "/api/history?error="), 200); /* empty is absent */
	api_stop(&t);
}
END_TEST

/* The members that only the queue knows. */
static const char *const unkept[] = {"max_crashes", "backoff_ms", "backoff_cap_ms", "quarantine_after", "result_ttl_ms", "time_limit_ms",
        "hard_limit_ms", "concurrency", "rate", "waiting_on", "children", "quarantined", "cancel_asked"};

/* What the history does not keep is left out: a 0 or false would be a lie. */
static void nothing_is_made_up(const struct json *job)
{
	for (size_t i = 0; i < ARRAY_LEN(unkept); i++)
		ck_assert_msg(!json_get(job, unkept[i]), "an archived job says %s, which the history does not keep", unkept[i]);
}

/* The queue knows nothing of it; the store does. */
START_TEST(a_forgotten_job_is_shown)
{
	struct api_test t;
	char id[JOB_ID], path[120];

	api_start(&t, NULL);
	fill(&t);
	snprintf(path, sizeof path, "/api/jobs/%s", id_of(1, id));
	ck_status(&t, api_get(&t, path), 200);
	ck_assert_str_eq(api_member(&t, "id"), id);
	ck_assert_str_eq(api_member(&t, "state"), "succeeded");
	ck_assert(json_get_bool(t.json, "archived", false));
	ck_assert_int_eq(json_get_int(json_get(t.json, "params"), "n", 0), 1);
	nothing_is_made_up(t.json);
	snprintf(path, sizeof path, "/api/jobs/%s?wait=5", id);
	ck_status(&t, api_get(&t, path), 200);
	snprintf(path, sizeof path, "/api/jobs/%s/result", id);
	ck_status(&t, api_get(&t, path), 200);
	ck_assert_str_eq(api_body(&t), "{\"bars\":7}");
	snprintf(path, sizeof path, "/api/jobs/%s/result", id_of(4, id));
	ck_status(&t, api_get(&t, path), 409);
	ck_contains(api_body(&t), "is away");
	snprintf(path, sizeof path, "/api/jobs/%s", id_of(77, id));
	ck_status(&t, api_get(&t, path), 404);
	snprintf(path, sizeof path, "/api/jobs/%s/result", id);
	ck_status(&t, api_get(&t, path), 404);
	api_stop(&t);
}
END_TEST

START_TEST(a_long_result_is_gone)
{
	struct api_test t;
	struct job j = {.kind = "noop", .queue = "default", .state = JOB_SUCCEEDED, .finished_at = DAY, .rev = 3};
	char *result = mem_new(HISTORY_TEXT_MAX + 10), path[120];

	api_start(&t, NULL);
	struct store *s = store_of(&t);
	memset(result, '1', HISTORY_TEXT_MAX + 5);
	j.result = result;
	id_of(2, j.id);
	put(s, &j);
	store_close(&s);
	snprintf(path, sizeof path, "/api/jobs/%s/result", j.id);
	ck_status(&t, api_get(&t, path), 410);
	ck_contains(api_body(&t), "no longer kept");
	snprintf(path, sizeof path, "/api/jobs/%s", j.id);
	ck_status(&t, api_get(&t, path), 200);
	mem_free(&result);
	api_stop(&t);
}
END_TEST

/* What the queue still has is not archived, whatever the store says of it. */
START_TEST(a_living_job_is_not_archived)
{
	struct api_test t;
	char id[JOB_ID], path[120];

	api_start(&t, NULL);
	api_submit(&t, "{\"kind\":\"noop\"}", id);
	snprintf(path, sizeof path, "/api/jobs/%s", id);
	ck_status(&t, api_get(&t, path), 200);
	ck_assert_ptr_null(json_get(t.json, "archived"));
	for (size_t i = 0; i < ARRAY_LEN(unkept); i++)
		ck_assert_msg(json_get(t.json, unkept[i]) != NULL, "a living job does not say %s", unkept[i]);
	api_stop(&t);
}
END_TEST

static const TTest *const tests[] = {the_history_is_searched, the_link_leads_on, it_is_asked_for_properly, a_forgotten_job_is_shown,
        a_long_result_is_gone, a_living_job_is_not_archived};
TEST_MAIN("history_api", tests)
