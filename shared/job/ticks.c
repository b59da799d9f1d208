/* ticks.c -- intervals and expressions as one row of ticks, and the plan for those that have passed. */
#include "job/ticks.h"

#include "base/str.h"

#define WALK_MAX 20000 /* ticks of an expression that one plan looks at */

static const char *const policies[] = {[MISSED_SKIP] = "skip", [MISSED_ONCE] = "once", [MISSED_ALL] = "all"};

const char *ticks_missed_name(enum ticks_missed m)
{
	return policies[m];
}

bool ticks_missed_of(const char *name, enum ticks_missed *out)
{
	for (size_t i = 0; i < ARRAY_LEN(policies); i++)
		if (str_eq(name, policies[i])) {
			*out = (enum ticks_missed)i;
			return true;
		}
	return false;
}

int64_t ticks_next(const struct ticks *t, int64_t after_ms)
{
	if (!t->every_ms)
		return cron_next(&t->cron, after_ms);
	if (after_ms < t->start_ms)
		return t->start_ms;
	return t->start_ms + ((after_ms - t->start_ms) / t->every_ms + 1) * t->every_ms;
}

/* How many ticks from due on lie before a time. */
static int64_t count_before(const struct ticks *t, int64_t due, int64_t before_ms)
{
	int64_t n = 0;

	if (t->every_ms)
		return due < before_ms ? (before_ms - 1 - due) / t->every_ms + 1 : 0;
	for (; due < before_ms && n < WALK_MAX; due = ticks_next(t, due))
		n++;
	return n;
}

static int64_t pass_over(const struct ticks *t, int64_t due, int64_t n)
{
	if (t->every_ms)
		return due + n * t->every_ms;
	for (; n > 0; n--)
		due = ticks_next(t, due);
	return due;
}

static int64_t kept(enum ticks_missed policy, int64_t missed)
{
	static const int64_t most[] = {[MISSED_SKIP] = 0, [MISSED_ONCE] = 1, [MISSED_ALL] = TICKS_KEPT};

	return missed < most[policy] ? missed : most[policy];
}

void ticks_plan(const struct ticks *t, enum ticks_missed policy, int64_t due, int64_t now_ms, size_t max, struct ticks_plan *out)
{
	int64_t missed = count_before(t, due, now_ms - TICKS_GRACE_MS);

	out->n = 0;
	out->missed = missed - kept(policy, missed);
	out->next = pass_over(t, due, out->missed);
	if (missed == WALK_MAX && !t->every_ms)
		return; /* there are more: what is kept here may have to be passed over too */
	for (; out->n < max && out->next <= now_ms; out->next = ticks_next(t, out->next))
		out->fire[out->n++] = out->next;
}
