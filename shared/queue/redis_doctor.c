/* redis_doctor.c -- what only the doctor asks of Redis, and its mends: functions/88_mend.lua from this side. */
#include <stdio.h>
#include <string.h>

#include "queue/redis_audit.h"

/* ---- keys ------------------------------------------------------------------------------------------------------------- */

bool redis_wrong_type(const struct err *e)
{
	return strstr(e->text, "WRONGTYPE") != NULL;
}

void redis_look_stray(struct queue_look *l, int shard, const char *name, const char *wanted)
{
	struct queue_finding f = {.fault = FAULT_STRAY, .shard = shard};

	snprintf(f.key, sizeof(f.key), "%s", name);
	if (str_eq(wanted, "none"))
		queue_look_add(l, &f, "%s-%d: there is a key %.150s, but none can have this name", l->queue, shard, name);
	else
		queue_look_add(l, &f, "%s-%d: the key %.150s is no %.40s, as it must be", l->queue, shard, name, wanted);
}

/* {stuck, id, state, what it should be and is not} */
static bool read_key(const struct redis_reply *r, int shard, const char **name, struct queue_look *l)
{
	const char *id = redis_reply_text(redis_reply_at(r, 1), NULL), *state = redis_reply_text(redis_reply_at(r, 2), NULL);
	const char *wanted = redis_reply_text(redis_reply_at(r, 3), NULL);
	struct queue_finding f = {.fault = FAULT_KEY, .shard = shard};
	int64_t stuck = 0;

	if (!redis_reply_int(redis_reply_at(r, 0), &stuck) || !id || !state || !wanted)
		return false;
	snprintf(f.key, sizeof(f.key), "%s", *name);
	if (stuck)
		queue_look_add(l, &f, "the %s key %.150s is held by job %s-%d%.20s, which %s", (*name)[0] == 'u' ? "unique" : "idempotency",
		        *name + 2, l->queue, shard, id,
		        *state == '?' ? "knows nothing of it"
		        : *state      ? "has ended"
		                      : "is no more");
	if (*wanted) {
		redis_look_stray(l, shard, *name, wanted);
		*name = NULL;
	}
	return true;
}

void redis_look_keys_ask(
        struct redis_cmd *cmd, const struct redis_queue *q, const char *queue, int shard, const char *const *names, size_t n)
{
	redis_fcall(cmd, &q->head.options, "look_keys", queue, shard);
	for (size_t i = 0; i < n; i++)
		redis_cmd_adds(cmd, names[i]);
}

bool redis_look_keys_read(const struct redis_reply *r, int shard, const char **names, size_t n, struct queue_look *l, struct err *e)
{
	bool ok = redis_reply_count(r) == n;

	for (size_t i = 0; ok && i < n; i++)
		ok = read_key(redis_reply_at(r, i), shard, &names[i], l);
	return ok || redis_bad_reply(e, "look_keys");
}

/* ---- records ---------------------------------------------------------------------------------------------------------- */

void redis_look_records_ask(
        struct redis_cmd *cmd, const struct redis_queue *q, const char *queue, int shard, const char *const *names, size_t n)
{
	redis_fcall(cmd, &q->head.options, "look_records", queue, shard);
	for (size_t i = 0; i < n; i++)
		redis_cmd_adds(cmd, names[i] + 2);
}

int redis_look_record_read(
        const struct redis_reply *r, int shard, const char *name, struct look_record *out, struct queue_look *l, struct err *e)
{
	const char **texts[] = {&out->s, &out->lane, &out->ghosts, &out->kind, &out->concurrency, &out->rate};
	int64_t vanished;

	if (redis_reply_int(r, &vanished))
		return 0;
	if (redis_reply_text(r, NULL)) {
		redis_look_stray(l, shard, name, redis_reply_text(r, NULL));
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		*texts[i] = redis_reply_text(redis_reply_at(r, i), NULL);
	out->odd = redis_reply_text(redis_reply_at(r, 8), NULL);
	if (!redis_reply_int(redis_reply_at(r, 6), &out->left_ms) || !redis_reply_int(redis_reply_at(r, 7), &out->bytes))
		return redis_bad_reply(e, "look_records") - 1;
	return 1;
}

/* ---- leases ----------------------------------------------------------------------------------------------------------- */

void redis_look_worker_ask(struct redis_cmd *cmd, const struct redis_queue *q, const char *queue, int shard, const char *worker)
{
	redis_fcall(cmd, &q->head.options, "look_worker", queue, shard);
	redis_cmd_adds(cmd, worker);
}

bool redis_look_worker_read(const struct redis_reply *r, int shard, const char *worker, struct queue_look *l, struct err *e)
{
	struct queue_finding f = {.fault = FAULT_LEASE, .shard = shard};
	int64_t gone = 0, leases = 0;

	if (!redis_reply_int(redis_reply_at(r, 0), &gone) || !redis_reply_int(redis_reply_at(r, 3), &leases))
		return redis_bad_reply(e, "look_worker");
	snprintf(f.key, sizeof(f.key), "%s", worker);
	if (gone)
		queue_look_add(l, &f, "worker %.100s was not heard for more than a minute and still holds %lld leases, all long over",
		        worker, (long long)leases);
	return true;
}

/* ---- mending ---------------------------------------------------------------------------------------------------------- */

static void mend_args(struct redis_cmd *cmd, const struct queue_finding *f, bool force)
{
	bool job = f->fault == FAULT_RECORD || f->fault == FAULT_PLACE || f->fault == FAULT_ORPHAN || f->fault == FAULT_LIFETIME ||
	           f->fault == FAULT_LISTING || f->fault == FAULT_FLOW;

	redis_cmd_adds(cmd, queue_fault_name(f->fault));
	redis_cmd_adds(cmd, job && !f->no_id ? queue_tail(f->key) : f->key);
	if (f->fault == FAULT_COUNTER) {
		if (*f->at)
			redis_cmd_adds(cmd, f->at);
		else
			redis_cmd_addi(cmd, f->said);
		if (f->counted < 0)
			redis_cmd_adds(cmd, "");
		else
			redis_cmd_addi(cmd, f->counted);
		redis_cmd_adds(cmd, force ? "1" : "0");
	} else {
		redis_cmd_adds(cmd, f->at);
	}
}

int redis_mend_one(struct redis_queue *q, const char *queue, const struct queue_finding *f, bool force, char why_out[200], struct err *e)
{
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	int64_t done = 0;
	const char *why;
	bool ok;

	redis_fcall(&cmd, &q->head.options, "mend", queue, f->shard);
	mend_args(&cmd, f, force);
	ok = redis_call(q, &cmd, false, &r, e);
	redis_cmd_close(&cmd);
	why = ok ? redis_reply_text(r, NULL) : NULL;
	if (why)
		snprintf(why_out, 200, "%s", why);
	else if (ok && (!redis_reply_int(r, &done) || done < 0))
		ok = redis_bad_reply(e, "mend");
	redis_reply_close(&r);
	return !ok ? -1 : f->fault == FAULT_LEASE && done == 2 ? 2 : done > 0;
}

int redis_mend(struct queue *base, const char *queue, const struct queue_finding *f, bool force, char why_out[200], struct err *e)
{
	int done = 2;

	if (f->fault == FAULT_SHARDS)
		return redis_mend_shards((struct redis_queue *)base, queue, why_out, e);
	for (int i = 0; i < 1000 && done == 2; i++)
		done = redis_mend_one((struct redis_queue *)base, queue, f, force, why_out, e);
	return done == 2 ? 1 : done;
}
