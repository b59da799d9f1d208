/* submit.c -- from a checked request to a job in the queue: one way for every route that makes jobs. */
#include "api/submit.h"

#include <stdio.h>
#include <string.h>

#include "api/context.h"
#include "api/job_options.h"
#include "api/reply.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/failpoint.h"
#include "base/metrics.h"
#include "base/str.h"

#define POLL_HINT_MS 1000

/* A traceparent is taken only when it looks like one: it goes into logs and other systems. */
const char *submit_trace(struct call *c)
{
	const char *t = http_header(c->r, "traceparent");

	if (!t || strlen(t) != 55)
		return NULL;
	for (size_t i = 0; i < 55; i++)
		if (!strchr("0123456789abcdef-", t[i]))
			return NULL;
	return t;
}

/* What makes two requests with one idempotency key the same request. */
static void fingerprint(const struct queue_submission *s, char out[DIGEST_HEX])
{
	struct buf b = {0};

	buf_addf(&b, "%s\n%s\n%s\n%s\n%d\n%lld\n%lld", s->kind, s->params, s->lane ? s->lane : "", s->unique_key ? s->unique_key : "",
	        s->priority, (long long)s->run_at_ms, (long long)s->delay_ms);
	buf_addf(&b, "\n%d\n%d\n%d\n%d\n%lld\n%lld\n%lld\n%s", (int)s->unique, s->max_attempts, s->max_crashes, s->quarantine_after,
	        (long long)s->backoff_ms, (long long)s->backoff_cap_ms, (long long)s->result_ttl_ms, s->tags ? s->tags : "");
	buf_addf(&b, "\n%s\n%d\n%s\n%lld\n%lld\n%lld", s->concurrency_key ? s->concurrency_key : "", s->max_concurrent, s->rate.key,
	        (long long)s->rate.limit, (long long)s->rate.window_ms, (long long)s->rate.cost);
	buf_addf(&b, "\n%lld\n%lld", (long long)s->time_limit_ms, (long long)s->hard_limit_ms);
	digest_sha256_hex(out, buf_text(&b), b.len);
	buf_close(&b);
}

/* After ERR_UNSURE the same id is asked for again: the queue then answers as it did the first time. */
static bool send(struct queue *q, struct queue_submission *item, struct queue_submitted *out, struct err *e)
{
	return queue_submit(q, item, 1, out, e) || (e->code == ERR_UNSURE && queue_submit(q, item, 1, out, e));
}

bool submit_refused(struct call *c, const struct queue_submitted *out, const char *key)
{
	switch (out->outcome) {
	case SUBMIT_NEW:
	case SUBMIT_EXISTING:
		return false;
	case SUBMIT_MISMATCH:
		metrics_add(METRIC_jobs_refused_total, "mismatch", 1);
		reply_detail(c, 422, "the Idempotency-Key '%s' was used before with another request", reply_excerpt(c, key ? key : ""));
		return true;
	case SUBMIT_REJECTED:
		metrics_add(METRIC_jobs_refused_total, "unique", 1);
		reply_detail(c, 409, "job %s with the same unique_key has not ended yet", out->existing_id);
		return true;
	case SUBMIT_FULL:
		metrics_add(METRIC_jobs_refused_total, "full", 1);
		reply_retry_after(c, out->retry_after_ms);
		reply_detail(c, 503, "a queue of it is full, or it drains: try again later");
		return true;
	case SUBMIT_LANE_FULL:
		metrics_add(METRIC_jobs_refused_total, "lane", 1);
		reply_retry_after(c, out->retry_after_ms);
		reply_detail(c, 429,
		        "%lld jobs of this lane and kind are ready, the most that may be: try again when some of them have started",
		        (long long)out->lane.max);
		return true;
	}
	return true;
}

/* The job was accepted but cannot be shown just now: what is known of it is still a true answer. */
static void job_as_submitted(const struct queue_submission *item, const char *id, struct job *out)
{
	*out = (struct job){.state = item->run_at_ms || item->delay_ms ? JOB_SCHEDULED : JOB_READY,
	        .priority = item->priority,
	        .kind_version = item->kind_version,
	        .max_attempts = item->max_attempts,
	        .created_at = clock_now_ms(),
	        .run_at = item->run_at_ms};
	bool fits = str_copy(out->id, sizeof out->id, id) && str_copy(out->kind, sizeof out->kind, item->kind) &&
	            str_copy(out->queue, sizeof out->queue, item->queue);
	out->params = mem_strdup(fits ? item->params : "{}");
}

struct limit {
	const char *name, *unit; /* unit "": requests, each of which brings one job */
	struct queue_room room;
};

/* What limits have left, as the submission found them (draft-ietf-httpapi-ratelimit-headers-09). They are no windows of time: room comes when jobs
 * start, so that there is neither w nor t. */
static void reply_room(struct call *c, const struct queue_submitted *out)
{
	const struct limit limits[] = {
	        {"queue", "", out->jobs}, {"queue-bytes", ";qu=\"content-bytes\"", out->bytes}, {"lane", "", out->lane}};
	struct buf policy = {0}, now = {0};

	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		const struct limit *l = &limits[i];

		if (!l->room.max)
			continue;
		buf_addf(&policy, "%s\"%s\";q=%lld%s", policy.len ? ", " : "", l->name, (long long)l->room.max, l->unit);
		buf_addf(&now, "%s\"%s\";r=%lld", now.len ? ", " : "", l->name, (long long)l->room.left);
	}
	if (policy.len) {
		reply_header(c, "RateLimit-Policy", buf_text(&policy));
		reply_header(c, "RateLimit", buf_text(&now));
	}
	buf_close(&policy);
	buf_close(&now);
}

/* Why a queue takes nothing in, as far as it can be told by looking once more. */
static void reply_full(struct call *c, struct queue *q, const struct queue_submission *item, const struct queue_submitted *out)
{
	struct queue_counts n = {0};
	struct err e = {0};
	bool known = queue_count(q, item->queue, &n, &e) == 1;

	metrics_add(METRIC_jobs_refused_total, "full", 1);
	reply_retry_after(c, out->retry_after_ms);
	if (known && n.draining_at)
		reply_detail(c, 503, "queue %s drains: it takes nothing new in until it is told to resume", item->queue);
	else if (out->jobs.left > 0 && out->bytes.max)
		reply_detail(c, 503,
		        "queue %s is full: the params of its waiting jobs may have %lld bytes together, of which %lld are left",
		        item->queue, (long long)out->bytes.max, (long long)out->bytes.left);
	else if (!out->jobs.max || (known && n.ready + n.parked + n.scheduled + n.waiting < out->jobs.max))
		reply_detail(c, 503, "queue %s takes nothing new in for now: the memory of its Redis is full", item->queue);
	else
		reply_detail(c, 503, "queue %s is full: %lld jobs wait in it, the most that may; try again when some have started",
		        item->queue, (long long)out->jobs.max);
}

static bool submit_to(struct call *c, struct queue *q, struct queue_submission *item, struct job *job_out, bool *existing_out)
{
	struct queue_submitted out = {0};
	struct err e = {0};

	FAILPOINT("api_before_submit");
	bool sent = send(q, item, &out, &e);
	FAILPOINT("api_after_submit");
	if (!sent) {
		metrics_add(METRIC_jobs_refused_total, err_name(e.code), 1);
		reply_err(c, &e, NULL);
		return false;
	}
	reply_room(c, &out);
	if (out.outcome == SUBMIT_FULL) {
		reply_full(c, q, item, &out);
		return false;
	}
	if (submit_refused(c, &out, item->idempotency_key))
		return false;
	*existing_out = out.outcome == SUBMIT_EXISTING;
	if (!*existing_out)
		metrics_add(METRIC_jobs_submitted_total, item->kind, 1);
	const char *id = *existing_out ? out.existing_id : item->id;
	if (queue_show(q, id, job_out, &e) <= 0)
		job_as_submitted(item, id, job_out);
	FAILPOINT("api_before_reply");
	return true;
}

bool submit_job(struct call *c, const struct submit *s, struct job *job_out, bool *existing_out)
{
	struct queue *q = call_queue(c);
	char print[DIGEST_HEX];

	if (!q)
		return false;
	char *params = json_to_text(s->params);
	int64_t most = c->thread->api->queue_options.max_params;
	if (most && strlen(params) > (size_t)most) {
		metrics_add(METRIC_jobs_refused_total, "params", 1);
		reply_detail(c, 413, "the params of a job are at most %lld bytes here, not %zu", (long long)most, strlen(params));
		mem_free(&params);
		return false;
	}
	struct queue_submission item = s->job;
	item.params = params;
	item.trace = submit_trace(c);
	fingerprint(&item, print);
	item.fingerprint = item.idempotency_key ? print : NULL;
	bool ok = submit_to(c, q, &item, job_out, existing_out);
	mem_free(&params);
	return ok;
}

bool submit_kind(struct call *c, const char *kind, struct json *params, const char *prefix, struct job *job_out)
{
	struct submit s = {.kind = kind_of(kind)};
	struct err e = {0};
	bool existing;

	if (!s.kind) {
		json_close(&params);
		reply_detail(c, 503, "%sthis build has no jobs of kind %s", prefix, kind);
		return false;
	}
	s.params = kind_check(s.kind, params, false, &e);
	json_close(&params);
	if (!s.params) {
		reply_detail(c, e.code == ERR_INVALID ? 422 : err_status(e.code), "%s%s", prefix, e.text);
		return false;
	}
	job_options_unique(NULL, s.kind, s.params, c->arena, &s.job);
	bool ok = job_options_read(NULL, s.kind, s.params, c->arena, &s.job, &e);
	if (ok)
		ok = submit_job(c, &s, job_out, &existing);
	else
		reply_err(c, &e, prefix);
	json_close(&s.params);
	return ok;
}

bool submit_join_tags(struct call *c, struct json *body)
{
	struct err e = {0};

	if (job_options_join_tags(body, &e))
		return true;
	reply_err(c, &e, NULL);
	return false;
}

/* What a structured field's string (RFC 8941, 3.3.3) says; NULL: it is none. */
static const char *quoted_string(struct call *c, const char *s)
{
	char *out = arena_new(c->arena, strlen(s) + 1);
	size_t n = 0;

	for (s++; *s && *s != '"'; s++) {
		if (*s == '\\' && *++s != '"' && *s != '\\')
			return NULL;
		if (*s < ' ' || *s > '~')
			return NULL;
		out[n++] = *s;
	}
	return s[0] == '"' && !s[1] ? out : NULL;
}

/* One that is not quoted: no spaces, and no quotes, which would be half a string. */
static bool is_bare(const char *s)
{
	for (; *s; s++)
		if (*s <= ' ' || *s > '~' || *s == '"')
			return false;
	return true;
}

/* The header is a quoted string by its draft; many clients send it bare. NULL with *ok_out false: answered. */
const char *submit_idempotency_key(struct call *c, bool *ok_out)
{
	const char *key = http_header(c->r, "Idempotency-Key");

	*ok_out = true;
	if (!key)
		return NULL;
	if (key[0] == '"')
		key = quoted_string(c, key);
	else if (!is_bare(key))
		key = NULL;
	*ok_out = key && key[0] && strlen(key) < JOB_KEY;
	if (!*ok_out)
		reply_detail(c, 400,
		        "the Idempotency-Key must be a string in double quotes, or without quotes and spaces, of 1 to %d ASCII characters",
		        JOB_KEY - 1);
	return key;
}

void reply_job(struct call *c, int status, const struct job *job)
{
	struct buf body = {0};
	struct json_writer w = json_writer_on(&body);
	char etag[32];

	snprintf(etag, sizeof etag, "\"%lld\"", (long long)job->rev);
	reply_header(c, "ETag", etag);
	job_to_json(job, &w, NULL);
	reply_json(c, status, &body);
}

void reply_accepted(struct call *c, const struct job *job)
{
	reply_header(c, "Location", arena_printf(c->arena, "/api/jobs/%s", job->id));
	reply_retry_after(c, POLL_HINT_MS);
	reply_job(c, 202, job);
}
