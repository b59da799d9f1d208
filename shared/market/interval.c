/* interval.c -- the 15 candle intervals: steps, alignment, names. */
#include "market/interval.h"

#include <assert.h>
#include <string.h>

#define MONDAY (4 * TIME_DAY) /* 1970-01-05, the first Monday after the epoch */

static const struct {
	const char *name;
	int64_t step; /* 0: months */
} intervals[] = {
#define X(id, name, archive, step) {name, step},
        INTERVALS(X)
#undef X
};

static int64_t step_of(enum interval iv)
{
	assert(iv < INTERVAL_COUNT);
	return intervals[iv].step;
}

const char *interval_name(enum interval iv)
{
	assert(iv < INTERVAL_COUNT);
	return intervals[iv].name;
}

bool interval_of(const char *name, enum interval *out)
{
	for (size_t i = 0; name && i < INTERVAL_COUNT; i++)
		if (strcmp(name, intervals[i].name) == 0) {
			*out = (enum interval)i;
			return true;
		}
	return false;
}

bool interval_is_daily(enum interval iv)
{
	return iv >= INTERVAL_1d;
}

/* Rounds down also below zero, which % does not. */
static int64_t floor_to(int64_t t, int64_t step, int64_t anchor)
{
	int64_t rest = (t - anchor) % step;
	return t - rest - (rest < 0 ? step : 0);
}

/* The first of the month that lies `months` after the month of t. */
static int64_t month_start(int64_t t, int months)
{
	struct time_civil c;
	time_to_civil(t, &c);
	int month = c.month - 1 + months;
	struct time_civil first = {.year = c.year + month / 12, .month = month % 12 + 1, .day = 1};
	return time_from_civil(&first);
}

int64_t interval_floor(enum interval iv, int64_t t_ms, int64_t anchor)
{
	if (iv == INTERVAL_1M)
		return month_start(t_ms, 0);
	if (iv == INTERVAL_1w)
		return floor_to(t_ms, step_of(iv), MONDAY);
	return floor_to(t_ms, step_of(iv), iv == INTERVAL_3d ? anchor : 0);
}

int64_t interval_next(enum interval iv, int64_t open_ms)
{
	return iv == INTERVAL_1M ? month_start(open_ms, 1) : open_ms + step_of(iv);
}

int64_t interval_close(enum interval iv, int64_t open_ms)
{
	return interval_next(iv, open_ms) - 1;
}

int64_t interval_count(enum interval iv, int64_t first_open, int64_t last_open)
{
	if (last_open < first_open)
		return 0;
	if (iv != INTERVAL_1M)
		return (last_open - first_open) / step_of(iv) + 1;
	struct time_civil a, b;
	time_to_civil(first_open, &a);
	time_to_civil(last_open, &b);
	return (int64_t)(b.year - a.year) * 12 + b.month - a.month + 1;
}

void interval_print_trade_date(enum interval iv, char out[TIME_TEXT], int64_t open_ms)
{
	if (interval_is_daily(iv))
		time_print_date(out, open_ms);
	else
		time_print_datetime(out, open_ms);
}
