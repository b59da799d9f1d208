/* shares.c -- order between the queues of one worker: who gets the next free slot.
 *
 * strict: the first in the order named that is hungry. weighted: of the slots each hungry queue has a share, by its weight. The whole slots
 * of its share it has for sure; the rest goes around, to the queue that has used the least slot time for its weight. So the shares also
 * hold over time where there are fewer slots than queues. Who was not hungry gets no credit for having been away.
 */
#include "workers/dispatcher.h"

static bool is_active(const struct line *l, int held)
{
	return !l->drained && l->failures == 0 && (l->hungry || held > 0 || l->promised > 0 || l->n_pending > 0);
}

/* Slot time since the last look; and who comes back joins where the others stand. */
void shares_account(struct dispatcher *d, const int *held)
{
	int64_t passed = d->shared_ms != 0 ? d->now_ms - d->shared_ms : 0;
	double least = -1;
	d->shared_ms = d->now_ms;
	for (size_t i = 0; i < d->n_lines; i++) {
		struct line *l = &d->lines[i];
		l->used += (double)l->was_held * (double)passed / l->weight; /* what it held between the looks */
		l->was_held = held[i];
		if (l->active && is_active(l, held[i]) && (least < 0 || l->used < least))
			least = l->used;
	}
	for (size_t i = 0; i < d->n_lines; i++) {
		struct line *l = &d->lines[i];
		bool active = is_active(l, held[i]);
		if (active && !l->active && l->used < least)
			l->used = least;
		l->active = active;
	}
}

/* The whole slots of its share. */
int shares_whole(const struct dispatcher *d, const struct line *l)
{
	int64_t all = l->weight;
	for (size_t i = 0; i < d->n_lines; i++)
		all += d->lines[i].active && &d->lines[i] != l ? d->lines[i].weight : 0;
	return (int)((int64_t)d->slots.n * l->weight / all);
}

/* Does a come before b? */
static bool comes_first(const struct dispatcher *d, const struct line *a, int a_has, const struct line *b, int b_has)
{
	bool a_sure = a_has < shares_whole(d, a), b_sure = b_has < shares_whole(d, b);
	if (a_sure != b_sure)
		return a_sure;
	int64_t x = (int64_t)a_has * b->weight, y = (int64_t)b_has * a->weight;
	if (a_sure && x != y)
		return x < y;
	/* A slot that was granted but not used yet counts as a moment of it, so that one turn does not give all to one. */
	double a_used = a->used + (double)(a->promised + a->grant) / a->weight,
	       b_used = b->used + (double)(b->promised + b->grant) / b->weight;
	if (a_used < b_used || b_used < a_used)
		return a_used < b_used;
	return a->served < b->served;
}

struct line *shares_next(struct dispatcher *d, const int *held, bool (*may_claim)(const struct dispatcher *d, const struct line *l))
{
	struct line *best = NULL;
	int best_has = 0;
	for (size_t i = 0; i < d->n_lines; i++) {
		struct line *l = &d->lines[i];
		int has = held[i] + l->promised + l->grant;
		if (!l->hungry || !may_claim(d, l))
			continue;
		if (best != NULL && (d->settings->order == ORDER_STRICT || !comes_first(d, l, has, best, best_has)))
			continue;
		best = l;
		best_has = has;
	}
	return best;
}

/* How many of the slots that it holds a queue may fill up again by looking ahead, while others wait. */
int shares_refills(const struct dispatcher *d, const struct line *l, const int *held)
{
	int mine = held[l - d->lines];
	for (size_t i = 0; i < d->n_lines; i++) {
		const struct line *other = &d->lines[i];
		if (other == l || !other->hungry || other->drained || other->failures > 0)
			continue;
		if (d->settings->order == ORDER_STRICT) {
			if (other < l)
				return 0;
		} else if ((int64_t)(held[i] + other->promised) * l->weight < (int64_t)mine * other->weight) {
			return shares_whole(d, l);
		}
	}
	return mine;
}
