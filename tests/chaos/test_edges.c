/* test_edges.c -- faults at both ends: the API dies between a request and its answer; Kafka is away and relays are killed. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/json.h"
#include "base/mem.h"
#include "bus/bus.h"
#include "http/client.h"
#include "store/store.h"
#include "tests/chaos/rig.h"

#define START_MS 20000

/* ---- R14 */

struct edge {
	struct chaos *c;
	pid_t api;
	int port;
	struct http_client *http;
	struct http_answer answer;
};

static bool api_lives(void *user)
{
	struct edge *x = user;
	char url[64];
	struct err e;
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/livez", x->port);
	return http_client_call(x->http, &(struct http_call){.url = url, .timeout_ms = 2000}, &x->answer, &e) && x->answer.status == 200;
}

static void api_start(struct edge *x, const char *fail)
{
	char port[32], queue[200], store[400];
	const char *argv[] = {test_program("barque-api"), NULL};
	const char *env[] = {port, queue, store, "DATA_SERVICE_PORT=0", "BACKTEST_SERVICE_PORT=0", "ORDER_SERVICE_PORT=0",
	        "LOG_LEVEL=error", fail, NULL};
	snprintf(port, sizeof(port), "API_PORT=%d", x->port);
	snprintf(queue, sizeof(queue), "QUEUE_URL=%s", x->c->redis.url);
	snprintf(store, sizeof(store), "STORE_URL=sqlite:%s/api-db", test_dir());
	x->api = test_spawn("api", argv, env);
	ck_assert_msg(test_until(START_MS, api_lives, x), "the API does not start; see api.log");
}

/* POST /api/jobs under this key. The status; 0: no answer. */
static int post(struct edge *x, int64_t key)
{
	char url[64], header[80];
	struct err e;
	const char *headers[] = {"Content-Type: application/json", header, NULL};
	static const char body[] = "{\"kind\":\"noop\",\"params\":{\"sleep_ms\":5}}";
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/api/jobs", x->port);
	snprintf(header, sizeof(header), "Idempotency-Key: \"key-%lld\"", (long long)key);
	struct http_call call = {
	        .method = "POST", .url = url, .headers = headers, .body = body, .body_len = sizeof(body) - 1, .timeout_ms = 5000};
	return http_client_call(x->http, &call, &x->answer, &e) ? x->answer.status : 0;
}

/* Ask for the job under this key. True: answered with its id. */
static bool ask(struct edge *x, int64_t key, char id_out[JOB_ID])
{
	struct err e;
	int status = post(x, key);
	if (status == 0)
		return false;
	ck_assert_msg(status / 100 == 2, "key-%lld: status %d: %.200s", (long long)key, status, buf_text(&x->answer.body));
	struct json *j = json_parse(buf_text(&x->answer.body), x->answer.body.len, &e);
	bool ok = j != NULL && str_copy(id_out, JOB_ID, json_get_text(j, "id", "")) && id_out[0] != '\0';
	json_close(&j);
	return ok;
}

/* kill -9 of the API by another process, some time after now. */
static pid_t kill_soon(struct edge *x, int64_t most_us)
{
	useconds_t wait_us = (useconds_t)(chaos_dice(x->c) * (double)most_us);
	fflush(NULL);
	pid_t pid = fork();
	ck_assert(pid >= 0);
	if (pid > 0)
		return pid;
	close_range(3, ~0U, 0);
	usleep(wait_us);
	kill(x->api, SIGKILL);
	_exit(0);
}

static void note_accepted(const char *id)
{
	UNUSED(id);
	HISTORY("attempt", id, 0, 0);
	HISTORY("accept", id, 0, 0);
}

/* One key: asked for while the API dies, and again with the next API until it is answered. */
static void one_key(struct edge *x, int64_t key, bool by_chance, const char *next_fail)
{
	char id[JOB_ID] = "", again[JOB_ID] = "";
	pid_t killer = by_chance ? kill_soon(x, 4000) : 0;
	bool answered = ask(x, key, id);
	if (killer > 0)
		waitpid(killer, NULL, 0);
	ck_assert_msg(test_wait(x->api, 5000, NULL), "the API lives on");
	chaos_faulted(x->c);
	api_start(x, next_fail);
	for (int tries = 0; !ask(x, key, again); tries++)
		ck_assert_msg(tries < 5, "key-%lld is not answered", (long long)key);
	ck_assert_msg(!answered || str_eq(id, again), "key-%lld is %s and %s", (long long)key, id, again);
	note_accepted(again);
}

START_TEST(R14_the_api_is_killed)
{
	/* The first passage is the retry of the key before, the second the key itself. */
	static const char *const fails[] = {"BARQUE_FAIL=api_before_submit:2:crash", "BARQUE_FAIL=api_after_submit:2:crash",
	        "BARQUE_FAIL=api_before_reply:2:crash", NULL};
	static struct chaos c;
	struct edge x = {.c = &c, .port = test_port()};
	struct http_client_options options = {.timeout_ms = 5000};
	char id[JOB_ID];
	chaos_open(&c, "R14", "kill -9 of the API before, in and after the submission; the client asks again with its key", "always",
	        (struct chaos_size){500, 12, 60, 12});
	x.http = http_client_open(&options, &c.e);
	ck_assert_msg(x.http != NULL, "%s", c.e.text);
	chaos_worker(&c, 0, (const char *[]){"WORKER_SLOTS=2", NULL});
	ck_assert_int_ge(chaos_probe(&c), 0);
	api_start(&x, fails[0]);
	ck_assert(ask(&x, 0, id));
	note_accepted(id);
	for (int64_t key = 1; chaos_goes_on(&c); key++)
		one_key(&x, key, fails[(key - 1) % 4] == NULL, fails[key % 4]);
	test_kill(x.api, SIGKILL);
	http_answer_close(&x.answer);
	http_client_close(&x.http);
	chaos_close(&c);
}
END_TEST

/* ---- R10 as a client of the API sees it */

/* 503, with a word on when to come again. */
static bool is_refused(struct edge *x, int64_t key)
{
	char after[40] = "";
	int64_t seconds;
	return post(x, key) == 503 && http_answer_header(&x->answer, "retry-after", after, sizeof(after)) &&
	       str_int(after, 1, 60, &seconds);
}

static bool disk_refuses(void *user)
{
	struct edge *x = user;
	char answer[100];
	return test_redis_say(x->c->redis.port, "SET ballast x", answer, sizeof(answer)) && str_starts(answer, "-MISCONF");
}

static void room_take(struct edge *x, const char *full, bool disk)
{
	char answer[100];
	if (!disk) {
		ck_assert(test_redis_say(x->c->redis.port, "CONFIG SET maxmemory 1mb", answer, sizeof(answer)));
		return;
	}
	FILE *f = fopen(full, "we");
	ck_assert(f != NULL && fclose(f) == 0);
	ck_assert_msg(test_until(5000, disk_refuses, x), "Redis did not mind that its disk was full");
}

static void room_give(struct edge *x, const char *full, bool disk)
{
	char answer[100];
	if (disk)
		ck_assert_int_eq(unlink(full), 0);
	else
		ck_assert(test_redis_say(x->c->redis.port, "CONFIG SET maxmemory 0", answer, sizeof(answer)));
}

START_TEST(R10_the_api_says_that_there_is_no_room)
{
	static struct chaos c;
	struct edge x = {.c = &c, .port = test_port()};
	char preload[300], full[400], id[JOB_ID];
	int64_t refused = 0;
	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", test_program("tests/chaos/shim_fsync.so"));
	snprintf(full, sizeof(full), "SHIM_FULL=%s/full", test_dir());
	test_redis_start_with(&c.redis, "everysec", NULL, (const char *[]){preload, full, NULL});
	chaos_open(&c, "R10a", "memory and disk in turn, seen through the API", "everysec", (struct chaos_size){50, 4, 30, 12});
	x.http = http_client_open(NULL, &c.e);
	ck_assert_msg(x.http != NULL, "%s", c.e.text);
	chaos_worker(&c, 0, (const char *[]){"WORKER_SLOTS=2", NULL});
	api_start(&x, NULL);
	for (int64_t key = 0; chaos_goes_on(&c); key++) {
		bool disk = key % 2 == 1;
		ck_assert(ask(&x, 2 * key, id));
		note_accepted(id);
		room_take(&x, full + sizeof("SHIM_FULL=") - 1, disk);
		chaos_faulted(&c);
		refused += is_refused(&x, 2 * key + 1);
		room_give(&x, full + sizeof("SHIM_FULL=") - 1, disk);
		chaos_probe(&c);
		/* The key that was refused is good now. */
		ck_assert(ask(&x, 2 * key + 1, id));
		note_accepted(id);
	}
	test_kill(x.api, SIGKILL);
	http_answer_close(&x.answer);
	http_client_close(&x.http);
	chaos_remark(&c, "%lld of %lld answered with 503 and Retry-After", (long long)refused, (long long)c.faults);
	chaos_close(&c);
	ck_assert_int_eq(refused, c.faults);
}
END_TEST

/* ---- R13 */

#define SERIES 4

struct events {
	struct chaos *c;
	struct store *store;
	pid_t broker;
	char brokers[128];
	int64_t revisions[SERIES];
};

static void broker_start(struct events *x)
{
	char file[400];
	size_t len = 0;
	snprintf(file, sizeof(file), "%s/broker", test_dir());
	x->broker = test_spawn("devbroker", (const char *[]){test_program("barque-devbroker"), "--address-file", file, NULL}, NULL);
	for (int64_t until = clock_mono_ms() + START_MS; access(file, R_OK) != 0;) {
		ck_assert_msg(clock_mono_ms() < until, "the development broker does not start");
		clock_sleep_ms(20);
	}
	clock_sleep_ms(50);
	char *text = test_read_file(file, &len);
	text[strcspn(text, "\n")] = '\0';
	ck_assert(str_copy(x->brokers, sizeof(x->brokers), text));
	mem_free(&text);
}

static void relay_start(struct events *x, const char *fail)
{
	char kafka[200];
	snprintf(kafka, sizeof(kafka), "KAFKA_BROKERS=%s", x->brokers);
	/* Always the same name, as whoever starts it again would give it: the relay's lease is its own. */
	chaos_worker(x->c, 0, (const char *[]){"WORKER_SLOTS=1", "WORKER_NAME=relay", kafka, fail, NULL});
}

/* One change of one series; what is committed is accepted. */
static void change(struct events *x)
{
	char symbol[16], id[40];
	int i = chaos_pick(x->c, SERIES);
	struct put_result put;
	int64_t open = (x->revisions[i] + 1) * 60000;
	struct bar bar = {.open_time = open, .close_time = open + 59999};
	snprintf(symbol, sizeof(symbol), "S%dUSDT", i);
	ck_assert_msg(store_bars_put(x->store, symbol, INTERVAL_1m, &bar, 1, PUT_KEEP, &(struct store_writer){.job = ""}, &put, &x->c->e),
	        "%s", x->c->e.text);
	x->revisions[i] = put.revision;
	snprintf(id, sizeof(id), "%s-%lld", symbol, (long long)put.revision);
	HISTORY("attempt", id, 0, 0);
	HISTORY("accept", id, 0, 0);
}

static bool outbox_empty(void *user)
{
	struct events *x = user;
	int64_t n = -1;
	return store_outbox_count(x->store, &n, &x->c->e) && n == 0;
}

/* What was committed reaches Kafka soon after the fault healed. */
static void events_probe(struct events *x)
{
	int64_t began = clock_mono_ms();
	int64_t took = test_until(CHAOS_WEDGE_MS, outbox_empty, x) ? clock_mono_ms() - began : -1;
	UNUSED(took);
	HISTORY("probe", NULL, 0, took);
}

static void relay_fault(struct events *x, int64_t turn)
{
	static const char *const fails[] = {"BARQUE_FAIL=relay_before_publish:2:crash", "BARQUE_FAIL=relay_after_publish:2:crash",
	        "BARQUE_FAIL=relay_after_sent:2:crash"};
	int64_t kind = turn % 8;
	if (kind < 6) { /* the courier dies at a point, or everything with it at any moment */
		chaos_worker_kill(x->c, 0);
		relay_start(x, kind < 3 ? fails[kind] : NULL);
	} else {
		kill(x->broker, SIGSTOP);
	}
	for (int64_t until = clock_mono_ms() + (kind < 6 ? 300 + chaos_pick(x->c, 400) : 1500); clock_mono_ms() < until;) {
		change(x);
		clock_sleep_ms(5);
	}
	kill(x->broker, SIGCONT);
	chaos_faulted(x->c);
}

/* Long enough for whoever waits longer each time he fails to have become very patient. */
static void long_outage(struct events *x)
{
	kill(x->broker, SIGSTOP);
	for (int i = 0; i < 60; i++) {
		change(x);
		clock_sleep_ms(1000);
	}
	kill(x->broker, SIGCONT);
	chaos_faulted(x->c);
	events_probe(x);
}

/* Everything on the topic: an effect for each event. Returns how many came in a wrong order at their first sight. */
static int64_t events_read(struct events *x)
{
	static const char *const topic = "kline.changes";
	int64_t seen[SERIES] = {0}, wrong = 0;
	struct event ev;
	struct subscriber *s = subscriber_open(x->brokers, &topic, 1, true, &x->c->e);
	ck_assert_msg(s != NULL && subscriber_ready(s, START_MS, &x->c->e), "%s", x->c->e.text);
	for (int quiet = 0; quiet < 3;) {
		int got = subscriber_next(s, 1000, &ev, &x->c->e);
		quiet = got == 1 ? 0 : quiet + 1;
		if (got != 1)
			continue;
		char id[80];
		struct json *data = json_parse(ev.data, strlen(ev.data), &x->c->e);
		const char *symbol = json_get_text(data, "symbol", "S?");
		int64_t revision = json_get_int(data, "revision", -1), *last = &seen[(symbol[1] - '0') % SERIES];
		snprintf(id, sizeof(id), "%s-%lld", symbol, (long long)revision);
		HISTORY("effect", id, 0, 0);
		wrong += revision > *last + 1;
		*last = revision > *last ? revision : *last;
		json_close(&data);
	}
	subscriber_close(&s);
	return wrong;
}

START_TEST(R13_kafka_is_away_and_relays_are_killed)
{
	static struct chaos c;
	struct events x = {.c = &c};
	char url[300];
	c.no_jobs = true;
	chaos_open(&c, "R13", "the relay is killed, and at 3 points; Kafka does not answer (rows: changes of K-lines)", "no",
	        (struct chaos_size){200, 8, 100, 20});
	broker_start(&x);
	relay_start(&x, NULL);
	snprintf(url, sizeof(url), "sqlite:%s/db", test_dir());
	x.store = store_open(url, &c.e);
	ck_assert_msg(x.store != NULL, "%s", c.e.text);
	change(&x);
	events_probe(&x);
	for (int64_t turn = 0; chaos_goes_on(&c); turn++) {
		relay_fault(&x, turn);
		if (turn % 8 >= 5)
			events_probe(&x);
	}
	chaos_worker_kill(&c, 0);
	relay_start(&x, NULL);
	events_probe(&x);
	if (!chaos_is_short())
		long_outage(&x);
	ck_assert_msg(test_until(60000, outbox_empty, &x), "events wait in the outbox for ever");
	int64_t wrong = events_read(&x);
	chaos_remark(&c, "%lld events out of order when first seen", (long long)wrong);
	test_kill(x.broker, SIGKILL);
	store_close(&x.store);
	chaos_close(&c);
	ck_assert_int_eq(wrong, 0);
}
END_TEST

static const TTest *const tests[] = {
        R10_the_api_says_that_there_is_no_room, R13_kafka_is_away_and_relays_are_killed, R14_the_api_is_killed};
TEST_MAIN("chaos_edges", tests)
