/* relay.c -- outbox to Kafka: take the lease, take the oldest rows, publish, mark what was confirmed.
 *
 * Rules: 1. a row is marked only after Kafka confirmed all of its events; 2. rows go out in the order of their commits; 3. who has not
 * the lease sends nothing. A relay that dies between sending and marking causes doubles, never a loss. Events of types that have a
 * state topic go there, too, with the same id: the newest of each key stays there for those who start anew.
 *
 * The lease outlives anything that is under way: a call waits at most SEND_MAX_MS, and the driver gives up what was not stored within
 * 20 s. So when the lease passes to another relay, nothing of the one before is still to be sent, unless it was stopped in mid-air.
 */
#include "bus/relay.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/str.h"

#define LEASE_MS    45000
#define SEND_MAX_MS 20000
#define ROWS_MAX    500

struct relay {
	struct store *store;
	struct bus *bus;
	char *owner;
	bool leased;         /* at the last turn */
	struct arena *arena; /* of one turn */
};

/* The events of some rows, and how many there are up to the end of each row. */
struct batch {
	const struct outbox_row *rows;
	size_t n_rows;
	struct event *events;
	size_t *ends;
	size_t n;
};

struct relay *relay_open(struct store *s, struct bus *b, const char *owner)
{
	struct relay *r = mem_new(sizeof(*r));
	r->store = s;
	r->bus = b;
	r->owner = mem_strdup(owner);
	r->arena = arena_open();
	return r;
}

/* So that the next relay need not wait for the lease to end. What is under way is given up first: nothing of ours may follow. */
static void lease_give_up(struct relay *r)
{
	struct err e;
	if (!r->leased)
		return;
	bus_forget(r->bus);
	if (store_relay_lease(r->store, r->owner, 0, &e) < 0)
		log_warn("the relay's lease could not be given up, the next one waits up to %d s for it: %s", LEASE_MS / 1000, e.text);
}

void relay_close(struct relay **r)
{
	if (!*r)
		return;
	lease_give_up(*r);
	arena_close(&(*r)->arena);
	mem_free(&(*r)->owner);
	mem_free(r);
}

/* A type that events.def does not know, written by a newer Barque, goes to its own topic only. */
static void batch_add(struct batch *b, const struct outbox_row *row)
{
	const struct event_type *type = event_type_of(row->type);
	struct event ev = {.topic = row->topic,
	        .key = row->key,
	        .id = row->id,
	        .type = row->type,
	        .source = EVENT_SOURCE,
	        .subject = row->key,
	        .time_ms = row->time_ms,
	        .data = row->data};
	b->events[b->n++] = ev;
	if (type && type->state_topic[0]) {
		ev.topic = type->state_topic;
		b->events[b->n++] = ev;
	}
	b->ends[b->n_rows++] = b->n;
}

static struct batch batch_of(struct arena *a, const struct outbox_row *rows, size_t n)
{
	struct batch b = {.rows = rows, .events = arena_array(a, 2 * n, sizeof(*b.events)), .ends = arena_array(a, n, sizeof(*b.ends))};
	for (size_t i = 0; i < n; i++)
		batch_add(&b, &rows[i]);
	return b;
}

static size_t rows_confirmed(const struct batch *b, size_t events)
{
	size_t rows = 0;
	while (rows < b->n_rows && b->ends[rows] <= events)
		rows++;
	return rows;
}

static int batch_send(struct relay *r, const struct batch *b, int timeout_ms, struct err *e)
{
	FAILPOINT("relay_before_publish");
	size_t sent = bus_publish(r->bus, b->events, b->n, timeout_ms < SEND_MAX_MS ? timeout_ms : SEND_MAX_MS, e);
	FAILPOINT("relay_after_publish");
	size_t rows = rows_confirmed(b, sent);
	for (size_t i = 0; i < sent; i++)
		metrics_add(METRIC_events_sent_total, b->events[i].topic, 1);
	if (rows == 0)
		return -1;
	if (!store_outbox_sent(r->store, b->rows[rows - 1].seq, e))
		return -1;
	FAILPOINT("relay_after_sent");
	return (int)rows; /* what is left is told by the next turn */
}

int relay_turn(struct relay *r, int timeout_ms, struct err *e)
{
	struct outbox_row *rows;
	int lease = store_relay_lease(r->store, r->owner, LEASE_MS, e);
	r->leased = lease == 1;
	if (lease == 0)
		bus_forget(r->bus); /* another relay sends these now */
	if (lease <= 0)
		return lease;
	arena_reset(r->arena);
	int n = store_outbox_take(r->store, ROWS_MAX, r->arena, &rows, e);
	if (n <= 0)
		return n;
	struct batch b = batch_of(r->arena, rows, (size_t)n);
	return batch_send(r, &b, timeout_ms, e);
}
