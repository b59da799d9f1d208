/* cmd_klines.c -- `barque klines`: stored candles as a table, CSV or JSON. */
#include "base/str.h"
#include "cli/cli.h"

static const struct cli_flag flags[] = {
        {"from", "TIME", "first open time (UTC), e.g. 2026-02-01 or '2026-02-01 09:30:00'"},
        {"to", "TIME", "last open time"},
        {"limit", "N", "the newest N (default 20; 0: all)"},
        {"csv", NULL, "comma separated, with a header"},
};

static const char *const columns[] = {"trade_date", "open", "high", "low", "close", "volume", "quote_volume", "trade_count", "pct_chg"};

static void print_value(const struct json *value, bool csv, size_t column)
{
	struct buf text = {0};
	double change;
	if (!csv && str_eq(columns[column], "pct_chg") && json_double(value, &change))
		buf_addf(&text, "%.4f", change);
	else if (json_text(value))
		buf_adds(&text, json_text(value));
	else if (value && !json_is(value, JSON_NULL))
		json_print(value, &text);
	if (csv)
		printf("%s%s", column ? "," : "", buf_text(&text));
	else
		printf(column ? " %14s" : "%-19s", buf_text(&text));
	buf_close(&text);
}

static void print_bars(const struct json *answer, bool csv)
{
	for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
		if (csv)
			printf("%s%s", i ? "," : "", columns[i]);
		else
			printf(i ? " %14s" : "%-19s", columns[i]);
	}
	putchar('\n');
	for (const struct json *bar = json_first(json_get(answer, "data")); bar; bar = json_next(bar)) {
		for (size_t i = 0; i < ARRAY_LEN(columns); i++)
			print_value(json_get(bar, columns[i]), csv, i);
		putchar('\n');
	}
}

static int run(struct cli *c)
{
	struct err e = {0};
	if (c->n_words != 2) {
		fprintf(stderr, "barque klines: name a symbol and an interval, e.g. barque klines BTCUSDT 1h\n");
		return CLI_USAGE;
	}
	struct buf path = {0};
	buf_adds(&path, "/api/kline/");
	http_escape(&path, c->words[1]);
	buf_addc(&path, '/');
	http_escape(&path, c->words[0]);
	buf_addc(&path, '?');
	api_add_flag(c, "from", "start_date", &path);
	api_add_flag(c, "to", "end_date", &path);
	const char *limit = args_get(c, "limit", "20");
	if (!str_eq(limit, "0")) {
		buf_adds(&path, "&limit=");
		http_escape(&path, limit);
	}
	struct json *answer = api_call(c, "GET", buf_text(&path), NULL, NULL, &e);
	buf_close(&path);
	if (!answer)
		return cli_fail(&e);
	if (c->json)
		return cli_print_json(answer);
	bool any = json_first(json_get(answer, "data")) != NULL;
	if (any)
		print_bars(answer, args_has(c, "csv"));
	else
		fprintf(stderr,
		        "barque klines: no %s candles of %s are stored in this range; get them with 'barque submit kline.download'\n",
		        c->words[1], c->words[0]);
	json_close(&answer);
	return any ? CLI_DONE : CLI_FAILED;
}

extern const struct command command_klines;
const struct command command_klines = {
        .name = "klines",
        .summary = "print stored candles",
        .usage = "klines SYMBOL INTERVAL [flags]",
        .examples = "  barque klines BTCUSDT 1h\n  barque klines BTCUSDT 1d --from 2026-01-01 --limit 0 --csv > btc.csv\n",
        .flags = flags,
        .n_flags = ARRAY_LEN(flags),
        .words_max = CLI_WORDS,
        .run = run,
};
