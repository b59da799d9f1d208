/* route_download.c -- POST /api/download: the origin's request becomes a kline.download job, with the origin's answer. */
#include <string.h>

#include "api/input.h"
#include "api/reply.h"
#include "api/routes.h"
#include "api/submit.h"
#include "base/str.h"
#include "base/time.h"
#include "market/bar.h"
#include "market/interval.h"

static const struct param params[] = {
        {"interval", PARAM_CHOICE, .fallback = "\"1d\"", .choices = "1m|3m|5m|15m|30m|1h|2h|4h|6h|8h|12h|1d|3d|1w|1M",
                .help = "of the candles"},
        {"symbol", PARAM_TEXT, .help = "null: all that the exchange trades"},
        {"start_time", PARAM_TEXT, .help = "YYYY-MM-DD or YYYY-MM-DD HH:MM[:SS], UTC"},
        {"end_time", PARAM_TEXT, .help = "the same"},
        {"limit", PARAM_INT, .min = 1, .max = 10000000, .help = "without start_time and days_back: the newest so many bars"},
        {"update_existing", PARAM_FLAG, .fallback = "false", .help = "overwrite stored bars"},
        {"missing_only", PARAM_FLAG, .fallback = "false", .help = "only symbols that have no bars yet"},
        {"days_back", PARAM_INT, .min = 1, .max = 20000, .help = "when there is no start_time"},
        {"auto_split", PARAM_FLAG, .fallback = "true", .help = "taken for compatibility: long ranges are always split"},
        {"request_delay", PARAM_NUMBER, .help = "taken for compatibility: the shared budget paces requests"},
        {"batch_size", PARAM_INT, .help = "taken for compatibility"},
        {"batch_delay", PARAM_NUMBER, .help = "taken for compatibility"},
};

/* A time of the request into the job's, as text that says the second. The monolith means the whole last day by a bare end date.
 * False: answered. */
static bool put_time(struct call *c, const struct json *in, const char *name, struct json *out)
{
	const char *text = json_get_text(in, name, NULL);
	char whole[TIME_TEXT];
	int64_t t;
	bool date_only;

	if (!text || !*text)
		return true;
	if (!time_parse(text, &t, &date_only)) {
		reply_detail(c, 400, "下载失败: 无法解析时间格式: %s", reply_excerpt(c, text));
		return false;
	}
	if (date_only && c->role == ROLE_ALL && str_eq(name, "end_time"))
		t += TIME_DAY - TIME_SECOND;
	time_print_datetime(whole, t);
	json_put_text(out, name, whole);
	return true;
}

/* The kind's parameters from the origin's; NULL: answered. */
static struct json *job_params(struct call *c, const struct json *in)
{
	struct json *out = json_new_object();
	const char *symbol = json_get_text(in, "symbol", NULL);
	int64_t days_back = json_get_int(in, "days_back", 0);

	json_put_text(out, "interval", json_get_text(in, "interval", "1d"));
	if (symbol && *symbol && !json_get_bool(in, "missing_only", false)) {
		struct json *symbols = json_new_array();

		json_push(symbols, json_new_text(symbol));
		json_put(out, "symbols", symbols);
	}
	if (!put_time(c, in, "start_time", out) || !put_time(c, in, "end_time", out)) {
		json_close(&out);
		return NULL;
	}
	json_put_bool(out, "update_existing", json_get_bool(in, "update_existing", false));
	json_put_bool(out, "missing_only", json_get_bool(in, "missing_only", false));
	json_put_int(out, "limit", json_get_int(in, "limit", 1500));
	if (days_back > 0)
		json_put_int(out, "days_back", days_back);
	return out;
}

static void answer(struct call *c, const struct json *in, const char *job)
{
	const char *symbol = json_get_text(in, "symbol", NULL);
	bool missing = json_get_bool(in, "missing_only", false), one = symbol && *symbol && !missing;
	struct buf body = {0};
	struct json_writer w = json_writer_on(&body);

	jw_object(&w, NULL);
	jw_text(&w, "status", "started");
	if (one)
		jw_text(&w, "message", arena_printf(c->arena, "已开始下载 %s 的K线数据", symbol));
	else
		jw_text(&w, "message", missing ? "已开始下载缺失的交易对数据" : "已开始下载所有交易对的K线数据");
	if (one)
		jw_text(&w, "symbol", symbol);
	jw_text(&w, "interval", json_get_text(in, "interval", "1d"));
	if (missing)
		jw_text(&w, "mode", "missing_only");
	jw_text(&w, "job_id", job);
	jw_end(&w);
	reply_header(c, "Location", arena_printf(c->arena, "/api/jobs/%s", job));
	reply_json(c, 200, &body);
}

void route_download(struct call *c)
{
	struct json *in = input_params(c, params, ARRAY_LEN(params)), *wanted = NULL;
	struct prefer prefer;
	struct job job = {0};

	if (!in)
		return;
	input_prefer(c, &prefer);
	wanted = job_params(c, in);
	if (wanted && submit_kind(c, "kline.download", wanted, "下载失败: ", &job)) {
		if (prefer.async)
			reply_accepted(c, &job);
		else
			answer(c, in, job.id);
	}
	job_close(&job);
	json_close(&in);
}
