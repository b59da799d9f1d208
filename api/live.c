/* live.c -- the listeners of live streams, and the thread that asks the queue for all of them. */
#include "api/live_private.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "api/reply.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/str.h"

#define LISTENERS_MAX 1000
#define TICK_MS       200
#define HURRY_MS      100 /* when there is more to be read: listeners take theirs meanwhile */
#define REST_MS       20  /* between two rounds at the least */
#define IDLE_MS       1000
#define HEARTBEAT_MS  15000

/* ---- events ------------------------------------------------------------------------------------------------------- */

void live_event(struct buf *out, const char *id, const char *event, const char *data)
{
	if (id)
		buf_addf(out, "id: %s\n", id);
	buf_addf(out, "event: %s\ndata: ", event);
	buf_adds(out, data);
	buf_adds(out, "\n\n");
}

void live_event_end(struct buf *out, enum job_state state)
{
	struct buf data = {0};

	buf_addf(&data, "{\"state\":\"%s\"}", job_state_name(state));
	live_event(out, NULL, "end", buf_text(&data));
	buf_close(&data);
}

void live_gone(struct buf *out, const char *why)
{
	struct buf data = {0};
	struct json_writer w = json_writer_on(&data);

	jw_object(&w, NULL);
	jw_text(&w, "detail", why);
	jw_end(&w);
	live_event(out, NULL, "gone", buf_text(&data));
	buf_close(&data);
}

/* ---- listeners ----------------------------------------------------------------------------------------------------- */

static void wake(struct live *l)
{
	uint64_t one = 1;
	ssize_t n;

	do
		n = write(l->wake_fd, &one, sizeof one);
	while (n < 0 && errno == EINTR);
}

static size_t listeners(const struct live *l)
{
	return l->count[LIVE_JOB] + l->count[LIVE_LOG] + l->count[LIVE_CHANGES];
}

static void listener_link(struct live *l, struct live_listener *x)
{
	x->next = l->first;
	if (x->next)
		x->next->prev = x;
	l->first = x;
	l->count[x->what]++;
	metrics_set(METRIC_http_listeners, NULL, (double)listeners(l));
}

/* From the server: what there is for this client. False after the last byte. */
static bool listener_more(void *user, struct buf *b)
{
	struct live_listener *x = user;
	int64_t now = clock_mono_ms();

	pthread_mutex_lock(&x->live->lock);
	if (x->what == LIVE_CHANGES && !x->over)
		live_changes_write(x, &x->out);
	if (x->out.len)
		buf_add(b, x->out.data, x->out.len);
	buf_close(&x->out);
	bool over = x->over;
	pthread_mutex_unlock(&x->live->lock);
	if (b->len == 0 && !over && now - x->beat_ms >= HEARTBEAT_MS)
		buf_adds(b, ": still here\n\n");
	if (b->len > 0)
		x->beat_ms = now;
	return !over;
}

static void listener_closed(void *user)
{
	struct live_listener *x = user;
	struct live *l = x->live;

	pthread_mutex_lock(&l->lock);
	if (x->prev)
		x->prev->next = x->next;
	else
		l->first = x->next;
	if (x->next)
		x->next->prev = x->prev;
	l->count[x->what]--;
	metrics_set(METRIC_http_listeners, NULL, (double)listeners(l));
	pthread_mutex_unlock(&l->lock);
	buf_close(&x->out);
	mem_free(&x);
}

/* Takes x over. */
static void listen_on(struct call *c, struct live_listener *x)
{
	struct live *l = c->api->live;

	x->live = l;
	x->beat_ms = clock_mono_ms();
	buf_adds(&x->out, "retry: 1000\n\n"); /* so that the client knows at once that it is heard */
	pthread_mutex_lock(&l->lock);
	bool room = listeners(l) < LISTENERS_MAX;
	if (room)
		listener_link(l, x);
	pthread_mutex_unlock(&l->lock);
	if (!room) {
		buf_close(&x->out);
		mem_free(&x);
		reply_retry_after(c, 5000);
		reply_detail(c, 503, "%d listeners are connected, which is the limit", LISTENERS_MAX);
		return;
	}
	wake(l);
	reply_header(c, "Cache-Control", "no-store");
	reply_header(c, "X-Accel-Buffering", "no"); /* nginx would hold events back */
	reply_count(c, 200);
	http_reply_stream(c->r, 200, "text/event-stream; charset=utf-8", listener_more, listener_closed, x);
}

static struct live_listener *listener_new(enum live_what what, const char *id)
{
	struct live_listener *x = mem_new(sizeof *x);

	x->what = what;
	x->at = -1;
	if (!str_copy(x->id, sizeof x->id, id))
		x->id[0] = '\0'; /* cannot be: it was parsed */
	return x;
}

void live_job(struct call *c, const char *id, int64_t last_rev)
{
	struct live_listener *x = listener_new(LIVE_JOB, id);

	x->rev = last_rev;
	listen_on(c, x);
}

void live_log(struct call *c, const char *id, int64_t from)
{
	struct live_listener *x = listener_new(LIVE_LOG, id);

	x->line = from;
	listen_on(c, x);
}

void live_changes(struct call *c, const struct live_filter *f, const char *last_id)
{
	struct live_listener *x = listener_new(LIVE_CHANGES, "");

	x->filter = *f;
	/* What is too long was never ours. */
	if (last_id && !str_copy(x->last_id, sizeof x->last_id, last_id))
		x->last_id[0] = '\0';
	listen_on(c, x);
}

/* ---- the thread ----------------------------------------------------------------------------------------------------- */

static bool ask(struct live *l, const size_t count[3], struct err *e)
{
	if (!l->queue)
		l->queue = queue_open(l->api->queue_url, &l->api->queue_options, e);
	return l->queue && (!count[LIVE_JOB] || live_jobs_round(l, e)) && (!count[LIVE_LOG] || live_logs_round(l, e)) &&
	       (!count[LIVE_CHANGES] || live_changes_round(l, e));
}

static void round_begin(struct live *l, const size_t count[3])
{
	struct err e = {0};

	l->again = false;
	l->round++;
	bool ok = ask(l, count, &e);
	if (!ok && !l->told)
		log_warn("live streams stand still, the queue cannot be asked: %s", e.text);
	else if (ok && l->told)
		log_info("live streams go on");
	l->told = !ok;
}

/* Between rounds; a new listener cuts it short. */
static void rest(struct live *l, int ms)
{
	struct pollfd p = {.fd = l->wake_fd, .events = POLLIN};
	uint64_t count;

	clock_sleep_ms(REST_MS);
	if (poll(&p, 1, ms) > 0 && read(l->wake_fd, &count, sizeof count) < 0)
		log_debug("reading the wake-up failed: %s", strerror(errno));
}

static void *live_main(void *user)
{
	struct live *l = user;

	for (;;) {
		size_t count[3];

		pthread_mutex_lock(&l->lock);
		bool ending = l->ending;
		memcpy(count, l->count, sizeof count);
		pthread_mutex_unlock(&l->lock);
		if (ending)
			return NULL;
		bool idle = count[LIVE_JOB] + count[LIVE_LOG] + count[LIVE_CHANGES] == 0;
		if (!idle)
			round_begin(l, count);
		rest(l, idle ? IDLE_MS : l->again ? HURRY_MS : TICK_MS);
	}
}

struct live *live_open(struct api *api, struct err *e)
{
	struct live *l = mem_new(sizeof *l);
	int rc;

	l->api = api;
	l->changes = live_changes_new();
	pthread_mutex_init(&l->lock, NULL);
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = l->wake_fd < 0 ? errno : pthread_create(&l->thread, NULL, live_main, l);
	if (rc == 0)
		return l;
	err_set(e, ERR_INTERNAL, "the thread for live streams cannot be started: %s", strerror(rc));
	if (l->wake_fd >= 0)
		close(l->wake_fd);
	live_changes_free(&l->changes);
	mem_free(&l);
	return NULL;
}

void live_close(struct live **lp)
{
	struct live *l = *lp;

	if (!l)
		return;
	pthread_mutex_lock(&l->lock);
	l->ending = true;
	pthread_mutex_unlock(&l->lock);
	wake(l);
	pthread_join(l->thread, NULL);
	queue_close(&l->queue);
	close(l->wake_fd);
	live_changes_free(&l->changes);
	pthread_mutex_destroy(&l->lock);
	mem_free(lp);
}
