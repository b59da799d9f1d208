/* route_workers.c -- the workers: which there are, what each of their slots runs, and telling them to be quiet, go on, drain or stop. */
#include <stdlib.h>
#include <string.h>

#include "api/all_queues.h"
#include "api/context.h"
#include "api/reply.h"
#include "api/routes.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "queue/workers.h"

/* A worker as one of its queues knows it. */
struct row {
	struct queue_worker w;
	const char *queue;
	struct json *report; /* NULL: none, or not one of ours */
};

struct rows {
	struct row *at;
	int n;
	char (*queues)[JOB_NAME];
};

static int by_name(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int c = strcmp(x->w.name, y->w.name);

	return c ? c : strcmp(x->queue, y->queue);
}

static void rows_close(struct rows *all)
{
	for (int i = 0; i < all->n; i++) {
		json_close(&all->at[i].report);
		queue_worker_close(&all->at[i].w);
	}
	mem_free(&all->at);
	mem_free(&all->queues);
}

static bool rows_add(struct queue *q, struct rows *all, const char *queue, struct err *e)
{
	struct queue_workers workers;
	struct err bad;

	if (!queue_workers(q, queue, &workers, e))
		return false;
	if (workers.n)
		all->at = mem_grow(all->at, (size_t)all->n, (size_t)all->n + workers.n, sizeof *all->at);
	for (size_t i = 0; i < workers.n; i++) {
		struct row *row = &all->at[all->n++];

		*row = (struct row){.w = workers.at[i], .queue = queue};
		if (row->w.report)
			row->report = json_parse(row->w.report, strlen(row->w.report), &bad);
	}
	mem_free(&workers.at); /* what stands in them is the rows' now */
	return true;
}

static bool rows_of_all(struct queue *q, struct rows *all, struct err *e)
{
	int n = all_queues(q, &all->queues, e);
	bool ok = n >= 0;

	for (int i = 0; ok && i < n; i++)
		ok = rows_add(q, all, all->queues[i], e);
	return ok;
}

/* All workers of all queues, those of one name side by side. False: answered. */
static bool rows_load(struct call *c, struct queue *q, struct rows *all)
{
	struct err e = {0};

	*all = (struct rows){.n = 0};
	if (!rows_of_all(q, all, &e)) {
		rows_close(all);
		reply_err(c, &e, NULL);
		return false;
	}
	if (all->n)
		qsort(all->at, (size_t)all->n, sizeof *all->at, by_name);
	return true;
}

/* ---- one worker, from the rows of its name ---------------------------------------------------------------------------- */

static void head_write(const struct row *r, int n, struct json_writer *w)
{
	static const char *const texts[] = {"host", "version", "state"}, *const numbers[] = {"pid", "started_at", "slots", "busy",
	                                                                         "rss_bytes", "cpu_ms"};
	const struct row *newest = r;
	enum worker_command told = r->w.command;
	int64_t running = 0;

	for (int i = 0; i < n; i++) {
		newest = r[i].w.heard_at > newest->w.heard_at ? &r[i] : newest;
		told = r[i].w.command > told ? r[i].w.command : told;
		running += r[i].w.running;
	}
	jw_text(w, "name", r->w.name);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		jw_text(w, texts[i], json_get_text(newest->report, texts[i], NULL));
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		jw_int(w, numbers[i], json_get_int(newest->report, numbers[i], 0));
	jw_int(w, "running", running);
	jw_text(w, "told", told == WORKER_RESUME ? NULL : worker_command_name(told));
	if (newest->w.heard_at)
		jw_int(w, "heard_at", newest->w.heard_at);
	else
		jw_null(w, "heard_at");
	jw_array(w, "queues");
	for (int i = 0; i < n; i++)
		jw_text(w, NULL, r[i].queue);
	jw_end(w);
}

/* The arrays of this name in all reports, one after the other. */
static void lists_write(const struct row *r, int n, const char *name, struct json_writer *w)
{
	jw_array(w, name);
	for (int i = 0; i < n; i++)
		for (const struct json *item = json_first(json_get(r[i].report, name)); item; item = json_next(item))
			jw_json(w, NULL, item);
	jw_end(w);
}

static int same_name(const struct rows *all, int at)
{
	int n = 1;

	while (at + n < all->n && str_eq(all->at[at].w.name, all->at[at + n].w.name))
		n++;
	return n;
}

static int find(const struct rows *all, const char *name)
{
	for (int i = 0; i < all->n; i++)
		if (str_eq(all->at[i].w.name, name))
			return i;
	return -1;
}

void route_workers(struct call *c)
{
	struct queue *q = call_queue(c);
	struct rows all;

	if (!q || !rows_load(c, q, &all))
		return;
	struct buf body = {0};
	struct json_writer w = json_writer_on(&body);
	jw_object(&w, NULL);
	jw_array(&w, "workers");
	for (int i = 0, n; i < all.n; i += n) {
		n = same_name(&all, i);
		jw_object(&w, NULL);
		head_write(&all.at[i], n, &w);
		jw_end(&w);
	}
	jw_end(&w);
	jw_end(&w);
	rows_close(&all);
	reply_json(c, 200, &body);
}

static void reply_none(struct call *c, const char *name)
{
	reply_detail(c, 404, "there is no worker '%s', or it has ended", reply_excerpt(c, name));
}

void route_worker(struct call *c)
{
	struct queue *q = call_queue(c);
	const char *name = call_param(c, "name");
	struct rows all;

	if (!q || !rows_load(c, q, &all))
		return;
	int at = find(&all, name);
	if (at < 0) {
		rows_close(&all);
		reply_none(c, name);
		return;
	}
	struct buf body = {0};
	struct json_writer w = json_writer_on(&body);
	int n = same_name(&all, at);
	jw_object(&w, NULL);
	head_write(&all.at[at], n, &w);
	lists_write(&all.at[at], n, "routes", &w);
	lists_write(&all.at[at], n, "slot_list", &w);
	jw_end(&w);
	rows_close(&all);
	reply_json(c, 200, &body);
}

/* ---- commands ---------------------------------------------------------------------------------------------------------- */

/* Tell the workers of this name, "*" all, in each of their queues. False with e. */
static bool tell(struct queue *q, struct rows *all, const char *name, enum worker_command command, struct json_writer *w, int *told_out,
        struct err *e)
{
	const char *last = "";

	*told_out = 0;
	for (int i = 0; i < all->n; i++) {
		const struct row *r = &all->at[i];

		if (!str_eq(name, "*") && !str_eq(name, r->w.name))
			continue;
		int told = queue_worker_tell(q, r->queue, r->w.name, command, e);
		if (told < 0)
			return false;
		if (told == 0 || str_eq(last, r->w.name))
			continue;
		last = r->w.name;
		jw_text(w, NULL, last);
		*told_out += 1;
	}
	return true;
}

void route_worker_tell(struct call *c)
{
	const char *name = call_param(c, "name"), *word = call_param(c, "command");
	enum worker_command command;
	struct rows all;
	struct err e = {0};
	int told = 0;

	if (!worker_command_of(word, &command)) {
		reply_detail(c, 404, "a worker can be told quiet, resume, drain or stop, not '%s'", reply_excerpt(c, word));
		return;
	}
	struct queue *q = call_queue(c);
	if (!q || !rows_load(c, q, &all))
		return;
	struct buf body = {0};
	struct json_writer w = json_writer_on(&body);
	jw_object(&w, NULL);
	jw_text(&w, "command", word);
	jw_array(&w, "workers");
	bool ok = tell(q, &all, name, command, &w, &told, &e);
	jw_end(&w);
	jw_end(&w);
	rows_close(&all);
	if (ok && (told > 0 || str_eq(name, "*"))) {
		reply_json(c, 202, &body);
		return;
	}
	buf_close(&body);
	if (ok)
		reply_none(c, name);
	else
		reply_err(c, &e, NULL);
}
