/* test_dec.c -- decimals: what is printed was parsed, nothing overflows or is rounded silently, doubles are correctly rounded. */
#include "base/dec.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "tests/lib/test.h"

static struct dec d(const char *s)
{
	struct dec out;

	ck_assert_msg(dec_parse_s(s, &out), "%s", s);
	return out;
}

static void is(struct dec v, const char *text)
{
	char out[DEC_TEXT];

	dec_print(out, v);
	ck_assert_str_eq(out, text);
}

START_TEST(text_comes_back_as_it_was)
{
	static const char *const texts[] = {"0", "1", "-1", "1.50", "0.00000001", "-0.5", "0.000000000000000001", "9223372036854775807",
	        "-9223372036854775808", "9.223372036854775807", "-9.223372036854775808", "-0.000000000000000001", "100", "0.10",
	        "12345678.90"};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		is(d(texts[i]), texts[i]);
}
END_TEST

START_TEST(what_is_no_decimal_is_refused)
{
	static const char *const bad[] = {"", "-", ".", "1.", ".5", "-.5", "+1", " 1", "1 ", "1e5", "0x1", "1.2.3", "1,5", "nan", "--1",
	        "1-", "9223372036854775808", "-9223372036854775809", "99999999999999999999999999999999999999999999999",
	        "0.0000000000000000001", "10.000000000000000000"};
	struct dec out = {77, 7};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(!dec_parse_s(bad[i], &out), "\"%s\"", bad[i]);
	ck_assert(!dec_parse("1\0002", 3, &out));
	ck_assert(!dec_parse("12", 0, &out));
	ck_assert(dec_parse("12x", 2, &out));
	is(out, "12");
}
END_TEST

START_TEST(doubles_equal_strtod)
{
	char text[DEC_TEXT];

	for (int i = 0; i < 200000; i++) {
		struct {
			int64_t units;
			uint8_t scale, shift;
		} r;
		struct dec v;

		digest_random(&r, sizeof(r));
		v.units = r.units >> (r.shift % 64);
		v.scale = (int8_t)(r.scale % (DEC_SCALE_MAX + 1));
		dec_print(text, v);
		ck_assert_msg(dec_double(v) == strtod(text, NULL), "%s", text);
	}
	for (int64_t u = (INT64_C(1) << 53) - 3; u < (INT64_C(1) << 53) + 5; u++) {
		for (int8_t scale = 0; scale <= DEC_SCALE_MAX; scale++) {
			dec_print(text, (struct dec){u, scale});
			ck_assert_msg(dec_double((struct dec){u, scale}) == strtod(text, NULL), "%s", text);
			ck_assert(dec_double((struct dec){-u, scale}) == -strtod(text, NULL));
		}
	}
	ck_assert(dec_double((struct dec){INT64_MIN, 18}) == strtod("-9.223372036854775808", NULL));
}
END_TEST

START_TEST(comparison_is_by_value)
{
	ck_assert_int_eq(dec_cmp(d("1.5"), d("1.50")), 0);
	ck_assert_int_eq(dec_cmp(d("9223372036854775807"), d("0.000000000000000001")), 1);
	ck_assert_int_eq(dec_cmp(d("-9223372036854775808"), d("0.000000000000000001")), -1);
	ck_assert_int_eq(dec_cmp(d("0.1"), d("0.10000000000000001")), -1);
	ck_assert_int_eq(dec_sign(d("-0.01")), -1);
	ck_assert_int_eq(dec_sign(d("-0.00")), 0);
	ck_assert_int_eq(dec_sign(d("3")), 1);
}
END_TEST

START_TEST(sums)
{
	struct dec out = {1, 1};

	ck_assert(dec_add(d("1.5"), d("0.25"), &out));
	is(out, "1.75");
	ck_assert(dec_sub(d("1.5"), d("1.50"), &out));
	is(out, "0.00");
	ck_assert(dec_add(d("0.1"), d("0.2"), &out));
	is(out, "0.3");
	ck_assert(!dec_add(d("9223372036854775807"), d("1"), &out));
	ck_assert(!dec_add(d("9223372036854775807"), d("0.0"), &out)); /* does not fit with one place */
	ck_assert(!dec_sub(d("-9223372036854775808"), d("1"), &out));
	ck_assert(dec_sub(d("-9223372036854775808"), d("-9223372036854775808"), &out));
	is(out, "0");
}
END_TEST

START_TEST(products)
{
	struct dec out;

	ck_assert(dec_mul(d("1.25"), d("1.1"), 3, DEC_TOWARD_ZERO, &out));
	is(out, "1.375");
	ck_assert(dec_mul(d("1.25"), d("1.1"), 2, DEC_HALF_UP, &out));
	is(out, "1.38");
	ck_assert(dec_mul(d("-1.25"), d("1.1"), 2, DEC_HALF_UP, &out));
	is(out, "-1.38");
	ck_assert(dec_mul(d("0.000000000000000001"), d("0.000000000000000001"), 18, DEC_CEIL, &out));
	is(out, "0.000000000000000001");
	ck_assert(dec_mul(d("9.000000000000000000"), d("9.000000000000000000"), 17, DEC_FLOOR, &out) == true);
	is(out, "81.00000000000000000");
	ck_assert(!dec_mul(d("9223372036854775807"), d("2"), 0, DEC_FLOOR, &out));
	ck_assert(!dec_mul(d("9223372036854775807"), d("9223372036854775807"), 18, DEC_FLOOR, &out));
	ck_assert(dec_mul(d("-9223372036854775808"), d("1"), 0, DEC_FLOOR, &out));
	is(out, "-9223372036854775808");
}
END_TEST

START_TEST(rounding)
{
	static const struct {
		const char *in;
		const char *floor, *ceil, *half_up, *toward_zero;
	} cases[] = {
	        {"1.05", "1.0", "1.1", "1.1", "1.0"},
	        {"-1.05", "-1.1", "-1.0", "-1.1", "-1.0"},
	        {"1.04", "1.0", "1.1", "1.0", "1.0"},
	        {"-1.04", "-1.1", "-1.0", "-1.0", "-1.0"},
	        {"1.06", "1.0", "1.1", "1.1", "1.0"},
	        {"1.10", "1.1", "1.1", "1.1", "1.1"},
	        {"-0.01", "-0.1", "0.0", "0.0", "0.0"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dec out;

		ck_assert(dec_rescale(d(cases[i].in), 1, DEC_FLOOR, &out));
		is(out, cases[i].floor);
		ck_assert(dec_rescale(d(cases[i].in), 1, DEC_CEIL, &out));
		is(out, cases[i].ceil);
		ck_assert(dec_rescale(d(cases[i].in), 1, DEC_HALF_UP, &out));
		is(out, cases[i].half_up);
		ck_assert(dec_rescale(d(cases[i].in), 1, DEC_TOWARD_ZERO, &out));
		is(out, cases[i].toward_zero);
	}
}
END_TEST

START_TEST(more_places_may_not_fit)
{
	struct dec out;

	ck_assert(dec_rescale(d("1"), 18, DEC_FLOOR, &out));
	is(out, "1.000000000000000000");
	ck_assert(!dec_rescale(d("10"), 18, DEC_FLOOR, &out));
	ck_assert(dec_rescale(d("0.000000000000000001"), 0, DEC_CEIL, &out));
	is(out, "1");
}
END_TEST

static const TTest *const tests[] = {
        text_comes_back_as_it_was,
        what_is_no_decimal_is_refused,
        doubles_equal_strtod,
        comparison_is_by_value,
        sums,
        products,
        rounding,
        more_places_may_not_fit,
};
TEST_MAIN("dec", tests)
