/* sim.h -- the exchange simulator: what its files share. It answers as Binance USDT-M futures does, from files or made-up prices.
 *
 *     main.c     options, signals            router.c   finds the route, books weight, applies faults
 *     market.c   symbols and their candles   answers.c  one function a route: the JSON of the exchange
 *     generate.c made-up prices              ledger.c   request weight by calendar minute, 429, 418
 *     load.c     candles from CSV files      faults.c   what goes wrong on purpose
 */
#ifndef EXCHANGE_SIM_SIM_H
#define EXCHANGE_SIM_SIM_H

#include <pthread.h>

#include "base/base.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "http/server.h"
#include "market/bar.h"
#include "market/interval.h"

#define SIM_LIMIT_MAX 1500 /* candles in one answer */
#define SIM_MINUTES   64   /* of which the ledger remembers the weight */
#define SIM_IPS       64

/* How prices of a symbol are made up (generate.c). */
struct maker {
	uint64_t key; /* seed and symbol */
	double base;  /* price in units, around which it moves */
	int64_t tick; /* units */
	int8_t price_scale, qty_scale;
	double notional;     /* USDT a minute */
	double notional_qty; /* the same in units of quantity, for a price of one unit */
	int volatility;      /* percent of usual */
};

struct candles {
	struct bar *bars; /* ascending */
	size_t n, cap;
};

struct market_symbol {
	char name[SYMBOL_SIZE];
	bool made_up;
	struct maker maker;
	struct candles files[INTERVAL_COUNT];
	int64_t listed_ms;
};

enum fault {
#define FAULT(name, text, stage, help) FAULT_##name,
#include "tests/exchange_sim/faults.def"
#undef FAULT
	FAULT_COUNT
};

enum fault_stage { STAGE_ANSWER, STAGE_ROWS, STAGE_WORLD };

struct fault_state {
	bool on;
	double probability; /* 0: always, or by count */
	int64_t left;       /* < 0: without end */
	int64_t done;
};

struct ip_ledger {
	char ip[64];
	int64_t minute, used;
	int64_t refused; /* requests since the first 429 of this minute */
	int64_t banned_until, ban_ms;
};

enum route {
#define ROUTE(id, path, handler) ROUTE_##id,
#include "tests/exchange_sim/routes.def"
#undef ROUTE
	ROUTE_COUNT
};

struct sim {
	/* options */
	uint64_t seed;
	int64_t since_ms, weight_limit, ban_after;
	int64_t now_start_ms, real_start_ms; /* the simulated clock when it was set, and the monotonic one then */
	double speed;

	struct market_symbol *symbols; /* fixed once the server runs */
	size_t n_symbols, cap_symbols;

	pthread_mutex_t lock; /* guards everything below, and the clock */
	struct fault_state faults[FAULT_COUNT];
	int64_t n_asked; /* requests to the exchange so far: the die of faults by probability */
	struct ip_ledger ips[SIM_IPS];
	size_t n_ips;
	int64_t requests[ROUTE_COUNT];
	int64_t unknown, limited, banned, weight_total, weight_max;
	struct {
		int64_t minute, weight;
	} minutes[SIM_MINUTES];
	size_t n_minutes; /* so far; the newest SIM_MINUTES are kept */
};

/* One request on its way through the simulator. */
struct visit {
	struct sim *sim;
	struct http_request *request;
	int64_t now_ms;  /* what the Date header says */
	int64_t data_ms; /* up to where there is data; differs with clock_skew */
	bool faults[FAULT_COUNT];
};

/* main.c */
int64_t sim_now(struct sim *s);
void sim_set_now(struct sim *s, int64_t now_ms);

/* generate.c: the minute that opens at t_ms. */
void maker_open(struct maker *m, const char *symbol, uint64_t seed);
void maker_minute(const struct maker *m, int64_t t_ms, struct bar *out);
/* The candle [open_ms, ...] as the exact sum of its minutes from first_ms on, up to now_ms; false: no minute lies there. */
bool maker_candle(const struct maker *m, enum interval iv, int64_t open_ms, int64_t first_ms, int64_t now_ms, struct bar *out);
/* The same over any span of minutes, for tickers. */
bool maker_span(const struct maker *m, int64_t from_ms, int64_t end_ms, int64_t now_ms, struct bar *out);

/* load.c: every SYMBOL-INTERVAL*.csv and .csv.gz of the folder. */
bool market_load(struct sim *s, const char *dir, struct err *e) MUST_CHECK;

/* market.c */
struct market_symbol *market_symbol(struct sim *s, const char *name);            /* NULL: not traded */
struct market_symbol *market_add(struct sim *s, const char *name);               /* finds it or makes it */
bool market_made_up(struct sim *s, const char *names, struct err *e) MUST_CHECK; /* "BTCUSDT,ETHUSDT" */
/* Candles with from <= open time <= to that exist at v->data_ms, ascending: the first `limit`, or the last when newest. */
size_t market_candles(const struct visit *v, const struct market_symbol *m, enum interval iv, int64_t from, int64_t to, size_t limit,
        bool newest, struct bar *out);
bool market_day(const struct visit *v, const struct market_symbol *m, struct bar *out); /* the last 24 hours */

/* ledger.c: 0, or the status to refuse with; *wait_s_out its Retry-After. With the lock held. */
int ledger_book(struct sim *s, const char *ip, int64_t now_ms, int64_t weight, int64_t *used_out, int64_t *wait_s_out, int64_t *until_out);

/* faults.c */
bool fault_set(struct sim *s, const char *text, struct err *e) MUST_CHECK; /* "502", "502:3", "slow:0.1" */
void faults_help(void);
void faults_roll(struct visit *v);  /* decides which faults this request meets; with the lock held */
bool fault_answer(struct visit *v); /* true: the request has been answered (or never will be) */
size_t fault_rows(const struct visit *v, enum interval iv, struct bar *rows, size_t n, size_t max);
const char *fault_name(enum fault f);

/* router.c, answers.c */
void sim_handle(struct http_request *r, void *thread, void *user);
void reply_json(struct visit *v, struct buf *json);
void reply_error(struct visit *v, int status, int code, const char *fmt, ...) PRINTF_LIKE(4, 5);
void date_print(char out[TIME_TEXT], int64_t t_ms);
#define ROUTE(id, path, handler) void handler(struct visit *v);
#include "tests/exchange_sim/routes.def"
#undef ROUTE
int64_t route_weight(enum route route, struct http_request *r);

#endif
