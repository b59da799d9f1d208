/* redis.c -- the door to hiredis: bytes in, checked replies out; and commands as bytes. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/redis_private.h"

#define READ_BUFFER (1024 * 1024)

/* ---- commands ------------------------------------------------------------------------------------------------ */

/* The digits of n before end; returns where they begin. */
static char *digits_of(char *end, uint64_t n)
{
	do
		*--end = (char)('0' + n % 10);
	while (n /= 10);
	return end;
}

/* As RESP by hand: hiredis would want all arguments as arrays first, and copy them again. */
static void add_count(struct buf *b, char mark, size_t n)
{
	char text[24], *end = text + sizeof(text), *at;

	end[-1] = '\n';
	end[-2] = '\r';
	at = digits_of(end - 2, n);
	*--at = mark;
	buf_add(b, at, (size_t)(end - at));
}

void redis_cmd_add(struct redis_cmd *c, const void *data, size_t len)
{
	add_count(&c->body, '$', len);
	if (len)
		buf_add(&c->body, data, len);
	buf_add(&c->body, "\r\n", 2);
	c->args++;
}

void redis_cmd_adds(struct redis_cmd *c, const char *s)
{
	redis_cmd_add(c, s ? s : "", s ? strlen(s) : 0);
}

void redis_cmd_addi(struct redis_cmd *c, int64_t v)
{
	char text[24], *end = text + sizeof(text);
	char *at = digits_of(end, v < 0 ? -(uint64_t)v : (uint64_t)v);

	if (v < 0)
		*--at = '-';
	redis_cmd_add(c, at, (size_t)(end - at));
}

void redis_cmd_write(const struct redis_cmd *c, struct buf *out)
{
	add_count(out, '*', c->args);
	if (c->body.len)
		buf_add(out, c->body.data, c->body.len);
}

void redis_cmd_close(struct redis_cmd *c)
{
	buf_close(&c->body);
	c->args = 0;
	c->slot = 0;
}

/* ---- reading ------------------------------------------------------------------------------------------------- */

static redisReader *reader_of(struct redis_reader *r)
{
	return (redisReader *)(void *)r;
}

struct redis_reader *redis_reader_new(void)
{
	redisReader *r = redisReaderCreate();

	if (!r)
		abort(); /* out of memory, as mem_new */
	r->maxbuf = READ_BUFFER;
	return (struct redis_reader *)(void *)r;
}

void redis_reader_close(struct redis_reader **r)
{
	if (*r)
		redisReaderFree(reader_of(*r));
	*r = NULL;
}

void redis_reader_feed(struct redis_reader *r, const void *data, size_t len)
{
	redisReaderFeed(reader_of(r), data, len); /* what is wrong is told by the next redis_reader_next */
}

int redis_reader_next(struct redis_reader *r, struct redis_reply **out, const char **why)
{
	void *reply = NULL;

	if (redisReaderGetReply(reader_of(r), &reply) != REDIS_OK) {
		*why = reader_of(r)->errstr;
		return -1;
	}
	*out = reply;
	return reply != NULL;
}

/* ---- replies -------------------------------------------------------------------------------------------------- */

static const redisReply *inner(const struct redis_reply *r)
{
	return (const redisReply *)r;
}

void redis_reply_close(struct redis_reply **r)
{
	if (*r)
		freeReplyObject(*r);
	*r = NULL;
}

const char *redis_reply_error(const struct redis_reply *r)
{
	return r && inner(r)->type == REDIS_REPLY_ERROR ? inner(r)->str : NULL;
}

const char *redis_reply_text(const struct redis_reply *r, size_t *len)
{
	if (!r || (inner(r)->type != REDIS_REPLY_STRING && inner(r)->type != REDIS_REPLY_STATUS))
		return NULL;
	if (len)
		*len = (size_t)inner(r)->len;
	return inner(r)->str;
}

bool redis_reply_int(const struct redis_reply *r, int64_t *out)
{
	const char *text = redis_reply_text(r, NULL);

	if (text)
		return str_int(text, INT64_MIN, INT64_MAX, out);
	if (!r || inner(r)->type != REDIS_REPLY_INTEGER)
		return false;
	*out = inner(r)->integer;
	return true;
}

bool redis_reply_is_array(const struct redis_reply *r)
{
	return r && inner(r)->type == REDIS_REPLY_ARRAY;
}

size_t redis_reply_count(const struct redis_reply *r)
{
	return redis_reply_is_array(r) ? inner(r)->elements : 0;
}

const struct redis_reply *redis_reply_at(const struct redis_reply *r, size_t i)
{
	return i < redis_reply_count(r) ? (const struct redis_reply *)inner(r)->element[i] : NULL;
}

/* What the server's own error words mean to us. All else is a fault of ours or of its set-up. */
static const struct {
	const char *word;
	enum err_code code;
	const char *means;
} words[] = {
        {"OOM", ERR_FULL, "the queue's memory is full"},
        {"LOADING", ERR_UNAVAILABLE, "the queue is reading its data after a restart"},
        {"MISCONF", ERR_UNAVAILABLE, "the queue cannot write to its disk"},
        {"NOREPLICAS", ERR_UNAVAILABLE, "the queue misses its replicas"},
        {"READONLY", ERR_UNAVAILABLE, "the queue's server is a replica"},
        {"MASTERDOWN", ERR_UNAVAILABLE, "the queue's server has lost its master"},
        {"BUSY", ERR_UNAVAILABLE, "the queue is busy with a long script"},
        {"CLUSTERDOWN", ERR_UNAVAILABLE, "the queue's cluster is down"},
        {"STALESEQ", ERR_STALE, "another process works under this worker's name, or did so with a later clock"},
        {"MOVED", ERR_INVALID, "this server is one of a cluster: its URL begins with redis+cluster://"},
        {"ASK", ERR_UNAVAILABLE, "this part of the queue is being moved to another server"},
        {"TRYAGAIN", ERR_UNAVAILABLE, "this part of the queue is being moved to another server"},
        {"NOAUTH", ERR_DENIED, "the queue wants a password"},
        {"NOPERM", ERR_DENIED, "the queue does not allow this user to do that"},
        {"WRONGPASS", ERR_DENIED, "the queue does not know this user and password"},
};

bool redis_reply_fail(const struct redis_reply *r, struct err *e)
{
	const char *text = redis_reply_error(r);

	for (size_t i = 0; text && i < ARRAY_LEN(words); i++)
		if (str_starts(text, words[i].word)) {
			err_set(e, words[i].code, "%s: %s", words[i].means, text);
			e->retry_after_ms = err_is_temporary(words[i].code) ? 1000 : 0;
			return false;
		}
	return err_set(e, ERR_INTERNAL, "Redis answered: %s", text ? text : "something unexpected");
}
