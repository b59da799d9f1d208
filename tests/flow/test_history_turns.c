/* test_history_turns.c -- turns of the history's writer: no shard waits behind another that has much, and what waits is told rightly. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "queue/queue.h"
#include "store/history.h"
#include "tests/lib/test.h"

static bool slow_put(struct store *s, const struct history_entry *entries, size_t n, int64_t *written_out, struct err *e)
{
	clock_sleep_ms(80);
	return store_history_put(s, entries, n, written_out, e);
}

#define store_history_put slow_put
#include "workers/history.c"
#undef store_history_put
#include "workers/settings.c"

#define BATCHES 12 /* several turns */

struct writer {
	struct settings settings;
	struct shm shm;
	struct history *history;
	struct store *store;
	struct queue *queue;
};

static void writer_open(struct writer *w, enum history_what what)
{
	static char url[400];
	struct settings *s = &w->settings;
	struct err e = {0};

	memset(w, 0, sizeof(*w));
	snprintf(url, sizeof(url), "sqlite:%s/db", test_dir());
	s->values[SET_QUEUE_URL].text = test_redis_own("no")->url;
	s->values[SET_WORKER_NAMESPACE].text = "";
	s->values[SET_HISTORY_TTL].number = INT64_C(86400000);
	s->values[SET_HISTORY_MAX].number = 1000000;
	s->history = what;
	s->job_events = HISTORY_NONE;
	s->n_queues = 2;
	ck_assert(str_copy(s->name, sizeof(s->name), "w:1") && str_copy(s->queues[0], JOB_NAME, "busy") &&
	          str_copy(s->queues[1], JOB_NAME, "calm"));
	w->history = history_open(s, &w->shm);
	w->store = store_open(url, &e);
	ck_assert_msg(w->store != NULL, "%s", e.text);
	w->queue = queue_open(test_redis_own("no")->url, NULL, &e);
	ck_assert_msg(w->queue != NULL, "%s", e.text);
}

static void writer_close(struct writer *w)
{
	history_close(&w->history);
	store_close(&w->store);
	queue_close(&w->queue);
}

/* Submitted and cancelled. */
static void end_jobs(struct writer *w, const char *queue, size_t n)
{
	static struct queue_submission s[QUEUE_BATCH_MAX];
	static struct queue_submitted out[QUEUE_BATCH_MAX];
	struct err e = {0};
	int64_t left;

	for (size_t i = 0; i < n; i++)
		s[i] = (struct queue_submission){.kind = "noop", .queue = queue, .priority = 5};
	ck_ok(queue_submit(w->queue, s, n, out, &e), &e);
	ck_assert_int_eq(queue_purge(w->queue, queue, JOB_READY, QUEUE_BATCH_MAX, &left, &e), (int)n);
}

static void turn(struct writer *w)
{
	struct err e = {0};

	w->history->look_ms = 0;
	ck_ok(history_turn(w->history, w->store, &e), &e);
}

static int64_t rows(struct writer *w)
{
	struct err e = {0};
	int64_t n;

	ck_ok(store_history_count(w->store, &n, &e), &e);
	return n;
}

static int64_t waiting(const struct writer *w)
{
	return atomic_load(&w->shm.stats.history_waiting);
}

START_TEST(a_calm_queue_does_not_wait_behind_a_busy_one)
{
	struct writer w;
	struct history_filter calm = {.state = -1, .queue = "calm"};
	struct arena *a = arena_open();
	struct history_row *found;
	char next[HISTORY_CURSOR];
	struct err e = {0};

	writer_open(&w, HISTORY_ALL);
	for (int i = 0; i < BATCHES; i++)
		end_jobs(&w, "busy", QUEUE_BATCH_MAX);
	end_jobs(&w, "calm", 1);
	turn(&w);
	ck_assert_int_gt(rows(&w), 0);
	ck_assert_int_eq(waiting(&w), BATCHES * QUEUE_BATCH_MAX - rows(&w));
	turn(&w);
	ck_assert_int_eq(store_history_list(w.store, &calm, "", 10, a, &found, next, &e), 1);
	ck_assert_int_gt(waiting(&w), 0);
	for (int i = 0; i < 3 * BATCHES && waiting(&w); i++)
		turn(&w);
	ck_assert_int_eq(rows(&w), BATCHES * QUEUE_BATCH_MAX + 1);
	arena_close(&a);
	writer_close(&w);
}
END_TEST

/* What is no text of ends holds up its own queue only. */
START_TEST(a_damaged_queue_holds_up_no_other)
{
	struct writer w;
	struct err e = {0};

	writer_open(&w, HISTORY_ALL);
	test_redis_tell(test_redis_own("no")->port, "RPUSH {bq:busy:0}:e garbage");
	end_jobs(&w, "calm", 1);
	for (int i = 0; i < 2; i++) {
		w.history->look_ms = 0;
		(void)!history_turn(w.history, w.store, &e);
	}
	ck_assert_int_eq(rows(&w), 1);
	writer_close(&w);
}
END_TEST

/* A shard that comes later is told, too, that nobody wants to know. */
START_TEST(a_new_shard_notes_nothing_either)
{
	struct writer w;
	struct queue_shards n;
	struct err e = {0};

	writer_open(&w, HISTORY_NONE);
	turn(&w);
	ck_ok(queue_set_shards(w.queue, "busy", 3, &n, &e), &e);
	turn(&w);
	for (int i = 0; i < 6; i++)
		end_jobs(&w, "busy", 1);
	for (int i = 0; i < 3; i++)
		ck_assert_str_eq(test_redis_tell(test_redis_own("no")->port, "EXISTS {bq:busy:%d}:e", i), ":0\r\n");
	writer_close(&w);
}
END_TEST

static const TTest *const tests[] = {
        a_calm_queue_does_not_wait_behind_a_busy_one, a_damaged_queue_holds_up_no_other, a_new_shard_notes_nothing_either};
TEST_MAIN("history_turns", tests)
