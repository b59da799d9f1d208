/* cache.h -- the per-host cache of decoded columns (design D5): memory-mapped files under DIR, shared by all slots.
 *
 * A file holds one series whole, stamped with the series' revision. cache_columns first reads the revision in the store, so
 * that a stale file is never used even when no event ever came; an event only makes the refresh happen earlier
 * (cache_forget). Files are written beside and renamed, checked on opening (magic, version, size, checksum of the header),
 * and limited to max_bytes, oldest use first.
 */
#ifndef STORE_CACHE_H
#define STORE_CACHE_H

#include "store/store.h"

struct cache;

struct cache *cache_open(const char *dir, int64_t max_bytes, struct err *e) MUST_CHECK; /* makes the directory; 0: 4 GiB */
void cache_close(struct cache **c);                                                     /* unmaps: columns handed out are gone then */
/* All columns of the series between from and to (row views into the mapping; valid until cache_release_all or close).
 * n == 0 when the series is unknown or the range empty. */
bool cache_columns(struct cache *c, struct store *s, const char *symbol, enum interval iv, int64_t from, int64_t to, struct columns *out,
        int64_t *revision_out, struct err *e) MUST_CHECK;
void cache_release_all(struct cache *c);                                  /* at the end of a job */
void cache_forget(struct cache *c, const char *symbol, enum interval iv); /* an event said that it changed */
struct cache_stats {
	int64_t hits, refreshes, forgotten, stale_refused;
};
void cache_stats(const struct cache *c, struct cache_stats *out);

#endif
