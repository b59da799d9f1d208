/* exchange_private.h -- shared by the files of this folder: one asked question, the reading of answers, the private budget. */
#ifndef EXCHANGE_PRIVATE_H
#define EXCHANGE_PRIVATE_H

#include "base/json.h"
#include "exchange/exchange.h"
#include "http/client.h"

#define EXCHANGE_MINUTE TIME_MINUTE

/* The budget of a process that shares none: the exchange's calendar minute, told by the exchange's own clock. */
struct own_budget {
	int64_t offset_ms; /* server clock minus our monotonic clock */
	bool offset_known;
	int64_t minute, used, stop_until_ms; /* stop: monotonic */
};

struct exchange {
	char url[512]; /* without a final slash */
	struct exchange_budget budget;
	struct own_budget own;
	struct http_client *http;
	struct http_answer answer; /* reused */
	int64_t weight_limit;
	int64_t offset_ms, offset_at_ms; /* server minus monotonic, and when it was learnt; at 0: not known */
};

/* A question: read() turns the answer's text into the caller's things; server_ms is the exchange's clock at that answer. */
struct question {
	const char *path;  /* "/fapi/v1/klines" */
	const char *query; /* "symbol=..." or "" */
	int64_t weight;
	bool (*read)(void *user, const char *text, size_t len, int64_t server_ms, struct err *e);
	void *user;
};

/* exchange.c: book, ask, correct, retry what is temporary, read. */
bool exchange_ask(struct exchange *x, const struct question *q, struct err *e) MUST_CHECK;

/* exchange_budget.c */
struct exchange_budget own_budget_open(struct own_budget *own);
void own_budget_clock(struct own_budget *own, int64_t server_ms); /* what the exchange's clock showed just now */

int64_t own_budget_minute_left(const struct own_budget *own); /* ms until the exchange's minute turns; -1: its clock is not known yet */

/* exchange_parse.c: pure; every byte is hostile. */
enum err_code exchange_error(int status, const char *body, size_t len, struct err *e); /* fills e, returns e->code */
bool exchange_http_date(const char *text, int64_t *out_ms) MUST_CHECK;                 /* "Sun, 06 Nov 1994 08:49:37 GMT" */
bool exchange_read_time(const char *text, size_t len, int64_t *out, struct err *e) MUST_CHECK;
struct klines_page {
	const char *symbol;
	enum interval interval;
	int64_t from, to;
	int limit;
	struct bar *bars;
	int n;
};
/* Fills page->bars and page->n with the closed bars: close_time < server_ms. */
bool exchange_read_klines(struct klines_page *page, const char *text, size_t len, int64_t server_ms, struct err *e) MUST_CHECK;
/* *limit_out: the weight limit of a minute that the answer names; unchanged when it names none. */
int exchange_read_symbols(
        const char *text, size_t len, struct arena *a, struct exchange_symbol **out, int64_t *limit_out, struct err *e) MUST_CHECK;
int exchange_read_tickers(const char *text, size_t len, struct arena *a, struct exchange_ticker **out, struct err *e) MUST_CHECK;

#endif
