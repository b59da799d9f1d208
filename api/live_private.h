/* live_private.h -- what the files of the live streams share: the listeners, and the thread that asks the queue for all of them.
 *
 * Rules: 1. listeners are linked, changed and let go under the lock; 2. the queue is asked without it, so what was asked for is found
 * again by id afterwards; 3. only the thread adds to a listener's `out`, only the server takes from it.
 */
#ifndef API_LIVE_PRIVATE_H
#define API_LIVE_PRIVATE_H

#include <pthread.h>

#include "api/live.h"
#include "queue/seeing.h"

enum live_what { LIVE_JOB, LIVE_LOG, LIVE_CHANGES };

struct live_listener {
	struct live_listener *prev, *next;
	struct live *live;
	enum live_what what;
	struct buf out; /* waits for the client */
	bool over;      /* nothing follows after `out` */
	int64_t beat_ms;
	char id[JOB_ID];
	int64_t rev;     /* of a job: told last */
	int64_t line;    /* of a log: number of the next; < 0: so many from the end */
	unsigned looked; /* of a log: in this round */
	struct live_filter filter;
	char last_id[128]; /* of changes: to go on after; "": from now on */
	int64_t at;        /* of changes: number of the next one; -1: not known yet */
	int64_t since_ms;  /* of changes: older ones are none of its business */
};

struct live_changes;

struct live {
	struct api *api;
	pthread_t thread;
	int wake_fd;
	pthread_mutex_t lock;
	struct live_listener *first;
	size_t count[3]; /* by what */
	bool ending;
	/* the thread's own */
	struct queue *queue;
	unsigned round;
	bool again, told;
	struct live_changes *changes; /* its ring is read by listeners: under the lock */
};

/* An event into a buffer; id NULL: none. data is JSON, one line. */
void live_event(struct buf *out, const char *id, const char *event, const char *data);
void live_event_end(struct buf *out, enum job_state state);
void live_gone(struct buf *out, const char *why); /* event "gone", after which the stream is over */

/* One round each; false with e: the queue cannot be asked. */
bool live_jobs_round(struct live *l, struct err *e) MUST_CHECK;
bool live_logs_round(struct live *l, struct err *e) MUST_CHECK;
bool live_changes_round(struct live *l, struct err *e) MUST_CHECK;

struct live_changes *live_changes_new(void);
void live_changes_free(struct live_changes **c);
void live_changes_write(struct live_listener *x, struct buf *out); /* what is due to it; with the lock held */

#endif
