/* redis_cluster.c -- which connection of a queue's handle a command goes by: the only one, or that to the node which holds its slot. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "queue/redis_private.h"

/* ---- the slot of a command ------------------------------------------------------------------------------------------ */

/* Argument number i of a command, out of the bytes that redis_cmd_add wrote: "$<len>\r\n<bytes>\r\n" each. */
static const char *argument(const struct redis_cmd *c, size_t i, size_t *len_out)
{
	const char *at = c->body.data;

	if (i >= c->args)
		return NULL;
	for (;; i--) {
		char *end;
		size_t len = strtoul(at + 1, &end, 10);

		if (i == 0) {
			*len_out = len;
			return end + 2;
		}
		at = end + 2 + len + 2;
	}
}

static bool is_word(const char *s, size_t len, const char *word)
{
	return len == strlen(word) && memcmp(s, word, len) == 0;
}

/* Where the key stands: FCALL name numkeys key; nearly all others: command key. 0: it has none. */
static size_t key_place(const char *name, size_t len)
{
	static const char *const keyless[] = {"PING", "INFO", "FUNCTION", "TIME"};

	for (size_t i = 0; i < ARRAY_LEN(keyless); i++)
		if (is_word(name, len, keyless[i]))
			return 0;
	return is_word(name, len, "FCALL") ? 3 : 1;
}

/* What belongs to no key goes to the node of the registry of queues, which is always needed. */
static int slot_of(const struct redis_queue *q, const struct redis_cmd *c)
{
	struct buf registry = {0};
	size_t len = 0, place;
	const char *text = argument(c, 0, &len);
	int slot;

	if (c->slot)
		return c->slot - 1;
	place = text ? key_place(text, len) : 0;
	text = place ? argument(c, place, &len) : NULL;
	if (text)
		return redis_slot(text, len);
	buf_addf(&registry, "%s:queues", q->head.options.namespace_);
	slot = redis_slot(registry.data, registry.len);
	buf_close(&registry);
	return slot;
}

/* ---- nodes ----------------------------------------------------------------------------------------------------------- */

/* An idle connection that can be read has been closed by the server: better to learn it before something is sent. */
static bool is_fresh(struct redis_conn *c)
{
	struct redis_reply *r = NULL;
	struct err e;

	if (redis_conn_up(c) && redis_conn_next(c, &r, &e) == 1) {
		redis_reply_close(&r); /* an answer that nobody waits for: we are out of step */
		redis_conn_drop(c);
	}
	return redis_conn_up(c);
}

/* What we know of queues came over a connection that is gone: the server may be another, or have lost its data. */
static void forget_queues(struct redis_queue *q)
{
	q->n_known = q->n_shards = 0;
}

static void forget_node(struct redis_queue *q, size_t i)
{
	redis_conn_close(&q->nodes[i]);
	for (int slot = 0; slot < REDIS_SLOTS; slot++)
		if (q->owners[slot] == i + 1)
			q->owners[slot] = 0;
	forget_queues(q);
}

static bool reach(struct redis_conn *c, int64_t deadline_ms, struct err *e)
{
	struct redis_cmd ping = {0};
	struct redis_reply *r = NULL;
	bool ok = redis_conn_start(c, e);

	redis_cmd_adds(&ping, "PING");
	if (ok)
		redis_conn_send(c, &ping);
	redis_cmd_close(&ping);
	ok = ok && redis_conn_await(c, deadline_ms, &r, e) == 1;
	if (ok && redis_reply_error(r))
		ok = redis_reply_fail(r, e);
	redis_reply_close(&r);
	return ok;
}

/* Its neighbours, too, so that each of them need not be asked for by itself; what is known of one came later, from the node itself. */
static void own_slots(struct redis_queue *q, int slot, const struct redis_conn *c, size_t node)
{
	struct redis_slots s;

	redis_conn_slots(c, &s);
	q->owners[slot] = (unsigned char)(node + 1);
	for (int i = s.first; i <= s.last; i++)
		if (!q->owners[i])
			q->owners[i] = (unsigned char)(node + 1);
}

/* Where this connection went: to a node that we have already, or to a new one. */
static struct redis_conn *keep_node(struct redis_queue *q, int slot, struct redis_conn *c)
{
	size_t free_at = REDIS_NODES_MAX;

	for (size_t i = 0; i < REDIS_NODES_MAX; i++) {
		if (q->nodes[i] && redis_conn_same_server(q->nodes[i], c)) {
			own_slots(q, slot, c, i);
			redis_conn_close(&c);
			return q->nodes[i];
		}
		if (!q->nodes[i] && free_at == REDIS_NODES_MAX)
			free_at = i;
	}
	if (free_at == REDIS_NODES_MAX) {
		free_at = 0; /* a cluster of more nodes than that: one makes room */
		forget_node(q, free_at);
	}
	q->nodes[free_at] = c;
	own_slots(q, slot, c, free_at);
	return c;
}

static struct redis_conn *node_of(struct redis_queue *q, int slot, int64_t deadline_ms, struct err *e)
{
	size_t owner = q->owners[slot];
	struct redis_conn *c;

	if (owner && is_fresh(q->nodes[owner - 1]))
		return q->nodes[owner - 1];
	if (owner)
		forget_node(q, owner - 1);
	c = redis_conn_new(&q->url, false, slot);
	if (reach(c, deadline_ms, e)) {
		redis_conn_learn(c, &q->url);
		return keep_node(q, slot, c);
	}
	redis_conn_close(&c);
	return NULL;
}

struct redis_conn *redis_conn_for(struct redis_queue *q, const struct redis_cmd *cmd, int64_t deadline_ms, struct err *e)
{
	if (q->url.mode == REDIS_CLUSTER)
		return node_of(q, slot_of(q, cmd), deadline_ms, e);
	if (!is_fresh(q->conn))
		forget_queues(q);
	return q->conn;
}

struct redis_conn *redis_conn_known(const struct redis_queue *q, const struct redis_cmd *cmd)
{
	size_t owner;

	if (q->url.mode != REDIS_CLUSTER)
		return q->conn;
	owner = q->owners[slot_of(q, cmd)];
	return owner ? q->nodes[owner - 1] : NULL;
}

bool redis_follow(struct redis_queue *q, const struct redis_cmd *cmd, struct redis_conn *c, const struct redis_reply *r)
{
	if (q->url.mode == REDIS_SENTINEL)
		return redis_conn_moved(c, r);
	if (q->url.mode != REDIS_CLUSTER || !str_starts(redis_reply_error(r), "MOVED "))
		return false;
	q->owners[slot_of(q, cmd)] = 0;
	return true;
}

bool redis_same_server(const struct redis_queue *q, int slot, int other)
{
	return q->url.mode != REDIS_CLUSTER || slot == other || (q->owners[slot] && q->owners[slot] == q->owners[other]);
}

void redis_nodes_close(struct redis_queue *q)
{
	redis_conn_close(&q->conn);
	for (size_t i = 0; i < REDIS_NODES_MAX; i++)
		redis_conn_close(&q->nodes[i]);
	mem_free(&q->owners);
}
