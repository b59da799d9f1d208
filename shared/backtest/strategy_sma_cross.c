/* strategy_sma_cross.c -- two moving averages: signal at the bar's close, fill at the next open, stops inside the bar. */
#include <math.h>
#include <string.h>

#include "backtest/build.h"
#include "backtest/crossing.h"
#include "base/str.h"
#include "market/bar.h"

static const struct param params[] = {
        {"symbol", PARAM_TEXT, true, NULL, 1, 31, NULL, "what to trade, such as BTCUSDT", NULL},
        {"interval", PARAM_CHOICE, false, "\"1h\"", 0, 0, "1m|3m|5m|15m|30m|1h|2h|4h|6h|8h|12h|1d|3d|1w|1M",
                "the bars that signals are made of", NULL},
        {"start_date", PARAM_DATE, true, NULL, 0, 0, NULL, "first day", NULL},
        {"end_date", PARAM_DATE, true, NULL, 0, 0, NULL, "last day", NULL},
        {"fast", PARAM_INT, false, "10", 1, 100000, NULL, "bars of the fast average", NULL},
        {"slow", PARAM_INT, false, "30", 2, 100000, NULL, "bars of the slow average, more than fast", NULL},
        {"side", PARAM_CHOICE, false, "\"both\"", 0, 0, "long|short|both", "which crossings open a position", NULL},
        {"initial_capital", PARAM_NUMBER, false, "10000.0", 0.000001, 1e15, NULL, "capital at the start", "USDT"},
        {"size_ratio", PARAM_NUMBER, false, "1.0", 0.000001, 1, NULL, "part of the capital for margin and fee of an entry", NULL},
        {"size", PARAM_NUMBER, false, "0.0", 0, 1e15, NULL, "coins per entry; 0: by size_ratio", NULL},
        {"size_step", PARAM_NUMBER, false, "0.0", 0, 1e9, NULL, "coins are rounded down to a multiple of this; 0: not at all", NULL},
        {"leverage", PARAM_NUMBER, false, "1.0", 0.01, 125, NULL, "notional over margin (isolated)", NULL},
        {"fee_rate", PARAM_NUMBER, false, "0.0005", 0, 0.1, NULL, "fee of each fill as a fraction of its notional", NULL},
        {"stop_loss", PARAM_NUMBER, false, "0.0", 0, 0.99, NULL, "leave at this fraction against the position; 0: never", NULL},
        {"take_profit", PARAM_NUMBER, false, "0.0", 0, 100, NULL, "leave at this fraction in favour of the position; 0: never", NULL},
        {"levels_from", PARAM_CHOICE, false, "\"entry\"", 0, 0, "entry|signal",
                "stop and target count from the fill, or from the signal's close", NULL},
};

struct sma_params {
	const char *symbol;
	enum interval interval;
	int64_t start, end;
	size_t fast, slow;
	bool goes_long, goes_short, levels_from_signal;
	double capital, size_ratio, size, size_step, leverage, fee, stop, take;
};

static bool params_read(const struct json *j, struct sma_params *p, struct err *e)
{
	int64_t fast = json_get_int(j, "fast", 10), slow = json_get_int(j, "slow", 30);
	const char *side = json_get_text(j, "side", "both");
	*p = (struct sma_params){
	        .symbol = json_get_text(j, "symbol", ""),
	        .fast = (size_t)fast,
	        .slow = (size_t)slow,
	        .goes_long = !str_eq(side, "short"),
	        .goes_short = !str_eq(side, "long"),
	        .levels_from_signal = str_eq(json_get_text(j, "levels_from", "entry"), "signal"),
	        .capital = json_get_double(j, "initial_capital", 10000),
	        .size_ratio = json_get_double(j, "size_ratio", 1),
	        .size = json_get_double(j, "size", 0),
	        .size_step = json_get_double(j, "size_step", 0),
	        .leverage = json_get_double(j, "leverage", 1),
	        .fee = json_get_double(j, "fee_rate", 0.0005),
	        .stop = json_get_double(j, "stop_loss", 0),
	        .take = json_get_double(j, "take_profit", 0),
	};
	if (!symbol_ok(p->symbol))
		return err_set(e, ERR_INVALID, "parameter symbol is \"%.40s\", which is no symbol; one looks like BTCUSDT", p->symbol);
	if (!interval_of(json_get_text(j, "interval", "1h"), &p->interval))
		return err_set(e, ERR_INVALID, "interval must be one of Binance's, such as 1m or 1h");
	if (!time_parse_date(json_get_text(j, "start_date", ""), &p->start) || !time_parse_date(json_get_text(j, "end_date", ""), &p->end))
		return err_set(e, ERR_INVALID, "start_date and end_date must be days like 2026-02-01");
	if (fast < 1 || fast >= slow)
		return err_set(
		        e, ERR_INVALID, "fast (%lld) must be at least 1 and less than slow (%lld)", (long long)fast, (long long)slow);
	return true;
}

static bool sma_check(const struct json *j, struct err *e)
{
	struct sma_params p;
	return params_read(j, &p, e);
}

enum exit_why { EXIT_SIGNAL, EXIT_STOP, EXIT_TAKE, EXIT_LIQUIDATED, EXIT_END };
static const char *const exit_names[] = {"signal", "stop_loss", "take_profit", "liquidation", "end_of_data"};

struct position {
	int toward; /* +1 long, -1 short, 0: none */
	size_t bar; /* of the entry */
	double price, coins, margin, fee;
	double stop, take, broke; /* levels; infinite on their side when off */
	double lower, upper;      /* the nearer levels on each side */
	double base, slope;       /* equity = base + slope * price */
	double highest, lowest;   /* prices seen while held */
};

struct sma {
	struct sma_params p;
	struct columns c;
	struct builder out;
	const struct crossing *crossings;
	size_t n_crossings, next;
	struct position at;
	double capital;               /* free: margins of the open position are not in it */
	double peak, floor, drawdown; /* floor: equity below it deepens the drawdown */
	int64_t held, ambiguous, liquidated, refused;
};

/* ---- equity ---- */

static void equity_mark(struct sma *s, double equity)
{
	if (equity > s->peak) {
		s->peak = equity;
		s->floor = s->peak * (1 + s->drawdown);
	} else if (equity < s->floor) {
		s->drawdown = equity / s->peak - 1;
		s->floor = equity;
	}
}

static double equity_at(const struct sma *s, double price)
{
	return s->at.toward ? s->at.base + s->at.slope * price : s->capital;
}

/* ---- entries ---- */

static double coins_for(const struct sma *s, double price)
{
	/* Margin and fee both come out of the capital: coins * price * (1/leverage + fee) <= capital * ratio. */
	double each = price * (1 / s->p.leverage + s->p.fee);
	double coins = s->p.size > 0 ? s->p.size : s->capital * s->p.size_ratio / each;
	if (s->p.size_step > 0)
		coins = floor(coins / s->p.size_step + 1e-9) * s->p.size_step;
	return s->p.size > 0 && coins * each > s->capital ? 0 : coins;
}

static void position_levels(struct position *at, const struct sma_params *p, double from)
{
	double none_above = INFINITY, none_below = -INFINITY;
	bool is_long = at->toward > 0;
	at->broke = at->price - at->toward * at->margin / at->coins;
	at->stop = p->stop > 0 ? from * (1 - at->toward * p->stop) : is_long ? none_below : none_above;
	at->take = p->take > 0 ? from * (1 + at->toward * p->take) : is_long ? none_above : none_below;
	at->lower = is_long ? fmax(at->stop, at->broke) : at->take;
	at->upper = is_long ? at->take : fmin(at->stop, at->broke);
}

static void position_open(struct sma *s, size_t i, int toward)
{
	double price = s->c.open[i], coins = price > 0 ? coins_for(s, price) : 0;
	if (!(coins > 0)) {
		s->refused++;
		return;
	}
	s->at = (struct position){.toward = toward,
	        .bar = i,
	        .price = price,
	        .coins = coins,
	        .margin = coins * price / s->p.leverage,
	        .fee = coins * price * s->p.fee,
	        .highest = price,
	        .lowest = price};
	position_levels(&s->at, &s->p, s->p.levels_from_signal ? s->c.close[i - 1] : price);
	s->capital -= s->at.margin + s->at.fee;
	s->at.slope = toward * coins;
	s->at.base = s->capital + s->at.margin - s->at.slope * price;
	s->out.result->fees += s->at.fee;
}

/* ---- exits ---- */

static void trade_times(struct trade *t, const struct sma *s, size_t i, enum exit_why why)
{
	t->entry_at = s->c.open_time[s->at.bar];
	t->exit_at = why == EXIT_END ? interval_close(s->p.interval, s->c.open_time[i]) : s->c.open_time[i];
	t->hold_days = (int)((t->exit_at - t->entry_at) / TIME_DAY);
	build_date(t->entry_date, t->entry_at);
	build_date(t->exit_date, t->exit_at);
	if (why != EXIT_END)
		build_datetime(t->exit_hour, t->exit_at);
}

static void position_close(struct sma *s, size_t i, double price, enum exit_why why)
{
	struct position *at = &s->at;
	double gain = at->toward * at->coins * (price - at->price), fee = at->coins * price * s->p.fee;
	/* Isolated margin: more than the margin cannot be lost, and a fee beyond it is the exchange's loss. */
	double back = fmax(0, at->margin + gain - fee);
	struct trade *t = build_trade(&s->out);
	build_text(t->symbol, sizeof(t->symbol), s->p.symbol);
	t->side = at->toward > 0 ? TRADE_LONG : TRADE_SHORT;
	t->entry_price = at->price;
	t->exit_price = price;
	t->size = at->coins;
	t->leverage = s->p.leverage;
	t->profit = back == 0 ? -at->margin - at->fee : gain - fee - at->fee;
	t->profit_pct = t->profit / (at->price * at->coins);
	double up = (fmax(at->highest, price) - at->price) / at->price, down = (at->price - fmin(at->lowest, price)) / at->price;
	t->max_profit = at->toward > 0 ? up : down;
	t->max_loss = at->toward > 0 ? down : up;
	trade_times(t, s, i, why);
	t->entry_reason = at->toward > 0 ? "cross_up" : "cross_down";
	t->exit_reason = exit_names[why];
	s->held += (int64_t)(i - at->bar) + (why != EXIT_SIGNAL);
	s->liquidated += why == EXIT_LIQUIDATED;
	s->capital += back;
	s->out.result->fees += back == 0 ? fmax(0, at->margin + gain) : fee;
	at->toward = 0;
}

/* Bar i touched a level. The open decides first; else the worse side, since a bar does not tell which side came first. */
static void position_leave(struct sma *s, size_t i)
{
	const struct position *at = &s->at;
	double sign = at->toward, open = sign * s->c.open[i];
	double stop = sign * at->stop, take = sign * at->take, broke = sign * at->broke;
	double worst = sign * (at->toward > 0 ? s->c.low[i] : s->c.high[i]), best = sign * (at->toward > 0 ? s->c.high[i] : s->c.low[i]);
	bool at_stop = worst <= fmax(stop, broke), at_take = best >= take;
	if (at_take && (open >= take || !at_stop)) {
		position_close(s, i, sign * fmax(open, take), EXIT_TAKE);
		return;
	}
	s->ambiguous += at_take && open > fmax(stop, broke);
	double fill = fmax(fmin(open, fmax(stop, broke)), broke);
	position_close(s, i, sign * fill, fill <= broke ? EXIT_LIQUIDATED : EXIT_STOP);
}

/* ---- the bar loop ---- */

/* The hot loop: bars [i, end) with a position held. Returns the first bar that touches a level, or end. */
static size_t walk(struct sma *s, size_t i, size_t end)
{
	const double *high = s->c.high, *low = s->c.low, *close = s->c.close;
	double lower = s->at.lower, upper = s->at.upper, base = s->at.base, slope = s->at.slope;
	double highest = s->at.highest, lowest = s->at.lowest;
	for (; i < end; i++) {
		if (low[i] <= lower || high[i] >= upper)
			break;
		highest = high[i] > highest ? high[i] : highest;
		lowest = low[i] < lowest ? low[i] : lowest;
		double equity = base + slope * close[i];
		if (equity > s->peak || equity < s->floor)
			equity_mark(s, equity);
	}
	s->at.highest = highest;
	s->at.lowest = lowest;
	return i;
}

/* A crossing was seen at the close of bar i - 1: act at the open of bar i. */
static void act(struct sma *s, size_t i, int toward)
{
	if (s->at.toward == toward)
		return;
	if (s->at.toward)
		position_close(s, i, s->c.open[i], EXIT_SIGNAL);
	if (toward > 0 ? s->p.goes_long : s->p.goes_short)
		position_open(s, i, toward);
	if (!s->at.toward)
		equity_mark(s, s->capital);
}

static void run_bars(struct sma *s, size_t i, size_t end)
{
	while (i < end) {
		if (s->next < s->n_crossings && s->crossings[s->next].bar + 1 == i)
			act(s, i, s->crossings[s->next++].toward);
		size_t until = s->next < s->n_crossings ? s->crossings[s->next].bar + 1 : s->c.n;
		until = until < end ? until : end;
		i = s->at.toward ? walk(s, i, until) : until;
		if (i < until) {
			position_leave(s, i++);
			equity_mark(s, s->capital);
		}
	}
}

static bool run_days(struct sma *s, const struct backtest_data *data, struct err *e)
{
	size_t days = 0;
	for (size_t i = 0, end; i < s->c.n; i = end) {
		end = columns_lower_bound(&s->c, time_day_start(s->c.open_time[i]) + TIME_DAY);
		run_bars(s, i, end);
		if (end == s->c.n && s->at.toward) {
			position_close(s, end - 1, s->c.close[end - 1], EXIT_END);
			equity_mark(s, s->capital);
		}
		build_equity(&s->out, interval_close(s->p.interval, s->c.open_time[end - 1]), equity_at(s, s->c.close[end - 1]));
		if (++days % 256 == 0 && !build_progress(data, (int64_t)end, (int64_t)s->c.n, e))
			return false;
	}
	return true;
}

static void run_warnings(struct sma *s)
{
	if (s->p.start > s->p.end)
		build_warn(&s->out, "start_date is after end_date");
	else if (s->c.n == 0)
		build_warn(&s->out, "%s has no %s bars between start_date and end_date", s->p.symbol, interval_name(s->p.interval));
	else if (s->c.n <= s->p.slow)
		build_warn(&s->out, "%zu bars are too few for an average of %zu", s->c.n, s->p.slow);
	int64_t whole = s->c.n ? interval_count(s->p.interval, s->c.open_time[0], s->c.open_time[s->c.n - 1]) : 0;
	if (whole > (int64_t)s->c.n)
		build_warn(&s->out, "%lld of %lld bars are missing; their neighbours were taken as adjacent",
		        (long long)(whole - (int64_t)s->c.n), (long long)whole);
	if (s->ambiguous)
		build_warn(&s->out, "%lld exits fell into bars that touched stop and target both; the stop was taken",
		        (long long)s->ambiguous);
	if (s->liquidated)
		build_warn(&s->out, "%lld positions were liquidated: their margin was used up", (long long)s->liquidated);
	if (s->refused)
		build_warn(&s->out, "%lld entries were left out: the capital did not pay for them", (long long)s->refused);
}

static bool sma_run(const struct json *j, const struct backtest_data *data, struct arena *a, struct backtest_result *out, struct err *e)
{
	struct sma s = {0};
	struct crossing *crossings;
	if (!params_read(j, &s.p, e))
		return false;
	s.out = build_begin(a, out, s.p.capital);
	s.capital = s.peak = s.floor = s.p.capital;
	if (s.p.start <= s.p.end && !data->columns(data->user, s.p.symbol, s.p.interval, s.p.start, s.p.end + TIME_DAY - 1, &s.c, e))
		return err_prefix(e, "%s", s.p.symbol);
	s.n_crossings = crossings_of(s.c.close, s.c.n, s.p.fast, s.p.slow, a, &crossings);
	s.crossings = crossings;
	build_reserve(&s.out, s.n_crossings); /* each trade begins with a crossing */
	if (s.c.n)
		build_equity(&s.out, s.c.open_time[0], s.p.capital);
	if (!run_days(&s, data, e))
		return false;
	out->bars_read = out->periods = (int64_t)s.c.n;
	out->periods_held = s.held;
	out->ambiguous_exits = s.ambiguous;
	out->has_drawdown = true;
	out->max_drawdown = s.drawdown;
	run_warnings(&s);
	return build_end(&s.out, s.capital, e);
}

const struct strategy strategy_sma_cross = {
        .name = "sma_cross",
        .title = "Two moving averages cross",
        .params = params,
        .n_params = ARRAY_LEN(params),
        .run = sma_run,
        .check = sma_check,
};
