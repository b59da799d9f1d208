/* route_job_log.c -- what a job said while it ran. */
#include "api/context.h"
#include "api/input.h"
#include "api/live.h"
#include "api/log_line.h"
#include "api/one_job.h"
#include "api/reply.h"
#include "api/routes.h"
#include "base/str.h"
#include "queue/seeing.h"

#define LINES_USUAL 200

void log_line_write(const struct queue_log_line *line, struct json_writer *w)
{
	jw_object(w, NULL);
	jw_int(w, "seq", line->number);
	jw_int(w, "at", line->at);
	jw_text(w, "by", line->by_queue ? "queue" : "job");
	jw_text(w, "text", line->text);
	jw_end(w);
}

static void log_write(const char *id, const struct queue_log *log, int64_t from, struct json_writer *w)
{
	jw_object(w, NULL);
	jw_text(w, "id", id);
	jw_text(w, "state", job_state_name(log->state));
	jw_int(w, "first", log->first);
	jw_int(w, "last", log->last);
	jw_array(w, "lines");
	for (size_t i = 0; i < log->n; i++)
		log_line_write(&log->lines[i], w);
	jw_end(w);
	jw_int(w, "next", log->n ? log->lines[log->n - 1].number + 1 : from > log->last ? from : log->last + 1);
	jw_end(w);
}

/* Which lines: ?from=N, or the last ?tail=N; 0 from the first. False: answered. */
static bool lines_asked(struct call *c, int64_t *from_out, int64_t *limit_out)
{
	int64_t tail;

	if (!input_query_int(c, "from", 0, INT64_MAX - 1, 0, from_out) || !input_query_int(c, "tail", 1, QUEUE_LOG_KEPT, 0, &tail) ||
	        !input_query_int(c, "limit", 1, QUEUE_BATCH_MAX, LINES_USUAL, limit_out))
		return false;
	if (tail && *from_out) {
		reply_detail(c, 422, "from and tail cannot both be given: one counts from the first line, the other from the last");
		return false;
	}
	if (tail)
		*from_out = -tail;
	return true;
}

/* After the line that the client saw last, if it says so. Who has seen all of a job that has ended shall not come back: 204. */
static void follow_log(struct call *c, const char *id, int64_t from)
{
	const char *seen = http_header(c->r, "Last-Event-ID");
	struct queue_log log;
	struct err e = {0};
	int64_t last = 0;

	if (seen && str_int(seen, 1, INT64_MAX - 1, &last))
		from = last + 1;
	struct queue *q = call_queue(c);
	int got = q ? queue_log(q, id, from, 1, &log, &e) : 0;
	if (!q)
		return;
	if (got < 0) {
		reply_err(c, &e, NULL);
	} else if (got == 0) {
		reply_detail(c, 404, "there is no job '%s': it never was, or it ended long ago and is no longer kept", id);
	} else if (last && job_state_is_end(log.state) && log.last <= last) {
		reply_empty(c, 204);
	} else {
		live_log(c, id, from);
	}
	if (got > 0)
		queue_log_close(&log);
}

void route_job_log(struct call *c)
{
	const char *id = call_job_id(c);
	int64_t from, limit, follow;
	struct queue_log log;
	struct err e = {0};

	if (!id || !lines_asked(c, &from, &limit) || !input_query_int(c, "follow", 0, 1, 0, &follow))
		return;
	if (follow) {
		follow_log(c, id, from);
		return;
	}
	struct queue *q = call_queue(c);
	int got = q ? queue_log(q, id, from, (int)limit, &log, &e) : 0;
	if (!q)
		return;
	if (got < 0) {
		reply_err(c, &e, NULL);
		return;
	}
	if (got == 0) {
		reply_detail(c, 404, "there is no job '%s': it never was, or it ended long ago and is no longer kept", id);
		return;
	}
	struct buf body = {0};
	struct json_writer w = json_writer_on(&body);

	log_write(id, &log, from, &w);
	queue_log_close(&log);
	reply_json(c, 200, &body);
}
