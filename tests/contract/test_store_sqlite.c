/* test_store_sqlite.c -- the contract of the store on SQLite, and what is its own: processes, kill -9, damaged files, full disks. */
#include "tests/contract/store_suite.h"

#include "tests/contract/store_history_suite.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"

static char url[700];

const char *suite_url(void)
{
	/* Once: the children of a test use the folder of their parent. */
	if (!*url)
		snprintf(url, sizeof url, "sqlite:%s/db", test_dir());
	return url;
}

static const char *db_path(const char *file)
{
	static char path[700];
	snprintf(path, sizeof path, "%s/db/%s", test_dir(), file);
	return path;
}

/* Run work in a child; it ends with status 0 when all went well. */
static pid_t child(void (*work)(int me), int me)
{
	suite_url();
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		work(me);
		_exit(0);
	}
	return pid;
}

static void join_all(const pid_t *pids, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int status = -1;
		ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
		ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "process %zu ended with %d", i, status);
	}
}

/* In a child there is no test runner to fail to: say it and leave. */
static void must(bool ok, const struct err *e)
{
	if (ok)
		return;
	fprintf(stderr, "child: %s\n", e->text);
	_exit(1);
}

/* ---- several processes ---------------------------------------------------------------------------------------------- */

#define WRITERS 4
#define SHARED  2400

static void open_and_close(int me)
{
	char path[760];
	for (int round = 0; round < 20; round++) {
		struct err e = {0};
		snprintf(path, sizeof path, "%s-round-%d", suite_url(), round);
		struct store *s = store_open(path, &e);
		must(s != NULL, &e);
		store_close(&s);
	}
	UNUSED(me);
}

/* The API and several workers start at the same moment on a machine where there is no store yet. */
START_TEST(many_make_a_new_store_at_once)
{
	pid_t pids[6];
	for (int i = 0; i < 6; i++)
		pids[i] = child(open_and_close, i);
	join_all(pids, ARRAY_LEN(pids));
}
END_TEST

/* Of the shared series this one's quarter and half of the next one's, of its own series everything; in small uneven steps. */
static void write_part(int me)
{
	struct err e = {0};
	struct store *s = store_open(suite_url(), &e);
	must(s != NULL, &e);
	struct bar *bars = mem_array(SHARED, sizeof *bars), *mine = mem_array(SHARED, sizeof *mine);
	struct store_writer who = {.job = "", .fence = 0};
	struct put_result r;
	char name[16];
	size_t n = 0, step = 0;
	snprintf(name, sizeof name, "OWN%d", me);
	bars_walk(bars, SHARED, INTERVAL_1m, T0, 11);
	for (int i = 0; i < SHARED; i++)
		if (i % WRITERS == me || (i / WRITERS % 2 && i % WRITERS == (me + 1) % WRITERS))
			mine[n++] = bars[i];
	for (size_t i = 0; i < n; i += step) {
		step = 60 + (i * 7 + (size_t)me * 31) % 50;
		step = step < n - i ? step : n - i;
		must(store_bars_put(s, "SHARED", INTERVAL_1m, mine + i, step, PUT_OVERWRITE, &who, &r, &e), &e);
		must(store_bars_put(s, name, INTERVAL_1m, mine + i, step, PUT_KEEP, &who, &r, &e), &e);
	}
	store_close(&s);
}

static void check_events(struct store *s, const char *symbol, int64_t rows)
{
	struct err e = {0};
	struct arena *a = arena_open();
	struct outbox_row *list;
	struct series series;
	int64_t told = 0, inserted = 0, updated = 0;
	int n = store_outbox_take(s, 1000000, a, &list, &e);
	ck_assert_int_eq(store_series(s, symbol, INTERVAL_1m, &series, &e), 1);
	for (int i = 0; i < n; i++) {
		struct json *data = json_parse(list[i].data, strlen(list[i].data), &e);
		if (strcmp(json_get_text(data, "symbol", ""), symbol) == 0) {
			ck_assert_int_eq(number(data, "revision"), ++told); /* in the order of the commits, none left out */
			inserted += number(data, "inserted");
			updated += number(data, "updated");
		}
		json_close(&data);
	}
	ck_assert_int_eq(told, series.revision);
	ck_assert_int_eq(inserted, rows);
	ck_assert_int_eq(updated, 0);
	arena_close(&a);
}

START_TEST(four_processes_write_at_once)
{
	pid_t pids[WRITERS];
	for (int i = 0; i < WRITERS; i++)
		pids[i] = child(write_part, i); /* they also make the store together */
	join_all(pids, WRITERS);
	struct store *s = open_suite();
	struct bar *bars = mem_array(SHARED, sizeof *bars);
	bars_walk(bars, SHARED, INTERVAL_1m, T0, 11);
	expect(s, "SHARED", INTERVAL_1m, ALL, bars, SHARED);
	check_events(s, "SHARED", SHARED);
	check_events(s, "OWN3", SHARED / WRITERS + SHARED / WRITERS / 2);
	mem_free(&bars);
	store_close(&s);
}
END_TEST

static void overwrite_for_ever(int me)
{
	struct err e = {0};
	struct store *s = store_open(suite_url(), &e);
	must(s != NULL, &e);
	enum { N = 2500 };
	struct bar *bars = mem_array(N, sizeof *bars);
	struct store_writer who = {.job = "", .fence = 0};
	struct put_result r;
	UNUSED(me);
	bars_walk(bars, N, INTERVAL_1m, T0, 1);
	for (int64_t k = 1;; k++) {
		for (size_t i = 0; i < N; i++)
			bars[i].trades = k;
		must(store_bars_put(s, "BTCUSDT", INTERVAL_1m, bars, N, PUT_OVERWRITE, &who, &r, &e), &e);
	}
}

START_TEST(a_reader_sees_one_state)
{
	struct err e = {0};
	struct store *s = open_suite();
	pid_t writer = child(overwrite_for_ever, 0);
	int64_t states = 0, before = 0;
	for (int64_t end = clock_mono_ms() + 1500; clock_mono_ms() < end;) {
		struct arena *a = arena_open();
		struct columns c;
		int64_t revision = 0;
		ck_ok(store_columns_get(s, "BTCUSDT", INTERVAL_1m, ALL, COLUMNS_ALL, a, &c, &revision, &e), &e);
		for (size_t i = 0; i < c.n; i++)
			ck_assert_int_eq(c.trades[i], revision);
		ck_assert(c.n == 0 || c.n == 2500);
		states += revision != before;
		before = revision;
		arena_close(&a);
	}
	kill(writer, SIGKILL);
	waitpid(writer, NULL, 0);
	ck_assert_int_gt(states, 1);
	store_close(&s);
}
END_TEST

/* ---- kill -9 ----------------------------------------------------------------------------------------------------------- */

#define BATCH 300 /* bars of one put: it often touches two chunks */
#define PUTS  150
static int said[2]; /* a pipe: one byte for every put that was answered */

static void put_batches(int from)
{
	struct err e = {0};
	struct store *s = store_open(suite_url(), &e);
	must(s != NULL, &e);
	struct bar *bars = mem_array(BATCH * PUTS, sizeof *bars);
	struct store_writer who = {.job = "", .fence = 0};
	struct put_result r;
	bars_walk(bars, BATCH * PUTS, INTERVAL_1m, T0, 3);
	for (size_t i = (size_t)from; i < PUTS; i++) {
		must(store_bars_put(s, "BTCUSDT", INTERVAL_1m, bars + i * BATCH, BATCH, PUT_KEEP, &who, &r, &e), &e);
		must(write(said[1], "x", 1) == 1, &e);
	}
	store_close(&s);
}

START_TEST(kill_9_leaves_no_half_change)
{
	struct err e = {0};
	struct bar *bars = mem_array(BATCH * PUTS, sizeof *bars);
	uint64_t seed = (uint64_t)clock_mono_us();
	int64_t done = 0;
	bars_walk(bars, BATCH * PUTS, INTERVAL_1m, T0, 3);
	for (int round = 0; round < 8 && done < PUTS; round++) {
		char drain[PUTS];
		struct series series;
		ck_assert_int_eq(pipe2(said, O_CLOEXEC), 0);
		pid_t pid = child(put_batches, (int)done);
		close(said[1]);
		ck_assert_int_eq(read(said[0], drain, 1), 1); /* it is at work */
		usleep((useconds_t)(bars_random(&seed) % 40000));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		int64_t answered = done + 1;
		for (ssize_t n; (n = read(said[0], drain, sizeof drain)) > 0;)
			answered += n;
		close(said[0]);
		struct store *s = open_suite();
		ck_assert_int_eq(store_series(s, "BTCUSDT", INTERVAL_1m, &series, &e), 1);
		done = series.revision;
		ck_assert_msg(done == answered || done == answered + 1, "%lld stored, %lld answered", (long long)done, (long long)answered);
		ck_assert_int_eq(events(s), done);
		expect(s, "BTCUSDT", INTERVAL_1m, ALL, bars, (size_t)done * BATCH);
		store_close(&s);
	}
	mem_free(&bars);
}
END_TEST

/* ---- files that are not right ---------------------------------------------------------------------------------------------- */

static void make_small_store(void)
{
	struct store *s = open_suite();
	struct bar bars[4000];
	bars_walk(bars, ARRAY_LEN(bars), INTERVAL_1m, T0, 1);
	put(s, "BTCUSDT", INTERVAL_1m, bars, ARRAY_LEN(bars), PUT_KEEP);
	store_close(&s);
	/* The last one to close moves everything from the log into the file. */
	ck_assert_int_ne(access(db_path("crypto_data.db-wal"), F_OK), 0);
}

static void patch(const char *file, size_t at, const void *bytes, size_t n)
{
	int fd = open(db_path(file), O_WRONLY);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, bytes, n, (off_t)at), (ssize_t)n);
	close(fd);
}

static void refuse_open(enum err_code code, const char *word)
{
	struct err e = {0};
	struct store *s = store_open(suite_url(), &e);
	ck_assert_msg(s == NULL, "opened, though it should say %s", word);
	ck_assert_msg(e.code == code && strstr(e.text, word) && strstr(e.text, "db"), "%s: %s", err_name(e.code), e.text);
}

START_TEST(a_newer_schema_is_refused)
{
	make_small_store();
	patch("crypto_data.db", 60, "\0\0\0\x63", 4); /* user_version */
	refuse_open(ERR_INVALID, "schema version 99");
	patch("crypto_data.db", 60, "\0\0\0\2", 4);
	patch("backtest.db", 60, "\0\0\0\x63", 4);
	refuse_open(ERR_INVALID, "backtest.db has schema version 99");
}
END_TEST

START_TEST(the_database_of_another_program_is_left_alone)
{
	make_small_store();
	patch("crypto_data.db", 68, "\0\0\0\0", 4); /* application_id: as of the system that Barque replaces */
	refuse_open(ERR_INVALID, "another program");
	patch("crypto_data.db", 68, "Barq", 4);
	struct store *s = open_suite();
	store_close(&s);
}
END_TEST

START_TEST(files_that_are_no_database)
{
	ck_assert_int_eq(mkdir(db_path(""), 0755), 0);
	int fd = open(db_path("crypto_data.db"), O_WRONLY | O_CREAT, 0644);
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(write(fd, "this is a diary\n", 16), 16);
	close(fd);
	refuse_open(ERR_CORRUPT, "not a SQLite database");
}
END_TEST

START_TEST(a_path_that_cannot_be)
{
	struct err e = {0};
	char path[800];
	make_small_store();
	snprintf(path, sizeof path, "sqlite:%s/sub", db_path("crypto_data.db"));
	ck_assert(store_open(path, &e) == NULL);
	ck_assert_int_eq(e.code, ERR_DENIED);
	ck_assert(store_open("sqlite:", &e) == NULL);
	ck_assert_int_eq(e.code, ERR_INVALID);
	char *longest = mem_new(5000);
	memset(longest, 'x', 4999);
	memcpy(longest, "sqlite:", 7);
	ck_assert(store_open(longest, &e) == NULL);
	ck_assert_int_eq(e.code, ERR_INVALID);
	mem_free(&longest);
	/* A directory where the file should be. */
	unlink(db_path("backtest.db"));
	ck_assert_int_eq(mkdir(db_path("backtest.db"), 0755), 0);
	refuse_open(ERR_DENIED, "cannot be opened");
}
END_TEST

/* Flip a byte in the k-th blob of the file. */
static void damage_blob(int k)
{
	size_t len;
	char *file = test_read_file(db_path("crypto_data.db"), &len), *at = file;
	for (; k >= 0; k--) {
		at = memmem(at + 1, len - (size_t)(at + 1 - file), "BQC1", 4);
		ck_assert(at != NULL);
	}
	char byte = (char)(at[1000] ^ 1);
	patch("crypto_data.db", (size_t)(at + 1000 - file), &byte, 1);
	mem_free(&file);
}

START_TEST(a_damaged_chunk_is_named_and_can_be_replaced)
{
	struct err e = {0};
	struct arena *a = arena_open();
	struct bar bars[4000], *got;
	struct put_result r;
	struct columns c;
	size_t n;
	make_small_store();
	damage_blob(1);
	struct store *s = open_suite();
	bars_walk(bars, ARRAY_LEN(bars), INTERVAL_1m, T0, 1);
	int64_t damaged = -1;
	for (size_t i = 0; i < ARRAY_LEN(bars); i += 100)
		if (!store_bars_get(s, "BTCUSDT", INTERVAL_1m, bars[i].open_time, bars[i].open_time, a, &got, &n, NULL, &e))
			damaged = bars[i].open_time;
	ck_assert_int_ge(damaged, 0);
	ck_assert_int_eq(e.code, ERR_CORRUPT);
	ck_assert_msg(strstr(e.text, "BTCUSDT 1m, chunk of 2026-0") != NULL, "%s", e.text);
	ck_assert(!store_columns_get(s, "BTCUSDT", INTERVAL_1m, ALL, COLUMNS_OHLC, a, &c, NULL, &e));
	ck_assert(!store_bars_put(s, "BTCUSDT", INTERVAL_1m, bars, ARRAY_LEN(bars), PUT_OVERWRITE, &nobody, &r, &e));
	ck_assert_int_eq(e.code, ERR_CORRUPT);
	/* As the sentence says: delete the range, download again. */
	int64_t from = chunk_start(INTERVAL_1m, damaged), to = chunk_end(INTERVAL_1m, damaged) - 1;
	ck_assert_int_gt(delete (s, "BTCUSDT", INTERVAL_1m, from, to), 0);
	put(s, "BTCUSDT", INTERVAL_1m, bars, ARRAY_LEN(bars), PUT_KEEP);
	expect(s, "BTCUSDT", INTERVAL_1m, ALL, bars, ARRAY_LEN(bars));
	store_close(&s);
	arena_close(&a);
}
END_TEST

START_TEST(a_check_finds_damage)
{
	struct err e = {0};
	struct arena *a = arena_open();
	struct store_health h;
	char garbage[4096];
	make_small_store();
	damage_blob(0);
	damage_blob(1);
	struct store *s = open_suite();
	ck_assert_int_eq(store_check(s, clock_mono_ms() + 60000, 10, a, &h, &e), 0);
	ck_assert_msg(strstr(h.problem, "BTCUSDT 1m, chunk of 2026-0") != NULL, "%s", h.problem);
	store_close(&s);
	/* What SQLite itself sees, in the second file. */
	memset(garbage, 0x5a, sizeof garbage);
	patch("backtest.db", 2 * 8192, garbage, sizeof garbage);
	s = open_suite();
	ck_assert_int_eq(store_check(s, clock_mono_ms() + 60000, 10, a, &h, &e), 0);
	ck_assert_msg(strstr(h.problem, "backtest.db is damaged") != NULL, "%s", h.problem);
	store_close(&s);
	arena_close(&a);
}
END_TEST

START_TEST(a_blob_in_the_wrong_row_is_refused)
{
	/* Whole in itself, with as many rows, at the same time: but another series' one. */
	struct err e = {0};
	struct store *s = open_suite();
	struct arena *a = arena_open();
	struct buf blob = {0};
	struct bar one, other, *got;
	size_t len, n;
	bars_walk(&one, 1, INTERVAL_1m, T0, 1);
	other = one;
	other.trades ^= 1;
	put(s, "ONE", INTERVAL_1m, &one, 1, PUT_KEEP);
	put(s, "OTHER", INTERVAL_1m, &other, 1, PUT_KEEP);
	store_close(&s);
	ck_ok(chunk_encode(&one, 1, INTERVAL_1m, &blob, &e), &e);
	char *file = test_read_file(db_path("crypto_data.db"), &len);
	char *first = memmem(file, len, "BQC1", 4), *second = memmem(first + 1, len - (size_t)(first + 1 - file), "BQC1", 4);
	ck_assert(first && second);
	patch("crypto_data.db", (size_t)(first - file), second, blob.len);
	s = open_suite();
	int refused = 0;
	for (int i = 0; i < 2; i++)
		refused += !store_bars_get(s, i ? "ONE" : "OTHER", INTERVAL_1m, ALL, a, &got, &n, NULL, &e);
	ck_assert_int_eq(refused, 1);
	ck_assert_int_eq(e.code, ERR_CORRUPT);
	mem_free(&file);
	buf_close(&blob);
	arena_close(&a);
	store_close(&s);
}
END_TEST

START_TEST(damaged_pages_end_in_sentences)
{
	/* Garbage over page after page: any answer but a crash or a wrong candle. */
	struct err e = {0};
	struct stat st;
	struct bar bars[4000];
	char garbage[8192];
	uint64_t seed = 5;
	make_small_store();
	size_t len;
	ck_assert_int_eq(stat(db_path("crypto_data.db"), &st), 0);
	char *right = test_read_file(db_path("crypto_data.db"), &len);
	bars_walk(bars, ARRAY_LEN(bars), INTERVAL_1m, T0, 1);
	int refused = 0;
	for (size_t page = 0; page * sizeof garbage < (size_t)st.st_size; page++) {
		for (size_t i = 0; i < sizeof garbage; i++)
			garbage[i] = (char)bars_random(&seed);
		patch("crypto_data.db", page * sizeof garbage, garbage, sizeof garbage);
		struct store *s = store_open(suite_url(), &e);
		struct arena *a = arena_open();
		struct bar *got;
		size_t n = 0;
		bool ok = s && store_bars_get(s, "BTCUSDT", INTERVAL_1m, ALL, a, &got, &n, NULL, &e);
		refused += !ok;
		ck_assert(!ok || n == 0 || bars_same(got, bars, n));
		ck_assert_msg(ok || (*e.text && (e.code == ERR_CORRUPT || e.code == ERR_INVALID)), "%s: %s", err_name(e.code), e.text);
		arena_close(&a);
		store_close(&s);
		patch("crypto_data.db", 0, right, len);
	}
	ck_assert_int_gt(refused, 3);
	mem_free(&right);
}
END_TEST

/* ---- disks that are full or read-only ------------------------------------------------------------------------------------------ */

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		close(fd);
	return ok;
}

/* A small disk of our own over test_dir()/db, in a name space that ends with this process. */
static bool small_disk(const char *options)
{
	char map[64];
	uid_t uid = getuid();
	gid_t gid = getgid();
	if (unshare(uid ? CLONE_NEWUSER | CLONE_NEWNS : CLONE_NEWNS) != 0)
		return false;
	if (uid) {
		snprintf(map, sizeof map, "0 %u 1", (unsigned)uid);
		bool mapped = write_text("/proc/self/uid_map", map) && write_text("/proc/self/setgroups", "deny");
		snprintf(map, sizeof map, "0 %u 1", (unsigned)gid);
		if (!mapped || !write_text("/proc/self/gid_map", map))
			return false;
	}
	return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && (mkdir(db_path(""), 0755) == 0 || errno == EEXIST) &&
	       mount("tmpfs", db_path(""), "tmpfs", 0, options) == 0;
}

/* Write until it fails; what was answered before must be there, and the sentence must say why. */
/* Only the soft limit, so that it can be lifted: the test runner writes a file of its own. */
static void limit_files(rlim_t bytes)
{
	struct rlimit limit;
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void fill_up(enum err_code code, const char *word, bool limited)
{
	struct err e = {0};
	struct store *s = open_suite();
	struct bar *bars = mem_array(100000, sizeof *bars);
	struct put_result r;
	size_t n = 0;
	bars_walk(bars, 100000, INTERVAL_1m, T0, 1);
	if (limited)
		limit_files(2 << 20);
	while (n < 100000 && store_bars_put(s, "BTCUSDT", INTERVAL_1m, bars + n, 4000, PUT_KEEP, &nobody, &r, &e))
		n += 4000;
	if (limited)
		limit_files(RLIM_INFINITY);
	ck_assert_msg(n > 0 && n < 100000, "%zu: %s", n, e.text);
	ck_assert_msg(e.code == code && strstr(e.text, word) && strstr(e.text, "crypto_data.db"), "%s: %s", err_name(e.code), e.text);
	expect(s, "BTCUSDT", INTERVAL_1m, ALL, bars, n);
	ck_assert_int_eq(events(s), (int64_t)n / 4000);
	mem_free(&bars);
	store_close(&s);
}

START_TEST(a_full_disk_loses_nothing_that_was_answered)
{
	if (small_disk("size=2m")) {
		fill_up(ERR_FULL, "the disk is full", false);
		umount2(db_path(""), MNT_DETACH);
		return;
	}
	fprintf(stderr, "test_store_sqlite: no right to mount a small disk here; a limit on the file size stands in for it\n");
	signal(SIGXFSZ, SIG_IGN);
	fill_up(ERR_IO, "the disk gave an error", true);
}
END_TEST

START_TEST(a_read_only_disk_is_named)
{
	if (!small_disk("size=2m")) {
		fprintf(stderr, "test_store_sqlite: no right to mount a disk here: the read-only one is not tested\n");
		return;
	}
	make_small_store();
	ck_assert_int_eq(mount("none", db_path(""), NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	struct err e = {0};
	ck_assert(store_open(suite_url(), &e) == NULL);
	ck_assert_msg(e.code == ERR_DENIED && strstr(e.text, "crypto_data.db"), "%s: %s", err_name(e.code), e.text);
	umount2(db_path(""), MNT_DETACH);
}
END_TEST

static const TTest *const tests[] = {STORE_SUITE, STORE_HISTORY_SUITE, many_make_a_new_store_at_once, four_processes_write_at_once,
        a_reader_sees_one_state, kill_9_leaves_no_half_change, a_newer_schema_is_refused, the_database_of_another_program_is_left_alone,
        files_that_are_no_database, a_path_that_cannot_be, a_damaged_chunk_is_named_and_can_be_replaced, a_check_finds_damage,
        a_blob_in_the_wrong_row_is_refused, damaged_pages_end_in_sentences, a_full_disk_loses_nothing_that_was_answered,
        a_read_only_disk_is_named};
TEST_MAIN("store_sqlite", tests)
