/* err.c -- why something failed: fills struct err and knows the names of the codes. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct err_kind {
	const char *name;
	bool temporary;
};

static const struct err_kind kinds[] = {
#define X(code, name, temporary) [code] = {name, temporary},
        ERR_CODES(X)
#undef X
};

static void fill(struct err *e, enum err_code code, const char *fmt, va_list ap) PRINTF_LIKE(3, 0);
static void fill(struct err *e, enum err_code code, const char *fmt, va_list ap)
{
	/* Through a second buffer, because callers may print e->text into e itself. */
	char text[sizeof(e->text)];

	vsnprintf(text, sizeof(text), fmt, ap);
	memcpy(e->text, text, sizeof(text));
	e->code = code;
	e->retry_after_ms = 0;
}

bool err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(e, code, fmt, ap);
	va_end(ap);
	return false;
}

int err_fail(struct err *e, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(e, code, fmt, ap);
	va_end(ap);
	return -1;
}

static size_t append(char *text, size_t size, size_t len, const char *more)
{
	while (*more && len + 1 < size)
		text[len++] = *more++;
	text[len] = '\0';
	return len;
}

bool err_prefix(struct err *e, const char *fmt, ...)
{
	char text[sizeof(e->text)];
	size_t len;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	len = append(text, sizeof(text), strlen(text), ": ");
	append(text, sizeof(text), len, e->text);
	memcpy(e->text, text, sizeof(text));
	return false;
}

const char *err_name(enum err_code code)
{
	return (size_t)code < ARRAY_LEN(kinds) ? kinds[code].name : "internal";
}

enum err_code err_code_of(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_LEN(kinds); i++) {
		if (strcmp(kinds[i].name, name) == 0)
			return (enum err_code)i;
	}
	return ERR_INTERNAL;
}

bool err_is_temporary(enum err_code code)
{
	return (size_t)code < ARRAY_LEN(kinds) && kinds[code].temporary;
}
