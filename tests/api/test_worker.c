/* test_worker.c -- the origin's routes with the real worker behind them and the exchange simulator behind it. */
#include "tests/api/api_test.h"

struct whole {
	struct api_test t;
	pid_t sim, worker;
};

static void whole_start(struct whole *x)
{
	char port[16], exchange[100], queue[200], store[400], records[400], cache[400];
	int sim_port = test_port();
	struct api_test *t = &x->t;

	snprintf(port, sizeof port, "%d", sim_port);
	const char *sim[] = {
	        test_program("barque-exchange-sim"), "--port", port, "--symbols", "AAAUSDT,BBBUSDT", "--now", "2025-03-01 00:30:00", NULL};
	x->sim = test_spawn("barque-exchange-sim", sim, NULL);
	api_start(t, NULL);
	snprintf(exchange, sizeof exchange, "EXCHANGE_URL=http://127.0.0.1:%d", sim_port);
	snprintf(queue, sizeof queue, "QUEUE_URL=%s", t->redis.url);
	snprintf(store, sizeof store, "STORE_URL=%s", t->store_url);
	snprintf(records, sizeof records, "RECORDS_DIR=%s", t->records_dir);
	snprintf(cache, sizeof cache, "CACHE_DIR=%s/cache", t->work_dir);
	const char *env[] = {exchange, queue, store, records, cache, "WORKER_SLOTS=2", NULL};
	const char *worker[] = {test_program("barque-worker"), NULL};
	x->worker = test_spawn("barque-worker", worker, env);
}

static void whole_stop(struct whole *x)
{
	test_kill(x->worker, SIGTERM);
	api_stop(&x->t);
	test_kill(x->sim, SIGTERM);
}

static void post(struct api_test *t, int port, const char *path, const char *body, int status)
{
	static const char *const headers[] = {"Content-Type: application/json", NULL};

	ck_status(t, api_call_port(t, t->ports[port], "POST", path, headers, body), status);
}

/* The origin's way to begin a download, then the wait that the origin did not have. */
static void download(struct api_test *t, const char *interval)
{
	char body[200], path[100];

	snprintf(body, sizeof body, "{\"interval\":\"%s\",\"start_time\":\"2025-01-01\",\"end_time\":\"2025-02-20 23:00:00\"}", interval);
	post(t, 1, "/api/download", body, 200);
	ck_assert_str_eq(api_member(t, "message"), "已开始下载所有交易对的K线数据");
	snprintf(path, sizeof path, "/api/jobs/%s?wait=25", api_member(t, "job_id"));
	ck_status(t, api_get(t, path), 200);
	ck_assert_msg(str_eq(api_member(t, "state"), "succeeded"), "%s", api_body(t));
}

START_TEST(from_download_to_result_file)
{
	static struct whole x;
	struct api_test *t = &x.t;
	char path[400], csv[300], job[JOB_ID];

	whole_start(&x);
	download(t, "1d");
	download(t, "1h");
	ck_status(t, api_get(t, "/api/symbols?interval=1d"), 200);
	ck_assert_str_eq(api_body(t), "{\"interval\":\"1d\",\"count\":2,\"symbols\":[\"AAAUSDT\",\"BBBUSDT\"]}");
	ck_status(t, api_get(t, "/api/kline/1d/AAAUSDT"), 200);
	ck_assert_int_eq(json_get_int(t->json, "total_count", 0), 51);
	post(t, 1, "/api/data-integrity", "{\"interval\":\"1h\",\"start_date\":\"2025-01-01\",\"end_date\":\"2025-02-20\"}", 200);
	ck_assert_int_eq(json_get_int(t->json, "checked_symbols", 0), 2);
	ck_assert_uint_eq(json_count(json_get(t->json, "symbols_with_issues")), 0);
	post(t, 1, "/api/data-integrity", "{\"symbol\":\"NOPE\"}", 200);
	ck_assert_int_eq(json_get_int(json_get(t->json, "summary"), "empty_tables", 0), 1);
	ck_assert_str_eq(json_text(json_at(json_get(json_get(json_get(t->json, "details"), "NOPE"), "issues"), 0)), "表为空");
	post(t, 2, "/api/backtest",
	        "{\"start_date\":\"2025-01-02\",\"end_date\":\"2025-02-15\",\"profit_threshold\":0.01,\"loss_threshold\":0.01}", 200);
	ck_assert_int_gt(json_get_int(t->json, "total_trades", 0), 0);
	ck_assert_str_eq(api_member(t, "csv_filename"), "backtrade_records_2025-01-02_2025-02-15.csv");
	ck_assert(str_copy(csv, sizeof csv, json_get_text(json_get(t->json, "files"), "csv", "")));
	ck_assert(str_copy(job, sizeof job, api_member(t, "job_id")));
	snprintf(path, sizeof path, "/api/records/%s", csv);
	ck_status(t, api_get(t, path), 200);
	ck_assert(str_starts(api_body(t), "\xef\xbb\xbf"));
	ck_status(t, api_get(t, "/api/records/backtrade_records_2025-01-02_2025-02-15.csv"), 200);
	snprintf(path, sizeof path, "/api/backtests/%s", job);
	ck_status(t, api_get(t, path), 200);
	ck_assert_str_eq(api_member(t, "strategy"), "origin_short_top");
	post(t, 2, "/api/backtest", "{\"start_date\":\"2020-01-02\",\"end_date\":\"2020-02-15\"}", 400);
	ck_assert_str_eq(api_body(t), "{\"detail\":\"回测失败：未找到交易数据或没有交易记录\"}");
	whole_stop(&x);
}
END_TEST

START_TEST(a_download_that_cannot_be_fails_with_a_reason)
{
	static struct whole x;
	struct api_test *t = &x.t;
	static const char *const wait[] = {"Content-Type: application/json", "Prefer: wait=25", NULL};

	whole_start(&x);
	ck_status(t,
	        api_call_port(
	                t, t->ports[0], "POST", "/api/jobs", wait, "{\"kind\":\"kline.download\",\"params\":{\"symbols\":[\"NOSUCH\"]}}"),
	        200);
	ck_assert_str_eq(api_member(t, "state"), "failed");
	ck_contains(json_get_text(json_get(t->json, "error"), "message", ""), "NOSUCH");
	whole_stop(&x);
}
END_TEST

static const TTest *const tests[] = {from_download_to_result_file, a_download_that_cannot_be_fails_with_a_reason};
TEST_MAIN("worker", tests)
