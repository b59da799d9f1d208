/* kind_kline_integrity.c -- are the stored series whole and believable? The result has the origin's shape. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "kinds/kind.h"
#include "market/integrity.h"

#define INTERVAL_CHOICES "1m|3m|5m|15m|30m|1h|2h|4h|6h|8h|12h|1d|3d|1w|1M"
#define HOLES_LOGGED     100
#define RESULT_BYTES     (900 * 1024) /* a job's result may have 1 MiB */

static const struct param params[] = {
        {.name = "symbol", .type = PARAM_TEXT, .min = 1, .max = 31, .help = "one symbol"},
        {.name = "symbols",
                .type = PARAM_TEXTS,
                .fallback = "[]",
                .max = 2000,
                .help = "these symbols; empty (and no symbol): all stored ones"},
        {.name = "interval", .type = PARAM_CHOICE, .fallback = "\"1d\"", .choices = INTERVAL_CHOICES, .help = "length of a K-line"},
        {.name = "start_date", .type = PARAM_DATE, .help = "first day to look at"},
        {.name = "end_date", .type = PARAM_DATE, .help = "last day to look at"},
        {.name = "check_duplicates", .type = PARAM_FLAG, .fallback = "true", .help = "look for repeated K-lines"},
        {.name = "check_missing_dates", .type = PARAM_FLAG, .fallback = "true", .help = "look for holes"},
        {.name = "check_data_quality", .type = PARAM_FLAG, .fallback = "true", .help = "look for impossible prices and volumes"},
};

static bool check(struct json *p, struct err *e)
{
	int64_t from, to;
	const char *start = json_get_text(p, "start_date", NULL), *end = json_get_text(p, "end_date", NULL);
	const char *symbol = json_get_text(p, "symbol", NULL);
	if (symbol != NULL && !symbol_ok(symbol))
		return err_set(e, ERR_INVALID, "parameter symbol is \"%s\", which is no symbol; one looks like BTCUSDT", symbol);
	for (const struct json *s = json_first(json_get(p, "symbols")); s != NULL; s = json_next(s))
		if (!symbol_ok(json_text(s)))
			return err_set(e, ERR_INVALID, "parameter symbols names \"%.40s\", which is no symbol; one looks like BTCUSDT",
			        json_text(s));
	if (start != NULL && end != NULL && time_parse_date(start, &from) && time_parse_date(end, &to) && from > to)
		return err_set(e, ERR_INVALID, "start_date %s is after end_date %s", start, end);
	return true;
}

struct look {
	struct job_context *context;
	struct store *store;
	enum interval interval;
	struct integrity_options options;
	const char **names;
	size_t n;
	struct symbol_row *listed;
	int n_listed;
};

static bool names_find(struct look *l, struct err *e)
{
	struct arena *a = l->context->arena;
	const struct json *given = json_get(l->context->params, "symbols");
	const char *one = json_get_text(l->context->params, "symbol", NULL);
	struct series *series;
	int n = one != NULL || json_count(given) > 0 ? 0 : store_series_list(l->store, l->interval, a, &series, e);
	if (n < 0)
		return false;
	l->names = arena_array(a, (size_t)n + json_count(given) + 1, sizeof(*l->names));
	if (one != NULL)
		l->names[l->n++] = one;
	for (const struct json *s = json_first(given); s != NULL; s = json_next(s))
		l->names[l->n++] = json_text(s);
	for (int i = 0; i < n; i++)
		l->names[l->n++] = series[i].symbol;
	return true;
}

/* Of parameters that are not checked yet; "1d" when it is not there. */
static bool interval_asked(const struct json *p, enum interval *out, struct err *e)
{
	const struct json *asked = json_get(p, "interval");
	*out = INTERVAL_1d;
	if (asked == NULL || interval_of(json_text(asked), out))
		return true;
	return err_set(e, ERR_INVALID, "interval must be one of " INTERVAL_CHOICES);
}

/* What names_find finds, before the job is there. */
static int all_symbols(const struct json *p, struct store *s, struct arena *a, const char ***out, struct err *e)
{
	struct series *series;
	enum interval interval;
	if (json_get(p, "symbol") != NULL)
		return err_fail(e, ERR_INVALID, "a check of one symbol cannot be split: leave symbol out");
	if (!interval_asked(p, &interval, e))
		return -1;
	int n = store_series_list(s, interval, a, &series, e);
	if (n == 0)
		return err_fail(e, ERR_INVALID, "no K-lines of %s are stored, so there is nothing to check", interval_name(interval));
	*out = arena_array(a, (size_t)(n > 0 ? n : 0) + 1, sizeof(**out));
	for (int i = 0; i < n; i++)
		(*out)[i] = series[i].symbol;
	return n;
}

static void options_read(struct look *l)
{
	const struct json *p = l->context->params;
	const char *start = json_get_text(p, "start_date", NULL), *end = json_get_text(p, "end_date", NULL);
	l->options = (struct integrity_options){
	        .duplicates = json_get_bool(p, "check_duplicates", true),
	        .missing = json_get_bool(p, "check_missing_dates", true),
	        .quality = json_get_bool(p, "check_data_quality", true),
	        .now_ms = clock_now_ms(),
	};
	if (start == NULL || !time_parse_date(start, &l->options.from))
		l->options.from = 0;
	if (end != NULL && time_parse_date(end, &l->options.to))
		l->options.to += TIME_DAY - 1; /* the last day counts whole */
}

static int64_t listed_at(const struct look *l, const char *symbol)
{
	for (int i = 0; i < l->n_listed; i++)
		if (strcmp(l->listed[i].symbol, symbol) == 0)
			return l->listed[i].onboard_at;
	return 0;
}

/* a: for this series' columns, reset afterwards; the findings live in the job's arena. */
static bool look_at(struct look *l, const char *symbol, struct arena *a, struct integrity *out, struct err *e)
{
	struct columns columns = {0};
	struct absent_range *absent;
	struct integrity_options o = l->options;
	if (!store_columns_get(l->store, symbol, l->interval, 0, INT64_MAX, COLUMNS_ALL, a, &columns, NULL, e))
		return false;
	int n = store_absent_list(l->store, symbol, l->interval, a, &absent, e);
	if (n < 0)
		return false;
	struct integrity_span *spans = arena_array(a, (size_t)n + 1, sizeof(*spans));
	for (int i = 0; i < n; i++)
		spans[i] = (struct integrity_span){absent[i].from, absent[i].to};
	o.absent = spans;
	o.n_absent = (size_t)n;
	o.listed_at = listed_at(l, symbol);
	integrity_check(symbol, l->interval, &columns, &o, l->context->arena, out);
	return true;
}

static bool look_at_all(struct look *l, struct integrity *items, struct err *e)
{
	struct arena *a = arena_open();
	bool ok = true;
	for (size_t i = 0; ok && i < l->n; i++) {
		if (!l->context->progress(l->context, (int64_t)i, (int64_t)l->n, "symbols", l->names[i]))
			ok = err_set(e, ERR_CANCELLED, "stopped after %zu of %zu symbols", i, l->n);
		else
			ok = look_at(l, l->names[i], a, &items[i], e);
		arena_reset(a);
	}
	arena_close(&a);
	return ok;
}

static void log_holes(struct look *l, const struct integrity *items)
{
	size_t holed = 0;
	for (size_t i = 0; i < l->n; i++)
		holed += items[i].missing_bars > 0;
	kind_log(l->context, "%zu symbols looked at, %zu of them with holes", l->n, holed);
	for (size_t i = 0, told = 0; i < l->n && told < HOLES_LOGGED; i++)
		if (items[i].missing_bars > 0) {
			kind_log(l->context, "%s: %lld bars are missing", items[i].symbol, (long long)items[i].missing_bars);
			told++;
		}
}

/* Many holes in many series may make the result too long: then each shows fewer of them; the counts stay whole. */
static struct json *result_make(struct integrity *items, size_t n, struct err *e)
{
	struct buf text = {0};
	for (size_t show = INTEGRITY_RANGES_SHOWN;; show /= 10) {
		for (size_t i = 0; i < n; i++)
			if (items[i].n_ranges > show)
				items[i].n_ranges = show;
		buf_clear(&text);
		struct json_writer w = json_writer_on(&text);
		integrity_write(items, n, &w, NULL);
		if (text.len <= RESULT_BYTES || show == 0)
			break;
	}
	struct json *result = json_parse(buf_text(&text), text.len, e);
	buf_close(&text);
	return result;
}

/* The report is made from the result later: it must know what was asked. */
static void result_add_question(struct json *result, const struct json *asked)
{
	static const char *const names[] = {
	        "interval", "start_date", "end_date", "check_duplicates", "check_missing_dates", "check_data_quality"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		json_put(result, names[i], json_copy(json_get(asked, names[i])));
}

static bool run(struct job_context *c, struct json **result_out, struct err *e)
{
	struct look l = {.context = c, .store = c->store(c, e)};
	if (l.store == NULL)
		return false;
	if (!interval_of(json_get_text(c->params, "interval", ""), &l.interval))
		return err_set(e, ERR_INVALID, "interval is none of " INTERVAL_CHOICES);
	options_read(&l);
	l.n_listed = store_symbols_list(l.store, c->arena, &l.listed, e);
	if (l.n_listed < 0 || !names_find(&l, e))
		return false;
	struct integrity *items = arena_array(c->arena, l.n + 1, sizeof(*items));
	if (!look_at_all(&l, items, e))
		return false;
	log_holes(&l, items);
	*result_out = result_make(items, l.n, e);
	if (*result_out != NULL)
		result_add_question(*result_out, c->params);
	return *result_out != NULL;
}

extern const struct kind kind_kline_integrity;
const struct kind kind_kline_integrity = {
        .name = "kline.integrity",
        .title = "Check stored K-lines",
        .queue = "kline",
        .version = 1,
        .params = params,
        .n_params = ARRAY_LEN(params),
        .max_attempts = 3,
        .backoff_ms = 1000,
        .backoff_cap_ms = TIME_MINUTE,
        .soft_limit_ms = TIME_HOUR,
        .hard_limit_ms = 2 * TIME_HOUR,
        .check = check,
        .all_symbols = all_symbols,
        .run = run,
};
