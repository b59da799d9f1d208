/* err.h -- why something failed: a code for programs, a sentence for people.
 *
 * What can fail takes `struct err *e` last, never NULL, and fills it only on failure.
 *
 *     bool thing_do(struct thing *t, struct err *e) {
 *             if (t->full)
 *                     return err_set(e, ERR_FULL, "the thing holds %d items, which is its limit", t->n);
 *
 * The text is one sentence without a full stop: what was wrong and, where it helps, what would be right.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/base.h"

/* X(code, wire name, temporary: may the same call succeed later?) */
#define ERR_CODES(X)                            \
	X(ERR_NONE, "none", false)              \
	X(ERR_INVALID, "invalid", false)        \
	X(ERR_NOT_FOUND, "not_found", false)    \
	X(ERR_CONFLICT, "conflict", false)      \
	X(ERR_FULL, "full", true)               \
	X(ERR_LIMITED, "limited", true)         \
	X(ERR_UNAVAILABLE, "unavailable", true) \
	X(ERR_TIMEOUT, "timeout", true)         \
	X(ERR_UNSURE, "unsure", true)           \
	X(ERR_CANCELLED, "cancelled", false)    \
	X(ERR_STALE, "stale", false)            \
	X(ERR_CORRUPT, "corrupt", false)        \
	X(ERR_DENIED, "denied", false)          \
	X(ERR_IO, "io", true)                   \
	X(ERR_CRASHED, "crashed", true)         \
	X(ERR_INTERNAL, "internal", false)

/* ERR_UNSURE: the answer was lost, the deed may be done. ERR_STALE: the fence is no longer ours. */
enum err_code {
#define X(code, name, temporary) code,
	ERR_CODES(X)
#undef X
};

struct err {
	enum err_code code;
	int64_t retry_after_ms; /* 0: not known */
	char text[400];
};

/* Fill e and return false, so that `return err_set(...)` reads well in a bool function. Too long a text is cut. */
bool err_set(struct err *e, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* The same for functions that return int: returns -1. */
int err_fail(struct err *e, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Put "<what>: " before the text that e already has; returns false. */
bool err_prefix(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* "unavailable" and so on; err_code_of() gives ERR_INTERNAL for an unknown name. */
const char *err_name(enum err_code code);
enum err_code err_code_of(const char *name);
bool err_is_temporary(enum err_code code);

#endif
