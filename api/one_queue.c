/* one_queue.c -- the queue that a path names. */
#include "api/one_queue.h"

#include "api/reply.h"
#include "base/str.h"
#include "kinds/kind.h"

static bool kinds_use(const char *queue)
{
	const struct kind *k;

	for (size_t i = 0; (k = kind_at(i)) != NULL; i++)
		if (str_eq(k->queue, queue))
			return true;
	return false;
}

const char *call_queue_name(struct call *c, struct queue *q)
{
	const char *queue = call_param(c, "queue");
	struct queue_counts counts;
	struct err e = {0};
	int known = !job_queue_ok(queue) ? 0 : kinds_use(queue) ? 1 : queue_count(q, queue, &counts, &e);

	if (known == 1)
		return queue;
	if (known < 0)
		reply_err(c, &e, NULL);
	else
		reply_detail(c, 404, "there is no queue '%s'", reply_excerpt(c, queue));
	return NULL;
}
