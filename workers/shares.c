/* shares.c -- order between the queues of one worker: who gets the next free slot.
 *
 * strict: the first in the order named that is hungry. weighted: of the slots each hungry queue has a share, by its weight. The whole slots
 * of its share it has for sure; the rest goes around, to the queue that has used the least slot time for its weight. So the shares also
 * hold over time where there are fewer slots than queues. Who was not hungry gets no credit for having been away.
 * The shards of a queue share what it has. A queue whose call is under way keeps its turn: else each of its round trips would let another
 * have more than its share, for as long as that one's jobs are.
 */
#include <string.h>

#include "workers/dispatcher.h"

static struct line *head_of(struct dispatcher *d, const struct line *l)
{
	return &d->lines[l->family];
}

static const struct line *head(const struct dispatcher *d, const struct line *l)
{
	return &d->lines[l->family];
}

int shares_kept(const struct line *l)
{
	int alone = l->alone.n > 0; /* these take turns */
	int need = l->is_short ? alone : (int)l->n_pending, all = (int)l->n_pending + alone;
	int kept = l->landed > need ? l->landed : need;
	return kept < all ? kept : all;
}

static bool is_active(const struct line *l, int held)
{
	return !l->drained && l->failures == 0 && (l->hungry || held > 0 || l->promised > 0 || l->n_pending + l->alone.n > 0);
}

/* Add up for each queue what its shards hold. active_out, held_out: by family. */
static void sum_up(struct dispatcher *d, const int *held, bool *active_out, int *held_out)
{
	memset(active_out, 0, LINES_MAX * sizeof(*active_out));
	memset(held_out, 0, LINES_MAX * sizeof(*held_out));
	for (size_t i = 0; i < d->n_lines; i++)
		d->lines[i].family_has = 0;
	for (size_t i = 0; i < d->n_lines; i++) {
		struct line *l = &d->lines[i];
		l->grant = 0;
		l->has = held[i] + l->promised + shares_kept(l);
		head_of(d, l)->family_has += l->has;
		held_out[l->family] += held[i];
		active_out[l->family] = active_out[l->family] || is_active(l, held[i]);
	}
}

/* Slot time since the last look; and who comes back joins where the others stand. */
void shares_account(struct dispatcher *d, const int *held)
{
	bool active[LINES_MAX];
	int sum[LINES_MAX];
	int64_t passed = d->shared_ms != 0 ? d->now_ms - d->shared_ms : 0;
	double least = -1;
	d->shared_ms = d->now_ms;
	sum_up(d, held, active, sum);
	for (size_t i = 0; i < d->n_lines; i++) {
		struct line *l = &d->lines[i];
		if (l->shard != 0)
			continue;
		l->used += (double)l->was_held * (double)passed / l->weight; /* what it held between the looks */
		l->was_held = sum[i];
		if (l->active && active[i] && (least < 0 || l->used < least))
			least = l->used;
	}
	for (size_t i = 0; i < d->n_lines; i++) {
		struct line *l = &d->lines[i];
		if (active[i] && !l->active && l->used < least)
			l->used = least;
		l->active = active[i]; /* of other shards than 0: never */
	}
}

/* The whole slots of its queue's share. */
int shares_whole(const struct dispatcher *d, const struct line *l)
{
	int64_t all = l->weight;
	for (size_t i = 0; i < d->n_lines; i++)
		all += d->lines[i].active && &d->lines[i] != head(d, l) ? d->lines[i].weight : 0;
	return (int)((int64_t)d->slots.n * l->weight / all);
}

/* Two shards of one queue: by what waits there, as the last step said; one that was just woken counts as one job. */
static bool shard_first(const struct line *a, const struct line *b)
{
	int64_t a_waits = a->backlog > 0 ? a->backlog : 1, b_waits = b->backlog > 0 ? b->backlog : 1;
	int64_t x = (int64_t)(a->has + 1) * b_waits, y = (int64_t)(b->has + 1) * a_waits;
	return x != y ? x < y : a->served < b->served;
}

/* Two queues, weighted: does that of a come before that of b? */
static bool comes_first(const struct dispatcher *d, const struct line *a, const struct line *b)
{
	const struct line *q = head(d, a), *r = head(d, b);
	bool a_sure = q->family_has < shares_whole(d, q), b_sure = r->family_has < shares_whole(d, r);
	if (a_sure != b_sure)
		return a_sure;
	int64_t x = (int64_t)q->family_has * r->weight, y = (int64_t)r->family_has * q->weight;
	if (a_sure && x != y)
		return x < y;
	/* A slot that was granted but not used yet counts as a moment of it, so that one turn does not give all to one. */
	double a_used = q->used + (double)(q->family_has - q->was_held) / q->weight,
	       b_used = r->used + (double)(r->family_has - r->was_held) / r->weight;
	if (a_used < b_used || b_used < a_used)
		return a_used < b_used;
	return a->served < b->served;
}

struct line *shares_next(struct dispatcher *d, enum claim (*may)(const struct dispatcher *d, const struct line *l))
{
	struct line *best = NULL;
	enum claim best_may = CLAIM_NO;
	for (size_t i = 0; i < d->n_lines; i++) {
		struct line *l = &d->lines[i];
		enum claim now = l->hungry || (l->call == CALL_STEP && l->was_hungry) ? may(d, l) : CLAIM_NO;
		bool first;
		if (now == CLAIM_NO)
			continue;
		if (best == NULL)
			first = true;
		else if (l->family == best->family)
			first = now != best_may ? now > best_may : shard_first(l, best);
		else
			first = d->settings->order == ORDER_STRICT ? l->family < best->family : comes_first(d, l, best);
		if (first) {
			best = l;
			best_may = now;
		}
	}
	return best;
}

void shares_grant(struct dispatcher *d, struct line *l)
{
	l->grant++;
	l->has++;
	head_of(d, l)->family_has++;
	l->served = ++d->served;
}

static int held_by_queue(const struct dispatcher *d, const struct line *l, const int *held)
{
	int sum = 0;
	for (size_t i = 0; i < d->n_lines; i++)
		sum += d->lines[i].family == l->family ? held[i] : 0;
	return sum;
}

/* How many of the slots that it holds a queue may fill up again by looking ahead, while others wait. */
int shares_refills(const struct dispatcher *d, const struct line *l, const int *held)
{
	int mine = held[l - d->lines], ours = held_by_queue(d, l, held);
	for (size_t i = 0; i < d->n_lines; i++) {
		const struct line *other = &d->lines[i];
		if (other->family == l->family || !other->hungry || other->drained || other->failures > 0)
			continue;
		if (d->settings->order == ORDER_STRICT) {
			if (other->family < l->family)
				return 0;
			continue;
		}
		int theirs = held_by_queue(d, other, held) + other->promised + shares_kept(other);
		if ((int64_t)theirs * l->weight < (int64_t)ours * other->weight) {
			int whole = shares_whole(d, l);
			return whole < mine ? whole : mine;
		}
	}
	return mine;
}
