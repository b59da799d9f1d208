/* test_service.c -- what goes for all routes: cards, probes, unknown paths, CORS, the token, bodies, hostile requests. */
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/api/api_test.h"

START_TEST(cards_are_the_origins)
{
	struct api_test t;

	api_start(&t, NULL);
	ck_status(&t, api_get(&t, "/"), 200);
	ck_assert_ptr_nonnull(json_get(t.json, "endpoints"));
	ck_status(&t, api_call_port(&t, t.ports[1], "GET", "/", NULL, NULL), 200);
	ck_assert_str_eq(api_member(&t, "service"), "数据管理服务");
	ck_assert_int_eq(json_get_int(t.json, "port", 0), t.ports[1]);
	ck_assert_str_eq(json_get_text(json_get(t.json, "endpoints"), "获取K线数据", ""), "/api/kline/{interval}/{symbol}");
	ck_status(&t, api_call_port(&t, t.ports[2], "GET", "/", NULL, NULL), 200);
	ck_assert_str_eq(api_member(&t, "service"), "回测服务");
	ck_status(&t, api_call_port(&t, t.ports[3], "GET", "/", NULL, NULL), 200);
	ck_assert_str_eq(api_member(&t, "service"), "订单服务");
	api_stop(&t);
}
END_TEST

START_TEST(probes_and_metrics_answer)
{
	struct api_test t;

	api_start(&t, NULL);
	ck_status(&t, api_get(&t, "/health"), 200);
	ck_assert_str_eq(api_member(&t, "status"), "healthy");
	ck_status(&t, api_call_port(&t, t.ports[1], "GET", "/api/health", NULL, NULL), 200);
	ck_assert_str_eq(api_member(&t, "service"), "数据管理服务");
	ck_status(&t, api_get(&t, "/livez"), 200);
	ck_status(&t, api_get(&t, "/readyz"), 200);
	ck_assert_str_eq(api_member(&t, "queue"), "ok");
	ck_assert_str_eq(api_member(&t, "store"), "ok");
	ck_status(&t, api_get(&t, "/metrics"), 200);
	ck_contains(api_body(&t), "barque_http_requests_total{route=\"/readyz\"} 1");
	ck_contains(api_body(&t), "barque_events_waiting 0");
	api_stop(&t);
}
END_TEST

START_TEST(unknown_paths_and_methods)
{
	struct api_test t;
	char header[512];

	api_start(&t, NULL);
	ck_status(&t, api_get(&t, "/api/nothing"), 404);
	ck_assert_str_eq(api_body(&t), "{\"detail\":\"Not Found\"}");
	ck_status(&t, api_get(&t, "/api/symbols/"), 404);
	ck_status(&t, api_get(&t, "/../../etc/passwd"), 404);
	ck_status(&t, api_call(&t, "PUT", "/api/symbols", "{}"), 405);
	ck_assert_str_eq(api_body(&t), "{\"detail\":\"Method Not Allowed\"}");
	ck_assert_str_eq(api_header(&t, "allow", header), "GET, HEAD");
	ck_status(&t, api_call(&t, "OPTIONS", "/api/download", NULL), 405);
	ck_assert_str_eq(api_header(&t, "allow", header), "POST");
	ck_status(&t, api_call(&t, "PATCH", "/api/jobs", "{}"), 405);
	ck_assert_str_eq(api_member(&t, "type"), "urn:barque:problem:method_not_allowed");
	ck_assert_str_eq(api_member(&t, "detail"), "/api/jobs cannot be asked for with PATCH, but with POST, GET, HEAD");
	ck_status(&t, api_get(&t, "/api/jobs/x/colour"), 404);
	ck_assert_str_eq(api_member(&t, "detail"), "there is no /api/jobs/x/colour; /docs lists what there is");
	ck_assert_str_eq(api_header(&t, "content-type", header), "application/problem+json");
	ck_status(&t, api_get(&t, "/api/events"), 503);
	ck_contains(api_member(&t, "detail"), "KAFKA_BROKERS");
	api_stop(&t);
}
END_TEST

START_TEST(cors_is_the_origins)
{
	static const char *const ask[] = {"Origin: http://localhost:3000", "Access-Control-Request-Method: POST",
	        "Access-Control-Request-Headers: content-type", NULL};
	static const char *const stranger[] = {"Origin: http://evil.example", "Access-Control-Request-Method: POST", NULL};
	static const char *const odd[] = {"Origin: http://localhost:3000", "Access-Control-Request-Method: TRACE", NULL};
	static const char *const simple[] = {"Origin: http://localhost:3001", NULL};
	static const char *const other[] = {"Origin: http://localhost:30000", NULL};
	struct api_test t;
	char h[512];

	api_start(&t, NULL);
	ck_status(&t, api_call_port(&t, t.ports[1], "OPTIONS", "/api/download", ask, NULL), 200);
	ck_assert_str_eq(api_body(&t), "OK");
	ck_assert_str_eq(api_header(&t, "content-type", h), "text/plain; charset=utf-8");
	ck_assert_str_eq(api_header(&t, "access-control-allow-methods", h), "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT");
	ck_assert_str_eq(api_header(&t, "access-control-max-age", h), "600");
	ck_assert_str_eq(api_header(&t, "access-control-allow-credentials", h), "true");
	ck_assert_str_eq(api_header(&t, "access-control-allow-origin", h), "http://localhost:3000");
	ck_assert_str_eq(api_header(&t, "access-control-allow-headers", h), "content-type");
	ck_assert_str_eq(api_header(&t, "vary", h), "Origin");
	ck_status(&t, api_call_port(&t, t.ports[1], "OPTIONS", "/api/download", stranger, NULL), 400);
	ck_assert_str_eq(api_body(&t), "Disallowed CORS origin");
	ck_assert_str_eq(api_header(&t, "access-control-allow-origin", h), "");
	ck_status(&t, api_call_port(&t, t.ports[1], "OPTIONS", "/api/download", odd, NULL), 400);
	ck_assert_str_eq(api_body(&t), "Disallowed CORS method");
	ck_status(&t, api_call_port(&t, t.ports[1], "GET", "/api/symbols", simple, NULL), 200);
	ck_assert_str_eq(api_header(&t, "access-control-allow-origin", h), "http://localhost:3001");
	ck_assert_str_eq(api_header(&t, "vary", h), "Origin");
	ck_status(&t, api_call_port(&t, t.ports[1], "GET", "/nowhere", simple, NULL), 404);
	ck_assert_str_eq(api_header(&t, "access-control-allow-origin", h), "http://localhost:3001");
	ck_status(&t, api_call_port(&t, t.ports[1], "GET", "/api/symbols", other, NULL), 200);
	ck_assert_str_eq(api_header(&t, "access-control-allow-origin", h), "");
	api_stop(&t);
}
END_TEST

START_TEST(the_token_is_wanted_everywhere_but_at_probes)
{
	static const char *const env[] = {"API_TOKEN=s3cret", NULL};
	static const char *const good[] = {"Authorization: Bearer s3cret", NULL};
	static const char *const bad[] = {"Authorization: Bearer s3cre", NULL};
	static const char *const longer[] = {"Authorization: Bearer s3crets3cret", NULL};
	static const char *const none[] = {"Authorization: Bearer ", NULL};
	static const char *const basic[] = {"Authorization: Basic s3cret", NULL};
	struct api_test t;
	char h[512];

	api_start(&t, env);
	ck_status(&t, api_get(&t, "/readyz"), 200);
	ck_status(&t, api_get(&t, "/health"), 200);
	ck_status(&t, api_get(&t, "/api/symbols"), 401);
	ck_assert_str_eq(api_header(&t, "www-authenticate", h), "Bearer");
	ck_status(&t, api_get(&t, "/api/nothing"), 401);
	ck_status(&t, api_call_port(&t, t.ports[0], "GET", "/api/symbols", good, NULL), 200);
	ck_status(&t, api_call_port(&t, t.ports[0], "GET", "/api/symbols", bad, NULL), 401);
	ck_status(&t, api_call_port(&t, t.ports[0], "GET", "/api/symbols", longer, NULL), 401);
	ck_status(&t, api_call_port(&t, t.ports[0], "GET", "/api/symbols", none, NULL), 401);
	ck_status(&t, api_call_port(&t, t.ports[0], "GET", "/metrics", basic, NULL), 401);
	api_stop(&t);
}
END_TEST

/* A body of n times `piece` after `head` and before `tail`. */
static char *repeated(const char *head, const char *piece, size_t n, const char *tail)
{
	struct buf b = {0};

	buf_adds(&b, head);
	for (size_t i = 0; i < n; i++)
		buf_adds(&b, piece);
	buf_adds(&b, tail);
	return buf_detach(&b);
}

static void refuse(struct api_test *t, const char *path, const char *body, int status, const char *part)
{
	ck_status(t, api_call(t, "POST", path, body), status);
	ck_contains(api_member(t, "detail"), part);
}

START_TEST(bad_bodies_are_refused_with_a_sentence)
{
	static const char *const form[] = {"Content-Type: application/x-www-form-urlencoded", NULL};
	static const char *const simple[] = {"Origin: http://evil.example", "Content-Type: text/plain", NULL};
	struct api_test t;
	char *deep = repeated("{\"kind\":\"noop\",\"params\":", "[", 5000, ""), *huge = repeated("\"", "x", 2000, "\"");

	api_start(&t, (const char *const[]){"API_MAX_BODY=1024", NULL});
	refuse(&t, "/api/jobs", "", 400, "the body is empty");
	refuse(&t, "/api/jobs", "{", 400, "the body is not JSON");
	refuse(&t, "/api/jobs", "{\"kind\":\"noop\"} x", 400, "the body is not JSON");
	refuse(&t, "/api/jobs", "{\"kind\":NaN}", 400, "the body is not JSON");
	refuse(&t, "/api/jobs", "\xff\xfe", 400, "the body is not JSON");
	refuse(&t, "/api/jobs", "[]", 422, "must be a JSON object");
	refuse(&t, "/api/jobs", "null", 422, "must be a JSON object");
	refuse(&t, "/api/download", "{", 422, "the body is not JSON");
	refuse(&t, "/api/calculate-order", "7", 422, "must be a JSON object");
	ck_status(&t, api_call_port(&t, t.ports[0], "POST", "/api/jobs", form, "{\"kind\":\"noop\"}"), 415);
	ck_status(&t, api_call_port(&t, t.ports[0], "POST", "/api/jobs", simple, "{\"kind\":\"noop\"}"), 415);
	refuse(&t, "/api/jobs", huge, 413, "");
	api_stop(&t);
	api_start(&t, NULL);
	refuse(&t, "/api/jobs", deep, 400, "the body is not JSON");
	api_stop(&t);
	mem_free(&deep);
	mem_free(&huge);
}
END_TEST

/* Sends the bytes as they are and returns the status, 0 when the server closed without an answer. */
static int raw(struct api_test *t, const char *bytes, size_t len)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)t->ports[0]), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval limit = {.tv_sec = 10};
	int fd = socket(AF_INET, SOCK_STREAM, 0), status = 0;
	char answer[64] = "";

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	if (send(fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len && recv(fd, answer, sizeof answer - 1, 0) > 12)
		status = (int)strtol(answer + 9, NULL, 10);
	close(fd);
	return status;
}

START_TEST(hostile_requests_do_no_harm)
{
	static const char nul_path[] = "GET /api/symbols\0evil HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	static const char nul_body[] = "POST /api/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n"
	                               "Content-Length: 16\r\n\r\n{\"kind\":\"no\0op\"}";
	static const char garbage[] = "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n\r\n\r\n";
	static const char length[] = "POST /api/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n";
	struct api_test t;
	char *symbol = repeated("/api/kline/1d/", "A", 100000, ""), *medium = repeated("/api/kline/1d/", "A", 5000, "");

	api_start(&t, NULL);
	ck_assert_int_ge(raw(&t, symbol, strlen(symbol)), 0);
	ck_status(&t, api_get(&t, medium), 200);
	ck_assert_int_eq(json_get_int(t.json, "count", -1), 0);
	int status = raw(&t, nul_path, sizeof nul_path - 1);
	ck_assert_msg(status < 500, "a NUL in the path gave %d", status); /* the path ends there, or the request is refused */
	ck_assert_int_eq(raw(&t, nul_body, sizeof nul_body - 1), 400);
	status = raw(&t, garbage, sizeof garbage - 1);
	ck_assert_msg(status == 400 || status == 0, "garbage gave %d", status);
	status = raw(&t, length, sizeof length - 1);
	ck_assert_msg(status == 400 || status == 0, "a negative length gave %d", status);
	ck_status(&t, api_get(&t, "/api/kline/1d/%00%01%ff"), 200);
	ck_status(&t, api_get(&t, "/api/kline/1d/A';DROP%20TABLE%20x--"), 200);
	ck_status(&t, api_get(&t, "/api/records/..%2f..%2fetc%2fpasswd"), 404);
	ck_status(&t, api_get(&t, "/api/records/.hidden.csv"), 404);
	ck_status(&t, api_get(&t, "/api/records/none.csv"), 404);
	ck_assert_msg(!strstr(buf_text(&t.answer.body), t.records_dir), "a path of ours is told: %s", buf_text(&t.answer.body));
	ck_status(&t, api_get(&t, "/api/backtests/nothing"), 404);
	ck_status(&t, api_get(&t, "/api/backtests?limit=0"), 422);
	ck_status(&t, api_get(&t, "/api/backtests?before=-1"), 422);
	ck_status(&t, api_get(&t, "/livez"), 200);
	api_stop(&t);
	mem_free(&symbol);
	mem_free(&medium);
}
END_TEST

static bool head_keeps_silent(struct api_test *t, const char *path)
{
	ck_status(t, api_call(t, "HEAD", path, NULL), 200);
	return t->answer.body.len == 0;
}

START_TEST(head_answers_without_a_body)
{
	struct api_test t;

	api_start(&t, NULL);
	ck_assert(head_keeps_silent(&t, "/livez"));
	ck_assert(head_keeps_silent(&t, "/api/symbols"));
	ck_assert(head_keeps_silent(&t, "/openapi.json"));
	api_stop(&t);
}
END_TEST

/* Every route of routes.def is described, and nothing else is. */
START_TEST(openapi_tells_the_routes)
{
	static const char *const routes[][2] = {
#define ROUTE(method, path, handle, title) {method, path},
#include "api/routes.def"
#undef ROUTE
	};
	struct api_test t;
	size_t described = 0;

	api_start(&t, NULL);
	ck_status(&t, api_get(&t, "/openapi.yaml"), 200);
	ck_status(&t, api_get(&t, "/openapi.json"), 200);
	ck_assert_str_eq(api_member(&t, "openapi"), "3.1.0");
	const struct json *paths = json_get(t.json, "paths");
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		char method[16] = "";

		for (size_t j = 0; routes[i][0][j]; j++)
			method[j] = (char)(routes[i][0][j] | 0x20);
		ck_assert_msg(json_is(json_get(json_get(paths, routes[i][1]), method), JSON_OBJECT), "openapi.yaml lacks %s %s",
		        routes[i][0], routes[i][1]);
	}
	for (const struct json *p = json_first(paths); p; p = json_next(p))
		described += json_count(p);
	ck_assert_uint_eq(described, ARRAY_LEN(routes));
	ck_status(&t, api_get(&t, "/docs"), 200);
	for (size_t i = 0; i < ARRAY_LEN(routes); i++)
		ck_contains(api_body(&t), routes[i][1]);
	api_stop(&t);
}
END_TEST

static void refuse_setting(const char *setting, const char *part)
{
	const char *argv[] = {test_program("barque-api"), NULL}, *env[] = {setting, NULL};
	struct buf path = {0};
	int status = 0;
	pid_t pid = test_spawn("refused", argv, env);

	ck_assert_msg(test_wait(pid, 20000, &status), "%s was taken", setting);
	ck_assert_int_ne(status, 0);
	buf_addf(&path, "%s/refused.log", test_dir());
	char *log = test_read_file(buf_text(&path), NULL);
	ck_contains(log, part);
	mem_free(&log);
	buf_close(&path);
}

START_TEST(bad_settings_are_refused_in_a_sentence)
{
	refuse_setting("API_PORT=70000", "API_PORT");
	refuse_setting("API_PORT=0", "API_PORT is 0");
	refuse_setting("DATA_SERVICE_PORT=8000", "give each its own port");
	refuse_setting("API_PROT=8000", "API_PROT");
	refuse_setting("API_THREADS=0", "API_THREADS");
	refuse_setting("LOG_FORMAT=xml", "LOG_FORMAT");
	refuse_setting("API_TOKEN=a b", "API_TOKEN");
	refuse_setting("STORE_URL=nothing", "STORE_URL");
}
END_TEST

static const TTest *const tests[] = {cards_are_the_origins, probes_and_metrics_answer, unknown_paths_and_methods, cors_is_the_origins,
        the_token_is_wanted_everywhere_but_at_probes, bad_bodies_are_refused_with_a_sentence, hostile_requests_do_no_harm,
        head_answers_without_a_body, openapi_tells_the_routes, bad_settings_are_refused_in_a_sentence};
TEST_MAIN("service", tests)
