/* wait_job.c -- for the origin's routes that answer only when the work is done: wait for the job, or answer 202 to respond-async. */
#include "api/wait_job.h"

#include <string.h>

#include "api/input.h"
#include "api/reply.h"
#include "api/submit.h"
#include "api/waiter.h"

struct wait {
	char id[JOB_ID];
	const char *prefix; /* static text */
	void (*done)(struct call *c, const struct job *job);
};

static void reply_failed(struct call *c, const struct wait *x, const struct job *job)
{
	if (job->error.code == ERR_INVALID)
		reply_detail(c, 400, "%s%s", x->prefix, job->error.text);
	else if (job->state == JOB_CANCELLED)
		reply_detail(c, 409, "%s任务 %s 已取消", x->prefix, job->id);
	else
		reply_detail(c, 500, "%s%s", x->prefix, *job->error.text ? job->error.text : job_state_name(job->state));
}

static void ended(struct call *c, const struct job *job, enum wait_end end, const struct err *e, void *user)
{
	const struct wait *x = user;

	if (job && end == WAIT_ENDED && job->state == JOB_SUCCEEDED)
		x->done(c, job);
	else if (job && end == WAIT_ENDED)
		reply_failed(c, x, job);
	else if (job)
		reply_detail(c, 504, "%s任务 %s 仍在运行，请稍后查询 /api/jobs/%s", x->prefix, job->id, job->id);
	else if (end == WAIT_FAILED)
		reply_err(c, e, x->prefix);
	else
		reply_detail(c, 503, "%s服务正在停止，任务 %s 继续运行，请稍后查询 /api/jobs/%s", x->prefix, x->id, x->id);
}

void wait_job(struct call *c, const struct job *job, const char *prefix, void (*done)(struct call *c, const struct job *job))
{
	struct wait *x = arena_new(c->arena, sizeof *x);
	struct prefer prefer;

	input_prefer(c, &prefer);
	if (prefer.async) {
		reply_header(c, "Preference-Applied", "respond-async");
		reply_accepted(c, job);
		return;
	}
	*x = (struct wait){.prefix = prefix, .done = done};
	memcpy(x->id, job->id, sizeof x->id);
	waiter_park(c, job->id, c->api->wait_max_ms, WAIT_ANY_END, ended, x);
}
