/* kind_kline_download.c -- download K-lines from the exchange into the store: given symbols, or all that trade. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "kinds/download.h"

#define INTERVAL_CHOICES "1m|3m|5m|15m|30m|1h|2h|4h|6h|8h|12h|1d|3d|1w|1M"
#define LIST_FRESH       (7 * TIME_DAY) /* an older list lacks what was listed since */
#define PATIENCE         3              /* so many series in a row that fail for the time being: the exchange is away */
#define DOUBT            10             /* so many symbols that the exchange does not know: from then on its list is asked first */
#define NAMES_SHOWN      10             /* of the symbols that failed, in the error */

static const struct param params[] = {
        {.name = "symbols",
                .type = PARAM_TEXTS,
                .fallback = "[]",
                .max = 2000,
                .help = "what to download; empty: all USDT symbols that trade"},
        {.name = "interval", .type = PARAM_CHOICE, .fallback = "\"1d\"", .choices = INTERVAL_CHOICES, .help = "length of a K-line"},
        {.name = "start_time", .type = PARAM_TIME, .help = "first open time (UTC)"},
        {.name = "end_time",
                .type = PARAM_TIME,
                .help = "last open time (UTC), a date means its whole day; default: the newest closed K-line"},
        {.name = "limit",
                .type = PARAM_INT,
                .fallback = "1500",
                .min = 1,
                .max = 10000000,
                .help = "without start_time and days_back: the newest so many",
                .unit = "bars"},
        {.name = "days_back",
                .type = PARAM_INT,
                .min = 1,
                .max = 36500,
                .help = "without start_time: so many days before the end",
                .unit = "d"},
        {.name = "update_existing", .type = PARAM_FLAG, .fallback = "false", .help = "ask for everything again and replace what differs"},
        {.name = "missing_only", .type = PARAM_FLAG, .fallback = "false", .help = "only symbols that have no K-line of this interval yet"},
        {.name = "auto_split", .type = PARAM_FLAG, .fallback = "true", .help = "accepted for old clients; pages are always split"},
        {.name = "request_delay",
                .type = PARAM_NUMBER,
                .fallback = "0",
                .min = 0,
                .max = 3600,
                .help = "accepted for old clients; the weight budget replaces pauses",
                .unit = "s"},
        {.name = "batch_size",
                .type = PARAM_INT,
                .min = 1,
                .max = 100000,
                .help = "accepted for old clients; the weight budget replaces pauses"},
        {.name = "batch_delay",
                .type = PARAM_NUMBER,
                .min = 0,
                .max = 3600,
                .help = "accepted for old clients; the weight budget replaces pauses",
                .unit = "s"},
};

/* ---- parameters */

static bool time_of(const struct json *p, const char *name, bool whole_day, int64_t *out)
{
	bool date_only;
	const char *text = json_get_text(p, name, NULL);
	if (text == NULL || !time_parse(text, out, &date_only))
		return false;
	if (whole_day && date_only)
		*out += TIME_DAY - 1;
	return true;
}

static bool check(struct json *p, struct err *e)
{
	int64_t from, to;
	const struct json *symbols = json_get(p, "symbols");
	for (const struct json *s = json_first(symbols); s != NULL; s = json_next(s))
		if (!symbol_ok(json_text(s)))
			return err_set(e, ERR_INVALID, "parameter symbols names \"%.40s\", which is no symbol; one looks like BTCUSDT",
			        json_text(s));
	if (time_of(p, "start_time", false, &from) && time_of(p, "end_time", true, &to) && from > to)
		return err_set(e, ERR_INVALID, "start_time %s is after end_time %s", json_get_text(p, "start_time", ""),
		        json_get_text(p, "end_time", ""));
	if (time_of(p, "end_time", true, &to) && to < 0)
		return err_set(e, ERR_INVALID, "end_time %s is before 1970; no K-line is that old", json_get_text(p, "end_time", ""));
	return true;
}

static void unique_key(const struct json *p, char out[JOB_KEY])
{
	char hex[DIGEST_HEX];
	struct buf text = {0};
	json_print(p, &text);
	digest_sha256_hex(hex, buf_text(&text), text.len);
	snprintf(out, JOB_KEY, "kline.download:%.32s", hex);
	buf_close(&text);
}

/* ---- the range */

static int64_t back_by(enum interval iv, int64_t last, int64_t bars)
{
	if (iv != INTERVAL_1M)
		return last - (bars - 1) * (interval_next(iv, last) - last);
	for (int64_t i = 1; i < bars && last > 0; i++)
		last = interval_floor(iv, last - 1, 0);
	return last;
}

/* The open time of the newest closed bar that may be asked for. 3d has no fixed anchor: there the exchange itself decides. */
static int64_t last_of(enum interval iv, int64_t end, int64_t now)
{
	int64_t closed = iv == INTERVAL_3d ? now - 1 : interval_floor(iv, now, 0) - 1;
	int64_t last = end < closed ? end : closed;
	return iv == INTERVAL_3d ? last : interval_floor(iv, last, 0);
}

static bool range_set(struct download *d, const struct json *p, struct err *e)
{
	int64_t end = INT64_MAX, start, days = json_get_int(p, "days_back", 0);
	if (!exchange_time(d->exchange, &d->now_ms, e))
		return false;
	if (!time_of(p, "end_time", true, &end))
		end = INT64_MAX;
	d->to = last_of(d->interval, end, d->now_ms);
	if (time_of(p, "start_time", false, &start))
		d->from = start;
	else if (days > 0)
		d->from = d->to - days * TIME_DAY;
	else
		d->from = back_by(d->interval, d->to, json_get_int(p, "limit", 1500));
	if (d->from < 0)
		d->from = 0;
	if (d->interval != INTERVAL_3d && interval_floor(d->interval, d->from, 0) != d->from)
		d->from = interval_next(d->interval, interval_floor(d->interval, d->from, 0));
	return true;
}

/* Only the exchange's clock knows that a range lies ahead, so a job learns it, not who submits. */
static bool range_is_empty(const struct download *d)
{
	return d->from > d->to;
}

static void range_note(const struct download *d, struct json *result)
{
	char from[TIME_TEXT], to[TIME_TEXT], note[200];
	time_print_datetime(from, d->from);
	time_print_datetime(to, d->to);
	snprintf(note, sizeof(note),
	        "the range holds no closed %s K-line: it begins at %s, and the newest closed one up to its end is of %s",
	        interval_name(d->interval), from, to);
	json_put_text(result, "note", note);
}

/* ---- the symbols */

struct symbols {
	const char **names;
	size_t n;
};

static void symbols_add(struct symbols *out, const char *name)
{
	for (size_t i = 0; i < out->n; i++)
		if (strcmp(out->names[i], name) == 0)
			return;
	out->names[out->n++] = name;
}

/* The exchange's list goes into the store too: listing dates tell holes from history that never was. */
static bool symbols_of_exchange(struct download *d, struct symbols *out, struct err *e)
{
	struct arena *a = d->context->arena;
	struct exchange_symbol *all;
	int n = exchange_symbols(d->exchange, a, &all, e);
	if (n < 0)
		return false;
	struct symbol_row *rows = arena_array(a, (size_t)n + 1, sizeof(*rows));
	out->names = arena_array(a, (size_t)n + 1, sizeof(*out->names));
	for (int i = 0; i < n; i++) {
		memcpy(rows[i].symbol, all[i].symbol, sizeof(rows[i].symbol));
		memcpy(rows[i].status, all[i].status, sizeof(rows[i].status));
		rows[i].onboard_at = all[i].onboard_at;
		rows[i].updated_at = d->now_ms;
		if (strcmp(all[i].status, "TRADING") == 0)
			out->names[out->n++] = all[i].symbol;
	}
	return store_symbols_put(d->store, rows, (size_t)n, e);
}

/* The newest list that a download of all symbols brought into the store: what left the exchange since stands there with an older time. */
static int all_symbols(const struct json *p, struct store *s, struct arena *a, const char ***out, struct err *e)
{
	struct symbol_row *rows;
	int n = store_symbols_list(s, a, &rows, e), found = 0;
	int64_t newest = 0;
	UNUSED(p);
	if (n < 0)
		return -1;
	*out = arena_array(a, (size_t)n + 1, sizeof(**out));
	for (int i = 0; i < n; i++)
		newest = rows[i].updated_at > newest ? rows[i].updated_at : newest;
	for (int i = 0; i < n; i++)
		if (rows[i].updated_at == newest && strcmp(rows[i].status, "TRADING") == 0)
			(*out)[found++] = rows[i].symbol;
	if (clock_now_ms() - newest > LIST_FRESH)
		return err_fail(e, ERR_INVALID,
		        "which symbols trade is %s: run a kline.download of all symbols that is not split first (limit=1 is enough), or name the symbols",
		        newest ? "known of more than a week ago only" : "not known yet");
	if (found == 0)
		return err_fail(e, ERR_INVALID, "by the exchange's list no symbol trades: name the symbols");
	return found;
}

static bool symbols_drop_known(struct download *d, struct symbols *s, struct err *e)
{
	size_t kept = 0;
	for (size_t i = 0; i < s->n; i++) {
		struct series known;
		int got = store_series(d->store, s->names[i], d->interval, &known, e);
		if (got < 0)
			return false;
		if (got == 0 || known.rows == 0)
			s->names[kept++] = s->names[i];
	}
	s->n = kept;
	return true;
}

static bool symbols_find(struct download *d, const struct json *p, struct symbols *out, struct err *e)
{
	const struct json *given = json_get(p, "symbols");
	if (json_count(given) == 0) {
		if (!symbols_of_exchange(d, out, e))
			return false;
	} else {
		out->names = arena_array(d->context->arena, json_count(given), sizeof(*out->names));
		for (const struct json *s = json_first(given); s != NULL; s = json_next(s))
			symbols_add(out, json_text(s));
	}
	return !json_get_bool(p, "missing_only", false) || symbols_drop_known(d, out, e);
}

/* ---- the work */

struct tally {
	struct json *symbols, *failed;
	int64_t inserted, updated, present;
	size_t done, temporary;
	size_t unknown; /* to the exchange */
	int in_a_row;
	struct err first; /* of the temporary failures */
	int64_t from, to; /* open times of the first and last bar that the range may hold; from > to: none */
	struct exchange_symbol *listed;
	int n_listed;
	bool has_list; /* it is only fetched in doubt */
};

static void tally_note(struct json *o, const struct download *d, const struct download_result *r)
{
	char note[80];
	if (r->inserted + r->updated + r->same + r->present > 0)
		return;
	snprintf(note, sizeof(note),
	        range_is_empty(d) ? "the range holds no closed %s K-line" : "the exchange has no closed %s K-line of it in this range",
	        interval_name(d->interval));
	json_put_text(o, "note", note);
}

/* 3d has no fixed anchor: where its bars begin, only the stored ones tell. */
static bool tally_range(struct tally *t, const struct download *d, const char *symbol, struct err *e)
{
	struct series s;
	int got = d->interval == INTERVAL_3d ? store_series(d->store, symbol, d->interval, &s, e) : 0;
	if (got <= 0 || s.rows == 0)
		return got >= 0;
	int64_t from = interval_floor(d->interval, d->from, s.first), to = interval_floor(d->interval, d->to, s.first);
	if (from < d->from)
		from = interval_next(d->interval, from);
	if (interval_close(d->interval, to) >= d->now_ms)
		to = interval_floor(d->interval, to - 1, s.first);
	if (from > to)
		return true;
	bool first = t->from > t->to;
	t->from = first || from < t->from ? from : t->from;
	t->to = first || to > t->to ? to : t->to;
	return true;
}

static void tally_done(struct tally *t, const struct download *d, const char *symbol, const struct download_result *r)
{
	struct json *o = json_new_object();
	json_put_text(o, "symbol", symbol);
	json_put_int(o, "inserted", r->inserted);
	json_put_int(o, "updated", r->updated);
	json_put_int(o, "same", r->same);
	json_put_int(o, "present", r->present);
	json_put_int(o, "requested", r->requested);
	json_put_int(o, "absent", r->absent);
	json_put_int(o, "revision", r->revision);
	tally_note(o, d, r);
	json_push(t->symbols, o);
	t->inserted += r->inserted;
	t->updated += r->updated;
	t->present += r->present;
	t->done++;
	t->in_a_row = 0;
	kind_log(d->context, "%s %s: %lld new, %lld changed, %lld were there%s", symbol, interval_name(d->interval), (long long)r->inserted,
	        (long long)r->updated, (long long)(r->same + r->present), r->absent > 0 ? "; the exchange lacks some" : "");
}

static void tally_failed(struct tally *t, const struct download *d, const char *symbol, const struct err *e)
{
	struct json *o = json_new_object();
	json_put_text(o, "symbol", symbol);
	json_put_text(o, "code", err_name(e->code));
	json_put_text(o, "message", e->text);
	json_push(t->failed, o);
	t->unknown += e->code == ERR_NOT_FOUND;
	if (strncmp(e->text, symbol, strlen(symbol)) == 0)
		kind_log(d->context, "%s", e->text);
	else
		kind_log(d->context, "%s: %s", symbol, e->text);
	if (!err_is_temporary(e->code)) {
		t->in_a_row = 0;
		return;
	}
	if (t->temporary++ == 0)
		t->first = *e;
	t->in_a_row++;
}

/* Is it worth a request? The list does not decide from the start, since it leaves out symbols whose history can still be had; but
 * thousands of wrong names asked for one by one would take minutes. */
static bool may_exist(struct tally *t, const struct download *d, const char *symbol, struct err *e)
{
	if (t->unknown < DOUBT)
		return true;
	if (!t->has_list && (t->n_listed = exchange_symbols(d->exchange, d->context->arena, &t->listed, e)) < 0)
		return err_prefix(e, "the exchange's list of symbols");
	t->has_list = true;
	for (int i = 0; i < t->n_listed; i++)
		if (strcmp(t->listed[i].symbol, symbol) == 0)
			return true;
	return err_set(e, ERR_NOT_FOUND, "%s is not on the exchange's list, and was not asked for after %d others that do not exist",
	        symbol, DOUBT);
}

/* The exchange says when it may be asked again: all symbols wait for that, and what is stored by then is not asked for again. */
static bool is_for_later(const struct err *e)
{
	return e->code == ERR_LIMITED && e->retry_after_ms > 0;
}

/* One symbol's trouble is not the others'; but when the exchange is away, the rest is not tried one by one. */
static bool download_all(struct download *d, const struct symbols *s, struct tally *t, struct err *e)
{
	struct download_result r;
	struct err why = {0};
	for (size_t i = 0; i < s->n; i++) {
		d->i_series = i;
		bool ok = t->in_a_row < PATIENCE && may_exist(t, d, s->names[i], &why) && download_series(d, s->names[i], &r, &why) &&
		          tally_range(t, d, s->names[i], &why);
		if (ok)
			tally_done(t, d, s->names[i], &r);
		else if (why.code != ERR_CANCELLED && !is_for_later(&why))
			tally_failed(t, d, s->names[i], &why);
		else {
			*e = why;
			return false;
		}
	}
	return true;
}

static bool all_failed(const struct tally *t, struct err *e)
{
	const struct json *first = json_first(t->failed);
	size_t n = json_count(t->failed), i = 0;
	struct buf names = {0};
	err_set(e, err_code_of(json_get_text(first, "code", "")), "%s", json_get_text(first, "message", ""));
	if (n == 1)
		return false;
	for (const struct json *f = first; f != NULL && i < NAMES_SHOWN; f = json_next(f))
		buf_addf(&names, "%s%s", i++ > 0 ? ", " : "", json_get_text(f, "symbol", ""));
	if (n > i)
		buf_addf(&names, " and %zu more", n - i);
	err_prefix(e, "none of %zu symbols could be had (%s)", n, buf_text(&names));
	buf_close(&names);
	return false;
}

static bool tally_end(const struct tally *t, const struct job *job, size_t n, struct err *e)
{
	bool again = t->temporary > 0 && job->attempt < job->max_attempts;
	if (again || (t->temporary > 0 && t->done == 0)) {
		*e = t->first;
		return n == 1 ? false : err_prefix(e, "%zu of %zu symbols are not complete", t->temporary, n);
	}
	return n == 0 || t->done > 0 || all_failed(t, e);
}

static struct json *result_make(const struct download *d, const struct tally *t)
{
	struct json *result = json_new_object();
	bool none = t->from > t->to;
	json_put_text(result, "interval", interval_name(d->interval));
	json_put(result, "from", none ? json_new_null() : json_new_int(t->from));
	json_put(result, "to", none ? json_new_null() : json_new_int(t->to));
	if (range_is_empty(d))
		range_note(d, result);
	json_put_int(result, "inserted", t->inserted);
	json_put_int(result, "updated", t->updated);
	json_put_int(result, "present", t->present);
	json_put(result, "symbols", t->symbols);
	json_put(result, "failed", t->failed);
	return result;
}

static bool run(struct job_context *c, struct json **result_out, struct err *e)
{
	struct download d = {.context = c, .overwrite = json_get_bool(c->params, "update_existing", false)};
	struct symbols symbols = {0};
	if (!interval_of(json_get_text(c->params, "interval", ""), &d.interval))
		return err_set(e, ERR_INVALID, "interval is none of " INTERVAL_CHOICES);
	if ((d.store = c->store(c, e)) == NULL || (d.exchange = c->exchange(c, e)) == NULL)
		return false;
	if (!range_set(&d, c->params, e) || !symbols_find(&d, c->params, &symbols, e))
		return false;
	d.n_series = symbols.n;
	kind_log(c, "%zu symbols, up to %lld %s K-lines each", symbols.n, (long long)download_count(&d), interval_name(d.interval));
	struct tally t = {.symbols = json_new_array(), .failed = json_new_array(), .from = d.from, .to = d.to};
	if (d.interval == INTERVAL_3d)
		t.to = t.from - 1;
	bool ok = download_all(&d, &symbols, &t, e) && tally_end(&t, c->job, symbols.n, e);
	struct json *result = result_make(&d, &t);
	if (ok)
		*result_out = result;
	else
		json_close(&result);
	return ok;
}

extern const struct kind kind_kline_download;
const struct kind kind_kline_download = {
        .name = "kline.download",
        .title = "Download K-lines",
        .queue = "kline",
        .version = 1,
        .params = params,
        .n_params = ARRAY_LEN(params),
        .max_attempts = 5,
        .backoff_ms = 2000,
        .backoff_cap_ms = 5 * TIME_MINUTE,
        .soft_limit_ms = 24 * TIME_HOUR,
        .hard_limit_ms = 25 * TIME_HOUR,
        .check = check,
        .unique_key = unique_key,
        .all_symbols = all_symbols,
        .run = run,
};
