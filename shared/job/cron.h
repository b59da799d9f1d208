/* cron.h -- cron expressions: reading them, and the next time that one names. Pure: UTC, no clock.
 *
 * "minute hour day-of-month month day-of-week", or six fields with seconds before them. A field is a list of *, N, N-M, each with
 * an optional /STEP (N/STEP runs to the end of the range); months and days of the week also by their English names (JAN, MON), Sunday
 * is 0 and 7. @hourly, @daily (@midnight), @weekly, @monthly, @yearly (@annually) stand for the usual ones. As in Vixie's cron a day
 * has to match both day fields when one of them begins with *, else either. There is one time zone, UTC: "CRON_TZ=UTC " may stand before.
 */
#ifndef JOB_CRON_H
#define JOB_CRON_H

#include "base/base.h"
#include "base/err.h"

#define CRON_TEXT  128 /* the longest expression, and NUL */
#define CRON_NEVER INT64_MAX

struct cron { /* a bit for each value that matches */
	uint64_t seconds, minutes;
	uint32_t hours, days;
	uint16_t months;
	uint8_t weekdays;          /* bit 0: Sunday */
	bool any_day, any_weekday; /* the field begins with * */
};

bool cron_parse(const char *text, struct cron *out, struct err *e) MUST_CHECK;
/* The first time after after_ms, a whole second; CRON_NEVER when there is none within 50 years (30 February) or before year 10000. */
int64_t cron_next(const struct cron *c, int64_t after_ms);

#endif
