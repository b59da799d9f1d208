/* generate.c -- made-up prices: a walk that can be asked for any minute at once, so that every interval is the sum of its minutes.
 *
 * The logarithm of the price is a sum of 20 octaves of noise: octave k has a random value at every 2^k-th minute and straight
 * lines between, with a height that grows as the root of 2^k. That has the spectrum of a random walk, yet costs the same for
 * every minute. On top, about every 48th day of a symbol brings a jump of 10 to 30 % that builds up within 12 hours and
 * fades within 60. All in integers up to the last step, so that it is the same on every machine.
 */
#include <math.h>
#include <string.h>

#include "tests/exchange_sim/sim.h"

#define OCTAVES           20
#define LOG_ONE           1099511627776.0 /* 2^40: the unit of logarithms */
#define HEIGHT            996             /* of octave 0, times 2^20: 0.095 % */
#define DAY_MINUTES       1440
#define JUMP_EVERY        48
#define JUMP_UP_MINUTES   720
#define JUMP_DOWN_MINUTES 3600
#define SALT_OCTAVE       1
#define SALT_JUMP         101
#define SALT_BAR          201

struct walk {
	const struct maker *m;
	int64_t height[OCTAVES];
	int64_t segment[OCTAVES];
	int64_t a[OCTAVES], b[OCTAVES]; /* values at both ends of the segment */
	int64_t price, price_minute;    /* the last one that was worked out: a minute opens where the one before closed */
	int64_t day;                    /* of jump[] */
	struct {
		int64_t start, height;
	} jump[4];
};

static uint64_t mix(uint64_t x)
{
	x += 0x9E3779B97F4A7C15u;
	x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
	x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
	return x ^ (x >> 31);
}

static uint64_t dice(const struct maker *m, uint64_t salt, int64_t i)
{
	return mix(mix(m->key + salt * 0xD1B54A32D192ED03u) ^ (uint64_t)i);
}

static double dice_unit(uint64_t h)
{
	return (double)(h >> 11) * 0x1p-53; /* [0, 1) */
}

/* ---- the walk ----------------------------------------------------------------------------------------------- */

static void walk_open(struct walk *w, const struct maker *m)
{
	memset(w, 0, sizeof(*w));
	w->m = m;
	w->day = INT64_MIN;
	w->price_minute = INT64_MIN;
	for (int k = 0; k < OCTAVES; k++) {
		w->segment[k] = INT64_MIN;
		w->height[k] = (int64_t)(HEIGHT * sqrt((double)(1 << k))) * m->volatility / 100;
	}
}

static int64_t lattice(const struct walk *w, int k, int64_t i)
{
	int64_t v = (int64_t)(dice(w->m, SALT_OCTAVE + (uint64_t)k, i) >> 43) - (1 << 20);
	return v * w->height[k];
}

static void load_jumps(struct walk *w, int64_t day)
{
	w->day = day;
	for (int i = 0; i < 4; i++) {
		uint64_t h = dice(w->m, SALT_JUMP, day - i);
		bool jumps = h % JUMP_EVERY == 0;
		int64_t percent = 10 + (int64_t)(h >> 20) % 21;
		int64_t sign = (h >> 40) % 10 < 7 ? 1 : -1;
		w->jump[i].start = (day - i) * DAY_MINUTES + (int64_t)((h >> 30) % 6) * 60;
		w->jump[i].height = jumps ? (int64_t)(sign * percent * (int64_t)(LOG_ONE / 100)) : 0;
	}
}

static int64_t jumps_at(struct walk *w, int64_t minute)
{
	int64_t sum = 0;
	if (minute / DAY_MINUTES != w->day)
		load_jumps(w, minute / DAY_MINUTES);
	for (int i = 0; i < 4; i++) {
		int64_t since = minute - w->jump[i].start;
		if (since <= 0 || since >= JUMP_UP_MINUTES + JUMP_DOWN_MINUTES)
			continue;
		if (since <= JUMP_UP_MINUTES)
			sum += w->jump[i].height / JUMP_UP_MINUTES * since;
		else
			sum += w->jump[i].height / JUMP_DOWN_MINUTES * (JUMP_UP_MINUTES + JUMP_DOWN_MINUTES - since);
	}
	return sum;
}

/* The price at the start of a minute, in units, a multiple of the tick. */
static int64_t walk_price(struct walk *w, int64_t minute)
{
	if (minute == w->price_minute)
		return w->price;
	int64_t sum = jumps_at(w, minute);
	for (int k = 0; k < OCTAVES; k++) {
		int64_t i = minute >> k;
		if (i != w->segment[k]) {
			w->a[k] = i == w->segment[k] + 1 ? w->b[k] : lattice(w, k, i);
			w->b[k] = lattice(w, k, i + 1);
			w->segment[k] = i;
		}
		sum += w->a[k] + (((w->b[k] - w->a[k]) * (minute & ((INT64_C(1) << k) - 1))) >> k);
	}
	int64_t units = (int64_t)(w->m->base * exp((double)sum / LOG_ONE));
	units = units / w->m->tick * w->m->tick;
	w->price = units < w->m->tick ? w->m->tick : units;
	w->price_minute = minute;
	return w->price;
}

/* ---- minutes ------------------------------------------------------------------------------------------------ */

/* A candle in plain integers, which can be summed. */
struct sum {
	int64_t open, high, low, close, volume, quote, trades, taker_base, taker_quote;
};

static int64_t wick(const struct maker *m, uint64_t h, int64_t price)
{
	double u = dice_unit(h);
	return (int64_t)((double)price * 0.0008 * u * u) / m->tick * m->tick;
}

static void minute_sum(struct walk *w, int64_t minute, struct sum *s)
{
	const struct maker *m = w->m;
	uint64_t h = dice(m, SALT_BAR, minute);
	s->open = walk_price(w, minute);
	s->close = walk_price(w, minute + 1);
	int64_t top = s->open > s->close ? s->open : s->close;
	int64_t bottom = s->open < s->close ? s->open : s->close;
	s->high = top + wick(m, h, top);
	s->low = bottom - wick(m, mix(h), bottom);
	s->low = s->low < m->tick ? m->tick : s->low;
	double move = (double)(s->high - s->low) / (double)s->open;
	double busy = (0.25 + dice_unit(mix(h + 1))) * (0.4 + 400.0 * move);
	s->volume = 1 + (int64_t)(m->notional_qty * busy / (double)s->open);
	int64_t mean = (s->high + s->low + s->open + s->close) / 4;
	s->quote = s->volume * mean;
	s->taker_base = (int64_t)((double)s->volume * (0.3 + 0.4 * dice_unit(mix(h + 2))));
	s->taker_quote = s->taker_base * mean;
	s->trades = 1 + (int64_t)(m->notional * busy / 900.0);
}

/* The running minute, `part` ms old: its last price goes from open to close, its volumes grow. */
static void minute_cut(struct sum *s, int64_t part, int64_t tick)
{
	s->close = s->open + (s->close - s->open) * part / TIME_MINUTE / tick * tick;
	s->high = s->open > s->close ? s->open : s->close;
	s->low = s->open < s->close ? s->open : s->close;
	int64_t mean = (s->high + s->low) / 2;
	s->volume = s->volume * part / TIME_MINUTE;
	s->quote = s->volume * mean;
	s->taker_base = s->taker_base * part / TIME_MINUTE;
	s->taker_quote = s->taker_base * mean;
	s->trades = s->trades * part / TIME_MINUTE;
}

static void sum_add(struct sum *all, const struct sum *s, bool first)
{
	if (first) {
		*all = *s;
		return;
	}
	all->high = s->high > all->high ? s->high : all->high;
	all->low = s->low < all->low ? s->low : all->low;
	all->close = s->close;
	all->volume += s->volume;
	all->quote += s->quote;
	all->trades += s->trades;
	all->taker_base += s->taker_base;
	all->taker_quote += s->taker_quote;
}

static void bar_of(const struct maker *m, const struct sum *s, struct bar *out)
{
	int8_t p = m->price_scale, q = m->qty_scale;
	int8_t both = (int8_t)(p + q);
	out->open = (struct dec){s->open, p};
	out->high = (struct dec){s->high, p};
	out->low = (struct dec){s->low, p};
	out->close = (struct dec){s->close, p};
	out->volume = (struct dec){s->volume, q};
	out->quote_volume = (struct dec){s->quote, both};
	out->trades = s->trades;
	out->taker_base = (struct dec){s->taker_base, q};
	out->taker_quote = (struct dec){s->taker_quote, both};
	out->unused = (struct dec){0, 0};
}

bool maker_span(const struct maker *m, int64_t from_ms, int64_t end_ms, int64_t now_ms, struct bar *out)
{
	struct walk w;
	struct sum all = {0};
	int64_t first = (from_ms + TIME_MINUTE - 1) / TIME_MINUTE;
	int64_t minute = first;
	walk_open(&w, m);
	for (; minute * TIME_MINUTE < end_ms && minute * TIME_MINUTE <= now_ms; minute++) {
		struct sum s;
		minute_sum(&w, minute, &s);
		if (now_ms < (minute + 1) * TIME_MINUTE)
			minute_cut(&s, now_ms - minute * TIME_MINUTE, m->tick);
		sum_add(&all, &s, minute == first);
	}
	bar_of(m, &all, out);
	return minute > first;
}

bool maker_candle(const struct maker *m, enum interval iv, int64_t open_ms, int64_t first_ms, int64_t now_ms, struct bar *out)
{
	int64_t from = first_ms > open_ms ? first_ms : open_ms;
	out->open_time = open_ms;
	out->close_time = interval_close(iv, open_ms);
	return maker_span(m, from, out->close_time + 1, now_ms, out);
}

/* ---- the look of a symbol ----------------------------------------------------------------------------------- */

static const struct look {
	const char *name;
	double price;
	int8_t price_scale;
	int64_t tick;
	int8_t qty_scale;
	double notional;
	int volatility;
} looks[] = {
#define SYMBOL(...) {__VA_ARGS__},
#include "tests/exchange_sim/symbols.def"
#undef SYMBOL
};

void maker_open(struct maker *m, const char *symbol, uint64_t seed)
{
	uint64_t h = mix(seed);
	for (const char *p = symbol; *p; p++)
		h = mix(h ^ (unsigned char)*p);
	size_t at = ARRAY_LEN(looks) - 6 + h % 6;
	bool known = false;
	for (size_t i = 0; i < ARRAY_LEN(looks); i++) {
		known |= str_eq(looks[i].name, symbol);
		at = str_eq(looks[i].name, symbol) ? i : at;
	}
	const struct look *l = &looks[at];
	double factor = known ? 1.0 : 0.5 + 2.0 * dice_unit(mix(h));
	*m = (struct maker){
	        .key = h, .tick = l->tick, .price_scale = l->price_scale, .qty_scale = l->qty_scale, .volatility = l->volatility};
	m->base = l->price * factor * pow(10.0, l->price_scale);
	m->notional = known ? l->notional : l->notional * (0.1 + 0.4 * dice_unit(mix(h + 1)));
	m->notional_qty = m->notional * pow(10.0, l->price_scale + l->qty_scale);
}
