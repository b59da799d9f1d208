/* chunk_decode.c -- from a blob to candles or columns; everything in the blob is hostile until checked. */
#include <string.h>

#include "market/chunk_private.h"

#define EXACT_LIMIT (INT64_C(1) << 51) /* for the fast way to doubles, see units_to_doubles */

/* ---- the heads ------------------------------------------------------------------------------------------------- */

struct cursor {
	const uint8_t *at, *end;
	bool bad; /* something was not there: stays */
};

static uint64_t take(struct cursor *c, size_t bytes)
{
	uint64_t v = 0;
	if ((size_t)(c->end - c->at) < bytes) {
		c->bad = true;
		return 0;
	}
	for (size_t i = 0; i < bytes; i++)
		v |= (uint64_t)*c->at++ << (8 * i);
	return v;
}

static uint64_t take_varint(struct cursor *c)
{
	uint64_t v = 0;
	for (int shift = 0; shift < 64; shift += 7) {
		uint64_t byte = take(c, 1);
		v |= (byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return v;
	}
	c->bad = true;
	return 0;
}

/* A form reads other columns, and only those that were rebuilt before it. */
static bool form_allowed(enum chunk_column c, unsigned form)
{
	static const unsigned extra[CHUNK_COLUMNS] = {
	        [CHUNK_CLOSE_TIME] = 1u << FORM_CLOSES_AT,
	        [CHUNK_OPEN] = 1u << FORM_OPEN,
	        [CHUNK_HIGH] = 1u << FORM_HIGH,
	        [CHUNK_LOW] = 1u << FORM_LOW,
	        [CHUNK_QUOTE] = 1u << FORM_PRODUCT,
	        [CHUNK_TAKER_QUOTE] = 1u << FORM_SHARE,
	};
	return form < FORM_COUNT && ((1u << FORM_PLAIN | 1u << FORM_SUM | extra[c]) >> form & 1);
}

static int planes_of(const struct chunk_layout *l)
{
	return l->width + (l->flags & CHUNK_MIXED ? 1 : 0);
}

static bool take_column(struct cursor *c, enum chunk_column column, struct chunk_layout *l)
{
	unsigned form = (unsigned)take(c, 1);
	l->form = form & CHUNK_FORM_MASK;
	l->flags = form & ~CHUNK_FORM_MASK;
	l->scale = (uint8_t)take(c, 1);
	l->width = (uint8_t)take(c, 1);
	l->base = (int64_t)chunk_unzigzag(take_varint(c));
	l->step = take_varint(c);
	if (c->bad || !form_allowed(column, l->form) || l->scale > DEC_SCALE_MAX || l->width > 8 || l->step == 0)
		return false;
	if (l->flags & ~(CHUNK_MIXED | CHUNK_RAW) || (l->flags & CHUNK_RAW && !(l->flags & CHUNK_MIXED)))
		return false;
	for (int i = 0; i < planes_of(l); i++)
		l->size[i] = (uint16_t)take(c, 2);
	return !c->bad;
}

/* Columns that others are told from must be in units of one scale. */
static bool forms_agree(const struct chunk_layout *l)
{
	bool prices = l[CHUNK_OPEN].form == FORM_OPEN || l[CHUNK_HIGH].form == FORM_HIGH || l[CHUNK_LOW].form == FORM_LOW;
	for (int c = CHUNK_CLOSE; c <= CHUNK_LOW; c++)
		if (prices && (l[c].flags & CHUNK_RAW || l[c].scale != l[CHUNK_CLOSE].scale))
			return false;
	return l[CHUNK_TIME].scale == 0 && l[CHUNK_CLOSE_TIME].scale == 0 && l[CHUNK_TRADES].scale == 0;
}

static bool find_planes(struct cursor *c, struct chunk_layout *columns, size_t rows)
{
	for (int k = 0; k < CHUNK_COLUMNS; k++)
		for (int i = 0; i < planes_of(&columns[k]); i++) {
			size_t size = columns[k].size[i];
			if (size == 0 || size > rows || size > (size_t)(c->end - c->at))
				return false;
			columns[k].plane[i] = c->at;
			c->at += size;
		}
	return c->at == c->end;
}

struct head {
	size_t rows;
	int64_t first, last;
};

static bool read_head(
        const void *blob, size_t size, enum interval iv, struct head *h, struct chunk_layout columns[CHUNK_COLUMNS], struct err *e)
{
	int rows = chunk_rows(blob, size);
	if (rows < 0)
		return err_set(e, ERR_CORRUPT, "this is no chunk of candles");
	struct cursor c = {.at = (const uint8_t *)blob + 4, .end = (const uint8_t *)blob + size};
	h->rows = (size_t)rows;
	uint64_t interval = take(&c, 1);
	if (take(&c, 3) >> 8 != h->rows || interval != (uint64_t)iv)
		return err_set(e, ERR_CORRUPT, "the chunk holds candles of another interval");
	if (take(&c, 8) != chunk_checksum(blob, size))
		return err_set(e, ERR_CORRUPT, "the chunk's checksum is wrong");
	h->first = (int64_t)take(&c, 8);
	h->last = (int64_t)take(&c, 8);
	for (int k = 0; k < CHUNK_COLUMNS; k++)
		if (!take_column(&c, (enum chunk_column)k, &columns[k]))
			return err_set(e, ERR_CORRUPT, "the head of the chunk's column %d is wrong", k);
	if (!forms_agree(columns) || !find_planes(&c, columns, h->rows))
		return err_set(e, ERR_CORRUPT, "the chunk's columns do not fit together");
	return true;
}

int chunk_rows(const void *blob, size_t size)
{
	const uint8_t *p = blob;
	if (size < CHUNK_HEAD || memcmp(p, "BQC1", 4) != 0 || p[5] != 0)
		return -1;
	int rows = p[6] | p[7] << 8;
	return rows >= 1 && rows <= CHUNK_MAX ? rows : -1;
}

uint64_t chunk_claimed(const void *blob)
{
	struct cursor c = {.at = (const uint8_t *)blob + 8, .end = (const uint8_t *)blob + 16};
	return take(&c, 8);
}

/* ---- small numbers --------------------------------------------------------------------------------------------- */

/* Blocks of a fixed length, so that the compiler turns them into vector code at -O2. */
#define BLOCK 16

static void first_plane(uint64_t *restrict out, const uint8_t *restrict plane, size_t n)
{
	size_t i = 0;
	for (; i + BLOCK <= n; i += BLOCK)
		for (size_t j = 0; j < BLOCK; j++)
			out[i + j] = plane[i + j];
	for (; i < n; i++)
		out[i] = plane[i];
}

static void next_plane(uint64_t *restrict out, const uint8_t *restrict plane, int shift, size_t n)
{
	size_t i = 0;
	for (; i + BLOCK <= n; i += BLOCK)
		for (size_t j = 0; j < BLOCK; j++)
			out[i + j] |= (uint64_t)plane[i + j] << shift;
	for (; i < n; i++)
		out[i] |= (uint64_t)plane[i] << shift;
}

/* Is every small number of the column the same one? Then it is told without unpacking. */
static bool all_alike(const struct chunk_layout *l, uint64_t *small_out)
{
	*small_out = 0;
	for (int k = 0; k < l->width; k++) {
		if (l->size[k] != 1)
			return false;
		*small_out |= (uint64_t)*l->plane[k] << (8 * k);
	}
	return true;
}

static bool read_small(struct chunk_reader *u, const struct chunk_layout *l, size_t n, uint64_t *out)
{
	uint8_t scratch[CHUNK_MAX];
	uint64_t alike;
	if (all_alike(l, &alike)) {
		for (size_t i = 0; i < n; i++)
			out[i] = alike;
		return true;
	}
	for (int k = 0; k < l->width; k++) {
		if (k > 0 && l->size[k] == 1 && *l->plane[k] == 0)
			continue;
		const uint8_t *plane = chunk_unpack(u, l->plane[k], l->size[k], n, scratch);
		if (!plane)
			return false;
		if (k == 0)
			first_plane(out, plane, n);
		else
			next_plane(out, plane, 8 * k, n);
	}
	return true;
}

static bool read_scales(struct chunk_reader *u, const struct chunk_layout *l, size_t n, uint8_t *out)
{
	if (!(l->flags & CHUNK_MIXED))
		return true;
	const uint8_t *plane = chunk_unpack(u, l->plane[l->width], l->size[l->width], n, out);
	if (plane && plane != out)
		memcpy(out, plane, n);
	bool ok = plane != NULL;
	for (size_t i = 0; ok && i < n; i++)
		ok = out[i] <= l->scale;
	return ok;
}

/* ---- from small numbers to units, in place ---------------------------------------------------------------------- */

static void from_plain(struct chunk_rows *r, const struct chunk_layout *columns, enum chunk_column c)
{
	uint64_t *v = r->units[c], base = (uint64_t)columns[c].base, step = columns[c].step;
	for (size_t i = 0; i < r->n; i++)
		v[i] = base + step * v[i];
}

static void from_sum(struct chunk_rows *r, const struct chunk_layout *columns, enum chunk_column c)
{
	uint64_t *v = r->units[c], sum = (uint64_t)columns[c].base, step = columns[c].step;
	v[0] = sum;
	for (size_t i = 1; i < r->n; i++)
		v[i] = sum += step * chunk_unzigzag(v[i]);
}

/* Times without a hole: they need neither unpacking nor a look at whether they ascend. */
static bool from_ramp(struct chunk_rows *r, const struct chunk_layout *columns, const struct head *h)
{
	const struct chunk_layout *l = &columns[CHUNK_TIME];
	uint64_t alike, *v = r->units[CHUNK_TIME];
	if (l->form != FORM_SUM || !all_alike(l, &alike))
		return false;
	int64_t step = (int64_t)(l->step * chunk_unzigzag(alike));
	if (step <= 0 || step > BAR_TIME_LAST / CHUNK_MAX || h->first != l->base || h->last != h->first + step * (int64_t)(r->n - 1))
		return false;
	for (size_t i = 0; i < r->n; i++)
		v[i] = (uint64_t)(h->first + step * (int64_t)i);
	return true;
}

static void from_closes_at(struct chunk_rows *r, const struct chunk_layout *columns, enum chunk_column c)
{
	from_plain(r, columns, c);
	const uint64_t *time = r->units[CHUNK_TIME];
	if (r->iv != INTERVAL_1M) {
		uint64_t span = (uint64_t)interval_close(r->iv, 0);
		for (size_t i = 0; i < r->n; i++)
			r->units[c][i] += time[i] + span;
		return;
	}
	for (size_t i = 0; i < r->n; i++)
		r->units[c][i] += (uint64_t)interval_close(r->iv, (int64_t)time[i]);
}

static void from_open(struct chunk_rows *r, const struct chunk_layout *columns, enum chunk_column c)
{
	const uint64_t *close = r->units[CHUNK_CLOSE];
	uint64_t *v = r->units[c], step = columns[c].step;
	v[0] = close[0] + step * chunk_unzigzag(v[0]);
	for (size_t i = 1; i < r->n; i++)
		v[i] = close[i - 1] + step * chunk_unzigzag(v[i]);
}

static void from_high(struct chunk_rows *r, const struct chunk_layout *columns, enum chunk_column c)
{
	const uint64_t *open = r->units[CHUNK_OPEN], *close = r->units[CHUNK_CLOSE];
	uint64_t *v = r->units[c], base = (uint64_t)columns[c].base, step = columns[c].step;
	for (size_t i = 0; i < r->n; i++)
		v[i] = ((int64_t)open[i] > (int64_t)close[i] ? open[i] : close[i]) + base + step * v[i];
}

static void from_low(struct chunk_rows *r, const struct chunk_layout *columns, enum chunk_column c)
{
	const uint64_t *open = r->units[CHUNK_OPEN], *close = r->units[CHUNK_CLOSE];
	uint64_t *v = r->units[c], base = (uint64_t)columns[c].base, step = columns[c].step;
	for (size_t i = 0; i < r->n; i++)
		v[i] = ((int64_t)open[i] < (int64_t)close[i] ? open[i] : close[i]) - base - step * v[i];
}

static void from_product(struct chunk_rows *r, const struct chunk_layout *columns, enum chunk_column c)
{
	for (size_t i = 0; i < r->n; i++)
		r->units[c][i] = columns[c].step * (chunk_expect_product(r, columns, &columns[c], i) + chunk_unzigzag(r->units[c][i]));
}

static void from_share(struct chunk_rows *r, const struct chunk_layout *columns, enum chunk_column c)
{
	for (size_t i = 0; i < r->n; i++)
		r->units[c][i] = columns[c].step * (chunk_expect_share(r, columns, &columns[c], i) + chunk_unzigzag(r->units[c][i]));
}

static void (*const rebuild[FORM_COUNT])(struct chunk_rows *, const struct chunk_layout *, enum chunk_column) = {
        [FORM_PLAIN] = from_plain,
        [FORM_SUM] = from_sum,
        [FORM_CLOSES_AT] = from_closes_at,
        [FORM_OPEN] = from_open,
        [FORM_HIGH] = from_high,
        [FORM_LOW] = from_low,
        [FORM_PRODUCT] = from_product,
        [FORM_SHARE] = from_share,
};

#define BIT(c)      (1u << (c))
#define BITS_PRICES (BIT(CHUNK_CLOSE) | BIT(CHUNK_OPEN) | BIT(CHUNK_HIGH) | BIT(CHUNK_LOW))

/* The wanted columns and those that they are told from. */
static unsigned with_sources(unsigned wanted, const struct chunk_layout *columns)
{
	static const unsigned sources[FORM_COUNT] = {
	        [FORM_CLOSES_AT] = BIT(CHUNK_TIME),
	        [FORM_OPEN] = BIT(CHUNK_CLOSE),
	        [FORM_HIGH] = BIT(CHUNK_OPEN) | BIT(CHUNK_CLOSE),
	        [FORM_LOW] = BIT(CHUNK_OPEN) | BIT(CHUNK_CLOSE),
	        [FORM_PRODUCT] = BIT(CHUNK_VOLUME) | BITS_PRICES,
	        [FORM_SHARE] = BIT(CHUNK_VOLUME) | BIT(CHUNK_QUOTE) | BIT(CHUNK_TAKER_BASE),
	};
	for (int c = CHUNK_COLUMNS - 1; c >= 0; c--) /* a source stands before what needs it */
		if (wanted & BIT(c))
			wanted |= sources[columns[c].form];
	return wanted;
}

static bool times_ascend(const struct chunk_rows *r, const struct head *h)
{
	const uint64_t *t = r->units[CHUNK_TIME];
	bool ok = (int64_t)t[0] == h->first && (int64_t)t[r->n - 1] == h->last;
	for (size_t i = 1; i < r->n; i++)
		ok &= (int64_t)t[i - 1] < (int64_t)t[i];
	return ok;
}

/* Everything that `wanted` asks for, as units. */
static bool read_rows(struct chunk_reader *u, const void *blob, size_t size, unsigned wanted, struct chunk_layout columns[CHUNK_COLUMNS],
        struct chunk_rows *r, struct err *e)
{
	struct head h = {0};
	if (!read_head(blob, size, r->iv, &h, columns, e))
		return false;
	r->n = h.rows;
	wanted = with_sources(wanted, columns);
	bool ok = h.first >= 0 && h.last <= BAR_TIME_LAST;
	if (ok && wanted & BIT(CHUNK_TIME) && from_ramp(r, columns, &h))
		wanted &= ~BIT(CHUNK_TIME);
	for (int c = 0; ok && c < CHUNK_COLUMNS; c++)
		if (wanted & BIT(c)) {
			ok = read_small(u, &columns[c], r->n, r->units[c]) && read_scales(u, &columns[c], r->n, r->scales[c]);
			if (ok)
				rebuild[columns[c].form](r, columns, (enum chunk_column)c);
			if (ok && c == CHUNK_TIME) /* before others are told from times that make no sense */
				ok = times_ascend(r, &h);
		}
	if (!ok)
		return err_set(e, ERR_CORRUPT, "a column of the chunk cannot be unpacked");
	return true;
}

/* ---- to doubles -------------------------------------------------------------------------------------------------- */

static bool units_small(const uint64_t *restrict v, size_t n)
{
	uint64_t seen[BLOCK] = {0}, all = 0;
	size_t i = 0;
	for (; i + BLOCK <= n; i += BLOCK)
		for (size_t j = 0; j < BLOCK; j++)
			seen[j] |= v[i + j] + EXACT_LIMIT;
	for (; i < n; i++)
		all |= v[i] + EXACT_LIMIT;
	for (size_t j = 0; j < BLOCK; j++)
		all |= seen[j];
	return all < 2 * (uint64_t)EXACT_LIMIT;
}

/* |v| < 2^51: added to the bits of 2^52 + 2^51 it is that double plus v, so two cheap operations make it a double, several rows
 * at once; then one division, which rounds correctly. */
static void units_to_doubles(const uint64_t *restrict v, size_t n, double power, double *restrict out)
{
	const uint64_t bits = 0x4338000000000000u;
	const double magic = 6755399441055744.0;
	size_t i = 0;
	for (; i + BLOCK <= n; i += BLOCK) {
		uint64_t moved[BLOCK];
		for (size_t j = 0; j < BLOCK; j++)
			moved[j] = v[i + j] + bits;
		memcpy(out + i, moved, sizeof moved);
		for (size_t j = 0; j < BLOCK; j++)
			out[i + j] = (out[i + j] - magic) / power;
	}
	for (; i < n; i++)
		out[i] = (double)(int64_t)v[i] / power;
}

static void put_doubles(const struct chunk_rows *r, const struct chunk_layout *columns, enum chunk_column c, double *out)
{
	const struct chunk_layout *l = &columns[c];
	if (!(l->flags & CHUNK_RAW) && units_small(r->units[c], r->n)) {
		units_to_doubles(r->units[c], r->n, chunk_power(l->scale), out);
		return;
	}
	for (size_t i = 0; i < r->n; i++)
		out[i] = chunk_double((int64_t)r->units[c][i], l->flags & CHUNK_RAW ? r->scales[c][i] : l->scale);
}

int chunk_decode_columns(
        struct chunk_reader *u, const void *blob, size_t size, enum interval iv, const struct columns_out *into, size_t row, struct err *e)
{
	int64_t *const whole[CHUNK_COLUMNS] = {
	        [CHUNK_TIME] = into->open_time, [CHUNK_CLOSE_TIME] = into->close_time, [CHUNK_TRADES] = into->trades};
	double *const real[CHUNK_COLUMNS] = {[CHUNK_OPEN] = into->open,
	        [CHUNK_HIGH] = into->high,
	        [CHUNK_LOW] = into->low,
	        [CHUNK_CLOSE] = into->close,
	        [CHUNK_VOLUME] = into->volume,
	        [CHUNK_QUOTE] = into->quote_volume,
	        [CHUNK_TAKER_BASE] = into->taker_base,
	        [CHUNK_TAKER_QUOTE] = into->taker_quote};
	unsigned wanted = 0;
	for (int c = 0; c < CHUNK_COLUMNS; c++)
		wanted |= whole[c] || real[c] ? BIT(c) : 0;
	struct chunk_layout columns[CHUNK_COLUMNS];
	struct chunk_rows r;
	r.iv = iv;
	if (!read_rows(u, blob, size, wanted, columns, &r, e))
		return -1;
	for (int c = 0; c < CHUNK_COLUMNS; c++) {
		if (whole[c])
			memcpy(whole[c] + row, r.units[c], r.n * sizeof *whole[c]);
		if (real[c])
			put_doubles(&r, columns, (enum chunk_column)c, real[c] + row);
	}
	return (int)r.n;
}

/* ---- to candles --------------------------------------------------------------------------------------------------- */

static const int64_t int_powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000, 100000000000,
        1000000000000, 10000000000000, 100000000000000, 1000000000000000, 10000000000000000, 100000000000000000, 1000000000000000000};

static bool put_decimals(
        const struct chunk_rows *r, const struct chunk_layout *columns, enum chunk_column c, struct bar *bars, size_t offset)
{
	const struct chunk_layout *l = &columns[c];
	bool ok = true;
	for (size_t i = 0; i < r->n; i++) {
		int scale = l->flags & CHUNK_MIXED ? r->scales[c][i] : l->scale;
		int64_t units = (int64_t)r->units[c][i], over = l->flags & CHUNK_RAW ? 1 : int_powers[l->scale - scale];
		ok &= over == 1 || units % over == 0;
		struct dec d = {over == 1 ? units : units / over, (int8_t)scale};
		memcpy((char *)&bars[i] + offset, &d, sizeof d);
	}
	return ok;
}

int chunk_decode(struct chunk_reader *u, const void *blob, size_t size, enum interval iv, struct bar *bars_out, struct err *e)
{
	static const struct {
		enum chunk_column column;
		size_t offset;
	} decimals[] = {{CHUNK_OPEN, offsetof(struct bar, open)}, {CHUNK_HIGH, offsetof(struct bar, high)},
	        {CHUNK_LOW, offsetof(struct bar, low)}, {CHUNK_CLOSE, offsetof(struct bar, close)},
	        {CHUNK_VOLUME, offsetof(struct bar, volume)}, {CHUNK_QUOTE, offsetof(struct bar, quote_volume)},
	        {CHUNK_TAKER_BASE, offsetof(struct bar, taker_base)}, {CHUNK_TAKER_QUOTE, offsetof(struct bar, taker_quote)},
	        {CHUNK_UNUSED, offsetof(struct bar, unused)}};
	struct chunk_layout columns[CHUNK_COLUMNS];
	struct chunk_rows r;
	r.iv = iv;
	if (!read_rows(u, blob, size, BIT(CHUNK_COLUMNS) - 1, columns, &r, e))
		return -1;
	bool ok = true;
	for (size_t k = 0; k < ARRAY_LEN(decimals); k++)
		ok &= put_decimals(&r, columns, decimals[k].column, bars_out, decimals[k].offset);
	for (size_t i = 0; i < r.n; i++) {
		bars_out[i].open_time = (int64_t)r.units[CHUNK_TIME][i];
		bars_out[i].close_time = (int64_t)r.units[CHUNK_CLOSE_TIME][i];
		bars_out[i].trades = (int64_t)r.units[CHUNK_TRADES][i];
	}
	return ok ? (int)r.n : err_fail(e, ERR_CORRUPT, "a decimal of the chunk has more digits than it says");
}
