/* test_queue_redis.c -- the contract of the queue, passed by Redis. */
#include "tests/contract/queue_suite.h"

static struct test_redis *server(void)
{
	static struct test_redis r;

	if (!r.pid)
		test_redis_start(&r, "no");
	return &r;
}

static const char *suite_url(void)
{
	return server()->url;
}

static const TTest *const tests[] = {QUEUE_SUITE};
TEST_MAIN("queue_redis", tests)
