/* counts.h -- what stands in the few queues of a test, in an array of the test's own. */
#ifndef TESTS_LIB_COUNTS_H
#define TESTS_LIB_COUNTS_H

#include "base/mem.h"
#include "queue/queue.h"
#include "tests/lib/test.h"

/* As queue_counts, of at most max queues: a test knows how many it made. */
static inline int test_counts(struct queue *q, struct queue_counts *out, int max, struct err *e)
{
	char(*names)[JOB_NAME] = NULL;
	int n = queue_names(q, &names, e);

	ck_assert_int_le(n, max);
	if (n > 0 && !queue_counts(q, (const char(*)[JOB_NAME])names, (size_t)n, out, e))
		n = -1;
	mem_free(&names);
	return n;
}

#endif
