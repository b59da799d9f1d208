/* queue_link.c -- the front of a dispatcher's link: checks, the common head, and what its answers own. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "queue/driver.h"

#define ROUTES_MAX   64
#define LEASE_MIN_MS 100
#define LEASE_MAX_MS (24 * 3600 * 1000)

static bool check_link(const char *queue, const char *worker, const char *const *routes, size_t n_routes, struct err *e)
{
	if (!job_queue_ok(queue))
		return err_set(e, ERR_INVALID, "there can be no queue named %.40s", queue);
	if (!str_is_name(worker, JOB_WORKER - 1, "_.:@-"))
		return err_set(
		        e, ERR_INVALID, "a worker is named by at most %d of A-Z a-z 0-9 _ . : @ -, not %.70s", JOB_WORKER - 1, worker);
	if (n_routes < 1 || n_routes > ROUTES_MAX)
		return err_set(e, ERR_INVALID, "a link serves 1 to %d routes, not %zu", ROUTES_MAX, n_routes);
	for (size_t i = 0; i < n_routes; i++)
		if (!job_route_parse(routes[i], strlen(routes[i]), NULL, NULL, NULL))
			return err_set(e, ERR_INVALID,
			        "a route is a kind of job, /version if it has one, and ! if it is quarantined, not %.60s", routes[i]);
	return true;
}

static void free_head(struct queue_link *l)
{
	mem_free(&l->options.namespace_);
	mem_free(&l->routes);
}

/* Opening it a second time under the same scheme rules as queue_open keeps the two alike: the options come filled in from there. */
struct queue_link *queue_link_open_shard(const char *url, const struct queue_options *options, const char *queue, int shard,
        const char *worker, const char *const *routes, size_t n_routes, struct err *e)
{
	struct queue *q;
	struct queue_shards now;
	struct queue_options filled;
	const struct queue_driver *driver;
	struct queue_link *l;

	if (shard < 0 || shard >= QUEUE_SHARDS_MAX) {
		err_set(e, ERR_INVALID, "the shards of a queue are 0 to %d, not %d", QUEUE_SHARDS_MAX - 1, shard);
		return NULL;
	}
	if (!check_link(queue, worker, routes, n_routes, e))
		return NULL;
	q = queue_open(url, options, e); /* also sees that the server is there and has the library */
	if (!q)
		return NULL;
	/* As many as the options want, before anybody works; who wants none asks for none. */
	if (q->options.shards > 1 && shard == 0 && !q->driver->shards(q, queue, 0, &now, e)) {
		queue_close(&q);
		return NULL;
	}
	driver = q->driver;
	filled = q->options;
	filled.namespace_ = mem_strdup(filled.namespace_);
	queue_close(&q);
	l = driver->link_open(url, &filled, queue, shard, e);
	if (!l) {
		mem_free(&filled.namespace_);
		return NULL;
	}
	l->driver = driver;
	l->shard = shard;
	l->options = filled;
	l->routes = mem_array(n_routes, sizeof(*l->routes));
	l->n_routes = n_routes;
	for (size_t i = 0; i < n_routes; i++)
		if (!str_copy(l->routes[i], JOB_ROUTE, routes[i]))
			l->routes[i][0] = '\0'; /* cannot be: checked above */
	if (!str_copy(l->queue, sizeof(l->queue), queue) || !str_copy(l->worker, sizeof(l->worker), worker))
		l->worker[0] = '\0';
	return l;
}

struct queue_link *queue_link_open(const char *url, const struct queue_options *options, const char *queue, const char *worker,
        const char *const *routes, size_t n_routes, struct err *e)
{
	return queue_link_open_shard(url, options, queue, 0, worker, routes, n_routes, e);
}

void queue_link_close(struct queue_link **l)
{
	if (!*l)
		return;
	free_head(*l);
	(*l)->driver->link_close(*l);
	*l = NULL;
}

static bool check_remarks(const struct queue_link *l, const struct queue_step *s, struct err *e)
{
	char queue[JOB_NAME];
	int shard;

	if (s->n_remarks > QUEUE_BATCH_MAX)
		return err_set(e, ERR_INVALID, "a step carries at most %d lines of logs, not %zu", QUEUE_BATCH_MAX, s->n_remarks);
	for (size_t i = 0; i < s->n_remarks; i++) {
		const struct queue_remark *r = &s->remarks[i];

		if (!job_id_parse(r->id, queue, &shard) || shard != l->shard || !str_eq(queue, l->queue))
			return err_set(e, ERR_INVALID, "%.60s is no job of queue %s", r->id, l->queue);
		if (!r->text || strlen(r->text) > QUEUE_REMARK_MAX || r->age_ms < 0)
			return err_set(e, ERR_INVALID, "a line of a log has at most %d bytes", QUEUE_REMARK_MAX);
	}
	return true;
}

static bool check_step(const struct queue_link *l, const struct queue_step *s, struct err *e)
{
	char queue[JOB_NAME];
	int shard;

	if (s->n_acks > QUEUE_BATCH_MAX || s->want < 0 || s->want > QUEUE_BATCH_MAX)
		return err_set(e, ERR_INVALID, "a step acknowledges and wants at most %d jobs", QUEUE_BATCH_MAX);
	if (s->report && strlen(s->report) > QUEUE_REPORT_MAX)
		return err_set(e, ERR_INVALID, "a dispatcher's report is at most %d bytes", QUEUE_REPORT_MAX);
	if (s->lease_ms < LEASE_MIN_MS || s->lease_ms > LEASE_MAX_MS)
		return err_set(e, ERR_INVALID, "a lease lasts 100 ms to 24 h, not %lld ms", (long long)s->lease_ms);
	for (size_t i = 0; i < s->n_acks; i++)
		if (!job_id_parse(s->acks[i].id, queue, &shard) || shard != l->shard || !str_eq(queue, l->queue))
			return err_set(e, ERR_INVALID, "%.60s is no job of queue %s", s->acks[i].id, l->queue);
	return check_remarks(l, s, e);
}

bool queue_link_step_begin(struct queue_link *l, const struct queue_step *s, struct err *e)
{
	return check_step(l, s, e) && l->driver->step_begin(l, s, e);
}

int queue_link_step_end(struct queue_link *l, struct queue_step_reply *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	return l->driver->step_end(l, out, e);
}

bool queue_link_renew_begin(struct queue_link *l, const struct queue_renewal *items, size_t n, int64_t lease_ms, struct err *e)
{
	char queue[JOB_NAME];
	int shard;

	if (n > QUEUE_BATCH_MAX || lease_ms < LEASE_MIN_MS || lease_ms > LEASE_MAX_MS)
		return err_set(e, ERR_INVALID, "a renewal holds at most %d jobs, for 100 ms to 24 h", QUEUE_BATCH_MAX);
	for (size_t i = 0; i < n; i++)
		if (!job_id_parse(items[i].id, queue, &shard) || shard != l->shard || !str_eq(queue, l->queue))
			return err_set(e, ERR_INVALID, "%.60s is no job of queue %s", items[i].id, l->queue);
	return l->driver->renew_begin(l, items, n, lease_ms, e);
}

int queue_link_renew_end(struct queue_link *l, struct queue_renew_reply *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	return l->driver->renew_end(l, out, e);
}

bool queue_link_fire_begin(struct queue_link *l, const struct queue_due *due, size_t n, int64_t now_ms, struct err *e)
{
	struct queue_fire *fires;
	size_t left = QUEUE_BATCH_MAX;
	bool ok;

	if (n < 1 || n > QUEUE_DUE_MAX)
		return err_set(e, ERR_INVALID, "1 to %d schedules tick in one call, not %zu", QUEUE_DUE_MAX, n);
	fires = mem_array(n, sizeof(*fires));
	for (size_t i = 0; i < n; i++) {
		size_t share = left - (n - 1 - i); /* one for each of the others */

		schedule_fire(&due[i], l->queue, l->shard, now_ms, share < TICKS_MAX ? share : TICKS_MAX, &fires[i]);
		left -= fires[i].n;
	}
	ok = l->driver->fire_begin(l, fires, n, e);
	for (size_t i = 0; i < n; i++)
		schedule_fire_close(&fires[i]);
	mem_free(&fires);
	return ok;
}

int queue_link_fire_end(struct queue_link *l, struct queue_fire_reply *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	return l->driver->fire_end(l, out, e);
}

bool queue_link_wait_begin(struct queue_link *l, int64_t max_ms, struct err *e)
{
	return l->driver->wait_begin(l, max_ms < 1 ? 1 : max_ms, e);
}

int queue_link_wait_end(struct queue_link *l, struct err *e)
{
	return l->driver->wait_end(l, e);
}

int queue_link_fd(const struct queue_link *l)
{
	return l->driver->link_fd(l);
}

int queue_link_wait_fd(const struct queue_link *l)
{
	return l->driver->wait_fd(l);
}

bool queue_result_too_long(const struct queue_ack *a, struct err *e)
{
	if (a->outcome != ACK_DONE || !a->result || strlen(a->result) <= QUEUE_RESULT_MAX)
		return false;
	err_set(e, ERR_INVALID, "the result is longer than %d bytes", QUEUE_RESULT_MAX);
	return true;
}

bool queue_step_refused(const struct queue_step_reply *r, const char *id)
{
	for (size_t i = 0; i < r->n_rejected; i++)
		if (str_eq(r->rejected[i], id))
			return true;
	return false;
}

void queue_step_reply_close(struct queue_step_reply *r)
{
	for (size_t i = 0; i < r->n_claims; i++)
		job_close(&r->claims[i].job);
	mem_free(&r->claims);
	queue_due_close(r->due, r->n_due);
	mem_free(&r->rejected);
	memset(r, 0, sizeof(*r));
}

void queue_renew_reply_close(struct queue_renew_reply *r)
{
	mem_free(&r->lost);
	mem_free(&r->cancel);
	memset(r, 0, sizeof(*r));
}
