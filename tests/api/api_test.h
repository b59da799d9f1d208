/* api_test.h -- what the tests of the HTTP program share: a real Redis, barque-api, calls, and a worker inside the test.
 *
 * The worker takes jobs through queue_link as the real one does, but what a job does is a function of the test: so each end of a
 * job (result, error, never) can be had at will.
 */
#ifndef TESTS_API_TEST_H
#define TESTS_API_TEST_H

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "http/client.h"
#include "queue/queue.h"
#include "store/store.h"
#include "tests/lib/test.h"

struct api_test {
	struct test_redis redis;
	pid_t pid;
	int ports[4]; /* everything, data, backtest, order */
	char store_url[300], records_dir[300], work_dir[280];
	struct http_client *http;
	struct http_answer answer;
	struct json *json; /* of the last answer; NULL when it was none */
};

/* All four ports: they are opened one after the other. */
static inline bool api_answers(void *user)
{
	struct api_test *t = user;
	struct http_answer a = {0};
	struct err e = {0};
	bool ok = true;

	for (size_t i = 0; ok && i < ARRAY_LEN(t->ports); i++) {
		char url[64];

		snprintf(url, sizeof url, "http://127.0.0.1:%d/livez", t->ports[i]);
		ok = http_client_call(t->http, &(struct http_call){.url = url}, &a, &e) && a.status == 200;
	}
	http_answer_close(&a);
	return ok;
}

/* Starts barque-api with up to 16 more settings (NULL-terminated, may be NULL). */
static inline void api_spawn(struct api_test *t, const char *const *more)
{
	static const char *const names[] = {"API_PORT", "DATA_SERVICE_PORT", "BACKTEST_SERVICE_PORT", "ORDER_SERVICE_PORT"};
	char ports[4][64], queue[200], store[400], records[400];
	const char *env[32] = {queue, store, records, "LOG_LEVEL=debug", "API_THREADS=4"};
	size_t n = 5;

	snprintf(queue, sizeof queue, "QUEUE_URL=%s", t->redis.url);
	snprintf(store, sizeof store, "STORE_URL=%s", t->store_url);
	snprintf(records, sizeof records, "RECORDS_DIR=%s", t->records_dir);
	for (size_t i = 0; i < 4; i++) {
		snprintf(ports[i], sizeof ports[i], "%s=%d", names[i], t->ports[i]);
		env[n++] = ports[i];
	}
	for (; more && *more; more++)
		env[n++] = *more;
	const char *argv[] = {test_program("barque-api"), NULL};
	t->pid = test_spawn("barque-api", argv, env);
	ck_assert_msg(test_until(20000, api_answers, t), "barque-api does not answer; see barque-api.log");
}

static inline void api_start(struct api_test *t, const char *const *more)
{
	struct err e = {0};

	memset(t, 0, sizeof *t);
	test_redis_start(&t->redis, "no");
	for (size_t i = 0; i < 4; i++)
		t->ports[i] = test_port();
	snprintf(t->work_dir, sizeof t->work_dir, "%s", test_dir());
	snprintf(t->store_url, sizeof t->store_url, "sqlite:%s/db", t->work_dir);
	snprintf(t->records_dir, sizeof t->records_dir, "%s/records", t->work_dir);
	t->http = http_client_open(NULL, &e);
	ck_assert_msg(t->http != NULL, "%s", e.text);
	api_spawn(t, more);
}

/* The program must end by itself with status 0: the sanitizers speak then. */
static inline void api_stop(struct api_test *t)
{
	int status = -1;

	kill(t->pid, SIGTERM);
	ck_assert_msg(test_wait(t->pid, 20000, &status), "barque-api does not end on SIGTERM");
	ck_assert_msg(status == 0, "barque-api ended with status %d; see barque-api.log", status);
	http_client_close(&t->http);
	http_answer_close(&t->answer);
	json_close(&t->json);
	test_redis_stop(&t->redis);
}

/* Calls and keeps the answer in t->answer and t->json; returns the status. headers: "Name: value", NULL-terminated, may be NULL. */
static inline int api_call_port(
        struct api_test *t, int port, const char *method, const char *path, const char *const *headers, const char *body)
{
	static const char *const json_type[] = {"Content-Type: application/json", NULL};
	struct buf url = {0};
	struct err e = {0};

	buf_addf(&url, "http://127.0.0.1:%d%s", port, path);
	struct http_call call = {.method = method,
	        .url = buf_text(&url),
	        .headers = headers ? headers
	                   : body  ? json_type
	                           : NULL,
	        .body = body,
	        .body_len = body ? strlen(body) : 0};
	json_close(&t->json);
	ck_assert_msg(http_client_call(t->http, &call, &t->answer, &e), "%s %.200s: %s", method, path, e.text);
	buf_close(&url);
	struct err ignored = {0};
	t->json = json_parse(buf_text(&t->answer.body), t->answer.body.len, &ignored);
	return t->answer.status;
}

static inline int api_call(struct api_test *t, const char *method, const char *path, const char *body)
{
	return api_call_port(t, t->ports[0], method, path, NULL, body);
}

static inline int api_get(struct api_test *t, const char *path)
{
	return api_call(t, "GET", path, NULL);
}

static inline const char *api_body(const struct api_test *t)
{
	return buf_text(&t->answer.body);
}

static inline const char *api_member(const struct api_test *t, const char *key)
{
	return json_get_text(t->json, key, "");
}

static inline const char *api_header(const struct api_test *t, const char *name, char out[512])
{
	if (!http_answer_header(&t->answer, name, out, 512))
		out[0] = '\0';
	return out;
}

#define ck_status(t, call, wanted)                                                                                 \
	do {                                                                                                       \
		int ck_got = (call);                                                                               \
		ck_assert_msg(ck_got == (wanted), "%s: %d, not %d: %.500s", #call, ck_got, (wanted), api_body(t)); \
	} while (0)
#define ck_contains(text, part) ck_assert_msg(strstr((text), (part)) != NULL, "'%.500s' does not hold '%s'", (text), (part))

/* ---- jobs ---------------------------------------------------------------------------------------------------- */

/* Submits and returns the id in id_out. */
static inline void api_submit(struct api_test *t, const char *body, char id_out[JOB_ID])
{
	ck_status(t, api_call(t, "POST", "/api/jobs", body), 202);
	ck_assert(str_copy(id_out, JOB_ID, api_member(t, "id")) && *id_out);
}

/* What becomes of a job: a JSON text for a result (static), or NULL with e filled. */
typedef const char *api_work(const struct job *job, struct err *e, void *user);

struct api_worker {
	const char *url, *queue;
	api_work *work;
	void *user;
	pthread_t thread;
	pthread_mutex_t lock;
	bool stop;
	int done;
};

static inline bool worker_stops(struct api_worker *w)
{
	pthread_mutex_lock(&w->lock);
	bool stop = w->stop;
	pthread_mutex_unlock(&w->lock);
	return stop;
}

/* One step to its end; false: the queue was away. */
static inline bool worker_step(struct queue_link *l, const struct queue_step *s, struct queue_step_reply *out, struct err *e)
{
	int got = 0;

	memset(out, 0, sizeof *out);
	if (!queue_link_step_begin(l, s, e))
		return false;
	while ((got = queue_link_step_end(l, out, e)) == 0) {
		struct pollfd p = {.fd = queue_link_fd(l), .events = POLLIN};

		poll(&p, 1, 100);
	}
	return got > 0;
}

static inline void worker_run(struct api_worker *w, struct queue_step_reply *r, struct queue_ack *acks)
{
	for (size_t i = 0; i < r->n_claims; i++) {
		struct err e = {0};
		const char *result = w->work(&r->claims[i].job, &e, w->user);

		acks[i] = (struct queue_ack){.fence = r->claims[i].job.fence,
		        .outcome = result ? ACK_DONE : ACK_ERROR,
		        .result = result ? mem_strdup(result) : NULL,
		        .error = e};
		if (!str_copy(acks[i].id, sizeof acks[i].id, r->claims[i].job.id))
			abort();
	}
}

static inline void *worker_main(void *user)
{
	struct api_worker *w = user;
	static const char *const kinds[] = {"noop/1", "kline.download/1", "kline.integrity/1", "backtest.run/1", "flow.report/1"};
	struct queue_ack acks[32] = {0};
	size_t n_acks = 0;
	struct err e = {0};
	struct queue_link *l = queue_link_open(w->url, NULL, w->queue, "test:1:1", kinds, ARRAY_LEN(kinds), &e);

	if (!l) {
		fprintf(stderr, "the test's worker: %s\n", e.text);
		abort();
	}
	while (!worker_stops(w)) {
		struct queue_step_reply r;
		struct queue_step s = {.acks = acks, .n_acks = n_acks, .want = 32, .lease_ms = 5000};

		if (!worker_step(l, &s, &r, &e)) {
			clock_sleep_ms(50);
			continue;
		}
		for (size_t i = 0; i < n_acks; i++)
			mem_free(&acks[i].result);
		w->done += (int)n_acks;
		n_acks = r.n_claims;
		worker_run(w, &r, acks);
		queue_step_reply_close(&r);
		if (n_acks == 0)
			clock_sleep_ms(10);
	}
	for (size_t i = 0; i < n_acks; i++)
		mem_free(&acks[i].result);
	queue_link_close(&l);
	return NULL;
}

static inline void worker_start(struct api_worker *w, struct api_test *t, const char *queue, api_work *work, void *user)
{
	*w = (struct api_worker){.url = t->redis.url, .queue = queue, .work = work, .user = user};
	pthread_mutex_init(&w->lock, NULL);
	ck_assert_int_eq(pthread_create(&w->thread, NULL, worker_main, w), 0);
}

static inline void worker_stop(struct api_worker *w)
{
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	pthread_mutex_destroy(&w->lock);
}

/* ---- candles ------------------------------------------------------------------------------------------------- */

static inline struct dec dec_of(const char *text)
{
	struct dec d = {0};

	ck_assert(dec_parse_s(text, &d));
	return d;
}

/* The ten days of AAAUSDT that the origin's recorded answers were made from. */
static inline size_t golden_bars(struct bar out[10])
{
	static const char *const rows[10][4] = {{"96.9959", "97.9959", "92.7928", "93.7928"}, {"93.7928", "98.6071", "92.7928", "97.6071"},
	        {"97.6071", "98.6071", "94.4146", "95.4146"}, {"95.4146", "97.3688", "94.4146", "96.3688"},
	        {"96.3688", "97.3688", "91.8423", "92.8423"}, {"92.8423", "107.9612", "91.8423", "106.9612"},
	        {"106.9612", "107.9612", "93.6352", "94.6352"}, {"94.6352", "103.7731", "93.6352", "102.7731"},
	        {"102.7731", "103.7731", "97.3359", "98.3359"}, {"98.3359", "99.3359", "96.7305", "97.7305"}};

	for (size_t i = 0; i < 10; i++) {
		int64_t open = INT64_C(1735689600000) + (int64_t)i * TIME_DAY;

		out[i] = (struct bar){.open_time = open,
		        .close_time = open + TIME_DAY - 1,
		        .open = dec_of(rows[i][0]),
		        .high = dec_of(rows[i][1]),
		        .low = dec_of(rows[i][2]),
		        .close = dec_of(rows[i][3]),
		        .volume = dec_of("1000.5"),
		        .quote_volume = dec_of("100000.25"),
		        .trades = 321,
		        .taker_base = dec_of("500.25"),
		        .taker_quote = dec_of("50000.125"),
		        .unused = dec_of("0")};
	}
	return 10;
}

static inline void store_put(struct api_test *t, const char *symbol, enum interval iv, const struct bar *bars, size_t n)
{
	struct err e = {0};
	struct store *s = store_open(t->store_url, &e);
	struct put_result r;

	ck_assert_msg(s != NULL, "%s", e.text);
	ck_ok(store_bars_put(s, symbol, iv, bars, n, PUT_OVERWRITE, &(struct store_writer){.job = ""}, &r, &e), &e);
	store_close(&s);
}

/* ---- recorded answers of the origin -------------------------------------------------------------------------- */

#define GOLDEN "origin_golden/http_samples_e1.txt"

/* The body under "### NAME ", to be freed with mem_free; NULL where the data is not there (which is said). */
static inline char *golden_answer(const char *name)
{
	const char *path = test_data(GOLDEN);
	struct buf key = {0};
	char *found = NULL;

	if (!path) {
		test_skip_data(GOLDEN);
		return NULL;
	}
	char *all = test_read_file(path, NULL);
	buf_addf(&key, "### %s ", name);
	for (char *at = all; (at = strstr(at, buf_text(&key))) != NULL; at++) {
		if (at != all && at[-1] != '\n')
			continue;
		char *line = strchr(at, '\n');
		ck_assert_ptr_nonnull(line);
		found = mem_strndup(line + 1, strcspn(line + 1, "\n"));
		break;
	}
	ck_assert_msg(found != NULL, "%s has no answer named '%s'", GOLDEN, name);
	buf_close(&key);
	mem_free(&all);
	return found;
}

/* Same types, same keys in the same order, same texts; numbers within 1e-12 of each other. */
static inline bool json_alike(const struct json *a, const struct json *b)
{
	double x, y;

	if (json_type(a) != json_type(b))
		return false;
	if (json_is(a, JSON_STRING))
		return str_eq(json_text(a), json_text(b));
	if (json_double(a, &x) && json_double(b, &y)) {
		double gap = x > y ? x - y : y - x, size = x < 0 ? -x : x;

		return gap <= 1e-12 * (size > 1 ? size : 1);
	}
	a = json_first(a);
	b = json_first(b);
	for (; a && b; a = json_next(a), b = json_next(b))
		if ((json_key(a) && !str_eq(json_key(a), json_key(b))) || !json_alike(a, b))
			return false;
	return !a && !b;
}

/* The last answer has the shape and the values of the recorded one. */
static inline void ck_golden(const struct api_test *t, const char *name)
{
	char *text = golden_answer(name);
	struct err e = {0};

	if (!text)
		return;
	struct json *wanted = json_parse(text, strlen(text), &e);
	ck_assert_msg(wanted != NULL, "'%s': %s", name, e.text);
	ck_assert_msg(json_alike(t->json, wanted), "'%s':\n%.2000s\nshould be\n%.2000s", name, api_body(t), text);
	json_close(&wanted);
	mem_free(&text);
}

#endif
