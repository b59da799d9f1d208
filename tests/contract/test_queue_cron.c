/* test_queue_cron.c -- schedules in Redis: each tick makes its jobs once, whoever races, dies or comes late. */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"
#include "queue/driver.h"
#include "queue/schedule.h"
#include "tests/contract/queue_hands.h"

const char *suite_url(void)
{
	return test_redis_own("no")->url;
}

static struct queue_link *open_link_with(const char *worker, const struct queue_options *o)
{
	struct err e = {0};
	const char *kinds[] = {KIND};
	struct queue_link *l = queue_link_open(suite_url(), o, Q, worker, kinds, 1, &e);

	ck_assert_msg(l != NULL, "%s", e.text);
	return l;
}

/* False: the server is away. */
static bool try_step(struct queue_link *l, int want, struct queue_step_reply *out)
{
	struct queue_step s = {.want = want, .lease_ms = 15000};
	struct err e = {0};
	int got = -1;

	if (queue_link_step_begin(l, &s, &e))
		while (!(got = queue_link_step_end(l, out, &e)))
			wait_fd(queue_link_fd(l));
	return got == 1;
}

static bool try_fire(struct queue_link *l, const struct queue_due *due, size_t n, int64_t now_ms, struct queue_fire_reply *out)
{
	struct err e = {0};
	int got = -1;

	if (queue_link_fire_begin(l, due, n, now_ms, &e))
		while (!(got = queue_link_fire_end(l, out, &e)))
			wait_fd(queue_link_fd(l));
	return got == 1;
}

static struct queue_fire_reply fire(struct queue_link *l, const struct queue_step_reply *r)
{
	struct queue_fire_reply out;

	ck_assert(try_fire(l, r->due, r->n_due, r->now_ms, &out));
	return out;
}

/* Step and fire until nothing is due; how many jobs were made. */
static int64_t fire_all(struct queue_link *l)
{
	int64_t jobs = 0;

	for (int guard = 0;; guard++) {
		struct queue_step_reply r = step(l, 0);
		bool done = r.n_due == 0;

		ck_assert_int_lt(guard, 1000);
		if (!done)
			jobs += fire(l, &r).jobs;
		queue_step_reply_close(&r);
		if (done)
			return jobs;
	}
}

static struct queue_schedule schedule(const char *name, int64_t every_ms)
{
	struct queue_schedule s = {.kind = KIND, .queue = Q, .every_ms = every_ms, .priority = 5, .params = mem_strdup("{\"n\":1}")};

	ck_assert(str_copy(s.name, sizeof(s.name), name));
	return s;
}

static void put(struct queue *q, struct queue_schedule *s)
{
	struct err e = {0};

	ck_ok(queue_schedule_put(q, s, -1, &e), &e);
}

static struct queue_schedule look_up(struct queue *q, const char *name)
{
	struct queue_schedule s;
	struct err e = {0};

	ck_assert_msg(queue_schedule_show(q, name, &s, &e) == 1, "%s", e.text);
	return s;
}

/* Let it stand at this tick, as if it had been due since then. */
static void set_due(struct queue *q, const struct queue_schedule *s, int64_t due)
{
	struct err e = {0};
	enum act_result result;
	int64_t rev;

	ck_ok(q->driver->schedule_drop(q, s->queue, s->name, -1, &result, &e), &e);
	ck_ok(q->driver->schedule_put(q, s, 0, due, &result, &rev, &e), &e);
	ck_assert_int_eq(result, ACT_DONE);
}

/* Every tick from the first to the last that was made has its job, and there are no other jobs. */
static int64_t check_ticks(struct queue *q, const char *name)
{
	struct queue_schedule s = look_up(q, name);
	int64_t n = 0;

	for (int64_t t = s.start_ms + s.every_ms; t <= s.last_ms; t += s.every_ms, n++) {
		char tags[JOB_TAGS], key[JOB_KEY];
		struct queue_submission job;
		struct job j;
		struct err e = {0};

		schedule_job(&s, t, tags, key, &job);
		ck_assert_msg(queue_show(q, job.id, &j, &e) == 1, "tick %lld of %lld has no job", (long long)n,
		        (long long)((s.last_ms - s.start_ms) / s.every_ms));
		job_close(&j);
	}
	ck_assert_int_eq(s.jobs, n);
	ck_assert_int_eq(s.passed, 0);
	ck_assert_int_eq(s.skipped, 0);
	ck_assert_int_eq(counts(q).ready, n);
	queue_schedule_close(&s);
	check_sound(q);
	return n;
}

/* ---- keeping schedules --------------------------------------------------------------------------------------------------- */

START_TEST(a_schedule_is_kept_as_it_was_given)
{
	struct queue *q = open_queue(NULL);
	struct queue_schedule s = schedule("nightly.prices", 0), again, t;
	struct err e = {0};

	ck_assert_int_eq(queue_schedule_show(q, "nightly.prices", &t, &e), 0);
	strcpy(s.cron, "30 2 * * MON-FRI");
	strcpy(s.lane, "tenant");
	strcpy(s.tags, "a,b");
	strcpy(s.unique_key, "k");
	s.priority = 3;
	s.max_attempts = 4;
	s.backoff_ms = 500;
	s.backoff_cap_ms = 9000;
	s.missed = MISSED_ONCE;
	ck_ok(queue_schedule_put(q, &s, 0, &e), &e);
	t = look_up(q, s.name);
	ck_assert_str_eq(t.cron, "30 2 * * MON-FRI");
	ck_assert_str_eq(t.lane, "tenant");
	ck_assert_str_eq(t.tags, "a,b");
	ck_assert_str_eq(t.unique_key, "k");
	ck_assert_str_eq(t.params, "{\"n\":1}");
	ck_assert(t.priority == 3 && t.max_attempts == 4 && t.backoff_ms == 500 && t.backoff_cap_ms == 9000 && t.missed == MISSED_ONCE);
	ck_assert(t.rev == 1 && !t.paused && t.created_at > 0 && t.next_ms > t.now_ms && t.next_ms % TIME_DAY == 9000000);
	ck_assert(t.jobs == 0 && t.last_ms == 0 && !t.last_job[0]);
	/* the same again changes nothing; a wrong revision is refused */
	ck_ok(queue_schedule_put(q, &s, 1, &e), &e);
	ck_assert_int_eq(s.rev, 1);
	s.priority = 4;
	ck_assert(!queue_schedule_put(q, &s, 0, &e) && e.code == ERR_STALE);
	ck_assert(!queue_schedule_put(q, &s, 7, &e) && e.code == ERR_STALE);
	ck_ok(queue_schedule_put(q, &s, 1, &e), &e);
	ck_assert_int_eq(s.rev, 2);
	/* one name, one schedule, in whatever queue */
	again = schedule("nightly.prices", 1000);
	strcpy(again.queue, "other");
	ck_assert(!queue_schedule_put(q, &again, -1, &e) && e.code == ERR_CONFLICT);
	ck_assert_int_eq(queue_schedule_delete(q, s.name, 1, &e), -1);
	ck_assert_int_eq(e.code, ERR_STALE);
	ck_assert_int_eq(queue_schedule_delete(q, s.name, 2, &e), 1);
	ck_assert_int_eq(queue_schedule_delete(q, s.name, -1, &e), 0);
	ck_ok(queue_schedule_put(q, &again, 0, &e), &e);
	check_sound(q);
	queue_schedule_close(&s);
	queue_schedule_close(&t);
	queue_schedule_close(&again);
	queue_close(&q);
}
END_TEST

/* Its jobs have what a submission may say, whoever fires them. */
START_TEST(jobs_are_made_as_asked_for)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct queue_schedule s = schedule("s", 3600000), t;
	struct err e = {0};
	char id[JOB_ID], next[JOB_ID];
	struct job j;

	s.max_attempts = 4;
	s.max_crashes = 5;
	s.quarantine_after = 2;
	s.result_ttl_ms = 60000;
	s.time_limit_ms = 7000;
	s.hard_limit_ms = 8000;
	strcpy(s.concurrency_key, "shared");
	s.max_concurrent = 2;
	s.rate = (struct job_rate){.key = "budget", .limit = 9, .window_ms = 1000, .cost = 3};
	strcpy(s.unique_key, "one");
	s.unique = UNIQUE_REPLACE;
	put(q, &s);
	t = look_up(q, "s");
	ck_assert_str_eq(t.concurrency_key, "shared");
	ck_assert(t.max_concurrent == 2 && t.rate.limit == 9 && t.rate.cost == 3 && t.unique == UNIQUE_REPLACE);
	set_due(q, &t, t.now_ms);
	queue_schedule_close(&t);
	ck_assert_int_eq(fire_all(l), 1);
	t = look_up(q, "s");
	ck_assert(str_copy(id, sizeof(id), t.last_job));
	queue_schedule_close(&t);
	ck_assert_int_eq(queue_show(q, id, &j, &e), 1);
	ck_assert(j.max_attempts == 4 && j.max_crashes == 5 && j.quarantine_after == 2 && j.result_ttl_ms == 60000);
	ck_assert(j.time_limit_ms == 7000 && j.hard_limit_ms == 8000 && j.max_concurrent == 2 && j.rate.window_ms == 1000);
	ck_assert_str_eq(j.concurrency_key, "shared");
	ck_assert_str_eq(j.rate.key, "budget");
	ck_assert_str_eq(j.unique_key, "one");
	job_close(&j);
	/* The next one replaces it. */
	ck_assert_int_eq(queue_schedule_run(q, "s", next, &e), 1);
	ck_assert_str_ne(next, id);
	ck_assert_int_eq(queue_show(q, id, &j, &e), 1);
	ck_assert_int_eq(j.state, JOB_CANCELLED);
	job_close(&j);
	check_sound(q);
	queue_schedule_close(&s);
	queue_link_close(&l);
	queue_close(&q);
}
END_TEST

START_TEST(what_is_no_schedule_is_refused)
{
	struct queue *q = open_queue(NULL);
	struct queue_schedule good = schedule("s", 1000), s;
	struct err e = {0};

#define REFUSED(change) \
	s = good;       \
	change;         \
	ck_assert_msg(!queue_schedule_put(q, &s, -1, &e) && e.code == ERR_INVALID, "%s: %s", #change, e.text)
	REFUSED(strcpy(s.name, ""));
	REFUSED(strcpy(s.name, "a b"));
	REFUSED(strcpy(s.kind, "No"));
	REFUSED(strcpy(s.queue, "a.b"));
	REFUSED(strcpy(s.cron, "* * * * *")); /* and an interval */
	REFUSED(s.every_ms = 0);
	REFUSED(s.every_ms = 9);
	REFUSED(s.every_ms = 367 * TIME_DAY);
	REFUSED(s.start_ms = -1);
	REFUSED(s.priority = 10);
	REFUSED(s.max_attempts = -1);
	REFUSED((s.every_ms = 0, strcpy(s.cron, "0 0 30 2 *")));
	REFUSED((s.every_ms = 0, strcpy(s.cron, "0 0 * *")));
	REFUSED(strcpy(s.lane, "a\nb"));
	REFUSED(strcpy(s.concurrency_key, "k")); /* and no maximum */
	REFUSED((strcpy(s.rate.key, "r"), s.rate.limit = 0));
	REFUSED(s.unique = UNIQUE_KEEP_NEWEST); /* of no key */
	REFUSED((s.time_limit_ms = 2, s.hard_limit_ms = 1));
	char *big = mem_new(SCHEDULE_PARAMS + 10);
	memset(big, ' ', SCHEDULE_PARAMS + 5);
	big[0] = '{';
	big[SCHEDULE_PARAMS + 4] = '}';
	REFUSED(s.params = big);
	mem_free(&big);
	ck_assert_int_eq(queue_schedule_show(q, "s", &s, &e), 0);
	queue_schedule_close(&good);
	queue_close(&q);
}
END_TEST

START_TEST(they_are_listed_by_name)
{
	struct queue *q = open_queue(NULL);
	struct queue_schedule page[4];
	struct err e = {0};
	char name[SCHEDULE_NAME], last[SCHEDULE_NAME] = "";
	int seen = 0, n;

	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "s%d", (i * 7) % 10);
		struct queue_schedule s = schedule(name, 60000);
		strcpy(s.queue, i % 2 ? Q : "other");
		put(q, &s);
		queue_schedule_close(&s);
	}
	do {
		n = queue_schedule_list(q, last, 4, page, &e);
		ck_assert_msg(n >= 0, "%s", e.text);
		for (int i = 0; i < n; i++, seen++) {
			snprintf(name, sizeof(name), "s%d", seen);
			ck_assert_str_eq(page[i].name, name);
			strcpy(last, page[i].name);
			queue_schedule_close(&page[i]);
		}
	} while (n == 4);
	ck_assert_int_eq(seen, 10);
	queue_close(&q);
}
END_TEST

/* ---- ticks ---------------------------------------------------------------------------------------------------------------- */

START_TEST(a_tick_makes_its_job_in_time)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w");
	struct queue_step_reply r = step(l, 1);
	struct queue_schedule s = schedule("s", 300), t;
	struct job j;
	struct err e = {0};

	ck_assert_int_eq(r.next_due_ms, -1);
	queue_step_reply_close(&r);
	put(q, &s);
	r = step(l, 1);
	ck_assert(r.next_due_ms > 0 && r.next_due_ms <= 300 && r.n_due == 0 && r.n_claims == 0);
	clock_sleep_ms(r.next_due_ms + 1);
	queue_step_reply_close(&r);
	r = step(l, 1);
	ck_assert_uint_eq(r.n_due, 1);
	ck_assert_str_eq(r.due[0].name, "s");
	ck_assert_int_eq(r.due[0].due_ms, s.next_ms);
	ck_assert_int_le(r.now_ms - r.due[0].due_ms, 50);
	struct queue_fire_reply f = fire(l, &r);
	ck_assert(f.jobs == 1 && f.next_due_ms > 0 && f.next_due_ms <= 300);
	queue_step_reply_close(&r);
	r = step(l, 1);
	ck_assert_uint_eq(r.n_claims, 1);
	ck_assert_int_eq(queue_show(q, r.claims[0].job.id, &j, &e), 1);
	ck_assert_str_eq(j.tags, "schedule:s");
	ck_assert_str_eq(j.params, "{\"n\":1}");
	t = look_up(q, "s");
	ck_assert(t.jobs == 1 && t.last_ms == s.next_ms && t.next_ms == s.next_ms + 300);
	ck_assert_str_eq(t.last_job, j.id);
	job_close(&j);
	queue_step_reply_close(&r);
	queue_schedule_close(&s);
	queue_schedule_close(&t);
	check_sound(q);
	queue_link_close(&l);
	queue_close(&q);
}
END_TEST

/* A dispatcher that sleeps is woken when a schedule is made that ticks before all others; also one for a version of the kind. */
START_TEST(a_new_schedule_wakes_who_waits)
{
	struct queue *q = open_queue(NULL);
	struct err e = {0};
	const char *routes[] = {KIND "/7"};
	struct queue_link *l = queue_link_open(suite_url(), NULL, Q, "w", routes, 1, &e);
	struct queue_schedule s = schedule("s", 60000);
	int64_t began;
	int got;

	ck_assert_msg(l != NULL, "%s", e.text);
	ck_ok(queue_link_wait_begin(l, 10000, &e), &e);
	ck_assert_int_eq(queue_link_wait_end(l, &e), 0);
	began = clock_mono_ms();
	s.kind_version = 7;
	put(q, &s);
	while (!(got = queue_link_wait_end(l, &e)))
		wait_fd(queue_link_wait_fd(l));
	ck_assert_msg(got == 1, "%s", e.text);
	ck_assert_int_lt(clock_mono_ms() - began, 5000);
	queue_schedule_close(&s);
	queue_link_close(&l);
	queue_close(&q);
}
END_TEST

START_TEST(who_comes_second_does_nothing)
{
	struct queue *q = open_queue(NULL);
	struct queue_schedule s = schedule("s", 60000);
	struct queue_link *links[8];
	struct queue_step_reply r;
	int64_t made = 0;

	put(q, &s);
	s.start_ms = s.now_ms - 10;
	set_due(q, &s, s.start_ms);
	links[0] = open_link("w0");
	r = step(links[0], 0);
	ck_assert_uint_eq(r.n_due, 1);
	for (int i = 0; i < 8; i++) {
		char name[16];
		snprintf(name, sizeof(name), "w%d", i);
		if (i > 0)
			links[i] = open_link(name);
		made += fire(links[i], &r).jobs;
		made += fire(links[i], &r).jobs;
		queue_link_close(&links[i]);
	}
	ck_assert_int_eq(made, 1);
	ck_assert_int_eq(counts(q).ready, 1);
	queue_step_reply_close(&r);
	queue_schedule_close(&s);
	check_sound(q);
	queue_close(&q);
}
END_TEST

static void missed(enum ticks_missed policy, int64_t jobs)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w");
	struct queue_schedule s = schedule(ticks_missed_name(policy), 1000 * 3600), t;
	int64_t before = counts(q).ready;

	s.missed = policy;
	put(q, &s);
	/* 2000 ticks and half an interval ago; the last of them is out of grace */
	s.start_ms = s.now_ms - 1999 * s.every_ms - s.every_ms / 2;
	set_due(q, &s, s.start_ms);
	ck_assert_int_eq(fire_all(l), jobs);
	t = look_up(q, s.name);
	ck_assert_int_eq(t.jobs, jobs);
	ck_assert_int_eq(t.passed, 2000 - jobs);
	ck_assert(t.next_ms > t.now_ms && t.next_ms - t.now_ms < s.every_ms);
	if (jobs)
		ck_assert_int_eq(t.last_ms, t.next_ms - s.every_ms);
	ck_assert_int_eq(counts(q).ready, before + jobs);
	queue_schedule_close(&s);
	queue_schedule_close(&t);
	check_sound(q);
	queue_link_close(&l);
	queue_close(&q);
}

START_TEST(missed_ticks_follow_the_policy)
{
	struct queue *q = open_queue(NULL);
	struct queue_schedule s = schedule("far", 24 * 3600 * 1000);

	put(q, &s);
	missed(MISSED_SKIP, 0);
	missed(MISSED_ONCE, 1);
	missed(MISSED_ALL, 1000);
	queue_schedule_close(&s);
	queue_close(&q);
}
END_TEST

START_TEST(no_job_while_the_one_before_lives)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w");
	struct queue_schedule s = schedule("s", 1000 * 3600), t;

	s.overlap_skip = true;
	s.missed = MISSED_ALL;
	put(q, &s);
	s.start_ms = s.now_ms - 5 * s.every_ms + 600 * 1000;
	set_due(q, &s, s.start_ms);
	ck_assert_int_eq(fire_all(l), 1);
	t = look_up(q, "s");
	ck_assert(t.jobs == 1 && t.skipped == 4 && t.passed == 0);
	struct queue_step_reply r = step(l, 5);
	ck_assert_uint_eq(r.n_claims, 1);
	ck_assert_str_eq(r.claims[0].job.id, t.last_job);
	queue_step_reply_close(&r);
	queue_schedule_close(&s);
	queue_schedule_close(&t);
	check_sound(q);
	queue_link_close(&l);
	queue_close(&q);
}
END_TEST

START_TEST(pause_resume_and_run)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w");
	struct queue_schedule s = schedule("s", 200), t;
	struct err e = {0};
	char id[JOB_ID];

	ck_assert_int_eq(queue_schedule_pause(q, "s", true, &e), 0);
	ck_assert_int_eq(queue_schedule_run(q, "s", id, &e), 0);
	put(q, &s);
	ck_assert_int_eq(queue_schedule_pause(q, "s", true, &e), 1);
	ck_assert_int_eq(queue_schedule_pause(q, "s", true, &e), 1);
	clock_sleep_ms(450);
	ck_assert_int_eq(fire_all(l), 0);
	ck_assert_int_eq(queue_schedule_run(q, "s", id, &e), 1);
	t = look_up(q, "s");
	ck_assert(t.paused && t.next_ms == 0 && t.jobs == 1 && t.last_ms == 0 && queue_schedule_coming(&t, (int64_t[5]){0}, 5) == 0);
	ck_assert_str_eq(t.last_job, id);
	queue_schedule_close(&t);
	check_sound(q);
	ck_assert_int_eq(queue_schedule_pause(q, "s", false, &e), 1);
	t = look_up(q, "s");
	ck_assert(!t.paused && t.next_ms > t.now_ms && (t.next_ms - s.start_ms) % 200 == 0);
	clock_sleep_ms(t.next_ms - t.now_ms + 1);
	ck_assert_int_eq(fire_all(l), 1); /* those of the pause are not missed */
	queue_schedule_close(&s);
	queue_schedule_close(&t);
	check_sound(q);
	queue_link_close(&l);
	queue_close(&q);
}
END_TEST

START_TEST(a_paused_queue_takes_the_jobs_in)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w");
	struct queue_schedule s = schedule("s", 100);
	struct err e = {0};

	ck_ok(queue_pause(q, Q, &e), &e);
	put(q, &s);
	clock_sleep_ms(120);
	struct queue_step_reply r = step(l, 1);
	ck_assert_uint_eq(r.n_due, 1);
	ck_assert_int_ge(fire(l, &r).jobs, 1);
	queue_step_reply_close(&r);
	r = step(l, 1);
	ck_assert_uint_eq(r.n_claims, 0);
	queue_step_reply_close(&r);
	ck_assert_int_ge(counts(q).ready, 1);
	queue_schedule_close(&s);
	queue_link_close(&l);
	queue_close(&q);
}
END_TEST

START_TEST(a_full_queue_keeps_the_tick)
{
	struct queue *q = open_queue(NULL);
	struct queue_options narrow = {.max_length = 2};
	struct queue_link *small = open_link_with("small", &narrow), *wide = open_link("wide");
	struct queue_schedule s = schedule("s", 3600 * 1000), t;

	s.missed = MISSED_ALL;
	put(q, &s);
	s.start_ms = s.now_ms - 5 * s.every_ms + 600 * 1000;
	set_due(q, &s, s.start_ms);
	struct queue_step_reply r = step(small, 0);
	struct queue_fire_reply f = fire(small, &r);
	ck_assert(f.jobs == 0 && f.next_due_ms >= 900);
	queue_step_reply_close(&r);
	t = look_up(q, "s");
	ck_assert(t.jobs == 0 && t.next_ms == s.start_ms);
	ck_assert_msg(strstr(t.problem, "full"), "%s", t.problem);
	queue_schedule_close(&t);
	check_sound(q);
	clock_sleep_ms(1050);
	ck_assert_int_eq(fire_all(wide), 5);
	t = look_up(q, "s");
	ck_assert_str_eq(t.problem, "");
	queue_schedule_close(&t);
	queue_schedule_close(&s);
	queue_link_close(&small);
	queue_link_close(&wide);
	queue_close(&q);
}
END_TEST

/* An offer that its dispatcher died with is given to another one soon. */
START_TEST(a_lost_offer_is_given_to_another)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *dead = open_link("dead"), *l = open_link("w");
	struct queue_schedule s = schedule("s", 500);

	put(q, &s);
	clock_sleep_ms(s.next_ms - s.now_ms + 1);
	struct queue_step_reply r = step(dead, 0);
	ck_assert_uint_eq(r.n_due, 1);
	queue_step_reply_close(&r);
	r = step(l, 0);
	ck_assert(r.n_due == 0 && r.next_due_ms > 0 && r.next_due_ms <= 200);
	clock_sleep_ms(r.next_due_ms + 1);
	queue_step_reply_close(&r);
	r = step(l, 0);
	ck_assert_uint_eq(r.n_due, 1);
	ck_assert_int_eq(r.due[0].due_ms, s.next_ms);
	ck_assert_int_ge(fire(l, &r).jobs, 1);
	queue_step_reply_close(&r);
	queue_schedule_close(&s);
	check_sound(q);
	queue_link_close(&dead);
	queue_link_close(&l);
	queue_close(&q);
}
END_TEST

/* ---- races and deaths ------------------------------------------------------------------------------------------------------ */

/* A dispatcher that forgets some offers, and fires others twice. It ends after a time, or is killed. */
static void dispatcher(int n, int64_t until_ms)
{
	char name[16];
	unsigned seed = (unsigned)n;
	struct queue_link *l;
	struct queue_step_reply r;
	struct queue_fire_reply f;

	snprintf(name, sizeof(name), "w%d", n);
	l = open_link(name);
	while (clock_now_ms() < until_ms) {
		if (!try_step(l, 0, &r)) {
			clock_sleep_ms(20);
			continue;
		}
		int64_t pause = r.next_due_ms < 0 || r.next_due_ms > 50 ? 50 : r.next_due_ms;
		if (r.n_due && rand_r(&seed) % 20) {
			pause = try_fire(l, r.due, r.n_due, r.now_ms, &f) && f.next_due_ms >= 0 ? f.next_due_ms : 10;
			if (!(rand_r(&seed) % 4))
				(void)!try_fire(l, r.due, r.n_due, r.now_ms, &f);
		}
		queue_step_reply_close(&r);
		clock_sleep_ms(pause > 50 ? 50 : pause);
	}
	queue_link_close(&l);
	_exit(0);
}

static pid_t start_dispatcher(int n, int64_t until_ms)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dispatcher(n, until_ms);
	}
	return pid;
}

START_TEST(eight_dispatchers_race_for_a_thousand_ticks)
{
	struct queue *q = open_queue(NULL);
	struct queue_schedule s = schedule("s", 10);
	pid_t pids[8];
	int64_t until = clock_now_ms() + 11500;

	put(q, &s);
	for (int i = 0; i < 8; i++)
		pids[i] = start_dispatcher(i, until);
	/* some are killed, and others come */
	for (int i = 0; clock_now_ms() < until - 1000; i++) {
		clock_sleep_ms(900);
		test_kill(pids[i % 8], SIGKILL);
		pids[i % 8] = start_dispatcher(10 + i, until);
	}
	for (int i = 0; i < 8; i++)
		waitpid(pids[i], NULL, 0);
	ck_assert_int_ge(check_ticks(q, "s"), 1000);
	queue_schedule_close(&s);
	queue_close(&q);
}
END_TEST

START_TEST(each_tick_once_though_redis_is_killed)
{
	struct test_redis *server = test_redis_own("always");
	struct queue *q = open_queue(NULL);
	struct queue_schedule s = schedule("s", 20);
	pid_t pids[3];
	int64_t until = clock_now_ms() + 9000;

	put(q, &s);
	for (int i = 0; i < 3; i++)
		pids[i] = start_dispatcher(i, until);
	for (int i = 0; i < 5; i++) {
		clock_sleep_ms(1000);
		test_redis_kill(server);
		clock_sleep_ms(200);
		test_redis_again(server);
	}
	for (int i = 0; i < 3; i++)
		waitpid(pids[i], NULL, 0);
	ck_assert_int_ge(check_ticks(q, "s"), 200);
	queue_schedule_close(&s);
	queue_close(&q);
}
END_TEST

/* ---- hostile data ----------------------------------------------------------------------------------------------------------- */

START_TEST(what_cannot_be_read_makes_no_job_and_says_so)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w");
	struct queue_schedule s = schedule("s", 100), t;
	struct err e = {0};

	put(q, &s);
	t = s;
	t.every_ms = 0;
	strcpy(t.cron, "no cron");
	set_due(q, &t, s.now_ms);
	ck_assert_int_eq(fire_all(l), 0);
	t = look_up(q, "s");
	ck_assert_msg(strstr(t.problem, "cron"), "%s", t.problem);
	ck_assert_int_gt(t.next_ms, t.now_ms + 30000);
	queue_schedule_close(&t);
	check_sound(q);
	ck_assert_int_eq(queue_schedule_run(q, "s", (char[JOB_ID]){0}, &e), -1);
	put(q, &s); /* repaired */
	t = look_up(q, "s");
	ck_assert_str_eq(t.problem, "");
	queue_schedule_close(&t);
	ck_assert_int_eq(queue_schedule_delete(q, "s", -1, &e), 1);
	queue_schedule_close(&s);
	queue_link_close(&l);
	queue_close(&q);
}
END_TEST

static void redis_cli(const char *const *words)
{
	const char *argv[16] = {"redis-cli", "-p"};
	char port[16];
	int status;

	snprintf(port, sizeof(port), "%d", test_redis_own("no")->port);
	argv[2] = port;
	for (int k = 0; words[k]; k++)
		argv[3 + k] = words[k];
	ck_assert(test_wait(test_spawn("cli", argv, NULL), 5000, &status) && status == 0);
}

/* Fields that nobody of ours wrote: the step goes on, and the other schedules tick. */
START_TEST(odd_fields_hold_up_nobody)
{
	static const char *const harm[][6] = {{"HSET", "{bq:q:0}:cj:odd", "d", "abc", NULL},
	        {"HSET", "{bq:q:0}:cj:odd", "d", "-9223372036854775808", NULL},
	        {"HSET", "{bq:q:0}:cj:odd", "d", "9223372036854775807", NULL}, {"HSET", "{bq:q:0}:cj:odd", "S", "{", NULL},
	        {"ZADD", "{bq:q:0}:cr", "1", "no name", NULL}, {"DEL", "{bq:q:0}:cj:odd", NULL}};
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w");
	struct queue_schedule odd = schedule("odd", 3600 * 1000), good = schedule("good", 100), t;
	struct err e = {0};

	put(q, &good);
	for (size_t i = 0; i < ARRAY_LEN(harm); i++) {
		put(q, &odd);
		set_due(q, &odd, odd.now_ms - 1);
		redis_cli(harm[i]);
		t = look_up(q, "good");
		int64_t jobs = t.jobs;
		for (int64_t until = clock_mono_ms() + 10000; t.jobs == jobs && clock_mono_ms() < until;) {
			struct queue_step_reply r = step(l, 0);

			if (r.n_due)
				fire(l, &r);
			queue_step_reply_close(&r);
			clock_sleep_ms(20);
			queue_schedule_close(&t);
			t = look_up(q, "good");
		}
		ck_assert_msg(t.jobs > jobs, "%s %s stopped the others", harm[i][0], harm[i][3] ? harm[i][3] : "");
		queue_schedule_close(&t);
	}
	struct queue_schedule all[4];
	ck_assert_msg(queue_schedule_list(q, "", 4, all, &e) == 1, "%s", e.text);
	ck_assert_str_eq(all[0].name, "good");
	queue_schedule_close(&all[0]);
	queue_schedule_close(&odd);
	queue_schedule_close(&good);
	queue_link_close(&l);
	queue_close(&q);
}
END_TEST

/* More than a step tells of, and all stand before the good one. */
START_TEST(many_wrecks_hold_up_nobody)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w");
	struct queue_schedule good = schedule("good", 100), t;
	char name[24];

	put(q, &good);
	for (int i = 0; i < 30; i++) {
		char key[64];

		snprintf(name, sizeof(name), i % 3 ? "wreck%d" : "wreck %d", i);
		snprintf(key, sizeof(key), "{bq:q:0}:cj:%s", name);
		redis_cli((const char *const[]){"ZADD", "{bq:q:0}:cr", "1", name, NULL});
		if (i % 3 != 1)
			redis_cli((const char *const[]){"HSET", key, "v", "1", "d", i % 2 ? "1" : "99999999999999", "S", "{}", NULL});
	}
	for (int64_t until = clock_mono_ms() + 8000; fire_all(l) == 0 && clock_mono_ms() < until;)
		clock_sleep_ms(50);
	t = look_up(q, "good");
	ck_assert_int_gt(t.jobs, 0);
	queue_schedule_close(&t);
	queue_schedule_close(&good);
	queue_link_close(&l);
	queue_close(&q);
}
END_TEST

START_TEST(the_audit_sees_a_schedule_out_of_place)
{
	struct queue *q = open_queue(NULL);
	struct queue_schedule s = schedule("s", 60000);
	struct err e = {0};
	struct queue_audit a;

	put(q, &s);
	check_sound(q);
	static const char *const harm[][6] = {
	        {"ZADD", "{bq:q:0}:cr", "5", "s", NULL}, {"HDEL", "{bq:q:0}:n", "ct", NULL}, {"ZREM", "{bq:q:0}:cr", "s", NULL}};
	for (size_t i = 0; i < ARRAY_LEN(harm); i++) {
		redis_cli(harm[i]);
		ck_assert_msg(queue_audit(q, Q, &a, &e) == 0, "%s went unseen", harm[i][0]);
		set_due(q, &s, s.next_ms);
		check_sound(q);
	}
	queue_schedule_close(&s);
	queue_close(&q);
}
END_TEST

/* ---- shards ------------------------------------------------------------------------------------------------------------------- */

static void set_shards(struct queue *q, int n)
{
	struct queue_shards now;
	struct err e = {0};

	ck_ok(queue_set_shards(q, Q, n, &now, &e), &e);
}

/* One that was copied to another shard, and maybe let go in the first one, by somebody who died then: it stands there once, ticks on, and is
 * not lost. */
START_TEST(a_move_that_broke_off_is_brought_to_its_end)
{
	for (int gone = 0; gone < 2; gone++) {
		struct queue *q = open_queue(NULL);
		struct queue_schedule s = schedule(gone ? "b" : "a", 3600 * 1000), t, all[3];
		struct err e = {0};
		char from[100], to[100], due[24], in[24], out[24];

		set_shards(q, 3);
		put(q, &s);
		snprintf(from, sizeof(from), "{bq:q:%d}:cj:%s", s.shard, s.name);
		snprintf(to, sizeof(to), "{bq:q:%d}:cj:%s", (s.shard + 1) % 3, s.name);
		snprintf(in, sizeof(in), "{bq:q:%d}:cr", s.shard);
		snprintf(out, sizeof(out), "{bq:q:%d}:cr", (s.shard + 1) % 3);
		snprintf(due, sizeof(due), "%lld", (long long)s.next_ms);
		redis_cli((const char *const[]){"COPY", from, to, NULL});
		redis_cli((const char *const[]){"HSET", to, "M", due, "d", "inf", NULL});
		redis_cli((const char *const[]){"ZADD", out, "inf", s.name, NULL});
		if (gone) {
			redis_cli((const char *const[]){"DEL", from, NULL});
			redis_cli((const char *const[]){"ZREM", in, s.name, NULL});
			char counters[24];
			snprintf(counters, sizeof(counters), "{bq:q:%d}:n", s.shard);
			redis_cli((const char *const[]){"HDEL", counters, "ct", NULL});
		}
		ck_assert_msg(queue_schedule_list(q, "", 3, all, &e) == 1, "%s", e.text);
		ck_assert(!all[0].paused && all[0].next_ms == s.next_ms);
		ck_assert_int_eq(all[0].shard, gone ? (s.shard + 1) % 3 : s.shard);
		queue_schedule_close(&all[0]);
		set_shards(q, 3);
		t = look_up(q, s.name);
		ck_assert(t.shard == s.shard && !t.paused && t.next_ms == s.next_ms && t.rev == s.rev);
		queue_schedule_close(&t);
		check_sound(q);
		ck_assert_int_eq(queue_schedule_delete(q, s.name, -1, &e), 1);
		ck_assert_int_eq(queue_schedule_show(q, s.name, &t, &e), 0);
		ck_assert_int_eq(queue_schedule_list(q, "", 3, all, &e), 0);
		queue_schedule_close(&s);
		queue_close(&q);
	}
}
END_TEST

/* A copy that a broken move left in another shard is older than what is deleted: it must not tick in its stead. */
START_TEST(what_is_deleted_leaves_no_copy)
{
	struct queue *q = open_queue(NULL);
	struct queue_schedule s = schedule("s", 3600 * 1000), t;
	struct err e = {0};
	char from[100], to[100], due[24], out[24];

	set_shards(q, 3);
	put(q, &s);
	snprintf(from, sizeof(from), "{bq:q:%d}:cj:s", s.shard);
	snprintf(to, sizeof(to), "{bq:q:%d}:cj:s", (s.shard + 1) % 3);
	snprintf(out, sizeof(out), "{bq:q:%d}:cr", (s.shard + 1) % 3);
	snprintf(due, sizeof(due), "%lld", (long long)s.next_ms);
	redis_cli((const char *const[]){"COPY", from, to, NULL});
	redis_cli((const char *const[]){"HSET", to, "M", due, "d", "inf", NULL});
	redis_cli((const char *const[]){"ZADD", out, "inf", "s", NULL});
	s.priority = 7;
	put(q, &s);
	ck_assert_int_eq(queue_schedule_delete(q, "s", s.rev - 1, &e), -1);
	ck_assert_int_eq(e.code, ERR_STALE);
	t = look_up(q, "s");
	ck_assert(t.rev == s.rev && t.shard == s.shard);
	queue_schedule_close(&t);
	ck_assert_int_eq(queue_schedule_delete(q, "s", s.rev, &e), 1);
	ck_assert_int_eq(queue_schedule_show(q, "s", &t, &e), 0);
	check_sound(q);
	queue_schedule_close(&s);
	queue_close(&q);
}
END_TEST

static int shard_of(const char *id)
{
	char queue[JOB_NAME];
	int shard = -1;

	ck_assert(job_id_parse(id, queue, &shard));
	return shard;
}

/* The last job stays where it was made when its schedule moves on to another shard. */
START_TEST(a_schedule_that_moved_knows_its_last_job)
{
	struct queue *q = open_queue(NULL);
	struct queue_schedule s = schedule("s", 3600 * 1000), t;
	struct err e = {0};
	char id[JOB_ID];

	set_shards(q, 3);
	put(q, &s);
	ck_assert_msg(queue_schedule_run(q, "s", id, &e) == 1, "%s", e.text);
	for (int i = 0, there = s.shard; there == shard_of(id); i++) {
		snprintf(s.lane, sizeof(s.lane), "tenant%d", i);
		put(q, &s);
		t = look_up(q, "s");
		there = t.shard;
		ck_assert_str_eq(t.last_job, id);
		queue_schedule_close(&t);
	}
	set_shards(q, 7);
	t = look_up(q, "s");
	ck_assert_str_eq(t.last_job, id);
	ck_assert_int_eq(state_of(q, t.last_job), JOB_READY);
	queue_schedule_close(&t);
	ck_assert_msg(queue_schedule_run(q, "s", id, &e) == 1, "%s", e.text);
	t = look_up(q, "s");
	ck_assert_str_eq(t.last_job, id);
	queue_schedule_close(&t);
	check_sound(q);
	queue_schedule_close(&s);
	queue_close(&q);
}
END_TEST

/* Who makes, moves or deletes one waits for another who does; not for one that died. */
START_TEST(one_at_a_time_makes_and_moves_a_schedule)
{
	struct queue *q = open_queue(NULL);
	struct queue_schedule s = schedule("s", 3600 * 1000), t;
	struct err e = {0};
	int64_t began = clock_mono_ms();

	set_shards(q, 5);
	redis_cli((const char *const[]){"SET", "{bq:q:0}:cl:s", "another", "PX", "700", NULL});
	put(q, &s);
	ck_assert_int_ge(clock_mono_ms() - began, 500);
	redis_cli((const char *const[]){"SET", "{bq:q:0}:cl:s", "another", "PX", "60000", NULL});
	ck_assert_int_eq(queue_schedule_delete(q, "s", -1, &e), -1);
	ck_assert_int_eq(e.code, ERR_UNAVAILABLE);
	t = look_up(q, "s"); /* looking, ticking and pausing need no lock */
	ck_assert_int_eq(queue_schedule_pause(q, "s", true, &e), 1);
	queue_schedule_close(&t);
	redis_cli((const char *const[]){"DEL", "{bq:q:0}:cl:s", NULL});
	ck_assert_int_eq(queue_schedule_delete(q, "s", -1, &e), 1);
	check_sound(q);
	queue_schedule_close(&s);
	queue_close(&q);
}
END_TEST

/* Two at once make one of the same name, but for other shards. */
START_TEST(one_name_is_made_in_one_shard)
{
	struct queue *q = open_queue(NULL);
	struct queue_schedule all[3];
	struct err e = {0};

	set_shards(q, 5);
	for (int round = 0; round < 30; round++) {
		pid_t pids[3];

		for (int i = 0; i < 3; i++) {
			pids[i] = fork();
			ck_assert_int_ge(pids[i], 0);
			if (pids[i] == 0) {
				struct queue_schedule s = schedule("s", 3600 * 1000);

				snprintf(s.lane, sizeof(s.lane), "tenant%d", i);
				_exit(queue_schedule_put(open_queue(NULL), &s, -1, &e) ? 0 : 1);
			}
		}
		for (int i = 0; i < 3; i++) {
			int status;

			waitpid(pids[i], &status, 0);
			ck_assert_int_eq(status, 0);
		}
		ck_assert_int_eq(queue_schedule_list(q, "", 3, all, &e), 1);
		ck_assert_int_eq(all[0].rev, 3);
		queue_schedule_close(&all[0]);
		check_sound(q);
		ck_assert_int_eq(queue_schedule_delete(q, "s", -1, &e), 1);
		ck_assert_int_eq(queue_schedule_show(q, "s", &all[0], &e), 0);
	}
	queue_close(&q);
}
END_TEST

START_TEST(the_audit_sees_a_schedule_of_any_shard)
{
	struct queue *q = open_queue(NULL);
	struct queue_schedule s = schedule("s", 60000);
	struct queue_look_bounds b = {0};
	struct queue_look look = {.queue = Q};
	struct err e = {0};
	char order[24], why[200];

	set_shards(q, 3);
	for (int i = 0; s.shard == 0; i++) {
		snprintf(s.lane, sizeof(s.lane), "tenant%d", i);
		put(q, &s);
	}
	snprintf(order, sizeof(order), "{bq:q:%d}:cr", s.shard);
	redis_cli((const char *const[]){"ZADD", order, "5", "s", NULL});
	ck_ok(queue_examine(q, (struct queue_look *[]){&look}, 1, &b, &e), &e);
	ck_assert_uint_ge(look.n, 1);
	ck_assert(look.findings[0].fault == FAULT_SCHEDULE && look.findings[0].shard == s.shard);
	ck_assert_msg(queue_mend(q, Q, &look.findings[0], false, why, &e) == 1, "%s%s", why, e.text);
	check_sound(q);
	queue_look_close(&look);
	queue_schedule_close(&s);
	queue_close(&q);
}
END_TEST

static void shard_dispatcher(int n, int64_t until_ms)
{
	struct queue_link *l[4];
	unsigned seed = (unsigned)n;
	const char *kinds[] = {KIND};
	struct err e = {0};
	char name[16];

	snprintf(name, sizeof(name), "w%d", n);
	for (int i = 0; i < 4; i++) {
		l[i] = queue_link_open_shard(suite_url(), NULL, Q, i, name, kinds, 1, &e);
		ck_assert_msg(l[i] != NULL, "%s", e.text);
	}
	while (clock_now_ms() < until_ms) {
		struct queue_link *one = l[rand_r(&seed) % 4];
		struct queue_step_reply r;
		struct queue_fire_reply f;

		if (!try_step(one, 0, &r))
			continue;
		if (r.n_due && rand_r(&seed) % 10 && try_fire(one, r.due, r.n_due, r.now_ms, &f) && rand_r(&seed) % 4 == 0)
			(void)!try_fire(one, r.due, r.n_due, r.now_ms, &f);
		queue_step_reply_close(&r);
		clock_sleep_ms(2);
	}
	for (int i = 0; i < 4; i++)
		queue_link_close(&l[i]);
	_exit(0);
}

/* Who changes the number of shards dies at times in between. */
static void shard_mover(int64_t until_ms)
{
	unsigned seed = (unsigned)getpid();
	struct queue *q = open_queue(NULL);

	while (clock_now_ms() < until_ms) {
		struct queue_shards now;
		struct err e = {0};

		/* A schedule may be locked by one that was killed, for longer than we wait. */
		ck_assert_msg(queue_set_shards(q, Q, 1 + (int)(rand_r(&seed) % 4), &now, &e) || e.code == ERR_UNAVAILABLE, "%s", e.text);
	}
	queue_close(&q);
	_exit(0);
}

static pid_t start_mover(int64_t until_ms)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		shard_mover(until_ms);
	}
	return pid;
}

/* Schedules are moved to and fro, changed, fired by several, some of them twice; who moves them is killed. Each tick makes its job once. */
START_TEST(each_tick_once_though_schedules_move)
{
	struct queue *q = open_queue(NULL);
	struct queue_schedule s[4];
	int64_t until = clock_now_ms() + 8000, jobs = 0;
	unsigned seed = 1;
	struct err e = {0};
	pid_t pids[3], mover;

	for (int i = 0; i < 4; i++) {
		s[i] = schedule((const char *const[]){"a", "b", "c", "d"}[i], 20);
		s[i].missed = MISSED_ALL;
		put(q, &s[i]);
	}
	for (int i = 0; i < 3; i++) {
		pids[i] = fork();
		ck_assert_int_ge(pids[i], 0);
		if (pids[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			shard_dispatcher(i, until);
		}
	}
	mover = start_mover(until);
	while (clock_now_ms() < until - 500) {
		struct queue_schedule *one = &s[rand_r(&seed) % 4];

		snprintf(one->lane, sizeof(one->lane), "tenant%d", (int)(rand_r(&seed) % 9));
		if (!queue_schedule_put(q, one, -1, &e))
			ck_assert_msg(e.code == ERR_STALE || e.code == ERR_UNAVAILABLE || e.code == ERR_NOT_FOUND, "%s", e.text);
		clock_sleep_ms(rand_r(&seed) % 30);
		if (rand_r(&seed) % 40 == 0) {
			test_kill(mover, SIGKILL);
			mover = start_mover(until);
		}
	}
	waitpid(mover, NULL, 0);
	for (int i = 0; i < 3; i++)
		waitpid(pids[i], NULL, 0);
	for (int i = 0; i < 4; i++) {
		struct queue_schedule t = look_up(q, s[i].name);

		ck_assert_int_eq(t.passed + t.skipped, 0);
		jobs += (t.last_ms - t.start_ms) / t.every_ms;
		ck_assert_int_ge((t.last_ms - t.start_ms) / t.every_ms, 200);
		queue_schedule_close(&t);
		queue_schedule_close(&s[i]);
	}
	ck_assert_int_eq(counts(q).ready, jobs);
	check_sound(q);
	queue_close(&q);
}
END_TEST

static const TTest *const tests[] = {a_schedule_is_kept_as_it_was_given, jobs_are_made_as_asked_for, what_is_no_schedule_is_refused,
        they_are_listed_by_name, a_tick_makes_its_job_in_time, a_new_schedule_wakes_who_waits, who_comes_second_does_nothing,
        missed_ticks_follow_the_policy, no_job_while_the_one_before_lives, pause_resume_and_run, a_paused_queue_takes_the_jobs_in,
        a_full_queue_keeps_the_tick, a_lost_offer_is_given_to_another, eight_dispatchers_race_for_a_thousand_ticks,
        each_tick_once_though_redis_is_killed, what_cannot_be_read_makes_no_job_and_says_so, odd_fields_hold_up_nobody,
        many_wrecks_hold_up_nobody, the_audit_sees_a_schedule_out_of_place, a_move_that_broke_off_is_brought_to_its_end,
        what_is_deleted_leaves_no_copy, a_schedule_that_moved_knows_its_last_job, one_at_a_time_makes_and_moves_a_schedule,
        one_name_is_made_in_one_shard, the_audit_sees_a_schedule_of_any_shard, each_tick_once_though_schedules_move};
TEST_MAIN("queue_cron", tests)
