/* flow_split.c -- one job for each item of a list: splits jobs and mends the names of those that others wait for. */
#include "api/flow_split.h"

#include <stdio.h>

#include "api/context.h"
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

/* What an empty list stands for. NULL with e. */
static struct json *all_of(struct call *c, const struct kind *k, const struct json *job, const char *by, struct err *e)
{
	const char *name = json_get_text(job, "name", ""), **symbols = NULL;
	struct json *out;
	struct store *s;
	int n;

	if (!k->all_symbols || !str_eq(by, "symbols")) {
		err_set(e, ERR_INVALID, "job '%.60s': to be split it must name its %s", name, by);
		return NULL;
	}
	s = context_store(c->thread, e);
	n = s ? k->all_symbols(json_get(job, "params"), s, c->arena, &symbols, e) : -1;
	if (n < 0) {
		if (e->code == ERR_INVALID)
			err_prefix(e, "job '%.60s' cannot be split into one for each symbol", name);
		return NULL;
	}
	out = json_new_array();
	for (int i = 0; i < n; i++)
		json_push(out, json_new_text(symbols[i]));
	return out;
}

/* The items of the list by which a job is split; the caller closes them. NULL: it cannot be. */
static struct json *items_of(struct call *c, const struct json *job, struct err *e)
{
	const char *by = json_text(json_get(job, "split")), *name = json_get_text(job, "name", "");
	const struct kind *k = kind_of(json_get_text(job, "kind", ""));
	const struct json *params = json_get(job, "params"), *list = by ? json_get(params, by) : NULL;

	if (!k)
		err_set(e, ERR_INVALID, "job '%.60s': there is no kind '%.60s'; GET /api/kinds lists the kinds", name,
		        json_get_text(job, "kind", ""));
	else if (!by || !is_list_of(k, by))
		err_set(e, ERR_INVALID, "job '%.60s': split must name a list among the parameters of %s, such as symbols", name, k->name);
	else if (!*name)
		err_set(e, ERR_INVALID, "a job that is split needs a name");
	else if (params && !json_is(params, JSON_OBJECT))
		err_set(e, ERR_INVALID, "job '%.60s': params must be an object", name);
	else if (list && !json_is(list, JSON_ARRAY))
		err_set(e, ERR_INVALID,
		        "job '%.60s': to be split its %s must be a list: what another job gives is known only when that has run", name, by);
	else
		return json_count(list) ? json_copy(list) : all_of(c, k, job, by, e);
	return NULL;
}

/* The n-th piece, with this item alone. */
static struct json *piece_of(const struct json *job, const struct json *item, size_t n)
{
	const char *by = json_get_text(job, "split", ""), *text = json_text(item);
	const struct json *given = json_get(job, "params");
	struct json *piece = json_copy(job), *params = given ? json_copy(given) : json_new_object(), *one = json_new_array();
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
static bool split_job(struct call *c, const struct json *job, struct json *out, struct json *names, struct err *e)
{
	struct json *items = items_of(c, job, e), *pieces;
	size_t n = 0;

	if (!items)
		return false;
	if (json_count(out) + json_count(items) > QUEUE_FLOW_JOBS) {
		json_close(&items);
		return err_set(e, ERR_INVALID, "a flow has 1 to %d jobs: split, '%.60s' makes too many", QUEUE_FLOW_JOBS,
		        json_get_text(job, "name", ""));
	}
	pieces = json_new_array();
	for (const struct json *item = json_first(items); item; item = json_next(item)) {
		struct json *piece = piece_of(job, item, ++n);

		json_push(pieces, json_copy(json_get(piece, "name")));
		json_push(out, piece);
	}
	json_put(names, json_get_text(job, "name", ""), pieces);
	json_close(&items);
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

struct json *flow_split(struct call *c, const struct json *jobs, struct err *e)
{
	struct json *out = json_new_array(), *names = json_new_object(), *mended = NULL;
	bool ok = true;

	for (const struct json *j = json_first(jobs); ok && j; j = json_next(j)) {
		if (json_get(j, "split"))
			ok = split_job(c, j, out, names, e);
		else
			json_push(out, json_copy(j));
	}
	if (ok)
		mended = json_count(names) ? mend_after(out, names, e) : json_copy(out);
	json_close(&names);
	json_close(&out);
	return mended;
}
