/* inputs.c -- finds, checks and replaces the values that stand for other jobs' results. */
#include "kinds/inputs.h"

#include <string.h>

#include "base/str.h"

#define REFERENCE "$result"
#define NAME_SIZE 64

static bool is_reference(const struct json *v)
{
	return json_is(v, JSON_OBJECT) && json_get(v, REFERENCE) != NULL;
}

static bool holds_reference(const struct json *v)
{
	if (is_reference(v))
		return true;
	if (!json_is(v, JSON_OBJECT) && !json_is(v, JSON_ARRAY))
		return false;
	for (const struct json *c = json_first(v); c != NULL; c = json_next(c))
		if (holds_reference(c))
			return true;
	return false;
}

/* The name that it begins with into name; returns the path behind it, "" for none, NULL when it is malformed. */
static const char *split(const struct json *reference, char name[NAME_SIZE])
{
	const char *text = json_text(json_get(reference, REFERENCE));
	size_t len = text != NULL ? strcspn(text, ".") : 0;
	if (text == NULL || json_count(reference) != 1 || len == 0 || !str_copy_n(name, NAME_SIZE, text, len))
		return NULL;
	if (text[len] == '\0')
		return "";
	return text[len + 1] != '\0' ? text + len + 1 : NULL;
}

static bool malformed(struct err *e)
{
	return err_set(e, ERR_INVALID,
	        "a value that stands for a result is {\"" REFERENCE "\": \"name\"} or {\"" REFERENCE "\": \"name.path\"} and nothing else");
}

static bool reference_check(const struct json *v, const char *const *names, size_t n, struct err *e)
{
	char name[NAME_SIZE];
	if (split(v, name) == NULL)
		return malformed(e);
	for (size_t i = 0; i < n; i++)
		if (str_eq(names[i], name))
			return true;
	return err_set(e, ERR_INVALID, "\"" REFERENCE "\": \"%.80s\" names a job that this one does not wait for: name it in after",
	        json_get_text(v, REFERENCE, ""));
}

bool inputs_check(const struct json *params, const char *const *names, size_t n, struct err *e)
{
	if (is_reference(params))
		return reference_check(params, names, n, e);
	if (!json_is(params, JSON_OBJECT) && !json_is(params, JSON_ARRAY))
		return true;
	for (const struct json *c = json_first(params); c != NULL; c = json_next(c))
		if (!inputs_check(c, names, n, e))
			return false;
	return true;
}

/* ---- checking what is known already */

/* The table without the parameters that are not known yet. */
static size_t known_table(const struct kind *k, const struct json *params, struct param *out)
{
	size_t n = 0;
	for (size_t i = 0; i < k->n_params; i++)
		if (!holds_reference(json_get(params, k->params[i].name)))
			out[n++] = k->params[i];
	return n;
}

static struct json *known_params(const struct kind *k, const struct json *params)
{
	struct json *known = json_copy(params);
	for (size_t i = 0; i < k->n_params; i++)
		if (holds_reference(json_get(params, k->params[i].name)))
			json_remove(known, k->params[i].name);
	return known;
}

struct json *inputs_kind_check(const struct kind *k, const struct json *params, bool *open_out, struct err *e)
{
	*open_out = holds_reference(params);
	if (!*open_out)
		return kind_check(k, params, false, e);
	struct json *shaped = k->shape != NULL ? k->shape(params) : NULL;
	const struct json *all = shaped != NULL ? shaped : params;
	struct param *table = mem_array(k->n_params + 1, sizeof(*table));
	struct json *known = known_params(k, all);
	struct json *checked = params_check(table, known_table(k, all, table), known, false, e);
	bool ok = checked != NULL;
	json_close(&checked);
	json_close(&known);
	json_close(&shaped);
	mem_free(&table);
	return ok ? json_copy(params) : NULL;
}

/* ---- replacing */

static const struct json *step_into(const struct json *v, const char *part)
{
	int64_t i;
	if (json_is(v, JSON_OBJECT))
		return json_get(v, part);
	return json_is(v, JSON_ARRAY) && str_int(part, 0, INT32_MAX, &i) ? json_at(v, (size_t)i) : NULL;
}

/* NULL: there is no such part. */
static const struct json *follow(const struct json *v, const char *path)
{
	char part[200];
	while (v != NULL && *path != '\0') {
		size_t len = strcspn(path, ".");
		if (!str_copy_n(part, sizeof(part), path, len))
			return NULL;
		v = step_into(v, part);
		path += len + (path[len] == '.');
	}
	return v;
}

static struct json *resolve(const struct json *reference, const struct json *inputs, struct err *e)
{
	char name[NAME_SIZE];
	const char *path = split(reference, name);
	if (path == NULL) {
		malformed(e);
		return NULL;
	}
	const struct json *result = json_get(inputs, name);
	const struct json *found = result != NULL ? follow(result, path) : NULL;
	if (found != NULL)
		return json_copy(found);
	if (result == NULL)
		err_set(e, ERR_INVALID, "there is no result of a job '%s' to take \"%.80s\" from", name,
		        json_get_text(reference, REFERENCE, ""));
	else
		err_set(e, ERR_INVALID, "the result of job '%s' has no '%.80s'", name, path);
	return NULL;
}

struct json *inputs_apply(const struct json *params, const struct json *inputs, struct err *e)
{
	if (is_reference(params))
		return resolve(params, inputs, e);
	if (!holds_reference(params))
		return json_copy(params);
	struct json *out = json_is(params, JSON_OBJECT) ? json_new_object() : json_new_array();
	for (const struct json *c = json_first(params); c != NULL; c = json_next(c)) {
		struct json *v = inputs_apply(c, inputs, e);
		if (v == NULL) {
			json_close(&out);
			return NULL;
		}
		if (json_is(params, JSON_OBJECT))
			json_put(out, json_key(c), v);
		else
			json_push(out, v);
	}
	return out;
}
