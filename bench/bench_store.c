/* bench_store.c -- what a candle costs on disk, and how many a second go in and come out: codec, store, cache. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "market/csv.h"
#include "store/cache.h"
#include "tests/lib/bars.h"

#define ROUNDS 20
#define DATA   "../shared/data/um_klines_1m_archive/" /* seen from the project's folder */
#define PAGE   499                                    /* what one answer of the exchange brings */

static const char *const months[] = {DATA "ALGOUSDT-1m-2024-09.csv.gz", DATA "ALGOUSDT-1m-2025-02.csv.gz",
        DATA "ALGOUSDT-1m-2026-02.csv.gz", DATA "AVAXUSDT-1m-2025-02.csv.gz", DATA "AVAXUSDT-1m-2026-02.csv.gz",
        DATA "DOTUSDT-1m-2026-02.csv.gz", DATA "FILUSDT-1m-2026-02.csv.gz", DATA "LINKUSDT-1m-2026-02.csv.gz",
        DATA "NEARUSDT-1m-2026-02.csv.gz"};

/* One series to measure with. */
struct sample {
	char symbol[SYMBOL_SIZE];
	struct bar *bars;
	size_t n;
};
struct samples {
	struct sample at[ARRAY_LEN(months)];
	size_t n, rows;
	bool real;
};

static void die(const struct err *e)
{
	fprintf(stderr, "bench_store: %s\n", e->text);
	exit(1);
}

static void read_gzip(const char *path, struct buf *out)
{
	char command[300], block[65536];
	snprintf(command, sizeof command, "gzip -dc %s", path);
	FILE *f = popen(command, "r");
	for (size_t n; f && (n = fread(block, 1, sizeof block, f)) > 0;)
		buf_add(out, block, n);
	if (!f || pclose(f) != 0) {
		fprintf(stderr, "bench_store: \"%s\" failed\n", command);
		exit(1);
	}
}

static void load_month(struct sample *s, const char *path, size_t number)
{
	struct err e = {0};
	struct buf text = {0};
	struct csv_reader csv;
	int got = 1;
	s->bars = mem_array(44641, sizeof *s->bars);
	snprintf(s->symbol, sizeof s->symbol, "MONTH%zu", number);
	read_gzip(path, &text);
	for (csv_open(&csv, text.data, text.len); s->n < 44640 && (got = csv_next(&csv, &s->bars[s->n], &e)) == 1;)
		s->n++;
	if (got < 0)
		die(&e);
	buf_close(&text);
}

static void load(struct samples *all)
{
	for (size_t i = 0; i < ARRAY_LEN(months); i++) {
		bool there = access(months[i], R_OK) == 0;
		struct sample *s = &all->at[all->n];
		if (there)
			load_month(s, months[i], i);
		all->n += there;
		all->rows += s->n;
	}
	all->real = all->n > 0;
	for (; !all->real && all->n < 4; all->n++) {
		struct sample *s = &all->at[all->n];
		s->n = 43200;
		s->bars = mem_array(s->n, sizeof *s->bars);
		snprintf(s->symbol, sizeof s->symbol, "MADE%zu", all->n);
		bars_walk(s->bars, s->n, INTERVAL_1m, INT64_C(1767225600000), all->n);
		all->rows += s->n;
	}
	printf("data: %zu candles of 1m in %zu series, %s\n", all->rows, all->n,
	        all->real ? "real months of Binance's archive" : "GENERATED (no real months in ../shared/data): real ones differ");
}

static void report(const char *what, double bars, int64_t us)
{
	printf("%-56s %8.2f million bars/s\n", what, bars / (double)(us ? us : 1));
}

/* ---- the codec alone -------------------------------------------------------------------------------------------------- */

struct blobs {
	struct buf data;
	size_t at[1000], n;
};

static void encode_all(const struct samples *all, struct blobs *b)
{
	struct err e = {0};
	int64_t start = clock_mono_us();
	for (size_t k = 0; k < all->n; k++)
		for (size_t i = 0, j; i < all->at[k].n; i = j) {
			const struct bar *bars = all->at[k].bars;
			int64_t end = chunk_end(INTERVAL_1m, bars[i].open_time);
			for (j = i; j < all->at[k].n && bars[j].open_time < end;)
				j++;
			b->at[b->n++] = b->data.len;
			if (!chunk_encode(bars + i, j - i, INTERVAL_1m, &b->data, &e))
				die(&e);
		}
	b->at[b->n] = b->data.len;
	report("codec: encode", (double)all->rows, clock_mono_us() - start);
	printf("%-56s %8.2f bytes a bar (%d fields)\n", "chunk blobs", (double)b->data.len / (double)all->rows, 12);
}

/* set: which columns. The best of the rounds: the machine is rarely ours alone. */
static void decode_all(const struct samples *all, const struct blobs *b, unsigned set, const char *what)
{
	struct err e = {0};
	struct chunk_reader *r = chunk_reader_open();
	double *d = mem_array(8 * CHUNK_MAX, sizeof *d);
	int64_t *t = mem_array(3 * CHUNK_MAX, sizeof *t), best = INT64_MAX;
	struct columns_out into = {.open_time = t, .close = d};
	if (set & COLUMN_OPEN)
		into = (struct columns_out){
		        .open_time = t, .open = d, .high = d + CHUNK_MAX, .low = d + 2 * CHUNK_MAX, .close = d + 3 * CHUNK_MAX};
	if (set & COLUMN_VOLUME)
		into = (struct columns_out){t, t + CHUNK_MAX, t + 2 * CHUNK_MAX, d, d + CHUNK_MAX, d + 2 * CHUNK_MAX, d + 3 * CHUNK_MAX,
		        d + 4 * CHUNK_MAX, d + 5 * CHUNK_MAX, d + 6 * CHUNK_MAX, d + 7 * CHUNK_MAX};
	for (int round = 0; round < ROUNDS; round++) {
		int64_t start = clock_mono_us();
		for (size_t i = 0; i < b->n; i++)
			if (chunk_decode_columns(r, b->data.data + b->at[i], b->at[i + 1] - b->at[i], INTERVAL_1m, &into, 0, &e) < 0)
				die(&e);
		int64_t took = clock_mono_us() - start;
		best = took < best ? took : best;
	}
	report(what, (double)all->rows, best);
	chunk_reader_close(&r);
	mem_free(&d);
	mem_free(&t);
}

/* ---- the store ---------------------------------------------------------------------------------------------------------- */

static void put_all(struct store *s, const struct samples *all, size_t step, enum put_mode mode, const char *what)
{
	struct err e = {0};
	struct put_result r;
	struct store_writer who = {.job = "bench", .fence = 0};
	int64_t start = clock_mono_us();
	for (size_t k = 0; k < all->n; k++)
		for (size_t i = 0; i < all->at[k].n; i += step) {
			size_t n = all->at[k].n - i < step ? all->at[k].n - i : step;
			if (!store_bars_put(s, all->at[k].symbol, INTERVAL_1m, all->at[k].bars + i, n, mode, &who, &r, &e))
				die(&e);
		}
	report(what, (double)all->rows, clock_mono_us() - start);
}

static void read_columns(struct store *s, const struct samples *all, unsigned set, const char *what)
{
	struct err e = {0};
	int64_t best = INT64_MAX;
	struct arena *a = arena_open();
	for (int round = 0; round < ROUNDS / 4; round++) {
		int64_t start = clock_mono_us();
		for (size_t k = 0; k < all->n; k++) {
			struct columns c;
			if (!store_columns_get(s, all->at[k].symbol, INTERVAL_1m, 0, INT64_MAX, set, a, &c, NULL, &e))
				die(&e);
			arena_reset(a);
		}
		int64_t took = clock_mono_us() - start;
		best = took < best ? took : best;
	}
	report(what, (double)all->rows, best);
	arena_close(&a);
}

static void read_bars(struct store *s, const struct samples *all)
{
	struct err e = {0};
	struct arena *a = arena_open();
	int64_t start = clock_mono_us();
	for (size_t k = 0; k < all->n; k++) {
		struct bar *bars;
		size_t n;
		if (!store_bars_get(s, all->at[k].symbol, INTERVAL_1m, 0, INT64_MAX, a, &bars, &n, NULL, &e))
			die(&e);
		if (n != all->at[k].n || !bars_same(bars, all->at[k].bars, n)) {
			fprintf(stderr, "bench_store: what was read is not what was written\n");
			exit(1);
		}
		arena_reset(a);
	}
	report("store: read whole candles, exact, and compare", (double)all->rows, clock_mono_us() - start);
	arena_close(&a);
}

/* ---- the cache ------------------------------------------------------------------------------------------------------------ */

static void read_cache(struct cache *c, struct store *s, const struct samples *all, const char *what)
{
	struct err e = {0};
	double sum = 0;
	int64_t revision, start = clock_mono_us();
	for (size_t k = 0; k < all->n; k++) {
		struct columns col;
		if (!cache_columns(c, s, all->at[k].symbol, INTERVAL_1m, 0, INT64_MAX, &col, &revision, &e))
			die(&e);
		for (size_t i = 0; i < col.n; i++) /* as a strategy does: touch them all */
			sum += col.open[i] + col.high[i] + col.low[i] + col.close[i];
	}
	cache_release_all(c);
	report(what, (double)all->rows, clock_mono_us() - start);
	if (!(sum > 0))
		exit(1);
}

static void bench_store(const struct samples *all, const char *dir)
{
	struct err e = {0};
	char url[600], path[600];
	struct stat st;
	snprintf(url, sizeof url, "sqlite:%s/db", dir);
	snprintf(path, sizeof path, "%s/cache", dir);
	struct store *s = store_open(url, &e);
	struct cache *c = s ? cache_open(path, 0, &e) : NULL;
	if (!c)
		die(&e);
	put_all(s, all, PAGE, PUT_KEEP, "store: put pages of 499 (a commit on disk each)");
	put_all(s, all, 100000, PUT_OVERWRITE, "store: put the same again, a month at once");
	read_columns(s, all, COLUMNS_OHLC, "store: read OHLC and time");
	read_columns(s, all, COLUMNS_ALL, "store: read all columns");
	read_bars(s, all);
	read_cache(c, s, all, "cache: first use (read, write the file, map)");
	read_cache(c, s, all, "cache: warm, OHLC summed");
	read_cache(c, s, all, "cache: warm, again");
	cache_close(&c);
	c = cache_open(path, 0, &e);
	if (!c)
		die(&e);
	read_cache(c, s, all, "cache: another process, file warm (checked once)");
	cache_close(&c);
	store_close(&s);
	snprintf(path, sizeof path, "%s/db/crypto_data.db", dir);
	if (stat(path, &st) == 0)
		printf("%-56s %8.2f bytes a bar, all tables and pages\n", "crypto_data.db", (double)st.st_size / (double)all->rows);
}

int main(void)
{
	static struct samples all;
	static struct blobs blobs;
	load(&all);
	encode_all(&all, &blobs);
	decode_all(&all, &blobs, COLUMN_TIME | COLUMN_CLOSE, "codec: decode close and time");
	decode_all(&all, &blobs, COLUMNS_OHLC, "codec: decode OHLC and time");
	decode_all(&all, &blobs, COLUMNS_ALL, "codec: decode all columns");
	char dir[] = "/tmp/barque-bench-XXXXXX", command[64];
	if (!mkdtemp(dir))
		die(&(struct err){.text = "no folder can be made in /tmp"});
	bench_store(&all, dir);
	snprintf(command, sizeof command, "rm -rf %s", dir);
	if (system(command) != 0)
		fprintf(stderr, "bench_store: %s stays\n", dir);
	for (size_t i = 0; i < all.n; i++)
		mem_free(&all.at[i].bars);
	buf_close(&blobs.data);
	return 0;
}
