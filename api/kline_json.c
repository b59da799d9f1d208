/* kline_json.c -- candles as the origin's JSON: key order, floats, diff and pct_chg.
 *
 * A page may hold a million bars, so a row is composed in one local array and added once.
 */
#include "api/kline_json.h"

#include <string.h>

#define ROW_SIZE 1024 /* 15 keys (190 bytes), 10 decimals of at most 24, 2 doubles, 4 integers */

struct row {
	char text[ROW_SIZE];
	size_t len;
};

static void row_add(struct row *r, const char *s, size_t len)
{
	memcpy(r->text + r->len, s, len);
	r->len += len;
}

/* A literal, so that its length is known to the compiler. */
#define ROW_LITERAL(r, s) row_add(r, s, sizeof(s) - 1)

static void row_uint(struct row *r, uint64_t v)
{
	char digits[24];
	size_t n = sizeof digits;

	do
		digits[--n] = (char)('0' + v % 10);
	while (v /= 10);
	row_add(r, digits + n, sizeof digits - n);
}

static void row_int(struct row *r, int64_t v)
{
	if (v < 0)
		ROW_LITERAL(r, "-");
	row_uint(r, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

static void row_digits(struct row *r, uint64_t v, int n)
{
	for (int i = n - 1; i >= 0; i--, v /= 10)
		r->text[r->len + (size_t)i] = (char)('0' + v % 10);
	r->len += (size_t)n;
}

/* 100 is 100.0 and 1.50 is 1.5: the same number with the look of a Python float. */
static void row_dec(struct row *r, struct dec d)
{
	uint64_t units = d.units < 0 ? -(uint64_t)d.units : (uint64_t)d.units, power = 1;
	int scale = d.scale;

	for (; scale > 0 && units % 10 == 0; scale--)
		units /= 10;
	for (int i = 0; i < scale; i++)
		power *= 10;
	if (d.units < 0)
		ROW_LITERAL(r, "-");
	row_uint(r, units / power);
	ROW_LITERAL(r, ".");
	row_digits(r, units % power, scale > 0 ? scale : 1);
}

/* As interval_print_trade_date, which this is measured against in the tests. */
static void row_trade_date(struct row *r, enum interval iv, int64_t t)
{
	struct time_civil c;

	time_to_civil(t, &c);
	row_digits(r, (uint64_t)c.year, 4);
	ROW_LITERAL(r, "-");
	row_digits(r, (uint64_t)c.month, 2);
	ROW_LITERAL(r, "-");
	row_digits(r, (uint64_t)c.day, 2);
	if (interval_is_daily(iv))
		return;
	ROW_LITERAL(r, " ");
	row_digits(r, (uint64_t)c.hour, 2);
	ROW_LITERAL(r, ":");
	row_digits(r, (uint64_t)c.minute, 2);
	ROW_LITERAL(r, ":");
	row_digits(r, (uint64_t)c.second, 2);
}

static void row_double(struct row *r, double v)
{
	char text[32];

	str_from_double(text, v);
	row_add(r, text, strlen(text));
}

/* Against the close before, in money and in percent: exact where it can be. */
static void row_change(struct row *r, const struct bar *before, const struct bar *b)
{
	struct dec diff;

	if (!before || !dec_sub(b->close, before->close, &diff) || dec_sign(before->close) == 0) {
		ROW_LITERAL(r, ",\"diff\":null,\"pct_chg\":null}");
		return;
	}
	ROW_LITERAL(r, ",\"diff\":");
	row_dec(r, diff);
	ROW_LITERAL(r, ",\"pct_chg\":");
	double was = dec_double(before->close);
	row_double(r, (dec_double(b->close) - was) / was * 100); /* to the last bit as the origin computes it */
	ROW_LITERAL(r, "}");
}

static void row_prices(struct row *r, const struct bar *b)
{
	ROW_LITERAL(r, ",\"open\":");
	row_dec(r, b->open);
	ROW_LITERAL(r, ",\"high\":");
	row_dec(r, b->high);
	ROW_LITERAL(r, ",\"low\":");
	row_dec(r, b->low);
	ROW_LITERAL(r, ",\"close\":");
	row_dec(r, b->close);
	ROW_LITERAL(r, ",\"volume\":");
	row_dec(r, b->volume);
}

static void row_flows(struct row *r, const struct bar *b)
{
	ROW_LITERAL(r, ".0,\"quote_volume\":");
	row_dec(r, b->quote_volume);
	ROW_LITERAL(r, ",\"trade_count\":");
	row_int(r, b->trades);
	ROW_LITERAL(r, ",\"active_buy_volume\":");
	row_dec(r, b->taker_base);
	ROW_LITERAL(r, ",\"active_buy_quote_volume\":");
	row_dec(r, b->taker_quote);
}

void kline_json_bar(struct buf *out, enum interval iv, const struct bar *before, const struct bar *b)
{
	struct row r;
	char text[DEC_TEXT];

	r.len = 0; /* the text itself need not be cleared */
	ROW_LITERAL(&r, "{\"trade_date\":\"");
	row_trade_date(&r, iv, b->open_time);
	ROW_LITERAL(&r, "\",\"open_time\":");
	row_int(&r, b->open_time);
	ROW_LITERAL(&r, ".0");
	row_prices(&r, b);
	ROW_LITERAL(&r, ",\"close_time\":");
	row_int(&r, b->close_time);
	row_flows(&r, b);
	ROW_LITERAL(&r, ",\"reserved_field\":\"");
	dec_print(text, b->unused);
	row_add(&r, text, strlen(text));
	ROW_LITERAL(&r, "\"");
	row_change(&r, before, b);
	buf_add(out, r.text, r.len);
}

void kline_json(struct buf *out, enum interval iv, const struct bar *before, const struct bar *bars, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_addc(out, ',');
		kline_json_bar(out, iv, before, &bars[i]);
		before = &bars[i];
	}
}
