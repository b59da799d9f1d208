/* columns.h -- a run of candles column by column, as doubles: what integrity checks and backtests read.
 *
 * Shape: n rows ascending by open_time; each array has n items or is NULL when it was not asked for.
 */
#ifndef MARKET_COLUMNS_H
#define MARKET_COLUMNS_H

#include "base/base.h"

enum column_set {
	COLUMN_TIME = 1,
	COLUMN_OPEN = 2,
	COLUMN_HIGH = 4,
	COLUMN_LOW = 8,
	COLUMN_CLOSE = 16,
	COLUMN_VOLUME = 32,
	COLUMN_QUOTE = 64,
	COLUMN_TRADES = 128,
	COLUMN_TAKER_BASE = 256,
	COLUMN_TAKER_QUOTE = 512,
	COLUMN_CLOSE_TIME = 1024,
	COLUMNS_OHLC = COLUMN_TIME | COLUMN_OPEN | COLUMN_HIGH | COLUMN_LOW | COLUMN_CLOSE,
	COLUMNS_ALL = 2047
};

struct columns {
	size_t n;
	const int64_t *open_time, *close_time, *trades;
	const double *open, *high, *low, *close, *volume, *quote_volume, *taker_base, *taker_quote;
};

/* Index of the first row with open_time >= t (n when there is none). */
size_t columns_lower_bound(const struct columns *c, int64_t t_ms);

#endif
