/* test_sim.c -- the function library under random moves, lost connections and leaps of time, judged after each by the rules of job.h.
 *
 * The library that Redis loads runs in a Lua interpreter on a model of Redis whose clock the test moves (tests/lib/redis_sim.h), so that an
 * hour, a dead worker or a day's retention costs nothing and the same seed does the same again:
 *
 *     SIM_SEED=7 SIM_MOVES=100000 build/asan/tests/sim/test_sim
 *
 * SIM_MOVES (1500) moves for each of SIM_SEEDS (1) seeds from SIM_SEED (1) on. A failure names its seed and its move.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/mem.h"
#include "queue/queue.h"
#include "tests/lib/redis_sim.h"
#include "tests/lib/test.h"

#define Q         "q"
#define WORKERS   4
#define HELD_MAX  256
#define JOBS_MAX  65536 /* a power of two */
#define LEASE_MS  15000
#define AUDIT_NTH 150
#define DRAIN_MAX 4000
#define GONE_MAX  2000

static const char *const kinds[] = {"a.kind", "b.kind", "a.kind!", "b.kind!"}; /* with their quarantines */

/* What the test knows of a job. */
struct known {
	char id[JOB_ID];
	int64_t fence; /* of the last claim that anybody was given */
	int holder;    /* worker that was given it; -1: nobody */
	bool ended;    /* its end was accepted, and nobody replayed it since */
	bool starts;   /* the queue was told that its last claim starts, or took it for one that does */
	bool suspect;  /* what its next claim must say, and: */
	int crashes;
};

struct held {
	char id[JOB_ID];
	int64_t fence;
};

struct worker {
	struct queue_link *link; /* NULL: dead */
	char name[32];
	struct held held[HELD_MAX];
	int n;
};

struct world {
	struct redis_sim sim;
	struct queue *q;
	struct queue_options options;
	struct worker workers[WORKERS];
	struct known *jobs; /* by hash of the id */
	int n_jobs, names;
	int losses[2]; /* of claims that were only held, and of those that were known to start */
	uint64_t seed, first_seed;
	int move;
};

#define must(w, expr) ck_assert_msg(expr, "seed %llu, move %d: %s", (unsigned long long)(w)->first_seed, (w)->move, #expr)
#define must_ok(w, expr, e) \
	ck_assert_msg(expr, "seed %llu, move %d: %s: %s", (unsigned long long)(w)->first_seed, (w)->move, #expr, (e)->text)

/* ---- chance and time: what this program and the library in it get is of the seed alone ------------------------------------------ */

#define WALL_S 1800000000 /* what a clock on the wall says all the time; the model of Redis has its own */

static uint64_t chance;           /* of getrandom */
static int64_t mono_us = 1000000; /* of the clock that measures spans: it stands unless the test lets time pass */
static uint64_t trace;            /* of all that was claimed: the same for the same seed */

static uint32_t next(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*seed >> 33);
}

static int roll(struct world *w, int sides)
{
	return (int)(next(&w->seed) % (uint32_t)sides);
}

/* In place of libc's, for the ids of jobs. */
ssize_t getrandom(void *out, size_t len, unsigned flags)
{
	UNUSED(flags);
	for (size_t i = 0; i < len; i++)
		((unsigned char *)out)[i] = (unsigned char)next(&chance);
	return (ssize_t)len;
}

/* In place of libc's: the wall's for the numbers of steps, from which the jitter of retries comes, the other for pauses before connecting
 * again and for what is looked at once a second. */
int clock_gettime(clockid_t id, struct timespec *t)
{
	int64_t us = id == CLOCK_REALTIME ? WALL_S * INT64_C(1000000) : mono_us;

	*t = (struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
	return 0;
}

static void pass(struct world *w, int64_t ms)
{
	mono_us += ms * 1000;
	redis_sim_pass(&w->sim, ms);
}

/* ---- what is known -------------------------------------------------------------------------------------------------------- */

static struct known *known(struct world *w, const char *id)
{
	uint32_t h = 2166136261u;

	for (const char *s = id; *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	for (;; h++) {
		struct known *k = &w->jobs[h & (JOBS_MAX - 1)];
		if (!k->id[0] || str_eq(k->id, id))
			return k;
	}
}

static struct known *any_job(struct world *w)
{
	for (uint32_t at = (uint32_t)roll(w, JOBS_MAX), tried = 0; w->n_jobs > 0 && tried < JOBS_MAX; at++, tried++)
		if (w->jobs[at & (JOBS_MAX - 1)].id[0])
			return &w->jobs[at & (JOBS_MAX - 1)];
	return NULL;
}

static void note_job(struct world *w, const char *id)
{
	struct known *k = known(w, id);

	must(w, !k->id[0]);
	memcpy(k->id, id, JOB_ID);
	k->holder = -1;
	w->n_jobs++;
}

/* ---- submissions ------------------------------------------------------------------------------------------------------------ */

static const char *key_of(struct world *w, char out[32], const char *what, int n)
{
	snprintf(out, 32, "%s%d", what, roll(w, n));
	return out;
}

struct texts {
	char lane[32], unique[32], idem[32], print[32], share[32], trace[32];
};

static struct queue_submission some_job(struct world *w, struct texts *t)
{
	struct queue_submission s = {.kind = kinds[roll(w, 2)],
	        .queue = Q,
	        .params = roll(w, 3) ? NULL : "{\"n\":1}",
	        .priority = roll(w, 3) ? 5 : roll(w, 10),
	        .max_attempts = 1 + roll(w, 3),
	        .max_crashes = 1 + roll(w, 3),
	        .backoff_ms = roll(w, 2) ? 0 : 1 + roll(w, 600000),
	        .held = roll(w, 15) == 0};

	if (roll(w, 2))
		s.lane = key_of(w, t->lane, "lane", 5);
	if (roll(w, 6) == 0)
		s.delay_ms = 1 + roll(w, roll(w, 2) ? 2000 : 3600000);
	if (roll(w, 8) == 0) {
		s.unique_key = key_of(w, t->unique, "unique", 12);
		s.unique = (enum unique_policy)roll(w, UNIQUE_KEEP_NEWEST + 1);
	}
	if (roll(w, 10) == 0) {
		s.idempotency_key = key_of(w, t->idem, "idem", 40);
		s.fingerprint = key_of(w, t->print, "print", 2);
	}
	if (roll(w, 5) == 0 && !(s.unique_key && s.unique == UNIQUE_KEEP_NEWEST)) {
		s.concurrency_key = key_of(w, t->share, "share", 4);
		s.max_concurrent = 1 + t->share[5] - '0'; /* the same for all jobs of a key */
	}
	if (roll(w, 8) == 0) {
		s.rate = (struct job_rate){.limit = 5, .window_ms = 60000, .cost = 1 + roll(w, 3)};
		snprintf(s.rate.key, sizeof(s.rate.key), "rate%d", roll(w, 3));
	}
	if (roll(w, 6) == 0)
		s.trace = key_of(w, t->trace, "trace", 1000);
	if (roll(w, 6) == 0)
		s.time_limit_ms = 1000 + roll(w, 100000);
	if (roll(w, 10) == 0)
		s.result_ttl_ms = 1000 + roll(w, 100000);
	return s;
}

/* Sent again with the same ids when the connection was cut: then each is there once. */
static void send(struct world *w, struct queue_submission *s, int n, struct queue_submitted *out)
{
	struct err e = {0};
	int tries = 0;

	while (!queue_submit(w->q, s, (size_t)n, out, &e))
		must_ok(w, (e.code == ERR_UNSURE || e.code == ERR_UNAVAILABLE) && ++tries < 10, &e);
}

static void move_submit(struct world *w)
{
	struct queue_submission s[8];
	struct queue_submitted out[8];
	struct texts t[8];
	int n = 1 + roll(w, 8);

	if (w->n_jobs + n > JOBS_MAX / 2)
		return;
	for (int i = 0; i < n; i++)
		s[i] = some_job(w, &t[i]);
	send(w, s, n, out);
	for (int i = 0; i < n; i++) {
		/* A cut submission that was done before the cut answers "existing" with its own id. */
		bool ours = out[i].outcome == SUBMIT_NEW || (out[i].outcome == SUBMIT_EXISTING && str_eq(out[i].existing_id, s[i].id));
		if (ours && !known(w, s[i].id)->id[0])
			note_job(w, s[i].id);
		if (!ours && out[i].outcome == SUBMIT_EXISTING)
			must(w, known(w, out[i].existing_id)->id[0]);
	}
}

/* ---- workers ------------------------------------------------------------------------------------------------------------------ */

static void revive(struct world *w, struct worker *d)
{
	struct err e = {0};

	snprintf(d->name, sizeof(d->name), "w%d", w->names++);
	d->n = 0;
	d->link = queue_link_open(w->sim.url, &w->options, Q, d->name, kinds, ARRAY_LEN(kinds), &e);
	must_ok(w, d->link != NULL, &e);
}

static void drop_held(struct worker *d, int i)
{
	d->held[i] = d->held[--d->n];
}

static enum ack_outcome some_outcome(struct world *w)
{
	static const enum ack_outcome often[] = {ACK_DONE, ACK_DONE, ACK_DONE, ACK_ERROR, ACK_ERROR, ACK_CRASHED, ACK_GIVE_BACK, ACK_LATER};

	return often[roll(w, ARRAY_LEN(often))];
}

/* Some of what the worker holds, each once; they leave its hands. */
static size_t some_acks(struct world *w, struct worker *d, struct queue_ack acks[64])
{
	size_t n = 0;

	for (int i = d->n - 1; i >= 0 && n < 64; i--) {
		if (roll(w, 3) == 0)
			continue;
		if (roll(w, 6) == 0) { /* it stays in its hands */
			acks[n] = (struct queue_ack){.fence = d->held[i].fence, .outcome = ACK_STARTS};
			memcpy(acks[n++].id, d->held[i].id, JOB_ID);
			continue;
		}
		acks[n] = (struct queue_ack){.fence = d->held[i].fence, .outcome = some_outcome(w)};
		memcpy(acks[n].id, d->held[i].id, JOB_ID);
		if (acks[n].outcome == ACK_DONE && roll(w, 3) == 0)
			acks[n].result = (char *)(uintptr_t) "{\"ok\":true}";
		if (acks[n].outcome == ACK_ERROR)
			err_set(&acks[n].error, roll(w, 4) ? ERR_IO : ERR_INVALID, "no");
		if (acks[n].outcome == ACK_LATER) {
			err_set(&acks[n].error, ERR_LIMITED, "the exchange says later");
			acks[n].error.retry_after_ms = 1 + roll(w, 90000);
		}
		if (acks[n].outcome == ACK_CRASHED)
			err_set(&acks[n].error, ERR_CRASHED, "killed");
		drop_held(d, i);
		n++;
	}
	return n;
}

/* A worker may hold two claims of one job, and tell both: the older one is rejected. */
static bool is_rejected(const struct queue_step_reply *r, const struct queue_ack *acks, size_t n, const struct queue_ack *a)
{
	size_t rejected = 0, older = 0;

	for (size_t i = 0; i < r->n_rejected; i++)
		rejected += str_eq(r->rejected[i], a->id);
	for (size_t i = 0; i < n; i++)
		older += str_eq(acks[i].id, a->id) && acks[i].fence < a->fence;
	return rejected > older;
}

/* What the end of a claim says of the next one. */
static void judge_end(struct known *k, enum ack_outcome outcome)
{
	k->crashes += outcome == ACK_CRASHED;
	if (outcome != ACK_CRASHED && outcome != ACK_GIVE_BACK)
		k->suspect = false;
}

/* Only the last claim of a job may end it, and once. */
static void judge_acks(struct world *w, const struct queue_ack *acks, size_t n, const struct queue_step_reply *r)
{
	for (size_t i = 0; i < n; i++) {
		struct known *k = known(w, acks[i].id);
		if (is_rejected(r, acks, n, &acks[i]))
			continue;
		must(w, k->fence == acks[i].fence);
		must(w, !k->ended);
		if (acks[i].outcome == ACK_STARTS) {
			k->starts = true;
			continue;
		}
		k->holder = -1;
		k->ended = acks[i].outcome == ACK_DONE;
		judge_end(k, acks[i].outcome);
	}
}

/* What came with a claim is that job's own, also when the answer was lost and given again. */
static void judge_claim(struct world *w, const struct job *claim, const struct worker *d)
{
	struct job j = {0};
	struct err e = {0};

	must_ok(w, queue_show(w->q, claim->id, &j, &e) == 1, &e);
	must(w, j.state == JOB_RUNNING && j.fence == claim->fence && j.started_at > 0 && !j.finished_at);
	must(w, str_eq(j.kind, claim->kind) && str_eq(j.params, claim->params) && j.kind_version == claim->kind_version);
	must(w, j.attempt == claim->attempt && j.crashes == claim->crashes && j.quarantined == claim->quarantined);
	must(w, str_eq(j.trace, claim->trace) && j.time_limit_ms == claim->time_limit_ms && j.hard_limit_ms == claim->hard_limit_ms);
	must(w, str_eq(j.worker, d->name) && j.suspect == claim->suspect);
	job_close(&j);
}

/* A claim of which nobody told the end was lost: that is a crash when it was known to start, and only then. Dead letters that were replayed
 * begin anew. */
static void judge_loss(struct world *w, struct known *k, const struct job *claim)
{
	bool lost = k->fence && k->holder >= 0;

	k->crashes += lost && k->starts;
	k->suspect = k->suspect || (lost && !k->starts);
	w->losses[k->starts] += lost;
	if (k->crashes && !claim->crashes && !claim->quarantined) {
		k->crashes = 0;
		k->suspect = false;
	}
	must(w, claim->crashes == k->crashes);
	must(w, claim->suspect == k->suspect);
}

static void take_claims(struct world *w, struct worker *d, bool held, struct queue_step_reply *r)
{
	for (size_t i = 0; i < r->n_claims; i++) {
		const struct job *j = &r->claims[i].job;
		struct known *k = known(w, j->id);
		must(w, k->id[0]);
		must(w, !k->ended);
		must(w, j->fence > k->fence);
		must(w, d->n < HELD_MAX);
		judge_claim(w, j, d);
		judge_loss(w, k, j);
		k->fence = j->fence;
		k->starts = !held;
		trace = trace * 31 + (uint64_t)j->fence;
		k->holder = (int)(d - w->workers);
		d->held[d->n].fence = j->fence;
		memcpy(d->held[d->n++].id, j->id, JOB_ID);
	}
}

static int call_step(struct queue_link *l, const struct queue_step *s, struct queue_step_reply *r, struct err *e)
{
	int got = queue_link_step_begin(l, s, e) ? 0 : -1;

	while (got == 0) {
		struct pollfd p = {.fd = queue_link_fd(l), .events = POLLIN};
		poll(&p, 1, 50);
		got = queue_link_step_end(l, r, e);
	}
	return got;
}

/* One step, begun again with the same content until it is answered: as a dispatcher does. */
static void step(struct world *w, struct worker *d, int want)
{
	struct queue_ack acks[64];
	struct queue_step s = {
	        .acks = acks, .n_acks = some_acks(w, d, acks), .want = want, .held = roll(w, 2), .lease_ms = LEASE_MS + roll(w, 2)};
	struct queue_step_reply r = {0};
	struct err e = {0};
	int tries = 0;

	while (call_step(d->link, &s, &r, &e) < 0) {
		must_ok(w, ++tries < 500, &e);
		mono_us += 5000; /* the link backs off before it connects again */
	}
	judge_acks(w, acks, s.n_acks, &r);
	take_claims(w, d, s.held, &r);
	queue_step_reply_close(&r);
}

static struct worker *any_worker(struct world *w)
{
	struct worker *d = &w->workers[roll(w, WORKERS)];

	if (!d->link)
		revive(w, d);
	return d;
}

static void move_step(struct world *w)
{
	struct worker *d = any_worker(w);
	int room = HELD_MAX - d->n;

	if (roll(w, 12) == 0)
		redis_sim_cut(&w->sim, 1 + roll(w, 2), roll(w, 2));
	step(w, d, roll(w, room < 24 ? room + 1 : 24));
	redis_sim_cut(&w->sim, 0, 0);
}

static void move_renew(struct world *w)
{
	struct worker *d = any_worker(w);
	struct queue_renewal items[HELD_MAX];
	struct queue_renew_reply r = {0};
	struct err e = {0};
	int got, n = d->n;

	for (int i = 0; i < n; i++) {
		items[i] =
		        (struct queue_renewal){.fence = d->held[i].fence, .progress_json = roll(w, 3) ? NULL : "{\"done\":1,\"total\":2}"};
		memcpy(items[i].id, d->held[i].id, JOB_ID);
		items[i].held = roll(w, 2);
	}
	if (n == 0)
		return;
	must_ok(w, queue_link_renew_begin(d->link, items, (size_t)n, LEASE_MS, &e), &e);
	while (!(got = queue_link_renew_end(d->link, &r, &e))) {
		struct pollfd p = {.fd = queue_link_fd(d->link), .events = POLLIN};
		poll(&p, 1, 50);
	}
	must_ok(w, got == 1, &e);
	/* What is lost may be renewed by nobody; what is not lost is ours and nobody else's. */
	for (int i = d->n - 1; i >= 0; i--) {
		bool lost = false;
		for (size_t k = 0; k < r.n_lost; k++)
			lost = lost || (str_eq(r.lost[k].id, d->held[i].id) && r.lost[k].fence == d->held[i].fence);
		if (!lost) {
			struct known *k = known(w, d->held[i].id);
			must(w, k->fence == d->held[i].fence);
			k->starts = !items[i].held;
		} else if (roll(w, 2))
			drop_held(d, i); /* else it learns it from its acknowledgement */
	}
	queue_renew_reply_close(&r);
}

/* kill -9: what it held is told by nobody. */
static void move_kill(struct world *w)
{
	struct worker *d = &w->workers[roll(w, WORKERS)];

	if (d->link)
		queue_link_close(&d->link);
	d->n = 0;
}

/* ---- people ---------------------------------------------------------------------------------------------------------------------- */

static void move_cancel(struct world *w)
{
	struct known *k = any_job(w);
	enum job_state state;
	struct err e = {0};

	if (k && queue_cancel(w->q, k->id, &state, &e) < 0)
		must_ok(w, e.code == ERR_CONFLICT, &e);
}

static void move_replay(struct world *w)
{
	struct known *k = any_job(w);
	struct err e = {0};
	int got = k ? queue_replay(w->q, k->id, &e) : 0;

	if (got < 0)
		must_ok(w, e.code == ERR_CONFLICT, &e);
	if (got == 1) {
		k->holder = -1;
		k->crashes = 0;
		k->suspect = false;
	}
}

static void move_release(struct world *w)
{
	struct known *k = any_job(w);
	struct err e = {0};

	if (k && queue_release(w->q, k->id, &e) < 0)
		must_ok(w, e.code == ERR_CONFLICT, &e);
}

static void move_prioritize(struct world *w)
{
	struct known *k = any_job(w);
	struct err e = {0};

	if (k && queue_set_priority(w->q, k->id, roll(w, 10), 0, &e) < 0)
		must_ok(w, e.code == ERR_CONFLICT, &e);
}

static void move_purge(struct world *w)
{
	static const enum job_state states[] = {JOB_READY, JOB_SCHEDULED, JOB_WAITING};
	int64_t left;
	struct err e = {0};

	must_ok(w, queue_purge(w->q, Q, states[roll(w, 3)], 1 + roll(w, 5), &left, &e) >= 0, &e);
}

static void move_weight(struct world *w)
{
	char lane[32];
	struct err e = {0};

	key_of(w, lane, "lane", 5);
	must_ok(w, queue_set_weight(w->q, Q, lane, 1 + roll(w, 10), &e), &e);
}

static void move_pause(struct world *w)
{
	struct err e = {0};

	must_ok(w, roll(w, 3) ? queue_resume(w->q, Q, &e) : queue_pause(w->q, Q, &e), &e);
}

static void move_dead(struct world *w)
{
	struct queue_dead_filter f = {.queue = Q, .state = roll(w, 2) ? JOB_DEAD : JOB_FAILED};
	char next[64];
	struct err e = {0};
	int skipped;
	enum queue_dead_act act = roll(w, 4) ? QUEUE_DEAD_REPLAY : QUEUE_DEAD_DELETE;

	must_ok(w, queue_dead_act(w->q, act, &f, "", 1 + roll(w, 20), &skipped, next, &e) >= 0, &e);
}

static void move_time(struct world *w)
{
	static const int64_t leaps[] = {1, 10, 10, 100, 100, 700, 700, 2000, 4000, 16000, 61000};

	pass(w, roll(w, 300) == 0 ? 3600000 : leaps[roll(w, ARRAY_LEN(leaps))]);
}

/* ---- judging ------------------------------------------------------------------------------------------------------------------------ */

static struct queue_audit audit(struct world *w)
{
	struct queue_audit a;
	struct err e = {0};
	int got = queue_audit(w->q, Q, &a, &e);

	ck_assert_msg(got == 1, "seed %llu, move %d: %s%s", (unsigned long long)w->first_seed, w->move, a.problem, got < 0 ? e.text : "");
	return a;
}

static int64_t living(const struct queue_audit *a)
{
	int64_t n = 0;

	for (int s = 0; s <= JOB_DEAD; s++)
		n += job_state_is_end((enum job_state)s) ? 0 : a->by_state[s];
	return n;
}

/* Of the first job that lives, for who looks into a failure. */
static const char *one_living(struct world *w)
{
	static char text[400];

	for (int i = 0; i < JOBS_MAX; i++) {
		struct job j = {0};
		struct err e = {0};
		if (!w->jobs[i].id[0] || queue_show(w->q, w->jobs[i].id, &j, &e) != 1)
			continue;
		snprintf(text, sizeof(text), "%s of kind %s is %s%s%s, waits on %s until %lld, attempt %d, crashes %d", j.id, j.kind,
		        job_state_name(j.state), j.parked ? ", parked" : "", j.quarantined ? ", quarantined" : "", j.waiting_on.reason,
		        (long long)j.waiting_on.until_ms, j.attempt, j.crashes);
		bool lives = !job_state_is_end(j.state);
		job_close(&j);
		if (lives)
			return text;
	}
	return "none of those that are known";
}

/* Every job that was accepted comes to an end when workers live and time passes: nothing is parked for ever. */
static void drain(struct world *w)
{
	struct queue_audit a = audit(w);
	struct err e = {0};
	int64_t left;

	must_ok(w, queue_resume(w->q, Q, &e), &e);
	for (int i = 0; living(&a) > 0; i++) {
		ck_assert_msg(i < DRAIN_MAX, "seed %llu: %lld jobs never end: %s", (unsigned long long)w->first_seed, (long long)living(&a),
		        one_living(w));
		w->move++;
		for (int k = 0; k < WORKERS; k++) {
			struct worker *d = &w->workers[k];
			if (!d->link)
				revive(w, d);
			step(w, d, HELD_MAX - d->n < 64 ? HELD_MAX - d->n : 64);
		}
		pass(w, i % 8 == 7 ? 300000 : 500);
		must_ok(w, queue_purge(w->q, Q, JOB_WAITING, 256, &left, &e) >= 0, &e);
		if (i % 8 == 7)
			a = audit(w);
	}
}

static int64_t n_states(struct world *w)
{
	return redis_sim_fields(&w->sim, "{bq:" Q ":0}:s");
}

/* When their times are over, no state is left of jobs that have gone, however they ended. */
static void all_go(struct world *w)
{
	for (int i = 0; n_states(w) > 0; i++) {
		ck_assert_msg(i < GONE_MAX, "seed %llu: %lld states are left", (unsigned long long)w->first_seed, (long long)n_states(w));
		w->move++;
		pass(w, 3600000);
		step(w, any_worker(w), 0);
	}
	struct queue_audit a = audit(w);
	for (int s = 0; s <= JOB_DEAD; s++)
		must(w, a.by_state[s] == 0);
}

/* ---- the run -------------------------------------------------------------------------------------------------------------------------- */

static const struct {
	int weight;
	void (*move)(struct world *w);
} moves[] = {{20, move_submit}, {40, move_step}, {6, move_renew}, {1, move_kill}, {4, move_cancel}, {2, move_replay}, {2, move_release},
        {3, move_prioritize}, {1, move_purge}, {1, move_pause}, {1, move_weight}, {1, move_dead}, {20, move_time}};

static void move_once(struct world *w)
{
	int sum = 0, at;

	for (size_t i = 0; i < ARRAY_LEN(moves); i++)
		sum += moves[i].weight;
	at = roll(w, sum);
	for (size_t i = 0; i < ARRAY_LEN(moves); i++)
		if ((at -= moves[i].weight) < 0) {
			moves[i].move(w);
			return;
		}
}

/* People may make an ended job run again: what is known of its end is forgotten when it lives. */
static void look_again(struct world *w)
{
	for (int i = 0; i < JOBS_MAX; i++) {
		struct known *k = &w->jobs[i];
		struct job j = {0};
		struct err e = {0};
		if (!k->id[0] || !k->ended)
			continue;
		if (queue_show(w->q, k->id, &j, &e) == 1)
			must(w, j.state == JOB_SUCCEEDED);
		job_close(&j);
	}
}

static void run(uint64_t seed, int n_moves)
{
	struct world *w = mem_new(sizeof(*w));
	struct err e = {0};

	w->seed = w->first_seed = chance = seed;
	w->options.result_ttl_ms = seed % 2 ? 0 : 300000; /* below what is found by sweeping, and above */
	w->jobs = mem_array(JOBS_MAX, sizeof(*w->jobs));
	redis_sim_start(&w->sim);
	w->q = queue_open(w->sim.url, &w->options, &e);
	must_ok(w, w->q != NULL, &e);
	for (w->move = 0; w->move < n_moves; w->move++) {
		move_once(w);
		if (w->move % AUDIT_NTH == AUDIT_NTH - 1)
			audit(w);
	}
	look_again(w);
	must(w, n_moves < 1500 || (w->losses[0] && w->losses[1]));
	drain(w);
	all_go(w);
	for (int i = 0; i < WORKERS; i++)
		if (w->workers[i].link)
			queue_link_close(&w->workers[i].link);
	queue_close(&w->q);
	redis_sim_stop(&w->sim);
	mem_free(&w->jobs);
	mem_free(&w);
}

static int number(const char *name, int fallback)
{
	return getenv(name) ? atoi(getenv(name)) : fallback;
}

START_TEST(random_moves)
{
	int first = number("SIM_SEED", 1), seeds = number("SIM_SEEDS", 1), n = number("SIM_MOVES", 1500);
	int64_t began_us = mono_us;

	for (int i = 0; i < seeds; i++)
		run((uint64_t)(first + i), n);
	mono_us = began_us; /* who runs the test measures it by this clock, too, and not for hours */
	printf("note: %d random moves of the function library, %d seeds from %d, trace %016llx\n", n * seeds, seeds, first,
	        (unsigned long long)trace);
}
END_TEST

static const TTest *const tests[] = {random_moves};
TEST_MAIN("sim", tests)
