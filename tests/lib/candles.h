/* candles.h -- candles in memory as the data of a backtest, for tests and benches. */
#ifndef TESTS_LIB_CANDLES_H
#define TESTS_LIB_CANDLES_H

#include "backtest/backtest.h"

struct candles;

struct candles *candles_open(void);
void candles_close(struct candles **c);
/* Append one candle to its series, in time order; the first of a series decides the series' place. pct: NaN when none is stored. */
void candles_add(struct candles *c, const char *symbol, enum interval iv, int64_t open_time, double open, double high, double low,
        double close, double pct);
/* The interface of the engine onto them; with_pct: hand out the stored daily changes too. Valid until candles_close. */
struct backtest_data candles_data(struct candles *c, bool with_pct);
/* How many times columns were asked for, and how many rows were handed out. */
int64_t candles_asked(const struct candles *c, int64_t *rows_out);

#endif
