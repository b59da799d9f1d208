/* order.h -- order arithmetic: entry, stop and take-profit prices as the origin's calculator gives them (spec of /api/calculate-order). */
#ifndef TRADE_ORDER_H
#define TRADE_ORDER_H

#include "base/base.h"
#include "base/err.h"

enum order_side { ORDER_SHORT, ORDER_LONG };

bool order_side_of(const char *text, enum order_side *out) MUST_CHECK; /* "short" / "long", any case */

struct order_prices {
	char entry[48], stop[48], take[48]; /* 8 decimals, half up from the shortest decimal of the double */
};
/* Percents as the web page sends them: 1.9 means 1.9 %. ERR_INVALID when a value is not finite or the result does not fit. */
bool order_prices(double price, double entry_pct, double loss_pct, double profit_pct, enum order_side side, struct order_prices *out,
        struct err *e) MUST_CHECK;

#endif
