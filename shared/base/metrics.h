/* metrics.h -- counters, gauges and histograms in the Prometheus text format. One line in metrics.def each.
 *
 * metrics.def: METRIC(jobs_submitted_total, counter, "kind", "jobs accepted")   (label name or "" for none)
 * Histograms are in seconds, with fixed buckets 0.0001 ... 100. Safe to call from several threads.
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

/* label: the label's value, or NULL for metrics without one. At most 64 different values a metric; more count as "other". */
void metrics_add(enum metric m, const char *label, double v);
void metrics_set(enum metric m, const char *label, double v);
void metrics_observe(enum metric m, const char *label, double seconds);
void metrics_print(struct buf *out); /* all of them, with # HELP and # TYPE, names prefixed barque_ */

#endif
