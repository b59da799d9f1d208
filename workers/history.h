/* history.h -- writes ended jobs from the queue into the store, with their events, in the courier's spare time. */
#ifndef WORKERS_HISTORY_H
#define WORKERS_HISTORY_H

#include "store/store.h"
#include "workers/settings.h"
#include "workers/shm.h"

struct history;

struct history *history_open(const struct settings *s, struct shm *shm) __attribute__((returns_nonnull)); /* borrows both */
void history_close(struct history **h);
/* Write what waits, for at most some 200 ms. Looks when jobs have ended here, else once a second. False: e says why not; it goes on
 * by itself when called again. */
bool history_turn(struct history *h, struct store *store, struct err *e) MUST_CHECK;

#endif
