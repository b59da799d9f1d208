/* memory_submit.c -- submissions and cancellations in memory, by the rules of submit() and cancel_job() in barque.lua. */
#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "queue/memory_private.h"

#define FULL_RETRY_MS 1000

static bool is_live(const struct memory_job *j)
{
	return !job_state_is_end(j->job.state);
}

static int64_t waiting_count(const struct memory_queue *q)
{
	int64_t n = 0;

	for (const struct memory_job *j = q->jobs; j; j = j->next)
		n += is_live(j) && j->job.state != JOB_RUNNING;
	return n;
}

struct memory_job *memory_unique_holder(struct memory_queue *q, const char *key)
{
	for (struct memory_job *j = q->jobs; j; j = j->next)
		if (is_live(j) && str_eq(j->job.unique_key, key))
			return j;
	return NULL;
}

void memory_cancel(struct memory_store *s, struct memory_queue *q, struct memory_job *j, const struct queue_options *o, int64_t now)
{
	if (j->job.state == JOB_RUNNING) {
		j->job.cancel_asked = true;
		j->job.rev++;
		return;
	}
	memory_to_end(s, q, j, JOB_CANCELLED, o, now);
}

/* Texts were checked to fit before they came here. */
static void put(char *dst, size_t size, const char *src)
{
	if (!str_copy(dst, size, src ? src : ""))
		assert(!"texts of a submission are checked before");
}

static struct memory_job *make_job(const struct queue_submission *s, int64_t number, int64_t now)
{
	struct memory_job *j = mem_new(sizeof(*j));

	put(j->job.id, sizeof(j->job.id), s->id);
	put(j->job.kind, sizeof(j->job.kind), s->kind);
	put(j->job.queue, sizeof(j->job.queue), s->queue);
	put(j->job.idempotency_key, sizeof(j->job.idempotency_key), s->idempotency_key);
	put(j->job.unique_key, sizeof(j->job.unique_key), s->unique_key);
	put(j->job.parent, sizeof(j->job.parent), s->parent);
	put(j->job.trace, sizeof(j->job.trace), s->trace);
	put(j->job.tags, sizeof(j->job.tags), s->tags);
	put(j->fingerprint, sizeof(j->fingerprint), s->fingerprint);
	put(j->lane, sizeof(j->lane), s->lane);
	j->job.params = mem_strdup(s->params);
	j->job.priority = s->priority;
	j->job.kind_version = s->kind_version;
	j->job.max_attempts = s->max_attempts;
	j->max_crashes = s->max_crashes;
	j->backoff_ms = s->backoff_ms;
	j->backoff_cap_ms = s->backoff_cap_ms;
	j->job.created_at = now;
	j->job.rev = 1;
	j->number = number;
	return j;
}

static void store_job(struct memory_store *st, struct memory_queue *q, const struct queue_submission *s, int64_t due, int64_t now)
{
	struct memory_job *j = make_job(s, ++q->number, now);

	j->next = q->jobs;
	q->jobs = j;
	if (s->held) {
		j->job.state = JOB_WAITING;
	} else if (due > now) {
		j->job.state = JOB_SCHEDULED;
		j->job.run_at = due;
		memory_wake(st, q->name, s->kind);
	} else {
		j->job.state = JOB_READY;
		memory_line_up(st, q, j, false);
	}
}

/* ---- one submission ------------------------------------------------------------------------------------------------------ */

static struct queue_submitted answer(enum submit_outcome outcome, const char *id)
{
	struct queue_submitted out = {.outcome = outcome, .retry_after_ms = outcome == SUBMIT_FULL ? FULL_RETRY_MS : 0};

	put(out.existing_id, sizeof(out.existing_id), id);
	return out;
}

static bool known_key(struct memory_queue *q, const struct queue_submission *s, struct queue_submitted *out)
{
	const char *fingerprint = NULL, *id = NULL;

	for (const struct memory_job *j = q->jobs; j && !id; j = j->next)
		if (str_eq(j->job.idempotency_key, s->idempotency_key)) {
			fingerprint = j->fingerprint;
			id = j->job.id;
		}
	for (const struct memory_key *k = q->keys; k && !id; k = k->next)
		if (str_eq(k->key, s->idempotency_key) && memory_job_of(q, k->id)) {
			fingerprint = k->fingerprint;
			id = k->id;
		}
	if (id)
		*out = answer(str_eq(fingerprint, s->fingerprint ? s->fingerprint : "") ? SUBMIT_EXISTING : SUBMIT_MISMATCH, id);
	return id != NULL;
}

static void note_key(struct memory_queue *q, const struct queue_submission *s, const char *id, int64_t vanishes_at)
{
	struct memory_key *k;

	if (!s->idempotency_key || !s->idempotency_key[0])
		return;
	k = mem_new(sizeof(*k));
	put(k->key, sizeof(k->key), s->idempotency_key);
	put(k->fingerprint, sizeof(k->fingerprint), s->fingerprint);
	put(k->id, sizeof(k->id), id);
	k->vanishes_at = vanishes_at;
	k->next = q->keys;
	q->keys = k;
}

static struct queue_submitted submit_one(
        struct memory_store *st, struct memory_queue *q, const struct queue_submission *s, const struct queue_options *o, int64_t now)
{
	int64_t due = s->delay_ms > 0 ? now + s->delay_ms : s->run_at_ms;
	struct memory_job *holder = NULL;
	struct queue_submitted known;

	if (memory_job_of(q, s->id))
		return answer(SUBMIT_EXISTING, s->id);
	if (s->idempotency_key && s->idempotency_key[0] && known_key(q, s, &known))
		return known;
	if (s->unique_key && s->unique_key[0])
		holder = memory_unique_holder(q, s->unique_key);
	if (holder && s->unique == UNIQUE_REJECT)
		return answer(SUBMIT_REJECTED, holder->job.id);
	if (holder && s->unique == UNIQUE_RETURN) {
		note_key(q, s, holder->job.id, now + o->result_ttl_ms);
		return answer(SUBMIT_EXISTING, holder->job.id);
	}
	if (waiting_count(q) >= o->max_length)
		return answer(SUBMIT_FULL, NULL);
	if (holder) {
		memory_cancel(st, q, holder, o, now);
		holder->job.unique_key[0] = '\0'; /* a running one goes on, but no longer owns the key */
	}
	store_job(st, q, s, due, now);
	return answer(SUBMIT_NEW, NULL);
}

bool memory_submit(struct queue *base, struct queue_submission *items, size_t n, struct queue_submitted *out, struct err *e)
{
	struct memory_handle *h = (struct memory_handle *)base;
	int64_t now = clock_now_ms();

	UNUSED(e);
	memory_enter(h->store);
	for (size_t i = 0; i < n; i++) {
		struct memory_queue *q = memory_queue_of(h->store, items[i].queue, true);

		memory_purge(q, now);
		out[i] = submit_one(h->store, q, &items[i], &base->options, now);
	}
	memory_leave(h->store);
	return true;
}
