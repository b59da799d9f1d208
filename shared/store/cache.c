/* cache.c -- which mapping may be used: only the one whose stamp is what the store says now. */
#include "store/cache.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "store/cache_private.h"

#define DEFAULT_BYTES (INT64_C(4) << 30)
#define BUILD_TRIES   3

struct mapping {
	struct cache_file file;
	char path[CACHE_PATH];
	bool used;    /* since the last release: must stay mapped */
	bool retired; /* of an older state: goes at the release */
	struct mapping *next;
};

struct cache {
	char dir[512];
	int64_t max_bytes;
	struct mapping *mappings;
	struct arena *direct; /* columns that could not be cached; NULL: none */
	bool told;            /* that writing fails: once is enough */
	struct cache_stats stats;
};

struct cache *cache_open(const char *dir, int64_t max_bytes, struct err *e)
{
	struct stat st;
	struct cache *c = mem_new(sizeof *c);
	if (!*dir || !str_copy(c->dir, sizeof c->dir, dir)) {
		err_set(e, ERR_INVALID, "the folder of the cache must be a path of at most %zu bytes", sizeof c->dir - 1);
		goto failed;
	}
	if (mkdir(dir, 0777) != 0 && errno != EEXIST) {
		err_set(e, ERR_DENIED, "cannot make the folder of the cache %s: %s", dir, strerror(errno));
		goto failed;
	}
	if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode)) {
		err_set(e, ERR_DENIED, "the cache %s is not a folder", dir);
		goto failed;
	}
	c->max_bytes = max_bytes > 0 ? max_bytes : DEFAULT_BYTES;
	return c;
failed:
	mem_free(&c);
	return NULL;
}

static void unmap(struct mapping **link)
{
	struct mapping *m = *link;
	*link = m->next;
	cache_file_unmap(&m->file);
	mem_free(&m);
}

void cache_close(struct cache **c)
{
	if (!*c)
		return;
	while ((*c)->mappings)
		unmap(&(*c)->mappings);
	arena_close(&(*c)->direct);
	mem_free(c);
}

/* A file that was replaced or evicted meanwhile would keep its disk space as long as it is mapped. */
static bool file_is_current(const struct mapping *m)
{
	struct stat st;
	return stat(m->path, &st) == 0 && (uint64_t)st.st_ino == m->file.inode;
}

void cache_release_all(struct cache *c)
{
	for (struct mapping **link = &c->mappings; *link;) {
		(*link)->used = false;
		if ((*link)->retired || !file_is_current(*link))
			unmap(link);
		else
			link = &(*link)->next;
	}
	arena_close(&c->direct);
}

void cache_stats(const struct cache *c, struct cache_stats *out)
{
	*out = c->stats;
}

/* ---- finding ---------------------------------------------------------------------------------------------------------- */

static struct mapping *find_mapping(struct cache *c, const char *path)
{
	for (struct mapping *m = c->mappings; m; m = m->next)
		if (!m->retired && strcmp(m->path, path) == 0)
			return m;
	return NULL;
}

/* Out of use. What was handed out of it stays valid until the release. */
static void retire(struct cache *c, struct mapping *m)
{
	m->retired = true;
	for (struct mapping **link = &c->mappings; *link && !m->used; link = &(*link)->next)
		if (*link == m) {
			unmap(link);
			return;
		}
}

void cache_forget(struct cache *c, const char *symbol, enum interval iv)
{
	char path[CACHE_PATH];
	if (!symbol_ok(symbol))
		return;
	cache_path(path, c->dir, symbol, iv);
	struct mapping *m = find_mapping(c, path);
	if (!m)
		return;
	/* The file stays: another process may have refreshed it already, and its stamp tells. */
	retire(c, m);
	c->stats.forgotten++;
}

static bool stamps_equal(const struct cache_stamp *a, const struct cache_stamp *b)
{
	return strncmp(a->identity, b->identity, sizeof a->identity) == 0 && strncmp(a->symbol, b->symbol, sizeof a->symbol) == 0 &&
	       a->interval == b->interval && a->series == b->series && a->revision == b->revision && a->updated_at == b->updated_at;
}

static struct cache_stamp stamp_of(struct store *s, const struct series *series)
{
	struct cache_stamp stamp = {
	        .interval = series->interval, .series = series->id, .revision = series->revision, .updated_at = series->updated_at};
	bool fits = str_copy(stamp.identity, sizeof stamp.identity, store_identity(s)) &&
	            str_copy(stamp.symbol, sizeof stamp.symbol, series->symbol);
	assert(fits);
	return stamp;
}

/* Map the file and keep the mapping when it holds what the stamp says. NULL: it does not, or there is none. */
static struct mapping *map_current(struct cache *c, const char *path, const struct cache_stamp *stamp, bool trusted)
{
	struct cache_file file;
	bool damaged;
	if (cache_file_map(path, trusted, &file, &damaged) == 0) {
		if (damaged)
			log_warn("cache: %s is damaged and is made again", path);
		return NULL;
	}
	if (!stamps_equal(&file.head->stamp, stamp)) {
		c->stats.stale_refused++;
		cache_file_unmap(&file);
		return NULL;
	}
	struct mapping *m = mem_new(sizeof *m);
	m->file = file;
	memcpy(m->path, path, strlen(path) + 1);
	m->next = c->mappings;
	c->mappings = m;
	return m;
}

static struct mapping *lookup(struct cache *c, const char *path, const struct cache_stamp *stamp)
{
	struct mapping *m = find_mapping(c, path);
	if (m && stamps_equal(&m->file.head->stamp, stamp))
		return m;
	if (m) {
		c->stats.stale_refused++;
		retire(c, m);
	}
	return map_current(c, path, stamp, false);
}

/* ---- making ------------------------------------------------------------------------------------------------------------- */

/* Read the whole series and its row in one state: between the two readings a writer may come. */
static bool read_whole(
        struct store *s, const char *symbol, enum interval iv, struct arena *a, struct series *series, struct columns *out, struct err *e)
{
	int64_t revision = -1;
	for (int i = 0; i < BUILD_TRIES; i++) {
		if (store_series(s, symbol, iv, series, e) < 0 ||
		        !store_columns_get(s, symbol, iv, 0, INT64_MAX, COLUMNS_ALL, a, out, &revision, e))
			return false;
		if (series->revision == revision)
			return true;
	}
	return err_set(e, ERR_CONFLICT, "%s %s changes faster than it can be read", symbol, interval_name(iv));
}

/* The file as it should be now. NULL: it cannot be made (e). */
static struct mapping *build(struct cache *c, struct store *s, struct series *series, const char *path, struct err *e)
{
	struct arena *a = arena_open();
	struct columns all;
	struct mapping *m = NULL;
	char symbol[SYMBOL_SIZE];
	memcpy(symbol, series->symbol, sizeof symbol);
	if (!read_whole(s, symbol, series->interval, a, series, &all, e))
		goto out;
	struct cache_stamp stamp = stamp_of(s, series);
	if (!cache_file_write(path, &stamp, &all, e))
		goto out;
	m = map_current(c, path, &stamp, true);
	if (!m)
		err_set(e, ERR_IO, "%s is gone again", path);
	c->stats.refreshes++;
	cache_evict(c->dir, c->max_bytes, path);
out:
	arena_close(&a);
	return m;
}

/* One process builds a file, the others wait and find it made. Without the lock it is only built twice. */
static struct mapping *refresh(struct cache *c, struct store *s, struct series *series, const char *path, struct err *e)
{
	char lock[CACHE_PATH + 8];
	snprintf(lock, sizeof lock, "%s.lock", path);
	int fd = open(lock, O_CREAT | O_RDWR | O_CLOEXEC, 0644);
	if (fd >= 0 && flock(fd, LOCK_EX) != 0) {
		close(fd);
		fd = -1;
	}
	struct cache_stamp stamp = stamp_of(s, series);
	struct cache_file file;
	bool damaged;
	struct mapping *m = NULL;
	/* A look without counting: that the file was stale has been counted. */
	if (cache_file_map(path, true, &file, &damaged) == 1) {
		bool made = stamps_equal(&file.head->stamp, &stamp);
		cache_file_unmap(&file);
		m = made ? map_current(c, path, &stamp, false) : NULL;
	}
	if (!m)
		m = build(c, s, series, path, e);
	if (fd >= 0)
		close(fd);
	return m;
}

/* A full or read-only disk must not stop a backtest: read past the cache. What the store itself refused is refused. */
static bool read_directly(struct cache *c, struct store *s, const char *symbol, enum interval iv, int64_t from, int64_t to,
        struct columns *out, int64_t *revision_out, struct err *e)
{
	if (e->code != ERR_IO && e->code != ERR_CONFLICT)
		return false;
	if (!c->told)
		log_warn("cache: %s; reading from the store", e->text);
	c->told = true;
	if (!c->direct)
		c->direct = arena_open();
	return store_columns_get(s, symbol, iv, from, to, COLUMNS_ALL, c->direct, out, revision_out, e);
}

bool cache_columns(struct cache *c, struct store *s, const char *symbol, enum interval iv, int64_t from, int64_t to, struct columns *out,
        int64_t *revision_out, struct err *e)
{
	struct series series;
	char path[CACHE_PATH];
	*out = (struct columns){0};
	*revision_out = 0;
	int found = store_series(s, symbol, iv, &series, e);
	if (found <= 0)
		return found == 0;
	*revision_out = series.revision;
	cache_path(path, c->dir, symbol, iv);
	struct cache_stamp stamp = stamp_of(s, &series);
	struct mapping *m = lookup(c, path, &stamp);
	if (m)
		c->stats.hits++;
	else
		m = refresh(c, s, &series, path, e);
	if (!m)
		return read_directly(c, s, symbol, iv, from, to, out, revision_out, e);
	*revision_out = m->file.head->stamp.revision;
	cache_file_columns(&m->file, from, to, out);
	if (!m->used)
		utimensat(AT_FDCWD, path, NULL, 0); /* for the eviction; a file that is gone already cannot be touched */
	m->used = true;
	return true;
}
