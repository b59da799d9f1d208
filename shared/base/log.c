/* log.c -- one line per event on standard error, written in one piece. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "base/time.h"

static struct {
	const char *program;
	enum log_level level;
	bool json;
} state = {"barque", LOG_INFO, false};

/* Each thread works on its own thing. */
static _Thread_local char context[64];

static const char *const names[] = {
        [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error", [LOG_SILENT] = "silent"};

void log_open(const char *program, enum log_level level, bool json)
{
	state.program = program;
	state.level = level;
	state.json = json;
}

bool log_level_of(const char *name, enum log_level *out)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (str_eq(names[i], name)) {
			*out = (enum log_level)i;
			return true;
		}
	}
	return false;
}

void log_context(const char *text)
{
	snprintf(context, sizeof(context), "%s", text ? text : "");
}

/* Text may hold what a stranger sent: a line break in it must not forge a second line. */
static void add_one_line(struct buf *line, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c == 0x7f)
			buf_addf(line, "\\x%02x", c);
		else
			buf_addc(line, (char)c);
	}
}

static void add_plain(struct buf *line, enum log_level level, const char *when, const char *text)
{
	buf_addf(line, "%s %-5s %s: ", when, names[level], state.program);
	if (context[0]) {
		buf_addc(line, '[');
		add_one_line(line, context);
		buf_adds(line, "] ");
	}
	add_one_line(line, text);
}

static void add_json(struct buf *line, enum log_level level, const char *when, const char *text)
{
	struct json_writer w = json_writer_on(line);

	jw_object(&w, NULL);
	jw_text(&w, "time", when);
	jw_text(&w, "level", names[level]);
	jw_text(&w, "program", state.program);
	jw_int(&w, "pid", getpid());
	if (context[0])
		jw_text(&w, "context", context);
	jw_text(&w, "text", text);
	jw_end(&w);
}

/* One write, so that lines of several processes do not mix. A log that cannot be written must not stop the work. */
static void put_line(const struct buf *line)
{
	size_t done = 0;

	while (done < line->len) {
		ssize_t n = write(STDERR_FILENO, line->data + done, line->len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		done += (size_t)n;
	}
}

void log_at(enum log_level level, const char *fmt, ...)
{
	int saved = errno;
	struct buf text = {0}, line = {0};
	char when[TIME_TEXT];
	va_list ap;

	if (level < state.level || level >= LOG_SILENT)
		return;
	va_start(ap, fmt);
	buf_addv(&text, fmt, ap);
	va_end(ap);
	time_print_iso(when, clock_now_ms());
	if (state.json)
		add_json(&line, level, when, buf_text(&text));
	else
		add_plain(&line, level, when, buf_text(&text));
	buf_addc(&line, '\n');
	put_line(&line);
	buf_close(&line);
	buf_close(&text);
	errno = saved;
}
