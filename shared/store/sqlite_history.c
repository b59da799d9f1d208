/* sqlite_history.c -- the SQLite driver's table of ended jobs. */
#include <string.h>

#include "base/str.h"
#include "store/sqlite_store.h"

static struct sqlite *market_of(void *store)
{
	return ((struct sqlite_store *)store)->market;
}

/* ---- writing -------------------------------------------------------------------------------------------------------- */

/* *new_out: was it not there? */
static bool put_row(struct sqlite *db, const struct job *j, bool *new_out, struct err *e)
{
	size_t params = j->params ? strlen(j->params) : 0, result = j->result ? strlen(j->result) : 0;
	bool ok = sqlite_do(db, SQL_HISTORY_PUT,
	        VALUES(INT(j->finished_at), TEXT(j->id), TEXT(j->kind), INT(j->kind_version), TEXT(j->queue), INT(j->state),
	                INT(j->priority), INT(j->attempt), INT(j->max_attempts), INT(j->crashes), INT(j->fence), INT(j->rev),
	                INT(j->created_at), INT(j->run_at), INT(j->started_at), TEXT(j->worker),
	                TEXT(j->error.code == ERR_NONE ? "" : err_name(j->error.code)),
	                TEXT(j->error.code == ERR_NONE ? "" : j->error.text), TEXT(params > HISTORY_TEXT_MAX ? NULL : j->params),
	                INT((int64_t)params), TEXT(result > HISTORY_TEXT_MAX ? NULL : j->result), INT((int64_t)result), TEXT(j->parent),
	                TEXT(j->trace), TEXT(j->tags), TEXT(j->idempotency_key), TEXT(j->unique_key)),
	        e);
	*new_out = ok && sqlite_changes(db) > 0;
	return ok;
}

static bool put_entry(struct sqlite *db, const struct history_entry *x, int64_t *written, struct err *e)
{
	bool is_new = true;
	if (x->keep && !put_row(db, x->job, &is_new, e))
		return false;
	*written += x->keep && is_new;
	return !x->event || !is_new || sqlite_outbox_add(db, x->event, e);
}

bool sqlite_history_put(void *store, const struct history_entry *entries, size_t n, int64_t *written_out, struct err *e)
{
	struct sqlite *db = market_of(store);
	bool ok = sqlite_begin(db, true, e);
	if (!ok)
		return false;
	for (size_t i = 0; ok && i < n; i++)
		ok = put_entry(db, &entries[i], written_out, e);
	if (ok)
		return sqlite_commit(db, e);
	sqlite_rollback(db);
	return false;
}

bool sqlite_history_trim(void *store, int64_t before_ms, int limit, int64_t *deleted_out, struct err *e)
{
	struct sqlite *db = market_of(store);
	if (!sqlite_do(db, SQL_HISTORY_TRIM, VALUES(INT(before_ms), INT(limit)), e))
		return false;
	*deleted_out = sqlite_changes(db);
	return true;
}

/* ---- reading -------------------------------------------------------------------------------------------------------- */

/* A text of the row at hand. False: it is longer than its place, which we never wrote. */
#define FILL(column, member) str_copy(j->member, sizeof j->member, sqlite_text(db, id, column))

static bool fill_texts(struct sqlite *db, enum sql id, struct job *j)
{
	const char *code = sqlite_text(db, id, 16);
	if (*code)
		err_set(&j->error, err_code_of(code), "%s", sqlite_text(db, id, 17));
	return FILL(1, id) && FILL(2, kind) && FILL(4, queue) && FILL(15, worker) && FILL(22, parent) && FILL(23, trace) &&
	       FILL(24, tags) && FILL(25, idempotency_key) && FILL(26, unique_key);
}

static bool fill_row(struct sqlite *db, enum sql id, struct arena *a, struct history_row *r)
{
	r->params_bytes = sqlite_int(db, id, 19);
	r->result_bytes = sqlite_int(db, id, 21);
	r->job = (struct job){.finished_at = sqlite_int(db, id, 0),
	        .kind_version = (int)sqlite_int(db, id, 3),
	        .state = (enum job_state)sqlite_int(db, id, 5),
	        .priority = (int)sqlite_int(db, id, 6),
	        .attempt = (int)sqlite_int(db, id, 7),
	        .max_attempts = (int)sqlite_int(db, id, 8),
	        .crashes = (int)sqlite_int(db, id, 9),
	        .fence = sqlite_int(db, id, 10),
	        .rev = sqlite_int(db, id, 11),
	        .created_at = sqlite_int(db, id, 12),
	        .run_at = sqlite_int(db, id, 13),
	        .started_at = sqlite_int(db, id, 14)};
	bool has_params = r->params_bytes > 0 && r->params_bytes <= HISTORY_TEXT_MAX;
	bool has_result = r->result_bytes > 0 && r->result_bytes <= HISTORY_TEXT_MAX;
	r->job.params = arena_strdup(a, has_params ? sqlite_text(db, id, 18) : "{}");
	r->job.result = has_result ? arena_strdup(a, sqlite_text(db, id, 20)) : NULL;
	return fill_texts(db, id, &r->job);
}

static int damaged(struct sqlite *db, enum sql id, struct err *e)
{
	sqlite_reset(db, id);
	return err_fail(e, ERR_CORRUPT, "a row of table job is damaged: a text is too long");
}

int sqlite_history_get(void *store, const char *job, struct arena *a, struct history_row *out, struct err *e)
{
	struct sqlite *db = market_of(store);
	int got = sqlite_one(db, SQL_HISTORY_GET, VALUES(TEXT(job)), e);
	if (got != 1)
		return got;
	if (!fill_row(db, SQL_HISTORY_GET, a, out))
		return damaged(db, SQL_HISTORY_GET, e);
	sqlite_reset(db, SQL_HISTORY_GET);
	return 1;
}

/* Each goes along an index of its own; what else is asked for is looked for on the way. */
static enum sql list_of(const struct history_filter *f)
{
	if (f->error || (f->state >= 0 && f->state != JOB_SUCCEEDED))
		return SQL_HISTORY_FAILED;
	return f->kind ? SQL_HISTORY_KIND : SQL_HISTORY_ALL;
}

int sqlite_history_list(void *store, const struct history_filter *f, const struct history_place *before, int limit, struct arena *a,
        struct history_row **out, struct err *e)
{
	struct sqlite *db = market_of(store);
	struct sqlite_rows rows = {.arena = a, .size = sizeof **out};
	enum sql id = list_of(f);
	int got = sqlite_start(db, id,
	                  VALUES(INT(f->from_ms), INT(before->finished_at), TEXT(before->id), TEXT(f->kind ? f->kind : ""),
	                          TEXT(f->queue ? f->queue : ""), INT(f->state), TEXT(f->error ? f->error : ""), INT(limit)),
	                  e)
	                  ? 0
	                  : -1;
	while (got >= 0 && (got = sqlite_next(db, id, e)) == 1)
		if (!fill_row(db, id, a, sqlite_row(&rows)))
			return damaged(db, id, e);
	*out = rows.items;
	return got < 0 ? -1 : (int)rows.n;
}

bool sqlite_history_count(void *store, int64_t *out, struct err *e)
{
	struct sqlite *db = market_of(store);
	if (sqlite_one(db, SQL_HISTORY_COUNT, NO_VALUES, e) != 1)
		return false;
	*out = sqlite_int(db, SQL_HISTORY_COUNT, 0);
	sqlite_reset(db, SQL_HISTORY_COUNT);
	return true;
}
