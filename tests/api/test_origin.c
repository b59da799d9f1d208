/* test_origin.c -- the origin's routes that make jobs, and its calculator: bodies, answers, defaults by port, errors. */
#include <sys/stat.h>
#include <unistd.h>

#include "tests/api/api_test.h"

static void post(struct api_test *t, int port, const char *path, const char *body, int status)
{
	ck_status(t, api_call_port(t, t->ports[port], "POST", path, NULL, body), status);
}

/* POST with the JSON type, on one of the four ports. */
static void json_post(struct api_test *t, int port, const char *path, const char *body, int status)
{
	static const char *const headers[] = {"Content-Type: application/json", NULL};

	ck_status(t, api_call_port(t, t->ports[port], "POST", path, headers, body), status);
}

/* The parameters of the job that an answer with job_id names; valid until the next call. */
static const struct json *params_of_job(struct api_test *t, const char *id)
{
	char path[100];

	snprintf(path, sizeof path, "/api/jobs/%s", id);
	ck_status(t, api_get(t, path), 200);
	return json_get(t->json, "params");
}

START_TEST(orders_are_the_origins)
{
	struct api_test t;

	api_start(&t, NULL);
	post(&t, 3, "/api/calculate-order",
	        "{\"price\":10000,\"entry_pct_chg\":1,\"loss_threshold\":1.9,\"profit_threshold\":4,\"order_type\":\"short\"}", 200);
	ck_assert_str_eq(api_body(&t), "{\"entry_price\":\"10100.00000000\",\"stop_loss_price\":\"10291.90000000\","
	                               "\"take_profit_price\":\"9696.00000000\",\"order_type\":\"short\"}");
	post(&t, 0, "/api/calculate-order",
	        "{\"price\":\"0.00012345\",\"entry_pct_chg\":1,\"loss_threshold\":1.9,\"profit_threshold\":4,\"order_type\":\"LONG\",\"x\":1}",
	        200);
	ck_golden(&t, "order long");
	ck_assert_str_eq(api_member(&t, "take_profit_price"), "0.00012710");
	post(&t, 3, "/api/calculate-order",
	        "{\"price\":1e-9,\"entry_pct_chg\":1,\"loss_threshold\":1.9,\"profit_threshold\":4,\"order_type\":\"long\"}", 200);
	ck_golden(&t, "order tiny");
	post(&t, 3, "/api/calculate-order",
	        "{\"price\":1,\"entry_pct_chg\":1,\"loss_threshold\":1.9,\"profit_threshold\":4,\"order_type\":\"sideways\"}", 400);
	ck_contains(api_member(&t, "detail"), "订单类型必须是 'short' 或 'long'");
	post(&t, 3, "/api/calculate-order", "{\"price\":1}", 422);
	ck_contains(api_member(&t, "detail"), "entry_pct_chg");
	post(&t, 3, "/api/calculate-order",
	        "{\"price\":true,\"entry_pct_chg\":1,\"loss_threshold\":1.9,\"profit_threshold\":4,\"order_type\":\"long\"}", 422);
	post(&t, 3, "/api/calculate-order",
	        "{\"price\":1e308,\"entry_pct_chg\":1e10,\"loss_threshold\":1.9,\"profit_threshold\":4,\"order_type\":\"short\"}", 400);
	api_stop(&t);
}
END_TEST

/* The recorded answers carry no job_id; all else must be the same. */
static void ck_started(struct api_test *t, const char *name)
{
	char *text = golden_answer(name), id[JOB_ID];
	struct buf wanted = {0};

	ck_assert(str_copy(id, sizeof id, api_member(t, "job_id")) && *id);
	if (!text)
		return;
	buf_add(&wanted, text, strlen(text) - 1);
	buf_addf(&wanted, ",\"job_id\":\"%s\"}", id);
	ck_assert_str_eq(api_body(t), buf_text(&wanted));
	buf_close(&wanted);
	mem_free(&text);
}

START_TEST(downloads_become_jobs)
{
	struct api_test t;
	char id[JOB_ID];

	api_start(&t, NULL);
	json_post(&t, 1, "/api/download",
	        "{\"interval\":\"1d\",\"symbol\":\"AAAUSDT\",\"start_time\":\"2025-01-01\",\"end_time\":\"2025-01-10 00:00:00\",\"batch_size\":null,\"zzz\":1}",
	        200);
	ck_started(&t, "dl one");
	ck_assert_str_eq(api_member(&t, "message"), "已开始下载 AAAUSDT 的K线数据");
	ck_assert(str_copy(id, sizeof id, api_member(&t, "job_id")));
	const struct json *p = params_of_job(&t, id);
	ck_assert_str_eq(json_get_text(p, "start_time", ""), "2025-01-01 00:00:00");
	ck_assert_str_eq(json_get_text(p, "end_time", ""), "2025-01-10 00:00:00");
	ck_assert_str_eq(json_text(json_at(json_get(p, "symbols"), 0)), "AAAUSDT");
	json_post(&t, 1, "/api/download",
	        "{\"interval\":\"4h\",\"days_back\":3,\"batch_size\":30,\"batch_delay\":3.0,\"request_delay\":0.1}", 200);
	ck_started(&t, "dl all");
	json_post(&t, 1, "/api/download", "{\"interval\":\"4h\",\"missing_only\":true,\"symbol\":\"AAAUSDT\"}", 200);
	ck_started(&t, "dl missing");
	api_stop(&t);
}
END_TEST

START_TEST(a_bare_end_date_means_what_the_port_says)
{
	static const char body[] = "{\"symbol\":\"AAAUSDT\",\"start_time\":\"2025-01-01 10:30\",\"end_time\":\"2025-01-10\"}";
	struct api_test t;
	char id[JOB_ID];

	api_start(&t, NULL);
	json_post(&t, 1, "/api/download", body, 200);
	ck_assert(str_copy(id, sizeof id, api_member(&t, "job_id")));
	ck_assert_str_eq(json_get_text(params_of_job(&t, id), "end_time", ""), "2025-01-10 00:00:00");
	json_post(&t, 0, "/api/download", body, 200);
	ck_assert(str_copy(id, sizeof id, api_member(&t, "job_id")));
	ck_assert_str_eq(json_get_text(params_of_job(&t, id), "start_time", ""), "2025-01-01 10:30:00");
	ck_assert_str_eq(json_get_text(params_of_job(&t, id), "end_time", ""), "2025-01-10 23:59:59");
	api_stop(&t);
}
END_TEST

START_TEST(bad_downloads_are_refused)
{
	static const char *const async[] = {"Prefer: respond-async", "Content-Type: application/json", NULL};
	struct api_test t;

	api_start(&t, NULL);
	json_post(&t, 1, "/api/download", "{\"start_time\":\"xx\"}", 400);
	ck_assert_str_eq(api_body(&t), "{\"detail\":\"下载失败: 无法解析时间格式: xx\"}");
	json_post(&t, 1, "/api/download", "{\"interval\":\"2d\"}", 422);
	ck_contains(api_member(&t, "detail"), "interval");
	json_post(&t, 1, "/api/download", "{\"interval\":7}", 422);
	json_post(&t, 1, "/api/download", "{\"update_existing\":\"sure\"}", 422);
	json_post(&t, 1, "/api/download", "{\"limit\":20.5}", 422);
	json_post(&t, 1, "/api/download", "{\"symbol\":\"no such symbol\"}", 422);
	json_post(&t, 1, "/api/download", "{\"symbol\":\"A\",\"start_time\":\"2025-02-01\",\"end_time\":\"2025-01-01\"}", 422);
	ck_status(&t, api_call_port(&t, t.ports[1], "POST", "/api/download", async, "{}"), 202);
	ck_assert_str_eq(api_member(&t, "kind"), "kline.download");
	api_stop(&t);
}
END_TEST

/* ---- work that the request waits for ------------------------------------------------------------------------- */

struct script {
	const char *result; /* NULL: fail with code */
	enum err_code code;
};

static const char *play(const struct job *job, struct err *e, void *user)
{
	const struct script *s = user;

	UNUSED(job);
	if (!s->result)
		err_set(e, s->code, "the store is on fire");
	return s->result;
}

START_TEST(integrity_waits_for_its_job)
{
	static const char asked[] = "{\"symbol\":null,\"interval\":\"1d\",\"start_date\":\"\",\"end_date\":null,\"check_duplicates\":true}";
	static const char *const async[] = {"Prefer: respond-async", "Content-Type: application/json", NULL};
	struct api_test t;
	struct api_worker w;
	struct script s = {.result = "{\"total_symbols\":0,\"checked_symbols\":0,\"symbols_with_issues\":[]}"};

	api_start(&t, NULL);
	ck_status(&t, api_call_port(&t, t.ports[1], "POST", "/api/data-integrity", async, asked), 202);
	ck_assert_str_eq(api_member(&t, "kind"), "kline.integrity");
	worker_start(&w, &t, "kline", play, &s);
	json_post(&t, 1, "/api/data-integrity", asked, 200);
	ck_assert_str_eq(api_body(&t), s.result);
	s = (struct script){.code = ERR_INTERNAL};
	json_post(&t, 1, "/api/data-integrity", asked, 500);
	ck_assert_str_eq(api_member(&t, "detail"), "检查失败: the store is on fire");
	json_post(&t, 1, "/api/data-integrity", "{\"start_date\":\"x\"}", 422);
	json_post(&t, 1, "/api/data-integrity", "{\"interval\":\"1d\",\"symbol\":\"a b\"}", 422);
	worker_stop(&w);
	api_stop(&t);
}
END_TEST

#define DAYS "\"start_date\":\"2025-01-01\",\"end_date\":\"2025-01-04\""

START_TEST(backtests_wait_for_their_job)
{
	struct api_test t;
	struct api_worker w;
	struct script s = {
	        .result =
	                "{\"strategy\":\"origin_short_top\",\"initial_capital\":10000.0,\"final_capital\":11097.63,\"total_profit_loss\":1097.63,"
	                "\"total_return_rate\":10.9763,\"total_trades\":2,\"win_trades\":2,\"loss_trades\":0,\"win_rate\":100.0,"
	                "\"delay_entry\":{\"enabled\":false},\"warnings\":[\"w\"],\"csv_filename\":\"b.csv\"}"};

	api_start(&t, NULL);
	worker_start(&w, &t, "backtest", play, &s);
	json_post(&t, 2, "/api/backtest", "{" DAYS "}", 200);
	ck_assert(str_starts(api_body(&t),
	        "{\"initial_capital\":10000.0,\"final_capital\":11097.63,\"total_profit_loss\":1097.63,"
	        "\"total_return_rate\":10.9763,\"total_trades\":2,\"win_trades\":2,\"loss_trades\":0,\"win_rate\":100.0,"
	        "\"csv_filename\":\"b.csv\",\"delay_entry\":{\"enabled\":false},\"job_id\":\"backtest-"));
	ck_assert_str_eq(json_text(json_at(json_get(t.json, "warnings"), 0)), "w");
	s.result = "{\"total_trades\":0}";
	json_post(&t, 2, "/api/backtest", "{" DAYS "}", 400);
	ck_golden(&t, "bt none");
	ck_assert_str_eq(api_body(&t), "{\"detail\":\"回测失败：未找到交易数据或没有交易记录\"}");
	s = (struct script){.code = ERR_INTERNAL};
	json_post(&t, 2, "/api/backtest", "{" DAYS "}", 500);
	ck_assert_str_eq(api_member(&t, "detail"), "回测失败: the store is on fire");
	worker_stop(&w);
	api_stop(&t);
}
END_TEST

START_TEST(backtest_defaults_differ_by_port)
{
	static const char *const async[] = {"Prefer: respond-async", "Content-Type: application/json", NULL};
	struct api_test t;

	api_start(&t, NULL);
	ck_status(&t, api_call_port(&t, t.ports[2], "POST", "/api/backtest", async, "{" DAYS ",\"leverage\":20.0,\"min_pct_chg\":null}"),
	        202);
	const struct json *p = json_get(json_get(t.json, "params"), "params");
	ck_assert_int_eq(json_get_int(p, "leverage", 0), 20);
	ck_assert_double_eq(json_get_double(p, "profit_threshold", 0), 0.065);
	ck_assert_double_eq(json_get_double(p, "position_size_ratio", 0), 0.1);
	ck_assert_double_eq(json_get_double(p, "min_pct_chg", -1), 0);
	ck_status(&t, api_call_port(&t, t.ports[0], "POST", "/api/backtest", async, "{" DAYS ",\"loss_threshold\":0.5}"), 202);
	p = json_get(json_get(t.json, "params"), "params");
	ck_assert_int_eq(json_get_int(p, "leverage", 0), 5);
	ck_assert_double_eq(json_get_double(p, "profit_threshold", 0), 0.20);
	ck_assert_double_eq(json_get_double(p, "loss_threshold", 0), 0.5);
	ck_assert_double_eq(json_get_double(p, "min_pct_chg", -1), 0.10);
	api_stop(&t);
}
END_TEST

START_TEST(bad_backtests_are_refused)
{
	struct api_test t;

	api_start(&t, NULL);
	json_post(&t, 2, "/api/backtest", "{\"start_date\":\"2025-13-01\",\"end_date\":\"2025-01-04\"}", 400);
	ck_golden(&t, "bt baddate");
	ck_assert_str_eq(api_member(&t, "detail"), "日期格式错误，请使用 YYYY-MM-DD 格式");
	json_post(&t, 2, "/api/backtest", "{\"start_date\":\"2025-01-01\"}", 422);
	ck_contains(api_member(&t, "detail"), "end_date");
	json_post(&t, 2, "/api/backtest", "{" DAYS ",\"leverage\":20.5}", 422);
	json_post(&t, 2, "/api/backtest", "{" DAYS ",\"initial_capital\":\"much\"}", 422);
	json_post(&t, 2, "/api/backtest", "{" DAYS ",\"mode\":\"better\"}", 422);
	api_stop(&t);
}
END_TEST

/* WAIT_MAX is over before the job ends: the client hears where to look. */
START_TEST(patience_has_an_end)
{
	struct api_test t;

	api_start(&t, (const char *const[]){"WAIT_MAX=1s", NULL});
	json_post(&t, 2, "/api/backtest", "{" DAYS "}", 504);
	ck_contains(api_member(&t, "detail"), "/api/jobs/backtest-");
	api_stop(&t);
}
END_TEST

START_TEST(results_are_listed)
{
	struct api_test t;
	struct err e = {0};
	char path[100];

	api_start(&t, NULL);
	ck_status(&t, api_get(&t, "/api/backtests"), 200);
	ck_assert_int_eq(json_get_int(t.json, "count", -1), 0);
	struct store *s = store_open(t.store_url, &e);
	ck_assert_ptr_nonnull(s);
	for (int i = 1; i <= 3; i++) {
		struct result_row row = {.created_at = 1000 * i, .params = "{\"a\":1}", .summary = "{\"final_capital\":2.5}"};

		snprintf(row.job, sizeof row.job, "backtest-%d", i);
		ck_assert(str_copy(row.strategy, sizeof row.strategy, "sma_cross"));
		ck_ok(store_result_put(s, &row, 1, &e), &e);
	}
	store_close(&s);
	ck_status(&t, api_get(&t, "/api/backtests?limit=2"), 200);
	ck_assert_int_eq(json_get_int(t.json, "count", -1), 2);
	ck_assert_str_eq(json_get_text(json_at(json_get(t.json, "backtests"), 0), "job", ""), "backtest-3");
	snprintf(path, sizeof path, "/api/backtests?limit=2&before=%lld", (long long)json_get_int(t.json, "next_before", 0));
	ck_status(&t, api_get(&t, path), 200);
	ck_assert_int_eq(json_get_int(t.json, "count", -1), 1);
	ck_assert(json_is(json_get(t.json, "next_before"), JSON_NULL));
	ck_status(&t, api_get(&t, "/api/backtests/backtest-2"), 200);
	ck_assert_double_eq(json_get_double(json_get(t.json, "summary"), "final_capital", 0), 2.5);
	api_stop(&t);
}
END_TEST

static void file_make(struct api_test *t, const char *name, const char *text)
{
	struct buf path = {0};

	buf_addf(&path, "%s/%s", t->records_dir, name);
	FILE *f = fopen(buf_text(&path), "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
	buf_close(&path);
}

START_TEST(result_files_are_served)
{
	struct api_test t;
	struct buf link = {0};
	char h[512];

	api_start(&t, NULL);
	ck_assert_int_eq(mkdir(t.records_dir, 0755), 0);
	file_make(&t, "run-1.csv", "a,b\n");
	file_make(&t, "run-1.json", "{}");
	buf_addf(&link, "%s/p.csv", t.records_dir);
	ck_assert_int_eq(symlink("/etc/passwd", buf_text(&link)), 0);
	buf_close(&link);
	ck_status(&t, api_get(&t, "/api/records/run-1.csv"), 200);
	ck_assert_str_eq(api_body(&t), "a,b\n");
	ck_assert_str_eq(api_header(&t, "content-type", h), "text/csv; charset=utf-8");
	ck_assert_str_eq(api_header(&t, "content-disposition", h), "attachment; filename=\"run-1.csv\"");
	ck_status(&t, api_get(&t, "/api/records/run-1.json"), 200);
	ck_assert_str_eq(api_body(&t), "{}");
	ck_status(&t, api_get(&t, "/api/records/p.csv"), 404);
	ck_status(&t, api_get(&t, "/api/records/run-1.txt"), 404);
	api_stop(&t);
}
END_TEST

static const TTest *const tests[] = {orders_are_the_origins, downloads_become_jobs, a_bare_end_date_means_what_the_port_says,
        bad_downloads_are_refused, integrity_waits_for_its_job, backtests_wait_for_their_job, backtest_defaults_differ_by_port,
        bad_backtests_are_refused, patience_has_an_end, results_are_listed, result_files_are_served};
TEST_MAIN("origin", tests)
