/* json.c -- the JSON tree: the only file that knows cJSON.
 *
 * A struct json is a cJSON node. Whole numbers within int64 are kept as their digits (cJSON_Raw), because cJSON itself has only
 * doubles, which are exact to 2^53; all other numbers are cJSON_Number.
 */
#include "base/json.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_private.h"
#include "base/mem.h"

static cJSON *node(const struct json *j)
{
	return (cJSON *)(uintptr_t)j; /* cJSON asks for no const anywhere; what is const here stays untouched */
}

static struct json *wrap(cJSON *c)
{
	return (struct json *)c;
}

/* cJSON gives NULL only when memory ran out. */
static struct json *made(cJSON *c)
{
	if (!c) {
		fprintf(stderr, "barque: out of memory in JSON\n");
		abort();
	}
	return wrap(c);
}

/* ---- reading */

/* Is the number at p whole and within int64? Then print its digits. */
static bool whole_digits(const char *p, char out[24])
{
	int64_t v;
	int n = 0;

	while (n < 21 && (p[n] == '-' || (p[n] >= '0' && p[n] <= '9')))
		n++;
	if (n > 20 || p[n] == '.' || p[n] == 'e' || p[n] == 'E')
		return false;
	memcpy(out, p, (size_t)n);
	out[n] = '\0';
	if (!str_int(out, INT64_MIN, INT64_MAX, &v))
		return false;
	if (v == 0)
		strcpy(out, "0"); /* -0 is written so by nobody's intention */
	return true;
}

/* Walk the tree in the order of the text and give whole numbers their digits. False: a number is too large for a double. */
static bool keep_whole_numbers(cJSON *c, const char ***next)
{
	char digits[24];

	if (cJSON_IsNumber(c)) {
		const char *at = *(*next)++;

		if (!isfinite(c->valuedouble))
			return false;
		if (whole_digits(at, digits)) {
			c->type = cJSON_Raw;
			c->valuestring = mem_strdup(digits); /* cJSON_Delete frees it with free, as mem.c would */
		}
	}
	for (cJSON *child = c->child; child; child = child->next) {
		if (!keep_whole_numbers(child, next))
			return false;
	}
	return true;
}

/* text is checked and has a byte after its end that ends a number. */
static struct json *parse_checked(const char *text, size_t len, const struct json_numbers *numbers, struct err *e)
{
	cJSON *c = cJSON_ParseWithLengthOpts(text, len + 1, NULL, 1);
	const char **next = numbers->at;

	if (!c) {
		err_set(e, ERR_INVALID, "not JSON that could be read (%zu bytes)", len);
		return NULL;
	}
	if (!keep_whole_numbers(c, &next)) {
		cJSON_Delete(c);
		err_set(e, ERR_INVALID, "not JSON: a number is beyond 1.8e308");
		return NULL;
	}
	return wrap(c);
}

struct json *json_parse(const char *text, size_t len, struct err *e)
{
	struct json_numbers numbers = {0};
	char *copy = mem_strndup(text, len);
	struct json *j = NULL;

	if (json_scan(copy, len, &numbers, e))
		j = parse_checked(copy, len, &numbers, e);
	mem_free(&numbers.at);
	mem_free(&copy);
	return j;
}

void json_close(struct json **j)
{
	cJSON_Delete(node(*j));
	*j = NULL;
}

struct json *json_copy(const struct json *j)
{
	return j ? made(cJSON_Duplicate(node(j), 1)) : NULL;
}

enum json_type json_type(const struct json *j)
{
	const cJSON *c = node(j);

	if (cJSON_IsBool(c))
		return JSON_BOOL;
	if (cJSON_IsNumber(c) || cJSON_IsRaw(c))
		return JSON_NUMBER;
	if (cJSON_IsString(c))
		return JSON_STRING;
	if (cJSON_IsArray(c))
		return JSON_ARRAY;
	return cJSON_IsObject(c) ? JSON_OBJECT : JSON_NULL;
}

bool json_is(const struct json *j, enum json_type type)
{
	return j && json_type(j) == type;
}

const struct json *json_get(const struct json *object, const char *key)
{
	return json_is(object, JSON_OBJECT) ? wrap(cJSON_GetObjectItemCaseSensitive(node(object), key)) : NULL;
}

const struct json *json_at(const struct json *array, size_t i)
{
	if (!json_is(array, JSON_ARRAY) || i > INT32_MAX)
		return NULL;
	return wrap(cJSON_GetArrayItem(node(array), (int)i));
}

size_t json_count(const struct json *j)
{
	size_t n = 0;

	for (const struct json *c = json_first(j); c; c = json_next(c))
		n++;
	return n;
}

const char *json_key(const struct json *member)
{
	return member ? node(member)->string : NULL;
}

const struct json *json_first(const struct json *j)
{
	return j ? wrap(node(j)->child) : NULL;
}

const struct json *json_next(const struct json *child)
{
	return child ? wrap(node(child)->next) : NULL;
}

const char *json_text(const struct json *j)
{
	return json_is(j, JSON_STRING) ? node(j)->valuestring : NULL;
}

const char *json_whole_text(const struct json *j)
{
	return cJSON_IsRaw(node(j)) ? node(j)->valuestring : NULL;
}

bool json_double(const struct json *j, double *out)
{
	const char *whole = json_whole_text(j);

	if (whole)
		return str_double(whole, out);
	if (!cJSON_IsNumber(node(j)))
		return false;
	*out = node(j)->valuedouble;
	return true;
}

bool json_int(const struct json *j, int64_t *out)
{
	const char *whole = json_whole_text(j);
	double v;

	if (whole)
		return str_int(whole, INT64_MIN, INT64_MAX, out);
	/* The largest double below 2^63 is 9223372036854774784; comparing with 2^63 itself keeps the cast defined. */
	if (!json_double(j, &v) || v != floor(v) || v < -9223372036854775808.0 || v >= 9223372036854775808.0)
		return false;
	*out = (int64_t)v;
	return true;
}

bool json_bool(const struct json *j, bool *out)
{
	if (!json_is(j, JSON_BOOL))
		return false;
	*out = cJSON_IsTrue(node(j));
	return true;
}

const char *json_get_text(const struct json *object, const char *key, const char *fallback)
{
	const char *s = json_text(json_get(object, key));

	return s ? s : fallback;
}

int64_t json_get_int(const struct json *object, const char *key, int64_t fallback)
{
	int64_t v;

	return json_int(json_get(object, key), &v) ? v : fallback;
}

double json_get_double(const struct json *object, const char *key, double fallback)
{
	double v;

	return json_double(json_get(object, key), &v) ? v : fallback;
}

bool json_get_bool(const struct json *object, const char *key, bool fallback)
{
	bool v;

	return json_bool(json_get(object, key), &v) ? v : fallback;
}

/* ---- building */

struct json *json_new_object(void)
{
	return made(cJSON_CreateObject());
}

struct json *json_new_array(void)
{
	return made(cJSON_CreateArray());
}

struct json *json_new_text(const char *s)
{
	return made(s ? cJSON_CreateString(s) : cJSON_CreateNull());
}

struct json *json_new_int(int64_t v)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%" PRId64, v);
	return made(cJSON_CreateRaw(digits));
}

struct json *json_new_double(double v)
{
	return made(isfinite(v) ? cJSON_CreateNumber(v) : cJSON_CreateNull());
}

struct json *json_new_bool(bool v)
{
	return made(cJSON_CreateBool(v));
}

struct json *json_new_null(void)
{
	return made(cJSON_CreateNull());
}

void json_put(struct json *object, const char *key, struct json *child)
{
	cJSON_bool ok;

	assert(json_is(object, JSON_OBJECT) && child);
	if (json_get(object, key))
		ok = cJSON_ReplaceItemInObjectCaseSensitive(node(object), key, node(child));
	else
		ok = cJSON_AddItemToObject(node(object), key, node(child));
	made(ok ? node(object) : NULL);
}

void json_push(struct json *array, struct json *child)
{
	assert(json_is(array, JSON_ARRAY) && child);
	made(cJSON_AddItemToArray(node(array), node(child)) ? node(array) : NULL);
}

void json_put_text(struct json *object, const char *key, const char *s)
{
	json_put(object, key, json_new_text(s));
}

void json_put_int(struct json *object, const char *key, int64_t v)
{
	json_put(object, key, json_new_int(v));
}

void json_put_double(struct json *object, const char *key, double v)
{
	json_put(object, key, json_new_double(v));
}

void json_put_bool(struct json *object, const char *key, bool v)
{
	json_put(object, key, json_new_bool(v));
}

void json_remove(struct json *object, const char *key)
{
	if (json_is(object, JSON_OBJECT))
		cJSON_DeleteItemFromObjectCaseSensitive(node(object), key);
}
