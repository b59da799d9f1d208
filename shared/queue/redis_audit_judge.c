/* redis_audit_judge.c -- does each id stand where its record says? The traces of one id, side by side. */
#include <stdlib.h>
#include <string.h>

#include "queue/redis_audit.h"

#define LIST_BATCH 5000

static int by_tail(const void *x, const void *y)
{
	const struct trace *a = x, *b = y;
	int c = memcmp(a->tail, b->tail, QUEUE_TAIL);

	return c ? c : a->what - b->what; /* '!' comes before all letters: the record first */
}

static char place_of(enum job_state s)
{
	static const char places[] = {[JOB_SCHEDULED] = 'd',
	        [JOB_READY] = 'r',
	        [JOB_RUNNING] = 'l',
	        [JOB_RETRYING] = 'd',
	        [JOB_WAITING] = 'h',
	        [JOB_SUCCEEDED] = 0,
	        [JOB_FAILED] = 0,
	        [JOB_CANCELLED] = 0,
	        [JOB_DEAD] = 0};

	return places[s];
}

/* ---- rules ------------------------------------------------------------------------------------------------------------- */

/* Does the record say that its id lies in this lane? */
static bool is_ghost(const struct audit *a, const struct trace *record, const struct trace *t)
{
	return t->what == 'r' && record->ghosts & audit_mark_bit(a->places[t->place].lane);
}

/* Rules of 78_flow.lua. n: t[0] is the record, t[1] perhaps what it waits for. NULL: they hold. */
static const char *judge_waiting(const struct trace *t, size_t n, enum job_state s)
{
	bool has = n > 1 && t[1].what == 'D';

	if (has && s == JOB_SUCCEEDED)
		return "has ended well, but what it waited for is still kept";
	if (has && t[1].state)
		return "does not wait for as many jobs as it counts";
	if (has && !t[0].waits)
		return "does not say that it waits for others, but does";
	if (!has && t[0].waits && s != JOB_SUCCEEDED)
		return "says that it waits for others, but nothing says for which";
	if (has && s == JOB_WAITING && !t[1].waits)
		return "waits for jobs that have all ended";
	return NULL;
}

static bool is_listing(const struct trace *t)
{
	return t->what == 'x' || t->what == 'f' || t->what == 'k';
}

static char listing_of(enum job_state s)
{
	return s == JOB_DEAD ? 'x' : s == JOB_FAILED ? 'f' : s == JOB_CANCELLED ? 'k' : '\0';
}

/* Takes out where it is listed as ended; returns how many traces are left. Of a record that vanished it may be listed for a while. */
static size_t judge_listings(struct audit *a, struct trace *t, size_t n)
{
	bool is_job = t[0].what == '!' && t[0].state >= '0' && t[0].state <= '0' + JOB_DEAD;
	char wanted = is_job ? listing_of((enum job_state)(t[0].state - '0')) : '\0';
	size_t kept = 0;
	bool listed = false;

	for (size_t i = 0; i < n; i++) {
		if (!is_listing(&t[i])) {
			t[kept++] = t[i];
			continue;
		}
		listed = listed || t[i].what == wanted;
		if (is_job && t[i].what != wanted)
			audit_problem(a, FAULT_LISTING, t, &t[i], "is listed among jobs that ended otherwise");
	}
	if (a->look->deep && wanted && !listed)
		audit_problem(a, FAULT_LISTING, t, NULL, "has ended but is not listed among those that ended like it");
	return kept;
}

/* Does it stand where its state says? */
static bool is_in_place(const struct audit *a, const struct trace *record, const struct trace *t, char place)
{
	const struct place *p = t->what == 'q' || t->what == 'r' ? &a->places[t->place] : NULL;

	if (record->parked)
		return place == 'r' && t->what == 'q' && (p->hash == record->at[0] || p->hash == record->at[1]);
	return t->what == place && (place != 'r' || (p->lane == record->lane && p->route == record->place));
}

/* Where it stands: t[first] and those after it. */
static void judge_places(struct audit *a, const struct trace *t, size_t first, size_t n, char place)
{
	size_t ghosts = 0, real = 0;

	for (size_t i = first; i < n; i++) {
		bool ghost = is_ghost(a, t, &t[i]);

		ghosts += ghost;
		real += !ghost;
		if (!ghost && !is_in_place(a, t, &t[i], place)) {
			audit_problem(a, FAULT_PLACE, t, &t[i],
			        place ? "stands in another place than its state says" : "has ended but stands somewhere");
			return;
		}
	}
	if (ghosts != (size_t)__builtin_popcount(t[0].ghosts))
		audit_problem(a, FAULT_PLACE, t, NULL, "has not the ghosts that it says");
	else if (place && !real)
		audit_problem(a, FAULT_PLACE, t, NULL, "stands nowhere");
	for (size_t i = first; real > 1 && i < n; i++) /* nothing here says which of them is wrong */
		audit_problem(a, FAULT_PLACE, t, &t[i], "stands in several places");
}

/* What no record knows. Its retention may have ended while its id still lay in a lane, where it is passed over; a log vanishes in the
 * same moment, but is not looked at in the same. */
static void judge_orphan(struct audit *a, const struct trace *t)
{
	if (t->what == 'L' && !t->ends)
		audit_problem(a, FAULT_ORPHAN, t, t, "has a log that will stay, but no record");
	else if (t->what == 's' && !t->listed && !a->stray_list)
		audit_problem(a, FAULT_ORPHAN, t, t, "has a state that will stay, but no record");
	else if (t->what == 's')
		return;
	else if (t->what != 'L' && t->what != 'r')
		audit_problem(a, FAULT_ORPHAN, t, t, "is held somewhere but has no record");
}

/* t[0] is what is known first of an id, t[n - 1] what is known last. */
static void judge(struct audit *a, struct trace *t, size_t n)
{
	bool has_record = t[0].what == '!';
	const char *waiting;
	size_t rest;
	enum job_state s;

	n = judge_listings(a, t, n);
	if (n == 0)
		return;
	if (!has_record) {
		judge_orphan(a, t);
		return;
	}
	if (t[0].state < '0' || t[0].state > '0' + JOB_DEAD)
		return; /* which was told when it was read */
	s = (enum job_state)(t[0].state - '0');
	if (a->look->deep && !a->stray_list && !t[0].listed)
		audit_problem(a, FAULT_LISTING, t, &(struct trace){.what = 'a'},
		        "does not stand among all jobs, so that it is not shown, nor ever let go");
	a->look->jobs++;
	a->by_state[s]++;
	if (s == JOB_READY && !t[0].parked)
		a->routes[t[0].place].ready++;
	if (t[0].ends != job_state_is_end(s))
		audit_problem(a, FAULT_LIFETIME, t, NULL, t[0].ends ? "lives but will vanish" : "has ended but will never vanish");
	waiting = judge_waiting(t, n, s);
	if (waiting)
		audit_problem(a, FAULT_FLOW, t, NULL, waiting);
	rest = n > 1 && t[1].what == 'D' ? 2 : 1;
	if (rest < n && t[rest].what == 'L') {
		if (!t[0].log || t[rest].ends != t[0].ends)
			audit_problem(a, t[0].log ? FAULT_LIFETIME : FAULT_ORPHAN, t, &t[rest],
			        t[0].log ? "will not vanish together with its log" : "knows nothing of its log");
		rest++;
	}
	judge_places(a, t, rest, n, place_of(s));
}

/* ---- the list of all jobs ---------------------------------------------------------------------------------------------- */

static int tail_of(const void *tail, const void *trace)
{
	return memcmp(tail, ((const struct trace *)trace)->tail, QUEUE_TAIL);
}

/* ids: of T:a or T:o. The traces are in order. */
static void note_listed(struct audit *a, const struct redis_reply *ids)
{
	for (size_t i = 0; i < redis_reply_count(ids); i++) {
		size_t len = 0;
		const char *id = redis_reply_text(redis_reply_at(ids, i), &len);
		struct trace *t = id && len == QUEUE_TAIL ? bsearch(id, a->traces, a->n, sizeof(*t), tail_of) : NULL;

		while (t && t > a->traces && tail_of(id, t - 1) == 0)
			t--;
		for (; t && t < a->traces + a->n && tail_of(id, t) == 0; t++)
			t->listed = true;
	}
}

/* An id moves from T:a to T:o only, so that these are read in this order, and T:a from its end, at which nothing moves. */
static bool read_lists(struct audit *a, struct err *e)
{
	struct buf old = {0};
	struct redis_reply *r = NULL;
	bool more = true, ok = true;

	for (int64_t at = 1; ok && more; at += LIST_BATCH) {
		ok = queue_look_goes_on(a->look, e) && redis_newest_ids(a->q, a->keys_of, at, LIST_BATCH, &r, e);
		more = redis_reply_count(r) == LIST_BATCH;
		note_listed(a, r);
		redis_reply_close(&r);
	}
	buf_addf(&old, "%s:o", a->keys_of->tag);
	ok = ok && audit_command(a, (const char *const[]){"ZRANGE", buf_text(&old), "0", "-1", NULL}, &r, e);
	note_listed(a, r);
	redis_reply_close(&r);
	buf_close(&old);
	return ok;
}

/* ---- all of them ------------------------------------------------------------------------------------------------------- */

/* A look that counts only what others rely on does not read them. */
bool audit_sort_traces(struct audit *a, struct err *e)
{
	if (a->n)
		qsort(a->traces, a->n, sizeof(*a->traces), by_tail);
	if (!a->look->deep || a->stray_list)
		return true;
	return read_lists(a, e);
}

void audit_judge_all(struct audit *a)
{
	size_t run;

	for (size_t i = 0; i < a->n; i += run) {
		for (run = 1; i + run < a->n && memcmp(a->traces[i].tail, a->traces[i + run].tail, QUEUE_TAIL) == 0;)
			run++;
		judge(a, a->traces + i, run);
	}
	if (a->unwritten_wrong)
		audit_problem_of_queue(a, FAULT_HISTORY, "the ends that wait for the history are not as many as is counted");
}
