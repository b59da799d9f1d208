/* context.c -- a server thread's own handles, opened when first asked for: one queue, one store. */
#include "api/context.h"

#include "api/reply.h"

void *context_open(void *user)
{
	struct api_thread *t = mem_new(sizeof *t);

	t->api = user;
	return t;
}

void context_close(void *thread, void *user)
{
	struct api_thread *t = thread;

	UNUSED(user);
	if (!t)
		return;
	queue_close(&t->queue);
	store_close(&t->store);
	mem_free(&t);
}

struct queue *context_queue(struct api_thread *t, struct err *e)
{
	if (!t->queue)
		t->queue = queue_open(t->api->queue_url, &t->api->queue_options, e);
	return t->queue;
}

struct store *context_store(struct api_thread *t, struct err *e)
{
	if (!t->store)
		t->store = store_open(t->api->store_url, e);
	return t->store;
}

struct queue *call_queue(struct call *c)
{
	struct err e = {0};
	struct queue *q = context_queue(c->thread, &e);

	if (!q)
		reply_err(c, &e, NULL);
	return q;
}

struct store *call_store(struct call *c)
{
	struct err e = {0};
	struct store *s = context_store(c->thread, &e);

	if (!s)
		reply_err(c, &e, NULL);
	return s;
}
