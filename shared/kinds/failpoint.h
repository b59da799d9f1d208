/* failpoint.h -- places where a test lets this process die: FAILPOINT("name") is nothing in a release.
 *
 * With BARQUE_FAILPOINTS compiled in, the environment variable BARQUE_FAIL="name:nth:action[:file]" makes the nth passage (from 1)
 * of that place act: crash (SIGKILL), exit (code 9), hang (for ever), stall (2 s). With a file, only the first process that can
 * make the file acts, so that a place fails once and not again after the restart.
 */
#ifndef KINDS_FAILPOINT_H
#define KINDS_FAILPOINT_H

#include "base/base.h"

#ifdef BARQUE_FAILPOINTS
void failpoint(const char *name);
#define FAILPOINT(name) failpoint(name)
#else
#define FAILPOINT(name) ((void)0)
#endif

#endif
