/* test_history.c -- ended jobs in the store: each once, with its event, whatever dies on the way.
 *
 * The broker of these tests is away, so that the outbox keeps all events to be counted.
 */
#include <signal.h>
#include <string.h>

#include "store/history.h"
#include "tests/flow/worker_rig.h"
#include "tests/lib/test.h"

#define AWAY "KAFKA_BROKERS=127.0.0.1:1"
#define MANY 10000
#define SOME 2000
#define SOAK 20000

static void submit_many(struct rig *r, int n)
{
	static struct queue_submission items[QUEUE_BATCH_MAX];
	static struct queue_submitted out[QUEUE_BATCH_MAX];
	for (int left = n; left > 0; left -= QUEUE_BATCH_MAX) {
		size_t some = left < QUEUE_BATCH_MAX ? (size_t)left : QUEUE_BATCH_MAX;
		for (size_t i = 0; i < some; i++)
			items[i] = (struct queue_submission){.kind = "noop", .queue = "default", .priority = 5, .kind_version = 1};
		ck_assert_msg(queue_submit(r->queue, items, some, out, &r->e), "%s", r->e.text);
	}
}

static struct store *rig_store(struct rig *r)
{
	char url[400];
	snprintf(url, sizeof(url), "sqlite:%s/db", test_dir());
	struct store *s = store_open(url, &r->e);
	ck_assert_msg(s != NULL, "%s", r->e.text);
	return s;
}

struct kept {
	struct store *store;
	int64_t rows, events;
};

static bool is_kept(void *user)
{
	struct kept *k = user;
	struct err e;
	int64_t rows = -1, events = -1;
	ck_assert_msg(store_history_count(k->store, &rows, &e) && store_outbox_count(k->store, &events, &e), "%s", e.text);
	return rows >= k->rows && events >= k->events;
}

/* Wait for so many rows and events; then there must be no more. */
static void expect_kept(struct store *s, int64_t rows, int64_t events)
{
	struct kept k = {.store = s, .rows = rows, .events = events};
	struct err e;
	int64_t n = -1;
	if (!test_until(60000, is_kept, &k))
		fprintf(stderr, "not all came\n");
	clock_sleep_ms(300);
	ck_assert(store_history_count(s, &n, &e));
	ck_assert_int_eq(n, rows);
	ck_assert(store_outbox_count(s, &n, &e));
	ck_assert_int_eq(n, events);
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct outbox_row *)a)->id, ((const struct outbox_row *)b)->id);
}

/* Of each end one event, whatever was written twice. */
static void expect_events_differ(struct store *s, int n)
{
	struct arena *a = arena_open();
	struct outbox_row *rows;
	struct err e;
	ck_assert_int_eq(store_outbox_take(s, n + 1, a, &rows, &e), n);
	qsort(rows, (size_t)n, sizeof(*rows), by_id);
	for (int i = 0; i < n; i++) {
		ck_assert_str_eq(rows[i].type, "job.ended.v1");
		ck_assert_msg(i == 0 || strcmp(rows[i].id, rows[i - 1].id) != 0, "%s was told twice", rows[i].id);
		ck_assert(str_starts(rows[i].id, rows[i].key));
	}
	arena_close(&a);
}

static void break_at(const char *point, int nth, int jobs)
{
	struct rig r;
	char fail[700], marker[600];
	rig_open(&r, "no");
	snprintf(marker, sizeof(marker), "%s/fired", test_dir());
	snprintf(fail, sizeof(fail), "BARQUE_FAIL=%s:%d:crash:%s", point, nth, marker);
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=2", fail, AWAY, NULL});
	submit_many(&r, jobs);
	struct store *s = rig_store(&r);
	expect_kept(s, jobs, jobs);
	ck_assert_msg(access(marker, F_OK) == 0, "nothing passed %s %d times", point, nth);
	expect_events_differ(s, jobs);
	rig_done_is(&r, jobs);
	rig_sound(&r);
	store_close(&s);
	rig_close(&r);
}

START_TEST(a_courier_killed_before_it_writes)
{
	break_at("history_before_write", 5, SOME);
}
END_TEST

START_TEST(a_courier_killed_after_it_wrote)
{
	break_at("history_after_write", 7, MANY);
}
END_TEST

START_TEST(a_courier_killed_after_it_dropped)
{
	break_at("history_after_drop", 3, SOME);
}
END_TEST

/* Two workers and a kill -9 of the one that writes: the other goes on. */
START_TEST(another_worker_goes_on)
{
	struct rig r;
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=1", AWAY, NULL});
	struct store *s = rig_store(&r);
	struct kept some = {.store = s, .rows = 300};
	submit_many(&r, SOME);
	ck_assert(test_until(30000, is_kept, &some));
	rig_worker(&r, 1, (const char *[]){"WORKER_SLOTS=1", AWAY, NULL});
	test_kill(r.workers[0], SIGKILL);
	r.workers[0] = 0;
	expect_kept(s, SOME, SOME);
	expect_events_differ(s, SOME);
	store_close(&s);
	rig_close(&r);
}
END_TEST

START_TEST(twenty_thousand_ends_are_twenty_thousand_rows)
{
	struct rig r;
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=2", "WORKER_HISTORY=all", "JOB_EVENTS=none", AWAY, NULL});
	submit_many(&r, SOAK);
	struct store *s = rig_store(&r);
	expect_kept(s, SOAK, 0);
	rig_done_is(&r, SOAK);
	rig_sound(&r);
	store_close(&s);
	rig_close(&r);
}
END_TEST

/* One of each end: which are kept and which are told are two questions. */
static void ends_of_each(const char *history, const char *events, int rows, int told)
{
	struct rig r;
	struct job j;
	char id[JOB_ID];
	enum job_state state;
	rig_open(&r, "no");
	rig_submit(&r, id, "{\"sleep_ms\":60000}");
	ck_assert_int_eq(queue_cancel(r.queue, id, &state, &r.e), 1);
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=1", history, events, AWAY, NULL});
	struct store *s = rig_store(&r);
	rig_submit(&r, id, "{\"fail\":\"the tide is out\"}");
	rig_wait(&r, id, JOB_FAILED, 15000, &j);
	job_close(&j);
	for (int i = 0; i < 3; i++) {
		rig_submit(&r, id, "{}");
		rig_wait(&r, id, JOB_SUCCEEDED, 15000, &j);
		job_close(&j);
	}
	if (rows + told == 0)
		clock_sleep_ms(1500);
	expect_kept(s, rows, told);
	store_close(&s);
	rig_close(&r);
}

START_TEST(what_is_kept_and_what_is_told)
{
	ends_of_each("WORKER_HISTORY=all", "JOB_EVENTS=failures", 5, 2);
}
END_TEST

START_TEST(failures_are_kept_and_all_are_told)
{
	ends_of_each("WORKER_HISTORY=failures", "JOB_EVENTS=all", 2, 5);
}
END_TEST

START_TEST(nothing_is_kept)
{
	ends_of_each("WORKER_HISTORY=none", "JOB_EVENTS=none", 0, 0);
}
END_TEST

/* The golden event and the row of a job that failed. */
START_TEST(what_an_end_says)
{
	struct rig r;
	struct arena *a = arena_open();
	struct history_row row;
	struct outbox_row *events;
	struct job j;
	char id[JOB_ID];
	struct buf expected = {0};
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=1", AWAY, NULL});
	struct store *s = rig_store(&r);
	rig_submit(&r, id, "{\"fail\":\"the tide is out\"}");
	rig_wait(&r, id, JOB_FAILED, 15000, &j);
	expect_kept(s, 1, 1);
	ck_assert_int_eq(store_outbox_take(s, 1, a, &events, &r.e), 1);
	buf_addf(&expected,
	        "{\"id\":\"%s\",\"kind\":\"noop\",\"queue\":\"default\",\"state\":\"failed\",\"attempt\":1,\"crashes\":0,\"fence\":%lld,"
	        "\"run_ms\":%lld,\"created_at\":%lld,\"started_at\":%lld,\"finished_at\":%lld,"
	        "\"error\":{\"code\":\"invalid\",\"message\":\"%s\"}}",
	        id, (long long)j.fence, (long long)(j.finished_at - j.started_at), (long long)j.created_at, (long long)j.started_at,
	        (long long)j.finished_at, j.error.text);
	ck_assert_str_eq(events[0].data, buf_text(&expected));
	ck_assert_str_eq(events[0].topic, "job.events");
	ck_assert_int_eq(events[0].time_ms, j.finished_at);
	ck_assert_int_eq(store_history_get(s, id, a, &row, &r.e), 1);
	ck_assert_int_eq(row.job.rev, j.rev);
	ck_assert_str_eq(row.job.error.text, j.error.text);
	ck_assert_str_eq(row.job.params, j.params);
	job_close(&j);
	buf_close(&expected);
	arena_close(&a);
	store_close(&s);
	rig_close(&r);
}
END_TEST

/* At most so many rows; the newest stay. */
static bool is_trimmed(void *user)
{
	struct kept *k = user;
	struct err e;
	int64_t rows = -1;
	ck_assert_msg(store_history_count(k->store, &rows, &e), "%s", e.text);
	return rows == 100;
}

START_TEST(the_history_has_an_end)
{
	struct rig r;
	struct history_filter all = {.state = -1};
	struct history_row *rows;
	struct arena *a = arena_open();
	char next[HISTORY_CURSOR];
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=2", "HISTORY_MAX=100", AWAY, NULL});
	submit_many(&r, 2500);
	struct store *s = rig_store(&r);
	struct kept k = {.store = s, .events = 2500};
	ck_assert(test_until(60000, is_kept, &k));
	ck_assert(test_until(30000, is_trimmed, &k));
	expect_kept(s, 100, 2500);
	ck_assert_int_eq(store_history_list(s, &all, "", 1000, a, &rows, next, &r.e), 100);
	ck_assert_int_gt(rows[99].job.finished_at, 0);
	arena_close(&a);
	store_close(&s);
	rig_close(&r);
}
END_TEST

static const TTest *const tests[] = {a_courier_killed_before_it_writes, a_courier_killed_after_it_wrote, a_courier_killed_after_it_dropped,
        another_worker_goes_on, twenty_thousand_ends_are_twenty_thousand_rows, what_is_kept_and_what_is_told,
        failures_are_kept_and_all_are_told, nothing_is_kept, what_an_end_says, the_history_has_an_end};
TEST_MAIN("history", tests)
