/* time_any.c -- reads moments as other programs write them: RFC 3339, what they leave out of it, milliseconds. */
#include <string.h>

#include "base/str.h"
#include "base/time.h"

#define TIME_YEAR_1 (-INT64_C(62135596800000)) /* what has four digits for its year begins here */

/* ".123456" to ms; cut, not rounded, so that a moment never moves into the next second. */
static const char *fraction_parse(const char *s, int64_t *ms_out)
{
	*ms_out = 0;
	if (*s != '.')
		return s;
	int64_t unit = 100;
	const char *p = s + 1;
	for (; *p >= '0' && *p <= '9'; p++, unit /= 10)
		*ms_out += (*p - '0') * unit;
	return p > s + 1 ? p : NULL;
}

static bool offset_parse(const char *s, int64_t *ms_out)
{
	*ms_out = 0;
	if (str_eq(s, "Z") || str_eq(s, "z"))
		return true;
	if ((s[0] != '+' && s[0] != '-') || strlen(s) != 6 || s[3] != ':')
		return false;
	char two[2][3] = {{s[1], s[2]}, {s[4], s[5]}};
	int64_t hours, minutes;
	if (!str_int(two[0], 0, 23, &hours) || !str_int(two[1], 0, 59, &minutes))
		return false;
	*ms_out = (s[0] == '-' ? -1 : 1) * (hours * TIME_HOUR + minutes * TIME_MINUTE);
	return true;
}

bool time_parse_rfc3339(const char *s, int64_t *out)
{
	enum { WHOLE = 19 }; /* 2026-02-01T09:30:00 */
	char whole[WHOLE + 1];
	int64_t t, ms, offset;
	if (strlen(s) <= WHOLE || !str_copy_n(whole, sizeof(whole), s, WHOLE) || (whole[10] != 'T' && whole[10] != 't'))
		return false;
	whole[10] = 'T';
	const char *rest = fraction_parse(s + WHOLE, &ms);
	if (!rest || !time_parse(whole, &t, NULL) || !offset_parse(rest, &offset))
		return false;
	*out = t + ms - offset;
	return true;
}

/* As programs write it, with what they leave out: Python a Z, people a T. */
static bool parse_loosely(const char *s, int64_t *out)
{
	char text[48];
	size_t len = strlen(s);
	if (len > sizeof(text) - 2)
		return false;
	memcpy(text, s, len + 1);
	if (len > 10 && text[10] == ' ')
		text[10] = 'T';
	if (time_parse_rfc3339(text, out))
		return true;
	memcpy(text + len, "Z", 2);
	return time_parse_rfc3339(text, out);
}

bool time_parse_any(const char *s, int64_t *out)
{
	int64_t t;
	if (!time_parse(s, &t, NULL) && !str_int(s, TIME_MS_MIN, TIME_MS_MAX, &t) && !parse_loosely(s, &t))
		return false;
	if (t > TIME_MS_MAX || t < TIME_YEAR_1)
		return false;
	*out = t;
	return true;
}
