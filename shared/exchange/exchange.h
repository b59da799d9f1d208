/* exchange.h -- the door to the exchange: Binance USDT-M futures, public endpoints, over HTTP.
 *
 * The client books request weight before it asks (through a budget that all workers share), corrects it from the answer's
 * X-MBX-USED-WEIGHT-1M, obeys 429 and 418 with Retry-After for everybody, times out on everything, retries only what is
 * temporary, and checks every field that comes back. Source: Binance USDS-M Futures API, market data endpoints.
 */
#ifndef EXCHANGE_EXCHANGE_H
#define EXCHANGE_EXCHANGE_H

#include "base/base.h"
#include "base/err.h"
#include "base/mem.h"
#include "market/bar.h"
#include "market/interval.h"

#define EXCHANGE_WEIGHT_LIMIT 2400 /* per calendar minute and IP; exchangeInfo's own figure replaces it */
#define EXCHANGE_PAGE         499  /* rows a request: weight 2, the most rows per weight */

/* The budget, so that this door does not know the queue: take blocks nobody, it answers 1 taken / 0 wait *wait_ms_out / -1. */
struct exchange_budget {
	int (*take)(void *user, int64_t cost, int64_t limit, int64_t *wait_ms_out, struct err *e);
	bool (*correct)(void *user, int64_t used, int64_t stop_ms, struct err *e);
	/* Called while waiting and between pages; false: stop now (cancelled). */
	bool (*go_on)(void *user);
	void *user;
	int64_t patience_ms; /* a longer wait fails at once with ERR_LIMITED and retry_after_ms; 0: one of more than five minutes does */
};

struct exchange;
/* url: EXCHANGE_URL. budget may be NULL: then a private one in this process. */
struct exchange *exchange_open(const char *url, const struct exchange_budget *budget, struct err *e) MUST_CHECK;
void exchange_close(struct exchange **x);

bool exchange_time(struct exchange *x, int64_t *server_ms_out, struct err *e) MUST_CHECK;

struct exchange_symbol {
	char symbol[SYMBOL_SIZE];
	char status[24];
	char contract[32]; /* PERPETUAL, ... */
	int64_t onboard_at;
	struct dec tick, step, min_qty, min_notional; /* scale -1 when the exchange did not say */
};
/* All symbols that end in USDT, in the exchange's order; arena memory; returns the count, -1 failed. */
int exchange_symbols(struct exchange *x, struct arena *a, struct exchange_symbol **out, struct err *e) MUST_CHECK;

/* One page: closed bars with from <= open_time <= to, ascending, at most `limit` (<= 1500); the forming candle is dropped
 * (close_time < the server's time). bars_out[limit]. Returns the count, -1 failed (ERR_NOT_FOUND: no such symbol,
 * ERR_INVALID: the exchange refused the parameters, ERR_CORRUPT: the answer is not what Binance documents). */
int exchange_klines(struct exchange *x, const char *symbol, enum interval iv, int64_t from, int64_t to, int limit, struct bar *bars_out,
        struct err *e) MUST_CHECK;

struct exchange_ticker {
	char symbol[SYMBOL_SIZE];
	struct dec change_percent, last, open, high, low, volume;
};
int exchange_tickers(struct exchange *x, struct arena *a, struct exchange_ticker **out, struct err *e) MUST_CHECK; /* 24 h, all symbols */

#endif
