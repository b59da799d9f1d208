/* devbroker.c -- the development broker: a mock cluster that speaks Kafka's protocol and keeps nothing on disk. */
#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"
#include "bus/bus.h"
#include "bus/kafka.h"

struct devbroker {
	struct kafka_mock *mock;
};

bool devbroker_topic(struct devbroker *d, const char *name, int partitions, struct err *e)
{
	char full[EVENT_TEXT_MAX + 1];
	if (!str_is_name(name, EVENT_TEXT_MAX - sizeof(TOPIC_PREFIX), "._-"))
		return err_set(e, ERR_INVALID, "\"%.100s\" is no name of a topic", name);
	snprintf(full, sizeof(full), TOPIC_PREFIX "%s", name);
	return kafka_mock_topic(d->mock, full, partitions, e);
}

static bool topics_make(struct devbroker *d, int partitions, struct err *e)
{
	const struct event_type *t;
	for (size_t i = 0; (t = event_type_at(i)); i++)
		if (!devbroker_topic(d, t->topic, partitions, e) ||
		        (t->state_topic[0] && !devbroker_topic(d, t->state_topic, partitions, e)))
			return false;
	return true;
}

struct devbroker *devbroker_open(int brokers, int partitions, struct err *e)
{
	struct kafka_mock *mock = kafka_mock_open(brokers, e);
	if (!mock)
		return NULL;
	struct devbroker *d = mem_new(sizeof(*d));
	d->mock = mock;
	if (!topics_make(d, partitions, e))
		devbroker_close(&d);
	return d;
}

const char *devbroker_address(const struct devbroker *d)
{
	return kafka_mock_address(d->mock);
}

void devbroker_cut(struct devbroker *d, bool cut)
{
	kafka_mock_cut(d->mock, cut);
}

void devbroker_refuse(struct devbroker *d, int times)
{
	kafka_mock_refuse(d->mock, times);
}

void devbroker_slow(struct devbroker *d, int delay_ms)
{
	kafka_mock_slow(d->mock, delay_ms);
}

void devbroker_close(struct devbroker **d)
{
	if (!*d)
		return;
	kafka_mock_close(&(*d)->mock);
	mem_free(d);
}
