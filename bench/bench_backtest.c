/* bench_backtest.c -- bars a second of the backtest engine, and the origin's strategy over 500 symbols and 4 years. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backtest/backtest.h"
#include "base/clock.h"
#include "base/mem.h"

#define MINUTES (5 * 525600) /* five years of one symbol */
#define SYMBOLS 500
#define DAYS    1461 /* four years */
#define RUNS    5

static const int64_t JAN_1 = INT64_C(1640995200000); /* 2022-01-01 */

/* A series of columns of our own, as a mapped cache file would be. */
struct made {
	char name[16];
	struct columns c;
	int64_t *time;
	double *open, *high, *low, *close;
};

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

/* Near enough to normal, from four dice. */
static double next_step(uint64_t *state)
{
	double sum = 0;
	for (int i = 0; i < 4; i++)
		sum += (double)next_random(state) / (double)(1u << 31) - 0.5;
	return sum * 1.7;
}

static void made_open(struct made *m, size_t n, int64_t step, double swing, double tick, uint64_t seed)
{
	double price = 100 + (double)(seed % 900);
	m->time = mem_array(n, sizeof(*m->time));
	m->open = mem_array(n, sizeof(*m->open));
	m->high = mem_array(n, sizeof(*m->high));
	m->low = mem_array(n, sizeof(*m->low));
	m->close = mem_array(n, sizeof(*m->close));
	for (size_t i = 0; i < n; i++) {
		double close = price * (1 + swing * next_step(&seed)), reach = price * swing * 0.5;
		close = close < 1 ? 1 : close > 1e6 ? 1e6 : close;
		m->time[i] = JAN_1 + (int64_t)i * step;
		m->open[i] = round(price / tick) * tick;
		m->close[i] = round(close / tick) * tick;
		m->high[i] = fmax(m->open[i], m->close[i]) + round(reach * (double)(next_random(&seed) & 255) / 255 / tick) * tick;
		m->low[i] = fmin(m->open[i], m->close[i]) - round(reach * (double)(next_random(&seed) & 255) / 255 / tick) * tick;
		price = close;
	}
	m->c = (struct columns){.n = n, .open_time = m->time, .open = m->open, .high = m->high, .low = m->low, .close = m->close};
}

static void made_close(struct made *m)
{
	mem_free(&m->time);
	mem_free(&m->open);
	mem_free(&m->high);
	mem_free(&m->low);
	mem_free(&m->close);
}

/* 24 hours make a day. */
static void made_days(struct made *day, const struct made *hour)
{
	size_t n = hour->c.n / 24;
	day->time = mem_array(n, sizeof(*day->time));
	day->open = mem_array(n, sizeof(*day->open));
	day->high = mem_array(n, sizeof(*day->high));
	day->low = mem_array(n, sizeof(*day->low));
	day->close = mem_array(n, sizeof(*day->close));
	for (size_t i = 0; i < n; i++) {
		day->time[i] = hour->time[i * 24];
		day->open[i] = hour->open[i * 24];
		day->close[i] = hour->close[i * 24 + 23];
		day->high[i] = hour->high[i * 24];
		day->low[i] = hour->low[i * 24];
		for (size_t k = i * 24; k < i * 24 + 24; k++) {
			day->high[i] = fmax(day->high[i], hour->high[k]);
			day->low[i] = fmin(day->low[i], hour->low[k]);
		}
	}
	day->c = (struct columns){
	        .n = n, .open_time = day->time, .open = day->open, .high = day->high, .low = day->low, .close = day->close};
}

struct market {
	struct made *first, *hours; /* first: 1m or 1d */
	const char *names[SYMBOLS];
	int n;
};

static int market_symbols(void *user, enum interval iv, const char *const **out, struct err *e)
{
	struct market *m = user;
	UNUSED(iv);
	UNUSED(e);
	*out = m->names;
	return m->n;
}

static bool market_columns(void *user, const char *symbol, enum interval iv, int64_t from, int64_t to, struct columns *out, struct err *e)
{
	struct market *m = user;
	const struct made *s = &(iv == INTERVAL_1h ? m->hours : m->first)[atoi(symbol + 1)];
	UNUSED(e);
	size_t i = columns_lower_bound(&s->c, from), end = columns_lower_bound(&s->c, to + 1);
	*out = (struct columns){
	        .n = end - i, .open_time = s->time + i, .open = s->open + i, .high = s->high + i, .low = s->low + i, .close = s->close + i};
	return true;
}

struct timing {
	double seconds;
	struct backtest_result r;
};

/* The best of some runs: what the code costs, without what else the machine did. */
static bool time_strategy(const char *name, const char *params, const struct backtest_data *data, struct timing *t)
{
	struct err e = {0};
	const struct strategy *s = strategy_of(name);
	struct json *given = json_parse(params, strlen(params), &e);
	struct json *checked = given ? params_check(s->params, s->n_params, given, false, &e) : NULL;
	bool done = checked != NULL;
	t->seconds = INFINITY;
	for (int i = 0; done && i < RUNS; i++) {
		struct arena *a = arena_open();
		int64_t start = clock_mono_us();
		done = s->run(checked, data, a, &t->r, &e);
		t->seconds = fmin(t->seconds, (double)(clock_mono_us() - start) / 1e6);
		arena_close(&a); /* only the counts of t->r are used after this */
	}
	if (!done)
		fprintf(stderr, "%s: %s\n", name, e.text);
	json_close(&given);
	json_close(&checked);
	return done;
}

static bool bench_cross(int fast, int slow, struct market *m, const struct backtest_data *data)
{
	struct timing t;
	char params[300];
	UNUSED(m);
	snprintf(params, sizeof(params),
	        "{\"symbol\":\"S0\",\"interval\":\"1m\",\"start_date\":\"2022-01-01\",\"end_date\":\"2030-01-01\",\"fast\":%d,\"slow\":%d,"
	        "\"fee_rate\":0.0004,\"stop_loss\":0.01,\"take_profit\":0.02,\"leverage\":1,\"size\":0.001,\"initial_capital\":1000000}",
	        fast, slow);
	if (!time_strategy("sma_cross", params, data, &t))
		return false;
	printf("backtest: sma_cross %d/%d, stops, fees, 1m bars  %7.1f M bars/s   (%zu trades, %.1f ms; promise: 100 M bars/s)\n", fast,
	        slow, (double)t.r.bars_read / t.seconds / 1e6, t.r.n_trades, t.seconds * 1e3);
	return true;
}

static bool bench_minutes(void)
{
	struct made series = {.name = "S0"};
	struct market m = {.first = &series, .names = {"S0"}, .n = 1};
	struct backtest_data data = {.symbols = market_symbols, .columns = market_columns, .user = &m};
	made_open(&series, MINUTES, TIME_MINUTE, 0.0008, 0.01, 12345);
	bool done = bench_cross(10, 30, &m, &data) && bench_cross(50, 200, &m, &data) && bench_cross(500, 2000, &m, &data);
	made_close(&series);
	return done;
}

static bool bench_origin_run(const char *what, const char *more, const struct backtest_data *data)
{
	struct timing t;
	char params[300];
	snprintf(params, sizeof(params),
	        "{\"start_date\":\"2022-01-01\",\"end_date\":\"2025-12-31\",\"leverage\":5,\"profit_threshold\":0.1,"
	        "\"loss_threshold\":0.1,\"position_size_ratio\":0.05,\"min_pct_chg\":0.05%s}",
	        more);
	if (!time_strategy("origin_short_top", params, data, &t))
		return false;
	printf("backtest: origin_short_top%s, %d symbols x 4 years  %7.3f s   (%zu trades, %.1f M bars seen; promise: under 1 s)\n", what,
	        SYMBOLS, t.seconds, t.r.n_trades, (double)t.r.bars_read / 1e6);
	return true;
}

static bool bench_origin(void)
{
	struct made *hours = mem_array(SYMBOLS, sizeof(*hours)), *days = mem_array(SYMBOLS, sizeof(*days));
	struct market m = {.first = days, .hours = hours, .n = SYMBOLS};
	struct backtest_data data = {.symbols = market_symbols, .columns = market_columns, .user = &m};
	for (int i = 0; i < SYMBOLS; i++) {
		made_open(&hours[i], (size_t)DAYS * 24, TIME_HOUR, 0.012, 0.0001, (uint64_t)i * 7919 + 1);
		made_days(&days[i], &hours[i]);
		snprintf(days[i].name, sizeof(days[i].name), "S%d", i);
		m.names[i] = days[i].name;
	}
	bool done = bench_origin_run("", "", &data) && bench_origin_run(" delayed", ",\"delay_entry\":true", &data) &&
	            bench_origin_run(" corrected", ",\"mode\":\"corrected\"", &data);
	for (int i = 0; i < SYMBOLS; i++) {
		made_close(&hours[i]);
		made_close(&days[i]);
	}
	mem_free(&hours);
	mem_free(&days);
	return done;
}

int main(void)
{
	return bench_minutes() && bench_origin() ? EXIT_SUCCESS : EXIT_FAILURE;
}
