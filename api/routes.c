/* routes.c -- the program's table of routes, from routes.def. */
#include "api/routes.h"

static const struct route routes[] = {
#define ROUTE(method, path, handle, title) {method, path, handle, title},
#include "api/routes.def"
#undef ROUTE
};

const struct route *routes_table(size_t *n_out)
{
	*n_out = ARRAY_LEN(routes);
	return routes;
}
