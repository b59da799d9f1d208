/* integrity_json.c -- the findings as the origin tells them: Chinese sentences, keys and order of its result. */
#include <stdio.h>
#include <string.h>

#include "market/integrity.h"

#define ISSUES_MAX 24

/* The texts are what old clients show and search in: they are part of the wire format. */
#define TEXT_EMPTY "表为空"

struct issues {
	struct arena *arena;
	const char **texts;
	size_t n;
};

static void PRINTF_LIKE(3, 4) issue(struct issues *s, int64_t count, const char *fmt, ...)
{
	char text[200];
	va_list ap;
	if (count == 0)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	s->texts[s->n++] = arena_strdup(s->arena, text);
}

static void coverage_issues(const struct integrity *r, struct issues *s)
{
	const struct integrity_checks *c = &r->checks;
	issue(s, c->duplicates, "发现 %lld 条重复数据", (long long)c->duplicates);
	issue(s, r->missing_days, "缺失 %lld 个日期", (long long)r->missing_days);
	/* Holes within a day, which the origin did not see; where a bar is a day, all is said. */
	bool said = interval_is_daily(r->interval) && r->missing_bars == r->missing_days;
	issue(s, said ? 0 : r->missing_bars, "缺失 %lld 根K线（%lld 段）", (long long)r->missing_bars, (long long)r->ranges_total);
}

static void quality_issues(const struct integrity *r, struct issues *s)
{
	static const char *const fields[] = {"open", "high", "low", "close", "volume"};
	const struct integrity_checks *c = &r->checks;
	for (size_t i = 0; i < ARRAY_LEN(c->nulls); i++)
		issue(s, c->nulls[i], "%s 字段有 %lld 个空值", fields[i], (long long)c->nulls[i]);
	issue(s, c->ohlc, "发现 %lld 条价格数据不合理（high < low 或 open/close 超出范围）", (long long)c->ohlc);
	for (size_t i = 0; i < ARRAY_LEN(c->not_positive); i++)
		issue(s, c->not_positive[i], "%s 字段有 %lld 个无效值（<=0）", fields[i], (long long)c->not_positive[i]);
	issue(s, c->negative_volume, "volume 字段有 %lld 个负数", (long long)c->negative_volume);
	/* What follows the origin did not check. */
	issue(s, c->misaligned, "open_time 有 %lld 条未对齐K线周期", (long long)c->misaligned);
	issue(s, c->close_time, "close_time 有 %lld 条不正确", (long long)c->close_time);
	issue(s, c->vwap, "发现 %lld 条成交均价超出 [low, high]", (long long)c->vwap);
	issue(s, c->taker, "发现 %lld 条主动买入量大于总成交量", (long long)c->taker);
	issue(s, c->disorder, "发现 %lld 条时间顺序错误", (long long)c->disorder);
}

size_t integrity_issues(const struct integrity *r, bool quality_only, struct arena *a, const char *const **out)
{
	struct issues s = {.arena = a, .texts = arena_array(a, ISSUES_MAX, sizeof *s.texts)};
	if (r->rows == 0 && !quality_only)
		issue(&s, 1, TEXT_EMPTY);
	if (!quality_only)
		coverage_issues(r, &s);
	quality_issues(r, &s);
	*out = s.texts;
	return s.n;
}

/* ---- one series ----------------------------------------------------------------------------------------------------- */

static void write_texts(struct json_writer *w, const char *key, const char *const *texts, size_t n)
{
	jw_array(w, key);
	for (size_t i = 0; i < n; i++)
		jw_text(w, NULL, texts[i]);
	jw_end(w);
}

static void write_date_range(const struct integrity *r, struct json_writer *w)
{
	char text[TIME_TEXT];
	if (r->rows == 0) {
		jw_null(w, "date_range");
		return;
	}
	jw_object(w, "date_range");
	time_print_date(text, r->first);
	jw_text(w, "start", text);
	time_print_date(text, r->last);
	jw_text(w, "end", text);
	jw_int(w, "days", (time_day_start(r->last) - time_day_start(r->first)) / TIME_DAY + 1);
	jw_end(w);
}

static void write_missing_dates(const struct integrity *r, struct json_writer *w)
{
	char text[TIME_TEXT];
	jw_array(w, "missing_dates");
	for (int64_t i = 0; i < r->missing_days && i < INTEGRITY_DATES_SHOWN; i++) {
		time_print_date(text, r->dates[i]);
		jw_text(w, NULL, text);
	}
	jw_end(w);
}

/* "close(1.0) < low(91.8)", with the doubles as Python prints them. */
static void reason(struct json_writer *w, bool holds, const char *a, double x, const char *relation, const char *b, double y)
{
	char left[32], right[32], text[120];
	if (!holds)
		return;
	str_from_double(left, x);
	str_from_double(right, y);
	snprintf(text, sizeof text, "%s(%s) %s %s(%s)", a, left, relation, b, right);
	jw_text(w, NULL, text);
}

static void write_price(const struct integrity_price *p, enum interval iv, struct json_writer *w)
{
	char text[TIME_TEXT];
	interval_print_trade_date(iv, text, p->open_time);
	jw_object(w, NULL);
	jw_text(w, "trade_date", text);
	jw_double(w, "open", p->open);
	jw_double(w, "high", p->high);
	jw_double(w, "low", p->low);
	jw_double(w, "close", p->close);
	jw_array(w, "issues");
	reason(w, p->high < p->low, "high", p->high, "<", "low", p->low);
	reason(w, p->open > p->high, "open", p->open, ">", "high", p->high);
	reason(w, p->open < p->low, "open", p->open, "<", "low", p->low);
	reason(w, p->close > p->high, "close", p->close, ">", "high", p->high);
	reason(w, p->close < p->low, "close", p->close, "<", "low", p->low);
	jw_end(w);
	jw_end(w);
}

static void write_ranges(const struct integrity *r, struct json_writer *w)
{
	char text[TIME_TEXT];
	jw_array(w, "missing_ranges");
	for (size_t i = 0; i < r->n_ranges; i++) {
		jw_object(w, NULL);
		interval_print_trade_date(r->interval, text, r->ranges[i].from);
		jw_text(w, "from", text);
		interval_print_trade_date(r->interval, text, r->ranges[i].to);
		jw_text(w, "to", text);
		jw_int(w, "count", r->ranges[i].count);
		jw_end(w);
	}
	jw_end(w);
}

static void write_checks(const struct integrity *r, struct json_writer *w)
{
	const struct integrity_checks *c = &r->checks;
	jw_object(w, "checks");
	jw_int(w, "rows_checked", r->rows_checked);
	jw_int(w, "missing_ranges", r->ranges_total);
	jw_int(w, "absent_at_exchange", r->absent_bars);
	jw_int(w, "ohlc", c->ohlc);
	jw_int(w, "not_positive", c->not_positive[0] + c->not_positive[1] + c->not_positive[2] + c->not_positive[3]);
	jw_int(w, "negative_volume", c->negative_volume);
	jw_int(w, "misaligned", c->misaligned);
	jw_int(w, "close_time", c->close_time);
	jw_int(w, "vwap", c->vwap);
	jw_int(w, "taker", c->taker);
	jw_int(w, "disorder", c->disorder);
	jw_end(w);
}

static void write_series(const struct integrity *r, struct arena *a, struct json_writer *w)
{
	char table[SYMBOL_SIZE + 8];
	const char *const *texts;
	snprintf(table, sizeof table, "K%s%s", interval_name(r->interval), r->symbol);
	jw_object(w, r->symbol);
	jw_text(w, "symbol", r->symbol);
	jw_text(w, "table_name", table);
	jw_int(w, "record_count", r->rows);
	write_date_range(r, w);
	size_t n = integrity_issues(r, false, a, &texts);
	write_texts(w, "issues", texts, n);
	jw_int(w, "duplicate_count", r->checks.duplicates);
	write_missing_dates(r, w);
	n = integrity_issues(r, true, a, &texts);
	write_texts(w, "data_quality_issues", texts, n);
	if (r->n_prices > 0) {
		jw_array(w, "invalid_price_data");
		for (size_t i = 0; i < r->n_prices; i++)
			write_price(&r->prices[i], r->interval, w);
		jw_end(w);
	}
	jw_int(w, "missing_bars", r->missing_bars);
	write_ranges(r, w);
	write_checks(r, w);
	jw_end(w);
}

/* ---- all of them ------------------------------------------------------------------------------------------------------ */

struct summary {
	int64_t checked, empty, duplicates, missing_days, quality;
};

/* An empty series is counted apart: neither checked nor among those with issues, as the origin's clients expect. */
static void count_series(const struct integrity *r, struct arena *a, struct summary *s)
{
	const char *const *texts;
	s->empty += r->rows == 0;
	s->checked += r->rows > 0;
	s->duplicates += r->checks.duplicates;
	s->missing_days += r->missing_days;
	s->quality += (int64_t)integrity_issues(r, true, a, &texts);
}

static void write_names(const struct integrity *items, size_t n, struct arena *a, struct json_writer *w)
{
	const char *const *texts;
	jw_array(w, "symbols_with_issues");
	for (size_t i = 0; i < n; i++)
		if (items[i].rows > 0 && integrity_issues(&items[i], false, a, &texts) > 0)
			jw_text(w, NULL, items[i].symbol);
	jw_end(w);
}

void integrity_write(const struct integrity *items, size_t n, struct json_writer *w, const char *key)
{
	struct arena *a = arena_open();
	struct summary s = {0};
	for (size_t i = 0; i < n; i++)
		count_series(&items[i], a, &s);
	jw_object(w, key);
	jw_int(w, "total_symbols", (int64_t)n);
	jw_int(w, "checked_symbols", s.checked);
	write_names(items, n, a, w);
	jw_object(w, "summary");
	jw_int(w, "duplicates", s.duplicates);
	jw_int(w, "missing_dates", s.missing_days);
	jw_int(w, "data_quality_issues", s.quality);
	jw_int(w, "empty_tables", s.empty);
	jw_end(w);
	jw_object(w, "details");
	for (size_t i = 0; i < n; i++)
		write_series(&items[i], a, w);
	jw_end(w);
	jw_end(w);
	arena_close(&a);
}
