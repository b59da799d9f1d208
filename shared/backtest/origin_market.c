/* origin_market.c -- what the origin's strategy sees: each day's top gainer, and the bars of symbols that it holds. */
#include <math.h>

#include "backtest/origin.h"

/* The imported change where there is one, else against the close of the day before. NaN: unknown, the day does not count. */
static double day_change(const struct origin_market *m, const struct origin_symbol *s, size_t i)
{
	double stored = m->data->pct_chg ? m->data->pct_chg(m->data->user, s->name, s->days.open_time[i]) : NAN;
	if (!isnan(stored))
		return stored;
	if (i == 0 || s->days.open_time[i - 1] != s->days.open_time[i] - TIME_DAY || !(s->days.close[i - 1] > 0))
		return NAN;
	return (s->days.close[i] - s->days.close[i - 1]) / s->days.close[i - 1] * 100;
}

/* Symbols come in creation order and only a greater change replaces, so that ties go to the older series. */
static void market_rank(struct origin_market *m, int symbol)
{
	const struct origin_symbol *s = &m->symbols[symbol];
	for (size_t i = columns_lower_bound(&s->days, m->start); i < s->days.n; i++) {
		struct origin_top *top = &m->tops[(s->days.open_time[i] - m->from) / TIME_DAY];
		double pct = day_change(m, s, i);
		if (!isnan(pct) && (top->symbol < 0 || pct > top->pct))
			*top = (struct origin_top){.symbol = symbol, .pct = pct};
	}
}

static bool market_read_days(struct origin_market *m, struct origin_symbol *s, struct err *e)
{
	/* One day earlier: its close is what the first day's change is measured against. */
	if (!m->data->columns(m->data->user, s->name, INTERVAL_1d, m->start - TIME_DAY, m->end + TIME_DAY - 1, &s->days, e))
		return err_prefix(e, "%s", s->name);
	m->bars_read += (int64_t)s->days.n;
	size_t first = columns_lower_bound(&s->days, m->start);
	if (first == s->days.n)
		return true;
	int64_t from = time_day_start(s->days.open_time[first]), to = time_day_start(s->days.open_time[s->days.n - 1]);
	m->from = from < m->from ? from : m->from;
	m->to = to > m->to ? to : m->to;
	return true;
}

bool origin_market_open(
        struct origin_market *m, const struct origin_params *p, const struct backtest_data *data, struct arena *a, struct err *e)
{
	const char *const *names = NULL;
	*m = (struct origin_market){.data = data, .start = p->start, .end = p->end, .from = INT64_MAX, .to = INT64_MIN};
	m->n = p->start <= p->end ? data->symbols(data->user, INTERVAL_1d, &names, e) : 0;
	if (m->n < 0)
		return false;
	m->symbols = arena_array(a, (size_t)m->n + 1, sizeof(*m->symbols));
	for (int i = 0; i < m->n; i++) {
		m->symbols[i].name = names[i];
		if (!market_read_days(m, &m->symbols[i], e) || ((i & 63) == 0 && !build_progress(data, 0, m->n, e)))
			return false;
	}
	if (m->from > m->to)
		return true;
	size_t days = (size_t)((m->to - m->from) / TIME_DAY + 1);
	m->tops = arena_array(a, days, sizeof(*m->tops));
	for (size_t i = 0; i < days; i++)
		m->tops[i].symbol = -1;
	for (int i = 0; i < m->n; i++)
		market_rank(m, i);
	return true;
}

const struct origin_top *origin_market_top(const struct origin_market *m, int64_t day)
{
	if (day < m->from || day > m->to)
		return NULL;
	const struct origin_top *top = &m->tops[(day - m->from) / TIME_DAY];
	return top->symbol < 0 ? NULL : top;
}

int64_t origin_market_day(const struct origin_market *m, int symbol, int64_t day)
{
	const struct columns *c = &m->symbols[symbol].days;
	size_t i = columns_lower_bound(c, day);
	return i < c->n && c->open_time[i] < day + TIME_DAY ? (int64_t)i : -1;
}

bool origin_market_hours(struct origin_market *m, int symbol, int64_t day, struct origin_bars *out, struct err *e)
{
	struct origin_symbol *s = &m->symbols[symbol];
	if (!s->has_hours) {
		if (!m->data->columns(m->data->user, s->name, INTERVAL_1h, m->start, m->end + TIME_DAY - 1, &s->hours, e))
			return err_prefix(e, "%s", s->name);
		m->bars_read += (int64_t)s->hours.n;
		s->has_hours = true;
	}
	size_t from = columns_lower_bound(&s->hours, day), to = from;
	while (to < s->hours.n && s->hours.open_time[to] < day + TIME_DAY)
		to++;
	*out = (struct origin_bars){.c = &s->hours, .from = from, .to = to, .hourly = true};
	return true;
}

bool origin_market_bars(struct origin_market *m, int symbol, int64_t day, struct origin_bars *out, struct err *e)
{
	if (!origin_market_hours(m, symbol, day, out, e))
		return false;
	if (out->from < out->to)
		return true;
	int64_t row = origin_market_day(m, symbol, day);
	*out = (struct origin_bars){.c = &m->symbols[symbol].days, .from = row < 0 ? 0 : (size_t)row, .to = row < 0 ? 0 : (size_t)row + 1};
	return true;
}
