/* router.c -- finds the route of a method and a path by walking the table: a few dozen rows need no tree. */
#include "api/router.h"

#include <string.h>

#include "base/str.h"

/* Take the next part of a path: from after the slash to before the next one. */
static size_t part_len(const char *s)
{
	return strcspn(s, "/");
}

static bool part_is_name(const char *pattern, size_t len)
{
	return len > 2 && pattern[0] == '{' && pattern[len - 1] == '}';
}

static bool part_take(const char *pattern, size_t pattern_len, const char *path, size_t path_len, struct route_match *m)
{
	if (!part_is_name(pattern, pattern_len))
		return pattern_len == path_len && memcmp(pattern, path, path_len) == 0;
	if (path_len == 0 || m->n == ROUTE_PARTS)
		return false;
	m->parts[m->n++] = (struct route_part){pattern + 1, path, pattern_len - 2, path_len};
	return true;
}

static bool pattern_match(const char *pattern, const char *path, struct route_match *m)
{
	m->n = 0;
	while (*pattern == '/' && *path == '/') {
		size_t pattern_len = part_len(++pattern), path_len = part_len(++path);

		if (!part_take(pattern, pattern_len, path, path_len, m))
			return false;
		pattern += pattern_len;
		path += path_len;
	}
	return *pattern == '\0' && *path == '\0';
}

static bool method_fits(const struct route *r, const char *method)
{
	return str_eq(r->method, method) || (str_eq(method, "HEAD") && str_eq(r->method, "GET"));
}

static void allow_add(char allow[64], const char *method)
{
	size_t len = strlen(allow), need = strlen(method);

	if (len + need + 3 > 64)
		return; /* every method of HTTP once needs 47 */
	if (len > 0) {
		memcpy(allow + len, ", ", 2);
		len += 2;
	}
	memcpy(allow + len, method, need + 1);
}

enum route_found route_find(const struct route *table, size_t n, const char *method, const char *path, const struct route **route_out,
        struct route_match *match_out, char allow_out[64])
{
	const struct route *best = NULL;
	struct route_match m;

	allow_out[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		if (!pattern_match(table[i].path, path, &m))
			continue;
		allow_add(allow_out, table[i].method);
		if (str_eq(table[i].method, "GET"))
			allow_add(allow_out, "HEAD");
		if (!method_fits(&table[i], method) || (best && match_out->n <= m.n))
			continue;
		best = &table[i];
		*match_out = m;
	}
	*route_out = best;
	if (best)
		return ROUTE_FOUND;
	return allow_out[0] ? ROUTE_NOT_ALLOWED : ROUTE_NOT_FOUND;
}
