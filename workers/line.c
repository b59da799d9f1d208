/* line.c -- the link to one shard of a queue: steps, renewals and waits without ever blocking, and patience when the server is away. */
#include "workers/line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/mem.h"

#define REMARKS_MAX  4096 /* that wait, of one queue */
#define RETRY_MS     100
#define RETRY_MAX_MS 1000

struct remark {
	struct queue_remark what;
	int64_t said_ms;
};

static bool route_add(struct line *l, const char *kind, int version, bool quarantined, struct err *e)
{
	if (l->n_routes == LINE_ROUTES)
		return err_set(e, ERR_INTERNAL, "the kinds of queue %s have more than %d versions", l->queue, LINE_ROUTES);
	job_route(l->routes[l->n_routes++], kind, version, quarantined);
	return true;
}

static bool version_add(struct line *l, const struct kind *k, int version, struct err *e)
{
	enum quarantine serves = l->settings->quarantine;
	return (serves == QUARANTINE_ONLY || route_add(l, k->name, version, false, e)) &&
	       (serves == QUARANTINE_NO || route_add(l, k->name, version, true, e));
}

struct versions {
	int oldest, newest;
};

/* The kind's own; a test may have a worker of another age: BARQUE_VERSIONS="oldest:newest". */
static struct versions versions_of(const struct kind *k)
{
	struct versions v = {kind_oldest(k), k->version};
#ifdef BARQUE_FAILPOINTS
	const char *text = getenv("BARQUE_VERSIONS");
	if (text != NULL && sscanf(text, "%d:%d", &v.oldest, &v.newest) != 2)
		abort();
#endif
	return v;
}

static bool routes_add(struct line *l, const struct kind *k, struct err *e)
{
	struct versions v = versions_of(k);
	for (int version = v.oldest; version <= v.newest; version++)
		if (!version_add(l, k, version, e))
			return false;
	return version_add(l, k, 0, e); /* jobs of which nobody said which version they are */
}

bool line_open(struct line *l, const struct settings *s, const char *queue, int shard, struct err *e)
{
	memset(l, 0, sizeof(*l));
	l->settings = s;
	l->shard = shard;
	l->hungry = true;
	l->is_short = true;
	l->weight = settings_weight(s, queue);
	if (!str_copy(l->queue, sizeof(l->queue), queue))
		return err_set(e, ERR_INVALID, "the name of queue \"%s\" is too long", queue);
	const struct kind *k;
	for (size_t i = 0; (k = kind_at(i)) != NULL; i++) {
		if (!str_eq(k->queue, queue))
			continue;
		if (!routes_add(l, k, e))
			return false;
		l->is_short = l->is_short && k->is_short;
	}
	return true;
}

static void acks_drop(struct line *l, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		mem_free(&l->acks[i].result);
		mem_free(&l->acks[i].progress_json);
	}
	if (n > 0)
		memmove(l->acks, l->acks + n, (l->n_acks - n) * sizeof(*l->acks));
	l->n_acks -= n;
}

static void remarks_drop(struct line *l, size_t n)
{
	for (size_t i = 0; i < n; i++)
		mem_free(&l->remarks[i].what.text);
	if (n > 0)
		memmove(l->remarks, l->remarks + n, (l->n_remarks - n) * sizeof(*l->remarks));
	l->n_remarks -= n;
}

static void line_due_drop(struct line *l)
{
	queue_due_close(l->due, l->n_due);
	l->due = NULL;
	l->n_due = 0;
}

/* For the history of a test: which ends were taken, which refused. */
static void ends_note(const struct line *l, const struct queue_step_reply *reply)
{
#ifdef BARQUE_FAILPOINTS
	for (size_t i = 0; i < l->n_riding; i++) {
		const struct queue_ack *a = &l->acks[i];
		if (a->outcome != ACK_STARTS)
			HISTORY(queue_step_refused(reply, a->id) ? "reject" : "end", a->id, a->fence, a->outcome);
	}
#else
	UNUSED(l);
	UNUSED(reply);
#endif
}

void line_close(struct line *l)
{
	if (l->link != NULL)
		queue_link_close(&l->link);
	acks_drop(l, l->n_acks);
	line_pending_drop(l, l->n_pending);
	alone_close(l);
	mem_free(&l->acks);
	mem_free(&l->pending);
	remarks_drop(l, l->n_remarks);
	mem_free(&l->remarks);
	line_due_drop(l);
	buf_close(&l->progress);
	buf_close(&l->report);
}

void line_ack(struct line *l, const char *id, int64_t fence, enum ack_outcome outcome, char *result, const struct err *error)
{
	if (l->n_acks == l->acks_cap) {
		size_t cap = l->acks_cap < 64 ? 64 : l->acks_cap * 2;
		l->acks = mem_grow(l->acks, l->acks_cap, cap, sizeof(*l->acks));
		l->acks_cap = cap;
	}
	struct queue_ack *a = &l->acks[l->n_acks++];
	memset(a, 0, sizeof(*a));
	memcpy(a->id, id, sizeof(a->id));
	a->fence = fence;
	a->outcome = outcome;
	a->result = result;
	if (error != NULL)
		a->error = *error;
}

void line_ack_done(struct line *l, const char *id, int64_t fence, char *result, char *progress)
{
	line_ack(l, id, fence, ACK_DONE, result, NULL);
	l->acks[l->n_acks - 1].progress_json = progress;
}

void line_pending_add(struct line *l, struct job *j)
{
	if (l->n_pending == l->pending_cap) {
		size_t cap = l->pending_cap < 16 ? 16 : l->pending_cap * 2;
		l->pending = mem_grow(l->pending, l->pending_cap, cap, sizeof(*l->pending));
		l->pending_cap = cap;
	}
	if (l->n_pending == 0)
		l->pending_ms = l->pending_first_ms = l->ready_ms;
	l->pending[l->n_pending++] = *j;
	memset(j, 0, sizeof(*j));
}

void line_pending_drop(struct line *l, size_t n)
{
	for (size_t i = 0; i < n; i++)
		job_close(&l->pending[i]);
	if (n > 0)
		memmove(l->pending, l->pending + n, (l->n_pending - n) * sizeof(*l->pending));
	l->n_pending -= n;
}

/* ---- what jobs say */

bool line_remark(struct line *l, const char *id, int64_t fence, const char *text, int64_t now_ms)
{
	if (l->n_remarks == REMARKS_MAX)
		return false;
	if (l->remarks == NULL)
		l->remarks = mem_array(REMARKS_MAX, sizeof(*l->remarks));
	struct remark *r = &l->remarks[l->n_remarks++];
	memcpy(r->what.id, id, sizeof(r->what.id));
	r->what.fence = fence;
	r->what.text = mem_strdup(text);
	r->said_ms = now_ms;
	return true;
}

static bool remarks_are_due(const struct line *l, int64_t now_ms)
{
	return l->n_remarks > 0 && (l->n_remarks >= QUEUE_BATCH_MAX || now_ms - l->remarked_ms >= LINE_REMARK_MS);
}

/* Whose lines are not all in this step must end in a later one. */
static size_t acks_that_may_ride(const struct line *l)
{
	size_t n = l->n_acks < QUEUE_BATCH_MAX ? l->n_acks : QUEUE_BATCH_MAX;
	for (size_t i = 0; i < n; i++)
		for (size_t k = l->n_remarks_riding; k < l->n_remarks; k++)
			if (str_eq(l->remarks[k].what.id, l->acks[i].id))
				return i;
	return n;
}

static void remarks_ride(struct line *l, struct queue_remark *out, int64_t now_ms)
{
	for (size_t i = 0; i < l->n_remarks_riding; i++) {
		out[i] = l->remarks[i].what;
		out[i].age_ms = now_ms > l->remarks[i].said_ms ? now_ms - l->remarks[i].said_ms : 0;
	}
	if (l->n_remarks_riding > 0)
		l->remarked_ms = now_ms;
}

/* ---- trouble */

static void line_failed(struct line *l, const struct err *e, int64_t now_ms)
{
	int64_t pause = RETRY_MS << (l->failures < 4 ? l->failures : 4);
	if (l->failures++ == 0)
		log_warn("queue %s does not answer and is asked again until it does: %s", l->queue, e->text);
	l->retry_ms = now_ms + (pause > RETRY_MAX_MS ? RETRY_MAX_MS : pause);
	l->heard_ms = now_ms; /* an error is an answer too: the loop lives */
}

static void line_heard(struct line *l, int64_t now_ms)
{
	if (l->failures > 0)
		log_info("queue %s answers again", l->queue);
	l->failures = 0;
	l->heard_ms = now_ms;
}

static bool line_connect(struct line *l, int64_t now_ms)
{
	struct err e;
	const char *space = setting_text(l->settings, WORKER_NAMESPACE);
	struct queue_options options = {
	        .namespace_ = *space != '\0' ? space : NULL, .shards = (int)setting_number(l->settings, QUEUE_SHARDS)};
#ifdef BARQUE_FAILPOINTS
	const char *library = getenv("BARQUE_LIBRARY"); /* a test runs workers of two versions side by side */
	if (library != NULL && !str_copy(options.library, sizeof(options.library), library))
		abort();
#endif
	if (l->link != NULL)
		return true;
	const char *routes[LINE_ROUTES];
	for (size_t i = 0; i < l->n_routes; i++)
		routes[i] = l->routes[i];
	l->link = queue_link_open_shard(
	        setting_text(l->settings, QUEUE_URL), &options, l->queue, l->shard, l->settings->name, routes, l->n_routes, &e);
	if (l->link == NULL)
		line_failed(l, &e, now_ms);
	return l->link != NULL;
}

/* ---- steps */

bool line_is_free(const struct line *l, int64_t now_ms)
{
	return l->call == CALL_NONE && now_ms >= l->retry_ms;
}

bool line_has_to_step(const struct line *l, int64_t now_ms)
{
	return l->again || l->n_acks > 0 || remarks_are_due(l, now_ms) || (l->leaving && !l->left) ||
	       now_ms - l->stepped_ms >= LINE_TICK_MS;
}

void line_step(struct line *l, int want, int64_t now_ms)
{
	struct err e;
	struct queue_remark remarks[QUEUE_BATCH_MAX];
	if (!line_connect(l, now_ms))
		return;
	if (!l->again) {
		l->n_remarks_riding = l->n_remarks < QUEUE_BATCH_MAX ? l->n_remarks : QUEUE_BATCH_MAX;
		l->n_riding = acks_that_may_ride(l);
		l->want = want;
		l->promised = l->grant;
		l->riding_last = l->leaving;
		l->was_hungry = l->hungry;
		/* Cleared here, not at the reply: a wake-up that comes in between speaks of work that this step has not seen. */
		l->hungry = l->hungry && want == 0;
	}
	remarks_ride(l, remarks, now_ms);
	struct queue_step step = {.acks = l->acks,
	        .n_acks = l->n_riding,
	        .remarks = remarks,
	        .n_remarks = l->n_remarks_riding,
	        .want = l->want,
	        .held = l->is_short,
	        .lease_ms = setting_number(l->settings, WORKER_LEASE),
	        .report = l->report.len > 0 ? buf_text(&l->report) : NULL,
	        .last = l->riding_last};
	l->again = true;
	l->began_us = clock_mono_us();
	FAILPOINT("step_before_send");
	if (!queue_link_step_begin(l->link, &step, &e)) {
		line_failed(l, &e, now_ms);
		return;
	}
	FAILPOINT("step_after_send");
	if (l->n_riding > 0)
		FAILPOINT("acks_after_send");
	l->call = CALL_STEP;
	l->stepped_ms = now_ms;
}

static double average(double old, double now)
{
	return old > 0 ? old * 0.8 + now * 0.2 : now;
}

/* QUEUE_SHARDS only raises the number: who wanted fewer is told. */
static void line_tell_shards(struct line *l, int shards)
{
	int64_t wanted = setting_number(l->settings, QUEUE_SHARDS);
	if (l->shards_told || wanted == 0 || shards <= wanted)
		return;
	l->shards_told = true;
	log_warn("queue %s has %d shards, not QUEUE_SHARDS=%lld: all of them are served; `barque shards %s N` changes their number",
	        l->queue, shards, (long long)wanted, l->queue);
}

/* Step again when the next job or tick is due. */
static void line_wake_for(struct line *l, int64_t next_due_ms, int64_t now_ms)
{
	if (next_due_ms >= 0 && next_due_ms < LINE_TICK_MS)
		l->stepped_ms = now_ms - LINE_TICK_MS + next_due_ms + 1;
}

static void line_due_take(struct line *l, struct queue_step_reply *reply)
{
	line_due_drop(l);
	l->due = reply->due;
	l->n_due = reply->n_due;
	l->due_now_ms = reply->now_ms;
	reply->due = NULL;
	reply->n_due = 0;
}

int line_step_take(struct line *l, struct queue_step_reply *reply, int64_t now_ms)
{
	struct err e;
	if (l->call != CALL_STEP)
		return 0;
	int got = queue_link_step_end(l->link, reply, &e);
	if (got == 0)
		return 0;
	l->call = CALL_NONE;
	if (got < 0) {
		line_failed(l, &e, now_ms);
		return 0;
	}
	FAILPOINT("step_after_reply");
	line_heard(l, now_ms);
	l->again = false;
	l->ready_ms = now_ms;
	l->rtt_us = average(l->rtt_us, (double)(clock_mono_us() - l->began_us));
	if (l->n_riding > 0)
		FAILPOINT("acks_after_reply");
	ends_note(l, reply);
	alone_answered(l, reply);
	acks_drop(l, l->n_riding);
	l->n_riding = 0;
	remarks_drop(l, l->n_remarks_riding);
	l->n_remarks_riding = 0;
	buf_clear(&l->report);
	l->left = l->riding_last;
	for (size_t i = 0; i < reply->n_rejected; i++)
		log_warn("what became of job %s is not ours to tell any more: its lease was lost", reply->rejected[i]);
	l->hungry = l->hungry || reply->more;
	l->backlog = reply->ready;
	line_tell_shards(l, reply->shards);
	line_wake_for(l, reply->next_due_ms, now_ms);
	line_due_take(l, reply);
	return 1;
}

void line_renew(struct line *l, size_t n, int64_t now_ms)
{
	struct err e;
	l->renewed_ms = now_ms;
	if (!line_connect(l, now_ms))
		return;
	FAILPOINT("renew_before_send");
	l->began_us = clock_mono_us();
	if (!queue_link_renew_begin(l->link, l->renewals, n, setting_number(l->settings, WORKER_LEASE), &e)) {
		line_failed(l, &e, now_ms);
		return;
	}
	FAILPOINT("renew_after_send");
	l->call = CALL_RENEW;
}

int line_renew_take(struct line *l, struct queue_renew_reply *reply, int64_t now_ms)
{
	struct err e;
	if (l->call != CALL_RENEW)
		return 0;
	int got = queue_link_renew_end(l->link, reply, &e);
	if (got == 0)
		return 0;
	l->call = CALL_NONE;
	if (got < 0) {
		line_failed(l, &e, now_ms);
		return 0;
	}
	line_heard(l, now_ms);
	return 1;
}

/* ---- schedules */

/* What goes wrong here need not be done again: what is due stays due, and some step will say so. */
static void line_fire_failed(struct line *l, const struct err *e, int64_t now_ms)
{
	if (e->code != ERR_FULL) {
		line_failed(l, e, now_ms);
		return;
	}
	if (!l->due_refused)
		log_warn("schedules of queue %s make no jobs for now: %s", l->queue, e->text);
	l->due_refused = true;
}

void line_fire(struct line *l, int64_t now_ms)
{
	struct err e;
	FAILPOINT("fire_before_send");
	l->began_us = clock_mono_us();
	bool sent = line_connect(l, now_ms) && queue_link_fire_begin(l->link, l->due, l->n_due, l->due_now_ms, &e);
	if (sent)
		l->call = CALL_FIRE;
	else if (l->link != NULL)
		line_fire_failed(l, &e, now_ms);
	line_due_drop(l);
	FAILPOINT("fire_after_send");
}

void line_fire_take(struct line *l, int64_t now_ms)
{
	struct err e;
	struct queue_fire_reply reply;
	if (l->call != CALL_FIRE)
		return;
	int got = queue_link_fire_end(l->link, &reply, &e);
	if (got == 0)
		return;
	l->call = CALL_NONE;
	if (got < 0) {
		line_fire_failed(l, &e, now_ms);
		return;
	}
	line_heard(l, now_ms);
	l->due_refused = false;
	l->hungry = l->hungry || (reply.jobs > 0 && !l->drained);
	line_wake_for(l, reply.next_due_ms, now_ms);
	if (reply.jobs > 0)
		log_debug("%lld jobs of schedules made in queue %s", (long long)reply.jobs, l->queue);
}

/* ---- waiting for work */

void line_wait(struct line *l, int64_t now_ms)
{
	struct err e;
	if (l->link == NULL || l->waiting || now_ms < l->wait_until_ms)
		return;
	l->waiting = queue_link_wait_begin(l->link, LINE_TICK_MS, &e);
	if (!l->waiting)
		l->wait_until_ms = now_ms + RETRY_MS; /* the next step tells the trouble */
}

void line_wait_take(struct line *l, int64_t now_ms)
{
	struct err e;
	if (!l->waiting)
		return;
	int got = queue_link_wait_end(l->link, &e);
	if (got == 0)
		return;
	l->waiting = false;
	if (l->drained)
		l->stepped_ms = 0; /* it was woken in place of another: a step passes that on */
	l->hungry = !l->drained;   /* also after a failure: look for ourselves */
	if (got < 0)
		l->wait_until_ms = now_ms + RETRY_MS;
}

int64_t line_next_ms(const struct line *l, int64_t now_ms)
{
	if (l->call != CALL_NONE)
		return LINE_TICK_MS;
	int64_t at = l->stepped_ms + LINE_TICK_MS;
	if (l->n_remarks > 0 && l->remarked_ms + LINE_REMARK_MS < at)
		at = l->remarked_ms + LINE_REMARK_MS;
	if (line_has_to_step(l, now_ms))
		at = now_ms;
	if (l->retry_ms > at)
		at = l->retry_ms;
	return at - now_ms;
}

/* ---- looking ahead */

int line_ahead(const struct line *l, int64_t now_ms)
{
	if (!l->is_short || l->run_us <= 0 || l->rtt_us <= 0 || l->run_us > 50000 || now_ms < l->no_ahead_until_ms)
		return 0;
	double jobs = 2 * l->rtt_us / l->run_us + 1;
	return jobs > SLOT_DEPTH - 1 ? SLOT_DEPTH - 1 : (int)jobs;
}

void line_ran(struct line *l, int64_t run_us)
{
	l->run_us = average(l->run_us, run_us < 1 ? 1 : (double)run_us);
}
