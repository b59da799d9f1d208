/* route_flow.c -- flows, jobs that wait for jobs: submit one, show it, cancel it. */
#include <stdio.h>
#include <string.h>

#include "api/context.h"
#include "api/flow_input.h"
#include "api/flow_split.h"
#include "api/input.h"
#include "api/reply.h"
#include "api/routes.h"
#include "api/submit.h"
#include "api/waiter.h"
#include "base/digest.h"
#include "base/metrics.h"
#include "base/str.h"
#include "kinds/kind.h"

#define POLL_HINT_MS 1000
#define ROOT_KIND    "flow.report"

/* ---- showing --------------------------------------------------------------------------------------------------- */

/* The names in "<id>=<name> ...". */
static void put_after(struct json_writer *w, const char *waits_for)
{
	char name[QUEUE_FLOW_NAME];

	jw_array(w, "after");
	for (const char *s = waits_for ? waits_for : ""; *s; s += *s == ' ') {
		size_t all = strcspn(s, " "), id = strcspn(s, "=:");

		if (id < all && str_copy_n(name, sizeof name, s + id + 1, all - id - 1))
			jw_text(w, NULL, name);
		s += all;
	}
	jw_end(w);
}

static void put_time(struct json_writer *w, const char *key, int64_t t_ms)
{
	if (t_ms)
		jw_int(w, key, t_ms);
	else
		jw_null(w, key);
}

static void put_job(struct json_writer *w, const struct job *j)
{
	jw_text(w, "kind", j->kind);
	jw_text(w, "queue", j->queue);
	jw_text(w, "state", job_state_name(j->state));
	put_after(w, j->waits_for);
	jw_int(w, "attempt", j->attempt);
	jw_int(w, "max_attempts", j->max_attempts);
	jw_object(w, "progress");
	jw_int(w, "done", j->progress.done);
	jw_int(w, "total", j->progress.total);
	jw_text(w, "unit", j->progress.unit);
	jw_end(w);
	put_time(w, "started_at", j->started_at);
	put_time(w, "finished_at", j->finished_at);
	jw_text(w, "error", j->error.code ? j->error.text : NULL);
}

/* How many have ended, well or badly. */
static size_t ended(const struct queue_flow_view *v)
{
	size_t n = 0;

	for (size_t i = 0; i < v->n_nodes; i++)
		n += !v->nodes[i].known || job_state_is_end(v->nodes[i].job.state);
	return n;
}

static void put_root(struct json_writer *w, const struct queue_flow_view *v)
{
	struct err e = {0};
	struct json *params = json_parse(v->root.params, strlen(v->root.params), &e);

	jw_text(w, "id", v->root.id);
	jw_text(w, "name", json_get_text(params, "name", NULL));
	jw_text(w, "state", job_state_name(v->root.state));
	jw_object(w, "progress");
	jw_int(w, "done", (int64_t)ended(v));
	jw_int(w, "total", (int64_t)v->n_nodes);
	jw_text(w, "unit", "jobs");
	jw_end(w);
	put_time(w, "created_at", v->root.created_at);
	put_time(w, "finished_at", v->root.finished_at);
	jw_text(w, "error", v->root.error.code ? v->root.error.text : NULL);
	jw_text(w, "tags", v->root.tags[0] ? v->root.tags : NULL);
	json_close(&params);
}

static void write_flow(struct buf *body, const struct queue_flow_view *v)
{
	struct json_writer w = json_writer_on(body);

	jw_object(&w, NULL);
	put_root(&w, v);
	jw_array(&w, "jobs");
	for (size_t i = 0; i < v->n_nodes; i++) {
		jw_object(&w, NULL);
		jw_text(&w, "name", v->nodes[i].name);
		jw_text(&w, "id", v->nodes[i].id);
		if (v->nodes[i].known)
			put_job(&w, &v->nodes[i].job);
		else
			jw_null(&w, "state"); /* it ended long ago and is no longer kept */
		jw_end(&w);
	}
	jw_end(&w);
	jw_end(&w);
}

static void reply_flow(struct call *c, int status, const struct queue_flow_view *v)
{
	struct buf body = {0};

	write_flow(&body, v);
	reply_json(c, status, &body);
}

/* To be closed. False: answered. */
static bool look_up(struct call *c, const char *id, struct queue_flow_view *out)
{
	struct queue *q = call_queue(c);
	struct err e = {0};
	int got = q ? queue_flow_show(q, id, out, &e) : 0;

	if (!q)
		return false;
	if (got < 0)
		reply_err(c, &e, NULL);
	else if (got == 0)
		reply_detail(
		        c, 404, "there is no flow '%s': it never was, or it ended long ago and is no longer kept", reply_excerpt(c, id));
	return got > 0;
}

/* Looks it up and answers. */
static void show(struct call *c, const char *id, int status)
{
	struct queue_flow_view v = {0};

	if (!look_up(c, id, &v))
		return;
	reply_flow(c, status, &v);
	queue_flow_view_close(&v);
}

void route_flow_show(struct call *c)
{
	show(c, call_param(c, "id"), 200);
}

void route_flow_cancel(struct call *c)
{
	const char *id = call_param(c, "id");
	struct queue *q = call_queue(c);
	enum job_state state = JOB_CANCELLED;
	struct err e = {0};

	if (!q)
		return;
	int done = queue_flow_cancel(q, id, &state, &e);
	if (done < 0)
		reply_err(c, &e, NULL);
	else if (done == 0)
		reply_detail(c, 404, "there is no flow '%s'", reply_excerpt(c, id));
	else
		show(c, id, 202);
}

/* ---- submitting ------------------------------------------------------------------------------------------------ */

static const struct param envelope[] = {
        {"name", PARAM_TEXT, .min = 1, .max = 200, .help = "what the flow is called"},
        {"tags", PARAM_TEXT, .min = 0, .max = JOB_TAGS - 1, .help = "labels of the flow, with commas between"},
        {"priority", PARAM_INT, .fallback = "5", .min = 0, .max = 9, .help = "of its end; each job has its own"},
};

/* What stands beside the jobs. */
static struct json *read_envelope(const struct json *body, struct err *e)
{
	static const char *const forms[] = {"jobs", "chain", "group", "chord"};
	struct json *rest = json_copy(body), *in;

	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		json_remove(rest, forms[i]);
	in = params_check(envelope, ARRAY_LEN(envelope), rest, false, e);
	json_close(&rest);
	return in;
}

static void fill_root(struct call *c, const struct json *in, const struct kind *k, struct queue_submission *root)
{
	const char *name = json_get_text(in, "name", NULL), *tags = json_get_text(in, "tags", NULL);
	struct json *params = json_new_object();

	if (name)
		json_put_text(params, "name", name);
	char *text = json_to_text(params);
	*root = (struct queue_submission){.kind = k->name,
	        .queue = k->queue,
	        .kind_version = k->version,
	        .params = arena_strdup(c->arena, text),
	        .priority = (int)json_get_int(in, "priority", 5),
	        .max_attempts = k->max_attempts,
	        .backoff_ms = k->backoff_ms,
	        .backoff_cap_ms = k->backoff_cap_ms,
	        .tags = tags ? arena_strdup(c->arena, tags) : NULL,
	        .trace = submit_trace(c)};
	mem_free(&text);
	json_close(&params);
}

/* What makes two requests with one idempotency key the same request: all of it. */
static const char *fingerprint(struct call *c, const struct json *body)
{
	char *print = arena_new(c->arena, DIGEST_HEX), *text = json_to_text(body);

	digest_sha256_hex(print, text, strlen(text));
	mem_free(&text);
	return print;
}

/* The whole request into f, whose texts lie in the arena. False with e: it is wrong. */
static bool read_flow(struct call *c, const struct json *body, struct queue_flow *f, struct err *e)
{
	const struct kind *k = kind_of(ROOT_KIND);
	struct json *in = read_envelope(body, e), *spread = in ? flow_spread(body, e) : NULL,
	            *jobs = spread ? flow_split(c, spread, e) : NULL;
	bool ok = jobs && flow_read(jobs, c->arena, f, e);

	if (ok && !k)
		ok = err_set(e, ERR_UNAVAILABLE, "this build has no jobs of kind " ROOT_KIND);
	if (ok)
		fill_root(c, in, k, &f->root);
	for (size_t i = 0; ok && i < f->n_jobs; i++)
		f->jobs[i].job.trace = f->root.trace;
	json_close(&jobs);
	json_close(&spread);
	json_close(&in);
	return ok;
}

/* After ERR_UNSURE the same ids are asked for again: the queue then answers as it did the first time. */
static bool send(struct queue *q, struct queue_flow *f, struct queue_submitted *out, struct err *e)
{
	return queue_flow_submit(q, f, out, e) || (e->code == ERR_UNSURE && queue_flow_submit(q, f, out, e));
}

static void accepted_headers(struct call *c, const char *id)
{
	reply_header(c, "Location", arena_printf(c->arena, "/api/jobs/%s", id));
	reply_retry_after(c, POLL_HINT_MS);
}

struct wait {
	char id[JOB_ID];
	const char *accepted; /* the answer when nothing newer is known */
};

static void waited(struct call *c, const struct queue_flow_view *flow, enum wait_end end, void *user)
{
	const struct wait *x = user;
	struct buf body = {0};

	if (flow && end == WAIT_ENDED) {
		reply_flow(c, 200, flow);
		return;
	}
	accepted_headers(c, x->id);
	if (flow)
		write_flow(&body, flow);
	else
		buf_adds(&body, x->accepted);
	reply_json(c, 202, &body);
}

/* 202 with the flow as it stands; with Prefer: wait=N 200 when it ends in time. */
static void answer_submitted(struct call *c, const char *id)
{
	struct wait *x = arena_new(c->arena, sizeof *x);
	struct queue_flow_view v = {0};
	struct buf body = {0};
	struct prefer prefer;

	input_prefer(c, &prefer);
	if (prefer.wait_ms <= 0 || prefer.async) {
		accepted_headers(c, id);
		show(c, id, 202);
		return;
	}
	if (!look_up(c, id, &v))
		return;
	int64_t wait_ms = input_wait_cap(c, prefer.wait_ms);
	reply_header(c, "Preference-Applied", arena_printf(c->arena, "wait=%lld", (long long)(wait_ms / 1000)));
	memcpy(x->id, v.root.id, sizeof x->id);
	write_flow(&body, &v);
	x->accepted = arena_strdup(c->arena, buf_text(&body));
	buf_close(&body);
	queue_flow_view_close(&v);
	waiter_park_flow(c, x->id, wait_ms, waited, x);
}

static void submit(struct call *c, struct queue_flow *f)
{
	struct queue *q = call_queue(c);
	struct queue_submitted out = {0};
	struct err e = {0};

	if (!q)
		return;
	if (!send(q, f, &out, &e)) {
		metrics_add(METRIC_jobs_refused_total, err_name(e.code), 1);
		reply_err(c, &e, NULL);
		return;
	}
	if (submit_refused(c, &out, f->root.idempotency_key))
		return;
	const char *id = out.outcome == SUBMIT_EXISTING ? out.existing_id : f->root.id;
	if (out.outcome == SUBMIT_EXISTING)
		reply_header(c, "Idempotent-Replayed", "true");
	for (size_t i = 0; out.outcome == SUBMIT_NEW && i < f->n_jobs; i++)
		metrics_add(METRIC_jobs_submitted_total, f->jobs[i].job.kind, 1);
	answer_submitted(c, id);
}

void route_flow_submit(struct call *c)
{
	struct json *body = input_object(c, false);
	struct queue_flow f = {0};
	struct err e = {0};
	bool ok;

	if (!body || !submit_join_tags(c, body))
		goto out;
	if (!read_flow(c, body, &f, &e)) {
		reply_err(c, &e, NULL);
		goto out;
	}
	f.root.idempotency_key = submit_idempotency_key(c, &ok);
	if (!ok)
		goto out;
	f.root.fingerprint = f.root.idempotency_key ? fingerprint(c, body) : NULL;
	submit(c, &f);
out:
	json_close(&body);
}
