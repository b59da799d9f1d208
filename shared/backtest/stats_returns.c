/* stats_returns.c -- figures made of a series of returns: risk, reward, and how they relate. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backtest/stats.h"

static bool not_defined(const char **reason_out, const char *reason)
{
	*reason_out = reason;
	return false;
}

static bool defined(double *out, double v, const char **reason_out)
{
	*out = v;
	return isfinite(v) || not_defined(reason_out, "too_large");
}

size_t stats_returns(const double *equity, size_t n, double *out)
{
	bool is_over = n > 0 && !(equity[0] > 0);
	for (size_t i = 1; i < n; i++) {
		bool ends = !is_over && !(equity[i] > 0);
		out[i - 1] = is_over ? 0 : ends ? -1 : equity[i] / equity[i - 1] - 1;
		is_over = is_over || ends;
	}
	return n ? n - 1 : 0;
}

static double mean_of(const double *r, size_t n)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += r[i];
	return sum / (double)n;
}

/* Sum of (r - mean)^power. */
static double moment_sum(const double *r, size_t n, double mean, int power)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++) {
		double d = r[i] - mean, term = d * d;
		sum += power == 2 ? term : power == 3 ? term * d : term * term;
	}
	return sum;
}

/* Mean and sample deviation. A deviation that is only the rounding of equal returns counts as none. */
static bool mean_and_deviation(const double *r, size_t n, double *mean, double *deviation, const char **reason_out)
{
	if (n < 2)
		return not_defined(reason_out, "fewer_than_two_returns");
	*mean = mean_of(r, n);
	*deviation = sqrt(moment_sum(r, n, *mean, 2) / (double)(n - 1));
	return *deviation > fabs(*mean) * 1e-14 || not_defined(reason_out, "no_variation");
}

bool stats_sharpe(const double *r, size_t n, double periods, double *out, const char **reason_out)
{
	double mean, deviation;
	return mean_and_deviation(r, n, &mean, &deviation, reason_out) && defined(out, mean / deviation * sqrt(periods), reason_out);
}

bool stats_volatility(const double *r, size_t n, double periods, double *out, const char **reason_out)
{
	if (n < 2)
		return not_defined(reason_out, "fewer_than_two_returns");
	return defined(out, sqrt(moment_sum(r, n, mean_of(r, n), 2) / (double)(n - 1)) * sqrt(periods), reason_out);
}

bool stats_sortino(const double *r, size_t n, double periods, double *out, const char **reason_out)
{
	double sum = 0;
	if (n < 2)
		return not_defined(reason_out, "fewer_than_two_returns");
	for (size_t i = 0; i < n; i++)
		sum += r[i] < 0 ? r[i] * r[i] : 0;
	if (sum == 0)
		return not_defined(reason_out, "no_losses");
	return defined(out, mean_of(r, n) / sqrt(sum / (double)n) * sqrt(periods), reason_out);
}

bool stats_omega(const double *r, size_t n, double periods, double *out, const char **reason_out)
{
	double up = 0, down = 0;
	UNUSED(periods);
	for (size_t i = 0; i < n; i++) {
		up += r[i] > 0 ? r[i] : 0;
		down -= r[i] < 0 ? r[i] : 0;
	}
	if (down == 0)
		return not_defined(reason_out, n ? "no_losses" : "no_returns");
	return defined(out, up / down, reason_out);
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* The 5 % quantile, between neighbours by a straight line. */
bool stats_var_95(const double *r, size_t n, double periods, double *out, const char **reason_out)
{
	UNUSED(periods);
	if (n == 0)
		return not_defined(reason_out, "no_returns");
	double *sorted = mem_array(n, sizeof(*sorted));
	memcpy(sorted, r, n * sizeof(*r));
	qsort(sorted, n, sizeof(*sorted), compare_doubles);
	double place = (double)(n - 1) * 0.05;
	size_t i = (size_t)place;
	double above = sorted[i + 1 < n ? i + 1 : i];
	*out = sorted[i] + (above - sorted[i]) * (place - (double)i);
	mem_free(&sorted);
	return true;
}

bool stats_cvar_95(const double *r, size_t n, double periods, double *out, const char **reason_out)
{
	double limit, sum = 0;
	size_t count = 0;
	if (!stats_var_95(r, n, periods, &limit, reason_out))
		return false;
	for (size_t i = 0; i < n; i++) {
		sum += r[i] <= limit ? r[i] : 0;
		count += r[i] <= limit;
	}
	/* The quantile can come out a rounding below the only return at or under it. */
	return defined(out, count ? sum / (double)count : limit, reason_out);
}

/* With the usual corrections for small samples (as spreadsheets and pandas have them). */
bool stats_skew(const double *r, size_t n, double periods, double *out, const char **reason_out)
{
	double mean, deviation, count = (double)n;
	UNUSED(periods);
	if (n < 3)
		return not_defined(reason_out, "fewer_than_three_returns");
	if (!mean_and_deviation(r, n, &mean, &deviation, reason_out))
		return false;
	return defined(
	        out, count / ((count - 1) * (count - 2)) * moment_sum(r, n, mean, 3) / (deviation * deviation * deviation), reason_out);
}

bool stats_kurtosis(const double *r, size_t n, double periods, double *out, const char **reason_out)
{
	double mean, deviation, c = (double)n;
	UNUSED(periods);
	if (n < 4)
		return not_defined(reason_out, "fewer_than_four_returns");
	if (!mean_and_deviation(r, n, &mean, &deviation, reason_out))
		return false;
	double fourth = moment_sum(r, n, mean, 4) / (deviation * deviation * deviation * deviation);
	double v = c * (c + 1) / ((c - 1) * (c - 2) * (c - 3)) * fourth - 3 * (c - 1) * (c - 1) / ((c - 2) * (c - 3));
	return defined(out, v, reason_out);
}

/* Probability that the true Sharpe ratio is above zero, given length, skew and fat tails (Bailey and Lopez de Prado). */
bool stats_psr(const double *r, size_t n, double periods, double *out, const char **reason_out)
{
	double mean, deviation, c = (double)n;
	UNUSED(periods);
	if (!mean_and_deviation(r, n, &mean, &deviation, reason_out))
		return false;
	double second = moment_sum(r, n, mean, 2) / c, sharpe = mean / deviation;
	double g3 = moment_sum(r, n, mean, 3) / c / (second * sqrt(second)), g4 = moment_sum(r, n, mean, 4) / c / (second * second);
	double spread = 1 - g3 * sharpe + (g4 - 1) / 4 * sharpe * sharpe;
	if (!(spread > 0))
		return not_defined(reason_out, "no_spread");
	return defined(out, 0.5 * erfc(-sharpe * sqrt(c - 1) / sqrt(spread) / sqrt(2)), reason_out);
}

/* Root mean square of the drawdowns at the end of each period. */
bool stats_ulcer(const double *r, size_t n, double periods, double *out, const char **reason_out)
{
	double equity = 1, peak = 1, sum = 0;
	UNUSED(periods);
	if (n == 0)
		return not_defined(reason_out, "no_returns");
	for (size_t i = 0; i < n; i++) {
		equity *= 1 + r[i];
		peak = fmax(peak, equity);
		sum += (equity / peak - 1) * (equity / peak - 1);
	}
	return defined(out, sqrt(sum / (double)n), reason_out);
}

bool stats_max_drawdown(const double *equity, size_t n, double *out, const char **reason_out)
{
	double peak = n ? equity[0] : 0, worst = 0;
	if (n == 0)
		return not_defined(reason_out, "no_equity");
	if (!(peak > 0))
		return not_defined(reason_out, "no_capital");
	for (size_t i = 0; i < n; i++) {
		peak = fmax(peak, equity[i]);
		worst = fmin(worst, equity[i] / peak - 1);
	}
	return defined(out, worst, reason_out);
}

bool stats_cagr(double first, double last, double days, double *out, const char **reason_out)
{
	if (!(first > 0))
		return not_defined(reason_out, "no_capital");
	if (!(days > 0))
		return not_defined(reason_out, "no_time");
	return defined(out, last > 0 ? pow(last / first, 365 / days) - 1 : -1, reason_out);
}
