/* test_http_client.c -- the HTTP client against a server that behaves badly: time, size, cuts, schemes, cancellation. */
#include "http/client.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/server.h"
#include "tests/lib/test.h"

static void nobody(struct http_request *r, bool gone, void *user)
{
	UNUSED(user);
	if (!gone)
		http_reply(r, 504, NULL, NULL, 0);
}

/* One letter now and then, for ever. */
static bool drip(void *user, struct buf *b)
{
	int *asked = user;
	if (++*asked % 2)
		buf_addc(b, 'x');
	return true;
}

static void drip_closed(void *user)
{
	mem_free(&user);
}

static void echo(struct http_request *r)
{
	struct buf b = {0};
	size_t len;
	const char *body = http_body(r, &len);
	const char *type = http_header(r, "Content-Type"), *agent = http_header(r, "User-Agent"), *expect = http_header(r, "Expect");
	buf_addf(&b, "%s q=%s type=%s agent=%s expect=%s body=", http_method(r), http_query(r, "q"), type ? type : "NULL", agent,
	        expect ? expect : "NULL");
	buf_add(&b, body, len);
	http_reply_header(r, "X-CASE", "Kept As It Is");
	http_reply_header(r, "X-Split", "a\r\nX-Evil: 1"); /* refused, with a line in the log */
	http_reply_buf(r, 200, "text/plain", &b);
}

static void handler(struct http_request *r, void *thread, void *user)
{
	const char *path = http_path(r);
	static const char big[100000];
	UNUSED(thread), UNUSED(user);
	if (str_eq(path, "/404"))
		http_reply(r, 404, "text/plain", "no", 2);
	else if (str_eq(path, "/302"))
		http_reply_header(r, "Location", "file:///etc/passwd"), http_reply(r, 302, NULL, NULL, 0);
	else if (str_eq(path, "/hang"))
		http_park(r, 60000, nobody, NULL);
	else if (str_eq(path, "/drip"))
		http_reply_stream(r, 200, "text/plain", drip, drip_closed, mem_new(sizeof(int)));
	else if (str_eq(path, "/cut"))
		http_reply_cut(r, 200, "text/plain", "half", 4, 8);
	else if (str_eq(path, "/reset"))
		http_reply_cut(r, 0, NULL, NULL, 0, 0);
	else if (str_eq(path, "/big"))
		http_reply(r, 200, "text/plain", big, sizeof(big));
	else
		echo(r);
}

struct fixture {
	struct http_server *server;
	struct http_client *client;
	struct http_answer answer;
	struct err e;
};

static void setup(struct fixture *f, const struct http_client_options *o)
{
	static const int any = 0;
	struct http_server_options so = {.address = "127.0.0.1", .ports = &any, .n_ports = 1};
	memset(f, 0, sizeof(*f));
	f->server = http_server_open(&so, handler, &f->e);
	f->client = http_client_open(o, &f->e);
	ck_assert_msg(f->server && f->client, "%s", f->e.text);
}

static void teardown(struct fixture *f)
{
	http_answer_close(&f->answer);
	http_client_close(&f->client);
	ck_assert_ptr_null(f->client);
	http_server_close(&f->server);
}

static bool ask_call(struct fixture *f, const char *path, struct http_call call)
{
	char url[256];
	snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", http_server_port(f->server, 0), path);
	call.url = url;
	f->e = (struct err){0};
	return http_client_call(f->client, &call, &f->answer, &f->e);
}

static bool ask(struct fixture *f, const char *path)
{
	return ask_call(f, path, (struct http_call){0});
}

static void fails_with(struct fixture *f, const char *path, enum err_code code)
{
	ck_assert(!ask(f, path));
	ck_assert_msg(f->e.code == code, "%s: %s, %s", path, err_name(f->e.code), f->e.text);
	ck_assert(f->e.text[0]);
}

START_TEST(errors_of_http_are_answers)
{
	struct fixture f;
	char text[64];
	setup(&f, NULL);
	ck_ok(ask(&f, "/404"), &f.e);
	ck_assert_int_eq(f.answer.status, 404);
	ck_assert_str_eq(buf_text(&f.answer.body), "no");
	ck_ok(ask(&f, "/302"), &f.e); /* not followed, least of all into a file */
	ck_assert_int_eq(f.answer.status, 302);
	ck_assert_uint_eq(f.answer.body.len, 0);
	ck_assert(http_answer_header(&f.answer, "location", text, sizeof(text)));
	ck_assert_str_eq(text, "file:///etc/passwd");
	teardown(&f);
}
END_TEST

START_TEST(headers_are_found_whole)
{
	struct fixture f;
	char text[64], small[5];
	setup(&f, NULL);
	ck_ok(ask(&f, "/"), &f.e);
	ck_assert(http_answer_header(&f.answer, "x-case", text, sizeof(text)));
	ck_assert_str_eq(text, "Kept As It Is");
	ck_assert(!http_answer_header(&f.answer, "x-case", small, sizeof(small)));
	ck_assert(!http_answer_header(&f.answer, "x-cas", text, sizeof(text)));
	ck_assert(!http_answer_header(&f.answer, "case", text, sizeof(text)));
	ck_assert(!http_answer_header(&f.answer, "x-evil", text, sizeof(text)));
	teardown(&f);
}
END_TEST

START_TEST(requests_go_out_as_said)
{
	static const char *const headers[] = {"Content-Type: application/json", NULL};
	struct fixture f;
	struct buf path = {0};
	setup(&f, &(struct http_client_options){.user_agent = "tester"});
	buf_adds(&path, "/x?q=");
	http_escape(&path, "a b&c=d/\xc3\xa9%");
	ck_assert_str_eq(buf_text(&path), "/x?q=a%20b%26c%3Dd%2F%C3%A9%25");
	struct http_call call = {.method = "POST", .headers = headers, .body = "a\0b", .body_len = 3};
	ck_ok(ask_call(&f, buf_text(&path), call), &f.e);
	static const char want[] = "POST q=a b&c=d/\xc3\xa9% type=application/json agent=tester expect=NULL body=a\0b";
	ck_assert_uint_eq(f.answer.body.len, sizeof(want) - 1);
	ck_assert_int_eq(memcmp(f.answer.body.data, want, sizeof(want) - 1), 0);
	ck_ok(ask_call(&f, "/?q=1", (struct http_call){.method = "DELETE"}), &f.e);
	ck_assert_str_eq(buf_text(&f.answer.body), "DELETE q=1 type=NULL agent=tester expect=NULL body=");
	ck_ok(ask_call(&f, "/?q=1", (struct http_call){.method = "POST"}), &f.e);
	ck_assert_str_eq(buf_text(&f.answer.body), "POST q=1 type=NULL agent=tester expect=NULL body=");
	ck_ok(ask_call(&f, "/?q=1", (struct http_call){.method = "HEAD"}), &f.e);
	ck_assert_uint_eq(f.answer.body.len, 0);
	ck_ok(ask(&f, "/?q=2"), &f.e); /* nothing of the calls before sticks */
	ck_assert_str_eq(buf_text(&f.answer.body), "GET q=2 type=NULL agent=tester expect=NULL body=");
	buf_close(&path);
	teardown(&f);
}
END_TEST

START_TEST(a_header_cannot_bring_another)
{
	static const char *const headers[] = {"X: a\r\nY: b", NULL};
	struct fixture f;
	setup(&f, NULL);
	ck_assert(!ask_call(&f, "/", (struct http_call){.headers = headers}));
	ck_assert_int_eq(f.e.code, ERR_INVALID);
	teardown(&f);
}
END_TEST

START_TEST(bodies_are_bounded)
{
	struct fixture f;
	setup(&f, &(struct http_client_options){.max_body = 99999});
	fails_with(&f, "/big", ERR_FULL);
	ck_ok(ask(&f, "/?q=1"), &f.e);
	teardown(&f);
	setup(&f, &(struct http_client_options){.max_body = 100000});
	ck_ok(ask(&f, "/big"), &f.e);
	ck_assert_uint_eq(f.answer.body.len, 100000);
	teardown(&f);
}
END_TEST

START_TEST(time_is_bounded)
{
	struct fixture f;
	setup(&f, &(struct http_client_options){.timeout_ms = 300});
	int64_t start = clock_mono_ms();
	fails_with(&f, "/hang", ERR_TIMEOUT);
	fails_with(&f, "/drip", ERR_TIMEOUT);
	ck_assert(!ask_call(&f, "/hang", (struct http_call){.timeout_ms = 100}));
	ck_assert_int_eq(f.e.code, ERR_TIMEOUT);
	ck_assert_int_lt(clock_mono_ms() - start, 3000);
	teardown(&f);
	setup(&f, &(struct http_client_options){.stall_timeout_ms = 1000});
	start = clock_mono_ms();
	fails_with(&f, "/hang", ERR_TIMEOUT);
	ck_assert_int_lt(clock_mono_ms() - start, 5000);
	teardown(&f);
}
END_TEST

START_TEST(lost_answers_are_unsure)
{
	struct fixture f;
	setup(&f, NULL);
	fails_with(&f, "/cut", ERR_UNSURE);
	fails_with(&f, "/reset", ERR_UNSURE);
	ck_ok(ask(&f, "/?q=1"), &f.e);
	teardown(&f);
}
END_TEST

START_TEST(where_nobody_listens_is_unavailable)
{
	struct fixture f;
	struct http_call call = {0};
	char url[64];
	setup(&f, NULL);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/", test_port());
	call.url = url;
	ck_assert(!http_client_call(f.client, &call, &f.answer, &f.e));
	ck_assert_int_eq(f.e.code, ERR_UNAVAILABLE);
	teardown(&f);
}
END_TEST

START_TEST(only_http_and_https)
{
	static const char *const urls[] = {"file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "nonsense://x", "http://", ""};
	struct fixture f;
	setup(&f, NULL);
	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		struct http_call call = {.url = urls[i]};
		ck_assert(!http_client_call(f.client, &call, &f.answer, &f.e));
		ck_assert_msg(f.e.code == ERR_INVALID, "%s: %s", urls[i], f.e.text);
	}
	teardown(&f);
}
END_TEST

START_TEST(the_environment_names_no_proxy)
{
	struct fixture f;
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setup(&f, NULL);
	ck_ok(ask(&f, "/?q=1"), &f.e);
	teardown(&f);
	setup(&f, &(struct http_client_options){.proxy = "http://127.0.0.1:1"});
	fails_with(&f, "/", ERR_UNAVAILABLE);
	teardown(&f);
}
END_TEST

static bool count_three(void *user, const char *data, size_t len)
{
	int *n = user;
	ck_assert_uint_eq(len, 1);
	ck_assert_int_eq(data[0], 'x');
	return ++*n < 3;
}

static bool stop_soon(void *user)
{
	int *n = user;
	return ++*n < 3;
}

START_TEST(calls_can_be_ended_from_inside)
{
	struct fixture f;
	int n = 0;
	setup(&f, NULL);
	ck_assert(!ask_call(&f, "/drip", (struct http_call){.on_data = count_three, .user = &n}));
	ck_assert_int_eq(f.e.code, ERR_CANCELLED);
	ck_assert_int_eq(n, 3);
	n = 0;
	int64_t start = clock_mono_ms();
	ck_assert(!ask_call(&f, "/hang", (struct http_call){.go_on = stop_soon, .user = &n}));
	ck_assert_int_eq(f.e.code, ERR_CANCELLED);
	ck_assert_int_lt(clock_mono_ms() - start, 6000);
	ck_ok(ask(&f, "/?q=1"), &f.e);
	teardown(&f);
}
END_TEST

static const TTest *const tests[] = {errors_of_http_are_answers, headers_are_found_whole, requests_go_out_as_said,
        a_header_cannot_bring_another, bodies_are_bounded, time_is_bounded, lost_answers_are_unsure, where_nobody_listens_is_unavailable,
        only_http_and_https, the_environment_names_no_proxy, calls_can_be_ended_from_inside};
TEST_MAIN("http_client", tests)
