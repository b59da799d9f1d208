/* test_str.c -- text: copies that are whole or not at all, strict numbers, the shortest text of a double, growing buffers. */
#include "base/str.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "tests/lib/test.h"

START_TEST(copies_are_whole_or_empty)
{
	char a[4] = "zzz";

	ck_assert(str_copy(a, sizeof(a), "abc"));
	ck_assert_str_eq(a, "abc");
	ck_assert(!str_copy(a, sizeof(a), "abcd"));
	ck_assert_str_eq(a, "");
	ck_assert(str_copy_n(a, sizeof(a), "abcd", 2));
	ck_assert_str_eq(a, "ab");
	ck_assert(!str_copy_n(a, 0, "", 0));
	ck_assert(!str_copy_n(a, sizeof(a), "x", SIZE_MAX));
}
END_TEST

START_TEST(comparing)
{
	ck_assert(str_eq(NULL, NULL) && str_eq("a", "a"));
	ck_assert(!str_eq("a", NULL) && !str_eq(NULL, "a") && !str_eq("a", "b"));
	ck_assert(str_starts("abc", "ab") && str_starts("abc", "") && !str_starts("a", "ab"));
	ck_assert(str_ends("abc", "bc") && str_ends("abc", "") && !str_ends("c", "bc"));
}
END_TEST

START_TEST(names)
{
	ck_assert(str_is_name("BTCUSDT", 7, ""));
	ck_assert(!str_is_name("BTCUSDT", 6, ""));
	ck_assert(!str_is_name("", 6, "_"));
	ck_assert(!str_is_name("a b", 6, "_"));
	ck_assert(str_is_name("a_b", 6, "_"));
	ck_assert(!str_is_name("a\xc3\xa9", 6, "_"));
	ck_assert(!str_is_name("../x", 10, "_-"));
}
END_TEST

START_TEST(whole_numbers)
{
	static const char *const bad[] = {
	        "", " 1", "1 ", "+1", "-", "--1", "0x10", "1.0", "1e3", "9223372036854775808", "-9223372036854775809", "1\n", "a"};
	int64_t v = 42;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(!str_int(bad[i], INT64_MIN, INT64_MAX, &v), "\"%s\"", bad[i]);
	ck_assert_int_eq(v, 42);
	ck_assert(str_int("-9223372036854775808", INT64_MIN, INT64_MAX, &v) && v == INT64_MIN);
	ck_assert(str_int("9223372036854775807", INT64_MIN, INT64_MAX, &v) && v == INT64_MAX);
	ck_assert(str_int("010", 0, 100, &v) && v == 10); /* no octal */
	ck_assert(!str_int("101", 0, 100, &v) && !str_int("-1", 0, 100, &v));
}
END_TEST

START_TEST(doubles)
{
	static const char *const bad[] = {
	        "", " 1", "1 ", "+1", "-", ".5", "5.", "0x1p3", "nan", "inf", "1e", "1e+", "1e999", "-1e999", "1,5", "1.5.2", "1d3"};
	double v = 42;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(!str_double(bad[i], &v), "\"%s\"", bad[i]);
	ck_assert(v == 42);
	ck_assert(str_double("-1.5e-3", &v) && v == -0.0015);
	ck_assert(str_double("007", &v) && v == 7);
	ck_assert(str_double("1E5", &v) && v == 1e5);
	ck_assert(str_double("1e-999", &v) && v == 0);
}
END_TEST

START_TEST(shortest_texts_as_python_prints_them)
{
	static const struct {
		double v;
		const char *text;
	} cases[] = {
	        {0, "0.0"},
	        {-0.0, "-0.0"},
	        {1, "1.0"},
	        {10000, "10000.0"},
	        {0.1, "0.1"},
	        {-0.1, "-0.1"},
	        {1e-9, "1e-09"},
	        {1e-4, "0.0001"},
	        {1e-5, "1e-05"},
	        {0.00012345, "0.00012345"},
	        {1e15, "1000000000000000.0"},
	        {1e16, "1e+16"},
	        {123456789012345680.0, "1.2345678901234568e+17"},
	        {9007199254740993.0, "9007199254740992.0"},
	        {1.0 / 3, "0.3333333333333333"},
	        {2.0 / 3, "0.6666666666666666"},
	        {5e-324, "5e-324"},
	        {DBL_MAX, "1.7976931348623157e+308"},
	        {DBL_MIN, "2.2250738585072014e-308"},
	        {0x1p-44, "5.684341886080802e-14"},
	        {1e22, "1e+22"},
	        {1e23, "1e+23"},
	        {0.30000000000000004, "0.30000000000000004"},
	        {97123.45, "97123.45"},
	        {99999999.99, "99999999.99"},
	        {1e7, "10000000.0"},
	        {9999999.99999999, "9999999.99999999"},
	        {123456.00000001, "123456.00000001"},
	        {1e100, "1e+100"},
	        {-1.5e-300, "-1.5e-300"},
	        {(double)NAN, "nan"},
	        {(double)INFINITY, "inf"},
	        {(double)-INFINITY, "-inf"},
	        {9.5367431640625e-07, "9.5367431640625e-07"},
	        {2e-323, "2e-323"},
	        {0x1p-1022, "2.2250738585072014e-308"},
	        {0x1p63, "9.223372036854776e+18"},
	        {4503599627370495.5, "4503599627370495.5"},
	};
	char out[32];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		str_from_double(out, cases[i].v);
		ck_assert_str_eq(out, cases[i].text);
	}
}
END_TEST

/* Every text reads back as the same double, and no text with one digit less does. */
static void check_shortest(double v)
{
	char out[32], shorter[40];
	int digits = 0;

	str_from_double(out, v);
	ck_assert_msg(strtod(out, NULL) == v, "%s is not %.17g", out, v);
	for (const char *p = out + strspn(out, "-0."); *p && *p != 'e'; p++)
		digits += *p != '.';
	if (str_ends(out, ".0"))
		return;
	if (digits < 2)
		return;
	snprintf(shorter, sizeof(shorter), "%.*e", digits - 2, v);
	ck_assert_msg(strtod(shorter, NULL) != v, "%s is longer than %s", out, shorter);
}

START_TEST(shortest_texts_of_random_doubles)
{
	for (int i = 0; i < 50000; i++) {
		uint64_t bits;
		double v;

		digest_random(&bits, sizeof(bits));
		memcpy(&v, &bits, sizeof(v));
		if (isfinite(v))
			check_shortest(v);
		v = (double)(int64_t)(bits >> 20) / 1e8;
		check_shortest(v);
		check_shortest((double)(bits >> 40) / 1e3);
	}
	for (int e = -1074; e < 1024; e++)
		check_shortest(ldexp(1, e));
}
END_TEST

START_TEST(buffers_grow_and_detach)
{
	struct buf b = {0};
	char *s;

	ck_assert_str_eq(buf_text(&b), "");
	s = buf_detach(&b);
	ck_assert_str_eq(s, "");
	mem_free(&s);
	for (int i = 0; i < 1000; i++)
		buf_addf(&b, "%d,", i % 10);
	ck_assert_uint_eq(b.len, 2000);
	ck_assert_uint_eq(strlen(buf_text(&b)), 2000);
	buf_clear(&b);
	ck_assert_str_eq(buf_text(&b), "");
	buf_adds(&b, "x");
	buf_addc(&b, '\0');
	buf_add(&b, "yz", 2);
	buf_add(&b, NULL, 0);
	ck_assert_mem_eq(b.data, "x\0yz", 5);
	s = buf_detach(&b);
	ck_assert_ptr_null(b.data);
	mem_free(&s);
	buf_close(&b);
	buf_addf(&b, "%s", "");
	buf_close(&b);
	buf_close(&b);
}
END_TEST

START_TEST(buffer_of_exactly_its_size)
{
	for (size_t n = 0; n < 300; n++) {
		struct buf b = {0};

		for (size_t i = 0; i < n; i++)
			buf_addc(&b, 'a');
		ck_assert_uint_eq(strlen(buf_text(&b)), n);
		buf_addf(&b, "%*s", (int)n, "");
		ck_assert_uint_eq(strlen(buf_text(&b)), 2 * n);
		buf_close(&b);
	}
}
END_TEST

static const TTest *const tests[] = {
        copies_are_whole_or_empty,
        comparing,
        names,
        whole_numbers,
        doubles,
        shortest_texts_as_python_prints_them,
        shortest_texts_of_random_doubles,
        buffers_grow_and_detach,
        buffer_of_exactly_its_size,
};
TEST_MAIN("str", tests)
