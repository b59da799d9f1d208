/* test_kinds.c -- the registry of kinds, the check of their parameters, and each kind's run against simulated surroundings. */
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/client.h"
#include "kinds/download.h"
#include "kinds/kind.h"
#include "tests/lib/test.h"

/* ---- parameters */

static struct json *checked(const char *kind, const char *text, struct err *e)
{
	const struct kind *k = kind_of(kind);
	ck_assert_ptr_nonnull(k);
	struct json *in = json_parse(text, strlen(text), e);
	ck_assert_msg(in != NULL, "%s", e->text);
	struct json *out = kind_check(k, in, false, e);
	json_close(&in);
	return out;
}

static void refuses(const char *kind, const char *text, const char *word)
{
	struct err e = {0};
	struct json *out = checked(kind, text, &e);
	ck_assert_msg(out == NULL, "%s takes %s", kind, text);
	ck_assert_int_eq(e.code, ERR_INVALID);
	ck_assert_msg(strstr(e.text, word) != NULL, "\"%s\" does not say %s", e.text, word);
}

START_TEST(every_kind_is_complete)
{
	const struct kind *k;
	for (size_t i = 0; (k = kind_at(i)) != NULL; i++) {
		ck_assert(job_name_ok(k->name) && job_name_ok(k->queue));
		ck_assert_ptr_eq(kind_of(k->name), k);
		ck_assert(k->title != NULL && k->run != NULL && k->version > 0 && k->max_attempts > 0);
		ck_assert(k->backoff_ms > 0 && k->backoff_cap_ms >= k->backoff_ms);
		ck_assert_msg(k->soft_limit_ms > 0 && k->hard_limit_ms > k->soft_limit_ms, "%s has no sound time limits", k->name);
		for (size_t p = 0; p < k->n_params; p++)
			ck_assert_msg(k->params[p].help != NULL && strchr(k->params[p].help, '\n') == NULL, "%s.%s has no line of help",
			        k->name, k->params[p].name);
	}
	ck_assert_ptr_null(kind_of("kline"));
	ck_assert_ptr_null(kind_of(""));
}
END_TEST

#define DAYS "\"start_date\":\"2026-01-01\",\"end_date\":\"2026-01-05\""

START_TEST(parameters_that_are_wrong_are_refused)
{
	refuses("noop", "{\"sleep_ms\":-1}", "sleep_ms");
	refuses("noop", "{\"sleep\":1}", "sleep");
	refuses("noop", "[]", "");
	refuses("kline.download", "{\"interval\":\"2m\"}", "interval");
	refuses("kline.download", "{\"symbols\":[\"btc usdt\"]}", "btc usdt");
	refuses("kline.download", "{\"symbols\":\"BTCUSDT\"}", "symbols");
	refuses("kline.download", "{\"start_time\":\"2026-02-30\"}", "start_time");
	refuses("kline.download", "{\"start_time\":\"2026-02-02\",\"end_time\":\"2026-02-01\"}", "after");
	refuses("kline.download", "{\"start_time\":\"1960-01-01\",\"end_time\":\"1965-01-01\"}", "1970");
	refuses("kline.download", "{\"limit\":0}", "limit");
	refuses("kline.integrity", "{\"symbol\":\"a/b\"}", "a/b");
	refuses("kline.integrity", "{\"start_date\":\"2026-02-02\",\"end_date\":\"2026-02-01\"}", "after");
	refuses("backtest.run", "{\"strategy\":\"magic\"}", "magic");
	refuses("backtest.run", "{\"params\":{\"start_date\":\"2026-01-01\"}}", "end_date");
	refuses("backtest.run", "{\"params\":7}", "params");
	refuses("backtest.run", "{\"strategy\":\"sma_cross\",\"symbol\":\"BTCUSDT\"," DAYS ",\"fast\":30,\"slow\":30}", "less than slow");
	refuses("backtest.run", "{\"strategy\":\"sma_cross\",\"symbol\":\"币\\n\\\"\"," DAYS "}", "no symbol");
	refuses("backtest.run", "{" DAYS ",\"mode\":\"corrected\",\"leverage\":0}", "leverage");
	refuses("backtest.run", "{\"params\":{\"start_date\":\"2026-01-02\",\"end_date\":\"2026-01-01\"}}", "after");
	refuses("backtest.run", "{\"start_date\":\"2026-01-01\",\"end_date\":\"2026-01-02\",\"magic\":1}", "magic");
}
END_TEST

START_TEST(a_date_as_end_means_its_whole_day)
{
	struct err e = {0};
	struct json *p = checked("kline.download", "{\"start_time\":\"2026-02-01 13:00\",\"end_time\":\"2026-02-01\"}", &e);
	ck_assert_msg(p != NULL, "%s", e.text);
	ck_assert_str_eq(json_get_text(p, "interval", ""), "1d");
	json_close(&p);
}
END_TEST

START_TEST(a_backtest_takes_flat_parameters_too)
{
	struct err e = {0};
	struct json *flat = checked("backtest.run", "{\"start_date\":\"2026-01-01\",\"end_date\":\"2026-01-05\",\"leverage\":5}", &e);
	struct json *nested = checked("backtest.run",
	        "{\"strategy\":\"origin_short_top\",\"params\":{\"leverage\":5,\"end_date\":\"2026-01-05\",\"start_date\":\"2026-01-01\"}}",
	        &e);
	ck_assert(flat != NULL && nested != NULL);
	char *a = json_to_text(flat), *b = json_to_text(nested);
	ck_assert_str_eq(a, b);
	ck_assert_int_eq(json_get_int(json_get(flat, "params"), "leverage", 0), 5);
	mem_free(&a);
	mem_free(&b);
	json_close(&flat);
	json_close(&nested);
}
END_TEST

START_TEST(checked_parameters_pass_again_unchanged)
{
	static const char *const samples[][2] = {
	        {"noop", "{\"sleep_ms\":5}"},
	        {"kline.download", "{\"symbols\":[\"BTCUSDT\"],\"days_back\":30}"},
	        {"kline.integrity", "{}"},
	        {"backtest.run", "{\"start_date\":\"2026-01-01\",\"end_date\":\"2026-01-05\"}"},
	};
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		struct err e = {0};
		struct json *once = checked(samples[i][0], samples[i][1], &e);
		ck_assert_msg(once != NULL, "%s", e.text);
		char *first = json_to_text(once);
		struct json *twice = checked(samples[i][0], first, &e);
		ck_assert_msg(twice != NULL, "%s: %s", samples[i][0], e.text);
		char *second = json_to_text(twice);
		ck_assert_str_eq(first, second);
		mem_free(&first);
		mem_free(&second);
		json_close(&once);
		json_close(&twice);
	}
}
END_TEST

static void key_of(const char *text, char out[JOB_KEY])
{
	struct err e = {0};
	struct json *p = checked("kline.download", text, &e);
	ck_assert_msg(p != NULL, "%s", e.text);
	kind_of("kline.download")->unique_key(p, out);
	json_close(&p);
}

START_TEST(equal_downloads_have_one_key)
{
	char a[JOB_KEY], b[JOB_KEY], c[JOB_KEY];
	key_of("{\"interval\":\"1h\",\"symbols\":[\"BTCUSDT\"]}", a);
	key_of("{\"symbols\":[\"BTCUSDT\"],\"interval\":\"1h\",\"limit\":1500.0}", b);
	key_of("{\"symbols\":[\"BTCUSDT\"],\"interval\":\"4h\"}", c);
	ck_assert_str_eq(a, b);
	ck_assert_str_ne(a, c);
}
END_TEST

/* ---- surroundings of a running job */

struct bench {
	struct job_context context;
	struct job job;
	struct store *stores;
	struct exchange *market;
	struct json *params;
	struct json *result;
	struct err e;
	int64_t last_done, last_total;
	int calls, stop_at; /* stop_at: progress answers false from this call on; 0: never */
	bool backward;
	pid_t sim;
	int port;
};

static struct store *bench_store(struct job_context *c, struct err *e)
{
	struct bench *b = c->slot;
	if (b->stores == NULL)
		err_set(e, ERR_UNAVAILABLE, "no store");
	return b->stores;
}

static struct exchange *bench_exchange(struct job_context *c, struct err *e)
{
	struct bench *b = c->slot;
	if (b->market == NULL)
		err_set(e, ERR_UNAVAILABLE, "no exchange");
	return b->market;
}

static struct cache *bench_cache(struct job_context *c, struct err *e)
{
	UNUSED(c);
	err_set(e, ERR_UNAVAILABLE, "no cache");
	return NULL;
}

static bool bench_progress(struct job_context *c, int64_t done, int64_t total, const char *unit, const char *note)
{
	struct bench *b = c->slot;
	UNUSED(unit);
	UNUSED(note);
	b->backward = b->backward || done < b->last_done || (total > 0 && done > total);
	b->last_done = done;
	b->last_total = total;
	return ++b->calls != b->stop_at;
}

static void bench_log(struct job_context *c, const char *text)
{
	UNUSED(c);
	ck_assert(text[0]);
}

static void bench_open(struct bench *b)
{
	memset(b, 0, sizeof(*b));
	b->context = (struct job_context){.job = &b->job,
	        .slot = b,
	        .arena = arena_open(),
	        .store = bench_store,
	        .cache = bench_cache,
	        .exchange = bench_exchange,
	        .records_dir = test_dir(),
	        .progress = bench_progress,
	        .log = bench_log};
	b->job.attempt = 1;
	b->job.max_attempts = 5;
	b->job.fence = 1;
	ck_assert(str_copy(b->job.id, sizeof(b->job.id), "kline-0test"));
}

static bool bench_run(struct bench *b, const char *kind, const char *params)
{
	json_close(&b->params);
	json_close(&b->result);
	memset(&b->e, 0, sizeof(b->e));
	b->last_done = b->last_total = b->calls = 0;
	b->backward = false;
	b->params = checked(kind, params, &b->e);
	ck_assert_msg(b->params != NULL, "%s", b->e.text);
	b->context.params = b->params;
	bool ok = kind_of(kind)->run(&b->context, &b->result, &b->e);
	arena_reset(b->context.arena);
	ck_assert_msg(!b->backward, "progress went backward or beyond its total");
	return ok;
}

static bool sim_listens(void *user)
{
	struct bench *b = user;
	char url[64];
	int64_t now;
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", b->port);
	if (b->market == NULL)
		b->market = exchange_open(url, NULL, &b->e);
	return b->market != NULL && exchange_time(b->market, &now, &b->e);
}

/* A market of three symbols at noon of a day in 2026. */
static void bench_open_market(struct bench *b)
{
	char port[16];
	bench_open(b);
	b->stores = store_open("memory:", &b->e);
	ck_assert_msg(b->stores != NULL, "%s", b->e.text);
	b->port = test_port();
	snprintf(port, sizeof(port), "%d", b->port);
	const char *argv[] = {test_program("barque-exchange-sim"), "--port", port, "--symbols", "BTCUSDT,ETHUSDT,SOLUSDT", "--now",
	        "2026-02-28 12:00:30", "--since", "2025-12-01", NULL};
	b->sim = test_spawn("sim", argv, NULL);
	ck_assert_msg(test_until(15000, sim_listens, b), "the simulator does not answer: %s", b->e.text);
}

static void bench_close(struct bench *b)
{
	json_close(&b->params);
	json_close(&b->result);
	if (b->market != NULL)
		exchange_close(&b->market);
	if (b->stores != NULL)
		store_close(&b->stores);
	if (b->sim > 0)
		test_kill(b->sim, SIGTERM);
	arena_close(&b->context.arena);
}

static const struct json *symbol_result(const struct bench *b, size_t i)
{
	return json_at(json_get(b->result, "symbols"), i);
}

static int64_t figure(const struct bench *b, const char *name)
{
	return json_get_int(symbol_result(b, 0), name, -1);
}

/* ---- noop */

START_TEST(noop_does_as_told)
{
	struct bench b;
	bench_open(&b);
	ck_assert(bench_run(&b, "noop", "{}"));
	ck_assert_ptr_null(b.result);
	ck_assert(bench_run(&b, "noop", "{\"payload\":\"x\"}"));
	ck_assert_str_eq(json_get_text(b.result, "payload", ""), "x");
	ck_assert(!bench_run(&b, "noop", "{\"fail\":\"no luck\"}"));
	ck_assert_int_eq(b.e.code, ERR_INVALID);
	ck_assert(!bench_run(&b, "noop", "{\"fail_times\":2}"));
	ck_assert(err_is_temporary(b.e.code));
	b.job.attempt = 3;
	ck_assert(bench_run(&b, "noop", "{\"fail_times\":2}"));
	b.stop_at = 3;
	int64_t began = clock_mono_ms();
	ck_assert(!bench_run(&b, "noop", "{\"sleep_ms\":60000}"));
	ck_assert_int_eq(b.e.code, ERR_CANCELLED);
	ck_assert_int_lt(clock_mono_ms() - began, 10000);
	bench_close(&b);
}
END_TEST

/* ---- kline.download */

START_TEST(a_download_brings_all_bars_once)
{
	struct bench b;
	const char *params = "{\"symbols\":[\"BTCUSDT\"],\"interval\":\"1h\",\"start_time\":\"2026-01-01\",\"end_time\":\"2026-01-31\"}";
	bench_open_market(&b);
	ck_assert_msg(bench_run(&b, "kline.download", params), "%s", b.e.text);
	ck_assert_int_eq(figure(&b, "inserted"), 31 * 24);
	ck_assert_int_eq(figure(&b, "requested"), 31 * 24);
	ck_assert_int_eq(b.last_done, b.last_total);
	ck_assert_int_eq(b.last_total, 31 * 24);
	int64_t revision = figure(&b, "revision");
	ck_assert_int_gt(revision, 0);
	ck_assert_msg(bench_run(&b, "kline.download", params), "%s", b.e.text);
	ck_assert_int_eq(figure(&b, "requested"), 0);
	ck_assert_int_eq(figure(&b, "present"), 31 * 24);
	ck_assert_int_eq(figure(&b, "revision"), revision);
	bench_close(&b);
}
END_TEST

START_TEST(a_download_fills_holes_in_the_middle)
{
	struct bench b;
	int64_t from, deleted;
	struct store_writer who = {.job = ""};
	const char *params = "{\"symbols\":[\"BTCUSDT\"],\"interval\":\"1m\",\"start_time\":\"2026-02-01\",\"end_time\":\"2026-02-01\"}";
	bench_open_market(&b);
	ck_assert_msg(bench_run(&b, "kline.download", params), "%s", b.e.text);
	ck_assert_int_eq(figure(&b, "inserted"), 1440);
	ck_assert(time_parse("2026-02-01 10:00", &from, NULL));
	ck_assert(store_bars_delete(b.stores, "BTCUSDT", INTERVAL_1m, from, from + 9 * TIME_MINUTE, &who, &deleted, &b.e));
	ck_assert(store_bars_delete(b.stores, "BTCUSDT", INTERVAL_1m, from + TIME_HOUR, from + TIME_HOUR, &who, &deleted, &b.e));
	ck_assert_msg(bench_run(&b, "kline.download", params), "%s", b.e.text);
	ck_assert_int_eq(figure(&b, "requested"), 11);
	ck_assert_int_eq(figure(&b, "inserted"), 11);
	bench_close(&b);
}
END_TEST

START_TEST(history_that_never_was_is_asked_for_once)
{
	struct bench b;
	const char *params = "{\"symbols\":[\"BTCUSDT\"],\"interval\":\"1d\",\"start_time\":\"2025-01-01\",\"end_time\":\"2025-12-31\"}";
	bench_open_market(&b);
	ck_assert_msg(bench_run(&b, "kline.download", params), "%s", b.e.text);
	ck_assert_int_eq(figure(&b, "inserted"), 31);
	ck_assert_int_eq(figure(&b, "absent"), 365 - 31);
	ck_assert_msg(bench_run(&b, "kline.download", params), "%s", b.e.text);
	ck_assert_int_eq(figure(&b, "requested"), 0);
	ck_assert_int_eq(figure(&b, "absent"), 0);
	bench_close(&b);
}
END_TEST

START_TEST(without_a_start_the_newest_bars_come)
{
	struct bench b;
	struct series s;
	int64_t last;
	bench_open_market(&b);
	ck_assert_msg(bench_run(&b, "kline.download", "{\"symbols\":[\"ETHUSDT\"],\"interval\":\"1h\",\"limit\":100}"), "%s", b.e.text);
	ck_assert_int_eq(store_series(b.stores, "ETHUSDT", INTERVAL_1h, &s, &b.e), 1);
	ck_assert(time_parse("2026-02-28 11:00", &last, NULL));
	ck_assert_int_eq(s.rows, 100);
	ck_assert_int_eq(s.last, last);
	ck_assert_msg(bench_run(&b, "kline.download", "{\"symbols\":[\"ETHUSDT\"],\"interval\":\"1d\",\"days_back\":9}"), "%s", b.e.text);
	ck_assert_int_eq(store_series(b.stores, "ETHUSDT", INTERVAL_1d, &s, &b.e), 1);
	ck_assert(time_parse("2026-02-27", &last, NULL));
	ck_assert_int_eq(s.rows, 10);
	ck_assert_int_eq(s.last, last);
	bench_close(&b);
}
END_TEST

static void finds_nothing(struct bench *b, const char *range, const char *part)
{
	char params[300];
	snprintf(params, sizeof(params), "{\"symbols\":[\"BTCUSDT\",\"ETHUSDT\"],%s}", range);
	ck_assert_msg(bench_run(b, "kline.download", params), "%s: %s", range, b->e.text);
	ck_assert_uint_eq(json_count(json_get(b->result, "symbols")), 2);
	for (size_t i = 0; i < 2; i++) {
		const char *note = json_get_text(symbol_result(b, i), "note", "");
		ck_assert_msg(strstr(note, part) != NULL, "%s: \"%s\" does not say %s", range, note, part);
	}
	ck_assert_int_le(json_get_int(b->result, "from", 0), json_get_int(b->result, "to", 0));
}

START_TEST(a_range_without_a_bar_says_so)
{
	struct bench b;
	bench_open_market(&b);
	finds_nothing(&b, "\"interval\":\"1d\",\"start_time\":\"9999-01-01\"", "holds no closed 1d");
	ck_assert_msg(strstr(json_get_text(b.result, "note", ""), "9999-01-01") != NULL, "%s", json_get_text(b.result, "note", ""));
	ck_assert(json_is(json_get(b.result, "from"), JSON_NULL) && json_is(json_get(b.result, "to"), JSON_NULL));
	finds_nothing(&b, "\"interval\":\"1d\",\"start_time\":\"2026-02-28\",\"end_time\":\"2026-02-28\"", "holds no closed 1d");
	finds_nothing(&b, "\"interval\":\"1h\",\"start_time\":\"2026-02-01 10:15\",\"end_time\":\"2026-02-01 10:20\"", "no closed 1h");
	finds_nothing(&b, "\"interval\":\"1w\",\"end_time\":\"1970-01-01\"", "holds no closed 1w");
	finds_nothing(&b, "\"interval\":\"3d\",\"start_time\":\"9999-01-01\"", "holds no closed 3d");
	finds_nothing(&b, "\"interval\":\"1d\",\"start_time\":\"2000-01-01\",\"end_time\":\"2001-01-01\"", "the exchange has no");
	ck_assert_ptr_null(json_get(b.result, "note"));
	ck_assert_msg(bench_run(&b, "kline.download", "{\"symbols\":[\"BTCUSDT\"],\"interval\":\"1d\",\"days_back\":3}"), "%s", b.e.text);
	ck_assert_ptr_null(json_get(symbol_result(&b, 0), "note"));
	bench_close(&b);
}
END_TEST

START_TEST(three_days_are_told_by_the_bars_that_are_there)
{
	struct bench b;
	struct series s;
	bench_open_market(&b);
	ck_assert_msg(
	        bench_run(&b, "kline.download", "{\"symbols\":[\"BTCUSDT\"],\"interval\":\"3d\",\"start_time\":\"2026-01-01 05:00\"}"),
	        "%s", b.e.text);
	ck_assert_int_eq(store_series(b.stores, "BTCUSDT", INTERVAL_3d, &s, &b.e), 1);
	ck_assert_int_eq(json_get_int(b.result, "from", -1), s.first);
	ck_assert_int_eq(json_get_int(b.result, "to", -1), s.last);
	bench_close(&b);
}
END_TEST

START_TEST(every_interval_can_be_downloaded)
{
	struct bench b;
	bench_open_market(&b);
	for (int iv = 0; iv < INTERVAL_COUNT; iv++) {
		char params[200];
		snprintf(params, sizeof(params),
		        "{\"symbols\":[\"BTCUSDT\"],\"interval\":\"%s\",\"start_time\":\"2026-02-01\",\"end_time\":\"2026-02-27\"}",
		        interval_name((enum interval)iv));
		ck_assert_msg(bench_run(&b, "kline.download", params), "%s: %s", interval_name((enum interval)iv), b.e.text);
		int64_t got = figure(&b, "inserted");
		ck_assert_msg(bench_run(&b, "kline.download", params), "%s: %s", interval_name((enum interval)iv), b.e.text);
		ck_assert_msg(figure(&b, "inserted") == 0, "%s: %lld bars, then %lld more", interval_name((enum interval)iv),
		        (long long)got, (long long)figure(&b, "inserted"));
	}
	bench_close(&b);
}
END_TEST

START_TEST(one_wrong_symbol_does_not_lose_the_others)
{
	struct bench b;
	bench_open_market(&b);
	ck_assert_msg(bench_run(&b, "kline.download",
	                      "{\"symbols\":[\"BTCUSDT\",\"NOSUCHUSDT\",\"ETHUSDT\"],\"interval\":\"1d\",\"start_time\":\"2026-02-01\"}"),
	        "%s", b.e.text);
	ck_assert_uint_eq(json_count(json_get(b.result, "symbols")), 2);
	ck_assert_uint_eq(json_count(json_get(b.result, "failed")), 1);
	ck_assert_str_eq(json_get_text(json_at(json_get(b.result, "failed"), 0), "symbol", ""), "NOSUCHUSDT");
	ck_assert(!bench_run(&b, "kline.download", "{\"symbols\":[\"NOSUCHUSDT\"],\"interval\":\"1d\",\"start_time\":\"2026-02-01\"}"));
	ck_assert_msg(!err_is_temporary(b.e.code), "%s", b.e.text);
	bench_close(&b);
}
END_TEST

/* How many pages of K-lines the exchange was asked for. */
static int64_t pages_asked(const struct bench *b)
{
	char url[64];
	struct err e = {0};
	struct http_answer answer = {0};
	struct http_client *client = http_client_open(NULL, &e);
	ck_assert_msg(client != NULL, "%s", e.text);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/sim/stats", b->port);
	const struct http_call call = {.method = "GET", .url = url};
	ck_assert_msg(http_client_call(client, &call, &answer, &e), "%s", e.text);
	struct json *stats = json_parse(buf_text(&answer.body), answer.body.len, &e);
	ck_assert_msg(stats != NULL, "%s", e.text);
	int64_t n = json_get_int(json_get(stats, "requests"), "/fapi/v1/klines", -1);
	json_close(&stats);
	http_answer_close(&answer);
	http_client_close(&client);
	return n;
}

START_TEST(many_unknown_symbols_are_told_by_one_list)
{
	struct bench b;
	struct buf names = {0}, params = {0};
	bench_open_market(&b);
	for (int i = 0; i < 400; i++)
		buf_addf(&names, "\"NOPE%dUSDT\",", i);
	buf_addf(&params, "{\"symbols\":[%s\"ETHUSDT\"],\"interval\":\"1d\",\"days_back\":3}", buf_text(&names));
	ck_assert_msg(bench_run(&b, "kline.download", buf_text(&params)), "%s", b.e.text);
	ck_assert_int_le(pages_asked(&b), 20);
	ck_assert_uint_eq(json_count(json_get(b.result, "symbols")), 1);
	ck_assert_uint_eq(json_count(json_get(b.result, "failed")), 400);
	ck_assert_str_eq(json_get_text(json_at(json_get(b.result, "failed"), 399), "code", ""), "not_found");
	buf_clear(&params);
	buf_addf(&params, "{\"symbols\":[%s\"NOPE0USDT\"],\"interval\":\"1d\",\"days_back\":3}", buf_text(&names));
	ck_assert(!bench_run(&b, "kline.download", buf_text(&params)));
	ck_assert_int_eq(b.e.code, ERR_NOT_FOUND);
	ck_assert_msg(strstr(b.e.text, "400 symbols") != NULL && strstr(b.e.text, "NOPE9USDT and 390 more") != NULL, "%s", b.e.text);
	ck_assert(!bench_run(&b, "kline.download", "{\"symbols\":[\"NOPE\"],\"interval\":\"1d\",\"days_back\":3}"));
	ck_assert_msg(strncmp(b.e.text, "NOPE 1d: ", 9) == 0, "%s", b.e.text);
	buf_close(&names);
	buf_close(&params);
	bench_close(&b);
}
END_TEST

START_TEST(all_symbols_and_missing_only)
{
	struct bench b;
	struct symbol_row *rows;
	bench_open_market(&b);
	ck_assert_msg(bench_run(&b, "kline.download", "{\"symbols\":[\"BTCUSDT\"],\"interval\":\"1d\",\"days_back\":3}"), "%s", b.e.text);
	ck_assert_msg(bench_run(&b, "kline.download", "{\"interval\":\"1d\",\"days_back\":3,\"missing_only\":true}"), "%s", b.e.text);
	ck_assert_uint_eq(json_count(json_get(b.result, "symbols")), 2);
	ck_assert_int_eq(store_symbols_list(b.stores, b.context.arena, &rows, &b.e), 3);
	ck_assert_msg(bench_run(&b, "kline.download", "{\"interval\":\"1d\",\"days_back\":3,\"missing_only\":true}"), "%s", b.e.text);
	ck_assert_uint_eq(json_count(json_get(b.result, "symbols")), 0);
	bench_close(&b);
}
END_TEST

START_TEST(an_update_replaces_what_differs)
{
	struct bench b;
	struct bar *bars;
	size_t n;
	struct put_result put;
	struct store_writer who = {.job = ""};
	bench_open_market(&b);
	ck_assert(bench_run(&b, "kline.download",
	        "{\"symbols\":[\"BTCUSDT\"],\"interval\":\"1d\",\"start_time\":\"2026-02-01\",\"end_time\":\"2026-02-10\"}"));
	ck_assert(store_bars_get(b.stores, "BTCUSDT", INTERVAL_1d, 0, INT64_MAX, b.context.arena, &bars, &n, NULL, &b.e));
	ck_assert_uint_eq(n, 10);
	bars[4].close = bars[4].low;
	ck_assert(store_bars_put(b.stores, "BTCUSDT", INTERVAL_1d, &bars[4], 1, PUT_OVERWRITE, &who, &put, &b.e));
	ck_assert(bench_run(&b, "kline.download",
	        "{\"symbols\":[\"BTCUSDT\"],\"interval\":\"1d\",\"start_time\":\"2026-02-01\",\"end_time\":\"2026-02-10\",\"update_existing\":true}"));
	ck_assert_int_eq(figure(&b, "updated"), 1);
	ck_assert_int_eq(figure(&b, "same"), 9);
	bench_close(&b);
}
END_TEST

START_TEST(a_download_stops_when_asked_and_goes_on_later)
{
	struct bench b;
	const char *params = "{\"symbols\":[\"BTCUSDT\"],\"interval\":\"1m\",\"start_time\":\"2026-02-01\",\"end_time\":\"2026-02-02\"}";
	bench_open_market(&b);
	b.stop_at = 4;
	ck_assert(!bench_run(&b, "kline.download", params));
	ck_assert_int_eq(b.e.code, ERR_CANCELLED);
	b.stop_at = 0;
	ck_assert_msg(bench_run(&b, "kline.download", params), "%s", b.e.text);
	ck_assert_int_eq(figure(&b, "inserted"), 2880 - 3 * EXCHANGE_PAGE);
	ck_assert_int_eq(figure(&b, "present"), 3 * EXCHANGE_PAGE);
	bench_close(&b);
}
END_TEST

START_TEST(an_older_claim_may_not_write)
{
	struct bench b;
	bench_open_market(&b);
	b.job.fence = 9;
	ck_assert(bench_run(&b, "kline.download",
	        "{\"symbols\":[\"BTCUSDT\"],\"interval\":\"1d\",\"start_time\":\"2026-02-01\",\"end_time\":\"2026-02-10\"}"));
	b.job.fence = 8;
	ck_assert(!bench_run(&b, "kline.download",
	        "{\"symbols\":[\"BTCUSDT\"],\"interval\":\"1d\",\"start_time\":\"2026-01-01\",\"end_time\":\"2026-02-10\"}"));
	ck_assert_msg(err_is_temporary(b.e.code), "%s", b.e.text);
	bench_close(&b);
}
END_TEST

START_TEST(an_exchange_that_is_away_is_a_temporary_error)
{
	struct bench b;
	bench_open_market(&b);
	test_kill(b.sim, SIGKILL);
	b.sim = 0;
	ck_assert(!bench_run(&b, "kline.download", "{\"symbols\":[\"BTCUSDT\"],\"interval\":\"1d\",\"start_time\":\"2026-02-01\"}"));
	ck_assert_msg(err_is_temporary(b.e.code), "%s: %s", err_name(b.e.code), b.e.text);
	bench_close(&b);
}
END_TEST

/* ---- kline.integrity */

START_TEST(integrity_finds_the_hole)
{
	struct bench b;
	int64_t from, deleted;
	struct store_writer who = {.job = ""};
	bench_open_market(&b);
	ck_assert(bench_run(&b, "kline.download",
	        "{\"symbols\":[\"BTCUSDT\",\"ETHUSDT\"],\"interval\":\"1d\",\"start_time\":\"2026-02-01\",\"end_time\":\"2026-02-20\"}"));
	ck_assert(bench_run(&b, "kline.integrity", "{\"interval\":\"1d\"}"));
	ck_assert_int_eq(json_get_int(b.result, "checked_symbols", -1), 2);
	ck_assert_uint_eq(json_count(json_get(b.result, "symbols_with_issues")), 0);
	ck_assert(time_parse("2026-02-05", &from, NULL));
	ck_assert(store_bars_delete(b.stores, "ETHUSDT", INTERVAL_1d, from, from, &who, &deleted, &b.e));
	ck_assert_int_eq(deleted, 1);
	ck_assert(bench_run(&b, "kline.integrity", "{\"interval\":\"1d\"}"));
	ck_assert_str_eq(json_text(json_at(json_get(b.result, "symbols_with_issues"), 0)), "ETHUSDT");
	ck_assert_int_eq(json_get_int(json_get(b.result, "summary"), "missing_dates", -1), 1);
	ck_assert(bench_run(&b, "kline.integrity", "{\"interval\":\"1d\",\"symbol\":\"NONEUSDT\"}"));
	ck_assert_int_eq(json_get_int(json_get(b.result, "summary"), "empty_tables", -1), 1);
	bench_close(&b);
}
END_TEST

static const TTest *const tests[] = {every_kind_is_complete, parameters_that_are_wrong_are_refused, a_date_as_end_means_its_whole_day,
        a_backtest_takes_flat_parameters_too, checked_parameters_pass_again_unchanged, equal_downloads_have_one_key, noop_does_as_told,
        a_download_brings_all_bars_once, a_download_fills_holes_in_the_middle, history_that_never_was_is_asked_for_once,
        without_a_start_the_newest_bars_come, a_range_without_a_bar_says_so, three_days_are_told_by_the_bars_that_are_there,
        every_interval_can_be_downloaded, one_wrong_symbol_does_not_lose_the_others, many_unknown_symbols_are_told_by_one_list,
        all_symbols_and_missing_only, an_update_replaces_what_differs, a_download_stops_when_asked_and_goes_on_later,
        an_older_claim_may_not_write, an_exchange_that_is_away_is_a_temporary_error, integrity_finds_the_hole};
TEST_MAIN("kinds", tests)
