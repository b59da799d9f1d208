/* test_queue_memory.c -- the contract of the queue, passed by the driver in memory. */
#include "tests/contract/queue_suite.h"

static const char *suite_url(void)
{
	return "memory:suite";
}

static const TTest *const tests[] = {QUEUE_SUITE};
TEST_MAIN("queue_memory", tests)
