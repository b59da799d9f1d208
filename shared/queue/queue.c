/* queue.c -- the front of the queue: checks what callers pass, fills in defaults, and hands on to the driver that the URL names. */
#include "queue/queue.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"
#include "queue/driver.h"

#define KINDS_MAX 64

static const struct {
	const char *scheme;
	const struct queue_driver *driver;
} drivers[] = {
#define DRIVER(scheme, driver) {scheme, &driver},
#include "queue/drivers.def"
#undef DRIVER
};

/* ---- opening ---------------------------------------------------------------------------------------------------- */

static const struct queue_driver *driver_of(const char *url, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
		if (str_starts(url, drivers[i].scheme))
			return drivers[i].driver;
	err_set(e, ERR_INVALID,
	        "the queue's URL begins with redis://, rediss:// (TLS), redis+unix://, redis+sentinel:// or redis+cluster://, not as %.40s",
	        url);
	return NULL;
}

static int64_t or_default(int64_t v, int64_t fallback)
{
	return v ? v : fallback;
}

static bool fill_options(const struct queue_options *in, struct queue_options *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	if (in)
		*out = *in;
	out->timeout_ms = (int)or_default(out->timeout_ms, 5000);
	out->max_length = or_default(out->max_length, 5000000);
	out->result_ttl_ms = or_default(out->result_ttl_ms, TIME_DAY);
	out->dead_ttl_ms = or_default(out->dead_ttl_ms, 14 * TIME_DAY);
	if (!out->namespace_)
		out->namespace_ = "bq";
	if (!out->library[0] && !str_copy(out->library, sizeof(out->library), QUEUE_LIBRARY))
		return err_set(e, ERR_INTERNAL, "the name of the function library is too long");
	if (!str_is_name(out->library, sizeof(out->library) - 1, "_"))
		return err_set(e, ERR_INVALID, "a function library is named by letters, digits and _, not %.30s", out->library);
	if (!str_is_name(out->namespace_, 32, "_.-"))
		return err_set(
		        e, ERR_INVALID, "the namespace of the queue must be 1 to 32 of A-Z a-z 0-9 _ . -, not %.40s", out->namespace_);
	if (out->shards < 0 || out->shards > QUEUE_SHARDS_MAX)
		return err_set(e, ERR_INVALID, "a queue has 1 to %d shards, not %d", QUEUE_SHARDS_MAX, out->shards);
	out->max_params = or_default(out->max_params, QUEUE_PARAMS_MAX);
	if (out->max_params > QUEUE_PARAMS_MAX)
		return err_set(e, ERR_INVALID, "the parameters of a job can be limited to at most %d bytes", QUEUE_PARAMS_MAX);
	if (out->wait_replicas < 0 || out->max_param_bytes < 0 || out->max_lane < 0 || out->max_params < 0 || out->timeout_ms < 0 ||
	        out->max_length < 0 || out->max_bytes < 0 || out->result_ttl_ms < 0 || out->dead_ttl_ms < 0)
		return err_set(e, ERR_INVALID, "an option of the queue is negative");
	return true;
}

struct queue *queue_open(const char *url, const struct queue_options *options, struct err *e)
{
	const struct queue_driver *driver = driver_of(url, e);
	struct queue_options filled;
	struct queue *q;

	if (!driver || !fill_options(options, &filled, e))
		return NULL;
	filled.namespace_ = mem_strdup(filled.namespace_); /* the caller's need not outlive the call */
	q = driver->open(url, &filled, e);
	if (q) {
		q->driver = driver;
		return q;
	}
	mem_free(&filled.namespace_);
	return NULL;
}

void queue_close(struct queue **q)
{
	const char *ns;

	if (!*q)
		return;
	ns = (*q)->options.namespace_;
	(*q)->driver->close(*q);
	mem_free(&ns);
	*q = NULL;
}

/* ---- ids -------------------------------------------------------------------------------------------------------- */

const char *queue_tail(const char *id)
{
	size_t len = strlen(id);

	return id + (len > QUEUE_TAIL ? len - QUEUE_TAIL : 0);
}

bool queue_full_id(char out[JOB_ID], const char *queue, int shard, const char *tail, size_t len)
{
	size_t n = strlen(queue);
	char digits[8], *at = digits + sizeof(digits);

	do
		*--at = (char)('0' + shard % 10);
	while (shard /= 10);
	size_t shard_len = (size_t)(digits + sizeof(digits) - at);
	if (len != QUEUE_TAIL || n + 1 + shard_len + len >= JOB_ID || !job_id_tail_ok(tail))
		return false;
	/* By hand: each claim and each end comes through here. */
	memcpy(out, queue, n);
	out[n] = '-';
	memcpy(out + n + 1, at, shard_len);
	memcpy(out + n + 1 + shard_len, tail, len);
	out[n + 1 + shard_len + len] = '\0';
	return true;
}

void queue_read_progress(const char *json_text, struct job_progress *out)
{
	struct err e;
	struct json *j = json_parse(json_text, strlen(json_text), &e);

	memset(out, 0, sizeof(*out));
	out->done = json_get_int(j, "done", 0);
	out->total = json_get_int(j, "total", 0);
	out->rate = json_get_double(j, "rate", 0);
	out->eta_s = json_get_int(j, "eta_s", -1);
	if (!str_copy(out->unit, sizeof(out->unit), json_get_text(j, "unit", "")))
		out->unit[0] = '\0';
	if (!str_copy(out->note, sizeof(out->note), json_get_text(j, "note", "")))
		out->note[0] = '\0';
	json_close(&j);
}

/* ---- submissions ------------------------------------------------------------------------------------------------ */

/* A text that becomes part of a record or a key: short enough, and no bytes that would make it another one. */
static bool text_ok(const char *s, size_t size)
{
	if (!s)
		return true;
	if (strlen(s) >= size)
		return false;
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

static bool check_texts(const struct queue_submission *s, struct err *e)
{
	const struct {
		const char *name, *text;
		size_t size;
	} texts[] = {
	        {"lane", s->lane, JOB_KEY - 1},
	        {"idempotency key", s->idempotency_key, JOB_KEY},
	        {"fingerprint", s->fingerprint, JOB_KEY},
	        {"unique key", s->unique_key, JOB_KEY},
	        {"concurrency key", s->concurrency_key, JOB_KEY},
	        {"rate's key", s->rate.key, JOB_KEY},
	        {"parent", s->parent, JOB_ID},
	        {"trace", s->trace, JOB_TRACE},
	        {"list of tags", s->tags, JOB_TAGS},
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (!text_ok(texts[i].text, texts[i].size))
			return err_set(e, ERR_INVALID, "the %s of a job must be at most %zu bytes without control characters",
			        texts[i].name, texts[i].size - 1);
	return true;
}

static bool check_numbers(const struct queue_submission *s, struct err *e)
{
	if (s->priority < 0 || s->priority > 9)
		return err_set(e, ERR_INVALID, "the priority of a job is 0 to 9, not %d", s->priority);
	if (s->kind_version < 0 || s->max_attempts < 1 || s->max_crashes < 1 || s->quarantine_after < 1)
		return err_set(e, ERR_INVALID, "versions, attempts and crashes of a job are not negative");
	if (s->backoff_ms < 1 || s->backoff_cap_ms < 1 || s->backoff_cap_ms > 366 * TIME_DAY)
		return err_set(e, ERR_INVALID, "the pause before another attempt is 1 ms to 366 days");
	if (s->run_at_ms < 0 || s->delay_ms < 0 || s->run_at_ms > INT64_C(1) << 46 || s->delay_ms > INT64_C(1) << 46)
		return err_set(e, ERR_INVALID, "the time of a job is out of range");
	return true;
}

static bool check_limits(const struct queue_submission *s, struct err *e)
{
	const struct job_rate *r = &s->rate;

	if (s->concurrency_key && s->concurrency_key[0] && (s->max_concurrent < 1 || s->max_concurrent > QUEUE_CONCURRENCY_MAX))
		return err_set(e, ERR_INVALID, "of the jobs of a concurrency key 1 to %d may run at once, not %d", QUEUE_CONCURRENCY_MAX,
		        s->max_concurrent);
	if (s->concurrency_key && s->concurrency_key[0] == '=')
		return err_set(e, ERR_INVALID, "a concurrency key does not begin with =, which stands for unique keys");
	if (s->concurrency_key && s->concurrency_key[0] && s->unique == UNIQUE_KEEP_NEWEST)
		return err_set(e, ERR_INVALID, "a job that is kept while it is the newest cannot have another concurrency key");
	if (s->unique == UNIQUE_KEEP_NEWEST && (!s->unique_key || !s->unique_key[0]))
		return err_set(e, ERR_INVALID, "only of jobs with a unique key the newest can be kept");
	if (r->key[0] && (r->limit < 1 || r->limit > INT32_MAX || r->window_ms < 1 || r->window_ms > 366 * TIME_DAY))
		return err_set(e, ERR_INVALID, "a rate is 1 to %d in a window of 1 ms to 366 days", INT32_MAX);
	if (r->key[0] && (r->cost < 0 || r->cost > r->limit))
		return err_set(e, ERR_INVALID, "a cost of %lld never fits into a rate of %lld", (long long)r->cost, (long long)r->limit);
	if (s->result_ttl_ms < 0 || s->result_ttl_ms > 366 * TIME_DAY)
		return err_set(e, ERR_INVALID, "a result is kept for at most 366 days");
	if (s->time_limit_ms < 0 || s->time_limit_ms > 366 * TIME_DAY || s->hard_limit_ms < 0 || s->hard_limit_ms > 366 * TIME_DAY)
		return err_set(e, ERR_INVALID, "the time limit of a job is at most 366 days");
	if (s->hard_limit_ms && s->time_limit_ms > s->hard_limit_ms)
		return err_set(e, ERR_INVALID, "a job cannot be asked to stop after %lld ms when it is killed after %lld",
		        (long long)s->time_limit_ms, (long long)s->hard_limit_ms);
	return true;
}

static void fill_defaults(struct queue_submission *s)
{
	if (!s->params)
		s->params = "{}";
	if (!s->max_attempts)
		s->max_attempts = 1;
	if (!s->max_crashes)
		s->max_crashes = 3;
	if (!s->quarantine_after)
		s->quarantine_after = 1;
	s->backoff_ms = or_default(s->backoff_ms, 1000);
	s->backoff_cap_ms = or_default(s->backoff_cap_ms, 5 * TIME_MINUTE);
}

bool queue_submission_check(struct queue_submission *s, struct err *e)
{
	char queue[JOB_NAME];
	int shard;

	if (!job_queue_ok(s->queue) || !job_name_ok(s->kind))
		return err_set(e, ERR_INVALID,
		        "a queue and a kind of job are named by 1 to 23 of a-z 0-9 _ (kinds also .), not %.30s and %.30s",
		        s->queue ? s->queue : "nothing", s->kind ? s->kind : "nothing");
	fill_defaults(s);
	if (strlen(s->params) > QUEUE_PARAMS_MAX)
		return err_set(
		        e, ERR_INVALID, "the parameters of a job are at most %d bytes, not %zu", QUEUE_PARAMS_MAX, strlen(s->params));
	if (!check_numbers(s, e) || !check_texts(s, e) || !check_limits(s, e))
		return false;
	if (s->id[0] && (!job_id_parse(s->id, queue, &shard) || !str_eq(queue, s->queue) || shard >= QUEUE_SHARDS_MAX))
		return err_set(e, ERR_INVALID, "%.60s is no id of a job in queue %s", s->id, s->queue);
	return true;
}

static bool params_fit(const struct queue *q, const struct queue_submission *s, struct err *e)
{
	size_t len = strlen(s->params);

	return len <= (size_t)q->options.max_params ||
	       err_set(e, ERR_INVALID, "the parameters of a job are at most %lld bytes here, not %zu", (long long)q->options.max_params,
	               len);
}

bool queue_submit(struct queue *q, struct queue_submission *items, size_t n, struct queue_submitted *out, struct err *e)
{
	if (n > QUEUE_BATCH_MAX)
		return err_set(e, ERR_INVALID, "at most %d jobs can be submitted in one call, not %zu", QUEUE_BATCH_MAX, n);
	for (size_t i = 0; i < n; i++)
		if (!queue_submission_check(&items[i], e) || !params_fit(q, &items[i], e))
			return false;
	return q->driver->submit(q, items, n, out, e);
}

/* ---- looking and acting ------------------------------------------------------------------------------------------ */

int queue_show(struct queue *q, const char *id, struct job *out, struct err *e)
{
	char queue[JOB_NAME];
	int shard;

	return job_id_parse(id, queue, &shard) ? q->driver->show(q, id, out, e) : 0;
}

bool queue_lists(struct queue *q, const char *kind, int state, struct queue_page *pages, size_t n, int *looks, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		pages[i].n = 0;
		if (!job_queue_ok(pages[i].queue) || (kind && !job_name_ok(kind)))
			return err_set(e, ERR_INVALID, "there can be no queue or kind of that name");
		if (pages[i].limit < 1 || pages[i].limit > QUEUE_BATCH_MAX || state < -1 || state > JOB_DEAD)
			return err_set(e, ERR_INVALID, "a page of jobs holds 1 to %d of them, of one state or of any", QUEUE_BATCH_MAX);
		if (!str_is_name(pages[i].cursor, 63, ":") && pages[i].cursor[0])
			return err_set(e, ERR_INVALID, "that is no cursor of ours");
	}
	return q->driver->lists(q, kind, state, pages, n, looks, e);
}

#define LIST_LOOKS 16 /* for one page: a filter that matches nothing must not search for ever */

int queue_list(struct queue *q, const char *queue, const char *kind, int state, const char *cursor, int limit, struct job *jobs,
        char next_cursor_out[64], struct err *e)
{
	struct queue_page p = {.queue = queue, .cursor = cursor, .limit = limit, .jobs = jobs};
	int n = 0, looks = LIST_LOOKS;
	char from[64];

	do {
		if (!queue_lists(q, kind, state, &p, 1, &looks, e)) {
			while (n > 0)
				job_close(&jobs[--n]);
			return -1;
		}
		n += p.n;
		p.jobs += p.n;
		p.limit -= p.n;
		memcpy(from, p.next, sizeof(from));
		p.cursor = from;
	} while (p.limit > 0 && *p.next && looks > 0);
	memcpy(next_cursor_out, p.next, sizeof(p.next));
	return n;
}

/* ERR_CONFLICT in a sentence. */
static int refuse(enum queue_act act, const char *id, enum act_result result, enum job_state state, struct err *e)
{
	static const char *const wants[] = {
	        [ACT_CANCEL] = "cannot be cancelled any more",
	        [ACT_REPLAY] = "cannot be replayed: only dead, failed and cancelled jobs can",
	        [ACT_RELEASE] = "is not held",
	        [ACT_WATCH] = "cannot be watched",
	        [ACT_FLOW_CANCEL] = "is no flow",
	};

	if (result == ACT_KEY_TAKEN)
		return err_fail(e, ERR_CONFLICT, "job %s cannot be replayed now: a live job holds its unique key", id);
	return err_fail(e, ERR_CONFLICT, "job %s is %s and %s", id, job_state_name(state), wants[act]);
}

static int act_on(struct queue *q, enum queue_act act, const char *id, enum job_state *state_out, struct err *e)
{
	char queue[JOB_NAME];
	enum act_result result;
	int shard;

	if (!job_id_parse(id, queue, &shard))
		return 0;
	if (!q->driver->act(q, act, id, &result, state_out, e))
		return -1;
	if (result == ACT_NO_JOB)
		return 0;
	return result == ACT_DONE ? 1 : refuse(act, id, result, *state_out, e);
}

int queue_cancel(struct queue *q, const char *id, enum job_state *state_out, struct err *e)
{
	return act_on(q, ACT_CANCEL, id, state_out, e);
}

int queue_replay(struct queue *q, const char *id, struct err *e)
{
	enum job_state state;

	return act_on(q, ACT_REPLAY, id, &state, e);
}

int queue_release(struct queue *q, const char *id, struct err *e)
{
	enum job_state state;

	return act_on(q, ACT_RELEASE, id, &state, e);
}

int queue_watch(struct queue *q, const char *id, enum job_state *state_out, struct err *e)
{
	return act_on(q, ACT_WATCH, id, state_out, e);
}

int queue_set_priority(struct queue *q, const char *id, int priority, int64_t rev, struct err *e)
{
	char queue[JOB_NAME];
	enum act_result result;
	enum job_state state;
	int shard;

	if (priority < 0 || priority > 9)
		return err_fail(e, ERR_INVALID, "the priority of a job is 0 to 9, not %d", priority);
	if (!job_id_parse(id, queue, &shard))
		return 0;
	if (!q->driver->prioritize(q, id, priority, rev, &result, &state, e))
		return -1;
	if (result == ACT_WRONG_REV)
		return err_fail(e, ERR_STALE, "job %s has changed: its revision is no longer %lld", id, (long long)rev);
	if (result == ACT_WRONG_STATE)
		return err_fail(
		        e, ERR_CONFLICT, "job %s is %s: only a job that waits can be given another priority", id, job_state_name(state));
	return result == ACT_DONE;
}

int queue_names(struct queue *q, char (**out)[JOB_NAME], struct err *e)
{
	*out = NULL;
	return q->driver->names(q, out, e);
}

bool queue_names_ok(const char (*queues)[JOB_NAME], size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (!job_queue_ok(queues[i]))
			return err_set(e, ERR_INVALID, "there can be no queue named %.40s", queues[i]);
	return true;
}

bool queue_counts(struct queue *q, const char (*queues)[JOB_NAME], size_t n, struct queue_counts *out, struct err *e)
{
	memset(out, 0, n * sizeof(*out));
	return queue_names_ok(queues, n, e) && q->driver->counts(q, queues, n, out, e);
}

int queue_count(struct queue *q, const char *queue, struct queue_counts *out, struct err *e)
{
	char(*names)[JOB_NAME] = NULL;
	int n = q->driver->names(q, &names, e), at = 0;

	while (at < n && !str_eq(names[at], queue))
		at++;
	if (at < n && !queue_counts(q, (const char(*)[JOB_NAME]) & names[at], 1, out, e))
		n = -1;
	mem_free(&names);
	return n < 0 ? -1 : at < n;
}

static bool gate(struct queue *q, const char *queue, enum queue_gate gate, struct err *e)
{
	if (!job_queue_ok(queue))
		return err_set(e, ERR_INVALID, "there can be no queue of that name");
	return q->driver->gate(q, queue, gate, e);
}

bool queue_pause(struct queue *q, const char *queue, struct err *e)
{
	return gate(q, queue, GATE_PAUSE, e);
}

bool queue_resume(struct queue *q, const char *queue, struct err *e)
{
	return gate(q, queue, GATE_OPEN, e);
}

bool queue_drain(struct queue *q, const char *queue, struct err *e)
{
	return gate(q, queue, GATE_DRAIN, e);
}

static bool lane_ok(const char *queue, const char *lane, struct err *e)
{
	if (!job_queue_ok(queue))
		return err_set(e, ERR_INVALID, "there can be no queue of that name");
	return text_ok(lane, JOB_KEY - 1) || err_set(e, ERR_INVALID, "a lane has at most %d bytes and no control characters", JOB_KEY - 2);
}

bool queue_set_weight(struct queue *q, const char *queue, const char *lane, int weight, struct err *e)
{
	if (!lane_ok(queue, lane, e))
		return false;
	if (weight < 1 || weight > QUEUE_WEIGHT_MAX)
		return err_set(e, ERR_INVALID, "the weight of a lane is 1 to %d, not %d", QUEUE_WEIGHT_MAX, weight);
	return q->driver->set_weight(q, queue, lane, weight, e);
}

bool queue_lane(struct queue *q, const char *queue, const char *lane, struct queue_lane *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	return lane_ok(queue, lane, e) && q->driver->lane(q, queue, lane, out, e);
}

int queue_lanes(struct queue *q, const char *queue, const char *cursor, struct queue_lane *out, char next_cursor_out[64], struct err *e)
{
	if (!job_queue_ok(queue))
		return err_fail(e, ERR_INVALID, "there can be no queue of that name");
	if (cursor[0] && (!str_is_name(cursor, 63, ":._/!") || !strchr(cursor, ':')))
		return err_fail(e, ERR_INVALID, "that is no cursor of ours");
	return q->driver->lanes(q, queue, cursor, out, next_cursor_out, e);
}

int queue_purge(struct queue *q, const char *queue, enum job_state state, int limit, int64_t *left_out, struct err *e)
{
	if (!job_queue_ok(queue))
		return err_fail(e, ERR_INVALID, "there can be no queue of that name");
	if (state != JOB_READY && state != JOB_SCHEDULED && state != JOB_WAITING)
		return err_fail(e, ERR_INVALID, "only ready, scheduled and waiting jobs can be purged, not %s ones", job_state_name(state));
	if (limit < 1 || limit > QUEUE_BATCH_MAX)
		return err_fail(e, ERR_INVALID, "1 to %d jobs can be purged in one call, not %d", QUEUE_BATCH_MAX, limit);
	return q->driver->purge(q, queue, state, limit, left_out, e);
}

static bool dead_ok(const struct queue_dead_filter *f, const char *cursor, int limit, struct err *e)
{
	if (!job_queue_ok(f->queue) || (f->kind && !job_name_ok(f->kind)))
		return err_set(e, ERR_INVALID, "there can be no queue or kind of that name");
	if (f->state != JOB_DEAD && f->state != JOB_FAILED)
		return err_set(e, ERR_INVALID, "dead letters are dead or failed, not %s", job_state_name(f->state));
	if (f->error && strlen(f->error) > QUEUE_DEAD_ERROR)
		return err_set(e, ERR_INVALID, "the part of an error to look for has at most %d bytes", QUEUE_DEAD_ERROR);
	if (f->from_ms < 0 || f->to_ms < 0)
		return err_set(e, ERR_INVALID, "the times to look between are not negative");
	if (limit < 1 || limit > QUEUE_BATCH_MAX)
		return err_set(e, ERR_INVALID, "one call takes 1 to %d jobs, not %d", QUEUE_BATCH_MAX, limit);
	return !cursor[0] || str_is_name(cursor, 63, ":") || err_set(e, ERR_INVALID, "that is no cursor of ours");
}

int queue_dead_list(struct queue *q, const struct queue_dead_filter *f, const char *cursor, int limit, struct job *jobs,
        char next_cursor_out[64], struct err *e)
{
	return dead_ok(f, cursor, limit, e) ? q->driver->dead_list(q, f, cursor, limit, jobs, next_cursor_out, e) : -1;
}

int queue_dead_act(struct queue *q, enum queue_dead_act act, const struct queue_dead_filter *f, const char *cursor, int limit,
        int *skipped_out, char next_cursor_out[64], struct err *e)
{
	return dead_ok(f, cursor, limit, e) ? q->driver->dead_act(q, act, f, cursor, limit, skipped_out, next_cursor_out, e) : -1;
}

static bool budget_ok(const char *key, int64_t window_ms, struct err *e)
{
	if (!str_is_name(key, JOB_KEY - 1, "_.:/@|-"))
		return err_set(e, ERR_INVALID, "a budget is named by A-Z a-z 0-9 _ . : / @ | -, not %.40s", key);
	return window_ms > 0 || err_set(e, ERR_INVALID, "the window of a budget is longer than nothing");
}

int queue_budget_take(struct queue *q, const char *key, int64_t cost, int64_t limit, int64_t window_ms, int64_t *wait_ms_out, struct err *e)
{
	if (!budget_ok(key, window_ms, e))
		return -1;
	if (cost < 0 || cost > limit)
		return err_fail(e, ERR_INVALID, "a cost of %lld never fits into a budget of %lld", (long long)cost, (long long)limit);
	return q->driver->budget_take(q, key, cost, limit, window_ms, wait_ms_out, e);
}

bool queue_budget_correct(struct queue *q, const char *key, int64_t used, int64_t window_ms, int64_t stop_ms, struct err *e)
{
	return budget_ok(key, window_ms, e) && q->driver->budget_correct(q, key, used, window_ms, stop_ms, e);
}

bool queue_set_shards(struct queue *q, const char *queue, int wanted, struct queue_shards *out, struct err *e)
{
	if (!job_queue_ok(queue))
		return err_set(e, ERR_INVALID, "there can be no queue of that name");
	if (wanted < 0 || wanted > QUEUE_SHARDS_MAX)
		return err_set(e, ERR_INVALID, "a queue has 1 to %d shards, not %d", QUEUE_SHARDS_MAX, wanted);
	return q->driver->shards(q, queue, wanted, out, e);
}

bool queue_ping(struct queue *q, struct err *e)
{
	return q->driver->ping(q, e);
}

int queue_audit(struct queue *q, const char *queue, struct queue_audit *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	return job_queue_ok(queue) ? q->driver->audit(q, queue, out, e) : err_fail(e, ERR_INVALID, "there can be no queue of that name");
}

/* ---- watchers ----------------------------------------------------------------------------------------------------- */

struct queue_watcher *queue_watcher_open(const char *url, const struct queue_options *options, struct err *e)
{
	const struct queue_driver *driver = driver_of(url, e);
	struct queue_options filled;
	struct queue_watcher *w;

	if (!driver || !fill_options(options, &filled, e))
		return NULL;
	w = driver->watcher_open(url, &filled, e);
	if (w)
		w->driver = driver;
	return w;
}

int queue_watcher_fd(const struct queue_watcher *w)
{
	return w->driver->watcher_fd(w);
}

int queue_watcher_next(struct queue_watcher *w, char id_out[JOB_ID], enum job_state *state_out, struct err *e)
{
	return w->driver->watcher_next(w, id_out, state_out, e);
}

void queue_watcher_close(struct queue_watcher **w)
{
	if (*w)
		(*w)->driver->watcher_close(*w);
	*w = NULL;
}
