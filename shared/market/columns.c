/* columns.c -- finding rows in a run of candles. */
#include "market/columns.h"

size_t columns_lower_bound(const struct columns *c, int64_t t_ms)
{
	size_t low = 0, high = c->n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (c->open_time[middle] < t_ms)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
