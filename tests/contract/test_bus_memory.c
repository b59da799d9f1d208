/* test_bus_memory.c -- the bus in memory keeps the contract of the bus. */
#include <pthread.h>

#include "bus/bus.h"

static const char *suite_brokers(void)
{
	return "memory:suite";
}

static void suite_topic_make(const char *name, int partitions)
{
	(void)name; /* topics appear when first used */
	(void)partitions;
}

#include "tests/contract/bus_suite.h"

START_TEST(names_keep_apart)
{
	struct err e;
	const char *topic = "apart";
	struct subscriber *s = subscriber_open("memory:left", &topic, 1, true, &e);
	struct bus *right = bus_open("memory:right", &e), *left = bus_open("memory:left", &e);
	ck_assert(s && right && left);
	suite_publish_one(right, topic, "k", "to the right");
	suite_publish_one(left, topic, "k", "to the left");
	suite_expect(s, "to the left");
	suite_expect_none(s, 20);
	subscriber_close(&s);
	bus_close(&right);
	bus_close(&left);
}
END_TEST

START_TEST(bad_names_are_refused)
{
	static const char *const bad[] = {"memory:", "memory:two words", "memory:a/b"};
	struct err e = {0};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		e.code = ERR_NONE;
		ck_assert_ptr_null(bus_open(bad[i], &e));
		ck_assert_int_eq(e.code, ERR_INVALID);
	}
}
END_TEST

static void *publish_from_thread(void *user)
{
	struct bus *b = user;
	for (int i = 0; i < 200; i++)
		suite_publish_numbered(b, "threads", i, 1);
	return NULL;
}

START_TEST(threads_may_meet)
{
	pthread_t thread;
	struct bus *b = suite_open();
	struct subscriber *s = suite_subscribe("threads", false);
	ck_assert_int_eq(pthread_create(&thread, NULL, publish_from_thread, b), 0);
	suite_expect_numbered(s, 200);
	pthread_join(thread, NULL);
	subscriber_close(&s);
	bus_close(&b);
}
END_TEST

static const TTest *const tests[] = {SUITE_TESTS, names_keep_apart, bad_names_are_refused, threads_may_meet};

TEST_MAIN("bus_memory", tests)
