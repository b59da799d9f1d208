/* csv.h -- candles as lines of CSV, in the 12 fields of Binance's archive: strict reading, exact printing.
 *
 * Reads what the archive holds and nothing else: with or without a header (told by the first byte, on the first line only),
 * times in ms or (spot since 2025) in µs, fields 8..12 possibly empty: then they are 0 and the reader counts the line in
 * `partial`. No quotes, no spaces, no exponents. Lines end in \n or \r\n; the last end of line may be missing.
 */
#ifndef MARKET_CSV_H
#define MARKET_CSV_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"
#include "market/bar.h"

#define CSV_HEADER   "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
#define CSV_LINE_MAX 512 /* bytes of a line that can be a candle */

struct csv_reader {
	const char *at, *end; /* what is not read yet; borrowed */
	int64_t line;         /* number of the line last read, from 1 */
	int64_t partial;      /* candles so far whose fields 8..12 were not all there */
};

void csv_open(struct csv_reader *r, const char *text, size_t len);
/* 1: a candle; 0: the end; -1: ERR_CORRUPT, with the line number. Times are checked only to be numbers: see bar_check. */
int csv_next(struct csv_reader *r, struct bar *out, struct err *e) MUST_CHECK;

/* One line without its end: the 12 fields of one candle. *partial_out: some of fields 8..12 were empty. */
bool csv_parse(const char *line, size_t len, struct bar *out, bool *partial_out, struct err *e) MUST_CHECK;
void csv_print_header(struct buf *out);               /* with "\n" */
void csv_print(struct buf *out, const struct bar *b); /* with "\n"; prints what was read, digit by digit */

#endif
