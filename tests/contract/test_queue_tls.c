/* test_queue_tls.c -- the contract of the queue, passed over TLS; and servers that are not who they should be. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/contract/queue_suite.h"

struct tls_server {
	struct test_redis redis;
	int port;
	char url[512];
};

static void run(const char *const *argv)
{
	int status;
	pid_t pid = test_spawn("openssl", argv, NULL);

	ck_assert(test_wait(pid, 30000, &status));
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "openssl %s failed; see %s/openssl.log", argv[1], test_dir());
}

static const char *file(const char *name, const char *end)
{
	static char paths[8][300];
	static size_t next;
	char *path = paths[next++ % ARRAY_LEN(paths)];

	snprintf(path, sizeof(paths[0]), "%s/%s.%s", test_dir(), name, end);
	return path;
}

/* A certificate that signs itself and others. */
static void make_ca(const char *name)
{
	run((const char *[]){"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
	        "-subj", "/CN=test CA", "-keyout", file(name, "key"), "-out", file(name, "pem"), NULL});
}

/* One for a server or a client, signed by a CA. names: subjectAltName. */
static void make_certificate(const char *name, const char *ca, const char *names)
{
	char extension[200];
	FILE *f;

	snprintf(extension, sizeof(extension), "subjectAltName=%s\n", names);
	f = fopen(file(name, "ext"), "we");
	ck_assert_ptr_nonnull(f);
	fputs(extension, f);
	ck_assert_int_eq(fclose(f), 0);
	run((const char *[]){"openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=test",
	        "-keyout", file(name, "key"), "-out", file(name, "csr"), NULL});
	run((const char *[]){"openssl", "x509", "-req", "-in", file(name, "csr"), "-CA", file(ca, "pem"), "-CAkey", file(ca, "key"),
	        "-set_serial", "2", "-days", "2", "-extfile", file(name, "ext"), "-out", file(name, "pem"), NULL});
}

/* clients: "no", or "yes": they need a certificate too. */
static void start(struct tls_server *s, const char *certificate, const char *clients)
{
	char port[16];

	s->port = test_port();
	snprintf(port, sizeof(port), "%d", s->port);
	test_redis_start_with(&s->redis, "no",
	        (const char *[]){"--tls-port", port, "--tls-cert-file", file(certificate, "pem"), "--tls-key-file",
	                file(certificate, "key"), "--tls-ca-cert-file", file("ca", "pem"), "--tls-auth-clients", clients, NULL},
	        NULL);
	snprintf(s->url, sizeof(s->url), "rediss://127.0.0.1:%d/0?ca=%s", s->port, file("ca", "pem"));
}

/* One server for all tests, started before they fork; each begins with it empty. */
static struct tls_server *common(void)
{
	static struct tls_server s;

	return &s;
}

const char *suite_url(void)
{
	static bool empty;

	if (!empty) {
		test_redis_tell(common()->redis.port, "FLUSHALL SYNC");
		test_redis_tell(common()->redis.port, "FUNCTION FLUSH SYNC");
	}
	empty = true;
	return common()->url;
}

static void before(void)
{
	make_ca("ca");
	make_certificate("server", "ca", "IP:127.0.0.1,DNS:redis.test");
	start(common(), "server", "no");
}

static struct err refused(const char *option, int port, const char *value)
{
	char url[512];
	struct err e = {0};
	struct queue *q;

	snprintf(url, sizeof(url), "rediss://127.0.0.1:%d%s%s", port, option, value);
	q = queue_open(url, &(struct queue_options){.timeout_ms = 5000}, &e);
	ck_assert_msg(q == NULL, "%s was accepted", url);
	return e;
}

START_TEST(an_unknown_ca_is_refused)
{
	struct err e;

	suite_url();
	make_ca("other");
	e = refused("?ca=", common()->port, file("other", "pem"));
	ck_assert_int_eq(e.code, ERR_DENIED);
	ck_assert_msg(strstr(e.text, "its certificate is not accepted"), "%s", e.text);
	e = refused("", common()->port, ""); /* the system's CAs do not know it either */
	ck_assert_msg(e.code == ERR_DENIED, "%s", e.text);
	e = refused("?ca=", common()->port, "/nowhere/ca.pem");
	ck_assert_int_eq(e.code, ERR_INVALID);
	ck_assert_msg(strstr(e.text, "/nowhere/ca.pem cannot be read"), "%s", e.text);
}
END_TEST

START_TEST(another_name_is_refused)
{
	struct tls_server s;
	char url[600];
	struct err e = {0};
	struct queue *q;

	make_ca("ca");
	make_certificate("named", "ca", "DNS:redis.test");
	start(&s, "named", "no");
	e = refused("?ca=", s.port, file("ca", "pem"));
	ck_assert_int_eq(e.code, ERR_DENIED);
	ck_assert_msg(strstr(e.text, "mismatch"), "%s", e.text);
	snprintf(url, sizeof(url), "%s&name=other.test", s.url);
	ck_assert_ptr_null(queue_open(url, NULL, &e));
	snprintf(url, sizeof(url), "%s&name=redis.test", s.url);
	q = queue_open(url, NULL, &e);
	ck_assert_msg(q != NULL, "%s", e.text);
	queue_close(&q);
	snprintf(url, sizeof(url), "rediss://127.0.0.1:%d?verify=no", s.port);
	q = queue_open(url, NULL, &e);
	ck_assert_msg(q != NULL, "%s", e.text);
	queue_close(&q);
}
END_TEST

START_TEST(clients_show_their_certificate)
{
	struct tls_server s;
	char url[900];
	struct err e = {0};
	struct queue *q;

	make_ca("ca");
	make_certificate("server", "ca", "IP:127.0.0.1");
	make_certificate("client", "ca", "DNS:client");
	start(&s, "server", "yes");
	ck_assert_ptr_null(queue_open(s.url, &(struct queue_options){.timeout_ms = 3000}, &e));
	snprintf(url, sizeof(url), "%s&cert=%s&key=%s", s.url, file("client", "pem"), file("client", "key"));
	q = queue_open(url, NULL, &e);
	ck_assert_msg(q != NULL, "%s", e.text);
	ck_ok(queue_ping(q, &e), &e);
	queue_close(&q);
	snprintf(url, sizeof(url), "%s&cert=%s&key=%s", s.url, file("client", "pem"), file("server", "key"));
	ck_assert_ptr_null(queue_open(url, NULL, &e));
	ck_assert_msg(strstr(e.text, "does not belong"), "%s", e.text);
}
END_TEST

/* A server that speaks plainly, or not at all, is told from one that speaks TLS, in time. */
START_TEST(a_plain_server_is_refused)
{
	struct err e;

	suite_url();
	e = refused("?ca=", common()->redis.port, file("server", "pem"));
	ck_assert_int_ne(e.code, ERR_NONE);
	e = refused("?verify=no", common()->redis.port, "");
	ck_assert_int_eq(e.code, ERR_UNAVAILABLE);
}
END_TEST

START_TEST(a_server_that_dies_is_found_again)
{
	struct tls_server s;
	struct err e = {0};
	struct queue *q;

	make_ca("ca");
	make_certificate("server", "ca", "IP:127.0.0.1");
	start(&s, "server", "no");
	q = queue_open(s.url, NULL, &e);
	ck_assert_msg(q != NULL, "%s", e.text);
	for (int i = 0; i < 5; i++) {
		test_redis_tell(s.redis.port, "CLIENT KILL TYPE normal");
		ck_ok(queue_ping(q, &e), &e);
	}
	kill(s.redis.pid, SIGSTOP);
	ck_assert(!queue_ping(q, &e));
	ck_assert_int_eq(e.code, ERR_UNAVAILABLE);
	kill(s.redis.pid, SIGCONT);
	ck_ok(queue_ping(q, &e), &e);
	queue_close(&q);
}
END_TEST

static const TTest *const tests[] = {QUEUE_SUITE, an_unknown_ca_is_refused, another_name_is_refused, clients_show_their_certificate,
        a_plain_server_is_refused, a_server_that_dies_is_found_again};

int main(int argc, char **argv)
{
	return test_main_before("queue_tls", tests, ARRAY_LEN(tests), before, argc, argv);
}
