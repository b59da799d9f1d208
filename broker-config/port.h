/* port.h -- the ports that the development broker listens on. */
#ifndef BROKER_CONFIG_PORT_H
#define BROKER_CONFIG_PORT_H

#include "base/base.h"

void port_choose(int port); /* the first broker gets it, the second port + 1, ...; 0: any */

#endif
