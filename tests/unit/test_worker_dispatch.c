/* test_worker_dispatch.c -- what is planned while claims have come and the slots were not given them yet; no processes, no server. */
#include <string.h>

#include "base/mem.h"
#include "kinds/kind.h"
#include "tests/lib/test.h"
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
	return s->n > 0 && s->n < SLOT_DEPTH && !s->tainted;
}

void slot_put(struct slot *s, struct line *line, const struct kind *k, const struct job *j, int64_t now_ms)
{
	UNUSED(k);
	UNUSED(now_ms);
	s->n++;
	s->line = line;
	s->tainted = j->quarantined;
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
};

static void rig_open(struct rig *r, int lines)
{
	memset(r, 0, sizeof(*r));
	r->settings.order = ORDER_WEIGHTED;
	r->d = mem_new(sizeof(*r->d));
	r->d->settings = &r->settings;
	r->d->now_ms = 1000;
	r->d->n_lines = (size_t)lines;
	r->d->slots.n = SLOTS;
	r->d->slots.all = mem_array(SLOTS, sizeof(*r->d->slots.all));
	for (int i = 0; i < SLOTS; i++)
		r->d->slots.all[i].index = i;
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
	}
	r->d->lines[line].promised = promised;
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

/* Those that are alone in their slots do, whatever brought them. */
START_TEST(what_is_quarantined_keeps_a_slot)
{
	struct rig r;
	rig_open(&r, 2);
	make_short(&r.d->lines[0]);
	claims_come(&r, 0, 0, 2, true);
	r.d->lines[0].hungry = false;
	dispatch_plan(r.d);
	ck_assert_int_eq(r.d->lines[1].grant, 2);
	dispatch_pending(r.d, &r.d->lines[0]);
	ck_assert_int_eq(slots_of(&r, 0), 2);
	ck_assert_int_eq(shares_kept(&r.d->lines[0]), 0);
	rig_close(&r);
}
END_TEST

/* More quarantined jobs than slots: while they wait, nothing more is asked for. */
START_TEST(none_are_asked_for_while_many_wait_to_be_alone)
{
	struct rig r;
	rig_open(&r, 1);
	make_short(&r.d->lines[0]);
	claims_come(&r, 0, SLOTS, 60, true);
	dispatch_pending(r.d, &r.d->lines[0]);
	ck_assert_int_eq(slots_of(&r, 0), SLOTS);
	dispatch_plan(r.d);
	ck_assert_int_eq(dispatch_want(r.d, &r.d->lines[0]), 0);
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
        what_was_promised_to_one_is_not_taken_by_another, what_may_stand_behind_another_keeps_no_slot, what_is_quarantined_keeps_a_slot,
        none_are_asked_for_while_many_wait_to_be_alone, short_jobs_are_looked_ahead_of_behind_those_that_came};
TEST_MAIN("worker dispatch", tests)
