/* kafka_topics.c -- makes the topics that are missing on a real Kafka. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "bus/kafka.h"
#include "bus/kafka_private.h"

static bool topic_make(struct kafka *k, const char *full, const struct bus_topic *t, int replication, int timeout_ms, struct err *e)
{
	char retention[24];
	struct event_bytes settings[3] = {{.name = "cleanup.policy", .data = t->cleanup}, {.name = "compression.type", .data = "producer"}};
	size_t n = 2;
	if (t->retention_ms > 0) {
		snprintf(retention, sizeof(retention), "%" PRId64, t->retention_ms);
		settings[n++] = (struct event_bytes){.name = "retention.ms", .data = retention};
	}
	int made = kafka_topic_create(k, full, t->partitions, replication, settings, n, timeout_ms, e);
	if (made > 0)
		log_info("topic %s made with %d partitions, %s", full, t->partitions, t->cleanup);
	return made >= 0;
}

static bool topic_ensure(struct kafka *k, const struct bus_topic *t, int replication, int timeout_ms, struct err *e)
{
	char full[EVENT_TEXT_MAX + 1];
	snprintf(full, sizeof(full), TOPIC_PREFIX "%s", t->name);
	int partitions = kafka_partitions(k, full, timeout_ms, e);
	if (partitions < 0)
		return false;
	if (partitions == 0)
		return topic_make(k, full, t, replication, timeout_ms, e);
	if (partitions != t->partitions)
		log_warn("topic %s has %d partitions, not %d; it stays so, because changing it would move keys", full, partitions,
		        t->partitions);
	return true;
}

bool kafka_topics_ensure(const char *brokers, const struct bus_topic *topics, size_t n, int replication, int timeout_ms, struct err *e)
{
	if (!kafka_brokers_check(brokers, e))
		return false;
	struct kafka *k = kafka_consumer_open(brokers, e);
	if (!k)
		return false;
	int64_t deadline = clock_mono_ms() + timeout_ms;
	bool ok = true;
	for (size_t i = 0; ok && i < n; i++) {
		int64_t left = deadline - clock_mono_ms();
		ok = topic_ensure(k, &topics[i], replication, left > 1 ? (int)left : 1, e);
	}
	kafka_close(&k);
	return ok;
}
