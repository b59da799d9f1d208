/* frame.h -- what dispatcher and slot say to each other over their socket pair: frames of orders, answers and remarks.
 *
 * A frame is a 4-byte length (of what follows), one byte that tells what it is, and items. Both sides run the same program,
 * so numbers are in host order; but a slot that a job has broken may send anything, so everything is checked.
 */
#ifndef WORKERS_FRAME_H
#define WORKERS_FRAME_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"
#include "job/job.h"
#include "queue/queue.h"

#define FRAME_MAX (4u * 1024 * 1024)

enum frame_type { FRAME_ORDERS = 1, FRAME_ANSWERS = 2, FRAME_REMARKS = 3 };

/* One job to run. Texts point into the frame. */
struct order {
	uint32_t number; /* counts the jobs sent to this slot process, from 1 */
	struct job
	        job; /* id kind queue kind_version attempt max_attempts crashes fence trace tags parent created_at; params, inputs ("": none) borrowed */
};

/* How it went. */
struct answer {
	uint32_t number;
	char id[JOB_ID];
	bool done;
	struct err error; /* when not done */
	int64_t run_us;
	const char *result; /* points into the frame; NULL: none */
	size_t result_len;
};

/* Begin, fill and finish a frame at the end of b; frame_end fixes the length. */
size_t frame_begin(struct buf *b, enum frame_type type);
void frame_end(struct buf *b, size_t start);
void order_put(struct buf *b, uint32_t number, const struct job *j);
void answer_put(struct buf *b, const struct answer *a);
void remark_put(struct buf *b, uint32_t number, const char *text); /* a line that job `number` says */

/* Reading: a cursor over one frame's items; texts in it stay valid as long as the frame's bytes. */
struct cursor {
	char *at, *end;
};
/* Look for one whole frame in data[len]: 1 found (*type, *items, *size_out bytes in all), 0 not yet, -1 nonsense. */
int frame_find(char *data, size_t len, enum frame_type *type_out, struct cursor *items_out, size_t *size_out);
/* The next item: 1 one, 0 the frame is over, -1 nonsense. */
int order_next(struct cursor *c, struct order *out) MUST_CHECK;
int answer_next(struct cursor *c, struct answer *out) MUST_CHECK;
/* *text_out points into the frame; its control characters were made spaces, and it is cut to QUEUE_REMARK_MAX bytes. */
int remark_next(struct cursor *c, uint32_t *number_out, const char **text_out) MUST_CHECK;

#endif
