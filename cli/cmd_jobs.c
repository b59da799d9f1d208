/* cmd_jobs.c -- `barque jobs`: list jobs, newest first, or follow their changes. */
#include <string.h>

#include "base/str.h"
#include "base/time.h"
#include "cli/cli.h"
#include "cli/sse.h"

static const struct cli_flag flags[] = {
        {"queue", "NAME", "only this queue"},
        {"kind", "KIND", "only this kind"},
        {"state", "STATE", "scheduled, ready, running, retrying, waiting, succeeded, failed, cancelled or dead"},
        {"limit", "N", "how many (default 30)"},
        {"cursor", "TEXT", "go on where the last list ended"},
        {"follow", NULL, "show every change of state as it happens, instead of a list"},
        {"count", "N", "with --follow: end after so many"},
};

static void print_list(struct cli *c, const struct json *answer)
{
	const struct json *jobs = json_get(answer, "jobs");
	if (!json_first(jobs))
		printf("no jobs%s\n", args_has(c, "kind") ? " ('barque kinds' lists the kinds)" : "");
	else
		printf("%-36s %-16s %-10s %6s  %s\n", "ID", "KIND", "STATE", "DONE", "CREATED (UTC)");
	for (const struct json *job = json_first(jobs); job; job = json_next(job)) {
		struct buf line = {0};
		job_line(job, &line);
		puts(buf_text(&line));
		buf_close(&line);
	}
	const char *next = json_get_text(answer, "next_cursor", NULL);
	fflush(stdout);
	if (next && *next)
		fprintf(stderr, "More with: --cursor '%s'\n", next);
}

/* ---- as they happen */

struct following {
	bool json;
	int64_t left; /* < 0: no end */
};

static void print_change(const char *data)
{
	struct err e = {0};
	struct json *change = json_parse(data, strlen(data), &e);
	char when[TIME_TEXT];
	int64_t at = json_get_int(change, "at", 0);
	time_print_datetime(when, at);
	printf("%s.%03d  %-36s %-16s %s\n", when, (int)(at % 1000), json_get_text(change, "id", "?"), json_get_text(change, "kind", "?"),
	        json_get_text(change, "state", "?"));
	json_close(&change);
}

static bool take_event(void *user, const char *id, const char *type, const char *data)
{
	struct following *f = user;
	if (str_eq(type, "missed")) {
		fprintf(stderr, "(some changes were missed)\n");
		return true;
	}
	if (!str_eq(type, "change"))
		return true;
	if (f->json)
		printf("{\"event\":\"%s\",\"change\":%s}\n", id, data);
	else
		print_change(data);
	fflush(stdout);
	return f->left < 0 || --f->left > 0;
}

static int follow(struct cli *c)
{
	struct err e = {0};
	struct following f = {.json = c->json, .left = -1};
	struct sse s = {.handler = take_event, .user = &f};
	struct http_answer answer = {0};
	struct buf url = {0};
	const char *headers[] = {c->token[0] ? c->token : NULL, NULL}, *count = args_get(c, "count", NULL);
	if (count && !str_int(count, 1, INT64_C(1000000000), &f.left)) {
		fprintf(stderr, "barque jobs: --count is '%s', but must be a whole number from 1\n", count);
		return CLI_USAGE;
	}
	buf_addf(&url, "%s/api/jobs/events?", c->url);
	api_add_flag(c, "queue", "queue", &url);
	api_add_flag(c, "kind", "kind", &url);
	api_add_flag(c, "state", "state", &url);
	struct http_call call = {.headers = headers, .url = buf_text(&url), .timeout_ms = -1, .on_data = sse_feed, .user = &s};
	bool ok = http_client_call(c->http, &call, &answer, &e);
	int status = CLI_DONE;
	if (ok && answer.status >= 400) {
		err_set(&e, ERR_INVALID, "the API answered with HTTP status %d: a filter names what cannot be, or BARQUE_TOKEN is missing",
		        answer.status);
		status = cli_fail(&e);
	} else if (!ok && e.code != ERR_CANCELLED) {
		status = cli_fail(&e);
	}
	sse_close(&s);
	http_answer_close(&answer);
	buf_close(&url);
	return status;
}

static int run(struct cli *c)
{
	if (args_has(c, "follow"))
		return follow(c);
	struct err e = {0};
	struct buf path = {0};
	buf_adds(&path, "/api/jobs?limit=");
	http_escape(&path, args_get(c, "limit", "30"));
	api_add_flag(c, "queue", "queue", &path);
	api_add_flag(c, "kind", "kind", &path);
	api_add_flag(c, "state", "state", &path);
	api_add_flag(c, "cursor", "cursor", &path);
	struct json *answer = api_call(c, "GET", buf_text(&path), NULL, NULL, &e);
	buf_close(&path);
	return cli_answer(c, answer, &e, print_list);
}

extern const struct command command_jobs;
const struct command command_jobs = {
        .name = "jobs",
        .summary = "list jobs, newest first",
        .usage = "jobs [flags]",
        .examples = "  barque jobs\n  barque jobs --state running\n  barque jobs --queue backtest --json\n"
                    "  barque jobs --follow --state dead\n",
        .flags = flags,
        .n_flags = ARRAY_LEN(flags),
        .run = run,
};
