/* str.h -- text: whole copies, growing buffers, and strict number parsing. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdarg.h>

#include "base/base.h"

/* Copy src whole into dst[size], or leave dst empty and return false: a cut id is another id. */
bool str_copy(char *dst, size_t size, const char *src) MUST_CHECK;
bool str_copy_n(char *dst, size_t size, const char *src, size_t len) MUST_CHECK;
bool str_eq(const char *a, const char *b); /* both NULL: equal; one NULL: not */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
/* True if s is 1..max bytes of [A-Za-z0-9] and the bytes in `also`. */
bool str_is_name(const char *s, size_t max, const char *also);

/* The whole of s must be a number within [min, max]; no spaces, no '+', no octal. */
bool str_int(const char *s, int64_t min, int64_t max, int64_t *out) MUST_CHECK;
bool str_double(const char *s, double *out) MUST_CHECK; /* finite only; always the C locale's point */

/* The shortest text that reads back as the same double, as Python prints it: 10000.0, 0.1, 1e-09. out[32]. */
void str_from_double(char out[32], double v);

/* Growing bytes, always NUL-terminated. Start with zeros ({0}); buf_close frees. */
struct buf {
	char *data; /* NULL only when nothing was ever added; use buf_text() */
	size_t len;
	size_t cap;
};
void buf_close(struct buf *b);
void buf_clear(struct buf *b);
const char *buf_text(const struct buf *b); /* never NULL */
void buf_add(struct buf *b, const void *data, size_t len);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_addv(struct buf *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
char *buf_detach(struct buf *b); /* the caller frees with mem_free; the buffer is empty again; never NULL */

#endif
