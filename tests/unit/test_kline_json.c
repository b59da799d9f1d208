/* test_kline_json.c -- candles as the origin's JSON: every decimal, every date, against the slow printers of the base. */
#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

/* Programs are not part of the library; this file of theirs is pure, so the test takes it in whole. */
#include "api/kline_json.c"

static struct bar bar_at(int64_t open, const char *close)
{
	struct bar b = {.open_time = open, .close_time = open + TIME_DAY - 1, .trades = 3};

	ck_assert(dec_parse_s(close, &b.close));
	b.open = b.high = b.low = b.volume = b.quote_volume = b.taker_base = b.taker_quote = b.close;
	return b;
}

static struct json *printed(enum interval iv, const struct bar *before, const struct bar *b)
{
	struct buf out = {0};
	struct err e = {0};

	kline_json_bar(&out, iv, before, b);
	struct json *j = json_parse(buf_text(&out), out.len, &e);
	ck_assert_msg(j != NULL, "%s: %s", e.text, buf_text(&out));
	buf_close(&out);
	return j;
}

static void ck_looks(const char *decimal, const char *look)
{
	struct bar b = bar_at(0, decimal);
	struct buf out = {0}, wanted = {0};

	kline_json_bar(&out, INTERVAL_1d, NULL, &b);
	buf_addf(&wanted, "\"close\":%s,", look);
	ck_assert_msg(strstr(buf_text(&out), buf_text(&wanted)) != NULL, "%s gave %s", decimal, buf_text(&out));
	buf_close(&out);
	buf_close(&wanted);
}

START_TEST(decimals_look_like_floats)
{
	ck_looks("100", "100.0");
	ck_looks("1.50", "1.5");
	ck_looks("1.00", "1.0");
	ck_looks("0", "0.0");
	ck_looks("0.000", "0.0");
	ck_looks("0.00000001", "0.00000001");
	ck_looks("-0.5", "-0.5");
	ck_looks("-12.340", "-12.34");
	ck_looks("9223372036854775807", "9223372036854775807.0");
	ck_looks("-9223372036854775808", "-9223372036854775808.0");
	ck_looks("9.223372036854775807", "9.223372036854775807");
	ck_looks("0.000000000000000001", "0.000000000000000001");
}
END_TEST

START_TEST(random_decimals_keep_their_value)
{
	srand(7);
	for (int i = 0; i < 20000; i++) {
		struct bar b = bar_at(0, "1");
		struct dec d = {.units = ((int64_t)rand() << 31 | rand()) >> (rand() % 62), .scale = (int8_t)(rand() % 19)};
		double got;

		d.units = rand() % 2 ? -d.units : d.units;
		b.close = d;
		struct json *j = printed(INTERVAL_1d, NULL, &b);
		ck_assert(json_double(json_get(j, "close"), &got));
		ck_assert_msg(got == dec_double(d), "%lld e-%d gave %.17g", (long long)d.units, d.scale, got);
		json_close(&j);
	}
}
END_TEST

START_TEST(dates_are_those_of_the_interval)
{
	static const enum interval intervals[] = {INTERVAL_1m, INTERVAL_1d, INTERVAL_12h, INTERVAL_3d, INTERVAL_1w, INTERVAL_1M};

	srand(8);
	for (int i = 0; i < 5000; i++) {
		enum interval iv = intervals[(size_t)i % ARRAY_LEN(intervals)];
		struct bar b = bar_at((int64_t)rand() * 1900, "1");
		char wanted[TIME_TEXT];
		struct json *j = printed(iv, NULL, &b);

		interval_print_trade_date(iv, wanted, b.open_time);
		ck_assert_str_eq(json_get_text(j, "trade_date", ""), wanted);
		json_close(&j);
	}
}
END_TEST

START_TEST(changes_are_against_the_close_before)
{
	struct bar a = bar_at(0, "102.7731"), b = bar_at(TIME_DAY, "98.3359"), zero = bar_at(0, "0.0");
	struct json *j = printed(INTERVAL_1d, &a, &b);

	ck_assert_double_eq(json_get_double(j, "diff", 0), -4.4372);
	ck_assert_double_eq(json_get_double(j, "pct_chg", 0), -4.317472179004043);
	json_close(&j);
	j = printed(INTERVAL_1d, NULL, &b);
	ck_assert(json_is(json_get(j, "diff"), JSON_NULL) && json_get(j, "diff"));
	json_close(&j);
	j = printed(INTERVAL_1d, &zero, &b);
	ck_assert(json_is(json_get(j, "pct_chg"), JSON_NULL) && json_get(j, "pct_chg"));
	json_close(&j);
}
END_TEST

/* The longest of everything fits into a row. */
START_TEST(the_longest_row_fits)
{
	struct bar b = bar_at(INT64_C(253402300799000), "-9.223372036854775807"), before = bar_at(0, "0.000000000000000001");
	struct buf out = {0};

	b.close_time = INT64_MIN;
	b.trades = INT64_MIN;
	b.unused = b.close;
	kline_json_bar(&out, INTERVAL_1m, &before, &b);
	ck_assert_uint_lt(out.len, ROW_SIZE);
	buf_close(&out);
}
END_TEST

static const TTest *const tests[] = {decimals_look_like_floats, random_decimals_keep_their_value, dates_are_those_of_the_interval,
        changes_are_against_the_close_before, the_longest_row_fits};
TEST_MAIN("kline_json", tests)
