/* checker.h -- judges a history of jobs under faults: what was lost, doubled, made up, or came back, and how soon.
 *
 * A history is text, a line for each event, written by every process with O_APPEND (base/failpoint.h):
 *
 *     <monotonic us> <event> <id or -> <fence> <more> <pid> <parent's pid>
 *
 *     attempt  a client is about to submit the job            accept   the queue said that it has it
 *     refuse   the queue said that it has it not (full)       claim    a dispatcher was given it, under this fence
 *     start    a slot begins to run it; more: the attempt     effect   it ran to its end: what it does is done
 *     stop     it ended without an effect                     end      the queue took this end; more: enum ack_outcome
 *     reject   the queue refused this end: a stale fence      kill     process `more` is killed (at the failpoint that stands for
 *                                                                      the id) and its children die with it
 *     dead     process `more` was found dead                  final    what the queue says at the very end; more: enum job_state
 *     gone     the queue knows nothing of it at the very end  done     more: ends that the queue counted
 *     fault    a fault was made                               probe    more: ms until a job ended after the fault healed, -1: not in time
 *     leak     the queue's own audit found something          spare    the job was never to run to a success (poison, cancelled)
 *
 * A history without any `final` or `gone` comes from a system that cannot be asked: there, a job with an effect has ended.
 * `recovered` are jobs that ended though no answer to their submission was seen. A job may run more than once, also twice at the same
 * time while its first owner is cut off (`overlaps`); its end may be taken once only, and never from an older claim (`stale_ends`).
 */
#ifndef TESTS_CHAOS_CHECKER_H
#define TESTS_CHAOS_CHECKER_H

#include <stddef.h>

#include "base/base.h"

struct chaos_quantiles {
	int64_t n, p50, p99, worst; /* ms */
};

struct chaos_verdict {
	int64_t attempted, accepted, refused, ended, spared;
	int64_t executions, effects;
	int64_t lost;        /* accepted, not refused later, and not ended */
	int64_t loss_ms;     /* the longest time from the answer to a lost submission until the next fault; 0: none lost */
	int64_t failed;      /* accepted, not spared, and ended as something else than succeeded */
	int64_t duplicated;  /* jobs with more than one effect */
	int64_t unexpected;  /* jobs that ran or ended and that nobody ever submitted */
	int64_t recovered;   /* ended, though the answer to the submission was lost */
	int64_t overlaps;    /* executions begun while another one of the same job went on */
	int64_t double_ends; /* jobs whose end was taken more than once */
	int64_t twice;       /* claims that were begun twice */
	int64_t stale_ends;  /* ends taken from a claim that was not the last one */
	int64_t rejected;    /* ends refused */
	int64_t effectless;  /* jobs that succeeded without ever having run to their end */
	int64_t miscounted;  /* difference between the ends that the queue counted and the jobs that ended */
	int64_t leaks, faults, kills, wedges;
	int64_t nonsense;                /* lines that are no events */
	struct chaos_quantiles recovery; /* from the death of who ran it to the next claim or start */
	struct chaos_quantiles probe;    /* from the end of a fault to the next end of a job */
	char example[200];               /* one id and what is wrong with it */
};

/* Judge len bytes of text; they are changed. */
void chaos_check(char *text, size_t len, struct chaos_verdict *out);
/* Nothing is wrong but for what the caller allows himself: losses and failures are looked at by him. */
bool chaos_is_sound(const struct chaos_verdict *v);

#endif
