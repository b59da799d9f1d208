/* memory_store.c -- stores that live in this process, and the moves of their jobs; barque.lua does the same in Redis. */
#include <assert.h>
#include <string.h>
#include <sys/timerfd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "queue/memory_private.h"

/* ---- stores ----------------------------------------------------------------------------------------------------------- */

/* The only list that outlives its handles: memory:NAME means the same store to all who name it. */
static struct memory_store **registry(pthread_mutex_t **lock_out)
{
	static struct memory_store *stores;
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	*lock_out = &lock;
	return &stores;
}

static struct memory_store *find_or_make(struct memory_store **stores, const char *name, const char *ns)
{
	struct memory_store *s;

	for (s = *stores; s; s = s->next)
		if (str_eq(s->name, name) && str_eq(s->ns, ns))
			return s;
	s = mem_new(sizeof(*s));
	if (!str_copy(s->name, sizeof(s->name), name) || !str_copy(s->ns, sizeof(s->ns), ns))
		assert(!"memory names are checked before");
	pthread_mutex_init(&s->lock, NULL);
	s->next = *stores;
	*stores = s;
	return s;
}

struct memory_store *memory_store_open(const char *url, const char *ns, struct err *e)
{
	pthread_mutex_t *lock;
	struct memory_store **stores = registry(&lock);
	struct memory_store *s;
	const char *name = url + strlen("memory:");

	if (!str_is_name(name, sizeof(s->name) - 1, "_.-")) {
		err_set(e, ERR_INVALID, "a queue in memory is named memory:NAME, with A-Z a-z 0-9 _ . - in it, not %.40s", url);
		return NULL;
	}
	pthread_mutex_lock(lock);
	s = find_or_make(stores, name, ns);
	s->users++;
	pthread_mutex_unlock(lock);
	return s;
}

static void free_queue(struct memory_queue *q)
{
	for (struct memory_job *j = q->jobs, *next; j; j = next) {
		next = j->next;
		job_close(&j->job);
		mem_free(&j);
	}
	for (struct memory_lane *l = q->lanes, *next; l; l = next) {
		next = l->next;
		mem_free(&l);
	}
	for (struct memory_worker *w = q->workers, *next; w; w = next) {
		next = w->next;
		mem_free(&w);
	}
	for (struct memory_key *k = q->keys, *next; k; k = next) {
		next = k->next;
		mem_free(&k);
	}
	mem_free(&q);
}

static void free_store(struct memory_store *s)
{
	for (struct memory_queue *q = s->queues, *next; q; q = next) {
		next = q->next;
		free_queue(q);
	}
	for (struct memory_budget *b = s->budgets, *next; b; b = next) {
		next = b->next;
		mem_free(&b);
	}
	pthread_mutex_destroy(&s->lock);
	mem_free(&s);
}

/* Its jobs go with its last user. */
void memory_store_close(struct memory_store **s)
{
	pthread_mutex_t *lock;
	struct memory_store **at = registry(&lock);

	pthread_mutex_lock(lock);
	if (--(*s)->users == 0) {
		while (*at != *s)
			at = &(*at)->next;
		*at = (*s)->next;
		free_store(*s);
	}
	pthread_mutex_unlock(lock);
	*s = NULL;
}

void memory_enter(struct memory_store *s)
{
	pthread_mutex_lock(&s->lock);
}

void memory_leave(struct memory_store *s)
{
	pthread_mutex_unlock(&s->lock);
}

struct memory_queue *memory_queue_of(struct memory_store *s, const char *name, bool make)
{
	struct memory_queue *q;

	for (q = s->queues; q; q = q->next)
		if (str_eq(q->name, name))
			return q;
	if (!make)
		return NULL;
	q = mem_new(sizeof(*q));
	if (!str_copy(q->name, sizeof(q->name), name))
		assert(!"names of queues are checked before");
	q->next = s->queues;
	s->queues = q;
	return q;
}

struct memory_job *memory_job_of(struct memory_queue *q, const char *id)
{
	for (struct memory_job *j = q ? q->jobs : NULL; j; j = j->next)
		if (str_eq(j->job.id, id))
			return j;
	return NULL;
}

void memory_purge(struct memory_queue *q, int64_t now)
{
	for (struct memory_job **at = &q->jobs; *at;) {
		struct memory_job *j = *at;

		if (!j->vanishes_at || j->vanishes_at > now) {
			at = &j->next;
			continue;
		}
		*at = j->next;
		job_close(&j->job);
		mem_free(&j);
	}
	for (struct memory_key **at = &q->keys; *at;) {
		struct memory_key *k = *at;

		if (k->vanishes_at > now) {
			at = &k->next;
			continue;
		}
		*at = k->next;
		mem_free(&k);
	}
}

/* ---- lanes ------------------------------------------------------------------------------------------------------------ */

static struct memory_lane *lane_of(struct memory_queue *q, const struct memory_job *j)
{
	struct memory_lane *l;

	for (l = q->lanes; l; l = l->next)
		if (l->priority == j->job.priority && str_eq(l->kind, j->job.kind) && str_eq(l->name, j->lane))
			return l;
	l = mem_new(sizeof(*l));
	l->priority = j->job.priority;
	if (!str_copy(l->kind, sizeof(l->kind), j->job.kind) || !str_copy(l->name, sizeof(l->name), j->lane))
		assert(!"kinds and lanes are checked before");
	l->next = q->lanes;
	q->lanes = l;
	return l;
}

static bool serves(const struct queue_link *l, const char *queue, const char *kind)
{
	for (size_t i = 0; i < l->n_kinds; i++)
		if (str_eq(l->kinds[i], kind))
			return str_eq(l->queue, queue);
	return false;
}

void memory_wake(struct memory_store *s, const char *queue, const char *kind)
{
	struct itimerspec at_once = {.it_value = {.tv_nsec = 1}};

	for (struct memory_link *l = s->links; l; l = l->next)
		if (l->waiting && serves(&l->head, queue, kind)) {
			timerfd_settime(l->wait_fd, 0, &at_once, NULL);
			return;
		}
}

void memory_line_up(struct memory_store *s, struct memory_queue *q, struct memory_job *j, bool front)
{
	struct memory_lane *l = lane_of(q, j);

	if (!l->jobs++)
		l->at = q->service[l->priority];
	j->order = front ? --q->front : ++q->back;
	memory_wake(s, q->name, j->job.kind);
}

/* ---- moves ------------------------------------------------------------------------------------------------------------- */

static void move(struct memory_queue *q, struct memory_job *j, enum job_state to)
{
	struct err e;

	if (j->job.state == JOB_READY)
		lane_of(q, j)->jobs--;
	if (!job_move(&j->job, to, &e))
		assert(!"the drawing in job.h has no such arrow");
}

void memory_to_ready(struct memory_store *s, struct memory_queue *q, struct memory_job *j, bool front)
{
	move(q, j, JOB_READY);
	j->job.lease_until = 0;
	j->vanishes_at = 0;
	memory_line_up(s, q, j, front);
}

void memory_prioritize(struct memory_store *s, struct memory_queue *q, struct memory_job *j, int priority)
{
	if (j->job.priority == priority)
		return;
	if (j->job.state == JOB_READY)
		lane_of(q, j)->jobs--;
	j->job.priority = priority;
	j->job.rev++;
	if (j->job.state == JOB_READY)
		memory_line_up(s, q, j, false);
}

void memory_to_running(struct memory_queue *q, struct memory_job *j, const char *worker, int64_t lease_ms, int64_t now)
{
	struct memory_lane *l = lane_of(q, j);
	int64_t now_us = now * 1000;

	if (q->service[l->priority] < l->at)
		q->service[l->priority] = l->at;
	l->at++;
	move(q, j, JOB_RUNNING);
	q->fence = q->fence < now_us ? now_us : q->fence + 1;
	j->job.fence = q->fence;
	j->job.started_at = now;
	j->job.lease_until = now + lease_ms;
	if (!str_copy(j->job.worker, sizeof(j->job.worker), worker))
		assert(!"names of workers are checked before");
}

void memory_to_retrying(struct memory_queue *q, struct memory_job *j, int64_t due)
{
	move(q, j, JOB_RETRYING);
	j->job.lease_until = 0;
	j->job.run_at = due;
}

void memory_to_end(
        struct memory_store *s, struct memory_queue *q, struct memory_job *j, enum job_state to, const struct queue_options *o, int64_t now)
{
	int64_t ttl = to == JOB_FAILED || to == JOB_DEAD ? o->dead_ttl_ms : o->result_ttl_ms;

	move(q, j, to);
	j->job.lease_until = 0;
	j->job.finished_at = now;
	j->vanishes_at = now + ttl;
	q->done++;
	if (j->watched)
		memory_publish(s, j->job.id, to);
}

void memory_copy_job(const struct memory_job *from, struct job *to)
{
	*to = from->job;
	to->params = mem_strdup(from->job.params);
	to->result = from->job.result ? mem_strdup(from->job.result) : NULL;
	to->attempt = from->errors + (to->state == JOB_RUNNING || to->state == JOB_SUCCEEDED);
	if (!to->run_at)
		to->run_at = to->created_at;
}
