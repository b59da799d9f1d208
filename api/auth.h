/* auth.h -- the bearer token of API_TOKEN. */
#ifndef API_AUTH_H
#define API_AUTH_H

#include "api/api.h"

/* True: go on. False: it has answered 401. Probes are always let through, so that an orchestrator needs no secret. */
bool auth_check(struct call *c);

#endif
