/* queue_hands.h -- what a test of the queue does with it by hand: open it, submit, step, acknowledge, look, close. */
#ifndef TESTS_CONTRACT_QUEUE_HANDS_H
#define TESTS_CONTRACT_QUEUE_HANDS_H

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "queue/queue.h"
#include "tests/lib/counts.h"
#include "tests/lib/test.h"

#define Q     "q"
#define LEASE 15000
#define KIND  "a.kind"

/* Where the queue is: each test says it. Mostly a server of its own, started at the first call. */
const char *suite_url(void);

static inline struct queue *open_queue(const struct queue_options *o)
{
	struct err e = {0};
	struct queue *q = queue_open(suite_url(), o, &e);

	ck_assert_msg(q != NULL, "%s", e.text);
	return q;
}

static inline struct queue_link *open_link_for(const char *worker, const char *kind, const char *kind2)
{
	struct err e = {0};
	char routes[6][JOB_ROUTE];
	const char *list[] = {routes[0], routes[1], routes[2], routes[3], routes[4], routes[5]};
	struct queue_link *l;

	job_route(routes[0], kind, 0, false);
	job_route(routes[1], kind, 0, true);
	job_route(routes[2], KIND, 7, false);
	job_route(routes[3], KIND, 7, true);
	job_route(routes[4], kind2 ? kind2 : kind, 0, false);
	job_route(routes[5], kind2 ? kind2 : kind, 0, true);
	l = queue_link_open(suite_url(), NULL, Q, worker, list, kind2 ? 6 : 4, &e);

	ck_assert_msg(l != NULL, "%s", e.text);
	return l;
}

static inline struct queue_link *open_link(const char *worker)
{
	return open_link_for(worker, KIND, NULL);
}

static inline struct queue_submitted submit(struct queue *q, struct queue_submission *s)
{
	struct err e = {0};
	struct queue_submitted out;

	if (!s->kind)
		s->kind = KIND;
	s->queue = Q;
	ck_ok(queue_submit(q, s, 1, &out, &e), &e);
	return out;
}

static inline void submit_new(struct queue *q, struct queue_submission *s)
{
	ck_assert_int_eq(submit(q, s).outcome, SUBMIT_NEW);
}

/* Submit a plain job; its id into id. */
static inline void submit_plain(struct queue *q, char id[JOB_ID])
{
	struct queue_submission s = {.priority = 5, .params = "{\"n\":1}"};

	submit_new(q, &s);
	memcpy(id, s.id, JOB_ID);
}

static inline void wait_fd(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	poll(&p, 1, fd < 0 ? 1 : 50);
}

static inline struct queue_step_reply step_with(struct queue_link *l, const struct queue_ack *acks, size_t n, int want, int64_t lease_ms)
{
	struct queue_step s = {.acks = acks, .n_acks = n, .want = want, .lease_ms = lease_ms};
	struct queue_step_reply r;
	struct err e = {0};
	int got;

	ck_ok(queue_link_step_begin(l, &s, &e), &e);
	while (!(got = queue_link_step_end(l, &r, &e)))
		wait_fd(queue_link_fd(l));
	ck_assert_msg(got == 1, "%s", e.text);
	return r;
}

static inline struct queue_step_reply step(struct queue_link *l, int want)
{
	return step_with(l, NULL, 0, want, LEASE);
}

static inline void step_nothing(struct queue_link *l)
{
	struct queue_step_reply r = step(l, 0);

	queue_step_reply_close(&r);
}

/* Claim just one job, which must be there. */
static inline struct queue_claim claim_one(struct queue_link *l)
{
	struct queue_step_reply r = step(l, 1);
	struct queue_claim c;

	ck_assert_uint_eq(r.n_claims, 1);
	c = r.claims[0];
	memset(&r.claims[0], 0, sizeof(r.claims[0]));
	queue_step_reply_close(&r);
	return c;
}

static inline size_t claim_count(struct queue_link *l, int want)
{
	struct queue_step_reply r = step(l, want);
	size_t n = r.n_claims;

	queue_step_reply_close(&r);
	return n;
}

/* Acknowledge; returns how many were rejected. */
static inline size_t ack(struct queue_link *l, const char *id, int64_t fence, enum ack_outcome outcome, enum err_code code)
{
	struct queue_ack a = {.fence = fence, .outcome = outcome};
	struct queue_step_reply r;
	size_t n;

	memcpy(a.id, id, strlen(id) + 1);
	if (code)
		err_set(&a.error, code, "it did not go well");
	r = step_with(l, &a, 1, 0, LEASE);
	n = r.n_rejected;
	if (n)
		ck_assert_str_eq(r.rejected[0], id);
	queue_step_reply_close(&r);
	return n;
}

static inline struct job show(struct queue *q, const char *id)
{
	struct err e = {0};
	struct job j;

	ck_assert_msg(queue_show(q, id, &j, &e) == 1, "%s: %s", id, e.text);
	return j;
}

static inline enum job_state state_of(struct queue *q, const char *id)
{
	struct job j = show(q, id);
	enum job_state s = j.state;

	job_close(&j);
	return s;
}

static inline void check_sound(struct queue *q)
{
	struct err e = {0};
	struct queue_audit a;
	int sound = queue_audit(q, Q, &a, &e);

	ck_assert_msg(sound == 1, "%s%s", a.problem, e.text);
}

static inline struct queue_counts counts(struct queue *q)
{
	struct err e = {0};
	struct queue_counts c;

	ck_assert_int_eq(test_counts(q, &c, 1, &e), 1);
	ck_assert_str_eq(c.queue, Q);
	return c;
}

static inline enum job_state cancel(struct queue *q, const char *id)
{
	struct err e = {0};
	enum job_state s;

	ck_assert_msg(queue_cancel(q, id, &s, &e) == 1, "%s", e.text);
	return s;
}

static inline void close_both(struct queue **q, struct queue_link **l)
{
	check_sound(*q);
	queue_link_close(l);
	queue_close(q);
}

#endif
