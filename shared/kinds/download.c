/* download.c -- one series: what is missing, page after page, and what the exchange does not have. */
#include "kinds/download.h"

#include <stdio.h>
#include <string.h>

#include "base/failpoint.h"

#define SETTLE_MS TIME_DAY /* an empty answer about times younger than this proves nothing */

struct gap {
	int64_t from, to; /* open times */
};

struct gaps {
	struct gap *items;
	size_t n, cap;
	struct arena *arena;
};

static void gap_add(struct gaps *g, int64_t from, int64_t to)
{
	if (from > to)
		return;
	if (g->n == g->cap) {
		size_t cap = g->cap < 16 ? 16 : g->cap * 2;
		struct gap *more = arena_array(g->arena, cap, sizeof(*more));
		if (g->n > 0)
			memcpy(more, g->items, g->n * sizeof(*more));
		g->items = more;
		g->cap = cap;
	}
	g->items[g->n++] = (struct gap){from, to};
}

/* The first open time at or after t. 3d has no fixed anchor without a stored bar: any time may be one. */
static int64_t align_up(enum interval iv, int64_t t, int64_t anchor)
{
	if (iv == INTERVAL_3d && anchor == 0)
		return t;
	int64_t floor = interval_floor(iv, t, anchor);
	return floor == t ? t : interval_next(iv, floor);
}

static void gap_cut(struct gaps *out, const struct gap *g, const struct gap *hole, enum interval iv)
{
	int64_t after = interval_next(iv, hole->to);
	if (hole->to < g->from || hole->from > g->to) {
		gap_add(out, g->from, g->to);
		return;
	}
	gap_add(out, g->from, hole->from - 1);
	gap_add(out, after > g->from ? after : g->from, g->to);
}

static bool gaps_without_absent(const struct download *d, const char *symbol, struct gaps *g, struct err *e)
{
	struct absent_range *absent;
	int n = g->n == 0 ? 0 : store_absent_list(d->store, symbol, d->interval, g->arena, &absent, e);
	if (n < 0)
		return false;
	for (int i = 0; i < n; i++) {
		struct gaps left = {.arena = g->arena};
		struct gap hole = {absent[i].from, absent[i].to};
		for (size_t k = 0; k < g->n; k++)
			gap_cut(&left, &g->items[k], &hole, d->interval);
		*g = left;
	}
	return true;
}

/* What of [from, to] is neither stored nor known to be absent. */
static bool gaps_find(const struct download *d, const char *symbol, struct gaps *g, int64_t *present_out, struct err *e)
{
	int64_t *times, at = d->from;
	size_t n;
	if (d->overwrite) {
		gap_add(g, d->from, d->to);
		return true;
	}
	if (!store_times_get(d->store, symbol, d->interval, d->from, d->to, g->arena, &times, &n, e))
		return false;
	*present_out = (int64_t)n;
	for (size_t i = 0; i < n; i++) {
		gap_add(g, align_up(d->interval, at, times[0]), times[i] - 1);
		at = interval_next(d->interval, times[i]);
	}
	gap_add(g, align_up(d->interval, at, n > 0 ? times[0] : 0), d->to);
	return gaps_without_absent(d, symbol, g, e);
}

/* ---- one gap */

struct page_state {
	const struct download *d;
	const char *symbol;
	struct download_result *result;
	int64_t left; /* bars still missing in this series, about */
	struct bar bars[EXCHANGE_PAGE];
};

int64_t download_count(const struct download *d)
{
	return d->to < d->from ? 0 : interval_count(d->interval, d->from, d->to);
}

static bool tell(const struct page_state *p, struct err *e)
{
	const struct download *d = p->d;
	int64_t each = download_count(d), total = each * (int64_t)d->n_series;
	int64_t done = each * (int64_t)d->i_series + (each > p->left ? each - p->left : 0);
	char note[100];
	snprintf(note, sizeof(note), "%s (%zu of %zu)", p->symbol, d->i_series + 1, d->n_series);
	if (!d->context->progress(d->context, done, total, "bars", note))
		return err_set(e, ERR_CANCELLED, "stopped at %s", note);
	return true;
}

static bool remember_absent(struct page_state *p, int64_t from, int64_t to, struct err *e)
{
	const struct download *d = p->d;
	int64_t settled = d->now_ms - SETTLE_MS;
	if (d->interval == INTERVAL_3d && p->result->inserted == 0)
		settled -= 3 * TIME_DAY; /* its anchor may not be known */
	to = to < settled ? to : settled;
	if (d->interval != INTERVAL_3d)
		from = align_up(d->interval, from, 0);
	if (from > to)
		return true;
	p->result->absent += interval_count(d->interval, from, interval_floor(d->interval, to, from));
	return store_absent_put(d->store, p->symbol, d->interval, from, to, e);
}

/* Holes before, between and (when the page ends the gap) after the bars of a page. */
static bool page_holes(struct page_state *p, int64_t from, int64_t to, int n, bool last, struct err *e)
{
	int64_t at = from;
	for (int i = 0; i < n; i++) {
		if (p->bars[i].open_time > at && !remember_absent(p, at, p->bars[i].open_time - 1, e))
			return false;
		at = interval_next(p->d->interval, p->bars[i].open_time);
	}
	return !last || at > to || remember_absent(p, at, to, e);
}

static bool page_store(struct page_state *p, int n, struct err *e)
{
	const struct download *d = p->d;
	struct store_writer who = {.job = d->context->job->id, .fence = d->context->job->fence};
	struct put_result put;
	if (n == 0)
		return true;
	FAILPOINT("download_before_put");
	if (!store_bars_put(d->store, p->symbol, d->interval, p->bars, (size_t)n, d->overwrite ? PUT_OVERWRITE : PUT_KEEP, &who, &put, e)) {
		/* A later claim has written: if ours is over, its end is refused anyway; if another job's, ours may go on after it. */
		return e->code == ERR_STALE
		               ? err_set(e, ERR_UNAVAILABLE, "another job is writing %s %s", p->symbol, interval_name(d->interval))
		               : false;
	}
	FAILPOINT("download_after_put");
	p->result->inserted += put.inserted;
	p->result->updated += put.updated;
	p->result->same += put.same;
	p->result->revision = put.revision;
	return true;
}

static bool gap_fill(struct page_state *p, const struct gap *g, struct err *e)
{
	const struct download *d = p->d;
	for (int64_t at = g->from; at <= g->to;) {
		int64_t want = interval_count(d->interval, at, g->to);
		int limit = want < EXCHANGE_PAGE ? (int)want : EXCHANGE_PAGE;
		if (!tell(p, e))
			return false;
		FAILPOINT("download_before_ask");
		int n = exchange_klines(d->exchange, p->symbol, d->interval, at, g->to, limit, p->bars, e);
		FAILPOINT("download_after_ask");
		if (n < 0)
			return false;
		bool last = n < limit || interval_next(d->interval, p->bars[n - 1].open_time) > g->to;
		if (!page_store(p, n, e) || !page_holes(p, at, g->to, n, last, e))
			return false;
		p->result->requested += n;
		int64_t next = last ? g->to + 1 : interval_next(d->interval, p->bars[n - 1].open_time);
		p->left -= last ? interval_count(d->interval, at, g->to) : interval_count(d->interval, at, next) - 1;
		at = next;
	}
	return true;
}

bool download_series(const struct download *d, const char *symbol, struct download_result *out, struct err *e)
{
	struct series series;
	struct gaps gaps = {.arena = arena_open()};
	struct page_state *p = arena_new(gaps.arena, sizeof(*p));
	memset(out, 0, sizeof(*out));
	p->d = d;
	p->symbol = symbol;
	p->result = out;
	bool ok = gaps_find(d, symbol, &gaps, &out->present, e);
	for (size_t i = 0; ok && i < gaps.n; i++)
		p->left += interval_count(d->interval, gaps.items[i].from, gaps.items[i].to);
	for (size_t i = 0; ok && i < gaps.n; i++)
		ok = gap_fill(p, &gaps.items[i], e);
	ok = ok && tell(p, e);
	int known = ok && out->revision == 0 ? store_series(d->store, symbol, d->interval, &series, e) : 0;
	if (known == 1)
		out->revision = series.revision;
	arena_close(&gaps.arena);
	return ok && known >= 0;
}
