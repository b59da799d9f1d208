/* cgroup.h -- a control group for each slot, where this machine has cgroup v2 and lets us make some: memory.max, cpu.max, pids.max.
 *
 * Never required: the dispatcher watches memory itself, and rlimits catch what is faster than it looks. A group also holds what a job
 * starts, and only a group can share out a processor.
 */
#ifndef WORKERS_CGROUP_H
#define WORKERS_CGROUP_H

#include <sys/types.h>

#include "workers/settings.h"

struct cgroup {
	const struct settings *settings;
	char own[300]; /* folder of this worker's groups; "": there are none */
};

/* Make this worker's own group and move into it; one line in the log says whether slots have groups, and why not. Nothing is made when no
 * limit is set. */
void cgroup_open(struct cgroup *g, const struct settings *s);
void cgroup_add(const struct cgroup *g, int slot, pid_t pid); /* a slot process that was just made */
void cgroup_close(const struct cgroup *g);                    /* removes the slots' groups; its own goes when the next worker starts */

#endif
