/* exchange_info.c -- what the exchange trades, and its 24 hour tickers. */
#include "exchange/exchange_private.h"

struct wanted {
	struct arena *arena;
	struct exchange_symbol *symbols;
	struct exchange_ticker *tickers;
	int64_t limit;
	int n;
};

static bool read_symbols(void *user, const char *text, size_t len, int64_t server_ms, struct err *e)
{
	struct wanted *w = user;
	UNUSED(server_ms);
	w->n = exchange_read_symbols(text, len, w->arena, &w->symbols, &w->limit, e);
	return w->n >= 0;
}

int exchange_symbols(struct exchange *x, struct arena *a, struct exchange_symbol **out, struct err *e)
{
	struct wanted w = {.arena = a, .limit = x->weight_limit};
	struct question q = {.path = "/fapi/v1/exchangeInfo", .query = "", .weight = 1, .read = read_symbols, .user = &w};
	if (!exchange_ask(x, &q, e))
		return -1;
	x->weight_limit = w.limit;
	*out = w.symbols;
	return w.n;
}

static bool read_tickers(void *user, const char *text, size_t len, int64_t server_ms, struct err *e)
{
	struct wanted *w = user;
	UNUSED(server_ms);
	w->n = exchange_read_tickers(text, len, w->arena, &w->tickers, e);
	return w->n >= 0;
}

int exchange_tickers(struct exchange *x, struct arena *a, struct exchange_ticker **out, struct err *e)
{
	struct wanted w = {.arena = a};
	struct question q = {.path = "/fapi/v1/ticker/24hr", .query = "", .weight = 40, .read = read_tickers, .user = &w};
	if (!exchange_ask(x, &q, e))
		return -1;
	*out = w.tickers;
	return w.n;
}
