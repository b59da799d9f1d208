/* doctor_report.c -- one visit of the doctor: look at the queues and the store, mend if told to, look again, write it down. */
#include <stdio.h>
#include <string.h>

#include "api/doctor.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "queue/doctor.h"
#include "queue/seeing.h"
#include "store/history.h"

#define PAUSE_MS    300              /* between two looks */
#define SERIES_MAX  200              /* of which candles are decoded */
#define HISTORY_MAX 100              /* of the last ends that are compared with the queue */
#define BACKLOG_MS  (10 * 60 * 1000) /* events that wait for longer are told of */

struct visit {
	const struct doctor_tools *tools;
	const struct doctor_wish *wish;
	struct json *findings, *mended, *unmended, *queues;
	int64_t jobs, total;
};

/* ---- what was found -------------------------------------------------------------------------------------------- */

/* A sentence may quote what is in Redis, which may be anything: what is not plain text becomes '?'. */
static void put_plain(struct json *o, const char *key, const char *text)
{
	char plain[300];
	size_t n = 0;

	for (; text[n] && n + 1 < sizeof plain; n++)
		plain[n] = (unsigned char)text[n] < ' ' || (unsigned char)text[n] > '~' ? '?' : text[n];
	plain[n] = '\0';
	json_put_text(o, key, plain);
}

static struct json *finding_json(const char *queue, const char *fault, const char *key, const char *sentence, bool mendable)
{
	struct json *o = json_new_object();

	json_put_text(o, "queue", queue);
	json_put_text(o, "fault", fault);
	put_plain(o, "key", key);
	put_plain(o, "sentence", sentence);
	json_put_bool(o, "mendable", mendable);
	return o;
}

static struct json *of_queue(const char *queue, const struct queue_finding *f)
{
	return finding_json(queue, queue_fault_name(f->fault), f->key, f->text, true);
}

static void of_store(struct visit *v, const char *key, const char *sentence)
{
	json_push(v->findings, finding_json(NULL, "store", key, sentence, false));
	v->total++;
}

/* ---- queues ----------------------------------------------------------------------------------------------------- */

static void is_at(void *user, const char *queue, size_t nth, size_t of)
{
	struct visit *v = user;

	doctor_is_at(v->tools->doctor, queue, (int)nth + 1, (int)of);
}

static bool examine(struct visit *v, struct queue_look *const *looks, size_t n, struct err *e)
{
	struct queue_look_bounds bounds = {.pause_ms = PAUSE_MS,
	        .deadline = v->tools->deadline,
	        .stop = v->tools->stop,
	        .read = n ? doctor_is_at(v->tools->doctor, looks[0]->queue, 1, (int)n) : NULL,
	        .is_at = is_at,
	        .user = v};

	return queue_examine(v->tools->queue, looks, n, &bounds, e);
}

static bool mend_one(struct visit *v, const char *queue, const struct queue_finding *f, struct err *e)
{
	char why[200];
	int done = queue_mend(v->tools->queue, queue, f, v->wish->force, why, e);
	struct json *o;

	/* The queue's own functions may fail over what is damaged: that is no reason to leave all else as it is. */
	if (done < 0 && e->code == ERR_INTERNAL)
		done = snprintf(why, sizeof why, "%.199s", e->text) < 0;
	o = done < 0 ? NULL : of_queue(queue, f);
	if (done > 0) {
		json_push(v->mended, o);
	} else if (done == 0 && *why) {
		put_plain(o, "why", why);
		json_push(v->unmended, o);
	} else {
		json_close(&o); /* it was so no more */
	}
	return done >= 0;
}

/* 1 something was to be mended, 0 nothing, -1 */
static int mend_queue(struct visit *v, const struct queue_look *l, int round, struct err *e)
{
	int any = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (queue_fault_round(l->findings[i].fault) != round)
			continue;
		any = 1;
		if (!mend_one(v, l->queue, &l->findings[i], e))
			return -1;
	}
	return any;
}

/* And another look at those where something was to be mended. */
static bool mend_round(struct visit *v, struct queue_look *const *looks, size_t n, int round, struct err *e)
{
	struct queue_look **again = mem_array(n, sizeof *again);
	size_t n_again = 0;
	bool ok = true;

	for (size_t i = 0; ok && i < n; i++) {
		int any = mend_queue(v, looks[i], round, e);

		ok = any >= 0;
		if (any > 0)
			again[n_again++] = looks[i];
	}
	ok = ok && (!n_again || examine(v, again, n_again, e));
	mem_free(&again);
	return ok;
}

static void note_queue(struct visit *v, const struct queue_look *l)
{
	struct json *o = json_new_object();

	json_put_text(o, "queue", l->queue);
	json_put_int(o, "jobs", l->jobs);
	json_put_int(o, "findings", l->total);
	json_put_bool(o, "counters_compared", !l->moved);
	json_push(v->queues, o);
	for (size_t i = 0; i < l->n; i++)
		json_push(v->findings, of_queue(l->queue, &l->findings[i]));
	v->jobs += l->jobs;
	v->total += l->total;
}

static bool visit_these(struct visit *v, struct queue_look *const *looks, size_t n, struct err *e)
{
	bool ok = examine(v, looks, n, e);

	for (int round = 0; ok && v->wish->mend && round < QUEUE_MEND_ROUNDS; round++)
		ok = mend_round(v, looks, n, round, e);
	for (size_t i = 0; i < n; i++) {
		if (ok)
			note_queue(v, looks[i]);
		queue_look_close(looks[i]);
	}
	return ok;
}

/* All of them together, since what costs most is to find out which keys there are. */
static bool visit_named(struct visit *v, const char (*names)[JOB_NAME], size_t n, struct err *e)
{
	struct queue_look *all = mem_array(n, sizeof *all), **looks = mem_array(n, sizeof *looks);
	bool ok;

	for (size_t i = 0; i < n; i++) {
		memcpy(all[i].queue, names[i], sizeof all[i].queue);
		looks[i] = &all[i];
	}
	ok = visit_these(v, looks, n, e);
	mem_free(&looks);
	mem_free(&all);
	return ok;
}

static bool visit_queues(struct visit *v, struct err *e)
{
	char(*names)[JOB_NAME] = NULL;
	bool ok;
	int n;

	if (*v->wish->queue)
		return visit_named(v, &v->wish->queue, 1, e);
	n = queue_names(v->tools->queue, &names, e);
	ok = n >= 0 && visit_named(v, (const char(*)[JOB_NAME])names, (size_t)n, e);
	mem_free(&names);
	return ok;
}

/* ---- the store -------------------------------------------------------------------------------------------------- */

/* Has the queue a job alive that the history says has ended, and that was not replayed since? */
static bool compare_end(struct visit *v, const struct job *ended, struct err *e)
{
	struct job now = {0};
	int got = queue_show(v->tools->queue, ended->id, &now, e);
	char sentence[200];

	if (got > 0 && !job_state_is_end(now.state) && !(now.timeline && strstr(now.timeline, "replayed"))) {
		snprintf(sentence, sizeof sentence, "the history has the end of job %s (%s), which is %s in the queue and was not replayed",
		        ended->id, job_state_name(ended->state), job_state_name(now.state));
		of_store(v, ended->id, sentence);
	}
	job_close(&now);
	return got >= 0 || e->code == ERR_CORRUPT; /* a record that says nothing is told of by the look at its queue */
}

static bool compare_history(struct visit *v, struct store *s, struct arena *a, struct err *e)
{
	struct history_filter f = {.state = -1};
	struct history_row *rows;
	char next[HISTORY_CURSOR];
	int n = store_history_list(s, &f, "", HISTORY_MAX, a, &rows, next, e);

	for (int i = 0; i < n; i++)
		if (!compare_end(v, &rows[i].job, e))
			return false;
	return n >= 0;
}

static void note_health(struct visit *v, const struct store_health *h, struct json *out)
{
	int64_t age = h->outbox_oldest_ms ? clock_now_ms() - h->outbox_oldest_ms : 0;
	char sentence[200];

	if (*h->problem)
		of_store(v, "", h->problem);
	json_put_bool(out, "checked_whole", h->whole);
	json_put_int(out, "chunks_decoded", h->chunks);
	json_put_int(out, "outbox", h->outbox);
	json_put_int(out, "outbox_oldest_ms", age);
	if (age <= BACKLOG_MS)
		return;
	snprintf(sentence, sizeof sentence,
	        "%lld events wait to be sent, the oldest for %lld minutes: is Kafka up, and a worker with KAFKA_BROKERS set?",
	        (long long)h->outbox, (long long)age / 60000);
	of_store(v, "outbox", sentence);
}

static bool visit_store(struct visit *v, struct json *out, struct err *e)
{
	struct store *s = store_open(v->tools->store_url, e);
	struct store_health h = {0};
	struct arena *a;
	bool ok;

	doctor_is_at(v->tools->doctor, "", 0, 0);
	if (!s && e->code == ERR_CORRUPT) {
		of_store(v, "", e->text);
		return true;
	}
	if (!s)
		return false;
	a = arena_open();
	ok = store_check(s, v->tools->deadline, SERIES_MAX, a, &h, e) >= 0;
	if (ok)
		note_health(v, &h, out);
	ok = ok && (*h.problem || compare_history(v, s, a, e));
	arena_close(&a);
	store_close(&s);
	return ok;
}

/* ---- the report ------------------------------------------------------------------------------------------------- */

static struct json *write_down(struct visit *v, int64_t took_ms, struct json *store)
{
	struct json *o = json_new_object();

	json_put_bool(o, "sound", v->total == 0);
	json_put_int(o, "jobs", v->jobs);
	json_put_int(o, "took_ms", took_ms);
	json_put_int(o, "total", v->total);
	json_put(o, "queues", v->queues);
	json_put(o, "findings", v->findings);
	json_put(o, "mended", v->mended);
	json_put(o, "unmended", v->unmended);
	json_put(o, "store", store);
	return o;
}

struct json *doctor_report(const struct doctor_tools *tools, const struct doctor_wish *wish, struct err *e)
{
	struct visit v = {.tools = tools,
	        .wish = wish,
	        .findings = json_new_array(),
	        .mended = json_new_array(),
	        .unmended = json_new_array(),
	        .queues = json_new_array()};
	struct json *store = *wish->queue ? json_new_null() : json_new_object(), *report;
	int64_t started = clock_mono_ms();
	bool ok = visit_queues(&v, e) && (*wish->queue || visit_store(&v, store, e));

	report = write_down(&v, clock_mono_ms() - started, store);
	if (!ok)
		json_close(&report);
	return report;
}
