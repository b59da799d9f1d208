/* kline_range.h -- start_date and end_date of the origin's routes, as a range of open times. Pure: now is a parameter. */
#ifndef API_KLINE_RANGE_H
#define API_KLINE_RANGE_H

#include "base/base.h"

struct kline_range {
	int64_t from, to; /* both inclusive; from > to: nothing */
};

/* NULL or "": no limit. A date-only end is the end of that day; an end in the future is cut to now. A text that is no time is
 * compared with the bars' dates as text, which is what the origin does: "zzz" as start gives nothing, as end everything. */
struct kline_range kline_range_of(const char *start, const char *end, int64_t now_ms);

#endif
