/* kafka_private.h -- private to shared/bus: the parts of the Kafka driver that stand in files of their own. As in driver.h. */
#ifndef BUS_KAFKA_PRIVATE_H
#define BUS_KAFKA_PRIVATE_H

#include "bus/bus.h"

/* kafka_subscriber.c */
void *kafka_subscribe(const char *brokers, const char *const *topics, size_t n, bool from_beginning, struct err *e);
int kafka_next(void *impl, int timeout_ms, struct event *out, struct err *e);
bool kafka_ready(void *impl, int timeout_ms, struct err *e);
void kafka_unsubscribe(void *impl);

/* kafka_topics.c */
bool kafka_topics_ensure(const char *brokers, const struct bus_topic *topics, size_t n, int replication, int timeout_ms, struct err *e);

#endif
