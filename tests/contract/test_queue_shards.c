/* test_queue_shards.c -- shards of a queue that were let go: nothing that lives again is left behind in one. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/contract/flow_suite.h"
#include "tests/contract/queue_suite.h"
#include "tests/contract/shards_suite.h"

const char *suite_url(void)
{
	return test_redis_own("no")->url;
}

/* As if everybody had had the time to hear of the last change of the number. */
static void time_passes(void)
{
	test_redis_tell(test_redis_own("no")->port, "HSET {bq:%s:0}:n st 1", Q);
}

/* Lower the number to one and let go of the other shard, which must be empty. */
static void let_go(struct queue *q)
{
	struct err e = {0};
	struct queue_shards n;

	ck_ok(queue_history_off(q, &(struct history_writer){.name = "h", .what = HISTORY_ALL, .queue = Q, .shard = 1}, &e), &e);
	shards_of(q, 1);
	time_passes();
	n = shards_of(q, 1);
	ck_assert(n.put == 1 && n.serve == 1);
}

static void purge_all(struct queue *q)
{
	struct err e = {0};
	int64_t left;

	ck_assert_int_ge(queue_purge(q, Q, JOB_READY, QUEUE_BATCH_MAX, &left, &e), 0);
	ck_assert_int_eq(left, 0);
}

/* A plain job in shard 1 of two. */
static void submit_in_one(struct queue *q, char id[JOB_ID])
{
	do
		submit_plain(q, id);
	while (shard_of_id(id) != 1);
}

/* The shard is served again, as long as there is something to do in it. */
static void check_served_again(struct queue *q, const char *id)
{
	struct queue_link *first = open_shard("w:1", 0), *second = open_shard("w:1", 1);
	struct queue_step_reply r = step(first, 0);
	struct queue_shards n = shards_of(q, 0);

	ck_assert(n.put == 1 && n.serve == 2);
	ck_assert_int_eq(r.shards, 2); /* so workers hear of it */
	queue_step_reply_close(&r);
	time_passes();
	ck_assert_int_eq(shards_of(q, 1).serve, 2);
	struct queue_claim c = claim_one(second);
	ck_assert_str_eq(c.job.id, id);
	ck_assert_uint_eq(ack(second, id, c.job.fence, ACK_DONE, ERR_NONE), 0);
	job_close(&c.job);
	check_sound(q);
	time_passes();
	let_go(q);
	queue_link_close(&first);
	queue_link_close(&second);
}

START_TEST(a_job_replayed_there_is_served)
{
	struct queue *q = open_sharded(0), *other = open_sharded(0);
	char id[JOB_ID];
	enum job_state state;
	struct err e = {0};

	shards_of(q, 2);
	submit_in_one(q, id);
	ck_assert_int_eq(queue_cancel(q, id, &state, &e), 1);
	purge_all(q);
	let_go(q);
	ck_assert_msg(queue_replay(other, id, &e) == 1, "%s", e.text);
	check_served_again(q, id);
	queue_close(&other);
	queue_close(&q);
}
END_TEST

/* An answer that is one number. */
static int64_t ask_number(const char *command)
{
	char answer[64];

	ck_assert(test_redis_say(test_redis_own("no")->port, command, answer, sizeof(answer)) && answer[0] == ':');
	return atoll(answer + 1);
}

#define DAY ((int64_t)24 * 3600 * 1000)

/* This list of ids of shard 1 vanishes, later than in so many ms. */
static void check_fades(const char *list, int64_t later_than)
{
	char line[100];

	snprintf(line, sizeof(line), "PTTL {bq:%s:1}:%s", Q, list);
	ck_assert_int_gt(ask_number(line), later_than);
	ck_assert_int_lt(ask_number(line), 20 * DAY);
}

/* Nobody sweeps there any more, so what has ended vanishes by itself, and can be seen until then. */
START_TEST(what_has_ended_there_goes_when_its_time_is_over)
{
	struct queue *q = open_sharded(0);
	struct queue_link *l1 = open_shard("w:1", 1);
	char id[JOB_ID], bad[JOB_ID], line[200];
	struct err e = {0};

	shards_of(q, 2);
	submit_in_one(q, bad);
	end_badly(l1, bad);
	submit_in_one(q, id);
	struct queue_claim c = claim_one(l1);
	ck_assert_uint_eq(ack(l1, id, c.job.fence, ACK_DONE, ERR_NONE), 0);
	job_close(&c.job);
	purge_all(q);
	struct job before = show(q, id);
	let_go(q);
	struct job after = show(q, id);
	ck_assert_int_eq(after.state, JOB_SUCCEEDED);
	ck_assert_str_eq(after.worker, "w:1");
	ck_assert(after.started_at == before.started_at && after.finished_at == before.finished_at && after.rev == before.rev);
	snprintf(line, sizeof(line), "PTTL {bq:%s:1}:j:%s", Q, id + strlen(Q "-1"));
	ck_assert_int_gt(ask_number(line), 0);
	ck_assert_int_eq(ask_number("HLEN {bq:" Q ":1}:s"), 0);
	check_fades("a", ask_number(line));
	check_fades("f", DAY);
	ck_assert_msg(queue_replay(q, bad, &e) == 1, "%s", e.text);
	ck_assert_int_eq(ask_number("PTTL {bq:" Q ":1}:a"), -1);
	check_served_again(q, bad);
	job_close(&before);
	job_close(&after);
	queue_link_close(&l1);
	queue_close(&q);
}
END_TEST

static void tell_let_go(int from)
{
	const char *answer = test_redis_tell(
	        test_redis_own("no")->port, "FCALL " QUEUE_LIBRARY "_let_go 1 {bq:%s:1}:n bq %s-1 86400000 604800000 a %d", Q, Q, from);

	ck_assert_msg(answer[0] == ':', "%s", answer);
}

/* Somebody needs it at the last moment, or steps there still: its list of ids stays. */
START_TEST(a_shard_that_is_not_let_go_keeps_its_lists)
{
	struct queue *q = open_sharded(0);
	struct queue_link *l1 = open_shard("w:1", 1);
	char bad[JOB_ID];

	shards_of(q, 2);
	submit_in_one(q, bad);
	end_badly(l1, bad);
	tell_let_go(0);
	check_fades("a", 0);
	clock_sleep_ms(1100);
	step_nothing(l1);
	ck_assert_int_eq(ask_number("PTTL {bq:" Q ":1}:a"), -1);
	ck_assert_int_eq(ask_number("PTTL {bq:" Q ":1}:f"), -1);
	queue_link_close(&l1);
	queue_close(&q);
}
END_TEST

/* More than one call looks at, and who still steps there takes some away meanwhile: none is left out. */
START_TEST(what_is_swept_meanwhile_hides_no_other)
{
	struct queue *q = open_sharded(0);
	struct queue_link *l1 = open_shard("w:1", 1);
	char id[400][JOB_ID], line[100];

	shards_of(q, 2);
	for (int i = 0; i < 400; i++) {
		submit_in_one(q, id[i]);
		end_badly(l1, id[i]);
	}
	tell_let_go(0);
	test_redis_tell(test_redis_own("no")->port, "LPOP {bq:%s:1}:a 50", Q);
	tell_let_go(256);
	for (int i = 50; i < 400; i++) {
		snprintf(line, sizeof(line), "HEXISTS {bq:%s:1}:s %s", Q, id[i] + strlen(Q "-1"));
		ck_assert_msg(ask_number(line) == 0, "job %d was left out", i);
	}
	queue_link_close(&l1);
	queue_close(&q);
}
END_TEST

/* An id that no job has, of whatever shard, changes nothing. */
START_TEST(who_is_not_there_is_no_reason)
{
	struct queue *q = open_sharded(0);
	char id[JOB_ID];
	struct err e = {0};

	submit_plain(q, id);
	job_id_make(id, Q, 5, 1, 1);
	ck_assert_int_eq(queue_replay(q, id, &e), 0);
	ck_assert_int_eq(shards_of(q, 0).serve, 1);
	queue_close(&q);
}
END_TEST

/* While the shard takes no new jobs and is looked through still; once it was let go of, the pages of an older look end there. */
START_TEST(dead_letters_replayed_there_are_served)
{
	struct queue *q = open_sharded(0);
	struct queue_link *l1 = open_shard("w:1", 1);
	struct queue_dead_filter f = {.queue = Q, .state = JOB_FAILED};
	char id[JOB_ID], next[64];
	int skipped;
	struct err e = {0};

	shards_of(q, 2);
	submit_in_one(q, id);
	end_badly(l1, id);
	purge_all(q);
	let_go(q);
	ck_assert_msg(queue_dead_act(q, QUEUE_DEAD_REPLAY, &f, "S1:", 1, &skipped, next, &e) == 0, "%s", e.text);
	ck_assert_str_eq(next, "");
	ck_assert_int_eq(shards_of(q, 0).serve, 1);
	shards_of(q, 2);
	shards_of(q, 1);
	time_passes();
	ck_assert_msg(queue_dead_act(q, QUEUE_DEAD_REPLAY, &f, "S1:", 1, &skipped, next, &e) == 1, "%s", e.text);
	check_served_again(q, id);
	queue_link_close(&l1);
	queue_close(&q);
}
END_TEST

/* A flow is replayed; what it waits for failed in a shard that was let go since, and is run again by word from here. */
START_TEST(what_a_flow_runs_again_there_is_served)
{
	struct queue *q = open_sharded(0);
	struct queue_link *l = open_shard("w:1", 0), *l1 = open_shard("w:1", 1);
	struct queue_mail *m = open_mail();
	struct queue_submission root = {.priority = 5, .held = true}, dep = {.priority = 5};
	char waits[JOB_ID + 8], waited[2 * JOB_ID + 8];
	struct err e = {0};

	shards_of(q, 2);
	job_id_make(root.id, Q, 0, clock_now_ms(), 1);
	job_id_make(dep.id, Q, 1, clock_now_ms(), 2);
	snprintf(waits, sizeof(waits), "%s=dep", dep.id);
	snprintf(waited, sizeof(waited), "f %s>%s", root.id, root.id);
	root.waits_for = waits;
	dep.waited_by = waited;
	submit_new(q, &root);
	submit_new(q, &dep);
	end_badly(l1, dep.id);
	carry(m);
	ck_assert_int_eq(state_of(q, root.id), JOB_FAILED);
	let_go(q);
	queue_mail_close(&m);
	m = open_mail();
	ck_assert_msg(queue_replay(q, root.id, &e) == 1, "%s", e.text);
	carry(m);
	ck_assert_int_eq(state_of(q, dep.id), JOB_READY);
	ck_assert_int_eq(shards_of(q, 0).serve, 2);
	end_well(l1, dep.id, "{}");
	queue_mail_close(&m);
	m = open_mail(); /* else it hears of the shard within seconds */
	carry(m);
	ck_assert_int_eq(state_of(q, root.id), JOB_READY);
	check_sound(q);
	queue_mail_close(&m);
	queue_link_close(&l1);
	queue_link_close(&l);
	queue_close(&q);
}
END_TEST

#define DAMAGED 1 /* of three */

/* Three jobs of shard 1 end, for each of which one of shard 0 waits. What one of these waits for is damaged: no word reaches it, but the
 * others hear theirs; and it does, too, when it was mended. */
START_TEST(a_damaged_job_holds_up_no_other_word)
{
	struct queue *q = open_sharded(0);
	struct queue_link *l1 = open_shard("w:1", 1);
	struct queue_submission root[3], dep[3];
	struct queue_mail *m;
	char waits[JOB_ID + 8], waited[2 * JOB_ID + 8];
	int port = test_redis_own("no")->port;
	struct err e = {0};

	shards_of(q, 2);
	for (int i = 0; i < 3; i++) {
		root[i] = dep[i] = (struct queue_submission){.priority = 5};
		job_id_make(root[i].id, Q, 0, clock_now_ms(), (uint64_t)i);
		job_id_make(dep[i].id, Q, 1, clock_now_ms(), (uint64_t)i + 3);
		snprintf(waits, sizeof(waits), "%s=dep", dep[i].id);
		snprintf(waited, sizeof(waited), "f %s>%s", root[i].id, root[i].id);
		root[i].held = true;
		root[i].waits_for = waits;
		dep[i].waited_by = waited;
		submit_new(q, &root[i]);
		submit_new(q, &dep[i]);
	}
	test_redis_tell(port, "HSET {bq:%s:0}:D:%s b x", Q, root[DAMAGED].id + strlen(Q "-0"));
	for (int i = 0; i < 3; i++)
		end_well(l1, dep[i].id, "{}");
	m = open_mail();
	ck_assert_int_eq(queue_mail_take(m, &e), 3);
	ck_assert(!queue_mail_tell(m, &e));
	ck_assert_msg(strstr(e.text, "damaged") != NULL, "%s", e.text);
	ck_assert_int_eq(state_of(q, root[DAMAGED].id), JOB_WAITING);
	ck_assert_int_eq(state_of(q, root[0].id), JOB_READY);
	ck_assert_int_eq(state_of(q, root[2].id), JOB_READY);
	ck_assert_int_eq(ask_number("ZCARD {bq:" Q ":1}:ob"), 1);
	ck_assert_int_eq(ask_number("LLEN {bq:" Q ":0}:r:" KIND ":5"), 2);
	test_redis_tell(port, "HSET {bq:%s:0}:D:%s b 0", Q, root[DAMAGED].id + strlen(Q "-0"));
	clock_sleep_ms(2100);
	ck_assert_int_eq(carry(m), 1);
	ck_assert_int_eq(state_of(q, root[DAMAGED].id), JOB_READY);
	check_sound(q);
	queue_mail_close(&m);
	queue_link_close(&l1);
	queue_close(&q);
}
END_TEST

/* A submission that is sent again after the number was lowered, by somebody who had its id from before. */
START_TEST(a_submission_there_is_served)
{
	struct queue *q = open_sharded(0);
	struct queue_submission s = {.priority = 5};

	shards_of(q, 2);
	let_go(q);
	job_id_make(s.id, Q, 1, clock_now_ms(), 1);
	submit_new(q, &s);
	check_served_again(q, s.id);
	queue_close(&q);
}
END_TEST

/* Somebody who had not heard of the new number made it live here after the shard was let go, and died before he noticed: it is sent again. */
START_TEST(a_submission_that_came_too_late_is_served_when_sent_again)
{
	struct queue *q = open_sharded(0), *late = open_sharded(0);
	struct queue_submission s = {.priority = 5};
	char id[JOB_ID];

	shards_of(q, 2);
	submit_plain(late, id);
	purge_all(q);
	let_go(q);
	job_id_make(s.id, Q, 1, clock_now_ms(), 1);
	submit_new(late, &s);
	ck_assert_int_eq(shards_of(q, 0).serve, 1);
	ck_assert_int_eq(submit(q, &s).outcome, SUBMIT_EXISTING);
	check_served_again(q, s.id);
	queue_close(&late);
	queue_close(&q);
}
END_TEST

/* The same, but he lives: he was held up between asking for the number and submitting. */
START_TEST(a_submission_that_was_held_up_is_served)
{
	struct queue *q = open_sharded(0);
	char id[JOB_ID];
	struct queue_submission s = {.priority = 5};
	int status;

	shards_of(q, 2);
	job_id_make(s.id, Q, 1, clock_now_ms(), 1);
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		struct queue *late = open_sharded(0);

		submit_plain(late, id);
		setenv("BARQUE_FAIL", "submit_placed:1:stall", 1);
		clock_sleep_ms(1500);
		submit_new(late, &s);
		_exit(0);
	}
	clock_sleep_ms(2000);
	purge_all(q);
	let_go(q);
	ck_assert(waitpid(pid, &status, 0) == pid && status == 0);
	check_served_again(q, s.id);
	queue_close(&q);
}
END_TEST

/* ---- idempotency keys ---------------------------------------------------------------------------------------------------- */

#define DAY_MS INT64_C(86400000)

/* What Redis answers with a number. */
static int64_t number_of(const char *answer)
{
	char number[24];
	int64_t n;

	ck_assert_msg(answer[0] == ':' && str_copy_n(number, sizeof(number), answer + 1, strcspn(answer + 1, "\r")) &&
	                      str_int(number, INT64_MIN, INT64_MAX, &n),
	        "%s", answer);
	return n;
}

/* How long shard 0 keeps the key yet. */
static int64_t key_left(void)
{
	return number_of(test_redis_tell(test_redis_own("no")->port, "PTTL {bq:%s:0}:i:monday", Q));
}

/* A job with the key in shard 1 of two; *lane says where. */
static void submit_keyed(struct queue *q, struct queue_submission *s, char lane[24])
{
	shards_of(q, 2);
	for (int i = 0;; i++) {
		snprintf(lane, 24, "tenant%d", i);
		*s = keyed(lane, "a print of it");
		submit_new(q, s);
		if (shard_of_id(s->id) == 1)
			return;
		test_redis_tell(test_redis_own("no")->port, "DEL {bq:%s:0}:i:monday {bq:%s:0}:j:%s", Q, Q, s->id + strlen(Q "-0"));
	}
}

/* More than a day later, when the house was kept and word was carried. */
static void a_day_passes(struct queue_link *l1, const char *id, struct queue_mail *m)
{
	test_redis_tell(test_redis_own("no")->port, "HSET {bq:%s:1}:j:%s c 1000", Q, id + strlen(Q "-0"));
	test_redis_tell(test_redis_own("no")->port, "HDEL {bq:%s:1}:n mt", Q);
	step_nothing(l1);
	carry(m);
}

/* Shard 0 keeps a key as long as the job of another shard can be asked for: while it waits or runs, and as long as its record is kept then.
 * Who comes with the key in between does not shorten that. */
START_TEST(a_key_lives_as_long_as_its_job)
{
	struct queue *q = open_sharded(0);
	struct queue_link *l1 = open_shard("w:1", 1);
	struct queue_submission s, again;
	struct queue_mail *m;
	char lane[24];
	struct err e = {0};

	submit_keyed(q, &s, lane);
	m = open_mail();
	ck_assert_int_lt(key_left(), 3 * DAY_MS);
	a_day_passes(l1, s.id, m); /* and it still waits */
	ck_assert_int_gt(key_left(), 29 * DAY_MS);
	again = keyed(lane, "a print of it");
	ck_assert_str_eq(submit(q, &again).existing_id, s.id);
	ck_assert_int_gt(key_left(), 29 * DAY_MS);
	test_redis_tell(test_redis_own("no")->port, "PEXPIRE {bq:%s:0}:i:monday 1000000", Q); /* it waited for a month */
	end_badly(l1, s.id);
	carry(m);
	ck_assert_int_gt(key_left(), 14 * DAY_MS - 60000);
	test_redis_tell(test_redis_own("no")->port, "PEXPIRE {bq:%s:0}:i:monday 1000000", Q);
	ck_assert_msg(queue_replay(q, s.id, &e) == 1, "%s", e.text);
	carry(m);
	ck_assert_int_gt(key_left(), 29 * DAY_MS);
	check_sound(q);
	queue_mail_close(&m);
	queue_link_close(&l1);
	queue_close(&q);
}
END_TEST

/* It failed soon, so that its record outlives the day for which its key was reserved; that was forgotten by the time word comes, since nobody
 * worked for a while. */
START_TEST(a_key_comes_back_to_its_job)
{
	struct queue *q = open_sharded(0);
	struct queue_link *l1 = open_shard("w:1", 1);
	struct queue_submission s, other = keyed("elsewhere", "another print");
	struct queue_mail *m;
	char lane[24];

	submit_keyed(q, &s, lane);
	m = open_mail();
	end_badly(l1, s.id);
	test_redis_tell(test_redis_own("no")->port, "DEL {bq:%s:0}:i:monday", Q);
	a_day_passes(l1, s.id, m);
	ck_assert_int_gt(key_left(), 14 * DAY_MS - 60000);
	struct queue_submitted out = submit(q, &other);
	ck_assert_int_eq(out.outcome, SUBMIT_MISMATCH);
	ck_assert_str_eq(out.existing_id, s.id);
	/* What another job holds stays its own. */
	test_redis_tell(test_redis_own("no")->port, "SET {bq:%s:0}:i:monday \"%s-00000000000000000000 p\" PX 5000", Q, Q);
	test_redis_tell(test_redis_own("no")->port, "LPUSH {bq:%s:1}:a %s", Q, s.id + strlen(Q "-0"));
	a_day_passes(l1, s.id, m);
	ck_assert_int_le(key_left(), 5000);
	queue_mail_close(&m);
	queue_link_close(&l1);
	queue_close(&q);
}
END_TEST

/* ---- racing ------------------------------------------------------------------------------------------------------------ */

/* {put, serve, were served, gates, since, settled} */
static void shards_call(int64_t out[6], int wanted, const char *act, int64_t since)
{
	const char *at = test_redis_tell(test_redis_own("no")->port, "FCALL %s_shards 1 {bq:%s:0}:n bq %s-0 0 0 %d %s %lld", QUEUE_LIBRARY,
	        Q, Q, wanted, act, (long long)since);

	ck_assert_msg(str_starts(at, "*6\r\n"), "%s", at);
	for (int i = 0; i < 6; i++) {
		char number[24];

		at = strchr(at, ':') + 1;
		ck_assert(str_copy_n(number, sizeof(number), at, strcspn(at, "\r")) && str_int(number, 0, INT64_MAX, &out[i]));
	}
}

/* Somebody has looked through the shard and found it empty, and lets go of it; meanwhile another says that it is to be kept. Whoever comes
 * first, it is served when the second is done; and who comes later waits until the deed of the first is done, too. */
START_TEST(keeping_and_letting_go_race)
{
	struct queue *q = open_sharded(0);
	int64_t n[6], since;

	shards_call(n, 2, "set", 0);
	shards_call(n, 1, "set", 0);
	ck_assert_int_eq(n[4], 0); /* it is too early */
	time_passes();
	shards_call(n, 1, "set", 0);
	since = n[4];
	ck_assert_int_eq(since, 1);
	shards_call(n, 2, "keep", 0);
	shards_call(n, 1, "drop", since);
	ck_assert_int_eq(n[1], 2);
	shards_call(n, 1, "set", 0);
	ck_assert_int_eq(n[4], 0);
	shards_call(n, 1, "drop", 0);
	ck_assert_int_eq(n[1], 2);
	time_passes();
	shards_call(n, 1, "set", 0);
	shards_call(n, 1, "drop", n[4]);
	ck_assert_int_eq(n[1], 1);
	shards_call(n, 2, "keep", 0);
	ck_assert(n[0] == 1 && n[1] == 2 && n[2] == 1);
	queue_close(&q);
}
END_TEST

/* ---- gates ------------------------------------------------------------------------------------------------------------- */

/* A shard that comes, or comes back, is as shard 0 is: paused, draining or open, whatever it was when it was let go. */
START_TEST(a_shard_that_comes_back_is_as_open_as_the_queue)
{
	struct queue *q = open_sharded(0);
	struct queue_link *l1 = open_shard("w:1", 1);
	char id[JOB_ID];
	struct err e = {0};

	shards_of(q, 2);
	ck_ok(queue_pause(q, Q, &e), &e);
	ck_ok(queue_drain(q, Q, &e), &e);
	let_go(q);
	ck_ok(queue_resume(q, Q, &e), &e);
	shards_of(q, 2);
	submit_in_one(q, id);
	ck_assert_uint_eq(claim_count(l1, 1), 1);
	ck_ok(queue_pause(q, Q, &e), &e);
	ck_ok(queue_drain(q, Q, &e), &e);
	shards_of(q, 3);
	for (int i = 0; i < 12; i++) {
		struct queue_submission s = {.priority = 5};

		ck_assert_int_eq(submit(q, &s).outcome, SUBMIT_FULL);
	}
	const char *gates = test_redis_tell(test_redis_own("no")->port, "HEXISTS {bq:%s:2}:n p", Q);
	ck_assert_str_eq(gates, ":1\r\n");
	queue_link_close(&l1);
	queue_close(&q);
}
END_TEST

/* Who raises the number of a paused queue is killed as soon as the new shards are served: they are paused already. */
START_TEST(new_shards_are_closed_before_they_are_served)
{
	struct queue *q = open_sharded(0);
	struct err e = {0};
	int status;

	ck_ok(queue_pause(q, Q, &e), &e);
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		setenv("BARQUE_FAIL", "shards_raised:1:crash", 1);
		shards_of(open_sharded(0), 3);
		_exit(0);
	}
	ck_assert(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
	ck_assert_int_eq(shards_of(q, 0).serve, 3);
	for (int i = 0; i < 3; i++)
		ck_assert_str_eq(test_redis_tell(test_redis_own("no")->port, "HEXISTS {bq:%s:%d}:n p", Q, i), ":1\r\n");
	queue_close(&q);
}
END_TEST

static const TTest *const tests[] = {a_job_replayed_there_is_served, what_has_ended_there_goes_when_its_time_is_over,
        a_shard_that_is_not_let_go_keeps_its_lists, what_is_swept_meanwhile_hides_no_other, who_is_not_there_is_no_reason,
        dead_letters_replayed_there_are_served, what_a_flow_runs_again_there_is_served, a_submission_there_is_served,
        a_key_lives_as_long_as_its_job, a_key_comes_back_to_its_job, keeping_and_letting_go_race,
        a_shard_that_comes_back_is_as_open_as_the_queue, a_submission_that_came_too_late_is_served_when_sent_again,
        a_submission_that_was_held_up_is_served, new_shards_are_closed_before_they_are_served, a_damaged_job_holds_up_no_other_word};
TEST_MAIN("queue_shards", tests)
