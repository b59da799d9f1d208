/* worker_rig.h -- for the tests of the worker: a Redis, a queue's client, workers with settings, and looks into /proc.
 *
 * Everything is static inline: a test is one program from one file and the test library, and this belongs to these tests only.
 */
#ifndef TESTS_FLOW_WORKER_RIG_H
#define TESTS_FLOW_WORKER_RIG_H

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "queue/queue.h"
#include "tests/lib/counts.h"
#include "tests/lib/test.h"

#define RIG_WORKERS 4

struct rig {
	struct test_redis redis;
	struct queue *queue;
	pid_t workers[RIG_WORKERS];
	struct err e;
};

static inline void rig_open(struct rig *r, const char *appendfsync)
{
	memset(r, 0, sizeof(*r));
	test_redis_start(&r->redis, appendfsync);
	r->queue = queue_open(r->redis.url, NULL, &r->e);
	ck_assert_msg(r->queue != NULL, "%s", r->e.text);
}

static inline void rig_close(struct rig *r)
{
	for (int i = 0; i < RIG_WORKERS; i++)
		if (r->workers[i] > 0)
			test_kill(r->workers[i], SIGKILL);
	queue_close(&r->queue);
	test_redis_stop(&r->redis);
}

/* more: settings, NULL-terminated; may be NULL. */
static inline void rig_worker(struct rig *r, int i, const char *const *more)
{
	char url[200], store[300], name[32], records[300], cache[300];
	const char *argv[] = {test_program("barque-worker"), NULL};
	const char *env[20] = {url, store, records, cache, "WORKER_QUEUES=default", "KAFKA_BROKERS=memory:test"};
	snprintf(url, sizeof(url), "QUEUE_URL=%s", r->redis.url);
	snprintf(store, sizeof(store), "STORE_URL=sqlite:%s/db", test_dir());
	snprintf(records, sizeof(records), "RECORDS_DIR=%s/records", test_dir());
	snprintf(cache, sizeof(cache), "CACHE_DIR=%s/cache", test_dir());
	snprintf(name, sizeof(name), "worker-%d", i);
	for (size_t n = 6; more != NULL && *more != NULL; more++, n++) {
		ck_assert(n + 1 < ARRAY_LEN(env));
		env[n] = *more;
	}
	r->workers[i] = test_spawn(name, argv, env);
}

static inline void rig_submit_kind(struct rig *r, char id_out[JOB_ID], const char *kind, const char *queue, const char *params)
{
	struct queue_submission s = {.kind = kind,
	        .queue = queue,
	        .params = params,
	        .priority = 5,
	        .kind_version = 1,
	        .max_attempts = 3,
	        .max_crashes = 3,
	        .backoff_ms = 100,
	        .backoff_cap_ms = 200};
	struct queue_submitted out;
	int64_t until = clock_mono_ms() + 20000;
	while (!queue_submit(r->queue, &s, 1, &out, &r->e)) {
		ck_assert_msg(clock_mono_ms() < until, "%s", r->e.text);
		clock_sleep_ms(50); /* again with the same id: accepted once */
	}
	ck_assert_msg(out.outcome == SUBMIT_NEW || out.outcome == SUBMIT_EXISTING, "outcome %d", (int)out.outcome);
	memcpy(id_out, s.id, JOB_ID);
}

static inline void rig_submit(struct rig *r, char id_out[JOB_ID], const char *params)
{
	rig_submit_kind(r, id_out, "noop", "default", params);
}

/* Wait until the job is in this state; close *out. */
static inline void rig_wait(struct rig *r, const char *id, enum job_state state, int timeout_ms, struct job *out)
{
	int64_t until = clock_mono_ms() + timeout_ms;
	for (;;) {
		int got = queue_show(r->queue, id, out, &r->e);
		ck_assert_msg(got != 0, "job %s is lost", id);
		if (got == 1 && out->state == state)
			return;
		ck_assert_msg(clock_mono_ms() < until, "job %s is %s, not %s, after %d ms: %s", id,
		        got == 1 ? job_state_name(out->state) : "?", job_state_name(state), timeout_ms,
		        got == 1 ? out->error.text : r->e.text);
		ck_assert_msg(got != 1 || !job_state_is_end(out->state), "job %s ended as %s instead of %s: %s", id,
		        job_state_name(out->state), job_state_name(state), out->error.text);
		if (got == 1)
			job_close(out);
		clock_sleep_ms(10);
	}
}

static inline int64_t rig_fence(struct rig *r, const char *id)
{
	struct job j;
	ck_assert_int_eq(queue_show(r->queue, id, &j, &r->e), 1);
	int64_t fence = j.fence;
	job_close(&j);
	return fence;
}

/* Rule 1 of job.h and all counters. */
static inline void rig_sound(struct rig *r)
{
	struct queue_audit audit;
	int got = queue_audit(r->queue, "default", &audit, &r->e);
	ck_assert_msg(got >= 0, "%s", r->e.text);
	ck_assert_msg(got == 1, "%s", audit.problem);
}

/* So many ends were accepted in the queue, no more and no fewer. */
static inline void rig_done_is(struct rig *r, int64_t n)
{
	struct queue_counts c[8];
	int got = test_counts(r->queue, c, ARRAY_LEN(c), &r->e);
	for (int i = 0; i < got; i++)
		if (str_eq(c[i].queue, "default")) {
			ck_assert_int_eq(c[i].done_total, n);
			return;
		}
	ck_abort_msg("the queue has no counts");
}

/* ---- processes */

static inline bool rig_stat(pid_t pid, char *name, size_t size, pid_t *parent_out, char *state_out)
{
	char path[40], line[512];
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return false;
	bool ok = fgets(line, sizeof(line), f) != NULL;
	fclose(f);
	char *open = ok ? strchr(line, '(') : NULL, *close_at = ok ? strrchr(line, ')') : NULL;
	int parent;
	if (open == NULL || close_at == NULL || sscanf(close_at + 1, " %c %d", state_out, &parent) != 2)
		return false;
	*close_at = '\0';
	snprintf(name, size, "%s", open + 1);
	*parent_out = parent;
	return true;
}

static inline bool rig_is_alive(pid_t pid)
{
	char name[64], state;
	pid_t parent;
	return rig_stat(pid, name, sizeof(name), &parent, &state) && state != 'Z' && state != 'X';
}

/* The children of a process; returns how many. */
static inline int rig_children(pid_t of, pid_t *out, int max)
{
	int n = 0;
	DIR *d = opendir("/proc");
	ck_assert_ptr_nonnull(d);
	for (struct dirent *entry; (entry = readdir(d)) != NULL;) {
		char name[64], state;
		pid_t parent, pid = atoi(entry->d_name);
		if (pid > 0 && n < max && rig_stat(pid, name, sizeof(name), &parent, &state) && parent == of)
			out[n++] = pid;
	}
	closedir(d);
	return n;
}

/* A slot process of a worker; 0: it has none just now. */
static inline pid_t rig_slot(struct rig *r, int worker)
{
	pid_t all[64], parent;
	char name[64], state;
	int n = rig_children(r->workers[worker], all, 64);
	for (int i = 0; i < n; i++)
		if (rig_stat(all[i], name, sizeof(name), &parent, &state) && str_starts(name, "barque-slot"))
			return all[i];
	return 0;
}

#endif
