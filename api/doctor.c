/* doctor.c -- the doctor's thread: takes one request at a time, looks, and answers it.
 *
 * Rules: 1. `call` is set exactly while a request is parked and unanswered; whoever takes it out answers it, both under the lock, so that the
 * server's on_timeout never frees a request that is being answered; 2. the look is made without the lock, and knows nothing of the request.
 */
#include "api/doctor.h"

#include <pthread.h>
#include <stdio.h>

#include "api/reply.h"
#include "base/clock.h"
#include "base/json.h"

#define LOOK_MS  60000 /* all queues, the store and the mending */
#define PARK_MS  75000 /* beyond it something is stuck */
#define AGAIN_MS 5000  /* who comes while a look is under way is told to come again after this */

struct doctor {
	struct api *api;
	pthread_t thread;
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t wake;
	struct call *call;
	struct doctor_wish wish;
	bool asked, busy;
	struct doctor_progress progress;
	volatile bool stopping; /* read by the look without the lock */
};

/* ---- the thread ------------------------------------------------------------------------------------------------- */

static struct json *look(struct doctor *d, const struct doctor_wish *wish, struct err *e)
{
	struct doctor_tools tools = {.queue = queue_open(d->api->queue_url, &d->api->queue_options, e),
	        .store_url = d->api->store_url,
	        .deadline = clock_mono_ms() + LOOK_MS,
	        .stop = &d->stopping,
	        .doctor = d};
	struct json *report = tools.queue ? doctor_report(&tools, wish, e) : NULL;

	queue_close(&tools.queue);
	return report;
}

/* With the lock held. */
static void answer(struct doctor *d, const struct json *report, const struct err *e)
{
	struct call *c = d->call;
	struct buf body = {0};

	d->call = NULL;
	if (!c)
		return; /* the client went away */
	if (!report) {
		reply_err(c, e, NULL);
		return;
	}
	json_print(report, &body);
	reply_json(c, 200, &body);
}

static void *run(void *user)
{
	struct doctor *d = user;

	pthread_mutex_lock(&d->lock);
	while (!d->stopping) {
		struct doctor_wish wish = d->wish;
		struct json *report;
		struct err e = {0};

		if (!d->asked) {
			pthread_cond_wait(&d->wake, &d->lock);
			continue;
		}
		d->asked = false;
		d->progress = (struct doctor_progress){.looking = true};
		pthread_mutex_unlock(&d->lock);
		report = look(d, &wish, &e);
		pthread_mutex_lock(&d->lock);
		answer(d, report, &e);
		d->busy = d->progress.looking = false;
		json_close(&report);
	}
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

struct doctor *doctor_open(struct api *api, struct err *e)
{
	struct doctor *d = mem_new(sizeof *d);

	d->api = api;
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->wake, NULL);
	if (pthread_create(&d->thread, NULL, run, d) == 0)
		return d;
	err_set(e, ERR_INTERNAL, "the doctor's thread could not be started");
	pthread_cond_destroy(&d->wake);
	pthread_mutex_destroy(&d->lock);
	mem_free(&d);
	return NULL;
}

void doctor_stop(struct doctor *d)
{
	struct err e = {0};

	pthread_mutex_lock(&d->lock);
	d->stopping = true;
	err_set(&e, ERR_UNAVAILABLE, "the program stops");
	answer(d, NULL, &e);
	pthread_cond_signal(&d->wake);
	pthread_mutex_unlock(&d->lock);
}

void doctor_close(struct doctor **dp)
{
	struct doctor *d = *dp;

	if (!d)
		return;
	doctor_stop(d);
	pthread_join(d->thread, NULL);
	pthread_cond_destroy(&d->wake);
	pthread_mutex_destroy(&d->lock);
	mem_free(dp);
}

/* ---- how far it is ---------------------------------------------------------------------------------------------- */

volatile int64_t *doctor_is_at(struct doctor *d, const char *queue, int nth, int of)
{
	pthread_mutex_lock(&d->lock);
	snprintf(d->progress.queue, sizeof d->progress.queue, "%s", queue);
	d->progress.store = !*queue;
	d->progress.nth = nth;
	d->progress.of = of;
	pthread_mutex_unlock(&d->lock);
	return &d->progress.read;
}

struct doctor_progress doctor_progress(struct doctor *d)
{
	struct doctor_progress now;

	pthread_mutex_lock(&d->lock);
	now = d->progress;
	pthread_mutex_unlock(&d->lock);
	return now;
}

/* ---- asking ----------------------------------------------------------------------------------------------------- */

/* The client went away, or the look is stuck: it may go on, but nobody hears of it. */
static void on_timeout(struct http_request *r, bool gone, void *user)
{
	struct call *c = user;
	struct doctor *d = c->api->doctor;
	struct err e = {0};

	UNUSED(r);
	pthread_mutex_lock(&d->lock);
	if (d->call == c && gone) {
		d->call = NULL;
	} else if (d->call == c) {
		err_set(&e, ERR_TIMEOUT, "the look did not come to its end in time");
		answer(d, NULL, &e);
	}
	pthread_mutex_unlock(&d->lock);
}

void doctor_ask(struct call *c, const struct doctor_wish *wish)
{
	struct doctor *d = c->api->doctor;
	struct err e = {0};

	c->thread = NULL;
	pthread_mutex_lock(&d->lock);
	if (d->stopping || d->busy) {
		err_set(&e, ERR_UNAVAILABLE,
		        d->stopping ? "the program stops" : "a look at the queues is under way; ask again when it is over");
		e.retry_after_ms = AGAIN_MS;
		reply_err(c, &e, NULL);
	} else {
		d->wish = *wish;
		d->asked = d->busy = true;
		http_park(c->r, PARK_MS, on_timeout, c);
		d->call = c;
		pthread_cond_signal(&d->wake);
	}
	pthread_mutex_unlock(&d->lock);
}
