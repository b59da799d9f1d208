/* test_metrics.c -- metrics: the Prometheus text, bounded labels, several threads. */
#include "base/metrics.h"

#include <pthread.h>
#include <string.h>

#include "tests/lib/prometheus.h"
#include "tests/lib/test.h"

static void prints(const char *line)
{
	struct buf b = {0};

	metrics_print(&b);
	ck_assert_msg(strstr(buf_text(&b), line) != NULL, "no \"%s\" in:\n%s", line, buf_text(&b));
	buf_close(&b);
}

static void prints_not(const char *line)
{
	struct buf b = {0};

	metrics_print(&b);
	ck_assert_msg(strstr(buf_text(&b), line) == NULL, "\"%s\" in:\n%s", line, buf_text(&b));
	buf_close(&b);
}

START_TEST(counters_and_gauges)
{
	prints("# HELP barque_http_waiting requests suspended until their job ends\n# TYPE barque_http_waiting gauge\nbarque_http_waiting 0\n");
	metrics_set(METRIC_http_waiting, NULL, 3);
	metrics_add(METRIC_http_waiting, NULL, -1);
	prints("\nbarque_http_waiting 2\n");
	metrics_add(METRIC_jobs_submitted_total, "noop", 1);
	metrics_add(METRIC_jobs_submitted_total, "noop", 1.5);
	prints("\nbarque_jobs_submitted_total{kind=\"noop\"} 2.5\n");
	prints_not("\nbarque_jobs_refused_total{");
}
END_TEST

START_TEST(labels_are_escaped)
{
	metrics_add(METRIC_jobs_submitted_total, "a\"b\\c\nd", 1);
	prints("\nbarque_jobs_submitted_total{kind=\"a\\\"b\\\\c\\nd\"} 1\n");
}
END_TEST

START_TEST(labels_are_bounded)
{
	char label[80];

	for (int i = 0; i < 1000; i++) {
		snprintf(label, sizeof(label), "k%d", i);
		metrics_add(METRIC_jobs_submitted_total, label, 1);
	}
	prints("{kind=\"k63\"} 1\n");
	prints_not("{kind=\"k64\"}");
	prints("{kind=\"other\"} 936\n");
	memset(label, 'x', sizeof(label) - 1);
	label[sizeof(label) - 1] = '\0';
	metrics_add(METRIC_jobs_submitted_total, label, 1);
	prints("{kind=\"other\"} 937\n");
}
END_TEST

/* What stands in a queue cannot be counted together with others: each has its own, as far as any server has queues. */
START_TEST(queues_have_each_their_own)
{
	char label[80];

	for (int i = 0; i < 5000; i++) {
		snprintf(label, sizeof(label), "q%d", i);
		metrics_set(METRIC_queue_ready, label, i);
	}
	prints("\nbarque_queue_ready{queue=\"q64\"} 64\n");
	prints("\nbarque_queue_ready{queue=\"q4095\"} 4095\n");
	prints_not("{queue=\"q4096\"}");
	prints("{queue=\"other\"} 4999\n");
}
END_TEST

START_TEST(histograms_are_cumulative)
{
	metrics_observe(METRIC_http_request_seconds, "GET /x", 0.0001);
	metrics_observe(METRIC_http_request_seconds, "GET /x", 0.3);
	metrics_observe(METRIC_http_request_seconds, "GET /x", 1000);
	prints("_bucket{route=\"GET /x\",le=\"0.0001\"} 1\n");
	prints("_bucket{route=\"GET /x\",le=\"0.25\"} 1\n");
	prints("_bucket{route=\"GET /x\",le=\"0.5\"} 2\n");
	prints("_bucket{route=\"GET /x\",le=\"100\"} 2\n");
	prints("_bucket{route=\"GET /x\",le=\"+Inf\"} 3\n");
	prints("\nbarque_http_request_seconds_sum{route=\"GET /x\"} 1000.3001\n");
	prints("\nbarque_http_request_seconds_count{route=\"GET /x\"} 3\n");
}
END_TEST

static void *add_many(void *unused)
{
	for (int i = 0; i < 5000; i++)
		metrics_add(METRIC_events_sent_total, "t", 1);
	return unused;
}

START_TEST(threads_lose_nothing)
{
	pthread_t t[4];

	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, add_many, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		pthread_join(t[i], NULL);
	prints("\nbarque_events_sent_total{topic=\"t\"} 20000\n");
}
END_TEST

START_TEST(two_labels_and_figures_of_others)
{
	uint64_t buckets[METRIC_BUCKETS] = {0};
	char label[80];

	metrics_set(METRIC_worker_ends_total, "noop,done", 5);
	prints("\nbarque_worker_ends_total{kind=\"noop\",outcome=\"done\"} 5\n");
	metrics_set(METRIC_worker_ends_total, "x", 1);
	prints("\nbarque_worker_ends_total{kind=\"x\",outcome=\"other\"} 1\n");
	metrics_set(METRIC_http_waiting, "a,b", 1); /* one without a label has none */
	metrics_add(METRIC_jobs_submitted_total, "a,b", 1);
	prints("\nbarque_jobs_submitted_total{kind=\"a,b\"} 1\n");
	for (int i = 0; i < 300; i++) {
		snprintf(label, sizeof(label), "k%d,done", i);
		metrics_add(METRIC_worker_ends_total, label, 1);
	}
	prints("\nbarque_worker_ends_total{kind=\"other\",outcome=\"other\"} ");
	ck_assert_uint_eq(metrics_bucket(0), 0);
	ck_assert_uint_eq(metrics_bucket(1), 12);
	ck_assert_uint_eq(metrics_bucket(1.001), 13);
	ck_assert_uint_eq(metrics_bucket(3601), METRIC_BUCKETS);
	buckets[0] = 2;
	buckets[12] = 3;
	metrics_set_histogram(METRIC_worker_run_seconds, "noop", buckets, 6, 4000.5);
	prints("\nbarque_worker_run_seconds_bucket{kind=\"noop\",le=\"1\"} 5\n");
	prints("\nbarque_worker_run_seconds_bucket{kind=\"noop\",le=\"+Inf\"} 6\n");
	prints("\nbarque_worker_run_seconds_sum{kind=\"noop\"} 4000.5\n");
	metrics_observe(METRIC_http_request_seconds, "/x\"y\\z", 0.003);
	metrics_observe(METRIC_http_request_seconds, "/x\"y\\z", 1e9);

	struct buf b = {0};
	metrics_print(&b);
	ck_prometheus(buf_text(&b));
	ck_assert(prometheus_value(buf_text(&b), "barque_worker_ends_total{kind=\"noop\",outcome=\"done\"}") == 5);
	buf_close(&b);
}
END_TEST

static const TTest *const tests[] = {
        two_labels_and_figures_of_others,
        counters_and_gauges,
        labels_are_escaped,
        labels_are_bounded,
        queues_have_each_their_own,
        histograms_are_cumulative,
        threads_lose_nothing,
};
TEST_MAIN("metrics", tests)
