/* history.c -- jobs that have ended: checks what callers pass, turns a cursor into a place, and hands on to the driver. */
#include "store/history.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "store/store_private.h"

#define PAGE_MAX 1000

static bool entry_ok(const struct history_entry *x, struct err *e)
{
	const struct outbox_row *event = x->event;
	if (!job_state_is_end(x->job->state) || x->job->finished_at <= 0 || !*x->job->id)
		return err_set(e, ERR_INVALID, "job %s has not ended and is no part of the history", x->job->id);
	if (event && (!*event->topic || !*event->type || !*event->id || !event->data || event->time_ms <= 0))
		return err_set(e, ERR_INVALID, "an event needs a topic, a type, an id, a time and data");
	return true;
}

bool store_history_put(struct store *s, const struct history_entry *entries, size_t n, int64_t *written_out, struct err *e)
{
	*written_out = 0;
	for (size_t i = 0; i < n; i++)
		if (!entry_ok(&entries[i], e))
			return false;
	return n == 0 || s->driver->history_put(s->db, entries, n, written_out, e);
}

int store_history_get(struct store *s, const char *id, struct arena *a, struct history_row *out, struct err *e)
{
	return s->driver->history_get(s->db, id, a, out, e);
}

/* "<finished_at>:<id>" of the last row given. */
static bool place_of(const char *cursor, struct history_place *out)
{
	char time[24];
	size_t len = strcspn(cursor, ":");
	return cursor[len] == ':' && str_copy_n(time, sizeof time, cursor, len) && str_int(time, 1, INT64_MAX, &out->finished_at) &&
	       str_copy(out->id, sizeof out->id, cursor + len + 1);
}

int store_history_list(struct store *s, const struct history_filter *f, const char *cursor, int limit, struct arena *a,
        struct history_row **out, char next_out[HISTORY_CURSOR], struct err *e)
{
	/* Before this one; the filter's end is a place, too. */
	struct history_place place = {.finished_at = f->to_ms > 0 && f->to_ms < INT64_MAX ? f->to_ms + 1 : INT64_MAX}, given;
	if (limit < 1 || limit > PAGE_MAX)
		return err_fail(e, ERR_INVALID, "a page of the history has 1 to %d jobs", PAGE_MAX);
	if (*cursor && !place_of(cursor, &given))
		return err_fail(e, ERR_INVALID, "that is no cursor of ours");
	if (*cursor && given.finished_at < place.finished_at)
		place = given;
	int n = s->driver->history_list(s->db, f, &place, limit, a, out, e);
	*next_out = 0;
	if (n == limit)
		snprintf(next_out, HISTORY_CURSOR, "%lld:%s", (long long)(*out)[n - 1].job.finished_at, (*out)[n - 1].job.id);
	return n;
}

bool store_history_count(struct store *s, int64_t *out, struct err *e)
{
	return s->driver->history_count(s->db, out, e);
}

bool store_history_trim(struct store *s, int64_t before_ms, int limit, int64_t *deleted_out, struct err *e)
{
	*deleted_out = 0;
	return limit <= 0 || s->driver->history_trim(s->db, before_ms, limit, deleted_out, e);
}
