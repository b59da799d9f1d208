/* store_private.h -- the inside of a store handle, for store_*.c. */
#ifndef STORE_STORE_PRIVATE_H
#define STORE_STORE_PRIVATE_H

#include "store/driver.h"

#define EVENT_EXCHANGE "binance-um"
#define EVENT_TOPIC    "kline.changes"

struct store {
	const struct store_driver *driver;
	void *db;
	struct chunk_reader *reader;
};

/* Read one chunk of the list and check that it is what its row says. Between begin and end. The blob lives until the next call. */
bool store_chunk_load(
        struct store *s, const struct series *series, const struct chunk_row *meta, struct chunk_row *out, struct err *e) MUST_CHECK;
/* Its candles: bars_out[CHUNK_MAX]. */
int store_chunk_bars(
        struct store *s, const struct series *series, const struct chunk_row *meta, struct bar *bars_out, struct err *e) MUST_CHECK;
/* "BTCUSDT 1m, chunk of 2026-02-01": before the text of e; false. */
bool store_chunk_blame(const struct series *series, int64_t start, struct err *e);

#endif
