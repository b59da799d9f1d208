/* test_server.c -- faults between us and Redis, and of Redis: cut connections, kills, power cuts, fail-over, clocks, full memory and disk. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/mem.h"
#include "tests/chaos/rig.h"
#include "tests/lib/counts.h"

#define SLOTS "WORKER_SLOTS=2"

/* A short lease where ends get lost with the server's memory of them: such a job runs again when its lease is over. */
static void workers_start(struct chaos *c, int n)
{
	for (int i = 0; i < n; i++)
		chaos_worker(c, i, (const char *[]){SLOTS, c->may_lose ? "WORKER_LEASE=2s" : NULL, NULL});
}

/* ---- R4: one worker and the client behind a proxy; whoever wedges is the only one there is, so a probe cannot miss it. */

static bool was_hurt(struct proxy *p, int64_t before, int timeout_ms)
{
	int64_t until = clock_mono_ms() + timeout_ms;
	while (proxy_hurt(p) == before && clock_mono_ms() < until)
		clock_sleep_ms(1);
	return proxy_hurt(p) != before;
}

/* True: a connection was hit. */
static bool connection_fault(struct chaos *c, struct proxy *p, int64_t turn)
{
	static const enum proxy_way slow[] = {PROXY_STALL, PROXY_FREEZE, PROXY_DEAF, PROXY_MUTE, PROXY_REFUSE};
	int64_t before = proxy_hurt(p);
	bool hit = true;
	if (turn % 25 == 24) {
		enum proxy_way way = slow[turn / 25 % (int64_t)ARRAY_LEN(slow)];
		proxy_set(p, way, 0);
		clock_sleep_ms(way == PROXY_STALL ? 2000 : 200);
	} else if (turn % 5 == 4) {
		proxy_set(p, PROXY_LOSE, 0);
		hit = was_hurt(p, before, 1000);
	} else {
		/* n is swept: over the first bytes one by one, then farther and farther into what goes over the line. */
		proxy_set(p, PROXY_RESET, turn % 2 == 0 ? 1 + turn / 2 % 2000 : 1 + chaos_pick(c, 6000));
		hit = was_hurt(p, before, 1000);
	}
	proxy_set(p, PROXY_PASS, 0);
	return hit;
}

static void through_proxy(struct chaos *c, struct proxy *p)
{
	snprintf(c->worker_url, sizeof(c->worker_url), "redis://" TEST_REDIS_USER "@127.0.0.1:%d/0", proxy_port(p));
	snprintf(c->client_url, sizeof(c->client_url), "redis://" TEST_REDIS_USER "@127.0.0.1:%d/0", proxy_port(p));
}

START_TEST(R4_connections_break)
{
	static struct chaos c;
	chaos_open(&c, "R4", "connections: reset at byte n, lost reply, 2 s stall, half open, one-way, refused", "no",
	        (struct chaos_size){5000, 75, 200, 25});
	struct proxy *p = proxy_open(c.redis.port);
	through_proxy(&c, p);
	chaos_worker(&c, 0, (const char *[]){SLOTS, NULL});
	chaos_client_start(&c, 60, 100, 100);
	ck_assert_int_ge(chaos_probe(&c), 0);
	for (int64_t turn = 25 * chaos_pick(&c, 5); chaos_goes_on(&c); turn++) {
		if (connection_fault(&c, p, turn))
			chaos_faulted(&c);
		chaos_probe(&c);
	}
	chaos_close(&c);
	proxy_close(&p);
}
END_TEST

/* ---- R5 */

START_TEST(R5_redis_is_killed)
{
	static struct chaos c;
	chaos_open(&c, "R5", "kill -9 of Redis, and started again", "always", (struct chaos_size){300, 8, 90, 12});
	workers_start(&c, 3);
	chaos_client_start(&c, 60, 100, 100);
	ck_assert_int_ge(chaos_probe(&c), 0);
	while (chaos_goes_on(&c)) {
		clock_sleep_ms(50 + chaos_pick(&c, 150));
		chaos_faulted(&c);
		test_redis_kill(&c.redis);
		clock_sleep_ms(chaos_pick(&c, 300));
		test_redis_again(&c.redis);
		chaos_probe(&c);
	}
	chaos_close(&c);
}
END_TEST

/* ---- R6 */

static void shim_env(char preload[300], char log[400], char full[400])
{
	snprintf(preload, 300, "LD_PRELOAD=%s", test_program("tests/chaos/shim_fsync.so"));
	snprintf(log, 400, "SHIM_FSYNC=%s/synced", test_dir());
	snprintf(full, 400, "SHIM_FULL=%s/full", test_dir());
}

/* The size noted last for this file; -1: it was never synchronised. */
static int64_t synced_size(const char *log, const char *path)
{
	char word[800];
	int64_t size = -1;
	snprintf(word, sizeof(word), " %s\n", path);
	for (const char *at = log; (at = strstr(at, word)) != NULL; at++) {
		const char *line = at;
		while (line > log && line[-1] != '\n')
			line--;
		size = atoll(line);
	}
	return size;
}

/* What was written and not synchronised is gone. Returns how many bytes. */
static int64_t power_cut(const struct chaos *c)
{
	char dir[400], log_path[400];
	int64_t cut = 0;
	size_t len;
	snprintf(dir, sizeof(dir), "%s/appendonlydir", c->redis.dir);
	snprintf(log_path, sizeof(log_path), "%s/synced", test_dir());
	char *log = test_read_file(log_path, &len);
	DIR *d = opendir(dir);
	ck_assert_msg(d != NULL, "%s: %s", dir, strerror(errno));
	for (struct dirent *entry; (entry = readdir(d)) != NULL;) {
		char path[700];
		struct stat st;
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		if (!str_ends(path, ".incr.aof") || stat(path, &st) != 0)
			continue;
		int64_t size = synced_size(log, path);
		size = size < 0 ? 0 : size;
		if (size < st.st_size) {
			cut += st.st_size - size;
			ck_assert_int_eq(truncate(path, size), 0);
		}
	}
	closedir(d);
	mem_free(&log);
	ck_assert_int_eq(truncate(log_path, 0), 0);
	return cut;
}

static void power_cuts(struct chaos *c, const char *row, const char *fault, const char *appendfsync, struct chaos_size size, int up_ms)
{
	char preload[300], log[400], full[400];
	int64_t cut = 0;
	shim_env(preload, log, full);
	test_redis_start_with(&c->redis, appendfsync, NULL, (const char *[]){preload, log, NULL});
	chaos_open(c, row, fault, appendfsync, size);
	workers_start(c, 3);
	chaos_client_start(c, 60, 100, 100);
	ck_assert_int_ge(chaos_probe(c), 0);
	while (chaos_goes_on(c)) {
		clock_sleep_ms(up_ms / 2 + chaos_pick(c, up_ms));
		chaos_faulted(c);
		test_redis_kill(&c->redis);
		cut += power_cut(c);
		test_redis_again(&c->redis);
		chaos_probe(c);
	}
	chaos_remark(c, "%lld bytes were not on disk", (long long)cut);
	chaos_close(c);
	ck_assert_msg(!str_eq(appendfsync, "everysec") || cut > 0, "the power cuts cut nothing");
}

START_TEST(R6_power_cut_always)
{
	static struct chaos c;
	power_cuts(&c, "R6", "power cut, `appendfsync always`", "always", (struct chaos_size){300, 8, 90, 12}, 100);
}
END_TEST

START_TEST(R6_power_cut_everysec)
{
	static struct chaos c;
	c.may_lose = true;
	power_cuts(&c, "R6e", "power cut, `appendfsync everysec`", "everysec", (struct chaos_size){100, 3, 60, 12}, 800);
}
END_TEST

/* ---- R7 */

static bool is_in_sync(void *user)
{
	char text[8000];
	return test_redis_say(*(int *)user, "INFO replication", text, sizeof(text)) && strstr(text, "master_link_status:up") != NULL;
}

static void replica_start(struct test_redis *r, int master_port)
{
	char port[16];
	snprintf(port, sizeof(port), "%d", master_port);
	test_redis_start_with(r, "no", (const char *[]){"--repl-diskless-sync-delay", "0", "--replicaof", "127.0.0.1", port, NULL}, NULL);
	ck_assert_msg(test_until(20000, is_in_sync, &r->port), "a replica does not follow its master");
}

/* Kill the master, promote the replica, lead all connections there. With lag the replica has not heard the last of it. */
static void fail_over(struct chaos *c, struct proxy *p, struct test_redis *replica, int lag_ms)
{
	char answer[100];
	if (lag_ms > 0) {
		kill(replica->pid, SIGSTOP);
		clock_sleep_ms(lag_ms);
	}
	chaos_faulted(c);
	test_redis_kill(&c->redis);
	kill(replica->pid, SIGCONT);
	ck_assert(test_redis_say(replica->port, "REPLICAOF NO ONE", answer, sizeof(answer)) && str_starts(answer, "+OK"));
	proxy_target(p, replica->port);
	proxy_set(p, PROXY_REFUSE, 0);
	proxy_set(p, PROXY_PASS, 0);
	c->redis = *replica;
	chaos_probe(c);
	replica_start(replica, c->redis.port);
}

static void fail_overs(struct chaos *c, const char *row, const char *fault, int lag_ms, struct chaos_size size)
{
	struct test_redis replica;
	test_redis_start_with(&c->redis, "no", (const char *[]){"--repl-diskless-sync-delay", "0", NULL}, NULL);
	struct proxy *p = proxy_open(c->redis.port);
	snprintf(c->redis.url, sizeof(c->redis.url), "redis://" TEST_REDIS_USER "@127.0.0.1:%d/0",
	        proxy_port(p)); /* also what the rig itself asks */
	chaos_open(c, row, fault, "no", size);
	replica_start(&replica, c->redis.port);
	workers_start(c, 3);
	chaos_client_start(c, 60, 100, 100);
	ck_assert_int_ge(chaos_probe(c), 0);
	while (chaos_goes_on(c)) {
		clock_sleep_ms(50 + chaos_pick(c, 200));
		fail_over(c, p, &replica, lag_ms > 0 ? lag_ms / 2 + chaos_pick(c, lag_ms) : 0);
	}
	test_redis_stop(&replica);
	chaos_close(c);
	proxy_close(&p);
}

START_TEST(R7_fail_over)
{
	static struct chaos c;
	c.may_lose = true;
	fail_overs(&c, "R7", "master killed, replica promoted by hand", 0, (struct chaos_size){200, 4, 45, 12});
}
END_TEST

START_TEST(R7_fail_over_with_lag_and_wait)
{
	static struct chaos c;
	c.may_lose = true;
	c.wait_replicas = 1;
	fail_overs(&c, "R7w", "the same, and submissions wait for the replica", 1000, (struct chaos_size){200, 2, 45, 12});
}
END_TEST

START_TEST(R7_fail_over_with_lag)
{
	static struct chaos c;
	c.may_lose = true;
	fail_overs(&c, "R7l", "the same, the replica 0.5 to 1.5 s behind", 1000, (struct chaos_size){200, 2, 45, 12});
}
END_TEST

/* Sentinels begin no other fail-over of a master within twice their failover-timeout. */
#define SENTINEL_REST_MS 8500

static bool is_master(void *user)
{
	char text[100];
	return test_redis_say(*(int *)user, "ROLE", text, sizeof(text)) && strstr(text, "master") != NULL;
}

/* Nobody is told but the sentinels: workers and clients find the new master by themselves. */
static void sentinels_fail_over(struct chaos *c, struct test_redis *replica)
{
	char url[sizeof(c->redis.url)];
	snprintf(url, sizeof(url), "%s", c->redis.url);
	chaos_faulted(c);
	test_redis_kill(&c->redis);
	ck_assert_msg(test_until(30000, is_master, &replica->port), "the sentinels promoted nobody");
	c->redis = *replica;
	snprintf(c->redis.url, sizeof(c->redis.url), "%s", url);
	replica_start(replica, c->redis.port);
	chaos_probe(c);
}

START_TEST(R7_sentinels_fail_over)
{
	static struct chaos c;
	static struct test_sentinels s;
	test_sentinels_start(&s, "no");
	test_redis_tell(s.replica.port, "CONFIG SET repl-diskless-sync-delay 0"); /* when it is the master, the next one follows at once */
	c.redis = s.master;
	ck_assert(str_copy(c.redis.url, sizeof(c.redis.url), s.url));
	c.may_lose = true;
	c.wait_replicas = 1;
	chaos_open(&c, "R7s", "master killed, real sentinels promote its replica, submissions wait for it", "no",
	        (struct chaos_size){200, 1, 90, 12});
	workers_start(&c, 3);
	chaos_client_start(&c, 60, 100, 100);
	ck_assert_int_ge(chaos_probe(&c), 0);
	while (chaos_goes_on(&c)) {
		clock_sleep_ms(chaos_is_short() ? 1500 : SENTINEL_REST_MS + chaos_pick(&c, 1000));
		sentinels_fail_over(&c, &s.replica);
	}
	chaos_close(&c);
	test_redis_stop(&s.replica);
	for (size_t i = 0; i < ARRAY_LEN(s.sentinels); i++)
		test_kill(s.sentinels[i].pid, SIGTERM);
}
END_TEST

/* ---- R9 */

#define HOUR_MS INT64_C(3600000)

static volatile int64_t *clock_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_msg(fd >= 0 && ftruncate(fd, sizeof(int64_t)) == 0, "%s: %s", path, strerror(errno));
	void *at = mmap(NULL, sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	ck_assert(at != MAP_FAILED);
	return at;
}

static void worker_with_clock(struct chaos *c, int i, const char *name)
{
	char preload[300], file[400], asan[300];
	const char *usual = getenv("ASAN_OPTIONS");
	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", test_program("tests/chaos/shim_clock.so"));
	snprintf(file, sizeof(file), "SHIM_CLOCK=%s/clock-%d", test_dir(), i);
	snprintf(asan, sizeof(asan), "ASAN_OPTIONS=%s:verify_asan_link_order=0", usual != NULL ? usual : "");
	chaos_worker(c, i, (const char *[]){SLOTS, preload, file, asan, name, NULL});
}

/* A delayed job must start neither before it is due nor long after; by Redis' clock, which does not jump. */
static bool is_punctual(struct chaos *c, int64_t delay_ms)
{
	struct job j;
	struct queue_submitted out;
	struct queue_submission s = {.kind = "noop", .queue = "default", .kind_version = 1, .max_attempts = 1, .delay_ms = delay_ms};
	job_id_make(s.id, "default", 0, clock_now_ms(), (uint64_t)(chaos_dice(c) * 1e15));
	HISTORY("attempt", s.id, 0, 0);
	ck_assert_msg(queue_submit(c->queue, &s, 1, &out, &c->e), "%s", c->e.text);
	HISTORY("accept", s.id, 0, 0);
	if (!chaos_wait(c, s.id, 15000, &j))
		return false;
	int64_t waited = j.started_at - j.created_at;
	if (waited < delay_ms || waited > delay_ms + 5000)
		printf("R9: a job delayed by %lld ms started after %lld ms\n", (long long)delay_ms, (long long)waited);
	job_close(&j);
	return waited >= delay_ms && waited <= delay_ms + 5000;
}

START_TEST(R9_clocks_jump)
{
	static struct chaos c;
	enum { WORKERS = 3 };
	volatile int64_t *offsets[WORKERS];
	int64_t punctual = 0;
	c.never_again = true;
	chaos_open(&c, "R9", "the wall clock of workers jumps by an hour, back and forth", "no", (struct chaos_size){200, 9, 45, 12});
	for (int i = 0; i < WORKERS; i++) {
		char path[400];
		snprintf(path, sizeof(path), "%s/clock-%d", test_dir(), i);
		offsets[i] = clock_file(path);
		worker_with_clock(&c, i, NULL);
	}
	chaos_client_start(&c, 60, 20, 1500);
	ck_assert_int_ge(chaos_probe(&c), 0);
	while (chaos_goes_on(&c)) {
		for (int i = 0; i < WORKERS; i++) {
			*offsets[i] = *offsets[i] != 0 ? 0 : chaos_dice(&c) < 0.5 ? HOUR_MS : -HOUR_MS;
			chaos_faulted(&c);
		}
		punctual += is_punctual(&c, 300);
		chaos_probe(&c);
	}
	chaos_remark(&c, "%lld of %lld delayed jobs started when due", (long long)punctual, (long long)(c.faults / WORKERS));
	chaos_close(&c);
	ck_assert_int_eq(punctual, c.faults / WORKERS);
}
END_TEST

START_TEST(R9_a_worker_comes_back_with_its_name_and_an_older_clock)
{
	static struct chaos c;
	char path[400];
	chaos_open(&c, "R9n", "a worker is killed and comes back with the same name and its clock an hour back", "no",
	        (struct chaos_size){20, 2, 20, 12});
	snprintf(path, sizeof(path), "%s/clock-0", test_dir());
	volatile int64_t *offset = clock_file(path);
	worker_with_clock(&c, 0, "WORKER_NAME=the-same");
	ck_assert_int_ge(chaos_probe(&c), 0);
	while (chaos_goes_on(&c)) {
		chaos_worker_kill(&c, 0);
		*offset = *offset == 0 ? -HOUR_MS : 0;
		chaos_faulted(&c);
		worker_with_clock(&c, 0, "WORKER_NAME=the-same");
		chaos_probe(&c);
	}
	chaos_close(&c);
}
END_TEST

/* ---- R10 */

static void say(const struct chaos *c, const char *command)
{
	char answer[100];
	ck_assert_msg(
	        test_redis_say(c->redis.port, command, answer, sizeof(answer)) && str_starts(answer, "+OK"), "%s: %s", command, answer);
}

struct room {
	struct chaos *c;
	bool refused, drained;
};

/* Submissions are refused as full, and those from before have all run. */
static bool full_and_idle(void *user)
{
	struct room *r = user;
	struct queue_counts q[8];
	int n = test_counts(r->c->queue, q, ARRAY_LEN(q), &r->c->e);
	for (int i = 0; i < n; i++)
		if (str_eq(q[i].queue, "default"))
			r->drained = q[i].ready + q[i].running == 0;
	return r->drained;
}

static bool is_refused(struct chaos *c)
{
	struct queue_submitted out = {0};
	struct queue_submission s = {.kind = "noop", .queue = "default", .kind_version = 1};
	job_id_make(s.id, "default", 0, clock_now_ms(), (uint64_t)(chaos_dice(c) * 1e15));
	HISTORY("attempt", s.id, 0, 0);
	bool answered = queue_submit(c->queue, &s, 1, &out, &c->e);
	if (answered)
		HISTORY(out.outcome == SUBMIT_NEW ? "accept" : "refuse", s.id, 0, 0);
	return answered && out.outcome == SUBMIT_FULL && out.retry_after_ms > 0;
}

START_TEST(R10_memory_is_full)
{
	static struct chaos c;
	int64_t refused = 0, worked = 0;
	chaos_open(&c, "R10", "Redis' memory is full", "no", (struct chaos_size){50, 4, 30, 12});
	workers_start(&c, 2);
	chaos_client_start(&c, 100, 50, 300);
	ck_assert_int_ge(chaos_probe(&c), 0);
	while (chaos_goes_on(&c)) {
		struct room r = {.c = &c};
		clock_sleep_ms(200);
		chaos_faulted(&c);
		say(&c, "CONFIG SET maxmemory 1mb");
		refused += is_refused(&c);
		worked += test_until(CHAOS_WEDGE_MS, full_and_idle, &r);
		say(&c, "CONFIG SET maxmemory 0");
		chaos_probe(&c);
	}
	chaos_remark(&c, "refused as full %lld times; what was there ran to its end meanwhile %lld times", (long long)refused,
	        (long long)worked);
	chaos_close(&c);
	ck_assert_int_eq(refused, c.faults);
	ck_assert_int_eq(worked, c.faults);
}
END_TEST

/* Under `always` Redis ends itself when its disk is full, and whoever keeps it running starts it until it stays. */
static void disk_full(struct chaos *c, const char *full, bool always)
{
	char answer[100];
	int fd = open(full, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert(fd >= 0);
	close(fd);
	clock_sleep_ms(300 + chaos_pick(c, 900));
	bool refused = !always && test_redis_say(c->redis.port, "SET ballast x", answer, sizeof(answer)) && str_starts(answer, "-MISCONF");
	ck_assert_int_eq(unlink(full), 0);
	if (!always) {
		ck_assert_msg(refused, "Redis did not mind that its disk was full: %s", answer);
		return;
	}
	ck_assert_msg(test_wait(c->redis.pid, 5000, NULL), "Redis did not mind that its disk was full");
	c->redis.pid = 0;
	test_redis_again(&c->redis);
}

static void disk_fills(struct chaos *c, const char *row, const char *fault, const char *appendfsync, struct chaos_size size)
{
	char preload[300], log[400], full[400];
	shim_env(preload, log, full);
	test_redis_start_with(&c->redis, appendfsync, NULL, (const char *[]){preload, full, NULL});
	chaos_open(c, row, fault, appendfsync, size);
	workers_start(c, 2);
	chaos_client_start(c, 60, 50, 200);
	ck_assert_int_ge(chaos_probe(c), 0);
	while (chaos_goes_on(c)) {
		clock_sleep_ms(100 + chaos_pick(c, 300));
		chaos_faulted(c);
		disk_full(c, full + sizeof("SHIM_FULL=") - 1, str_eq(appendfsync, "always"));
		chaos_probe(c);
	}
	chaos_close(c);
}

START_TEST(R10_disk_is_full_always)
{
	static struct chaos c;
	disk_fills(&c, "R10d", "the disk of the AOF is full, `always` (Redis ends itself)", "always", (struct chaos_size){50, 3, 30, 12});
}
END_TEST

START_TEST(R10_disk_is_full_everysec)
{
	static struct chaos c;
	disk_fills(&c, "R10e", "the disk of the AOF is full, `everysec` (MISCONF)", "everysec", (struct chaos_size){50, 3, 40, 12});
}
END_TEST

static const TTest *const tests[] = {R4_connections_break, R5_redis_is_killed, R6_power_cut_always, R6_power_cut_everysec, R7_fail_over,
        R7_fail_over_with_lag, R7_fail_over_with_lag_and_wait, R7_sentinels_fail_over, R9_clocks_jump,
        R9_a_worker_comes_back_with_its_name_and_an_older_clock, R10_memory_is_full, R10_disk_is_full_always, R10_disk_is_full_everysec};
TEST_MAIN("chaos_server", tests)
