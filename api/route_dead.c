/* route_dead.c -- dead letters: look for them, replay or delete many at once.
 *
 * The filters are the same for all three, from the query of GET and from the body of POST. Without a queue all are walked through one after
 * the other, by name; the cursor then is "queue=the queue's own".
 */
#include <string.h>

#include "api/all_queues.h"
#include "api/context.h"
#include "api/input.h"
#include "api/reply.h"
#include "api/routes.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"

#define CURSOR_SIZE 64

static const struct param filters[] = {
        {"queue", PARAM_TEXT, .min = 1, .max = JOB_NAME - 1, .help = "only this queue"},
        {"kind", PARAM_TEXT, .min = 1, .max = JOB_NAME - 1, .help = "only this kind"},
        {"error", PARAM_TEXT, .min = 1, .max = QUEUE_DEAD_ERROR, .help = "a part of the error's code or sentence, of any case"},
        {"state", PARAM_CHOICE, .fallback = "\"dead\"", .choices = "dead|failed", .help = "which of them"},
        {"from", PARAM_TIME, .help = "ended no sooner (UTC)"},
        {"to", PARAM_TIME, .help = "ended no later; a date means its whole day"},
        {"limit", PARAM_INT, .fallback = "256", .min = 1, .max = QUEUE_BATCH_MAX, .help = "how many at most"},
        {"cursor", PARAM_TEXT, .min = 1, .max = 120, .help = "next_cursor of the answer before"},
};

struct dead {
	struct call *call;
	struct queue *queue;
	struct json *in; /* checked; the filter's texts live in it */
	struct queue_dead_filter filter;
	int limit;
	char (*queues)[JOB_NAME]; /* by name; mem_free them */
	size_t n_queues, at;      /* at == n_queues: all were walked through */
	char cursor[CURSOR_SIZE];
};

/* ---- what is asked for ---------------------------------------------------------------------------------------- */

/* Of any kind: a job may have been submitted to another queue than that of its kind. False with e. */
static bool choose_queues(struct dead *d, struct err *e)
{
	if (!d->filter.queue) {
		int n = all_queues(d->queue, &d->queues, e);

		d->n_queues = n > 0 ? (size_t)n : 0;
		return n >= 0;
	}
	d->queues = mem_array(1, sizeof *d->queues);
	d->n_queues = 1;
	return str_copy(d->queues[0], JOB_NAME, d->filter.queue) || err_set(e, ERR_INVALID, "there is no such queue");
}

static bool choose_place(struct dead *d)
{
	const char *cursor = json_get_text(d->in, "cursor", NULL), *equals = cursor ? strchr(cursor, '=') : NULL;

	if (!cursor)
		return true;
	while (equals && d->at < d->n_queues &&
	        !(strlen(d->queues[d->at]) == (size_t)(equals - cursor) && str_starts(cursor, d->queues[d->at])))
		d->at++;
	if (equals && d->at < d->n_queues && str_copy(d->cursor, sizeof d->cursor, equals + 1))
		return true;
	reply_detail(d->call, 422, "the cursor is none of ours; begin again without it");
	return false;
}

static void choose_times(struct dead *d)
{
	const char *from = json_get_text(d->in, "from", NULL), *to = json_get_text(d->in, "to", NULL);
	bool whole_day = false;

	/* Both were checked to be times. */
	if (from && (!time_parse(from, &d->filter.from_ms, NULL) || d->filter.from_ms < 0))
		d->filter.from_ms = 0;
	if (to && (!time_parse(to, &d->filter.to_ms, &whole_day) || d->filter.to_ms < 1))
		d->filter.to_ms = 1;
	if (whole_day)
		d->filter.to_ms += TIME_DAY - 1;
}

static void dead_close(struct dead *d)
{
	json_close(&d->in);
	mem_free(&d->queues);
}

/* Fill d from `body`, which is closed. False: answered. Close d in either case. */
static bool choose(struct dead *d, struct call *c, struct json *body)
{
	struct err e = {0};

	*d = (struct dead){.call = c, .in = body ? params_check(filters, ARRAY_LEN(filters), body, false, &e) : NULL};
	if (body && !d->in)
		reply_err(c, &e, NULL);
	json_close(&body);
	if (!d->in)
		return false;
	d->filter.queue = json_get_text(d->in, "queue", NULL);
	d->filter.kind = json_get_text(d->in, "kind", NULL);
	d->filter.error = json_get_text(d->in, "error", NULL);
	d->filter.state = str_eq(json_get_text(d->in, "state", ""), "failed") ? JOB_FAILED : JOB_DEAD;
	d->limit = (int)json_get_int(d->in, "limit", QUEUE_BATCH_MAX);
	if (d->filter.kind && !job_name_ok(d->filter.kind)) {
		reply_detail(c, 422, "there can be no kind '%s'; GET /api/kinds lists the kinds", reply_excerpt(c, d->filter.kind));
		return false;
	}
	choose_times(d);
	d->queue = call_queue(c);
	if (!d->queue)
		return false;
	if (choose_queues(d, &e))
		return choose_place(d);
	reply_err(c, &e, NULL);
	return false;
}

/* ---- walking ---------------------------------------------------------------------------------------------------- */

/* One queue's share is done and `next` says where it goes on; is there anything left to ask for? */
static bool advance(struct dead *d, const char next[CURSOR_SIZE])
{
	memcpy(d->cursor, next, CURSOR_SIZE);
	if (!*next)
		d->at++;
	return !*next && d->at < d->n_queues;
}

static void next_cursor_write(const struct dead *d, struct json_writer *w)
{
	struct buf cursor = {0};

	if (d->at < d->n_queues)
		buf_addf(&cursor, "%s=%s", d->queues[d->at], d->cursor);
	jw_text(w, "next_cursor", cursor.len ? buf_text(&cursor) : NULL);
	buf_close(&cursor);
}

static bool list(struct dead *d, struct job *jobs, int *n, struct err *e)
{
	char next[CURSOR_SIZE] = "";
	int got;

	do {
		d->filter.queue = d->queues[d->at];
		got = queue_dead_list(d->queue, &d->filter, d->cursor, d->limit - *n, jobs + *n, next, e);
		if (got < 0)
			return false;
		*n += got;
	} while (advance(d, next) && *n < d->limit);
	return true;
}

void route_dead_list(struct call *c)
{
	struct dead d;

	if (!choose(&d, c, input_query(c, filters, ARRAY_LEN(filters)))) {
		dead_close(&d);
		return;
	}
	struct job *jobs = arena_array(c->arena, (size_t)d.limit, sizeof *jobs);
	struct buf body = {0};
	struct json_writer w = json_writer_on(&body);
	struct err e = {0};
	int n = 0;
	bool ok = d.at == d.n_queues || list(&d, jobs, &n, &e);

	jw_object(&w, NULL);
	jw_array(&w, "jobs");
	for (int i = 0; i < n; i++) {
		job_to_json(&jobs[i], &w, NULL);
		job_close(&jobs[i]);
	}
	jw_end(&w);
	next_cursor_write(&d, &w);
	jw_end(&w);
	dead_close(&d);
	if (ok)
		reply_json(c, 200, &body);
	else
		reply_err(c, &e, NULL);
	buf_close(&body);
}

static bool act_on(struct dead *d, enum queue_dead_act act, int *done, int *skipped, struct err *e)
{
	char next[CURSOR_SIZE] = "";

	do {
		int n, left;

		d->filter.queue = d->queues[d->at];
		n = queue_dead_act(d->queue, act, &d->filter, d->cursor, d->limit - *done, &left, next, e);
		if (n < 0)
			return false;
		*done += n;
		*skipped += left;
	} while (advance(d, next) && *done < d->limit);
	return true;
}

/* An empty body is refused: {} says that all are meant. */
static void act(struct call *c, enum queue_dead_act what, const char *name)
{
	struct dead d;
	struct err e = {0};
	int done = 0, skipped = 0;

	if (!choose(&d, c, input_object(c, false))) {
		dead_close(&d);
		return;
	}
	bool ok = d.at == d.n_queues || act_on(&d, what, &done, &skipped, &e);
	struct buf body = {0};
	struct json_writer w = json_writer_on(&body);
	jw_object(&w, NULL);
	jw_int(&w, name, done);
	jw_int(&w, "skipped", skipped);
	next_cursor_write(&d, &w);
	jw_end(&w);
	dead_close(&d);
	if (ok)
		reply_json(c, 200, &body);
	else
		reply_err(c, &e, NULL);
	buf_close(&body);
}

void route_dead_replay(struct call *c)
{
	act(c, QUEUE_DEAD_REPLAY, "replayed");
}

void route_dead_delete(struct call *c)
{
	act(c, QUEUE_DEAD_DELETE, "deleted");
}
