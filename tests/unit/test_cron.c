/* test_cron.c -- cron expressions against a table and against a search minute by minute; spans; ticks and their plans. */
#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/str.h"
#include "base/time.h"
#include "job/ticks.h"

static int64_t at(const char *text)
{
	int64_t t;
	ck_assert_msg(time_parse(text, &t, NULL), "%s", text);
	return t;
}

static struct cron read(const char *text)
{
	struct cron c;
	struct err e = {0};
	ck_assert_msg(cron_parse(text, &c, &e), "%s: %s", text, e.text);
	return c;
}

START_TEST(the_next_time_is_right)
{
	static const struct {
		const char *expr, *after, *next; /* next NULL: never */
	} table[] = {
	        {"* * * * *", "2026-02-03 13:47:00", "2026-02-03 13:48:00"},
	        {"* * * * *", "2026-02-03 13:47:59.999", "2026-02-03 13:48:00"},
	        {"0 * * * *", "2026-12-31 23:00:00", "2027-01-01 00:00:00"},
	        {"*/15 * * * *", "2026-02-03 13:46:00", "2026-02-03 14:00:00"},
	        {"5/20 * * * *", "2026-02-03 13:05:00", "2026-02-03 13:25:00"},
	        {"10-20/5,50 8 * * *", "2026-02-03 08:20:00", "2026-02-03 08:50:00"},
	        {"0 0 * * 0", "2026-02-03", "2026-02-08"},
	        {"0 0 * * 7", "2026-02-03", "2026-02-08"},
	        {"0 0 * * SUN", "2026-02-08", "2026-02-15"},
	        {"0 9 * * MON-FRI", "2026-02-06 09:00:00", "2026-02-09 09:00:00"},
	        {"0 9 * * fri-sun", "2026-02-08 09:00:00", "2026-02-13 09:00:00"},
	        {"30 4 1,15 * 5", "2026-02-01 04:30:00", "2026-02-06 04:30:00"}, /* either day field */
	        {"30 4 1,15 * 5", "2026-02-13 04:30:00", "2026-02-15 04:30:00"},
	        {"0 0 */2 * 1", "2026-02-01", "2026-02-09"}, /* a * in front: both */
	        {"0 0 13 * *", "2026-02-13", "2026-03-13"},
	        {"0 0 31 * *", "2026-03-31", "2026-05-31"},
	        {"0 0 29 2 *", "2026-01-01", "2028-02-29"},
	        {"0 0 29 2 *", "2096-02-29", "2104-02-29"},     /* 2100 is no leap year */
	        {"0 0 29 FEB */7", "2076-03-01", "2088-02-29"}, /* on a Sunday */
	        {"0 0 29 2 */7", "2088-02-29", "2128-02-29"},   /* 40 years: the longest */
	        {"0 0 30 2 *", "2026-01-01", NULL},
	        {"0 0 31 4,6,9,11 *", "2026-01-01", NULL},
	        {"0 0 1 JAN *", "9999-06-01", NULL},
	        {"30 * * * * *", "2026-02-03 13:47:30", "2026-02-03 13:48:30"},
	        {"*/20 59 23 31 12 *", "2026-12-31 23:59:40", "2027-12-31 23:59:00"},
	        {"@hourly", "2026-02-03 13:00:00", "2026-02-03 14:00:00"},
	        {"@daily", "2026-02-03 13:00:00", "2026-02-04"},
	        {"@midnight ", "2026-02-03 13:00:00", "2026-02-04"},
	        {"@weekly", "2026-02-03", "2026-02-08"},
	        {"@monthly", "2026-02-03", "2026-03-01"},
	        {"@yearly", "2026-02-03", "2027-01-01"},
	        {"@annually", "2026-01-01", "2027-01-01"},
	        {"CRON_TZ=UTC 0 12 * * *", "2026-02-03", "2026-02-03 12:00:00"},
	        {"TZ=Etc/UTC  @hourly", "2026-02-03", "2026-02-03 01:00:00"},
	        {"  0\t12 * *  * ", "2026-02-03", "2026-02-03 12:00:00"},
	        {"* * * * *", "1969-12-31 23:59:30", "1970-01-01"},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct cron c = read(table[i].expr);
		int64_t next = cron_next(&c, at(table[i].after));
		int64_t expected = table[i].next ? at(table[i].next) : CRON_NEVER;
		ck_assert_msg(next == expected, "%s after %s: %lld, not %lld", table[i].expr, table[i].after, (long long)next,
		        (long long)expected);
	}
}
END_TEST

START_TEST(what_is_no_expression_is_refused)
{
	static const char *const wrong[] = {"", " ", "*", "* * * *", "* * * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *",
	        "* * * 0 *", "* * * 13 *", "* * * * 8", "*/0 * * * *", "*/60 * * * *", "5-3 * * * *", "1,,2 * * * *", ",1 * * * *",
	        "1, * * * *", "-1 * * * *", "1- * * * *", "a * * * *", "* * * JANE *", "* * * JA *", "* * * * MOND", "1.5 * * * *",
	        "? * * * *", "* * L * *", "99999999999 * * * *", "*1 * * * *", "1/ * * * *", "*-5 * * * *", "@reboot", "@hourly 1", "@",
	        "TZ=Europe/Berlin 0 0 * * *", "CRON_TZ=local @daily", "TZ=UTC"};
	struct cron c;
	struct err e = {0};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		ck_assert_msg(!cron_parse(wrong[i], &c, &e), "'%s' was taken", wrong[i]);
		ck_assert_int_eq(e.code, ERR_INVALID);
	}
	ck_assert(!cron_parse("TZ=Europe/Berlin 0 0 * * *", &c, &e));
	ck_assert(strstr(e.text, "UTC") && strstr(e.text, "Europe/Berlin"));
	ck_assert(!cron_parse("0 25 * * *", &c, &e));
	ck_assert_msg(strstr(e.text, "hour") && strstr(e.text, "25"), "%s", e.text);
	char *longer = calloc(1, 400);
	memset(longer, '*', 399);
	ck_assert(!cron_parse(longer, &c, &e));
	free(longer);
}
END_TEST

/* ---- the same, in the most simple-minded way ------------------------------------------------------------------------- */

static int naive_value(const char *s)
{
	static const char *const months[] = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
	static const char *const days[] = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};
	for (int i = 0; i < 12; i++)
		if (strcasecmp(s, months[i]) == 0)
			return i + 1;
	for (int i = 0; i < 7; i++)
		if (strcasecmp(s, days[i]) == 0)
			return i;
	return atoi(s);
}

static bool naive_field(const char *field, int v, int min, int max)
{
	char copy[200], *rest = copy, *item;
	strcpy(copy, field);
	while ((item = strsep(&rest, ","))) {
		char *slash = strchr(item, '/');
		int step = slash ? atoi(slash + 1) : 1, low = min, high = max;
		if (slash)
			*slash = '\0';
		char *dash = strchr(item, '-');
		if (dash)
			*dash = '\0';
		if (strcmp(item, "*") != 0) {
			low = naive_value(item);
			high = dash ? naive_value(dash + 1) : slash ? max : low;
		}
		for (int x = low; x <= high; x += step)
			if (x == v)
				return true;
	}
	return false;
}

static void random_field(char *out, int min, int max)
{
	int a = min + rand() % (max - min + 1), b = min + rand() % (max - min + 1), low = a < b ? a : b, high = a < b ? b : a;
	int step = 1 + rand() % (max < 10 ? max : 10);
	switch (rand() % 8) {
	case 0:
		sprintf(out, "%d", a);
		break;
	case 1:
		sprintf(out, "%d-%d", low, high);
		break;
	case 2:
		sprintf(out, "*/%d", step);
		break;
	case 3:
		sprintf(out, "%d-%d/%d", low, high, step);
		break;
	case 4:
		sprintf(out, "%d,%d,%d-%d", b, a, low, high);
		break;
	case 5:
		sprintf(out, "%d/%d", a, step);
		break;
	default:
		strcpy(out, "*");
	}
}

struct naive {
	bool minute[60], hour[24], day[32], month[13], weekday[7], both;
};

static void naive_prepare(struct naive *n, char f[5][40])
{
	for (int v = 0; v < 60; v++)
		n->minute[v] = naive_field(f[0], v, 0, 59);
	for (int v = 0; v < 24; v++)
		n->hour[v] = naive_field(f[1], v, 0, 23);
	for (int v = 1; v < 32; v++)
		n->day[v] = naive_field(f[2], v, 1, 31);
	for (int v = 1; v < 13; v++)
		n->month[v] = naive_field(f[3], v, 1, 12);
	for (int v = 0; v < 7; v++)
		n->weekday[v] = naive_field(f[4], v, 0, 7) || (v == 0 && naive_field(f[4], 7, 0, 7));
	n->both = f[2][0] == '*' || f[4][0] == '*';
}

static bool naive_matches(const struct naive *n, time_t t)
{
	struct tm tm;
	gmtime_r(&t, &tm);
	bool day = n->day[tm.tm_mday], weekday = n->weekday[tm.tm_wday];
	return n->minute[tm.tm_min] && n->hour[tm.tm_hour] && n->month[tm.tm_mon + 1] && (n->both ? day && weekday : day || weekday);
}

/* Every minute of more than a year, from a random one on; each expression up to 300 hits, or CRON_SEED=N for other ones. */
START_TEST(it_agrees_with_a_search_minute_by_minute)
{
	const char *given = getenv("CRON_SEED");
	unsigned seed = given ? (unsigned)atoi(given) : 20260201u;
	long hits = 0;

	srand(seed);
	for (int round = 0; round < 8; round++) {
		char f[5][40], expr[220];
		struct naive n;
		random_field(f[0], 0, 59);
		random_field(f[1], 0, 23);
		random_field(f[2], 1, 31);
		random_field(f[3], 1, 12);
		random_field(f[4], 0, 7);
		sprintf(expr, "%s %s %s %s %s", f[0], f[1], f[2], f[3], f[4]);
		struct cron c = read(expr);
		naive_prepare(&n, f);
		time_t t = (time_t)(1577836800 + (rand() % 200000000) / 60 * 60), end = t + 400 * 86400;
		int64_t expected = cron_next(&c, (int64_t)t * 1000);
		int found = 0;
		for (t += 60; t < end && found < 300; t += 60) {
			bool hit = naive_matches(&n, t);
			ck_assert_msg(hit == (expected == (int64_t)t * 1000), "seed %u: '%s' at %lld", seed, expr, (long long)t);
			if (!hit)
				continue;
			found++;
			expected = cron_next(&c, expected);
		}
		hits += found;
	}
	ck_assert_int_gt(hits, 1000);
}
END_TEST

/* ---- ticks -------------------------------------------------------------------------------------------------- */

START_TEST(intervals_keep_their_anchor)
{
	struct ticks t = {.every_ms = 100, .start_ms = 1050};
	ck_assert_int_eq(ticks_next(&t, 0), 1050);
	ck_assert_int_eq(ticks_next(&t, 1049), 1050);
	ck_assert_int_eq(ticks_next(&t, 1050), 1150);
	ck_assert_int_eq(ticks_next(&t, 1149), 1150);
	ck_assert_int_eq(ticks_next(&t, 999999), 1000050);
}
END_TEST

/* Make plans until none is left, as dispatchers do. Returns how many jobs; the first and the last of them. */
static int64_t play(
        const struct ticks *t, enum ticks_missed policy, int64_t due, int64_t now, int64_t *missed, int64_t *first, int64_t *last)
{
	struct ticks_plan p;
	int64_t fired = 0;

	*missed = *first = *last = 0;
	for (int guard = 0; due <= now; guard++, due = p.next) {
		ck_assert_int_lt(guard, 10000);
		ticks_plan(t, policy, due, now, TICKS_MAX, &p);
		ck_assert_int_gt(p.next, due);
		ck_assert_uint_le(p.n, TICKS_MAX);
		for (size_t i = 0; i < p.n; i++) {
			ck_assert_int_gt(p.fire[i], *last);
			ck_assert_int_eq(p.fire[i] % (t->every_ms ? t->every_ms : TIME_MINUTE), 0);
			*last = p.fire[i];
			*first = *first ? *first : p.fire[i];
		}
		fired += (int64_t)p.n;
		*missed += p.missed;
	}
	return fired;
}

START_TEST(missed_ticks_follow_the_policy)
{
	struct ticks t = {.every_ms = 1000};
	int64_t due = 1000000, now = due + 3600 * 1000, missed, first, last;

	/* 3601 ticks, of which the last six are on time */
	ck_assert_int_eq(play(&t, MISSED_SKIP, due, now, &missed, &first, &last), 6);
	ck_assert(missed == 3595 && first == now - 5000 && last == now);
	ck_assert_int_eq(play(&t, MISSED_ONCE, due, now, &missed, &first, &last), 7);
	ck_assert(missed == 3594 && first == now - 6000 && last == now);
	ck_assert_int_eq(play(&t, MISSED_ALL, due, now, &missed, &first, &last), 1006);
	ck_assert(missed == 2595 && first == now - 1005000 && last == now);
	/* a short absence is none */
	for (int p = MISSED_SKIP; p <= MISSED_ALL; p++) {
		ck_assert_int_eq(play(&t, (enum ticks_missed)p, due, due + 5000, &missed, &first, &last), 6);
		ck_assert_int_eq(missed, 0);
	}
}
END_TEST

START_TEST(years_of_missed_ticks_are_passed_over_in_bounded_steps)
{
	struct ticks rules[] = {{.every_ms = TIME_MINUTE}, {.cron = read("* * * * *")}};
	int64_t due = 50 * TIME_MINUTE, span = 120 * TIME_DAY / TIME_MINUTE, now = due + span * TIME_MINUTE, missed, first, last;

	for (int p = MISSED_SKIP; p <= MISSED_ALL; p++)
		for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
			int64_t fired = play(&rules[i], (enum ticks_missed)p, due, now, &missed, &first, &last);
			ck_assert_int_eq(fired, p == MISSED_SKIP ? 1 : p == MISSED_ONCE ? 2 : 1001);
			ck_assert_int_eq(fired + missed, span + 1);
		}
}
END_TEST

START_TEST(a_plan_of_what_never_comes_is_empty)
{
	struct ticks t = {.cron = read("0 0 30 2 *")};
	struct ticks_plan p;
	ck_assert_int_eq(ticks_next(&t, 0), CRON_NEVER);
	ticks_plan(&t, MISSED_ALL, 2000, 1000, TICKS_MAX, &p); /* a clock set back: not yet */
	ck_assert(p.n == 0 && p.missed == 0 && p.next == 2000);
	ticks_plan(&t, MISSED_ALL, 1000, 1000, TICKS_MAX, &p);
	ck_assert(p.n == 1 && p.next == CRON_NEVER);
}
END_TEST

static const TTest *const tests[] = {the_next_time_is_right, what_is_no_expression_is_refused, it_agrees_with_a_search_minute_by_minute,
        intervals_keep_their_anchor, missed_ticks_follow_the_policy, years_of_missed_ticks_are_passed_over_in_bounded_steps,
        a_plan_of_what_never_comes_is_empty};
TEST_MAIN("cron", tests)
