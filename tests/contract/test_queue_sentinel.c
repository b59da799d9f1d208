/* test_queue_sentinel.c -- the queue where sentinels say which server is the master: the master dies, and the work goes on. */
#include <signal.h>
#include <unistd.h>

#include "tests/contract/queue_suite.h"
#include "tests/contract/work_suite.h"

static struct test_sentinels *started(void)
{
	static struct test_sentinels s;

	if (!s.master.pid)
		test_sentinels_start(&s, "no");
	return &s;
}

const char *suite_url(void)
{
	return started()->url;
}

/* Sentinels are asked in turn: those that are not there, or know nothing, are passed over. */
START_TEST(sentinels_are_asked_in_turn)
{
	struct test_sentinels *s = started();
	char url[256];
	struct err e = {0};
	struct queue *q;

	snprintf(url, sizeof(url), "redis+sentinel://" TEST_REDIS_USER "@127.0.0.1:%d,127.0.0.1:%d/mymaster", test_port(),
	        s->sentinels[1].port);
	for (int i = 0; i < 3; i++) {
		q = queue_open(url, NULL, &e);
		ck_assert_msg(q != NULL, "%s", e.text);
		ck_ok(queue_ping(q, &e), &e);
		queue_close(&q);
	}
	snprintf(url, sizeof(url), "redis+sentinel://" TEST_REDIS_USER "@127.0.0.1:%d/nobody", s->sentinels[1].port);
	ck_assert_ptr_null(queue_open(url, &(struct queue_options){.timeout_ms = 3000}, &e));
	ck_assert_msg(strstr(e.text, "knows no master named nobody"), "%s", e.text);
	ck_assert_int_eq(e.code, ERR_UNAVAILABLE);
}
END_TEST

static bool replica_has_all(void *user)
{
	const struct test_sentinels *s = user;
	char offset[64];
	const char *at = strstr(test_redis_tell(s->master.port, "INFO replication"), "master_repl_offset:");

	ck_assert(at && str_copy_n(offset, sizeof(offset), at, strcspn(at, "\r")));
	return strstr(test_redis_tell(s->replica.port, "INFO replication"), offset) != NULL;
}

/* SIGKILL to the master in mid-work: the replica takes over, and every job that it had ends once. */
START_TEST(the_master_dies)
{
	struct test_sentinels *s = started();
	struct work w;
	int64_t killed;

	work_open(&w, s->url, 15000);
	for (int i = 0; i < 40; i++)
		work_submit(&w);
	for (int i = 0; i < 3; i++)
		work_step(&w);
	ck_assert(test_until(20000, replica_has_all, s));
	test_redis_kill(&s->master);
	killed = clock_mono_ms();
	for (int i = 0; i < 40; i++) {
		work_submit(&w);
		work_step(&w);
	}
	ck_assert_int_lt(clock_mono_ms() - killed, 40000);
	ck_assert(strstr(test_redis_ask(s->replica.port, "INFO replication"), "role:master"));
	work_close(&w);
}
END_TEST

/* The old master comes back as a replica, which refuses to write: who still talks to it goes to the new one. */
START_TEST(the_roles_are_changed)
{
	struct test_sentinels *s = started();
	struct work w;

	work_open(&w, s->url, 15000);
	for (int i = 0; i < 20; i++)
		work_submit(&w);
	work_step(&w);
	ck_assert(test_until(20000, replica_has_all, s));
	test_redis_tell(s->sentinels[0].port, "SENTINEL FAILOVER mymaster");
	for (int i = 0; i < 100; i++) {
		work_submit(&w);
		work_step(&w);
		clock_sleep_ms(50);
	}
	ck_assert(strstr(test_redis_ask(s->replica.port, "INFO replication"), "role:master"));
	work_close(&w);
}
END_TEST

/* With wait_replicas a job is accepted only when a replica has it. One that is stopped confirms nothing. */
START_TEST(what_no_replica_has_is_not_accepted)
{
	struct test_sentinels *s = started();
	struct queue_options o = {.wait_replicas = 1, .timeout_ms = 1000};
	struct err e = {0};
	struct queue *q = queue_open(s->url, &o, &e);
	struct queue_submission job = {.kind = KIND, .queue = Q, .priority = 5};
	struct queue_submitted out;

	ck_assert_msg(q != NULL, "%s", e.text);
	ck_ok(queue_submit(q, &job, 1, &out, &e), &e);
	ck_assert_int_eq(out.outcome, SUBMIT_NEW);
	kill(s->replica.pid, SIGSTOP);
	job.id[0] = '\0';
	for (int i = 0; i < 2; i++) { /* the second time it is known, but no better kept */
		ck_assert(!queue_submit(q, &job, 1, &out, &e));
		ck_assert_int_eq(e.code, ERR_UNSURE);
		ck_assert_msg(strstr(e.text, "0 of 1 replicas"), "%s", e.text);
	}
	kill(s->replica.pid, SIGCONT);
	for (int i = 0; i < 20 && !queue_submit(q, &job, 1, &out, &e); i++)
		ck_assert_int_eq(e.code, ERR_UNSURE);
	ck_ok(queue_submit(q, &job, 1, &out, &e), &e);
	ck_assert_int_eq(out.outcome, SUBMIT_EXISTING);
	ck_assert_str_eq(out.existing_id, job.id);
	check_sound(q);
	queue_close(&q);
}
END_TEST

static const TTest *const tests[] = {submit_claim_done, watching, waiting_wakes, budgets, sentinels_are_asked_in_turn, the_master_dies,
        the_roles_are_changed, what_no_replica_has_is_not_accepted};
TEST_MAIN("queue_sentinel", tests)
