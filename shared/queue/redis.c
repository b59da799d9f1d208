/* redis.c -- the door to hiredis: one connection that never blocks, commands out, checked replies in. */
#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "queue/redis_private.h"

#define KEEP_ALIVE_S    10    /* a peer that went without a word is noticed by the kernel */
#define USER_TIMEOUT_MS 10000 /* and so is one that does not acknowledge what we wrote */
#define READ_BUFFER     (1024 * 1024)
#define BACK_OFF_MIN_MS 20
#define BACK_OFF_MAX_MS 1000

struct redis_conn {
	struct redis_url url;
	redisContext *c; /* NULL: not connected */
	int epoll_fd;    /* outlives the sockets, so that callers may keep polling it; says "readable" also when we can write */
	bool wants_write;
	bool back_off;
	int64_t back_off_ms, retry_at; /* clock_mono_ms */
	int handshake;                 /* answers still to come that are for us: AUTH, SELECT */
	bool written;                  /* some byte of the last command has left */
};

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

void redis_cmd_close(struct redis_cmd *c)
{
	buf_close(&c->body);
	c->args = 0;
}

/* ---- connecting ---------------------------------------------------------------------------------------------- */

struct redis_conn *redis_conn_new(const struct redis_url *url, bool back_off)
{
	struct redis_conn *c = mem_new(sizeof(*c));

	c->url = *url;
	c->back_off = back_off;
	c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return c;
}

void redis_conn_drop(struct redis_conn *c)
{
	/* Out of the epoll set by hand: a process forked meanwhile may hold the socket open, and it would stay in the set for ever. */
	if (c->c && c->c->fd >= 0)
		epoll_ctl(c->epoll_fd, EPOLL_CTL_DEL, c->c->fd, NULL);
	if (c->c)
		redisFree(c->c);
	c->c = NULL;
	c->handshake = 0;
}

void redis_conn_close(struct redis_conn **c)
{
	if (!*c)
		return;
	redis_conn_drop(*c);
	if ((*c)->epoll_fd >= 0)
		close((*c)->epoll_fd);
	mem_free(c);
}

int redis_conn_fd(const struct redis_conn *c)
{
	return c->epoll_fd;
}

bool redis_conn_up(const struct redis_conn *c)
{
	return c->c != NULL;
}

static const char *server_name(const struct redis_conn *c, char out[280])
{
	if (c->url.path[0])
		snprintf(out, 280, "%s", c->url.path);
	else
		snprintf(out, 280, "%s:%d", c->url.host, c->url.port);
	return out;
}

static void set_socket_options(int fd)
{
	int on = 1, keep = KEEP_ALIVE_S, interval = 5, tries = 3;
	unsigned user = USER_TIMEOUT_MS;

	fcntl(fd, F_SETFD, FD_CLOEXEC);
	/* On a Unix socket these fail, and need not work. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &keep, sizeof(keep));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof(tries));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user, sizeof(user));
}

static void send_handshake(struct redis_conn *c)
{
	if (c->url.password[0]) {
		struct redis_cmd auth = {0};

		redis_cmd_adds(&auth, "AUTH");
		if (c->url.user[0])
			redis_cmd_adds(&auth, c->url.user);
		redis_cmd_adds(&auth, c->url.password);
		redis_conn_send(c, &auth);
		redis_cmd_close(&auth);
		c->handshake++;
	}
	if (c->url.db) {
		struct redis_cmd select = {0};

		redis_cmd_adds(&select, "SELECT");
		redis_cmd_addi(&select, c->url.db);
		redis_conn_send(c, &select);
		redis_cmd_close(&select);
		c->handshake++;
	}
}

static void note_failure(struct redis_conn *c)
{
	c->back_off_ms = c->back_off_ms ? c->back_off_ms * 2 : BACK_OFF_MIN_MS;
	if (c->back_off_ms > BACK_OFF_MAX_MS)
		c->back_off_ms = BACK_OFF_MAX_MS;
	c->retry_at = clock_mono_ms() + c->back_off_ms;
}

/* Hang up because of `why`; -1 with e. */
static int lose(struct redis_conn *c, const char *why, struct err *e)
{
	char name[280];
	bool unsure = c->written;

	err_set(e, unsure ? ERR_UNSURE : ERR_UNAVAILABLE, "Redis at %s: %s", server_name(c, name), why);
	redis_conn_drop(c);
	note_failure(c);
	return -1;
}

static bool watch_socket(struct redis_conn *c)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT};

	c->wants_write = true;
	return epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, c->c->fd, &ev) == 0;
}

bool redis_conn_start(struct redis_conn *c, struct err *e)
{
	char name[280];

	if (c->c)
		return true;
	c->written = false;
	if (c->back_off && clock_mono_ms() < c->retry_at)
		return err_set(e, ERR_UNAVAILABLE, "Redis at %s was lost; it is tried again in %lld ms", server_name(c, name),
		        (long long)(c->retry_at - clock_mono_ms()));
	c->c = c->url.path[0] ? redisConnectUnixNonBlock(c->url.path) : redisConnectNonBlock(c->url.host, c->url.port);
	if (!c->c || c->c->err) {
		lose(c, c->c ? c->c->errstr : "no memory", e);
		return false;
	}
	c->c->reader->maxbuf = READ_BUFFER;
	set_socket_options(c->c->fd);
	if (!watch_socket(c)) {
		lose(c, strerror(errno), e);
		return false;
	}
	send_handshake(c);
	return true;
}

/* ---- sending and receiving ------------------------------------------------------------------------------------ */

void redis_conn_send(struct redis_conn *c, const struct redis_cmd *cmd)
{
	struct buf head = {0};

	add_count(&head, '*', cmd->args);
	redisAppendFormattedCommand(c->c, head.data, head.len);
	redisAppendFormattedCommand(c->c, cmd->body.data, cmd->body.len);
	buf_close(&head);
	c->written = false;
}

/* Poll for writing only while there is something to write: a socket can nearly always be written to. */
static void set_interest(struct redis_conn *c, bool write)
{
	struct epoll_event ev = {.events = EPOLLIN | (write ? (uint32_t)EPOLLOUT : 0)};

	if (write != c->wants_write)
		epoll_ctl(c->epoll_fd, EPOLL_CTL_MOD, c->c->fd, &ev);
	c->wants_write = write;
}

static bool flush(struct redis_conn *c)
{
	size_t before = sdslen(c->c->obuf);
	int done = 0;

	if (!before) {
		set_interest(c, false);
		return true;
	}
	if (redisBufferWrite(c->c, &done) != REDIS_OK)
		return false;
	if (sdslen(c->c->obuf) < before)
		c->written = true;
	set_interest(c, !done);
	return true;
}

bool redis_conn_flush(struct redis_conn *c, struct err *e)
{
	if (!c->c)
		return err_set(e, ERR_UNAVAILABLE, "not connected to Redis");
	if (!flush(c)) {
		lose(c, c->c->errstr, e);
		return false;
	}
	return true;
}

/* An answer to AUTH or SELECT. */
static bool shake(struct redis_conn *c, struct redis_reply *r, struct err *e)
{
	bool ok = !redis_reply_error(r);

	c->handshake--;
	if (!ok) {
		err_set(e, ERR_DENIED, "Redis refused the login or the database: %s", redis_reply_error(r));
		redis_conn_drop(c);
		note_failure(c);
	}
	redis_reply_close(&r);
	return ok;
}

static bool is_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

int redis_conn_next(struct redis_conn *c, struct redis_reply **out, struct err *e)
{
	if (!c->c)
		return err_fail(e, ERR_UNAVAILABLE, "not connected to Redis");
	if (!flush(c))
		return lose(c, c->c->errstr, e);
	for (;;) {
		void *reply = NULL;

		if (redisGetReplyFromReader(c->c, &reply) != REDIS_OK)
			return lose(c, c->c->errstr, e);
		if (reply && c->handshake) {
			if (!shake(c, reply, e))
				return -1;
			continue;
		}
		if (reply) {
			c->back_off_ms = 0;
			*out = reply;
			return 1;
		}
		if (!is_readable(c->c->fd))
			return 0;
		if (redisBufferRead(c->c) != REDIS_OK)
			return lose(c, c->c->errstr, e);
	}
}

int redis_conn_await(struct redis_conn *c, int64_t deadline_ms, struct redis_reply **out, struct err *e)
{
	for (;;) {
		struct pollfd p = {.fd = c->epoll_fd, .events = POLLIN};
		int got = redis_conn_next(c, out, e);
		int64_t left = deadline_ms - clock_mono_ms();

		if (got)
			return got;
		if (left <= 0)
			return lose(c, "no answer in time", e);
		poll(&p, 1, (int)left);
	}
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
        {"MOVED", ERR_INVALID, "this server holds another part of a cluster"},
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
