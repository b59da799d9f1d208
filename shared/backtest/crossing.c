/* crossing.c -- crossings of two moving averages in one pass: two running sums of whole numbers, compared without division. */
#include "backtest/crossing.h"

#include <math.h>
#include <string.h>

#define BLOCK     256  /* constant trip count: the compiler makes two lanes of it */
#define RESUM     4096 /* bars after which the sums are made anew; changes nothing where they are exact */
#define SCALE_MAX 1e12
#define ROUND     0x1.8p52 /* adding and taking it away rounds to a whole number, for |v| < 2^51 */

/* k = x * scale as whole numbers; 0 when all are exact (k / scale gives x again) and within the limit. */
static inline unsigned scale_rows(const double *x, double *k, size_t n, double scale, double limit)
{
	unsigned bad = 0;
	for (size_t i = 0; i < n; i++) {
		double whole = (x[i] * scale + ROUND) - ROUND;
		k[i] = whole;
		bad |= (unsigned)(whole / scale != x[i]) | (unsigned)!(fabs(whole) < limit);
	}
	return bad;
}

static bool scale_all(const double *x, double *k, size_t from, size_t n, double scale, double limit, size_t *bad_at)
{
	size_t i = from;
	for (; i + BLOCK <= n; i += BLOCK) {
		*bad_at = i;
		if (scale_rows(x + i, k + i, BLOCK, scale, limit))
			return false;
	}
	*bad_at = i;
	return scale_rows(x + i, k + i, n - i, scale, limit) == 0;
}

/* Whole numbers in place of prices: the smallest power of ten that makes all of them whole. Prices that are no short decimals, or
 * whose sums would pass 2^53, stay as they are. */
static void prices_scale(const double *x, double *k, size_t n, size_t fast, size_t slow)
{
	double limit = 0x1p51 / ((double)fast * (double)slow);
	size_t at = 0;
	for (double scale = 1; scale <= SCALE_MAX; scale *= 10) {
		if (!scale_all(x, k, at, n, scale, limit, &at))
			continue;
		if (scale_all(x, k, 0, n, scale, limit, &at)) /* what was scaled by less before */
			return;
	}
	memcpy(k, x, n * sizeof(*x));
}

struct list {
	struct arena *arena;
	struct crossing *items;
	size_t n, cap;
};

static void list_add(struct list *l, size_t bar, int toward)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 256;
		struct crossing *more = arena_array(l->arena, l->cap, sizeof(*more));
		if (l->n)
			memcpy(more, l->items, l->n * sizeof(*more));
		l->items = more;
	}
	l->items[l->n++] = (struct crossing){.bar = bar, .toward = toward};
}

static double sum_before(const double *k, size_t end, size_t n)
{
	double sum = 0;
	for (size_t i = end - n; i < end; i++)
		sum += k[i];
	return sum;
}

/* Bars [i, end): before is the difference of the averages (times fast * slow) at bar i - 1; returns that of bar end - 1. */
static double cross_block(const double *k, size_t i, size_t end, size_t fast, size_t slow, double before, struct list *l)
{
	double f = sum_before(k, i, fast), s = sum_before(k, i, slow), wf = (double)fast, ws = (double)slow;
	for (; i < end; i++) {
		f += k[i] - k[i - fast];
		s += k[i] - k[i - slow];
		double now = f * ws - s * wf;
		if (now * before <= 0) {
			if (now > 0 && before <= 0)
				list_add(l, i, 1);
			else if (now < 0 && before >= 0)
				list_add(l, i, -1);
		}
		before = now;
	}
	return before;
}

size_t crossings_of(const double *close, size_t n, size_t fast, size_t slow, struct arena *a, struct crossing **out)
{
	struct list l = {.arena = a};
	*out = NULL;
	if (n <= slow)
		return 0;
	double *k = arena_array(a, n, sizeof(*k));
	prices_scale(close, k, n, fast, slow);
	double before = sum_before(k, slow, fast) * (double)slow - sum_before(k, slow, slow) * (double)fast;
	for (size_t i = slow; i < n; i += RESUM)
		before = cross_block(k, i, i + RESUM < n ? i + RESUM : n, fast, slow, before, &l);
	*out = l.items;
	return l.n;
}
