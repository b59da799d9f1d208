/* spread_suite.h -- what goes over all shards of a queue beside plain jobs. Included after shards_suite.h and the suites whose helpers it uses. */
#ifndef TESTS_CONTRACT_SPREAD_SUITE_H
#define TESTS_CONTRACT_SPREAD_SUITE_H

#include "queue/schedule.h"
#include "tests/contract/flow_suite.h"
#include "tests/contract/limits_suite.h"
#include "tests/contract/seeing_suite.h"
#include "tests/contract/shards_suite.h"
#include "tests/contract/workers_suite.h"

#define SPREAD 3

static void open_shards(struct queue_link *l[SPREAD], const char *worker)
{
	for (int i = 0; i < SPREAD; i++)
		l[i] = open_shard(worker, i);
}

static void close_shards(struct queue_link *l[SPREAD])
{
	for (int i = 0; i < SPREAD; i++)
		queue_link_close(&l[i]);
}

/* A job for each shard, in their order. */
static void submit_one_each(struct queue *q, char ids[SPREAD][JOB_ID])
{
	for (int i = 0; i < SPREAD; i++) {
		char id[JOB_ID];

		submit_plain(q, id);
		memcpy(ids[shard_of_id(id)], id, JOB_ID);
	}
}

/* ---- logs, workers, routes, backlog ------------------------------------------------------------------------------------ */

START_TEST(jobs_of_any_shard_have_a_log)
{
	struct queue *q = open_sharded(SPREAD);
	struct queue_link *l[SPREAD];
	char ids[SPREAD][JOB_ID];

	submit_one_each(q, ids);
	open_shards(l, "w1");
	for (int i = 0; i < SPREAD; i++) {
		struct queue_claim c = claim_one(l[i]);

		ck_assert_str_eq(c.job.id, ids[i]);
		say(l[i], &c.job, 1, 3, NULL);
		log_is(q, ids[i], 0, 10, 1, 3);
		job_close(&c.job);
	}
	close_shards(l);
	queue_close(&q);
}
END_TEST

/* Each stands there once, with what it runs in all shards; what it is told it hears wherever it steps. */
START_TEST(workers_serve_all_shards)
{
	struct queue *q = open_sharded(SPREAD);
	struct queue_link *l[SPREAD], *other;
	struct queue_worker w[8];
	char ids[SPREAD][JOB_ID];

	submit_one_each(q, ids);
	open_shards(l, "w1");
	other = open_shard("w2", 2);
	for (int i = 0; i < SPREAD; i++) {
		report_step(l[i], i ? "{\"at\":\"last\"}" : "{\"at\":\"first\"}", false);
		clock_sleep_ms(2);
		ck_assert_uint_eq(claim_count(l[i], 5), 1);
	}
	report_step(other, "{}", false); /* it has not heard of the others yet */
	ck_assert_int_eq(workers_are(q, w, 8), 2);
	ck_assert_str_eq(w[0].name, "w1");
	ck_assert_int_eq(w[0].running, SPREAD);
	ck_assert_str_eq(w[0].report, "{\"at\":\"last\"}");
	ck_assert_str_eq(w[1].name, "w2");
	ck_assert_int_eq(w[1].running, 0);
	queue_worker_close(&w[0]);
	queue_worker_close(&w[1]);
	ck_assert_int_eq(tell(q, "w1", WORKER_QUIET), 1);
	ck_assert_int_eq(tell(q, "w2", WORKER_DRAIN), 1);
	ck_assert_int_eq(tell(q, "w3", WORKER_DRAIN), 0);
	for (int i = 0; i < SPREAD; i++)
		ck_assert_int_eq(report_step(l[i], NULL, false), WORKER_QUIET);
	ck_assert_int_eq(report_step(other, NULL, false), WORKER_DRAIN);
	ck_assert_int_eq(workers_are(q, w, 8), 2);
	ck_assert_int_eq(w[1].command, WORKER_DRAIN);
	queue_worker_close(&w[0]);
	queue_worker_close(&w[1]);
	ck_assert_int_eq(tell(q, "w1", WORKER_RESUME), 1);
	for (int i = 0; i < SPREAD; i++)
		ck_assert_int_eq(report_step(l[i], NULL, false), WORKER_RESUME);
	queue_link_close(&other);
	close_shards(l);
	queue_close(&q);
}
END_TEST

/* A route is served when it is in each shard where its jobs are ready. */
START_TEST(routes_of_all_shards)
{
	struct queue *q = open_sharded(SPREAD);
	struct queue_link *l[SPREAD];
	char ids[SPREAD][JOB_ID];
	struct queue_route r[4];

	submit_one_each(q, ids);
	submit_one_each(q, ids);
	open_shards(l, "w1");
	for (int i = 0; i <= SPREAD; i++) {
		ck_assert_int_eq(routes_are(q, r, 4), 1);
		ck_assert_str_eq(r[0].route, KIND);
		ck_assert_int_eq(r[0].ready, 2 * SPREAD);
		ck_assert(r[0].served == (i == SPREAD));
		ck_assert((r[0].named_at > 0) == (i == SPREAD));
		if (i < SPREAD)
			report_step(l[i], "{}", false);
	}
	close_shards(l);
	queue_close(&q);
}
END_TEST

START_TEST(the_backlog_of_all_shards)
{
	struct queue *q = open_sharded(SPREAD);
	struct queue_link *l[SPREAD];
	struct queue_backlog b;
	char ids[SPREAD][JOB_ID];

	submit_one_each(q, ids);
	clock_sleep_ms(300);
	submit_one_each(q, ids);
	b = backlog_of(q);
	ck_assert_int_eq(b.ready, 2 * SPREAD);
	ck_assert_int_ge(b.oldest_ms, 290);
	ck_assert(b.drain_rate == 0 && b.seconds >= 0.29);
	open_shards(l, "w1");
	for (int i = 0; i < SPREAD; i++) {
		struct queue_claim c = claim_one(l[i]);

		ack(l[i], c.job.id, c.job.fence, ACK_CRASHED, ERR_CRASHED);
		job_close(&c.job);
		ck_assert_uint_eq(claim_count(l[i], 1), 1);
	}
	b = backlog_of(q);
	ck_assert(b.ready == SPREAD && b.running == SPREAD && b.crashes == SPREAD);
	close_shards(l);
	queue_close(&q);
}
END_TEST

/* ---- flows ----------------------------------------------------------------------------------------------------------------- */

/* Both queues in SPREAD shards, and a link to each. */
struct spread {
	struct queue *q;
	struct queue_link *links[2 * SPREAD]; /* of Q, then of Q2 */
	struct queue_mail *mail;
};

static void spread_open(struct spread *s)
{
	struct queue_shards n;
	struct err e = {0};

	s->q = open_sharded(SPREAD);
	ck_ok(queue_set_shards(s->q, Q, SPREAD, &n, &e), &e);
	ck_ok(queue_set_shards(s->q, Q2, SPREAD, &n, &e), &e);
	for (int i = 0; i < SPREAD; i++) {
		s->links[i] = flow_link_to(Q, i);
		s->links[SPREAD + i] = flow_link_to(Q2, i);
	}
	s->mail = open_mail();
}

static void spread_close(struct spread *s)
{
	for (int i = 0; i < 2 * SPREAD; i++)
		queue_link_close(&s->links[i]);
	queue_mail_close(&s->mail);
	queue_close(&s->q);
}

/* End all that is ready, once. */
static size_t end_all(struct spread *s)
{
	size_t n = 0;

	for (int i = 0; i < 2 * SPREAD; i++) {
		struct queue_step_reply r = step(s->links[i], 100);

		for (size_t k = 0; k < r.n_claims; k++, n++)
			ck_assert_uint_eq(ack(s->links[i], r.claims[k].job.id, r.claims[k].job.fence, ACK_DONE, ERR_NONE), 0);
		queue_step_reply_close(&r);
	}
	return n;
}

/* All jobs of a flow in one shard, of many flows in all shards; so that nothing has to be carried. */
START_TEST(flows_stand_in_shards_of_their_own)
{
	struct spread s;
	struct rig_flow *r[24];
	bool used[SPREAD] = {false};

	spread_open(&s);
	for (size_t f = 0; f < ARRAY_LEN(r); f++) {
		int shard;

		r[f] = flow_new(5);
		for (size_t i = 0; i < 4; i++)
			flow_edge(r[f], 4, i);
		flow_submit_new(s.q, r[f]);
		shard = shard_of_id(r[f]->f.root.id);
		ck_assert_int_lt(shard, SPREAD);
		used[shard] = true;
		for (size_t i = 0; i < 5; i++)
			ck_assert_int_eq(shard_of_id(flow_id(r[f], i)), shard);
	}
	ck_assert(used[0] && used[1] && used[2]);
	both_sound(s.q);
	ck_assert_uint_eq(end_all(&s), 4 * ARRAY_LEN(r));
	ck_assert_uint_eq(end_all(&s), ARRAY_LEN(r));
	ck_assert_uint_eq(end_all(&s), ARRAY_LEN(r));
	ck_assert_int_eq(carry(s.mail), 0);
	for (size_t f = 0; f < ARRAY_LEN(r); f++) {
		state_is(s.q, r[f]->f.root.id, JOB_SUCCEEDED);
		flow_free(&r[f]);
	}
	both_sound(s.q);
	spread_close(&s);
}
END_TEST

/* What must be counted together stands together, though its flow stands elsewhere. */
START_TEST(a_job_of_a_flow_goes_where_its_keys_say)
{
	struct queue_submission plain = {.priority = 5, .concurrency_key = "disk", .max_concurrent = 1};
	struct spread s;
	struct rig_flow *r[12];
	int64_t left;
	struct err e = {0};

	spread_open(&s);
	submit_new(s.q, &plain);
	for (size_t f = 0; f < ARRAY_LEN(r); f++) {
		r[f] = flow_new(2);
		r[f]->jobs[0].job.concurrency_key = "disk";
		r[f]->jobs[0].job.max_concurrent = 1;
		flow_edge(r[f], 1, 0);
		flow_submit_new(s.q, r[f]);
		ck_assert_int_eq(shard_of_id(flow_id(r[f], 0)), shard_of_id(plain.id));
		ck_assert_int_eq(shard_of_id(flow_id(r[f], 1)), shard_of_id(r[f]->f.root.id));
	}
	for (int turn = 0; end_all(&s) || carry(s.mail); turn++)
		ck_assert_int_lt(turn, 100);
	for (size_t f = 0; f < ARRAY_LEN(r); f++) {
		state_is(s.q, r[f]->f.root.id, JOB_SUCCEEDED);
		flow_free(&r[f]);
	}
	both_sound(s.q);
	ck_assert_int_eq(queue_purge(s.q, Q, JOB_READY, 10, &left, &e), 0);
	spread_close(&s);
}
END_TEST

START_TEST(any_graph_over_shards)
{
	struct spread s;

	spread_open(&s);
	any_graph(s.q, s.links, 2 * SPREAD, 6);
	spread_close(&s);
}
END_TEST

START_TEST(any_trouble_over_shards)
{
	struct spread s;

	spread_open(&s);
	any_trouble(s.q, s.links, 2 * SPREAD, 30);
	spread_close(&s);
}
END_TEST

static struct rig_flow *flow_keyed(const char *key)
{
	struct rig_flow *r = flow_new(2);

	flow_edge(r, 1, 0);
	r->f.root.idempotency_key = key;
	r->f.root.fingerprint = "print";
	return r;
}

/* Submit the same again: it must be the flow that *first is. */
static void flow_is_same(struct queue *q, const struct rig_flow *first)
{
	struct rig_flow *again = flow_keyed(first->f.root.idempotency_key);
	struct queue_submitted out = flow_submit(q, again);

	ck_assert_int_eq(out.outcome, SUBMIT_EXISTING);
	ck_assert_str_eq(out.existing_id, first->f.root.id);
	flow_free(&again);
}

/* A flow's key holds while the number of shards changes, also for those who have not heard of it yet. */
START_TEST(a_flow_is_made_once_whatever_the_shards)
{
	struct queue *q = open_sharded(0), *old = open_sharded(0), *idle = open_sharded(0);
	struct rig_flow *one = flow_keyed("monday"), *three[8], *late = flow_keyed("late");
	char keys[8][16];

	flow_submit_new(old, one);
	flow_is_same(idle, one);
	shards_of(q, 3);
	for (int i = 0; i < 8; i++) {
		snprintf(keys[i], sizeof(keys[i]), "key%d", i);
		three[i] = flow_keyed(keys[i]);
		flow_submit_new(q, three[i]);
		flow_is_same(old, three[i]); /* who still thinks that there is one, until a key is one of another shard */
		flow_is_same(q, one);
	}
	flow_submit_new(idle, late);
	ck_assert_int_eq(shard_of_id(late->f.root.id), 0);
	flow_is_same(q, late);
	shards_of(q, 7);
	for (int i = 0; i < 8; i++)
		flow_is_same(q, three[i]);
	shards_of(q, 2);
	for (int i = 0; i < 8; i++) {
		flow_is_same(q, three[i]);
		flow_is_same(old, three[i]);
		flow_free(&three[i]);
	}
	flow_is_same(q, one);
	check_sound(q);
	flow_free(&one);
	flow_free(&late);
	queue_close(&old);
	queue_close(&idle);
	queue_close(&q);
}
END_TEST

START_TEST(a_key_holds_while_shards_are_added)
{
	struct queue *q = open_sharded(0), *old = open_sharded(0);
	struct queue_submission first = keyed(NULL, "p");

	submit_new(old, &first);
	shards_of(q, 3);
	for (int i = 0; i < 16; i++) {
		char lane[24];
		struct queue_submission same, other;

		snprintf(lane, sizeof(lane), "tenant%d", i);
		same = keyed(lane, "p");
		other = keyed(lane, "another request");
		ck_assert_int_eq(submit(q, &same).outcome, SUBMIT_EXISTING);
		ck_assert_str_eq(same.id, first.id);
		ck_assert_int_eq(submit(q, &other).outcome, SUBMIT_MISMATCH);
	}
	check_sound(q);
	queue_close(&old);
	queue_close(&q);
}
END_TEST

/* Also that of a job which ended in a shard that was let go of since. */
START_TEST(a_key_outlives_the_shard_of_its_job)
{
	struct queue *q = open_sharded(0);
	struct queue_submission s = keyed(NULL, "p"), again = s;
	struct queue_submitted out;
	struct err e = {0};

	shards_of(q, 2);
	job_id_make(s.id, Q, 1, clock_now_ms(), 1);
	submit_new(q, &s);
	ck_assert_int_eq(cancel(q, s.id), JOB_CANCELLED);
	shards_of(q, 1);
	clock_sleep_ms(10100);
	ck_ok(queue_history_off(q, &(struct history_writer){.name = "h", .what = HISTORY_ALL, .queue = Q, .shard = 1}, &e), &e);
	ck_assert_int_eq(shards_of(q, 1).serve, 1);
	out = submit(q, &again);
	ck_assert_int_eq(out.outcome, SUBMIT_EXISTING);
	ck_assert_str_eq(out.existing_id, s.id);
	again = keyed(NULL, "other");
	out = submit(q, &again);
	ck_assert_int_eq(out.outcome, SUBMIT_MISMATCH);
	ck_assert_str_eq(out.existing_id, s.id);
	queue_close(&q);
}
END_TEST

/* ---- changes --------------------------------------------------------------------------------------------------------------- */

static struct queue_changes changes_of(struct queue *q, int shard, const char *after)
{
	struct err e = {0};
	struct queue_changes c;

	ck_ok(queue_changes(q, Q, shard, after, &c, &e), &e);
	return c;
}

/* Each shard tells of its own jobs, and the first how many shards there are. */
START_TEST(changes_in_all_shards)
{
	struct queue *q = open_sharded(0);
	struct queue_changes c = changes_of(q, 0, "");
	char ids[SPREAD][JOB_ID], place[SPREAD][QUEUE_CHANGE_ID];
	struct err e = {0};

	ck_assert_int_eq(c.shards, 1);
	queue_changes_close(&c);
	shards_of(q, SPREAD);
	for (int i = 0; i < SPREAD; i++) {
		c = changes_of(q, i, "");
		ck_assert_int_eq(c.shards, i ? 0 : SPREAD);
		memcpy(place[i], c.after, QUEUE_CHANGE_ID);
		queue_changes_close(&c);
	}
	submit_one_each(q, ids);
	for (int i = 0; i < SPREAD; i++) {
		c = changes_of(q, i, place[i]);
		ck_assert(c.n == 1 && !c.gap && c.items[0].state == JOB_READY);
		ck_assert_str_eq(c.items[0].id, ids[i]);
		queue_changes_close(&c);
	}
	ck_assert(!queue_changes(q, Q, QUEUE_SHARDS_MAX, "", &c, &e));
	ck_assert_int_eq(e.code, ERR_INVALID);
	queue_close(&q);
}
END_TEST

/* ---- schedules -------------------------------------------------------------------------------------------------------------- */

#define SCHEDULES 24

static struct queue_schedule spread_schedule(int i, int64_t every_ms)
{
	struct queue_schedule s = {
	        .kind = KIND, .queue = Q, .every_ms = every_ms, .priority = 5, .params = mem_strdup("{}"), .missed = MISSED_ALL};

	snprintf(s.name, sizeof(s.name), "s%02d", i);
	return s;
}

static void schedule_put(struct queue *q, struct queue_schedule *s)
{
	struct err e = {0};

	ck_ok(queue_schedule_put(q, s, -1, &e), &e);
}

static struct queue_schedule schedule_of(struct queue *q, int i)
{
	struct queue_schedule s;
	struct err e = {0};
	char name[8];

	snprintf(name, sizeof(name), "s%02d", i);
	ck_assert_msg(queue_schedule_show(q, name, &s, &e) == 1, "%s", e.text);
	return s;
}

/* Make the jobs of what a step says is due, twice over. */
static void spread_fire(struct queue_link *l)
{
	for (int guard = 0;; guard++) {
		struct queue_step_reply r = step(l, 0);
		size_t n = r.n_due;

		ck_assert_int_lt(guard, 1000);
		for (int i = 0; i < 2 && n; i++) {
			struct queue_fire_reply out;
			struct err e = {0};
			int got;

			ck_ok(queue_link_fire_begin(l, r.due, n, r.now_ms, &e), &e);
			while (!(got = queue_link_fire_end(l, &out, &e)))
				wait_fd(queue_link_fd(l));
			ck_assert_msg(got == 1, "%s", e.text);
		}
		queue_step_reply_close(&r);
		if (!n)
			return;
	}
}

static int schedules_listed(struct queue *q)
{
	struct queue_schedule all[SCHEDULES + 1];
	struct err e = {0};
	int n = queue_schedule_list(q, "", SCHEDULES + 1, all, &e);

	ck_assert_msg(n >= 0, "%s", e.text);
	for (int i = 0; i < n; i++) {
		ck_assert(i == 0 || strcmp(all[i - 1].name, all[i].name) < 0);
		if (i)
			queue_schedule_close(&all[i - 1]);
	}
	if (n)
		queue_schedule_close(&all[n - 1]);
	return n;
}

/* Each in one shard, all in all shards; where it is, there are its jobs. */
START_TEST(schedules_stand_in_all_shards)
{
	struct queue *q = open_sharded(SPREAD);
	struct queue_link *l[SPREAD];
	bool used[SPREAD] = {false};
	struct err e = {0};

	shards_of(q, SPREAD);
	for (int i = 0; i < SCHEDULES; i++) {
		struct queue_schedule s = spread_schedule(i, 100);

		schedule_put(q, &s);
		queue_schedule_close(&s);
	}
	ck_assert_int_eq(schedules_listed(q), SCHEDULES);
	clock_sleep_ms(250);
	open_shards(l, "w1");
	for (int i = 0; i < SPREAD; i++)
		spread_fire(l[i]);
	for (int i = 0; i < SCHEDULES; i++) {
		struct queue_schedule s = schedule_of(q, i);
		char id[JOB_ID];

		ck_assert_int_ge(s.jobs, 2);
		ck_assert_int_eq(shard_of_id(s.last_job), s.shard);
		ck_assert_int_eq(state_of(q, s.last_job), JOB_READY);
		ck_assert_int_eq(queue_schedule_run(q, s.name, id, &e), 1);
		ck_assert_int_eq(shard_of_id(id), s.shard);
		ck_assert_int_eq(queue_schedule_pause(q, s.name, true, &e), 1);
		if (i % 2)
			ck_assert_int_eq(queue_schedule_delete(q, s.name, -1, &e), 1);
		used[s.shard] = true;
		queue_schedule_close(&s);
	}
	ck_assert(used[0] && used[1] && used[2]);
	ck_assert_int_eq(schedules_listed(q), SCHEDULES / 2);
	check_sound(q);
	close_shards(l);
	queue_close(&q);
}
END_TEST

/* What its jobs share with others is counted where those are; when it shares something else, it goes there and loses no tick. */
START_TEST(a_schedule_goes_where_the_keys_of_its_jobs_say)
{
	struct queue *q = open_sharded(SPREAD);
	struct queue_schedule s = spread_schedule(0, 3600 * 1000);
	int64_t next = 0, rev = 0;
	bool moved = false;

	shards_of(q, SPREAD);
	for (int i = 0; i < 12; i++) {
		struct queue_submission plain = {.priority = 5, .max_concurrent = 1};
		char key[16];

		snprintf(key, sizeof(key), "disk%d", i);
		plain.concurrency_key = key;
		submit_new(q, &plain);
		moved = moved || (i && s.shard != shard_of_id(plain.id));
		memcpy(s.concurrency_key, key, sizeof(key));
		s.max_concurrent = 1;
		schedule_put(q, &s);
		queue_schedule_close(&s);
		s = schedule_of(q, 0);
		ck_assert_int_eq(s.shard, shard_of_id(plain.id));
		ck_assert_int_eq(s.rev, rev + 1);
		ck_assert(!s.paused && (i == 0 || s.next_ms == next));
		rev = s.rev;
		next = s.next_ms;
		ck_assert_int_eq(schedules_listed(q), 1);
		check_sound(q);
	}
	ck_assert(moved);
	queue_schedule_close(&s);
	queue_close(&q);
}
END_TEST

/* Whatever the number of shards becomes, and though all is fired twice: a job for each tick, and none beside. */
START_TEST(each_tick_once_while_the_shards_change)
{
	static const int numbers[] = {1, 3, 5, 2, 4, 1};
	struct queue *q = open_sharded(0);
	struct queue_link *l[5];
	int64_t jobs = 0;
	struct err e = {0};

	for (int i = 0; i < 5; i++)
		l[i] = open_shard("w1", i);
	for (int i = 0; i < SCHEDULES; i++) {
		struct queue_schedule s = spread_schedule(i, 40);

		schedule_put(q, &s);
		queue_schedule_close(&s);
	}
	for (size_t k = 0; k < ARRAY_LEN(numbers); k++) {
		shards_of(q, numbers[k]);
		for (int i = 0; i < SCHEDULES; i++) {
			struct queue_schedule s = schedule_of(q, i);

			ck_assert_int_lt(s.shard, numbers[k]);
			queue_schedule_close(&s);
		}
		clock_sleep_ms(100);
		for (int i = 0; i < 5; i++)
			spread_fire(l[i]);
	}
	for (int i = 0; i < SCHEDULES; i++) {
		struct queue_schedule s = schedule_of(q, i);

		ck_assert_int_eq(s.jobs, (s.last_ms - s.start_ms) / s.every_ms);
		ck_assert_int_ge(s.jobs, (int)ARRAY_LEN(numbers));
		ck_assert_int_eq(s.passed + s.skipped, 0);
		jobs += s.jobs;
		ck_assert_int_eq(queue_schedule_delete(q, s.name, -1, &e), 1);
		queue_schedule_close(&s);
	}
	ck_assert_int_eq(counts(q).ready, jobs);
	check_sound(q);
	for (int i = 0; i < 5; i++)
		queue_link_close(&l[i]);
	queue_close(&q);
}
END_TEST

/* ---- what keeps a shard --------------------------------------------------------------------------------------------------- */

/* What is parked, and what the history has not yet, is not in the numbers of waiting jobs. */
START_TEST(a_shard_that_holds_anything_is_kept)
{
	struct queue *q = open_sharded(0);
	struct queue_link *l = open_shard("w1", 1);
	struct queue_submission s[2] = {{.priority = 5}, {.priority = 5}};
	struct history_writer w = {.name = "h", .what = HISTORY_ALL, .queue = Q, .shard = 1};
	struct history_batch b;
	struct err e = {0};

	shards_of(q, 2);
	for (int i = 0; i < 2; i++) {
		s[i].rate = (struct job_rate){.key = "k", .limit = 1, .window_ms = 24 * 3600 * 1000, .cost = 1};
		job_id_make(s[i].id, Q, 1, clock_now_ms(), (uint64_t)i);
		submit_new(q, &s[i]);
	}
	struct queue_claim c = claim_one(l);
	ck_assert_uint_eq(ack(l, c.job.id, c.job.fence, ACK_DONE, ERR_NONE), 0);
	job_close(&c.job);
	ck_assert_uint_eq(claim_count(l, 1), 0);
	ck_assert_int_eq(counts(q).parked, 1);
	shards_of(q, 1);
	clock_sleep_ms(10100);
	ck_assert_msg(queue_history_take(q, &w, 10, &b, &e) == 1, "%s", e.text);
	ck_assert_int_eq(queue_history_drop(q, &w, &b, &e), 1);
	history_batch_close(&b);
	ck_assert_int_eq(shards_of(q, 1).serve, 2); /* one is parked */
	ck_assert_int_eq(cancel(q, s[1].id), JOB_CANCELLED);
	ck_assert_int_eq(shards_of(q, 1).serve, 2); /* its end is not in the history */
	ck_assert_msg(queue_history_take(q, &w, 10, &b, &e) == 1, "%s", e.text);
	ck_assert_uint_eq(b.n, 1);
	ck_assert_int_eq(queue_history_drop(q, &w, &b, &e), 1);
	history_batch_close(&b);
	ck_assert_int_eq(shards_of(q, 1).serve, 1);
	queue_link_close(&l);
	queue_close(&q);
}
END_TEST

#define SPREAD_SUITE                                                                                                                \
	jobs_of_any_shard_have_a_log, workers_serve_all_shards, routes_of_all_shards, the_backlog_of_all_shards,                    \
	        a_shard_that_holds_anything_is_kept, schedules_stand_in_all_shards, a_schedule_goes_where_the_keys_of_its_jobs_say, \
	        each_tick_once_while_the_shards_change, changes_in_all_shards, flows_stand_in_shards_of_their_own,                  \
	        a_job_of_a_flow_goes_where_its_keys_say, any_graph_over_shards, any_trouble_over_shards,                            \
	        a_flow_is_made_once_whatever_the_shards, a_key_outlives_the_shard_of_its_job, a_key_holds_while_shards_are_added

#endif
