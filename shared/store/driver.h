/* driver.h -- what a backend of the store must do: keep and find rows. What the rows mean is decided above it, in store_*.c.
 *
 * A read or a change of candles stands between begin and its end. Between begin(write) and commit no other handle, in this or
 * any other process, may change anything: what was read stays true until the change is applied. commit applies the whole change
 * or nothing, and it alone writes; so a backend needs no undo of its own.
 */
#ifndef STORE_DRIVER_H
#define STORE_DRIVER_H

#include "store/history.h"
#include "store/store.h"

struct series_state {
	struct series series;
	int64_t fence; /* the highest that wrote it */
};

struct chunk_row {
	int64_t start; /* of its window */
	int64_t rows, first, last;
	int64_t revision; /* of the series when the chunk was written */
	uint64_t checksum;
	const void *blob; /* NULL in lists */
	size_t size;
};

/* One change of one series, with the event that tells of it. */
struct change {
	struct series_state state; /* as it shall stand; series.id 0: make it */
	bool drop;                 /* the series goes; its revision and fence are remembered */
	const struct chunk_row *puts;
	size_t n_puts;
	const int64_t *deletes; /* starts of chunks that go */
	size_t n_deletes;
	const struct outbox_row *event;
};

/* An end of a job in the order of ends. */
struct history_place {
	int64_t finished_at;
	char id[JOB_ID]; /* "": before all of that time */
};

struct store_driver {
	const char *scheme;
	void *(*open)(const char *where, struct err *e); /* NULL: failed */
	void (*close)(void *db);
	const char *(*identity)(void *db); /* random, made with the store, the same for all handles */

	bool (*begin)(void *db, bool write, struct err *e);
	void (*end)(void *db);                                           /* of a read, or of a write that is abandoned */
	bool (*commit)(void *db, const struct change *c, struct err *e); /* ends the write in any case */
	/* 1; 0: no such series, and then revision and fence are those of the one that was dropped, if any; -1. */
	int (*series)(void *db, const char *symbol, enum interval iv, struct series_state *out, struct err *e);
	int (*series_list)(void *db, enum interval iv, struct arena *a, struct series **out, struct err *e);
	/* The chunks with from <= start <= to, ascending, without their blobs; the count or -1. */
	int (*chunks)(void *db, int64_t series, int64_t from, int64_t to, struct arena *a, struct chunk_row **out, struct err *e);
	/* 1, 0, -1. The blob lives until the next call on this handle. */
	int (*chunk)(void *db, int64_t series, int64_t start, struct chunk_row *out, struct err *e);

	/* Each of these is a transaction of its own; meanings as in store.h. */
	bool (*symbols_put)(void *db, const struct symbol_row *rows, size_t n, struct err *e);
	int (*symbols_list)(void *db, struct arena *a, struct symbol_row **out, struct err *e);
	bool (*absent_put)(void *db, const char *symbol, enum interval iv, int64_t from, int64_t to, struct err *e);
	int (*absent_list)(void *db, const char *symbol, enum interval iv, struct arena *a, struct absent_range **out, struct err *e);
	bool (*result_put)(void *db, const struct result_row *row, int64_t fence, struct err *e);
	int (*result_get)(void *db, const char *job, struct arena *a, struct result_row *out, struct err *e);
	int (*result_list)(void *db, int64_t before_ms, int limit, struct arena *a, struct result_row **out, struct err *e);
	int (*outbox_take)(void *db, int limit, struct arena *a, struct outbox_row **out, struct err *e);
	bool (*outbox_sent)(void *db, int64_t upto, struct err *e);
	bool (*outbox_put)(void *db, const struct outbox_row *row, struct err *e);
	bool (*outbox_count)(void *db, int64_t *out, struct err *e);
	bool (*history_put)(void *db, const struct history_entry *entries, size_t n, int64_t *written_out, struct err *e);
	int (*history_get)(void *db, const char *id, struct arena *a, struct history_row *out, struct err *e);
	int (*history_list)(void *db, const struct history_filter *f, const struct history_place *before, int limit, struct arena *a,
	        struct history_row **out, struct err *e);
	bool (*history_count)(void *db, int64_t *out, struct err *e);
	bool (*history_trim)(void *db, int64_t before_ms, int limit, int64_t *deleted_out, struct err *e);
	/* Are the files sound? 1; 0: problem says what is not; 2: it took too long; -1. */
	int (*check)(void *db, int64_t deadline, char problem[400], struct err *e);
	int (*relay_lease)(void *db, const char *owner, int64_t ttl_ms, int64_t now_ms, struct err *e);
};

#define STORE_DRIVER(scheme) extern const struct store_driver store_driver_##scheme;
#include "store/drivers.def"
#undef STORE_DRIVER

#endif
