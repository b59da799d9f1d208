/* redis_record.c -- a job as Redis holds it: fields of one letter, what is usual left out. functions/10_base.lua lists them. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "queue/redis_private.h"

#define USUAL_PRIORITY 5

/* ---- reading ---------------------------------------------------------------------------------------------------- */

/* A number of a state and the dot before it, if there is one. */
static bool read_dotted(const char **at, int64_t *out)
{
	char text[24];
	size_t digits = **at == '.' ? strspn(*at + 1, "0123456789") : 0;

	if (digits > 0 && (!str_copy_n(text, sizeof(text), *at + 1, digits) || !str_int(text, 1, INT64_MAX, out)))
		return false;
	*at += digits + (**at == '.');
	return true;
}

/* "[.<ended>] <digits> <worker>" of a usual job: who ran it and when it ended. It began when it was claimed, and fences are microseconds. */
static bool read_run(struct job *j, const char *at)
{
	if (!read_dotted(&at, &j->finished_at))
		return false;
	if (*at == '\0')
		return true;
	const char *worker = *at == ' ' ? strchr(at + 1, ' ') : NULL;
	j->started_at = j->fence / 1000;
	return worker && str_copy(j->worker, sizeof(j->worker), worker + 1);
}

/* <state digit><flags>.<revision>[.<fence>], and of a usual job its run */
static bool read_state(struct job *j, const char *s, size_t len)
{
	size_t flags = len > 1 ? strspn(s + 1, "DHLOQSTacghilqrtuvwx") : 0;
	const char *at = s + 1 + flags;

	if (len < 3 || s[0] < '0' || s[0] > '0' + JOB_DEAD || *at != '.' || !read_dotted(&at, &j->rev) || !read_dotted(&at, &j->fence) ||
	        !read_run(j, at))
		return false;
	j->state = (enum job_state)(s[0] - '0');
	j->cancel_asked = memchr(s + 1, 'c', flags) != NULL;
	j->parked = memchr(s + 1, 'q', flags) != NULL;
	j->quarantined = memchr(s + 1, 'Q', flags) != NULL;
	j->suspect = memchr(s + 1, 'H', flags) != NULL;
	return true;
}

static bool read_kind(struct job *j, const char *s, size_t len)
{
	return job_route_parse(s, len, j->kind, &j->kind_version, NULL);
}

static bool read_params(struct job *j, const char *s, size_t len)
{
	mem_free(&j->params);
	j->params = mem_strndup(s, len);
	return true;
}

static bool read_result(struct job *j, const char *s, size_t len)
{
	mem_free(&j->result);
	j->result = mem_strndup(s, len);
	return true;
}

static bool read_lane(struct job *j, const char *s, size_t len)
{
	j->priority = s[0] - '0';
	return len >= 1 && j->priority >= 0 && j->priority <= 9 && str_copy_n(j->lane, sizeof(j->lane), s + 1, len - 1);
}

/* Split "1 2 3" into numbers; false unless there are exactly n. */
static bool read_numbers(const char *s, int64_t *const *out, size_t n)
{
	char text[96];

	for (size_t i = 0; i < n; i++) {
		size_t len = strcspn(s, " ");

		if (!str_copy_n(text, sizeof(text), s, len) || !str_int(text, 0, INT64_MAX, out[i]))
			return false;
		s += len + (s[len] == ' ');
	}
	return !*s;
}

static bool read_limits(struct job *j, const char *s, size_t len)
{
	int64_t attempts, crashes, base, cap, quarantine = 1;

	UNUSED(len);
	if ((!read_numbers(s, (int64_t *const[]){&attempts, &crashes, &base, &cap}, 4) &&
	            !read_numbers(s, (int64_t *const[]){&attempts, &crashes, &base, &cap, &quarantine}, 5)) ||
	        attempts > INT32_MAX || crashes > INT32_MAX || quarantine > INT32_MAX)
		return false;
	j->max_attempts = (int)attempts;
	j->max_crashes = (int)crashes;
	j->quarantine_after = (int)quarantine;
	j->backoff_ms = base;
	j->backoff_cap_ms = cap;
	return true;
}

/* "number ... number text" */
static bool read_numbers_and_text(const char *s, int64_t *const *numbers, size_t n, char *text, size_t size)
{
	for (size_t i = 0; i < n; i++) {
		const char *space = strchr(s, ' ');
		char digits[24];

		if (!space || !str_copy_n(digits, sizeof(digits), s, (size_t)(space - s)) || !str_int(digits, 0, INT64_MAX, numbers[i]))
			return false;
		s = space + 1;
	}
	return str_copy(text, size, s);
}

/* "ms worker"; barque2 wrote the worker into a field of its own. */
static bool read_begun(struct job *j, const char *s, size_t len)
{
	if (!memchr(s, ' ', len))
		return str_int(s, 0, INT64_MAX, &j->started_at);
	return read_numbers_and_text(s, (int64_t *const[]){&j->started_at}, 1, j->worker, sizeof(j->worker));
}

/* It stays behind when the job is claimed again: the worker of the last claim stands in "ms worker". */
static bool read_older_worker(struct job *j, const char *s, size_t len)
{
	return j->worker[0] || str_copy_n(j->worker, sizeof(j->worker), s, len);
}

static bool read_concurrency(struct job *j, const char *s, size_t len)
{
	int64_t max;

	UNUSED(len);
	if (!read_numbers_and_text(s, (int64_t *const[]){&max}, 1, j->concurrency_key, sizeof(j->concurrency_key)))
		return false;
	j->max_concurrent = (int)max;
	return max <= QUEUE_CONCURRENCY_MAX;
}

static bool read_rate(struct job *j, const char *s, size_t len)
{
	struct job_rate *r = &j->rate;

	UNUSED(len);
	return read_numbers_and_text(s, (int64_t *const[]){&r->limit, &r->window_ms, &r->cost}, 3, r->key, sizeof(r->key));
}

static bool read_time_limits(struct job *j, const char *s, size_t len)
{
	UNUSED(len);
	return read_numbers(s, (int64_t *const[]){&j->time_limit_ms, &j->hard_limit_ms}, 2);
}

/* "reason until what"; a text for people may be cut. */
static bool read_wait(struct job *j, const char *s, size_t len)
{
	struct job_wait *w = &j->waiting_on;
	size_t reason = strcspn(s, " ");
	char digits[24];
	const char *at = s + reason + (reason < len), *space = strchr(at, ' ');

	if (!space || !str_copy_n(w->reason, sizeof(w->reason), s, reason) ||
	        !str_copy_n(digits, sizeof(digits), at, (size_t)(space - at)) || !str_int(digits, 0, INT64_MAX, &w->until_ms))
		return false;
	snprintf(w->what, sizeof(w->what), "%s", space + 1);
	return true;
}

static bool read_counts(struct job *j, const char *s, size_t len)
{
	int64_t errors, crashes;

	UNUSED(len);
	if (!read_numbers(s, (int64_t *const[]){&errors, &crashes}, 2) || errors > INT32_MAX - 1 || crashes > INT32_MAX)
		return false;
	j->attempt = (int)errors;
	j->crashes = (int)crashes;
	return true;
}

static bool read_progress(struct job *j, const char *s, size_t len)
{
	UNUSED(len);
	queue_read_progress(s, &j->progress);
	return true;
}

static bool read_error(struct job *j, const char *s, size_t len)
{
	const char *space = memchr(s, ' ', len);
	char code[32];

	if (!space || !str_copy_n(code, sizeof(code), s, (size_t)(space - s)))
		return false;
	err_set(&j->error, err_code_of(code), "%s", space + 1);
	return true;
}

static bool read_parent(struct job *j, const char *s, size_t len)
{
	return str_copy_n(j->parent, sizeof(j->parent), s, len);
}

#define TIME_FIELD(name, member)                                   \
	static bool name(struct job *j, const char *s, size_t len) \
	{                                                          \
		UNUSED(len);                                       \
		return str_int(s, 0, INT64_MAX, &j->member);       \
	}
#define TEXT_FIELD(name, member)                                         \
	static bool name(struct job *j, const char *s, size_t len)       \
	{                                                                \
		return str_copy_n(j->member, sizeof(j->member), s, len); \
	}
TIME_FIELD(read_created, created_at)
TIME_FIELD(read_due, run_at)
TIME_FIELD(read_ended, finished_at)
TIME_FIELD(read_ttl, result_ttl_ms)
TEXT_FIELD(read_idempotency, idempotency_key)
TEXT_FIELD(read_unique, unique_key)
TEXT_FIELD(read_trace, trace)
TEXT_FIELD(read_tags, tags)

static bool read_waits_for(struct job *j, const char *s, size_t len)
{
	mem_free(&j->waits_for);
	j->waits_for = mem_strndup(s, len);
	return true;
}

static bool read_timeline(struct job *j, const char *s, size_t len)
{
	mem_free(&j->timeline);
	j->timeline = mem_strndup(s, len);
	return true;
}

static const struct {
	char name;
	bool (*read)(struct job *j, const char *s, size_t len);
} fields[] = {
        {'s', read_state},
        {'k', read_kind},
        {'p', read_params},
        {'c', read_created},
        {'d', read_due},
        {'y', read_lane},
        {'m', read_limits},
        {'a', read_counts},

        {'b', read_begun},
        {'w', read_older_worker},
        {'e', read_ended},
        {'i', read_idempotency},
        {'u', read_unique},

        {'n', read_progress},
        {'E', read_error},
        {'R', read_result},
        {'P', read_parent},
        {'t', read_trace},
        {'g', read_tags},
        {'D', read_waits_for},
        {'h', read_timeline},
        {'l', read_concurrency},
        {'r', read_rate},
        {'x', read_ttl},
        {'z', read_wait},
        {'T', read_time_limits},
};

/* A field that we do not know was written by a newer version: it is passed over. */
static bool read_field(struct job *j, const struct redis_reply *name, const struct redis_reply *value)
{
	size_t name_len = 0, len = 0;
	const char *letter = redis_reply_text(name, &name_len);
	const char *text = redis_reply_text(value, &len);

	if (!letter || !text)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (name_len == 1 && fields[i].name == letter[0])
			return fields[i].read(j, text, len);
	return true;
}

/* What is unique is so among the jobs of one kind: its key begins with the kind. */
static void strip_kind(struct job *j)
{
	size_t len = strlen(j->kind);

	if (strncmp(j->unique_key, j->kind, len) == 0 && j->unique_key[len] == ':')
		memmove(j->unique_key, j->unique_key + len + 1, strlen(j->unique_key + len));
}

/* The attempt under way counts as one; what was kept is how many ran to an error. */
static void finish_record(struct job *j)
{
	if (j->state == JOB_RUNNING || j->state == JOB_SUCCEEDED)
		j->attempt++;
	if (!j->params)
		j->params = mem_strdup("{}");
	if (!j->run_at)
		j->run_at = j->created_at;
	strip_kind(j);
	/* What it waited on last stays in the record. */
	if (!j->parked && (j->state != JOB_SCHEDULED || !str_eq(j->waiting_on.reason, "later")))
		memset(&j->waiting_on, 0, sizeof(j->waiting_on));
}

static bool read_id(struct job *j, const struct redis_reply *r, const char *queue, int shard)
{
	size_t len = 0;
	const char *tail = redis_reply_text(r, &len);

	return tail && queue_full_id(j->id, queue, shard, tail, len) && str_copy(j->queue, sizeof(j->queue), queue);
}

/* What is missing in a record, or the field that cannot be read; in a word for people. */
static bool corrupt(struct job *j, const char *queue, const char *what, struct err *e)
{
	char id[JOB_ID];

	snprintf(id, sizeof(id), "%s", j->id[0] ? j->id : "(no id)");
	job_close(j);
	return err_set(e, ERR_CORRUPT, "the record of job %s of queue %s in Redis is not one of ours: %s; `barque doctor %s` says more", id,
	        queue, what, queue);
}

/* The state may stand among the fields. */
static bool read_fields(const struct redis_reply *r, size_t from, struct job *j, const char *queue, struct err *e)
{
	size_t n = redis_reply_count(r);
	char field[32];

	j->priority = USUAL_PRIORITY;
	j->max_attempts = 1;
	j->max_crashes = 3;
	j->quarantine_after = 1;
	j->backoff_ms = 1000;
	j->backoff_cap_ms = 300000;
	for (size_t i = from; i + 1 < n; i += 2) {
		const char *name = redis_reply_text(redis_reply_at(r, i), NULL);

		if (read_field(j, redis_reply_at(r, i), redis_reply_at(r, i + 1)))
			continue;
		snprintf(field, sizeof(field), "field %.16s", name ? name : "?");
		return corrupt(j, queue, field, e);
	}
	if (n < from + 2 || (n - from) % 2 || !j->id[0])
		return corrupt(j, queue, "it is no list of fields", e);
	if (!j->rev)
		return corrupt(j, queue, "it has no state", e);
	if (!j->kind[0])
		return corrupt(j, queue, "it has no kind", e);
	finish_record(j);
	return true;
}

bool redis_fields_read(const struct redis_reply *r, const struct redis_reply *state, struct job *j, const char *queue, struct err *e)
{
	size_t len = 0;
	const char *s = redis_reply_text(state, &len);

	if (s && !read_state(j, s, len))
		return err_set(e, ERR_CORRUPT, "a state of queue %s in Redis is not one of ours", queue);
	return read_fields(r, 0, j, queue, e);
}

bool redis_record_read(const struct redis_reply *r, const char *queue, int shard, struct job *out, struct err *e)
{
	double lease = 0;

	memset(out, 0, sizeof(*out));
	if (!read_id(out, redis_reply_at(r, 0), queue, shard) || !redis_reply_text(redis_reply_at(r, 1), NULL) ||
	        !str_double(redis_reply_text(redis_reply_at(r, 1), NULL), &lease))
		out->id[0] = '\0';
	out->lease_until = (int64_t)lease;
	return read_fields(r, 2, out, queue, e);
}

static bool read_optional(struct job *j, const struct redis_reply *r, bool (*read)(struct job *j, const char *s, size_t len))
{
	size_t len = 0;
	const char *text = redis_reply_text(r, &len);

	return !text || read(j, text, len);
}

/* T:D:<id> as fields and values: those that begin with '=' are names, with the results of that name. */
static bool read_inputs(struct job *j, const struct redis_reply *r)
{
	struct buf b = {0};
	struct json_writer w = json_writer_on(&b);

	if (!redis_reply_is_array(r))
		return true;
	jw_object(&w, NULL);
	for (size_t i = 0; i + 1 < redis_reply_count(r); i += 2) {
		const char *name = redis_reply_text(redis_reply_at(r, i), NULL);
		const char *result = redis_reply_text(redis_reply_at(r, i + 1), NULL);

		if (name && result && name[0] == '=')
			jw_raw(&w, name + 1, result);
	}
	jw_end(&w);
	j->inputs = mem_strdup(buf_text(&b));
	buf_close(&b);
	return true;
}

bool redis_claim_read(
        const struct redis_reply *group, size_t at, const char *queue, int shard, int64_t fence, struct job *out, struct err *e)
{
	size_t len = 0;
	const char *route = redis_reply_text(redis_reply_at(group, 0), &len);

	out->state = JOB_RUNNING;
	out->fence = fence;
	if (!route || !read_id(out, redis_reply_at(group, at), queue, shard) ||
	        !job_route_parse(route, len, out->kind, &out->kind_version, &out->quarantined) ||
	        !read_optional(out, redis_reply_at(group, at + 1), read_params)) {
		job_close(out);
		return err_set(e, ERR_CORRUPT, "a claim of queue %s from Redis is not one of ours", queue);
	}
	out->run_at = job_id_time(queue_tail(out->id));
	finish_record(out);
	return true;
}

bool redis_extras_read(const struct redis_reply *r, struct job *j)
{
	int64_t suspect = 0;

	j->attempt = 0;
	j->run_at = 0;
	if (!read_optional(j, redis_reply_at(r, 1), read_counts) || !read_optional(j, redis_reply_at(r, 2), read_trace) ||
	        !read_inputs(j, redis_reply_at(r, 3)) || !read_optional(j, redis_reply_at(r, 4), read_time_limits) ||
	        !read_optional(j, redis_reply_at(r, 5), read_due))
		return false;
	j->suspect = redis_reply_int(redis_reply_at(r, 6), &suspect) && suspect == 1;
	j->attempt++;
	return true;
}

/* ---- writing ---------------------------------------------------------------------------------------------------- */

void redis_lane(char out[JOB_KEY + 1], const struct queue_submission *s)
{
	snprintf(out, JOB_KEY + 1, "%d%s", s->priority, s->lane ? s->lane : "");
}

static void put(struct redis_cmd *c, const char *field, const char *value)
{
	if (!value || !value[0])
		return;
	redis_cmd_add(c, field, 1);
	redis_cmd_adds(c, value);
}

static void put_limits(struct redis_cmd *c, const struct queue_submission *s)
{
	char text[96];

	int n = snprintf(text, sizeof(text), "%d %d %lld %lld", s->max_attempts, s->max_crashes, (long long)s->backoff_ms,
	        (long long)s->backoff_cap_ms);
	if (s->quarantine_after != 1)
		snprintf(text + n, sizeof(text) - (size_t)n, " %d", s->quarantine_after);
	if (!str_eq(text, "1 3 1000 300000"))
		put(c, "m", text);
}

static void put_time_limits(struct redis_cmd *c, const struct queue_submission *s)
{
	char text[48];

	snprintf(text, sizeof(text), "%lld %lld", (long long)s->time_limit_ms, (long long)s->hard_limit_ms);
	if (s->time_limit_ms || s->hard_limit_ms)
		put(c, "T", text);
}

static bool has(const char *text)
{
	return text && text[0];
}

static bool keeps_newest(const struct queue_submission *s)
{
	return s->unique == UNIQUE_KEEP_NEWEST && has(s->unique_key);
}

void redis_unique(char out[JOB_UNIQUE], const struct queue_submission *s)
{
	out[0] = '\0';
	if (has(s->unique_key))
		snprintf(out, JOB_UNIQUE, "%s:%s", s->kind, s->unique_key);
}

void redis_concurrency(char out[JOB_UNIQUE + 1], int *max_out, const struct queue_submission *s)
{
	out[0] = '\0';
	*max_out = s->max_concurrent;
	if (keeps_newest(s)) {
		*max_out = 1;
		out[0] = '=';
		redis_unique(out + 1, s);
	} else if (has(s->concurrency_key)) {
		snprintf(out, JOB_UNIQUE + 1, "%s", s->concurrency_key);
	}
}

static void put_shared(struct redis_cmd *c, const struct queue_submission *s)
{
	const struct job_rate *r = &s->rate;
	char key[JOB_UNIQUE + 1], text[JOB_UNIQUE + 80];
	int max;

	redis_concurrency(key, &max, s);
	if (key[0]) {
		snprintf(text, sizeof(text), "%d %s", max, key);
		put(c, "l", text);
	}
	if (r->key[0]) {
		snprintf(text, sizeof(text), "%lld %lld %lld %s", (long long)r->limit, (long long)r->window_ms, (long long)r->cost, r->key);
		put(c, "r", text);
	}
}

void redis_record_flags(struct redis_cmd *c, const struct queue_submission *s)
{
	const struct {
		bool set;
		char flag;
	} all[] = {
	        {has(s->idempotency_key), 'i'},
	        {keeps_newest(s) || has(s->concurrency_key), 'l'},
	        {s->rate.key[0], 'r'},
	        {has(s->trace), 't'},
	        {has(s->unique_key), 'u'},
	        {s->result_ttl_ms > 0, 'x'},
	        {s->waits_for != NULL, 'D'},
	        {s->waited_by != NULL, 'S'},
	        {s->time_limit_ms || s->hard_limit_ms, 'T'},
	};
	char flags[ARRAY_LEN(all) + 1];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i].set)
			flags[n++] = all[i].flag;
	flags[n] = '\0';
	redis_cmd_adds(c, flags);
}

/* What T:D:<id> begins with: how many words follow, then "?<id>" and "=<name>" for each job that it waits for. */
static void put_waits_for(struct redis_cmd *c, const char *list)
{
	struct redis_cmd words = {0};

	for (const char *s = list; *s; s += *s == ' ') {
		size_t id = strcspn(s, "=:"), all = strcspn(s, " ");
		char name[JOB_ID + 1] = "?";

		memcpy(name + 1, s, id < JOB_ID ? id : JOB_ID - 1);
		redis_cmd_add(&words, name, 1 + (id < JOB_ID ? id : JOB_ID - 1));
		redis_cmd_add(&words, s + id, all - id);
		s += all;
	}
	redis_cmd_addi(c, (int64_t)words.args);
	buf_add(&c->body, words.body.data, words.body.len);
	c->args += words.args;
	redis_cmd_close(&words);
}

size_t redis_record_write(struct redis_cmd *c, const struct queue_submission *s)
{
	size_t before = c->args;
	char route[JOB_ROUTE], lane[JOB_KEY + 1], unique[JOB_UNIQUE];

	if (s->waits_for)
		put_waits_for(c, s->waits_for);
	job_route(route, s->kind, s->kind_version, false);
	put(c, "k", route);
	redis_lane(lane, s);
	if (!str_eq(lane, "5"))
		put(c, "y", lane);
	put_limits(c, s);
	put_time_limits(c, s);
	put(c, "i", s->idempotency_key);
	redis_unique(unique, s);
	put(c, "u", unique);
	put(c, "P", s->parent);
	put(c, "t", s->trace);
	put(c, "g", s->tags);
	put_shared(c, s);
	if (s->result_ttl_ms > 0) {
		redis_cmd_add(c, "x", 1);
		redis_cmd_addi(c, s->result_ttl_ms);
	}
	put(c, "D", s->waits_for);
	put(c, "S", s->waited_by);
	if (!str_eq(s->params, "{}"))
		put(c, "p", s->params);
	return c->args - before;
}
