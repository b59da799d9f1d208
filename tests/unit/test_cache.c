/* test_cache.c -- the cache of columns: never stale, never damaged, shared by processes, kept small. */
#include "store/cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "tests/lib/bars.h"
#include "tests/lib/test.h"

#define T0 INT64_C(1769904000000)
#define N  3000

static char dir[600], url[700];
static struct bar bars[N];
static const struct store_writer nobody = {.job = "", .fence = 0};

static struct store *open_store(void)
{
	struct err e = {0};
	log_open("test_cache", LOG_SILENT, false);
	if (!*url)
		snprintf(url, sizeof url, "sqlite:%s/db", test_dir());
	struct store *s = store_open(url, &e);
	ck_assert_msg(s != NULL, "%s", e.text);
	bars_walk(bars, N, INTERVAL_1m, T0, 1);
	return s;
}

static struct cache *open_cache(int64_t max_bytes)
{
	struct err e = {0};
	if (!*dir)
		snprintf(dir, sizeof dir, "%s/cache", test_dir());
	struct cache *c = cache_open(dir, max_bytes, &e);
	ck_assert_msg(c != NULL, "%s", e.text);
	return c;
}

static const char *file_of(const char *symbol)
{
	static char path[700];
	snprintf(path, sizeof path, "%s/%s-1m.col", dir, symbol);
	return path;
}

static int64_t put(struct store *s, const char *symbol, const struct bar *rows, size_t n)
{
	struct err e = {0};
	struct put_result r;
	ck_ok(store_bars_put(s, symbol, INTERVAL_1m, rows, n, PUT_OVERWRITE, &nobody, &r, &e), &e);
	return r.revision;
}

static struct columns get(struct cache *c, struct store *s, const char *symbol, int64_t from, int64_t to, int64_t *revision_out)
{
	struct err e = {0};
	struct columns out;
	ck_ok(cache_columns(c, s, symbol, INTERVAL_1m, from, to, &out, revision_out, &e), &e);
	return out;
}

/* All eleven columns must be those of expected[n]. */
static void expect(struct cache *c, struct store *s, const char *symbol, const struct bar *expected, size_t n)
{
	int64_t revision;
	struct columns k = get(c, s, symbol, 0, INT64_MAX, &revision);
	ck_assert_uint_eq(k.n, n);
	for (size_t i = 0; i < n; i++) {
		const struct bar *b = &expected[i];
		ck_assert(k.open_time[i] == b->open_time && k.close_time[i] == b->close_time && k.trades[i] == b->trades);
		ck_assert(k.open[i] == dec_double(b->open) && k.high[i] == dec_double(b->high) && k.low[i] == dec_double(b->low) &&
		          k.close[i] == dec_double(b->close));
		ck_assert(k.volume[i] == dec_double(b->volume) && k.quote_volume[i] == dec_double(b->quote_volume) &&
		          k.taker_base[i] == dec_double(b->taker_base) && k.taker_quote[i] == dec_double(b->taker_quote));
	}
}

static struct cache_stats stats_of(const struct cache *c)
{
	struct cache_stats out;
	cache_stats(c, &out);
	return out;
}

START_TEST(columns_are_those_of_the_store)
{
	struct store *s = open_store();
	struct cache *c = open_cache(0);
	int64_t revision;
	struct columns k = get(c, s, "BTCUSDT", 0, INT64_MAX, &revision);
	ck_assert_uint_eq(k.n, 0);
	ck_assert_int_eq(revision, 0);
	put(s, "BTCUSDT", bars, N);
	expect(c, s, "BTCUSDT", bars, N);
	ck_assert_int_eq(stats_of(c).refreshes, 1);
	expect(c, s, "BTCUSDT", bars, N);
	ck_assert_int_eq(stats_of(c).hits, 1);
	k = get(c, s, "BTCUSDT", bars[10].open_time + 1, bars[20].open_time, &revision);
	ck_assert_uint_eq(k.n, 10);
	ck_assert_int_eq(k.open_time[0], bars[11].open_time);
	ck_assert_int_eq(revision, 1);
	ck_assert_uint_eq(get(c, s, "BTCUSDT", bars[20].open_time, bars[10].open_time, &revision).n, 0);
	ck_assert_uint_eq(get(c, s, "BTCUSDT", INT64_MAX, INT64_MAX, &revision).n, 0);
	ck_assert_uint_eq(get(c, s, "../BTCUSDT", 0, INT64_MAX, &revision).n, 0);
	cache_close(&c);
	cache_close(&c);
	/* Another process, later: the file is used as it is. */
	c = open_cache(0);
	expect(c, s, "BTCUSDT", bars, N);
	ck_assert_int_eq(stats_of(c).hits, 1);
	ck_assert_int_eq(stats_of(c).refreshes, 0);
	cache_close(&c);
	store_close(&s);
}
END_TEST

START_TEST(a_stale_file_is_never_used)
{
	struct store *s = open_store(), *writer = open_store();
	struct cache *c = open_cache(0), *other = open_cache(0);
	put(writer, "BTCUSDT", bars, N);
	expect(c, s, "BTCUSDT", bars, N);
	expect(other, s, "BTCUSDT", bars, N);
	/* Every change, and no event of it ever comes: not through a mapping, not through the file. */
	for (int round = 0; round < 5; round++) {
		bars[round * 7].trades += 1000;
		int64_t revision = put(writer, "BTCUSDT", bars + round * 7, 1), got;
		get(c, s, "BTCUSDT", 0, INT64_MAX, &got);
		ck_assert_int_eq(got, revision);
		expect(c, s, "BTCUSDT", bars, N);
		expect(other, s, "BTCUSDT", bars, N);
	}
	ck_assert_int_eq(stats_of(c).refreshes + stats_of(other).refreshes, 6); /* each state was read once */
	ck_assert_int_ge(stats_of(c).stale_refused, 5);
	struct err e = {0};
	int64_t deleted, revision;
	ck_ok(store_bars_delete(writer, "BTCUSDT", INTERVAL_1m, 0, INT64_MAX, &nobody, &deleted, &e), &e);
	ck_assert_uint_eq(get(c, s, "BTCUSDT", 0, INT64_MAX, &revision).n, 0);
	put(writer, "BTCUSDT", bars, 10); /* made again: the old file is of another series */
	expect(c, s, "BTCUSDT", bars, 10);
	cache_close(&c);
	cache_close(&other);
	store_close(&writer);
	store_close(&s);
}
END_TEST

START_TEST(changes_within_a_millisecond_are_told_apart)
{
	struct err e = {0};
	struct store *s = open_store(), *fast = store_open("memory:fast", &e);
	struct cache *c = open_cache(0);
	for (int i = 0; i < 200; i++) {
		bars[0].trades++;
		put(fast, "BTCUSDT", bars, 1);
		expect(c, fast, "BTCUSDT", bars, 1);
	}
	cache_close(&c);
	store_close(&fast);
	store_close(&s);
}
END_TEST

START_TEST(another_store_is_another_stamp)
{
	/* The same series at the same revision in two stores, with one cache: a database that was put back from a copy. */
	struct store *s = open_store();
	struct err e = {0};
	struct store *t = store_open("memory:other", &e);
	struct cache *c = open_cache(0);
	put(s, "BTCUSDT", bars, N);
	put(t, "BTCUSDT", bars + 1, N - 1);
	expect(c, s, "BTCUSDT", bars, N);
	expect(c, t, "BTCUSDT", bars + 1, N - 1);
	expect(c, s, "BTCUSDT", bars, N);
	cache_close(&c);
	store_close(&t);
	store_close(&s);
}
END_TEST

START_TEST(columns_stay_until_they_are_released)
{
	struct store *s = open_store();
	struct cache *c = open_cache(0);
	int64_t revision;
	put(s, "BTCUSDT", bars, N);
	struct columns old = get(c, s, "BTCUSDT", 0, INT64_MAX, &revision);
	bars[5].trades += 7;
	put(s, "BTCUSDT", bars, N);
	cache_forget(c, "BTCUSDT", INTERVAL_1m);
	cache_forget(c, "BTCUSDT", INTERVAL_1m);
	cache_forget(c, "../x", INTERVAL_1m);
	ck_assert_int_eq(stats_of(c).forgotten, 1);
	expect(c, s, "BTCUSDT", bars, N);
	ck_assert_int_eq(old.trades[5] + 7, bars[5].trades); /* a run keeps what it began with */
	unlink(file_of("BTCUSDT"));
	ck_assert_int_eq(old.trades[N - 1], bars[N - 1].trades);
	cache_release_all(c);
	expect(c, s, "BTCUSDT", bars, N); /* the file is gone: made again */
	cache_release_all(c);
	cache_release_all(c);
	expect(c, s, "BTCUSDT", bars, N);
	ck_assert_int_eq(access(file_of("BTCUSDT"), F_OK), 0);
	cache_close(&c);
	store_close(&s);
}
END_TEST

static void damage(size_t at, const void *bytes, size_t n)
{
	int fd = open(file_of("BTCUSDT"), O_WRONLY);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, bytes, n, (off_t)at), (ssize_t)n);
	close(fd);
}

START_TEST(damaged_files_are_made_again)
{
	struct store *s = open_store();
	put(s, "BTCUSDT", bars, N);
	struct cache *c = open_cache(0);
	struct stat st;
	expect(c, s, "BTCUSDT", bars, N);
	cache_close(&c);
	ck_assert_int_eq(stat(file_of("BTCUSDT"), &st), 0);
	const size_t places[] = {0, 3, 9, 60, 100, 130, 150, 4096, 4096 + 8, 4096 + 24000 * 5 + 17, (size_t)st.st_size - 1};
	for (size_t i = 0; i < ARRAY_LEN(places) + 4; i++) {
		if (i < ARRAY_LEN(places))
			damage(places[i], "\xa5", 1);
		else
			ck_assert_int_eq(truncate(file_of("BTCUSDT"), (off_t[]){0, 100, 4096, st.st_size - 8}[i - ARRAY_LEN(places)]), 0);
		c = open_cache(0);
		expect(c, s, "BTCUSDT", bars, N);
		ck_assert_msg(stats_of(c).refreshes == 1, "place %zu", i);
		cache_close(&c);
	}
	/* A folder in its place: read past the cache, again and again. */
	unlink(file_of("BTCUSDT"));
	ck_assert_int_eq(mkdir(file_of("BTCUSDT"), 0755), 0);
	c = open_cache(0);
	expect(c, s, "BTCUSDT", bars, N);
	expect(c, s, "BTCUSDT", bars, N);
	cache_release_all(c);
	expect(c, s, "BTCUSDT", bars, N);
	cache_close(&c);
	store_close(&s);
}
END_TEST

static int64_t bytes_in_cache(void)
{
	int64_t sum = 0;
	struct dirent *d;
	DIR *handle = opendir(dir);
	while ((d = readdir(handle))) {
		struct stat st;
		char path[1000];
		snprintf(path, sizeof path, "%s/%s", dir, d->d_name);
		sum += stat(path, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : 0;
	}
	closedir(handle);
	return sum;
}

START_TEST(the_oldest_files_go_first)
{
	struct store *s = open_store();
	struct cache *c = open_cache(1000000); /* a file has 268 KB: three of them */
	char name[16];
	for (int i = 0; i < 6; i++) {
		snprintf(name, sizeof name, "S%d", i);
		put(s, name, bars, N);
		expect(c, s, name, bars, N);
		/* Times of files are coarse: set them apart. */
		struct timespec times[2] = {{.tv_sec = 1000000 + i}, {.tv_sec = 1000000 + i}};
		ck_assert_int_eq(utimensat(AT_FDCWD, file_of(name), times, 0), 0);
	}
	ck_assert_int_le(bytes_in_cache(), 1000000);
	ck_assert_int_ne(access(file_of("S0"), F_OK), 0);
	ck_assert_int_eq(access(file_of("S5"), F_OK), 0);
	expect(c, s, "S0", bars, N); /* evicted, but still mapped: as good as ever */
	cache_release_all(c);
	expect(c, s, "S0", bars, N);
	ck_assert_int_le(bytes_in_cache(), 1000000);
	cache_close(&c);
	/* One file larger than all that is allowed is kept as long as it is the newest. */
	c = open_cache(1);
	expect(c, s, "S5", bars, N);
	put(s, "S6", bars, N);
	expect(c, s, "S6", bars, N);
	ck_assert_int_ne(access(file_of("S5"), F_OK), 0);
	cache_close(&c);
	store_close(&s);
}
END_TEST

static void read_while_written(void)
{
	struct err e = {0};
	struct store *s = store_open(url, &e);
	struct cache *c = s ? cache_open(dir, 0, &e) : NULL;
	int64_t end = clock_mono_ms() + 1500;
	for (int i = 0; c && clock_mono_ms() < end; i++) {
		struct columns k;
		int64_t revision;
		if (!cache_columns(c, s, "BTCUSDT", INTERVAL_1m, 0, INT64_MAX, &k, &revision, &e) || k.n != 500)
			_exit(2);
		/* The writer put the revision into every row. */
		for (size_t r = 0; r < k.n; r++)
			if (k.trades[r] != revision)
				_exit(3);
		if (i % 3 == 0)
			cache_release_all(c);
	}
	_exit(c ? 0 : 1);
}

START_TEST(processes_share_the_files)
{
	struct store *s = open_store();
	struct cache *c = open_cache(0);
	pid_t pids[4];
	int64_t revision = 1;
	for (size_t i = 0; i < 500; i++)
		bars[i].trades = revision;
	put(s, "BTCUSDT", bars, 500);
	for (size_t i = 0; i < 4; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			read_while_written();
	}
	int alive = 4, status;
	while (alive > 0) {
		revision++;
		for (size_t i = 0; i < 500; i++)
			bars[i].trades = revision;
		ck_assert_int_eq(put(s, "BTCUSDT", bars, 500), revision);
		for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0; alive--)
			ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a reader ended with %d", status);
		usleep(3000);
	}
	ck_assert_int_gt(revision, 2);
	expect(c, s, "BTCUSDT", bars, 500);
	cache_close(&c);
	store_close(&s);
}
END_TEST

START_TEST(a_folder_that_cannot_be)
{
	struct err e = {0};
	ck_assert(cache_open("", 0, &e) == NULL);
	ck_assert(cache_open("/proc/no/such", 0, &e) == NULL);
	ck_assert_int_eq(e.code, ERR_DENIED);
	ck_assert(cache_open("/dev/null", 0, &e) == NULL);
}
END_TEST

static const TTest *const tests[] = {columns_are_those_of_the_store, a_stale_file_is_never_used,
        changes_within_a_millisecond_are_told_apart, another_store_is_another_stamp, columns_stay_until_they_are_released,
        damaged_files_are_made_again, the_oldest_files_go_first, processes_share_the_files, a_folder_that_cannot_be};
TEST_MAIN("cache", tests)
