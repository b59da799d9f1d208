/* kind.c -- the registry of kinds, from kinds.def, and the check of their parameters. */
#include "kinds/kind.h"

#include <string.h>

#define KIND(name) extern const struct kind kind_##name;
#include "kinds/kinds.def"
#undef KIND

static const struct kind *const all[] = {
#define KIND(name) &kind_##name,
#include "kinds/kinds.def"
#undef KIND
};

const struct kind *kind_at(size_t i)
{
	return i < ARRAY_LEN(all) ? all[i] : NULL;
}

const struct kind *kind_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	return NULL;
}

void kind_log(struct job_context *c, const char *fmt, ...)
{
	struct buf line = {0};
	va_list ap;

	va_start(ap, fmt);
	buf_addv(&line, fmt, ap);
	va_end(ap);
	c->log(c, buf_text(&line));
	buf_close(&line);
}

int kind_oldest(const struct kind *k)
{
	return k->oldest_version > 0 && k->oldest_version < k->version ? k->oldest_version : k->version;
}

struct json *kind_check(const struct kind *k, const struct json *params, bool unknown_ok, struct err *e)
{
	struct json *shaped = k->shape != NULL && json_is(params, JSON_OBJECT) ? k->shape(params) : NULL;
	struct json *checked = params_check(k->params, k->n_params, shaped != NULL ? shaped : params, unknown_ok, e);
	json_close(&shaped);
	if (checked != NULL && k->check != NULL && !k->check(checked, e))
		json_close(&checked);
	return checked;
}
