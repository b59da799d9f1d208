/* route_service.c -- about the service itself: the origin's card and health, probes, metrics. */
#include <stdio.h>
#include <string.h>

#include "api/context.h"
#include "api/reply.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/str.h"
#include "base/time.h"
#include "queue/seeing.h"

struct card {
	enum api_role role;
	const char *title, *method, *path, *shown;
};

static const struct card cards[] = {
#define CARD(role, title, method, path, shown) {ROLE_##role, title, method, path, shown},
#include "api/cards.def"
#undef CARD
};

static const char *const services[ROLE_COUNT] = {
        [ROLE_ALL] = "Barque", [ROLE_DATA] = "数据管理服务", [ROLE_BACKTEST] = "回测服务", [ROLE_ORDER] = "订单服务"};

static bool card_is_served(const struct card *card)
{
	size_t n;
	const struct route *table = routes_table(&n);

	for (size_t i = 0; i < n; i++)
		if (str_eq(table[i].path, card->path) && str_eq(table[i].method, card->method))
			return true;
	return false;
}

static void endpoints_write(enum api_role role, struct json_writer *w)
{
	jw_object(w, "endpoints");
	for (size_t i = 0; i < ARRAY_LEN(cards); i++)
		if ((role == ROLE_ALL ? !str_eq(cards[i].path, "/api/health") : cards[i].role == role) && card_is_served(&cards[i]))
			jw_text(w, cards[i].title, cards[i].shown);
	jw_end(w);
}

void route_card(struct call *c)
{
	struct buf body = {0};
	struct json_writer w = json_writer_on(&body);

	jw_object(&w, NULL);
	if (c->role == ROLE_ALL)
		jw_text(&w, "message", "K线数据、回测与任务 API");
	else
		jw_text(&w, "service", services[c->role]);
	jw_text(&w, "version", BARQUE_VERSION);
	if (c->role != ROLE_ALL)
		jw_int(&w, "port", c->api->ports[c->role]);
	jw_text(&w, "docs", "/docs");
	endpoints_write(c->role, &w);
	jw_end(&w);
	reply_json(c, 200, &body);
}

void route_health(struct call *c)
{
	struct buf body = {0};
	struct json_writer w = json_writer_on(&body);
	char now[TIME_TEXT];

	jw_object(&w, NULL);
	jw_text(&w, "status", "healthy");
	if (c->role == ROLE_ALL) {
		time_print_iso(now, clock_now_ms());
		jw_text(&w, "timestamp", now);
	} else {
		jw_text(&w, "service", services[c->role]);
		jw_int(&w, "port", c->api->ports[c->role]);
	}
	jw_end(&w);
	reply_json(c, 200, &body);
}

void route_livez(struct call *c)
{
	reply_text(c, 200, "application/json", "{\"status\":\"alive\"}");
}

static bool store_answers(struct api_thread *t, struct err *e)
{
	struct store *s = context_store(t, e);
	int64_t waiting;

	return s && store_outbox_count(s, &waiting, e);
}

void route_readyz(struct call *c)
{
	struct err queue_err = {0}, store_err = {0};
	struct queue *q = context_queue(c->thread, &queue_err);
	bool queue_ok = q && queue_ping(q, &queue_err), store_ok = store_answers(c->thread, &store_err);
	struct buf body = {0};
	struct json_writer w = json_writer_on(&body);

	jw_object(&w, NULL);
	jw_text(&w, "status", queue_ok && store_ok ? "ready" : "not ready");
	jw_text(&w, "queue", queue_ok ? "ok" : queue_err.text);
	jw_text(&w, "store", store_ok ? "ok" : store_err.text);
	if (!queue_ok || !store_ok)
		jw_text(&w, "detail", queue_ok ? store_err.text : queue_err.text);
	jw_end(&w);
	reply_json(c, queue_ok && store_ok ? 200 : 503, &body);
}

static void gauges_of_counts(const struct queue_counts *c)
{
	metrics_set(METRIC_queue_ready, c->queue, (double)c->ready);
	metrics_set(METRIC_queue_scheduled, c->queue, (double)c->scheduled);
	metrics_set(METRIC_queue_running, c->queue, (double)c->running);
	metrics_set(METRIC_queue_dead, c->queue, (double)c->dead);
	metrics_set(METRIC_queue_paused, c->queue, c->paused_at != 0);
	metrics_set(METRIC_queue_waiting, c->queue, (double)c->waiting);
	metrics_set(METRIC_queue_workers, c->queue, (double)c->workers);
	metrics_set(METRIC_queue_done_total, c->queue, (double)c->done_total);
}

static void gauges_of_backlog(const char *queue, const struct queue_backlog *b)
{
	metrics_set(METRIC_queue_load, queue, (double)(b->ready + b->running));
	metrics_set(METRIC_queue_oldest_seconds, queue, (double)b->oldest_ms / 1000);
	metrics_set(METRIC_queue_backlog_seconds, queue, b->seconds);
	metrics_set(METRIC_queue_retries_total, queue, (double)b->retries);
	metrics_set(METRIC_queue_crashes_total, queue, (double)b->crashes);
	metrics_set(METRIC_queue_recovered_total, queue, (double)b->recovered);
}

static void gauges_of_queues(struct api_thread *t)
{
	char(*names)[JOB_NAME] = NULL;
	struct err e = {0};
	struct queue *q = context_queue(t, &e);
	int found = q ? queue_names(q, &names, &e) : 0;
	size_t n = found > 0 ? (size_t)found : 0;
	struct queue_counts *counts = mem_array(n ? n : 1, sizeof *counts);
	struct queue_backlog *backlogs = mem_array(n ? n : 1, sizeof *backlogs);

	if (n && queue_counts(q, (const char(*)[JOB_NAME])names, n, counts, &e))
		for (size_t i = 0; i < n; i++)
			gauges_of_counts(&counts[i]);
	if (n && queue_backlogs(q, (const char(*)[JOB_NAME])names, n, backlogs, &e))
		for (size_t i = 0; i < n; i++)
			gauges_of_backlog(names[i], &backlogs[i]);
	mem_free(&backlogs);
	mem_free(&counts);
	mem_free(&names);
}

static void gauge_of_outbox(struct api_thread *t)
{
	struct err e = {0};
	struct store *s = context_store(t, &e);
	int64_t waiting;

	if (s && store_outbox_count(s, &waiting, &e))
		metrics_set(METRIC_events_waiting, NULL, (double)waiting);
}

/* A queue or store that is away leaves its gauges as they were; readyz is where its absence is told. */
void route_metrics(struct call *c)
{
	struct buf body = {0};

	gauges_of_queues(c->thread);
	gauge_of_outbox(c->thread);
	metrics_print(&body);
	reply_bytes(c, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
}
