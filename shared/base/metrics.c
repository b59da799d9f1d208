/* metrics.c -- counters, gauges and histograms in the Prometheus text format. */
#include "base/metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "base/mem.h"

#define LABELS_MAX 64   /* of a metric with one label; with two, twice as many */
#define QUEUES_MAX 4096 /* of a metric of queues: each that there is, within reason */
#define LABEL_SIZE 64

enum metric_type { counter, gauge, histogram };

struct metric_info {
	const char *name, *type_name, *label, *help;
	enum metric_type type;
};

static const struct metric_info infos[METRIC_COUNT] = {
#define METRIC(name, type, label, help) [METRIC_##name] = {#name, #type, label, help, type},
#include "base/metrics.def"
#undef METRIC
};

static const char *const bucket_names[] = {"0.0001", "0.00025", "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1",
        "0.25", "0.5", "1", "2.5", "5", "10", "25", "50", "100", "300", "1000", "3600"};
static const double bucket_limits[] = {
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 300, 1000, 3600};
#define BUCKETS METRIC_BUCKETS

struct series {
	char label[LABEL_SIZE];
	double value;              /* of a histogram: the sum */
	uint64_t count;            /* of a histogram */
	uint64_t buckets[BUCKETS]; /* not yet cumulated */
};

struct metric_state {
	size_t n, cap;
	struct series *series; /* grows, and stays to the end of the program; the last of as many as may be is "other" */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct metric_state states[METRIC_COUNT]; /* under lock */

static struct series *find(struct metric_state *s, const char *label)
{
	for (size_t i = 0; i < s->n; i++) {
		if (strcmp(s->series[i].label, label) == 0)
			return &s->series[i];
	}
	return NULL;
}

static size_t labels_max(const struct metric_info *info)
{
	return strcmp(info->label, "queue") == 0 ? QUEUES_MAX : strchr(info->label, ',') ? 2 * LABELS_MAX : LABELS_MAX;
}

static struct series *make(struct metric_state *s, const char *label)
{
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 4;

		s->series = mem_grow(s->series, s->cap, cap, sizeof(*s->series));
		s->cap = cap;
	}
	strcpy(s->series[s->n].label, label);
	return &s->series[s->n++];
}

static struct series *find_or_make(enum metric m, const char *label)
{
	struct metric_state *s = &states[m];
	struct series *found;

	if (!label || !infos[m].label[0])
		label = "";
	if (strlen(label) >= LABEL_SIZE)
		label = "other";
	found = find(s, label);
	if (!found && s->n >= labels_max(&infos[m])) {
		label = "other";
		found = find(s, label);
	}
	return found ? found : make(s, label);
}

void metrics_add(enum metric m, const char *label, double v)
{
	assert(infos[m].type != histogram);
	pthread_mutex_lock(&lock);
	find_or_make(m, label)->value += v;
	pthread_mutex_unlock(&lock);
}

void metrics_set(enum metric m, const char *label, double v)
{
	assert(infos[m].type != histogram);
	pthread_mutex_lock(&lock);
	find_or_make(m, label)->value = v;
	pthread_mutex_unlock(&lock);
}

size_t metrics_bucket(double seconds)
{
	size_t i = 0;

	while (i < BUCKETS && !(seconds <= bucket_limits[i]))
		i++;
	return i;
}

void metrics_set_histogram(enum metric m, const char *label, const uint64_t buckets[METRIC_BUCKETS], uint64_t count, double sum)
{
	struct series *s;

	assert(infos[m].type == histogram);
	pthread_mutex_lock(&lock);
	s = find_or_make(m, label);
	s->value = sum;
	s->count = count;
	memcpy(s->buckets, buckets, sizeof(s->buckets));
	pthread_mutex_unlock(&lock);
}

void metrics_observe(enum metric m, const char *label, double seconds)
{
	struct series *s;
	size_t i = metrics_bucket(seconds);

	assert(infos[m].type == histogram);
	pthread_mutex_lock(&lock);
	s = find_or_make(m, label);
	s->value += seconds;
	s->count++;
	if (i < BUCKETS)
		s->buckets[i]++;
	pthread_mutex_unlock(&lock);
}

static void add_value(struct buf *out, double v)
{
	char text[32];

	if (v == floor(v) && fabs(v) < 1e15) {
		buf_addf(out, " %.0f\n", v);
		return;
	}
	str_from_double(text, v);
	buf_addf(out, " %s\n", isinf(v) ? (v < 0 ? "-Inf" : "+Inf") : isnan(v) ? "NaN" : text);
}

/* name="value", and a second one when there are two names. One that has no value of its own counts as "other". */
static void add_labels(struct buf *out, const char *names, const char *values)
{
	while (*names) {
		size_t name = strcspn(names, ","), value = names[name] ? strcspn(values, ",") : strlen(values);

		buf_addf(out, "%.*s=\"", (int)name, names);
		for (size_t i = 0; i < value; i++)
			buf_addf(out, values[i] == '\\' || values[i] == '"' ? "\\%c" : values[i] == '\n' ? "\\n" : "%c", values[i]);
		buf_adds(out, value || !names[name] ? "\"" : "other\"");
		names += name;
		values += value + (names[0] && values[value]);
		if (*names) {
			buf_addc(out, ',');
			names++;
			values = *values ? values : "other";
		}
	}
}

/* barque_NAME SUFFIX {label="value",le="..."}; the braces only when there is something in them. */
static void add_series_name(struct buf *out, const struct metric_info *info, const char *suffix, const struct series *s, const char *le)
{
	const char *comma = "";

	buf_addf(out, "barque_%s%s", info->name, suffix);
	if (!info->label[0] && !le)
		return;
	buf_addc(out, '{');
	if (info->label[0]) {
		add_labels(out, info->label, s->label);
		comma = ",";
	}
	if (le)
		buf_addf(out, "%sle=\"%s\"", comma, le);
	buf_addc(out, '}');
}

static void print_histogram(struct buf *out, const struct metric_info *info, const struct series *s)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < BUCKETS; i++) {
		sum += s->buckets[i];
		add_series_name(out, info, "_bucket", s, bucket_names[i]);
		buf_addf(out, " %" PRIu64 "\n", sum);
	}
	add_series_name(out, info, "_bucket", s, "+Inf");
	buf_addf(out, " %" PRIu64 "\n", s->count);
	add_series_name(out, info, "_sum", s, NULL);
	add_value(out, s->value);
	add_series_name(out, info, "_count", s, NULL);
	buf_addf(out, " %" PRIu64 "\n", s->count);
}

static void print_metric(struct buf *out, const struct metric_info *info, const struct metric_state *state)
{
	buf_addf(out, "# HELP barque_%s %s\n# TYPE barque_%s %s\n", info->name, info->help, info->name, info->type_name);
	for (size_t i = 0; i < state->n; i++) {
		if (info->type == histogram) {
			print_histogram(out, info, &state->series[i]);
			continue;
		}
		add_series_name(out, info, "", &state->series[i], NULL);
		add_value(out, state->series[i].value);
	}
}

void metrics_print(struct buf *out)
{
	pthread_mutex_lock(&lock);
	for (int m = 0; m < METRIC_COUNT; m++) {
		if (!infos[m].label[0])
			find_or_make((enum metric)m, NULL); /* one without a label is there from the start, as 0 */
		print_metric(out, &infos[m], &states[m]);
	}
	pthread_mutex_unlock(&lock);
}
