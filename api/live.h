/* live.h -- what goes on, as Server-Sent Events: one job, the log of one, or every change of state.
 *
 * One thread asks the queue, five times a second and only while somebody listens: of all jobs that are followed it asks which have
 * changed, and shows only those; logs are read on from where each listener stands; changes of state come out of a ring that all
 * listeners share. A slow client costs no more than what it was not sent yet: of a job it gets the latest state, of a log what is kept
 * when it comes for it, of the changes what the ring still holds. Whoever missed something is told.
 */
#ifndef API_LIVE_H
#define API_LIVE_H

#include "api/api.h"

struct live;
struct live *live_open(struct api *api, struct err *e) MUST_CHECK;
void live_close(struct live **l); /* after the server was closed */

/* Each answers the request with the stream; 503 when there are too many listeners. */
void live_job(struct call *c, const char *id, int64_t last_rev); /* last_rev: seen already; 0: nothing */
void live_log(struct call *c, const char *id, int64_t from);     /* number of the first line; < 0: so many from the end */

struct live_filter {
	char queue[JOB_NAME], kind[JOB_NAME]; /* "": any */
	int state;                            /* -1: any */
};
void live_changes(struct call *c, const struct live_filter *f, const char *last_id); /* last_id: hostile, may be NULL */

#endif
