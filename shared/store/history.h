/* history.h -- jobs that have ended, kept in the store after the queue has forgotten them.
 *
 * One row for each end of a job: replayed, it ends again. An end is known by its job's id and finished_at, so that writing it twice
 * changes nothing. Parameters and results longer than HISTORY_TEXT_MAX are not kept; how long they were is.
 */
#ifndef STORE_HISTORY_H
#define STORE_HISTORY_H

#include "job/job.h"
#include "store/store.h"

#define HISTORY_TEXT_MAX (64 * 1024)
#define HISTORY_CURSOR   80

/* An end to be written: the row, the event that tells of it, or both, in one transaction with all others of the call. */
struct history_entry {
	const struct job *job; /* ended; finished_at says when */
	bool keep;
	const struct outbox_row *event; /* NULL: none. Left out when the row was there already: it was told then */
};
/* All or nothing. *written_out: how many rows are new. */
bool store_history_put(struct store *s, const struct history_entry *entries, size_t n, int64_t *written_out, struct err *e) MUST_CHECK;

struct history_row {
	struct job job;                     /* its texts live in the arena: not to be closed */
	int64_t params_bytes, result_bytes; /* above HISTORY_TEXT_MAX: job.params is "{}" or job.result NULL instead */
};
/* The last end of a job. 1 / 0 / -1. */
int store_history_get(struct store *s, const char *id, struct arena *a, struct history_row *out, struct err *e) MUST_CHECK;

struct history_filter {
	const char *kind, *queue; /* NULL: any */
	int state;                /* -1: any; else an end state */
	const char *error;        /* a part of "<code> <sentence>", of any case; NULL: any */
	int64_t from_ms, to_ms;   /* when they ended, both included; 0: no limit */
};
/* The latest ended first, at most limit (1 .. 1000), in arena memory; the count or -1. cursor "" starts; next_out "": the end. */
int store_history_list(struct store *s, const struct history_filter *f, const char *cursor, int limit, struct arena *a,
        struct history_row **out, char next_out[HISTORY_CURSOR], struct err *e) MUST_CHECK;

bool store_history_count(struct store *s, int64_t *out, struct err *e) MUST_CHECK; /* takes as long as there are rows */
/* Delete the oldest rows that ended before before_ms, at most limit. */
bool store_history_trim(struct store *s, int64_t before_ms, int limit, int64_t *deleted_out, struct err *e) MUST_CHECK;

#endif
