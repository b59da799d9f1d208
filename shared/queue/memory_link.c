/* memory_link.c -- a dispatcher's link in memory: calls are done at once, and their answers taken when they are asked for. */
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "queue/memory_private.h"

struct queue_link *memory_link_open(const char *url, const struct queue_options *o, const char *queue, struct err *e)
{
	struct memory_store *store = memory_store_open(url, o->namespace_, e);
	struct memory_link *l;

	if (!store)
		return NULL;
	l = mem_new(sizeof(*l));
	l->store = store;
	l->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	l->wait_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	memory_enter(store);
	memory_queue_of(store, queue, true);
	l->next = store->links;
	store->links = l;
	memory_leave(store);
	return &l->head;
}

void memory_link_close(struct queue_link *base)
{
	struct memory_link *l = (struct memory_link *)base;
	struct memory_link **at = &l->store->links;

	memory_enter(l->store);
	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	memory_leave(l->store);
	memory_store_close(&l->store);
	queue_step_reply_close(&l->step);
	queue_renew_reply_close(&l->renewal);
	close(l->fd);
	close(l->wait_fd);
	mem_free(&l);
}

/* ---- how attempts end --------------------------------------------------------------------------------------------------- */

struct scene {
	struct memory_store *store;
	struct memory_queue *q;
	const struct queue_options *o;
	const char *worker;
	int64_t now, lease_ms;
};

static void to_end(const struct scene *c, struct memory_job *j, enum job_state to)
{
	memory_to_end(c->store, c->q, j, to, c->o, c->now);
}

static void crash(const struct scene *c, struct memory_job *j, const char *why)
{
	j->job.crashes++;
	if (j->job.cancel_asked) {
		to_end(c, j, JOB_CANCELLED);
	} else if (j->job.crashes > j->max_crashes) {
		err_set(&j->job.error, ERR_CRASHED, "poison: it crashed %d times; last: %s", j->job.crashes, why);
		to_end(c, j, JOB_DEAD);
	} else {
		memory_to_ready(c->store, c->q, j, true);
	}
}

static void fail(const struct scene *c, struct memory_job *j, const struct err *error)
{
	bool temporary = err_is_temporary(error->code);

	j->errors++;
	j->job.error = *error;
	if (!temporary)
		to_end(c, j, JOB_FAILED);
	else if (j->job.cancel_asked)
		to_end(c, j, JOB_CANCELLED);
	else if (j->errors >= j->job.max_attempts)
		to_end(c, j, JOB_DEAD);
	else
		memory_to_retrying(c->q, j,
		        c->now + (error->retry_after_ms > 0 ? error->retry_after_ms
		                                            : job_backoff_ms(j->errors, j->backoff_ms, j->backoff_cap_ms, 0.5)));
}

static void succeed(const struct scene *c, struct memory_job *j, const struct queue_ack *a)
{
	struct err too_long;

	if (queue_result_too_long(a, &too_long)) {
		fail(c, j, &too_long);
		return;
	}
	if (a->progress_json)
		queue_read_progress(a->progress_json, &j->job.progress);
	j->job.result = a->result && a->result[0] ? mem_strdup(a->result) : NULL;
	to_end(c, j, JOB_SUCCEEDED);
}

static void apply(const struct scene *c, struct memory_job *j, const struct queue_ack *a)
{
	switch (a->outcome) {
	case ACK_DONE:
		succeed(c, j, a);
		break;
	case ACK_ERROR:
		fail(c, j, &a->error);
		break;
	case ACK_CRASHED:
		crash(c, j, a->error.text);
		break;
	case ACK_GIVE_BACK:
		if (j->job.cancel_asked)
			to_end(c, j, JOB_CANCELLED);
		else
			memory_to_ready(c->store, c->q, j, true);
		break;
	case ACK_CANCELLED:
		to_end(c, j, JOB_CANCELLED);
		break;
	}
}

/* Does this worker hold the job under this fence? */
static struct memory_job *held(const struct scene *c, const char *id, int64_t fence)
{
	struct memory_job *j = memory_job_of(c->q, id);

	return j && j->job.state == JOB_RUNNING && j->job.fence == fence ? j : NULL;
}

static void add_id(char (*ids)[JOB_ID], size_t *n, const char *id)
{
	memcpy(ids[(*n)++], id, strlen(id) + 1);
}

/* ---- time ------------------------------------------------------------------------------------------------------------------ */

static struct memory_worker *worker_of(struct memory_queue *q, const char *name)
{
	struct memory_worker *w = q->workers;

	while (w && !str_eq(w->name, name))
		w = w->next;
	if (!w) {
		w = mem_new(sizeof(*w));
		memcpy(w->name, name, strlen(name)); /* shorter than the field: checked before */
		w->next = q->workers;
		q->workers = w;
	}
	return w;
}

static bool is_dead(struct memory_queue *q, const char *worker, int64_t now)
{
	return worker_of(q, worker)->alive_until <= now;
}

/* As keep_time() and reap() in barque.lua. */
static void reap(const struct scene *c)
{
	if (c->q->heard_at && c->now - c->q->heard_at > MEMORY_SILENCE_MS)
		c->q->silence_end = c->now;
	c->q->heard_at = c->now;
	for (struct memory_job *j = c->q->jobs; j; j = j->next) {
		if (j->job.state != JOB_RUNNING)
			continue;
		if (str_eq(j->job.worker, c->worker)) {
			if (j->job.lease_until <= c->now && c->now >= c->q->silence_end + c->lease_ms)
				crash(c, j, "its lease ended");
		} else if (c->now >= c->q->silence_end + MEMORY_GRACE_MS && is_dead(c->q, j->job.worker, c->now)) {
			crash(c, j, "its worker died");
		}
	}
	worker_of(c->q, c->worker)->alive_until = c->now + MEMORY_ALIVE_MS;
}

static void promote(const struct scene *c)
{
	for (struct memory_job *j = c->q->jobs; j; j = j->next)
		if ((j->job.state == JOB_SCHEDULED || j->job.state == JOB_RETRYING) && j->job.run_at <= c->now)
			memory_to_ready(c->store, c->q, j, false);
}

static int64_t next_due(const struct scene *c)
{
	int64_t due = -1;

	for (const struct memory_job *j = c->q->jobs; j; j = j->next)
		if ((j->job.state == JOB_SCHEDULED || j->job.state == JOB_RETRYING) && (due < 0 || j->job.run_at < due))
			due = j->job.run_at;
	return due < 0 ? -1 : due > c->now ? due - c->now : 0;
}

/* ---- claims ------------------------------------------------------------------------------------------------------------------ */

static bool serves(const struct queue_link *l, const char *kind)
{
	for (size_t i = 0; i < l->n_kinds; i++)
		if (str_eq(l->kinds[i], kind))
			return true;
	return false;
}

static struct memory_lane *next_lane(const struct memory_link *l, const struct memory_queue *q)
{
	struct memory_lane *best = NULL;

	if (q->paused_at)
		return NULL;
	for (struct memory_lane *lane = q->lanes; lane; lane = lane->next)
		if (lane->jobs && serves(&l->head, lane->kind) &&
		        (!best || lane->priority < best->priority || (lane->priority == best->priority && lane->at < best->at)))
			best = lane;
	return best;
}

static struct memory_job *first_of(const struct memory_queue *q, const struct memory_lane *lane)
{
	struct memory_job *best = NULL;

	for (struct memory_job *j = q->jobs; j; j = j->next)
		if (j->job.state == JOB_READY && j->job.priority == lane->priority && str_eq(j->job.kind, lane->kind) &&
		        str_eq(j->lane, lane->name) && (!best || j->order < best->order))
			best = j;
	return best;
}

static void claim(struct memory_link *l, const struct scene *c, int want)
{
	struct memory_lane *lane;

	l->step.claims = mem_array(want ? (size_t)want : 1, sizeof(*l->step.claims));
	while (l->step.n_claims < (size_t)want && (lane = next_lane(l, c->q))) {
		struct memory_job *j = first_of(c->q, lane);

		memory_to_running(c->q, j, c->worker, c->lease_ms, c->now);
		memory_copy_job(j, &l->step.claims[l->step.n_claims++].job);
	}
	lane = next_lane(l, c->q);
	l->step.more = lane != NULL;
	if (lane)
		memory_wake(c->store, c->q->name, lane->kind);
}

/* ---- calls ------------------------------------------------------------------------------------------------------------------- */

static struct scene scene_of(struct memory_link *l, int64_t lease_ms)
{
	return (struct scene){.store = l->store,
	        .q = memory_queue_of(l->store, l->head.queue, true),
	        .o = &l->head.options,
	        .worker = l->head.worker,
	        .now = clock_now_ms(),
	        .lease_ms = lease_ms};
}

bool memory_step_begin(struct queue_link *base, const struct queue_step *s, struct err *e)
{
	struct memory_link *l = (struct memory_link *)base;
	struct scene c;

	if (l->stepping || l->renewing)
		return err_set(e, ERR_CONFLICT, "a call is under way on this link");
	memory_enter(l->store);
	c = scene_of(l, s->lease_ms);
	l->step.rejected = mem_array(s->n_acks ? s->n_acks : 1, sizeof(*l->step.rejected));
	for (size_t i = 0; i < s->n_acks; i++) {
		struct memory_job *j = held(&c, s->acks[i].id, s->acks[i].fence);

		if (j && str_eq(j->job.worker, c.worker))
			apply(&c, j, &s->acks[i]);
		else
			add_id(l->step.rejected, &l->step.n_rejected, s->acks[i].id);
	}
	reap(&c);
	promote(&c);
	memory_purge(c.q, c.now);
	claim(l, &c, s->want);
	l->step.next_due_ms = next_due(&c);
	l->stepping = true;
	memory_leave(l->store);
	eventfd_write(l->fd, 1);
	return true;
}

static void taken(const struct memory_link *l)
{
	eventfd_t n;

	eventfd_read(l->fd, &n);
}

int memory_step_end(struct queue_link *base, struct queue_step_reply *out, struct err *e)
{
	struct memory_link *l = (struct memory_link *)base;

	if (!l->stepping)
		return err_fail(e, ERR_CONFLICT, "no step is under way on this link");
	taken(l);
	*out = l->step;
	memset(&l->step, 0, sizeof(l->step));
	l->stepping = false;
	return 1;
}

bool memory_renew_begin(struct queue_link *base, const struct queue_renewal *items, size_t n, int64_t lease_ms, struct err *e)
{
	struct memory_link *l = (struct memory_link *)base;
	struct scene c;

	if (l->stepping || l->renewing)
		return err_set(e, ERR_CONFLICT, "a call is under way on this link");
	memory_enter(l->store);
	c = scene_of(l, lease_ms);
	l->renewal.lost = mem_array(n ? n : 1, sizeof(*l->renewal.lost));
	l->renewal.cancel = mem_array(n ? n : 1, sizeof(*l->renewal.cancel));
	for (size_t i = 0; i < n; i++) {
		struct memory_job *j = held(&c, items[i].id, items[i].fence);

		if (!j) {
			add_id(l->renewal.lost, &l->renewal.n_lost, items[i].id);
			continue;
		}
		j->job.lease_until = c.now + lease_ms;
		if (items[i].progress_json) {
			queue_read_progress(items[i].progress_json, &j->job.progress);
			j->job.rev++;
		}
		if (j->job.cancel_asked)
			add_id(l->renewal.cancel, &l->renewal.n_cancel, items[i].id);
	}
	reap(&c);
	l->renewing = true;
	memory_leave(l->store);
	eventfd_write(l->fd, 1);
	return true;
}

int memory_renew_end(struct queue_link *base, struct queue_renew_reply *out, struct err *e)
{
	struct memory_link *l = (struct memory_link *)base;

	if (!l->renewing)
		return err_fail(e, ERR_CONFLICT, "no renewal is under way on this link");
	taken(l);
	*out = l->renewal;
	memset(&l->renewal, 0, sizeof(l->renewal));
	l->renewing = false;
	return 1;
}

static bool anything_ready(const struct memory_link *l)
{
	struct memory_queue *q = memory_queue_of(l->store, l->head.queue, false);

	return q && next_lane(l, q);
}

bool memory_wait_begin(struct queue_link *base, int64_t max_ms, struct err *e)
{
	struct memory_link *l = (struct memory_link *)base;
	struct itimerspec t = {.it_value = {.tv_sec = max_ms / 1000, .tv_nsec = max_ms % 1000 * 1000000}};

	UNUSED(e);
	memory_enter(l->store);
	if (anything_ready(l))
		t = (struct itimerspec){.it_value = {.tv_nsec = 1}};
	if (!l->waiting)
		timerfd_settime(l->wait_fd, 0, &t, NULL);
	l->waiting = true;
	memory_leave(l->store);
	return true;
}

int memory_wait_end(struct queue_link *base, struct err *e)
{
	struct memory_link *l = (struct memory_link *)base;
	uint64_t times;

	if (!l->waiting)
		return err_fail(e, ERR_CONFLICT, "this link does not wait");
	if (read(l->wait_fd, &times, sizeof(times)) != sizeof(times))
		return 0;
	memory_enter(l->store);
	l->waiting = false;
	memory_leave(l->store);
	return 1;
}

int memory_link_fd(const struct queue_link *base)
{
	return ((const struct memory_link *)base)->fd;
}

int memory_link_wait_fd(const struct queue_link *base)
{
	return ((const struct memory_link *)base)->wait_fd;
}
