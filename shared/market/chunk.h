/* chunk.h -- the chunk codec (door to zstd): up to CHUNK_MAX candles of one series as one checked blob, exact to the digit.
 *
 * Layout: see chunk_private.h. Column-wise; times as one start where they are regular; decimals as int64 units of the column's
 * largest scale (with the scales of the rows only where they differ); prices relative to the close, quote volumes relative to
 * volume x price; then byte planes, each as it is, constant or a zstd frame. A checksum covers the whole blob.
 * A chunk of a series holds the bars whose open time lies in [chunk_start, chunk_end): aligned, so that appending a bar
 * rewrites one chunk: CHUNK_SPAN bars of the interval's step, counted from the epoch (1M: the ten years of a decade).
 * Hostile input (a blob from a file or database) is checked in full: decoding never reads or writes outside its buffers.
 * A call needs about 450 KB of stack.
 */
#ifndef MARKET_CHUNK_H
#define MARKET_CHUNK_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"
#include "market/bar.h"
#include "market/columns.h"
#include "market/interval.h"

#define CHUNK_SPAN 1920 /* bars of a fixed step in one chunk: 32 h of 1m, 80 days of 1h */
#define CHUNK_MAX  4096 /* rows a blob may hold */

/* The aligned window that t falls into. */
int64_t chunk_start(enum interval iv, int64_t t_ms);
int64_t chunk_end(enum interval iv, int64_t t_ms); /* exclusive */

/* bars[n] ascending by open_time, 1 <= n <= CHUNK_MAX. Appends the blob to out. Bars that bar_check would refuse are kept as
 * exactly as any other: what was stored wrong must be readable, to be found. */
bool chunk_encode(const struct bar *bars, size_t n, enum interval iv, struct buf *out, struct err *e) MUST_CHECK;
/* Rows in a blob without decoding it; -1: not a chunk. */
int chunk_rows(const void *blob, size_t size);
/* Against accidents: what the blob's own checksum field must hold; 0 for less than a head. chunk_sum is the same sum over any bytes. */
uint64_t chunk_checksum(const void *blob, size_t size);
uint64_t chunk_sum(const void *data, size_t len);
/* What that field of a blob holds, right or wrong; for blobs of which chunk_rows knows the count. */
uint64_t chunk_claimed(const void *blob);

/* What decoding needs, made once for many chunks: making it costs a fifth of reading one. */
struct chunk_reader;
struct chunk_reader *chunk_reader_open(void) __attribute__((returns_nonnull));
void chunk_reader_close(struct chunk_reader **r);

/* bars_out[CHUNK_MAX]; returns the row count, -1 with ERR_CORRUPT. */
int chunk_decode(struct chunk_reader *r, const void *blob, size_t size, enum interval iv, struct bar *bars_out, struct err *e) MUST_CHECK;
/* Only the asked columns, straight to doubles / int64, at into->COLUMN + row: arrays must have room for chunk_rows() more.
 * Returns the row count, -1 with ERR_CORRUPT. */
struct columns_out {
	int64_t *open_time, *close_time, *trades;
	double *open, *high, *low, *close, *volume, *quote_volume, *taker_base, *taker_quote; /* NULL: not wanted */
};
int chunk_decode_columns(struct chunk_reader *r, const void *blob, size_t size, enum interval iv, const struct columns_out *into,
        size_t row, struct err *e) MUST_CHECK;

#endif
