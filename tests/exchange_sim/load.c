/* load.c -- candles from CSV files named SYMBOL-INTERVAL*.csv or .csv.gz, in the column order of Binance's archive. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "market/csv.h"
#include "tests/exchange_sim/sim.h"

#define FILE_MAX ((size_t)1 << 30)

static bool read_all(int fd, const char *path, struct buf *out, struct err *e)
{
	char block[65536];
	ssize_t n;
	while ((n = read(fd, block, sizeof(block))) > 0) {
		if (out->len + (size_t)n > FILE_MAX)
			return err_set(e, ERR_FULL, "%s is larger than 1 GiB", path);
		buf_add(out, block, (size_t)n);
	}
	return n == 0 || err_set(e, ERR_IO, "cannot read %s: %s", path, strerror(errno));
}

/* The unpacking is gzip's: the simulator needs no library for it. */
static int gzip_open(const char *path, pid_t *pid_out, struct err *e)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC))
		return err_fail(e, ERR_UNAVAILABLE, "cannot make a pipe: %s", strerror(errno));
	*pid_out = fork();
	if (*pid_out == 0) {
		dup2(fds[1], STDOUT_FILENO);
		execlp("gzip", "gzip", "-dc", "--", path, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	if (*pid_out > 0)
		return fds[0];
	close(fds[0]);
	return err_fail(e, ERR_UNAVAILABLE, "cannot start gzip: %s", strerror(errno));
}

static bool read_file(const char *path, struct buf *out, struct err *e)
{
	pid_t pid = 0;
	int status = 0;
	int fd = str_ends(path, ".gz") ? gzip_open(path, &pid, e) : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return pid ? false : err_set(e, ERR_IO, "cannot open %s: %s", path, strerror(errno));
	bool ok = read_all(fd, path, out, e);
	close(fd);
	if (pid > 0 && waitpid(pid, &status, 0) == pid && status && ok)
		ok = err_set(e, ERR_CORRUPT, "gzip cannot unpack %s", path);
	return ok;
}

static bool read_rows(struct candles *c, const char *path, enum interval iv, struct err *e)
{
	struct buf text = {0};
	struct csv_reader reader;
	struct bar b;
	int got = read_file(path, &text, e) ? 1 : -1;
	csv_open(&reader, buf_text(&text), text.len);
	while (got > 0 && (got = csv_next(&reader, &b, e)) > 0) {
		if (c->n == c->cap) {
			c->bars = mem_grow(c->bars, c->cap, c->cap * 2 + 1024, sizeof(*c->bars));
			c->cap = c->cap * 2 + 1024;
		}
		b.close_time = interval_close(iv, b.open_time);
		c->bars[c->n++] = b;
	}
	buf_close(&text);
	return got == 0 || err_prefix(e, "%s", path);
}

static int by_time(const void *a, const void *b)
{
	const struct bar *x = a, *y = b;
	return (x->open_time > y->open_time) - (x->open_time < y->open_time);
}

/* Files may overlap: sort, and keep one candle of each time. */
static void tidy(struct market_symbol *m, struct candles *c)
{
	size_t n = 0;
	if (c->n)
		qsort(c->bars, c->n, sizeof(*c->bars), by_time);
	for (size_t i = 0; i < c->n; i++) {
		if (!n || c->bars[n - 1].open_time != c->bars[i].open_time)
			c->bars[n++] = c->bars[i];
	}
	c->n = n;
	if (n && c->bars[0].open_time < m->listed_ms)
		m->listed_ms = c->bars[0].open_time;
}

/* The decimals of a symbol's filters are those of its candles. */
static void take_scales(struct market_symbol *m, const struct candles *c)
{
	for (size_t i = 0; i < c->n && i < 500; i++) {
		m->maker.price_scale = i && m->maker.price_scale > c->bars[i].close.scale ? m->maker.price_scale : c->bars[i].close.scale;
		m->maker.qty_scale = i && m->maker.qty_scale > c->bars[i].volume.scale ? m->maker.qty_scale : c->bars[i].volume.scale;
	}
	m->maker.tick = 1;
}

/* "BTCUSDT-1h-2024-09.csv.gz": symbol, interval, and whatever follows. */
static bool name_parse(const char *file, char symbol[SYMBOL_SIZE], enum interval *iv)
{
	char interval[8];
	const char *dash = strchr(file, '-');
	if (!dash || (!str_ends(file, ".csv") && !str_ends(file, ".csv.gz")))
		return false;
	size_t len = strcspn(dash + 1, "-.");
	if (!str_copy_n(symbol, SYMBOL_SIZE, file, (size_t)(dash - file)) || !str_copy_n(interval, sizeof(interval), dash + 1, len))
		return false;
	const char *name = str_eq(interval, "1mo") ? "1M" : interval;
	return symbol_ok(symbol) && interval_of(name, iv);
}

static bool load_file(struct sim *s, const char *dir, const char *file, struct err *e)
{
	char symbol[SYMBOL_SIZE];
	enum interval iv;
	struct buf path = {0};
	if (!name_parse(file, symbol, &iv)) {
		log_info("%s is not named SYMBOL-INTERVAL*.csv or .csv.gz: not served", file);
		return true;
	}
	struct market_symbol *m = market_add(s, symbol);
	buf_addf(&path, "%s/%s", dir, file);
	bool ok = read_rows(&m->files[iv], buf_text(&path), iv, e);
	buf_close(&path);
	if (ok) {
		tidy(m, &m->files[iv]);
		take_scales(m, &m->files[iv]);
	}
	return ok;
}

bool market_load(struct sim *s, const char *dir, struct err *e)
{
	struct dirent **names = NULL;
	int n = scandir(dir, &names, NULL, alphasort);
	bool ok = n >= 0 || err_set(e, ERR_IO, "cannot read the folder %s: %s", dir, strerror(errno));
	for (int i = 0; i < n; i++) {
		if (ok && names[i]->d_name[0] != '.')
			ok = load_file(s, dir, names[i]->d_name, e);
		free(names[i]);
	}
	free(names);
	return ok;
}
