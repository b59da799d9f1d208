/* test_sma_oracle.c -- the moving average cross against runs of backtesting.py and TradingView's own list, trade for trade. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backtest/backtest.h"
#include "tests/lib/candles.h"
#include "tests/lib/test.h"

#define TOLERANCE 1e-9 /* relative */

/* ---- CSV ---- */

struct table {
	char *text;
	char *lines[60000];
	size_t n; /* without the header */
};

static bool table_open(struct table *t, const char *name)
{
	const char *path = test_data(name);
	*t = (struct table){0};
	if (!path) {
		test_skip_data(name);
		return false;
	}
	char *rest = NULL;
	t->text = test_read_file(path, NULL);
	strtok_r(t->text, "\n", &rest);
	for (char *line; (line = strtok_r(NULL, "\n", &rest));) {
		ck_assert_uint_lt(t->n, ARRAY_LEN(t->lines));
		t->lines[t->n++] = line;
	}
	return true;
}

/* Field i of a line as text; the line stays as it is. */
static const char *field(const char *line, int i, char out[64])
{
	while (i-- > 0) {
		line = strchr(line, ',');
		ck_assert(line);
		line++;
	}
	ck_assert(str_copy_n(out, 64, line, strcspn(line, ",\r")));
	return out;
}

static double number(const char *line, int i)
{
	char text[64];
	double v = NAN;
	ck_assert_msg(str_double(field(line, i, text), &v), "field %d of %s", i, line);
	return v;
}

static int64_t when(const char *line, int i)
{
	char text[64];
	int64_t t;
	ck_assert_msg(time_parse(field(line, i, text), &t, NULL), "field %d of %s", i, line);
	return t;
}

static bool near(double ours, double theirs)
{
	return fabs(ours - theirs) <= TOLERANCE * fmax(1, fmax(fabs(ours), fabs(theirs)));
}

/* ---- candles ---- */

/* GOOG.csv has dates, the exchange's files have ms. */
static struct candles *candles_of(const char *name, enum interval iv, int64_t from, int64_t to)
{
	static struct table t;
	if (!table_open(&t, name))
		return NULL;
	struct candles *c = candles_open();
	for (size_t i = 0; i < t.n; i++) {
		const char *l = t.lines[i];
		int64_t at = strchr(l, '-') && l[4] == '-' ? when(l, 0) : (int64_t)number(l, 0);
		if (at >= from && at <= to)
			candles_add(c, "X", iv, at, number(l, 1), number(l, 2), number(l, 3), number(l, 4), NAN);
	}
	mem_free(&t.text);
	return c;
}

static void run(const char *params, struct candles *c, struct arena *a, struct backtest_result *r)
{
	struct err e = {0};
	struct backtest_data data = candles_data(c, false);
	const struct strategy *s = strategy_of("sma_cross");
	struct json *given = json_parse(params, strlen(params), &e);
	ck_ok(given != NULL, &e);
	struct json *checked = params_check(s->params, s->n_params, given, false, &e);
	ck_ok(checked != NULL, &e);
	ck_ok(s->run(checked, &data, a, r, &e), &e);
	json_close(&given);
	json_close(&checked);
}

/* ---- backtesting.py ---- */

struct oracle_run {
	const char *name, *candles;
	enum interval interval;
	const char *params;
	double more_capital; /* than theirs had */
};

static const struct oracle_run oracle_runs[] = {
        {"goog_readme_sma10_20", "oracle/GOOG.csv", INTERVAL_1d,
                "{\"symbol\":\"X\",\"interval\":\"1d\",\"start_date\":\"2000-01-01\",\"end_date\":\"2030-01-01\",\"fast\":10,\"slow\":20,"
                "\"initial_capital\":10000,\"size_ratio\":1,\"size_step\":1,\"fee_rate\":0.002}"},
        {"btc1h_sma10_30_longshort", "um_klines_api/BTCUSDT-1h.csv", INTERVAL_1h,
                "{\"symbol\":\"X\",\"interval\":\"1h\",\"start_date\":\"2000-01-01\",\"end_date\":\"2030-01-01\",\"fast\":10,\"slow\":30,"
                "\"initial_capital\":1000000,\"size\":1,\"fee_rate\":0.0005}"},
        {"btc15m_sma20_80_longshort_sl1_tp2", "um_klines_api/BTCUSDT-15m.csv", INTERVAL_15m,
                "{\"symbol\":\"X\",\"interval\":\"15m\",\"start_date\":\"2000-01-01\",\"end_date\":\"2030-01-01\",\"fast\":20,\"slow\":80,"
                "\"initial_capital\":1000000,\"size\":1,\"fee_rate\":0.0005,\"stop_loss\":0.01,\"take_profit\":0.02,\"levels_from\":\"signal\"}"},
        {"btc15m_sma20_80_longshort_sl1_tp2_pessimistic_5x", "um_klines_api/BTCUSDT-15m.csv", INTERVAL_15m,
                /* Theirs lets the entry fee come out of the margin, ours wants margin and fee paid for: 300 more let the same entries through. */
                "{\"symbol\":\"X\",\"interval\":\"15m\",\"start_date\":\"2000-01-01\",\"end_date\":\"2030-01-01\",\"fast\":20,\"slow\":80,"
                "\"initial_capital\":200300,\"size\":10,\"leverage\":5,\"fee_rate\":0.0005,\"stop_loss\":0.01,\"take_profit\":0.02,"
                "\"levels_from\":\"signal\"}",
                300},
};

/* Size,EntryBar,ExitBar,EntryPrice,ExitPrice,SL,TP,PnL,Commission,ReturnPct,EntryTime,ExitTime */
static void compare_trade(const char *run_name, size_t i, const struct trade *t, const char *line)
{
	double size = t->side == TRADE_LONG ? t->size : -t->size;
	bool same = near(size, number(line, 0)) && near(t->entry_price, number(line, 3)) && near(t->exit_price, number(line, 4)) &&
	            near(t->profit, number(line, 7)) && near(t->profit_pct, number(line, 9)) && t->entry_at == when(line, 10) &&
	            t->exit_at == when(line, 11);
	ck_assert_msg(same, "%s, trade %zu: %s %s %.10g @ %.10g -> %.10g (%s) profit %.10g, but theirs is %s", run_name, i, t->entry_date,
	        t->exit_hour, size, t->entry_price, t->exit_price, t->exit_reason, t->profit, line);
}

/* Theirs leaves the last position open and marks it; ours closes it at the last close and pays for that. */
static void compare_run(const struct oracle_run *o, const struct backtest_result *r, const struct table *t)
{
	struct err e = {0};
	size_t len;
	char *text = test_read_file(test_data("oracle/backtestingpy_stats.json"), &len);
	struct json *all = json_parse(text, len, &e);
	ck_ok(all != NULL, &e);
	const struct json *stats = json_get(json_get(all, o->name), "stats");
	size_t closed = r->n_trades;
	double final = r->final_capital - o->more_capital;
	if (closed && str_eq(r->trades[closed - 1].exit_reason, "end_of_data")) {
		closed--;
		final += r->trades[closed].size * r->trades[closed].exit_price *
		         json_get_double(json_get(json_get(all, o->name), "params"), "commission", NAN);
	}
	for (size_t i = 0; i < closed && i < t->n; i++)
		compare_trade(o->name, i, &r->trades[i], t->lines[i]);
	ck_assert_uint_eq(closed, t->n);
	ck_assert_msg(near(final, json_get_double(stats, "Equity Final [$]", NAN)), "%s: final %.12g", o->name, final);
	ck_assert_msg(o->more_capital != 0 || near(r->max_drawdown * 100, json_get_double(stats, "Max. Drawdown [%]", NAN)),
	        "%s: drawdown %.12g", o->name, r->max_drawdown);
	if (o->more_capital == 0)
		printf("proof: backtesting.py, %s | %zu trades, final %.10g, drawdown %.6g %% | all equal\n", o->name, closed, final,
		        r->max_drawdown * 100);
	else
		printf("proof: backtesting.py, %s | %zu trades, profit %.10g | all equal\n", o->name, closed,
		        final - r->initial_capital + o->more_capital);
	json_close(&all);
	mem_free(&text);
}

static void compare_oracle(const struct oracle_run *o)
{
	static struct table t;
	char file[128];
	snprintf(file, sizeof(file), "oracle/%s.trades.csv", o->name);
	struct candles *c = candles_of(o->candles, o->interval, 0, INT64_MAX);
	if (!c || !table_open(&t, file))
		return;
	struct arena *a = arena_open();
	struct backtest_result r;
	run(o->params, c, a, &r);
	compare_run(o, &r, &t);
	mem_free(&t.text);
	arena_close(&a);
	candles_close(&c);
}

START_TEST(backtestingpy_goog)
{
	compare_oracle(&oracle_runs[0]);
}
END_TEST

START_TEST(backtestingpy_hourly)
{
	compare_oracle(&oracle_runs[1]);
}
END_TEST

START_TEST(backtestingpy_stops)
{
	compare_oracle(&oracle_runs[2]);
}
END_TEST

START_TEST(backtestingpy_leverage)
{
	compare_oracle(&oracle_runs[3]);
}
END_TEST

/* ---- TradingView ---- */

/* trade,side,qty,entry_time,entry_price,entry_signal,exit_time,exit_price,exit_signal,net_pnl,mfe,mae */
static bool tv_equal(const struct trade *t, const char *line)
{
	char side[64];
	bool is_long = strcmp(field(line, 1, side), "long") == 0;
	return is_long == (t->side == TRADE_LONG) && near(t->entry_price, number(line, 4)) && near(t->exit_price, number(line, 7)) &&
	       t->entry_at == (int64_t)number(line, 3);
}

START_TEST(tradingview_sma)
{
	static struct table t;
	int64_t from, to;
	ck_assert(time_parse("2025-03-31", &from, NULL) && time_parse("2026-05-01", &to, NULL));
	struct candles *c = candles_of("tv_oracle/ETHUSDT-15m-20241019-20260504.csv.gz", INTERVAL_15m, from, to);
	if (!c || !table_open(&t, "tv_oracle/ta-sma-dual-cross-01.tv_trades.csv.gz"))
		return;
	struct arena *a = arena_open();
	struct backtest_result r;
	run("{\"symbol\":\"X\",\"interval\":\"15m\",\"start_date\":\"2000-01-01\",\"end_date\":\"2030-01-01\",\"fast\":9,\"slow\":21,"
	    "\"initial_capital\":1000000,\"size\":1,\"fee_rate\":0}",
	        c, a, &r);
	ck_assert_uint_eq(r.n_trades, t.n);
	for (size_t i = 0; i < t.n; i++)
		ck_assert_msg(tv_equal(&r.trades[i], t.lines[i]), "trade %zu: %s %.10g -> %.10g, but theirs is %s", i,
		        r.trades[i].exit_hour, r.trades[i].entry_price, r.trades[i].exit_price, t.lines[i]);
	printf("proof: TradingView, SMA 9/21 cross | %zu trades | all equal\n", t.n);
	mem_free(&t.text);
	arena_close(&a);
	candles_close(&c);
}
END_TEST

static const TTest *const tests[] = {
        backtestingpy_goog, backtestingpy_hourly, backtestingpy_stops, backtestingpy_leverage, tradingview_sma};
TEST_MAIN("sma_oracle", tests)
