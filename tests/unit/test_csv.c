/* test_csv.c -- lines of candles: what is printed was read, headers and microseconds, and every strictness. */
#include "market/csv.h"

#include <string.h>

#include "base/mem.h"
#include "tests/lib/bars.h"
#include "tests/lib/test.h"

#define LINE "1769904000000,10.1130,10.1300,10.1090,10.1280,38521,1769904059999,389800.3310,1077,28754,290983.0070,0"

static struct bar parse(const char *line, bool *partial)
{
	struct bar b;
	struct err e = {0};
	ck_ok(csv_parse(line, strlen(line), &b, partial, &e), &e);
	return b;
}

START_TEST(a_line_returns_digit_by_digit)
{
	bool partial;
	struct bar b = parse(LINE, &partial);
	struct buf out = {0};
	ck_assert(!partial);
	ck_assert_int_eq(b.open_time, 1769904000000);
	ck_assert_int_eq(b.close_time, 1769904059999);
	ck_assert_int_eq(b.trades, 1077);
	csv_print(&out, &b);
	ck_assert_str_eq(out.data, LINE "\n");
	buf_close(&out);
}
END_TEST

START_TEST(microseconds_become_milliseconds)
{
	bool partial;
	struct bar b = parse("1735689600000000,1,1,1,1,1,1735689659999999,1,1,1,1,0", &partial);
	ck_assert_int_eq(b.open_time, 1735689600000);
	ck_assert_int_eq(b.close_time, 1735689659999);
}
END_TEST

START_TEST(empty_later_fields_are_zero_and_told)
{
	bool partial;
	struct bar b = parse("1769904000000,1.0,1.0,1.0,1.0,5,1769904059999,,,,,", &partial);
	ck_assert(partial);
	ck_assert_int_eq(b.quote_volume.units, 0);
	ck_assert_int_eq(b.trades, 0);
	parse("1769904000000,1.0,1.0,1.0,1.0,5,1769904059999,1,2,3,4,", &partial);
	ck_assert(partial);
}
END_TEST

START_TEST(anything_else_is_refused)
{
	static const char *const wrong[] = {"", ",", "1,2,3", LINE ",", LINE ",1", " " LINE, LINE " ", ",1,1,1,1,1,1769904059999,1,1,1,1,0",
	        "1769904000000,,1,1,1,1,1769904059999,1,1,1,1,0", "1769904000000,1,1,1,1,,1769904059999,1,1,1,1,0",
	        "1769904000000,1,1,1,1,1,,1,1,1,1,0", "1769904000000,1e5,1,1,1,1,1769904059999,1,1,1,1,0",
	        "1769904000000,+1,1,1,1,1,1769904059999,1,1,1,1,0", "1769904000000,1,NaN,1,1,1,1769904059999,1,1,1,1,0",
	        "1769904000000,1,1,1,1,1,1769904059999,1,-1,1,1,0", "1769904000000,1,1,1,1,1,1769904059999,1,1.5,1,1,0",
	        "-1,1,1,1,1,1,1769904059999,1,1,1,1,0", "9999999999999999999,1,1,1,1,1,1,1,1,1,1,0",
	        "173568970119999999,1,1,1,1,1,1,1,1,1,1,0", "1769904000000,\"1\",1,1,1,1,1769904059999,1,1,1,1,0",
	        "1769904000000;1;1;1;1;1;1;1;1;1;1;0", "1769904000000,0x1,1,1,1,1,1769904059999,1,1,1,1,0",
	        "1769904000000,1,1,1,1,99999999999999999999999,1769904059999,1,1,1,1,0"};
	struct bar b;
	bool partial;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct err e = {0};
		ck_assert_msg(!csv_parse(wrong[i], strlen(wrong[i]), &b, &partial, &e), "%s", wrong[i]);
		ck_assert_int_eq(e.code, ERR_CORRUPT);
	}
	char nul[] = LINE;
	nul[20] = 0;
	struct err e = {0};
	ck_assert(!csv_parse(nul, sizeof nul - 1, &b, &partial, &e));
	char *longest = mem_new(100000);
	memset(longest, '1', 99999);
	ck_assert(!csv_parse(longest, 99999, &b, &partial, &e));
	mem_free(&longest);
}
END_TEST

static int count(const char *text, struct err *e, int64_t *partial_out)
{
	struct csv_reader r;
	struct bar b;
	int n = 0, got;
	csv_open(&r, text, strlen(text));
	while ((got = csv_next(&r, &b, e)) == 1)
		n++;
	*partial_out = r.partial;
	return got < 0 ? -1 : n;
}

START_TEST(files_with_and_without_header)
{
	struct err e = {0};
	int64_t partial;
	ck_assert_int_eq(count("", &e, &partial), 0);
	ck_assert_int_eq(count(CSV_HEADER, &e, &partial), 0);
	ck_assert_int_eq(count(CSV_HEADER "\n", &e, &partial), 0);
	ck_assert_int_eq(count(CSV_HEADER "\n" LINE "\n" LINE, &e, &partial), 2);
	ck_assert_int_eq(count(LINE "\r\n" LINE "\r\n", &e, &partial), 2);
	ck_assert_int_eq(count(LINE "\n1769904000000,1.0,1.0,1.0,1.0,5,1769904059999,,,,,\n", &e, &partial), 2);
	ck_assert_int_eq(partial, 1);
}
END_TEST

START_TEST(mistakes_are_told_with_their_line)
{
	struct err e = {0};
	int64_t partial;
	ck_assert_int_eq(count(LINE "\n" CSV_HEADER "\n", &e, &partial), -1); /* a header in the middle */
	ck_assert_msg(strstr(e.text, "line 2") != NULL, "%s", e.text);
	ck_assert_int_eq(count(CSV_HEADER "\n" LINE "\n\n" LINE, &e, &partial), -1);
	ck_assert_msg(strstr(e.text, "line 3") != NULL, "%s", e.text);
	ck_assert_int_eq(count(CSV_HEADER "\n" LINE "\n17699040", &e, &partial), -1); /* cut in the middle */
}
END_TEST

START_TEST(a_walk_returns)
{
	struct bar bars[500], back;
	struct buf out = {0};
	struct csv_reader r;
	struct err e = {0};
	bars_walk(bars, ARRAY_LEN(bars), INTERVAL_1M, 0, 8);
	csv_print_header(&out);
	for (size_t i = 0; i < ARRAY_LEN(bars); i++)
		csv_print(&out, &bars[i]);
	csv_open(&r, out.data, out.len);
	for (size_t i = 0; i < ARRAY_LEN(bars); i++) {
		ck_assert_int_eq(csv_next(&r, &back, &e), 1);
		ck_assert(bars_same(&bars[i], &back, 1));
	}
	ck_assert_int_eq(csv_next(&r, &back, &e), 0);
	buf_close(&out);
}
END_TEST

static const TTest *const tests[] = {a_line_returns_digit_by_digit, microseconds_become_milliseconds, empty_later_fields_are_zero_and_told,
        anything_else_is_refused, files_with_and_without_header, mistakes_are_told_with_their_line, a_walk_returns};
TEST_MAIN("csv", tests)
