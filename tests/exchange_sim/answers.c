/* answers.c -- one function a route: the parameters as Binance checks them, the JSON as Binance writes it. */
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "tests/exchange_sim/sim.h"

static void jw_decimal(struct json_writer *w, const char *key, struct dec d)
{
	char text[DEC_TEXT];
	dec_print(text, d);
	jw_text(w, key, text);
}

static void mandatory(struct visit *v, const char *name)
{
	reply_error(v, 400, -1102, "Mandatory parameter '%s' was not sent, was empty/null, or malformed.", name);
}

void answer_ping(struct visit *v)
{
	struct buf b = {0};
	buf_adds(&b, "{}");
	reply_json(v, &b);
}

void answer_time(struct visit *v)
{
	struct buf b = {0};
	buf_addf(&b, "{\"serverTime\":%" PRId64 "}", v->now_ms);
	reply_json(v, &b);
}

/* ---- exchangeInfo ------------------------------------------------------------------------------------------- */

static void write_limit(struct json_writer *w, const char *type, const char *interval, int64_t num, int64_t limit)
{
	jw_object(w, NULL);
	jw_text(w, "rateLimitType", type);
	jw_text(w, "interval", interval);
	jw_int(w, "intervalNum", num);
	jw_int(w, "limit", limit);
	jw_end(w);
}

static void write_filters(struct json_writer *w, const struct maker *m)
{
	struct dec tick = {m->tick, m->price_scale}, step = {1, m->qty_scale};
	jw_array(w, "filters");
	jw_object(w, NULL);
	jw_text(w, "maxPrice", "1000000");
	jw_decimal(w, "minPrice", tick);
	jw_text(w, "filterType", "PRICE_FILTER");
	jw_decimal(w, "tickSize", tick);
	jw_end(w);
	jw_object(w, NULL);
	jw_text(w, "maxQty", "10000000");
	jw_decimal(w, "minQty", step);
	jw_text(w, "filterType", "LOT_SIZE");
	jw_decimal(w, "stepSize", step);
	jw_end(w);
	jw_object(w, NULL);
	jw_text(w, "notional", m->base / (double)m->tick > 1e5 ? "100" : "5");
	jw_text(w, "filterType", "MIN_NOTIONAL");
	jw_end(w);
	jw_end(w);
}

static void write_symbol(struct json_writer *w, const struct market_symbol *m)
{
	char base[SYMBOL_SIZE];
	size_t len = strlen(m->name) - (str_ends(m->name, "USDT") ? 4 : 0);
	if (!str_copy_n(base, sizeof(base), m->name, len))
		base[0] = '\0';
	jw_object(w, NULL);
	jw_text(w, "symbol", m->name);
	jw_text(w, "pair", m->name);
	jw_text(w, "contractType", "PERPETUAL");
	jw_int(w, "deliveryDate", INT64_C(4133404800000));
	jw_int(w, "onboardDate", m->listed_ms);
	jw_text(w, "status", "TRADING");
	jw_text(w, "baseAsset", base);
	jw_text(w, "quoteAsset", "USDT");
	jw_text(w, "marginAsset", "USDT");
	jw_int(w, "pricePrecision", m->maker.price_scale);
	jw_int(w, "quantityPrecision", m->maker.qty_scale);
	jw_int(w, "baseAssetPrecision", 8);
	jw_int(w, "quotePrecision", 8);
	jw_text(w, "underlyingType", "COIN");
	jw_text(w, "liquidationFee", "0.020000");
	write_filters(w, &m->maker);
	jw_end(w);
}

void answer_exchange_info(struct visit *v)
{
	struct buf b = {0};
	struct json_writer w = json_writer_on(&b);
	jw_object(&w, NULL);
	jw_text(&w, "timezone", "UTC");
	jw_int(&w, "serverTime", v->now_ms);
	jw_text(&w, "futuresType", "U_MARGINED");
	jw_array(&w, "rateLimits");
	write_limit(&w, "REQUEST_WEIGHT", "MINUTE", 1, v->sim->weight_limit);
	write_limit(&w, "ORDERS", "MINUTE", 1, 1200);
	write_limit(&w, "ORDERS", "SECOND", 10, 300);
	jw_end(&w);
	jw_array(&w, "exchangeFilters");
	jw_end(&w);
	jw_array(&w, "symbols");
	for (size_t i = 0; i < v->sim->n_symbols; i++) {
		if (v->sim->symbols[i].listed_ms <= v->data_ms)
			write_symbol(&w, &v->sim->symbols[i]);
	}
	jw_end(&w);
	jw_end(&w);
	reply_json(v, &b);
}

/* ---- klines ------------------------------------------------------------------------------------------------- */

static void write_price(struct buf *out, struct dec d, bool bare)
{
	char text[DEC_TEXT];
	dec_print(text, d);
	buf_addf(out, bare ? ",%s" : ",\"%s\"", text);
}

static void write_row(struct buf *out, const struct bar *b, const bool *faults)
{
	bool bare = faults[FAULT_numbers];
	buf_addf(out, "[%" PRId64, b->open_time);
	write_price(out, b->open, bare);
	write_price(out, b->high, bare);
	write_price(out, b->low, bare);
	write_price(out, b->close, bare);
	write_price(out, b->volume, false);
	buf_addf(out, ",%" PRId64, b->close_time);
	write_price(out, b->quote_volume, false);
	buf_addf(out, ",%" PRId64, b->trades);
	write_price(out, b->taker_base, false);
	write_price(out, b->taker_quote, false);
	buf_adds(out, faults[FAULT_short_row] ? "]" : ",\"0\"]");
}

struct range {
	const struct market_symbol *symbol;
	enum interval interval;
	int64_t from, to, limit;
	bool from_given;
};

/* A time parameter; false: answered with an error. */
static bool read_number(struct visit *v, const char *name, int64_t max, int64_t *out, bool *given_out)
{
	const char *text = http_query(v->request, name);
	*given_out = text && *text;
	if (!*given_out || str_int(text, INT64_MIN, max, out))
		return true;
	mandatory(v, name);
	return false;
}

static bool read_limit(struct visit *v, struct range *r)
{
	bool given;
	r->limit = 500;
	if (!read_number(v, "limit", INT64_MAX, &r->limit, &given))
		return false;
	if (r->limit >= 1 && r->limit <= SIM_LIMIT_MAX)
		return true;
	reply_error(v, 400, -1130, "Data sent for parameter 'limit' is not valid.");
	return false;
}

static bool read_range(struct visit *v, struct range *r)
{
	bool to_given;
	r->from = 0;
	r->to = INT64_MAX / 4;
	if (!read_limit(v, r) || !read_number(v, "startTime", INT64_MAX / 4, &r->from, &r->from_given) ||
	        !read_number(v, "endTime", INT64_MAX / 4, &r->to, &to_given))
		return false;
	if (r->from <= r->to)
		return true;
	reply_error(v, 400, -1023, "Start time is greater than end time.");
	return false;
}

static bool read_question(struct visit *v, struct range *r)
{
	const char *symbol = http_query(v->request, "symbol");
	const char *interval = http_query(v->request, "interval");
	if (!symbol || !*symbol || !interval || !*interval) {
		mandatory(v, symbol && *symbol ? "interval" : "symbol");
		return false;
	}
	if (!interval_of(interval, &r->interval)) {
		reply_error(v, 400, -1120, "Invalid interval.");
		return false;
	}
	r->symbol = market_symbol(v->sim, symbol);
	if (!r->symbol) {
		reply_error(v, 400, -1121, "Invalid symbol.");
		return false;
	}
	return read_range(v, r);
}

void answer_klines(struct visit *v)
{
	struct range r;
	struct buf b = {0};
	if (!read_question(v, &r))
		return;
	struct bar *rows = mem_array((size_t)r.limit, sizeof(*rows));
	size_t n = market_candles(v, r.symbol, r.interval, r.from, r.to, (size_t)r.limit, !r.from_given, rows);
	n = fault_rows(v, r.interval, rows, n, (size_t)r.limit);
	buf_addc(&b, '[');
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_addc(&b, ',');
		write_row(&b, &rows[i], v->faults);
	}
	buf_addc(&b, ']');
	mem_free(&rows);
	reply_json(v, &b);
}

/* ---- tickers ------------------------------------------------------------------------------------------------ */

static void write_percent(struct json_writer *w, const char *key, double from, double to)
{
	struct dec d = {(int64_t)((to - from) / from * 100000 + (to < from ? -0.5 : 0.5)), 3};
	jw_decimal(w, key, d);
}

static void write_ticker_day(struct json_writer *w, const struct visit *v, const struct market_symbol *m, const struct bar *b)
{
	struct dec change = {0, 0}, last_qty = {1, m->maker.qty_scale};
	if (!dec_sub(b->close, b->open, &change))
		change = (struct dec){0, 0};
	jw_object(w, NULL);
	jw_text(w, "symbol", m->name);
	jw_decimal(w, "priceChange", change);
	write_percent(w, "priceChangePercent", dec_double(b->open), dec_double(b->close));
	jw_decimal(w, "weightedAvgPrice", b->close);
	jw_decimal(w, "lastPrice", b->close);
	jw_decimal(w, "lastQty", last_qty);
	jw_decimal(w, "openPrice", b->open);
	jw_decimal(w, "highPrice", b->high);
	jw_decimal(w, "lowPrice", b->low);
	jw_decimal(w, "volume", b->volume);
	jw_decimal(w, "quoteVolume", b->quote_volume);
	jw_int(w, "openTime", v->now_ms - TIME_DAY);
	jw_int(w, "closeTime", v->now_ms);
	jw_int(w, "firstId", 1);
	jw_int(w, "lastId", b->trades);
	jw_int(w, "count", b->trades);
	jw_end(w);
}

static void write_ticker_price(struct json_writer *w, const struct visit *v, const struct market_symbol *m, const struct bar *b)
{
	jw_object(w, NULL);
	jw_text(w, "symbol", m->name);
	jw_decimal(w, "price", b->close);
	jw_int(w, "time", v->now_ms);
	jw_end(w);
}

typedef void ticker_writer(struct json_writer *w, const struct visit *v, const struct market_symbol *m, const struct bar *b);

/* Of one symbol an object, of all an array, as Binance does. */
static void answer_tickers(struct visit *v, ticker_writer *write)
{
	struct buf b = {0};
	struct json_writer w = json_writer_on(&b);
	struct bar day = {0};
	const char *name = http_query(v->request, "symbol");
	const struct market_symbol *one = name ? market_symbol(v->sim, name) : NULL;
	if (name && !one) {
		reply_error(v, 400, -1121, "Invalid symbol.");
		return;
	}
	if (one && market_day(v, one, &day))
		write(&w, v, one, &day);
	if (!one)
		jw_array(&w, NULL);
	for (size_t i = 0; !one && i < v->sim->n_symbols; i++) {
		if (market_day(v, &v->sim->symbols[i], &day))
			write(&w, v, &v->sim->symbols[i], &day);
	}
	if (!one)
		jw_end(&w);
	reply_json(v, &b);
}

void answer_ticker_day(struct visit *v)
{
	answer_tickers(v, write_ticker_day);
}

void answer_ticker_price(struct visit *v)
{
	answer_tickers(v, write_ticker_price);
}
