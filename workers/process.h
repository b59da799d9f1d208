/* process.h -- what the kernel says about a process: its memory and its time on a processor. */
#ifndef WORKERS_PROCESS_H
#define WORKERS_PROCESS_H

#include <sys/types.h>

#include "base/base.h"

/* Bytes that only this process holds in memory (mapped cache files are shared and do not count). 0: not known. */
int64_t process_own_bytes(pid_t pid);
int64_t process_cpu_ms(pid_t pid); /* since it was born; 0: not known */

#endif
