/* kind_backtest_run.c -- run a strategy over stored K-lines; the result names the data that it used. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "backtest/stats.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/failpoint.h"
#include "kinds/kind.h"
#include "records/records.h"

#define SERIES_SHOWN 50 /* series listed in the result; the hash covers all */

static const struct param params[] = {
        {.name = "strategy", .type = PARAM_TEXT, .fallback = "\"origin_short_top\"", .min = 1, .max = 31, .help = "name of the strategy"},
        {.name = "params",
                .type = PARAM_OBJECT,
                .fallback = "{}",
                .help = "the strategy's own parameters; they may also stand beside `strategy`"},
};

/* {"strategy": s, "start_date": d, ...} means {"strategy": s, "params": {"start_date": d, ...}}. */
static struct json *shape(const struct json *in)
{
	struct json *out = json_new_object(), *inner = json_copy(json_get(in, "params"));
	if (!json_is(inner, JSON_OBJECT) && json_get(in, "params") == NULL) {
		json_close(&inner);
		inner = json_new_object();
	}
	bool may_add = json_is(inner, JSON_OBJECT);
	for (const struct json *m = json_first(in); m != NULL; m = json_next(m)) {
		const char *name = json_key(m);
		if (strcmp(name, "params") == 0)
			continue;
		bool is_own = strcmp(name, "strategy") == 0 || !may_add;
		json_put(is_own ? out : inner, name, json_copy(m));
	}
	json_put(out, "params", inner);
	return out;
}

static bool check(struct json *p, struct err *e)
{
	const char *name = json_get_text(p, "strategy", "");
	const struct strategy *s = strategy_of(name);
	int64_t from, to;
	if (s == NULL)
		return err_set(e, ERR_INVALID, "parameter strategy is \"%s\", which does not exist", name);
	struct json *checked = params_check(s->params, s->n_params, json_get(p, "params"), false, e);
	if (checked == NULL)
		return false;
	const char *start = json_get_text(checked, "start_date", NULL), *end = json_get_text(checked, "end_date", NULL);
	bool ok = true;
	if (start != NULL && end != NULL && time_parse_date(start, &from) && time_parse_date(end, &to) && from > to)
		ok = err_set(e, ERR_INVALID, "start_date %s is after end_date %s", start, end);
	ok = ok && (s->check == NULL || s->check(checked, e));
	json_put(p, "params", checked);
	return ok;
}

/* ---- the data, through this host's cache */

struct used {
	const char *symbol;
	enum interval interval;
	int64_t revision;
};

struct market {
	struct job_context *context;
	struct store *store;
	struct cache *cache;
	struct used *used;
	size_t n_used, used_cap;
};

static int market_symbols(void *user, enum interval iv, const char *const **out, struct err *e)
{
	struct market *m = user;
	struct series *series;
	int n = store_series_list(m->store, iv, m->context->arena, &series, e), filled = 0;
	if (n < 0)
		return -1;
	const char **names = arena_array(m->context->arena, (size_t)n + 1, sizeof(*names));
	for (int i = 0; i < n; i++)
		if (series[i].rows > 0)
			names[filled++] = series[i].symbol;
	*out = names;
	return filled;
}

static void market_note(struct market *m, const char *symbol, enum interval iv, int64_t revision)
{
	for (size_t i = 0; i < m->n_used; i++)
		if (m->used[i].interval == iv && strcmp(m->used[i].symbol, symbol) == 0)
			return;
	if (m->n_used == m->used_cap) {
		size_t cap = m->used_cap < 64 ? 64 : m->used_cap * 2;
		m->used = mem_grow(m->used, m->used_cap, cap, sizeof(*m->used));
		m->used_cap = cap;
	}
	m->used[m->n_used++] = (struct used){arena_strdup(m->context->arena, symbol), iv, revision};
}

static bool market_columns(void *user, const char *symbol, enum interval iv, int64_t from, int64_t to, struct columns *out, struct err *e)
{
	struct market *m = user;
	int64_t revision = 0;
	if (!cache_columns(m->cache, m->store, symbol, iv, from, to, out, &revision, e))
		return false;
	market_note(m, symbol, iv, revision);
	return true;
}

static bool market_progress(void *user, int64_t done, int64_t total)
{
	struct market *m = user;
	return m->context->progress(m->context, done, total, "days", NULL);
}

/* ---- the result */

static void count_trades(const struct backtest_result *r, int64_t *wins, int64_t *losses, int64_t *longs)
{
	*wins = *losses = *longs = 0;
	for (size_t i = 0; i < r->n_trades; i++) {
		*wins += r->trades[i].profit > 0;
		*losses += r->trades[i].profit < 0;
		*longs += r->trades[i].side == TRADE_LONG;
	}
}

static void write_delay(const struct delay_stats *d, struct json_writer *w)
{
	jw_object(w, "delay_entry");
	jw_bool(w, "enabled", d->enabled);
	if (d->enabled) {
		jw_int(w, "delay_hours", d->delay_hours);
		jw_int(w, "total_pending", d->total_pending);
		jw_int(w, "successful_entries", d->successful);
		jw_int(w, "forced_entries", d->forced);
		jw_int(w, "failed_entries", d->failed);
		jw_object(w, "entry_reasons");
		jw_int(w, "momentum_weakening", d->momentum);
		jw_int(w, "timeout", d->timeout);
		jw_end(w);
		double rate = d->total_pending > 0 ? (double)d->successful / d->total_pending * 100 : 0;
		jw_double(w, "success_rate", round(rate * 100) / 100);
	}
	jw_end(w);
}

/* The origin's answer, field by field. */
static void write_answer(const struct backtest_result *r, struct json_writer *w)
{
	int64_t wins, losses, longs;
	double profit = r->final_capital - r->initial_capital;
	count_trades(r, &wins, &losses, &longs);
	jw_double(w, "initial_capital", r->initial_capital);
	jw_double(w, "final_capital", r->final_capital);
	jw_double(w, "total_profit_loss", profit);
	jw_double(w, "total_return_rate", r->initial_capital != 0 ? profit / r->initial_capital * 100 : 0);
	jw_int(w, "total_trades", (int64_t)r->n_trades);
	jw_int(w, "win_trades", wins);
	jw_int(w, "loss_trades", losses);
	jw_double(w, "win_rate", r->n_trades > 0 ? (double)wins / (double)r->n_trades * 100 : 0);
	jw_int(w, "long_trades", longs);
	jw_int(w, "short_trades", (int64_t)r->n_trades - longs);
	write_delay(&r->delay, w);
}

static void data_hash(const struct market *m, char out[DIGEST_HEX])
{
	struct digest *d = digest_begin();
	char line[100];
	for (size_t i = 0; i < m->n_used; i++) {
		const struct used *u = &m->used[i];
		int n = snprintf(line, sizeof(line), "%s|%s|%lld\n", u->symbol, interval_name(u->interval), (long long)u->revision);
		digest_add(d, line, (size_t)n);
	}
	digest_end(&d, out);
}

static void write_data(const struct market *m, const struct backtest_result *r, struct json_writer *w)
{
	char hash[DIGEST_HEX];
	data_hash(m, hash);
	jw_object(w, "data");
	jw_text(w, "hash", hash);
	jw_int(w, "bars_read", r->bars_read);
	jw_int(w, "series_total", (int64_t)m->n_used);
	jw_array(w, "series");
	for (size_t i = 0; i < m->n_used && i < SERIES_SHOWN; i++) {
		jw_object(w, NULL);
		jw_text(w, "symbol", m->used[i].symbol);
		jw_text(w, "interval", interval_name(m->used[i].interval));
		jw_int(w, "revision", m->used[i].revision);
		jw_end(w);
	}
	jw_end(w);
	jw_end(w);
}

/* The summary without file names: those are known only when it has been written into the files. */
static struct json *summary_make(struct market *m, const struct backtest_result *r, struct err *e)
{
	const struct json *p = m->context->params;
	struct buf text = {0};
	struct json_writer w = json_writer_on(&text);
	jw_object(&w, NULL);
	jw_text(&w, "strategy", json_get_text(p, "strategy", ""));
	jw_json(&w, "params", json_get(p, "params"));
	write_answer(r, &w);
	stats_write(r, &w, "statistics");
	write_data(m, r, &w);
	jw_array(&w, "warnings");
	for (size_t i = 0; i < r->n_warnings; i++)
		jw_text(&w, NULL, r->warnings[i]);
	jw_end(&w);
	jw_end(&w);
	struct json *summary = json_parse(buf_text(&text), text.len, e);
	buf_close(&text);
	return summary;
}

static bool files_write(struct market *m, const struct backtest_result *r, struct json *summary, struct err *e)
{
	const struct json *p = json_get(m->context->params, "params");
	struct records_names names = {0};
	char *text = json_to_text(summary);
	FAILPOINT("backtest_before_records");
	bool ok = records_write(m->context->records_dir, m->context->job->id, json_get_text(p, "start_date", "start"),
	        json_get_text(p, "end_date", "end"), r, text, &names, e);
	FAILPOINT("backtest_after_records");
	mem_free(&text);
	if (!ok)
		return false;
	struct json *files = json_new_object();
	json_put_text(files, "csv", names.csv);
	json_put_text(files, "json", names.json);
	json_put(summary, "files", files);
	json_put_text(summary, "csv_filename", names.origin_csv);
	return true;
}

static bool row_write(struct market *m, const struct json *summary, struct err *e)
{
	const struct job *job = m->context->job;
	const struct json *p = m->context->params;
	char *text = json_to_text(summary), *given = json_to_text(json_get(p, "params"));
	struct result_row row = {.created_at = clock_now_ms(), .params = given, .summary = text};
	bool ok = str_copy(row.job, sizeof(row.job), job->id) &&
	          str_copy(row.strategy, sizeof(row.strategy), json_get_text(p, "strategy", ""));
	FAILPOINT("backtest_before_row");
	ok = ok ? store_result_put(m->store, &row, job->fence, e) : err_set(e, ERR_INTERNAL, "the job's id or strategy is too long");
	FAILPOINT("backtest_after_row");
	mem_free(&text);
	mem_free(&given);
	return ok;
}

static bool run_on(struct market *m, struct json **result_out, struct err *e)
{
	struct job_context *c = m->context;
	const struct strategy *s = strategy_of(json_get_text(c->params, "strategy", ""));
	struct backtest_data data = {.symbols = market_symbols, .columns = market_columns, .progress = market_progress, .user = m};
	struct backtest_result r;
	memset(&r, 0, sizeof(r));
	if (s == NULL)
		return err_set(e, ERR_INVALID, "parameter strategy names none that exists");
	if (!s->run(json_get(c->params, "params"), &data, c->arena, &r, e))
		return false;
	kind_log(c, "%zu series of K-lines, %lld bars read", m->n_used, (long long)r.bars_read);
	for (size_t i = 0; i < r.n_warnings; i++)
		kind_log(c, "warning: %s", r.warnings[i]);
	kind_log(c, "%zu trades, %.2f became %.2f", r.n_trades, r.initial_capital, r.final_capital);
	struct json *summary = summary_make(m, &r, e);
	if (summary == NULL)
		return false;
	if (!files_write(m, &r, summary, e) || !row_write(m, summary, e)) {
		json_close(&summary);
		return false;
	}
	*result_out = summary;
	return true;
}

static bool run(struct job_context *c, struct json **result_out, struct err *e)
{
	struct market m = {.context = c};
	if ((m.store = c->store(c, e)) == NULL || (m.cache = c->cache(c, e)) == NULL)
		return false;
	bool ok = run_on(&m, result_out, e);
	mem_free(&m.used);
	return ok;
}

extern const struct kind kind_backtest_run;
const struct kind kind_backtest_run = {
        .name = "backtest.run",
        .title = "Run a backtest",
        .queue = "backtest",
        .version = 1,
        .params = params,
        .n_params = ARRAY_LEN(params),
        .max_attempts = 3,
        .backoff_ms = 1000,
        .backoff_cap_ms = TIME_MINUTE,
        .soft_limit_ms = 2 * TIME_HOUR,
        .hard_limit_ms = 3 * TIME_HOUR,
        .check = check,
        .run = run,
        .shape = shape,
};
