/* time.h -- calendar arithmetic on int64_t milliseconds UTC; pure, so it asks no clock (see clock.h). */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include "base/base.h"

#define TIME_SECOND INT64_C(1000)
#define TIME_MINUTE INT64_C(60000)
#define TIME_HOUR   INT64_C(3600000)
#define TIME_DAY    INT64_C(86400000)
#define TIME_TEXT   32

struct time_civil {
	int year, month, day, hour, minute, second, ms; /* month 1..12, day 1..31 */
};

void time_to_civil(int64_t t_ms, struct time_civil *out);
int64_t time_from_civil(const struct time_civil *c);
int64_t time_day_start(int64_t t_ms); /* floor, also before 1970 */
int time_weekday(int64_t t_ms);       /* 0 = Monday */

/* "2026-02-01", "2026-02-01 09:30:00", "2026-02-01T09:30:00.123Z". */
void time_print_date(char out[TIME_TEXT], int64_t t_ms);
void time_print_datetime(char out[TIME_TEXT], int64_t t_ms);
void time_print_iso(char out[TIME_TEXT], int64_t t_ms);

/* Accepts YYYY-MM-DD, YYYY-MM-DD HH:MM, YYYY-MM-DD HH:MM:SS, the same with T, with .mmm, with a final Z.
 * Everything is UTC. *date_only_out (may be NULL) tells whether a time of day was given. */
bool time_parse(const char *s, int64_t *out, bool *date_only_out) MUST_CHECK;
bool time_parse_date(const char *s, int64_t *out) MUST_CHECK; /* YYYY-MM-DD only, a real day */
/* RFC 3339: with T and an offset; a fraction is cut to milliseconds. */
bool time_parse_rfc3339(const char *s, int64_t *out) MUST_CHECK;
/* All of these, RFC 3339 without its T or offset (then UTC), and milliseconds since 1970 from TIME_MS_MIN on: fewer would be seconds. */
#define TIME_MS_MIN INT64_C(100000000000)    /* 1973 */
#define TIME_MS_MAX INT64_C(253402300799999) /* the end of 9999 */
bool time_parse_any(const char *s, int64_t *out) MUST_CHECK;

/* "350 ms", "12 s", "3 min 20 s", "2 h 5 min": for people. */
void time_print_span(char out[TIME_TEXT], int64_t span_ms);

#endif
