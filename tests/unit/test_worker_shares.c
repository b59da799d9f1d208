/* test_worker_shares.c -- who gets the next free slot, simulated: queues that always have work, jobs of given lengths, no processes. */
#include <string.h>

#include "base/mem.h"
#include "tests/lib/test.h"
#include "workers/dispatcher.h"
#include "workers/shares.c"

#define STEP_MS 10

struct sim {
	struct dispatcher *d;
	struct settings settings;
	int64_t length_ms[QUEUES_MAX]; /* of a queue's jobs */
	bool hungry[QUEUES_MAX];
	int64_t busy_ms[QUEUES_MAX]; /* slot time that it got */
	int64_t ends[64];
};

static void sim_open(struct sim *s, enum queue_order order, int slots, int queues)
{
	memset(s, 0, sizeof(*s));
	s->settings.order = order;
	s->d = mem_new(sizeof(*s->d));
	s->d->settings = &s->settings;
	s->d->now_ms = 1000;
	s->d->n_lines = (size_t)queues;
	s->d->slots.n = slots;
	s->d->slots.all = mem_array((size_t)slots, sizeof(*s->d->slots.all));
	for (int i = 0; i < slots; i++) {
		s->d->slots.all[i].pid = 1;
		s->d->slots.all[i].index = i;
	}
	for (int i = 0; i < queues; i++) {
		s->d->lines[i].weight = 1;
		s->d->lines[i].family = (size_t)i;
		s->hungry[i] = true;
		s->length_ms[i] = 100;
	}
}

static void sim_close(struct sim *s)
{
	mem_free(&s->d->slots.all);
	mem_free(&s->d);
}

static void sim_start(struct sim *s, int queue)
{
	for (int i = 0; i < s->d->slots.n; i++) {
		struct slot *slot = &s->d->slots.all[i];
		if (slot->n > 0)
			continue;
		slot->n = 1;
		slot->line = &s->d->lines[queue];
		s->ends[i] = s->d->now_ms + s->length_ms[queue];
		return;
	}
	ck_abort_msg("more was granted than there are slots");
}

static enum claim always(const struct dispatcher *d, const struct line *l)
{
	UNUSED(d);
	UNUSED(l);
	return CLAIM_NOW;
}

static void sim_plan(struct sim *s)
{
	int held[LINES_MAX] = {0}, idle = 0;
	struct line *l;
	for (int i = 0; i < s->d->slots.n; i++) {
		const struct slot *slot = &s->d->slots.all[i];
		if (slot->n > 0)
			held[slot->line - s->d->lines]++;
		else
			idle++;
	}
	shares_account(s->d, held); /* what was granted in the last turn has begun by now, as after a round trip */
	for (; idle > 0 && (l = shares_next(s->d, always)) != NULL; idle--)
		shares_grant(s->d, l);
}

static void sim_turn(struct sim *s)
{
	for (int i = 0; i < s->d->slots.n; i++) {
		struct slot *slot = &s->d->slots.all[i];
		if (slot->n > 0)
			s->busy_ms[slot->line - s->d->lines] += STEP_MS;
		if (slot->n > 0 && s->ends[i] <= s->d->now_ms) {
			slot->n = 0;
			slot->line = NULL;
		}
	}
	for (size_t i = 0; i < s->d->n_lines; i++) {
		s->d->lines[i].hungry = s->hungry[i];
		for (int n = s->d->lines[i].grant; n > 0; n--)
			sim_start(s, (int)i);
	}
	sim_plan(s);
	s->d->now_ms += STEP_MS;
}

static void sim_run(struct sim *s, int64_t ms)
{
	memset(s->busy_ms, 0, sizeof(s->busy_ms));
	for (int64_t t = 0; t < ms; t += STEP_MS)
		sim_turn(s);
}

/* The slot time of queue i was this part of all, within 3 %. */
static void share_is(const struct sim *s, int i, double part)
{
	int64_t all = 0;
	for (int k = 0; k < QUEUES_MAX; k++)
		all += s->busy_ms[k];
	double got = (double)s->busy_ms[i] / (double)all;
	ck_assert_msg(got > part - 0.03 && got < part + 0.03, "queue %d got %.3f of the slot time, not %.3f", i, got, part);
}

START_TEST(shares_follow_the_weights_on_any_number_of_slots)
{
	for (int slots = 1; slots <= 9; slots++) {
		struct sim s;
		sim_open(&s, ORDER_WEIGHTED, slots, 2);
		s.d->lines[0].weight = 3;
		sim_run(&s, 100000);
		share_is(&s, 0, 0.75);
		sim_close(&s);
	}
}
END_TEST

START_TEST(shares_hold_when_jobs_differ_in_length)
{
	for (int slots = 1; slots <= 5; slots++) {
		struct sim s;
		sim_open(&s, ORDER_WEIGHTED, slots, 3);
		s.d->lines[0].weight = 2;
		s.length_ms[0] = 5000;
		s.length_ms[1] = 100;
		s.length_ms[2] = 300;
		sim_run(&s, 1000000);
		share_is(&s, 0, 0.5);
		share_is(&s, 1, 0.25);
		share_is(&s, 2, 0.25);
		sim_close(&s);
	}
}
END_TEST

START_TEST(what_one_does_not_need_the_others_get)
{
	struct sim s;
	sim_open(&s, ORDER_WEIGHTED, 4, 3);
	s.d->lines[0].weight = 1000;
	s.hungry[0] = false;
	sim_run(&s, 10000);
	share_is(&s, 1, 0.5);
	share_is(&s, 2, 0.5);
	s.hungry[2] = false;
	sim_run(&s, 10000);
	share_is(&s, 1, 1.0);
	sim_close(&s);
}
END_TEST

/* Who was away for long does not get everything when it comes back. */
START_TEST(being_away_earns_nothing)
{
	struct sim s;
	sim_open(&s, ORDER_WEIGHTED, 1, 2);
	s.hungry[1] = false;
	sim_run(&s, 100000);
	s.hungry[1] = true;
	sim_run(&s, 2000);
	ck_assert_int_ge(s.busy_ms[0], 800);
	ck_assert_int_ge(s.busy_ms[1], 800);
	sim_close(&s);
}
END_TEST

START_TEST(a_flood_does_not_keep_another_out)
{
	struct sim s;
	sim_open(&s, ORDER_FAIR, 8, 2);
	s.hungry[1] = false;
	sim_run(&s, 1000);
	s.hungry[1] = true;
	sim_run(&s, 200); /* as long as two jobs of the flood */
	ck_assert_int_gt(s.busy_ms[1], 0);
	sim_run(&s, 10000);
	share_is(&s, 1, 0.5);
	sim_close(&s);
}
END_TEST

START_TEST(strict_serves_in_the_order_named)
{
	struct sim s;
	sim_open(&s, ORDER_STRICT, 3, 3);
	sim_run(&s, 10000);
	share_is(&s, 0, 1.0);
	s.hungry[0] = false;
	sim_run(&s, 10000);
	sim_run(&s, 10000);
	share_is(&s, 1, 1.0);
	s.hungry[0] = true;
	sim_run(&s, 100);
	sim_run(&s, 10000);
	share_is(&s, 0, 1.0);
	sim_close(&s);
}
END_TEST

/* The first line's call is under way. */
static enum claim first_is_busy(const struct dispatcher *d, const struct line *l)
{
	return l == &d->lines[0] ? CLAIM_SOON : CLAIM_NOW;
}

/* A step has been sent and not answered: whether it is hungry still is not known, but it was. */
static void send_step(struct line *l)
{
	l->was_hungry = l->hungry;
	l->hungry = false;
	l->call = CALL_STEP;
}

START_TEST(a_queue_whose_call_is_under_way_keeps_its_turn)
{
	struct sim s;
	int held[LINES_MAX] = {2, 1};
	sim_open(&s, ORDER_STRICT, 4, 2);
	struct line *first = &s.d->lines[0], *second = &s.d->lines[1];
	first->hungry = second->hungry = true;
	send_step(first);
	shares_account(s.d, held);
	ck_assert_ptr_eq(shares_next(s.d, first_is_busy), first);
	s.settings.order = ORDER_WEIGHTED;
	first->weight = 3;
	shares_account(s.d, held);
	ck_assert_ptr_eq(shares_next(s.d, first_is_busy), first); /* two of its three */
	second->family = 0;                                       /* another shard of the same queue, which can take it at once */
	ck_assert_ptr_eq(shares_next(s.d, first_is_busy), second);
	second->family = 1;
	first->was_hungry = false;
	ck_assert_ptr_eq(shares_next(s.d, first_is_busy), second);
	sim_close(&s);
}
END_TEST

/* A queue of short jobs fills up its slots by looking ahead only as far as its share goes. */
START_TEST(looking_ahead_keeps_to_the_share)
{
	struct sim s;
	int held[LINES_MAX] = {4, 0};
	sim_open(&s, ORDER_WEIGHTED, 4, 2);
	s.d->lines[0].weight = 3;
	s.d->lines[0].active = s.d->lines[1].active = true;
	ck_assert_int_eq(shares_refills(s.d, &s.d->lines[0], held), 4);
	s.d->lines[1].hungry = true;
	ck_assert_int_eq(shares_refills(s.d, &s.d->lines[0], held), 3);
	s.settings.order = ORDER_STRICT;
	ck_assert_int_eq(shares_refills(s.d, &s.d->lines[0], held), 4);
	s.d->lines[0].hungry = true;
	held[0] = 0;
	held[1] = 4;
	ck_assert_int_eq(shares_refills(s.d, &s.d->lines[1], held), 0);
	sim_close(&s);
}
END_TEST

static const TTest *const tests[] = {shares_follow_the_weights_on_any_number_of_slots, shares_hold_when_jobs_differ_in_length,
        what_one_does_not_need_the_others_get, being_away_earns_nothing, a_flood_does_not_keep_another_out,
        strict_serves_in_the_order_named, a_queue_whose_call_is_under_way_keeps_its_turn, looking_ahead_keeps_to_the_share};
TEST_MAIN("worker_shares", tests)
