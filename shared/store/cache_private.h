/* cache_private.h -- one file of the cache: a whole series, column by column, as it lies in memory.
 *
 *   0     struct cache_head, in a block of CACHE_DATA bytes
 *   4096  11 arrays of `stride` 8-byte values each, in the order of cache_file.c; the first `rows` of each count
 *
 * The file belongs to one machine (its byte order, its word size) and can be deleted at any time.
 */
#ifndef STORE_CACHE_PRIVATE_H
#define STORE_CACHE_PRIVATE_H

#include "store/cache.h"

#define CACHE_DATA 4096 /* where the arrays begin */

/* Which state of which series a file holds. Equal stamps mean equal candles; updated_at also tells a database that was put back
 * from an older copy and then went on to the same revision. */
struct cache_stamp {
	char identity[48]; /* of the store */
	char symbol[SYMBOL_SIZE];
	int64_t interval, series, revision, updated_at;
};

struct cache_head {
	char magic[8];
	struct cache_stamp stamp;
	int64_t rows, stride;
	uint64_t data_sum; /* chunk_sum of everything after the head's block */
	uint64_t head_sum; /* chunk_sum of everything above */
};

struct cache_file {
	const struct cache_head *head; /* the mapping; NULL: none */
	size_t size;
	uint64_t inode;
};

/* 1 mapped and whole; 0 there is none that can be used (missing, of another form, damaged: *damaged_out tells); never an error. */
int cache_file_map(const char *path, bool trusted, struct cache_file *out, bool *damaged_out) MUST_CHECK;
void cache_file_unmap(struct cache_file *f);
/* Write all of c (COLUMNS_ALL) beside path and rename it. */
bool cache_file_write(const char *path, const struct cache_stamp *stamp, const struct columns *c, struct err *e) MUST_CHECK;
void cache_file_columns(const struct cache_file *f, int64_t from, int64_t to, struct columns *out);

/* "<dir>/<symbol>-<interval>.col"; symbol_ok has looked at the symbol. The month is "1mo", for file systems that ignore case. */
#define CACHE_PATH 640
void cache_path(char out[CACHE_PATH], const char *dir, const char *symbol, enum interval iv);
/* Delete the files used longest ago until all of them are at most max_bytes; `keep` stays. */
void cache_evict(const char *dir, int64_t max_bytes, const char *keep);

#endif
