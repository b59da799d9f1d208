/* limits.c -- time limits, memory limits, cancellation, lost leases: who is asked to stop, and who is made to.
 *
 * A job that shall stop is asked through shared memory (its progress call answers false), gets SIGTERM after WORKER_GRACE, which
 * only wakes it from sleep, and SIGKILL after twice as long. A hard limit, the memory limit and a lost lease kill at once.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/time.h"
#include "workers/dispatcher.h"
#include "workers/process.h"

#define AHEAD_MS    20   /* a job looked ahead that has not started after this goes back */
#define NO_AHEAD_MS 1000 /* ... and none is looked ahead for so long */
#define LOOK_MS     1000 /* memory is looked at so often */
#define RENEW_MS    1000 /* while anything runs: progress rides on it, and cancellation comes back */

/* ---- stopping */

static void flight_ask(struct dispatcher *d, struct slot *s, struct flight *f, enum stop why)
{
	if (f->stop != STOP_NONE)
		return;
	f->stop = why;
	f->stop_ms = d->now_ms;
	if (flight_is_started(s, f))
		atomic_store(&slot_shm(s)->stop, f->number);
}

static void flight_kill(struct slot *s, struct flight *f, enum stop why, const char *text)
{
	if (f->stop == STOP_NONE || why == STOP_LOST || (f->stop == STOP_SOFT && why == STOP_HARD))
		f->stop = why;
	slot_kill(s, text);
}

static void flight_press(struct dispatcher *d, struct slot *s, struct flight *f)
{
	int64_t grace = setting_number(d->settings, WORKER_GRACE);
	int64_t asked = d->now_ms - f->stop_ms;
	/* Said again each time: it may have been looked ahead when it was first said. */
	atomic_store(&slot_shm(s)->stop, f->number);
	if (asked >= 2 * grace)
		flight_kill(
		        s, f, f->stop, f->stop == STOP_SOFT ? "it went on after its time limit" : "it went on after it was asked to stop");
	else if (asked >= grace && !f->termed) {
		f->termed = true;
		kill(s->pid, SIGTERM);
	}
}

/* The kind's own; a test may set shorter ones: BARQUE_LIMITS="soft ms:hard ms". */
static struct time_limits kind_limits(const struct kind *k)
{
	struct time_limits l = {k->soft_limit_ms, k->hard_limit_ms};
#ifdef BARQUE_FAILPOINTS
	const char *text = getenv("BARQUE_LIMITS");
	if (text != NULL && sscanf(text, "%" SCNd64 ":%" SCNd64, &l.soft_ms, &l.hard_ms) != 2)
		abort();
#endif
	return l;
}

/* A job's own go before the kind's, but not beyond when that is killed, whoever submitted it. */
struct time_limits limits_of(const struct flight *f)
{
	struct time_limits l = kind_limits(f->kind);
	int64_t most = l.hard_ms;
	if (f->time_limit_ms > 0)
		l.soft_ms = f->time_limit_ms;
	if (f->hard_limit_ms > 0 && (most == 0 || f->hard_limit_ms < most))
		l.hard_ms = f->hard_limit_ms;
	return l;
}

static void flight_time(struct dispatcher *d, struct slot *s, struct flight *f)
{
	int64_t ran = d->now_ms - atomic_load(&slot_shm(s)->started_ms);
	struct time_limits limits = limits_of(f);
	char span[TIME_TEXT], text[100];
	if (limits.hard_ms > 0 && ran >= limits.hard_ms) {
		time_print_span(span, limits.hard_ms);
		snprintf(text, sizeof(text), "%shard time limit of %s", f->hard_limit_ms > 0 ? "its own " : "", span);
		flight_kill(s, f, STOP_HARD, text);
	} else if (f->stop != STOP_NONE) {
		flight_press(d, s, f);
	} else if (limits.soft_ms > 0 && ran >= limits.soft_ms) {
		flight_ask(d, s, f, STOP_SOFT);
	}
}

/* ---- jobs looked ahead */

static void slot_ahead(struct dispatcher *d, struct slot *s)
{
	struct flight *last = &s->flights[s->n - 1];
	if (d->now_ms - last->sent_ms < AHEAD_MS || flight_is_started(s, last))
		return;
	struct line *l = s->line;
	int64_t ran_us = (d->now_ms - atomic_load(&slot_shm(s)->started_ms)) * 1000;
	if (slot_give_back(&d->slots, s) == 0)
		return;
	l->no_ahead_until_ms = d->now_ms + NO_AHEAD_MS;
	if (s->n > 0 && (double)ran_us > l->run_us)
		l->run_us = (double)ran_us;
}

/* ---- memory */

static void slot_memory(struct dispatcher *d, struct slot *s)
{
	int64_t limit = setting_number(d->settings, WORKER_MAX_RSS), recycle = setting_number(d->settings, WORKER_RECYCLE_RSS);
	int64_t own = process_own_bytes(s->pid);
	char text[100];
	if (recycle > 0 && own > recycle)
		s->tainted = true;
	if (limit == 0 || own <= limit)
		return;
	if (s->n == 0) {
		slot_recycle(s);
		return;
	}
	snprintf(text, sizeof(text), "memory: %lld MiB, the limit is %lld MiB", (long long)(own >> 20), (long long)(limit >> 20));
	struct flight *f = slot_running(s);
	flight_kill(s, f != NULL ? f : &s->flights[0], STOP_MEMORY, text);
}

static void slots_memory(struct dispatcher *d)
{
	bool limited = setting_number(d->settings, WORKER_MAX_RSS) > 0 || setting_number(d->settings, WORKER_RECYCLE_RSS) > 0;
	if (!limited || d->now_ms - d->looked_ms < LOOK_MS)
		return;
	d->looked_ms = d->now_ms;
	for (int i = 0; i < d->slots.n; i++)
		if (d->slots.all[i].pid > 0)
			slot_memory(d, &d->slots.all[i]);
}

/* ---- each turn of the loop */

static bool slot_is_worn(const struct dispatcher *d, const struct slot *s)
{
	int64_t limit = setting_number(d->settings, WORKER_MAX_JOBS);
	return (limit > 0 && s->jobs >= limit) || s->last_number > UINT32_MAX / 2;
}

static void slot_check(struct dispatcher *d, struct slot *s)
{
	if (s->pid <= 0)
		return;
	struct flight *f = slot_running(s);
	if (f != NULL)
		flight_time(d, s, f);
	if (s->n > 1 || (s->n == 1 && f == NULL))
		slot_ahead(d, s);
	/* From now on nothing more is given to it, so that it becomes empty also where jobs are looked ahead. */
	if (slot_is_worn(d, s))
		s->tainted = true;
	if (s->tainted && slot_is_empty(s))
		slot_recycle(s);
}

void limits_check(struct dispatcher *d)
{
	for (int i = 0; i < d->slots.n; i++)
		slot_check(d, &d->slots.all[i]);
	slots_memory(d);
}

void limits_stop_all(struct dispatcher *d, enum stop why)
{
	for (int i = 0; i < d->slots.n; i++) {
		struct slot *s = &d->slots.all[i];
		for (int k = 0; k < s->n; k++)
			if (s->flights[k].stop != STOP_LOST && s->flights[k].stop != STOP_CANCEL)
				s->flights[k].stop = why;
		if (s->n > 0)
			slot_kill(s, "the worker ends");
	}
}

int64_t limits_next_ms(const struct dispatcher *d)
{
	int64_t next = LOOK_MS;
	for (int i = 0; i < d->slots.n; i++) {
		const struct slot *s = &d->slots.all[i];
		if (s->n > 1)
			next = AHEAD_MS;
		if (s->n > 0 && s->alone && next > 100)
			next = 100;
		if (s->n > 0 && next > 100)
			next = s->flights[0].stop != STOP_NONE ? 50 : limits_of(&s->flights[0]).soft_ms > 0 ? 100 : next;
	}
	return next;
}

/* ---- renewals */

static void progress_print(struct buf *out, const struct job_progress *p)
{
	struct json_writer w = json_writer_on(out);
	jw_object(&w, NULL);
	jw_int(&w, "done", p->done);
	jw_int(&w, "total", p->total);
	jw_text(&w, "unit", p->unit);
	jw_double(&w, "rate", p->rate);
	jw_int(&w, "eta_s", p->eta_s);
	jw_text(&w, "note", p->note);
	jw_end(&w);
	buf_addc(out, '\0');
}

char *limits_last_progress(const struct dispatcher *d, const struct flight *f)
{
	struct job_progress p;
	uint32_t version;
	if (!shm_progress_read(slot_shm(&d->slots.all[f->slot]), f->number, &p, &version) || version == f->progress_version)
		return NULL;
	struct buf text = {0};
	p.eta_s = 0;
	progress_print(&text, &p);
	return buf_detach(&text);
}

static void renewal_put(struct line *l, size_t n, struct slot *s, struct flight *f, size_t *text_at)
{
	struct job_progress p;
	uint32_t version;
	struct queue_renewal *r = &l->renewals[n];
	memset(r, 0, sizeof(*r));
	memcpy(r->id, f->id, sizeof(r->id));
	r->fence = f->fence;
	r->held = l->is_short && !s->alone && !flight_is_started(s, f);
	*text_at = SIZE_MAX;
	if (!shm_progress_read(slot_shm(s), f->number, &p, &version) || version == f->progress_version)
		return;
	f->progress_version = version;
	*text_at = l->progress.len;
	progress_print(&l->progress, &p);
}

/* Put what is due into l->renewals; 0: nothing. */
size_t limits_renewals(struct dispatcher *d, struct line *l)
{
	size_t n = 0, text_at[QUEUE_BATCH_MAX];
	if (d->now_ms - l->renewed_ms < RENEW_MS / 2)
		return 0;
	buf_clear(&l->progress);
	for (int i = 0; i < d->slots.n; i++) {
		struct slot *s = &d->slots.all[i];
		for (int k = 0; k < s->n && n < QUEUE_BATCH_MAX; k++) {
			struct flight *f = &s->flights[k];
			if (f->line != l || f->stop == STOP_LOST || d->now_ms - f->renewed_ms < RENEW_MS)
				continue;
			f->renewed_ms = d->now_ms;
			renewal_put(l, n, s, f, &text_at[n]);
			n++;
		}
	}
	/* Only now: the buffer has moved while it grew. */
	for (size_t i = 0; i < n; i++)
		l->renewals[i].progress_json = text_at[i] != SIZE_MAX ? l->progress.data + text_at[i] : NULL;
	return n;
}

/* By its fence, too: the job may be held a second time, since its lease was lost. */
static struct flight *flight_find(struct dispatcher *d, const struct line *l, const struct queue_held *held, struct slot **slot_out)
{
	for (int i = 0; i < d->slots.n; i++) {
		struct slot *s = &d->slots.all[i];
		for (int k = 0; k < s->n; k++)
			if (s->flights[k].line == l && s->flights[k].fence == held->fence && str_eq(s->flights[k].id, held->id)) {
				*slot_out = s;
				return &s->flights[k];
			}
	}
	return NULL;
}

void limits_renewed(struct dispatcher *d, struct line *l, const struct queue_renew_reply *reply)
{
	struct slot *s;
	for (size_t i = 0; i < reply->n_cancel; i++) {
		struct flight *f = flight_find(d, l, &reply->cancel[i], &s);
		if (f != NULL)
			flight_ask(d, s, f, STOP_CANCEL);
	}
	for (size_t i = 0; i < reply->n_lost; i++) {
		struct flight *f = flight_find(d, l, &reply->lost[i], &s);
		if (f != NULL && flight_is_started(s, f))
			flight_kill(s, f, STOP_LOST, "the lease of its job was lost");
		else if (f != NULL) {
			f->stop = STOP_LOST;
			slot_give_back(&d->slots, s); /* it must not start; those behind it go back too */
		}
	}
}
