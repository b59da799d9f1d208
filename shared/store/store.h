/* store.h -- the door to the facts: candles, symbols, results, and the outbox of events. Drivers: sqlite:DIR, memory:
 *
 * sqlite:DIR keeps DIR/crypto_data.db (candles, symbols, outbox) and DIR/backtest.db (results), both WAL, safe under several
 * processes of one host. postgres:// is planned as a driver of its own and is refused with that sentence today.
 * What changed and the event that says so are written in one transaction. A handle belongs to one thread.
 *
 * Rules: 1. a series never holds two bars of one open time; 2. the revision of a series grows with every change of it;
 * 3. a write with a stale fence (lower than one that already wrote this series) is refused with ERR_STALE;
 * 4. every committed change of bars has exactly one outbox row.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/base.h"
#include "base/err.h"
#include "base/mem.h"
#include "market/bar.h"
#include "market/chunk.h"
#include "market/columns.h"
#include "market/interval.h"

struct store;

/* Opens and migrates (db/migrations, compiled in). e: url, path, right or version that was wrong. A handle does not survive fork:
 * each process opens its own. memory:NAME is shared within the process under that name and is gone with its last handle. */
struct store *store_open(const char *url, struct err *e) MUST_CHECK;
void store_close(struct store **s);
/* A random name made with the store, the same for every handle of it: tells two stores apart. Lives as long as the handle. */
const char *store_identity(struct store *s);

/* ---- series and bars ---------------------------------------------------------------------------------------- */

struct series {
	char symbol[SYMBOL_SIZE];
	enum interval interval;
	int64_t id; /* creation order: ties in the origin's strategy go by it */
	int64_t rows;
	int64_t first, last; /* open times; 0 when rows is 0 */
	int64_t revision;    /* 0: never written */
	int64_t updated_at;
};

/* 1 / 0 (no such series) / -1. */
int store_series(struct store *s, const char *symbol, enum interval iv, struct series *out, struct err *e) MUST_CHECK;
/* All series of an interval (or of all: INTERVAL_COUNT), in creation order, in arena memory. Returns the count, -1 failed. */
int store_series_list(struct store *s, enum interval iv, struct arena *a, struct series **out, struct err *e) MUST_CHECK;

enum put_mode { PUT_KEEP /* existing bars stay */, PUT_OVERWRITE };

struct store_writer {    /* who writes: for fencing and for the event */
	const char *job; /* id, or "" for writes outside jobs */
	int64_t fence;   /* 0: not fenced, never refused */
};

struct put_result {
	int64_t inserted, updated, same; /* same: an equal bar was there; the rest of n was kept as it was (PUT_KEEP) */
	int64_t revision;                /* of the series after this call */
};

/* Put bars[n] (ascending, each passes bar_check, closed ones only: the caller's duty) in one transaction with their event
 * (kline.range.updated.v1). Nothing is written and no event made when nothing changed. n may exceed CHUNK_MAX. */
bool store_bars_put(struct store *s, const char *symbol, enum interval iv, const struct bar *bars, size_t n, enum put_mode mode,
        const struct store_writer *who, struct put_result *out, struct err *e) MUST_CHECK;
/* Delete bars with from <= open_time <= to, with their event (kline.range.deleted.v1); *deleted_out how many. With the whole
 * range of time (from <= 0, to == INT64_MAX) the series itself goes too; made again, its revision goes on from where it was. */
bool store_bars_delete(struct store *s, const char *symbol, enum interval iv, int64_t from, int64_t to, const struct store_writer *who,
        int64_t *deleted_out, struct err *e) MUST_CHECK;

/* Read from <= open_time <= to, ascending, exact, into arena memory. One consistent snapshot. *revision_out may be NULL. */
bool store_bars_get(struct store *s, const char *symbol, enum interval iv, int64_t from, int64_t to, struct arena *a, struct bar **bars_out,
        size_t *n_out, int64_t *revision_out, struct err *e) MUST_CHECK;
/* Bars in the range, and reading counted from the newest, as the origin pages: skip the newest `offset`, then take the newest
 * `limit` (< 0: all) of what is left; ascending. Decodes only the chunks that it needs. */
bool store_bars_page(struct store *s, const char *symbol, enum interval iv, int64_t from, int64_t to, int64_t limit, int64_t offset,
        struct arena *a, struct bar **bars_out, size_t *n_out, int64_t *total_out, struct err *e) MUST_CHECK;
/* Columns as doubles; set is a mask of enum column_set; arrays live in the arena. */
bool store_columns_get(struct store *s, const char *symbol, enum interval iv, int64_t from, int64_t to, unsigned set, struct arena *a,
        struct columns *out, int64_t *revision_out, struct err *e) MUST_CHECK;
/* Open times present in the range, for finding holes; arena memory. */
bool store_times_get(struct store *s, const char *symbol, enum interval iv, int64_t from, int64_t to, struct arena *a, int64_t **out,
        size_t *n_out, struct err *e) MUST_CHECK;

/* ---- what the exchange trades ------------------------------------------------------------------------------- */

struct symbol_row {
	char symbol[SYMBOL_SIZE];
	char status[24];    /* TRADING, ... */
	int64_t onboard_at; /* ms; 0: not known */
	int64_t updated_at;
};
bool store_symbols_put(struct store *s, const struct symbol_row *rows, size_t n, struct err *e) MUST_CHECK; /* upsert */
int store_symbols_list(struct store *s, struct arena *a, struct symbol_row **out, struct err *e) MUST_CHECK;

/* Ranges that the exchange itself does not have (asked, answered empty): not holes to be filled. */
bool store_absent_put(struct store *s, const char *symbol, enum interval iv, int64_t from, int64_t to, struct err *e) MUST_CHECK;
struct absent_range {
	int64_t from, to;
};
int store_absent_list(
        struct store *s, const char *symbol, enum interval iv, struct arena *a, struct absent_range **out, struct err *e) MUST_CHECK;

/* ---- results of backtests ----------------------------------------------------------------------------------- */

struct result_row {
	char job[48];
	char strategy[32];
	int64_t created_at;
	const char *params;  /* JSON */
	const char *summary; /* JSON: statistics, data used (revision, hash), file names */
};
/* Keyed by job: put again by the same job replaces, with a lower fence is refused (ERR_STALE). */
bool store_result_put(struct store *s, const struct result_row *row, int64_t fence, struct err *e) MUST_CHECK;
int store_result_get(struct store *s, const char *job, struct arena *a, struct result_row *out, struct err *e) MUST_CHECK; /* 1/0/-1 */
/* Newest first, created before `before_ms` (0: now); returns the count in arena memory, -1 failed. */
int store_result_list(struct store *s, int64_t before_ms, int limit, struct arena *a, struct result_row **out, struct err *e) MUST_CHECK;

/* ---- the outbox --------------------------------------------------------------------------------------------- */

struct outbox_row {
	int64_t seq;    /* order of commit */
	char topic[64]; /* short name without prefix: "kline.changes" */
	char key[96];   /* exchange|symbol|interval */
	char type[64];  /* "kline.range.updated.v1" */
	char id[64];    /* CloudEvents id: unique for ever */
	int64_t time_ms;
	const char *data; /* JSON */
};
/* The oldest unsent rows, in order. */
int store_outbox_take(struct store *s, int limit, struct arena *a, struct outbox_row **out, struct err *e) MUST_CHECK;
/* All rows with seq <= upto are confirmed by Kafka: forget them. */
bool store_outbox_sent(struct store *s, int64_t upto, struct err *e) MUST_CHECK;
/* Append an event of another kind (job ends). Same transaction rules do not apply: it is its own fact. */
bool store_outbox_put(struct store *s, const struct outbox_row *row, struct err *e) MUST_CHECK; /* seq, time ignored when 0 */
bool store_outbox_count(struct store *s, int64_t *out, struct err *e) MUST_CHECK;
/* Only one relay may run per store: take or renew the lease for ttl_ms, or give it up with 0. 1: ours, 0: another's, -1 failed. */
int store_relay_lease(struct store *s, const char *owner, int64_t ttl_ms, struct err *e) MUST_CHECK;

/* ---- looking at its health -------------------------------------------------------------------------------------- */

struct store_health {
	bool whole;               /* the backend's own check came to its end */
	int64_t chunks;           /* of candles that were decoded */
	int64_t outbox;           /* events that wait to be sent */
	int64_t outbox_oldest_ms; /* when the oldest of them was made; 0: none waits */
	char problem[400];        /* the first thing that is damaged; "": nothing was seen */
};
/* Ask the backend whether its files are sound, and decode the first and the last chunk of at most max_series series, whose checksums then must
 * fit. Ends at the deadline (clock_mono_ms) with what was looked at until then. 1 sound, 0: problem says what is not, -1 failed. */
int store_check(struct store *s, int64_t deadline, int max_series, struct arena *a, struct store_health *out, struct err *e) MUST_CHECK;

#endif
