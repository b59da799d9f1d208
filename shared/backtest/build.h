/* build.h -- how a strategy fills its backtest_result: arrays that grow in the arena, warnings, and the last check. */
#ifndef BACKTEST_BUILD_H
#define BACKTEST_BUILD_H

#include "backtest/backtest.h"

struct builder {
	struct arena *arena;
	struct backtest_result *result;
	size_t trades_cap, equity_cap;
};

struct builder build_begin(struct arena *a, struct backtest_result *out, double initial_capital);
struct trade *build_trade(
        struct builder *b); /* the next trade, all zeros but delay_hours (-1) and entry_pct (NaN); valid until the next call */
void build_equity(struct builder *b, int64_t at, double equity);
void build_warn(struct builder *b, const char *fmt, ...) PRINTF_LIKE(2, 3); /* beyond the 16th: dropped, the 16th says so */
/* Every figure must be a number: ERR_INVALID otherwise (parameters or prices so large that doubles end). */
bool build_end(struct builder *b, double final_capital, struct err *e) MUST_CHECK;

/* ERR_CANCELLED when the caller said stop. */
bool build_progress(const struct backtest_data *data, int64_t done, int64_t total, struct err *e) MUST_CHECK;

#endif
