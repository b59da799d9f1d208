/* param.c -- parameters as data: checks an object against a table, and tells the table as a JSON Schema. */
#include "base/param.h"

#include <assert.h>
#include <string.h>

#include "base/time.h"

#define SHOWN_MAX 60 /* bytes of a wrong value that the sentence shows */

static bool refuse(const struct param *p, const struct json *v, struct err *e, const char *right)
{
	struct buf met = {0};

	json_print(v, &met);
	err_set(e, ERR_INVALID, "parameter %s is %.*s%s but must be %s", p->name, SHOWN_MAX, buf_text(&met),
	        met.len > SHOWN_MAX ? "..." : "", right);
	buf_close(&met);
	return false;
}

static bool is_limited(const struct param *p)
{
	return p->min != 0 || p->max != 0;
}

static void add_amount(struct buf *b, double v)
{
	char text[32];

	str_from_double(text, v);
	if (str_ends(text, ".0"))
		text[strlen(text) - 2] = '\0';
	buf_adds(b, text);
}

/* before, the limits, after: "a text of", "1 to 8", " bytes". Without limits: before and after only. */
static void refuse_amount(
        const struct param *p, const struct json *v, const char *before, const char *link, const char *after, struct err *e)
{
	struct buf right = {0};

	buf_adds(&right, before);
	if (is_limited(p)) {
		buf_adds(&right, link);
		add_amount(&right, p->min);
		buf_adds(&right, " to ");
		add_amount(&right, p->max);
		buf_adds(&right, after);
	}
	refuse(p, v, e, buf_text(&right));
	buf_close(&right);
}

static bool within(const struct param *p, double amount)
{
	return !is_limited(p) || (amount >= p->min && amount <= p->max);
}

static bool check_text(const struct param *p, const struct json *v, struct err *e)
{
	const char *s = json_text(v);

	if (s && within(p, (double)strlen(s)))
		return true;
	refuse_amount(p, v, "a text", " of ", " bytes", e);
	return false;
}

static bool check_int(const struct param *p, const struct json *v, struct err *e)
{
	int64_t n;

	if (json_int(v, &n) && within(p, (double)n))
		return true;
	refuse_amount(p, v, "a whole number", " from ", "", e);
	return false;
}

static bool check_number(const struct param *p, const struct json *v, struct err *e)
{
	double x;

	if (json_double(v, &x) && within(p, x))
		return true;
	refuse_amount(p, v, "a number", " from ", "", e);
	return false;
}

/* Is word one of "a|b|c"? */
static bool is_choice(const char *choices, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = choices; n > 0 && p; p = strchr(p, '|')) {
		p += *p == '|';
		if (strncmp(p, word, n) == 0 && (p[n] == '|' || p[n] == '\0'))
			return true;
	}
	return false;
}

static bool check_choice(const struct param *p, const struct json *v, struct err *e)
{
	const char *s = json_text(v);
	struct buf right = {0};

	if (s && !strchr(s, '|') && is_choice(p->choices, s))
		return true;
	buf_adds(&right, "one of ");
	for (const char *c = p->choices; *c; c++)
		buf_adds(&right, *c == '|' ? ", " : (char[]){*c, '\0'});
	refuse(p, v, e, buf_text(&right));
	buf_close(&right);
	return false;
}

/* A text, or a number of milliseconds. */
static bool moment_of(const struct json *v, int64_t *out)
{
	if (json_text(v))
		return time_parse_any(json_text(v), out);
	return json_int(v, out) && *out >= TIME_MS_MIN && *out <= TIME_MS_MAX;
}

static bool check_time(const struct param *p, const struct json *v, struct err *e)
{
	const char *s = json_text(v);
	int64_t t;

	if (p->type == PARAM_DATE)
		return (s && time_parse_date(s, &t)) || refuse(p, v, e, "a date such as \"2026-02-01\"");
	return moment_of(v, &t) || refuse(p, v, e, "a time such as \"2026-02-01 09:30:00\" (UTC), or milliseconds since 1970");
}

static bool is_short_text(const struct json *v)
{
	const char *s = json_text(v);

	return s && *s && strlen(s) <= 64;
}

static bool check_texts(const struct param *p, const struct json *v, struct err *e)
{
	bool ok = json_is(v, JSON_ARRAY);
	size_t n = 0;

	for (const struct json *c = json_first(v); ok && c; c = json_next(c)) {
		ok = is_short_text(c);
		n++;
	}
	if (ok && within(p, (double)n))
		return true;
	if (is_limited(p))
		refuse_amount(p, v, "a list", " of ", " texts of 1 to 64 bytes each", e);
	else
		refuse(p, v, e, "a list of texts of 1 to 64 bytes each");
	return false;
}

static bool check_value(const struct param *p, const struct json *v, struct err *e)
{
	switch (p->type) {
	case PARAM_TEXT:
		return check_text(p, v, e);
	case PARAM_INT:
		return check_int(p, v, e);
	case PARAM_NUMBER:
		return check_number(p, v, e);
	case PARAM_FLAG:
		return json_is(v, JSON_BOOL) || refuse(p, v, e, "true or false");
	case PARAM_CHOICE:
		return check_choice(p, v, e);
	case PARAM_TIME:
	case PARAM_DATE:
		return check_time(p, v, e);
	case PARAM_TEXTS:
		return check_texts(p, v, e);
	case PARAM_OBJECT:
		return json_is(v, JSON_OBJECT) || refuse(p, v, e, "an object");
	}
	return false;
}

static struct json *default_of(const struct param *p)
{
	struct err e = {0};
	struct json *j;

	if (!p->fallback)
		return json_new_null();
	j = json_parse(p->fallback, strlen(p->fallback), &e);
	assert(j); /* a table with a default that is no JSON is our mistake */
	return j;
}

/* A whole number stays one, however it was written: 20.0 becomes 20. A time is a text that time_parse takes. */
static struct json *normal_copy(const struct param *p, const struct json *v)
{
	int64_t n;
	char iso[TIME_TEXT];

	if (p->type == PARAM_TIME && (!json_text(v) || !time_parse(json_text(v), &n, NULL)) && moment_of(v, &n)) {
		time_print_iso(iso, n);
		return json_new_text(iso);
	}
	return p->type == PARAM_INT && json_int(v, &n) ? json_new_int(n) : json_copy(v);
}

static bool take_param(const struct param *p, const struct json *in, struct json *out, struct err *e)
{
	const struct json *v = json_get(in, p->name);

	if (!v || json_is(v, JSON_NULL)) {
		if (p->required)
			return err_set(e, ERR_INVALID, "parameter %s is missing: %s", p->name, p->help ? p->help : "it is required");
		json_put(out, p->name, default_of(p));
		return true;
	}
	if (!check_value(p, v, e))
		return false;
	json_put(out, p->name, normal_copy(p, v));
	return true;
}

static bool is_known(const struct param *table, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(table[i].name, name) == 0)
			return true;
	}
	return false;
}

static bool refuse_unknown(const struct param *table, size_t n, const struct json *in, struct err *e)
{
	struct buf names = {0};

	for (const struct json *c = json_first(in); c; c = json_next(c)) {
		if (is_known(table, n, json_key(c)))
			continue;
		for (size_t i = 0; i < n; i++)
			buf_addf(&names, "%s%s", i ? ", " : "", table[i].name);
		err_set(e, ERR_INVALID, "there is no parameter %.*s; there are: %s", SHOWN_MAX, json_key(c), n ? buf_text(&names) : "none");
		buf_close(&names);
		return false;
	}
	return true;
}

struct json *params_check(const struct param *table, size_t n, const struct json *in, bool unknown_ok, struct err *e)
{
	struct json *out;

	if (in && !json_is(in, JSON_OBJECT)) {
		err_set(e, ERR_INVALID, "the parameters must be a JSON object");
		return NULL;
	}
	if (!unknown_ok && !refuse_unknown(table, n, in, e))
		return NULL;
	out = json_new_object();
	for (size_t i = 0; i < n; i++) {
		if (take_param(&table[i], in, out, e))
			continue;
		json_close(&out);
		return NULL;
	}
	return out;
}

/* ---- JSON Schema */

static const char *const schema_types[] = {
        [PARAM_TEXT] = "string",
        [PARAM_INT] = "integer",
        [PARAM_NUMBER] = "number",
        [PARAM_FLAG] = "boolean",
        [PARAM_CHOICE] = "string",
        [PARAM_TIME] = "string",
        [PARAM_DATE] = "string",
        [PARAM_TEXTS] = "array",
        [PARAM_OBJECT] = "object",
};

static void schema_limit(struct json_writer *w, const char *key, double v)
{
	if (v == (double)(int64_t)v)
		jw_int(w, key, (int64_t)v);
	else
		jw_double(w, key, v);
}

static void schema_limits(const struct param *p, struct json_writer *w)
{
	static const char *const keys[][2] = {[PARAM_TEXT] = {"minLength", "maxLength"},
	        [PARAM_INT] = {"minimum", "maximum"},
	        [PARAM_NUMBER] = {"minimum", "maximum"},
	        [PARAM_TEXTS] = {"minItems", "maxItems"}};

	if (!is_limited(p) || (size_t)p->type >= ARRAY_LEN(keys) || !keys[p->type][0])
		return;
	schema_limit(w, keys[p->type][0], p->min);
	schema_limit(w, keys[p->type][1], p->max);
}

static void schema_choices(const struct param *p, struct json_writer *w)
{
	char word[64];

	jw_array(w, "enum");
	for (const char *c = p->choices; *c; c += *c == '|') {
		size_t n = strcspn(c, "|");

		if (str_copy_n(word, sizeof(word), c, n))
			jw_text(w, NULL, word);
		c += n;
	}
	jw_end(w);
}

static void schema_param(const struct param *p, struct json_writer *w)
{
	jw_object(w, p->name);
	if (p->type == PARAM_TIME)
		jw_raw(w, "type", "[\"string\",\"integer\"]");
	else
		jw_text(w, "type", schema_types[p->type]);
	if (p->type == PARAM_TEXTS) {
		jw_object(w, "items");
		jw_text(w, "type", "string");
		jw_int(w, "minLength", 1);
		jw_int(w, "maxLength", 64);
		jw_end(w);
	}
	if (p->type == PARAM_CHOICE)
		schema_choices(p, w);
	if (p->type == PARAM_DATE)
		jw_text(w, "format", "date");
	if (p->type == PARAM_TIME)
		jw_text(w, "pattern",
		        "^(\\d{4}-\\d{2}-\\d{2}([ Tt]\\d{2}:\\d{2}(:\\d{2}(\\.\\d+)?)?([Zz]|[+-]\\d{2}:\\d{2})?)?|\\d{12,15})$");
	schema_limits(p, w);
	if (p->fallback)
		jw_raw(w, "default", p->fallback);
	if (p->help)
		jw_text(w, "description", p->help);
	if (p->unit && *p->unit)
		jw_text(w, "x-unit", p->unit);
	jw_end(w);
}

void params_schema(const struct param *table, size_t n, struct json_writer *w, const char *key)
{
	jw_object(w, key);
	jw_text(w, "$schema", "https://json-schema.org/draft/2020-12/schema");
	jw_text(w, "type", "object");
	jw_object(w, "properties");
	for (size_t i = 0; i < n; i++)
		schema_param(&table[i], w);
	jw_end(w);
	jw_array(w, "required");
	for (size_t i = 0; i < n; i++) {
		if (table[i].required)
			jw_text(w, NULL, table[i].name);
	}
	jw_end(w);
	jw_bool(w, "additionalProperties", false);
	jw_end(w);
}
