/* sqlite_store.c -- the SQLite driver: DIR/crypto_data.db and DIR/backtest.db, and how series and chunks lie in tables. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "store/driver.h"
#include "store/sqlite_store.h"

#define EMBEDDED(file)                    extern const char _binary_db_migrations_sqlite_##file##_sql_start[], _binary_db_migrations_sqlite_##file##_sql_end[];
#define MIGRATION(database, number, file) EMBEDDED(file)
#include "store/migrations.def"
#undef MIGRATION

enum database { DATABASE_market, DATABASE_results, DATABASE_COUNT };

static const struct {
	enum database database;
	struct migration step;
} migrations[] = {
#define MIGRATION(database, number, file) \
	{DATABASE_##database, {number, _binary_db_migrations_sqlite_##file##_sql_start, _binary_db_migrations_sqlite_##file##_sql_end}},
#include "store/migrations.def"
#undef MIGRATION
};

/* ---- opening ------------------------------------------------------------------------------------------------------- */

static struct sqlite *open_database(const char *dir, const char *file, enum database which, struct err *e)
{
	struct migration steps[ARRAY_LEN(migrations)];
	size_t n = 0;
	char path[600];
	for (size_t i = 0; i < ARRAY_LEN(migrations); i++)
		if (migrations[i].database == which)
			steps[n++] = migrations[i].step;
	snprintf(path, sizeof path, "%s/%s", dir, file);
	return sqlite_open(path, steps, n, e);
}

/* The folder and those above it. */
static bool make_folder(const char *dir, struct err *e)
{
	char path[512];
	if (!*dir || !str_copy(path, sizeof path, dir))
		return err_set(e, ERR_INVALID, "STORE_URL \"sqlite:%.100s\" must name a folder of at most %zu bytes", dir, sizeof path - 1);
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		if (mkdir(path, 0777) != 0 && errno != EEXIST)
			return err_set(e, ERR_DENIED, "cannot make the folder %s: %s", path, strerror(errno));
		*slash = '/';
	}
	if (mkdir(path, 0777) != 0 && errno != EEXIST)
		return err_set(e, ERR_DENIED, "cannot make the folder %s: %s", path, strerror(errno));
	return true;
}

static void close_store(void *db)
{
	struct sqlite_store *s = db;
	sqlite_close(&s->market);
	sqlite_close(&s->results);
	mem_free(&s);
}

static void *open_store(const char *dir, struct err *e)
{
	struct sqlite_store *s = mem_new(sizeof *s);
	bool ok = make_folder(dir, e) && (s->market = open_database(dir, "crypto_data.db", DATABASE_market, e)) &&
	          (s->results = open_database(dir, "backtest.db", DATABASE_results, e)) &&
	          sqlite_one(s->market, SQL_IDENTITY, NO_VALUES, e) == 1;
	if (!ok) {
		close_store(s);
		return NULL;
	}
	bool fits = str_copy(s->identity, sizeof s->identity, sqlite_text(s->market, SQL_IDENTITY, 0));
	sqlite_reset(s->market, SQL_IDENTITY);
	if (fits && *s->identity)
		return s;
	err_set(e, ERR_CORRUPT, "%s/crypto_data.db: the store's identity is damaged", dir);
	close_store(s);
	return NULL;
}

static const char *identity(void *db)
{
	return ((struct sqlite_store *)db)->identity;
}

/* ---- reading ---------------------------------------------------------------------------------------------------------- */

static bool begin(void *db, bool write, struct err *e)
{
	return sqlite_begin(((struct sqlite_store *)db)->market, write, e);
}

/* A statement that is not finished would keep its snapshot open. */
static void give_back_blob(struct sqlite *db)
{
	sqlite_reset(db, SQL_CHUNK_GET);
}

static void end(void *store)
{
	struct sqlite *db = ((struct sqlite_store *)store)->market;
	give_back_blob(db);
	sqlite_rollback(db);
}

static int dropped(struct sqlite *db, const char *symbol, const char *interval, struct series_state *out, struct err *e)
{
	int got = sqlite_one(db, SQL_SERIES_DROPPED, VALUES(TEXT(symbol), TEXT(interval)), e);
	if (got <= 0)
		return got;
	out->series.revision = sqlite_int(db, SQL_SERIES_DROPPED, 0);
	out->fence = sqlite_int(db, SQL_SERIES_DROPPED, 1);
	sqlite_reset(db, SQL_SERIES_DROPPED);
	return 0;
}

static int get_series(void *store, const char *symbol, enum interval iv, struct series_state *out, struct err *e)
{
	struct sqlite *db = ((struct sqlite_store *)store)->market;
	memset(out, 0, sizeof *out);
	int got = sqlite_one(db, SQL_SERIES_GET, VALUES(TEXT(symbol), TEXT(interval_name(iv))), e);
	if (got <= 0)
		return got < 0 ? -1 : dropped(db, symbol, interval_name(iv), out, e);
	out->series = (struct series){.interval = iv,
	        .id = sqlite_int(db, SQL_SERIES_GET, 0),
	        .rows = sqlite_int(db, SQL_SERIES_GET, 1),
	        .first = sqlite_int(db, SQL_SERIES_GET, 2),
	        .last = sqlite_int(db, SQL_SERIES_GET, 3),
	        .revision = sqlite_int(db, SQL_SERIES_GET, 4),
	        .updated_at = sqlite_int(db, SQL_SERIES_GET, 5)};
	out->fence = sqlite_int(db, SQL_SERIES_GET, 6);
	sqlite_reset(db, SQL_SERIES_GET);
	return str_copy(out->series.symbol, sizeof out->series.symbol, symbol) ? 1 : err_fail(e, ERR_INVALID, "the symbol is too long");
}

static bool fill_series(struct sqlite *db, struct series *s)
{
	*s = (struct series){.id = sqlite_int(db, SQL_SERIES_LIST, 0),
	        .rows = sqlite_int(db, SQL_SERIES_LIST, 3),
	        .first = sqlite_int(db, SQL_SERIES_LIST, 4),
	        .last = sqlite_int(db, SQL_SERIES_LIST, 5),
	        .revision = sqlite_int(db, SQL_SERIES_LIST, 6),
	        .updated_at = sqlite_int(db, SQL_SERIES_LIST, 7)};
	return str_copy(s->symbol, sizeof s->symbol, sqlite_text(db, SQL_SERIES_LIST, 1)) &&
	       interval_of(sqlite_text(db, SQL_SERIES_LIST, 2), &s->interval);
}

static int list_series(void *store, enum interval iv, struct arena *a, struct series **out, struct err *e)
{
	struct sqlite *db = ((struct sqlite_store *)store)->market;
	struct sqlite_rows rows = {.arena = a, .size = sizeof **out};
	int got = -1;
	if (sqlite_start(db, SQL_SERIES_LIST, VALUES(TEXT(iv == INTERVAL_COUNT ? "" : interval_name(iv))), e))
		while ((got = sqlite_next(db, SQL_SERIES_LIST, e)) == 1)
			if (!fill_series(db, sqlite_row(&rows))) {
				sqlite_reset(db, SQL_SERIES_LIST);
				return err_fail(e, ERR_CORRUPT, "a row of table series is damaged");
			}
	*out = rows.items;
	return got < 0 ? -1 : (int)rows.n;
}

static struct chunk_row chunk_here(struct sqlite *db, enum sql id)
{
	return (struct chunk_row){.start = sqlite_int(db, id, 0),
	        .rows = sqlite_int(db, id, 1),
	        .first = sqlite_int(db, id, 2),
	        .last = sqlite_int(db, id, 3),
	        .revision = sqlite_int(db, id, 4),
	        .checksum = (uint64_t)sqlite_int(db, id, 5)};
}

static int list_chunks(void *store, int64_t series, int64_t from, int64_t to, struct arena *a, struct chunk_row **out, struct err *e)
{
	struct sqlite *db = ((struct sqlite_store *)store)->market;
	struct sqlite_rows rows = {.arena = a, .size = sizeof **out};
	int got = -1;
	if (sqlite_start(db, SQL_CHUNK_LIST, VALUES(INT(series), INT(from), INT(to)), e))
		while ((got = sqlite_next(db, SQL_CHUNK_LIST, e)) == 1)
			*(struct chunk_row *)sqlite_row(&rows) = chunk_here(db, SQL_CHUNK_LIST);
	*out = rows.items;
	return got < 0 ? -1 : (int)rows.n;
}

static int get_chunk(void *store, int64_t series, int64_t start, struct chunk_row *out, struct err *e)
{
	struct sqlite *db = ((struct sqlite_store *)store)->market;
	give_back_blob(db);
	int got = sqlite_one(db, SQL_CHUNK_GET, VALUES(INT(series), INT(start)), e);
	if (got <= 0)
		return got;
	*out = chunk_here(db, SQL_CHUNK_GET);
	out->blob = sqlite_blob(db, SQL_CHUNK_GET, 6, &out->size);
	return 1;
}

/* ---- changing ---------------------------------------------------------------------------------------------------------- */

static bool apply_series(struct sqlite *db, const struct change *c, int64_t *id_out, struct err *e)
{
	const struct series *s = &c->state.series;
	const char *interval = interval_name(s->interval);
	*id_out = s->id;
	if (c->drop)
		return sqlite_do(db, SQL_DROPPED_PUT, VALUES(TEXT(s->symbol), TEXT(interval), INT(s->revision), INT(c->state.fence)), e) &&
		       sqlite_do(db, SQL_SERIES_DROP, VALUES(INT(s->id)), e);
	if (s->id)
		return sqlite_do(db, SQL_SERIES_SET,
		        VALUES(INT(s->rows), INT(s->first), INT(s->last), INT(s->revision), INT(c->state.fence), INT(s->updated_at),
		                INT(s->id)),
		        e);
	bool ok = sqlite_do(db, SQL_SERIES_ADD,
	                  VALUES(TEXT(s->symbol), TEXT(interval), INT(s->rows), INT(s->first), INT(s->last), INT(s->revision),
	                          INT(c->state.fence), INT(s->updated_at)),
	                  e) &&
	          sqlite_do(db, SQL_DROPPED_FORGET, VALUES(TEXT(s->symbol), TEXT(interval)), e);
	*id_out = sqlite_last_id(db);
	return ok;
}

static bool apply_chunks(struct sqlite *db, const struct change *c, int64_t series, struct err *e)
{
	for (size_t i = 0; i < c->n_deletes; i++)
		if (!sqlite_do(db, SQL_CHUNK_DELETE, VALUES(INT(series), INT(c->deletes[i])), e))
			return false;
	for (size_t i = 0; i < c->n_puts; i++) {
		const struct chunk_row *r = &c->puts[i];
		if (!sqlite_do(db, SQL_CHUNK_PUT,
		            VALUES(INT(series), INT(r->start), INT(r->rows), INT(r->first), INT(r->last), INT(r->revision),
		                    INT((int64_t)r->checksum), BLOB(r->blob, r->size)),
		            e))
			return false;
	}
	return true;
}

static bool commit(void *store, const struct change *c, struct err *e)
{
	struct sqlite *db = ((struct sqlite_store *)store)->market;
	int64_t id;
	give_back_blob(db);
	if (apply_series(db, c, &id, e) && (c->drop || apply_chunks(db, c, id, e)) && sqlite_outbox_add(db, c->event, e))
		return sqlite_commit(db, e);
	sqlite_rollback(db);
	return false;
}

static int check(void *store, int64_t deadline, char problem[400], struct err *e)
{
	struct sqlite_store *s = store;
	int sound = sqlite_check(s->market, deadline, problem, e);
	return sound == 1 ? sqlite_check(s->results, deadline, problem, e) : sound;
}

const struct store_driver store_driver_sqlite = {.scheme = "sqlite",
        .open = open_store,
        .close = close_store,
        .identity = identity,
        .begin = begin,
        .end = end,
        .commit = commit,
        .series = get_series,
        .series_list = list_series,
        .chunks = list_chunks,
        .chunk = get_chunk,
        .symbols_put = sqlite_symbols_put,
        .symbols_list = sqlite_symbols_list,
        .absent_put = sqlite_absent_put,
        .absent_list = sqlite_absent_list,
        .result_put = sqlite_result_put,
        .result_get = sqlite_result_get,
        .result_list = sqlite_result_list,
        .outbox_take = sqlite_outbox_take,
        .outbox_sent = sqlite_outbox_sent,
        .outbox_put = sqlite_outbox_put,
        .outbox_count = sqlite_outbox_count,
        .history_put = sqlite_history_put,
        .history_get = sqlite_history_get,
        .history_list = sqlite_history_list,
        .history_count = sqlite_history_count,
        .history_trim = sqlite_history_trim,
        .check = check,
        .relay_lease = sqlite_relay_lease};
