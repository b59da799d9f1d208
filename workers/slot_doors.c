/* slot_doors.c -- what a running job may use: store, cache, exchange with the shared budget, progress, and its end's event. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "workers/slot_private.h"

#define BUDGET_KEY         "exchange.weight"
#define BUDGET_WINDOW      TIME_MINUTE       /* Binance counts per calendar minute */
#define BUDGET_PATIENCE_MS (2 * TIME_SECOND) /* a job that would wait longer gives its slot to another */
#define LOG_RATE           50                /* lines a second */
#define LOG_BURST          100               /* ... and so many at once */
#define RATE_MS            500               /* the rate is measured over at least so long */

static bool job_is_stopped(const struct slot_process *p)
{
	return atomic_load(&p->shm->stop) == p->number;
}

/* ---- progress */

static void rate_update(struct slot_process *p, int64_t done, int64_t now)
{
	if (p->rate_ms == 0 || done < p->rate_done) {
		p->rate_ms = now;
		p->rate_done = done;
		p->rate = 0;
		return;
	}
	if (now - p->rate_ms < RATE_MS)
		return;
	double lately = (double)(done - p->rate_done) * 1000.0 / (double)(now - p->rate_ms);
	p->rate = p->rate > 0 ? p->rate * 0.7 + lately * 0.3 : lately;
	p->rate_ms = now;
	p->rate_done = done;
}

static bool slot_progress(struct job_context *c, int64_t done, int64_t total, const char *unit, const char *note)
{
	struct slot_process *p = c->slot;
	struct job_progress now = {.done = done, .total = total, .eta_s = -1};
	rate_update(p, done, clock_mono_ms());
	now.rate = p->rate;
	if (p->rate > 0 && total > done && (double)(total - done) / p->rate < 1e15)
		now.eta_s = (int64_t)((double)(total - done) / p->rate + 0.5);
	/* Texts for people: cutting them is no harm here. */
	snprintf(now.unit, sizeof(now.unit), "%s", unit != NULL ? unit : "");
	snprintf(now.note, sizeof(now.note), "%s", note != NULL ? note : "");
	shm_progress_write(p->shm, p->number, &now);
	/* A job that tells its progress is not one of microseconds: earlier answers shall not wait for its end. */
	return slot_flush(p) && !job_is_stopped(p);
}

/* ---- the job's log: bounded, so that a job that never stops talking harms nobody */

static bool log_has_room(struct slot_process *p)
{
	int64_t now = clock_mono_ms();
	p->log_room += (double)(now - p->log_ms) * LOG_RATE / 1000.0;
	if (p->log_ms == 0 || p->log_room > LOG_BURST)
		p->log_room = LOG_BURST;
	p->log_ms = now;
	if (p->log_room < 1)
		return false;
	p->log_room--;
	return true;
}

static void say_dropped(struct slot_process *p, bool and_last)
{
	char note[100];
	int dropped = p->log_dropped - and_last;
	if (dropped > 0) {
		snprintf(note, sizeof(note), "... %d lines are left out: a job may write %d a second", dropped, LOG_RATE);
		slot_say(p, note);
	}
	if (and_last && p->log_dropped > 0)
		slot_say(p, p->log_last);
	p->log_dropped = 0;
}

static void slot_log_line(struct slot_process *p, const char *text)
{
	if (!log_has_room(p)) {
		p->log_dropped++;
		snprintf(p->log_last, sizeof(p->log_last), "%s", text);
		return;
	}
	if (p->log_dropped > 0)
		say_dropped(p, false);
	log_info("%s", text);
	slot_say(p, text);
}

static void slot_log(struct job_context *c, const char *text)
{
	char line[2 * QUEUE_REMARK_MAX]; /* the dispatcher cuts it, between characters */
	for (size_t len; *text != '\0'; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		if (!str_copy_n(line, sizeof(line), text, len < sizeof(line) ? len : sizeof(line) - 1))
			return;
		slot_log_line(c->slot, line);
	}
}

/* ---- the exchange's budget, shared by all workers through the queue's server */

static struct queue *budget_queue(struct slot_process *p, struct err *e)
{
	const char *space = setting_text(p->settings, WORKER_NAMESPACE);
	struct queue_options options = {.namespace_ = *space != '\0' ? space : NULL};
	if (p->queue == NULL)
		p->queue = queue_open(setting_text(p->settings, QUEUE_URL), &options, e);
	return p->queue;
}

static int budget_take(void *user, int64_t cost, int64_t limit, int64_t *wait_ms_out, struct err *e)
{
	struct queue *q = budget_queue(user, e);
	return q == NULL ? -1 : queue_budget_take(q, BUDGET_KEY, cost, limit, BUDGET_WINDOW, wait_ms_out, e);
}

static bool budget_correct(void *user, int64_t used, int64_t stop_ms, struct err *e)
{
	struct queue *q = budget_queue(user, e);
	return q != NULL && queue_budget_correct(q, BUDGET_KEY, used, BUDGET_WINDOW, stop_ms, e);
}

static bool budget_go_on(void *user)
{
	return !job_is_stopped(user);
}

/* ---- doors */

static struct store *slot_store(struct job_context *c, struct err *e)
{
	struct slot_process *p = c->slot;
	if (p->store == NULL)
		p->store = store_open(setting_text(p->settings, STORE_URL), e);
	return p->store;
}

static struct cache *slot_cache(struct job_context *c, struct err *e)
{
	struct slot_process *p = c->slot;
	if (p->cache == NULL)
		p->cache = cache_open(setting_text(p->settings, CACHE_DIR), setting_number(p->settings, CACHE_BYTES), e);
	return p->cache;
}

static struct exchange *slot_exchange(struct job_context *c, struct err *e)
{
	struct slot_process *p = c->slot;
	p->budget = (struct exchange_budget){
	        .take = budget_take, .correct = budget_correct, .go_on = budget_go_on, .patience_ms = BUDGET_PATIENCE_MS, .user = p};
	if (p->exchange == NULL)
		p->exchange = exchange_open(setting_text(p->settings, EXCHANGE_URL), &p->budget, e);
	return p->exchange;
}

void slot_doors_begin(struct slot_process *p, const struct job *job, const struct json *params)
{
	p->rate_ms = 0;
	p->rate = 0;
	p->log_ms = 0;
	p->log_dropped = 0;
	p->context = (struct job_context){
	        .job = job,
	        .params = params,
	        .arena = p->context.arena,
	        .slot = p,
	        .store = slot_store,
	        .cache = slot_cache,
	        .exchange = slot_exchange,
	        .records_dir = setting_text(p->settings, RECORDS_DIR),
	        .progress = slot_progress,
	        .log = slot_log,
	};
}

void slot_doors_end(struct slot_process *p)
{
	say_dropped(p, true);
	if (p->cache != NULL)
		cache_release_all(p->cache);
	arena_reset(p->context.arena);
}

void slot_doors_close(struct slot_process *p)
{
	if (p->exchange != NULL)
		exchange_close(&p->exchange);
	if (p->cache != NULL)
		cache_close(&p->cache);
	if (p->store != NULL)
		store_close(&p->store);
	if (p->queue != NULL)
		queue_close(&p->queue);
}
