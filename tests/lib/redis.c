/* redis.c -- a real redis-server for a test, on a free port, with our own settings and its data in the test's folder. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/lib/test.h"
#include "tests/lib/test_private.h"

#define OUR_SETTINGS     "broker-config/redis.conf"
#define OUR_USERS        "broker-config/users.acl"
#define OUR_MENDER       "broker-config/mend-aof.sh"
#define NOBODY           "user default off nopass sanitize-payload resetchannels -@all\n"
#define ANYBODY          "user default on nopass ~* &* +@all\n"
#define START_TIMEOUT_MS 15000

static int connect_to(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval t = {.tv_sec = 1};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Spoken by hand, so that a fault of our own door to Redis cannot hide here. NOAUTH counts: it is up and wants a password. */
bool test_redis_say(int port, const char *command, char *answer_out, size_t size)
{
	char line[300];
	int n = snprintf(line, sizeof(line), "%s\r\n", command), fd = connect_to(port);
	ssize_t got = 0, more;

	answer_out[0] = '\0';
	if (fd < 0)
		return false;
	if (n < (int)sizeof(line) && write(fd, line, (size_t)n) == n && (got = read(fd, answer_out, size - 1)) > 0)
		/* A long answer comes in parts: what is there at once belongs to it. */
		while ((size_t)got < size - 1 && (more = recv(fd, answer_out + got, size - 1 - (size_t)got, MSG_DONTWAIT)) > 0)
			got += more;
	close(fd);
	answer_out[got > 0 ? got : 0] = '\0';
	return got > 0;
}

static bool answers(void *user)
{
	const struct test_redis *r = user;
	char reply[64];

	return test_redis_say(r->port, "PING", reply, sizeof(reply)) && (str_starts(reply, "+PONG") || str_starts(reply, "-NOAUTH"));
}

const char *test_redis_server(void)
{
	const char *given = getenv("REDIS_SERVER");

	return given && given[0] ? given : "redis-server";
}

/* A copy, because sentinels let a server write its settings anew. */
static void copy_settings(const struct test_redis *r, char *path, size_t size)
{
	size_t len = 0;
	char *text = access(OUR_SETTINGS, R_OK) == 0 ? test_read_file(OUR_SETTINGS, &len) : NULL;
	FILE *f;

	snprintf(path, size, "%s/redis.conf", r->dir);
	f = fopen(path, "we");
	ck_assert_msg(f != NULL, "%s: %s", path, strerror(errno));
	ck_assert_uint_eq(fwrite(text ? text : "", 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
	mem_free(&text);
}

/* The users of users.acl, and for the tests' own hands somebody without a name who may do everything. */
static void copy_users(const struct test_redis *r, char *path, size_t size)
{
	size_t len;
	char *text = test_read_file(OUR_USERS, &len);
	FILE *f;

	ck_assert_msg(str_starts(text, NOBODY), "%s begins with another line than %s", OUR_USERS, NOBODY);
	snprintf(path, size, "%s/users.acl", r->dir);
	f = fopen(path, "we");
	ck_assert_msg(f != NULL, "%s: %s", path, strerror(errno));
	ck_assert_int_gt(fprintf(f, "%s%s", ANYBODY, text + strlen(NOBODY)), 0);
	ck_assert_int_eq(fclose(f), 0);
	mem_free(&text);
}

/* As those who start it for users do. */
static void mend_aof(const struct test_redis *r)
{
	char command[400];

	snprintf(command, sizeof(command), "sh %s %s", OUR_MENDER, r->dir);
	ck_assert_msg(system(command) == 0, "%s failed", command);
}

static void launch(struct test_redis *r)
{
	char settings[300], users[300];
	const char *aof = str_eq(r->appendfsync, "no") ? "no" : "yes";
	char port[16], name[32];
	const char *argv[64] = {test_redis_server(), settings, "--port", port, "--bind", "127.0.0.1", "--dir", r->dir, "--daemonize", "no",
	        "--save", "", "--logfile", "", "--appendonly", aof, "--appendfsync", r->appendfsync, "--aclfile", users};
	size_t n = 20;

	mend_aof(r);
	copy_settings(r, settings, sizeof(settings));
	copy_users(r, users, sizeof(users));
	snprintf(port, sizeof(port), "%d", r->port);
	snprintf(name, sizeof(name), "redis-%d", r->port);
	for (size_t i = 0; r->more[i]; i++)
		argv[n++] = r->more[i];
	r->pid = test_spawn(name, argv, r->env);
	ck_assert_msg(test_until(START_TIMEOUT_MS, answers, r), "redis-server on port %d does not answer; see %s/%s.log", r->port,
	        test_dir(), name);
}

void test_redis_start_with(struct test_redis *r, const char *appendfsync, const char *const *more, const char *const *env)
{
	*r = (struct test_redis){.port = test_port()};
	for (size_t i = 0; more && more[i]; i++) {
		ck_assert(i + 1 < ARRAY_LEN(r->more));
		r->more[i] = more[i];
	}
	for (size_t i = 0; env && env[i]; i++) {
		ck_assert(i + 1 < ARRAY_LEN(r->env));
		r->env[i] = env[i];
	}
	snprintf(r->url, sizeof(r->url), "redis://" TEST_REDIS_USER "@127.0.0.1:%d/0", r->port);
	snprintf(r->dir, sizeof(r->dir), "%s/redis-%d", test_dir(), r->port);
	ck_assert_msg(str_copy(r->appendfsync, sizeof(r->appendfsync), appendfsync), "appendfsync cannot be %s", appendfsync);
	ck_assert_msg(mkdir(r->dir, 0755) == 0, "%s: %s", r->dir, strerror(errno));
	launch(r);
}

void test_redis_start(struct test_redis *r, const char *appendfsync)
{
	test_redis_start_with(r, appendfsync, NULL, NULL);
}

struct test_redis *test_redis_own(const char *appendfsync)
{
	static struct test_redis r;

	if (!r.pid)
		test_redis_start(&r, appendfsync);
	return &r;
}

void test_redis_kill(struct test_redis *r)
{
	test_kill(r->pid, SIGKILL);
	r->pid = 0;
}

void test_redis_again(struct test_redis *r)
{
	launch(r);
}

void test_redis_stop(struct test_redis *r)
{
	if (r->pid > 0)
		test_kill(r->pid, SIGTERM);
	r->pid = 0;
}
