/* test_timeline.c -- the life of a job from its times and from what the queue wrote down. */
#include <string.h>

#include "base/mem.h"
#include "job/timeline.h"
#include "tests/lib/test.h"

static bool is(const struct timeline *t, size_t i, int64_t at, const char *event, int attempt, const char *text)
{
	const struct timeline_event *x = &t->events[i];
	size_t len = text ? strlen(text) : 0;

	return i < t->n && x->at == at && str_eq(x->event, event) && x->attempt == attempt && x->len == len &&
	       (!len || memcmp(x->text, text, len) == 0);
}

START_TEST(a_usual_job_needs_no_lines)
{
	struct job j = {
	        .state = JOB_SUCCEEDED, .created_at = 1000, .run_at = 1000, .started_at = 1250, .finished_at = 2000, .worker = "h:1:2"};
	struct timeline t;

	timeline_of(&j, 9999, &t);
	ck_assert_uint_eq(t.n, 3);
	ck_assert(is(&t, 0, 1000, "created", 0, NULL));
	ck_assert(is(&t, 1, 1250, "claimed", 1, "h:1:2"));
	ck_assert(is(&t, 2, 2000, "succeeded", 1, NULL));
	ck_assert_int_eq(t.queued_ms, 250);
	ck_assert_int_eq(t.run_ms, 750);
	ck_assert_int_eq(t.claims, 1);
}
END_TEST

START_TEST(a_job_that_lives_is_measured_up_to_now)
{
	struct job ready = {.state = JOB_READY, .created_at = 1000, .run_at = 3000};
	struct job later = {.state = JOB_SCHEDULED, .created_at = 1000, .run_at = 3000};
	struct job runs = {.state = JOB_RUNNING, .created_at = 1000, .run_at = 1000, .started_at = 1100, .worker = "w"};
	struct timeline t;

	timeline_of(&ready, 5000, &t);
	ck_assert(is(&t, 1, 3000, "due", 0, NULL));
	ck_assert_int_eq(t.queued_ms, 2000);
	timeline_of(&later, 2000, &t);
	ck_assert_uint_eq(t.n, 1); /* it is not due yet */
	ck_assert_int_eq(t.queued_ms, 0);
	timeline_of(&runs, 1600, &t);
	ck_assert_int_eq(t.queued_ms, 100);
	ck_assert_int_eq(t.run_ms, 500);
}
END_TEST

START_TEST(errors_crashes_and_replays_are_told_apart)
{
	char lines[] = "200 claimed w1\n300 error timeout: no answer; again in 1.0 s\n1400 claimed w2\n1500 crashed its worker died\n"
	               "1600 claimed w3\n1700 dead timeout again\n2000 replayed\n2100 claimed w4\n";
	struct job j = {.state = JOB_SUCCEEDED, .created_at = 100, .run_at = 100, .started_at = 2100, .finished_at = 2600, .worker = "w4"};
	struct timeline t;

	j.timeline = lines;
	err_set(&j.error, ERR_TIMEOUT, "of an attempt before");
	timeline_of(&j, 9999, &t);
	ck_assert_uint_eq(t.n, 10);
	ck_assert(is(&t, 2, 300, "error", 1, "timeout: no answer; again in 1.0 s"));
	ck_assert(is(&t, 3, 1400, "claimed", 2, "w2"));
	ck_assert(is(&t, 4, 1500, "crashed", 2, "its worker died"));
	ck_assert(is(&t, 5, 1600, "claimed", 2, "w3")); /* a crash is no attempt */
	ck_assert(is(&t, 7, 2000, "replayed", 0, NULL));
	ck_assert(is(&t, 8, 2100, "claimed", 1, "w4"));
	ck_assert(is(&t, 9, 2600, "succeeded", 1, NULL));
	ck_assert_int_eq(t.claims, 4);
	ck_assert_int_eq(t.run_ms, 100 + 100 + 100 + 500);
	ck_assert_int_eq(t.queued_ms, 100 + 100 + 100); /* waiting for another attempt is not queued */
}
END_TEST

START_TEST(what_is_no_line_of_ours_is_passed_over)
{
	char lines[] =
	        "\n\nnonsense\n12\n99999999999999999999999 claimed w\n-5 claimed w\n5 aNameThatIsMuchTooLongToBeOneOfOurs x\n 7 x\n7 \n8 odd d";
	char many[TIMELINE_MAX * 12] = "";
	struct job j = {.state = JOB_READY, .created_at = 1, .run_at = 1};
	struct timeline t;
	struct buf out = {0};
	struct json_writer w = json_writer_on(&out);
	struct err e = {0};

	j.timeline = lines;
	timeline_of(&j, 10, &t);
	ck_assert_uint_eq(t.n, 2);
	ck_assert(is(&t, 1, 8, "odd", 0, "d"));
	for (int i = 0; i < TIMELINE_MAX + 20; i++)
		strcat(many, "5 error\n");
	j.timeline = many;
	timeline_of(&j, 10, &t);
	ck_assert_uint_eq(t.n, TIMELINE_MAX);
	timeline_to_json(&j, &t, &w);
	struct json *back = json_parse(buf_text(&out), out.len, &e);
	ck_assert_msg(back != NULL, "%s", e.text);
	ck_assert_uint_eq(json_count(json_get(back, "events")), TIMELINE_MAX);
	json_close(&back);
	buf_close(&out);
}
END_TEST

static const TTest *const tests[] = {a_usual_job_needs_no_lines, a_job_that_lives_is_measured_up_to_now,
        errors_crashes_and_replays_are_told_apart, what_is_no_line_of_ours_is_passed_over};
TEST_MAIN("timeline", tests)
