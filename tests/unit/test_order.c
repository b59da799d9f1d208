/* test_order.c -- the order calculator: the origin's vectors, rounding on the decimal text, hostile numbers. */
#include <math.h>
#include <string.h>

#include "tests/lib/test.h"
#include "trade/order.h"

struct vector {
	double price, entry, loss, profit;
	enum order_side side;
	const char *want_entry, *want_stop, *want_take;
};

static const struct vector vectors[] = {
        /* answers of the origin itself */
        {10000, 1, 1.9, 4, ORDER_SHORT, "10100.00000000", "10291.90000000", "9696.00000000"},
        {0.00012345, 1, 1.9, 4, ORDER_LONG, "0.00012222", "0.00011989", "0.00012710"},
        {1e-9, 1, 1.9, 4, ORDER_SHORT, "0.00000000", "0.00000000", "0.00000000"},
        /* half up on the shortest decimal: 0.000000125 is below the half in binary, printf would round it down */
        {0.000000125, 0, 0, 0, ORDER_SHORT, "0.00000013", "0.00000013", "0.00000013"},
        {0.000000005, 0, 0, 0, ORDER_SHORT, "0.00000001", "0.00000001", "0.00000001"},
        {0.0000000049999, 0, 0, 0, ORDER_SHORT, "0.00000000", "0.00000000", "0.00000000"},
        {2.675e-6, 0, 0, 0, ORDER_LONG, "0.00000268", "0.00000268", "0.00000268"},
        /* a carry through all digits */
        {9.999999995, 0, 0, 0, ORDER_SHORT, "10.00000000", "10.00000000", "10.00000000"},
        {0.999999999, 0, 0, 0, ORDER_SHORT, "1.00000000", "1.00000000", "1.00000000"},
        {99999999.999999995, 0, 0, 0, ORDER_SHORT, "100000000.00000000", "100000000.00000000", "100000000.00000000"},
        /* no range checks: computed */
        {0, 1, 1.9, 4, ORDER_SHORT, "0.00000000", "0.00000000", "0.00000000"},
        {-10000, 1, 1.9, 4, ORDER_SHORT, "-10100.00000000", "-10291.90000000", "-9696.00000000"},
        {-1e-9, 0, 0, 0, ORDER_SHORT, "0.00000000", "0.00000000", "0.00000000"},
        {-0.000000005, 0, 0, 0, ORDER_SHORT, "-0.00000001", "-0.00000001", "-0.00000001"},
        {100, 100, 0, 0, ORDER_LONG, "0.00000000", "0.00000000", "0.00000000"},
        {100, 200, 50, 50, ORDER_LONG, "-100.00000000", "-50.00000000", "-150.00000000"},
        {1e22, 0, 0, 0, ORDER_SHORT, "10000000000000000000000.00000000", "10000000000000000000000.00000000",
                "10000000000000000000000.00000000"},
        {123456789012345.67, 0, 0, 0, ORDER_SHORT, "123456789012345.67000000", "123456789012345.67000000", "123456789012345.67000000"},
};

START_TEST(prices_are_the_origins)
{
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		const struct vector *v = &vectors[i];
		struct order_prices out;
		struct err e = {0};
		ck_ok(order_prices(v->price, v->entry, v->loss, v->profit, v->side, &out, &e), &e);
		ck_assert_msg(
		        strcmp(out.entry, v->want_entry) == 0 && strcmp(out.stop, v->want_stop) == 0 && strcmp(out.take, v->want_take) == 0,
		        "vector %zu: %s %s %s", i, out.entry, out.stop, out.take);
	}
}
END_TEST

START_TEST(numbers_beyond_reach_are_refused)
{
	struct order_prices out;
	struct err e = {0};
	ck_assert(!order_prices(NAN, 1, 1, 1, ORDER_SHORT, &out, &e));
	ck_assert_int_eq(e.code, ERR_INVALID);
	ck_assert(!order_prices(1, INFINITY, 1, 1, ORDER_SHORT, &out, &e));
	ck_assert(!order_prices(1, 1, -INFINITY, 1, ORDER_LONG, &out, &e));
	ck_assert(!order_prices(1, 1, 1, NAN, ORDER_LONG, &out, &e));
	ck_assert(!order_prices(1e308, 1e10, 1, 1, ORDER_SHORT, &out, &e)); /* finite in, infinite out */
	ck_assert(!order_prices(1e33, 0, 0, 0, ORDER_SHORT, &out, &e));     /* more digits than a field holds */
	ck_assert(order_prices(9e31, 0, 0, 0, ORDER_SHORT, &out, &e));
	ck_assert(order_prices(-9e31, 0, 0, 0, ORDER_LONG, &out, &e));
	ck_assert(order_prices(5e-324, 0, 0, 0, ORDER_LONG, &out, &e));
	ck_assert_str_eq(out.entry, "0.00000000");
}
END_TEST

START_TEST(sides_have_two_names)
{
	enum order_side side;
	ck_assert(order_side_of("short", &side) && side == ORDER_SHORT);
	ck_assert(order_side_of("LONG", &side) && side == ORDER_LONG);
	ck_assert(order_side_of("Short", &side) && side == ORDER_SHORT);
	ck_assert(!order_side_of("buy", &side));
	ck_assert(!order_side_of("", &side));
	ck_assert(!order_side_of("short ", &side));
	ck_assert(!order_side_of(NULL, &side));
}
END_TEST

static const TTest *const tests[] = {prices_are_the_origins, numbers_beyond_reach_are_refused, sides_have_two_names};
TEST_MAIN("order", tests)
