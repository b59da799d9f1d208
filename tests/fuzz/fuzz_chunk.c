/* fuzz_chunk.c -- any bytes as a chunk, with the right checksum, to the decoder; and any bytes as candles there and back. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "market/chunk.h"

#define HEAD 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* A blob with magic, interval and checksum as they should be, so that what lies behind them is reached. */
static void decode(struct chunk_reader *r, enum interval iv, const uint8_t *data, size_t size)
{
	static struct bar bars[CHUNK_MAX];
	static double close[CHUNK_MAX], quote[CHUNK_MAX];
	static int64_t times[CHUNK_MAX];
	struct err e = {0};
	uint8_t *blob = mem_array(size, 1);
	memcpy(blob, data, size);
	memcpy(blob, "BQC1", 4);
	blob[4] = (uint8_t)iv;
	blob[5] = 0;
	uint64_t sum = chunk_checksum(blob, size);
	memcpy(blob + 8, &sum, sizeof sum);
	int n = chunk_decode(r, blob, size, iv, bars, &e);
	int m = chunk_decode_columns(
	        r, blob, size, iv, &(struct columns_out){.open_time = times, .close = close, .taker_quote = quote}, 0, &e);
	must(n < 0 || m == n); /* candles are checked more */
	for (int i = 1; i < n; i++)
		must(bars[i - 1].open_time < bars[i].open_time);
	mem_free(&blob);
}

struct bytes {
	const uint8_t *at;
	size_t left;
};

static int64_t take(struct bytes *b)
{
	uint8_t v[8] = {0};
	size_t n = b->left ? 1 + *b->at % 8 : 0; /* mostly small numbers */
	if (n > b->left)
		n = b->left;
	memcpy(v, b->at, n);
	b->at += n;
	b->left -= n;
	int64_t out;
	memcpy(&out, v, sizeof out);
	return out;
}

static struct dec take_dec(struct bytes *b)
{
	int64_t units = take(b);
	return (struct dec){units, (int8_t)((uint64_t)take(b) % (DEC_SCALE_MAX + 1))};
}

static bool same(struct dec a, struct dec b)
{
	return a.units == b.units && a.scale == b.scale;
}

static void there_and_back(struct chunk_reader *r, enum interval iv, struct bytes b)
{
	static struct bar bars[64], back[CHUNK_MAX];
	struct err e = {0};
	struct buf blob = {0};
	size_t n = 0;
	for (int64_t t = 0; n < ARRAY_LEN(bars) && b.left; n++) {
		t += 1 + (take(&b) & 0xffffff);
		bars[n] = (struct bar){.open_time = t,
		        .close_time = take(&b),
		        .open = take_dec(&b),
		        .high = take_dec(&b),
		        .low = take_dec(&b),
		        .close = take_dec(&b),
		        .volume = take_dec(&b),
		        .quote_volume = take_dec(&b),
		        .trades = take(&b),
		        .taker_base = take_dec(&b),
		        .taker_quote = take_dec(&b),
		        .unused = take_dec(&b)};
	}
	if (n == 0)
		return;
	must(chunk_encode(bars, n, iv, &blob, &e));
	must(chunk_decode(r, blob.data, blob.len, iv, back, &e) == (int)n);
	for (size_t i = 0; i < n; i++) {
		must(bars[i].open_time == back[i].open_time && bars[i].close_time == back[i].close_time &&
		        bars[i].trades == back[i].trades);
		must(same(bars[i].open, back[i].open) && same(bars[i].high, back[i].high) && same(bars[i].low, back[i].low));
		must(same(bars[i].close, back[i].close) && same(bars[i].volume, back[i].volume) && same(bars[i].unused, back[i].unused));
		must(same(bars[i].quote_volume, back[i].quote_volume) && same(bars[i].taker_base, back[i].taker_base));
		must(same(bars[i].taker_quote, back[i].taker_quote));
	}
	buf_close(&blob);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 + HEAD)
		return 0;
	struct chunk_reader *r = chunk_reader_open();
	enum interval iv = (enum interval)(data[0] % INTERVAL_COUNT);
	if (data[0] & 0x80)
		there_and_back(r, iv, (struct bytes){data + 1, size - 1});
	else
		decode(r, iv, data + 1, size - 1);
	chunk_reader_close(&r);
	return 0;
}
