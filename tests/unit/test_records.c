/* test_records.c -- result files: the exact CSV, whole files only, names that cannot leave the directory. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "records/records.h"
#include "tests/lib/test.h"

static struct trade a_trade(void)
{
	return (struct trade){.symbol = "BTCUSDT",
	        .side = TRADE_SHORT,
	        .entry_at = 1000,
	        .exit_at = 2000,
	        .entry_price = 100,
	        .exit_price = 90,
	        .entry_pct = 12.5,
	        .size = 50,
	        .leverage = 5,
	        .profit = 500,
	        .profit_pct = 0.1,
	        .max_profit = 0.05,
	        .max_loss = 1e-9,
	        .hold_days = 1,
	        .delay_hours = -1,
	        .entry_date = "2025-01-02",
	        .exit_date = "2025-01-03",
	        .exit_hour = "2025-01-03 05:00:00",
	        .entry_reason = "immediate",
	        .exit_reason = "价格下跌10.0%，盈利平仓（2025-01-03 05:00:00触发）"};
}

static struct backtest_result a_result(struct trade *trades, size_t n)
{
	static struct equity_point points[] = {{0, 10000}, {86399999, 10500}};
	return (struct backtest_result){.initial_capital = 10000,
	        .final_capital = 10500,
	        .trades = trades,
	        .n_trades = n,
	        .equity = points,
	        .n_equity = 2,
	        .warnings = {"a \"hole\""},
	        .n_warnings = 1};
}

#define HEADER                                                                                                             \
	"\xEF\xBB\xBF"                                                                                                     \
	"entry_date,symbol,entry_price,entry_pct_chg,position_size,leverage,exit_date,exit_price,exit_reason,profit_loss," \
	"profit_loss_pct,max_profit,max_loss,hold_days,add_position_count,delay_entry,entry_reason,delay_hours,exit_hour\n"

START_TEST(csv_to_the_byte)
{
	struct trade t[3] = {a_trade(), a_trade(), a_trade()};
	t[1].delayed = true;
	t[1].delay_hours = 12;
	t[1].exit_hour[0] = '\0';
	t[1].leverage = 2.5;
	t[1].entry_pct = NAN;
	t[2].exit_reason = "a,b \"c\"\nd";
	struct backtest_result r = a_result(t, 3);
	struct buf b = {0};
	records_csv(&r, &b);
	ck_assert_str_eq(buf_text(&b), HEADER
	        "2025-01-02,BTCUSDT,100.0,12.5,50.0,5,2025-01-03,90.0,价格下跌10.0%，盈利平仓（2025-01-03 05:00:00触发）,500.0,0.1,0.05,1e-09,1,0,False,"
	        "immediate,,2025-01-03 05:00:00\n"
	        "2025-01-02,BTCUSDT,100.0,,50.0,2.5,2025-01-03,90.0,价格下跌10.0%，盈利平仓（2025-01-03 05:00:00触发）,500.0,0.1,0.05,1e-09,1,0,True,"
	        "immediate,12,\n"
	        "2025-01-02,BTCUSDT,100.0,12.5,50.0,5,2025-01-03,90.0,\"a,b \"\"c\"\"\nd\",500.0,0.1,0.05,1e-09,1,0,False,immediate,,2025-01-03 05:00:00\n");
	buf_clear(&b);
	r.n_trades = 0;
	records_csv(&r, &b);
	ck_assert_str_eq(buf_text(&b), HEADER);
	buf_close(&b);
}
END_TEST

START_TEST(json_holds_what_the_readme_says)
{
	struct trade t[2] = {a_trade(), a_trade()};
	t[1].entry_pct = NAN;
	struct backtest_result r = a_result(t, 2);
	struct buf b = {0};
	struct err e = {0};
	records_json(&r, "backtest-0abc", "{\"sharpe\":null}", &b);
	struct json *j = json_parse(buf_text(&b), b.len, &e);
	ck_ok(j != NULL, &e);
	ck_assert_str_eq(json_get_text(j, "job", ""), "backtest-0abc");
	ck_assert(json_is(json_get(j, "summary"), JSON_OBJECT));
	ck_assert_str_eq(json_text(json_at(json_get(j, "warnings"), 0)), "a \"hole\"");
	ck_assert_uint_eq(json_count(json_get(j, "trades")), 2);
	ck_assert_uint_eq(json_count(json_get(j, "equity")), 2);
	ck_assert(json_is(json_get(json_at(json_get(j, "trades"), 1), "entry_pct_chg"), JSON_NULL));
	char *readme = test_read_file("backtrade_records/README.md", NULL), quoted[96];
	for (const struct json *m = json_first(json_at(json_get(j, "trades"), 0)); m; m = json_next(m)) {
		snprintf(quoted, sizeof(quoted), "| `%s` |", json_key(m));
		ck_assert_msg(strstr(readme, quoted) != NULL, "the README does not explain %s", json_key(m));
	}
	mem_free(&readme);
	json_close(&j);
	buf_close(&b);
}
END_TEST

START_TEST(written_and_read_back)
{
	struct trade t = a_trade();
	struct backtest_result r = a_result(&t, 1);
	struct records_names names;
	struct err e = {0};
	struct buf csv = {0}, file = {0}, origin = {0};
	char dir[256];
	snprintf(dir, sizeof(dir), "%s/records", test_dir());
	ck_ok(records_write(dir, "backtest-0ABC", "2025-01-01", "2025-01-04", &r, NULL, &names, &e), &e);
	ck_assert_str_eq(names.csv, "backtrade_records_2025-01-01_2025-01-04_backtest-0ABC.csv");
	ck_assert_str_eq(names.json, "backtrade_records_2025-01-01_2025-01-04_backtest-0ABC.json");
	ck_assert_str_eq(names.origin_csv, "backtrade_records_2025-01-01_2025-01-04.csv");
	records_csv(&r, &csv);
	ck_ok(records_read(dir, names.csv, &file, &e), &e);
	ck_ok(records_read(dir, names.origin_csv, &origin, &e), &e);
	ck_assert_str_eq(buf_text(&file), buf_text(&csv));
	ck_assert_str_eq(buf_text(&origin), buf_text(&csv));
	/* another run of the same days: its own files, and the origin's name shows the newest */
	t.profit = -1;
	ck_ok(records_write(dir, "backtest-0DEF", "2025-01-01", "2025-01-04", &r, NULL, &names, &e), &e);
	buf_clear(&file);
	ck_ok(records_read(dir, "backtrade_records_2025-01-01_2025-01-04_backtest-0ABC.csv", &file, &e), &e);
	ck_assert_str_eq(buf_text(&file), buf_text(&csv));
	buf_clear(&origin);
	ck_ok(records_read(dir, names.origin_csv, &origin, &e), &e);
	ck_assert(strstr(buf_text(&origin), ",-1.0,") != NULL);
	buf_close(&csv);
	buf_close(&file);
	buf_close(&origin);
}
END_TEST

START_TEST(names_cannot_leave_the_directory)
{
	static const char *const jobs[] = {"", "../x", "a/b", "a b", "a\nb", NULL,
	        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	static const char *const days[] = {"", "2025-1-1", "2025-02-30", "../../etc", "2025-01-01/", "2025-01-01 00:00", NULL};
	static const char *const names[] = {
	        "", ".", "..", "../secret", "/etc/passwd", ".hidden", "a/b", "absent.csv", "link.csv", "folder", NULL};
	struct backtest_result r = a_result(NULL, 0);
	struct records_names out;
	struct buf b = {0};
	struct err e = {0};
	char path[512];
	for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
		ck_assert(!records_write(test_dir(), jobs[i], "2025-01-01", "2025-01-01", &r, NULL, &out, &e) && e.code == ERR_INVALID);
	for (size_t i = 0; i < ARRAY_LEN(days); i++) {
		ck_assert(!records_write(test_dir(), "j", days[i], "2025-01-01", &r, NULL, &out, &e) && e.code == ERR_INVALID);
		ck_assert(!records_write(test_dir(), "j", "2025-01-01", days[i], &r, NULL, &out, &e) && e.code == ERR_INVALID);
	}
	snprintf(path, sizeof(path), "%s/link.csv", test_dir());
	ck_assert_int_eq(symlink("/etc/passwd", path), 0);
	snprintf(path, sizeof(path), "%s/folder", test_dir());
	ck_assert_int_eq(mkdir(path, 0755), 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		e = (struct err){0};
		ck_assert_msg(!records_read(test_dir(), names[i], &b, &e) && e.code == ERR_NOT_FOUND, "%s: %s", names[i], e.text);
	}
	ck_assert(!records_read("/nonexistent/dir", "a.csv", &b, &e) && e.code == ERR_NOT_FOUND);
	ck_assert_uint_eq(b.len, 0);
	buf_close(&b);
}
END_TEST

/* Nothing half: when the last rename cannot happen, an error says so and no temporary file stays. */
START_TEST(failures_leave_no_rubbish)
{
	struct trade t = a_trade();
	struct backtest_result r = a_result(&t, 1);
	struct records_names out;
	struct err e = {0};
	char path[512];
	snprintf(path, sizeof(path), "%s/backtrade_records_2025-01-01_2025-01-04.csv", test_dir());
	ck_assert_int_eq(mkdir(path, 0755), 0); /* in the way of the origin's name */
	ck_assert(!records_write(test_dir(), "j", "2025-01-01", "2025-01-04", &r, NULL, &out, &e));
	ck_assert_int_eq(e.code, ERR_IO);
	snprintf(path, sizeof(path), "ls -A %s | grep -c '^[.]'", test_dir());
	ck_assert_int_ne(system(path), 0); /* grep finds none */
	ck_assert(!records_write("/proc/nowhere", "j", "2025-01-01", "2025-01-04", &r, NULL, &out, &e) && e.code == ERR_IO);
}
END_TEST

static const TTest *const tests[] = {csv_to_the_byte, json_holds_what_the_readme_says, written_and_read_back,
        names_cannot_leave_the_directory, failures_leave_no_rubbish};
TEST_MAIN("records", tests)
