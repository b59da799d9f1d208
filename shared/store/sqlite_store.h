/* sqlite_store.h -- what the files of the SQLite driver share: the two databases of a store, and its smaller tables. */
#ifndef STORE_SQLITE_STORE_H
#define STORE_SQLITE_STORE_H

#include "store/driver.h"
#include "store/sqlite_private.h"

struct sqlite_store {
	struct sqlite *market, *results;
	char identity[64];
};

/* Rows read from a statement, in an arena that cannot grow them in place: the array doubles. */
struct sqlite_rows {
	struct arena *arena;
	size_t size; /* of one row */
	void *items; /* NULL: none yet */
	size_t n, room;
};
void *sqlite_row(struct sqlite_rows *rows); /* one more, zeroed */

bool sqlite_outbox_add(struct sqlite *market, const struct outbox_row *row, struct err *e) MUST_CHECK; /* within the caller's transaction */

/* As in driver.h. */
bool sqlite_symbols_put(void *store, const struct symbol_row *rows, size_t n, struct err *e);
int sqlite_symbols_list(void *store, struct arena *a, struct symbol_row **out, struct err *e);
bool sqlite_absent_put(void *store, const char *symbol, enum interval iv, int64_t from, int64_t to, struct err *e);
int sqlite_absent_list(void *store, const char *symbol, enum interval iv, struct arena *a, struct absent_range **out, struct err *e);
bool sqlite_result_put(void *store, const struct result_row *row, int64_t fence, struct err *e);
int sqlite_result_get(void *store, const char *job, struct arena *a, struct result_row *out, struct err *e);
int sqlite_result_list(void *store, int64_t before_ms, int limit, struct arena *a, struct result_row **out, struct err *e);
int sqlite_outbox_take(void *store, int limit, struct arena *a, struct outbox_row **out, struct err *e);
bool sqlite_outbox_sent(void *store, int64_t upto, struct err *e);
bool sqlite_outbox_put(void *store, const struct outbox_row *row, struct err *e);
bool sqlite_outbox_count(void *store, int64_t *out, struct err *e);
bool sqlite_history_put(void *store, const struct history_entry *entries, size_t n, int64_t *written_out, struct err *e);
int sqlite_history_get(void *store, const char *job, struct arena *a, struct history_row *out, struct err *e);
int sqlite_history_list(void *store, const struct history_filter *f, const struct history_place *before, int limit, struct arena *a,
        struct history_row **out, struct err *e);
bool sqlite_history_count(void *store, int64_t *out, struct err *e);
bool sqlite_history_trim(void *store, int64_t before_ms, int limit, int64_t *deleted_out, struct err *e);
int sqlite_relay_lease(void *store, const char *owner, int64_t ttl_ms, int64_t now_ms, struct err *e);

#endif
