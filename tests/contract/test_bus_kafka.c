/* test_bus_kafka.c -- the Kafka driver keeps the contract of the bus, and comes through outages.
 *
 * The contract runs against the development broker, or against a real Kafka when BARQUE_TEST_KAFKA=host:port says where one is.
 * Outages are made with the development broker, in this process (cut, slow) or as the program (killed, started again).
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "bus/bus.h"
#include "bus/kafka.h"
#include "tests/lib/test.h"

static struct devbroker *suite_broker; /* of this test's process; ends with it */

static const char *suite_brokers(void)
{
	struct err e;
	const char *real = getenv("BARQUE_TEST_KAFKA");
	if (real && real[0])
		return real;
	if (!suite_broker)
		suite_broker = devbroker_open(2, 4, &e);
	ck_ok(suite_broker != NULL, &e);
	return devbroker_address(suite_broker);
}

static void suite_topic_make(const char *name, int partitions)
{
	struct err e;
	struct bus_topic topic = {.name = name, .partitions = partitions, .cleanup = "delete"};
	const char *brokers = suite_brokers();
	if (suite_broker)
		ck_ok(devbroker_topic(suite_broker, name, partitions, &e), &e);
	else
		ck_ok(bus_topics_ensure(brokers, &topic, 1, 0, 20000, &e), &e);
}

#include "tests/contract/bus_suite.h"

/* ---- addresses */

START_TEST(bad_addresses_are_refused)
{
	static const char *const bad[] = {"", "host", "host:", ":9092", "host:0", "host:65536", "host:9092,", "host:9092,other",
	        "ho st:9092", "host:9092 ", "http://host:9092", "host:09x"};
	struct err e = {0};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		e.code = ERR_NONE;
		ck_assert_msg(bus_open(bad[i], &e) == NULL, "\"%s\" was taken", bad[i]);
		ck_assert_int_eq(e.code, ERR_INVALID);
	}
	struct bus *b = bus_open("[::1]:9092,kafka-1.example:9092,10.0.0.1:65535", &e);
	ck_ok(b != NULL, &e);
	bus_close(&b);
}
END_TEST

/* ---- nobody there */

static const char *nobody(void)
{
	static char address[32];
	snprintf(address, sizeof(address), "127.0.0.1:%d", test_port());
	return address;
}

START_TEST(without_a_broker_publishing_ends_in_time)
{
	struct err e = {0};
	struct bus *b = bus_open(nobody(), &e);
	struct event ev = suite_event("x", "k", "id", "{}");
	for (int i = 0; i < 3; i++) {
		int64_t began = clock_mono_ms();
		e.code = ERR_NONE;
		ck_assert_uint_eq(bus_publish(b, &ev, 1, 400, &e), 0);
		ck_assert_int_eq(e.code, ERR_UNAVAILABLE);
		ck_assert_int_ge(clock_mono_ms() - began, 395);
		ck_assert_int_le(clock_mono_ms() - began, 3000);
	}
	bus_close(&b);
}
END_TEST

START_TEST(without_a_broker_trouble_is_told_once)
{
	struct err e = {0};
	struct event ev;
	const char *topic = "x";
	struct subscriber *s = subscriber_open(nobody(), &topic, 1, false, &e);
	ck_ok(s != NULL, &e);
	ck_assert(!subscriber_ready(s, 300, &e));
	ck_assert_int_eq(e.code, ERR_UNAVAILABLE);
	int told = 0;
	for (int i = 0; i < 6; i++)
		told += subscriber_next(s, 200, &ev, &e) < 0;
	ck_assert_int_eq(told, 1);
	subscriber_close(&s);
}
END_TEST

/* ---- a broker that is cut off, or slow, and loses nothing */

static struct event *numbered(struct arena *a, const char *topic, int count)
{
	struct event *events = arena_array(a, (size_t)count, sizeof(*events));
	for (int i = 0; i < count; i++)
		events[i] = suite_event(topic, i % 2 ? "odd" : "even", arena_printf(a, "%d", i), "{}");
	return events;
}

/* Every event exactly once, in order per key. */
static void expect_each_once(const char *brokers, const char *topic, int count)
{
	struct err e;
	struct subscriber *s = subscriber_open(brokers, &topic, 1, true, &e);
	ck_ok(s && subscriber_ready(s, SUITE_WAIT_MS, &e), &e);
	int64_t next[2] = {0, 1};
	for (int i = 0; i < count; i++) {
		int64_t number;
		struct event ev = suite_next(s);
		ck_assert(str_int(ev.id, 0, count, &number));
		ck_assert_int_eq(number, next[number % 2]);
		next[number % 2] += 2;
	}
	suite_expect_none(s, 300);
	subscriber_close(&s);
}

START_TEST(after_a_cut_the_rest_goes_out_once)
{
	struct err e = {0};
	struct arena *a = arena_open();
	struct devbroker *d = devbroker_open(1, 4, &e);
	ck_ok(d != NULL, &e);
	struct bus *b = bus_open(devbroker_address(d), &e);
	struct event *events = numbered(a, "job.events", 40);
	suite_publish(b, events, 10);
	devbroker_cut(d, true);
	ck_assert_uint_eq(bus_publish(b, events + 10, 30, 500, &e), 0);
	ck_assert_int_eq(e.code, ERR_UNAVAILABLE);
	devbroker_cut(d, false);
	suite_publish(b, events + 10, 30);
	expect_each_once(devbroker_address(d), "job.events", 40);
	bus_close(&b);
	devbroker_close(&d);
	arena_close(&a);
}
END_TEST

/* Answers take longer than the caller's patience: each call waits a little, none sends again what is on its way. */
START_TEST(a_slow_broker_makes_progress_without_doubles)
{
	struct err e = {0};
	struct arena *a = arena_open();
	struct devbroker *d = devbroker_open(1, 4, &e);
	ck_ok(d != NULL, &e);
	struct bus *b = bus_open(devbroker_address(d), &e);
	struct event *events = numbered(a, "job.events", 30);
	suite_publish(b, events, 10);
	devbroker_slow(d, 700);
	size_t done = 10, calls = 0;
	for (; done < 30 && calls < 100; calls++)
		done += bus_publish(b, events + done, 30 - done, 100, &e);
	ck_assert_uint_eq(done, 30);
	ck_assert_uint_gt(calls, 3);
	devbroker_slow(d, 0);
	expect_each_once(devbroker_address(d), "job.events", 30);
	bus_close(&b);
	devbroker_close(&d);
	arena_close(&a);
}
END_TEST

/* A refusal ends the producer: nothing after the refused event may be stored before it. The next call has a new one. */
START_TEST(after_a_refusal_all_goes_on_in_order)
{
	struct err e = {0};
	struct arena *a = arena_open();
	struct devbroker *d = devbroker_open(1, 1, &e);
	ck_ok(d != NULL, &e);
	struct bus *b = bus_open(devbroker_address(d), &e);
	struct event *events = numbered(a, "job.events", 70);
	const char *large = arena_printf(a, "\"%060000d\"", 0); /* so that several requests are under way at once */
	for (int i = 0; i < 70; i++)
		events[i].data = large;
	suite_publish(b, events, 10);
	devbroker_refuse(d, 1);
	ck_assert_uint_eq(bus_publish(b, events + 10, 60, SUITE_WAIT_MS, &e), 0);
	ck_assert_msg(e.code == ERR_DENIED, "%s", e.text);
	suite_publish(b, events + 10, 60);
	expect_each_once(devbroker_address(d), "job.events", 70);
	bus_close(&b);
	devbroker_close(&d);
	arena_close(&a);
}
END_TEST

/* The broker says no while more is handed over behind what it refuses: none of that may be stored before the refused. */
START_TEST(what_comes_behind_a_refusal_waits_for_its_answer)
{
	struct err e = {0};
	struct arena *a = arena_open();
	struct devbroker *d = devbroker_open(1, 1, &e);
	ck_ok(d != NULL, &e);
	struct bus *b = bus_open(devbroker_address(d), &e);
	struct event *events = numbered(a, "job.events", 30);
	suite_publish(b, events, 10);
	devbroker_slow(d, 500);
	devbroker_refuse(d, 1);
	ck_assert_uint_eq(bus_publish(b, events + 10, 2, 100, &e), 0);
	ck_assert_msg(e.code == ERR_TIMEOUT, "%s", e.text);
	ck_assert_uint_eq(bus_publish(b, events + 10, 20, SUITE_WAIT_MS, &e), 0);
	ck_assert_msg(e.code == ERR_DENIED, "%s", e.text);
	devbroker_slow(d, 0);
	suite_publish(b, events + 10, 20);
	expect_each_once(devbroker_address(d), "job.events", 30);
	bus_close(&b);
	devbroker_close(&d);
	arena_close(&a);
}
END_TEST

/* What is given up after a long outage is not overtaken by what was handed over later, and so may be sent for longer. */
START_TEST(what_comes_behind_something_given_up_waits)
{
	struct err e = {0};
	struct arena *a = arena_open();
	struct devbroker *d = devbroker_open(1, 1, &e);
	ck_ok(d != NULL, &e);
	struct bus *b = bus_open(devbroker_address(d), &e);
	struct event *events = numbered(a, "job.events", 13);
	suite_publish(b, events, 10);
	devbroker_cut(d, true);
	ck_assert_uint_eq(bus_publish(b, events + 10, 1, 200, &e), 0);
	clock_sleep_ms(19000);
	ck_assert_uint_eq(bus_publish(b, events + 10, 3, 200, &e), 0);
	clock_sleep_ms(1300);
	devbroker_cut(d, false);
	clock_sleep_ms(1500);
	size_t sent = 10;
	for (int i = 0; sent < 13 && i < 5; i++)
		sent += bus_publish(b, events + sent, 13 - sent, SUITE_WAIT_MS, &e);
	expect_each_once(devbroker_address(d), "job.events", 13);
	bus_close(&b);
	devbroker_close(&d);
	arena_close(&a);
}
END_TEST

START_TEST(other_events_displace_what_is_under_way)
{
	struct err e = {0};
	struct arena *a = arena_open();
	struct devbroker *d = devbroker_open(1, 4, &e);
	ck_ok(d != NULL, &e);
	struct bus *b = bus_open(devbroker_address(d), &e);
	devbroker_cut(d, true);
	struct event gone = suite_event("job.events", "even", "given up", "{}");
	ck_assert_uint_eq(bus_publish(b, &gone, 1, 300, &e), 0);
	struct event *events = numbered(a, "job.events", 6);
	ck_assert_uint_eq(bus_publish(b, events, 6, 300, &e), 0);
	devbroker_cut(d, false);
	suite_publish(b, events, 3);
	suite_publish(b, events + 3, 3);
	expect_each_once(devbroker_address(d), "job.events", 6);
	bus_close(&b);
	devbroker_close(&d);
	arena_close(&a);
}
END_TEST

START_TEST(a_reader_outlives_a_cut)
{
	struct err e = {0};
	struct devbroker *d = devbroker_open(1, 4, &e);
	ck_ok(d != NULL, &e);
	const char *topic = "job.events";
	struct bus *b = bus_open(devbroker_address(d), &e);
	struct subscriber *s = subscriber_open(devbroker_address(d), &topic, 1, false, &e);
	ck_ok(s && subscriber_ready(s, SUITE_WAIT_MS, &e), &e);
	struct event ev;
	for (int round = 0; round < 2; round++) {
		devbroker_cut(d, true);
		int told = 0;
		for (int i = 0; i < 8; i++)
			told += subscriber_next(s, 200, &ev, &e) < 0;
		ck_assert_int_eq(told, 1);
		devbroker_cut(d, false);
		suite_publish_one(b, topic, "k", "back again");
		suite_expect(s, "back again");
	}
	subscriber_close(&s);
	bus_close(&b);
	devbroker_close(&d);
}
END_TEST

/* ---- a broker that is stopped and started again, and keeps what it has: nothing is lost, order holds
 *
 * With a real Kafka, BARQUE_TEST_KAFKA_CONTROL names a program that takes "stop" or "start"; without one it is the development
 * broker that is cut off and brought back. */

enum { OUTAGES = 2, PER_PHASE = 60, IN_ALL = OUTAGES * 3 * PER_PHASE };

struct outage {
	struct devbroker *d; /* NULL: a real one */
	char address[64];
	struct bus *bus;
	struct subscriber *reader;
	const char *topic;
	int published;
	int seen[IN_ALL];
	int last[2]; /* newest first sight of each key */
};

static void outage_switch(struct outage *o, bool off)
{
	if (o->d) {
		devbroker_cut(o->d, off);
		return;
	}
	const char *argv[] = {getenv("BARQUE_TEST_KAFKA_CONTROL"), off ? "stop" : "start", NULL};
	int status, sent = o->published + PER_PHASE;
	struct err e;
	struct arena *a = arena_open();
	pid_t pid = test_spawn("control", argv, NULL);
	struct event *events = numbered(a, o->topic, IN_ALL);
	while (off && o->published < sent && bus_publish(o->bus, events + o->published, 1, 1000, &e) == 1)
		o->published++; /* while it goes down */
	arena_close(&a);
	ck_assert(test_wait(pid, 40000, &status));
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void outage_publish(struct outage *o, int upto, int64_t patience_ms)
{
	struct err e = {0};
	struct arena *a = arena_open();
	struct event *events = numbered(a, o->topic, IN_ALL);
	int64_t deadline = clock_mono_ms() + patience_ms;
	while (o->published < upto && clock_mono_ms() < deadline)
		o->published += (int)bus_publish(o->bus, events + o->published, (size_t)(upto - o->published), 500, &e);
	arena_close(&a);
}

/* Doubles may come; what is seen for the first time must be in order per key, without a hole. */
static void outage_read(struct outage *o, int upto)
{
	struct err e;
	struct event ev;
	int64_t deadline = clock_mono_ms() + 2 * SUITE_WAIT_MS;
	while (o->last[0] + 2 < upto || o->last[1] + 2 < upto) {
		ck_assert_msg(clock_mono_ms() < deadline, "after %d and %d nothing more came of %d", o->last[0], o->last[1], upto);
		if (subscriber_next(o->reader, 500, &ev, &e) <= 0)
			continue;
		int64_t number;
		ck_assert(str_int(ev.id, 0, IN_ALL - 1, &number));
		if (o->seen[number]++)
			continue;
		ck_assert_int_eq(number, o->last[number % 2] + 2);
		o->last[number % 2] = (int)number;
	}
}

static void outage_begin(struct outage *o)
{
	struct err e;
	const char *control = getenv("BARQUE_TEST_KAFKA_CONTROL");
	if (!control)
		o->d = devbroker_open(1, 4, &e);
	ck_assert(control || o->d);
	snprintf(o->address, sizeof(o->address), "%s", o->d ? devbroker_address(o->d) : suite_brokers());
	o->topic = suite_name("outage");
	struct bus_topic topic = {.name = o->topic, .partitions = 4, .cleanup = "delete"};
	ck_ok(o->d ? devbroker_topic(o->d, o->topic, 4, &e) : bus_topics_ensure(o->address, &topic, 1, 0, 20000, &e), &e);
	o->bus = bus_open(o->address, &e);
	o->reader = subscriber_open(o->address, &o->topic, 1, false, &e);
	ck_ok(o->bus && o->reader && subscriber_ready(o->reader, SUITE_WAIT_MS, &e), &e);
	o->last[0] = -2;
	o->last[1] = -1;
}

START_TEST(an_outage_loses_nothing_and_keeps_order)
{
	struct outage *o = mem_new(sizeof(*o));
	outage_begin(o);
	for (int i = 0; i < OUTAGES; i++) {
		int base = i * 3 * PER_PHASE, doubles = 0;
		outage_publish(o, base + PER_PHASE, SUITE_WAIT_MS);
		outage_switch(o, true);
		outage_publish(o, base + 2 * PER_PHASE, 1500);
		ck_assert_int_lt(o->published, base + 3 * PER_PHASE);
		outage_switch(o, false);
		outage_publish(o, base + 3 * PER_PHASE, SUITE_WAIT_MS);
		ck_assert_int_eq(o->published, base + 3 * PER_PHASE);
		outage_read(o, o->published);
		for (int n = 0; n < o->published; n++)
			doubles += o->seen[n] - 1;
		printf("outage %d: %d events, none lost, in order, %d doubles\n", i + 1, o->published, doubles);
	}
	subscriber_close(&o->reader);
	bus_close(&o->bus);
	devbroker_close(&o->d);
	mem_free(&o);
}
END_TEST

/* ---- the program: killed and started again, with empty hands */

static pid_t broker_start(int port, const char *address_file)
{
	char number[16];
	snprintf(number, sizeof(number), "%d", port);
	const char *argv[] = {
	        test_program("barque-devbroker"), "--port", number, "--address-file", address_file, "--die-with-parent", NULL};
	return test_spawn("devbroker", argv, NULL);
}

static bool is_there(void *path)
{
	return access(path, R_OK) == 0;
}

static void address_file(char *out, size_t size)
{
	snprintf(out, size, "%s/address", test_dir());
}

static void publish_to_the_new_broker(struct bus *b, const struct event *ev)
{
	struct err e = {0};
	size_t sent = 0;
	for (int i = 0; sent == 0 && i < 20; i++) /* it knows nothing of the old producer: the first try may be refused */
		sent = bus_publish(b, ev, 1, 2000, &e);
	ck_assert_msg(sent == 1, "not sent: %s", e.text);
}

/* The new broker counts from zero. A reader who notices that it is another cluster gets all of it; librdkafka makes the cluster's name
 * from an address in memory, which sanitizers do not vary, so there only what lies beyond the old position is sure to come. */
#ifdef __SANITIZE_ADDRESS__
static const bool names_vary = false;
#else
static const bool names_vary = true;
#endif

static void expect_from_the_new_broker(struct subscriber *s)
{
	struct err e;
	struct event ev;
	bool one = !names_vary, two = false;
	int64_t deadline = clock_mono_ms() + SUITE_WAIT_MS;
	while (!(one && two) && clock_mono_ms() < deadline) {
		if (subscriber_next(s, 500, &ev, &e) <= 0)
			continue;
		one = one || str_eq(ev.id, "one");
		two = two || str_eq(ev.id, "two");
	}
	ck_assert_msg(one && two, "of the new broker's events came: %s%s", one ? "one " : "", two ? "two" : "");
}

START_TEST(both_sides_follow_a_broker_that_starts_again)
{
	char file[200], address[32];
	struct err e = {0};
	int port = test_port();
	address_file(file, sizeof(file));
	snprintf(address, sizeof(address), "127.0.0.1:%d", port);
	pid_t pid = broker_start(port, file);
	ck_assert(test_until(10000, is_there, file));
	const char *topic = "kline.changes";
	struct bus *b = bus_open(address, &e);
	struct subscriber *s = subscriber_open(address, &topic, 1, false, &e);
	ck_ok(s && subscriber_ready(s, SUITE_WAIT_MS, &e), &e);
	suite_publish_one(b, topic, "k", "to the first");
	suite_expect(s, "to the first");

	test_kill(pid, SIGKILL);
	ck_assert_int_eq(unlink(file), 0);
	struct event one = suite_event(topic, "k", "one", "{}"), two = suite_event(topic, "k", "two", "{}");
	ck_assert_uint_eq(bus_publish(b, &one, 1, 500, &e), 0);
	ck_assert_int_eq(e.code, ERR_UNAVAILABLE);

	pid = broker_start(port, file);
	ck_assert(test_until(10000, is_there, file));
	publish_to_the_new_broker(b, &one);
	publish_to_the_new_broker(b, &two);
	expect_from_the_new_broker(s);
	subscriber_close(&s);
	bus_close(&b);
	test_kill(pid, SIGTERM);
	ck_assert(!is_there(file));
}
END_TEST

START_TEST(the_program_says_what_it_is)
{
	char file[200], address[32];
	int port = test_port(), status;
	size_t len;
	snprintf(address, sizeof(address), "listening on 127.0.0.1:%d\n", port);
	address_file(file, sizeof(file));
	pid_t pid = broker_start(port, file);
	ck_assert(test_until(10000, is_there, file));
	kill(pid, SIGTERM);
	ck_assert(test_wait(pid, 10000, &status));
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	snprintf(file, sizeof(file), "%s/devbroker.log", test_dir());
	char *output = test_read_file(file, &len);
	ck_assert_msg(str_starts(output, address), "first line: %s", output);
	ck_assert_ptr_nonnull(strstr(output, "keeps nothing on disk"));
	mem_free(&output);
}
END_TEST

START_TEST(the_program_refuses_what_it_does_not_know)
{
	static const char *const bad[][2] = {
	        {"--prot", "1"}, {"--port", "70000"}, {"--partitions", "0"}, {"--address-file", NULL}, {"--topics", "nowhere"}};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const char *argv[] = {test_program("barque-devbroker"), bad[i][0], bad[i][1], NULL};
		int status;
		ck_assert(test_wait(test_spawn("refused", argv, NULL), 10000, &status));
		ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) != 0, "%s was taken", bad[i][0]);
	}
}
END_TEST

/* ---- what others may write into our topics */

static void on_report(void *user, size_t tag, const struct err *failure)
{
	UNUSED(tag);
	ck_assert_ptr_null(failure);
	(*(int *)user)++;
}

static struct event_bytes bytes(const char *name, const char *text)
{
	return (struct event_bytes){.name = name, .data = text, .len = text ? strlen(text) : 0};
}

START_TEST(bad_messages_are_told_and_passed_over)
{
	struct err e = {0};
	int reports = 0;
	const char *topic = suite_topic("hostile", 1);
	struct subscriber *s = suite_subscribe(topic, false);
	struct kafka *k = kafka_producer_open(suite_brokers(), &(struct kafka_reports){on_report, &reports}, &e);
	ck_ok(k != NULL, &e);
	char full[128];
	snprintf(full, sizeof(full), TOPIC_PREFIX "%s", topic);
	struct event_bytes key = bytes(NULL, "k"), data = bytes(NULL, "{}"), none = bytes(NULL, NULL);
	struct event_bytes whole =
	        bytes(NULL, "{\"specversion\":\"1.0\",\"id\":\"s\",\"type\":\"t\",\"source\":\"/x\",\"data\":{\"a\":1}}");
	struct event_bytes old[] = {bytes("ce_specversion", "0.3"), bytes("ce_id", "1"), bytes("ce_type", "t"), bytes("ce_source", "/x")};
	struct event_bytes structured[] = {bytes("content-type", "application/cloudevents+json; charset=UTF-8")};
	ck_ok(kafka_send(k, full, &key, &data, NULL, 0, 1, &e), &e);
	ck_ok(kafka_send(k, full, &key, &data, old, ARRAY_LEN(old), 2, &e), &e);
	ck_ok(kafka_send(k, full, &key, &none, old, ARRAY_LEN(old), 3, &e), &e);
	ck_ok(kafka_send(k, full, &none, &whole, structured, 1, 4, &e), &e);
	for (int64_t deadline = clock_mono_ms() + SUITE_WAIT_MS; reports < 4 && clock_mono_ms() < deadline;)
		kafka_flush(k, 100);
	ck_assert_int_eq(reports, 4);
	kafka_close(&k);
	struct event ev;
	for (int bad = 0; bad < 3;) {
		int got = subscriber_next(s, SUITE_WAIT_MS, &ev, &e);
		ck_assert_int_eq(got, -1);
		ck_assert_int_eq(e.code, ERR_CORRUPT);
		bad++;
	}
	ev = suite_next(s);
	ck_assert_str_eq(ev.id, "s");
	ck_assert_str_eq(ev.data, "{\"a\":1}");
	ck_assert_str_eq(ev.key, "");
	subscriber_close(&s);
}
END_TEST

START_TEST(topics_that_exist_are_left_alone)
{
	struct err e;
	struct bus_topic topic = {.name = suite_topic("ensured", 3), .partitions = 5, .cleanup = "compact", .retention_ms = 0};
	ck_ok(bus_topics_ensure(suite_brokers(), &topic, 1, 1, 20000, &e), &e);
	topic.name = "two words";
	ck_assert(!bus_topics_ensure(suite_brokers(), &topic, 1, 1, 20000, &e));
	ck_assert_int_eq(e.code, ERR_INVALID);
}
END_TEST

static const TTest *const tests[] = {SUITE_TESTS, bad_addresses_are_refused, without_a_broker_publishing_ends_in_time,
        without_a_broker_trouble_is_told_once, after_a_cut_the_rest_goes_out_once, a_slow_broker_makes_progress_without_doubles,
        other_events_displace_what_is_under_way, after_a_refusal_all_goes_on_in_order, what_comes_behind_a_refusal_waits_for_its_answer,
        what_comes_behind_something_given_up_waits, a_reader_outlives_a_cut, an_outage_loses_nothing_and_keeps_order,
        both_sides_follow_a_broker_that_starts_again, the_program_says_what_it_is, the_program_refuses_what_it_does_not_know,
        bad_messages_are_told_and_passed_over, topics_that_exist_are_left_alone};

TEST_MAIN("bus_kafka", tests)
