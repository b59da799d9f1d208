/* cmd_demo.c -- `barque demo`: the main job from a download to a backtest, through the public API of a running Barque. */
#include "base/clock.h"
#include "base/time.h"
#include "cli/demo.h"

struct demo_step {
	const char *title;
	bool (*run)(struct demo *d, struct err *e);
};

static const struct demo_step steps[] = {
        {"A subscriber listens to the events of Kafka (GET /api/events)", demo_listen},
        {"Download candles: six symbols in 1d and 1h, one in 1m (POST /api/jobs)", demo_download},
        {"Read the candles back (GET /api/kline/{interval}/{symbol})", demo_read_back},
        {"Check their integrity (POST /api/data-integrity)", demo_check},
        {"Backtest: short the day's top gainer, the origin's strategy (POST /api/backtest)", demo_backtest_origin},
        {"Backtest: SMA 10/30 cross on BTCUSDT 1h (POST /api/jobs, kind backtest.run)", demo_backtest_sma},
        {"What the subscriber received meanwhile", demo_show_events},
};

static void print_next(const struct cli *c)
{
	printf("\nThe main job is done. What to type next:\n"
	       "  barque jobs                                   every job and how it ended\n"
	       "  barque klines BTCUSDT 1h                      the stored candles\n"
	       "  barque submit kline.download --help           download your own symbols\n"
	       "  barque backtest                               the strategies, and how to run one\n"
	       "  barque events                                 follow what changes\n"
	       "  curl %s/docs                                  the HTTP API\n"
	       "Result files lie in backtrade_records/, candles in db/.\n",
	        c->url);
}

static int run(struct cli *c)
{
	struct demo d = {.c = c};
	int64_t begin = clock_mono_ms();
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct err e = {0};
		printf("\n%zu. %s\n", i + 1, steps[i].title);
		fflush(stdout);
		if (!steps[i].run(&d, &e)) {
			fprintf(stderr, "barque demo: step %zu failed: %s\n", i + 1, e.text);
			return CLI_FAILED;
		}
	}
	demo_stop_listening(&d);
	for (size_t i = 0; i < DEMO_JOBS; i++)
		json_close(&d.downloads[i].job);
	char span[TIME_TEXT];
	time_print_span(span, clock_mono_ms() - begin);
	printf("\nAll %zu steps succeeded in %s.\n", ARRAY_LEN(steps), span);
	print_next(c);
	return CLI_DONE;
}

extern const struct command command_demo;
const struct command command_demo = {
        .name = "demo",
        .summary = "the main job, from a download to a backtest, shown step by step",
        .usage = "demo",
        .examples = "  barque demo\n",
        .run = run,
};
