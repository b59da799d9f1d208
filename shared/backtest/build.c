/* build.c -- growing results in arena memory, and the check that every figure of a result is a number. */
#include "backtest/build.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/str.h"
#include "base/time.h"

struct builder build_begin(struct arena *a, struct backtest_result *out, double initial_capital)
{
	memset(out, 0, sizeof(*out));
	out->initial_capital = out->final_capital = initial_capital;
	return (struct builder){.arena = a, .result = out};
}

/* An arena cannot free: doubling leaves at most one array's worth behind. */
static void *grown(struct arena *a, void *old, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return old;
	*cap = *cap ? *cap * 2 : 64;
	void *p = arena_array(a, *cap, size);
	if (n)
		memcpy(p, old, n * size);
	return p;
}

void build_reserve(struct builder *b, size_t trades)
{
	if (b->trades_cap == 0 && trades > 0) {
		b->trades_cap = trades;
		b->result->trades = arena_array(b->arena, trades, sizeof(struct trade));
	}
}

struct trade *build_trade(struct builder *b)
{
	struct backtest_result *r = b->result;
	r->trades = grown(b->arena, r->trades, r->n_trades, &b->trades_cap, sizeof(*r->trades));
	struct trade *t = &r->trades[r->n_trades++];
	t->delay_hours = -1;
	t->entry_pct = NAN;
	t->entry_reason = t->exit_reason = "";
	return t;
}

void build_equity(struct builder *b, int64_t at, double equity)
{
	struct backtest_result *r = b->result;
	r->equity = grown(b->arena, r->equity, r->n_equity, &b->equity_cap, sizeof(*r->equity));
	r->equity[r->n_equity++] = (struct equity_point){.at = at, .equity = equity};
}

void build_warn(struct builder *b, const char *fmt, ...)
{
	struct backtest_result *r = b->result;
	if (r->n_warnings == ARRAY_LEN(r->warnings)) {
		r->warnings[r->n_warnings - 1] = "there were more warnings than are kept";
		return;
	}
	struct buf text = {0};
	va_list ap;
	va_start(ap, fmt);
	buf_addv(&text, fmt, ap);
	va_end(ap);
	r->warnings[r->n_warnings++] = arena_strdup(b->arena, buf_text(&text));
	buf_close(&text);
}

/* v as n digits. */
static char *digits(char *out, int v, int n)
{
	for (int i = n - 1; i >= 0; i--, v /= 10)
		out[i] = (char)('0' + v % 10);
	return out + n;
}

static char *date_digits(char *out, const struct time_civil *c)
{
	out = digits(out, c->year < 0 ? 0 : c->year, 4);
	*out++ = '-';
	out = digits(out, c->month, 2);
	*out++ = '-';
	return digits(out, c->day, 2);
}

void build_date(char out[12], int64_t t_ms)
{
	struct time_civil c;
	time_to_civil(t_ms, &c);
	*date_digits(out, &c) = '\0';
}

void build_datetime(char out[24], int64_t t_ms)
{
	struct time_civil c;
	time_to_civil(t_ms, &c);
	char *p = date_digits(out, &c);
	*p++ = ' ';
	p = digits(p, c.hour, 2);
	*p++ = ':';
	p = digits(p, c.minute, 2);
	*p++ = ':';
	*digits(p, c.second, 2) = '\0';
}

void build_text(char *out, size_t size, const char *text)
{
	UNUSED(!str_copy(out, size, text));
}

static bool trade_is_finite(const struct trade *t)
{
	return isfinite(t->entry_price) && isfinite(t->exit_price) && isfinite(t->size) && isfinite(t->profit) && isfinite(t->profit_pct) &&
	       isfinite(t->max_profit) && isfinite(t->max_loss);
}

bool build_end(struct builder *b, double final_capital, struct err *e)
{
	struct backtest_result *r = b->result;
	r->final_capital = final_capital;
	bool fine = isfinite(r->initial_capital) && isfinite(final_capital);
	for (size_t i = 0; fine && i < r->n_trades; i++)
		fine = trade_is_finite(&r->trades[i]);
	for (size_t i = 0; fine && i < r->n_equity; i++)
		fine = isfinite(r->equity[i].equity);
	return fine ||
	       err_set(e, ERR_INVALID, "the run leads to amounts beyond all numbers: smaller capital, leverage or ratios are needed");
}

bool build_progress(const struct backtest_data *data, int64_t done, int64_t total, struct err *e)
{
	if (data->progress && !data->progress(data->user, done, total))
		return err_set(e, ERR_CANCELLED, "the backtest was told to stop");
	return true;
}
