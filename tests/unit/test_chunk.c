/* test_chunk.c -- the chunk codec: exact to the digit, columns correctly rounded, windows, real months, and damaged blobs. */
#include "market/chunk.h"

#include <string.h>

#include "base/mem.h"
#include "market/csv.h"
#include "tests/lib/bars.h"
#include "tests/lib/test.h"

#define T0 INT64_C(1769904000000) /* 2026-02-01, a Sunday */

static struct buf encode(const struct bar *bars, size_t n, enum interval iv)
{
	struct err e = {0};
	struct buf blob = {0};
	ck_ok(chunk_encode(bars, n, iv, &blob, &e), &e);
	ck_assert_int_eq(chunk_rows(blob.data, blob.len), (int)n);
	return blob;
}

/* The same bits, or both the same number: that is what "the nearest double" means. */
static void check_column(const double *got, const struct bar *bars, size_t n, size_t offset)
{
	for (size_t i = 0; i < n; i++) {
		struct dec d;
		memcpy(&d, (const char *)&bars[i] + offset, sizeof d);
		ck_assert_msg(got[i] == dec_double(d), "row %zu: %.17g is not %lld / 10^%d", i, got[i], (long long)d.units, d.scale);
	}
}

static void check_columns(const struct buf *blob, const struct bar *bars, size_t n, enum interval iv)
{
	struct err e = {0};
	struct chunk_reader *r = chunk_reader_open();
	double *d = mem_array(8 * n + 8, sizeof *d);
	int64_t *t = mem_array(3 * n + 3, sizeof *t);
	/* With a row before, which must stay as it is. */
	struct columns_out all = {t, t + n + 1, t + 2 * (n + 1), d, d + n + 1, d + 2 * (n + 1), d + 3 * (n + 1), d + 4 * (n + 1),
	        d + 5 * (n + 1), d + 6 * (n + 1), d + 7 * (n + 1)};
	t[0] = 77;
	ck_assert_int_eq(chunk_decode_columns(r, blob->data, blob->len, iv, &all, 1, &e), (int)n);
	ck_assert_int_eq(t[0], 77);
	for (size_t i = 0; i < n; i++) {
		ck_assert_int_eq(all.open_time[1 + i], bars[i].open_time);
		ck_assert_int_eq(all.close_time[1 + i], bars[i].close_time);
		ck_assert_int_eq(all.trades[1 + i], bars[i].trades);
	}
	check_column(all.open + 1, bars, n, offsetof(struct bar, open));
	check_column(all.high + 1, bars, n, offsetof(struct bar, high));
	check_column(all.low + 1, bars, n, offsetof(struct bar, low));
	check_column(all.close + 1, bars, n, offsetof(struct bar, close));
	check_column(all.volume + 1, bars, n, offsetof(struct bar, volume));
	check_column(all.quote_volume + 1, bars, n, offsetof(struct bar, quote_volume));
	check_column(all.taker_base + 1, bars, n, offsetof(struct bar, taker_base));
	check_column(all.taker_quote + 1, bars, n, offsetof(struct bar, taker_quote));
	/* Each column alone: what it is told from must be found without being asked for. */
	double *const doubles[] = {all.open, all.high, all.low, all.close, all.volume, all.quote_volume, all.taker_base, all.taker_quote};
	double *alone = mem_array(n, sizeof *alone);
	for (size_t k = 0; k < ARRAY_LEN(doubles); k++) {
		struct columns_out one = {0};
		double **const places[] = {
		        &one.open, &one.high, &one.low, &one.close, &one.volume, &one.quote_volume, &one.taker_base, &one.taker_quote};
		*places[k] = alone;
		ck_assert_int_eq(chunk_decode_columns(r, blob->data, blob->len, iv, &one, 0, &e), (int)n);
		ck_assert_mem_eq(alone, doubles[k] + 1, n * sizeof *alone);
	}
	mem_free(&alone);
	mem_free(&d);
	mem_free(&t);
	chunk_reader_close(&r);
}

static size_t roundtrip(const struct bar *bars, size_t n, enum interval iv)
{
	struct err e = {0};
	struct chunk_reader *r = chunk_reader_open();
	struct bar *back = mem_array(CHUNK_MAX, sizeof *back);
	struct buf blob = encode(bars, n, iv);
	ck_assert_msg(chunk_decode(r, blob.data, blob.len, iv, back, &e) == (int)n, "%s", e.text);
	ck_assert(bars_same(bars, back, n));
	check_columns(&blob, bars, n, iv);
	size_t size = blob.len;
	chunk_reader_close(&r);
	mem_free(&back);
	buf_close(&blob);
	return size;
}

START_TEST(every_interval_and_length_returns)
{
	static const size_t lengths[] = {1, 2, 3, 15, 16, 17, 255, CHUNK_SPAN, CHUNK_MAX};
	struct bar *bars = mem_array(CHUNK_MAX, sizeof *bars);
	for (int i = 0; i < INTERVAL_COUNT; i++)
		for (size_t k = 0; k < (i ? 7 : ARRAY_LEN(lengths)); k++) {
			bars_walk(bars, lengths[k], (enum interval)i, interval_floor((enum interval)i, T0, 0), (uint64_t)i + 100 * k);
			roundtrip(bars, lengths[k], (enum interval)i);
		}
	mem_free(&bars);
}
END_TEST

START_TEST(anything_returns)
{
	struct bar bars[300];
	uint64_t seed = 1;
	for (int round = 0; round < 300; round++) {
		size_t n = 1 + bars_random(&seed) % ARRAY_LEN(bars);
		int64_t t = (int64_t)(bars_random(&seed) % 1000000);
		for (size_t i = 0; i < n; i++) {
			bars[i] = bars_wild(&seed, t);
			t += 1 + (int64_t)(bars_random(&seed) % 100000);
		}
		roundtrip(bars, n, round % 2 ? INTERVAL_1m : INTERVAL_1M);
	}
}
END_TEST

START_TEST(digits_return_as_printed)
{
	/* Scales that differ from row to row, and units that fit into no common scale. */
	static const char *const texts[] = {
	        "1", "1.0", "1.50", "0.000000000000000001", "9223372036854775807", "-9223372036854775808", "0", "0.00"};
	struct bar bars[ARRAY_LEN(texts)];
	bars_walk(bars, ARRAY_LEN(texts), INTERVAL_1h, T0, 5);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		ck_assert(dec_parse_s(texts[i], &bars[i].close));
		ck_assert(dec_parse_s(texts[ARRAY_LEN(texts) - 1 - i], &bars[i].quote_volume));
		ck_assert(dec_parse_s(texts[i % 3], &bars[i].volume));
		ck_assert(dec_parse_s(texts[i % 2 ? 7 : 1], &bars[i].unused));
	}
	roundtrip(bars, ARRAY_LEN(texts), INTERVAL_1h);
	roundtrip(bars, 3, INTERVAL_1h);
}
END_TEST

START_TEST(holes_and_odd_times_return)
{
	struct bar bars[500];
	bars_walk(bars, ARRAY_LEN(bars), INTERVAL_1m, T0, 9);
	for (size_t i = 200; i < ARRAY_LEN(bars); i++) {
		bars[i].open_time += 90 * TIME_MINUTE + 15 * TIME_SECOND; /* as on 2018-02-09 */
		bars[i].close_time = bars[i].open_time + 44999;
	}
	roundtrip(bars, ARRAY_LEN(bars), INTERVAL_1m);
}
END_TEST

START_TEST(a_minute_costs_less_than_20_bytes)
{
	struct bar *bars = mem_array(CHUNK_SPAN, sizeof *bars);
	bars_walk(bars, CHUNK_SPAN, INTERVAL_1m, T0, 3);
	size_t size = roundtrip(bars, CHUNK_SPAN, INTERVAL_1m);
	ck_assert_msg(size <= 20 * CHUNK_SPAN, "%zu bytes for %d candles", size, CHUNK_SPAN);
	mem_free(&bars);
}
END_TEST

static void month(const char *name)
{
	const char *path = test_data(name);
	if (!path) {
		test_skip_data(name);
		return;
	}
	size_t len, rows = 0, n = 0, bytes = 0;
	struct err e = {0};
	char *text = test_read_file(path, &len);
	struct csv_reader csv;
	struct bar *bars = mem_array(CHUNK_SPAN + 1, sizeof *bars);
	csv_open(&csv, text, len);
	for (int got = 1; got == 1;) {
		got = csv_next(&csv, &bars[n], &e);
		ck_assert_msg(got >= 0, "%s", e.text);
		if (got == 1)
			ck_ok(bar_check(&bars[n], INTERVAL_1m, &e), &e);
		bool full = n > 0 && (got == 0 || bars[n].open_time >= chunk_end(INTERVAL_1m, bars[0].open_time));
		if (full) {
			bytes += roundtrip(bars, n, INTERVAL_1m);
			rows += n;
			bars[0] = bars[n];
			n = 0;
		}
		n += (size_t)got;
	}
	ck_assert_msg(bytes <= 20 * rows, "%s: %zu bytes for %zu candles", name, bytes, rows);
	printf("%s: %.2f bytes a candle\n", name, (double)bytes / (double)rows);
	mem_free(&bars);
	mem_free(&text);
}

START_TEST(real_months_return_within_20_bytes)
{
	month("um_klines_1m_archive/ALGOUSDT-1m-2025-02.csv.gz");
	month("um_klines_1m_archive/LINKUSDT-1m-2026-02.csv.gz");
	month("um_klines_api/BTCUSDT-1m.csv.gz");
}
END_TEST

START_TEST(windows_hold_their_times)
{
	for (int i = 0; i < INTERVAL_COUNT; i++) {
		enum interval iv = (enum interval)i;
		int64_t start = chunk_start(iv, T0), end = chunk_end(iv, T0);
		ck_assert(start <= T0 && T0 < end);
		ck_assert_int_eq(chunk_start(iv, start), start);
		ck_assert_int_eq(chunk_start(iv, end - 1), start);
		ck_assert_int_eq(chunk_start(iv, end), end);
		ck_assert_int_le(interval_count(iv, start, end - 1), CHUNK_SPAN + 1);
	}
	int64_t decade;
	ck_assert(time_parse("2020-01-01", &decade, NULL));
	ck_assert_int_eq(chunk_start(INTERVAL_1M, T0), decade);
	ck_assert_int_lt(chunk_start(INTERVAL_1m, -1), 0);
}
END_TEST

START_TEST(what_is_no_chunk_is_refused)
{
	struct err e = {0};
	struct buf out = {0};
	struct bar bars[3];
	bars_walk(bars, 3, INTERVAL_1m, T0, 1);
	ck_assert(!chunk_encode(bars, 0, INTERVAL_1m, &out, &e));
	bars[2].open_time = bars[1].open_time;
	ck_assert(!chunk_encode(bars, 3, INTERVAL_1m, &out, &e));
	bars[0].open_time = -1;
	ck_assert(!chunk_encode(bars, 1, INTERVAL_1m, &out, &e));
	bars[0].open_time = BAR_TIME_LAST + 1;
	ck_assert(!chunk_encode(bars, 1, INTERVAL_1m, &out, &e));
	ck_assert_int_eq(e.code, ERR_INVALID);
	ck_assert_uint_eq(out.len, 0);
	ck_assert_int_eq(chunk_rows("", 0), -1);
	ck_assert_int_eq(chunk_rows("BQC1BQC1BQC1BQC1BQC1BQC1BQC1BQC1", 32), -1);
	buf_close(&out);
}
END_TEST

static int decode_copy(struct chunk_reader *r, const struct buf *blob, size_t len, enum interval iv, struct bar *room, struct err *e)
{
	/* In memory of exactly this size, so that the sanitizer sees a read beyond it. */
	char *copy = mem_array(len + !len, 1);
	memcpy(copy, blob->data, len);
	int n = chunk_decode(r, copy, len, iv, room, e);
	mem_free(&copy);
	return n;
}

START_TEST(damage_is_found)
{
	struct err e = {0};
	struct bar bars[100], *room = mem_array(CHUNK_MAX, sizeof *room);
	struct chunk_reader *r = chunk_reader_open();
	bars_walk(bars, 100, INTERVAL_1m, T0, 2);
	struct buf blob = encode(bars, 100, INTERVAL_1m);
	ck_assert_int_eq(decode_copy(r, &blob, blob.len, INTERVAL_3m, room, &e), -1);
	ck_assert_int_eq(e.code, ERR_CORRUPT);
	for (size_t i = 0; i < blob.len; i++) {
		ck_assert_int_eq(decode_copy(r, &blob, i, INTERVAL_1m, room, &e), -1);
		blob.data[i] ^= 0x10;
		ck_assert_msg(decode_copy(r, &blob, blob.len, INTERVAL_1m, room, &e) == -1, "byte %zu", i);
		blob.data[i] ^= 0x10;
	}
	ck_assert_int_eq(decode_copy(r, &blob, blob.len, INTERVAL_1m, room, &e), 100);
	chunk_reader_close(&r);
	mem_free(&room);
	buf_close(&blob);
}
END_TEST

static void fix_checksum(struct buf *blob)
{
	uint64_t sum = chunk_checksum(blob->data, blob->len);
	for (size_t i = 0; i < 8; i++)
		blob->data[8 + i] = (char)(sum >> (8 * i));
}

START_TEST(forged_blobs_do_no_harm)
{
	/* With the right checksum the damage reaches every later check; whatever comes out, nothing outside is touched. */
	struct err e = {0};
	struct bar bars[70], *room = mem_array(CHUNK_MAX, sizeof *room);
	struct chunk_reader *r = chunk_reader_open();
	uint64_t seed = 4;
	int refused = 0;
	for (int round = 0; round < 1500; round++) {
		enum interval iv = round % 3 ? INTERVAL_1m : INTERVAL_1M;
		bars_walk(bars, ARRAY_LEN(bars), iv, interval_floor(iv, T0, 0), seed);
		if (round % 5 == 0)
			bars[round % (int)ARRAY_LEN(bars)].close = (struct dec){INT64_MAX, 0};
		struct buf blob = encode(bars, ARRAY_LEN(bars), iv);
		for (uint64_t k = 1 + bars_random(&seed) % 4; k > 0; k--)
			blob.data[16 + bars_random(&seed) % (bars_random(&seed) % 2 ? blob.len - 16 : 150)] = (char)bars_random(&seed);
		fix_checksum(&blob);
		refused += decode_copy(r, &blob, blob.len, iv, room, &e) < 0;
		int64_t times[CHUNK_MAX];
		double close[CHUNK_MAX];
		int n = chunk_decode_columns(
		        r, blob.data, blob.len, iv, &(struct columns_out){.open_time = times, .taker_quote = close}, 0, &e);
		ck_assert_int_le(n, CHUNK_MAX);
		for (int i = 1; i < n; i++)
			ck_assert_int_lt(times[i - 1], times[i]);
		buf_close(&blob);
	}
	ck_assert_int_gt(refused, 250);
	chunk_reader_close(&r);
	mem_free(&room);
}
END_TEST

static const TTest *const tests[] = {every_interval_and_length_returns, anything_returns, digits_return_as_printed,
        holes_and_odd_times_return, a_minute_costs_less_than_20_bytes, real_months_return_within_20_bytes, windows_hold_their_times,
        what_is_no_chunk_is_refused, damage_is_found, forged_blobs_do_no_harm};
TEST_MAIN("chunk", tests)
