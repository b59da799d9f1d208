/* cmd_schedule.c -- `barque schedules` and `barque schedule`: what runs by the clock. */
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/job_flags.h"
#include "cli/schema.h"

static const struct cli_flag flags[] = {
        {"cron", "\"M H D MON DOW\"", "when: minute hour day month weekday in UTC, or with seconds before them"},
        {"every", "SPAN", "when: an interval such as 90s, 15m or 1h30m, counted from now"},
        {"start", "TIME", "count --every from this time (UTC)"},
        {"missed", "POLICY", "ticks that no worker lived to see: skip (default), once or all"},
        {"overlap", "allow|skip", "a tick while the job before lives: allow (default) another job, or skip it"},
        {"params", "JSON", "parameters as one JSON object; a NAME=VALUE beside it goes before"},
#include "cli/job_flags.def"
        {"paused", NULL, "make it, but let it make no jobs yet"},
        {"pause", NULL, "let it make no jobs until --resume"},
        {"resume", NULL, "let it go on from now"},
        {"run", NULL, "a job now, beside the ticks"},
        {"delete", NULL, "delete it; its jobs stay"},
};

extern const struct command command_schedule, command_schedules;

/* ---- showing -------------------------------------------------------------------------------------------------------------- */

static void when_text(const struct json *s, char out[140])
{
	const char *every = json_get_text(s, "every", NULL);
	snprintf(out, 140, "%s%s", every ? "every " : "", every ? every : json_get_text(s, "cron", "?"));
}

static void print_row(const struct json *s)
{
	char when[140];
	const char *next = json_text(json_at(json_get(s, "next"), 0));
	when_text(s, when);
	printf("%-24s %-18s %-20s %-24s %8lld %8lld%s%s\n", json_get_text(s, "name", "?"), json_get_text(s, "kind", "?"), when,
	        json_get_bool(s, "paused", false) ? "paused"
	        : next                            ? next
	                                          : "-",
	        (long long)json_get_int(s, "jobs", 0), (long long)json_get_int(s, "passed_over", 0),
	        json_get_text(s, "problem", NULL) ? "  " : "", json_get_text(s, "problem", ""));
}

/* What its jobs are given beyond the usual. */
static void print_options(const struct json *s)
{
	static const char *const names[] = {"priority", "lane", "tags", "max_attempts", "max_crashes", "quarantine_after", "backoff_ms",
	        "backoff_cap_ms", "time_limit_ms", "hard_limit_ms", "result_ttl_ms", "unique_key", "unique", "concurrency", "rate"};
	const char *before = "  its jobs  ";
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct json *value = json_get(s, names[i]);
		if (!value || json_is(value, JSON_NULL) || str_eq(json_text(value), ""))
			continue;
		char *text = json_to_text(value);
		printf("%s%s %s", before, names[i], text);
		mem_free(&text);
		before = ", ";
	}
	puts("");
}

static void print_details(struct cli *c, const struct json *s)
{
	char when[140];
	char *params = json_to_text(json_get(s, "params"));
	UNUSED(c);
	when_text(s, when);
	printf("%s: %s %s\n", json_get_text(s, "name", "?"), json_get_text(s, "kind", "?"), params);
	printf("  when      %s (UTC); missed: %s, overlap: %s%s\n", when, json_get_text(s, "missed", "?"), json_get_text(s, "overlap", "?"),
	        json_get_bool(s, "paused", false) ? "; paused" : "");
	print_options(s);
	for (const struct json *t = json_first(json_get(s, "next")); t; t = json_next(t))
		printf("  %-9s %s\n", t == json_first(json_get(s, "next")) ? "next" : "", json_text(t));
	printf("  so far    %lld jobs, %lld missed ticks passed over, %lld skipped because the job before lived\n",
	        (long long)json_get_int(s, "jobs", 0), (long long)json_get_int(s, "passed_over", 0),
	        (long long)json_get_int(s, "overlapped", 0));
	if (json_get_text(s, "last_job", NULL))
		printf("  last job  %s\n", json_get_text(s, "last_job", ""));
	if (json_get_text(s, "problem", NULL))
		printf("  problem   %s\n", json_get_text(s, "problem", ""));
	mem_free(&params);
}

/* ---- all of them ---------------------------------------------------------------------------------------------------------- */

static struct json *all_of_them(struct cli *c, struct err *e)
{
	struct json *all = json_new_array();
	struct buf path = {0};
	char cursor[100] = "";
	bool more = true;
	while (more) {
		buf_clear(&path);
		buf_adds(&path, "/api/schedules?limit=256&cursor=");
		http_escape(&path, cursor);
		struct json *page = api_call(c, "GET", buf_text(&path), NULL, NULL, e);
		for (const struct json *s = json_first(json_get(page, "schedules")); s; s = json_next(s))
			json_push(all, json_copy(s));
		more = page && str_copy(cursor, sizeof cursor, json_get_text(page, "next_cursor", "")) && cursor[0];
		if (!page)
			json_close(&all);
		json_close(&page);
	}
	buf_close(&path);
	return all;
}

static void print_rows(struct cli *c, const struct json *answer)
{
	UNUSED(c);
	printf("%-24s %-18s %-20s %-24s %8s %8s\n", "NAME", "KIND", "WHEN", "NEXT", "JOBS", "MISSED");
	for (const struct json *s = json_first(json_get(answer, "schedules")); s; s = json_next(s))
		print_row(s);
}

static int run_schedules(struct cli *c)
{
	struct err e = {0};
	struct json *all = all_of_them(c, &e), *answer = all ? json_new_object() : NULL;
	if (all)
		json_put(answer, "schedules", all);
	return cli_answer(c, answer, &e, print_rows);
}

/* ---- one ------------------------------------------------------------------------------------------------------------------ */

static struct json *call_on(struct cli *c, const char *method, const char *act, const struct json *body, struct err *e)
{
	struct buf path = {0};
	buf_adds(&path, "/api/schedules/");
	http_escape(&path, c->words[0]);
	buf_adds(&path, act);
	struct json *answer = api_call(c, method, buf_text(&path), body, NULL, e);
	buf_close(&path);
	return answer;
}

static void print_run(struct cli *c, const struct json *job)
{
	UNUSED(c);
	printf("%s\n", json_get_text(job, "id", "?"));
	fprintf(stderr, "Watch it with: barque show %s --watch\n", json_get_text(job, "id", "?"));
}

static int run_now(struct cli *c)
{
	struct err e = {0};
	return cli_answer(c, call_on(c, "POST", "/run", NULL, &e), &e, print_run);
}

static int delete (struct cli *c)
{
	struct err e = {0};
	struct json *answer = call_on(c, "DELETE", "", NULL, &e);
	if (!answer)
		return cli_fail(&e);
	json_close(&answer);
	if (c->json)
		puts("{\"deleted\":true}");
	else
		printf("schedule %s is deleted\n", c->words[0]);
	return CLI_DONE;
}

/* What flags say of the schedule and its jobs. */
static bool members_put(struct cli *c, struct json *body, struct err *e)
{
	static const char *const texts[] = {"cron", "every", "start", "missed", "overlap"};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (args_has(c, texts[i]))
			json_put_text(body, texts[i], args_get(c, texts[i], ""));
	if (args_has(c, "paused"))
		json_put_bool(body, "paused", true);
	return job_flags_put(c, body, e);
}

static struct json *body_of(struct cli *c, const struct json *kind, struct err *e)
{
	struct json *params = schema_params(c, &command_schedule, 2, kind, e), *body;
	if (!params)
		return NULL;
	body = json_new_object();
	json_put_text(body, "kind", c->words[1]);
	json_put(body, "params", params);
	if (!members_put(c, body, e))
		json_close(&body);
	return body;
}

static int make(struct cli *c)
{
	struct err e = {0};
	struct json *kind = schema_kind(c, c->words[1], &e);
	if (!kind)
		return cli_fail(&e);
	struct json *body = body_of(c, kind, &e);
	json_close(&kind);
	if (!body) {
		fprintf(stderr, "barque schedule: %s; see 'barque submit %s --help'\n", e.text, c->words[1]);
		return CLI_USAGE;
	}
	struct json *s = call_on(c, "PUT", "", body, &e);
	json_close(&body);
	return cli_answer(c, s, &e, print_details);
}

/* Time and options of one that is there: what no flag names stays. */
static struct json *change(struct cli *c, struct json *body, struct err *e)
{
	if (args_has(c, "cron"))
		json_put(body, "every", json_new_null()), json_put(body, "start", json_new_null());
	else if (args_has(c, "every"))
		json_put(body, "cron", json_new_null());
	return call_on(c, "PATCH", "", body, e);
}

/* Without a kind there are no parameters, which unknown flags would be. */
static bool flags_are_known(const struct cli *c, struct err *e)
{
	for (size_t i = 0; i < c->n_sets; i++)
		if (!args_is_known(&command_schedule, c->sets[i].name))
			return err_set(e, ERR_INVALID, "there is no flag --%s; parameters of the jobs need their kind before them",
			        c->sets[i].name);
	return true;
}

static int show_or_change(struct cli *c)
{
	struct err e = {0};
	struct json *body = json_new_object(), *s;
	if (!flags_are_known(c, &e) || !members_put(c, body, &e)) {
		fprintf(stderr, "barque schedule: %s; see 'barque schedule --help'\n", e.text);
		json_close(&body);
		return CLI_USAGE;
	}
	s = json_first(body) ? change(c, body, &e) : call_on(c, "GET", "", NULL, &e);
	json_close(&body);
	return cli_answer(c, s, &e, print_details);
}

/* What is to be done beside making and changing; NULL: nothing. *n_out: how many such things the flags say. */
static const char *act_of(const struct cli *c, int *n_out)
{
	static const char *const acts[] = {"pause", "resume", "run", "delete"};
	const char *act = NULL;
	*n_out = 0;
	for (size_t i = 0; i < ARRAY_LEN(acts); i++)
		if (args_has(c, acts[i])) {
			act = acts[i];
			++*n_out;
		}
	return act;
}

static int act_on(struct cli *c, const char *act)
{
	struct err e = {0};
	if (str_eq(act, "delete"))
		return delete (c);
	if (str_eq(act, "run"))
		return run_now(c);
	return cli_answer(c, call_on(c, "POST", str_eq(act, "pause") ? "/pause" : "/resume", NULL, &e), &e, print_details);
}

static int run_schedule(struct cli *c)
{
	int acts;
	const char *act = act_of(c, &acts);
	if (c->n_words == 0) {
		fprintf(stderr, "barque schedule: name a schedule, and a kind of job to make it; 'barque schedules' lists them\n");
		return CLI_USAGE;
	}
	if (acts > 1 || (acts == 1 && (c->n_words > 1 || c->n_sets - args_has(c, "json") - args_has(c, "url") > 1))) {
		fprintf(stderr, "barque schedule: --%s goes alone with the name of a schedule\n", act);
		return CLI_USAGE;
	}
	if (act)
		return act_on(c, act);
	return c->n_words > 1 ? make(c) : show_or_change(c);
}

const struct command command_schedules = {
        .name = "schedules",
        .summary = "list what runs by the clock",
        .usage = "schedules",
        .examples = "  barque schedules\n",
        .run = run_schedules,
};
const struct command command_schedule = {
        .name = "schedule",
        .summary = "run a job by the clock; show, pause or delete what does",
        .usage = "schedule NAME KIND [NAME=VALUE ...] [flags] | schedule NAME [flags]",
        .examples = "  barque schedule hourly kline.download symbols=BTCUSDT interval=1h days_back=2 --cron \"5 * * * *\"\n"
                    "  barque schedule check kline.integrity interval=1h --every 15m --missed once --overlap skip\n"
                    "  barque schedule night kline.integrity interval=1d --cron @daily --lane night --time-limit 2h --concurrency night=1\n"
                    "  barque schedule hourly                   when it ticks next, and what it did\n"
                    "  barque schedule hourly --every 30m       another time or option for one that is there; the rest stays\n"
                    "  barque schedule hourly --pause           also --resume, --run, --delete\n",
        .flags = flags,
        .n_flags = ARRAY_LEN(flags),
        .free_flags = true,
        .words_max = CLI_WORDS,
        .run = run_schedule,
};
