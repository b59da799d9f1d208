/* test_worker_dispatch.c -- what is planned while claims have come and the slots were not given them yet; no processes, no server. */
#include <string.h>

#include "base/mem.h"
#include "kinds/kind.h"
#include "tests/lib/test.h"
#include "workers/alone.c"
#include "workers/dispatch.c"
#include "workers/dispatcher.h"
#include "workers/line.c"
#include "workers/settings.c"
#include "workers/shares.c"

#define SLOTS 4

/* ---- slots.c and ends.c without processes ---------------------------------------------------------------------------------- */

bool slot_is_idle(const struct slot *s)
{
	return s->n == 0;
}

bool slot_may_look_ahead(const struct slot *s)
{
	return s->n > 0 && s->n < SLOT_DEPTH && !s->tainted && !s->alone;
}

void slot_put(struct slot *s, struct line *line, const struct kind *k, const struct job *j, int64_t now_ms)
{
	UNUSED(k);
	s->flights[s->n++] = (struct flight){.line = line, .fence = j->fence, .sent_ms = now_ms};
	s->line = line;
	s->tainted = j->quarantined;
	s->alone = false;
}

void slot_send(struct slot *s)
{
	UNUSED(s);
}

int slot_give_back(struct slots *slots, struct slot *s)
{
	UNUSED(slots);
	UNUSED(s);
	return 0;
}

void ends_claimed(struct dispatcher *d, const struct kind *k, const struct job *j)
{
	UNUSED(d);
	UNUSED(k);
	UNUSED(j);
}

/* ---- the rig ---------------------------------------------------------------------------------------------------------------- */

struct rig {
	struct dispatcher *d;
	struct settings settings;
	const struct kind *kind;
	int64_t fences;
};

static void rig_open(struct rig *r, int lines)
{
	memset(r, 0, sizeof(*r));
	r->settings.order = ORDER_WEIGHTED;
	r->settings.values[SET_WORKER_LEASE].number = 15000;
	r->d = mem_new(sizeof(*r->d));
	r->d->settings = &r->settings;
	r->d->now_ms = 1000;
	r->d->n_lines = (size_t)lines;
	r->d->slots.n = SLOTS;
	r->d->slots.all = mem_array(SLOTS, sizeof(*r->d->slots.all));
	for (int i = 0; i < SLOTS; i++) {
		r->d->slots.all[i].index = i;
		r->d->slots.all[i].flights = r->d->slots.all[i].room;
	}
	for (int i = 0; i < lines; i++) {
		struct line *l = &r->d->lines[i];
		l->weight = 1;
		l->family = (size_t)i;
		l->hungry = true;
		l->stepped_ms = r->d->now_ms;
	}
	for (size_t i = 0; r->kind == NULL || !r->kind->is_short; i++)
		r->kind = kind_at(i);
}

static void rig_close(struct rig *r)
{
	for (size_t i = 0; i < r->d->n_lines; i++)
		line_close(&r->d->lines[i]);
	mem_free(&r->d->slots.all);
	mem_free(&r->d);
}

/* The answer to a step that was promised so many free slots. */
static void claims_come(struct rig *r, int line, int promised, int n, bool quarantined)
{
	struct queue_step_reply reply = {.claims = mem_array((size_t)n, sizeof(*reply.claims)), .n_claims = (size_t)n};
	for (int i = 0; i < n; i++) {
		struct job *j = &reply.claims[i].job;
		snprintf(j->id, sizeof(j->id), "q-0job%d", i);
		memcpy(j->kind, r->kind->name, strlen(r->kind->name) + 1);
		j->params = mem_strdup("{}");
		j->quarantined = quarantined;
		j->fence = ++r->fences;
	}
	r->d->lines[line].promised = promised;
	r->d->lines[line].ready_ms = r->d->now_ms;
	dispatch_claims(&r->d->lines[line], &reply);
	mem_free(&reply.claims);
}

static int slots_of(const struct rig *r, int line)
{
	int n = 0;
	for (int i = 0; i < SLOTS; i++)
		n += r->d->slots.all[i].n > 0 && r->d->slots.all[i].line == &r->d->lines[line];
	return n;
}

/* It may look ahead: its jobs take as long as a round trip. */
static void make_short(struct line *l)
{
	l->is_short = true;
	l->rtt_us = l->run_us = 1000;
}

/* A slot holds n usual jobs of a line. */
static void put_some(struct rig *r, int slot, int line, int n)
{
	struct job j = {.fence = 0};
	r->d->slots.all[slot].n = 0;
	for (int i = 0; i < n; i++)
		slot_put(&r->d->slots.all[slot], &r->d->lines[line], r->kind, &j, r->d->now_ms);
}

/* A step told all that was to be told; taken: or nothing of it was ours any more. */
static void answer_acks(struct line *l, bool taken)
{
	char rejected[QUEUE_BATCH_MAX][JOB_ID];
	struct queue_step_reply reply = {.rejected = rejected, .n_rejected = taken ? 0 : l->n_acks};
	for (size_t i = 0; i < l->n_acks && !taken; i++)
		memcpy(rejected[i], l->acks[i].id, JOB_ID);
	l->n_riding = l->n_acks;
	alone_answered(l, &reply);
	acks_drop(l, l->n_acks);
}

/* A turn of the loop in which all lines that answer were answered. */
static void alone_turn(struct rig *r, bool taken)
{
	dispatch_plan(r->d);
	alone_plan(r->d);
	for (size_t i = 0; i < r->d->n_lines; i++)
		if (r->d->lines[i].failures == 0)
			answer_acks(&r->d->lines[i], taken);
	for (size_t i = 0; i < r->d->n_lines; i++)
		dispatch_pending(r->d, &r->d->lines[i]);
}

START_TEST(slots_that_are_left_are_asked_for)
{
	struct rig r;
	rig_open(&r, 1);
	claims_come(&r, 0, 1, 1, false);
	dispatch_plan(r.d);
	ck_assert_int_eq(dispatch_want(r.d, &r.d->lines[0]), SLOTS - 1);
	rig_close(&r);
}
END_TEST

START_TEST(what_has_come_counts_as_its_share)
{
	struct rig r;
	rig_open(&r, 2);
	claims_come(&r, 0, 2, 2, false);
	dispatch_plan(r.d);
	ck_assert_int_eq(r.d->lines[0].grant, 0);
	ck_assert_int_eq(r.d->lines[1].grant, 2);
	rig_close(&r);
}
END_TEST

START_TEST(what_was_promised_to_one_is_not_taken_by_another)
{
	struct rig r;
	rig_open(&r, 2);
	make_short(&r.d->lines[0]);
	claims_come(&r, 0, 1, 4, false);
	claims_come(&r, 1, 3, 3, false);
	for (int i = 0; i < 2; i++)
		dispatch_pending(r.d, &r.d->lines[i]);
	ck_assert_int_eq(slots_of(&r, 0), 1);
	ck_assert_int_eq(slots_of(&r, 1), 3);
	rig_close(&r);
}
END_TEST

/* Many short jobs for one slot keep only that one. */
START_TEST(what_may_stand_behind_another_keeps_no_slot)
{
	struct rig r;
	rig_open(&r, 2);
	make_short(&r.d->lines[0]);
	claims_come(&r, 0, 1, 4, false);
	r.d->lines[0].hungry = false;
	dispatch_plan(r.d);
	ck_assert_int_eq(r.d->lines[1].grant, 3);
	rig_close(&r);
}
END_TEST

/* Those that take turns keep one for the next of them, whatever brought them. */
START_TEST(what_must_be_alone_keeps_a_slot)
{
	struct rig r;
	rig_open(&r, 2);
	make_short(&r.d->lines[0]);
	claims_come(&r, 0, 0, 2, true);
	r.d->lines[0].hungry = false;
	dispatch_plan(r.d);
	ck_assert_int_eq(r.d->lines[1].grant, SLOTS - 1);
	alone_turn(&r, true);
	alone_turn(&r, true);
	ck_assert_int_eq(slots_of(&r, 0), 1);
	ck_assert_int_eq(shares_kept(&r.d->lines[0]), 1);
	r.d->slots.all[0].n = 0;
	alone_turn(&r, true);
	ck_assert_int_eq(shares_kept(&r.d->lines[0]), 0);
	rig_close(&r);
}
END_TEST

/* While many of them wait, nothing more is asked for: what would come may be more of them, to be given back again and again. */
START_TEST(none_are_asked_for_while_many_wait_to_be_alone)
{
	struct rig r;
	rig_open(&r, 1);
	struct line *l = &r.d->lines[0];
	make_short(l);
	l->rtt_us = 1000000; /* as far ahead as a slot can hold */
	claims_come(&r, 0, SLOTS, 60, true);
	for (int i = 0; i < SLOTS; i++)
		put_some(&r, i, 0, 1); /* and each could hold many more */
	dispatch_plan(r.d);
	ck_assert_int_eq(dispatch_want(r.d, l), 0);
	size_t most = l->alone.n;
	for (int turn = 0; turn < 1000; turn++) {
		r.d->now_ms++;
		dispatch_plan(r.d);
		int want = dispatch_want(r.d, l);
		if (want > 0)
			claims_come(&r, 0, 0, want, true);
		alone_turn(&r, true);
		most = l->alone.n > most ? l->alone.n : most;
		r.d->slots.all[turn % SLOTS].n = 0;
	}
	ck_assert_uint_le(most, SLOTS + QUEUE_BATCH_MAX);
	rig_close(&r);
}
END_TEST

/* ---- one at a time --------------------------------------------------------------------------------------------------------- */

START_TEST(one_starts_when_the_queue_knows_and_the_next_when_it_has_ended)
{
	struct rig r;
	rig_open(&r, 1);
	struct line *l = &r.d->lines[0];
	make_short(l);
	claims_come(&r, 0, 0, 3, true);
	alone_plan(r.d);
	dispatch_pending(r.d, l);
	ck_assert_int_eq(slots_of(&r, 0), 0); /* it is not answered yet */
	ck_assert_uint_eq(l->n_acks, 1);
	ck_assert(l->acks[0].outcome == ACK_STARTS && l->acks[0].fence == 1);
	alone_plan(r.d);
	ck_assert_uint_eq(l->n_acks, 1); /* it is said once */
	answer_acks(l, true);
	dispatch_pending(r.d, l);
	ck_assert_int_eq(slots_of(&r, 0), 1);
	ck_assert_int_eq(r.d->slots.all[0].flights[0].fence, 1);
	ck_assert(!slot_may_look_ahead(&r.d->slots.all[0]));
	alone_turn(&r, true);
	ck_assert_int_eq(slots_of(&r, 0), 1);
	r.d->slots.all[0].n = 0;
	alone_turn(&r, true);
	ck_assert_int_eq(r.d->slots.all[0].n, 1);
	ck_assert_int_eq(r.d->slots.all[0].flights[0].fence, 2);
	ck_assert_uint_eq(l->alone.n, 1);
	rig_close(&r);
}
END_TEST

START_TEST(what_is_lost_before_it_starts_does_not)
{
	struct rig r;
	rig_open(&r, 1);
	make_short(&r.d->lines[0]);
	claims_come(&r, 0, 0, 2, true);
	alone_turn(&r, false);
	ck_assert_int_eq(slots_of(&r, 0), 0);
	ck_assert_uint_eq(r.d->lines[0].alone.n, 1);
	alone_turn(&r, true);
	ck_assert_int_eq(slots_of(&r, 0), 1);
	ck_assert_int_eq(r.d->slots.all[0].flights[0].fence, 2);
	rig_close(&r);
}
END_TEST

/* What runs on and on holds up the next one for a while only. */
START_TEST(who_runs_long_holds_up_nobody)
{
	struct rig r;
	rig_open(&r, 1);
	make_short(&r.d->lines[0]);
	claims_come(&r, 0, 0, 3, true);
	for (int i = 0; i < 3; i++) {
		alone_turn(&r, true);
		alone_turn(&r, true);
		ck_assert_int_eq(slots_of(&r, 0), i + 1);
		r.d->now_ms += ALONE_MS;
	}
	ck_assert_uint_eq(r.d->lines[0].alone.n, 0);
	rig_close(&r);
}
END_TEST

/* Two queues, one after the other; a queue that does not answer keeps none of the others waiting. */
START_TEST(all_lines_take_turns)
{
	struct rig r;
	rig_open(&r, 3);
	for (int i = 0; i < 3; i++) {
		make_short(&r.d->lines[i]);
		claims_come(&r, i, 0, 2, true);
	}
	alone_plan(r.d);
	ck_assert_ptr_eq(r.d->alone_next, &r.d->lines[1]);
	r.d->lines[1].failures = 1;
	for (int i = 0; i < 4; i++) {
		alone_turn(&r, true);
		ck_assert_int_eq(slots_of(&r, i % 2 ? 0 : 2), 1);
		for (int k = 0; k < SLOTS; k++)
			r.d->slots.all[k].n = 0;
	}
	ck_assert_uint_eq(r.d->lines[0].alone.n + r.d->lines[2].alone.n, 0);
	ck_assert_uint_eq(r.d->lines[1].alone.n, 2);
	rig_close(&r);
}
END_TEST

START_TEST(a_suspect_is_alone_only_where_jobs_are_looked_ahead)
{
	struct rig r;
	rig_open(&r, 1);
	struct job j = {.suspect = true}, usual = {.suspect = false};
	ck_assert(!alone_needed(&r.d->lines[0], &j));
	make_short(&r.d->lines[0]);
	ck_assert(alone_needed(&r.d->lines[0], &j) && !alone_needed(&r.d->lines[0], &usual));
	rig_close(&r);
}
END_TEST

/* Others go on beside the one that runs; when the next waits for a slot, one becomes empty for it. */
START_TEST(others_go_on_and_make_room)
{
	struct rig r;
	rig_open(&r, 1);
	struct line *l = &r.d->lines[0];
	make_short(l);
	claims_come(&r, 0, 0, 2, true);
	alone_turn(&r, true);
	claims_come(&r, 0, SLOTS, SLOTS - 1, false);
	alone_turn(&r, true);
	ck_assert_int_eq(slots_of(&r, 0), SLOTS);
	for (int i = 0; i < SLOTS; i++)
		put_some(&r, i, 0, 1);
	claims_come(&r, 0, 0, 3, false);
	alone_turn(&r, true);
	ck_assert_uint_eq(l->n_pending, 3); /* none is put behind those that run: one of these slots is to become idle */
	ck_assert_uint_eq(l->alone.n, 1);
	r.d->slots.all[2].n = 0;
	alone_turn(&r, true);
	ck_assert(r.d->slots.all[2].n == 1 && r.d->slots.all[2].alone);
	ck_assert_uint_eq(l->n_pending + l->alone.n, 0);
	rig_close(&r);
}
END_TEST

/* Where there is but one slot for all of them. */
START_TEST(who_was_alone_lets_others_go_first)
{
	struct rig r;
	rig_open(&r, 2);
	struct line *l = &r.d->lines[0];
	struct slot *only = &r.d->slots.all[0];
	make_short(l);
	for (int i = 1; i < SLOTS; i++)
		put_some(&r, i, 1, 1);
	claims_come(&r, 0, 1, 2, true);
	claims_come(&r, 0, 1, 3, false);
	for (int i = 0; i < 3; i++) {
		alone_turn(&r, true);
		ck_assert_int_eq(only->n, i == 1 ? 3 : 1);
		ck_assert(only->alone == (i != 1));
		only->n = 0;
	}
	ck_assert_uint_eq(l->n_pending + l->alone.n, 0);
	rig_close(&r);
}
END_TEST

/* ---- those that wait too long ------------------------------------------------------------------------------------------------- */

static size_t given_back(const struct line *l)
{
	size_t n = 0;
	for (size_t i = 0; i < l->n_acks; i++)
		n += l->acks[i].outcome == ACK_GIVE_BACK;
	return n;
}

/* Slots that become idle one after the other: who comes behind waits for his turn, as long as his lease allows. */
START_TEST(who_waits_while_slots_move_is_not_given_back)
{
	struct rig r;
	rig_open(&r, 1);
	struct line *l = &r.d->lines[0];
	for (int i = 0; i < SLOTS; i++)
		put_some(&r, i, 0, 1);
	claims_come(&r, 0, 0, 9, false);
	for (int i = 0; i < 6; i++) {
		r.d->now_ms += 800;
		r.d->slots.all[0].n = 0;
		dispatch_pending(r.d, l);
		ck_assert_uint_eq(l->n_pending, (size_t)(8 - i));
	}
	ck_assert_uint_eq(given_back(l), 0);
	r.d->now_ms += 201; /* a third of the lease */
	dispatch_pending(r.d, l);
	ck_assert_uint_eq(given_back(l), 3);
	claims_come(&r, 0, 0, 2, false);
	r.d->now_ms += 999;
	dispatch_pending(r.d, l);
	ck_assert_uint_eq(l->n_pending, 2);
	r.d->now_ms += 1;
	dispatch_pending(r.d, l);
	ck_assert_uint_eq(l->n_pending, 0); /* nothing moved for a second */
	rig_close(&r);
}
END_TEST

START_TEST(who_waits_to_be_alone_is_given_back_when_nothing_moves)
{
	struct rig r;
	rig_open(&r, 1);
	struct line *l = &r.d->lines[0];
	make_short(l);
	claims_come(&r, 0, 0, 12, true);
	for (int i = 0; i < 6; i++) {
		alone_turn(&r, true);
		r.d->now_ms += 800;
		r.d->slots.all[0].n = 0;
	}
	alone_turn(&r, true);
	ck_assert_uint_eq(given_back(l), 0);
	ck_assert_uint_eq(l->alone.n, 5);
	claims_come(&r, 0, 0, 1, true); /* the youngest stays when the lease of the others is used up by a third */
	for (int i = 0; i < SLOTS; i++)
		put_some(&r, i, 0, 1);
	r.d->now_ms += 200;
	dispatch_pending(r.d, l);
	ck_assert_uint_eq(given_back(l), 5);
	ck_assert_uint_eq(l->alone.n, 1);
	r.d->now_ms += 800;
	dispatch_pending(r.d, l);
	ck_assert_uint_eq(given_back(l), 6);
	rig_close(&r);
}
END_TEST

/* The slots that short jobs were brought for are filled to the same depth as those that a step asks for now. */
START_TEST(short_jobs_are_looked_ahead_of_behind_those_that_came)
{
	struct rig r;
	rig_open(&r, 1);
	make_short(&r.d->lines[0]);
	int depth = 1 + line_ahead(&r.d->lines[0], r.d->now_ms);
	ck_assert_int_gt(depth, 1);
	claims_come(&r, 0, SLOTS, SLOTS, false);
	dispatch_plan(r.d);
	ck_assert_int_eq(dispatch_want(r.d, &r.d->lines[0]), SLOTS * (depth - 1));
	rig_close(&r);
}
END_TEST

static const TTest *const tests[] = {slots_that_are_left_are_asked_for, what_has_come_counts_as_its_share,
        what_was_promised_to_one_is_not_taken_by_another, what_may_stand_behind_another_keeps_no_slot, what_must_be_alone_keeps_a_slot,
        none_are_asked_for_while_many_wait_to_be_alone, short_jobs_are_looked_ahead_of_behind_those_that_came,
        one_starts_when_the_queue_knows_and_the_next_when_it_has_ended, what_is_lost_before_it_starts_does_not,
        who_runs_long_holds_up_nobody, all_lines_take_turns, a_suspect_is_alone_only_where_jobs_are_looked_ahead,
        others_go_on_and_make_room, who_was_alone_lets_others_go_first, who_waits_while_slots_move_is_not_given_back,
        who_waits_to_be_alone_is_given_back_when_nothing_moves};
TEST_MAIN("worker dispatch", tests)
