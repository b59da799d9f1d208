/* test_redis_url.c -- addresses of Redis servers, good and bad. */
#include <string.h>

#include "queue/redis_private.h"
#include "tests/lib/test.h"

static struct redis_url parse(const char *url)
{
	struct redis_url u;
	struct err e = {0};

	ck_assert_msg(redis_url_parse(url, &u, &e), "%s: %s", url, e.text);
	return u;
}

START_TEST(hosts)
{
	struct redis_url u = parse("redis://127.0.0.1:6380/3");

	ck_assert_str_eq(u.host, "127.0.0.1");
	ck_assert_int_eq(u.port, 6380);
	ck_assert_int_eq(u.db, 3);
	u = parse("redis://queue.example");
	ck_assert_str_eq(u.host, "queue.example");
	ck_assert_int_eq(u.port, 6379);
	u = parse("redis://[::1]:7000/");
	ck_assert_str_eq(u.host, "::1");
	ck_assert_int_eq(u.port, 7000);
	u = parse("redis:///2");
	ck_assert_str_eq(u.host, "127.0.0.1");
	ck_assert_int_eq(u.db, 2);
	ck_assert_str_eq(parse("redis://").host, "127.0.0.1");
}
END_TEST

START_TEST(logins)
{
	struct redis_url u = parse("redis://:p%40s%3as@host/1");

	ck_assert_str_eq(u.user, "");
	ck_assert_str_eq(u.password, "p@s:s");
	ck_assert_str_eq(u.host, "host");
	u = parse("redis://worker:secret@host:1");
	ck_assert_str_eq(u.user, "worker");
	ck_assert_str_eq(u.password, "secret");
}
END_TEST

START_TEST(sockets)
{
	struct redis_url u = parse("redis+unix:///run/redis.sock?db=4");

	ck_assert_str_eq(u.path, "/run/redis.sock");
	ck_assert_int_eq(u.db, 4);
	ck_assert_str_eq(parse("redis:///run/redis.sock").path, "/run/redis.sock");
	ck_assert_str_eq(parse("redis+unix://:pw@/a").password, "pw");
}
END_TEST

START_TEST(refused)
{
	static const char *const bad[] = {"redis://host:0", "redis://host:65536", "redis://host:x", "redis://host/x", "redis://host/-1",
	        "redis://user@host", "redis://:%4@host", "redis://:%00@host", "redis://[::1", "redis://[::1]x", "redis://:1",
	        "redis+unix://run/x", "redis+unix:///", "redis+unix:///x?db=a", "redis+unix:///x?port=1", "http://host", "redis:/host",
	        "redis://host:", "redis://host/99999999999"};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct redis_url u;
		struct err e = {0};

		ck_assert_msg(!redis_url_parse(bad[i], &u, &e), "%s was taken", bad[i]);
		ck_assert_int_eq(e.code, ERR_INVALID);
	}
}
END_TEST

START_TEST(secrets_and_tls)
{
	struct redis_url u;
	struct err e = {0};

	ck_assert(!redis_url_parse("redis://me:hunter2@host:99999", &u, &e));
	ck_assert_ptr_null(strstr(e.text, "hunter2"));
	ck_assert(!redis_url_parse("rediss://host", &u, &e));
	ck_assert_ptr_nonnull(strstr(e.text, "TLS"));
}
END_TEST

static const TTest *const tests[] = {hosts, logins, sockets, refused, secrets_and_tls};
TEST_MAIN("redis_url", tests)
