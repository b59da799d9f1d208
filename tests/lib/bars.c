/* bars.c -- candles for tests and benches. */
#include "tests/lib/bars.h"

uint64_t bars_random(uint64_t *seed)
{
	uint64_t z = *seed += 0x9E3779B97F4A7C15u;
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return z ^ (z >> 31);
}

static int64_t below(uint64_t *seed, int64_t limit)
{
	return (int64_t)(bars_random(seed) % (uint64_t)limit);
}

static struct dec dec(int64_t units, int scale)
{
	return (struct dec){units, (int8_t)scale};
}

/* Prices in ticks of 0.0001 printed with five digits, volumes in lots of 0.1; quote volume = volume x a price between the extremes. */
void bars_walk(struct bar *out, size_t n, enum interval iv, int64_t first_open, uint64_t seed)
{
	int64_t close = 20000 + below(&seed, 20000), t = first_open;
	for (size_t i = 0; i < n; i++) {
		int64_t open = close + (below(&seed, 10) == 0), volume = below(&seed, 20) == 0 ? 0 : below(&seed, 2000000), taker;
		close = open + below(&seed, 41) - 20;
		close = close < 1000 ? 1000 : close;
		int64_t high = (open > close ? open : close) + below(&seed, 15), low = (open < close ? open : close) - below(&seed, 15);
		int64_t price = low + below(&seed, high - low + 1);
		taker = volume ? below(&seed, volume + 1) : 0;
		out[i] = (struct bar){.open_time = t,
		        .close_time = interval_close(iv, t),
		        .open = dec(open * 10, 5),
		        .high = dec(high * 10, 5),
		        .low = dec(low * 10, 5),
		        .close = dec(close * 10, 5),
		        .volume = dec(volume, 1),
		        .quote_volume = dec(volume * price, 5),
		        .trades = volume ? 1 + below(&seed, 900) : 0,
		        .taker_base = dec(taker, 1),
		        .taker_quote = dec(taker * price, 5),
		        .unused = dec(0, 0)};
		t = interval_next(iv, t);
	}
}

static struct dec wild_dec(uint64_t *seed)
{
	/* A few units or any; often negative; INT64_MIN too. */
	int64_t units = (int64_t)(bars_random(seed) >> below(seed, 64));
	return dec(below(seed, 3) == 0 ? (int64_t)(0 - (uint64_t)units) : units, (int)below(seed, DEC_SCALE_MAX + 1));
}

struct bar bars_wild(uint64_t *seed, int64_t open_time)
{
	return (struct bar){.open_time = open_time,
	        .close_time = (int64_t)bars_random(seed),
	        .open = wild_dec(seed),
	        .high = wild_dec(seed),
	        .low = wild_dec(seed),
	        .close = wild_dec(seed),
	        .volume = wild_dec(seed),
	        .quote_volume = wild_dec(seed),
	        .trades = (int64_t)bars_random(seed),
	        .taker_base = wild_dec(seed),
	        .taker_quote = wild_dec(seed),
	        .unused = wild_dec(seed)};
}

static bool dec_same(struct dec a, struct dec b)
{
	return a.units == b.units && a.scale == b.scale;
}

bool bars_same(const struct bar *a, const struct bar *b, size_t n)
{
	bool same = true;
	for (size_t i = 0; i < n; i++)
		same = same && a[i].open_time == b[i].open_time && a[i].close_time == b[i].close_time && a[i].trades == b[i].trades &&
		       dec_same(a[i].open, b[i].open) && dec_same(a[i].high, b[i].high) && dec_same(a[i].low, b[i].low) &&
		       dec_same(a[i].close, b[i].close) && dec_same(a[i].volume, b[i].volume) &&
		       dec_same(a[i].quote_volume, b[i].quote_volume) && dec_same(a[i].taker_base, b[i].taker_base) &&
		       dec_same(a[i].taker_quote, b[i].taker_quote) && dec_same(a[i].unused, b[i].unused);
	return same;
}
