/* test_relay.c -- outbox to bus: in order, at least once, marked only when confirmed; also when the relay is killed at any moment. */
#include "bus/relay.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/mem.h"
#include "tests/lib/test.h"

#define WAIT_MS 15000

struct rig {
	struct store *store;
	struct bus *bus;
	struct relay *relay;
	struct subscriber *changes, *states;
};

static struct subscriber *listen_to(const char *brokers, const char *topic)
{
	struct err e;
	struct subscriber *s = subscriber_open(brokers, &topic, 1, true, &e);
	ck_ok(s && subscriber_ready(s, WAIT_MS, &e), &e);
	return s;
}

static void rig_open(struct rig *r, const char *brokers)
{
	struct err e;
	r->store = store_open("memory:", &e);
	ck_ok(r->store != NULL, &e);
	r->bus = bus_open(brokers, &e);
	ck_ok(r->bus != NULL, &e);
	r->relay = relay_open(r->store, r->bus, "one");
	r->changes = listen_to(brokers, "kline.changes");
	r->states = listen_to(brokers, "kline.state");
}

static void rig_close(struct rig *r)
{
	relay_close(&r->relay);
	subscriber_close(&r->changes);
	subscriber_close(&r->states);
	bus_close(&r->bus);
	store_close(&r->store);
}

static void put(struct store *s, const char *type, const char *topic, const char *key, int number)
{
	struct err e;
	char data[32];
	struct outbox_row row = {.time_ms = 1769938200000 + number, .data = data};
	snprintf(data, sizeof(data), "{\"revision\":%d}", number);
	snprintf(row.id, sizeof(row.id), "%d", number);
	ck_assert(str_copy(row.topic, sizeof(row.topic), topic) && str_copy(row.key, sizeof(row.key), key) &&
	          str_copy(row.type, sizeof(row.type), type));
	ck_ok(store_outbox_put(s, &row, &e), &e);
}

static void put_updates(struct store *s, int first, int count)
{
	for (int i = first; i < first + count; i++)
		put(s, "kline.range.updated.v1", "kline.changes", i % 2 ? "odd" : "even", i);
}

static int64_t waiting(struct store *s)
{
	struct err e;
	int64_t n;
	ck_ok(store_outbox_count(s, &n, &e), &e);
	return n;
}

static int turn(struct rig *r)
{
	struct err e = {0};
	int sent = relay_turn(r->relay, WAIT_MS, &e);
	ck_assert_msg(sent >= 0, "%s", e.text);
	return sent;
}

static bool next(struct subscriber *s, struct event *ev, int timeout_ms)
{
	struct err e;
	int64_t deadline = clock_mono_ms() + timeout_ms;
	int got;
	while ((got = subscriber_next(s, 200, ev, &e)) <= 0 && clock_mono_ms() < deadline)
		continue;
	return got == 1;
}

/* Numbers first .. first+count-1, each once, each key in order. */
static void expect_numbers(struct subscriber *s, int first, int count)
{
	struct event ev;
	int64_t number, last[2] = {-1, -1};
	for (int i = 0; i < count; i++) {
		ck_assert_msg(next(s, &ev, WAIT_MS), "only %d of %d events came", i, count);
		ck_assert(str_int(ev.id, first, first + count - 1, &number));
		ck_assert_msg(number > last[number % 2], "%lld came after %lld", (long long)number, (long long)last[number % 2]);
		last[number % 2] = number;
	}
	ck_assert_msg(!next(s, &ev, 300), "one too many: %s", ev.id);
}

START_TEST(rows_become_events)
{
	struct rig r;
	struct event ev;
	rig_open(&r, "memory:rows");
	put(r.store, "kline.range.updated.v1", "kline.changes", "binance-um|BTCUSDT|1m", 7);
	ck_assert_int_eq(turn(&r), 1);
	ck_assert_int_eq(waiting(r.store), 0);
	ck_assert_int_eq(turn(&r), 0);
	ck_assert(next(r.changes, &ev, WAIT_MS));
	ck_assert_str_eq(ev.id, "7");
	ck_assert_str_eq(ev.type, "kline.range.updated.v1");
	ck_assert_str_eq(ev.key, "binance-um|BTCUSDT|1m");
	ck_assert_str_eq(ev.subject, ev.key);
	ck_assert_str_eq(ev.source, EVENT_SOURCE);
	ck_assert_str_eq(ev.data, "{\"revision\":7}");
	ck_assert_int_eq(ev.time_ms, 1769938200007);
	ck_assert(next(r.states, &ev, WAIT_MS));
	ck_assert_str_eq(ev.id, "7");
	rig_close(&r);
	ck_assert_ptr_null(r.relay);
	relay_close(&r.relay);
}
END_TEST

START_TEST(types_say_whether_there_is_a_state)
{
	struct rig r;
	struct event ev;
	rig_open(&r, "memory:types");
	struct subscriber *jobs = listen_to("memory:types", "job.events");
	put(r.store, "job.ended.v1", "job.events", "job-1", 1);
	put(r.store, "kline.range.deleted.v1", "kline.changes", "k", 2);
	put(r.store, "kline.newer.v9", "kline.changes", "k", 3); /* written by a newer Barque */
	ck_assert_int_eq(turn(&r), 3);
	ck_assert(next(jobs, &ev, WAIT_MS));
	ck_assert_str_eq(ev.id, "1");
	ck_assert(next(r.changes, &ev, WAIT_MS));
	ck_assert_str_eq(ev.id, "2");
	ck_assert(next(r.changes, &ev, WAIT_MS));
	ck_assert_str_eq(ev.id, "3");
	ck_assert(next(r.states, &ev, WAIT_MS));
	ck_assert_str_eq(ev.id, "2");
	ck_assert(!next(r.states, &ev, 50));
	subscriber_close(&jobs);
	rig_close(&r);
}
END_TEST

START_TEST(many_rows_take_many_turns)
{
	struct rig r;
	rig_open(&r, "memory:many");
	put_updates(r.store, 0, 1203);
	ck_assert_int_eq(turn(&r), 500);
	ck_assert_int_eq(turn(&r), 500);
	ck_assert_int_eq(turn(&r), 203);
	expect_numbers(r.changes, 0, 1203);
	expect_numbers(r.states, 0, 1203);
	rig_close(&r);
}
END_TEST

START_TEST(who_has_no_lease_sends_nothing)
{
	struct rig r;
	struct event ev;
	rig_open(&r, "memory:lease");
	struct relay *other = relay_open(r.store, r.bus, "other");
	struct err e;
	put_updates(r.store, 0, 1);
	ck_assert_int_eq(turn(&r), 1);
	put_updates(r.store, 1, 1);
	ck_assert_int_eq(relay_turn(other, WAIT_MS, &e), 0);
	ck_assert_int_eq(waiting(r.store), 1);
	ck_assert(next(r.changes, &ev, WAIT_MS));
	ck_assert(!next(r.changes, &ev, 50));
	ck_assert_int_eq(turn(&r), 1);

	/* One that ends gives the lease up: the next need not wait for it. */
	put_updates(r.store, 2, 1);
	relay_close(&r.relay);
	ck_assert_int_eq(relay_turn(other, WAIT_MS, &e), 1);
	relay_close(&other);
	rig_close(&r);
}
END_TEST

/* What is before it is marked, it and what comes after it stay: order is worth more than haste, and nothing is thrown away. */
START_TEST(a_row_that_cannot_be_sent_stays)
{
	struct rig r;
	struct err e = {0};
	rig_open(&r, "memory:bad");
	put_updates(r.store, 0, 1);
	put(r.store, "job.ended.v1", "job.events", "line\nbreak", 1);
	put_updates(r.store, 2, 1);
	ck_assert_int_eq(turn(&r), 1);
	ck_assert_int_eq(waiting(r.store), 2);
	ck_assert_int_eq(relay_turn(r.relay, WAIT_MS, &e), -1);
	ck_assert_int_eq(e.code, ERR_INVALID);
	ck_assert_int_eq(waiting(r.store), 2);
	rig_close(&r);
}
END_TEST

START_TEST(what_kafka_does_not_confirm_stays)
{
	struct rig r;
	struct err e = {0};
	struct devbroker *d = devbroker_open(1, 4, &e);
	ck_ok(d != NULL, &e);
	rig_open(&r, devbroker_address(d));
	put_updates(r.store, 0, 20);
	ck_assert_int_eq(turn(&r), 20);
	devbroker_cut(d, true);
	put_updates(r.store, 20, 30);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(relay_turn(r.relay, 200, &e), -1);
		ck_assert_int_eq(e.code, ERR_UNAVAILABLE);
	}
	ck_assert_int_eq(waiting(r.store), 30);
	devbroker_cut(d, false);
	put_updates(r.store, 50, 10);
	while (waiting(r.store) > 0)
		turn(&r);
	expect_numbers(r.changes, 0, 60);
	expect_numbers(r.states, 0, 60);
	rig_close(&r);
	devbroker_close(&d);
}
END_TEST

/* ---- killed at any moment
 *
 * A child relays while this process commits candles. It is killed again and again, so that it dies before, between and after
 * sending and marking. In the end every commit must have its event, and the first sights of a series' revisions must come
 * in order: what is seen again later are doubles. The broker is a program of its own, or a real Kafka (BARQUE_TEST_KAFKA), since a process with threads cannot fork
 * children that use librdkafka. */

enum { KILLS = 14, SERIES = 2, PER_KILL = 12 };

static char symbols[SERIES][SYMBOL_SIZE]; /* of this run alone: a real Kafka remembers all runs */

__attribute__((noreturn)) static void child_relay(const char *store_url, const char *brokers, const char *owner)
{
	struct err e;
	struct store *s = store_open(store_url, &e);
	struct bus *b = bus_open(brokers, &e);
	if (!s || !b)
		_exit(1);
	struct relay *r = relay_open(s, b, owner);
	for (;;)
		if (relay_turn(r, 1000, &e) == 0)
			clock_sleep_ms(1);
}

static void put_bar(struct store *s, const char *symbol, int64_t minute)
{
	struct err e;
	struct put_result result;
	struct store_writer who = {.job = "test", .fence = 1};
	struct bar bar = {.open_time = minute * TIME_MINUTE, .close_time = minute * TIME_MINUTE + TIME_MINUTE - 1};
	bar.open = bar.high = bar.low = bar.close = (struct dec){100, 2};
	ck_ok(store_bars_put(s, symbol, INTERVAL_1m, &bar, 1, PUT_OVERWRITE, &who, &result, &e), &e);
	ck_assert_int_eq(result.inserted, 1);
}

static unsigned random_below(unsigned limit)
{
	unsigned number;
	digest_random(&number, sizeof(number));
	return number % limit;
}

static pid_t fork_relay(const char *store_url, const char *brokers)
{
	fflush(NULL);
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		child_relay(store_url, brokers, "the one"); /* a name for all, so that none waits for the lease of a dead one */
	return pid;
}

static bool outbox_is_empty(void *store)
{
	return waiting(store) == 0;
}

static void symbols_choose(void)
{
	for (int i = 0; i < SERIES; i++)
		snprintf(symbols[i], SYMBOL_SIZE, "T%u_%dUSDT", random_below(1000000000), i);
}

static void commit_and_kill(struct store *s, const char *store_url, const char *brokers)
{
	int64_t minute = 1000;
	for (int i = 0; i <= KILLS; i++) {
		pid_t pid = fork_relay(store_url, brokers);
		for (int n = 0; n < PER_KILL; n++, minute++) {
			put_bar(s, symbols[minute % SERIES], minute);
			clock_sleep_ms(random_below(8));
		}
		if (i == KILLS)
			ck_assert(test_until(WAIT_MS, outbox_is_empty, s));
		else
			clock_sleep_ms(random_below(60));
		ck_assert_int_eq(kill(pid, SIGKILL), 0);
		ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	}
}

/* *series_out: -1 when it is of another run. */
static int64_t revision_of(const struct event *ev, int *series_out)
{
	struct err e;
	struct json *data = json_parse(ev->data, strlen(ev->data), &e);
	ck_ok(data != NULL, &e);
	const char *symbol = json_get_text(data, "symbol", "");
	*series_out = str_eq(symbol, symbols[0]) ? 0 : str_eq(symbol, symbols[1]) ? 1 : -1;
	int64_t revision = json_get_int(data, "revision", 0);
	json_close(&data);
	return revision;
}

/* Returns how many doubles there were. */
static int expect_revisions(struct subscriber *s, const int64_t upto[SERIES])
{
	int64_t seen[SERIES] = {0};
	int doubles = 0, series;
	struct event ev;
	while (seen[0] < upto[0] || seen[1] < upto[1]) {
		ck_assert_msg(next(s, &ev, WAIT_MS), "nothing after revisions %lld and %lld", (long long)seen[0], (long long)seen[1]);
		int64_t revision = revision_of(&ev, &series);
		if (series < 0)
			continue;
		ck_assert_msg(
		        revision <= seen[series] + 1, "revision %lld came right after %lld", (long long)revision, (long long)seen[series]);
		doubles += revision <= seen[series];
		seen[series] = revision > seen[series] ? revision : seen[series];
	}
	return doubles;
}

static bool is_there(void *path)
{
	return access(path, R_OK) == 0;
}

static void broker_start(char *brokers, size_t size)
{
	char port[16], file[200];
	const char *real = getenv("BARQUE_TEST_KAFKA"); /* with the topics that barque-devbroker --topics makes */
	if (real && real[0]) {
		ck_assert(str_copy(brokers, size, real));
		return;
	}
	snprintf(port, sizeof(port), "%d", test_port());
	snprintf(file, sizeof(file), "%s/address", test_dir());
	const char *argv[] = {test_program("barque-devbroker"), "--port", port, "--address-file", file, NULL};
	test_spawn("devbroker", argv, NULL);
	ck_assert(test_until(WAIT_MS, is_there, file));
	snprintf(brokers, size, "127.0.0.1:%s", port);
}

START_TEST(a_relay_killed_at_any_moment_loses_nothing)
{
	char store_url[200], brokers[64];
	struct err e;
	broker_start(brokers, sizeof(brokers));
	snprintf(store_url, sizeof(store_url), "sqlite:%s", test_dir());
	struct store *s = store_open(store_url, &e);
	ck_ok(s != NULL, &e);
	symbols_choose();
	commit_and_kill(s, store_url, brokers);
	int64_t upto[SERIES];
	for (int i = 0; i < SERIES; i++) {
		struct series series;
		ck_assert_int_eq(store_series(s, symbols[i], INTERVAL_1m, &series, &e), 1);
		upto[i] = series.revision;
	}
	ck_assert_int_eq(upto[0] + upto[1], (KILLS + 1) * PER_KILL);
	struct subscriber *changes = listen_to(brokers, "kline.changes"), *states = listen_to(brokers, "kline.state");
	int doubles = expect_revisions(changes, upto);
	doubles += expect_revisions(states, upto);
	printf("%d kills, %lld commits, none lost, order kept, %d doubles\n", KILLS, (long long)(upto[0] + upto[1]), doubles);
	subscriber_close(&changes);
	subscriber_close(&states);
	store_close(&s);
}
END_TEST

static const TTest *const tests[] = {rows_become_events, types_say_whether_there_is_a_state, many_rows_take_many_turns,
        who_has_no_lease_sends_nothing, a_row_that_cannot_be_sent_stays, what_kafka_does_not_confirm_stays,
        a_relay_killed_at_any_moment_loses_nothing};

TEST_MAIN("relay", tests)
