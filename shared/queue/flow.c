/* flow.c -- a flow: its graph checked and put in order, its jobs submitted, who waits before whom it waits for. */
#include "queue/flow.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"
#include "queue/driver.h"

#define RESUME_MS 45000 /* a flow whose making broke off fails by itself after a minute; until then it can be completed */

/* The graph by numbers: job i waits for after[first[i]] .. after[first[i + 1] - 1]. */
struct plan {
	size_t n;
	size_t *by_name; /* numbers, sorted by name */
	size_t *first, *after;
	size_t *level;   /* length of the longest way to it */
	size_t *order;   /* who waits before whom it waits for */
	size_t *waiters; /* how many wait for it */
};

static void plan_close(struct plan *p)
{
	mem_free(&p->by_name);
	mem_free(&p->first);
	mem_free(&p->after);
	mem_free(&p->level);
	mem_free(&p->order);
	mem_free(&p->waiters);
}

/* ---- names ---------------------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b, void *jobs)
{
	const struct queue_flow_job *j = jobs;

	return strcmp(j[*(const size_t *)a].name, j[*(const size_t *)b].name);
}

static bool job_ok(const struct queue_flow_job *j, struct err *e)
{
	if (!j->name || !str_is_name(j->name, QUEUE_FLOW_NAME - 1, "_-"))
		return err_set(e, ERR_INVALID, "a job of a flow is named by 1 to %d of A-Z a-z 0-9 _ -, not '%.80s'", QUEUE_FLOW_NAME - 1,
		        j->name ? j->name : "");
	if (j->on_failure == FLOW_RETRY && (j->retries < 1 || j->retries > QUEUE_FLOW_RETRIES))
		return err_set(
		        e, ERR_INVALID, "job '%s' is to be retried %d times, but 1 to %d can be", j->name, j->retries, QUEUE_FLOW_RETRIES);
	if (j->n_after && (j->job.run_at_ms || j->job.delay_ms))
		return err_set(e, ERR_INVALID, "job '%s' waits for others, so it can have no time of its own", j->name);
	return true;
}

static bool sort_names(struct plan *p, const struct queue_flow *f, struct err *e)
{
	for (size_t i = 0; i < p->n; i++) {
		if (!job_ok(&f->jobs[i], e))
			return false;
		p->by_name[i] = i;
	}
	qsort_r(p->by_name, p->n, sizeof(size_t), by_name, f->jobs);
	for (size_t i = 1; i < p->n; i++)
		if (str_eq(f->jobs[p->by_name[i - 1]].name, f->jobs[p->by_name[i]].name))
			return err_set(e, ERR_INVALID, "two jobs of the flow are named '%s'", f->jobs[p->by_name[i]].name);
	return true;
}

/* Its number; p->n: there is none. */
static size_t find_name(const struct plan *p, const struct queue_flow *f, const char *name)
{
	size_t low = 0, high = p->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(f->jobs[p->by_name[middle]].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < p->n && str_eq(f->jobs[p->by_name[low]].name, name) ? p->by_name[low] : p->n;
}

static bool find_after(struct plan *p, const struct queue_flow *f, size_t i, struct err *e)
{
	const struct queue_flow_job *j = &f->jobs[i];

	for (size_t k = 0; k < j->n_after; k++) {
		size_t dep = find_name(p, f, j->after[k]);

		if (dep == p->n)
			return err_set(e, ERR_INVALID, "job '%s' waits for '%.60s', which is no job of this flow", j->name, j->after[k]);
		for (size_t seen = p->first[i]; seen < p->first[i] + k; seen++)
			if (p->after[seen] == dep)
				return err_set(e, ERR_INVALID, "job '%s' waits for '%s' twice", j->name, j->after[k]);
		p->after[p->first[i] + k] = dep;
		p->waiters[dep]++;
	}
	return true;
}

/* ---- order ---------------------------------------------------------------------------------------------------------- */

/* Follow the circle from any job that is left until one comes again. */
static bool say_circle(const struct plan *p, const struct queue_flow *f, const size_t *left, struct err *e)
{
	struct buf way = {0};
	size_t at = 0, start;

	while (!left[at])
		at++;
	for (size_t i = 0; i < p->n; i++) /* far enough to be on the circle */
		for (size_t k = p->first[at]; k < p->first[at + 1]; k++)
			if (left[p->after[k]]) {
				at = p->after[k];
				break;
			}
	start = at;
	do {
		buf_addf(&way, "%s%s", way.len ? " -> " : "", f->jobs[at].name);
		for (size_t k = p->first[at]; k < p->first[at + 1]; k++)
			if (left[p->after[k]]) {
				at = p->after[k];
				break;
			}
	} while (at != start && way.len < 200);
	err_set(e, ERR_INVALID, "job '%s' waits for itself: %s -> %s", f->jobs[start].name, buf_text(&way),
	        at == start ? f->jobs[start].name : "...");
	buf_close(&way);
	return false;
}

struct rank {
	const struct plan *plan;
	const struct queue_flow *flow;
};

/* The deepest first; of one depth, those of one queue together, so that few calls submit them. */
static int by_rank(const void *a, const void *b, void *rank)
{
	const struct rank *r = rank;
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	int c;

	if (r->plan->level[x] != r->plan->level[y])
		return r->plan->level[x] > r->plan->level[y] ? -1 : 1;
	c = strcmp(
	        r->flow->jobs[x].job.queue ? r->flow->jobs[x].job.queue : "", r->flow->jobs[y].job.queue ? r->flow->jobs[y].job.queue : "");
	return c ? c : x < y ? -1 : 1;
}

/* Take away, again and again, the jobs that wait for none that is left. */
static bool put_in_order(struct plan *p, const struct queue_flow *f, struct err *e)
{
	size_t *left = mem_array(p->n, sizeof(size_t)), n_left = p->n, taken;
	struct rank rank = {p, f};
	bool ok = true;

	for (size_t i = 0; i < p->n; i++)
		left[i] = 1;
	for (size_t level = 0; n_left; level++, n_left -= taken) {
		taken = 0;
		for (size_t i = 0; i < p->n; i++) {
			size_t waits = 0;

			for (size_t k = p->first[i]; left[i] == 1 && k < p->first[i + 1]; k++)
				waits += left[p->after[k]] != 0;
			if (left[i] != 1 || waits)
				continue;
			p->level[i] = level;
			left[i] = 2; /* taken in this round */
			taken++;
		}
		for (size_t i = 0; i < p->n; i++)
			left[i] = left[i] == 2 ? 0 : left[i];
		if (!taken) {
			ok = say_circle(p, f, left, e);
			break;
		}
	}
	for (size_t i = 0; i < p->n; i++)
		p->order[i] = i;
	qsort_r(p->order, p->n, sizeof(size_t), by_rank, &rank);
	mem_free(&left);
	return ok;
}

/* Close the plan after true and after false. */
static bool plan_open(struct plan *p, const struct queue_flow *f, struct err *e)
{
	size_t edges = 0;

	memset(p, 0, sizeof(*p));
	if (f->n_jobs < 1 || f->n_jobs > QUEUE_FLOW_JOBS)
		return err_set(e, ERR_INVALID, "a flow has 1 to %d jobs, not %zu", QUEUE_FLOW_JOBS, f->n_jobs);
	p->n = f->n_jobs;
	p->first = mem_array(p->n + 1, sizeof(size_t));
	for (size_t i = 0; i < p->n; i++) {
		p->first[i] = edges;
		edges += f->jobs[i].n_after;
		if (f->jobs[i].n_after > QUEUE_FLOW_JOBS || edges > QUEUE_FLOW_EDGES)
			return err_set(e, ERR_INVALID, "the jobs of a flow can wait for each other in at most %d ways", QUEUE_FLOW_EDGES);
	}
	p->first[p->n] = edges;
	p->after = mem_array(edges + 1, sizeof(size_t));
	p->by_name = mem_array(p->n, sizeof(size_t));
	p->level = mem_array(p->n, sizeof(size_t));
	p->order = mem_array(p->n, sizeof(size_t));
	p->waiters = mem_array(p->n, sizeof(size_t));
	if (!sort_names(p, f, e))
		return false;
	for (size_t i = 0; i < p->n; i++)
		if (!find_after(p, f, i, e))
			return false;
	return put_in_order(p, f, e);
}

bool queue_flow_check(const struct queue_flow *f, struct err *e)
{
	struct plan p;
	bool ok = plan_open(&p, f, e);

	plan_close(&p);
	return ok;
}

/* ---- ids and fields ------------------------------------------------------------------------------------------------- */

/* The id of job i follows from the root's: its time, and chance from its id and the number. */
static void make_id(char out[JOB_ID], const char *root, const char *queue, int shard, size_t i)
{
	char hex[DIGEST_HEX], digits[17];
	struct buf b = {0};

	buf_addf(&b, "%s/%zu", root, i);
	digest_sha256_hex(hex, buf_text(&b), b.len);
	buf_close(&b);
	memcpy(digits, hex, 16);
	digits[16] = '\0';
	job_id_make(out, queue, shard, 0, strtoull(digits, NULL, 16));
	memcpy(out + strlen(out) - QUEUE_TAIL, queue_tail(root), QUEUE_TAIL / 2);
}

static void add_word(struct buf *b, const char *id, const char *name, char mark)
{
	buf_addf(b, "%s%s%c%s", b->len ? " " : "", id, mark, name);
}

/* Field S of job i, but for those who wait for it beside the root. */
static void begin_waited_by(struct buf *b, const struct queue_flow_job *j, const char *root)
{
	static const char letters[] = {[FLOW_FAIL] = 'f', [FLOW_IGNORE] = 'i', [FLOW_RETRY] = 'r'};

	buf_addc(b, letters[j->on_failure]);
	if (j->on_failure == FLOW_RETRY)
		buf_addf(b, "%d/%d", j->retries, j->retries);
	buf_addf(b, " %s>%s", root, root);
}

/* The jobs of a flow in a queue stand together, so that word between them need not be carried; flows stand in all shards. What is counted
 * with others by a key of its own must stand with them. */
static bool make_ids(struct queue *q, struct queue_flow *f, struct err *e)
{
	for (size_t i = 0; i < f->n_jobs; i++) {
		struct queue_submission *s = &f->jobs[i].job;
		int shard = q->driver->flow_shard(q, s, f->root.id, e);

		if (shard < 0)
			return false;
		make_id(s->id, f->root.id, s->queue, shard, i);
	}
	return true;
}

/* Fill in who waits for whom, and the rest that a flow decides, by the ids. What this makes lies in texts[2 n + 1]. */
static void fill_jobs(struct queue_flow *f, const struct plan *p, struct buf *texts)
{
	const char *root = f->root.id;
	struct buf *all = &texts[2 * p->n];

	for (size_t i = 0; i < 2 * p->n + 1; i++)
		buf_clear(&texts[i]);
	for (size_t i = 0; i < p->n; i++) {
		struct queue_flow_job *j = &f->jobs[i];

		begin_waited_by(&texts[i], j, root);
		add_word(all, j->job.id, j->name, p->waiters[i] ? ':' : '=');
	}
	for (size_t i = 0; i < p->n; i++)
		for (size_t k = p->first[i]; k < p->first[i + 1]; k++) {
			size_t dep = p->after[k];

			add_word(&texts[p->n + i], f->jobs[dep].job.id, f->jobs[dep].name, '=');
			buf_addf(&texts[dep], ">%s", f->jobs[i].job.id);
		}
	for (size_t i = 0; i < p->n; i++) {
		struct queue_submission *s = &f->jobs[i].job;

		s->waited_by = buf_text(&texts[i]);
		s->held = f->jobs[i].n_after > 0;
		s->waits_for = s->held ? buf_text(&texts[p->n + i]) : NULL;
		s->idempotency_key = s->fingerprint = s->unique_key = NULL;
		s->parent = root;
	}
	f->root.held = true;
	f->root.waits_for = buf_text(all);
}

/* ---- submitting ----------------------------------------------------------------------------------------------------- */

static bool send_batch(struct queue *q, struct queue_submission *items, size_t n, struct queue_submitted *outs, bool *full, struct err *e)
{
	if (!queue_submit(q, items, n, outs, e))
		return false;
	for (size_t i = 0; i < n; i++)
		*full = *full || outs[i].outcome == SUBMIT_FULL;
	return true;
}

/* Who waits comes before whom it waits for: nobody ends before all who wait for it are there. What runs at once is the last, and in no call
 * with others, since those of a call that go to several shards come there one after the other. */
static bool send_jobs(struct queue *q, struct queue_flow *f, const struct plan *p, bool *full, struct err *e)
{
	struct queue_submission *items = mem_array(QUEUE_BATCH_MAX, sizeof(*items));
	struct queue_submitted *outs = mem_array(QUEUE_BATCH_MAX, sizeof(*outs));
	bool ok = true;

	for (size_t i = 0, n; ok && !*full && i < p->n; i += n) {
		for (n = 0; n < QUEUE_BATCH_MAX && i + n < p->n; n++) {
			items[n] = f->jobs[p->order[i + n]].job;
			if (items[n].held != items[0].held)
				break;
		}
		ok = send_batch(q, items, n, outs, full, e);
	}
	mem_free(&items);
	mem_free(&outs);
	return ok;
}

/* The ids that the root of then waits for, "<id>=<name> ..." in the order of the jobs, are theirs. False: it is another flow. */
static bool take_ids(struct queue_flow *f, const struct job *root)
{
	const char *s = root->waits_for ? root->waits_for : "";

	for (size_t i = 0; i < f->n_jobs; i++) {
		size_t id = strcspn(s, "=:"), all = strcspn(s, " ");
		char name[QUEUE_FLOW_NAME];

		if (id >= all || !str_copy_n(name, sizeof(name), s + id + 1, all - id - 1) || !str_eq(name, f->jobs[i].name) ||
		        !str_copy_n(f->jobs[i].job.id, JOB_ID, s, id))
			return false;
		s += all + (s[all] == ' ');
	}
	return !*s && str_copy(f->root.id, sizeof(f->root.id), root->id);
}

/* The key was met before. 1: the flow of then may lack jobs, go on with its ids; 0: it is whole; -1 failed. */
static int resumes(struct queue *q, struct queue_flow *f, const char *id, struct err *e)
{
	struct job root;
	int got = queue_show(q, id, &root, e);
	bool young;

	if (got < 1)
		return got;
	young = root.state == JOB_WAITING && clock_now_ms() - root.created_at < RESUME_MS && take_ids(f, &root);
	job_close(&root);
	return young;
}

static bool send_flow(
        struct queue *q, struct queue_flow *f, const struct plan *p, struct buf *texts, struct queue_submitted *out, struct err *e)
{
	enum job_state state;
	bool full = false;
	char root[JOB_ID];
	struct err ignored;
	int again = 0;

	if (!make_ids(q, f, e))
		return false;
	fill_jobs(f, p, texts);
	memcpy(root, f->root.id, JOB_ID);
	if (!queue_submit(q, &f->root, 1, out, e))
		return false;
	if (!str_eq(root, f->root.id)) /* its key was promised to another id, of a flow that was never made */
		fill_jobs(f, p, texts);
	if (out->outcome == SUBMIT_EXISTING) {
		again = resumes(q, f, out->existing_id, e);
		if (again < 1)
			return again == 0;
		fill_jobs(f, p, texts);
	} else if (out->outcome != SUBMIT_NEW) {
		return true;
	}
	if (!send_jobs(q, f, p, &full, e))
		return false;
	if (!full)
		return true;
	/* Cancelling it only saves work: what is made in part fails by itself. */
	if (!f->root.idempotency_key && queue_flow_cancel(q, f->root.id, &state, &ignored) < 0)
		ignored.code = ERR_NONE;
	*out = (struct queue_submitted){.outcome = SUBMIT_FULL, .retry_after_ms = 1000};
	return true;
}

static bool root_id(struct queue *q, struct queue_submission *root, struct err *e)
{
	int64_t now = clock_now_ms();
	uint64_t chance;
	char id[JOB_ID];
	int shard;

	if (root->id[0])
		return true;
	digest_random(&chance, sizeof(chance));
	job_id_make(id, root->queue, 0, now, chance);
	shard = q->driver->flow_shard(q, root, id, e);
	if (shard >= 0)
		job_id_make(root->id, root->queue, shard, now, chance);
	return shard >= 0;
}

static bool queues_ok(const struct queue_flow *f, struct err *e)
{
	for (size_t i = 0; i < f->n_jobs; i++)
		if (!job_queue_ok(f->jobs[i].job.queue))
			return err_set(e, ERR_INVALID, "job '%s' names no queue", f->jobs[i].name);
	return job_queue_ok(f->root.queue) || err_set(e, ERR_INVALID, "the root of a flow names no queue");
}

bool queue_flow_submit(struct queue *q, struct queue_flow *f, struct queue_submitted *out, struct err *e)
{
	struct plan p;
	struct buf *texts = NULL;
	bool ok = plan_open(&p, f, e) && queues_ok(f, e);

	memset(out, 0, sizeof(*out));
	ok = ok && root_id(q, &f->root, e);
	if (ok) {
		texts = mem_array(2 * p.n + 1, sizeof(*texts));
		ok = send_flow(q, f, &p, texts, out, e);
		for (size_t i = 0; i < 2 * p.n + 1; i++)
			buf_close(&texts[i]);
		mem_free(&texts);
	}
	for (size_t i = 0; i < f->n_jobs; i++)
		f->jobs[i].job.waits_for = f->jobs[i].job.waited_by = f->jobs[i].job.parent = NULL;
	f->root.waits_for = NULL;
	plan_close(&p);
	return ok;
}

/* ---- looking -------------------------------------------------------------------------------------------------------- */

static void read_nodes(struct queue_flow_view *v)
{
	size_t n = 1;

	for (const char *s = v->root.waits_for; *s; s++)
		n += *s == ' ';
	v->nodes = mem_array(n, sizeof(*v->nodes));
	for (const char *s = v->root.waits_for; *s; s += *s == ' ') {
		size_t id = strcspn(s, "=:"), all = strcspn(s, " ");
		struct queue_flow_node *node = &v->nodes[v->n_nodes];

		if (id < all && str_copy_n(node->id, sizeof(node->id), s, id) &&
		        str_copy_n(node->name, sizeof(node->name), s + id + 1, all - id - 1))
			v->n_nodes++;
		s += all;
	}
}

void queue_flow_view_close(struct queue_flow_view *v)
{
	job_close(&v->root);
	for (size_t i = 0; i < v->n_nodes; i++)
		job_close(&v->nodes[i].job);
	mem_free(&v->nodes);
	v->n_nodes = 0;
}

int queue_flow_show(struct queue *q, const char *id, struct queue_flow_view *out, struct err *e)
{
	int got = queue_show(q, id, &out->root, e);

	out->nodes = NULL;
	out->n_nodes = 0;
	if (got < 1)
		return got;
	if (!out->root.waits_for || out->root.parent[0]) {
		job_close(&out->root);
		return 0;
	}
	read_nodes(out);
	if (q->driver->flow_look(q, out->nodes, out->n_nodes, e))
		return 1;
	queue_flow_view_close(out);
	return -1;
}

int queue_flow_cancel(struct queue *q, const char *id, enum job_state *state_out, struct err *e)
{
	char queue[JOB_NAME];
	enum act_result result;
	int shard;

	if (!job_id_parse(id, queue, &shard))
		return 0;
	if (!q->driver->act(q, ACT_FLOW_CANCEL, id, &result, state_out, e))
		return -1;
	if (result == ACT_NO_JOB)
		return 0;
	return result == ACT_DONE ? 1 : err_fail(e, ERR_CONFLICT, "job %s is %s and no flow", id, job_state_name(*state_out));
}

/* ---- carrying word -------------------------------------------------------------------------------------------------- */

struct queue_mail *queue_mail_open(const char *url, const struct queue_options *options, const char *const *queues, size_t n, struct err *e)
{
	struct queue_mail *m;
	struct queue *q;

	for (size_t i = 0; i < n; i++)
		if (!job_queue_ok(queues[i])) {
			err_set(e, ERR_INVALID, "there can be no queue named %.40s", queues[i]);
			return NULL;
		}
	q = queue_open(url, options, e);
	if (!q)
		return NULL;
	m = q->driver->mail_open(url, q, queues, n, e);
	if (m)
		m->queue = q;
	else
		queue_close(&q);
	return m;
}

void queue_mail_close(struct queue_mail **m)
{
	struct queue *q;

	if (!*m)
		return;
	q = (*m)->queue;
	q->driver->mail_close(*m);
	queue_close(&q);
	*m = NULL;
}

int queue_mail_take(struct queue_mail *m, struct err *e)
{
	return m->queue->driver->mail_take(m, e);
}

bool queue_mail_tell(struct queue_mail *m, struct err *e)
{
	return m->queue->driver->mail_tell(m, e);
}

bool queue_mail_drop(struct queue_mail *m, struct err *e)
{
	return m->queue->driver->mail_drop(m, e);
}

bool queue_mail_tidy(struct queue_mail *m, struct err *e)
{
	return m->queue->driver->mail_tidy(m, e);
}

bool queue_mail_wait(struct queue_mail *m, int64_t max_ms, struct err *e)
{
	return m->queue->driver->mail_wait(m, max_ms, e);
}
