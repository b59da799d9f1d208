/* kafka.c -- the door to librdkafka: clients, records, messages, topics and the mock cluster, in plain words. */
#include "bus/kafka.h"

#include <errno.h>
#include <string.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define HEADERS_MAX 32 /* of a message; more are not looked at */

struct setting {
	const char *name, *value;
};

struct kafka {
	rd_kafka_t *rk;
	struct kafka_reports reports; /* producer */
	bool closing;
	bool down;     /* librdkafka said that no broker answers, and nothing came through since */
	char why[256]; /* its last word on a connection */

	rd_kafka_queue_t *queue;   /* consumer: all partitions end here */
	rd_kafka_topic_t **topics; /* every topic that was used */
	size_t n_topics;
	rd_kafka_message_t *message; /* the last one received */
	struct event_bytes headers[HEADERS_MAX];
};

/* For all clients. Connections are retried fast, since the broker of one machine comes back within seconds. */
static const struct setting common_settings[] = {
        {"client.id", "barque"},
        {"log.queue", "true"},
        {"log.connection.close", "false"},
        {"reconnect.backoff.ms", "50"},
        {"reconnect.backoff.max.ms", "1000"},
        {"socket.timeout.ms", "10000"},
        {"socket.keepalive.enable", "true"},
        {"socket.nagle.disable", "true"},
        {"topic.metadata.refresh.interval.ms", "10000"},
};

/* No doubles while the producer lives: idempotence. That alone keeps no order, see kafka_bus.c: a broker takes the first batch that it
 * sees of a producer as the first, also when the one before it was refused. So only kafka_flush sends, linger.ms keeps all else back until
 * almost the end, and what was handed over between two calls of it, if it is less than KAFKA_BATCH_BYTES, goes to each partition in one batch.
 * A record that is not stored within message.timeout.ms is given up; that is shorter than the relay's lease, so that a relay which lost
 * it does not go on sending. */
static const struct setting producer_settings[] = {
        {"enable.idempotence", "true"},
        {"enable.gapless.guarantee", "true"},
        {"acks", "all"},
        {"compression.codec", "lz4"},
        {"linger.ms", "19000"},
        {"batch.size", "1000000"},
        {"batch.num.messages", "10000"},
        {"partitioner", "murmur2_random"},
        {"message.timeout.ms", "20000"},
        {"request.timeout.ms", "10000"},
        {"retry.backoff.ms", "100"},
        {"topic.metadata.propagation.max.ms", "5000"},
        {"queue.buffering.max.messages", "10000"},
};

/* earliest: where the wanted offset is gone, the oldest that is left loses least. */
static const struct setting consumer_settings[] = {
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", "earliest"},
        {"fetch.wait.max.ms", "100"},
        {"fetch.error.backoff.ms", "200"},
        {"queued.max.messages.kbytes", "16384"},
        {"check.crcs", "true"},
};

bool kafka_brokers_check(const char *brokers, struct err *e)
{
	const char *wrong = "KAFKA_BROKERS is host:port, or several of them with commas, not";
	for (const char *p = brokers;; p++) {
		size_t len = strcspn(p, ",");
		const char *colon = memrchr(p, ':', len);
		char port[6];
		int64_t number;
		if (!colon || colon == p || !str_copy_n(port, sizeof(port), colon + 1, (size_t)(p + len - colon - 1)) ||
		        !str_int(port, 1, 65535, &number))
			return err_set(e, ERR_INVALID, "%s \"%.200s\"", wrong, brokers);
		for (const char *c = p; c < colon; c++)
			if (*c <= ' ' || *c > '~' || *c == '/')
				return err_set(e, ERR_INVALID, "%s \"%.200s\"", wrong, brokers);
		p += len;
		if (!*p)
			return true;
	}
}

/* ---- what librdkafka tells us --------------------------------------------------------------------------------- */

static enum err_code code_of(rd_kafka_resp_err_t err)
{
	static const struct {
		rd_kafka_resp_err_t err;
		enum err_code code;
	} table[] = {
	        {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, ERR_INVALID},
	        {RD_KAFKA_RESP_ERR_INVALID_MSG, ERR_INVALID},
	        {RD_KAFKA_RESP_ERR_INVALID_RECORD, ERR_INVALID},
	        {RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, ERR_INVALID},
	        {RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, ERR_INVALID},
	        {RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR, ERR_INVALID},
	        {RD_KAFKA_RESP_ERR_INVALID_CONFIG, ERR_INVALID},
	        {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, ERR_DENIED},
	        {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, ERR_DENIED},
	        {RD_KAFKA_RESP_ERR_POLICY_VIOLATION, ERR_DENIED},
	        {RD_KAFKA_RESP_ERR__AUTHENTICATION, ERR_DENIED},
	        {RD_KAFKA_RESP_ERR__BAD_MSG, ERR_CORRUPT},
	        {RD_KAFKA_RESP_ERR__QUEUE_FULL, ERR_FULL},
	        {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, ERR_TIMEOUT},
	        {RD_KAFKA_RESP_ERR__TIMED_OUT, ERR_TIMEOUT},
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].err == err)
			return table[i].code;
	return ERR_UNAVAILABLE;
}

/* Troubles of connections and the end of a producer come to the caller as errors, so they are not logged a second time; CONFWARN says that
 * enable.gapless.guarantee is experimental, which we know. */
static enum log_level log_level_of_severity(int severity, const char *facility)
{
	bool is_known = str_eq(facility, "FAIL") || str_eq(facility, "ERROR") || str_eq(facility, "FATAL") ||
	                str_eq(facility, "CONFWARN") || severity >= 5;
	return is_known ? LOG_DEBUG : severity <= 2 ? LOG_ERROR : LOG_WARN;
}

static void on_log(const rd_kafka_t *rk, int severity, const char *facility, const char *text)
{
	UNUSED(rk);
	log_at(log_level_of_severity(severity, facility), "librdkafka %s: %s", facility, text);
}

static void on_error(rd_kafka_t *rk, int err, const char *reason, void *user)
{
	UNUSED(rk);
	struct kafka *k = user;
	if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
		k->down = true;
	else if (!str_copy(k->why, sizeof(k->why), reason))
		snprintf(k->why, sizeof(k->why), "%.200s", reason);
}

static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *user)
{
	UNUSED(rk);
	struct kafka *k = user;
	size_t tag = (size_t)(uintptr_t)message->_private;
	if (!message->err)
		k->down = false;
	if (k->closing)
		return;
	struct err failure;
	if (message->err)
		err_set(&failure, code_of(message->err), "Kafka did not store an event of %s: %s", rd_kafka_topic_name(message->rkt),
		        rd_kafka_err2str(message->err));
	k->reports.report(k->reports.user, tag, message->err ? &failure : NULL);
}

bool kafka_is_down(const struct kafka *k, struct err *e)
{
	if (k->down)
		err_set(e, ERR_UNAVAILABLE, "no Kafka broker answers: %s", k->why[0] ? k->why : "all are down");
	return k->down;
}

bool kafka_is_broken(struct kafka *k, struct err *e)
{
	char why[256];
	rd_kafka_resp_err_t err = rd_kafka_fatal_error(k->rk, why, sizeof(why));
	if (err)
		err_set(e, ERR_UNAVAILABLE, "the Kafka producer gave up: %s", why);
	return err != RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* ---- clients -------------------------------------------------------------------------------------------------- */

static bool settings_put(rd_kafka_conf_t *conf, const struct setting *settings, size_t n, struct err *e)
{
	char why[256];
	for (size_t i = 0; i < n; i++)
		if (rd_kafka_conf_set(conf, settings[i].name, settings[i].value, why, sizeof(why)) != RD_KAFKA_CONF_OK)
			return err_set(e, ERR_INTERNAL, "librdkafka refuses the setting %s: %s", settings[i].name, why);
	return true;
}

static struct kafka *client_open(rd_kafka_type_t type, const char *brokers, const struct setting *settings, size_t n, struct err *e)
{
	struct kafka *k = mem_new(sizeof(*k));
	const struct setting address = {"bootstrap.servers", brokers};
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_conf_set_opaque(conf, k);
	rd_kafka_conf_set_log_cb(conf, on_log);
	rd_kafka_conf_set_error_cb(conf, on_error);
	if (type == RD_KAFKA_PRODUCER)
		rd_kafka_conf_set_dr_msg_cb(conf, on_report);
	if (!settings_put(conf, common_settings, ARRAY_LEN(common_settings), e) || !settings_put(conf, settings, n, e) ||
	        !settings_put(conf, &address, 1, e))
		goto fail;
	char why[256];
	k->rk = rd_kafka_new(type, conf, why, sizeof(why));
	if (!k->rk) {
		err_set(e, ERR_INVALID, "no Kafka client could be made: %s", why);
		goto fail;
	}
	rd_kafka_set_log_queue(k->rk, NULL);
	return k;
fail:
	rd_kafka_conf_destroy(conf);
	mem_free(&k);
	return NULL;
}

struct kafka *kafka_producer_open(const char *brokers, const struct kafka_reports *reports, struct err *e)
{
	struct kafka *k = client_open(RD_KAFKA_PRODUCER, brokers, producer_settings, ARRAY_LEN(producer_settings), e);
	if (k)
		k->reports = *reports;
	return k;
}

struct kafka *kafka_consumer_open(const char *brokers, struct err *e)
{
	struct kafka *k = client_open(RD_KAFKA_CONSUMER, brokers, consumer_settings, ARRAY_LEN(consumer_settings), e);
	if (k)
		k->queue = rd_kafka_queue_new(k->rk);
	return k;
}

static void message_drop(struct kafka *k)
{
	if (k->message)
		rd_kafka_message_destroy(k->message);
	k->message = NULL;
}

void kafka_close(struct kafka **k)
{
	if (!*k)
		return;
	struct kafka *c = *k;
	c->closing = true;
	message_drop(c);
	if (rd_kafka_type(c->rk) == RD_KAFKA_PRODUCER)
		rd_kafka_purge(c->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
	for (size_t i = 0; i < c->n_topics; i++)
		rd_kafka_topic_destroy(c->topics[i]);
	mem_free(&c->topics);
	if (c->queue)
		rd_kafka_queue_destroy(c->queue);
	rd_kafka_destroy_flags(c->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	mem_free(k);
}

void kafka_flush(struct kafka *k, int timeout_ms)
{
	rd_kafka_flush(k->rk, timeout_ms);
	rd_kafka_poll(k->rk, 0); /* flush serves no report when it may not wait */
}

/* Made once and kept: only the making of a topic object asks the broker at once where the topic is, while a record that is sent to a
 * mere name waits for the next look round, up to a second later. */
static rd_kafka_topic_t *topic_of(struct kafka *k, const char *name, struct err *e)
{
	for (size_t i = 0; i < k->n_topics; i++)
		if (str_eq(rd_kafka_topic_name(k->topics[i]), name))
			return k->topics[i];
	rd_kafka_topic_t *topic = rd_kafka_topic_new(k->rk, name, NULL);
	if (!topic) {
		err_set(e, ERR_INVALID, "the topic %s cannot be used: %s", name, rd_kafka_err2str(rd_kafka_last_error()));
		return NULL;
	}
	k->topics = mem_grow(k->topics, k->n_topics, k->n_topics + 1, sizeof(*k->topics));
	k->topics[k->n_topics++] = topic;
	return topic;
}

/* ---- sending -------------------------------------------------------------------------------------------------- */

static rd_kafka_headers_t *headers_new(const struct event_bytes *headers, size_t n)
{
	rd_kafka_headers_t *list = rd_kafka_headers_new(n);
	for (size_t i = 0; i < n; i++)
		rd_kafka_header_add(list, headers[i].name, -1, headers[i].data, (ssize_t)headers[i].len);
	return list;
}

bool kafka_send(struct kafka *k, const char *topic, const struct event_bytes *key, const struct event_bytes *value,
        const struct event_bytes *headers, size_t n_headers, size_t tag, struct err *e)
{
	rd_kafka_topic_t *t = topic_of(k, topic, e);
	if (!t)
		return false;
	rd_kafka_headers_t *list = headers_new(headers, n_headers);
	rd_kafka_vu_t record[] = {
	        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = t},
	        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
	        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)(uintptr_t)key->data, key->len}},
	        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)(uintptr_t)value->data, value->len}},
	        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = list},
	        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = (void *)(uintptr_t)tag},
	};
	rd_kafka_error_t *error = rd_kafka_produceva(k->rk, record, ARRAY_LEN(record));
	if (!error)
		return true; /* the headers are librdkafka's now */
	err_set(e, code_of(rd_kafka_error_code(error)), "the event cannot be handed to Kafka's %s: %s", topic,
	        rd_kafka_error_string(error));
	rd_kafka_error_destroy(error);
	rd_kafka_headers_destroy(list);
	return false;
}

/* ---- reading -------------------------------------------------------------------------------------------------- */

int kafka_partitions(struct kafka *k, const char *topic, int timeout_ms, struct err *e)
{
	const struct rd_kafka_metadata *metadata;
	rd_kafka_topic_t *t = topic_of(k, topic, e);
	if (!t)
		return -1;
	rd_kafka_resp_err_t err = rd_kafka_metadata(k->rk, 0, t, &metadata, timeout_ms);
	rd_kafka_poll(k->rk, 0); /* so that kafka_is_down knows */
	if (err)
		return kafka_is_down(k, e)
		               ? -1
		               : err_fail(e, ERR_UNAVAILABLE, "Kafka does not tell of the topic %s: %s", topic, rd_kafka_err2str(err));
	k->down = false;
	int count = 0;
	if (metadata->topic_cnt == 1) {
		err = metadata->topics[0].err;
		count = metadata->topics[0].partition_cnt;
	}
	rd_kafka_metadata_destroy(metadata);
	if (err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
		return 0;
	return err ? err_fail(e, code_of(err), "the topic %s cannot be read: %s", topic, rd_kafka_err2str(err)) : count;
}

bool kafka_end(struct kafka *k, const char *topic, int32_t partition, int timeout_ms, int64_t *end_out, struct err *e)
{
	/* Not rd_kafka_query_watermark_offsets: where the broker dies under it, it waits on, whatever its timeout says. The time -1
	 * means the end in Kafka's protocol. */
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_t *one = rd_kafka_topic_partition_list_add(list, topic, partition);
	one->offset = RD_KAFKA_OFFSET_END;
	rd_kafka_resp_err_t err = rd_kafka_offsets_for_times(k->rk, list, timeout_ms);
	if (!err)
		err = one->err;
	*end_out = one->offset;
	rd_kafka_topic_partition_list_destroy(list);
	if (!err && *end_out < 0)
		err = RD_KAFKA_RESP_ERR__TIMED_OUT;
	if (err)
		return err_set(e, code_of(err), "the end of %s [%d] is not known: %s", topic, (int)partition, rd_kafka_err2str(err));
	return true;
}

bool kafka_start(struct kafka *k, const char *topic, int32_t partition, int64_t offset, struct err *e)
{
	rd_kafka_topic_t *t = topic_of(k, topic, e);
	if (!t)
		return false;
	if (rd_kafka_consume_start_queue(t, partition, offset == KAFKA_BEGINNING ? RD_KAFKA_OFFSET_BEGINNING : offset, k->queue) != 0)
		return err_set(
		        e, ERR_UNAVAILABLE, "%s [%d] cannot be read: %s", topic, (int)partition, rd_kafka_err2str(rd_kafka_last_error()));
	return true;
}

void kafka_stop(struct kafka *k, const char *topic, int32_t partition)
{
	struct err e;
	rd_kafka_topic_t *t = topic_of(k, topic, &e);
	if (t && rd_kafka_consume_stop(t, partition) != 0)
		log_warn("%s [%d] cannot be left: %s", topic, (int)partition, rd_kafka_err2str(rd_kafka_last_error()));
}

void kafka_cluster(struct kafka *k, char *out, size_t size)
{
	char *id = rd_kafka_clusterid(k->rk, 0);
	snprintf(out, size, "%s", id ? id : "");
	if (id)
		rd_kafka_mem_free(k->rk, id);
}

static size_t headers_of(struct kafka *k)
{
	rd_kafka_headers_t *list;
	const void *data;
	size_t n = 0;
	if (rd_kafka_message_headers(k->message, &list) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return 0;
	while (n < HEADERS_MAX &&
	        rd_kafka_header_get_all(list, n, &k->headers[n].name, &data, &k->headers[n].len) == RD_KAFKA_RESP_ERR_NO_ERROR)
		k->headers[n++].data = data;
	return n;
}

static void wire_fill(struct kafka *k, struct event_wire *out)
{
	const rd_kafka_message_t *m = k->message;
	rd_kafka_timestamp_type_t type;
	memset(out, 0, sizeof(*out));
	out->topic = rd_kafka_topic_name(m->rkt);
	out->partition = m->partition;
	out->offset = m->offset;
	out->time_ms = rd_kafka_message_timestamp(m, &type);
	out->key = (struct event_bytes){.data = m->key, .len = m->key_len};
	out->value = (struct event_bytes){.data = m->payload, .len = m->len};
	out->headers = k->headers;
	out->n_headers = headers_of(k);
}

int kafka_receive(struct kafka *k, int timeout_ms, struct event_wire *out, struct err *e)
{
	message_drop(k);
	rd_kafka_poll(k->rk, 0); /* troubles and log lines; messages come by the queue */
	k->message = rd_kafka_consume_queue(k->queue, timeout_ms);
	if (!k->message)
		return 0;
	rd_kafka_resp_err_t err = k->message->err;
	if (err)
		return err_fail(e, code_of(err), "reading %s: %s", k->message->rkt ? rd_kafka_topic_name(k->message->rkt) : "Kafka",
		        rd_kafka_message_errstr(k->message));
	k->down = false;
	wire_fill(k, out);
	return 1;
}

/* ---- topics --------------------------------------------------------------------------------------------------- */

static int create_result(rd_kafka_event_t *event, const char *topic, struct err *e)
{
	if (!event)
		return err_fail(e, ERR_TIMEOUT, "Kafka did not answer whether it made the topic %s", topic);
	if (rd_kafka_event_error(event))
		return err_fail(e, code_of(rd_kafka_event_error(event)), "the topic %s cannot be made: %s", topic,
		        rd_kafka_event_error_string(event));
	size_t n;
	const rd_kafka_topic_result_t **results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
	rd_kafka_resp_err_t err = n == 1 ? rd_kafka_topic_result_error(results[0]) : RD_KAFKA_RESP_ERR_UNKNOWN;
	if (err == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
		return 0;
	if (err)
		return err_fail(e, code_of(err), "the topic %s cannot be made: %s", topic, rd_kafka_err2str(err));
	return 1;
}

static int create_wait(struct kafka *k, rd_kafka_NewTopic_t *t, const char *topic, int timeout_ms, struct err *e)
{
	char why[256];
	rd_kafka_queue_t *answers = rd_kafka_queue_new(k->rk);
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(k->rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
	int result = -1;
	if (rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, why, sizeof(why)) != RD_KAFKA_RESP_ERR_NO_ERROR) {
		err_set(e, ERR_INVALID, "%d ms is no right timeout: %s", timeout_ms, why);
		goto out;
	}
	rd_kafka_CreateTopics(k->rk, &t, 1, options, answers);
	rd_kafka_event_t *event = rd_kafka_queue_poll(answers, timeout_ms + 1000);
	result = create_result(event, topic, e);
	if (event)
		rd_kafka_event_destroy(event);
out:
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_queue_destroy(answers);
	return result;
}

int kafka_topic_create(struct kafka *k, const char *topic, int partitions, int replication, const struct event_bytes *settings,
        size_t n_settings, int timeout_ms, struct err *e)
{
	char why[256];
	rd_kafka_NewTopic_t *t = rd_kafka_NewTopic_new(topic, partitions, replication < 1 ? -1 : replication, why, sizeof(why));
	if (!t)
		return err_fail(e, ERR_INVALID, "the topic %s cannot be made: %s", topic, why);
	int result = -1;
	for (size_t i = 0; i < n_settings; i++)
		if (rd_kafka_NewTopic_set_config(t, settings[i].name, settings[i].data) != RD_KAFKA_RESP_ERR_NO_ERROR) {
			err_set(e, ERR_INVALID, "the topic %s cannot have the setting %s", topic, settings[i].name);
			goto out;
		}
	result = create_wait(k, t, topic, timeout_ms, e);
out:
	rd_kafka_NewTopic_destroy(t);
	return result;
}

/* ---- the mock cluster ----------------------------------------------------------------------------------------- */

struct kafka_mock {
	rd_kafka_t *rk; /* only carries the cluster */
	rd_kafka_mock_cluster_t *cluster;
};

struct kafka_mock *kafka_mock_open(int brokers, struct err *e)
{
	char why[256];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_conf_set_log_cb(conf, on_log);
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	if (!rk) {
		rd_kafka_conf_destroy(conf);
		err_set(e, ERR_INTERNAL, "the development broker cannot be made: %s", why);
		return NULL;
	}
	rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(rk, brokers);
	if (!cluster) {
		rd_kafka_destroy(rk);
		err_set(e, ERR_IO, "the development broker cannot listen on 127.0.0.1: %s", strerror(errno));
		return NULL;
	}
	struct kafka_mock *m = mem_new(sizeof(*m));
	m->rk = rk;
	m->cluster = cluster;
	return m;
}

const char *kafka_mock_address(const struct kafka_mock *m)
{
	return rd_kafka_mock_cluster_bootstraps(m->cluster);
}

bool kafka_mock_topic(struct kafka_mock *m, const char *topic, int partitions, struct err *e)
{
	rd_kafka_resp_err_t err = rd_kafka_mock_topic_create(m->cluster, topic, partitions, 1);
	if (err && err != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
		return err_set(e, ERR_INVALID, "the development broker cannot make the topic %s with %d partitions: %s", topic, partitions,
		        rd_kafka_err2str(err));
	return true;
}

void kafka_mock_cut(struct kafka_mock *m, bool cut)
{
	rd_kafka_resp_err_t err = cut ? rd_kafka_mock_broker_set_down(m->cluster, -1) : rd_kafka_mock_broker_set_up(m->cluster, -1);
	if (err)
		log_error("the development broker cannot be %s: %s", cut ? "cut off" : "brought back", rd_kafka_err2str(err));
}

void kafka_mock_refuse(struct kafka_mock *m, int times)
{
	enum { PRODUCE = 0 }; /* Kafka's number of that request */
	for (int i = 0; i < times; i++)
		rd_kafka_mock_push_request_errors(m->cluster, PRODUCE, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
}

void kafka_mock_slow(struct kafka_mock *m, int delay_ms)
{
	rd_kafka_resp_err_t err = rd_kafka_mock_broker_set_rtt(m->cluster, -1, delay_ms);
	if (err)
		log_error("the development broker cannot be slowed down: %s", rd_kafka_err2str(err));
}

void kafka_mock_close(struct kafka_mock **m)
{
	if (!*m)
		return;
	rd_kafka_mock_cluster_destroy((*m)->cluster);
	rd_kafka_destroy((*m)->rk);
	mem_free(m);
}
