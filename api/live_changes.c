/* live_changes.c -- the live stream of all changes of state: out of every queue into one ring, in one order, out of it to listeners.
 *
 * The changes of each shard of a queue stand in a list of its own. A round reads them one after the other and takes over only what is older than the
 * moment when the first was read: of that nothing more can come from any of them, so the order (time, queue, shard, place) is the same for
 * everybody and a place in it, which is the event's id, is enough to go on after it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/all_queues.h"
#include "api/live_private.h"
#include "base/str.h"

#define RING      65536
#define OUT_BYTES (64 * 1024)
#define AT_ONCE   (RING / 4) /* then the listeners have their turn */

/* A place in the order of all changes. */
struct place {
	int64_t at, seq;
	char queue[JOB_NAME];
	int shard, index;
};

struct change {
	struct place place;
	char id[JOB_ID], kind[JOB_NAME];
	enum job_state state;
};

struct source {
	char queue[JOB_NAME];
	int shard;
	bool late;                   /* its queue was listened to before it was there: something may have been missed */
	char after[QUEUE_CHANGE_ID]; /* the last entry taken over; "": not read yet */
	/* of a round */
	bool first;
	struct queue_changes got;
};

struct live_changes {
	struct source **sources; /* each stays where it is while more are found */
	size_t n_sources, sources_cap;
	struct change *ring; /* NULL until somebody listens */
	int64_t next;        /* number of the next change; ring[n % RING] holds change n */
	int64_t oldest;      /* number of the first that is held without a gap after it */
	struct place lost;   /* up to here something may be missing */
	/* of a round */
	struct change *taken;
	size_t n_taken, taken_cap;
};

struct live_changes *live_changes_new(void)
{
	return mem_new(sizeof(struct live_changes));
}

void live_changes_free(struct live_changes **c)
{
	if (!*c)
		return;
	while ((*c)->n_sources > 0)
		mem_free(&(*c)->sources[--(*c)->n_sources]);
	mem_free(&(*c)->sources);
	mem_free(&(*c)->ring);
	mem_free(&(*c)->taken);
	mem_free(c);
}

static int place_cmp(const struct place *a, const struct place *b)
{
	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	if (a->seq != b->seq)
		return a->seq < b->seq ? -1 : 1;
	int by_queue = strcmp(a->queue, b->queue);
	if (by_queue || a->shard != b->shard)
		return by_queue ? by_queue : a->shard < b->shard ? -1 : 1;
	return (a->index > b->index) - (a->index < b->index);
}

/* "<ms>-<number>-<index>-<shard>-<queue>" */
static bool place_read(const char *text, struct place *out)
{
	int64_t numbers[4];
	char part[24];

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		size_t len = strcspn(text, "-");

		if (text[len] != '-' || !str_copy_n(part, sizeof part, text, len) ||
		        !str_int(part, 0, i < 2 ? INT64_MAX : INT32_MAX, &numbers[i]))
			return false;
		text += len + 1;
	}
	out->at = numbers[0];
	out->seq = numbers[1];
	out->index = (int)numbers[2];
	out->shard = (int)numbers[3];
	return job_queue_ok(text) && str_copy(out->queue, sizeof out->queue, text);
}

/* ---- the ring; with the lock held -------------------------------------------------------------------------------- */

static void ring_add(struct live_changes *c, const struct change *x)
{
	struct change *slot = &c->ring[c->next % RING];

	if (c->next - c->oldest == RING) {
		c->lost = slot->place;
		c->oldest++;
	}
	*slot = *x;
	c->next++;
}

/* Something is missing before `at`: who stood before it has missed it. */
static void ring_gap(struct live_changes *c, int64_t at)
{
	c->lost = (struct place){.at = at};
	c->next++;
	c->oldest = c->next;
}

static void missed(struct buf *out)
{
	live_event(out, NULL, "missed", "{\"detail\":\"changes were missed: look at the jobs themselves, then go on from here\"}");
}

/* Where a listener begins: after the change that it saw last, or now. One that was away for too long is told so. */
static void listener_place(struct live_changes *c, struct live_listener *x)
{
	struct place last;

	buf_adds(&x->out, ": listening\n\n");
	x->at = c->next;
	if (!place_read(x->last_id, &last))
		return;
	if (place_cmp(&last, &c->lost) < 0) {
		missed(&x->out);
		return;
	}
	while (x->at > c->oldest && place_cmp(&c->ring[(x->at - 1) % RING].place, &last) > 0)
		x->at--;
}

static bool wanted(const struct live_listener *x, const struct change *ch)
{
	const struct live_filter *f = &x->filter;

	return ch->place.at >= x->since_ms && (f->state < 0 || f->state == (int)ch->state) &&
	       (!*f->queue || str_eq(f->queue, ch->place.queue)) && (!*f->kind || str_eq(f->kind, ch->kind));
}

static void change_write(struct buf *out, const struct change *ch)
{
	struct buf data = {0};
	struct json_writer w = json_writer_on(&data);
	char id[128];

	jw_object(&w, NULL);
	jw_int(&w, "at", ch->place.at);
	jw_text(&w, "id", ch->id);
	jw_text(&w, "queue", ch->place.queue);
	jw_text(&w, "kind", ch->kind);
	jw_text(&w, "state", job_state_name(ch->state));
	jw_end(&w);
	snprintf(id, sizeof id, "%lld-%lld-%d-%d-%s", (long long)ch->place.at, (long long)ch->place.seq, ch->place.index, ch->place.shard,
	        ch->place.queue);
	live_event(out, id, "change", buf_text(&data));
	buf_close(&data);
}

/* Who is too slow for the ring is told and let go: it has to look at the jobs themselves again. */
void live_changes_write(struct live_listener *x, struct buf *out)
{
	struct live_changes *c = x->live->changes;

	if (x->at < 0)
		return;
	if (x->at < c->oldest) {
		missed(out);
		x->over = true;
		return;
	}
	for (; x->at < c->next && out->len < OUT_BYTES; x->at++)
		if (wanted(x, &c->ring[x->at % RING]))
			change_write(out, &c->ring[x->at % RING]);
}

/* ---- reading the queues --------------------------------------------------------------------------------------------- */

static void source_add(struct live_changes *c, const char *queue, int shard, bool late)
{
	struct source *s;

	for (size_t i = 0; i < c->n_sources; i++)
		if (c->sources[i]->shard == shard && str_eq(c->sources[i]->queue, queue))
			return;
	if (c->n_sources == c->sources_cap) {
		size_t cap = c->sources_cap ? c->sources_cap * 2 : 64;

		c->sources = mem_grow(c->sources, c->sources_cap, cap, sizeof(*c->sources));
		c->sources_cap = cap;
	}
	s = mem_new(sizeof(*s));
	s->shard = shard;
	s->late = late;
	snprintf(s->queue, sizeof(s->queue), "%s", queue);
	c->sources[c->n_sources++] = s;
}

/* The queues that exist or that a kind uses, and those that are asked for by name though they do not exist yet. */
static bool find_sources(struct live *l, struct err *e)
{
	char(*names)[JOB_NAME] = NULL;
	int n = all_queues(l->queue, &names, e);

	for (int i = 0; i < n; i++)
		source_add(l->changes, names[i], 0, false);
	mem_free(&names);
	pthread_mutex_lock(&l->lock);
	for (const struct live_listener *x = l->first; x; x = x->next)
		if (x->what == LIVE_CHANGES && *x->filter.queue)
			source_add(l->changes, x->filter.queue, 0, false);
	pthread_mutex_unlock(&l->lock);
	return n >= 0;
}

static void take(struct live_changes *c, const struct source *s, const struct queue_change *q)
{
	if (c->n_taken == c->taken_cap) {
		size_t cap = c->taken_cap ? c->taken_cap * 2 : 256;

		c->taken = mem_grow(c->taken, c->taken_cap, cap, sizeof *c->taken);
		c->taken_cap = cap;
	}
	struct change *x = &c->taken[c->n_taken++];
	*x = (struct change){.place = {.at = q->at, .seq = q->seq, .shard = s->shard, .index = q->index}, .state = q->state};
	memcpy(x->place.queue, s->queue, sizeof x->place.queue);
	memcpy(x->id, q->id, sizeof x->id);
	memcpy(x->kind, q->kind, sizeof x->kind);
}

static int by_place(const void *a, const void *b)
{
	return place_cmp(&((const struct change *)a)->place, &((const struct change *)b)->place);
}

/* Read each once; *until_out: what is older is complete. Returns how many were read; fewer than there are: e. */
static size_t read_all(struct live *l, int64_t *until_out, bool *more_out, struct err *e)
{
	struct live_changes *c = l->changes;
	size_t n = 0;

	*until_out = INT64_MAX;
	*more_out = false;
	for (; n < c->n_sources; n++) {
		struct source *s = c->sources[n];
		struct queue_changes *got = &s->got;

		s->first = !s->after[0];
		if (!queue_changes(l->queue, s->queue, s->shard, s->after, got, e))
			break;
		for (int i = 1; i < got->shards; i++)
			source_add(c, s->queue, i, !s->first);
		if (got->now < *until_out)
			*until_out = got->now;
		if (got->more && got->items[got->n - 1].at < *until_out)
			*until_out = got->items[got->n - 1].at;
		*more_out = *more_out || got->more;
	}
	return n;
}

static void take_over(struct live_changes *c, int64_t until)
{
	c->n_taken = 0;
	for (size_t i = 0; i < c->n_sources; i++) {
		struct source *s = c->sources[i];
		struct queue_changes *got = &s->got;

		if (got->gap || s->first)
			memcpy(s->after, got->after, sizeof s->after);
		for (size_t k = 0; k < got->n && got->items[k].at < until; k++) {
			take(c, s, &got->items[k]);
			memcpy(s->after, got->items[k].entry, sizeof s->after);
		}
	}
	if (c->n_taken)
		qsort(c->taken, c->n_taken, sizeof *c->taken, by_place);
}

/* With the lock held. A queue that is read for the first time loses nothing: its list was begun by this or before. A shard that was added
 * to it while we listened may have. */
static void publish(struct live *l)
{
	struct live_changes *c = l->changes;
	int64_t now = 0;

	if (!c->ring)
		c->ring = mem_array(RING, sizeof *c->ring);
	for (size_t i = 0; i < c->n_sources; i++) {
		const struct source *s = c->sources[i];

		if (s->got.gap || (s->first && s->late))
			ring_gap(c, s->got.since);
		else if (s->first && s->got.since > c->lost.at)
			c->lost = (struct place){.at = s->got.since};
		now = s->got.now > now ? s->got.now : now;
	}
	for (size_t i = 0; i < c->n_taken; i++)
		ring_add(c, &c->taken[i]);
	for (struct live_listener *x = l->first; x; x = x->next)
		if (x->what == LIVE_CHANGES && x->at < 0 && !x->since_ms && !*x->last_id)
			x->since_ms = now;
}

static void place_listeners(struct live *l)
{
	pthread_mutex_lock(&l->lock);
	for (struct live_listener *x = l->first; x; x = x->next)
		if (x->what == LIVE_CHANGES && x->at < 0)
			listener_place(l->changes, x);
	pthread_mutex_unlock(&l->lock);
}

static bool read_once(struct live *l, bool *more_out, struct err *e)
{
	int64_t until;
	size_t n = read_all(l, &until, more_out, e);
	bool ok = n == l->changes->n_sources;

	if (ok) {
		take_over(l->changes, until);
		pthread_mutex_lock(&l->lock);
		publish(l);
		pthread_mutex_unlock(&l->lock);
	}
	for (size_t i = 0; i < n; i++)
		queue_changes_close(&l->changes->sources[i]->got);
	return ok;
}

bool live_changes_round(struct live *l, struct err *e)
{
	bool more = true;

	if (!find_sources(l, e))
		return false;
	for (size_t taken = 0; more && taken < AT_ONCE; taken += l->changes->n_taken)
		if (!read_once(l, &more, e))
			return false;
	l->again = l->again || more;
	place_listeners(l);
	return true;
}
