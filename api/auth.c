/* auth.c -- the bearer token of API_TOKEN, compared in a time that does not depend on where it differs. */
#include "api/auth.h"

#include <string.h>
#include <strings.h>

#include "api/reply.h"
#include "base/str.h"

static bool is_probe(const char *path)
{
	static const char *const probes[] = {"/health", "/api/health", "/livez", "/readyz"};

	for (size_t i = 0; i < ARRAY_LEN(probes); i++)
		if (str_eq(path, probes[i]))
			return true;
	return false;
}

static bool token_equal(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b);
	unsigned char differs = a_len != b_len;

	for (size_t i = 0; i < a_len; i++)
		differs |= (unsigned char)a[i] ^ (unsigned char)(b_len ? b[i % b_len] : 1);
	return !differs;
}

bool auth_check(struct call *c)
{
	const char *given = http_header(c->r, "Authorization");

	if (!*c->api->token || is_probe(http_path(c->r)))
		return true;
	if (given && strncasecmp(given, "Bearer ", 7) == 0 && token_equal(given + 7, c->api->token))
		return true;
	reply_header(c, "WWW-Authenticate", "Bearer");
	reply_detail(c, 401,
	        given ? "the token in the Authorization header is not the right one"
	              : "this server wants a token: send the header Authorization: Bearer <token>");
	return false;
}
