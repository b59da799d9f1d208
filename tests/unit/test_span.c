/* test_span.c -- spans that people write, and those that are none. */
#include "base/span.h"

#include "base/time.h"
#include "tests/lib/test.h"

START_TEST(spans_are_read_and_printed)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {{"10ms", 10}, {"200ms", 200}, {"90s", 90000}, {"15m", 900000}, {"1h30m", 5400000}, {"7d", 7 * TIME_DAY},
	        {"1m500ms", 60500}, {"366d", 366 * TIME_DAY}};
	static const char *const wrong[] = {
	        "", "0s", "9ms", "5", "s", "1.5h", "-1m", "1 m", "1w", "367d", "99999999999999999999d", "366d1ms", "1hm"};
	struct err e;
	int64_t ms;
	char text[32];

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		ck_assert_msg(span_parse(good[i].text, &ms, &e) && ms == good[i].ms, "%s", good[i].text);
		span_print(text, ms);
		ck_assert(span_parse(text, &ms, &e) && ms == good[i].ms);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		ck_assert_msg(!span_parse(wrong[i], &ms, &e), "%s", wrong[i]);
	span_print(text, 90000);
	ck_assert_str_eq(text, "1m30s");
}
END_TEST

static const TTest *const tests[] = {spans_are_read_and_printed};
TEST_MAIN("span", tests)
