/* work_suite.h -- a client and a dispatcher that go on whatever happens to the servers, and count. Included after queue_suite.h. */
#ifndef TESTS_CONTRACT_WORK_SUITE_H
#define TESTS_CONTRACT_WORK_SUITE_H

#include "tests/contract/queue_suite.h"

/* A client and a dispatcher at work, as long as the other process moves things. */
struct work {
	struct queue *q;
	struct queue_link *l;
	struct queue_step step;
	struct queue_ack acks[16];
	int accepted, done, refused;
};

static void work_submit(struct work *w)
{
	struct queue_submission s = {.kind = KIND, .queue = Q, .priority = 5, .params = "{}"};
	struct queue_submitted out;
	struct err e = {0};

	for (int tries = 0; tries < 20; tries++) {
		if (queue_submit(w->q, &s, 1, &out, &e)) {
			w->accepted += out.outcome == SUBMIT_NEW || out.outcome == SUBMIT_EXISTING;
			return;
		}
		w->refused++;
		ck_assert_msg(err_is_temporary(e.code) || e.code == ERR_UNSURE, "%s", e.text);
	}
	ck_abort_msg("a job was never taken: %s", e.text);
}

/* Begun again with the same content until it is answered. */
static void work_step(struct work *w)
{
	struct queue_step_reply r;
	struct err e = {0};
	int got = 0;

	for (int tries = 0; tries < 600 && got != 1; tries++) {
		if (!queue_link_step_begin(w->l, &w->step, &e)) {
			clock_sleep_ms(20);
			continue;
		}
		while (!(got = queue_link_step_end(w->l, &r, &e)))
			wait_fd(queue_link_fd(w->l));
		if (got < 0)
			clock_sleep_ms(20);
	}
	ck_assert_msg(got == 1, "a step was never answered: %s", e.text);
	ck_assert_uint_eq(r.n_rejected, 0);
	w->done += (int)w->step.n_acks;
	w->step.n_acks = r.n_claims;
	for (size_t i = 0; i < r.n_claims; i++) {
		w->acks[i] = (struct queue_ack){.fence = r.claims[i].job.fence, .outcome = ACK_DONE};
		memcpy(w->acks[i].id, r.claims[i].job.id, JOB_ID);
	}
	queue_step_reply_close(&r);
}

/* timeout_ms: of each call of the client. */
static void work_open(struct work *w, const char *url, int timeout_ms)
{
	struct err e = {0};
	const char *kinds[] = {KIND};

	memset(w, 0, sizeof(*w));
	w->q = queue_open(url, &(struct queue_options){.timeout_ms = timeout_ms}, &e);
	ck_assert_msg(w->q != NULL, "%s", e.text);
	w->l = queue_link_open(url, NULL, Q, "w1", kinds, 1, &e);
	ck_assert_msg(w->l != NULL, "%s", e.text);
	w->step = (struct queue_step){.acks = w->acks, .want = 8, .lease_ms = 60000};
}

/* Every accepted job ends, once. */
static void work_close(struct work *w)
{
	struct err e = {0};
	struct queue_audit a;

	for (int i = 0; i < 400 && w->done < w->accepted; i++)
		work_step(w);
	ck_assert_int_eq(w->done, w->accepted);
	ck_assert_msg(queue_audit(w->q, Q, &a, &e) == 1, "%s%s", a.problem, e.text);
	ck_assert_int_eq(a.by_state[JOB_SUCCEEDED], w->accepted);
	queue_link_close(&w->l);
	queue_close(&w->q);
}

#endif
