/* queue_workers.c -- the front of workers.h: checks, names of commands, and what the answers own. */
#include "queue/workers.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "queue/driver.h"

static const char *const commands[] = {
        [WORKER_RESUME] = "resume", [WORKER_QUIET] = "quiet", [WORKER_DRAIN] = "drain", [WORKER_STOP] = "stop"};

const char *worker_command_name(enum worker_command c)
{
	return commands[c];
}

bool worker_command_of(const char *name, enum worker_command *out)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (str_eq(name, commands[i])) {
			*out = (enum worker_command)i;
			return true;
		}
	return false;
}

void queue_worker_close(struct queue_worker *w)
{
	mem_free(&w->report);
	memset(w, 0, sizeof(*w));
}

void queue_workers_close(struct queue_workers *w)
{
	for (size_t i = 0; i < w->n; i++)
		queue_worker_close(&w->at[i]);
	mem_free(&w->at);
	w->n = 0;
}

void queue_routes_close(struct queue_routes *r)
{
	mem_free(&r->at);
	r->n = 0;
}

static bool check_queue(const char *queue, struct err *e)
{
	return job_queue_ok(queue) || err_set(e, ERR_INVALID, "there can be no queue named %.40s", queue);
}

bool queue_workers(struct queue *q, const char *queue, struct queue_workers *out, struct err *e)
{
	*out = (struct queue_workers){.n = 0};
	bool ok = check_queue(queue, e) && q->driver->workers(q, queue, out, e);
	if (!ok)
		queue_workers_close(out);
	return ok;
}

int queue_worker_tell(struct queue *q, const char *queue, const char *worker, enum worker_command command, struct err *e)
{
	if (!check_queue(queue, e))
		return -1;
	if (!str_is_name(worker, JOB_WORKER - 1, "_.:@-"))
		return 0; /* none can have that name */
	return q->driver->worker_tell(q, queue, worker, command, e);
}

bool queue_routes(struct queue *q, const char (*queues)[JOB_NAME], size_t n, struct queue_routes *out, struct err *e)
{
	memset(out, 0, n * sizeof(*out));
	bool ok = queue_names_ok(queues, n, e) && q->driver->routes(q, queues, n, out, e);
	for (size_t i = 0; !ok && i < n; i++)
		queue_routes_close(&out[i]);
	return ok;
}
