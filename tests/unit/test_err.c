/* test_err.c -- errors: filling, prefixing, cutting, names of codes. */
#include <string.h>

#include "tests/lib/test.h"

START_TEST(set_fills_and_says_no)
{
	struct err e = {.retry_after_ms = 7};

	ck_assert(!err_set(&e, ERR_FULL, "%d of %d", 3, 4));
	ck_assert_int_eq(e.code, ERR_FULL);
	ck_assert_str_eq(e.text, "3 of 4");
	ck_assert_int_eq(e.retry_after_ms, 0);
	ck_assert_int_eq(err_fail(&e, ERR_IO, "x"), -1);
	ck_assert_int_eq(e.code, ERR_IO);
}
END_TEST

START_TEST(prefix_keeps_code_and_hint)
{
	struct err e;

	err_set(&e, ERR_TIMEOUT, "no answer");
	e.retry_after_ms = 50;
	ck_assert(!err_prefix(&e, "redis %d", 6379));
	ck_assert_str_eq(e.text, "redis 6379: no answer");
	ck_assert_int_eq(e.code, ERR_TIMEOUT);
	ck_assert_int_eq(e.retry_after_ms, 50);
}
END_TEST

START_TEST(own_text_may_be_an_argument)
{
	struct err e;

	err_set(&e, ERR_IO, "disk");
	err_set(&e, ERR_UNAVAILABLE, "because of %s", e.text);
	ck_assert_str_eq(e.text, "because of disk");
	err_prefix(&e, "again %s", e.text);
	ck_assert_str_eq(e.text, "again because of disk: because of disk");
}
END_TEST

START_TEST(long_texts_are_cut_inside_the_buffer)
{
	struct err e;
	char big[1000];

	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	err_set(&e, ERR_IO, "%s", big);
	ck_assert_uint_eq(strlen(e.text), sizeof(e.text) - 1);
	err_prefix(&e, "%s", "short");
	ck_assert_uint_eq(strlen(e.text), sizeof(e.text) - 1);
	ck_assert(str_starts(e.text, "short: aaa"));
	err_prefix(&e, "%s", big);
	ck_assert_uint_eq(strlen(e.text), sizeof(e.text) - 1);
	ck_assert_int_eq(e.text[sizeof(e.text) - 2], 'a');
}
END_TEST

START_TEST(names_go_both_ways)
{
	for (int c = ERR_NONE; c <= ERR_INTERNAL; c++)
		ck_assert_int_eq(err_code_of(err_name((enum err_code)c)), c);
	ck_assert_int_eq(err_code_of("nonsense"), ERR_INTERNAL);
	ck_assert_int_eq(err_code_of(NULL), ERR_INTERNAL);
	ck_assert_str_eq(err_name((enum err_code)999), "internal");
	ck_assert(err_is_temporary(ERR_UNAVAILABLE));
	ck_assert(!err_is_temporary(ERR_INVALID));
	ck_assert(!err_is_temporary((enum err_code)999));
}
END_TEST

static const TTest *const tests[] = {
        set_fills_and_says_no,
        prefix_keeps_code_and_hint,
        own_text_may_be_an_argument,
        long_texts_are_cut_inside_the_buffer,
        names_go_both_ways,
};
TEST_MAIN("err", tests)
