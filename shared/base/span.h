/* span.h -- lengths of time as people write them: "200ms", "90s", "15m", "1h30m", "7d". Pure. */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include "base/base.h"
#include "base/err.h"

/* A span of 10 ms to 366 days. */
bool span_parse(const char *text, int64_t *out_ms, struct err *e) MUST_CHECK;
void span_print(char out[32], int64_t span_ms); /* reads back as the same */

#endif
