/* prometheus.c -- checks a text of metrics line by line. */
#include "tests/lib/prometheus.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "tests/lib/test.h"

#define NAME 128

struct metrics_text {
	char name[NAME], type[16]; /* of the metric under way */
	bool has_help;
	char series[1024]; /* of the histogram under way: its labels but le */
	double last_le, last_bucket;
	const char *all;
};

#define ck_line(what, ok, line) ck_assert_msg(ok, "%s: %.200s", what, line)

static void take_help(struct metrics_text *m, const char *line)
{
	size_t len = strcspn(line + 7, " ");

	ck_line("HELP has no name or no text", len > 0 && line[7 + len] == ' ' && line[8 + len], line);
	ck_line("a name is too long", str_copy_n(m->name, NAME, line + 7, len), line);
	m->has_help = true;
	m->type[0] = '\0';
}

static void take_type(struct metrics_text *m, const char *line)
{
	size_t len = strcspn(line + 7, " ");
	bool counter, histogram, total = str_ends(m->name, "_total");

	ck_line("TYPE is not of the metric that HELP named", m->has_help && strlen(m->name) == len && !strncmp(m->name, line + 7, len),
	        line);
	ck_line("a type is too long", str_copy(m->type, sizeof m->type, line + 8 + len), line);
	counter = str_eq(m->type, "counter");
	histogram = str_eq(m->type, "histogram");
	ck_line("no such type", counter || histogram || str_eq(m->type, "gauge"), line);
	ck_line("counters, and nothing else, end in _total", counter == total, line);
	ck_line("a name has the suffix of a histogram's parts",
	        !str_ends(m->name, "_bucket") && !str_ends(m->name, "_sum") && !str_ends(m->name, "_count"), line);
	ck_line("a histogram is in seconds", !histogram || str_ends(m->name, "_seconds"), line);
	m->series[0] = '\0';
}

static double number_of(const char *text, const char *line)
{
	char *end;
	double v = strtod(text, &end);

	ck_line("a value is no number", end > text && !*end, line);
	return v;
}

/* The labels without le="..." into out; the limit, or 0 when there is none. */
static double split_le(const char *labels, size_t len, char *out, size_t size, const char *line)
{
	char text[1024];

	ck_line("labels are too long", str_copy_n(text, sizeof text, labels, len), line);
	char *le = strstr(text, "le=\"");
	double limit = 0;
	if (le) {
		char *end = strchr(le + 4, '"');

		ck_line("a label does not end", end != NULL, line);
		*end = '\0';
		limit = number_of(le + 4, line);
		memmove(le, end + 1, strlen(end + 1) + 1);
		if (le > text && le[-1] == ',')
			memmove(le - 1, le, strlen(le) + 1);
	}
	ck_line("labels are too long", str_copy(out, size, text), line);
	return limit;
}

static void take_bucket(struct metrics_text *m, const char *series, double le, double value, const char *line)
{
	if (!str_eq(m->series, series)) {
		ck_line("labels are too long", str_copy(m->series, sizeof m->series, series), line);
		m->last_le = m->last_bucket = 0;
	}
	ck_line("limits do not grow", le > m->last_le, line);
	ck_line("a bucket holds less than the one before", value >= m->last_bucket, line);
	m->last_le = le;
	m->last_bucket = value;
}

static void take_sample(struct metrics_text *m, const char *line)
{
	char series[1024] = "", once[1200];
	size_t name = strcspn(line, "{ "), base = strlen(m->name);
	const char *labels = line[name] == '{' ? line + name + 1 : NULL;
	const char *close = labels ? strrchr(line, '}') : NULL;
	const char *space = strrchr(line, ' ');

	ck_line("a sample has no TYPE before it", m->type[0] && name >= base && !strncmp(line, m->name, base), line);
	ck_line("labels do not end", !labels || close, line);
	ck_line("a sample has no value", space && space[1], line);
	double value = number_of(space + 1, line),
	       le = labels ? split_le(labels, (size_t)(close - labels), series, sizeof series, line) : 0;
	snprintf(once, sizeof once, "\n%.*s ", (int)(space - line), line);
	const char *first = strstr(m->all, once);
	ck_line("a sample is there twice", !first || !strstr(first + 1, once), line);
	if (!str_eq(m->type, "histogram")) {
		ck_line("a name is not the metric's", name == base, line);
		ck_line("a counter is negative", !str_eq(m->type, "counter") || value >= 0, line);
		return;
	}
	if (!strncmp(line + base, "_bucket", name - base)) {
		take_bucket(m, series, le, value, line);
	} else if (!strncmp(line + base, "_count", name - base)) {
		ck_line("there is no bucket +Inf", m->last_le > 1e300, line);
		ck_line("the count is not what bucket +Inf holds", value == m->last_bucket, line); /* both are whole */
	} else {
		ck_line("a name is no part of a histogram", !strncmp(line + base, "_sum", name - base), line);
	}
}

void ck_prometheus(const char *text)
{
	struct metrics_text m = {.all = text};
	char line[2048];

	while (*text) {
		size_t len = strcspn(text, "\n");

		ck_assert_msg(text[len] == '\n', "the last line does not end: %.100s", text);
		ck_assert_msg(str_copy_n(line, sizeof line, text, len), "a line is too long: %.100s", text);
		if (str_starts(line, "# HELP "))
			take_help(&m, line);
		else if (str_starts(line, "# TYPE "))
			take_type(&m, line);
		else if (line[0] != '#')
			take_sample(&m, line);
		text += len + 1;
	}
}

double prometheus_value(const char *text, const char *sample)
{
	char start[300];

	snprintf(start, sizeof start, "\n%s ", sample);
	const char *at = strstr(text, start);
	ck_assert_msg(at != NULL, "there is no %s", sample);
	return strtod(at + strlen(start), NULL);
}
