/* store_read.c -- reading candles: whole ranges, pages from the newest, columns and times. */
#include <string.h>

#include "store/store_private.h"

/* ---- chunks -------------------------------------------------------------------------------------------------------- */

bool store_chunk_blame(const struct series *series, int64_t start, struct err *e)
{
	char date[TIME_TEXT];
	time_print_datetime(date, start);
	return err_prefix(e, "%s %s, chunk of %s", series->symbol, interval_name(series->interval), date);
}

bool store_chunk_load(struct store *s, const struct series *series, const struct chunk_row *meta, struct chunk_row *out, struct err *e)
{
	int got = s->driver->chunk(s->db, series->id, meta->start, out, e);
	if (got < 0)
		return false;
	/* The blob's own checksum is verified by the decoder: here only that this blob belongs to this row. */
	bool ok = got == 1 && out->rows == meta->rows && out->rows == chunk_rows(out->blob, out->size) &&
	          out->checksum == chunk_claimed(out->blob);
	if (!ok)
		err_set(e, ERR_CORRUPT, "it is damaged: delete the range and download it again");
	return ok || store_chunk_blame(series, meta->start, e);
}

int store_chunk_bars(struct store *s, const struct series *series, const struct chunk_row *meta, struct bar *bars_out, struct err *e)
{
	struct chunk_row row;
	if (!store_chunk_load(s, series, meta, &row, e))
		return -1;
	int n = chunk_decode(s->reader, row.blob, row.size, series->interval, bars_out, e);
	if (n < 0)
		store_chunk_blame(series, meta->start, e);
	return n;
}

/* ---- a reading ------------------------------------------------------------------------------------------------------ */

/* What one reading looks at: the series and the chunks that touch the range. */
struct reading {
	struct store *s;
	struct series series;
	int64_t from, to;
	struct chunk_row *chunks;
	size_t n;
	int64_t rows; /* of all these chunks, also outside the range */
};

/* Begins the driver's read; read_end ends it. A series that is not there has no chunks. */
static bool read_begin(
        struct reading *r, struct store *s, const char *symbol, enum interval iv, int64_t from, int64_t to, struct arena *a, struct err *e)
{
	*r = (struct reading){.s = s, .from = from < 0 ? 0 : from, .to = to > BAR_TIME_LAST ? BAR_TIME_LAST : to};
	if (!s->driver->begin(s->db, false, e))
		return false;
	struct series_state state = {0};
	int found = symbol_ok(symbol) ? s->driver->series(s->db, symbol, iv, &state, e) : 0;
	if (found <= 0 || r->from > r->to)
		goto done;
	r->series = state.series;
	struct chunk_row *all;
	found = s->driver->chunks(s->db, r->series.id, chunk_start(iv, r->from), r->to, a, &all, e);
	for (int i = 0; i < found; i++) {
		if (all[i].last < r->from || all[i].first > r->to)
			continue;
		r->chunks = r->chunks ? r->chunks : &all[i];
		r->n++;
		r->rows += all[i].rows;
	}
done:
	if (found < 0)
		s->driver->end(s->db);
	return found >= 0;
}

static void read_end(struct reading *r)
{
	r->s->driver->end(r->s->db);
}

/* Is every row of the chunk in the range? Only the first and the last chunk of a reading can say no. */
static bool whole(const struct reading *r, const struct chunk_row *c)
{
	return c->first >= r->from && c->last <= r->to;
}

/* ---- series ---------------------------------------------------------------------------------------------------------- */

int store_series(struct store *s, const char *symbol, enum interval iv, struct series *out, struct err *e)
{
	memset(out, 0, sizeof *out);
	if (!symbol_ok(symbol))
		return 0;
	struct series_state state = {0};
	if (!s->driver->begin(s->db, false, e))
		return -1;
	int found = s->driver->series(s->db, symbol, iv, &state, e);
	s->driver->end(s->db);
	if (found == 1)
		*out = state.series;
	return found;
}

int store_series_list(struct store *s, enum interval iv, struct arena *a, struct series **out, struct err *e)
{
	return s->driver->series_list(s->db, iv, a, out, e);
}

/* ---- candles --------------------------------------------------------------------------------------------------------- */

/* Append the chunk's candles that lie in the range, but not the first `skip` and at most `max` of them. */
struct taking {
	struct bar *bars;
	size_t n;
	struct bar room[CHUNK_MAX];
};

static bool take_chunk(const struct reading *r, const struct chunk_row *c, size_t skip, size_t max, struct taking *t, struct err *e)
{
	int n = store_chunk_bars(r->s, &r->series, c, t->room, e);
	for (int i = 0; i < n; i++) {
		bool in = t->room[i].open_time >= r->from && t->room[i].open_time <= r->to;
		if (!in || (skip > 0 && skip--) || max == 0)
			continue;
		t->bars[t->n++] = t->room[i];
		max--;
	}
	return n >= 0;
}

bool store_bars_get(struct store *s, const char *symbol, enum interval iv, int64_t from, int64_t to, struct arena *a, struct bar **bars_out,
        size_t *n_out, int64_t *revision_out, struct err *e)
{
	struct reading r;
	if (!read_begin(&r, s, symbol, iv, from, to, a, e))
		return false;
	struct taking *t = mem_new(sizeof *t);
	t->bars = arena_array(a, (size_t)r.rows + 1, sizeof *t->bars);
	bool ok = true;
	for (size_t i = 0; ok && i < r.n; i++)
		ok = take_chunk(&r, &r.chunks[i], 0, SIZE_MAX, t, e);
	read_end(&r);
	*bars_out = t->bars;
	*n_out = ok ? t->n : 0;
	if (revision_out)
		*revision_out = r.series.revision;
	mem_free(&t);
	return ok;
}

/* Rows of the chunk in the range; -1 failed. Edge chunks must be looked into, but only at their times. */
static int64_t count_in_range(const struct reading *r, const struct chunk_row *c, struct err *e)
{
	if (whole(r, c))
		return c->rows;
	int64_t times[CHUNK_MAX], in = 0;
	struct chunk_row row;
	if (!store_chunk_load(r->s, &r->series, c, &row, e))
		return -1;
	int n = chunk_decode_columns(r->s->reader, row.blob, row.size, r->series.interval, &(struct columns_out){.open_time = times}, 0, e);
	for (int i = 0; i < n; i++)
		in += times[i] >= r->from && times[i] <= r->to;
	if (n < 0)
		store_chunk_blame(&r->series, c->start, e);
	return n < 0 ? -1 : in;
}

static bool page_take(const struct reading *r, const int64_t *counts, int64_t skip, int64_t want, struct taking *t, struct err *e)
{
	/* Rows skip..skip+want-1 of the range, counted from the oldest. */
	for (size_t i = 0; i < r->n && want > 0; i++) {
		int64_t here = counts[i] - skip;
		if (here <= 0) {
			skip -= counts[i];
			continue;
		}
		here = here < want ? here : want;
		if (!take_chunk(r, &r->chunks[i], (size_t)skip, (size_t)here, t, e))
			return false;
		want -= here;
		skip = 0;
	}
	return true;
}

bool store_bars_page(struct store *s, const char *symbol, enum interval iv, int64_t from, int64_t to, int64_t limit, int64_t offset,
        struct arena *a, struct bar **bars_out, size_t *n_out, int64_t *total_out, struct err *e)
{
	struct reading r;
	if (!read_begin(&r, s, symbol, iv, from, to, a, e))
		return false;
	int64_t total = 0, *counts = arena_array(a, r.n + 1, sizeof *counts);
	bool ok = true;
	for (size_t i = 0; ok && i < r.n; i++) {
		counts[i] = count_in_range(&r, &r.chunks[i], e);
		ok = counts[i] >= 0;
		total += counts[i];
	}
	int64_t left = offset < 0 ? total : offset < total ? total - offset : 0; /* the oldest `left` rows remain */
	int64_t want = limit < 0 || limit > left ? left : limit;
	struct taking *t = mem_new(sizeof *t);
	t->bars = arena_array(a, (size_t)(ok ? want : 0) + 1, sizeof *t->bars);
	ok = ok && page_take(&r, counts, left - want, want, t, e);
	read_end(&r);
	*bars_out = t->bars;
	*n_out = ok ? t->n : 0;
	*total_out = ok ? total : 0;
	mem_free(&t);
	return ok;
}

/* ---- columns --------------------------------------------------------------------------------------------------------- */

/* Every array of the set, with its place in columns_out and columns. */
static const struct {
	enum column_set set;
	size_t out, in;
} arrays[] = {
#define ARRAY(set, name)                                                                \
	{                                                                               \
		set, offsetof(struct columns_out, name), offsetof(struct columns, name) \
	}
        ARRAY(COLUMN_TIME, open_time),
        ARRAY(COLUMN_OPEN, open),
        ARRAY(COLUMN_HIGH, high),
        ARRAY(COLUMN_LOW, low),
        ARRAY(COLUMN_CLOSE, close),
        ARRAY(COLUMN_VOLUME, volume),
        ARRAY(COLUMN_QUOTE, quote_volume),
        ARRAY(COLUMN_TRADES, trades),
        ARRAY(COLUMN_TAKER_BASE, taker_base),
        ARRAY(COLUMN_TAKER_QUOTE, taker_quote),
        ARRAY(COLUMN_CLOSE_TIME, close_time),
#undef ARRAY
};

static void make_arrays(struct columns_out *out, unsigned set, size_t rows, struct arena *a)
{
	/* int64_t and double alike have 8 bytes. */
	for (size_t i = 0; i < ARRAY_LEN(arrays); i++) {
		void *p = set & arrays[i].set ? arena_array(a, rows + 1, 8) : NULL;
		memcpy((char *)out + arrays[i].out, &p, sizeof p);
	}
}

/* Rows first..first+n-1 of out. */
static void view_arrays(const struct columns_out *out, size_t first, size_t n, struct columns *in)
{
	*in = (struct columns){.n = n};
	for (size_t i = 0; i < ARRAY_LEN(arrays); i++) {
		const char *p;
		memcpy(&p, (const char *)out + arrays[i].out, sizeof p);
		p = p ? p + first * 8 : NULL;
		memcpy((char *)in + arrays[i].in, &p, sizeof p);
	}
}

static bool read_columns(const struct reading *r, const struct columns_out *out, struct err *e)
{
	size_t row = 0;
	for (size_t i = 0; i < r->n; i++) {
		struct chunk_row c;
		if (!store_chunk_load(r->s, &r->series, &r->chunks[i], &c, e))
			return false;
		int n = chunk_decode_columns(r->s->reader, c.blob, c.size, r->series.interval, out, row, e);
		if (n < 0)
			return store_chunk_blame(&r->series, c.start, e);
		row += (size_t)n;
	}
	return true;
}

bool store_columns_get(struct store *s, const char *symbol, enum interval iv, int64_t from, int64_t to, unsigned set, struct arena *a,
        struct columns *out, int64_t *revision_out, struct err *e)
{
	struct reading r;
	struct columns_out into;
	memset(out, 0, sizeof *out);
	if (!read_begin(&r, s, symbol, iv, from, to, a, e))
		return false;
	make_arrays(&into, set | COLUMN_TIME, (size_t)r.rows, a);
	bool ok = read_columns(&r, &into, e);
	read_end(&r);
	if (!ok)
		return false;
	struct columns all;
	view_arrays(&into, 0, (size_t)r.rows, &all);
	size_t first = columns_lower_bound(&all, r.from), last = columns_lower_bound(&all, r.to + 1);
	if (!(set & COLUMN_TIME))
		into.open_time = NULL;
	view_arrays(&into, first, last - first, out);
	if (revision_out)
		*revision_out = r.series.revision;
	return true;
}

bool store_times_get(struct store *s, const char *symbol, enum interval iv, int64_t from, int64_t to, struct arena *a, int64_t **out,
        size_t *n_out, struct err *e)
{
	struct columns c;
	if (!store_columns_get(s, symbol, iv, from, to, COLUMN_TIME, a, &c, NULL, e))
		return false;
	/* The array is ours, from the arena, so the caller may write to it. */
	memcpy(out, &c.open_time, sizeof *out);
	*n_out = c.n;
	return true;
}
