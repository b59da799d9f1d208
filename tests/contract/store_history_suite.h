/* store_history_suite.h -- what every driver of the store must do for ended jobs. Included after store_suite.h. */
#ifndef TESTS_CONTRACT_STORE_HISTORY_SUITE_H
#define TESTS_CONTRACT_STORE_HISTORY_SUITE_H

#include "store/history.h"

/* Job i of kind.0, kind.1 or kind.2 ended at 1000 + i / 2; every third failed. */
static struct job ended_job(int i)
{
	struct job j = {
	        .state = i % 3 ? JOB_SUCCEEDED : JOB_FAILED, .finished_at = 1000 + i / 2, .created_at = 900, .run_at = 905, .rev = 3};
	snprintf(j.id, sizeof j.id, "%s-0%020d", i % 2 ? "kline" : "default", i);
	snprintf(j.kind, sizeof j.kind, "kind.%d", i % 3);
	snprintf(j.queue, sizeof j.queue, "%s", i % 2 ? "kline" : "default");
	if (j.state == JOB_FAILED)
		err_set(&j.error, ERR_TIMEOUT, "The Exchange did not answer %d", i);
	return j;
}

static int64_t history_put_one(struct store *s, const struct job *j, const struct outbox_row *event)
{
	struct history_entry x = {.job = j, .keep = true, .event = event};
	struct err e = {0};
	int64_t written;
	ck_ok(store_history_put(s, &x, 1, &written, &e), &e);
	return written;
}

static void history_fill(struct store *s, int n)
{
	struct job *jobs = mem_array((size_t)n, sizeof *jobs);
	struct history_entry *x = mem_array((size_t)n, sizeof *x);
	struct err e = {0};
	int64_t written;
	for (int i = 0; i < n; i++) {
		jobs[i] = ended_job(i);
		x[i] = (struct history_entry){.job = &jobs[i], .keep = true};
	}
	ck_ok(store_history_put(s, x, (size_t)n, &written, &e), &e);
	ck_assert_int_eq(written, n);
	mem_free(&x);
	mem_free(&jobs);
}

static int64_t history_rows(struct store *s)
{
	struct err e = {0};
	int64_t n;
	ck_ok(store_history_count(s, &n, &e), &e);
	return n;
}

START_TEST(a_job_is_kept_whole)
{
	struct store *s = open_suite();
	struct arena *a = arena_open();
	struct history_row r;
	struct err e = {0};
	char params[] = "{\"symbol\":\"BTCUSDT\"}", result[] = "{\"bars\":12}";
	struct job j = {.id = "kline-00001",
	        .kind = "kline.download",
	        .queue = "kline",
	        .state = JOB_DEAD,
	        .priority = 3,
	        .kind_version = 7,
	        .params = params,
	        .attempt = 2,
	        .max_attempts = 4,
	        .crashes = 1,
	        .fence = INT64_C(1769904000000123),
	        .rev = 9,
	        .created_at = 1,
	        .run_at = 2,
	        .started_at = 3,
	        .finished_at = 4,
	        .worker = "w:1",
	        .result = result,
	        .idempotency_key = "idem",
	        .unique_key = "uniq",
	        .parent = "kline-00000",
	        .trace = "00-ab",
	        .tags = "x,y"};
	err_set(&j.error, ERR_CRASHED, "it's \"poison\"");
	ck_assert_int_eq(store_history_get(s, j.id, a, &r, &e), 0);
	ck_assert_int_eq(history_put_one(s, &j, NULL), 1);
	ck_assert_int_eq(store_history_get(s, j.id, a, &r, &e), 1);
	ck_assert_int_eq(r.params_bytes, sizeof params - 1);
	ck_assert_int_eq(r.result_bytes, sizeof result - 1);
	struct buf was = {0}, is = {0};
	struct json_writer w = json_writer_on(&was), v = json_writer_on(&is);
	job_to_json(&j, &w, NULL);
	job_to_json(&r.job, &v, NULL);
	ck_assert_str_eq(buf_text(&is), buf_text(&was));
	ck_assert_int_eq(r.job.fence, j.fence);
	buf_close(&was);
	buf_close(&is);
	arena_close(&a);
	store_close(&s);
}
END_TEST

/* Written twice it is there once, and its event, too; ended again it is there twice, and the last end is what is shown. */
START_TEST(an_end_is_kept_once)
{
	struct store *s = open_suite();
	struct arena *a = arena_open();
	struct outbox_row event = {.topic = "job.events", .key = "k", .type = "job.ended.v1", .id = "1", .time_ms = 1, .data = "{}"};
	struct history_entry only_told = {.event = &event}, running = {.keep = true};
	struct job j = ended_job(0);
	struct history_row r;
	struct err e = {0};
	int64_t written;
	ck_assert_int_eq(history_put_one(s, &j, &event), 1);
	ck_assert_int_eq(history_put_one(s, &j, &event), 0);
	ck_assert_int_eq(events(s), 1);
	j.finished_at += 5;
	j.state = JOB_CANCELLED;
	ck_assert_int_eq(history_put_one(s, &j, &event), 1);
	ck_assert_int_eq(events(s), 2);
	ck_assert_int_eq(history_rows(s), 2);
	ck_assert_int_eq(store_history_get(s, j.id, a, &r, &e), 1);
	ck_assert_int_eq(r.job.state, JOB_CANCELLED);
	j.finished_at += 5;
	only_told.job = &j;
	ck_ok(store_history_put(s, &only_told, 1, &written, &e), &e);
	ck_assert_int_eq(history_rows(s), 2);
	ck_assert_int_eq(events(s), 3);
	j.state = JOB_RUNNING;
	running.job = &j;
	ck_assert(!store_history_put(s, &running, 1, &written, &e));
	ck_assert_int_eq(history_rows(s), 2);
	arena_close(&a);
	store_close(&s);
}
END_TEST

/* Walk through all pages; each row must match, come in the right order, and none be missing. */
static int history_walk(struct store *s, const struct history_filter *f, int limit)
{
	struct arena *a = arena_open();
	struct history_row *rows;
	struct err e = {0};
	char cursor[HISTORY_CURSOR] = "", last_id[JOB_ID] = "~";
	int64_t last = INT64_MAX;
	int n = 0;
	do {
		int got = store_history_list(s, f, cursor, limit, a, &rows, cursor, &e);
		ck_assert_msg(got >= 0 && got <= limit, "%s", e.text);
		for (int i = 0; i < got; i++) {
			const struct job *j = &rows[i].job;
			ck_assert(j->finished_at < last || (j->finished_at == last && strcmp(j->id, last_id) < 0));
			last = j->finished_at;
			memcpy(last_id, j->id, sizeof last_id);
		}
		n += got;
	} while (*cursor);
	arena_close(&a);
	return n;
}

START_TEST(the_history_is_searched)
{
	struct store *s = open_suite();
	static const struct {
		struct history_filter f;
		int n;
	} asked[] = {
	        {{.state = -1}, 90},
	        {{.state = -1, .kind = "kind.1"}, 30},
	        {{.state = -1, .kind = "kind.9"}, 0},
	        {{.state = -1, .queue = "kline"}, 45},
	        {{.state = JOB_SUCCEEDED}, 60},
	        {{.state = JOB_FAILED}, 30},
	        {{.state = JOB_DEAD}, 0},
	        {{.state = JOB_FAILED, .queue = "kline"}, 15},
	        {{.state = -1, .error = "exchange did NOT answer 3"}, 5},
	        {{.state = -1, .error = "timeout the"}, 30},
	        {{.state = -1, .error = "timeout the", .kind = "kind.1"}, 0},
	        {{.state = -1, .error = "100%_"}, 0},
	        {{.state = -1, .error = "' OR 1=1 --"}, 0},
	        {{.state = -1, .from_ms = 1010}, 70},
	        {{.state = -1, .to_ms = 1010}, 22},
	        {{.state = -1, .from_ms = 1010, .to_ms = 1010}, 2},
	        {{.state = -1, .from_ms = 1010, .to_ms = 1012, .kind = "kind.0"}, 2},
	        {{.state = -1, .from_ms = 5000}, 0},
	};
	history_fill(s, 90);
	for (size_t i = 0; i < ARRAY_LEN(asked); i++)
		for (int limit = 1; limit <= 1000; limit *= 10) {
			int n = history_walk(s, &asked[i].f, limit);
			ck_assert_msg(n == asked[i].n, "question %zu in pages of %d: %d instead of %d", i, limit, n, asked[i].n);
		}
	store_close(&s);
}
END_TEST

START_TEST(cursors_of_others_are_refused)
{
	static const char *const cursors[] = {
	        "x", ":", "1", "-1:a", "99999999999999999999:a", "1:aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee"};
	struct store *s = open_suite();
	struct arena *a = arena_open();
	struct history_filter all = {.state = -1};
	struct history_row *rows;
	char next[HISTORY_CURSOR];
	for (size_t i = 0; i < ARRAY_LEN(cursors); i++) {
		struct err e = {0};
		ck_assert_int_eq(store_history_list(s, &all, cursors[i], 5, a, &rows, next, &e), -1);
		ck_assert_int_eq(e.code, ERR_INVALID);
	}
	arena_close(&a);
	store_close(&s);
}
END_TEST

START_TEST(long_texts_are_counted_not_kept)
{
	struct store *s = open_suite();
	struct arena *a = arena_open();
	struct history_row r;
	struct err e = {0};
	struct job j = ended_job(1);
	char *text = mem_new(HISTORY_TEXT_MAX + 2);
	memset(text, ' ', HISTORY_TEXT_MAX);
	memcpy(text, "[1]", 3);
	j.result = text;
	history_put_one(s, &j, NULL);
	ck_assert_int_eq(store_history_get(s, j.id, a, &r, &e), 1);
	ck_assert_str_eq(r.job.result, text);
	j.finished_at++;
	text[HISTORY_TEXT_MAX] = ' ';
	history_put_one(s, &j, NULL);
	ck_assert_int_eq(store_history_get(s, j.id, a, &r, &e), 1);
	ck_assert(r.job.result == NULL);
	ck_assert_int_eq(r.result_bytes, HISTORY_TEXT_MAX + 1);
	mem_free(&text);
	arena_close(&a);
	store_close(&s);
}
END_TEST

START_TEST(the_oldest_ends_go_first)
{
	struct store *s = open_suite();
	struct history_filter all = {.state = -1};
	struct err e = {0};
	int64_t deleted;
	history_fill(s, 90);
	ck_ok(store_history_trim(s, 1010, 8, &deleted, &e), &e);
	ck_assert_int_eq(deleted, 8);
	ck_ok(store_history_trim(s, 1010, 100, &deleted, &e), &e);
	ck_assert_int_eq(deleted, 12);
	ck_ok(store_history_trim(s, 1010, 100, &deleted, &e), &e);
	ck_assert_int_eq(deleted, 0);
	ck_ok(store_history_trim(s, INT64_MAX, 3, &deleted, &e), &e);
	ck_assert_int_eq(deleted, 3);
	ck_assert_int_eq(history_rows(s), 67);
	ck_assert_int_eq(history_walk(s, &all, 10), 67);
	all.to_ms = 1010;
	ck_assert_int_eq(history_walk(s, &all, 10), 0);
	store_close(&s);
}
END_TEST

#define STORE_HISTORY_SUITE                                                                                                                \
	a_job_is_kept_whole, an_end_is_kept_once, the_history_is_searched, cursors_of_others_are_refused, long_texts_are_counted_not_kept, \
	        the_oldest_ends_go_first

#endif
