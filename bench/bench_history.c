/* bench_history.c -- how many ended jobs a second the store takes, with their events and without, and how fast they are found. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "bench/rig.h"
#include "store/history.h"

#define ROWS    200000
#define BATCHES 2048

static char folder[] = "/tmp/barque-bench-XXXXXX";

/* The first `from` were written before. Small jobs, as noop makes them. */
static void make_jobs(struct job *jobs, struct outbox_row *events, struct history_entry *x, int from, int n, bool told)
{
	static char params[] = "{}";
	for (int i = 0; i < n; i++) {
		struct job *j = &jobs[i];
		*j = (struct job){.state = (from + i) % 100 ? JOB_SUCCEEDED : JOB_FAILED,
		        .kind = "noop",
		        .queue = "default",
		        .params = params,
		        .attempt = 1,
		        .max_attempts = 3,
		        .priority = 5,
		        .rev = 3,
		        .fence = INT64_C(1769904000000000) + from + i,
		        .created_at = INT64_C(1769904000000),
		        .run_at = INT64_C(1769904000000),
		        .started_at = INT64_C(1769904000000) + (from + i) / 60,
		        .finished_at = INT64_C(1769904000000) + (from + i) / 60,
		        .worker = "host:12345:1769904000"};
		job_id_make(j->id, "default", 0, j->created_at, (uint64_t)(from + i) * 7919);
		if (j->state == JOB_FAILED)
			err_set(&j->error, ERR_TIMEOUT, "the exchange did not answer within 10 s");
		events[i] = (struct outbox_row){.topic = "job.events", .type = "job.ended.v1", .time_ms = j->finished_at};
		events[i].data =
		        "{\"id\":\"default-00000000000000000000\",\"kind\":\"noop\",\"queue\":\"default\",\"state\":\"succeeded\","
		        "\"attempt\":1,\"crashes\":0,\"fence\":1769904000000000,\"run_ms\":0,\"created_at\":1769904000000,"
		        "\"started_at\":1769904000000,\"finished_at\":1769904000000,\"result_url\":\"/api/jobs/default-0/result\"}";
		snprintf(events[i].key, sizeof(events[i].key), "%s", j->id);
		snprintf(events[i].id, sizeof(events[i].id), "%s.%lld", j->id, (long long)j->finished_at);
		x[i] = (struct history_entry){.job = j, .keep = true, .event = told ? &events[i] : NULL};
	}
}

static double cpu_s(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static struct store *open_in(const char *name)
{
	char url[100];
	struct err e;
	snprintf(url, sizeof(url), "sqlite:%s/%s", folder, name);
	struct store *s = store_open(url, &e);
	rig_must(s != NULL, &e);
	return s;
}

static void measure_put(const char *name, int batch, bool told)
{
	struct store *s = open_in(name);
	struct job *jobs = mem_array(BATCHES, sizeof(*jobs));
	struct outbox_row *events = mem_array(BATCHES, sizeof(*events));
	struct history_entry *x = mem_array(BATCHES, sizeof(*x));
	double cpu = 0;
	int64_t us = 0, written;
	struct err e;
	for (int done = 0; done < ROWS; done += batch) {
		make_jobs(jobs, events, x, done, batch, told);
		double cpu_before = cpu_s();
		int64_t before = clock_mono_us();
		rig_must(store_history_put(s, x, (size_t)batch, &written, &e), &e);
		us += clock_mono_us() - before;
		cpu += cpu_s() - cpu_before;
	}
	int rows = (ROWS + batch - 1) / batch * batch;
	printf("put     batches of %-5d %-14s %9.0f rows/s  CPU %5.2f us/row\n", batch, told ? "with events" : "without events",
	        rows / ((double)us / 1e6), cpu * 1e6 / rows);
	mem_free(&x);
	mem_free(&events);
	mem_free(&jobs);
	store_close(&s);
}

static void measure_find(const char *name, const char *what, const struct history_filter *f)
{
	struct store *s = open_in(name);
	struct arena *a = arena_open();
	struct history_row *rows;
	char next[HISTORY_CURSOR];
	struct err e;
	enum { TIMES = 50 };
	int n = 0;
	double before = cpu_s();
	for (int i = 0; i < TIMES; i++) {
		arena_reset(a);
		n = store_history_list(s, f, "", 50, a, &rows, next, &e);
		rig_must(n >= 0, &e);
	}
	printf("find    %-34s %3d jobs  CPU %9.0f us\n", what, n, (cpu_s() - before) * 1e6 / TIMES);
	arena_close(&a);
	store_close(&s);
}

static void measure_size(const char *name)
{
	char path[120];
	struct stat st;
	snprintf(path, sizeof(path), "%s/%s/crypto_data.db", folder, name);
	if (stat(path, &st) == 0)
		printf("disk    %.0f bytes a row\n", (double)st.st_size / ROWS);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!mkdtemp(folder))
		rig_die("bench_history: no folder can be made in /tmp");
	measure_put("small", 256, false);
	measure_put("told", 256, true);
	measure_put("large", BATCHES, false);
	measure_put("large_told", BATCHES, true);
	measure_size("large");
	measure_find("large", "the latest", &(struct history_filter){.state = -1});
	measure_find("large", "the latest of a kind", &(struct history_filter){.state = -1, .kind = "noop"});
	measure_find("large", "an error's text", &(struct history_filter){.state = -1, .error = "did not answer"});
	measure_find("large", "an error that none has", &(struct history_filter){.state = -1, .error = "nonsense"});
	measure_find("large", "another queue, all rows looked at", &(struct history_filter){.state = -1, .queue = "kline"});
	char command[80];
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command) == 0 ? 0 : 1;
}
