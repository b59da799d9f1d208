/* fuzz_exchange.c -- any bytes as answers of the exchange: candles, symbols, tickers, errors, dates. */
#include <string.h>

#include "base/mem.h"
#include "exchange/exchange_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What passed must obey the rules that callers rely on. */
static void klines(const char *text, size_t len, enum interval iv)
{
	struct bar bars[100];
	struct klines_page p = {.symbol = "BTCUSDT", .interval = iv, .to = INT64_MAX, .limit = 100, .bars = bars};
	struct err e = {0};
	if (!exchange_read_klines(&p, text, len, INT64_MAX / 2, &e)) {
		if (e.code != ERR_CORRUPT || !e.text[0])
			__builtin_trap();
		return;
	}
	for (int i = 0; i < p.n; i++) {
		if (!bar_check(&bars[i], iv, &e) || (i && bars[i].open_time <= bars[i - 1].open_time))
			__builtin_trap();
	}
}

static void others(const char *text, size_t len)
{
	struct arena *a = arena_open();
	struct exchange_symbol *s;
	struct exchange_ticker *t;
	struct err e = {0};
	int64_t n = 0;
	int got = exchange_read_symbols(text, len, a, &s, &n, &e);
	for (int i = 0; i < got; i++) {
		if (!symbol_ok(s[i].symbol))
			__builtin_trap();
	}
	got = exchange_read_tickers(text, len, a, &t, &e);
	if (got < -1 || (!exchange_read_time(text, len, &n, &e) && e.code != ERR_CORRUPT))
		__builtin_trap();
	arena_close(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = {0};
	int64_t date;
	if (size < 2)
		return 0;
	char *text = mem_strndup((const char *)data + 2, size - 2);
	klines(text, size - 2, (enum interval)(data[0] % INTERVAL_COUNT));
	others(text, size - 2);
	if (exchange_error(data[1] * 4, text, size - 2, &e) == ERR_NONE)
		__builtin_trap();
	if (exchange_http_date(text, &date) && date < 0)
		__builtin_trap();
	mem_free(&text);
	return 0;
}
