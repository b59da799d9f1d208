/* bus_suite.h -- the contract of the bus: what every driver does. Included once by the test of each driver, which says where the bus is.
 *
 * The including file defines, before including:
 *     static const char *suite_brokers(void);                        address; starts what is needed when first called
 *     static void suite_topic_make(const char *name, int partitions); make a topic that does not exist yet
 */
#ifndef TESTS_CONTRACT_BUS_SUITE_H
#define TESTS_CONTRACT_BUS_SUITE_H

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bus/bus.h"
#include "tests/lib/test.h"

#define SUITE_WAIT_MS 20000 /* for what must happen; only a failing test waits so long */
#define SUITE_KEYS    3

/* A name that no other test or run uses: a real broker remembers them all. */
static const char *suite_name(const char *base)
{
	static char names[8][80];
	static unsigned count;
	char *name = names[count % ARRAY_LEN(names)];
	snprintf(name, sizeof(names[0]), "test.%lld.%d.%u.%s", (long long)clock_now_ms(), (int)getpid(), count++, base);
	return name;
}

static const char *suite_topic(const char *base, int partitions)
{
	const char *name = suite_name(base);
	suite_topic_make(name, partitions);
	return name;
}

static struct bus *suite_open(void)
{
	struct err e;
	struct bus *b = bus_open(suite_brokers(), &e);
	ck_ok(b != NULL, &e);
	return b;
}

static struct subscriber *suite_subscribe(const char *topic, bool from_beginning)
{
	struct err e;
	struct subscriber *s = subscriber_open(suite_brokers(), &topic, 1, from_beginning, &e);
	ck_ok(s != NULL, &e);
	ck_ok(subscriber_ready(s, SUITE_WAIT_MS, &e), &e);
	return s;
}

static struct event suite_event(const char *topic, const char *key, const char *id, const char *data)
{
	return (struct event){.topic = topic,
	        .key = key,
	        .id = id,
	        .type = "test.happened.v1",
	        .source = EVENT_SOURCE,
	        .subject = key,
	        .time_ms = 1769938200123,
	        .data = data};
}

static void suite_publish(struct bus *b, const struct event *events, size_t n)
{
	struct err e = {0};
	size_t sent = bus_publish(b, events, n, SUITE_WAIT_MS, &e);
	ck_assert_msg(sent == n, "%zu of %zu events sent: %s", sent, n, e.text);
}

static void suite_publish_one(struct bus *b, const char *topic, const char *key, const char *id)
{
	struct event ev = suite_event(topic, key, id, "{\"n\":1}");
	suite_publish(b, &ev, 1);
}

static struct event suite_next(struct subscriber *s)
{
	struct err e = {0};
	struct event ev;
	int64_t deadline = clock_mono_ms() + SUITE_WAIT_MS;
	int got;
	while ((got = subscriber_next(s, 500, &ev, &e)) == 0 && clock_mono_ms() < deadline)
		continue;
	ck_assert_msg(got == 1, "no event came: %s", got < 0 ? e.text : "time is over");
	return ev;
}

static void suite_expect(struct subscriber *s, const char *id)
{
	struct event ev = suite_next(s);
	ck_assert_str_eq(ev.id, id);
}

static void suite_expect_none(struct subscriber *s, int timeout_ms)
{
	struct err e;
	struct event ev;
	int64_t began = clock_mono_ms();
	int got = subscriber_next(s, timeout_ms, &ev, &e);
	ck_assert_msg(got == 0, "expected no event, got %d: %s", got, got > 0 ? ev.id : e.text);
	ck_assert_int_ge(clock_mono_ms() - began, timeout_ms - 5);
}

START_TEST(suite_event_comes_back_whole)
{
	const char *topic = suite_topic("whole", 4);
	struct bus *b = suite_open();
	struct subscriber *s = suite_subscribe(topic, false);
	struct event sent =
	        suite_event(topic, "binance|币安人生USDT|1m", "id-Ω", "{\"text\":\"日本 \\\" \\u0001\",\"n\":9007199254740993}");
	sent.subject = "subject with spaces";
	suite_publish(b, &sent, 1);
	struct event got = suite_next(s);
	ck_assert_str_eq(got.topic, topic);
	ck_assert_str_eq(got.key, sent.key);
	ck_assert_str_eq(got.id, sent.id);
	ck_assert_str_eq(got.type, sent.type);
	ck_assert_str_eq(got.source, sent.source);
	ck_assert_str_eq(got.subject, sent.subject);
	ck_assert_str_eq(got.data, sent.data);
	ck_assert_int_eq(got.time_ms, sent.time_ms);
	ck_assert_int_ge(got.partition, 0);
	ck_assert_int_eq(got.offset, 0);
	subscriber_close(&s);
	bus_close(&b);
	ck_assert_ptr_null(b);
}
END_TEST

/* Event i of the whole has key i % SUITE_KEYS; its number is in its id. */
static void suite_publish_numbered(struct bus *b, const char *topic, int first, int count)
{
	struct arena *a = arena_open();
	struct event *events = arena_array(a, (size_t)count, sizeof(*events));
	for (int i = 0; i < count; i++)
		events[i] = suite_event(topic, arena_printf(a, "binance|S%dUSDT|1m", (first + i) % SUITE_KEYS),
		        arena_printf(a, "%d", first + i), arena_printf(a, "{\"n\":%d,\"filling\":\"%0200d\"}", first + i, 0));
	suite_publish(b, events, (size_t)count);
	arena_close(&a);
}

/* Every number once, each key's numbers in order and all in one partition. */
static void suite_expect_numbered(struct subscriber *s, int count)
{
	int64_t last[SUITE_KEYS] = {-1, -1, -1};
	int32_t partition[SUITE_KEYS] = {-1, -1, -1};
	for (int i = 0; i < count; i++) {
		int64_t number;
		struct event ev = suite_next(s);
		ck_assert(str_int(ev.id, 0, count - 1, &number));
		int key = (int)(number % SUITE_KEYS);
		ck_assert_int_eq(number, last[key] < 0 ? key : last[key] + SUITE_KEYS);
		ck_assert(partition[key] < 0 || partition[key] == ev.partition);
		last[key] = number;
		partition[key] = ev.partition;
	}
}

START_TEST(suite_order_holds_per_key)
{
	const char *topic = suite_topic("order", 4);
	struct bus *b = suite_open();
	suite_publish_numbered(b, topic, 0, 600);
	for (int i = 600; i < 660; i += 20)
		suite_publish_numbered(b, topic, i, 20);
	struct subscriber *s = suite_subscribe(topic, true);
	suite_expect_numbered(s, 660);
	suite_expect_none(s, 300);
	subscriber_close(&s);
	bus_close(&b);
}
END_TEST

START_TEST(suite_many_in_one_call)
{
	enum { COUNT = 12000 }; /* more than the producer holds at once */
	const char *topic = suite_topic("many", 4);
	struct bus *b = suite_open();
	struct subscriber *s = suite_subscribe(topic, false);
	suite_publish_numbered(b, topic, 0, COUNT);
	suite_expect_numbered(s, COUNT);
	suite_expect_none(s, 300);
	subscriber_close(&s);
	bus_close(&b);
}
END_TEST

START_TEST(suite_latest_begins_when_ready)
{
	const char *topic = suite_topic("latest", 4);
	struct bus *b = suite_open();
	suite_publish_one(b, topic, "k1", "before");
	struct subscriber *late = suite_subscribe(topic, false);
	struct subscriber *all = suite_subscribe(topic, true);
	suite_publish_one(b, topic, "k1", "after");
	suite_expect(late, "after");
	suite_expect_none(late, 300);
	suite_expect(all, "before");
	suite_expect(all, "after");
	subscriber_close(&late);
	subscriber_close(&all);
	bus_close(&b);
}
END_TEST

/* Ready fixes the position: what comes between ready and the first call is not missed, however long that takes. */
START_TEST(suite_nothing_after_ready_is_missed)
{
	const char *topic = suite_topic("ready", 4);
	struct bus *b = suite_open();
	for (int round = 0; round < 5; round++) {
		struct subscriber *s = suite_subscribe(topic, false);
		suite_publish_one(b, topic, "k1", "one");
		suite_publish_one(b, topic, "k1", "two");
		suite_expect(s, "one");
		suite_expect(s, "two");
		subscriber_close(&s);
	}
	bus_close(&b);
}
END_TEST

START_TEST(suite_every_subscriber_sees_all)
{
	const char *topic = suite_topic("all", 4);
	struct bus *b = suite_open();
	struct subscriber *first = suite_subscribe(topic, false);
	struct subscriber *second = suite_subscribe(topic, false);
	suite_publish_one(b, topic, "k1", "a");
	suite_publish_one(b, topic, "k1", "b");
	suite_expect(first, "a");
	suite_expect(second, "a");
	suite_expect(second, "b");
	suite_expect(first, "b");
	subscriber_close(&first);
	subscriber_close(&second);
	bus_close(&b);
}
END_TEST

START_TEST(suite_topic_may_come_later)
{
	const char *topic = suite_name("later");
	struct subscriber *s = suite_subscribe(topic, false);
	suite_expect_none(s, 100);
	suite_topic_make(topic, 2);
	struct bus *b = suite_open();
	suite_publish_one(b, topic, "k1", "first of all");
	suite_expect(s, "first of all");
	subscriber_close(&s);
	bus_close(&b);
}
END_TEST

START_TEST(suite_two_topics_one_subscriber)
{
	struct err e;
	const char *topics[] = {suite_topic("left", 1), suite_topic("right", 3)};
	const char *other = suite_topic("other", 1);
	struct subscriber *s = subscriber_open(suite_brokers(), topics, 2, false, &e);
	ck_ok(s != NULL, &e);
	ck_ok(subscriber_ready(s, SUITE_WAIT_MS, &e), &e);
	struct bus *b = suite_open();
	suite_publish_one(b, other, "k", "not asked for");
	suite_publish_one(b, topics[0], "k", "l");
	struct event ev = suite_next(s);
	ck_assert_str_eq(ev.topic, topics[0]);
	suite_publish_one(b, topics[1], "k", "r");
	ev = suite_next(s);
	ck_assert_str_eq(ev.topic, topics[1]);
	ck_assert_str_eq(ev.id, "r");
	subscriber_close(&s);
	bus_close(&b);
}
END_TEST

static void suite_refused(struct bus *b, const struct event *bad)
{
	struct err e = {0};
	struct event events[] = {suite_event(bad->topic ? bad->topic : "x", "k", "good", "{}"), *bad};
	if (!bad->topic || strchr(bad->topic, ' '))
		events[0].topic = suite_topic("good", 1);
	ck_assert_uint_eq(bus_publish(b, events, 2, SUITE_WAIT_MS, &e), 1);
	ck_assert_int_eq(e.code, ERR_INVALID);
	ck_assert_uint_gt(strlen(e.text), 10);
}

START_TEST(suite_bad_events_are_refused)
{
	const char *topic = suite_topic("bad", 1);
	struct bus *b = suite_open();
	struct event good = suite_event(topic, "k", "id", "{}");
	char long_text[400] = {0};
	memset(long_text, 'x', sizeof(long_text) - 1);
	struct event bad[12];
	size_t n = 0;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		bad[i] = good;
	bad[n++].key = "";
	bad[n++].key = NULL;
	bad[n++].id = "line\nbreak";
	bad[n++].id = "";
	bad[n++].type = "\xff\xfe";
	bad[n++].source = NULL;
	bad[n++].subject = "\x7f";
	bad[n++].data = "";
	bad[n++].data = NULL;
	bad[n++].key = long_text;
	bad[n++].topic = NULL;
	bad[n++].topic = "two words";
	ck_assert_uint_eq(n, ARRAY_LEN(bad));
	for (size_t i = 0; i < n; i++)
		suite_refused(b, &bad[i]);
	bus_close(&b);
}
END_TEST

/* The bus does not remember what was confirmed: publishing it again is a double, which consumers know by its id. */
START_TEST(suite_confirmed_events_may_be_sent_again)
{
	const char *topic = suite_topic("again", 1);
	struct bus *b = suite_open();
	struct subscriber *s = suite_subscribe(topic, false);
	suite_publish_one(b, topic, "k", "same");
	suite_publish_one(b, topic, "k", "same");
	suite_expect(s, "same");
	suite_expect(s, "same");
	bus_forget(b);
	suite_publish_one(b, topic, "k", "after forgetting");
	suite_expect(s, "after forgetting");
	subscriber_close(&s);
	bus_close(&b);
}
END_TEST

START_TEST(suite_bad_arguments_are_refused)
{
	struct err e = {0};
	const char *bad_topics[] = {"", "two words", "a/b", "é"};
	for (size_t i = 0; i < ARRAY_LEN(bad_topics); i++) {
		e.code = ERR_NONE;
		ck_assert_ptr_null(subscriber_open(suite_brokers(), &bad_topics[i], 1, false, &e));
		ck_assert_int_eq(e.code, ERR_INVALID);
	}
	struct bus *b = NULL;
	struct subscriber *s = NULL;
	bus_close(&b);
	subscriber_close(&s);
	b = suite_open();
	ck_assert_uint_eq(bus_publish(b, NULL, 0, 1000, &e), 0);
	bus_close(&b);
}
END_TEST

#define SUITE_TESTS                                                                                                      \
	suite_event_comes_back_whole, suite_order_holds_per_key, suite_many_in_one_call, suite_latest_begins_when_ready, \
	        suite_nothing_after_ready_is_missed, suite_every_subscriber_sees_all, suite_topic_may_come_later,        \
	        suite_two_topics_one_subscriber, suite_bad_events_are_refused, suite_confirmed_events_may_be_sent_again, \
	        suite_bad_arguments_are_refused

#endif
