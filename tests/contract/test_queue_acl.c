/* test_queue_acl.c -- what the users of broker-config/users.acl may not do. What barque must be able to do, all other tests show. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/contract/queue_suite.h"

#define WORKER  "barque CHANGE-ME-barque"
#define METRICS "metrics CHANGE-ME-metrics"

static struct test_redis *started(void)
{
	static struct test_redis r;
	char *path = realpath("broker-config/users.acl", NULL); /* the server goes to its own folder */

	ck_assert_ptr_nonnull(path);
	if (!r.pid)
		test_redis_start_with(&r, "no", (const char *[]){"--aclfile", path, NULL}, NULL);
	free(path);
	return &r;
}

const char *suite_url(void)
{
	static char url[160];

	snprintf(url, sizeof(url), "redis://barque:CHANGE-ME-barque@127.0.0.1:%d/0", started()->port);
	return url;
}

/* Log in and say a line: what comes after the "+OK" to the login. */
static const char *as(const char *login, const char *line)
{
	static char answer[65536];
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)started()->port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct buf text = {0};
	size_t len = 0;
	ssize_t n;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	buf_addf(&text, "AUTH %s\r\n%s\r\n", login, line);
	ck_assert_int_eq(write(fd, text.data, text.len), (ssize_t)text.len);
	buf_close(&text);
	answer[0] = '\0';
	while (len < 6 && (n = read(fd, answer + len, sizeof(answer) - 1 - len)) > 0) {
		len += (size_t)n;
		answer[len] = '\0';
	}
	close(fd);
	ck_assert_msg(str_starts(answer, "+OK\r\n"), "%s: %s", login, answer);
	return answer + 5;
}

static void check_refused(const char *login, const char *const *lines)
{
	for (; *lines; lines++) {
		const char *answer = as(login, *lines);

		ck_assert_msg(str_starts(answer, "-NOPERM") || strstr(answer, "write flag using *_ro"), "%s: %s", *lines, answer);
	}
}

/* That all goes with these rights is shown by all other tests: their servers know the same users. */
START_TEST(a_worker_may_do_no_more_than_it_must)
{
	static const char *const lines[] = {"FLUSHALL", "FLUSHDB", "KEYS *", "CONFIG GET *", "CONFIG SET maxmemory 1", "CONFIG RESETSTAT",
	        "SHUTDOWN", "ACL LIST", "ACL WHOAMI", "MONITOR", "CLIENT LIST", "CLIENT KILL ID 1", "SAVE", "BGSAVE", "BGREWRITEAOF",
	        "REPLICAOF NO ONE", "PSYNC ? -1", "SLOWLOG GET", "LATENCY LATEST", "MODULE LIST", "MEMORY USAGE bq:x", "FUNCTION FLUSH",
	        "FUNCTION DELETE barque3", "FUNCTION DUMP", "FUNCTION STATS", "EVAL return 0", "EVALSHA 0 0", "SCRIPT FLUSH",
	        "SCRIPT LOAD x", "FCALL_RO barque3_counts 1 {bq:q:0}:n bq q-0 0 0", "CLUSTER NODES", "CLUSTER RESET", "MIGRATE h 1 k 0 1",
	        "RESTORE {bq:q:0}:n 0 x", "DUMP {bq:q:0}:n", "SORT {bq:q:0}:n", "SWAPDB 0 1", "MOVE bq:x 1", "COPY bq:x bq:y",
	        "RENAME bq:x bq:y", "RANDOMKEY", "DBSIZE", "APPEND bq:x y", "GETSET bq:x y", "GETDEL bq:x", "SETEX bq:x 1 y", "MSET bq:x y",
	        "MGET bq:x", "STRLEN bq:x", "INCR bq:x", "DECR bq:x", "EXPIRE bq:x 1", "TTL bq:x", "TYPE bq:x", "OBJECT ENCODING bq:x",
	        "HKEYS {bq:q:0}:n", "HVALS {bq:q:0}:n", "HEXISTS {bq:q:0}:n r", "LSET bq:x 0 y", "LINSERT bq:x BEFORE y z", "RPOP bq:x",
	        "LMOVE bq:x bq:y LEFT LEFT", "BLPOP bq:x 1", "SREM bq:queues q", "SPOP bq:queues", "ZINCRBY bq:x 1 y", "ZPOPMIN bq:x",
	        "ZREMRANGEBYRANK bq:x 0 1", "ZUNIONSTORE bq:x 1 bq:y", "XREAD STREAMS bq:x 0", "XDEL bq:x 0-1", "PFADD bq:x y",
	        "GEOADD bq:x 0 0 y", "SETBIT bq:x 0 1", "PSUBSCRIBE bq:*", "MULTI", "WATCH bq:x", "GET foreign", "SET foreign 1",
	        "DEL foreign", "HGET {other:q:0}:n r", "PUBLISH other:ended x", "SUBSCRIBE other:ended", NULL};
	struct queue *q = open_queue(NULL);

	check_refused(WORKER, lines);
	ck_assert_msg(as(WORKER, "DEBUG SLEEP 0")[0] == '-', "DEBUG is allowed"); /* no user may, unless the settings allow it */
	ck_assert(str_starts(as(WORKER, "SET bq:mine 1"), "+OK"));
	queue_close(&q);
}
END_TEST

/* Whom an endpoint, an autoscaler or a health check asks as: two functions that count, and no more. */
START_TEST(metrics_only_look)
{
	static const char *const lines[] = {"SET bq:x 1", "HSET {bq:q:0}:n r 5", "DEL {bq:q:0}:n",
	        "FCALL barque3_pause 1 {bq:q:0}:n bq q-0 0 0 1", "FCALL_RO barque3_pause 1 {bq:q:0}:n bq q-0 0 0 1", "FLUSHALL",
	        "CONFIG GET *", "FUNCTION LIST", "HGET {other:q:0}:n r", "SUBSCRIBE bq:ended", "KEYS *", "SCAN 0", "EVAL return 0",
	        "GET bq:x", "FCALL barque3_counts 1 {bq:q:0}:n bq q-0 0 0", "ROLE", "CLUSTER SLOTS", NULL};
	struct queue *q = open_queue(NULL);
	char id[JOB_ID];

	submit_plain(q, id);
	check_refused(METRICS, lines);
	ck_assert_msg(str_starts(as(METRICS, "HGET {bq:q:0}:n r"), "$1\r\n1"), "%s", as(METRICS, "HGET {bq:q:0}:n r"));
	ck_assert_msg(str_starts(as(METRICS, "FCALL_RO barque3_counts 1 {bq:q:0}:n bq q-0 0 0"), "*"), "%s",
	        as(METRICS, "FCALL_RO barque3_counts 1 {bq:q:0}:n bq q-0 0 0"));
	ck_assert_msg(str_starts(as(METRICS, "FCALL_RO barque3_backlog 1 {bq:q:0}:n bq q-0 0 0"), "*9"), "%s",
	        as(METRICS, "FCALL_RO barque3_backlog 1 {bq:q:0}:n bq q-0 0 0"));
	ck_assert(str_starts(as(METRICS, "SMEMBERS bq:queues"), "*1"));
	queue_close(&q);
}
END_TEST

static void check_no_entry(const char *login, const char *part)
{
	char url[128];
	struct err e = {0};

	snprintf(url, sizeof(url), "redis://%s127.0.0.1:%d", login, started()->port);
	ck_assert_ptr_null(queue_open(url, NULL, &e));
	ck_assert_int_eq(e.code, ERR_DENIED);
	ck_assert_msg(strstr(e.text, part), "%s", e.text);
	ck_assert_ptr_null(strstr(e.text, "secret"));
}

START_TEST(without_the_password)
{
	started();
	check_no_entry("", "wants a password");
	check_no_entry("barque:secret@", "refused the login");
	check_no_entry("nobody:secret@", "refused the login");
	check_no_entry("metrics:CHANGE-ME-metrics@", "does not allow this user");
}
END_TEST

static const TTest *const tests[] = {a_worker_may_do_no_more_than_it_must, metrics_only_look, without_the_password};
TEST_MAIN("queue_acl", tests)
