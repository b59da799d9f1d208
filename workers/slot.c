/* slot.c -- the slot process: one job after the other, answers gathered while jobs are short. */
#include "workers/slot.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "kinds/inputs.h"
#include "workers/slot_private.h"

#define ANSWERS_BYTES (256 * 1024) /* send gathered answers at the latest when they are so long */
#define ANSWERS_MS    2            /* ... or so old */

enum slot_exit { SLOT_DONE = 0, SLOT_NONSENSE = 71 };

static bool out_send(struct slot_process *p)
{
	for (size_t at = 0; at < p->out.len;) {
		ssize_t n = send(p->fd, p->out.data + at, p->out.len - at, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			return false;
		at += n > 0 ? (size_t)n : 0;
	}
	buf_clear(&p->out);
	return true;
}

bool slot_flush(struct slot_process *p)
{
	if (p->unsent_ms == 0)
		return true;
	frame_end(&p->out, p->frame_start);
	p->unsent_ms = 0;
	return out_send(p);
}

/* At once: what a job said must be known also when it dies in the next moment. */
bool slot_say(struct slot_process *p, const char *text)
{
	if (!slot_flush(p))
		return false;
	size_t start = frame_begin(&p->out, FRAME_REMARKS);
	remark_put(&p->out, p->number, text);
	frame_end(&p->out, start);
	return out_send(p);
}

static bool answer_send(struct slot_process *p, const struct answer *a, bool now)
{
	if (p->unsent_ms == 0) {
		p->frame_start = frame_begin(&p->out, FRAME_ANSWERS);
		p->unsent_ms = clock_mono_ms();
	}
	answer_put(&p->out, a);
	if (now || p->out.len > ANSWERS_BYTES || clock_mono_ms() - p->unsent_ms >= ANSWERS_MS)
		return slot_flush(p);
	return true;
}

/* What the jobs that it waited for gave, put into the parameters where they ask for it. NULL with e: they cannot be used. */
static struct json *job_params(const struct kind *k, const struct job *job, const struct json *inputs, struct err *e)
{
	struct json *given = json_parse(job->params, strlen(job->params), e);
	if (given == NULL) {
		err_prefix(e, "parameters");
		return NULL;
	}
	struct json *whole = inputs != NULL ? inputs_apply(given, inputs, e) : NULL, *params = NULL;
	if (whole != NULL || inputs == NULL)
		params = kind_check(k, whole != NULL ? whole : given, false, e);
	json_close(&given);
	json_close(&whole);
	return params;
}

static bool kind_run_with(
        struct slot_process *p, const struct kind *k, const struct job *job, const struct json *inputs, char **text_out, struct err *e)
{
	struct json *params = job_params(k, job, inputs, e);
	if (params == NULL)
		return false;
	slot_doors_begin(p, job, params);
	p->context.inputs = inputs;
	struct json *result = NULL;
	FAILPOINT("slot_before_run");
	bool ok = k->run(&p->context, &result, e);
	FAILPOINT("slot_after_run");
	if (ok && result != NULL)
		*text_out = json_to_text(result);
	json_close(&result);
	slot_doors_end(p);
	json_close(&params);
	if (*text_out != NULL && strlen(*text_out) > QUEUE_RESULT_MAX)
		return err_set(e, ERR_INTERNAL, "the result of %zu bytes is longer than the %d that a job may keep", strlen(*text_out),
		        QUEUE_RESULT_MAX);
	return ok;
}

/* Run the kind; *text_out (caller frees) is the result's JSON. */
static bool kind_run(struct slot_process *p, const struct kind *k, const struct job *job, char **text_out, struct err *e)
{
	struct json *inputs = NULL;
	if (job->inputs != NULL && *job->inputs != '\0') {
		inputs = json_parse(job->inputs, strlen(job->inputs), e);
		if (inputs == NULL)
			return err_prefix(e, "results of other jobs");
	}
	bool ok = kind_run_with(p, k, job, inputs, text_out, e);
	json_close(&inputs);
	return ok;
}

/* The kernel counts the processor time of the whole process, so each job is given its own on top of what was used. */
static void cpu_limit(const struct slot_process *p)
{
	int64_t limit_ms = setting_number(p->settings, WORKER_MAX_CPU);
	struct timespec used;
	if (limit_ms == 0 || clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0)
		return;
	rlim_t seconds = (rlim_t)used.tv_sec + (rlim_t)((limit_ms + 999) / 1000);
	struct rlimit cpu = {seconds + 1, RLIM_INFINITY};
	setrlimit(RLIMIT_CPU, &cpu);
}

static bool order_run(struct slot_process *p, const struct order *o)
{
	struct answer a = {.number = o->number};
	int64_t began = clock_mono_us();
	char *text = NULL;
	memcpy(a.id, o->job.id, sizeof(a.id));
	p->number = o->number;
	log_context(o->job.id);
	cpu_limit(p);
	const struct kind *k = kind_of(o->job.kind);
	if (k == NULL)
		err_set(&a.error, ERR_INVALID, "this worker knows no kind of job named \"%s\"", o->job.kind);
	else
		a.done = kind_run(p, k, &o->job, &text, &a.error);
	a.run_us = clock_mono_us() - began;
	a.result = a.done ? text : NULL;
	a.result_len = a.result != NULL ? strlen(text) : 0;
	bool is_short = k != NULL && k->is_short;
	FAILPOINT("slot_before_answer");
	bool sent = answer_send(p, &a, !is_short);
	FAILPOINT("slot_after_answer");
	mem_free(&text);
	log_context(NULL);
	if (!is_short)
		malloc_trim(0); /* a big job's memory must not stay with an idle slot */
	return sent;
}

static int frame_run(struct slot_process *p, struct cursor *items)
{
	struct order o;
	int got;
	while ((got = order_next(items, &o)) == 1) {
		if (!shm_start(p->shm, o.number, clock_mono_ms()))
			continue; /* given back meanwhile */
		if (!order_run(p, &o))
			return -1;
	}
	return got == 0 ? 0 : -1;
}

/* Run every whole frame that has arrived. */
static int frames_run(struct slot_process *p)
{
	size_t used = 0;
	for (;;) {
		enum frame_type type;
		struct cursor items;
		size_t size;
		int got = frame_find(p->in.data + used, p->in.len - used, &type, &items, &size);
		if (got < 0 || (got == 1 && (type != FRAME_ORDERS || frame_run(p, &items) != 0)))
			return -1;
		if (got == 0)
			break;
		used += size;
	}
	memmove(p->in.data, p->in.data + used, p->in.len - used);
	p->in.len -= used;
	return slot_flush(p) ? 0 : -1; /* nothing more to do at once: nobody shall wait for what is done */
}

static int slot_loop(struct slot_process *p)
{
	char block[64 * 1024];
	for (;;) {
		ssize_t n = recv(p->fd, block, sizeof(block), 0);
		if (n == 0 || (n < 0 && errno != EINTR))
			return SLOT_DONE;
		if (n < 0)
			continue;
		buf_add(&p->in, block, (size_t)n);
		if (frames_run(p) != 0)
			return SLOT_NONSENSE;
	}
}

static void slot_limits(const struct settings *s)
{
	struct rlimit none = {0, 0};
	setrlimit(RLIMIT_CORE, &none);
#ifndef __SANITIZE_ADDRESS__ /* its shadow memory counts as data */
	/* The dispatcher looks once a second and kills at the limit; this catches what grows faster than it looks. */
	int64_t bytes = setting_number(s, WORKER_MAX_RSS);
	struct rlimit data = {(rlim_t)bytes * 2, (rlim_t)bytes * 2};
	if (bytes > 0)
		setrlimit(RLIMIT_DATA, &data);
#else
	UNUSED(s);
#endif
}

int slot_main(void *arg, int fd)
{
	const struct slot_setup *setup = arg;
	struct slot_process p = {.settings = setup->settings, .shm = setup->shm, .fd = fd};
	FAILPOINT("slot_after_fork");
	slot_limits(setup->settings);
	p.context.arena = arena_open();
	p.context.slot = &p;
	int code = slot_loop(&p);
	slot_doors_close(&p);
	arena_close(&p.context.arena);
	buf_close(&p.in);
	buf_close(&p.out);
	return code;
}
