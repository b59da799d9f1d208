/* test_worker_frame.c -- what slot and dispatcher say to each other, and their shared table; broken and hostile frames included. */
#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "tests/lib/test.h"
#include "workers/frame.h"
#include "workers/shm.h"

/* The worker is a program, not a library: its two pure files are compiled into this test. */
#include "workers/frame.c"
#include "workers/shm.c"

static struct job sample(void)
{
	struct job j = {.kind_version = 2, .attempt = 3, .max_attempts = 5, .crashes = 1, .fence = INT64_MAX, .created_at = 1769990351201};
	ck_assert(str_copy(j.id, sizeof(j.id), "default-0abc") && str_copy(j.kind, sizeof(j.kind), "noop"));
	ck_assert(str_copy(j.queue, sizeof(j.queue), "default") && str_copy(j.tags, sizeof(j.tags), "a,b"));
	j.params = mem_strdup("{\"payload\":\"\xc3\xa4\"}");
	j.inputs = mem_strdup("{\"first\":12}");
	return j;
}

START_TEST(orders_arrive_as_they_were_sent)
{
	struct job j = sample();
	struct buf b = {0};
	enum frame_type type;
	struct cursor items;
	struct order o;
	size_t size, start = frame_begin(&b, FRAME_ORDERS);
	order_put(&b, 7, &j);
	order_put(&b, 8, &j);
	frame_end(&b, start);
	for (size_t cut = 0; cut < b.len; cut++)
		ck_assert_int_eq(frame_find(b.data, cut, &type, &items, &size), 0);
	ck_assert_int_eq(frame_find(b.data, b.len, &type, &items, &size), 1);
	ck_assert_uint_eq(size, b.len);
	ck_assert_int_eq(type, FRAME_ORDERS);
	for (uint32_t number = 7; number <= 8; number++) {
		ck_assert_int_eq(order_next(&items, &o), 1);
		ck_assert_uint_eq(o.number, number);
		ck_assert_str_eq(o.job.id, j.id);
		ck_assert_str_eq(o.job.tags, j.tags);
		ck_assert_str_eq(o.job.params, j.params);
		ck_assert_str_eq(o.job.inputs, j.inputs);
		ck_assert_int_eq(o.job.fence, j.fence);
		ck_assert_int_eq(o.job.attempt, 3);
	}
	ck_assert_int_eq(order_next(&items, &o), 0);
	buf_close(&b);
	job_close(&j);
}
END_TEST

static void put_answers(struct buf *b)
{
	struct answer done = {.number = 1, .done = true, .run_us = 12, .result = "{\"a\":1}", .result_len = 7};
	struct answer empty = {.number = 2, .done = true};
	struct answer failed = {.number = 3};
	size_t start = frame_begin(b, FRAME_ANSWERS);
	ck_assert(!err_set(&failed.error, ERR_TIMEOUT, "too late"));
	failed.error.retry_after_ms = 5;
	answer_put(b, &done);
	answer_put(b, &empty);
	answer_put(b, &failed);
	frame_end(b, start);
}

START_TEST(answers_arrive_as_they_were_sent)
{
	struct buf b = {0};
	enum frame_type type;
	struct cursor items;
	struct answer a;
	size_t size;
	put_answers(&b);
	ck_assert_int_eq(frame_find(b.data, b.len, &type, &items, &size), 1);
	ck_assert_int_eq(answer_next(&items, &a), 1);
	ck_assert(a.done && a.run_us == 12);
	ck_assert_str_eq(a.result, "{\"a\":1}");
	ck_assert_int_eq(answer_next(&items, &a), 1);
	ck_assert(a.done && a.result == NULL);
	ck_assert_int_eq(answer_next(&items, &a), 1);
	ck_assert(!a.done && a.error.code == ERR_TIMEOUT && a.error.retry_after_ms == 5);
	ck_assert_str_eq(a.error.text, "too late");
	ck_assert_int_eq(answer_next(&items, &a), 0);
	buf_close(&b);
}
END_TEST

/* Read a frame to its end or to the first nonsense; the sanitizers watch. */
static void read_all(char *data, size_t len)
{
	enum frame_type type;
	struct cursor items;
	struct answer a;
	struct order o;
	size_t size;
	if (frame_find(data, len, &type, &items, &size) != 1)
		return;
	ck_assert_uint_le(size, len);
	struct cursor again = items;
	while (answer_next(&items, &a) == 1)
		ck_assert(items.at <= items.end);
	while (order_next(&again, &o) == 1)
		ck_assert(again.at <= again.end);
}

START_TEST(a_broken_frame_is_noticed_not_believed)
{
	struct buf b = {0};
	put_answers(&b);
	for (size_t i = 0; i < b.len; i++)
		for (int v = 0; v < 256; v += 5) {
			char *copy = mem_new(b.len); /* its own block, so that a byte too far is seen */
			memcpy(copy, b.data, b.len);
			copy[i] = (char)v;
			read_all(copy, b.len);
			mem_free(&copy);
		}
	buf_close(&b);
}
END_TEST

START_TEST(lengths_that_cannot_be_are_refused)
{
	static const uint32_t wrong[] = {0, FRAME_MAX + 1, UINT32_MAX};
	enum frame_type type;
	struct cursor items;
	size_t size;
	char data[8] = {0};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		memcpy(data, &wrong[i], sizeof(wrong[i]));
		ck_assert_int_eq(frame_find(data, sizeof(data), &type, &items, &size), -1);
	}
	uint32_t one = 1;
	memcpy(data, &one, sizeof(one));
	data[4] = 9; /* no such type */
	ck_assert_int_eq(frame_find(data, sizeof(data), &type, &items, &size), -1);
}
END_TEST

/* ---- the shared table */

#define NUMBERS 200000

static void *start_them(void *arg)
{
	struct shm_slot *s = arg;
	static _Thread_local char started[NUMBERS + 1];
	char *out = mem_new(NUMBERS + 1);
	for (uint32_t i = 1; i <= NUMBERS; i++)
		started[i] = shm_start(s, i, 1);
	memcpy(out, started, sizeof(started));
	return out;
}

START_TEST(a_job_starts_or_goes_back_never_both)
{
	struct err e;
	struct shm *table = shm_make(1, &e);
	pthread_t thread;
	void *result;
	ck_assert_ptr_nonnull(table);
	struct shm_slot *s = &table->slots[0];
	char *revoked = mem_new(NUMBERS + 1);
	ck_assert_int_eq(pthread_create(&thread, NULL, start_them, s), 0);
	/* Again and again the dispatcher takes back what is ahead, always beyond what the slot can have reached meanwhile. */
	for (uint32_t last; (last = atomic_load(&s->started) + 1000) < NUMBERS;) {
		uint32_t from = shm_revoke(s, last);
		if (from > last)
			break; /* the machine slept between two lines; in the worker a slot has nothing beyond `last` */
		for (uint32_t i = from + 1; i <= last; i++)
			revoked[i] = 1;
	}
	ck_assert_int_eq(pthread_join(thread, &result), 0);
	char *started = result;
	for (uint32_t i = 1; i <= NUMBERS; i++)
		ck_assert_msg(!(started[i] && revoked[i]), "number %u started and was taken back", i);
	mem_free(&started);
	mem_free(&revoked);
	shm_free(&table);
}
END_TEST

START_TEST(progress_is_read_whole_and_of_the_right_job)
{
	struct err e;
	struct shm *table = shm_make(1, &e);
	ck_assert_ptr_nonnull(table);
	struct shm_slot *s = &table->slots[0];
	struct job_progress p = {.done = 3, .total = 9, .unit = "bars"}, got;
	uint32_t version, later;
	ck_assert(!shm_progress_read(s, 1, &got, &version));
	shm_progress_write(s, 1, &p);
	ck_assert(shm_progress_read(s, 1, &got, &version));
	ck_assert_int_eq(got.done, 3);
	ck_assert_str_eq(got.unit, "bars");
	ck_assert(!shm_progress_read(s, 2, &got, &later));
	p.done = 4;
	shm_progress_write(s, 1, &p);
	ck_assert(shm_progress_read(s, 1, &got, &later));
	ck_assert_uint_ne(version, later);
	atomic_fetch_add(&s->version, 1); /* the slot died while it wrote */
	ck_assert(!shm_progress_read(s, 1, &got, &later));
	atomic_fetch_add(&s->version, 1);
	memset(s->progress.note, 'x', sizeof(s->progress.note)); /* and before that it wrote nonsense */
	ck_assert(shm_progress_read(s, 1, &got, &later));
	ck_assert_uint_lt(strlen(got.note), sizeof(got.note));
	shm_free(&table);
}
END_TEST

START_TEST(remarks_are_cleaned)
{
	struct buf b = {0};
	char longer[600];
	enum frame_type type;
	struct cursor items;
	uint32_t number;
	const char *text;
	size_t size, start = frame_begin(&b, FRAME_REMARKS);
	memset(longer, 'x', sizeof(longer));
	memcpy(longer + 498, "\xe2\x82\xac", 3); /* a character that would be cut */
	longer[sizeof(longer) - 1] = '\0';
	remark_put(&b, 3, "a\tb\033[31m\177");
	remark_put(&b, 4, longer);
	remark_put(&b, 5, "");
	frame_end(&b, start);
	ck_assert_int_eq(frame_find(b.data, b.len, &type, &items, &size), 1);
	ck_assert_int_eq(type, FRAME_REMARKS);
	ck_assert_int_eq(remark_next(&items, &number, &text), 1);
	ck_assert_uint_eq(number, 3);
	ck_assert_str_eq(text, "a b [31m ");
	ck_assert_int_eq(remark_next(&items, &number, &text), 1);
	ck_assert_uint_eq(strlen(text), 498);
	ck_assert_int_eq(remark_next(&items, &number, &text), 1);
	ck_assert_str_eq(text, "");
	ck_assert_int_eq(remark_next(&items, &number, &text), 0);
	for (size_t cut = 1; cut < 12; cut++) {
		struct cursor broken = {b.data + 5, b.data + 5 + cut};
		ck_assert_int_eq(remark_next(&broken, &number, &text), -1);
	}
	buf_close(&b);
}
END_TEST

static const TTest *const tests[] = {remarks_are_cleaned, orders_arrive_as_they_were_sent, answers_arrive_as_they_were_sent,
        a_broken_frame_is_noticed_not_believed, lengths_that_cannot_be_are_refused, a_job_starts_or_goes_back_never_both,
        progress_is_read_whole_and_of_the_right_job};
TEST_MAIN("worker_frame", tests)
