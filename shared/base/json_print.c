/* json_print.c -- JSON out: printing a tree, and the writer for long answers. Whatever the bytes given, what comes out is JSON. */
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/json_private.h"

static void add_escaped(struct buf *b, unsigned char c)
{
	static const char letters[32] = {['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};

	if (c == '"' || c == '\\')
		buf_addf(b, "\\%c", c);
	else if (letters[c])
		buf_addf(b, "\\%c", letters[c]);
	else
		buf_addf(b, "\\u%04x", c);
}

/* Bytes that are not UTF-8 become U+FFFD each: a wrong name in an answer is better than an answer nobody can read. */
static void add_string(struct buf *b, const char *s)
{
	size_t len = strlen(s);
	size_t from = 0;

	buf_addc(b, '"');
	for (size_t i = 0; i < len;) {
		unsigned char c = (unsigned char)s[i];
		size_t n = json_utf8_len(s + i, len - i);

		if (n > 0 && c >= 0x20 && c != '"' && c != '\\') {
			i += n;
			continue;
		}
		buf_add(b, s + from, i - from);
		if (n == 0)
			buf_adds(b, "\xef\xbf\xbd");
		else
			add_escaped(b, c);
		from = ++i;
	}
	buf_add(b, s + from, len - from);
	buf_addc(b, '"');
}

static void add_double(struct buf *b, double v)
{
	char text[32];

	if (!isfinite(v)) {
		buf_adds(b, "null");
		return;
	}
	str_from_double(text, v);
	buf_adds(b, text);
}

static void add_number(struct buf *b, const struct json *j)
{
	const char *whole = json_whole_text(j);
	double v;

	if (whole)
		buf_adds(b, whole);
	else if (json_double(j, &v))
		add_double(b, v);
}

/* indent 0: on one line without spaces. */
struct layout {
	int indent, depth;
};

static void add_break(struct buf *b, struct layout l)
{
	if (l.indent > 0)
		buf_addf(b, "\n%*s", l.indent * l.depth, "");
}

static void add_value(struct buf *b, const struct json *j, struct layout l);

static void add_children(struct buf *b, const struct json *j, struct layout l, bool keys)
{
	struct layout inner = {l.indent, l.depth + 1};
	const char *comma = "";

	for (const struct json *c = json_first(j); c; c = json_next(c)) {
		buf_adds(b, comma);
		add_break(b, inner);
		if (keys) {
			add_string(b, json_key(c));
			buf_adds(b, l.indent > 0 ? ": " : ":");
		}
		add_value(b, c, inner);
		comma = ",";
	}
	if (json_first(j))
		add_break(b, l);
}

static void add_value(struct buf *b, const struct json *j, struct layout l)
{
	bool v = false;

	switch (json_type(j)) {
	case JSON_NULL:
		buf_adds(b, "null");
		return;
	case JSON_BOOL:
		buf_adds(b, json_bool(j, &v) && v ? "true" : "false");
		return;
	case JSON_NUMBER:
		add_number(b, j);
		return;
	case JSON_STRING:
		add_string(b, json_text(j));
		return;
	case JSON_ARRAY:
		buf_addc(b, '[');
		add_children(b, j, l, false);
		buf_addc(b, ']');
		return;
	case JSON_OBJECT:
		buf_addc(b, '{');
		add_children(b, j, l, true);
		buf_addc(b, '}');
		return;
	}
}

void json_print(const struct json *j, struct buf *b)
{
	add_value(b, j, (struct layout){0});
}

void json_print_pretty(const struct json *j, struct buf *b, int indent)
{
	add_value(b, j, (struct layout){.indent = indent});
}

char *json_to_text(const struct json *j)
{
	struct buf b = {0};

	json_print(j, &b);
	return buf_detach(&b);
}

/* ---- the writer */

struct json_writer json_writer_on(struct buf *out)
{
	return (struct json_writer){.out = out};
}

static void begin_value(struct json_writer *w, const char *key)
{
	if (w->comma)
		buf_addc(w->out, ',');
	w->comma = true;
	if (!key)
		return;
	add_string(w->out, key);
	buf_addc(w->out, ':');
}

static void begin_nested(struct json_writer *w, const char *key, char opener, char closer)
{
	assert(w->depth < (int)sizeof(w->closers));
	begin_value(w, key);
	buf_addc(w->out, opener);
	w->closers[w->depth++] = closer;
	w->comma = false;
}

void jw_object(struct json_writer *w, const char *key)
{
	begin_nested(w, key, '{', '}');
}

void jw_array(struct json_writer *w, const char *key)
{
	begin_nested(w, key, '[', ']');
}

void jw_end(struct json_writer *w)
{
	assert(w->depth > 0);
	buf_addc(w->out, w->closers[--w->depth]);
	w->comma = true;
}

void jw_text(struct json_writer *w, const char *key, const char *s)
{
	if (!s) {
		jw_null(w, key);
		return;
	}
	begin_value(w, key);
	add_string(w->out, s);
}

void jw_int(struct json_writer *w, const char *key, int64_t v)
{
	begin_value(w, key);
	buf_addf(w->out, "%" PRId64, v);
}

void jw_double(struct json_writer *w, const char *key, double v)
{
	begin_value(w, key);
	add_double(w->out, v);
}

void jw_dec(struct json_writer *w, const char *key, struct dec d)
{
	char text[DEC_TEXT];

	dec_print(text, d);
	jw_raw(w, key, text);
}

void jw_bool(struct json_writer *w, const char *key, bool v)
{
	jw_raw(w, key, v ? "true" : "false");
}

void jw_null(struct json_writer *w, const char *key)
{
	jw_raw(w, key, "null");
}

void jw_json(struct json_writer *w, const char *key, const struct json *j)
{
	begin_value(w, key);
	json_print(j, w->out);
}

void jw_raw(struct json_writer *w, const char *key, const char *json_text)
{
	begin_value(w, key);
	buf_adds(w->out, json_text);
}
