/* redis_url.c -- the address of a Redis server, read from a URL. */
#include <string.h>

#include "queue/redis_private.h"

#define FORM "redis://[user:password@]host[:port][/db] or redis+unix:///path[?db=N]"

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %-decode s[len] into out[size]; NUL cannot be written so. */
static bool decode(char *out, size_t size, const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++, n++) {
		int c = (unsigned char)s[i];

		if (c == '%') {
			if (len - i < 3 || hex(s[i + 1]) < 0 || hex(s[i + 2]) < 0)
				return false;
			c = hex(s[i + 1]) * 16 + hex(s[i + 2]);
			i += 2;
		}
		if (n + 1 >= size || !c)
			return false;
		out[n] = (char)c;
	}
	out[n] = '\0';
	return true;
}

static bool read_login(const char *s, size_t len, struct redis_url *out)
{
	const char *colon = memchr(s, ':', len);
	size_t user = colon ? (size_t)(colon - s) : len;

	return colon && decode(out->user, sizeof(out->user), s, user) &&
	       decode(out->password, sizeof(out->password), colon + 1, len - user - 1);
}

static bool read_number(const char *s, size_t len, int64_t min, int64_t max, int *out)
{
	char text[16];
	int64_t v;

	if (!str_copy_n(text, sizeof(text), s, len) || !str_int(text, min, max, &v))
		return false;
	*out = (int)v;
	return true;
}

/* host, host:port or [v6]:port */
static bool read_host(const char *s, size_t len, struct redis_url *out)
{
	const char *end = s + len;
	const char *colon = memchr(s, ':', len);
	const char *bracket = s[0] == '[' ? memchr(s, ']', len) : NULL;

	if (s[0] == '[' && !bracket)
		return false;
	if (bracket) {
		colon = bracket + 1 < end ? bracket + 1 : NULL;
		if ((colon && *colon != ':') || !str_copy_n(out->host, sizeof(out->host), s + 1, (size_t)(bracket - s - 1)))
			return false;
	} else if (!str_copy_n(out->host, sizeof(out->host), s, colon ? (size_t)(colon - s) : len)) {
		return false;
	}
	if (colon && !read_number(colon + 1, (size_t)(end - colon - 1), 1, 65535, &out->port))
		return false;
	return out->host[0] != '\0';
}

static bool read_path(const char *s, struct redis_url *out)
{
	const char *query = strchr(s, '?');
	size_t len = query ? (size_t)(query - s) : strlen(s);

	if (query && (!str_starts(query, "?db=") || !read_number(query + 4, strlen(query + 4), 0, 1000000, &out->db)))
		return false;
	return len > 1 && s[0] == '/' && decode(out->path, sizeof(out->path), s, len);
}

static bool is_db(const char *s)
{
	return strspn(s, "0123456789") == strlen(s);
}

static bool read_rest(const char *s, bool is_unix, struct redis_url *out)
{
	size_t authority = strcspn(s, "/?");
	const char *at = memrchr(s, '@', authority);

	if (at) {
		if (!read_login(s, (size_t)(at - s), out))
			return false;
		authority -= (size_t)(at + 1 - s);
		s = at + 1;
	}
	if (is_unix || (!authority && *s == '/' && !is_db(s + 1)))
		return !authority && read_path(s, out);
	if (authority ? !read_host(s, authority, out) : !str_copy(out->host, sizeof(out->host), "127.0.0.1"))
		return false;
	s += authority;
	return !s[0] || !s[1] || (s[0] == '/' && read_number(s + 1, strlen(s + 1), 0, 1000000, &out->db));
}

bool redis_url_parse(const char *url, struct redis_url *out, struct err *e)
{
	const char *rest = strstr(url, "://");
	bool is_unix = str_starts(url, "redis+unix://");

	memset(out, 0, sizeof(*out));
	out->port = 6379;
	if (str_starts(url, "rediss://"))
		return err_set(e, ERR_INVALID,
		        "rediss:// (TLS) is not built in, because hiredis 0.14 cannot speak it: use a TLS proxy beside the server and redis://");
	if (!rest || (!is_unix && !str_starts(url, "redis://")) || !read_rest(rest + 3, is_unix, out))
		return err_set(e, ERR_INVALID, "the URL of the queue is not of the form " FORM);
	return true;
}
