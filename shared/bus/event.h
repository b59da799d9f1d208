/* event.h -- private to shared/bus: CloudEvents 1.0 on Kafka, to headers and back. What comes from the wire is hostile. */
#ifndef BUS_EVENT_H
#define BUS_EVENT_H

#include "base/mem.h"
#include "bus/bus.h"

#define EVENT_HEADERS  8      /* that event_headers writes */
#define EVENT_TEXT_MAX 255    /* bytes of an attribute or a key */
#define EVENT_DATA_MAX 900000 /* bytes of the data: below the 1 MB that brokers accept by default */

/* A header or another run of bytes; not NUL-terminated. data NULL: absent. */
struct event_bytes {
	const char *name;
	const char *data;
	size_t len;
};

/* A message as it came: any bytes. */
struct event_wire {
	const char *topic; /* full name, from our own subscription */
	int32_t partition;
	int64_t offset;
	int64_t time_ms; /* when Kafka got it; used where the event has no time */
	struct event_bytes key, value;
	const struct event_bytes *headers;
	size_t n_headers;
};

/* ERR_INVALID when an attribute is missing, too long or not text. */
bool event_check(const struct event *ev, struct err *e) MUST_CHECK;
/* The headers of binary mode, in arena memory. Returns how many. */
size_t event_headers(const struct event *ev, struct arena *a, struct event_bytes out[EVENT_HEADERS]);
/* Binary and structured mode. All texts of *out are copied into the arena and are whole UTF-8 without control characters; data is
 * valid JSON. False with ERR_CORRUPT and a sentence that says what was wrong. */
bool event_parse(const struct event_wire *w, struct arena *a, struct event *out, struct err *e) MUST_CHECK;

#endif
