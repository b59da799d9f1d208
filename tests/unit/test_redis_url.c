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

	ck_assert_str_eq(u.hosts[0].host, "127.0.0.1");
	ck_assert_int_eq(u.hosts[0].port, 6380);
	ck_assert_int_eq(u.db, 3);
	u = parse("redis://queue.example");
	ck_assert_str_eq(u.hosts[0].host, "queue.example");
	ck_assert_int_eq(u.hosts[0].port, 6379);
	u = parse("redis://[::1]:7000/");
	ck_assert_str_eq(u.hosts[0].host, "::1");
	ck_assert_int_eq(u.hosts[0].port, 7000);
	u = parse("redis:///2");
	ck_assert_str_eq(u.hosts[0].host, "127.0.0.1");
	ck_assert_int_eq(u.db, 2);
	ck_assert_str_eq(parse("redis://").hosts[0].host, "127.0.0.1");
}
END_TEST

START_TEST(logins)
{
	struct redis_url u = parse("redis://:p%40s%3as@host/1");

	ck_assert_str_eq(u.user, "");
	ck_assert_str_eq(u.password, "p@s:s");
	ck_assert_str_eq(u.hosts[0].host, "host");
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

/* Each is wrong in one thing; the sentence must speak of it. */
START_TEST(sentences)
{
	static const struct {
		const char *url, *part;
	} bad[] = {
	        {"redis://a,b", "redis+sentinel:// or redis+cluster://"},
	        {"redis+cluster://a,b/1", "no databases"},
	        {"redis+cluster://", "is written as"},
	        {"redis+cluster://a,,b", "is written as"},
	        {"redis+sentinel://a:1,b:2", "the name of the master"},
	        {"redis+sentinel://a/m/x", "is a number"},
	        {"redis://user@host", "no password before it"},
	        {"redis://:%zz@host", "two hex digits"},
	        {"redis://host?ca=/x", "an option that it cannot have"},
	        {"rediss://host?colour=red", "an option that it cannot have"},
	        {"rediss://host?cert=/x", "given together"},
	        {"rediss://host?verify=maybe", "verify"},
	        {"rediss://host?ca", "name=value"},
	        {"redis+cluster://a?db=1", "an option that it cannot have"},
	        {"redis://a?sentinel_password=x", "an option that it cannot have"},
	        {"ftp://a", "redis://[user:password@]host[:port][/db]"},
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct redis_url u;
		struct err e = {0};

		ck_assert_msg(!redis_url_parse(bad[i].url, &u, &e), "%s was taken", bad[i].url);
		ck_assert_int_eq(e.code, ERR_INVALID);
		ck_assert_msg(strstr(e.text, bad[i].part), "%s: %s", bad[i].url, e.text);
	}
}
END_TEST

START_TEST(secrets)
{
	static const char *const bad[] = {"redis://me:hunter2@host:99999", "redis://:hunter2", "redis://me:hunter2/x@host",
	        "redis://me:a?hunter2=1@host", "redis+sentinel://:hunter2@a/m/x", "rediss://:hunter2@host?key=1"};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct redis_url u;
		struct err e = {0};

		ck_assert_msg(!redis_url_parse(bad[i], &u, &e), "%s was taken", bad[i]);
		ck_assert_ptr_null(strstr(e.text, "hunter2"));
	}
}
END_TEST

START_TEST(tls)
{
	struct redis_url u = parse("rediss://w:pw@queue.example/2?ca=/etc/my%20ca.pem&cert=/c&key=/k&name=redis.internal");

	ck_assert(u.tls && !u.no_verify);
	ck_assert_str_eq(u.ca, "/etc/my ca.pem");
	ck_assert_str_eq(u.cert, "/c");
	ck_assert_str_eq(u.key, "/k");
	ck_assert_str_eq(u.name, "redis.internal");
	ck_assert_int_eq(u.db, 2);
	ck_assert(parse("rediss://h?verify=no").no_verify);
	ck_assert(!parse("rediss://h?verify=yes").no_verify);
	ck_assert(!parse("redis://h").tls);
}
END_TEST

START_TEST(sentinels)
{
	struct redis_url u = parse("redis+sentinel://w:pw@s1,s2:7000,[::1]:7001/mymaster/3?sentinel_user=s&sentinel_password=q");

	ck_assert_int_eq(u.mode, REDIS_SENTINEL);
	ck_assert_uint_eq(u.n_hosts, 3);
	ck_assert_str_eq(u.hosts[0].host, "s1");
	ck_assert_int_eq(u.hosts[0].port, 26379);
	ck_assert_int_eq(u.hosts[1].port, 7000);
	ck_assert_str_eq(u.hosts[2].host, "::1");
	ck_assert_str_eq(u.master, "mymaster");
	ck_assert_int_eq(u.db, 3);
	ck_assert_str_eq(u.sentinel_password, "q");
	ck_assert(parse("rediss+sentinel://s/m").tls);
}
END_TEST

START_TEST(clusters)
{
	struct redis_url u = parse("redis+cluster://:pw@a:1,b:2/");

	ck_assert_int_eq(u.mode, REDIS_CLUSTER);
	ck_assert_uint_eq(u.n_hosts, 2);
	ck_assert_int_eq(u.hosts[1].port, 2);
	ck_assert_str_eq(u.password, "pw");
	u = parse("rediss+cluster://a?name=x");
	ck_assert(u.tls);
	ck_assert_int_eq(u.hosts[0].port, 6379);
}
END_TEST

/* As the cluster specification and CLUSTER KEYSLOT have it. */
START_TEST(slots)
{
	ck_assert_int_eq(redis_slot("123456789", 9), 12739);
	ck_assert_int_eq(redis_slot("foo", 3), 12182);
	ck_assert_int_eq(redis_slot("{foo}bar", 8), 12182);
	ck_assert_int_eq(redis_slot("a{foo}{bar}", 11), 12182);
	ck_assert_int_eq(redis_slot("foo{}{bar}", 10), redis_slot("foo{}{bar}", 10));
	ck_assert_int_ne(redis_slot("foo{}{bar}", 10), redis_slot("bar", 3));
	ck_assert_int_eq(redis_slot("", 0), 0);
}
END_TEST

static const TTest *const tests[] = {hosts, logins, sockets, refused, sentences, secrets, tls, sentinels, clusters, slots};
TEST_MAIN("redis_url", tests)
