/* chunk_encode.c -- from candles to a blob: each column in the form that leaves the smallest numbers. */
#include <string.h>

#include "base/mem.h"
#include "market/chunk_private.h"

/* ---- units ------------------------------------------------------------------------------------------------------ */

static const size_t decimal_at[CHUNK_COLUMNS] = {
        [CHUNK_OPEN] = offsetof(struct bar, open),
        [CHUNK_HIGH] = offsetof(struct bar, high),
        [CHUNK_LOW] = offsetof(struct bar, low),
        [CHUNK_CLOSE] = offsetof(struct bar, close),
        [CHUNK_VOLUME] = offsetof(struct bar, volume),
        [CHUNK_QUOTE] = offsetof(struct bar, quote_volume),
        [CHUNK_TAKER_BASE] = offsetof(struct bar, taker_base),
        [CHUNK_TAKER_QUOTE] = offsetof(struct bar, taker_quote),
        [CHUNK_UNUSED] = offsetof(struct bar, unused),
};

static struct dec decimal(const struct bar *b, enum chunk_column c)
{
	struct dec d;
	memcpy(&d, (const char *)b + decimal_at[c], sizeof d);
	return d;
}

static int scale_of_column(const struct bar *bars, size_t n, enum chunk_column c)
{
	int scale = 0;
	for (size_t i = 0; i < n; i++)
		if (decimal(&bars[i], c).scale > scale)
			scale = decimal(&bars[i], c).scale;
	return scale;
}

/* All rows in units of l->scale; where one does not fit into 64 bits, each in its own. */
static void decimals_to_units(const struct bar *bars, struct chunk_rows *r, enum chunk_column c, struct chunk_layout *l)
{
	bool fits = true, mixed = false;
	for (size_t i = 0; i < r->n; i++) {
		struct dec d = decimal(&bars[i], c), same;
		r->scales[c][i] = (uint8_t)d.scale;
		mixed |= d.scale != (int8_t)l->scale;
		fits = fits && dec_rescale(d, (int8_t)l->scale, DEC_TOWARD_ZERO, &same);
		r->units[c][i] = (uint64_t)(fits ? same.units : d.units);
	}
	l->flags = (uint8_t)((mixed ? CHUNK_MIXED : 0) | (fits ? 0 : CHUNK_RAW));
	for (size_t i = 0; !fits && i < r->n; i++)
		r->units[c][i] = (uint64_t)decimal(&bars[i], c).units;
}

static void bars_to_units(const struct bar *bars, struct chunk_rows *r, struct chunk_layout columns[CHUNK_COLUMNS])
{
	for (size_t i = 0; i < r->n; i++) {
		r->units[CHUNK_TIME][i] = (uint64_t)bars[i].open_time;
		r->units[CHUNK_CLOSE_TIME][i] = (uint64_t)bars[i].close_time;
		r->units[CHUNK_TRADES][i] = (uint64_t)bars[i].trades;
	}
	for (int c = CHUNK_CLOSE; c < CHUNK_COLUMNS; c++)
		if (c != CHUNK_TRADES)
			columns[c].scale = (uint8_t)scale_of_column(bars, r->n, (enum chunk_column)c);
	/* One scale for the four prices, so that they can be told from each other. */
	for (int c = CHUNK_CLOSE; c <= CHUNK_LOW; c++)
		if (columns[c].scale > columns[CHUNK_CLOSE].scale)
			columns[CHUNK_CLOSE].scale = columns[c].scale;
	for (int c = CHUNK_OPEN; c <= CHUNK_LOW; c++)
		columns[c].scale = columns[CHUNK_CLOSE].scale;
	for (int c = CHUNK_CLOSE; c < CHUNK_COLUMNS; c++)
		if (c != CHUNK_TRADES)
			decimals_to_units(bars, r, (enum chunk_column)c, &columns[c]);
}

/* ---- small numbers ----------------------------------------------------------------------------------------------- */

/* A column on its way: differences, of which base and step are taken out. */
struct small {
	size_t n;
	uint64_t v[CHUNK_MAX];
};

static uint64_t gcd(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t rest = a % b;
		a = b;
		b = rest;
	}
	return a;
}

/* v = base + step * u, with base the least v as a signed number. */
static void from_base(struct small *s, struct chunk_layout *l)
{
	int64_t least = INT64_MAX;
	for (size_t i = 0; i < s->n; i++)
		least = (int64_t)s->v[i] < least ? (int64_t)s->v[i] : least;
	uint64_t step = 0;
	for (size_t i = 0; i < s->n; i++)
		step = gcd(s->v[i] -= (uint64_t)least, step);
	l->base = least;
	l->step = step ? step : 1;
	for (size_t i = 0; i < s->n; i++)
		s->v[i] /= l->step;
}

static uint64_t magnitude(uint64_t v)
{
	return (int64_t)v < 0 ? 0 - v : v;
}

/* v = step * zz(u). */
static void to_zigzag(struct small *s, struct chunk_layout *l)
{
	uint64_t step = 0;
	for (size_t i = 0; i < s->n; i++)
		step = gcd(magnitude(s->v[i]), step);
	l->step = step && step <= INT64_MAX ? step : 1;
	for (size_t i = 0; i < s->n; i++)
		s->v[i] = chunk_zigzag((uint64_t)((int64_t)s->v[i] / (int64_t)l->step));
}

static void small_plain(const struct chunk_rows *r, enum chunk_column c, struct small *s, struct chunk_layout *l)
{
	l->form = FORM_PLAIN;
	memcpy(s->v, r->units[c], s->n * sizeof *s->v);
	from_base(s, l);
}

static void small_sum(const struct chunk_rows *r, enum chunk_column c, struct small *s, struct chunk_layout *l)
{
	l->form = FORM_SUM;
	for (size_t i = 1; i < s->n; i++)
		s->v[i] = r->units[c][i] - r->units[c][i - 1];
	/* Row 0 is the base; its small number says nothing, so it repeats another one. */
	s->v[0] = s->n > 1 ? s->v[1] : 0;
	to_zigzag(s, l);
	l->base = (int64_t)r->units[c][0];
}

static void small_closes_at(const struct chunk_rows *r, struct small *s, struct chunk_layout *l)
{
	l->form = FORM_CLOSES_AT;
	for (size_t i = 0; i < s->n; i++)
		s->v[i] = r->units[CHUNK_CLOSE_TIME][i] - (uint64_t)interval_close(r->iv, (int64_t)r->units[CHUNK_TIME][i]);
	from_base(s, l);
}

static void small_open(const struct chunk_rows *r, struct small *s, struct chunk_layout *l)
{
	const uint64_t *close = r->units[CHUNK_CLOSE];
	l->form = FORM_OPEN;
	for (size_t i = 0; i < s->n; i++)
		s->v[i] = r->units[CHUNK_OPEN][i] - close[i ? i - 1 : 0];
	to_zigzag(s, l);
}

static void small_high(const struct chunk_rows *r, struct small *s, struct chunk_layout *l)
{
	const uint64_t *open = r->units[CHUNK_OPEN], *close = r->units[CHUNK_CLOSE];
	l->form = FORM_HIGH;
	for (size_t i = 0; i < s->n; i++)
		s->v[i] = r->units[CHUNK_HIGH][i] - ((int64_t)open[i] > (int64_t)close[i] ? open[i] : close[i]);
	from_base(s, l);
}

static void small_low(const struct chunk_rows *r, struct small *s, struct chunk_layout *l)
{
	const uint64_t *open = r->units[CHUNK_OPEN], *close = r->units[CHUNK_CLOSE];
	l->form = FORM_LOW;
	for (size_t i = 0; i < s->n; i++)
		s->v[i] = ((int64_t)open[i] < (int64_t)close[i] ? open[i] : close[i]) - r->units[CHUNK_LOW][i];
	from_base(s, l);
}

typedef uint64_t expect_fn(const struct chunk_rows *, const struct chunk_layout *, const struct chunk_layout *, size_t);

/* q = step * (expected + zz(u)), where step divides every q. */
static void small_expected(const struct chunk_rows *r, const struct chunk_layout *columns, enum chunk_column c, enum chunk_form form,
        expect_fn *expect, struct small *s, struct chunk_layout *l)
{
	l->form = (uint8_t)form;
	l->base = 0;
	uint64_t step = 0;
	for (size_t i = 0; i < s->n; i++)
		step = gcd(magnitude(r->units[c][i]), step);
	l->step = step && step <= INT64_MAX ? step : 1;
	for (size_t i = 0; i < s->n; i++)
		s->v[i] = chunk_zigzag((uint64_t)((int64_t)r->units[c][i] / (int64_t)l->step) - expect(r, columns, l, i));
}

static int64_t bits_of(const struct small *s)
{
	int64_t bits = 0;
	for (size_t i = 0; i < s->n; i++)
		bits += s->v[i] ? 64 - __builtin_clzll(s->v[i]) : 0;
	return bits;
}

static bool raw(const struct chunk_layout *columns, enum chunk_column from, enum chunk_column to)
{
	unsigned flags = 0;
	for (int c = (int)from; c <= (int)to; c++)
		flags |= columns[c].flags;
	return flags & CHUNK_RAW;
}

/* A quote volume is about volume x price, and the takers' part about their share of it: where that is so, it saves a third. */
static void small_quote(
        const struct chunk_rows *r, const struct chunk_layout *columns, enum chunk_column c, struct small *s, struct chunk_layout *l)
{
	small_plain(r, c, s, l);
	if (raw(columns, CHUNK_CLOSE, CHUNK_TAKER_QUOTE))
		return;
	struct small other = {.n = s->n};
	struct chunk_layout expected = *l;
	if (c == CHUNK_QUOTE)
		small_expected(r, columns, c, FORM_PRODUCT, chunk_expect_product, &other, &expected);
	else
		small_expected(r, columns, c, FORM_SHARE, chunk_expect_share, &other, &expected);
	if (bits_of(&other) >= bits_of(s))
		return;
	*s = other;
	*l = expected;
}

static void make_small(
        const struct chunk_rows *r, const struct chunk_layout *columns, enum chunk_column c, struct small *s, struct chunk_layout *l)
{
	bool prices_raw = raw(columns, CHUNK_CLOSE, CHUNK_LOW);
	if (c == CHUNK_TIME || c == CHUNK_CLOSE || (c >= CHUNK_OPEN && c <= CHUNK_LOW && prices_raw))
		small_sum(r, c, s, l);
	else if (c == CHUNK_CLOSE_TIME)
		small_closes_at(r, s, l);
	else if (c == CHUNK_OPEN)
		small_open(r, s, l);
	else if (c == CHUNK_HIGH)
		small_high(r, s, l);
	else if (c == CHUNK_LOW)
		small_low(r, s, l);
	else if (c == CHUNK_QUOTE || c == CHUNK_TAKER_QUOTE)
		small_quote(r, columns, c, s, l);
	else
		small_plain(r, c, s, l);
}

/* ---- the blob ------------------------------------------------------------------------------------------------------ */

static void put(struct buf *out, uint64_t v, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		buf_addc(out, (char)(v >> (8 * i)));
}

static void put_varint(struct buf *out, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		buf_addc(out, (char)(v | 0x80));
	buf_addc(out, (char)v);
}

static void pack_column(struct chunk_packer *p, const struct chunk_rows *r, enum chunk_column c, const struct small *s,
        struct chunk_layout *l, struct buf *planes)
{
	uint8_t plane[CHUNK_MAX];
	uint64_t all = 0;
	for (size_t i = 0; i < s->n; i++)
		all |= s->v[i];
	for (l->width = 0; l->width < 8 && all >> (8 * l->width); l->width++) {
		for (size_t i = 0; i < s->n; i++)
			plane[i] = (uint8_t)(s->v[i] >> (8 * l->width));
		l->size[l->width] = chunk_pack(p, plane, s->n, planes);
	}
	if (l->flags & CHUNK_MIXED)
		l->size[l->width] = chunk_pack(p, r->scales[c], s->n, planes);
}

static void put_head(struct buf *out, const struct chunk_layout *l)
{
	put(out, l->form | l->flags, 1);
	put(out, l->scale, 1);
	put(out, l->width, 1);
	put_varint(out, chunk_zigzag((uint64_t)l->base));
	put_varint(out, l->step);
	for (int i = 0; i < l->width + (l->flags & CHUNK_MIXED ? 1 : 0); i++)
		put(out, l->size[i], 2);
}

static void put_blob(
        struct buf *out, const struct chunk_rows *r, const struct chunk_layout columns[CHUNK_COLUMNS], const struct buf *planes)
{
	size_t start = out->len;
	buf_adds(out, "BQC1");
	put(out, r->iv, 2);
	put(out, r->n, 2);
	put(out, 0, 8);
	put(out, r->units[CHUNK_TIME][0], 8);
	put(out, r->units[CHUNK_TIME][r->n - 1], 8);
	for (int c = 0; c < CHUNK_COLUMNS; c++)
		put_head(out, &columns[c]);
	buf_add(out, planes->data, planes->len);
	uint64_t sum = chunk_checksum(out->data + start, out->len - start);
	for (size_t i = 0; i < 8; i++)
		out->data[start + 8 + i] = (char)(sum >> (8 * i));
}

static bool bars_ok(const struct bar *bars, size_t n, struct err *e)
{
	if (n < 1 || n > CHUNK_MAX)
		return err_set(e, ERR_INVALID, "%zu candles do not make a chunk: it holds 1 to %d", n, CHUNK_MAX);
	for (size_t i = 0; i < n; i++)
		if (bars[i].open_time < 0 || bars[i].open_time > BAR_TIME_LAST || (i && bars[i].open_time <= bars[i - 1].open_time))
			return err_set(e, ERR_INVALID, "candle %zu of the chunk is out of order: it opens at %lld", i,
			        (long long)bars[i].open_time);
	return true;
}

bool chunk_encode(const struct bar *bars, size_t n, enum interval iv, struct buf *out, struct err *e)
{
	if (!bars_ok(bars, n, e))
		return false;
	struct chunk_layout columns[CHUNK_COLUMNS] = {0};
	struct chunk_rows r;
	struct small s;
	struct buf planes = {0};
	r.n = s.n = n;
	r.iv = iv;
	bars_to_units(bars, &r, columns);
	struct chunk_packer *p = chunk_packer_open();
	for (int c = 0; c < CHUNK_COLUMNS; c++) {
		struct chunk_layout l = columns[c];
		make_small(&r, columns, (enum chunk_column)c, &s, &l);
		pack_column(p, &r, (enum chunk_column)c, &s, &l, &planes);
		columns[c] = l;
	}
	chunk_packer_close(&p);
	put_blob(out, &r, columns, &planes);
	buf_close(&planes);
	return true;
}
