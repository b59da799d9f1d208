/* test_process.c -- faults of our own processes: killed slots and dispatchers, crashes at each point, zombies, poison, rolling restarts. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/mem.h"
#include "store/store.h"
#include "tests/chaos/rig.h"

#define SLOTS     "WORKER_SLOTS=2"
#define ORPHAN_MS 1000 /* promised: 100 */

static void workers_start(struct chaos *c, int n)
{
	for (int i = 0; i < n; i++)
		chaos_worker(c, i, (const char *[]){SLOTS, NULL});
}

/* ---- R1 */

START_TEST(R1_slots_are_killed)
{
	static struct chaos c;
	chaos_open(&c, "R1", "kill -9 of a slot", "always", (struct chaos_size){2000, 60, 80, 8});
	c.recovery_limit_ms = 10000;
	workers_start(&c, 3);
	chaos_client_start(&c, 60, 100, 100);
	ck_assert_int_ge(chaos_probe(&c), 0);
	while (chaos_goes_on(&c)) {
		pid_t slots[8];
		int i = chaos_pick(&c, 3), n = chaos_children(c.workers[i], slots, 8, "barque-slot");
		pid_t pid = n > 0 ? slots[chaos_pick(&c, n)] : 0;
		if (pid > 0) {
			HISTORY("kill", NULL, 0, pid);
			kill(pid, SIGKILL);
			chaos_faulted(&c);
		}
		if (c.faults % 20 == 0)
			chaos_probe(&c);
		clock_sleep_ms(20 + chaos_pick(&c, 40));
	}
	chaos_probe(&c);
	chaos_close(&c);
}
END_TEST

/* ---- R2 */

/* How long the children of a dead process lived on; ORPHAN_MS: they still do. */
static int64_t children_gone(const pid_t *pids, int n)
{
	int64_t began = clock_mono_ms();
	while (chaos_alive(pids, n) > 0 && clock_mono_ms() - began < ORPHAN_MS)
		clock_sleep_ms(2);
	return clock_mono_ms() - began;
}

START_TEST(R2_dispatchers_are_killed)
{
	static struct chaos c;
	int64_t slowest = 0;
	chaos_open(&c, "R2", "kill -9 of a dispatcher", "always", (struct chaos_size){1000, 24, 100, 12});
	c.recovery_limit_ms = 10000;
	workers_start(&c, 4);
	chaos_client_start(&c, 60, 50, 400);
	ck_assert_int_ge(chaos_probe(&c), 0);
	while (chaos_goes_on(&c)) {
		pid_t children[16];
		int i = chaos_pick(&c, 4), n = chaos_children(c.workers[i], children, 16, "barque-");
		chaos_worker_kill(&c, i);
		chaos_faulted(&c);
		int64_t took = children_gone(children, n);
		slowest = took > slowest ? took : slowest;
		chaos_worker(&c, i, (const char *[]){SLOTS, NULL});
		if (c.faults % 10 == 0)
			chaos_probe(&c);
		clock_sleep_ms(chaos_pick(&c, 400));
	}
	chaos_probe(&c);
	chaos_remark(&c, "all children gone after at most %lld ms", (long long)slowest);
	chaos_close(&c);
	ck_assert_int_lt(slowest, ORPHAN_MS);
}
END_TEST

/* ---- R3 */

struct point {
	const char *name;
	int most;      /* the passage at which it acts lies in 1 .. most */
	bool is_slots; /* it kills slots, again and again, and the dispatcher lives on */
	int64_t crashes, since_ms;
	bool taken;
};

static int64_t crashes_at(const char *history, const char *point)
{
	char word[80];
	int64_t n = 0;
	snprintf(word, sizeof(word), " kill %s 0 ", point);
	for (const char *at = history; (at = strstr(at, word)) != NULL; at++)
		n++;
	return n;
}

/* Counts them anew; gives the point that was crashed at least often, not one that a worker is at just now. */
static struct point *point_next(struct chaos *c, struct point *points, size_t n)
{
	char *text = test_read_file(c->history, NULL);
	struct point *least = NULL;
	c->faults = 0;
	for (size_t i = 0; i < n; i++) {
		struct point *p = &points[i];
		p->crashes = crashes_at(text, p->name);
		c->faults += p->crashes;
		if (!p->taken && (least == NULL || p->crashes < least->crashes))
			least = p;
	}
	mem_free(&text);
	return least;
}

static int64_t crashes_fewest(const struct point *points, size_t n)
{
	int64_t fewest = points[0].crashes;
	for (size_t i = 1; i < n; i++)
		fewest = points[i].crashes < fewest ? points[i].crashes : fewest;
	return fewest;
}

static void start_at_point(struct chaos *c, int i, struct point *p)
{
	char fail[100];
	snprintf(fail, sizeof(fail), "BARQUE_FAIL=%s:%d:crash", p->name, 1 + chaos_pick(c, p->most));
	chaos_worker(c, i, (const char *[]){SLOTS, fail, NULL});
	p->since_ms = clock_mono_ms();
	p->taken = true;
}

/* A worker is at its point until it died there or, where only its slots die, for a while. True: it may be given another. */
static bool point_over(struct chaos *c, int i, struct point *p)
{
	bool over = clock_mono_ms() - p->since_ms > (p->is_slots ? 700 : 5000);
	if (!over && !chaos_worker_gone(c, i))
		return false;
	if (c->workers[i] > 0)
		chaos_worker_kill(c, i);
	p->taken = false;
	return true;
}

/* No worker is broken for a while: all work must go on now, by those that are sound. */
static void points_heal(struct chaos *c, struct point **at, int n)
{
	for (int i = 0; i < n; i++) {
		if (c->workers[i] > 0)
			chaos_worker_kill(c, i);
		chaos_worker(c, i, (const char *[]){SLOTS, NULL});
		at[i]->since_ms = 0; /* whoever goes on gives it another point */
	}
	chaos_probe(c);
}

START_TEST(R3_a_crash_at_every_point)
{
	static struct chaos c;
	static struct point points[] = {{"step_before_send", 12, false}, {"step_after_send", 12, false}, {"step_after_reply", 12, false},
	        {"claims_before_dispatch", 12, false}, {"claims_after_dispatch", 12, false}, {"acks_after_send", 6, false},
	        {"acks_after_reply", 6, false}, {"renew_before_send", 1, false}, {"renew_after_send", 1, false},
	        {"slot_before_fork", 2, false}, {"slot_after_fork", 1, true}, {"slot_before_run", 3, true}, {"job_before_effect", 3, true},
	        {"slot_after_run", 3, true}, {"slot_before_answer", 3, true}, {"slot_after_answer", 3, true}};
	enum { WORKERS = 3 };
	const size_t n = ARRAY_LEN(points);
	struct point *at[WORKERS];
	chaos_open(&c, "R3", "crash at 16 points of the worker's protocol", "no", (struct chaos_size){200, 1, 150, 25});
	chaos_worker(&c, WORKERS, (const char *[]){SLOTS, NULL}); /* one that lives, so that work goes on */
	chaos_client_start(&c, 60, 40, 1200);
	ck_assert_int_ge(chaos_probe(&c), 0);
	for (int i = 0; i < WORKERS; i++)
		start_at_point(&c, i, at[i] = &points[i]);
	while (clock_mono_ms() < c.until_ms && crashes_fewest(points, n) < c.amount) {
		for (int i = 0; i < WORKERS; i++) {
			if (!point_over(&c, i, at[i]))
				continue;
			start_at_point(&c, i, at[i] = point_next(&c, points, n));
		}
		clock_sleep_ms(5);
		if (chaos_dice(&c) < 0.005)
			points_heal(&c, at, WORKERS);
	}
	points_heal(&c, at, WORKERS);
	point_next(&c, points, n);
	chaos_probe(&c);
	for (size_t i = 0; i < n; i++)
		printf("R3: %lld crashes at %s\n", (long long)points[i].crashes, points[i].name);
	chaos_remark(&c, "each point at least %lld times", (long long)crashes_fewest(points, n));
	chaos_close(&c);
	ck_assert_msg(crashes_fewest(points, n) > 0, "a point was never passed");
}
END_TEST

/* ---- R8 */

/* A writer that is stopped between two writes, while a later claim writes the same series: its second one must be refused. */
static bool stale_write_refused(const char *url, int64_t fence)
{
	struct err e;
	struct bar bars[2];
	struct put_result put;
	struct store_writer mine = {.job = "old", .fence = fence}, later = {.job = "new", .fence = fence + 1};
	int status = -1;
	memset(bars, 0, sizeof(bars));
	for (int i = 0; i < 2; i++)
		bars[i] = (struct bar){.open_time = (fence * 2 + i) * 60000, .close_time = (fence * 2 + i) * 60000 + 59999};
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		struct store *s = store_open(url, &e);
		if (s == NULL || !store_bars_put(s, "AAAUSDT", INTERVAL_1m, &bars[0], 1, PUT_OVERWRITE, &mine, &put, &e))
			_exit(2);
		raise(SIGSTOP);
		_exit(store_bars_put(s, "AAAUSDT", INTERVAL_1m, &bars[1], 1, PUT_OVERWRITE, &mine, &put, &e) ? 3
		        : e.code == ERR_STALE                                                                ? 0
		                                                                                             : 4);
	}
	if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
		return false;
	struct store *s = store_open(url, &e);
	bool ok = s != NULL && store_bars_put(s, "AAAUSDT", INTERVAL_1m, &bars[1], 1, PUT_OVERWRITE, &later, &put, &e);
	store_close(&s);
	kill(pid, SIGCONT);
	return waitpid(pid, &status, 0) == pid && ok && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void tree_signal(pid_t worker, int signal, bool with_slots)
{
	pid_t slots[16];
	int n = with_slots ? chaos_children(worker, slots, 16, "barque-slot") : 0;
	kill(worker, signal);
	for (int i = 0; i < n; i++)
		kill(slots[i], signal);
}

START_TEST(R8_the_dead_come_back)
{
	static struct chaos c;
	enum { WORKERS = 5 };
	int64_t refused = 0, tried = 0;
	char url[300];
	chaos_open(&c, "R8", "SIGSTOP of dispatcher or worker beyond its lease, SIGCONT", "no", (struct chaos_size){1000, 4, 100, 12});
	c.must_reject = true;
	for (int i = 0; i < WORKERS; i++)
		chaos_worker(&c, i, (const char *[]){"WORKER_SLOTS=4", "WORKER_LEASE=1000", NULL});
	chaos_client_start(&c, 150, 4, 1500);
	ck_assert_int_ge(chaos_probe(&c), 0);
	while (chaos_goes_on(&c)) {
		/* All but one are stopped; of every second one the slots go on and finish what is no longer theirs. */
		int spared = chaos_pick(&c, WORKERS);
		for (int i = 0; i < WORKERS; i++)
			if (i != spared)
				tree_signal(c.workers[i], SIGSTOP, (i + c.faults / 4) % 2 == 0);
		/* They come back while others run what was theirs, or after that. */
		clock_sleep_ms(3600 + chaos_pick(&c, 2500));
		for (int i = 0; i < WORKERS; i++) {
			if (i == spared)
				continue;
			tree_signal(c.workers[i], SIGCONT, true);
			chaos_faulted(&c);
		}
		chaos_probe(&c);
		clock_sleep_ms(300);
	}
	snprintf(url, sizeof(url), "sqlite:%s/stale", test_dir());
	for (int64_t most = chaos_is_short() ? 10 : 200; tried < most; tried++)
		refused += stale_write_refused(url, 100 + tried);
	chaos_remark(&c, "stale writes refused by the store: %lld of %lld", (long long)refused, (long long)tried);
	chaos_close(&c);
	ck_assert_int_eq(refused, tried);
}
END_TEST

/* ---- R11 */

static const struct {
	const char *what, *params;
	enum job_state state;
} poisons[] = {
        {"SIGSEGV", "{\"crash\":11}", JOB_DEAD},
        {"memory", "{\"eat_mb\":300,\"sleep_ms\":1800}", JOB_DEAD},
        {"endless loop", "{\"spin\":true}", JOB_DEAD},
        {"deaf to SIGTERM", "{\"spin\":true}", JOB_CANCELLED},
};

static bool poison_ends(struct chaos *c, const char *id, enum job_state wanted)
{
	struct job j;
	if (!chaos_wait(c, id, 60000, &j))
		return false;
	bool ok = j.state == wanted && (wanted != JOB_DEAD || (j.crashes == 2 && j.error.code == ERR_CRASHED));
	if (!ok)
		printf("R11: %s is %s after %d crashes: %s\n", id, job_state_name(j.state), j.crashes, j.error.text);
	job_close(&j);
	return ok;
}

START_TEST(R11_poison)
{
	static struct chaos c;
	enum { AT_ONCE = 8 };
	int64_t settled = 0;
	chaos_open(&c, "R11", "poison: SIGSEGV, memory, endless loop, deaf to SIGTERM", "no", (struct chaos_size){400, 16, 80, 15});
	for (int i = 0; i < 3; i++)
		chaos_worker(&c, i,
		        (const char *[]){"WORKER_SLOTS=4", "BARQUE_LIMITS=2500:2700", "WORKER_GRACE=200ms", "WORKER_MAX_RSS=150m", NULL});
	chaos_client_start(&c, 30, 100, 100);
	ck_assert_int_ge(chaos_probe(&c), 0);
	while (chaos_goes_on(&c)) {
		char ids[AT_ONCE][JOB_ID];
		enum job_state ignored;
		for (int i = 0; i < AT_ONCE; i++) {
			chaos_submit(&c, ids[i], poisons[i % 4].params, 4, 1, true);
			chaos_faulted(&c);
		}
		clock_sleep_ms(300);
		for (int i = 0; i < AT_ONCE; i++)
			if (poisons[i % 4].state == JOB_CANCELLED)
				ck_assert_int_eq(queue_cancel(c.queue, ids[i], &ignored, &c.e), 1);
		for (int i = 0; i < AT_ONCE; i++)
			settled += poison_ends(&c, ids[i], poisons[i % 4].state);
		chaos_probe(&c);
	}
	chaos_remark(&c, "%lld of %lld put aside at the second crash, or killed when cancelled", (long long)settled, (long long)c.faults);
	chaos_close(&c);
	ck_assert_int_eq(settled, c.faults);
}
END_TEST

/* ---- R12 */

/* Has this worker's dispatcher noted anything yet? A worker that is replaced before it began to work proves little. */
static bool works(struct chaos *c, int i)
{
	char end[40];
	snprintf(end, sizeof(end), " %d %d\n", (int)c->workers[i], (int)getpid());
	char *text = test_read_file(c->history, NULL);
	bool found = strstr(text, end) != NULL;
	mem_free(&text);
	return found;
}

static bool libraries_are_two(const struct chaos *c)
{
	char answer[4000];
	return test_redis_say(c->redis.port, "FUNCTION LIST LIBRARYNAME barque_next", answer, sizeof(answer)) &&
	       strstr(answer, "barque_next") != NULL;
}

START_TEST(R12_workers_are_replaced_one_by_one)
{
	static struct chaos c;
	enum { WORKERS = 3 };
	int64_t clean = 0;
	chaos_open(
	        &c, "R12", "rolling restart: SIGTERM, drain, next; two function libraries", "always", (struct chaos_size){150, 9, 45, 10});
	workers_start(&c, WORKERS);
	chaos_client_start(&c, 60, 100, 300);
	ck_assert_int_ge(chaos_probe(&c), 0);
	while (chaos_goes_on(&c)) {
		int i = (int)(c.faults % WORKERS), status = -1;
		kill(c.workers[i], SIGTERM);
		ck_assert_msg(test_wait(c.workers[i], 30000, &status), "a worker does not drain");
		/* Dead of the signal itself: it had not begun yet, and held nothing. */
		clean += (WIFEXITED(status) && WEXITSTATUS(status) == 0) || (WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
		if (status != 0)
			printf("R12: worker %d ended with status 0x%x\n", i, (unsigned)status);
		chaos_faulted(&c);
		chaos_worker(&c, i, (const char *[]){SLOTS, c.faults % 2 == 0 ? "BARQUE_LIBRARY=barque_next" : NULL, NULL});
		for (int tries = 0; tries < 100 && !works(&c, i); tries++)
			clock_sleep_ms(20);
		chaos_probe(&c);
	}
	bool two = libraries_are_two(&c);
	chaos_remark(&c, "%lld of %lld ended drained; two function libraries mixed", (long long)clean, (long long)c.faults);
	chaos_close(&c);
	ck_assert_int_eq(clean, c.faults);
	ck_assert_msg(two, "only one function library was loaded");
}
END_TEST

static const TTest *const tests[] = {R1_slots_are_killed, R2_dispatchers_are_killed, R3_a_crash_at_every_point, R8_the_dead_come_back,
        R11_poison, R12_workers_are_replaced_one_by_one};
TEST_MAIN("chaos_process", tests)
