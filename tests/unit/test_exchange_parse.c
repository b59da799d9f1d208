/* test_exchange_parse.c -- reading the exchange's answers: every digit, and nothing that it does not document. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "exchange/exchange_private.h"
#include "tests/lib/test.h"

#define T0 INT64_C(1616338800000) /* a full hour */
#define ROW                                                                                                                     \
	"[1616338800000,\"57212.69\",\"57315.00\",\"57196.19\",\"57300.00\",\"496.263\",1616339099999,\"28425514.78940\",7160," \
	"\"273.108\",\"15642623.69718\",\"0\"]"
#define ROW2 "[1616339100000,\"57300.00\",\"57300.01\",\"57299.99\",\"57300.00\",\"0\",1616339399999,\"0\",0,\"0\",\"0\",\"0\"]"

static struct klines_page page_of(struct bar *bars, int limit)
{
	return (struct klines_page){.symbol = "BTCUSDT", .interval = INTERVAL_5m, .from = 0, .to = INT64_MAX, .limit = limit, .bars = bars};
}

static bool read_page(struct klines_page *p, const char *text, int64_t now, struct err *e)
{
	return exchange_read_klines(p, text, strlen(text), now, e);
}

static void prints(struct dec d, const char *want)
{
	char text[DEC_TEXT];
	dec_print(text, d);
	ck_assert_str_eq(text, want);
}

START_TEST(a_documented_candle_keeps_every_digit)
{
	struct bar bars[5];
	struct klines_page p = page_of(bars, 5);
	struct err e = {0};
	ck_ok(read_page(&p, "[" ROW "]", INT64_MAX, &e), &e);
	ck_assert_int_eq(p.n, 1);
	ck_assert_int_eq(bars[0].open_time, T0);
	ck_assert_int_eq(bars[0].close_time, T0 + 299999);
	ck_assert_int_eq(bars[0].trades, 7160);
	prints(bars[0].open, "57212.69");
	prints(bars[0].high, "57315.00");
	prints(bars[0].low, "57196.19");
	prints(bars[0].close, "57300.00");
	prints(bars[0].volume, "496.263");
	prints(bars[0].quote_volume, "28425514.78940");
	prints(bars[0].taker_base, "273.108");
	prints(bars[0].taker_quote, "15642623.69718");
	prints(bars[0].unused, "0");
	ck_ok(read_page(&p, " [ ] ", INT64_MAX, &e), &e);
	ck_assert_int_eq(p.n, 0);
}
END_TEST

START_TEST(a_candle_is_closed_when_the_server_is_past_it)
{
	struct bar bars[5];
	struct klines_page p = page_of(bars, 5);
	struct err e = {0};
	ck_ok(read_page(&p, "[" ROW "," ROW2 "]", T0 + 299999, &e), &e);
	ck_assert_int_eq(p.n, 0);
	ck_ok(read_page(&p, "[" ROW "," ROW2 "]", T0 + 300000, &e), &e);
	ck_assert_int_eq(p.n, 1);
	ck_ok(read_page(&p, "[" ROW "," ROW2 "]", T0 + 600000, &e), &e);
	ck_assert_int_eq(p.n, 2);
}
END_TEST

START_TEST(nothing_else_is_a_candle)
{
	static const char *const bad[] = {
	        "",
	        "{}",
	        "null",
	        "[[]]",
	        "[1]",
	        "[" ROW,
	        "[" ROW ",]",
	        "[" ROW "," ROW "]",  /* twice */
	        "[" ROW2 "," ROW "]", /* out of order */
	        "[" ROW "] x",
	        /* 11 and 13 fields */
	        "[[1616338800000,\"1\",\"1\",\"1\",\"1\",\"1\",1616339099999,\"1\",1,\"1\",\"1\"]]",
	        "[[1616338800000,\"1\",\"1\",\"1\",\"1\",\"1\",1616339099999,\"1\",1,\"1\",\"1\",\"0\",\"0\"]]",
	        /* a price as a number, a time as text, trades with a point, null */
	        "[[1616338800000,1,\"1\",\"1\",\"1\",\"1\",1616339099999,\"1\",1,\"1\",\"1\",\"0\"]]",
	        "[[\"1616338800000\",\"1\",\"1\",\"1\",\"1\",\"1\",1616339099999,\"1\",1,\"1\",\"1\",\"0\"]]",
	        "[[1616338800000,\"1\",\"1\",\"1\",\"1\",\"1\",1616339099999,\"1\",1.5,\"1\",\"1\",\"0\"]]",
	        "[[1616338800000,\"1\",null,\"1\",\"1\",\"1\",1616339099999,\"1\",1,\"1\",\"1\",\"0\"]]",
	        /* no decimals */
	        "[[1616338800000,\"1e3\",\"1\",\"1\",\"1\",\"1\",1616339099999,\"1\",1,\"1\",\"1\",\"0\"]]",
	        "[[1616338800000,\"NaN\",\"1\",\"1\",\"1\",\"1\",1616339099999,\"1\",1,\"1\",\"1\",\"0\"]]",
	        "[[1616338800000,\"\",\"1\",\"1\",\"1\",\"1\",1616339099999,\"1\",1,\"1\",\"1\",\"0\"]]",
	        "[[1616338800000,\"99999999999999999999\",\"1\",\"1\",\"1\",\"1\",1616339099999,\"1\",1,\"1\",\"1\",\"0\"]]",
	        /* not aligned, wrong close time, high below low, negative volume, taker over total, negative trades */
	        "[[1616338801000,\"1\",\"1\",\"1\",\"1\",\"1\",1616339100999,\"1\",1,\"1\",\"1\",\"0\"]]",
	        "[[1616338800000,\"1\",\"1\",\"1\",\"1\",\"1\",1616339100000,\"1\",1,\"1\",\"1\",\"0\"]]",
	        "[[1616338800000,\"1\",\"1\",\"2\",\"1\",\"1\",1616339099999,\"1\",1,\"1\",\"1\",\"0\"]]",
	        "[[1616338800000,\"1\",\"1\",\"1\",\"1\",\"-1\",1616339099999,\"1\",1,\"1\",\"1\",\"0\"]]",
	        "[[1616338800000,\"1\",\"1\",\"1\",\"1\",\"1\",1616339099999,\"1\",1,\"2\",\"1\",\"0\"]]",
	        "[[1616338800000,\"1\",\"1\",\"1\",\"1\",\"1\",1616339099999,\"1\",-1,\"1\",\"1\",\"0\"]]",
	};
	struct bar bars[5];
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct klines_page p = page_of(bars, 5);
		struct err e = {0};
		ck_assert_msg(!read_page(&p, bad[i], INT64_MAX, &e), "taken: %s", bad[i]);
		ck_assert_msg(e.code == ERR_CORRUPT, "%s: %s, %s", bad[i], err_name(e.code), e.text);
		ck_assert(e.text[0]);
	}
}
END_TEST

START_TEST(only_what_was_asked_for)
{
	struct bar bars[5];
	struct klines_page p = page_of(bars, 1);
	struct err e = {0};
	ck_assert(!read_page(&p, "[" ROW "," ROW2 "]", INT64_MAX, &e)); /* more than the limit */
	ck_assert_int_eq(e.code, ERR_CORRUPT);
	p = page_of(bars, 5);
	p.from = T0 + 1;
	ck_assert(!read_page(&p, "[" ROW "]", INT64_MAX, &e));
	p = page_of(bars, 5);
	p.to = T0 - 1;
	ck_assert(!read_page(&p, "[" ROW "]", INT64_MAX, &e));
	p.to = T0;
	ck_ok(read_page(&p, "[" ROW "]", INT64_MAX, &e), &e);
}
END_TEST

START_TEST(errors_have_their_class)
{
	static const struct {
		int status;
		const char *body;
		enum err_code class;
		const char *part;
	} cases[] = {
	        {400, "{\"code\":-1121,\"msg\":\"Invalid symbol.\"}", ERR_NOT_FOUND, "Invalid symbol."},
	        {400, "{\"code\":-1120,\"msg\":\"Invalid interval.\"}", ERR_INVALID, "-1120"},
	        {400, "{\"code\":-1003,\"msg\":\"Too many\"}", ERR_LIMITED, "Too many"},
	        {400, "{\"code\":-9999,\"msg\":\"a\\nb\\u0007\"}", ERR_INVALID, "a b "},
	        {400, "nonsense", ERR_INVALID, "400"},
	        {400, "{\"code\":\"x\",\"msg\":5}", ERR_INVALID, "400"},
	        {403, "<html>", ERR_LIMITED, "firewall"},
	        {418, "{\"code\":-1003,\"msg\":\"banned until 1721393459728\"}", ERR_LIMITED, "banned until"},
	        {429, "", ERR_LIMITED, "too many requests"},
	        {451, "{\"code\":0,\"msg\":\"restricted\"}", ERR_DENIED, "region"},
	        {408, "", ERR_UNAVAILABLE, "408"},
	        {500, "{\"code\":-1000,\"msg\":\"x\"}", ERR_UNAVAILABLE, "500"},
	        {502, "<html><h1>502 Bad Gateway", ERR_UNAVAILABLE, "502"},
	        {503, "{\"code\":-1008,\"msg\":\"overloaded\"}", ERR_UNAVAILABLE, "overloaded"},
	        {404, "{\"code\":-5000,\"msg\":\"Path\"}", ERR_INVALID, "Path"},
	        {302, "", ERR_CORRUPT, "302"},
	        {0, "", ERR_CORRUPT, "0"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = {0};
		enum err_code got = exchange_error(cases[i].status, cases[i].body, strlen(cases[i].body), &e);
		ck_assert_msg(got == cases[i].class && e.code == got, "%d %s: %s", cases[i].status, cases[i].body, err_name(got));
		ck_assert_msg(strstr(e.text, cases[i].part) != NULL, "%s", e.text);
	}
}
END_TEST

START_TEST(long_words_are_cut_between_characters)
{
	struct buf b = {0};
	struct err e = {0};
	buf_adds(&b, "{\"code\":-1,\"msg\":\"x");
	for (int i = 0; i < 500; i++)
		buf_adds(&b, "\xe5\x9c\xa8");
	buf_adds(&b, "\"}");
	exchange_error(400, buf_text(&b), b.len, &e);
	struct buf quoted = {0};
	buf_addf(&quoted, "\"%s\"", e.text);
	struct json *j = json_parse(buf_text(&quoted), quoted.len, &e);
	ck_assert_msg(j != NULL, "not UTF-8 any more");
	json_close(&j);
	buf_close(&quoted);
	buf_close(&b);
}
END_TEST

START_TEST(the_date_header)
{
	static const char *const bad[] = {"", "Sun, 06 Nov 1994 08:49:37", "Sunday, 06-Nov-94 08:49:37 GMT",
	        "Sun, 06 Nob 1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT",
	        "Sun, 06 ovD 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 06 Nov 19x4 08:49:37 GMT"};
	int64_t t;
	ck_assert(exchange_http_date("Sun, 06 Nov 1994 08:49:37 GMT", &t));
	ck_assert_int_eq(t, INT64_C(784111777000));
	ck_assert(exchange_http_date("Thu, 29 Feb 2024 23:59:59 GMT", &t));
	ck_assert_int_eq(t, INT64_C(1709251199000));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(!exchange_http_date(bad[i], &t), "%s", bad[i]);
}
END_TEST

START_TEST(the_server_time)
{
	static const char *const bad[] = {"", "{}", "{\"serverTime\":\"1\"}", "{\"serverTime\":1.5}", "{\"serverTime\":-1}", "[]"};
	struct err e = {0};
	int64_t t;
	static const char good[] = "{\"serverTime\":1499827319559}";
	ck_ok(exchange_read_time(good, sizeof(good) - 1, &t, &e), &e);
	ck_assert_int_eq(t, INT64_C(1499827319559));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		ck_assert(!exchange_read_time(bad[i], strlen(bad[i]), &t, &e));
		ck_assert_int_eq(e.code, ERR_CORRUPT);
	}
}
END_TEST

static int symbols_of(const char *text, struct arena *a, struct exchange_symbol **out, int64_t *limit, struct err *e)
{
	return exchange_read_symbols(text, strlen(text), a, out, limit, e);
}

START_TEST(symbols_and_their_filters)
{
	static const char text[] =
	        "{\"rateLimits\":[{\"rateLimitType\":\"ORDERS\",\"interval\":\"MINUTE\",\"intervalNum\":1,\"limit\":1200},"
	        "{\"rateLimitType\":\"REQUEST_WEIGHT\",\"interval\":\"MINUTE\",\"intervalNum\":1,\"limit\":6000}],\"symbols\":["
	        "{\"symbol\":\"BTCUSDT\",\"status\":\"TRADING\",\"contractType\":\"PERPETUAL\",\"onboardDate\":1569398400000,\"filters\":["
	        "{\"filterType\":\"PRICE_FILTER\",\"tickSize\":\"0.10\"},{\"filterType\":\"LOT_SIZE\",\"stepSize\":\"0.001\",\"minQty\":\"0.002\"},"
	        "{\"filterType\":\"MIN_NOTIONAL\",\"notional\":\"100\"},{\"filterType\":\"NEW_ONE\",\"x\":[]}]},"
	        "{\"symbol\":\"ETHBTC\",\"status\":\"TRADING\"},{\"symbol\":\"btcUSDT\",\"status\":\"TRADING\"},"
	        "{\"symbol\":\"\xe5\xb8\x81\xe5\xae\x89USDT\",\"status\":\"SETTLING\",\"contractType\":\"\"}]}";
	struct arena *a = arena_open();
	struct exchange_symbol *s;
	struct err e = {0};
	int64_t limit = 1;
	int n = symbols_of(text, a, &s, &limit, &e);
	ck_assert_msg(n == 2, "%d %s", n, e.text);
	ck_assert_int_eq(limit, 6000);
	ck_assert_str_eq(s[0].symbol, "BTCUSDT");
	ck_assert_str_eq(s[0].status, "TRADING");
	ck_assert_str_eq(s[0].contract, "PERPETUAL");
	ck_assert_int_eq(s[0].onboard_at, INT64_C(1569398400000));
	prints(s[0].tick, "0.10");
	prints(s[0].step, "0.001");
	prints(s[0].min_qty, "0.002");
	prints(s[0].min_notional, "100");
	ck_assert_str_eq(s[1].symbol, "\xe5\xb8\x81\xe5\xae\x89USDT");
	ck_assert_int_eq(s[1].tick.scale, -1);
	arena_close(&a);
}
END_TEST

START_TEST(symbols_that_cannot_be_trusted)
{
	static const char *const bad[] = {"", "[]", "{}", "{\"symbols\":{}}", "{\"symbols\":[{\"symbol\":\"AUSDT\"}]}",
	        "{\"symbols\":[{\"symbol\":\"AUSDT\",\"status\":\"TRADINGTRADINGTRADINGTRADING\"}]}",
	        "{\"symbols\":[{\"symbol\":\"AUSDT\",\"status\":\"X\",\"filters\":[{\"filterType\":\"PRICE_FILTER\",\"tickSize\":0.1}]}]}",
	        "{\"symbols\":[{\"symbol\":\"AUSDT\",\"status\":\"X\",\"filters\":[{\"filterType\":\"LOT_SIZE\",\"stepSize\":\"-1\"}]}]}"};
	struct arena *a = arena_open();
	struct exchange_symbol *s;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e = {0};
		int64_t limit = 7;
		ck_assert_int_eq(symbols_of(bad[i], a, &s, &limit, &e), -1);
		ck_assert_msg(e.code == ERR_CORRUPT, "%s", bad[i]);
		ck_assert_int_eq(limit, 7);
	}
	arena_close(&a);
}
END_TEST

START_TEST(a_real_exchange_info)
{
	static const char name[] = "reference/fapi_exchangeInfo_testnet_2025-03-06.json";
	const char *path = test_data(name);
	if (!path) {
		test_skip_data(name);
		return;
	}
	struct arena *a = arena_open();
	struct exchange_symbol *s;
	struct err e = {0};
	int64_t limit = 0;
	size_t len;
	char *text = test_read_file(path, &len);
	int n = exchange_read_symbols(text, len, a, &s, &limit, &e);
	ck_assert_msg(n > 300 && n <= 438, "%d %s", n, e.text);
	ck_assert_int_eq(limit, 6000);
	for (int i = 0; i < n; i++) {
		ck_assert_msg(s[i].tick.scale >= 0 && s[i].step.scale >= 0 && s[i].min_qty.scale >= 0 && s[i].min_notional.scale >= 0, "%s",
		        s[i].symbol);
	}
	mem_free(&text);
	arena_close(&a);
}
END_TEST

START_TEST(tickers)
{
	static const char good[] =
	        "[{\"symbol\":\"BTCUSDT\",\"priceChangePercent\":\"-95.960\",\"lastPrice\":\"4.00000200\",\"openPrice\":\"99.0\","
	        "\"highPrice\":\"100.00000000\",\"lowPrice\":\"0.10000000\",\"volume\":\"8913.30000000\"}]";
	static const char *const bad[] = {"{}", "[{\"symbol\":\"BTCUSDT\"}]", "[{\"symbol\":\"BTCUSDT\",\"priceChangePercent\":-95.96}]"};
	struct arena *a = arena_open();
	struct exchange_ticker *t;
	struct err e = {0};
	ck_assert_int_eq(exchange_read_tickers(good, sizeof(good) - 1, a, &t, &e), 1);
	prints(t[0].change_percent, "-95.960");
	prints(t[0].last, "4.00000200");
	prints(t[0].volume, "8913.30000000");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		ck_assert_int_eq(exchange_read_tickers(bad[i], strlen(bad[i]), a, &t, &e), -1);
		ck_assert_int_eq(e.code, ERR_CORRUPT);
	}
	arena_close(&a);
}
END_TEST

static const TTest *const tests[] = {a_documented_candle_keeps_every_digit, a_candle_is_closed_when_the_server_is_past_it,
        nothing_else_is_a_candle, only_what_was_asked_for, errors_have_their_class, long_words_are_cut_between_characters, the_date_header,
        the_server_time, symbols_and_their_filters, symbols_that_cannot_be_trusted, a_real_exchange_info, tickers};
TEST_MAIN("exchange_parse", tests)
