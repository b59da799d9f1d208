/* bus.h -- the door to Kafka: publish events in order, subscribe to them, and the development broker. Drivers: kafka, memory:
 *
 * Events are CloudEvents 1.0 in binary mode: the value is the data (JSON), the attributes are headers ce_id, ce_source,
 * ce_type, ce_subject, ce_time, ce_specversion, content-type. Key = exchange|symbol|interval, so order holds per series.
 * docs/events.md lists topics and types. A topic's real name is TOPIC_PREFIX + its short name ("barque.kline.changes").
 * brokers: "host:port,..." for Kafka, "memory:NAME" for the driver of tests (one process).
 */
#ifndef BUS_BUS_H
#define BUS_BUS_H

#include "base/base.h"
#include "base/err.h"

#define TOPIC_PREFIX "barque."
#define EVENT_SOURCE "/barque"

struct event {
	const char *topic; /* short name */
	const char *key;
	const char *id, *type, *source, *subject;
	int64_t time_ms;
	const char *data;  /* JSON text; NUL-terminated; checked when received */
	int32_t partition; /* filled when received */
	int64_t offset;    /* filled when received */
};

/* ---- publishing */
struct bus;
struct bus *bus_open(const char *brokers, struct err *e) MUST_CHECK; /* does not wait for a broker */
void bus_close(struct bus **b);
/* Send events[n] in order, idempotently, and wait until all are confirmed or timeout_ms is over. Returns how many of the first
 * events are confirmed (n: all; fewer: e says why; those may still arrive: send again from there, consumers know by id). */
size_t bus_publish(struct bus *b, const struct event *events, size_t n, int timeout_ms, struct err *e) MUST_CHECK;
/* What bus_publish could not confirm in time stays under way: publishing the same events again (same topics and ids, same
 * order) waits for those and sends none twice. Publishing anything else, or bus_forget, gives them up first. */
void bus_forget(struct bus *b);

/* ---- subscribing: all partitions of the topics, no group, from the end ("latest") or the beginning */
struct subscriber;
struct subscriber *subscriber_open(
        const char *brokers, const char *const *topics, size_t n_topics, bool from_beginning, struct err *e) MUST_CHECK;
/* 1: one event (its texts live until the next call); 0: none within timeout_ms; -1: trouble, told once; it goes on by itself
 * when called again. New partitions and broker restarts are followed. */
int subscriber_next(struct subscriber *s, int timeout_ms, struct event *out, struct err *e) MUST_CHECK;
bool subscriber_ready(struct subscriber *s, int timeout_ms, struct err *e) MUST_CHECK; /* positions fixed: nothing after this is missed */
void subscriber_close(struct subscriber **s);

/* ---- topics */
struct bus_topic {
	const char *name; /* short name */
	int partitions;
	const char *cleanup;  /* "delete" or "compact" */
	int64_t retention_ms; /* with "delete"; 0: the broker's default */
};
/* Create those that are missing (replication < 1: the broker's default). What exists stays as it is, also when its number of
 * partitions differs: changing it would move keys. */
bool bus_topics_ensure(
        const char *brokers, const struct bus_topic *topics, size_t n, int replication, int timeout_ms, struct err *e) MUST_CHECK;

/* ---- types of events: events.def */
struct event_type {
	const char *name, *topic;
	const char *state_topic; /* compacted topic that keeps the newest one of each key; "": none */
	const char *help;
};
const struct event_type *event_type_of(const char *name); /* NULL: no such type */
const struct event_type *event_type_at(size_t i);         /* NULL after the last */

/* ---- the development broker: librdkafka's mock cluster in this process */
struct devbroker;
/* It starts with the topics of events.def, each with so many partitions; others appear when first used, with 4. */
struct devbroker *devbroker_open(int brokers, int partitions, struct err *e) MUST_CHECK;
bool devbroker_topic(struct devbroker *d, const char *name, int partitions, struct err *e) MUST_CHECK; /* one more topic */
/* Cut all connections and refuse new ones, until called with false: an outage that loses nothing. */
void devbroker_cut(struct devbroker *d, bool cut);
void devbroker_refuse(struct devbroker *d, int times);    /* the next requests to store something: "you may not" */
void devbroker_slow(struct devbroker *d, int delay_ms);   /* every answer comes so much later */
const char *devbroker_address(const struct devbroker *d); /* host:port,... */
void devbroker_close(struct devbroker **d);

#endif
