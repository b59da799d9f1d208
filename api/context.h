/* context.h -- a server thread's own handles, opened when first asked for: one queue, one store.
 *
 * A handle that could not be opened is tried again by the next request, so that the program starts without Redis and heals.
 */
#ifndef API_CONTEXT_H
#define API_CONTEXT_H

#include "api/api.h"

void *context_open(void *user); /* for the server's thread_open; user is the struct api */
void context_close(void *thread, void *user);
struct queue *context_queue(struct api_thread *t, struct err *e) MUST_CHECK;
struct store *context_store(struct api_thread *t, struct err *e) MUST_CHECK;

/* For handlers: the handle, or NULL after an answer of 503 was given. */
struct queue *call_queue(struct call *c);
struct store *call_store(struct call *c);

#endif
