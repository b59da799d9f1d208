/* test_http_server.c -- the HTTP server with real sockets: parking, streams, hostile clients, a clean end. */
#include "http/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/client.h"
#include "tests/lib/test.h"

#define PARKED_MAX 512

/* The table of parked requests, as http_park's manual asks for. */
struct table {
	pthread_mutex_t lock;
	struct http_request *parked[PARKED_MAX];
	size_t n;
	atomic_int total, timeouts, gone, streams_closed, opened, closed, handled;
	int64_t park_ms;
	char last_body[64];
	size_t last_len;
};

static bool take(struct table *t, struct http_request *r)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->parked[i] == r) {
			t->parked[i] = t->parked[--t->n];
			return true;
		}
	}
	return false;
}

static void on_timeout(struct http_request *r, bool gone, void *user)
{
	struct table *t = user;
	pthread_mutex_lock(&t->lock);
	if (take(t, r)) {
		t->timeouts += !gone;
		t->gone += gone;
		if (!gone)
			http_reply(r, 504, "text/plain", "late", 4);
	}
	pthread_mutex_unlock(&t->lock);
}

static void park(struct http_request *r, struct table *t)
{
	pthread_mutex_lock(&t->lock);
	ck_assert_uint_lt(t->n, PARKED_MAX);
	t->parked[t->n++] = r;
	t->total++;
	http_park(r, t->park_ms, on_timeout, t);
	pthread_mutex_unlock(&t->lock);
}

static void answer_all(struct table *t)
{
	pthread_mutex_lock(&t->lock);
	while (t->n)
		http_reply(t->parked[--t->n], 200, "text/plain", "woken", 5);
	pthread_mutex_unlock(&t->lock);
}

struct counting {
	struct table *table;
	int i, end, rests;
};

/* Numbers 1..end, a line each, with nothing to say in every second question. */
static bool more(void *user, struct buf *b)
{
	struct counting *c = user;
	if (c->rests++ % 2)
		return true;
	if (c->i < c->end)
		buf_addf(b, "%d\n", ++c->i);
	return c->i < c->end || c->end < 0;
}

static void closed(void *user)
{
	struct counting *c = user;
	c->table->streams_closed++;
	mem_free(&c);
}

static void echo(struct http_request *r)
{
	struct buf b = {0};
	const char *q = http_query(r, "q"), *none = http_query(r, "none"), *h = http_header(r, "x-thing");
	size_t len;
	http_body(r, &len);
	buf_addf(&b, "%s %s q=%s none=%s x=%s body=%zu peer=%s", http_method(r), http_path(r), q ? q : "NULL", none ? none : "NULL",
	        h ? h : "NULL", len, http_peer(r));
	http_reply_header(r, "X-One", "1");
	http_reply_header(r, "X-Two", "2");
	http_reply_buf(r, 200, "text/plain", &b);
}

static void stream(struct http_request *r, struct table *t)
{
	struct counting *c = mem_new(sizeof(*c));
	const char *n = http_query(r, "n");
	c->table = t;
	c->end = n ? atoi(n) : -1;
	http_reply_stream(r, 200, "text/plain", more, closed, c);
}

static void handler(struct http_request *r, void *thread, void *user)
{
	struct table *t = user;
	const char *path = http_path(r);
	const char *body = http_body(r, &t->last_len);
	UNUSED(thread);
	t->handled++;
	if (t->last_len < sizeof(t->last_body))
		memcpy(t->last_body, body, t->last_len);
	if (str_eq(path, "/park"))
		park(r, t);
	else if (str_eq(path, "/stream"))
		stream(r, t);
	else if (str_eq(path, "/cut"))
		http_reply_cut(r, 200, "text/plain", "half", 4, 8);
	else if (str_eq(path, "/reset"))
		http_reply_cut(r, 0, NULL, NULL, 0, 0);
	else if (str_eq(path, "/slow"))
		clock_sleep_ms(300), http_reply(r, 200, "text/plain", "done", 4);
	else
		echo(r);
}

static void *thread_open(void *user)
{
	struct table *t = user;
	t->opened++;
	return t;
}

static void thread_close(void *thread, void *user)
{
	struct table *t = user;
	ck_assert_ptr_eq(thread, t);
	t->closed++;
}

static struct http_server *open_server(struct table *t, struct http_server_options o)
{
	static const int any = 0;
	struct err e = {0};
	pthread_mutex_init(&t->lock, NULL);
	o.address = "127.0.0.1";
	o.ports = &any;
	o.n_ports = 1;
	o.thread_open = thread_open;
	o.thread_close = thread_close;
	o.user = t;
	struct http_server *s = http_server_open(&o, handler, &e);
	ck_assert_msg(s != NULL, "%s", e.text);
	return s;
}

/* ---- raw sockets -------------------------------------------------------------------------------------------- */

static int dial(const struct http_server *s)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)http_server_port(s, 0))};
	struct timeval limit = {.tv_sec = 10};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

static void say(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Everything until the other side closes (or `until` stands in it); buf_close it. */
static struct buf hear(int fd, const char *until)
{
	struct buf b = {0};
	char block[4096];
	ssize_t n;
	while ((!until || !strstr(buf_text(&b), until)) && (n = recv(fd, block, sizeof(block), 0)) > 0)
		buf_add(&b, block, (size_t)n);
	return b;
}

static void expect(int fd, const char *until, const char *part)
{
	struct buf b = hear(fd, until);
	ck_assert_msg(strstr(buf_text(&b), part) != NULL, "\"%s\" is not in \"%s\"", part, buf_text(&b));
	buf_close(&b);
}

static int ask(const struct http_server *s, const char *text)
{
	int fd = dial(s);
	say(fd, text);
	return fd;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

static bool all_parked(void *user)
{
	struct table *t = user;
	return t->total >= t->last_body[0] * 100;
}

/* ---- requests and answers ----------------------------------------------------------------------------------- */

START_TEST(texts_arrive_decoded)
{
	struct table t = {0};
	struct http_server *s = open_server(&t, (struct http_server_options){0});
	int fd = ask(s, "GET /a%20b%C3%A9%2Fc?q=x+y%26z&none HTTP/1.1\r\nHost: x\r\nX-Thing: 7\r\n\r\n");
	expect(fd, "peer=", "GET /a b\xc3\xa9/c q=x y&z none= x=7 body=0 peer=127.0.0.1");
	say(fd, GET("/%00secret?q=%00%zz%4"));
	expect(fd, "peer=", "GET /%00secret q=%00%zz%4 none=NULL");
	close(fd);
	http_server_close(&s);
	ck_assert_ptr_null(s);
}
END_TEST

START_TEST(every_method_reaches_the_handler)
{
	static const char *const methods[] = {"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"};
	struct table t = {0};
	struct http_server *s = open_server(&t, (struct http_server_options){0});
	int fd = dial(s);
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		char text[128], want[64];
		snprintf(text, sizeof(text), "%s /m HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab", methods[i]);
		snprintf(want, sizeof(want), "%s /m q=NULL none=NULL x=NULL body=2", methods[i]);
		say(fd, text);
		expect(fd, "peer=", want);
	}
	say(fd, "HEAD /m HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	struct buf b = hear(fd, NULL);
	ck_assert_ptr_nonnull(strstr(buf_text(&b), "Content-Length: 53"));
	ck_assert_ptr_nonnull(strstr(buf_text(&b), "X-One: 1\r\nX-Two: 2"));
	ck_assert(str_ends(buf_text(&b), "\r\n\r\n"));
	buf_close(&b);
	close(fd);
	http_server_close(&s);
}
END_TEST

START_TEST(a_body_with_any_bytes)
{
	struct table t = {0};
	struct http_server *s = open_server(&t, (struct http_server_options){0});
	int fd = dial(s);
	static const char text[] = "POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na\0b\r\n2\r\ncd\r\n0\r\n\r\n";
	ck_assert_int_eq(send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL), (ssize_t)sizeof(text) - 1);
	expect(fd, "peer=", "body=5");
	ck_assert_int_eq(memcmp(t.last_body, "a\0bcd", 5), 0);
	close(fd);
	http_server_close(&s);
}
END_TEST

START_TEST(too_large_a_body_is_413)
{
	struct table t = {0};
	struct http_server *s = open_server(&t, (struct http_server_options){.max_body = 1000});
	int fd = ask(s, "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n");
	expect(fd, "too large", "413");
	close(fd);
	fd = ask(s, "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n");
	expect(fd, NULL, "HTTP/1.1 4");
	close(fd);
	struct buf b = {0};
	buf_adds(&b, "POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n");
	for (int i = 0; i < 2000; i++)
		buf_addc(&b, 'x');
	buf_adds(&b, "\r\n0\r\n\r\n");
	fd = ask(s, buf_text(&b));
	buf_close(&b);
	b = hear(fd, "too large"); /* 413, or cut because it did not stop */
	ck_assert(b.len == 0 || strstr(buf_text(&b), "413"));
	buf_close(&b);
	close(fd);
	ck_assert_int_eq(t.handled, 0);
	fd = ask(s, "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
	expect(fd, "peer=", "body=3");
	close(fd);
	http_server_close(&s);
}
END_TEST

START_TEST(garbage_does_no_harm)
{
	static const char *const garbage[] = {
	        "\r\n\r\n\r\n",
	        "GET\r\n\r\n",
	        "\x16\x03\x01\x02\x01\x01\xfc\x03\x03",
	        "GET / HTTP/9.9\r\nHost: x\r\n\r\n",
	        "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
	        "GET / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
	        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
	        "GET /%ff%fe?%=%&&&=x&q HTTP/1.1\r\nHost: \x01\x02\r\n: :\r\n\r\n",
	};
	struct table t = {0};
	struct http_server *s = open_server(&t, (struct http_server_options){0});
	struct buf big = {0};
	buf_adds(&big, "GET / HTTP/1.1\r\nX: ");
	for (int i = 0; i < 100000; i++)
		buf_addc(&big, 'a');
	for (size_t i = 0; i < ARRAY_LEN(garbage); i++) {
		int fd = ask(s, garbage[i]);
		shutdown(fd, SHUT_WR);
		struct buf b = hear(fd, NULL);
		buf_close(&b);
		close(fd);
	}
	int fd = dial(s);
	send(fd, big.data, big.len, MSG_NOSIGNAL);
	struct buf b = hear(fd, NULL);
	ck_assert(b.len == 0 || strstr(buf_text(&b), " 431 ") || strstr(buf_text(&b), " 400 ") || strstr(buf_text(&b), " 413 "));
	buf_close(&b);
	buf_close(&big);
	close(fd);
	fd = ask(s, GET("/well"));
	expect(fd, "peer=", "GET /well");
	close(fd);
	http_server_close(&s);
}
END_TEST

/* ---- parking ------------------------------------------------------------------------------------------------ */

START_TEST(parked_requests_cost_no_thread)
{
	struct table t = {.park_ms = 30000};
	struct http_server *s = open_server(&t, (struct http_server_options){.threads = 4});
	int fds[200];
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = ask(s, GET("/park"));
	t.last_body[0] = 2; /* hundreds */
	ck_assert(test_until(10000, all_parked, &t));
	int fd = ask(s, GET("/free"));
	expect(fd, "peer=", "GET /free");
	close(fd);
	answer_all(&t);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		expect(fds[i], "woken", "200 OK");
		say(fds[i], GET("/again")); /* the connection lives on */
	}
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		expect(fds[i], "peer=", "GET /again");
		close(fds[i]);
	}
	http_server_close(&s);
	ck_assert_int_eq(t.opened, t.closed);
	ck_assert_int_ge(t.opened, 1);
	ck_assert_int_le(t.opened, 4);
	ck_assert_int_eq(t.timeouts + t.gone, 0);
}
END_TEST

START_TEST(parked_time_runs_out)
{
	struct table t = {.park_ms = 300};
	struct http_server *s = open_server(&t, (struct http_server_options){0});
	int64_t start = clock_mono_ms();
	int fd = ask(s, GET("/park"));
	expect(fd, "late", "504");
	int64_t took = clock_mono_ms() - start;
	ck_assert_int_ge(took, 295);
	ck_assert_int_lt(took, 3000);
	ck_assert_int_eq(t.timeouts, 1);
	close(fd);
	http_server_close(&s);
}
END_TEST

START_TEST(a_parked_client_that_leaves_is_told)
{
	struct table t = {.park_ms = 60000};
	struct http_server *s = open_server(&t, (struct http_server_options){0});
	int fds[100];
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = ask(s, GET("/park"));
	t.last_body[0] = 1;
	ck_assert(test_until(10000, all_parked, &t));
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	for (int i = 0; i < 100 && t.gone < 100; i++)
		clock_sleep_ms(50);
	ck_assert_int_eq(t.gone, 100);
	ck_assert_uint_eq(t.n, 0);
	http_server_close(&s);
}
END_TEST

struct waker {
	struct table *table;
	atomic_bool stop;
};

static void *wake_all_the_time(void *user)
{
	struct waker *w = user;
	while (!w->stop) {
		answer_all(w->table);
		clock_sleep_ms(1);
	}
	return NULL;
}

static void *ask_all_the_time(void *user)
{
	const struct http_server *s = user;
	struct http_client *c;
	struct http_answer a = {0};
	struct err e = {0};
	char url[64];
	int64_t end = clock_mono_ms() + 2000;
	c = http_client_open(NULL, &e);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/park", http_server_port(s, 0));
	while (clock_mono_ms() < end) {
		struct http_call call = {.url = url};
		ck_ok(http_client_call(c, &call, &a, &e), &e);
		ck_assert(a.status == 200 || a.status == 504);
	}
	http_answer_close(&a);
	http_client_close(&c);
	return NULL;
}

/* Answers, time limits and new requests all at once: each request has exactly one answer. */
START_TEST(answers_race_with_time_limits)
{
	struct table t = {.park_ms = 4};
	struct waker w = {.table = &t};
	pthread_t askers[8], waker;
	struct http_server *s = open_server(&t, (struct http_server_options){.threads = 2});
	pthread_create(&waker, NULL, wake_all_the_time, &w);
	for (size_t i = 0; i < ARRAY_LEN(askers); i++)
		pthread_create(&askers[i], NULL, ask_all_the_time, s);
	for (size_t i = 0; i < ARRAY_LEN(askers); i++)
		pthread_join(askers[i], NULL);
	w.stop = true;
	pthread_join(waker, NULL);
	ck_assert_int_gt(t.total, 100);
	ck_assert_uint_eq(t.n, 0);
	http_server_close(&s);
}
END_TEST

START_TEST(closing_answers_the_parked)
{
	struct table t = {.park_ms = 60000};
	struct http_server *s = open_server(&t, (struct http_server_options){0});
	int fds[100], port = http_server_port(s, 0);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = ask(s, GET("/park"));
	t.last_body[0] = 1;
	ck_assert(test_until(10000, all_parked, &t));
	int64_t start = clock_mono_ms();
	http_server_close(&s);
	ck_assert_int_lt(clock_mono_ms() - start, 4000);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		expect(fds[i], NULL, "503");
		close(fds[i]);
	}
	ck_assert_int_eq(t.gone, 100); /* and their owner knows */
	ck_assert_uint_eq(t.n, 0);
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_ne(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	close(fd);
}
END_TEST

START_TEST(closing_waits_for_an_answer_under_way)
{
	struct table t = {0};
	struct http_server *s = open_server(&t, (struct http_server_options){0});
	int fd = ask(s, GET("/slow"));
	clock_sleep_ms(100);
	http_server_close(&s);
	expect(fd, NULL, "done");
	close(fd);
}
END_TEST

/* ---- streams ------------------------------------------------------------------------------------------------ */

START_TEST(a_stream_goes_on_until_its_end)
{
	struct table t = {0};
	struct http_server *s = open_server(&t, (struct http_server_options){.threads = 2});
	int fds[20];
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = ask(s, GET("/stream?n=10"));
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		expect(fds[i], "\r\n0\r\n", "10\n");
		say(fds[i], GET("/after"));
		expect(fds[i], "peer=", "GET /after");
		close(fds[i]);
	}
	http_server_close(&s);
	ck_assert_int_eq(t.streams_closed, 20);
}
END_TEST

START_TEST(a_stream_ends_when_its_reader_leaves)
{
	struct table t = {0};
	struct http_server *s = open_server(&t, (struct http_server_options){0});
	int fd = ask(s, GET("/stream"));
	expect(fd, "\r\n\r\n", "200 OK");
	close(fd);
	for (int i = 0; i < 100 && !t.streams_closed; i++)
		clock_sleep_ms(50);
	ck_assert_int_eq(t.streams_closed, 1);
	http_server_close(&s);
}
END_TEST

static int64_t cpu_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

START_TEST(waiting_burns_no_cpu)
{
	struct table t = {.park_ms = 60000};
	struct http_server *s = open_server(&t, (struct http_server_options){0});
	int stream_fd = ask(s, GET("/stream")), park_fd = ask(s, GET("/park"));
	clock_sleep_ms(100);
	int64_t before = cpu_ms();
	clock_sleep_ms(1500);
	ck_assert_int_lt(cpu_ms() - before, 300);
	http_server_close(&s);
	expect(stream_fd, NULL, "\r\n0\r\n"); /* a clean end */
	expect(park_fd, NULL, "503");
	ck_assert_int_eq(t.streams_closed, 1);
	close(stream_fd);
	close(park_fd);
}
END_TEST

START_TEST(answers_can_be_cut)
{
	struct table t = {0};
	struct http_server *s = open_server(&t, (struct http_server_options){0});
	int fd = ask(s, GET("/cut"));
	struct buf b = hear(fd, NULL);
	ck_assert_ptr_nonnull(strstr(buf_text(&b), "Content-Length: 8"));
	ck_assert(str_ends(buf_text(&b), "half"));
	buf_close(&b);
	close(fd);
	fd = ask(s, GET("/reset"));
	b = hear(fd, NULL);
	ck_assert_uint_eq(b.len, 0);
	buf_close(&b);
	close(fd);
	http_server_close(&s);
}
END_TEST

/* ---- hostile clients ---------------------------------------------------------------------------------------- */

static bool is_cut_within(int fd, int64_t ms, const char *drip)
{
	int64_t end = clock_mono_ms() + ms;
	struct timeval limit = {.tv_usec = 200000};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	while (clock_mono_ms() < end) {
		char c[512];
		ssize_t n = recv(fd, c, sizeof(c), 0);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			return true;
		if (drip && send(fd, drip, 1, MSG_NOSIGNAL) < 0)
			return true;
	}
	return false;
}

START_TEST(slow_clients_are_cut)
{
	struct table t = {0};
	struct http_server *s = open_server(&t, (struct http_server_options){.idle_timeout_s = 1});
	int silent = dial(s);
	int drip = ask(s, "GET / HTTP/1.1\r\nX: ");
	int body = ask(s, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n");
	int idle = ask(s, GET("/"));
	ck_assert(is_cut_within(drip, 6000, "a"));
	ck_assert(is_cut_within(body, 6000, "a"));
	ck_assert(is_cut_within(silent, 4000, NULL));
	ck_assert(is_cut_within(idle, 4000, NULL));
	close(silent), close(drip), close(body), close(idle);
	int fd = ask(s, GET("/well"));
	expect(fd, "peer=", "GET /well");
	close(fd);
	http_server_close(&s);
}
END_TEST

START_TEST(cut_connections_do_no_harm)
{
	static const char *const starts[] = {"", "GE", "GET / HTTP/1.1\r\nHost",
	        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc", GET("/stream"), GET("/park"), GET("/slow"), GET("/")};
	struct table t = {.park_ms = 50};
	struct http_server *s = open_server(&t, (struct http_server_options){0});
	for (int i = 0; i < 400; i++) {
		int fd = ask(s, starts[(size_t)i % (i < 380 ? 4 : ARRAY_LEN(starts))]);
		struct linger now = {.l_onoff = 1};
		if (i % 2)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		close(fd);
	}
	int fd = ask(s, GET("/well"));
	expect(fd, "peer=", "GET /well");
	close(fd);
	http_server_close(&s);
	ck_assert_uint_eq(t.n, 0);
}
END_TEST

/* ---- opening ------------------------------------------------------------------------------------------------ */

START_TEST(a_port_in_use_is_said_so)
{
	struct table t = {0};
	struct err e = {0};
	struct http_server *s = open_server(&t, (struct http_server_options){0});
	int port = http_server_port(s, 0);
	struct http_server_options o = {.address = "127.0.0.1", .ports = &port, .n_ports = 1, .user = &t};
	char want[64];
	snprintf(want, sizeof(want), "port %d is in use by another program", port);
	ck_assert_ptr_null(http_server_open(&o, handler, &e));
	ck_assert_int_eq(e.code, ERR_CONFLICT);
	ck_assert_ptr_nonnull(strstr(e.text, want));
	o.address = "not an address";
	ck_assert_ptr_null(http_server_open(&o, handler, &e));
	ck_assert_int_eq(e.code, ERR_INVALID);
	http_server_close(&s);
}
END_TEST

static void say_port(struct http_request *r, void *thread, void *user)
{
	char text[16];
	UNUSED(thread), UNUSED(user);
	snprintf(text, sizeof(text), "p=%d.", http_port(r));
	http_reply(r, 200, "text/plain", text, strlen(text));
}

START_TEST(several_ports_one_handler)
{
	int ports[2] = {test_port(), test_port()};
	struct err e = {0};
	struct http_server_options o = {.address = "127.0.0.1", .ports = ports, .n_ports = 2, .threads = 1};
	struct http_server *s = http_server_open(&o, say_port, &e);
	struct http_client *c = http_client_open(NULL, &e);
	struct http_answer a = {0};
	ck_assert_msg(s != NULL, "%s", e.text);
	for (int i = 0; i < 2; i++) {
		char url[64], want[16];
		snprintf(url, sizeof(url), "http://127.0.0.1:%d/", ports[i]);
		snprintf(want, sizeof(want), "p=%d.", ports[i]);
		struct http_call call = {.url = url};
		ck_ok(http_client_call(c, &call, &a, &e), &e);
		ck_assert_str_eq(buf_text(&a.body), want);
		ck_assert_int_eq(http_server_port(s, (size_t)i), ports[i]);
	}
	http_answer_close(&a);
	http_client_close(&c);
	http_server_close(&s);
}
END_TEST

static const TTest *const tests[] = {texts_arrive_decoded, every_method_reaches_the_handler, a_body_with_any_bytes, too_large_a_body_is_413,
        garbage_does_no_harm, parked_requests_cost_no_thread, parked_time_runs_out, a_parked_client_that_leaves_is_told,
        answers_race_with_time_limits, closing_answers_the_parked, closing_waits_for_an_answer_under_way, a_stream_goes_on_until_its_end,
        a_stream_ends_when_its_reader_leaves, waiting_burns_no_cpu, answers_can_be_cut, slow_clients_are_cut, cut_connections_do_no_harm,
        a_port_in_use_is_said_so, several_ports_one_handler};
TEST_MAIN("http_server", tests)
