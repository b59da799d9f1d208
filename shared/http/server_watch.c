/* server_watch.c -- the server's one watch thread: time limits of parked requests, streams that ask again, clients that went away. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "http/server_private.h"

#define TICK_MIN_MS 5   /* wake-ups closer together than this are served together */
#define CHECK_MS    500 /* how often lost clients and slow requests are looked for */
#define BATCH       256 /* sleepers handled in one pass */
#define SLOW_FACTOR 2   /* a request must be complete within this many idle timeouts */

bool socket_is_gone(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};
	return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL));
}

void link_remove(struct http_server *s, struct link *l)
{
	pthread_mutex_lock(&s->lock);
	if (l->prev)
		l->prev->next = l->next;
	else
		s->links = l->next;
	if (l->next)
		l->next->prev = l->prev;
	pthread_mutex_unlock(&s->lock);
}

static void sleeper_unlink(struct http_server *s, struct sleeper *sl)
{
	if (sl->prev)
		sl->prev->next = sl->next;
	else
		s->sleepers = sl->next;
	if (sl->next)
		sl->next->prev = sl->prev;
	sl->prev = sl->next = NULL;
	sl->linked = false;
	s->n_sleepers--;
	if (s->closing)
		pthread_cond_broadcast(&s->changed);
}

/* The watch thread must look again at `when`; it is not woken when it does so anyway. With the lock held. */
static void watch_by(struct http_server *s, int64_t when)
{
	if (when < s->next_wake_ms || s->closing)
		pthread_cond_broadcast(&s->changed);
}

void link_add(struct http_server *s, struct link *l)
{
	pthread_mutex_lock(&s->lock);
	l->since_ms = clock_mono_ms();
	l->next = s->links;
	if (l->next)
		l->next->prev = l;
	s->links = l;
	watch_by(s, l->since_ms + CHECK_MS);
	pthread_mutex_unlock(&s->lock);
}

bool sleep_begin(struct http_server *s, struct sleeper *sl, int64_t due_ms)
{
	pthread_mutex_lock(&s->lock);
	bool ok = !s->closing;
	if (ok) {
		sl->due_ms = due_ms;
		sl->down = sl->wake_now = false;
		sl->linked = true;
		sl->prev = NULL;
		sl->next = s->sleepers;
		if (sl->next)
			sl->next->prev = sl;
		s->sleepers = sl;
		s->n_sleepers++;
	}
	pthread_mutex_unlock(&s->lock);
	return ok;
}

bool sleep_end(struct http_server *s, struct sleeper *sl)
{
	pthread_mutex_lock(&s->lock);
	sl->down = true;
	bool wake = sl->wake_now;
	if (wake)
		sleeper_unlink(s, sl);
	else
		watch_by(s, sl->due_ms);
	pthread_mutex_unlock(&s->lock);
	return wake;
}

bool sleep_wake(struct http_server *s, struct sleeper *sl)
{
	if (!sl->linked)
		return false;
	if (!sl->down) {
		sl->wake_now = true;
		return false;
	}
	sleeper_unlink(s, sl);
	return true;
}

/* ---- the thread --------------------------------------------------------------------------------------------- */

struct due {
	struct http_request *request;  /* pinned */
	struct MHD_Connection *stream; /* when request is NULL: resume it */
	bool gone;
};

/* Requests whose client never sends their end: shutting the socket down makes libmicrohttpd close it. With the lock held. */
static void cut_slow(struct http_server *s, int64_t now)
{
	int64_t limit_ms = (int64_t)s->options.idle_timeout_s * 1000 * SLOW_FACTOR;
	for (struct link *l = s->links; l; l = l->next) {
		if (l->busy || now - l->since_ms < limit_ms)
			continue;
		shutdown(l->fd, SHUT_RDWR);
		l->since_ms = now;
	}
}

/* Fills due[] with what must be done now and returns how many; *next_out: when to look again. With the lock held. */
static size_t collect(struct http_server *s, struct due *due, int64_t *next_out)
{
	int64_t now = clock_mono_ms();
	bool check = now >= s->next_check_ms;
	size_t n = 0;
	struct sleeper *next = NULL;
	*next_out = INT64_MAX;
	if (check) {
		cut_slow(s, now);
		s->next_check_ms = now + CHECK_MS;
	}
	for (struct sleeper *sl = s->sleepers; sl && n < BATCH; sl = next) {
		next = sl->next;
		bool gone = sl->down && (s->closing || (check && socket_is_gone(sl->fd)));
		if (!sl->down || (sl->due_ms > now && !gone)) {
			*next_out = sl->due_ms < *next_out ? sl->due_ms : *next_out;
			continue;
		}
		due[n++] = (struct due){.request = sl->request, .stream = sl->conn, .gone = gone};
		if (sl->request) {
			sl->request->pinned = true;
			sl->due_ms = INT64_MAX; /* its time is told once */
		} else {
			sleeper_unlink(s, sl);
		}
	}
	if (n == BATCH)
		*next_out = now;
	if (s->links && s->next_check_ms < *next_out)
		*next_out = s->next_check_ms;
	return n;
}

static void unpin(struct http_server *s, struct http_request *r)
{
	pthread_mutex_lock(&s->lock);
	r->pinned = false;
	bool dead = r->dead;
	pthread_mutex_unlock(&s->lock);
	if (dead)
		request_free(r);
}

static void handle(struct http_server *s, struct due *d, bool closing)
{
	struct http_request *r = d->request;
	if (!r) {
		connection_resume(d->stream);
		return;
	}
	if (closing)
		request_refuse(r);
	if (r->on_timeout)
		r->on_timeout(r, d->gone, r->park_user);
	if (d->gone)
		request_drop(r);
	unpin(s, r);
}

static void wait_until(struct http_server *s, int64_t when)
{
	s->next_wake_ms = when;
	if (when == INT64_MAX) {
		pthread_cond_wait(&s->changed, &s->lock);
		return;
	}
	int64_t ms = when - clock_mono_ms();
	ms = ms < TICK_MIN_MS ? TICK_MIN_MS : ms;
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += ms / 1000;
	ts.tv_nsec += (ms % 1000) * 1000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_nsec -= 1000000000;
		ts.tv_sec++;
	}
	pthread_cond_timedwait(&s->changed, &s->lock, &ts);
}

static void *watch_main(void *user)
{
	struct http_server *s = user;
	struct due due[BATCH];
	pthread_mutex_lock(&s->lock);
	while (!s->watch_end) {
		int64_t next;
		size_t n = collect(s, due, &next);
		if (!n) {
			wait_until(s, next);
			continue;
		}
		bool closing = s->closing;
		pthread_mutex_unlock(&s->lock);
		for (size_t i = 0; i < n; i++)
			handle(s, &due[i], closing);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

bool watch_start(struct http_server *s, struct err *e)
{
	int rc = pthread_create(&s->watch, NULL, watch_main, s);
	if (rc)
		return err_set(e, ERR_UNAVAILABLE, "cannot start a thread: %s", strerror(rc));
	s->watching = true;
	return true;
}

void watch_stop(struct http_server *s)
{
	if (!s->watching)
		return;
	pthread_mutex_lock(&s->lock);
	s->watch_end = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->watch, NULL);
	s->watching = false;
}
