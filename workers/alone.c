/* alone.c -- short jobs that may be poison wait here for their turn, their word to the queue, and a slot of their own. */
#include "workers/alone.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "workers/dispatcher.h"

#define ALONE_MS 500 /* what has run for so long does not keep the next one waiting any more */

struct lonely {
	struct job job;
	int64_t came_ms;
};

bool alone_needed(const struct line *l, const struct job *j)
{
	return l->is_short && (j->quarantined || j->suspect);
}

static struct lonely *first_of(const struct line *l)
{
	return l->alone.n > 0 ? &l->alone.at[l->alone.first] : NULL;
}

/* At the end; what has gone at the front makes room before more is asked for. */
static struct lonely *place_for(struct alone *a)
{
	if (a->first > 0 && a->first + a->n == a->cap) {
		memmove(a->at, a->at + a->first, a->n * sizeof(*a->at));
		a->first = 0;
	}
	if (a->n == a->cap) {
		size_t cap = a->cap < 16 ? 16 : a->cap * 2;
		a->at = mem_grow(a->at, a->cap, cap, sizeof(*a->at));
		a->cap = cap;
	}
	return &a->at[a->first + a->n++];
}

void alone_add(struct line *l, struct job *j)
{
	if (l->alone.n == 0)
		l->alone.moved_ms = l->ready_ms;
	*place_for(&l->alone) = (struct lonely){.job = *j, .came_ms = l->ready_ms};
	memset(j, 0, sizeof(*j));
}

static void drop_first(struct line *l)
{
	struct alone *a = &l->alone;
	job_close(&first_of(l)->job);
	a->asked = a->told = 0;
	a->n--;
	a->first = a->n > 0 ? a->first + 1 : 0;
}

void alone_close(struct line *l)
{
	while (l->alone.n > 0)
		drop_first(l);
	mem_free(&l->alone.at);
}

/* ---- whose turn it is */

/* A line that does not answer keeps nobody waiting. */
static struct line *has_begun(struct dispatcher *d)
{
	for (size_t i = 0; i < d->n_lines; i++)
		if ((d->lines[i].alone.asked != 0 && d->lines[i].failures == 0) || d->lines[i].alone.told != 0)
			return &d->lines[i];
	return NULL;
}

static bool one_runs(const struct dispatcher *d)
{
	for (int i = 0; i < d->slots.n; i++) {
		const struct slot *s = &d->slots.all[i];
		if (s->n > 0 && s->alone && d->now_ms - s->flights[0].sent_ms < ALONE_MS)
			return true;
	}
	return false;
}

/* In turn, beginning after the last one. */
static struct line *next_line(struct dispatcher *d)
{
	size_t last = d->alone_last != NULL ? (size_t)(d->alone_last - d->lines) : 0;
	for (size_t i = 1; i <= d->n_lines; i++) {
		struct line *l = &d->lines[(last + i) % d->n_lines];
		bool yields = l->alone.yields && l->n_pending > 0;
		if (l->alone.n > 0 && l->failures == 0 && !yields)
			return l;
	}
	return NULL;
}

void alone_plan(struct dispatcher *d)
{
	d->alone_next = has_begun(d);
	if (d->alone_next == NULL && !one_runs(d))
		d->alone_next = next_line(d);
	struct line *l = d->alone_next;
	if (l == NULL || l->alone.asked != 0 || l->alone.told != 0 || dispatch_idle(d, l) <= 0)
		return;
	const struct job *j = &first_of(l)->job;
	line_ack(l, j->id, j->fence, ACK_STARTS, NULL, NULL);
	l->alone.asked = j->fence;
	d->alone_last = l;
}

bool alone_is_next(const struct dispatcher *d, const struct line *l)
{
	return d->alone_next == l && l->alone.n > 0;
}

/* ---- told, started, given back */

void alone_answered(struct line *l, const struct queue_step_reply *reply)
{
	for (size_t i = 0; i < l->n_riding && l->alone.asked != 0; i++) {
		const struct queue_ack *a = &l->acks[i];
		if (a->outcome != ACK_STARTS || a->fence != l->alone.asked)
			continue;
		l->alone.told = l->alone.asked;
		l->alone.asked = 0;
		if (queue_step_refused(reply, a->id))
			drop_first(l); /* its lease was lost meanwhile: another has it */
		return;
	}
}

static struct slot *idle_slot(struct dispatcher *d)
{
	for (int i = 0; i < d->slots.n; i++)
		if (slot_is_idle(&d->slots.all[i]))
			return &d->slots.all[i];
	return NULL;
}

bool alone_start(struct dispatcher *d, struct line *l, int idle)
{
	struct slot *s = l->alone.told != 0 && idle > 0 ? idle_slot(d) : NULL;
	if (s == NULL)
		return false;
	const struct job *j = &first_of(l)->job;
	const struct kind *k = kind_of(j->kind);
	slot_put(s, l, k, j, d->now_ms);
	s->alone = true;
	d->alone_next = NULL;
	ends_claimed(d, k, j);
	drop_first(l);
	l->alone.moved_ms = d->now_ms;
	l->alone.yields = true;
	return true;
}

static void give_first_back(struct line *l)
{
	const struct job *j = &first_of(l)->job;
	line_ack(l, j->id, j->fence, ACK_GIVE_BACK, NULL, NULL);
	drop_first(l);
}

void alone_give_back(struct line *l)
{
	while (l->alone.n > 0)
		give_first_back(l);
}

void alone_too_long(struct dispatcher *d, struct line *l)
{
	int64_t most = dispatch_patience_ms(d);
	bool stuck = d->now_ms - l->alone.moved_ms >= DISPATCH_PENDING_MS;
	if (l->alone.n == 0 || (!stuck && d->now_ms - first_of(l)->came_ms < most))
		return;
	while (l->alone.n > 0 && (stuck || d->now_ms - first_of(l)->came_ms >= most))
		give_first_back(l);
	l->no_ahead_until_ms = d->now_ms + DISPATCH_PENDING_MS;
}
