/* test_time.c -- calendar: real days only, before and after 1970, and what people read. */
#include "base/time.h"

#include <string.h>
#include <time.h>

#include "tests/lib/test.h"

START_TEST(every_day_agrees_with_the_c_library)
{
	for (int64_t day = -800000; day < 3000000; day += 37) {
		time_t t = (time_t)(day * 86400);
		struct time_civil c;
		struct tm tm;

		ck_assert_ptr_nonnull(gmtime_r(&t, &tm));
		time_to_civil(day * TIME_DAY, &c);
		ck_assert_int_eq(c.year, tm.tm_year + 1900);
		ck_assert_int_eq(c.month, tm.tm_mon + 1);
		ck_assert_int_eq(c.day, tm.tm_mday);
		ck_assert_int_eq(time_weekday(day * TIME_DAY), (tm.tm_wday + 6) % 7);
		ck_assert_int_eq(time_from_civil(&c), day * TIME_DAY);
	}
}
END_TEST

START_TEST(times_of_day_and_before_1970)
{
	struct time_civil c;

	time_to_civil(-1, &c);
	ck_assert(c.year == 1969 && c.month == 12 && c.day == 31 && c.hour == 23 && c.minute == 59 && c.second == 59 && c.ms == 999);
	ck_assert_int_eq(time_from_civil(&c), -1);
	ck_assert_int_eq(time_day_start(-1), -TIME_DAY);
	ck_assert_int_eq(time_day_start(TIME_DAY + 5), TIME_DAY);
	ck_assert_int_eq(time_day_start(INT64_MIN), INT64_MIN);
	ck_assert_int_eq(time_day_start(INT64_MAX), INT64_MAX / TIME_DAY * TIME_DAY);
	ck_assert_int_eq(time_weekday(0), 3);
	ck_assert_int_eq(time_weekday(-1), 2);
}
END_TEST

START_TEST(printing)
{
	char out[TIME_TEXT];

	time_print_date(out, INT64_C(1769938200123));
	ck_assert_str_eq(out, "2026-02-01");
	time_print_datetime(out, INT64_C(1769938200123));
	ck_assert_str_eq(out, "2026-02-01 09:30:00");
	time_print_iso(out, INT64_C(1769938200123));
	ck_assert_str_eq(out, "2026-02-01T09:30:00.123Z");
	time_print_iso(out, INT64_MAX);
	ck_assert_uint_lt(strlen(out), TIME_TEXT);
	time_print_iso(out, INT64_MIN);
	ck_assert_uint_lt(strlen(out), TIME_TEXT);
}
END_TEST

START_TEST(all_forms_are_read)
{
	static const struct {
		const char *text;
		int64_t t;
		bool date_only;
	} cases[] = {
	        {"2026-02-01", INT64_C(1769904000000), true},
	        {"2026-02-01 09:30", INT64_C(1769938200000), false},
	        {"2026-02-01T09:30", INT64_C(1769938200000), false},
	        {"2026-02-01 09:30:01", INT64_C(1769938201000), false},
	        {"2026-02-01T09:30:01Z", INT64_C(1769938201000), false},
	        {"2026-02-01 09:30:01.123", INT64_C(1769938201123), false},
	        {"2026-02-01T09:30:01.123Z", INT64_C(1769938201123), false},
	        {"2024-02-29", INT64_C(1709164800000), true},
	        {"2000-02-29", INT64_C(951782400000), true},
	        {"1969-12-31 23:59:59.999", -1, false},
	        {"9999-12-31", INT64_C(253402214400000), true},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t t = 0;
		bool date_only = !cases[i].date_only;

		ck_assert_msg(time_parse(cases[i].text, &t, &date_only), "%s", cases[i].text);
		ck_assert_int_eq(t, cases[i].t);
		ck_assert_int_eq(date_only, cases[i].date_only);
		ck_assert(time_parse(cases[i].text, &t, NULL));
		ck_assert_int_eq(time_parse_date(cases[i].text, &t), cases[i].date_only);
	}
}
END_TEST

START_TEST(what_is_no_time_is_refused)
{
	static const char *const bad[] = {"", "2026", "2026-2-1", "2026-02-30", "2025-02-29", "1900-02-29", "2026-13-01", "2026-00-10",
	        "2026-01-00", "2026-04-31", "0000-01-01", "2026-02-01 ", "2026-02-01T", "2026-02-01 24:00", "2026-02-01 09",
	        "2026-02-01 09:60", "2026-02-01 09:30:60", "2026-02-01 9:30", "2026-02-01 09:30:00.", "2026-02-01 09:30:00.1",
	        "2026-02-01 09:30:00.1234", "2026-02-01  09:30", "2026-02-01Z", "2026-02-01 09:30:00+00:00", "2026-02-01 09:30:00z",
	        "2026-02-01 09:30:00ZZ", " 2026-02-01", "-026-02-01", "2026/02/01", "20260201", "1769904000000", "2026-02-01\n",
	        "2026-02-01 -9:30"};
	int64_t t = 5;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(!time_parse(bad[i], &t, NULL), "\"%s\"", bad[i]);
	ck_assert_int_eq(t, 5);
}
END_TEST

START_TEST(spans_for_people)
{
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {{0, "0 ms"}, {350, "350 ms"}, {12000, "12 s"}, {12999, "12 s"}, {200000, "3 min 20 s"}, {60000, "1 min"},
	        {7500000, "2 h 5 min"}, {TIME_DAY, "1 d"}, {TIME_DAY + 3 * TIME_HOUR, "1 d 3 h"}, {-5, "0 ms"},
	        {INT64_MAX, "106751991167 d 7 h"}};
	char out[TIME_TEXT];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		time_print_span(out, cases[i].ms);
		ck_assert_str_eq(out, cases[i].text);
	}
}
END_TEST

START_TEST(times_of_rfc_3339)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {{"2026-02-01T09:30:00Z", 1769938200000}, {"2026-02-01t09:30:00z", 1769938200000},
	        {"2026-02-01T09:30:00.5Z", 1769938200500}, {"2026-02-01T09:30:00.123999999Z", 1769938200123},
	        {"2026-02-01T11:30:00+02:00", 1769938200000}, {"2026-02-01T04:00:00-05:30", 1769938200000},
	        {"1969-12-31T23:59:59.999Z", -1}};
	static const char *const bad[] = {"", "2026-02-01", "2026-02-01T09:30:00", "2026-02-01 09:30:00Z", "2026-02-01T09:30:00.Z",
	        "2026-02-01T09:30:00ZZ", "2026-02-01T09:30:00+2:00", "2026-02-01T09:30:00+24:00", "2026-02-01T09:30:00+02:60",
	        "2026-02-01T25:30:00Z", "2026-02-01T09:30:00+02-00", "2026-02-01T09:30:00.5", "2026-02-01T09:30:00Z "};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		int64_t ms;
		ck_assert_msg(time_parse_rfc3339(good[i].text, &ms), "%s was refused", good[i].text);
		ck_assert_int_eq(ms, good[i].ms);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int64_t ms;
		ck_assert_msg(!time_parse_rfc3339(bad[i], &ms), "%s was taken", bad[i]);
	}
}
END_TEST

START_TEST(moments_as_programs_write_them)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {{"2026-02-01", 1769904000000}, {"2026-02-01 09:30", 1769938200000}, {"2026-02-01T09:30:00.123456+00:00", 1769938200123},
	        {"2026-02-01T09:30:00.123456", 1769938200123}, {"2026-02-01 11:30:00+02:00", 1769938200000},
	        {"2026-02-01 09:30:00.1z", 1769938200100}, {"1769938200123", 1769938200123}, {"100000000000", 100000000000},
	        {"0001-01-01", -62135596800000}, {"9999-12-31T23:59:59.999Z", 253402300799999}};
	static const char *const bad[] = {"", "tomorrow", "2026", "20260201", "1769938200", "99999999999", "-1769938200123",
	        "253402300800000", "9999-12-31T23:59:59-00:01", "0001-01-01T00:00:00+00:01", "2026-02-30T00:00:00.5Z",
	        "2026-02-01T09:30:00.", "2026-02-01T09:30:00.123456789012345678901234567890", "1769938200123 ", "1.769e12"};
	int64_t ms = 5;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(!time_parse_any(bad[i], &ms), "%s was taken", bad[i]);
	ck_assert_int_eq(ms, 5);
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		ck_assert_msg(time_parse_any(good[i].text, &ms), "%s was refused", good[i].text);
		ck_assert_int_eq(ms, good[i].ms);
	}
}
END_TEST

static const TTest *const tests[] = {
        every_day_agrees_with_the_c_library,
        times_of_rfc_3339,
        moments_as_programs_write_them,
        times_of_day_and_before_1970,
        printing,
        all_forms_are_read,
        what_is_no_time_is_refused,
        spans_for_people,
};
TEST_MAIN("time", tests)
