/* redis_sim.c -- a server that runs the real function library on a model of Redis; the door to Lua. */
#include "tests/lib/redis_sim.h"

#include <arpa/inet.h>
#include <lua5.1/lauxlib.h>
#include <lua5.1/lua.h>
#include <lua5.1/lualib.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/lib/test.h"

#define MODEL       "tests/sim/redis.lua"
#define CLIENTS_MAX 64

struct client {
	int fd; /* -1: free */
	struct buf in;
};

struct server {
	lua_State *lua;
	int listener;
	struct client clients[CLIENTS_MAX];
	int64_t cut_in; /* function calls until one is cut; 0: none is */
	bool cut_after;
};

/* ---- one command -------------------------------------------------------------------------------------------------------- */

/* "<mark><number>\r\n" at *at; false: not whole yet. */
static bool read_number(const char **at, const char *end, char mark, long *out)
{
	const char *line_end = memchr(*at, '\n', (size_t)(end - *at));

	if (!line_end)
		return false;
	if (**at != mark)
		abort();
	*out = atol(*at + 1);
	*at = line_end + 1;
	return true;
}

/* Pushes command() and the words of one whole command as a list. Returns the bytes it took, 0: it is not whole. */
static size_t push_command(lua_State *lua, const char *data, size_t len, bool *is_function_out)
{
	const char *at = data, *end = data + len;
	long words, size;

	if (len == 0 || !read_number(&at, end, '*', &words))
		return 0;
	lua_getglobal(lua, "command");
	lua_createtable(lua, (int)words, 0);
	for (long i = 1; i <= words; i++) {
		if (at >= end || !read_number(&at, end, '$', &size) || end - at < size + 2) {
			lua_pop(lua, 2);
			return 0;
		}
		if (i == 1)
			*is_function_out = size == 5 && memcmp(at, "FCALL", 5) == 0;
		lua_pushlstring(lua, at, (size_t)size);
		lua_rawseti(lua, -2, (int)i);
		at += size + 2;
	}
	return (size_t)(at - data);
}

static void hang_up(struct client *c)
{
	close(c->fd);
	c->fd = -1;
	buf_close(&c->in);
}

static void answer(struct server *s, struct client *c)
{
	size_t len, sent = 0;

	if (lua_pcall(s->lua, 1, 1, 0) != 0) {
		fprintf(stderr, "redis_sim: %s\n", lua_tostring(s->lua, -1));
		abort();
	}
	const char *text = lua_tolstring(s->lua, -1, &len);
	while (sent < len) {
		ssize_t n = send(c->fd, text + sent, len - sent, MSG_NOSIGNAL);
		if (n <= 0)
			break;
		sent += (size_t)n;
	}
	lua_pop(s->lua, 1);
}

/* True: this call is the one to be cut, and is no more to be answered. */
static bool cut(struct server *s, struct client *c, bool is_function)
{
	if (!is_function || s->cut_in == 0 || --s->cut_in > 0)
		return false;
	if (s->cut_after) {
		if (lua_pcall(s->lua, 1, 1, 0) != 0)
			abort();
		lua_pop(s->lua, 1);
	} else {
		lua_pop(s->lua, 2);
	}
	hang_up(c);
	return true;
}

/* "CUT n after": the test's own order, which the model does not see. */
static bool take_order(struct server *s, struct client *c)
{
	int n, after, used = 0;

	if (c->in.len < 4 || memcmp(c->in.data, "CUT ", 4) != 0)
		return false;
	buf_add(&c->in, "", 1);
	if (sscanf(c->in.data, "CUT %d %d\n%n", &n, &after, &used) != 2)
		abort();
	s->cut_in = n;
	s->cut_after = after != 0;
	c->in.len = 0;
	if (send(c->fd, "+OK\r\n", 5, MSG_NOSIGNAL) != 5)
		abort();
	return true;
}

static void serve(struct server *s, struct client *c)
{
	char block[65536];
	ssize_t n = recv(c->fd, block, sizeof(block), 0);

	if (n <= 0) {
		hang_up(c);
		return;
	}
	buf_add(&c->in, block, (size_t)n);
	if (take_order(s, c))
		return;
	for (;;) {
		bool is_function = false;
		size_t used = push_command(s->lua, c->in.data, c->in.len, &is_function);
		if (used == 0)
			break;
		if (cut(s, c, is_function))
			return;
		answer(s, c);
		memmove(c->in.data, c->in.data + used, c->in.len - used);
		c->in.len -= used;
	}
}

/* ---- the process ---------------------------------------------------------------------------------------------------------- */

static void welcome(struct server *s)
{
	int on = 1, fd = accept(s->listener, NULL, NULL);

	for (int i = 0; i < CLIENTS_MAX; i++)
		if (s->clients[i].fd < 0) {
			s->clients[i].fd = fd;
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
			return;
		}
	abort();
}

__attribute__((noreturn)) static void server_run(int listener)
{
	struct server s = {.lua = luaL_newstate(), .listener = listener};

	luaL_openlibs(s.lua);
	if (luaL_dofile(s.lua, MODEL) != 0) {
		fprintf(stderr, "redis_sim: %s\n", lua_tostring(s.lua, -1));
		abort();
	}
	for (int i = 0; i < CLIENTS_MAX; i++)
		s.clients[i].fd = -1;
	for (;;) {
		struct pollfd p[1 + CLIENTS_MAX] = {{.fd = listener, .events = POLLIN}};
		for (int i = 0; i < CLIENTS_MAX; i++)
			p[1 + i] = (struct pollfd){.fd = s.clients[i].fd, .events = POLLIN};
		poll(p, 1 + CLIENTS_MAX, -1);
		for (int i = 0; i < CLIENTS_MAX; i++)
			if (s.clients[i].fd >= 0 && p[1 + i].revents)
				serve(&s, &s.clients[i]);
		if (p[0].revents)
			welcome(&s);
	}
}

static int listen_somewhere(int *port_out)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(fd, CLIENTS_MAX), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port_out = ntohs(a.sin_port);
	return fd;
}

void redis_sim_start(struct redis_sim *s)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = listen_somewhere(&s->port);

	s->pid = fork();
	if (s->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		server_run(listener);
	}
	close(listener);
	a.sin_port = htons((uint16_t)s->port);
	s->control = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(s->control, (struct sockaddr *)&a, sizeof(a)), 0);
	snprintf(s->url, sizeof(s->url), "redis://127.0.0.1:%d/0", s->port);
}

void redis_sim_stop(struct redis_sim *s)
{
	close(s->control);
	test_kill(s->pid, SIGKILL);
}

static void ask(struct redis_sim *s, const char *text, char reply[64])
{
	ssize_t len = (ssize_t)strlen(text);

	memset(reply, 0, 64);
	ck_assert_int_eq(send(s->control, text, (size_t)len, MSG_NOSIGNAL), len);
	ck_assert_int_gt(recv(s->control, reply, 63, 0), 0);
}

static void order(struct redis_sim *s, const char *text)
{
	char reply[64];

	ask(s, text, reply);
	ck_assert_int_eq(reply[0], '+');
}

int64_t redis_sim_fields(struct redis_sim *s, const char *key)
{
	char text[200], reply[64];

	snprintf(text, sizeof(text), "*2\r\n$4\r\nHLEN\r\n$%zu\r\n%s\r\n", strlen(key), key);
	ask(s, text, reply);
	ck_assert_int_eq(reply[0], ':');
	return atoll(reply + 1);
}

void redis_sim_pass(struct redis_sim *s, int64_t ms)
{
	char number[24], text[80];
	int n = snprintf(number, sizeof(number), "%lld", (long long)ms);

	snprintf(text, sizeof(text), "*3\r\n$3\r\nSIM\r\n$5\r\nCLOCK\r\n$%d\r\n%s\r\n", n, number);
	order(s, text);
}

void redis_sim_cut(struct redis_sim *s, int n, int after)
{
	char text[40];

	snprintf(text, sizeof(text), "CUT %d %d\n", n, after);
	order(s, text);
}
