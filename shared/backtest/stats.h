/* stats.h -- statistics of a backtest, by the formulas of docs/statistics.md: UTC days, 365 days a year, sample deviation.
 *
 * A figure that is not defined (a Sharpe ratio without variation, a profit factor without losses) is never a number that looks
 * like one: it is null, with a reason of one word beside it.
 */
#ifndef BACKTEST_STATS_H
#define BACKTEST_STATS_H

#include "backtest/backtest.h"

/* Writes one object with every figure of docs/statistics.md: total_trades, win_rate (percent), total_profit_loss, total_return_rate
 * (percent), max_drawdown (fraction, negative or 0), cagr, sharpe ... What is not defined is null with "<name>_reason" beside it. */
void stats_write(const struct backtest_result *r, struct json_writer *w, const char *key);

/* ---- the single figures, each for tests too; false: not defined, and reason_out says why in one word ---- */

/* The returns E[t]/E[t-1] - 1 of n equities: n - 1 of them (0 for n == 0). Equity at or below zero ends the account: -1, then 0. */
size_t stats_returns(const double *equity, size_t n, double *out);

/* Over returns r[n]; periods: how many of them make a year (those that are no yearly figures do not use it). */
typedef bool stats_over_returns(const double *r, size_t n, double periods, double *out, const char **reason_out);
stats_over_returns stats_sharpe, stats_sortino, stats_volatility, stats_omega, stats_var_95, stats_cvar_95, stats_skew, stats_kurtosis,
        stats_psr, stats_ulcer;

/* Over equities, the start included. */
bool stats_max_drawdown(const double *equity, size_t n, double *out, const char **reason_out);
bool stats_cagr(double first, double last, double days, double *out, const char **reason_out);

/* What the trades sum up to, and the figures made of the sums. */
struct trade_sums {
	size_t n, wins, losses, longs;
	double profit, win_sum, loss_sum; /* loss_sum <= 0 */
	double square_sum;                /* of the distances from the mean profit */
	double best, worst, held_ms;
	size_t losses_in_row;
};
void trade_sums_of(const struct trade *trades, size_t n, struct trade_sums *out);
typedef bool stats_over_trades(const struct trade_sums *s, double *out, const char **reason_out);
stats_over_trades stats_win_rate, stats_profit_factor, stats_expectancy, stats_expectancy_r, stats_avg_win, stats_avg_loss, stats_payoff,
        stats_kelly, stats_sqn, stats_sqn_100, stats_best_trade, stats_worst_trade, stats_avg_hold_hours;

#endif
