/* report.h -- what a worker says about itself to whoever looks: who it is, what each slot runs, since when and how far. */
#ifndef WORKERS_REPORT_H
#define WORKERS_REPORT_H

#include "workers/dispatcher.h"

/* Put a report into l->report if one is due: about once a second, less often for a worker of very many slots. It rides in the next step. */
void report_write(const struct dispatcher *d, struct line *l);

#endif
