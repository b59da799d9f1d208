/* test_integrity.c -- holes at bar level, no false alarms, every kind of wrong bar, and the origin's JSON. */
#include "market/integrity.h"

#include <math.h>
#include <string.h>

#include "tests/lib/test.h"

#define MAX 4000

/* A series to be spoilt. */
struct series {
	size_t n;
	int64_t open_time[MAX], close_time[MAX], trades[MAX];
	double open[MAX], high[MAX], low[MAX], close[MAX], volume[MAX], quote[MAX], taker_base[MAX], taker_quote[MAX];
};

static struct series s;
static struct integrity r;
static struct arena *arena;

static int64_t at(const char *text)
{
	int64_t t;
	ck_assert_msg(time_parse(text, &t, NULL), "%s", text);
	return t;
}

static void add(enum interval iv, int64_t t)
{
	size_t i = s.n++;
	ck_assert_uint_lt(i, MAX);
	s.open_time[i] = t;
	s.close_time[i] = interval_close(iv, t);
	s.trades[i] = 5;
	s.open[i] = 10;
	s.high[i] = 12;
	s.low[i] = 9;
	s.close[i] = 11;
	s.volume[i] = 100;
	s.quote[i] = 1050;
	s.taker_base[i] = 40;
	s.taker_quote[i] = 400;
}

static void fill(enum interval iv, const char *from, size_t n)
{
	int64_t t = at(from);
	for (s.n = 0; n > 0; n--) {
		add(iv, t);
		t = interval_next(iv, t);
	}
}

static void cut(size_t first, size_t n)
{
	size_t tail = s.n - first - n;
	memmove(s.open_time + first, s.open_time + first + n, tail * sizeof *s.open_time);
	memmove(s.close_time + first, s.close_time + first + n, tail * sizeof *s.close_time);
	s.n -= n; /* the other columns are all alike */
}

static const struct integrity_options all = {.duplicates = true, .missing = true, .quality = true};

static void check(enum interval iv, const struct integrity_options *o)
{
	const struct columns c = {
	        s.n, s.open_time, s.close_time, s.trades, s.open, s.high, s.low, s.close, s.volume, s.quote, s.taker_base, s.taker_quote};
	if (!arena)
		arena = arena_open();
	integrity_check("AAAUSDT", iv, &c, o, arena, &r);
}

static size_t issues(void)
{
	const char *const *texts;
	return integrity_issues(&r, false, arena, &texts);
}

START_TEST(whole_series_raise_no_alarm)
{
	for (int i = 0; i < INTERVAL_COUNT; i++) {
		fill((enum interval)i, i == INTERVAL_1w ? "2025-01-06" : "2024-03-01", 100);
		check((enum interval)i, &all);
		ck_assert_msg(issues() == 0, "%s", interval_name((enum interval)i));
		ck_assert_int_eq(r.rows, 100);
		ck_assert_int_eq(r.missing_days, 0);
	}
}
END_TEST

START_TEST(holes_are_found_bar_by_bar)
{
	fill(INTERVAL_1m, "2025-01-01", 3000);
	cut(2000, 90);
	cut(100, 1);
	check(INTERVAL_1m, &all);
	ck_assert_int_eq(r.missing_bars, 91);
	ck_assert_uint_eq(r.n_ranges, 2);
	ck_assert_int_eq(r.ranges[0].from, at("2025-01-01 01:40:00"));
	ck_assert_int_eq(r.ranges[0].to, r.ranges[0].from);
	ck_assert_int_eq(r.ranges[0].count, 1);
	ck_assert_int_eq(r.ranges[1].from, at("2025-01-02 09:20:00"));
	ck_assert_int_eq(r.ranges[1].count, 90);
	ck_assert_int_eq(r.missing_days, 0); /* no whole day is gone */
	ck_assert_uint_eq(issues(), 1);
}
END_TEST

START_TEST(missing_days_are_those_without_any_bar)
{
	fill(INTERVAL_1h, "2025-01-01", 24 * 6);
	cut(30, 24 * 3 + 2); /* from 01-02 06:00 to 01-05 07:00 */
	check(INTERVAL_1h, &all);
	ck_assert_int_eq(r.missing_bars, 74);
	ck_assert_int_eq(r.missing_days, 2);
	ck_assert_int_eq(r.dates[0], at("2025-01-03"));
	ck_assert_int_eq(r.dates[1], at("2025-01-04"));
}
END_TEST

START_TEST(long_intervals_miss_only_their_own_days)
{
	fill(INTERVAL_1w, "2025-01-06", 10);
	cut(4, 2);
	check(INTERVAL_1w, &all);
	ck_assert_int_eq(r.missing_bars, 2);
	ck_assert_int_eq(r.missing_days, 2);
	ck_assert_int_eq(r.dates[0], at("2025-02-03"));
	fill(INTERVAL_3d, "2017-08-17", 10);
	cut(5, 1);
	check(INTERVAL_3d, &all);
	ck_assert_int_eq(r.missing_bars, 1);
	ck_assert_int_eq(r.dates[0], at("2017-09-01"));
	fill(INTERVAL_1M, "2024-01-01", 10);
	cut(1, 1);
	check(INTERVAL_1M, &all);
	ck_assert_int_eq(r.missing_days, 1);
	ck_assert_int_eq(r.dates[0], at("2024-02-01"));
}
END_TEST

START_TEST(days_before_the_listing_are_no_holes)
{
	struct integrity_options o = all;
	fill(INTERVAL_1d, "2025-02-10", 10);
	o.from = at("2024-01-01");
	check(INTERVAL_1d, &o);
	ck_assert_int_eq(r.missing_bars, 0);
	/* Where the listing is known and the series begins later, the days between are holes. */
	o.listed_at = at("2025-02-07 08:30:00");
	check(INTERVAL_1d, &o);
	ck_assert_int_eq(r.missing_bars, 2);
	ck_assert_int_eq(r.ranges[0].from, at("2025-02-08"));
	o.listed_at = at("2026-01-01"); /* a listing after the first bar says nothing */
	check(INTERVAL_1d, &o);
	ck_assert_int_eq(r.missing_bars, 0);
}
END_TEST

START_TEST(the_tail_counts_up_to_now)
{
	struct integrity_options o = all;
	fill(INTERVAL_1d, "2025-02-01", 10);
	o.to = at("2025-02-28") + TIME_DAY - 1;
	check(INTERVAL_1d, &o);
	ck_assert_int_eq(r.missing_bars, 18);
	o.now_ms = at("2025-02-13 12:00:00"); /* the 13th is not closed */
	check(INTERVAL_1d, &o);
	ck_assert_int_eq(r.missing_bars, 2);
	o.now_ms = at("2025-02-10 12:00:00");
	check(INTERVAL_1d, &o);
	ck_assert_int_eq(r.missing_bars, 0);
	o.to = INT64_MAX;
	check(INTERVAL_1d, &o);
	ck_assert_int_eq(r.missing_bars, 0);
}
END_TEST

START_TEST(the_filter_cuts_by_day)
{
	struct integrity_options o = all;
	fill(INTERVAL_1h, "2025-01-01", 24 * 5);
	cut(60, 5);
	s.high[0] = 1; /* outside of the filter */
	o.from = at("2025-01-02");
	o.to = at("2025-01-03") + TIME_DAY - 1;
	check(INTERVAL_1h, &o);
	ck_assert_int_eq(r.rows, 115);
	ck_assert_int_eq(r.rows_checked, 43);
	ck_assert_int_eq(r.missing_bars, 5);
	ck_assert_int_eq(r.checks.ohlc, 0);
	o.from = at("2025-03-01"); /* nothing is there */
	o.to = at("2025-03-01") + TIME_DAY - 1;
	check(INTERVAL_1h, &o);
	ck_assert_int_eq(r.rows_checked, 0);
	ck_assert_int_eq(r.missing_bars, 24);
	ck_assert_int_eq(r.missing_days, 1);
}
END_TEST

START_TEST(what_the_exchange_lacks_is_no_hole)
{
	struct integrity_options o = all;
	int64_t base = at("2025-01-01");
	fill(INTERVAL_1m, "2025-01-01", 1000);
	cut(100, 200); /* 100..299 */
	const struct integrity_span absent[] = {{base + 250 * TIME_MINUTE, base + 400 * TIME_MINUTE},
	        {base + 120 * TIME_MINUTE - 30000, base + 130 * TIME_MINUTE + 30000}, {base + 125 * TIME_MINUTE, base + 127 * TIME_MINUTE},
	        {base + 200 * TIME_MINUTE + 1, base + 200 * TIME_MINUTE + 2}};
	o.absent = absent;
	o.n_absent = ARRAY_LEN(absent);
	check(INTERVAL_1m, &o);
	ck_assert_int_eq(r.absent_bars, 11 + 50);
	ck_assert_int_eq(r.missing_bars, 200 - 61);
	ck_assert_uint_eq(r.n_ranges, 2);
	ck_assert_int_eq(r.ranges[0].count, 20);
	ck_assert_int_eq(r.ranges[1].from, base + 131 * TIME_MINUTE);
	ck_assert_int_eq(r.ranges[1].to, base + 249 * TIME_MINUTE);
}
END_TEST

START_TEST(wrong_bars_are_counted_by_kind)
{
	fill(INTERVAL_1h, "2025-01-01", 40);
	s.high[1] = 8;   /* below low, open and close */
	s.close[2] = -1; /* not positive, below low */
	s.volume[3] = -5;
	s.taker_base[4] = 101;
	s.taker_quote[5] = 1051;
	s.quote[6] = 1300; /* 13 a piece */
	s.close_time[7] -= 1;
	s.open_time[8] += 15 * TIME_SECOND;
	s.open[9] = NAN;
	s.volume[10] = s.quote[10] = s.taker_base[10] = s.taker_quote[10] = 0; /* no trades: nothing wrong */
	check(INTERVAL_1h, &all);
	ck_assert_int_eq(r.checks.ohlc, 2);
	ck_assert_uint_eq(r.n_prices, 2);
	ck_assert_int_eq(r.checks.not_positive[3], 1);
	ck_assert_int_eq(r.checks.negative_volume, 1);
	ck_assert_int_eq(r.checks.taker, 3);      /* the negative volume too */
	ck_assert_int_eq(r.checks.vwap, 2);       /* the low high too */
	ck_assert_int_eq(r.checks.close_time, 2); /* also of the bar that opened late */
	ck_assert_int_eq(r.checks.misaligned, 1);
	ck_assert_int_eq(r.checks.nulls[0], 1);
	ck_assert_int_eq(r.missing_bars, 0); /* a late bar still fills its place */
	struct integrity_options o = {.missing = true};
	check(INTERVAL_1h, &o);
	ck_assert_uint_eq(issues(), 0);
}
END_TEST

START_TEST(repeated_and_disordered_times)
{
	fill(INTERVAL_1h, "2025-01-01", 10);
	s.open_time[3] = s.open_time[2];
	s.open_time[4] = s.open_time[2];
	check(INTERVAL_1h, &all);
	ck_assert_int_eq(r.checks.duplicates, 3);
	ck_assert_int_eq(r.missing_bars, 2);
	fill(INTERVAL_1h, "2025-01-01", 10);
	s.open_time[6] = s.open_time[4] - TIME_HOUR;
	check(INTERVAL_1h, &all);
	ck_assert_int_eq(r.checks.disorder, 1);
}
END_TEST

START_TEST(more_holes_than_are_shown)
{
	fill(INTERVAL_1m, "2025-01-01", MAX);
	size_t kept = 0;
	for (size_t i = 0; i < s.n; i++)
		if (i % 3 != 1)
			s.open_time[kept++] = s.open_time[i];
	s.n = kept;
	check(INTERVAL_1m, &all);
	ck_assert_uint_eq(r.n_ranges, INTEGRITY_RANGES_SHOWN);
	ck_assert_int_eq(r.ranges_total, (MAX + 1) / 3);
	ck_assert_int_eq(r.missing_bars, (MAX + 1) / 3);
}
END_TEST

START_TEST(the_json_is_the_origins)
{
	struct buf out = {0};
	struct integrity items[2];
	fill(INTERVAL_1d, "2025-01-01", 10);
	cut(5, 1);
	cut(2, 1);
	s.open[1] = NAN;
	s.close[3] = 1; /* 2025-01-05 */
	s.high[4] = 0;
	s.volume[6] = -1;
	s.taker_base[6] = s.taker_quote[6] = -1;
	s.volume[4] = s.quote[4] = s.taker_base[4] = s.taker_quote[4] = 0; /* so that only the origin's checks speak */
	check(INTERVAL_1d, &all);
	items[0] = r;
	s.n = 0;
	check(INTERVAL_1d, &all);
	items[1] = r;
	ck_assert(str_copy(items[1].symbol, sizeof items[1].symbol, "ZZZUSDT"));
	struct json_writer w = json_writer_on(&out);
	integrity_write(items, 2, &w, NULL);
	static const char expected[] =
	        "{\"total_symbols\":2,\"checked_symbols\":1,\"symbols_with_issues\":[\"AAAUSDT\"],"
	        "\"summary\":{\"duplicates\":0,\"missing_dates\":2,\"data_quality_issues\":4,\"empty_tables\":1},"
	        "\"details\":{\"AAAUSDT\":{\"symbol\":\"AAAUSDT\",\"table_name\":\"K1dAAAUSDT\",\"record_count\":8,"
	        "\"date_range\":{\"start\":\"2025-01-01\",\"end\":\"2025-01-10\",\"days\":10},"
	        "\"issues\":[\"缺失 2 个日期\",\"open 字段有 1 个空值\","
	        "\"发现 2 条价格数据不合理（high < low 或 open/close 超出范围）\",\"high 字段有 1 个无效值（<=0）\",\"volume 字段有 1 个负数\"],"
	        "\"duplicate_count\":0,\"missing_dates\":[\"2025-01-03\",\"2025-01-06\"],"
	        "\"data_quality_issues\":[\"open 字段有 1 个空值\","
	        "\"发现 2 条价格数据不合理（high < low 或 open/close 超出范围）\",\"high 字段有 1 个无效值（<=0）\",\"volume 字段有 1 个负数\"],"
	        "\"invalid_price_data\":[{\"trade_date\":\"2025-01-05\",\"open\":10.0,\"high\":12.0,\"low\":9.0,\"close\":1.0,"
	        "\"issues\":[\"close(1.0) < low(9.0)\"]},"
	        "{\"trade_date\":\"2025-01-07\",\"open\":10.0,\"high\":0.0,\"low\":9.0,\"close\":11.0,"
	        "\"issues\":[\"high(0.0) < low(9.0)\",\"open(10.0) > high(0.0)\",\"close(11.0) > high(0.0)\"]}],"
	        "\"missing_bars\":2,\"missing_ranges\":[{\"from\":\"2025-01-03\",\"to\":\"2025-01-03\",\"count\":1},"
	        "{\"from\":\"2025-01-06\",\"to\":\"2025-01-06\",\"count\":1}],"
	        "\"checks\":{\"rows_checked\":8,\"missing_ranges\":2,\"absent_at_exchange\":0,\"ohlc\":2,\"not_positive\":1,\"negative_volume\":1,"
	        "\"misaligned\":0,\"close_time\":0,\"vwap\":0,\"taker\":0,\"disorder\":0}},"
	        "\"ZZZUSDT\":{\"symbol\":\"ZZZUSDT\",\"table_name\":\"K1dZZZUSDT\",\"record_count\":0,\"date_range\":null,"
	        "\"issues\":[\"表为空\"],\"duplicate_count\":0,\"missing_dates\":[],\"data_quality_issues\":[],"
	        "\"missing_bars\":0,\"missing_ranges\":[],\"checks\":{\"rows_checked\":0,\"missing_ranges\":0,\"absent_at_exchange\":0,\"ohlc\":0,"
	        "\"not_positive\":0,\"negative_volume\":0,\"misaligned\":0,\"close_time\":0,\"vwap\":0,\"taker\":0,\"disorder\":0}}}}";
	ck_assert_str_eq(out.data, expected);
	buf_close(&out);
}
END_TEST

static const TTest *const tests[] = {whole_series_raise_no_alarm, holes_are_found_bar_by_bar, missing_days_are_those_without_any_bar,
        long_intervals_miss_only_their_own_days, days_before_the_listing_are_no_holes, the_tail_counts_up_to_now, the_filter_cuts_by_day,
        what_the_exchange_lacks_is_no_hole, wrong_bars_are_counted_by_kind, repeated_and_disordered_times, more_holes_than_are_shown,
        the_json_is_the_origins};
TEST_MAIN("integrity", tests)
