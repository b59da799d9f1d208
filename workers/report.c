/* report.c -- a worker's report, as JSON. Each queue gets the head, and of the slots those that hold its jobs; the first also the idle ones.
 * Shards beside 0 get no slots. */
#include "workers/report.h"

#include <unistd.h>

#include "base/clock.h"
#include "workers/process.h"

#define REPORT_MS     1000
#define MS_FOR_A_SLOT 10 /* looking at a slot costs some system calls: never more than a hundredth of the time */
#define SLOTS_TOLD    256

static const char *state_of(const struct dispatcher *d)
{
	return d->phase != PHASE_WORK ? "draining" : d->told == WORKER_QUIET ? "quiet" : "working";
}

static int busy_count(const struct dispatcher *d)
{
	int busy = 0;
	for (int i = 0; i < d->slots.n; i++)
		busy += d->slots.all[i].n > 0;
	return busy;
}

static void head_put(struct json_writer *w, const struct dispatcher *d)
{
	char host[65] = "";
	if (gethostname(host, sizeof(host) - 1) != 0)
		host[0] = '\0';
	jw_text(w, "host", host);
	jw_int(w, "pid", getpid());
	jw_text(w, "version", BARQUE_VERSION);
	jw_int(w, "started_at", d->started_at);
	jw_text(w, "state", state_of(d));
	jw_int(w, "slots", d->slots.n);
	jw_int(w, "busy", busy_count(d));
	jw_int(w, "rss_bytes", process_own_bytes(getpid()));
	jw_int(w, "cpu_ms", process_cpu_ms(getpid()));
}

static void progress_put(struct json_writer *w, const struct slot *s, const struct flight *f)
{
	struct job_progress p;
	uint32_t version;
	if (!shm_progress_read(slot_shm(s), f->number, &p, &version))
		return;
	jw_object(w, "progress");
	jw_int(w, "done", p.done);
	jw_int(w, "total", p.total);
	jw_text(w, "unit", p.unit);
	jw_end(w);
}

static void flight_put(struct json_writer *w, const struct dispatcher *d, struct slot *s)
{
	const struct flight *running = slot_running(s), *f = running != NULL ? running : s->flights;
	int64_t since = running != NULL ? atomic_load(&slot_shm(s)->started_ms) : f->sent_ms;
	jw_text(w, "job", f->id);
	jw_text(w, "kind", f->kind->name);
	jw_int(w, "since", clock_now_ms() - (d->now_ms - since));
	jw_int(w, "held", s->n - (f - s->flights));
	jw_bool(w, "stopping", f->stop != STOP_NONE);
	jw_bool(w, "quarantined", f->quarantined);
	progress_put(w, s, f);
}

static void slot_put_into(struct json_writer *w, const struct dispatcher *d, struct slot *s)
{
	jw_object(w, NULL);
	jw_int(w, "slot", s->index);
	jw_int(w, "pid", s->pid);
	jw_int(w, "done", s->jobs);
	jw_int(w, "rss_bytes", s->pid > 0 ? process_own_bytes(s->pid) : 0);
	jw_int(w, "cpu_ms", s->pid > 0 ? process_cpu_ms(s->pid) : 0);
	if (s->n > 0)
		flight_put(w, d, s);
	jw_end(w);
}

/* What runs of any shard stands in the report to shard 0, which is the one that is shown. */
static bool is_told_by(const struct dispatcher *d, const struct line *runs, const struct line *l)
{
	return &d->lines[runs->family] == l;
}

static void lists_put(struct json_writer *w, const struct dispatcher *d, const struct line *l)
{
	jw_array(w, "routes");
	for (size_t i = 0; i < l->n_routes; i++)
		jw_text(w, NULL, l->routes[i]);
	jw_end(w);
	jw_array(w, "slot_list");
	for (int i = 0; i < d->slots.n && i < SLOTS_TOLD; i++) {
		struct slot *s = &d->slots.all[i];
		if (s->n > 0 ? is_told_by(d, s->line, l) : l == &d->lines[0])
			slot_put_into(w, d, s);
	}
	jw_end(w);
}

void report_write(const struct dispatcher *d, struct line *l)
{
	int64_t every = d->slots.n * MS_FOR_A_SLOT > REPORT_MS ? d->slots.n * MS_FOR_A_SLOT : REPORT_MS;
	if (l->report.len > 0 || (l->reported_ms != 0 && d->now_ms - l->reported_ms < every))
		return;
	l->reported_ms = d->now_ms;
	struct json_writer w = json_writer_on(&l->report);
	jw_object(&w, NULL);
	head_put(&w, d);
	lists_put(&w, d, l);
	jw_end(&w);
}
