/* proxy.c -- a TCP proxy in a thread of the test that cuts, stalls, deafens and freezes what goes through it. */
#include "tests/lib/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/lib/test.h"

#define PAIRS_MAX 64
#define TURN_MS   5

enum side { CLIENT, SERVER };

struct pair {
	int fds[2]; /* -1: free */
	bool frozen, deaf, mute;
};

struct proxy {
	int listener, port, target;
	pthread_t thread;
	pthread_mutex_t lock;
	bool stop;
	enum proxy_way way;
	int64_t left, hurt;
	struct pair pairs[PAIRS_MAX];
};

/* ---- pairs */

static void fd_end(int fd, bool reset)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};
	if (reset)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
}

static void pair_end(struct pair *p, bool reset)
{
	fd_end(p->fds[CLIENT], reset);
	fd_end(p->fds[SERVER], reset);
	p->fds[CLIENT] = p->fds[SERVER] = -1;
}

static void pair_hurt(struct proxy *p, struct pair *pair)
{
	p->hurt++;
	pair_end(pair, true);
}

static int connect_to(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static struct pair *pair_free(struct proxy *p)
{
	for (int i = 0; i < PAIRS_MAX; i++)
		if (p->pairs[i].fds[CLIENT] < 0)
			return &p->pairs[i];
	return NULL;
}

static void pair_accept(struct proxy *p)
{
	int on = 1, client = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
	if (client < 0)
		return;
	struct pair *pair = pair_free(p);
	int server = p->way == PROXY_REFUSE || pair == NULL ? -1 : connect_to(p->target);
	if (server < 0) {
		fd_end(client, true);
		return;
	}
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	*pair = (struct pair){.fds = {client, server}, .deaf = p->way == PROXY_DEAF, .mute = p->way == PROXY_MUTE};
}

static bool send_all(int fd, const char *data, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = send(fd, data + at, len - at, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	return true;
}

static void pair_move(struct proxy *p, struct pair *pair, enum side from)
{
	char block[16 * 1024];
	ssize_t got = recv(pair->fds[from], block, sizeof(block), MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		pair_end(pair, got < 0);
		return;
	}
	if (p->way == PROXY_LOSE && from == SERVER) {
		p->way = PROXY_PASS;
		pair_hurt(p, pair);
		return;
	}
	if (from == CLIENT ? pair->deaf : pair->mute)
		return;
	bool cut = p->way == PROXY_RESET && got >= p->left;
	size_t len = cut ? (size_t)p->left : (size_t)got;
	p->left -= got;
	bool sent = send_all(pair->fds[!from], block, len);
	if (cut) {
		p->way = PROXY_PASS;
		pair_hurt(p, pair);
	} else if (!sent) {
		pair_end(pair, true);
	}
}

/* ---- the thread */

static bool moves(const struct proxy *p, const struct pair *pair)
{
	return pair->fds[CLIENT] >= 0 && !pair->frozen && p->way != PROXY_STALL;
}

static void turn(struct proxy *p, struct pollfd *fds)
{
	if (fds[0].revents)
		pair_accept(p);
	for (int i = 0; i < PAIRS_MAX; i++) {
		struct pair *pair = &p->pairs[i];
		for (int side = CLIENT; side <= SERVER; side++)
			if (fds[1 + 2 * i + side].revents && fds[1 + 2 * i + side].fd == pair->fds[side] && moves(p, pair))
				pair_move(p, pair, (enum side)side);
	}
}

static void *proxy_main(void *user)
{
	struct proxy *p = user;
	struct pollfd fds[1 + 2 * PAIRS_MAX];
	for (;;) {
		pthread_mutex_lock(&p->lock);
		bool stop = p->stop;
		fds[0] = (struct pollfd){.fd = p->listener, .events = POLLIN};
		for (int i = 0; i < PAIRS_MAX; i++)
			for (int side = CLIENT; side <= SERVER; side++)
				fds[1 + 2 * i + side] =
				        (struct pollfd){.fd = moves(p, &p->pairs[i]) ? p->pairs[i].fds[side] : -1, .events = POLLIN};
		pthread_mutex_unlock(&p->lock);
		if (stop)
			return NULL;
		if (poll(fds, ARRAY_LEN(fds), TURN_MS) <= 0)
			continue;
		pthread_mutex_lock(&p->lock);
		turn(p, fds);
		pthread_mutex_unlock(&p->lock);
	}
}

struct proxy *proxy_open(int target_port)
{
	struct proxy *p = mem_new(sizeof(*p));
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int on = 1;
	p->port = test_port();
	p->target = target_port;
	for (int i = 0; i < PAIRS_MAX; i++)
		p->pairs[i].fds[CLIENT] = p->pairs[i].fds[SERVER] = -1;
	a.sin_port = htons((uint16_t)p->port);
	p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(p->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	ck_assert_msg(p->listener >= 0 && bind(p->listener, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(p->listener, 64) == 0,
	        "the proxy cannot listen on port %d: %s", p->port, strerror(errno));
	pthread_mutex_init(&p->lock, NULL);
	ck_assert_int_eq(pthread_create(&p->thread, NULL, proxy_main, p), 0);
	return p;
}

void proxy_close(struct proxy **ref)
{
	struct proxy *p = *ref;
	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	for (int i = 0; i < PAIRS_MAX; i++)
		if (p->pairs[i].fds[CLIENT] >= 0)
			pair_end(&p->pairs[i], true);
	close(p->listener);
	pthread_mutex_destroy(&p->lock);
	mem_free(ref);
}

int proxy_port(const struct proxy *p)
{
	return p->port;
}

void proxy_target(struct proxy *p, int port)
{
	pthread_mutex_lock(&p->lock);
	p->target = port;
	pthread_mutex_unlock(&p->lock);
}

void proxy_set(struct proxy *p, enum proxy_way way, int64_t n)
{
	pthread_mutex_lock(&p->lock);
	p->way = way;
	p->left = n;
	for (int i = 0; i < PAIRS_MAX; i++) {
		struct pair *pair = &p->pairs[i];
		if (pair->fds[CLIENT] < 0)
			continue;
		p->hurt += way == PROXY_FREEZE || way == PROXY_DEAF || way == PROXY_MUTE;
		pair->frozen = pair->frozen || way == PROXY_FREEZE;
		pair->deaf = pair->deaf || way == PROXY_DEAF;
		pair->mute = pair->mute || way == PROXY_MUTE;
		if (way == PROXY_REFUSE)
			pair_hurt(p, pair);
	}
	pthread_mutex_unlock(&p->lock);
}

int64_t proxy_hurt(struct proxy *p)
{
	pthread_mutex_lock(&p->lock);
	int64_t n = p->hurt;
	pthread_mutex_unlock(&p->lock);
	return n;
}
