/* stats_text.c -- a backtest's statistics as a table for people. */
#include "cli/stats_text.h"

#include "base/str.h"

struct figure {
	const char *key, *label, *unit;
	double factor;
	int digits;
};

static const struct figure figures[] = {
        {"initial_capital", "initial capital", "USDT", 1, 2},
        {"final_capital", "final capital", "USDT", 1, 2},
        {"total_profit_loss", "profit", "USDT", 1, 2},
        {"total_return_rate", "return", "%", 1, 2},
        {"total_trades", "trades", "", 1, 0},
        {"win_rate", "trades won", "%", 1, 2},
        {"profit_factor", "profit factor", "", 1, 2},
        {"max_drawdown", "max drawdown", "%", 100, 2},
        {"sharpe", "Sharpe ratio", "", 1, 2},
        {"sortino", "Sortino ratio", "", 1, 2},
        {"cagr", "yearly growth", "%", 100, 2},
};

/* The figure stands at the top of the result or in its statistics. */
static const struct json *figure_of(const struct json *result, const char *key)
{
	const struct json *value = json_get(result, key);
	return value ? value : json_get(json_get(result, "statistics"), key);
}

static void print_figure(const struct json *result, const struct figure *f, FILE *out)
{
	double v;
	char reason_key[64];
	if (json_double(figure_of(result, f->key), &v)) {
		fprintf(out, "  %-18s %14.*f %s\n", f->label, f->digits, v * f->factor, f->unit);
		return;
	}
	snprintf(reason_key, sizeof reason_key, "%s_reason", f->key);
	const char *reason = json_text(figure_of(result, reason_key));
	if (reason)
		fprintf(out, "  %-18s %14s (%s)\n", f->label, "-", reason);
}

void stats_print(const struct json *result, FILE *out)
{
	for (size_t i = 0; i < ARRAY_LEN(figures); i++)
		print_figure(result, &figures[i], out);
	const struct json *warnings = json_get(result, "warnings");
	for (const struct json *w = json_first(warnings); w; w = json_next(w))
		fprintf(out, "  note: %s\n", json_text(w) ? json_text(w) : "");
	const char *csv = json_get_text(json_get(result, "files"), "csv", json_get_text(result, "csv_filename", NULL));
	if (csv)
		fprintf(out, "  %-18s %s\n", "trades (CSV)", csv);
}
