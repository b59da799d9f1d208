/* bars.h -- candles for tests and benches: a plausible walk, or anything at all. */
#ifndef TESTS_LIB_BARS_H
#define TESTS_LIB_BARS_H

#include "market/bar.h"

uint64_t bars_random(uint64_t *seed); /* splitmix64: the same on every machine */
/* n candles that bar_check accepts, as an exchange prints them; price and volume walk with the seed. */
void bars_walk(struct bar *out, size_t n, enum interval iv, int64_t first_open, uint64_t seed);
/* One candle of arbitrary decimals, scales and counts: what a codec must keep, though no exchange would print it. */
struct bar bars_wild(uint64_t *seed, int64_t open_time);
/* Equal to the digit: units and scales, not only values. */
bool bars_same(const struct bar *a, const struct bar *b, size_t n);

#endif
