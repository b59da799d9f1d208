/* backtest.h -- the backtest engine's frame: data in, trades, equity and statistics out. Pure and deterministic.
 *
 * A strategy is one file and one line in strategies.def:
 *     STRATEGY(origin_short_top)
 * It declares `const struct strategy strategy_origin_short_top` with its parameter table and run().
 */
#ifndef BACKTEST_BACKTEST_H
#define BACKTEST_BACKTEST_H

#include "base/base.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/param.h"
#include "market/columns.h"
#include "market/interval.h"

/* The data: asked for by symbol and interval through this, so that the engine knows neither store nor cache. */
struct backtest_data {
	/* Symbols that have bars of the interval, in the series' creation order. */
	int (*symbols)(void *user, enum interval iv, const char *const **out, struct err *e);
	/* from <= open_time <= to; n == 0 when there is nothing. OHLC and open times are read; the arrays stay valid until run() returns. */
	bool (*columns)(void *user, const char *symbol, enum interval iv, int64_t from, int64_t to, struct columns *out, struct err *e);
	/* Told now and then; false: stop with ERR_CANCELLED. May be NULL. */
	bool (*progress)(void *user, int64_t done, int64_t total);
	void *user;
	/* May be NULL. The daily change in percent that was imported with a daily bar, NaN where there is none: the origin's strategy takes
	 * it before the change that it computes from the previous calendar day's close. Barque's own store keeps no such column. */
	double (*pct_chg)(void *user, const char *symbol, int64_t open_time);
};

enum trade_side { TRADE_LONG, TRADE_SHORT };

struct trade {
	char symbol[32];
	enum trade_side side;
	int64_t entry_at, exit_at; /* ms UTC */
	double entry_price, exit_price;
	double entry_pct; /* the signal day's change, percent; NaN: not applicable */
	double size;      /* coins */
	double leverage;
	double profit, profit_pct;   /* money; fraction of the entry price, unleveraged */
	double max_profit, max_loss; /* best and worst move while held, fractions of the entry price; both >= 0 */
	int hold_days, adds;
	bool delayed;
	int delay_hours;                                   /* of a delayed entry; else -1 */
	char entry_date[12], exit_date[12], exit_hour[24]; /* as the origin's CSV prints them; exit_hour "" at the end of the run */
	const char *entry_reason, *exit_reason;            /* UTF-8, never NULL; constants or arena memory */
};

struct equity_point {
	int64_t at;
	double equity;
};

struct delay_stats {
	bool enabled;
	int delay_hours;
	int total_pending, successful, forced, failed, momentum, timeout;
};

struct backtest_result {
	double initial_capital, final_capital;
	struct trade *trades; /* in exit order; arena memory */
	size_t n_trades;
	struct equity_point *equity; /* one per day (origin) or bar; arena memory */
	size_t n_equity;
	struct delay_stats delay;
	int64_t bars_read;
	const char *warnings[16]; /* sentences for the user: holes met, positions without data */
	size_t n_warnings;
	double fees;                   /* paid in all, already taken from the profits */
	int64_t periods, periods_held; /* bars (or days) of the run, and how many of them a position was open in */
	int64_t ambiguous_exits;       /* exits in bars that touched stop and target both; the worse one was taken */
	bool has_drawdown;             /* max_drawdown was measured bar by bar (finer than the equity points) */
	double max_drawdown;           /* fraction, negative or 0 */
};

struct strategy {
	const char *name, *title;
	const struct param *params;
	size_t n_params;
	/* params: checked, with defaults filled in. Result and everything in it lives in the arena. */
	bool (*run)(
	        const struct json *params, const struct backtest_data *data, struct arena *a, struct backtest_result *out, struct err *e);
	/* Beyond the table: parameters that contradict each other, so that they are refused when they are given and not when the run
	 * begins. May be NULL. */
	bool (*check)(const struct json *params, struct err *e);
};

const struct strategy *strategy_of(const char *name); /* NULL: no such strategy */
const struct strategy *strategy_at(size_t i);         /* NULL after the last */

#endif
