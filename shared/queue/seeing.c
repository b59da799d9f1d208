/* seeing.c -- the front of what goes on in a queue: checks, and what answers own. */
#include "queue/seeing.h"

#include <string.h>

#include "base/mem.h"
#include "queue/driver.h"

int queue_log(struct queue *q, const char *id, int64_t from, int limit, struct queue_log *out, struct err *e)
{
	char queue[JOB_NAME];
	int shard;

	memset(out, 0, sizeof(*out));
	if (!job_id_parse(id, queue, &shard))
		return 0;
	if (limit < 1 || limit > QUEUE_BATCH_MAX)
		return err_fail(e, ERR_INVALID, "1 to %d lines of a log can be asked for, not %d", QUEUE_BATCH_MAX, limit);
	return q->driver->log(q, id, from, limit, out, e);
}

void queue_log_close(struct queue_log *l)
{
	for (size_t i = 0; i < l->n; i++)
		mem_free(&l->lines[i].text);
	mem_free(&l->lines);
	memset(l, 0, sizeof(*l));
}

/* Up to QUEUE_BATCH_MAX ids of one queue. */
static bool ids_ok(const char (*ids)[JOB_ID], size_t n, struct err *e)
{
	char first[JOB_NAME], queue[JOB_NAME];
	int first_shard, shard;

	if (n > QUEUE_BATCH_MAX || !job_id_parse(ids[0], first, &first_shard))
		return err_set(e, ERR_INVALID, "up to %d jobs of one queue can be shown at once", QUEUE_BATCH_MAX);
	for (size_t i = 1; i < n; i++)
		if (!job_id_parse(ids[i], queue, &shard) || shard != first_shard || !str_eq(queue, first))
			return err_set(e, ERR_INVALID, "%.60s is not of queue %s", ids[i], first);
	return true;
}

bool queue_show_many(struct queue *q, const char (*ids)[JOB_ID], size_t n, struct job *jobs, struct err *e)
{
	memset(jobs, 0, n * sizeof(*jobs));
	return n == 0 || (ids_ok(ids, n, e) && q->driver->show_many(q, ids, n, jobs, e));
}

bool queue_revisions(struct queue *q, const char (*ids)[JOB_ID], size_t n, int64_t *revs, struct err *e)
{
	memset(revs, 0, n * sizeof(*revs));
	return n == 0 || (ids_ok(ids, n, e) && q->driver->revisions(q, ids, n, revs, e));
}

/* "" or "<ms>-<number>" */
static bool entry_ok(const char *after)
{
	size_t ms = strspn(after, "0123456789");

	return !*after || (ms >= 1 && ms <= 15 && after[ms] == '-' && strspn(after + ms + 1, "0123456789") == strlen(after + ms + 1) &&
	                          after[ms + 1] && strlen(after) < QUEUE_CHANGE_ID);
}

bool queue_changes(struct queue *q, const char *queue, int shard, const char *after, struct queue_changes *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	if (!job_queue_ok(queue))
		return err_set(e, ERR_INVALID, "there can be no queue named %.40s", queue);
	if (shard < 0 || shard >= QUEUE_SHARDS_MAX)
		return err_set(e, ERR_INVALID, "the shards of a queue are 0 to %d, not %d", QUEUE_SHARDS_MAX - 1, shard);
	if (!entry_ok(after))
		return err_set(e, ERR_INVALID, "%.60s is no place among the changes of a queue", after);
	return q->driver->changes(q, queue, shard, after, out, e);
}

void queue_changes_close(struct queue_changes *c)
{
	mem_free(&c->items);
	memset(c, 0, sizeof(*c));
}

bool queue_backlogs(struct queue *q, const char (*queues)[JOB_NAME], size_t n, struct queue_backlog *out, struct err *e)
{
	memset(out, 0, n * sizeof(*out));
	return queue_names_ok(queues, n, e) && q->driver->backlogs(q, queues, n, out, e);
}

bool queue_backlog(struct queue *q, const char *queue, struct queue_backlog *out, struct err *e)
{
	char one[1][JOB_NAME];

	memset(out, 0, sizeof(*out));
	if (!str_copy(one[0], JOB_NAME, queue))
		return err_set(e, ERR_INVALID, "there can be no queue named %.40s", queue);
	return queue_backlogs(q, (const char(*)[JOB_NAME])one, 1, out, e);
}
