/* kline_range.c -- start_date and end_date of the origin's routes, as a range of open times. */
#include "api/kline_range.h"

#include <string.h>

#include "base/time.h"

#define DAYS_MAX 50000 /* beyond the year 2100: no candle is later */

/* The first day whose date, as text, is not before the given text. */
static int64_t day_by_text(const char *text)
{
	int64_t low = 0, high = DAYS_MAX;
	char date[TIME_TEXT];

	while (low < high) {
		int64_t middle = (low + high) / 2;

		time_print_date(date, middle * TIME_DAY);
		if (strcmp(date, text) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low * TIME_DAY;
}

static int64_t start_of(const char *text)
{
	int64_t t;

	if (!text || !*text)
		return 0;
	return time_parse(text, &t, NULL) ? t : day_by_text(text);
}

static int64_t end_of(const char *text, int64_t now_ms)
{
	int64_t t;
	bool date_only;

	if (!text || !*text)
		return INT64_MAX;
	if (!time_parse(text, &t, &date_only))
		return day_by_text(text) - 1;
	if (date_only)
		t += TIME_DAY - 1;
	return t < now_ms ? t : now_ms;
}

struct kline_range kline_range_of(const char *start, const char *end, int64_t now_ms)
{
	return (struct kline_range){start_of(start), end_of(end, now_ms)};
}
