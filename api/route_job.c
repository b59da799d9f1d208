/* route_job.c -- one job: show it, wait for its change, its result, cancel it, run it again, another priority. */
#include <stdio.h>
#include <string.h>

#include "api/archive.h"
#include "api/context.h"
#include "api/input.h"
#include "api/one_job.h"
#include "api/reply.h"
#include "api/routes.h"
#include "api/submit.h"
#include "api/waiter.h"
#include "base/str.h"

/* Does If-None-Match name this revision? Weak tags count too (RFC 9110 §13.1.2). */
static bool etag_matches(struct call *c, int64_t rev)
{
	const char *given = http_header(c->r, "If-None-Match");
	char etag[32];

	snprintf(etag, sizeof etag, "\"%lld\"", (long long)rev);
	return given && (str_eq(given, "*") || strstr(given, etag));
}

static void reply_not_modified(struct call *c, const struct job *job)
{
	reply_header(c, "ETag", arena_printf(c->arena, "\"%lld\"", (long long)job->rev));
	reply_empty(c, 304);
}

static void shown(struct call *c, const struct job *job, enum wait_end end, const struct err *e, void *user)
{
	UNUSED(user);
	if (!job && end == WAIT_STOPPED)
		reply_detail(c, 503, "the server stops; ask again");
	else if (!job)
		reply_err(c, e, NULL);
	else if (etag_matches(c, job->rev))
		reply_not_modified(c, job);
	else
		reply_job(c, 200, job);
}

enum known { KNOWN_NOT, KNOWN_LIVE, KNOWN_ARCHIVED };

/* In the queue (*out, to be closed), or only in the history (*row); KNOWN_NOT: answered. */
static enum known job_known(struct call *c, const char *id, struct job *out, struct history_row *row)
{
	struct err e = {0};
	struct queue *q = call_queue(c);
	int got = q ? queue_show(q, id, out, &e) : -1;

	if (q && got < 0)
		reply_err(c, &e, NULL);
	if (got != 0)
		return got > 0 ? KNOWN_LIVE : KNOWN_NOT;
	got = archive_show(c, id, row);
	if (got == 0)
		reply_detail(
		        c, 404, "there is no job '%s': it never was, or it ended so long ago that the history has dropped it, too", id);
	return got > 0 ? KNOWN_ARCHIVED : KNOWN_NOT;
}

void route_job_show(struct call *c)
{
	const char *id = call_job_id(c);
	struct job job = {0};
	struct history_row row = {0};
	int64_t wait_s;

	if (!id || !input_query_int(c, "wait", 0, 86400, 0, &wait_s))
		return;
	enum known known = job_known(c, id, &job, &row);
	if (known == KNOWN_ARCHIVED)
		shown(c, &row.job, WAIT_ENDED, NULL, NULL);
	if (known != KNOWN_LIVE)
		return;
	bool same = etag_matches(c, job.rev), asks_change = http_header(c->r, "If-None-Match") != NULL;
	if (wait_s == 0 || job_state_is_end(job.state) || (asks_change && !same))
		shown(c, &job, WAIT_ENDED, NULL, NULL);
	else
		waiter_park(c, id, input_wait_cap(c, wait_s * 1000), asks_change ? job.rev : WAIT_ANY_END, shown, NULL);
	job_close(&job);
}

void route_job_result(struct call *c)
{
	const char *id = call_job_id(c);
	struct job job = {0};
	struct history_row row = {0};
	enum known known = id ? job_known(c, id, &job, &row) : KNOWN_NOT;

	if (known == KNOWN_ARCHIVED)
		archive_result(c, &row);
	if (known != KNOWN_LIVE)
		return;
	if (job.state == JOB_SUCCEEDED) {
		reply_text(c, 200, "application/json", job.result ? job.result : "null");
	} else if (job_state_is_end(job.state)) {
		reply_detail(c, 409, "job %s has no result, it is %s%s%s", id, job_state_name(job.state), *job.error.text ? ": " : "",
		        job.error.text);
	} else {
		reply_retry_after(c, 1000);
		reply_detail(c, 409, "job %s has no result yet, it is %s", id, job_state_name(job.state));
	}
	job_close(&job);
}

/* After a change: the job as it stands now. */
static void reply_changed(struct call *c, const char *id, int status)
{
	struct job job = {0};

	if (!call_job(c, id, &job))
		return;
	if (status == 202)
		reply_accepted(c, &job);
	else
		reply_job(c, status, &job);
	job_close(&job);
}

void route_job_cancel(struct call *c)
{
	const char *id = call_job_id(c);
	struct queue *q = id ? call_queue(c) : NULL;
	enum job_state state = JOB_CANCELLED;
	struct err e = {0};

	if (!q)
		return;
	int done = queue_cancel(q, id, &state, &e);
	if (done < 0)
		reply_err(c, &e, NULL);
	else if (done == 0)
		reply_detail(c, 404, "there is no job '%s'", id);
	else
		reply_changed(c, id, state == JOB_RUNNING ? 202 : 200);
}

/* If-Match is compared strongly: "4" does not match W/"4" (RFC 9110 §13.1.1). */
static bool match_holds(const char *given, int64_t rev)
{
	char etag[32];
	const char *at;

	snprintf(etag, sizeof etag, "\"%lld\"", (long long)rev);
	for (at = strstr(given, etag); at; at = strstr(at + 1, etag))
		if (at == given || at[-1] != '/')
			return true;
	return false;
}

/* The revision that If-Match asks for, 0: any. False: answered, with 412 when the job has another one already. */
static bool rev_asked(struct call *c, const char *id, int64_t *rev_out)
{
	const char *given = http_header(c->r, "If-Match");
	struct job job = {0};

	*rev_out = 0;
	if (!given || str_eq(given, "*"))
		return true;
	if (!call_job(c, id, &job))
		return false;
	*rev_out = job.rev;
	job_close(&job);
	if (match_holds(given, *rev_out))
		return true;
	reply_detail(c, 412, "job %s is at revision %lld, which If-Match does not name: look at it again", id, (long long)*rev_out);
	return false;
}

static const struct param changes[] = {
        {"priority", PARAM_INT, .required = true, .min = 0, .max = 9, .help = "0 urgent, 5 usual, 9 idle"},
};

/* What the body asks for; false: answered. */
static bool priority_asked(struct call *c, int *out)
{
	struct json *body = input_object(c, false);
	struct err e = {0};
	struct json *in = body ? params_check(changes, ARRAY_LEN(changes), body, false, &e) : NULL;

	if (in)
		*out = (int)json_get_int(in, "priority", 0);
	else if (body)
		reply_err(c, &e, NULL);
	bool ok = in != NULL;
	json_close(&in);
	json_close(&body);
	return ok;
}

void route_job_change(struct call *c)
{
	const char *id = call_job_id(c);
	struct err e = {0};
	int64_t rev = 0;
	int priority = 0;

	if (!id || !priority_asked(c, &priority) || !rev_asked(c, id, &rev))
		return;
	struct queue *q = call_queue(c);
	if (!q)
		return;
	int done = queue_set_priority(q, id, priority, rev, &e);
	if (done < 0 && e.code == ERR_STALE)
		reply_detail(c, 412, "%s", e.text);
	else if (done < 0)
		reply_err(c, &e, NULL);
	else if (done == 0)
		reply_detail(c, 404, "there is no job '%s'", id);
	else
		reply_changed(c, id, 200);
}

void route_job_replay(struct call *c)
{
	const char *id = call_job_id(c);
	struct queue *q = id ? call_queue(c) : NULL;
	struct err e = {0};

	if (!q)
		return;
	int done = queue_replay(q, id, &e);
	if (done < 0)
		reply_err(c, &e, NULL);
	else if (done == 0)
		reply_detail(c, 404, "there is no job '%s'", id);
	else
		reply_changed(c, id, 202);
}
