/* queue_suite.h -- what every driver of the queue must do. Included once by the test of each driver, which defines suite_url(). */
#ifndef TESTS_CONTRACT_QUEUE_SUITE_H
#define TESTS_CONTRACT_QUEUE_SUITE_H

#include "tests/contract/queue_hands.h"

#define LONG_MS 10000

/* ---- the straight path ------------------------------------------------------------------------------------------------ */

static const struct queue_submission everything = {.kind = KIND,
        .params = "{\"symbol\":\"BTCUSDT\"}",
        .priority = 3,
        .kind_version = 7,
        .max_attempts = 4,
        .lane = "tenant",
        .idempotency_key = "key",
        .fingerprint = "print",
        .unique_key = "unique",
        .parent = "p",
        .trace = "00-ab",
        .tags = "x,y",
        .time_limit_ms = 90000,
        .hard_limit_ms = 120000};

static void check_submitted(struct queue *q, const char *id)
{
	struct job j = show(q, id);

	ck_assert_int_eq(j.state, JOB_READY);
	ck_assert_int_eq(j.attempt, 0);
	ck_assert_int_eq(j.max_attempts, 4);
	ck_assert_int_eq(j.priority, 3);
	ck_assert_int_eq(j.rev, 1);
	ck_assert_str_eq(j.params, everything.params);
	ck_assert_str_eq(j.parent, "p");
	ck_assert_str_eq(j.tags, "x,y");
	ck_assert(j.time_limit_ms == 90000 && j.hard_limit_ms == 120000);
	ck_assert_str_eq(j.idempotency_key, "key");
	ck_assert_str_eq(j.unique_key, "unique");
	ck_assert(j.created_at > 1600000000000 && j.run_at == j.created_at && !j.started_at && !j.lease_until);
	job_close(&j);
}

static void check_claimed(struct queue *q, const struct job *claim, const char *id)
{
	struct job j = show(q, id);

	ck_assert_str_eq(claim->id, id);
	ck_assert_str_eq(claim->kind, KIND);
	ck_assert_str_eq(claim->queue, Q);
	ck_assert_str_eq(claim->params, everything.params);
	ck_assert_str_eq(claim->trace, "00-ab");
	ck_assert_int_eq(claim->kind_version, 7);
	ck_assert(claim->time_limit_ms == 90000 && claim->hard_limit_ms == 120000);
	ck_assert_int_eq(claim->attempt, 1);
	ck_assert_int_gt(claim->fence, 0);
	ck_assert_int_eq(j.state, JOB_RUNNING);
	ck_assert_int_eq(j.fence, claim->fence);
	ck_assert_int_eq(j.rev, 2);
	ck_assert_str_eq(j.worker, "w1");
	ck_assert(j.started_at && j.lease_until > j.started_at + LEASE / 2);
	job_close(&j);
}

START_TEST(submit_claim_done)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct queue_submission s = everything;
	struct queue_ack a = {.outcome = ACK_DONE};
	char result[] = "{\"bars\":12}";
	struct queue_claim c;
	struct queue_step_reply r;
	struct job j;

	submit_new(q, &s);
	check_submitted(q, s.id);
	c = claim_one(l);
	check_claimed(q, &c.job, s.id);
	check_sound(q);
	a.fence = c.job.fence;
	a.result = result;
	memcpy(a.id, s.id, JOB_ID);
	r = step_with(l, &a, 1, 1, LEASE);
	ck_assert_uint_eq(r.n_rejected + r.n_claims, 0);
	ck_assert(!r.more && r.next_due_ms == -1);
	queue_step_reply_close(&r);
	j = show(q, s.id);
	ck_assert_int_eq(j.state, JOB_SUCCEEDED);
	ck_assert_str_eq(j.result, result);
	ck_assert_int_eq(j.attempt, 1);
	ck_assert(j.finished_at >= j.started_at && !j.lease_until);
	ck_assert_int_eq(counts(q).done_total, 1);
	job_close(&j);
	job_close(&c.job);
	close_both(&q, &l);
}
END_TEST

START_TEST(order_and_priorities)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	static const int priorities[] = {5, 9, 0, 5, 0, 1};
	static const size_t order[] = {2, 4, 5, 0, 3, 1}; /* urgent first, then as submitted */
	char ids[ARRAY_LEN(priorities)][JOB_ID];
	struct queue_step_reply r;

	for (size_t i = 0; i < ARRAY_LEN(priorities); i++) {
		struct queue_submission s = {.priority = priorities[i]};

		submit_new(q, &s);
		memcpy(ids[i], s.id, JOB_ID);
	}
	r = step(l, 2);
	ck_assert_uint_eq(r.n_claims, 2);
	ck_assert(r.more);
	ck_assert_str_eq(r.claims[0].job.id, ids[order[0]]);
	ck_assert_str_eq(r.claims[1].job.id, ids[order[1]]);
	ck_assert_int_lt(r.claims[0].job.fence, r.claims[1].job.fence);
	queue_step_reply_close(&r);
	r = step(l, 10);
	ck_assert_uint_eq(r.n_claims, 4);
	for (size_t i = 0; i < 4; i++)
		ck_assert_str_eq(r.claims[i].job.id, ids[order[i + 2]]);
	ck_assert(!r.more);
	queue_step_reply_close(&r);
	close_both(&q, &l);
}
END_TEST

/* A tenant with 200 jobs must not hold up one with 3, whatever the size of the steps. */
START_TEST(lanes_are_fair)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	int from_small = 0, total = 0;
	struct queue_step_reply r;

	for (int i = 0; i < 200; i++) {
		struct queue_submission s = {.priority = 5, .lane = "big"};

		submit_new(q, &s);
	}
	for (int i = 0; i < 30; i++) {
		struct queue_submission s = {.priority = 5, .lane = "small", .tags = "small"};

		submit_new(q, &s);
	}
	while (total < 70) {
		r = step(l, total < 20 ? 1 : 10);
		for (size_t i = 0; i < r.n_claims; i++, total++) {
			struct job j = show(q, r.claims[i].job.id);

			from_small += str_eq(j.tags, "small");
			job_close(&j);
		}
		queue_step_reply_close(&r);
	}
	ck_assert_int_eq(total, 70);
	ck_assert_int_eq(from_small, 30);
	close_both(&q, &l);
}
END_TEST

START_TEST(kinds_are_filtered)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *a = open_link_for("w1", "a.kind", NULL), *both = open_link_for("w2", "a.kind", "b.kind");
	struct queue_submission s = {.kind = "b.kind", .priority = 5};
	struct queue_step_reply r;

	submit_new(q, &s);
	r = step(a, 10);
	ck_assert_uint_eq(r.n_claims, 0);
	ck_assert(!r.more);
	queue_step_reply_close(&r);
	ck_assert_uint_eq(claim_count(both, 10), 1);
	queue_link_close(&both);
	close_both(&q, &a);
}
END_TEST

/* ---- submitting ---------------------------------------------------------------------------------------------------------- */

START_TEST(same_id_is_the_same_job)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct queue_submission s[2] = {{.kind = KIND, .queue = Q}, {.kind = KIND, .queue = Q}};
	struct queue_submitted out[2];
	struct err e = {0};

	submit_new(q, &s[0]);
	ck_assert_int_eq(submit(q, &s[0]).outcome, SUBMIT_EXISTING);
	memset(s[0].id, 0, JOB_ID);
	ck_ok(queue_submit(q, s, 1, out, &e), &e);
	memcpy(s[1].id, s[0].id, JOB_ID);
	ck_ok(queue_submit(q, s, 2, out, &e), &e);
	ck_assert_int_eq(out[1].outcome, SUBMIT_EXISTING);
	ck_assert_str_eq(out[1].existing_id, s[0].id);
	memset(s[0].id, 0, JOB_ID);
	ck_ok(queue_submit(q, s, 1, out, &e), &e); /* gives it an id */
	job_id_make(s[0].id, Q, 0, clock_now_ms(), 77);
	memcpy(s[1].id, s[0].id, JOB_ID);
	ck_ok(queue_submit(q, s, 2, out, &e), &e); /* twice in one batch */
	ck_assert_int_eq(out[0].outcome, SUBMIT_NEW);
	ck_assert_int_eq(out[1].outcome, SUBMIT_EXISTING);
	ck_assert_uint_eq(claim_count(l, 10), 4);
	close_both(&q, &l);
}
END_TEST

START_TEST(idempotency_keys)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct queue_submission first = {.idempotency_key = "k 1", .fingerprint = "f", .priority = 5};
	struct queue_submission again = first, other = first, free_key = {.idempotency_key = "k 2", .fingerprint = "f"};
	struct queue_submitted out;
	struct queue_claim c;

	other.fingerprint = "g";
	submit_new(q, &first);
	out = submit(q, &again);
	ck_assert_int_eq(out.outcome, SUBMIT_EXISTING);
	ck_assert_str_eq(out.existing_id, first.id);
	ck_assert_int_eq(submit(q, &other).outcome, SUBMIT_MISMATCH);
	submit_new(q, &free_key);
	c = claim_one(l);
	ck_assert_uint_eq(ack(l, c.job.id, c.job.fence, ACK_DONE, ERR_NONE), 0);
	memset(again.id, 0, JOB_ID);
	ck_assert_int_eq(submit(q, &again).outcome, SUBMIT_EXISTING); /* also after its end */
	job_close(&c.job);
	close_both(&q, &l);
}
END_TEST

/* The same key means another thing for another kind. */
START_TEST(unique_keys_are_of_a_kind)
{
	struct queue *q = open_queue(NULL);
	char longest[JOB_KEY];

	memset(longest, 'k', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	struct queue_submission first = {.unique_key = longest, .unique = UNIQUE_KEEP_NEWEST, .kind = "a.kind"},
	                        other = {.unique_key = longest, .unique = UNIQUE_REPLACE, .kind = "b.kind"}, again = first;
	struct queue_submitted out;
	struct err e = {0};
	struct job j;

	submit_new(q, &first);
	submit_new(q, &other);
	ck_assert_int_eq(state_of(q, first.id), JOB_READY);
	again.unique = UNIQUE_RETURN;
	out = submit(q, &again);
	ck_assert_int_eq(out.outcome, SUBMIT_EXISTING);
	ck_assert_str_eq(out.existing_id, first.id);
	ck_assert_int_eq(queue_show(q, first.id, &j, &e), 1);
	ck_assert_str_eq(j.unique_key, longest);
	job_close(&j);
	check_sound(q);
	queue_close(&q);
}
END_TEST

START_TEST(unique_keys)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct queue_submission first = {.unique_key = "u", .priority = 5}, back = first, reject = first, replace = first, next = first;
	struct queue_submitted out;
	struct queue_claim c;

	back.idempotency_key = "i";
	reject.unique = UNIQUE_REJECT;
	replace.unique = UNIQUE_REPLACE;
	submit_new(q, &first);
	out = submit(q, &back);
	ck_assert_int_eq(out.outcome, SUBMIT_EXISTING);
	ck_assert_str_eq(out.existing_id, first.id);
	out = submit(q, &reject);
	ck_assert_int_eq(out.outcome, SUBMIT_REJECTED);
	ck_assert_str_eq(out.existing_id, first.id);
	submit_new(q, &replace);
	ck_assert_int_eq(state_of(q, first.id), JOB_CANCELLED);
	c = claim_one(l);
	ck_assert_str_eq(c.job.id, replace.id);
	check_sound(q);
	memset(replace.id, 0, JOB_ID);
	submit_new(q, &replace); /* the running one is asked to stop, and no longer owns the key */
	ck_assert_uint_eq(ack(l, c.job.id, c.job.fence, ACK_CANCELLED, ERR_NONE), 0);
	memset(reject.id, 0, JOB_ID);
	ck_assert_int_eq(submit(q, &reject).outcome, SUBMIT_REJECTED);
	job_close(&c.job);
	c = claim_one(l);
	ck_assert_uint_eq(ack(l, c.job.id, c.job.fence, ACK_DONE, ERR_NONE), 0);
	submit_new(q, &next); /* free again */
	memset(back.id, 0, JOB_ID);
	ck_assert_str_eq(submit(q, &back).existing_id, first.id); /* the idempotency key remembers what it was told */
	job_close(&c.job);
	close_both(&q, &l);
}
END_TEST

START_TEST(full_queue)
{
	struct queue_options o = {.max_length = 3};
	struct queue *q = open_queue(&o);
	struct queue_link *l = open_link("w1");
	struct queue_submission s[5] = {{.kind = KIND, .queue = Q}, {.kind = KIND, .queue = Q, .delay_ms = LONG_MS},
	        {.kind = KIND, .queue = Q, .held = true}, {.kind = KIND, .queue = Q}, {.kind = KIND, .queue = Q}};
	struct queue_submitted out[5];
	struct err e = {0};

	ck_ok(queue_submit(q, s, 5, out, &e), &e);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(out[i].outcome, SUBMIT_NEW);
	ck_assert_int_eq(out[3].outcome, SUBMIT_FULL);
	ck_assert_int_eq(out[4].outcome, SUBMIT_FULL);
	ck_assert_int_gt(out[4].retry_after_ms, 0);
	ck_ok(queue_submit(q, s, 1, out, &e), &e);
	ck_assert_int_eq(out[0].outcome, SUBMIT_EXISTING); /* what was accepted is answered as before */
	ck_assert_uint_eq(claim_count(l, 10), 1);
	ck_ok(queue_submit(q, s + 3, 1, out, &e), &e);
	ck_assert_int_eq(out[0].outcome, SUBMIT_NEW);
	close_both(&q, &l);
}
END_TEST

START_TEST(bad_submissions)
{
	struct queue *q = open_queue(NULL);
	char *big = mem_new(QUEUE_PARAMS_MAX + 2), *key = mem_new(JOB_KEY + 1);
	memset(big, 'x', QUEUE_PARAMS_MAX + 1);
	memset(key, 'k', JOB_KEY);
	struct queue_submission bad[] = {{.queue = Q}, {.kind = KIND}, {.kind = "Kind", .queue = Q}, {.kind = KIND, .queue = "a.b"},
	        {.kind = KIND, .queue = Q, .priority = 10}, {.kind = KIND, .queue = Q, .priority = -1},
	        {.kind = KIND, .queue = Q, .params = big}, {.kind = KIND, .queue = Q, .lane = key},
	        {.kind = KIND, .queue = Q, .idempotency_key = key}, {.kind = KIND, .queue = Q, .lane = "a\nb"},
	        {.kind = KIND, .queue = Q, .id = "other-001hf7yat00000000000ab"}, {.kind = KIND, .queue = Q, .id = "nonsense"},
	        {.kind = KIND, .queue = Q, .max_attempts = -1}, {.kind = KIND, .queue = Q, .delay_ms = INT64_MAX},
	        {.kind = KIND, .queue = Q, .run_at_ms = -5}};
	struct queue_submitted out;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e = {0};

		ck_assert_msg(!queue_submit(q, &bad[i], 1, &out, &e), "bad submission %zu was taken", i);
		ck_assert_int_eq(e.code, ERR_INVALID);
	}
	mem_free(&big);
	mem_free(&key);
	queue_close(&q);
}
END_TEST

START_TEST(largest_params_and_odd_texts)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	char *big = mem_new(QUEUE_PARAMS_MAX + 1);
	struct queue_submission s = {.params = big,
	        .lane = "%s *{}:\"' \xc3\xa9",
	        .unique_key = "{x}:%d $3",
	        .idempotency_key = "a b\"c*",
	        .fingerprint = "f g"};
	struct queue_claim c;

	memset(big, 'x', QUEUE_PARAMS_MAX);
	submit_new(q, &s);
	c = claim_one(l);
	ck_assert_str_eq(c.job.params, big);
	ck_assert_uint_eq(ack(l, c.job.id, c.job.fence, ACK_DONE, ERR_NONE), 0);
	memset(s.id, 0, JOB_ID);
	ck_assert_int_eq(submit(q, &s).outcome, SUBMIT_EXISTING);
	mem_free(&big);
	job_close(&c.job);
	close_both(&q, &l);
}
END_TEST

/* 60 jobs of 256 KB are more than one answer may hold: they come in several, in order, and none is lost. */
START_TEST(answers_are_bounded_in_bytes)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	char *big = mem_new(QUEUE_PARAMS_MAX + 1);
	int total = 0;

	memset(big, 'x', QUEUE_PARAMS_MAX);
	for (int i = 0; i < 60; i++) {
		struct queue_submission s = {.params = big};

		submit_new(q, &s);
	}
	for (int i = 0; i < 60 && total < 60; i++) {
		struct queue_step_reply r = step(l, 256);

		ck_assert_uint_gt(r.n_claims, 0);
		total += (int)r.n_claims;
		ck_assert_int_eq(r.more, total < 60);
		queue_step_reply_close(&r);
	}
	ck_assert_int_eq(total, 60);
	mem_free(&big);
	close_both(&q, &l);
}
END_TEST

START_TEST(whole_batches)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct queue_submission *s = mem_array(QUEUE_BATCH_MAX + 1, sizeof(*s));
	struct queue_submitted *out = mem_array(QUEUE_BATCH_MAX + 1, sizeof(*out));
	struct queue_ack *acks = mem_array(QUEUE_BATCH_MAX, sizeof(*acks));
	struct queue_step_reply r;
	struct err e = {0};

	for (int i = 0; i <= QUEUE_BATCH_MAX; i++)
		s[i] = (struct queue_submission){.kind = KIND, .queue = Q};
	ck_assert(!queue_submit(q, s, QUEUE_BATCH_MAX + 1, out, &e));
	ck_ok(queue_submit(q, s, QUEUE_BATCH_MAX, out, &e), &e);
	r = step(l, QUEUE_BATCH_MAX);
	ck_assert_uint_eq(r.n_claims, QUEUE_BATCH_MAX);
	for (size_t i = 0; i < r.n_claims; i++) {
		ck_assert_str_eq(r.claims[i].job.id, s[i].id);
		memcpy(acks[i].id, r.claims[i].job.id, JOB_ID);
		acks[i].fence = r.claims[i].job.fence;
	}
	queue_step_reply_close(&r);
	check_sound(q);
	r = step_with(l, acks, QUEUE_BATCH_MAX, 0, LEASE);
	ck_assert_uint_eq(r.n_rejected, 0);
	queue_step_reply_close(&r);
	r = step_with(l, acks, QUEUE_BATCH_MAX, 0, LEASE); /* all once more */
	ck_assert_uint_eq(r.n_rejected, QUEUE_BATCH_MAX);
	queue_step_reply_close(&r);
	ck_assert_int_eq(counts(q).done_total, QUEUE_BATCH_MAX);
	mem_free(&s);
	mem_free(&out);
	mem_free(&acks);
	close_both(&q, &l);
}
END_TEST

/* ---- time ----------------------------------------------------------------------------------------------------------------- */

START_TEST(delays_are_kept)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct queue_submission late = {.delay_ms = 2000}, at = {.run_at_ms = clock_now_ms() + 1000}, past = {.run_at_ms = 1000};
	int64_t start = clock_mono_ms(), submitted;
	struct queue_step_reply r;
	struct queue_claim c;
	struct err e = {0};
	int got;

	submit_new(q, &late);
	submitted = clock_mono_ms();
	submit_new(q, &at);
	submit_new(q, &past);
	ck_assert_int_eq(state_of(q, late.id), JOB_SCHEDULED);
	ck_assert_int_eq(state_of(q, past.id), JOB_READY);
	check_sound(q);
	ck_assert_uint_eq(claim_count(l, 10), 1);
	r = step(l, 10);
	ck_assert_int_gt(r.next_due_ms, 0);
	ck_assert_int_le(r.next_due_ms, 1000);
	/* As a dispatcher does: wait, but not longer than until the next is due. */
	ck_ok(queue_link_wait_begin(l, r.next_due_ms, &e), &e);
	queue_step_reply_close(&r);
	while (!(got = queue_link_wait_end(l, &e)))
		wait_fd(queue_link_wait_fd(l));
	ck_assert_int_eq(got, 1);
	clock_sleep_ms(2);
	c = claim_one(l);
	ck_assert_str_eq(c.job.id, at.id);
	ck_assert_int_ge(clock_mono_ms() - start, 998);
	ck_assert_uint_eq(claim_count(l, 10), 0);
	clock_sleep_ms(submitted + 2002 - clock_mono_ms());
	/* Due 2 s after the server took it in, which may be a while after we began. */
	size_t got_last = 0;
	while ((got_last = claim_count(l, 10)) == 0 && clock_mono_ms() - start < LONG_MS)
		clock_sleep_ms(2);
	ck_assert_uint_eq(got_last, 1);
	job_close(&c.job);
	close_both(&q, &l);
}
END_TEST

static int64_t wait_for_wake(struct queue_link *l)
{
	int64_t start = clock_mono_ms();
	struct err e = {0};
	int got;

	while (!(got = queue_link_wait_end(l, &e)))
		wait_fd(queue_link_wait_fd(l));
	ck_assert_msg(got == 1, "%s", e.text);
	return clock_mono_ms() - start;
}

START_TEST(waiting_wakes)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *a = open_link("w1"), *b = open_link("w2");
	struct queue_submission later = {.delay_ms = 300};
	struct err e = {0};
	char id[JOB_ID];

	step_nothing(a);
	ck_ok(queue_link_wait_begin(a, LONG_MS, &e), &e);
	ck_assert_int_eq(queue_link_wait_end(a, &e), 0);
	submit_plain(q, id);
	submit_plain(q, id);
	ck_assert_int_lt(wait_for_wake(a), LONG_MS / 2);
	ck_assert_uint_eq(claim_count(a, 1), 1);
	/* One was left: the wake-up goes on to the next. */
	ck_ok(queue_link_wait_begin(b, LONG_MS, &e), &e);
	ck_assert_int_lt(wait_for_wake(b), LONG_MS / 2);
	ck_assert_uint_eq(claim_count(b, 5), 1);
	/* Nothing is left: nobody is woken, until something is scheduled that is due before all else. */
	ck_ok(queue_link_wait_begin(b, 250, &e), &e);
	ck_assert_int_ge(wait_for_wake(b), 200);
	ck_ok(queue_link_wait_begin(b, LONG_MS, &e), &e);
	ck_assert_int_eq(queue_link_wait_end(b, &e), 0);
	submit_new(q, &later);
	ck_assert_int_lt(wait_for_wake(b), LONG_MS / 2);
	queue_link_close(&b);
	close_both(&q, &a);
}
END_TEST

START_TEST(retries_back_off)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct queue_submission s = {.max_attempts = 3, .backoff_ms = 100, .backoff_cap_ms = 150};
	struct job j;

	submit_new(q, &s);
	for (int attempt = 1; attempt <= 3; attempt++) {
		struct queue_claim c = claim_one(l);

		ck_assert_int_eq(c.job.attempt, attempt);
		ck_assert_uint_eq(ack(l, s.id, c.job.fence, ACK_ERROR, ERR_TIMEOUT), 0);
		j = show(q, s.id);
		ck_assert_int_eq(j.error.code, ERR_TIMEOUT);
		ck_assert_str_eq(j.error.text, "it did not go well");
		ck_assert_int_eq(j.attempt, attempt);
		ck_assert_int_eq(j.state, attempt < 3 ? JOB_RETRYING : JOB_DEAD);
		if (attempt < 3) {
			int64_t pause = j.run_at - clock_now_ms();

			ck_assert_int_le(pause, attempt == 1 ? 100 : 150);
			ck_assert_uint_eq(claim_count(l, 5), 0);
			clock_sleep_ms(pause + 2);
		}
		check_sound(q);
		job_close(&j);
		job_close(&c.job);
	}
	ck_assert_int_eq(counts(q).dead, 1);
	close_both(&q, &l);
}
END_TEST

START_TEST(permanent_errors_and_own_pauses)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct queue_submission s = {.max_attempts = 9}, t = {.max_attempts = 9};
	struct queue_ack a = {.outcome = ACK_ERROR};
	struct queue_step_reply r;
	struct queue_claim c;
	struct job j;

	submit_new(q, &s);
	c = claim_one(l);
	ck_assert_uint_eq(ack(l, s.id, c.job.fence, ACK_ERROR, ERR_INVALID), 0);
	ck_assert_int_eq(state_of(q, s.id), JOB_FAILED);
	job_close(&c.job);
	submit_new(q, &t);
	c = claim_one(l);
	memcpy(a.id, t.id, JOB_ID);
	a.fence = c.job.fence;
	err_set(&a.error, ERR_LIMITED, "wait");
	a.error.retry_after_ms = 60000;
	r = step_with(l, &a, 1, 1, LEASE);
	ck_assert_int_gt(r.next_due_ms, 50000);
	queue_step_reply_close(&r);
	j = show(q, t.id);
	ck_assert_int_gt(j.run_at, clock_now_ms() + 50000);
	job_close(&j);
	job_close(&c.job);
	close_both(&q, &l);
}
END_TEST

/* ---- leases and fences ------------------------------------------------------------------------------------------------------- */

START_TEST(a_lease_ends)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct queue_claim first;
	struct queue_step_reply r;
	char id[JOB_ID];
	struct job j;

	submit_plain(q, id);
	r = step_with(l, NULL, 0, 1, 100);
	ck_assert_uint_eq(r.n_claims, 1);
	first = r.claims[0];
	memset(&r.claims[0], 0, sizeof(r.claims[0]));
	queue_step_reply_close(&r);
	ck_assert_uint_eq(claim_count(l, 5), 0);
	clock_sleep_ms(650); /* it is looked for twice a second */
	r = step_with(l, NULL, 0, 1, 100);
	ck_assert_uint_eq(r.n_claims, 1);
	ck_assert_int_gt(r.claims[0].job.fence, first.job.fence);
	ck_assert_int_eq(r.claims[0].job.attempt, 1);
	j = show(q, id);
	ck_assert_int_eq(j.crashes, 1);
	ck_assert_uint_eq(ack(l, id, first.job.fence, ACK_DONE, ERR_NONE), 1); /* the old fence is stale */
	ck_assert_int_eq(state_of(q, id), JOB_RUNNING);
	ck_assert_uint_eq(ack(l, id, r.claims[0].job.fence, ACK_DONE, ERR_NONE), 0);
	queue_step_reply_close(&r);
	job_close(&first.job);
	job_close(&j);
	close_both(&q, &l);
}
END_TEST

static struct queue_renew_reply renew(struct queue_link *l, const char *id, int64_t fence, const char *progress, int64_t lease_ms)
{
	struct queue_renewal item = {.fence = fence, .progress_json = progress};
	struct queue_renew_reply r;
	struct err e = {0};
	int got;

	memcpy(item.id, id, strlen(id) + 1);
	ck_ok(queue_link_renew_begin(l, &item, 1, lease_ms, &e), &e);
	while (!(got = queue_link_renew_end(l, &r, &e)))
		wait_fd(queue_link_fd(l));
	ck_assert_msg(got == 1, "%s", e.text);
	return r;
}

START_TEST(the_last_progress_rides_on_the_end)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct queue_ack a = {.outcome = ACK_DONE, .progress_json = (char[]){"{\"done\":9,\"total\":9,\"unit\":\"bars\"}"}};
	struct queue_step_reply r;
	struct queue_claim c;
	struct job j;

	submit_plain(q, a.id);
	c = claim_one(l);
	a.fence = c.job.fence;
	r = step_with(l, &a, 1, 0, LEASE);
	ck_assert_uint_eq(r.n_rejected, 0);
	queue_step_reply_close(&r);
	j = show(q, a.id);
	ck_assert_int_eq(j.state, JOB_SUCCEEDED);
	ck_assert_int_eq(j.progress.done, 9);
	ck_assert_str_eq(j.progress.unit, "bars");
	job_close(&j);
	job_close(&c.job);
	queue_link_close(&l);
	queue_close(&q);
}
END_TEST

/* The lease of the claim ends before the last of these, which ask for its end, too. What may take long comes before a renewal: between it and the
 * next call this machine may stand still for as long as the lease lasts. */
START_TEST(renewals)
{
	enum { SHORT = 1000 };
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct queue_step_reply s;
	struct queue_renew_reply r;
	char id[JOB_ID];
	int64_t fence;
	struct job j;

	submit_plain(q, id);
	s = step_with(l, NULL, 0, 1, SHORT);
	ck_assert_uint_eq(s.n_claims, 1);
	fence = s.claims[0].job.fence;
	queue_step_reply_close(&s);
	for (int i = 0; i < 4; i++) {
		clock_sleep_ms(SHORT * 2 / 5);
		r = renew(l, id, fence, i == 2 ? "{\"done\":5,\"total\":9,\"unit\":\"bars\",\"note\":\"n\"}" : NULL, SHORT);
		ck_assert_uint_eq(r.n_lost + r.n_cancel, 0);
		queue_renew_reply_close(&r);
		ck_assert_uint_eq(claim_count(l, 1), 0);
	}
	j = show(q, id);
	ck_assert_int_eq(j.progress.done, 5);
	ck_assert_int_eq(j.progress.total, 9);
	ck_assert_str_eq(j.progress.unit, "bars");
	job_close(&j);
	r = renew(l, id, fence - 1, NULL, LEASE);
	ck_assert_uint_eq(r.n_lost, 1);
	ck_assert_str_eq(r.lost[0].id, id);
	ck_assert_int_eq(r.lost[0].fence, fence - 1);
	queue_renew_reply_close(&r);
	ck_assert_int_eq(cancel(q, id), JOB_RUNNING);
	r = renew(l, id, fence, NULL, LEASE);
	ck_assert_uint_eq(r.n_cancel, 1);
	ck_assert_str_eq(r.cancel[0].id, id);
	ck_assert_int_eq(r.cancel[0].fence, fence);
	queue_renew_reply_close(&r);
	ck_assert_uint_eq(ack(l, id, fence, ACK_CANCELLED, ERR_NONE), 0);
	ck_assert_int_eq(state_of(q, id), JOB_CANCELLED);
	r = renew(l, id, fence, NULL, LEASE);
	ck_assert_uint_eq(r.n_lost, 1);
	queue_renew_reply_close(&r);
	close_both(&q, &l);
}
END_TEST

/* A dispatcher that is killed is silent from one moment to the next; another one goes on stepping. */
START_TEST(a_dead_worker_loses_its_leases)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *dead = open_link("dead"), *alive = open_link("alive");
	int64_t start;
	size_t n = 0;
	char id[JOB_ID];

	for (int i = 0; i < 5; i++)
		submit_plain(q, id);
	step_nothing(alive);
	ck_assert_uint_eq(claim_count(dead, 5), 5);
	queue_link_close(&dead);
	start = clock_mono_ms();
	while (n < 5 && clock_mono_ms() - start < 6000) {
		clock_sleep_ms(100);
		n += claim_count(alive, 5);
		if (clock_mono_ms() - start < 2500)
			ck_assert_uint_eq(n, 0);
	}
	ck_assert_uint_eq(n, 5);
	ck_assert_int_eq(counts(q).workers, 1);
	close_both(&q, &alive);
}
END_TEST

/* When nobody is heard for long it was the server that was away: the leases of those who come back are still theirs. */
START_TEST(a_silence_kills_nobody)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *a = open_link("a"), *b = open_link("b");
	struct queue_claim c;
	char id[JOB_ID];

	submit_plain(q, id);
	step_nothing(b);
	c = claim_one(a);
	clock_sleep_ms(3500);
	ck_assert_uint_eq(claim_count(b, 5), 0);
	clock_sleep_ms(500);
	step_nothing(a);
	for (int i = 0; i < 6; i++) {
		clock_sleep_ms(500);
		ck_assert_uint_eq(claim_count(b, 5), 0);
		step_nothing(a);
	}
	ck_assert_uint_eq(ack(a, id, c.job.fence, ACK_DONE, ERR_NONE), 0);
	job_close(&c.job);
	queue_link_close(&b);
	close_both(&q, &a);
}
END_TEST

START_TEST(crashes_make_a_job_dead)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct queue_submission s = {.max_crashes = 2, .max_attempts = 2}, behind = {.priority = 0};
	struct queue_claim c;
	struct job j;
	struct err e = {0};

	submit_new(q, &s);
	for (int i = 1; i <= 3; i++) {
		c = claim_one(l);
		ck_assert_str_eq(c.job.id, s.id);
		ck_assert_int_eq(c.job.attempt, 1);
		ck_assert_int_eq(c.job.crashes, i - 1);
		ck_assert_uint_eq(ack(l, s.id, c.job.fence, ACK_CRASHED, ERR_CRASHED), 0);
		job_close(&c.job);
	}
	j = show(q, s.id);
	ck_assert_int_eq(j.state, JOB_DEAD);
	ck_assert_int_eq(j.crashes, 3);
	ck_assert_int_eq(j.error.code, ERR_CRASHED);
	ck_assert(strstr(j.error.text, "poison") != NULL);
	job_close(&j);
	check_sound(q);
	ck_assert_int_eq(queue_replay(q, s.id, &e), 1);
	j = show(q, s.id);
	ck_assert_int_eq(j.state, JOB_READY);
	ck_assert_int_eq(j.crashes + j.attempt, 0);
	ck_assert_int_eq(j.error.code, ERR_NONE);
	job_close(&j);
	submit_new(q, &behind);
	ck_assert_uint_eq(claim_count(l, 5), 2);
	close_both(&q, &l);
}
END_TEST

START_TEST(give_back_counts_nothing)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	char id[JOB_ID], second[JOB_ID];
	struct queue_claim c;

	submit_plain(q, id);
	submit_plain(q, second);
	for (int i = 0; i < 5; i++) {
		c = claim_one(l);
		ck_assert_str_eq(c.job.id, id); /* at the front again */
		ck_assert_int_eq(c.job.attempt, 1);
		ck_assert_int_eq(c.job.crashes, 0);
		ck_assert_uint_eq(ack(l, id, c.job.fence, ACK_GIVE_BACK, ERR_NONE), 0);
		job_close(&c.job);
	}
	close_both(&q, &l);
}
END_TEST

/* ---- acts upon jobs ------------------------------------------------------------------------------------------------------------ */

START_TEST(cancel_in_every_state)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct queue_submission ready = {.priority = 1}, scheduled = {.delay_ms = LONG_MS}, held = {.held = true},
	                        retrying = {.max_attempts = 5, .backoff_ms = LONG_MS}, running = {0};
	struct queue_claim c;
	struct err e = {0};
	enum job_state s;

	submit_new(q, &retrying);
	c = claim_one(l);
	ck_assert_uint_eq(ack(l, retrying.id, c.job.fence, ACK_ERROR, ERR_IO), 0);
	job_close(&c.job);
	submit_new(q, &running);
	c = claim_one(l);
	submit_new(q, &ready);
	submit_new(q, &scheduled);
	submit_new(q, &held);
	ck_assert_int_eq(state_of(q, held.id), JOB_WAITING);
	ck_assert_int_eq(cancel(q, ready.id), JOB_CANCELLED);
	ck_assert_int_eq(cancel(q, scheduled.id), JOB_CANCELLED);
	ck_assert_int_eq(cancel(q, held.id), JOB_CANCELLED);
	ck_assert_int_eq(cancel(q, retrying.id), JOB_CANCELLED);
	ck_assert_int_eq(cancel(q, running.id), JOB_RUNNING);
	ck_assert_int_eq(cancel(q, running.id), JOB_RUNNING);
	check_sound(q);
	ck_assert_uint_eq(claim_count(l, 10), 0);
	check_sound(q);
	ck_assert_uint_eq(ack(l, running.id, c.job.fence, ACK_ERROR, ERR_IO), 0); /* not tried again */
	ck_assert_int_eq(state_of(q, running.id), JOB_CANCELLED);
	ck_assert_int_eq(queue_cancel(q, running.id, &s, &e), -1);
	ck_assert_int_eq(e.code, ERR_CONFLICT);
	ck_assert_int_eq(queue_cancel(q, "q-001hf7yat00000000000a", &s, &e), 0);
	ck_assert_int_eq(queue_cancel(q, "garbage", &s, &e), 0);
	job_close(&c.job);
	close_both(&q, &l);
}
END_TEST

/* A job cancelled in its lane leaves its id there. Replayed, it must stand there once, be given out once, and be counted right. */
START_TEST(cancel_replay_cancel)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct queue_step_reply r;
	struct err e = {0};
	char ids[3][JOB_ID];

	for (int i = 0; i < 3; i++)
		submit_plain(q, ids[i]);
	for (int i = 0; i < 3; i++) {
		cancel(q, ids[1]);
		check_sound(q);
		ck_assert_int_eq(counts(q).ready, 2);
		ck_assert_int_eq(queue_replay(q, ids[1], &e), 1);
		check_sound(q);
		ck_assert_int_eq(counts(q).ready, 3);
	}
	cancel(q, ids[0]);
	cancel(q, ids[1]);
	r = step(l, 10);
	ck_assert_uint_eq(r.n_claims, 1);
	ck_assert_str_eq(r.claims[0].job.id, ids[2]);
	queue_step_reply_close(&r);
	ck_assert_int_eq(queue_replay(q, ids[0], &e), 1); /* now it has left its lane */
	check_sound(q);
	ck_assert_uint_eq(claim_count(l, 10), 1);
	ck_assert_int_eq(queue_replay(q, ids[0], &e), -1);
	ck_assert_int_eq(e.code, ERR_CONFLICT);
	close_both(&q, &l);
}
END_TEST

START_TEST(cancel_asked_survives_a_crash)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	static const enum ack_outcome outcomes[] = {ACK_CRASHED, ACK_GIVE_BACK, ACK_DONE};
	static const enum job_state ends[] = {JOB_CANCELLED, JOB_CANCELLED, JOB_SUCCEEDED};

	for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
		char id[JOB_ID];
		struct queue_claim c;

		submit_plain(q, id);
		c = claim_one(l);
		cancel(q, id);
		ck_assert_uint_eq(ack(l, id, c.job.fence, outcomes[i], ERR_NONE), 0);
		ck_assert_int_eq(state_of(q, id), ends[i]);
		job_close(&c.job);
	}
	close_both(&q, &l);
}
END_TEST

START_TEST(replay_needs_its_unique_key)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct queue_submission a = {.unique_key = "u"}, b = {.unique_key = "u"};
	struct err e = {0};

	submit_new(q, &a);
	cancel(q, a.id);
	submit_new(q, &b);
	ck_assert_int_eq(queue_replay(q, a.id, &e), -1);
	ck_assert_int_eq(e.code, ERR_CONFLICT);
	cancel(q, b.id);
	ck_assert_int_eq(queue_replay(q, a.id, &e), 1);
	memset(b.id, 0, JOB_ID);
	ck_assert_int_eq(submit(q, &b).outcome, SUBMIT_EXISTING);
	close_both(&q, &l);
}
END_TEST

START_TEST(held_jobs_are_released)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct queue_submission s = {.held = true};
	struct err e = {0};

	submit_new(q, &s);
	ck_assert_uint_eq(claim_count(l, 5), 0);
	ck_assert_int_eq(counts(q).waiting, 1);
	check_sound(q);
	ck_assert_int_eq(queue_release(q, s.id, &e), 1);
	ck_assert_int_eq(queue_release(q, s.id, &e), -1);
	ck_assert_uint_eq(claim_count(l, 5), 1);
	close_both(&q, &l);
}
END_TEST

START_TEST(ended_jobs_vanish)
{
	struct queue_options o = {.result_ttl_ms = 150, .dead_ttl_ms = 150};
	struct queue *q = open_queue(&o);
	struct queue_submission s = {.idempotency_key = "k", .unique_key = "u"};
	struct err e = {0};
	struct job j;

	submit_new(q, &s);
	cancel(q, s.id);
	clock_sleep_ms(250);
	ck_assert_int_eq(queue_show(q, s.id, &j, &e), 0);
	memset(s.id, 0, JOB_ID);
	submit_new(q, &s);
	check_sound(q);
	queue_close(&q);
}
END_TEST

/* ---- another priority --------------------------------------------------------------------------------------------------------------- */

static void prioritize(struct queue *q, const char *id, int priority)
{
	struct err e = {0};
	struct job j;

	ck_assert_msg(queue_set_priority(q, id, priority, 0, &e) == 1, "%s", e.text);
	j = show(q, id);
	ck_assert_int_eq(j.priority, priority);
	job_close(&j);
}

static void claims_in_order(struct queue_link *l, char (*ids)[JOB_ID], const size_t *order, size_t n)
{
	struct queue_step_reply r = step(l, QUEUE_BATCH_MAX);

	ck_assert_uint_eq(r.n_claims, n);
	for (size_t i = 0; i < n; i++)
		ck_assert_str_eq(r.claims[i].job.id, ids[order[i]]);
	queue_step_reply_close(&r);
}

START_TEST(ready_jobs_change_their_place)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	static const size_t order[] = {4, 5, 2, 0, 3, 1};
	char ids[6][JOB_ID];

	for (size_t i = 0; i < 6; i++)
		submit_plain(q, ids[i]);
	prioritize(q, ids[4], 0);
	prioritize(q, ids[1], 7);
	prioritize(q, ids[2], 3);
	prioritize(q, ids[5], 0);
	prioritize(q, ids[5], 2);
	prioritize(q, ids[5], 0); /* there and back: one place, not two */
	prioritize(q, ids[3], 5); /* nothing to do */
	ck_assert_int_eq(counts(q).ready, 6);
	check_sound(q);
	claims_in_order(l, ids, order, 6);
	ck_assert_uint_eq(claim_count(l, 10), 0);
	ck_assert_int_eq(counts(q).ready, 0);
	close_both(&q, &l);
}
END_TEST

START_TEST(a_change_of_place_wakes_and_keeps_lanes)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct queue_submission a = {.priority = 5, .lane = "a"}, held = {.priority = 5, .lane = "b", .held = true},
	                        later = {.priority = 5, .delay_ms = 30};
	static const size_t order[] = {2, 1, 0};
	char ids[3][JOB_ID];

	submit_new(q, &a);
	submit_new(q, &held);
	submit_new(q, &later);
	memcpy(ids[0], a.id, JOB_ID);
	memcpy(ids[1], held.id, JOB_ID);
	memcpy(ids[2], later.id, JOB_ID);
	prioritize(q, held.id, 1);
	prioritize(q, later.id, 0);
	prioritize(q, a.id, 9);
	ck_assert_int_eq(state_of(q, held.id), JOB_WAITING);
	ck_assert_int_eq(state_of(q, later.id), JOB_SCHEDULED);
	ck_assert_int_eq(counts(q).ready, 1);
	ck_assert_int_eq(queue_release(q, held.id, &(struct err){0}), 1);
	clock_sleep_ms(40);
	claims_in_order(l, ids, order, 3);
	close_both(&q, &l);
}
END_TEST

START_TEST(a_priority_asks_for_its_revision)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct queue_claim c;
	struct err e = {0};
	char id[JOB_ID];

	submit_plain(q, id);
	ck_assert_int_eq(queue_set_priority(q, id, 3, 1, &e), 1);
	ck_assert_int_eq(queue_set_priority(q, id, 4, 1, &e), -1);
	ck_assert_int_eq(e.code, ERR_STALE);
	ck_assert_int_eq(queue_set_priority(q, id, 4, 2, &e), 1);
	ck_assert_int_eq(queue_set_priority(q, id, 10, 0, &e), -1);
	ck_assert_int_eq(e.code, ERR_INVALID);
	ck_assert_int_eq(queue_set_priority(q, id, -1, 0, &e), -1);
	ck_assert_int_eq(queue_set_priority(q, "q-001hf7yat00000000000a", 1, 0, &e), 0);
	ck_assert_int_eq(queue_set_priority(q, "nonsense", 1, 0, &e), 0);
	c = claim_one(l);
	ck_assert_int_eq(queue_set_priority(q, id, 1, 0, &e), -1);
	ck_assert_int_eq(e.code, ERR_CONFLICT);
	ck_assert_uint_eq(ack(l, id, c.job.fence, ACK_DONE, ERR_NONE), 0);
	ck_assert_int_eq(queue_set_priority(q, id, 1, 0, &e), -1);
	ck_assert_int_eq(e.code, ERR_CONFLICT);
	job_close(&c.job);
	close_both(&q, &l);
}
END_TEST

/* An id that is left in a lane must not be taken there, nor be lost, whatever the job does meanwhile. */
START_TEST(what_is_left_behind_is_passed_over)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct queue_submission s = {.priority = 5, .max_attempts = 3, .backoff_ms = 1, .backoff_cap_ms = 1};
	struct queue_claim c;
	struct err e = {0};

	submit_new(q, &s);
	prioritize(q, s.id, 1);
	c = claim_one(l);
	ck_assert_uint_eq(ack(l, s.id, c.job.fence, ACK_ERROR, ERR_IO), 0);
	job_close(&c.job);
	prioritize(q, s.id, 5); /* where its id still lies */
	check_sound(q);
	clock_sleep_ms(5);
	c = claim_one(l);
	ck_assert_str_eq(c.job.id, s.id);
	ck_assert_uint_eq(claim_count(l, 5), 0);
	ck_assert_uint_eq(ack(l, s.id, c.job.fence, ACK_CRASHED, ERR_CRASHED), 0);
	job_close(&c.job);
	prioritize(q, s.id, 2);
	prioritize(q, s.id, 8);
	cancel(q, s.id);
	check_sound(q);
	ck_assert_uint_eq(claim_count(l, 5), 0);
	ck_assert_int_eq(queue_replay(q, s.id, &e), 1);
	prioritize(q, s.id, 2);
	check_sound(q);
	c = claim_one(l);
	ck_assert_uint_eq(claim_count(l, 5), 0);
	ck_assert_uint_eq(ack(l, s.id, c.job.fence, ACK_DONE, ERR_NONE), 0);
	ck_assert_int_eq(counts(q).ready, 0);
	job_close(&c.job);
	close_both(&q, &l);
}
END_TEST

/* ---- pausing ---------------------------------------------------------------------------------------------------------------------- */

/* Does a link that waits go on before max_ms are over? */
static bool woken(struct queue_link *l, int64_t max_ms)
{
	int64_t start = clock_mono_ms();
	struct err e = {0};

	ck_ok(queue_link_wait_begin(l, max_ms, &e), &e);
	while (!queue_link_wait_end(l, &e))
		wait_fd(queue_link_wait_fd(l));
	return clock_mono_ms() - start < max_ms / 2;
}

START_TEST(a_paused_queue_claims_nothing)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct queue_submission later = {.delay_ms = 20, .priority = 5};
	struct queue_step_reply r;
	char first[JOB_ID], second[JOB_ID];
	struct queue_claim c;
	struct err e = {0};
	int64_t since;

	submit_plain(q, first);
	submit_plain(q, second);
	submit_new(q, &later);
	c = claim_one(l);
	ck_assert_int_eq(counts(q).paused_at, 0);
	ck_ok(queue_pause(q, Q, &e), &e);
	since = counts(q).paused_at;
	ck_assert_int_gt(since, 1600000000000);
	clock_sleep_ms(40);
	ck_ok(queue_pause(q, Q, &e), &e); /* again, which changes nothing */
	ck_assert_int_eq(counts(q).paused_at, since);
	r = step(l, 5);
	ck_assert(r.n_claims == 0 && !r.more);
	queue_step_reply_close(&r);
	ck_assert_int_eq(counts(q).ready, 2); /* what was due has come */
	ck_assert_int_eq(state_of(q, later.id), JOB_READY);
	ck_assert_uint_eq(ack(l, c.job.id, c.job.fence, ACK_DONE, ERR_NONE), 0);
	ck_assert_int_eq(state_of(q, c.job.id), JOB_SUCCEEDED);
	ck_ok(queue_resume(q, Q, &e), &e);
	ck_ok(queue_resume(q, Q, &e), &e);
	ck_assert_int_eq(counts(q).paused_at, 0);
	ck_assert_uint_eq(claim_count(l, 5), 2);
	job_close(&c.job);
	close_both(&q, &l);
}
END_TEST

/* Who waits at a paused queue is woken at most by what comes in, not again and again; resuming wakes it. */
START_TEST(resuming_wakes)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct err e = {0};
	char id[JOB_ID];
	int times = 0;

	ck_ok(queue_pause(q, Q, &e), &e); /* before its first job */
	ck_assert_int_gt(counts(q).paused_at, 0);
	submit_plain(q, id);
	while (times < 10 && woken(l, 300)) {
		ck_assert_uint_eq(claim_count(l, 1), 0);
		times++;
	}
	ck_assert_int_le(times, 1);
	ck_ok(queue_link_wait_begin(l, LONG_MS, &e), &e);
	ck_ok(queue_resume(q, Q, &e), &e);
	ck_assert(woken(l, LONG_MS));
	ck_assert_uint_eq(claim_count(l, 1), 1);
	ck_assert(!queue_pause(q, "No Queue", &e));
	ck_assert_int_eq(e.code, ERR_INVALID);
	ck_assert(!queue_resume(q, "", &e));
	close_both(&q, &l);
}
END_TEST

/* ---- purging ---------------------------------------------------------------------------------------------------------------------- */

static void purges(struct queue *q, enum job_state state, int limit, int cancelled, int64_t left)
{
	struct err e = {0};
	int64_t got = -1;

	ck_assert_int_eq(queue_purge(q, Q, state, limit, &got, &e), cancelled);
	ck_assert_int_eq(got, left);
}

/* Ready jobs of two kinds, many lanes and priorities, with ghosts among them; a held, a scheduled, a retrying and a running one beside. */
START_TEST(purging_what_waits)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct queue_submission held = {.held = true}, later = {.delay_ms = 3600000}, again = {.max_attempts = 2, .backoff_ms = 3600000},
	                        runs = {.priority = 0};
	struct queue_claim c, c2;

	submit_new(q, &again);
	c = claim_one(l);
	ck_assert_uint_eq(ack(l, c.job.id, c.job.fence, ACK_ERROR, ERR_IO), 0);
	submit_new(q, &runs);
	c2 = claim_one(l);
	submit_new(q, &held);
	submit_new(q, &later);
	for (int i = 0; i < 300; i++) {
		char lane[2] = {(char)('a' + i % 20), 0};
		struct queue_submission s = {.kind = i % 3 ? KIND : "b.kind", .lane = lane, .priority = i % 10};

		submit_new(q, &s);
		if (i % 7 == 0)
			prioritize(q, s.id, (i + 1) % 10);
		if (i % 11 == 0)
			cancel(q, s.id);
	}
	ck_assert_int_eq(counts(q).ready, 272);
	for (int i = 0; i < 20 && counts(q).ready; i++) {
		int64_t before = counts(q).ready, left;
		int n = queue_purge(q, Q, JOB_READY, 100, &left, &(struct err){0});

		ck_assert(n >= 0 && n <= 100 && left == before - n);
		ck_assert_int_eq(counts(q).ready, left);
		check_sound(q);
	}
	purges(q, JOB_READY, 256, 0, 0);
	ck_assert_uint_eq(claim_count(l, 256), 0);
	ck_assert_int_eq(counts(q).scheduled, 2);
	purges(q, JOB_SCHEDULED, 1, 1, 1);
	purges(q, JOB_SCHEDULED, 256, 1, 0);
	purges(q, JOB_WAITING, 256, 1, 0);
	ck_assert_int_eq(state_of(q, held.id), JOB_CANCELLED);
	ck_assert_int_eq(state_of(q, later.id), JOB_CANCELLED);
	ck_assert_int_eq(state_of(q, again.id), JOB_CANCELLED);
	ck_assert_int_eq(state_of(q, runs.id), JOB_RUNNING);
	job_close(&c.job);
	job_close(&c2.job);
	close_both(&q, &l);
}
END_TEST

START_TEST(purged_jobs_let_go_and_come_again)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct queue_submission s = {.unique_key = "u"}, next = {.unique_key = "u", .unique = UNIQUE_REJECT};
	struct err e = {0};
	int64_t left;

	submit_new(q, &s);
	purges(q, JOB_READY, 256, 1, 0);
	ck_assert_int_eq(state_of(q, s.id), JOB_CANCELLED);
	ck_assert_int_eq(queue_replay(q, s.id, &e), 1);
	ck_assert_uint_eq(claim_count(l, 5), 1);
	purges(q, JOB_READY, 256, 0, 0);
	ck_assert_int_eq(submit(q, &next).outcome, SUBMIT_REJECTED);
	ck_assert_int_eq(queue_purge(q, Q, JOB_RUNNING, 1, &left, &e), -1);
	ck_assert_int_eq(e.code, ERR_INVALID);
	ck_assert_int_eq(queue_purge(q, Q, JOB_READY, 257, &left, &e), -1);
	ck_assert_int_eq(queue_purge(q, Q, JOB_READY, 0, &left, &e), -1);
	ck_assert_int_eq(queue_purge(q, "No", JOB_READY, 1, &left, &e), -1);
	ck_assert_int_eq(queue_purge(q, "nowhere", JOB_READY, 1, &left, &e), 0);
	ck_assert_int_eq(left, 0);
	close_both(&q, &l);
}
END_TEST

/* ---- looking ---------------------------------------------------------------------------------------------------------------------- */

/* All pages; returns how many jobs came, and checks that they come newest first and none twice. */
static int list_all(struct queue *q, const char *kind, int state, int limit, bool ordered)
{
	static char seen[4096][JOB_ID];
	struct job *jobs = mem_array(256, sizeof(*jobs));
	char cursor[64] = "";
	int64_t before = INT64_MAX;
	struct err e = {0};
	int total = 0;

	do {
		char next[64];
		int n = queue_list(q, Q, kind, state, cursor, limit, jobs, next, &e);

		ck_assert_msg(n >= 0 && n <= limit, "%s", e.text);
		for (int i = 0; i < n; i++) {
			ck_assert(!ordered || jobs[i].created_at <= before);
			before = jobs[i].created_at;
			for (int k = 0; k < total; k++)
				ck_assert_str_ne(seen[k], jobs[i].id);
			memcpy(seen[total++], jobs[i].id, JOB_ID);
			job_close(&jobs[i]);
		}
		memcpy(cursor, next, sizeof(cursor));
	} while (cursor[0]);
	mem_free(&jobs);
	return total;
}

/* A cursor comes from outside: rubbish gives nothing, or is refused with a sentence; never the server's own words. */
START_TEST(hostile_cursors)
{
	static const char *const cursors[] = {"a99999999999999999999", "ainf", "anan", "a", "0", "99999999999999999999",
	        "k9999999999999999999:zz", "ZZZ", "a0x10", "::::"};
	struct queue *q = open_queue(NULL);
	struct job jobs[4];
	char id[JOB_ID], next[64];

	submit_plain(q, id);
	for (size_t i = 0; i < ARRAY_LEN(cursors); i++) {
		struct err e = {0};
		int n = queue_list(q, Q, NULL, -1, cursors[i], 4, jobs, next, &e);
		ck_assert_msg(n >= 0 || e.code == ERR_INVALID, "%s: %s %s", cursors[i], err_name(e.code), e.text);
		for (int k = 0; k < n; k++)
			job_close(&jobs[k]);
	}
	queue_close(&q);
}
END_TEST

START_TEST(listing)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct job *jobs = mem_array(256, sizeof(*jobs));
	struct queue_step_reply r;
	struct err e = {0};
	char next[64], last[JOB_ID] = "";

	for (int i = 0; i < 700; i++) {
		struct queue_submission s = {.kind = i % 7 ? KIND : "b.kind", .priority = 5};

		submit_new(q, &s);
		memcpy(last, s.id, JOB_ID);
	}
	ck_assert_int_eq(queue_list(q, Q, NULL, -1, "", 1, jobs, next, &e), 1);
	ck_assert_str_eq(jobs[0].id, last);
	job_close(&jobs[0]);
	ck_assert_int_eq(list_all(q, NULL, -1, 100, true), 700);
	ck_assert_int_eq(list_all(q, "b.kind", -1, 7, true), 100);
	r = step(l, 20);
	for (size_t i = 0; i < 9; i++)
		ck_assert_uint_eq(ack(l, r.claims[i].job.id, r.claims[i].job.fence, i < 3 ? ACK_DONE : ACK_ERROR,
		                          i < 3   ? ERR_NONE
		                          : i < 6 ? ERR_IO
		                                  : ERR_INVALID),
		        0);
	queue_step_reply_close(&r);
	ck_assert_int_eq(list_all(q, NULL, JOB_RUNNING, 4, false), 11);
	ck_assert_int_eq(list_all(q, NULL, JOB_SUCCEEDED, 2, true), 3);
	ck_assert_int_eq(list_all(q, NULL, JOB_DEAD, 2, false), 3);
	ck_assert_int_eq(list_all(q, NULL, JOB_FAILED, 256, false), 3);
	ck_assert_int_eq(list_all(q, NULL, JOB_READY, 256, true), 680);
	ck_assert_int_eq(list_all(q, NULL, JOB_SCHEDULED, 5, false), 0);
	ck_assert_int_eq(queue_list(q, "nowhere", NULL, -1, "", 5, jobs, next, &e), 0);
	ck_assert_int_eq(queue_list(q, Q, NULL, -1, "*[]!", 5, jobs, next, &e), -1);
	ck_assert_int_eq(queue_list(q, Q, NULL, -1, "", 257, jobs, next, &e), -1);
	mem_free(&jobs);
	close_both(&q, &l);
}
END_TEST

static bool take_end(struct queue_watcher *w, char id[JOB_ID], enum job_state *s)
{
	struct err e = {0};
	int got;

	for (int i = 0; i < 100; i++) {
		got = queue_watcher_next(w, id, s, &e);
		ck_assert_msg(got >= 0, "%s", e.text);
		if (got)
			return true;
		wait_fd(queue_watcher_fd(w));
	}
	return false;
}

START_TEST(watching)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct err e = {0};
	struct queue_watcher *w = queue_watcher_open(suite_url(), NULL, &e);
	char watched[JOB_ID], other[JOB_ID], id[JOB_ID];
	struct queue_claim c;
	enum job_state s;

	ck_assert_msg(w != NULL, "%s", e.text);
	submit_plain(q, other);
	submit_plain(q, watched);
	ck_assert_int_eq(queue_watch(q, watched, &s, &e), 1);
	ck_assert_int_eq(s, JOB_READY);
	cancel(q, other); /* nobody watches it */
	c = claim_one(l);
	ck_assert_uint_eq(ack(l, watched, c.job.fence, ACK_DONE, ERR_NONE), 0);
	ck_assert(take_end(w, id, &s));
	ck_assert_str_eq(id, watched);
	ck_assert_int_eq(s, JOB_SUCCEEDED);
	ck_assert_int_eq(queue_watcher_next(w, id, &s, &e), 0);
	ck_assert_int_eq(queue_watch(q, watched, &s, &e), 1); /* too late, but it says so */
	ck_assert_int_eq(s, JOB_SUCCEEDED);
	ck_assert_int_eq(queue_watch(q, "q-001hf7yat00000000000a", &s, &e), 0);
	job_close(&c.job);
	queue_watcher_close(&w);
	close_both(&q, &l);
}
END_TEST

/* ---- dead letters ----------------------------------------------------------------------------------------------------------------- */

static int64_t done_so_far(struct queue *q)
{
	struct queue_counts c = {0};
	struct err e = {0};

	ck_assert_int_ge(test_counts(q, &c, 1, &e), 0);
	return c.done_total;
}

/* Submit n jobs of a kind and let them end with this error. */
static void bury(struct queue *q, const char *kind, int n, enum err_code code, const char *text, const char *unique)
{
	struct queue_link *l;
	struct queue_ack acks[64] = {0};
	struct queue_step_reply r;
	char worker[40];

	/* Another name each time: a worker that comes again within a millisecond is taken for the old one. */
	snprintf(worker, sizeof(worker), "undertaker%lld", (long long)done_so_far(q));
	l = open_link_for(worker, kind, NULL);

	for (int i = 0; i < n; i++) {
		struct queue_submission s = {.kind = kind, .unique_key = unique, .idempotency_key = unique};

		submit_new(q, &s);
	}
	r = step(l, n);
	ck_assert_uint_eq(r.n_claims, n);
	for (int i = 0; i < n; i++) {
		acks[i] = (struct queue_ack){.fence = r.claims[i].job.fence, .outcome = ACK_ERROR};
		memcpy(acks[i].id, r.claims[i].job.id, JOB_ID);
		err_set(&acks[i].error, code, "%s", text);
	}
	queue_step_reply_close(&r);
	r = step_with(l, acks, (size_t)n, 0, LEASE);
	ck_assert_uint_eq(r.n_rejected, 0);
	queue_step_reply_close(&r);
	queue_link_close(&l);
}

/* All pages; how many there are, none twice, the latest ended first. */
static int dead_all(struct queue *q, const struct queue_dead_filter *f, int limit)
{
	static char seen[512][JOB_ID];
	struct job *jobs = mem_array(256, sizeof(*jobs));
	char cursor[64] = "", next[64];
	int64_t before = INT64_MAX;
	struct err e = {0};
	int total = 0;

	do {
		int n = queue_dead_list(q, f, cursor, limit, jobs, next, &e);

		ck_assert_msg(n >= 0 && n <= limit, "%s", e.text);
		for (int i = 0; i < n; i++) {
			ck_assert_int_eq(jobs[i].state, f->state);
			ck_assert_int_le(jobs[i].finished_at, before);
			before = jobs[i].finished_at;
			for (int k = 0; k < total; k++)
				ck_assert_str_ne(seen[k], jobs[i].id);
			memcpy(seen[total++], jobs[i].id, JOB_ID);
			job_close(&jobs[i]);
		}
		memcpy(cursor, next, sizeof(cursor));
	} while (cursor[0]);
	mem_free(&jobs);
	return total;
}

/* The same with an act; how many were done. */
static int dead_act_all(struct queue *q, enum queue_dead_act act, const struct queue_dead_filter *f, int limit, int *skipped_out)
{
	char cursor[64] = "", next[64];
	struct err e = {0};
	int total = 0;

	*skipped_out = 0;
	do {
		int skipped, n = queue_dead_act(q, act, f, cursor, limit, &skipped, next, &e);

		ck_assert_msg(n >= 0 && n <= limit, "%s", e.text);
		total += n;
		*skipped_out += skipped;
		memcpy(cursor, next, sizeof(cursor));
	} while (cursor[0]);
	return total;
}

START_TEST(dead_letters_are_found)
{
	struct queue *q = open_queue(NULL);
	struct queue_dead_filter f = {.queue = Q, .state = JOB_DEAD};
	struct job jobs[2];
	char next[64];
	int64_t middle;
	struct err e = {0};

	for (int i = 0; i < 5; i++)
		bury(q, KIND, 60, ERR_IO, "The disk of Ålesund is 100% full", NULL); /* 60 that end within one ms */
	clock_sleep_ms(5);
	middle = clock_now_ms();
	clock_sleep_ms(5);
	bury(q, "b.kind", 10, ERR_UNAVAILABLE, "nobody is there", NULL);
	bury(q, "b.kind", 3, ERR_INVALID, "it makes no sense", NULL);
	ck_assert_int_eq(dead_all(q, &f, 7), 310);
	ck_assert_int_eq(dead_all(q, &f, 256), 310);
	f.kind = "b.kind";
	ck_assert_int_eq(dead_all(q, &f, 256), 10);
	f.kind = NULL;
	f.error = "DISK of ålesund is 100%";
	ck_assert_int_eq(dead_all(q, &f, 256), 0); /* only letters of ASCII have two cases here */
	f.error = "DISK of Ålesund is 100%";
	ck_assert_int_eq(dead_all(q, &f, 256), 300);
	f.error = err_name(ERR_UNAVAILABLE);
	ck_assert_int_eq(dead_all(q, &f, 3), 10);
	f.error = NULL;
	f.from_ms = middle;
	ck_assert_int_eq(dead_all(q, &f, 4), 10);
	f.from_ms = 0;
	f.to_ms = middle;
	ck_assert_int_eq(dead_all(q, &f, 100), 300);
	f.from_ms = middle + 1;
	ck_assert_int_eq(dead_all(q, &f, 100), 0);
	f = (struct queue_dead_filter){.queue = Q, .state = JOB_FAILED};
	ck_assert_int_eq(dead_all(q, &f, 256), 3);
	f.queue = "nowhere";
	ck_assert_int_eq(dead_all(q, &f, 256), 0);
	f.queue = Q;
	ck_assert_int_eq(queue_dead_list(q, &f, "a b", 2, jobs, next, &e), -1);
	ck_assert_int_eq(queue_dead_list(q, &f, "", 257, jobs, next, &e), -1);
	f.state = JOB_CANCELLED;
	ck_assert_int_eq(queue_dead_list(q, &f, "", 2, jobs, next, &e), -1);
	ck_assert_int_eq(e.code, ERR_INVALID);
	check_sound(q);
	queue_close(&q);
}
END_TEST

START_TEST(dead_letters_are_replayed)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link_for("w1", KIND, "b.kind");
	struct queue_dead_filter f = {.queue = Q, .state = JOB_DEAD, .error = "disk"};
	int skipped;

	for (int i = 0; i < 5; i++)
		bury(q, KIND, 60, ERR_IO, "disk full", NULL);
	bury(q, KIND, 10, ERR_IO, "net down", NULL);
	ck_assert_int_eq(dead_act_all(q, QUEUE_DEAD_REPLAY, &f, 7, &skipped), 300);
	ck_assert_int_eq(skipped, 0);
	ck_assert_int_eq(counts(q).ready, 300);
	ck_assert_int_eq(counts(q).dead, 10);
	check_sound(q);
	ck_assert_int_eq(dead_act_all(q, QUEUE_DEAD_REPLAY, &f, 256, &skipped), 0);
	ck_assert_uint_eq(claim_count(l, 256), 256);
	close_both(&q, &l);
}
END_TEST

START_TEST(only_one_of_a_unique_key_is_replayed)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct queue_dead_filter f = {.queue = Q, .state = JOB_FAILED};
	struct queue_submission live = {.unique_key = "v"};
	int skipped;

	for (int i = 0; i < 3; i++) {
		struct queue_submission s = {.unique_key = i ? "u" : "v"};
		struct queue_claim c;

		submit_new(q, &s);
		c = claim_one(l);
		ck_assert_uint_eq(ack(l, s.id, c.job.fence, ACK_ERROR, ERR_INVALID), 0);
		job_close(&c.job);
	}
	submit_new(q, &live);
	ck_assert_int_eq(dead_act_all(q, QUEUE_DEAD_REPLAY, &f, 256, &skipped), 1);
	ck_assert_int_eq(skipped, 2);
	close_both(&q, &l);
}
END_TEST

START_TEST(dead_letters_are_deleted)
{
	struct queue *q = open_queue(NULL);
	struct queue_dead_filter f = {.queue = Q, .state = JOB_DEAD, .kind = KIND};
	struct queue_submission again = {.kind = KIND, .unique_key = "k", .idempotency_key = "k"};
	int skipped;

	bury(q, KIND, 1, ERR_IO, "disk full", "k");
	bury(q, KIND, 60, ERR_IO, "disk full", NULL);
	bury(q, "b.kind", 5, ERR_IO, "disk full", NULL);
	ck_assert_int_eq(submit(q, &again).outcome, SUBMIT_EXISTING);
	ck_assert_int_eq(dead_act_all(q, QUEUE_DEAD_DELETE, &f, 9, &skipped), 61);
	ck_assert_int_eq(counts(q).dead, 5);
	ck_assert_int_eq(list_all(q, NULL, -1, 100, true), 5);
	memset(again.id, 0, JOB_ID);
	submit_new(q, &again); /* the keys went with it */
	check_sound(q);
	queue_close(&q);
}
END_TEST

/* ---- budgets ------------------------------------------------------------------------------------------------------------------------ */

START_TEST(budgets)
{
	struct queue *q = open_queue(NULL);
	const int64_t window = 3600 * 1000;
	struct err e = {0};
	int64_t wait;

	ck_assert_int_eq(queue_budget_take(q, "binance:ip", 6, 10, window, &wait, &e), 1);
	ck_assert_int_eq(queue_budget_take(q, "binance:ip", 5, 10, window, &wait, &e), 0);
	ck_assert(wait > 0 && wait <= window);
	ck_assert_int_eq(queue_budget_take(q, "binance:ip", 4, 10, window, &wait, &e), 1);
	ck_assert_int_eq(queue_budget_take(q, "other", 10, 10, window, &wait, &e), 1);
	ck_ok(queue_budget_correct(q, "other", 3, window, 0, &e), &e); /* never lowers */
	ck_assert_int_eq(queue_budget_take(q, "other", 1, 12, window, &wait, &e), 1);
	ck_ok(queue_budget_correct(q, "other", 12, window, 0, &e), &e);
	ck_assert_int_eq(queue_budget_take(q, "other", 1, 12, window, &wait, &e), 0);
	ck_ok(queue_budget_correct(q, "stop", 0, window, 300, &e), &e);
	ck_assert_int_eq(queue_budget_take(q, "stop", 1, 12, window, &wait, &e), 0);
	ck_assert(wait > 0 && wait <= 300);
	clock_sleep_ms(310);
	ck_assert_int_eq(queue_budget_take(q, "stop", 1, 12, window, &wait, &e), 1);
	ck_assert_int_eq(queue_budget_take(q, "short", 5, 5, 100, &wait, &e), 1);
	clock_sleep_ms(110);
	ck_assert_int_eq(queue_budget_take(q, "short", 5, 5, 100, &wait, &e), 1);
	ck_assert_int_eq(queue_budget_take(q, "short", 6, 5, 100, &wait, &e), -1);
	ck_assert_int_eq(queue_budget_take(q, "b a d", 1, 5, 100, &wait, &e), -1);
	queue_close(&q);
}
END_TEST

START_TEST(links_refuse_nonsense)
{
	struct err e = {0};
	const char *kinds[] = {"Bad"}, *good[] = {KIND};
	struct queue_link *l = open_link("w1");
	struct queue_step s = {.want = 257, .lease_ms = LEASE};
	struct queue_step_reply r;

	ck_assert_ptr_null(queue_link_open(suite_url(), NULL, Q, "w", kinds, 1, &e));
	ck_assert_ptr_null(queue_link_open(suite_url(), NULL, "Q", "w", good, 1, &e));
	ck_assert_ptr_null(queue_link_open(suite_url(), NULL, Q, "w w", good, 1, &e));
	ck_assert_ptr_null(queue_link_open(suite_url(), NULL, Q, "w", good, 0, &e));
	ck_assert(!queue_link_step_begin(l, &s, &e));
	s.want = 1;
	s.lease_ms = 0;
	ck_assert(!queue_link_step_begin(l, &s, &e));
	ck_assert_int_eq(queue_link_step_end(l, &r, &e), -1);
	s.lease_ms = LEASE;
	ck_ok(queue_link_step_begin(l, &s, &e), &e);
	ck_assert(!queue_link_step_begin(l, &s, &e)); /* one at a time */
	ck_assert(!queue_link_renew_begin(l, NULL, 0, LEASE, &e));
	queue_link_close(&l);
}
END_TEST

/* ---- 10,000 random moves against a model ---------------------------------------------------------------------------------------------- */

#define MODEL_JOBS 3000

struct model_job {
	char id[JOB_ID];
	enum job_state state;
	int64_t fence, last_fence;
	int errors, crashes;
	bool cancel_asked;
	int key; /* of concurrency: 1 or 2 of it at once; 0: none */
};

struct model {
	struct queue *q;
	struct queue_link *l;
	struct model_job jobs[MODEL_JOBS];
	int n;
	uint64_t seed;
};

static int roll(struct model *m, int sides)
{
	m->seed = m->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (int)((m->seed >> 33) % (uint64_t)sides);
}

static struct model_job *model_find(struct model *m, const char *id)
{
	for (int i = 0; i < m->n; i++)
		if (str_eq(m->jobs[i].id, id))
			return &m->jobs[i];
	return NULL;
}

static void model_submit(struct model *m)
{
	struct queue_submission s[8];
	struct queue_submitted out[8];
	static const char *const keys[] = {NULL, "one", "two"};
	int n = 1 + roll(m, 8), key[8];
	struct err e = {0};

	if (m->n + n > MODEL_JOBS)
		return;
	for (int i = 0; i < n; i++) {
		int how = roll(m, 10);

		key[i] = roll(m, 3);
		s[i] = (struct queue_submission){.kind = KIND,
		        .queue = Q,
		        .priority = roll(m, 10),
		        .lane = roll(m, 2) ? "a" : "b",
		        .concurrency_key = keys[key[i]],
		        .max_concurrent = key[i],
		        .max_attempts = 3,
		        .max_crashes = 2,
		        .backoff_ms = 3600000,
		        .backoff_cap_ms = 3600000,
		        .held = how == 0,
		        .delay_ms = how == 1 ? 3600000 : 0};
		if (!roll(m, 4))
			s[i].rate = (struct job_rate){.key = "rate", .limit = 5, .window_ms = 100, .cost = 1 + roll(m, 3)};
	}
	ck_ok(queue_submit(m->q, s, (size_t)n, out, &e), &e);
	for (int i = 0; i < n; i++) {
		struct model_job *j = &m->jobs[m->n++];

		ck_assert_int_eq(out[i].outcome, SUBMIT_NEW);
		memcpy(j->id, s[i].id, JOB_ID);
		j->key = key[i];
		j->state = s[i].held ? JOB_WAITING : s[i].delay_ms ? JOB_SCHEDULED : JOB_READY;
	}
}

static void model_ack(struct model_job *j, const struct queue_ack *a)
{
	switch (a->outcome) {
	case ACK_DONE:
		j->state = JOB_SUCCEEDED;
		break;
	case ACK_ERROR:
		j->errors++;
		if (a->error.code == ERR_INVALID)
			j->state = JOB_FAILED;
		else
			j->state = j->cancel_asked ? JOB_CANCELLED : j->errors >= 3 ? JOB_DEAD : JOB_RETRYING;
		break;
	case ACK_CRASHED:
		j->crashes++;
		j->state = j->cancel_asked ? JOB_CANCELLED : j->crashes > 2 ? JOB_DEAD : JOB_READY;
		break;
	case ACK_GIVE_BACK:
		j->state = j->cancel_asked ? JOB_CANCELLED : JOB_READY;
		break;
	case ACK_CANCELLED:
		j->state = JOB_CANCELLED;
		break;
	case ACK_LATER:
		j->state = j->cancel_asked ? JOB_CANCELLED : JOB_SCHEDULED;
		break;
	case ACK_STARTS:
		return;
	}
	j->last_fence = j->fence;
	j->fence = 0;
}

static void model_check_keys(struct model *m)
{
	int running[3] = {0};

	for (int i = 0; i < m->n; i++)
		running[m->jobs[i].key] += m->jobs[i].state == JOB_RUNNING;
	ck_assert_int_le(running[1], 1);
	ck_assert_int_le(running[2], 2);
}

/* Acknowledge some of what runs, some with a stale fence, and claim some more. */
static void model_step(struct model *m)
{
	struct queue_ack acks[8];
	struct queue_step_reply r;
	size_t n = 0, stale = 0;

	for (int i = 0; i < 40 && n < 8 && m->n; i++) {
		struct model_job *j = &m->jobs[roll(m, m->n)];
		bool twice = false;

		for (size_t k = 0; k < n; k++)
			twice = twice || str_eq(acks[k].id, j->id);
		if (twice || (!j->fence && !j->last_fence))
			continue;
		acks[n] = (struct queue_ack){.fence = j->fence ? j->fence : j->last_fence, .outcome = (enum ack_outcome)roll(m, 6)};
		memcpy(acks[n].id, j->id, JOB_ID);
		if (acks[n].outcome == ACK_ERROR)
			err_set(&acks[n].error, roll(m, 3) ? ERR_IO : ERR_INVALID, "no");
		acks[n].error.retry_after_ms = acks[n].outcome == ACK_LATER ? 3600000 : 0;
		if (j->fence)
			model_ack(j, &acks[n]);
		else
			stale++;
		n++;
	}
	r = step_with(m->l, acks, n, roll(m, 12), LEASE);
	ck_assert_uint_eq(r.n_rejected, stale);
	for (size_t i = 0; i < r.n_claims; i++) {
		struct model_job *j = model_find(m, r.claims[i].job.id);

		ck_assert_ptr_nonnull(j);
		ck_assert_int_eq(j->state, JOB_READY);
		ck_assert_int_gt(r.claims[i].job.fence, j->last_fence);
		ck_assert_int_eq(r.claims[i].job.attempt, j->errors + 1);
		ck_assert_int_eq(r.claims[i].job.crashes, j->crashes);
		j->state = JOB_RUNNING;
		j->fence = r.claims[i].job.fence;
	}
	queue_step_reply_close(&r);
	model_check_keys(m);
}

static void model_weight(struct model *m)
{
	struct err e = {0};

	ck_ok(queue_set_weight(m->q, Q, roll(m, 2) ? "a" : "b", 1 + roll(m, 4), &e), &e);
}

static void model_cancel(struct model *m, struct model_job *j)
{
	struct err e = {0};
	enum job_state s;
	int got = queue_cancel(m->q, j->id, &s, &e);

	ck_assert_int_eq(got, job_state_is_end(j->state) ? -1 : 1);
	if (got == 1 && j->state == JOB_RUNNING)
		j->cancel_asked = true;
	else if (got == 1)
		j->state = JOB_CANCELLED;
	ck_assert_int_eq(s, j->state);
}

static void model_replay(struct model *m, struct model_job *j)
{
	struct err e = {0};
	bool may = j->state == JOB_DEAD || j->state == JOB_FAILED || j->state == JOB_CANCELLED;

	ck_assert_int_eq(queue_replay(m->q, j->id, &e), may ? 1 : -1);
	if (may) {
		j->state = JOB_READY;
		j->errors = j->crashes = 0;
		j->cancel_asked = false;
	}
}

static void model_release(struct model *m, struct model_job *j)
{
	struct err e = {0};

	ck_assert_int_eq(queue_release(m->q, j->id, &e), j->state == JOB_WAITING ? 1 : -1);
	if (j->state == JOB_WAITING)
		j->state = JOB_READY;
}

static void model_prioritize(struct model *m, struct model_job *j)
{
	struct err e = {0};
	bool may = j->state != JOB_RUNNING && !job_state_is_end(j->state);

	ck_assert_int_eq(queue_set_priority(m->q, j->id, roll(m, 10), 0, &e), may ? 1 : -1);
}

/* Some ready jobs are cancelled; which ones is the queue's choice. */
static void model_purge(struct model *m)
{
	struct err e = {0};
	int64_t left, ready = 0;
	int cancelled = queue_purge(m->q, Q, JOB_READY, 1 + roll(m, 40), &left, &e), found = 0;

	for (int i = 0; i < m->n; i++) {
		struct model_job *j = &m->jobs[i];

		if (j->state != JOB_READY)
			continue;
		j->state = state_of(m->q, j->id);
		ck_assert(j->state == JOB_READY || j->state == JOB_CANCELLED);
		found += j->state == JOB_CANCELLED;
		ready += j->state == JOB_READY;
	}
	ck_assert_int_eq(cancelled, found);
	ck_assert_int_eq(left, ready);
}

static void model_replay_dead(struct model *m)
{
	struct queue_dead_filter f = {.queue = Q, .state = JOB_DEAD};
	int skipped, dead = 0, replayed = dead_act_all(m->q, QUEUE_DEAD_REPLAY, &f, 1 + roll(m, 9), &skipped);

	for (int i = 0; i < m->n; i++) {
		struct model_job *j = &m->jobs[i];

		if (j->state != JOB_DEAD)
			continue;
		j->state = JOB_READY;
		j->errors = j->crashes = 0;
		j->cancel_asked = false;
		dead++;
	}
	ck_assert_int_eq(replayed, dead);
}

static void model_check(struct model *m)
{
	struct queue_audit a;
	struct err e = {0};
	int64_t by_state[JOB_DEAD + 1] = {0};

	ck_assert_msg(queue_audit(m->q, Q, &a, &e) == 1, "%s%s", a.problem, e.text);
	for (int i = 0; i < m->n; i++)
		by_state[m->jobs[i].state]++;
	for (int s = 0; s <= JOB_DEAD; s++)
		ck_assert_int_eq(a.by_state[s], by_state[s]);
}

START_TEST(ten_thousand_random_moves)
{
	struct model *m = mem_new(sizeof(*m));

	m->q = open_queue(NULL);
	m->l = open_link("w1");
	m->seed = (uint64_t)(getenv("SEED") ? atoll(getenv("SEED")) : 42);
	for (int i = 0; i < 10000; i++) {
		int what = roll(m, 24);

		if (what < 2 || !m->n)
			model_submit(m);
		else if (what < 14)
			model_step(m);
		else if (what < 17)
			model_cancel(m, &m->jobs[roll(m, m->n)]);
		else if (what < 19)
			model_replay(m, &m->jobs[roll(m, m->n)]);
		else if (what < 20)
			model_release(m, &m->jobs[roll(m, m->n)]);
		else
			model_prioritize(m, &m->jobs[roll(m, m->n)]);
		if (i % 500 == 250)
			model_purge(m);
		if (i % 100 == 50)
			model_weight(m);
		if (i % 500 == 499)
			model_replay_dead(m);
		if (i % 2500 == 2499)
			model_check(m);
	}
	queue_link_close(&m->l);
	queue_close(&m->q);
	mem_free(&m);
}
END_TEST

#define QUEUE_SUITE                                                                                                                  \
	submit_claim_done, order_and_priorities, lanes_are_fair, kinds_are_filtered, same_id_is_the_same_job, idempotency_keys,      \
	        unique_keys, unique_keys_are_of_a_kind, full_queue, bad_submissions, largest_params_and_odd_texts,                   \
	        answers_are_bounded_in_bytes, whole_batches, delays_are_kept, waiting_wakes, retries_back_off,                       \
	        permanent_errors_and_own_pauses, a_lease_ends, the_last_progress_rides_on_the_end, renewals,                         \
	        a_dead_worker_loses_its_leases, a_silence_kills_nobody, crashes_make_a_job_dead, give_back_counts_nothing,           \
	        cancel_in_every_state, cancel_replay_cancel, cancel_asked_survives_a_crash, replay_needs_its_unique_key,             \
	        held_jobs_are_released, ended_jobs_vanish, ready_jobs_change_their_place, a_change_of_place_wakes_and_keeps_lanes,   \
	        a_priority_asks_for_its_revision, what_is_left_behind_is_passed_over, a_paused_queue_claims_nothing, resuming_wakes, \
	        purging_what_waits, purged_jobs_let_go_and_come_again, dead_letters_are_found, dead_letters_are_replayed,            \
	        only_one_of_a_unique_key_is_replayed, dead_letters_are_deleted, hostile_cursors, listing, watching, budgets,         \
	        links_refuse_nonsense, ten_thousand_random_moves

#endif
