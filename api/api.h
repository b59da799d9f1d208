/* api.h -- what the files of this program share: its settings, a thread's handles, and the request at hand.
 *
 * A request becomes a struct call in its own arena. The handler that routes.def names answers it with reply_*, or parks it with
 * waiter_park; either way exactly once. Nothing here is global: the server hands struct api to every request.
 */
#ifndef API_API_H
#define API_API_H

#include "api/router.h"
#include "base/base.h"
#include "base/err.h"
#include "http/server.h"
#include "queue/queue.h"
#include "store/store.h"

enum api_role { ROLE_ALL, ROLE_DATA, ROLE_BACKTEST, ROLE_ORDER, ROLE_COUNT }; /* ports 8000 .. 8003 of the origin */

struct api {
	const char *queue_url, *store_url, *brokers, *records_dir, *token, *cors_origins, *exchange_url;
	struct queue_options queue_options;
	int64_t wait_max_ms;
	int ports[ROLE_COUNT]; /* -1: off; 0, for ROLE_ALL only: picked by the server */
	struct waiter *waiter;
	struct doctor *doctor;
	struct live *live;
	struct events *events; /* NULL when KAFKA_BROKERS is not set */
};

/* The handles of one server thread; see context.h. */
struct api_thread {
	const struct api *api;
	struct queue *queue;
	struct store *store;
};

struct call {
	struct http_request *r;
	struct api *api;
	struct api_thread *thread; /* only while the handler runs; NULL once the request is parked */
	struct arena *arena;
	const struct route *route; /* NULL when none was found */
	struct route_match match;
	enum api_role role;
	bool problems; /* errors in RFC 9457 shape: the job API */
};

/* A named part of the path, copied into the request's arena. */
const char *call_param(const struct call *c, const char *name);

/* The server's handler: CORS, token, routing, then the route. user is the struct api. */
void dispatch(struct http_request *r, void *thread, void *user);

#endif
