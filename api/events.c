/* events.c -- Kafka's events for web pages: one subscriber thread, a ring of the newest events, Server-Sent Events out of it. */
#include "api/events.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "api/reply.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "bus/bus.h"

#define RING          4096
#define LISTENERS_MAX 200
#define HEARTBEAT_MS  15000
#define RETRY_MS      1000
#define TURN_MS       250
#define BATCH_BYTES   (64 * 1024) /* handed to the server in one go */

#define TOPICS_MAX 16

struct entry {
	char *topic, *type, *key, *data; /* NULL: not used yet */
};

struct events {
	const char *brokers;
	int64_t born;
	pthread_t thread;
	pthread_mutex_t lock; /* guards all below */
	struct entry ring[RING];
	int64_t next; /* number of the next event; ring[n % RING] holds event n */
	int listeners;
	bool ready, stop;
};

struct listener {
	struct events *ev;
	struct events_filter filter;
	int64_t at; /* the next event to be sent */
	int64_t heartbeat;
	bool greeted;
};

/* ---- in ------------------------------------------------------------------------------------------------------ */

static void entry_close(struct entry *x)
{
	mem_free(&x->topic);
	mem_free(&x->type);
	mem_free(&x->key);
	mem_free(&x->data);
}

static void ring_add(struct events *ev, const struct event *event)
{
	struct entry x = {mem_strdup(event->topic ? event->topic : ""), mem_strdup(event->type ? event->type : ""),
	        mem_strdup(event->key ? event->key : ""), mem_strdup(event->data ? event->data : "null")};

	pthread_mutex_lock(&ev->lock);
	struct entry *slot = &ev->ring[ev->next % RING];
	entry_close(slot);
	*slot = x;
	ev->next++;
	pthread_mutex_unlock(&ev->lock);
}

static bool stopping(struct events *ev)
{
	pthread_mutex_lock(&ev->lock);
	bool stop = ev->stop;
	pthread_mutex_unlock(&ev->lock);
	return stop;
}

static void set_ready(struct events *ev, bool ready)
{
	pthread_mutex_lock(&ev->lock);
	ev->ready = ready;
	pthread_mutex_unlock(&ev->lock);
}

/* Listeners are greeted only when nothing that happens from now on is missed. */
static void become_ready(struct events *ev, struct subscriber *s)
{
	struct err e = {0};

	while (!stopping(ev) && !subscriber_ready(s, TURN_MS, &e))
		continue;
	set_ready(ev, true);
}

static void receive(struct events *ev, struct subscriber *s)
{
	struct event event;
	struct err e = {0};

	while (!stopping(ev)) {
		int got = subscriber_next(s, TURN_MS, &event, &e);

		if (got > 0)
			ring_add(ev, &event);
		else if (got < 0)
			log_warn("events from Kafka: %s", e.text);
	}
}

/* Every topic that a type of event goes to, once. */
static size_t topics_of_types(const char *topics[TOPICS_MAX])
{
	const struct event_type *type;
	size_t n = 0;

	for (size_t i = 0; (type = event_type_at(i)) != NULL; i++) {
		size_t at = 0;

		while (at < n && !str_eq(topics[at], type->topic))
			at++;
		if (at == n && n < TOPICS_MAX)
			topics[n++] = type->topic;
	}
	return n;
}

static void *events_main(void *user)
{
	struct events *ev = user;
	const char *topics[TOPICS_MAX];
	size_t n_topics = topics_of_types(topics);
	bool told = false;

	while (!stopping(ev)) {
		struct err e = {0};
		struct subscriber *s = subscriber_open(ev->brokers, topics, n_topics, false, &e);

		if (!s) {
			if (!told)
				log_warn("events from Kafka cannot be had, trying again: %s", e.text);
			told = true;
			clock_sleep_ms(RETRY_MS);
			continue;
		}
		become_ready(ev, s);
		receive(ev, s);
		subscriber_close(&s);
	}
	return NULL;
}

struct events *events_open(const char *brokers, struct err *e)
{
	struct events *ev = mem_new(sizeof *ev);
	int rc;

	ev->brokers = brokers;
	ev->born = clock_now_ms();
	pthread_mutex_init(&ev->lock, NULL);
	rc = pthread_create(&ev->thread, NULL, events_main, ev);
	if (rc == 0)
		return ev;
	err_set(e, ERR_INTERNAL, "the thread for events cannot be started: %s", strerror(rc));
	mem_free(&ev);
	return NULL;
}

void events_close(struct events **evp)
{
	struct events *ev = *evp;

	if (!ev)
		return;
	pthread_mutex_lock(&ev->lock);
	ev->stop = true;
	pthread_mutex_unlock(&ev->lock);
	pthread_join(ev->thread, NULL);
	for (size_t i = 0; i < RING; i++)
		entry_close(&ev->ring[i]);
	pthread_mutex_destroy(&ev->lock);
	mem_free(evp);
}

/* ---- out ----------------------------------------------------------------------------------------------------- */

/* The key is exchange|symbol|interval. */
static bool key_part_is(const char *key, int part, const char *wanted)
{
	for (; part > 0; part--) {
		key = strchr(key, '|');
		if (!key)
			return false;
		key++;
	}
	size_t len = strcspn(key, "|");
	return len == strlen(wanted) && memcmp(key, wanted, len) == 0;
}

static bool wanted(const struct events_filter *f, const struct entry *x)
{
	return (!*f->topic || str_eq(f->topic, x->topic)) && (!*f->type || str_starts(x->type, f->type)) &&
	       (!*f->symbol || key_part_is(x->key, 1, f->symbol)) && (!*f->interval || key_part_is(x->key, 2, f->interval));
}

static void greet(struct listener *l, struct buf *b)
{
	if (l->greeted || !l->ev->ready)
		return;
	buf_adds(b, ": listening\n\n");
	l->greeted = true;
}

/* Data is one line: JSON written without line breaks. Those of a foreign producer are made spaces, which JSON allows there. */
static void data_write(struct buf *b, const char *data)
{
	size_t at = b->len;

	buf_adds(b, data);
	for (char *p = b->data + at; *p; p++)
		if (*p == '\n' || *p == '\r')
			*p = ' ';
}

static void events_write(struct listener *l, struct buf *b)
{
	struct events *ev = l->ev;

	if (l->at < ev->next - RING) {
		buf_addf(b, ": %lld events missed\n\n", (long long)(ev->next - RING - l->at));
		l->at = ev->next - RING;
	}
	for (; l->at < ev->next && b->len < BATCH_BYTES; l->at++) {
		const struct entry *x = &ev->ring[l->at % RING];

		if (!wanted(&l->filter, x))
			continue;
		buf_addf(b, "id: %lld-%lld\nevent: %s\ndata: ", (long long)ev->born, (long long)l->at, x->type);
		data_write(b, x->data);
		buf_adds(b, "\n\n");
	}
}

static bool listener_more(void *user, struct buf *b)
{
	struct listener *l = user;
	int64_t now = clock_mono_ms();

	pthread_mutex_lock(&l->ev->lock);
	greet(l, b);
	if (l->greeted)
		events_write(l, b);
	pthread_mutex_unlock(&l->ev->lock);
	if (b->len == 0 && now - l->heartbeat >= HEARTBEAT_MS)
		buf_adds(b, ": still here\n\n");
	if (b->len > 0)
		l->heartbeat = now;
	return true;
}

static void listener_closed(void *user)
{
	struct listener *l = user;

	pthread_mutex_lock(&l->ev->lock);
	l->ev->listeners--;
	pthread_mutex_unlock(&l->ev->lock);
	mem_free(&l);
}

/* The event after the one that the client saw last, if it is still here; else the next one to come. With the lock held. */
static int64_t start_at(const struct events *ev, const char *last_id)
{
	const char *dash = last_id ? strchr(last_id, '-') : NULL;
	char born[24];
	int64_t born_ms, n;

	if (!dash || !str_copy_n(born, sizeof born, last_id, (size_t)(dash - last_id)) || !str_int(born, 0, INT64_MAX, &born_ms) ||
	        born_ms != ev->born || !str_int(dash + 1, 0, INT64_MAX - 1, &n) || n >= ev->next)
		return ev->next;
	return n + 1;
}

void events_stream(struct call *c, const struct events_filter *filter, const char *last_id)
{
	struct events *ev = c->api->events;
	struct listener *l = mem_new(sizeof *l);

	pthread_mutex_lock(&ev->lock);
	bool room = ev->listeners < LISTENERS_MAX;
	ev->listeners += room;
	*l = (struct listener){.ev = ev, .filter = *filter, .at = start_at(ev, last_id), .heartbeat = clock_mono_ms()};
	pthread_mutex_unlock(&ev->lock);
	if (!room) {
		mem_free(&l);
		reply_retry_after(c, 5000);
		reply_detail(c, 503, "%d listeners are connected, which is the limit", LISTENERS_MAX);
		return;
	}
	reply_header(c, "Cache-Control", "no-store");
	reply_header(c, "X-Accel-Buffering", "no"); /* nginx would hold events back */
	reply_count(c, 200);
	http_reply_stream(c->r, 200, "text/event-stream; charset=utf-8", listener_more, listener_closed, l);
}
