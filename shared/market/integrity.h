/* integrity.h -- is a series whole and believable? Pure: columns in, findings out, and their JSON in the origin's shape.
 *
 * What is expected: one bar for every step of the interval between a first and a last expected bar.
 *   first = the asked start, but never before the listing (`listed_at`); where the listing is not known, never before the
 *           first stored bar: a start before the listing is no hole.
 *   last  = the asked end, but only bars that are closed at `now`; without an asked end the last stored bar.
 * 3d is anchored at the first stored bar, 1w is Monday, 1M the first of the month. Ranges in `absent` are not holes: the
 * exchange was asked and has nothing there.
 */
#ifndef MARKET_INTEGRITY_H
#define MARKET_INTEGRITY_H

#include "base/base.h"
#include "base/json.h"
#include "base/mem.h"
#include "market/bar.h"
#include "market/columns.h"
#include "market/interval.h"

#define INTEGRITY_DATES_SHOWN  10 /* the origin's figure */
#define INTEGRITY_PRICES_SHOWN 20 /* the origin's figure */
#define INTEGRITY_RANGES_SHOWN 1000

struct integrity_span {
	int64_t from, to; /* open times, both inclusive */
};

struct integrity_options {
	bool duplicates, missing, quality;   /* which checks: the three switches of the origin's request */
	int64_t from, to;                    /* open times to look at, both inclusive; 0: no bound */
	int64_t listed_at;                   /* when trading began; 0: not known */
	int64_t now_ms;                      /* bars that close at or after it are not expected; 0: no such bound */
	const struct integrity_span *absent; /* ascending or not; may overlap */
	size_t n_absent;
};

struct integrity_range { /* a hole: expected bars from..to are not there */
	int64_t from, to, count;
};

struct integrity_price { /* a bar whose prices contradict each other */
	int64_t open_time;
	double open, high, low, close;
};

struct integrity_checks {        /* bars, each counted once per check */
	int64_t duplicates;      /* all copies of a repeated open time */
	int64_t ohlc;            /* high < low, or open or close outside [low, high] */
	int64_t not_positive[4]; /* open, high, low, close <= 0 */
	int64_t nulls[5];        /* open, high, low, close, volume that are NaN */
	int64_t negative_volume;
	int64_t misaligned; /* open time is not one of the interval's */
	int64_t close_time; /* close time is not the next open time - 1 */
	int64_t vwap;       /* quote / base volume outside [low, high] */
	int64_t taker;      /* the taker's part exceeds the total */
	int64_t disorder;   /* open time before the one above it */
};

struct integrity {
	char symbol[SYMBOL_SIZE];
	enum interval interval;
	int64_t rows, first, last; /* of the whole series, before the filter; rows 0: empty */
	int64_t rows_checked;      /* after the filter */
	struct integrity_checks checks;
	int64_t missing_bars;
	struct integrity_range *ranges; /* the holes in order, at most INTEGRITY_RANGES_SHOWN; arena memory */
	size_t n_ranges;
	int64_t ranges_total;
	int64_t missing_days;                 /* days on which bars were expected and not one is there */
	int64_t dates[INTEGRITY_DATES_SHOWN]; /* the first of them */
	struct integrity_price *prices;       /* the first contradictory bars; arena memory */
	size_t n_prices;
	int64_t absent_bars; /* expected bars that the exchange does not have */
};

/* c: the whole series with COLUMNS_ALL (columns that are NULL are not checked). */
void integrity_check(const char *symbol, enum interval iv, const struct columns *c, const struct integrity_options *o, struct arena *a,
        struct integrity *out);
/* The sentences of the origin's "issues" list (Chinese), in its order; arena memory. quality_only: those of data_quality_issues. */
size_t integrity_issues(const struct integrity *r, bool quality_only, struct arena *a, const char *const **out);
/* The origin's result object {total_symbols, checked_symbols, symbols_with_issues, summary, details} over n series; each detail
 * has three keys more: missing_bars, missing_ranges, checks. */
void integrity_write(const struct integrity *items, size_t n, struct json_writer *w, const char *key);

#endif
