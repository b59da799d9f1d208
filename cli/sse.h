/* sse.h -- reads a stream of server-sent events piece by piece. */
#ifndef CLI_SSE_H
#define CLI_SSE_H

#include "base/base.h"
#include "base/str.h"

/* Called for each event; data is the joined data lines. False ends the stream. */
typedef bool sse_handler(void *user, const char *id, const char *type, const char *data);

struct sse { /* start with zeros, set handler and user */
	sse_handler *handler;
	void *user;
	struct buf line, data;
	char id[128], type[64];
	bool listening; /* the server said that nothing from then on is missed */
};
bool sse_feed(void *sse, const char *bytes, size_t len); /* fits http_call.on_data */
void sse_close(struct sse *s);

#endif
