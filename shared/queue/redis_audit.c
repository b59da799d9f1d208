/* redis_audit.c -- does everything in Redis stand where its state says? Rule 1 of job.h, read from outside of the functions.
 *
 * It gathers what the records say and where ids lie, sorts both by id, and walks through them side by side: one shard after the other, of
 * which only the names of keys are known before (redis_audit_scan.c).
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "queue/redis_audit.h"

static bool look_at_all(struct audit *a, struct err *e)
{
	struct redis_reply *before = NULL, *after = NULL;
	bool ok = audit_read_counters(a, &before, e) && redis_add_newer(a->q, a->keys_of, e) && audit_gather(a, e) &&
	          audit_sort_traces(a, e),
	     moved;

	if (ok)
		audit_judge_all(a);
	ok = ok && audit_read_counters(a, &after, e);
	if (ok) {
		moved = audit_stillness(before) != audit_stillness(after);
		a->look->moved = a->look->moved || moved;
		if (!moved || !a->look->deep)
			audit_judge_counters(a, after);
	}
	redis_reply_close(&before);
	redis_reply_close(&after);
	return ok && (a->stray_order || redis_audit_schedules(a->q, a->queue, a->shard, a->schedules.at, a->schedules.n, a->look, e));
}

static bool look_at_shard(struct redis_queue *q, struct audit_shard *s, struct err *e)
{
	struct audit *a = mem_new(sizeof(*a));
	bool ok;

	*a = (struct audit){.q = q, .queue = s->look->queue, .shard = s->number, .slot = s->slot, .keys_of = s, .look = s->look};
	ok = look_at_all(a, e);
	for (size_t i = 0; i < ARRAY_LEN(a->by_state); i++)
		s->look->by_state[i] += a->by_state[i];
	mem_free(&a->traces);
	mem_free(&a->routes);
	audit_limits_close(&a->limits);
	audit_places_close(a);
	audit_texts_close(&a->schedules);
	audit_asks_clear(a);
	mem_free(&a);
	redis_shard_forget(s);
	return ok;
}

bool redis_look(struct queue *base, struct queue_look *const *looks, size_t n, struct err *e)
{
	struct redis_queue *q = (struct redis_queue *)base;
	size_t n_shards;
	struct audit_shard *shards = redis_shards_of(q, looks, n, &n_shards, e);
	bool ok = shards != NULL;

	for (size_t i = 0; ok && i < n_shards; i++) {
		struct audit_shard *s = &shards[i];

		if (s->look->bounds.is_at && s->number == 0)
			s->look->bounds.is_at(s->look->bounds.user, s->look->queue, s->nth, n);
		ok = (s->scanned || redis_scan_shards(q, shards, n_shards, e)) && look_at_shard(q, s, e);
	}
	for (size_t i = 0; i < n_shards; i++)
		redis_shard_forget(&shards[i]);
	mem_free(&shards);
	return ok;
}

int redis_audit(struct queue *base, const char *queue, struct queue_audit *out, struct err *e)
{
	struct queue_look l = {0};
	bool ok = (str_copy(l.queue, sizeof(l.queue), queue) || redis_bad_reply(e, "the name of a queue")) &&
	          redis_look(base, (struct queue_look *const[]){&l}, 1, e);

	out->jobs = l.jobs;
	memcpy(out->by_state, l.by_state, sizeof(out->by_state));
	if (l.n)
		snprintf(out->problem, sizeof(out->problem), "%.290s", l.findings[0].text);
	queue_look_close(&l);
	return ok ? !*out->problem : -1;
}
