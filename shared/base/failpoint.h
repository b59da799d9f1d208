/* failpoint.h -- places where a test lets this process die, and where it notes what happened: nothing in a release.
 *
 * With BARQUE_FAILPOINTS compiled in, the environment variable BARQUE_FAIL="name:nth:action[:file]" makes the nth passage (from 1)
 * of that place act: crash (SIGKILL), exit (code 9), hang (for ever), stall (2 s). With a file, only the first process that can
 * make the file acts, so that a place fails once and not again after the restart.
 *
 * BARQUE_HISTORY=FILE makes every process append what it sees of jobs to that file, one line an event, each by one write:
 *
 *     <monotonic us> <event> <id or -> <fence> <more> <pid> <parent's pid>
 *
 * tests/chaos/checker.h says which events there are and judges what was written.
 */
#ifndef BASE_FAILPOINT_H
#define BASE_FAILPOINT_H

#include "base/base.h"

#ifdef BARQUE_FAILPOINTS
void failpoint(const char *name);
void failpoint_note(const char *event, const char *id, int64_t fence, int64_t more);
#define FAILPOINT(name)                 failpoint(name)
#define HISTORY(event, id, fence, more) failpoint_note(event, id, fence, more)
#else
#define FAILPOINT(name)                 ((void)0)
#define HISTORY(event, id, fence, more) ((void)0)
#endif

#endif
