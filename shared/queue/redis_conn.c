/* redis_conn.c -- one connection to a Redis server that never blocks, and finds the server by sentinels or a cluster's nodes.
 *
 *   DOWN ──start──► CONNECT ──► SHAKE (TLS) ──► GREET ──► UP          GREET: login, database, is it a master?
 *                      ▲            only rediss     │                 from a guide: where is the server?
 *                      └──── the guide's answer ────┘
 *
 * Commands that were sent before it is UP wait. What fails before that fails as ERR_UNAVAILABLE: nothing of them has left.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "queue/redis_private.h"

#define KEEP_ALIVE_S    10    /* a peer that went without a word is noticed by the kernel */
#define USER_TIMEOUT_MS 10000 /* and so is one that does not acknowledge what we wrote */
#define BACK_OFF_MIN_MS 20
#define BACK_OFF_MAX_MS 1000
#define HOP_MS          3000 /* from connecting to one server until it has greeted us */
#define MOVES_MAX       5    /* in a row, before the answer is passed on as an error */
#define KEPT_BYTES      (256 * 1024)

enum phase { PHASE_DOWN, PHASE_CONNECT, PHASE_SHAKE, PHASE_GREET, PHASE_UP };
enum greeting { GREET_LOGIN, GREET_DB, GREET_ROLE, GREET_WHERE };

struct redis_conn {
	struct redis_url url;
	int slot;
	enum phase phase;
	int fd;
	int epoll_fd; /* outlives the sockets, so that callers may keep polling it; says "readable" also when we can write */
	bool wants_write;
	struct redis_reader *reader;
	struct redis_tls *tls;
	struct buf out;  /* commands that wait until it is UP, or until they are sealed */
	struct buf wire; /* bytes for the socket, of which `wired` have left */
	size_t wired;
	bool written; /* some byte of the last command has left */

	struct redis_address at, target;
	struct redis_slots slots; /* that the target has, as its guide said */
	bool has_target, is_guide;
	size_t turn; /* which host is asked next */
	size_t asked;
	unsigned dialled;
	int moves;
	enum greeting greetings[4]; /* answers still to come */
	size_t n_greetings, greeted;
	int64_t deadline; /* clock_mono_ms, of all phases before UP */

	bool back_off;
	int64_t back_off_ms, retry_at;
};

struct redis_conn *redis_conn_new(const struct redis_url *url, bool back_off, int slot)
{
	struct redis_conn *c = mem_new(sizeof(*c));

	c->url = *url;
	c->slot = slot;
	c->back_off = back_off;
	c->fd = -1;
	c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return c;
}

static void trim(struct buf *b)
{
	if (b->cap > KEPT_BYTES)
		buf_close(b);
	else
		buf_clear(b);
}

/* The commands that wait stay. */
static void hang_up(struct redis_conn *c)
{
	/* Out of the epoll set by hand: a process forked meanwhile may hold the socket open, and it would stay in the set for ever. */
	if (c->fd >= 0) {
		epoll_ctl(c->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
		close(c->fd);
	}
	c->fd = -1;
	c->phase = PHASE_DOWN;
	redis_reader_close(&c->reader);
	trim(&c->wire);
	c->wired = c->n_greetings = c->greeted = 0;
}

void redis_conn_drop(struct redis_conn *c)
{
	hang_up(c);
	trim(&c->out);
	c->has_target = false;
}

void redis_conn_close(struct redis_conn **c)
{
	if (!*c)
		return;
	redis_conn_drop(*c);
	redis_tls_close(&(*c)->tls);
	buf_close(&(*c)->out);
	buf_close(&(*c)->wire);
	if ((*c)->epoll_fd >= 0)
		close((*c)->epoll_fd);
	mem_free(c);
}

int redis_conn_fd(const struct redis_conn *c)
{
	return c->epoll_fd;
}

bool redis_conn_same_server(const struct redis_conn *a, const struct redis_conn *b)
{
	return a->at.port == b->at.port && str_eq(a->at.host, b->at.host);
}

void redis_conn_slots(const struct redis_conn *c, struct redis_slots *out)
{
	*out = c->slots;
}

void redis_conn_learn(const struct redis_conn *c, struct redis_url *out)
{
	memcpy(out->hosts, c->url.hosts, sizeof(out->hosts));
	out->n_hosts = c->url.n_hosts;
}

unsigned redis_conn_number(const struct redis_conn *c)
{
	return c->dialled;
}

bool redis_conn_up(const struct redis_conn *c)
{
	return c->phase != PHASE_DOWN;
}

/* ---- trouble ----------------------------------------------------------------------------------------------------- */

static const char *server_name(const struct redis_conn *c, char out[400])
{
	if (c->url.path[0])
		snprintf(out, 400, "%s", c->url.path);
	else
		snprintf(out, 400, "%s:%d", c->at.host, c->at.port);
	return out;
}

static void note_failure(struct redis_conn *c)
{
	c->back_off_ms = c->back_off_ms ? c->back_off_ms * 2 : BACK_OFF_MIN_MS;
	if (c->back_off_ms > BACK_OFF_MAX_MS)
		c->back_off_ms = BACK_OFF_MAX_MS;
	c->retry_at = clock_mono_ms() + c->back_off_ms;
}

/* Hang up because of `why`; -1 with e. */
static int lose(struct redis_conn *c, enum err_code code, const char *why, struct err *e)
{
	char name[400], text[sizeof(e->text)];

	snprintf(text, sizeof(text), "%s", why); /* it may lie in e, or in what is freed now */
	err_set(e, c->written ? ERR_UNSURE : code, "Redis at %s: %s", server_name(c, name), text);
	redis_conn_drop(c);
	note_failure(c);
	return -1;
}

static bool dial(struct redis_conn *c, struct err *e);

/* Before it is UP: another guide may know better. -1, or 0: another is asked. */
static int fail(struct redis_conn *c, enum err_code code, const char *why, struct err *e)
{
	bool again = c->is_guide && ++c->asked < c->url.n_hosts && code != ERR_DENIED;

	if (c->phase == PHASE_UP || !again)
		return lose(c, code, why, e);
	hang_up(c);
	return dial(c, e) ? 0 : -1;
}

/* ---- connecting --------------------------------------------------------------------------------------------------- */

static void set_socket_options(int fd)
{
	int on = 1, keep = KEEP_ALIVE_S, interval = 5, tries = 3;
	unsigned user = USER_TIMEOUT_MS;

	/* On a Unix socket these fail, and need not work. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &keep, sizeof(keep));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof(tries));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user, sizeof(user));
}

static int connect_to(const struct sockaddr *a, socklen_t len)
{
	int fd = socket(a->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	set_socket_options(fd);
	if (connect(fd, a, len) == 0 || errno == EINPROGRESS)
		return fd;
	int why = errno;
	close(fd);
	errno = why;
	return -1;
}

/* Asks the system's resolver, which may block; IPv4 first, as hiredis does; several addresses in turn. */
static int connect_host(const struct redis_conn *c, const char **why)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *all = NULL, *a;
	char port[16];
	size_t n = 0, pick;
	int fd, got;

	snprintf(port, sizeof(port), "%d", c->at.port);
	got = getaddrinfo(c->at.host, port, &hints, &all);
	if (got != 0) {
		hints.ai_family = AF_INET6;
		got = getaddrinfo(c->at.host, port, &hints, &all);
	}
	if (got != 0) {
		*why = gai_strerror(got);
		return -1;
	}
	for (a = all; a; a = a->ai_next)
		n++;
	pick = c->turn % n;
	for (a = all; pick > 0; pick--)
		a = a->ai_next;
	fd = connect_to(a->ai_addr, a->ai_addrlen);
	*why = fd < 0 ? strerror(errno) : NULL;
	freeaddrinfo(all);
	return fd;
}

static int connect_path(const struct redis_conn *c, const char **why)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = str_copy(a.sun_path, sizeof(a.sun_path), c->url.path) ? connect_to((const struct sockaddr *)&a, sizeof(a)) : -1;

	*why = fd < 0 ? strerror(errno) : NULL;
	return fd;
}

static void choose(struct redis_conn *c)
{
	bool asks = c->url.mode == REDIS_SENTINEL || (c->url.mode == REDIS_CLUSTER && c->slot >= 0);

	c->is_guide = asks && !c->has_target;
	if (c->has_target)
		c->at = c->target;
	else if (c->url.n_hosts)
		c->at = c->url.hosts[c->turn++ % c->url.n_hosts];
}

/* Poll for writing only while there is something to write: a socket can nearly always be written to. */
static void set_interest(struct redis_conn *c, bool write)
{
	struct epoll_event ev = {.events = EPOLLIN | (write ? (uint32_t)EPOLLOUT : 0)};

	if (write != c->wants_write)
		epoll_ctl(c->epoll_fd, EPOLL_CTL_MOD, c->fd, &ev);
	c->wants_write = write;
}

static bool open_socket(struct redis_conn *c, const char **why)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT};

	c->fd = c->url.path[0] ? connect_path(c, why) : connect_host(c, why);
	if (c->fd < 0)
		return false;
	c->wants_write = true;
	c->reader = redis_reader_new();
	c->phase = PHASE_CONNECT;
	c->dialled++;
	c->deadline = clock_mono_ms() + HOP_MS;
	*why = strerror(errno);
	return epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, c->fd, &ev) == 0;
}

static bool dial(struct redis_conn *c, struct err *e)
{
	const char *why;

	if (c->url.tls && !c->tls) {
		c->tls = redis_tls_new(&c->url, e);
		if (!c->tls)
			return false;
	}
	choose(c);
	if (open_socket(c, &why))
		return true;
	return fail(c, ERR_UNAVAILABLE, why, e) == 0;
}

bool redis_conn_start(struct redis_conn *c, struct err *e)
{
	char name[400];

	if (c->phase != PHASE_DOWN)
		return true;
	c->written = false;
	c->asked = 0;
	if (c->back_off && clock_mono_ms() < c->retry_at)
		return err_set(e, ERR_UNAVAILABLE, "Redis at %s was lost; it is tried again in %lld ms", server_name(c, name),
		        (long long)(c->retry_at - clock_mono_ms()));
	return dial(c, e);
}

bool redis_conn_moved(struct redis_conn *c, const struct redis_reply *r)
{
	const char *error = redis_reply_error(r);
	bool known = false;

	if (!error || c->url.mode == REDIS_SINGLE || c->moves >= MOVES_MAX)
		return false;
	if (c->url.mode == REDIS_CLUSTER)
		known = redis_moved_read(error, &c->at, &c->target);
	if (!known && !str_starts(error, "READONLY") && !str_starts(error, "MASTERDOWN") && !str_starts(error, "UNBLOCKED"))
		return false;
	c->moves++;
	redis_conn_drop(c);
	c->has_target = known;
	return true;
}

/* ---- the greeting ---------------------------------------------------------------------------------------------------- */

static void greet(struct redis_conn *c, enum greeting what, struct redis_cmd *cmd)
{
	redis_cmd_write(cmd, &c->out);
	redis_cmd_close(cmd);
	c->greetings[c->n_greetings++] = what;
}

static void greet_login(struct redis_conn *c)
{
	bool sentinel = c->is_guide && c->url.mode == REDIS_SENTINEL;
	const char *user = sentinel ? c->url.sentinel_user : c->url.user;
	const char *password = sentinel ? c->url.sentinel_password : c->url.password;
	struct redis_cmd cmd = {0};

	if (!password[0])
		return;
	redis_cmd_adds(&cmd, "AUTH");
	if (user[0])
		redis_cmd_adds(&cmd, user);
	redis_cmd_adds(&cmd, password);
	greet(c, GREET_LOGIN, &cmd);
}

/* Goes before the commands that wait. */
static void begin_greeting(struct redis_conn *c)
{
	struct buf waiting = c->out;
	struct redis_cmd cmd = {0};

	memset(&c->out, 0, sizeof(c->out));
	greet_login(c);
	if (c->is_guide) {
		redis_guide_ask(&cmd, &c->url);
		greet(c, GREET_WHERE, &cmd);
	} else if (c->url.db) {
		redis_cmd_adds(&cmd, "SELECT");
		redis_cmd_addi(&cmd, c->url.db);
		greet(c, GREET_DB, &cmd);
	}
	if (!c->is_guide && c->url.mode == REDIS_SENTINEL) {
		redis_cmd_adds(&cmd, "ROLE");
		greet(c, GREET_ROLE, &cmd);
	}
	c->phase = c->n_greetings ? PHASE_GREET : PHASE_UP;
	if (c->out.len && c->tls) {
		if (redis_tls_seal(c->tls, c->out.data, c->out.len))
			redis_tls_sealed(c->tls, &c->wire);
	} else if (c->out.len) {
		buf_add(&c->wire, c->out.data, c->out.len);
	}
	buf_close(&c->out);
	c->out = waiting;
}

static int refuse_greeting(struct redis_conn *c, const struct redis_reply *r, struct err *e)
{
	char text[300];

	snprintf(text, sizeof(text), "it refused the login or the database: %s", redis_reply_error(r));
	return lose(c, ERR_DENIED, text, e);
}

static int found(struct redis_conn *c, const struct redis_reply *r, struct err *e)
{
	int got = redis_guide_read(r, &c->url, c->slot, &c->at, &c->target, &c->slots, e);

	if (got != 1)
		return fail(c, e->code, e->text, e);
	hang_up(c);
	c->has_target = true;
	return dial(c, e) ? 0 : -1;
}

/* One answer to the greeting. 0 go on, -1 lost. */
static int greeted(struct redis_conn *c, const struct redis_reply *r, struct err *e)
{
	enum greeting what = c->greetings[c->greeted++];

	if (what == GREET_WHERE && !(redis_reply_error(r) && str_starts(redis_reply_error(r), "NO"))) /* NOAUTH, NOPERM */
		return found(c, r, e);
	if (redis_reply_error(r))
		return refuse_greeting(c, r, e);
	if (what == GREET_ROLE && !redis_role_is_master(r))
		return fail(c, ERR_UNAVAILABLE, "the sentinels say that it is the master, but it is none (yet)", e);
	if (c->greeted == c->n_greetings)
		c->phase = PHASE_UP;
	return 0;
}

/* ---- sending and receiving ------------------------------------------------------------------------------------------ */

void redis_conn_send(struct redis_conn *c, const struct redis_cmd *cmd)
{
	redis_cmd_write(cmd, c->phase == PHASE_UP && !c->tls ? &c->wire : &c->out);
	c->written = false;
}

/* 1 connected, 0 not yet, -1 */
static int connected(struct redis_conn *c, struct err *e)
{
	struct pollfd p = {.fd = c->fd, .events = POLLOUT};
	int error = 0;
	socklen_t len = sizeof(error);

	if (poll(&p, 1, 0) <= 0)
		return 0;
	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error)
		return fail(c, ERR_UNAVAILABLE, strerror(error), e);
	if (!c->tls) {
		begin_greeting(c);
		return 1;
	}
	if (!redis_tls_begin(c->tls, c->at.host, e))
		return fail(c, e->code, e->text, e);
	c->phase = PHASE_SHAKE;
	return 1;
}

/* As connected. */
static int shaken(struct redis_conn *c, struct err *e)
{
	int got = redis_tls_shake(c->tls, e);

	redis_tls_sealed(c->tls, &c->wire);
	if (got < 0)
		return fail(c, e->code, e->text, e);
	if (got)
		begin_greeting(c);
	return got;
}

static bool load_wire(struct redis_conn *c)
{
	if (c->phase != PHASE_UP || !c->out.len)
		return true;
	if (!c->tls)
		buf_add(&c->wire, c->out.data, c->out.len);
	else if (!redis_tls_seal(c->tls, c->out.data, c->out.len))
		return false;
	else
		redis_tls_sealed(c->tls, &c->wire);
	trim(&c->out);
	return true;
}

/* 0 done for now, -1 lost */
static int write_some(struct redis_conn *c, struct err *e)
{
	if (!load_wire(c))
		return lose(c, ERR_UNAVAILABLE, "TLS failed", e);
	while (c->wired < c->wire.len) {
		ssize_t n = send(c->fd, c->wire.data + c->wired, c->wire.len - c->wired, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			return fail(c, ERR_UNAVAILABLE, strerror(errno), e);
		c->wired += (size_t)n;
		c->written = c->phase == PHASE_UP;
	}
	if (c->wired == c->wire.len) {
		trim(&c->wire);
		c->wired = 0;
	}
	set_interest(c, c->wire.len > 0 || c->phase == PHASE_CONNECT);
	return 0;
}

/* Everything that can be done without reading. 0 or -1; may end in any phase, also CONNECT to another server. */
static int push(struct redis_conn *c, struct err *e)
{
	int got = 1;

	if (c->phase != PHASE_UP && clock_mono_ms() > c->deadline)
		return fail(c, ERR_UNAVAILABLE, "no answer in time", e);
	if (c->phase == PHASE_CONNECT)
		got = connected(c, e);
	if (got == 1 && c->phase == PHASE_SHAKE)
		got = shaken(c, e);
	if (got < 0 || c->phase == PHASE_CONNECT)
		return got < 0 ? -1 : 0;
	return write_some(c, e);
}

bool redis_conn_flush(struct redis_conn *c, struct err *e)
{
	if (c->phase == PHASE_DOWN)
		return err_set(e, ERR_UNAVAILABLE, "not connected to Redis");
	return push(c, e) == 0;
}

static int open_sealed(struct redis_conn *c, struct err *e)
{
	char data[16384];
	int n;

	while ((n = redis_tls_open(c->tls, data, sizeof(data))) > 0)
		redis_reader_feed(c->reader, data, (size_t)n);
	return n < 0 ? fail(c, ERR_UNAVAILABLE, "the server ended TLS", e) : 1;
}

/* 1 something came, 0 nothing now (or another server is dialled), -1 lost */
static int read_some(struct redis_conn *c, struct err *e)
{
	char data[65536];
	ssize_t n = recv(c->fd, data, sizeof(data), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return fail(c, ERR_UNAVAILABLE, n < 0 ? strerror(errno) : "the server closed the connection", e);
	if (!c->tls) {
		redis_reader_feed(c->reader, data, (size_t)n);
		return 1;
	}
	redis_tls_came(c->tls, data, (size_t)n);
	return c->phase == PHASE_SHAKE ? 1 : open_sealed(c, e);
}

/* One whole answer, if it is there. As redis_conn_next. */
static int parse(struct redis_conn *c, struct redis_reply **out, struct err *e)
{
	const char *why = "";
	int got = redis_reader_next(c->reader, out, &why);

	if (got < 0)
		return lose(c, ERR_UNAVAILABLE, why, e);
	if (got && !redis_reply_error(*out)) {
		c->back_off_ms = 0;
		c->moves = c->phase == PHASE_UP ? 0 : c->moves;
	}
	return got;
}

int redis_conn_next(struct redis_conn *c, struct redis_reply **out, struct err *e)
{
	if (c->phase == PHASE_DOWN)
		return err_fail(e, ERR_UNAVAILABLE, "not connected to Redis");
	for (;;) {
		int got;

		if (push(c, e) < 0)
			return -1;
		if (c->phase == PHASE_CONNECT)
			return 0;
		got = parse(c, out, e);
		if (got == 1 && c->phase == PHASE_UP)
			return 1;
		if (got == 1) {
			got = greeted(c, *out, e);
			redis_reply_close(out);
			if (got < 0)
				return -1;
			continue;
		}
		if (got == 0)
			got = read_some(c, e);
		if (got <= 0)
			return got;
	}
}

int redis_conn_await(struct redis_conn *c, int64_t deadline_ms, struct redis_reply **out, struct err *e)
{
	for (;;) {
		struct pollfd p = {.fd = c->epoll_fd, .events = POLLIN};
		int got = redis_conn_next(c, out, e);
		int64_t now = clock_mono_ms(), left = deadline_ms - now;

		if (got)
			return got;
		if (left <= 0)
			return lose(c, ERR_UNAVAILABLE, "no answer in time", e);
		if (c->phase != PHASE_UP && c->deadline + 1 - now < left)
			left = c->deadline + 1 - now;
		poll(&p, 1, left < 0 ? 0 : (int)left);
	}
}
