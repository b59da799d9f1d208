/* demo_steps.c -- the demonstration's jobs: download, read back, check, backtest; each through the public API only. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"
#include "cli/demo.h"
#include "cli/stats_text.h"

#define DEMO_DAYS    90
#define DEMO_DAYS_1M 7

const char *const demo_symbols[DEMO_SYMBOLS] = {"BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "DOGEUSDT", "ADAUSDT"};

static struct json *download_body(const char *symbol, const char *interval, const char *start)
{
	struct json *body = json_new_object(), *params = json_new_object(), *symbols = json_new_array();
	json_push(symbols, json_new_text(symbol));
	json_put(params, "symbols", symbols);
	json_put_text(params, "interval", interval);
	json_put_text(params, "start_time", start);
	json_put_text(body, "kind", "kline.download");
	json_put(body, "params", params);
	json_put_text(body, "tags", "demo");
	return body;
}

static bool submit_download(struct demo *d, size_t i, const char *symbol, const char *interval, const char *start, struct err *e)
{
	struct watch_item *item = &d->downloads[i];
	struct json *body = download_body(symbol, interval, start);
	snprintf(item->label, sizeof item->label, "%s %s", symbol, interval);
	bool ok = api_submit(d->c, body, NULL, item->id, e);
	json_close(&body);
	return ok ? true : err_prefix(e, "the download of %s", item->label);
}

static void set_dates(struct demo *d, char start_1m[TIME_TEXT])
{
	char text[TIME_TEXT];
	int64_t today = time_day_start(clock_now_ms());
	time_print_date(text, today - DEMO_DAYS * TIME_DAY);
	snprintf(d->start_date, sizeof d->start_date, "%.10s", text);
	time_print_date(text, today - TIME_DAY);
	snprintf(d->end_date, sizeof d->end_date, "%.10s", text);
	time_print_date(start_1m, today - DEMO_DAYS_1M * TIME_DAY);
}

static bool count_stored(struct demo *d, struct err *e)
{
	for (size_t i = 0; i < DEMO_JOBS; i++) {
		const struct json *result = json_get(d->downloads[i].job, "result");
		int64_t inserted = 0, same = 0, updated = 0;
		for (const struct json *s = json_first(json_get(result, "symbols")); s; s = json_next(s)) {
			inserted += json_get_int(s, "inserted", 0);
			updated += json_get_int(s, "updated", 0);
			same += json_get_int(s, "same", 0);
		}
		d->changed_series += inserted + updated > 0;
		if (inserted + updated + same == 0 && json_get_int(result, "present", 0) == 0)
			return err_set(e, ERR_NOT_FOUND, "%s succeeded without storing a single candle", d->downloads[i].label);
	}
	return true;
}

/* Cancel what still runs, and say of the first that failed why, and what to do. */
static bool give_up(struct demo *d, struct err *e)
{
	bool told = false;
	for (size_t i = 0; i < DEMO_JOBS; i++) {
		const struct watch_item *item = &d->downloads[i];
		if (!api_job_is_over(item->job)) {
			struct err ignored; /* it may have ended meanwhile */
			struct json *answer = api_cancel(d->c, item->id, &ignored);
			json_close(&answer);
		} else if (!told && !str_eq(json_get_text(item->job, "state", ""), "succeeded")) {
			told = true;
			err_set(e, ERR_INTERNAL,
			        "the download of %s did not succeed: %s; look with 'barque show %s', or try --exchange sim", item->label,
			        json_get_text(json_get(item->job, "error"), "message", "no reason was given"), item->id);
		}
	}
	return false;
}

bool demo_download(struct demo *d, struct err *e)
{
	char start_1m[TIME_TEXT];
	set_dates(d, start_1m);
	for (size_t s = 0; s < DEMO_SYMBOLS; s++)
		if (!submit_download(d, 2 * s, demo_symbols[s], "1d", d->start_date, e) ||
		        !submit_download(d, 2 * s + 1, demo_symbols[s], "1h", d->start_date, e))
			return false;
	if (!submit_download(d, DEMO_JOBS - 1, demo_symbols[0], "1m", start_1m, e))
		return false;
	d->c->stop_at_failure = true;
	int failed = watch_jobs(d->c, d->downloads, DEMO_JOBS, e);
	if (failed < 0)
		return false;
	return failed > 0 ? give_up(d, e) : count_stored(d, e);
}

/* The stored bars of a series within the demonstration's days must be complete: days times bars a day. */
static bool read_series(struct demo *d, const char *symbol, const char *interval, int64_t per_day, struct err *e)
{
	struct buf path = {0};
	buf_addf(&path, "/api/kline/%s/%s?start_date=%s&end_date=%s", interval, symbol, d->start_date, d->end_date);
	struct json *answer = api_call(d->c, "GET", buf_text(&path), NULL, NULL, e);
	buf_close(&path);
	if (!answer)
		return false;
	int64_t n = json_get_int(answer, "total_count", 0), due = DEMO_DAYS * per_day;
	size_t sent = json_count(json_get(answer, "data"));
	const struct json *first = json_at(json_get(answer, "data"), 0);
	printf("  %-10s %-3s %6lld candles since %s, the first opened at %g\n", symbol, interval, (long long)n,
	        json_get_text(first, "trade_date", "?"), json_get_double(first, "open", 0));
	json_close(&answer);
	if (n != due || sent != (size_t)due)
		return err_set(e, ERR_CORRUPT, "%s %s has %lld candles, but %lld were due", symbol, interval, (long long)n, (long long)due);
	return true;
}

bool demo_read_back(struct demo *d, struct err *e)
{
	for (size_t s = 0; s < DEMO_SYMBOLS; s++)
		if (!read_series(d, demo_symbols[s], "1d", 1, e) || !read_series(d, demo_symbols[s], "1h", 24, e))
			return false;
	return true;
}

static bool check_interval(struct demo *d, const char *interval, struct err *e)
{
	struct json *body = json_new_object();
	json_put_text(body, "interval", interval);
	json_put_text(body, "start_date", d->start_date);
	json_put_text(body, "end_date", d->end_date);
	struct json *answer = api_call(d->c, "POST", "/api/data-integrity", body, NULL, e);
	json_close(&body);
	if (!answer)
		return false;
	int64_t checked = json_get_int(answer, "checked_symbols", 0);
	size_t issues = json_count(json_get(answer, "symbols_with_issues"));
	printf("  %-3s %lld symbols checked, %zu with issues\n", interval, (long long)checked, issues);
	bool ok = checked >= DEMO_SYMBOLS && issues == 0;
	if (!ok) {
		char *text = json_to_text(json_get(answer, "summary"));
		err_set(e, ERR_CORRUPT, "the %s check found trouble: %s", interval, text);
		mem_free(&text);
	}
	json_close(&answer);
	return ok;
}

bool demo_check(struct demo *d, struct err *e)
{
	return check_interval(d, "1d", e) && check_interval(d, "1h", e);
}

bool demo_backtest_origin(struct demo *d, struct err *e)
{
	struct json *body = json_new_object();
	json_put_text(body, "start_date", d->start_date);
	json_put_text(body, "end_date", d->end_date);
	json_put_int(body, "leverage", 5);
	struct json *answer = api_call(d->c, "POST", "/api/backtest", body, NULL, e);
	json_close(&body);
	if (!answer)
		return false;
	stats_print(answer, stdout);
	int64_t trades = json_get_int(answer, "total_trades", 0);
	json_close(&answer);
	return trades > 0 ? true : err_set(e, ERR_NOT_FOUND, "the backtest made no trade");
}

bool demo_backtest_sma(struct demo *d, struct err *e)
{
	struct json *body = json_new_object(), *outer = json_new_object(), *params = json_new_object();
	json_put_text(params, "symbol", demo_symbols[0]);
	json_put_text(params, "interval", "1h");
	json_put_text(params, "start_date", d->start_date);
	json_put_text(params, "end_date", d->end_date);
	json_put_int(params, "fast", 10);
	json_put_int(params, "slow", 30);
	json_put_text(outer, "strategy", "sma_cross");
	json_put(outer, "params", params);
	json_put_text(body, "kind", "backtest.run");
	json_put(body, "params", outer);
	struct watch_item item = {.label = "sma_cross"};
	bool ok = api_submit(d->c, body, NULL, item.id, e);
	json_close(&body);
	int failed = ok ? watch_jobs(d->c, &item, 1, e) : -1;
	if (failed > 0)
		err_set(e, ERR_INTERNAL, "the backtest ended as %s: %s", json_get_text(item.job, "state", "?"),
		        json_get_text(json_get(item.job, "error"), "message", "no reason given"));
	if (failed == 0)
		stats_print(json_get(item.job, "result"), stdout);
	json_close(&item.job);
	return failed == 0;
}
