/* stats.h -- statistics of a backtest, by the formulas of docs/statistics.md: UTC days, 365 days a year, sample deviation. */
#ifndef BACKTEST_STATS_H
#define BACKTEST_STATS_H

#include "backtest/backtest.h"

/* Writes one object: total_trades, win_trades, loss_trades, win_rate (percent), total_profit_loss, total_return_rate (percent),
 * profit_factor, expectancy, avg_win, avg_loss, payoff, max_drawdown (fraction, negative or 0), cagr, sharpe, sortino, calmar,
 * volatility, exposure ... What cannot be computed is null with "<name>_reason" beside it. */
void stats_write(const struct backtest_result *r, struct json_writer *w, const char *key);

/* The single figures, for tests; false: not defined (reason_out says why). daily[n]: equity at the end of each UTC day, daily[0] the start. */
bool stats_sharpe(const double *daily, size_t n, double periods, double *out, const char **reason_out);
bool stats_sortino(const double *daily, size_t n, double periods, double *out, const char **reason_out);
bool stats_max_drawdown(const double *equity, size_t n, double *out, const char **reason_out);

#endif
