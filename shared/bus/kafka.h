/* kafka.h -- private to shared/bus: a plain face of librdkafka, because kafka.c alone may include its headers.
 *
 * A handle belongs to one thread. librdkafka's own threads never call us: its reports, troubles and log lines are served inside
 * kafka_flush and kafka_receive. A handle does not survive fork().
 */
#ifndef BUS_KAFKA_H
#define BUS_KAFKA_H

#include "base/base.h"
#include "base/err.h"
#include "bus/event.h"

struct kafka;

/* "host:port,host:port": true if it reads like that. */
bool kafka_brokers_check(const char *brokers, struct err *e) MUST_CHECK;

/* ---- sending: an idempotent producer with acks=all. report is called for each record handed over, stored (failure NULL) or not. */
struct kafka_reports {
	void (*report)(void *user, size_t tag, const struct err *failure);
	void *user;
};
struct kafka *kafka_producer_open(const char *brokers, const struct kafka_reports *reports, struct err *e) MUST_CHECK;
#define KAFKA_BATCH_BYTES 900000 /* of records, all told */
#define KAFKA_BATCH_MAX   10000  /* records */
/* Hand over one record, copied. ERR_FULL: flush, then try again. */
bool kafka_send(struct kafka *k, const char *topic, const struct event_bytes *key, const struct event_bytes *value,
        const struct event_bytes *headers, size_t n_headers, size_t tag, struct err *e) MUST_CHECK;
/* Send what was handed over, and call report, until all was reported or the time is over. Between calls nothing new is sent. */
void kafka_flush(struct kafka *k, int timeout_ms);
/* Is the producer beyond repair (it must be closed and opened anew)? e says why. */
bool kafka_is_broken(struct kafka *k, struct err *e) MUST_CHECK;
/* Did no broker answer when last tried? e says why. */
bool kafka_is_down(const struct kafka *k, struct err *e) MUST_CHECK;
void kafka_close(struct kafka **k); /* gives up what is not confirmed; no report is called any more */

/* ---- reading: single partitions at absolute offsets, without a consumer group */
struct kafka *kafka_consumer_open(const char *brokers, struct err *e) MUST_CHECK;
int kafka_partitions(struct kafka *k, const char *topic, int timeout_ms, struct err *e) MUST_CHECK; /* 0: no such topic; -1 */
bool kafka_end(struct kafka *k, const char *topic, int32_t partition, int timeout_ms, int64_t *end_out, struct err *e) MUST_CHECK;
#define KAFKA_BEGINNING (-2) /* the oldest that is still kept */
bool kafka_start(struct kafka *k, const char *topic, int32_t partition, int64_t offset, struct err *e) MUST_CHECK;
void kafka_stop(struct kafka *k, const char *topic, int32_t partition);
/* The id of the cluster, as it last told of itself; "" while it is not known. It changes when a broker lost all it had. */
void kafka_cluster(struct kafka *k, char *out, size_t size);
/* 1: a message, whose bytes live until the next call; 0: none; -1: trouble (it goes on by itself). */
int kafka_receive(struct kafka *k, int timeout_ms, struct event_wire *out, struct err *e) MUST_CHECK;

/* ---- topics: 1 made, 0 it was there, -1 failed */
int kafka_topic_create(struct kafka *k, const char *topic, int partitions, int replication, const struct event_bytes *settings,
        size_t n_settings, int timeout_ms, struct err *e) MUST_CHECK;

/* ---- the mock cluster */
struct kafka_mock;
struct kafka_mock *kafka_mock_open(int brokers, struct err *e) MUST_CHECK;
const char *kafka_mock_address(const struct kafka_mock *m);
bool kafka_mock_topic(struct kafka_mock *m, const char *topic, int partitions, struct err *e) MUST_CHECK; /* true if it exists already */
void kafka_mock_cut(struct kafka_mock *m, bool cut);
void kafka_mock_refuse(struct kafka_mock *m, int times);
void kafka_mock_slow(struct kafka_mock *m, int delay_ms);
void kafka_mock_close(struct kafka_mock **m);

#endif
