/* json.h -- JSON in and out: a checked tree (door to cJSON) and a streaming writer.
 *
 * Reading: the tree is read-only for most callers. Getters accept NULL and the wrong type and answer "absent", so that
 * hostile input needs no ladder of ifs. Depth is limited to 64; NaN and Infinity never pass in either direction.
 * Ownership: json_parse and json_new_* give a tree that the caller closes with json_close, unless it was handed to
 * json_put / json_push, which take ownership of the child.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/base.h"
#include "base/dec.h"
#include "base/err.h"
#include "base/str.h"

struct json; /* a node of the tree */

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* The whole text must be one JSON value in UTF-8. NULL with e filled on bad input (says where). */
struct json *json_parse(const char *text, size_t len, struct err *e) MUST_CHECK;
void json_close(struct json **j);
struct json *json_copy(const struct json *j);

enum json_type json_type(const struct json *j);                          /* NULL node: JSON_NULL */
bool json_is(const struct json *j, enum json_type type);                 /* false for a NULL node */
const struct json *json_get(const struct json *object, const char *key); /* exact case; NULL: absent */
const struct json *json_at(const struct json *array, size_t i);
size_t json_count(const struct json *j); /* items of an array, members of an object, else 0; O(n) */
const char *json_key(const struct json *member);
/* Iterate the children of an array or object in O(1) each:
 *     for (const struct json *c = json_first(j); c; c = json_next(c)) */
const struct json *json_first(const struct json *j);
const struct json *json_next(const struct json *child);

/* Values of a node; false / NULL when it is absent or of another type. json_int wants a whole number within int64. */
const char *json_text(const struct json *j);
bool json_double(const struct json *j, double *out) MUST_CHECK;
bool json_int(const struct json *j, int64_t *out) MUST_CHECK;
bool json_bool(const struct json *j, bool *out) MUST_CHECK;
/* Shorthands with a default for absent or wrong-typed members of an object. */
const char *json_get_text(const struct json *object, const char *key, const char *fallback);
int64_t json_get_int(const struct json *object, const char *key, int64_t fallback);
double json_get_double(const struct json *object, const char *key, double fallback);
bool json_get_bool(const struct json *object, const char *key, bool fallback);

/* Building. */
struct json *json_new_object(void);
struct json *json_new_array(void);
struct json *json_new_text(const char *s);
struct json *json_new_int(int64_t v);   /* exact for all of int64 */
struct json *json_new_double(double v); /* not finite: null */
struct json *json_new_bool(bool v);
struct json *json_new_null(void);
void json_put(struct json *object, const char *key, struct json *child); /* replaces; takes ownership */
void json_push(struct json *array, struct json *child);                  /* takes ownership */
void json_put_text(struct json *object, const char *key, const char *s); /* NULL: null */
void json_put_int(struct json *object, const char *key, int64_t v);
void json_put_double(struct json *object, const char *key, double v);
void json_put_bool(struct json *object, const char *key, bool v);
void json_remove(struct json *object, const char *key);

/* Print compact (no spaces, UTF-8 unescaped) at the end of b; doubles as Python prints them. Canonical: same tree, same text. */
void json_print(const struct json *j, struct buf *b);
void json_print_pretty(const struct json *j, struct buf *b, int indent);
char *json_to_text(const struct json *j); /* caller frees with mem_free */

/* The writer: for long answers, straight into a buffer, commas placed by itself.
 *     struct json_writer w = json_writer_on(&buf);
 *     jw_object(&w, NULL); jw_text(&w, "symbol", s); jw_array(&w, "data"); ... jw_end(&w); jw_end(&w);
 * key is NULL inside arrays and at the top. */
struct json_writer {
	struct buf *out;
	int depth;
	char closers[64];
	bool comma;
};
struct json_writer json_writer_on(struct buf *out);
void jw_object(struct json_writer *w, const char *key);
void jw_array(struct json_writer *w, const char *key);
void jw_end(struct json_writer *w);
void jw_text(struct json_writer *w, const char *key, const char *s); /* NULL: null */
void jw_int(struct json_writer *w, const char *key, int64_t v);
void jw_double(struct json_writer *w, const char *key, double v);  /* not finite: null */
void jw_dec(struct json_writer *w, const char *key, struct dec d); /* as a number, exactly as printed */
void jw_bool(struct json_writer *w, const char *key, bool v);
void jw_null(struct json_writer *w, const char *key);
void jw_json(struct json_writer *w, const char *key, const struct json *j); /* NULL: null */
void jw_raw(struct json_writer *w, const char *key, const char *json_text); /* already valid JSON */

#endif
