/* test_mem.c -- memory: zeros, growth, arenas, and the end of the process when there is none. */
#include "base/mem.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/test.h"

static bool all_zero(const void *p, size_t n)
{
	const unsigned char *u = p;

	for (size_t i = 0; i < n; i++) {
		if (u[i])
			return false;
	}
	return true;
}

START_TEST(new_memory_is_zero_and_growth_keeps_contents)
{
	int *a = mem_array(3, sizeof(*a));

	ck_assert(all_zero(a, 3 * sizeof(*a)));
	a[2] = 7;
	a = mem_grow(a, 3, 1000, sizeof(*a));
	ck_assert_int_eq(a[2], 7);
	ck_assert(all_zero(a + 3, 997 * sizeof(*a)));
	ck_assert_ptr_eq(mem_grow(a, 1000, 10, sizeof(*a)), a); /* never shrinks */
	mem_free(&a);
	ck_assert_ptr_null(a);
	mem_free(&a); /* a second time does nothing */
	a = mem_grow(NULL, 0, 4, sizeof(*a));
	ck_assert(all_zero(a, 4 * sizeof(*a)));
	mem_free(&a);
}
END_TEST

START_TEST(copies_of_text)
{
	char *s = mem_strdup("");
	char *t = mem_strndup("abcdef", 3);

	ck_assert_str_eq(s, "");
	ck_assert_str_eq(t, "abc");
	mem_free(&s);
	mem_free(&t);
	s = mem_new(0);
	ck_assert_int_eq(s[0], 0);
	mem_free(&s);
}
END_TEST

START_TEST(product_too_large_ends_the_process)
{
	void *p = mem_array(SIZE_MAX / 2, 4);

	mem_free(&p);
}
END_TEST

START_TEST(arena_too_large_ends_the_process)
{
	struct arena *a = arena_open();

	arena_new(a, SIZE_MAX - 3);
}
END_TEST

START_TEST(arena_gives_zeroed_aligned_memory)
{
	struct arena *a = arena_open();
	char *last = NULL;

	for (size_t size = 0; size < 9000; size = size * 2 + 1) {
		char *p = arena_new(a, size);

		ck_assert_uint_eq((uintptr_t)p % _Alignof(max_align_t), 0);
		ck_assert(all_zero(p, size));
		ck_assert_ptr_ne(p, last);
		memset(p, 0xff, size);
		last = p;
	}
	arena_close(&a);
	ck_assert_ptr_null(a);
	arena_close(&a);
}
END_TEST

START_TEST(arena_reset_gives_zeros_again)
{
	struct arena *a = arena_open();

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 100; i++) {
			char *p = arena_new(a, 100);

			ck_assert(all_zero(p, 100));
			memset(p, 0xee, 100);
		}
		arena_reset(a);
	}
	arena_close(&a);
}
END_TEST

START_TEST(arena_texts)
{
	struct arena *a = arena_open();

	ck_assert_str_eq(arena_strdup(a, "hello"), "hello");
	ck_assert_str_eq(arena_strndup(a, "hello", 2), "he");
	ck_assert_str_eq(arena_printf(a, "%d-%s", 5, "x"), "5-x");
	ck_assert_uint_eq(strlen(arena_printf(a, "%05000d", 1)), 5000);
	ck_assert(all_zero(arena_array(a, 10, 10), 100));
	arena_close(&a);
}
END_TEST

/* Not one of the list below: tests that end by a signal are added with it. */
int main(void)
{
	Suite *s = suite_create("mem");
	TCase *tc = tcase_create("mem");
	SRunner *r;
	int failed;

	tcase_add_test(tc, new_memory_is_zero_and_growth_keeps_contents);
	tcase_add_test(tc, copies_of_text);
	tcase_add_test(tc, arena_gives_zeroed_aligned_memory);
	tcase_add_test(tc, arena_reset_gives_zeros_again);
	tcase_add_test(tc, arena_texts);
	tcase_add_test_raise_signal(tc, product_too_large_ends_the_process, SIGABRT);
	tcase_add_test_raise_signal(tc, arena_too_large_ends_the_process, SIGABRT);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
