/* waiter.h -- requests that wait for their job: one thread answers them all, none of them costs a thread.
 *
 * A request is parked with waiter_park. The waiter's thread hears of ended jobs through queue_watcher, looks the job up, and
 * calls finish, which must answer. finish is called exactly once, with one of:
 *     job, WAIT_ENDED     the job has ended (or, with rev given, has another revision than rev)
 *     job, WAIT_TIMEOUT   the time is over; job is as it stands now
 *     NULL, WAIT_FAILED   e says why nothing can be known: the queue is away at the end of the time, or the job is kept no longer
 *     NULL, WAIT_STOPPED  the program stops
 * unless the client went away first: then never. After the connection to the queue was lost, every job is looked at again.
 */
#ifndef API_WAITER_H
#define API_WAITER_H

#include "api/api.h"
#include "queue/flow.h"

enum wait_end { WAIT_ENDED, WAIT_TIMEOUT, WAIT_FAILED, WAIT_STOPPED };

typedef void waiter_finish(struct call *c, const struct job *job, enum wait_end end, const struct err *e, void *user);

/* For a flow: its root and its jobs as they stand in the first two cases, else NULL. */
typedef void waiter_finish_flow(struct call *c, const struct queue_flow_view *flow, enum wait_end end, void *user);

struct waiter;
struct waiter *waiter_open(struct api *api, struct err *e) MUST_CHECK;
void waiter_stop(struct waiter *w);   /* answers everybody with WAIT_STOPPED, also who comes later */
void waiter_close(struct waiter **w); /* after the server was closed */

#define WAIT_ANY_END (-1) /* for rev: only the end counts */
/* The handler must return at once after this call: the request may already be answered. user lives in c->arena or longer. */
void waiter_park(struct call *c, const char *job, int64_t wait_ms, int64_t rev, waiter_finish *finish, void *user);
/* The same until a flow has ended, which it does with its root. */
void waiter_park_flow(struct call *c, const char *root, int64_t wait_ms, waiter_finish_flow *finish, void *user);

#endif
