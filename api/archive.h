/* archive.h -- a job that the queue has forgotten, as the history knows it. */
#ifndef API_ARCHIVE_H
#define API_ARCHIVE_H

#include "api/api.h"
#include "store/history.h"

/* 1: *out is filled, in arena memory; 0: the history does not know it, nothing was answered; -1: answered. */
int archive_show(struct call *c, const char *id, struct history_row *out) MUST_CHECK;
/* Answer with its result: 409 when it had none, 410 when it was too long to be kept. */
void archive_result(struct call *c, const struct history_row *row);

#endif
