/* log_line.h -- a line of a job's log, as the API shows it. */
#ifndef API_LOG_LINE_H
#define API_LOG_LINE_H

#include "base/json.h"
#include "queue/seeing.h"

void log_line_write(const struct queue_log_line *line, struct json_writer *w);

#endif
