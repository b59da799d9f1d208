/* route_history.c -- jobs that ended, from the store: searched page by page, and one that the queue has forgotten. */
#include <string.h>

#include "api/archive.h"
#include "api/context.h"
#include "api/input.h"
#include "api/reply.h"
#include "api/routes.h"
#include "base/str.h"
#include "base/time.h"
#include "http/client.h"
#include "kinds/kind.h"
#include "store/history.h"

static const struct param filters[] = {
        {"kind", PARAM_TEXT, .min = 1, .max = JOB_NAME - 1, .help = "only this kind"},
        {"queue", PARAM_TEXT, .min = 1, .max = JOB_NAME - 1, .help = "only this queue"},
        {"state", PARAM_CHOICE, .choices = "succeeded|failed|cancelled|dead", .help = "only this end"},
        {"error", PARAM_TEXT, .min = 1, .max = 200, .help = "a part of the error's code or sentence, of any case"},
        {"from", PARAM_TIME, .help = "ended no sooner (UTC)"},
        {"to", PARAM_TIME, .help = "ended no later; a date means its whole day"},
        {"limit", PARAM_INT, .fallback = "50", .min = 1, .max = 256, .help = "how many at most"},
        {"cursor", PARAM_TEXT, .min = 1, .max = HISTORY_CURSOR - 1, .help = "next_cursor of the answer before"},
};

/* ---- what is asked for ---------------------------------------------------------------------------------------- */

static void choose_times(const struct json *in, struct history_filter *f)
{
	const char *from = json_get_text(in, "from", NULL), *to = json_get_text(in, "to", NULL);
	bool whole_day = false;

	/* Both were checked to be times. */
	if (from && (!time_parse(from, &f->from_ms, NULL) || f->from_ms < 0))
		f->from_ms = 0;
	if (to && (!time_parse(to, &f->to_ms, &whole_day) || f->to_ms < 1))
		f->to_ms = 1;
	if (whole_day)
		f->to_ms += TIME_DAY - 1;
}

/* The texts of f live in `in`. False: answered. */
static bool choose(struct call *c, const struct json *in, struct history_filter *f)
{
	const char *state = json_get_text(in, "state", NULL);
	enum job_state s = JOB_SUCCEEDED;

	*f = (struct history_filter){.kind = json_get_text(in, "kind", NULL),
	        .queue = json_get_text(in, "queue", NULL),
	        .error = json_get_text(in, "error", NULL)};
	f->state = state && job_state_of(state, &s) ? (int)s : -1;
	choose_times(in, f);
	/* A kind that this program no longer knows may well have ended jobs; a name that none could have is a slip. */
	if (f->kind && !job_name_ok(f->kind))
		reply_detail(c, 422, "'%s' is no name of a kind", reply_excerpt(c, f->kind));
	else if (f->queue && !job_queue_ok(f->queue))
		reply_detail(c, 422, "'%s' is no name of a queue", reply_excerpt(c, f->queue));
	else
		return true;
	return false;
}

/* ---- answers ---------------------------------------------------------------------------------------------------- */

/* The same question, from the next one on. */
static void link_header(struct call *c, const struct json *in, const char *next)
{
	struct buf b = {0};

	buf_addf(&b, "</api/history?limit=%lld", (long long)json_get_int(in, "limit", 0));
	for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
		const char *text = json_get_text(in, filters[i].name, NULL);

		if (!text || str_eq(filters[i].name, "cursor"))
			continue;
		buf_addf(&b, "&%s=", filters[i].name);
		http_escape(&b, text);
	}
	buf_adds(&b, "&cursor=");
	http_escape(&b, next);
	buf_adds(&b, ">; rel=\"next\"");
	reply_header(c, "Link", buf_text(&b));
	buf_close(&b);
}

static void list_reply(struct call *c, const struct json *in, struct history_row *rows, int n, const char *next)
{
	struct buf body = {0};
	struct json_writer w = json_writer_on(&body);

	jw_object(&w, NULL);
	jw_array(&w, "jobs");
	for (int i = 0; i < n; i++) {
		rows[i].job.archived = true;
		job_to_json(&rows[i].job, &w, NULL);
	}
	jw_end(&w);
	jw_text(&w, "next_cursor", *next ? next : NULL);
	jw_end(&w);
	if (*next)
		link_header(c, in, next);
	reply_json(c, 200, &body);
}

static void list(struct call *c, const struct json *in)
{
	struct history_filter f;
	struct history_row *rows;
	struct err e = {0};
	char next[HISTORY_CURSOR];
	struct store *s = choose(c, in, &f) ? call_store(c) : NULL;

	if (!s)
		return;
	int n = store_history_list(s, &f, json_get_text(in, "cursor", ""), (int)json_get_int(in, "limit", 50), c->arena, &rows, next, &e);
	if (n >= 0)
		list_reply(c, in, rows, n, next);
	else if (e.code == ERR_INVALID)
		reply_detail(c, 422, "the cursor is none of ours; begin again without it");
	else
		reply_err(c, &e, NULL);
}

void route_history(struct call *c)
{
	struct json *query = input_query(c, filters, ARRAY_LEN(filters));
	struct err e = {0};
	struct json *in = params_check(filters, ARRAY_LEN(filters), query, false, &e);

	json_close(&query);
	if (in)
		list(c, in);
	else
		reply_err(c, &e, NULL);
	json_close(&in);
}

/* ---- one job ---------------------------------------------------------------------------------------------------- */

int archive_show(struct call *c, const char *id, struct history_row *out)
{
	struct err e = {0};
	struct store *s = call_store(c);
	int got = s ? store_history_get(s, id, c->arena, out, &e) : -1;

	if (s && got < 0)
		reply_err(c, &e, NULL);
	out->job.archived = got > 0;
	return got;
}

void archive_result(struct call *c, const struct history_row *row)
{
	const struct job *job = &row->job;

	if (job->state != JOB_SUCCEEDED)
		reply_detail(c, 409, "job %s has no result, it is %s%s%s", job->id, job_state_name(job->state),
		        *job->error.text ? ": " : "", job->error.text);
	else if (row->result_bytes > HISTORY_TEXT_MAX)
		reply_detail(c, 410,
		        "the result of job %s, %lld bytes, is no longer kept: the history keeps results up to %d bytes; run the job again",
		        job->id, (long long)row->result_bytes, HISTORY_TEXT_MAX);
	else
		reply_text(c, 200, "application/json", job->result ? job->result : "null");
}
