/* clock.h -- the clocks of this machine. Not for floor 1 (job, market, trade, backtest): there, time is a parameter. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/base.h"

int64_t clock_now_ms(void);  /* wall clock, ms UTC */
int64_t clock_mono_ms(void); /* never jumps; only for spans and deadlines */
int64_t clock_mono_us(void);
void clock_sleep_ms(int64_t ms); /* returns early when a signal arrives */

#endif
