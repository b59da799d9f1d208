/* test_queue_older.c -- what the library before this one (barque2) left behind is shown, served and swept as if this one had written it. */
#include "queue/history.h"
#include "tests/contract/queue_hands.h"

#define DAY_MS 86400000

const char *suite_url(void)
{
	return test_redis_own("no")->url;
}

static const char *tail_of(const char *id)
{
	return id + strlen(Q "-0");
}

/* An answer that is one text or one number, without its frame. */
static void ask_text(char out[256], const char *command, const char *id)
{
	char answer[256], line[200];

	snprintf(line, sizeof(line), "%s {bq:q:0}:j:%s%s", command, tail_of(id), str_starts(command, "HGET") ? " b" : "");
	ck_assert(test_redis_say(test_redis_own("no")->port, line, answer, sizeof(answer)));
	const char *at = answer[0] == '$' ? strchr(answer, '\n') + 1 : answer + 1;
	ck_assert(str_copy_n(out, 256, at, strcspn(at, "\r\n")));
}

/* A claimed job as barque2 wrote it: when it began alone in b, and the worker in w. */
static void make_older(const char *id)
{
	char b[256], *space;

	ask_text(b, "HGET", id);
	space = strchr(b, ' ');
	ck_assert_msg(space != NULL, "%s", b);
	*space = '\0';
	test_redis_tell(test_redis_own("no")->port, "HSET {bq:q:0}:j:%s b %s w %s", tail_of(id), b, space + 1);
}

/* A job that ended so, as barque2 wrote it. */
static void end_older(struct queue *q, struct queue_link *l, char id[JOB_ID], enum ack_outcome outcome, enum err_code code)
{
	struct queue_claim c;

	submit_plain(q, id);
	c = claim_one(l);
	ck_assert_str_eq(c.job.id, id);
	make_older(id);
	ck_assert_uint_eq(ack(l, id, c.job.fence, outcome, code), 0);
	job_close(&c.job);
}

static void shown_with(struct queue *q, const char *id, enum job_state state, const char *worker)
{
	struct job j = show(q, id);

	ck_assert_int_eq(j.state, state);
	ck_assert_str_eq(j.worker, worker);
	ck_assert_int_ge(j.started_at, j.created_at);
	job_close(&j);
}

START_TEST(what_has_ended_is_shown_and_comes_into_the_history)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w:1");
	char done[JOB_ID], failed[JOB_ID], next[64];
	struct history_writer w = {.name = "h", .what = HISTORY_ALL, .queue = Q};
	struct history_batch b = {0};
	struct job jobs[4];
	struct err e = {0};

	end_older(q, l, done, ACK_DONE, ERR_NONE);
	end_older(q, l, failed, ACK_ERROR, ERR_INVALID);
	shown_with(q, done, JOB_SUCCEEDED, "w:1");
	shown_with(q, failed, JOB_FAILED, "w:1");
	ck_assert_msg(queue_list(q, Q, NULL, -1, "", 4, jobs, next, &e) == 2, "%s", e.text);
	for (size_t i = 0; i < 2; i++)
		job_close(&jobs[i]);
	ck_assert_int_eq(queue_history_take(q, &w, 10, &b, &e), 1);
	ck_assert_uint_eq(b.n, 2);
	for (size_t i = 0; i < 2; i++)
		ck_assert_str_eq(b.jobs[i].worker, "w:1");
	history_batch_close(&b);
	check_sound(q);
	close_both(&q, &l);
}
END_TEST

/* Its timeline says who had it before; whoever takes it then is its worker, though the older one's name stays in the record. */
START_TEST(what_failed_is_replayed)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w:1"), *l2 = open_link("w:2");
	struct err e = {0};
	struct queue_claim c;
	char id[JOB_ID];
	struct job j;

	end_older(q, l, id, ACK_ERROR, ERR_INVALID);
	ck_assert_msg(queue_replay(q, id, &e) == 1, "%s", e.text);
	j = show(q, id);
	ck_assert_msg(strstr(j.timeline, " claimed w:1\n") != NULL, "%s", j.timeline);
	job_close(&j);
	c = claim_one(l2);
	ck_assert_str_eq(c.job.id, id);
	shown_with(q, id, JOB_RUNNING, "w:2");
	ck_assert_uint_eq(ack(l2, id, c.job.fence, ACK_DONE, ERR_NONE), 0);
	shown_with(q, id, JOB_SUCCEEDED, "w:2");
	job_close(&c.job);
	check_sound(q);
	queue_link_close(&l2);
	close_both(&q, &l);
}
END_TEST

/* Shown with its worker and its lease, which no repair takes away; and run again when that is over. */
START_TEST(what_runs_keeps_its_worker_and_its_lease)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w:1");
	char id[JOB_ID];
	struct job j;

	submit_plain(q, id);
	struct queue_step_reply r = step_with(l, NULL, 0, 1, 1000);
	ck_assert_uint_eq(r.n_claims, 1);
	queue_step_reply_close(&r);
	make_older(id);
	j = show(q, id);
	ck_assert_str_eq(j.worker, "w:1");
	ck_assert_int_gt(j.lease_until, j.started_at);
	job_close(&j);
	check_sound(q);
	ck_assert_ptr_nonnull(strstr(
	        test_redis_tell(test_redis_own("no")->port, "FCALL_RO %s_flow_look 1 {bq:q:0}:n bq q-0 0 0 %s", QUEUE_LIBRARY, tail_of(id)),
	        "w:1"));
	ck_assert_str_eq(test_redis_tell(test_redis_own("no")->port, "FCALL %s_mend 1 {bq:q:0}:n bq q-0 %d %d place %s l:w:1",
	                         QUEUE_LIBRARY, DAY_MS, DAY_MS, tail_of(id)),
	        ":0\r\n");
	ck_assert_int_eq(state_of(q, id), JOB_RUNNING);
	clock_sleep_ms(1100);
	r = step_with(l, NULL, 0, 0, 1000);
	queue_step_reply_close(&r);
	j = show(q, id);
	ck_assert_int_eq(j.state, JOB_READY);
	ck_assert_int_eq(j.crashes, 1);
	ck_assert_msg(strstr(j.timeline, " claimed w:1\n") != NULL, "%s", j.timeline);
	job_close(&j);
	check_sound(q);
	close_both(&q, &l);
}
END_TEST

/* A worker that comes back under its name finds the answer to its last step in words that are no longer spoken. */
START_TEST(a_worker_comes_back_under_its_name)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w:1");
	char id[JOB_ID];

	static const char *const answers[] = {"1 2 3 ", "1 2 3  ", "1 2 3 01m8b41zscj4ht4k049s ", "1 2 3 00000000000000000001 "};
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		test_redis_tell(test_redis_own("no")->port, "SET {bq:q:0}:w:w:1 \"%s\"", answers[i]);
		submit_plain(q, id);
		struct queue_claim c = claim_one(l);
		ck_assert_uint_eq(ack(l, id, c.job.fence, ACK_DONE, ERR_NONE), 0);
		job_close(&c.job);
	}
	close_both(&q, &l);
}
END_TEST

/* barque2 did not mark what it had put among the old ones while it lived, so that its usual end gave it no time to live. */
START_TEST(what_was_old_when_it_ended_does_not_stay_for_ever)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w:1");
	char id[JOB_ID], left[256];
	int64_t ms;

	submit_plain(q, id);
	struct queue_claim c = claim_one(l);
	test_redis_tell(test_redis_own("no")->port, "HSET {bq:q:0}:j:%s c 1000", tail_of(id));
	test_redis_tell(test_redis_own("no")->port, "LREM {bq:q:0}:a 0 %s", tail_of(id));
	test_redis_tell(test_redis_own("no")->port, "ZADD {bq:q:0}:o 1000 %s", tail_of(id));
	ck_assert_uint_eq(ack(l, id, c.job.fence, ACK_DONE, ERR_NONE), 0);
	job_close(&c.job);
	test_redis_tell(test_redis_own("no")->port, "HDEL {bq:q:0}:n mt"); /* the house is kept by the next step */
	step_nothing(l);
	ask_text(left, "PTTL", id);
	ck_assert_msg(str_int(left, DAY_MS - 60000, DAY_MS, &ms), "%s", left);
	check_sound(q);
	close_both(&q, &l);
}
END_TEST

static const TTest *const tests[] = {what_has_ended_is_shown_and_comes_into_the_history, what_failed_is_replayed,
        what_runs_keeps_its_worker_and_its_lease, a_worker_comes_back_under_its_name, what_was_old_when_it_ended_does_not_stay_for_ever};
TEST_MAIN("queue_older", tests)
