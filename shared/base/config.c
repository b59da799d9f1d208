/* config.c -- settings of a program, from the environment, checked against its table. */
#include "base/config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

extern char **environ;

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit ms_units[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
static const struct unit byte_units[] = {{"", 1}, {"k", 1024}, {"m", 1024 * 1024}, {"g", 1024 * 1024 * 1024}};

static const char *const type_help[] = {
        [SETTING_text] = "any text",
        [SETTING_int] = "a whole number",
        [SETTING_ms] = "a time such as 500ms, 30s, 5m or 2h",
        [SETTING_bytes] = "a size such as 512, 64k, 16m or 1g",
        [SETTING_flag] = "yes or no",
};

/* digits and a unit of the list, e.g. "30s". */
static bool parse_with_unit(const char *s, const struct unit *units, size_t n, int64_t *out)
{
	size_t digits = strspn(s, "0123456789");
	char number[24];
	int64_t v;

	if (!str_copy_n(number, sizeof(number), s, digits) || !str_int(number, 0, INT64_MAX, &v))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(s + digits, units[i].name) == 0)
			return !__builtin_mul_overflow(v, units[i].factor, out);
	}
	return false;
}

static bool parse_flag(const char *s, int64_t *out)
{
	static const char *const words[] = {"no", "yes", "0", "1", "false", "true", "off", "on"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(s, words[i]) == 0) {
			*out = (int64_t)(i % 2);
			return true;
		}
	}
	return false;
}

static bool parse_value(const struct setting *s, const char *text, union setting_value *out)
{
	switch (s->type) {
	case SETTING_text:
		out->text = text;
		return true;
	case SETTING_int:
		return str_int(text, INT64_MIN, INT64_MAX, &out->number);
	case SETTING_ms:
		return parse_with_unit(text, ms_units, ARRAY_LEN(ms_units), &out->number);
	case SETTING_bytes:
		return parse_with_unit(text, byte_units, ARRAY_LEN(byte_units), &out->number);
	case SETTING_flag:
		return parse_flag(text, &out->number);
	}
	return false;
}

static bool within_limits(const struct setting *s, int64_t v)
{
	if (s->type == SETTING_text || s->type == SETTING_flag)
		return true;
	if (s->min == 0 && s->max == 0)
		return v >= 0;
	return v >= s->min && v <= s->max;
}

bool config_load(const struct setting *settings, size_t n, union setting_value *values, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		const struct setting *s = &settings[i];
		const char *text = getenv(s->name);

		/* Set but empty is what docker-compose makes of an absent variable: it counts as not set. */
		if (!text || !*text)
			text = s->fallback;
		if (!parse_value(s, text, &values[i]))
			return err_set(e, ERR_INVALID, "%s is \"%s\" but must be %s", s->name, text, type_help[s->type]);
		if (within_limits(s, values[i].number))
			continue;
		if (s->min == 0 && s->max == 0)
			return err_set(e, ERR_INVALID, "%s is \"%s\" but must not be negative", s->name, text);
		return err_set(e, ERR_INVALID, "%s is \"%s\" but must be between %" PRId64 " and %" PRId64, s->name, text, s->min, s->max);
	}
	return true;
}

/* How many letters must be changed, added or dropped to make a into b. */
static size_t edit_distance(const char *a, const char *b)
{
	enum { MAX = 64 };
	size_t row[MAX + 1];
	size_t n = strlen(b);

	if (n > MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; *a; a++, i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t best = diagonal + (*a != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[n];
}

static const char *nearest_name(const struct setting *settings, size_t n, const char *name)
{
	const char *best = NULL;
	size_t least = SIZE_MAX;

	for (size_t i = 0; i < n; i++) {
		size_t d = edit_distance(name, settings[i].name);

		if (d < least) {
			least = d;
			best = settings[i].name;
		}
	}
	return best;
}

static bool is_known(const struct setting *settings, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(settings[i].name, name) == 0)
			return true;
	}
	return false;
}

/* Kubernetes puts BARQUE_API_SERVICE_HOST, BARQUE_API_PORT=tcp://... and the like into every container of a namespace. */
static bool is_from_kubernetes(const char *name, const char *value)
{
	return strstr(name, "_SERVICE_HOST") || strstr(name, "_SERVICE_PORT") || strstr(name, "_TCP_") || str_starts(value, "tcp://");
}

static bool has_prefix(const char *name, const char *const *prefixes)
{
	for (; *prefixes; prefixes++) {
		if (str_starts(name, *prefixes))
			return true;
	}
	return false;
}

bool config_refuse_unknown(const struct setting *settings, size_t n, const char *const *prefixes, struct err *e)
{
	for (char **entry = environ; entry && *entry; entry++) {
		const char *equals = strchr(*entry, '=');
		char name[128];
		const char *near;

		/* What does not fit is longer than any name of ours. */
		if (!equals || !has_prefix(*entry, prefixes) || !str_copy_n(name, sizeof(name), *entry, (size_t)(equals - *entry)))
			continue;
		if (is_known(settings, n, name) || is_from_kubernetes(name, equals + 1))
			continue;
		near = nearest_name(settings, n, name);
		return err_set(e, ERR_INVALID, "%s is no setting of this program%s%s%s", name, near ? "; did you mean " : "",
		        near ? near : "", near ? "?" : "");
	}
	return true;
}

void config_help(FILE *out, const struct setting *settings, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct setting *s = &settings[i];

		fprintf(out, "  %-28s %s", s->name, s->help);
		if (s->type != SETTING_text)
			fprintf(out, "; %s", type_help[s->type]);
		if (s->type != SETTING_text && s->type != SETTING_flag && (s->min || s->max))
			fprintf(out, ", %" PRId64 " to %" PRId64, s->min, s->max);
		fprintf(out, " (default: %s)\n", *s->fallback ? s->fallback : "none");
	}
}
