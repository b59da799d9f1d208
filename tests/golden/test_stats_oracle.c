/* test_stats_oracle.c -- our statistics against empyrical and quantstats: four series of returns, every figure both sides have. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backtest/stats.h"
#include "tests/lib/test.h"

#define TOLERANCE 1e-12 /* relative */
#define ROWS_MAX  1000

struct series {
	const char *key; /* in the oracle */
	const char *periods;
	const char *closes; /* a file of candles, or */
	double r[8];        /* these returns */
	size_t n;
};

static const struct series all[] = {
        {"BTCUSDT-1d-202006-202106 close-to-close", "365", "spot_klines_full/BTCUSDT-1d-202006-202106.csv", {0}, 0},
        {"BTCUSDT-1d-202006-202106 close-to-close", "252", "spot_klines_full/BTCUSDT-1d-202006-202106.csv", {0}, 0},
        {"BTCUSDT-1h (um api) close-to-close", "8760", "um_klines_api/BTCUSDT-1h.csv", {0}, 0},
        {"toy [0.01,-0.02,0.03,-0.01,0.02]", "365", NULL, {0.01, -0.02, 0.03, -0.01, 0.02}, 5},
        {"toy no-loss [0.01,0.02,0,0.005]", "365", NULL, {0.01, 0.02, 0, 0.005}, 4},
};

/* Ours and theirs. What is "inf" or null there is not defined here. The ulcer index of quantstats divides by n - 1. */
static const struct {
	const char *name;
	stats_over_returns *figure;
} pairs[] = {
        {"empyrical.sharpe", stats_sharpe},
        {"quantstats.sharpe", stats_sharpe},
        {"empyrical.sortino", stats_sortino},
        {"empyrical.annual_volatility", stats_volatility},
        {"empyrical.omega", stats_omega},
        {"empyrical.var_5pct_hist", stats_var_95},
        {"empyrical.cvar_5pct_hist", stats_cvar_95},
        {"quantstats.skew", stats_skew},
        {"quantstats.kurtosis", stats_kurtosis},
        {"quantstats.ulcer_index", stats_ulcer},
};

static const struct {
	const char *name;
	stats_over_trades *figure;
} trade_pairs[] = {
        {"quantstats.profit_factor", stats_profit_factor},
        {"quantstats.payoff_ratio", stats_payoff},
        {"quantstats.kelly", stats_kelly},
};

static size_t closes_of(const char *name, double *out)
{
	char *text = test_read_file(test_data(name), NULL), *rest = text;
	size_t n = 0;
	strtok_r(text, "\n", &rest);
	for (char *line; (line = strtok_r(NULL, "\n", &rest));) {
		ck_assert_uint_lt(n, ROWS_MAX);
		for (int i = 0; i < 4; i++)
			line = strchr(line, ',') + 1;
		out[n++] = strtod(line, NULL);
	}
	mem_free(&text);
	return n;
}

static void compare(const char *series, const char *name, bool is_defined, double ours, const struct json *theirs)
{
	double v;
	ck_assert_msg(theirs != NULL, "%s: the oracle has no %s", series, name);
	if (!json_double(theirs, &v)) {
		ck_assert_msg(!is_defined, "%s, %s: %.17g, but theirs is not defined", series, name, ours);
		return;
	}
	ck_assert_msg(is_defined && fabs(ours - v) <= TOLERANCE * fabs(v), "%s, %s: %.17g, but theirs is %.17g", series, name,
	        is_defined ? ours : NAN, v);
}

/* Returns are compared as if each were the profit of a trade: the formulas are the same. */
static int compare_trades(const struct series *s, const double *r, size_t n, const struct json *want)
{
	static struct trade trades[ROWS_MAX];
	struct trade_sums sums;
	for (size_t i = 0; i < n; i++)
		trades[i] = (struct trade){.profit = r[i]};
	trade_sums_of(trades, n, &sums);
	for (size_t i = 0; i < ARRAY_LEN(trade_pairs); i++) {
		double v = NAN;
		const char *reason = "";
		bool is_defined = trade_pairs[i].figure(&sums, &v, &reason);
		compare(s->key, trade_pairs[i].name, is_defined, v, json_get(want, trade_pairs[i].name));
	}
	return ARRAY_LEN(trade_pairs);
}

static int compare_growth(const struct series *s, const double *r, size_t n, const struct json *want)
{
	static double equity[ROWS_MAX + 1];
	double drawdown, cagr, periods = atof(s->periods);
	const char *reason;
	equity[0] = 1;
	for (size_t i = 0; i < n; i++)
		equity[i + 1] = equity[i] * (1 + r[i]);
	ck_assert(stats_max_drawdown(equity, n + 1, &drawdown, &reason));
	compare(s->key, "empyrical.max_drawdown", true, drawdown, json_get(want, "empyrical.max_drawdown"));
	ck_assert(stats_cagr(1, equity[n], (double)n * 365 / periods, &cagr, &reason));
	compare(s->key, "empyrical.annual_return_cagr", true, cagr, json_get(want, "empyrical.annual_return_cagr"));
	compare(s->key, "empyrical.calmar", drawdown < 0, drawdown < 0 ? cagr / -drawdown : 0, json_get(want, "empyrical.calmar"));
	return 3;
}

static void compare_series(const struct series *s, const struct json *oracle)
{
	static double closes[ROWS_MAX], r[ROWS_MAX];
	const struct json *want = json_get(json_get(oracle, s->key), s->periods);
	ck_assert_msg(want != NULL, "the oracle has no %s", s->key);
	size_t n = s->n;
	memcpy(r, s->r, sizeof(s->r));
	if (s->closes)
		n = stats_returns(closes, closes_of(s->closes, closes), r);
	int figures = 0;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++, figures++) {
		double v = NAN;
		const char *reason = "";
		bool is_defined = pairs[i].figure(r, n, atof(s->periods), &v, &reason);
		if (pairs[i].figure == stats_ulcer)
			v *= sqrt((double)n / (double)(n - 1));
		compare(s->key, pairs[i].name, is_defined, v, json_get(want, pairs[i].name));
	}
	figures += compare_trades(s, r, n, want) + compare_growth(s, r, n, want);
	printf("proof: empyrical and quantstats, %s, N=%s | %d figures of %zu returns | equal to 1e-12\n", s->key, s->periods, figures, n);
}

START_TEST(oracle)
{
	const char *path = test_data("oracle/returns_metrics_oracle.json");
	struct err e = {0};
	size_t len;
	if (!path) {
		test_skip_data("oracle/returns_metrics_oracle.json");
		return;
	}
	char *text = test_read_file(path, &len);
	struct json *want = json_parse(text, len, &e);
	ck_ok(want != NULL, &e);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		compare_series(&all[i], want);
	json_close(&want);
	mem_free(&text);
}
END_TEST

/* The figures that stand in the literature of both libraries, so that something is compared where their file is not there. */
START_TEST(known_figures)
{
	const double r[] = {0.01, -0.02, 0.03, -0.01, 0.02};
	double v;
	const char *reason = "";
	ck_assert(stats_sharpe(r, 5, 365, &v, &reason));
	ck_assert_double_eq_tol(v, 5.527941708708923, 1e-12);
	ck_assert(stats_sortino(r, 5, 365, &v, &reason));
	ck_assert_double_eq_tol(v, 11.46298390472568, 1e-11);
	ck_assert(stats_omega(r, 5, 365, &v, &reason));
	ck_assert_double_eq_tol(v, 2.0, 1e-12);
	ck_assert(stats_var_95(r, 5, 365, &v, &reason));
	ck_assert_double_eq_tol(v, -0.018, 1e-15);
}
END_TEST

static const TTest *const tests[] = {known_figures, oracle};
TEST_MAIN("stats_oracle", tests)
