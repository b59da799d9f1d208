/* system.c -- a whole Barque for a test: Redis, the development broker, the exchange simulator, the API and workers. */
#include "tests/lib/system.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/mem.h"

#define READY_MS  30000
#define BARQUE_MS 60000
#define ARGS_MAX  32

/* The first line of a program's log once it says that it listens. */
static bool read_address(const char *name, char *out, size_t size)
{
	static const char prefix[] = "listening on ";
	char path[600], line[512];
	snprintf(path, sizeof(path), "%s/%s.log", test_dir(), name);
	FILE *log = fopen(path, "r");
	bool found = false;
	while (log && !found && fgets(line, sizeof(line), log)) {
		line[strcspn(line, "\n")] = '\0';
		found = str_starts(line, prefix) && str_copy(out, size, line + sizeof(prefix) - 1);
	}
	if (log)
		fclose(log);
	return found;
}

static void wait_address(const char *name, char *out, size_t size)
{
	int64_t until = clock_mono_ms() + READY_MS;
	while (!read_address(name, out, size)) {
		ck_assert_msg(clock_mono_ms() < until, "%s did not say where it listens; see %s/%s.log", name, test_dir(), name);
		clock_sleep_ms(20);
	}
}

static void start_broker(struct test_system *s)
{
	const char *argv[] = {test_program("barque-devbroker"), NULL};
	s->broker = test_spawn("devbroker", argv, NULL);
	wait_address("devbroker", s->kafka, sizeof(s->kafka));
}

static void start_exchange(struct test_system *s, const char *const *args)
{
	char port[16], address[128];
	const char *argv[32] = {test_program("barque-exchange-sim"), "--port", port};
	size_t n = 3;
	s->exchange_port = test_port();
	snprintf(port, sizeof(port), "%d", s->exchange_port);
	for (; args && *args; args++) {
		ck_assert(n + 1 < ARRAY_LEN(argv));
		argv[n++] = *args;
	}
	s->exchange = test_spawn("exchange", argv, NULL);
	wait_address("exchange", address, sizeof(address));
}

struct env {
	char text[12][300];
	const char *list[13];
	size_t n;
};

static void env_add(struct env *env, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void env_add(struct env *env, const char *fmt, ...)
{
	va_list ap;
	ck_assert(env->n < ARRAY_LEN(env->text));
	va_start(ap, fmt);
	vsnprintf(env->text[env->n], sizeof(env->text[0]), fmt, ap);
	va_end(ap);
	env->list[env->n] = env->text[env->n];
	env->n++;
}

static void env_common(const struct test_system *s, struct env *env)
{
	*env = (struct env){0};
	env_add(env, "QUEUE_URL=%s", s->redis.url);
	env_add(env, "STORE_URL=%s", s->store);
	env_add(env, "KAFKA_BROKERS=%s", s->kafka);
	env_add(env, "EXCHANGE_URL=http://127.0.0.1:%d", s->exchange_port);
	env_add(env, "RECORDS_DIR=%s", s->records);
}

static bool api_is_ready(void *user)
{
	struct test_system *s = user;
	char url[128];
	struct http_answer answer = {0};
	struct err ignored = {0};
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/readyz", s->api_port);
	struct http_call call = {.url = url};
	bool ready = http_client_call(s->http, &call, &answer, &ignored) && answer.status == 200;
	http_answer_close(&answer);
	return ready;
}

static void start_api(struct test_system *s)
{
	const char *argv[] = {test_program("barque-api"), NULL};
	struct env env;
	env_common(s, &env);
	s->api_port = test_port();
	env_add(&env, "API_PORT=%d", s->api_port);
	env_add(&env, "DATA_SERVICE_PORT=0");
	env_add(&env, "BACKTEST_SERVICE_PORT=0");
	env_add(&env, "ORDER_SERVICE_PORT=0");
	s->api = test_spawn("api", argv, env.list);
	ck_assert_msg(test_until(READY_MS, api_is_ready, s), "the API was not ready in time; see %s/api.log", test_dir());
}

void test_system_start_worker(struct test_system *s, int i)
{
	char name[16];
	const char *argv[] = {test_program("barque-worker"), NULL};
	struct env env;
	ck_assert(i >= 0 && i < SYSTEM_WORKERS);
	env_common(s, &env);
	env_add(&env, "CACHE_DIR=%s/cache", test_dir());
	env_add(&env, "WORKER_SLOTS=2");
	snprintf(name, sizeof(name), "worker-%d", i);
	s->workers[i] = test_spawn(name, argv, env.list);
}

void test_system_start(struct test_system *s, const char *const *exchange_args, int workers)
{
	struct err e = {0};
	struct http_client_options patient = {.timeout_ms = 120000, .stall_timeout_ms = 120000, .max_body = 256 << 20};
	*s = (struct test_system){0};
	snprintf(s->store, sizeof(s->store), "sqlite:%s/db", test_dir());
	snprintf(s->records, sizeof(s->records), "%s/records", test_dir());
	s->http = http_client_open(&patient, &e);
	ck_ok(s->http, &e);
	test_redis_start(&s->redis, "everysec");
	start_broker(s);
	start_exchange(s, exchange_args);
	start_api(s);
	for (int i = 0; i < workers; i++)
		test_system_start_worker(s, i);
}

void test_system_stop(struct test_system *s)
{
	for (int i = 0; i < SYSTEM_WORKERS; i++)
		if (s->workers[i] > 0)
			test_kill(s->workers[i], SIGTERM);
	test_kill(s->api, SIGTERM);
	test_kill(s->exchange, SIGTERM);
	test_kill(s->broker, SIGTERM);
	test_redis_stop(&s->redis);
	http_client_close(&s->http);
}

struct json *test_system_call(struct test_system *s, const char *method, const char *path, const char *body, int status)
{
	static const char *const headers[] = {"Content-Type: application/json", NULL};
	char url[1024];
	struct http_answer answer = {0};
	struct err e = {0};
	snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", s->api_port, path);
	struct http_call call = {.method = method, .url = url, .headers = headers, .body = body, .body_len = body ? strlen(body) : 0};
	ck_ok(http_client_call(s->http, &call, &answer, &e), &e);
	ck_assert_msg(answer.status == status, "%s %s: %d, not %d: %.300s", method, path, answer.status, status, buf_text(&answer.body));
	struct json *j = json_parse(buf_text(&answer.body), answer.body.len, &e);
	ck_ok(j, &e);
	http_answer_close(&answer);
	return j;
}

void test_system_submit(struct test_system *s, const char *kind, const char *params, char id_out[48])
{
	struct buf body = {0};
	buf_addf(&body, "{\"kind\":\"%s\",\"params\":%s}", kind, params);
	struct json *job = test_system_call(s, "POST", "/api/jobs", buf_text(&body), 202);
	ck_assert(str_copy(id_out, 48, json_get_text(job, "id", "")) && id_out[0]);
	json_close(&job);
	buf_close(&body);
}

struct json *test_system_wait(struct test_system *s, const char *id, int timeout_ms)
{
	char path[128];
	int64_t until = clock_mono_ms() + timeout_ms;
	snprintf(path, sizeof(path), "/api/jobs/%s", id);
	for (;;) {
		struct json *job = test_system_call(s, "GET", path, NULL, 200);
		const char *state = json_get_text(job, "state", "");
		if (str_eq(state, "succeeded"))
			return job;
		char *text = json_to_text(job);
		ck_assert_msg(!str_eq(state, "failed") && !str_eq(state, "dead") && !str_eq(state, "cancelled"),
		        "the job did not succeed: %.600s", text);
		ck_assert_msg(clock_mono_ms() < until, "the job did not end within %d ms: %.600s", timeout_ms, text);
		mem_free(&text);
		json_close(&job);
		clock_sleep_ms(50);
	}
}

int test_barque(const struct test_system *s, char **out, const char *const *args)
{
	static int number;
	char name[32], path[600], url[64];
	const char *argv[ARGS_MAX] = {test_program("barque")}, *env[] = {url, NULL};
	size_t n = 1;
	int status = 0;

	snprintf(name, sizeof(name), "cli-%d", number++);
	snprintf(url, sizeof(url), "BARQUE_URL=http://127.0.0.1:%d", s ? s->api_port : test_port());
	for (; *args; args++) {
		ck_assert_uint_lt(n, ARGS_MAX - 1);
		argv[n++] = *args;
	}
	ck_assert_msg(test_wait(test_spawn(name, argv, env), BARQUE_MS, &status), "barque %s did not end in time", argv[1]);
	snprintf(path, sizeof(path), "%s/%s.log", test_dir(), name);
	*out = test_read_file(path, NULL);
	ck_assert_msg(WIFEXITED(status), "barque %s died: %s", argv[1], *out);
	return WEXITSTATUS(status);
}

void test_barque_says(const struct test_system *s, int code, const char *part, const char *const *args)
{
	char *out;
	int got = test_barque(s, &out, args);

	ck_assert_msg(got == code && strstr(out, part) != NULL, "barque %s: exit %d, not %d, or '%s' is not in: %s", args[0], got, code,
	        part, out);
	mem_free(&out);
}
