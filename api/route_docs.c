/* route_docs.c -- the contract, served by the program itself: the OpenAPI document and a page made of the table of routes. */
#include "api/reply.h"
#include "api/routes.h"

/* openapi.yaml is written in the JSON form of YAML, so that one text serves both names. */
extern const char _binary_api_openapi_yaml_start[], _binary_api_openapi_yaml_end[];

static void openapi(struct call *c, const char *type)
{
	struct buf body = {0};

	buf_add(&body, _binary_api_openapi_yaml_start, (size_t)(_binary_api_openapi_yaml_end - _binary_api_openapi_yaml_start));
	reply_bytes(c, 200, type, &body);
}

void route_openapi_json(struct call *c)
{
	openapi(c, "application/json");
}

void route_openapi_yaml(struct call *c)
{
	openapi(c, "application/yaml");
}

static const char head[] = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Barque HTTP API</title><style>"
                           "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
                           "td{padding:.2rem .8rem .2rem 0;vertical-align:top}code{font-family:ui-monospace,monospace}"
                           "@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}a{color:#8bf}}</style>"
                           "<h1>Barque HTTP API</h1><p>The whole contract: <a href=\"/openapi.json\">openapi.json</a>, "
                           "<a href=\"/openapi.yaml\">openapi.yaml</a>. Kinds of jobs and their parameters: "
                           "<a href=\"/api/kinds\">/api/kinds</a>. Errors carry <code>{\"detail\": \"a sentence\"}</code>.</p><table>";

void route_docs(struct call *c)
{
	struct buf page = {0};
	size_t n;
	const struct route *table = routes_table(&n);

	buf_adds(&page, head);
	for (size_t i = 0; i < n; i++)
		buf_addf(&page, "<tr><td><code>%s</code><td><code>%s</code><td>%s\n", table[i].method, table[i].path, table[i].title);
	buf_adds(&page, "</table></html>\n");
	reply_bytes(c, 200, "text/html; charset=utf-8", &page);
}
