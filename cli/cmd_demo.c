/* cmd_demo.c -- `barque demo`: the main job from a download to a backtest, through the public API of a running Barque. */
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
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

/* This program as it can be typed from here: people have it in no PATH. */
static void program_name(char *out, size_t size)
{
	char here[1024] = "";
	ssize_t n = readlink("/proc/self/exe", out, size - 1);
	if (n <= 0) {
		snprintf(out, size, "barque");
		return;
	}
	out[n] = '\0';
	if (!getcwd(here, sizeof here) || !str_starts(out, here) || out[strlen(here)] != '/')
		return;
	memmove(out, out + strlen(here) + 1, strlen(out) - strlen(here));
}

static void print_next(const struct cli *c)
{
	static const char *const next[][2] = {{"jobs", "every job and how it ended"}, {"klines BTCUSDT 1h", "the stored candles"},
	        {"submit kline.download --help", "download your own symbols"}, {"backtest", "the strategies, and how to run one"},
	        {"events", "follow what changes"}};
	char program[1024];
	program_name(program, sizeof program);
	puts("\nThe main job is done. What to type next, in another terminal:");
	if (!str_eq(c->url, CLI_DEFAULT_URL))
		printf("  export BARQUE_URL=%s\n", c->url);
	for (size_t i = 0; i < ARRAY_LEN(next); i++)
		printf("  %s %-30s %s\n", program, next[i][0], next[i][1]);
	printf("  The HTTP API: %s/docs\n", c->url);
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
