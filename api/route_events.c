/* route_events.c -- GET /api/events: events as they happen, filtered by topic, type, symbol and interval. */
#include "api/events.h"
#include "api/reply.h"
#include "api/routes.h"
#include "base/str.h"

/* An absent filter is ""; false: answered, because no event can ever match what is too long for it. */
static bool take(struct call *c, const char *name, char *out, size_t size)
{
	const char *text = http_query(c->r, name);

	if (!text || str_copy(out, size, text))
		return true;
	reply_detail(c, 422, "%s is too long", name);
	return false;
}

void route_events(struct call *c)
{
	struct events_filter f = {0};

	if (!c->api->events) {
		reply_detail(c, 503, "there are no events: KAFKA_BROKERS is not set for this server");
		return;
	}
	if (take(c, "topic", f.topic, sizeof f.topic) && take(c, "type", f.type, sizeof f.type) &&
	        take(c, "symbol", f.symbol, sizeof f.symbol) && take(c, "interval", f.interval, sizeof f.interval))
		events_stream(c, &f, http_header(c->r, "Last-Event-ID"));
}
