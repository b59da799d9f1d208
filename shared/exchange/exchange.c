/* exchange.c -- asking the exchange: book weight, ask, correct the budget, wait out limits, retry what is temporary. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "exchange/exchange_private.h"

#define SLICE_MS       200 /* cancellation is noticed within this while waiting */
#define TRIES          5   /* for temporary trouble, in one question */
#define TRIES_CORRUPT  2   /* an unreadable answer is asked for once more */
#define BACKOFF_MS     250 /* doubles up to BACKOFF_MAX_MS, plus up to half of it at random */
#define BACKOFF_MAX_MS 8000
#define WAIT_MAX_MS    (5 * TIME_MINUTE) /* a longer stop is the job's to wait for, not ours */
#define STOP_429_MS    TIME_MINUTE       /* without a Retry-After */
#define STOP_418_MS    (2 * TIME_MINUTE)
#define STOP_403_MS    (5 * TIME_MINUTE) /* the firewall names no time */
#define STOP_MAX_MS    (3 * TIME_DAY)
#define CLOCK_FRESH_MS (10 * TIME_MINUTE)
#define TIMEOUT_MS     20000
#define MARGIN         50  /* 1/50 of the limit stays free for requests that the ledgers see in different minutes */
#define EDGE_MS        400 /* nothing is asked so shortly before the exchange's minute turns: it might be counted in either */

struct exchange *exchange_open(const char *url, const struct exchange_budget *budget, struct err *e)
{
	struct exchange *x = mem_new(sizeof(*x));
	struct http_client_options o = {.timeout_ms = TIMEOUT_MS, .stall_timeout_ms = 8000, .max_body = (size_t)32 << 20};
	size_t len = strlen(url);
	while (len && url[len - 1] == '/')
		len--;
	if ((!str_starts(url, "http://") && !str_starts(url, "https://")) || !str_copy_n(x->url, sizeof(x->url), url, len)) {
		err_set(e, ERR_INVALID, "EXCHANGE_URL must be http://... or https://..., not \"%.100s\"", url);
		mem_free(&x);
		return NULL;
	}
	x->weight_limit = EXCHANGE_WEIGHT_LIMIT;
	x->budget = budget ? *budget : own_budget_open(&x->own);
	x->http = http_client_open(&o, e);
	if (!x->http)
		exchange_close(&x);
	return x;
}

void exchange_close(struct exchange **exchange)
{
	struct exchange *x = *exchange;
	if (!x)
		return;
	http_client_close(&x->http);
	http_answer_close(&x->answer);
	mem_free(exchange);
}

/* ---- waiting and booking ------------------------------------------------------------------------------------ */

static bool go_on(void *user)
{
	struct exchange *x = user;
	return !x->budget.go_on || x->budget.go_on(x->budget.user);
}

static bool wait_ms(struct exchange *x, int64_t ms, struct err *e)
{
	int64_t end = clock_mono_ms() + ms;
	for (;;) {
		if (!go_on(x))
			return err_set(e, ERR_CANCELLED, "stopped while waiting for the exchange");
		int64_t left = end - clock_mono_ms();
		if (left <= 0)
			return true;
		clock_sleep_ms(left < SLICE_MS ? left : SLICE_MS);
	}
}

/* Our ledger's minute and the exchange's may turn at slightly different times. */
static bool wait_edge(struct exchange *x, struct err *e)
{
	int64_t left = own_budget_minute_left(&x->own);
	return left < 0 || left > EDGE_MS || wait_ms(x, left + 1, e);
}

static int64_t patience(const struct exchange *x)
{
	return x->budget.patience_ms > 0 ? x->budget.patience_ms : WAIT_MAX_MS;
}

static bool book(struct exchange *x, int64_t weight, struct err *e)
{
	int64_t limit = x->weight_limit - x->weight_limit / MARGIN;
	for (;;) {
		int64_t ms = 0;
		if (!wait_edge(x, e))
			return false;
		int got = x->budget.take(x->budget.user, weight, limit, &ms, e);
		if (got < 0)
			return err_prefix(e, "the request budget");
		if (got > 0)
			return true;
		if (ms > patience(x)) {
			char span[TIME_TEXT];
			time_print_span(span, ms);
			e->retry_after_ms = ms;
			err_set(e, ERR_LIMITED, "the exchange lets nobody of this address ask for another %s", span);
			e->retry_after_ms = ms;
			return false;
		}
		if (!wait_ms(x, ms > 0 ? ms : SLICE_MS, e))
			return false;
	}
}

/* ---- what an answer says besides its body ------------------------------------------------------------------- */

static int64_t header_int(const struct http_answer *a, const char *name, int64_t fallback)
{
	char text[32];
	int64_t v;
	return http_answer_header(a, name, text, sizeof(text)) && str_int(text, 0, INT64_MAX / 2000, &v) ? v : fallback;
}

/* The exchange's clock at this answer: its Date header (whole seconds: never later than the truth). false: none. */
static bool answer_clock(struct exchange *x, int64_t *out)
{
	char text[64];
	if (!http_answer_header(&x->answer, "date", text, sizeof(text)) || !exchange_http_date(text, out))
		return false;
	own_budget_clock(&x->own, *out);
	return true;
}

static int64_t stop_of(const struct http_answer *a)
{
	int64_t otherwise = a->status == 429 ? STOP_429_MS : a->status == 418 ? STOP_418_MS : a->status == 403 ? STOP_403_MS : 0;
	if (!otherwise)
		return 0;
	int64_t s = header_int(a, "retry-after", -1);
	int64_t ms = s < 0 ? otherwise : s * 1000;
	ms = ms < 1000 ? 1000 : ms;
	return ms > STOP_MAX_MS ? STOP_MAX_MS : ms;
}

/* Tell the budget what the exchange counted, and stop everybody when it says stop. */
static bool correct(struct exchange *x, int64_t *stop_out, struct err *e)
{
	int64_t used = header_int(&x->answer, "x-mbx-used-weight-1m", 0);
	*stop_out = stop_of(&x->answer);
	if (!used && !*stop_out)
		return true;
	return x->budget.correct(x->budget.user, used, *stop_out, e) || err_prefix(e, "the request budget");
}

static bool read_time(void *user, const char *text, size_t len, int64_t server_ms, struct err *e)
{
	UNUSED(server_ms);
	return exchange_read_time(text, len, user, e);
}

/* The clock for an answer without a Date header: asked for at most every ten minutes. */
static bool asked_clock(struct exchange *x, int64_t *out, struct err *e)
{
	int64_t now = clock_mono_ms();
	if (!x->offset_at_ms || now - x->offset_at_ms > CLOCK_FRESH_MS) {
		int64_t server;
		if (!exchange_time(x, &server, e))
			return err_prefix(e, "the exchange's clock");
	}
	*out = clock_mono_ms() + x->offset_ms;
	return true;
}

/* ---- one question ------------------------------------------------------------------------------------------- */

static bool call(struct exchange *x, const struct question *q, struct err *e)
{
	struct buf url = {0};
	buf_addf(&url, "%s%s%s%s", x->url, q->path, q->query[0] ? "?" : "", q->query);
	struct http_call c = {.url = buf_text(&url), .go_on = go_on, .user = x};
	bool ok = http_client_call(x->http, &c, &x->answer, e);
	buf_close(&url);
	if (!ok && e->code == ERR_UNSURE) /* we only read: nothing was done, so it may simply be asked again */
		e->code = ERR_UNAVAILABLE;
	return ok || err_prefix(e, "the exchange at %.100s", x->url);
}

static bool ask_once(struct exchange *x, const struct question *q, struct err *e)
{
	int64_t stop_ms = 0, server_ms = 0;
	if (!book(x, q->weight, e) || !call(x, q, e))
		return false;
	bool clock_known = answer_clock(x, &server_ms);
	if (!correct(x, &stop_ms, e))
		return false;
	const struct buf *body = &x->answer.body;
	if (x->answer.status != 200) {
		exchange_error(x->answer.status, buf_text(body), body->len, e);
		e->retry_after_ms = stop_ms;
		return false;
	}
	if (clock_known || q->read == read_time)
		return q->read(q->user, buf_text(body), body->len, server_ms, e);
	struct buf kept = *body; /* asking for the time uses the answer again */
	x->answer.body = (struct buf){0};
	bool ok = asked_clock(x, &server_ms, e) && q->read(q->user, buf_text(&kept), kept.len, server_ms, e);
	buf_close(&kept);
	return ok;
}

static int64_t backoff(int tries)
{
	uint32_t r;
	int64_t ms = tries < 6 ? (int64_t)BACKOFF_MS << (tries - 1) : BACKOFF_MAX_MS;
	digest_random(&r, sizeof(r));
	ms = ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS;
	return ms + r % (ms / 2);
}

bool exchange_ask(struct exchange *x, const struct question *q, struct err *e)
{
	for (int tries = 1;; tries++) {
		*e = (struct err){0};
		if (ask_once(x, q, e))
			return true;
		int allowed = e->code == ERR_CORRUPT ? TRIES_CORRUPT : err_is_temporary(e->code) ? TRIES : 1;
		if (tries >= allowed || e->retry_after_ms > patience(x) - 1)
			return false;
		if (e->retry_after_ms) /* the budget is stopped for everybody: booking waits it out */
			continue;
		struct err stopped;
		if (!wait_ms(x, backoff(tries), &stopped)) {
			*e = stopped;
			return false;
		}
	}
}

bool exchange_time(struct exchange *x, int64_t *server_ms_out, struct err *e)
{
	struct question q = {.path = "/fapi/v1/time", .query = "", .weight = 1, .read = read_time, .user = server_ms_out};
	if (!exchange_ask(x, &q, e))
		return false;
	x->offset_at_ms = clock_mono_ms();
	x->offset_ms = *server_ms_out - x->offset_at_ms;
	return true;
}
