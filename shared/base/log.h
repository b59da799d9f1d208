/* log.h -- one line per event on standard error: time, level, program, text. LOG_FORMAT=json for machines.
 *
 * Only the one who handles an error logs it. errno survives a call. Secrets are never logged.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/base.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_SILENT };

void log_open(const char *program, enum log_level level, bool json); /* program is not copied */
bool log_level_of(const char *name, enum log_level *out) MUST_CHECK; /* debug info warn error silent */
void log_context(const char *context); /* e.g. a job id, put on every line until changed; NULL clears; copied */
void log_at(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_at(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)

#endif
