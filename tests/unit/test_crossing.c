/* test_crossing.c -- crossings against the plain definition, with ties, holes in the scale, and prices that are no decimals. */
#include <math.h>
#include <stdlib.h>

#include "backtest/crossing.h"
#include "tests/lib/test.h"

#define ROWS 12000 /* more than one block of sums */

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

/* The definition, in whole numbers: units[i] are the closes times 100. */
static int sign_at(const int64_t *units, size_t i, size_t fast, size_t slow)
{
	int64_t f = 0, s = 0;
	for (size_t k = 0; k < fast; k++)
		f += units[i - k];
	for (size_t k = 0; k < slow; k++)
		s += units[i - k];
	int64_t d = f * (int64_t)slow - s * (int64_t)fast;
	return (d > 0) - (d < 0);
}

static void compare(const int64_t *units, const double *close, size_t n, size_t fast, size_t slow, struct arena *a)
{
	struct crossing *list;
	size_t found = crossings_of(close, n, fast, slow, a, &list), at = 0;
	for (size_t i = slow; i < n; i++) {
		int now = sign_at(units, i, fast, slow), before = sign_at(units, i - 1, fast, slow);
		int want = now > 0 && before <= 0 ? 1 : now < 0 && before >= 0 ? -1 : 0;
		if (want == 0)
			continue;
		ck_assert_msg(at < found && list[at].bar == i && list[at].toward == want, "%zu/%zu: bar %zu should be crossing %zu", fast,
		        slow, i, at);
		at++;
	}
	ck_assert_uint_eq(at, found);
}

/* Few different prices: the averages are often exactly equal, which sums of rounded doubles get wrong. */
START_TEST(ties_are_ties)
{
	static int64_t units[ROWS];
	static double close[ROWS];
	struct arena *a = arena_open();
	uint64_t state = 7;
	for (size_t i = 0; i < ROWS; i++) {
		units[i] = 110 + (int64_t)(next_random(&state) % 5);
		close[i] = (double)units[i] / 100;
	}
	compare(units, close, ROWS, 1, 2, a);
	compare(units, close, ROWS, 3, 7, a);
	compare(units, close, ROWS, 10, 30, a);
	compare(units, close, ROWS, 50, 200, a);
	compare(units, close, 201, 50, 200, a);
	arena_close(&a);
}
END_TEST

/* The first prices are whole, later ones need two places: the scale is found late and all rows are scaled again. */
START_TEST(the_scale_is_found_late)
{
	static int64_t units[ROWS];
	static double close[ROWS];
	struct arena *a = arena_open();
	uint64_t state = 11;
	for (size_t i = 0; i < ROWS; i++) {
		units[i] = i < 5000 ? 100 * (int64_t)(1 + next_random(&state) % 3) : 100 + (int64_t)(next_random(&state) % 200);
		close[i] = (double)units[i] / 100;
	}
	compare(units, close, ROWS, 5, 20, a);
	arena_close(&a);
}
END_TEST

/* Prices that no power of ten makes whole are taken as they are. */
START_TEST(any_double_will_do)
{
	static double close[ROWS];
	struct arena *a = arena_open();
	struct crossing *list;
	for (size_t i = 0; i < ROWS; i++)
		close[i] = 100 + 10 * sin((double)i / 50) + M_PI / 1e5;
	size_t n = crossings_of(close, ROWS, 5, 20, a, &list);
	ck_assert_uint_ge(n, 2 * (ROWS / 314) - 2);
	ck_assert_uint_le(n, 2 * (ROWS / 314) + 3);
	for (size_t i = 1; i < n; i++)
		ck_assert_int_eq(list[i].toward, -list[i - 1].toward);
	arena_close(&a);
}
END_TEST

START_TEST(too_few_and_hostile_rows)
{
	double close[40];
	struct arena *a = arena_open();
	struct crossing *list;
	ck_assert_uint_eq(crossings_of(close, 0, 1, 2, a, &list), 0);
	for (size_t i = 0; i < 40; i++)
		close[i] = 1;
	ck_assert_uint_eq(crossings_of(close, 1, 1, 2, a, &list), 0);
	ck_assert_uint_eq(crossings_of(close, 30, 10, 30, a, &list), 0);
	ck_assert_uint_eq(crossings_of(close, 40, 10, 30, a, &list), 0); /* flat: never crosses */
	for (size_t i = 0; i < 40; i++)
		close[i] = i % 2 ? NAN : i % 3 ? 1e308 : -INFINITY;
	ck_assert_uint_eq(crossings_of(close, 40, 2, 3, a, &list), 0); /* no comparison with NaN holds */
	arena_close(&a);
}
END_TEST

static const TTest *const tests[] = {ties_are_ties, the_scale_is_found_late, any_double_will_do, too_few_and_hostile_rows};
TEST_MAIN("crossing", tests)
