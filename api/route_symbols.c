/* route_symbols.c -- what is stored: GET /api/symbols and GET /api/dates/{interval}/{symbol}, in the origin's shapes. */
#include "api/context.h"
#include "api/reply.h"
#include "api/routes.h"
#include "base/json.h"

/* An unknown interval has no symbols, as in the origin; -1: answered. */
static int list(struct call *c, const char *interval, struct series **out)
{
	struct store *s = call_store(c);
	enum interval iv;
	struct err e = {0};

	if (!s)
		return -1;
	if (!interval_of(interval, &iv))
		return 0;
	int n = store_series_list(s, iv, c->arena, out, &e);
	if (n < 0)
		reply_err(c, &e, NULL);
	return n;
}

void route_symbols(struct call *c)
{
	const char *interval = http_query(c->r, "interval");
	struct series *series = NULL;
	int n = list(c, interval = interval ? interval : "1d", &series);
	struct buf body = {0};
	struct json_writer w = json_writer_on(&body);

	if (n < 0)
		return;
	jw_object(&w, NULL);
	jw_text(&w, "interval", interval);
	jw_int(&w, "count", n);
	jw_array(&w, "symbols");
	for (int i = 0; i < n; i++)
		jw_text(&w, NULL, series[i].symbol);
	jw_end(&w);
	jw_end(&w);
	reply_json(c, 200, &body);
}

/* False: answered. */
static bool times(struct call *c, const char *symbol, const char *interval, enum interval *iv, int64_t **out, size_t *n_out)
{
	struct store *s = call_store(c);
	struct err e = {0};

	*n_out = 0;
	if (!s)
		return false;
	if (!interval_of(interval, iv) || !symbol_ok(symbol))
		return true;
	if (store_times_get(s, symbol, *iv, 0, INT64_MAX, c->arena, out, n_out, &e))
		return true;
	reply_err(c, &e, NULL);
	return false;
}

void route_dates(struct call *c)
{
	const char *symbol = call_param(c, "symbol"), *interval = call_param(c, "interval");
	enum interval iv = INTERVAL_1d;
	int64_t *open_times = NULL;
	size_t n;
	struct buf body = {0};
	struct json_writer w = json_writer_on(&body);
	char date[TIME_TEXT];

	if (!times(c, symbol, interval, &iv, &open_times, &n))
		return;
	jw_object(&w, NULL);
	jw_text(&w, "symbol", symbol);
	jw_text(&w, "interval", interval);
	jw_int(&w, "count", (int64_t)n);
	jw_array(&w, "dates");
	for (size_t i = 0; i < n; i++) {
		interval_print_trade_date(iv, date, open_times[i]);
		jw_text(&w, NULL, date);
	}
	jw_end(&w);
	jw_end(&w);
	reply_json(c, 200, &body);
}
