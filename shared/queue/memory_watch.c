/* memory_watch.c -- the ends of watched jobs, handed from thread to thread. */
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "queue/memory_private.h"

void memory_publish(struct memory_store *s, const char *id, enum job_state state)
{
	for (struct memory_watcher *w = s->watchers; w; w = w->next) {
		if (w->n_ends == w->cap_ends) {
			size_t cap = w->cap_ends ? w->cap_ends * 2 : 16;

			w->ends = mem_grow(w->ends, w->cap_ends, cap, sizeof(*w->ends));
			w->cap_ends = cap;
		}
		w->ends[w->n_ends].state = state;
		memcpy(w->ends[w->n_ends++].id, id, strlen(id) + 1);
		eventfd_write(w->fd, 1);
	}
}

struct queue_watcher *memory_watcher_open(const char *url, const struct queue_options *o, struct err *e)
{
	struct memory_store *store = memory_store_open(url, o->namespace_, e);
	struct memory_watcher *w;

	if (!store)
		return NULL;
	w = mem_new(sizeof(*w));
	w->store = store;
	w->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC | EFD_SEMAPHORE);
	memory_enter(store);
	w->next = store->watchers;
	store->watchers = w;
	memory_leave(store);
	return &w->head;
}

int memory_watcher_fd(const struct queue_watcher *base)
{
	return ((const struct memory_watcher *)base)->fd;
}

int memory_watcher_next(struct queue_watcher *base, char id_out[JOB_ID], enum job_state *state_out, struct err *e)
{
	struct memory_watcher *w = (struct memory_watcher *)base;
	eventfd_t one;
	int got = 0;

	UNUSED(e);
	memory_enter(w->store);
	if (w->n_ends && eventfd_read(w->fd, &one) == 0) {
		memcpy(id_out, w->ends[0].id, JOB_ID);
		*state_out = w->ends[0].state;
		memmove(w->ends, w->ends + 1, --w->n_ends * sizeof(*w->ends));
		got = 1;
	}
	memory_leave(w->store);
	return got;
}

void memory_watcher_close(struct queue_watcher *base)
{
	struct memory_watcher *w = (struct memory_watcher *)base;
	struct memory_watcher **at = &w->store->watchers;

	memory_enter(w->store);
	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	memory_leave(w->store);
	memory_store_close(&w->store);
	close(w->fd);
	mem_free(&w->ends);
	mem_free(&w);
}
