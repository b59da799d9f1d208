/* test_chaos.c -- kill -9 of random slots and dispatchers every 100 ms, and of Redis once: is any job lost, or ended twice?
 *
 * Every execution appends a line to a file; the queue counts the ends that it accepted; its audit checks that each job stands in
 * exactly one place. CHAOS_JOBS (2000) and CHAOS_SECONDS (12) make it as long as you like, with CK_TIMEOUT_MULTIPLIER=20:
 *
 *     CHAOS_JOBS=20000 CHAOS_SECONDS=60 CK_TIMEOUT_MULTIPLIER=20 build/asan/tests/e2e/test_chaos
 */
#include <stdlib.h>

#include "base/digest.h"
#include "tests/flow/worker_rig.h"

#define WORKERS      3
#define KILL_MS      100
#define WATCHES      64
#define RECOVERED_MS 6000
#define LONG_MS      400 /* a slot lives 700 ms here: much longer jobs would hardly ever end, and fill every slot */
#define TOOK_MAX     4096

/* A job that a dispatcher ran when it was killed: when does it run again? */
struct watch {
	char id[JOB_ID];
	int64_t fence, killed_ms;
};

struct chaos {
	struct rig rig;
	int64_t jobs, seconds, submitted;
	char (*ids)[JOB_ID];
	char effects[400];
	int generation, lives[WORKERS]; /* which life each worker is in */
	int slot_kills, dispatcher_kills, redis_kills;
	int64_t redis_ms; /* when Redis came back last */
	struct watch watches[WATCHES];
	int n_watches, n_took;
	int64_t took[TOOK_MAX]; /* how long each recovery took */
	unsigned short chance[3];
};

static int64_t wanted(const char *name, int64_t usual)
{
	int64_t n;
	const char *text = getenv(name);
	return text != NULL && str_int(text, 1, 10000000, &n) ? n : usual;
}

static bool dice(struct chaos *c, double p)
{
	return erand48(c->chance) < p;
}

/* Each life of a worker has its own name, so that a job tells whose it is. */
static void worker_name(char out[64], int worker, int generation)
{
	snprintf(out, 64, "WORKER_NAME=chaos-%d-%d", worker, generation);
}

static void worker_start(struct chaos *c, int i)
{
	char name[64];
	c->lives[i] = c->generation++;
	worker_name(name, i, c->lives[i]);
	rig_worker(&c->rig, i, (const char *[]){"WORKER_SLOTS=2", "LOG_LEVEL=error", name, NULL});
}

static void submit_some(struct chaos *c, int64_t upto)
{
	char params[600];
	for (; c->submitted < upto && c->submitted < c->jobs; c->submitted++) {
		int sleep_ms = c->submitted % 100 == 0 ? LONG_MS : (int)(c->submitted % 7) * 3;
		struct queue_submission s = {.kind = "noop",
		        .queue = "default",
		        .params = params,
		        .priority = 5,
		        .kind_version = 1,
		        .max_attempts = 3,
		        .max_crashes = 1000000};
		struct queue_submitted out;
		snprintf(params, sizeof(params), "{\"sleep_ms\":%d,\"effect\":\"%s\"}", sleep_ms, c->effects);
		while (!queue_submit(c->rig.queue, &s, 1, &out, &c->rig.e))
			clock_sleep_ms(20);
		memcpy(c->ids[c->submitted], s.id, JOB_ID);
	}
}

/* ---- killing */

static void watch_one(struct chaos *c, const char *worker)
{
	static struct job jobs[64];
	char next[64], long_params[32];
	snprintf(long_params, sizeof(long_params), "{\"sleep_ms\":%d,", LONG_MS);
	int n = queue_list(c->rig.queue, "default", NULL, JOB_RUNNING, "", 64, jobs, next, &c->rig.e);
	for (int i = 0; i < n; i++) {
		bool is_its = str_eq(jobs[i].worker, worker) && str_starts(jobs[i].params, long_params);
		if (is_its && c->n_watches < WATCHES) {
			struct watch *w = &c->watches[c->n_watches++];
			memcpy(w->id, jobs[i].id, sizeof(w->id));
			w->fence = jobs[i].fence;
			w->killed_ms = 0;
		}
		job_close(&jobs[i]);
	}
}

static void kill_dispatcher(struct chaos *c)
{
	int i = (int)(erand48(c->chance) * WORKERS), before = c->n_watches;
	char name[64];
	worker_name(name, i, c->lives[i]);
	watch_one(c, name + sizeof("WORKER_NAME=") - 1);
	test_kill(c->rig.workers[i], SIGKILL);
	for (int w = before; w < c->n_watches; w++)
		c->watches[w].killed_ms = clock_mono_ms();
	c->dispatcher_kills++;
	worker_start(c, i);
}

static void kill_slot(struct chaos *c)
{
	pid_t pid = rig_slot(&c->rig, (int)(erand48(c->chance) * WORKERS));
	if (pid > 0 && kill(pid, SIGKILL) == 0)
		c->slot_kills++;
}

static void kill_redis(struct chaos *c)
{
	test_redis_kill(&c->rig.redis);
	clock_sleep_ms(300);
	test_redis_again(&c->rig.redis);
	c->redis_kills++;
	c->redis_ms = clock_mono_ms();
}

/* Has it been claimed again? Whoever was caught by the death of Redis tells nothing about that of its dispatcher. */
static bool watch_settled(struct chaos *c, const struct watch *w)
{
	struct job j;
	if (queue_show(c->rig.queue, w->id, &j, &c->rig.e) != 1)
		return false;
	bool again = j.fence != w->fence, over = job_state_is_end(j.state);
	job_close(&j);
	int64_t took = clock_mono_ms() - w->killed_ms;
	if (again && c->redis_ms < w->killed_ms && c->n_took < TOOK_MAX)
		c->took[c->n_took++] = took;
	return again || over;
}

static void watches_look(struct chaos *c)
{
	int kept = 0;
	for (int i = 0; i < c->n_watches; i++)
		if (!watch_settled(c, &c->watches[i]))
			c->watches[kept++] = c->watches[i];
	c->n_watches = kept;
}

static void rage(struct chaos *c)
{
	int64_t began = clock_mono_ms(), span = c->seconds * 1000, kill_at = began, now;
	while ((now = clock_mono_ms()) - began < span) {
		submit_some(c, c->jobs * (now - began + span / 10) / span);
		watches_look(c);
		if (c->redis_kills == 0 && now - began > span / 2)
			kill_redis(c);
		if (now >= kill_at) {
			kill_at = now + KILL_MS;
			if (dice(c, 0.15))
				kill_dispatcher(c);
			else
				kill_slot(c);
		}
		clock_sleep_ms(5);
	}
	submit_some(c, c->jobs);
}

/* ---- the reckoning */

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Lines "id fence": how many in all, and how many are there twice (one claim ran twice). */
static int64_t executions(struct chaos *c, int64_t *twice_out)
{
	size_t len, n = 0;
	char *text = test_read_file(c->effects, &len), *rest = text;
	char **lines = mem_array(len / 10 + 1, sizeof(*lines));
	*twice_out = 0;
	for (char *line; (line = strsep(&rest, "\n")) != NULL;)
		if (*line != '\0')
			lines[n++] = line;
	qsort(lines, n, sizeof(*lines), compare);
	for (size_t i = 1; i < n; i++)
		*twice_out += strcmp(lines[i - 1], lines[i]) == 0;
	mem_free(&lines);
	mem_free(&text);
	return (int64_t)n;
}

static int compare_took(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

/* The figure below which this part of all recoveries lies; 0 where there was none. */
static int64_t quantile(const struct chaos *c, double part)
{
	return c->n_took == 0 ? 0 : c->took[(int)((c->n_took - 1) * part)];
}

static bool all_ended(void *user)
{
	struct chaos *c = user;
	struct queue_counts q[4];
	int n = queue_counts(c->rig.queue, q, ARRAY_LEN(q), &c->rig.e);
	watches_look(c);
	for (int i = 0; i < n; i++)
		if (str_eq(q[i].queue, "default"))
			return q[i].ready + q[i].scheduled + q[i].running + q[i].waiting == 0;
	return false;
}

static int64_t lost(struct chaos *c)
{
	int64_t n = 0;
	for (int64_t i = 0; i < c->jobs; i++) {
		struct job j;
		int got = queue_show(c->rig.queue, c->ids[i], &j, &c->rig.e);
		n += got != 1 || j.state != JOB_SUCCEEDED;
		if (got == 1)
			job_close(&j);
	}
	return n;
}

static void reckon(struct chaos *c)
{
	int64_t twice, ran, gone;
	int64_t began = clock_mono_ms();
	bool ended = test_until((int)(c->seconds * 1000) + 30000, all_ended, c);
	ran = executions(c, &twice);
	gone = lost(c);
	printf("chaos: %lld jobs; kill -9 of %d slots, %d dispatchers, %d Redis; %lld executions; lost %lld; one claim run twice %lld\n",
	        (long long)c->jobs, c->slot_kills, c->dispatcher_kills, c->redis_kills, (long long)ran, (long long)gone, (long long)twice);
	qsort(c->took, (size_t)c->n_took, sizeof(c->took[0]), compare_took);
	printf("chaos: %d jobs of killed dispatchers ran again: median %lld ms, 99 %% %lld ms, worst %lld ms; all ended %lld ms after the last "
	       "kill\n",
	        c->n_took, (long long)quantile(c, 0.5), (long long)quantile(c, 0.99), (long long)quantile(c, 1),
	        (long long)(clock_mono_ms() - began));
	fflush(stdout);
	ck_assert_msg(ended, "jobs were still there long after the last kill");
	ck_assert_int_eq(gone, 0);
	ck_assert_int_eq(twice, 0);
	rig_done_is(&c->rig, c->jobs);
	rig_sound(&c->rig);
	ck_assert_int_lt(quantile(c, 0.99), RECOVERED_MS);
	ck_assert_int_gt(c->slot_kills, 10);
}

START_TEST(nothing_is_lost_and_nothing_ends_twice)
{
	static struct chaos c;
	memset(&c, 0, sizeof(c));
	c.jobs = wanted("CHAOS_JOBS", 2000);
	c.seconds = wanted("CHAOS_SECONDS", 12);
	c.ids = mem_array((size_t)c.jobs, sizeof(*c.ids));
	digest_random(c.chance, sizeof(c.chance));
	printf("chaos: seed %04x%04x%04x\n", c.chance[0], c.chance[1], c.chance[2]);
	snprintf(c.effects, sizeof(c.effects), "%s/effects", test_dir());
	rig_open(&c.rig, "always");
	for (int i = 0; i < WORKERS; i++)
		worker_start(&c, i);
	rage(&c);
	reckon(&c);
	rig_close(&c.rig);
	mem_free(&c.ids);
}
END_TEST

static const TTest *const tests[] = {nothing_is_lost_and_nothing_ends_twice};
TEST_MAIN("chaos", tests)
