/* queue_doctor.c -- the front of doctor.h: two looks, and what both found. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "queue/driver.h"

static const char *const names[] = {
#define X(fault, name, round) [fault] = name,
        QUEUE_FAULTS(X)
#undef X
};

const char *queue_fault_name(enum queue_fault f)
{
	return names[f];
}

int queue_fault_round(enum queue_fault f)
{
	static const int rounds[] = {
#define X(fault, name, round) [fault] = round,
	        QUEUE_FAULTS(X)
#undef X
	};

	return rounds[f];
}

void queue_look_close(struct queue_look *l)
{
	mem_free(&l->findings);
	mem_free(&l->hashes);
	mem_free(&l->only);
	l->n = l->cap = l->n_hashes = l->hashes_cap = l->n_only = 0;
}

/* ---- what is the same ------------------------------------------------------------------------------------------------- */

/* FNV-1a */
static uint64_t hash_more(uint64_t h, const void *data, size_t len)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < len; i++)
		h = (h ^ bytes[i]) * UINT64_C(1099511628211);
	return h;
}

static uint64_t hash_of(const struct queue_finding *f)
{
	int64_t numbers[] = {f->fault, f->shard, f->rev, f->said, f->counted};
	uint64_t h = hash_more(UINT64_C(14695981039346656037), numbers, sizeof(numbers));

	h = hash_more(h, f->key, strlen(f->key) + 1);
	h = hash_more(h, f->at, strlen(f->at) + 1);
	return hash_more(h, f->text, strlen(f->text));
}

static int by_value(const void *x, const void *y)
{
	uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

	return a < b ? -1 : a > b;
}

static void keep(struct queue_look *l, const struct queue_finding *f)
{
	if (l->n == QUEUE_FINDINGS)
		return;
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 4;

		l->findings = mem_grow(l->findings, l->cap, cap, sizeof(*l->findings));
		l->cap = cap;
	}
	l->findings[l->n++] = *f;
}

static void remember(struct queue_look *l, uint64_t hash)
{
	if (l->n_hashes == l->hashes_cap) {
		size_t cap = l->hashes_cap ? l->hashes_cap * 2 : 64;

		l->hashes = mem_grow(l->hashes, l->hashes_cap, cap, sizeof(*l->hashes));
		l->hashes_cap = cap;
	}
	l->hashes[l->n_hashes++] = hash;
}

void queue_look_add(struct queue_look *l, const struct queue_finding *f, const char *fmt, ...)
{
	struct queue_finding found = *f;
	uint64_t hash;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(found.text, sizeof(found.text), fmt, ap);
	va_end(ap);
	hash = hash_of(&found);
	if (l->only && !bsearch(&hash, l->only, l->n_only, sizeof(hash), by_value))
		return;
	remember(l, hash);
	l->total++;
	keep(l, &found);
}

/* ---- looking ---------------------------------------------------------------------------------------------------------- */

bool queue_look_goes_on(const struct queue_look *l, struct err *e)
{
	if (l->bounds.stop && *l->bounds.stop)
		return err_set(e, ERR_CANCELLED, "the look at queue %s was stopped", l->queue);
	if (l->bounds.deadline && clock_mono_ms() > l->bounds.deadline)
		return err_set(e, ERR_TIMEOUT, "there was no time left to look at all of queue %s", l->queue);
	return true;
}

/* Nothing is found yet. again: only what was found before counts. */
static void look_begin(struct queue_look *l, const struct queue_look_bounds *bounds, bool again)
{
	struct queue_look begun = {.deep = true, .bounds = *bounds};

	memcpy(begun.queue, l->queue, sizeof(begun.queue));
	if (again) {
		begun.only = l->hashes;
		begun.n_only = l->n_hashes;
		qsort(begun.only, begun.n_only, sizeof(*begun.only), by_value);
		l->hashes = NULL;
	}
	queue_look_close(l);
	*l = begun;
}

static bool look_again(struct queue *q, struct queue_look *const *looks, size_t n, const struct queue_look_bounds *bounds, struct err *e)
{
	struct queue_look **again = mem_array(n, sizeof(*again));
	size_t n_again = 0;
	bool ok = true;

	for (size_t i = 0; i < n; i++)
		if (looks[i]->total) {
			look_begin(looks[i], bounds, true);
			again[n_again++] = looks[i];
		}
	if (n_again) {
		clock_sleep_ms(bounds->pause_ms);
		ok = q->driver->look(q, again, n_again, e);
	}
	mem_free(&again);
	return ok;
}

bool queue_examine(struct queue *q, struct queue_look *const *looks, size_t n, const struct queue_look_bounds *bounds, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		look_begin(looks[i], bounds, false);
		if (!job_queue_ok(looks[i]->queue))
			return err_set(e, ERR_INVALID, "there can be no queue named %.40s", looks[i]->queue);
	}
	return q->driver->look(q, looks, n, e) && look_again(q, looks, n, bounds, e);
}

int queue_mend(struct queue *q, const char *queue, const struct queue_finding *f, bool force, char why_out[200], struct err *e)
{
	why_out[0] = '\0';
	if (!job_queue_ok(queue))
		return err_fail(e, ERR_INVALID, "there can be no queue named %.40s", queue);
	return q->driver->mend(q, queue, f, force, why_out, e);
}
