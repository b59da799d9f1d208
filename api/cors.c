/* cors.c -- which web pages may call: the headers of answers, and the preflight, as the origin gives them. */
#include "api/cors.h"

#include <string.h>

#include "api/reply.h"
#include "base/str.h"

#define EXPOSED "ETag, Idempotent-Replayed, Link, Location, Preference-Applied, RateLimit, RateLimit-Policy, Retry-After"

static const char methods[] = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT";

bool cors_allows(const char *list, const char *origin)
{
	size_t len = strlen(origin);

	for (const char *s = list; *s;) {
		size_t n = strcspn(s, ", ");

		if ((n == len && memcmp(s, origin, len) == 0) || (n == 1 && *s == '*'))
			return true;
		s += n;
		s += strspn(s, ", ");
	}
	return false;
}

void cors_headers(struct call *c)
{
	const char *origin = http_header(c->r, "Origin");

	if (!origin)
		return;
	reply_header(c, "access-control-allow-credentials", "true");
	if (!cors_allows(c->api->cors_origins, origin))
		return;
	reply_header(c, "access-control-allow-origin", origin);
	reply_header(c, "access-control-expose-headers", EXPOSED);
	reply_header(c, "vary", "Origin");
}

static bool method_known(const char *method)
{
	const char *at = strstr(methods, method);

	return *method && at && (at == methods || at[-1] == ' ') && strchr(", ", at[strlen(method)]);
}

/* The sentence lists what was refused, in the origin's words and order. */
static void preflight_answer(struct call *c, bool origin_ok, bool method_ok)
{
	if (origin_ok && method_ok)
		reply_text(c, 200, "text/plain; charset=utf-8", "OK");
	else if (origin_ok)
		reply_text(c, 400, "text/plain; charset=utf-8", "Disallowed CORS method");
	else
		reply_text(c, 400, "text/plain; charset=utf-8", method_ok ? "Disallowed CORS origin" : "Disallowed CORS origin, method");
}

bool cors_preflight(struct call *c)
{
	const char *origin = http_header(c->r, "Origin"), *method = http_header(c->r, "Access-Control-Request-Method");
	const char *headers = http_header(c->r, "Access-Control-Request-Headers");

	if (!origin || !method || !str_eq(http_method(c->r), "OPTIONS"))
		return false;
	bool origin_ok = cors_allows(c->api->cors_origins, origin);
	reply_header(c, "vary", "Origin");
	reply_header(c, "access-control-allow-methods", methods);
	reply_header(c, "access-control-max-age", "600");
	reply_header(c, "access-control-allow-credentials", "true");
	if (origin_ok)
		reply_header(c, "access-control-allow-origin", origin);
	if (headers)
		reply_header(c, "access-control-allow-headers", headers);
	preflight_answer(c, origin_ok, method_known(method));
	return true;
}
