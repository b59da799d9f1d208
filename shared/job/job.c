/* job.c -- the states of a job, the moves between them, and the pause before another attempt. */
#include "job/job.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define TO(state) (1u << (state))

static const struct {
	const char *name;
	bool end;
} states[] = {
#define X(state, text, is_end) {text, is_end},
        JOB_STATES(X)
#undef X
};

/* The arrows of the drawing in job.h; ARROWS in broker-config/functions/10_base.lua says the same. */
static const unsigned arrows[] = {
        [JOB_SCHEDULED] = TO(JOB_READY) | TO(JOB_CANCELLED),
        [JOB_READY] = TO(JOB_RUNNING) | TO(JOB_CANCELLED),
        [JOB_RUNNING] = TO(JOB_READY) | TO(JOB_SCHEDULED) | TO(JOB_RETRYING) | TO(JOB_SUCCEEDED) | TO(JOB_FAILED) | TO(JOB_CANCELLED) |
                        TO(JOB_DEAD),
        [JOB_RETRYING] = TO(JOB_READY) | TO(JOB_CANCELLED),
        [JOB_WAITING] = TO(JOB_READY) | TO(JOB_FAILED) | TO(JOB_CANCELLED),
        [JOB_SUCCEEDED] = 0,
        [JOB_FAILED] = TO(JOB_READY) | TO(JOB_WAITING),
        [JOB_CANCELLED] = TO(JOB_READY) | TO(JOB_WAITING),
        [JOB_DEAD] = TO(JOB_READY),
};

const char *job_state_name(enum job_state s)
{
	return (size_t)s < ARRAY_LEN(states) ? states[s].name : "unknown";
}

bool job_state_of(const char *name, enum job_state *out)
{
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		if (str_eq(name, states[i].name)) {
			*out = (enum job_state)i;
			return true;
		}
	return false;
}

bool job_state_is_end(enum job_state s)
{
	return (size_t)s < ARRAY_LEN(states) && states[s].end;
}

bool job_move_allowed(enum job_state from, enum job_state to)
{
	return (size_t)from < ARRAY_LEN(arrows) && (size_t)to < ARRAY_LEN(states) && (arrows[from] & TO(to));
}

bool job_move(struct job *j, enum job_state to, struct err *e)
{
	if (!job_move_allowed(j->state, to))
		return err_set(e, ERR_CONFLICT, "job %s is %s and cannot become %s", j->id, job_state_name(j->state), job_state_name(to));
	j->state = to;
	j->rev++;
	return true;
}

void job_close(struct job *j)
{
	mem_free(&j->params);
	mem_free(&j->result);
	mem_free(&j->waits_for);
	mem_free(&j->inputs);
	mem_free(&j->timeline);
	memset(j, 0, sizeof(*j));
}

int64_t job_backoff_ms(int attempt, int64_t base_ms, int64_t cap_ms, double chance)
{
	int64_t whole = base_ms;

	for (int i = 1; i < attempt && whole < cap_ms; i++)
		whole *= 2; /* at most twice the cap, so no overflow for caps below 2^62 */
	if (whole > cap_ms)
		whole = cap_ms;
	return whole / 2 + (int64_t)((double)(whole - whole / 2) * chance);
}
