/* redis_url.c -- the address of a Redis server, of its sentinels or of a cluster, read from a URL. */
#include <string.h>

#include "queue/redis_private.h"

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

static bool read_login(const char *s, size_t len, struct redis_url *out, struct err *e)
{
	const char *colon = memchr(s, ':', len);
	size_t user = colon ? (size_t)(colon - s) : len;

	if (!colon)
		return err_set(
		        e, ERR_INVALID, "the URL of the queue has an @ but no password before it: write user:password@ or :password@");
	if (!decode(out->user, sizeof(out->user), s, user) || !decode(out->password, sizeof(out->password), colon + 1, len - user - 1))
		return err_set(e, ERR_INVALID,
		        "the user or the password in the URL of the queue is too long or has a %% that is not followed by two hex digits");
	return true;
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

/* ---- hosts ------------------------------------------------------------------------------------------------------ */

/* host, host:port or [v6]:port */
static bool read_host(const char *s, size_t len, struct redis_address *out)
{
	const char *end = s + len;
	const char *colon = memchr(s, ':', len);
	const char *bracket = len && s[0] == '[' ? memchr(s, ']', len) : NULL;

	if (len && s[0] == '[' && !bracket)
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

static bool read_hosts(const char *s, size_t len, int port, struct redis_url *out, struct err *e)
{
	const char *end = s + len;

	for (;;) {
		const char *comma = memchr(s, ',', (size_t)(end - s));
		size_t one = comma ? (size_t)(comma - s) : (size_t)(end - s);
		struct redis_address *a = &out->hosts[out->n_hosts];

		if (out->n_hosts == REDIS_HOSTS_MAX)
			return err_set(e, ERR_INVALID, "the URL of the queue names more than %d hosts", REDIS_HOSTS_MAX);
		a->port = port;
		if (!read_host(s, one, a))
			return err_set(e, ERR_INVALID, "a host in the URL of the queue is written as name, name:port or [address]:port");
		out->n_hosts++;
		if (!comma)
			return true;
		if (out->mode == REDIS_SINGLE)
			return err_set(e, ERR_INVALID,
			        "several hosts in the URL of the queue are sentinels or a cluster: it begins with redis+sentinel:// or "
			        "redis+cluster://");
		s = comma + 1;
	}
}

/* ---- options ---------------------------------------------------------------------------------------------------- */

static bool read_verify(const char *s, size_t len, struct redis_url *out)
{
	out->no_verify = len == 2 && memcmp(s, "no", 2) == 0;
	return out->no_verify || (len == 3 && memcmp(s, "yes", 3) == 0);
}

static bool read_option(const char *name, size_t name_len, const char *s, size_t len, struct redis_url *out, struct err *e)
{
	const struct {
		const char *name;
		char *to;
		size_t size;
		bool tls;
	} texts[] = {
	        {"ca", out->ca, sizeof(out->ca), true},
	        {"cert", out->cert, sizeof(out->cert), true},
	        {"key", out->key, sizeof(out->key), true},
	        {"name", out->name, sizeof(out->name), true},
	        {"sentinel_user", out->sentinel_user, sizeof(out->sentinel_user), false},
	        {"sentinel_password", out->sentinel_password, sizeof(out->sentinel_password), false},
	};
	bool known = false, ok = false;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (strlen(texts[i].name) == name_len && memcmp(texts[i].name, name, name_len) == 0) {
			known = texts[i].tls ? out->tls : out->mode == REDIS_SENTINEL;
			ok = decode(texts[i].to, texts[i].size, s, len) && texts[i].to[0];
		}
	if (name_len == 2 && memcmp(name, "db", 2) == 0) {
		known = out->mode != REDIS_CLUSTER;
		ok = read_number(s, len, 0, 1000000, &out->db);
	}
	if (name_len == 6 && memcmp(name, "verify", 6) == 0) {
		known = out->tls;
		ok = read_verify(s, len, out);
	}
	if (!known)
		return err_set(e, ERR_INVALID,
		        "the URL of the queue has an option that it cannot have: there is db; with rediss ca, cert, key, name and verify; with sentinels "
		        "sentinel_user and sentinel_password");
	return ok || err_set(e, ERR_INVALID, "the option %.*s in the URL of the queue has no value that it can have", (int)name_len, name);
}

static bool read_options(const char *s, struct redis_url *out, struct err *e)
{
	while (*s) {
		size_t len = strcspn(s, "&"), name = strcspn(s, "=&");

		if (name >= len || !name)
			return err_set(
			        e, ERR_INVALID, "after the ? in the URL of the queue stand options as name=value, with & between them");
		if (!read_option(s, name, s + name + 1, len - name - 1, out, e))
			return false;
		s += len + (s[len] == '&');
	}
	if (!out->cert[0] != !out->key[0])
		return err_set(e, ERR_INVALID, "cert and key in the URL of the queue are given together, or neither");
	return true;
}

/* ---- what stands after the host ------------------------------------------------------------------------------------ */

static bool read_db(const char *s, size_t len, struct redis_url *out, struct err *e)
{
	if (!len)
		return true;
	if (out->mode == REDIS_CLUSTER)
		return err_set(e, ERR_INVALID, "a cluster has no databases: nothing stands after its hosts in the URL of the queue");
	return read_number(s, len, 0, 1000000, &out->db) ||
	       err_set(e, ERR_INVALID, "the database in the URL of the queue is a number: redis://host:port/0");
}

/* /NAME[/db] */
static bool read_master(const char *s, size_t len, struct redis_url *out, struct err *e)
{
	const char *slash = memchr(s, '/', len);
	size_t name = slash ? (size_t)(slash - s) : len;

	if (!name || !decode(out->master, sizeof(out->master), s, name))
		return err_set(e, ERR_INVALID,
		        "after the sentinels in the URL of the queue stands the name of the master that they watch: "
		        "redis+sentinel://host1,host2/mymaster");
	return !slash || read_db(slash + 1, len - name - 1, out, e);
}

static bool read_path(const char *s, size_t len, struct redis_url *out, struct err *e)
{
	return (len > 1 && s[0] == '/' && decode(out->path, sizeof(out->path), s, len)) ||
	       err_set(e, ERR_INVALID, "the URL of the queue names a Unix socket as redis+unix:///path, of at most %zu bytes",
	               sizeof(out->path) - 1);
}

static bool is_db(const char *s, size_t len)
{
	return strspn(s, "0123456789") >= len;
}

static bool read_rest(const char *s, bool is_unix, struct redis_url *out, struct err *e)
{
	size_t authority = strcspn(s, "/?"), tail;
	const char *at = memrchr(s, '@', authority);

	if (at) {
		if (!read_login(s, (size_t)(at - s), out, e))
			return false;
		authority -= (size_t)(at + 1 - s);
		s = at + 1;
	}
	tail = strcspn(s + authority, "?");
	if (s[authority + tail] && !read_options(s + authority + tail + 1, out, e))
		return false;
	if (is_unix || (out->mode == REDIS_SINGLE && !authority && tail > 1 && !is_db(s + 1, tail - 1)))
		return read_path(s + authority, authority ? 0 : tail, out, e);
	if (!authority && out->mode == REDIS_SINGLE)
		out->n_hosts = str_copy(out->hosts[0].host, sizeof(out->hosts[0].host), "127.0.0.1");
	else if (!read_hosts(s, authority, out->mode == REDIS_SENTINEL ? 26379 : 6379, out, e))
		return false;
	s += authority + (tail > 0);
	tail -= tail > 0;
	return out->mode == REDIS_SENTINEL ? read_master(s, tail, out, e) : read_db(s, tail, out, e);
}

static const struct {
	const char *scheme;
	enum redis_mode mode;
	bool tls, is_unix;
} schemes[] = {
        {"redis://", REDIS_SINGLE, false, false},
        {"rediss://", REDIS_SINGLE, true, false},
        {"redis+unix://", REDIS_SINGLE, false, true},
        {"redis+sentinel://", REDIS_SENTINEL, false, false},
        {"rediss+sentinel://", REDIS_SENTINEL, true, false},
        {"redis+cluster://", REDIS_CLUSTER, false, false},
        {"rediss+cluster://", REDIS_CLUSTER, true, false},
};

bool redis_url_parse(const char *url, struct redis_url *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	out->hosts[0].port = 6379;
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		if (!str_starts(url, schemes[i].scheme))
			continue;
		out->mode = schemes[i].mode;
		out->tls = schemes[i].tls;
		return read_rest(url + strlen(schemes[i].scheme), schemes[i].is_unix, out, e);
	}
	return err_set(e, ERR_INVALID, "the URL of the queue is not of the form redis://[user:password@]host[:port][/db]");
}
