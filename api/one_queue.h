/* one_queue.h -- the queue that a path names. */
#ifndef API_ONE_QUEUE_H
#define API_ONE_QUEUE_H

#include "api/api.h"

#define ONE_QUEUE_MAX 64 /* queues that are looked through */

/* What stands in one queue. 1, or 0: it holds nothing and never did, or -1. */
int one_queue_counts(struct call *c, struct queue *q, const char *queue, struct queue_counts *out, struct err *e);
/* The queue named in the path; NULL: answered. One that no kind uses must at least exist: a slip of the pen must not pause nothing. */
const char *call_queue_name(struct call *c, struct queue *q);

#endif
