/* schedule_json.h -- a schedule as requests say it and as answers show it. */
#ifndef API_SCHEDULE_JSON_H
#define API_SCHEDULE_JSON_H

#include "api/api.h"
#include "base/json.h"
#include "queue/schedule.h"

/* Check `body` (an object) and fill *out, to be closed; paused too. False: answered. */
bool schedule_of_json(struct call *c, const char *name, const struct json *body, struct queue_schedule *out);
/* What one would send to make it again; the caller closes it. */
struct json *schedule_request(const struct queue_schedule *s);
/* As answers show it: with its next ticks, counts and last job. */
void schedule_write(const struct queue_schedule *s, struct json_writer *w);

#endif
