/* store_write.c -- changing candles: merge into the chunks that are touched, and write them with their event as one change. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "store/store_private.h"

/* A change in the making, between the driver's begin and commit. */
struct writing {
	struct store *s;
	const struct store_writer *who;
	struct arena *arena;
	struct change change;
	size_t puts_room, deletes_room;
	struct bar *old, *merged; /* CHUNK_MAX and 2 * CHUNK_MAX */
	int64_t from, to;         /* open times of the first and last bar that changed */
	int64_t inserted, updated, same, deleted;
};

static struct series *series_of(struct writing *w)
{
	return &w->change.state.series;
}

/* Begin and read the series; it may be new. */
static bool write_begin(
        struct writing *w, struct store *s, const char *symbol, enum interval iv, const struct store_writer *who, struct err *e)
{
	*w = (struct writing){.s = s, .who = who, .from = INT64_MAX, .to = INT64_MIN};
	if (!symbol_ok(symbol))
		return err_set(e, ERR_INVALID, "this cannot be the name of a symbol");
	if (!s->driver->begin(s->db, true, e))
		return false;
	struct series_state *state = &w->change.state;
	bool ok = s->driver->series(s->db, symbol, iv, state, e) >= 0;
	if (ok && who->fence > 0 && who->fence < state->fence)
		ok = err_set(e, ERR_STALE, "%s %s was written under fence %lld; this job holds %lld and has lost its lease", symbol,
		        interval_name(iv), (long long)state->fence, (long long)who->fence);
	if (!ok) {
		s->driver->end(s->db);
		return false;
	}
	bool fits = str_copy(state->series.symbol, sizeof state->series.symbol, symbol);
	assert(fits); /* symbol_ok */
	state->series.interval = iv;
	w->arena = arena_open();
	w->old = arena_array(w->arena, CHUNK_MAX, sizeof *w->old);
	w->merged = arena_array(w->arena, 2 * (size_t)CHUNK_MAX, sizeof *w->merged);
	return true;
}

static void write_abandon(struct writing *w)
{
	w->s->driver->end(w->s->db);
	arena_close(&w->arena);
}

static void changed(struct writing *w, int64_t open_time)
{
	w->from = open_time < w->from ? open_time : w->from;
	w->to = open_time > w->to ? open_time : w->to;
}

/* ---- the event ------------------------------------------------------------------------------------------------------ */

/* Random, so that it is unique for ever, also when a database is restored from an older copy. */
static void new_event_id(char out[64])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char random[16];
	digest_random(random, sizeof random);
	for (size_t i = 0; i < sizeof random; i++) {
		out[2 * i] = hex[random[i] >> 4];
		out[2 * i + 1] = hex[random[i] & 15];
	}
	out[2 * sizeof random] = 0;
}

static void write_event_data(const struct writing *w, bool deleting, struct buf *out)
{
	const struct series *series = &w->change.state.series;
	struct json_writer j = json_writer_on(out);
	jw_object(&j, NULL);
	jw_text(&j, "exchange", EVENT_EXCHANGE);
	jw_text(&j, "symbol", series->symbol);
	jw_text(&j, "interval", interval_name(series->interval));
	jw_int(&j, "from", w->from);
	jw_int(&j, "to", w->to);
	jw_int(&j, "rows", deleting ? w->deleted : w->inserted + w->updated);
	if (deleting) {
		jw_int(&j, "deleted", w->deleted);
	} else {
		jw_int(&j, "inserted", w->inserted);
		jw_int(&j, "updated", w->updated);
	}
	jw_int(&j, "revision", series->revision);
	jw_int(&j, "fence", w->who->fence);
	jw_text(&j, "job", w->who->job ? w->who->job : "");
	jw_end(&j);
}

/* Stamp the series, tell of it, commit. Ends the writing in any case. */
static bool write_commit(struct writing *w, bool deleting, struct err *e)
{
	struct series_state *state = &w->change.state;
	struct outbox_row event = {.topic = EVENT_TOPIC};
	struct buf data = {0};
	state->series.revision++;
	state->series.updated_at = clock_now_ms();
	state->fence = w->who->fence > state->fence ? w->who->fence : state->fence;
	write_event_data(w, deleting, &data);
	bool fits = str_copy(event.type, sizeof event.type, deleting ? "kline.range.deleted.v1" : "kline.range.updated.v1");
	assert(fits);
	snprintf(event.key, sizeof event.key, "%s|%s|%s", EVENT_EXCHANGE, state->series.symbol, interval_name(state->series.interval));
	new_event_id(event.id);
	event.time_ms = state->series.updated_at;
	event.data = buf_text(&data);
	w->change.event = &event;
	bool ok = w->s->driver->commit(w->s->db, &w->change, e);
	buf_close(&data);
	arena_close(&w->arena);
	return ok;
}

/* ---- chunks of the change -------------------------------------------------------------------------------------------- */

static void *room_for(struct arena *a, void *old, size_t n, size_t *room, size_t size)
{
	if (n < *room)
		return old;
	*room = *room ? 2 * *room : 8;
	void *wider = arena_array(a, *room, size);
	if (n)
		memcpy(wider, old, n * size);
	return wider;
}

static void add_delete(struct writing *w, int64_t start)
{
	struct change *c = &w->change;
	int64_t *deletes = room_for(w->arena, (void *)(uintptr_t)c->deletes, c->n_deletes, &w->deletes_room, sizeof *deletes);
	deletes[c->n_deletes++] = start;
	c->deletes = deletes;
}

static bool add_put(struct writing *w, int64_t start, const struct bar *bars, size_t n, struct err *e)
{
	struct change *c = &w->change;
	struct buf blob = {0};
	if (!chunk_encode(bars, n, series_of(w)->interval, &blob, e)) {
		buf_close(&blob);
		return store_chunk_blame(series_of(w), start, e);
	}
	struct chunk_row *puts = room_for(w->arena, (void *)(uintptr_t)c->puts, c->n_puts, &w->puts_room, sizeof *puts);
	puts[c->n_puts++] = (struct chunk_row){.start = start,
	        .rows = (int64_t)n,
	        .first = bars[0].open_time,
	        .last = bars[n - 1].open_time,
	        .revision = series_of(w)->revision + 1,
	        .checksum = chunk_checksum(blob.data, blob.len),
	        .blob = memcpy(arena_new(w->arena, blob.len), blob.data, blob.len),
	        .size = blob.len};
	c->puts = puts;
	buf_close(&blob);
	return true;
}

/* The bars of one chunk into w->old; 0 when there is none yet, -1 failed. */
static int old_bars(struct writing *w, int64_t start, struct err *e)
{
	struct chunk_row *found;
	if (!series_of(w)->id)
		return 0;
	int n = w->s->driver->chunks(w->s->db, series_of(w)->id, start, start, w->arena, &found, e);
	return n <= 0 ? n : store_chunk_bars(w->s, series_of(w), found, w->old, e);
}

/* ---- put -------------------------------------------------------------------------------------------------------------- */

/* One bar that stands twice: which one stays. */
static const struct bar *choose(struct writing *w, const struct bar *old, const struct bar *new, enum put_mode mode)
{
	if (bar_equal(old, new)) {
		w->same++;
		return old;
	}
	if (mode == PUT_KEEP)
		return old;
	w->updated++;
	changed(w, new->open_time);
	return new;
}

/* Merge new bars of one window with the n_old of w->old into w->merged; returns the count. */
static size_t merge(struct writing *w, size_t n_old, const struct bar *bars, size_t n, enum put_mode mode)
{
	size_t i = 0, j = 0, k = 0;
	while (i < n_old || j < n) {
		if (j == n || (i < n_old && w->old[i].open_time < bars[j].open_time)) {
			w->merged[k++] = w->old[i++];
		} else if (i == n_old || bars[j].open_time < w->old[i].open_time) {
			w->inserted++;
			changed(w, bars[j].open_time);
			w->merged[k++] = bars[j++];
		} else {
			w->merged[k++] = *choose(w, &w->old[i++], &bars[j++], mode);
		}
	}
	return k;
}

static bool put_window(struct writing *w, int64_t start, const struct bar *bars, size_t n, enum put_mode mode, struct err *e)
{
	if (n > CHUNK_MAX)
		return err_set(e, ERR_INVALID, "%zu candles lie where at most %d can", n, CHUNK_MAX);
	int n_old = old_bars(w, start, e);
	if (n_old < 0)
		return false;
	int64_t before = w->inserted + w->updated;
	size_t merged = merge(w, (size_t)n_old, bars, n, mode);
	return w->inserted + w->updated == before || add_put(w, start, w->merged, merged, e);
}

static bool put_windows(struct writing *w, const struct bar *bars, size_t n, enum put_mode mode, struct err *e)
{
	enum interval iv = series_of(w)->interval;
	for (size_t i = 0, j; i < n; i = j) {
		int64_t start = chunk_start(iv, bars[i].open_time), end = chunk_end(iv, bars[i].open_time);
		for (j = i; j < n && bars[j].open_time < end;)
			j++;
		if (!put_window(w, start, bars + i, j - i, mode, e))
			return false;
	}
	return true;
}

static bool ascending(const struct bar *bars, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (bars[i].open_time < 0 || bars[i].open_time > BAR_TIME_LAST || (i && bars[i].open_time <= bars[i - 1].open_time))
			return err_set(e, ERR_INVALID, "candle %zu of %zu is out of order: it opens at %lld", i + 1, n,
			        (long long)bars[i].open_time);
	return true;
}

static void widen(struct series *s, const struct writing *w)
{
	if (w->inserted == 0)
		return;
	s->first = s->rows == 0 || w->from < s->first ? w->from : s->first;
	s->last = s->rows == 0 || w->to > s->last ? w->to : s->last;
	s->rows += w->inserted;
}

bool store_bars_put(struct store *s, const char *symbol, enum interval iv, const struct bar *bars, size_t n, enum put_mode mode,
        const struct store_writer *who, struct put_result *out, struct err *e)
{
	struct writing w;
	memset(out, 0, sizeof *out);
	if (!ascending(bars, n, e) || !write_begin(&w, s, symbol, iv, who, e))
		return false;
	if (!put_windows(&w, bars, n, mode, e)) {
		write_abandon(&w);
		return false;
	}
	*out = (struct put_result){w.inserted, w.updated, w.same, series_of(&w)->revision};
	if (w.inserted + w.updated == 0) {
		write_abandon(&w);
		return true;
	}
	widen(series_of(&w), &w);
	out->revision++;
	return write_commit(&w, false, e);
}

/* ---- delete ------------------------------------------------------------------------------------------------------------- */

/* What stays of the series after the deletion: counted over all chunks, from their rows' heads. */
struct rest {
	int64_t rows, first, last;
};

static void keep(struct rest *r, int64_t rows, int64_t first, int64_t last)
{
	r->first = r->rows == 0 ? first : r->first;
	r->last = last;
	r->rows += rows;
}

/* A chunk that lies partly in the range: rewrite it with the bars outside. */
static bool cut_chunk(struct writing *w, const struct chunk_row *c, int64_t from, int64_t to, struct rest *rest, struct err *e)
{
	int n = store_chunk_bars(w->s, series_of(w), c, w->old, e);
	size_t kept = 0;
	for (int i = 0; i < n; i++) {
		if (w->old[i].open_time < from || w->old[i].open_time > to) {
			w->merged[kept++] = w->old[i];
			continue;
		}
		w->deleted++;
		changed(w, w->old[i].open_time);
	}
	if (n < 0)
		return false;
	keep(rest, (int64_t)kept, w->merged[0].open_time, w->merged[kept - 1].open_time); /* an edge lies outside: kept > 0 */
	return kept == (size_t)n || add_put(w, c->start, w->merged, kept, e);
}

static bool cut_chunks(struct writing *w, int64_t from, int64_t to, struct rest *rest, struct err *e)
{
	struct chunk_row *all;
	int n = w->s->driver->chunks(w->s->db, series_of(w)->id, 0, BAR_TIME_LAST, w->arena, &all, e);
	for (int i = 0; i < n; i++) {
		const struct chunk_row *c = &all[i];
		if (c->last < from || c->first > to) {
			keep(rest, c->rows, c->first, c->last);
		} else if (c->first >= from && c->last <= to) {
			add_delete(w, c->start);
			w->deleted += c->rows;
			changed(w, c->first);
			changed(w, c->last);
		} else if (!cut_chunk(w, c, from, to, rest, e)) {
			return false;
		}
	}
	return n >= 0;
}

bool store_bars_delete(struct store *s, const char *symbol, enum interval iv, int64_t from, int64_t to, const struct store_writer *who,
        int64_t *deleted_out, struct err *e)
{
	struct writing w;
	struct rest rest = {0};
	*deleted_out = 0;
	if (!write_begin(&w, s, symbol, iv, who, e))
		return false;
	bool there = series_of(&w)->id != 0;
	if (there && !cut_chunks(&w, from, to, &rest, e)) {
		write_abandon(&w);
		return false;
	}
	w.change.drop = there && from <= 0 && to == INT64_MAX;
	if (w.deleted == 0 && !w.change.drop) {
		write_abandon(&w);
		return true;
	}
	if (w.deleted == 0)
		w.from = w.to = 0; /* a series without bars goes: there is no range to name */
	struct series *series = series_of(&w);
	series->rows = rest.rows;
	series->first = rest.first;
	series->last = rest.last;
	*deleted_out = w.deleted;
	return write_commit(&w, true, e);
}
