/* records.c -- result files: written beside, synced, renamed; read back by bare names only. */
#include "records/records.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time.h"

#define JOB_MAX 64

static bool is_day(const char *s)
{
	int64_t t;
	return s && strlen(s) == 10 && time_parse_date(s, &t);
}

bool records_names_of(const char *job, const char *start, const char *end, struct records_names *out, struct err *e)
{
	if (!job || !str_is_name(job, JOB_MAX, "._-"))
		return err_set(e, ERR_INVALID, "a result file needs a job id of letters, digits and . _ -, at most %d", JOB_MAX);
	if (!is_day(start) || !is_day(end))
		return err_set(e, ERR_INVALID, "a result file needs days like 2026-02-01 for start and end");
	snprintf(out->csv, sizeof(out->csv), "backtrade_records_%s_%s_%s.csv", start, end, job);
	snprintf(out->json, sizeof(out->json), "backtrade_records_%s_%s_%s.json", start, end, job);
	snprintf(out->origin_csv, sizeof(out->origin_csv), "backtrade_records_%s_%s.csv", start, end);
	return true;
}

static bool write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

/* Name and content become one step for readers. The temporary name carries our pid: two runs of one job (a lease that was lost)
 * must not write into one file. */
static bool file_put(int dir, const char *name, const struct buf *b, struct err *e)
{
	char beside[RECORDS_NAME + 32];
	snprintf(beside, sizeof(beside), ".%s.%ld", name, (long)getpid());
	int fd = openat(dir, beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return err_set(e, ERR_IO, "%s: %s", beside, strerror(errno));
	bool done = write_all(fd, b->data, b->len) && fsync(fd) == 0;
	int why = errno;
	if (close(fd) != 0 && done) {
		why = errno;
		done = false;
	}
	if (done && renameat(dir, beside, dir, name) != 0) {
		why = errno;
		done = false;
	}
	if (done)
		return true;
	unlinkat(dir, beside, 0);
	return err_set(e, ERR_IO, "%s: %s", name, strerror(why));
}

/* -1: failed. */
static int dir_open(const char *dir, bool make, struct err *e)
{
	if (make && mkdir(dir, 0755) != 0 && errno != EEXIST)
		return err_fail(e, ERR_IO, "%s: %s", dir, strerror(errno));
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_fail(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", dir, strerror(errno));
	return fd;
}

bool records_write(const char *dir, const char *job, const char *start, const char *end, const struct backtest_result *r,
        const char *summary_json, struct records_names *out, struct err *e)
{
	struct buf csv = {0}, json = {0};
	if (!records_names_of(job, start, end, out, e))
		return false;
	int fd = dir_open(dir, true, e);
	if (fd < 0)
		return false;
	records_csv(r, &csv);
	records_json(r, job, summary_json, &json);
	/* The origin's name last: once it shows this run, the run's own files are there. */
	bool done = file_put(fd, out->json, &json, e) && file_put(fd, out->csv, &csv, e) && file_put(fd, out->origin_csv, &csv, e);
	if (done && fsync(fd) != 0)
		done = err_set(e, ERR_IO, "%s: %s", dir, strerror(errno));
	close(fd);
	buf_close(&csv);
	buf_close(&json);
	return done;
}

static bool file_get(int fd, const char *name, struct buf *out, struct err *e)
{
	struct stat st;
	char block[65536];
	ssize_t n = 0;
	if (fstat(fd, &st) != 0)
		return err_set(e, ERR_IO, "%s: %s", name, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_NOT_FOUND, "there is no result file %s", name);
	if (st.st_size > RECORDS_MAX)
		return err_set(e, ERR_FULL, "%s has %lld bytes, more than is sent at once", name, (long long)st.st_size);
	while ((n = read(fd, block, sizeof(block))) > 0 || (n < 0 && errno == EINTR)) {
		if (n > 0)
			buf_add(out, block, (size_t)n);
	}
	return n == 0 || err_set(e, ERR_IO, "%s: %s", name, strerror(errno));
}

/* Files being written begin with a dot, so that this refuses them too. */
static bool is_bare_name(const char *name)
{
	return name && str_is_name(name, RECORDS_NAME - 1, "._-") && name[0] != '.';
}

bool records_read(const char *dir, const char *name, struct buf *out, struct err *e)
{
	if (!is_bare_name(name))
		return err_set(e, ERR_NOT_FOUND, "there is no such result file");
	int at = dir_open(dir, false, e);
	if (at < 0)
		return false;
	int fd = openat(at, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int why = errno;
	close(at);
	if (fd < 0)
		return err_set(e, why == ENOENT || why == ELOOP ? ERR_NOT_FOUND : ERR_IO, "%s: %s", name, strerror(why));
	bool done = file_get(fd, name, out, e);
	close(fd);
	return done;
}
