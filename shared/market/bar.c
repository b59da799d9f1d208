/* bar.c -- what makes a candle believable, and which texts can name a symbol. */
#include "market/bar.h"

#include <string.h>

/* Bytes of the well-formed UTF-8 character beyond ASCII at s (no overlong form, no surrogate, no control); 0: it is none.
 * s ends in NUL, which is no continuation byte, so nothing past the end is read. */
static size_t utf8_beyond_ascii(const unsigned char *s)
{
	size_t len = s[0] >= 0xc2 && s[0] <= 0xdf ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4 : 0;
	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
	bool surrogate = s[0] == 0xed && s[1] > 0x9f;
	bool too_high = s[0] == 0xf4 && s[1] > 0x8f;
	bool control = s[0] == 0xc2 && s[1] < 0xa0;
	return overlong || surrogate || too_high || control ? 0 : len;
}

bool symbol_ok(const char *symbol)
{
	if (!symbol || !*symbol || strlen(symbol) >= SYMBOL_SIZE)
		return false;
	const unsigned char *s = (const unsigned char *)symbol;
	while (*s) {
		bool plain = (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') || *s == '_';
		size_t len = plain ? 1 : utf8_beyond_ascii(s);
		if (!len)
			return false;
		s += len;
	}
	return true;
}

static bool times_ok(const struct bar *b, enum interval iv, struct err *e)
{
	if (b->open_time < 0 || b->open_time > BAR_TIME_LAST)
		return err_set(e, ERR_CORRUPT, "open time %lld is not between 1970 and 9999", (long long)b->open_time);
	/* 3d begins on the day of the listing, so any day can be its first. */
	enum interval grid = iv == INTERVAL_3d ? INTERVAL_1d : iv;
	if (interval_floor(grid, b->open_time, 0) != b->open_time)
		return err_set(
		        e, ERR_CORRUPT, "open time %lld is not the start of a %s candle", (long long)b->open_time, interval_name(iv));
	if (b->close_time != interval_close(iv, b->open_time))
		return err_set(e, ERR_CORRUPT, "close time %lld does not belong to the %s candle of %lld", (long long)b->close_time,
		        interval_name(iv), (long long)b->open_time);
	return true;
}

static bool prices_ok(const struct bar *b, struct err *e)
{
	/* low > 0 and low <= the others: then all are above 0. */
	if (dec_sign(b->low) <= 0)
		return err_set(e, ERR_CORRUPT, "the low price of %lld is not above 0", (long long)b->open_time);
	if (dec_cmp(b->high, b->open) < 0 || dec_cmp(b->high, b->close) < 0 || dec_cmp(b->high, b->low) < 0)
		return err_set(e, ERR_CORRUPT, "the high price of %lld is below another price of it", (long long)b->open_time);
	if (dec_cmp(b->low, b->open) > 0 || dec_cmp(b->low, b->close) > 0)
		return err_set(e, ERR_CORRUPT, "the low price of %lld is above another price of it", (long long)b->open_time);
	return true;
}

static bool volumes_ok(const struct bar *b, struct err *e)
{
	if (dec_sign(b->volume) < 0 || dec_sign(b->quote_volume) < 0 || dec_sign(b->taker_base) < 0 || dec_sign(b->taker_quote) < 0 ||
	        b->trades < 0)
		return err_set(e, ERR_CORRUPT, "a volume or the trade count of %lld is below 0", (long long)b->open_time);
	if (dec_cmp(b->taker_base, b->volume) > 0 || dec_cmp(b->taker_quote, b->quote_volume) > 0)
		return err_set(e, ERR_CORRUPT, "the takers' volume of %lld exceeds the whole", (long long)b->open_time);
	return true;
}

bool bar_check(const struct bar *b, enum interval iv, struct err *e)
{
	return times_ok(b, iv, e) && prices_ok(b, e) && volumes_ok(b, e);
}

bool bar_equal(const struct bar *a, const struct bar *b)
{
	return a->open_time == b->open_time && a->close_time == b->close_time && a->trades == b->trades && !dec_cmp(a->open, b->open) &&
	       !dec_cmp(a->high, b->high) && !dec_cmp(a->low, b->low) && !dec_cmp(a->close, b->close) && !dec_cmp(a->volume, b->volume) &&
	       !dec_cmp(a->quote_volume, b->quote_volume) && !dec_cmp(a->taker_base, b->taker_base) &&
	       !dec_cmp(a->taker_quote, b->taker_quote) && !dec_cmp(a->unused, b->unused);
}
