/* redis_audit_trace.c -- what a look knows of ids, of the places where they lie and of routes, and how it says what does not fit. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "queue/redis_audit.h"

struct trace *audit_add_trace(struct audit *a, const char *tail, size_t len, char what)
{
	struct trace *t;

	if (a->n == a->cap) {
		size_t cap = a->cap ? a->cap * 2 : 1024;

		a->traces = mem_grow(a->traces, a->cap, cap, sizeof(*a->traces));
		a->cap = cap;
	}
	if (len != QUEUE_TAIL)
		return NULL;
	t = &a->traces[a->n++];
	*t = (struct trace){.what = what};
	memcpy(t->tail, tail, QUEUE_TAIL);
	return t;
}

struct place *audit_add_place(struct audit *a, const char *name)
{
	if (a->n_places == a->places_cap) {
		size_t cap = a->places_cap ? a->places_cap * 2 : 64;

		a->places = mem_grow(a->places, a->places_cap, cap, sizeof(*a->places));
		a->places_cap = cap;
	}
	a->places[a->n_places] = (struct place){.name = mem_strdup(name)};
	return &a->places[a->n_places++];
}

void audit_places_close(struct audit *a)
{
	while (a->n_places > 0)
		mem_free(&a->places[--a->n_places].name);
	mem_free(&a->places);
}

uint32_t audit_route_of(struct audit *a, const char *route)
{
	size_t i = 0;

	while (i < a->n_routes && !str_eq(a->routes[i].route, route))
		i++;
	if (i == a->routes_cap) {
		size_t cap = a->routes_cap ? a->routes_cap * 2 : 16;

		a->routes = mem_grow(a->routes, a->routes_cap, cap, sizeof(*a->routes));
		a->routes_cap = cap;
	}
	if (i == a->n_routes) {
		a->routes[i] = (struct route_count){.ready = 0};
		snprintf(a->routes[i].route, sizeof(a->routes[i].route), "%s", route);
		a->n_routes++;
	}
	return (uint32_t)i;
}

void audit_texts_add(struct texts *t, const char *text)
{
	if (t->n == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 64;

		t->at = mem_grow(t->at, t->cap, cap, sizeof(*t->at));
		t->cap = cap;
	}
	t->at[t->n++] = mem_strdup(text);
}

void audit_texts_close(struct texts *t)
{
	while (t->n > 0)
		mem_free(&t->at[--t->n]);
	mem_free(&t->at);
}

/* ---- what does not fit ------------------------------------------------------------------------------------------------- */

void audit_problem(struct audit *a, enum queue_fault fault, const struct trace *t, const struct trace *at, const char *what)
{
	struct queue_finding f = {.fault = fault, .shard = a->shard, .rev = t->what == '!' ? t->rev : 0};
	char tail[QUEUE_TAIL + 1] = "";

	memcpy(tail, t->tail, QUEUE_TAIL);
	if (!queue_full_id(f.key, a->queue, a->shard, tail, QUEUE_TAIL))
		snprintf(f.key, sizeof(f.key), "%s-%d%s", a->queue, a->shard, tail);
	if (at && (at->what == 'a' || at->what == 's'))
		snprintf(f.at, sizeof(f.at), "%c", at->what);
	else if (at && (at->what == 'D' || at->what == 'L'))
		snprintf(f.at, sizeof(f.at), "%c:%s", at->what, tail);
	else if (at && at->what != '!')
		snprintf(f.at, sizeof(f.at), "%s", a->places[at->place].name);
	queue_look_add(a->look, &f, "%s-%d%s: %s", a->queue, a->shard, tail, what);
}

void audit_problem_of_queue(struct audit *a, enum queue_fault fault, const char *what)
{
	queue_look_add(a->look, &(struct queue_finding){.fault = fault, .shard = a->shard}, "%s-%d: %s", a->queue, a->shard, what);
}

void audit_no_id(struct audit *a, const char *text, const char *place)
{
	struct queue_finding f = {.fault = FAULT_ORPHAN, .shard = a->shard, .no_id = true};

	snprintf(f.key, sizeof(f.key), "%s", text);
	snprintf(f.at, sizeof(f.at), "%s", place);
	queue_look_add(a->look, &f, "%s-%d: %.60s holds '%.150s', which cannot stand there", a->queue, a->shard, place, text);
}
