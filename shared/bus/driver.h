/* driver.h -- private to shared/bus: what a driver of the bus is. A driver is one file with one struct and one line in drivers.def. */
#ifndef BUS_DRIVER_H
#define BUS_DRIVER_H

#include "bus/bus.h"

struct bus_driver {
	const char *name;
	const char *prefix; /* of the addresses that it takes; "": any */

	/* As in bus.h. impl is what open or subscribe gave; close and unsubscribe free it. The events were checked. */
	void *(*open)(const char *brokers, struct err *e);
	size_t (*publish)(void *impl, const struct event *events, size_t n, int timeout_ms, struct err *e);
	void (*forget)(void *impl);
	void (*close)(void *impl);

	void *(*subscribe)(const char *brokers, const char *const *topics, size_t n, bool from_beginning, struct err *e);
	int (*next)(void *impl, int timeout_ms, struct event *out, struct err *e);
	bool (*ready)(void *impl, int timeout_ms, struct err *e);
	void (*unsubscribe)(void *impl);

	bool (*topics_ensure)(
	        const char *brokers, const struct bus_topic *topics, size_t n, int replication, int timeout_ms, struct err *e);
};

#define BUS_DRIVER(name) extern const struct bus_driver bus_driver_##name;
#include "bus/drivers.def"
#undef BUS_DRIVER

#endif
