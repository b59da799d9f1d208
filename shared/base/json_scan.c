/* json_scan.c -- is this text JSON? Stricter than the library behind json.c, which lets 01, 1., raw control bytes and bad UTF-8 pass. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_private.h"
#include "base/mem.h"

struct scan {
	const char *start, *p, *end;
	const char *wrong; /* what was met, for the sentence */
	struct json_numbers *numbers;
	char closers[JSON_DEPTH_MAX];
	int depth;
};

/* Smallest code point that a form of so many bytes may carry. */
static const uint32_t utf8_least[] = {0, 0, 0x80, 0x800, 0x10000};

size_t json_utf8_len(const char *s, size_t len)
{
	const unsigned char *u = (const unsigned char *)s;
	size_t n = len == 0 ? 0 : u[0] < 0x80 ? 1 : u[0] >= 0xf0 ? 4 : u[0] >= 0xe0 ? 3 : u[0] >= 0xc0 ? 2 : 0;
	uint32_t c;

	if (n < 2)
		return n;
	if (n > len || u[0] >= 0xf8)
		return 0;
	c = u[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (u[i] & 0x3f);
	}
	return c < utf8_least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : n;
}

static bool wrong(struct scan *s, const char *what)
{
	s->wrong = what;
	return false;
}

static char peek(const struct scan *s)
{
	return s->p < s->end ? *s->p : '\0';
}

static void skip_space(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
		s->p++;
}

static size_t skip_digits(struct scan *s)
{
	const char *from = s->p;

	while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		s->p++;
	return (size_t)(s->p - from);
}

static void keep_number(struct json_numbers *list, const char *at)
{
	if (list->n == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 16;

		list->at = mem_grow(list->at, list->cap, cap, sizeof(list->at[0]));
		list->cap = cap;
	}
	list->at[list->n++] = at;
}

static bool scan_number(struct scan *s)
{
	keep_number(s->numbers, s->p);
	if (peek(s) == '-')
		s->p++;
	if (peek(s) == '0')
		s->p++;
	else if (!skip_digits(s))
		return wrong(s, "no number");
	if (peek(s) == '.') {
		s->p++;
		if (!skip_digits(s))
			return wrong(s, "no digit after the point");
	}
	if (peek(s) != 'e' && peek(s) != 'E')
		return true;
	s->p++;
	if (peek(s) == '+' || peek(s) == '-')
		s->p++;
	return skip_digits(s) ? true : wrong(s, "no digit in the exponent");
}

static bool scan_hex4(struct scan *s, unsigned *out)
{
	*out = 0;
	for (int i = 0; i < 4; i++, s->p++) {
		char c = peek(s);
		unsigned digit = c >= '0' && c <= '9'                 ? (unsigned)(c - '0')
		                 : (c | 32) >= 'a' && (c | 32) <= 'f' ? (unsigned)((c | 32) - 'a' + 10)
		                                                      : 16;

		if (digit == 16)
			return wrong(s, "not four hexadecimal digits after \\u");
		*out = *out * 16 + digit;
	}
	return true;
}

/* After "\u". NUL is refused: our texts end there, so "a\u0000b" would be taken for "a". */
static bool scan_code_unit(struct scan *s)
{
	unsigned c, low;

	if (!scan_hex4(s, &c))
		return false;
	if (c == 0)
		return wrong(s, "a NUL character");
	if (c < 0xd800 || c > 0xdfff)
		return true;
	if (c > 0xdbff || s->end - s->p < 6 || s->p[0] != '\\' || s->p[1] != 'u')
		return wrong(s, "half of a surrogate pair");
	s->p += 2;
	if (!scan_hex4(s, &low))
		return false;
	return low >= 0xdc00 && low <= 0xdfff ? true : wrong(s, "half of a surrogate pair");
}

static bool scan_escape(struct scan *s)
{
	char c;

	s->p++;
	c = peek(s);
	if (c == '\0' || !strchr("\"\\/bfnrtu", c))
		return wrong(s, "an unknown escape");
	s->p++;
	return c == 'u' ? scan_code_unit(s) : true;
}

static bool scan_string(struct scan *s)
{
	s->p++;
	while (s->p < s->end && *s->p != '"') {
		size_t n = json_utf8_len(s->p, (size_t)(s->end - s->p));

		if (*s->p == '\\') {
			if (!scan_escape(s))
				return false;
			continue;
		}
		if ((unsigned char)*s->p < 0x20)
			return wrong(s, "a control character inside a string");
		if (n == 0)
			return wrong(s, "bytes that are not UTF-8");
		s->p += n;
	}
	if (s->p == s->end)
		return wrong(s, "a string without its end");
	s->p++;
	return true;
}

static bool scan_word(struct scan *s, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
		return wrong(s, "no JSON value");
	s->p += n;
	return true;
}

static bool scan_scalar(struct scan *s)
{
	switch (peek(s)) {
	case '"':
		return scan_string(s);
	case 't':
		return scan_word(s, "true");
	case 'f':
		return scan_word(s, "false");
	case 'n':
		return scan_word(s, "null");
	default:
		break;
	}
	if (peek(s) == '-' || (peek(s) >= '0' && peek(s) <= '9'))
		return scan_number(s);
	return wrong(s, s->p == s->end ? "the end of the text where a value belongs" : "no JSON value");
}

static bool scan_key(struct scan *s)
{
	skip_space(s);
	if (peek(s) != '"')
		return wrong(s, "no member name in double quotes");
	if (!scan_string(s))
		return false;
	skip_space(s);
	if (peek(s) != ':')
		return wrong(s, "no colon after a member name");
	s->p++;
	return true;
}

/* After '[' or '{': 1 the first child begins here, 0 it was empty and is closed, -1 wrong. */
static int scan_open(struct scan *s)
{
	char closer = *s->p == '{' ? '}' : ']';

	if (s->depth == JSON_DEPTH_MAX) {
		wrong(s, "more than 64 levels of nesting");
		return -1;
	}
	s->p++;
	skip_space(s);
	if (peek(s) == closer) {
		s->p++;
		return 0;
	}
	s->closers[s->depth++] = closer;
	return closer == ']' || scan_key(s) ? 1 : -1;
}

/* After a value: close what ends here. 1 another value follows, 0 the text's only value is complete, -1 wrong. */
static int scan_after_value(struct scan *s)
{
	while (s->depth > 0) {
		char closer = s->closers[s->depth - 1];

		skip_space(s);
		if (peek(s) == ',') {
			s->p++;
			return closer == ']' || scan_key(s) ? 1 : -1;
		}
		if (peek(s) != closer) {
			wrong(s, closer == ']' ? "neither a comma nor ]" : "neither a comma nor }");
			return -1;
		}
		s->p++;
		s->depth--;
	}
	return 0;
}

static bool scan_text(struct scan *s)
{
	int more = 1;

	while (more > 0) {
		skip_space(s);
		if (peek(s) == '{' || peek(s) == '[') {
			more = scan_open(s);
			if (more != 0)
				continue;
		} else if (!scan_scalar(s)) {
			return false;
		}
		more = scan_after_value(s);
	}
	skip_space(s);
	if (more == 0 && s->p < s->end)
		return wrong(s, "something after the end of the value");
	return more == 0;
}

bool json_scan(const char *text, size_t len, struct json_numbers *numbers, struct err *e)
{
	struct scan s = {.start = text, .p = text, .end = text + len, .numbers = numbers};

	if (scan_text(&s))
		return true;
	return err_set(e, ERR_INVALID, "not JSON: %s at byte %zu", s.wrong, (size_t)(s.p - s.start));
}
