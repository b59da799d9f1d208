/* exchange_parse.c -- reading the exchange's answers: pure, strict, and every byte of them is hostile until checked. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "exchange/exchange_private.h"

#define KLINE_FIELDS 12
#define MSG_MAX      160

/* ---- errors ------------------------------------------------------------------------------------------------- */

static bool code_class(int64_t code, enum err_code *out)
{
	static const struct {
		int64_t code;
		enum err_code class;
	} table[] = {
#define EXCHANGE_ERROR(code, class) {code, class},
#include "exchange/exchange_errors.def"
#undef EXCHANGE_ERROR
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (table[i].code == code) {
			*out = table[i].class;
			return true;
		}
	}
	return false;
}

struct status_class {
	int from, to;
	enum err_code class;
	bool wins; /* over the code in the body */
	const char *what;
};

static const struct status_class *status_class(int status)
{
	static const struct status_class table[] = {
	        {403, 403, ERR_LIMITED, true, "its firewall refuses this address for now"},
	        {408, 408, ERR_UNAVAILABLE, false, "it gave up waiting"},
	        {418, 418, ERR_LIMITED, true, "this address is banned for a while"},
	        {429, 429, ERR_LIMITED, true, "too many requests"},
	        {451, 451, ERR_DENIED, true, "it does not serve this region"},
	        {500, 599, ERR_UNAVAILABLE, false, "it has trouble"},
	        {400, 499, ERR_INVALID, false, "it refused the request"},
	};
	static const struct status_class other = {0, 0, ERR_CORRUPT, true, "that is no answer of the exchange"};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (status >= table[i].from && status <= table[i].to)
			return &table[i];
	}
	return &other;
}

/* The exchange's own words, made fit for one line of a log. */
static void words_of(const struct json *body, char out[MSG_MAX])
{
	const char *msg = json_get_text(body, "msg", "");
	size_t n = 0;
	for (; msg[n] && n + 1 < MSG_MAX; n++)
		out[n] = (unsigned char)msg[n] < ' ' || msg[n] == 0x7f ? ' ' : msg[n];
	while (msg[n] && n && ((unsigned char)msg[n] & 0xC0) == 0x80)
		n--; /* never half a character */
	out[n] = '\0';
}

enum err_code exchange_error(int status, const char *body, size_t len, struct err *e)
{
	const struct status_class *s = status_class(status);
	struct err ignored; /* many errors have no JSON body; the status says enough */
	struct json *j = json_parse(body, len, &ignored);
	int64_t code = json_get_int(j, "code", 0);
	enum err_code class = s->class;
	char words[MSG_MAX];
	if (!s->wins && !code_class(code, &class))
		class = s->class;
	words_of(j, words);
	if (code)
		err_set(e, class, "the exchange answered %d, code %" PRId64 ": %s", status, code, words[0] ? words : s->what);
	else
		err_set(e, class, "the exchange answered %d: %s", status, s->what);
	json_close(&j);
	return class;
}

/* ---- small things ------------------------------------------------------------------------------------------- */

static bool digits_at(const char *s, int n, int *out)
{
	*out = 0;
	for (int i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		*out = *out * 10 + (s[i] - '0');
	}
	return true;
}

/* The one form that RFC 9110 lets senders write; offsets as in "Sun, 06 Nov 1994 08:49:37 GMT". */
bool exchange_http_date(const char *text, int64_t *out_ms)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct time_civil c = {0};
	char month[4] = "";
	if (strlen(text) != 29 || memcmp(text + 3, ", ", 2) || text[7] != ' ' || text[11] != ' ' || text[19] != ':' || text[22] != ':' ||
	        strcmp(text + 25, " GMT"))
		return false;
	memcpy(month, text + 8, 3);
	const char *m = strstr(months, month);
	if (!m || (m - months) % 3)
		return false;
	c.month = (int)(m - months) / 3 + 1;
	if (!digits_at(text + 5, 2, &c.day) || !digits_at(text + 12, 4, &c.year) || !digits_at(text + 17, 2, &c.hour) ||
	        !digits_at(text + 20, 2, &c.minute) || !digits_at(text + 23, 2, &c.second))
		return false;
	if (c.day < 1 || c.day > 31 || c.hour > 23 || c.minute > 59 || c.second > 60 || c.year < 1970)
		return false;
	*out_ms = time_from_civil(&c);
	return true;
}

bool exchange_read_time(const char *text, size_t len, int64_t *out, struct err *e)
{
	struct json *j = json_parse(text, len, e);
	bool ok = j && json_int(json_get(j, "serverTime"), out) && *out > 0;
	json_close(&j);
	return ok || err_set(e, ERR_CORRUPT, "the exchange's time is no number");
}

static bool read_dec(const struct json *j, struct dec *out)
{
	const char *text = json_text(j);
	return text && dec_parse_s(text, out);
}

static struct json *parse(const char *text, size_t len, enum json_type type, const char *what, struct err *e)
{
	struct json *j = json_parse(text, len, e);
	if (!j) {
		e->code = ERR_CORRUPT;
		err_prefix(e, "the exchange's %s are no JSON", what);
	} else if (!json_is(j, type)) {
		json_close(&j);
		err_set(e, ERR_CORRUPT, "the exchange's %s are not what it documents", what);
	}
	return j;
}

/* ---- candles ------------------------------------------------------------------------------------------------ */

/* One row by position: numbers where Binance writes numbers, strings where it writes strings. */
static bool read_row(const struct json *row, struct bar *b, struct err *e)
{
	struct {
		int64_t *number;
		struct dec *decimal;
	} fields[KLINE_FIELDS] = {
	        {.number = &b->open_time},
	        {.decimal = &b->open},
	        {.decimal = &b->high},
	        {.decimal = &b->low},
	        {.decimal = &b->close},
	        {.decimal = &b->volume},
	        {.number = &b->close_time},
	        {.decimal = &b->quote_volume},
	        {.number = &b->trades},
	        {.decimal = &b->taker_base},
	        {.decimal = &b->taker_quote},
	        {.decimal = &b->unused},
	};
	const struct json *c = json_is(row, JSON_ARRAY) ? json_first(row) : NULL;
	for (size_t i = 0; i < KLINE_FIELDS; i++, c = json_next(c)) {
		if (!c)
			return err_set(e, ERR_CORRUPT, "it has %zu fields, not %d", i, KLINE_FIELDS);
		if (fields[i].number ? !json_int(c, fields[i].number) : !read_dec(c, fields[i].decimal))
			return err_set(
			        e, ERR_CORRUPT, "field %zu is not a %s", i + 1, fields[i].number ? "whole number" : "decimal in a string");
	}
	return !c || err_set(e, ERR_CORRUPT, "it has more than %d fields", KLINE_FIELDS);
}

static bool check_row(const struct klines_page *p, const struct bar *b, int64_t previous, struct err *e)
{
	if (b->open_time == previous)
		return err_set(e, ERR_CORRUPT, "its open time stands there twice");
	if (b->open_time < previous)
		return err_set(e, ERR_CORRUPT, "it is older than the one before it");
	if (b->open_time < p->from || b->open_time > p->to)
		return err_set(e, ERR_CORRUPT, "it lies outside of the range that was asked for");
	return bar_check(b, p->interval, e);
}

static bool read_rows(struct klines_page *p, const struct json *rows, int64_t server_ms, struct err *e)
{
	int64_t previous = INT64_MIN;
	int row = 0;
	for (const struct json *c = json_first(rows); c; c = json_next(c), row++) {
		struct bar b = {0};
		if (row >= p->limit)
			return err_set(e, ERR_CORRUPT, "more candles came than the %d that were asked for", p->limit);
		if (!read_row(c, &b, e) || !check_row(p, &b, previous, e)) {
			e->code = ERR_CORRUPT;
			return err_prefix(e, "candle %d of the answer", row + 1);
		}
		previous = b.open_time;
		if (b.close_time < server_ms)
			p->bars[p->n++] = b;
	}
	return true;
}

bool exchange_read_klines(struct klines_page *page, const char *text, size_t len, int64_t server_ms, struct err *e)
{
	page->n = 0;
	struct json *rows = parse(text, len, JSON_ARRAY, "candles", e);
	bool ok = rows && read_rows(page, rows, server_ms, e);
	json_close(&rows);
	return ok;
}

/* ---- what is traded ----------------------------------------------------------------------------------------- */

/* A filter's decimal: scale -1 when the exchange does not name it, false when it names nonsense. */
static bool read_filter(const struct json *filter, const char *key, struct dec *out)
{
	const struct json *j = json_get(filter, key);
	if (!j)
		return true;
	return read_dec(j, out) && dec_sign(*out) >= 0;
}

static bool read_filters(const struct json *filters, struct exchange_symbol *s)
{
	const struct dec unsaid = {0, -1};
	s->tick = s->step = s->min_qty = s->min_notional = unsaid;
	for (const struct json *f = json_first(filters); f; f = json_next(f)) {
		const char *type = json_get_text(f, "filterType", "");
		bool ok = true;
		if (str_eq(type, "PRICE_FILTER"))
			ok = read_filter(f, "tickSize", &s->tick);
		else if (str_eq(type, "LOT_SIZE"))
			ok = read_filter(f, "stepSize", &s->step) && read_filter(f, "minQty", &s->min_qty);
		else if (str_eq(type, "MIN_NOTIONAL"))
			ok = read_filter(f, "notional", &s->min_notional);
		if (!ok)
			return false;
	}
	return true;
}

/* 1: one of ours; 0: not (another quote asset, or a name that we could not store); -1: corrupt. */
static int read_symbol(const struct json *j, struct exchange_symbol *s, struct err *e)
{
	const char *name = json_get_text(j, "symbol", "");
	if (!symbol_ok(name) || !str_ends(name, "USDT") || !str_copy(s->symbol, sizeof(s->symbol), name))
		return 0;
	s->onboard_at = json_get_int(j, "onboardDate", 0);
	if (!str_copy(s->status, sizeof(s->status), json_get_text(j, "status", "")) ||
	        !str_copy(s->contract, sizeof(s->contract), json_get_text(j, "contractType", "")) || !s->status[0])
		return err_fail(e, ERR_CORRUPT, "the exchange's status of %s is missing or too long", name);
	if (!read_filters(json_get(j, "filters"), s))
		return err_fail(e, ERR_CORRUPT, "a filter of %s is not a decimal", name);
	return 1;
}

static void read_limit(const struct json *limits, int64_t *out)
{
	for (const struct json *l = json_first(limits); l; l = json_next(l)) {
		int64_t n = json_get_int(l, "limit", 0);
		if (str_eq(json_get_text(l, "rateLimitType", ""), "REQUEST_WEIGHT") && str_eq(json_get_text(l, "interval", ""), "MINUTE") &&
		        json_get_int(l, "intervalNum", 0) == 1 && n > 0)
			*out = n;
	}
}

int exchange_read_symbols(const char *text, size_t len, struct arena *a, struct exchange_symbol **out, int64_t *limit_out, struct err *e)
{
	int n = 0;
	struct json *j = parse(text, len, JSON_OBJECT, "symbols", e);
	if (!j)
		return -1;
	const struct json *list = json_get(j, "symbols");
	if (!json_is(list, JSON_ARRAY))
		n = err_fail(e, ERR_CORRUPT, "the exchange's answer names no symbols");
	*out = arena_array(a, json_count(list) + 1, sizeof(**out));
	for (const struct json *c = json_first(list); c && n >= 0; c = json_next(c)) {
		int got = read_symbol(c, &(*out)[n], e);
		n = got < 0 ? -1 : n + got;
	}
	if (n >= 0)
		read_limit(json_get(j, "rateLimits"), limit_out);
	json_close(&j);
	return n;
}

static int read_ticker(const struct json *j, struct exchange_ticker *t, struct err *e)
{
	const char *name = json_get_text(j, "symbol", "");
	if (!symbol_ok(name) || !str_copy(t->symbol, sizeof(t->symbol), name))
		return 0;
	if (!read_dec(json_get(j, "priceChangePercent"), &t->change_percent) || !read_dec(json_get(j, "lastPrice"), &t->last) ||
	        !read_dec(json_get(j, "openPrice"), &t->open) || !read_dec(json_get(j, "highPrice"), &t->high) ||
	        !read_dec(json_get(j, "lowPrice"), &t->low) || !read_dec(json_get(j, "volume"), &t->volume))
		return err_fail(e, ERR_CORRUPT, "the ticker of %s lacks a decimal", name);
	return 1;
}

int exchange_read_tickers(const char *text, size_t len, struct arena *a, struct exchange_ticker **out, struct err *e)
{
	int n = 0;
	struct json *j = parse(text, len, JSON_ARRAY, "tickers", e);
	if (!j)
		return -1;
	*out = arena_array(a, json_count(j) + 1, sizeof(**out));
	for (const struct json *c = json_first(j); c && n >= 0; c = json_next(c)) {
		int got = read_ticker(c, &(*out)[n], e);
		n = got < 0 ? -1 : n + got;
	}
	json_close(&j);
	return n;
}
