/* market.c -- the simulated symbols and their candles, from files where there are some, else made up. */
#include <string.h>

#include "base/mem.h"
#include "tests/exchange_sim/sim.h"

#define HOLE_START (2 * TIME_HOUR)
#define HOLE_END   (4 * TIME_HOUR + 30 * TIME_MINUTE)
#define SUNDAY     6

struct market_symbol *market_symbol(struct sim *s, const char *name)
{
	for (size_t i = 0; i < s->n_symbols; i++) {
		if (str_eq(s->symbols[i].name, name))
			return &s->symbols[i];
	}
	return NULL;
}

struct market_symbol *market_add(struct sim *s, const char *name)
{
	struct market_symbol *m = market_symbol(s, name);
	if (m)
		return m;
	if (s->n_symbols == s->cap_symbols) {
		s->symbols = mem_grow(s->symbols, s->cap_symbols, s->cap_symbols * 2 + 16, sizeof(*s->symbols));
		s->cap_symbols = s->cap_symbols * 2 + 16;
	}
	m = &s->symbols[s->n_symbols];
	if (!str_copy(m->name, sizeof(m->name), name))
		return NULL;
	s->n_symbols++;
	m->listed_ms = INT64_MAX; /* the first candle says */
	maker_open(&m->maker, name, s->seed);
	return m;
}

static bool make_up(struct sim *s, const char *name, size_t len, struct err *e)
{
	char text[SYMBOL_SIZE];
	if (!str_copy_n(text, sizeof(text), name, len) || !symbol_ok(text))
		return err_set(e, ERR_INVALID, "\"%.*s\" is not a symbol", (int)(len < 40 ? len : 40), name);
	struct market_symbol *m = market_add(s, text);
	int64_t days = 30 + (int64_t)(m->maker.key % 365);
	int64_t listed = s->since_ms + (s->faults[FAULT_late_listing].on ? days * TIME_DAY + 9 * TIME_HOUR : 0);
	m->made_up = true;
	m->listed_ms = listed < m->listed_ms ? listed : m->listed_ms;
	return true;
}

bool market_made_up(struct sim *s, const char *names, struct err *e)
{
	while (*names) {
		size_t len = strcspn(names, ",");
		if (!make_up(s, names, len, e))
			return false;
		names += len;
		names += *names == ',';
	}
	return true;
}

/* ---- candles ------------------------------------------------------------------------------------------------ */

static bool in_hole(const struct visit *v, const struct bar *b)
{
	if (!v->faults[FAULT_gap] || time_weekday(b->open_time) != SUNDAY)
		return false;
	int64_t day = time_day_start(b->open_time);
	return b->open_time - day >= HOLE_START && b->close_time - day < HOLE_END;
}

/* The candle of a file that is still forming: half of its volume, and a last price that changes every second. */
static void half_formed(struct bar *b, int64_t now_ms)
{
	b->close = (now_ms / TIME_SECOND) % 2 ? b->high : b->low;
	b->volume.units /= 2;
	b->quote_volume.units /= 2;
	b->taker_base.units /= 2;
	b->taker_quote.units /= 2;
	b->trades /= 2;
}

static size_t lower_bound(const struct candles *c, int64_t t)
{
	size_t lo = 0, hi = c->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (c->bars[mid].open_time < t)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static size_t from_files(
        const struct visit *v, const struct candles *c, int64_t from, int64_t to, size_t limit, bool newest, struct bar *out)
{
	int64_t last = to < v->data_ms ? to : v->data_ms;
	size_t n = 0, start = lower_bound(c, from), end = lower_bound(c, last + 1);
	if (newest && end - start > limit && end > start)
		start = end - limit;
	for (size_t i = start; i < end && n < limit; i++) {
		out[n] = c->bars[i];
		if (out[n].close_time >= v->data_ms)
			half_formed(&out[n], v->data_ms);
		n += !in_hole(v, &out[n]);
	}
	return n;
}

/* The open time of the first candle that opens at or after t. */
static int64_t ceil_open(enum interval iv, int64_t t)
{
	int64_t open = interval_floor(iv, t, 0);
	return open < t ? interval_next(iv, open) : open;
}

/* Where the newest `limit` candles up to `last` begin. */
static int64_t newest_start(enum interval iv, int64_t from, int64_t last, size_t limit)
{
	int64_t t = interval_floor(iv, last, 0);
	for (size_t i = 1; i < limit && t > from; i++)
		t = interval_floor(iv, t - 1, 0);
	return t > from ? t : from;
}

static size_t made_up(const struct visit *v, const struct market_symbol *m, enum interval iv, int64_t from, int64_t to, size_t limit,
        bool newest, struct bar *out)
{
	int64_t last = to < v->data_ms ? to : v->data_ms;
	int64_t first = interval_floor(iv, m->listed_ms, 0);
	int64_t start = from > first ? ceil_open(iv, from) : first;
	size_t n = 0;
	if (newest && last >= start)
		start = newest_start(iv, start, last, limit);
	for (int64_t t = start; t <= last && n < limit; t = interval_next(iv, t)) {
		if (maker_candle(&m->maker, iv, t, m->listed_ms, v->data_ms, &out[n]) && !in_hole(v, &out[n]))
			n++;
	}
	return n;
}

size_t market_candles(const struct visit *v, const struct market_symbol *m, enum interval iv, int64_t from, int64_t to, size_t limit,
        bool newest, struct bar *out)
{
	if (m->files[iv].n)
		return from_files(v, &m->files[iv], from, to, limit, newest, out);
	return m->made_up ? made_up(v, m, iv, from, to, limit, newest, out) : 0;
}

static void day_add(struct bar *all, const struct bar *b, bool first)
{
	if (first) {
		*all = *b;
		return;
	}
	struct dec sum;
	all->high = dec_cmp(b->high, all->high) > 0 ? b->high : all->high;
	all->low = dec_cmp(b->low, all->low) < 0 ? b->low : all->low;
	all->close = b->close;
	all->trades += b->trades;
	if (dec_add(all->volume, b->volume, &sum))
		all->volume = sum;
	if (dec_add(all->quote_volume, b->quote_volume, &sum))
		all->quote_volume = sum;
}

/* From the finest candles that there are. */
bool market_day(const struct visit *v, const struct market_symbol *m, struct bar *out)
{
	static const enum interval finest[] = {
	        INTERVAL_1m, INTERVAL_3m, INTERVAL_5m, INTERVAL_15m, INTERVAL_30m, INTERVAL_1h, INTERVAL_4h, INTERVAL_1d};
	int64_t from = v->data_ms - TIME_DAY;
	if (m->made_up)
		return maker_span(&m->maker, from > m->listed_ms ? from : m->listed_ms, v->data_ms, v->data_ms, out);
	for (size_t i = 0; i < ARRAY_LEN(finest); i++) {
		const struct candles *c = &m->files[finest[i]];
		size_t start = lower_bound(c, from + 1), end = lower_bound(c, v->data_ms + 1);
		for (size_t row = start; row < end; row++)
			day_add(out, &c->bars[row], row == start);
		if (end > start)
			return true;
	}
	return false;
}
