/* cron.c -- cron expressions as sets of bits, and a search day by day that always ends. */
#include "job/cron.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "base/time.h"

#define SEARCH_DAYS 18300                    /* 50 years: 29 February on a given weekday comes again within 40, also across 2100 */
#define FIRST_MS    INT64_C(-62135596800000) /* year 1 */
#define LAST_MS     INT64_C(253402300799000) /* the end of year 9999 */

/* ---- reading -------------------------------------------------------------------------------------------------------- */

struct field {
	const char *name;
	int min, max;
	const char *names; /* three letters each, from min on; NULL: none */
};

enum { SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };

static const struct field fields[FIELDS] = {
        [SECOND] = {"second", 0, 59, NULL},
        [MINUTE] = {"minute", 0, 59, NULL},
        [HOUR] = {"hour", 0, 23, NULL},
        [DAY] = {"day of the month", 1, 31, NULL},
        [MONTH] = {"month", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"},
        [WEEKDAY] = {"day of the week", 0, 7, "SUNMONTUEWEDTHUFRISAT"},
};

static const struct {
	const char *name, *text;
} nicknames[] = {
        {"@hourly", "0 * * * *"},
        {"@daily", "0 0 * * *"},
        {"@midnight", "0 0 * * *"},
        {"@weekly", "0 0 * * 0"},
        {"@monthly", "0 0 1 * *"},
        {"@yearly", "0 0 1 1 *"},
        {"@annually", "0 0 1 1 *"},
};

static bool bad_field(const struct field *f, const char *text, size_t len, struct err *e)
{
	return err_set(e, ERR_INVALID,
	        "the field for the %s is '%.*s', but holds *, numbers from %d to %d%s, ranges like %d-%d and steps like */2", f->name,
	        (int)(len > 40 ? 40 : len), text, f->min, f->max, f->names ? " or English names" : "", f->min, f->min + 1);
}

/* A number or a name at *at; steps over it. */
static bool read_value(const struct field *f, const char **at, const char *end, int *out)
{
	const char *s = *at;
	int v = 0;

	for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
		v = v * 10 + (**at - '0');
		if (v > 9999)
			return false;
	}
	*out = v;
	if (*at > s)
		return true;
	for (int i = 0; f->names && end - s >= 3 && f->names[3 * i]; i++)
		if (strncasecmp(s, f->names + 3 * i, 3) == 0) {
			*at += 3;
			*out = f->min + i;
			return true;
		}
	return false;
}

/* "*", "N" or "N-M". */
static bool read_range(const struct field *f, const char **at, const char *end, int *low, int *high, bool *single)
{
	*single = false;
	*low = f->min;
	*high = f->max;
	if (*at < end && **at == '*') {
		(*at)++;
		return true;
	}
	if (!read_value(f, at, end, low))
		return false;
	*high = *low;
	*single = *at == end || **at != '-';
	if (!*single) {
		(*at)++;
		if (!read_value(f, at, end, high))
			return false;
	}
	if (f == &fields[WEEKDAY] && *high == 0 && *low > 0)
		*high = 7; /* FRI-SUN */
	return *low >= f->min && *high <= f->max && *low <= *high;
}

static bool read_item(const struct field *f, const char *at, const char *end, uint64_t *bits)
{
	int low, high, step = 1;
	bool single;

	if (!read_range(f, &at, end, &low, &high, &single))
		return false;
	if (at < end && *at == '/') {
		static const struct field number = {"step", 1, 9999, NULL};

		at++;
		if (!read_value(&number, &at, end, &step) || step < 1 || step > f->max)
			return false;
		high = single ? f->max : high;
	}
	if (at != end)
		return false;
	for (int v = low; v <= high; v += step)
		*bits |= UINT64_C(1) << v;
	return true;
}

static bool read_field(const struct field *f, const char *text, size_t len, uint64_t *bits, struct err *e)
{
	const char *at = text, *end = text + len;

	*bits = 0;
	for (;;) {
		const char *comma = memchr(at, ',', (size_t)(end - at));

		if (!read_item(f, at, comma ? comma : end, bits))
			return bad_field(f, text, len, e);
		if (!comma)
			return true;
		at = comma + 1;
	}
}

/* Past "CRON_TZ=UTC " and the like. */
static bool skip_zone(const char **text, struct err *e)
{
	const char *s = *text;
	size_t len;

	if (!str_starts(s, "CRON_TZ=") && !str_starts(s, "TZ="))
		return true;
	s += strcspn(s, "=") + 1;
	len = strcspn(s, " \t");
	if (!(len == 3 && strncmp(s, "UTC", 3) == 0) && !(len == 7 && strncmp(s, "Etc/UTC", 7) == 0))
		return err_set(e, ERR_INVALID, "the time zone of a schedule is UTC, not '%.*s': give its hours in UTC",
		        (int)(len > 40 ? 40 : len), s);
	*text = s + len + strspn(s + len, " \t");
	return true;
}

static bool expand(const char **text, struct err *e)
{
	size_t len = strcspn(*text, " \t");

	if (**text != '@')
		return true;
	for (size_t i = 0; i < ARRAY_LEN(nicknames); i++)
		if (strlen(nicknames[i].name) == len && strncmp(*text, nicknames[i].name, len) == 0 &&
		        !(*text)[len + strspn(*text + len, " \t")]) {
			*text = nicknames[i].text;
			return true;
		}
	return err_set(e, ERR_INVALID, "'%.40s' is none of @hourly, @daily, @weekly, @monthly and @yearly", *text);
}

static size_t split(const char *s, const char *at[FIELDS], size_t len[FIELDS])
{
	size_t n = 0;

	for (s += strspn(s, " \t"); *s; s += strspn(s, " \t")) {
		size_t part = strcspn(s, " \t");

		if (n < FIELDS) {
			at[n] = s;
			len[n] = part;
		}
		n++;
		s += part;
	}
	return n;
}

bool cron_parse(const char *text, struct cron *out, struct err *e)
{
	const char *at[FIELDS];
	size_t len[FIELDS], n, first;
	uint64_t bits[FIELDS] = {[SECOND] = 1};

	memset(out, 0, sizeof(*out));
	if (strlen(text) >= CRON_TEXT)
		return err_set(e, ERR_INVALID, "a cron expression is at most %d characters long", CRON_TEXT - 1);
	text += strspn(text, " \t");
	if (!skip_zone(&text, e) || !expand(&text, e))
		return false;
	n = split(text, at, len);
	if (n != 5 && n != 6)
		return err_set(e, ERR_INVALID,
		        "a cron expression has five fields, minute hour day month weekday, or six with seconds before them, not %zu", n);
	first = FIELDS - n;
	for (size_t i = 0; i < n; i++)
		if (!read_field(&fields[first + i], at[i], len[i], &bits[first + i], e))
			return false;
	out->seconds = bits[SECOND];
	out->minutes = bits[MINUTE];
	out->hours = (uint32_t)bits[HOUR];
	out->days = (uint32_t)bits[DAY];
	out->months = (uint16_t)bits[MONTH];
	out->weekdays = (uint8_t)((bits[WEEKDAY] | bits[WEEKDAY] >> 7) & 0x7f);
	out->any_day = at[DAY - first][0] == '*';
	out->any_weekday = at[WEEKDAY - first][0] == '*';
	return true;
}

/* ---- searching ------------------------------------------------------------------------------------------------------ */

/* The lowest bit from `from` on; -1: none. */
static int next_bit(uint64_t set, int from)
{
	set = from < 64 ? set >> from << from : 0;
	return set ? __builtin_ctzll(set) : -1;
}

static bool day_matches(const struct cron *c, int64_t day_ms)
{
	struct time_civil t;
	bool day, weekday;

	time_to_civil(day_ms, &t);
	if (!(c->months >> t.month & 1))
		return false;
	day = c->days >> t.day & 1;
	weekday = c->weekdays >> (time_weekday(day_ms) + 1) % 7 & 1;
	return c->any_day || c->any_weekday ? day && weekday : day || weekday;
}

static int64_t time_of_day(int hour, int minute, int second)
{
	return ((hour * INT64_C(60) + minute) * 60 + second) * TIME_SECOND;
}

/* The first time of day from `from` on, in ms; -1: none. */
static int64_t next_in_day(const struct cron *c, int64_t from_ms)
{
	int hour = (int)(from_ms / TIME_HOUR), minute = (int)(from_ms / TIME_MINUTE % 60), second = (int)(from_ms / TIME_SECOND % 60);
	int h = next_bit(c->hours, hour), m, s;

	if (h == hour) {
		m = next_bit(c->minutes, minute);
		s = m == minute ? next_bit(c->seconds, second) : -1;
		if (s >= 0)
			return time_of_day(h, m, s);
		m = next_bit(c->minutes, minute + 1);
		if (m >= 0)
			return time_of_day(h, m, next_bit(c->seconds, 0));
		h = next_bit(c->hours, hour + 1);
	}
	return h < 0 ? -1 : time_of_day(h, next_bit(c->minutes, 0), next_bit(c->seconds, 0));
}

int64_t cron_next(const struct cron *c, int64_t after_ms)
{
	int64_t from, day, of_day;

	if (after_ms < FIRST_MS || after_ms >= LAST_MS)
		return CRON_NEVER;
	day = time_day_start(after_ms);
	from = after_ms - day;
	from = from - from % TIME_SECOND + TIME_SECOND; /* within the day, or the first of the next */
	for (int i = 0; i <= SEARCH_DAYS && day <= LAST_MS; i++, day += TIME_DAY, from = 0) {
		of_day = from < TIME_DAY && day_matches(c, day) ? next_in_day(c, from) : -1;
		if (of_day >= 0)
			return day + of_day;
	}
	return CRON_NEVER;
}
