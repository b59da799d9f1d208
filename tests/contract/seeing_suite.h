/* seeing_suite.h -- what every driver of the queue must tell about a job: its timeline. Included after queue_suite.h. */
#ifndef TESTS_CONTRACT_SEEING_SUITE_H
#define TESTS_CONTRACT_SEEING_SUITE_H

#include "job/timeline.h"
#include "queue/seeing.h"
#include "tests/contract/queue_suite.h"

/* The events of a job in a row: "created claimed error due". */
static void events_are(struct queue *q, const char *id, const char *wanted)
{
	struct job j = show(q, id);
	struct timeline t;
	struct buf got = {0};

	timeline_of(&j, clock_now_ms(), &t);
	for (size_t i = 0; i < t.n; i++)
		buf_addf(&got, "%s%s", i ? " " : "", t.events[i].event);
	ck_assert_str_eq(buf_text(&got), wanted);
	buf_close(&got);
	job_close(&j);
}

static void claim_and_ack(struct queue_link *l, const char *id, enum ack_outcome outcome, enum err_code code)
{
	struct queue_claim c = claim_one(l);

	ck_assert_str_eq(c.job.id, id);
	ck_assert_uint_eq(ack(l, id, c.job.fence, outcome, code), 0);
	job_close(&c.job);
}

START_TEST(a_timeline_tells_the_unusual)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w:1:1");
	struct queue_submission s = {.priority = 5, .max_attempts = 2, .backoff_ms = 1, .backoff_cap_ms = 1};
	struct err e = {0};
	char plain[JOB_ID];

	submit_plain(q, plain);
	claim_and_ack(l, plain, ACK_DONE, ERR_NONE);
	events_are(q, plain, "created claimed succeeded");
	struct job j = show(q, plain);
	ck_assert_ptr_null(j.timeline); /* a usual job costs nothing */
	job_close(&j);

	submit_new(q, &s);
	prioritize(q, s.id, 3);
	claim_and_ack(l, s.id, ACK_CRASHED, ERR_CRASHED);
	claim_and_ack(l, s.id, ACK_GIVE_BACK, ERR_NONE);
	claim_and_ack(l, s.id, ACK_ERROR, ERR_TIMEOUT);
	clock_sleep_ms(5);
	claim_and_ack(l, s.id, ACK_ERROR, ERR_TIMEOUT);
	events_are(q, s.id, "created priority claimed crashed claimed given_back claimed error due claimed dead");
	ck_assert_int_eq(queue_replay(q, s.id, &e), 1);
	claim_and_ack(l, s.id, ACK_DONE, ERR_NONE);
	events_are(q, s.id, "created priority claimed crashed claimed given_back claimed error claimed dead replayed claimed succeeded");
	check_sound(q);
	close_both(&q, &l);
}
END_TEST

START_TEST(a_timeline_that_begins_late)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w:1:1");
	struct queue_submission s = {.priority = 5}, held = {.priority = 5, .held = true};
	struct err e = {0};

	submit_new(q, &s);
	cancel(q, s.id);
	events_are(q, s.id, "created cancelled");
	ck_assert_int_eq(queue_replay(q, s.id, &e), 1);
	events_are(q, s.id, "created cancelled replayed");
	struct queue_claim c = claim_one(l);
	cancel(q, s.id);
	events_are(q, s.id, "created cancelled replayed claimed cancel_asked");
	ack(l, s.id, c.job.fence, ACK_CANCELLED, ERR_NONE);
	events_are(q, s.id, "created cancelled replayed claimed cancel_asked cancelled");
	job_close(&c.job);
	submit_new(q, &held);
	ck_assert_int_eq(queue_release(q, held.id, &e), 1);
	claim_and_ack(l, held.id, ACK_DONE, ERR_NONE);
	events_are(q, held.id, "created released claimed succeeded");
	close_both(&q, &l);
}
END_TEST

/* However often it crashes and whatever the reason holds, the timeline stays small and says what it left out. */
START_TEST(a_timeline_is_bounded)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w:1:1");
	struct queue_submission s = {.priority = 5, .max_crashes = 1000};
	struct timeline t;
	char why[391];

	submit_new(q, &s);
	memset(why, 'x', sizeof(why));
	memcpy(why + 100, "\n1 dead\r\n", 9);
	memcpy(why + 298, "\xe2\x82\xac\xe2\x82\xac", 6); /* cut within a character */
	why[sizeof(why) - 1] = '\0';
	for (int i = 0; i < 200; i++) {
		struct queue_claim c = claim_one(l);
		struct queue_ack a = {.fence = c.job.fence, .outcome = ACK_CRASHED};

		memcpy(a.id, s.id, JOB_ID);
		err_set(&a.error, ERR_CRASHED, "%s", i % 3 ? "short" : why);
		struct queue_step_reply r = step_with(l, &a, 1, 0, LEASE);
		queue_step_reply_close(&r);
		job_close(&c.job);
	}
	struct job j = show(q, s.id);
	timeline_of(&j, clock_now_ms(), &t);
	ck_assert_uint_le(strlen(j.timeline), 8192 + 64);
	ck_assert_uint_le(t.n, 52);
	ck_assert_uint_ge(t.n, 20);
	ck_assert_str_eq(t.events[11].event, "dropped");
	int64_t dropped = strtoll(t.events[11].text, NULL, 10);
	ck_assert_int_eq(dropped + (int64_t)t.n - 2, 400); /* not lost from the count: all but "created" and "dropped" */
	for (size_t i = 1; i < t.n; i++)
		ck_assert(t.events[i].len <= 300 && str_eq(t.events[i].event, "dead") == false);
	job_close(&j);
	close_both(&q, &l);
}
END_TEST

/* ---- logs ----------------------------------------------------------------------------------------------------------- */

/* A step with n lines for this job, numbered from `from`, and maybe its end. */
static void say(struct queue_link *l, const struct job *j, int from, int n, const struct queue_ack *a)
{
	struct queue_remark remarks[QUEUE_BATCH_MAX];
	struct queue_step s = {.acks = a, .n_acks = a != NULL, .remarks = remarks, .n_remarks = (size_t)n, .lease_ms = LEASE};
	struct queue_step_reply r;
	struct err e = {0};
	int got;

	memset(remarks, 0, sizeof(remarks));
	for (int i = 0; i < n; i++) {
		struct buf text = {0};

		memcpy(remarks[i].id, j->id, JOB_ID);
		remarks[i].fence = j->fence;
		remarks[i].age_ms = n - i;
		buf_addf(&text, "line %d", from + i);
		remarks[i].text = buf_detach(&text);
	}
	ck_ok(queue_link_step_begin(l, &s, &e), &e);
	while (!(got = queue_link_step_end(l, &r, &e)))
		wait_fd(queue_link_fd(l));
	ck_assert_msg(got == 1, "%s", e.text);
	queue_step_reply_close(&r);
	for (int i = 0; i < n; i++)
		mem_free(&remarks[i].text);
}

static struct queue_log log_of(struct queue *q, const char *id, int64_t from, int limit)
{
	struct err e = {0};
	struct queue_log log;

	ck_assert_msg(queue_log(q, id, from, limit, &log, &e) == 1, "%s", e.text);
	return log;
}

/* The log from `from` on holds the numbers first .. last, of a job that says its lines in order. */
static void log_is(struct queue *q, const char *id, int64_t from, int limit, int64_t first, int64_t last)
{
	struct queue_log log = log_of(q, id, from, limit);
	char text[32];

	ck_assert_int_eq((int64_t)log.n, last < first ? 0 : last - first + 1);
	for (size_t i = 0; i < log.n; i++) {
		snprintf(text, sizeof(text), "line %lld", (long long)(first + (int64_t)i));
		ck_assert_int_eq(log.lines[i].number, first + (int64_t)i);
		ck_assert_str_eq(log.lines[i].text, text);
		ck_assert(!log.lines[i].by_queue);
	}
	queue_log_close(&log);
}

static int64_t rev_of(struct queue *q, const char *id)
{
	struct job j = show(q, id);
	int64_t rev = j.rev;

	job_close(&j);
	return rev;
}

START_TEST(a_log_is_read_while_it_grows)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w:1:1");
	struct err e = {0};
	struct queue_log log;
	char id[JOB_ID];

	submit_plain(q, id);
	log_is(q, id, 0, 10, 1, 0);
	struct queue_claim c = claim_one(l);
	int64_t rev = rev_of(q, id);
	int64_t before = clock_now_ms();
	say(l, &c.job, 1, 3, NULL);
	log_is(q, id, 0, 10, 1, 3);
	log_is(q, id, 2, 1, 2, 2);
	log_is(q, id, -2, 10, 2, 3);
	log_is(q, id, -99, 10, 1, 3);
	log_is(q, id, 4, 10, 1, 0);
	log = log_of(q, id, 0, 10);
	ck_assert_int_eq(log.state, JOB_RUNNING);
	ck_assert_int_eq(log.first, 1);
	ck_assert_int_eq(log.last, 3);
	ck_assert(log.lines[0].at >= before - 5000 && log.lines[0].at < log.lines[2].at); /* their ages differ */
	queue_log_close(&log);
	ck_assert_int_eq(rev_of(q, id), rev); /* a line is no change of the job */
	struct queue_ack done = {.fence = c.job.fence, .outcome = ACK_DONE};
	memcpy(done.id, id, JOB_ID);
	say(l, &c.job, 4, 2, &done);
	log_is(q, id, 4, 10, 4, 5); /* said before the end, so it is there with the end */
	ck_assert_int_eq(state_of(q, id), JOB_SUCCEEDED);
	say(l, &c.job, 6, 1, NULL);
	log_is(q, id, 4, 10, 4, 5); /* nobody speaks after the end */
	ck_assert_int_eq(queue_log(q, "q-000000000000000000000", 0, 1, &log, &e), 0);
	ck_assert_int_eq(queue_log(q, "nonsense", 0, 1, &log, &e), 0);
	ck_assert_int_eq(queue_log(q, id, 0, 0, &log, &e), -1);
	ck_assert_int_eq(queue_log(q, id, 0, 257, &log, &e), -1);
	job_close(&c.job);
	close_both(&q, &l);
}
END_TEST

START_TEST(a_log_is_bounded_and_its_numbers_go_on)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w:1:1");
	char id[JOB_ID];

	submit_plain(q, id);
	struct queue_claim c = claim_one(l);
	for (int i = 0; i < 6; i++)
		say(l, &c.job, 1 + i * 250, 250, NULL);
	struct queue_log log = log_of(q, id, 0, 1);
	ck_assert_int_eq(log.first, 501);
	ck_assert_int_eq(log.last, 1500);
	queue_log_close(&log);
	log_is(q, id, 0, 200, 501, 700);
	log_is(q, id, 7, 2, 501, 502); /* what was let go is passed over */
	log_is(q, id, 1400, 256, 1400, 1500);
	ack(l, id, c.job.fence, ACK_DONE, ERR_NONE);
	job_close(&c.job);
	close_both(&q, &l);
}
END_TEST

/* What the job said stays when it crashes, and what the queue says stands between; who lost the job is not heard any more. */
START_TEST(a_log_survives_a_crash)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w:1:1");
	struct err e = {0};
	struct queue_log log;
	char id[JOB_ID];

	submit_plain(q, id);
	struct queue_claim first = claim_one(l);
	say(l, &first.job, 1, 2, NULL);
	ack(l, id, first.job.fence, ACK_CRASHED, ERR_CRASHED);
	struct queue_claim second = claim_one(l);
	say(l, &first.job, 99, 1, NULL); /* an old fence */
	say(l, &second.job, 3, 1, NULL);
	ack(l, id, second.job.fence, ACK_ERROR, ERR_INVALID);
	log = log_of(q, id, 0, 10);
	ck_assert_uint_eq(log.n, 5);
	ck_assert_str_eq(log.lines[1].text, "line 2");
	ck_assert(log.lines[2].by_queue && strstr(log.lines[2].text, "crashed: "));
	ck_assert_str_eq(log.lines[3].text, "line 3");
	ck_assert(log.lines[4].by_queue && strstr(log.lines[4].text, "attempt 1 failed: invalid: "));
	queue_log_close(&log);
	check_sound(q);
	ck_assert_int_eq(queue_replay(q, id, &e), 1);
	check_sound(q); /* the log lives again, as its job */
	log = log_of(q, id, 0, 10);
	ck_assert_uint_eq(log.n, 5);
	queue_log_close(&log);
	job_close(&first.job);
	job_close(&second.job);
	close_both(&q, &l);
}
END_TEST

START_TEST(a_deleted_letter_takes_its_log_along)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w:1:1");
	struct queue_dead_filter f = {.queue = Q, .state = JOB_FAILED};
	struct err e = {0};
	char id[JOB_ID], next[64];
	int skipped;

	submit_plain(q, id);
	struct queue_claim c = claim_one(l);
	say(l, &c.job, 1, 2, NULL);
	ack(l, id, c.job.fence, ACK_ERROR, ERR_INVALID);
	ck_assert_int_eq(queue_dead_act(q, QUEUE_DEAD_DELETE, &f, "", 10, &skipped, next, &e), 1);
	check_sound(q); /* which finds a log without a record */
	job_close(&c.job);
	close_both(&q, &l);
}
END_TEST

START_TEST(logs_refuse_nonsense)
{
	struct queue_link *l = open_link("w:1:1");
	struct queue_remark r = {.fence = 1, .text = NULL};
	struct queue_step s = {.lease_ms = LEASE, .remarks = &r, .n_remarks = 1};
	struct err e = {0};
	char text[QUEUE_REMARK_MAX + 2];

	ck_assert(str_copy(r.id, JOB_ID, "other-00000000000000000000"));
	r.text = text;
	text[0] = '\0';
	ck_assert(!queue_link_step_begin(l, &s, &e));
	ck_assert(str_copy(r.id, JOB_ID, Q "-000000000000000000000"));
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	ck_assert(!queue_link_step_begin(l, &s, &e));
	ck_assert_str_eq(err_name(e.code), "invalid");
	s.n_remarks = QUEUE_BATCH_MAX + 1;
	ck_assert(!queue_link_step_begin(l, &s, &e));
	queue_link_close(&l);
}
END_TEST

START_TEST(many_jobs_at_one_look)
{
	struct queue *q = open_queue(NULL);
	struct err e = {0};
	char ids[4][JOB_ID] = {"", "q-000000000000000000000", "", "q-000000000000000000001"};
	struct job jobs[4];

	submit_plain(q, ids[0]);
	submit_plain(q, ids[2]);
	ck_ok(queue_show_many(q, ids, 4, jobs, &e), &e);
	for (int i = 0; i < 4; i++) {
		ck_assert_str_eq(jobs[i].id, i % 2 ? "" : ids[i]);
		job_close(&jobs[i]);
	}
	ck_ok(queue_show_many(q, ids, 0, jobs, &e), &e);
	ck_assert(str_copy(ids[1], JOB_ID, "other-000000000000000000000"));
	ck_assert(!queue_show_many(q, ids, 4, jobs, &e));
	queue_close(&q);
}
END_TEST

/* ---- changes of state --------------------------------------------------------------------------------------------- */

static struct queue_changes changes_after(struct queue *q, const char *after)
{
	struct err e = {0};
	struct queue_changes c;

	ck_ok(queue_changes(q, Q, 0, after, &c, &e), &e);
	return c;
}

/* The states in a row, as "ready running"; *place goes on behind them. */
static void changes_are(struct queue *q, char place[QUEUE_CHANGE_ID], const char *wanted, bool gap)
{
	struct queue_changes c = changes_after(q, place);
	struct buf got = {0};

	for (size_t i = 0; i < c.n; i++) {
		buf_addf(&got, "%s%s", i ? " " : "", job_state_name(c.items[i].state));
		ck_assert_str_eq(c.items[i].kind, KIND);
		ck_assert_int_le(c.items[i].at, c.now);
	}
	ck_assert_str_eq(buf_text(&got), wanted);
	ck_assert_int_eq(c.gap, gap);
	memcpy(place, c.n ? c.items[c.n - 1].entry : c.after, QUEUE_CHANGE_ID);
	buf_close(&got);
	queue_changes_close(&c);
}

START_TEST(changes_are_told_to_who_listens)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w:1:1");
	struct queue_submission s = {.priority = 5, .max_attempts = 2, .backoff_ms = 200, .backoff_cap_ms = 200},
	                        late = {.delay_ms = 600000}, held = {.held = true};
	struct err e = {0};
	char place[QUEUE_CHANGE_ID] = "", from_the_start[QUEUE_CHANGE_ID], id[JOB_ID];

	submit_plain(q, id);
	cancel(q, id); /* nobody listens yet */
	changes_are(q, place, "", false);
	memcpy(from_the_start, place, sizeof(place));
	submit_new(q, &s);
	submit_new(q, &late);
	submit_new(q, &held);
	changes_are(q, place, "ready scheduled waiting", false);
	claim_and_ack(l, s.id, ACK_ERROR, ERR_TIMEOUT);
	changes_are(q, place, "running retrying", false);
	clock_sleep_ms(250);
	claim_and_ack(l, s.id, ACK_DONE, ERR_NONE);
	changes_are(q, place, "ready running succeeded", false);
	ck_assert_int_eq(queue_release(q, held.id, &e), 1);
	cancel(q, held.id);
	cancel(q, late.id);
	ck_assert_int_eq(queue_replay(q, late.id, &e), 1);
	changes_are(q, place, "ready cancelled cancelled ready", false);
	changes_are(q, place, "", false);
	changes_are(q, from_the_start, "ready scheduled waiting running retrying ready running succeeded ready cancelled cancelled ready",
	        false);
	ck_assert(!queue_changes(q, Q, 0, "1-2-3", &(struct queue_changes){0}, &e));
	ck_assert(!queue_changes(q, Q, 0, "(1-2", &(struct queue_changes){0}, &e));
	ck_assert(!queue_changes(q, "NO", 0, "", &(struct queue_changes){0}, &e));
	close_both(&q, &l);
}
END_TEST

/* More than is kept: the reader is told, and goes on with what is there. */
START_TEST(changes_that_were_missed_are_told)
{
	struct queue *q = open_queue(NULL);
	char place[QUEUE_CHANGE_ID] = "", old[QUEUE_CHANGE_ID] = "1000-0";
	char id[JOB_ID];

	changes_are(q, place, "", false);
	changes_are(q, old, "", true); /* nobody listened then */
	for (int i = 0; i < 800; i++) {
		submit_plain(q, id);
		cancel(q, id);
	}
	struct queue_changes c = changes_after(q, place);
	ck_assert(c.gap && c.n > 0 && c.more);
	ck_assert_str_ne(c.after, place);
	memcpy(place, c.items[c.n - 1].entry, sizeof(place));
	int64_t seen = (int64_t)c.n;
	for (bool more = true; more;) {
		queue_changes_close(&c);
		c = changes_after(q, place);
		ck_assert(!c.gap);
		seen += (int64_t)c.n;
		more = c.more;
		if (c.n)
			memcpy(place, c.items[c.n - 1].entry, sizeof(place));
	}
	ck_assert_int_ge(seen, 900);
	ck_assert_int_le(seen, 1200);
	queue_changes_close(&c);
	queue_close(&q);
}
END_TEST

START_TEST(revisions_at_one_look)
{
	struct queue *q = open_queue(NULL);
	char ids[3][JOB_ID] = {"", "q-000000000000000000000", ""};
	int64_t revs[3];
	struct err e = {0};

	submit_plain(q, ids[0]);
	submit_plain(q, ids[2]);
	cancel(q, ids[2]);
	ck_ok(queue_revisions(q, ids, 3, revs, &e), &e);
	ck_assert_int_eq(revs[0], 1);
	ck_assert_int_eq(revs[1], 0);
	ck_assert_int_eq(revs[2], 2);
	queue_close(&q);
}
END_TEST

/* ---- backlog ------------------------------------------------------------------------------------------------------- */

static struct queue_backlog backlog_of(struct queue *q)
{
	struct queue_backlog b;
	struct err e = {0};

	ck_ok(queue_backlog(q, Q, &b, &e), &e);
	return b;
}

START_TEST(a_backlog_in_jobs_and_in_seconds)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w:1:1");
	struct queue_submission first = {.priority = 7, .lane = "x"}, later = {.delay_ms = 600000, .priority = 5};
	struct queue_backlog b = backlog_of(q);
	struct err e = {0};
	char ids[3][JOB_ID];

	ck_assert(b.ready + b.running + b.oldest_ms == 0 && b.seconds == 0);
	submit_new(q, &first);
	clock_sleep_ms(300);
	for (int i = 0; i < 3; i++)
		submit_plain(q, ids[i]);
	submit_new(q, &later);
	b = backlog_of(q);
	ck_assert_int_eq(b.ready, 4);
	ck_assert_int_ge(b.oldest_ms, 290);                /* in whichever lane it stands */
	ck_assert(b.drain_rate == 0 && b.seconds >= 0.29); /* nobody works: only its age is known */
	struct queue_claim c = claim_one(l);
	b = backlog_of(q);
	ck_assert_int_eq(b.ready, 3);
	ck_assert_int_eq(b.running, 1);
	ck_assert_int_le(c.job.run_at, c.job.fence / 1000);
	ck_assert_int_gt(c.job.run_at, c.job.fence / 1000 - 60000);
	ack(l, c.job.id, c.job.fence, ACK_DONE, ERR_NONE);
	job_close(&c.job);
	cancel(q, first.id);
	b = backlog_of(q);
	ck_assert_int_eq(b.ready, 2);
	ck_assert_int_lt(b.oldest_ms, 60000);
	check_sound(q);               /* which compares the number for autoscalers */
	for (int i = 0; i < 3; i++) { /* the rate is measured once a second */
		clock_sleep_ms(1050);
		step_nothing(l);
	}
	b = backlog_of(q);
	ck_assert_msg(b.drain_rate > 0.001 && b.drain_rate < 10, "%f", b.drain_rate);
	ck_assert(b.seconds > 0.19 && b.seconds < 3000);
	ck_assert(b.retries == 0 && b.crashes == 0);
	c = claim_one(l);
	ack(l, c.job.id, c.job.fence, ACK_CRASHED, ERR_CRASHED);
	job_close(&c.job);
	ck_assert_int_eq(backlog_of(q).crashes, 1);
	ck_assert(!queue_backlog(q, "NO", &b, &e));
	close_both(&q, &l);
}
END_TEST

#define SEEING_SUITE                                                                                                             \
	a_timeline_tells_the_unusual, a_timeline_that_begins_late, a_timeline_is_bounded, a_log_is_read_while_it_grows,          \
	        a_log_is_bounded_and_its_numbers_go_on, a_log_survives_a_crash, a_deleted_letter_takes_its_log_along,            \
	        logs_refuse_nonsense, many_jobs_at_one_look, changes_are_told_to_who_listens, changes_that_were_missed_are_told, \
	        revisions_at_one_look, a_backlog_in_jobs_and_in_seconds

#endif
