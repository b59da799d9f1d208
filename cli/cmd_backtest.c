/* cmd_backtest.c -- `barque backtest`: run a strategy on stored candles and print its statistics. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"
#include "cli/cli.h"
#include "cli/schema.h"
#include "cli/stats_text.h"

#define DAYS 90

static const struct cli_flag flags[] = {
        {"no-wait", NULL, "hand it in and print its id"},
};

extern const struct command command_backtest;

static void print_strategies(struct cli *c, const struct json *answer)
{
	UNUSED(c);
	for (const struct json *s = json_first(json_get(answer, "strategies")); s; s = json_next(s))
		printf("%-20s %s\n", json_get_text(s, "name", "?"), json_get_text(s, "title", ""));
	puts("\nThe parameters of one: barque backtest STRATEGY --help");
}

static int list_strategies(struct cli *c)
{
	struct err e = {0};
	struct json *answer = api_call(c, "GET", "/api/strategies", NULL, NULL, &e);
	return cli_answer(c, answer, &e, print_strategies);
}

/* The strategy's entry of GET /api/strategies: a copy that the caller closes. */
static struct json *strategy_entry(struct cli *c, const char *name, struct err *e)
{
	struct json *all = api_call(c, "GET", "/api/strategies", NULL, NULL, e);
	if (!all)
		return NULL;
	struct json *found = NULL;
	for (const struct json *s = json_first(json_get(all, "strategies")); s && !found; s = json_next(s))
		if (str_eq(json_get_text(s, "name", ""), name))
			found = json_copy(s);
	json_close(&all);
	if (!found)
		err_set(e, ERR_NOT_FOUND, "there is no strategy '%s'; 'barque backtest' lists them", name);
	return found;
}

/* Without days: the last ones that are over, as many as the demonstration downloads. Says so. */
static void fill_days(const struct json *entry, struct json *params)
{
	char first[TIME_TEXT], last[TIME_TEXT];
	int64_t today = time_day_start(clock_now_ms());
	bool wants = json_get(json_get(json_get(entry, "params"), "properties"), "start_date");
	if (!wants || json_get(params, "start_date") || json_get(params, "end_date"))
		return;
	time_print_date(first, today - DAYS * TIME_DAY);
	time_print_date(last, today - TIME_DAY);
	json_put_text(params, "start_date", first);
	json_put_text(params, "end_date", last);
	fprintf(stderr, "No days were given: start_date=%s end_date=%s\n", first, last);
}

static int report(struct cli *c, struct json *job, bool failed)
{
	if (c->json) {
		cli_print_json(json_copy(job));
	} else if (failed) {
		job_details(job, stdout);
	} else {
		stats_print(json_get(job, "result"), stdout);
		printf("  %-18s barque show %s\n", "everything", json_get_text(job, "id", "?"));
	}
	return failed ? CLI_FAILED : CLI_DONE;
}

static int submit(struct cli *c, struct json *params, struct err *e)
{
	struct json *body = json_new_object(), *outer = json_new_object();
	struct watch_item item = {0};
	int status;
	json_put_text(outer, "strategy", c->words[0]);
	json_put(outer, "params", params);
	json_put_text(body, "kind", "backtest.run");
	json_put(body, "params", outer);
	bool labelled = str_copy(item.label, sizeof item.label, c->words[0]);
	if (!labelled || !api_submit(c, body, NULL, item.id, e)) {
		status = cli_fail(e);
	} else if (args_has(c, "no-wait")) {
		puts(item.id);
		status = CLI_DONE;
	} else {
		int failed = watch_jobs(c, &item, 1, e);
		status = failed < 0 ? cli_fail(e) : report(c, item.job, failed > 0);
	}
	json_close(&item.job);
	json_close(&body);
	return status;
}

static int run(struct cli *c)
{
	struct err e = {0};
	if (c->n_words == 0)
		return list_strategies(c);
	struct json *entry = strategy_entry(c, c->words[0], &e);
	if (!entry)
		return cli_fail(&e);
	if (args_has(c, "help")) {
		schema_help(entry, stdout);
		json_close(&entry);
		return CLI_DONE;
	}
	struct json *params = json_new_object();
	bool ok = schema_put_all(c, &command_backtest, 1, entry, params, &e);
	if (ok)
		fill_days(entry, params);
	json_close(&entry);
	if (ok)
		return submit(c, params, &e);
	json_close(&params);
	fprintf(stderr, "barque backtest: %s; see 'barque backtest %s --help'\n", e.text, c->words[0]);
	return CLI_USAGE;
}

const struct command command_backtest = {
        .name = "backtest",
        .summary = "run a strategy on stored candles",
        .usage = "backtest [STRATEGY [NAME=VALUE ...]]",
        .examples = "  barque backtest                                    lists the strategies\n"
                    "  barque backtest sma_cross symbol=BTCUSDT interval=1h fast=10 slow=30\n"
                    "  barque backtest origin_short_top start_date=2026-01-01 end_date=2026-02-01 leverage=5\n",
        .flags = flags,
        .n_flags = ARRAY_LEN(flags),
        .free_flags = true,
        .words_max = CLI_WORDS,
        .run = run,
};
