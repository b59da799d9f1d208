/* exchange_klines.c -- pages of candles: the question, its weight, and only closed bars as the answer. */
#include <inttypes.h>

#include "exchange/exchange_private.h"

#define LIMIT_MAX 1500

/* "limit [1,100) 1; [100,500) 2; [500,1000] 5; > 1000 10" */
static int64_t weight_of(int limit)
{
	static const struct {
		int below;
		int64_t weight;
	} steps[] = {{100, 1}, {500, 2}, {1001, 5}};
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		if (limit < steps[i].below)
			return steps[i].weight;
	}
	return 10;
}

static bool read_page(void *user, const char *text, size_t len, int64_t server_ms, struct err *e)
{
	return exchange_read_klines(user, text, len, server_ms, e);
}

static bool check_question(const char *symbol, int64_t from, int64_t to, int limit, struct err *e)
{
	if (!symbol_ok(symbol))
		return err_set(e, ERR_INVALID, "\"%.40s\" is not a symbol", symbol);
	if (from < 0 || to < from)
		return err_set(e, ERR_INVALID, "the range of time is empty or before 1970");
	if (limit < 1 || limit > LIMIT_MAX)
		return err_set(e, ERR_INVALID, "a page holds 1 to %d bars, not %d", LIMIT_MAX, limit);
	return true;
}

int exchange_klines(
        struct exchange *x, const char *symbol, enum interval iv, int64_t from, int64_t to, int limit, struct bar *bars_out, struct err *e)
{
	if (!check_question(symbol, from, to, limit, e))
		return -1;
	struct klines_page page = {.symbol = symbol, .interval = iv, .from = from, .to = to, .limit = limit, .bars = bars_out};
	struct buf query = {0};
	buf_adds(&query, "symbol=");
	http_escape(&query, symbol);
	buf_addf(&query, "&interval=%s&startTime=%" PRId64 "&endTime=%" PRId64 "&limit=%d", interval_name(iv), from, to, limit);
	struct question q = {
	        .path = "/fapi/v1/klines", .query = buf_text(&query), .weight = weight_of(limit), .read = read_page, .user = &page};
	bool ok = exchange_ask(x, &q, e);
	buf_close(&query);
	if (!ok)
		err_prefix(e, "%s %s", symbol, interval_name(iv));
	return ok ? page.n : -1;
}
