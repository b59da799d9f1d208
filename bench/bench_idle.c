/* bench_idle.c -- what a thousand idle dispatchers cost Redis, and how soon one of them has a job that comes.
 *
 * Each is a link as a real dispatcher's: it waits on the marker with a blocking pop and steps every 800 ms. BENCH_LINKS (1000) links live in
 * this process; BENCH_SECONDS (10) is how long they are watched.
 */
#include <poll.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "bench/rig.h"
#include "queue/queue.h"

#define QUEUE    "default"
#define KIND     "noop"
#define TICK_MS  800
#define PICK_UPS 200

struct idle {
	struct queue_link *link;
	bool stepping, waiting;
	int64_t next_ms;
};

static struct queue_submission job(void)
{
	return (struct queue_submission){.queue = QUEUE, .kind = KIND, .priority = 5};
}

static void begin(struct idle *d, int64_t now)
{
	struct queue_step s = {.want = 1, .lease_ms = 15000};
	struct err e;
	if (!d->stepping && now >= d->next_ms) {
		rig_must(queue_link_step_begin(d->link, &s, &e), &e);
		d->stepping = true;
	}
	if (!d->waiting) {
		rig_must(queue_link_wait_begin(d->link, TICK_MS, &e), &e);
		d->waiting = true;
	}
}

/* Returns how many jobs it was given. */
static int end(struct idle *d, int64_t now)
{
	struct queue_step_reply r;
	struct err e;
	int got = d->waiting ? queue_link_wait_end(d->link, &e) : 0, claims = 0;
	rig_must(got >= 0, &e);
	if (got == 1) {
		d->waiting = false;
		d->next_ms = now;
	}
	got = d->stepping ? queue_link_step_end(d->link, &r, &e) : 0;
	rig_must(got >= 0, &e);
	if (got == 1) {
		claims = (int)r.n_claims;
		d->stepping = false;
		d->next_ms = now + TICK_MS;
		queue_step_reply_close(&r);
	}
	return claims;
}

/* One turn of all: wait for news at most so long. Returns how many jobs were claimed. */
static int turn(struct idle *all, struct pollfd *fds, int n, int timeout_ms)
{
	int claims = 0;
	int64_t now = clock_mono_ms();
	for (int i = 0; i < n; i++) {
		begin(&all[i], now);
		fds[2 * i] = (struct pollfd){.fd = all[i].stepping ? queue_link_fd(all[i].link) : -1, .events = POLLIN};
		fds[2 * i + 1] = (struct pollfd){.fd = all[i].waiting ? queue_link_wait_fd(all[i].link) : -1, .events = POLLIN};
	}
	poll(fds, (nfds_t)(2 * n), timeout_ms);
	now = clock_mono_ms();
	for (int i = 0; i < n; i++)
		if (fds[2 * i].revents || fds[2 * i + 1].revents)
			claims += end(&all[i], now);
	return claims;
}

static void watch(const struct rig_redis *r, struct idle *all, struct pollfd *fds, int n, int seconds)
{
	double cpu = rig_redis_cpu_us(r), calls = rig_redis_info(r, "total_commands_processed");
	int64_t began = clock_mono_ms(), until = began + seconds * 1000;
	while (clock_mono_ms() < until)
		turn(all, fds, n, 10);
	double took = (double)(clock_mono_ms() - began) / 1000;
	printf("%d idle dispatchers: Redis uses %.1f %% of a core, %.0f commands/s, %.0f bytes each; memory %.1f MB\n", n,
	        (rig_redis_cpu_us(r) - cpu) / took / 1e4, (rig_redis_info(r, "total_commands_processed") - calls) / took,
	        rig_redis_info(r, "mem_clients_normal") / (2.0 * n), rig_redis_info(r, "used_memory") / 1048576);
}

static void pick_ups(struct queue *q, struct idle *all, struct pollfd *fds, int n)
{
	static double us[PICK_UPS];
	struct err e;
	for (int i = 0; i < PICK_UPS; i++) {
		struct queue_submission s = job();
		struct queue_submitted out;
		int64_t began = clock_mono_us();
		rig_must(queue_submit(q, &s, 1, &out, &e), &e);
		while (turn(all, fds, n, 10) == 0)
			;
		us[i] = (double)(clock_mono_us() - began);
		for (int64_t until = clock_mono_ms() + 5; clock_mono_ms() < until;)
			turn(all, fds, n, 1);
	}
	printf("a job that comes is claimed by one of them after: p50 %.0f us  p99 %.0f us (this process looks at all %d in turn)\n",
	        rig_quantile(us, PICK_UPS, 0.5), rig_quantile(us, PICK_UPS, 0.99), n);
}

static void room_for(int links)
{
	struct rlimit files;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_cur < (rlim_t)links * 5 + 64)
		rig_die("too few open files are allowed (ulimit -n): set BENCH_LINKS lower");
}

int main(void)
{
	int n = rig_number("BENCH_LINKS", 1000), seconds = rig_number("BENCH_SECONDS", 10);
	struct idle *all = mem_array((size_t)n, sizeof(*all));
	struct pollfd *fds = mem_array(2 * (size_t)n, sizeof(*fds));
	struct rig_redis r;
	struct err e;
	setvbuf(stdout, NULL, _IOLBF, 0);
	room_for(n);
	rig_redis_start(&r, "off");
	struct queue *q = queue_open(r.url, NULL, &e);
	rig_must(q != NULL, &e);
	for (int i = 0; i < n; i++) {
		char name[32];
		snprintf(name, sizeof(name), "bench:%d", i);
		all[i].link = queue_link_open(r.url, NULL, QUEUE, name, (const char *const[]){KIND}, 1, &e);
		rig_must(all[i].link != NULL, &e);
		all[i].next_ms = clock_mono_ms() + i % TICK_MS;
	}
	for (int64_t until = clock_mono_ms() + 2000; clock_mono_ms() < until;)
		turn(all, fds, n, 10);
	watch(&r, all, fds, n, seconds);
	pick_ups(q, all, fds, n);
	for (int i = 0; i < n; i++)
		queue_link_close(&all[i].link);
	queue_close(&q);
	rig_redis_stop(&r);
	mem_free(&fds);
	mem_free(&all);
	return 0;
}
