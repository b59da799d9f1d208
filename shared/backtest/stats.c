/* stats.c -- all statistics of one result, written as one object; the formulas stand in docs/statistics.md. */
#include "backtest/stats.h"

#include <math.h>
#include <stdio.h>

#define DAYS_OF_YEAR 365 /* crypto has no week-ends; 252 would make every yearly figure a sixth too small */

static const struct {
	const char *name;
	stats_over_trades *figure;
} over_trades[] = {
        {"win_rate", stats_win_rate},
        {"profit_factor", stats_profit_factor},
        {"expectancy", stats_expectancy},
        {"expectancy_r", stats_expectancy_r},
        {"avg_win", stats_avg_win},
        {"avg_loss", stats_avg_loss},
        {"payoff", stats_payoff},
        {"kelly", stats_kelly},
        {"sqn", stats_sqn},
        {"sqn_100", stats_sqn_100},
        {"best_trade", stats_best_trade},
        {"worst_trade", stats_worst_trade},
        {"avg_hold_hours", stats_avg_hold_hours},
};

static const struct {
	const char *name;
	stats_over_returns *figure;
} over_returns[] = {
        {"sharpe", stats_sharpe},
        {"sortino", stats_sortino},
        {"volatility", stats_volatility},
        {"omega", stats_omega},
        {"var_95", stats_var_95},
        {"cvar_95", stats_cvar_95},
        {"skew", stats_skew},
        {"kurtosis", stats_kurtosis},
        {"psr", stats_psr},
        {"ulcer", stats_ulcer},
};

static void write_figure(struct json_writer *w, const char *name, bool is_defined, double v, const char *reason)
{
	char key[64];
	if (is_defined && isfinite(v)) {
		jw_double(w, name, v);
		return;
	}
	snprintf(key, sizeof(key), "%s_reason", name);
	jw_null(w, name);
	jw_text(w, key, is_defined ? "too_large" : reason);
}

/* Equity at the end of each UTC day, the start first; a day without a point keeps the day before's. */
static size_t daily_of(const struct backtest_result *r, double **out)
{
	size_t days = 0, i = 1;
	*out = NULL;
	if (r->n_equity == 0)
		return 0;
	int64_t first = time_day_start(r->equity[0].at), last = time_day_start(r->equity[r->n_equity - 1].at);
	*out = mem_array((size_t)((last - first) / TIME_DAY) + 2, sizeof(**out));
	(*out)[days++] = r->equity[0].equity;
	for (int64_t day = first; day <= last; day += TIME_DAY) {
		while (i < r->n_equity && r->equity[i].at < day + TIME_DAY)
			i++;
		(*out)[days++] = r->equity[i - 1].equity;
	}
	return days;
}

struct drawdowns {
	double worst;       /* fraction */
	double worst_money; /* <= 0 */
	int64_t longest_ms; /* from a peak to the first point that is back at it, or to the end */
};

static void drawdowns_of(const struct backtest_result *r, struct drawdowns *out)
{
	double peak = r->n_equity ? r->equity[0].equity : 0;
	int64_t peak_at = r->n_equity ? r->equity[0].at : 0;
	*out = (struct drawdowns){0};
	for (size_t i = 0; i < r->n_equity; i++) {
		const struct equity_point *p = &r->equity[i];
		bool was_below = i > 0 && r->equity[i - 1].equity < peak;
		if (p->equity < peak || was_below)
			out->longest_ms = p->at - peak_at > out->longest_ms ? p->at - peak_at : out->longest_ms;
		out->worst_money = fmin(out->worst_money, p->equity - peak);
		if (p->equity >= peak) {
			peak = p->equity;
			peak_at = p->at;
		}
	}
}

static void write_trades(const struct backtest_result *r, struct json_writer *w)
{
	struct trade_sums s;
	trade_sums_of(r->trades, r->n_trades, &s);
	jw_int(w, "total_trades", (int64_t)s.n);
	jw_int(w, "win_trades", (int64_t)s.wins);
	jw_int(w, "loss_trades", (int64_t)s.losses);
	jw_int(w, "long_trades", (int64_t)s.longs);
	jw_int(w, "short_trades", (int64_t)(s.n - s.longs));
	jw_int(w, "max_losses_in_row", (int64_t)s.losses_in_row);
	for (size_t i = 0; i < ARRAY_LEN(over_trades); i++) {
		double v = 0;
		const char *reason = "";
		bool is_defined = over_trades[i].figure(&s, &v, &reason);
		write_figure(w, over_trades[i].name, is_defined, v, reason);
	}
}

static void write_returns(const struct backtest_result *r, struct json_writer *w)
{
	double *daily;
	size_t days = daily_of(r, &daily);
	double *returns = mem_array(days + 1, sizeof(*returns));
	size_t n = stats_returns(daily, days, returns);
	for (size_t i = 0; i < ARRAY_LEN(over_returns); i++) {
		double v = 0;
		const char *reason = "";
		bool is_defined = over_returns[i].figure(returns, n, DAYS_OF_YEAR, &v, &reason);
		write_figure(w, over_returns[i].name, is_defined, v, reason);
	}
	mem_free(&returns);
	mem_free(&daily);
}

/* Measured at every bar where the strategy did that, else at the equity points. */
static bool drawdown_of(const struct backtest_result *r, double *out, const char **reason)
{
	*out = r->max_drawdown;
	if (r->has_drawdown)
		return true;
	double *equity = mem_array(r->n_equity + 1, sizeof(*equity));
	for (size_t i = 0; i < r->n_equity; i++)
		equity[i] = r->equity[i].equity;
	bool is_defined = stats_max_drawdown(equity, r->n_equity, out, reason);
	mem_free(&equity);
	return is_defined;
}

static void write_growth(const struct backtest_result *r, struct json_writer *w)
{
	struct drawdowns d;
	double drawdown, cagr = 0, gain = r->final_capital - r->initial_capital;
	const char *no_drawdown = "no_drawdown", *no_cagr = "no_equity";
	drawdowns_of(r, &d);
	bool has_drawdown = drawdown_of(r, &drawdown, &no_drawdown);
	/* Points stand at the last ms of their period: one more makes whole days. */
	double days = r->n_equity ? (double)(r->equity[r->n_equity - 1].at + 1 - r->equity[0].at) / (double)TIME_DAY : 0;
	bool has_cagr = r->n_equity && stats_cagr(r->initial_capital, r->final_capital, days, &cagr, &no_cagr);
	write_figure(w, "max_drawdown", has_drawdown, drawdown, no_drawdown);
	jw_double(w, "max_drawdown_money", d.worst_money);
	jw_double(w, "max_drawdown_days", (double)d.longest_ms / (double)TIME_DAY);
	write_figure(w, "cagr", has_cagr, cagr, no_cagr);
	bool has_calmar = has_cagr && has_drawdown && drawdown < 0;
	write_figure(w, "calmar", has_calmar, has_calmar ? cagr / -drawdown : 0, !has_cagr ? no_cagr : no_drawdown);
	write_figure(w, "recovery_factor", d.worst_money < 0, d.worst_money < 0 ? gain / -d.worst_money : 0, "no_drawdown");
}

void stats_write(const struct backtest_result *r, struct json_writer *w, const char *key)
{
	double gain = r->final_capital - r->initial_capital;
	jw_object(w, key);
	jw_double(w, "initial_capital", r->initial_capital);
	jw_double(w, "final_capital", r->final_capital);
	jw_double(w, "total_profit_loss", gain);
	write_figure(w, "total_return_rate", r->initial_capital != 0, r->initial_capital != 0 ? gain / r->initial_capital * 100 : 0,
	        "no_capital");
	jw_double(w, "fees", r->fees);
	write_figure(w, "exposure", r->periods > 0, r->periods > 0 ? (double)r->periods_held / (double)r->periods : 0, "no_bars");
	jw_int(w, "ambiguous_exits", r->ambiguous_exits);
	write_trades(r, w);
	write_growth(r, w);
	write_returns(r, w);
	jw_end(w);
}
