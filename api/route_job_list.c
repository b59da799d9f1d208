/* route_job_list.c -- GET /api/jobs: jobs newest first, of one queue or of all, page by page.
 *
 * The queue lists one queue at a time. Several are merged by creation time; the cursor then holds every queue's own, as
 * "queue=cursor;queue=cursor". A queue of which less was shown than read is asked again for just so much, to learn the cursor there.
 */
#include <string.h>

#include "api/context.h"
#include "api/input.h"
#include "api/reply.h"
#include "api/routes.h"
#include "base/str.h"
#include "http/client.h"
#include "kinds/kind.h"

#define SOURCES_MAX 16
#define CURSOR_SIZE 64

struct source {
	char queue[JOB_NAME];
	char cursor[CURSOR_SIZE], next[CURSOR_SIZE]; /* "": the beginning; the end */
	struct job *jobs;
	int n, taken;
};

struct listing {
	struct call *call;
	struct queue *queue;
	struct source sources[SOURCES_MAX];
	size_t n_sources;
	const char *kind;
	int state;
	int limit;
};

static bool source_add(struct listing *l, const char *queue, size_t queue_len, const char *cursor, size_t cursor_len)
{
	struct source *s = &l->sources[l->n_sources];

	if (l->n_sources == SOURCES_MAX || !str_copy_n(s->queue, sizeof s->queue, queue, queue_len) || !job_name_ok(s->queue) ||
	        !str_copy_n(s->cursor, sizeof s->cursor, cursor, cursor_len))
		return false;
	for (size_t i = 0; i < l->n_sources; i++)
		if (str_eq(l->sources[i].queue, s->queue))
			return true; /* named twice is named once */
	l->n_sources++;
	return true;
}

static bool sources_from_cursor(struct listing *l, const char *cursor)
{
	while (*cursor) {
		size_t len = strcspn(cursor, ";"), name = strcspn(cursor, "=");

		if (name >= len || !source_add(l, cursor, name, cursor + name + 1, len - name - 1))
			return false;
		cursor += len + (cursor[len] == ';');
	}
	return l->n_sources > 0;
}

static bool sources_from_kinds(struct listing *l)
{
	const struct kind *k;

	for (size_t i = 0; (k = kind_at(i)) != NULL; i++)
		if ((!l->kind || str_eq(l->kind, k->name)) && !source_add(l, k->queue, strlen(k->queue), "", 0))
			return false;
	return true;
}

/* Which queues, from where. False: answered. */
static bool choose_sources(struct listing *l)
{
	struct call *c = l->call;
	const char *queue = http_query(c->r, "queue"), *cursor = http_query(c->r, "cursor");
	bool ok;

	if (cursor && *cursor)
		ok = sources_from_cursor(l, cursor);
	else if (queue && *queue)
		ok = source_add(l, queue, strlen(queue), "", 0);
	else
		ok = sources_from_kinds(l);
	if (!ok)
		reply_detail(c, 422, cursor && *cursor ? "the cursor is none of ours; begin again without it" : "there is no such queue");
	return ok;
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
	s->n = 0;
}

static bool source_read(struct listing *l, struct source *s, int limit, struct err *e)
{
	s->jobs = arena_array(l->call->arena, (size_t)limit, sizeof *s->jobs);
	s->n = queue_list(l->queue, s->queue, l->kind, l->state, s->cursor, limit, s->jobs, s->next, e);
	if (s->n >= 0)
		return true;
	s->n = 0;
	return false;
}

/* The newest job not taken yet, or NULL. */
static struct job *take_newest(struct listing *l)
{
	struct source *best = NULL;

	for (size_t i = 0; i < l->n_sources; i++) {
		struct source *s = &l->sources[i];

		if (s->taken < s->n && (!best || s->jobs[s->taken].created_at > best->jobs[best->taken].created_at))
			best = s;
	}
	return best ? &best->jobs[best->taken++] : NULL;
}

/* Where this queue goes on; false with e: the queue failed. */
static bool source_advance(struct listing *l, struct source *s, struct err *e)
{
	if (s->taken == s->n || s->taken == 0) {
		if (s->taken == s->n)
			memcpy(s->cursor, s->next, sizeof s->cursor);
		return true;
	}
	struct source again = *s;
	bool ok = source_read(l, &again, s->taken, e);
	memcpy(s->cursor, again.next, sizeof s->cursor);
	jobs_close(&again);
	return ok;
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

static bool read_all(struct listing *l, struct err *e)
{
	for (size_t i = 0; i < l->n_sources; i++)
		if (!source_read(l, &l->sources[i], l->limit, e))
			return false;
	return true;
}

static void list_reply(struct listing *l)
{
	struct buf body = {0}, cursor = {0};
	struct json_writer w = json_writer_on(&body);
	struct err e = {0};
	struct job *job;
	bool ok = read_all(l, &e);

	jw_object(&w, NULL);
	jw_array(&w, "jobs");
	for (int i = 0; ok && i < l->limit && (job = take_newest(l)) != NULL; i++)
		job_to_json(job, &w, NULL);
	jw_end(&w);
	ok = ok && cursor_write(l, &cursor, &e);
	jw_text(&w, "next_cursor", cursor.len ? buf_text(&cursor) : NULL);
	jw_end(&w);
	for (size_t i = 0; i < l->n_sources; i++)
		jobs_close(&l->sources[i]); /* before the answer: the arena under them ends with it */
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
