/* ticks.h -- when a schedule ticks, and which of the ticks that have passed are to be made up. Pure: no clock.
 *
 * A tick that is no more than TICKS_GRACE_MS late is on time, whatever held it up (a worker that died, a server that was started again):
 * it makes its job. An older one was missed, because nobody lived to see it; what then happens is the schedule's policy.
 */
#ifndef JOB_TICKS_H
#define JOB_TICKS_H

#include "job/cron.h"

#define TICKS_MAX      64   /* ticks that one plan makes jobs of */
#define TICKS_KEPT     1000 /* missed ones that MISSED_ALL makes up: the latest; the others are counted */
#define TICKS_GRACE_MS 5000

enum ticks_missed {
	MISSED_SKIP, /* none is made up */
	MISSED_ONCE, /* one job for all of them */
	MISSED_ALL   /* a job for each */
};
const char *ticks_missed_name(enum ticks_missed m);
bool ticks_missed_of(const char *name, enum ticks_missed *out) MUST_CHECK;

/* Either an expression, or every so many ms from start_ms on. */
struct ticks {
	int64_t every_ms; /* 0: the expression holds */
	int64_t start_ms;
	struct cron cron;
};
/* The first tick after after_ms; CRON_NEVER: none. */
int64_t ticks_next(const struct ticks *t, int64_t after_ms);

struct ticks_plan {
	int64_t fire[TICKS_MAX]; /* make a job of each of these, in this order */
	size_t n;
	int64_t next;   /* go on from this tick, which may have passed too; CRON_NEVER: there is no other */
	int64_t missed; /* ticks passed over */
};
/* From the tick `due` on up to `now_ms`, at most max (<= TICKS_MAX) jobs. Bounded: after a long time it only passes some ticks over, and
 * the plan made from `next` goes on. */
void ticks_plan(const struct ticks *t, enum ticks_missed policy, int64_t due, int64_t now_ms, size_t max, struct ticks_plan *out);

#endif
