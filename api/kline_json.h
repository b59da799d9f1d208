/* kline_json.h -- candles as the origin's JSON: key order, floats, diff and pct_chg. Pure. */
#ifndef API_KLINE_JSON_H
#define API_KLINE_JSON_H

#include "base/base.h"
#include "base/str.h"
#include "market/bar.h"

/* Appends {"trade_date":...} of bars[n] with commas between. before: the stored bar before bars[0], or NULL when bars[0] is the
 * first of its series (diff and pct_chg are null then). Decimals are printed exactly, with a point as Python prints floats. */
void kline_json(struct buf *out, enum interval iv, const struct bar *before, const struct bar *bars, size_t n);
void kline_json_bar(struct buf *out, enum interval iv, const struct bar *before, const struct bar *bar);

#endif
