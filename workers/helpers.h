/* helpers.h -- the worker's other processes, the courier (events), the postman (word between queues) and the health port, kept alive. */
#ifndef WORKERS_HELPERS_H
#define WORKERS_HELPERS_H

#include <sys/types.h>

#include "workers/settings.h"
#include "workers/shm.h"

struct helper {
	const char *name;
	int (*run)(void *arg, int fd);
	pid_t pid;        /* 0: not running */
	int64_t again_ms; /* not started before */
	int64_t born_ms;
	int failures;
};

struct helper_setup {
	const struct settings *settings;
	struct shm *shm;
};

struct helpers {
	struct helper all[3];
	int n;
	struct helper_setup setup;
};

void helpers_open(struct helpers *h, const struct settings *s, struct shm *shm);
void helpers_fork_missing(struct helpers *h, int64_t now_ms);
bool helpers_reaped(struct helpers *h, pid_t pid, int status, int64_t now_ms);
void helpers_close(struct helpers *h); /* SIGTERM, then SIGKILL after a second */

#endif
