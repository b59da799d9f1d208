/* one_queue.h -- the queue that a path names. */
#ifndef API_ONE_QUEUE_H
#define API_ONE_QUEUE_H

#include "api/api.h"

/* The queue named in the path; NULL: answered. One that no kind uses must at least exist: a slip of the pen must not pause nothing. */
const char *call_queue_name(struct call *c, struct queue *q);

#endif
