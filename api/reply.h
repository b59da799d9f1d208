/* reply.h -- answers of every shape, and what is counted and logged when one is given.
 *
 * Errors always carry {"detail": "<sentence>"}; on the job API they are RFC 9457 problems with the members type, title, status
 * and detail. After any reply_* the request is dead.
 */
#ifndef API_REPLY_H
#define API_REPLY_H

#include "api/api.h"
#include "base/json.h"

void reply_json(struct call *c, int status, struct buf *body);                    /* takes the buffer over */
void reply_bytes(struct call *c, int status, const char *type, struct buf *body); /* takes the buffer over */
void reply_text(struct call *c, int status, const char *type, const char *text);
void reply_empty(struct call *c, int status);
void reply_detail(struct call *c, int status, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The status and Retry-After that fit the error; prefix (or NULL) is put before its text. */
void reply_err(struct call *c, const struct err *e, const char *prefix);
void reply_header(struct call *c, const char *name, const char *value);
void reply_retry_after(struct call *c, int64_t ms); /* at least a second */
/* Count and log an answer that is given by other means (streams). */
void reply_count(struct call *c, int status);

int err_status(enum err_code code);
/* Text that may come from outside, short enough for a sentence: at most 64 bytes, cut between characters. Arena memory. */
const char *reply_excerpt(struct call *c, const char *text);

#endif
