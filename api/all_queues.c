/* all_queues.c -- the queues that a question about all of them is about: those in Redis, and those of the kinds. */
#include "api/all_queues.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "kinds/kind.h"

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Sorted, each once; how many are left. */
static int each_once(char (*names)[JOB_NAME], int n)
{
	int kept = 0;

	qsort(names, (size_t)n, sizeof *names, by_name);
	for (int i = 0; i < n; i++)
		if (kept == 0 || !str_eq(names[kept - 1], names[i]))
			memmove(names[kept++], names[i], JOB_NAME);
	return kept;
}

int all_queues(struct queue *q, char (**out)[JOB_NAME], struct err *e)
{
	int n = queue_names(q, out, e), n_kinds = 0;

	if (n < 0)
		return -1;
	while (kind_at((size_t)n_kinds))
		n_kinds++;
	*out = mem_grow(*out, (size_t)n, (size_t)(n + n_kinds), sizeof **out);
	for (int i = 0; i < n_kinds; i++)
		if (!str_copy((*out)[n + i], JOB_NAME, kind_at((size_t)i)->queue)) {
			mem_free(out);
			return err_fail(e, ERR_INTERNAL, "the queue of a kind has a name that is too long");
		}
	return each_once(*out, n + n_kinds);
}
