/* one_job.c -- the job that a path names. */
#include "api/one_job.h"

#include "api/context.h"
#include "api/reply.h"

const char *call_job_id(struct call *c)
{
	const char *id = call_param(c, "id");
	char queue[JOB_NAME];
	int shard;

	if (job_id_parse(id, queue, &shard))
		return id;
	reply_detail(c, 404, "there is no job '%s'", reply_excerpt(c, id));
	return NULL;
}

bool call_job(struct call *c, const char *id, struct job *out)
{
	struct err e = {0};
	struct queue *q = call_queue(c);
	int got = q ? queue_show(q, id, out, &e) : 0;

	if (!q || got > 0)
		return q != NULL;
	if (got < 0)
		reply_err(c, &e, NULL);
	else
		reply_detail(c, 404, "there is no job '%s': it never was, or it ended long ago and is no longer kept", id);
	return false;
}
