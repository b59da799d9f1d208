/* test_origin.c -- the origin's strategy against the origin's own results: every field of every result, every column of every trade. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backtest/backtest.h"
#include "records/records.h"
#include "tests/lib/candles.h"
#include "tests/lib/test.h"

#define TOLERANCE 1e-9 /* relative; the origin's means and sums may differ in the last bit */

/* ---- the candles of a golden set ---- */

/* The next field of a line, which it ends; NULL at the end. */
static char *field_next(char **at)
{
	char *field = *at;
	if (!field)
		return NULL;
	char *comma = strchr(field, ',');
	if (comma)
		*comma = '\0';
	*at = comma ? comma + 1 : NULL;
	return field;
}

static double number_of(const char *s)
{
	double v = NAN;
	if (s && *s)
		ck_assert_msg(str_double(s, &v), "not a number: %s", s);
	return v;
}

/* interval,symbol,trade_date,open,high,low,close,pct_chg */
static void candles_add_line(struct candles *c, char *line)
{
	enum interval iv;
	int64_t t;
	char *at = line, *interval = field_next(&at), *symbol = field_next(&at), *date = field_next(&at);
	ck_assert(date && interval_of(interval, &iv) && time_parse(date, &t, NULL));
	double open = number_of(field_next(&at)), high = number_of(field_next(&at)), low = number_of(field_next(&at));
	double close = number_of(field_next(&at)), pct = number_of(field_next(&at));
	candles_add(c, symbol, iv, t, open, high, low, close, pct);
}

static struct candles *candles_of_csv(const char *path)
{
	struct candles *c = candles_open();
	char *text = test_read_file(path, NULL), *rest = text;
	strtok_r(text, "\n", &rest); /* the header */
	for (char *line; (line = strtok_r(NULL, "\n", &rest));)
		candles_add_line(c, line);
	mem_free(&text);
	return c;
}

/* ---- comparing ---- */

struct tally {
	int64_t runs, trades, fields;
};

static bool near(double ours, double theirs)
{
	return ours == theirs || fabs(ours - theirs) <= TOLERANCE * fmax(fabs(ours), fabs(theirs));
}

static void compare_field(int run, int line, int column, const char *ours, const char *theirs, struct tally *t)
{
	double a, b;
	t->fields++;
	if (ours && theirs && str_double(ours, &a) && str_double(theirs, &b) && near(a, b))
		return;
	ck_assert_msg(str_eq(ours, theirs), "run %d, line %d, column %d: %s, but the origin has %s", run, line, column, ours, theirs);
}

static void compare_csv(int run, const char *our_text, const char *their_text, struct tally *t)
{
	char *ours = mem_strdup(our_text), *theirs = mem_strdup(their_text), *a = ours, *b = theirs;
	for (int line = 0; a || b; line++) {
		char *x = strsep(&a, "\n"), *y = strsep(&b, "\n");
		ck_assert_msg(x && y, "run %d: %s has more lines than the other, from line %d", run, x ? "ours" : "the origin's", line);
		for (int column = 0; x || y; column++)
			compare_field(run, line, column, field_next(&x), field_next(&y), t);
		t->trades += line > 0 && b;
	}
	mem_free(&ours);
	mem_free(&theirs);
}

static double expect_number(const struct json *object, const char *key)
{
	double v = NAN;
	ck_assert_msg(json_double(json_get(object, key), &v), "no number %s", key);
	return v;
}

static void compare_delay(int run, const struct delay_stats *d, const struct json *want, struct tally *t)
{
	ck_assert_int_eq(d->enabled, json_get_bool(want, "enabled", !d->enabled));
	if (!d->enabled)
		return;
	const struct json *reasons = json_get(want, "entry_reasons");
	const struct {
		const char *key;
		const struct json *in;
		int have;
	} counts[] = {{"delay_hours", want, d->delay_hours}, {"total_pending", want, d->total_pending},
	        {"successful_entries", want, d->successful}, {"forced_entries", want, d->forced}, {"failed_entries", want, d->failed},
	        {"momentum_weakening", reasons, d->momentum}, {"timeout", reasons, d->timeout}};
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		ck_assert_msg(counts[i].have == expect_number(counts[i].in, counts[i].key), "run %d, delay_entry.%s: %d", run,
		        counts[i].key, counts[i].have);
	t->fields += ARRAY_LEN(counts);
}

static void compare_result(int run, const struct backtest_result *r, const struct json *want, struct tally *t)
{
	int wins = 0, losses = 0;
	for (size_t i = 0; i < r->n_trades; i++) {
		wins += r->trades[i].profit > 0;
		losses += r->trades[i].profit < 0;
	}
	double gain = r->final_capital - r->initial_capital;
	const struct {
		const char *key;
		double have;
	} fields[] = {{"initial_capital", r->initial_capital}, {"final_capital", r->final_capital}, {"total_profit_loss", gain},
	        {"total_return_rate", gain / r->initial_capital * 100}, {"total_trades", (double)r->n_trades}, {"win_trades", wins},
	        {"loss_trades", losses}, {"win_rate", (double)wins / (double)r->n_trades * 100}};
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		ck_assert_msg(near(fields[i].have, expect_number(want, fields[i].key)), "run %d, %s: %.17g, but the origin has %.17g", run,
		        fields[i].key, fields[i].have, expect_number(want, fields[i].key));
	t->fields += ARRAY_LEN(fields);
	compare_delay(run, &r->delay, json_get(want, "delay_entry"), t);
}

/* ---- running ---- */

static void run_strategy(const struct json *params, const struct backtest_data *data, struct arena *a, struct backtest_result *r)
{
	struct err e = {0};
	const struct strategy *s = strategy_of("origin_short_top");
	struct json *checked = params_check(s->params, s->n_params, params, true, &e);
	ck_ok(checked != NULL, &e);
	ck_ok(s->run(checked, data, a, r, &e), &e);
	json_close(&checked);
}

static void compare_run(int run, const struct json *want, struct candles *c, struct tally *t)
{
	struct backtest_data data = candles_data(c, true);
	struct arena *a = arena_open();
	struct backtest_result r;
	struct buf csv = {0};
	run_strategy(json_get(want, "params"), &data, a, &r);
	compare_result(run, &r, json_get(want, "result"), t);
	records_csv(&r, &csv);
	ck_assert(str_starts(buf_text(&csv), "\xEF\xBB\xBF"));
	compare_csv(run, buf_text(&csv) + 3, json_get_text(want, "csv", ""), t);
	t->runs++;
	buf_close(&csv);
	arena_close(&a);
}

static void compare_set(const char *name)
{
	struct err e = {0};
	struct tally t = {0};
	char file[128];
	snprintf(file, sizeof(file), "origin_golden/%s.klines.csv.gz", name);
	const char *path = test_data(file);
	if (!path) {
		test_skip_data(file);
		return;
	}
	struct candles *c = candles_of_csv(path);
	snprintf(file, sizeof(file), "origin_golden/%s.expected.json.gz", name);
	size_t len;
	char *text = test_read_file(test_data(file), &len);
	struct json *want = json_parse(text, len, &e);
	ck_ok(want != NULL, &e);
	for (const struct json *run = json_first(want); run; run = json_next(run))
		compare_run((int)t.runs, run, c, &t);
	ck_assert(t.runs > 0 && t.trades > 0);
	printf("proof: origin's strategy, %s | %lld runs, %lld trades, %lld fields | all equal\n", name, (long long)t.runs,
	        (long long)t.trades, (long long)t.fields);
	json_close(&want);
	mem_free(&text);
	candles_close(&c);
}

START_TEST(full_set)
{
	compare_set("full_1");
}
END_TEST

START_TEST(mixed_set)
{
	compare_set("mixed_1");
}
END_TEST

/* ---- the worked example, small enough for paper ---- */

static const int64_t JAN_1 = INT64_C(1735689600000); /* 2025-01-01 */

static int64_t at(int day, int hour)
{
	return JAN_1 + (day - 1) * TIME_DAY + hour * TIME_HOUR;
}

static struct candles *worked_example(void)
{
	struct candles *c = candles_open();
	candles_add(c, "A", INTERVAL_1d, at(1, 0), 90, 101, 89, 100, 10);
	candles_add(c, "A", INTERVAL_1d, at(2, 0), 100, 111, 85, 100, 0);
	candles_add(c, "A", INTERVAL_1d, at(3, 0), 100, 104, 94, 100, 0);
	for (int hour = 0; hour < 24; hour++)
		candles_add(c, "A", INTERVAL_1h, at(2, hour), 100, hour == 3 ? 111 : 104, hour == 4 ? 85 : 99, 100, NAN);
	for (int hour = 0; hour < 24; hour++)
		candles_add(c, "A", INTERVAL_1h, at(3, hour), 100, 104, hour == 5 ? 94 : 99, 100, NAN);
	candles_add(c, "B", INTERVAL_1d, at(3, 0), 1, 1.17, 1, 1.1, 10);
	candles_add(c, "B", INTERVAL_1d, at(4, 0), 1.16, 1.17, 1.15, 1.15, 0);
	return c;
}

static const char worked_params[] = "{\"start_date\":\"2025-01-01\",\"end_date\":\"2025-01-04\",\"initial_capital\":10000,\"leverage\":5,"
                                    "\"profit_threshold\":0.1,\"loss_threshold\":0.1,\"position_size_ratio\":0.1,\"min_pct_chg\":0.05}";

START_TEST(worked_example_holds)
{
	struct err e = {0};
	struct candles *c = worked_example();
	struct backtest_data data = candles_data(c, true);
	struct arena *a = arena_open();
	struct json *params = json_parse(worked_params, strlen(worked_params), &e);
	struct backtest_result r;
	struct buf csv = {0};
	ck_ok(params != NULL, &e);
	run_strategy(params, &data, a, &r);
	ck_assert_uint_eq(r.n_trades, 2);
	ck_assert_double_eq_tol(r.final_capital, 11097.629310344828, 1e-9);
	const struct trade *t = &r.trades[0];
	ck_assert_str_eq(t->symbol, "A");
	ck_assert_double_eq_tol(t->entry_price, 105, 1e-9);
	ck_assert_double_eq_tol(t->size, 100, 1e-9);
	ck_assert_double_eq_tol(t->profit, 1050, 1e-9);
	ck_assert_double_eq_tol(t->max_profit, 0.15, 1e-12);
	ck_assert_double_eq_tol(t->max_loss, 0.11, 1e-12);
	ck_assert_int_eq(t->hold_days, 1);
	ck_assert_str_eq(t->exit_hour, "2025-01-03 05:00:00");
	ck_assert_str_eq(t->exit_reason, "价格下跌10.0%，盈利平仓（已补仓1次，2025-01-03 05:00:00触发）");
	ck_assert_str_eq(r.trades[1].exit_reason, "回测结束强制平仓");
	records_csv(&r, &csv);
	struct tally tally = {0};
	compare_csv(0, buf_text(&csv) + 3,
	        "entry_date,symbol,entry_price,entry_pct_chg,position_size,leverage,exit_date,exit_price,exit_reason,profit_loss,profit_loss_pct,"
	        "max_profit,max_loss,hold_days,add_position_count,delay_entry,entry_reason,delay_hours,exit_hour\n"
	        "2025-01-02,A,105.0,10.0,100.0,5,2025-01-03,94.5,价格下跌10.0%，盈利平仓（已补仓1次，2025-01-03 05:00:00触发）,1050.0,0.1,0.15,0.11,1,1,"
	        "False,immediate,,2025-01-03 05:00:00\n"
	        "2025-01-04,B,1.16,10.0,4762.931034482759,5,2025-01-04,1.15,回测结束强制平仓,47.62931034482776,0.00862068965517242,0.00862068965517242,"
	        "0.00862068965517242,0,0,False,immediate,,\n",
	        &tally);
	printf("proof: origin's worked example | %zu trades, final %.12g | equal\n", r.n_trades, r.final_capital);
	buf_close(&csv);
	json_close(&params);
	arena_close(&a);
	candles_close(&c);
}
END_TEST

static const TTest *const tests[] = {worked_example_holds, full_set, mixed_set};
TEST_MAIN("origin", tests)
