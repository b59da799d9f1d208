/* test_strategy_sma.c -- the moving average cross: each rule alone, the whole against a plain second implementation, hostile input. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backtest/backtest.h"
#include "records/records.h"
#include "tests/lib/candles.h"
#include "tests/lib/test.h"

static const int64_t JAN_1 = INT64_C(1735689600000); /* 2025-01-01 */

/* One run with everything that belongs to it. */
struct fixture {
	struct candles *candles;
	struct backtest_data data;
	struct arena *arena;
	struct backtest_result r;
	struct err e;
};

static void fixture_open(struct fixture *f)
{
	*f = (struct fixture){.candles = candles_open(), .arena = arena_open()};
	f->data = candles_data(f->candles, false);
}

static void fixture_close(struct fixture *f)
{
	candles_close(&f->candles);
	arena_close(&f->arena);
}

static void add(struct fixture *f, int i, double open, double high, double low, double close)
{
	candles_add(f->candles, "X", INTERVAL_1h, JAN_1 + i * TIME_HOUR, open, high, low, close, NAN);
}

/* more: members that replace or add to the plain ones, without braces. */
static bool run(struct fixture *f, const char *more)
{
	struct buf text = {0};
	const struct strategy *s = strategy_of("sma_cross");
	struct json *given = json_new_object();
	json_put_text(given, "symbol", "X");
	json_put_text(given, "start_date", "2025-01-01");
	json_put_text(given, "end_date", "2030-01-01");
	buf_addf(&text, "{%s}", more);
	struct json *others = json_parse(buf_text(&text), text.len, &f->e);
	buf_close(&text);
	ck_ok(others != NULL, &f->e);
	for (const struct json *m = json_first(others); m; m = json_next(m))
		json_put(given, json_key(m), json_copy(m));
	json_close(&others);
	struct json *checked = params_check(s->params, s->n_params, given, false, &f->e);
	json_close(&given);
	if (!checked)
		return false;
	bool done = s->run(checked, &f->data, f->arena, &f->r, &f->e);
	json_close(&checked);
	return done;
}

static bool warned(const struct fixture *f, const char *part)
{
	for (size_t i = 0; i < f->r.n_warnings; i++) {
		if (strstr(f->r.warnings[i], part))
			return true;
	}
	return false;
}

/* With averages of 1 and 2 bars, a close that turns upward after a fall or a tie is a crossing upward. */
#define TURNS "\"fast\":1,\"slow\":2"

/* Falls for three bars, then turns up at bar 3: the fill is the open of bar 4. */
static void add_turn_up(struct fixture *f)
{
	add(f, 0, 103, 103, 103, 103);
	add(f, 1, 102, 102, 102, 102);
	add(f, 2, 101, 101, 101, 101);
	add(f, 3, 101, 102, 101, 102);
}

START_TEST(signal_at_close_fill_at_next_open)
{
	struct fixture f;
	fixture_open(&f);
	add_turn_up(&f);
	add(&f, 4, 100, 104, 99, 103);
	add(&f, 5, 103, 106, 95, 98); /* turns down: leave at the next open */
	add(&f, 6, 97, 99, 96, 96);
	ck_ok(run(&f, TURNS ",\"side\":\"long\",\"initial_capital\":1000,\"fee_rate\":0.001,\"size\":2"), &f.e);
	ck_assert_uint_eq(f.r.n_trades, 1);
	const struct trade *t = &f.r.trades[0];
	ck_assert_int_eq(t->entry_at, JAN_1 + 4 * TIME_HOUR);
	ck_assert_int_eq(t->exit_at, JAN_1 + 6 * TIME_HOUR);
	ck_assert_double_eq(t->entry_price, 100);
	ck_assert_double_eq(t->exit_price, 97);
	ck_assert_double_eq_tol(t->profit, -6 - 0.2 - 0.194, 1e-12);
	ck_assert_double_eq_tol(t->profit_pct, t->profit / 200, 1e-15);
	ck_assert_double_eq_tol(t->max_profit, 0.06, 1e-12);
	ck_assert_double_eq_tol(t->max_loss, 0.05, 1e-12);
	ck_assert_str_eq(t->entry_reason, "cross_up");
	ck_assert_str_eq(t->exit_reason, "signal");
	ck_assert_str_eq(t->exit_hour, "2025-01-01 06:00:00");
	ck_assert_double_eq_tol(f.r.final_capital, 1000 + t->profit, 1e-12);
	ck_assert_double_eq_tol(f.r.fees, 0.394, 1e-12);
	ck_assert_int_eq(f.r.periods, 7);
	ck_assert_int_eq(f.r.periods_held, 2);
	/* marked at the closes, fee of the entry paid: the peak is bar 4's close of 103, the bottom what is left after leaving */
	ck_assert_double_eq_tol(f.r.max_drawdown, (1000 - 6.394) / (1000 - 0.2 + 6) - 1, 1e-12);
	fixture_close(&f);
}
END_TEST

struct level_case {
	const char *what;
	double open, high, low, close; /* bar 5; bar 4 is flat at the fill, 100 */
	const char *params;
	double want;
	const char *reason;
	bool ambiguous;
};

static const struct level_case level_cases[] = {
        {"stop inside the bar", 100, 101, 94, 96, "\"stop_loss\":0.05", 95, "stop_loss", false},
        {"touch is enough", 100, 101, 95, 96, "\"stop_loss\":0.05", 95, "stop_loss", false},
        {"gap through the stop fills at the open", 90, 92, 89, 91, "\"stop_loss\":0.05", 90, "stop_loss", false},
        {"target inside the bar", 100, 111, 99, 105, "\"take_profit\":0.1", 110, "take_profit", false},
        {"gap through the target fills at the open", 115, 116, 90, 100, "\"stop_loss\":0.05,\"take_profit\":0.1", 115, "take_profit",
                false},
        {"both touched: the stop, and counted", 100, 111, 94, 100, "\"stop_loss\":0.05,\"take_profit\":0.1", 95, "stop_loss", true},
        {"gap through the stop, target touched later", 94, 111, 93, 100, "\"stop_loss\":0.05,\"take_profit\":0.1", 94, "stop_loss", false},
};

START_TEST(levels_of_a_long)
{
	for (size_t i = 0; i < ARRAY_LEN(level_cases); i++) {
		const struct level_case *c = &level_cases[i];
		struct fixture f;
		char params[200];
		fixture_open(&f);
		add_turn_up(&f);
		add(&f, 4, 100, 103, 100, 103);
		add(&f, 5, c->open, c->high, c->low, c->close);
		snprintf(params, sizeof(params), "%s,%s,\"side\":\"long\",\"size\":1,\"fee_rate\":0", TURNS, c->params);
		ck_ok(run(&f, params), &f.e);
		ck_assert_uint_eq(f.r.n_trades, 1);
		ck_assert_msg(fabs(f.r.trades[0].exit_price - c->want) < 1e-9, "%s: left at %g", c->what, f.r.trades[0].exit_price);
		ck_assert_msg(strcmp(f.r.trades[0].exit_reason, c->reason) == 0, "%s: %s", c->what, f.r.trades[0].exit_reason);
		ck_assert_int_eq(f.r.ambiguous_exits, c->ambiguous);
		ck_assert_int_eq(warned(&f, "stop and target both"), c->ambiguous);
		fixture_close(&f);
	}
}
END_TEST

/* The same bars upside down (200 - price). Percents are of 100 in both, so the levels mirror too. */
START_TEST(levels_of_a_short)
{
	for (size_t i = 0; i < ARRAY_LEN(level_cases); i++) {
		const struct level_case *c = &level_cases[i];
		struct fixture f;
		char params[200];
		fixture_open(&f);
		add(&f, 0, 97, 97, 97, 97);
		add(&f, 1, 98, 98, 98, 98);
		add(&f, 2, 99, 99, 99, 99);
		add(&f, 3, 99, 99, 98, 98);
		add(&f, 4, 100, 100, 97, 97);
		add(&f, 5, 200 - c->open, 200 - c->low, 200 - c->high, 200 - c->close);
		snprintf(params, sizeof(params), "%s,%s,\"side\":\"short\",\"size\":1,\"fee_rate\":0", TURNS, c->params);
		ck_ok(run(&f, params), &f.e);
		ck_assert_uint_eq(f.r.n_trades, 1);
		ck_assert_msg(fabs(f.r.trades[0].exit_price - (200 - c->want)) < 1e-9, "%s: left at %g", c->what, f.r.trades[0].exit_price);
		ck_assert_msg(strcmp(f.r.trades[0].exit_reason, c->reason) == 0, "%s: %s", c->what, f.r.trades[0].exit_reason);
		ck_assert_int_eq(f.r.ambiguous_exits, c->ambiguous);
		fixture_close(&f);
	}
}
END_TEST

START_TEST(stops_live_in_the_bar_of_the_entry)
{
	struct fixture f;
	fixture_open(&f);
	add_turn_up(&f);
	add(&f, 4, 100, 101, 90, 99);
	ck_ok(run(&f, TURNS ",\"side\":\"long\",\"size\":1,\"fee_rate\":0,\"stop_loss\":0.05"), &f.e);
	ck_assert_uint_eq(f.r.n_trades, 1);
	ck_assert_int_eq(f.r.trades[0].exit_at, f.r.trades[0].entry_at);
	ck_assert_double_eq_tol(f.r.trades[0].exit_price, 95, 1e-12);
	ck_assert_int_eq(f.r.periods_held, 1);
	fixture_close(&f);
}
END_TEST

START_TEST(the_last_position_is_closed)
{
	struct fixture f;
	fixture_open(&f);
	add_turn_up(&f);
	add(&f, 4, 100, 120, 99, 119);
	ck_ok(run(&f, TURNS ",\"size\":1,\"fee_rate\":0"), &f.e);
	ck_assert_uint_eq(f.r.n_trades, 1);
	ck_assert_str_eq(f.r.trades[0].exit_reason, "end_of_data");
	ck_assert_str_eq(f.r.trades[0].exit_hour, "");
	ck_assert_double_eq(f.r.trades[0].exit_price, 119);
	ck_assert_int_eq(f.r.trades[0].exit_at, JAN_1 + 5 * TIME_HOUR - 1);
	ck_assert_double_eq(f.r.equity[f.r.n_equity - 1].equity, f.r.final_capital);
	fixture_close(&f);
}
END_TEST

START_TEST(liquidation_takes_the_margin_and_no_more)
{
	struct fixture f;
	fixture_open(&f);
	add_turn_up(&f);
	add(&f, 4, 100, 101, 99, 103);
	add(&f, 5, 50, 51, 40, 45); /* opens far below the price at which a tenth is lost */
	ck_ok(run(&f, TURNS ",\"side\":\"long\",\"leverage\":10,\"fee_rate\":0.001,\"initial_capital\":1000,\"stop_loss\":0.5"), &f.e);
	ck_assert_uint_eq(f.r.n_trades, 1);
	ck_assert_str_eq(f.r.trades[0].exit_reason, "liquidation");
	ck_assert_double_eq_tol(f.r.trades[0].exit_price, 90, 1e-9);
	ck_assert_double_eq_tol(f.r.trades[0].profit, -1000, 1e-9);
	ck_assert_double_eq_tol(f.r.final_capital, 0, 1e-9);
	ck_assert(warned(&f, "liquidated"));
	fixture_close(&f);
}
END_TEST

START_TEST(what_cannot_be_paid_is_left_out)
{
	struct fixture f;
	fixture_open(&f);
	add_turn_up(&f);
	add(&f, 4, 100, 101, 99, 100);
	ck_ok(run(&f, TURNS ",\"initial_capital\":50,\"size\":1"), &f.e);
	ck_assert_uint_eq(f.r.n_trades, 0);
	ck_assert(warned(&f, "left out"));
	ck_ok(run(&f, TURNS ",\"initial_capital\":50,\"size_step\":1"), &f.e); /* half a coin rounds down to none */
	ck_assert_uint_eq(f.r.n_trades, 0);
	fixture_close(&f);
}
END_TEST

START_TEST(little_or_no_data)
{
	struct fixture f;
	fixture_open(&f);
	ck_ok(run(&f, TURNS), &f.e);
	ck_assert_uint_eq(f.r.n_trades + f.r.n_equity, 0);
	ck_assert(warned(&f, "no 1h bars"));
	add(&f, 0, 1, 1, 1, 1);
	ck_ok(run(&f, TURNS), &f.e);
	ck_assert(warned(&f, "too few"));
	ck_assert_double_eq(f.r.final_capital, 10000);
	ck_ok(run(&f, TURNS ",\"start_date\":\"2025-02-01\",\"end_date\":\"2025-01-01\""), &f.e);
	ck_assert(warned(&f, "after end_date"));
	add(&f, 7, 1, 1, 1, 1);
	ck_ok(run(&f, TURNS), &f.e);
	ck_assert(warned(&f, "6 of 8 bars are missing"));
	fixture_close(&f);
}
END_TEST

START_TEST(bad_parameters_are_refused)
{
	static const char *const bad[] = {"\"fast\":0", "\"fast\":30,\"slow\":30", "\"fast\":31,\"slow\":30", "\"slow\":1e9",
	        "\"size_ratio\":0", "\"size_ratio\":-1", "\"size_ratio\":1e300", "\"leverage\":0", "\"leverage\":-5", "\"leverage\":1e9",
	        "\"fee_rate\":-0.1", "\"fee_rate\":2", "\"stop_loss\":1", "\"stop_loss\":-0.1", "\"take_profit\":-1",
	        "\"initial_capital\":0", "\"initial_capital\":-1", "\"side\":\"up\"", "\"interval\":\"7m\"",
	        "\"start_date\":\"2025-02-30\"", "\"start_date\":\"yesterday\"", "\"nonsense\":1", "\"fast\":null,\"slow\":0.5"};
	struct fixture f;
	fixture_open(&f);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		f.e = (struct err){0};
		ck_assert_msg(!run(&f, bad[i]), "%s was taken", bad[i]);
		ck_assert_msg(f.e.code == ERR_INVALID && f.e.text[0], "%s: %s", bad[i], f.e.text);
	}
	fixture_close(&f);
}
END_TEST

/* ---- the whole against a plain second implementation: one bar at a time, sums made anew, no jumps ---- */

#define ROWS 5000

struct plain {
	double open[ROWS], high[ROWS], low[ROWS], close[ROWS];
	size_t n, fast, slow;
	double stop, take, fee, capital, equity_peak, drawdown;
	int side; /* of the open position */
	double entry, coins, profits[ROWS];
	size_t n_trades;
};

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

static void plain_fill(struct plain *p, struct fixture *f, uint64_t seed)
{
	int64_t units = 10000;
	for (size_t i = 0; i < ROWS; i++) {
		int64_t open = units + (int64_t)(next_random(&seed) % 41) - 20;
		int64_t close = open + (int64_t)(next_random(&seed) % 201) - 100;
		int64_t high = (open > close ? open : close) + (int64_t)(next_random(&seed) % 60);
		int64_t low = (open < close ? open : close) - (int64_t)(next_random(&seed) % 60);
		units = close < 3000 ? 3000 : close;
		p->open[i] = (double)open / 100;
		p->high[i] = (double)high / 100;
		p->low[i] = (double)low / 100;
		p->close[i] = (double)close / 100;
		add(f, (int)i, p->open[i], p->high[i], p->low[i], p->close[i]);
	}
	p->n = ROWS;
}

static double plain_difference(const struct plain *p, size_t i)
{
	int64_t f = 0, s = 0;
	for (size_t k = 0; k < p->fast; k++)
		f += llround(p->close[i - k] * 100);
	for (size_t k = 0; k < p->slow; k++)
		s += llround(p->close[i - k] * 100);
	return (double)(f * (int64_t)p->slow - s * (int64_t)p->fast);
}

static void plain_leave(struct plain *p, double price)
{
	double profit = p->side * p->coins * (price - p->entry) - p->coins * (price + p->entry) * p->fee;
	p->profits[p->n_trades++] = profit;
	p->capital += profit;
	p->side = 0;
}

static void plain_stops(struct plain *p, size_t i)
{
	double stop = p->entry * (1 - p->side * p->stop), take = p->entry * (1 + p->side * p->take);
	bool at_open_stop = p->side * (p->open[i] - stop) <= 0, at_open_take = p->side * (p->open[i] - take) >= 0;
	bool touches_stop = p->side > 0 ? p->low[i] <= stop : p->high[i] >= stop;
	bool touches_take = p->side > 0 ? p->high[i] >= take : p->low[i] <= take;
	if (at_open_stop || at_open_take)
		plain_leave(p, p->open[i]);
	else if (touches_stop || touches_take)
		plain_leave(p, touches_stop ? stop : take);
}

static void plain_run(struct plain *p)
{
	p->equity_peak = p->capital;
	for (size_t i = 0; i < p->n; i++) {
		double now = i > p->slow ? plain_difference(p, i - 1) : 0, before = i > p->slow ? plain_difference(p, i - 2) : 0;
		int toward = now > 0 && before <= 0 ? 1 : now < 0 && before >= 0 ? -1 : 0;
		if (toward && p->side && p->side != toward)
			plain_leave(p, p->open[i]);
		if (toward && !p->side) {
			p->side = toward;
			p->entry = p->open[i];
		}
		if (p->side)
			plain_stops(p, i);
		if (p->side && i == p->n - 1)
			plain_leave(p, p->close[i]);
		double equity = p->capital + (p->side ? p->side * p->coins * (p->close[i] - p->entry) - p->coins * p->entry * p->fee : 0);
		p->equity_peak = fmax(p->equity_peak, equity);
		p->drawdown = fmin(p->drawdown, equity / p->equity_peak - 1);
	}
}

static void compare_with_plain(uint64_t seed, size_t fast, size_t slow, double stop, double take)
{
	struct plain *p = mem_new(sizeof(*p));
	struct fixture f;
	char params[300];
	fixture_open(&f);
	plain_fill(p, &f, seed);
	p->fast = fast;
	p->slow = slow;
	p->stop = stop;
	p->take = take;
	p->fee = 0.0004;
	p->capital = 100000;
	p->coins = 3;
	plain_run(p);
	snprintf(params, sizeof(params),
	        "\"fast\":%zu,\"slow\":%zu,\"stop_loss\":%.17g,\"take_profit\":%.17g,\"fee_rate\":0.0004,\"size\":3,\"initial_capital\":100000",
	        fast, slow, stop, take);
	ck_ok(run(&f, params), &f.e);
	ck_assert_uint_gt(p->n_trades, 50);
	ck_assert_uint_eq(f.r.n_trades, p->n_trades);
	for (size_t i = 0; i < p->n_trades; i++)
		ck_assert_msg(fabs(f.r.trades[i].profit - p->profits[i]) < 1e-8, "seed %llu, trade %zu: %.12g, plainly %.12g",
		        (unsigned long long)seed, i, f.r.trades[i].profit, p->profits[i]);
	ck_assert_double_eq_tol(f.r.final_capital, p->capital, 1e-7);
	ck_assert_double_eq_tol(f.r.max_drawdown, p->drawdown, 1e-12);
	fixture_close(&f);
	mem_free(&p);
}

START_TEST(equal_to_the_plain_implementation)
{
	compare_with_plain(1, 1, 2, 0.01, 0.02);
	compare_with_plain(2, 5, 20, 0.01, 0.01);
	compare_with_plain(3, 3, 8, 0.002, 0.05);
	compare_with_plain(4, 10, 30, 0.03, 0.004);
	compare_with_plain(5, 2, 50, 0.5, 50);
}
END_TEST

START_TEST(same_input_same_bytes)
{
	struct plain *p = mem_new(sizeof(*p));
	struct fixture f;
	struct buf once = {0}, again = {0};
	fixture_open(&f);
	plain_fill(p, &f, 9);
	ck_ok(run(&f, "\"stop_loss\":0.01"), &f.e);
	records_json(&f.r, "job", NULL, &once);
	ck_ok(run(&f, "\"stop_loss\":0.01"), &f.e);
	records_json(&f.r, "job", NULL, &again);
	ck_assert_uint_gt(once.len, 1000);
	ck_assert_str_eq(buf_text(&once), buf_text(&again));
	buf_close(&once);
	buf_close(&again);
	fixture_close(&f);
	mem_free(&p);
}
END_TEST

static bool say_stop(void *user, int64_t done, int64_t total)
{
	UNUSED(user);
	ck_assert_int_le(done, total);
	return false;
}

static bool no_columns(void *user, const char *symbol, enum interval iv, int64_t from, int64_t to, struct columns *out, struct err *e)
{
	UNUSED(user);
	UNUSED(symbol);
	UNUSED(iv);
	UNUSED(from);
	UNUSED(to);
	UNUSED(out);
	return err_set(e, ERR_UNAVAILABLE, "the store is away");
}

START_TEST(stops_when_told_and_passes_errors_on)
{
	struct fixture f;
	fixture_open(&f);
	for (int i = 0; i < 24 * 400; i++)
		add(&f, i, 1, 1, 1, 1);
	f.data.progress = say_stop;
	ck_assert(!run(&f, ""));
	ck_assert_int_eq(f.e.code, ERR_CANCELLED);
	f.data.columns = no_columns;
	ck_assert(!run(&f, ""));
	ck_assert_int_eq(f.e.code, ERR_UNAVAILABLE);
	ck_assert_str_eq(f.e.text, "X: the store is away");
	fixture_close(&f);
}
END_TEST

static const TTest *const tests[] = {signal_at_close_fill_at_next_open, levels_of_a_long, levels_of_a_short,
        stops_live_in_the_bar_of_the_entry, the_last_position_is_closed, liquidation_takes_the_margin_and_no_more,
        what_cannot_be_paid_is_left_out, little_or_no_data, bad_parameters_are_refused, equal_to_the_plain_implementation,
        same_input_same_bytes, stops_when_told_and_passes_errors_on};
TEST_MAIN("strategy_sma", tests)
