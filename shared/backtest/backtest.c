/* backtest.c -- the registry of strategies, made from strategies.def. */
#include "backtest/backtest.h"

#include "base/str.h"

#define STRATEGY(name) extern const struct strategy strategy_##name;
#include "backtest/strategies.def"
#undef STRATEGY

static const struct strategy *const strategies[] = {
#define STRATEGY(name) &strategy_##name,
#include "backtest/strategies.def"
#undef STRATEGY
};

const struct strategy *strategy_at(size_t i)
{
	return i < ARRAY_LEN(strategies) ? strategies[i] : NULL;
}

const struct strategy *strategy_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(strategies); i++) {
		if (str_eq(strategies[i]->name, name))
			return strategies[i];
	}
	return NULL;
}
