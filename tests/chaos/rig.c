/* rig.c -- what every row of the matrix of faults uses; see rig.h. */
#include "tests/chaos/rig.h"
#include "tests/lib/counts.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/failpoint.h"
#include "base/mem.h"

#define DRAIN_MS       60000
#define KERNEL_EXITING 0x4 /* PF_EXITING: it runs no more, its memory is being given back */
#define GONE_MS        2000
#define PROBE_POLL_MS  5
#define SUBMIT_MAX_MS  30000
#define CHAOS_CRASHES  1000000

/* ---- how much */

bool chaos_is_short(void)
{
	return str_eq(getenv("CHAOS"), "short");
}

static int64_t scaled(int64_t n)
{
	int64_t percent;
	const char *text = getenv("CHAOS_SCALE");
	if (text == NULL || !str_int(text, 1, 100000, &percent))
		return n;
	return n * percent / 100 > 0 ? n * percent / 100 : 1;
}

bool chaos_goes_on(struct chaos *c)
{
	return c->faults < c->amount && clock_mono_ms() < c->until_ms;
}

double chaos_dice(struct chaos *c)
{
	return erand48(c->chance);
}

int chaos_pick(struct chaos *c, int n)
{
	return (int)(erand48(c->chance) * n);
}

void chaos_faulted(struct chaos *c)
{
	c->faults++;
	HISTORY("fault", NULL, 0, c->faults);
}

void chaos_remark(struct chaos *c, const char *fmt, ...)
{
	size_t used = strlen(c->note);
	va_list ap;
	if (used > 0 && used + 3 < sizeof(c->note))
		used += (size_t)snprintf(c->note + used, sizeof(c->note) - used, "; ");
	va_start(ap, fmt);
	vsnprintf(c->note + used, sizeof(c->note) - used, fmt, ap);
	va_end(ap);
}

/* ---- opening */

void chaos_open(struct chaos *c, const char *row, const char *fault, const char *appendfsync, struct chaos_size size)
{
#ifndef BARQUE_FAILPOINTS
	ck_abort_msg("faults need a build with failpoints: make MODE=debug or MODE=asan");
#endif
	c->row = row;
	c->fault = fault;
	snprintf(c->history, sizeof(c->history), "%s/history", test_dir());
	ck_assert_int_eq(setenv("BARQUE_HISTORY", c->history, 1), 0);
	if (c->redis.pid == 0)
		test_redis_start(&c->redis, appendfsync);
	snprintf(c->worker_url, sizeof(c->worker_url), "%s", c->redis.url);
	snprintf(c->client_url, sizeof(c->client_url), "%s", c->redis.url);
	c->queue = queue_open(c->redis.url, NULL, &c->e);
	ck_assert_msg(c->queue != NULL, "%s", c->e.text);
	digest_random(c->chance, sizeof(c->chance));
	printf("%s: %s; seed %04x%04x%04x\n", row, fault, c->chance[0], c->chance[1], c->chance[2]);
	fflush(stdout);
	c->amount = scaled(chaos_is_short() ? size.brief : size.full);
	c->began_ms = clock_mono_ms();
	c->until_ms = c->began_ms + 1000 * (chaos_is_short() ? size.brief_seconds : scaled(size.seconds));
}

/* ---- workers */

void chaos_worker(struct chaos *c, int i, const char *const *more)
{
	char url[200], store[300], log[32], name[64], records[300], cache[300];
	const char *argv[] = {test_program("barque-worker"), NULL};
	const char *env[24] = {url, store, records, cache, name, "WORKER_QUEUES=default", "KAFKA_BROKERS=memory:test", "LOG_LEVEL=warn"};
	snprintf(url, sizeof(url), "QUEUE_URL=%s", c->worker_url);
	snprintf(store, sizeof(store), "STORE_URL=sqlite:%s/db", test_dir());
	snprintf(records, sizeof(records), "RECORDS_DIR=%s/records", test_dir());
	snprintf(cache, sizeof(cache), "CACHE_DIR=%s/cache", test_dir());
	snprintf(name, sizeof(name), "WORKER_NAME=%s-%d-%d", c->row, i, c->lives++);
	snprintf(log, sizeof(log), "worker-%d", i);
	for (size_t n = 8; more != NULL && *more != NULL; more++, n++) {
		ck_assert(n + 1 < ARRAY_LEN(env));
		env[n] = *more;
	}
	c->workers[i] = test_spawn(log, argv, env);
}

void chaos_worker_kill(struct chaos *c, int i)
{
	HISTORY("kill", NULL, 0, c->workers[i]);
	test_kill(c->workers[i], SIGKILL);
	HISTORY("dead", NULL, 0, c->workers[i]); /* again: between the line above and its death it may have begun something */
	c->workers[i] = 0;
}

bool chaos_worker_gone(struct chaos *c, int i)
{
	if (c->workers[i] > 0 && !test_wait(c->workers[i], 0, NULL))
		return false;
	if (c->workers[i] > 0)
		HISTORY("dead", NULL, 0, c->workers[i]);
	c->workers[i] = 0;
	return true;
}

/* "pid (name) state parent": name may hold anything. */
static bool stat_read(pid_t pid, char *name, size_t size, char *state_out, pid_t *parent_out)
{
	char path[40], line[512];
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *f = fopen(path, "re");
	bool ok = f != NULL && fgets(line, sizeof(line), f) != NULL;
	if (f != NULL)
		fclose(f);
	char *open = ok ? strchr(line, '(') : NULL, *end = ok ? strrchr(line, ')') : NULL;
	int parent;
	unsigned flags;
	if (open == NULL || end == NULL || sscanf(end + 1, " %c %d %*d %*d %*d %*d %u", state_out, &parent, &flags) != 3)
		return false;
	if (flags & KERNEL_EXITING)
		*state_out = 'X';
	*end = '\0';
	snprintf(name, size, "%s", open + 1);
	*parent_out = parent;
	return true;
}

int chaos_children(pid_t of, pid_t *out, int max, const char *begins)
{
	int n = 0;
	DIR *d = opendir("/proc");
	ck_assert_ptr_nonnull(d);
	for (struct dirent *entry; (entry = readdir(d)) != NULL;) {
		char name[64], state;
		pid_t parent, pid = atoi(entry->d_name);
		if (pid > 0 && n < max && stat_read(pid, name, sizeof(name), &state, &parent) && parent == of && str_starts(name, begins))
			out[n++] = pid;
	}
	closedir(d);
	return n;
}

int chaos_alive(const pid_t *pids, int n)
{
	int alive = 0;
	for (int i = 0; i < n; i++) {
		char name[64], state;
		pid_t parent;
		alive += stat_read(pids[i], name, sizeof(name), &state, &parent) && state != 'Z' && state != 'X';
	}
	return alive;
}

/* Every process that was started for this row has its history in its environment. */
static int processes_left(const struct chaos *c)
{
	char path[64], wanted[400];
	int n = 0;
	DIR *d = opendir("/proc");
	ck_assert_ptr_nonnull(d);
	snprintf(wanted, sizeof(wanted), "BARQUE_HISTORY=%s", c->history);
	for (struct dirent *entry; (entry = readdir(d)) != NULL;) {
		static char text[256 * 1024];
		snprintf(path, sizeof(path), "/proc/%d/environ", atoi(entry->d_name));
		FILE *f = atoi(entry->d_name) > 0 ? fopen(path, "re") : NULL;
		size_t len = f != NULL ? fread(text, 1, sizeof(text), f) : 0;
		n += len > 0 && memmem(text, len, wanted, strlen(wanted) + 1) != NULL;
		if (f != NULL)
			fclose(f);
	}
	closedir(d);
	return n;
}

/* ---- jobs by hand */

void chaos_submit(struct chaos *c, char id_out[JOB_ID], const char *params, int priority, int max_crashes, bool spared)
{
	uint64_t chance;
	struct queue_submitted out;
	struct queue_submission s = {.kind = "noop",
	        .queue = "default",
	        .params = params,
	        .priority = priority,
	        .kind_version = 1,
	        .max_attempts = 3,
	        .max_crashes = max_crashes > 0 ? max_crashes : CHAOS_CRASHES,
	        .backoff_ms = 50,
	        .backoff_cap_ms = 200};
	int64_t until = clock_mono_ms() + SUBMIT_MAX_MS;
	digest_random(&chance, sizeof(chance));
	job_id_make(s.id, "default", 0, clock_now_ms(), chance);
	memcpy(id_out, s.id, JOB_ID);
	HISTORY("attempt", s.id, 0, 0);
	if (spared)
		HISTORY("spare", s.id, 0, 0);
	while (!queue_submit(c->queue, &s, 1, &out, &c->e) || out.outcome == SUBMIT_FULL) {
		ck_assert_msg(clock_mono_ms() < until, "no job is accepted any more: %s", c->e.text);
		clock_sleep_ms(20);
	}
	HISTORY("accept", s.id, 0, 0);
}

bool chaos_wait(struct chaos *c, const char *id, int timeout_ms, struct job *out)
{
	int64_t until = clock_mono_ms() + timeout_ms;
	for (;;) {
		int got = queue_show(c->queue, id, out, &c->e);
		if (got == 1 && job_state_is_end(out->state))
			return true;
		if (got == 1)
			job_close(out);
		if (clock_mono_ms() >= until)
			return false;
		clock_sleep_ms(PROBE_POLL_MS);
	}
}

int64_t chaos_probe(struct chaos *c)
{
	char id[JOB_ID];
	struct job j;
	int64_t began = clock_mono_ms();
	chaos_submit(c, id, "{}", 0, 0, false);
	bool ended = chaos_wait(c, id, CHAOS_WEDGE_MS, &j);
	int64_t took = ended ? clock_mono_ms() - began : -1;
	if (ended)
		job_close(&j);
	HISTORY("probe", NULL, 0, took);
	if (took < 0)
		printf("%s: no job ended within %d ms after fault %lld\n", c->row, CHAOS_WEDGE_MS, (long long)c->faults);
	return took;
}

/* ---- the end */

static bool all_ended(void *user)
{
	struct chaos *c = user;
	struct queue_counts q[8];
	int n = test_counts(c->queue, q, ARRAY_LEN(q), &c->e);
	for (int i = 0; i < n; i++)
		if (str_eq(q[i].queue, "default"))
			return q[i].ready + q[i].scheduled + q[i].running + q[i].waiting == 0;
	return false;
}

/* What the queue says of one job. */
static void final_note(struct chaos *c, const char *id)
{
	struct job j;
	int got = queue_show(c->queue, id, &j, &c->e);
	ck_assert_msg(got >= 0, "job %s cannot be asked for: %s", id, c->e.text);
	if (got == 0) {
		HISTORY("gone", id, 0, 0);
		return;
	}
	HISTORY("final", id, j.fence, j.state);
	job_close(&j);
}

static void finals_note(struct chaos *c)
{
	size_t len;
	char *text = test_read_file(c->history, &len), *rest = text, id[JOB_ID];
	for (char *line; (line = strsep(&rest, "\n")) != NULL;)
		if (sscanf(line, "%*s attempt %47s", id) == 1)
			final_note(c, id);
	mem_free(&text);
}

static void counts_note(struct chaos *c)
{
	struct queue_counts q[8];
	struct queue_audit audit = {0};
	int n = test_counts(c->queue, q, ARRAY_LEN(q), &c->e);
	ck_assert_msg(n >= 0, "%s", c->e.text);
	for (int i = 0; i < n; i++)
		if (str_eq(q[i].queue, "default"))
			HISTORY("done", NULL, 0, q[i].done_total);
	int sound = queue_audit(c->queue, "default", &audit, &c->e);
	if (sound != 1) {
		HISTORY("leak", NULL, 0, 0);
		chaos_remark(c, "audit: %s", sound == 0 ? audit.problem : c->e.text);
	}
}

static void judge(struct chaos *c, struct chaos_verdict *v)
{
	size_t len;
	char *text = test_read_file(c->history, &len);
	chaos_check(text, len, v);
	mem_free(&text);
}

static bool passed(const struct chaos *c, struct chaos_verdict v, int left)
{
	bool quick = c->recovery_limit_ms == 0 || v.recovery.p99 <= c->recovery_limit_ms;
	bool rejected = !c->must_reject || v.rejected > 0;
	bool once = !c->never_again || v.rejected + v.duplicated + v.overlaps == 0;
	/* Where ends may be lost, too, a job may end once more. */
	if (c->may_lose)
		v.double_ends = v.stale_ends = 0;
	if (c->may_lose && c->wait_replicas == 0)
		v.lost = 0;
	return chaos_is_sound(&v) && quick && rejected && once && left == 0 && v.failed == 0 && v.lost == 0 && v.attempted > 0;
}

/* The test's folder goes when it passed; a history that is worth reading stays. */
static void history_keep(struct chaos *c)
{
	char path[100];
	size_t len;
	char *text = test_read_file(c->history, &len);
	mkdir("build/chaos", 0755);
	mkdir("build/chaos/histories", 0755);
	snprintf(path, sizeof(path), "build/chaos/histories/%s", c->row);
	FILE *f = fopen(path, "we");
	bool ok = f != NULL && fwrite(text, 1, len, f) == len;
	ok = f != NULL && fclose(f) == 0 && ok;
	mem_free(&text);
	chaos_remark(c, "history: %s", ok ? path : c->history);
}

static void everything_stop(struct chaos *c)
{
	for (int i = 0; i < CHAOS_WORKERS; i++)
		if (c->workers[i] > 0)
			chaos_worker_kill(c, i);
	queue_close(&c->queue);
	if (c->redis.pid > 0)
		test_redis_stop(&c->redis);
}

void chaos_close(struct chaos *c)
{
	struct chaos_verdict v;
	int left = 0;
	chaos_client_stop(c);
	bool drained = c->no_jobs || test_until(DRAIN_MS, all_ended, c);
	if (!c->no_jobs) {
		finals_note(c);
		counts_note(c);
	}
	everything_stop(c);
	for (int64_t until = clock_mono_ms() + GONE_MS; (left = processes_left(c)) > 0 && clock_mono_ms() < until;)
		clock_sleep_ms(10);
	judge(c, &v);
	if (left > 0)
		chaos_remark(c, "%d processes left over", left);
	if (v.wedges > 0)
		chaos_remark(c, "%lld times no job ended within %d ms", (long long)v.wedges, CHAOS_WEDGE_MS);
	if (v.nonsense > 0)
		chaos_remark(c, "%lld lines of the history are none", (long long)v.nonsense);
	if (!drained)
		chaos_remark(c, "jobs were still there %d s after the last fault", DRAIN_MS / 1000);
	if (c->must_reject)
		chaos_remark(c, "%lld stale ends told, all refused", (long long)v.rejected);
	if (c->may_lose && v.lost > 0)
		chaos_remark(c, "lost: what was accepted in the last %lld ms before a fault", (long long)v.loss_ms);
	else if (v.example[0] != '\0')
		chaos_remark(c, "%s", v.example);
	bool ok = passed(c, v, left);
	v.faults = c->faults;
	if (!ok || getenv("CHAOS_KEEP") != NULL)
		history_keep(c);
	bool told = chaos_report(c->row, c->fault, &v, ok ? "passed" : "FAILED", c->note);
	ck_assert_msg(ok && told, "%s: %s", c->row, c->note);
}
