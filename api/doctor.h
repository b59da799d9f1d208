/* doctor.h -- looking at all queues and the store, on a thread of its own: it may take a minute, and must hold up nobody.
 *
 * One look is under way at a time; who asks meanwhile is answered 503 with Retry-After. A request is parked while its look goes on.
 */
#ifndef API_DOCTOR_H
#define API_DOCTOR_H

#include "api/api.h"

struct doctor_wish {
	char queue[JOB_NAME]; /* "": all, and the store */
	bool mend;
	bool force; /* counters also while their queue is not paused */
};

/* How far a look is. */
struct doctor_progress {
	bool looking, store; /* at the store, after the queues */
	char queue[JOB_NAME];
	int nth, of;           /* of the queues, from 1 */
	volatile int64_t read; /* records and places of queues, so far */
};

struct doctor;
struct doctor *doctor_open(struct api *api, struct err *e) MUST_CHECK;
void doctor_stop(struct doctor *d);   /* ends the look that is under way and answers who waits for it */
void doctor_close(struct doctor **d); /* after the server was closed; NULL inside is fine */

/* Answers the request, later. The handler must return at once after this call. */
void doctor_ask(struct call *c, const struct doctor_wish *wish);

struct doctor_progress doctor_progress(struct doctor *d);

/* doctor_report.c: the report, as JSON that the caller closes; NULL: it could not be looked at. */
struct doctor_tools {
	struct queue *queue;
	const char *store_url;
	int64_t deadline; /* clock_mono_ms */
	const volatile bool *stop;
	struct doctor *doctor;
};
/* Called by the report as it goes on: the queue that it looks at now, "" for the store; returns where to count what is read. */
volatile int64_t *doctor_is_at(struct doctor *d, const char *queue, int nth, int of);
struct json *doctor_report(const struct doctor_tools *tools, const struct doctor_wish *wish, struct err *e) MUST_CHECK;

#endif
