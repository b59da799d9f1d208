/* route_backtest.c -- POST /api/backtest: a backtest.run job with the origin's strategy; the request waits and gets its figures. */
#include <string.h>

#include "api/input.h"
#include "api/reply.h"
#include "api/routes.h"
#include "api/submit.h"
#include "api/wait_job.h"
#include "base/str.h"
#include "base/time.h"

#define FAILED    "回测失败: "
#define NO_TRADES "回测失败：未找到交易数据或没有交易记录"

static const struct param params[] = {
        {"start_date", PARAM_TEXT, .required = true, .help = "first day, YYYY-MM-DD"},
        {"end_date", PARAM_TEXT, .required = true, .help = "last day, YYYY-MM-DD"},
        {"initial_capital", PARAM_NUMBER, .unit = "USDT", .help = "capital at the start"},
        {"leverage", PARAM_INT, .help = "notional over margin"},
        {"profit_threshold", PARAM_NUMBER, .help = "take-profit, as a fraction"},
        {"loss_threshold", PARAM_NUMBER, .help = "stop-loss, as a fraction"},
        {"position_size_ratio", PARAM_NUMBER, .help = "margin of an entry as a fraction of the capital"},
        {"min_pct_chg", PARAM_NUMBER, .help = "least rise of the top gainer, as a fraction"},
        {"delay_entry", PARAM_FLAG, .fallback = "false", .help = "wait until the rise weakens"},
        {"delay_hours", PARAM_INT, .unit = "h", .help = "how long to wait"},
        {"mode", PARAM_CHOICE, .fallback = "\"origin\"", .choices = "origin|corrected", .help = "origin: its numbers, defects included"},
};

static const struct {
	const char *name;
	double service, monolith;
} defaults[] = {
#define DEFAULT(field, service, monolith) {#field, service, monolith},
#include "api/backtest_defaults.def"
#undef DEFAULT
};

static struct json *job_params(const struct json *in, enum api_role role)
{
	struct json *job = json_new_object(), *inner = json_copy(in);

	for (size_t i = 0; i < ARRAY_LEN(defaults); i++)
		if (json_is(json_get(in, defaults[i].name), JSON_NULL))
			json_put_double(inner, defaults[i].name, role == ROLE_ALL ? defaults[i].monolith : defaults[i].service);
	json_put_text(job, "strategy", "origin_short_top");
	json_put(job, "params", inner);
	return job;
}

/* The figures that the origin's page reads, first and in its order; then the job and whatever else the run tells. */
static const char *const figures[] = {"initial_capital", "final_capital", "total_profit_loss", "total_return_rate", "total_trades",
        "win_trades", "loss_trades", "win_rate", "csv_filename", "delay_entry"};

static bool is_figure(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(figures); i++)
		if (str_eq(figures[i], name))
			return true;
	return str_eq(name, "job_id");
}

/* A figure stands at the top of the result or among its statistics. */
static const struct json *figure(const struct json *result, const char *name)
{
	const struct json *found = json_get(result, name);

	return found ? found : json_get(json_get(result, "statistics"), name);
}

static void answer(struct call *c, const struct json *result, const char *job)
{
	struct buf body = {0};
	struct json_writer w = json_writer_on(&body);

	jw_object(&w, NULL);
	for (size_t i = 0; i < ARRAY_LEN(figures); i++)
		jw_json(&w, figures[i], figure(result, figures[i]));
	jw_text(&w, "job_id", job);
	for (const struct json *m = json_first(result); m; m = json_next(m))
		if (!is_figure(json_key(m)))
			jw_json(&w, json_key(m), m);
	jw_end(&w);
	reply_json(c, 200, &body);
}

static void done(struct call *c, const struct job *job)
{
	struct err e = {0};
	struct json *result = job->result ? json_parse(job->result, strlen(job->result), &e) : NULL;
	int64_t trades;

	if (!result)
		reply_detail(c, 500, FAILED "%s", job->result ? e.text : "the job has no result");
	else if (!json_int(figure(result, "total_trades"), &trades) || trades == 0)
		reply_detail(c, 400, NO_TRADES);
	else
		answer(c, result, job->id);
	json_close(&result);
}

static bool dates_ok(struct call *c, const struct json *in)
{
	int64_t t;

	if (time_parse_date(json_get_text(in, "start_date", ""), &t) && time_parse_date(json_get_text(in, "end_date", ""), &t))
		return true;
	reply_detail(c, 400, "日期格式错误，请使用 YYYY-MM-DD 格式");
	return false;
}

void route_backtest(struct call *c)
{
	struct json *in = input_params(c, params, ARRAY_LEN(params));
	struct job job = {0};

	if (!in)
		return;
	if (dates_ok(c, in) && submit_kind(c, "backtest.run", job_params(in, c->role), FAILED, &job))
		wait_job(c, &job, FAILED, done);
	job_close(&job);
	json_close(&in);
}
