/* metrics.h -- counters, gauges and histograms in the Prometheus text format. One line in metrics.def each.
 *
 * metrics.def: METRIC(jobs_submitted_total, counter, "kind", "jobs accepted")   (label name or "" for none; two as "kind,outcome",
 * whose values are given in the same way, "noop,done", and hold no comma)
 * Histograms are in seconds, with fixed buckets 0.0001 ... 3600. Safe to call from several threads.
 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include "base/base.h"
#include "base/str.h"

enum metric {
#define METRIC(name, type, label, help) METRIC_##name,
#include "base/metrics.def"
#undef METRIC
	METRIC_COUNT
};

/* label: the label's value, or NULL for metrics without one. At most 64 different values a metric, 4096 queues; more count as "other". */
void metrics_add(enum metric m, const char *label, double v);
void metrics_set(enum metric m, const char *label, double v); /* a counter too, when somebody else counts */
void metrics_observe(enum metric m, const char *label, double seconds);
#define METRIC_BUCKETS 22
/* Which bucket of a histogram; METRIC_BUCKETS: beyond all. */
size_t metrics_bucket(double seconds);
/* A histogram that somebody else fills: how many fell into each bucket, not cumulated; how many in all; their sum. */
void metrics_set_histogram(enum metric m, const char *label, const uint64_t buckets[METRIC_BUCKETS], uint64_t count, double sum);
void metrics_print(struct buf *out); /* all of them, with # HELP and # TYPE, names prefixed barque_ */

#endif
