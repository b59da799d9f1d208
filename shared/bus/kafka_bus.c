/* kafka_bus.c -- publishing to Kafka, and the driver: events go out in order, and those under way are remembered.
 *
 * A flight is an event that was handed to the producer and not yet told to the caller as confirmed. When bus_publish runs out of
 * time its flights stay in the air: librdkafka goes on trying, in order. The caller then publishes the same events again; the
 * flights are found by topic and id and waited for, so that a slow broker makes progress and no event is sent twice.
 *
 * Flights go in waves: the next one is handed over when all of the last are stored, and a wave is small enough to be one batch of each
 * partition. So nothing of a key is on its way behind something that may still be refused or given up, and no order depends on what
 * the broker remembers of a producer: it takes any first batch, and the development broker looks at no sequence numbers. A wave that is
 * not stored in time is given up here, all at once, before librdkafka would give it up record by record.
 *
 * When a flight fails, the producer is thrown away with all its flights and the next call makes a new one: from then on nothing
 * of the old can be sent. What was on the wire at that moment may still arrive, as a double of something that will be sent
 * again; consumers know it by its id and by the revision in its data.
 */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "bus/driver.h"
#include "bus/kafka.h"
#include "bus/kafka_private.h"

#define SLICE_MS   20    /* the longest nap: the last report ends it */
#define REASON_MS  500   /* how long the reason of a failure is waited for */
#define GIVE_UP_MS 15000 /* a wave that is not stored by then; less than message.timeout.ms and linger.ms in kafka.c */

enum flight_state { FLIGHT_UNDER_WAY, FLIGHT_STORED, FLIGHT_FAILED };

struct flight {
	char *topic, *id;
	enum flight_state state;
};

struct kafka_bus {
	char *brokers;
	struct kafka *producer; /* NULL before the first publish and after a failure */
	struct flight *flights; /* in the order of the events */
	size_t n, cap;
	size_t stored;        /* the first so many flights are FLIGHT_STORED */
	size_t base;          /* tag of flights[0] */
	int64_t wave_mono_ms; /* when the last wave was handed over */
	bool failed;          /* a flight is FLIGHT_FAILED; of the earliest of these are: */
	size_t failed_tag;
	struct err trouble;
};

static void *kafka_bus_open(const char *brokers, struct err *e)
{
	if (!kafka_brokers_check(brokers, e))
		return NULL;
	struct kafka_bus *b = mem_new(sizeof(*b));
	b->brokers = mem_strdup(brokers);
	return b;
}

/* The first `count` flights are over. */
static void flights_drop(struct kafka_bus *b, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		mem_free(&b->flights[i].topic);
		mem_free(&b->flights[i].id);
	}
	if (count > 0 && count < b->n)
		memmove(b->flights, b->flights + count, (b->n - count) * sizeof(*b->flights));
	b->n -= count;
	b->base += count;
	b->stored -= count < b->stored ? count : b->stored;
}

static void kafka_bus_forget(void *impl)
{
	struct kafka_bus *b = impl;
	kafka_close(&b->producer);
	flights_drop(b, b->n);
	b->failed = false;
}

static void kafka_bus_close(void *impl)
{
	struct kafka_bus *b = impl;
	kafka_bus_forget(b);
	mem_free(&b->flights);
	mem_free(&b->brokers);
	mem_free(&b);
}

static void on_report(void *user, size_t tag, const struct err *failure)
{
	struct kafka_bus *b = user;
	struct flight *f = &b->flights[tag - b->base];
	f->state = failure ? FLIGHT_FAILED : FLIGHT_STORED;
	if (failure && (!b->failed || tag < b->failed_tag)) {
		b->failed = true;
		b->failed_tag = tag;
		b->trouble = *failure;
	}
	while (b->stored < b->n && b->flights[b->stored].state == FLIGHT_STORED)
		b->stored++;
}

static void flight_add(struct kafka_bus *b, const struct event *ev)
{
	if (b->n == b->cap) {
		size_t cap = b->cap ? b->cap * 2 : 64;
		b->flights = mem_grow(b->flights, b->cap, cap, sizeof(*b->flights));
		b->cap = cap;
	}
	b->flights[b->n++] = (struct flight){.topic = mem_strdup(ev->topic), .id = mem_strdup(ev->id), .state = FLIGHT_UNDER_WAY};
}

static bool event_send(
        struct kafka_bus *b, const struct event *ev, const struct event_bytes *headers, size_t n, struct arena *a, struct err *e)
{
	struct event_bytes key = {.data = ev->key, .len = strlen(ev->key)}, value = {.data = ev->data, .len = strlen(ev->data)};
	char *topic = arena_printf(a, TOPIC_PREFIX "%s", ev->topic);
	if (!kafka_send(b->producer, topic, &key, &value, headers, n, b->base + b->n, e))
		return false;
	flight_add(b, ev);
	return true;
}

/* At most what it takes in a batch: 64 and 10 are more than the format's own numbers need. */
static size_t bytes_of(const struct event *ev, const struct event_bytes *headers, size_t n)
{
	size_t bytes = 64 + strlen(ev->key) + strlen(ev->data);
	for (size_t i = 0; i < n; i++)
		bytes += 10 + strlen(headers[i].name) + headers[i].len;
	return bytes;
}

/* As many as fit, one at least. False: events[b->n] can never be sent, or not now (ERR_FULL). */
static bool wave_send(struct kafka_bus *b, const struct event *events, size_t n, struct arena *a, struct err *e)
{
	size_t bytes = 0, first = b->n;
	while (b->n < n && b->n - first < KAFKA_BATCH_MAX) {
		struct event_bytes headers[EVENT_HEADERS];
		size_t n_headers = event_headers(&events[b->n], a, headers);
		bytes += bytes_of(&events[b->n], headers, n_headers);
		if (b->n > first && bytes > KAFKA_BATCH_BYTES)
			return true;
		if (!event_send(b, &events[b->n], headers, n_headers, a, e))
			return false;
		arena_reset(a);
	}
	return true;
}

/* Hands over the next wave if nothing is in the air. False: events[b->n] can never be sent. */
static bool hand_over(struct kafka_bus *b, const struct event *events, size_t n, struct err *e)
{
	if (b->n >= n || b->stored < b->n)
		return true;
	struct arena *a = arena_open();
	bool ok = wave_send(b, events, n, a, e);
	arena_close(&a);
	b->wave_mono_ms = clock_mono_ms();
	return ok || e->code == ERR_FULL;
}

static bool is_overdue(const struct kafka_bus *b)
{
	return b->stored < b->n && clock_mono_ms() - b->wave_mono_ms > GIVE_UP_MS;
}

static bool flights_match(const struct kafka_bus *b, const struct event *events, size_t n)
{
	for (size_t i = 0; i < b->n && i < n; i++)
		if (!str_eq(b->flights[i].id, events[i].id) || !str_eq(b->flights[i].topic, events[i].topic))
			return false;
	return true;
}

static bool producer_ready(struct kafka_bus *b, struct err *e)
{
	if (!b->producer)
		b->producer = kafka_producer_open(b->brokers, &(struct kafka_reports){on_report, b}, e);
	return b->producer != NULL;
}

/* When one is refused, all behind it fail as well, and their reports may come before its own, which alone says why. */
static void await_reason(struct kafka_bus *b)
{
	int64_t deadline = clock_mono_ms() + REASON_MS;
	while (b->stored < b->n && b->flights[b->stored].state == FLIGHT_UNDER_WAY && clock_mono_ms() < deadline)
		kafka_flush(b->producer, SLICE_MS);
}

static void explain(struct kafka_bus *b, size_t done, size_t n, int timeout_ms, struct err *e)
{
	if (b->failed || kafka_is_broken(b->producer, e))
		await_reason(b);
	if (b->failed)
		*e = b->trouble;
	else if (!kafka_is_broken(b->producer, e) && !kafka_is_down(b->producer, e))
		err_set(e, ERR_TIMEOUT, "Kafka confirmed %zu of %zu events within %d ms", done, n, is_overdue(b) ? GIVE_UP_MS : timeout_ms);
}

/* Until the first n are stored, one failed, or the time is over. Returns n, or less when an event can never be sent: refused says why,
 * and what stands before it was still waited for. */
static size_t fly(struct kafka_bus *b, const struct event *events, size_t n, int timeout_ms, struct err *refused)
{
	struct err why;
	int64_t deadline = clock_mono_ms() + timeout_ms;
	bool is_whole = true;
	for (;;) {
		is_whole = is_whole && hand_over(b, events, n, refused);
		n = is_whole || b->n > n ? n : b->n;
		int64_t left = deadline - clock_mono_ms();
		kafka_flush(b->producer, b->stored >= n || left < 0 ? 0 : left < SLICE_MS ? (int)left : SLICE_MS);
		if (b->stored >= n || b->failed || left <= 0 || is_overdue(b) || kafka_is_broken(b->producer, &why))
			return n;
	}
}

static size_t kafka_bus_publish(void *impl, const struct event *events, size_t n, int timeout_ms, struct err *e)
{
	struct kafka_bus *b = impl;
	struct err why;
	if (!flights_match(b, events, n))
		kafka_bus_forget(b);
	if (!producer_ready(b, e))
		return 0;
	size_t wanted = fly(b, events, n, timeout_ms, e);
	size_t done = b->stored < wanted ? b->stored : wanted;
	if (done < wanted)
		explain(b, done, n, timeout_ms, e);
	bool is_over = b->failed || is_overdue(b) || kafka_is_broken(b->producer, &why);
	flights_drop(b, done);
	if (is_over)
		kafka_bus_forget(b);
	return done;
}

const struct bus_driver bus_driver_kafka = {
        .name = "kafka",
        .prefix = "",
        .open = kafka_bus_open,
        .publish = kafka_bus_publish,
        .forget = kafka_bus_forget,
        .close = kafka_bus_close,
        .subscribe = kafka_subscribe,
        .next = kafka_next,
        .ready = kafka_ready,
        .unsubscribe = kafka_unsubscribe,
        .topics_ensure = kafka_topics_ensure,
};
