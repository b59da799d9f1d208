/* time.c -- calendar arithmetic on milliseconds UTC, in the proleptic Gregorian calendar. */
#include "base/time.h"

#include <stdio.h>
#include <string.h>

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static int64_t floor_mod(int64_t a, int64_t b)
{
	return a % b + (a % b < 0 ? b : 0);
}

/* Days since 1970-01-01 of a date. Years begin in March here, so that the leap day comes last: months then have the
 * fixed beginnings (153 m + 2) / 5, and 400 years ("era") always have 146097 days. */
static int64_t days_of_date(int64_t year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = floor_div(y, 400);
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * 146097 + day_of_era - 719468;
}

static void date_of_days(int64_t days, struct time_civil *out)
{
	int64_t z = days + 719468;
	int64_t era = floor_div(z, 146097);
	int64_t day_of_era = z - era * 146097;
	int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t m = (5 * day_of_year + 2) / 153;

	out->day = (int)(day_of_year - (153 * m + 2) / 5 + 1);
	out->month = (int)(m < 10 ? m + 3 : m - 9);
	out->year = (int)(year_of_era + era * 400 + (out->month <= 2));
}

void time_to_civil(int64_t t_ms, struct time_civil *out)
{
	int64_t rest = floor_mod(t_ms, TIME_DAY);

	date_of_days(floor_div(t_ms, TIME_DAY), out);
	out->hour = (int)(rest / TIME_HOUR);
	out->minute = (int)(rest % TIME_HOUR / TIME_MINUTE);
	out->second = (int)(rest % TIME_MINUTE / TIME_SECOND);
	out->ms = (int)(rest % TIME_SECOND);
}

int64_t time_from_civil(const struct time_civil *c)
{
	int64_t days = days_of_date(c->year, c->month, c->day);

	return days * TIME_DAY + c->hour * TIME_HOUR + c->minute * TIME_MINUTE + c->second * TIME_SECOND + c->ms;
}

int64_t time_day_start(int64_t t_ms)
{
	int64_t start;

	/* The first day that int64 reaches into begins before it. */
	return __builtin_sub_overflow(t_ms, floor_mod(t_ms, TIME_DAY), &start) ? INT64_MIN : start;
}

int time_weekday(int64_t t_ms)
{
	return (int)floor_mod(floor_div(t_ms, TIME_DAY) + 3, 7); /* 1970-01-01 was a Thursday */
}

void time_print_date(char out[TIME_TEXT], int64_t t_ms)
{
	struct time_civil c;

	time_to_civil(t_ms, &c);
	snprintf(out, TIME_TEXT, "%04d-%02d-%02d", c.year, c.month, c.day);
}

void time_print_datetime(char out[TIME_TEXT], int64_t t_ms)
{
	struct time_civil c;

	time_to_civil(t_ms, &c);
	snprintf(out, TIME_TEXT, "%04d-%02d-%02d %02d:%02d:%02d", c.year, c.month, c.day, c.hour, c.minute, c.second);
}

void time_print_iso(char out[TIME_TEXT], int64_t t_ms)
{
	struct time_civil c;

	time_to_civil(t_ms, &c);
	snprintf(out, TIME_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", c.year, c.month, c.day, c.hour, c.minute, c.second, c.ms);
}

/* Take exactly n digits; false if there are fewer. */
static bool take_digits(const char **p, int n, int *out)
{
	int v = 0;

	for (int i = 0; i < n; i++) {
		if ((*p)[i] < '0' || (*p)[i] > '9')
			return false;
		v = v * 10 + ((*p)[i] - '0');
	}
	*p += n;
	*out = v;
	return true;
}

static bool take(const char **p, char c)
{
	if (**p != c)
		return false;
	++*p;
	return true;
}

static int days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

static bool take_date(const char **p, struct time_civil *c)
{
	if (!take_digits(p, 4, &c->year) || !take(p, '-') || !take_digits(p, 2, &c->month) || !take(p, '-') || !take_digits(p, 2, &c->day))
		return false;
	return c->year >= 1 && c->month >= 1 && c->month <= 12 && c->day >= 1 && c->day <= days_in_month(c->year, c->month);
}

/* HH:MM[:SS[.mmm]][Z] */
static bool take_time(const char **p, struct time_civil *c)
{
	if (!take_digits(p, 2, &c->hour) || !take(p, ':') || !take_digits(p, 2, &c->minute))
		return false;
	if (take(p, ':')) {
		if (!take_digits(p, 2, &c->second))
			return false;
		if (take(p, '.') && !take_digits(p, 3, &c->ms))
			return false;
	}
	take(p, 'Z');
	return c->hour < 24 && c->minute < 60 && c->second < 60;
}

bool time_parse(const char *s, int64_t *out, bool *date_only_out)
{
	struct time_civil c = {0};
	bool date_only;

	if (!take_date(&s, &c))
		return false;
	date_only = !take(&s, ' ') && !take(&s, 'T');
	if (!date_only && !take_time(&s, &c))
		return false;
	if (*s)
		return false;
	*out = time_from_civil(&c);
	if (date_only_out)
		*date_only_out = date_only;
	return true;
}

bool time_parse_date(const char *s, int64_t *out)
{
	bool date_only;
	int64_t t;

	if (!time_parse(s, &t, &date_only) || !date_only)
		return false;
	*out = t;
	return true;
}

static void print_two(char out[TIME_TEXT], int64_t large, const char *large_unit, int64_t small, const char *small_unit)
{
	if (small)
		snprintf(out, TIME_TEXT, "%lld %s %lld %s", (long long)large, large_unit, (long long)small, small_unit);
	else
		snprintf(out, TIME_TEXT, "%lld %s", (long long)large, large_unit);
}

void time_print_span(char out[TIME_TEXT], int64_t span_ms)
{
	int64_t s = span_ms < 0 ? 0 : span_ms;

	if (s < TIME_SECOND)
		print_two(out, s, "ms", 0, "");
	else if (s < TIME_MINUTE)
		print_two(out, s / TIME_SECOND, "s", 0, "");
	else if (s < TIME_HOUR)
		print_two(out, s / TIME_MINUTE, "min", s % TIME_MINUTE / TIME_SECOND, "s");
	else if (s < TIME_DAY)
		print_two(out, s / TIME_HOUR, "h", s % TIME_HOUR / TIME_MINUTE, "min");
	else
		print_two(out, s / TIME_DAY, "d", s % TIME_DAY / TIME_HOUR, "h");
}
