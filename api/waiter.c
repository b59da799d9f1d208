/* waiter.c -- requests that wait for their job: one thread answers them all, none of them costs a thread.
 *
 * Rules: 1. an entry is in the list exactly while its request is parked and unanswered; 2. whoever takes it out answers it, and
 * does both under the lock, so that the server's on_timeout, which also takes the lock, never frees a request that is being
 * answered; 3. the queue is asked without the lock, because it may take long.
 * Entries are searched one after the other: a thousand take some ten microseconds, less than the queue's answer.
 */
#include "api/waiter.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "api/context.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/str.h"

#define BACKSTOP_MS  15000 /* the server's own limit stands so far behind ours */
#define CHANGES_MS   400   /* how often jobs are looked at whose changes, not only the end, are waited for */
#define RECONNECT_MS 500
#define TICK_MS      1000

struct waiting {
	struct waiting *prev, *next;
	struct waiter *waiter;
	struct call *call;
	char id[JOB_ID];
	int64_t deadline; /* clock_mono_ms */
	int64_t rev;
	bool listed, look;               /* look: ask the queue about it as soon as may be */
	waiter_finish *finish;           /* one of the two */
	waiter_finish_flow *finish_flow; /* id is the root of a flow */
	void *user;
};

/* What the queue says of a job, and of the flow whose root it is, if somebody wants to know that. */
struct found {
	const struct job *job;
	const struct queue_flow_view *flow;
};

struct waiter {
	struct api *api;
	pthread_t thread;
	int wake_fd;
	pthread_mutex_t lock; /* guards all below */
	struct waiting *first;
	size_t count;
	bool stopping, ending;
	/* the thread's own */
	struct queue *queue;
	struct queue_watcher *watcher;
	int64_t next_connect, next_changes;
	bool told_lost;
};

static void waiter_wake(struct waiter *w)
{
	uint64_t one = 1;
	ssize_t n;

	do
		n = write(w->wake_fd, &one, sizeof one);
	while (n < 0 && errno == EINTR);
}

/* ---- the list; with the lock held --------------------------------------------------------------------------- */

static void list_add(struct waiter *w, struct waiting *x)
{
	x->next = w->first;
	if (x->next)
		x->next->prev = x;
	w->first = x;
	x->listed = true;
	metrics_set(METRIC_http_waiting, NULL, (double)++w->count);
}

static void list_remove(struct waiter *w, struct waiting *x)
{
	if (x->prev)
		x->prev->next = x->next;
	else
		w->first = x->next;
	if (x->next)
		x->next->prev = x->prev;
	x->listed = false;
	metrics_set(METRIC_http_waiting, NULL, (double)--w->count);
}

static void give(struct waiting *x, struct found f, enum wait_end end, const struct err *e)
{
	if (x->finish_flow)
		x->finish_flow(x->call, f.flow, end, x->user); /* x is dead now */
	else
		x->finish(x->call, f.job, end, e, x->user);
}

static void answer(struct waiter *w, struct waiting *x, struct found f, enum wait_end end, const struct err *e)
{
	list_remove(w, x);
	give(x, f, end, e);
}

/* ---- what is asked of the queue; without the lock ------------------------------------------------------------ */

static bool queue_ready(struct waiter *w, struct err *e)
{
	if (!w->queue)
		w->queue = queue_open(w->api->queue_url, &w->api->queue_options, e);
	return w->queue != NULL;
}

/* Everybody who waits for this job hears how it stands, if that is what they wait for or their time is over. */
static void tell(struct waiter *w, const char *id, struct found f, const struct err *gone)
{
	int64_t now = clock_mono_ms();

	pthread_mutex_lock(&w->lock);
	for (struct waiting *x = w->first, *next; x; x = next) {
		next = x->next;
		if (!str_eq(x->id, id))
			continue;
		if (f.job && x->finish_flow && !f.flow)
			continue; /* it came while we looked: the next look is for it */
		x->look = false;
		if (!f.job)
			answer(w, x, f, WAIT_FAILED, gone);
		else if (job_state_is_end(f.job->state) || (x->rev != WAIT_ANY_END && x->rev != f.job->rev))
			answer(w, x, f, WAIT_ENDED, NULL);
		else if (now >= x->deadline)
			answer(w, x, f, WAIT_TIMEOUT, NULL);
	}
	pthread_mutex_unlock(&w->lock);
}

/* Does somebody wait for a flow with this root? */
static bool is_flow(struct waiter *w, const char *id)
{
	bool found = false;

	pthread_mutex_lock(&w->lock);
	for (struct waiting *x = w->first; x && !found; x = x->next)
		found = x->finish_flow && str_eq(x->id, id);
	pthread_mutex_unlock(&w->lock);
	return found;
}

static bool look_at_flow(struct waiter *w, const char *id, struct err *e)
{
	struct queue_flow_view flow;
	int got = queue_flow_show(w->queue, id, &flow, e);

	if (got < 0)
		return false;
	if (got == 0)
		err_set(e, ERR_NOT_FOUND, "flow %s is no longer kept", id);
	tell(w, id, got ? (struct found){&flow.root, &flow} : (struct found){NULL, NULL}, e);
	if (got)
		queue_flow_view_close(&flow);
	return true;
}

/* First ask that the end be published, then look: whatever comes in between is seen either way. */
static bool look_at(struct waiter *w, const char *id, struct err *e)
{
	struct job job = {0};
	enum job_state state;

	if (!queue_ready(w, e))
		return false;
	int got = queue_watch(w->queue, id, &state, e);
	if (got > 0 && is_flow(w, id))
		return look_at_flow(w, id, e);
	if (got > 0)
		got = queue_show(w->queue, id, &job, e);
	if (got < 0)
		return false;
	if (got == 0)
		err_set(e, ERR_NOT_FOUND, "job %s is no longer kept", id);
	tell(w, id, (struct found){got ? &job : NULL, NULL}, e);
	job_close(&job);
	return true;
}

/* The next id to be asked about: whose time is over, who must be looked at, and, when changes is true, whose changes count. */
static bool next_due(struct waiter *w, bool changes, const char *after, char id_out[JOB_ID])
{
	int64_t now = clock_mono_ms();
	const char *best = NULL;

	pthread_mutex_lock(&w->lock);
	for (struct waiting *x = w->first; x; x = x->next) {
		bool due = x->look || now >= x->deadline || (changes && x->rev != WAIT_ANY_END);

		if (due && strcmp(x->id, after) > 0 && (!best || strcmp(x->id, best) < 0))
			best = x->id;
	}
	bool found = best && str_copy(id_out, JOB_ID, best);
	pthread_mutex_unlock(&w->lock);
	return found;
}

/* The queue cannot be asked: whose time is over hears why; all others go on waiting and are looked at later. */
static void give_up_due(struct waiter *w, const struct err *e)
{
	int64_t now = clock_mono_ms();

	pthread_mutex_lock(&w->lock);
	for (struct waiting *x = w->first, *next; x; x = next) {
		next = x->next;
		x->look = true;
		if (now >= x->deadline)
			answer(w, x, (struct found){NULL, NULL}, WAIT_FAILED, e);
	}
	pthread_mutex_unlock(&w->lock);
}

static void look_at_due(struct waiter *w, bool changes)
{
	char id[JOB_ID] = "";

	while (next_due(w, changes, id, id)) {
		struct err e = {0};

		if (look_at(w, id, &e))
			continue;
		give_up_due(w, &e);
		return;
	}
}

/* ---- the watcher --------------------------------------------------------------------------------------------- */

static void look_at_all(struct waiter *w)
{
	pthread_mutex_lock(&w->lock);
	for (struct waiting *x = w->first; x; x = x->next)
		x->look = true;
	pthread_mutex_unlock(&w->lock);
}

static void watcher_lost(struct waiter *w, const struct err *e)
{
	queue_watcher_close(&w->watcher);
	w->next_connect = clock_mono_ms() + RECONNECT_MS;
	if (!w->told_lost)
		log_warn("lost sight of ending jobs, trying again: %s", e->text);
	w->told_lost = true;
}

static void watcher_connect(struct waiter *w)
{
	struct err e = {0};

	if (w->watcher || clock_mono_ms() < w->next_connect)
		return;
	w->watcher = queue_watcher_open(w->api->queue_url, &w->api->queue_options, &e);
	if (!w->watcher) {
		watcher_lost(w, &e);
		return;
	}
	if (w->told_lost)
		log_info("ending jobs are seen again");
	w->told_lost = false;
	look_at_all(w);
}

static void watcher_read(struct waiter *w)
{
	char id[JOB_ID];
	enum job_state state;
	struct err e = {0};
	int got = 0;

	while (w->watcher && (got = queue_watcher_next(w->watcher, id, &state, &e)) > 0) {
		pthread_mutex_lock(&w->lock);
		for (struct waiting *x = w->first; x; x = x->next)
			if (str_eq(x->id, id))
				x->look = true;
		pthread_mutex_unlock(&w->lock);
	}
	if (got < 0)
		watcher_lost(w, &e);
}

/* ---- the thread ---------------------------------------------------------------------------------------------- */

static int poll_ms(struct waiter *w)
{
	int64_t now = clock_mono_ms(), until = now + TICK_MS;

	pthread_mutex_lock(&w->lock);
	for (struct waiting *x = w->first; x; x = x->next) {
		if (x->deadline < until)
			until = x->deadline;
		if (x->rev != WAIT_ANY_END && w->next_changes < until)
			until = w->next_changes;
	}
	pthread_mutex_unlock(&w->lock);
	if (!w->watcher && w->next_connect < until)
		until = w->next_connect;
	return until <= now ? 1 : (int)(until - now);
}

static void wait_for_news(struct waiter *w)
{
	struct pollfd fds[2] = {{.fd = w->wake_fd, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
	uint64_t count;

	if (w->watcher)
		fds[1].fd = queue_watcher_fd(w->watcher);
	int n = poll(fds, ARRAY_LEN(fds), poll_ms(w));
	if (n > 0 && fds[0].revents && read(w->wake_fd, &count, sizeof count) < 0)
		log_debug("reading the wake-up failed: %s", strerror(errno));
}

static void *waiter_main(void *user)
{
	struct waiter *w = user;

	for (;;) {
		pthread_mutex_lock(&w->lock);
		bool ending = w->ending;
		pthread_mutex_unlock(&w->lock);
		if (ending)
			return NULL;
		watcher_connect(w);
		watcher_read(w);
		bool changes = clock_mono_ms() >= w->next_changes;
		if (changes)
			w->next_changes = clock_mono_ms() + CHANGES_MS;
		look_at_due(w, changes);
		wait_for_news(w);
	}
}

struct waiter *waiter_open(struct api *api, struct err *e)
{
	struct waiter *w = mem_new(sizeof *w);
	int rc;

	w->api = api;
	pthread_mutex_init(&w->lock, NULL);
	w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = w->wake_fd < 0 ? errno : pthread_create(&w->thread, NULL, waiter_main, w);
	if (rc == 0)
		return w;
	err_set(e, ERR_INTERNAL, "the thread for waiting requests cannot be started: %s", strerror(rc));
	if (w->wake_fd >= 0)
		close(w->wake_fd);
	mem_free(&w);
	return NULL;
}

void waiter_stop(struct waiter *w)
{
	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	while (w->first)
		answer(w, w->first, (struct found){NULL, NULL}, WAIT_STOPPED, NULL);
	pthread_mutex_unlock(&w->lock);
}

void waiter_close(struct waiter **wp)
{
	struct waiter *w = *wp;

	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->ending = true;
	pthread_mutex_unlock(&w->lock);
	waiter_wake(w);
	pthread_join(w->thread, NULL);
	queue_watcher_close(&w->watcher);
	queue_close(&w->queue);
	close(w->wake_fd);
	pthread_mutex_destroy(&w->lock);
	mem_free(wp);
}

/* ---- parking ------------------------------------------------------------------------------------------------- */

/* The client went away, or our thread did not come in time. */
static void on_timeout(struct http_request *r, bool gone, void *user)
{
	struct waiting *x = user;
	struct waiter *w = x->waiter;
	struct err e = {0};

	UNUSED(r);
	pthread_mutex_lock(&w->lock);
	if (x->listed && gone) {
		list_remove(w, x);
	} else if (x->listed) {
		err_set(&e, ERR_TIMEOUT, "the job queue did not answer in time");
		answer(w, x, (struct found){NULL, NULL}, WAIT_FAILED, &e);
	}
	pthread_mutex_unlock(&w->lock);
}

static void park(struct call *c, const char *job, int64_t wait_ms, struct waiting how)
{
	struct waiter *w = c->api->waiter;
	struct waiting *x = arena_new(c->arena, sizeof *x);

	*x = how;
	x->waiter = w;
	x->call = c;
	if (!str_copy(x->id, sizeof x->id, job)) {
		struct err e = {0};

		err_set(&e, ERR_NOT_FOUND, "there is no such job");
		give(x, (struct found){NULL, NULL}, WAIT_FAILED, &e);
		return;
	}
	x->look = true; /* the thread asks for the end to be published, and looks whether it came already */
	x->deadline = clock_mono_ms() + wait_ms;
	c->thread = NULL;
	pthread_mutex_lock(&w->lock);
	if (w->stopping) {
		give(x, (struct found){NULL, NULL}, WAIT_STOPPED, NULL);
	} else {
		http_park(c->r, wait_ms + BACKSTOP_MS, on_timeout, x);
		list_add(w, x);
	}
	pthread_mutex_unlock(&w->lock);
	waiter_wake(w);
}

void waiter_park(struct call *c, const char *job, int64_t wait_ms, int64_t rev, waiter_finish *finish, void *user)
{
	park(c, job, wait_ms, (struct waiting){.rev = rev, .finish = finish, .user = user});
}

void waiter_park_flow(struct call *c, const char *root, int64_t wait_ms, waiter_finish_flow *finish, void *user)
{
	park(c, root, wait_ms, (struct waiting){.rev = WAIT_ANY_END, .finish_flow = finish, .user = user});
}
