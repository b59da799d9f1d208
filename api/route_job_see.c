/* route_job_see.c -- what goes on in one job: its timeline. */
#include "api/one_job.h"
#include "api/reply.h"
#include "api/routes.h"
#include "base/clock.h"
#include "job/timeline.h"

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
