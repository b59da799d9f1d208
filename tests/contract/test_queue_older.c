/* test_queue_older.c -- what the library before this one (barque2) left behind is shown, served and swept as if this one had written it. */
#include "queue/history.h"
#include "queue/seeing.h"
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

/* What Redis answers with one text or one number, without its frame. */
static void ask_text(char out[256], const char *line)
{
	char answer[256];

	ck_assert(test_redis_say(test_redis_own("no")->port, line, answer, sizeof(answer)));
	const char *at = answer[0] == '$' ? strchr(answer, '\n') + 1 : answer + 1;
	ck_assert(str_copy_n(out, 256, at, strcspn(at, "\r\n")));
}

/* A job as barque2 wrote it: its state in the record, in field s; and when somebody has claimed it, when it began alone in b, its worker
 * in w, its end in e. */
static void make_older(const char *id)
{
	char line[200], s[256], *space, *worker;
	long long fence = 0, ended = 0;

	snprintf(line, sizeof(line), "HGET {bq:q:0}:s %s", tail_of(id));
	ask_text(s, line);
	test_redis_tell(test_redis_own("no")->port, "HDEL {bq:q:0}:s %s", tail_of(id));
	space = strchr(s, ' ');
	if (space) {
		*space = '\0';
		worker = strchr(space + 1, ' ');
		ck_assert_ptr_nonnull(worker);
		ck_assert_int_ge(sscanf(s, "%*d.%*d.%lld.%lld", &fence, &ended), 1);
		test_redis_tell(test_redis_own("no")->port, "HSET {bq:q:0}:j:%s b %lld w %s", tail_of(id), fence / 1000, worker + 1);
	}
	if (ended) {
		test_redis_tell(test_redis_own("no")->port, "HSET {bq:q:0}:j:%s e %lld", tail_of(id), ended);
		*strrchr(s, '.') = '\0';
	}
	test_redis_tell(test_redis_own("no")->port, "HSET {bq:q:0}:j:%s s %s", tail_of(id), s);
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
	make_older(id);
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

/* Ready, due later, or cancelled where it waited: each goes on as it would have. */
START_TEST(what_waits_is_served)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w:1");
	struct queue_submission later = {.priority = 5, .delay_ms = 300};
	char ids[3][JOB_ID];
	enum job_state state;
	struct queue_backlog b;
	int64_t revs[3];
	struct err e = {0};

	for (size_t i = 0; i < 3; i++) {
		submit_plain(q, ids[i]);
		make_older(ids[i]);
	}
	submit_new(q, &later);
	make_older(later.id);
	ck_assert_int_eq(state_of(q, later.id), JOB_SCHEDULED);
	check_sound(q);
	ck_assert_msg(queue_cancel(q, ids[1], &state, &e) == 1, "%s", e.text);
	clock_sleep_ms(310);
	ck_ok(queue_backlog(q, Q, &b, &e), &e);
	ck_assert_int_ge(b.oldest_ms, 300);
	ck_ok(queue_revisions(q, ids, 3, revs, &e), &e);
	ck_assert(revs[0] == 1 && revs[1] == 2 && revs[2] == 1);
	step_nothing(l);
	ck_assert_int_eq(counts(q).ready, 3);
	ck_assert_uint_eq(claim_count(l, 5), 3);
	shown_with(q, ids[0], JOB_RUNNING, "w:1");
	shown_with(q, later.id, JOB_RUNNING, "w:1");
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
	char id[JOB_ID], left[256], line[200];
	int64_t ms;

	submit_plain(q, id);
	struct queue_claim c = claim_one(l);
	test_redis_tell(test_redis_own("no")->port, "HSET {bq:q:0}:j:%s c 1000", tail_of(id));
	test_redis_tell(test_redis_own("no")->port, "LREM {bq:q:0}:a 0 %s", tail_of(id));
	test_redis_tell(test_redis_own("no")->port, "ZADD {bq:q:0}:o 1000 %s", tail_of(id));
	ck_assert_uint_eq(ack(l, id, c.job.fence, ACK_DONE, ERR_NONE), 0);
	make_older(id);
	job_close(&c.job);
	test_redis_tell(test_redis_own("no")->port, "HDEL {bq:q:0}:n mt"); /* the house is kept by the next step */
	step_nothing(l);
	snprintf(line, sizeof(line), "PTTL {bq:q:0}:j:%s", tail_of(id));
	ask_text(left, line);
	ck_assert_msg(str_int(left, DAY_MS - 60000, DAY_MS, &ms), "%s", left);
	check_sound(q);
	close_both(&q, &l);
}
END_TEST

/* What ended as usual has no time of its own in Redis, and goes when its day is over. */
START_TEST(what_has_ended_is_swept)
{
	static const char *const kept[] = {"EXISTS {bq:q:0}:j:", "LLEN {bq:q:0}:a", "ZCARD {bq:q:0}:o", "HLEN {bq:q:0}:s"};
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w:1");
	char id[JOB_ID], line[200], n[256];

	end_older(q, l, id, ACK_DONE, ERR_NONE);
	test_redis_tell(test_redis_own("no")->port, "HSET {bq:q:0}:j:%s c 1000 e 2000", tail_of(id));
	test_redis_tell(test_redis_own("no")->port, "PERSIST {bq:q:0}:j:%s", tail_of(id));
	for (int i = 0; i < 3; i++) {
		test_redis_tell(test_redis_own("no")->port, "HDEL {bq:q:0}:n mt");
		step_nothing(l);
	}
	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		snprintf(line, sizeof(line), "%s%s", kept[i], i ? "" : tail_of(id));
		ask_text(n, line);
		ck_assert_msg(str_eq(n, "0"), "%s: %s", line, n);
	}
	close_both(&q, &l);
}
END_TEST

static const TTest *const tests[] = {what_has_ended_is_shown_and_comes_into_the_history, what_waits_is_served, what_failed_is_replayed,
        what_runs_keeps_its_worker_and_its_lease, a_worker_comes_back_under_its_name, what_was_old_when_it_ended_does_not_stay_for_ever,
        what_has_ended_is_swept};
TEST_MAIN("queue_older", tests)
