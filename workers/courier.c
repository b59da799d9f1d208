/* courier.c -- the history, one relay and one subscriber in a loop, each patient with a queue, a store or a broker that is away. */
#include "workers/courier.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "bus/relay.h"
#include "store/cache.h"
#include "workers/child.h"
#include "workers/helpers.h"
#include "workers/history.h"

#define LISTEN_MS    100 /* the longest that an event waits in the outbox while the courier listens */
#define RELAY_MS     200 /* and the longest that the relay goes on with what waits */
#define CONFIRM_MS   5000
#define PATIENCE_MS  500
#define COURIER_NICE 5    /* jobs come first */
#define PATIENCE_MAX 5000 /* what heals is found soon, after however long */

struct courier {
	const struct settings *settings;
	struct shm *shm;
	struct store *store;
	struct bus *bus;
	struct relay *relay;
	struct subscriber *subscriber;
	struct cache *cache;
	struct devbroker *devbroker;
	struct history *history;
	int64_t history_again_ms, relay_again_ms, listen_again_ms;
	int history_failures, relay_failures, listen_failures;
};

static int64_t patience(int failures)
{
	int64_t pause = (int64_t)PATIENCE_MS << (failures < 7 ? failures : 7);
	return pause > PATIENCE_MAX ? PATIENCE_MAX : pause;
}

static const char *brokers(struct courier *c, struct err *e)
{
	const char *given = setting_text(c->settings, KAFKA_BROKERS);
	if (*given != '\0')
		return given;
	if (c->devbroker == NULL) {
		c->devbroker = devbroker_open(1, 3, e);
		if (c->devbroker == NULL)
			return NULL;
		log_info("KAFKA_BROKERS is not set: events go to a development broker inside this worker, at %s, which keeps nothing",
		        devbroker_address(c->devbroker));
	}
	return devbroker_address(c->devbroker);
}

static bool store_ready(struct courier *c, struct err *e)
{
	if (c->store == NULL)
		c->store = store_open(setting_text(c->settings, STORE_URL), e);
	return c->store != NULL;
}

/* ---- ended jobs to the store */

static void courier_history(struct courier *c, int64_t now)
{
	struct err e;
	if (now < c->history_again_ms)
		return;
	if (c->history == NULL)
		c->history = history_open(c->settings, c->shm);
	if (store_ready(c, &e) && history_turn(c->history, c->store, &e)) {
		if (c->history_failures > 0)
			log_info("ended jobs are written into the store again");
		c->history_failures = 0;
		return;
	}
	if (c->history_failures == 0)
		log_warn("ended jobs wait to be written into the store: %s", e.text);
	c->history_again_ms = now + patience(c->history_failures++);
}

/* ---- outbox to Kafka */

static bool relay_ready(struct courier *c, struct err *e)
{
	const char *to = brokers(c, e);
	if (to == NULL)
		return false;
	if (!store_ready(c, e))
		return false;
	if (c->bus == NULL)
		c->bus = bus_open(to, e);
	if (c->relay == NULL && c->bus != NULL)
		c->relay = relay_open(c->store, c->bus, c->settings->name);
	return c->relay != NULL;
}

/* True: some were sent, there may be more. */
static bool courier_relay(struct courier *c, int64_t now)
{
	struct err e;
	int64_t waiting;
	if (now < c->relay_again_ms)
		return false;
	int sent = relay_ready(c, &e) ? relay_turn(c->relay, CONFIRM_MS, &e) : -1;
	if (sent < 0) {
		if (c->relay_failures == 0)
			log_warn("events wait in the outbox: %s", e.text);
		c->relay_again_ms = now + patience(c->relay_failures++);
		return false;
	}
	if (c->relay_failures > 0)
		log_info("events go to Kafka again");
	c->relay_failures = 0;
	if (sent > 0)
		atomic_fetch_add(&c->shm->stats.events_sent, sent);
	if (store_outbox_count(c->store, &waiting, &e))
		atomic_store(&c->shm->stats.events_waiting, waiting);
	return sent > 0;
}

/* ---- Kafka to the cache */

static void listen_end(struct courier *c)
{
	if (c->subscriber != NULL)
		subscriber_close(&c->subscriber);
}

static bool listen_ready(struct courier *c, struct err *e)
{
	static const char *const topics[] = {"kline.changes"};
	const char *from = brokers(c, e);
	if (from == NULL)
		return false;
	if (c->cache == NULL)
		c->cache = cache_open(setting_text(c->settings, CACHE_DIR), setting_number(c->settings, CACHE_BYTES), e);
	if (c->cache != NULL && c->subscriber == NULL)
		c->subscriber = subscriber_open(from, topics, ARRAY_LEN(topics), false, e);
	return c->cache != NULL && c->subscriber != NULL;
}

/* What an event says is hostile until checked. One that cannot be read does no harm: the revision in the store decides. */
static void event_take(struct courier *c, const struct event *ev)
{
	struct err e;
	enum interval iv;
	struct json *data = json_parse(ev->data, strlen(ev->data), &e);
	const char *symbol = json_text(json_get(data, "symbol"));
	const char *interval = json_text(json_get(data, "interval"));
	if (symbol != NULL && symbol_ok(symbol) && interval != NULL && interval_of(interval, &iv))
		cache_forget(c->cache, symbol, iv);
	else
		log_warn("an event on %s names no series and is left aside", ev->topic != NULL ? ev->topic : "?");
	json_close(&data);
}

/* True: an event came, there may be more. */
static bool courier_listen(struct courier *c, int64_t now)
{
	struct err e;
	struct event ev;
	if (now < c->listen_again_ms)
		return false;
	int got = listen_ready(c, &e) ? subscriber_next(c->subscriber, LISTEN_MS, &ev, &e) : -1;
	if (got < 0) {
		if (c->listen_failures == 0)
			log_warn("changes of K-lines are not heard, caches look into the store instead: %s", e.text);
		c->listen_again_ms = now + patience(c->listen_failures++);
		return false;
	}
	if (c->listen_failures > 0 && got == 1)
		log_info("changes of K-lines are heard again");
	if (got == 1) {
		c->listen_failures = 0;
		event_take(c, &ev);
	}
	return got == 1;
}

static void courier_close(struct courier *c)
{
	listen_end(c);
	history_close(&c->history);
	if (c->relay != NULL)
		relay_close(&c->relay);
	if (c->bus != NULL)
		bus_close(&c->bus);
	if (c->cache != NULL)
		cache_close(&c->cache);
	if (c->store != NULL)
		store_close(&c->store);
	if (c->devbroker != NULL)
		devbroker_close(&c->devbroker);
}

int courier_main(void *arg, int fd)
{
	const struct helper_setup *setup = arg;
	struct courier c = {.settings = setup->settings, .shm = setup->shm};
	UNUSED(fd);
	setpriority(PRIO_PROCESS, 0, COURIER_NICE);
	while (!child_asked_to_end()) {
		int64_t began = clock_mono_ms();
		courier_history(&c, began);
		while (courier_relay(&c, clock_mono_ms()) && clock_mono_ms() - began < 2 * RELAY_MS)
			;
		/* A burst of changes is heard at once, but never keeps the outbox waiting for long. */
		while (courier_listen(&c, clock_mono_ms()) && clock_mono_ms() - began < 2 * LISTEN_MS)
			;
		if (clock_mono_ms() - began < LISTEN_MS && !child_asked_to_end())
			clock_sleep_ms(LISTEN_MS - (clock_mono_ms() - began));
	}
	courier_history(&c, clock_mono_ms());
	courier_relay(&c, clock_mono_ms());
	courier_close(&c);
	return 0;
}
