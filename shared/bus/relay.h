/* relay.h -- carries the outbox to Kafka: in order, at least once, and marks rows sent only when Kafka confirmed them. */
#ifndef BUS_RELAY_H
#define BUS_RELAY_H

#include "bus/bus.h"
#include "store/store.h"

struct relay;
struct relay *relay_open(struct store *s, struct bus *b, const char *owner) __attribute__((returns_nonnull)); /* borrows both */
void relay_close(struct relay **r);
/* One turn: take the lease, send what waits (at most 500 rows), mark it. Returns rows confirmed (0: nothing to do, or another
 * relay holds the lease), -1 with e when Kafka or the store refused: rows stay, call again later. */
int relay_turn(struct relay *r, int timeout_ms, struct err *e) MUST_CHECK;

#endif
