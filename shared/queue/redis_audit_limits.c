/* redis_audit_limits.c -- do the places where jobs are parked, and the counters of limits, say what the records say? */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "queue/redis_audit.h"

void audit_limits_close(struct audit_limits *a)
{
	mem_free(&a->places);
}

/* FNV-1a: names only have to be told apart. */
uint64_t audit_place_hash(const char *name)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * UINT64_C(1099511628211);
	return h ? h : 1;
}

static struct audit_place *place_add(struct audit_limits *a, uint64_t hash)
{
	if (a->n == a->cap) {
		size_t cap = a->cap ? a->cap * 2 : 256;

		a->places = mem_grow(a->places, a->cap, cap, sizeof(*a->places));
		a->cap = cap;
	}
	a->places[a->n] = (struct audit_place){.hash = hash};
	return &a->places[a->n++];
}

/* "max key" -> c<key> */
static uint64_t concurrency_place(const char *l)
{
	const char *key = l ? strchr(l, ' ') : NULL;
	struct buf name = {0};
	uint64_t hash;

	if (!key)
		return 0;
	buf_addf(&name, "c%s", key + 1);
	hash = audit_place_hash(buf_text(&name));
	buf_close(&name);
	return hash;
}

/* "limit window cost key" -> r<window>:<key> */
static uint64_t rate_place(const char *r)
{
	const char *window = r ? strchr(r, ' ') : NULL, *cost = window ? strchr(window + 1, ' ') : NULL;
	const char *key = cost ? strchr(cost + 1, ' ') : NULL;
	struct buf name = {0};
	uint64_t hash;

	if (!key)
		return 0;
	buf_addf(&name, "r%.*s:%s", (int)(cost - window - 1), window + 1, key + 1);
	hash = audit_place_hash(buf_text(&name));
	buf_close(&name);
	return hash;
}

static bool has_flag(const char *s, char flag)
{
	return memchr(s, flag, strcspn(s, ".")) != NULL;
}

void audit_limits_record(struct audit_limits *a, const char *s, const char *l, const char *r, int64_t bytes, uint64_t places_out[2])
{
	char state = s[0];
	bool waits = state == '0' + JOB_SCHEDULED || state == '0' + JOB_READY || state == '0' + JOB_RETRYING || state == '0' + JOB_WAITING;

	places_out[0] = concurrency_place(l);
	places_out[1] = rate_place(r);
	a->bytes += waits ? bytes : 0;
	a->parked += has_flag(s, 'q');
	if (places_out[0] && state == '0' + JOB_RUNNING)
		place_add(a, places_out[0])->running = 1;
	if (places_out[0] && state == '0' + JOB_READY && has_flag(s, 'v'))
		place_add(a, places_out[0])->came_back = 1;
}

void audit_limits_counted(struct audit_limits *a, const struct redis_reply *r)
{
	struct buf name = {0};

	for (size_t i = 0; i + 1 < redis_reply_count(r); i += 2) {
		struct audit_place *p;

		buf_clear(&name);
		buf_addf(&name, "c%s", redis_reply_text(redis_reply_at(r, i), NULL));
		p = place_add(a, audit_place_hash(buf_text(&name)));
		if (!redis_reply_int(redis_reply_at(r, i + 1), &p->counted))
			p->counted = -1;
	}
	buf_close(&name);
}

void audit_limits_listed(struct audit_limits *a, const struct redis_reply *r)
{
	for (size_t i = 0; i < redis_reply_count(r); i++) {
		const char *place = redis_reply_text(redis_reply_at(r, i), NULL);

		if (place)
			place_add(a, audit_place_hash(place))->listed = true;
	}
}

void audit_limits_parked(struct audit_limits *a, const char *place, size_t n)
{
	struct audit_place *p = place_add(a, audit_place_hash(place));

	p->parked = (int64_t)n;
	p->shut_out = place[0] == 'c' ? p->parked : 0;
}

static int by_hash(const void *x, const void *y)
{
	const struct audit_place *a = x, *b = y;

	return a->hash < b->hash ? -1 : a->hash > b->hash;
}

/* All that is known of one place, added up. Of a rate's, running and came_back are not counted. */
static struct audit_place sum_up(const struct audit_place *p, size_t n)
{
	struct audit_place sum = p[0];

	for (size_t i = 1; i < n; i++) {
		sum.running += p[i].running;
		sum.counted += p[i].counted;
		sum.parked += p[i].parked;
		sum.shut_out += p[i].shut_out;
		sum.came_back += p[i].came_back;
		sum.listed = sum.listed || p[i].listed;
	}
	return sum;
}

const char *audit_limits_judge(struct audit_limits *a)
{
	size_t run;

	if (a->n)
		qsort(a->places, a->n, sizeof(*a->places), by_hash);
	for (size_t i = 0; i < a->n; i += run) {
		struct audit_place sum;

		for (run = 1; i + run < a->n && a->places[i].hash == a->places[i + run].hash;)
			run++;
		sum = sum_up(a->places + i, run);
		if (sum.running != sum.counted)
			return "the count of running jobs of a concurrency key is wrong";
		if ((sum.parked > 0) != sum.listed)
			return sum.listed ? "a place is listed where nothing is parked" : "jobs are parked in a place that is not listed";
		if (sum.shut_out && !sum.running && !sum.came_back)
			return "jobs are parked for a concurrency key and nobody will bring them back";
	}
	return NULL;
}
