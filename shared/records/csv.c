/* csv.c -- the origin's CSV of trades: its columns, its spelling of numbers, its byte order mark. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "records/records.h"

static const char header[] =
        "\xEF\xBB\xBF" /* spreadsheets take the file for something else than UTF-8 without it */
        "entry_date,symbol,entry_price,entry_pct_chg,position_size,leverage,exit_date,exit_price,exit_reason,profit_loss,"
        "profit_loss_pct,max_profit,max_loss,hold_days,add_position_count,delay_entry,entry_reason,delay_hours,exit_hour\n";

static void add_text(struct buf *b, const char *s)
{
	bool quoted = strpbrk(s, ",\"\r\n") != NULL;
	if (quoted)
		buf_addc(b, '"');
	for (; *s; s++) {
		if (*s == '"')
			buf_addc(b, '"');
		buf_addc(b, *s);
	}
	if (quoted)
		buf_addc(b, '"');
	buf_addc(b, ',');
}

/* As Python prints a float; what is no number stays empty. */
static void add_number(struct buf *b, double v)
{
	char text[32] = "";
	if (isfinite(v))
		str_from_double(text, v);
	add_text(b, text);
}

/* Whole leverages are printed as the origin's ints. */
static void add_leverage(struct buf *b, double v)
{
	if (fabs(v) < 1e15 && v == floor(v))
		buf_addf(b, "%.0f,", v);
	else
		add_number(b, v);
}

static void add_trade(struct buf *b, const struct trade *t)
{
	add_text(b, t->entry_date);
	add_text(b, t->symbol);
	add_number(b, t->entry_price);
	add_number(b, t->entry_pct);
	add_number(b, t->size);
	add_leverage(b, t->leverage);
	add_text(b, t->exit_date);
	add_number(b, t->exit_price);
	add_text(b, t->exit_reason);
	add_number(b, t->profit);
	add_number(b, t->profit_pct);
	add_number(b, t->max_profit);
	add_number(b, t->max_loss);
	buf_addf(b, "%d,%d,%s,", t->hold_days, t->adds, t->delayed ? "True" : "False");
	add_text(b, t->entry_reason);
	if (t->delayed)
		buf_addf(b, "%d", t->delay_hours);
	buf_addc(b, ',');
	add_text(b, t->exit_hour);
	b->data[b->len - 1] = '\n';
}

void records_csv(const struct backtest_result *r, struct buf *out)
{
	buf_adds(out, header);
	for (size_t i = 0; i < r->n_trades; i++)
		add_trade(out, &r->trades[i]);
}
