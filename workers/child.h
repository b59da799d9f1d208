/* child.h -- how this worker makes a process: it dies with its parent, owns its process group and inherits one descriptor only. */
#ifndef WORKERS_CHILD_H
#define WORKERS_CHILD_H

#include <sys/types.h>

#include "base/base.h"
#include "base/err.h"

/* Fork a process that runs run(arg, fd) and exits with what it returns. fd (or -1) is the only descriptor beyond standard
 * output and error that it keeps; the caller still closes its own copy. -1: it could not be made. */
pid_t child_start(const char *name, int fd, int (*run)(void *arg, int fd), void *arg, struct err *e) MUST_CHECK;

/* In such a process: did SIGTERM come? Slots do not ask: their stop requests stand in shared memory. */
bool child_asked_to_end(void);

/* Why a process ended, from waitpid's status: "killed by signal 11 (Segmentation fault)", "exit code 1". */
void child_reason(char *out, size_t size, int status);

#endif
