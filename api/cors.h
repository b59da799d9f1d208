/* cors.h -- which web pages may call: the headers of answers, and the preflight, as the origin gives them. */
#ifndef API_CORS_H
#define API_CORS_H

#include "api/api.h"

/* Sets the headers that every answer to a page carries; nothing when the request has no Origin. */
void cors_headers(struct call *c);
/* Answers a preflight and returns true; false: the request is not one. */
bool cors_preflight(struct call *c);
/* Is `origin` one of the list (commas between, * = any)? */
bool cors_allows(const char *list, const char *origin);

#endif
