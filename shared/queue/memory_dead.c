/* memory_dead.c -- dead letters in memory: look for them, replay or delete them. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "queue/memory_private.h"

/* Where a walk stands: behind this job, by its end and then by its id. A cursor is the same as text, as in Redis. */
struct place {
	int64_t ended;
	char tail[QUEUE_TAIL + 1];
};

static bool place_read(const char *cursor, struct place *out)
{
	size_t digits = strcspn(cursor, ":");
	char number[24];

	*out = (struct place){.ended = INT64_MAX};
	if (!cursor[0])
		return true;
	return cursor[digits] && str_copy_n(number, sizeof(number), cursor, digits) && str_int(number, 0, INT64_MAX, &out->ended) &&
	       str_copy(out->tail, sizeof(out->tail), cursor + digits + 1);
}

static bool is_before(const struct place *p, const struct memory_job *j)
{
	return j->job.finished_at < p->ended || (j->job.finished_at == p->ended && strcmp(queue_tail(j->job.id), p->tail) < 0);
}

static bool matches(const struct memory_job *j, const struct queue_dead_filter *f)
{
	char error[480];

	if (j->job.state != f->state || (f->kind && !str_eq(j->job.kind, f->kind)) || j->job.finished_at < f->from_ms ||
	        (f->to_ms && j->job.finished_at > f->to_ms))
		return false;
	snprintf(error, sizeof(error), "%s %s", err_name(j->job.error.code), j->job.error.text);
	return !f->error || strcasestr(error, f->error);
}

/* The latest ended behind the place, which moves there; NULL: there is none. */
static struct memory_job *next_dead(struct memory_queue *q, const struct queue_dead_filter *f, struct place *p)
{
	struct memory_job *best = NULL;

	for (struct memory_job *j = q ? q->jobs : NULL; j; j = j->next)
		if (matches(j, f) && is_before(p, j) &&
		        (!best || j->job.finished_at > best->job.finished_at ||
		                (j->job.finished_at == best->job.finished_at && strcmp(j->job.id, best->job.id) > 0)))
			best = j;
	if (best) {
		p->ended = best->job.finished_at;
		memcpy(p->tail, queue_tail(best->job.id), sizeof(p->tail));
	}
	return best;
}

static void place_write(const struct place *p, bool more, char out[64])
{
	out[0] = '\0';
	if (more)
		snprintf(out, 64, "%lld:%s", (long long)p->ended, p->tail);
}

static bool any_more(struct memory_queue *q, const struct queue_dead_filter *f, struct place p)
{
	return next_dead(q, f, &p) != NULL;
}

static struct memory_queue *queue_of(struct memory_store *s, const char *name)
{
	struct memory_queue *q = memory_queue_of(s, name, false);

	if (q)
		memory_purge(q, clock_now_ms());
	return q;
}

int memory_dead_list(struct queue *base, const struct queue_dead_filter *f, const char *cursor, int limit, struct job *jobs,
        char next_out[64], struct err *e)
{
	struct memory_store *s = ((struct memory_handle *)base)->store;
	struct memory_queue *q;
	struct memory_job *j;
	struct place p;
	int n = 0;

	if (!place_read(cursor, &p))
		return err_fail(e, ERR_INVALID, "that is no cursor of ours");
	memory_enter(s);
	q = queue_of(s, f->queue);
	while (n < limit && (j = next_dead(q, f, &p)))
		memory_copy_job(j, &jobs[n++]);
	place_write(&p, any_more(q, f, p), next_out);
	memory_leave(s);
	return n;
}

static void delete_job(struct memory_queue *q, struct memory_job *j)
{
	struct memory_job **at = &q->jobs;

	while (*at != j)
		at = &(*at)->next;
	*at = j->next;
	job_close(&j->job);
	mem_free(&j);
}

int memory_dead_act(struct queue *base, enum queue_dead_act act, const struct queue_dead_filter *f, const char *cursor, int limit,
        int *skipped_out, char next_out[64], struct err *e)
{
	struct memory_store *s = ((struct memory_handle *)base)->store;
	struct memory_queue *q;
	struct memory_job *j;
	struct place p;
	int done = 0;

	*skipped_out = 0;
	if (!place_read(cursor, &p))
		return err_fail(e, ERR_INVALID, "that is no cursor of ours");
	memory_enter(s);
	q = queue_of(s, f->queue);
	while (done < limit && (j = next_dead(q, f, &p))) {
		bool replayed = act == QUEUE_DEAD_REPLAY && memory_replay(s, q, j) == ACT_DONE;

		if (act == QUEUE_DEAD_DELETE)
			delete_job(q, j);
		*skipped_out += act == QUEUE_DEAD_REPLAY && !replayed;
		done += act == QUEUE_DEAD_DELETE || replayed;
	}
	place_write(&p, any_more(q, f, p), next_out);
	memory_leave(s);
	return done;
}
