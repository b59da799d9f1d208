/* redis_queue.c -- the Redis driver: its handle, one round trip at a time, and the calls about single jobs. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "queue/redis_private.h"

#define PAUSE_MS 50

void redis_key(struct buf *out, const char *ns, const char *queue, int shard, const char *suffix)
{
	buf_addf(out, "{%s:%s:%d}%s", ns, queue, shard, suffix);
}

static void add_key(struct redis_cmd *c, const char *ns, const char *queue, int shard, const char *suffix)
{
	struct buf key = {0};

	redis_key(&key, ns, queue, shard, suffix);
	redis_cmd_add(c, key.data, key.len);
	buf_close(&key);
}

void redis_fcall(struct redis_cmd *c, const struct queue_options *o, const char *function, const char *queue, int shard)
{
	char prefix[JOB_NAME + 8];

	snprintf(prefix, sizeof(prefix), "%s-%d", queue, shard);
	redis_function(c, o, function);
	redis_cmd_adds(c, "2");
	add_key(c, o->namespace_, queue, shard, ":n");
	add_key(c, o->namespace_, queue, shard, ":-");
	redis_cmd_adds(c, o->namespace_);
	redis_cmd_adds(c, prefix);
	redis_cmd_addi(c, o->result_ttl_ms);
	redis_cmd_addi(c, o->dead_ttl_ms);
}

void redis_fcall_key(struct redis_cmd *c, const struct queue_options *o, const char *function, const char *key)
{
	redis_function(c, o, function);
	redis_cmd_adds(c, "1");
	redis_cmd_adds(c, key);
}

bool redis_bad_reply(struct err *e, const char *function)
{
	return err_set(e, ERR_CORRUPT, "Redis answered %s with something else than it must", function);
}

/* ---- one round trip -------------------------------------------------------------------------------------------- */

static bool exchange(struct redis_conn *c, const struct redis_cmd *cmd, int64_t deadline_ms, struct redis_reply **out, struct err *e)
{
	if (!redis_conn_start(c, e))
		return false;
	redis_conn_send(c, cmd);
	return redis_conn_await(c, deadline_ms, out, e) == 1;
}

static bool load_library(struct redis_queue *q, struct redis_conn *c, int64_t deadline_ms, struct err *e)
{
	struct redis_cmd load = {0};
	struct redis_reply *r = NULL;
	bool ok;

	redis_library_load(&load, &q->head.options);
	ok = exchange(c, &load, deadline_ms, &r, e);
	redis_cmd_close(&load);
	if (ok && redis_reply_error(r) && !strstr(redis_reply_error(r), "already exists"))
		ok = redis_reply_fail(r, e);
	redis_reply_close(&r);
	return ok;
}

enum attempt { ATTEMPT_OK, ATTEMPT_REFUSED, ATTEMPT_LOST, ATTEMPT_MOVED };

/* One try. REFUSED: the server's answer is an error; LOST: there is no answer. */
static enum attempt attempt(
        struct redis_queue *q, const struct redis_cmd *cmd, int64_t deadline_ms, struct redis_reply **out, struct err *e)
{
	struct redis_conn *c = redis_conn_for(q, cmd, deadline_ms, e);
	bool moved;

	if (!c || !exchange(c, cmd, deadline_ms, out, e))
		return ATTEMPT_LOST;
	if (redis_library_missing(*out)) {
		redis_reply_close(out);
		if (!load_library(q, c, deadline_ms, e) || !exchange(c, cmd, deadline_ms, out, e))
			return redis_conn_up(c) ? ATTEMPT_REFUSED : ATTEMPT_LOST;
	}
	if (!redis_reply_error(*out))
		return ATTEMPT_OK;
	moved = redis_follow(q, cmd, c, *out);
	redis_reply_fail(*out, e);
	redis_reply_close(out);
	return moved ? ATTEMPT_MOVED : ATTEMPT_REFUSED;
}

/* A server that was lost is tried once more at once. Where there are others, they need some time to agree which one takes over, or to
 * move a slot: while that is so, it is tried again until the call's time is up. */
static bool try_again(const struct redis_queue *q, enum attempt got, int tries, int64_t deadline_ms, bool again, const struct err *e)
{
	bool harmless = got == ATTEMPT_MOVED || e->code == ERR_UNAVAILABLE || (again && e->code == ERR_UNSURE);

	if (!harmless || clock_mono_ms() >= deadline_ms)
		return false;
	if (q->url.mode == REDIS_SINGLE)
		return got == ATTEMPT_LOST && tries == 0;
	if (tries > 0)
		clock_sleep_ms(PAUSE_MS);
	return true;
}

bool redis_call(struct redis_queue *q, const struct redis_cmd *cmd, bool again, struct redis_reply **out, struct err *e)
{
	int64_t deadline_ms = clock_mono_ms() + q->head.options.timeout_ms;
	enum attempt got;
	struct err before = {0};

	for (int tries = 0;; tries++, before = *e) {
		got = attempt(q, cmd, deadline_ms, out, e);
		if (got == ATTEMPT_OK)
			return true;
		if (before.code && e->code == ERR_UNAVAILABLE && clock_mono_ms() >= deadline_ms)
			*e = before; /* that the time was up says less than why it was needed */
		if (!try_again(q, got, tries, deadline_ms, again, e))
			break;
	}
	if (again && e->code == ERR_UNSURE)
		e->code = ERR_UNAVAILABLE; /* nothing was changed by what may be asked again */
	return false;
}

bool redis_call_two(
        struct redis_queue *q, const struct redis_cmd *first, const struct redis_cmd *second, struct redis_reply **out, struct err *e)
{
	int64_t deadline_ms = clock_mono_ms() + q->head.options.timeout_ms;
	struct redis_conn *c = redis_conn_for(q, first, deadline_ms, e);
	unsigned number;
	bool ok = c && exchange(c, first, deadline_ms, out, e);

	if (!ok)
		return false;
	number = redis_conn_number(c);
	ok = !redis_reply_error(*out) || redis_reply_fail(*out, e);
	redis_reply_close(out);
	ok = ok && exchange(c, second, deadline_ms, out, e);
	if (ok && redis_conn_number(c) != number)
		ok = err_set(e, ERR_UNSURE, "the connection to Redis was lost between two calls that belong together");
	if (ok && redis_reply_error(*out))
		ok = redis_reply_fail(*out, e);
	if (!ok)
		redis_reply_close(out);
	return ok;
}

/* Those of the commands that go by this connection, from `first` on. asked[i]: it was sent. False: the connection failed; what was answered
 * before is good. */
static bool ask_node(struct redis_queue *q, struct redis_conn *c, const struct redis_cmd *cmds, size_t first, size_t n, bool *asked,
        struct redis_reply **out, int64_t deadline_ms)
{
	size_t *mine = mem_array(n, sizeof(*mine)), n_mine = 0;
	struct err e;
	bool ok = redis_conn_start(c, &e);

	for (size_t i = first; ok && i < n; i++) {
		if (asked[i] || redis_conn_known(q, &cmds[i]) != c)
			continue;
		redis_conn_send(c, &cmds[i]);
		asked[i] = true;
		mine[n_mine++] = i;
	}
	for (size_t i = 0; ok && i < n_mine; i++)
		ok = redis_conn_await(c, deadline_ms, &out[mine[i]], &e) == 1;
	mem_free(&mine);
	return ok;
}

/* One node after the other. The first that fails ends it: the rest has no answer yet. */
static void ask_many(struct redis_queue *q, const struct redis_cmd *cmds, size_t n, struct redis_reply **out, int64_t deadline_ms)
{
	bool *asked = mem_array(n, sizeof(*asked)), ok = true;
	struct err e;

	for (size_t i = 0; ok && i < n; i++) {
		struct redis_conn *c = asked[i] ? NULL : redis_conn_for(q, &cmds[i], deadline_ms, &e);

		if (!asked[i])
			ok = c && ask_node(q, c, cmds, i, n, asked, out, deadline_ms);
	}
	mem_free(&asked);
}

static bool is_answer(const struct redis_reply *r, bool any_type)
{
	const char *error = redis_reply_error(r);

	return r && (!error || (any_type && str_starts(error, "WRONGTYPE")));
}

/* any_type: that a key is of another type than was thought is an answer, too. */
static bool call_many(struct redis_queue *q, const struct redis_cmd *cmds, size_t n, bool any_type, struct redis_reply **out, struct err *e)
{
	bool ok = true;

	for (size_t i = 0; i < n; i++)
		out[i] = NULL;
	if (n > 1)
		ask_many(q, cmds, n, out, clock_mono_ms() + q->head.options.timeout_ms);
	for (size_t i = 0; ok && i < n; i++) {
		if (is_answer(out[i], any_type))
			continue;
		redis_reply_close(&out[i]);
		ok = redis_call(q, &cmds[i], true, &out[i], e) || (any_type && redis_wrong_type(e));
	}
	for (size_t i = 0; !ok && i < n; i++)
		redis_reply_close(&out[i]);
	return ok;
}

bool redis_call_many(struct redis_queue *q, const struct redis_cmd *cmds, size_t n, struct redis_reply **out, struct err *e)
{
	return call_many(q, cmds, n, false, out, e);
}

bool redis_call_any(struct redis_queue *q, const struct redis_cmd *cmds, size_t n, struct redis_reply **out, struct err *e)
{
	return call_many(q, cmds, n, true, out, e);
}

/* ---- opening --------------------------------------------------------------------------------------------------- */

static bool load_first(struct redis_queue *q, struct err *e)
{
	struct redis_cmd load = {0};
	struct redis_reply *r = NULL;
	bool ok;

	redis_library_load(&load, &q->head.options);
	ok = redis_call(q, &load, true, &r, e) || strstr(e->text, "already exists");
	redis_cmd_close(&load);
	redis_reply_close(&r);
	return ok;
}

/* The text that a server holds under our version must be ours: else someone changed it and did not raise its version. */
static bool check_library(struct redis_queue *q, struct err *e)
{
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	const struct redis_reply *library;
	struct buf text = {0};
	bool ok;

	redis_cmd_adds(&cmd, "FUNCTION");
	redis_cmd_adds(&cmd, "LIST");
	redis_cmd_adds(&cmd, "LIBRARYNAME");
	redis_cmd_adds(&cmd, q->head.options.library);
	redis_cmd_adds(&cmd, "WITHCODE");
	ok = redis_call(q, &cmd, true, &r, e);
	redis_cmd_close(&cmd);
	if (!ok) {
		if (e->code == ERR_INTERNAL && strstr(e->text, "unknown command"))
			err_set(e, ERR_INVALID,
			        "the server has no functions: Barque needs Redis 7.0 or newer, or Valkey (a Sentinel's URL begins with redis+sentinel://)");
		return false;
	}
	library = redis_reply_at(r, 0);
	redis_library_text(&text, &q->head.options);
	if (!library)
		ok = load_first(q, e);
	for (size_t i = 0; library && i + 1 < redis_reply_count(library); i += 2) {
		size_t len = 0;
		const char *name = redis_reply_text(redis_reply_at(library, i), NULL);
		const char *code = redis_reply_text(redis_reply_at(library, i + 1), &len);

		if (str_eq(name, "library_code") && (!code || len != text.len || memcmp(code, text.data, len) != 0))
			ok = err_set(e, ERR_CONFLICT,
			        "Redis holds the function library %s of another build of Barque: stop the programs of that build, say FUNCTION "
			        "DELETE %s to Redis (redis-cli), which touches no job, and start again",
			        q->head.options.library, q->head.options.library);
	}
	buf_close(&text);
	redis_reply_close(&r);
	return ok;
}

static void redis_close(struct queue *base)
{
	struct redis_queue *q = (struct redis_queue *)base;

	redis_nodes_close(q);
	mem_free(&q);
}

static struct queue *redis_open(const char *url, const struct queue_options *options, struct err *e)
{
	struct redis_url u;
	struct redis_queue *q;

	if (!redis_url_parse(url, &u, e))
		return NULL;
	q = mem_new(sizeof(*q));
	q->head.options = *options;
	q->url = u;
	if (u.mode == REDIS_CLUSTER)
		q->owners = mem_new(REDIS_SLOTS);
	else
		q->conn = redis_conn_new(&u, false, -1);
	if (!check_library(q, e)) {
		redis_close(&q->head);
		return NULL;
	}
	return &q->head;
}

static bool redis_ping(struct queue *base, struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	bool ok;

	redis_cmd_adds(&cmd, "PING");
	ok = redis_call(q, &cmd, true, &r, e);
	redis_cmd_close(&cmd);
	redis_reply_close(&r);
	return ok;
}

/* ---- single jobs ----------------------------------------------------------------------------------------------- */

static bool call_on_job(struct redis_queue *q, const char *function, const char *id, bool again, struct redis_reply **out, struct err *e)
{
	struct redis_cmd cmd = {0};
	char queue[JOB_NAME];
	int shard;
	bool ok;

	if (!job_id_parse(id, queue, &shard))
		return err_set(e, ERR_INVALID, "%.60s is no id of a job", id);
	redis_fcall(&cmd, &q->head.options, function, queue, shard);
	redis_cmd_adds(&cmd, queue_tail(id));
	ok = redis_call(q, &cmd, again, out, e);
	redis_cmd_close(&cmd);
	return ok;
}

static int redis_show(struct queue *base, const char *id, struct job *out, struct err *e)
{
	struct redis_reply *r = NULL;
	char queue[JOB_NAME];
	int shard, got = -1;

	if (!job_id_parse(id, queue, &shard))
		return 0;
	if (!call_on_job((struct redis_queue *)base, "show", id, true, &r, e))
		return -1;
	if (!redis_reply_is_array(r) || redis_reply_count(r) > 1)
		redis_bad_reply(e, "show");
	else if (!redis_reply_count(r))
		got = 0;
	else
		got = redis_record_read(redis_reply_at(r, 0), queue, shard, out, e) ? 1 : -1;
	redis_reply_close(&r);
	return got;
}

/* {result, state} */
static bool read_act(const struct redis_reply *r, enum act_result *result_out, enum job_state *state_out)
{
	static const enum act_result results[] = {ACT_WRONG_REV, ACT_KEY_TAKEN, ACT_WRONG_STATE, ACT_NO_JOB, ACT_DONE};
	int64_t result, state;

	if (!redis_reply_int(redis_reply_at(r, 0), &result) || !redis_reply_int(redis_reply_at(r, 1), &state) || result < -3 ||
	        result > 1 || state < 0 || state > JOB_DEAD)
		return false;
	*result_out = results[result + 3];
	*state_out = (enum job_state)state;
	return true;
}

static bool redis_act(
        struct queue *base, enum queue_act act, const char *id, enum act_result *result_out, enum job_state *state_out, struct err *e)
{
	static const char *const names[] = {[ACT_CANCEL] = "cancel",
	        [ACT_REPLAY] = "replay",
	        [ACT_RELEASE] = "release",
	        [ACT_WATCH] = "watch",
	        [ACT_FLOW_CANCEL] = "flow_cancel"};
	struct redis_queue *q = (struct redis_queue *)base;
	struct redis_reply *r = NULL;
	bool ok;

	/* It lives again, or sends word. */
	if ((act == ACT_REPLAY || act == ACT_FLOW_CANCEL) && !redis_keep_shard_of(q, id, e))
		return false;
	/* Watching may be asked again without harm; of the others the caller must know that the first may have been done. */
	if (!call_on_job(q, names[act], id, act == ACT_WATCH, &r, e))
		return false;
	ok = read_act(r, result_out, state_out) || redis_bad_reply(e, names[act]);
	redis_reply_close(&r);
	return ok;
}

static bool redis_prioritize(struct queue *base, const char *id, int priority, int64_t rev, enum act_result *result_out,
        enum job_state *state_out, struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	char queue[JOB_NAME];
	int shard;
	bool ok;

	if (!job_id_parse(id, queue, &shard))
		return err_set(e, ERR_INVALID, "%.60s is no id of a job", id);
	redis_fcall(&cmd, &q->head.options, "prioritize", queue, shard);
	redis_cmd_adds(&cmd, queue_tail(id));
	redis_cmd_addi(&cmd, priority);
	if (rev)
		redis_cmd_addi(&cmd, rev);
	else
		redis_cmd_adds(&cmd, "");
	/* Twice does no harm, unless a revision is asked for: then the first may be what makes the second fail. */
	ok = redis_call(q, &cmd, rev == 0, &r, e);
	redis_cmd_close(&cmd);
	if (ok)
		ok = read_act(r, result_out, state_out) || redis_bad_reply(e, "prioritize");
	redis_reply_close(&r);
	return ok;
}

/* ---- budgets --------------------------------------------------------------------------------------------------- */

static void budget_call(struct redis_cmd *c, const struct redis_queue *q, const char *function, const char *key)
{
	struct buf name = {0};

	buf_addf(&name, "{%s:b:%s}", q->head.options.namespace_, key);
	redis_fcall_key(c, &q->head.options, function, name.data);
	buf_close(&name);
}

static int redis_budget_take(
        struct queue *base, const char *key, int64_t cost, int64_t limit, int64_t window_ms, int64_t *wait_ms_out, struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	int64_t taken = -1;
	bool ok;

	budget_call(&cmd, q, "budget_take", key);
	redis_cmd_addi(&cmd, cost);
	redis_cmd_addi(&cmd, limit);
	redis_cmd_addi(&cmd, window_ms);
	ok = redis_call(q, &cmd, false, &r, e);
	redis_cmd_close(&cmd);
	if (ok && (!redis_reply_int(redis_reply_at(r, 0), &taken) || !redis_reply_int(redis_reply_at(r, 1), wait_ms_out) || taken < 0 ||
	                  taken > 1))
		ok = redis_bad_reply(e, "budget_take");
	redis_reply_close(&r);
	return ok ? (int)taken : -1;
}

static bool redis_budget_correct(struct queue *base, const char *key, int64_t used, int64_t window_ms, int64_t stop_ms, struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	bool ok;

	budget_call(&cmd, q, "budget_correct", key);
	redis_cmd_addi(&cmd, used);
	redis_cmd_addi(&cmd, window_ms);
	redis_cmd_addi(&cmd, stop_ms);
	ok = redis_call(q, &cmd, true, &r, e);
	redis_cmd_close(&cmd);
	redis_reply_close(&r);
	return ok;
}

const struct queue_driver redis_driver = {
        .open = redis_open,
        .close = redis_close,
        .submit = redis_submit,
        .show = redis_show,
        .lists = redis_lists,
        .act = redis_act,
        .prioritize = redis_prioritize,
        .counts = redis_counts,
        .dead_list = redis_dead_list,
        .dead_act = redis_dead_act,
        .set_weight = redis_set_weight,
        .lane = redis_lane_show,
        .lanes = redis_lanes,
        .purge = redis_purge,
        .gate = redis_gate,
        .history_take = redis_history_take,
        .history_drop = redis_history_drop,
        .history_off = redis_history_off,
        .budget_take = redis_budget_take,
        .budget_correct = redis_budget_correct,
        .shards = redis_set_shards,
        .ping = redis_ping,
        .log = redis_log,
        .show_many = redis_show_many,
        .revisions = redis_revisions,
        .changes = redis_changes,
        .backlogs = redis_backlogs,
        .audit = redis_audit,
        .look = redis_look,
        .mend = redis_mend,
        .flow_shard = redis_flow_shard,
        .flow_look = redis_flow_look,
        .mail_open = redis_mail_open,
        .mail_close = redis_mail_close,
        .mail_take = redis_mail_take,
        .mail_tell = redis_mail_tell,
        .mail_drop = redis_mail_drop,
        .mail_tidy = redis_mail_tidy,
        .mail_wait = redis_mail_wait,
        .schedule_put = redis_schedule_put,
        .schedule_settle = redis_schedule_settle,
        .schedule_show = redis_schedule_show,
        .schedule_drop = redis_schedule_drop,
        .schedule_names = redis_schedule_names,
        .schedule_fire = redis_schedule_fire,
        .names = redis_names,
        .workers = redis_workers,
        .worker_tell = redis_worker_tell,
        .routes = redis_routes,
        .watcher_open = redis_watcher_open,
        .watcher_fd = redis_watcher_fd,
        .watcher_next = redis_watcher_next,
        .watcher_close = redis_watcher_close,
        .link_open = redis_link_open,
        .link_close = redis_link_close,
        .step_begin = redis_step_begin,
        .step_end = redis_step_end,
        .renew_begin = redis_renew_begin,
        .renew_end = redis_renew_end,
        .fire_begin = redis_fire_begin,
        .fire_end = redis_fire_end,
        .wait_begin = redis_wait_begin,
        .wait_end = redis_wait_end,
        .link_fd = redis_link_fd,
        .wait_fd = redis_link_wait_fd,
};
