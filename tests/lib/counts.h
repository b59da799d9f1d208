/* counts.h -- what stands in the few queues of a test, in an array of the test's own. */
#ifndef TESTS_LIB_COUNTS_H
#define TESTS_LIB_COUNTS_H

#include "base/mem.h"
#include "queue/queue.h"
#include "tests/lib/test.h"

/* As queue_counts, of at most max queues: a test knows how many it made. */
static inline int test_counts(struct queue *q, struct queue_counts *out, int max, struct err *e)
{
	struct queue_counts *all = NULL;
	int n = queue_counts(q, &all, e);

	ck_assert_int_le(n, max);
	if (n > 0)
		memcpy(out, all, (size_t)n * sizeof(*out));
	mem_free(&all);
	return n;
}

#endif
