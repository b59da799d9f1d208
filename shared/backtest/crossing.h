/* crossing.h -- where a fast moving average crosses a slow one, exactly where the prices are decimals. */
#ifndef BACKTEST_CROSSING_H
#define BACKTEST_CROSSING_H

#include "base/base.h"
#include "base/mem.h"

struct crossing {
	size_t bar; /* known at this bar's close */
	int toward; /* +1: fast is now above and was not; -1: fast is now below and was not */
};

/* All crossings of the simple averages over close[n]; 1 <= fast < slow. The list lives in the arena; returns its length.
 * Averages are compared as whole numbers wherever the closes are decimals that allow it, so that a tie is a tie. */
size_t crossings_of(const double *close, size_t n, size_t fast, size_t slow, struct arena *a, struct crossing **out);

#endif
