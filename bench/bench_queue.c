/* bench_queue.c -- what the queue can do: jobs drained a second, Redis' CPU for each, bytes for each that waits, time to pick up.
 *
 * It starts redis-server by itself, with broker-config/redis.conf, in a folder of its own. BENCH_JOBS (100000) is how many jobs each
 * drain has, BENCH_WAITING (200000) how many lie in the queue when memory and the drain of a long queue are measured.
 * The last drain goes over BENCH_SHARDS (4) shards.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "queue/queue.h"

#define QUEUE     "bench"
#define KIND      "noop"
#define LINKS_MAX 8
#define LEASE_MS  60000
#define PICK_UPS  3000
#define IN_FLIGHT 10000
#define ALIVE_MS  500 /* the holder of jobs in flight is heard so often */

static void die(const char *what)
{
	fprintf(stderr, "bench_queue: %s\n", what);
	exit(1);
}

static void must(bool ok, const struct err *e)
{
	if (!ok)
		die(e->text);
}

/* ---- a server of our own --------------------------------------------------------------------------------------------- */

struct server {
	pid_t pid;
	int port, fd;
	char dir[64], url[64];
};

static int free_port(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		die("no free port");
	close(fd);
	return ntohs(a.sin_port);
}

static int server_connect(const struct server *s)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)s->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	for (int i = 0; i < 100; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
			return fd;
		close(fd);
		clock_sleep_ms(50);
	}
	die("redis-server does not start");
	return -1;
}

static void server_start(struct server *s, const char *appendfsync)
{
	char port[16];

	memset(s, 0, sizeof(*s));
	snprintf(s->dir, sizeof(s->dir), "/tmp/bench_queue.XXXXXX");
	if (!mkdtemp(s->dir))
		die("no folder in /tmp");
	s->port = free_port();
	snprintf(port, sizeof(port), "%d", s->port);
	snprintf(s->url, sizeof(s->url), "redis://127.0.0.1:%d", s->port);
	s->pid = fork();
	if (s->pid == 0) {
		bool off = str_eq(appendfsync, "off");

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execlp("redis-server", "redis-server", "broker-config/redis.conf", "--port", port, "--dir", s->dir, "--logfile",
		        "redis.log", "--appendonly", off ? "no" : "yes", "--appendfsync", off ? "no" : appendfsync, (char *)NULL);
		_exit(127);
	}
	s->fd = server_connect(s);
}

static void server_stop(struct server *s)
{
	char command[128];

	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	close(s->fd);
	snprintf(command, sizeof(command), "rm -rf '%s'", s->dir);
	if (system(command) != 0)
		die("cannot remove its folder");
}

/* A number out of INFO, spoken by hand. */
static double server_info(const struct server *s, const char *name)
{
	static char text[65536];
	size_t len = 0;
	const char *at;

	if (write(s->fd, "INFO\r\n", 6) != 6)
		die("redis-server is gone");
	do {
		ssize_t n = read(s->fd, text + len, sizeof(text) - 1 - len);

		if (n <= 0)
			die("redis-server is gone");
		len += (size_t)n;
		text[len] = '\0';
	} while (len < (size_t)atol(text + 1));
	at = strstr(text, name);
	return at ? atof(at + strlen(name) + 1) : 0;
}

static double server_cpu_us(const struct server *s)
{
	return 1e6 * (server_info(s, "used_cpu_user") + server_info(s, "used_cpu_sys"));
}

/* ---- jobs --------------------------------------------------------------------------------------------------------------- */

static void submit_jobs(struct queue *q, int n)
{
	static struct queue_submission items[QUEUE_BATCH_MAX];
	static struct queue_submitted out[QUEUE_BATCH_MAX];
	static char params[201];
	struct err e;

	memset(params, 'x', 200); /* what it is does not matter to Redis */
	for (int done = 0; done < n;) {
		int some = n - done < QUEUE_BATCH_MAX ? n - done : QUEUE_BATCH_MAX;

		for (int i = 0; i < some; i++)
			items[i] = (struct queue_submission){.queue = QUEUE, .kind = KIND, .params = params, .priority = 5};
		must(queue_submit(q, items, (size_t)some, out, &e), &e);
		for (int i = 0; i < some; i++)
			if (out[i].outcome != SUBMIT_NEW)
				die("a submission was refused");
		done += some;
	}
}

struct runner {
	struct queue_link *link;
	struct queue_ack acks[QUEUE_BATCH_MAX];
	size_t n_acks;
	bool under_way;
};

static void runner_open(struct runner *r, const struct server *s, int number, int shard)
{
	struct err e;
	char worker[32];

	memset(r, 0, sizeof(*r));
	snprintf(worker, sizeof(worker), "bench:%d", number);
	r->link = queue_link_open_shard(s->url, NULL, QUEUE, shard, worker, (const char *const[]){KIND}, 1, &e);
	must(r->link != NULL, &e);
}

static void runner_begin(struct runner *r, int want)
{
	struct queue_step step = {.acks = r->acks, .n_acks = r->n_acks, .want = want, .lease_ms = LEASE_MS};
	struct err e;

	must(queue_link_step_begin(r->link, &step, &e), &e);
	r->under_way = true;
}

/* What was claimed is done at once: the next step acknowledges it. Returns how many were claimed, -1: no answer yet. */
static int runner_end(struct runner *r, bool keep)
{
	struct queue_step_reply reply;
	struct err e;
	int got = queue_link_step_end(r->link, &reply, &e);
	int n;

	if (!got)
		return -1;
	must(got == 1, &e);
	r->under_way = false;
	r->n_acks = 0;
	if (reply.n_rejected)
		die("an end was rejected");
	n = (int)reply.n_claims;
	for (size_t i = 0; i < reply.n_claims && !keep; i++) {
		struct queue_ack *a = &r->acks[r->n_acks++];

		*a = (struct queue_ack){.fence = reply.claims[i].job.fence, .outcome = ACK_DONE};
		memcpy(a->id, reply.claims[i].job.id, JOB_ID);
	}
	queue_step_reply_close(&reply);
	return n;
}

static int runner_step(struct runner *r, int want, bool keep)
{
	int n;

	runner_begin(r, want);
	while ((n = runner_end(r, keep)) < 0) {
		struct pollfd p = {.fd = queue_link_fd(r->link), .events = POLLIN};

		poll(&p, 1, 100);
	}
	return n;
}

/* Drain until `total` jobs were acknowledged; holder, if any, is kept alive meanwhile. */
static void drain(struct runner *runners, int links, int batch, int total, struct runner *holder)
{
	int64_t heard = clock_mono_ms();
	int acked = 0;

	while (acked < total) {
		struct pollfd p[LINKS_MAX];

		for (int i = 0; i < links; i++) {
			if (!runners[i].under_way)
				runner_begin(&runners[i], batch);
			p[i] = (struct pollfd){.fd = queue_link_fd(runners[i].link), .events = POLLIN};
		}
		poll(p, (nfds_t)links, 100);
		for (int i = 0; i < links; i++) {
			size_t riding = runners[i].n_acks;

			if (p[i].revents && runner_end(&runners[i], false) >= 0)
				acked += (int)riding;
		}
		if (holder && clock_mono_ms() - heard > ALIVE_MS) {
			runner_step(holder, 0, true);
			heard = clock_mono_ms();
		}
	}
	for (int i = 0; i < links; i++)
		while (runners[i].under_way)
			runner_end(&runners[i], false);
}

static void measure_drain(
        const struct server *s, struct queue *q, const char *fsync, int links, int batch, int total, int shards, struct runner *holder)
{
	struct runner *runners = mem_array(LINKS_MAX, sizeof(*runners));
	double cpu, seconds;
	int64_t start;

	submit_jobs(q, total);
	for (int i = 0; i < links; i++)
		runner_open(&runners[i], s, i, i % shards);
	cpu = server_cpu_us(s);
	start = clock_mono_us();
	drain(runners, links, batch, total, holder);
	seconds = (double)(clock_mono_us() - start) / 1e6;
	printf("drain   fsync %-8s links %d batch %-4d %s %8.0f jobs/s   Redis CPU %5.1f us/job\n", fsync, links, batch,
	        holder ? "10k in flight" : "             ", total / seconds, (server_cpu_us(s) - cpu) / total);
	for (int i = 0; i < links; i++)
		queue_link_close(&runners[i].link);
	mem_free(&runners);
}

/* ---- memory, submission, pick-up -------------------------------------------------------------------------------------------- */

static void measure_waiting(const struct server *s, struct queue *q, const char *fsync, int n)
{
	double before = server_info(s, "used_memory"), cpu = server_cpu_us(s), seconds;
	int64_t start = clock_mono_us();

	submit_jobs(q, n);
	seconds = (double)(clock_mono_us() - start) / 1e6;
	printf("submit  fsync %-8s batch %d: %8.0f jobs/s   Redis CPU %5.1f us/job   %.0f bytes for each waiting job\n", fsync,
	        QUEUE_BATCH_MAX, n / seconds, (server_cpu_us(s) - cpu) / n, (server_info(s, "used_memory") - before) / n);
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int64_t pick_up_once(struct queue *q, struct runner *r)
{
	struct err e;
	int64_t start;
	int got;

	must(queue_link_wait_begin(r->link, 5000, &e), &e);
	clock_sleep_ms(1); /* until it really waits */
	start = clock_mono_us();
	submit_jobs(q, 1);
	while (!(got = queue_link_wait_end(r->link, &e))) {
		struct pollfd p = {.fd = queue_link_wait_fd(r->link), .events = POLLIN};

		poll(&p, 1, 100);
	}
	must(got == 1, &e);
	return runner_step(r, 1, false) == 1 ? clock_mono_us() - start : -1;
}

static void measure_pick_up(const struct server *s, struct queue *q, const char *fsync)
{
	int64_t *us = mem_array(PICK_UPS, sizeof(*us));
	struct runner *r = mem_new(sizeof(*r));

	runner_open(r, s, 0, 0);
	for (int i = 0; i < PICK_UPS; i++) {
		us[i] = pick_up_once(q, r);
		if (us[i] < 0)
			die("a job was not there to be picked up");
		runner_step(r, 0, false);
	}
	qsort(us, PICK_UPS, sizeof(*us), by_value);
	printf("pick-up fsync %-8s p50 %lld us  p95 %lld us  p99 %lld us  max %lld us (submit call -> claim in hand, idle queue)\n", fsync,
	        (long long)us[PICK_UPS / 2], (long long)us[PICK_UPS * 95 / 100], (long long)us[PICK_UPS * 99 / 100],
	        (long long)us[PICK_UPS - 1]);
	queue_link_close(&r->link);
	mem_free(&r);
	mem_free(&us);
}

/* Jobs in flight are held by a worker of their own; then as many again are drained beside them. */
static void measure_in_flight(const struct server *s, struct queue *q, const char *fsync, int total)
{
	struct runner *holder = mem_new(sizeof(*holder));

	runner_open(holder, s, 99, 0);
	submit_jobs(q, IN_FLIGHT);
	for (int n = 0; n < IN_FLIGHT;)
		n += runner_step(holder, IN_FLIGHT - n < QUEUE_BATCH_MAX ? IN_FLIGHT - n : QUEUE_BATCH_MAX, true);
	measure_drain(s, q, fsync, 2, 64, total, 1, holder);
	queue_link_close(&holder->link);
	mem_free(&holder);
}

static int number_of(const char *name, int fallback)
{
	int64_t v = fallback;

	if (getenv(name) && !str_int(getenv(name), 1, 10000000, &v))
		die("BENCH_JOBS, BENCH_WAITING and BENCH_SHARDS are numbers from 1 to 10000000");
	return (int)v;
}

/* A link for each shard. On one server shards cost and bring nothing; they are for clusters. What is left in shard 0 is drained too. */
static void measure_shards(const struct server *s, struct queue *q, const char *fsync, int total)
{
	struct queue_shards now;
	struct err e;
	int shards = number_of("BENCH_SHARDS", 4);

	if (shards > LINKS_MAX)
		die("BENCH_SHARDS is 1 to 8");
	must(queue_set_shards(q, QUEUE, shards, &now, &e), &e);
	printf("over %d shards:\n", shards);
	measure_drain(s, q, fsync, shards, 64, total, shards, NULL);
}

static void measure_all(const char *fsync, int jobs, int waiting)
{
	static const struct {
		int links, batch, part; /* part: of the jobs, since small batches take long */
	} drains[] = {{1, 1, 10}, {1, 16, 2}, {1, 64, 1}, {1, 256, 1}, {2, 64, 1}, {4, 64, 1}, {4, 16, 1}};
	struct server s;
	struct queue *q;
	struct err e;

	server_start(&s, fsync);
	q = queue_open(s.url, NULL, &e);
	must(q != NULL, &e);
	measure_pick_up(&s, q, fsync);
	for (size_t i = 0; i < ARRAY_LEN(drains); i++)
		measure_drain(&s, q, fsync, drains[i].links, drains[i].batch, jobs / drains[i].part, 1, NULL);
	measure_in_flight(&s, q, fsync, jobs);
	measure_waiting(&s, q, fsync, waiting);
	printf("with %d more waiting:\n", waiting);
	measure_drain(&s, q, fsync, 2, 64, jobs, 1, NULL);
	measure_shards(&s, q, fsync, jobs);
	queue_close(&q);
	server_stop(&s);
}

int main(int argc, char **argv)
{
	int jobs = number_of("BENCH_JOBS", 100000), waiting = number_of("BENCH_WAITING", 200000);

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1) {
		measure_all(argv[1], jobs, waiting);
		return 0;
	}
	measure_all("off", jobs, waiting);
	measure_all("always", jobs, waiting);
	return 0;
}
