/* route_job_submit.c -- POST /api/jobs: check everything, submit, and wait for the end when Prefer: wait=N asks for it. */
#include <string.h>

#include "api/input.h"
#include "api/job_options.h"
#include "api/reply.h"
#include "api/routes.h"
#include "api/submit.h"
#include "api/waiter.h"
#include "base/str.h"
#include "base/time.h"

static const struct param envelope[] = {
        {"kind", PARAM_TEXT, .required = true, .min = 1, .max = JOB_NAME - 1, .help = "what to do; GET /api/kinds lists the kinds"},
        {"params", PARAM_OBJECT, .fallback = "{}", .help = "the kind's parameters"},
        {"run_at", PARAM_TIME, .help = "start no sooner than this time (UTC)"},
        {"delay_ms", PARAM_INT, .fallback = "0", .min = 0, .max = 31536000000.0, .unit = "ms",
                .help = "start no sooner than so long from now"},
#include "api/job_options.def"
        {"tags", PARAM_TEXT, .min = 0, .max = JOB_TAGS - 1, .help = "labels with commas between"},
        {"unique_key", PARAM_TEXT, .min = 1, .max = JOB_KEY - 1, .help = "at most one live job of its kind has this key"},
        {"unique", PARAM_CHOICE, .fallback = "\"return\"", .choices = "return|reject|replace|keep_newest",
                .help = "what to do when one has"},
};

/* The envelope beyond its table. False: answered. */
static bool fill_when(struct call *c, const struct json *in, struct queue_submission *s)
{
	const char *run_at = json_get_text(in, "run_at", NULL);

	s->delay_ms = json_get_int(in, "delay_ms", 0);
	if (run_at && s->delay_ms > 0) {
		reply_detail(c, 422, "give either run_at or delay_ms, not both");
		return false;
	}
	if (run_at && (!time_parse(run_at, &s->run_at_ms, NULL) || s->run_at_ms < 0)) {
		reply_detail(c, 422, "run_at is '%s', which is no time", reply_excerpt(c, run_at));
		return false;
	}
	return true;
}

static bool fill_kind(struct call *c, const struct json *in, struct submit *s)
{
	struct err e = {0};

	s->kind = kind_of(json_get_text(in, "kind", ""));
	if (!s->kind) {
		reply_detail(
		        c, 422, "there is no kind '%s'; GET /api/kinds lists the kinds", reply_excerpt(c, json_get_text(in, "kind", "")));
		return false;
	}
	s->params = kind_check(s->kind, json_get(in, "params"), false, &e);
	if (!s->params)
		reply_err(c, &e, NULL);
	return s->params != NULL;
}

static bool fill_options(struct call *c, const struct json *in, struct submit *s)
{
	struct err e = {0};

	job_options_unique(in, s->kind, s->params, c->arena, &s->job);
	if (job_options_read(in, s->kind, s->params, c->arena, &s->job, &e))
		return true;
	reply_err(c, &e, NULL);
	return false;
}

/* Everything in the envelope into s, whose texts live in `in` and the arena. */
static bool fill(struct call *c, const struct json *in, struct submit *s)
{
	bool ok;

	s->job.idempotency_key = submit_idempotency_key(c, &ok);
	return ok && fill_when(c, in, &s->job) && fill_kind(c, in, s) && fill_options(c, in, s);
}

/* 200 with the job when it ended within the time, else 202 as without waiting. */
static void waited(struct call *c, const struct job *job, enum wait_end end, const struct err *e, void *user)
{
	UNUSED(e);
	if (job && end == WAIT_ENDED)
		reply_job(c, 200, job);
	else
		reply_accepted(c, job ? job : user);
}

/* What is known now stays at hand for an answer when the queue is gone at the end of the wait. */
static struct job *job_in_arena(struct call *c, const struct job *job)
{
	struct job *copy = arena_new(c->arena, sizeof *copy);

	*copy = *job;
	copy->params = job->params ? arena_strdup(c->arena, job->params) : NULL;
	copy->result = job->result ? arena_strdup(c->arena, job->result) : NULL;
	return copy;
}

static void answer_submitted(struct call *c, const struct job *job, bool existing)
{
	struct prefer prefer;

	if (existing)
		reply_header(c, "Idempotent-Replayed", "true");
	input_prefer(c, &prefer);
	if (prefer.wait_ms <= 0 || prefer.async) {
		reply_accepted(c, job);
		return;
	}
	int64_t wait_ms = input_wait_cap(c, prefer.wait_ms);
	reply_header(c, "Preference-Applied", arena_printf(c->arena, "wait=%lld", (long long)(wait_ms / 1000)));
	waiter_park(c, job->id, wait_ms, WAIT_ANY_END, waited, job_in_arena(c, job));
}

void route_job_submit(struct call *c)
{
	struct json *body = input_object(c, false), *in = NULL;
	struct submit s = {0};
	struct job job = {0};
	struct err e = {0};
	bool existing = false;

	if (!body || !submit_join_tags(c, body))
		goto out;
	in = params_check(envelope, ARRAY_LEN(envelope), body, false, &e);
	if (!in) {
		reply_err(c, &e, NULL);
		goto out;
	}
	if (!fill(c, in, &s) || !submit_job(c, &s, &job, &existing))
		goto out;
	answer_submitted(c, &job, existing);
	job_close(&job);
out:
	json_close(&s.params);
	json_close(&in);
	json_close(&body);
}
