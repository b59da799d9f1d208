/* bar.h -- one candle as the exchange printed it (12 fields), and what makes a candle believable. */
#ifndef MARKET_BAR_H
#define MARKET_BAR_H

#include "base/base.h"
#include "base/dec.h"
#include "base/err.h"
#include "market/interval.h"

#define SYMBOL_SIZE   32
#define BAR_TIME_LAST INT64_C(253402300799999) /* 9999-12-31 23:59:59.999: open times lie between 0 and this */

struct bar {
	int64_t open_time, close_time; /* ms UTC */
	struct dec open, high, low, close;
	struct dec volume; /* base asset */
	struct dec quote_volume;
	int64_t trades;
	struct dec taker_base, taker_quote;
	struct dec unused; /* the exchange's 12th field, "0" */
};

/* [A-Z0-9_] and well-formed UTF-8 beyond ASCII (Binance has listed symbols with Chinese names), 1..31 bytes. */
bool symbol_ok(const char *symbol);

/* Is it possible at all? high >= max(open, close), low <= min(open, close), prices > 0, volumes >= 0, taker <= total,
 * times aligned to the interval (3d: any day), close_time right. ERR_CORRUPT with a sentence otherwise. */
bool bar_check(const struct bar *b, enum interval iv, struct err *e) MUST_CHECK;
bool bar_equal(const struct bar *a, const struct bar *b); /* by value */

#endif
