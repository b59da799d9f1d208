/* store.c -- opening a store by its URL, and what is handed to its driver as it is. */
#include "store/store.h"

#include <string.h>

#include "base/clock.h"
#include "store/store_private.h"

static const struct store_driver *const drivers[] = {
#define STORE_DRIVER(scheme) &store_driver_##scheme,
#include "store/drivers.def"
#undef STORE_DRIVER
};

static const struct store_driver *driver_of(const char *url, const char **where_out)
{
	const char *colon = strchr(url, ':');
	for (size_t i = 0; colon && i < ARRAY_LEN(drivers); i++)
		if (strlen(drivers[i]->scheme) == (size_t)(colon - url) && str_starts(url, drivers[i]->scheme)) {
			*where_out = colon + 1;
			return drivers[i];
		}
	return NULL;
}

struct store *store_open(const char *url, struct err *e)
{
	const char *where = "";
	const struct store_driver *driver = driver_of(url, &where);
	if (!driver) {
		if (str_starts(url, "postgres:") || str_starts(url, "postgresql:"))
			err_set(e, ERR_INVALID, "STORE_URL %s: PostgreSQL is planned as a driver of its own; today it is sqlite:DIR", url);
		else
			err_set(e, ERR_INVALID, "STORE_URL \"%s\" is not known: it must be sqlite:DIR or memory:NAME", url);
		return NULL;
	}
	void *db = driver->open(where, e);
	if (!db)
		return NULL;
	struct store *s = mem_new(sizeof *s);
	*s = (struct store){.driver = driver, .db = db, .reader = chunk_reader_open()};
	return s;
}

void store_close(struct store **s)
{
	if (!*s)
		return;
	(*s)->driver->close((*s)->db);
	chunk_reader_close(&(*s)->reader);
	mem_free(s);
}

const char *store_identity(struct store *s)
{
	return s->driver->identity(s->db);
}

/* ---- what the exchange trades ---------------------------------------------------------------------------------- */

bool store_symbols_put(struct store *s, const struct symbol_row *rows, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (!symbol_ok(rows[i].symbol))
			return err_set(e, ERR_INVALID, "symbol %zu of %zu cannot be the name of a symbol", i + 1, n);
	return n == 0 || s->driver->symbols_put(s->db, rows, n, e);
}

int store_symbols_list(struct store *s, struct arena *a, struct symbol_row **out, struct err *e)
{
	return s->driver->symbols_list(s->db, a, out, e);
}

bool store_absent_put(struct store *s, const char *symbol, enum interval iv, int64_t from, int64_t to, struct err *e)
{
	if (!symbol_ok(symbol) || from < 0 || to > BAR_TIME_LAST || from > to)
		return err_set(e, ERR_INVALID, "this is no range of a symbol's candles: %lld to %lld", (long long)from, (long long)to);
	return s->driver->absent_put(s->db, symbol, iv, from, to, e);
}

int store_absent_list(struct store *s, const char *symbol, enum interval iv, struct arena *a, struct absent_range **out, struct err *e)
{
	return s->driver->absent_list(s->db, symbol, iv, a, out, e);
}

/* ---- results of backtests ---------------------------------------------------------------------------------------- */

bool store_result_put(struct store *s, const struct result_row *row, int64_t fence, struct err *e)
{
	if (!*row->job || !row->params || !row->summary)
		return err_set(e, ERR_INVALID, "a result needs its job, parameters and summary");
	struct result_row dated = *row;
	if (dated.created_at == 0)
		dated.created_at = clock_now_ms();
	return s->driver->result_put(s->db, &dated, fence, e);
}

int store_result_get(struct store *s, const char *job, struct arena *a, struct result_row *out, struct err *e)
{
	return s->driver->result_get(s->db, job, a, out, e);
}

int store_result_list(struct store *s, int64_t before_ms, int limit, struct arena *a, struct result_row **out, struct err *e)
{
	return s->driver->result_list(s->db, before_ms ? before_ms : INT64_MAX, limit < 0 ? 0 : limit, a, out, e);
}

/* ---- the outbox --------------------------------------------------------------------------------------------------- */

int store_outbox_take(struct store *s, int limit, struct arena *a, struct outbox_row **out, struct err *e)
{
	return s->driver->outbox_take(s->db, limit < 0 ? 0 : limit, a, out, e);
}

bool store_outbox_sent(struct store *s, int64_t upto, struct err *e)
{
	return s->driver->outbox_sent(s->db, upto, e);
}

bool store_outbox_put(struct store *s, const struct outbox_row *row, struct err *e)
{
	if (!*row->topic || !*row->type || !*row->id || !row->data)
		return err_set(e, ERR_INVALID, "an event needs a topic, a type, an id and data");
	struct outbox_row dated = *row;
	if (dated.time_ms == 0)
		dated.time_ms = clock_now_ms();
	return s->driver->outbox_put(s->db, &dated, e);
}

bool store_outbox_count(struct store *s, int64_t *out, struct err *e)
{
	return s->driver->outbox_count(s->db, out, e);
}

int store_relay_lease(struct store *s, const char *owner, int64_t ttl_ms, struct err *e)
{
	return s->driver->relay_lease(s->db, owner, ttl_ms, clock_now_ms(), e);
}
