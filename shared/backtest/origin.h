/* origin.h -- inside of strategy_origin_short_top: its parameters, its view of the market, its positions.
 *
 * A pass of the main loop handles one calendar day:
 *
 *     held positions, in opening order -> pending delayed entries -> one new entry from the day's top gainer
 *
 * Money: free capital C; opening takes C*ratio as margin out of C, closing gives margin + profit back.
 */
#ifndef BACKTEST_ORIGIN_H
#define BACKTEST_ORIGIN_H

#include "backtest/backtest.h"
#include "backtest/build.h"

struct origin_params {
	int64_t start, end; /* first and last day */
	double capital, leverage, take, stop, ratio, min_pct;
	bool delay, corrected;
	int64_t delay_hours;
};

/* ---- the market (origin_market.c) ---- */

struct origin_symbol {
	const char *name;
	struct columns days, hours;
	bool has_hours; /* hours were asked for: only symbols that are held need them */
};

struct origin_top {
	int symbol; /* -1: nobody has a change that day */
	double pct;
};

struct origin_market {
	const struct backtest_data *data;
	struct origin_symbol *symbols;
	int n;
	int64_t from, to;        /* days of the run that have daily bars of anybody; from > to: none */
	struct origin_top *tops; /* one per day from `from` to `to` */
	int64_t start, end, bars_read;
};

bool origin_market_open(struct origin_market *m, const struct origin_params *p, const struct backtest_data *data, struct arena *a,
        struct err *e) MUST_CHECK;
const struct origin_top *origin_market_top(const struct origin_market *m, int64_t day); /* NULL: nobody */
/* Row of the symbol's daily bar, or -1. */
int64_t origin_market_day(const struct origin_market *m, int symbol, int64_t day);

/* A stretch of rows of one symbol within one day. */
struct origin_bars {
	const struct columns *c;
	size_t from, to;
	bool hourly;
};
/* Hourly bars of the day, else its one daily bar, else from == to. */
bool origin_market_bars(struct origin_market *m, int symbol, int64_t day, struct origin_bars *out, struct err *e) MUST_CHECK;
/* Hourly bars only. */
bool origin_market_hours(struct origin_market *m, int symbol, int64_t day, struct origin_bars *out, struct err *e) MUST_CHECK;

/* ---- positions (origin_position.c) ---- */

struct origin_position {
	int symbol;
	int64_t entry_day, entry_at;
	int64_t live_from; /* bars that open earlier do not touch it */
	double price, coins, margin, pct;
	double max_profit, max_loss;
	int adds;
	const char *reason; /* of the entry */
	bool delayed;
	double mark;       /* last price seen, for the equity */
	int64_t marked_at; /* when it was seen */
};

struct origin {
	struct origin_params p;
	struct origin_market market;
	struct builder out;
	double capital;               /* free */
	struct origin_position *held; /* room for one per symbol, in opening order */
	int n_held;
	int64_t day; /* the day of this pass */
	int64_t cur; /* the origin's date variable: runs ahead of `day` when a held symbol has no data (mode origin) */
	int64_t ambiguous, liquidated, skipped_days, lost;
	bool went_below_zero;
};

/* Is there capital for an entry? check false: mode origin does not ask (its immediate entries). */
bool origin_can_open(const struct origin *o, bool check);
void origin_open(struct origin *o, const struct origin_position *entry);
/* Walk position i through the bars of o->day. 1: it was closed and removed, 0: still held, -1 failed. */
int origin_walk(struct origin *o, int i, struct err *e) MUST_CHECK;
/* Close what is left at the last day. */
void origin_close_all(struct origin *o);
double origin_equity(const struct origin *o);

#endif
