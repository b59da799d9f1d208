/* router.h -- finds the route of a method and a path. Pure: the table is a parameter.
 *
 * A pattern is a path whose parts may be {names}: each name takes exactly one part, which is never empty.
 * Literal parts win over names: /api/jobs/{id} never hides /api/jobs/recent, whatever the order of the table.
 */
#ifndef API_ROUTER_H
#define API_ROUTER_H

#include "base/base.h"

#define ROUTE_PARTS 4 /* names in one pattern */

struct call;

struct route {
	const char *method; /* GET also answers HEAD */
	const char *path;
	void (*handle)(struct call *c);
	const char *title;
};

/* What the names took: slices of the pattern and of the path that was matched. */
struct route_match {
	size_t n;
	struct route_part {
		const char *name, *value;
		size_t name_len, value_len;
	} parts[ROUTE_PARTS];
};

enum route_found { ROUTE_FOUND, ROUTE_NOT_FOUND, ROUTE_NOT_ALLOWED };

/* ROUTE_FOUND fills *route_out and *match_out (valid as long as path). ROUTE_NOT_ALLOWED fills allow_out[64] for the Allow header. */
enum route_found route_find(const struct route *table, size_t n, const char *method, const char *path, const struct route **route_out,
        struct route_match *match_out, char allow_out[64]);

/* The program's table, from routes.def. */
const struct route *routes_table(size_t *n_out);

#endif
