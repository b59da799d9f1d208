/* system.h -- a whole Barque for a test: Redis, the development broker, the exchange simulator, the API and workers. */
#ifndef TESTS_LIB_SYSTEM_H
#define TESTS_LIB_SYSTEM_H

#include "base/json.h"
#include "http/client.h"
#include "tests/lib/test.h"

#define SYSTEM_WORKERS 4

struct test_system {
	struct test_redis redis;
	pid_t broker, exchange, api, workers[SYSTEM_WORKERS];
	int api_port, exchange_port;
	char kafka[128], store[256], records[256];
	struct http_client *http;
};

/* exchange_args: the simulator's own arguments, NULL-terminated (--port is added). Returns when the API is ready. */
void test_system_start(struct test_system *s, const char *const *exchange_args, int workers);
void test_system_start_worker(struct test_system *s, int i);
void test_system_stop(struct test_system *s);

/* Ask the API. The answer is JSON (closed by the caller) and must have this status. */
struct json *test_system_call(struct test_system *s, const char *method, const char *path, const char *body, int status);
/* Submit kind with params (JSON text); id_out[48]. */
void test_system_submit(struct test_system *s, const char *kind, const char *params, char id_out[48]);
/* Wait for the job's end; it must have succeeded. The job, closed by the caller. */
struct json *test_system_wait(struct test_system *s, const char *id, int timeout_ms);

/* Run `barque ARGS...`: its exit code, and what it printed (both streams) in *out, which the caller frees. s NULL: where no API listens. */
int test_barque(const struct test_system *s, char **out, const char *const *args);
/* It must exit with this code and have printed this. */
void test_barque_says(const struct test_system *s, int code, const char *part, const char *const *args);
#define BARQUE(s, out, ...)             test_barque(s, out, (const char *const[]){__VA_ARGS__, NULL})
#define BARQUE_SAYS(s, code, part, ...) test_barque_says(s, code, part, (const char *const[]){__VA_ARGS__, NULL})

#endif
