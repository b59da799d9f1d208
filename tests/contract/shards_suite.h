/* shards_suite.h -- what a queue with several shards must do. Included after queue_suite.h. */
#ifndef TESTS_CONTRACT_SHARDS_SUITE_H
#define TESTS_CONTRACT_SHARDS_SUITE_H

#include "queue/history.h"
#include "tests/contract/queue_suite.h"

#define SHARDS 4

static struct queue *open_sharded(int shards)
{
	struct queue_options o = {.shards = shards};

	return open_queue(&o);
}

static struct queue_link *open_shard(const char *worker, int shard)
{
	struct err e = {0};
	const char *kinds[] = {KIND};
	struct queue_link *l = queue_link_open_shard(suite_url(), NULL, Q, shard, worker, kinds, 1, &e);

	ck_assert_msg(l != NULL, "%s", e.text);
	return l;
}

static struct queue_shards shards_of(struct queue *q, int wanted)
{
	struct queue_shards n;
	struct err e = {0};

	ck_ok(queue_set_shards(q, Q, wanted, &n, &e), &e);
	return n;
}

static int shard_of_id(const char *id)
{
	char queue[JOB_NAME];
	int shard = -1;

	ck_assert(job_id_parse(id, queue, &shard));
	return shard;
}

/* Submit n jobs one by one; how many each shard got. */
static void submit_many(struct queue *q, int n, char (*ids)[JOB_ID], int got[SHARDS])
{
	memset(got, 0, SHARDS * sizeof(*got));
	for (int i = 0; i < n; i++) {
		submit_plain(q, ids[i]);
		ck_assert_int_lt(shard_of_id(ids[i]), SHARDS);
		got[shard_of_id(ids[i])]++;
	}
}

START_TEST(shards_share_the_jobs)
{
	struct queue *q = open_sharded(SHARDS);
	struct queue_link *l[SHARDS];
	char ids[40][JOB_ID];
	int got[SHARDS];

	submit_many(q, 40, ids, got);
	for (int i = 0; i < SHARDS; i++)
		ck_assert_int_eq(got[i], 10);
	ck_assert_int_eq(counts(q).ready, 40);
	for (int i = 0; i < SHARDS; i++) {
		struct queue_step_reply r;

		l[i] = open_shard("w1", i);
		r = step(l[i], 20);
		ck_assert_uint_eq(r.n_claims, 10);
		ck_assert_int_eq(r.shards, i ? 1 : SHARDS);
		for (size_t k = 0; k < r.n_claims; k++)
			ck_assert_int_eq(shard_of_id(r.claims[k].job.id), i);
		ck_assert_uint_eq(ack(l[i], r.claims[0].job.id, r.claims[0].job.fence, ACK_DONE, ERR_NONE), 0);
		queue_step_reply_close(&r);
	}
	ck_assert_int_eq(counts(q).done_total, SHARDS);
	ck_assert_int_eq(counts(q).running, 40 - SHARDS);
	ck_assert_int_eq(counts(q).workers, 1);
	for (int i = 0; i < 40; i++)
		ck_assert_int_le(state_of(q, ids[i]), JOB_SUCCEEDED);
	check_sound(q);
	for (int i = 0; i < SHARDS; i++)
		queue_link_close(&l[i]);
	queue_close(&q);
}
END_TEST

/* The ends of another shard's jobs are not told here. */
START_TEST(a_link_keeps_to_its_shard)
{
	struct queue *q = open_sharded(2);
	struct queue_link *l = open_shard("w1", 1);
	struct queue_ack a = {.fence = 1, .outcome = ACK_DONE};
	struct queue_step s = {.acks = &a, .n_acks = 1, .lease_ms = LEASE};
	struct err e = {0};
	const char *kinds[] = {KIND};

	job_id_make(a.id, Q, 0, 1, 1);
	ck_assert(!queue_link_step_begin(l, &s, &e));
	ck_assert_int_eq(e.code, ERR_INVALID);
	job_id_make(a.id, Q, 1, 1, 1);
	ck_ok(queue_link_step_begin(l, &s, &e), &e);
	ck_assert_ptr_null(queue_link_open_shard(suite_url(), NULL, Q, QUEUE_SHARDS_MAX, "w1", kinds, 1, &e));
	ck_assert_int_eq(e.code, ERR_INVALID);
	queue_link_close(&l);
	queue_close(&q);
}
END_TEST

START_TEST(keys_decide_the_shard)
{
	struct queue *q = open_sharded(SHARDS);
	bool used[SHARDS] = {false};
	int n = 0;

	for (int i = 0; i < 32; i++) {
		char lane[24];
		int first;

		snprintf(lane, sizeof(lane), "tenant%d", i);
		struct queue_submission a = {.priority = 5, .lane = lane}, b = a, c = {.lane = lane, .priority = 5, .unique_key = "u"};
		submit_new(q, &a);
		submit_new(q, &b);
		first = shard_of_id(a.id);
		ck_assert_int_eq(shard_of_id(b.id), first);
		used[first] = true;
		ck_assert_int_eq(submit(q, &c).outcome, i ? SUBMIT_EXISTING : SUBMIT_NEW); /* the unique key comes before the lane */
	}
	for (int i = 0; i < SHARDS; i++)
		n += used[i];
	ck_assert_int_eq(n, SHARDS);
	check_sound(q);
	queue_close(&q);
}
END_TEST

START_TEST(whole_batches_go_to_their_shards)
{
	struct queue *q = open_sharded(SHARDS);
	struct queue_submission s[QUEUE_BATCH_MAX];
	struct queue_submitted out[QUEUE_BATCH_MAX];
	char lanes[QUEUE_BATCH_MAX][24];
	struct err e = {0};

	memset(s, 0, sizeof(s));
	for (int i = 0; i < QUEUE_BATCH_MAX; i++) {
		snprintf(lanes[i], sizeof(lanes[i]), "t%d", i % 10);
		s[i] = (struct queue_submission){.kind = KIND, .queue = Q, .priority = 5, .lane = i % 2 ? lanes[i] : NULL};
	}
	ck_ok(queue_submit(q, s, QUEUE_BATCH_MAX, out, &e), &e);
	for (int i = 0; i < QUEUE_BATCH_MAX; i++) {
		ck_assert_int_eq(out[i].outcome, SUBMIT_NEW);
		ck_assert_int_eq(state_of(q, s[i].id), JOB_READY);
		if (i % 2 == 0) /* what may go anywhere goes along together */
			ck_assert_int_eq(shard_of_id(s[i].id), shard_of_id(s[0].id));
	}
	ck_ok(queue_submit(q, s, QUEUE_BATCH_MAX, out, &e), &e);
	for (int i = 0; i < QUEUE_BATCH_MAX; i++)
		ck_assert_int_eq(out[i].outcome, SUBMIT_EXISTING);
	check_sound(q);
	queue_close(&q);
}
END_TEST

/* ---- idempotency keys -------------------------------------------------------------------------------------------------- */

static struct queue_submission keyed(const char *lane, const char *print)
{
	return (struct queue_submission){.priority = 5, .lane = lane, .idempotency_key = "monday", .fingerprint = print};
}

START_TEST(an_idempotency_key_holds_in_all_shards)
{
	struct queue *q = open_sharded(SHARDS);
	struct queue_submission first = keyed("tenant", "p");
	enum job_state state;
	struct err e = {0};

	submit_new(q, &first);
	for (int i = 0; i < 16; i++) {
		char lane[24];
		struct queue_submission same = keyed("tenant", "p"), other;
		struct queue_submitted out = submit(q, &same);

		ck_assert_int_eq(out.outcome, SUBMIT_EXISTING);
		ck_assert_str_eq(out.existing_id, first.id);
		snprintf(lane, sizeof(lane), "tenant%d", i);
		other = keyed(lane, "another request");
		out = submit(q, &other);
		ck_assert_int_eq(out.outcome, SUBMIT_MISMATCH);
		ck_assert_str_eq(out.existing_id, first.id);
	}
	ck_assert_int_eq(counts(q).ready, 1);
	shards_of(q, SHARDS + 3); /* its lane may belong to another shard now */
	for (int i = 0; i < 4; i++) {
		struct queue_submission same = keyed("tenant", "p");

		ck_assert_str_eq(submit(q, &same).existing_id, first.id);
	}
	ck_assert_int_eq(queue_cancel(q, first.id, &state, &e), 1);
	check_sound(q);
	queue_close(&q);
}
END_TEST

/* Who reserved the key and died before the job was submitted holds up nobody; nor does a job that has vanished. */
START_TEST(a_key_of_no_job_is_free)
{
	struct queue_options o = {.shards = SHARDS, .result_ttl_ms = 300};
	struct queue *q = open_queue(&o);
	struct queue_submission first = keyed("a", "p"), second = keyed("b", "other");
	enum job_state state;
	struct err e = {0};

	submit_new(q, &first);
	ck_assert_int_eq(queue_cancel(q, first.id, &state, &e), 1);
	clock_sleep_ms(500);
	submit_new(q, &second);
	ck_assert_str_ne(first.id, second.id);
	first = keyed("a", "p");
	ck_assert_int_eq(submit(q, &first).outcome, SUBMIT_MISMATCH);
	queue_close(&q);
}
END_TEST

/* ---- all over the shards ---------------------------------------------------------------------------------------------- */

static int list_shards(struct queue *q, int state, int limit, char (*seen)[JOB_ID])
{
	char cursor[64] = "", next[64];
	struct job jobs[64];
	struct err e = {0};
	int n = 0, pages = 0;

	do {
		int got = queue_list(q, Q, NULL, state, cursor, limit, jobs, next, &e);

		ck_assert_msg(got >= 0, "%s", e.text);
		for (int i = 0; i < got; i++) {
			memcpy(seen[n++], jobs[i].id, JOB_ID);
			job_close(&jobs[i]);
		}
		memcpy(cursor, next, sizeof(cursor));
		ck_assert_int_lt(++pages, 100);
	} while (cursor[0]);
	return n;
}

static void check_listed(char (*seen)[JOB_ID], int n, char (*ids)[JOB_ID], int expected)
{
	ck_assert_int_eq(n, expected);
	for (int i = 0; i < expected; i++) {
		int times = 0;

		for (int k = 0; k < n; k++)
			times += str_eq(seen[k], ids[i]);
		ck_assert_msg(times == 1, "%s is listed %d times", ids[i], times);
	}
}

START_TEST(lists_go_over_all_shards)
{
	struct queue *q = open_sharded(SHARDS);
	struct queue_link *l = open_shard("w1", 2);
	char ids[42][JOB_ID], seen[100][JOB_ID];
	int got[SHARDS];
	struct queue_step_reply r;

	submit_many(q, 42, ids, got);
	for (int limit = 1; limit < 64; limit += 9) {
		check_listed(seen, list_shards(q, -1, limit, seen), ids, 42);
		check_listed(seen, list_shards(q, JOB_READY, limit, seen), ids, 42);
	}
	r = step(l, 5);
	ck_assert_int_eq(list_shards(q, JOB_RUNNING, 2, seen), 5);
	queue_step_reply_close(&r);
	queue_link_close(&l);
	queue_close(&q);
}
END_TEST

START_TEST(dead_letters_of_all_shards)
{
	struct queue *q = open_sharded(SHARDS);
	char ids[20][JOB_ID], next[64], cursor[64] = "";
	int got[SHARDS], found = 0, skipped, done = 0;
	struct queue_dead_filter f = {.queue = Q, .state = JOB_FAILED};
	struct job jobs[3];
	struct err e = {0};

	submit_many(q, 20, ids, got);
	for (int i = 0; i < SHARDS; i++) {
		struct queue_link *l = open_shard("w1", i);

		for (int k = 0; k < got[i]; k++) {
			struct queue_claim c = claim_one(l);

			ack(l, c.job.id, c.job.fence, ACK_ERROR, ERR_INVALID);
			job_close(&c.job);
		}
		queue_link_close(&l);
	}
	do {
		int n = queue_dead_list(q, &f, cursor, 3, jobs, next, &e);

		ck_assert_msg(n >= 0, "%s", e.text);
		for (int i = 0; i < n; i++, found++)
			job_close(&jobs[i]);
		memcpy(cursor, next, sizeof(cursor));
	} while (cursor[0]);
	ck_assert_int_eq(found, 20);
	do {
		int n = queue_dead_act(q, QUEUE_DEAD_REPLAY, &f, cursor, 4, &skipped, next, &e);

		ck_assert_msg(n >= 0, "%s", e.text);
		done += n;
		memcpy(cursor, next, sizeof(cursor));
	} while (cursor[0]);
	ck_assert_int_eq(done, 20);
	ck_assert_int_eq(counts(q).ready, 20);
	check_sound(q);
	queue_close(&q);
}
END_TEST

START_TEST(pause_and_purge_all_shards)
{
	struct queue *q = open_sharded(2);
	struct queue_link *l[SHARDS];
	char ids[40][JOB_ID];
	int got[SHARDS];
	int64_t left;
	struct err e = {0};

	ck_ok(queue_pause(q, Q, &e), &e);
	shards_of(q, SHARDS); /* the new ones are paused too */
	submit_many(q, 40, ids, got);
	for (int i = 0; i < SHARDS; i++) {
		l[i] = open_shard("w1", i);
		ck_assert_uint_eq(claim_count(l[i], 5), 0);
	}
	ck_ok(queue_resume(q, Q, &e), &e);
	for (int i = 0; i < SHARDS; i++)
		ck_assert_uint_eq(claim_count(l[i], 5), 5);
	ck_assert_int_eq(queue_purge(q, Q, JOB_READY, 12, &left, &e), 12);
	ck_assert_int_eq(left, 8);
	ck_assert_int_eq(queue_purge(q, Q, JOB_READY, 12, &left, &e), 8);
	ck_assert_int_eq(left, 0);
	for (int i = 0; i < 6; i++) {
		struct queue_submission s = {.delay_ms = 60000};

		submit_new(q, &s);
	}
	ck_assert_int_eq(queue_purge(q, Q, JOB_SCHEDULED, 2, &left, &e), 2);
	ck_assert_int_eq(left, 4);
	check_sound(q);
	for (int i = 0; i < SHARDS; i++)
		queue_link_close(&l[i]);
	queue_close(&q);
}
END_TEST

START_TEST(a_watched_job_of_any_shard)
{
	struct queue *q = open_sharded(SHARDS);
	struct err e = {0};
	struct queue_watcher *w = queue_watcher_open(suite_url(), NULL, &e);
	char ids[SHARDS][JOB_ID], id[JOB_ID];
	enum job_state state;

	ck_assert_msg(w != NULL, "%s", e.text);
	for (int i = 0; i < SHARDS; i++) {
		int got = 0;

		submit_plain(q, ids[i]);
		ck_assert_int_eq(queue_watch(q, ids[i], &state, &e), 1);
		ck_assert_int_eq(queue_cancel(q, ids[i], &state, &e), 1);
		for (int k = 0; k < 100 && !got; k++) {
			wait_fd(queue_watcher_fd(w));
			got = queue_watcher_next(w, id, &state, &e);
		}
		ck_assert_msg(got == 1, "%s", e.text);
		ck_assert_str_eq(id, ids[i]);
		ck_assert_int_eq(state, JOB_CANCELLED);
	}
	queue_watcher_close(&w);
	queue_close(&q);
}
END_TEST

/* ---- their number --------------------------------------------------------------------------------------------------------- */

START_TEST(the_number_of_shards_is_kept)
{
	struct queue *q = open_sharded(0), *more = open_sharded(3), *fewer = open_sharded(2);
	char id[JOB_ID];
	struct queue_shards n = shards_of(q, 0);
	struct err e = {0};

	ck_assert(n.put == 1 && n.serve == 1);
	submit_plain(more, id); /* who wants more gets more */
	n = shards_of(q, 0);
	ck_assert(n.put == 3 && n.serve == 3);
	submit_plain(fewer, id); /* and who wants fewer takes what there is */
	n = shards_of(fewer, 0);
	ck_assert(n.put == 3 && n.serve == 3);
	ck_assert(!queue_set_shards(q, Q, QUEUE_SHARDS_MAX + 1, &n, &e));
	ck_assert_int_eq(e.code, ERR_INVALID);
	queue_close(&q);
	queue_close(&more);
	queue_close(&fewer);
}
END_TEST

/* Lowered: nothing new goes there; let go only when it is empty and everybody has heard of it. */
START_TEST(fewer_shards_when_they_are_empty)
{
	struct queue *q = open_sharded(0);
	char ids[8][JOB_ID], seen[10][JOB_ID];
	int got[SHARDS];
	enum job_state state;
	struct err e = {0};
	struct queue_shards n = shards_of(q, 2);

	ck_assert(n.put == 2 && n.serve == 2);
	submit_many(q, 4, ids, got);
	n = shards_of(q, 1);
	ck_assert(n.put == 1 && n.serve == 2);
	submit_many(q, 4, ids + 4, got);
	ck_assert_int_eq(got[0], 4);
	ck_assert_int_eq(counts(q).ready, 8);
	clock_sleep_ms(10100);
	n = shards_of(q, 1);
	ck_assert(n.put == 1 && n.serve == 2); /* it still holds jobs */
	ck_assert_int_eq(list_shards(q, -1, 3, seen), 8);
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(queue_cancel(q, ids[i], &state, &e), 1);
	ck_ok(queue_history_off(q, &(struct history_writer){.name = "h", .what = HISTORY_ALL, .queue = Q, .shard = 1}, &e), &e);
	n = shards_of(q, 1);
	ck_assert(n.put == 1 && n.serve == 1);
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(state_of(q, ids[i]), JOB_CANCELLED); /* by their ids they are found for ever */
	queue_close(&q);
}
END_TEST

#define SHARDS_SUITE                                                                                                                   \
	shards_share_the_jobs, a_link_keeps_to_its_shard, keys_decide_the_shard, whole_batches_go_to_their_shards,                     \
	        an_idempotency_key_holds_in_all_shards, a_key_of_no_job_is_free, lists_go_over_all_shards, dead_letters_of_all_shards, \
	        pause_and_purge_all_shards, a_watched_job_of_any_shard, the_number_of_shards_is_kept, fewer_shards_when_they_are_empty

#endif
