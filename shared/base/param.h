/* param.h -- a table of parameters as data: from it come checking, defaults, JSON Schema, CLI flags and the console's form. */
#ifndef BASE_PARAM_H
#define BASE_PARAM_H

#include "base/base.h"
#include "base/err.h"
#include "base/json.h"

enum param_type {
	PARAM_TEXT,   /* min..max: length in bytes */
	PARAM_INT,    /* whole number; 20.0 is 20 */
	PARAM_NUMBER, /* finite double */
	PARAM_FLAG,
	PARAM_CHOICE, /* one of `choices` */
	PARAM_TIME,   /* what time_parse_any takes, or milliseconds; becomes a text that time_parse takes */
	PARAM_DATE,   /* YYYY-MM-DD */
	PARAM_TEXTS,  /* array of texts, each at most 64 bytes; max: items */
	PARAM_OBJECT  /* checked by the kind itself */
};

struct param {
	const char *name;
	enum param_type type;
	bool required;
	const char *fallback; /* JSON text of the default; NULL: null when absent */
	double min, max;      /* both 0: no limit */
	const char *choices;  /* "a|b|c" for PARAM_CHOICE */
	const char *help;     /* one line */
	const char *unit;     /* "ms", "%", "" or NULL */
};

/* Check `in` (an object, or NULL for {}) against table[n]: unknown names, missing ones, types and limits. Gives a new object with
 * every parameter in table order (defaults filled in), or NULL with ERR_INVALID and a sentence that names the parameter, the
 * value met and what is right. unknown_ok: unknown members are dropped instead (the origin's routes). */
struct json *params_check(const struct param *table, size_t n, const struct json *in, bool unknown_ok, struct err *e) MUST_CHECK;
/* JSON Schema 2020-12 object of the table. */
void params_schema(const struct param *table, size_t n, struct json_writer *w, const char *key);

#endif
