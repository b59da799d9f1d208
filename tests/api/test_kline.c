/* test_kline.c -- stored candles over HTTP: symbols, dates, pages, ranges, long answers; compared with the origin's recorded answers. */
#include "tests/api/api_test.h"

static void start(struct api_test *t)
{
	struct bar bars[10];

	api_start(t, NULL);
	store_put(t, "AAAUSDT", INTERVAL_1d, bars, golden_bars(bars));
}

static void get(struct api_test *t, const char *path)
{
	ck_status(t, api_call_port(t, t->ports[1], "GET", path, NULL, NULL), 200);
}

static int64_t count(const struct api_test *t, const char *name)
{
	return json_get_int(t->json, name, -1);
}

static const struct json *row(const struct api_test *t, size_t i)
{
	const struct json *r = json_at(json_get(t->json, "data"), i);

	ck_assert_ptr_nonnull(r);
	return r;
}

START_TEST(symbols_and_dates_are_the_origins)
{
	struct api_test t;

	api_start(&t, NULL);
	get(&t, "/api/symbols?interval=1d");
	ck_golden(&t, "symbols");
	ck_assert_str_eq(api_body(&t), "{\"interval\":\"1d\",\"count\":0,\"symbols\":[]}");
	get(&t, "/api/symbols?interval=zz");
	ck_golden(&t, "symbols none");
	struct bar bars[10];
	store_put(&t, "AAAUSDT", INTERVAL_1d, bars, golden_bars(bars));
	store_put(&t, "AABUSDT", INTERVAL_1d, bars, golden_bars(bars));
	get(&t, "/api/symbols");
	ck_assert_str_eq(api_body(&t), "{\"interval\":\"1d\",\"count\":2,\"symbols\":[\"AAAUSDT\",\"AABUSDT\"]}");
	get(&t, "/api/symbols?interval=1M");
	ck_assert_int_eq(count(&t, "count"), 0);
	get(&t, "/api/dates/1d/AAAUSDT");
	ck_golden(&t, "dates");
	ck_assert_int_eq(count(&t, "count"), 10);
	get(&t, "/api/dates/1d/NOPE");
	ck_golden(&t, "dates none");
	api_stop(&t);
}
END_TEST

START_TEST(candles_are_the_origins)
{
	struct api_test t;

	start(&t);
	get(&t, "/api/kline/1d/AAAUSDT?limit=2");
	ck_golden(&t, "kline");
	ck_contains(api_body(&t), "\"open_time\":1736380800000.0,\"open\":102.7731,");
	ck_contains(api_body(&t), "\"reserved_field\":\"0\",\"diff\":-4.4372,\"pct_chg\":-4.317472179004043}");
	get(&t, "/api/kline/1d/AAAUSDT?start_date=2025-01-02&end_date=2025-01-03");
	ck_golden(&t, "kline rng");
	get(&t, "/api/kline/1d/NOPE");
	ck_golden(&t, "kline none");
	ck_assert_str_eq(api_member(&t, "message"), "交易对 NOPE 在 1d 间隔下暂无数据，请先下载数据");
	get(&t, "/api/kline/1d/AAAUSDT?start_date=zzz");
	ck_golden(&t, "kline badrange");
	ck_assert_int_eq(count(&t, "total_count"), 0);
	get(&t, "/api/kline/1d/AAAUSDT?start_date=2024-01-01&end_date=2024-02-01");
	ck_golden(&t, "kline empty range");
	api_stop(&t);
}
END_TEST

START_TEST(pages_count_from_the_newest)
{
	struct api_test t;

	start(&t);
	get(&t, "/api/kline/1d/AAAUSDT?limit=2&offset=3");
	ck_assert_int_eq(count(&t, "count"), 2);
	ck_assert_int_eq(count(&t, "total_count"), 10);
	ck_assert_str_eq(json_get_text(row(&t, 0), "trade_date", ""), "2025-01-06");
	ck_assert(json_is(json_get(row(&t, 0), "diff"), JSON_NUMBER));
	get(&t, "/api/kline/1d/AAAUSDT?offset=8");
	ck_assert_int_eq(count(&t, "count"), 2);
	ck_assert(json_is(json_get(row(&t, 0), "diff"), JSON_NULL));
	ck_assert(json_is(json_get(row(&t, 0), "pct_chg"), JSON_NULL));
	ck_assert(json_is(json_get(row(&t, 1), "pct_chg"), JSON_NUMBER));
	get(&t, "/api/kline/1d/AAAUSDT?limit=5&offset=8");
	ck_assert_int_eq(count(&t, "count"), 2);
	get(&t, "/api/kline/1d/AAAUSDT?limit=5&offset=10");
	ck_assert_int_eq(count(&t, "count"), 0);
	ck_assert_int_eq(count(&t, "total_count"), 10);
	get(&t, "/api/kline/1d/AAAUSDT?limit=0");
	ck_assert_int_eq(count(&t, "count"), 0);
	get(&t, "/api/kline/1d/AAAUSDT?limit=&offset=");
	ck_assert_int_eq(count(&t, "count"), 10);
	ck_status(&t, api_get(&t, "/api/kline/1d/AAAUSDT?limit=-1"), 422);
	ck_status(&t, api_get(&t, "/api/kline/1d/AAAUSDT?offset=-1"), 422);
	ck_status(&t, api_get(&t, "/api/kline/1d/AAAUSDT?limit=1e3"), 422);
	ck_status(&t, api_get(&t, "/api/kline/1d/AAAUSDT?limit=99999999999999999999"), 422);
	api_stop(&t);
}
END_TEST

START_TEST(ranges_are_read_as_the_origin_reads_them)
{
	static const struct {
		const char *query;
		int count;
	} cases[] = {
	        {"start_date=2025-01-02%2000:00:00&end_date=2025-01-03%2000:00:00", 2},
	        {"start_date=2025-01-02%2000:00:01", 8},
	        {"end_date=2025-01-02", 2},
	        {"end_date=2999-01-01", 10},
	        {"start_date=2025-01-05&end_date=2025-01-04", 0},
	        {"start_date=1", 10},
	        {"end_date=zzz", 10},
	        {"end_date=1", 0},
	        {"start_date=2025-01-0x", 1},
	        {"start_date=&end_date=", 10},
	};
	struct api_test t;
	char path[300];

	start(&t);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(path, sizeof path, "/api/kline/1d/AAAUSDT?%s", cases[i].query);
		get(&t, path);
		ck_assert_msg(count(&t, "count") == cases[i].count && count(&t, "total_count") == cases[i].count, "%s: %s", cases[i].query,
		        api_body(&t));
	}
	api_stop(&t);
}
END_TEST

/* Three days of minutes with a hole, whole prices and tiny ones: the long answer is streamed, and must equal the pages. */
START_TEST(long_answers_are_whole)
{
	size_t n = 0, all = 15000;
	struct bar *bars = mem_array(all, sizeof *bars);
	struct api_test t;

	for (size_t i = 0; i < all; i++) {
		int64_t open = INT64_C(1735689600000) + (int64_t)(i + (i > 6000 ? 9000 : 0)) * TIME_MINUTE;
		char price[32];

		snprintf(price, sizeof price, "%zu.%02zu", 100 + i % 7, i % 100);
		bars[n++] = (struct bar){.open_time = open,
		        .close_time = open + TIME_MINUTE - 1,
		        .open = dec_of(price),
		        .high = dec_of("200"),
		        .low = dec_of("0.00000100"),
		        .close = dec_of(price),
		        .volume = dec_of("10"),
		        .quote_volume = dec_of("1000"),
		        .trades = 3,
		        .taker_base = dec_of("5"),
		        .taker_quote = dec_of("500"),
		        .unused = dec_of("0")};
	}
	api_start(&t, NULL);
	store_put(&t, "BBBUSDT", INTERVAL_1m, bars, n);
	get(&t, "/api/kline/1m/BBBUSDT");
	ck_assert_ptr_nonnull(t.json);
	ck_assert_int_eq(count(&t, "count"), (int64_t)all);
	ck_assert_int_eq(count(&t, "total_count"), (int64_t)all);
	ck_assert_uint_eq(json_count(json_get(t.json, "data")), all);
	ck_contains(api_body(&t), "\"high\":200.0,\"low\":0.000001,");
	size_t i = 0;
	for (const struct json *r = json_first(json_get(t.json, "data")); r; r = json_next(r), i++) {
		ck_assert_int_eq(json_get_int(r, "open_time", 0), bars[i].open_time);
		ck_assert_int_eq(json_is(json_get(r, "diff"), JSON_NULL), i == 0);
	}
	get(&t, "/api/kline/1m/BBBUSDT?limit=12000&offset=1000");
	ck_assert_uint_eq(json_count(json_get(t.json, "data")), 12000);
	ck_assert_int_eq(json_get_int(row(&t, 0), "open_time", 0), bars[2000].open_time);
	ck_assert(json_is(json_get(row(&t, 0), "diff"), JSON_NUMBER));
	ck_assert_int_eq(json_get_int(row(&t, 11999), "open_time", 0), bars[13999].open_time);
	mem_free(&bars);
	api_stop(&t);
}
END_TEST

static const TTest *const tests[] = {symbols_and_dates_are_the_origins, candles_are_the_origins, pages_count_from_the_newest,
        ranges_are_read_as_the_origin_reads_them, long_answers_are_whole};
TEST_MAIN("kline", tests)
