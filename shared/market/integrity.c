/* integrity.c -- the checks over a series' columns: what is missing, what stands twice, what cannot be. */
#include "market/integrity.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* One check under way. */
struct checking {
	enum interval iv;
	const struct columns *c; /* filtered */
	const struct integrity_options *o;
	struct arena *arena;
	struct integrity *out;
	int64_t anchor;           /* of 3d: the first stored bar of the whole series */
	int64_t last_missing_day; /* counted already; the epoch of nothing: -1 */
};

/* ---- what is missing -------------------------------------------------------------------------------------------------- */

static int64_t slot_of(const struct checking *k, int64_t t)
{
	return interval_floor(k->iv, t, k->anchor);
}

/* The first open time of the interval that is not before t. */
static int64_t slot_from(const struct checking *k, int64_t t)
{
	int64_t slot = slot_of(k, t);
	return slot < t ? interval_next(k->iv, slot) : slot;
}

/* The next stretch of bars, from t on, that the exchange does not have: true with the open times of its first and last bar. */
static bool next_absent(const struct checking *k, int64_t t, int64_t *first_out, int64_t *last_out)
{
	bool found = false;
	*first_out = *last_out = INT64_MAX;
	for (size_t i = 0; i < k->o->n_absent; i++) {
		const struct integrity_span *a = &k->o->absent[i];
		if (a->to < t || a->from > BAR_TIME_LAST)
			continue;
		int64_t first = slot_from(k, a->from > t ? a->from : t), last = slot_of(k, a->to < BAR_TIME_LAST ? a->to : BAR_TIME_LAST);
		if (first > last || first >= *first_out)
			continue;
		*first_out = first;
		*last_out = last;
		found = true;
	}
	return found;
}

/* Does any bar open on the day? */
static bool day_has_bar(const struct checking *k, int64_t day)
{
	size_t at = columns_lower_bound(k->c, day);
	return at < k->c->n && k->c->open_time[at] < day + TIME_DAY;
}

static void missing_day(struct checking *k, int64_t day)
{
	if (day <= k->last_missing_day || day_has_bar(k, day))
		return;
	k->last_missing_day = day;
	if (k->out->missing_days < INTEGRITY_DATES_SHOWN)
		k->out->dates[k->out->missing_days] = day;
	k->out->missing_days++;
}

/* The bars from..to (open times of the interval) are expected and not there. */
static void missing_range(struct checking *k, int64_t from, int64_t to)
{
	struct integrity *out = k->out;
	int64_t count = interval_count(k->iv, from, to);
	out->missing_bars += count;
	if (out->n_ranges < INTEGRITY_RANGES_SHOWN)
		out->ranges[out->n_ranges++] = (struct integrity_range){from, to, count};
	out->ranges_total++;
	/* Above a day the days between two bars have none by nature: only the opening days count. */
	for (int64_t t = from; t <= to; t = interval_is_daily(k->iv) ? interval_next(k->iv, t) : time_day_start(t) + TIME_DAY)
		missing_day(k, time_day_start(t));
}

/* A hole from..to (open times of the interval), less what the exchange does not have. */
static void hole(struct checking *k, int64_t from, int64_t to)
{
	int64_t first, last;
	while (from <= to && next_absent(k, from, &first, &last) && first <= to) {
		if (first > from)
			missing_range(k, from, slot_of(k, first - 1));
		last = last < to ? last : to;
		k->out->absent_bars += interval_count(k->iv, first, last);
		from = interval_next(k->iv, last);
	}
	if (from <= to)
		missing_range(k, from, to);
}

/* first..last that are expected; false: nothing is. */
static bool expected(const struct checking *k, int64_t *first_out, int64_t *last_out)
{
	const struct columns *c = k->c;
	int64_t known = k->o->listed_at && k->o->listed_at < k->out->first ? k->o->listed_at : k->out->first;
	if (c->n == 0 && (k->o->from == 0 || k->o->to == 0))
		return false;
	int64_t stored = c->n ? slot_of(k, c->open_time[c->n - 1]) : INT64_MIN;
	int64_t last = k->o->to ? slot_of(k, k->o->to < BAR_TIME_LAST ? k->o->to : BAR_TIME_LAST) : stored;
	if (k->o->now_ms && interval_close(k->iv, last) >= k->o->now_ms) {
		/* The newest bar that is closed by now. */
		int64_t closed = slot_of(k, slot_of(k, k->o->now_ms) - 1);
		last = closed < last ? closed : last;
	}
	*first_out = k->o->from ? slot_from(k, k->o->from > known ? k->o->from : known) : slot_of(k, c->open_time[0]);
	*last_out = last;
	return true;
}

static void check_missing(struct checking *k)
{
	int64_t next, last;
	if (!expected(k, &next, &last))
		return;
	k->out->ranges = arena_array(k->arena, INTEGRITY_RANGES_SHOWN, sizeof *k->out->ranges);
	for (size_t i = 0; i < k->c->n; i++) {
		int64_t slot = slot_of(k, k->c->open_time[i]);
		if (slot > next)
			hole(k, next, slot_of(k, slot - 1));
		if (slot >= next)
			next = interval_next(k->iv, slot);
	}
	if (next <= last)
		hole(k, next, last);
}

/* ---- what stands twice or out of order ------------------------------------------------------------------------------------ */

static void check_times(struct checking *k)
{
	const int64_t *t = k->c->open_time;
	struct integrity_checks *checks = &k->out->checks;
	for (size_t i = 0; i < k->c->n; i++) {
		bool like_above = i > 0 && t[i] == t[i - 1], like_below = i + 1 < k->c->n && t[i] == t[i + 1];
		checks->duplicates += k->o->duplicates && (like_above || like_below);
		checks->disorder += k->o->duplicates && i > 0 && t[i] < t[i - 1];
		if (!k->o->quality)
			continue;
		checks->misaligned += slot_of(k, t[i]) != t[i];
		checks->close_time += k->c->close_time && k->c->close_time[i] != interval_close(k->iv, t[i]);
	}
}

/* ---- what cannot be ---------------------------------------------------------------------------------------------------------- */

static void add_price(struct checking *k, size_t i)
{
	struct integrity *out = k->out;
	const struct columns *c = k->c;
	out->checks.ohlc++;
	if (out->n_prices == INTEGRITY_PRICES_SHOWN)
		return;
	if (!out->prices)
		out->prices = arena_array(k->arena, INTEGRITY_PRICES_SHOWN, sizeof *out->prices);
	out->prices[out->n_prices++] = (struct integrity_price){c->open_time[i], c->open[i], c->high[i], c->low[i], c->close[i]};
}

static void check_prices(struct checking *k)
{
	const struct columns *c = k->c;
	const double *const prices[] = {c->open, c->high, c->low, c->close};
	if (!c->open || !c->high || !c->low || !c->close)
		return;
	for (size_t i = 0; i < c->n; i++) {
		for (size_t p = 0; p < ARRAY_LEN(prices); p++) {
			k->out->checks.nulls[p] += isnan(prices[p][i]);
			k->out->checks.not_positive[p] += prices[p][i] <= 0;
		}
		bool contradict = c->high[i] < c->low[i] || c->open[i] > c->high[i] || c->open[i] < c->low[i] || c->close[i] > c->high[i] ||
		                  c->close[i] < c->low[i];
		if (contradict)
			add_price(k, i);
	}
}

/* A mean price outside of [low, high]. Both volumes are rounded to their last digit, of which a double does not know, so a
 * millionth is allowed for. */
static bool vwap_outside(const struct columns *c, size_t i)
{
	const double slack = 1e-6;
	if (!(c->volume[i] > 0) || !(c->quote_volume[i] > 0))
		return false;
	double vwap = c->quote_volume[i] / c->volume[i];
	return vwap < c->low[i] * (1 - slack) || vwap > c->high[i] * (1 + slack);
}

static void check_volumes(struct checking *k)
{
	const struct columns *c = k->c;
	struct integrity_checks *checks = &k->out->checks;
	for (size_t i = 0; c->volume && i < c->n; i++) {
		checks->nulls[4] += isnan(c->volume[i]);
		checks->negative_volume += c->volume[i] < 0;
		checks->taker += (c->taker_base && c->taker_base[i] > c->volume[i]) ||
		                 (c->taker_quote && c->quote_volume && c->taker_quote[i] > c->quote_volume[i]);
		checks->vwap += c->quote_volume && c->low && c->high && vwap_outside(c, i);
	}
}

/* ---- all of it ------------------------------------------------------------------------------------------------------------------ */

#define FROM(name) .name = c->name ? c->name + first : NULL

static struct columns filtered(const struct columns *c, const struct integrity_options *o)
{
	size_t first = o->from ? columns_lower_bound(c, o->from) : 0;
	size_t last = o->to && o->to < BAR_TIME_LAST ? columns_lower_bound(c, o->to + 1) : c->n;
	return (struct columns){.n = last > first ? last - first : 0,
	        FROM(open_time),
	        FROM(close_time),
	        FROM(trades),
	        FROM(open),
	        FROM(high),
	        FROM(low),
	        FROM(close),
	        FROM(volume),
	        FROM(quote_volume),
	        FROM(taker_base),
	        FROM(taker_quote)};
}

void integrity_check(const char *symbol, enum interval iv, const struct columns *c, const struct integrity_options *o, struct arena *a,
        struct integrity *out)
{
	memset(out, 0, sizeof *out);
	bool fits = str_copy(out->symbol, sizeof out->symbol, symbol);
	assert(fits);
	out->interval = iv;
	if (c->n == 0)
		return;
	out->rows = (int64_t)c->n;
	out->first = c->open_time[0];
	out->last = c->open_time[c->n - 1];
	struct columns part = filtered(c, o);
	struct checking k = {iv, &part, o, a, out, out->first, -1};
	out->rows_checked = (int64_t)part.n;
	check_times(&k);
	if (o->missing)
		check_missing(&k);
	if (!o->quality)
		return;
	check_prices(&k);
	check_volumes(&k);
}
