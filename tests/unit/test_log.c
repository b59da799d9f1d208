/* test_log.c -- log lines: one per event, no forged ones, JSON for machines, errno kept. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "tests/lib/test.h"

static char path[256];

/* From here on this test's standard error is a file. */
static void capture(void)
{
	int fd;

	snprintf(path, sizeof(path), "%s/log", test_dir());
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_ge(dup2(fd, STDERR_FILENO), 0);
	close(fd);
}

static void lines_end_with(const char *expected)
{
	char *text = test_read_file(path, NULL);

	ck_assert_msg(str_ends(text, expected), "%s does not end with %s", text, expected);
	mem_free(&text);
}

START_TEST(plain_line)
{
	capture();
	log_open("prog", LOG_INFO, false);
	log_info("%d done", 3);
	lines_end_with("Z info  prog: 3 done\n");
	log_context("job-1");
	log_error("bad");
	lines_end_with("Z error prog: [job-1] bad\n");
	log_context(NULL);
	log_warn("w");
	lines_end_with("Z warn  prog: w\n");
}
END_TEST

START_TEST(line_breaks_forge_no_line)
{
	char *text;
	size_t breaks = 0;

	capture();
	log_open("prog", LOG_INFO, false);
	log_context("a\nb");
	log_info("x\ny\r\x1b[31m");
	lines_end_with("prog: [a\\x0ab] x\\x0ay\\x0d\\x1b[31m\n");
	text = test_read_file(path, NULL);
	for (const char *p = text; *p; p++)
		breaks += *p == '\n';
	ck_assert_uint_eq(breaks, 1);
	mem_free(&text);
}
END_TEST

START_TEST(levels_hide_what_is_less)
{
	enum log_level l;

	capture();
	log_open("prog", LOG_WARN, false);
	log_debug("d");
	log_info("i");
	lines_end_with("");
	ck_assert_int_eq(lseek(STDERR_FILENO, 0, SEEK_END), 0);
	log_open("prog", LOG_SILENT, false);
	log_error("e");
	ck_assert_int_eq(lseek(STDERR_FILENO, 0, SEEK_END), 0);
	ck_assert(log_level_of("debug", &l) && l == LOG_DEBUG);
	ck_assert(log_level_of("silent", &l) && l == LOG_SILENT);
	ck_assert(!log_level_of("INFO", &l) && !log_level_of("", &l) && !log_level_of(NULL, &l));
}
END_TEST

START_TEST(json_lines_are_json)
{
	struct err e = {0};
	struct json *j;
	char *text;
	size_t len;

	capture();
	log_open("prog", LOG_DEBUG, true);
	log_context("c\"1");
	log_debug("a \"b\"\n\xff");
	text = test_read_file(path, &len);
	j = json_parse(text, len, &e);
	ck_assert_msg(j != NULL, "%s: %s", e.text, text);
	ck_assert_str_eq(json_get_text(j, "level", ""), "debug");
	ck_assert_str_eq(json_get_text(j, "context", ""), "c\"1");
	ck_assert_str_eq(json_get_text(j, "text", ""), "a \"b\"\n\xef\xbf\xbd");
	ck_assert_int_eq(json_get_int(j, "pid", 0), getpid());
	json_close(&j);
	mem_free(&text);
}
END_TEST

START_TEST(errno_survives)
{
	capture();
	log_open("prog", LOG_DEBUG, false);
	close(STDERR_FILENO); /* the log cannot even be written */
	errno = ENOTTY;
	log_error("x");
	ck_assert_int_eq(errno, ENOTTY);
}
END_TEST

static const TTest *const tests[] = {
        plain_line,
        line_breaks_forge_no_line,
        levels_hide_what_is_less,
        json_lines_are_json,
        errno_survives,
};
TEST_MAIN("log", tests)
