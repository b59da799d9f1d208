/* route_kline.c -- GET /api/kline/{interval}/{symbol}: stored candles, paged from the newest, in the origin's shape.
 *
 * A page of many rows is streamed window by window, so that a year of minutes costs no more memory than a day. The stream reads
 * what is stored when it comes there: a download at the same time may change rows that were counted at the beginning.
 */
#include <string.h>

#include "api/context.h"
#include "api/input.h"
#include "api/kline_json.h"
#include "api/kline_range.h"
#include "api/reply.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"

#define AT_ONCE 10000 /* rows of a page that are answered from one buffer */
#define WINDOW  4000  /* bars read at a time in a stream */

struct page {
	struct call *call;
	struct store *store;
	const char *symbol, *interval_text;
	enum interval interval;
	struct series series;
	struct kline_range range;
	int64_t limit, offset; /* limit -1: all */
	int64_t total, count;
};

struct stream {
	const char *store_url;
	struct store *store; /* its own: the server's threads may change between two windows */
	char symbol[SYMBOL_SIZE];
	enum interval interval;
	int64_t next, last; /* open times */
	struct bar before;
	bool has_before, begun;
	struct buf head;
	struct arena *arena;
};

static void head_write(const struct page *p, struct buf *b)
{
	struct json_writer w = json_writer_on(b);

	jw_object(&w, NULL);
	jw_text(&w, "symbol", p->symbol);
	jw_text(&w, "interval", p->interval_text);
	jw_int(&w, "count", p->count);
	jw_int(&w, "total_count", p->total);
	buf_adds(b, ",\"data\":[");
}

/* The origin tells a symbol without a table, and a table without rows, from a range without rows. */
static void reply_nothing(struct page *p, bool known)
{
	struct buf body = {0};
	struct json_writer w = json_writer_on(&body);

	jw_object(&w, NULL);
	jw_text(&w, "symbol", p->symbol);
	jw_text(&w, "interval", p->interval_text);
	jw_int(&w, "count", 0);
	jw_array(&w, "data");
	jw_end(&w);
	if (!known)
		jw_text(&w, "message",
		        arena_printf(p->call->arena, "交易对 %s 在 %s 间隔下暂无数据，请先下载数据", p->symbol, p->interval_text));
	jw_end(&w);
	reply_json(p->call, 200, &body);
}

/* The stored bar before t: 1, 0 there is none, -1. */
static int bar_before(struct store *s, const char *symbol, enum interval iv, int64_t t, struct arena *a, struct bar *out, struct err *e)
{
	struct bar *bars;
	size_t n;
	int64_t total;

	if (t <= 0)
		return 0;
	if (!store_bars_page(s, symbol, iv, 0, t - 1, 1, 0, a, &bars, &n, &total, e))
		return -1;
	if (n > 0)
		*out = bars[n - 1];
	return n > 0;
}

/* ---- one buffer ---------------------------------------------------------------------------------------------- */

static void reply_at_once(struct page *p)
{
	struct call *c = p->call;
	struct buf body = {0};
	struct bar *bars, before;
	size_t n;
	struct err e = {0};

	if (!store_bars_page(p->store, p->symbol, p->interval, p->range.from, p->range.to, p->limit, p->offset, c->arena, &bars, &n,
	            &p->total, &e)) {
		reply_err(c, &e, NULL);
		return;
	}
	int got = n ? bar_before(p->store, p->symbol, p->interval, bars[0].open_time, c->arena, &before, &e) : 0;
	if (got < 0) {
		reply_err(c, &e, NULL);
		return;
	}
	p->count = (int64_t)n;
	head_write(p, &body);
	kline_json(&body, p->interval, got ? &before : NULL, bars, n);
	buf_adds(&body, "]}");
	reply_json(c, 200, &body);
}

/* ---- a stream ------------------------------------------------------------------------------------------------ */

static int64_t window_end(const struct stream *s)
{
	int64_t end = s->next;

	for (int i = 0; i < WINDOW && end <= s->last; i++)
		end = interval_next(s->interval, end);
	return end - 1 < s->last ? end - 1 : s->last;
}

static bool window_write(struct stream *s, struct buf *b, struct err *e)
{
	struct bar *bars;
	size_t n;
	int64_t to = window_end(s);

	arena_reset(s->arena);
	if (!store_bars_get(s->store, s->symbol, s->interval, s->next, to, s->arena, &bars, &n, NULL, e))
		return false;
	if (n > 0) {
		if (s->begun)
			buf_addc(b, ',');
		kline_json(b, s->interval, s->has_before ? &s->before : NULL, bars, n);
		s->before = bars[n - 1];
		s->has_before = s->begun = true;
	}
	s->next = to + 1;
	return true;
}

/* False without the closing brackets cuts the answer: the client's parser then says that it is not whole. */
static bool stream_more(void *user, struct buf *b)
{
	struct stream *s = user;
	struct err e = {0};

	buf_add(b, buf_text(&s->head), s->head.len);
	buf_clear(&s->head);
	if (!s->store)
		s->store = store_open(s->store_url, &e);
	bool ok = s->store != NULL;
	for (size_t was = b->len; ok && s->next <= s->last && b->len == was;)
		ok = window_write(s, b, &e); /* over holes of any length */
	if (!ok)
		log_warn("an answer of candles was cut: %s", e.text);
	if (ok && s->next > s->last)
		buf_adds(b, "]}");
	return ok && s->next <= s->last;
}

static void stream_closed(void *user)
{
	struct stream *s = user;

	store_close(&s->store);
	buf_close(&s->head);
	arena_close(&s->arena);
	mem_free(&s);
}

/* The page's first and last open time; false with e. */
static bool page_ends(struct page *p, struct stream *s, struct err *e)
{
	struct arena *a = p->call->arena;
	struct bar *bars;
	size_t n;
	int64_t total;

	if (!store_bars_page(p->store, p->symbol, p->interval, p->range.from, p->range.to, 1, p->offset, a, &bars, &n, &total, e))
		return false;
	s->last = n ? bars[0].open_time : -1;
	if (!store_bars_page(
	            p->store, p->symbol, p->interval, p->range.from, p->range.to, 1, p->offset + p->count - 1, a, &bars, &n, &total, e))
		return false;
	s->next = n ? bars[0].open_time : 0;
	int got = bar_before(p->store, p->symbol, p->interval, s->next, a, &s->before, e);
	s->has_before = got > 0;
	return got >= 0;
}

static void reply_streamed(struct page *p)
{
	struct stream *s = mem_new(sizeof *s);
	struct err e = {0};

	s->store_url = p->call->api->store_url;
	s->interval = p->interval;
	s->arena = arena_open();
	if (!str_copy(s->symbol, sizeof s->symbol, p->symbol) || !page_ends(p, s, &e)) {
		stream_closed(s);
		reply_err(p->call, &e, NULL);
		return;
	}
	head_write(p, &s->head);
	reply_count(p->call, 200);
	http_reply_stream(p->call->r, 200, "application/json", stream_more, stream_closed, s);
}

/* ---- the route ----------------------------------------------------------------------------------------------- */

/* Fills total and count without reading a bar. */
static bool page_count(struct page *p, struct err *e)
{
	struct bar *bars;
	size_t n;

	if (!store_bars_page(p->store, p->symbol, p->interval, p->range.from, p->range.to, 0, 0, p->call->arena, &bars, &n, &p->total, e))
		return false;
	p->count = p->total > p->offset ? p->total - p->offset : 0;
	if (p->limit >= 0 && p->limit < p->count)
		p->count = p->limit;
	return true;
}

static void reply_page(struct page *p)
{
	struct err e = {0};

	if (!page_count(p, &e))
		reply_err(p->call, &e, NULL);
	else if (p->count <= AT_ONCE)
		reply_at_once(p);
	else
		reply_streamed(p);
}

void route_kline(struct call *c)
{
	struct page p = {.call = c, .symbol = call_param(c, "symbol"), .interval_text = call_param(c, "interval")};
	struct err e = {0};
	int known = 0;

	if (!input_query_int(c, "limit", 0, INT32_MAX, -1, &p.limit) || !input_query_int(c, "offset", 0, INT32_MAX, 0, &p.offset))
		return;
	p.range = kline_range_of(http_query(c->r, "start_date"), http_query(c->r, "end_date"), clock_now_ms());
	p.store = call_store(c);
	if (!p.store)
		return;
	if (symbol_ok(p.symbol) && interval_of(p.interval_text, &p.interval))
		known = store_series(p.store, p.symbol, p.interval, &p.series, &e);
	if (known < 0)
		reply_err(c, &e, NULL);
	else if (known == 0 || p.series.rows == 0)
		reply_nothing(&p, known > 0);
	else
		reply_page(&p);
}
