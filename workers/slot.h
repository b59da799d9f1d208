/* slot.h -- the slot process: takes orders from its dispatcher, runs one job at a time, answers. */
#ifndef WORKERS_SLOT_H
#define WORKERS_SLOT_H

#include "workers/settings.h"
#include "workers/shm.h"

struct slot_setup {
	const struct settings *settings;
	struct shm_slot *shm;
};

/* The life of a slot process (arg: struct slot_setup); ends when the dispatcher closes its side of fd. Its exit code. */
int slot_main(void *arg, int fd);

#endif
