/* slot_private.h -- what slot.c (the loop) and slot_doors.c (what a job may use) share. */
#ifndef WORKERS_SLOT_PRIVATE_H
#define WORKERS_SLOT_PRIVATE_H

#include "kinds/kind.h"
#include "queue/queue.h"
#include "workers/frame.h"
#include "workers/slot.h"

struct slot_process {
	const struct settings *settings;
	struct shm_slot *shm;
	int fd;
	struct buf in, out;
	size_t frame_start; /* of the frame being filled in out */
	int64_t unsent_ms;  /* when the oldest unsent answer was put; 0: none */
	uint32_t number;    /* the present job */
	struct job_context context;
	/* doors, opened when first asked for */
	struct store *store;
	struct cache *cache;
	struct exchange *exchange;
	struct exchange_budget budget;
	struct queue *queue; /* for the exchange's budget only */
	/* the job's log: how many lines it may write now, and how many it could not */
	double log_room;
	int64_t log_ms;
	int log_dropped;
	char log_last[2 * QUEUE_REMARK_MAX]; /* of those */
	/* for the rate */
	int64_t rate_ms, rate_done;
	double rate;
};

void slot_doors_begin(struct slot_process *p, const struct job *job, const struct json *params); /* fill p->context for a job */
void slot_doors_end(struct slot_process *p);                                                     /* after a job */
void slot_doors_close(struct slot_process *p);                                                   /* before the process ends */
bool slot_say(struct slot_process *p, const char *text); /* send a line for the job's log; false: the dispatcher is gone */
bool slot_flush(struct slot_process *p);                 /* send what is answered; false: the dispatcher is gone */

#endif
