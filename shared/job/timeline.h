/* timeline.h -- the life of a job as a list of events, made from its times and from what the queue wrote down of the unusual.
 *
 * The queue keeps lines "<ms> <event>[ <detail>]" in the record (functions/15_timeline.lua) only of what its times do not tell:
 *     claimed (who), error, crashed, given_back, cancel_asked, priority, released, replayed, and ends that a replay overwrote;
 *     dropped: so many lines were left out here. A name that is not known is shown as it is.
 * From the times come: created, due, claimed, and the state in which it ended. Pure.
 */
#ifndef JOB_TIMELINE_H
#define JOB_TIMELINE_H

#include "job/job.h"

#define TIMELINE_MAX 128

struct timeline_event {
	int64_t at;
	char event[24];
	int attempt;      /* from 1; 0: before the first claim */
	const char *text; /* a worker's name for "claimed", else a detail; not terminated, see len; NULL: none */
	size_t len;
};

struct timeline {
	struct timeline_event events[TIMELINE_MAX]; /* by time; texts point into the job */
	size_t n;
	int64_t queued_ms, run_ms; /* in all, up to now for a job that lives */
	int claims;                /* as far as they are written down */
};

/* out stays valid as long as j. now_ms ends what goes on still. */
void timeline_of(const struct job *j, int64_t now_ms, struct timeline *out);
/* {"id", "state", "queued_ms", "run_ms", "claims", "events": [{"at", "event", "attempt", "worker" or "detail"}]} */
void timeline_to_json(const struct job *j, const struct timeline *t, struct json_writer *w);

#endif
