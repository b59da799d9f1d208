/* bench_count.c -- what the queue costs Redis in instructions for each job: a figure that does not depend on how busy the machine is.
 *
 *     bench_count            redis-server runs under valgrind's callgrind; without valgrind nothing is measured, and it says so
 *
 * BENCH_JOBS (4000) jobs with 200 bytes of parameters are submitted 256 at a time, drained over one link 64 at a time, and taken into the
 * history; then a tenth of them is submitted, claimed and settled one by one. The AOF is off: what it costs depends on the disk.
 */
#include <poll.h>

#include "base/mem.h"
#include "bench/rig.h"
#include "queue/history.h"
#include "queue/queue.h"

#define QUEUE "bench"
#define KIND  "noop"
#define BATCH 64
#define WARM  500

static bool there_is(const char *program)
{
	char command[64];
	snprintf(command, sizeof(command), "command -v %s >/dev/null", program);
	return system(command) == 0;
}

static void server_start(struct rig_redis *r)
{
	char port[16], out[96];
	rig_redis_place(r, port);
	snprintf(out, sizeof(out), "--callgrind-out-file=%s/count", r->dir);
	r->pid = rig_spawn((const char *[]){"valgrind", "-q", "--tool=callgrind", out, "redis-server", "broker-config/redis.conf", "--port",
	                           port, "--dir", r->dir, "--logfile", "redis.log", "--appendonly", "no", NULL},
	        NULL, NULL);
	r->fd = rig_connect(r->port);
}

static void control(const struct rig_redis *r, const char *what)
{
	char command[64];
	snprintf(command, sizeof(command), "callgrind_control %s %d >/dev/null 2>&1", what, (int)r->pid);
	if (system(command) != 0)
		rig_die("callgrind_control does not reach redis-server");
}

/* Write the count down, and begin anew. */
static double counted(const struct rig_redis *r, int number)
{
	char path[128], line[256];
	double n = 0;
	control(r, "-d");
	snprintf(path, sizeof(path), "%s/count.%d", r->dir, number);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "totals: %lf", &n) == 1)
			break;
	if (f)
		fclose(f);
	if (n <= 0)
		rig_die("callgrind has written no count");
	return n;
}

static void submit(struct queue *q, int n, int at_once)
{
	static struct queue_submission items[QUEUE_BATCH_MAX];
	static struct queue_submitted out[QUEUE_BATCH_MAX];
	static char params[201];
	struct err e;
	snprintf(params, sizeof(params), "{\"note\":\"%0189d\"}", 0);
	for (int done = 0; done < n;) {
		int some = n - done < at_once ? n - done : at_once;
		for (int i = 0; i < some; i++)
			items[i] = (struct queue_submission){.queue = QUEUE, .kind = KIND, .params = params, .priority = 5};
		rig_must(queue_submit(q, items, (size_t)some, out, &e), &e);
		done += some;
	}
}

static struct queue_step_reply step(struct queue_link *link, const struct queue_step *s)
{
	struct queue_step_reply reply;
	struct err e;
	int got;
	rig_must(queue_link_step_begin(link, s, &e), &e);
	while (!(got = queue_link_step_end(link, &reply, &e))) {
		struct pollfd p = {.fd = queue_link_fd(link), .events = POLLIN};
		poll(&p, 1, 100);
	}
	rig_must(got == 1, &e);
	return reply;
}

/* What is claimed is done at once, and acknowledged by the next step. */
static void drain(struct queue_link *link, int n, int at_once)
{
	struct queue_ack acks[BATCH];
	struct queue_step s = {.acks = acks, .want = at_once, .lease_ms = 60000};
	for (int left = n; left > 0;) {
		struct queue_step_reply r = step(link, &s);
		left -= (int)s.n_acks;
		s.n_acks = r.n_claims;
		for (size_t i = 0; i < r.n_claims; i++) {
			acks[i] = (struct queue_ack){.fence = r.claims[i].job.fence, .outcome = ACK_DONE};
			memcpy(acks[i].id, r.claims[i].job.id, JOB_ID);
		}
		queue_step_reply_close(&r);
	}
}

/* Returns how many were there. */
static int write_down(struct queue *q)
{
	struct history_writer w = {.name = "bench", .queue = QUEUE, .what = HISTORY_ALL};
	struct history_batch b;
	struct err e;
	int n = 0, looked;
	do {
		rig_must(queue_history_take(q, &w, QUEUE_BATCH_MAX, &b, &e) == 1, &e);
		rig_must(queue_history_drop(q, &w, &b, &e) == 1, &e);
		n += (int)b.n;
		looked = b.looked;
		history_batch_close(&b);
	} while (looked > 0);
	return n;
}

static void say(const char *what, double instructions, int jobs)
{
	printf("%-36s %7.0f instructions of redis-server for each job\n", what, instructions / jobs);
}

static void measure(const struct rig_redis *r, int n)
{
	struct err e;
	struct queue *q = queue_open(r->url, NULL, &e);
	rig_must(q != NULL, &e);
	struct queue_link *link = queue_link_open(r->url, NULL, QUEUE, "bench", (const char *const[]){KIND}, 1, &e);
	rig_must(link != NULL, &e);
	submit(q, WARM, QUEUE_BATCH_MAX);
	drain(link, WARM, BATCH);
	write_down(q);
	control(r, "-z");
	submit(q, n, QUEUE_BATCH_MAX);
	say("submitted, 256 at a time", counted(r, 1), n);
	drain(link, n, BATCH);
	say("claimed and settled, 64 at a time", counted(r, 2), n);
	if (write_down(q) != n)
		rig_die("the history did not get every job");
	say("taken into the history", counted(r, 3), n);
	submit(q, n / 10, 1);
	say("submitted, one by one", counted(r, 4), n / 10);
	drain(link, n / 10, 1);
	say("claimed and settled, one by one", counted(r, 5), n / 10);
	queue_link_close(&link);
	queue_close(&q);
}

int main(void)
{
	struct rig_redis r;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!there_is("valgrind") || !there_is("callgrind_control")) {
		printf("not measured: valgrind is not here (Debian: apt-get install valgrind)\n");
		return 0;
	}
	server_start(&r);
	measure(&r, rig_number("BENCH_JOBS", 4000));
	rig_redis_stop(&r);
	return 0;
}
