/* route_job_list.c -- GET /api/jobs: jobs newest first, of one queue or of all, page by page.
 *
 * The queue lists one queue at a time. Several are merged by creation time; the cursor then holds every queue's own, as
 * "queue=cursor;queue=cursor". A queue of which less was shown than read is asked again for just so much, to learn the cursor there.
 *
 * A cursor must fit into a URL, so at most SOURCES_MAX queues are merged at a time; the others come after them, in the order of their names:
 * ">queue" at the end of a cursor says that those after this one are still to come.
 */
#include <string.h>

#include "api/all_queues.h"
#include "api/context.h"
#include "api/input.h"
#include "api/reply.h"
#include "api/routes.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/client.h"
#include "kinds/kind.h"

#define SOURCES_MAX 32
#define CURSOR_SIZE 64

struct source {
	char queue[JOB_NAME];
	char cursor[CURSOR_SIZE], next[CURSOR_SIZE]; /* of what was read: where it begins; where it goes on, "" at the end */
	struct job *jobs;                            /* room for l->chunk */
	int n, taken;
};

struct listing {
	struct call *call;
	struct queue *queue;
	struct source sources[SOURCES_MAX];
	size_t n_sources;
	bool more;            /* queues after these are still to come, ... */
	char after[JOB_NAME]; /* ... those whose names come after this one */
	const char *kind;
	int state;
	int limit, chunk;
};

static bool source_add(struct listing *l, const char *queue, size_t queue_len, const char *cursor, size_t cursor_len)
{
	struct source *s = &l->sources[l->n_sources];

	if (l->n_sources == SOURCES_MAX)
		return false;
	*s = (struct source){.jobs = s->jobs};
	if (!str_copy_n(s->queue, sizeof s->queue, queue, queue_len) || !job_name_ok(s->queue) ||
	        !str_copy_n(s->cursor, sizeof s->cursor, cursor, cursor_len))
		return false;
	for (size_t i = 0; i < l->n_sources; i++)
		if (str_eq(l->sources[i].queue, s->queue))
			return true; /* named twice is named once */
	l->n_sources++;
	return true;
}

/* "queue=cursor;" ... and perhaps ">queue" */
static bool sources_from_cursor(struct listing *l, const char *cursor)
{
	while (*cursor) {
		size_t len = strcspn(cursor, ";"), name = strcspn(cursor, "=");

		l->more = *cursor == '>';
		if (l->more)
			return !cursor[len] && str_copy(l->after, sizeof l->after, cursor + 1);
		if (name >= len || !source_add(l, cursor, name, cursor + name + 1, len - name - 1))
			return false;
		cursor += len + (cursor[len] == ';');
	}
	return l->n_sources > 0;
}

/* The next of all queues, from their beginning. They are those of any kind: a job may have been submitted to another queue than that of its
 * kind. False with e. */
static bool sources_next(struct listing *l, struct err *e)
{
	char(*names)[JOB_NAME] = NULL;
	int n = all_queues(l->queue, &names, e), i = 0;
	bool ok = n >= 0;

	l->n_sources = 0;
	while (i < n && strcmp(names[i], l->after) <= 0)
		i++;
	for (; ok && i < n && l->n_sources < SOURCES_MAX; i++)
		ok = source_add(l, names[i], strlen(names[i]), "", 0) || err_set(e, ERR_CORRUPT, "a queue has a name that none can have");
	l->more = i < n;
	if (ok && l->more)
		memcpy(l->after, names[i - 1], JOB_NAME);
	mem_free(&names);
	return ok;
}

/* Which queues, from where. False: answered. */
static bool choose_sources(struct listing *l)
{
	struct call *c = l->call;
	const char *queue = http_query(c->r, "queue"), *cursor = http_query(c->r, "cursor");

	if (cursor && *cursor && !sources_from_cursor(l, cursor))
		reply_detail(c, 422, "the cursor is none of ours; begin again without it");
	else if (!(cursor && *cursor) && queue && *queue && !source_add(l, queue, strlen(queue), "", 0))
		reply_detail(c, 422, "there is no such queue");
	else
		return true;
	return false;
}

static bool choose_filter(struct listing *l)
{
	struct call *c = l->call;
	const char *state = http_query(c->r, "state");
	enum job_state s;
	int64_t limit;

	l->kind = http_query(c->r, "kind");
	l->kind = l->kind && *l->kind ? l->kind : NULL;
	l->state = -1;
	if (l->kind && !kind_of(l->kind)) {
		reply_detail(c, 422, "there is no kind '%s'", reply_excerpt(c, l->kind));
		return false;
	}
	if (state && *state) {
		if (!job_state_of(state, &s)) {
			reply_detail(c, 422, "there is no state '%s'", reply_excerpt(c, state));
			return false;
		}
		l->state = (int)s;
	}
	if (!input_query_int(c, "limit", 1, QUEUE_BATCH_MAX, 50, &limit))
		return false;
	l->limit = (int)limit;
	return true;
}

static void jobs_close(struct source *s)
{
	for (int i = 0; i < s->n; i++)
		job_close(&s->jobs[i]);
	s->n = s->taken = 0;
}

/* At most so many jobs from s->cursor on, in place of what was read before. */
static bool source_read(struct listing *l, struct source *s, int limit, struct err *e)
{
	jobs_close(s);
	if (!s->jobs)
		s->jobs = arena_array(l->call->arena, (size_t)l->chunk, sizeof *s->jobs);
	int n = queue_list(l->queue, s->queue, l->kind, l->state, s->cursor, limit, s->jobs, s->next, e);
	s->n = n > 0 ? n : 0;
	return n >= 0;
}

/* All that was read of it was taken: read on. What was looked through without finding any is left for the next page. */
static bool source_refill(struct listing *l, struct source *s, struct err *e)
{
	if (s->taken < s->n || s->n == 0 || !*s->next)
		return true;
	memcpy(s->cursor, s->next, sizeof s->cursor);
	return source_read(l, s, l->chunk, e);
}

/* 1 *out is the newest job not taken yet, good until the next call; 0 there is none; -1 failed. */
static int take_newest(struct listing *l, struct job **out, struct err *e)
{
	struct source *best = NULL;

	for (size_t i = 0; i < l->n_sources; i++) {
		struct source *s = &l->sources[i];

		if (!source_refill(l, s, e))
			return -1;
		if (s->taken < s->n && (!best || s->jobs[s->taken].created_at > best->jobs[best->taken].created_at))
			best = s;
	}
	if (best)
		*out = &best->jobs[best->taken++];
	return best != NULL;
}

/* Where this queue goes on; false with e: the queue failed. */
static bool source_advance(struct listing *l, struct source *s, struct err *e)
{
	if (s->taken == 0 && s->n > 0)
		return true;
	if (s->taken < s->n && !source_read(l, s, s->taken, e))
		return false;
	memcpy(s->cursor, s->next, sizeof s->cursor);
	return true;
}

static bool cursor_write(struct listing *l, struct buf *out, struct err *e)
{
	for (size_t i = 0; i < l->n_sources; i++) {
		struct source *s = &l->sources[i];
		bool ended = s->taken == s->n && !*s->next;

		if (ended)
			continue;
		if (!source_advance(l, s, e))
			return false;
		buf_addf(out, "%s%s=%s", out->len ? ";" : "", s->queue, s->cursor);
	}
	if (l->more)
		buf_addf(out, "%s>%s", out->len ? ";" : "", l->after);
	return true;
}

static void link_header(struct listing *l, const char *cursor)
{
	struct buf b = {0};

	buf_addf(&b, "</api/jobs?limit=%d", l->limit);
	if (l->kind)
		buf_addf(&b, "&kind=%s", l->kind);
	if (l->state >= 0)
		buf_addf(&b, "&state=%s", job_state_name((enum job_state)l->state));
	buf_adds(&b, "&cursor=");
	http_escape(&b, cursor);
	buf_adds(&b, ">; rel=\"next\"");
	reply_header(l->call, "Link", buf_text(&b));
	buf_close(&b);
}

static bool sources_read(struct listing *l, struct err *e)
{
	for (size_t i = 0; i < l->n_sources; i++)
		if (!source_read(l, &l->sources[i], l->chunk, e))
			return false;
	return true;
}

static void sources_close(struct listing *l)
{
	for (size_t i = 0; i < l->n_sources; i++)
		jobs_close(&l->sources[i]);
}

/* Was everything that these queues hold taken? */
static bool sources_ended(const struct listing *l)
{
	for (size_t i = 0; i < l->n_sources; i++)
		if (l->sources[i].taken < l->sources[i].n || *l->sources[i].next)
			return false;
	return true;
}

/* From the queues chosen, and when they are through, from those that come after them. */
static bool page_write(struct listing *l, struct json_writer *w, struct err *e)
{
	struct job *job;
	int n = 0, got = 1;

	l->chunk = l->n_sources == 1 && !l->more ? l->limit : (l->limit + 3) / 4; /* of many few are shown */
	if (l->n_sources == 0 && !sources_next(l, e))
		return false;
	while (sources_read(l, e)) {
		for (; n < l->limit && (got = take_newest(l, &job, e)) == 1; n++)
			job_to_json(job, w, NULL);
		if (got < 0)
			return false;
		if (n == l->limit || !l->more || !sources_ended(l))
			return true;
		sources_close(l);
		if (!sources_next(l, e))
			return false;
	}
	return false;
}

static void list_reply(struct listing *l)
{
	struct buf body = {0}, cursor = {0};
	struct json_writer w = json_writer_on(&body);
	struct err e = {0};

	jw_object(&w, NULL);
	jw_array(&w, "jobs");
	bool ok = page_write(l, &w, &e);
	jw_end(&w);
	ok = ok && cursor_write(l, &cursor, &e);
	jw_text(&w, "next_cursor", cursor.len ? buf_text(&cursor) : NULL);
	jw_end(&w);
	sources_close(l); /* before the answer: the arena under them ends with it */
	if (ok && cursor.len)
		link_header(l, buf_text(&cursor));
	if (ok)
		reply_json(l->call, 200, &body);
	else
		reply_err(l->call, &e, NULL);
	buf_close(&body);
	buf_close(&cursor);
}

void route_job_list(struct call *c)
{
	struct listing l = {.call = c};

	if (!choose_filter(&l) || !choose_sources(&l))
		return;
	l.queue = call_queue(c);
	if (l.queue)
		list_reply(&l);
}
