/* test_exchange.c -- the exchange door against the simulator program over HTTP: every digit, every fault, never over the limit. */
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "exchange/exchange.h"
#include "http/client.h"
#include "market/csv.h"
#include "tests/lib/test.h"

#define NOON INT64_C(1772280000000) /* 2026-02-28 12:00:00 */

struct sim {
	pid_t pid;
	char name[32]; /* of its log */
	char url[64];
	struct http_client *http;
	struct http_answer answer;
};

/* ---- the simulator ------------------------------------------------------------------------------------------ */

static bool has_line(void *user)
{
	struct sim *s = user;
	char path[300];
	size_t len;
	snprintf(path, sizeof(path), "%s/%s.log", test_dir(), s->name);
	if (access(path, R_OK))
		return false;
	char *text = test_read_file(path, &len);
	char *line = strstr(text, "listening on ");
	bool ok = line && strchr(line, '\n');
	if (ok) {
		*strchr(line, '\n') = '\0';
		snprintf(s->url, sizeof(s->url), "http://%s", line + strlen("listening on "));
	}
	mem_free(&text);
	return ok;
}

/* more: further arguments, NULL-terminated. */
static void sim_start(struct sim *s, const char *now, const char *const *more)
{
	const char *argv[24] = {test_program("barque-exchange-sim"), "--port", "0", "--die-with-parent", "--now", now};
	size_t n = 6;
	struct err e = {0};
	memset(s, 0, sizeof(*s));
	for (; more && *more; more++)
		argv[n++] = *more;
	snprintf(s->name, sizeof(s->name), "sim%lld", (long long)clock_mono_us());
	s->pid = test_spawn(s->name, argv, NULL);
	ck_assert_msg(test_until(20000, has_line, s), "the simulator does not start");
	s->http = http_client_open(NULL, &e);
	ck_assert_msg(s->http != NULL, "%s", e.text);
}

static void sim_stop(struct sim *s)
{
	int status = -1;
	http_answer_close(&s->answer);
	http_client_close(&s->http);
	ck_assert_int_eq(kill(s->pid, SIGTERM), 0);
	ck_assert(test_wait(s->pid, 15000, &status));
	ck_assert_msg(status == 0, "the simulator ended with status %d", status);
}

static int sim_get(struct sim *s, const char *path)
{
	char url[400];
	struct err e = {0};
	snprintf(url, sizeof(url), "%s%s", s->url, path);
	struct http_call call = {.url = url};
	ck_ok(http_client_call(s->http, &call, &s->answer, &e), &e);
	return s->answer.status;
}

static void sim_fault(struct sim *s, const char *fault)
{
	char path[128];
	snprintf(path, sizeof(path), "/sim/faults?set=%s", fault);
	ck_assert_int_eq(sim_get(s, "/sim/faults?clear=1"), 200);
	ck_assert_int_eq(sim_get(s, path), 200);
}

static struct json *sim_stats(struct sim *s)
{
	struct err e = {0};
	ck_assert_int_eq(sim_get(s, "/sim/stats"), 200);
	struct json *j = json_parse(buf_text(&s->answer.body), s->answer.body.len, &e);
	ck_assert_msg(j != NULL, "%s", e.text);
	return j;
}

static int64_t sim_stat(struct sim *s, const char *group, const char *key)
{
	struct json *j = sim_stats(s);
	int64_t n = json_get_int(group ? json_get(j, group) : j, key, -1);
	json_close(&j);
	return n;
}

static int64_t klines_asked(struct sim *s)
{
	return sim_stat(s, "requests", "/fapi/v1/klines");
}

static struct exchange *door(const struct sim *s, const struct exchange_budget *budget)
{
	struct err e = {0};
	struct exchange *x = exchange_open(s->url, budget, &e);
	ck_assert_msg(x != NULL, "%s", e.text);
	return x;
}

static const char *const btc[] = {"--symbols", "BTCUSDT,ADAUSDT", NULL};

/* ---- candles ------------------------------------------------------------------------------------------------ */

/* All bars of a range, page by page; mem_free them. */
static struct bar *download(struct exchange *x, const char *symbol, enum interval iv, int64_t from, int64_t to, int *n_out)
{
	struct err e = {0};
	size_t max = (size_t)interval_count(iv, from, interval_floor(iv, to, 0)) + 1;
	struct bar *bars = mem_array(max + EXCHANGE_PAGE, sizeof(*bars));
	int n = 0, got;
	do {
		int64_t start = n ? bars[n - 1].open_time + 1 : from;
		got = start > to ? 0 : exchange_klines(x, symbol, iv, start, to, EXCHANGE_PAGE, &bars[n], &e);
		ck_assert_msg(got >= 0, "%s", e.text);
		n += got;
		ck_assert_int_le(n, (int)max);
	} while (got > 0);
	*n_out = n;
	return bars;
}

static void add(struct dec *sum, struct dec d)
{
	struct dec out;
	ck_assert(dec_add(*sum, d, &out));
	*sum = out;
}

/* The candle of iv that minutes[0..n) make up. */
static struct bar sum_of(const struct bar *minutes, int n)
{
	struct bar b = minutes[0];
	for (int i = 1; i < n; i++) {
		const struct bar *m = &minutes[i];
		b.high = dec_cmp(m->high, b.high) > 0 ? m->high : b.high;
		b.low = dec_cmp(m->low, b.low) < 0 ? m->low : b.low;
		b.close = m->close;
		b.close_time = m->close_time;
		b.trades += m->trades;
		add(&b.volume, m->volume);
		add(&b.quote_volume, m->quote_volume);
		add(&b.taker_base, m->taker_base);
		add(&b.taker_quote, m->taker_quote);
	}
	return b;
}

START_TEST(long_ranges_page_by_page)
{
	struct sim s;
	int n, hours;
	int64_t from = NOON - 3 * TIME_DAY;
	sim_start(&s, "2026-02-28 12:00:30", btc);
	struct exchange *x = door(&s, NULL);
	struct bar *m = download(x, "BTCUSDT", INTERVAL_1m, from, NOON + TIME_DAY, &n);
	ck_assert_int_eq(n, 3 * 1440);
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(m[i].open_time, from + i * TIME_MINUTE);
	struct bar *h = download(x, "BTCUSDT", INTERVAL_1h, from, NOON + TIME_DAY, &hours);
	ck_assert_int_eq(hours, 72);
	for (int i = 0; i < hours; i++) {
		struct bar sum = sum_of(&m[i * 60], 60);
		ck_assert(bar_equal(&sum, &h[i]));
	}
	ck_assert_int_eq(klines_asked(&s), 9 + 1 + 1 + 1); /* the last page of each is empty */
	mem_free(&m);
	mem_free(&h);
	exchange_close(&x);
	sim_stop(&s);
}
END_TEST

START_TEST(every_interval_is_the_sum_of_its_minutes)
{
	struct sim s;
	int n;
	int64_t from = interval_floor(INTERVAL_1w, NOON - 10 * TIME_DAY, 0), to = from + 7 * TIME_DAY - 1;
	sim_start(&s, "2026-02-28 12:00:00", btc);
	struct exchange *x = door(&s, NULL);
	struct bar *m = download(x, "ADAUSDT", INTERVAL_1m, from, to, &n);
	ck_assert_int_eq(n, 7 * 1440);
	for (enum interval iv = INTERVAL_3m; iv <= INTERVAL_1w; iv++) {
		int got;
		struct bar *b = download(x, "ADAUSDT", iv, from, to, &got);
		ck_assert_int_gt(got, 0);
		for (int i = 0; i < got && b[i].close_time <= to; i++) {
			int64_t first = (b[i].open_time - from) / TIME_MINUTE;
			struct bar sum = sum_of(&m[first], (int)((b[i].close_time + 1 - b[i].open_time) / TIME_MINUTE));
			ck_assert_msg(bar_equal(&sum, &b[i]), "%s, candle %d", interval_name(iv), i);
		}
		mem_free(&b);
	}
	struct err e = {0};
	struct bar months[3];
	int got = exchange_klines(x, "ADAUSDT", INTERVAL_1M, NOON - 100 * TIME_DAY, NOON, 3, months, &e);
	ck_assert_msg(got == 2, "%d %s", got, e.text); /* December and January: February is forming */
	mem_free(&m);
	exchange_close(&x);
	sim_stop(&s);
}
END_TEST

START_TEST(prices_are_the_same_every_time)
{
	struct sim s;
	struct bar one[50], two[50], other[50];
	struct err e = {0};
	int differ = 0;
	for (int run = 0; run < 3; run++) {
		const char *const args[] = {"--symbols", "BTCUSDT", "--seed", run < 2 ? "5" : "6", NULL};
		sim_start(&s, "2026-02-28 12:00:00", args);
		struct exchange *x = door(&s, NULL);
		struct bar *into = run == 0 ? one : run == 1 ? two : other;
		ck_assert_int_eq(exchange_klines(x, "BTCUSDT", INTERVAL_1h, NOON - 50 * TIME_HOUR, NOON - 1, 50, into, &e), 50);
		exchange_close(&x);
		sim_stop(&s);
	}
	for (int i = 0; i < 50; i++) {
		ck_assert(bar_equal(&one[i], &two[i]));
		differ += !bar_equal(&one[i], &other[i]);
	}
	ck_assert_int_eq(differ, 50);
}
END_TEST

static void write_file(const char *name, const char *text)
{
	char path[300];
	snprintf(path, sizeof(path), "%s/%s", test_dir(), name);
	FILE *f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

START_TEST(files_are_served_digit_by_digit)
{
	static const char csv[] =
	        CSV_HEADER "\n"
	                   "1772276400000,0.000012300,1.10,0.00001,1,123456789.000,1772279999999,9.87654321,42,1.50,0.10,0\n"
	                   "1772280000000,1,1,1,1,0,1772283599999,,,,,\n";
	struct sim s;
	struct bar b[5];
	struct err e = {0};
	struct buf line = {0};
	write_file("ODDUSDT-1h-2026-02.csv", csv);
	write_file("ODDUSDT-1m.csv", "1772276400000,1,1,1,1,2,1772276459999,2,1,1,1,0\n");
	char gzip[300];
	snprintf(gzip, sizeof(gzip), "gzip '%s/ODDUSDT-1m.csv'", test_dir());
	ck_assert_int_eq(system(gzip), 0);
	const char *const args[] = {"--csv", test_dir(), NULL};
	sim_start(&s, "2026-02-28 13:00:00", args);
	struct exchange *x = door(&s, NULL);
	int n = exchange_klines(x, "ODDUSDT", INTERVAL_1h, 0, NOON * 2, 5, b, &e);
	ck_assert_msg(n == 2, "%d %s", n, e.text);
	csv_print(&line, &b[0]);
	ck_assert_str_eq(
	        buf_text(&line), "1772276400000,0.000012300,1.10,0.00001,1,123456789.000,1772279999999,9.87654321,42,1.50,0.10,0\n");
	buf_clear(&line);
	csv_print(&line, &b[1]);
	ck_assert_str_eq(buf_text(&line), "1772280000000,1,1,1,1,0,1772283599999,0,0,0,0,0\n");
	ck_assert_int_eq(exchange_klines(x, "ODDUSDT", INTERVAL_1m, 0, NOON, 5, b, &e), 1);
	ck_assert_int_eq(exchange_klines(x, "ODDUSDT", INTERVAL_1d, 0, NOON, 5, b, &e), 0); /* no file, not made up */
	buf_close(&line);
	exchange_close(&x);
	sim_stop(&s);
}
END_TEST

START_TEST(real_candles_arrive_as_they_are)
{
	static const char folder[] = "um_klines_api", name[] = "um_klines_api/BTCUSDT-1h.csv";
	const char *path = test_data(name);
	struct sim s;
	struct err e = {0};
	size_t len;
	int n, row = 0;
	if (!path) {
		test_skip_data(name);
		return;
	}
	char *text = test_read_file(path, &len);
	const char *const args[] = {"--csv", test_data(folder), NULL};
	sim_start(&s, "2026-02-28 13:00:00", args);
	struct exchange *x = door(&s, NULL);
	struct bar *b = download(x, "BTCUSDT", INTERVAL_1h, INT64_C(1735689600000), NOON, &n);
	struct csv_reader r;
	struct bar want;
	csv_open(&r, text, len);
	while (csv_next(&r, &want, &e) > 0) {
		struct buf one = {0}, two = {0};
		ck_assert_int_lt(row, n);
		csv_print(&one, &want);
		csv_print(&two, &b[row++]);
		ck_assert_str_eq(buf_text(&one), buf_text(&two));
		buf_close(&one);
		buf_close(&two);
	}
	ck_assert_int_gt(row, 700);
	ck_assert_int_eq(row, n);
	mem_free(&b);
	mem_free(&text);
	exchange_close(&x);
	sim_stop(&s);
}
END_TEST

/* ---- the forming candle ------------------------------------------------------------------------------------- */

static int newest(struct exchange *x, struct bar *out)
{
	struct bar b[10];
	struct err e = {0};
	int n = exchange_klines(x, "BTCUSDT", INTERVAL_1m, NOON - 5 * TIME_MINUTE, NOON + TIME_DAY, 10, b, &e);
	ck_assert_msg(n >= 0, "%s", e.text);
	if (n)
		*out = b[n - 1];
	return n;
}

START_TEST(the_forming_candle_never_comes)
{
	static const char *const worlds[] = {"gap", "clock_skew", "unclosed"};
	struct sim s;
	struct bar last, again;
	for (size_t i = 0; i < ARRAY_LEN(worlds); i++) {
		sim_start(&s, "2026-02-28 11:59:59", (const char *const[]){"--symbols", "BTCUSDT", "--fault", worlds[i], NULL});
		struct exchange *x = door(&s, NULL);
		struct err e = {0};
		int64_t end = clock_mono_ms() + 1600, now;
		int first = newest(x, &last), n = first;
		while (clock_mono_ms() < end) {
			n = newest(x, &last);
			ck_ok(exchange_time(x, &now, &e), &e);
			ck_assert_int_lt(last.close_time, now);
			clock_sleep_ms(100);
		}
		ck_assert_int_eq(first, 4);
		ck_assert_int_eq(n, 5); /* the minute turned */
		sim_get(&s, "/sim/clock?advance=30000");
		ck_assert_int_eq(newest(x, &again), 5);
		ck_assert(bar_equal(&last, &again)); /* what was given was final */
		exchange_close(&x);
		sim_stop(&s);
	}
}
END_TEST

START_TEST(holes_and_late_listing_are_no_errors)
{
	struct sim s;
	struct bar b[400];
	struct err e = {0};
	const int64_t sunday = NOON + TIME_DAY / 2; /* 2026-03-01 */
	sim_start(&s, "2026-03-02 00:00:00",
	        (const char *const[]){"--symbols", "BTCUSDT", "--fault", "gap", "--fault", "late_listing", NULL});
	struct exchange *x = door(&s, NULL);
	int n = exchange_klines(x, "BTCUSDT", INTERVAL_1m, sunday + TIME_HOUR, sunday + 5 * TIME_HOUR - 1, 400, b, &e);
	ck_assert_msg(n == 90, "%d %s", n, e.text);
	ck_assert_int_eq(b[60].open_time, sunday + 4 * TIME_HOUR + 30 * TIME_MINUTE);
	n = exchange_klines(x, "BTCUSDT", INTERVAL_1d, INT64_C(1567296000000), NOON, 400, b, &e);
	ck_assert_msg(n > 10, "%d %s", n, e.text);
	ck_assert_int_ge(b[0].open_time, INT64_C(1567296000000) + 30 * TIME_DAY);
	ck_assert_int_eq(
	        exchange_klines(x, "BTCUSDT", INTERVAL_1d, INT64_C(1567296000000), INT64_C(1567296000000) + TIME_DAY, 400, b, &e), 0);
	exchange_close(&x);
	sim_stop(&s);
}
END_TEST

/* ---- faults ------------------------------------------------------------------------------------------------- */

static int ask_ten(struct exchange *x, struct err *e)
{
	struct bar b[10];
	*e = (struct err){0};
	return exchange_klines(x, "BTCUSDT", INTERVAL_1h, NOON - 12 * TIME_HOUR, NOON - 2 * TIME_HOUR - 1, 10, b, e);
}

/* Each of these goes wrong once or twice, and the caller never learns of it. */
START_TEST(temporary_trouble_is_waited_out)
{
	static const struct {
		const char *fault;
		int requests;
	} cases[] = {{"429:1", 2}, {"418:1", 2}, {"500:1", 2}, {"502:2", 3}, {"503:1", 2}, {"reset:1", 2}, {"truncate:1", 2}, {"slow:1", 1},
	        {"badjson:1", 2}, {"html:1", 2}, {"dup:1", 2}, {"disorder:1", 2}, {"outside:1", 2}, {"impossible:1", 2}, {"unaligned:1", 2},
	        {"short_row:1", 2}, {"numbers:1", 2}};
	struct sim s;
	struct err e;
	sim_start(&s, "2026-02-28 12:00:00", btc);
	struct exchange *x = door(&s, NULL);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t before = klines_asked(&s);
		sim_fault(&s, cases[i].fault);
		int n = ask_ten(x, &e);
		ck_assert_msg(n == 10, "%s: %d %s", cases[i].fault, n, e.text);
		ck_assert_msg(klines_asked(&s) - before == cases[i].requests, "%s: %d requests", cases[i].fault,
		        (int)(klines_asked(&s) - before));
	}
	exchange_close(&x);
	sim_stop(&s);
}
END_TEST

START_TEST(lasting_trouble_has_its_class)
{
	static const struct {
		const char *fault;
		enum err_code code;
		int requests;
	} cases[] = {{"451", ERR_DENIED, 1}, {"403html", ERR_LIMITED, 1}, {"badjson", ERR_CORRUPT, 2}, {"html", ERR_CORRUPT, 2},
	        {"dup", ERR_CORRUPT, 2}, {"disorder", ERR_CORRUPT, 2}, {"outside", ERR_CORRUPT, 2}, {"impossible", ERR_CORRUPT, 2},
	        {"unaligned", ERR_CORRUPT, 2}, {"short_row", ERR_CORRUPT, 2}, {"numbers", ERR_CORRUPT, 2}};
	struct sim s;
	struct err e;
	sim_start(&s, "2026-02-28 12:00:00", btc);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct exchange *x = door(&s, NULL);
		int64_t before = klines_asked(&s);
		sim_fault(&s, cases[i].fault);
		ck_assert_int_eq(ask_ten(x, &e), -1);
		ck_assert_msg(e.code == cases[i].code, "%s: %s, %s", cases[i].fault, err_name(e.code), e.text);
		ck_assert_msg(strstr(e.text, "BTCUSDT 1h") != NULL, "%s", e.text);
		ck_assert_int_eq(klines_asked(&s) - before, cases[i].requests);
		exchange_close(&x);
	}
	sim_stop(&s);
}
END_TEST

/* The three that take long run at once. */
static void *without_end(void *user)
{
	struct sim *s = user;
	struct err e;
	struct exchange *x = door(s, NULL);
	ck_assert_int_eq(ask_ten(x, &e), -1);
	ck_assert_msg(e.code == ERR_UNAVAILABLE, "%s", e.text);
	exchange_close(&x);
	return NULL;
}

static void *hanging_once(void *user)
{
	struct sim *s = user;
	struct err e;
	struct exchange *x = door(s, NULL);
	int64_t start = clock_mono_ms();
	ck_assert_int_eq(ask_ten(x, &e), 10);
	ck_assert_int_gt(clock_mono_ms() - start, 5000);
	ck_assert_int_lt(clock_mono_ms() - start, 20000);
	exchange_close(&x);
	return NULL;
}

START_TEST(trouble_without_end_is_given_up)
{
	struct sim broken, hanging, dead = {0};
	pthread_t threads[3];
	struct err e;
	sim_start(&broken, "2026-02-28 12:00:00", (const char *const[]){"--symbols", "BTCUSDT", "--fault", "502", NULL});
	sim_start(&hanging, "2026-02-28 12:00:00", (const char *const[]){"--symbols", "BTCUSDT", "--fault", "hang:1", NULL});
	snprintf(dead.url, sizeof(dead.url), "http://127.0.0.1:%d", test_port());
	pthread_create(&threads[0], NULL, without_end, &broken);
	pthread_create(&threads[1], NULL, without_end, &dead);
	pthread_create(&threads[2], NULL, hanging_once, &hanging);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(klines_asked(&broken), 5);
	ck_assert_int_eq(klines_asked(&hanging), 2);
	sim_fault(&broken, "empty");
	struct exchange *x = door(&broken, NULL);
	ck_assert_int_eq(ask_ten(x, &e), 0); /* empty is an answer */
	exchange_close(&x);
	ck_assert_ptr_null(exchange_open("ftp://x", NULL, &e));
	ck_assert_int_eq(e.code, ERR_INVALID);
	sim_stop(&broken);
	sim_stop(&hanging);
}
END_TEST

START_TEST(questions_are_checked)
{
	struct sim s;
	struct err e = {0};
	struct bar b[10];
	sim_start(&s, "2026-02-28 12:00:00", btc);
	struct exchange *x = door(&s, NULL);
	ck_assert_int_eq(exchange_klines(x, "NOSUCHUSDT", INTERVAL_1h, 0, NOON, 10, b, &e), -1);
	ck_assert_int_eq(e.code, ERR_NOT_FOUND);
	ck_assert_int_eq(klines_asked(&s), 1);
	static const struct {
		const char *symbol;
		int64_t from, to;
		int limit;
	} bad[] = {{"BTC&x=USDT", 0, 1, 1}, {"", 0, 1, 1}, {"BTCUSDT", 2, 1, 1}, {"BTCUSDT", -1, 1, 1}, {"BTCUSDT", 0, 1, 0},
	        {"BTCUSDT", 0, 1, 1501}};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		ck_assert_int_eq(exchange_klines(x, bad[i].symbol, INTERVAL_1h, bad[i].from, bad[i].to, bad[i].limit, b, &e), -1);
		ck_assert_int_eq(e.code, ERR_INVALID);
	}
	ck_assert_int_eq(klines_asked(&s), 1);
	exchange_close(&x);
	sim_stop(&s);
}
END_TEST

START_TEST(symbols_and_tickers)
{
	struct sim s;
	struct err e = {0};
	struct exchange_symbol *symbols;
	struct exchange_ticker *t;
	struct arena *a = arena_open();
	char text[DEC_TEXT];
	sim_start(&s, "2026-02-28 12:00:00", btc);
	struct exchange *x = door(&s, NULL);
	int n = exchange_symbols(x, a, &symbols, &e);
	ck_assert_msg(n == 2, "%d %s", n, e.text);
	ck_assert_str_eq(symbols[0].symbol, "BTCUSDT");
	ck_assert_str_eq(symbols[1].symbol, "ADAUSDT");
	ck_assert_str_eq(symbols[0].status, "TRADING");
	dec_print(text, symbols[0].tick);
	ck_assert_str_eq(text, "0.10");
	n = exchange_tickers(x, a, &t, &e);
	ck_assert_msg(n == 2, "%d %s", n, e.text);
	ck_assert_int_gt(dec_sign(t[0].last), 0);
	ck_assert_int_le(dec_cmp(t[0].low, t[0].last), 0);
	ck_assert_int_eq(sim_stat(&s, NULL, "weight_total"), 41);
	exchange_close(&x);
	arena_close(&a);
	sim_stop(&s);
}
END_TEST

/* ---- the budget --------------------------------------------------------------------------------------------- */

START_TEST(weights_are_those_of_the_exchange)
{
	static const struct {
		int limit, weight;
	} cases[] = {{1, 1}, {99, 1}, {100, 2}, {499, 2}, {500, 5}, {1000, 5}, {1001, 10}, {1500, 10}};
	struct sim s;
	struct err e = {0};
	struct bar *b = mem_array(1500, sizeof(*b));
	sim_start(&s, "2026-02-28 12:00:00", btc);
	struct exchange *x = door(&s, NULL);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t before = sim_stat(&s, NULL, "weight_total");
		ck_assert_int_eq(exchange_klines(x, "BTCUSDT", INTERVAL_1m, 0, NOON, cases[i].limit, b, &e), cases[i].limit);
		ck_assert_int_eq(sim_stat(&s, NULL, "weight_total") - before, cases[i].weight);
	}
	mem_free(&b);
	exchange_close(&x);
	sim_stop(&s);
}
END_TEST

/* A process of its own keeps the limit that exchangeInfo names, across the turn of the exchange's minute. */
START_TEST(a_private_budget_keeps_the_limit)
{
	struct sim s;
	struct err e = {0};
	struct exchange_symbol *symbols;
	struct arena *a = arena_open();
	sim_start(&s, "2026-02-28 11:59:56", (const char *const[]){"--symbols", "BTCUSDT", "--weight-limit", "100", NULL});
	struct exchange *x = door(&s, NULL);
	ck_assert_int_eq(exchange_symbols(x, a, &symbols, &e), 1);
	int64_t start = clock_mono_ms();
	for (int i = 0; i < 130; i++)
		ck_assert_int_eq(ask_ten(x, &e), 10);
	ck_assert_int_gt(clock_mono_ms() - start, 1000);
	ck_assert_int_le(sim_stat(&s, NULL, "weight_max"), 100);
	ck_assert_int_ge(sim_stat(&s, NULL, "weight_max"), 95);
	ck_assert_int_eq(sim_stat(&s, NULL, "answered_429"), 0);
	exchange_close(&x);
	arena_close(&a);
	sim_stop(&s);
}
END_TEST

/* A budget that several doors share, on this machine's view of the simulator's clock. */
struct shared {
	pthread_mutex_t lock;
	int64_t offset_ms, minute, used, stop_ms, stops;
	int64_t limit_seen;
	atomic_bool stop;
	atomic_int takes;
};

static int shared_take(void *user, int64_t cost, int64_t limit, int64_t *wait_ms_out, struct err *e)
{
	struct shared *b = user;
	UNUSED(e);
	pthread_mutex_lock(&b->lock);
	int64_t now = clock_mono_ms() + b->offset_ms;
	if (b->minute != now / TIME_MINUTE) {
		b->minute = now / TIME_MINUTE;
		b->used = 0;
	}
	b->limit_seen = limit;
	b->takes++;
	bool ok = b->used + cost <= limit;
	b->used += ok ? cost : 0;
	*wait_ms_out = TIME_MINUTE - now % TIME_MINUTE;
	pthread_mutex_unlock(&b->lock);
	return ok;
}

static bool shared_correct(void *user, int64_t used, int64_t stop_ms, struct err *e)
{
	struct shared *b = user;
	UNUSED(e);
	pthread_mutex_lock(&b->lock);
	b->used = used > b->used ? used : b->used;
	b->stops += stop_ms > 0;
	b->stop_ms = stop_ms > b->stop_ms ? stop_ms : b->stop_ms;
	pthread_mutex_unlock(&b->lock);
	return true;
}

static bool shared_go_on(void *user)
{
	return !((struct shared *)user)->stop;
}

static struct exchange_budget shared_budget(struct shared *b, struct sim *s)
{
	memset(b, 0, sizeof(*b));
	pthread_mutex_init(&b->lock, NULL);
	b->offset_ms = sim_stat(s, NULL, "now") - clock_mono_ms();
	return (struct exchange_budget){shared_take, shared_correct, shared_go_on, b};
}

struct asker {
	struct exchange *x;
	int asked;
};

static void *ask_many(void *user)
{
	struct asker *a = user;
	struct err e;
	for (; a->asked < 90; a->asked++) {
		int n = ask_ten(a->x, &e);
		ck_assert_msg(n == 10, "%d %s", n, e.text);
	}
	return NULL;
}

START_TEST(a_shared_budget_is_never_exceeded)
{
	struct sim s;
	struct shared b;
	pthread_t threads[6];
	struct asker askers[6] = {0};
	sim_start(&s, "2026-02-28 11:59:55", (const char *const[]){"--symbols", "BTCUSDT", "--weight-limit", "300", NULL});
	struct exchange_budget budget = shared_budget(&b, &s);
	struct arena *a = arena_open();
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		struct exchange_symbol *symbols;
		struct err e = {0};
		askers[i].x = door(&s, &budget);
		ck_assert_int_eq(exchange_symbols(askers[i].x, a, &symbols, &e), 1); /* learns the limit */
	}
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_create(&threads[i], NULL, ask_many, &askers[i]);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		pthread_join(threads[i], NULL);
		exchange_close(&askers[i].x);
	}
	int64_t most = sim_stat(&s, NULL, "weight_max");
	ck_assert_int_le(most, 300);
	ck_assert_int_ge(most, 285); /* and over 95 % of it is used */
	ck_assert_int_eq(sim_stat(&s, NULL, "answered_429"), 0);
	ck_assert_int_eq(sim_stat(&s, NULL, "weight_total"), 6 * 91);
	arena_close(&a);
	sim_stop(&s);
}
END_TEST

START_TEST(a_refusal_stops_everybody)
{
	struct sim s;
	struct shared b;
	struct err e;
	sim_start(&s, "2026-02-28 12:00:00", btc);
	struct exchange_budget budget = shared_budget(&b, &s);
	struct exchange *x = door(&s, &budget);
	sim_fault(&s, "418:1");
	ck_assert_int_eq(ask_ten(x, &e), 10);
	ck_assert_int_eq(b.stops, 1);
	ck_assert_int_eq(b.stop_ms, 2000);
	sim_fault(&s, "403html:1");
	ck_assert_int_eq(ask_ten(x, &e), -1);
	ck_assert_int_eq(b.stops, 2);
	ck_assert_int_eq(e.retry_after_ms, 5 * TIME_MINUTE);
	sim_fault(&s, "429");
	int64_t before = klines_asked(&s);
	ck_assert_int_eq(ask_ten(x, &e), -1); /* bounded: this budget does not stop it, and it still ends */
	ck_assert_int_eq(e.code, ERR_LIMITED);
	ck_assert_int_eq(klines_asked(&s) - before, 5);
	exchange_close(&x);
	sim_stop(&s);
}
END_TEST

static void *stop_after_300_ms(void *user)
{
	struct shared *b = user;
	clock_sleep_ms(300);
	b->stop = true;
	return NULL;
}

static void cancelled_within(struct sim *s, struct shared *b, int64_t ms)
{
	struct err e;
	pthread_t t;
	struct exchange_budget budget = {shared_take, shared_correct, shared_go_on, b};
	struct exchange *x = door(s, &budget);
	b->stop = false;
	int64_t start = clock_mono_ms();
	pthread_create(&t, NULL, stop_after_300_ms, b);
	ck_assert_int_eq(ask_ten(x, &e), -1);
	pthread_join(t, NULL);
	ck_assert_msg(e.code == ERR_CANCELLED, "%s", e.text);
	ck_assert_int_lt(clock_mono_ms() - start, ms);
	exchange_close(&x);
}

START_TEST(waiting_can_be_cancelled)
{
	struct sim s;
	struct shared b;
	sim_start(&s, "2026-02-28 12:00:00", btc);
	shared_budget(&b, &s);
	sim_fault(&s, "502"); /* in the pause between tries */
	cancelled_within(&s, &b, 1500);
	sim_fault(&s, "hang"); /* in the middle of a request */
	cancelled_within(&s, &b, 4000);
	b.used = 1000000; /* while the budget is used up */
	b.minute = (clock_mono_ms() + b.offset_ms) / TIME_MINUTE;
	cancelled_within(&s, &b, 1500);
	sim_stop(&s);
}
END_TEST

/* ---- the simulator itself ----------------------------------------------------------------------------------- */

static void answers(struct sim *s, const char *path, int status, const char *body)
{
	ck_assert_int_eq(sim_get(s, path), status);
	ck_assert_str_eq(buf_text(&s->answer.body), body);
}

START_TEST(the_simulator_refuses_as_binance_does)
{
	struct sim s;
	sim_start(&s, "2026-02-28 12:00:00", btc);
	answers(&s, "/fapi/v1/ping", 200, "{}");
	answers(&s, "/fapi/v1/klines?symbol=NOPE&interval=1d", 400, "{\"code\":-1121,\"msg\":\"Invalid symbol.\"}");
	answers(&s, "/fapi/v1/klines?symbol=BTCUSDT&interval=7m", 400, "{\"code\":-1120,\"msg\":\"Invalid interval.\"}");
	answers(&s, "/fapi/v1/klines?interval=1d", 400,
	        "{\"code\":-1102,\"msg\":\"Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.\"}");
	answers(&s, "/fapi/v1/klines?symbol=BTCUSDT&interval=1d&limit=1501", 400,
	        "{\"code\":-1130,\"msg\":\"Data sent for parameter 'limit' is not valid.\"}");
	answers(&s, "/fapi/v1/klines?symbol=BTCUSDT&interval=1d&startTime=2&endTime=1", 400,
	        "{\"code\":-1023,\"msg\":\"Start time is greater than end time.\"}");
	answers(&s, "/fapi/v1/nothing", 404, "{\"code\":-5000,\"msg\":\"Path /fapi/v1/nothing, Method GET is invalid\"}");
	sim_stop(&s);
}
END_TEST

START_TEST(the_simulator_limits_and_bans)
{
	struct sim s;
	char text[64];
	sim_start(
	        &s, "2026-02-28 12:00:10", (const char *const[]){"--symbols", "BTCUSDT", "--weight-limit", "5", "--ban-after", "2", NULL});
	for (int i = 1; i <= 5; i++) {
		ck_assert_int_eq(sim_get(&s, "/fapi/v1/time"), 200);
		ck_assert(http_answer_header(&s.answer, "x-mbx-used-weight-1m", text, sizeof(text)));
		ck_assert_int_eq(atoi(text), i);
	}
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(sim_get(&s, "/fapi/v1/time"), 429);
		ck_assert(http_answer_header(&s.answer, "retry-after", text, sizeof(text)));
		ck_assert_int_ge(atoi(text), 40);
		ck_assert_int_le(atoi(text), 50);
		ck_assert_ptr_nonnull(strstr(buf_text(&s.answer.body), "\"code\":-1003"));
	}
	ck_assert_int_eq(sim_get(&s, "/fapi/v1/time"), 418);
	ck_assert_ptr_nonnull(strstr(buf_text(&s.answer.body), "banned until"));
	sim_get(&s, "/sim/clock?advance=60000");
	ck_assert_int_eq(sim_get(&s, "/fapi/v1/time"), 418); /* a new minute does not end a ban */
	sim_get(&s, "/sim/clock?advance=70000");
	ck_assert_int_eq(sim_get(&s, "/fapi/v1/time"), 200);
	sim_stop(&s);
}
END_TEST

static const TTest *const tests[] = {long_ranges_page_by_page, every_interval_is_the_sum_of_its_minutes, prices_are_the_same_every_time,
        files_are_served_digit_by_digit, real_candles_arrive_as_they_are, the_forming_candle_never_comes,
        holes_and_late_listing_are_no_errors, temporary_trouble_is_waited_out, lasting_trouble_has_its_class,
        trouble_without_end_is_given_up, questions_are_checked, symbols_and_tickers, weights_are_those_of_the_exchange,
        a_private_budget_keeps_the_limit, a_shared_budget_is_never_exceeded, a_refusal_stops_everybody, waiting_can_be_cancelled,
        the_simulator_refuses_as_binance_does, the_simulator_limits_and_bans};
TEST_MAIN("exchange", tests)
