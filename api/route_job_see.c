/* route_job_see.c -- what goes on: a job's timeline, the stream of one job, the stream of all changes of state. */
#include "api/live.h"
#include "api/one_job.h"
#include "api/reply.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/str.h"
#include "job/timeline.h"
#include "kinds/kind.h"

void route_job_timeline(struct call *c)
{
	const char *id = call_job_id(c);
	struct job job = {0};

	if (!id || !call_job(c, id, &job))
		return;
	struct timeline *t = arena_new(c->arena, sizeof *t);
	struct buf body = {0};
	struct json_writer w = json_writer_on(&body);

	timeline_of(&job, clock_now_ms(), t);
	timeline_to_json(&job, t, &w);
	job_close(&job);
	reply_json(c, 200, &body);
}

/* A client that has seen the end shall not come back for more: 204 tells it so. */
void route_job_stream(struct call *c)
{
	const char *id = call_job_id(c), *seen = http_header(c->r, "Last-Event-ID");
	struct job job = {0};
	int64_t rev = 0;

	if (!id || !call_job(c, id, &job))
		return;
	if (seen && !str_int(seen, 1, INT64_MAX, &rev))
		rev = 0; /* none of ours: show it as it stands */
	if (job_state_is_end(job.state) && rev == job.rev)
		reply_empty(c, 204);
	else
		live_job(c, id, rev);
	job_close(&job);
}

static bool name_asked(struct call *c, const char *name, bool (*ok)(const char *text), char out[JOB_NAME])
{
	const char *text = http_query(c->r, name);

	if (!text || (ok(text) && str_copy(out, JOB_NAME, text)))
		return true;
	reply_detail(c, 422, "%s '%s' cannot be a name of one", name, reply_excerpt(c, text));
	return false;
}

void route_jobs_stream(struct call *c)
{
	struct live_filter f = {.state = -1};
	const char *state = http_query(c->r, "state");
	enum job_state s;

	if (!name_asked(c, "queue", job_queue_ok, f.queue) || !name_asked(c, "kind", job_name_ok, f.kind))
		return;
	if (f.kind[0] && !kind_of(f.kind)) {
		reply_detail(c, 422, "there is no kind '%s'; GET /api/kinds lists the kinds", f.kind);
		return;
	}
	if (state && !job_state_of(state, &s)) {
		reply_detail(c, 422, "'%s' is no state of a job", reply_excerpt(c, state));
		return;
	}
	if (state)
		f.state = (int)s;
	live_changes(c, &f, http_header(c->r, "Last-Event-ID"));
}
