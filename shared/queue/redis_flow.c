/* redis_flow.c -- flows over Redis: a look at many jobs in one call, and the carrying of word from shard to shard. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "queue/redis_private.h"

#define TAKE            64
#define SHARDS_EVERY_MS 3000
#define WAIT_SLACK_MS   2000 /* a blocking pop that is so late is lost */
#define PREFIX          (JOB_NAME + 4)

/* "<queue>-<shard>" of an id, which is one of ours. */
static bool prefix_of(const char *id, char out[PREFIX], char queue_out[JOB_NAME], int *shard_out)
{
	return job_id_parse(id, queue_out, shard_out) && str_copy_n(out, PREFIX, id, strlen(id) - QUEUE_TAIL);
}

/* ---- looking -------------------------------------------------------------------------------------------------------- */

static bool take_record(const struct redis_reply *r, const char *queue, int shard, struct queue_flow_node **batch, size_t n, struct err *e)
{
	const char *tail = redis_reply_text(redis_reply_at(r, 0), NULL);

	for (size_t i = 0; tail && i < n; i++)
		if (!batch[i]->known && str_eq(queue_tail(batch[i]->id), tail)) {
			batch[i]->known = redis_record_read(r, queue, shard, &batch[i]->job, e);
			return batch[i]->known;
		}
	return redis_bad_reply(e, "flow_look");
}

static bool look(struct redis_queue *q, const char *queue, int shard, struct queue_flow_node **batch, size_t n, struct err *e)
{
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	bool ok;

	redis_fcall(&cmd, &q->head.options, "flow_look", queue, shard);
	for (size_t i = 0; i < n; i++)
		redis_cmd_adds(&cmd, queue_tail(batch[i]->id));
	ok = redis_call(q, &cmd, true, &r, e);
	redis_cmd_close(&cmd);
	for (size_t i = 0; ok && i < redis_reply_count(r); i++)
		ok = take_record(redis_reply_at(r, i), queue, shard, batch, n, e);
	redis_reply_close(&r);
	return ok;
}

/* Those of one shard together, up to 256 a call. */
bool redis_flow_look(struct queue *base, struct queue_flow_node *nodes, size_t n, struct err *e)
{
	bool *asked = mem_array(n + 1, sizeof(*asked)), ok = true;

	for (size_t i = 0; ok && i < n; i++) {
		struct queue_flow_node *batch[QUEUE_BATCH_MAX];
		char prefix[PREFIX], other[PREFIX], queue[JOB_NAME], ignored[JOB_NAME];
		int shard, s;
		size_t m = 0;

		if (asked[i] || !prefix_of(nodes[i].id, prefix, queue, &shard))
			continue;
		for (size_t k = i; k < n && m < QUEUE_BATCH_MAX; k++)
			if (!asked[k] && prefix_of(nodes[k].id, other, ignored, &s) && str_eq(prefix, other)) {
				asked[k] = true;
				batch[m++] = &nodes[k];
			}
		ok = look((struct redis_queue *)base, queue, shard, batch, m, e);
	}
	mem_free(&asked);
	return ok;
}

/* ---- mail ----------------------------------------------------------------------------------------------------------- */

/* The outbox of one shard, and a connection to wait at it. */
struct box {
	char queue[JOB_NAME];
	int shard;
	struct redis_conn *wait;
	bool waiting;
	int64_t deadline;
};

struct redis_mail {
	struct queue_mail head;
	struct redis_queue *q;
	struct redis_url url;
	int64_t asked_at; /* how many shards there are, clock_mono_ms; 0: never */
	struct box *boxes;
	size_t n_boxes, at; /* at: whose mail was taken last */
	struct redis_reply *taken;
	bool failed[TAKE]; /* of what was taken: told, but not heard, and to be told again */
};

static void add_box(struct redis_mail *m, const char *queue, int shard)
{
	struct box *b;
	struct buf tag = {0};

	m->boxes = mem_grow(m->boxes, m->n_boxes, m->n_boxes + 1, sizeof(*m->boxes));
	b = &m->boxes[m->n_boxes];
	memset(b, 0, sizeof(*b));
	if (!str_copy(b->queue, sizeof(b->queue), queue))
		return;
	b->shard = shard;
	redis_key(&tag, m->q->head.options.namespace_, queue, shard, "");
	b->wait = redis_conn_new(&m->url, true, redis_slot(tag.data, tag.len));
	buf_close(&tag);
	m->n_boxes++;
}

/* A box for each shard, also for those that came since we last looked. */
static bool add_shards(struct redis_mail *m, struct err *e)
{
	size_t before = m->n_boxes;
	int64_t now = clock_mono_ms();

	if (m->asked_at && now - m->asked_at < SHARDS_EVERY_MS)
		return true;
	for (size_t i = 0; i < before; i++) {
		char queue[JOB_NAME]; /* a copy: the boxes move when one is added */
		struct queue_shards n;
		int have = 0;

		if (m->boxes[i].shard)
			continue;
		memcpy(queue, m->boxes[i].queue, sizeof(queue));
		if (!redis_shards(m->q, queue, &n, e))
			return false;
		for (size_t k = 0; k < before; k++)
			have += str_eq(m->boxes[k].queue, queue);
		for (; have < n.serve; have++)
			add_box(m, queue, have);
	}
	m->asked_at = now;
	return true;
}

struct queue_mail *redis_mail_open(const char *url, struct queue *q, const char *const *queues, size_t n, struct err *e)
{
	struct redis_mail *m;
	struct redis_url u;

	if (!redis_url_parse(url, &u, e))
		return NULL;
	m = mem_new(sizeof(*m));
	m->q = (struct redis_queue *)q;
	m->url = u;
	for (size_t i = 0; i < n; i++)
		add_box(m, queues[i], 0);
	return &m->head;
}

void redis_mail_close(struct queue_mail *base)
{
	struct redis_mail *m = (struct redis_mail *)base;

	for (size_t i = 0; i < m->n_boxes; i++)
		redis_conn_close(&m->boxes[i].wait);
	redis_reply_close(&m->taken);
	mem_free(&m->boxes);
	mem_free(&m);
}

static int take_from(struct redis_mail *m, const struct box *b, struct err *e)
{
	struct redis_cmd cmd = {0};
	bool ok;

	redis_reply_close(&m->taken);
	memset(m->failed, 0, sizeof(m->failed));
	redis_fcall(&cmd, &m->q->head.options, "mail_take", b->queue, b->shard);
	redis_cmd_addi(&cmd, TAKE);
	ok = redis_call(m->q, &cmd, true, &m->taken, e) && (redis_reply_count(m->taken) <= TAKE || redis_bad_reply(e, "mail_take"));
	redis_cmd_close(&cmd);
	return ok ? (int)redis_reply_count(m->taken) : -1;
}

/* Each outbox in turn, so that none waits for ever behind another. */
int redis_mail_take(struct queue_mail *base, struct err *e)
{
	struct redis_mail *m = (struct redis_mail *)base;

	if (!add_shards(m, e))
		return -1;
	for (size_t i = 0; i < m->n_boxes; i++) {
		int got;

		m->at = (m->at + 1) % m->n_boxes;
		got = take_from(m, &m->boxes[m->at], e);
		if (got)
			return got;
	}
	return 0;
}

static const char *word(const struct redis_mail *m, size_t i, size_t part, size_t *len)
{
	return redis_reply_text(redis_reply_at(redis_reply_at(m->taken, i), part), len);
}

/* Words for one shard, by their places among those taken. */
struct bag {
	size_t n, at[TAKE];
};

static void add_word(struct redis_cmd *cmd, const struct redis_mail *m, size_t i)
{
	for (size_t part = 1; part < 6; part++) {
		size_t len = 0;
		const char *text = word(m, i, part, &len);

		redis_cmd_add(cmd, text ? text : "", len);
	}
}

/* 1, or {why, number of each that was not heard}: noted, and why in e. */
static bool read_heard(struct redis_mail *m, const struct bag *bag, const struct redis_reply *r, struct err *e)
{
	const char *why = redis_reply_text(redis_reply_at(r, 0), NULL);
	int64_t n;

	if (redis_reply_int(r, &n) && n == 1)
		return true;
	for (size_t i = 1; i < redis_reply_count(r); i++) {
		if (!redis_reply_int(redis_reply_at(r, i), &n) || n < 0 || n >= (int64_t)bag->n)
			return redis_bad_reply(e, "mail_tell");
		m->failed[bag->at[n]] = true;
	}
	return why ? err_set(e, ERR_CORRUPT, "word meets what is damaged in Redis: %.200s", why) : redis_bad_reply(e, "mail_tell");
}

static bool tell_bag(struct redis_mail *m, const char *queue, int shard, const struct bag *bag, struct err *e)
{
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	bool ok;

	if (!redis_keep_shard(m->q, queue, shard, e))
		return false;
	redis_fcall(&cmd, &m->q->head.options, "mail_tell", queue, shard);
	for (size_t i = 0; i < bag->n; i++)
		add_word(&cmd, m, bag->at[i]);
	ok = redis_call(m->q, &cmd, true, &r, e) && read_heard(m, bag, r, e);
	redis_cmd_close(&cmd);
	redis_reply_close(&r);
	return ok;
}

/* One call for all that goes to the shard that word i goes to. */
static bool tell_shard(struct redis_mail *m, size_t i, bool *told, struct err *e)
{
	char prefix[PREFIX], other[PREFIX], queue[JOB_NAME], ignored[JOB_NAME];
	struct bag bag = {.n = 0};
	int shard, s;

	told[i] = true;
	if (!prefix_of(word(m, i, 2, NULL), prefix, queue, &shard))
		return true; /* no word of ours: dropped with the others */
	for (size_t k = i; k < redis_reply_count(m->taken); k++) {
		if (!prefix_of(word(m, k, 2, NULL), other, ignored, &s) || !str_eq(prefix, other))
			continue;
		told[k] = true;
		bag.at[bag.n++] = k;
	}
	return tell_bag(m, queue, shard, &bag, e);
}

static bool has_failed(const struct redis_mail *m)
{
	for (size_t i = 0; i < TAKE; i++)
		if (m->failed[i])
			return true;
	return false;
}

/* When some meet what is damaged, the others are told and dropped first; e says why these were not heard. */
bool redis_mail_tell(struct queue_mail *base, struct err *e)
{
	struct redis_mail *m = (struct redis_mail *)base;
	bool told[TAKE] = {false};
	struct err first = {0};

	for (size_t i = 0; i < redis_reply_count(m->taken); i++) {
		bool before = has_failed(m);

		if (told[i] || tell_shard(m, i, told, e))
			continue;
		if (!has_failed(m) || e->code != ERR_CORRUPT)
			return false;
		if (!before)
			first = *e;
	}
	if (!has_failed(m))
		return true;
	if (redis_mail_drop(base, e))
		*e = first;
	return false;
}

bool redis_mail_drop(struct queue_mail *base, struct err *e)
{
	struct redis_mail *m = (struct redis_mail *)base;
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	bool ok;

	redis_fcall(&cmd, &m->q->head.options, "mail_drop", m->boxes[m->at].queue, m->boxes[m->at].shard);
	for (size_t i = 0; i < redis_reply_count(m->taken); i++) {
		size_t len = 0;
		const char *text = word(m, i, 0, &len);

		if (!m->failed[i])
			redis_cmd_add(&cmd, text ? text : "", len);
	}
	ok = redis_call(m->q, &cmd, true, &r, e);
	redis_cmd_close(&cmd);
	redis_reply_close(&r);
	return ok;
}

bool redis_mail_tidy(struct queue_mail *base, struct err *e)
{
	struct redis_mail *m = (struct redis_mail *)base;

	for (size_t i = 0; i < m->n_boxes; i++)
		if (m->boxes[i].shard == 0 && !redis_spread_schedules(m->q, m->boxes[i].queue, e))
			return false;
	return true;
}

static bool begin_wait(struct redis_mail *m, struct box *b, int64_t max_ms, struct err *e)
{
	struct redis_cmd cmd = {0};
	struct buf key = {0};
	char seconds[32];

	if (b->waiting)
		return true;
	if (!redis_conn_start(b->wait, e))
		return false;
	redis_key(&key, m->q->head.options.namespace_, b->queue, b->shard, ":om");
	snprintf(seconds, sizeof(seconds), "%lld.%03d", (long long)(max_ms / 1000), (int)(max_ms % 1000));
	redis_cmd_adds(&cmd, "BZPOPMIN");
	redis_cmd_add(&cmd, key.data, key.len);
	redis_cmd_adds(&cmd, seconds);
	redis_conn_send(b->wait, &cmd);
	redis_cmd_close(&cmd);
	buf_close(&key);
	b->waiting = redis_conn_flush(b->wait, e);
	b->deadline = clock_mono_ms() + max_ms + WAIT_SLACK_MS;
	return b->waiting;
}

/* 1: something came or its time is up, 0: not yet, -1: lost. */
static int end_wait(struct box *b, struct err *e)
{
	struct redis_reply *r = NULL;
	int got = redis_conn_next(b->wait, &r, e);

	if (!got && clock_mono_ms() > b->deadline) {
		redis_conn_drop(b->wait);
		got = err_fail(e, ERR_TIMEOUT, "Redis did not end a wait in time");
	}
	if (got == 1 && redis_reply_error(r) && !redis_conn_moved(b->wait, r))
		got = redis_reply_fail(r, e) ? 1 : -1;
	if (got)
		b->waiting = false;
	redis_reply_close(&r);
	return got;
}

bool redis_mail_wait(struct queue_mail *base, int64_t max_ms, struct err *e)
{
	struct redis_mail *m = (struct redis_mail *)base;
	struct pollfd *fds = mem_array(m->n_boxes + 1, sizeof(*fds));
	int64_t until = clock_mono_ms() + max_ms;
	bool ok = true, woken = false;

	for (size_t i = 0; ok && i < m->n_boxes; i++) {
		ok = begin_wait(m, &m->boxes[i], max_ms, e);
		fds[i] = (struct pollfd){.fd = redis_conn_fd(m->boxes[i].wait), .events = POLLIN};
	}
	while (ok && !woken) {
		int64_t left = until - clock_mono_ms();

		poll(fds, m->n_boxes, left > 0 ? (int)left : 0);
		for (size_t i = 0; ok && i < m->n_boxes; i++) {
			int got = end_wait(&m->boxes[i], e);

			ok = got >= 0;
			woken = woken || got == 1;
		}
		woken = woken || left <= 0;
	}
	mem_free(&fds);
	return ok;
}
