/* stats_text.h -- a backtest's statistics as a table for people. */
#ifndef CLI_STATS_TEXT_H
#define CLI_STATS_TEXT_H

#include "cli/cli.h"

void stats_print(const struct json *result, FILE *out);

#endif
