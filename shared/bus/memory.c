/* memory.c -- the driver "memory:NAME": a bus inside one process, for tests. All who name the same NAME meet.
 *
 * Like a broker, a bus outlives those who use it: its events stay until the process ends. One partition per topic. Threads may
 * meet here, so each bus has a lock.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "bus/driver.h"

#define PREFIX "memory:"

/* The events of all topics in one list, in the order they came; each is never changed nor freed. */
struct hub {
	struct hub *next;
	char *name;
	pthread_mutex_t lock;
	pthread_cond_t came;
	struct arena *arena;
	struct event **events;
	size_t n, cap;
};

struct memory_subscriber {
	struct hub *hub;
	char **topics;
	size_t n_topics;
	size_t at; /* the next event to look at */
};

static struct hub *hub_new(const char *name)
{
	struct hub *h = mem_new(sizeof(*h));
	pthread_condattr_t clock;
	h->name = mem_strdup(name);
	h->arena = arena_open();
	pthread_mutex_init(&h->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&h->came, &clock);
	pthread_condattr_destroy(&clock);
	return h;
}

/* The one place where state outlives its users: the list of this process's buses. */
static struct hub *hub_of(const char *name)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static struct hub *hubs;
	pthread_mutex_lock(&lock);
	struct hub *h = hubs;
	while (h && !str_eq(h->name, name))
		h = h->next;
	if (!h) {
		h = hub_new(name);
		h->next = hubs;
		hubs = h;
	}
	pthread_mutex_unlock(&lock);
	return h;
}

static void *memory_open(const char *brokers, struct err *e)
{
	const char *name = brokers + strlen(PREFIX);
	if (!str_is_name(name, 64, "._-")) {
		err_set(e, ERR_INVALID, "\"%.100s\" is no address of a bus in memory: memory:NAME is right", brokers);
		return NULL;
	}
	return hub_of(name);
}

/* ---- publishing ----------------------------------------------------------------------------------------------- */

static int64_t topic_count(const struct hub *h, const char *topic)
{
	for (size_t i = h->n; i-- > 0;)
		if (str_eq(h->events[i]->topic, topic))
			return h->events[i]->offset + 1;
	return 0;
}

static const char *copy(struct hub *h, const char *text)
{
	return arena_strdup(h->arena, text ? text : "");
}

static void hub_add(struct hub *h, const struct event *ev)
{
	struct event *own = arena_new(h->arena, sizeof(*own));
	*own = (struct event){.topic = copy(h, ev->topic),
	        .key = copy(h, ev->key),
	        .id = copy(h, ev->id),
	        .type = copy(h, ev->type),
	        .source = copy(h, ev->source),
	        .subject = copy(h, ev->subject),
	        .time_ms = ev->time_ms,
	        .data = copy(h, ev->data),
	        .offset = topic_count(h, ev->topic)};
	if (h->n == h->cap) {
		size_t cap = h->cap ? h->cap * 2 : 64;
		h->events = mem_grow(h->events, h->cap, cap, sizeof(*h->events));
		h->cap = cap;
	}
	h->events[h->n++] = own;
}

static size_t memory_publish(void *impl, const struct event *events, size_t n, int timeout_ms, struct err *e)
{
	struct hub *h = impl;
	UNUSED(timeout_ms);
	UNUSED(e); /* memory refuses nothing */
	pthread_mutex_lock(&h->lock);
	for (size_t i = 0; i < n; i++)
		hub_add(h, &events[i]);
	pthread_cond_broadcast(&h->came);
	pthread_mutex_unlock(&h->lock);
	return n;
}

static void memory_forget(void *impl)
{
	UNUSED(impl); /* nothing is ever under way */
}

static void memory_close(void *impl)
{
	UNUSED(impl); /* the bus stays: see the first lines */
}

/* ---- subscribing ---------------------------------------------------------------------------------------------- */

static void *memory_subscribe(const char *brokers, const char *const *topics, size_t n, bool from_beginning, struct err *e)
{
	struct hub *h = memory_open(brokers, e);
	if (!h)
		return NULL;
	struct memory_subscriber *s = mem_new(sizeof(*s));
	s->hub = h;
	s->topics = mem_array(n, sizeof(*s->topics));
	for (s->n_topics = 0; s->n_topics < n; s->n_topics++)
		s->topics[s->n_topics] = mem_strdup(topics[s->n_topics]);
	pthread_mutex_lock(&h->lock);
	s->at = from_beginning ? 0 : h->n;
	pthread_mutex_unlock(&h->lock);
	return s;
}

static const struct event *event_wanted(struct memory_subscriber *s)
{
	while (s->at < s->hub->n) {
		const struct event *ev = s->hub->events[s->at++];
		for (size_t i = 0; i < s->n_topics; i++)
			if (str_eq(s->topics[i], ev->topic))
				return ev;
	}
	return NULL;
}

static int memory_next(void *impl, int timeout_ms, struct event *out, struct err *e)
{
	struct memory_subscriber *s = impl;
	UNUSED(e);
	int64_t end_us = clock_mono_us() + (int64_t)timeout_ms * 1000;
	struct timespec until = {.tv_sec = end_us / 1000000, .tv_nsec = end_us % 1000000 * 1000};
	const struct event *ev;
	pthread_mutex_lock(&s->hub->lock);
	while (!(ev = event_wanted(s)))
		if (pthread_cond_timedwait(&s->hub->came, &s->hub->lock, &until) == ETIMEDOUT)
			break;
	ev = ev ? ev : event_wanted(s);
	pthread_mutex_unlock(&s->hub->lock);
	if (ev)
		*out = *ev;
	return ev != NULL;
}

static bool memory_ready(void *impl, int timeout_ms, struct err *e)
{
	UNUSED(impl);
	UNUSED(timeout_ms);
	UNUSED(e);
	return true; /* fixed when it was opened */
}

static void memory_unsubscribe(void *impl)
{
	struct memory_subscriber *s = impl;
	for (size_t i = 0; i < s->n_topics; i++)
		mem_free(&s->topics[i]);
	mem_free(&s->topics);
	mem_free(&s);
}

static bool memory_topics_ensure(
        const char *brokers, const struct bus_topic *topics, size_t n, int replication, int timeout_ms, struct err *e)
{
	UNUSED(topics);
	UNUSED(n);
	UNUSED(replication);
	UNUSED(timeout_ms);
	return memory_open(brokers, e) != NULL; /* topics appear when first used */
}

const struct bus_driver bus_driver_memory = {
        .name = "memory",
        .prefix = PREFIX,
        .open = memory_open,
        .publish = memory_publish,
        .forget = memory_forget,
        .close = memory_close,
        .subscribe = memory_subscribe,
        .next = memory_next,
        .ready = memory_ready,
        .unsubscribe = memory_unsubscribe,
        .topics_ensure = memory_topics_ensure,
};
