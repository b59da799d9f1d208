/* demo.h -- the steps of the demonstration, each a function that says whether it really succeeded. */
#ifndef CLI_DEMO_H
#define CLI_DEMO_H

#include <pthread.h>

#include "cli/cli.h"

#define DEMO_SYMBOLS      6
#define DEMO_JOBS         (2 * DEMO_SYMBOLS + 1)
#define DEMO_EVENTS_SHOWN 5

extern const char *const demo_symbols[DEMO_SYMBOLS];

/* What a subscriber received meanwhile; filled by a thread of its own. */
struct demo_events {
	pthread_t thread;
	pthread_mutex_t lock;
	const char *url, *token;
	bool stop, ready, failed;
	int64_t changes; /* kline.range.updated.v1 events */
	char why[400];
	char shown[DEMO_EVENTS_SHOWN][400];
	int n_shown;
};

struct demo {
	struct cli *c;
	struct demo_events events;
	struct watch_item downloads[DEMO_JOBS];
	int64_t changed_series; /* downloads that stored something: as many events are due at least */
	char start_date[16], end_date[16];
	int step;
};

bool demo_listen(struct demo *d, struct err *e) MUST_CHECK;
void demo_stop_listening(struct demo *d);
bool demo_download(struct demo *d, struct err *e) MUST_CHECK;
bool demo_read_back(struct demo *d, struct err *e) MUST_CHECK;
bool demo_check(struct demo *d, struct err *e) MUST_CHECK;
bool demo_backtest_origin(struct demo *d, struct err *e) MUST_CHECK;
bool demo_backtest_sma(struct demo *d, struct err *e) MUST_CHECK;
bool demo_show_events(struct demo *d, struct err *e) MUST_CHECK;

#endif
