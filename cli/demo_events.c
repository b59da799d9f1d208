/* demo_events.c -- the demonstration's subscriber: listens to /api/events on a thread of its own. */
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "cli/demo.h"
#include "cli/sse.h"

#define LISTEN_WAIT_MS  30000
#define ARRIVAL_WAIT_MS 60000 /* a worker that was killed may still hold the right to send for 45 s */

static bool take(void *user, const char *id, const char *type, const char *data)
{
	struct demo_events *events = user;
	UNUSED(id);
	pthread_mutex_lock(&events->lock);
	if (str_eq(type, "kline.range.updated.v1")) {
		events->changes++;
		if (events->n_shown < DEMO_EVENTS_SHOWN)
			snprintf(events->shown[events->n_shown++], sizeof events->shown[0], "%s", data);
	}
	bool go_on = !events->stop;
	pthread_mutex_unlock(&events->lock);
	return go_on;
}

struct listener {
	struct demo_events *events;
	struct sse sse;
};

static bool feed(void *user, const char *bytes, size_t len)
{
	struct listener *l = user;
	bool go_on = sse_feed(&l->sse, bytes, len);
	pthread_mutex_lock(&l->events->lock);
	l->events->ready = l->sse.listening;
	bool stop = l->events->stop;
	pthread_mutex_unlock(&l->events->lock);
	return go_on && !stop;
}

static void tell_failure(struct demo_events *events, const char *why)
{
	pthread_mutex_lock(&events->lock);
	if (!events->stop) {
		events->failed = true;
		snprintf(events->why, sizeof events->why, "%s", why);
	}
	pthread_mutex_unlock(&events->lock);
}

static void *listen_thread(void *user)
{
	struct listener l = {.events = user, .sse = {.handler = take, .user = user}};
	struct err e = {0};
	/* The stream is quiet but for a heartbeat every 15 s. */
	struct http_client_options patient = {.stall_timeout_ms = 60000};
	struct http_client *http = http_client_open(&patient, &e);
	if (!http) {
		tell_failure(l.events, e.text);
		return NULL;
	}
	struct buf url = {0};
	buf_addf(&url, "%s/api/events", l.events->url);
	struct http_answer answer = {0};
	const char *headers[] = {l.events->token, NULL};
	struct http_call call = {.headers = headers, .url = buf_text(&url), .timeout_ms = -1, .on_data = feed, .user = &l};
	bool ok = http_client_call(http, &call, &answer, &e);
	tell_failure(l.events, ok ? "the stream of events ended too early" : e.text);
	http_answer_close(&answer);
	buf_close(&url);
	sse_close(&l.sse);
	http_client_close(&http);
	return NULL;
}

static bool wait_for(struct demo_events *events, bool (*there)(struct demo_events *events, int64_t n), int64_t n, int64_t timeout_ms)
{
	int64_t until = clock_mono_ms() + timeout_ms;
	for (;;) {
		pthread_mutex_lock(&events->lock);
		bool over = events->failed || there(events, n);
		pthread_mutex_unlock(&events->lock);
		if (over || clock_mono_ms() > until)
			return over;
		clock_sleep_ms(50);
	}
}

static bool is_ready(struct demo_events *events, int64_t n)
{
	UNUSED(n);
	return events->ready;
}

static bool have(struct demo_events *events, int64_t n)
{
	return events->changes >= n;
}

bool demo_listen(struct demo *d, struct err *e)
{
	struct demo_events *events = &d->events;
	events->url = d->c->url;
	events->token = d->c->token[0] ? d->c->token : NULL;
	pthread_mutex_init(&events->lock, NULL);
	if (pthread_create(&events->thread, NULL, listen_thread, events) != 0)
		return err_set(e, ERR_INTERNAL, "no thread could be started for the subscriber");
	bool stands = wait_for(events, is_ready, 0, LISTEN_WAIT_MS) && !events->failed;
	if (!stands)
		demo_stop_listening(d);
	return stands ? true
	              : err_set(e, ERR_UNAVAILABLE, "the stream of events did not begin: %s",
	                        events->why[0] ? events->why : "Kafka does not answer the API; its log says more");
}

void demo_stop_listening(struct demo *d)
{
	pthread_mutex_lock(&d->events.lock);
	d->events.stop = true;
	pthread_mutex_unlock(&d->events.lock);
	/* The thread wakes at the next heartbeat; the process ends before that and needs nothing from it. */
	pthread_detach(d->events.thread);
}

bool demo_show_events(struct demo *d, struct err *e)
{
	struct demo_events *events = &d->events;
	if (d->changed_series == 0) {
		puts("  every candle was stored before, nothing changed, so no event was due");
		return true;
	}
	wait_for(events, have, d->changed_series, ARRIVAL_WAIT_MS);
	pthread_mutex_lock(&events->lock);
	int64_t got = events->changes;
	for (int i = 0; i < events->n_shown; i++)
		printf("  kline.range.updated.v1 %s\n", events->shown[i]);
	pthread_mutex_unlock(&events->lock);
	if (got > DEMO_EVENTS_SHOWN)
		printf("  ... and %lld more\n", (long long)(got - DEMO_EVENTS_SHOWN));
	if (got >= d->changed_series)
		return true;
	return err_set(e, ERR_TIMEOUT, "%lld series changed, but only %lld events came within a minute%s%s", (long long)d->changed_series,
	        (long long)got, events->why[0] ? ": " : "", events->why);
}
