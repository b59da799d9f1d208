/* records.h -- result files of backtests under backtrade_records/: the origin's CSV, trades and equity as JSON; formats in its README.
 *
 * Every file is written beside and renamed, so that a reader never sees half of one. Names carry the job id: nothing is overwritten
 * by another run; the origin's name backtrade_records_{start}_{end}.csv is kept as a copy of the newest.
 */
#ifndef RECORDS_RECORDS_H
#define RECORDS_RECORDS_H

#include "backtest/backtest.h"
#include "base/base.h"
#include "base/err.h"

struct records_names {
	char csv[256], json[256]; /* relative to the directory */
	char origin_csv[256];     /* backtrade_records_{start}_{end}.csv */
};

/* dir is made when missing. start and end: YYYY-MM-DD. summary_json: the summary to embed in the JSON file. */
bool records_write(const char *dir, const char *job, const char *start, const char *end, const struct backtest_result *r,
        const char *summary_json, struct records_names *out, struct err *e) MUST_CHECK;
/* The origin's CSV text (with BOM) alone, for tests and for streaming. */
void records_csv(const struct backtest_result *r, struct buf *out);
/* Read a file of the directory by its bare name (no slash, no dot-dot); ERR_NOT_FOUND. */
bool records_read(const char *dir, const char *name, struct buf *out, struct err *e) MUST_CHECK;

#endif
