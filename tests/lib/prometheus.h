/* prometheus.h -- does a text follow the Prometheus exposition format and the rules that `promtool check metrics` has? */
#ifndef TESTS_LIB_PROMETHEUS_H
#define TESTS_LIB_PROMETHEUS_H

/* HELP and TYPE before the samples of each metric, names and suffixes that fit the type, no sample twice, numbers that are some,
 * buckets that only grow and end in +Inf, which is the count. Fails the test with the line that is wrong. */
void ck_prometheus(const char *text);
/* The value of the sample that is written so, e.g. "barque_queue_ready{queue=\"kline\"}"; fails the test when there is none. */
double prometheus_value(const char *text, const char *sample);

#endif
