/* flow_split.h -- a job of a flow that is split: one job for each item of a list among its parameters. */
#ifndef API_FLOW_SPLIT_H
#define API_FLOW_SPLIT_H

#include "api/api.h"
#include "base/err.h"
#include "base/json.h"

/* In a list of jobs as flow_spread gives it: a job with "split": "symbols" becomes one job for each of its symbols, called NAME-ITEM (NAME-1 and so
 * on where an item is no name), and who waits for it waits for all of them. An empty list of symbols stands for those that the kind finds in the
 * store. A new list, which the caller closes; NULL with e: ERR_INVALID, or why the store could not be asked. */
struct json *flow_split(struct call *c, const struct json *jobs, struct err *e) MUST_CHECK;

#endif
