/* control.c -- what a worker is told by signals and, with the answers to its steps, from afar: be quiet, go on, drain, stop. */
#include "base/log.h"
#include "workers/dispatcher.h"

#define HURRY_MS 5000 /* to tell the queue what was given back */

static void lines_claim(struct dispatcher *d, bool claim)
{
	for (size_t i = 0; i < d->n_lines; i++) {
		struct line *l = &d->lines[i];
		l->drained = !claim;
		l->hungry = claim;
		if (!claim)
			dispatch_give_back(d, l);
	}
}

void control_drain(struct dispatcher *d)
{
	d->phase = PHASE_DRAIN;
	d->deadline_ms = d->now_ms + setting_number(d->settings, WORKER_DRAIN);
	atomic_store(&d->shm->stats.draining, 1);
	lines_claim(d, false);
	log_info("draining: nothing new is claimed, running jobs have %lld ms", (long long)setting_number(d->settings, WORKER_DRAIN));
}

void control_hurry(struct dispatcher *d, const char *why)
{
	d->phase = PHASE_HURRY;
	d->deadline_ms = d->now_ms + HURRY_MS;
	for (size_t i = 0; i < d->n_lines; i++)
		dispatch_give_back(d, &d->lines[i]);
	limits_stop_all(d, STOP_DRAIN);
	log_info("ending at once, running jobs go back to their queues: %s", why);
}

static void control_quiet(struct dispatcher *d, bool quiet)
{
	lines_claim(d, !quiet);
	log_info(quiet ? "told to be quiet: nothing new is claimed, what runs goes on" : "told to go on");
}

/* Draining and stopping are for good; being quiet is not. */
static void control_obey(struct dispatcher *d, enum worker_command told)
{
	switch (told) {
	case WORKER_RESUME:
	case WORKER_QUIET:
		if (d->phase == PHASE_WORK)
			control_quiet(d, told == WORKER_QUIET);
		break;
	case WORKER_DRAIN:
		if (d->phase == PHASE_WORK)
			control_drain(d);
		break;
	case WORKER_STOP:
		if (d->phase == PHASE_WORK)
			control_drain(d);
		if (d->phase == PHASE_DRAIN)
			control_hurry(d, "told to stop");
		break;
	}
}

/* It is told on each of its queues; the strongest word counts, so that it does not matter which is heard first. */
void control_take(struct dispatcher *d, struct line *l, enum worker_command told)
{
	enum worker_command strongest = WORKER_RESUME;
	l->told = told;
	for (size_t i = 0; i < d->n_lines; i++)
		if (d->lines[i].told > strongest)
			strongest = d->lines[i].told;
	if (strongest == d->told)
		return;
	d->told = strongest;
	control_obey(d, strongest);
}
