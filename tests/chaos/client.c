/* client.c -- the process that submits jobs while faults are made, and does not take a lost answer for a lost job. */
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/failpoint.h"
#include "base/mem.h"
#include "tests/chaos/rig.h"
#include "tests/lib/counts.h"

#define BATCH_MAX  16
#define TIMEOUT_MS 2000
#define STOP_MS    20000

struct chaos_client {
	pid_t pid;
	atomic_bool stop; /* in memory shared with the process */
};

/* What the process itself holds. */
struct client {
	struct chaos *c;
	struct chaos_client *shared;
	struct queue *queue;
	int backlog, every, long_ms;
	int64_t n;
	struct err e;
};

static bool stops(const struct client *k)
{
	return atomic_load(&k->shared->stop);
}

static bool connected(struct client *k)
{
	struct queue_options options = {.timeout_ms = TIMEOUT_MS, .wait_replicas = k->c->wait_replicas};
	if (k->queue == NULL)
		k->queue = queue_open(k->c->client_url, &options, &k->e);
	return k->queue != NULL;
}

static int64_t waiting(struct client *k)
{
	struct queue_counts q[8];
	int n = test_counts(k->queue, q, ARRAY_LEN(q), &k->e);
	for (int i = 0; i < n; i++)
		if (str_eq(q[i].queue, "default"))
			return q[i].ready;
	return 0;
}

static size_t batch_make(struct client *k, struct queue_submission *items, char params[][40])
{
	size_t n = 1 + (size_t)chaos_pick(k->c, BATCH_MAX);
	for (size_t i = 0; i < n; i++) {
		uint64_t chance;
		k->n++;
		snprintf(params[i], 40, "{\"sleep_ms\":%d}", k->n % k->every == 0 ? k->long_ms : (int)(k->n % 7) * 3);
		items[i] = (struct queue_submission){.kind = "noop",
		        .queue = "default",
		        .params = params[i],
		        .priority = 5,
		        .kind_version = 1,
		        .max_attempts = 3,
		        .max_crashes = 1000000,
		        .backoff_ms = 50,
		        .backoff_cap_ms = 200};
		digest_random(&chance, sizeof(chance));
		job_id_make(items[i].id, "default", 0, clock_now_ms(), chance);
		HISTORY("attempt", items[i].id, 0, 0);
	}
	return n;
}

static void batch_send(struct client *k, struct queue_submission *items, size_t n)
{
	struct queue_submitted out[BATCH_MAX];
	while (!queue_submit(k->queue, items, n, out, &k->e)) {
		if (stops(k) || chaos_dice(k->c) < 0.25)
			return; /* it never learns what became of them */
		clock_sleep_ms(10);
	}
	for (size_t i = 0; i < n; i++)
		HISTORY(out[i].outcome == SUBMIT_FULL ? "refuse" : "accept", items[i].id, 0, 0);
}

__attribute__((noreturn)) static void client_main(struct client *k)
{
	struct queue_submission items[BATCH_MAX];
	char params[BATCH_MAX][40];
	while (!stops(k)) {
		if (!connected(k) || waiting(k) > k->backlog) {
			clock_sleep_ms(5);
			continue;
		}
		batch_send(k, items, batch_make(k, items, params));
	}
	queue_close(&k->queue);
	_exit(0);
}

void chaos_client_start(struct chaos *c, int backlog, int every, int long_ms)
{
	pid_t parent = getpid();
	void *shared = mmap(NULL, sizeof(*c->client), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert(shared != MAP_FAILED);
	c->client = shared;
	fflush(NULL);
	pid_t pid = fork();
	ck_assert(pid >= 0);
	if (pid == 0) {
		struct client k = {.c = c, .shared = shared, .backlog = backlog, .every = every, .long_ms = long_ms};
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		close_range(3, ~0U, 0); /* a proxy's connection that this process held open too could not be cut */
		client_main(&k);
	}
	c->client->pid = pid;
}

void chaos_client_stop(struct chaos *c)
{
	int status = -1;
	if (c->client == NULL)
		return;
	atomic_store(&c->client->stop, true);
	bool ended = test_wait(c->client->pid, STOP_MS, &status);
	if (!ended) {
		kill(c->client->pid, SIGKILL);
		waitpid(c->client->pid, NULL, 0);
	}
	ck_assert_msg(ended && status == 0, "the client did not end well: status %d", status);
	munmap(c->client, sizeof(*c->client));
	c->client = NULL;
}
