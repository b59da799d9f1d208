/* live_logs.c -- live streams of logs: each listener is given what follows after the line where it stands. */
#include "api/live_private.h"

#include <stdio.h>
#include <string.h>

#include "api/log_line.h"
#include "base/str.h"

#define LINES_AT_ONCE 200
#define OUT_BYTES     (32 * 1024) /* a client that has not taken so much yet is given no more */

static bool wants(const struct live *l, const struct live_listener *x)
{
	return x->what == LIVE_LOG && !x->over && x->looked != l->round && x->out.len < OUT_BYTES;
}

/* Somebody who was not looked after in this round. */
static bool next_reader(struct live *l, char id_out[JOB_ID], int64_t *line_out)
{
	struct live_listener *x;

	pthread_mutex_lock(&l->lock);
	for (x = l->first; x && !wants(l, x); x = x->next)
		continue;
	if (x) {
		memcpy(id_out, x->id, JOB_ID);
		*line_out = x->line;
	}
	pthread_mutex_unlock(&l->lock);
	return x != NULL;
}

static void write_line(struct buf *out, const struct queue_log_line *line)
{
	struct buf data = {0};
	struct json_writer w = json_writer_on(&data);
	char number[24];

	log_line_write(line, &w);
	snprintf(number, sizeof number, "%lld", (long long)line->number);
	live_event(out, number, "line", buf_text(&data));
	buf_close(&data);
}

static void write_missed(struct buf *out, int64_t lines)
{
	char data[48];

	snprintf(data, sizeof data, "{\"lines\":%lld}", (long long)lines);
	live_event(out, NULL, "missed", data);
}

static void hand_out(struct live_listener *x, const struct queue_log *log, const struct buf *lines)
{
	int64_t wanted = x->line > 0 ? x->line : 0;

	if (wanted && log->n && log->lines[0].number > wanted)
		write_missed(&x->out, log->lines[0].number - wanted);
	if (lines->len)
		buf_add(&x->out, lines->data, lines->len);
	if (log->n)
		x->line = log->lines[log->n - 1].number + 1;
	else if (x->line <= 0)
		x->line = log->last + 1;
	if (job_state_is_end(log->state) && x->line > log->last) {
		live_event_end(&x->out, log->state);
		x->over = true;
	}
}

/* To all who stand at the same line of the same log; log NULL: there is no such job. */
static void deliver(struct live *l, const char *id, int64_t line, const struct queue_log *log)
{
	struct buf lines = {0};

	for (size_t i = 0; log && i < log->n; i++)
		write_line(&lines, &log->lines[i]);
	pthread_mutex_lock(&l->lock);
	for (struct live_listener *x = l->first; x; x = x->next) {
		if (!wants(l, x) || x->line != line || !str_eq(x->id, id))
			continue;
		x->looked = l->round;
		if (log) {
			hand_out(x, log, &lines);
		} else {
			live_gone(&x->out, "the job is no longer kept");
			x->over = true;
		}
	}
	pthread_mutex_unlock(&l->lock);
	buf_close(&lines);
}

bool live_logs_round(struct live *l, struct err *e)
{
	char id[JOB_ID];
	int64_t line;

	while (next_reader(l, id, &line)) {
		struct queue_log log;
		int got = queue_log(l->queue, id, line, line < 0 && -line < LINES_AT_ONCE ? (int)-line : LINES_AT_ONCE, &log, e);

		if (got < 0)
			return false;
		deliver(l, id, line, got ? &log : NULL);
		l->again = l->again || (got && log.n && log.lines[log.n - 1].number < log.last);
		if (got)
			queue_log_close(&log);
	}
	return true;
}
