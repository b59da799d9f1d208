/* test.h -- what every test uses: a folder of its own, free ports, child programs, real servers.
 *
 *     #include "tests/lib/test.h"
 *     START_TEST(text_roundtrip) { ... } END_TEST
 *     static const TTest *const tests[] = {text_roundtrip};
 *     TEST_MAIN("str", tests)
 */
#ifndef TESTS_LIB_TEST_H
#define TESTS_LIB_TEST_H

#include <check.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"

/* Check's own START_TEST makes a pointer variable, which no static list may hold; an array of one does for both. */
#undef START_TEST
#define START_TEST(test)                                                       \
	static void test##_fn(int);                                            \
	static const TTest test[1] = {{#test, test##_fn, __FILE__, __LINE__}}; \
	static void test##_fn(int _i CK_ATTRIBUTE_UNUSED)

/* Runs the suite, each test in its own process (CK_FORK=no for a debugger), 60 s each; the exit status says whether all passed.
 * `suite_name -l` lists, `suite_name NAME` runs one. */
int test_main(const char *suite, const TTest *const *tests, size_t n, int argc, char **argv);
#define TEST_MAIN(suite, list)                                                               \
	int main(int argc, char **argv)                                                      \
	{                                                                                    \
		return test_main(suite, list, sizeof(list) / sizeof((list)[0]), argc, argv); \
	}

/* As TEST_MAIN, with `before` called once before the tests fork: what it starts lives until the last of them has ended. */
int test_main_before(const char *suite, const TTest *const *tests, size_t n, void (*before)(void), int argc, char **argv);

/* Fails the test with e's text. */
#define ck_ok(expr, e) ck_assert_msg((expr), "%s: %s", #expr, (e)->text)

const char *test_dir(void); /* a fresh folder of this test's process, removed at its end unless it failed */
int test_port(void);        /* a free port of 127.0.0.1 */
/* Start a program; its output goes to test_dir()/NAME.log. It dies with the test. env: "K=V" ..., NULL-terminated; NULL: none. */
pid_t test_spawn(const char *name, const char *const *argv, const char *const *env);
void test_kill(pid_t pid, int signal); /* and wait for it */
bool test_wait(pid_t pid, int timeout_ms, int *status_out);
/* Poll until check(user) is true or the time is over. */
bool test_until(int timeout_ms, bool (*check)(void *user), void *user);
const char *test_program(const char *name); /* path of a program of this build, e.g. "barque-api" */
/* ../shared/data/NAME, or NULL where it is not there; then say so with test_skip_data and use other data. */
const char *test_data(const char *name);
void test_skip_data(const char *name);
char *test_read_file(const char *path, size_t *len_out); /* mem_free it; .gz files are unpacked by gzip; fails the test */

/* A real redis-server on a free port with broker-config/redis.conf and its data in test_dir(). */
#define TEST_REDIS_USER "barque:CHANGE-ME-barque" /* of broker-config/users.acl: what is tested has no more rights than that */
struct test_redis {
	pid_t pid;
	int port;
	char url[128];
	char dir[256];
	char appendfsync[12];
	const char *env[4]; /* more of its environment and arguments, NULL-terminated; the texts live as long as the server */
	const char *more[16];
};
void test_redis_start(struct test_redis *r, const char *appendfsync); /* "always", "everysec", "no" (AOF off) */
/* The same with more arguments, which come last, and environment; either may be NULL. */
void test_redis_start_with(struct test_redis *r, const char *appendfsync, const char *const *more, const char *const *env);
/* The one server of this test's process, started so at the first call. */
struct test_redis *test_redis_own(const char *appendfsync);
void test_redis_kill(struct test_redis *r);  /* kill -9 */
void test_redis_again(struct test_redis *r); /* same port, same data */
void test_redis_stop(struct test_redis *r);
/* Say a line to the server at this port, by hand; its answer as it came, until the next call. tell: it must be no error. */
const char *test_redis_ask(int port, const char *fmt, ...) PRINTF_LIKE(2, 3);
const char *test_redis_tell(int port, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* How often n servers have read from any connection so far: once for a round trip, and once more for each 16 KB that it brings. */
int64_t test_redis_reads(const struct test_redis *servers, size_t n);

/* A cluster: masters that share the slots, the first of them with a replica for each of `replicas` (node n + i is one of node i). */
#define TEST_NODES 6
struct test_cluster {
	struct test_redis nodes[TEST_NODES];
	size_t masters, n;
	char url[256];
};
void test_cluster_start(struct test_cluster *c, size_t masters, size_t replicas, const char *const *more);
void test_cluster_wait(const struct test_cluster *c, size_t node); /* until it says that the cluster is whole */

/* One master with one replica, and three sentinels that watch it as "mymaster". */
struct test_sentinels {
	struct test_redis master, replica, sentinels[3];
	char url[256];
};
void test_sentinels_start(struct test_sentinels *s, const char *appendfsync);
/* One command to any Redis of 127.0.0.1, words without spaces in them; the beginning of its answer. False: no answer. */
bool test_redis_say(int port, const char *command, char *answer_out, size_t size);

#endif
