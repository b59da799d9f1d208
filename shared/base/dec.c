/* dec.c -- exact decimals: scaled integers, with 128 bits in between and every overflow told. */
#include "base/dec.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POWERS 37

typedef __int128 wide;

static wide power_of_ten(int n)
{
	wide p = 1;

	assert(n >= 0 && n < POWERS);
	while (n-- > 0)
		p *= 10;
	return p;
}

static bool narrow(wide units, int8_t scale, struct dec *out)
{
	if (units > INT64_MAX || units < INT64_MIN)
		return false;
	out->units = (int64_t)units;
	out->scale = scale;
	return true;
}

static bool scale_ok(struct dec d)
{
	return d.scale >= 0 && d.scale <= DEC_SCALE_MAX;
}

bool dec_parse(const char *s, size_t len, struct dec *out)
{
	const char *end = s + len;
	const char *point = NULL;
	bool negative = len > 0 && *s == '-';
	const char *first = s + negative;
	wide units = 0;

	for (const char *p = first; p < end; p++) {
		if (*p == '.' && !point && p > first) {
			point = p;
			continue;
		}
		if (*p < '0' || *p > '9')
			return false;
		units = units * 10 + (*p - '0');
		if (units > (wide)INT64_MAX + 1)
			return false;
	}
	if (first == end || (point && (point + 1 == end || end - point - 1 > DEC_SCALE_MAX)))
		return false;
	return narrow(negative ? -units : units, point ? (int8_t)(end - point - 1) : 0, out);
}

bool dec_parse_s(const char *s, struct dec *out)
{
	return dec_parse(s, strlen(s), out);
}

void dec_print(char out[DEC_TEXT], struct dec d)
{
	char digits[DEC_TEXT];
	uint64_t units = d.units < 0 ? 0 - (uint64_t)d.units : (uint64_t)d.units;
	size_t n;

	assert(scale_ok(d));
	n = (size_t)snprintf(digits, sizeof(digits), "%0*llu", d.scale + 1, (unsigned long long)units);
	if (d.units < 0)
		*out++ = '-';
	memcpy(out, digits, n - (size_t)d.scale);
	out += n - (size_t)d.scale;
	if (d.scale > 0)
		*out++ = '.';
	memcpy(out, digits + n - (size_t)d.scale, (size_t)d.scale + 1);
}

double dec_double(struct dec d)
{
	static const double powers[] = {
	        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18};
	const int64_t exact = INT64_C(1) << 53;
	char text[DEC_TEXT];

	assert(scale_ok(d));
	/* Both are exact doubles here, and a quotient is rounded once: what strtod gives. */
	if (d.units <= exact && d.units >= -exact)
		return (double)d.units / powers[d.scale];
	dec_print(text, d);
	return strtod(text, NULL);
}

static wide units_at(struct dec d, int scale)
{
	assert(scale_ok(d));
	return d.units * power_of_ten(scale - d.scale);
}

static int8_t larger_scale(struct dec a, struct dec b)
{
	return a.scale > b.scale ? a.scale : b.scale;
}

int dec_cmp(struct dec a, struct dec b)
{
	int8_t scale = larger_scale(a, b);
	wide x = units_at(a, scale);
	wide y = units_at(b, scale);

	return (x > y) - (x < y);
}

int dec_sign(struct dec d)
{
	return (d.units > 0) - (d.units < 0);
}

bool dec_add(struct dec a, struct dec b, struct dec *out)
{
	int8_t scale = larger_scale(a, b);

	return narrow(units_at(a, scale) + units_at(b, scale), scale, out);
}

bool dec_sub(struct dec a, struct dec b, struct dec *out)
{
	int8_t scale = larger_scale(a, b);

	return narrow(units_at(a, scale) - units_at(b, scale), scale, out);
}

/* units / divisor by `how`; HALF_UP sends ties away from zero, as accountants do. */
static wide divide(wide units, wide divisor, enum dec_round how)
{
	wide quotient = units / divisor;
	wide rest = units % divisor;
	int away = units < 0 ? -1 : 1;

	if (rest == 0)
		return quotient;
	switch (how) {
	case DEC_FLOOR:
		return quotient - (units < 0);
	case DEC_CEIL:
		return quotient + (units > 0);
	case DEC_HALF_UP:
		rest = rest < 0 ? -rest : rest;
		return rest >= divisor - rest ? quotient + away : quotient;
	case DEC_TOWARD_ZERO:
		return quotient;
	}
	return quotient;
}

static bool bring_to(wide units, int from, int8_t to, enum dec_round how, struct dec *out)
{
	assert(to >= 0 && to <= DEC_SCALE_MAX);
	if (to < from)
		return narrow(divide(units, power_of_ten(from - to), how), to, out);
	if (__builtin_mul_overflow(units, power_of_ten(to - from), &units))
		return false;
	return narrow(units, to, out);
}

bool dec_mul(struct dec a, struct dec b, int8_t scale, enum dec_round how, struct dec *out)
{
	assert(scale_ok(a) && scale_ok(b));
	return bring_to((wide)a.units * b.units, a.scale + b.scale, scale, how, out);
}

bool dec_rescale(struct dec d, int8_t scale, enum dec_round how, struct dec *out)
{
	assert(scale_ok(d));
	return bring_to(d.units, d.scale, scale, how, out);
}
