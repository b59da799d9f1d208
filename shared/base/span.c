/* span.c -- lengths of time as people write them: units behind numbers, the longest first when printed. */
#include "base/span.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "base/time.h"

#define SPAN_MIN_MS 10
#define SPAN_MAX_MS (366 * TIME_DAY)

static const struct {
	const char *unit;
	int64_t ms;
} units[] = {{"d", TIME_DAY}, {"h", TIME_HOUR}, {"m", TIME_MINUTE}, {"s", TIME_SECOND}, {"ms", 1}};

static int64_t unit_of(const char *s, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (strlen(units[i].unit) == len && strncmp(s, units[i].unit, len) == 0)
			return units[i].ms;
	return 0;
}

/* 0: it is none. */
static int64_t span_of(const char *s)
{
	int64_t sum = 0, n;
	char digits[16];

	while (*s) {
		size_t len = strspn(s, "0123456789"), letters = strspn(s + len, "dhms");
		int64_t unit = unit_of(s + len, letters);

		if (!str_copy_n(digits, sizeof(digits), s, len) || !str_int(digits, 0, SPAN_MAX_MS, &n) || !unit || n > SPAN_MAX_MS / unit)
			return 0;
		sum += n * unit;
		if (sum > SPAN_MAX_MS)
			return 0;
		s += len + letters;
	}
	return sum;
}

bool span_parse(const char *text, int64_t *out_ms, struct err *e)
{
	*out_ms = span_of(text);
	if (*out_ms >= SPAN_MIN_MS)
		return true;
	return err_set(e, ERR_INVALID, "an interval is 10ms to 366d, like 200ms, 90s, 15m or 1h30m, not '%.40s'", text);
}

void span_print(char out[32], int64_t span_ms)
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		int64_t n = span_ms / units[i].ms;

		span_ms %= units[i].ms;
		if (n > 0)
			len += (size_t)snprintf(out + len, 32 - len, "%lld%s", (long long)n, units[i].unit);
	}
}
