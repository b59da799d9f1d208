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
#include "base/str.h"

#define RECORDS_NAME 256
#define RECORDS_MAX  (256 << 20) /* bytes of a file that records_read takes into memory */

struct records_names {
	char csv[RECORDS_NAME], json[RECORDS_NAME]; /* bare names within the directory */
	char origin_csv[RECORDS_NAME];              /* backtrade_records_{start}_{end}.csv */
};

/* What the files of a run are called; ERR_INVALID when job is no id ([A-Za-z0-9._-], at most 64) or start, end are no days. */
bool records_names_of(const char *job, const char *start, const char *end, struct records_names *out, struct err *e) MUST_CHECK;
/* dir is made when missing (its parent must be there). start and end: YYYY-MM-DD. summary_json: the summary to embed in the JSON
 * file, valid JSON; NULL: null. All three files are on disk when this returns true; the same run again writes the same bytes. */
bool records_write(const char *dir, const char *job, const char *start, const char *end, const struct backtest_result *r,
        const char *summary_json, struct records_names *out, struct err *e) MUST_CHECK;
/* The origin's CSV text (with BOM) alone, for tests and for streaming. */
void records_csv(const struct backtest_result *r, struct buf *out);
/* The JSON text alone. */
void records_json(const struct backtest_result *r, const char *job, const char *summary_json, struct buf *out);
/* Read a file of the directory by its bare name (no slash, no dot-dot, no link); ERR_NOT_FOUND. Appends to out. */
bool records_read(const char *dir, const char *name, struct buf *out, struct err *e) MUST_CHECK;

#endif
