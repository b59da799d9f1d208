/* kafka_subscriber.c -- reads all partitions of some topics, without a group: every subscriber sees every event.
 *
 * A partition is started at an absolute offset, asked for once: the end, or the beginning. So nothing after that moment is missed,
 * whatever the broker does meanwhile. A topic or partition that was not there when we first asked was empty at that moment:
 * when it appears it is read from its beginning.
 */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "bus/event.h"
#include "bus/kafka.h"
#include "bus/kafka_private.h"

#define SCAN_MS       5000 /* how often we look for new topics and partitions */
#define SCAN_FIRST_MS 250  /* while positions are not fixed, and while a topic does not exist */
#define ASK_MS        1000 /* the longest that one question to the broker may hold up the caller */
#define ASK_LEAST_MS 300 /* a broker under load needs more than what is left of a short turn */

struct watch {
	char *topic;   /* full name */
	int started;   /* partitions 0 .. started-1 are read */
	bool is_known; /* all that there was at first is started: what comes later is new */
};

struct kafka_subscriber {
	struct kafka *consumer;
	struct watch *watches;
	size_t n;
	bool from_beginning;
	int64_t next_scan_ms;
	char cluster[64];    /* who answered last */
	enum err_code told;  /* the trouble that the caller knows of; it is told again after things went well in between */
	struct arena *arena; /* the texts of the last event */
};

static char *full_name(const char *topic)
{
	struct buf name = {0};
	buf_addf(&name, TOPIC_PREFIX "%s", topic);
	return buf_detach(&name);
}

void *kafka_subscribe(const char *brokers, const char *const *topics, size_t n, bool from_beginning, struct err *e)
{
	if (!kafka_brokers_check(brokers, e))
		return NULL;
	struct kafka *consumer = kafka_consumer_open(brokers, e);
	if (!consumer)
		return NULL;
	struct kafka_subscriber *s = mem_new(sizeof(*s));
	s->consumer = consumer;
	s->from_beginning = from_beginning;
	s->arena = arena_open();
	s->watches = mem_array(n, sizeof(*s->watches));
	for (s->n = 0; s->n < n; s->n++)
		s->watches[s->n].topic = full_name(topics[s->n]);
	return s;
}

void kafka_unsubscribe(void *impl)
{
	struct kafka_subscriber *s = impl;
	kafka_close(&s->consumer);
	for (size_t i = 0; i < s->n; i++)
		mem_free(&s->watches[i].topic);
	mem_free(&s->watches);
	arena_close(&s->arena);
	mem_free(&s);
}

/* ---- positions ------------------------------------------------------------------------------------------------ */

static bool partition_start(struct kafka_subscriber *s, struct watch *w, int timeout_ms, struct err *e)
{
	int64_t offset = KAFKA_BEGINNING;
	bool from_end = !s->from_beginning && !w->is_known;
	if (from_end && !kafka_end(s->consumer, w->topic, w->started, timeout_ms, &offset, e))
		return false;
	if (!kafka_start(s->consumer, w->topic, w->started, offset, e))
		return false;
	w->started++;
	return true;
}

/* Another cluster answers at this address, such as a development broker that was started again: all it has is new to us, and our
 * offsets mean nothing there. */
static void cluster_follow(struct kafka_subscriber *s)
{
	char now[sizeof(s->cluster)];
	kafka_cluster(s->consumer, now, sizeof(now));
	if (!now[0] || str_eq(now, s->cluster))
		return;
	for (size_t i = 0; s->cluster[0] && i < s->n; i++)
		for (struct watch *w = &s->watches[i]; w->started > 0; w->started--)
			kafka_stop(s->consumer, w->topic, w->started - 1);
	strcpy(s->cluster, now);
}

static bool watch_scan(struct kafka_subscriber *s, struct watch *w, int timeout_ms, struct err *e)
{
	int count = kafka_partitions(s->consumer, w->topic, timeout_ms, e);
	if (count < 0)
		return false;
	cluster_follow(s);
	while (w->started < count)
		if (!partition_start(s, w, timeout_ms, e))
			return false;
	w->is_known = true;
	return true;
}

/* Looks for what is new. True: every topic was asked about, what it has is read, and what it will get will be. */
static bool scan(struct kafka_subscriber *s, int timeout_ms, struct err *e)
{
	bool all_exist = true;
	timeout_ms = timeout_ms < ASK_LEAST_MS ? ASK_LEAST_MS : timeout_ms > ASK_MS ? ASK_MS : timeout_ms;
	s->next_scan_ms = clock_mono_ms() + SCAN_FIRST_MS;
	for (size_t i = 0; i < s->n; i++) {
		if (!watch_scan(s, &s->watches[i], timeout_ms, e))
			return false;
		all_exist = all_exist && s->watches[i].started > 0;
	}
	s->next_scan_ms = clock_mono_ms() + (all_exist ? SCAN_MS : SCAN_FIRST_MS);
	s->told = ERR_NONE;
	return true;
}

static bool is_known(const struct kafka_subscriber *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (!s->watches[i].is_known)
			return false;
	return true;
}

bool kafka_ready(void *impl, int timeout_ms, struct err *e)
{
	struct kafka_subscriber *s = impl;
	int64_t deadline = clock_mono_ms() + timeout_ms;
	while (!is_known(s)) {
		int64_t left = deadline - clock_mono_ms();
		if (scan(s, (int)left, e))
			return true;
		left = deadline - clock_mono_ms();
		if (left <= 0)
			return false;
		clock_sleep_ms(left < 50 ? left : 50);
	}
	return true;
}

/* ---- events --------------------------------------------------------------------------------------------------- */

/* A trouble is told once, however often the caller asks while it lasts. */
static int tell(struct kafka_subscriber *s, const struct err *e)
{
	if (s->told == e->code)
		return 0;
	s->told = e->code;
	return -1;
}

static int receive(struct kafka_subscriber *s, int timeout_ms, struct event *out, struct err *e)
{
	struct event_wire wire;
	int got = kafka_receive(s->consumer, timeout_ms, &wire, e);
	if (got < 0)
		return tell(s, e);
	if (got == 0 && kafka_is_down(s->consumer, e)) {
		int64_t soon = clock_mono_ms() + SCAN_FIRST_MS;
		s->next_scan_ms = s->next_scan_ms < soon ? s->next_scan_ms : soon;
		return tell(s, e);
	}
	if (got == 0)
		return 0;
	s->told = ERR_NONE;
	arena_reset(s->arena);
	return event_parse(&wire, s->arena, out, e) ? 1 : -1; /* a bad message is told each time: there is one of each */
}

int kafka_next(void *impl, int timeout_ms, struct event *out, struct err *e)
{
	struct kafka_subscriber *s = impl;
	int64_t deadline = clock_mono_ms() + timeout_ms;
	for (;;) {
		int64_t now = clock_mono_ms(), left = deadline > now ? deadline - now : 0;
		if (now >= s->next_scan_ms && !scan(s, (int)left, e) && tell(s, e) < 0)
			return -1;
		now = clock_mono_ms();
		left = deadline > now ? deadline - now : 0;
		int64_t until_scan = s->next_scan_ms > now ? s->next_scan_ms - now : 0;
		int got = receive(s, (int)(left < until_scan ? left : until_scan), out, e);
		if (got != 0 || clock_mono_ms() >= deadline)
			return got;
	}
}
