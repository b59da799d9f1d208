/* test_checker.c -- the judge of histories finds each fault that it is there for: hand-made histories, one fault each. */
#include <string.h>

#include "tests/chaos/checker.h"
#include "tests/lib/test.h"

/* Two jobs as they should be; `more` lines come behind. */
#define GOOD_A                      \
	"10 attempt a 0 0 1 0\n"    \
	"20 accept a 0 0 1 0\n"     \
	"30 claim a 100 1 50 1\n"   \
	"40 start a 100 1 60 50\n"  \
	"50 effect a 100 1 60 50\n" \
	"60 end a 100 0 50 1\n"
#define GOOD_B                      \
	"11 attempt b 0 0 1 0\n"    \
	"21 accept b 0 0 1 0\n"     \
	"31 claim b 101 1 50 1\n"   \
	"41 start b 101 1 61 50\n"  \
	"51 effect b 101 1 61 50\n" \
	"61 end b 101 0 50 1\n"
#define FINAL_A "900 final a 0 5 1 0\n"
#define FINAL_B "901 final b 0 5 1 0\n"

static struct chaos_verdict judge(const char *history)
{
	struct chaos_verdict v;
	char text[4096];
	ck_assert(str_copy(text, sizeof(text), history));
	chaos_check(text, strlen(text), &v);
	return v;
}

START_TEST(a_good_history_is_sound)
{
	struct chaos_verdict v = judge(GOOD_A GOOD_B FINAL_A FINAL_B "950 done - 0 2 1 0\n");
	ck_assert_msg(chaos_is_sound(&v), "%s", v.example);
	ck_assert_int_eq(v.attempted, 2);
	ck_assert_int_eq(v.accepted, 2);
	ck_assert_int_eq(v.ended, 2);
	ck_assert_int_eq(v.executions, 2);
	ck_assert_int_eq(v.lost + v.failed + v.duplicated + v.recovered + v.overlaps + v.rejected, 0);
	ck_assert_str_eq(v.example, "");
}
END_TEST

START_TEST(a_lost_job_is_found)
{
	struct chaos_verdict gone = judge(GOOD_A FINAL_A "11 attempt b 0 0 1 0\n21 accept b 0 0 1 0\n901 gone b 0 0 1 0\n");
	ck_assert_int_eq(gone.lost, 1);
	ck_assert_str_eq(gone.example, "b was accepted and is gone");
	struct chaos_verdict stuck = judge(GOOD_A FINAL_A "11 attempt b 0 0 1 0\n21 accept b 0 0 1 0\n901 final b 0 2 1 0\n");
	ck_assert_int_eq(stuck.lost, 1);
	struct chaos_verdict unasked = judge(GOOD_A FINAL_A "11 attempt b 0 0 1 0\n21 accept b 0 0 1 0\n");
	ck_assert_int_eq(unasked.lost, 1);
	struct chaos_verdict when = judge("11 attempt b 0 0 1 0\n2000 accept b 0 0 1 0\n2001 attempt c 0 0 1 0\n4000 accept c 0 0 1 0\n"
	                                  "1000 fault - 0 1 1 0\n7000 fault - 0 2 1 0\n9000 fault - 0 3 1 0\n99000 gone b 0 0 1 0\n");
	ck_assert_int_eq(when.lost, 2);
	ck_assert_int_eq(when.loss_ms, 5);
}
END_TEST

START_TEST(without_finals_an_effect_is_the_end)
{
	struct chaos_verdict v = judge(GOOD_A "11 attempt b 0 0 1 0\n21 accept b 0 0 1 0\n41 start b 0 0 61 50\n");
	ck_assert_int_eq(v.ended, 1);
	ck_assert_int_eq(v.lost, 1);
}
END_TEST

START_TEST(what_was_not_accepted_cannot_be_lost)
{
	struct chaos_verdict v = judge(GOOD_A FINAL_A "11 attempt b 0 0 1 0\n12 attempt c 0 0 1 0\n13 refuse c 0 0 1 0\n");
	ck_assert_int_eq(v.lost, 0);
	ck_assert_int_eq(v.refused, 1);
	ck_assert_msg(chaos_is_sound(&v), "%s", v.example);
}
END_TEST

START_TEST(a_job_whose_answer_was_lost_is_recovered)
{
	struct chaos_verdict v =
	        judge(GOOD_A FINAL_A "11 attempt b 0 0 1 0\n41 start b 7 1 61 50\n51 effect b 7 1 61 50\n901 final b 0 5 1 0\n");
	ck_assert_int_eq(v.recovered, 1);
	ck_assert_int_eq(v.ended, 2);
}
END_TEST

START_TEST(a_second_effect_is_found)
{
	struct chaos_verdict v = judge(GOOD_A FINAL_A "70 start a 102 1 62 50\n80 effect a 102 1 62 50\n");
	ck_assert_int_eq(v.duplicated, 1);
	ck_assert_int_eq(v.executions, 2);
	ck_assert_int_eq(v.overlaps, 0);
}
END_TEST

START_TEST(a_job_from_nowhere_is_found)
{
	struct chaos_verdict v = judge(GOOD_A FINAL_A "41 start x 7 1 61 50\n");
	ck_assert_int_eq(v.unexpected, 1);
	ck_assert(!chaos_is_sound(&v));
	ck_assert_str_eq(v.example, "x was never submitted");
}
END_TEST

START_TEST(overlapping_executions_are_found)
{
	/* The second begins while the first still runs; the third after the second's process was killed. */
	struct chaos_verdict v =
	        judge("10 attempt a 0 0 1 0\n20 accept a 0 0 1 0\n40 start a 100 1 60 50\n45 start a 101 1 61 51\n"
	              "46 effect a 100 1 60 50\n47 kill - 0 61 1 0\n48 start a 102 1 62 51\n49 effect a 102 1 62 51\n" FINAL_A);
	ck_assert_int_eq(v.overlaps, 1);
	ck_assert_int_eq(v.executions, 3);
	ck_assert_int_eq(v.kills, 1);
}
END_TEST

START_TEST(an_end_that_is_taken_twice_is_found)
{
	struct chaos_verdict v = judge(GOOD_A FINAL_A "70 end a 100 0 51 1\n");
	ck_assert_int_eq(v.double_ends, 1);
	ck_assert(!chaos_is_sound(&v));
}
END_TEST

START_TEST(errors_and_crashes_are_not_the_end)
{
	struct chaos_verdict v =
	        judge("10 attempt a 0 0 1 0\n20 accept a 0 0 1 0\n40 start a 100 1 60 50\n45 stop a 100 1 60 50\n"
	              "46 end a 100 1 50 1\n50 start a 101 2 60 50\n55 effect a 101 2 60 50\n56 end a 101 0 50 1\n" FINAL_A);
	ck_assert_int_eq(v.double_ends, 0);
	ck_assert_int_eq(v.overlaps, 0);
	ck_assert_msg(chaos_is_sound(&v), "%s", v.example);
}
END_TEST

START_TEST(a_claim_that_is_begun_twice_is_found)
{
	struct chaos_verdict v = judge(GOOD_A FINAL_A "55 start a 100 1 61 50\n");
	ck_assert_int_eq(v.twice, 1);
	ck_assert(!chaos_is_sound(&v));
	struct chaos_verdict other = judge(GOOD_A GOOD_B FINAL_A FINAL_B "41 start a 99 1 61 50\n");
	ck_assert_int_eq(other.twice, 0);
}
END_TEST

START_TEST(an_end_from_an_older_claim_is_found)
{
	struct chaos_verdict before = judge(GOOD_A FINAL_A "55 claim a 103 1 51 1\n");
	ck_assert_int_eq(before.stale_ends, 1);
	ck_assert(!chaos_is_sound(&before));
	struct chaos_verdict after = judge(GOOD_A FINAL_A "70 claim a 103 1 51 1\n");
	ck_assert_int_eq(after.stale_ends, 1);
	struct chaos_verdict refused = judge(GOOD_A FINAL_A "35 claim a 90 1 51 1\n70 reject a 90 0 51 1\n");
	ck_assert_int_eq(refused.stale_ends, 0);
	ck_assert_int_eq(refused.rejected, 1);
}
END_TEST

START_TEST(a_success_without_an_effect_is_found)
{
	struct chaos_verdict v = judge(GOOD_A FINAL_A "11 attempt b 0 0 1 0\n21 accept b 0 0 1 0\n901 final b 0 5 1 0\n");
	ck_assert_int_eq(v.effectless, 1);
	ck_assert(!chaos_is_sound(&v));
}
END_TEST

START_TEST(a_job_that_ended_badly_is_found_unless_it_was_to)
{
	struct chaos_verdict bad = judge(GOOD_A "900 final a 0 8 1 0\n");
	ck_assert_int_eq(bad.failed, 1);
	struct chaos_verdict meant = judge(GOOD_A "5 spare a 0 0 1 0\n900 final a 0 8 1 0\n");
	ck_assert_int_eq(meant.failed, 0);
	ck_assert_int_eq(meant.spared, 1);
}
END_TEST

START_TEST(a_wrong_count_a_leak_and_a_wedge_are_found)
{
	struct chaos_verdict more = judge(GOOD_A FINAL_A "950 done - 0 2 1 0\n");
	ck_assert_int_eq(more.miscounted, 1);
	ck_assert(!chaos_is_sound(&more));
	struct chaos_verdict fewer = judge(GOOD_A FINAL_A "950 done - 0 0 1 0\n");
	ck_assert_int_eq(fewer.miscounted, 1);
	struct chaos_verdict leak = judge(GOOD_A FINAL_A "950 leak - 0 0 1 0\n");
	ck_assert_int_eq(leak.leaks, 1);
	ck_assert(!chaos_is_sound(&leak));
	struct chaos_verdict wedge = judge(GOOD_A FINAL_A "700 fault - 0 0 1 0\n800 probe - 0 -1 1 0\n");
	ck_assert_int_eq(wedge.wedges, 1);
	ck_assert_int_eq(wedge.faults, 1);
	ck_assert(!chaos_is_sound(&wedge));
}
END_TEST

START_TEST(recovery_is_timed_from_the_death_to_the_next_start)
{
	/* Killed by itself, with its dispatcher, and after its effect but before its end was taken: 5, 7 and 9 ms. */
	struct chaos_verdict v =
	        judge("1 attempt a 0 0 1 0\n1 attempt b 0 0 1 0\n1 attempt c 0 0 1 0\n2 accept a 0 0 1 0\n2 accept b 0 0 1 0\n"
	              "2 accept c 0 0 1 0\n1000 start a 1 1 60 50\n1000 start b 2 1 61 51\n2000 kill - 0 60 1 0\n"
	              "2000 dead - 0 60 50 1\n3000 kill - 0 51 1 0\n7000 start a 3 1 62 50\n10000 start b 4 1 63 50\n"
	              "20000 effect a 3 1 62 50\n20000 effect b 4 1 63 50\n20001 start c 5 1 64 50\n20001 effect c 5 1 64 50\n"
	              "20002 kill - 0 64 1 0\n" FINAL_A FINAL_B "902 final c 0 5 1 0\n");
	ck_assert_int_eq(v.recovery.n, 2);
	ck_assert_int_eq(v.recovery.p50, 5);
	ck_assert_int_eq(v.recovery.worst, 7);
}
END_TEST

START_TEST(recovery_is_timed_without_fences_too)
{
	struct chaos_verdict v = judge("1 attempt a 0 0 1 0\n2 accept a 0 0 1 0\n1000 start a 0 0 60 50\n2000 kill - 0 60 1 0\n"
	                               "9000 start a 0 0 61 50\n9500 effect a 0 0 61 50\n");
	ck_assert_int_eq(v.recovery.n, 1);
	ck_assert_int_eq(v.recovery.worst, 7);
	ck_assert_int_eq(v.twice, 0);
}
END_TEST

START_TEST(probes_are_counted)
{
	struct chaos_verdict v = judge(GOOD_A FINAL_A "1 probe - 0 5 1 0\n2 probe - 0 9 1 0\n3 probe - 0 700 1 0\n");
	ck_assert_int_eq(v.probe.n, 3);
	ck_assert_int_eq(v.probe.p50, 9);
	ck_assert_int_eq(v.probe.worst, 700);
	ck_assert_int_eq(v.wedges, 0);
}
END_TEST

START_TEST(nonsense_is_told)
{
	static const char *const lines[] = {"hello", "1 start a 1 1 1", "1 start a 1 1 1 1 1", "1 dance a 1 1 1 1", "x start a 1 1 1 1",
	        "1 start a 1 one 1 1", "1 start  1 1 1 1"};
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct chaos_verdict v = judge(lines[i]);
		ck_assert_msg(v.nonsense == 1 && !chaos_is_sound(&v), "\"%s\" is taken for an event", lines[i]);
	}
}
END_TEST

START_TEST(lines_may_come_in_any_order)
{
	struct chaos_verdict v = judge(FINAL_A "60 end a 100 0 50 1\n50 effect a 100 1 60 50\n40 start a 100 1 60 50\n20 accept a 0 0 1 0\n"
	                                       "10 attempt a 0 0 1 0\n");
	ck_assert_msg(chaos_is_sound(&v), "%s", v.example);
	ck_assert_int_eq(v.overlaps, 0);
	ck_assert_int_eq(v.ended, 1);
}
END_TEST

static const TTest *const tests[] = {a_good_history_is_sound, a_lost_job_is_found, without_finals_an_effect_is_the_end,
        what_was_not_accepted_cannot_be_lost, a_job_whose_answer_was_lost_is_recovered, a_second_effect_is_found,
        a_job_from_nowhere_is_found, overlapping_executions_are_found, an_end_that_is_taken_twice_is_found,
        errors_and_crashes_are_not_the_end, a_claim_that_is_begun_twice_is_found, an_end_from_an_older_claim_is_found,
        a_success_without_an_effect_is_found, a_job_that_ended_badly_is_found_unless_it_was_to, a_wrong_count_a_leak_and_a_wedge_are_found,
        recovery_is_timed_from_the_death_to_the_next_start, recovery_is_timed_without_fences_too, probes_are_counted, nonsense_is_told,
        lines_may_come_in_any_order};
TEST_MAIN("checker", tests)
