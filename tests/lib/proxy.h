/* proxy.h -- a TCP proxy in a thread of the test that cuts, stalls, deafens and freezes what goes through it. */
#ifndef TESTS_LIB_PROXY_H
#define TESTS_LIB_PROXY_H

#include "base/base.h"

enum proxy_way {
	PROXY_PASS,
	PROXY_RESET,  /* after n more bytes, of both directions together, the connection they went over is reset on both sides */
	PROXY_LOSE,   /* the next bytes from the server are thrown away and the connection reset: it was done, and nobody is told */
	PROXY_STALL,  /* nothing moves; when healed it goes on where it stood */
	PROXY_FREEZE, /* nothing moves any more on the connections of now, and none is closed: half open; new ones pass */
	PROXY_DEAF,   /* what the clients say is thrown away, for as long as their connections last */
	PROXY_MUTE,   /* what the server says is thrown away, for as long as the connections last */
	PROXY_REFUSE  /* all connections are reset, new ones at once */
};

struct proxy;
/* Listens on a port of 127.0.0.1 of its own and connects to target_port. */
struct proxy *proxy_open(int target_port) __attribute__((returns_nonnull));
void proxy_close(struct proxy **p);
void proxy_target(struct proxy *p, int port); /* new connections go there */
int proxy_port(const struct proxy *p);
/* From now on. n: for PROXY_RESET. Frozen, deaf and mute connections stay so after PROXY_PASS: that is what half open means. */
void proxy_set(struct proxy *p, enum proxy_way way, int64_t n);
/* How many connections were reset, lost, frozen, deafened or muted. */
int64_t proxy_hurt(struct proxy *p);

#endif
