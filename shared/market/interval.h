/* interval.h -- the 15 candle intervals of Binance: steps, alignment, names. Case matters: 1m is a minute, 1M a month. */
#ifndef MARKET_INTERVAL_H
#define MARKET_INTERVAL_H

#include "base/base.h"
#include "base/time.h"

/* X(enum, name, archive name, step in ms or 0 where months differ) */
#define INTERVALS(X)                                    \
	X(INTERVAL_1m, "1m", "1m", TIME_MINUTE)         \
	X(INTERVAL_3m, "3m", "3m", 3 * TIME_MINUTE)     \
	X(INTERVAL_5m, "5m", "5m", 5 * TIME_MINUTE)     \
	X(INTERVAL_15m, "15m", "15m", 15 * TIME_MINUTE) \
	X(INTERVAL_30m, "30m", "30m", 30 * TIME_MINUTE) \
	X(INTERVAL_1h, "1h", "1h", TIME_HOUR)           \
	X(INTERVAL_2h, "2h", "2h", 2 * TIME_HOUR)       \
	X(INTERVAL_4h, "4h", "4h", 4 * TIME_HOUR)       \
	X(INTERVAL_6h, "6h", "6h", 6 * TIME_HOUR)       \
	X(INTERVAL_8h, "8h", "8h", 8 * TIME_HOUR)       \
	X(INTERVAL_12h, "12h", "12h", 12 * TIME_HOUR)   \
	X(INTERVAL_1d, "1d", "1d", TIME_DAY)            \
	X(INTERVAL_3d, "3d", "3d", 3 * TIME_DAY)        \
	X(INTERVAL_1w, "1w", "1w", 7 * TIME_DAY)        \
	X(INTERVAL_1M, "1M", "1mo", 0)

enum interval {
#define X(id, name, archive, step) id,
	INTERVALS(X)
#undef X
	        INTERVAL_COUNT
};

const char *interval_name(enum interval iv);
bool interval_of(const char *name, enum interval *out) MUST_CHECK;
bool interval_is_daily(enum interval iv); /* 1d 3d 1w 1M: trade_date is a date without time */
/* Open time of the bar that holds t. 3d is anchored at `anchor` (an open time of the series; 0: the epoch), 1w Monday, 1M the 1st. */
int64_t interval_floor(enum interval iv, int64_t t_ms, int64_t anchor);
int64_t interval_next(enum interval iv, int64_t open_ms);  /* open time of the next bar */
int64_t interval_close(enum interval iv, int64_t open_ms); /* interval_next - 1 */
int64_t interval_count(
        enum interval iv, int64_t first_open, int64_t last_open); /* bars in [first, last], both aligned; 0 if last < first */
void interval_print_trade_date(enum interval iv, char out[TIME_TEXT], int64_t open_ms); /* origin format */

#endif
