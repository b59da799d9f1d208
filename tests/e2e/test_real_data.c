/* test_real_data.c -- real candles from files through simulator, client, queue, worker, store and API: every number must come back. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/lib/system.h"

#define WAIT_MS 50000

struct file {
	const char *path; /* in the data folder */
	const char *symbol, *interval, *start, *end;
};

static const struct file months_1[] = {
        {"um_klines_1m_archive/ALGOUSDT-1m-2026-02.csv.gz", "ALGOUSDT", "1m", "2026-02-01", "2026-02-28 23:59:00"},
        {"um_klines_1m_archive/AVAXUSDT-1m-2026-02.csv.gz", "AVAXUSDT", "1m", "2026-02-01", "2026-02-28 23:59:00"},
};
static const struct file months_2[] = {
        {"um_klines_1m_archive/DOTUSDT-1m-2026-02.csv.gz", "DOTUSDT", "1m", "2026-02-01", "2026-02-28 23:59:00"},
        {"um_klines_1m_archive/FILUSDT-1m-2026-02.csv.gz", "FILUSDT", "1m", "2026-02-01", "2026-02-28 23:59:00"},
};
static const struct file months_3[] = {
        {"um_klines_1m_archive/LINKUSDT-1m-2026-02.csv.gz", "LINKUSDT", "1m", "2026-02-01", "2026-02-28 23:59:00"},
        {"um_klines_1m_archive/NEARUSDT-1m-2026-02.csv.gz", "NEARUSDT", "1m", "2026-02-01", "2026-02-28 23:59:00"},
};
#define HOURS(symbol)                                                                                         \
	{                                                                                                     \
		"um_klines_api/" symbol "-1h.csv", symbol, "1h", "2025-03-06 11:00:00", "2025-04-05 09:00:00" \
	}
static const struct file hours[] = {HOURS("ADAUSDT"), HOURS("BCHUSDT"), HOURS("BNBUSDT"), HOURS("BTCUSDT"), HOURS("ETHUSDT"),
        HOURS("LINKUSDT"), HOURS("LTCUSDT"), HOURS("SOLUSDT"), HOURS("XRPUSDT")};

/* A folder of links to just these files; false where the data is not there. */
static bool link_files(const struct file *files, size_t n, char dir_out[256])
{
	snprintf(dir_out, 256, "%s/csv", test_dir());
	ck_assert_int_eq(mkdir(dir_out, 0755), 0);
	for (size_t i = 0; i < n; i++) {
		const char *path = test_data(files[i].path);
		char link[400], target[1024];
		if (!path)
			return false;
		snprintf(link, sizeof(link), "%s/%s", dir_out, strrchr(files[i].path, '/') + 1);
		ck_assert(realpath(path, target) != NULL);
		ck_assert_int_eq(symlink(target, link), 0);
	}
	return true;
}

/* Where the data folder is not there: the project's own candles, printed as a file of the same form by the test itself. */
static void write_own_file(const char *dir)
{
	char path[400];
	snprintf(path, sizeof(path), "%s/OWNUSDT-1h.csv", dir);
	FILE *f = fopen(path, "w");
	ck_assert(f != NULL);
	fprintf(f, "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore\n");
	for (long long i = 0; i < 719; i++) {
		long long t = 1741258800000LL + i * 3600000, low = 10000 + (i * 7919) % 500;
		fprintf(f, "%lld,%lld.%02lld,%lld.50,%lld.10,%lld.%02lld,%lld.125,%lld,%lld.50000,%lld,1.5,%lld.25,0\n", t, low + 3,
		        i % 100, low + 900, low - 1, low + 4, (i * 3) % 100, i + 2, t + 3599999, (i + 2) * low, i + 1, low);
	}
	fclose(f);
}

static const struct file own = {NULL, "OWNUSDT", "1h", "2025-03-06 11:00:00", "2025-04-05 09:00:00"};

static void download(struct test_system *s, const struct file *f, char id_out[48])
{
	char params[400];
	snprintf(params, sizeof(params), "{\"symbols\":[\"%s\"],\"interval\":\"%s\",\"start_time\":\"%s\",\"end_time\":\"%s\"}", f->symbol,
	        f->interval, f->start, f->end);
	test_system_submit(s, "kline.download", params, id_out);
}

/* The file is read here by strtod alone, so that none of the code under test judges itself. An empty field is served as 0. */
static const char *const names[12] = {"open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "trade_count",
        "active_buy_volume", "active_buy_quote_volume", NULL};

static void same_line(const struct json *bar, char *line, const char *symbol, size_t row)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *field = strsep(&line, ",\r");
		double want = field ? strtod(field, NULL) : 0, got = -1;
		if (!names[i])
			continue;
		ck_assert_msg(json_double(json_get(bar, names[i]), &got) && got == want, "%s row %zu: %s is %.17g, but the file says '%s'",
		        symbol, row, names[i], got, field ? field : "");
	}
}

/* Every line of the file against what the API gives, in order, no more and no less. */
static void compare(struct test_system *s, const struct file *f, const char *file_path)
{
	char path[200];
	size_t len, row = 0;
	snprintf(path, sizeof(path), "/api/kline/%s/%s", f->interval, f->symbol);
	struct json *answer = test_system_call(s, "GET", path, NULL, 200);
	const struct json *bar = json_first(json_get(answer, "data"));
	char *text = test_read_file(file_path, &len), *rest = text;
	for (char *line; (line = strsep(&rest, "\n"));) {
		if (line[0] < '0' || line[0] > '9')
			continue;
		ck_assert_msg(bar != NULL, "%s: the API has %zu rows, the file more", f->symbol, row);
		same_line(bar, line, f->symbol, row++);
		bar = json_next(bar);
	}
	ck_assert_msg(bar == NULL && row > 0, "%s: the API has more rows than the %zu of the file", f->symbol, row);
	ck_assert_int_eq(json_get_int(answer, "total_count", -1), (int64_t)row);
	printf("%s %s: %zu candles equal\n", f->symbol, f->interval, row);
	mem_free(&text);
	json_close(&answer);
}

static void through_everything(const struct file *files, size_t n)
{
	struct test_system s;
	char dir[256], ids[16][48], path[400];
	bool real = link_files(files, n, dir);
	if (!real) {
		test_skip_data(files[0].path);
		write_own_file(dir);
		files = &own;
		n = 1;
	}
	const char *args[] = {"--csv", dir, NULL};
	test_system_start(&s, args, 1);
	for (size_t i = 0; i < n; i++)
		download(&s, &files[i], ids[i]);
	for (size_t i = 0; i < n; i++) {
		struct json *job = test_system_wait(&s, ids[i], WAIT_MS);
		json_close(&job);
		snprintf(path, sizeof(path), "%s/%s", dir, real ? strrchr(files[i].path, '/') + 1 : "OWNUSDT-1h.csv");
		compare(&s, &files[i], path);
	}
	test_system_stop(&s);
}

START_TEST(algo_avax_1m_month)
{
	through_everything(months_1, ARRAY_LEN(months_1));
}
END_TEST

START_TEST(dot_fil_1m_month)
{
	through_everything(months_2, ARRAY_LEN(months_2));
}
END_TEST

START_TEST(link_near_1m_month)
{
	through_everything(months_3, ARRAY_LEN(months_3));
}
END_TEST

START_TEST(nine_symbols_1h)
{
	through_everything(hours, ARRAY_LEN(hours));
}
END_TEST

static const TTest *const tests[] = {algo_avax_1m_month, dot_fil_1m_month, link_near_1m_month, nine_symbols_1h};
TEST_MAIN("real_data", tests)
