/* redis_link.c -- a dispatcher's link over Redis: step and renew on one connection, the wait on another, never blocking.
 *
 * A step is kept as it was sent until it is answered, and sent again as it was: the server knows its sequence number and answers
 * the second time as the first. So a lost answer loses no claim and applies no acknowledgement twice.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "queue/redis_private.h"

#define WAIT_SLACK_MS 2000 /* a blocking pop that is so late is lost */

#define SEQ_SKIP INT64_C(3600000000) /* an hour in the microseconds that sequence numbers begin at */

enum under_way { NOTHING, STEP, RENEW, FIRE };

struct redis_link {
	struct queue_link head;
	struct redis_conn *cmd, *wait;
	enum under_way under_way;
	struct redis_cmd call; /* the call that is under way, to be sent again after the library was loaded */
	struct redis_cmd step; /* the step that was sent and not answered; args 0: none */
	struct buf acks;       /* its acknowledgements, to see that it is begun again with the same */
	int64_t seq;           /* of the last step; begins at the time, so that a worker of the same name goes on after it */
	int64_t seq_skip;      /* how far it is set ahead when that was too little; 0: a step of this link was answered */
	size_t n_fires;        /* in the FIRE under way */
	int64_t deadline;      /* clock_mono_ms: the answer is lost */
	bool greeted;          /* this process has reported once */
	int skip;              /* answers that nobody waits for: those to FUNCTION LOAD */
	bool waiting;
	int64_t wait_deadline;
};

struct queue_link *redis_link_open(const char *url, const struct queue_options *o, const char *queue, int shard, struct err *e)
{
	struct redis_link *l;
	struct redis_url u;
	struct buf tag = {0};
	int slot;

	if (!redis_url_parse(url, &u, e))
		return NULL;
	redis_key(&tag, o->namespace_, queue, shard, "");
	slot = redis_slot(tag.data, tag.len);
	buf_close(&tag);
	l = mem_new(sizeof(*l));
	l->cmd = redis_conn_new(&u, true, slot);
	l->wait = redis_conn_new(&u, true, slot);
	l->seq = clock_now_ms() * 1000;
	l->seq_skip = SEQ_SKIP;
	return &l->head;
}

void redis_link_close(struct queue_link *base)
{
	struct redis_link *l = (struct redis_link *)base;

	redis_conn_close(&l->cmd);
	redis_conn_close(&l->wait);
	redis_cmd_close(&l->call);
	redis_cmd_close(&l->step);
	buf_close(&l->acks);
	mem_free(&l);
}

/* ---- calls in general -------------------------------------------------------------------------------------------- */

static void copy_cmd(struct redis_cmd *to, const struct redis_cmd *from)
{
	redis_cmd_close(to);
	buf_add(&to->body, from->body.data, from->body.len);
	to->args = from->args;
}

static bool send_call(struct redis_link *l, enum under_way what, struct err *e)
{
	if (!redis_conn_start(l->cmd, e))
		return false;
	l->skip = 0;
	redis_conn_send(l->cmd, &l->call);
	if (!redis_conn_flush(l->cmd, e))
		return false;
	l->under_way = what;
	l->deadline = clock_mono_ms() + l->head.options.timeout_ms;
	return true;
}

static bool load_and_repeat(struct redis_link *l, struct err *e)
{
	struct redis_cmd load = {0};

	redis_library_load(&load, &l->head.options);
	redis_conn_send(l->cmd, &load);
	redis_cmd_close(&load);
	redis_conn_send(l->cmd, &l->call);
	l->skip = 1;
	return redis_conn_flush(l->cmd, e);
}

/* 1: the answer to the call, with no error in it; 0: not yet; -1. */
static int receive(struct redis_link *l, struct redis_reply **out, struct err *e)
{
	for (;;) {
		int got = redis_conn_next(l->cmd, out, e);

		if (!got && clock_mono_ms() > l->deadline) {
			redis_conn_drop(l->cmd);
			return err_fail(e, ERR_UNSURE, "Redis did not answer within %d ms", l->head.options.timeout_ms);
		}
		if (got != 1)
			return got;
		if (l->skip) {
			/* If loading failed, the call that follows says so. */
			l->skip--;
			redis_reply_close(out);
			continue;
		}
		if (redis_library_missing(*out)) {
			redis_reply_close(out);
			if (!load_and_repeat(l, e))
				return -1;
			continue;
		}
		if (!redis_reply_error(*out))
			return 1;
		if (redis_conn_moved(l->cmd, *out)) {
			redis_reply_close(out);
			if (!send_call(l, l->under_way, e))
				return -1;
			continue;
		}
		redis_reply_fail(*out, e);
		redis_reply_close(out);
		return -1;
	}
}

static bool idle(const struct redis_link *l, struct err *e)
{
	return l->under_way == NOTHING || err_set(e, ERR_CONFLICT, "a call is under way on this link");
}

/* Ids of this link's queue into an array; false for anything else. */
static bool read_ids(const struct redis_link *l, const struct redis_reply *r, char (**out)[JOB_ID], size_t *n_out)
{
	size_t n = redis_reply_count(r);

	if (!redis_reply_is_array(r) || n > QUEUE_BATCH_MAX)
		return false;
	*out = mem_array(n ? n : 1, sizeof(**out));
	*n_out = n;
	for (size_t i = 0; i < n; i++) {
		size_t len = 0;
		const char *tail = redis_reply_text(redis_reply_at(r, i), &len);

		if (!tail || !queue_full_id((*out)[i], l->head.queue, l->head.shard, tail, len))
			return false;
	}
	return true;
}

/* ---- step --------------------------------------------------------------------------------------------------------- */

static void add_error(struct redis_cmd *c, const struct err *error, unsigned chance)
{
	char text[96];

	snprintf(text, sizeof(text), "%s %d %lld %u", err_name(error->code), err_is_temporary(error->code),
	        (long long)(error->retry_after_ms > 0 ? error->retry_after_ms : 0), chance & 0xffff);
	redis_cmd_adds(c, "E");
	redis_cmd_adds(c, text);
	redis_cmd_adds(c, error->text);
}

static void add_simple(struct redis_cmd *c, const char *outcome, const char *a, const char *b)
{
	redis_cmd_adds(c, outcome);
	redis_cmd_adds(c, a);
	redis_cmd_adds(c, b);
}

/* The end of nearly every job: there is nothing to say about it. */
static bool ended_as_usual(const struct queue_ack *a)
{
	return a->outcome == ACK_DONE && (!a->result || !*a->result) && (!a->progress_json || !*a->progress_json);
}

static void add_ack(struct redis_cmd *c, const struct queue_ack *a, unsigned chance)
{
	struct err too_long;

	redis_cmd_adds(c, queue_tail(a->id));
	redis_cmd_addi(c, a->fence);
	switch (a->outcome) {
	case ACK_DONE:
		if (queue_result_too_long(a, &too_long))
			add_error(c, &too_long, 0);
		else
			add_simple(c, "D", a->result, a->progress_json);
		break;
	case ACK_ERROR:
		add_error(c, &a->error, chance);
		break;
	case ACK_CRASHED:
		add_simple(c, "C", NULL, a->error.text);
		break;
	case ACK_GIVE_BACK:
		add_simple(c, "G", NULL, NULL);
		break;
	case ACK_CANCELLED:
		add_simple(c, "X", NULL, NULL);
		break;
	case ACK_LATER:
		redis_cmd_adds(c, "L");
		redis_cmd_addi(c, a->error.retry_after_ms > 1 ? a->error.retry_after_ms : 1);
		redis_cmd_adds(c, a->error.text);
		break;
	case ACK_STARTS:
		add_simple(c, "S", NULL, NULL);
		break;
	}
}

/* Jitter that differs from job to job, but is the same when the same step is written again. */
static unsigned chance_of(int64_t seq, size_t i)
{
	uint64_t x = ((uint64_t)seq + i) * UINT64_C(0x9e3779b97f4a7c15);

	return (unsigned)(x >> 40);
}

/* How many ended as usual, their ids, their fences; how many others, and five words for each. */
static void add_acks(struct redis_cmd *c, const struct queue_step *s, int64_t seq)
{
	size_t usual = 0;

	for (size_t i = 0; i < s->n_acks; i++)
		usual += ended_as_usual(&s->acks[i]);
	redis_cmd_addi(c, (int64_t)usual);
	for (size_t i = 0; i < s->n_acks; i++)
		if (ended_as_usual(&s->acks[i]))
			redis_cmd_adds(c, queue_tail(s->acks[i].id));
	for (size_t i = 0; i < s->n_acks; i++)
		if (ended_as_usual(&s->acks[i]))
			redis_cmd_addi(c, s->acks[i].fence);
	redis_cmd_addi(c, (int64_t)(s->n_acks - usual));
	for (size_t i = 0; i < s->n_acks; i++)
		if (!ended_as_usual(&s->acks[i]))
			add_ack(c, &s->acks[i], chance_of(seq, i));
}

static void add_remarks(struct redis_cmd *c, const struct queue_step *s)
{
	redis_cmd_addi(c, (int64_t)s->n_remarks);
	for (size_t i = 0; i < s->n_remarks; i++) {
		const struct queue_remark *r = &s->remarks[i];

		redis_cmd_adds(c, queue_tail(r->id));
		redis_cmd_addi(c, r->fence);
		redis_cmd_addi(c, r->age_ms);
		redis_cmd_adds(c, r->text);
	}
}

static void write_step(struct redis_link *l, const struct queue_step *s, struct redis_cmd *acks)
{
	struct redis_cmd *c = &l->call;

	redis_cmd_close(c);
	redis_fcall(c, &l->head.options, "step", l->head.queue, l->head.shard);
	redis_cmd_adds(c, l->head.worker);
	redis_cmd_addi(c, l->seq + 1);
	redis_cmd_addi(c, s->lease_ms);
	redis_cmd_addi(c, s->held);
	redis_cmd_addi(c, s->want);
	redis_cmd_addi(c, (int64_t)l->head.n_routes);
	for (size_t i = 0; i < l->head.n_routes; i++)
		redis_cmd_adds(c, l->head.routes[i]);
	buf_add(&c->body, acks->body.data, acks->body.len);
	c->args += acks->args;
	if (s->n_remarks || s->report || s->last)
		add_remarks(c, s);
	if (s->report || s->last) {
		redis_cmd_adds(c, s->last ? "bye" : l->greeted ? "here" : "hello");
		redis_cmd_adds(c, s->report ? s->report : "");
		l->greeted = true;
	}
}

static bool same_acks(const struct redis_link *l, const struct redis_cmd *acks)
{
	return l->acks.len == acks->body.len && memcmp(l->acks.data, acks->body.data, l->acks.len) == 0;
}

bool redis_step_begin(struct queue_link *base, const struct queue_step *s, struct err *e)
{
	struct redis_link *l = (struct redis_link *)base;
	struct redis_cmd acks = {0};
	bool ok = idle(l, e);

	if (ok)
		add_acks(&acks, s, l->seq);
	if (ok && l->step.args && !same_acks(l, &acks))
		ok = err_set(e, ERR_CONFLICT, "the last step of this link was not answered: begin it again with the same acknowledgements");
	if (ok && l->step.args)
		copy_cmd(&l->call, &l->step);
	else if (ok)
		write_step(l, s, &acks);
	ok = ok && send_call(l, STEP, e);
	if (ok && !l->step.args) {
		copy_cmd(&l->step, &l->call);
		buf_clear(&l->acks);
		buf_add(&l->acks, acks.body.data, acks.body.len);
	}
	redis_cmd_close(&acks);
	return ok;
}

#define GROUP_HEAD 2 /* route, first fence */
#define GROUP_EACH 2 /* id, parameters */

/* 0: it is none. */
static size_t group_size(const struct redis_reply *r)
{
	size_t n = redis_reply_count(r);

	return n > GROUP_HEAD && (n - GROUP_HEAD) % GROUP_EACH == 0 ? (n - GROUP_HEAD) / GROUP_EACH : 0;
}

/* The claims of one lane; there is room for them. */
static bool read_group(const struct redis_link *l, const struct redis_reply *r, struct queue_step_reply *out, struct err *e)
{
	int64_t fence = 0;

	if (!redis_reply_int(redis_reply_at(r, 1), &fence))
		return redis_bad_reply(e, "step");
	for (size_t i = 0; i < group_size(r); i++) {
		struct job *j = &out->claims[out->n_claims].job;

		if (!redis_claim_read(r, GROUP_HEAD + i * GROUP_EACH, l->head.queue, l->head.shard, fence++, j, e))
			return false;
		out->n_claims++;
	}
	return true;
}

/* What is unusual about some of them: their place, and what redis_extras_read takes. */
static bool read_extras(const struct redis_reply *r, struct queue_step_reply *out, struct err *e)
{
	for (size_t i = 0; i < redis_reply_count(r); i++) {
		const struct redis_reply *extras = redis_reply_at(r, i);
		int64_t place = -1;

		if (!redis_reply_int(redis_reply_at(extras, 0), &place) || place < 0 || (size_t)place >= out->n_claims ||
		        !redis_extras_read(extras, &out->claims[place].job))
			return redis_bad_reply(e, "step");
	}
	return true;
}

static bool read_claims(struct redis_link *l, const struct redis_reply *r, struct queue_step_reply *out, struct err *e)
{
	const struct redis_reply *groups = redis_reply_at(r, 3);
	size_t n = redis_reply_count(groups), claims = 0;
	bool ok = redis_reply_is_array(groups);

	for (size_t i = 0; ok && i < n; i++) {
		size_t some = group_size(redis_reply_at(groups, i));

		claims += some;
		ok = some > 0 && claims <= QUEUE_BATCH_MAX;
	}
	if (!ok)
		return redis_bad_reply(e, "step");
	out->claims = mem_array(claims + 1, sizeof(*out->claims));
	for (size_t i = 0; i < n; i++)
		if (!read_group(l, redis_reply_at(groups, i), out, e))
			return false;
	return read_extras(redis_reply_at(r, 7), out, e);
}

static bool read_command(const struct redis_reply *r, struct queue_step_reply *out)
{
	const char *name = redis_reply_text(r, NULL);
	enum worker_command command = WORKER_RESUME;
	bool ok = !name || worker_command_of(name, &command);

	out->command = command;
	return ok;
}

static bool read_step(struct redis_link *l, const struct redis_reply *r, struct queue_step_reply *out, struct err *e)
{
	int64_t shards = 0;

	if (!redis_reply_int(redis_reply_at(r, 0), &out->next_due_ms) || !redis_reply_int(redis_reply_at(r, 1), &out->ready) ||
	        !read_ids(l, redis_reply_at(r, 2), &out->rejected, &out->n_rejected))
		return redis_bad_reply(e, "step");
	out->more = out->ready > 0;
	if (redis_reply_int(redis_reply_at(r, 6), &shards) && shards >= 1 && shards <= QUEUE_SHARDS_MAX)
		out->shards = (int)shards;
	if (!read_command(redis_reply_at(r, 5), out))
		return redis_bad_reply(e, "step");
	if (!redis_due_read(redis_reply_at(r, 4), out))
		return redis_bad_reply(e, "step");
	return read_claims(l, r, out, e);
}

/* A worker that came back with its old name and an older clock: no step of this link was ever taken, so nothing hangs on its
 * number. The next one is written anew, farther on each time. */
static void seq_go_ahead(struct redis_link *l)
{
	if (l->seq_skip == 0)
		return; /* another link of our name has gone on: one of the two is too much */
	l->seq += l->seq_skip;
	l->seq_skip = l->seq_skip < SEQ_SKIP * 10000 ? l->seq_skip * 4 : l->seq_skip;
	redis_cmd_close(&l->step);
}

int redis_step_end(struct queue_link *base, struct queue_step_reply *out, struct err *e)
{
	struct redis_link *l = (struct redis_link *)base;
	struct redis_reply *r = NULL;
	int got;

	if (l->under_way != STEP)
		return err_fail(e, ERR_CONFLICT, "no step is under way on this link");
	got = receive(l, &r, e);
	if (!got)
		return 0;
	l->under_way = NOTHING;
	if (got == 1 && !read_step(l, r, out, e)) {
		queue_step_reply_close(out);
		got = -1;
	}
	if (got < 0 && e->code == ERR_STALE)
		seq_go_ahead(l);
	if (got == 1) {
		l->seq++;
		l->seq_skip = 0;
		redis_cmd_close(&l->step);
	}
	redis_reply_close(&r);
	return got;
}

/* ---- renew -------------------------------------------------------------------------------------------------------- */

bool redis_renew_begin(struct queue_link *base, const struct queue_renewal *items, size_t n, int64_t lease_ms, struct err *e)
{
	struct redis_link *l = (struct redis_link *)base;

	if (!idle(l, e))
		return false;
	redis_cmd_close(&l->call);
	redis_fcall(&l->call, &l->head.options, "renew", l->head.queue, l->head.shard);
	redis_cmd_adds(&l->call, l->head.worker);
	redis_cmd_addi(&l->call, lease_ms);
	redis_cmd_addi(&l->call, (int64_t)n);
	for (size_t i = 0; i < n; i++) {
		redis_cmd_adds(&l->call, queue_tail(items[i].id));
		redis_cmd_addi(&l->call, items[i].fence);
		redis_cmd_adds(&l->call, items[i].progress_json);
		redis_cmd_addi(&l->call, items[i].held);
	}
	return send_call(l, RENEW, e);
}

/* Ids and fences in turn. */
static bool read_held(const struct redis_link *l, const struct redis_reply *r, struct queue_held **out, size_t *n_out)
{
	size_t n = redis_reply_count(r) / 2;

	if (!redis_reply_is_array(r) || n * 2 != redis_reply_count(r) || n > QUEUE_BATCH_MAX)
		return false;
	*out = mem_array(n + 1, sizeof(**out));
	*n_out = n;
	for (size_t i = 0; i < n; i++) {
		size_t len = 0;
		const char *tail = redis_reply_text(redis_reply_at(r, 2 * i), &len);

		if (!tail || !queue_full_id((*out)[i].id, l->head.queue, l->head.shard, tail, len) ||
		        !redis_reply_int(redis_reply_at(r, 2 * i + 1), &(*out)[i].fence))
			return false;
	}
	return true;
}

int redis_renew_end(struct queue_link *base, struct queue_renew_reply *out, struct err *e)
{
	struct redis_link *l = (struct redis_link *)base;
	struct redis_reply *r = NULL;
	int got;

	if (l->under_way != RENEW)
		return err_fail(e, ERR_CONFLICT, "no renewal is under way on this link");
	got = receive(l, &r, e);
	if (!got)
		return 0;
	l->under_way = NOTHING;
	if (got == 1 && (!read_held(l, redis_reply_at(r, 0), &out->lost, &out->n_lost) ||
	                        !read_held(l, redis_reply_at(r, 1), &out->cancel, &out->n_cancel))) {
		queue_renew_reply_close(out);
		redis_bad_reply(e, "renew");
		got = -1;
	}
	redis_reply_close(&r);
	return got;
}

/* ---- schedules ---------------------------------------------------------------------------------------------------- */

bool redis_fire_begin(struct queue_link *base, const struct queue_fire *fires, size_t n, struct err *e)
{
	struct redis_link *l = (struct redis_link *)base;

	if (!idle(l, e))
		return false;
	redis_cmd_close(&l->call);
	redis_fire_write(&l->call, &l->head.options, l->head.queue, l->head.shard, fires, n);
	l->n_fires = n;
	return send_call(l, FIRE, e);
}

int redis_fire_end(struct queue_link *base, struct queue_fire_reply *out, struct err *e)
{
	struct redis_link *l = (struct redis_link *)base;
	struct queue_fired fired[QUEUE_DUE_MAX];
	struct redis_reply *r = NULL;
	int got;

	if (l->under_way != FIRE)
		return err_fail(e, ERR_CONFLICT, "no schedules are under way on this link");
	got = receive(l, &r, e);
	if (!got)
		return 0;
	l->under_way = NOTHING;
	if (got == 1 && !redis_fire_read(r, l->head.queue, l->head.shard, fired, l->n_fires, &out->next_due_ms)) {
		redis_bad_reply(e, "cron_fire");
		got = -1;
	}
	for (size_t i = 0; got == 1 && i < l->n_fires; i++)
		out->jobs += fired[i].jobs;
	redis_reply_close(&r);
	return got;
}

/* ---- waiting ------------------------------------------------------------------------------------------------------ */

static void write_wait(struct redis_link *l, int64_t max_ms, struct redis_cmd *c)
{
	struct buf key = {0};
	char seconds[32];

	redis_cmd_adds(c, "BZPOPMIN");
	for (size_t i = 0; i < l->head.n_routes; i++) {
		buf_clear(&key);
		redis_key(&key, l->head.options.namespace_, l->head.queue, l->head.shard, ":m:");
		buf_adds(&key, l->head.routes[i]);
		redis_cmd_add(c, key.data, key.len);
	}
	snprintf(seconds, sizeof(seconds), "%lld.%03d", (long long)(max_ms / 1000), (int)(max_ms % 1000));
	redis_cmd_adds(c, seconds);
	buf_close(&key);
}

bool redis_wait_begin(struct queue_link *base, int64_t max_ms, struct err *e)
{
	struct redis_link *l = (struct redis_link *)base;
	struct redis_cmd c = {0};
	bool ok;

	if (l->waiting)
		return true;
	if (!redis_conn_start(l->wait, e))
		return false;
	write_wait(l, max_ms, &c);
	redis_conn_send(l->wait, &c);
	redis_cmd_close(&c);
	ok = redis_conn_flush(l->wait, e);
	l->waiting = ok;
	l->wait_deadline = clock_mono_ms() + max_ms + WAIT_SLACK_MS;
	return ok;
}

int redis_wait_end(struct queue_link *base, struct err *e)
{
	struct redis_link *l = (struct redis_link *)base;
	struct redis_reply *r = NULL;
	int got;

	if (!l->waiting)
		return err_fail(e, ERR_CONFLICT, "this link does not wait");
	got = redis_conn_next(l->wait, &r, e);
	if (!got && clock_mono_ms() > l->wait_deadline) {
		redis_conn_drop(l->wait);
		got = err_fail(e, ERR_TIMEOUT, "Redis did not end a wait in time");
	}
	if (got == 1 && redis_reply_error(r) && !redis_conn_moved(l->wait, r)) {
		redis_reply_fail(r, e);
		got = -1;
	}
	if (got)
		l->waiting = false;
	redis_reply_close(&r);
	return got;
}

int redis_link_fd(const struct queue_link *base)
{
	const struct redis_link *l = (const struct redis_link *)base;

	return redis_conn_up(l->cmd) ? redis_conn_fd(l->cmd) : -1;
}

int redis_link_wait_fd(const struct queue_link *base)
{
	const struct redis_link *l = (const struct redis_link *)base;

	return redis_conn_up(l->wait) ? redis_conn_fd(l->wait) : -1;
}
