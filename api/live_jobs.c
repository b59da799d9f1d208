/* live_jobs.c -- live streams of single jobs: which of those followed have changed, and how they stand now. */
#include "api/live_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define SHOWN_AT_ONCE 16 /* each may bring a megabyte of result */

struct ids {
	char (*at)[JOB_ID];
	size_t n;
};

static int by_id(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The ids that somebody follows and has room for, each once, in order: those of a queue stand together. */
static struct ids followed(struct live *l)
{
	struct ids ids = {0};
	size_t kept = 0;

	pthread_mutex_lock(&l->lock);
	ids.at = mem_array(l->count[LIVE_JOB] + 1, sizeof *ids.at);
	for (const struct live_listener *x = l->first; x; x = x->next)
		if (x->what == LIVE_JOB && !x->over && x->out.len == 0)
			memcpy(ids.at[ids.n++], x->id, JOB_ID);
	pthread_mutex_unlock(&l->lock);
	qsort(ids.at, ids.n, sizeof *ids.at, by_id);
	for (size_t i = 0; i < ids.n; i++)
		if (i == 0 || !str_eq(ids.at[i], ids.at[kept - 1]))
			memmove(ids.at[kept++], ids.at[i], JOB_ID);
	ids.n = kept;
	return ids;
}

/* From `from` on, how many are of one queue and fit into one call. */
static size_t batch_of(const struct ids *ids, size_t from, size_t max)
{
	char first[JOB_NAME], queue[JOB_NAME];
	int first_shard, shard;
	size_t n = 1;

	if (!job_id_parse(ids->at[from], first, &first_shard))
		return 1;
	while (n < max && from + n < ids->n && job_id_parse(ids->at[from + n], queue, &shard) && shard == first_shard &&
	        str_eq(queue, first))
		n++;
	return n;
}

static bool is_news(struct live *l, const char *id, int64_t rev)
{
	bool news = false;

	pthread_mutex_lock(&l->lock);
	for (const struct live_listener *x = l->first; x && !news; x = x->next)
		news = x->what == LIVE_JOB && !x->over && x->out.len == 0 && x->rev != rev && str_eq(x->id, id);
	pthread_mutex_unlock(&l->lock);
	return news;
}

/* Of those given, keep the ones of which somebody has not the latest revision. */
static bool keep_news(struct live *l, struct ids *ids, struct err *e)
{
	int64_t revs[QUEUE_BATCH_MAX];
	size_t kept = 0;

	for (size_t i = 0, n; i < ids->n; i += n) {
		n = batch_of(ids, i, QUEUE_BATCH_MAX);
		if (!queue_revisions(l->queue, (const char(*)[JOB_ID])(ids->at + i), n, revs, e))
			return false;
		for (size_t k = 0; k < n; k++)
			if (revs[k] == 0 || is_news(l, ids->at[i + k], revs[k]))
				memmove(ids->at[kept++], ids->at[i + k], JOB_ID);
	}
	ids->n = kept;
	return true;
}

/* To everybody who follows this job and does not know it so; job->id is empty when it is no longer kept. */
static void deliver(struct live *l, const char *id, const struct job *job)
{
	struct buf event = {0}, json = {0};
	char rev[24];
	bool end = !job->id[0] || job_state_is_end(job->state);

	if (job->id[0]) {
		struct json_writer w = json_writer_on(&json);

		job_to_json(job, &w, NULL);
		snprintf(rev, sizeof rev, "%lld", (long long)job->rev);
		live_event(&event, rev, "job", buf_text(&json));
	}
	pthread_mutex_lock(&l->lock);
	for (struct live_listener *x = l->first; x; x = x->next) {
		if (x->what != LIVE_JOB || x->over || x->out.len || !str_eq(x->id, id))
			continue;
		if (!job->id[0])
			live_gone(&x->out, "the job is no longer kept");
		else if (x->rev != job->rev)
			buf_add(&x->out, event.data, event.len);
		x->rev = job->rev;
		if (end && job->id[0])
			live_event_end(&x->out, job->state);
		x->over = end;
	}
	pthread_mutex_unlock(&l->lock);
	buf_close(&event);
	buf_close(&json);
}

static bool show_news(struct live *l, const struct ids *ids, struct err *e)
{
	struct job jobs[SHOWN_AT_ONCE];

	for (size_t i = 0, n; i < ids->n; i += n) {
		n = batch_of(ids, i, SHOWN_AT_ONCE);
		if (!queue_show_many(l->queue, (const char(*)[JOB_ID])(ids->at + i), n, jobs, e))
			return false;
		for (size_t k = 0; k < n; k++) {
			deliver(l, ids->at[i + k], &jobs[k]);
			job_close(&jobs[k]);
		}
	}
	return true;
}

bool live_jobs_round(struct live *l, struct err *e)
{
	struct ids ids = followed(l);
	bool ok = ids.n == 0 || (keep_news(l, &ids, e) && show_news(l, &ids, e));

	mem_free(&ids.at);
	return ok;
}
