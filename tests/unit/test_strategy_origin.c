/* test_strategy_origin.c -- the origin's strategy on hand-made days: each rule and defect, mode corrected, hostile parameters. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backtest/backtest.h"
#include "records/records.h"
#include "tests/lib/candles.h"
#include "tests/lib/test.h"

static const int64_t JAN_1 = INT64_C(1735689600000); /* 2025-01-01 */

struct fixture {
	struct candles *candles;
	struct backtest_data data;
	struct arena *arena;
	struct backtest_result r;
	struct err e;
};

static void fixture_open(struct fixture *f)
{
	*f = (struct fixture){.candles = candles_open(), .arena = arena_open()};
	f->data = candles_data(f->candles, false);
}

static void fixture_close(struct fixture *f)
{
	candles_close(&f->candles);
	arena_close(&f->arena);
}

static void day(struct fixture *f, const char *symbol, int d, double open, double high, double low, double close)
{
	candles_add(f->candles, symbol, INTERVAL_1d, JAN_1 + (d - 1) * TIME_DAY, open, high, low, close, NAN);
}

static void hour(struct fixture *f, const char *symbol, int d, int h, double open, double high, double low, double close)
{
	candles_add(f->candles, symbol, INTERVAL_1h, JAN_1 + (d - 1) * TIME_DAY + h * TIME_HOUR, open, high, low, close, NAN);
}

/* Capital 10000, leverage 5, all thresholds 0.1, least rise 5 %, 1 to 10 January; `more` replaces. */
static bool run(struct fixture *f, const char *more)
{
	struct buf text = {0};
	const struct strategy *s = strategy_of("origin_short_top");
	static const char plain[] = "{\"start_date\":\"2025-01-01\",\"end_date\":\"2025-01-10\",\"leverage\":5,\"profit_threshold\":0.1,"
	                            "\"loss_threshold\":0.1,\"position_size_ratio\":0.1,\"min_pct_chg\":0.05}";
	struct json *given = json_parse(plain, strlen(plain), &f->e);
	buf_addf(&text, "{%s}", more);
	struct json *others = json_parse(buf_text(&text), text.len, &f->e);
	buf_close(&text);
	ck_ok(given && others, &f->e);
	for (const struct json *m = json_first(others); m; m = json_next(m))
		json_put(given, json_key(m), json_copy(m));
	json_close(&others);
	struct json *checked = params_check(s->params, s->n_params, given, false, &f->e);
	json_close(&given);
	if (!checked)
		return false;
	bool done = s->run(checked, &f->data, f->arena, &f->r, &f->e);
	json_close(&checked);
	return done;
}

static bool warned(const struct fixture *f, const char *part)
{
	for (size_t i = 0; i < f->r.n_warnings; i++) {
		if (strstr(f->r.warnings[i], part))
			return true;
	}
	return false;
}

#define CORRECTED "\"mode\":\"corrected\""

/* Rises by 10 % on day 2, so that it is sold at the open of day 3, which is 100. */
static void add_rise(struct fixture *f, const char *symbol)
{
	day(f, symbol, 1, 90, 100, 90, 100);
	day(f, symbol, 2, 100, 110, 100, 110);
}

START_TEST(defaults_are_the_origins)
{
	const struct strategy *s = strategy_of("origin_short_top");
	struct err e = {0};
	const char *text = "{\"start_date\":\"2025-01-01\",\"end_date\":\"2025-01-02\"}";
	struct json *given = json_parse(text, strlen(text), &e), *j = params_check(s->params, s->n_params, given, false, &e);
	ck_ok(j != NULL, &e);
	char *printed = json_to_text(j);
	ck_assert_str_eq(printed, "{\"start_date\":\"2025-01-01\",\"end_date\":\"2025-01-02\",\"initial_capital\":10000.0,\"leverage\":20,"
	                          "\"profit_threshold\":0.065,\"loss_threshold\":0.019,\"position_size_ratio\":0.1,\"min_pct_chg\":0.0,"
	                          "\"delay_entry\":false,\"delay_hours\":12,\"mode\":\"origin\"}");
	mem_free(&printed);
	json_close(&given);
	json_close(&j);
	ck_assert(strategy_of("nonsense") == NULL && strategy_of("") == NULL && strategy_of(NULL) == NULL);
	ck_assert_str_eq(strategy_at(0)->name, "origin_short_top");
	ck_assert(strategy_at(99) == NULL);
}
END_TEST

START_TEST(the_older_series_wins_a_tie)
{
	struct fixture f;
	fixture_open(&f);
	add_rise(&f, "ZED");
	add_rise(&f, "ABC");
	day(&f, "ZED", 3, 100, 101, 80, 85);
	day(&f, "ABC", 3, 100, 101, 80, 85);
	ck_ok(run(&f, ""), &f.e);
	ck_assert_uint_ge(f.r.n_trades, 1);
	ck_assert_str_eq(f.r.trades[0].symbol, "ZED");
	ck_assert_double_eq_tol(f.r.trades[0].entry_pct, 10, 1e-9);
	fixture_close(&f);
}
END_TEST

/* A change needs the calendar day before, even one before start_date; a hole of a day leaves the change unknown. */
START_TEST(changes_need_the_day_before)
{
	struct fixture f;
	fixture_open(&f);
	day(&f, "A", 1, 100, 100, 100, 100);
	day(&f, "A", 3, 100, 200, 100, 200); /* day 2 is missing */
	day(&f, "A", 4, 200, 200, 170, 170);
	ck_ok(run(&f, ""), &f.e);
	ck_assert_uint_eq(f.r.n_trades, 0);
	fixture_close(&f);
	fixture_open(&f);
	add_rise(&f, "A");
	day(&f, "A", 3, 100, 101, 80, 85);
	ck_ok(run(&f, "\"start_date\":\"2025-01-02\""), &f.e); /* day 1 is only there to be compared with */
	ck_assert_uint_eq(f.r.n_trades, 1);
	fixture_close(&f);
}
END_TEST

START_TEST(target_before_stop_at_the_level)
{
	struct fixture f;
	fixture_open(&f);
	add_rise(&f, "A");
	day(&f, "A", 3, 100, 120, 70, 75); /* no hours: the daily bar stands for 23:00, touches both and opens inside */
	ck_ok(run(&f, ""), &f.e);
	ck_assert_uint_eq(f.r.n_trades, 1);
	ck_assert_double_eq_tol(f.r.trades[0].exit_price, 90, 1e-9);
	ck_assert_str_eq(f.r.trades[0].exit_hour, "2025-01-03 23:00:00");
	ck_assert_double_eq_tol(f.r.trades[0].profit, 500, 1e-9);
	ck_ok(run(&f, CORRECTED), &f.e); /* the worse side first, and counted: an add at 110, held to the end */
	ck_assert_int_eq(f.r.ambiguous_exits, 1);
	ck_assert_int_eq(f.r.trades[0].adds, 1);
	fixture_close(&f);
}
END_TEST

/* Held on day 3, no data on day 4. The origin's date runs ahead: day 5 is never looked at, though its hours would hit the target. */
static void add_hole(struct fixture *f)
{
	add_rise(f, "A");
	day(f, "A", 3, 100, 101, 99, 100);
	day(f, "A", 5, 100, 100, 85, 95);
	day(f, "A", 6, 95, 96, 89, 95);
	day(f, "A", 7, 95, 96, 94, 95);
}

START_TEST(the_calendar_skips_as_in_the_origin)
{
	struct fixture f;
	fixture_open(&f);
	add_hole(&f);
	ck_ok(run(&f, ""), &f.e);
	ck_assert_uint_eq(f.r.n_trades, 1);
	ck_assert_str_eq(f.r.trades[0].exit_date, "2025-01-06");
	ck_assert(warned(&f, "calendar skipped"));
	ck_ok(run(&f, CORRECTED), &f.e);
	ck_assert_uint_eq(f.r.n_trades, 1);
	ck_assert_str_eq(f.r.trades[0].exit_date, "2025-01-05");
	ck_assert(warned(&f, "neither hourly nor daily"));
	fixture_close(&f);
}
END_TEST

START_TEST(the_last_day_without_a_bar)
{
	struct fixture f;
	fixture_open(&f);
	add_rise(&f, "A");
	day(&f, "A", 3, 100, 101, 99, 97);
	ck_ok(run(&f, ""), &f.e);
	ck_assert_uint_eq(f.r.n_trades, 0);
	ck_assert_double_eq_tol(f.r.final_capital, 9000, 1e-9); /* the margin vanishes */
	ck_assert(warned(&f, "vanished"));
	ck_ok(run(&f, CORRECTED), &f.e);
	ck_assert_uint_eq(f.r.n_trades, 1);
	ck_assert_str_eq(f.r.trades[0].exit_date, "2025-01-03");
	ck_assert_str_eq(f.r.trades[0].exit_reason, "回测结束强制平仓");
	ck_assert_double_eq_tol(f.r.final_capital, 10150, 1e-9);
	ck_assert(warned(&f, "last known price"));
	fixture_close(&f);
}
END_TEST

/* Two adds, then out. In the origin each add doubles the coins; corrected, an add buys what its margin buys. */
START_TEST(adds_and_stop)
{
	struct fixture f;
	fixture_open(&f);
	add_rise(&f, "A");
	day(&f, "A", 3, 100, 140, 100, 140);
	hour(&f, "A", 3, 0, 100, 111, 100, 110);
	hour(&f, "A", 3, 1, 110, 140, 110, 140); /* the origin looks no further on the day of an add */
	day(&f, "A", 4, 110, 116, 110, 112);     /* 105 * 1.1 = 115.5: second add */
	day(&f, "A", 5, 112, 130, 112, 130);     /* 110.25 * 1.1 = 121.275: out */
	ck_ok(run(&f, "\"min_pct_chg\":0.09,\"end_date\":\"2025-01-05\""), &f.e);
	const struct trade *t = &f.r.trades[0];
	ck_assert_str_eq(t->exit_reason, "价格上涨10.0%，止损平仓（已补仓2次，2025-01-05 23:00:00触发）");
	ck_assert_double_eq_tol(t->entry_price, 110.25, 1e-9);
	ck_assert_double_eq_tol(t->size, 200, 1e-9);
	ck_assert_double_eq_tol(t->profit, -2205, 1e-9);
	ck_assert_int_eq(t->adds, 2);
	ck_ok(run(&f, CORRECTED ",\"min_pct_chg\":0.09,\"end_date\":\"2025-01-05\",\"leverage\":2"), &f.e);
	t = &f.r.trades
	             [0]; /* 20 coins at 100, 1800 / 110 more at 110; the second add and the stop come within the hour at 01:00 or later */
	ck_assert_int_eq(t->adds, 2);
	ck_assert_double_lt(t->size, 20 + 1800.0 / 110 + 1620.0 / 110);
	ck_assert_double_gt(t->size, 20 + 1800.0 / 110);
	fixture_close(&f);
}
END_TEST

START_TEST(corrected_liquidates_and_never_owes)
{
	struct fixture f;
	fixture_open(&f);
	for (int d = 1; d <= 10; d++) /* doubles every day: whoever sells it loses */
		day(&f, "A", d, 100 * pow(2, d), 200 * pow(2, d), 100 * pow(2, d), 200 * pow(2, d));
	ck_ok(run(&f, "\"leverage\":20,\"position_size_ratio\":0.9,\"profit_threshold\":0.9"), &f.e);
	ck_assert(warned(&f, "below zero"));
	ck_assert_double_lt(f.r.trades[1].size, 0);
	ck_ok(run(&f, CORRECTED ",\"leverage\":20,\"position_size_ratio\":0.9,\"profit_threshold\":0.9"), &f.e);
	ck_assert_double_ge(f.r.final_capital, 0);
	ck_assert_uint_ge(f.r.n_trades, 2);
	ck_assert(warned(&f, "liquidated"));
	ck_assert(!warned(&f, "below zero"));
	ck_assert(strstr(f.r.trades[0].exit_reason, "强制平仓") != NULL);
	for (size_t i = 0; i < f.r.n_equity; i++)
		ck_assert_double_ge(f.r.equity[i].equity, 0);
	fixture_close(&f);
}
END_TEST

static void add_delay_day(struct fixture *f, const double *closes, int n)
{
	add_rise(f, "A");
	day(f, "A", 3, 100, 120, 50, 104);
	for (int h = 0; h < n; h++)
		hour(f, "A", 3, h, closes[h], closes[h], closes[h], closes[h]);
	day(f, "A", 4, 104, 105, 80, 104);
	day(f, "A", 5, 104, 105, 103, 104);
}

START_TEST(delayed_entries_wait_for_weakness)
{
	static const struct {
		double closes[5];
		int n;
		const char *reason;
		double price;
	} cases[] = {
	        {{100, 105, 110, 115, 120}, 5, "timeout", 104},                    /* rises by more than 1 % an hour, at its peak */
	        {{100, 105, 110, 115, 112}, 5, "momentum_weakening", 112},         /* 2.6 % below the peak */
	        {{100, 100.5, 101, 101.5, 102}, 5, "momentum_weakening", 102},     /* less than 1 % an hour */
	        {{100, 110}, 2, "timeout", 104},                                   /* two bars tell nothing */
	        {{100, 104, 104.52, 103.9974}, 4, "momentum_weakening", 103.9974}, /* +4, +0.5, -0.5 %: only the first rule holds */
	        {{80, 100, 98}, 3, "momentum_weakening", 98},                      /* 2 % below the peak to the digit */
	        {{100, 101.2, 102.4}, 3, "timeout", 104},                          /* two changes, each above 1 % */
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fixture f;
		fixture_open(&f);
		add_delay_day(&f, cases[i].closes, cases[i].n);
		ck_ok(run(&f, "\"delay_entry\":true,\"delay_hours\":5,\"end_date\":\"2025-01-05\",\"min_pct_chg\":0.08"), &f.e);
		ck_assert_msg(f.r.n_trades == 1, "case %zu: %zu trades", i, f.r.n_trades);
		ck_assert_str_eq(f.r.trades[0].entry_reason, cases[i].reason);
		ck_assert_double_eq_tol(f.r.trades[0].entry_price, cases[i].price, 1e-9);
		ck_assert_str_eq(f.r.trades[0].entry_date, "2025-01-03");
		ck_assert_int_eq(f.r.trades[0].delay_hours, 5);
		ck_assert_int_eq(f.r.delay.total_pending, 2); /* the origin counts twice */
		ck_assert_int_eq(f.r.delay.successful + f.r.delay.forced, 1);
		fixture_close(&f);
	}
}
END_TEST

/* More than 24 hours of delay: the origin never looks at the entry again and its symbol is blocked; corrected decides at the day's end. */
START_TEST(delays_beyond_a_day)
{
	static const double rising[] = {100, 105, 110, 115, 120};
	struct fixture f;
	fixture_open(&f);
	add_delay_day(&f, rising, 5);
	ck_ok(run(&f, "\"delay_entry\":true,\"delay_hours\":30,\"min_pct_chg\":0.08"), &f.e);
	ck_assert_uint_eq(f.r.n_trades, 0);
	ck_assert_int_eq(f.r.delay.total_pending, 1);
	ck_ok(run(&f, CORRECTED ",\"delay_entry\":true,\"delay_hours\":30,\"min_pct_chg\":0.08"), &f.e);
	ck_assert_uint_eq(f.r.n_trades, 1);
	ck_assert_int_eq(f.r.delay.total_pending, 1);
	fixture_close(&f);
}
END_TEST

/* Corrected: the hours after a delayed entry count on the same day. */
START_TEST(corrected_walks_the_rest_of_the_day)
{
	static const double falls[] = {90, 105, 110, 112, 109, 90}; /* the first hour, before the entry, does not count */
	struct fixture f;
	fixture_open(&f);
	add_delay_day(&f, falls, 6);
	ck_ok(run(&f, CORRECTED ",\"delay_entry\":true,\"delay_hours\":5,\"min_pct_chg\":0.08"), &f.e);
	ck_assert_uint_eq(f.r.n_trades, 1);
	ck_assert_str_eq(f.r.trades[0].exit_hour, "2025-01-03 05:00:00");
	ck_assert_double_eq_tol(f.r.trades[0].exit_price, 90, 1e-9); /* opened below the level of 98.1 */
	ck_assert_int_eq(f.r.delay.successful, 1);
	fixture_close(&f);
}
END_TEST

/* A random market with holes: many parameters that nobody should send. No run may crash, loop or give figures that are no numbers. */
static void add_market(struct fixture *f, uint64_t seed)
{
	char symbol[32];
	for (int s = 0; s < 8; s++) {
		double price = 100;
		snprintf(symbol, sizeof(symbol), "S%dUSDT", s);
		for (int d = 1; d <= 12; d++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			double close = price * (0.8 + (double)(seed >> 40) / (double)(1 << 24) * 0.5);
			if ((seed & 7) != 0)
				day(f, symbol, d, price, fmax(price, close) * 1.1, fmin(price, close) * 0.9, close);
			for (int h = 0; h < 24 && (seed & 24); h++)
				hour(f, symbol, d, h, price, fmax(price, close) * 1.1, fmin(price, close) * 0.9, close);
			price = close;
		}
	}
	day(f, "ONEBAR", 5, 1, 1, 1, 1);
}

START_TEST(hostile_parameters)
{
	static const char *const hostile[] = {"\"position_size_ratio\":0", "\"position_size_ratio\":-1", "\"position_size_ratio\":3",
	        "\"position_size_ratio\":1e308", "\"leverage\":0", "\"leverage\":-20", "\"leverage\":9007199254740993",
	        "\"initial_capital\":0", "\"initial_capital\":-5000", "\"initial_capital\":1e308", "\"profit_threshold\":0",
	        "\"profit_threshold\":-1", "\"profit_threshold\":1e300", "\"loss_threshold\":0", "\"loss_threshold\":-1",
	        "\"loss_threshold\":-2", "\"loss_threshold\":1e300", "\"min_pct_chg\":-1e300", "\"min_pct_chg\":1e300",
	        "\"delay_entry\":true,\"delay_hours\":-9000000000000", "\"delay_entry\":true,\"delay_hours\":9000000000000",
	        "\"delay_entry\":true,\"delay_hours\":0", "\"start_date\":\"2025-01-12\",\"end_date\":\"2025-01-01\"",
	        "\"start_date\":\"1970-01-01\",\"end_date\":\"2100-01-01\"", "\"start_date\":\"2030-01-01\",\"end_date\":\"2030-01-01\""};
	for (size_t i = 0; i < 2 * ARRAY_LEN(hostile); i++) {
		struct fixture f;
		struct buf params = {0}, csv = {0};
		fixture_open(&f);
		add_market(&f, i);
		buf_addf(&params, "\"end_date\":\"2025-01-12\",\"min_pct_chg\":0.01,%s", hostile[i / 2]);
		if (i % 2)
			buf_adds(&params, "," CORRECTED);
		bool done = run(&f, buf_text(&params));
		ck_assert_msg(done || f.e.code == ERR_INVALID, "%s: %s", buf_text(&params), f.e.text);
		ck_assert(!done || isfinite(f.r.final_capital));
		ck_assert(!done || i % 2 == 0 || f.r.initial_capital < 0 || f.r.final_capital >= 0);
		if (done)
			records_csv(&f.r, &csv);
		ck_assert(strstr(buf_text(&csv), "nan") == NULL && strstr(buf_text(&csv), "inf") == NULL);
		buf_close(&params);
		buf_close(&csv);
		fixture_close(&f);
	}
}
END_TEST

/* The origin took them all; so does its mode, but not in silence. */
START_TEST(senseless_parameters_are_named)
{
	static const char *const senseless[][2] = {{"leverage", "0"}, {"leverage", "-20"}, {"initial_capital", "0"},
	        {"initial_capital", "-5000"}, {"profit_threshold", "-1"}, {"loss_threshold", "-0.5"}, {"position_size_ratio", "0"},
	        {"position_size_ratio", "-0.1"}, {"position_size_ratio", "1.5"}};
	for (size_t i = 0; i < ARRAY_LEN(senseless); i++) {
		struct fixture f;
		char params[100];
		fixture_open(&f);
		add_market(&f, i);
		snprintf(params, sizeof(params), "\"%s\":%s", senseless[i][0], senseless[i][1]);
		ck_ok(run(&f, params), &f.e);
		ck_assert_msg(warned(&f, senseless[i][0]) && warned(&f, senseless[i][1]), "%s: no warning", params);
		snprintf(params, sizeof(params), "\"%s\":%s," CORRECTED, senseless[i][0], senseless[i][1]);
		ck_assert_msg(!run(&f, params), "%s was taken", params);
		ck_assert_int_eq(f.e.code, ERR_INVALID);
		ck_assert_msg(strstr(f.e.text, senseless[i][0]) != NULL, "%s: %s", params, f.e.text);
		fixture_close(&f);
	}
	struct fixture f;
	fixture_open(&f);
	add_market(&f, 1);
	ck_ok(run(&f, "\"position_size_ratio\":1,\"loss_threshold\":0,\"profit_threshold\":0"), &f.e);
	ck_assert(!warned(&f, "position_size_ratio") && !warned(&f, "threshold"));
	fixture_close(&f);
}
END_TEST

START_TEST(no_data)
{
	struct fixture f;
	fixture_open(&f);
	ck_ok(run(&f, ""), &f.e);
	ck_assert_uint_eq(f.r.n_trades + f.r.n_equity, 0);
	ck_assert(warned(&f, "no daily bars"));
	ck_ok(run(&f, "\"start_date\":\"2025-01-11\""), &f.e);
	ck_assert(warned(&f, "after end_date"));
	f.e = (struct err){0};
	ck_assert(!run(&f, "\"leverage\":20.5"));
	ck_assert_int_eq(f.e.code, ERR_INVALID);
	ck_assert(!run(&f, "\"mode\":\"better\""));
	ck_assert(!run(&f, "\"end_date\":\"2025-13-01\""));
	fixture_close(&f);
}
END_TEST

/* Hours are asked for once per symbol, and only of symbols that were held. */
START_TEST(nothing_is_read_twice)
{
	struct fixture f;
	int64_t rows;
	fixture_open(&f);
	add_market(&f, 3);
	ck_ok(run(&f, "\"min_pct_chg\":0.01"), &f.e);
	ck_assert_int_le(candles_asked(f.candles, &rows), 2 * 9);
	ck_assert_int_eq(rows, f.r.bars_read);
	fixture_close(&f);
}
END_TEST

static bool say_stop(void *user, int64_t done, int64_t total)
{
	UNUSED(user);
	ck_assert_int_le(done, total);
	return done < 40 * TIME_DAY;
}

START_TEST(stops_when_told)
{
	struct fixture f;
	fixture_open(&f);
	add_rise(&f, "A");
	f.data.progress = say_stop;
	ck_assert(!run(&f, "\"end_date\":\"2026-01-01\""));
	ck_assert_int_eq(f.e.code, ERR_CANCELLED);
	fixture_close(&f);
}
END_TEST

static const TTest *const tests[] = {defaults_are_the_origins, the_older_series_wins_a_tie, changes_need_the_day_before,
        target_before_stop_at_the_level, the_calendar_skips_as_in_the_origin, the_last_day_without_a_bar, adds_and_stop,
        corrected_liquidates_and_never_owes, delayed_entries_wait_for_weakness, delays_beyond_a_day, corrected_walks_the_rest_of_the_day,
        hostile_parameters, senseless_parameters_are_named, no_data, nothing_is_read_twice, stops_when_told};
TEST_MAIN("strategy_origin", tests)
