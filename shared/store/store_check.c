/* store_check.c -- the health of a store: its files, its candles' checksums, and what waits to be sent. */
#include <stdio.h>

#include "base/clock.h"
#include "store/store_private.h"

/* 1 it is what it says, 0: problem says that it is not, -1. */
static int decode(struct store *s, const struct series *series, const struct chunk_row *meta, struct bar *bars, struct store_health *out,
        struct err *e)
{
	if (store_chunk_bars(s, series, meta, bars, e) >= 0) {
		out->chunks++;
		return 1;
	}
	if (e->code != ERR_CORRUPT)
		return -1;
	snprintf(out->problem, sizeof(out->problem), "%s", e->text);
	return 0;
}

static int check_series(
        struct store *s, const struct series *series, struct arena *a, struct bar *bars, struct store_health *out, struct err *e)
{
	struct chunk_row *chunks;
	if (!s->driver->begin(s->db, false, e))
		return -1;
	int n = s->driver->chunks(s->db, series->id, 0, BAR_TIME_LAST, a, &chunks, e), sound = n < 0 ? -1 : 1;
	if (n > 0)
		sound = decode(s, series, &chunks[n - 1], bars, out, e);
	if (n > 1 && sound == 1)
		sound = decode(s, series, &chunks[0], bars, out, e);
	s->driver->end(s->db);
	return sound;
}

static int check_candles(struct store *s, int64_t deadline, int max_series, struct arena *a, struct store_health *out, struct err *e)
{
	struct series *series;
	struct bar *bars = arena_array(a, CHUNK_MAX, sizeof *bars);
	int n = store_series_list(s, INTERVAL_COUNT, a, &series, e), sound = n < 0 ? -1 : 1;
	/* The newest series first: these are written now. */
	for (int i = 0; i < n && i < max_series && sound == 1 && clock_mono_ms() < deadline; i++)
		sound = check_series(s, &series[n - 1 - i], a, bars, out, e);
	return sound;
}

static bool look_at_outbox(struct store *s, struct arena *a, struct store_health *out, struct err *e)
{
	struct outbox_row *oldest;
	int n = store_outbox_take(s, 1, a, &oldest, e);
	if (n > 0)
		out->outbox_oldest_ms = oldest->time_ms;
	return n >= 0 && store_outbox_count(s, &out->outbox, e);
}

int store_check(struct store *s, int64_t deadline, int max_series, struct arena *a, struct store_health *out, struct err *e)
{
	*out = (struct store_health){0};
	int sound = s->driver->check(s->db, deadline, out->problem, e);
	out->whole = sound == 0 || sound == 1;
	if (sound <= 0)
		return sound;
	sound = check_candles(s, deadline, max_series, a, out, e);
	return sound < 0 || !look_at_outbox(s, a, out, e) ? -1 : sound;
}
