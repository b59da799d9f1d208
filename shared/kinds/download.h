/* download.h -- brings one series up to date from the exchange: asks for what is missing and stores it page by page.
 *
 * Each page is stored as it comes, with the job's fence: who is killed and runs again asks only for what is not there yet. Ranges
 * that the exchange answers with nothing are remembered as absent and not asked for again.
 */
#ifndef KINDS_DOWNLOAD_H
#define KINDS_DOWNLOAD_H

#include "kinds/kind.h"

struct download {
	struct job_context *context;
	struct store *store;
	struct exchange *exchange;
	enum interval interval;
	int64_t from, to; /* open times, aligned where the interval is; to is closed */
	int64_t now_ms;   /* the exchange's */
	bool overwrite;   /* ask for everything again and replace */
	size_t n_series;  /* for progress: of so many, */
	size_t i_series;  /* this is number i */
};

struct download_result {
	int64_t inserted, updated, same, requested, absent, revision;
	int64_t present; /* were there before */
};

/* How many bars the range of d may hold. */
int64_t download_count(const struct download *d);
bool download_series(const struct download *d, const char *symbol, struct download_result *out, struct err *e) MUST_CHECK;

#endif
