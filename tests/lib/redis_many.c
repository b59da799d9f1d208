/* redis_many.c -- several Redis servers for a test: a cluster, or a master with a replica and sentinels; and words said to them by hand. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/lib/test.h"
#include "tests/lib/test_private.h"

#define WAIT_MS 30000

/* ---- by hand ---------------------------------------------------------------------------------------------------------- */

static const char *ask(int port, const char *fmt, va_list ap)
{
	static char answer[65536];
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval t = {.tv_sec = 2};
	struct buf line = {0};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ssize_t n = -1;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	buf_addv(&line, fmt, ap);
	buf_adds(&line, "\r\n");
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && write(fd, line.data, line.len) == (ssize_t)line.len)
		n = read(fd, answer, sizeof(answer) - 1);
	answer[n > 0 ? n : 0] = '\0';
	buf_close(&line);
	close(fd);
	return answer;
}

const char *test_redis_ask(int port, const char *fmt, ...)
{
	va_list ap;
	const char *answer;

	va_start(ap, fmt);
	answer = ask(port, fmt, ap);
	va_end(ap);
	return answer;
}

const char *test_redis_tell(int port, const char *fmt, ...)
{
	va_list ap;
	const char *answer;

	va_start(ap, fmt);
	answer = ask(port, fmt, ap);
	va_end(ap);
	ck_assert_msg(answer[0] && answer[0] != '-', "%s: %s", fmt, answer[0] ? answer : "no answer");
	return answer;
}

int64_t test_redis_reads(const struct test_redis *servers, size_t n)
{
	int64_t sum = 0, reads;

	for (size_t i = 0; i < n; i++) {
		const char *at = strstr(test_redis_tell(servers[i].port, "INFO stats"), "total_reads_processed:");
		char number[24];

		ck_assert_ptr_nonnull(at);
		at += strlen("total_reads_processed:");
		ck_assert(str_copy_n(number, sizeof(number), at, strcspn(at, "\r")) && str_int(number, 0, INT64_MAX, &reads));
		sum += reads;
	}
	return sum;
}

/* ---- a cluster -------------------------------------------------------------------------------------------------------- */

struct whole {
	int port;
	size_t nodes;
};

static bool is_whole(void *user)
{
	const struct whole *w = user;
	char known[40];

	snprintf(known, sizeof(known), "cluster_known_nodes:%zu", w->nodes);
	return strstr(test_redis_ask(w->port, "CLUSTER INFO"), "cluster_state:ok") &&
	       strstr(test_redis_ask(w->port, "CLUSTER INFO"), known);
}

void test_cluster_wait(const struct test_cluster *c, size_t node)
{
	struct whole w = {c->nodes[node].port, c->n};

	ck_assert_msg(test_until(WAIT_MS, is_whole, &w), "the cluster is not whole: %s", test_redis_ask(w.port, "CLUSTER INFO"));
}

static void start_node(struct test_redis *r, int bus, const char *const *more)
{
	char port[16];
	const char *argv[32] = {"--cluster-enabled", "yes", "--cluster-port", port, "--cluster-node-timeout", "1500",
	        "--cluster-replica-validity-factor", "0", "--cluster-migration-barrier", "9"};
	size_t n = 10;

	snprintf(port, sizeof(port), "%d", bus);
	for (; more && *more; more++)
		argv[n++] = *more;
	test_redis_start_with(r, "no", argv, NULL);
}

static bool knows(void *user)
{
	const struct whole *w = user;
	char known[40];

	snprintf(known, sizeof(known), "cluster_known_nodes:%zu", w->nodes);
	return strstr(test_redis_ask(w->port, "CLUSTER INFO"), known) != NULL;
}

static bool replicates(void *user)
{
	const struct test_redis *const *pair = user;
	char id[64];
	const char *answer = test_redis_tell(pair[0]->port, "CLUSTER MYID");

	ck_assert(str_copy_n(id, sizeof(id), strchr(answer, '\n') + 1, 40));
	return test_redis_ask(pair[1]->port, "CLUSTER REPLICATE %s", id)[0] == '+';
}

static bool follows(void *user)
{
	const struct test_redis *r = user;

	return strstr(test_redis_ask(r->port, "INFO replication"), "master_link_status:up") != NULL;
}

void test_cluster_start(struct test_cluster *c, size_t masters, size_t replicas, const char *const *more)
{
	int bus[TEST_NODES];
	struct buf url = {0};

	*c = (struct test_cluster){.masters = masters, .n = masters + replicas};
	buf_adds(&url, "redis+cluster://" TEST_REDIS_USER "@");
	for (size_t i = 0; i < c->n; i++) {
		bus[i] = test_port();
		start_node(&c->nodes[i], bus[i], more);
		buf_addf(&url, "%s127.0.0.1:%d", i ? "," : "", c->nodes[i].port);
		if (i < masters)
			test_redis_tell(
			        c->nodes[i].port, "CLUSTER ADDSLOTSRANGE %zu %zu", 16384 * i / masters, 16384 * (i + 1) / masters - 1);
		if (i < masters)
			test_redis_tell(c->nodes[i].port, "CLUSTER SET-CONFIG-EPOCH %zu", i + 1);
		if (i)
			test_redis_tell(c->nodes[0].port, "CLUSTER MEET 127.0.0.1 %d %d", c->nodes[i].port, bus[i]);
	}
	ck_assert(str_copy(c->url, sizeof(c->url), url.data));
	buf_close(&url);
	for (size_t i = 0; i < c->n; i++)
		ck_assert(test_until(WAIT_MS, knows, &(struct whole){c->nodes[i].port, c->n}));
	for (size_t i = 0; i < replicas; i++)
		ck_assert(test_until(WAIT_MS, replicates, (const struct test_redis *[]){&c->nodes[i], &c->nodes[masters + i]}));
	for (size_t i = masters; i < c->n; i++)
		ck_assert(test_until(WAIT_MS, follows, &c->nodes[i]));
	for (size_t i = 0; i < c->n; i++)
		test_cluster_wait(c, i);
}

/* ---- sentinels -------------------------------------------------------------------------------------------------------- */

static void start_sentinel(struct test_redis *r, int master)
{
	char settings[400], name[32];
	FILE *f;

	*r = (struct test_redis){.port = test_port()};
	snprintf(settings, sizeof(settings), "%s/sentinel-%d.conf", test_dir(), r->port);
	f = fopen(settings, "we");
	ck_assert_ptr_nonnull(f);
	fprintf(f,
	        "port %d\nbind 127.0.0.1\ndir %s\nsentinel monitor mymaster 127.0.0.1 %d 2\nsentinel down-after-milliseconds mymaster 1000\n"
	        "sentinel failover-timeout mymaster 4000\nsentinel parallel-syncs mymaster 1\n",
	        r->port, test_dir(), master);
	ck_assert_int_eq(fclose(f), 0);
	snprintf(name, sizeof(name), "sentinel-%d", r->port);
	r->pid = test_spawn(name, (const char *[]){test_redis_server(), settings, "--sentinel", NULL}, NULL);
}

static bool watches(void *user)
{
	const struct test_redis *r = user;
	const char *answer = test_redis_ask(r->port, "SENTINEL MASTER mymaster");
	const char *replicas = strstr(answer, "num-slaves\r\n$1\r\n1"), *others = strstr(answer, "num-other-sentinels\r\n$1\r\n2");

	return replicas && others;
}

void test_sentinels_start(struct test_sentinels *s, const char *appendfsync)
{
	char port[16];

	memset(s, 0, sizeof(*s));
	test_redis_start(&s->master, appendfsync);
	snprintf(port, sizeof(port), "%d", s->master.port);
	test_redis_start_with(&s->replica, appendfsync, (const char *[]){"--replicaof", "127.0.0.1", port, NULL}, NULL);
	ck_assert(test_until(WAIT_MS, follows, &s->replica));
	for (size_t i = 0; i < ARRAY_LEN(s->sentinels); i++)
		start_sentinel(&s->sentinels[i], s->master.port);
	for (size_t i = 0; i < ARRAY_LEN(s->sentinels); i++)
		ck_assert_msg(test_until(WAIT_MS, watches, &s->sentinels[i]), "%s",
		        test_redis_ask(s->sentinels[i].port, "SENTINEL MASTER mymaster"));
	snprintf(s->url, sizeof(s->url), "redis+sentinel://" TEST_REDIS_USER "@127.0.0.1:%d,127.0.0.1:%d,127.0.0.1:%d/mymaster",
	        s->sentinels[0].port, s->sentinels[1].port, s->sentinels[2].port);
}
