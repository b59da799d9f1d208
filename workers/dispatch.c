/* dispatch.c -- who may claim how much, and which slot runs what.
 *
 * Free slots go, one by one, to the queue that shares.c names, and in it to the shard that has the fewest for what waits there.
 * Short kinds may also be looked ahead: claimed and queued behind a running short job of the same queue, so that a slot needs not wait for
 * a round trip between two jobs of microseconds. A queue that looks ahead gives way when another is hungry and has less.
 * What may be poison is alone in its slot, and waits for its turn in alone.c.
 */
#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "workers/dispatcher.h"

#define SOON_MS 100 /* a call that takes longer keeps no slot free */

/* ---- how much */

static int slots_idle(const struct dispatcher *d)
{
	int idle = 0;
	for (int i = 0; i < d->slots.n; i++)
		idle += slot_is_idle(&d->slots.all[i]);
	return idle;
}

/* Idle slots that are kept for nobody. */
static int slots_free(const struct dispatcher *d)
{
	int idle = slots_idle(d);
	for (size_t i = 0; i < d->n_lines; i++)
		idle -= d->lines[i].promised + shares_kept(&d->lines[i]);
	return idle > 0 ? idle : 0;
}

/* How many slots hold jobs of each line. */
static void lines_held(const struct dispatcher *d, int *held)
{
	memset(held, 0, LINES_MAX * sizeof(*held));
	for (int i = 0; i < d->slots.n; i++)
		if (d->slots.all[i].n > 0)
			held[d->slots.all[i].line - d->lines]++;
}

static bool line_may_claim(const struct dispatcher *d, const struct line *l)
{
	return !l->drained && !l->again && line_is_free(l, d->now_ms);
}

static enum claim line_claims(const struct dispatcher *d, const struct line *l)
{
	if (line_may_claim(d, l))
		return CLAIM_NOW;
	bool soon = l->call != CALL_NONE && l->failures == 0 && d->now_ms - l->began_us / 1000 < SOON_MS;
	return soon && !l->drained ? CLAIM_SOON : CLAIM_NO;
}

void dispatch_plan(struct dispatcher *d)
{
	int held[LINES_MAX];
	lines_held(d, held);
	shares_account(d, held);
	int left = slots_free(d);
	struct line *l;
	/* What is granted to one that may claim soon is only kept for it: in a later turn it is granted again. */
	for (; left > 0 && (l = shares_next(d, line_claims)) != NULL; left--)
		shares_grant(d, l);
	/* What no hungry queue wants goes along with those that step anyway: there may be news. */
	for (size_t i = 0; left > 0 && i < d->n_lines; i++) {
		l = &d->lines[i];
		if (l->hungry || !line_may_claim(d, l) || !line_has_to_step(l, d->now_ms))
			continue;
		l->grant = left;
		left = 0;
	}
}

int dispatch_want(const struct dispatcher *d, const struct line *l)
{
	if (l->drained)
		return 0;
	int ahead = line_ahead(l, d->now_ms), held[LINES_MAX];
	int want = (l->grant + shares_kept(l)) * (1 + ahead) - (int)l->n_pending;
	if (ahead > 0)
		lines_held(d, held);
	int may = ahead > 0 ? shares_refills(d, l, held) : 0, refills = 0;
	for (int i = 0; i < d->slots.n && may > 0; i++) {
		const struct slot *s = &d->slots.all[i];
		if (s->line != l || !slot_may_look_ahead(s))
			continue;
		refills += s->n < 1 + ahead ? 1 + ahead - s->n : 0;
		may--;
	}
	/* Each that waits to be alone counts for a whole slot: what comes may be more of them, and they take turns. */
	want += refills - (int)l->alone.n * (1 + ahead);
	return want < 0 ? 0 : want > QUEUE_BATCH_MAX ? QUEUE_BATCH_MAX : want;
}

/* ---- which slot */

/* The slot for the next job of l: an idle one while *idle_left lasts, or one where it may be looked ahead; the shortest. */
static struct slot *slot_for(struct dispatcher *d, const struct line *l, const struct kind *k, int idle_left)
{
	struct slot *best = NULL;
	bool may_wait = k->is_short && l->is_short;
	for (int i = 0; i < d->slots.n; i++) {
		struct slot *s = &d->slots.all[i];
		bool idle = slot_is_idle(s) && idle_left > 0;
		bool ahead = may_wait && s->line == l && slot_may_look_ahead(s);
		if ((idle || ahead) && (best == NULL || s->n < best->n))
			best = s;
	}
	return best;
}

int dispatch_idle(const struct dispatcher *d, const struct line *l)
{
	int idle = slots_idle(d);
	for (size_t i = 0; i < d->n_lines; i++)
		idle -= &d->lines[i] != l ? d->lines[i].promised + shares_kept(&d->lines[i]) : 0;
	return idle;
}

/* A kind that this version does not know comes from a newer program: another worker shall have it. */
static void pending_refuse(struct line *l, const struct job *j)
{
	struct err e;
	err_set(&e, ERR_INVALID, "this worker knows no kind of job named \"%s\"", j->kind);
	line_ack(l, j->id, j->fence, ACK_ERROR, NULL, &e);
}

int64_t dispatch_patience_ms(const struct dispatcher *d)
{
	return setting_number(d->settings, WORKER_LEASE) / 3;
}

/* A claimed job that finds no slot (a slot may have died meanwhile) has a lease that nobody renews: it goes back before that costs it a crash,
 * and nothing is claimed ahead for a while. As long as others find one it waits for its turn. */
static void pending_too_long(struct dispatcher *d, struct line *l)
{
	bool moves = d->now_ms - l->pending_ms < DISPATCH_PENDING_MS;
	if (l->n_pending == 0 || (moves && d->now_ms - l->pending_first_ms < dispatch_patience_ms(d)))
		return;
	for (size_t i = 0; i < l->n_pending; i++)
		line_ack(l, l->pending[i].id, l->pending[i].fence, ACK_GIVE_BACK, NULL, NULL);
	line_pending_drop(l, l->n_pending);
	l->no_ahead_until_ms = d->now_ms + DISPATCH_PENDING_MS;
}

/* How many were sent. */
static size_t pending_send(struct dispatcher *d, struct line *l, int idle_left)
{
	size_t sent = 0;
	for (; sent < l->n_pending; sent++) {
		struct job *j = &l->pending[sent];
		const struct kind *k = kind_of(j->kind);
		if (k == NULL) {
			pending_refuse(l, j);
			continue;
		}
		struct slot *s = slot_for(d, l, k, idle_left);
		if (s == NULL)
			break;
		idle_left -= s->n == 0;
		slot_put(s, l, k, j, d->now_ms);
		ends_claimed(d, k, j);
	}
	line_pending_drop(l, sent);
	if (sent > 0)
		l->alone.yields = false;
	return sent;
}

void dispatch_pending(struct dispatcher *d, struct line *l)
{
	if (l->n_pending + l->alone.n == 0)
		return;
	int idle = dispatch_idle(d, l);
	/* Whose turn it is has the first idle slot, and until there is one nothing is put into the others, so that there will be. */
	bool next = alone_is_next(d, l);
	size_t sent = next && alone_start(d, l, idle);
	if (!next || idle > 0)
		sent += pending_send(d, l, idle - next);
	if (sent > 0)
		l->pending_ms = d->now_ms;
	pending_too_long(d, l);
	alone_too_long(d, l);
	for (int i = 0; sent > 0 && i < d->slots.n; i++)
		if (d->slots.all[i].out.len > 0)
			slot_send(&d->slots.all[i]);
	if (sent > 0)
		FAILPOINT("claims_after_dispatch");
}

void dispatch_claims(struct line *l, struct queue_step_reply *reply)
{
	FAILPOINT("claims_before_dispatch");
	for (size_t i = 0; i < reply->n_claims; i++) {
		struct job *j = &reply->claims[i].job;
		HISTORY("claim", j->id, j->fence, j->attempt);
		if (l->drained)
			line_ack(l, j->id, j->fence, ACK_GIVE_BACK, NULL, NULL);
		else if (alone_needed(l, j) && kind_of(j->kind) != NULL)
			alone_add(l, j);
		else
			line_pending_add(l, j);
	}
	if (reply->n_claims > 0)
		log_debug("%zu jobs claimed from %s", reply->n_claims, l->queue);
	l->landed = l->promised;
	l->promised = 0;
}

void dispatch_give_back(struct dispatcher *d, struct line *l)
{
	for (size_t i = 0; i < l->n_pending; i++)
		line_ack(l, l->pending[i].id, l->pending[i].fence, ACK_GIVE_BACK, NULL, NULL);
	line_pending_drop(l, l->n_pending);
	alone_give_back(l);
	for (int i = 0; i < d->slots.n; i++)
		if (d->slots.all[i].line == l)
			slot_give_back(&d->slots, &d->slots.all[i]);
}
