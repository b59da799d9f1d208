/* dispatch.c -- what every request goes through: CORS, token, routing; then its handler. */
#include "api/api.h"
#include "api/auth.h"
#include "api/cors.h"
#include "api/reply.h"
#include "base/str.h"

const char *call_param(const struct call *c, const char *name)
{
	for (size_t i = 0; i < c->match.n; i++) {
		const struct route_part *p = &c->match.parts[i];
		char *text = arena_strndup(c->arena, p->name, p->name_len);

		if (str_eq(text, name))
			return arena_strndup(c->arena, p->value, p->value_len);
	}
	return ""; /* a handler asks for what its pattern has */
}

static enum api_role role_of(const struct api *api, int port)
{
	for (int i = ROLE_ALL + 1; i < ROLE_COUNT; i++)
		if (api->ports[i] == port)
			return (enum api_role)i;
	return ROLE_ALL; /* also when its port was picked by the server, and is not known by number */
}

static struct call *call_new(struct http_request *r, void *thread, struct api *api)
{
	struct call *c = arena_new(http_arena(r), sizeof *c);

	c->r = r;
	c->api = api;
	c->thread = thread;
	c->arena = http_arena(r);
	c->role = role_of(api, http_port(r));
	c->problems = str_starts(http_path(r), "/api/jobs") || str_starts(http_path(r), "/api/queues") ||
	              str_starts(http_path(r), "/api/dead") || str_starts(http_path(r), "/api/history") ||
	              str_starts(http_path(r), "/api/flows") || str_starts(http_path(r), "/api/schedules") ||
	              str_starts(http_path(r), "/api/workers") || str_starts(http_path(r), "/api/doctor");
	return c;
}

/* The origin's routes have the origin's words. */
static void refuse(struct call *c, enum route_found found, const char *allow)
{
	const char *path = reply_excerpt(c, http_path(c->r));

	if (found == ROUTE_NOT_ALLOWED)
		reply_header(c, "Allow", allow);
	if (c->problems && found == ROUTE_NOT_ALLOWED)
		reply_detail(c, 405, "%s cannot be asked for with %s, but with %s", path, http_method(c->r), allow);
	else if (c->problems)
		reply_detail(c, 404, "there is no %s; /docs lists what there is", path);
	else
		reply_detail(c, found == ROUTE_NOT_ALLOWED ? 405 : 404, found == ROUTE_NOT_ALLOWED ? "Method Not Allowed" : "Not Found");
}

void dispatch(struct http_request *r, void *thread, void *user)
{
	struct call *c = call_new(r, thread, user);
	char allow[64];
	size_t n;
	const struct route *table = routes_table(&n);

	if (cors_preflight(c))
		return;
	cors_headers(c);
	if (!auth_check(c))
		return;
	enum route_found found = route_find(table, n, http_method(r), http_path(r), &c->route, &c->match, allow);
	if (found == ROUTE_FOUND)
		c->route->handle(c);
	else
		refuse(c, found, allow);
}
