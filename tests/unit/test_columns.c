/* test_columns.c -- finding rows by time. */
#include "tests/lib/test.h"

#include "market/columns.h"

START_TEST(lower_bound_is_the_first_not_before)
{
	int64_t times[] = {10, 20, 30, 40};
	struct columns c = {.n = 4, .open_time = times};
	ck_assert_uint_eq(columns_lower_bound(&c, INT64_MIN), 0);
	ck_assert_uint_eq(columns_lower_bound(&c, 10), 0);
	ck_assert_uint_eq(columns_lower_bound(&c, 11), 1);
	ck_assert_uint_eq(columns_lower_bound(&c, 40), 3);
	ck_assert_uint_eq(columns_lower_bound(&c, 41), 4);
	c.n = 0;
	ck_assert_uint_eq(columns_lower_bound(&c, 20), 0);
}
END_TEST

static const TTest *const tests[] = {lower_bound_is_the_first_not_before};
TEST_MAIN("columns", tests)
