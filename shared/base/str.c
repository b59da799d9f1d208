/* str.c -- text: whole copies, growing buffers, and strict number parsing. */
#include "base/str.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

bool str_copy_n(char *dst, size_t size, const char *src, size_t len)
{
	if (size == 0)
		return false;
	if (len >= size) {
		dst[0] = '\0';
		return false;
	}
	memmove(dst, src, len);
	dst[len] = '\0';
	return true;
}

bool str_copy(char *dst, size_t size, const char *src)
{
	return str_copy_n(dst, size, src, strlen(src));
}

bool str_eq(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	return strcmp(a, b) == 0;
}

bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t len = strlen(s);
	size_t n = strlen(suffix);

	return len >= n && memcmp(s + len - n, suffix, n) == 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool str_is_name(const char *s, size_t max, const char *also)
{
	size_t n;

	for (n = 0; s[n]; n++) {
		char c = s[n];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if (n == max || !(letter || is_digit(c) || strchr(also, c)))
			return false;
	}
	return n > 0;
}

bool str_int(const char *s, int64_t min, int64_t max, int64_t *out)
{
	char *end;
	long long v;
	int saved = errno;
	bool ok;

	if (!is_digit(s[0]) && !(s[0] == '-' && is_digit(s[1])))
		return false;
	errno = 0;
	v = strtoll(s, &end, 10);
	ok = errno == 0 && *end == '\0' && v >= min && v <= max;
	errno = saved;
	if (ok)
		*out = v;
	return ok;
}

static const char *skip_digits(const char *p)
{
	while (is_digit(*p))
		p++;
	return p;
}

/* strtod takes "0x1p3", "nan" and " 1" as well, so the shape is checked first: -?digits[.digits][e[+-]digits]. */
static bool looks_like_number(const char *s)
{
	const char *p = s + (*s == '-');
	const char *q = skip_digits(p);

	if (q == p)
		return false;
	if (*q == '.') {
		p = q + 1;
		q = skip_digits(p);
		if (q == p)
			return false;
	}
	if (*q == 'e' || *q == 'E') {
		p = q + 1 + (q[1] == '-' || q[1] == '+');
		q = skip_digits(p);
		if (q == p)
			return false;
	}
	return *q == '\0';
}

bool str_double(const char *s, double *out)
{
	int saved = errno;
	double v;

	if (!looks_like_number(s))
		return false;
	v = strtod(s, NULL); /* no program of ours calls setlocale, so the point is a point */
	errno = saved;
	if (!isfinite(v))
		return false;
	*out = v;
	return true;
}

/* ---- the shortest text of a double */

/* Digits with at most 15 places that are a quotient of exact doubles: no search is needed, and most prices are such.
 * units / 1e8 is rounded once, so it is what strtod makes of that text; and a text of at most 15 digits is the only one
 * of its length that gives this double. */
static bool print_simple(char out[32], double v)
{
	double a = fabs(v);
	int64_t units;
	int n, places = 8;

	if (a >= 1e7 || a < 1e-4)
		return false;
	units = llround(a * 1e8);
	if ((double)units / 1e8 != a)
		return false;
	while (places > 1 && units % 10 == 0) {
		units /= 10;
		places--;
	}
	n = snprintf(out, 32, "%s%0*lld", v < 0 ? "-" : "", places + 1, (long long)units);
	memmove(out + n - places + 1, out + n - places, (size_t)places + 1);
	out[n - places] = '.';
	return true;
}

/* Add one to the last digit of "d.ddde[+-]xx", carrying; false if that would need another digit in front. */
static bool bump_last_digit(char *text)
{
	char *p = strchr(text, 'e');

	while (p > text) {
		p--;
		if (!is_digit(*p))
			continue;
		if (*p != '9') {
			++*p;
			return true;
		}
		*p = '0';
	}
	return false;
}

/* v with the fewest digits that read back as v, as "d.ddde[+-]xx". */
static void shortest_digits(char out[32], double v)
{
	int exponent;
	bool power_of_two = fabs(frexp(v, &exponent)) == 0.5;
	int digits = fabs(v) < 2.2250738585072014e-308 ? 1 : 15; /* the smallest normal double: below it, fewer digits may do */

	for (; digits <= 17; digits++) {
		snprintf(out, 32, "%.*e", digits - 1, v);
		if (strtod(out, NULL) == v)
			return;
		/* Below a power of two doubles lie closer together than above it, so the next text upward may read back
		 * although the nearest one does not. */
		if (power_of_two && bump_last_digit(out) && strtod(out, NULL) == v)
			return;
	}
}

/* Lay digits[n] out with the point after place `point` (0: before the first), as Python does. */
static void lay_out_plain(char *out, const char *digits, int n, int point)
{
	if (point <= 0)
		sprintf(out, "0.%.*s%.*s", -point, "0000", n, digits);
	else if (point >= n)
		sprintf(out, "%.*s%.*s.0", n, digits, point - n, "0000000000000000");
	else
		sprintf(out, "%.*s.%.*s", point, digits, n - point, digits + point);
}

void str_from_double(char out[32], double v)
{
	char text[32];
	char digits[20];
	int n = 0;
	int exponent;

	if (isnan(v) || isinf(v)) {
		strcpy(out, isnan(v) ? "nan" : v < 0 ? "-inf" : "inf");
		return;
	}
	if (v == 0) {
		strcpy(out, signbit(v) ? "-0.0" : "0.0");
		return;
	}
	if (print_simple(out, v))
		return;
	shortest_digits(text, fabs(v));
	for (const char *p = text; *p != 'e'; p++) {
		if (is_digit(*p))
			digits[n++] = *p;
	}
	while (n > 1 && digits[n - 1] == '0')
		n--;
	exponent = atoi(strchr(text, 'e') + 1);
	if (v < 0)
		*out++ = '-';
	if (exponent >= -4 && exponent < 16)
		lay_out_plain(out, digits, n, exponent + 1);
	else
		sprintf(out, "%c%s%.*se%c%02d", digits[0], n > 1 ? "." : "", n - 1, digits + 1, exponent < 0 ? '-' : '+', abs(exponent));
}

/* ---- growing bytes */

void buf_close(struct buf *b)
{
	mem_free(&b->data);
	b->len = b->cap = 0;
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	if (b->data)
		b->data[0] = '\0';
}

const char *buf_text(const struct buf *b)
{
	return b->data ? b->data : "";
}

static void buf_reserve(struct buf *b, size_t more)
{
	size_t need, cap;

	if (__builtin_add_overflow(b->len, more, &need) || need > SIZE_MAX / 2)
		need = SIZE_MAX / 2; /* more than there can be: mem_grow ends the process */
	if (need < b->cap)
		return;
	cap = b->cap ? b->cap : 64;
	while (cap <= need)
		cap *= 2;
	b->data = mem_grow(b->data, b->len, cap, 1);
	b->cap = cap;
}

void buf_add(struct buf *b, const void *data, size_t len)
{
	buf_reserve(b, len);
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void buf_adds(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_addc(struct buf *b, char c)
{
	buf_reserve(b, 1);
	b->data[b->len++] = c;
	b->data[b->len] = '\0';
}

void buf_addv(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	int len;

	va_copy(again, ap);
	len = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (len <= 0)
		return;
	buf_reserve(b, (size_t)len);
	vsnprintf(b->data + b->len, (size_t)len + 1, fmt, ap);
	b->len += (size_t)len;
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_addv(b, fmt, ap);
	va_end(ap);
}

char *buf_detach(struct buf *b)
{
	char *data = b->data ? b->data : mem_strdup("");

	*b = (struct buf){0};
	return data;
}
