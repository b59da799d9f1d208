/* test_interval.c -- steps, alignment and names of the 15 candle intervals. */
#include "tests/lib/test.h"

#include "market/interval.h"

static int64_t at(const char *text)
{
	int64_t t;
	ck_assert_msg(time_parse(text, &t, NULL), "%s", text);
	return t;
}

START_TEST(names_are_exact)
{
	enum interval iv;
	for (int i = 0; i < INTERVAL_COUNT; i++) {
		ck_assert(interval_of(interval_name((enum interval)i), &iv));
		ck_assert_int_eq(iv, i);
	}
	ck_assert(interval_of("1m", &iv) && iv == INTERVAL_1m);
	ck_assert(interval_of("1M", &iv) && iv == INTERVAL_1M);
	const char *const wrong[] = {"", "1", "m", "1mo", "1H", "2m", "1m ", " 1m", "60m", "1min"};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		ck_assert_msg(!interval_of(wrong[i], &iv), "%s", wrong[i]);
	ck_assert(!interval_of(NULL, &iv));
}
END_TEST

START_TEST(fixed_steps_start_at_the_epoch)
{
	int64_t t = at("2026-02-03 13:47:59");
	ck_assert_int_eq(interval_floor(INTERVAL_1m, t, 0), at("2026-02-03 13:47:00"));
	ck_assert_int_eq(interval_floor(INTERVAL_3m, t, 0), at("2026-02-03 13:45:00"));
	ck_assert_int_eq(interval_floor(INTERVAL_15m, t, 0), at("2026-02-03 13:45:00"));
	ck_assert_int_eq(interval_floor(INTERVAL_4h, t, 0), at("2026-02-03 12:00:00"));
	ck_assert_int_eq(interval_floor(INTERVAL_1d, t, 0), at("2026-02-03"));
	/* The anchor is of 3d alone. */
	ck_assert_int_eq(interval_floor(INTERVAL_1m, t, 7), at("2026-02-03 13:47:00"));
	ck_assert_int_eq(interval_floor(INTERVAL_1d, -1, 0), -TIME_DAY);
}
END_TEST

START_TEST(three_days_count_from_the_anchor)
{
	int64_t anchor = at("2017-08-17"); /* BTCUSDT's listing */
	ck_assert_int_eq(interval_floor(INTERVAL_3d, anchor, anchor), anchor);
	ck_assert_int_eq(interval_floor(INTERVAL_3d, at("2017-08-22 23:59:59"), anchor), at("2017-08-20"));
	ck_assert_int_eq(interval_floor(INTERVAL_3d, at("2017-08-16"), anchor), at("2017-08-14"));
	ck_assert_int_eq(interval_floor(INTERVAL_3d, 4 * TIME_DAY, 0), 3 * TIME_DAY);
	ck_assert_int_eq(interval_close(INTERVAL_3d, anchor), at("2017-08-20") - 1);
}
END_TEST

START_TEST(weeks_start_on_monday)
{
	ck_assert_int_eq(interval_floor(INTERVAL_1w, at("2026-02-08 23:00:00"), 0), at("2026-02-02"));
	ck_assert_int_eq(interval_floor(INTERVAL_1w, at("2026-02-09"), 0), at("2026-02-09"));
	ck_assert_int_eq(time_weekday(interval_floor(INTERVAL_1w, 0, 0)), 0);
	ck_assert_int_lt(interval_floor(INTERVAL_1w, 0, 0), 0); /* the epoch was a Thursday */
}
END_TEST

START_TEST(months_have_their_own_length)
{
	ck_assert_int_eq(interval_floor(INTERVAL_1M, at("2024-02-29 12:00:00"), 0), at("2024-02-01"));
	ck_assert_int_eq(interval_next(INTERVAL_1M, at("2024-02-01")), at("2024-03-01"));
	ck_assert_int_eq(interval_next(INTERVAL_1M, at("2025-12-01")), at("2026-01-01"));
	ck_assert_int_eq(interval_close(INTERVAL_1M, at("2025-02-01")), at("2025-03-01") - 1);
	ck_assert_int_eq(interval_count(INTERVAL_1M, at("2019-11-01"), at("2021-02-01")), 16);
}
END_TEST

START_TEST(counting_agrees_with_stepping)
{
	for (int i = 0; i < INTERVAL_COUNT; i++) {
		enum interval iv = (enum interval)i;
		int64_t first = interval_floor(iv, at("2023-11-20 05:00:00"), 0), t = first;
		for (int n = 1; n <= 50; n++) {
			ck_assert_int_eq(interval_count(iv, first, t), n);
			ck_assert_int_eq(interval_floor(iv, interval_close(iv, t), 0), t);
			t = interval_next(iv, t);
			ck_assert_int_eq(interval_floor(iv, t, 0), t);
		}
		ck_assert_int_eq(interval_count(iv, t, first), 0);
	}
}
END_TEST

START_TEST(dates_print_as_the_origin_does)
{
	char text[TIME_TEXT];
	int64_t t = at("2025-03-01");
	interval_print_trade_date(INTERVAL_1M, text, t);
	ck_assert_str_eq(text, "2025-03-01");
	interval_print_trade_date(INTERVAL_3d, text, t);
	ck_assert_str_eq(text, "2025-03-01");
	interval_print_trade_date(INTERVAL_12h, text, t);
	ck_assert_str_eq(text, "2025-03-01 00:00:00");
	ck_assert(!interval_is_daily(INTERVAL_12h));
	ck_assert(interval_is_daily(INTERVAL_1d));
}
END_TEST

static const TTest *const tests[] = {names_are_exact, fixed_steps_start_at_the_epoch, three_days_count_from_the_anchor,
        weeks_start_on_monday, months_have_their_own_length, counting_agrees_with_stepping, dates_print_as_the_origin_does};
TEST_MAIN("interval", tests)
