/* events.h -- Kafka's events for web pages: one subscriber thread, a ring of the newest events, Server-Sent Events out of it.
 *
 * An SSE id is "<start of this process>-<number>": a client that comes back with Last-Event-ID goes on after it as long as the
 * ring still holds what followed; otherwise from now on. A client that is too slow for the ring is told what it missed.
 */
#ifndef API_EVENTS_H
#define API_EVENTS_H

#include "api/api.h"

struct events;
struct events *events_open(const char *brokers, struct err *e) MUST_CHECK;
void events_close(struct events **ev); /* after the server was closed */

struct events_filter {
	char topic[64], type[64]; /* "": any; type: the beginning of it */
	char symbol[SYMBOL_SIZE], interval[8];
};
/* Answers the request with the stream; 503 when there are too many listeners. */
void events_stream(struct call *c, const struct events_filter *filter, const char *last_id);

#endif
