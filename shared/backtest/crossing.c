/* crossing.c -- crossings of two moving averages in one pass: two running sums of whole numbers, compared without division. */
#include "backtest/crossing.h"

#include <math.h>
#include <string.h>

#define LANES     256  /* constant trip count: the compiler makes vectors of it */
#define BLOCK     4096 /* bars at once: stays in the cache, and sums are made anew for each, so that no error can grow */
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

static bool scale_all(const double *x, double *k, size_t n, double scale, double limit)
{
	size_t i = 0;
	for (; i + LANES <= n; i += LANES) {
		if (scale_rows(x + i, k + i, LANES, scale, limit))
			return false;
	}
	return scale_rows(x + i, k + i, n - i, scale, limit) == 0;
}

/* Whole numbers in place of prices: by the first power of ten, from *scale on, that makes all of them whole. Prices that are no
 * short decimals, or whose sums would pass 2^53, stay as they are. */
static void prices_scale(const double *x, double *k, size_t n, double limit, double *scale)
{
	for (double s = *scale; s <= SCALE_MAX; s *= 10) {
		if (scale_all(x, k, n, s, limit)) {
			*scale = s;
			return;
		}
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

/* k[slow ..] are the closes of n bars from `first` on, k[0 .. slow-1] those before them. Only signs matter: each block may have its
 * own scale. */
static void cross_block(const double *k, size_t n, size_t first, size_t fast, size_t slow, struct list *l)
{
	double f = sum_before(k, slow, fast), s = sum_before(k, slow, slow), wf = (double)fast, ws = (double)slow;
	double before = f * ws - s * wf;
	for (size_t i = slow; i < slow + n; i++) {
		f += k[i] - k[i - fast];
		s += k[i] - k[i - slow];
		double now = f * ws - s * wf;
		if (now * before <= 0) {
			if (now > 0 && before <= 0)
				list_add(l, first + i - slow, 1);
			else if (now < 0 && before >= 0)
				list_add(l, first + i - slow, -1);
		}
		before = now;
	}
}

size_t crossings_of(const double *close, size_t n, size_t fast, size_t slow, struct arena *a, struct crossing **out)
{
	struct list l = {.arena = a};
	size_t block = slow > BLOCK / 2 ? 2 * slow : BLOCK;
	double scale = 1, limit = 0x1p51 / ((double)fast * (double)slow);
	*out = NULL;
	if (n <= slow)
		return 0;
	double *k = arena_array(a, slow + block, sizeof(*k));
	for (size_t i = slow; i < n; i += block) {
		size_t rows = n - i < block ? n - i : block;
		prices_scale(close + i - slow, k, slow + rows, limit, &scale);
		cross_block(k, rows, i, fast, slow, &l);
	}
	*out = l.items;
	return l.n;
}
