/* timeline.c -- the life of a job as a list of events. */
#include "job/timeline.h"

#include <string.h>

static struct timeline_event *add(struct timeline *t, int64_t at, const char *event, size_t event_len)
{
	struct timeline_event *x = &t->events[t->n];

	if (t->n == TIMELINE_MAX || !str_copy_n(x->event, sizeof x->event, event, event_len))
		return NULL;
	x->at = at;
	x->attempt = 0;
	x->text = NULL;
	x->len = 0;
	t->n++;
	return x;
}

static void add_text(struct timeline *t, int64_t at, const char *event, const char *text)
{
	struct timeline_event *x = add(t, at, event, strlen(event));

	if (x && text && *text) {
		x->text = text;
		x->len = strlen(text);
	}
}

/* ---- what the queue wrote --------------------------------------------------------------------------------------- */

/* A line that is none of ours is passed over. */
static void read_line(struct timeline *t, const char *line, size_t len)
{
	size_t digits = strspn(line, "0123456789"), name;
	char number[24];
	int64_t at;

	if (digits >= len || line[digits] != ' ' || !str_copy_n(number, sizeof number, line, digits) || !str_int(number, 0, INT64_MAX, &at))
		return;
	line += digits + 1;
	len -= digits + 1;
	const char *space = memchr(line, ' ', len);
	name = space ? (size_t)(space - line) : len;
	struct timeline_event *x = name ? add(t, at, line, name) : NULL;

	if (x && space) {
		x->text = space + 1;
		x->len = len - name - 1;
	}
}

static void read_lines(struct timeline *t, const char *text)
{
	while (text && *text) {
		size_t len = strcspn(text, "\n");

		read_line(t, text, len);
		text += len + (text[len] == '\n');
	}
}

static bool has_claim_at(const struct timeline *t, int64_t at)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->events[i].at == at && str_eq(t->events[i].event, "claimed"))
			return true;
	return false;
}

/* ---- in order ---------------------------------------------------------------------------------------------------- */

/* Insertion: nearly in order already, and what has the same time stays as it was written. */
static void sort(struct timeline *t)
{
	for (size_t i = 1; i < t->n; i++) {
		struct timeline_event x = t->events[i];
		size_t k = i;

		for (; k > 0 && t->events[k - 1].at > x.at; k--)
			t->events[k] = t->events[k - 1];
		t->events[k] = x;
	}
}

enum phase { QUEUED, RUNNING, NEITHER };

/* In which phase a job is after this event; the one before, when it changes nothing. */
static enum phase phase_after(enum phase before, const char *event)
{
	enum job_state end;
	static const struct {
		const char *event;
		enum phase phase;
	} phases[] = {{"due", QUEUED}, {"released", QUEUED}, {"crashed", QUEUED}, {"given_back", QUEUED}, {"replayed", QUEUED},
	        {"claimed", RUNNING}, {"error", NEITHER}};

	if (job_state_of(event, &end) && job_state_is_end(end))
		return NEITHER;
	for (size_t i = 0; i < ARRAY_LEN(phases); i++)
		if (str_eq(event, phases[i].event))
			return phases[i].phase;
	return before;
}

static void add_span(struct timeline *t, enum phase phase, int64_t from, int64_t to)
{
	int64_t span = to > from ? to - from : 0;

	if (phase == QUEUED)
		t->queued_ms += span;
	else if (phase == RUNNING)
		t->run_ms += span;
}

/* Numbers the attempts and adds up the spans. */
static void measure(const struct job *j, struct timeline *t, int64_t now_ms)
{
	enum phase phase = j->state == JOB_WAITING || j->run_at > j->created_at ? NEITHER : QUEUED;
	int64_t since = j->created_at;
	int errors = 0;
	bool claimed = false;

	for (size_t i = 0; i < t->n; i++) {
		struct timeline_event *x = &t->events[i];
		enum phase next = phase_after(phase, x->event);

		if (str_eq(x->event, "replayed")) {
			errors = 0;
			claimed = false;
		}
		claimed = claimed || str_eq(x->event, "claimed");
		t->claims += str_eq(x->event, "claimed");
		x->attempt = claimed ? errors + 1 : 0;
		errors += str_eq(x->event, "error");
		if (next != phase) {
			add_span(t, phase, since, x->at);
			since = x->at;
			phase = next;
		}
	}
	if (!job_state_is_end(j->state))
		add_span(t, phase, since, now_ms);
}

void timeline_of(const struct job *j, int64_t now_ms, struct timeline *out)
{
	memset(out, 0, sizeof *out);
	add_text(out, j->created_at, "created", NULL);
	read_lines(out, j->timeline);
	/* Until then it is only a plan, which the job's run_at tells. */
	if (j->run_at > j->created_at && j->state != JOB_SCHEDULED && j->state != JOB_RETRYING && j->state != JOB_CANCELLED)
		add_text(out, j->run_at, "due", NULL);
	if (j->started_at && !has_claim_at(out, j->started_at))
		add_text(out, j->started_at, "claimed", j->worker);
	sort(out);
	if (j->finished_at)
		/* Of the others the error is that of an attempt before. */
		add_text(out, j->finished_at, job_state_name(j->state),
		        j->state == JOB_FAILED || j->state == JOB_DEAD ? j->error.text : NULL);
	measure(j, out, now_ms);
}

void timeline_to_json(const struct job *j, const struct timeline *t, struct json_writer *w)
{
	char text[1024];

	jw_object(w, NULL);
	jw_text(w, "id", j->id);
	jw_text(w, "state", job_state_name(j->state));
	jw_int(w, "queued_ms", t->queued_ms);
	jw_int(w, "run_ms", t->run_ms);
	jw_int(w, "claims", t->claims);
	jw_array(w, "events");
	for (size_t i = 0; i < t->n; i++) {
		const struct timeline_event *x = &t->events[i];

		jw_object(w, NULL);
		jw_int(w, "at", x->at);
		jw_text(w, "event", x->event);
		if (x->attempt)
			jw_int(w, "attempt", x->attempt);
		if (x->text && str_copy_n(text, sizeof text, x->text, x->len < sizeof text ? x->len : sizeof text - 1))
			jw_text(w, str_eq(x->event, "claimed") ? "worker" : "detail", text);
		jw_end(w);
	}
	jw_end(w);
	jw_end(w);
}
