/* test_stats.c -- statistics at their edges: nothing, one, no losses, bankruptcy, partial days; each figure by hand. */
#include <math.h>
#include <string.h>

#include "backtest/stats.h"
#include "base/mem.h"
#include "tests/lib/test.h"

static const int64_t JAN_1 = INT64_C(1735689600000); /* 2025-01-01 */

static struct json *written(const struct backtest_result *r)
{
	struct buf b = {0};
	struct err e = {0};
	struct json_writer w = json_writer_on(&b);
	stats_write(r, &w, NULL);
	struct json *j = json_parse(buf_text(&b), b.len, &e);
	ck_ok(j != NULL, &e);
	buf_close(&b);
	return j;
}

static void expect(const struct json *j, const char *key, double want)
{
	double v;
	ck_assert_msg(json_double(json_get(j, key), &v), "%s is no number", key);
	ck_assert_msg(fabs(v - want) <= 1e-12 * fmax(1, fabs(want)), "%s is %.17g, not %.17g", key, v, want);
}

static void expect_none(const struct json *j, const char *key, const char *reason)
{
	char with_reason[64];
	snprintf(with_reason, sizeof(with_reason), "%s_reason", key);
	ck_assert_msg(json_get(j, key) && json_is(json_get(j, key), JSON_NULL), "%s is not null", key);
	ck_assert_msg(str_eq(json_get_text(j, with_reason, NULL), reason), "%s is %s, not %s", with_reason,
	        json_get_text(j, with_reason, "absent"), reason);
}

START_TEST(nothing_at_all)
{
	struct backtest_result r = {.initial_capital = 100, .final_capital = 100};
	struct json *j = written(&r);
	expect(j, "total_trades", 0);
	expect(j, "total_profit_loss", 0);
	expect(j, "total_return_rate", 0);
	expect_none(j, "win_rate", "no_trades");
	expect_none(j, "profit_factor", "no_trades");
	expect_none(j, "expectancy", "no_trades");
	expect_none(j, "sharpe", "fewer_than_two_returns");
	expect_none(j, "sortino", "fewer_than_two_returns");
	expect_none(j, "cagr", "no_equity");
	expect_none(j, "max_drawdown", "no_equity");
	expect_none(j, "calmar", "no_equity");
	expect_none(j, "exposure", "no_bars");
	expect_none(j, "var_95", "no_returns");
	json_close(&j);
}
END_TEST

START_TEST(one_trade_and_a_day)
{
	struct trade t = {.profit = 10, .entry_at = JAN_1, .exit_at = JAN_1 + 6 * TIME_HOUR, .side = TRADE_LONG};
	struct equity_point points[] = {{JAN_1, 100}, {JAN_1 + TIME_DAY - 1, 110}};
	struct backtest_result r = {.initial_capital = 100,
	        .final_capital = 110,
	        .trades = &t,
	        .n_trades = 1,
	        .equity = points,
	        .n_equity = 2,
	        .periods = 24,
	        .periods_held = 6};
	struct json *j = written(&r);
	expect(j, "win_rate", 100);
	expect(j, "long_trades", 1);
	expect(j, "avg_hold_hours", 6);
	expect(j, "exposure", 0.25);
	expect(j, "cagr", pow(1.1, 365) - 1);
	expect(j, "max_drawdown", 0);
	expect_none(j, "profit_factor", "no_losses");
	expect_none(j, "payoff", "no_losses");
	expect_none(j, "kelly", "no_losses");
	expect_none(j, "sqn", "fewer_than_two_trades");
	expect_none(j, "sharpe", "fewer_than_two_returns");
	expect_none(j, "calmar", "no_drawdown");
	expect_none(j, "recovery_factor", "no_drawdown");
	json_close(&j);
}
END_TEST

/* 5 trades: +30, -10, 0, -20, +10; equity 100, 130, 120, 120, 100, 110 at the days' ends. */
START_TEST(a_small_run_by_hand)
{
	const double profits[] = {30, -10, 0, -20, 10}, equity[] = {130, 120, 120, 100, 110};
	struct trade t[5] = {0};
	struct equity_point points[6] = {{JAN_1, 100}};
	for (int i = 0; i < 5; i++) {
		t[i].profit = profits[i];
		t[i].side = TRADE_SHORT;
		points[i + 1] = (struct equity_point){JAN_1 + (i + 1) * TIME_DAY - 1, equity[i]};
	}
	struct backtest_result r = {
	        .initial_capital = 100, .final_capital = 110, .trades = t, .n_trades = 5, .equity = points, .n_equity = 6};
	struct json *j = written(&r);
	expect(j, "win_trades", 2);
	expect(j, "loss_trades", 2);
	expect(j, "short_trades", 5);
	expect(j, "win_rate", 40);
	expect(j, "max_losses_in_row", 1);
	expect(j, "profit_factor", 40.0 / 30);
	expect(j, "expectancy", 2);
	expect(j, "avg_win", 20);
	expect(j, "avg_loss", -15);
	expect(j, "payoff", 20.0 / 15);
	expect(j, "expectancy_r", 2.0 / 15);
	expect(j, "kelly", 0.4 - 0.6 / (20.0 / 15));
	expect(j, "sqn", sqrt(5) * 2 / sqrt((28 * 28 + 12 * 12 + 2 * 2 + 22 * 22 + 8 * 8) / 4.0));
	expect(j, "best_trade", 30);
	expect(j, "worst_trade", -20);
	expect(j, "max_drawdown", 100.0 / 130 - 1);
	expect(j, "max_drawdown_money", -30);
	expect(j, "max_drawdown_days", 4);
	expect(j, "recovery_factor", 10.0 / 30);
	expect(j, "cagr", pow(1.1, 365.0 / 5) - 1);
	expect(j, "calmar", (pow(1.1, 365.0 / 5) - 1) / (1 - 100.0 / 130));
	expect(j, "total_return_rate", 10);
	json_close(&j);
}
END_TEST

/* A loss in the first bar counts against the start; a better measure of the strategy wins over the points. */
START_TEST(drawdown_counts_the_start)
{
	struct equity_point points[] = {{JAN_1, 100}, {JAN_1 + TIME_DAY - 1, 80}, {JAN_1 + 2 * TIME_DAY - 1, 90}};
	struct backtest_result r = {.initial_capital = 100, .final_capital = 90, .equity = points, .n_equity = 3};
	struct json *j = written(&r);
	expect(j, "max_drawdown", -0.2);
	json_close(&j);
	points[2].equity = 100; /* back at the peak: the whole way there and back counts */
	j = written(&r);
	expect(j, "max_drawdown_days", 2 - 1.0 / TIME_DAY);
	json_close(&j);
	r.has_drawdown = true;
	r.max_drawdown = -0.25;
	j = written(&r);
	expect(j, "max_drawdown", -0.25);
	json_close(&j);
}
END_TEST

START_TEST(all_losses_and_no_variation)
{
	struct trade t[3] = {{.profit = -1}, {.profit = -1}, {.profit = -1}};
	struct equity_point points[5];
	for (int i = 0; i < 5; i++)
		points[i] = (struct equity_point){i ? JAN_1 + i * TIME_DAY - 1 : JAN_1, 100};
	struct backtest_result r = {
	        .initial_capital = 100, .final_capital = 97, .trades = t, .n_trades = 3, .equity = points, .n_equity = 5};
	struct json *j = written(&r);
	expect(j, "win_rate", 0);
	expect(j, "profit_factor", 0);
	expect(j, "max_losses_in_row", 3);
	expect_none(j, "payoff", "no_wins");
	expect_none(j, "kelly", "no_wins");
	expect_none(j, "sqn", "no_variation");
	expect_none(j, "sharpe", "no_variation");
	expect_none(j, "sortino", "no_losses");
	expect_none(j, "psr", "no_variation");
	expect(j, "volatility", 0);
	json_close(&j);
}
END_TEST

START_TEST(bankruptcy_ends_the_returns)
{
	const double equity[] = {100, 50, -20, 30, 60};
	double r[4];
	ck_assert_uint_eq(stats_returns(equity, 5, r), 4);
	ck_assert_double_eq(r[0], -0.5);
	ck_assert_double_eq(r[1], -1);
	ck_assert_double_eq(r[2], 0);
	ck_assert_double_eq(r[3], 0);
	struct equity_point points[] = {{JAN_1, 100}, {JAN_1 + TIME_DAY - 1, -50}};
	struct backtest_result run = {.initial_capital = 100, .final_capital = -50, .equity = points, .n_equity = 2};
	struct json *j = written(&run);
	expect(j, "cagr", -1);
	expect(j, "max_drawdown", -1.5);
	json_close(&j);
	ck_assert_uint_eq(stats_returns(equity, 0, r), 0);
}
END_TEST

/* Points within a day count by the last; days without a point keep the one before. */
START_TEST(days_are_utc_days)
{
	struct equity_point points[] = {
	        {JAN_1 + 5 * TIME_HOUR, 100}, {JAN_1 + 6 * TIME_HOUR, 300}, {JAN_1 + TIME_DAY - 1, 110}, {JAN_1 + 3 * TIME_DAY + 1, 121}};
	struct backtest_result r = {.initial_capital = 100, .final_capital = 121, .equity = points, .n_equity = 4};
	const double want[] = {0.1, 0, 0, 0.1};
	const char *reason;
	double sharpe;
	ck_assert(stats_sharpe(want, 4, 365, &sharpe, &reason));
	struct json *j = written(&r);
	expect(j, "sharpe", sharpe);
	json_close(&j);
}
END_TEST

START_TEST(hostile_results_are_valid_json)
{
	struct trade t[2] = {{.profit = 1e308}, {.profit = 1e308}};
	struct equity_point points[] = {{JAN_1, 1e-300}, {JAN_1 + 1, 1e300}, {JAN_1 + TIME_DAY, 1e-300}, {JAN_1 + 2 * TIME_DAY, 1e300}};
	struct backtest_result r = {
	        .initial_capital = 0, .final_capital = 1e308, .trades = t, .n_trades = 2, .equity = points, .n_equity = 4};
	struct json *j = written(&r);
	expect_none(j, "total_return_rate", "no_capital");
	expect_none(j, "cagr", "no_capital");
	expect_none(j, "expectancy", "too_large");
	json_close(&j);
}
END_TEST

START_TEST(normal_returns_have_a_middling_psr)
{
	const double r[] = {0.01, -0.01, 0.02, -0.02};
	double v;
	const char *reason;
	ck_assert(stats_psr(r, 4, 365, &v, &reason));
	ck_assert_double_eq_tol(v, 0.5, 1e-12);
	const double up[] = {0.01, 0.02, 0.01, 0.03, 0.02, -0.01};
	/* by hand: mean .0133, deviation .013663, SR .9759, g3 -.4891, g4 2.3157 */
	ck_assert(stats_psr(up, 6, 365, &v, &reason));
	double m = 0.08 / 6, second = 0, third = 0, fourth = 0;
	for (int i = 0; i < 6; i++) {
		second += pow(up[i] - m, 2) / 6;
		third += pow(up[i] - m, 3) / 6;
		fourth += pow(up[i] - m, 4) / 6;
	}
	double sr = m / sqrt(second * 6 / 5), g3 = third / pow(second, 1.5), g4 = fourth / (second * second);
	ck_assert_double_eq_tol(v, 0.5 * erfc(-sr * sqrt(5) / sqrt(1 - g3 * sr + (g4 - 1) / 4 * sr * sr) / sqrt(2)), 1e-12);
}
END_TEST

/* What is written and what docs/statistics.md explains are the same list. */
START_TEST(every_figure_is_documented)
{
	struct backtest_result r = {.initial_capital = 1, .final_capital = 1};
	struct json *j = written(&r);
	char *text = test_read_file("docs/statistics.md", NULL), quoted[96];
	for (const struct json *m = json_first(j); m; m = json_next(m)) {
		if (str_ends(json_key(m), "_reason"))
			continue;
		snprintf(quoted, sizeof(quoted), "| `%s` |", json_key(m));
		ck_assert_msg(strstr(text, quoted) != NULL, "docs/statistics.md does not explain %s", json_key(m));
	}
	for (const char *line = strstr(text, "\n| `"); line; line = strstr(line + 1, "\n| `")) {
		const char *name = line + strlen("\n| `");
		ck_assert(str_copy_n(quoted, sizeof(quoted), name, strcspn(name, "`")));
		ck_assert_msg(json_get(j, quoted) != NULL, "docs/statistics.md explains %s, which nobody writes", quoted);
	}
	mem_free(&text);
	json_close(&j);
}
END_TEST

static const TTest *const tests[] = {nothing_at_all, one_trade_and_a_day, a_small_run_by_hand, drawdown_counts_the_start,
        all_losses_and_no_variation, bankruptcy_ends_the_returns, days_are_utc_days, hostile_results_are_valid_json,
        normal_returns_have_a_middling_psr, every_figure_is_documented};
TEST_MAIN("stats", tests)
