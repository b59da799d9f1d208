/* routes.h -- declares every handler that routes.def names; each route_NOUN.c includes it for the ones that it defines. */
#ifndef API_ROUTES_H
#define API_ROUTES_H

#include "api/api.h"

#define ROUTE(method, path, handle, title) void handle(struct call *c);
#include "api/routes.def"
#undef ROUTE

#endif
