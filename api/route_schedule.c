/* route_schedule.c -- schedules: list, show, make, change, delete, pause, resume, and run now. */
#include <string.h>

#include "api/context.h"
#include "api/input.h"
#include "api/reply.h"
#include "api/routes.h"
#include "api/schedule_json.h"
#include "api/submit.h"
#include "base/str.h"
#include "kinds/kind.h"

#define PAGE_MAX 256

static void reply_schedule(struct call *c, int status, const struct queue_schedule *s)
{
	struct buf body = {0};
	struct json_writer w = json_writer_on(&body);

	reply_header(c, "ETag", arena_printf(c->arena, "\"%lld\"", (long long)s->rev));
	if (status == 201)
		reply_header(c, "Location", arena_printf(c->arena, "/api/schedules/%s", s->name));
	schedule_write(s, &w);
	reply_json(c, status, &body);
}

static void reply_missing(struct call *c, const char *name)
{
	reply_detail(c, 404, "there is no schedule '%s'", reply_excerpt(c, name));
}

/* What the queue refused; ERR_STALE means a revision that the request named. */
static void reply_refused(struct call *c, const struct err *e)
{
	if (e->code == ERR_STALE)
		reply_detail(c, 412, "%s: look at it again", e->text);
	else
		reply_err(c, e, NULL);
}

/* The schedule that the path names. False: answered. */
static bool call_schedule(struct call *c, struct queue_schedule *out)
{
	struct queue *q = call_queue(c);
	const char *name = q ? call_param(c, "name") : NULL;
	struct err e = {0};

	if (!q)
		return false;
	int got = queue_schedule_show(q, name, out, &e);
	if (got < 0)
		reply_err(c, &e, NULL);
	else if (got == 0)
		reply_missing(c, name);
	return got == 1;
}

void route_schedule_show(struct call *c)
{
	struct queue_schedule s;

	if (!call_schedule(c, &s))
		return;
	reply_schedule(c, 200, &s);
	queue_schedule_close(&s);
}

void route_schedule_list(struct call *c)
{
	const char *after = http_query(c->r, "cursor");
	struct err e = {0};
	int64_t limit;

	if (!input_query_int(c, "limit", 1, PAGE_MAX, 100, &limit))
		return;
	struct queue *q = call_queue(c);
	if (!q)
		return;
	struct queue_schedule *page = arena_array(c->arena, PAGE_MAX, sizeof *page);
	int n = queue_schedule_list(q, after ? after : "", (int)limit, page, &e);
	if (n < 0) {
		reply_err(c, &e, NULL);
		return;
	}
	struct buf body = {0};
	struct json_writer w = json_writer_on(&body);
	jw_object(&w, NULL);
	jw_array(&w, "schedules");
	for (int i = 0; i < n; i++)
		schedule_write(&page[i], &w);
	jw_end(&w);
	jw_text(&w, "next_cursor", n == limit ? page[n - 1].name : NULL);
	jw_end(&w);
	for (int i = 0; i < n; i++)
		queue_schedule_close(&page[i]);
	reply_json(c, 200, &body);
}

/* ---- making and changing ------------------------------------------------------------------------------------------------- */

/* The revision that the headers ask for: -1 any, 0 none. False: answered. `"7"` and * are understood, which is what ETag gives. */
static bool rev_asked(struct call *c, int64_t *out)
{
	const char *match = http_header(c->r, "If-Match"), *none = http_header(c->r, "If-None-Match");
	char digits[24];
	size_t len = match ? strlen(match) : 0;

	*out = none && str_eq(none, "*") ? 0 : -1;
	if (!match || str_eq(match, "*"))
		return true;
	if (len > 2 && match[0] == '"' && match[len - 1] == '"' && str_copy_n(digits, sizeof digits, match + 1, len - 2) &&
	        str_int(digits, 1, INT64_MAX, out))
		return true;
	reply_detail(c, 412, "If-Match is %s, but must be the ETag of a schedule, such as \"3\"", reply_excerpt(c, match));
	return false;
}

/* Was it there before? For the status alone, so that an answer that is late does no harm. */
static bool exists(struct queue *q, const char *name)
{
	struct queue_schedule s;
	struct err e;
	int got = queue_schedule_show(q, name, &s, &e);

	queue_schedule_close(&s);
	return got == 1;
}

static void put(struct call *c, const char *name, const struct json *body, int64_t rev, bool make)
{
	struct queue *q = call_queue(c);
	struct queue_schedule s;
	struct err e = {0};

	if (!q || !schedule_of_json(c, name, body, &s))
		return;
	int status = exists(q, name) ? 200 : 201;
	if (queue_schedule_put(q, &s, rev, &e))
		reply_schedule(c, status, &s);
	else if (e.code == ERR_STALE && make)
		reply_detail(c, 409, "there is a schedule '%s' already; PUT /api/schedules/%s changes it", name, name);
	else
		reply_refused(c, &e);
	queue_schedule_close(&s);
}

void route_schedule_make(struct call *c)
{
	struct json *body = input_object(c, false);
	const char *name = json_get_text(body, "name", NULL);

	if (!body)
		return;
	if (name)
		put(c, name, body, 0, true);
	else
		reply_detail(c, 422, "name is required: how the schedule is called");
	json_close(&body);
}

void route_schedule_put(struct call *c)
{
	struct json *body = input_object(c, false);
	int64_t rev;

	if (body && rev_asked(c, &rev))
		put(c, call_param(c, "name"), body, rev, false);
	json_close(&body);
}

/* What is given replaces what was asked for before; another timing replaces the whole timing. */
static struct json *merged(const struct queue_schedule *s, const struct json *changes)
{
	struct json *j = schedule_request(s);

	if (json_get(changes, "cron"))
		json_remove(j, "every");
	if (json_get(changes, "cron") || json_get(changes, "every"))
		json_remove(j, "start");
	if (json_get(changes, "every"))
		json_remove(j, "cron");
	for (const struct json *m = json_first(changes); m; m = json_next(m)) {
		json_remove(j, json_key(m));
		json_put(j, json_key(m), json_copy(m));
	}
	return j;
}

void route_schedule_change(struct call *c)
{
	struct json *changes = input_object(c, false);
	struct queue_schedule s;
	int64_t rev;

	if (changes && rev_asked(c, &rev) && call_schedule(c, &s)) {
		struct json *body = merged(&s, changes);

		put(c, call_param(c, "name"), body, rev > 0 ? rev : s.rev, false);
		json_close(&body);
		queue_schedule_close(&s);
	}
	json_close(&changes);
}

void route_schedule_delete(struct call *c)
{
	struct queue *q;
	struct err e = {0};
	int64_t rev;

	if (!rev_asked(c, &rev) || !(q = call_queue(c)))
		return;
	int done = queue_schedule_delete(q, call_param(c, "name"), rev, &e);
	if (done < 0)
		reply_refused(c, &e);
	else if (done == 0)
		reply_missing(c, call_param(c, "name"));
	else
		reply_empty(c, 204);
}

static void pause_or_resume(struct call *c, bool paused)
{
	struct queue *q = call_queue(c);
	const char *name = q ? call_param(c, "name") : NULL;
	struct err e = {0};

	if (!q)
		return;
	int done = queue_schedule_pause(q, name, paused, &e);
	if (done < 0)
		reply_err(c, &e, NULL);
	else if (done == 0)
		reply_missing(c, name);
	else
		route_schedule_show(c);
}

void route_schedule_pause(struct call *c)
{
	pause_or_resume(c, true);
}

void route_schedule_resume(struct call *c)
{
	pause_or_resume(c, false);
}

/* ---- now ------------------------------------------------------------------------------------------------------------------ */

/* Nobody would ever run a job of a kind that is no more. False: answered. */
static bool kind_lives(struct call *c)
{
	struct queue_schedule s;

	if (!call_schedule(c, &s))
		return false;
	bool lives = kind_of(s.kind) != NULL;
	if (!lives)
		reply_detail(c, 409, "there is no kind '%s' any more", s.kind);
	queue_schedule_close(&s);
	return lives;
}

void route_schedule_run(struct call *c)
{
	struct queue *q;
	struct job job = {0};
	struct err e = {0};
	char id[JOB_ID];

	if (!kind_lives(c) || !(q = call_queue(c)))
		return;
	int done = queue_schedule_run(q, call_param(c, "name"), id, &e);
	if (done == 1)
		done = queue_show(q, id, &job, &e);
	if (done < 0)
		reply_err(c, &e, NULL);
	else if (done == 0)
		reply_missing(c, call_param(c, "name"));
	else
		reply_accepted(c, &job);
	job_close(&job);
}
