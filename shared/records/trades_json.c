/* trades_json.c -- a result as JSON: what the CSV has no room for (times in ms, sides, equity, warnings, the summary). */
#include <math.h>

#include "records/records.h"

static void write_trade(struct json_writer *w, const struct trade *t)
{
	jw_object(w, NULL);
	jw_text(w, "symbol", t->symbol);
	jw_text(w, "side", t->side == TRADE_LONG ? "long" : "short");
	jw_int(w, "entry_at", t->entry_at);
	jw_int(w, "exit_at", t->exit_at);
	jw_text(w, "entry_date", t->entry_date);
	jw_text(w, "exit_date", t->exit_date);
	jw_text(w, "exit_hour", t->exit_hour[0] ? t->exit_hour : NULL);
	jw_double(w, "entry_price", t->entry_price);
	jw_double(w, "exit_price", t->exit_price);
	jw_double(w, "entry_pct_chg", t->entry_pct);
	jw_double(w, "position_size", t->size);
	jw_double(w, "leverage", t->leverage);
	jw_double(w, "profit_loss", t->profit);
	jw_double(w, "profit_loss_pct", t->profit_pct);
	jw_double(w, "max_profit", t->max_profit);
	jw_double(w, "max_loss", t->max_loss);
	jw_int(w, "hold_days", t->hold_days);
	jw_int(w, "add_position_count", t->adds);
	jw_bool(w, "delay_entry", t->delayed);
	if (t->delayed)
		jw_int(w, "delay_hours", t->delay_hours);
	else
		jw_null(w, "delay_hours");
	jw_text(w, "entry_reason", t->entry_reason);
	jw_text(w, "exit_reason", t->exit_reason);
	jw_end(w);
}

void records_json(const struct backtest_result *r, const char *job, const char *summary_json, struct buf *out)
{
	struct json_writer w = json_writer_on(out);
	jw_object(&w, NULL);
	jw_text(&w, "job", job);
	jw_raw(&w, "summary", summary_json ? summary_json : "null");
	jw_array(&w, "warnings");
	for (size_t i = 0; i < r->n_warnings; i++)
		jw_text(&w, NULL, r->warnings[i]);
	jw_end(&w);
	jw_array(&w, "trades");
	for (size_t i = 0; i < r->n_trades; i++)
		write_trade(&w, &r->trades[i]);
	jw_end(&w);
	jw_array(&w, "equity");
	for (size_t i = 0; i < r->n_equity; i++) {
		jw_array(&w, NULL);
		jw_int(&w, NULL, r->equity[i].at);
		jw_double(&w, NULL, r->equity[i].equity);
		jw_end(&w);
	}
	jw_end(&w);
	jw_end(&w);
	buf_addc(out, '\n');
}
