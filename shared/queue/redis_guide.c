/* redis_guide.c -- where the server is: what sentinels and the nodes of a cluster answer, and the slot of a key. */
#include <string.h>

#include "queue/redis_private.h"

/* CRC16 as the cluster specification has it: XMODEM, polynomial 0x1021. */
static unsigned crc16(const char *s, size_t len)
{
	unsigned crc = 0;

	for (size_t i = 0; i < len; i++) {
		crc ^= (unsigned)(unsigned char)s[i] << 8;
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
		crc &= 0xffff;
	}
	return crc;
}

int redis_slot(const char *key, size_t len)
{
	const char *open = memchr(key, '{', len);
	const char *close = open ? memchr(open, '}', len - (size_t)(open - key)) : NULL;

	if (close && close > open + 1)
		return (int)(crc16(open + 1, (size_t)(close - open - 1)) % REDIS_SLOTS);
	return (int)(crc16(key, len) % REDIS_SLOTS);
}

void redis_guide_ask(struct redis_cmd *c, const struct redis_url *u)
{
	if (u->mode == REDIS_CLUSTER) {
		redis_cmd_adds(c, "CLUSTER");
		redis_cmd_adds(c, "SLOTS");
		return;
	}
	redis_cmd_adds(c, "SENTINEL");
	redis_cmd_adds(c, "GET-MASTER-ADDR-BY-NAME");
	redis_cmd_adds(c, u->master);
}

/* {host, port ...}; a node that does not know its own address means the one that we came by. */
static bool read_address(
        const struct redis_reply *host, const struct redis_reply *port, const struct redis_address *from, struct redis_address *out)
{
	const char *text = redis_reply_text(host, NULL);
	int64_t n;

	if (!redis_reply_int(port, &n) || n < 1 || n > 65535)
		return false;
	out->port = (int)n;
	return str_copy(out->host, sizeof(out->host), text && text[0] && !str_eq(text, "?") ? text : from->host);
}

static int read_sentinel(
        const struct redis_reply *r, const struct redis_url *u, const struct redis_address *from, struct redis_address *out, struct err *e)
{
	if (redis_reply_count(r) == 2 && read_address(redis_reply_at(r, 0), redis_reply_at(r, 1), from, out))
		return 1;
	return err_fail(e, ERR_UNAVAILABLE, "the sentinel at %s:%d knows no master named %s", from->host, from->port, u->master);
}

static void remember(struct redis_url *u, const struct redis_address *a)
{
	for (size_t i = 0; i < u->n_hosts; i++)
		if (u->hosts[i].port == a->port && str_eq(u->hosts[i].host, a->host))
			return;
	if (u->n_hosts < REDIS_HOSTS_MAX)
		u->hosts[u->n_hosts++] = *a;
}

/* {{first, last, {host, port, id, ...} of the master, of its replicas ...} ...} */
static int read_slots(const struct redis_reply *r, struct redis_url *u, int slot, const struct redis_address *from,
        struct redis_address *out, struct redis_slots *slots_out, struct err *e)
{
	int found = 0;

	for (size_t i = 0; i < redis_reply_count(r); i++) {
		const struct redis_reply *range = redis_reply_at(r, i);
		int64_t first, last;

		if (!redis_reply_int(redis_reply_at(range, 0), &first) || !redis_reply_int(redis_reply_at(range, 1), &last) || first < 0 ||
		        last >= REDIS_SLOTS)
			return err_fail(e, ERR_CORRUPT, "Redis answered CLUSTER SLOTS with something else than it must");
		for (size_t k = 2; k < redis_reply_count(range); k++) {
			const struct redis_reply *node = redis_reply_at(range, k);
			struct redis_address a;

			if (!read_address(redis_reply_at(node, 0), redis_reply_at(node, 1), from, &a))
				return err_fail(e, ERR_CORRUPT, "Redis answered CLUSTER SLOTS with something else than it must");
			remember(u, &a);
			if (k == 2 && slot >= first && slot <= last) {
				*out = a;
				*slots_out = (struct redis_slots){(int)first, (int)last};
				found = 1;
			}
		}
	}
	if (!found)
		err_set(e, ERR_UNAVAILABLE, "the queue's cluster has no server for slot %d just now", slot);
	return found;
}

int redis_guide_read(const struct redis_reply *r, struct redis_url *u, int slot, const struct redis_address *from,
        struct redis_address *out, struct redis_slots *slots_out, struct err *e)
{
	const char *error = redis_reply_error(r);

	if (error && u->mode == REDIS_CLUSTER && strstr(error, "cluster support disabled"))
		return err_fail(e, ERR_INVALID, "the server at %s:%d is no cluster: its URL begins with redis://", from->host, from->port);
	if (error && u->mode == REDIS_SENTINEL && strstr(error, "unknown command"))
		return err_fail(e, ERR_INVALID,
		        "the server at %s:%d is no sentinel: a server's URL begins with redis://, and sentinels listen on port 26379",
		        from->host, from->port);
	if (error) {
		redis_reply_fail(r, e);
		return -1;
	}
	return u->mode == REDIS_CLUSTER ? read_slots(r, u, slot, from, out, slots_out, e) : read_sentinel(r, u, from, out, e);
}

bool redis_moved_read(const char *error, const struct redis_address *from, struct redis_address *out)
{
	const char *place = str_starts(error, "MOVED ") ? strchr(error + 6, ' ') : NULL;
	const char *colon = place ? strrchr(place, ':') : NULL;
	int64_t port;

	if (!colon || !str_int(colon + 1, 1, 65535, &port))
		return false;
	out->port = (int)port;
	if (colon == place + 1)
		return str_copy(out->host, sizeof(out->host), from->host);
	return str_copy_n(out->host, sizeof(out->host), place + 1, (size_t)(colon - place - 1));
}

bool redis_role_is_master(const struct redis_reply *r)
{
	return str_eq(redis_reply_text(redis_reply_at(r, 0), NULL), "master");
}
