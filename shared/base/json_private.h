/* json_private.h -- what the three files behind json.h share: the strict check of text, and how a number was written. */
#ifndef BASE_JSON_PRIVATE_H
#define BASE_JSON_PRIVATE_H

#include "base/base.h"
#include "base/err.h"
#include "base/json.h"

#define JSON_DEPTH_MAX 64

/* Where the numbers of a text stand, in the order of the text. */
struct json_numbers {
	const char **at;
	size_t n, cap;
};

/* Is text[len] exactly one JSON value by RFC 8259, in UTF-8, at most JSON_DEPTH_MAX deep? Fills numbers (mem_free .at). */
bool json_scan(const char *text, size_t len, struct json_numbers *numbers, struct err *e) MUST_CHECK;

/* Bytes of the UTF-8 character at s[len], 0 if there is none: too long a form, a surrogate, cut off, beyond U+10FFFF. */
size_t json_utf8_len(const char *s, size_t len);

/* The digits of a number that was made or written as a whole one; NULL for all else. */
const char *json_whole_text(const struct json *j);

#endif
