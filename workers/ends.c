/* ends.c -- from a slot's answer, or its death, to what the queue is told about the job. */
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "workers/dispatcher.h"

static void count(_Atomic int64_t *n)
{
	atomic_fetch_add_explicit(n, 1, memory_order_relaxed);
}

/* Its figures; NULL: a kind beyond those that have any. */
static struct shm_kind *figures_of(struct dispatcher *d, const struct kind *k)
{
	for (size_t i = 0; i < SHM_KINDS && kind_at(i) != NULL; i++)
		if (kind_at(i) == k)
			return &d->shm->kinds[i];
	return NULL;
}

static void note_end(struct dispatcher *d, const struct flight *f, enum shm_outcome how)
{
	struct shm_kind *k = figures_of(d, f->kind);
	if (k != NULL)
		atomic_fetch_add_explicit(&k->ends[how], 1, memory_order_relaxed);
}

/* The first claim only: what was tried before waited for another reason. */
void ends_claimed(struct dispatcher *d, const struct kind *k, const struct job *j)
{
	struct shm_kind *figures = j->run_at > 0 && j->attempt <= 1 && j->crashes == 0 ? figures_of(d, k) : NULL;
	if (figures != NULL)
		shm_time(&figures->waited, j->fence - j->run_at * 1000);
}

static void tell_done(struct dispatcher *d, const struct flight *f, const struct answer *a)
{
	char *result = a->result != NULL ? mem_strndup(a->result, a->result_len) : NULL;
	line_ack_done(f->line, f->id, f->fence, result, limits_last_progress(d, f));
	count(&d->shm->stats.done);
	note_end(d, f, OUTCOME_done);
	log_debug("job %s (%s) succeeded", f->id, f->kind->name);
}

static void tell_error(struct dispatcher *d, const struct flight *f, const struct err *error)
{
	line_ack(f->line, f->id, f->fence, ACK_ERROR, NULL, error);
	count(&d->shm->stats.failed);
	note_end(d, f, err_is_temporary(error->code) ? OUTCOME_error : OUTCOME_failed);
	log_info("job %s (%s) failed: %s", f->id, f->kind->name, error->text);
}

/* What it needs is used up until a known time: another may have the slot meanwhile. */
static void tell_later(struct dispatcher *d, const struct flight *f, const struct err *why)
{
	char span[TIME_TEXT];
	line_ack(f->line, f->id, f->fence, ACK_LATER, NULL, why);
	count(&d->shm->stats.given_back);
	time_print_span(span, why->retry_after_ms);
	log_info("job %s (%s) is put off for %s: %s", f->id, f->kind->name, span, why->text);
}

static bool is_for_later(const struct err *e)
{
	return e->code == ERR_LIMITED && e->retry_after_ms > 0;
}

static void tell_crash(struct dispatcher *d, const struct flight *f, const char *why)
{
	struct err e;
	err_set(&e, ERR_CRASHED, "the process that ran the job ended: %s", why);
	line_ack(f->line, f->id, f->fence, ACK_CRASHED, NULL, &e);
	count(&d->shm->stats.crashed);
	note_end(d, f, OUTCOME_crashed);
	log_warn("job %s (%s) crashed: %s", f->id, f->kind->name, why);
}

static void tell_back(struct dispatcher *d, const struct flight *f)
{
	line_ack(f->line, f->id, f->fence, ACK_GIVE_BACK, NULL, NULL);
	count(&d->shm->stats.given_back);
	note_end(d, f, OUTCOME_given_back);
}

static void tell_cancelled(struct dispatcher *d, const struct flight *f)
{
	line_ack(f->line, f->id, f->fence, ACK_CANCELLED, NULL, NULL);
	count(&d->shm->stats.cancelled);
	note_end(d, f, OUTCOME_cancelled);
	log_info("job %s (%s) was cancelled", f->id, f->kind->name);
}

static void tell_soft_limit(struct dispatcher *d, const struct flight *f)
{
	char span[TIME_TEXT];
	struct err e;
	time_print_span(span, limits_of(f).soft_ms);
	if (f->time_limit_ms > 0)
		err_set(&e, ERR_TIMEOUT, "the job ran longer than its time limit of %s", span);
	else
		err_set(&e, ERR_TIMEOUT, "the job ran longer than the %s that its kind may take", span);
	tell_error(d, f, &e);
}

/* It stopped, by itself or by force, after it was asked to. */
static void tell_stopped(struct dispatcher *d, const struct flight *f, const char *why)
{
	switch (f->stop) {
	case STOP_CANCEL:
		tell_cancelled(d, f);
		break;
	case STOP_DRAIN:
		tell_back(d, f);
		break;
	case STOP_SOFT:
		tell_soft_limit(d, f);
		break;
	case STOP_NONE:
	case STOP_HARD:
	case STOP_MEMORY:
		tell_crash(d, f, why);
		break;
	case STOP_LOST:
		break; /* somebody else has it, and will tell */
	}
}

static void take_answer(struct dispatcher *d, const struct flight *f, const struct answer *a)
{
	struct shm_kind *figures = figures_of(d, f->kind);
	line_ran(f->line, a->run_us);
	if (figures != NULL)
		shm_time(&figures->ran, a->run_us);
	if (a->done)
		tell_done(d, f, a);
	else if (a->error.code == ERR_CANCELLED && f->stop != STOP_NONE)
		tell_stopped(d, f, "it stopped when it was asked to");
	else if (f->stop == STOP_NONE && is_for_later(&a->error))
		tell_later(d, f, &a->error);
	else
		tell_error(d, f, &a->error);
}

/* Lines that found no room are counted, and told of with the next one that does. */
void ends_said(void *dispatcher, struct flight *f, const char *text)
{
	struct dispatcher *d = dispatcher;
	char note[80];
	if (f->unsaid > 0) {
		snprintf(note, sizeof(note), "... %d lines are left out: the queue did not take them in time", f->unsaid);
		if (!line_remark(f->line, f->id, f->fence, note, d->now_ms)) {
			f->unsaid++;
			return;
		}
		f->unsaid = 0;
	}
	if (!line_remark(f->line, f->id, f->fence, text, d->now_ms))
		f->unsaid++;
}

void ends_take(void *dispatcher, const struct flight *f, enum back how, const struct answer *answer, const char *why)
{
	struct dispatcher *d = dispatcher;
	d->progress_ms = d->now_ms;
	if (f->stop == STOP_LOST) {
		log_warn("job %s (%s) was stopped: its lease was lost, another worker may run it", f->id, f->kind->name);
		return;
	}
	switch (how) {
	case BACK_ANSWER:
		take_answer(d, f, answer);
		break;
	case BACK_CRASHED:
		tell_stopped(d, f, why);
		break;
	case BACK_UNSTARTED:
		if (f->stop == STOP_CANCEL)
			tell_cancelled(d, f);
		else
			tell_back(d, f);
		break;
	}
}
