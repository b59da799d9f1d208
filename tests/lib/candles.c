/* candles.c -- series in memory behind struct backtest_data. */
#include "tests/lib/candles.h"

#include <math.h>
#include <string.h>

#include "base/str.h"

struct series_in_memory {
	char symbol[64];
	enum interval interval;
	size_t n, cap;
	int64_t *time;
	double *open, *high, *low, *close, *pct;
};

struct candles {
	struct series_in_memory *list;
	size_t n, last; /* last: where the newest row went */
	const char **names;
	int64_t asked, rows;
};

struct candles *candles_open(void)
{
	return mem_new(sizeof(struct candles));
}

void candles_close(struct candles **c)
{
	if (!*c)
		return;
	for (size_t i = 0; i < (*c)->n; i++) {
		struct series_in_memory *s = &(*c)->list[i];
		mem_free(&s->time);
		mem_free(&s->open);
		mem_free(&s->high);
		mem_free(&s->low);
		mem_free(&s->close);
		mem_free(&s->pct);
	}
	mem_free(&(*c)->names);
	mem_free(&(*c)->list);
	mem_free(c);
}

static struct series_in_memory *candles_find(struct candles *c, const char *symbol, enum interval iv)
{
	for (size_t k = 0; k < c->n; k++) {
		size_t i = (c->last + k) % c->n;
		if (c->list[i].interval == iv && strcmp(c->list[i].symbol, symbol) == 0) {
			c->last = i;
			return &c->list[i];
		}
	}
	return NULL;
}

static struct series_in_memory *candles_make(struct candles *c, const char *symbol, enum interval iv)
{
	c->list = mem_grow(c->list, c->n, c->n + 1, sizeof(*c->list));
	c->names = mem_grow(c->names, c->n, c->n + 1, sizeof(*c->names));
	struct series_in_memory *s = &c->list[c->n];
	s->interval = iv;
	UNUSED(!str_copy(s->symbol, sizeof(s->symbol), symbol));
	c->last = c->n++;
	return s;
}

static void series_reserve(struct series_in_memory *s)
{
	size_t cap = s->cap ? s->cap * 2 : 1024;
	s->time = mem_grow(s->time, s->cap, cap, sizeof(*s->time));
	s->open = mem_grow(s->open, s->cap, cap, sizeof(*s->open));
	s->high = mem_grow(s->high, s->cap, cap, sizeof(*s->high));
	s->low = mem_grow(s->low, s->cap, cap, sizeof(*s->low));
	s->close = mem_grow(s->close, s->cap, cap, sizeof(*s->close));
	s->pct = mem_grow(s->pct, s->cap, cap, sizeof(*s->pct));
	s->cap = cap;
}

void candles_add(struct candles *c, const char *symbol, enum interval iv, int64_t open_time, double open, double high, double low,
        double close, double pct)
{
	struct series_in_memory *s = candles_find(c, symbol, iv);
	s = s ? s : candles_make(c, symbol, iv);
	if (s->n == s->cap)
		series_reserve(s);
	size_t i = s->n++;
	s->time[i] = open_time;
	s->open[i] = open;
	s->high[i] = high;
	s->low[i] = low;
	s->close[i] = close;
	s->pct[i] = pct;
}

/* Of our own, so that a test of the base alone links without the floors above it. */
static size_t series_lower_bound(const struct series_in_memory *s, int64_t t)
{
	size_t low = 0, high = s ? s->n : 0;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (s->time[middle] < t)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int data_symbols(void *user, enum interval iv, const char *const **out, struct err *e)
{
	struct candles *c = user;
	int n = 0;
	UNUSED(e);
	for (size_t i = 0; i < c->n; i++) {
		if (c->list[i].interval == iv)
			c->names[n++] = c->list[i].symbol;
	}
	*out = c->names;
	return n;
}

static bool data_columns(void *user, const char *symbol, enum interval iv, int64_t from, int64_t to, struct columns *out, struct err *e)
{
	struct candles *c = user;
	struct series_in_memory *s = candles_find(c, symbol, iv);
	UNUSED(e);
	*out = (struct columns){0};
	c->asked++;
	if (!s)
		return true;
	size_t i = series_lower_bound(s, from), end = series_lower_bound(s, to + 1);
	if (i >= end)
		return true;
	*out = (struct columns){
	        .n = end - i, .open_time = s->time + i, .open = s->open + i, .high = s->high + i, .low = s->low + i, .close = s->close + i};
	c->rows += (int64_t)out->n;
	return true;
}

static double data_pct(void *user, const char *symbol, int64_t open_time)
{
	struct candles *c = user;
	struct series_in_memory *s = candles_find(c, symbol, INTERVAL_1d);
	size_t i = series_lower_bound(s, open_time);
	return s && i < s->n && s->time[i] == open_time ? s->pct[i] : NAN;
}

struct backtest_data candles_data(struct candles *c, bool with_pct)
{
	return (struct backtest_data){.symbols = data_symbols, .columns = data_columns, .user = c, .pct_chg = with_pct ? data_pct : NULL};
}

int64_t candles_asked(const struct candles *c, int64_t *rows_out)
{
	*rows_out = c->rows;
	return c->asked;
}
