/* cmd_jobs.c -- `barque jobs`: list jobs, newest first. */
#include "base/str.h"
#include "cli/cli.h"

static const struct cli_flag flags[] = {
        {"queue", "NAME", "only this queue"},
        {"kind", "KIND", "only this kind"},
        {"state", "STATE", "scheduled, ready, running, retrying, waiting, succeeded, failed, cancelled or dead"},
        {"limit", "N", "how many (default 30)"},
        {"cursor", "TEXT", "go on where the last list ended"},
};

static void print_list(const struct json *answer)
{
	const struct json *jobs = json_get(answer, "jobs");
	if (!json_first(jobs))
		puts("no jobs");
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

static int run(struct cli *c)
{
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
	if (!answer)
		return cli_fail(&e);
	if (c->json)
		return cli_print_json(answer);
	print_list(answer);
	json_close(&answer);
	return CLI_DONE;
}

extern const struct command command_jobs;
const struct command command_jobs = {
        .name = "jobs",
        .summary = "list jobs, newest first",
        .usage = "jobs [flags]",
        .examples = "  barque jobs\n  barque jobs --state running\n  barque jobs --queue backtest --json\n",
        .flags = flags,
        .n_flags = ARRAY_LEN(flags),
        .run = run,
};
