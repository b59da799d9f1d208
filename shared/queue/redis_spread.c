/* redis_spread.c -- one question to every shard of many queues: all at once, and the answers by queue and shard. */
#include <string.h>

#include "base/mem.h"
#include "queue/redis_private.h"

static void places_fill(struct redis_spread *s, const struct queue_shards *shards, size_t n_queues)
{
	size_t at = 0;

	for (size_t i = 0; i < n_queues; i++)
		s->n += (size_t)shards[i].serve;
	s->places = mem_array(s->n ? s->n : 1, sizeof(*s->places));
	for (size_t i = 0; i < n_queues; i++)
		for (int shard = 0; shard < shards[i].serve; shard++)
			s->places[at++] = (struct redis_place){.queue = i, .shard = shard, .put = shards[i].put};
}

bool redis_spread_ask(struct redis_queue *q, const char *function, const char *argument, const char (*queues)[JOB_NAME], size_t n,
        struct redis_spread *out, struct err *e)
{
	struct queue_shards *shards = mem_array(n ? n : 1, sizeof(*shards));
	struct redis_cmd *cmds;
	bool ok = redis_shards_of_all(q, queues, n, shards, e);

	*out = (struct redis_spread){.n = 0};
	if (ok)
		places_fill(out, shards, n);
	mem_free(&shards);
	if (!ok)
		return false;
	cmds = mem_array(out->n ? out->n : 1, sizeof(*cmds));
	out->answers = mem_array(out->n ? out->n : 1, sizeof(*out->answers));
	for (size_t i = 0; i < out->n; i++) {
		redis_fcall(&cmds[i], &q->head.options, function, queues[out->places[i].queue], out->places[i].shard);
		if (argument)
			redis_cmd_adds(&cmds[i], argument);
	}
	ok = redis_call_many(q, cmds, out->n, out->answers, e);
	for (size_t i = 0; i < out->n; i++)
		redis_cmd_close(&cmds[i]);
	mem_free(&cmds);
	if (!ok)
		redis_spread_close(out);
	return ok;
}

void redis_spread_close(struct redis_spread *s)
{
	for (size_t i = 0; i < s->n; i++)
		redis_reply_close(&s->answers[i]);
	mem_free(&s->answers);
	mem_free(&s->places);
	s->n = 0;
}
