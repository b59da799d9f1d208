/* order.c -- the order calculator: doubles as the origin computes them, then rounded on the decimal text, not on the binary. */
#include "trade/order.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

#define PLACES     8
#define DIGITS_MAX 32 /* before the point; with sign, point and PLACES it fits the fields of struct order_prices */

bool order_side_of(const char *text, enum order_side *out)
{
	if (text && strcasecmp(text, "short") == 0) {
		*out = ORDER_SHORT;
		return true;
	}
	if (text && strcasecmp(text, "long") == 0) {
		*out = ORDER_LONG;
		return true;
	}
	return false;
}

/* The shortest decimal of a double, taken apart: 0.DIGITS x 10^point. */
struct decimal {
	char digits[32];
	int n, point;
	bool negative;
};

static void decimal_of(struct decimal *d, double v)
{
	char text[32];
	memset(d, 0, sizeof(*d));
	str_from_double(text, v);
	const char *s = text;
	d->negative = *s == '-';
	bool seen_point = false;
	for (s += d->negative; *s && *s != 'e'; s++) {
		if (*s == '.') {
			seen_point = true;
			continue;
		}
		d->digits[d->n++] = *s;
		d->point += !seen_point;
	}
	if (*s == 'e')
		d->point += (int)strtol(s + 1, NULL, 10);
}

/* Digit i after the first place left of the point's reach; zeros beyond both ends. */
static char decimal_digit(const struct decimal *d, int i)
{
	return i >= 0 && i < d->n ? d->digits[i] : '0';
}

/* Add one unit in the last place of a text of digits and one point; a leading zero always leaves room. */
static void text_increment(char *text)
{
	char *p = text + strlen(text) - 1;
	for (; *p == '9' || *p == '.'; p--) {
		if (*p == '9')
			*p = '0';
	}
	++*p;
}

static bool price_print(char out[48], double v, struct err *e)
{
	struct decimal d;
	if (!isfinite(v))
		return err_set(e, ERR_INVALID, "a price came out beyond all numbers: smaller values are needed");
	decimal_of(&d, v);
	if (d.point > DIGITS_MAX)
		return err_set(e, ERR_INVALID, "a price came out as %g, which has more than %d digits", v, DIGITS_MAX);
	char text[48] = "0"; /* room for a carry */
	size_t len = 1;
	for (int i = d.point < 0 ? d.point : 0; i < d.point; i++)
		text[len++] = decimal_digit(&d, i);
	if (d.point <= 0)
		text[len++] = '0';
	text[len++] = '.';
	for (int i = d.point; i < d.point + PLACES; i++)
		text[len++] = decimal_digit(&d, i);
	if (decimal_digit(&d, d.point + PLACES) >= '5')
		text_increment(text);
	const char *first = text[0] == '0' ? text + 1 : text;
	bool zero = strspn(first, "0.") == strlen(first);
	out[0] = '-';
	return str_copy(out + (d.negative && !zero), 47, first) || err_set(e, ERR_INTERNAL, "a price did not fit its field");
}

bool order_prices(
        double price, double entry_pct, double loss_pct, double profit_pct, enum order_side side, struct order_prices *out, struct err *e)
{
	if (!isfinite(price) || !isfinite(entry_pct) || !isfinite(loss_pct) || !isfinite(profit_pct))
		return err_set(e, ERR_INVALID, "price and percents must be finite numbers");
	/* A short sells above the market, loses upwards and earns downwards; a long is its mirror. Division first, as the origin does. */
	double toward = side == ORDER_SHORT ? 1 : -1;
	double entry = price * (1 + toward * (entry_pct / 100));
	double stop = entry * (1 + toward * (loss_pct / 100));
	double take = entry * (1 - toward * (profit_pct / 100));
	return price_print(out->entry, entry, e) && price_print(out->stop, stop, e) && price_print(out->take, take, e);
}
