/* job_json.c -- the public shape of a job, as the HTTP API shows it. */
#include "job/job.h"

#include <string.h>

#include "base/str.h"

static void put_time(struct json_writer *w, const char *key, int64_t t_ms)
{
	if (t_ms)
		jw_int(w, key, t_ms);
	else
		jw_null(w, key);
}

static void put_text(struct json_writer *w, const char *key, const char *s)
{
	jw_text(w, key, s[0] ? s : NULL);
}

static void put_progress(struct json_writer *w, const struct job_progress *p)
{
	if (!p->done && !p->total && !p->note[0]) {
		jw_null(w, "progress");
		return;
	}
	jw_object(w, "progress");
	jw_int(w, "done", p->done);
	jw_int(w, "total", p->total);
	jw_text(w, "unit", p->unit);
	jw_double(w, "rate", p->rate);
	if (p->eta_s < 0)
		jw_null(w, "eta_s");
	else
		jw_int(w, "eta_s", p->eta_s);
	jw_text(w, "note", p->note);
	jw_end(w);
}

static void put_error(struct json_writer *w, const struct err *e)
{
	if (e->code == ERR_NONE) {
		jw_null(w, "error");
		return;
	}
	jw_object(w, "error");
	jw_text(w, "code", err_name(e->code));
	jw_text(w, "message", e->text);
	jw_bool(w, "temporary", err_is_temporary(e->code));
	jw_end(w);
}

static void put_tags(struct json_writer *w, const char *tags)
{
	char one[JOB_TAGS];

	jw_array(w, "tags");
	for (const char *s = tags; *s;) {
		size_t len = strcspn(s, ",");

		memcpy(one, s, len);
		one[len] = '\0';
		if (len)
			jw_text(w, NULL, one);
		s += len + (s[len] == ',');
	}
	jw_end(w);
}

static void put_concurrency(struct json_writer *w, const struct job *j)
{
	const char *key = j->concurrency_key;

	if (!key[0]) {
		jw_null(w, "concurrency");
		return;
	}
	jw_object(w, "concurrency");
	jw_text(w, "key", key);
	jw_int(w, "max", j->max_concurrent);
	jw_end(w);
}

void job_rate_to_json(const struct job_rate *r, struct json_writer *w)
{
	jw_object(w, "rate");
	jw_text(w, "key", r->key);
	jw_int(w, "limit", r->limit);
	jw_int(w, "window_ms", r->window_ms);
	jw_int(w, "cost", r->cost);
	jw_end(w);
}

static void put_wait(struct json_writer *w, const struct job_wait *wait)
{
	if (!wait->reason[0]) {
		jw_null(w, "waiting_on");
		return;
	}
	jw_object(w, "waiting_on");
	jw_text(w, "reason", wait->reason);
	jw_text(w, "what", wait->what);
	put_time(w, "until", wait->until_ms);
	jw_end(w);
}

/* The ids in "<id>=<name> ...". */
static void put_children(struct json_writer *w, const char *waits_for)
{
	char id[JOB_ID];

	jw_array(w, "children");
	for (const char *s = waits_for ? waits_for : ""; *s; s += *s == ' ') {
		size_t len = strcspn(s, "=: ");

		if (str_copy_n(id, sizeof(id), s, len))
			jw_text(w, NULL, id);
		s += strcspn(s, " ");
	}
	jw_end(w);
}

/* What the queue knows of its own jobs and the history does not keep: how one is tried again, what it may use, what it waited for. */
static void put_live(struct json_writer *w, const struct job *j)
{
	put_text(w, "lane", j->lane);
	jw_int(w, "max_crashes", j->max_crashes);
	jw_int(w, "backoff_ms", j->backoff_ms);
	jw_int(w, "backoff_cap_ms", j->backoff_cap_ms);
	put_time(w, "result_ttl_ms", j->result_ttl_ms);
	jw_int(w, "quarantine_after", j->quarantine_after);
	put_time(w, "time_limit_ms", j->time_limit_ms);
	put_time(w, "hard_limit_ms", j->hard_limit_ms);
	put_concurrency(w, j);
	if (j->rate.key[0])
		job_rate_to_json(&j->rate, w);
	else
		jw_null(w, "rate");
	put_wait(w, &j->waiting_on);
	put_children(w, j->waits_for);
	jw_bool(w, "quarantined", j->quarantined);
	jw_bool(w, "cancel_asked", j->cancel_asked);
}

static void put_times(struct json_writer *w, const struct job *j)
{
	put_time(w, "created_at", j->created_at);
	put_time(w, "run_at", j->run_at);
	put_time(w, "started_at", j->started_at);
	put_time(w, "finished_at", j->finished_at);
	put_time(w, "lease_until", j->lease_until);
}

/* Over 15 lines because a record is as long as it is. */
void job_to_json(const struct job *j, struct json_writer *w, const char *key)
{
	jw_object(w, key);
	jw_text(w, "id", j->id);
	jw_text(w, "kind", j->kind);
	jw_int(w, "kind_version", j->kind_version);
	jw_text(w, "state", job_state_name(j->state));
	jw_text(w, "queue", j->queue);
	jw_int(w, "priority", j->priority);
	jw_raw(w, "params", j->params ? j->params : "{}");
	put_progress(w, &j->progress);
	jw_int(w, "attempt", j->attempt);
	jw_int(w, "max_attempts", j->max_attempts);
	jw_int(w, "crashes", j->crashes);
	jw_int(w, "rev", j->rev);
	put_times(w, j);
	put_text(w, "worker", j->worker);
	put_error(w, &j->error);
	jw_raw(w, "result", j->result ? j->result : "null");
	put_text(w, "idempotency_key", j->idempotency_key);
	put_text(w, "unique_key", j->unique_key);
	put_text(w, "parent", j->parent);
	put_text(w, "trace", j->trace);
	put_tags(w, j->tags);
	if (j->archived)
		jw_bool(w, "archived", true);
	else
		put_live(w, j);
	jw_end(w);
}
