/* test_queue_history.c -- what the queue does for who writes down its ended jobs: in order, each once, by one writer, bounded. */
#include "queue/history.h"
#include "tests/contract/queue_hands.h"

const char *suite_url(void)
{
	return test_redis_own("no")->url;
}

/* ---- the history ----------------------------------------------------------------------------------------------------- */

static struct history_writer writer_of(const char *name, enum history_what what)
{
	return (struct history_writer){.name = name, .what = what, .queue = Q};
}

static struct history_batch history_taken(struct queue *q, const struct history_writer *w, int limit)
{
	struct err e = {0};
	struct history_batch b;

	ck_assert_msg(queue_history_take(q, w, limit, &b, &e) == 1, "%s", e.text);
	return b;
}

static void history_written(struct queue *q, const struct history_writer *w, struct history_batch *b)
{
	struct err e = {0};

	ck_assert_msg(queue_history_drop(q, w, b, &e) == 1, "%s", e.text);
	history_batch_close(b);
}

static int64_t history_waiting(struct queue *q, const struct history_writer *w)
{
	struct history_batch b = history_taken(q, w, 1);
	int64_t waiting = b.waiting;

	history_batch_close(&b);
	return waiting;
}

/* Submit n jobs and end them, at most `batch` in a call. */
static void end_jobs(struct queue *q, struct queue_link *l, int n, int batch, enum ack_outcome how)
{
	while (n > 0) {
		int some = n < batch ? n : batch;
		struct queue_ack *acks = mem_array((size_t)some, sizeof(*acks));

		for (int i = 0; i < some; i++) {
			struct queue_submission s = {.priority = 5};

			submit_new(q, &s);
		}
		struct queue_step_reply r = step(l, some);
		ck_assert_uint_eq(r.n_claims, some);
		for (int i = 0; i < some; i++) {
			acks[i] = (struct queue_ack){.fence = r.claims[i].job.fence, .outcome = how};
			memcpy(acks[i].id, r.claims[i].job.id, JOB_ID);
			err_set(&acks[i].error, ERR_INVALID, "it did not go well");
		}
		queue_step_reply_close(&r);
		r = step_with(l, acks, (size_t)some, 0, LEASE);
		ck_assert_uint_eq(r.n_rejected, 0);
		queue_step_reply_close(&r);
		mem_free(&acks);
		n -= some;
	}
}

/* Take all there is, `limit` at a time; how many records. */
static size_t take_all(struct queue *q, const struct history_writer *w, int limit)
{
	size_t n = 0;

	for (int round = 0;; round++) {
		struct history_batch b = history_taken(q, w, limit);
		int looked = b.looked;

		n += b.n;
		history_written(q, w, &b);
		if (round % 100 == 1 || !looked)
			check_sound(q);
		if (!looked)
			return n;
	}
}

/* Each end once, in their order, those from before there was a writer, too, and with all that is known of it. */
START_TEST(history_is_taken_in_order)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct history_writer w = writer_of("h:1", HISTORY_ALL);
	char ids[3][JOB_ID];

	end_jobs(q, l, 3, 3, ACK_DONE);
	ck_assert_int_eq(history_waiting(q, &w), 3);
	ck_assert_uint_eq(take_all(q, &w, 2), 3);
	for (size_t i = 0; i < 3; i++)
		submit_plain(q, ids[i]);
	ck_assert_int_eq(cancel(q, ids[2]), JOB_CANCELLED);
	for (size_t i = 0; i < 2; i++) {
		struct queue_claim c = claim_one(l);

		ck_assert_uint_eq(ack(l, c.job.id, c.job.fence, i ? ACK_ERROR : ACK_DONE, i ? ERR_INVALID : ERR_NONE), 0);
		job_close(&c.job);
	}
	struct history_batch b = history_taken(q, &w, 10);
	ck_assert_uint_eq(b.n, 3);
	ck_assert_int_eq(b.waiting, 3);
	ck_assert_str_eq(b.jobs[0].id, ids[2]);
	ck_assert_str_eq(b.jobs[1].id, ids[0]);
	ck_assert_str_eq(b.jobs[2].id, ids[1]);
	ck_assert_int_eq(b.jobs[0].state, JOB_CANCELLED);
	ck_assert_int_eq(b.jobs[1].state, JOB_SUCCEEDED);
	ck_assert_int_eq(b.jobs[2].state, JOB_FAILED);
	ck_assert_str_eq(b.jobs[2].error.text, "it did not go well");
	ck_assert_str_eq(b.jobs[1].params, "{\"n\":1}");
	ck_assert(b.jobs[1].finished_at >= b.jobs[1].started_at && b.jobs[1].started_at > 0);
	history_written(q, &w, &b);
	ck_assert_int_eq(history_waiting(q, &w), 0);
	close_both(&q, &l);
}
END_TEST

/* Ends lie in texts of as many as one call made: any limit must walk through them without losing or doubling one. */
START_TEST(history_of_any_batches)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct history_writer w = writer_of("h:1", HISTORY_ALL);
	static const int limits[] = {1, 7, 64, QUEUE_BATCH_MAX};

	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		ck_assert_int_eq(history_waiting(q, &w), 0);
		end_jobs(q, l, 60, 60, ACK_DONE);
		end_jobs(q, l, 23, 1, ACK_DONE);
		end_jobs(q, l, 300, 200, ACK_DONE);
		ck_assert_int_eq(history_waiting(q, &w), 383);
		ck_assert_uint_eq(take_all(q, &w, limits[i]), 383);
	}
	close_both(&q, &l);
}
END_TEST

/* One writes at a time; who lost the lease cannot drop what another takes now; what was not dropped is taken again. */
START_TEST(history_has_one_writer)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct history_writer first = writer_of("h:1", HISTORY_ALL), second = writer_of("h:2", HISTORY_ALL);
	struct history_batch b, other;
	struct err e = {0};

	ck_assert_int_eq(history_waiting(q, &first), 0);
	end_jobs(q, l, 5, 5, ACK_DONE);
	b = history_taken(q, &first, 5);
	ck_assert_int_eq(queue_history_take(q, &second, 5, &other, &e), 0);
	ck_assert_int_eq(queue_history_drop(q, &second, &b, &e), 0);
	clock_sleep_ms(5200);
	other = history_taken(q, &second, 3);
	ck_assert_uint_eq(other.n, 3);
	ck_assert_str_eq(other.jobs[0].id, b.jobs[0].id);
	ck_assert_int_eq(queue_history_drop(q, &first, &b, &e), 0);
	history_batch_close(&b);
	b = other;
	ck_assert_int_eq(queue_history_drop(q, &second, &other, &e), 1);
	ck_assert_int_eq(queue_history_drop(q, &second, &b, &e), 0); /* the same again, after a lost answer */
	history_batch_close(&b);
	ck_assert_uint_eq(take_all(q, &second, 5), 2);
	close_both(&q, &l);
}
END_TEST

START_TEST(history_of_failures_only)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct history_writer w = writer_of("h:1", HISTORY_FAILURES);
	struct err e = {0};

	ck_assert_int_eq(history_waiting(q, &w), 0);
	end_jobs(q, l, 4, 4, ACK_DONE);
	end_jobs(q, l, 2, 2, ACK_ERROR);
	ck_assert_uint_eq(take_all(q, &w, 10), 2);
	ck_ok(queue_history_off(q, &w, &e), &e);
	end_jobs(q, l, 2, 2, ACK_ERROR);
	ck_assert_uint_eq(take_all(q, &w, 10), 0);
	end_jobs(q, l, 2, 2, ACK_ERROR); /* taking has turned it on again */
	ck_assert_uint_eq(take_all(q, &w, 10), 2);
	w.what = HISTORY_NONE;
	struct history_batch b;
	ck_assert_int_eq(queue_history_take(q, &w, 1, &b, &e), -1);
	close_both(&q, &l);
}
END_TEST

/* While nobody takes, memory stays bounded: the oldest go, and it is known how many. */
START_TEST(history_that_nobody_takes)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct history_writer w = writer_of("h:1", HISTORY_ALL);
	struct history_batch b, old;
	struct err e = {0};

	w.waiting_max = 100;
	ck_assert_int_eq(history_waiting(q, &w), 0);
	end_jobs(q, l, 60, 60, ACK_DONE);
	old = history_taken(q, &w, 10);
	ck_assert_int_eq(queue_history_drop(q, &w, &old, &e), 1); /* the first text is used in part */
	history_batch_close(&old);
	old = history_taken(q, &w, 10);
	end_jobs(q, l, 180, 60, ACK_DONE);
	check_sound(q);
	b = history_taken(q, &w, QUEUE_BATCH_MAX);
	ck_assert_int_eq(b.waiting + b.dropped, 60 - 10 + 180);
	ck_assert_int_le(b.waiting, 100);
	ck_assert_int_ge(b.waiting, 100 - 60);
	ck_assert_uint_eq(b.n, b.waiting);
	ck_assert_int_eq(queue_history_drop(q, &w, &old, &e), 0); /* they are gone already: nothing newer goes instead */
	history_batch_close(&old);
	history_written(q, &w, &b);
	ck_assert_int_eq(history_waiting(q, &w), 0);
	close_both(&q, &l);
}
END_TEST

/* Nor does it matter who ends jobs: no worker needs to be there. */
START_TEST(history_of_jobs_that_clients_cancel)
{
	struct queue *q = open_queue(NULL);
	struct history_writer w = writer_of("h:1", HISTORY_ALL);
	struct history_batch b;

	w.waiting_max = 20;
	ck_assert_int_eq(history_waiting(q, &w), 0);
	for (int i = 0; i < 50; i++) {
		char id[JOB_ID];

		submit_plain(q, id);
		ck_assert_int_eq(cancel(q, id), JOB_CANCELLED);
	}
	b = history_taken(q, &w, QUEUE_BATCH_MAX);
	ck_assert_int_le(b.waiting, 20);
	ck_assert_int_eq(b.waiting + b.dropped, 50);
	ck_assert_uint_eq(b.n, b.waiting);
	history_written(q, &w, &b);
	check_sound(q);
	queue_close(&q);
}
END_TEST

/* Texts that hold no id at all, which nobody of ours writes: an answer has no more of them than a batch. */
START_TEST(history_of_nothing_is_bounded)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	int port = test_redis_own("no")->port;
	const char *answer;

	end_jobs(q, l, 1, 1, ACK_DONE);
	for (int i = 0; i < 50; i++)
		test_redis_tell(port, "LPUSH {bq:q:0}:e%s",
		        " 1234567890123 1234567890123 1234567890123 1234567890123 1234567890123"
		        " 1234567890123 1234567890123 1234567890123 1234567890123 1234567890123");
	answer = test_redis_tell(port, "FCALL %s_history_take 1 {bq:q:0}:n bq q-0 0 0 h 256 a100", QUEUE_LIBRARY);
	ck_assert_msg(strstr(answer, "*256\r\n") != NULL, "%.60s", answer);
	queue_link_close(&l);
	queue_close(&q);
}
END_TEST

/* Replayed before it was taken: only the last end is there, and once. Deleted: none. */
START_TEST(history_of_replayed_and_deleted)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct history_writer w = writer_of("h:1", HISTORY_ALL);
	struct queue_dead_filter failed = {.queue = Q, .state = JOB_FAILED};
	struct err e = {0};
	char again[JOB_ID], next[64];
	int skipped;

	ck_assert_int_eq(history_waiting(q, &w), 0);
	submit_plain(q, again);
	ck_assert_int_eq(cancel(q, again), JOB_CANCELLED);
	clock_sleep_ms(3);
	ck_assert_int_eq(queue_replay(q, again, &e), 1);
	struct queue_claim c = claim_one(l);
	ck_assert_uint_eq(ack(l, again, c.job.fence, ACK_DONE, ERR_NONE), 0);
	job_close(&c.job);
	end_jobs(q, l, 1, 1, ACK_ERROR);
	ck_assert_int_eq(queue_dead_act(q, QUEUE_DEAD_DELETE, &failed, "", 5, &skipped, next, &e), 1);
	struct history_batch b = history_taken(q, &w, 10);
	ck_assert_int_eq(b.looked, 3);
	ck_assert_uint_eq(b.n, 1);
	ck_assert_str_eq(b.jobs[0].id, again);
	ck_assert_int_eq(b.jobs[0].state, JOB_SUCCEEDED);
	history_written(q, &w, &b);
	close_both(&q, &l);
}
END_TEST

/* Steps keep house once a second, with places and counters of their own. */
START_TEST(history_while_house_is_kept)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct history_writer w = writer_of("h:1", HISTORY_ALL);
	struct history_batch b;
	struct err e = {0};
	struct queue_step_reply r;

	ck_assert_int_eq(history_waiting(q, &w), 0);
	end_jobs(q, l, 20, 20, ACK_DONE);
	b = history_taken(q, &w, 10);
	history_written(q, &w, &b);
	b = history_taken(q, &w, 5);
	clock_sleep_ms(1100);
	r = step(l, 0);
	queue_step_reply_close(&r);
	ck_assert_int_eq(queue_history_drop(q, &w, &b, &e), 1);
	history_batch_close(&b);
	b = history_taken(q, &w, 10);
	ck_assert_uint_eq(b.n, 5);
	ck_assert_int_eq(b.dropped, 0);
	history_written(q, &w, &b);
	close_both(&q, &l);
}
END_TEST

static const TTest *const tests[] = {history_while_house_is_kept, history_is_taken_in_order, history_of_any_batches, history_has_one_writer,
        history_of_failures_only, history_that_nobody_takes, history_of_jobs_that_clients_cancel, history_of_nothing_is_bounded,
        history_of_replayed_and_deleted};
TEST_MAIN("queue_history", tests)
