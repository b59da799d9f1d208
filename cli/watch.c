/* watch.c -- follows jobs to their end, with a bar each on a terminal and plain lines elsewhere. */
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/time.h"
#include "cli/cli.h"

#define BAR_WIDTH     24
#define ROUND_MS      200
#define QUIET_LINE_MS 5000 /* without a terminal, one line per job this often */

static void add_rate(const struct json *progress, struct buf *out)
{
	double rate = json_get_double(progress, "rate", 0);
	int64_t eta = json_get_int(progress, "eta_s", -1);
	const char *unit = json_get_text(progress, "unit", "");
	if (rate > 0)
		buf_addf(out, "  %.0f %s/s", rate, unit);
	if (eta >= 0) {
		char span[TIME_TEXT];
		time_print_span(span, eta * 1000);
		buf_addf(out, "  %s left", span);
	}
}

static void add_bar(const struct json *job, struct buf *out)
{
	const struct json *progress = json_get(job, "progress");
	int64_t done = json_get_int(progress, "done", 0), total = json_get_int(progress, "total", 0);
	bool succeeded = str_eq(json_get_text(job, "state", ""), "succeeded");
	int filled = succeeded ? BAR_WIDTH : total > 0 ? (int)((double)done / (double)total * BAR_WIDTH) : 0;
	if (filled < 0 || filled > BAR_WIDTH)
		filled = BAR_WIDTH;
	buf_addc(out, '[');
	for (int i = 0; i < BAR_WIDTH; i++)
		buf_addc(out, i < filled ? '#' : '.');
	buf_addf(out, "] %9lld", (long long)done);
	if (total > 0)
		buf_addf(out, " / %lld", (long long)total);
	buf_addf(out, " %s", json_get_text(progress, "unit", ""));
	if (api_job_is_over(job))
		return;
	add_rate(progress, out);
	const char *note = json_get_text(progress, "note", "");
	if (*note)
		buf_addf(out, "  %s", note);
}

static void draw(const struct watch_item *item, struct buf *out)
{
	const char *state = json_get_text(item->job, "state", "unknown");
	buf_addf(out, "  %-18s %-9s ", item->label, state);
	add_bar(item->job, out);
	const char *trouble = json_get_text(json_get(item->job, "error"), "message", NULL);
	if (trouble && !str_eq(state, "succeeded"))
		buf_addf(out, "  %s", trouble);
}

/* The terminal's size, asked each time because people change it. A size that nobody knows is taken as large. */
static struct winsize screen(void)
{
	struct winsize size = {0};
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
		return (struct winsize){.ws_row = 1000, .ws_col = 1000};
	return size;
}

/* Columns that the character at *text takes, and how many bytes it has. Beyond U+1100 it may be a wide one: two are safe. */
static int character(const char *text, size_t *bytes_out)
{
	unsigned char first = (unsigned char)*text;
	size_t bytes = first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
	*bytes_out = strnlen(text, bytes);
	return first < 0xE1 ? 1 : 2;
}

/* A line that wraps would take two, and the next redraw would begin one too low: what does not fit is left out. */
static void add_clipped(struct buf *out, const char *line, int columns)
{
	size_t bytes;
	for (int used = 0; *line; line += bytes) {
		used += character(line, &bytes);
		if (used > columns)
			break;
		if ((unsigned char)*line < ' ' || *line == 127)
			buf_addc(out, ' ');
		else
			buf_add(out, line, bytes);
	}
}

static void redraw(const struct watch_item *items, size_t n, bool first)
{
	struct buf out = {0}, line = {0};
	int columns = screen().ws_col;
	if (!first)
		buf_addf(&out, "\033[%zuA", n);
	for (size_t i = 0; i < n; i++) {
		buf_adds(&out, "\033[K");
		buf_clear(&line);
		draw(&items[i], &line);
		add_clipped(&out, buf_text(&line), columns - 1); /* the last column makes some terminals wrap */
		buf_addc(&out, '\n');
	}
	fputs(buf_text(&out), stdout);
	fflush(stdout);
	buf_close(&line);
	buf_close(&out);
}

static void print_one(const struct watch_item *item)
{
	struct buf out = {0};
	draw(item, &out);
	puts(buf_text(&out));
	fflush(stdout);
	buf_close(&out);
}

/* Ask about each job that is not over yet. Returns how many still run, -1. */
static int refresh(struct cli *c, struct watch_item *items, size_t n, bool bars, struct err *e)
{
	int running = 0;
	for (size_t i = 0; i < n; i++) {
		if (items[i].job && api_job_is_over(items[i].job))
			continue;
		struct json *job = api_job(c, items[i].id, 0, e);
		if (!job)
			return -1;
		json_close(&items[i].job);
		items[i].job = job;
		if (!api_job_is_over(job))
			running++;
		else if (!bars && !c->json)
			print_one(&items[i]);
	}
	return running;
}

/* Of those that are over. */
static int failed_of(const struct watch_item *items, size_t n)
{
	int failed = 0;
	for (size_t i = 0; i < n; i++)
		failed += api_job_is_over(items[i].job) && !str_eq(json_get_text(items[i].job, "state", ""), "succeeded");
	return failed;
}

int watch_jobs(struct cli *c, struct watch_item *items, size_t n, struct err *e)
{
	int64_t spoke = clock_mono_ms();
	bool bars = c->terminal && n < screen().ws_row; /* more lines than the terminal has cannot be drawn over */
	for (bool first = true;; first = false) {
		int running = refresh(c, items, n, bars, e);
		if (running < 0)
			return -1;
		if (bars)
			redraw(items, n, first);
		if (running == 0 || (c->stop_at_failure && failed_of(items, n) > 0))
			break;
		bool speak = !bars && !c->json && clock_mono_ms() - spoke >= QUIET_LINE_MS;
		for (size_t i = 0; speak && i < n; i++)
			if (str_eq(json_get_text(items[i].job, "state", ""), "running"))
				print_one(&items[i]);
		if (speak)
			spoke = clock_mono_ms();
		clock_sleep_ms(ROUND_MS);
	}
	return failed_of(items, n);
}
