/* sqlite_tables.c -- the smaller tables of the SQLite driver: symbols, absent ranges, results, outbox, lease. */
#include <string.h>

#include "store/sqlite_store.h"

static struct sqlite *market_of(void *store)
{
	return ((struct sqlite_store *)store)->market;
}

static struct sqlite *results_of(void *store)
{
	return ((struct sqlite_store *)store)->results;
}

void *sqlite_row(struct sqlite_rows *rows)
{
	if (rows->n == rows->room) {
		size_t room = rows->room ? 2 * rows->room : 16;
		void *wider = arena_array(rows->arena, room, rows->size);
		if (rows->n)
			memcpy(wider, rows->items, rows->n * rows->size);
		rows->items = wider;
		rows->room = room;
	}
	return (char *)rows->items + rows->n++ * rows->size;
}

static bool finish(struct sqlite *db, bool ok, struct err *e)
{
	if (ok)
		return sqlite_commit(db, e);
	sqlite_rollback(db);
	return false;
}

static int damaged(struct sqlite *db, enum sql id, struct err *e)
{
	sqlite_reset(db, id);
	return err_fail(e, ERR_CORRUPT, "a row of the store is damaged: a text is too long");
}

/* ---- symbols ------------------------------------------------------------------------------------------------------ */

bool sqlite_symbols_put(void *store, const struct symbol_row *rows, size_t n, struct err *e)
{
	struct sqlite *db = market_of(store);
	if (!sqlite_begin(db, true, e))
		return false;
	bool ok = true;
	for (size_t i = 0; ok && i < n; i++)
		ok = sqlite_do(db, SQL_SYMBOL_PUT,
		        VALUES(TEXT(rows[i].symbol), TEXT(rows[i].status), INT(rows[i].onboard_at), INT(rows[i].updated_at)), e);
	return finish(db, ok, e);
}

int sqlite_symbols_list(void *store, struct arena *a, struct symbol_row **out, struct err *e)
{
	struct sqlite *db = market_of(store);
	struct sqlite_rows rows = {.arena = a, .size = sizeof **out};
	int got = sqlite_start(db, SQL_SYMBOL_LIST, NO_VALUES, e) ? 0 : -1;
	while (got >= 0 && (got = sqlite_next(db, SQL_SYMBOL_LIST, e)) == 1) {
		struct symbol_row *r = sqlite_row(&rows);
		if (!str_copy(r->symbol, sizeof r->symbol, sqlite_text(db, SQL_SYMBOL_LIST, 0)) ||
		        !str_copy(r->status, sizeof r->status, sqlite_text(db, SQL_SYMBOL_LIST, 1)))
			return damaged(db, SQL_SYMBOL_LIST, e);
		r->onboard_at = sqlite_int(db, SQL_SYMBOL_LIST, 2);
		r->updated_at = sqlite_int(db, SQL_SYMBOL_LIST, 3);
	}
	*out = rows.items;
	return got < 0 ? -1 : (int)rows.n;
}

/* ---- absent ranges -------------------------------------------------------------------------------------------------- */

/* Ranges that touch the new one are joined with it, so that asking again and again leaves one row. */
static bool absent_join(struct sqlite *db, const char *symbol, const char *interval, int64_t *from, int64_t *to, struct err *e)
{
	if (sqlite_one(db, SQL_ABSENT_TOUCHED, VALUES(TEXT(symbol), TEXT(interval), INT(*to + 1), INT(*from - 1)), e) != 1)
		return false;
	int64_t low = sqlite_int(db, SQL_ABSENT_TOUCHED, 0), high = sqlite_int(db, SQL_ABSENT_TOUCHED, 1);
	bool touched = sqlite_int(db, SQL_ABSENT_TOUCHED, 2) > 0;
	sqlite_reset(db, SQL_ABSENT_TOUCHED);
	if (!touched)
		return true;
	*from = low < *from ? low : *from;
	*to = high > *to ? high : *to;
	return sqlite_do(db, SQL_ABSENT_DELETE, VALUES(TEXT(symbol), TEXT(interval), INT(*from), INT(*to)), e);
}

bool sqlite_absent_put(void *store, const char *symbol, enum interval iv, int64_t from, int64_t to, struct err *e)
{
	struct sqlite *db = market_of(store);
	const char *interval = interval_name(iv);
	if (!sqlite_begin(db, true, e))
		return false;
	bool ok = absent_join(db, symbol, interval, &from, &to, e) &&
	          sqlite_do(db, SQL_ABSENT_ADD, VALUES(TEXT(symbol), TEXT(interval), INT(from), INT(to)), e);
	return finish(db, ok, e);
}

int sqlite_absent_list(void *store, const char *symbol, enum interval iv, struct arena *a, struct absent_range **out, struct err *e)
{
	struct sqlite *db = market_of(store);
	struct sqlite_rows rows = {.arena = a, .size = sizeof **out};
	int got = sqlite_start(db, SQL_ABSENT_LIST, VALUES(TEXT(symbol), TEXT(interval_name(iv))), e) ? 0 : -1;
	while (got >= 0 && (got = sqlite_next(db, SQL_ABSENT_LIST, e)) == 1)
		*(struct absent_range *)sqlite_row(&rows) =
		        (struct absent_range){sqlite_int(db, SQL_ABSENT_LIST, 0), sqlite_int(db, SQL_ABSENT_LIST, 1)};
	*out = rows.items;
	return got < 0 ? -1 : (int)rows.n;
}

/* ---- results --------------------------------------------------------------------------------------------------------- */

static bool result_fence_ok(struct sqlite *db, const char *job, int64_t fence, struct err *e)
{
	int got = sqlite_one(db, SQL_RESULT_FENCE, VALUES(TEXT(job)), e);
	if (got <= 0)
		return got == 0;
	int64_t written = sqlite_int(db, SQL_RESULT_FENCE, 0);
	sqlite_reset(db, SQL_RESULT_FENCE);
	return fence >= written || err_set(e, ERR_STALE, "the result of job %s was written under fence %lld; this run holds %lld", job,
	                                   (long long)written, (long long)fence);
}

bool sqlite_result_put(void *store, const struct result_row *row, int64_t fence, struct err *e)
{
	struct sqlite *db = results_of(store);
	if (!sqlite_begin(db, true, e))
		return false;
	bool ok = result_fence_ok(db, row->job, fence, e) && sqlite_do(db, SQL_RESULT_PUT,
	                                                             VALUES(TEXT(row->job), TEXT(row->strategy), INT(row->created_at),
	                                                                     TEXT(row->params), TEXT(row->summary), INT(fence)),
	                                                             e);
	return finish(db, ok, e);
}

static bool fill_result(struct sqlite *db, enum sql id, struct arena *a, struct result_row *r)
{
	r->created_at = sqlite_int(db, id, 2);
	r->params = arena_strdup(a, sqlite_text(db, id, 3));
	r->summary = arena_strdup(a, sqlite_text(db, id, 4));
	return str_copy(r->job, sizeof r->job, sqlite_text(db, id, 0)) && str_copy(r->strategy, sizeof r->strategy, sqlite_text(db, id, 1));
}

int sqlite_result_get(void *store, const char *job, struct arena *a, struct result_row *out, struct err *e)
{
	struct sqlite *db = results_of(store);
	int got = sqlite_one(db, SQL_RESULT_GET, VALUES(TEXT(job)), e);
	if (got != 1)
		return got;
	if (!fill_result(db, SQL_RESULT_GET, a, out))
		return damaged(db, SQL_RESULT_GET, e);
	sqlite_reset(db, SQL_RESULT_GET);
	return 1;
}

int sqlite_result_list(void *store, int64_t before_ms, int limit, struct arena *a, struct result_row **out, struct err *e)
{
	struct sqlite *db = results_of(store);
	struct sqlite_rows rows = {.arena = a, .size = sizeof **out};
	int got = sqlite_start(db, SQL_RESULT_LIST, VALUES(INT(before_ms), INT(limit)), e) ? 0 : -1;
	while (got >= 0 && (got = sqlite_next(db, SQL_RESULT_LIST, e)) == 1)
		if (!fill_result(db, SQL_RESULT_LIST, a, sqlite_row(&rows)))
			return damaged(db, SQL_RESULT_LIST, e);
	*out = rows.items;
	return got < 0 ? -1 : (int)rows.n;
}

/* ---- the outbox -------------------------------------------------------------------------------------------------------- */

bool sqlite_outbox_add(struct sqlite *market, const struct outbox_row *row, struct err *e)
{
	return sqlite_do(market, SQL_OUTBOX_ADD,
	        VALUES(TEXT(row->topic), TEXT(row->key), TEXT(row->type), TEXT(row->id), INT(row->time_ms), TEXT(row->data)), e);
}

bool sqlite_outbox_put(void *store, const struct outbox_row *row, struct err *e)
{
	return sqlite_outbox_add(market_of(store), row, e);
}

static bool fill_event(struct sqlite *db, struct arena *a, struct outbox_row *r)
{
	r->seq = sqlite_int(db, SQL_OUTBOX_TAKE, 0);
	r->time_ms = sqlite_int(db, SQL_OUTBOX_TAKE, 5);
	r->data = arena_strdup(a, sqlite_text(db, SQL_OUTBOX_TAKE, 6));
	return str_copy(r->topic, sizeof r->topic, sqlite_text(db, SQL_OUTBOX_TAKE, 1)) &&
	       str_copy(r->key, sizeof r->key, sqlite_text(db, SQL_OUTBOX_TAKE, 2)) &&
	       str_copy(r->type, sizeof r->type, sqlite_text(db, SQL_OUTBOX_TAKE, 3)) &&
	       str_copy(r->id, sizeof r->id, sqlite_text(db, SQL_OUTBOX_TAKE, 4));
}

int sqlite_outbox_take(void *store, int limit, struct arena *a, struct outbox_row **out, struct err *e)
{
	struct sqlite *db = market_of(store);
	struct sqlite_rows rows = {.arena = a, .size = sizeof **out};
	int got = sqlite_start(db, SQL_OUTBOX_TAKE, VALUES(INT(limit)), e) ? 0 : -1;
	while (got >= 0 && (got = sqlite_next(db, SQL_OUTBOX_TAKE, e)) == 1)
		if (!fill_event(db, a, sqlite_row(&rows)))
			return damaged(db, SQL_OUTBOX_TAKE, e);
	*out = rows.items;
	return got < 0 ? -1 : (int)rows.n;
}

bool sqlite_outbox_sent(void *store, int64_t upto, struct err *e)
{
	return sqlite_do(market_of(store), SQL_OUTBOX_SENT, VALUES(INT(upto)), e);
}

bool sqlite_outbox_count(void *store, int64_t *out, struct err *e)
{
	struct sqlite *db = market_of(store);
	if (sqlite_one(db, SQL_OUTBOX_COUNT, NO_VALUES, e) != 1)
		return false;
	*out = sqlite_int(db, SQL_OUTBOX_COUNT, 0);
	sqlite_reset(db, SQL_OUTBOX_COUNT);
	return true;
}

/* ---- the relay's lease ---------------------------------------------------------------------------------------------------- */

enum lease { LEASE_FREE, LEASE_OURS, LEASE_OTHERS, LEASE_FAILED };

static enum lease lease_state(struct sqlite *db, const char *owner, int64_t now_ms, int64_t *until_out, struct err *e)
{
	int got = sqlite_one(db, SQL_LEASE_GET, NO_VALUES, e);
	if (got <= 0)
		return got == 0 ? LEASE_FREE : LEASE_FAILED;
	bool ours = strcmp(sqlite_text(db, SQL_LEASE_GET, 0), owner) == 0;
	*until_out = sqlite_int(db, SQL_LEASE_GET, 1);
	sqlite_reset(db, SQL_LEASE_GET);
	return *until_out <= now_ms ? LEASE_FREE : ours ? LEASE_OURS : LEASE_OTHERS;
}

int sqlite_relay_lease(void *store, const char *owner, int64_t ttl_ms, int64_t now_ms, struct err *e)
{
	struct sqlite *db = market_of(store);
	int64_t until = 0;
	/* A look without the write lock: a relay asks at every turn, and most of them need not write. */
	enum lease lease = lease_state(db, owner, now_ms, &until, e);
	if (lease == LEASE_FAILED)
		return -1;
	if (lease == LEASE_OTHERS || (lease == LEASE_OURS && ttl_ms > 0 && until - now_ms > ttl_ms / 2))
		return lease == LEASE_OURS;
	if (!sqlite_begin(db, true, e))
		return -1;
	lease = lease_state(db, owner, now_ms, &until, e);
	if (lease == LEASE_OTHERS || lease == LEASE_FAILED) {
		sqlite_rollback(db);
		return lease == LEASE_FAILED ? -1 : 0;
	}
	bool ok = sqlite_do(db, SQL_LEASE_PUT, VALUES(TEXT(owner), INT(now_ms + ttl_ms)), e);
	return finish(db, ok, e) ? 1 : -1;
}
