/* bench_worker.c -- the whole product measured: real barque-worker programs on a real Redis, every job with a state to be asked for.
 *
 *     bench_worker                     the table, with the AOF off and with appendfsync always
 *     bench_worker drain off|always    2 slots, that line alone
 *     bench_worker peers off|always    one line "name value" for each figure that bench/peers/ compares
 *
 * BENCH_JOBS (100000) jobs a drain, BENCH_WAITING (1000000) more that wait behind them, BENCH_RUNS (3) runs of which the median counts.
 * A job is a `noop` with 200 bytes of parameters. A drain is timed from the first to the last end that the queue's counters show.
 */
#include <poll.h>

#include "base/mem.h"
#include "bench/rig.h"
#include "queue/queue.h"

#define QUEUE          "default"
#define KIND           "noop"
#define PARAMS_BYTES   200
#define LOOK_MS        10
#define PICK_UPS       2000
#define IN_FLIGHT      10000
#define DELAYED        10000
#define DELAYED_IN_MS  3000
#define RECOVER_MS     120000
#define RECOVER_RUN_MS 3000
#define PATIENCE_MS    300000

/* ---- a worker */

struct worker {
	pid_t pid;
	char dir[64];
};

static void worker_start(struct worker *w, const struct rig_redis *r, int slots)
{
	char program[PATH_MAX], url[96], store[96], records[96], cache[96], log[96], n[32];
	rig_program(program, "barque-worker");
	memcpy(w->dir, r->dir, sizeof(w->dir));
	snprintf(url, sizeof(url), "QUEUE_URL=%s", r->url);
	snprintf(store, sizeof(store), "STORE_URL=sqlite:%s/", r->dir);
	snprintf(records, sizeof(records), "RECORDS_DIR=%s", r->dir);
	snprintf(cache, sizeof(cache), "CACHE_DIR=%s", r->dir);
	snprintf(log, sizeof(log), "%s/worker.log", r->dir);
	snprintf(n, sizeof(n), "WORKER_SLOTS=%d", slots);
	w->pid = rig_spawn((const char *[]){program, NULL},
	        (const char *[]){url, store, records, cache, n, "WORKER_QUEUES=" QUEUE, "LOG_LEVEL=warn", NULL}, log);
}

static bool is_slot(pid_t pid)
{
	char path[64], name[32] = "";
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	FILE *f = fopen(path, "re");
	if (!f || !fgets(name, sizeof(name), f))
		name[0] = '\0';
	if (f)
		fclose(f);
	return strstr(name, "slot") != NULL;
}

struct worker_memory {
	double dispatcher_mb, dispatcher_pss_mb, slot_own_mb, slot_rss_mb, all_pss_mb, all_rss_mb;
};

static struct worker_memory worker_memory(const struct worker *w)
{
	pid_t pids[1100];
	int n = rig_children(w->pid, pids, (int)ARRAY_LEN(pids)), slots = 0;
	struct rig_memory d = rig_memory_of(w->pid);
	struct worker_memory m = {.dispatcher_mb = (double)d.rss,
	        .dispatcher_pss_mb = (double)d.pss,
	        .all_pss_mb = (double)d.pss,
	        .all_rss_mb = (double)d.rss};
	for (int i = 0; i < n; i++) {
		struct rig_memory c = rig_memory_of(pids[i]);
		m.all_pss_mb += (double)c.pss;
		m.all_rss_mb += (double)c.rss;
		if (!is_slot(pids[i]))
			continue;
		slots++;
		m.slot_own_mb += (double)c.own;
		m.slot_rss_mb += (double)c.rss;
	}
	if (slots == 0)
		rig_die("the worker has no slots");
	m.dispatcher_mb /= 1024;
	m.dispatcher_pss_mb /= 1024;
	m.slot_own_mb /= 1024 * slots;
	m.slot_rss_mb /= 1024 * slots;
	m.all_pss_mb /= 1024;
	m.all_rss_mb /= 1024;
	return m;
}

/* ---- jobs */

/* A no-op with so many bytes of parameters: JSON may be padded, and no result is asked for, as with the peers. */
static void params_fill(char out[PARAMS_BYTES + 1], int sleep_ms)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "{\"sleep_ms\":%d", sleep_ms);
	memset(out, ' ', PARAMS_BYTES);
	memcpy(out, text, (size_t)n);
	out[PARAMS_BYTES - 1] = '}';
	out[PARAMS_BYTES] = '\0';
}

static void submit(struct queue *q, struct queue_submission *items, int n)
{
	struct queue_submitted out[QUEUE_BATCH_MAX];
	struct err e;
	rig_must(queue_submit(q, items, (size_t)n, out, &e), &e);
	for (int i = 0; i < n; i++)
		if (out[i].outcome != SUBMIT_NEW)
			rig_die("a submission was refused");
}

/* Returns jobs a second. batch: so many in one call. */
static double submit_jobs(struct queue *q, int n, int batch)
{
	static struct queue_submission items[QUEUE_BATCH_MAX];
	char params[PARAMS_BYTES + 1];
	int64_t began = clock_mono_us();
	params_fill(params, 0);
	for (int done = 0; done < n;) {
		int some = n - done < batch ? n - done : batch;
		for (int i = 0; i < some; i++)
			items[i] = (struct queue_submission){.queue = QUEUE, .kind = KIND, .params = params, .priority = 5};
		submit(q, items, some);
		done += some;
	}
	return n / ((double)(clock_mono_us() - began) / 1e6);
}

static struct queue_counts counts_of(struct queue *q)
{
	struct queue_counts counts = {.queue = QUEUE};
	struct err e;
	rig_must(queue_count(q, QUEUE, &counts, &e) >= 0, &e);
	return counts;
}

/* ---- drains */

struct drain {
	double rate, cpu_us, dispatcher_us, slots_us; /* the last three: CPU time a job */
	struct worker_memory memory;
};

/* CPU time of the dispatcher, and of its slots. */
static void worker_cpu(const struct worker *w, double *dispatcher_us, double *slots_us)
{
	pid_t pids[1100];
	int n = rig_children(w->pid, pids, (int)ARRAY_LEN(pids));
	*dispatcher_us = rig_cpu_us(w->pid);
	*slots_us = 0;
	for (int i = 0; i < n; i++)
		*slots_us += is_slot(pids[i]) ? rig_cpu_us(pids[i]) : 0;
}

/* Until so many jobs ended; the worker starts now. */
static struct drain drain_watch(const struct rig_redis *r, const struct worker *w, struct queue *q, int n)
{
	struct drain d = {0};
	int64_t before = counts_of(q).done_total, began = 0, first = 0, now = 0, asked = clock_mono_ms();
	double cpu = 0, dispatcher = 0, slots = 0;
	while (now - before < n) {
		clock_sleep_ms(LOOK_MS);
		now = counts_of(q).done_total;
		if (clock_mono_ms() - asked > PATIENCE_MS)
			rig_die("a drain does not end");
		if (began || now == before)
			continue;
		began = clock_mono_us();
		first = now;
		cpu = rig_redis_cpu_us(r);
		worker_cpu(w, &dispatcher, &slots);
	}
	if (now <= first)
		rig_die("a drain was over before it was seen: raise BENCH_JOBS");
	d.rate = (double)(now - first) / ((double)(clock_mono_us() - began) / 1e6);
	d.cpu_us = (rig_redis_cpu_us(r) - cpu) / (double)(now - first);
	worker_cpu(w, &d.dispatcher_us, &d.slots_us);
	d.dispatcher_us = (d.dispatcher_us - dispatcher) / (double)(now - first);
	d.slots_us = (d.slots_us - slots) / (double)(now - first);
	return d;
}

/* A link that claims n jobs and keeps them, in a process of its own. */
static pid_t holder_start(const struct rig_redis *r, int n)
{
	int ready[2];
	char byte;
	if (pipe(ready) != 0)
		rig_die("no pipe");
	fflush(NULL);
	pid_t pid = fork();
	if (pid != 0) {
		close(ready[1]);
		if (read(ready[0], &byte, 1) != 1)
			rig_die("the jobs in flight could not be claimed");
		close(ready[0]);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	struct err e;
	struct queue_link *l = queue_link_open(r->url, NULL, QUEUE, "bench:holder", (const char *const[]){KIND}, 1, &e);
	rig_must(l != NULL, &e);
	for (int held = 0;;) {
		struct queue_step s = {.want = n - held < QUEUE_BATCH_MAX ? n - held : QUEUE_BATCH_MAX, .lease_ms = 3600000};
		struct queue_step_reply reply = {0};
		int got = queue_link_step_begin(l, &s, &e) ? 0 : -1;
		while (got == 0) {
			struct pollfd p = {.fd = queue_link_fd(l), .events = POLLIN};
			poll(&p, 1, 100);
			got = queue_link_step_end(l, &reply, &e);
		}
		rig_must(got == 1, &e);
		held += (int)reply.n_claims;
		queue_step_reply_close(&reply);
		if (held == n && s.want > 0 && write(ready[1], "x", 1) != 1)
			exit(1);
		if (held == n)
			clock_sleep_ms(500);
	}
}

struct drain_plan {
	int slots, jobs, in_flight, waiting;
};

static struct drain drain_once(const char *fsync, const struct drain_plan *p)
{
	struct rig_redis r;
	struct worker w;
	struct err e;
	pid_t holder = 0;
	rig_redis_start(&r, fsync);
	struct queue *q = queue_open(r.url, NULL, &e);
	rig_must(q != NULL, &e);
	if (p->in_flight > 0) {
		submit_jobs(q, p->in_flight, QUEUE_BATCH_MAX);
		holder = holder_start(&r, p->in_flight);
	}
	submit_jobs(q, p->jobs + p->waiting, QUEUE_BATCH_MAX);
	worker_start(&w, &r, p->slots);
	struct drain d = drain_watch(&r, &w, q, p->jobs);
	if (p->waiting == 0)
		clock_sleep_ms(500);
	d.memory = worker_memory(&w);
	rig_stop(w.pid, SIGKILL);
	if (holder)
		rig_stop(holder, SIGKILL);
	queue_close(&q);
	rig_redis_stop(&r);
	return d;
}

static struct drain drain_median(const char *fsync, const struct drain_plan *p, int runs)
{
	double rate[32] = {0}, cpu[32] = {0};
	struct drain d = {0};
	for (int i = 0; i < runs; i++) {
		d = drain_once(fsync, p);
		rate[i] = d.rate;
		cpu[i] = d.cpu_us;
	}
	d.rate = rig_quantile(rate, runs, 0.5);
	d.cpu_us = rig_quantile(cpu, runs, 0.5);
	return d;
}

/* ---- pick-up */

/* From before the call that submits until the end of the job is known, in us: more than until its start, for the job was run, its end
 * told to Redis and published. */
static double pick_up_once(struct queue *q, struct queue_watcher *w, double *call_us)
{
	char params[PARAMS_BYTES + 1], id[JOB_ID];
	struct queue_submission s = {.queue = QUEUE, .kind = KIND, .params = params, .priority = 5};
	enum job_state state;
	struct err e;
	int got;
	params_fill(params, 0);
	int64_t began = clock_mono_us();
	submit(q, &s, 1);
	*call_us = (double)(clock_mono_us() - began);
	got = queue_watch(q, s.id, &state, &e);
	rig_must(got == 1, &e);
	while (!job_state_is_end(state)) {
		struct pollfd p = {.fd = queue_watcher_fd(w), .events = POLLIN};
		if (poll(&p, 1, 10000) != 1)
			rig_die("a job on an idle system was not picked up within 10 s");
		while ((got = queue_watcher_next(w, id, &state, &e)) == 1 && !str_eq(id, s.id))
			;
		rig_must(got >= 0, &e);
		if (got == 0)
			state = JOB_READY;
	}
	return (double)(clock_mono_us() - began);
}

struct pick_up {
	double call_p50, p50, p99;
};

static struct pick_up pick_up_measure(const char *fsync, struct worker_memory *memory)
{
	double *us = mem_array(PICK_UPS, sizeof(*us)), *call = mem_array(PICK_UPS, sizeof(*call));
	struct rig_redis r;
	struct worker w;
	struct err e;
	rig_redis_start(&r, fsync);
	struct queue *q = queue_open(r.url, NULL, &e);
	rig_must(q != NULL, &e);
	struct queue_watcher *watcher = queue_watcher_open(r.url, NULL, &e);
	rig_must(watcher != NULL, &e);
	worker_start(&w, &r, 2);
	clock_sleep_ms(1500);
	for (int i = 0; i < PICK_UPS; i++) {
		us[i] = pick_up_once(q, watcher, &call[i]);
		clock_sleep_ms(2 + i % 3); /* until it is idle again, and not in step with anything */
	}
	*memory = worker_memory(&w);
	struct pick_up p = {rig_quantile(call, PICK_UPS, 0.5), rig_quantile(us, PICK_UPS, 0.5), rig_quantile(us, PICK_UPS, 0.99)};
	rig_stop(w.pid, SIGKILL);
	queue_watcher_close(&watcher);
	queue_close(&q);
	rig_redis_stop(&r);
	mem_free(&us);
	mem_free(&call);
	return p;
}

/* ---- delayed jobs that fall due together */

static void job_show(struct queue *q, const char *id, struct job *out)
{
	struct err e;
	int got = queue_show(q, id, out, &e);
	rig_must(got >= 0, &e);
	if (got == 0)
		rig_die("a job is gone");
}

static void delayed_measure(const char *fsync)
{
	static struct queue_submission items[DELAYED];
	char params[PARAMS_BYTES + 1];
	double *late = mem_array(DELAYED, sizeof(*late));
	struct rig_redis r;
	struct worker w;
	struct err e;
	params_fill(params, 0);
	rig_redis_start(&r, fsync);
	struct queue *q = queue_open(r.url, NULL, &e);
	rig_must(q != NULL, &e);
	worker_start(&w, &r, 2);
	for (int i = 0; i < DELAYED; i++)
		items[i] = (struct queue_submission){
		        .queue = QUEUE, .kind = KIND, .params = params, .priority = 5, .delay_ms = DELAYED_IN_MS + i % 1000};
	for (int i = 0; i < DELAYED; i += QUEUE_BATCH_MAX)
		submit(q, items + i, DELAYED - i < QUEUE_BATCH_MAX ? DELAYED - i : QUEUE_BATCH_MAX);
	for (int64_t asked = clock_mono_ms(); counts_of(q).done_total < DELAYED; clock_sleep_ms(LOOK_MS))
		if (clock_mono_ms() - asked > 30000)
			rig_die("delayed jobs did not run within 30 s");
	for (int i = 0; i < DELAYED; i++) {
		struct job j;
		job_show(q, items[i].id, &j);
		late[i] = (double)(j.started_at - j.run_at);
		job_close(&j);
	}
	printf("%d delayed jobs due within one second start late by: p50 %.0f ms  p99 %.0f ms  max %.0f ms\n", DELAYED,
	        rig_quantile(late, DELAYED, 0.5), rig_quantile(late, DELAYED, 0.99), rig_quantile(late, DELAYED, 1));
	rig_stop(w.pid, SIGKILL);
	queue_close(&q);
	rig_redis_stop(&r);
	mem_free(&late);
}

/* ---- the whole worker killed */

static void recover_submit(struct queue *q, struct queue_submission items[20])
{
	static char held[PARAMS_BYTES + 1], plain[PARAMS_BYTES + 1];
	params_fill(held, RECOVER_RUN_MS);
	params_fill(plain, 0);
	for (int i = 0; i < 20; i++)
		items[i] = (struct queue_submission){
		        .queue = QUEUE, .kind = KIND, .params = i < 4 ? held : plain, .priority = i < 4 ? 1 : 5, .max_attempts = 3};
	submit(q, items, 20);
}

/* Waits until the first 4 jobs run with a fence above those in fence[4] (which then holds theirs). Seconds, -1: not in time. */
static double recover_wait(struct queue *q, const struct queue_submission *items, int64_t fence[4])
{
	bool again[4] = {false};
	int64_t began = clock_mono_ms();
	for (int n = 0; n < 4;) {
		if (clock_mono_ms() - began > RECOVER_MS)
			return -1;
		clock_sleep_ms(LOOK_MS);
		for (int i = 0; i < 4; i++) {
			struct job j;
			job_show(q, items[i].id, &j);
			if (!again[i] && j.state != JOB_READY && j.fence > fence[i]) {
				again[i] = true;
				fence[i] = j.fence;
				n++;
			}
			job_close(&j);
		}
	}
	return (double)(clock_mono_ms() - began) / 1000;
}

static double recover_measure(const char *fsync, int *lost_out)
{
	struct queue_submission items[20];
	struct rig_redis r;
	struct worker w;
	struct err e;
	int64_t fence[4] = {0};
	rig_redis_start(&r, fsync);
	struct queue *q = queue_open(r.url, NULL, &e);
	rig_must(q != NULL, &e);
	recover_submit(q, items);
	worker_start(&w, &r, 4);
	if (recover_wait(q, items, fence) < 0)
		rig_die("4 jobs never ran");
	clock_sleep_ms(500);
	rig_stop(w.pid, SIGKILL);
	worker_start(&w, &r, 4);
	double seconds = recover_wait(q, items, fence);
	clock_sleep_ms(RECOVER_RUN_MS + 2000);
	*lost_out = 0;
	for (int i = 0; i < 20; i++) {
		struct job j;
		job_show(q, items[i].id, &j);
		*lost_out += j.state != JOB_SUCCEEDED;
		job_close(&j);
	}
	rig_stop(w.pid, SIGKILL);
	queue_close(&q);
	rig_redis_stop(&r);
	return seconds;
}

/* ---- what waits */

struct enqueue {
	double one_rate, bulk_rate, bulk_cpu_us, bytes;
};

static struct enqueue enqueue_measure(const char *fsync, int n)
{
	struct enqueue m;
	struct rig_redis r;
	struct err e;
	rig_redis_start(&r, fsync);
	struct queue *q = queue_open(r.url, NULL, &e);
	rig_must(q != NULL, &e);
	double before = rig_redis_info(&r, "used_memory"), cpu = rig_redis_cpu_us(&r);
	m.bulk_rate = submit_jobs(q, n, QUEUE_BATCH_MAX);
	m.bulk_cpu_us = (rig_redis_cpu_us(&r) - cpu) / n;
	m.bytes = (rig_redis_info(&r, "used_memory") - before) / n;
	m.one_rate = submit_jobs(q, n / 20 + 1000, 1);
	queue_close(&q);
	rig_redis_stop(&r);
	return m;
}

/* ---- the two faces */

static void drain_print(const char *fsync, const struct drain_plan *p, int runs)
{
	struct drain d = drain_median(fsync, p, runs);
	char more[64] = "";
	if (p->in_flight > 0)
		snprintf(more, sizeof(more), "beside %d in flight", p->in_flight);
	if (p->waiting > 0)
		snprintf(more, sizeof(more), "with %d more waiting", p->waiting);
	printf("drain  %2d slots  %8.0f jobs/s  CPU us/job: Redis %5.1f dispatcher %5.1f slots %5.1f  dispatcher %4.1f MB (PSS %3.1f)  a slot's own %4.2f MB  "
	       "%s\n",
	        p->slots, d.rate, d.cpu_us, d.dispatcher_us, d.slots_us, d.memory.dispatcher_mb, d.memory.dispatcher_pss_mb,
	        d.memory.slot_own_mb, more);
}

static void measure_all(const char *fsync, int jobs, int waiting, int runs)
{
	static const int slots[] = {1, 2, 4, 8, 16, 32, 64};
	struct worker_memory m;
	printf("\nappendfsync %s\n", fsync);
	struct pick_up p = pick_up_measure(fsync, &m);
	printf("pick-up on an idle system: submit -> end known p50 %.0f us  p99 %.0f us, of which the submitting call p50 %.0f us\n", p.p50,
	        p.p99, p.call_p50);
	printf("idle, 2 slots: dispatcher %.1f MB (PSS %.1f), a slot %.1f MB of which its own %.2f MB, all processes %.1f MB (PSS)\n",
	        m.dispatcher_mb, m.dispatcher_pss_mb, m.slot_rss_mb, m.slot_own_mb, m.all_pss_mb);
	struct enqueue q = enqueue_measure(fsync, jobs);
	printf("submit: %.0f jobs/s one by one, %.0f by %d; Redis CPU %.1f us/job, %.0f bytes for each that waits\n", q.one_rate,
	        q.bulk_rate, QUEUE_BATCH_MAX, q.bulk_cpu_us, q.bytes);
	for (size_t i = 0; i < ARRAY_LEN(slots); i++)
		drain_print(fsync, &(struct drain_plan){.slots = slots[i], .jobs = jobs}, runs);
	drain_print(fsync, &(struct drain_plan){.slots = 2, .jobs = jobs, .in_flight = IN_FLIGHT}, runs);
	drain_print(fsync, &(struct drain_plan){.slots = 2, .jobs = jobs, .waiting = waiting}, 1);
	delayed_measure(fsync);
}

static void measure_for_peers(const char *fsync, int jobs)
{
	struct worker_memory m;
	int lost;
	struct drain d = drain_once(fsync, &(struct drain_plan){.slots = 2, .jobs = jobs});
	printf("drain %.0f\ncpu_us %.1f\n", d.rate, d.cpu_us);
	printf("rss_mb %.1f\npss_mb %.1f\n", d.memory.all_rss_mb, d.memory.all_pss_mb);
	struct enqueue q = enqueue_measure(fsync, jobs);
	printf("enqueue_one %.0f\nenqueue_bulk %.0f\nbytes %.0f\n", q.one_rate, q.bulk_rate, q.bytes);
	struct pick_up p = pick_up_measure(fsync, &m);
	printf("p50_us %.0f\np99_us %.0f\n", p.p50, p.p99);
	double seconds = recover_measure(fsync, &lost);
	printf("recovery_s %.1f\nlost %d\n", seconds, lost);
}

int main(int argc, char **argv)
{
	int jobs = rig_number("BENCH_JOBS", 100000), waiting = rig_number("BENCH_WAITING", 1000000), runs = rig_number("BENCH_RUNS", 3);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (runs > 32)
		rig_die("BENCH_RUNS is at most 32");
	if (argc == 3 && str_eq(argv[1], "peers") && (str_eq(argv[2], "off") || str_eq(argv[2], "always"))) {
		measure_for_peers(argv[2], jobs);
		return 0;
	}
	if (argc == 3 && str_eq(argv[1], "drain")) {
		drain_print(argv[2], &(struct drain_plan){.slots = 2, .jobs = jobs}, runs);
		return 0;
	}
	if (argc > 1)
		rig_die("usage: bench_worker [peers|drain off|always]");
	printf("noop jobs, %d bytes of parameters, %d a drain, median of %d\n", PARAMS_BYTES, jobs, runs);
	measure_all("off", jobs, waiting, runs);
	measure_all("always", jobs, waiting, runs);
	return 0;
}
