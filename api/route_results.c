/* route_results.c -- backtests that were run: their list, one's figures, and the result files. */
#include <stdio.h>
#include <string.h>

#include "api/context.h"
#include "api/input.h"
#include "api/reply.h"
#include "api/routes.h"
#include "base/json.h"
#include "base/str.h"
#include "records/records.h"

static void row_write(const struct result_row *row, struct json_writer *w)
{
	jw_object(w, NULL);
	jw_text(w, "job", row->job);
	jw_text(w, "strategy", row->strategy);
	jw_int(w, "created_at", row->created_at);
	jw_raw(w, "params", row->params);
	jw_raw(w, "summary", row->summary);
	jw_end(w);
}

/* Rows of one millisecond stand on one page or are split by it: their ids are random enough that nobody makes that many. */
static void list_reply(struct call *c, const struct result_row *rows, int n, int64_t limit)
{
	struct buf body = {0};
	struct json_writer w = json_writer_on(&body);
	bool more = n == limit;

	jw_object(&w, NULL);
	jw_int(&w, "count", n);
	jw_array(&w, "backtests");
	for (int i = 0; i < n; i++)
		row_write(&rows[i], &w);
	jw_end(&w);
	if (more) {
		long long before = rows[n - 1].created_at;

		jw_int(&w, "next_before", before);
		reply_header(c, "Link",
		        arena_printf(c->arena, "</api/backtests?limit=%lld&before=%lld>; rel=\"next\"", (long long)limit, before));
	} else {
		jw_null(&w, "next_before");
	}
	jw_end(&w);
	reply_json(c, 200, &body);
}

void route_results(struct call *c)
{
	int64_t limit, before;
	struct result_row *rows;
	struct err e = {0};

	if (!input_query_int(c, "limit", 1, 500, 50, &limit) || !input_query_int(c, "before", 0, INT64_MAX, 0, &before))
		return;
	struct store *s = call_store(c);
	if (!s)
		return;
	int n = store_result_list(s, before, (int)limit, c->arena, &rows, &e);
	if (n < 0)
		reply_err(c, &e, NULL);
	else
		list_reply(c, rows, n, limit);
}

void route_result(struct call *c)
{
	const char *job = call_param(c, "job");
	struct store *s = call_store(c);
	struct result_row row = {0};
	struct err e = {0};

	if (!s)
		return;
	int got = strlen(job) < sizeof row.job ? store_result_get(s, job, c->arena, &row, &e) : 0;
	if (got < 0) {
		reply_err(c, &e, NULL);
	} else if (got == 0) {
		reply_detail(c, 404, "there is no backtest of job '%s'", reply_excerpt(c, job));
	} else {
		struct buf body = {0};
		struct json_writer w = json_writer_on(&body);

		row_write(&row, &w);
		reply_json(c, 200, &body);
	}
}

/* One part of a path, without a way out of the directory and without anything that would upset a header. */
static bool file_name_ok(const char *name)
{
	return str_is_name(name, 250, "._-") && name[0] != '.' && (str_ends(name, ".csv") || str_ends(name, ".json"));
}

void route_record(struct call *c)
{
	const char *name = call_param(c, "file");
	struct buf file = {0};
	struct err e = {0};

	if (!file_name_ok(name)) {
		reply_detail(c, 404, "there is no result file '%s'", reply_excerpt(c, name));
		return;
	}
	if (!records_read(c->api->records_dir, name, &file, &e)) {
		buf_close(&file);
		if (e.code == ERR_NOT_FOUND) /* its own sentence names directories */
			reply_detail(c, 404, "there is no result file '%s'", reply_excerpt(c, name));
		else
			reply_err(c, &e, NULL);
		return;
	}
	reply_header(c, "Content-Disposition", arena_printf(c->arena, "attachment; filename=\"%s\"", name));
	reply_bytes(c, 200, str_ends(name, ".csv") ? "text/csv; charset=utf-8" : "application/json", &file);
}
