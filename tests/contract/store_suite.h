/* store_suite.h -- the contract of the store: the same tests for every driver. The file that includes it defines suite_url(). */
#ifndef TESTS_CONTRACT_STORE_SUITE_H
#define TESTS_CONTRACT_STORE_SUITE_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/store.h"
#include "tests/lib/bars.h"
#include "tests/lib/test.h"

const char *suite_url(void); /* of a store of this test's own; the same each time */

#define T0  INT64_C(1769904000000) /* 2026-02-01, a Sunday, the first of a month */
#define ALL 0, INT64_MAX
static const struct store_writer nobody = {.job = "", .fence = 0};
static const char *const hostile[] = {"'; DROP TABLE series; --", "../x", "btcusdt", "", "BTC USDT", "A\"B", "A\nB", "%s%n", "\xff\xfe",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};

static struct store *open_suite(void)
{
	struct err e = {0};
	struct store *s = store_open(suite_url(), &e);
	ck_assert_msg(s != NULL, "%s", e.text);
	return s;
}

static struct put_result put_by(struct store *s, const char *symbol, enum interval iv, const struct bar *bars, size_t n, enum put_mode mode,
        const struct store_writer *who)
{
	struct err e = {0};
	struct put_result out;
	ck_ok(store_bars_put(s, symbol, iv, bars, n, mode, who, &out, &e), &e);
	return out;
}

static struct put_result put(struct store *s, const char *symbol, enum interval iv, const struct bar *bars, size_t n, enum put_mode mode)
{
	return put_by(s, symbol, iv, bars, n, mode, &nobody);
}

static int64_t delete (struct store *s, const char *symbol, enum interval iv, int64_t from, int64_t to)
{
	struct err e = {0};
	int64_t n;
	ck_ok(store_bars_delete(s, symbol, iv, from, to, &nobody, &n, &e), &e);
	return n;
}

static int64_t events(struct store *s)
{
	struct err e = {0};
	int64_t n;
	ck_ok(store_outbox_count(s, &n, &e), &e);
	return n;
}

/* The series must hold exactly expected[n] in from..to, however it is asked. */
static void expect(struct store *s, const char *symbol, enum interval iv, int64_t from, int64_t to, const struct bar *expected, size_t n)
{
	struct err e = {0};
	struct arena *a = arena_open();
	struct bar *bars;
	int64_t *times, total, revision, revision2;
	struct columns c;
	size_t got;
	ck_ok(store_bars_get(s, symbol, iv, from, to, a, &bars, &got, &revision, &e), &e);
	ck_assert_uint_eq(got, n);
	ck_assert(bars_same(bars, expected, n));
	ck_ok(store_times_get(s, symbol, iv, from, to, a, &times, &got, &e), &e);
	ck_assert_uint_eq(got, n);
	ck_ok(store_columns_get(s, symbol, iv, from, to, COLUMNS_ALL, a, &c, &revision2, &e), &e);
	ck_assert_uint_eq(c.n, n);
	ck_assert_int_eq(revision, revision2);
	for (size_t i = 0; i < n; i++) {
		ck_assert_int_eq(times[i], expected[i].open_time);
		ck_assert_int_eq(c.open_time[i], expected[i].open_time);
		ck_assert_int_eq(c.close_time[i], expected[i].close_time);
		ck_assert_int_eq(c.trades[i], expected[i].trades);
		ck_assert(c.close[i] == dec_double(expected[i].close) && c.low[i] == dec_double(expected[i].low));
		ck_assert(c.quote_volume[i] == dec_double(expected[i].quote_volume));
	}
	ck_ok(store_bars_page(s, symbol, iv, from, to, -1, 0, a, &bars, &got, &total, &e), &e);
	ck_assert_int_eq(total, (int64_t)n);
	ck_assert_uint_eq(got, n);
	ck_assert(bars_same(bars, expected, n));
	arena_close(&a);
}

/* ---- candles ------------------------------------------------------------------------------------------------------ */

START_TEST(an_empty_store_has_nothing)
{
	struct store *s = open_suite();
	struct err e = {0};
	struct arena *a = arena_open();
	struct series one, *all;
	expect(s, "BTCUSDT", INTERVAL_1m, ALL, NULL, 0);
	ck_assert_int_eq(store_series(s, "BTCUSDT", INTERVAL_1m, &one, &e), 0);
	ck_assert_int_eq(store_series_list(s, INTERVAL_COUNT, a, &all, &e), 0);
	ck_assert_int_eq(delete (s, "BTCUSDT", INTERVAL_1m, ALL), 0);
	ck_assert_int_eq(events(s), 0);
	struct put_result r = put(s, "BTCUSDT", INTERVAL_1m, NULL, 0, PUT_OVERWRITE);
	ck_assert_int_eq(r.revision, 0);
	ck_assert_int_eq(store_series(s, "BTCUSDT", INTERVAL_1m, &one, &e), 0);
	arena_close(&a);
	store_close(&s);
	store_close(&s); /* does nothing */
}
END_TEST

START_TEST(all_intervals_keep_their_candles)
{
	struct store *s = open_suite();
	struct err e = {0};
	struct bar bars[700];
	for (int i = 0; i < INTERVAL_COUNT; i++) {
		enum interval iv = (enum interval)i;
		size_t n = iv == INTERVAL_1M ? 300 : ARRAY_LEN(bars); /* decades */
		bars_walk(bars, n, iv, interval_floor(iv, INT64_C(1500000000000), 0), (uint64_t)i);
		struct put_result r = put(s, "BTCUSDT", iv, bars, n, PUT_KEEP);
		ck_assert_int_eq(r.inserted, (int64_t)n);
		ck_assert_int_eq(r.revision, 1);
		struct series series;
		ck_assert_int_eq(store_series(s, "BTCUSDT", iv, &series, &e), 1);
		ck_assert_int_eq(series.rows, (int64_t)n);
		ck_assert_int_eq(series.first, bars[0].open_time);
		ck_assert_int_eq(series.last, bars[n - 1].open_time);
		ck_assert_int_eq(series.interval, iv);
		ck_assert_int_gt(series.updated_at, T0 - 365 * TIME_DAY);
		expect(s, "BTCUSDT", iv, ALL, bars, n);
		expect(s, "BTCUSDT", iv, INT64_MIN, INT64_MAX, bars, n);
		expect(s, "BTCUSDT", iv, bars[10].open_time, bars[200].open_time, bars + 10, 191);
		expect(s, "BTCUSDT", iv, bars[10].open_time + 1, bars[12].open_time - 1, bars + 11, 1);
		expect(s, "BTCUSDT", iv, bars[10].open_time, bars[9].open_time, NULL, 0);
		expect(s, "ETHUSDT", iv, ALL, NULL, 0);
	}
	store_close(&s);
}
END_TEST

START_TEST(keep_and_overwrite)
{
	struct store *s = open_suite();
	struct bar bars[100], other[100];
	bars_walk(bars, 100, INTERVAL_1m, T0, 1);
	memcpy(other, bars, sizeof bars);
	put(s, "BTCUSDT", INTERVAL_1m, bars + 20, 50, PUT_KEEP);
	for (size_t i = 0; i < 100; i += 2)
		other[i].trades++;
	struct put_result r = put(s, "BTCUSDT", INTERVAL_1m, other, 100, PUT_KEEP);
	ck_assert_int_eq(r.inserted, 50);
	ck_assert_int_eq(r.updated, 0);
	ck_assert_int_eq(r.same, 25);
	ck_assert_int_eq(r.revision, 2);
	struct bar mixed[100];
	memcpy(mixed, other, sizeof mixed);
	memcpy(mixed + 20, bars + 20, 50 * sizeof *bars);
	expect(s, "BTCUSDT", INTERVAL_1m, ALL, mixed, 100);
	r = put(s, "BTCUSDT", INTERVAL_1m, other, 100, PUT_OVERWRITE);
	ck_assert_int_eq(r.inserted, 0);
	ck_assert_int_eq(r.updated, 25);
	ck_assert_int_eq(r.same, 75);
	expect(s, "BTCUSDT", INTERVAL_1m, ALL, other, 100);
	/* Nothing changed: no revision, no event. */
	ck_assert_int_eq(events(s), 3);
	r = put(s, "BTCUSDT", INTERVAL_1m, other, 100, PUT_OVERWRITE);
	ck_assert_int_eq(r.same, 100);
	ck_assert_int_eq(r.revision, 3);
	r = put(s, "BTCUSDT", INTERVAL_1m, bars, 100, PUT_KEEP);
	ck_assert_int_eq(r.revision, 3);
	ck_assert_int_eq(events(s), 3);
	store_close(&s);
}
END_TEST

START_TEST(pages_count_from_the_newest)
{
	struct store *s = open_suite();
	struct err e = {0};
	enum { N = 5000 };
	struct bar *bars = mem_array(N, sizeof *bars), *page;
	bars_walk(bars, N, INTERVAL_1m, T0 + 100 * TIME_MINUTE, 1);
	put(s, "BTCUSDT", INTERVAL_1m, bars, N, PUT_KEEP);
	static const struct {
		size_t from, to; /* rows of the range */
		int64_t limit, offset;
	} asks[] = {{0, N - 1, 10, 0}, {0, N - 1, 10, 10}, {0, N - 1, 0, 0}, {0, N - 1, -1, 4990}, {0, N - 1, 100, 4950},
	        {0, N - 1, 100, 5000}, {0, N - 1, 100, INT64_MAX}, {0, N - 1, INT64_MAX, 0}, {0, N - 1, 3000, 1500}, {7, 4321, 1920, 1},
	        {7, 4321, -1, -5}, {100, 110, 5, 5}, {100, 110, 50, 3}, {1819, 1820, 1, 1}};
	for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
		struct arena *a = arena_open();
		int64_t total, rows = (int64_t)(asks[i].to - asks[i].from + 1), offset = asks[i].offset < 0 ? 0 : asks[i].offset;
		int64_t left = offset < rows ? rows - offset : 0, want = asks[i].limit < 0 || asks[i].limit > left ? left : asks[i].limit;
		size_t n;
		ck_ok(store_bars_page(s, "BTCUSDT", INTERVAL_1m, bars[asks[i].from].open_time, bars[asks[i].to].open_time, asks[i].limit,
		              asks[i].offset, a, &page, &n, &total, &e),
		        &e);
		ck_assert_int_eq(total, rows);
		ck_assert_int_eq((int64_t)n, want);
		ck_assert(bars_same(page, bars + asks[i].from + (left - want), n));
		arena_close(&a);
	}
	mem_free(&bars);
	store_close(&s);
}
END_TEST

START_TEST(deleting_cuts_exactly)
{
	struct store *s = open_suite();
	struct err e = {0};
	enum { N = 6000 };
	struct bar *bars = mem_array(N, sizeof *bars);
	struct series series;
	bars_walk(bars, N, INTERVAL_1m, T0, 1);
	put(s, "BTCUSDT", INTERVAL_1m, bars, N, PUT_KEEP);
	ck_assert_int_eq(delete (s, "BTCUSDT", INTERVAL_1m, bars[1000].open_time, bars[4999].open_time), 4000);
	memmove(bars + 1000, bars + 5000, 1000 * sizeof *bars);
	expect(s, "BTCUSDT", INTERVAL_1m, ALL, bars, 2000);
	ck_assert_int_eq(delete (s, "BTCUSDT", INTERVAL_1m, bars[0].open_time + 1, bars[1].open_time - 1), 0); /* between two */
	ck_assert_int_eq(delete (s, "BTCUSDT", INTERVAL_1m, 0, bars[9].open_time), 10);
	ck_assert_int_eq(delete (s, "BTCUSDT", INTERVAL_1m, bars[1999].open_time, INT64_MAX - 1), 1);
	ck_assert_int_eq(store_series(s, "BTCUSDT", INTERVAL_1m, &series, &e), 1);
	ck_assert_int_eq(series.rows, 1989);
	ck_assert_int_eq(series.first, bars[10].open_time);
	ck_assert_int_eq(series.last, bars[1998].open_time);
	ck_assert_int_eq(series.revision, 4);
	ck_assert_int_eq(events(s), 4);
	/* All bars, but not the whole range of time: the series stays. */
	ck_assert_int_eq(delete (s, "BTCUSDT", INTERVAL_1m, 1, INT64_MAX), 1989);
	ck_assert_int_eq(store_series(s, "BTCUSDT", INTERVAL_1m, &series, &e), 1);
	ck_assert_int_eq(series.rows, 0);
	ck_assert_int_eq(series.first, 0);
	expect(s, "BTCUSDT", INTERVAL_1m, ALL, NULL, 0);
	put(s, "BTCUSDT", INTERVAL_1m, bars, 1, PUT_KEEP);
	expect(s, "BTCUSDT", INTERVAL_1m, ALL, bars, 1);
	mem_free(&bars);
	store_close(&s);
}
END_TEST

START_TEST(a_dropped_series_begins_again_where_it_was)
{
	struct store *s = open_suite();
	struct err e = {0};
	struct bar bars[10];
	struct series series, again;
	struct store_writer late = {.job = "job-1", .fence = 6}, right = {.job = "job-2", .fence = 7};
	struct put_result r;
	bars_walk(bars, 10, INTERVAL_1d, T0, 1);
	put_by(s, "BTCUSDT", INTERVAL_1d, bars, 10, PUT_KEEP, &right);
	put(s, "ETHUSDT", INTERVAL_1d, bars, 10, PUT_KEEP);
	ck_assert_int_eq(store_series(s, "BTCUSDT", INTERVAL_1d, &series, &e), 1);
	ck_assert_int_eq(delete (s, "BTCUSDT", INTERVAL_1d, ALL), 10);
	ck_assert_int_eq(store_series(s, "BTCUSDT", INTERVAL_1d, &again, &e), 0);
	/* Else a reader that remembers revision 1 would take the new series for the old one, and a late job would write into it. */
	ck_assert(!store_bars_put(s, "BTCUSDT", INTERVAL_1d, bars, 5, PUT_KEEP, &late, &r, &e));
	ck_assert_int_eq(e.code, ERR_STALE);
	r = put_by(s, "BTCUSDT", INTERVAL_1d, bars, 5, PUT_KEEP, &right);
	ck_assert_int_eq(r.revision, 3);
	ck_assert_int_eq(store_series(s, "BTCUSDT", INTERVAL_1d, &again, &e), 1);
	ck_assert_int_gt(again.id, series.id + 1); /* it now stands behind ETHUSDT */
	ck_assert_int_eq(delete (s, "BTCUSDT", INTERVAL_1d, 1, INT64_MAX), 5);
	ck_assert_int_eq(delete (s, "BTCUSDT", INTERVAL_1d, ALL), 0); /* an empty series goes too */
	ck_assert_int_eq(store_series(s, "BTCUSDT", INTERVAL_1d, &again, &e), 0);
	store_close(&s);
}
END_TEST

START_TEST(series_are_listed_in_creation_order)
{
	struct store *s = open_suite();
	struct err e = {0};
	struct arena *a = arena_open();
	struct series *list;
	struct bar bar;
	static const char *const names[] = {"ZZZUSDT", "AAAUSDT", "\xe5\xb8\x81\xe5\xae\x89USDT", "MMMUSDT"};
	bars_walk(&bar, 1, INTERVAL_1d, T0, 1);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		put(s, names[i], INTERVAL_1d, &bar, 1, PUT_KEEP);
	bars_walk(&bar, 1, INTERVAL_1M, T0, 1);
	put(s, "AAAUSDT", INTERVAL_1M, &bar, 1, PUT_KEEP);
	bars_walk(&bar, 1, INTERVAL_1m, T0, 1);
	put(s, "AAAUSDT", INTERVAL_1m, &bar, 1, PUT_KEEP);
	ck_assert_int_eq(store_series_list(s, INTERVAL_1d, a, &list, &e), 4);
	for (size_t i = 0; i < 4; i++) {
		ck_assert_str_eq(list[i].symbol, names[i]);
		ck_assert_int_eq(list[i].rows, 1);
	}
	ck_assert_int_lt(list[0].id, list[1].id);
	ck_assert_int_eq(store_series_list(s, INTERVAL_1M, a, &list, &e), 1); /* 1m is another one */
	ck_assert_int_eq(list[0].interval, INTERVAL_1M);
	ck_assert_int_eq(store_series_list(s, INTERVAL_COUNT, a, &list, &e), 6);
	arena_close(&a);
	store_close(&s);
}
END_TEST

START_TEST(stale_fences_are_refused)
{
	struct store *s = open_suite();
	struct err e = {0};
	struct bar bars[10];
	struct store_writer new = {.job = "new", .fence = 20}, old = {.job = "old", .fence = 19};
	struct put_result r;
	int64_t n;
	bars_walk(bars, 10, INTERVAL_1h, T0, 1);
	put_by(s, "BTCUSDT", INTERVAL_1h, bars, 5, PUT_KEEP, &new);
	ck_assert(!store_bars_put(s, "BTCUSDT", INTERVAL_1h, bars, 10, PUT_OVERWRITE, &old, &r, &e));
	ck_assert_int_eq(e.code, ERR_STALE);
	ck_assert(!store_bars_delete(s, "BTCUSDT", INTERVAL_1h, ALL, &old, &n, &e));
	ck_assert_int_eq(e.code, ERR_STALE);
	expect(s, "BTCUSDT", INTERVAL_1h, ALL, bars, 5);
	put_by(s, "BTCUSDT", INTERVAL_1h, bars, 7, PUT_KEEP, &new);     /* the same fence goes on */
	put_by(s, "ETHUSDT", INTERVAL_1h, bars, 7, PUT_KEEP, &old);     /* another series knows nothing of it */
	put_by(s, "BTCUSDT", INTERVAL_1h, bars, 10, PUT_KEEP, &nobody); /* a person writes without a fence */
	expect(s, "BTCUSDT", INTERVAL_1h, ALL, bars, 10);
	ck_assert_int_eq(events(s), 4);
	store_close(&s);
}
END_TEST

START_TEST(wrong_input_changes_nothing)
{
	struct store *s = open_suite();
	struct err e = {0};
	struct arena *a = arena_open();
	struct put_result r;
	struct bar bars[10], wrong[10], *got;
	struct series series, *list;
	int64_t deleted;
	size_t n;
	bars_walk(bars, 10, INTERVAL_1m, T0, 1);
	for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
		ck_assert_msg(!store_bars_put(s, hostile[i], INTERVAL_1m, bars, 10, PUT_KEEP, &nobody, &r, &e), "%s", hostile[i]);
		ck_assert_int_eq(e.code, ERR_INVALID);
		ck_assert(!store_bars_delete(s, hostile[i], INTERVAL_1m, ALL, &nobody, &deleted, &e));
		ck_assert_int_eq(store_series(s, hostile[i], INTERVAL_1m, &series, &e), 0);
		ck_ok(store_bars_get(s, hostile[i], INTERVAL_1m, ALL, a, &got, &n, NULL, &e), &e);
		ck_assert_uint_eq(n, 0);
	}
	memcpy(wrong, bars, sizeof bars);
	wrong[9].open_time = wrong[8].open_time;
	ck_assert(!store_bars_put(s, "BTCUSDT", INTERVAL_1m, wrong, 10, PUT_KEEP, &nobody, &r, &e));
	wrong[9].open_time = INT64_MAX;
	ck_assert(!store_bars_put(s, "BTCUSDT", INTERVAL_1m, wrong, 10, PUT_KEEP, &nobody, &r, &e));
	wrong[0].open_time = -TIME_MINUTE;
	ck_assert(!store_bars_put(s, "BTCUSDT", INTERVAL_1m, wrong, 1, PUT_KEEP, &nobody, &r, &e));
	/* More than a chunk can hold, after a window that is right: nothing of either is written. */
	struct bar *dense = mem_array(CHUNK_MAX + 2, sizeof *dense);
	bars_walk(dense, 1, INTERVAL_1m, T0, 1);
	for (size_t i = 1; i < CHUNK_MAX + 2; i++) {
		dense[i] = dense[0];
		dense[i].open_time = chunk_end(INTERVAL_1m, T0) + (int64_t)i;
	}
	ck_assert(!store_bars_put(s, "BTCUSDT", INTERVAL_1m, dense, CHUNK_MAX + 2, PUT_KEEP, &nobody, &r, &e));
	mem_free(&dense);
	ck_assert_int_eq(store_series_list(s, INTERVAL_COUNT, a, &list, &e), 0);
	ck_assert_int_eq(events(s), 0);
	arena_close(&a);
	store_close(&s);
}
END_TEST

/* A plain array beside the store: whatever is done to both, they must agree. */
struct model {
	struct bar bars[6000];
	bool there[6000];
	int64_t revision;
	int64_t events;
};

static void model_step(struct store *s, struct model *m, uint64_t *seed)
{
	size_t first = bars_random(seed) % ARRAY_LEN(m->bars), n = 1 + bars_random(seed) % (bars_random(seed) % 4 ? 50 : 3000), sent = 0;
	n = first + n > ARRAY_LEN(m->bars) ? ARRAY_LEN(m->bars) - first : n;
	struct bar *batch = mem_array(n, sizeof *batch);
	int64_t changed = 0;
	uint64_t what = bars_random(seed) % 8;
	enum put_mode mode = bars_random(seed) % 2 ? PUT_KEEP : PUT_OVERWRITE;
	for (size_t i = first; i < first + n; i++) {
		if (what == 0) {
			changed += m->there[i];
			m->there[i] = false;
		} else if (bars_random(seed) % 3) { /* with holes */
			struct bar b = m->bars[i];
			if (bars_random(seed) % 4 == 0)
				b.trades += 1 + (int64_t)(bars_random(seed) % 9);
			batch[sent++] = b;
			bool differs = m->there[i] && !bar_equal(&b, &m->bars[i]);
			if (!m->there[i] || (differs && mode == PUT_OVERWRITE)) {
				m->bars[i] = b;
				m->there[i] = true;
				changed++;
			}
		}
	}
	if (what == 0) {
		int64_t from = m->bars[first].open_time - (int64_t)(bars_random(seed) % 2);
		ck_assert_int_eq(delete (s, "BTCUSDT", INTERVAL_5m, from, m->bars[first + n - 1].open_time), changed);
	} else {
		struct put_result r = put(s, "BTCUSDT", INTERVAL_5m, batch, sent, mode);
		ck_assert_int_eq(r.inserted + r.updated, changed);
	}
	m->revision += changed > 0;
	mem_free(&batch);
}

static void model_compare(struct store *s, const struct model *m, uint64_t *seed)
{
	size_t first = bars_random(seed) % ARRAY_LEN(m->bars), last = first + bars_random(seed) % (ARRAY_LEN(m->bars) - first), n = 0;
	struct bar *expected = mem_array(last - first + 1, sizeof *expected);
	for (size_t i = first; i <= last; i++)
		if (m->there[i])
			expected[n++] = m->bars[i];
	expect(s, "BTCUSDT", INTERVAL_5m, m->bars[first].open_time, m->bars[last].open_time, expected, n);
	mem_free(&expected);
}

START_TEST(random_changes_agree_with_a_plain_array)
{
	struct store *s = open_suite(), *other = open_suite();
	struct err e = {0};
	struct model *m = mem_new(sizeof *m);
	struct series series;
	uint64_t seed = 42;
	bars_walk(m->bars, ARRAY_LEN(m->bars), INTERVAL_5m, T0, 7);
	for (int round = 0; round < 40; round++) {
		model_step(round % 2 ? s : other, m, &seed);
		model_compare(round % 3 ? s : other, m, &seed);
		int64_t rows = 0;
		for (size_t i = 0; i < ARRAY_LEN(m->there); i++)
			rows += m->there[i];
		int found = store_series(s, "BTCUSDT", INTERVAL_5m, &series, &e);
		ck_assert_int_eq(found, m->revision > 0);
		ck_assert_int_eq(series.rows, rows);
		ck_assert_int_eq(series.revision, m->revision);
		ck_assert_int_eq(events(other), m->revision);
	}
	mem_free(&m);
	store_close(&other);
	store_close(&s);
}
END_TEST

/* ---- events ----------------------------------------------------------------------------------------------------------- */

static int64_t number(const struct json *data, const char *key)
{
	int64_t v;
	ck_assert_msg(json_int(json_get(data, key), &v), "%s", key);
	return v;
}

START_TEST(each_change_tells_of_itself)
{
	struct store *s = open_suite();
	struct err e = {0};
	struct arena *a = arena_open();
	struct outbox_row *rows;
	struct bar bars[20];
	struct store_writer who = {.job = "j\"ob", .fence = 3};
	bars_walk(bars, 20, INTERVAL_1h, T0, 1);
	put_by(s, "BTCUSDT", INTERVAL_1h, bars + 5, 5, PUT_KEEP, &who);
	bars[6].trades++;
	put_by(s, "BTCUSDT", INTERVAL_1h, bars + 6, 10, PUT_OVERWRITE, &who);
	delete (s, "BTCUSDT", INTERVAL_1h, bars[0].open_time, bars[7].open_time);
	ck_assert_int_eq(store_outbox_take(s, 10, a, &rows, &e), 3);
	for (int i = 0; i < 3; i++) {
		ck_assert_str_eq(rows[i].topic, "kline.changes");
		ck_assert_str_eq(rows[i].key, "binance-um|BTCUSDT|1h");
		ck_assert_str_eq(rows[i].type, i < 2 ? "kline.range.updated.v1" : "kline.range.deleted.v1");
		ck_assert_int_gt(rows[i].time_ms, T0 - 365 * TIME_DAY);
		ck_assert(i == 0 || (rows[i].seq > rows[i - 1].seq && strcmp(rows[i].id, rows[i - 1].id) != 0));
		struct json *data = json_parse(rows[i].data, strlen(rows[i].data), &e);
		ck_assert_msg(data != NULL, "%s", rows[i].data);
		ck_assert_str_eq(json_get_text(data, "exchange", ""), "binance-um");
		ck_assert_str_eq(json_get_text(data, "symbol", ""), "BTCUSDT");
		ck_assert_str_eq(json_get_text(data, "interval", ""), "1h");
		ck_assert_str_eq(json_get_text(data, "job", ""), i < 2 ? "j\"ob" : "");
		ck_assert_int_eq(number(data, "revision"), i + 1);
		ck_assert_int_eq(number(data, "fence"), i < 2 ? 3 : 0);
		ck_assert_int_eq(number(data, "rows"), i == 0 ? 5 : i == 1 ? 7 : 3);
		ck_assert_int_eq(number(data, "from"), bars[i == 1 ? 6 : 5].open_time);
		ck_assert_int_eq(number(data, "to"), bars[i == 0 ? 9 : i == 1 ? 15 : 7].open_time);
		if (i == 2)
			ck_assert_int_eq(number(data, "deleted"), 3);
		else
			ck_assert_int_eq(number(data, "inserted") * 10 + number(data, "updated"), i == 0 ? 50 : 61);
		json_close(&data);
	}
	arena_close(&a);
	store_close(&s);
}
END_TEST

START_TEST(the_outbox_keeps_its_order)
{
	struct store *s = open_suite();
	struct err e = {0};
	struct arena *a = arena_open();
	struct outbox_row *rows, row = {.topic = "job.ends", .key = "k", .type = "job.ended.v1", .data = "{\"a\":\"\xe5\xb8\x81\"}"};
	for (int i = 0; i < 25; i++) {
		snprintf(row.id, sizeof row.id, "id-%d", i);
		row.time_ms = i == 3 ? 0 : 1000 + i;
		ck_ok(store_outbox_put(s, &row, &e), &e);
	}
	ck_assert_int_eq(store_outbox_take(s, 10, a, &rows, &e), 10);
	ck_assert_str_eq(rows[9].id, "id-9");
	ck_assert_str_eq(rows[9].data, row.data);
	ck_assert_int_eq(rows[9].time_ms, 1009);
	ck_assert_int_gt(rows[3].time_ms, T0 - 365 * TIME_DAY); /* 0: now */
	int64_t upto = rows[9].seq;
	ck_ok(store_outbox_sent(s, upto, &e), &e);
	ck_ok(store_outbox_sent(s, upto, &e), &e); /* again: nothing */
	ck_assert_int_eq(events(s), 15);
	ck_assert_int_eq(store_outbox_take(s, 100, a, &rows, &e), 15);
	ck_assert_str_eq(rows[0].id, "id-10");
	ck_ok(store_outbox_sent(s, rows[14].seq, &e), &e);
	ck_ok(store_outbox_put(s, &row, &e), &e);
	ck_assert_int_eq(store_outbox_take(s, 100, a, &rows, &e), 1);
	ck_assert_int_gt(rows[0].seq, upto + 15); /* a number never comes again */
	ck_assert_int_eq(store_outbox_take(s, 0, a, &rows, &e), 0);
	row.data = NULL;
	ck_assert(!store_outbox_put(s, &row, &e));
	ck_assert_int_eq(e.code, ERR_INVALID);
	arena_close(&a);
	store_close(&s);
}
END_TEST

START_TEST(one_relay_at_a_time)
{
	struct store *s = open_suite(), *t = open_suite();
	struct err e = {0};
	ck_assert_int_eq(store_relay_lease(s, "one", 300, &e), 1);
	ck_assert_int_eq(store_relay_lease(t, "two", 300, &e), 0);
	ck_assert_int_eq(store_relay_lease(t, "one", 300, &e), 1);
	usleep(200000);
	ck_assert_int_eq(store_relay_lease(s, "one", 300, &e), 1); /* renewed */
	usleep(200000);
	ck_assert_int_eq(store_relay_lease(t, "two", 300, &e), 0);
	usleep(150000);
	ck_assert_int_eq(store_relay_lease(t, "two", 300, &e), 1);
	ck_assert_int_eq(store_relay_lease(s, "one", 300, &e), 0);
	ck_assert_int_eq(store_relay_lease(t, "two", 0, &e), 1); /* given up */
	ck_assert_int_eq(store_relay_lease(s, "one", 300, &e), 1);
	store_close(&s);
	store_close(&t);
}
END_TEST

/* ---- symbols, absent ranges, results -------------------------------------------------------------------------------------- */

START_TEST(symbols_are_replaced_by_name)
{
	struct store *s = open_suite();
	struct err e = {0};
	struct arena *a = arena_open();
	struct symbol_row rows[] = {{"ETHUSDT", "TRADING", 5, 10}, {"BTCUSDT", "TRADING", 0, 10}}, *got;
	ck_ok(store_symbols_put(s, rows, 2, &e), &e);
	rows[1] = (struct symbol_row){"BTCUSDT", "SETTLING", 7, 11};
	ck_ok(store_symbols_put(s, rows + 1, 1, &e), &e);
	ck_ok(store_symbols_put(s, NULL, 0, &e), &e);
	ck_assert_int_eq(store_symbols_list(s, a, &got, &e), 2);
	ck_assert_str_eq(got[0].symbol, "BTCUSDT");
	ck_assert_str_eq(got[0].status, "SETTLING");
	ck_assert_int_eq(got[0].onboard_at, 7);
	ck_assert_int_eq(got[0].updated_at, 11);
	ck_assert_int_eq(got[1].onboard_at, 5);
	rows[0] = (struct symbol_row){"LTCUSDT", "TRADING", 0, 0};
	rows[1] = (struct symbol_row){"'; DROP", "TRADING", 0, 0};
	ck_assert(!store_symbols_put(s, rows, 2, &e));
	ck_assert_int_eq(store_symbols_list(s, a, &got, &e), 2); /* neither */
	arena_close(&a);
	store_close(&s);
}
END_TEST

START_TEST(absent_ranges_join)
{
	struct store *s = open_suite();
	struct err e = {0};
	struct arena *a = arena_open();
	struct absent_range *got;
	static const int64_t puts[][2] = {{100, 200}, {300, 400}, {600, 700}, {120, 150}, {100, 200}, {201, 250}, {390, 500}};
	for (size_t i = 0; i < ARRAY_LEN(puts); i++)
		ck_ok(store_absent_put(s, "BTCUSDT", INTERVAL_1m, puts[i][0], puts[i][1], &e), &e);
	ck_ok(store_absent_put(s, "BTCUSDT", INTERVAL_1M, 1, 2, &e), &e);
	ck_assert_int_eq(store_absent_list(s, "BTCUSDT", INTERVAL_1m, a, &got, &e), 3);
	static const int64_t expected[][2] = {{100, 250}, {300, 500}, {600, 700}};
	for (size_t i = 0; i < 3; i++) {
		ck_assert_int_eq(got[i].from, expected[i][0]);
		ck_assert_int_eq(got[i].to, expected[i][1]);
	}
	ck_ok(store_absent_put(s, "BTCUSDT", INTERVAL_1m, 50, 650, &e), &e);
	ck_assert_int_eq(store_absent_list(s, "BTCUSDT", INTERVAL_1m, a, &got, &e), 1);
	ck_assert_int_eq(got[0].from, 50);
	ck_assert_int_eq(got[0].to, 700);
	ck_assert_int_eq(store_absent_list(s, "ETHUSDT", INTERVAL_1m, a, &got, &e), 0);
	ck_assert(!store_absent_put(s, "../x", INTERVAL_1m, 1, 2, &e));
	ck_assert(!store_absent_put(s, "BTCUSDT", INTERVAL_1m, 2, 1, &e));
	ck_assert(!store_absent_put(s, "BTCUSDT", INTERVAL_1m, 0, INT64_MAX, &e));
	arena_close(&a);
	store_close(&s);
}
END_TEST

START_TEST(results_are_kept_by_job)
{
	struct store *s = open_suite();
	struct err e = {0};
	struct arena *a = arena_open();
	struct result_row row = {.job = "job-1", .strategy = "sma_cross", .created_at = 1000, .params = "{\"a\":1}", .summary = "{}"}, got,
	                  *list;
	ck_assert_int_eq(store_result_get(s, "job-1", a, &got, &e), 0);
	ck_ok(store_result_put(s, &row, 5, &e), &e);
	row.summary = "{\"profit\":1}";
	ck_ok(store_result_put(s, &row, 5, &e), &e);
	row.summary = "{\"profit\":2}";
	ck_assert(!store_result_put(s, &row, 4, &e));
	ck_assert_int_eq(e.code, ERR_STALE);
	ck_assert_int_eq(store_result_get(s, "job-1", a, &got, &e), 1);
	ck_assert_str_eq(got.summary, "{\"profit\":1}");
	ck_assert_str_eq(got.params, "{\"a\":1}");
	ck_assert_str_eq(got.strategy, "sma_cross");
	for (int i = 2; i <= 6; i++) {
		snprintf(row.job, sizeof row.job, "job-%d", i);
		row.created_at = i == 6 ? 0 : 1000 + i / 2; /* 1001 1001 1002 1002 now */
		ck_ok(store_result_put(s, &row, 0, &e), &e);
	}
	static const char *const order[] = {"job-6", "job-5", "job-4", "job-3", "job-2", "job-1"};
	ck_assert_int_eq(store_result_list(s, 0, 100, a, &list, &e), 6);
	for (size_t i = 0; i < 6; i++)
		ck_assert_str_eq(list[i].job, order[i]);
	ck_assert_int_gt(list[0].created_at, T0 - 365 * TIME_DAY);
	ck_assert_int_eq(store_result_list(s, 1002, 2, a, &list, &e), 2);
	ck_assert_str_eq(list[0].job, "job-3");
	ck_assert_int_eq(store_result_list(s, 0, 0, a, &list, &e), 0);
	ck_assert_int_eq(store_result_get(s, "' OR 1=1 --", a, &got, &e), 0);
	row.params = NULL;
	ck_assert(!store_result_put(s, &row, 9, &e));
	arena_close(&a);
	store_close(&s);
}
END_TEST

START_TEST(handles_see_each_other)
{
	struct store *s = open_suite(), *t = open_suite();
	struct bar bars[50];
	bars_walk(bars, 50, INTERVAL_1m, T0, 1);
	ck_assert_str_eq(store_identity(s), store_identity(t));
	for (size_t i = 0; i < 50; i += 10) {
		put(i % 20 ? s : t, "BTCUSDT", INTERVAL_1m, bars + i, 10, PUT_KEEP);
		expect(i % 20 ? t : s, "BTCUSDT", INTERVAL_1m, ALL, bars, i + 10);
	}
	store_close(&t);
	expect(s, "BTCUSDT", INTERVAL_1m, ALL, bars, 50);
	store_close(&s);
}
END_TEST

START_TEST(unknown_urls_are_explained)
{
	static const char *const urls[] = {"", "db/", "mysql://x", "sqlite", "SQLITE:db", "postgres://u:p@h/db", "postgresql://h/db"};
	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		struct err e = {0};
		ck_assert(store_open(urls[i], &e) == NULL);
		ck_assert_int_eq(e.code, ERR_INVALID);
		ck_assert_msg(strstr(e.text, "sqlite:DIR") != NULL, "%s", e.text);
	}
}
END_TEST

START_TEST(a_sound_store_says_so)
{
	struct store *s = open_suite();
	struct err e = {0};
	struct arena *a = arena_open();
	struct bar bars[50];
	struct store_health h;
	ck_assert_int_eq(store_check(s, clock_mono_ms() + 60000, 10, a, &h, &e), 1);
	ck_assert(h.whole && h.chunks == 0 && h.outbox == 0 && h.outbox_oldest_ms == 0);
	bars_walk(bars, ARRAY_LEN(bars), INTERVAL_1m, T0, 1);
	put(s, "BTCUSDT", INTERVAL_1m, bars, ARRAY_LEN(bars), PUT_KEEP);
	put(s, "ETHUSDT", INTERVAL_1m, bars, ARRAY_LEN(bars), PUT_KEEP);
	ck_assert_int_eq(store_check(s, clock_mono_ms() + 60000, 1, a, &h, &e), 1);
	ck_assert_int_eq(h.chunks, 1); /* of one series only, as was asked */
	ck_assert_int_eq(store_check(s, clock_mono_ms() + 60000, 10, a, &h, &e), 1);
	ck_assert_int_eq(h.chunks, 2);
	ck_assert_int_eq(h.outbox, 2);
	ck_assert_int_gt(h.outbox_oldest_ms, T0);
	arena_close(&a);
	store_close(&s);
}
END_TEST

#define STORE_SUITE                                                                                                         \
	an_empty_store_has_nothing, all_intervals_keep_their_candles, keep_and_overwrite, pages_count_from_the_newest,      \
	        deleting_cuts_exactly, a_dropped_series_begins_again_where_it_was, series_are_listed_in_creation_order,     \
	        stale_fences_are_refused, wrong_input_changes_nothing, random_changes_agree_with_a_plain_array,             \
	        each_change_tells_of_itself, the_outbox_keeps_its_order, one_relay_at_a_time, symbols_are_replaced_by_name, \
	        absent_ranges_join, results_are_kept_by_job, handles_see_each_other, a_sound_store_says_so, unknown_urls_are_explained

#endif
