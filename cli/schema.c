/* schema.c -- turns NAME=VALUE words into typed JSON by the parameter schema that the API publishes for a job kind. */
#include "cli/schema.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

struct json *schema_kind(struct cli *c, const char *kind, struct err *e)
{
	struct json *all = api_call(c, "GET", "/api/kinds", NULL, NULL, e);
	if (!all)
		return NULL;
	struct buf names = {0};
	struct json *found = NULL;
	for (const struct json *k = json_first(json_get(all, "kinds")); k && !found; k = json_next(k)) {
		const char *name = json_get_text(k, "name", "");
		buf_addf(&names, "%s%s", names.len ? ", " : "", name);
		if (str_eq(name, kind))
			found = json_copy(k);
	}
	if (!found)
		err_set(e, ERR_NOT_FOUND, "there is no kind '%s'; there are: %s", kind, buf_text(&names));
	buf_close(&names);
	json_close(&all);
	return found;
}

/* A schema's type may be "integer" or ["integer","null"]: the first that is not null. */
static const char *type_of(const struct json *property)
{
	const struct json *type = json_get(property, "type");
	if (json_text(type))
		return json_text(type);
	for (const struct json *t = json_first(type); t; t = json_next(t))
		if (!str_eq(json_text(t), "null"))
			return json_text(t) ? json_text(t) : "string";
	return "string";
}

static struct json *texts_of(const char *value)
{
	struct json *list = json_new_array();
	while (*value) {
		size_t len = strcspn(value, ",");
		char *item = mem_strndup(value, len);
		json_push(list, json_new_text(item));
		mem_free(&item);
		value += len + (value[len] == ',');
	}
	return list;
}

/* NULL when the value does not read as the type. */
static struct json *value_of(const char *type, const char *value)
{
	int64_t whole;
	double number;
	struct err ignored = {0};
	if (str_eq(type, "integer") && str_int(value, INT64_MIN, INT64_MAX, &whole))
		return json_new_int(whole);
	if ((str_eq(type, "number") || str_eq(type, "integer")) && str_double(value, &number))
		return json_new_double(number);
	if (str_eq(type, "boolean") && (str_eq(value, "true") || str_eq(value, "yes")))
		return json_new_bool(true);
	if (str_eq(type, "boolean") && (str_eq(value, "false") || str_eq(value, "no")))
		return json_new_bool(false);
	if (str_eq(type, "array"))
		return texts_of(value);
	if (str_eq(type, "object"))
		return json_parse(value, strlen(value), &ignored);
	return str_eq(type, "string") ? json_new_text(value) : NULL;
}

bool schema_put(const struct json *kind, struct json *params, const char *name, const char *value, struct err *e)
{
	const struct json *property = json_get(json_get(json_get(kind, "params"), "properties"), name);
	const char *type = property ? type_of(property) : "string";
	struct json *typed = value_of(type, value);
	if (!typed)
		return err_set(e, ERR_INVALID, "%s=%s is not of type %s", name, value, type);
	json_put(params, name, typed);
	return true;
}

static bool put_word(const struct json *kind, struct json *params, const char *word, struct err *e)
{
	const char *equals = strchr(word, '=');
	if (!equals || equals == word)
		return err_set(e, ERR_INVALID, "'%s' is not NAME=VALUE", word);
	char *name = mem_strndup(word, (size_t)(equals - word));
	bool ok = schema_put(kind, params, name, equals + 1, e);
	mem_free(&name);
	return ok;
}

bool schema_put_all(
        const struct cli *c, const struct command *command, size_t first_word, const struct json *kind, struct json *params, struct err *e)
{
	for (size_t i = first_word; i < c->n_words; i++)
		if (!put_word(kind, params, c->words[i], e))
			return false;
	for (size_t i = 0; i < c->n_sets; i++)
		if (!args_is_known(command, c->sets[i].name) && !schema_put(kind, params, c->sets[i].name, c->sets[i].value, e))
			return false;
	return true;
}

struct json *schema_params(const struct cli *c, const struct command *command, size_t first_word, const struct json *kind, struct err *e)
{
	const char *text = args_get(c, "params", NULL);
	struct json *params = text ? json_parse(text, strlen(text), e) : json_new_object();
	if (!params) {
		err_prefix(e, "--params");
		return NULL;
	}
	if (!json_is(params, JSON_OBJECT))
		err_set(e, ERR_INVALID, "--params must be a JSON object");
	else if (schema_put_all(c, command, first_word, kind, params, e))
		return params;
	json_close(&params);
	return NULL;
}

static bool is_required(const struct json *schema, const char *name)
{
	for (const struct json *r = json_first(json_get(schema, "required")); r; r = json_next(r))
		if (str_eq(json_text(r), name))
			return true;
	return false;
}

void schema_help(const struct json *kind, FILE *out)
{
	const struct json *schema = json_get(kind, "params");
	const char *queue = json_get_text(kind, "queue", NULL); /* a strategy has none */
	fprintf(out, "%s - %s%s%s%s\n\nParameters, as NAME=VALUE or --NAME VALUE:\n", json_get_text(kind, "name", "?"),
	        json_get_text(kind, "title", ""), queue ? " (queue " : "", queue ? queue : "", queue ? ")" : "");
	for (const struct json *p = json_first(json_get(schema, "properties")); p; p = json_next(p)) {
		struct buf fallback = {0};
		const struct json *value = json_get(p, "default");
		if (is_required(schema, json_key(p)))
			buf_adds(&fallback, "required");
		else if (value)
			json_print(value, &fallback);
		fprintf(out, "  %-20s %-8s %-12s %s\n", json_key(p), type_of(p), buf_text(&fallback), json_get_text(p, "description", ""));
		buf_close(&fallback);
	}
}
