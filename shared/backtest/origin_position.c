/* origin_position.c -- one short position of the origin's strategy: opening, averaging up twice, leaving, to the origin's letter. */
#include <math.h>
#include <stdio.h>

#include "backtest/origin.h"
#include "base/str.h"

#define ADDS_MAX 2

enum exit_why { EXIT_TAKE, EXIT_STOP, EXIT_BROKE, EXIT_LIQUIDATED, EXIT_END };

struct exit_at {
	enum exit_why why;
	double price;
	int64_t at;  /* ms */
	int64_t day; /* printed as exit_date */
	bool has_hour;
};

bool origin_can_open(const struct origin *o, bool check)
{
	double margin = o->capital * o->p.ratio;
	if (o->p.corrected)
		return margin > 0 && margin <= o->capital && o->p.leverage > 0;
	return !check || !(o->capital < margin);
}

void origin_open(struct origin *o, const struct origin_position *entry)
{
	struct origin_position *p = &o->held[o->n_held++];
	*p = *entry;
	p->margin = o->capital * o->p.ratio;
	p->coins = p->margin * o->p.leverage / p->price;
	p->mark = p->price;
	p->marked_at = p->entry_at;
	o->capital -= p->margin;
}

/* "%.1f" as Python prints it; numbers that nobody means are shortened so that a reason stays a sentence. */
static void percent_print(char out[32], double fraction)
{
	double v = fraction * 100;
	snprintf(out, 32, fabs(v) < 1e15 ? "%.1f" : "%.1e", v);
}

/* The wording is the origin's: its pages and its users' scripts look for these texts. */
static const char *reason_text(const struct origin *o, const struct origin_position *p, const struct exit_at *x, const char *hour)
{
	char take[32], stop[32];
	struct arena *a = o->out.arena;
	percent_print(take, o->p.take);
	percent_print(stop, o->p.stop);
	switch (x->why) {
	case EXIT_TAKE:
		return p->adds > 0 ? arena_printf(a, "价格下跌%s%%，盈利平仓（已补仓%d次，%s触发）", take, p->adds, hour)
		                   : arena_printf(a, "价格下跌%s%%，盈利平仓（%s触发）", take, hour);
	case EXIT_STOP:
		return arena_printf(a, "价格上涨%s%%，止损平仓（已补仓%d次，%s触发）", stop, p->adds, hour);
	case EXIT_BROKE:
		return arena_printf(a, "价格上涨%s%%，止损平仓（资金不足无法补仓，%s触发）", stop, hour);
	case EXIT_LIQUIDATED:
		return arena_printf(a, "保证金耗尽，强制平仓（已补仓%d次，%s触发）", p->adds, hour);
	case EXIT_END:
		return "回测结束强制平仓";
	}
	return "";
}

static void position_record(struct origin *o, const struct origin_position *p, const struct exit_at *x, double profit)
{
	struct trade *t = build_trade(&o->out);
	char hour[24];
	build_datetime(hour, x->at - (x->at % TIME_HOUR + TIME_HOUR) % TIME_HOUR);
	build_text(t->symbol, sizeof(t->symbol), o->market.symbols[p->symbol].name);
	t->side = TRADE_SHORT;
	t->entry_at = p->entry_at;
	t->exit_at = x->at;
	t->entry_price = p->price;
	t->exit_price = x->price;
	t->entry_pct = p->pct;
	t->size = p->coins;
	t->leverage = o->p.leverage;
	t->profit = profit;
	t->profit_pct = (p->price - x->price) / p->price;
	t->max_profit = p->max_profit;
	t->max_loss = p->max_loss;
	t->hold_days = (int)(((x->why == EXIT_END ? x->day : o->cur) - p->entry_day) / TIME_DAY);
	t->adds = p->adds;
	t->delayed = p->delayed;
	t->delay_hours = p->delayed ? (int)o->p.delay_hours : -1;
	build_date(t->entry_date, p->entry_day);
	build_date(t->exit_date, x->day);
	build_text(t->exit_hour, sizeof(t->exit_hour), x->has_hour ? hour : "");
	t->entry_reason = p->reason;
	t->exit_reason = reason_text(o, p, x, hour);
}

static void position_close(struct origin *o, int i, const struct exit_at *x)
{
	struct origin_position *p = &o->held[i];
	double profit = (p->price - x->price) * p->coins;
	position_record(o, p, x, profit);
	o->capital += p->margin + profit;
	o->went_below_zero = o->went_below_zero || o->capital < 0;
	for (int k = i + 1; k < o->n_held; k++)
		o->held[k - 1] = o->held[k];
	o->n_held--;
}

static void position_add(struct origin *o, struct origin_position *p, double at, double coins)
{
	double margin = o->capital * o->p.ratio;
	double both = p->coins + coins;
	/* With no coins at all (ratio or leverage 0) the weights are 0/0: the middle is what equal parts give. */
	p->price = both != 0 ? (p->price * p->coins + at * coins) / both : (p->price + at) / 2;
	p->coins = both;
	p->margin += margin;
	o->capital -= margin;
	p->adds++;
}

enum bar_outcome { BAR_NOTHING, BAR_ADDED, BAR_LEFT };

/* Mode origin: the target is looked at first, every fill is at its level even where the bar opened beyond it, and an add doubles
 * the coins whatever its margin buys. */
static enum bar_outcome bar_origin(struct origin *o, struct origin_position *p, double high, double low, struct exit_at *x)
{
	double price = p->price;
	if ((low - price) / price <= -o->p.take) {
		*x = (struct exit_at){.why = EXIT_TAKE, .price = price * (1 - o->p.take)};
		return BAR_LEFT;
	}
	if (!((high - price) / price >= o->p.stop))
		return BAR_NOTHING;
	*x = (struct exit_at){.why = EXIT_STOP, .price = price * (1 + o->p.stop)};
	if (p->adds >= ADDS_MAX)
		return BAR_LEFT;
	if (o->capital < o->capital * o->p.ratio) {
		x->why = EXIT_BROKE;
		return BAR_LEFT;
	}
	position_add(o, p, x->price, p->coins);
	return BAR_ADDED;
}

/* Mode corrected: the worse side first, a bar that opens beyond a level fills at its open, an add buys what its margin buys, and
 * a position whose margin is used up is liquidated there, so that capital never goes below zero. */
static enum bar_outcome bar_corrected(struct origin *o, struct origin_position *p, const struct columns *c, size_t i, struct exit_at *x)
{
	double take = p->price * (1 - o->p.take), stop = p->price * (1 + o->p.stop), broke = p->price + p->margin / p->coins;
	bool touches_take = c->low[i] <= take;
	if (!(c->high[i] >= (stop < broke ? stop : broke))) {
		*x = (struct exit_at){.why = EXIT_TAKE, .price = c->open[i] < take ? c->open[i] : take};
		return touches_take ? BAR_LEFT : BAR_NOTHING;
	}
	double fill = c->open[i] > stop ? c->open[i] : stop;
	o->ambiguous += touches_take;
	if (fill >= broke) {
		*x = (struct exit_at){.why = EXIT_LIQUIDATED, .price = broke};
		o->liquidated++;
		return BAR_LEFT;
	}
	*x = (struct exit_at){.why = p->adds >= ADDS_MAX ? EXIT_STOP : EXIT_BROKE, .price = fill};
	if (p->adds >= ADDS_MAX || !origin_can_open(o, true))
		return BAR_LEFT;
	position_add(o, p, fill, o->capital * o->p.ratio * o->p.leverage / fill);
	return BAR_ADDED;
}

static void position_extremes(struct origin_position *p, double price, double high, double low)
{
	p->max_profit = fmax(p->max_profit, -(low - price) / price);
	p->max_loss = fmax(p->max_loss, (high - price) / price);
}

/* After a day without an exit. The origin measures against the price from before any add, over the whole day, and not at all
 * on a day with an add that it knows only by its daily bar. */
static void day_extremes(struct origin_position *p, const struct origin_bars *b, double price, bool added)
{
	double high = b->c->high[b->from], low = b->c->low[b->from];
	if (added && !b->hourly)
		return;
	for (size_t i = b->from + 1; i < b->to; i++) {
		high = fmax(high, b->c->high[i]);
		low = fmin(low, b->c->low[i]);
	}
	position_extremes(p, price, high, low);
}

/* Time of a bar as exits print it; the daily bar stands for the day's last hour. */
static int64_t bar_time(const struct origin_bars *b, size_t i, int64_t day)
{
	return b->hourly ? b->c->open_time[i] : day + 23 * TIME_HOUR;
}

static bool walk_bars(struct origin *o, struct origin_position *p, const struct origin_bars *b, struct exit_at *x)
{
	double price = p->price;
	bool added = false;
	for (size_t i = b->from; i < b->to && !(added && !o->p.corrected); i++) {
		if (o->p.corrected)
			position_extremes(p, p->price, b->c->high[i], b->c->low[i]);
		enum bar_outcome outcome =
		        o->p.corrected ? bar_corrected(o, p, b->c, i, x) : bar_origin(o, p, b->c->high[i], b->c->low[i], x);
		if (outcome == BAR_LEFT) {
			x->at = bar_time(b, i, o->day);
			x->day = o->day;
			x->has_hour = true;
			return true;
		}
		added = added || outcome == BAR_ADDED;
	}
	if (!o->p.corrected)
		day_extremes(p, b, price, added);
	return false;
}

int origin_walk(struct origin *o, int i, struct err *e)
{
	struct origin_position *p = &o->held[i];
	struct origin_bars b;
	struct exit_at x = {0};
	if (!origin_market_bars(&o->market, p->symbol, o->day, &b, e))
		return -1;
	if (b.from == b.to) {
		o->skipped_days++;
		if (!o->p.corrected)
			o->cur += TIME_DAY; /* the origin's defect: its date runs ahead, and the days between are never looked at */
		return 0;
	}
	while (b.from < b.to && b.c->open_time[b.from] < p->live_from)
		b.from++;
	if (b.from == b.to)
		return 0;
	if (walk_bars(o, p, &b, &x)) {
		position_close(o, i, &x);
		return 1;
	}
	p->mark = b.c->close[b.to - 1];
	p->marked_at = b.c->open_time[b.to - 1] + (b.hourly ? TIME_HOUR : TIME_DAY) - 1;
	return 0;
}

void origin_close_all(struct origin *o)
{
	while (o->n_held > 0) {
		struct origin_position *p = &o->held[0];
		int64_t row = origin_market_day(&o->market, p->symbol, o->p.end);
		struct exit_at x = {.why = EXIT_END, .price = p->mark, .at = p->marked_at, .day = time_day_start(p->marked_at)};
		if (row >= 0)
			x = (struct exit_at){.why = EXIT_END,
			        .price = o->market.symbols[p->symbol].days.close[row],
			        .at = o->p.end + TIME_DAY - 1,
			        .day = o->p.end};
		o->lost += row < 0;
		if (row >= 0 || o->p.corrected) {
			position_close(o, 0, &x);
			continue;
		}
		/* Mode origin: without a last day's bar the position and its margin vanish. */
		for (int k = 1; k < o->n_held; k++)
			o->held[k - 1] = o->held[k];
		o->n_held--;
	}
}

double origin_equity(const struct origin *o)
{
	double sum = o->capital;
	for (int i = 0; i < o->n_held; i++)
		sum += o->held[i].margin + (o->held[i].price - o->held[i].mark) * o->held[i].coins;
	return sum;
}
