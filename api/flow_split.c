/* flow_split.c -- one job for each item of a list: splits jobs and mends the names of those that others wait for. */
#include "api/flow_split.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"
#include "kinds/kind.h"
#include "queue/flow.h"

static bool is_list_of(const struct kind *k, const char *name)
{
	for (size_t i = 0; i < k->n_params; i++)
		if (str_eq(k->params[i].name, name))
			return k->params[i].type == PARAM_TEXTS;
	return false;
}

/* The list by which a job is split. NULL: it cannot be. */
static const struct json *list_of(const struct json *job, struct err *e)
{
	const char *by = json_text(json_get(job, "split")), *name = json_get_text(job, "name", "");
	const struct kind *k = kind_of(json_get_text(job, "kind", ""));
	const struct json *list = by ? json_get(json_get(job, "params"), by) : NULL;

	if (!k)
		err_set(e, ERR_INVALID, "job '%.60s': there is no kind '%.60s'; GET /api/kinds lists the kinds", name,
		        json_get_text(job, "kind", ""));
	else if (!by || !is_list_of(k, by))
		err_set(e, ERR_INVALID, "job '%.60s': split must name a list among the parameters of %s, such as symbols", name, k->name);
	else if (!*name)
		err_set(e, ERR_INVALID, "a job that is split needs a name");
	else if (!json_is(list, JSON_ARRAY) || !json_count(list))
		err_set(e, ERR_INVALID, "job '%.60s': to be split it must name its %s: what an empty list means is known only when it runs",
		        name, by);
	else
		return list;
	return NULL;
}

/* The n-th piece, with this item alone. */
static struct json *piece_of(const struct json *job, const struct json *item, size_t n)
{
	const char *by = json_get_text(job, "split", ""), *text = json_text(item);
	struct json *piece = json_copy(job), *params = json_copy(json_get(job, "params")), *one = json_new_array();
	struct buf name = {0};

	buf_addf(&name, "%s-", json_get_text(job, "name", ""));
	if (text && str_is_name(text, QUEUE_FLOW_NAME - 1, "_-"))
		buf_adds(&name, text);
	else
		buf_addf(&name, "%zu", n);
	json_push(one, json_copy(item));
	json_put(params, by, one);
	json_remove(piece, "split");
	json_put(piece, "params", params);
	json_put_text(piece, "name", buf_text(&name));
	buf_close(&name);
	return piece;
}

/* Its pieces go behind out, and their names into names, under its own. */
static bool split_job(const struct json *job, struct json *out, struct json *names, struct err *e)
{
	const struct json *list = list_of(job, e);
	struct json *pieces;
	size_t n = 0;

	if (!list)
		return false;
	if (json_count(out) + json_count(list) > QUEUE_FLOW_JOBS)
		return err_set(e, ERR_INVALID, "a flow has 1 to %d jobs: split, '%.60s' makes too many", QUEUE_FLOW_JOBS,
		        json_get_text(job, "name", ""));
	pieces = json_new_array();
	for (const struct json *item = json_first(list); item; item = json_next(item)) {
		struct json *piece = piece_of(job, item, ++n);

		json_push(pieces, json_copy(json_get(piece, "name")));
		json_push(out, piece);
	}
	json_put(names, json_get_text(job, "name", ""), pieces);
	return true;
}

/* What a job waits for, with pieces in the place of what was split. NULL: too much. */
static struct json *after_of(const struct json *job, const struct json *names, size_t *edges, struct err *e)
{
	struct json *after = json_new_array();

	for (const struct json *a = json_first(json_get(job, "after")); a; a = json_next(a)) {
		const struct json *pieces = json_text(a) ? json_get(names, json_text(a)) : NULL;

		*edges += pieces ? json_count(pieces) : 1;
		if (*edges > QUEUE_FLOW_EDGES) {
			json_close(&after);
			err_set(e, ERR_INVALID, "the jobs of a flow can wait for each other in at most %d ways", QUEUE_FLOW_EDGES);
			return NULL;
		}
		if (!pieces)
			json_push(after, json_copy(a));
		for (const struct json *p = json_first(pieces); p; p = json_next(p))
			json_push(after, json_copy(p));
	}
	return after;
}

static struct json *mend_after(const struct json *jobs, const struct json *names, struct err *e)
{
	struct json *out = json_new_array();
	size_t edges = 0;

	for (const struct json *j = json_first(jobs); j; j = json_next(j)) {
		struct json *job = json_copy(j), *after = NULL;

		json_push(out, job);
		if (!json_is(json_get(j, "after"), JSON_ARRAY))
			continue;
		after = after_of(j, names, &edges, e);
		if (!after) {
			json_close(&out);
			return NULL;
		}
		json_put(job, "after", after);
	}
	return out;
}

struct json *flow_split(const struct json *jobs, struct err *e)
{
	struct json *out = json_new_array(), *names = json_new_object(), *mended = NULL;
	bool ok = true;

	for (const struct json *j = json_first(jobs); ok && j; j = json_next(j)) {
		if (json_get(j, "split"))
			ok = split_job(j, out, names, e);
		else
			json_push(out, json_copy(j));
	}
	if (ok)
		mended = json_count(names) ? mend_after(out, names, e) : json_copy(out);
	json_close(&names);
	json_close(&out);
	return mended;
}
