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
void build_reserve(struct builder *b, size_t trades); /* room for so many trades, so that a long run copies nothing */
void build_equity(struct builder *b, int64_t at, double equity);
void build_warn(struct builder *b, const char *fmt, ...) PRINTF_LIKE(2, 3); /* beyond the 16th: dropped, the 16th says so */
/* Every figure must be a number: ERR_INVALID otherwise (parameters or prices so large that doubles end). */
bool build_end(struct builder *b, double final_capital, struct err *e) MUST_CHECK;

/* "2026-02-01" and "2026-02-01 09:30:00" for years 0 to 9999: what time_print_* gives, without printf, since a run can have a hundred
 * thousand trades with three of them each. Text that does not fit (a symbol beyond 31 bytes) stays empty: cut, it would be another. */
void build_date(char out[12], int64_t t_ms);
void build_datetime(char out[24], int64_t t_ms);
void build_text(char *out, size_t size, const char *text);

/* ERR_CANCELLED when the caller said stop. */
bool build_progress(const struct backtest_data *data, int64_t done, int64_t total, struct err *e) MUST_CHECK;

#endif
