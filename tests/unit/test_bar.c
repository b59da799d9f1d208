/* test_bar.c -- which candles are believable, and which texts can name a symbol. */
#include "tests/lib/test.h"

#include <string.h>

#include "market/bar.h"

#define T0 INT64_C(1769904000000) /* 2026-02-01 */

static struct dec d(const char *text)
{
	struct dec out;
	ck_assert_msg(dec_parse_s(text, &out), "%s", text);
	return out;
}

static struct bar good(void)
{
	return (struct bar){.open_time = T0,
	        .close_time = T0 + 59999,
	        .open = d("10.0"),
	        .high = d("10.50"),
	        .low = d("9.9"),
	        .close = d("10.2"),
	        .volume = d("5"),
	        .quote_volume = d("51.0"),
	        .trades = 3,
	        .taker_base = d("5.0"),
	        .taker_quote = d("51"),
	        .unused = d("0")};
}

static void refuse(struct bar b, enum interval iv, const char *word)
{
	struct err e = {0};
	ck_assert_msg(!bar_check(&b, iv, &e), "%s", word);
	ck_assert_int_eq(e.code, ERR_CORRUPT);
	ck_assert_msg(strstr(e.text, word), "\"%s\" should say %s", e.text, word);
}

START_TEST(a_good_bar_passes)
{
	struct err e = {0};
	struct bar b = good();
	ck_ok(bar_check(&b, INTERVAL_1m, &e), &e);
	b.open = b.high = b.low = b.close = d("0.00000001");
	b.volume = b.quote_volume = b.taker_base = b.taker_quote = d("0.0");
	b.trades = 0;
	ck_ok(bar_check(&b, INTERVAL_1m, &e), &e); /* a minute without trades */
}
END_TEST

#define WRONG(field, value, word)             \
	do {                                  \
		struct bar b = good();        \
		b.field = value;              \
		refuse(b, INTERVAL_1m, word); \
	} while (0)

START_TEST(contradictions_are_refused)
{
	WRONG(high, d("10.19"), "high");
	WRONG(high, d("9.95"), "high");
	WRONG(low, d("10.1"), "low");
	WRONG(low, d("0"), "not above 0");
	WRONG(low, d("-1"), "not above 0");
	WRONG(volume, d("-0.1"), "below 0");
	WRONG(trades, -1, "below 0");
	WRONG(taker_base, d("5.00000001"), "takers");
	WRONG(taker_quote, d("51.01"), "takers");
	WRONG(open_time, T0 + 1, "not the start");
	WRONG(open_time, -60000, "between");
	WRONG(open_time, INT64_MAX, "between");
	WRONG(close_time, T0 + 60000, "close time");
	WRONG(close_time, T0 + 59998, "close time");
}
END_TEST

START_TEST(times_fit_the_interval)
{
	struct err e = {0};
	struct bar b = good(); /* 2026-02-01 is a Sunday and the first of a month */
	b.close_time = T0 + 3 * TIME_DAY - 1;
	ck_ok(bar_check(&b, INTERVAL_3d, &e), &e);
	b.open_time += TIME_DAY;
	b.close_time += TIME_DAY;
	ck_ok(bar_check(&b, INTERVAL_3d, &e), &e); /* any day can begin a series of three days */
	b.close_time = b.open_time + 7 * TIME_DAY - 1;
	ck_ok(bar_check(&b, INTERVAL_1w, &e), &e);
	b.open_time -= TIME_DAY;
	b.close_time -= TIME_DAY;
	refuse(b, INTERVAL_1w, "not the start");
	b.close_time = T0 + 28 * TIME_DAY - 1;
	ck_ok(bar_check(&b, INTERVAL_1M, &e), &e);
	b.close_time += TIME_DAY;
	refuse(b, INTERVAL_1M, "close time");
}
END_TEST

START_TEST(equality_is_by_value)
{
	struct bar a = good(), b = good();
	b.open = d("10.000");
	ck_assert(bar_equal(&a, &b));
	b.unused = d("1");
	ck_assert(!bar_equal(&a, &b));
	b = good();
	b.trades++;
	ck_assert(!bar_equal(&a, &b));
}
END_TEST

START_TEST(symbols_are_names_and_nothing_else)
{
	const char *const right[] = {
	        "BTCUSDT", "1000SHIBUSDT", "BTCUSDT_250328", "A", "\xe5\xb8\x81\xe5\xae\x89USDT", "0123456789012345678901234567890"};
	const char *const wrong[] = {"", "btcusdt", "BTC USDT", "BTC-USDT", "../x", "A/B", "A.B", "'; DROP TABLE series; --", "A\n", "A%n",
	        "A\"", "01234567890123456789012345678901", "\x80", "\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe5\xb8", "A\xc2\x85",
	        "A\x7f"};
	for (size_t i = 0; i < ARRAY_LEN(right); i++)
		ck_assert_msg(symbol_ok(right[i]), "%s", right[i]);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		ck_assert_msg(!symbol_ok(wrong[i]), "%s", wrong[i]);
	ck_assert(!symbol_ok(NULL));
}
END_TEST

static const TTest *const tests[] = {
        a_good_bar_passes, contradictions_are_refused, times_fit_the_interval, equality_is_by_value, symbols_are_names_and_nothing_else};
TEST_MAIN("bar", tests)
