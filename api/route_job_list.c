/* route_job_list.c -- GET /api/jobs: jobs newest first, of one queue or of all, page by page.
 *
 * Several queues are merged by creation time; the cursor then holds every queue's own, as "queue=cursor;queue=cursor". A queue of which less
 * was shown than read is asked again for just so much, to learn the cursor there. All that are asked are asked together.
 *
 * A filter that fits few jobs makes it read on in search of them, until it has looked LOOKS_MAX times: then the page ends where it is, and its
 * cursor goes on there.
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

#define SOURCES_MAX 32
#define CURSOR_SIZE 64
#define LOOKS_MAX   256 /* at up to QUEUE_BATCH_MAX jobs of a queue each; docs/http.md says the product */

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
	int looks; /* left */
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
	if (l->kind && !job_name_ok(l->kind)) { /* one that is not known here may still have jobs, of a newer program or an older */
		reply_detail(c, 422, "there can be no kind '%s'; GET /api/kinds lists the kinds", reply_excerpt(c, l->kind));
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

/* Which of the sources are asked, and for how many jobs at most; 0: this one is not. */
typedef int which_source(const struct listing *l, const struct source *s);

/* Those from s->cursor on, in place of what was read before: n, all together. */
static bool read_these(struct listing *l, struct source *const *sources, const int *limits, size_t n, struct err *e)
{
	struct queue_page pages[SOURCES_MAX];

	for (size_t i = 0; i < n; i++) {
		struct source *s = sources[i];

		jobs_close(s);
		if (!s->jobs)
			s->jobs = arena_array(l->call->arena, (size_t)l->chunk, sizeof *s->jobs);
		pages[i] = (struct queue_page){.queue = s->queue, .cursor = s->cursor, .limit = limits[i], .jobs = s->jobs};
	}
	if (!queue_lists(l->queue, l->kind, l->state, pages, n, &l->looks, e))
		return false;
	for (size_t i = 0; i < n; i++) {
		sources[i]->n = pages[i].n;
		memcpy(sources[i]->cursor, pages[i].from, CURSOR_SIZE);
		memcpy(sources[i]->next, pages[i].next, CURSOR_SIZE);
	}
	return true;
}

/* How many that were; -1 failed. */
static int sources_read(struct listing *l, which_source *which, struct err *e)
{
	struct source *sources[SOURCES_MAX];
	int limits[SOURCES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < l->n_sources; i++) {
		int limit = which(l, &l->sources[i]);

		if (limit) {
			sources[n] = &l->sources[i];
			limits[n++] = limit;
		}
	}
	return n == 0 || read_these(l, sources, limits, n, e) ? (int)n : -1;
}

static int whole_chunk(const struct listing *l, const struct source *s)
{
	UNUSED(s);
	return l->chunk;
}

/* All that was read of it was taken, and there is more. */
static int chunk_when_empty(const struct listing *l, const struct source *s)
{
	return s->taken == s->n && *s->next && l->looks > 0 ? l->chunk : 0;
}

static bool sources_refill(struct listing *l, struct err *e)
{
	int n;

	do {
		for (size_t i = 0; i < l->n_sources; i++)
			if (chunk_when_empty(l, &l->sources[i]))
				memcpy(l->sources[i].cursor, l->sources[i].next, CURSOR_SIZE);
		n = sources_read(l, chunk_when_empty, e);
	} while (n > 0);
	return n == 0;
}

/* 1 *out is the newest job not taken yet, good until the next call; 0 there is none; -1 failed. */
static int take_newest(struct listing *l, struct job **out, struct err *e)
{
	struct source *best = NULL;

	if (!sources_refill(l, e))
		return -1;
	for (size_t i = 0; i < l->n_sources; i++) {
		struct source *s = &l->sources[i];

		if (s->taken < s->n && (!best || s->jobs[s->taken].created_at > best->jobs[best->taken].created_at))
			best = s;
	}
	if (best)
		*out = &best->jobs[best->taken++];
	return best != NULL;
}

/* Less was taken of it than was read, but some: the cursor after that is learned by reading just so much. */
static int what_was_taken(const struct listing *l, const struct source *s)
{
	UNUSED(l);
	return s->taken < s->n ? s->taken : 0;
}

/* Where this queue goes on: nothing of it was shown, or all that was read. */
static void cursor_add(const struct source *s, struct buf *out)
{
	const char *cursor = s->taken == 0 && s->n > 0 ? s->cursor : s->next;

	if (s->taken < s->n || *s->next)
		buf_addf(out, "%s%s=%s", out->len ? ";" : "", s->queue, cursor);
}

static bool cursor_write(struct listing *l, struct buf *out, struct err *e)
{
	bool again[SOURCES_MAX];

	for (size_t i = 0; i < l->n_sources; i++)
		again[i] = what_was_taken(l, &l->sources[i]) > 0;
	if (sources_read(l, what_was_taken, e) < 0)
		return false;
	for (size_t i = 0; i < l->n_sources; i++) {
		if (again[i])
			l->sources[i].taken = l->sources[i].n;
		cursor_add(&l->sources[i], out);
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
	while (sources_read(l, whole_chunk, e) >= 0) {
		for (; n < l->limit && (got = take_newest(l, &job, e)) == 1; n++)
			job_to_json(job, w, NULL);
		if (got < 0)
			return false;
		if (n == l->limit || !l->more || !sources_ended(l) || l->looks <= 0)
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
	struct listing l = {.call = c, .looks = LOOKS_MAX};

	if (!choose_filter(&l) || !choose_sources(&l))
		return;
	l.queue = call_queue(c);
	if (l.queue)
		list_reply(&l);
}
