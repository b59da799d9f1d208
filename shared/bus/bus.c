/* bus.c -- finds the driver of an address and checks what goes through the door. */
#include "bus/bus.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "bus/driver.h"
#include "bus/event.h"

struct bus {
	const struct bus_driver *driver;
	void *impl;
};

struct subscriber {
	const struct bus_driver *driver;
	void *impl;
};

static const struct bus_driver *const drivers[] = {
#define BUS_DRIVER(name) &bus_driver_##name,
#include "bus/drivers.def"
#undef BUS_DRIVER
};

static const struct event_type event_types[] = {
#define EVENT(name, topic, state_topic, help) {name, topic, state_topic, help},
#include "bus/events.def"
#undef EVENT
};

const struct event_type *event_type_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(event_types); i++)
		if (str_eq(event_types[i].name, name))
			return &event_types[i];
	return NULL;
}

const struct event_type *event_type_at(size_t i)
{
	return i < ARRAY_LEN(event_types) ? &event_types[i] : NULL;
}

static const struct bus_driver *driver_of(const char *brokers, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
		if (str_starts(brokers, drivers[i]->prefix))
			return drivers[i];
	err_set(e, ERR_INVALID, "no driver of the bus takes the address \"%.100s\"", brokers);
	return NULL;
}

struct bus *bus_open(const char *brokers, struct err *e)
{
	const struct bus_driver *driver = driver_of(brokers, e);
	void *impl = driver ? driver->open(brokers, e) : NULL;
	if (!impl)
		return NULL;
	struct bus *b = mem_new(sizeof(*b));
	b->driver = driver;
	b->impl = impl;
	return b;
}

void bus_close(struct bus **b)
{
	if (!*b)
		return;
	(*b)->driver->close((*b)->impl);
	mem_free(b);
}

/* Events before a bad one are still sent: the caller learns from the count which one it was. */
size_t bus_publish(struct bus *b, const struct event *events, size_t n, int timeout_ms, struct err *e)
{
	size_t good = 0;
	struct err bad;
	while (good < n && event_check(&events[good], &bad))
		good++;
	size_t sent = good > 0 ? b->driver->publish(b->impl, events, good, timeout_ms, e) : 0;
	if (sent == good && good < n)
		*e = bad;
	return sent;
}

void bus_forget(struct bus *b)
{
	b->driver->forget(b->impl);
}

static bool topic_check(const char *name, struct err *e)
{
	if (!str_is_name(name, EVENT_TEXT_MAX - strlen(TOPIC_PREFIX), "._-"))
		return err_set(e, ERR_INVALID,
		        "\"%.100s\" is no name of a topic: letters, digits, points, hyphens and underscores are right", name);
	return true;
}

struct subscriber *subscriber_open(const char *brokers, const char *const *topics, size_t n_topics, bool from_beginning, struct err *e)
{
	for (size_t i = 0; i < n_topics; i++)
		if (!topic_check(topics[i], e))
			return NULL;
	const struct bus_driver *driver = driver_of(brokers, e);
	void *impl = driver ? driver->subscribe(brokers, topics, n_topics, from_beginning, e) : NULL;
	if (!impl)
		return NULL;
	struct subscriber *s = mem_new(sizeof(*s));
	s->driver = driver;
	s->impl = impl;
	return s;
}

int subscriber_next(struct subscriber *s, int timeout_ms, struct event *out, struct err *e)
{
	return s->driver->next(s->impl, timeout_ms, out, e);
}

bool subscriber_ready(struct subscriber *s, int timeout_ms, struct err *e)
{
	return s->driver->ready(s->impl, timeout_ms, e);
}

void subscriber_close(struct subscriber **s)
{
	if (!*s)
		return;
	(*s)->driver->unsubscribe((*s)->impl);
	mem_free(s);
}

bool bus_topics_ensure(const char *brokers, const struct bus_topic *topics, size_t n, int replication, int timeout_ms, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (!topic_check(topics[i].name, e))
			return false;
	const struct bus_driver *driver = driver_of(brokers, e);
	return driver && driver->topics_ensure(brokers, topics, n, replication, timeout_ms, e);
}
