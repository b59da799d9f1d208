/* all_queues.h -- the queues that a question about all of them is about. */
#ifndef API_ALL_QUEUES_H
#define API_ALL_QUEUES_H

#include "queue/queue.h"

/* The queues that exist, and those of all kinds, which may be served before their first job: each once, in the order of their names. An array
 * that the caller frees. How many; -1. */
int all_queues(struct queue *q, char (**out)[JOB_NAME], struct err *e) MUST_CHECK;

#endif
