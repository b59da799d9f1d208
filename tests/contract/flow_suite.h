/* flow_suite.h -- what every driver must do with jobs that wait for jobs. Included by the driver's test after queue_suite.h. */
#ifndef TESTS_CONTRACT_FLOW_SUITE_H
#define TESTS_CONTRACT_FLOW_SUITE_H

#include "queue/flow.h"
#include "tests/contract/queue_suite.h"

#define Q2       "other"
#define ROOT     "root.kind"
#define FLOW_MAX 1000

/* A flow under construction: names n0, n1, ... */
struct rig_flow {
	struct queue_flow f;
	struct queue_flow_job jobs[FLOW_MAX];
	char names[FLOW_MAX][24];
	const char **after[FLOW_MAX];
};

static struct rig_flow *flow_new(size_t n)
{
	struct rig_flow *r = mem_new(sizeof(*r));

	r->f = (struct queue_flow){.jobs = r->jobs, .n_jobs = n, .root = {.kind = ROOT, .queue = Q, .priority = 5}};
	for (size_t i = 0; i < n; i++) {
		snprintf(r->names[i], sizeof(r->names[i]), "n%zu", i);
		r->jobs[i] = (struct queue_flow_job){.name = r->names[i], .job = {.kind = KIND, .queue = Q, .priority = 5}};
	}
	return r;
}

/* Job i waits for job dep. */
static void flow_edge(struct rig_flow *r, size_t i, size_t dep)
{
	size_t n = r->jobs[i].n_after;

	r->after[i] = mem_grow(r->after[i], n, n + 1, sizeof(char *));
	r->after[i][n] = r->names[dep];
	r->jobs[i].after = r->after[i];
	r->jobs[i].n_after++;
}

static void flow_free(struct rig_flow **r)
{
	for (size_t i = 0; i < FLOW_MAX; i++)
		mem_free(&(*r)->after[i]);
	mem_free(r);
}

static struct queue_submitted flow_submit(struct queue *q, struct rig_flow *r)
{
	struct queue_submitted out;
	struct err e = {0};

	ck_ok(queue_flow_submit(q, &r->f, &out, &e), &e);
	return out;
}

static void flow_submit_new(struct queue *q, struct rig_flow *r)
{
	ck_assert_int_eq(flow_submit(q, r).outcome, SUBMIT_NEW);
}

static const char *flow_id(const struct rig_flow *r, size_t i)
{
	return r->jobs[i].job.id;
}

static struct queue_link *flow_link_to(const char *queue, int shard)
{
	struct err e = {0};
	const char *kinds[] = {KIND, ROOT, KIND "!", ROOT "!"};
	struct queue_link *l = queue_link_open_shard(suite_url(), NULL, queue, shard, "w1", kinds, 4, &e);

	ck_assert_msg(l != NULL, "%s", e.text);
	return l;
}

static struct queue_link *flow_link(const char *queue)
{
	return flow_link_to(queue, 0);
}

/* Claim one, which must be this job (NULL: any), and end it. */
static struct queue_claim end_one(struct queue_link *l, const char *id, enum ack_outcome outcome, const char *result, enum err_code code)
{
	struct queue_claim c = claim_one(l);
	struct queue_ack a = {.fence = c.job.fence, .outcome = outcome, .result = result ? mem_strdup(result) : NULL};
	struct queue_step_reply r;

	if (id)
		ck_assert_str_eq(c.job.id, id);
	memcpy(a.id, c.job.id, JOB_ID);
	if (code)
		err_set(&a.error, code, "the disk is on fire");
	r = step_with(l, &a, 1, 0, LEASE);
	ck_assert_uint_eq(r.n_rejected, 0);
	queue_step_reply_close(&r);
	mem_free(&a.result);
	return c;
}

static void end_well(struct queue_link *l, const char *id, const char *result)
{
	struct queue_claim c = end_one(l, id, ACK_DONE, result, ERR_NONE);

	job_close(&c.job);
}

static void end_badly(struct queue_link *l, const char *id)
{
	struct queue_claim c = end_one(l, id, ACK_ERROR, NULL, ERR_INVALID);

	job_close(&c.job);
}

static struct queue_mail *open_mail(void)
{
	static const char *const queues[] = {Q, Q2};
	struct err e = {0};
	struct queue_mail *m = queue_mail_open(suite_url(), NULL, queues, 2, &e);

	ck_assert_msg(m != NULL, "%s", e.text);
	return m;
}

/* Carry all that lies in the outboxes; returns how much it was. */
static int carry(struct queue_mail *m)
{
	struct err e = {0};
	int all = 0, n;

	while ((n = queue_mail_take(m, &e)) > 0) {
		ck_ok(queue_mail_tell(m, &e), &e);
		ck_ok(queue_mail_drop(m, &e), &e);
		all += n;
	}
	ck_assert_msg(n == 0, "%s", e.text);
	return all;
}

static void state_is(struct queue *q, const char *id, enum job_state wanted)
{
	struct job j = show(q, id);

	ck_assert_msg(j.state == wanted, "%s is %s, not %s: %s", id, job_state_name(j.state), job_state_name(wanted), j.error.text);
	job_close(&j);
}

static void both_sound(struct queue *q)
{
	struct err e = {0};
	struct queue_audit a;

	check_sound(q);
	ck_assert_msg(queue_audit(q, Q2, &a, &e) == 1, "%s%s", a.problem, e.text);
}

static void input_is(const struct job *j, const char *name, const char *wanted)
{
	struct err e = {0};
	struct json *inputs = json_parse(j->inputs ? j->inputs : "", j->inputs ? strlen(j->inputs) : 0, &e);
	char *text;

	ck_assert_msg(inputs != NULL, "%s: %s", j->id, j->inputs ? j->inputs : "no inputs");
	ck_assert_msg(json_get(inputs, name) != NULL, "%s is not in %s", name, j->inputs);
	text = json_to_text(json_get(inputs, name));
	ck_assert_str_eq(text, wanted);
	mem_free(&text);
	json_close(&inputs);
}

/* ---- shapes --------------------------------------------------------------------------------------------------------- */

START_TEST(flow_chain_passes_results_on)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = flow_link(Q);
	struct rig_flow *r = flow_new(3);
	struct queue_claim c;
	struct job j;

	flow_edge(r, 1, 0);
	flow_edge(r, 2, 1);
	r->jobs[1].job.time_limit_ms = 90000;
	flow_submit_new(q, r);
	state_is(q, r->f.root.id, JOB_WAITING);
	state_is(q, flow_id(r, 0), JOB_READY);
	state_is(q, flow_id(r, 2), JOB_WAITING);
	check_sound(q);
	end_well(l, flow_id(r, 0), "{\"bars\":12}");
	j = show(q, r->f.root.id);
	ck_assert_int_eq(j.progress.done, 1);
	ck_assert_int_eq(j.progress.total, 3);
	ck_assert_str_eq(j.progress.unit, "jobs");
	job_close(&j);
	c = end_one(l, flow_id(r, 1), ACK_DONE, "[1,2]", ERR_NONE);
	input_is(&c.job, "n0", "{\"bars\":12}");
	ck_assert(c.job.time_limit_ms == 90000 && c.job.hard_limit_ms == 0);
	job_close(&c.job);
	c = end_one(l, flow_id(r, 2), ACK_DONE, NULL, ERR_NONE);
	input_is(&c.job, "n1", "[1,2]");
	job_close(&c.job);
	c = end_one(l, r->f.root.id, ACK_DONE, NULL, ERR_NONE);
	ck_assert_str_eq(c.job.inputs, "{\"n2\":null}"); /* only of those that nobody else waits for */
	job_close(&c.job);
	j = show(q, flow_id(r, 1));
	ck_assert_str_eq(j.parent, r->f.root.id);
	ck_assert(str_starts(j.waits_for, flow_id(r, 0)));
	job_close(&j);
	state_is(q, r->f.root.id, JOB_SUCCEEDED);
	ck_assert_int_eq(counts(q).done_total, 4);
	flow_free(&r);
	close_both(&q, &l);
}
END_TEST

START_TEST(flow_join_waits_for_all)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = flow_link(Q);
	struct rig_flow *r = flow_new(FLOW_MAX);
	size_t done = 0;

	/* 999 wide, and one that waits for them all. */
	for (size_t i = 0; i + 1 < FLOW_MAX; i++)
		flow_edge(r, FLOW_MAX - 1, i);
	flow_submit_new(q, r);
	check_sound(q);
	while (done < FLOW_MAX - 1) {
		struct queue_step_reply got = step(l, 200), after;
		struct queue_ack acks[200] = {0};

		ck_assert_uint_gt(got.n_claims, 0);
		state_is(q, flow_id(r, FLOW_MAX - 1), JOB_WAITING);
		for (size_t i = 0; i < got.n_claims; i++) {
			acks[i] = (struct queue_ack){.fence = got.claims[i].job.fence, .outcome = ACK_DONE, .result = mem_strdup("7")};
			memcpy(acks[i].id, got.claims[i].job.id, JOB_ID);
		}
		after = step_with(l, acks, got.n_claims, 0, LEASE);
		ck_assert_uint_eq(after.n_rejected, 0);
		queue_step_reply_close(&after);
		for (size_t i = 0; i < got.n_claims; i++)
			mem_free(&acks[i].result);
		done += got.n_claims;
		queue_step_reply_close(&got);
		/* One call does at most 256 things; the rest is carried. */
		struct queue_mail *m = open_mail();
		carry(m);
		queue_mail_close(&m);
	}
	struct queue_claim c = end_one(l, flow_id(r, FLOW_MAX - 1), ACK_DONE, "1", ERR_NONE);
	input_is(&c.job, "n0", "7");
	input_is(&c.job, "n998", "7");
	job_close(&c.job);
	end_well(l, r->f.root.id, NULL);
	ck_assert_int_eq(counts(q).done_total, FLOW_MAX + 1);
	flow_free(&r);
	close_both(&q, &l);
}
END_TEST

/* One that 998 wait for, here and in another queue: told in stretches. */
START_TEST(flow_many_wait_for_one)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = flow_link(Q);
	struct queue_mail *m = open_mail();
	struct rig_flow *r = flow_new(FLOW_MAX);

	for (size_t i = 1; i < FLOW_MAX; i++) {
		flow_edge(r, i, 0);
		r->jobs[i].job.queue = i % 2 ? Q2 : Q;
	}
	flow_submit_new(q, r);
	both_sound(q);
	end_well(l, flow_id(r, 0), "\"all of you\"");
	both_sound(q);
	ck_assert_int_gt(carry(m), 499);
	for (size_t i = 1; i < FLOW_MAX; i++)
		state_is(q, flow_id(r, i), JOB_READY);
	both_sound(q);
	struct queue_claim c = claim_one(l);
	input_is(&c.job, "n0", "\"all of you\"");
	job_close(&c.job);
	flow_free(&r);
	queue_mail_close(&m);
	close_both(&q, &l);
}
END_TEST

/* Two words come in one call: by the first more jobs fail than a call may tell of; the second brings a result, and is heard whole. */
START_TEST(flow_result_comes_behind_much_trouble)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = flow_link(Q), *l2 = flow_link(Q2);
	struct queue_mail *m = open_mail();
	struct rig_flow *r = flow_new(404);

	r->jobs[0].job.queue = r->jobs[1].job.queue = Q2;
	flow_edge(r, 2, 1);
	flow_edge(r, 3, 0);
	for (size_t i = 4; i < 404; i++)
		flow_edge(r, i, 3);
	flow_submit_new(q, r);
	for (size_t i = 0; i < 2; i++) {
		struct queue_claim c = claim_one(l2);
		bool bad = str_eq(c.job.id, flow_id(r, 0));
		struct queue_ack a = {
		        .fence = c.job.fence, .outcome = bad ? ACK_ERROR : ACK_DONE, .result = bad ? NULL : mem_strdup("{\"x\":1}")};
		struct queue_step_reply reply;

		memcpy(a.id, c.job.id, JOB_ID);
		if (bad)
			err_set(&a.error, ERR_INVALID, "the disk is on fire");
		reply = step_with(l2, &a, 1, 0, LEASE);
		queue_step_reply_close(&reply);
		mem_free(&a.result);
		job_close(&c.job);
	}
	carry(m);
	struct queue_claim c = claim_one(l);
	ck_assert_str_eq(c.job.id, flow_id(r, 2));
	input_is(&c.job, "n1", "{\"x\":1}");
	job_close(&c.job);
	for (size_t i = 3; i < 404; i++)
		state_is(q, flow_id(r, i), JOB_FAILED);
	both_sound(q);
	flow_free(&r);
	queue_mail_close(&m);
	queue_link_close(&l2);
	close_both(&q, &l);
}
END_TEST

START_TEST(flow_crosses_queues)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = flow_link(Q), *l2 = flow_link(Q2);
	struct queue_mail *m = open_mail();
	struct rig_flow *r = flow_new(3);
	struct queue_claim c;
	struct err e = {0};

	r->jobs[1].job.queue = Q2;
	flow_edge(r, 1, 0);
	flow_edge(r, 2, 1);
	flow_submit_new(q, r);
	both_sound(q);
	end_well(l, flow_id(r, 0), "\"a\"");
	state_is(q, flow_id(r, 1), JOB_WAITING);
	ck_assert_int_eq(carry(m), 1);
	state_is(q, flow_id(r, 1), JOB_READY);
	both_sound(q);
	c = end_one(l2, flow_id(r, 1), ACK_DONE, "\"b\"", ERR_NONE);
	input_is(&c.job, "n0", "\"a\"");
	job_close(&c.job);
	ck_assert_int_eq(queue_mail_take(m, &e), 2); /* to the root and to n2, told but not dropped: told again after 2 s */
	ck_ok(queue_mail_tell(m, &e), &e);
	state_is(q, flow_id(r, 2), JOB_READY);
	ck_assert_int_eq(queue_mail_take(m, &e), 0);
	clock_sleep_ms(2100);
	ck_assert_int_eq(carry(m), 2);
	c = end_one(l, flow_id(r, 2), ACK_DONE, "\"c\"", ERR_NONE);
	input_is(&c.job, "n1", "\"b\"");
	job_close(&c.job);
	c = end_one(l, r->f.root.id, ACK_DONE, NULL, ERR_NONE);
	ck_assert_str_eq(c.job.inputs, "{\"n2\":\"c\"}");
	job_close(&c.job);
	ck_assert_int_eq(claim_count(l, 10), 0);
	both_sound(q);
	flow_free(&r);
	queue_mail_close(&m);
	queue_link_close(&l2);
	close_both(&q, &l);
}
END_TEST

START_TEST(flow_mail_wakes_who_waits)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = flow_link(Q);
	struct queue_mail *m = open_mail();
	struct rig_flow *r = flow_new(2);
	struct err e = {0};
	int64_t began = clock_mono_ms();

	ck_ok(queue_mail_wait(m, 300, &e), &e);
	ck_assert_int_ge(clock_mono_ms() - began, 250);
	r->jobs[1].job.queue = Q2;
	flow_edge(r, 1, 0);
	flow_submit_new(q, r);
	end_well(l, flow_id(r, 0), NULL);
	began = clock_mono_ms();
	ck_ok(queue_mail_wait(m, 30000, &e), &e);
	ck_assert_int_lt(clock_mono_ms() - began, 20000);
	ck_assert_int_eq(carry(m), 1);
	flow_free(&r);
	queue_mail_close(&m);
	close_both(&q, &l);
}
END_TEST

/* ---- ends that are bad ---------------------------------------------------------------------------------------------- */

START_TEST(flow_failure_goes_up)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = flow_link(Q);
	struct rig_flow *r = flow_new(4);
	struct job j;

	flow_edge(r, 1, 0);
	flow_edge(r, 2, 1);
	flow_submit_new(q, r);
	end_badly(l, flow_id(r, 0));
	state_is(q, flow_id(r, 1), JOB_FAILED);
	state_is(q, flow_id(r, 2), JOB_FAILED);
	j = show(q, r->f.root.id);
	ck_assert_int_eq(j.state, JOB_FAILED);
	ck_assert_int_eq(j.error.code, ERR_INVALID);
	ck_assert_msg(strstr(j.error.text, "(n0) failed: the disk is on fire") != NULL, "%s", j.error.text);
	job_close(&j);
	j = show(q, flow_id(r, 2));
	ck_assert_msg(strstr(j.error.text, "(n1) failed: job ") != NULL, "%s", j.error.text);
	job_close(&j);
	end_well(l, flow_id(r, 3), NULL); /* who does not wait for it goes on */
	flow_free(&r);
	close_both(&q, &l);
}
END_TEST

START_TEST(flow_failure_can_be_ignored)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = flow_link(Q);
	struct rig_flow *r = flow_new(3);
	struct queue_claim c;

	r->jobs[0].on_failure = r->jobs[2].on_failure = FLOW_IGNORE;
	flow_edge(r, 1, 0);
	flow_submit_new(q, r);
	end_badly(l, flow_id(r, 0));
	ck_assert_int_eq(cancel(q, flow_id(r, 2)), JOB_CANCELLED);
	c = end_one(l, flow_id(r, 1), ACK_DONE, "5", ERR_NONE);
	ck_assert_str_eq(c.job.inputs, "{\"n0\":null}");
	job_close(&c.job);
	c = end_one(l, r->f.root.id, ACK_DONE, NULL, ERR_NONE);
	input_is(&c.job, "n1", "5");
	input_is(&c.job, "n2", "null");
	job_close(&c.job);
	flow_free(&r);
	close_both(&q, &l);
}
END_TEST

START_TEST(flow_child_is_retried)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = flow_link(Q);
	struct rig_flow *r = flow_new(1);
	struct job j;

	r->jobs[0].on_failure = FLOW_RETRY;
	r->jobs[0].retries = 2;
	r->jobs[0].job.backoff_ms = 10;
	flow_submit_new(q, r);
	for (int i = 0; i < 2; i++) {
		end_badly(l, flow_id(r, 0));
		j = show(q, flow_id(r, 0));
		ck_assert_int_eq(j.state, JOB_RETRYING);
		ck_assert_int_eq(j.attempt, 0); /* fresh */
		job_close(&j);
		state_is(q, r->f.root.id, JOB_WAITING);
		check_sound(q);
		clock_sleep_ms(60);
	}
	end_badly(l, flow_id(r, 0));
	state_is(q, flow_id(r, 0), JOB_FAILED);
	state_is(q, r->f.root.id, JOB_FAILED);
	flow_free(&r);
	close_both(&q, &l);
}
END_TEST

START_TEST(flow_replay_runs_what_failed)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = flow_link(Q);
	struct queue_mail *m = open_mail();
	struct rig_flow *r = flow_new(4);
	struct queue_claim c;
	struct err e = {0};

	/* n0 -> n1 (other queue) -> n2, and n3 beside. */
	r->jobs[1].job.queue = Q2;
	flow_edge(r, 1, 0);
	flow_edge(r, 2, 1);
	flow_submit_new(q, r);
	struct queue_link *l2 = flow_link(Q2);
	end_well(l, NULL, "\"a\"");
	end_well(l, NULL, "\"d\"");
	carry(m);
	end_badly(l2, flow_id(r, 1));
	carry(m);
	state_is(q, flow_id(r, 2), JOB_FAILED);
	state_is(q, r->f.root.id, JOB_FAILED);
	both_sound(q);
	ck_assert_int_eq(queue_replay(q, r->f.root.id, &e), 1);
	state_is(q, r->f.root.id, JOB_WAITING);
	carry(m);
	state_is(q, flow_id(r, 0), JOB_SUCCEEDED); /* what went well is kept */
	state_is(q, flow_id(r, 1), JOB_READY);
	state_is(q, flow_id(r, 2), JOB_WAITING);
	both_sound(q);
	c = end_one(l2, flow_id(r, 1), ACK_DONE, "\"b\"", ERR_NONE);
	ck_assert_msg(strstr(c.job.inputs, "\"n0\":\"a\"") || strstr(c.job.inputs, "\"n0\":\"d\""), "%s", c.job.inputs);
	job_close(&c.job);
	carry(m);
	end_well(l, flow_id(r, 2), "\"c\"");
	c = end_one(l, r->f.root.id, ACK_DONE, NULL, ERR_NONE);
	input_is(&c.job, "n2", "\"c\"");
	job_close(&c.job);
	both_sound(q);
	flow_free(&r);
	queue_mail_close(&m);
	queue_link_close(&l2);
	close_both(&q, &l);
}
END_TEST

/* Somebody made it ready by hand; it died; it runs again without what it did not wait for. */
START_TEST(flow_job_released_by_hand)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = flow_link(Q);
	struct rig_flow *r = flow_new(2);
	struct queue_claim c;
	struct err e = {0};

	r->jobs[1].job.priority = 1;
	flow_edge(r, 1, 0);
	flow_submit_new(q, r);
	ck_assert_int_eq(queue_release(q, flow_id(r, 1), &e), 1);
	c = end_one(l, flow_id(r, 1), ACK_ERROR, NULL, ERR_UNAVAILABLE);
	job_close(&c.job);
	state_is(q, flow_id(r, 1), JOB_DEAD);
	check_sound(q);
	ck_assert_msg(queue_replay(q, flow_id(r, 1), &e) == 1, "%s", e.text);
	end_well(l, flow_id(r, 1), NULL);
	end_well(l, flow_id(r, 0), NULL);
	ck_assert_msg(queue_replay(q, r->f.root.id, &e) == 1, "%s", e.text);
	end_well(l, r->f.root.id, NULL);
	flow_free(&r);
	close_both(&q, &l);
}
END_TEST

/* ---- cancelling ----------------------------------------------------------------------------------------------------- */

START_TEST(flow_cancel_takes_the_tree)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = flow_link(Q), *l2 = flow_link(Q2);
	struct queue_mail *m = open_mail();
	struct rig_flow *r = flow_new(4);
	struct queue_claim running;
	struct err e = {0};

	r->jobs[2].job.queue = r->jobs[3].job.queue = Q2;
	flow_edge(r, 1, 0);
	flow_edge(r, 2, 1);
	flow_submit_new(q, r);
	running = claim_one(l);
	ck_assert_str_eq(running.job.id, flow_id(r, 0));
	ck_assert_int_eq(cancel(q, r->f.root.id), JOB_CANCELLED);
	state_is(q, flow_id(r, 1), JOB_CANCELLED);
	struct job j = show(q, flow_id(r, 0));
	ck_assert(j.state == JOB_RUNNING && j.cancel_asked);
	job_close(&j);
	carry(m);
	state_is(q, flow_id(r, 2), JOB_CANCELLED);
	state_is(q, flow_id(r, 3), JOB_CANCELLED);
	ck_assert_uint_eq(ack(l, running.job.id, running.job.fence, ACK_CANCELLED, ERR_NONE), 0);
	job_close(&running.job);
	carry(m);
	both_sound(q);
	/* All of it runs again when its root does. */
	ck_assert_int_eq(queue_replay(q, r->f.root.id, &e), 1);
	carry(m);
	both_sound(q);
	end_well(l, flow_id(r, 0), "1");
	end_well(l, flow_id(r, 1), "2");
	carry(m);
	end_well(l2, NULL, "3");
	end_well(l2, NULL, "3");
	carry(m);
	end_well(l, r->f.root.id, NULL);
	both_sound(q);
	flow_free(&r);
	queue_mail_close(&m);
	queue_link_close(&l2);
	close_both(&q, &l);
}
END_TEST

START_TEST(flow_cancel_spares_what_others_need)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = flow_link(Q);
	struct rig_flow *r = flow_new(4);

	/* n0 is needed by n2 and n3, n1 by n2 only. */
	r->jobs[2].on_failure = FLOW_IGNORE;
	flow_edge(r, 2, 0);
	flow_edge(r, 2, 1);
	flow_edge(r, 3, 0);
	r->jobs[1].on_failure = FLOW_IGNORE;
	flow_submit_new(q, r);
	ck_assert_int_eq(cancel(q, flow_id(r, 2)), JOB_CANCELLED);
	state_is(q, flow_id(r, 1), JOB_CANCELLED);
	state_is(q, flow_id(r, 0), JOB_READY);
	state_is(q, r->f.root.id, JOB_WAITING);
	check_sound(q);
	end_well(l, flow_id(r, 0), NULL);
	end_well(l, flow_id(r, 3), NULL);
	end_well(l, r->f.root.id, NULL);
	flow_free(&r);
	close_both(&q, &l);
}
END_TEST

START_TEST(flow_cancel_after_the_root_failed)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = flow_link(Q);
	struct rig_flow *r = flow_new(3);
	enum job_state s;
	struct err e = {0};

	flow_submit_new(q, r);
	end_badly(l, flow_id(r, 0));
	state_is(q, r->f.root.id, JOB_FAILED);
	ck_assert_int_eq(queue_flow_cancel(q, r->f.root.id, &s, &e), 1);
	ck_assert_int_eq(s, JOB_FAILED);
	state_is(q, flow_id(r, 1), JOB_CANCELLED);
	state_is(q, flow_id(r, 2), JOB_CANCELLED);
	flow_free(&r);
	close_both(&q, &l);
}
END_TEST

START_TEST(flow_wide_tree_is_cancelled_in_stretches)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = flow_link(Q);
	struct queue_mail *m = open_mail();
	struct rig_flow *r = flow_new(FLOW_MAX);

	flow_submit_new(q, r);
	cancel(q, r->f.root.id);
	check_sound(q);
	ck_assert_int_gt(carry(m), 0);
	for (size_t i = 0; i < FLOW_MAX; i++)
		state_is(q, flow_id(r, i), JOB_CANCELLED);
	ck_assert_int_eq(counts(q).ready, 0);
	flow_free(&r);
	queue_mail_close(&m);
	close_both(&q, &l);
}
END_TEST

/* ---- purging -------------------------------------------------------------------------------------------------------- */

START_TEST(flow_survives_a_purge)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = flow_link(Q);
	struct rig_flow *r = flow_new(3);
	struct err e = {0};
	int64_t left;

	r->jobs[1].on_failure = FLOW_IGNORE;
	flow_edge(r, 1, 0);
	flow_edge(r, 2, 1);
	flow_submit_new(q, r);
	/* The first that is cancelled moves the others: n1 ends ignored, so n2 gets ready meanwhile, or the root is first and all go. */
	ck_assert_int_ge(queue_purge(q, Q, JOB_WAITING, 256, &left, &e), 1);
	ck_assert_int_eq(left, 0);
	check_sound(q);
	ck_assert_int_ge(queue_purge(q, Q, JOB_READY, 256, &left, &e), 0);
	flow_free(&r);
	close_both(&q, &l);
}
END_TEST

/* ---- submitting ----------------------------------------------------------------------------------------------------- */

static void flow_refused(struct rig_flow **r, const char *sentence)
{
	struct err e = {0};

	ck_assert(!queue_flow_check(&(*r)->f, &e));
	ck_assert_int_eq(e.code, ERR_INVALID);
	ck_assert_msg(strstr(e.text, sentence) != NULL, "'%s' is not in '%s'", sentence, e.text);
	flow_free(r);
}

START_TEST(flow_nonsense_is_refused)
{
	static const char *const unknown[] = {"nobody"};
	struct rig_flow *r = flow_new(4);

	flow_edge(r, 1, 0);
	flow_edge(r, 1, 3);
	flow_edge(r, 2, 1);
	flow_edge(r, 3, 2);
	flow_refused(&r, " waits for itself: n");
	r = flow_new(1);
	flow_edge(r, 0, 0);
	flow_refused(&r, "job 'n0' waits for itself: n0 -> n0");
	r = flow_new(2);
	r->jobs[0].after = unknown;
	r->jobs[0].n_after = 1;
	flow_refused(&r, "job 'n0' waits for 'nobody', which is no job of this flow");
	r = flow_new(2);
	r->jobs[1].name = "n0";
	flow_refused(&r, "two jobs of the flow are named 'n0'");
	r = flow_new(2);
	flow_edge(r, 1, 0);
	flow_edge(r, 1, 0);
	flow_refused(&r, "job 'n1' waits for 'n0' twice");
	r = flow_new(1);
	r->jobs[0].name = "a.b";
	flow_refused(&r, "not 'a.b'");
	r = flow_new(1);
	r->jobs[0].on_failure = FLOW_RETRY;
	flow_refused(&r, "1 to 100 can be");
	r = flow_new(2);
	flow_edge(r, 1, 0);
	r->jobs[1].job.delay_ms = 5;
	flow_refused(&r, "can have no time of its own");
	r = flow_new(1);
	r->f.n_jobs = 1001;
	flow_refused(&r, "1 to 1000 jobs, not 1001");
	r = flow_new(300);
	for (size_t i = 100; i < 300; i++)
		for (size_t k = 0; k < 60; k++)
			flow_edge(r, i, k);
	flow_refused(&r, "at most 10000 ways");
}
END_TEST

START_TEST(flow_is_made_once)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = flow_link(Q);
	struct rig_flow *r = flow_new(2), *again = flow_new(2);
	struct queue_submitted out;

	flow_edge(r, 1, 0);
	flow_edge(again, 1, 0);
	r->f.root.idempotency_key = again->f.root.idempotency_key = "monday";
	r->f.root.fingerprint = again->f.root.fingerprint = "print";
	flow_submit_new(q, r);
	ck_assert_int_eq(flow_submit(q, r).outcome, SUBMIT_EXISTING); /* the same id */
	out = flow_submit(q, again);                                  /* the same key */
	ck_assert_int_eq(out.outcome, SUBMIT_EXISTING);
	ck_assert_str_eq(out.existing_id, r->f.root.id);
	ck_assert_str_eq(flow_id(again, 1), flow_id(r, 1));
	again->f.root.fingerprint = "another";
	again->f.root.id[0] = '\0';
	ck_assert_int_eq(flow_submit(q, again).outcome, SUBMIT_MISMATCH);
	end_well(l, flow_id(r, 0), NULL);
	end_well(l, flow_id(r, 1), NULL);
	end_well(l, r->f.root.id, NULL);
	ck_assert_int_eq(claim_count(l, 10), 0);
	flow_free(&again);
	flow_free(&r);
	close_both(&q, &l);
}
END_TEST

/* Its making breaks off after the root: the same key completes it. */
START_TEST(flow_that_broke_off_is_completed)
{
	struct queue_options o = {.max_length = 3};
	struct queue *small = open_queue(&o), *q = open_queue(NULL);
	struct queue_link *l = flow_link(Q);
	struct rig_flow *r = flow_new(4), *again = flow_new(4);

	flow_edge(r, 1, 0);
	flow_edge(again, 1, 0);
	r->f.root.idempotency_key = again->f.root.idempotency_key = "monday";
	r->f.root.fingerprint = again->f.root.fingerprint = "print";
	ck_assert_int_eq(flow_submit(small, r).outcome, SUBMIT_FULL);
	state_is(q, r->f.root.id, JOB_WAITING);
	ck_assert_int_eq(claim_count(l, 10), 0);
	ck_assert_int_eq(flow_submit(q, again).outcome, SUBMIT_EXISTING);
	ck_assert_str_eq(again->f.root.id, r->f.root.id);
	for (int i = 0; i < 4; i++)
		end_well(l, NULL, NULL);
	end_well(l, r->f.root.id, NULL);
	flow_free(&again);
	flow_free(&r);
	queue_close(&small);
	close_both(&q, &l);
}
END_TEST

/* One queue has no room for what waits in the middle: what it waits for must not be there either, or its end would be told to nobody. */
START_TEST(flow_runs_nothing_before_all_who_wait_are_there)
{
	struct queue_options o = {.max_length = 3}; /* of Q: its root and two jobs */
	struct queue *small = open_queue(&o), *q = open_queue(NULL);
	struct queue_link *l = flow_link(Q);
	struct rig_flow *r = flow_new(3), *again = flow_new(3);

	for (int i = 0; i < 3; i++) {
		struct queue_submission s = {.kind = KIND, .queue = Q2, .priority = 5, .held = true};
		struct queue_submitted out;
		struct err e = {0};

		ck_ok(queue_submit(q, &s, 1, &out, &e), &e);
	}
	for (struct rig_flow **f = (struct rig_flow *[]){r, again, NULL}; *f; f++) {
		(*f)->jobs[1].job.queue = Q2;
		flow_edge(*f, 1, 0);
		flow_edge(*f, 2, 1);
		(*f)->f.root.idempotency_key = "monday";
		(*f)->f.root.fingerprint = "print";
	}
	ck_assert_int_eq(flow_submit(small, r).outcome, SUBMIT_FULL);
	ck_assert_int_eq(claim_count(l, 10), 0);
	ck_assert_int_eq(flow_submit(q, again).outcome, SUBMIT_EXISTING);
	end_well(l, flow_id(again, 0), NULL);
	flow_free(&again);
	flow_free(&r);
	queue_close(&small);
	close_both(&q, &l);
}
END_TEST

START_TEST(flow_comes_whole_or_not)
{
	struct queue_options o = {.max_length = 5};
	struct queue *q = open_queue(&o);
	struct queue_link *l = flow_link(Q);
	struct rig_flow *r = flow_new(6);

	flow_edge(r, 1, 0);
	ck_assert_int_eq(flow_submit(q, r).outcome, SUBMIT_FULL);
	state_is(q, r->f.root.id, JOB_CANCELLED);
	ck_assert_int_eq(claim_count(l, 10), 0);
	ck_assert_int_eq(counts(q).ready, 0);
	ck_assert_int_eq(counts(q).waiting, 0);
	flow_free(&r);
	close_both(&q, &l);
}
END_TEST

START_TEST(flow_long_result_is_a_reference)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = flow_link(Q);
	struct rig_flow *r = flow_new(3);
	struct queue_claim c;
	size_t len = 200 * 1024;
	char *text = mem_new(len + 3), wanted[200];

	memset(text, 'x', len + 2);
	text[0] = text[len + 1] = '"';
	flow_edge(r, 2, 0);
	flow_edge(r, 2, 1);
	flow_submit_new(q, r);
	end_well(l, flow_id(r, 0), text);
	end_well(l, flow_id(r, 1), text);
	c = end_one(l, flow_id(r, 2), ACK_DONE, NULL, ERR_NONE);
	input_is(&c.job, "n0", text);
	snprintf(wanted, sizeof(wanted), "{\"job\":\"%s\",\"result_url\":\"/api/jobs/%s/result\"}", flow_id(r, 1), flow_id(r, 1));
	input_is(&c.job, "n1", wanted);
	job_close(&c.job);
	mem_free(&text);
	flow_free(&r);
	close_both(&q, &l);
}
END_TEST

/* What jobs share holds for those that waited for others, too. */
START_TEST(flow_limits_hold)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = flow_link(Q);
	struct rig_flow *r = flow_new(4);

	for (size_t i = 1; i < 4; i++) {
		flow_edge(r, i, 0);
		r->jobs[i].job.concurrency_key = "k";
		r->jobs[i].job.max_concurrent = 2;
	}
	flow_submit_new(q, r);
	end_well(l, flow_id(r, 0), "1");
	struct queue_step_reply claimed = step(l, 10);
	ck_assert_uint_eq(claimed.n_claims, 2);
	ck_assert_int_eq(counts(q).parked, 1);
	check_sound(q);
	for (size_t i = 0; i < 2; i++)
		ck_assert_uint_eq(ack(l, claimed.claims[i].job.id, claimed.claims[i].job.fence, ACK_DONE, ERR_NONE), 0);
	queue_step_reply_close(&claimed);
	ck_assert_uint_eq(claim_count(l, 10), 1);
	flow_free(&r);
	close_both(&q, &l);
}
END_TEST

START_TEST(flow_is_shown)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = flow_link(Q);
	struct rig_flow *r = flow_new(300);
	struct queue_flow_view v;
	struct err e = {0};
	char plain[JOB_ID];

	for (size_t i = 1; i < 300; i++) {
		flow_edge(r, i, i - 1);
		r->jobs[i].job.queue = i % 2 ? Q2 : Q;
	}
	flow_submit_new(q, r);
	end_well(l, flow_id(r, 0), "1");
	ck_assert_msg(queue_flow_show(q, r->f.root.id, &v, &e) == 1, "%s", e.text);
	ck_assert_uint_eq(v.n_nodes, 300);
	ck_assert_int_eq(v.root.state, JOB_WAITING);
	for (size_t i = 0; i < 300; i++) {
		ck_assert_str_eq(v.nodes[i].name, r->names[i]);
		ck_assert(v.nodes[i].known);
		ck_assert_str_eq(v.nodes[i].job.id, flow_id(r, i));
		ck_assert_int_eq(v.nodes[i].job.state, i ? JOB_WAITING : JOB_SUCCEEDED);
	}
	queue_flow_view_close(&v);
	ck_assert_int_eq(queue_flow_show(q, flow_id(r, 1), &v, &e), 0); /* a job of a flow is no flow */
	submit_plain(q, plain);
	ck_assert_int_eq(queue_flow_show(q, plain, &v, &e), 0);
	flow_free(&r);
	queue_link_close(&l);
	queue_close(&q);
}
END_TEST

/* ---- any graph, against a model ------------------------------------------------------------------------------------- */

struct flow_graph {
	struct rig_flow *r;
	size_t n;
	bool edge[12][12]; /* [i][k]: i waits for k */
	int ended[13];     /* accepted ends that were good; the last is the root */
};

struct flow_model {
	struct flow_graph graphs[40];
	uint64_t seed;
};

static unsigned flow_roll(struct flow_model *m, unsigned sides)
{
	m->seed = m->seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(m->seed >> 33) % sides;
}

static void model_graph(struct flow_model *m, struct flow_graph *g)
{
	memset(g, 0, sizeof(*g));
	g->n = 1 + flow_roll(m, 12);
	g->r = flow_new(g->n);
	for (size_t i = 0; i < g->n; i++) {
		if (flow_roll(m, 3) == 0)
			g->r->jobs[i].job.queue = Q2;
		for (size_t k = 0; k < i; k++)
			if (flow_roll(m, 3) == 0) {
				g->edge[i][k] = true;
				flow_edge(g->r, i, k);
			}
	}
}

/* The number of a job in its graph, n: the root, n + 1: it is of another graph. */
static size_t model_number(const struct flow_graph *g, const char *id)
{
	size_t i = 0;

	while (i < g->n && !str_eq(id, flow_id(g->r, i)))
		i++;
	return i < g->n || str_eq(id, g->r->f.root.id) ? i : g->n + 1;
}

/* It may run only after all that it waits for, and once. */
static void model_ran(struct flow_model *m, const char *id)
{
	struct flow_graph *g = m->graphs;
	size_t i;

	while ((i = model_number(g, id)) > g->n)
		g++;
	for (size_t k = 0; k < g->n; k++)
		ck_assert_msg((i < g->n && !g->edge[i][k]) || g->ended[k] == 1, "n%zu ran before n%zu had ended", i, k);
	ck_assert_int_eq(g->ended[i], 0);
	g->ended[i]++;
}

/* Claim some and end them, or give them back; at times word is told twice. */
static void model_turn(struct flow_model *m, struct queue_link *l, struct queue_mail *mail)
{
	struct queue_step_reply r = step(l, 64), after;
	struct queue_ack acks[64] = {0};
	struct err e = {0};

	for (size_t i = 0; i < r.n_claims; i++) {
		acks[i] = (struct queue_ack){.fence = r.claims[i].job.fence, .outcome = flow_roll(m, 4) ? ACK_DONE : ACK_GIVE_BACK};
		memcpy(acks[i].id, r.claims[i].job.id, JOB_ID);
		if (acks[i].outcome == ACK_DONE)
			model_ran(m, acks[i].id);
	}
	after = step_with(l, acks, r.n_claims, 0, LEASE);
	ck_assert_uint_eq(after.n_rejected, 0);
	queue_step_reply_close(&after);
	queue_step_reply_close(&r);
	for (int n; (n = queue_mail_take(mail, &e)) > 0;) {
		ck_ok(queue_mail_tell(mail, &e), &e);
		if (flow_roll(m, 2))
			ck_ok(queue_mail_tell(mail, &e), &e);
		ck_ok(queue_mail_drop(mail, &e), &e);
	}
}

static bool model_over(const struct flow_model *m)
{
	for (size_t g = 0; g < ARRAY_LEN(m->graphs); g++)
		if (!m->graphs[g].ended[m->graphs[g].n])
			return false;
	return true;
}

/* Rounds of graphs, worked off over these links, which serve both queues. */
static void any_graph(struct queue *q, struct queue_link *const *links, unsigned n, int rounds)
{
	struct queue_mail *mail = open_mail();
	struct flow_model *m = mem_new(sizeof(*m));

	m->seed = 42;
	for (int round = 0; round < rounds; round++) {
		for (size_t g = 0; g < ARRAY_LEN(m->graphs); g++) {
			model_graph(m, &m->graphs[g]);
			flow_submit_new(q, m->graphs[g].r);
		}
		for (int turn = 0; !model_over(m); turn++) {
			ck_assert_msg(turn < 500, "round %d does not end", round);
			model_turn(m, links[flow_roll(m, n)], mail);
		}
		if (round % 10 == 0)
			both_sound(q);
		for (size_t g = 0; g < ARRAY_LEN(m->graphs); g++) {
			for (size_t i = 0; i <= m->graphs[g].n; i++)
				ck_assert_int_eq(m->graphs[g].ended[i], 1);
			flow_free(&m->graphs[g].r);
		}
	}
	for (unsigned i = 0; i < n; i++)
		ck_assert_int_eq(claim_count(links[i], 10), 0);
	mem_free(&m);
	queue_mail_close(&mail);
}

START_TEST(flow_any_graph)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l[] = {flow_link(Q), flow_link(Q2)};

	any_graph(q, l, 2, 30);
	queue_link_close(&l[1]);
	close_both(&q, &l[0]);
}
END_TEST

/* Anything happens: bad ends of every policy, cancellations, replays, purges. Then nothing stands in two places, nothing is left waiting
 * for what has ended, and after the root's replay everything ends well. */
static void model_havoc(struct flow_model *m, struct flow_graph *g, struct queue *q, struct queue_link *l, struct queue_mail *mail)
{
	static const enum ack_outcome outcomes[] = {ACK_DONE, ACK_ERROR, ACK_GIVE_BACK, ACK_CRASHED};
	struct queue_step_reply r = step(l, 2);
	const char *id = flow_id(g->r, flow_roll(m, (unsigned)g->n));
	struct err e = {0};
	enum job_state s;

	for (size_t i = 0; i < r.n_claims; i++) {
		enum ack_outcome o = outcomes[flow_roll(m, 4)];

		ack(l, r.claims[i].job.id, r.claims[i].job.fence, o, o == ACK_DONE || o == ACK_GIVE_BACK ? ERR_NONE : ERR_INVALID);
	}
	queue_step_reply_close(&r);
	if (flow_roll(m, 6) == 0)
		ck_assert_int_ne(queue_cancel(q, id, &s, &e), 0);
	if (flow_roll(m, 6) == 0)
		ck_assert_int_ne(queue_replay(q, id, &e), 0);
	if (flow_roll(m, 20) == 0)
		ck_assert_int_ne(queue_cancel(q, g->r->f.root.id, &s, &e), 0);
	if (flow_roll(m, 3))
		carry(mail);
}

/* Until all has ended well. */
static void model_heal(const char *root, struct queue *q, struct queue_link *const *links, unsigned n, struct queue_mail *mail)
{
	struct err e = {0};

	for (int turn = 0; state_of(q, root) != JOB_SUCCEEDED; turn++) {
		enum job_state s = state_of(q, root);

		ck_assert_msg(turn < 200, "the root is still %s", job_state_name(s));
		if (s == JOB_FAILED || s == JOB_CANCELLED || s == JOB_DEAD)
			ck_assert_msg(queue_replay(q, root, &e) == 1, "%s", e.text);
		carry(mail);
		for (unsigned i = 0; i < n; i++) {
			struct queue_link *link = links[i];
			struct queue_step_reply r = step(link, 50);

			for (size_t k = 0; k < r.n_claims; k++)
				ack(link, r.claims[k].job.id, r.claims[k].job.fence,
				        r.claims[k].job.cancel_asked ? ACK_CANCELLED : ACK_DONE, ERR_NONE);
			queue_step_reply_close(&r);
		}
		carry(mail);
	}
}

static void any_trouble(struct queue *q, struct queue_link *const *links, unsigned n, int rounds)
{
	struct queue_mail *mail = open_mail();
	struct flow_model *m = mem_new(sizeof(*m));
	struct flow_graph *g = m->graphs;

	m->seed = 7;
	for (int round = 0; round < rounds; round++) {
		model_graph(m, g);
		for (size_t i = 0; i < g->n; i++) {
			g->r->jobs[i].on_failure = (enum flow_policy)flow_roll(m, 3);
			g->r->jobs[i].retries = 1;
			g->r->jobs[i].job.backoff_ms = 1;
		}
		flow_submit_new(q, g->r);
		for (int turn = 0; turn < 20; turn++)
			model_havoc(m, g, q, links[flow_roll(m, n)], mail);
		if (round % 10 == 0)
			both_sound(q);
		model_heal(g->r->f.root.id, q, links, n, mail);
		flow_free(&g->r);
	}
	both_sound(q);
	mem_free(&m);
	queue_mail_close(&mail);
}

START_TEST(flow_any_trouble)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l[] = {flow_link(Q), flow_link(Q2)};

	any_trouble(q, l, 2, 100);
	queue_link_close(&l[1]);
	close_both(&q, &l[0]);
}
END_TEST

/* clang-format off */
#define FLOW_TESTS flow_chain_passes_results_on, flow_join_waits_for_all, flow_many_wait_for_one, flow_result_comes_behind_much_trouble, flow_crosses_queues, flow_mail_wakes_who_waits, \
	flow_failure_goes_up, flow_failure_can_be_ignored, flow_child_is_retried, flow_replay_runs_what_failed, flow_job_released_by_hand, \
	flow_cancel_takes_the_tree, flow_cancel_spares_what_others_need, flow_cancel_after_the_root_failed, \
	flow_wide_tree_is_cancelled_in_stretches, flow_survives_a_purge, flow_nonsense_is_refused, flow_is_made_once, \
	flow_that_broke_off_is_completed, flow_runs_nothing_before_all_who_wait_are_there, flow_comes_whole_or_not, flow_long_result_is_a_reference, flow_is_shown, flow_limits_hold, flow_any_graph, \
	flow_any_trouble
/* clang-format on */

#endif
