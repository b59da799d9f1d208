/* checker.c -- judges a history of jobs under faults; see checker.h. */
#include "tests/chaos/checker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "job/job.h"
#include "queue/queue.h"

#define RUNS_MAX 16 /* executions of one job that go on at the same time; more are counted as overlaps all the same */

enum what {
	W_ATTEMPT,
	W_ACCEPT,
	W_REFUSE,
	W_CLAIM,
	W_START,
	W_EFFECT,
	W_STOP,
	W_END,
	W_REJECT,
	W_KILL,
	W_DEAD,
	W_FINAL,
	W_GONE,
	W_DONE,
	W_FAULT,
	W_PROBE,
	W_LEAK,
	W_SPARE,
	W_COUNT
};

static const char *const names[W_COUNT] = {"attempt", "accept", "refuse", "claim", "start", "effect", "stop", "end", "reject", "kill",
        "dead", "final", "gone", "done", "fault", "probe", "leak", "spare"};

struct event {
	int64_t us, fence, more;
	int pid, parent;
	enum what what;
	size_t order; /* in the file: events of one microsecond stay as they were written */
	const char *id;
	struct subject *job; /* NULL: it is about no job */
};

struct run {
	int64_t fence;
	int pid, parent;
};

/* What is known of one job. */
struct subject {
	const char *id;
	bool attempted, accepted, refused, spared, gone;
	int state; /* at the very end; -1: not told */
	int64_t effects, ends, top_fence, end_fence;
	int64_t accepted_us;
	int64_t killed_us, killed_fence; /* who ran it died then; 0: nobody did, or it was claimed again */
	struct run runs[RUNS_MAX];
	int n_runs;
};

/* One beginning of one claim. */
struct begun {
	const char *id;
	int64_t fence;
};

struct checker {
	struct event *events;
	size_t n, cap;
	struct subject *jobs;
	size_t n_jobs;
	int64_t *recoveries, *probes;
	struct begun *begun;
	size_t n_recoveries, n_probes, n_begun;
	int64_t done; /* -1: not told */
	bool finals;
	struct chaos_verdict *v;
};

/* ---- reading */

static bool what_of(const char *name, enum what *out)
{
	for (int i = 0; i < W_COUNT; i++)
		if (strcmp(names[i], name) == 0) {
			*out = (enum what)i;
			return true;
		}
	return false;
}

/* Seven words, neither more nor fewer. */
static bool event_read(char *line, struct event *ev)
{
	char *words[7], *rest = line;
	int64_t pid, parent;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if ((words[i] = strsep(&rest, " ")) == NULL || *words[i] == '\0')
			return false;
	if (rest != NULL || !what_of(words[1], &ev->what) || !str_int(words[0], 0, INT64_MAX, &ev->us) ||
	        !str_int(words[3], INT64_MIN, INT64_MAX, &ev->fence) || !str_int(words[4], INT64_MIN, INT64_MAX, &ev->more) ||
	        !str_int(words[5], 0, INT32_MAX, &pid) || !str_int(words[6], 0, INT32_MAX, &parent))
		return false;
	ev->id = words[2];
	ev->pid = (int)pid;
	ev->parent = (int)parent;
	return true;
}

static void events_read(struct checker *c, char *text)
{
	char *line, *rest = text;
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (*line == '\0')
			continue;
		if (c->n == c->cap) {
			size_t cap = c->cap ? c->cap * 2 : 4096;
			c->events = mem_grow(c->events, c->cap, cap, sizeof(*c->events));
			c->cap = cap;
		}
		struct event *ev = &c->events[c->n];
		*ev = (struct event){.order = c->n};
		if (event_read(line, ev))
			c->n++;
		else
			c->v->nonsense++;
	}
}

static int by_time(const void *a, const void *b)
{
	const struct event *x = a, *y = b;
	if (x->us != y->us)
		return x->us < y->us ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static int by_id(const void *a, const void *b)
{
	const struct event *const *x = a, *const *y = b;
	return strcmp((*x)->id, (*y)->id);
}

/* Each event of a job gets its subject. */
static void subjects_make(struct checker *c)
{
	struct event **sorted = mem_array(c->n + 1, sizeof(*sorted));
	size_t n = 0;
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->events[i].id, "-") != 0)
			sorted[n++] = &c->events[i];
	qsort(sorted, n, sizeof(*sorted), by_id);
	c->jobs = mem_array(n + 1, sizeof(*c->jobs));
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || strcmp(sorted[i - 1]->id, sorted[i]->id) != 0)
			c->jobs[c->n_jobs++] = (struct subject){.id = sorted[i]->id, .state = -1};
		sorted[i]->job = &c->jobs[c->n_jobs - 1];
	}
	mem_free(&sorted);
}

/* ---- living through it */

static void example(struct checker *c, const char *id, const char *what)
{
	if (c->v->example[0] == '\0')
		snprintf(c->v->example, sizeof(c->v->example), "%s %s", id, what);
}

static void run_end(struct subject *j, const struct event *ev)
{
	for (int i = 0; i < j->n_runs; i++)
		if (j->runs[i].fence == ev->fence && j->runs[i].pid == ev->pid) {
			j->runs[i] = j->runs[--j->n_runs];
			return;
		}
}

/* Somebody has it again. Other systems' histories have no fences: 0. */
static void recovered(struct checker *c, struct subject *j, const struct event *ev)
{
	if (j->killed_us == 0 || (ev->fence != 0 && ev->fence <= j->killed_fence))
		return;
	c->recoveries[c->n_recoveries++] = (ev->us - j->killed_us) / 1000;
	j->killed_us = 0;
}

static void run_start(struct checker *c, struct subject *j, const struct event *ev)
{
	c->v->executions++;
	c->v->overlaps += j->n_runs > 0;
	c->begun[c->n_begun++] = (struct begun){j->id, ev->fence};
	if (j->n_runs < RUNS_MAX)
		j->runs[j->n_runs++] = (struct run){.fence = ev->fence, .pid = ev->pid, .parent = ev->parent};
}

/* A process and, unless it was only found dead, its children are no more. */
static void process_dies(struct checker *c, const struct event *ev)
{
	for (size_t i = 0; i < c->n_jobs; i++) {
		struct subject *j = &c->jobs[i];
		for (int k = j->n_runs - 1; k >= 0; k--) {
			if (j->runs[k].pid != ev->more && j->runs[k].parent != ev->more)
				continue;
			j->killed_fence = j->runs[k].fence > j->killed_fence ? j->runs[k].fence : j->killed_fence;
			j->runs[k] = j->runs[--j->n_runs];
			if (j->killed_us == 0 && j->ends == 0)
				j->killed_us = ev->us;
		}
	}
}

static bool is_last_end(int64_t outcome)
{
	return outcome == ACK_DONE || outcome == ACK_CANCELLED;
}

static void fence_seen(struct subject *j, int64_t fence)
{
	if (fence > j->top_fence)
		j->top_fence = fence;
}

static void job_event(struct checker *c, struct subject *j, const struct event *ev)
{
	switch (ev->what) {
	case W_ATTEMPT:
		j->attempted = true;
		break;
	case W_ACCEPT:
		j->accepted = true;
		j->accepted_us = ev->us;
		break;
	case W_REFUSE:
		j->refused = true;
		break;
	case W_SPARE:
		j->spared = true;
		break;
	case W_CLAIM:
		fence_seen(j, ev->fence);
		recovered(c, j, ev);
		break;
	case W_START:
		fence_seen(j, ev->fence);
		recovered(c, j, ev);
		run_start(c, j, ev);
		break;
	case W_EFFECT:
		j->effects++;
		run_end(j, ev);
		break;
	case W_STOP:
		run_end(j, ev);
		break;
	case W_END:
		j->ends += is_last_end(ev->more);
		if (is_last_end(ev->more) && (j->end_fence == 0 || ev->fence < j->end_fence))
			j->end_fence = ev->fence;
		break;
	case W_REJECT:
		c->v->rejected++;
		break;
	case W_FINAL:
		j->state = (int)ev->more;
		c->finals = true;
		break;
	case W_GONE:
		j->gone = true;
		c->finals = true;
		break;
	case W_KILL:
	case W_DEAD:
	case W_DONE:
	case W_FAULT:
	case W_PROBE:
	case W_LEAK:
	case W_COUNT:
		break;
	}
}

static void other_event(struct checker *c, const struct event *ev)
{
	c->v->kills += ev->what == W_KILL;
	c->v->faults += ev->what == W_FAULT;
	c->v->leaks += ev->what == W_LEAK;
	if (ev->what == W_KILL || ev->what == W_DEAD)
		process_dies(c, ev);
	if (ev->what == W_DONE)
		c->done = ev->more;
	if (ev->what == W_PROBE && ev->more < 0)
		c->v->wedges++;
	else if (ev->what == W_PROBE)
		c->probes[c->n_probes++] = ev->more;
}

/* ---- judging */

static bool job_ended(const struct checker *c, const struct subject *j)
{
	if (!c->finals)
		return j->effects > 0;
	return j->state >= 0 && job_state_is_end((enum job_state)j->state);
}

static void judge_end(struct checker *c, const struct subject *j)
{
	struct chaos_verdict *v = c->v;
	bool succeeded = !c->finals || j->state == JOB_SUCCEEDED;
	v->ended++;
	v->recovered += j->attempted && !j->accepted;
	if (!succeeded && !j->spared) {
		v->failed++;
		example(c, j->id, "ended otherwise than it should have");
	}
	if (succeeded && j->effects == 0) {
		v->effectless++;
		example(c, j->id, "succeeded without having run to its end");
	}
}

/* Events stand in the order of time. */
static int64_t until_fault(const struct checker *c, int64_t us)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->events[i].what == W_FAULT && c->events[i].us >= us)
			return c->events[i].us - us;
	return 0;
}

static void judge_loss(struct checker *c, const struct subject *j)
{
	int64_t ms = until_fault(c, j->accepted_us) / 1000;
	c->v->lost++;
	c->v->loss_ms = ms > c->v->loss_ms ? ms : c->v->loss_ms;
	example(c, j->id, j->gone ? "was accepted and is gone" : "was accepted and did not end");
}

static void judge(struct checker *c, const struct subject *j)
{
	struct chaos_verdict *v = c->v;
	bool ended = job_ended(c, j);
	v->attempted += j->attempted;
	v->accepted += j->accepted;
	v->refused += j->refused && !j->accepted;
	v->spared += j->spared;
	v->effects += j->effects;
	v->duplicated += j->effects > 1;
	if (ended)
		judge_end(c, j);
	if (j->accepted && !ended)
		judge_loss(c, j);
	if (!j->attempted && (j->top_fence > 0 || j->effects > 0 || j->ends > 0 || ended)) {
		v->unexpected++;
		example(c, j->id, "was never submitted");
	}
	if (j->ends > 1) {
		v->double_ends++;
		example(c, j->id, "ended more than once");
	}
	if (j->ends > 0 && j->end_fence < j->top_fence) {
		v->stale_ends++;
		example(c, j->id, "was ended by an older claim than its last");
	}
}

static int by_claim(const void *a, const void *b)
{
	const struct begun *x = a, *y = b;
	int c = strcmp(x->id, y->id);
	return c != 0 ? c : x->fence < y->fence ? -1 : x->fence > y->fence;
}

/* A fence is one claim's. Other systems' histories have none: 0. */
static void judge_claims(struct checker *c)
{
	qsort(c->begun, c->n_begun, sizeof(*c->begun), by_claim);
	for (size_t i = 1; i < c->n_begun; i++) {
		if (c->begun[i].fence == 0 || by_claim(&c->begun[i - 1], &c->begun[i]) != 0)
			continue;
		c->v->twice++;
		example(c, c->begun[i].id, "was begun twice under one claim");
	}
}

static int compare_int(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

static void quantiles(int64_t *values, size_t n, struct chaos_quantiles *out)
{
	qsort(values, n, sizeof(*values), compare_int);
	*out = (struct chaos_quantiles){.n = (int64_t)n};
	if (n == 0)
		return;
	out->p50 = values[(n - 1) / 2];
	out->p99 = values[(size_t)((double)(n - 1) * 0.99)];
	out->worst = values[n - 1];
}

void chaos_check(char *text, size_t len, struct chaos_verdict *out)
{
	struct checker c = {.v = out, .done = -1};
	memset(out, 0, sizeof(*out));
	if (len > 0)
		events_read(&c, text);
	if (c.n > 0)
		qsort(c.events, c.n, sizeof(*c.events), by_time);
	subjects_make(&c);
	c.recoveries = mem_array(c.n + 1, sizeof(*c.recoveries));
	c.probes = mem_array(c.n + 1, sizeof(*c.probes));
	c.begun = mem_array(c.n + 1, sizeof(*c.begun));
	for (size_t i = 0; i < c.n; i++) {
		if (c.events[i].job != NULL)
			job_event(&c, c.events[i].job, &c.events[i]);
		other_event(&c, &c.events[i]);
	}
	for (size_t i = 0; i < c.n_jobs; i++)
		judge(&c, &c.jobs[i]);
	judge_claims(&c);
	if (c.done >= 0)
		out->miscounted = c.done > out->ended ? c.done - out->ended : out->ended - c.done;
	quantiles(c.recoveries, c.n_recoveries, &out->recovery);
	quantiles(c.probes, c.n_probes, &out->probe);
	mem_free(&c.recoveries);
	mem_free(&c.probes);
	mem_free(&c.begun);
	mem_free(&c.jobs);
	mem_free(&c.events);
}

bool chaos_is_sound(const struct chaos_verdict *v)
{
	return v->unexpected == 0 && v->double_ends == 0 && v->twice == 0 && v->stale_ends == 0 && v->effectless == 0 &&
	       v->miscounted == 0 && v->leaks == 0 && v->wedges == 0 && v->nonsense == 0;
}
