/* history.c -- from the queue's notes of ended jobs to rows and events, in one transaction for each batch.
 *
 * At least once: a batch is dropped from the queue only after its commit, and who is killed in between is followed by one who writes it
 * again, which changes nothing, since an end is known by its job and time. Writing may lag, it never holds up the queue: when too many
 * ends wait there, the oldest are dropped and counted.
 */
#include "workers/history.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/history.h"

#define TURN_MS    200
#define IDLE_MS    1000
#define SOON_MS    150 /* an end is counted here a little before the queue knows of it */
#define TIMEOUT_MS 2000
#define RECOUNT_MS 60000
#define TRIM_ROWS  2000
#define EVENTS_MAX 200000 /* while so many events wait for Kafka no more are made: the disk is not to fill with them */

/* Of a shard, as was last said; zeros when another writes there. */
struct backlog {
	int64_t waiting, dropped;
};

struct history {
	const struct settings *settings;
	struct shm *shm;
	struct queue *queue;
	struct arena *arena;       /* of one batch */
	int64_t ended;             /* by this worker, when last looked at */
	int64_t look_ms, count_ms; /* not before */
	int64_t rows;              /* in the store, as far as is known */
	int shards[QUEUES_MAX];    /* of each queue, when last asked */
	int told_off[QUEUES_MAX];  /* so many shards know that nobody wants to know */
	size_t first;              /* of all shards, which has its turn next */
	struct backlog backlogs[QUEUES_MAX][QUEUE_SHARDS_MAX];
};

struct history *history_open(const struct settings *s, struct shm *shm)
{
	struct history *h = mem_new(sizeof(*h));
	h->settings = s;
	h->shm = shm;
	h->arena = arena_open();
	return h;
}

void history_close(struct history **h)
{
	if (*h == NULL)
		return;
	queue_close(&(*h)->queue);
	arena_close(&(*h)->arena);
	mem_free(h);
}

static bool queue_ready(struct history *h, struct err *e)
{
	const char *ns = setting_text(h->settings, WORKER_NAMESPACE);
	struct queue_options options = {.timeout_ms = TIMEOUT_MS, .namespace_ = *ns != '\0' ? ns : NULL};
	if (h->queue == NULL)
		h->queue = queue_open(setting_text(h->settings, QUEUE_URL), &options, e);
	return h->queue != NULL;
}

static bool is_wanted(enum history_what what, const struct job *j)
{
	return what == HISTORY_ALL || (what == HISTORY_FAILURES && j->state != JOB_SUCCEEDED);
}

/* ---- the event */

static void put_reason(struct json_writer *w, const struct job *j)
{
	if (j->error.code == ERR_NONE || j->state == JOB_SUCCEEDED)
		return;
	jw_object(w, "error");
	jw_text(w, "code", err_name(j->error.code));
	jw_text(w, "message", j->error.text);
	jw_end(w);
}

static void put_more(struct json_writer *w, const struct job *j)
{
	char url[JOB_ID + 32];
	snprintf(url, sizeof(url), "/api/jobs/%s/result", j->id);
	if (j->state == JOB_SUCCEEDED)
		jw_text(w, "result_url", url);
	if (j->parent[0] != '\0')
		jw_text(w, "parent", j->parent);
	if (j->trace[0] != '\0')
		jw_text(w, "trace", j->trace);
}

static const char *event_data(struct history *h, const struct job *j)
{
	struct buf data = {0};
	struct json_writer w = json_writer_on(&data);
	jw_object(&w, NULL);
	jw_text(&w, "id", j->id);
	jw_text(&w, "kind", j->kind);
	jw_text(&w, "queue", j->queue);
	jw_text(&w, "state", job_state_name(j->state));
	jw_int(&w, "attempt", j->attempt);
	jw_int(&w, "crashes", j->crashes);
	jw_int(&w, "fence", j->fence);
	jw_int(&w, "run_ms", j->started_at > 0 ? j->finished_at - j->started_at : 0);
	jw_int(&w, "created_at", j->created_at);
	jw_int(&w, "started_at", j->started_at);
	jw_int(&w, "finished_at", j->finished_at);
	put_reason(&w, j);
	put_more(&w, j);
	jw_end(&w);
	const char *text = arena_strdup(h->arena, buf_text(&data));
	buf_close(&data);
	return text;
}

/* The id is the end's: told twice, it is still one event. */
static const struct outbox_row *event_of(struct history *h, const struct job *j)
{
	struct outbox_row *row = arena_new(h->arena, sizeof(*row));
	*row = (struct outbox_row){.topic = "job.events", .type = "job.ended.v1", .time_ms = j->finished_at, .data = event_data(h, j)};
	snprintf(row->id, sizeof(row->id), "%s.%lld", j->id, (long long)j->finished_at);
	snprintf(row->key, sizeof(row->key), "%s", j->id);
	return row;
}

/* ---- writing */

static bool batch_write(struct history *h, struct store *store, const struct history_batch *b, struct err *e)
{
	int64_t written;
	arena_reset(h->arena);
	struct history_entry *entries = arena_array(h->arena, b->n + 1, sizeof(*entries));
	size_t n = 0;
	for (size_t i = 0; i < b->n; i++) {
		const struct job *j = &b->jobs[i];
		bool keep = is_wanted(h->settings->history, j), tell = is_wanted(h->settings->job_events, j);
		if (keep || tell)
			entries[n++] = (struct history_entry){.job = j, .keep = keep, .event = tell ? event_of(h, j) : NULL};
	}
	FAILPOINT("history_before_write");
	if (!store_history_put(store, entries, n, &written, e))
		return false;
	FAILPOINT("history_after_write");
	h->rows += written;
	atomic_fetch_add(&h->shm->stats.history_written, written);
	return true;
}

/* One batch of a shard. 1: there may be more; 0: no more, or another's; -1. */
static int batch_move(struct history *h, struct store *store, const struct history_writer *w, struct backlog *log, struct err *e)
{
	struct history_batch b;
	int got = queue_history_take(h->queue, w, QUEUE_BATCH_MAX, &b, e);
	if (got == 0)
		*log = (struct backlog){0};
	if (got <= 0)
		return got;
	int more = b.looked == QUEUE_BATCH_MAX;
	if (b.looked > 0)
		got = batch_write(h, store, &b, e) ? queue_history_drop(h->queue, w, &b, e) : -1;
	FAILPOINT("history_after_drop");
	*log = (struct backlog){.waiting = b.waiting - (got > 0 ? b.looked : 0), .dropped = b.dropped};
	history_batch_close(&b);
	return got > 0 ? more : got;
}

/* Batches of a shard, one at least, until `until`. */
static bool shard_move(struct history *h, struct store *store, size_t queue, int shard, int64_t until, bool *more_out, struct err *e)
{
	struct history_writer w = {
	        .name = h->settings->name, .queue = h->settings->queues[queue], .shard = shard, .what = h->settings->history};
	if (h->settings->job_events > w.what)
		w.what = h->settings->job_events;
	int got = 1;
	do
		got = batch_move(h, store, &w, &h->backlogs[queue][shard], e);
	while (got > 0 && clock_mono_ms() < until);
	*more_out = *more_out || got > 0;
	return got >= 0;
}

/* How many shards all queues have together; 0: failed. */
static size_t shards_ask(struct history *h, struct err *e)
{
	size_t all = 0;
	for (size_t i = 0; i < h->settings->n_queues; i++) {
		struct queue_shards n;
		if (!queue_set_shards(h->queue, h->settings->queues[i], 0, &n, e))
			return 0;
		h->shards[i] = n.serve;
		all += (size_t)n.serve;
	}
	return all;
}

/* Shard after shard, each turn from the one on that the turn before did not come to: what has much, or fails, holds up no other. */
static bool all_move(struct history *h, struct store *store, int64_t until, bool *more_out, struct err *e)
{
	size_t all = shards_ask(h, e), done = 0;
	bool ok = all > 0;
	for (; ok && done < all && (done == 0 || clock_mono_ms() < until); done++) {
		size_t at = (h->first + done) % all, queue = 0;
		while (at >= (size_t)h->shards[queue])
			at -= (size_t)h->shards[queue++];
		ok = shard_move(h, store, queue, (int)at, until, more_out, e);
	}
	*more_out = *more_out || (ok && done < all);
	h->first += done;
	return ok;
}

static void tell_backlog(struct history *h)
{
	struct backlog sum = {0};
	for (size_t i = 0; i < h->settings->n_queues; i++)
		for (int k = 0; k < h->shards[i]; k++) {
			sum.waiting += h->backlogs[i][k].waiting;
			sum.dropped += h->backlogs[i][k].dropped;
		}
	atomic_store(&h->shm->stats.history_waiting, sum.waiting);
	atomic_store(&h->shm->stats.history_dropped, sum.dropped);
}

/* ---- keeping it small */

static bool trim(struct history *h, struct store *store, struct err *e)
{
	int64_t now = clock_mono_ms(), deleted, most = setting_number(h->settings, HISTORY_MAX);
	if (now >= h->count_ms) {
		if (!store_history_trim(store, clock_now_ms() - setting_number(h->settings, HISTORY_TTL), TRIM_ROWS, &deleted, e) ||
		        !store_history_count(store, &h->rows, e))
			return false;
		h->count_ms = now + (deleted < TRIM_ROWS ? RECOUNT_MS : IDLE_MS);
	}
	int64_t over = h->rows - most;
	if (over <= 0)
		return true;
	if (!store_history_trim(store, INT64_MAX, over < TRIM_ROWS ? (int)over : TRIM_ROWS, &deleted, e))
		return false;
	h->rows -= deleted;
	return true;
}

/* ---- turns */

static int64_t ended_here(const struct shm_stats *s)
{
	return atomic_load(&s->done) + atomic_load(&s->failed) + atomic_load(&s->crashed) + atomic_load(&s->cancelled);
}

/* Each shard is told once: another worker may want to know, and takes them on again. */
static bool turn_off(struct history *h, struct err *e)
{
	if (shards_ask(h, e) == 0)
		return false;
	for (size_t i = 0; i < h->settings->n_queues; i++)
		for (; h->told_off[i] < h->shards[i]; h->told_off[i]++) {
			struct history_writer w = {.name = h->settings->name, .queue = h->settings->queues[i], .shard = h->told_off[i]};
			if (!queue_history_off(h->queue, &w, e))
				return false;
		}
	h->look_ms = clock_mono_ms() + IDLE_MS;
	return true;
}

/* Kafka is away for long, or slower than jobs end. */
static bool has_room(struct store *store, bool *out, struct err *e)
{
	int64_t waiting;
	if (!store_outbox_count(store, &waiting, e))
		return false;
	*out = waiting < EVENTS_MAX;
	return true;
}

static bool look(struct history *h, struct store *store, int64_t next_ms, struct err *e)
{
	int64_t until = clock_mono_ms() + TURN_MS;
	bool room = true, more = false, ok = true;
	if (h->settings->job_events != HISTORY_NONE && !has_room(store, &room, e))
		return false;
	if (room)
		ok = all_move(h, store, until, &more, e);
	tell_backlog(h);
	h->look_ms = more ? 0 : clock_mono_ms() + next_ms;
	return ok && (h->settings->history == HISTORY_NONE || trim(h, store, e));
}

bool history_turn(struct history *h, struct store *store, struct err *e)
{
	bool is_off = h->settings->history == HISTORY_NONE && h->settings->job_events == HISTORY_NONE;
	int64_t ended = ended_here(&h->shm->stats);
	if (is_off)
		return clock_mono_ms() < h->look_ms || (queue_ready(h, e) && turn_off(h, e));
	if (ended == h->ended && clock_mono_ms() < h->look_ms)
		return true;
	int64_t next_ms = ended == h->ended ? IDLE_MS : SOON_MS;
	h->ended = ended;
	return queue_ready(h, e) && look(h, store, next_ms, e);
}
