/* control.c -- the /sim/ routes, which the exchange does not have: counts for tests, faults and clock while it runs. */
#include <inttypes.h>

#include "tests/exchange_sim/sim.h"

static const char *const paths[ROUTE_COUNT] = {
#define ROUTE(id, path, handler) path,
#include "tests/exchange_sim/routes.def"
#undef ROUTE
};

static void write_counts(struct json_writer *w, const struct sim *s)
{
	jw_object(w, "requests");
	for (int i = 0; i < ROUTE_COUNT; i++)
		jw_int(w, paths[i], s->requests[i]);
	jw_end(w);
	jw_int(w, "unknown", s->unknown);
	jw_int(w, "answered_429", s->limited);
	jw_int(w, "answered_418", s->banned);
	jw_object(w, "faults");
	for (int i = 0; i < FAULT_COUNT; i++) {
		if (s->faults[i].done || s->faults[i].on)
			jw_int(w, fault_name((enum fault)i), s->faults[i].done);
	}
	jw_end(w);
}

static void write_weights(struct json_writer *w, const struct sim *s)
{
	size_t first = s->n_minutes > SIM_MINUTES ? s->n_minutes - SIM_MINUTES : 0;
	jw_int(w, "weight_limit", s->weight_limit);
	jw_int(w, "weight_total", s->weight_total);
	jw_int(w, "weight_max", s->weight_max);
	jw_array(w, "minutes");
	for (size_t i = first; i < s->n_minutes; i++) {
		jw_object(w, NULL);
		jw_int(w, "start", s->minutes[i % SIM_MINUTES].minute * TIME_MINUTE);
		jw_int(w, "weight", s->minutes[i % SIM_MINUTES].weight);
		jw_end(w);
	}
	jw_end(w);
}

void answer_stats(struct visit *v)
{
	struct buf b = {0};
	struct json_writer w = json_writer_on(&b);
	jw_object(&w, NULL);
	pthread_mutex_lock(&v->sim->lock);
	write_counts(&w, v->sim);
	write_weights(&w, v->sim);
	pthread_mutex_unlock(&v->sim->lock);
	jw_int(&w, "now", v->now_ms);
	jw_end(&w);
	http_reply_buf(v->request, 200, "application/json", &b);
}

/* ?set=502:3 adds a fault, ?clear=1 ends all of them. */
void answer_faults(struct visit *v)
{
	struct err e = {0};
	struct sim *s = v->sim;
	const char *set = http_query(v->request, "set");
	bool ok = true;
	pthread_mutex_lock(&s->lock);
	for (int i = 0; i < FAULT_COUNT && http_query(v->request, "clear"); i++)
		s->faults[i].on = false;
	if (set)
		ok = fault_set(s, set, &e);
	pthread_mutex_unlock(&s->lock);
	if (ok)
		http_reply(v->request, 200, "application/json", "{}", 2);
	else
		reply_error(v, 400, -1, "%s", e.text);
}

/* ?advance=60000 moves the clock on by so many ms, ?now=... sets it. */
void answer_clock(struct visit *v)
{
	struct buf b = {0};
	const char *advance = http_query(v->request, "advance"), *now = http_query(v->request, "now");
	int64_t ms = v->now_ms;
	bool ok = (!now || time_parse(now, &ms, NULL)) && (!advance || str_int(advance, -TIME_DAY * 36500, TIME_DAY * 36500, &ms));
	if (!ok) {
		reply_error(v, 400, -1, "?advance= wants milliseconds, ?now= a time such as 2026-02-28 12:00:00");
		return;
	}
	if (advance)
		ms += v->now_ms;
	if (advance || now)
		sim_set_now(v->sim, ms);
	buf_addf(&b, "{\"now\":%" PRId64 "}", sim_now(v->sim));
	http_reply_buf(v->request, 200, "application/json", &b);
}
