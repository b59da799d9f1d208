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
static bool answers(void *user)
{
	const struct test_redis *r = user;
	char reply[64] = {0};
	int fd = connect_to(r->port);
	bool ok;

	if (fd < 0)
		return false;
	ok = write(fd, "PING\r\n", 6) == 6 && read(fd, reply, sizeof(reply) - 1) > 0;
	close(fd);
	return ok && (str_starts(reply, "+PONG") || str_starts(reply, "-NOAUTH"));
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

static void launch(struct test_redis *r, const char *const *more)
{
	char settings[300];
	const char *aof = str_eq(r->appendfsync, "no") ? "no" : "yes";
	char port[16], name[32];
	const char *argv[64] = {test_redis_server(), settings, "--port", port, "--bind", "127.0.0.1", "--dir", r->dir, "--daemonize", "no",
	        "--save", "", "--logfile", "", "--appendonly", aof, "--appendfsync", r->appendfsync};
	size_t n = 18;

	copy_settings(r, settings, sizeof(settings));
	snprintf(port, sizeof(port), "%d", r->port);
	snprintf(name, sizeof(name), "redis-%d", r->port);
	for (; more && *more; more++) {
		ck_assert_uint_lt(n + 1, ARRAY_LEN(argv));
		argv[n++] = *more;
	}
	r->pid = test_spawn(name, argv, NULL);
	ck_assert_msg(test_until(START_TIMEOUT_MS, answers, r), "redis-server on port %d does not answer; see %s/%s.log", r->port,
	        test_dir(), name);
}

void test_redis_start_with(struct test_redis *r, const char *appendfsync, const char *const *more)
{
	*r = (struct test_redis){.port = test_port()};
	snprintf(r->url, sizeof(r->url), "redis://127.0.0.1:%d/0", r->port);
	snprintf(r->dir, sizeof(r->dir), "%s/redis-%d", test_dir(), r->port);
	ck_assert_msg(str_copy(r->appendfsync, sizeof(r->appendfsync), appendfsync), "appendfsync cannot be %s", appendfsync);
	ck_assert_msg(mkdir(r->dir, 0755) == 0, "%s: %s", r->dir, strerror(errno));
	launch(r, more);
}

void test_redis_start(struct test_redis *r, const char *appendfsync)
{
	test_redis_start_with(r, appendfsync, NULL);
}

void test_redis_kill(struct test_redis *r)
{
	test_kill(r->pid, SIGKILL);
	r->pid = 0;
}

void test_redis_again(struct test_redis *r)
{
	launch(r, NULL);
}

void test_redis_stop(struct test_redis *r)
{
	if (r->pid > 0)
		test_kill(r->pid, SIGTERM);
	r->pid = 0;
}
