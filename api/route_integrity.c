/* route_integrity.c -- POST /api/data-integrity: a kline.integrity job; the request waits for it and gets the origin's answer. */
#include "api/input.h"
#include "api/reply.h"
#include "api/routes.h"
#include "api/submit.h"
#include "api/wait_job.h"
#include "base/str.h"
#include "base/time.h"
#include "market/interval.h"

static const struct param params[] = {
        {"symbol", PARAM_TEXT, .help = "null: all stored symbols of the interval"},
        {"interval", PARAM_TEXT, .fallback = "\"1d\"", .help = "of the candles"},
        {"start_date", PARAM_TEXT, .help = "YYYY-MM-DD"},
        {"end_date", PARAM_TEXT, .help = "YYYY-MM-DD; the whole day counts"},
        {"check_duplicates", PARAM_FLAG, .fallback = "true", .help = "look for bars that are there twice"},
        {"check_missing_dates", PARAM_FLAG, .fallback = "true", .help = "look for holes"},
        {"check_data_quality", PARAM_FLAG, .fallback = "true", .help = "look for impossible values"},
};

static const char *const texts[] = {"symbol", "start_date", "end_date"};
static const char *const flags[] = {"check_duplicates", "check_missing_dates", "check_data_quality"};

/* The page sends "" for what is not filled in. */
static struct json *job_params(const struct json *in)
{
	struct json *out = json_new_object();

	json_put_text(out, "interval", json_get_text(in, "interval", "1d"));
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		const char *text = json_get_text(in, texts[i], "");

		if (*text)
			json_put_text(out, texts[i], text);
	}
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		json_put_bool(out, flags[i], json_get_bool(in, flags[i], true));
	return out;
}

static void checked(struct call *c, const struct job *job)
{
	reply_text(c, 200, "application/json", job->result ? job->result : "{}");
}

void route_integrity(struct call *c)
{
	struct json *in = input_params(c, params, ARRAY_LEN(params));
	struct job job = {0};

	if (!in)
		return;
	if (submit_kind(c, "kline.integrity", job_params(in), "检查失败: ", &job))
		wait_job(c, &job, "检查失败: ", checked);
	job_close(&job);
	json_close(&in);
}
