/* strategy_origin_short_top.c -- the origin's strategy: short the day's top gainer, average up twice, leave at fixed percentages. */
#include <math.h>
#include <string.h>

#include "backtest/origin.h"

static const struct param params[] = {
        {"start_date", PARAM_DATE, true, NULL, 0, 0, NULL, "first day", NULL},
        {"end_date", PARAM_DATE, true, NULL, 0, 0, NULL, "last day", NULL},
        {"initial_capital", PARAM_NUMBER, false, "10000.0", 0, 0, NULL, "capital at the start", "USDT"},
        {"leverage", PARAM_INT, false, "20", 0, 0, NULL, "notional over margin", NULL},
        {"profit_threshold", PARAM_NUMBER, false, "0.065", 0, 0, NULL, "leave when the price fell by this fraction of the entry price",
                NULL},
        {"loss_threshold", PARAM_NUMBER, false, "0.019", 0, 0, NULL, "add (twice), then leave, when the price rose by this fraction", NULL},
        {"position_size_ratio", PARAM_NUMBER, false, "0.1", 0, 0, NULL, "margin of an entry or add as a fraction of the free capital",
                NULL},
        {"min_pct_chg", PARAM_NUMBER, false, "0.0", 0, 0, NULL, "least rise of the day's top gainer, as a fraction", NULL},
        {"delay_entry", PARAM_FLAG, false, "false", 0, 0, NULL, "wait on the next day until the rise weakens", NULL},
        {"delay_hours", PARAM_INT, false, "12", 0, 0, NULL, "how long to wait", "h"},
        {"mode", PARAM_CHOICE, false, "\"origin\"", 0, 0, "origin|corrected",
                "origin: its numbers, defects included; corrected: docs/strategies.md", NULL},
};

/* Values that the origin runs with although they mean nothing: not in the table above, since mode origin takes them as well. */
static const struct limit {
	const char *name, *right;
	bool zero_ok;
	double max;
} limits[] = {
        {"initial_capital", "above 0", false, INFINITY},
        {"leverage", "above 0", false, INFINITY},
        {"profit_threshold", "0 or above", true, INFINITY},
        {"loss_threshold", "0 or above", true, INFINITY},
        {"position_size_ratio", "above 0 and at most 1", false, 1},
};

static bool limit_holds(const struct limit *l, const struct json *j, double *v_out)
{
	*v_out = json_get_double(j, l->name, 1); /* absent: its default, which is within the limits as 1 is */
	return (*v_out > 0 || (l->zero_ok && *v_out == 0)) && *v_out <= l->max;
}

static bool limits_check(const struct json *j, struct err *e)
{
	double v;
	for (size_t i = 0; i < ARRAY_LEN(limits); i++)
		if (!limit_holds(&limits[i], j, &v))
			return err_set(e, ERR_INVALID, "parameter %s is %g, but must be %s; only mode origin runs with it", limits[i].name,
			        v, limits[i].right);
	return true;
}

static void limits_warn(const struct json *j, struct builder *b)
{
	double v;
	for (size_t i = 0; i < ARRAY_LEN(limits); i++)
		if (!limit_holds(&limits[i], j, &v))
			build_warn(b, "%s is %g, which means nothing (it should be %s); the run took it all the same, as the origin does",
			        limits[i].name, v, limits[i].right);
}

#define HOURS_LIMIT 1000000 /* a century; more means the same and would not fit an int of hours times days */

static bool params_read(const struct json *j, struct origin_params *p, struct err *e)
{
	int64_t hours = json_get_int(j, "delay_hours", 12);
	*p = (struct origin_params){
	        .capital = json_get_double(j, "initial_capital", 10000),
	        .leverage = (double)json_get_int(j, "leverage", 20),
	        .take = json_get_double(j, "profit_threshold", 0.065),
	        .stop = json_get_double(j, "loss_threshold", 0.019),
	        .ratio = json_get_double(j, "position_size_ratio", 0.1),
	        .min_pct = json_get_double(j, "min_pct_chg", 0),
	        .delay = json_get_bool(j, "delay_entry", false),
	        .delay_hours = hours > HOURS_LIMIT    ? HOURS_LIMIT
	                       : hours < -HOURS_LIMIT ? -HOURS_LIMIT
	                                              : hours,
	        .corrected = strcmp(json_get_text(j, "mode", "origin"), "corrected") == 0,
	};
	const char *start = json_get_text(j, "start_date", ""), *end = json_get_text(j, "end_date", "");
	if (!time_parse_date(start, &p->start) || !time_parse_date(end, &p->end))
		return err_set(e, ERR_INVALID, "start_date and end_date must be days like 2026-02-01");
	return !p->corrected || limits_check(j, e);
}

static bool origin_check(const struct json *j, struct err *e)
{
	struct origin_params p;
	return params_read(j, &p, e);
}

/* A delayed entry that waits for its day. */
struct pending {
	int symbol;
	double pct;
	int64_t target, created;
};

struct waiting {
	struct pending *list; /* room for one per symbol */
	int n;
};

/* Has the rise lost its strength? Three rules, any of them; see docs/strategies.md. Needs three bars. */
static bool momentum_weakens(const struct origin_bars *b)
{
	size_t n = b->to - b->from;
	const double *close = b->c->close + b->from, *high = b->c->high + b->from;
	double peak = high[0], pct[3] = {NAN, NAN, NAN}, sum = 0;
	int defined = 0;
	for (size_t i = 1; i < n; i++)
		peak = fmax(peak, high[i]);
	for (size_t k = 0; k < 3; k++) {
		size_t i = n - 3 + k;
		if (i == 0)
			continue;
		pct[k] = (close[i] / close[i - 1] - 1) * 100;
		sum += pct[k];
		defined++;
	}
	bool falls = defined == 3 && pct[0] >= pct[1] && pct[1] >= pct[2] && pct[2] < 0;
	return falls || (peak - close[n - 1]) / peak >= 0.02 || sum / defined < 1;
}

static bool open_delayed(struct origin *o, const struct pending *w, const char *reason, double price, int64_t at, struct err *e)
{
	if (!origin_can_open(o, true))
		return true;
	struct origin_position p = {.symbol = w->symbol,
	        .entry_day = o->day,
	        .entry_at = at,
	        .live_from = o->p.corrected ? at + 1 : o->day,
	        .price = price,
	        .pct = w->pct,
	        .reason = reason,
	        .delayed = true};
	origin_open(o, &p);
	/* Corrected: what is left of the entry's day counts too. */
	return !o->p.corrected || origin_walk(o, o->n_held - 1, e) >= 0;
}

enum wait_outcome { WAIT_FAILED_CALL = -1, WAIT_MORE, WAIT_DONE };

static enum wait_outcome pending_decide(struct origin *o, const struct pending *w, struct err *e)
{
	struct delay_stats *d = &o->out.result->delay;
	struct origin_bars b;
	int before = (int)o->out.result->n_trades + o->n_held;
	if (!origin_market_hours(&o->market, w->symbol, o->day, &b, e))
		return WAIT_FAILED_CALL;
	while (b.to > b.from && b.c->open_time[b.to - 1] >= o->day + o->p.delay_hours * TIME_HOUR)
		b.to--;
	int64_t row = origin_market_day(&o->market, w->symbol, o->day);
	bool weak = b.to - b.from >= 3 && momentum_weakens(&b);
	if (!weak && !o->p.corrected && (o->cur - w->created) / TIME_HOUR < o->p.delay_hours)
		return WAIT_MORE;
	bool fine = true;
	if (weak)
		fine = open_delayed(o, w, "momentum_weakening", b.c->close[b.to - 1], b.c->open_time[b.to - 1] + TIME_HOUR - 1, e);
	else if (row >= 0)
		fine = open_delayed(o, w, "timeout", o->market.symbols[w->symbol].days.close[row], o->day + TIME_DAY - 1, e);
	if (!fine)
		return WAIT_FAILED_CALL;
	bool opened = (int)o->out.result->n_trades + o->n_held > before;
	d->total_pending += !o->p.corrected; /* the origin counts each twice: when it begins to wait and when it is decided */
	d->failed += !opened;
	d->successful += opened && weak;
	d->momentum += opened && weak;
	d->forced += opened && !weak;
	d->timeout += opened && !weak;
	return WAIT_DONE;
}

static bool step_pending(struct origin *o, struct waiting *w, struct err *e)
{
	int kept = 0, n = w->n;
	for (int i = 0; i < n; i++) {
		enum wait_outcome outcome = w->list[i].target == o->day ? pending_decide(o, &w->list[i], e) : WAIT_MORE;
		if (outcome == WAIT_FAILED_CALL)
			return false;
		if (outcome == WAIT_MORE)
			w->list[kept++] = w->list[i];
	}
	w->n = kept;
	return true;
}

static bool step_held(struct origin *o, struct err *e)
{
	for (int i = 0; i < o->n_held;) {
		int closed = origin_walk(o, i, e);
		if (closed < 0)
			return false;
		i += !closed;
	}
	return true;
}

static bool is_busy(const struct origin *o, const struct waiting *w, int symbol)
{
	for (int i = 0; i < o->n_held; i++) {
		if (o->held[i].symbol == symbol)
			return true;
	}
	for (int i = 0; i < w->n; i++) {
		if (w->list[i].symbol == symbol)
			return true;
	}
	return false;
}

static void step_entry(struct origin *o, struct waiting *w)
{
	const struct origin_top *top = origin_market_top(&o->market, o->day);
	int64_t next = o->cur + TIME_DAY;
	if (!top || !(top->pct >= o->p.min_pct * 100) || next > o->p.end || is_busy(o, w, top->symbol))
		return;
	if (o->p.delay) {
		w->list[w->n++] = (struct pending){.symbol = top->symbol, .pct = top->pct, .target = next, .created = o->cur};
		o->out.result->delay.total_pending++;
		return;
	}
	int64_t row = origin_market_day(&o->market, top->symbol, next);
	if (row < 0 || !origin_can_open(o, false))
		return;
	struct origin_position p = {.symbol = top->symbol,
	        .entry_day = next,
	        .entry_at = next,
	        .live_from = next,
	        .price = o->market.symbols[top->symbol].days.open[row],
	        .pct = top->pct,
	        .reason = "immediate"};
	origin_open(o, &p);
}

static bool run_days(struct origin *o, struct waiting *w, struct err *e)
{
	struct backtest_result *r = o->out.result;
	for (o->cur = o->p.start; o->cur <= o->p.end; o->cur += TIME_DAY) {
		o->day = o->cur;
		if (!step_held(o, e) || !step_pending(o, w, e))
			return false;
		step_entry(o, w);
		if (o->day >= o->market.from && o->day <= o->market.to) {
			r->periods_held += o->n_held > 0;
			build_equity(&o->out, o->day + TIME_DAY - 1, origin_equity(o));
		}
		if ((o->day / TIME_DAY) % 32 == 0 &&
		        !build_progress(o->market.data, o->day - o->p.start, o->p.end - o->p.start + TIME_DAY, e))
			return false;
	}
	return true;
}

static void run_warnings(struct origin *o)
{
	if (o->market.from > o->market.to)
		build_warn(&o->out,
		        o->p.start > o->p.end ? "start_date is after end_date" : "there are no daily bars between start_date and end_date");
	if (o->skipped_days)
		build_warn(&o->out, "on %lld days a held symbol had neither hourly nor daily bars%s", (long long)o->skipped_days,
		        o->p.corrected ? "" : "; as in the origin, the calendar skipped a day each time");
	if (o->lost)
		build_warn(&o->out,
		        o->p.corrected ? "%lld positions had no bar on end_date and were closed at their last known price"
		                       : "%lld positions had no bar on end_date and vanished with their margin, as in the origin",
		        (long long)o->lost);
	if (o->ambiguous)
		build_warn(&o->out, "%lld bars touched both levels; the worse was taken", (long long)o->ambiguous);
	if (o->liquidated)
		build_warn(&o->out, "%lld positions were liquidated: their margin was used up", (long long)o->liquidated);
	if (o->went_below_zero)
		build_warn(&o->out,
		        "the capital went below zero, and the run went on with negative positions, as in the origin; mode corrected stops there");
}

static bool origin_run(const struct json *j, const struct backtest_data *data, struct arena *a, struct backtest_result *out, struct err *e)
{
	struct origin o = {0};
	struct waiting w = {0};
	if (!params_read(j, &o.p, e))
		return false;
	o.out = build_begin(a, out, o.p.capital);
	limits_warn(j, &o.out);
	o.capital = o.p.capital;
	out->delay = (struct delay_stats){.enabled = o.p.delay, .delay_hours = (int)o.p.delay_hours};
	if (!origin_market_open(&o.market, &o.p, data, a, e))
		return false;
	o.held = arena_array(a, (size_t)o.market.n + 1, sizeof(*o.held));
	w.list = arena_array(a, (size_t)o.market.n + 1, sizeof(*w.list));
	if (o.market.from <= o.market.to) {
		build_equity(&o.out, o.market.from, o.p.capital);
		out->periods = (o.market.to - o.market.from) / TIME_DAY + 1;
	}
	if (!run_days(&o, &w, e))
		return false;
	origin_close_all(&o);
	if (out->n_equity)
		out->equity[out->n_equity - 1].equity = o.capital;
	out->bars_read = o.market.bars_read;
	out->ambiguous_exits = o.ambiguous;
	run_warnings(&o);
	return build_end(&o.out, o.capital, e);
}

const struct strategy strategy_origin_short_top = {
        .name = "origin_short_top",
        .title = "Short the day's top gainer (the origin's strategy)",
        .params = params,
        .n_params = ARRAY_LEN(params),
        .run = origin_run,
        .check = origin_check,
};
