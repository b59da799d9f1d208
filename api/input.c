/* input.c -- what requests bring: JSON bodies, query parameters and the Prefer header, all checked. */
#include "api/input.h"

#include <string.h>
#include <strings.h>

#include "api/reply.h"
#include "base/str.h"

/* A page of another origin can send anything but JSON without asking first (CORS "simple requests"), so anything else is refused. */
static bool type_ok(struct call *c)
{
	const char *type = http_header(c->r, "Content-Type");

	if (!type)
		return http_header(c->r, "Origin") == NULL;
	size_t len = strcspn(type, "; ");
	return (len == 16 && strncasecmp(type, "application/json", 16) == 0) ||
	       (len > 5 && strncasecmp(type, "application/", 12) == 0 && strncasecmp(type + len - 5, "+json", 5) == 0);
}

struct json *input_object(struct call *c, bool empty_ok)
{
	struct err e = {0};
	size_t len;
	const char *body = http_body(c->r, &len);

	if (len == 0 && empty_ok)
		return json_new_object();
	if (!type_ok(c)) {
		reply_detail(c, 415, "the body must be JSON, sent with Content-Type: application/json");
		return NULL;
	}
	if (len == 0) {
		reply_detail(c, c->problems ? 400 : 422, "the body is empty, but must be a JSON object");
		return NULL;
	}
	struct json *j = json_parse(body, len, &e);
	if (!j) {
		reply_detail(c, c->problems ? 400 : 422, "the body is %s", e.text);
		return NULL;
	}
	if (!json_is(j, JSON_OBJECT)) {
		reply_detail(c, 422, "the body must be a JSON object");
		json_close(&j);
	}
	return j;
}

static bool wants_number(const struct param *table, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(table[i].name, name))
			return table[i].type == PARAM_NUMBER || table[i].type == PARAM_INT;
	return false;
}

/* The origin's validation took numbers in quotes and null for absent; its clients may count on it. */
static struct json *tolerant(const struct json *in, const struct param *table, size_t n)
{
	struct json *out = json_new_object();

	for (const struct json *m = json_first(in); m; m = json_next(m)) {
		double v;

		if (json_is(m, JSON_NULL))
			continue;
		if (json_is(m, JSON_STRING) && wants_number(table, n, json_key(m)) && str_double(json_text(m), &v))
			json_put_double(out, json_key(m), v);
		else
			json_put(out, json_key(m), json_copy(m));
	}
	return out;
}

struct json *input_params(struct call *c, const struct param *table, size_t n)
{
	struct err e = {0};
	struct json *body = input_object(c, false);

	if (!body)
		return NULL;
	struct json *given = tolerant(body, table, n);
	struct json *params = params_check(table, n, given, true, &e);
	json_close(&given);
	json_close(&body);
	if (!params)
		reply_detail(c, 422, "%s", e.text);
	return params;
}

bool input_query_int(struct call *c, const char *name, int64_t min, int64_t max, int64_t fallback, int64_t *out)
{
	const char *text = http_query(c->r, name);

	*out = fallback;
	if (!text || !*text || str_int(text, min, max, out))
		return true;
	reply_detail(c, 422, "%s is '%s', but must be a whole number from %lld to %lld", name, reply_excerpt(c, text), (long long)min,
	        (long long)max);
	return false;
}

static void prefer_take(const char *item, size_t len, struct prefer *out)
{
	char text[32];
	int64_t seconds;

	if (!str_copy_n(text, sizeof text, item, len))
		return;
	if (strcasecmp(text, "respond-async") == 0)
		out->async = true;
	else if (strncasecmp(text, "wait=", 5) == 0 && str_int(text + 5, 0, 86400, &seconds))
		out->wait_ms = seconds * 1000;
}

void input_prefer(struct call *c, struct prefer *out)
{
	const char *s = http_header(c->r, "Prefer");

	*out = (struct prefer){.wait_ms = -1};
	while (s && *s) {
		size_t len = strcspn(s, ",; ");

		prefer_take(s, len, out);
		s += len;
		s += strspn(s, ",; ");
	}
}

int64_t input_wait_cap(const struct call *c, int64_t wait_ms)
{
	return wait_ms < c->api->wait_max_ms ? wait_ms : c->api->wait_max_ms;
}

struct json *input_query(struct call *c, const struct param *table, size_t n)
{
	struct json *in = json_new_object();

	for (size_t i = 0; i < n; i++) {
		const char *text = http_query(c->r, table[i].name);
		int64_t number;

		if (!text || !*text)
			continue;
		if (table[i].type == PARAM_INT && str_int(text, INT64_MIN / 2, INT64_MAX / 2, &number))
			json_put_int(in, table[i].name, number);
		else
			json_put_text(in, table[i].name, text);
	}
	return in;
}
