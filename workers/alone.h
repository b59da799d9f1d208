/* alone.h -- the short jobs of a line that may be poison, one at a time: a quarantined one, or a suspect, which a worker held when it died.
 *
 * Short jobs are claimed ahead, and the queue does not know which of them has begun. So that the death of a whole worker is blamed on the
 * job that caused it, and on no neighbour, such a job has a slot of its own, the queue knows that it starts before it does (ACK_STARTS),
 * and the next of them starts when it has ended, or has run for a while: what kills its worker mostly does so at once.
 */
#ifndef WORKERS_ALONE_H
#define WORKERS_ALONE_H

#include "queue/queue.h"

struct dispatcher;
struct line;
struct lonely;

struct alone {
	struct lonely *at; /* the n from `first` on, as they came */
	size_t first, n, cap;
	int64_t moved_ms;    /* when one of them was started last, or the first of them came */
	bool yields;         /* one was started: usual jobs of the line that wait come first now */
	int64_t asked, told; /* fence of the first of them when the queue is being told that it starts, and when it knows; 0: neither */
};

bool alone_needed(const struct line *l, const struct job *j);
void alone_add(struct line *l, struct job *j); /* takes over what it owns */
void alone_close(struct line *l);
/* Of all lines: the next one, if there is a turn for it, rides in the next step of its line. */
void alone_plan(struct dispatcher *d);
/* A step of l was answered; its acknowledgements still stand in l. */
void alone_answered(struct line *l, const struct queue_step_reply *reply);
/* Is it the turn of the first of l? Then an idle slot is kept for it. */
bool alone_is_next(const struct dispatcher *d, const struct line *l);
/* Start it if the queue knows that it starts; idle: how many idle slots l may use. */
bool alone_start(struct dispatcher *d, struct line *l, int idle);
void alone_give_back(struct line *l);                      /* all of them */
void alone_too_long(struct dispatcher *d, struct line *l); /* those that wait too long go back */

#endif
