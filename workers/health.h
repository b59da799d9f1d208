/* health.h -- the process behind WORKER_HEALTH_PORT: /livez, /readyz, /metrics, read from shared memory.
 *
 * A process of its own, so that the dispatcher stays single-threaded and small. Live: the worker's processes are there. Ready:
 * a step succeeded in the last 10 s and the worker does not drain; nothing can be wedged and look healthy.
 */
#ifndef WORKERS_HEALTH_H
#define WORKERS_HEALTH_H

#include "workers/settings.h"

/* Is the port free? False with a sentence that says what to do. True when there is none to open. */
bool health_port_ok(const struct settings *s, struct err *e) MUST_CHECK;
int health_main(void *arg, int fd); /* arg: struct helper_setup */

#endif
