/* test_store_memory.c -- the contract of the store on the driver memory:, and what is its own: names, and threads. */
#include "tests/contract/store_suite.h"

#include "tests/contract/store_history_suite.h"

#include <pthread.h>

const char *suite_url(void)
{
	return "memory:suite";
}

START_TEST(names_are_stores)
{
	struct err e = {0};
	struct bar bar;
	struct store *a = store_open("memory:a", &e), *again = store_open("memory:a", &e), *b = store_open("memory:b", &e);
	bars_walk(&bar, 1, INTERVAL_1m, T0, 1);
	put(a, "BTCUSDT", INTERVAL_1m, &bar, 1, PUT_KEEP);
	expect(again, "BTCUSDT", INTERVAL_1m, ALL, &bar, 1);
	expect(b, "BTCUSDT", INTERVAL_1m, ALL, NULL, 0);
	ck_assert_str_ne(store_identity(a), store_identity(b));
	store_close(&a);
	expect(again, "BTCUSDT", INTERVAL_1m, ALL, &bar, 1);
	store_close(&again);
	a = store_open("memory:a", &e); /* gone with its last handle */
	expect(a, "BTCUSDT", INTERVAL_1m, ALL, NULL, 0);
	store_close(&a);
	store_close(&b);
}
END_TEST

static void *write_some(void *user)
{
	struct err e = {0};
	struct store *s = store_open("memory:threads", &e);
	struct bar bars[200];
	size_t first = *(size_t *)user;
	bars_walk(bars, ARRAY_LEN(bars), INTERVAL_1m, T0, 1);
	for (size_t i = first; i < ARRAY_LEN(bars); i += 4)
		put(s, "BTCUSDT", INTERVAL_1m, bars + i, 1, PUT_KEEP);
	store_close(&s);
	return NULL;
}

START_TEST(threads_share_a_name)
{
	struct err e = {0};
	struct store *s = store_open("memory:threads", &e);
	pthread_t threads[4];
	size_t first[] = {0, 1, 2, 3};
	struct bar bars[200];
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, write_some, &first[i]), 0);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	bars_walk(bars, ARRAY_LEN(bars), INTERVAL_1m, T0, 1);
	expect(s, "BTCUSDT", INTERVAL_1m, ALL, bars, ARRAY_LEN(bars));
	ck_assert_int_eq(events(s), (int64_t)ARRAY_LEN(bars));
	store_close(&s);
}
END_TEST

static const TTest *const tests[] = {STORE_SUITE, STORE_HISTORY_SUITE, names_are_stores, threads_share_a_name};
TEST_MAIN("store_memory", tests)
