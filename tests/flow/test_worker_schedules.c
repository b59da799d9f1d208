/* test_worker_schedules.c -- schedules and delayed jobs with real workers: each runs once and in time, though a worker is killed or breaks off. */
#include "queue/driver.h"
#include "queue/schedule.h"
#include "tests/flow/worker_rig.h"

#define EVERY_MS 200

static void make(struct rig *r, int64_t every_ms, bool overlap_skip, const char *params)
{
	struct queue_schedule s = {.name = "s",
	        .kind = "noop",
	        .queue = "default",
	        .every_ms = every_ms,
	        .overlap_skip = overlap_skip,
	        .priority = 5,
	        .kind_version = 1,
	        .max_attempts = 3,
	        .params = mem_strdup(params)};
	ck_assert_msg(queue_schedule_put(r->queue, &s, 0, &r->e), "%s", r->e.text);
	queue_schedule_close(&s);
}

/* The schedule, once it makes nothing more. */
static struct queue_schedule stop(struct rig *r)
{
	struct queue_schedule s;
	ck_assert_msg(queue_schedule_pause(r->queue, "s", true, &r->e) == 1, "%s", r->e.text);
	ck_assert_int_eq(queue_schedule_show(r->queue, "s", &s, &r->e), 1);
	return s;
}

/* Each tick up to the last has a job, which succeeds, and was not made before its time. Half of them were made within 100 ms, on a
 * machine that may be busy; how late they were at worst is returned. */
static int64_t check_jobs(struct rig *r, const struct queue_schedule *s)
{
	int64_t worst = 0, n = 0, in_time = 0;
	for (int64_t t = s->start_ms + s->every_ms; t <= s->last_ms; t += s->every_ms, n++) {
		char tags[JOB_TAGS], key[JOB_KEY];
		struct queue_submission asked;
		struct job j;
		schedule_job(s, t, tags, key, &asked);
		rig_wait(r, asked.id, JOB_SUCCEEDED, 20000, &j);
		ck_assert_str_eq(j.tags, "schedule:s");
		ck_assert_int_ge(j.created_at, t);
		worst = j.created_at - t > worst ? j.created_at - t : worst;
		in_time += j.created_at - t < 100;
		job_close(&j);
	}
	ck_assert_int_eq(s->jobs, n);
	ck_assert_int_eq(s->passed, 0);
	ck_assert_int_ge(2 * in_time, n);
	rig_done_is(r, n);
	rig_sound(r);
	return worst;
}

START_TEST(a_killed_worker_costs_no_tick_and_makes_none_twice)
{
	struct rig r;
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=1", NULL});
	rig_worker(&r, 1, (const char *[]){"WORKER_SLOTS=1", NULL});
	make(&r, EVERY_MS, false, "{}");
	clock_sleep_ms(2500);
	test_kill(r.workers[0], SIGKILL);
	r.workers[0] = 0;
	clock_sleep_ms(2500);
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=1", NULL});
	test_kill(r.workers[1], SIGTERM);
	r.workers[1] = 0;
	clock_sleep_ms(2500);
	struct queue_schedule s = stop(&r);
	ck_assert_int_ge(s.jobs, 30);
	/* On a machine that does nothing else it is a few ms; more than the grace would be a missed tick. */
	ck_assert_int_lt(check_jobs(&r, &s), 3000);
	queue_schedule_close(&s);
	rig_close(&r);
}
END_TEST

static void break_at(const char *point, int nth)
{
	struct rig r;
	char fail[700], marker[600];
	rig_open(&r, "no");
	snprintf(marker, sizeof(marker), "%s/fired-%s-%d", test_dir(), point, nth);
	snprintf(fail, sizeof(fail), "BARQUE_FAIL=%s:%d:crash:%s", point, nth, marker);
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=1", fail, NULL});
	make(&r, EVERY_MS, false, "{}");
	for (int i = 0; i < 400 && access(marker, F_OK) != 0; i++)
		clock_sleep_ms(25);
	ck_assert_msg(access(marker, F_OK) == 0, "nothing passed %s %d times", point, nth);
	rig_worker(&r, 1, (const char *[]){"WORKER_SLOTS=1", NULL});
	clock_sleep_ms(2500);
	struct queue_schedule s = stop(&r);
	ck_assert_int_ge(s.jobs, nth);
	check_jobs(&r, &s);
	queue_schedule_close(&s);
	rig_close(&r);
}

START_TEST(a_worker_that_dies_before_it_fires)
{
	break_at("fire_before_send", 3);
}
END_TEST

START_TEST(a_worker_that_dies_after_it_fired)
{
	break_at("fire_after_send", 3);
}
END_TEST

/* A job of 500 ms, a tick each 100 ms: one runs at a time. */
START_TEST(no_second_job_while_one_runs)
{
	struct rig r;
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=4", NULL});
	make(&r, 100, true, "{\"sleep_ms\":500}");
	clock_sleep_ms(3000);
	struct queue_schedule s = stop(&r);
	ck_assert_int_ge(s.jobs, 2);
	ck_assert_int_le(s.jobs, 6);
	ck_assert_int_gt(s.skipped, s.jobs);
	ck_assert_int_eq(s.jobs + s.skipped, (s.last_ms - s.start_ms) / 100);
	queue_schedule_close(&s);
	rig_close(&r);
}
END_TEST

/* Somebody raises the number of shards, and so moves the schedule, and is killed at this place in between. False: it need not be moved. */
static bool move_and_die(struct rig *r, int shards, const char *point)
{
	struct queue_shards n;
	char fail[100];
	int status;
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		snprintf(fail, sizeof(fail), "%s:1:exit", point);
		setenv("BARQUE_FAIL", fail, 1);
		_exit(queue_set_shards(queue_open(r->redis.url, NULL, &r->e), "default", shards, &n, &r->e) ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 9));
	return WEXITSTATUS(status) == 9;
}

/* Its fields as they are kept, wherever it stands; how often it stands somewhere. */
static int places(struct rig *r, int *asleep_out)
{
	int n = 0;
	*asleep_out = 0;
	for (int i = 0; i < QUEUE_SHARDS_MAX; i++) {
		n += str_starts(test_redis_tell(r->redis.port, "EXISTS {bq:default:%d}:cj:s", i), ":1");
		*asleep_out += str_starts(test_redis_tell(r->redis.port, "HEXISTS {bq:default:%d}:cj:s M", i), ":1");
	}
	return n;
}

/* Who moves a schedule is killed before or after it left its shard; nobody looks at it. Soon it stands in one place, and ticks there. */
static void killed_mover(const char *point)
{
	struct rig r;
	int shards = 2, asleep;
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=1", NULL});
	make(&r, EVERY_MS, false, "{}");
	while (!move_and_die(&r, shards, point))
		ck_assert_int_lt(++shards, 60);
	ck_assert_int_ge(places(&r, &asleep), 1);
	ck_assert_int_eq(asleep, 1);
	for (int64_t until = clock_mono_ms() + 25000; asleep && clock_mono_ms() < until; clock_sleep_ms(100))
		ck_assert_int_ge(places(&r, &asleep), 1);
	ck_assert_int_eq(places(&r, &asleep), 1);
	ck_assert_int_eq(asleep, 0);
	clock_sleep_ms(2500);
	struct queue_schedule s = stop(&r);
	ck_assert_int_gt(s.last_ms, s.now_ms - 2000);
	ck_assert_int_eq(s.jobs + s.passed, (s.last_ms - s.start_ms) / s.every_ms);
	queue_schedule_close(&s);
	rig_sound(&r);
	rig_close(&r);
}

START_TEST(a_mover_killed_before_it_let_go)
{
	killed_mover("schedule_copied");
}
END_TEST

START_TEST(a_mover_killed_after_it_let_go)
{
	killed_mover("schedule_left");
}
END_TEST

/* A lane whose jobs go to another shard than the first when there are so many. */
static int lane_elsewhere(struct rig *r, int shards, char lane[JOB_KEY - 1])
{
	struct queue_shards n;
	char queue[JOB_NAME];
	int shard = 0;
	ck_assert(queue_set_shards(r->queue, "probe", shards, &n, &r->e));
	for (int i = 0; shard == 0; i++) {
		struct queue_submission s = {.kind = "noop", .queue = "probe", .priority = 5, .lane = lane};
		struct queue_submitted out;
		snprintf(lane, JOB_KEY - 1, "tenant%d", i);
		ck_assert(queue_submit(r->queue, &s, 1, &out, &r->e) && job_id_parse(s.id, queue, &shard));
	}
	return shard;
}

/* A worker raises the number of shards: what a schedule's jobs share with others is counted in another shard then, and so it goes there, by
 * itself, while it ticks. */
START_TEST(schedules_follow_when_a_worker_raises_the_number_of_shards)
{
	struct rig r;
	struct queue_schedule s = {.name = "s", .kind = "noop", .queue = "default", .every_ms = EVERY_MS, .priority = 5, .kind_version = 1};
	char there[40];
	bool moved = false;
	int asleep;
	rig_open(&r, "no");
	snprintf(there, sizeof(there), "{bq:default:%d}:cj:s", lane_elsewhere(&r, 4, s.lane));
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=1", NULL});
	s.params = mem_strdup("{}");
	ck_assert_msg(queue_schedule_put(r.queue, &s, 0, &r.e), "%s", r.e.text);
	queue_schedule_close(&s);
	rig_worker(&r, 1, (const char *[]){"WORKER_SLOTS=1", "QUEUE_SHARDS=4", NULL});
	for (int64_t until = clock_mono_ms() + 20000; !moved && clock_mono_ms() < until; clock_sleep_ms(100))
		moved = str_starts(test_redis_tell(r.redis.port, "EXISTS %s", there), ":1") && places(&r, &asleep) == 1 && !asleep;
	ck_assert(moved);
	clock_sleep_ms(2500);
	s = stop(&r);
	ck_assert_int_ge(s.jobs, 10);
	ck_assert_int_eq(s.jobs + s.passed, (s.last_ms - s.start_ms) / s.every_ms);
	clock_sleep_ms(1000);
	rig_done_is(&r, s.jobs);
	queue_schedule_close(&s);
	rig_sound(&r);
	rig_close(&r);
}
END_TEST

#define DELAYED 300

/* Times over three seconds, none of them round: no job starts before its own, and half of them within 100 ms after it. */
START_TEST(delayed_jobs_start_at_their_time)
{
	struct rig r;
	static struct queue_submission items[DELAYED];
	static struct queue_submitted out[DELAYED];
	int64_t begin, in_time = 0;
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_SLOTS=2", NULL});
	begin = clock_now_ms() + 1500;
	for (int i = 0; i < DELAYED; i++)
		items[i] = (struct queue_submission){
		        .kind = "noop", .queue = "default", .kind_version = 1, .priority = 5, .run_at_ms = begin + i * 7919 % 3001};
	ck_assert_msg(queue_submit(r.queue, items, 200, out, &r.e) && queue_submit(r.queue, items + 200, DELAYED - 200, out, &r.e), "%s",
	        r.e.text);
	for (int i = 0; i < DELAYED; i++) {
		struct job j;
		rig_wait(&r, items[i].id, JOB_SUCCEEDED, 20000, &j);
		ck_assert_int_ge(j.started_at, items[i].run_at_ms);
		in_time += j.started_at - items[i].run_at_ms < 100;
		job_close(&j);
	}
	ck_assert_int_ge(2 * in_time, DELAYED);
	rig_sound(&r);
	rig_close(&r);
}
END_TEST

static const TTest *const tests[] = {a_killed_worker_costs_no_tick_and_makes_none_twice, a_worker_that_dies_before_it_fires,
        a_worker_that_dies_after_it_fired, no_second_job_while_one_runs, delayed_jobs_start_at_their_time, a_mover_killed_before_it_let_go,
        a_mover_killed_after_it_let_go, schedules_follow_when_a_worker_raises_the_number_of_shards};
TEST_MAIN("worker_schedules", tests)
