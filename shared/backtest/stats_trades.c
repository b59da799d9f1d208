/* stats_trades.c -- figures made of the list of trades. A trade that ends even is neither won nor lost. */
#include <math.h>

#include "backtest/stats.h"

void trade_sums_of(const struct trade *trades, size_t n, struct trade_sums *out)
{
	size_t in_row = 0;
	*out = (struct trade_sums){.n = n, .best = n ? trades[0].profit : 0, .worst = n ? trades[0].profit : 0};
	for (size_t i = 0; i < n; i++) {
		double p = trades[i].profit;
		out->profit += p;
		out->wins += p > 0;
		out->losses += p < 0;
		out->longs += trades[i].side == TRADE_LONG;
		out->win_sum += p > 0 ? p : 0;
		out->loss_sum += p < 0 ? p : 0;
		out->best = fmax(out->best, p);
		out->worst = fmin(out->worst, p);
		out->held_ms += (double)(trades[i].exit_at - trades[i].entry_at);
		in_row = p < 0 ? in_row + 1 : 0;
		out->losses_in_row = in_row > out->losses_in_row ? in_row : out->losses_in_row;
	}
	double mean = n ? out->profit / (double)n : 0;
	for (size_t i = 0; i < n; i++)
		out->square_sum += (trades[i].profit - mean) * (trades[i].profit - mean);
}

static bool ratio(double above, double below, const char *reason, double *out, const char **reason_out)
{
	if (below == 0) {
		*reason_out = reason;
		return false;
	}
	*out = above / below;
	*reason_out = "too_large";
	return isfinite(*out);
}

bool stats_win_rate(const struct trade_sums *s, double *out, const char **reason_out)
{
	return ratio((double)s->wins, (double)s->n, "no_trades", out, reason_out) && ratio(*out * 100, 1, "", out, reason_out);
}

bool stats_profit_factor(const struct trade_sums *s, double *out, const char **reason_out)
{
	return ratio(s->win_sum, -s->loss_sum, s->n ? "no_losses" : "no_trades", out, reason_out);
}

bool stats_expectancy(const struct trade_sums *s, double *out, const char **reason_out)
{
	return ratio(s->profit, (double)s->n, "no_trades", out, reason_out);
}

bool stats_avg_win(const struct trade_sums *s, double *out, const char **reason_out)
{
	return ratio(s->win_sum, (double)s->wins, "no_wins", out, reason_out);
}

bool stats_avg_loss(const struct trade_sums *s, double *out, const char **reason_out)
{
	return ratio(s->loss_sum, (double)s->losses, "no_losses", out, reason_out);
}

bool stats_expectancy_r(const struct trade_sums *s, double *out, const char **reason_out)
{
	double mean, loss;
	return stats_expectancy(s, &mean, reason_out) && stats_avg_loss(s, &loss, reason_out) &&
	       ratio(mean, -loss, "no_losses", out, reason_out);
}

bool stats_payoff(const struct trade_sums *s, double *out, const char **reason_out)
{
	double win, loss;
	return stats_avg_win(s, &win, reason_out) && stats_avg_loss(s, &loss, reason_out) &&
	       ratio(win, -loss, "no_losses", out, reason_out);
}

bool stats_kelly(const struct trade_sums *s, double *out, const char **reason_out)
{
	double payoff, lost;
	double won = s->n ? (double)s->wins / (double)s->n : 0;
	if (!stats_payoff(s, &payoff, reason_out) || !ratio(1 - won, payoff, "no_wins", &lost, reason_out))
		return false;
	*out = won - lost;
	return true;
}

static bool quality(const struct trade_sums *s, double count, double *out, const char **reason_out)
{
	double n = (double)s->n;
	if (s->n < 2) {
		*reason_out = "fewer_than_two_trades";
		return false;
	}
	return ratio(sqrt(count) * (s->profit / n), sqrt(s->square_sum / (n - 1)), "no_variation", out, reason_out);
}

bool stats_sqn(const struct trade_sums *s, double *out, const char **reason_out)
{
	return quality(s, (double)s->n, out, reason_out);
}

/* Van Tharp's own: more than 100 trades count as 100, so that many small trades do not look like quality. */
bool stats_sqn_100(const struct trade_sums *s, double *out, const char **reason_out)
{
	return quality(s, fmin((double)s->n, 100), out, reason_out);
}

bool stats_best_trade(const struct trade_sums *s, double *out, const char **reason_out)
{
	return ratio(s->best, s->n ? 1 : 0, "no_trades", out, reason_out);
}

bool stats_worst_trade(const struct trade_sums *s, double *out, const char **reason_out)
{
	return ratio(s->worst, s->n ? 1 : 0, "no_trades", out, reason_out);
}

bool stats_avg_hold_hours(const struct trade_sums *s, double *out, const char **reason_out)
{
	return ratio(s->held_ms / (double)TIME_HOUR, (double)s->n, "no_trades", out, reason_out);
}
