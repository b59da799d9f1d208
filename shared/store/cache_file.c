/* cache_file.c -- one file of the cache: written beside and renamed, checked in full when it is mapped. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/cache_private.h"

#define MAGIC      "BQCOLS1" /* with its NUL 8 bytes */
#define STALE_TEMP (60 * 60) /* seconds after which nobody writes a temporary file any more */

static const size_t arrays[] = {offsetof(struct columns, open_time), offsetof(struct columns, close_time), offsetof(struct columns, trades),
        offsetof(struct columns, open), offsetof(struct columns, high), offsetof(struct columns, low), offsetof(struct columns, close),
        offsetof(struct columns, volume), offsetof(struct columns, quote_volume), offsetof(struct columns, taker_base),
        offsetof(struct columns, taker_quote)};

static size_t data_size(int64_t stride)
{
	return ARRAY_LEN(arrays) * (size_t)stride * 8;
}

static uint64_t sum_of_head(const struct cache_head *h)
{
	return chunk_sum(h, offsetof(struct cache_head, head_sum));
}

void cache_path(char out[CACHE_PATH], const char *dir, const char *symbol, enum interval iv)
{
	snprintf(out, CACHE_PATH, "%s/%s-%s.col", dir, symbol, iv == INTERVAL_1M ? "1mo" : interval_name(iv));
}

/* ---- reading ------------------------------------------------------------------------------------------------------ */

static bool head_ok(const struct cache_head *h, size_t size)
{
	/* The limit keeps the product below from overflowing. */
	return memcmp(h->magic, MAGIC, sizeof h->magic) == 0 && h->head_sum == sum_of_head(h) && h->rows >= 0 && h->rows <= h->stride &&
	       h->stride <= INT64_C(1) << 40 && size == CACHE_DATA + data_size(h->stride);
}

int cache_file_map(const char *path, bool trusted, struct cache_file *out, bool *damaged_out)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	*out = (struct cache_file){0};
	*damaged_out = false;
	if (fd < 0)
		return 0;
	if (fstat(fd, &st) != 0 || st.st_size < CACHE_DATA) {
		*damaged_out = true;
		close(fd);
		return 0;
	}
	void *at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (at == MAP_FAILED)
		return 0;
	*out = (struct cache_file){at, (size_t)st.st_size, st.st_ino};
	bool ok = head_ok(out->head, out->size) &&
	          (trusted || chunk_sum((const char *)at + CACHE_DATA, out->size - CACHE_DATA) == out->head->data_sum);
	if (ok)
		return 1;
	*damaged_out = true;
	cache_file_unmap(out);
	return 0;
}

void cache_file_unmap(struct cache_file *f)
{
	if (f->head)
		munmap((void *)(uintptr_t)f->head, f->size);
	f->head = NULL;
}

static void view(const struct cache_file *f, size_t first, size_t n, struct columns *out)
{
	const char *data = (const char *)f->head + CACHE_DATA;
	out->n = n;
	for (size_t i = 0; i < ARRAY_LEN(arrays); i++) {
		const char *array = data + (i * (size_t)f->head->stride + first) * 8;
		memcpy((char *)out + arrays[i], &array, sizeof array);
	}
}

void cache_file_columns(const struct cache_file *f, int64_t from, int64_t to, struct columns *out)
{
	view(f, 0, (size_t)f->head->rows, out);
	size_t first = columns_lower_bound(out, from);
	size_t last = to < INT64_MAX ? columns_lower_bound(out, to + 1) : out->n;
	view(f, first, last > first ? last - first : 0, out);
}

/* ---- writing --------------------------------------------------------------------------------------------------------- */

static bool write_all(int fd, const void *data, size_t size, off_t at)
{
	const char *p = data;
	while (size) {
		ssize_t n = pwrite(fd, p, size, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		at += n;
		size -= (size_t)n;
	}
	return true;
}

static bool write_arrays(int fd, const struct columns *c, int64_t stride)
{
	for (size_t i = 0; i < ARRAY_LEN(arrays); i++) {
		const char *array;
		memcpy(&array, (const char *)c + arrays[i], sizeof array);
		if (!write_all(fd, array, c->n * 8, (off_t)(CACHE_DATA + i * (size_t)stride * 8)))
			return false;
	}
	return true;
}

/* The sum is taken of what stands in the file, so that a write that went wrong is not blessed. */
static bool write_head(int fd, const struct cache_stamp *stamp, const struct columns *c, int64_t stride)
{
	size_t size = CACHE_DATA + data_size(stride);
	struct cache_head h = {.magic = MAGIC, .stamp = *stamp, .rows = (int64_t)c->n, .stride = stride};
	if (ftruncate(fd, (off_t)size) != 0 || !write_arrays(fd, c, stride))
		return false;
	void *at = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return false;
	h.data_sum = chunk_sum((const char *)at + CACHE_DATA, size - CACHE_DATA);
	munmap(at, size);
	h.head_sum = sum_of_head(&h);
	return write_all(fd, &h, sizeof h, 0);
}

bool cache_file_write(const char *path, const struct cache_stamp *stamp, const struct columns *c, struct err *e)
{
	char beside[CACHE_PATH + 16];
	snprintf(beside, sizeof beside, "%s.XXXXXX", path);
	int fd = mkstemp(beside);
	if (fd < 0)
		return err_set(e, ERR_IO, "cannot make %s: %s", beside, strerror(errno));
	int64_t stride = ((int64_t)c->n + 7) / 8 * 8;
	/* No fsync: after a power cut the sums find what did not reach the disk, and the file is made again. */
	bool ok = fchmod(fd, 0644) == 0 && write_head(fd, stamp, c, stride);
	int why = errno;
	close(fd);
	if (ok && rename(beside, path) == 0)
		return true;
	why = ok ? errno : why;
	unlink(beside);
	return err_set(e, ERR_IO, "cannot write %s: %s", path, strerror(why));
}

/* ---- eviction ---------------------------------------------------------------------------------------------------------- */

struct found {
	char path[CACHE_PATH];
	int64_t bytes, used_at; /* used_at: seconds */
};

static int oldest_first(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	return x->used_at < y->used_at ? -1 : x->used_at > y->used_at;
}

/* Temporary files of writers that died go at once; counts and lists the others. */
static size_t find_files(const char *dir, struct found **out, int64_t *bytes_out)
{
	size_t n = 0, room = 0;
	struct dirent *d;
	struct stat st;
	DIR *handle = opendir(dir);
	while (handle && (d = readdir(handle))) {
		char path[CACHE_PATH + 256];
		snprintf(path, sizeof path, "%s/%s", dir, d->d_name);
		bool whole = str_ends(path, ".col");
		if ((!whole && !strstr(d->d_name, ".col.")) || strlen(path) >= CACHE_PATH || stat(path, &st) != 0)
			continue;
		if (!whole && st.st_mtime < time(NULL) - STALE_TEMP)
			unlink(path);
		if (!whole)
			continue;
		if (n == room) {
			*out = mem_grow(*out, room, room ? 2 * room : 64, sizeof **out);
			room = room ? 2 * room : 64;
		}
		(*out)[n] = (struct found){.bytes = st.st_size, .used_at = st.st_mtime};
		memcpy((*out)[n++].path, path, strlen(path) + 1);
		*bytes_out += st.st_size;
	}
	if (handle)
		closedir(handle);
	return n;
}

void cache_evict(const char *dir, int64_t max_bytes, const char *keep)
{
	struct found *files = NULL;
	int64_t bytes = 0;
	size_t n = find_files(dir, &files, &bytes);
	if (n)
		qsort(files, n, sizeof *files, oldest_first);
	for (size_t i = 0; i < n && bytes > max_bytes; i++)
		if (strcmp(files[i].path, keep) != 0 && unlink(files[i].path) == 0)
			bytes -= files[i].bytes;
	mem_free(&files);
}
